//! Functions and procedures in SQL, as `pg_proc` and `pg_get_functiondef` show them.

use crate::document::Datum;
use crate::storage::catalog::{Argument, ArgumentMode, Catalog, Entry, ObjectClass, Routine, RoutineKind};

use super::builder::{Rows, acl, letter, oidvector, text, text_array};
use super::functions::letters;
use super::relations::type_array;
use super::{Context, definition};

/// The language `sql`.
const SQL: u32 = 14;
/// What stands for no result at all (a procedure's).
pub(crate) const NO_RESULT: &str = "\0";

pub(super) fn procedures(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.catalog.entries.values() {
        let Entry::Routine(routine) = &**entry else { continue };
        if !context.schemas.contains(&routine.schema) {
            continue;
        }
        let mode = |a: &Argument| match a.mode {
            ArgumentMode::In => 'i',
            ArgumentMode::Out => 'o',
            ArgumentMode::InOut => 'b',
            ArgumentMode::Variadic => 'v',
            ArgumentMode::Table => 't',
        };
        let has_modes = routine.arguments.iter().any(|a| a.mode != ArgumentMode::In);
        let has_names = routine.arguments.iter().any(|a| a.name.is_some());
        let kind = if routine.kind == RoutineKind::Procedure { 'p' } else { 'f' };
        rows.push([
            ("oid", Datum::Oid(routine.oid)),
            ("proname", text(&routine.name)),
            ("pronamespace", Datum::Oid(routine.schema)),
            ("proowner", Datum::Oid(routine.owner)),
            ("prolang", Datum::Oid(SQL)),
            ("procost", Datum::Float4(routine.cost)),
            ("prorows", Datum::Float4(routine.rows)),
            ("prokind", letter(kind)),
            ("prosecdef", Datum::Bool(routine.security_definer)),
            ("proleakproof", Datum::Bool(routine.leakproof)),
            ("proisstrict", Datum::Bool(routine.strict)),
            ("proretset", Datum::Bool(routine.returns_set)),
            ("provolatile", letter(routine.volatility)),
            ("proparallel", letter(routine.parallel)),
            ("pronargs", Datum::Int2(routine.inputs().count() as i16)),
            ("pronargdefaults", Datum::Int2(routine.inputs().filter(|a| a.default.is_some()).count() as i16)),
            ("prorettype", Datum::Oid(routine.returns.oid)),
            ("proargtypes", oidvector(routine.inputs().map(|a| a.typ.oid))),
            (
                "proallargtypes",
                if has_modes { type_array(routine.arguments.iter().map(|a| a.typ.oid)) } else { Datum::Null },
            ),
            ("proargmodes", if has_modes { letters(routine.arguments.iter().map(mode)) } else { Datum::Null }),
            (
                "proargnames",
                match has_names {
                    true => text_array(routine.arguments.iter().map(|a| a.name.clone().unwrap_or_default())),
                    false => Datum::Null,
                },
            ),
            ("prosrc", text(if routine.is_bound { "" } else { &routine.body })),
            ("proacl", acl(&context.catalog, ObjectClass::Function, routine.oid, 0)),
        ]);
    }
}

fn argument(argument: &Argument, catalog: &Catalog, defaults: bool) -> String {
    let mut shown = String::new();
    match argument.mode {
        ArgumentMode::Out => shown.push_str("OUT "),
        ArgumentMode::InOut => shown.push_str("INOUT "),
        ArgumentMode::Variadic => shown.push_str("VARIADIC "),
        ArgumentMode::In | ArgumentMode::Table => {}
    }
    if let Some(name) = &argument.name {
        shown.push_str(&definition::quote_ident(name));
        shown.push(' ');
    }
    shown.push_str(&definition::type_name(catalog, argument.typ));
    if let Some(default) = argument.default.as_ref().filter(|_| defaults) {
        shown.push_str(" DEFAULT ");
        shown.push_str(default);
    }
    shown
}

/// `pg_get_function_arguments`.
pub(crate) fn arguments(routine: &Routine, catalog: &Catalog, defaults: bool) -> String {
    let shown = routine.arguments.iter().filter(|a| a.mode != ArgumentMode::Table);
    shown.map(|a| with_mode(routine, a, catalog, defaults)).collect::<Vec<_>>().join(", ")
}

/// `pg_get_function_identity_arguments`.
pub(crate) fn identity_arguments(routine: &Routine, catalog: &Catalog) -> String {
    let is_procedure = routine.kind == RoutineKind::Procedure;
    let shown = routine
        .arguments
        .iter()
        .filter(|a| a.mode != ArgumentMode::Table && (is_procedure || a.mode != ArgumentMode::Out));
    shown.map(|a| with_mode(routine, a, catalog, false)).collect::<Vec<_>>().join(", ")
}

/// A procedure's arguments say IN as well.
fn with_mode(routine: &Routine, shown: &Argument, catalog: &Catalog, defaults: bool) -> String {
    let said = routine.kind == RoutineKind::Procedure && shown.mode == ArgumentMode::In;
    format!("{}{}", if said { "IN " } else { "" }, argument(shown, catalog, defaults))
}

/// `pg_get_function_result`.
pub(crate) fn result(routine: &Routine, catalog: &Catalog) -> String {
    if routine.kind == RoutineKind::Procedure {
        return NO_RESULT.to_string();
    }
    let table: Vec<String> = routine
        .arguments
        .iter()
        .filter(|a| a.mode == ArgumentMode::Table)
        .map(|a| argument(a, catalog, false))
        .collect();
    if !table.is_empty() {
        return format!("TABLE({})", table.join(", "));
    }
    let name = definition::type_name(catalog, routine.returns);
    if routine.returns_set { format!("SETOF {name}") } else { name }
}

/// `pg_get_functiondef`.
pub(crate) fn definition(routine: &Routine, catalog: &Catalog) -> String {
    let word = if routine.kind == RoutineKind::Procedure { "PROCEDURE" } else { "FUNCTION" };
    let schema = catalog.get(routine.schema).map(|s| definition::quote_ident(s.name())).unwrap_or_default();
    let mut shown = format!(
        "CREATE OR REPLACE {word} {schema}.{}({})\n",
        definition::quote_ident(&routine.name),
        arguments(routine, catalog, true)
    );
    if routine.kind == RoutineKind::Function {
        shown.push_str(&format!(" RETURNS {}\n", result(routine, catalog)));
    }
    shown.push_str(" LANGUAGE sql\n");
    let mut words: Vec<String> = Vec::new();
    match routine.volatility {
        'i' => words.push("IMMUTABLE".into()),
        's' => words.push("STABLE".into()),
        _ => {}
    }
    match routine.parallel {
        's' => words.push("PARALLEL SAFE".into()),
        'r' => words.push("PARALLEL RESTRICTED".into()),
        _ => {}
    }
    if routine.strict {
        words.push("STRICT".into());
    }
    if routine.security_definer {
        words.push("SECURITY DEFINER".into());
    }
    if routine.leakproof {
        words.push("LEAKPROOF".into());
    }
    if routine.cost != 100.0 {
        words.push(format!("COST {}", routine.cost));
    }
    if routine.returns_set && routine.rows != 1000.0 {
        words.push(format!("ROWS {}", routine.rows));
    }
    if !words.is_empty() {
        shown.push_str(&format!(" {}\n", words.join(" ")));
    }
    if routine.is_return {
        shown.push_str(&format!("RETURN {}\n", routine.body));
    } else if routine.is_bound {
        shown.push_str(&format!("BEGIN ATOMIC\n {}\nEND\n", routine.body.trim()));
    } else {
        let word = word.to_lowercase();
        shown.push_str(&format!("AS ${word}${}${word}$\n", routine.body));
    }
    shown
}
