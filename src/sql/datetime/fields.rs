//! EXTRACT, date_part, date_trunc and date_bin: the fields of dates, times and intervals.

use super::arithmetic::{date_to_timestamp, midnight, tm_of_julian};
use super::calendar::{
    DAY, EPOCH_JULIAN, HOUR, MINUTE, SECOND, Tm, UNIX_EPOCH_DAYS, checked_timestamp, date2j, day_of_year, is_infinite,
    iso_week_start, iso_year_week, j2day, time_of, timestamp_of, tm_of, tm_of_time,
};
use super::{format, zone};
use crate::document::{Datum, Interval, Numeric, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::{EvalContext, TimeZone};
use crate::sql::types;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Julian,
    IsoYear,
    Dow,
    IsoDow,
    Doy,
    Epoch,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

fn unit_error(code: &'static str, unit: &str, typ: Type) -> Error {
    let name = types::format_type(typ);
    match code {
        "not recognized" => err!(INVALID_PARAMETER_VALUE, "unit \"{unit}\" not recognized for type {name}"),
        _ => err!(FEATURE_NOT_SUPPORTED, "unit \"{unit}\" not supported for type {name}"),
    }
}

/// The field that a word names; case does not matter, long words count up to ten characters.
fn field(unit: &str, typ: Type) -> Result<Field> {
    use Field::*;
    let lower = unit.to_lowercase();
    Ok(match lower.get(..10).unwrap_or(&lower) {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" => Microseconds,
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" => Milliseconds,
        "s" | "sec" | "secs" | "second" | "seconds" => Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Hour,
        "d" | "day" | "days" => Day,
        "w" | "week" | "weeks" => Week,
        "mon" | "mons" | "month" | "months" => Month,
        "qtr" | "quarter" => Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => Year,
        "dec" | "decs" | "decade" | "decades" => Decade,
        "c" | "cent" | "century" | "centuries" => Century,
        "mil" | "mils" | "millennium" | "millennia" => Millennium,
        "j" | "jd" | "julian" => Julian,
        "isoyear" => IsoYear,
        "dow" => Dow,
        "isodow" => IsoDow,
        "doy" => Doy,
        "epoch" => Epoch,
        "timezone" => Timezone,
        "timezone_h" => TimezoneHour,
        "timezone_m" => TimezoneMinute,
        _ => return Err(unit_error("not recognized", &lower, typ)),
    })
}

fn int(value: impl Into<i64>) -> Numeric {
    Numeric::from_i64(value.into())
}

/// `value / 10^scale`, with that scale.
fn scaled(value: i128, scale: u16) -> Numeric {
    Numeric::from_mantissa(value, scale)
}

fn infinity(positive: bool) -> Numeric {
    Numeric::from_f64(if positive { f64::INFINITY } else { f64::NEG_INFINITY })
}

fn decade(year: i32) -> i32 {
    if year > 0 { year / 10 } else { -((8 - (year - 1)) / 10) }
}

fn century(year: i32) -> i32 {
    if year > 0 { (year + 99) / 100 } else { -((99 - (year - 1)) / 100) }
}

fn millennium(year: i32) -> i32 {
    if year > 0 { (year + 999) / 1000 } else { -((999 - (year - 1)) / 1000) }
}

/// Fields of a second that times and timestamps share.
fn clock_field(field: Field, tm: &Tm) -> Option<Numeric> {
    let micros = i128::from(tm.second) * 1_000_000 + i128::from(tm.micros);
    Some(match field {
        Field::Microseconds => scaled(micros, 0),
        Field::Milliseconds => scaled(micros, 3),
        Field::Second => scaled(micros, 6),
        Field::Minute => int(tm.minute),
        Field::Hour => int(tm.hour),
        _ => return None,
    })
}

fn zone_field(field: Field, east: i32) -> Option<Numeric> {
    Some(match field {
        Field::Timezone => int(east),
        Field::TimezoneHour => int(east / 3600),
        Field::TimezoneMinute => int(east / 60 % 60),
        _ => return None,
    })
}

/// Fields of the calendar.
fn date_field(field: Field, tm: &Tm) -> Option<Numeric> {
    let (year, month, day) = (tm.year, tm.month, tm.day);
    // There is no year 0: 1 BC is -1.
    let shown = |year: i32| int(if year > 0 { year } else { year - 1 });
    Some(match field {
        Field::Day => int(day),
        Field::Month => int(month),
        Field::Quarter => int((month - 1) / 3 + 1),
        Field::Week => int(iso_year_week(year, month, day).1),
        Field::Year => shown(year),
        Field::Decade => int(if year >= 0 { year / 10 } else { decade(year) }),
        Field::Century => int(century(year)),
        Field::Millennium => int(millennium(year)),
        Field::IsoYear => shown(iso_year_week(year, month, day).0),
        Field::Dow => int(j2day(date2j(year, month, day))),
        Field::IsoDow => match j2day(date2j(year, month, day)) {
            0 => int(7),
            day => int(day),
        },
        Field::Doy => int(day_of_year(year, month, day)),
        _ => return None,
    })
}

/// Fields that infinity has: those that only grow.
fn infinite_field(field: Field, positive: bool) -> Option<Numeric> {
    use Field::*;
    matches!(field, Year | Decade | Century | Millennium | Julian | IsoYear | Epoch).then(|| infinity(positive))
}

fn timestamp_field(field: Field, local: i64, epoch: i64, east: Option<i32>) -> Result<Option<Option<Numeric>>> {
    let tm = tm_of(local);
    let found = clock_field(field, &tm).or_else(|| date_field(field, &tm));
    if found.is_some() {
        return Ok(Some(found));
    }
    Ok(match field {
        Field::Julian => {
            let part = scaled(i128::from(time_of(&tm)), 0).div(&scaled(i128::from(DAY), 0))?;
            Some(Some(int(date2j(tm.year, tm.month, tm.day)).add(&part)?))
        }
        Field::Epoch => Some(Some(scaled(i128::from(epoch) + i128::from(UNIX_EPOCH_DAYS * DAY), 6))),
        field => east.and_then(|east| zone_field(field, east)).map(Some),
    })
}

/// EXTRACT from a value of any of the types; `None` is NULL.
pub(crate) fn extract(unit: &str, value: &Datum, context: &EvalContext) -> Result<Option<Numeric>> {
    let typ = crate::sql::io::natural_type(value);
    let field = field(unit, typ)?;
    let unsupported = || unit_error("not supported", &unit.to_lowercase(), typ);
    match value {
        Datum::Date(days) => {
            let clock = matches!(
                field,
                Field::Microseconds | Field::Milliseconds | Field::Second | Field::Minute | Field::Hour
            );
            if clock || matches!(field, Field::Timezone | Field::TimezoneHour | Field::TimezoneMinute) {
                return Err(unsupported());
            }
            if matches!(*days, i32::MAX | i32::MIN) {
                return Ok(infinite_field(field, *days > 0));
            }
            let tm = tm_of_julian(days.wrapping_add(EPOCH_JULIAN));
            match field {
                Field::Julian => Ok(Some(int(i64::from(*days) + i64::from(EPOCH_JULIAN)))),
                Field::Epoch => Ok(Some(int((i64::from(*days) + UNIX_EPOCH_DAYS) * 86_400))),
                field => date_field(field, &tm).map(Some).ok_or_else(unsupported),
            }
        }
        Datum::Timestamp(t) | Datum::TimestampTz(t) => {
            let zoned = matches!(value, Datum::TimestampTz(_));
            let zone_units = matches!(field, Field::Timezone | Field::TimezoneHour | Field::TimezoneMinute);
            if zone_units && !zoned {
                return Err(unsupported());
            }
            if is_infinite(*t) {
                return Ok(infinite_field(field, *t > 0));
            }
            let east = zoned.then(|| zone::offset_at(&context.format.time_zone, *t));
            let local = t.saturating_add(i64::from(east.unwrap_or(0)) * SECOND);
            timestamp_field(field, local, *t, east)?.ok_or_else(unsupported)
        }
        Datum::Time(t) => match field {
            Field::Epoch => Ok(Some(scaled(i128::from(*t), 6))),
            field => clock_field(field, &tm_of_time(*t)).map(Some).ok_or_else(unsupported),
        },
        Datum::TimeTz(t, west) => match field {
            Field::Epoch => Ok(Some(scaled(i128::from(*t) + i128::from(*west) * 1_000_000, 6))),
            field => clock_field(field, &tm_of_time(*t))
                .or_else(|| zone_field(field, -west))
                .map(Some)
                .ok_or_else(unsupported),
        },
        Datum::Interval(interval) => interval_field(field, interval, unsupported),
        other => Err(Error::internal(format!("extract from {other:?}"))),
    }
}

fn interval_field(field: Field, interval: &Interval, unsupported: impl Fn() -> Error) -> Result<Option<Numeric>> {
    use Field::*;
    if let Some(positive) = format::is_infinite(interval) {
        return match field {
            Microseconds | Milliseconds | Second | Minute | Month | Quarter => Ok(None),
            Hour | Day | Week | Year | Decade | Century | Millennium | Epoch => Ok(Some(infinity(positive))),
            _ => Err(unsupported()),
        };
    }
    let (years, months) = (interval.months / 12, interval.months % 12);
    let time = interval.micros;
    let in_minute = i128::from(time % MINUTE);
    Ok(Some(match field {
        Microseconds => scaled(in_minute, 0),
        Milliseconds => scaled(in_minute, 3),
        Second => scaled(in_minute, 6),
        Minute => int(time % HOUR / MINUTE),
        Hour => int(time / HOUR),
        Day => int(interval.days),
        Week => int(interval.days / 7),
        Month => int(months),
        Quarter => int(if months >= 0 && years >= 0 { months / 3 + 1 } else { -(-months / 3 + 1) }),
        Year => int(years),
        Decade => int(years / 10),
        Century => int(years / 100),
        Millennium => int(years / 1000),
        Epoch => {
            // A year has 365.25 days, a month 30; in quarters of a day.
            let quarters = i128::from(years) * 1461 + i128::from(months) * 120 + i128::from(interval.days) * 4;
            scaled(quarters * 21_600 * 1_000_000 + i128::from(time), 6)
        }
        _ => return Err(unsupported()),
    }))
}

/// The start of the unit that a local time is in.
fn truncate(field: Field, tm: &Tm, unsupported: impl Fn() -> Error) -> Result<Tm> {
    use Field::*;
    let start = |year: i32, month: i32, day: i32| Tm { year, month, day, ..Tm::default() };
    let y = tm.year;
    Ok(match field {
        Millennium if y > 0 => start((y + 999) / 1000 * 1000 - 999, 1, 1),
        Millennium => start(-((999 - (y - 1)) / 1000) * 1000 + 1, 1, 1),
        Century if y > 0 => start((y + 99) / 100 * 100 - 99, 1, 1),
        Century => start(-((99 - (y - 1)) / 100) * 100 + 1, 1, 1),
        Decade if y > 0 => start(y / 10 * 10, 1, 1),
        Decade => start(-((8 - (y - 1)) / 10) * 10, 1, 1),
        Year => start(y, 1, 1),
        Quarter => start(y, (tm.month - 1) / 3 * 3 + 1, 1),
        Month => start(y, tm.month, 1),
        Week => {
            let (year, week) = iso_year_week(y, tm.month, tm.day);
            tm_of_julian(iso_week_start(year) + (week - 1) * 7)
        }
        Day => midnight(tm),
        Hour => Tm { hour: tm.hour, ..midnight(tm) },
        Minute => Tm { second: 0, micros: 0, ..*tm },
        Second => Tm { micros: 0, ..*tm },
        Milliseconds => Tm { micros: tm.micros / 1000 * 1000, ..*tm },
        Microseconds => *tm,
        _ => return Err(unsupported()),
    })
}

/// Whether `date_trunc` knows the field, which it must even for infinity.
fn check_truncates(field: Field, unit: &str, typ: Type) -> Result<()> {
    truncate(field, &tm_of(0), || unit_error("not supported", unit, typ)).map(|_| ())
}

/// Fields that only dates have are not recognized by `date_trunc`, rather than not supported.
fn trunc_field(unit: &str, typ: Type) -> Result<Field> {
    use Field::*;
    match field(unit, typ)? {
        Julian | IsoYear | Dow | IsoDow | Doy | Epoch => Err(unit_error("not recognized", &unit.to_lowercase(), typ)),
        field => Ok(field),
    }
}

/// `date_trunc(unit, timestamp)`.
pub(crate) fn trunc_timestamp(unit: &str, timestamp: i64) -> Result<i64> {
    let unit = unit.to_lowercase();
    let field = trunc_field(&unit, Type::TIMESTAMP)?;
    check_truncates(field, &unit, Type::TIMESTAMP)?;
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let tm = truncate(field, &tm_of(timestamp), || unit_error("not supported", &unit, Type::TIMESTAMP))?;
    checked_timestamp(timestamp_of(&tm))
}

/// `date_trunc(unit, timestamptz)` in a zone.
pub(crate) fn trunc_timestamptz(unit: &str, instant: i64, tz: &TimeZone) -> Result<i64> {
    let unit = unit.to_lowercase();
    let field = trunc_field(&unit, Type::TIMESTAMPTZ)?;
    check_truncates(field, &unit, Type::TIMESTAMPTZ)?;
    if is_infinite(instant) {
        return Ok(instant);
    }
    let east = zone::offset_at(tz, instant);
    let local = instant + i64::from(east) * SECOND;
    let tm = truncate(field, &tm_of(local), || unit_error("not supported", &unit, Type::TIMESTAMPTZ))?;
    let local = checked_timestamp(timestamp_of(&tm))?;
    use Field::*;
    // Below a day the offset of the instant holds; a day starts with its own.
    let instant = match field {
        Hour | Minute | Second | Milliseconds | Microseconds => local - i64::from(east) * SECOND,
        _ => zone::local_to_utc(tz, local),
    };
    checked_timestamp(Some(instant))
}

/// `date_trunc(unit, interval)`.
pub(crate) fn trunc_interval(unit: &str, interval: &Interval) -> Result<Interval> {
    use Field::*;
    let unit = unit.to_lowercase();
    let field = trunc_field(&unit, Type::INTERVAL)?;
    let months = |unit: i32| Interval { months: interval.months / unit * unit, ..Interval::default() };
    let time = |unit: i64| Interval { micros: interval.micros / unit * unit, ..*interval };
    let truncated = match field {
        Millennium => months(12_000),
        Century => months(1200),
        Decade => months(120),
        Year => months(12),
        Quarter => months(3),
        Month => months(1),
        Day => Interval { micros: 0, ..*interval },
        Hour => time(HOUR),
        Minute => time(MINUTE),
        Second => time(SECOND),
        Milliseconds => time(1000),
        Microseconds => *interval,
        Week => {
            return Err(
                unit_error("not supported", &unit, Type::INTERVAL).detail("Months usually have fractional weeks.")
            );
        }
        _ => return Err(unit_error("not supported", &unit, Type::INTERVAL)),
    };
    Ok(if format::is_infinite(interval).is_some() { *interval } else { truncated })
}

/// `date_bin(stride, timestamp, origin)`.
pub(crate) fn bin(stride: &Interval, timestamp: i64, origin: i64) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    if is_infinite(origin) {
        return Err(err!(DATETIME_FIELD_OVERFLOW, "origin out of range"));
    }
    if format::is_infinite(stride).is_some() {
        return Err(err!(DATETIME_FIELD_OVERFLOW, "timestamps cannot be binned into infinite intervals"));
    }
    if stride.months != 0 {
        return Err(err!(
            FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years"
        ));
    }
    let width = i64::from(stride.days).checked_mul(DAY).and_then(|days| days.checked_add(stride.micros));
    let width = width.ok_or_else(|| err!(DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
    if width <= 0 {
        return Err(err!(DATETIME_FIELD_OVERFLOW, "stride must be greater than zero"));
    }
    let difference =
        timestamp.checked_sub(origin).ok_or_else(|| err!(DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
    checked_timestamp(origin.checked_add(difference.div_euclid(width) * width))
}

/// `date_part` of a date is that of its midnight.
pub(crate) fn part_value(value: &Datum) -> Result<Datum> {
    match value {
        Datum::Date(days) => date_to_timestamp(*days).map(Datum::Timestamp),
        other => Ok(other.clone()),
    }
}
