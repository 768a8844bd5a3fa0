//! The operators of dates, times and intervals other than comparison, under the names of `pg_proc`.

use super::arithmetic as a;
use super::calendar::{DAY, SECOND, date_out_of_range};
use super::zone;
use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

macro_rules! kernels {
    ($($name:ident: |$c:ident, $x:pat_param, $y:pat_param| $e:expr;)*) => {$(
        pub(crate) fn $name($c: &EvalContext, args: &[Datum]) -> Result<Datum> {
            #[allow(unused_imports)]
            use Datum::{Date, Float8, Int4, Interval, Time, TimeTz, Timestamp, TimestampTz};
            match args {
                [$x, $y] => Ok($e),
                _ => Err(Error::internal(format!("datetime kernel called with {args:?}"))),
            }
        }
    )*};
}

kernels! {
    date_pli: |_c, Date(d), Int4(n)| Date(a::date_plus(*d, *n)?);
    integer_pl_date: |_c, Int4(n), Date(d)| Date(a::date_plus(*d, *n)?);
    date_mii: |_c, Date(d), Int4(n)| Date(a::date_plus(*d, n.checked_neg().ok_or_else(date_out_of_range)?)?);
    date_mi: |_c, Date(x), Date(y)| Int4(date_minus(*x, *y)?);
    date_pl_interval: |_c, Date(d), Interval(i)| Timestamp(a::timestamp_plus(a::date_to_timestamp(*d)?, i)?);
    interval_pl_date: |_c, Interval(i), Date(d)| Timestamp(a::timestamp_plus(a::date_to_timestamp(*d)?, i)?);
    date_mi_interval: |_c, Date(d), Interval(i)|
        Timestamp(a::timestamp_plus(a::date_to_timestamp(*d)?, &a::negate(i)?)?);
    timestamp_pl_interval: |_c, Timestamp(t), Interval(i)| Timestamp(a::timestamp_plus(*t, i)?);
    interval_pl_timestamp: |_c, Interval(i), Timestamp(t)| Timestamp(a::timestamp_plus(*t, i)?);
    timestamp_mi_interval: |_c, Timestamp(t), Interval(i)| Timestamp(a::timestamp_plus(*t, &a::negate(i)?)?);
    timestamptz_pl_interval: |c, TimestampTz(t), Interval(i)|
        TimestampTz(a::timestamptz_plus(*t, i, &c.format.time_zone)?);
    interval_pl_timestamptz: |c, Interval(i), TimestampTz(t)|
        TimestampTz(a::timestamptz_plus(*t, i, &c.format.time_zone)?);
    timestamptz_mi_interval: |c, TimestampTz(t), Interval(i)|
        TimestampTz(a::timestamptz_plus(*t, &a::negate(i)?, &c.format.time_zone)?);
    time_pl_interval: |_c, Time(t), Interval(i)| Time(a::time_plus(*t, i, "add")?);
    interval_pl_time: |_c, Interval(i), Time(t)| Time(a::time_plus(*t, i, "add")?);
    time_mi_interval: |_c, Time(t), Interval(i)| Time(a::time_plus(*t, &minus(i), "subtract")?);
    timetz_pl_interval: |_c, TimeTz(t, z), Interval(i)| TimeTz(a::time_plus(*t, i, "add")?, *z);
    interval_pl_timetz: |_c, Interval(i), TimeTz(t, z)| TimeTz(a::time_plus(*t, i, "add")?, *z);
    timetz_mi_interval: |_c, TimeTz(t, z), Interval(i)| TimeTz(a::time_plus(*t, &minus(i), "subtract")?, *z);
    time_mi_time: |_c, Time(x), Time(y)|
        Interval(crate::document::Interval { micros: x - y, ..Default::default() });
    interval_pl: |_c, Interval(x), Interval(y)| Interval(a::sum(x, y)?);
    interval_mi: |_c, Interval(x), Interval(y)| Interval(a::subtract(x, y)?);
    interval_mul: |_c, Interval(i), Float8(f)| Interval(a::multiply(i, *f)?);
    mul_d_interval: |_c, Float8(f), Interval(i)| Interval(a::multiply(i, *f)?);
    interval_div: |_c, Interval(i), Float8(f)| Interval(a::divide(i, *f)?);
    datetime_timestamp: |_c, Date(d), Time(t)| Timestamp(date_and_time(*d, *t)?);
    timedate_pl: |_c, Time(t), Date(d)| Timestamp(date_and_time(*d, *t)?);
    datetimetz_timestamptz: |_c, Date(d), TimeTz(t, z)| TimestampTz(date_and_timetz(*d, *t, *z)?);
    timetzdate_pl: |_c, TimeTz(t, z), Date(d)| TimestampTz(date_and_timetz(*d, *t, *z)?);
}

/// `-interval` with the fields as they are, for the part below a day.
fn minus(interval: &crate::document::Interval) -> crate::document::Interval {
    match super::format::is_infinite(interval) {
        Some(_) => *interval,
        None => crate::document::Interval { micros: interval.micros.wrapping_neg(), ..Default::default() },
    }
}

fn date_minus(x: i32, y: i32) -> Result<i32> {
    let infinite = |date: i32| matches!(date, i32::MAX | i32::MIN);
    if infinite(x) || infinite(y) {
        return Err(err!(DATETIME_FIELD_OVERFLOW, "cannot subtract infinite dates"));
    }
    Ok(x - y)
}

fn date_and_time(date: i32, time: i64) -> Result<i64> {
    let midnight = a::date_to_timestamp(date)?;
    if super::calendar::is_infinite(midnight) {
        return Ok(midnight);
    }
    super::calendar::checked_timestamp(midnight.checked_add(time))
}

fn date_and_timetz(date: i32, time: i64, west: i32) -> Result<i64> {
    let local = a::date_to_timestamp(date)?;
    if super::calendar::is_infinite(local) {
        return Ok(local);
    }
    super::calendar::checked_timestamp(local.checked_add(time + i64::from(west) * SECOND))
}

/// `timestamp - timestamp` and `timestamptz - timestamptz`.
pub(crate) fn timestamp_mi(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Timestamp(x), Datum::Timestamp(y)] | [Datum::TimestampTz(x), Datum::TimestampTz(y)] => {
            a::difference(*x, *y).map(Datum::Interval)
        }
        _ => Err(Error::internal("timestamp_mi called with other types")),
    }
}

pub(crate) fn interval_um(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Interval(interval)] => a::negate(interval).map(Datum::Interval),
        _ => Err(Error::internal("interval_um called with another type")),
    }
}

/// The time of day of an instant in the session's zone.
pub(crate) fn local_time(context: &EvalContext, instant: i64) -> i64 {
    zone::utc_to_local(&context.format.time_zone, instant).rem_euclid(DAY)
}
