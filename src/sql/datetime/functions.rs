//! The functions of dates, times and intervals, as `pg_proc` has them.

use super::arithmetic as a;
use super::calendar::{
    DAY, HOUR, MINUTE, SECOND, Tm, UNIX_EPOCH_DAYS, checked_timestamp, days_in_month, days_of, in_range,
    interval_out_of_range, is_infinite, timestamp_of, timestamp_out_of_range,
};
use super::operators as ops;
use super::{fields, format, interval_in, zone};
use crate::document::{Datum, Interval, Type as T};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::{EvalContext, TimeZone};
use crate::sql::function::{Body, Function, ScalarFn, SetFn, Volatility};
use crate::sql::operators::{called_on_null, f};

use Volatility::{Immutable as I, Stable as S, Volatile as V};

const fn set(oid: u32, args: &'static [T], returns: T, volatility: Volatility, kernel: SetFn) -> Function {
    Function {
        body: Body::Set(kernel),
        ..f(oid, "generate_series", args, returns, volatility, unreachable_scalar as ScalarFn)
    }
}

fn unreachable_scalar(_: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Err(Error::internal("a set-returning function was called as a scalar"))
}

const fn defaults(function: Function, defaults: u8) -> Function {
    Function { defaults, ..function }
}

#[rustfmt::skip]
pub(super) static FUNCTIONS: &[Function] = &[
    f(6199, "extract", &[T::TEXT, T::DATE], T::NUMERIC, I, extract),
    f(6200, "extract", &[T::TEXT, T::TIME], T::NUMERIC, I, extract),
    f(6201, "extract", &[T::TEXT, T::TIMETZ], T::NUMERIC, I, extract),
    f(6202, "extract", &[T::TEXT, T::TIMESTAMP], T::NUMERIC, I, extract),
    f(6203, "extract", &[T::TEXT, T::TIMESTAMPTZ], T::NUMERIC, S, extract),
    f(6204, "extract", &[T::TEXT, T::INTERVAL], T::NUMERIC, I, extract),
    f(1384, "date_part", &[T::TEXT, T::DATE], T::FLOAT8, I, date_part),
    f(1385, "date_part", &[T::TEXT, T::TIME], T::FLOAT8, I, date_part),
    f(1273, "date_part", &[T::TEXT, T::TIMETZ], T::FLOAT8, I, date_part),
    f(2021, "date_part", &[T::TEXT, T::TIMESTAMP], T::FLOAT8, I, date_part),
    f(1171, "date_part", &[T::TEXT, T::TIMESTAMPTZ], T::FLOAT8, S, date_part),
    f(1172, "date_part", &[T::TEXT, T::INTERVAL], T::FLOAT8, I, date_part),
    f(2020, "date_trunc", &[T::TEXT, T::TIMESTAMP], T::TIMESTAMP, I, date_trunc),
    f(1217, "date_trunc", &[T::TEXT, T::TIMESTAMPTZ], T::TIMESTAMPTZ, S, date_trunc),
    f(1284, "date_trunc", &[T::TEXT, T::TIMESTAMPTZ, T::TEXT], T::TIMESTAMPTZ, S, date_trunc),
    f(1218, "date_trunc", &[T::TEXT, T::INTERVAL], T::INTERVAL, I, date_trunc),
    f(6177, "date_bin", &[T::INTERVAL, T::TIMESTAMP, T::TIMESTAMP], T::TIMESTAMP, I, date_bin),
    f(6178, "date_bin", &[T::INTERVAL, T::TIMESTAMPTZ, T::TIMESTAMPTZ], T::TIMESTAMPTZ, I, date_bin),
    f(2058, "age", &[T::TIMESTAMP, T::TIMESTAMP], T::INTERVAL, I, age),
    f(1199, "age", &[T::TIMESTAMPTZ, T::TIMESTAMPTZ], T::INTERVAL, I, age),
    f(2059, "age", &[T::TIMESTAMP], T::INTERVAL, S, age_today),
    f(1386, "age", &[T::TIMESTAMPTZ], T::INTERVAL, S, age_today),
    f(1175, "justify_hours", &[T::INTERVAL], T::INTERVAL, I, justify_hours),
    f(1295, "justify_days", &[T::INTERVAL], T::INTERVAL, I, justify_days),
    f(2711, "justify_interval", &[T::INTERVAL], T::INTERVAL, I, justify_interval),
    f(3846, "make_date", &[T::INT4, T::INT4, T::INT4], T::DATE, I, make_date),
    f(3847, "make_time", &[T::INT4, T::INT4, T::FLOAT8], T::TIME, I, make_time),
    f(3461, "make_timestamp", &[T::INT4, T::INT4, T::INT4, T::INT4, T::INT4, T::FLOAT8], T::TIMESTAMP, I, make_timestamp),
    f(3462, "make_timestamptz", &[T::INT4, T::INT4, T::INT4, T::INT4, T::INT4, T::FLOAT8], T::TIMESTAMPTZ, S, make_timestamptz),
    f(3463, "make_timestamptz", &[T::INT4, T::INT4, T::INT4, T::INT4, T::INT4, T::FLOAT8, T::TEXT], T::TIMESTAMPTZ, S, make_timestamptz),
    defaults(f(3464, "make_interval", &[T::INT4, T::INT4, T::INT4, T::INT4, T::INT4, T::INT4, T::FLOAT8], T::INTERVAL, I, make_interval), 7),
    f(1158, "to_timestamp", &[T::FLOAT8], T::TIMESTAMPTZ, I, float_to_timestamp),
    f(1373, "isfinite", &[T::DATE], T::BOOL, I, isfinite),
    f(1389, "isfinite", &[T::TIMESTAMPTZ], T::BOOL, I, isfinite),
    f(1390, "isfinite", &[T::INTERVAL], T::BOOL, I, isfinite),
    f(2048, "isfinite", &[T::TIMESTAMP], T::BOOL, I, isfinite),
    called_on_null(1271, "overlaps", &[T::TIMETZ, T::TIMETZ, T::TIMETZ, T::TIMETZ], T::BOOL, I, overlaps),
    called_on_null(1304, "overlaps", &[T::TIMESTAMPTZ, T::TIMESTAMPTZ, T::TIMESTAMPTZ, T::TIMESTAMPTZ], T::BOOL, I, overlaps),
    called_on_null(1305, "overlaps", &[T::TIMESTAMPTZ, T::INTERVAL, T::TIMESTAMPTZ, T::INTERVAL], T::BOOL, S, overlaps),
    called_on_null(1306, "overlaps", &[T::TIMESTAMPTZ, T::TIMESTAMPTZ, T::TIMESTAMPTZ, T::INTERVAL], T::BOOL, S, overlaps),
    called_on_null(1307, "overlaps", &[T::TIMESTAMPTZ, T::INTERVAL, T::TIMESTAMPTZ, T::TIMESTAMPTZ], T::BOOL, S, overlaps),
    called_on_null(1308, "overlaps", &[T::TIME, T::TIME, T::TIME, T::TIME], T::BOOL, I, overlaps),
    called_on_null(1309, "overlaps", &[T::TIME, T::INTERVAL, T::TIME, T::INTERVAL], T::BOOL, I, overlaps),
    called_on_null(1310, "overlaps", &[T::TIME, T::TIME, T::TIME, T::INTERVAL], T::BOOL, I, overlaps),
    called_on_null(1311, "overlaps", &[T::TIME, T::INTERVAL, T::TIME, T::TIME], T::BOOL, I, overlaps),
    called_on_null(2041, "overlaps", &[T::TIMESTAMP, T::TIMESTAMP, T::TIMESTAMP, T::TIMESTAMP], T::BOOL, I, overlaps),
    called_on_null(2042, "overlaps", &[T::TIMESTAMP, T::INTERVAL, T::TIMESTAMP, T::INTERVAL], T::BOOL, I, overlaps),
    called_on_null(2043, "overlaps", &[T::TIMESTAMP, T::TIMESTAMP, T::TIMESTAMP, T::INTERVAL], T::BOOL, I, overlaps),
    called_on_null(2044, "overlaps", &[T::TIMESTAMP, T::INTERVAL, T::TIMESTAMP, T::TIMESTAMP], T::BOOL, I, overlaps),
    f(1159, "timezone", &[T::TEXT, T::TIMESTAMPTZ], T::TIMESTAMP, I, timezone),
    f(1026, "timezone", &[T::INTERVAL, T::TIMESTAMPTZ], T::TIMESTAMP, I, timezone),
    f(2069, "timezone", &[T::TEXT, T::TIMESTAMP], T::TIMESTAMPTZ, I, timezone),
    f(2070, "timezone", &[T::INTERVAL, T::TIMESTAMP], T::TIMESTAMPTZ, I, timezone),
    f(2037, "timezone", &[T::TEXT, T::TIMETZ], T::TIMETZ, S, timezone),
    f(2038, "timezone", &[T::INTERVAL, T::TIMETZ], T::TIMETZ, I, timezone),
    f(6334, "timezone", &[T::TIMESTAMPTZ], T::TIMESTAMP, S, at_local),
    f(6335, "timezone", &[T::TIMESTAMP], T::TIMESTAMPTZ, S, at_local),
    f(6336, "timezone", &[T::TIMETZ], T::TIMETZ, S, at_local),
    f(1299, "now", &[], T::TIMESTAMPTZ, S, now),
    f(2647, "transaction_timestamp", &[], T::TIMESTAMPTZ, S, now),
    f(2648, "statement_timestamp", &[], T::TIMESTAMPTZ, S, statement_timestamp),
    f(2649, "clock_timestamp", &[], T::TIMESTAMPTZ, V, clock_timestamp),
    f(274, "timeofday", &[], T::TEXT, V, timeofday),
    f(6221, "date_add", &[T::TIMESTAMPTZ, T::INTERVAL], T::TIMESTAMPTZ, S, ops::timestamptz_pl_interval),
    f(6222, "date_add", &[T::TIMESTAMPTZ, T::INTERVAL, T::TEXT], T::TIMESTAMPTZ, I, date_add_at_zone),
    f(6223, "date_subtract", &[T::TIMESTAMPTZ, T::INTERVAL], T::TIMESTAMPTZ, S, ops::timestamptz_mi_interval),
    f(6273, "date_subtract", &[T::TIMESTAMPTZ, T::INTERVAL, T::TEXT], T::TIMESTAMPTZ, I, date_subtract_at_zone),
    f(2025, "timestamp", &[T::DATE, T::TIME], T::TIMESTAMP, I, ops::datetime_timestamp),
    f(1176, "timestamptz", &[T::DATE, T::TIME], T::TIMESTAMPTZ, S, date_time_to_timestamptz),
    f(1359, "timestamptz", &[T::DATE, T::TIMETZ], T::TIMESTAMPTZ, I, ops::datetimetz_timestamptz),
    set(938, &[T::TIMESTAMP, T::TIMESTAMP, T::INTERVAL], T::TIMESTAMP, I, generate_series),
    set(939, &[T::TIMESTAMPTZ, T::TIMESTAMPTZ, T::INTERVAL], T::TIMESTAMPTZ, S, generate_series),
    set(6274, &[T::TIMESTAMPTZ, T::TIMESTAMPTZ, T::INTERVAL, T::TEXT], T::TIMESTAMPTZ, I, generate_series),
    f(2049, "to_char", &[T::TIMESTAMP, T::TEXT], T::TEXT, S, super::to_char::to_char),
    f(1770, "to_char", &[T::TIMESTAMPTZ, T::TEXT], T::TEXT, S, super::to_char::to_char),
    f(1768, "to_char", &[T::INTERVAL, T::TEXT], T::TEXT, S, super::to_char::to_char),
    f(1780, "to_date", &[T::TEXT, T::TEXT], T::DATE, S, super::from_char::to_date),
    f(1778, "to_timestamp", &[T::TEXT, T::TEXT], T::TIMESTAMPTZ, S, super::from_char::to_timestamp),
    f(1772, "to_char", &[T::NUMERIC, T::TEXT], T::TEXT, S, super::number_format::to_char),
    f(1773, "to_char", &[T::INT4, T::TEXT], T::TEXT, S, super::number_format::to_char),
    f(1774, "to_char", &[T::INT8, T::TEXT], T::TEXT, S, super::number_format::to_char),
    f(1775, "to_char", &[T::FLOAT4, T::TEXT], T::TEXT, S, super::number_format::to_char),
    f(1776, "to_char", &[T::FLOAT8, T::TEXT], T::TEXT, S, super::number_format::to_char),
    f(1777, "to_number", &[T::TEXT, T::TEXT], T::NUMERIC, S, super::number_format::to_number),
];

fn unexpected(args: &[Datum]) -> Error {
    Error::internal(format!("datetime function called with {args:?}"))
}

fn extract(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Text(unit), value] => Ok(fields::extract(unit, value, context)?.map_or(Datum::Null, Datum::Numeric)),
        _ => Err(unexpected(args)),
    }
}

fn date_part(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Text(unit), value] => {
            let number = fields::extract(unit, &fields::part_value(value)?, context)?;
            Ok(number.map_or(Datum::Null, |number| Datum::Float8(number.to_f64())))
        }
        _ => Err(unexpected(args)),
    }
}

fn date_trunc(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Text(unit), Datum::Timestamp(t)] => fields::trunc_timestamp(unit, *t).map(Datum::Timestamp),
        [Datum::Text(unit), Datum::TimestampTz(t)] => {
            fields::trunc_timestamptz(unit, *t, &context.format.time_zone).map(Datum::TimestampTz)
        }
        [Datum::Text(unit), Datum::TimestampTz(t), Datum::Text(zone)] => {
            fields::trunc_timestamptz(unit, *t, &named_zone(zone)?).map(Datum::TimestampTz)
        }
        [Datum::Text(unit), Datum::Interval(i)] => fields::trunc_interval(unit, i).map(Datum::Interval),
        _ => Err(unexpected(args)),
    }
}

fn date_bin(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Interval(stride), Datum::Timestamp(t), Datum::Timestamp(origin)] => {
            fields::bin(stride, *t, *origin).map(Datum::Timestamp)
        }
        [Datum::Interval(stride), Datum::TimestampTz(t), Datum::TimestampTz(origin)] => {
            fields::bin(stride, *t, *origin).map(Datum::TimestampTz)
        }
        _ => Err(unexpected(args)),
    }
}

fn age(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let local = |t: i64| zone::utc_to_local(&context.format.time_zone, t);
    match args {
        [Datum::Timestamp(x), Datum::Timestamp(y)] => a::age(*x, *y).map(Datum::Interval),
        [Datum::TimestampTz(x), Datum::TimestampTz(y)] => a::age(local(*x), local(*y)).map(Datum::Interval),
        _ => Err(unexpected(args)),
    }
}

/// `age(x)` counts from the midnight that began today.
fn age_today(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let tz = &context.format.time_zone;
    let today = zone::utc_to_local(tz, context.transaction_time).div_euclid(DAY) * DAY;
    match args {
        [Datum::Timestamp(t)] => a::age(today, *t).map(Datum::Interval),
        [Datum::TimestampTz(t)] => a::age(today, zone::utc_to_local(tz, *t)).map(Datum::Interval),
        _ => Err(unexpected(args)),
    }
}

macro_rules! justify {
    ($($name:ident;)*) => {$(
        fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::Interval(interval)] => a::$name(interval).map(Datum::Interval),
                _ => Err(unexpected(args)),
            }
        }
    )*};
}

justify! {
    justify_hours;
    justify_days;
    justify_interval;
}

/// Fields of a date; negative years are BC.
fn date_fields(year: i32, month: i32, day: i32) -> Result<Tm> {
    let invalid = || err!(DATETIME_FIELD_OVERFLOW, "date field value out of range: {year}-{month:02}-{day:02}");
    let astronomical = match year {
        0 => return Err(invalid()),
        year if year < 0 => year.checked_add(1).ok_or_else(invalid)?,
        year => year,
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(astronomical, month) {
        return Err(invalid());
    }
    Ok(Tm { year: astronomical, month, day, ..Tm::default() })
}

/// Microseconds of a time of day.
fn time_fields(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let invalid = || {
        let shown = if second.fract() == 0.0 { format!("{second:02}") } else { format!("{second}") };
        err!(DATETIME_FIELD_OVERFLOW, "time field value out of range: {hour}:{minute:02}:{shown}")
    };
    // The seconds are rounded first, so that 59.9999999 is 60.
    let micros = (second * SECOND as f64).round_ties_even();
    if second.is_nan()
        || !(0..=24).contains(&hour)
        || !(0..60).contains(&minute)
        || !(0.0..=60.0 * SECOND as f64).contains(&micros)
    {
        return Err(invalid());
    }
    let total = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + micros as i64;
    if total > DAY { Err(invalid()) } else { Ok(total) }
}

fn make_date(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Int4(y), Datum::Int4(m), Datum::Int4(d)] => {
            let tm = date_fields(*y, *m, *d)?;
            let days = days_of(tm.year, tm.month, tm.day);
            days.map(Datum::Date).ok_or_else(|| err!(DATETIME_FIELD_OVERFLOW, "date out of range: {y}-{m:02}-{d:02}"))
        }
        _ => Err(unexpected(args)),
    }
}

fn make_time(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Int4(h), Datum::Int4(m), Datum::Float8(s)] => time_fields(*h, *m, *s).map(Datum::Time),
        _ => Err(unexpected(args)),
    }
}

fn local_fields(args: &[Datum]) -> Result<i64> {
    match args {
        [Datum::Int4(y), Datum::Int4(mo), Datum::Int4(d), Datum::Int4(h), Datum::Int4(mi), Datum::Float8(s), ..] => {
            let date = date_fields(*y, *mo, *d)?;
            let time = time_fields(*h, *mi, *s)?;
            let midnight = timestamp_of(&date).and_then(|t| t.checked_add(time)).filter(|t| in_range(*t));
            midnight.ok_or_else(|| {
                err!(DATETIME_FIELD_OVERFLOW, "timestamp out of range: {y}-{mo:02}-{d:02} {h}:{mi:02}:{s:02}")
            })
        }
        _ => Err(unexpected(args)),
    }
}

fn make_timestamp(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    local_fields(args).map(Datum::Timestamp)
}

fn make_timestamptz(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let local = local_fields(args)?;
    let instant = match args.get(6) {
        Some(Datum::Text(name)) => to_instant(&sane_zone(name)?, local)?,
        _ => to_instant(&context.format.time_zone, local)?,
    };
    Ok(Datum::TimestampTz(instant))
}

/// PostgreSQL's `parse_sane_timezone`: an offset with its sign is ISO's (east of Greenwich), anything else a name.
fn sane_zone(name: &str) -> Result<TimeZone> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(err!(INVALID_PARAMETER_VALUE, "invalid input syntax for type numeric time zone: \"{name}\"")
            .hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    if name.starts_with(['+', '-']) {
        let west = super::parse::zone_offset(name)
            .map_err(|_| err!(INVALID_PARAMETER_VALUE, "numeric time zone \"{name}\" out of range"))?;
        return Ok(TimeZone::Fixed(-west, name.to_string()));
    }
    named_zone(name)
}

fn to_instant(tz: &TimeZone, local: i64) -> Result<i64> {
    if is_infinite(local) { Ok(local) } else { checked_timestamp(Some(zone::local_to_utc(tz, local))) }
}

fn make_interval(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let part = |index: usize| match args.get(index) {
        Some(Datum::Int4(n)) => i64::from(*n),
        _ => 0,
    };
    let seconds = match args.get(6) {
        Some(Datum::Float8(seconds)) => *seconds,
        _ => 0.0,
    };
    if !seconds.is_finite() {
        return Err(interval_out_of_range());
    }
    let months = i32::try_from(part(0) * 12 + part(1)).ok();
    let days = i32::try_from(part(2) * 7 + part(3)).ok();
    let micros = (seconds * SECOND as f64).round_ties_even();
    let in_range = (-9.223_372_036_854_775e18..9.223_372_036_854_775e18).contains(&micros);
    let micros = in_range.then_some(micros as i64).and_then(|s| s.checked_add(part(4) * HOUR + part(5) * MINUTE));
    interval_in::checked(months, days, micros).map(Datum::Interval)
}

fn float_to_timestamp(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [Datum::Float8(seconds)] = args else { return Err(unexpected(args)) };
    if seconds.is_nan() {
        return Err(err!(DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(Datum::TimestampTz(if *seconds > 0.0 { i64::MAX } else { i64::MIN }));
    }
    let range = || {
        let mut shown = String::new();
        crate::sql::io::number::float8_out(*seconds, -9, &mut shown);
        err!(DATETIME_FIELD_OVERFLOW, "timestamp out of range: \"{shown}\"")
    };
    // Beyond these bounds the multiplication could leave 64 bits.
    if !(-210_866_803_200.0..=9_224_318_016_000.0).contains(seconds) {
        return Err(range());
    }
    let micros = ((seconds - (UNIX_EPOCH_DAYS * 86_400) as f64) * SECOND as f64).round_ties_even();
    let instant = micros as i64;
    if in_range(instant) { Ok(Datum::TimestampTz(instant)) } else { Err(range()) }
}

fn isfinite(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(match args {
        [Datum::Date(d)] => !matches!(*d, i32::MAX | i32::MIN),
        [Datum::Timestamp(t) | Datum::TimestampTz(t)] => !is_infinite(*t),
        [Datum::Interval(i)] => format::is_infinite(i).is_none(),
        _ => return Err(unexpected(args)),
    }))
}

/// The end of a period that is given by its start and an end or a length.
fn period_end(context: &EvalContext, start: &Datum, end: &Datum) -> Result<Datum> {
    match (start, end) {
        (_, Datum::Null) | (Datum::Null, Datum::Interval(_)) => Ok(Datum::Null),
        (Datum::Timestamp(t), Datum::Interval(i)) => a::timestamp_plus(*t, i).map(Datum::Timestamp),
        (Datum::TimestampTz(t), Datum::Interval(i)) => {
            a::timestamptz_plus(*t, i, &context.format.time_zone).map(Datum::TimestampTz)
        }
        (Datum::Time(t), Datum::Interval(i)) => a::time_plus(*t, i, "add").map(Datum::Time),
        (_, end) => Ok(end.clone()),
    }
}

/// The SQL standard's OVERLAPS, which knows NULL bounds.
fn overlaps(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    use crate::sql::operators::compare::compare;
    let [s1, e1, s2, e2] = args else { return Err(unexpected(args)) };
    let ends = (period_end(context, s1, e1)?, period_end(context, s2, e2)?);
    // Start known; end perhaps not, and not before the start.
    let order = |start: &Datum, end: Datum| match (start.is_null(), end.is_null()) {
        (true, true) => None,
        (true, false) => Some((end, Datum::Null)),
        (false, true) => Some((start.clone(), Datum::Null)),
        (false, false) if compare(start, &end).is_gt() => Some((end, start.clone())),
        (false, false) => Some((start.clone(), end)),
    };
    let (Some((s1, e1)), Some((s2, e2))) = (order(s1, ends.0), order(s2, ends.1)) else { return Ok(Datum::Null) };
    let later = |start: &Datum, earlier_end: &Datum, later_end: &Datum| {
        if earlier_end.is_null() {
            Datum::Null
        } else if compare(start, earlier_end).is_lt() {
            Datum::Bool(true)
        } else if later_end.is_null() {
            Datum::Null
        } else {
            Datum::Bool(false)
        }
    };
    Ok(match compare(&s1, &s2) {
        std::cmp::Ordering::Greater => later(&s1, &e2, &e1),
        std::cmp::Ordering::Less => later(&s2, &e1, &e2),
        std::cmp::Ordering::Equal if e1.is_null() || e2.is_null() => Datum::Null,
        std::cmp::Ordering::Equal => Datum::Bool(true),
    })
}

/// A zone by abbreviation or name, as AT TIME ZONE takes it.
pub(crate) fn named_zone(name: &str) -> Result<TimeZone> {
    let lower = name.to_lowercase();
    if let Some((east, _)) = zone::abbreviation(&lower) {
        return Ok(TimeZone::Fixed(east, name.to_uppercase()));
    }
    zone::find(name).ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "time zone \"{name}\" not recognized"))
}

fn interval_zone(interval: &Interval) -> Result<TimeZone> {
    let shown = || {
        let mut text = String::new();
        format::interval_out(interval, crate::sql::context::IntervalStyle::Postgres, &mut text);
        text
    };
    if format::is_infinite(interval).is_some() {
        return Err(err!(INVALID_PARAMETER_VALUE, "interval time zone \"{}\" must be finite", shown()));
    }
    if interval.months != 0 || interval.days != 0 {
        return Err(err!(
            INVALID_PARAMETER_VALUE,
            "interval time zone \"{}\" must not include months or days",
            shown()
        ));
    }
    Ok(TimeZone::Fixed((interval.micros / SECOND) as i32, String::new()))
}

fn timezone(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [name, value] = args else { return Err(unexpected(args)) };
    let tz = match name {
        Datum::Text(name) => named_zone(name)?,
        Datum::Interval(interval) => interval_zone(interval)?,
        _ => return Err(unexpected(args)),
    };
    in_zone(context, &tz, value)
}

fn at_local(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [value] = args else { return Err(unexpected(args)) };
    in_zone(context, &context.format.time_zone, value)
}

fn in_zone(context: &EvalContext, tz: &TimeZone, value: &Datum) -> Result<Datum> {
    match value {
        Datum::TimestampTz(t) if is_infinite(*t) => Ok(Datum::Timestamp(*t)),
        Datum::TimestampTz(t) => {
            let local = zone::utc_to_local(tz, *t);
            if in_range(local) { Ok(Datum::Timestamp(local)) } else { Err(timestamp_out_of_range()) }
        }
        Datum::Timestamp(t) => to_instant(tz, *t).map(Datum::TimestampTz),
        Datum::TimeTz(time, west) => {
            let east = zone::offset_at(tz, context.transaction_time);
            let moved = time + (i64::from(*west) + i64::from(east)) * SECOND;
            Ok(Datum::TimeTz(moved.rem_euclid(DAY), -east))
        }
        other => Err(unexpected(std::slice::from_ref(other))),
    }
}

fn now(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::TimestampTz(context.transaction_time))
}

fn statement_timestamp(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::TimestampTz(context.statement_time))
}

fn clock_timestamp(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::TimestampTz(context.host.clock()))
}

/// `Sun Nov 22 14:45:09.945941 2026 UTC`
fn timeofday(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    let instant = context.host.clock();
    let tz = &context.format.time_zone;
    let tm = super::calendar::tm_of(zone::utc_to_local(tz, instant));
    let weekday = super::calendar::j2day(super::calendar::date2j(tm.year, tm.month, tm.day)) as usize;
    Ok(Datum::text(format!(
        "{} {} {:02} {:02}:{:02}:{:02}.{:06} {:04} {}",
        &format::WEEKDAYS[weekday][..3],
        &format::MONTHS[(tm.month - 1) as usize][..3],
        tm.day,
        tm.hour,
        tm.minute,
        tm.second,
        tm.micros,
        tm.year,
        zone::abbreviation_at(tz, instant)
    )))
}

fn shift_at_zone(args: &[Datum], negate: bool) -> Result<Datum> {
    match args {
        [Datum::TimestampTz(t), Datum::Interval(i), Datum::Text(name)] => {
            let interval = if negate { a::negate(i)? } else { *i };
            a::timestamptz_plus(*t, &interval, &named_zone(name)?).map(Datum::TimestampTz)
        }
        _ => Err(unexpected(args)),
    }
}

fn date_add_at_zone(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    shift_at_zone(args, false)
}

fn date_subtract_at_zone(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    shift_at_zone(args, true)
}

fn date_time_to_timestamptz(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match ops::datetime_timestamp(context, args)? {
        Datum::Timestamp(local) => to_instant(&context.format.time_zone, local).map(Datum::TimestampTz),
        other => Ok(other),
    }
}

/// From one time to another in steps, which may go down.
fn generate_series(context: &EvalContext, args: &[Datum]) -> Result<Box<dyn Iterator<Item = Result<Datum>> + Send>> {
    let (start, stop, step, zoned) = match args {
        [Datum::Timestamp(start), Datum::Timestamp(stop), Datum::Interval(step)] => (*start, *stop, *step, false),
        [Datum::TimestampTz(start), Datum::TimestampTz(stop), Datum::Interval(step), ..] => {
            (*start, *stop, *step, true)
        }
        _ => return Err(unexpected(args)),
    };
    let tz = match args.get(3) {
        Some(Datum::Text(name)) => named_zone(name)?,
        _ => context.format.time_zone.clone(),
    };
    if format::is_infinite(&step).is_some() {
        return Err(err!(INVALID_PARAMETER_VALUE, "step size cannot be infinite"));
    }
    let up = match crate::sql::operators::compare::interval_length(&step).cmp(&0) {
        std::cmp::Ordering::Equal => {
            return Err(err!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
        }
        ordering => ordering.is_gt(),
    };
    let host = context.host.clone();
    let mut next = Some(Ok(start));
    let mut count = 0u32;
    Ok(Box::new(std::iter::from_fn(move || {
        let current = match next.take()? {
            Ok(current) => current,
            Err(error) => return Some(Err(error)),
        };
        if (up && current > stop) || (!up && current < stop) {
            return None;
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(4096)
            && let Err(error) = host.check_interrupt()
        {
            return Some(Err(error));
        }
        let following =
            if zoned { a::timestamptz_plus(current, &step, &tz) } else { a::timestamp_plus(current, &step) };
        // Infinity is where a series ends that started there.
        next = if is_infinite(current) { None } else { Some(following) };
        Some(Ok(if zoned { Datum::TimestampTz(current) } else { Datum::Timestamp(current) }))
    })))
}
