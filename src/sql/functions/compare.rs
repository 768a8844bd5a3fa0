//! SQL order of two values of one type, for min/max, array functions and ordered aggregates.

use std::cmp::Ordering;

use crate::document::Datum;

/// The btree order of two non-null values of the same type.
pub(crate) fn compare(left: &Datum, right: &Datum) -> Ordering {
    use Datum::*;
    match (left, right) {
        (Bool(a), Bool(b)) => a.cmp(b),
        (Int2(a), Int2(b)) => a.cmp(b),
        (Int4(a), Int4(b)) => a.cmp(b),
        (Int8(a), Int8(b)) => a.cmp(b),
        (Oid(a), Oid(b)) => a.cmp(b),
        (Float4(a), Float4(b)) => float(f64::from(*a), f64::from(*b)),
        (Float8(a), Float8(b)) => float(*a, *b),
        (Text(a), Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Bytea(a), Bytea(b)) => a.cmp(b),
        (Date(a), Date(b)) => a.cmp(b),
        (Time(a), Time(b)) | (Timestamp(a), Timestamp(b)) | (TimestampTz(a), TimestampTz(b)) => a.cmp(b),
        (TimeTz(a, x), TimeTz(b, y)) => {
            let utc = |time: &i64, west: &i32| time + i64::from(*west) * 1_000_000;
            utc(a, x).cmp(&utc(b, y)).then(x.cmp(y))
        }
        (Interval(a), Interval(b)) => span(a).cmp(&span(b)),
        (Uuid(a), Uuid(b)) => a.cmp(b),
        (Array(a), Array(b)) => elements(&a.values, &b.values)
            .then_with(|| a.dims.len().cmp(&b.dims.len()))
            .then_with(|| a.dims.cmp(&b.dims)),
        (Record(a), Record(b)) => elements(&a.values, &b.values),
        (Numeric(a), Numeric(b)) => a.cmp(b),
        _ => by_sort_key(left, right),
    }
}

/// As [`compare`], NULL being larger than every value and equal to NULL.
pub(crate) fn compare_nullable(left: &Datum, right: &Datum) -> Ordering {
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => compare(left, right),
    }
}

fn elements(left: &[Datum], right: &[Datum]) -> Ordering {
    left.iter()
        .zip(right)
        .map(|(a, b)| compare_nullable(a, b))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| left.len().cmp(&right.len()))
}

/// NaN equals NaN and is larger than every number; -0 equals 0.
fn float(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// A month is 30 days and a day 24 hours here.
fn span(interval: &crate::document::Interval) -> i128 {
    (i128::from(interval.months) * 30 + i128::from(interval.days)) * 86_400_000_000 + i128::from(interval.micros)
}

fn by_sort_key(left: &Datum, right: &Datum) -> Ordering {
    let key = |datum: &Datum| {
        let mut bytes = Vec::new();
        crate::document::sort_key(datum, &mut bytes);
        bytes
    };
    key(left).cmp(&key(right))
}

/// `bpchar` ignores trailing blanks in comparisons.
pub(crate) fn compare_bpchar(left: &Datum, right: &Datum) -> Ordering {
    match (left, right) {
        (Datum::Text(a), Datum::Text(b)) => a.trim_end_matches(' ').as_bytes().cmp(b.trim_end_matches(' ').as_bytes()),
        _ => compare(left, right),
    }
}
