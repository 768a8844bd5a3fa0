//! Aggregates: [`basic`] (count, sum, avg, bool_and, bit_or, ...), [`extremes`] (min, max, any_value), [`collect`]
//! (string_agg, array_agg), [`json`] (json_agg and its kin), [`statistics`] (variance, regression), [`ordered`] (WITHIN
//! GROUP).
//!
//! A state is made for one group and takes row by row; `finish` may be asked again and again, so it never consumes.

pub(crate) mod basic;
pub(crate) mod collect;
pub(crate) mod extremes;
pub(crate) mod json;
pub(crate) mod moments;
pub(crate) mod ordered;
pub(crate) mod statistics;

use crate::document::Datum;
use crate::sql::function::Function;

pub(crate) fn lists() -> [&'static [Function]; 7] {
    [basic::LIST, extremes::LIST, collect::LIST, json::LIST, statistics::LIST, statistics::PAIRS, ordered::LIST]
}

/// Bytes a value holds outside of itself, roughly.
pub(crate) fn heap_bytes(value: &Datum) -> usize {
    match value {
        Datum::Text(text) | Datum::Json(text) => text.len(),
        Datum::Bytea(bytes) => bytes.len(),
        Datum::Jsonb(document) => document.as_bytes().len(),
        Datum::Numeric(number) => number.as_bytes().len(),
        Datum::Array(array) => array.values.iter().map(|value| size_of::<Datum>() + heap_bytes(value)).sum(),
        Datum::Range(_) | Datum::Multirange(_) => size_of_val(crate::sql::range::parts(value)),
        Datum::Bit(bits) => bits.bytes.len(),
        Datum::Record(record) => record.values.iter().map(|value| size_of::<Datum>() + heap_bytes(value)).sum(),
        _ => 0,
    }
}
