//! Values as text, for concat, format, array_to_string and the JSON makers.

use super::define::natural_type;
use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::ScalarFn;

/// The output function's text of a non-null value.
pub(crate) fn output(context: &EvalContext, value: &Datum, typ: Type) -> Result<String> {
    let mut text = String::new();
    match value {
        Datum::Text(value) | Datum::Json(value) => text.push_str(value),
        value => crate::sql::io::output(value, typ, context, &mut text),
    }
    Ok(text)
}

/// As [`output`], of the type the value shows by itself.
pub(crate) fn output_any(context: &EvalContext, value: &Datum) -> Result<String> {
    output(context, value, natural_type(value))
}

/// Calls a VARIADIC "any" kernel with the elements of the last argument, an array, in place of it.
/// A NULL array is NULL when `null_is_null`, else no arguments.
pub(crate) fn spread(context: &EvalContext, args: &[Datum], null_is_null: bool, kernel: ScalarFn) -> Result<Datum> {
    let Some((last, fixed)) = args.split_last() else { return Err(Error::internal("VARIADIC without an array")) };
    let mut all = fixed.to_vec();
    match last {
        Datum::Array(array) => all.extend(array.values.iter().cloned()),
        _ if null_is_null => return Ok(Datum::Null),
        _ => {}
    }
    kernel(context, &all)
}
