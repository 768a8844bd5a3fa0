//! `@>`, `<@` and `&&` of arrays. NULL elements equal nothing.

use std::collections::HashSet;

use super::compare::compare_as;
use crate::document::{Array, Datum, sort_key};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::types;

/// From this many comparisons on, a hash set is made.
const SET_MIN: usize = 256;

/// Whether every (`all`) or any of the needles is in the haystack.
fn search(haystack: &Array, needles: &Array, all: bool) -> Result<bool> {
    if haystack.element != needles.element {
        return Err(err!(DATATYPE_MISMATCH, "cannot compare arrays of different element types"));
    }
    if super::equality(haystack.element).is_none() {
        return Err(err!(
            UNDEFINED_FUNCTION,
            "could not identify an equality operator for type {}",
            types::format_oid(haystack.element, None)
        ));
    }
    let has = |needle: &Datum| {
        haystack.values.iter().any(|v| !v.is_null() && compare_as(haystack.element, v, needle).is_eq())
    };
    let is_bpchar = haystack.element == crate::document::Type::BPCHAR.oid;
    if is_bpchar || haystack.values.len() * needles.values.len() < SET_MIN {
        let mut found = needles.values.iter().map(|needle| !needle.is_null() && has(needle));
        return Ok(if all { found.all(|f| f) } else { found.any(|f| f) });
    }
    let key = |value: &Datum| {
        let mut key = Vec::new();
        sort_key(value, &mut key);
        key
    };
    let set: HashSet<Vec<u8>> = haystack.values.iter().filter(|v| !v.is_null()).map(key).collect();
    let mut found = needles.values.iter().map(|needle| !needle.is_null() && set.contains(&key(needle)));
    Ok(if all { found.all(|f| f) } else { found.any(|f| f) })
}

fn arrays(args: &[Datum]) -> Result<(&Array, &Array)> {
    match args {
        [Datum::Array(a), Datum::Array(b)] => Ok((a, b)),
        _ => Err(Error::internal("array kernel called with other types")),
    }
}

pub(crate) fn arraycontains(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b) = arrays(args)?;
    search(a, b, true).map(Datum::Bool)
}

pub(crate) fn arraycontained(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b) = arrays(args)?;
    search(b, a, true).map(Datum::Bool)
}

pub(crate) fn arrayoverlap(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b) = arrays(args)?;
    search(a, b, false).map(Datum::Bool)
}
