//! The words of dates and times, and what can be wrong with an input.

use crate::err;
use crate::error::Error;

/// What was wrong with an input.
#[derive(Debug, PartialEq)]
pub(super) enum Bad {
    Format,
    FieldOverflow,
    /// A month or day is out of range, which another DateStyle might cure.
    OrderOverflow,
    IntervalOverflow,
    /// Each field fits, the value does not.
    Range,
    ZoneOverflow,
    Zone(String),
}

impl Bad {
    /// The error for an input text of a type.
    pub(super) fn error(self, text: &str, type_name: &str) -> Error {
        match self {
            Self::Format => err!(INVALID_DATETIME_FORMAT, "invalid input syntax for type {type_name}: \"{text}\""),
            Self::FieldOverflow => {
                err!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{text}\"")
            }
            Self::OrderOverflow => err!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{text}\"")
                .hint("Perhaps you need a different \"DateStyle\" setting."),
            Self::IntervalOverflow => {
                err!(INTERVAL_FIELD_OVERFLOW, "interval field value out of range: \"{text}\"")
            }
            Self::Range => err!(DATETIME_FIELD_OVERFLOW, "{type_name} out of range"),
            Self::ZoneOverflow => {
                err!(INVALID_TIME_ZONE_DISPLACEMENT_VALUE, "time zone displacement out of range: \"{text}\"")
            }
            Self::Zone(name) => err!(INVALID_PARAMETER_VALUE, "time zone \"{name}\" not recognized"),
        }
    }
}

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Keyword {
    Infinity,
    MinusInfinity,
    Epoch,
    Now,
    Today,
    Tomorrow,
    Yesterday,
    /// Midnight UTC.
    AllBalls,
    Month(i32),
    Weekday,
    Pm(bool),
    Bc(bool),
    Dst,
    /// The next number is a Julian day.
    Julian,
    /// The next number is an ISO time.
    IsoTime,
    /// A unit that dates do not take in front of numbers.
    Unit,
    Ignore,
}

/// The meaning of a lower-case word; words are looked at up to ten characters.
pub(super) fn keyword(word: &str) -> Option<Keyword> {
    use Keyword::*;
    Some(match word.get(..10).unwrap_or(word) {
        "infinity" => Infinity,
        "-infinity" => MinusInfinity,
        "epoch" => Epoch,
        "now" => Now,
        "today" => Today,
        "tomorrow" => Tomorrow,
        "yesterday" => Yesterday,
        "allballs" => AllBalls,
        "jan" | "january" => Month(1),
        "feb" | "february" => Month(2),
        "mar" | "march" => Month(3),
        "apr" | "april" => Month(4),
        "may" => Month(5),
        "jun" | "june" => Month(6),
        "jul" | "july" => Month(7),
        "aug" | "august" => Month(8),
        "sep" | "sept" | "september" => Month(9),
        "oct" | "october" => Month(10),
        "nov" | "november" => Month(11),
        "dec" | "december" => Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu"
        | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => Weekday,
        "am" => Pm(false),
        "pm" => Pm(true),
        "ad" => Bc(false),
        "bc" => Bc(true),
        "dst" => Dst,
        "j" | "jd" | "julian" => Julian,
        "t" => IsoTime,
        "d" | "dow" | "doy" | "h" | "isodow" | "isoyear" | "m" | "mm" | "s" | "y" => Unit,
        "at" | "on" => Ignore,
        _ => return None,
    })
}
