//! Arithmetic of dates, times and intervals.

use super::calendar::{
    DAY, EPOCH_JULIAN, Tm, checked_timestamp, date_out_of_range, days_in_month, in_range, interval_out_of_range,
    is_infinite, j2date, time_of, timestamp_out_of_range, tm_of,
};
use super::format::is_infinite as infinite_interval;
use super::interval_in::{INFINITY, MINUS_INFINITY, checked};
use super::zone;
use crate::document::Interval;
use crate::err;
use crate::error::Result;
use crate::sql::context::TimeZone;

/// The local time moved by months, the day cut to the month's length.
fn add_months(timestamp: i64, months: i32) -> Result<i64> {
    if months == 0 {
        return Ok(timestamp);
    }
    let mut tm = tm_of(timestamp);
    let total = i64::from(tm.year) * 12 + i64::from(tm.month - 1) + i64::from(months);
    tm.year = i32::try_from(total.div_euclid(12)).map_err(|_| timestamp_out_of_range())?;
    tm.month = total.rem_euclid(12) as i32 + 1;
    tm.day = tm.day.min(days_in_month(tm.year, tm.month));
    checked_timestamp(super::calendar::timestamp_of(&tm))
}

fn add_days(timestamp: i64, days: i32) -> Result<i64> {
    checked_timestamp(i64::from(days).checked_mul(DAY).and_then(|days| timestamp.checked_add(days)))
}

/// Infinite operands of `timestamp + interval`.
fn infinite_sum(timestamp: i64, interval: &Interval) -> Result<Option<i64>> {
    let infinity = infinite_interval(interval).map(|positive| if positive { i64::MAX } else { i64::MIN });
    match (infinity, is_infinite(timestamp)) {
        (Some(infinity), true) if infinity != timestamp => Err(timestamp_out_of_range()),
        (Some(infinity), _) => Ok(Some(infinity)),
        (None, true) => Ok(Some(timestamp)),
        (None, false) => Ok(None),
    }
}

/// `timestamp + interval`.
pub(crate) fn timestamp_plus(timestamp: i64, interval: &Interval) -> Result<i64> {
    if let Some(result) = infinite_sum(timestamp, interval)? {
        return Ok(result);
    }
    let timestamp = add_days(add_months(timestamp, interval.months)?, interval.days)?;
    checked_timestamp(timestamp.checked_add(interval.micros))
}

/// `timestamptz + interval`: months and days move the clock on the wall of the zone.
pub(crate) fn timestamptz_plus(instant: i64, interval: &Interval, zone: &TimeZone) -> Result<i64> {
    if let Some(result) = infinite_sum(instant, interval)? {
        return Ok(result);
    }
    let mut instant = instant;
    if interval.months != 0 {
        instant = zone::local_to_utc(zone, add_months(zone::utc_to_local(zone, instant), interval.months)?);
    }
    if interval.days != 0 {
        instant = zone::local_to_utc(zone, add_days(zone::utc_to_local(zone, instant), interval.days)?);
    }
    checked_timestamp(instant.checked_add(interval.micros))
}

/// `-interval`.
pub(crate) fn negate(interval: &Interval) -> Result<Interval> {
    match infinite_interval(interval) {
        Some(true) => Ok(MINUS_INFINITY),
        Some(false) => Ok(INFINITY),
        None => checked(interval.months.checked_neg(), interval.days.checked_neg(), interval.micros.checked_neg()),
    }
}

/// `timestamp - timestamp`, whole days apart.
pub(crate) fn difference(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return match (a, b) {
            (a, b) if a == b => Err(interval_out_of_range()),
            (i64::MAX, _) | (_, i64::MIN) => Ok(INFINITY),
            _ => Ok(MINUS_INFINITY),
        };
    }
    let micros = a.checked_sub(b).ok_or_else(interval_out_of_range)?;
    Ok(Interval { months: 0, days: (micros / DAY) as i32, micros: micros % DAY })
}

/// `interval + interval`.
pub(crate) fn sum(a: &Interval, b: &Interval) -> Result<Interval> {
    match (infinite_interval(a), infinite_interval(b)) {
        (Some(x), Some(y)) if x != y => Err(interval_out_of_range()),
        (Some(_), _) => Ok(*a),
        (None, Some(_)) => Ok(*b),
        (None, None) => {
            checked(a.months.checked_add(b.months), a.days.checked_add(b.days), a.micros.checked_add(b.micros))
        }
    }
}

/// `interval - interval`.
pub(crate) fn subtract(a: &Interval, b: &Interval) -> Result<Interval> {
    match (infinite_interval(a), infinite_interval(b)) {
        (Some(x), Some(y)) if x == y => Err(interval_out_of_range()),
        (Some(_), _) => Ok(*a),
        (None, Some(_)) => negate(b),
        (None, None) => {
            checked(a.months.checked_sub(b.months), a.days.checked_sub(b.days), a.micros.checked_sub(b.micros))
        }
    }
}

fn to_i32(value: f64) -> Result<i32> {
    let fits = (-2_147_483_648.0..2_147_483_648.0).contains(&value);
    if fits { Ok(value as i32) } else { Err(interval_out_of_range()) }
}

fn to_i64(value: f64) -> Result<i64> {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    if fits { Ok(value as i64) } else { Err(interval_out_of_range()) }
}

/// Rounded to microseconds.
fn to_micros(value: f64) -> f64 {
    (value * 1_000_000.0).round_ties_even() / 1_000_000.0
}

/// Each part scaled; what is left of months and days cascades down.
fn scaled(interval: &Interval, scale: impl Fn(f64) -> f64) -> Result<Interval> {
    let (months, days) = (scale(f64::from(interval.months)), scale(f64::from(interval.days)));
    if months.is_nan() || days.is_nan() {
        return Err(interval_out_of_range());
    }
    let (whole_months, whole_days) = (to_i32(months)?, to_i32(days)?);
    let month_days = to_micros((months - f64::from(whole_months)) * 30.0);
    let mut seconds = to_micros((days - f64::from(whole_days) + month_days - month_days.trunc()) * 86_400.0);
    let mut total_days = whole_days;
    if seconds.abs() >= 86_400.0 {
        let carried = (seconds / 86_400.0) as i32;
        total_days = total_days.checked_add(carried).ok_or_else(interval_out_of_range)?;
        seconds -= f64::from(carried) * 86_400.0;
    }
    total_days = total_days.checked_add(month_days as i32).ok_or_else(interval_out_of_range)?;
    let micros = (scale(interval.micros as f64) + seconds * 1_000_000.0).round_ties_even();
    checked(Some(whole_months), Some(total_days), Some(to_i64(micros)?))
}

fn sign(interval: &Interval) -> std::cmp::Ordering {
    crate::sql::operators::compare::interval_length(interval).cmp(&0)
}

/// `interval * factor`.
pub(crate) fn multiply(interval: &Interval, factor: f64) -> Result<Interval> {
    use std::cmp::Ordering::*;
    if factor.is_nan() {
        return Err(interval_out_of_range());
    }
    if infinite_interval(interval).is_some() || factor.is_infinite() {
        return match (sign(interval), factor.partial_cmp(&0.0)) {
            (Equal, _) | (_, Some(Equal) | None) => Err(interval_out_of_range()),
            (a, Some(b)) if a == b => Ok(INFINITY),
            _ => Ok(MINUS_INFINITY),
        };
    }
    scaled(interval, |part| part * factor)
}

/// `interval / factor`.
pub(crate) fn divide(interval: &Interval, factor: f64) -> Result<Interval> {
    if factor == 0.0 {
        return Err(err!(DIVISION_BY_ZERO, "division by zero"));
    }
    if factor.is_nan() {
        return Err(interval_out_of_range());
    }
    if infinite_interval(interval).is_some() {
        return match factor {
            f if f.is_infinite() => Err(interval_out_of_range()),
            f if f < 0.0 => negate(interval),
            _ => Ok(*interval),
        };
    }
    scaled(interval, |part| part / factor)
}

/// `date + integer`.
pub(crate) fn date_plus(date: i32, days: i32) -> Result<i32> {
    if matches!(date, i32::MAX | i32::MIN) {
        return Ok(date);
    }
    let result = date.checked_add(days).filter(|d| (-EPOCH_JULIAN..2_145_031_949).contains(d));
    result.ok_or_else(date_out_of_range)
}

/// Midnight of a date.
pub(crate) fn date_to_timestamp(date: i32) -> Result<i64> {
    match date {
        i32::MAX => Ok(i64::MAX),
        i32::MIN => Ok(i64::MIN),
        date => i64::from(date)
            .checked_mul(DAY)
            .filter(|t| in_range(*t))
            .ok_or_else(|| err!(DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")),
    }
}

/// The date of a local time.
pub(crate) fn timestamp_to_date(timestamp: i64) -> i32 {
    match timestamp {
        i64::MAX => i32::MAX,
        i64::MIN => i32::MIN,
        timestamp => timestamp.div_euclid(DAY) as i32,
    }
}

/// `time + interval`: around the clock.
pub(crate) fn time_plus(time: i64, interval: &Interval, verb: &str) -> Result<i64> {
    if infinite_interval(interval).is_some() {
        let preposition = if verb == "add" { "to" } else { "from" };
        return Err(err!(DATETIME_FIELD_OVERFLOW, "cannot {verb} infinite interval {preposition} time"));
    }
    Ok((time + interval.micros % DAY).rem_euclid(DAY))
}

/// `age(a, b)`: years, months, days and time, as one counts on a calendar.
pub(crate) fn age(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return difference(a, b);
    }
    let (x, y) = (tm_of(a), tm_of(b));
    // From the earlier to the later one; negated in the end.
    let (late, early, negative) = if a < b { (y, x, true) } else { (x, y, false) };
    let mut time = time_of(&late) - time_of(&early);
    let mut days = late.day - early.day;
    let mut months = (late.year - early.year) * 12 + late.month - early.month;
    if time < 0 {
        time += DAY;
        days -= 1;
    }
    while days < 0 {
        // Days borrowed come from the month of the earlier time.
        days += days_in_month(early.year, early.month);
        months -= 1;
    }
    let interval = Interval { months, days, micros: time };
    if negative { negate(&interval) } else { Ok(interval) }
}

/// `justify_hours`: 24 hours are a day.
pub(crate) fn justify_hours(interval: &Interval) -> Result<Interval> {
    if infinite_interval(interval).is_some() {
        return Ok(*interval);
    }
    let days = interval.days.checked_add((interval.micros / DAY) as i32);
    let mut result = checked(Some(interval.months), days, Some(interval.micros % DAY))?;
    if result.days > 0 && result.micros < 0 {
        result.micros += DAY;
        result.days -= 1;
    } else if result.days < 0 && result.micros > 0 {
        result.micros -= DAY;
        result.days += 1;
    }
    Ok(result)
}

/// `justify_days`: 30 days are a month.
pub(crate) fn justify_days(interval: &Interval) -> Result<Interval> {
    if infinite_interval(interval).is_some() {
        return Ok(*interval);
    }
    let months = interval.months.checked_add(interval.days / 30);
    let mut result = checked(months, Some(interval.days % 30), Some(interval.micros))?;
    if result.months > 0 && result.days < 0 {
        result.days += 30;
        result.months -= 1;
    } else if result.months < 0 && result.days > 0 {
        result.days -= 30;
        result.months += 1;
    }
    Ok(result)
}

/// `justify_interval`: both, and all signs alike.
pub(crate) fn justify_interval(interval: &Interval) -> Result<Interval> {
    if infinite_interval(interval).is_some() {
        return Ok(*interval);
    }
    let mut result = *interval;
    // Days first where that keeps the sum from overflowing.
    if (result.days > 0 && result.micros > 0) || (result.days < 0 && result.micros < 0) {
        let months = result.months.checked_add(result.days / 30);
        result = checked(months, Some(result.days % 30), Some(result.micros))?;
    }
    let days = result.days.checked_add((result.micros / DAY) as i32);
    result = checked(Some(result.months), days, Some(result.micros % DAY))?;
    let months = result.months.checked_add(result.days / 30);
    result = checked(months, Some(result.days % 30), Some(result.micros))?;
    if result.months > 0 && (result.days < 0 || (result.days == 0 && result.micros < 0)) {
        result.days += 30;
        result.months -= 1;
    } else if result.months < 0 && (result.days > 0 || (result.days == 0 && result.micros > 0)) {
        result.days -= 30;
        result.months += 1;
    }
    if result.days > 0 && result.micros < 0 {
        result.micros += DAY;
        result.days -= 1;
    } else if result.days < 0 && result.micros > 0 {
        result.micros -= DAY;
        result.days += 1;
    }
    Ok(result)
}

/// `interval` from a time of day and back: the part below a day.
pub(crate) fn interval_to_time(interval: &Interval) -> Result<i64> {
    if infinite_interval(interval).is_some() {
        return Err(err!(DATETIME_FIELD_OVERFLOW, "cannot convert infinite interval to time"));
    }
    Ok(interval.micros.rem_euclid(DAY))
}

/// Fields at the start of an hour or less are left alone by `date_trunc`; this is what a day begins with.
pub(crate) fn midnight(tm: &Tm) -> Tm {
    Tm { year: tm.year, month: tm.month, day: tm.day, ..Tm::default() }
}

/// The calendar date of a Julian day, as fields.
pub(crate) fn tm_of_julian(julian: i32) -> Tm {
    let (year, month, day) = j2date(julian);
    Tm { year, month, day, ..Tm::default() }
}
