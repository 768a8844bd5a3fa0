//! `pg_proc` and `pg_aggregate`, and the signatures of functions in words.

use crate::document::{Datum, Oid, Type};
use crate::sql::function::{Body, Function, Volatility};
use crate::sql::functions;
use crate::storage::catalog::{BOOTSTRAP_ROLE, PG_CATALOG};

use super::builder::{Rows, letter, oidvector, text, text_array};
use super::relations::type_array;
use crate::document::Array;

/// The language `internal`.
const INTERNAL: Oid = 12;

/// Aggregates with WITHIN GROUP.
const ORDERED_SET: &[&str] = &["mode", "percentile_cont", "percentile_disc"];
/// Hypothetical-set aggregates.
const HYPOTHETICAL: &[&str] = &["rank", "dense_rank", "percent_rank", "cume_dist"];

/// pg_proc.prokind.
pub(crate) fn kind(function: &Function) -> char {
    match function.body {
        Body::Aggregate(_) => 'a',
        Body::Window => 'w',
        Body::Scalar(_) | Body::Set(_) | Body::Host => 'f',
    }
}

fn is_set(function: &Function) -> bool {
    matches!(function.body, Body::Set(_))
}

/// The element type of the VARIADIC argument, or 0.
fn variadic_element(function: &Function) -> Oid {
    match function.args.last() {
        Some(last) if function.variadic => match *last {
            Type::ANY => Type::ANY.oid,
            Type::ANYARRAY => Type::ANYELEMENT.oid,
            Type::ANYCOMPATIBLEARRAY => Type::ANYCOMPATIBLE.oid,
            other => crate::sql::types::element_of(other.oid).unwrap_or(0),
        },
        _ => 0,
    }
}

pub(super) fn letters(values: impl IntoIterator<Item = char>) -> Datum {
    let values = values.into_iter().map(letter).collect();
    Datum::Array(Box::new(Array::new(Type::CHAR.oid, values)))
}

pub(super) fn procedures(rows: &mut Rows) {
    for function in functions::all() {
        let named = !function.columns.is_empty();
        let modes = || {
            let last = function.args.len().saturating_sub(1);
            let input = (0..function.args.len()).map(|i| if function.variadic && i == last { 'v' } else { 'i' });
            letters(input.chain(function.columns.iter().map(|_| 'o')))
        };
        let all_types = || {
            let types = function.args.iter().map(|t| t.oid).chain(function.columns.iter().map(|(_, t)| t.oid));
            type_array(types)
        };
        let names = || {
            let empty = function.args.iter().map(|_| String::new());
            text_array(empty.chain(function.columns.iter().map(|(name, _)| (*name).to_string())))
        };
        let with_modes = named || function.variadic;
        let volatility = match function.volatility {
            Volatility::Immutable => 'i',
            Volatility::Stable => 's',
            Volatility::Volatile => 'v',
        };
        rows.push([
            ("oid", Datum::Oid(function.oid)),
            ("proname", text(function.name)),
            ("pronamespace", Datum::Oid(PG_CATALOG)),
            ("proowner", Datum::Oid(BOOTSTRAP_ROLE)),
            ("prolang", Datum::Oid(INTERNAL)),
            ("procost", Datum::Float4(1.0)),
            ("prorows", Datum::Float4(if is_set(function) { 1000.0 } else { 0.0 })),
            ("provariadic", Datum::Oid(variadic_element(function))),
            ("prokind", letter(kind(function))),
            ("proisstrict", Datum::Bool(function.strict && kind(function) == 'f')),
            ("proretset", Datum::Bool(is_set(function))),
            ("provolatile", letter(volatility)),
            ("proparallel", letter('s')),
            ("pronargs", Datum::Int2(function.args.len() as i16)),
            ("pronargdefaults", Datum::Int2(i16::from(function.defaults))),
            ("prorettype", Datum::Oid(function.returns.oid)),
            ("proargtypes", oidvector(function.args.iter().map(|t| t.oid))),
            ("proallargtypes", if with_modes { all_types() } else { Datum::Null }),
            ("proargmodes", if with_modes { modes() } else { Datum::Null }),
            ("proargnames", if named { names() } else { Datum::Null }),
            ("prosrc", text(function.name)),
        ]);
    }
    super::io_functions::procedures(rows);
}

pub(super) fn aggregates(rows: &mut Rows) {
    for function in functions::all().iter().filter(|f| kind(f) == 'a') {
        let hypothetical = HYPOTHETICAL.contains(&function.name) && function.variadic;
        let kind = match function.name {
            _ if hypothetical => 'h',
            name if ORDERED_SET.contains(&name) => 'o',
            _ => 'n',
        };
        let direct = match kind {
            'o' => function.args.len().saturating_sub(1),
            'h' => 1,
            _ => 0,
        };
        rows.push([
            ("aggfnoid", Datum::Oid(function.oid)),
            ("aggkind", letter(kind)),
            ("aggnumdirectargs", Datum::Int2(direct as i16)),
            ("aggfinalmodify", letter('r')),
            ("aggmfinalmodify", letter('r')),
            ("aggtranstype", Datum::Oid(Type::INTERNAL.oid)),
        ]);
    }
}

/// `pg_get_function_arguments` (`full`) and `pg_get_function_identity_arguments`.
pub(crate) fn arguments(function: &Function, full: bool) -> String {
    let name = |t: &Type| crate::sql::types::format_oid(t.oid, None);
    let last = function.args.len().saturating_sub(1);
    let mut parts: Vec<String> = Vec::new();
    for (i, typ) in function.args.iter().enumerate() {
        let variadic = if function.variadic && i == last { "VARIADIC " } else { "" };
        parts.push(format!("{variadic}{}", name(typ)));
    }
    let out = function.columns.iter().map(|(column, typ)| format!("OUT {column} {}", name(typ)));
    if full {
        parts.extend(out);
    }
    parts.join(", ")
}

/// `pg_get_function_result`.
pub(crate) fn result(function: &Function) -> String {
    let name = crate::sql::types::format_oid(function.returns.oid, None);
    if is_set(function) { format!("SETOF {name}") } else { name }
}
