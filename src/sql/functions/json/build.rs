//! Makers: to_json, json_build_object, row_to_json, json_object and their jsonb twins.

use super::encode::{
    key_of, optional_str, push_jsonb, to_document, write_array, write_json, write_record, write_string,
};
use crate::document::{Datum, JsonbBuilder, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, natural_type, scalar};
use crate::sql::functions::output::spread;

const ANY: &[Type] = &[Type::ANY];
const TEXTS: Type = Type::TEXT_ARRAY;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3176, "to_json", &[Type::ANYELEMENT], Type::JSON, to_json).stable(),
    scalar(3787, "to_jsonb", &[Type::ANYELEMENT], Type::JSONB, to_jsonb).stable(),
    scalar(3200, "json_build_object", ANY, Type::JSON, json_build_object).variadic().loose().stable(),
    scalar(3201, "json_build_object", &[], Type::JSON, json_build_object).loose().stable(),
    scalar(3198, "json_build_array", ANY, Type::JSON, json_build_array).variadic().loose().stable(),
    scalar(3199, "json_build_array", &[], Type::JSON, json_build_array).loose().stable(),
    scalar(3273, "jsonb_build_object", ANY, Type::JSONB, jsonb_build_object).variadic().loose().stable(),
    scalar(3274, "jsonb_build_object", &[], Type::JSONB, jsonb_build_object).loose().stable(),
    scalar(3271, "jsonb_build_array", ANY, Type::JSONB, jsonb_build_array).variadic().loose().stable(),
    scalar(3272, "jsonb_build_array", &[], Type::JSONB, jsonb_build_array).loose().stable(),
    scalar(3155, "row_to_json", &[Type::RECORD], Type::JSON, row_to_json).stable(),
    scalar(3156, "row_to_json", &[Type::RECORD, Type::BOOL], Type::JSON, row_to_json).stable(),
    scalar(3153, "array_to_json", &[Type::ANYARRAY], Type::JSON, array_to_json).stable(),
    scalar(3154, "array_to_json", &[Type::ANYARRAY, Type::BOOL], Type::JSON, array_to_json).stable(),
    scalar(3202, "json_object", &[TEXTS], Type::JSON, json_object),
    scalar(3203, "json_object", &[TEXTS, TEXTS], Type::JSON, json_object),
    scalar(3263, "jsonb_object", &[TEXTS], Type::JSONB, jsonb_object),
    scalar(3264, "jsonb_object", &[TEXTS, TEXTS], Type::JSONB, jsonb_object),
];

/// The same with VARIADIC array: see [`spread`](crate::sql::functions::spread).
#[rustfmt::skip]
pub(crate) static SPREAD: &[Function] = &[
    scalar(10_003_200, "json_build_object", &[Type::ANYARRAY], Type::JSON, |c, a| spread(c, a, true, json_build_object)).loose().stable(),
    scalar(10_003_198, "json_build_array", &[Type::ANYARRAY], Type::JSON, |c, a| spread(c, a, true, json_build_array)).loose().stable(),
    scalar(10_003_273, "jsonb_build_object", &[Type::ANYARRAY], Type::JSONB, |c, a| spread(c, a, true, jsonb_build_object)).loose().stable(),
    scalar(10_003_271, "jsonb_build_array", &[Type::ANYARRAY], Type::JSONB, |c, a| spread(c, a, true, jsonb_build_array)).loose().stable(),
];

fn json(text: String) -> Datum {
    Datum::Json(text.into())
}

pub(super) fn to_json(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut text = String::new();
    write_json(context, args.at(0), natural_type(args.at(0)), &mut text)?;
    Ok(json(text))
}

fn to_jsonb(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    to_document(context, args.at(0), natural_type(args.at(0))).map(Datum::Jsonb)
}

fn check_pairs(args: &[Datum], name: &str) -> Result<()> {
    if args.len().is_multiple_of(2) {
        return Ok(());
    }
    Err(err!(INVALID_PARAMETER_VALUE, "argument list must have even number of elements")
        .hint(format!("The arguments of {name}() must consist of alternating keys and values.")))
}

fn null_key() -> Error {
    err!(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")
}

fn json_build_object(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    check_pairs(args, "json_build_object")?;
    let mut text = String::from("{");
    for (index, pair) in args.chunks(2).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        if pair[0].is_null() {
            return Err(null_key());
        }
        write_string(&key_of(context, &pair[0], natural_type(&pair[0]))?, &mut text);
        text.push_str(" : ");
        write_json(context, &pair[1], natural_type(&pair[1]), &mut text)?;
    }
    text.push('}');
    Ok(json(text))
}

fn json_build_array(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut text = String::from("[");
    for (index, value) in args.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        write_json(context, value, natural_type(value), &mut text)?;
    }
    text.push(']');
    Ok(json(text))
}

fn jsonb_build_object(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    check_pairs(args, "jsonb_build_object")?;
    let mut builder = JsonbBuilder::new();
    builder.begin_object();
    for (index, pair) in args.chunks(2).enumerate() {
        if pair[0].is_null() {
            return Err(err!(INVALID_PARAMETER_VALUE, "argument {}: key must not be null", 2 * index + 1));
        }
        builder.push_key(&key_of(context, &pair[0], natural_type(&pair[0]))?);
        push_jsonb(context, &pair[1], natural_type(&pair[1]), &mut builder)?;
    }
    builder.end_object();
    builder.finish().map(Datum::Jsonb)
}

fn jsonb_build_array(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut builder = JsonbBuilder::new();
    builder.begin_array();
    for value in args {
        push_jsonb(context, value, natural_type(value), &mut builder)?;
    }
    builder.end_array();
    builder.finish().map(Datum::Jsonb)
}

fn row_to_json(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut text = String::new();
    write_record(context, args.record(0)?, args.len() > 1 && args.bool(1)?, &mut text)?;
    Ok(json(text))
}

fn array_to_json(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut text = String::new();
    write_array(context, args.array(0)?, args.len() > 1 && args.bool(1)?, &mut text)?;
    Ok(json(text))
}

/// Keys and values from one array of alternating or paired items, or from two arrays.
fn pairs(args: &[Datum]) -> Result<Vec<(&str, Option<&str>)>> {
    let error = |message: &str| err!(ARRAY_SUBSCRIPT_ERROR, "{message}");
    let first = args.array(0)?;
    let (keys, values): (Vec<&Datum>, Vec<&Datum>) = if args.len() > 1 {
        let second = args.array(1)?;
        if first.dims.len() > 1 || first.dims.len() != second.dims.len() {
            return Err(error("wrong number of array subscripts"));
        }
        if first.values.len() != second.values.len() {
            return Err(error("mismatched array dimensions"));
        }
        (first.values.iter().collect(), second.values.iter().collect())
    } else {
        match first.dims.as_slice() {
            [] => {}
            [(length, _)] if length % 2 != 0 => return Err(error("array must have even number of elements")),
            [_] => {}
            [_, (2, _)] => {}
            [_, _] => return Err(error("array must have two columns")),
            _ => return Err(error("wrong number of array subscripts")),
        }
        (first.values.iter().step_by(2).collect(), first.values.iter().skip(1).step_by(2).collect())
    };
    keys.into_iter()
        .zip(values)
        .map(|(key, value)| Ok((optional_str(key).ok_or_else(null_key)?, optional_str(value))))
        .collect()
}

fn json_object(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut text = String::from("{");
    for (index, (key, value)) in pairs(args)?.into_iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        write_string(key, &mut text);
        text.push_str(" : ");
        match value {
            None => text.push_str("null"),
            Some(value) => write_string(value, &mut text),
        }
    }
    text.push('}');
    Ok(json(text))
}

fn jsonb_object(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut builder = JsonbBuilder::new();
    builder.begin_object();
    for (key, value) in pairs(args)? {
        builder.push_key(key);
        match value {
            None => builder.push_null(),
            Some(value) => builder.push_str(value),
        }
    }
    builder.end_object();
    builder.finish().map(Datum::Jsonb)
}
