//! Output of dates, times and intervals in every DateStyle and IntervalStyle.

use std::fmt::Write as _;

use super::calendar::{EPOCH_JULIAN, HOUR, MINUTE, SECOND, Tm, date2j, j2date, j2day, tm_of, tm_of_time};
use super::zone;
use crate::document::Interval;
use crate::sql::context::{DateOrder, DateStyle, FormatSettings, IntervalStyle};

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Two digits.
fn two(value: i32, out: &mut String) {
    if (0..100).contains(&value) {
        out.push(char::from(b'0' + (value / 10) as u8));
        out.push(char::from(b'0' + (value % 10) as u8));
    } else {
        let _ = write!(out, "{value:02}");
    }
}

/// The year as shown: years before 1 are shown positive, with BC at the end.
fn year(value: i32, out: &mut String) {
    let shown = if value > 0 { value } else { 1 - value };
    let _ = write!(out, "{shown:04}");
}

fn era(value: i32, out: &mut String) {
    if value <= 0 {
        out.push_str(" BC");
    }
}

/// Seconds with the fraction that there is.
fn seconds(second: i32, micros: i32, out: &mut String) {
    two(second, out);
    fraction(micros, out);
}

fn fraction(micros: i32, out: &mut String) {
    if micros != 0 {
        let digits = format!("{:06}", micros.unsigned_abs());
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
}

fn clock(tm: &Tm, out: &mut String) {
    two(tm.hour, out);
    out.push(':');
    two(tm.minute, out);
    out.push(':');
    seconds(tm.second, tm.micros, out);
}

/// `+hh[:mm[:ss]]` of seconds east.
pub(crate) fn offset(east: i32, out: &mut String) {
    out.push(if east < 0 { '-' } else { '+' });
    let east = east.unsigned_abs() as i32;
    two(east / 3600, out);
    if east % 3600 != 0 {
        out.push(':');
        two(east % 3600 / 60, out);
        if east % 60 != 0 {
            out.push(':');
            two(east % 60, out);
        }
    }
}

/// `date_out`.
pub fn date_out(days: i32, format: &FormatSettings, out: &mut String) {
    match days {
        i32::MAX => out.push_str("infinity"),
        i32::MIN => out.push_str("-infinity"),
        days => {
            let (y, m, d) = j2date(days.wrapping_add(EPOCH_JULIAN));
            date(y, m, d, format, out);
            era(y, out);
        }
    }
}

fn date(y: i32, m: i32, d: i32, format: &FormatSettings, out: &mut String) {
    let day_first = format.date_order == DateOrder::Dmy;
    match format.date_style {
        DateStyle::Iso => {
            year(y, out);
            out.push('-');
            two(m, out);
            out.push('-');
            two(d, out);
        }
        DateStyle::German => {
            two(d, out);
            out.push('.');
            two(m, out);
            out.push('.');
            year(y, out);
        }
        DateStyle::Sql | DateStyle::Postgres => {
            let separator = if format.date_style == DateStyle::Sql { '/' } else { '-' };
            let (first, second) = if day_first { (d, m) } else { (m, d) };
            two(first, out);
            out.push(separator);
            two(second, out);
            out.push(separator);
            year(y, out);
        }
    }
}

/// `time_out`.
pub fn time_out(time: i64, out: &mut String) {
    clock(&tm_of_time(time), out);
}

/// `timetz_out`.
pub fn timetz_out(time: i64, west: i32, out: &mut String) {
    time_out(time, out);
    offset(-west, out);
}

/// `timestamp_out`.
pub fn timestamp_out(timestamp: i64, format: &FormatSettings, out: &mut String) {
    if !infinite(timestamp, out) {
        date_time(&tm_of(timestamp), None, format, out);
    }
}

/// `timestamptz_out`: in the session's zone.
pub fn timestamptz_out(instant: i64, format: &FormatSettings, out: &mut String) {
    if infinite(instant, out) {
        return;
    }
    let east = zone::offset_at(&format.time_zone, instant);
    let tm = tm_of(instant.saturating_add(i64::from(east) * SECOND));
    let name = match format.date_style {
        DateStyle::Iso => String::new(),
        _ => zone::abbreviation_at(&format.time_zone, instant),
    };
    date_time(&tm, Some((east, &name)), format, out);
}

fn infinite(timestamp: i64, out: &mut String) -> bool {
    match timestamp {
        i64::MAX => out.push_str("infinity"),
        i64::MIN => out.push_str("-infinity"),
        _ => return false,
    }
    true
}

fn date_time(tm: &Tm, zone: Option<(i32, &str)>, format: &FormatSettings, out: &mut String) {
    match format.date_style {
        DateStyle::Postgres => {
            let weekday = j2day(date2j(tm.year, tm.month, tm.day)) as usize;
            out.push_str(&WEEKDAYS[weekday][..3]);
            out.push(' ');
            let month = &MONTHS[(tm.month - 1) as usize][..3];
            if format.date_order == DateOrder::Dmy {
                two(tm.day, out);
                let _ = write!(out, " {month} ");
            } else {
                let _ = write!(out, "{month} ");
                two(tm.day, out);
                out.push(' ');
            }
            clock(tm, out);
            out.push(' ');
            year(tm.year, out);
        }
        _ => {
            date(tm.year, tm.month, tm.day, format, out);
            out.push(' ');
            clock(tm, out);
        }
    }
    match zone {
        None => {}
        Some((east, _)) if format.date_style == DateStyle::Iso => offset(east, out),
        // An abbreviation that is itself an offset is written as one.
        Some((east, name)) if name.starts_with(['+', '-']) || name.is_empty() => {
            out.push(' ');
            offset(east, out);
        }
        Some((_, name)) => {
            if format.date_style != DateStyle::German || !name.is_empty() {
                out.push(' ');
            }
            out.push_str(name);
        }
    }
    era(tm.year, out);
}

/// JSON's form of a timestamp: ISO with `T`.
pub fn timestamp_json(timestamp: i64, zone: Option<&FormatSettings>, out: &mut String) {
    let mut text = String::new();
    let format = FormatSettings { date_style: DateStyle::Iso, ..zone.cloned().unwrap_or_default() };
    match zone {
        None => timestamp_out(timestamp, &format, &mut text),
        Some(_) => {
            if infinite(timestamp, out) {
                return;
            }
            let east = zone::offset_at(&format.time_zone, timestamp);
            date_time(&tm_of(timestamp + i64::from(east) * SECOND), None, &format, &mut text);
            let mut suffix = String::new();
            offset(east, &mut suffix);
            if suffix.len() == 3 {
                suffix.push_str(":00");
            }
            match text.strip_suffix(" BC") {
                Some(rest) => text = format!("{rest}{suffix} BC"),
                None => text.push_str(&suffix),
            }
        }
    }
    out.push_str(&text.replacen(' ', "T", 1));
}

/// The fields of an interval, each with its own sign.
struct Parts {
    years: i32,
    months: i32,
    days: i32,
    hours: i64,
    minutes: i32,
    seconds: i32,
    micros: i32,
}

impl Parts {
    fn of(interval: &Interval) -> Self {
        let time = interval.micros;
        Self {
            years: interval.months / 12,
            months: interval.months % 12,
            days: interval.days,
            hours: time / HOUR,
            minutes: (time % HOUR / MINUTE) as i32,
            seconds: (time % MINUTE / SECOND) as i32,
            micros: (time % SECOND) as i32,
        }
    }
}

/// `interval_out`.
pub fn interval_out(interval: &Interval, style: IntervalStyle, out: &mut String) {
    match is_infinite(interval) {
        Some(true) => return out.push_str("infinity"),
        Some(false) => return out.push_str("-infinity"),
        None => {}
    }
    let parts = Parts::of(interval);
    match style {
        IntervalStyle::Postgres => postgres(&parts, interval.micros, out),
        IntervalStyle::PostgresVerbose => verbose(&parts, out),
        IntervalStyle::SqlStandard => sql_standard(&parts, interval, out),
        IntervalStyle::Iso8601 => iso8601(&parts, interval, out),
    }
}

/// Infinite intervals: all fields at their limit. `Some(true)` is infinity.
pub(crate) fn is_infinite(interval: &Interval) -> Option<bool> {
    match (interval.months, interval.days, interval.micros) {
        (i32::MAX, i32::MAX, i64::MAX) => Some(true),
        (i32::MIN, i32::MIN, i64::MIN) => Some(false),
        _ => None,
    }
}

fn postgres(parts: &Parts, time: i64, out: &mut String) {
    let start = out.len();
    let mut before_negative = false;
    for (value, unit) in [(parts.years, "year"), (parts.months, "mon"), (parts.days, "day")] {
        if value == 0 {
            continue;
        }
        let space = if out.len() == start { "" } else { " " };
        let plus = if before_negative && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        let _ = write!(out, "{space}{plus}{value} {unit}{plural}");
        before_negative = value < 0;
    }
    if out.len() == start || time != 0 {
        let space = if out.len() == start { "" } else { " " };
        let sign = if time < 0 {
            "-"
        } else if before_negative {
            "+"
        } else {
            ""
        };
        let _ = write!(out, "{space}{sign}{:02}:{:02}:", parts.hours.abs(), parts.minutes.abs());
        seconds(parts.seconds.abs(), parts.micros, out);
    }
}

fn verbose(parts: &Parts, out: &mut String) {
    out.push('@');
    let mut zero = true;
    let mut ago = false;
    let fields = [
        (i64::from(parts.years), "year"),
        (i64::from(parts.months), "mon"),
        (i64::from(parts.days), "day"),
        (parts.hours, "hour"),
        (i64::from(parts.minutes), "min"),
    ];
    for (mut value, unit) in fields {
        if value == 0 {
            continue;
        }
        // The first field's sign is shown by "ago"; later ones relative to it.
        if zero {
            ago = value < 0;
            value = value.abs();
        } else if ago {
            value = -value;
        }
        let _ = write!(out, " {value} {unit}{}", if value == 1 { "" } else { "s" });
        zero = false;
    }
    if parts.seconds != 0 || parts.micros != 0 {
        out.push(' ');
        let negative = parts.seconds < 0 || parts.micros < 0;
        if negative {
            if zero {
                ago = true;
            } else if !ago {
                out.push('-');
            }
        } else if ago {
            out.push('-');
        }
        let _ = write!(out, "{}", parts.seconds.abs());
        fraction(parts.micros, out);
        let one = parts.seconds.abs() == 1 && parts.micros == 0;
        let _ = write!(out, " sec{}", if one { "" } else { "s" });
        zero = false;
    }
    if zero {
        out.push_str(" 0");
    }
    if ago {
        out.push_str(" ago");
    }
}

fn sql_standard(parts: &Parts, interval: &Interval, out: &mut String) {
    let negative = interval.months < 0 || interval.days < 0 || interval.micros < 0;
    let positive = interval.months > 0 || interval.days > 0 || interval.micros > 0;
    let (year_month, day, time) = (interval.months != 0, interval.days != 0, interval.micros != 0);
    if !negative && !positive {
        out.push('0');
    } else if (negative && positive) || (year_month && (day || time)) {
        // Not expressible in the standard: every part with its sign.
        let sign = |negative: bool| if negative { '-' } else { '+' };
        let _ = write!(out, "{}{}-{} ", sign(interval.months < 0), parts.years.abs(), parts.months.abs());
        let _ = write!(out, "{}{} ", sign(interval.days < 0), i64::from(interval.days).abs());
        let _ = write!(out, "{}{}:{:02}:", sign(interval.micros < 0), parts.hours.abs(), parts.minutes.abs());
        seconds(parts.seconds.abs(), parts.micros, out);
    } else {
        if negative {
            out.push('-');
        }
        if year_month {
            let _ = write!(out, "{}-{}", parts.years.abs(), parts.months.abs());
        } else {
            if day {
                let _ = write!(out, "{} ", i64::from(parts.days).abs());
            }
            let _ = write!(out, "{}:{:02}:", parts.hours.abs(), parts.minutes.abs());
            seconds(parts.seconds.abs(), parts.micros, out);
        }
    }
}

fn iso8601(parts: &Parts, interval: &Interval, out: &mut String) {
    if *interval == Interval::default() {
        out.push_str("PT0S");
        return;
    }
    out.push('P');
    for (value, unit) in [(parts.years, 'Y'), (parts.months, 'M'), (parts.days, 'D')] {
        if value != 0 {
            let _ = write!(out, "{value}{unit}");
        }
    }
    if interval.micros == 0 {
        return;
    }
    out.push('T');
    for (value, unit) in [(parts.hours, 'H'), (i64::from(parts.minutes), 'M')] {
        if value != 0 {
            let _ = write!(out, "{value}{unit}");
        }
    }
    if parts.seconds != 0 || parts.micros != 0 {
        if parts.seconds < 0 || parts.micros < 0 {
            out.push('-');
        }
        let _ = write!(out, "{}", parts.seconds.abs());
        fraction(parts.micros, out);
        out.push('S');
    }
}
