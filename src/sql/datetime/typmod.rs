//! Precision: rounding of times and intervals to what their type's modifier says, and of `numeric`.

use super::calendar::{HOUR, MINUTE};
use super::format::is_infinite;
use crate::document::{Datum, Interval, Type};
use crate::error::Result;

/// Applies a modifier that is not a string's length.
pub(crate) fn apply(value: Datum, typ: Type) -> Result<Datum> {
    Ok(match (value, Type::new(typ.oid)) {
        (Datum::Numeric(value), Type::NUMERIC) => Datum::Numeric(value.apply_typmod(typ.typmod)?),
        (Datum::Timestamp(value), Type::TIMESTAMP) => Datum::Timestamp(timestamp(value, typ.typmod)?),
        (Datum::TimestampTz(value), Type::TIMESTAMPTZ) => Datum::TimestampTz(timestamp(value, typ.typmod)?),
        (Datum::Time(value), Type::TIME) => Datum::Time(round(value, typ.typmod)),
        (Datum::TimeTz(value, west), Type::TIMETZ) => Datum::TimeTz(round(value, typ.typmod), west),
        (Datum::Interval(value), Type::INTERVAL) => Datum::Interval(interval(value, typ.typmod)),
        (value, _) => value,
    })
}

/// A timestamp rounded to a number of decimals.
pub(crate) fn timestamp(value: i64, precision: i32) -> Result<i64> {
    if super::calendar::is_infinite(value) {
        return Ok(value);
    }
    super::calendar::checked_timestamp(Some(round(value, precision)))
}

/// Microseconds rounded to a number of decimals, half away from zero.
pub(crate) fn round(micros: i64, precision: i32) -> i64 {
    let Some(drop) = u32::try_from(6 - precision).ok().filter(|drop| (1..=6).contains(drop)) else { return micros };
    let scale = 10i64.pow(drop);
    let rounded = (micros.unsigned_abs() + scale as u64 / 2) / scale as u64 * scale as u64;
    if micros < 0 { (rounded as i64).wrapping_neg() } else { i64::try_from(rounded).unwrap_or(i64::MAX) }
}

/// An interval cut to the fields and the precision of its modifier.
pub(crate) fn interval(mut interval: Interval, typmod: i32) -> Interval {
    if typmod < 0 || is_infinite(&interval).is_some() {
        return interval;
    }
    let range = (typmod >> 16) & 0x7FFF;
    let name = crate::sql::types::INTERVAL_RANGES.iter().find(|(_, mask)| *mask == range).map_or("", |(name, _)| name);
    match name.rsplit(' ').next() {
        Some("year") => {
            interval = Interval { months: interval.months / 12 * 12, ..Interval::default() };
        }
        Some("month") => interval = Interval { months: interval.months, ..Interval::default() },
        Some("day") => interval.micros = 0,
        Some("hour") => interval.micros = interval.micros / HOUR * HOUR,
        Some("minute") => interval.micros = interval.micros / MINUTE * MINUTE,
        _ => {}
    }
    let precision = typmod & 0xFFFF;
    if precision != 0xFFFF {
        interval.micros = round(interval.micros, precision);
    }
    interval
}
