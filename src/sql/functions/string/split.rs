//! Between text and its parts: split_part, string_to_array, string_to_table, array_to_string.

use super::super::output::output;
use crate::document::{Datum, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, Rows, check_length, scalar, set, text_array};

const T: Type = Type::TEXT;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(2088, "split_part", &[T, T, Type::INT4], T, split_part),
    scalar(394, "string_to_array", &[T, T], Type::TEXT_ARRAY, string_to_array).loose(),
    scalar(376, "string_to_array", &[T, T, T], Type::TEXT_ARRAY, string_to_array).loose(),
    set(6160, "string_to_table", &[T, T], T, string_to_table).loose(),
    set(6161, "string_to_table", &[T, T, T], T, string_to_table).loose(),
    scalar(395, "array_to_string", &[Type::ANYARRAY, T], T, array_to_string).stable(),
    scalar(384, "array_to_string", &[Type::ANYARRAY, T, T], T, array_to_string).loose().stable(),
];

fn split_part(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, separator, n) = (args.text(0)?, args.text(1)?, args.int4(2)?);
    if n == 0 {
        return Err(err!(INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let index = n.unsigned_abs() as usize - 1;
    let part = if text.is_empty() {
        None
    } else if separator.is_empty() {
        (index == 0).then_some(text)
    } else if n > 0 {
        text.split(separator).nth(index)
    } else {
        // From the end, but of the parts as they are found from the start: 'aaa' split by 'aa' is '', 'a'.
        let parts: Vec<&str> = text.split(separator).collect();
        parts.len().checked_sub(index + 1).map(|at| parts[at])
    };
    Ok(Datum::text(part.unwrap_or_default()))
}

/// The parts, those equal to the third argument as NULL; `None` for a NULL text.
fn parts(args: &[Datum]) -> Result<Option<Vec<Datum>>> {
    if args.at(0).is_null() {
        return Ok(None);
    }
    let text = args.text(0)?;
    let null = if args.at(2).is_null() { None } else { Some(args.text(2)?) };
    let datum = |part: &str| if Some(part) == null { Datum::Null } else { Datum::text(part) };
    if text.is_empty() {
        return Ok(Some(Vec::new()));
    }
    if args.at(1).is_null() {
        return Ok(Some(text.chars().map(|c| datum(c.encode_utf8(&mut [0; 4]))).collect()));
    }
    let separator = args.text(1)?;
    if separator.is_empty() {
        return Ok(Some(vec![datum(text)]));
    }
    Ok(Some(text.split(separator).map(datum).collect()))
}

fn string_to_array(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(parts(args)?.map_or(Datum::Null, text_array))
}

fn string_to_table(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    Ok(Box::new(parts(args)?.unwrap_or_default().into_iter().map(Ok)))
}

fn array_to_string(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() || args.at(1).is_null() {
        return Ok(Datum::Null);
    }
    let (array, separator) = (args.array(0)?, args.text(1)?);
    let null = if args.at(2).is_null() { None } else { Some(args.text(2)?) };
    let mut text = String::new();
    let mut first = true;
    for value in &array.values {
        let part = match (value, null) {
            (Datum::Null, None) => continue,
            (Datum::Null, Some(null)) => null.to_owned(),
            (value, _) => output(context, value, Type::new(array.element))?,
        };
        check_length(context, text.len() + separator.len() + part.len())?;
        if !std::mem::take(&mut first) {
            text.push_str(separator);
        }
        text.push_str(&part);
    }
    Ok(Datum::text(text))
}
