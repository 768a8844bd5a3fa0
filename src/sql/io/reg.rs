//! OIDs shown and read as the names of what they are: `regclass`, `regtype`, `regproc` and their family.

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::system::io_functions;
use crate::sql::{functions, operators, system, types, user_types};
use crate::storage::catalog::{Catalog, Entry, INFORMATION_SCHEMA, PG_CATALOG};

use super::number::integer_out;

/// Whether values of a type are OIDs with names.
pub(crate) fn is_reg(typ: Type) -> bool {
    matches!(
        Type::new(typ.oid),
        Type::REGPROC
            | Type::REGPROCEDURE
            | Type::REGOPER
            | Type::REGOPERATOR
            | Type::REGCLASS
            | Type::REGTYPE
            | Type::REGCONFIG
            | Type::REGDICTIONARY
            | Type::REGNAMESPACE
            | Type::REGROLE
            | Type::REGCOLLATION
    )
}

/// Reads a name (or a number, or `-` for none).
pub(crate) fn reg_in(typ: Type, text: &str, context: &EvalContext) -> Result<Datum> {
    if text == "-" {
        return Ok(Datum::Oid(0));
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return super::number::oid_in(text, "oid").map(Datum::Oid);
    }
    let oid = match Type::new(typ.oid) {
        Type::REGCLASS => return regclass_in(text, context),
        Type::REGTYPE => regtype_in(text, context)?,
        Type::REGPROC => regproc_in(text).or_else(|error| routine_in(text, false, context).ok_or(error))?,
        Type::REGPROCEDURE => {
            regprocedure_in(text, context).or_else(|error| routine_in(text, true, context).ok_or(error))?
        }
        Type::REGOPER => regoper_in(text)?,
        Type::REGOPERATOR => regoperator_in(text, context)?,
        Type::REGNAMESPACE => regnamespace_in(text, context)?,
        Type::REGROLE => regrole_in(text, context)?,
        Type::REGCOLLATION => regcollation_in(text)?,
        _ => return Err(Error::unsupported(format!("input of type {}", types::format_type(Type::new(typ.oid))))),
    };
    Ok(Datum::Oid(oid))
}

/// The parts of a possibly qualified name: folded to lower case unless quoted.
pub(crate) fn split_name(text: &str) -> Result<Vec<String>> {
    let invalid = || err!(INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let mut part = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut chars = quoted.chars();
            loop {
                match chars.next().ok_or_else(invalid)? {
                    '"' if chars.as_str().starts_with('"') => {
                        chars.next();
                        part.push('"');
                    }
                    '"' => break,
                    c => part.push(c),
                }
            }
            rest = chars.as_str();
        } else {
            let end = rest.find(|c: char| c == '.' || c.is_whitespace() || c == '"').unwrap_or(rest.len());
            part = rest[..end].to_lowercase();
            rest = &rest[end..];
        }
        if part.is_empty() {
            return Err(invalid());
        }
        parts.push(part);
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

fn schema_oid(catalog: &Catalog, context: &EvalContext, name: &str) -> Option<Oid> {
    match name {
        "pg_catalog" => Some(PG_CATALOG),
        "information_schema" => Some(INFORMATION_SCHEMA),
        name => catalog.schema(context.host.database(), name),
    }
}

/// `regclassin`: a relation by its name, over the search path.
pub(crate) fn regclass_in(text: &str, context: &EvalContext) -> Result<Datum> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return super::number::oid_in(text, "oid").map(Datum::Oid);
    }
    let parts = split_name(text)?;
    let missing = || err!(UNDEFINED_TABLE, "relation \"{}\" does not exist", parts.join("."));
    let catalog = context.host.catalog();
    let (schemas, name) = match parts.as_slice() {
        [name] => (context.host.search_path(), name),
        [schema, name] | [_, schema, name] => (schema_oid(&catalog, context, schema).into_iter().collect(), name),
        _ => return Err(missing()),
    };
    for schema in schemas {
        if let Some(oid) = catalog.relations.get(&(schema, name.clone())) {
            return Ok(Datum::Oid(*oid));
        }
        if let Some(oid) = system_relation(schema, name) {
            return Ok(Datum::Oid(oid));
        }
    }
    Err(missing())
}

/// The OID of a relation of `pg_catalog` or `information_schema`.
fn system_relation(schema: Oid, name: &str) -> Option<Oid> {
    let schema = match schema {
        PG_CATALOG => "pg_catalog",
        INFORMATION_SCHEMA => "information_schema",
        _ => return None,
    };
    system::relation(&format!("{schema}.{name}")).map(|relation| relation.oid)
}

/// The name of a relation of `pg_catalog` or `information_schema`, qualified where it is not searched.
fn system_relation_name(oid: Oid) -> Option<&'static str> {
    let relation = system::by_oid(oid)?;
    Some(if relation.schema() == PG_CATALOG { relation.short_name() } else { relation.name })
}

fn regtype_in(text: &str, context: &EvalContext) -> Result<Oid> {
    user_types::resolve_text(text, context).map(|typ| typ.oid)
}

/// The last part of a name that may be qualified with `pg_catalog`.
fn built_in(text: &str) -> Result<String> {
    let mut parts = split_name(text)?;
    Ok(parts.pop().unwrap_or_default())
}

fn regproc_in(text: &str) -> Result<Oid> {
    let name = built_in(text)?;
    match functions::find(&name) {
        [] => match io_functions::find(&name) {
            Some(function) => Ok(function.oid),
            None => Err(err!(UNDEFINED_FUNCTION, "function \"{text}\" does not exist")),
        },
        [function] => Ok(function.oid),
        _ => Err(err!(AMBIGUOUS_FUNCTION, "more than one function named \"{text}\"")),
    }
}

/// Name and argument types of `name(type, ...)`.
fn signature(text: &str, context: &EvalContext) -> Result<(String, Vec<Option<Type>>)> {
    let (name, rest) =
        text.split_once('(').ok_or_else(|| err!(INVALID_TEXT_REPRESENTATION, "expected a left parenthesis"))?;
    let args = rest
        .trim_end()
        .strip_suffix(')')
        .ok_or_else(|| err!(INVALID_TEXT_REPRESENTATION, "expected a right parenthesis"))?;
    let mut types = Vec::new();
    for arg in args.split(',').map(str::trim).filter(|arg| !arg.is_empty()) {
        types.push(if arg.eq_ignore_ascii_case("none") { None } else { Some(user_types::resolve_text(arg, context)?) });
    }
    Ok((name.trim().to_string(), types))
}

fn regprocedure_in(text: &str, context: &EvalContext) -> Result<Oid> {
    let (name, args) = signature(text, context)?;
    let name = built_in(&name)?;
    let same = |function: &&&'static crate::sql::function::Function| {
        function.args.len() == args.len()
            && function.args.iter().zip(&args).all(|(a, b)| b.is_some_and(|b| a.oid == b.oid))
    };
    let found = functions::find(&name).iter().find(same);
    found.map(|function| function.oid).ok_or_else(|| err!(UNDEFINED_FUNCTION, "function \"{text}\" does not exist"))
}

fn operator_name(text: &str) -> &str {
    text.trim().strip_prefix("pg_catalog.").unwrap_or(text.trim())
}

fn regoper_in(text: &str) -> Result<Oid> {
    match operators::find(operator_name(text)) {
        [] => Err(err!(UNDEFINED_FUNCTION, "operator does not exist: {text}")),
        [operator] => Ok(operator.oid),
        _ => Err(err!(AMBIGUOUS_FUNCTION, "more than one operator named {text}")),
    }
}

fn regoperator_in(text: &str, context: &EvalContext) -> Result<Oid> {
    let (name, args) = signature(text, context)?;
    let [left, Some(right)] = args.as_slice() else {
        return Err(err!(INVALID_PARAMETER_VALUE, "missing argument")
            .hint("Use NONE to denote the missing argument of a unary operator."));
    };
    let found = operators::find(operator_name(&name))
        .iter()
        .find(|o| o.left.map(|t| t.oid) == left.map(|t| t.oid) && o.right.oid == right.oid);
    found.map(|o| o.oid).ok_or_else(|| err!(UNDEFINED_FUNCTION, "operator does not exist: {text}"))
}

fn regnamespace_in(text: &str, context: &EvalContext) -> Result<Oid> {
    let parts = split_name(text)?;
    let catalog = context.host.catalog();
    match parts.as_slice() {
        [name] => schema_oid(&catalog, context, name)
            .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{name}\" does not exist")),
        _ => Err(err!(INVALID_NAME, "invalid name syntax")),
    }
}

/// The collations there are.
const COLLATIONS: &[(Oid, &str)] = &[(100, "default"), (950, "C"), (951, "POSIX")];

fn regcollation_in(text: &str) -> Result<Oid> {
    let name = built_in(text)?;
    COLLATIONS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(oid, _)| *oid)
        .ok_or_else(|| err!(UNDEFINED_OBJECT, "collation \"{name}\" for encoding \"UTF8\" does not exist"))
}

fn regrole_in(text: &str, context: &EvalContext) -> Result<Oid> {
    let parts = split_name(text)?;
    match parts.as_slice() {
        [name] => context
            .host
            .catalog()
            .roles
            .get(name)
            .copied()
            .ok_or_else(|| err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist")),
        _ => Err(err!(INVALID_NAME, "invalid name syntax")),
    }
}

/// An identifier in double quotes where SQL needs them.
pub(crate) fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain && !is_reserved(name) { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Words that an identifier cannot be without quotes.
fn is_reserved(name: &str) -> bool {
    const RESERVED: &[&str] = &[
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "between",
        "bigint",
        "binary",
        "bit",
        "boolean",
        "both",
        "case",
        "cast",
        "char",
        "character",
        "check",
        "coalesce",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "dec",
        "decimal",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "exists",
        "extract",
        "false",
        "fetch",
        "float",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "greatest",
        "group",
        "grouping",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "inout",
        "int",
        "integer",
        "intersect",
        "interval",
        "into",
        "is",
        "isnull",
        "join",
        "lateral",
        "leading",
        "least",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "national",
        "natural",
        "nchar",
        "none",
        "normalize",
        "not",
        "notnull",
        "null",
        "nullif",
        "numeric",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "out",
        "outer",
        "overlaps",
        "overlay",
        "placing",
        "position",
        "precision",
        "primary",
        "real",
        "references",
        "returning",
        "right",
        "row",
        "select",
        "session_user",
        "setof",
        "similar",
        "smallint",
        "some",
        "substring",
        "symmetric",
        "system_user",
        "table",
        "tablesample",
        "then",
        "time",
        "timestamp",
        "to",
        "trailing",
        "treat",
        "trim",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "values",
        "varchar",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
        "xmlattributes",
        "xmlconcat",
        "xmlelement",
        "xmlexists",
        "xmlforest",
        "xmlnamespaces",
        "xmlparse",
        "xmlpi",
        "xmlroot",
        "xmlserialize",
        "xmltable",
        "json",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_object",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_table",
        "json_value",
        "merge_action",
    ];
    RESERVED.contains(&name)
}

/// Writes the name of an OID; a plain `oid`, or one without an object, as a number.
pub(crate) fn reg_out(typ: Type, oid: Oid, context: Option<&EvalContext>, out: &mut String) {
    if !is_reg(typ) {
        return integer_out(i64::from(oid), out);
    }
    if oid == 0 {
        return out.push('-');
    }
    let name = match Type::new(typ.oid) {
        Type::REGCLASS => context.and_then(|context| relation_name(oid, context)),
        Type::REGTYPE => type_name(oid, context),
        Type::REGPROC | Type::REGPROCEDURE if routine_name(oid, typ, context).is_some() => {
            routine_name(oid, typ, context)
        }
        Type::REGPROC => functions::by_oid(oid)
            .map(|function| function.name)
            .or_else(|| io_functions::by_oid(oid).map(|function| function.name))
            .map(quote_identifier),
        Type::REGPROCEDURE => functions::by_oid(oid).map(|function| {
            let args: Vec<String> = function.args.iter().map(|arg| types::format_type(Type::new(arg.oid))).collect();
            format!("{}({})", quote_identifier(function.name), args.join(","))
        }),
        Type::REGOPER => operators::by_oid(oid).map(|operator| operator.name.to_string()),
        Type::REGOPERATOR => operators::by_oid(oid).map(|operator| {
            let left = operator.left.map_or_else(|| "NONE".to_string(), types::format_type);
            format!("{}({left},{})", operator.name, types::format_type(operator.right))
        }),
        Type::REGNAMESPACE => schema_name(oid, context),
        Type::REGCOLLATION => COLLATIONS.iter().find(|(o, _)| *o == oid).map(|(_, name)| quote_identifier(name)),
        Type::REGROLE => context.and_then(|context| match context.host.catalog().entries.get(&oid).map(|e| &**e) {
            Some(Entry::Role(role)) => Some(quote_identifier(&role.name)),
            _ => None,
        }),
        _ => None,
    };
    match name {
        Some(name) => out.push_str(&name),
        None => integer_out(i64::from(oid), out),
    }
}

fn schema_name(oid: Oid, context: Option<&EvalContext>) -> Option<String> {
    match oid {
        PG_CATALOG => return Some("pg_catalog".to_string()),
        INFORMATION_SCHEMA => return Some("information_schema".to_string()),
        _ => {}
    }
    match context?.host.catalog().entries.get(&oid).map(|entry| &**entry) {
        Some(Entry::Schema(schema)) => Some(quote_identifier(&schema.name)),
        _ => None,
    }
}

/// A relation's name, qualified unless the search path finds it.
pub(crate) fn relation_name(oid: Oid, context: &EvalContext) -> Option<String> {
    if let Some(name) = system_relation_name(oid) {
        return Some(name.strip_prefix("pg_catalog.").unwrap_or(name).to_string());
    }
    let catalog = context.host.catalog();
    let (schema, name) = match &**catalog.entries.get(&oid)? {
        Entry::Table(table) => (table.schema, &table.name),
        Entry::View(view) => (view.schema, &view.name),
        Entry::Index(index) => (index.schema, &index.name),
        Entry::Sequence(sequence) => (sequence.schema, &sequence.name),
        _ => return None,
    };
    let first = context
        .host
        .search_path()
        .into_iter()
        .find_map(|schema| catalog.relations.get(&(schema, name.clone())).copied());
    let quoted = quote_identifier(name);
    if first == Some(oid) {
        return Some(quoted);
    }
    Some(format!("{}.{quoted}", schema_name(schema, Some(context))?))
}

/// A function in SQL by its name, with the types of its arguments or alone.
fn routine_in(text: &str, with_types: bool, context: &EvalContext) -> Option<Oid> {
    let (name, list) = match (with_types, text.split_once('(')) {
        (true, Some((name, list))) => (name.trim(), Some(list.trim_end().strip_suffix(')')?)),
        (false, None) => (text.trim(), None),
        _ => return None,
    };
    let catalog = context.host.catalog();
    let parts = split_name(name).ok()?;
    let (schemas, name) = match parts.as_slice() {
        [name] => (context.host.search_path(), name),
        [schema, name] => (schema_oid(&catalog, context, schema).into_iter().collect(), name),
        _ => return None,
    };
    let wanted: Option<Vec<Oid>> = match list {
        None => None,
        Some(list) if list.trim().is_empty() => Some(Vec::new()),
        Some(list) => Some(list.split(',').map(|t| regtype_in(t.trim(), context).ok()).collect::<Option<_>>()?),
    };
    let found = schemas.iter().flat_map(|schema| catalog.routines_named(*schema, name));
    let fits = |entry: &&std::sync::Arc<Entry>| match &***entry {
        Entry::Routine(r) => wanted.as_ref().is_none_or(|w| r.inputs().map(|a| a.typ.oid).eq(w.iter().copied())),
        _ => false,
    };
    found.filter(fits).map(|entry| entry.oid()).next()
}

/// The name of a function in SQL, with its argument types for `regprocedure`.
fn routine_name(oid: Oid, typ: Type, context: Option<&EvalContext>) -> Option<String> {
    let context = context?;
    let catalog = context.host.catalog();
    let Entry::Routine(routine) = &**catalog.get(oid)? else { return None };
    let mut shown = quote_identifier(&routine.name);
    if !context.host.search_path().contains(&routine.schema) {
        shown = format!("{}.{shown}", schema_name(routine.schema, Some(context))?);
    }
    if typ.oid == Type::REGPROCEDURE.oid {
        let types: Vec<String> = routine.inputs().map(|a| types::format_type(a.typ)).collect();
        shown = format!("{shown}({})", types.join(","));
    }
    Some(shown)
}

fn type_name(oid: Oid, context: Option<&EvalContext>) -> Option<String> {
    match context {
        Some(context) => Some(user_types::format(context, oid, None)).filter(|name| name != "???"),
        None => types::by_oid(oid).map(|_| types::format_oid(oid, None)),
    }
}
