//! Casts of `jsonb` scalars to boolean and numbers; null becomes NULL.

use super::number::numeric_to_integer;
use crate::document::jsonb::Kind;
use crate::document::{Datum, JsonbRef, Numeric};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::io::number::{float4_in, float8_in};

fn mismatch(value: JsonbRef<'_>, target: &str) -> Error {
    let kind = match value.kind() {
        Kind::Null => "null",
        Kind::Bool => "boolean",
        Kind::Number => "numeric",
        Kind::String => "string",
        Kind::Array => "array",
        Kind::Object => "object",
    };
    err!(INVALID_PARAMETER_VALUE, "cannot cast jsonb {kind} to type {target}")
}

fn scalar<T>(
    args: &[Datum],
    target: &str,
    get: impl Fn(JsonbRef<'_>) -> Option<T>,
    make: impl Fn(T) -> Result<Datum>,
) -> Result<Datum> {
    let Some(Datum::Jsonb(document)) = args.first() else {
        return Err(Error::internal("jsonb cast called with another type"));
    };
    let value = document.as_ref();
    if value.is_null() {
        return Ok(Datum::Null);
    }
    make(get(value).ok_or_else(|| mismatch(value, target))?)
}

pub(crate) fn jsonb_bool(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    scalar(args, "boolean", |value| value.as_bool(), |value| Ok(Datum::Bool(value)))
}

pub(crate) fn jsonb_numeric(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    scalar(args, "numeric", |value| value.as_numeric(), |value| Ok(Datum::Numeric(value)))
}

pub(crate) fn jsonb_int2(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let make = |value: Numeric| numeric_to_integer(&value, "smallint").map(Datum::Int2);
    scalar(args, "smallint", |value| value.as_numeric(), make)
}

pub(crate) fn jsonb_int4(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let make = |value: Numeric| numeric_to_integer(&value, "integer").map(Datum::Int4);
    scalar(args, "integer", |value| value.as_numeric(), make)
}

pub(crate) fn jsonb_int8(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let make = |value: Numeric| numeric_to_integer(&value, "bigint").map(Datum::Int8);
    scalar(args, "bigint", |value| value.as_numeric(), make)
}

pub(crate) fn jsonb_float4(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let make = |value: Numeric| float4_in(&value.to_string()).map(Datum::Float4);
    scalar(args, "real", |value| value.as_numeric(), make)
}

pub(crate) fn jsonb_float8(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let make = |value: Numeric| float8_in(&value.to_string()).map(Datum::Float8);
    scalar(args, "double precision", |value| value.as_numeric(), make)
}
