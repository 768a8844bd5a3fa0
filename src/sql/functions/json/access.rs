//! Parts of JSON: type, length, members, elements, paths.

use std::sync::{Arc, LazyLock};

use super::encode::{optional_str, text_of};
use crate::document::json::{self, Entries};
use crate::document::jsonb::Kind;
use crate::document::{Datum, Jsonb, JsonbRef, Oid, Record, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, Rows, scalar, set};

const J: Type = Type::JSON;
const B: Type = Type::JSONB;
const T: Type = Type::TEXT;
const P: Type = Type::TEXT_ARRAY;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3968, "json_typeof", &[J], T, |_, args| Ok(Datum::text(json::kind(args.json(0)?).name()))),
    scalar(3210, "jsonb_typeof", &[B], T, |_, args| Ok(Datum::text(args.jsonb(0)?.as_ref().kind().name()))),
    scalar(3956, "json_array_length", &[J], Type::INT4, json_array_length),
    scalar(3207, "jsonb_array_length", &[B], Type::INT4, jsonb_array_length),
    scalar(3951, "json_extract_path", &[J, P], J, json_extract_path).variadic(),
    scalar(3953, "json_extract_path_text", &[J, P], T, json_extract_path_text).variadic(),
    scalar(3217, "jsonb_extract_path", &[B, P], B, jsonb_extract_path).variadic(),
    scalar(3940, "jsonb_extract_path_text", &[B, P], T, jsonb_extract_path_text).variadic(),
    set(3958, "json_each", &[J], Type::RECORD, json_each).columns(&[("key", T), ("value", J)]),
    set(3959, "json_each_text", &[J], Type::RECORD, json_each_text).columns(&[("key", T), ("value", T)]),
    set(3208, "jsonb_each", &[B], Type::RECORD, jsonb_each).columns(&[("key", T), ("value", B)]),
    set(3932, "jsonb_each_text", &[B], Type::RECORD, jsonb_each_text).columns(&[("key", T), ("value", T)]),
    set(3955, "json_array_elements", &[J], J, json_array_elements).columns(&[("value", J)]),
    set(3969, "json_array_elements_text", &[J], T, json_array_elements_text).columns(&[("value", T)]),
    set(3219, "jsonb_array_elements", &[B], B, jsonb_array_elements).columns(&[("value", B)]),
    set(3465, "jsonb_array_elements_text", &[B], T, jsonb_array_elements_text).columns(&[("value", T)]),
    set(3957, "json_object_keys", &[J], T, json_object_keys),
    set(3931, "jsonb_object_keys", &[B], T, jsonb_object_keys),
];

fn refuse(message: impl std::fmt::Display) -> Error {
    err!(INVALID_PARAMETER_VALUE, "{message}")
}

fn json_datum(text: &str) -> Datum {
    Datum::Json(text.into())
}

fn optional_text(text: Option<std::borrow::Cow<'_, str>>) -> Datum {
    text.map_or(Datum::Null, Datum::text)
}

fn json_array_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let text = args.json(0)?;
    match json::kind(text) {
        Kind::Array => Ok(Datum::Int4(json::array_length(text).unwrap_or_default() as i32)),
        Kind::Object => Err(refuse("cannot get array length of a non-array")),
        _ => Err(refuse("cannot get array length of a scalar")),
    }
}

fn jsonb_array_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let document = args.jsonb(0)?.as_ref();
    if document.is_scalar() {
        return Err(refuse("cannot get array length of a scalar"));
    }
    if !document.is_array() {
        return Err(refuse("cannot get array length of a non-array"));
    }
    Ok(Datum::Int4(document.len() as i32))
}

/// The steps of a path; `None` when one is NULL, which finds nothing.
fn path(args: &[Datum]) -> Result<Option<Vec<&str>>> {
    Ok(args.array(1)?.values.iter().map(optional_str).collect())
}

fn json_at_path(args: &[Datum]) -> Result<Option<&str>> {
    match path(args)? {
        Some(path) => json::get_path(args.json(0)?, &path),
        None => Ok(None),
    }
}

fn json_extract_path(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(json_at_path(args)?.map_or(Datum::Null, json_datum))
}

fn json_extract_path_text(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(optional_text(json_at_path(args)?.and_then(json::as_text)))
}

fn jsonb_at_path(args: &[Datum]) -> Result<Option<JsonbRef<'_>>> {
    let Some(path) = path(args)? else { return Ok(None) };
    Ok(crate::document::jsonb::ops::get_path(args.jsonb(0)?.as_ref(), &path))
}

fn jsonb_extract_path(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(jsonb_at_path(args)?.map_or(Datum::Null, |value| Datum::Jsonb(value.to_owned())))
}

fn jsonb_extract_path_text(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(jsonb_at_path(args)?.map_or(Datum::Null, text_of))
}

type Fields = Arc<[(Box<str>, Oid)]>;

fn fields(value: Type) -> Fields {
    Arc::new([("key".into(), T.oid), ("value".into(), value.oid)])
}

static TEXT_FIELDS: LazyLock<Fields> = LazyLock::new(|| fields(T));
static JSON_FIELDS: LazyLock<Fields> = LazyLock::new(|| fields(J));
static JSONB_FIELDS: LazyLock<Fields> = LazyLock::new(|| fields(B));

fn pair(fields: &Fields, key: &str, value: Datum) -> Datum {
    Datum::Record(Box::new(Record { fields: fields.clone(), values: vec![Datum::text(key), value] }))
}

fn json_members(args: &[Datum]) -> Result<Entries<'_>> {
    let text = args.json(0)?;
    let entries = json::entries(text)?;
    match json::kind(text) {
        Kind::Object => Ok(entries),
        Kind::Array => Err(refuse("cannot deconstruct an array as an object")),
        _ => Err(refuse("cannot deconstruct a scalar")),
    }
}

fn rows(values: Vec<Datum>) -> Result<Rows> {
    Ok(Box::new(values.into_iter().map(Ok)))
}

fn json_each(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    rows(json_members(args)?.map(|(key, value)| pair(&JSON_FIELDS, &key, json_datum(value))).collect())
}

fn json_each_text(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let members = json_members(args)?;
    rows(members.map(|(key, value)| pair(&TEXT_FIELDS, &key, optional_text(json::as_text(value)))).collect())
}

fn jsonb_members(document: &Jsonb, make: impl Fn(&str, JsonbRef<'_>) -> Datum + Send + 'static) -> Result<Rows> {
    let members: Vec<Datum> = document.as_ref().iter_object().map(|(key, value)| make(key, value)).collect();
    rows(members)
}

fn object_argument<'a>(args: &'a [Datum], name: &str) -> Result<&'a Jsonb> {
    let document = args.jsonb(0)?;
    if document.as_ref().is_object() {
        return Ok(document);
    }
    Err(refuse(format!("cannot call {name} on a non-object")))
}

fn jsonb_each(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    jsonb_members(object_argument(args, "jsonb_each")?, |key, value| {
        pair(&JSONB_FIELDS, key, Datum::Jsonb(value.to_owned()))
    })
}

fn jsonb_each_text(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    jsonb_members(object_argument(args, "jsonb_each_text")?, |key, value| pair(&TEXT_FIELDS, key, text_of(value)))
}

fn json_items<'a>(args: &'a [Datum], name: &str) -> Result<json::Elements<'a>> {
    let text = args.json(0)?;
    let elements = json::elements(text)?;
    match json::kind(text) {
        Kind::Array => Ok(elements),
        Kind::Object => Err(refuse(format!("cannot call {name} on a non-array"))),
        _ => Err(refuse(format!("cannot call {name} on a scalar"))),
    }
}

fn json_array_elements(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    rows(json_items(args, "json_array_elements")?.map(json_datum).collect())
}

fn json_array_elements_text(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let items = json_items(args, "json_array_elements_text")?;
    rows(items.map(|item| optional_text(json::as_text(item))).collect())
}

fn array_argument(args: &[Datum]) -> Result<JsonbRef<'_>> {
    let document = args.jsonb(0)?.as_ref();
    if document.is_array() {
        return Ok(document);
    }
    Err(refuse(if document.is_object() {
        "cannot extract elements from an object"
    } else {
        "cannot extract elements from a scalar"
    }))
}

fn jsonb_array_elements(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    rows(array_argument(args)?.iter_array().map(|value| Datum::Jsonb(value.to_owned())).collect())
}

fn jsonb_array_elements_text(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    rows(array_argument(args)?.iter_array().map(text_of).collect())
}

fn json_object_keys(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let text = args.json(0)?;
    let entries = json::entries(text)?;
    match json::kind(text) {
        Kind::Object => rows(entries.map(|(key, _)| Datum::text(key)).collect()),
        Kind::Array => Err(refuse("cannot call json_object_keys on an array")),
        _ => Err(refuse("cannot call json_object_keys on a scalar")),
    }
}

fn jsonb_object_keys(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let document = args.jsonb(0)?;
    if document.as_ref().is_object() {
        return jsonb_members(document, |key, _| Datum::text(key));
    }
    let what = if document.as_ref().is_array() { "an array" } else { "a scalar" };
    Err(refuse(format!("cannot call jsonb_object_keys on {what}")))
}
