//! `jsonb_path_*` and the functions behind `@?` and `@@`.

use crate::document::{Datum, Jsonb, JsonbBuilder, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, Rows, scalar, set};
use crate::sql::jsonpath::Path;
use crate::sql::jsonpath::run::{Found, is_hidden, run};

const B: Type = Type::JSONB;
const P: Type = Type::JSONPATH;
const BOOL: Type = Type::BOOL;
const ALL: &[Type] = &[B, P, B, BOOL];

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(4005, "jsonb_path_exists", ALL, BOOL, |c, a| exists(c, a, false)).defaults(2),
    set(4006, "jsonb_path_query", ALL, B, |c, a| query(c, a, false)).defaults(2),
    scalar(4007, "jsonb_path_query_array", ALL, B, |c, a| query_array(c, a, false)).defaults(2),
    scalar(4008, "jsonb_path_query_first", ALL, B, |c, a| query_first(c, a, false)).defaults(2),
    scalar(4009, "jsonb_path_match", ALL, BOOL, |c, a| matches(c, a, false)).defaults(2),
    scalar(1177, "jsonb_path_exists_tz", ALL, BOOL, |c, a| exists(c, a, true)).defaults(2).stable(),
    set(1179, "jsonb_path_query_tz", ALL, B, |c, a| query(c, a, true)).defaults(2).stable(),
    scalar(1180, "jsonb_path_query_array_tz", ALL, B, |c, a| query_array(c, a, true)).defaults(2).stable(),
    scalar(2023, "jsonb_path_query_first_tz", ALL, B, |c, a| query_first(c, a, true)).defaults(2).stable(),
    scalar(2030, "jsonb_path_match_tz", ALL, BOOL, |c, a| matches(c, a, true)).defaults(2).stable(),
];

/// Runs the path of the arguments; without `silent`, what stopped it is the function's error.
fn found<'a>(context: &EvalContext, args: &'a [Datum], first: bool, silent: bool, zoned: bool) -> Result<Found<'a>> {
    let path = Path::of(args.text(1)?)?;
    let variables = match args.at(2) {
        Datum::Jsonb(variables) => Some(variables.as_ref()),
        _ => None,
    };
    let found = run(context, &path, args.jsonb(0)?.as_ref(), variables, first, zoned)?;
    match found.error {
        Some(error) if !silent || !is_hidden(&error) => Err(error),
        error => Ok(Found { error, ..found }),
    }
}

fn is_silent(args: &[Datum]) -> bool {
    matches!(args.at(3), Datum::Bool(true))
}

fn exists(context: &EvalContext, args: &[Datum], zoned: bool) -> Result<Datum> {
    let found = found(context, args, true, is_silent(args), zoned)?;
    Ok(if found.error.is_some() { Datum::Null } else { Datum::Bool(!found.items.is_empty()) })
}

pub(crate) fn exists_operator(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let found = found(context, args, true, true, false)?;
    Ok(if found.error.is_some() { Datum::Null } else { Datum::Bool(!found.items.is_empty()) })
}

fn matched(context: &EvalContext, found: &Found<'_>, silent: bool) -> Result<Datum> {
    if let [item] = found.items.as_slice() {
        let value = item.to_jsonb(context);
        if value.as_ref().is_null() {
            return Ok(Datum::Null);
        }
        if let Some(value) = value.as_ref().as_bool() {
            return Ok(Datum::Bool(value));
        }
    }
    if silent || found.error.is_some() {
        return Ok(Datum::Null);
    }
    Err(err!(SINGLETON_SQL_JSON_ITEM_REQUIRED, "single boolean result is expected"))
}

fn matches(context: &EvalContext, args: &[Datum], zoned: bool) -> Result<Datum> {
    let silent = is_silent(args);
    matched(context, &found(context, args, false, silent, zoned)?, silent)
}

pub(crate) fn matches_operator(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    matched(context, &found(context, args, false, true, false)?, true)
}

fn query(context: &EvalContext, args: &[Datum], zoned: bool) -> Result<Rows> {
    let found = found(context, args, false, is_silent(args), zoned)?;
    let items: Vec<Datum> = found.items.iter().map(|item| Datum::Jsonb(item.to_jsonb(context))).collect();
    Ok(Box::new(items.into_iter().map(Ok)))
}

fn query_array(context: &EvalContext, args: &[Datum], zoned: bool) -> Result<Datum> {
    let found = found(context, args, false, is_silent(args), zoned)?;
    Ok(Datum::Jsonb(array_of(found.items.iter().map(|item| item.to_jsonb(context)))?))
}

/// An array of documents.
pub(crate) fn array_of(items: impl Iterator<Item = Jsonb>) -> Result<Jsonb> {
    let mut builder = JsonbBuilder::new();
    builder.begin_array();
    items.for_each(|item| builder.push_value(item.as_ref()));
    builder.end_array();
    builder.finish()
}

fn query_first(context: &EvalContext, args: &[Datum], zoned: bool) -> Result<Datum> {
    let found = found(context, args, true, is_silent(args), zoned)?;
    Ok(found.items.first().map_or(Datum::Null, |item| Datum::Jsonb(item.to_jsonb(context))))
}
