//! Functions and procedures in SQL, as `pg_proc` and `pg_get_functiondef` show them.

use crate::document::{Datum, Type};
use crate::sql::binder::bind_body_shapes;
use crate::sql::context::EvalContext;
use crate::sql::deparse;
use crate::sql::user_types;
use crate::storage::catalog::{Argument, ArgumentMode, Catalog, Entry, ObjectClass, Routine, RoutineKind};

use super::builder::{Rows, acl, letter, oidvector, optional, text, text_array};
use super::functions::letters;
use super::information::type_names;
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
            ("prosqlbody", body(routine, context.eval).map_or(Datum::Null, text)),
            ("proacl", acl(&context.catalog, ObjectClass::Function, routine.oid, 0)),
        ]);
    }
}

/// `format_type` as the search path has it.
fn type_name(typ: Type, context: &EvalContext) -> String {
    user_types::format(context, typ.oid, Some(typ.typmod).filter(|typmod| *typmod >= 0))
}

fn argument(argument: &Argument, context: &EvalContext, defaults: bool) -> String {
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
    shown.push_str(&type_name(argument.typ, context));
    if let Some(default) = argument.default.as_ref().filter(|_| defaults) {
        shown.push_str(" DEFAULT ");
        shown.push_str(default);
    }
    shown
}

/// `pg_get_function_arguments`.
pub(crate) fn arguments(routine: &Routine, context: &EvalContext, defaults: bool) -> String {
    let shown = routine.arguments.iter().filter(|a| a.mode != ArgumentMode::Table);
    shown.map(|a| with_mode(routine, a, context, defaults)).collect::<Vec<_>>().join(", ")
}

/// `pg_get_function_identity_arguments`.
pub(crate) fn identity_arguments(routine: &Routine, context: &EvalContext) -> String {
    let shown = routine.arguments.iter().filter(|a| a.mode != ArgumentMode::Table);
    shown.map(|a| with_mode(routine, a, context, false)).collect::<Vec<_>>().join(", ")
}

/// A procedure's arguments say IN as well.
fn with_mode(routine: &Routine, shown: &Argument, context: &EvalContext, defaults: bool) -> String {
    let said = routine.kind == RoutineKind::Procedure && shown.mode == ArgumentMode::In;
    format!("{}{}", if said { "IN " } else { "" }, argument(shown, context, defaults))
}

/// `pg_get_function_result`.
pub(crate) fn result(routine: &Routine, context: &EvalContext) -> String {
    if routine.kind == RoutineKind::Procedure {
        return NO_RESULT.to_string();
    }
    let table: Vec<String> = routine
        .arguments
        .iter()
        .filter(|a| a.mode == ArgumentMode::Table)
        .map(|a| argument(a, context, false))
        .collect();
    if !table.is_empty() {
        return format!("TABLE({})", table.join(", "));
    }
    let name = type_name(routine.returns, context);
    if routine.returns_set { format!("SETOF {name}") } else { name }
}

/// `pg_get_function_sqlbody`: of a body that was bound when it was made.
pub(crate) fn body(routine: &Routine, context: &EvalContext) -> Option<String> {
    if !routine.is_bound && !routine.is_return {
        return None;
    }
    let shapes = bind_body_shapes(routine, context);
    let shown = shapes.and_then(|shapes| deparse::body(&shapes, routine.is_return, context));
    Some(shown.unwrap_or_else(|| match routine.is_return {
        true => format!("RETURN {}", routine.body),
        false => format!("BEGIN ATOMIC\n {}\nEND", routine.body.trim()),
    }))
}

/// `pg_get_functiondef`.
pub(crate) fn definition(routine: &Routine, catalog: &Catalog, context: &EvalContext) -> String {
    let word = if routine.kind == RoutineKind::Procedure { "PROCEDURE" } else { "FUNCTION" };
    let schema = catalog.get(routine.schema).map(|s| definition::quote_ident(s.name())).unwrap_or_default();
    let mut shown = format!(
        "CREATE OR REPLACE {word} {schema}.{}({})\n",
        definition::quote_ident(&routine.name),
        arguments(routine, context, true)
    );
    if routine.kind == RoutineKind::Function {
        shown.push_str(&format!(" RETURNS {}\n", result(routine, context)));
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
    if let Some(body) = body(routine, context) {
        shown.push_str(&format!("{body}\n"));
    } else {
        let word = word.to_lowercase();
        shown.push_str(&format!("AS ${word}${}${word}$\n", routine.body));
    }
    shown
}

/// The routines of users.
fn all<'c>(context: &'c Context<'_>) -> impl Iterator<Item = &'c Routine> {
    context.catalog.entries.values().filter_map(|entry| match &**entry {
        Entry::Routine(routine) if context.schemas.contains(&routine.schema) => Some(routine),
        _ => None,
    })
}

fn yes_no(value: bool) -> Datum {
    text(if value { "YES" } else { "NO" })
}

/// `information_schema.routines`.
pub(super) fn routines(context: &Context<'_>, rows: &mut Rows) {
    let database = context.database_name();
    for routine in all(context) {
        let schema = context.schema_name(routine.schema);
        let returns = (routine.kind == RoutineKind::Function).then(|| type_names(context, routine.returns));
        let of_type = |value: Option<String>| value.map_or(Datum::Null, text);
        rows.push([
            ("specific_catalog", text(&database)),
            ("specific_schema", text(&schema)),
            ("specific_name", text(format!("{}_{}", routine.name, routine.oid))),
            ("routine_catalog", text(&database)),
            ("routine_schema", text(&schema)),
            ("routine_name", text(&routine.name)),
            ("routine_type", text(if returns.is_some() { "FUNCTION" } else { "PROCEDURE" })),
            ("data_type", of_type(returns.as_ref().map(|(data_type, _, _)| data_type.clone()))),
            ("type_udt_catalog", of_type(returns.as_ref().map(|_| database.clone()))),
            ("type_udt_schema", of_type(returns.as_ref().map(|(_, schema, _)| schema.clone()))),
            ("type_udt_name", of_type(returns.as_ref().map(|(_, _, name)| name.clone()))),
            ("dtd_identifier", of_type(returns.as_ref().map(|_| "0".to_string()))),
            ("routine_body", text("SQL")),
            ("routine_definition", text(if routine.is_bound { "" } else { &routine.body })),
            ("external_language", text("SQL")),
            ("parameter_style", text("GENERAL")),
            ("is_deterministic", yes_no(routine.volatility == 'i')),
            ("sql_data_access", text("MODIFIES")),
            ("is_null_call", if returns.is_some() { yes_no(routine.strict) } else { Datum::Null }),
            ("schema_level_routine", yes_no(true)),
            ("max_dynamic_result_sets", Datum::Int4(0)),
            ("security_type", text(if routine.security_definer { "DEFINER" } else { "INVOKER" })),
            ("as_locator", yes_no(false)),
            ("is_udt_dependent", yes_no(false)),
        ]);
    }
}

/// `information_schema.parameters`.
pub(super) fn parameters(context: &Context<'_>, rows: &mut Rows) {
    let database = context.database_name();
    for routine in all(context) {
        for (argument, number) in routine.arguments.iter().zip(1..) {
            let mode = match argument.mode {
                ArgumentMode::In | ArgumentMode::Variadic => "IN",
                ArgumentMode::InOut => "INOUT",
                ArgumentMode::Out | ArgumentMode::Table => "OUT",
            };
            let (data_type, udt_schema, udt_name) = type_names(context, argument.typ);
            rows.push([
                ("specific_catalog", text(&database)),
                ("specific_schema", text(context.schema_name(routine.schema))),
                ("specific_name", text(format!("{}_{}", routine.name, routine.oid))),
                ("ordinal_position", Datum::Int4(number)),
                ("parameter_mode", text(mode)),
                ("is_result", yes_no(false)),
                ("as_locator", yes_no(false)),
                ("parameter_name", optional(argument.name.as_ref())),
                ("data_type", text(data_type)),
                ("udt_catalog", text(&database)),
                ("udt_schema", text(udt_schema)),
                ("udt_name", text(udt_name)),
                ("dtd_identifier", text(number.to_string())),
                ("parameter_default", optional(argument.default.as_ref())),
            ]);
        }
    }
}
