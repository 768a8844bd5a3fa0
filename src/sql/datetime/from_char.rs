//! `to_date` and `to_timestamp` with a template.

use super::calendar::{
    HOUR, MINUTE, SECOND, Tm, date2j, days_in_month, days_of, is_leap, iso_week_start, j2date, timestamp_of,
};
use super::format::{MONTHS, WEEKDAYS};
use super::template::{Keyword, Node, dates};
use super::to_char::ROMAN;
use super::zone;
use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

/// The fields as read.
#[derive(Default)]
struct Fields {
    hour: Option<i32>,
    minute: Option<i32>,
    second: Option<i32>,
    seconds_of_day: Option<i32>,
    millis: Option<i32>,
    micros: Option<i32>,
    pm: Option<bool>,
    twelve: bool,
    weekday: Option<i32>,
    day: Option<i32>,
    day_of_year: Option<i32>,
    month: Option<i32>,
    year: Option<i32>,
    year_digits: usize,
    bc: bool,
    century: Option<i32>,
    week: Option<i32>,
    week_of_month: Option<i32>,
    julian: Option<i32>,
    /// ISO week date rather than Gregorian.
    iso: Option<bool>,
    zone_sign: i32,
    zone_hours: i32,
    zone_minutes: i32,
    /// Seconds east, from an abbreviation.
    zone: Option<i32>,
}

struct Reader<'a> {
    rest: &'a str,
    fixed: bool,
    /// Separators and texts of the template must be those of the text.
    standard: bool,
    fields: Fields,
}

fn format_error(message: String) -> Error {
    Error::new(crate::error::SqlState::INVALID_DATETIME_FORMAT, message)
}

fn put(slot: &mut Option<i32>, value: i32, name: &str) -> Result<()> {
    if slot.is_some_and(|old| old != value) {
        return Err(format_error(format!("conflicting values for \"{name}\" field in formatting string"))
            .detail("This value contradicts a previous setting for the same field type."));
    }
    *slot = Some(value);
    Ok(())
}

/// Whether what follows a number in the template ends it, so that all digits belong to it.
fn is_delimited(keyword: &Keyword, next: Option<&Node>) -> bool {
    if keyword.ordinal.is_some() {
        return true;
    }
    match next {
        None => true,
        Some(Node::Keyword(next)) => !is_numeric(next.name),
        Some(Node::Literal(c)) => !c.is_ascii_digit(),
        Some(Node::Space(_) | Node::Separator(_)) => true,
    }
}

fn is_numeric(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !matches!(
        lower.as_str(),
        "a.d."
            | "a.m."
            | "ad"
            | "am"
            | "b.c."
            | "bc"
            | "day"
            | "dy"
            | "fx"
            | "month"
            | "mon"
            | "of"
            | "p.m."
            | "pm"
            | "rm"
            | "tz"
    )
}

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) -> i32 {
        let trimmed = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let count = self.rest.len() - trimmed.len();
        self.rest = trimmed;
        count as i32
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    /// An integer of up to `width` digits (or as many as there are); how many characters it took.
    fn number(&mut self, width: usize, keyword: &Keyword, next: Option<&Node>) -> Result<(i32, usize)> {
        self.skip_spaces();
        let name = keyword.name;
        let signed = usize::from(self.rest.starts_with(['-', '+']));
        let digits = |text: &str, from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
        let free = keyword.fill || is_delimited(keyword, next);
        let length = if free {
            signed + digits(self.rest, signed)
        } else {
            let available = self.rest.chars().count();
            if available < width {
                return Err(format_error(format!("source string too short for \"{name}\" formatting field"))
                    .detail(format!("Field requires {width} characters, but only {available} remain."))
                    .hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
            }
            let window: String = self.rest.chars().take(width).collect();
            let used = signed.min(window.len()) + digits(&window, signed.min(window.len()));
            if used > signed && used < width {
                return Err(format_error(format!("invalid value \"{window}\" for \"{name}\""))
                    .detail(format!("Field requires {width} characters, but only {used} could be parsed."))
                    .hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
            }
            used
        };
        if length <= signed {
            let shown: String = self.rest.chars().take(width.max(1)).collect();
            return Err(
                format_error(format!("invalid value \"{shown}\" for \"{name}\"")).detail("Value must be an integer.")
            );
        }
        let (number, rest) = self.rest.split_at(length);
        self.rest = rest;
        let value = number.parse().map_err(|_| {
            err!(DATETIME_FIELD_OVERFLOW, "value for \"{name}\" in source string is out of range")
                .detail("Value must be in the range -2147483648 to 2147483647.")
        })?;
        Ok((value, length))
    }

    /// One of some words, in any case; the longest that fits.
    fn word(&mut self, words: &[&str], name: &str) -> Result<usize> {
        let fits = |word: &&str| self.rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let found = (0..words.len()).filter(|i| fits(&words[*i])).max_by_key(|i| words[*i].len());
        match found {
            Some(index) => {
                self.rest = &self.rest[words[index].len()..];
                Ok(index)
            }
            None => {
                let shown: String = self.rest.chars().take_while(|c| !c.is_whitespace()).collect();
                Err(format_error(format!("invalid value \"{shown}\" for \"{name}\""))
                    .detail("The given value did not match any of the allowed values for this field."))
            }
        }
    }

    fn convention(&mut self, iso: bool) -> Result<()> {
        if self.fields.iso.is_some_and(|before| before != iso) {
            return Err(format_error("invalid combination of date conventions".to_string())
                .hint("Do not mix Gregorian and ISO week date conventions in a formatting template."));
        }
        self.fields.iso = Some(iso);
        Ok(())
    }

    fn read(&mut self, nodes: &[Node]) -> Result<()> {
        let mut extra = 0;
        for (at, node) in nodes.iter().enumerate() {
            if self.rest.is_empty() {
                if self.standard {
                    return Err(format_error("input string is too short for datetime format".to_string()));
                }
                break;
            }
            if self.standard && self.matches_exactly(node)? {
                continue;
            }
            if !self.fixed && (matches!(node, Node::Keyword(_)) || at == 0) {
                extra += self.skip_spaces();
            }
            match node {
                Node::Space(_) | Node::Separator(_) => {
                    if self.fixed {
                        self.skip_char();
                        continue;
                    }
                    extra -= 1;
                    if self.rest.starts_with(|c: char| c.is_ascii_whitespace() || c.is_ascii_punctuation()) {
                        self.skip_char();
                        extra += 1;
                    }
                }
                Node::Literal(_) => {
                    if !self.fixed && extra > 0 {
                        extra -= 1;
                    } else {
                        self.skip_char();
                    }
                }
                Node::Keyword(keyword) => {
                    self.keyword(keyword, nodes.get(at + 1))?;
                    if !self.fixed {
                        extra = self.skip_spaces();
                    }
                }
            }
        }
        Ok(())
    }

    /// In standard mode, takes a separator or a text.
    fn matches_exactly(&mut self, node: &Node) -> Result<bool> {
        let (wanted, what) = match node {
            Node::Keyword(_) => return Ok(false),
            Node::Space(c) | Node::Separator(c) => (*c, "separator"),
            Node::Literal(c) => (*c, "character"),
        };
        if !self.rest.starts_with(wanted) {
            return Err(format_error(format!("unmatched format {what} \"{wanted}\"")));
        }
        self.skip_char();
        Ok(true)
    }

    fn keyword(&mut self, keyword: &Keyword, next: Option<&Node>) -> Result<()> {
        let name = keyword.name;
        let lower = name.to_ascii_lowercase();
        let gregorian = matches!(
            lower.as_str(),
            "ddd"
                | "dd"
                | "d"
                | "day"
                | "dy"
                | "mm"
                | "mon"
                | "month"
                | "rm"
                | "ww"
                | "w"
                | "cc"
                | "yyyy"
                | "yyy"
                | "yy"
                | "y"
                | "y,yyy"
        );
        let iso = matches!(lower.as_str(), "iddd" | "id" | "iw" | "iyyy" | "iyy" | "iy" | "i");
        if gregorian && !matches!(lower.as_str(), "day" | "dy") {
            self.convention(false)?;
        } else if iso {
            self.convention(true)?;
        }
        match lower.as_str() {
            "fx" => self.fixed = true,
            "a.m." | "p.m." => {
                self.fields.pm = Some(self.word(&["a.m.", "p.m."], name)? == 1);
                self.fields.twelve = true;
            }
            "am" | "pm" => {
                self.fields.pm = Some(self.word(&["am", "pm"], name)? == 1);
                self.fields.twelve = true;
            }
            "hh" | "hh12" => {
                let value = self.number(2, keyword, next)?.0;
                put(&mut self.fields.hour, value, name)?;
                self.fields.twelve = true;
            }
            "hh24" => self.store(2, keyword, next, |f| &mut f.hour)?,
            "mi" => self.store(2, keyword, next, |f| &mut f.minute)?,
            "ss" => self.store(2, keyword, next, |f| &mut f.second)?,
            "ms" => {
                let (value, length) = self.number(3, keyword, next)?;
                let scaled = if length < 3 { value * 10i32.pow(3 - length as u32) } else { value };
                put(&mut self.fields.millis, scaled, name)?;
            }
            "us" | "ff1" | "ff2" | "ff3" | "ff4" | "ff5" | "ff6" => {
                let width: usize = lower.strip_prefix("ff").and_then(|n| n.parse().ok()).unwrap_or(6);
                let (value, length) = self.number(width, keyword, next)?;
                let scale = 6usize.saturating_sub(length.min(6)) as u32;
                put(&mut self.fields.micros, value.saturating_mul(10i32.pow(scale)), name)?;
            }
            "ssss" | "sssss" => self.store(5, keyword, next, |f| &mut f.seconds_of_day)?,
            "tz" => {
                if self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    let end = self.rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    let Some((east, _)) = zone::abbreviation(&word.to_ascii_lowercase()) else {
                        return Err(format_error(format!("invalid value \"{word}\" for \"{name}\""))
                            .detail("Time zone abbreviation is not recognized."));
                    };
                    (self.fields.zone, self.rest) = (Some(east), rest);
                } else {
                    self.offset(keyword, next)?;
                }
            }
            "of" => self.offset(keyword, next)?,
            "tzh" => {
                self.sign();
                self.fields.zone_hours = self.number(2, keyword, next)?.0;
            }
            "tzm" => {
                if self.fields.zone_sign == 0 {
                    self.fields.zone_sign = 1;
                }
                self.fields.zone_minutes = self.number(2, keyword, next)?.0;
            }
            "a.d." | "b.c." => self.fields.bc = self.word(&["a.d.", "b.c."], name)? == 1,
            "ad" | "bc" => self.fields.bc = self.word(&["ad", "bc"], name)? == 1,
            "month" | "mon" => {
                let names: Vec<&str> =
                    MONTHS.iter().map(|month| if lower == "mon" { &month[..3] } else { *month }).collect();
                let month = self.word(&names, name)? as i32 + 1;
                put(&mut self.fields.month, month, name)?;
            }
            "day" | "dy" => {
                let names: Vec<&str> =
                    WEEKDAYS.iter().map(|day| if lower == "dy" { &day[..3] } else { *day }).collect();
                let weekday = self.word(&names, name)? as i32 + 1;
                put(&mut self.fields.weekday, weekday, name)?;
            }
            "mm" => self.store(2, keyword, next, |f| &mut f.month)?,
            "ddd" | "iddd" => self.store(3, keyword, next, |f| &mut f.day_of_year)?,
            "dd" => self.store(2, keyword, next, |f| &mut f.day)?,
            "d" => self.store(1, keyword, next, |f| &mut f.weekday)?,
            "id" => {
                let value = self.number(1, keyword, next)?.0;
                // Counted from Sunday, as D is.
                put(&mut self.fields.weekday, value.rem_euclid(7) + 1, name)?;
            }
            "ww" | "iw" => self.store(2, keyword, next, |f| &mut f.week)?,
            // A quarter says nothing about the date that the month does not.
            "q" => {
                self.number(1, keyword, next)?;
            }
            "cc" => self.store(2, keyword, next, |f| &mut f.century)?,
            "y,yyy" => {
                let (thousands, rest) = self.rest.split_once(',').unwrap_or((self.rest, ""));
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count().min(3);
                let parsed = thousands.trim().parse::<i32>().ok().zip(rest[..digits].parse::<i32>().ok());
                let Some((high, low)) = parsed else {
                    return Err(format_error("invalid input string for \"Y,YYY\"".to_string()));
                };
                self.rest = &rest[digits..];
                let year = high.saturating_mul(1000).saturating_add(low);
                put(&mut self.fields.year, year, name)?;
                self.fields.year_digits = 4;
            }
            "yyyy" | "yyy" | "yy" | "y" | "iyyy" | "iyy" | "iy" | "i" => {
                let width = lower.trim_start_matches('i').len() + usize::from(lower.starts_with('i'));
                let (mut value, length) = self.number(width, keyword, next)?;
                if width < 4 && length < 4 {
                    value = complete(value);
                }
                put(&mut self.fields.year, value, name)?;
                self.fields.year_digits = width;
            }
            "rm" => {
                let month = 12 - self.word(&ROMAN, name)? as i32;
                put(&mut self.fields.month, month, name)?;
            }
            "w" => self.store(1, keyword, next, |f| &mut f.week_of_month)?,
            "j" => self.store(10, &Keyword { fill: true, ..*keyword }, next, |f| &mut f.julian)?,
            _ => {}
        }
        Ok(())
    }

    fn store(
        &mut self,
        width: usize,
        keyword: &Keyword,
        next: Option<&Node>,
        slot: fn(&mut Fields) -> &mut Option<i32>,
    ) -> Result<()> {
        let value = self.number(width, keyword, next)?.0;
        if keyword.ordinal.is_some() {
            self.rest = self.rest.get(2..).unwrap_or_default();
        }
        put(slot(&mut self.fields), value, keyword.name)
    }

    fn sign(&mut self) {
        self.fields.zone_sign = match self.rest.as_bytes().first() {
            Some(b'-') => -1,
            _ => 1,
        };
        if self.rest.starts_with(['+', '-', ' ']) {
            self.skip_char();
        }
    }

    /// `+hh[:mm]`
    fn offset(&mut self, keyword: &Keyword, next: Option<&Node>) -> Result<()> {
        self.sign();
        let open = Keyword { fill: true, ..*keyword };
        self.fields.zone_hours = self.number(2, &open, next)?.0;
        if let Some(rest) = self.rest.strip_prefix(':') {
            self.rest = rest;
            self.fields.zone_minutes = self.number(2, &open, next)?.0;
        }
        Ok(())
    }
}

/// A year of one to three digits is the one nearest to 2020.
fn complete(year: i32) -> i32 {
    match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        year => year,
    }
}

fn out_of_range(text: &str) -> Error {
    err!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{text}\"")
}

/// Reads a text by a template: local fields and, if given, the zone in seconds east.
fn read(text: &str, template: &str) -> Result<(Tm, Option<i32>)> {
    let mut reader = Reader { rest: text, fixed: false, standard: false, fields: Fields::default() };
    reader.read(&dates(template))?;
    combine(reader.fields, text)
}

/// Fields as read to a local time and, if given, the zone in seconds east.
fn combine(fields: Fields, text: &str) -> Result<(Tm, Option<i32>)> {
    let mut tm = Tm { month: 1, day: 1, ..Tm::default() };
    set_time(&fields, &mut tm)?;
    set_date(&fields, &mut tm)?;
    let micros = i64::from(fields.millis.unwrap_or(0)) * 1000 + i64::from(fields.micros.unwrap_or(0));
    tm.micros = i32::try_from(micros).map_err(|_| out_of_range(text))?;
    if !(1..=12).contains(&tm.month) || !(1..=days_in_month(tm.year, tm.month)).contains(&tm.day) {
        return Err(out_of_range(text));
    }
    let in_range = (0..24).contains(&tm.hour)
        && (0..60).contains(&tm.minute)
        && (0..60).contains(&tm.second)
        && (0..1_000_000).contains(&tm.micros);
    if !in_range {
        return Err(out_of_range(text));
    }
    let zone = match (fields.zone, fields.zone_sign) {
        (Some(east), _) => Some(east),
        (None, 0) => None,
        (None, sign) => {
            if !(0..=15).contains(&fields.zone_hours) || !(0..60).contains(&fields.zone_minutes) {
                return Err(out_of_range(text));
            }
            Some(sign * (fields.zone_hours * 3600 + fields.zone_minutes * 60))
        }
    };
    Ok((tm, zone))
}

fn set_time(fields: &Fields, tm: &mut Tm) -> Result<()> {
    if let Some(seconds) = fields.seconds_of_day {
        let total = i64::from(seconds.max(0)) * SECOND;
        tm.hour = (total / HOUR) as i32;
        tm.minute = (total % HOUR / MINUTE) as i32;
        tm.second = (total % MINUTE / SECOND) as i32;
    }
    tm.second = fields.second.unwrap_or(tm.second);
    tm.minute = fields.minute.unwrap_or(tm.minute);
    tm.hour = fields.hour.unwrap_or(tm.hour);
    if fields.twelve {
        if !(1..=12).contains(&tm.hour) {
            return Err(format_error(format!("hour \"{}\" is invalid for the 12-hour clock", tm.hour))
                .hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        if fields.pm == Some(true) && tm.hour < 12 {
            tm.hour += 12;
        } else if fields.pm != Some(true) && tm.hour == 12 {
            tm.hour = 0;
        }
    }
    Ok(())
}

/// A century that is small enough to be multiplied; far more is out of range anyway.
fn signed_century(century: i32, bc: bool) -> i32 {
    let century = century.clamp(-1_000_000, 1_000_000);
    if bc { -century } else { century }
}

/// Days before the first one of a week.
fn week_days(week: i32) -> i32 {
    (week.clamp(-1_000_000, 1_000_000) - 1) * 7
}

fn set_date(fields: &Fields, tm: &mut Tm) -> Result<()> {
    let mut has_year = true;
    match (fields.year, fields.century) {
        (Some(year), Some(century)) if fields.year_digits <= 2 => {
            let century = signed_century(century, fields.bc);
            tm.year = match year % 100 {
                0 => century * 100 + i32::from(century < 0),
                year if century >= 0 => year + (century - 1) * 100,
                year => (century + 1) * 100 - year + 1,
            };
        }
        (Some(year), _) => {
            tm.year = if fields.bc { year.saturating_neg() } else { year };
            if tm.year < 0 {
                tm.year += 1;
            }
        }
        (None, Some(century)) => {
            let century = signed_century(century, fields.bc);
            tm.year = if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 };
        }
        (None, None) => has_year = false,
    }
    if let Some(julian) = fields.julian {
        (tm.year, tm.month, tm.day) = j2date(julian);
    }
    let mut day_of_year = fields.day_of_year;
    let mut day = fields.day;
    if let Some(week) = fields.week {
        if fields.iso == Some(true) {
            // Without a day the week's Monday.
            let weekday = fields.weekday.map_or(0, |weekday| weekday.wrapping_add(5).rem_euclid(7));
            (tm.year, tm.month, tm.day) = j2date(iso_week_start(tm.year).wrapping_add(week_days(week) + weekday));
        } else {
            day_of_year = Some(week_days(week) + 1);
        }
    }
    if let Some(week) = fields.week_of_month {
        day = Some(week_days(week) + 1);
    }
    if let Some(day) = day {
        tm.day = day;
    }
    if let Some(month) = fields.month {
        tm.month = month;
    }
    if let Some(days) = day_of_year.filter(|_| tm.month <= 1 || tm.day <= 1) {
        if !has_year {
            return Err(format_error("cannot calculate day of year without year information".to_string()));
        }
        if fields.iso == Some(true) {
            (tm.year, tm.month, tm.day) = j2date(iso_week_start(tm.year).wrapping_add(days.saturating_sub(1)));
        } else if fields.month.is_none() {
            if days > 365 + i32::from(is_leap(tm.year)) || days < 1 {
                return Err(err!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{days}\""));
            }
            (tm.year, tm.month, tm.day) = j2date(date2j(tm.year, 1, 1).wrapping_add(days - 1));
        }
    }
    Ok(())
}

/// What a keyword says something about.
enum Part {
    Date,
    Time,
    Zone,
    Nothing,
}

fn part_of(name: &str) -> Part {
    match name.to_ascii_lowercase().as_str() {
        "a.m." | "p.m." | "am" | "pm" | "hh" | "hh12" | "hh24" | "mi" | "ss" | "ms" | "us" | "ssss" | "sssss" => {
            Part::Time
        }
        name if name.starts_with("ff") => Part::Time,
        "tz" | "of" | "tzh" | "tzm" => Part::Zone,
        "fx" => Part::Nothing,
        _ => Part::Date,
    }
}

/// Reads a text by the SQL standard's rules (jsonpath's `.datetime(template)`): the template says which type it is.
/// With it the zone, in seconds east.
pub(crate) fn standard(text: &str, template: &str) -> Result<(Datum, i32)> {
    let nodes = super::template::standard(template)
        .map_err(|c| format_error(format!("invalid datetime format separator: \"{c}\"")))?;
    let mut reader = Reader { rest: text, fixed: true, standard: true, fields: Fields::default() };
    reader.read(&nodes)?;
    if !reader.rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).is_empty() {
        return Err(format_error("trailing characters remain in input string after datetime format".to_string()));
    }
    let (mut dated, mut timed, mut zoned, mut precision) = (false, false, false, 6);
    for node in &nodes {
        let Node::Keyword(keyword) = node else { continue };
        match part_of(keyword.name) {
            Part::Date => dated = true,
            Part::Time => timed = true,
            Part::Zone => zoned = true,
            Part::Nothing => {}
        }
        if let Some(digits) = keyword.name.to_ascii_lowercase().strip_prefix("ff") {
            precision = digits.parse().unwrap_or(6);
        }
    }
    let (tm, east) = combine(reader.fields, text)?;
    let given =
        |typ: &str| east.ok_or_else(|| format_error(format!("missing time zone in input string for type {typ}")));
    let range = || err!(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    let time = || super::typmod::round(super::calendar::time_of(&tm), precision);
    Ok(match (dated, timed, zoned) {
        (true, false, true) => return Err(format_error("datetime format is zoned but not timed".to_string())),
        (true, false, false) => {
            let days = days_of(tm.year, tm.month, tm.day);
            (Datum::Date(days.ok_or_else(|| err!(DATETIME_FIELD_OVERFLOW, "date out of range: \"{text}\""))?), 0)
        }
        (true, true, false) => {
            let local = timestamp_of(&tm).ok_or_else(range)?;
            (Datum::Timestamp(super::typmod::timestamp(local, precision)?), 0)
        }
        (true, true, true) => {
            let east = given("timestamptz")?;
            let instant = timestamp_of(&tm).map(|local| local - i64::from(east) * SECOND).ok_or_else(range)?;
            let instant = super::typmod::timestamp(instant, precision)?;
            (Datum::TimestampTz(instant), east)
        }
        (false, true, false) => (Datum::Time(time()), 0),
        (false, true, true) => {
            let east = given("timetz")?;
            (Datum::TimeTz(time(), -east), east)
        }
        _ => return Err(format_error("datetime format is not dated and not timed".to_string())),
    })
}

fn texts(args: &[Datum]) -> Result<(&str, &str)> {
    match args {
        [Datum::Text(text), Datum::Text(template)] => Ok((text, template)),
        _ => Err(Error::internal("to_timestamp called with other types")),
    }
}

pub(super) fn to_date(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, template) = texts(args)?;
    let (tm, _) = read(text, template)?;
    let days = days_of(tm.year, tm.month, tm.day);
    days.map(Datum::Date).ok_or_else(|| err!(DATETIME_FIELD_OVERFLOW, "date out of range: \"{text}\""))
}

pub(super) fn to_timestamp(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, template) = texts(args)?;
    let (tm, east) = read(text, template)?;
    let range = || err!(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    let local = timestamp_of(&tm).ok_or_else(range)?;
    let instant = match east {
        Some(east) => local - i64::from(east) * SECOND,
        None => zone::local_to_utc(&context.format.time_zone, local),
    };
    if super::calendar::in_range(instant) { Ok(Datum::TimestampTz(instant)) } else { Err(range()) }
}
