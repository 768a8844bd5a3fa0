//! `.datetime()`, `.date()`, `.time()`, ...: strings to dates and times, and how these compare.

use std::cmp::Ordering;

use super::Method;
use crate::document::{Datum, Numeric, Oid};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::{EvalContext, FormatSettings, TimeZone};
use crate::sql::datetime::{calendar, format, from_char, typmod, zone};
use crate::sql::functions;

/// ISO forms, the longer ones of a beginning first.
const FORMATS: &[&str] = &[
    "yyyy-mm-dd",
    "HH24:MI:SS.USTZ",
    "HH24:MI:SSTZ",
    "HH24:MI:SS.US",
    "HH24:MI:SS",
    "yyyy-mm-dd HH24:MI:SS.USTZ",
    "yyyy-mm-dd HH24:MI:SSTZ",
    "yyyy-mm-dd HH24:MI:SS.US",
    "yyyy-mm-dd HH24:MI:SS",
    "yyyy-mm-dd\"T\"HH24:MI:SS.USTZ",
    "yyyy-mm-dd\"T\"HH24:MI:SSTZ",
    "yyyy-mm-dd\"T\"HH24:MI:SS.US",
    "yyyy-mm-dd\"T\"HH24:MI:SS",
];

/// A date or time with the zone it was written in (seconds east), which a timestamptz does not keep.
pub(super) type Dated = (Datum, i32);

/// What a conversion that needs the session's zone says where it is not allowed. It is not suppressed by `silent`.
fn needs_zone(from: &str, to: &str) -> Error {
    err!(FEATURE_NOT_SUPPORTED, "cannot convert value from {from} to {to} without time zone usage")
        .hint("Use *_tz() function for time zone support.")
}

/// A failed conversion: suppressed in silent mode, or not.
pub(super) enum Failure {
    Suppressible(Error),
    Hard(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Suppressible(error)
    }
}

fn unrecognized(method: &str, text: &str) -> Error {
    err!(INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION, "{method} format is not recognized: \"{text}\"")
}

fn recognise(method: &str, text: &str) -> Result<Dated> {
    let found = FORMATS.iter().find_map(|template| from_char::standard(text, template).ok());
    found.ok_or_else(|| unrecognized(method, text))
}

/// `.datetime()` and `.datetime(template)`.
pub(super) fn datetime(text: &str, template: Option<&str>) -> Result<Dated> {
    match template {
        Some(template) => from_char::standard(text, template),
        None => recognise("datetime", text)
            .map_err(|error| error.hint("Use a datetime template argument to specify the input data format.")),
    }
}

/// The type's name as `.type()` gives it.
pub(super) fn type_name(value: &Datum) -> &'static str {
    match value {
        Datum::Date(_) => "date",
        Datum::Time(_) => "time without time zone",
        Datum::TimeTz(..) => "time with time zone",
        Datum::Timestamp(_) => "timestamp without time zone",
        _ => "timestamp with time zone",
    }
}

fn short_name(value: &Datum) -> &'static str {
    match value {
        Datum::Date(_) => "date",
        Datum::Time(_) => "time",
        Datum::TimeTz(..) => "timetz",
        Datum::Timestamp(_) => "timestamp",
        _ => "timestamptz",
    }
}

/// A conversion by the cast's function; `to` names the target where the session's zone decides.
fn cast(context: &EvalContext, oid: Oid, value: &Datum, to: Option<&str>, zoned: bool) -> Result<Datum, Failure> {
    if let Some(to) = to.filter(|_| !zoned) {
        return Err(Failure::Hard(needs_zone(short_name(value), to)));
    }
    Ok(functions::call(oid, context, std::slice::from_ref(value))?)
}

/// `.date()`
pub(super) fn date(context: &EvalContext, text: &str, zoned: bool) -> Result<Dated, Failure> {
    let (value, _) = recognise("date", text)?;
    let value = match value {
        Datum::Date(_) => value,
        Datum::Timestamp(_) => cast(context, 2029, &value, None, zoned)?,
        Datum::TimestampTz(_) => cast(context, 1178, &value, Some("date"), zoned)?,
        _ => return Err(unrecognized("date", text).into()),
    };
    Ok((value, 0))
}

/// `.time()`, `.time_tz()`, `.timestamp()` and `.timestamp_tz()`.
pub(super) fn moment(
    context: &EvalContext,
    method: Method,
    text: &str,
    precision: Option<&Numeric>,
    zoned: bool,
) -> Result<Dated, Failure> {
    let name = method.name();
    let (value, east) = recognise(name, text)?;
    let precision = match precision {
        None => None,
        Some(number) => Some(number.to_i64().and_then(|n| i32::try_from(n).ok()).ok_or_else(|| {
            err!(
                INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION,
                "time precision of jsonpath item method .{name}() is out of range for type integer"
            )
        })?),
    };
    let convert = |oid: Oid, to: Option<&str>| cast(context, oid, &value, to, zoned);
    let made = match (method, &value) {
        (Method::Time, Datum::Time(_))
        | (Method::TimeTz, Datum::TimeTz(..))
        | (Method::Timestamp, Datum::Timestamp(_))
        | (Method::TimestampTz, Datum::TimestampTz(_)) => value.clone(),
        (Method::Time, Datum::TimeTz(..)) => convert(2046, Some("time"))?,
        (Method::Time, Datum::Timestamp(_)) => convert(1316, None)?,
        (Method::Time, Datum::TimestampTz(_)) => convert(2019, Some("time"))?,
        (Method::TimeTz, Datum::Time(_)) => convert(2047, Some("timetz"))?,
        (Method::TimeTz, Datum::TimestampTz(_)) => convert(1388, Some("timetz"))?,
        (Method::Timestamp, Datum::Date(_)) => convert(2024, None)?,
        (Method::Timestamp, Datum::TimestampTz(_)) => convert(2027, Some("timestamp"))?,
        (Method::TimestampTz, Datum::Date(_)) => convert(1174, Some("timestamptz"))?,
        (Method::TimestampTz, Datum::Timestamp(_)) => convert(2028, Some("timestamptz"))?,
        _ => return Err(unrecognized(name, text).into()),
    };
    let precision = precision.unwrap_or(6).clamp(0, 6);
    let east = match &made {
        // Not written with a zone: the session's.
        Datum::TimestampTz(instant) if !matches!(value, Datum::TimestampTz(_)) => {
            zone::offset_at(&context.format.time_zone, *instant)
        }
        _ => east,
    };
    let rounded = match made {
        Datum::Time(micros) => Datum::Time(typmod::round(micros, precision)),
        Datum::TimeTz(micros, west) => Datum::TimeTz(typmod::round(micros, precision), west),
        Datum::Timestamp(micros) => Datum::Timestamp(typmod::timestamp(micros, precision)?),
        Datum::TimestampTz(micros) => Datum::TimestampTz(typmod::timestamp(micros, precision)?),
        other => other,
    };
    Ok((rounded, east))
}

/// The text in JSON.
pub(super) fn to_text(value: &Datum, east: i32) -> String {
    let mut text = String::new();
    let iso = FormatSettings::default();
    match value {
        Datum::Date(days) => format::date_out(*days, &iso, &mut text),
        Datum::Time(micros) => format::time_out(*micros, &mut text),
        Datum::TimeTz(micros, west) => {
            format::timetz_out(*micros, *west, &mut text);
            // The minutes of the zone are always there.
            if text.rfind(['+', '-']).is_some_and(|sign| text.len() - sign == 3) {
                text.push_str(":00");
            }
        }
        Datum::Timestamp(micros) => format::timestamp_json(*micros, None, &mut text),
        Datum::TimestampTz(micros) => {
            let zone = FormatSettings { time_zone: TimeZone::Fixed(east, String::new()), ..iso };
            format::timestamp_json(*micros, Some(&zone), &mut text);
        }
        _ => {}
    }
    text
}

/// The order of two values; `None` where their types have none.
pub(super) fn compare(context: &EvalContext, a: &Datum, b: &Datum, zoned: bool) -> Result<Option<Ordering>> {
    use Datum::*;
    let check = |from: &Datum, to: &str| match zoned {
        true => Ok(()),
        false => Err(needs_zone(short_name(from), to)),
    };
    let local = |days: i32| functions::call(2024, context, &[Date(days)]);
    Ok(Some(match (a, b) {
        (Date(x), Date(y)) => x.cmp(y),
        (Time(x), Time(y)) | (Timestamp(x), Timestamp(y)) | (TimestampTz(x), TimestampTz(y)) => x.cmp(y),
        (TimeTz(x, zx), TimeTz(y, zy)) => {
            let utc = |micros: i64, west: i32| micros + i64::from(west) * calendar::SECOND;
            utc(*x, *zx).cmp(&utc(*y, *zy)).then(zx.cmp(zy))
        }
        (Date(days), Timestamp(_)) => return compare(context, &beyond(local(*days), *days), b, zoned),
        (Timestamp(_), Date(_)) | (TimestampTz(_), Date(_) | Timestamp(_)) | (TimeTz(..), Time(_)) => {
            return Ok(compare(context, b, a, zoned)?.map(Ordering::reverse));
        }
        (Date(days), TimestampTz(_)) => {
            check(a, "timestamptz")?;
            let instant = functions::call(1174, context, std::slice::from_ref(a));
            let instant = match beyond(instant, *days) {
                Timestamp(infinite) => TimestampTz(infinite),
                other => other,
            };
            return compare(context, &instant, b, zoned);
        }
        (Timestamp(micros), TimestampTz(_)) => {
            check(a, "timestamptz")?;
            let infinite = if *micros > 0 { i64::MAX } else { i64::MIN };
            let instant = functions::call(2028, context, std::slice::from_ref(a)).unwrap_or(TimestampTz(infinite));
            return compare(context, &instant, b, zoned);
        }
        (Time(_), TimeTz(..)) => {
            check(a, "timetz")?;
            return compare(context, &functions::call(2047, context, std::slice::from_ref(a))?, b, zoned);
        }
        _ => return Ok(None),
    }))
}

/// A date that is no timestamp lies behind all of them.
fn beyond(converted: Result<Datum>, days: i32) -> Datum {
    converted.unwrap_or(Datum::Timestamp(if days > 0 { i64::MAX } else { i64::MIN }))
}
