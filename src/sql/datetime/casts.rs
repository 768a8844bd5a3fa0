//! Casts among dates, times and intervals, and their precision coercions, under the names of `pg_proc`.

use super::arithmetic as a;
use super::calendar::{DAY, is_infinite};
use super::operators::local_time;
use super::{typmod, zone};
use crate::document::{Datum, Interval};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

fn unexpected(args: &[Datum]) -> Error {
    Error::internal(format!("datetime cast called with {args:?}"))
}

macro_rules! casts {
    ($($name:ident: |$c:ident, $x:pat_param| $e:expr;)*) => {$(
        pub(crate) fn $name($c: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [$x] => Ok($e),
                _ => Err(unexpected(args)),
            }
        }
    )*};
}

/// NULL for infinities, which have no time of day.
fn time_of_day(local: i64) -> Datum {
    if is_infinite(local) { Datum::Null } else { Datum::Time(local.rem_euclid(DAY)) }
}

casts! {
    date_timestamp: |_c, Datum::Date(d)| Datum::Timestamp(a::date_to_timestamp(*d)?);
    date_timestamptz: |c, Datum::Date(d)| Datum::TimestampTz(to_instant(c, a::date_to_timestamp(*d)?)?);
    timestamp_date: |_c, Datum::Timestamp(t)| Datum::Date(a::timestamp_to_date(*t));
    timestamp_time: |_c, Datum::Timestamp(t)| time_of_day(*t);
    timestamp_timestamptz: |c, Datum::Timestamp(t)| Datum::TimestampTz(to_instant(c, *t)?);
    timestamptz_date: |c, Datum::TimestampTz(t)| Datum::Date(a::timestamp_to_date(to_local(c, *t)));
    timestamptz_time: |c, Datum::TimestampTz(t)| time_of_day(to_local(c, *t));
    timestamptz_timestamp: |c, Datum::TimestampTz(t)| Datum::Timestamp(to_local(c, *t));
    timestamptz_timetz: |c, Datum::TimestampTz(t)|
        if is_infinite(*t) {
            Datum::Null
        } else {
            Datum::TimeTz(local_time(c, *t), -zone::offset_at(&c.format.time_zone, *t))
        };
    time_timetz: |c, Datum::Time(t)|
        Datum::TimeTz(*t, -zone::offset_at_local(&c.format.time_zone, today(c).saturating_add(*t)));
    timetz_time: |_c, Datum::TimeTz(t, _)| Datum::Time(*t);
    time_interval: |_c, Datum::Time(t)| Datum::Interval(Interval { micros: *t, ..Default::default() });
    interval_time: |_c, Datum::Interval(i)| Datum::Time(a::interval_to_time(i)?);
}

fn to_local(context: &EvalContext, instant: i64) -> i64 {
    zone::utc_to_local(&context.format.time_zone, instant)
}

fn to_instant(context: &EvalContext, local: i64) -> Result<i64> {
    let instant = zone::local_to_utc(&context.format.time_zone, local);
    if is_infinite(local) { Ok(local) } else { super::calendar::checked_timestamp(Some(instant)) }
}

/// The local midnight before the start of the transaction.
fn today(context: &EvalContext) -> i64 {
    to_local(context, context.transaction_time).div_euclid(DAY) * DAY
}

/// Precision coercions: the value and the modifier.
macro_rules! scales {
    ($($name:ident: |$typmod:ident, $x:pat_param| $e:expr;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [$x, Datum::Int4($typmod)] => Ok($e),
                _ => Err(unexpected(args)),
            }
        }
    )*};
}

scales! {
    time_scale: |typmod, Datum::Time(t)| Datum::Time(typmod::round(*t, *typmod));
    timetz_scale: |typmod, Datum::TimeTz(t, z)| Datum::TimeTz(typmod::round(*t, *typmod), *z);
    interval_scale: |typmod, Datum::Interval(i)| Datum::Interval(typmod::interval(*i, *typmod));
}

pub(crate) fn timestamp_scale(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Timestamp(t), Datum::Int4(typmod)] => typmod::timestamp(*t, *typmod).map(Datum::Timestamp),
        _ => Err(unexpected(args)),
    }
}

pub(crate) fn timestamptz_scale(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::TimestampTz(t), Datum::Int4(typmod)] => typmod::timestamp(*t, *typmod).map(Datum::TimestampTz),
        _ => Err(unexpected(args)),
    }
}
