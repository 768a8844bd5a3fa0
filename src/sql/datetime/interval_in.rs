//! Input of intervals: PostgreSQL's words and units, the SQL standard's forms and ISO 8601.

use super::calendar::{DAY, HOUR, MINUTE, SECOND};
use super::parse::interval_clock;
use super::token::{Kind, tokenize};
use super::words::Bad;
use crate::document::Interval;
use crate::err;
use crate::error::Result;
use crate::sql::context::{EvalContext, IntervalStyle};
use crate::sql::types::INTERVAL_RANGES;

type Parsed<T> = std::result::Result<T, Bad>;

/// Infinity.
pub(crate) const INFINITY: Interval = Interval { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
/// Minus infinity.
pub(crate) const MINUS_INFINITY: Interval = Interval { months: i32::MIN, days: i32::MIN, micros: i64::MIN };

#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

fn unit(word: &str) -> Option<Unit> {
    use Unit::*;
    Some(match word.get(..10).unwrap_or(word) {
        "us" | "usec" | "usecond" | "useconds" | "usecs" | "microsecon" => Microsecond,
        "ms" | "msec" | "msecond" | "mseconds" | "msecs" | "millisecon" => Millisecond,
        "s" | "sec" | "second" | "seconds" | "secs" => Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Minute,
        "h" | "hour" | "hours" | "hr" | "hrs" => Hour,
        "d" | "day" | "days" => Day,
        "w" | "week" | "weeks" => Week,
        "mon" | "mons" | "month" | "months" => Month,
        "y" | "year" | "years" | "yr" | "yrs" => Year,
        "dec" | "decs" | "decade" | "decades" => Decade,
        "c" | "cent" | "century" | "centuries" => Century,
        "mil" | "mils" | "millennia" | "millennium" => Millennium,
        _ => return None,
    })
}

/// The sum being read.
#[derive(Default)]
struct Sum {
    years: i32,
    interval: Interval,
    seen: u32,
}

impl Sum {
    fn micros(&mut self, value: i64, part: f64, scale: i64) -> Parsed<()> {
        let whole = value.checked_mul(scale).and_then(|n| self.interval.micros.checked_add(n));
        self.interval.micros = whole.ok_or(Bad::FieldOverflow)?;
        self.fraction(part, scale)
    }

    fn fraction(&mut self, part: f64, scale: i64) -> Parsed<()> {
        if part == 0.0 {
            return Ok(());
        }
        let exact = part * scale as f64;
        let mut micros = exact as i64;
        let rest = exact - micros as f64;
        if rest > 0.5 {
            micros += 1;
        } else if rest < -0.5 {
            micros -= 1;
        }
        self.interval.micros = self.interval.micros.checked_add(micros).ok_or(Bad::FieldOverflow)?;
        Ok(())
    }

    fn days(&mut self, value: i64, scale: i64) -> Parsed<()> {
        let days = value.checked_mul(scale).and_then(|n| n.checked_add(i64::from(self.interval.days)));
        self.interval.days = days.and_then(|n| i32::try_from(n).ok()).ok_or(Bad::FieldOverflow)?;
        Ok(())
    }

    fn part_days(&mut self, part: f64, scale: f64) -> Parsed<()> {
        let exact = part * scale;
        let whole = exact as i64;
        self.days(whole, 1)?;
        self.fraction(exact - whole as f64, DAY)
    }

    fn months(&mut self, value: i64, scale: i64) -> Parsed<()> {
        let months = value.checked_mul(scale).and_then(|n| n.checked_add(i64::from(self.interval.months)));
        self.interval.months = months.and_then(|n| i32::try_from(n).ok()).ok_or(Bad::FieldOverflow)?;
        Ok(())
    }

    /// `value.part` units.
    fn add(&mut self, value: i64, part: f64, unit: Unit) -> Parsed<()> {
        let years = |sum: &mut Self, scale: i64| {
            let years = value.checked_mul(scale).and_then(|n| n.checked_add(i64::from(sum.years)));
            sum.years = years.and_then(|n| i32::try_from(n).ok()).ok_or(Bad::FieldOverflow)?;
            sum.months((part * (scale * 12) as f64).round_ties_even() as i64, 1)
        };
        match unit {
            Unit::Microsecond => self.micros(value, part, 1),
            Unit::Millisecond => self.micros(value, part, 1000),
            Unit::Second => self.micros(value, part, SECOND),
            Unit::Minute => self.micros(value, part, MINUTE),
            Unit::Hour => self.micros(value, part, HOUR),
            Unit::Day => {
                self.days(value, 1)?;
                self.fraction(part, DAY)
            }
            Unit::Week => {
                self.days(value, 7)?;
                self.part_days(part, 7.0)
            }
            Unit::Month => {
                self.months(value, 1)?;
                self.part_days(part, 30.0)
            }
            Unit::Year => years(self, 1),
            Unit::Decade => years(self, 10),
            Unit::Century => years(self, 100),
            Unit::Millennium => years(self, 1000),
        }
    }

    /// The sum with its years as months.
    fn total(self) -> Parsed<Interval> {
        let months = self.years.checked_mul(12).and_then(|months| months.checked_add(self.interval.months));
        Ok(Interval { months: months.ok_or(Bad::Range)?, ..self.interval })
    }

    /// Notes a unit; naming one twice is an error.
    fn note(&mut self, mask: u32) -> Parsed<()> {
        if self.seen & mask != 0 {
            return Err(Bad::Format);
        }
        self.seen |= mask;
        Ok(())
    }
}

fn mask(unit: Unit, part: f64) -> u32 {
    match unit {
        Unit::Second if part != 0.0 => {
            1 << Unit::Second as u32 | 1 << Unit::Millisecond as u32 | 1 << Unit::Microsecond as u32
        }
        unit => 1 << unit as u32,
    }
}

const TIME_MASK: u32 = 1 << Unit::Hour as u32
    | 1 << Unit::Minute as u32
    | 1 << Unit::Second as u32
    | 1 << Unit::Millisecond as u32
    | 1 << Unit::Microsecond as u32;

/// `interval_in`; the modifier's fields say what a number without unit is.
pub fn interval_in(text: &str, typmod: i32, context: &EvalContext) -> Result<Interval> {
    let range = if typmod < 0 { 0x7FFF } else { (typmod >> 16) & 0x7FFF };
    let style = context.format.interval_style;
    let parsed = tokenize(text).ok_or(Bad::Format).and_then(|fields| words(&fields, range, style));
    let parsed = match parsed {
        Err(Bad::Format) => iso8601(text),
        parsed => parsed,
    };
    let interval = parsed.map_err(|bad| match bad {
        Bad::FieldOverflow => Bad::IntervalOverflow.error(text, "interval"),
        bad => bad.error(text, "interval"),
    })?;
    Ok(super::typmod::interval(interval, typmod))
}

fn range_name(range: i32) -> &'static str {
    INTERVAL_RANGES.iter().find(|(_, mask)| *mask == range).map_or("", |(name, _)| name)
}

fn words(fields: &[(String, Kind)], range: i32, style: IntervalStyle) -> Parsed<Interval> {
    let mut sum = Sum::default();
    let signed = |field: &String| field.starts_with(['-', '+']);
    let force_negative = style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|(field, _)| field.starts_with('-'))
        && !fields[1..].iter().any(|(field, _)| signed(field));
    let mut next: Option<Unit> = None;
    let mut pending = false;
    let mut ago = false;
    let mut infinite = None;
    // From the right, so that a unit is known before its number.
    for (at, (field, kind)) in fields.iter().enumerate().rev() {
        let last = at == fields.len() - 1;
        match kind {
            Kind::Time => {
                time(&mut sum, field, range, force_negative)?;
                (next, pending) = (Some(Unit::Day), false);
                sum.note(TIME_MASK)?;
            }
            Kind::Zone if field.contains(':') => {
                time(&mut sum, &field[1..], range, force_negative || field.starts_with('-'))?;
                (next, pending) = (Some(Unit::Day), false);
                sum.note(TIME_MASK)?;
            }
            Kind::Zone | Kind::Date | Kind::Number => {
                let unit = next.unwrap_or_else(|| default_unit(range));
                next = Some(number(&mut sum, field, unit, force_negative)?);
                pending = false;
            }
            Kind::Word | Kind::Special => {
                if pending {
                    return Err(Bad::Format);
                }
                if let Some(unit) = unit(field) {
                    (next, pending) = (Some(unit), true);
                    continue;
                }
                match field.as_str() {
                    "ago" if last => ago = true,
                    "infinity" if last => infinite = Some(INFINITY),
                    "-infinity" if last => infinite = Some(MINUS_INFINITY),
                    "at" | "on" => {}
                    _ => return Err(Bad::Format),
                }
                if infinite.is_some() {
                    sum.note(u32::MAX)?;
                }
            }
        }
    }
    if sum.seen == 0 || pending {
        return Err(Bad::Format);
    }
    if let Some(infinite) = infinite {
        return Ok(infinite);
    }
    if ago {
        let i = sum.total()?;
        let negated = (i.months.checked_neg(), i.days.checked_neg(), i.micros.checked_neg());
        let (Some(months), Some(days), Some(micros)) = negated else { return Err(Bad::FieldOverflow) };
        return Ok(Interval { months, days, micros });
    }
    sum.total()
}

/// What a number without a unit counts.
fn default_unit(range: i32) -> Unit {
    match range_name(range).rsplit(' ').next() {
        Some("year") => Unit::Year,
        Some("month") => Unit::Month,
        Some("day") => Unit::Day,
        Some("hour") => Unit::Hour,
        Some("minute") => Unit::Minute,
        _ => Unit::Second,
    }
}

fn time(sum: &mut Sum, field: &str, range: i32, negative: bool) -> Parsed<()> {
    let (first, second, third, micros) = interval_clock(field)?;
    let (hours, minutes, seconds) = match third {
        Some(third) => (first, second, third),
        None if field.contains('.') || range_name(range) == "minute to second" => {
            (0, i32::try_from(first).map_err(|_| Bad::FieldOverflow)?, second)
        }
        None => (first, second, 0),
    };
    if hours < 0 || !(0..60).contains(&minutes) || !(0..=60).contains(&seconds) {
        return Err(Bad::FieldOverflow);
    }
    let below = i64::from(minutes) * MINUTE + i64::from(seconds) * SECOND + i64::from(micros);
    let total = hours.checked_mul(HOUR).and_then(|hours| hours.checked_add(below)).ok_or(Bad::FieldOverflow)?;
    sum.micros(if negative { -total } else { total }, 0.0, 1)
}

/// A number of a unit; gives the unit that a number before it has by itself.
fn number(sum: &mut Sum, field: &str, unit: Unit, force_negative: bool) -> Parsed<Unit> {
    let negative = field.starts_with('-');
    let sign = usize::from(field.starts_with(['-', '+']));
    let end = sign + field[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = field.split_at(end);
    let mut value: i64 = match digits.trim_start_matches(['-', '+']) {
        "" if rest.starts_with('.') => 0,
        "" => return Err(Bad::Format),
        _ => digits.parse().map_err(|_| Bad::FieldOverflow)?,
    };
    let mut part = 0.0;
    let mut unit = unit;
    if let Some(months) = rest.strip_prefix('-') {
        // "years-months"
        let months: i64 = months.parse().map_err(|_| Bad::Format)?;
        if !(0..12).contains(&months) {
            return Err(Bad::FieldOverflow);
        }
        let years = value.checked_mul(12).ok_or(Bad::FieldOverflow)?;
        value = if negative { years - months } else { years + months };
        unit = Unit::Month;
    } else if rest.starts_with('.') {
        part = fraction(rest)?;
        if negative {
            part = -part;
        }
    } else if !rest.is_empty() {
        return Err(Bad::Format);
    }
    if force_negative {
        value = -value.abs();
        part = -part.abs();
    }
    sum.add(value, part, unit)?;
    sum.note(mask(unit, part))?;
    Ok(if unit == Unit::Hour { Unit::Day } else { unit })
}

fn fraction(text: &str) -> Parsed<f64> {
    if text == "." {
        return Ok(0.0);
    }
    if !text[1..].bytes().all(|b| b.is_ascii_digit()) {
        return Err(Bad::Format);
    }
    text.parse().map_err(|_| Bad::Format)
}

/// ISO 8601: `P1Y2M3DT4H5M6S`, `P0001-02-03T04:05:06`, `P00010203T040506`.
fn iso8601(text: &str) -> Parsed<Interval> {
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Bad::Format)?;
    let mut sum = Sum::default();
    let mut in_date = true;
    let mut have_field = false;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('T') {
            (in_date, have_field, rest) = (false, false, tail);
            continue;
        }
        let start = rest;
        let (value, part, tail) = iso_number(rest)?;
        let unit_char = tail.chars().next();
        rest = &tail[unit_char.map_or(0, char::len_utf8)..];
        let digits = start.bytes().skip_while(|b| *b == b'-').take_while(u8::is_ascii_digit).count();
        match (in_date, unit_char) {
            (true, Some('Y')) => sum.add(value, part, Unit::Year)?,
            (true, Some('M')) => sum.add(value, part, Unit::Month)?,
            (true, Some('W')) => sum.add(value, part, Unit::Week)?,
            (true, Some('D')) => sum.add(value, part, Unit::Day)?,
            (false, Some('H')) => sum.add(value, part, Unit::Hour)?,
            (false, Some('M')) => sum.add(value, part, Unit::Minute)?,
            (false, Some('S')) => sum.add(value, part, Unit::Second)?,
            (true, None | Some('T')) if digits == 8 && !have_field => {
                sum.add(value / 10_000, 0.0, Unit::Year)?;
                sum.add(value / 100 % 100, 0.0, Unit::Month)?;
                sum.add(value % 100, part, Unit::Day)?;
                (in_date, have_field) = (unit_char.is_none(), false);
                continue;
            }
            (true, None | Some('T' | '-')) => {
                if have_field {
                    return Err(Bad::Format);
                }
                sum.add(value, part, Unit::Year)?;
                match unit_char {
                    Some('-') => rest = extended(&mut sum, rest, [Unit::Month, Unit::Day], '-')?,
                    Some(_) => rest = tail,
                    None => {}
                }
                if !rest.is_empty() && !rest.starts_with('T') {
                    return Err(Bad::Format);
                }
                continue;
            }
            (false, None) if digits == 6 && !have_field => {
                sum.add(value / 10_000, 0.0, Unit::Hour)?;
                sum.add(value / 100 % 100, 0.0, Unit::Minute)?;
                sum.add(value % 100, part, Unit::Second)?;
                continue;
            }
            (false, None | Some(':')) => {
                if have_field {
                    return Err(Bad::Format);
                }
                sum.add(value, part, Unit::Hour)?;
                if unit_char.is_some() {
                    rest = extended(&mut sum, rest, [Unit::Minute, Unit::Second], ':')?;
                }
                if !rest.is_empty() {
                    return Err(Bad::Format);
                }
                continue;
            }
            _ => return Err(Bad::Format),
        }
        have_field = true;
    }
    sum.total()
}

/// The second and third number of the extended form.
fn extended<'a>(sum: &mut Sum, text: &'a str, units: [Unit; 2], separator: char) -> Parsed<&'a str> {
    let (value, part, rest) = iso_number(text)?;
    sum.add(value, part, units[0])?;
    let Some(tail) = rest.strip_prefix(separator) else { return Ok(rest) };
    let (value, part, rest) = iso_number(tail)?;
    sum.add(value, part, units[1])?;
    Ok(rest)
}

fn iso_number(text: &str) -> Parsed<(i64, f64, &str)> {
    let end = text.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.')).count();
    // A minus inside is a separator of the extended form.
    let end = text[..end].char_indices().skip(1).find(|(_, c)| matches!(c, '-' | '+')).map_or(end, |(at, _)| at);
    let (number, rest) = text.split_at(end);
    let value: f64 = number.parse().map_err(|_| Bad::Format)?;
    if !(-9.2e18..9.2e18).contains(&value) {
        return Err(Bad::FieldOverflow);
    }
    let whole = value.trunc();
    let digits = number.split('.').next().unwrap_or_default();
    let exact = digits.parse::<i64>().unwrap_or(whole as i64);
    Ok((exact, value - whole, rest))
}

/// An interval from parts that may overflow.
pub(crate) fn checked(months: Option<i32>, days: Option<i32>, micros: Option<i64>) -> Result<Interval> {
    let interval = months.zip(days).zip(micros).map(|((months, days), micros)| Interval { months, days, micros });
    interval
        .filter(|i| super::format::is_infinite(i).is_none())
        .ok_or_else(|| err!(DATETIME_FIELD_OVERFLOW, "interval out of range"))
}
