//! Changing JSON: jsonb_set, jsonb_insert, strip_nulls, pretty.

use super::encode::optional_str;
use crate::document::jsonb::ops;
use crate::document::{Datum, Type, json};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, scalar};

const B: Type = Type::JSONB;
const P: Type = Type::TEXT_ARRAY;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3305, "jsonb_set", &[B, P, B, Type::BOOL], B, jsonb_set).defaults(1),
    scalar(5054, "jsonb_set_lax", &[B, P, B, Type::BOOL, Type::TEXT], B, jsonb_set_lax).defaults(2).loose(),
    scalar(3579, "jsonb_insert", &[B, P, B, Type::BOOL], B, jsonb_insert).defaults(1),
    scalar(3304, "jsonb_delete_path", &[B, P], B, jsonb_delete_path),
    scalar(3343, "jsonb_delete", &[B, P], B, jsonb_delete_keys).variadic(),
    scalar(3261, "json_strip_nulls", &[Type::JSON, Type::BOOL], Type::JSON, json_strip_nulls).defaults(1),
    scalar(3262, "jsonb_strip_nulls", &[B, Type::BOOL], B, jsonb_strip_nulls).defaults(1),
    scalar(3306, "jsonb_pretty", &[B], Type::TEXT, jsonb_pretty),
];

/// The steps of the path argument; a NULL one is an error when it is reached.
fn path(args: &[Datum]) -> Result<Vec<Option<&str>>> {
    let path = args.array(1)?;
    if path.dims.len() > 1 {
        return Err(err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    Ok(path.values.iter().map(optional_str).collect())
}

/// An optional boolean argument.
fn flag(args: &[Datum], index: usize, default: bool) -> Result<bool> {
    if args.len() > index { args.bool(index) } else { Ok(default) }
}

fn jsonb_set(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (document, value) = (args.jsonb(0)?.as_ref(), args.jsonb(2)?.as_ref());
    ops::set(document, &path(args)?, value, flag(args, 3, true)?).map(Datum::Jsonb)
}

fn jsonb_insert(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (document, value) = (args.jsonb(0)?.as_ref(), args.jsonb(2)?.as_ref());
    ops::insert(document, &path(args)?, value, flag(args, 3, false)?).map(Datum::Jsonb)
}

fn jsonb_delete_path(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    ops::delete_path(args.jsonb(0)?.as_ref(), &path(args)?).map(Datum::Jsonb)
}

fn jsonb_delete_keys(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let keys: Vec<&str> = path(args)?.into_iter().flatten().collect();
    ops::delete_keys(args.jsonb(0)?.as_ref(), &keys).map(Datum::Jsonb)
}

fn jsonb_set_lax(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() || args.at(1).is_null() || args.len() > 3 && args.at(3).is_null() {
        return Ok(Datum::Null);
    }
    let treatment = match args.get(4) {
        None => Some("use_json_null"),
        Some(treatment) => optional_str(treatment),
    };
    let value = if args.at(2).is_null() { None } else { Some(args.jsonb(2)?.as_ref()) };
    ops::set_lax(args.jsonb(0)?.as_ref(), &path(args)?, value, flag(args, 3, true)?, treatment).map(Datum::Jsonb)
}

fn json_strip_nulls(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    json::strip_nulls(args.json(0)?, flag(args, 1, false)?).map(|text| Datum::Json(text.into()))
}

fn jsonb_strip_nulls(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    ops::strip_nulls(args.jsonb(0)?.as_ref(), flag(args, 1, false)?).map(Datum::Jsonb)
}

fn jsonb_pretty(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(ops::pretty(args.jsonb(0)?.as_ref())))
}
