//! The operators of `jsonb` and `json`.

use crate::document::json as text_json;
use crate::document::jsonb::ops;
use crate::document::{Array, Datum, JsonbRef};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

fn unexpected(args: &[Datum]) -> Error {
    Error::internal(format!("json kernel called with {args:?}"))
}

/// `document -> key`.
#[inline]
pub(crate) fn object_field<'a>(document: JsonbRef<'a>, key: &str) -> Option<JsonbRef<'a>> {
    if document.is_object() { document.get(key) } else { None }
}

/// `document -> position`.
#[inline]
pub(crate) fn array_element(document: JsonbRef<'_>, index: i64) -> Option<JsonbRef<'_>> {
    if document.is_object() { None } else { ops::element(document, index) }
}

/// A value as `->>` gives it.
pub(crate) fn as_text(value: JsonbRef<'_>) -> Datum {
    value.to_text().map_or(Datum::Null, Datum::text)
}

fn document(value: Option<JsonbRef<'_>>) -> Datum {
    value.map_or(Datum::Null, |value| Datum::Jsonb(value.to_owned()))
}

/// The steps of a path; `None` if one of them is NULL.
fn path(array: &Array) -> Option<Vec<&str>> {
    array.values.iter().map(|step| if let Datum::Text(step) = step { Some(&**step) } else { None }).collect()
}

/// The texts in an array, NULLs left out.
fn keys(array: &Array) -> Vec<&str> {
    array.values.iter().filter_map(|key| if let Datum::Text(key) = key { Some(&**key) } else { None }).collect()
}

macro_rules! kernels {
    ($($name:ident: $x:pat, $y:pat => $e:expr;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [$x, $y] => Ok($e),
                _ => Err(unexpected(args)),
            }
        }
    )*};
}

kernels! {
    jsonb_object_field: Datum::Jsonb(d), Datum::Text(key) => document(object_field(d.as_ref(), key));
    jsonb_object_field_text: Datum::Jsonb(d), Datum::Text(key) =>
        object_field(d.as_ref(), key).map_or(Datum::Null, as_text);
    jsonb_array_element: Datum::Jsonb(d), Datum::Int4(i) => document(array_element(d.as_ref(), i64::from(*i)));
    jsonb_array_element_text: Datum::Jsonb(d), Datum::Int4(i) =>
        array_element(d.as_ref(), i64::from(*i)).map_or(Datum::Null, as_text);
    jsonb_extract_path: Datum::Jsonb(d), Datum::Array(steps) =>
        document(path(steps).and_then(|path| ops::get_path(d.as_ref(), &path)));
    jsonb_extract_path_text: Datum::Jsonb(d), Datum::Array(steps) =>
        path(steps).and_then(|path| ops::get_path(d.as_ref(), &path)).map_or(Datum::Null, as_text);
    jsonb_contains: Datum::Jsonb(a), Datum::Jsonb(b) => Datum::Bool(a.as_ref().contains(b.as_ref()));
    jsonb_contained: Datum::Jsonb(a), Datum::Jsonb(b) => Datum::Bool(b.as_ref().contains(a.as_ref()));
    jsonb_exists: Datum::Jsonb(d), Datum::Text(key) => Datum::Bool(d.as_ref().exists(key));
    jsonb_exists_any: Datum::Jsonb(d), Datum::Array(array) =>
        Datum::Bool(keys(array).into_iter().any(|key| d.as_ref().exists(key)));
    jsonb_exists_all: Datum::Jsonb(d), Datum::Array(array) =>
        Datum::Bool(keys(array).into_iter().all(|key| d.as_ref().exists(key)));
    jsonb_concat: Datum::Jsonb(a), Datum::Jsonb(b) => Datum::Jsonb(ops::concat(a.as_ref(), b.as_ref())?);
    jsonb_delete: Datum::Jsonb(d), Datum::Text(key) => Datum::Jsonb(ops::delete_key(d.as_ref(), key)?);
    jsonb_delete_idx: Datum::Jsonb(d), Datum::Int4(i) => Datum::Jsonb(ops::delete_index(d.as_ref(), i64::from(*i))?);
    jsonb_delete_array: Datum::Jsonb(d), Datum::Array(array) =>
        Datum::Jsonb(ops::delete_keys(d.as_ref(), &keys(array))?);
    jsonb_delete_path: Datum::Jsonb(d), Datum::Array(steps) => {
        let path: Vec<ops::Step<'_>> =
            steps.values.iter().map(|s| if let Datum::Text(s) = s { Some(&**s) } else { None }).collect();
        Datum::Jsonb(ops::delete_path(d.as_ref(), &path)?)
    };
    json_object_field: Datum::Json(d), Datum::Text(key) => json(text_json::get(d, key)?);
    json_object_field_text: Datum::Json(d), Datum::Text(key) => json_text(text_json::get(d, key)?);
    json_array_element: Datum::Json(d), Datum::Int4(i) => json(text_json::index(d, i64::from(*i))?);
    json_array_element_text: Datum::Json(d), Datum::Int4(i) => json_text(text_json::index(d, i64::from(*i))?);
    json_extract_path: Datum::Json(d), Datum::Array(steps) => match path(steps) {
        Some(path) => json(text_json::get_path(d, &path)?),
        None => Datum::Null,
    };
    json_extract_path_text: Datum::Json(d), Datum::Array(steps) => match path(steps) {
        Some(path) => json_text(text_json::get_path(d, &path)?),
        None => Datum::Null,
    };
}

fn json(text: Option<&str>) -> Datum {
    text.map_or(Datum::Null, |text| Datum::Json(text.into()))
}

fn json_text(text: Option<&str>) -> Datum {
    text.and_then(text_json::as_text).map_or(Datum::Null, |text| Datum::text(text.into_owned()))
}
