//! Arrays in expressions: `ARRAY[[...], ...]` and subscripts.

use crate::document::{Array, Datum, Oid};
use crate::err;
use crate::error::{Error, Result};

use super::node::Subscript;
use super::run::{Frame, Value};

/// PostgreSQL's limit of dimensions.
const DIMENSIONS_MAX: usize = 6;

/// One array out of arrays, which become its first dimension.
pub(super) fn stack(element: Oid, values: Vec<Datum>) -> Result<Array> {
    let mismatch =
        || err!(ARRAY_SUBSCRIPT_ERROR, "multidimensional arrays must have array expressions with matching dimensions");
    let mut dims: Option<Vec<(i32, i32)>> = None;
    let mut empty = false;
    let count = values.len();
    let mut flat = Vec::new();
    for value in values {
        match value {
            Datum::Array(array) if !array.dims.is_empty() => {
                match &dims {
                    None => dims = Some(array.dims),
                    Some(dims) if *dims == array.dims => {}
                    Some(_) => return Err(mismatch()),
                }
                flat.extend(array.values);
            }
            Datum::Array(_) | Datum::Null => empty = true,
            other => return Err(Error::internal(format!("an element of a nested array is {other:?}"))),
        }
    }
    match dims {
        None => Ok(Array { element, dims: Vec::new(), values: Vec::new() }),
        Some(_) if empty => Err(mismatch()),
        Some(inner) if inner.len() >= DIMENSIONS_MAX => Err(err!(
            PROGRAM_LIMIT_EXCEEDED,
            "number of array dimensions ({}) exceeds the maximum allowed ({DIMENSIONS_MAX})",
            inner.len() + 1
        )),
        Some(inner) => {
            let mut dims = vec![(count as i32, 1)];
            dims.extend(inner);
            Ok(Array { element, dims, values: flat })
        }
    }
}

/// `container[...]...`
pub(super) fn subscript<'a>(frame: &Frame<'a>, value: Value<'a>, subscripts: &'a [Subscript]) -> Result<Value<'a>> {
    match value.as_ref() {
        Datum::Array(array) => {
            if subscripts.iter().any(|s| matches!(s, Subscript::Slice(..))) {
                return slice(frame, array, subscripts).map(Value::Owned);
            }
            let Some(index) = element_index(frame, array, subscripts)? else { return Ok(Value::Owned(Datum::Null)) };
            match value {
                Value::Ref(Datum::Array(array)) => Ok(Value::Ref(&array.values[index])),
                Value::Owned(Datum::Array(mut array)) => Ok(Value::Owned(std::mem::take(&mut array.values[index]))),
                _ => Ok(Value::Owned(Datum::Null)),
            }
        }
        Datum::Jsonb(document) => {
            let mut path = Vec::with_capacity(subscripts.len());
            for subscript in subscripts {
                let Subscript::Index(node) = subscript else {
                    return Err(err!(FEATURE_NOT_SUPPORTED, "jsonb subscript does not support slices"));
                };
                match frame.eval(node)?.as_ref() {
                    Datum::Text(key) => path.push(key.to_string()),
                    Datum::Int4(index) => path.push(index.to_string()),
                    _ => return Ok(Value::Owned(Datum::Null)),
                }
            }
            let found = crate::document::jsonb::ops::get_path(document.as_ref(), &path);
            Ok(Value::Owned(found.map_or(Datum::Null, |found| Datum::Jsonb(found.to_owned()))))
        }
        Datum::Null => Ok(Value::Owned(Datum::Null)),
        other => Err(Error::internal(format!("a subscript of {other:?}"))),
    }
}

fn element_index<'a>(frame: &Frame<'a>, array: &Array, subscripts: &'a [Subscript]) -> Result<Option<usize>> {
    let mut index = 0;
    let mut inside = subscripts.len() == array.dims.len();
    for (at, subscript) in subscripts.iter().enumerate() {
        let Subscript::Index(node) = subscript else { return Ok(None) };
        let Some(i) = frame.integer(node)? else { return Ok(None) };
        let Some((length, lower)) = array.dims.get(at) else { continue };
        let offset = i64::from(i) - i64::from(*lower);
        inside &= (0..i64::from(*length)).contains(&offset);
        index = index * (*length as usize) + offset.max(0) as usize % (*length).max(1) as usize;
    }
    Ok(inside.then_some(index).filter(|index| *index < array.values.len()))
}

fn slice<'a>(frame: &Frame<'a>, array: &Array, subscripts: &'a [Subscript]) -> Result<Datum> {
    let empty = || Datum::Array(Box::new(Array { element: array.element, dims: Vec::new(), values: Vec::new() }));
    // (first offset, length) of each dimension.
    let mut ranges: Vec<(i64, i64)> = array.dims.iter().map(|dim| (0, i64::from(dim.0))).collect();
    let mut nothing = array.dims.is_empty() || subscripts.len() > array.dims.len();
    for (at, subscript) in subscripts.iter().enumerate() {
        let (length, lower) = array.dims.get(at).copied().unwrap_or((0, 1));
        let last = i64::from(lower) + i64::from(length) - 1;
        let (from, to) = match subscript {
            // A plain subscript among slices means 1:i.
            Subscript::Index(node) => match frame.integer(node)? {
                Some(upper) => (1, i64::from(upper)),
                None => return Ok(Datum::Null),
            },
            Subscript::Slice(from, to) => {
                let from = match from {
                    None => i64::from(lower),
                    Some(node) => match frame.integer(node)? {
                        Some(n) => i64::from(n),
                        None => return Ok(Datum::Null),
                    },
                };
                let to = match to {
                    None => last,
                    Some(node) => match frame.integer(node)? {
                        Some(n) => i64::from(n),
                        None => return Ok(Datum::Null),
                    },
                };
                (from, to)
            }
        };
        let (from, to) = (from.max(i64::from(lower)), to.min(last));
        nothing |= from > to;
        if let Some(range) = ranges.get_mut(at) {
            *range = (from - i64::from(lower), to - from + 1);
        }
    }
    if nothing {
        return Ok(empty());
    }
    let mut values = Vec::new();
    copy(array, &ranges, 0, 0, &mut values);
    let dims = ranges.iter().map(|(_, length)| (*length as i32, 1)).collect();
    Ok(Datum::Array(Box::new(Array { element: array.element, dims, values })))
}

fn copy(array: &Array, ranges: &[(i64, i64)], dimension: usize, base: usize, values: &mut Vec<Datum>) {
    let Some((first, length)) = ranges.get(dimension) else {
        values.push(array.values[base].clone());
        return;
    };
    let width = array.dims[dimension].0 as usize;
    for offset in *first..first + length {
        copy(array, ranges, dimension + 1, base * width + offset as usize, values);
    }
}
