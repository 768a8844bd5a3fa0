//! Comparison of all types: one total order per type, from which the six operators follow.
//!
//! NaN equals itself and is above every number; text compares by bytes (`C.UTF-8`); intervals compare by their
//! length with months of 30 days; arrays element by element, then by dimensions.

use std::cmp::Ordering;

use crate::document::{Array, Datum, Interval, Oid, Record, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

macro_rules! six {
    ($compare:expr => $eq:ident $ne:ident $lt:ident $le:ident $gt:ident $ge:ident) => {
        six!(@ $eq, $compare, is_eq);
        six!(@ $ne, $compare, is_ne);
        six!(@ $lt, $compare, is_lt);
        six!(@ $le, $compare, is_le);
        six!(@ $gt, $compare, is_gt);
        six!(@ $ge, $compare, is_ge);
    };
    (@ $name:ident, $compare:expr, $test:ident) => {
        pub(crate) fn $name(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
            Ok(Datum::Bool($compare(context, &args[0], &args[1])?.$test()))
        }
    };
}

six!(plain => eq ne lt le gt ge);
six!(plain_bpchar => bpchar_eq bpchar_ne bpchar_lt bpchar_le bpchar_gt bpchar_ge);
six!(zoned => zoned_eq zoned_ne zoned_lt zoned_le zoned_gt zoned_ge);
six!(records => record_eq record_ne record_lt record_le record_gt record_ge);

fn plain(_: &EvalContext, a: &Datum, b: &Datum) -> Result<Ordering> {
    Ok(compare(a, b))
}

fn plain_bpchar(_: &EvalContext, a: &Datum, b: &Datum) -> Result<Ordering> {
    Ok(compare_bpchar(a, b))
}

/// The order of two values of one type, or of two types that have a comparison operator between them (without
/// looking at the session's time zone). NULLs are last and equal, as inside arrays and records.
pub fn compare(a: &Datum, b: &Datum) -> Ordering {
    use Datum::*;
    match (a, b) {
        (Int4(a), Int4(b)) => a.cmp(b),
        (Int8(a), Int8(b)) => a.cmp(b),
        (Text(a), Text(b)) | (Json(a), Json(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Int2(a), Int2(b)) => a.cmp(b),
        (Bool(a), Bool(b)) => a.cmp(b),
        (Oid(a), Oid(b)) => a.cmp(b),
        (Float4(a), Float4(b)) => compare_floats(f64::from(*a), f64::from(*b)),
        (Float8(a), Float8(b)) => compare_floats(*a, *b),
        (Float4(a), Float8(b)) => compare_floats(f64::from(*a), *b),
        (Float8(a), Float4(b)) => compare_floats(*a, f64::from(*b)),
        (Numeric(a), Numeric(b)) => a.cmp(b),
        (Jsonb(a), Jsonb(b)) => a.as_ref().cmp(b.as_ref()),
        (Bytea(a), Bytea(b)) => a.cmp(b),
        (Date(a), Date(b)) => a.cmp(b),
        (Time(a), Time(b)) | (Timestamp(a), Timestamp(b)) | (TimestampTz(a), TimestampTz(b)) => a.cmp(b),
        (Date(a), Timestamp(b)) => date_micros(*a).cmp(&i128::from(*b)),
        (Timestamp(a), Date(b)) => i128::from(*a).cmp(&date_micros(*b)),
        (TimeTz(a, x), TimeTz(b, y)) => {
            let key = |time: i64, zone: i32| (time + i64::from(zone) * 1_000_000, zone);
            key(*a, *x).cmp(&key(*b, *y))
        }
        (Interval(a), Interval(b)) => interval_length(a).cmp(&interval_length(b)),
        (Uuid(a), Uuid(b)) => a.cmp(b),
        (Array(a), Array(b)) => compare_arrays(a, b),
        (Record(a), Record(b)) => compare_records(a, b),
        (Enum(_, a), Enum(_, b)) | (Money(a), Money(b)) => a.cmp(b),
        (Range(a), Range(b)) => crate::sql::range::compare_ranges(a, b),
        (Multirange(a), Multirange(b)) => crate::sql::range::compare_multiranges(a, b),
        (Bit(a), Bit(b)) => a.cmp(b),
        (Inet(a), Inet(b)) => a.cmp(b),
        (MacAddr(a), MacAddr(b)) => a.cmp(b),
        (MacAddr8(a), MacAddr8(b)) => a.cmp(b),
        (Null, Null) => Ordering::Equal,
        (Null, _) => Ordering::Greater,
        (_, Null) => Ordering::Less,
        (a, b) => match (integer(a), integer(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // Two representations without an operator between them: any fixed order.
            (a, b) => a.cmp(&b),
        },
    }
}

/// The order of two values of a type given by OID: as [`compare`], but `char(n)` ignores trailing blanks.
pub fn compare_as(oid: Oid, a: &Datum, b: &Datum) -> Ordering {
    if oid == Type::BPCHAR.oid { compare_bpchar(a, b) } else { compare(a, b) }
}

fn compare_bpchar(a: &Datum, b: &Datum) -> Ordering {
    match (a, b) {
        (Datum::Text(a), Datum::Text(b)) => a.trim_end_matches(' ').as_bytes().cmp(b.trim_end_matches(' ').as_bytes()),
        (a, b) => compare(a, b),
    }
}

fn integer(value: &Datum) -> Option<i64> {
    match value {
        Datum::Int2(n) => Some(i64::from(*n)),
        Datum::Int4(n) => Some(i64::from(*n)),
        Datum::Int8(n) => Some(*n),
        // `xid = integer` compares the bits.
        Datum::Oid(n) => Some(i64::from(*n)),
        _ => None,
    }
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    match a.partial_cmp(&b) {
        Some(ordering) => ordering,
        None => a.is_nan().cmp(&b.is_nan()),
    }
}

/// The length of an interval in microseconds, by which intervals are compared.
pub fn interval_length(interval: &Interval) -> i128 {
    let days = i64::from(interval.months) * 30 + i64::from(interval.days);
    i128::from(days) * i128::from(DAY) + i128::from(interval.micros)
}

/// Midnight of a date in microseconds; wide, since dates reach further than timestamps.
fn date_micros(date: i32) -> i128 {
    match date {
        i32::MAX => i128::from(i64::MAX),
        i32::MIN => i128::from(i64::MIN),
        days => i128::from(days) * i128::from(DAY),
    }
}

fn compare_arrays(a: &Array, b: &Array) -> Ordering {
    let elements = a.values.iter().zip(&b.values).map(|(a_value, b_value)| compare_as(a.element, a_value, b_value));
    let lengths = |array: &Array| array.dims.iter().map(|dim| dim.0).collect::<Vec<_>>();
    elements
        .into_iter()
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
        .then_with(|| a.values.len().cmp(&b.values.len()))
        .then_with(|| a.dims.len().cmp(&b.dims.len()))
        .then_with(|| lengths(a).cmp(&lengths(b)))
        .then_with(|| a.dims.iter().map(|dim| dim.1).cmp(b.dims.iter().map(|dim| dim.1)))
}

fn compare_records(a: &Record, b: &Record) -> Ordering {
    let fields = a.values.iter().zip(&b.values).zip(a.fields.iter());
    fields
        .map(|((a, b), (_, oid))| compare_as(*oid, a, b))
        .find(|ordering| ordering.is_ne())
        .unwrap_or_else(|| a.values.len().cmp(&b.values.len()))
}

/// Records must agree in the number and types of their fields.
fn records(_: &EvalContext, a: &Datum, b: &Datum) -> Result<Ordering> {
    let (Datum::Record(left), Datum::Record(right)) = (a, b) else { return Ok(compare(a, b)) };
    for (number, ((_, x), (_, y))) in left.fields.iter().zip(right.fields.iter()).enumerate() {
        if x != y {
            let name = |oid: Oid| crate::sql::types::format_type(Type::new(oid));
            return Err(err!(
                DATATYPE_MISMATCH,
                "cannot compare dissimilar column types {} and {} at record column {}",
                name(*x),
                name(*y),
                number + 1
            ));
        }
    }
    if left.values.len() != right.values.len() {
        return Err(err!(DATATYPE_MISMATCH, "cannot compare record types with different numbers of columns"));
    }
    Ok(compare_records(left, right))
}

/// `timestamptz` against `date` or `timestamp`, which are taken in the session's zone.
fn zoned(context: &EvalContext, a: &Datum, b: &Datum) -> Result<Ordering> {
    let instant = |value: &Datum| -> i128 {
        match value {
            Datum::TimestampTz(t) => i128::from(*t),
            Datum::Timestamp(t) => local_to_instant(context, i128::from(*t)),
            Datum::Date(d) => local_to_instant(context, date_micros(*d)),
            _ => 0,
        }
    };
    Ok(instant(a).cmp(&instant(b)))
}

fn local_to_instant(context: &EvalContext, local: i128) -> i128 {
    match i64::try_from(local) {
        Ok(i64::MAX | i64::MIN) | Err(_) => local,
        Ok(time) => i128::from(crate::sql::datetime::zone::local_to_utc(&context.format.time_zone, time)),
    }
}

/// A comparison operator as data, for code that compares without calling the function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// `=`, `<>`, `<`, `<=`, `>` or `>=`.
    pub name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Bpchar,
    Zoned,
    Record,
}

impl Comparison {
    pub(super) fn new(name: &'static str, left: Type, right: Type) -> Option<Self> {
        let name = match name {
            "=" | "<>" | "<" | "<=" | ">" | ">=" => name,
            _ => return None,
        };
        let kind = match (left, right) {
            (Type::BPCHAR, _) => Kind::Bpchar,
            (Type::RECORD, _) => Kind::Record,
            (left, right) if (left == Type::TIMESTAMPTZ) != (right == Type::TIMESTAMPTZ) => Kind::Zoned,
            _ => Kind::Plain,
        };
        Some(Self { name, kind })
    }

    /// Whether it is the order of [`compare`] and nothing more.
    pub fn is_plain(&self) -> bool {
        self.kind == Kind::Plain
    }

    /// Compares two values; `None` is unknown (a NULL).
    pub fn test(&self, context: &EvalContext, a: &Datum, b: &Datum) -> Result<Option<bool>> {
        if a.is_null() || b.is_null() {
            return Ok(None);
        }
        let ordering = match self.kind {
            Kind::Plain => compare(a, b),
            Kind::Bpchar => compare_bpchar(a, b),
            Kind::Zoned => zoned(context, a, b)?,
            Kind::Record => records(context, a, b)?,
        };
        Ok(Some(match self.name {
            "=" => ordering.is_eq(),
            "<>" => ordering.is_ne(),
            "<" => ordering.is_lt(),
            "<=" => ordering.is_le(),
            ">" => ordering.is_gt(),
            _ => ordering.is_ge(),
        }))
    }
}
