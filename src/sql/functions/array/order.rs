//! Sorting, reversing, shuffling and sampling arrays, always along the first dimension.

use std::cmp::Ordering;

use super::basic::datum;
use crate::document::{Array, Datum, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::compare::{compare, compare_nullable};
use crate::sql::functions::define::{Args, scalar};
use crate::sql::functions::math::random::below_or_equal;

const A: Type = Type::ANYARRAY;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(6388, "array_sort", &[A], A, sort),
    scalar(6389, "array_sort", &[A, Type::BOOL], A, sort),
    scalar(6390, "array_sort", &[A, Type::BOOL, Type::BOOL], A, sort),
    scalar(6381, "array_reverse", &[A], A, reverse),
    scalar(6215, "array_shuffle", &[A], A, shuffle).volatile(),
    scalar(6216, "array_sample", &[A, Type::INT4], A, sample).volatile(),
];

/// The elements, or the subarrays of an array of more dimensions.
fn items(array: &Array) -> Vec<&[Datum]> {
    let count = array.dims.first().map_or(0, |(length, _)| *length as usize);
    let size = array.values.len().checked_div(count).unwrap_or(1).max(1);
    array.values.chunks(size).collect()
}

/// An array of the same shape (but for the first length) from items.
fn rebuild(array: &Array, items: &[&[Datum]], keep_lower: bool) -> Datum {
    if items.is_empty() {
        return datum(Array::new(array.element, Vec::new()));
    }
    let mut dims = array.dims.clone();
    dims[0] = (items.len() as i32, if keep_lower { dims[0].1 } else { 1 });
    datum(Array { element: array.element, dims, values: items.concat() })
}

fn sort(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let array = args.array(0)?;
    let descending = args.len() > 1 && args.bool(1)?;
    let nulls_first = if args.len() > 2 { args.bool(2)? } else { descending };
    let mut items = items(array);
    let single = array.dims.len() <= 1;
    let directed = |order: Ordering| if descending { order.reverse() } else { order };
    items.sort_by(|a, b| {
        if !single {
            let order = a.iter().zip(*b).map(|(a, b)| compare_nullable(a, b)).find(|order| order.is_ne());
            return directed(order.unwrap_or(Ordering::Equal));
        }
        match (a[0].is_null(), b[0].is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, true) => {
                if nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, false) => directed(compare(&a[0], &b[0])),
        }
    });
    Ok(rebuild(array, &items, true))
}

fn reverse(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let array = args.array(0)?;
    let mut items = items(array);
    items.reverse();
    Ok(rebuild(array, &items, true))
}

/// Fisher-Yates over the first `count` places.
fn shuffled<'a>(context: &EvalContext, mut items: Vec<&'a [Datum]>, count: usize) -> Vec<&'a [Datum]> {
    for place in 0..count {
        let rest = items.len() - 1 - place;
        items.swap(place, place + below_or_equal(context, rest as u128) as usize);
    }
    items.truncate(count);
    items
}

fn shuffle(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let array = args.array(0)?;
    let items = items(array);
    let count = items.len();
    Ok(rebuild(array, &shuffled(context, items, count), true))
}

fn sample(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (array, count) = (args.array(0)?, args.int4(1)?);
    let items = items(array);
    match usize::try_from(count) {
        Ok(count) if count <= items.len() => Ok(rebuild(array, &shuffled(context, items, count), false)),
        _ => Err(err!(INVALID_PARAMETER_VALUE, "sample size must be between 0 and {}", items.len())),
    }
}
