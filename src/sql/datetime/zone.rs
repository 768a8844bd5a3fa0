//! Time zones: names, abbreviations and offsets; local time to instant and back.
//!
//! The IANA data comes with `chrono-tz`, which knows the rules up to 2099: later years take the offset of a year
//! with the same calendar. A local time that a change of clocks skips or repeats is read in the standard time, as
//! PostgreSQL does.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone as _};
use chrono_tz::{OffsetName, Tz};

use super::abbreviations::ABBREVIATIONS;
use super::calendar::{DAY, SECOND, UNIX_EPOCH_DAYS, date2j, is_leap, j2day, tm_of};
use crate::sql::context::TimeZone;

static ZONES: LazyLock<HashMap<String, Tz>> =
    LazyLock::new(|| chrono_tz::TZ_VARIANTS.iter().map(|tz| (tz.name().to_ascii_lowercase(), *tz)).collect());

/// The zone with an IANA name (in any case), or a POSIX-style `ABC+3`, whose sign is positive west of Greenwich.
pub fn find(name: &str) -> Option<TimeZone> {
    let lower = name.to_ascii_lowercase();
    if let Some(tz) = ZONES.get(&lower) {
        return Some(TimeZone::Named(*tz));
    }
    posix(name)
}

/// `<+03>-03`, `ABC-3`, `FOO+04:30`.
fn posix(name: &str) -> Option<TimeZone> {
    let (abbreviation, rest) = match name.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?,
        None => {
            let end = name.find(|c: char| !c.is_ascii_alphabetic())?;
            name.split_at(end)
        }
    };
    // Without an abbreviation there is the offset itself, whose sign is POSIX's all the same.
    let bare = abbreviation.is_empty() && rest.starts_with(['+', '-']);
    if abbreviation.len() < 3 && !bare {
        return None;
    }
    let (west, digits) = match rest.as_bytes().first()? {
        b'-' => (-1, &rest[1..]),
        b'+' => (1, &rest[1..]),
        _ => (1, rest),
    };
    let mut seconds = 0;
    for (part, unit) in digits.split(':').zip([3600, 60, 1]) {
        if part.is_empty() || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<i32>().ok()? * unit;
    }
    (seconds <= 167 * 3600)
        .then(|| TimeZone::Fixed(-west * seconds, if bare { name.to_string() } else { abbreviation.to_uppercase() }))
}

/// Seconds east of Greenwich and daylight saving of an abbreviation (lower case).
pub(crate) fn abbreviation(name: &str) -> Option<(i32, bool)> {
    ABBREVIATIONS.iter().find(|entry| entry.0 == name).map(|entry| (entry.1, entry.2))
}

/// Every IANA zone name.
pub fn names() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name())
}

/// Every abbreviation: (upper case name, seconds east, daylight time).
pub fn abbreviations() -> impl Iterator<Item = (String, i32, bool)> {
    ABBREVIATIONS.iter().map(|(name, offset, dst)| (name.to_uppercase(), *offset, *dst))
}

/// The time to look a zone's rules up at: years after the data take one with the same calendar from its last decades.
fn lookup_time(micros: i64) -> Option<NaiveDateTime> {
    let year = tm_of(micros).year;
    let mut micros = micros;
    if year > 2090 {
        let same = |candidate: &i32| {
            is_leap(*candidate) == is_leap(year) && j2day(date2j(*candidate, 1, 1)) == j2day(date2j(year, 1, 1))
        };
        let stand_in = (2060..2088).find(same)?;
        micros -= i64::from(date2j(year, 1, 1) - date2j(stand_in, 1, 1)) * DAY;
    }
    let seconds = micros.div_euclid(SECOND) + UNIX_EPOCH_DAYS * 86_400;
    DateTime::from_timestamp(seconds, 0).map(|time| time.naive_utc())
}

/// Seconds east of Greenwich at an instant.
pub fn offset_at(zone: &TimeZone, instant: i64) -> i32 {
    match zone {
        TimeZone::Fixed(offset, _) => *offset,
        TimeZone::Named(tz) => {
            lookup_time(instant).map_or(0, |time| tz.offset_from_utc_datetime(&time).fix().local_minus_utc())
        }
    }
}

/// Seconds east of Greenwich at a local time.
pub fn offset_at_local(zone: &TimeZone, local: i64) -> i32 {
    let tz = match zone {
        TimeZone::Fixed(offset, _) => return *offset,
        TimeZone::Named(tz) => tz,
    };
    let Some(time) = lookup_time(local) else { return 0 };
    match tz.offset_from_local_datetime(&time) {
        LocalResult::Single(offset) => offset.fix().local_minus_utc(),
        LocalResult::Ambiguous(_, latest) => latest.fix().local_minus_utc(),
        // The time was skipped: the offset before the change.
        LocalResult::None => {
            let before = (1..=24).find_map(|hours| {
                let earlier = time.checked_sub_signed(chrono::TimeDelta::hours(hours))?;
                tz.offset_from_local_datetime(&earlier).latest()
            });
            before.map_or(0, |offset| offset.fix().local_minus_utc())
        }
    }
}

/// The zone's abbreviation at an instant.
pub fn abbreviation_at(zone: &TimeZone, instant: i64) -> String {
    match zone {
        TimeZone::Fixed(_, name) => name.clone(),
        TimeZone::Named(tz) => {
            let offset = lookup_time(instant).map(|time| tz.offset_from_utc_datetime(&time));
            let name = offset.as_ref().and_then(|offset| offset.abbreviation());
            name.map_or_else(|| tz.name().to_string(), str::to_string)
        }
    }
}

/// Whether daylight saving time holds at an instant.
pub fn is_dst_at(zone: &TimeZone, instant: i64) -> bool {
    use chrono_tz::OffsetComponents as _;
    match zone {
        TimeZone::Fixed(..) => false,
        TimeZone::Named(tz) => {
            lookup_time(instant).is_some_and(|time| !tz.offset_from_utc_datetime(&time).dst_offset().is_zero())
        }
    }
}

/// The name of a zone as `SHOW TimeZone` has it.
pub fn name(zone: &TimeZone) -> String {
    match zone {
        TimeZone::Named(tz) => tz.name().to_string(),
        TimeZone::Fixed(_, name) => name.clone(),
    }
}

/// The instant of a local time. Infinities stay.
pub fn local_to_utc(zone: &TimeZone, local: i64) -> i64 {
    if super::calendar::is_infinite(local) {
        return local;
    }
    local.saturating_sub(i64::from(offset_at_local(zone, local)) * SECOND)
}

/// The local time of an instant. Infinities stay.
pub fn utc_to_local(zone: &TimeZone, instant: i64) -> i64 {
    if super::calendar::is_infinite(instant) {
        return instant;
    }
    instant.saturating_add(i64::from(offset_at(zone, instant)) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{Tm, timestamp_of};
    use super::*;

    #[test]
    fn changes_of_clocks() {
        let berlin = find("europe/BERLIN").unwrap();
        let local = |month, day, hour, minute, year| {
            timestamp_of(&Tm { year, month, day, hour, minute, ..Tm::default() }).unwrap()
        };
        // Skipped: the offset before. Repeated: standard time.
        assert_eq!(offset_at_local(&berlin, local(3, 31, 2, 30, 2024)), 3600);
        assert_eq!(offset_at_local(&berlin, local(10, 27, 2, 30, 2024)), 3600);
        assert_eq!(offset_at_local(&berlin, local(7, 1, 0, 0, 2024)), 7200);
        assert_eq!(offset_at_local(&berlin, local(7, 1, 0, 0, 2150)), 7200);
        assert_eq!(find("<+03>-3"), Some(TimeZone::Fixed(10800, "+03".into())));
        assert_eq!(find("Nowhere/Land"), None);
        assert_eq!(abbreviation("pst"), Some((-28800, false)));
    }
}
