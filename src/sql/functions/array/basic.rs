//! Dimensions of arrays, joining and searching them.

use crate::document::{Array, Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::compare::compare_nullable;
use crate::sql::functions::define::{Args, natural_type, scalar};

const A: Type = Type::ANYARRAY;
const C: Type = Type::ANYCOMPATIBLE;
const CA: Type = Type::ANYCOMPATIBLEARRAY;
const I: Type = Type::INT4;
const IA: Type = Type::INT4_ARRAY;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(378, "array_append", &[CA, C], CA, append).loose(),
    scalar(379, "array_prepend", &[C, CA], CA, prepend).loose(),
    scalar(383, "array_cat", &[CA, CA], CA, cat).loose(),
    scalar(748, "array_ndims", &[A], I, ndims),
    scalar(747, "array_dims", &[A], Type::TEXT, dims),
    scalar(2176, "array_length", &[A, I], I, |_, args| Ok(dimension(args)?.map_or(Datum::Null, |(length, _)| Datum::Int4(length)))),
    scalar(2091, "array_lower", &[A, I], I, |_, args| Ok(dimension(args)?.map_or(Datum::Null, |(_, lower)| Datum::Int4(lower)))),
    scalar(2092, "array_upper", &[A, I], I, |_, args| Ok(dimension(args)?.map_or(Datum::Null, |(length, lower)| Datum::Int4(lower + length - 1)))),
    scalar(3179, "cardinality", &[A], I, |_, args| Ok(Datum::Int4(args.array(0)?.values.len() as i32))),
    scalar(3277, "array_position", &[CA, C], I, position).loose(),
    scalar(3278, "array_position", &[CA, C, I], I, position).loose(),
    scalar(3279, "array_positions", &[CA, C], IA, positions).loose(),
    scalar(3167, "array_remove", &[CA, C], CA, remove).loose(),
    scalar(3168, "array_replace", &[CA, C, C], CA, replace).loose(),
    scalar(1193, "array_fill", &[Type::ANYELEMENT, IA], A, fill).loose(),
    scalar(1286, "array_fill", &[Type::ANYELEMENT, IA, IA], A, fill).loose(),
    scalar(6172, "trim_array", &[A, I], A, trim),
];

/// Elements an array may have: what fits the largest value.
const ELEMENTS_MAX: i64 = 134_217_727;

/// Wraps an array.
pub(super) fn datum(array: Array) -> Datum {
    Datum::Array(Box::new(array))
}

fn ndims(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let dims = args.array(0)?.dims.len();
    Ok(if dims == 0 { Datum::Null } else { Datum::Int4(dims as i32) })
}

fn dims(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let dims = &args.array(0)?.dims;
    if dims.is_empty() {
        return Ok(Datum::Null);
    }
    let text: String = dims.iter().map(|(length, lower)| format!("[{lower}:{}]", lower + length - 1)).collect();
    Ok(Datum::text(text))
}

/// Length and lower bound of the dimension that the second argument names.
fn dimension(args: &[Datum]) -> Result<Option<(i32, i32)>> {
    let index = usize::try_from(i64::from(args.int4(1)?) - 1).ok();
    Ok(index.and_then(|index| args.array(0).ok()?.dims.get(index).copied()))
}

/// An array argument, or the empty array for NULL, with the element type taken from the value that goes with it.
fn array_or_empty(args: &[Datum], index: usize, element: &Datum) -> Result<Array> {
    if args.at(index).is_null() {
        let element = if element.is_null() { Type::TEXT } else { natural_type(element) };
        return Ok(Array::new(element.oid, Vec::new()));
    }
    args.array(index).cloned()
}

/// Puts an element at one end of an array of at most one dimension.
fn extend(mut array: Array, value: &Datum, at_start: bool) -> Result<Datum> {
    match array.dims.as_mut_slice() {
        [] => array.dims = vec![(1, 1)],
        [(length, lower)] => {
            // The lower bound stays: at the start, the other elements move up.
            lower.checked_add(*length).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
            *length += 1;
        }
        _ => return Err(err!(DATA_EXCEPTION, "argument must be empty or one-dimensional array")),
    }
    array.values.insert(if at_start { 0 } else { array.values.len() }, value.clone());
    Ok(datum(array))
}

fn append(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    extend(array_or_empty(args, 0, args.at(1))?, args.at(1), false)
}

fn prepend(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    extend(array_or_empty(args, 1, args.at(0))?, args.at(0), true)
}

fn incompatible(detail: &str) -> Error {
    err!(ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays").detail(detail)
}

/// Joins two arrays of the same dimensions, or adds one to an array of one dimension more.
fn cat(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() || args.at(1).is_null() {
        return Ok(args.at(usize::from(args.at(0).is_null())).clone());
    }
    let (left, right) = (args.array(0)?, args.array(1)?);
    if left.dims.is_empty() {
        return Ok(args.at(1).clone());
    }
    if right.dims.is_empty() {
        return Ok(args.at(0).clone());
    }
    let inner = |from: &[(i32, i32)], to: &[(i32, i32)]| from.iter().map(|d| d.0).eq(to.iter().map(|d| d.0));
    let mut dims;
    if left.dims.len() == right.dims.len() {
        if !inner(&left.dims[1..], &right.dims[1..]) {
            let detail = "Arrays with differing element dimensions are not compatible for concatenation.";
            return Err(incompatible(detail));
        }
        dims = left.dims.clone();
        dims[0].0 += right.dims[0].0;
    } else if left.dims.len() + 1 == right.dims.len() || left.dims.len() == right.dims.len() + 1 {
        let (outer, item) = if left.dims.len() > right.dims.len() { (left, right) } else { (right, left) };
        if !inner(&outer.dims[1..], &item.dims) {
            return Err(incompatible("Arrays with differing dimensions are not compatible for concatenation."));
        }
        dims = outer.dims.clone();
        dims[0].0 += 1;
    } else {
        let detail = format!(
            "Arrays of {} and {} dimensions are not compatible for concatenation.",
            left.dims.len(),
            right.dims.len()
        );
        return Err(incompatible(&detail));
    }
    let values = left.values.iter().chain(&right.values).cloned().collect();
    Ok(datum(Array { element: left.element, dims, values }))
}

fn refuse_dimensions(array: &Array, what: &str) -> Result<()> {
    if array.dims.len() > 1 {
        return Err(err!(FEATURE_NOT_SUPPORTED, "{what} multidimensional arrays is not supported"));
    }
    Ok(())
}

/// Whether the element is the one looked for; NULL finds NULL here.
fn same(element: &Datum, wanted: &Datum) -> bool {
    compare_nullable(element, wanted).is_eq()
}

fn position(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    let array = args.array(0)?;
    refuse_dimensions(array, "searching for elements in")?;
    if args.len() > 2 && args.at(2).is_null() {
        return Err(err!(NULL_VALUE_NOT_ALLOWED, "initial position must not be null"));
    }
    let Some((_, lower)) = array.dims.first().copied() else { return Ok(Datum::Null) };
    let from = if args.len() > 2 { args.int4(2)? } else { lower };
    let skip = usize::try_from(i64::from(from) - i64::from(lower)).unwrap_or(0);
    let found = array.values.iter().skip(skip).position(|element| same(element, args.at(1)));
    Ok(found.map_or(Datum::Null, |index| Datum::Int4(lower + (skip + index) as i32)))
}

fn positions(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    let array = args.array(0)?;
    refuse_dimensions(array, "searching for elements in")?;
    let lower = array.dims.first().map_or(1, |(_, lower)| *lower);
    let found = (lower..).zip(&array.values).filter(|(_, element)| same(element, args.at(1)));
    Ok(datum(Array::new(Type::INT4.oid, found.map(|(position, _)| Datum::Int4(position)).collect())))
}

fn remove(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    let array = args.array(0)?;
    refuse_dimensions(array, "removing elements from")?;
    let values: Vec<Datum> = array.values.iter().filter(|element| !same(element, args.at(1))).cloned().collect();
    let dims = match array.dims.first() {
        Some((_, lower)) if !values.is_empty() => vec![(values.len() as i32, *lower)],
        _ => Vec::new(),
    };
    Ok(datum(Array { element: array.element, dims, values }))
}

fn replace(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    let mut array = args.array(0)?.clone();
    for element in &mut array.values {
        if same(element, args.at(1)) {
            *element = args.at(2).clone();
        }
    }
    Ok(datum(array))
}

/// An int4 array argument of `array_fill`.
fn bounds(args: &[Datum], index: usize, name: &str) -> Result<Vec<i32>> {
    let array = args.array(index)?;
    if array.dims.len() > 1 {
        return Err(err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
            .detail(format!("{name} array must be one dimensional.")));
    }
    let value = |datum: &Datum| match datum {
        Datum::Int4(value) => Ok(*value),
        _ => Err(err!(NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null")),
    };
    array.values.iter().map(value).collect()
}

fn fill(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args[1..].iter().any(Datum::is_null) {
        return Err(err!(NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null"));
    }
    let lengths = bounds(args, 1, "Dimension")?;
    let lowers = if args.len() > 2 { bounds(args, 2, "Low bound")? } else { vec![1; lengths.len()] };
    if lowers.len() != lengths.len() {
        return Err(err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
            .detail("Low bound array has different size than dimensions array."));
    }
    if lengths.len() > 6 {
        return Err(err!(
            PROGRAM_LIMIT_EXCEEDED,
            "number of array dimensions ({}) exceeds the maximum allowed (6)",
            lengths.len()
        ));
    }
    let element: Oid = if args.at(0).is_null() { Type::TEXT.oid } else { natural_type(args.at(0)).oid };
    let mut count = 1i64;
    for length in &lengths {
        count *= i64::from(*length);
        if *length < 0 || count > ELEMENTS_MAX {
            return Err(err!(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed ({ELEMENTS_MAX})"));
        }
    }
    if lengths.is_empty() || count == 0 {
        return Ok(datum(Array::new(element, Vec::new())));
    }
    let count = count as usize;
    crate::sql::functions::define::check_length(context, count.saturating_mul(size_of::<Datum>()))?;
    let dims = lengths.into_iter().zip(lowers).collect();
    Ok(datum(Array { element, dims, values: vec![args.at(0).clone(); count] }))
}

fn trim(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (array, count) = (args.array(0)?, args.int4(1)?);
    let length = array.dims.first().map_or(0, |(length, _)| *length);
    if !(0..=length).contains(&count) {
        return Err(err!(ARRAY_SUBSCRIPT_ERROR, "number of elements to trim must be between 0 and {length}"));
    }
    if length == count {
        return Ok(datum(Array::new(array.element, Vec::new())));
    }
    let stride = array.values.len() / length as usize;
    // A slice: bounds start at 1 again.
    let mut dims: Vec<(i32, i32)> = array.dims.iter().map(|(length, _)| (*length, 1)).collect();
    dims[0].0 = length - count;
    let values = array.values[..(length - count) as usize * stride].to_vec();
    Ok(datum(Array { element: array.element, dims, values }))
}
