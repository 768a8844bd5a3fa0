//! Input of dates and times: PostgreSQL's rules for what the fields of a text mean, in its own order of guesses.

use super::calendar::{
    DAY, SECOND, Tm, date2j, days_in_month, days_of, is_valid_julian, j2date, time_of, timestamp_of, tm_of, tm_of_time,
};
use super::token::{Kind, tokenize};
use super::words::{Bad, Keyword, keyword};
use super::zone;
use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::{DateOrder, EvalContext, TimeZone};

type Parsed<T> = std::result::Result<T, Bad>;

const YEAR: u32 = 1;
const MONTH: u32 = 2;
const DAY_OF_MONTH: u32 = 4;
const DATE: u32 = YEAR | MONTH | DAY_OF_MONTH;
const DAY_OF_YEAR: u32 = 8;
const TIME: u32 = 16;
const ZONE: u32 = 32;
const DST: u32 = 64;
const WEEKDAY: u32 = 128;
const MERIDIAN: u32 = 256;
const ERA: u32 = 512;

/// What a text said.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// Fields.
    Fields,
    Epoch,
    Infinity,
    MinusInfinity,
}

struct Reader<'a> {
    context: &'a EvalContext,
    tm: Tm,
    /// Seconds west, once a zone is known.
    west: i32,
    named_zone: Option<TimeZone>,
    mask: u32,
    outcome: Outcome,
    text_month: bool,
    julian: bool,
    two_digit_year: bool,
    day_of_year: i32,
    pm: Option<bool>,
    bc: bool,
}

/// Splits off a leading integer; `None` on overflow or when there is none.
fn leading(text: &str) -> Option<(i32, &str)> {
    let sign = usize::from(text.starts_with(['+', '-']));
    let end = sign + text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    Some((text[..end].parse().ok()?, &text[end..]))
}

fn number(text: &str) -> Parsed<(i32, &str)> {
    let has_digit = text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
    match leading(text) {
        Some(found) => Ok(found),
        None if has_digit => Err(Bad::FieldOverflow),
        None => Err(Bad::Format),
    }
}

/// Microseconds of `.ddd`, rounded.
pub(super) fn fraction(text: &str) -> Parsed<i32> {
    let digits = text.strip_prefix('.').ok_or(Bad::Format)?;
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Bad::Format);
    }
    let value: f64 = text.parse().map_err(|_| Bad::Format)?;
    Ok((value * 1e6).round_ties_even() as i32)
}

/// `+hh`, `+hhmm`, `+hh:mm:ss`: seconds west of Greenwich.
pub(super) fn zone_offset(text: &str) -> Parsed<i32> {
    let negative = match text.as_bytes().first() {
        Some(b'+') => false,
        Some(b'-') => true,
        _ => return Err(Bad::Format),
    };
    let part = |text: &str| -> Parsed<(i32, String)> {
        let (value, rest) = leading(text).ok_or(Bad::ZoneOverflow)?;
        Ok((value, rest.to_string()))
    };
    let (mut hour, mut rest) = part(&text[1..])?;
    let (mut minute, mut second) = (0, 0);
    if let Some(tail) = rest.strip_prefix(':') {
        (minute, rest) = part(tail)?;
        if let Some(tail) = rest.strip_prefix(':').map(str::to_string) {
            (second, rest) = part(&tail)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hour, minute) = (hour / 100, hour % 100);
    }
    if !(0..=15).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Bad::ZoneOverflow);
    }
    if !rest.is_empty() {
        return Err(Bad::Format);
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    Ok(if negative { seconds } else { -seconds })
}

/// Whether fields are more than 24:00:00.
fn time_overflows(tm: &Tm) -> bool {
    !(0..=24).contains(&tm.hour)
        || !(0..60).contains(&tm.minute)
        || !(0..=60).contains(&tm.second)
        || !(0..=1_000_000).contains(&tm.micros)
        || time_of(tm) > DAY
}

impl<'a> Reader<'a> {
    fn new(context: &'a EvalContext) -> Self {
        Self {
            context,
            tm: Tm::default(),
            west: 0,
            named_zone: None,
            mask: 0,
            outcome: Outcome::Fields,
            text_month: false,
            julian: false,
            two_digit_year: false,
            day_of_year: 0,
            pm: None,
            bc: false,
        }
    }

    fn has(&self, mask: u32) -> bool {
        self.mask & mask == mask
    }

    fn add(&mut self, mask: u32) -> Parsed<()> {
        if self.mask & mask != 0 {
            return Err(Bad::Format);
        }
        self.mask |= mask;
        Ok(())
    }

    /// The local time at the start of the transaction.
    fn now(&self) -> i64 {
        zone::utc_to_local(&self.context.format.time_zone, self.context.transaction_time)
    }

    fn set_date(&mut self, julian: i32) {
        (self.tm.year, self.tm.month, self.tm.day) = j2date(julian);
    }

    fn today(&mut self, plus: i32) {
        let tm = tm_of(self.now());
        self.set_date(date2j(tm.year, tm.month, tm.day) + plus);
    }

    /// All fields of a date, perhaps with time and zone.
    fn date_time(&mut self, fields: &[(String, Kind)]) -> Parsed<()> {
        let mut prefix = None;
        let mut at = 0;
        while at < fields.len() {
            let (field, kind) = &fields[at];
            let mask = match kind {
                Kind::Date if prefix == Some(Keyword::Julian) => {
                    prefix = None;
                    let (day, rest) = number(field)?;
                    self.set_date(day);
                    self.julian = true;
                    self.west = zone_offset(rest)?;
                    DATE | ZONE
                }
                Kind::Date if prefix.is_some() || self.has(MONTH | DAY_OF_MONTH) => {
                    if field.starts_with(|c: char| c.is_ascii_digit()) || prefix.is_some() {
                        if prefix.take().is_some_and(|prefix| prefix != Keyword::IsoTime) || self.has(TIME) {
                            return Err(Bad::Format);
                        }
                        let cut = field.find('-').ok_or(Bad::Format)?;
                        self.west = zone_offset(&field[cut..])?;
                        self.number_field(&field[..cut], self.mask)? | ZONE
                    } else {
                        self.named_zone = Some(zone::find(field).ok_or_else(|| Bad::Zone(field.clone()))?);
                        ZONE
                    }
                }
                Kind::Date => self.date(field)?,
                Kind::Time => {
                    if prefix.take().is_some_and(|prefix| prefix != Keyword::IsoTime) {
                        return Err(Bad::Format);
                    }
                    self.time(field)?;
                    if time_overflows(&self.tm) {
                        return Err(Bad::FieldOverflow);
                    }
                    TIME
                }
                Kind::Zone => {
                    self.west = zone_offset(field)?;
                    ZONE
                }
                Kind::Number => match prefix.take() {
                    Some(prefix) => self.prefixed(field, prefix)?,
                    None => self.plain_number(field)?,
                },
                Kind::Word | Kind::Special => match self.word(field, &fields[at + 1..], &mut prefix)? {
                    Some(mask) => mask,
                    None => {
                        at += 1;
                        continue;
                    }
                },
            };
            self.add(mask)?;
            at += 1;
        }
        if prefix.is_some() {
            return Err(Bad::Format);
        }
        if self.outcome == Outcome::Fields { self.finish() } else { Ok(()) }
    }

    /// Checks and completes the fields.
    fn finish(&mut self) -> Parsed<()> {
        self.validate()?;
        self.meridian()?;
        if !self.has(DATE) {
            return Err(Bad::Format);
        }
        Ok(())
    }

    fn meridian(&mut self) -> Parsed<()> {
        match self.pm {
            Some(_) if self.tm.hour > 12 => return Err(Bad::FieldOverflow),
            Some(false) if self.tm.hour == 12 => self.tm.hour = 0,
            Some(true) if self.tm.hour != 12 => self.tm.hour += 12,
            _ => {}
        }
        Ok(())
    }

    fn validate(&mut self) -> Parsed<()> {
        let tm = &mut self.tm;
        if self.mask & YEAR != 0 && !self.julian {
            if self.bc {
                if tm.year <= 0 {
                    return Err(Bad::FieldOverflow);
                }
                tm.year = -(tm.year - 1);
            } else if self.two_digit_year {
                match tm.year {
                    ..0 => return Err(Bad::FieldOverflow),
                    0..70 => tm.year += 2000,
                    70..100 => tm.year += 1900,
                    _ => {}
                }
            } else if tm.year <= 0 {
                return Err(Bad::FieldOverflow);
            }
        }
        if self.mask & DAY_OF_YEAR != 0 {
            (tm.year, tm.month, tm.day) = j2date(date2j(tm.year, 1, 1).wrapping_add(self.day_of_year - 1));
        }
        if self.mask & MONTH != 0 && !(1..=12).contains(&tm.month) {
            return Err(Bad::OrderOverflow);
        }
        if self.mask & DAY_OF_MONTH != 0 && !(1..=31).contains(&tm.day) {
            return Err(Bad::OrderOverflow);
        }
        if self.mask & DATE == DATE && tm.day > days_in_month(tm.year, tm.month) {
            return Err(Bad::FieldOverflow);
        }
        Ok(())
    }

    /// A number after `J` or `T`.
    fn prefixed(&mut self, field: &str, prefix: Keyword) -> Parsed<u32> {
        let (value, rest) = number(field)?;
        if !rest.is_empty() && !rest.starts_with('.') {
            return Err(Bad::Format);
        }
        match prefix {
            Keyword::Julian => {
                if value < 0 {
                    return Err(Bad::FieldOverflow);
                }
                self.set_date(value);
                self.julian = true;
                if !rest.starts_with('.') {
                    return Ok(DATE);
                }
                let part: f64 = format!("0{rest}").parse().map_err(|_| Bad::Format)?;
                let time = tm_of_time((part * DAY as f64) as i64);
                (self.tm.hour, self.tm.minute, self.tm.second) = (time.hour, time.minute, time.second);
                self.tm.micros = time.micros;
                Ok(DATE | TIME)
            }
            Keyword::IsoTime => match self.number_field(field, self.mask | DATE)? {
                TIME => Ok(TIME),
                _ => Err(Bad::Format),
            },
            _ => Err(Bad::Format),
        }
    }

    fn plain_number(&mut self, field: &str) -> Parsed<u32> {
        match field.find('.') {
            Some(_) if self.mask & DATE == 0 => self.date(field),
            Some(point) if point > 2 => self.number_field(field, self.mask),
            _ if field.len() >= 6 && (self.mask & DATE == 0 || self.mask & TIME == 0) => {
                self.number_field(field, self.mask)
            }
            _ => self.number(field, self.mask),
        }
    }

    /// A word; `None` when it says nothing by itself.
    fn word(&mut self, field: &str, rest: &[(String, Kind)], prefix: &mut Option<Keyword>) -> Parsed<Option<u32>> {
        if let Some((east, dst)) = zone::abbreviation(field) {
            self.west = -east;
            return Ok(Some(if dst { ZONE | DST } else { ZONE }));
        }
        let Some(keyword) = keyword(field) else {
            self.named_zone = Some(zone::find(field).ok_or(Bad::Format)?);
            return Ok(Some(ZONE));
        };
        Ok(Some(match keyword {
            Keyword::Ignore => return Ok(None),
            Keyword::Now => {
                self.tm = tm_of(self.now());
                self.west = -zone::offset_at(&self.context.format.time_zone, self.context.transaction_time);
                DATE | TIME | ZONE
            }
            Keyword::Today => self.relative_day(0),
            Keyword::Tomorrow => self.relative_day(1),
            Keyword::Yesterday => self.relative_day(-1),
            Keyword::AllBalls => {
                (self.tm.hour, self.tm.minute, self.tm.second, self.tm.micros) = (0, 0, 0, 0);
                self.west = 0;
                TIME | ZONE
            }
            Keyword::Epoch => self.special(Outcome::Epoch),
            Keyword::Infinity => self.special(Outcome::Infinity),
            Keyword::MinusInfinity => self.special(Outcome::MinusInfinity),
            Keyword::Month(month) => {
                let mut mask = MONTH;
                // A number that was taken for the month was the day.
                if self.has(MONTH) && !self.text_month && !self.has(DAY_OF_MONTH) && (1..=31).contains(&self.tm.month) {
                    self.tm.day = self.tm.month;
                    mask = DAY_OF_MONTH;
                }
                self.text_month = true;
                self.tm.month = month;
                mask
            }
            Keyword::Weekday => WEEKDAY,
            Keyword::Pm(pm) => {
                self.pm = Some(pm);
                MERIDIAN
            }
            Keyword::Bc(bc) => {
                self.bc = bc;
                ERA
            }
            Keyword::Dst => {
                self.west -= 3600;
                DST
            }
            Keyword::IsoTime => {
                let followed = matches!(rest.first(), Some((_, Kind::Number | Kind::Time | Kind::Date)));
                if !self.has(DATE) || !followed {
                    return Err(Bad::Format);
                }
                *prefix = Some(keyword);
                return Ok(None);
            }
            Keyword::Julian | Keyword::Unit => {
                *prefix = Some(keyword);
                return Ok(None);
            }
        }))
    }

    fn relative_day(&mut self, plus: i32) -> u32 {
        self.today(plus);
        DATE
    }

    fn special(&mut self, outcome: Outcome) -> u32 {
        self.outcome = outcome;
        DATE | TIME | ZONE
    }

    /// A date whose parts are joined.
    fn date(&mut self, field: &str) -> Parsed<u32> {
        let mut parts: Vec<Option<&str>> = Vec::new();
        let mut rest = field;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (part, tail) = rest.split_at(digits.max(letters));
            if part.is_empty() && !tail.is_empty() {
                return Err(Bad::Format);
            }
            if !part.is_empty() {
                parts.push(Some(part));
            }
            rest = tail;
        }
        let mut mask = self.mask;
        let mut found = 0;
        let mut text_month = false;
        for part in &mut parts {
            let Some(word) = part.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic())) else { continue };
            match keyword(word) {
                Some(Keyword::Ignore) => {}
                Some(Keyword::Month(month)) => {
                    self.tm.month = month;
                    text_month = true;
                    if mask & MONTH != 0 {
                        return Err(Bad::Format);
                    }
                    mask |= MONTH;
                    found |= MONTH;
                }
                _ => return Err(Bad::Format),
            }
            *part = None;
        }
        let before = std::mem::replace(&mut self.text_month, text_month);
        for part in parts.into_iter().flatten() {
            let next = self.number(part, mask)?;
            if mask & next != 0 {
                return Err(Bad::Format);
            }
            mask |= next;
            found |= next;
        }
        self.text_month = before;
        if mask & !(DAY_OF_YEAR | ZONE) != DATE {
            return Err(Bad::Format);
        }
        Ok(found)
    }

    /// One number, whose meaning follows from what is known already and from DateStyle.
    fn number(&mut self, field: &str, mask: u32) -> Parsed<u32> {
        let (value, rest) = number(field)?;
        let length = field.len();
        if rest.starts_with('.') {
            if length - rest.len() > 2 {
                return self.number_field(field, mask | DATE);
            }
            self.tm.micros = fraction(rest)?;
        } else if !rest.is_empty() {
            return Err(Bad::Format);
        }
        if length == 3 && mask & DATE == YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(DAY_OF_YEAR | MONTH | DAY_OF_MONTH);
        }
        let order = self.context.format.date_order;
        let year_first = length >= 3 || order == DateOrder::Ymd;
        let found = match mask & DATE {
            0 if year_first => YEAR,
            0 if order == DateOrder::Dmy => DAY_OF_MONTH,
            0 => MONTH,
            YEAR => MONTH,
            MONTH if self.text_month && year_first => YEAR,
            MONTH => DAY_OF_MONTH,
            found if found == YEAR | MONTH => {
                if self.text_month && length >= 3 && self.two_digit_year {
                    // The number taken for the year was the day.
                    self.tm.day = self.tm.year;
                    self.tm.year = value;
                    self.two_digit_year = false;
                    return Ok(DAY_OF_MONTH);
                }
                DAY_OF_MONTH
            }
            DAY_OF_MONTH => MONTH,
            found if found == MONTH | DAY_OF_MONTH => YEAR,
            DATE => return self.number_field(field, mask),
            _ => return Err(Bad::Format),
        };
        match found {
            YEAR => {
                self.tm.year = value;
                self.two_digit_year = length <= 2;
            }
            MONTH => self.tm.month = value,
            _ => self.tm.day = value,
        }
        Ok(found)
    }

    /// Run-together digits: `yyyymmdd`, `hhmmss`, `hhmm`, perhaps with a fraction.
    fn number_field(&mut self, field: &str, mask: u32) -> Parsed<u32> {
        let mut digits = field;
        if let Some(point) = field.find('.') {
            self.tm.micros = fraction(&field[point..])?;
            digits = &field[..point];
        } else if mask & DATE != DATE && digits.len() >= 6 {
            let (year, rest) = digits.split_at(digits.len() - 4);
            self.tm.year = number(year)?.0;
            self.tm.month = number(&rest[..2])?.0;
            self.tm.day = number(&rest[2..])?.0;
            self.two_digit_year |= year.len() == 2;
            return Ok(DATE);
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Bad::Format);
        }
        if mask & TIME != TIME && matches!(digits.len(), 4 | 6) {
            self.tm.hour = number(&digits[..2])?.0;
            self.tm.minute = number(&digits[2..4])?.0;
            self.tm.second = if digits.len() == 6 { number(&digits[4..])?.0 } else { 0 };
            return Ok(TIME);
        }
        Err(Bad::Format)
    }

    /// `hh:mm`, `hh:mm:ss.ddd`.
    fn time(&mut self, field: &str) -> Parsed<()> {
        let (first, second, third, micros) = clock(field)?;
        let first = i32::try_from(first).map_err(|_| Bad::FieldOverflow)?;
        let tm = &mut self.tm;
        (tm.hour, tm.minute, tm.second) = match third {
            Some(third) => (first, second, third),
            // mm:ss.ddd
            None if field.contains('.') => (0, first, second),
            None => (first, second, 0),
        };
        tm.micros = micros;
        if tm.hour < 0 || !(0..60).contains(&tm.minute) || !(0..=60).contains(&tm.second) {
            return Err(Bad::FieldOverflow);
        }
        Ok(())
    }

    /// A time of day, perhaps with a date (for the zone's rules) and a zone.
    fn time_only(&mut self, fields: &[(String, Kind)]) -> Parsed<()> {
        let mut prefix = None;
        for (at, (field, kind)) in fields.iter().enumerate() {
            let date_first = at == 0 && fields.len() >= 2;
            let mask = match kind {
                Kind::Date if date_first && (fields[fields.len() - 1].1 == Kind::Date || fields[1].1 == Kind::Time) => {
                    self.date(field)?
                }
                Kind::Date if field.starts_with(|c: char| c.is_ascii_digit()) => {
                    if self.has(TIME) {
                        return Err(Bad::Format);
                    }
                    let cut = field.find('-').ok_or(Bad::Format)?;
                    self.west = zone_offset(&field[cut..])?;
                    prefix = None;
                    self.number_field(&field[..cut], self.mask | DATE)? | ZONE
                }
                Kind::Date => {
                    self.named_zone = Some(zone::find(field).ok_or_else(|| Bad::Zone(field.clone()))?);
                    ZONE
                }
                Kind::Time => {
                    if prefix.take().is_some_and(|prefix| prefix != Keyword::IsoTime) {
                        return Err(Bad::Format);
                    }
                    self.time(field)?;
                    TIME
                }
                Kind::Zone => {
                    self.west = zone_offset(field)?;
                    ZONE
                }
                Kind::Number => match prefix.take() {
                    Some(prefix) => self.prefixed(field, prefix)?,
                    None => match field.find('.') {
                        Some(_) if date_first && fields[fields.len() - 1].1 == Kind::Date => self.date(field)?,
                        Some(point) if point > 2 => self.number_field(field, self.mask | DATE)?,
                        Some(_) => return Err(Bad::Format),
                        None if field.len() > 4 => self.number_field(field, self.mask | DATE)?,
                        None => self.number(field, self.mask | DATE)?,
                    },
                },
                Kind::Word | Kind::Special => match self.time_word(field, &mut prefix)? {
                    Some(mask) => mask,
                    None => continue,
                },
            };
            self.add(mask)?;
        }
        if prefix.is_some() {
            return Err(Bad::Format);
        }
        self.validate()?;
        self.meridian()?;
        if time_overflows(&self.tm) {
            return Err(Bad::FieldOverflow);
        }
        if self.has(TIME) { Ok(()) } else { Err(Bad::Format) }
    }

    fn time_word(&mut self, field: &str, prefix: &mut Option<Keyword>) -> Parsed<Option<u32>> {
        match keyword(field) {
            Some(Keyword::IsoTime) => {
                *prefix = Some(Keyword::IsoTime);
                Ok(None)
            }
            Some(Keyword::Now) => {
                let tm = tm_of(self.now());
                (self.tm.hour, self.tm.minute, self.tm.second) = (tm.hour, tm.minute, tm.second);
                self.tm.micros = tm.micros;
                Ok(Some(TIME))
            }
            Some(Keyword::Today | Keyword::Tomorrow | Keyword::Yesterday | Keyword::Epoch)
            | Some(Keyword::Infinity | Keyword::MinusInfinity) => Err(Bad::Format),
            _ => self.word(field, &[], prefix),
        }
    }

    /// Seconds west of Greenwich for the fields, from the zone given or the session's.
    fn zone_west(&self) -> i32 {
        let zone = match &self.named_zone {
            Some(zone) => zone,
            None if self.mask & ZONE != 0 => return self.west,
            None => &self.context.format.time_zone,
        };
        timestamp_of(&self.tm).map_or(0, |local| -zone::offset_at_local(zone, local))
    }
}

/// The numbers of a time and its microseconds.
fn clock(field: &str) -> Parsed<(i64, i32, Option<i32>, i32)> {
    let digits = field.bytes().take_while(u8::is_ascii_digit).count();
    let (first, rest) = field.split_at(digits);
    let first = if first.is_empty() { Err(Bad::Format) } else { first.parse().map_err(|_| Bad::FieldOverflow) }?;
    let (second, rest) = number(rest.strip_prefix(':').ok_or(Bad::Format)?)?;
    if rest.is_empty() {
        return Ok((first, second, None, 0));
    }
    if rest.starts_with('.') {
        return Ok((first, second, None, fraction(rest)?));
    }
    let (third, rest) = number(rest.strip_prefix(':').ok_or(Bad::Format)?)?;
    let micros = if rest.is_empty() { 0 } else { fraction(rest)? };
    Ok((first, second, Some(third), micros))
}

/// The numbers of a time in an interval.
pub(super) fn interval_clock(field: &str) -> Parsed<(i64, i32, Option<i32>, i32)> {
    clock(field)
}

fn read<'a>(text: &str, type_name: &str, context: &'a EvalContext) -> Result<Reader<'a>> {
    let mut reader = Reader::new(context);
    let parsed = tokenize(text).ok_or(Bad::Format).and_then(|fields| reader.date_time(&fields));
    parsed.map(|()| reader).map_err(|bad| bad.error(text, type_name))
}

/// `date_in`.
pub fn date_in(text: &str, context: &EvalContext) -> Result<i32> {
    let reader = read(text, "date", context)?;
    let range = || err!(DATETIME_FIELD_OVERFLOW, "date out of range: \"{text}\"");
    match reader.outcome {
        Outcome::Epoch => Ok(-super::calendar::UNIX_EPOCH_DAYS as i32),
        Outcome::Infinity => Ok(i32::MAX),
        Outcome::MinusInfinity => Ok(i32::MIN),
        Outcome::Fields => {
            let tm = &reader.tm;
            if !is_valid_julian(tm.year, tm.month) {
                return Err(range());
            }
            days_of(tm.year, tm.month, tm.day).ok_or_else(range)
        }
    }
}

/// `timestamp_in`: a zone in the text is ignored.
pub fn timestamp_in(text: &str, context: &EvalContext) -> Result<i64> {
    let reader = read(text, "timestamp", context)?;
    special(&reader).map_or_else(|| timestamp_of(&reader.tm).ok_or_else(|| range_error(text)), Ok)
}

/// `timestamptz_in`: without a zone in the text, the session's.
pub fn timestamptz_in(text: &str, context: &EvalContext) -> Result<i64> {
    let reader = read(text, "timestamp with time zone", context)?;
    if let Some(instant) = special(&reader) {
        return Ok(instant);
    }
    let local = timestamp_of(&reader.tm).ok_or_else(|| range_error(text))?;
    let instant = local.checked_add(i64::from(reader.zone_west()) * SECOND);
    instant.filter(|t| super::calendar::in_range(*t)).ok_or_else(|| range_error(text))
}

fn range_error(text: &str) -> Error {
    err!(DATETIME_FIELD_OVERFLOW, "timestamp out of range: \"{text}\"")
}

fn special(reader: &Reader<'_>) -> Option<i64> {
    match reader.outcome {
        Outcome::Epoch => Some(-super::calendar::UNIX_EPOCH_DAYS * DAY),
        Outcome::Infinity => Some(i64::MAX),
        Outcome::MinusInfinity => Some(i64::MIN),
        Outcome::Fields => None,
    }
}

fn read_time<'a>(text: &str, type_name: &str, context: &'a EvalContext) -> Result<Reader<'a>> {
    let mut reader = Reader::new(context);
    let parsed = tokenize(text).ok_or(Bad::Format).and_then(|fields| reader.time_only(&fields));
    parsed.map_err(|bad| bad.error(text, type_name))?;
    // A zone with daylight time says nothing without a date.
    if reader.mask & DATE == 0
        && matches!(reader.named_zone, Some(TimeZone::Named(_)))
        && !is_fixed(reader.named_zone.as_ref())
    {
        return Err(Bad::Format.error(text, type_name));
    }
    Ok(reader)
}

/// `time_in`.
pub fn time_in(text: &str, context: &EvalContext) -> Result<i64> {
    Ok(time_of(&read_time(text, "time", context)?.tm))
}

/// `timetz_in`: a zone by name needs a date, or is taken at today's.
pub fn timetz_in(text: &str, context: &EvalContext) -> Result<Datum> {
    let mut reader = read_time(text, "time with time zone", context)?;
    if reader.mask & DATE == 0 {
        reader.today(0);
    }
    Ok(Datum::TimeTz(time_of(&reader.tm), reader.zone_west()))
}

/// Whether a zone has one offset only (UTC, Etc/GMT+3).
fn is_fixed(zone: Option<&TimeZone>) -> bool {
    match zone {
        Some(TimeZone::Named(tz)) => {
            tz.name().starts_with("Etc/") || matches!(tz.name(), "UTC" | "GMT" | "UCT" | "Zulu")
        }
        _ => true,
    }
}
