//! `to_char` of timestamps and intervals.

use std::fmt::Write as _;

use super::calendar::{Tm, date2j, day_of_year, is_infinite, iso_year_week, j2day, tm_of};
use super::format::{MONTHS, WEEKDAYS, is_infinite as infinite_interval};
use super::template::{Keyword, Node, dates, ordinal};
use super::zone;
use crate::document::{Datum, Interval};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

pub(super) const ROMAN: [&str; 12] = ["XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"];

/// What is formatted.
struct Moment {
    tm: Tm,
    /// Hours of an interval are not bounded by a day.
    hours: i64,
    is_interval: bool,
    zone: Option<(i32, String)>,
}

pub(super) fn to_char(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (value, template) = match args {
        [value, Datum::Text(template)] => (value, template),
        _ => return Err(Error::internal("to_char called with other types")),
    };
    let moment = match value {
        Datum::Timestamp(t) if !is_infinite(*t) => of_local(*t, None),
        Datum::TimestampTz(t) if !is_infinite(*t) => {
            let tz = &context.format.time_zone;
            let zone = (zone::offset_at(tz, *t), zone::abbreviation_at(tz, *t));
            of_local(zone::utc_to_local(tz, *t), Some(zone))
        }
        Datum::Interval(i) if infinite_interval(i).is_none() => of_interval(i),
        Datum::Timestamp(_) | Datum::TimestampTz(_) | Datum::Interval(_) => return Ok(Datum::Null),
        other => return Err(Error::internal(format!("to_char called with {other:?}"))),
    };
    if template.is_empty() {
        return Ok(Datum::Null);
    }
    format(&moment, template).map(Datum::text)
}

fn of_local(local: i64, zone: Option<(i32, String)>) -> Moment {
    let tm = tm_of(local);
    Moment { hours: i64::from(tm.hour), tm, is_interval: false, zone }
}

fn of_interval(interval: &Interval) -> Moment {
    let time = interval.micros;
    let tm = Tm {
        year: interval.months / 12,
        month: interval.months % 12,
        day: interval.days,
        hour: 0,
        minute: (time % super::calendar::HOUR / super::calendar::MINUTE) as i32,
        second: (time % super::calendar::MINUTE / super::calendar::SECOND) as i32,
        micros: (time % super::calendar::SECOND) as i32,
    };
    Moment { tm, hours: time / super::calendar::HOUR, is_interval: true, zone: None }
}

fn format(moment: &Moment, template: &str) -> Result<String> {
    let mut out = String::new();
    for node in dates(template) {
        match node {
            Node::Literal(c) | Node::Space(c) | Node::Separator(c) => out.push(c),
            Node::Keyword(keyword) => moment.write(keyword, &mut out)?,
        }
    }
    Ok(out)
}

/// A number in at least `width` digits, one more for a sign; none with FM.
fn padded(value: i64, width: usize, keyword: Keyword, out: &mut String) {
    let width = match (keyword.fill, value < 0) {
        (true, _) => 0,
        (false, true) => width + 1,
        (false, false) => width,
    };
    let text = format!("{value:0width$}");
    out.push_str(&text);
    if let Some(upper) = keyword.ordinal {
        out.push_str(ordinal(&text, upper));
    }
}

/// A name in nine letters; fewer with FM.
fn name(text: &str, keyword: Keyword, out: &mut String) {
    if keyword.fill || keyword.translate { out.push_str(text) } else { out.push_str(&format!("{text:<9}")) }
}

impl Moment {
    fn not_for_intervals(&self) -> Result<()> {
        if !self.is_interval {
            return Ok(());
        }
        Err(err!(INVALID_DATETIME_FORMAT, "invalid format specification for an interval value")
            .hint("Intervals are not tied to specific calendar dates."))
    }

    fn shown_year(&self, year: i32) -> i64 {
        let year = i64::from(year);
        if self.is_interval || year > 0 { year } else { 1 - year }
    }

    fn weekday(&self) -> usize {
        j2day(date2j(self.tm.year, self.tm.month, self.tm.day)) as usize
    }

    fn yearday(&self) -> i64 {
        if self.is_interval {
            return (i64::from(self.tm.year) * 12 + i64::from(self.tm.month)) * 30 + i64::from(self.tm.day);
        }
        i64::from(day_of_year(self.tm.year, self.tm.month, self.tm.day))
    }

    fn write(&self, keyword: Keyword, out: &mut String) -> Result<()> {
        let tm = &self.tm;
        let lower = keyword.name.to_ascii_lowercase();
        let is_upper = keyword.name.starts_with(|c: char| c.is_ascii_uppercase());
        match lower.as_str() {
            "a.m." | "p.m." | "am" | "pm" => {
                let pm = self.hours.rem_euclid(24) >= 12;
                let word = match (pm, lower.contains('.')) {
                    (true, true) => "p.m.",
                    (true, false) => "pm",
                    (false, true) => "a.m.",
                    (false, false) => "am",
                };
                out.push_str(&if is_upper { word.to_uppercase() } else { word.to_string() });
            }
            "hh" | "hh12" => {
                let hour = self.hours % 12;
                padded(if hour == 0 { 12 } else { hour }, 2, keyword, out);
            }
            "hh24" => padded(self.hours, 2, keyword, out),
            "mi" => padded(i64::from(tm.minute), 2, keyword, out),
            "ss" => padded(i64::from(tm.second), 2, keyword, out),
            "ms" | "us" | "ff1" | "ff2" | "ff3" | "ff4" | "ff5" | "ff6" => {
                let digits: usize = match lower.as_str() {
                    "ms" => 3,
                    "us" => 6,
                    other => other[2..].parse().unwrap_or(6),
                };
                let value = tm.micros / 10i32.pow(6 - digits as u32);
                let plain = Keyword { fill: false, ..keyword };
                let text = format!("{value:0digits$}");
                out.push_str(&text);
                if let Some(upper) = plain.ordinal {
                    out.push_str(ordinal(&text, upper));
                }
            }
            "ssss" | "sssss" => {
                let seconds = self.hours * 3600 + i64::from(tm.minute) * 60 + i64::from(tm.second);
                padded(seconds, 0, Keyword { fill: true, ..keyword }, out);
            }
            "tz" => {
                self.not_for_intervals()?;
                if let Some((_, name)) = &self.zone {
                    out.push_str(&if is_upper { name.to_uppercase() } else { name.to_lowercase() });
                }
            }
            "tzh" => {
                self.not_for_intervals()?;
                let east = self.zone.as_ref().map_or(0, |zone| zone.0);
                let _ = write!(out, "{}{:02}", if east >= 0 { '+' } else { '-' }, east.abs() / 3600);
            }
            "tzm" => {
                self.not_for_intervals()?;
                let east = self.zone.as_ref().map_or(0, |zone| zone.0);
                let _ = write!(out, "{:02}", east.abs() % 3600 / 60);
            }
            "of" => {
                self.not_for_intervals()?;
                let east = self.zone.as_ref().map_or(0, |zone| zone.0);
                let width = if keyword.fill { 0 } else { 2 };
                let _ = write!(out, "{}{:0width$}", if east >= 0 { '+' } else { '-' }, east.abs() / 3600);
                if east % 3600 != 0 {
                    let _ = write!(out, ":{:02}", east.abs() % 3600 / 60);
                }
            }
            "a.d." | "b.c." | "ad" | "bc" => {
                self.not_for_intervals()?;
                let word = match (tm.year <= 0, lower.contains('.')) {
                    (true, true) => "b.c.",
                    (true, false) => "bc",
                    (false, true) => "a.d.",
                    (false, false) => "ad",
                };
                out.push_str(&if is_upper { word.to_uppercase() } else { word.to_string() });
            }
            "month" | "mon" | "day" | "dy" => self.write_name(keyword, &lower, out)?,
            "mm" => padded(i64::from(tm.month), 2, keyword, out),
            "ddd" => padded(self.yearday(), 3, keyword, out),
            "iddd" => {
                let (year, _) = iso_year_week(tm.year, tm.month, tm.day);
                let day = date2j(tm.year, tm.month, tm.day)
                    .wrapping_sub(super::calendar::iso_week_start(year))
                    .wrapping_add(1);
                padded(i64::from(day), 3, keyword, out);
            }
            "dd" => padded(i64::from(tm.day), 2, keyword, out),
            "d" => {
                self.not_for_intervals()?;
                padded(self.weekday() as i64 + 1, 0, keyword, out);
            }
            "id" => {
                self.not_for_intervals()?;
                padded(if self.weekday() == 0 { 7 } else { self.weekday() as i64 }, 0, keyword, out);
            }
            "ww" => padded((self.yearday() - 1) / 7 + 1, 2, keyword, out),
            "iw" => padded(i64::from(iso_year_week(tm.year, tm.month, tm.day).1), 2, keyword, out),
            "w" => padded((i64::from(tm.day) - 1) / 7 + 1, 0, keyword, out),
            "q" if tm.month != 0 => {
                padded((i64::from(tm.month) - 1) / 3 + 1, 0, keyword, out);
            }
            "cc" => {
                let century = match tm.year {
                    year if self.is_interval => year / 100,
                    year if year > 0 => (year - 1) / 100 + 1,
                    year => year / 100 - 1,
                };
                let keyword = if century.abs() <= 99 { keyword } else { Keyword { fill: true, ..keyword } };
                padded(i64::from(century), 2, keyword, out);
            }
            "y,yyy" => {
                let year = self.shown_year(tm.year);
                let text = format!("{},{:03}", year / 1000, year % 1000);
                out.push_str(&text);
                if let Some(upper) = keyword.ordinal {
                    out.push_str(ordinal(&text, upper));
                }
            }
            "yyyy" | "yyy" | "yy" | "y" | "iyyy" | "iyy" | "iy" | "i" => {
                let (year, digits) = match lower.strip_prefix('i') {
                    Some(rest) => (iso_year_week(tm.year, tm.month, tm.day).0, rest.len() + 1),
                    None => (tm.year, lower.len()),
                };
                let shown = self.shown_year(year);
                let value = if digits == 4 { shown } else { shown % 10i64.pow(digits as u32) };
                padded(value, digits, keyword, out);
            }
            "rm" => {
                if tm.month == 0 && tm.year == 0 {
                    return Ok(());
                }
                let index = if tm.month <= 0 { -tm.month } else { 12 - tm.month };
                let text = ROMAN[index as usize % 12];
                let text = if is_upper { text.to_string() } else { text.to_lowercase() };
                if keyword.fill { out.push_str(&text) } else { out.push_str(&format!("{text:<4}")) }
            }
            "j" => padded(i64::from(date2j(tm.year, tm.month, tm.day)), 0, keyword, out),
            // FX concerns input only.
            _ => {}
        }
        Ok(())
    }

    fn write_name(&self, keyword: Keyword, lower: &str, out: &mut String) -> Result<()> {
        self.not_for_intervals()?;
        let full = match lower {
            "month" | "mon" => MONTHS[(self.tm.month - 1) as usize],
            _ => WEEKDAYS[self.weekday()],
        };
        let text = if matches!(lower, "mon" | "dy") { &full[..3] } else { full };
        let text = match keyword.name.as_bytes() {
            [_, second, ..] if second.is_ascii_uppercase() => text.to_uppercase(),
            [first, ..] if first.is_ascii_lowercase() => text.to_lowercase(),
            _ => text.to_string(),
        };
        if matches!(lower, "mon" | "dy") {
            out.push_str(&text)
        } else {
            name(&text, keyword, out)
        }
        Ok(())
    }
}
