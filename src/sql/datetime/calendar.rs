//! The calendar: days and microseconds since 2000-01-01 to fields and back, proleptic Gregorian, as PostgreSQL counts.

use crate::err;
use crate::error::{Error, Result};

/// Microseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub(crate) const DAY: i64 = 24 * HOUR;
/// The Julian day of 2000-01-01.
pub(crate) const EPOCH_JULIAN: i32 = 2_451_545;
/// Days from 1970-01-01 to 2000-01-01.
pub(crate) const UNIX_EPOCH_DAYS: i64 = 10_957;
/// The first timestamp: 4714-11-24 BC.
pub(crate) const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
/// The end of timestamps: 294277-01-01, not included.
pub(crate) const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;

/// Broken-down time. `year` is astronomical (0 is 1 BC).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tm {
    pub(crate) year: i32,
    pub(crate) month: i32,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) micros: i32,
}

/// The Julian day of a date.
pub(crate) fn date2j(mut year: i32, mut month: i32, day: i32) -> i32 {
    if month > 2 {
        month += 1;
        year = year.wrapping_add(4800);
    } else {
        month += 13;
        year = year.wrapping_add(4799);
    }
    let century = year / 100;
    let mut julian = year.wrapping_mul(365).wrapping_sub(32167);
    julian = julian.wrapping_add(year / 4 - century + century / 4);
    julian.wrapping_add(7834 * month / 256).wrapping_add(day)
}

/// (year, month, day) of a Julian day.
pub(crate) fn j2date(julian: i32) -> (i32, i32, i32) {
    let mut julian = julian as u32;
    julian = julian.wrapping_add(32044);
    let mut quad = julian / 146_097;
    let extra = (julian - quad * 146_097) * 4 + 3;
    julian = julian.wrapping_add(60 + quad * 3 + extra / 146_097);
    quad = julian / 1461;
    julian -= quad * 1461;
    let mut y = julian * 4 / 1461;
    julian = if y != 0 { (julian + 305) % 365 } else { (julian + 306) % 366 } + 123;
    y += quad * 4;
    let year = y as i32 - 4800;
    quad = julian * 2141 / 65536;
    let day = julian - 7834 * quad / 256;
    let month = (quad + 10) % 12 + 1;
    (year, month as i32, day as i32)
}

/// Day of the week of a Julian day, Sunday is 0.
pub(crate) fn j2day(julian: i32) -> i32 {
    julian.wrapping_add(1).rem_euclid(7)
}

/// Whether a date can be counted as a Julian day.
pub(crate) fn is_valid_julian(year: i32, month: i32) -> bool {
    (year > -4713 || (year == -4713 && month >= 11)) && (year < 5_874_898 || (year == 5_874_898 && month < 6))
}

pub(crate) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 2000-01-01 of a date; `None` outside the range of `date`.
pub(crate) fn days_of(year: i32, month: i32, day: i32) -> Option<i32> {
    if !is_valid_julian(year, month) {
        return None;
    }
    let days = date2j(year, month, day) - EPOCH_JULIAN;
    (-EPOCH_JULIAN..2_145_031_949).contains(&days).then_some(days)
}

/// Microseconds of a time of day.
pub(crate) fn time_of(tm: &Tm) -> i64 {
    i64::from(tm.hour) * HOUR + i64::from(tm.minute) * MINUTE + i64::from(tm.second) * SECOND + i64::from(tm.micros)
}

/// Microseconds since 2000-01-01 of a date and time; `None` outside the range of `timestamp`.
pub(crate) fn timestamp_of(tm: &Tm) -> Option<i64> {
    let days = days_of(tm.year, tm.month, tm.day)?;
    let timestamp = i64::from(days).checked_mul(DAY)?.checked_add(time_of(tm))?;
    in_range(timestamp).then_some(timestamp)
}

/// Whether a finite timestamp is one that PostgreSQL can hold.
pub(crate) fn in_range(timestamp: i64) -> bool {
    (TIMESTAMP_MIN..TIMESTAMP_END).contains(&timestamp)
}

/// Whether a timestamp is one of the infinities.
pub(crate) fn is_infinite(timestamp: i64) -> bool {
    timestamp == i64::MAX || timestamp == i64::MIN
}

/// The fields of a finite timestamp.
pub(crate) fn tm_of(timestamp: i64) -> Tm {
    let days = timestamp.div_euclid(DAY);
    let (year, month, day) = j2date((days as i32).wrapping_add(EPOCH_JULIAN));
    let mut tm = tm_of_time(timestamp.rem_euclid(DAY));
    (tm.year, tm.month, tm.day) = (year, month, day);
    tm
}

/// The fields of a time of day (or any count of microseconds that is not negative).
pub(crate) fn tm_of_time(time: i64) -> Tm {
    Tm {
        hour: (time / HOUR) as i32,
        minute: (time % HOUR / MINUTE) as i32,
        second: (time % MINUTE / SECOND) as i32,
        micros: (time % SECOND) as i32,
        ..Tm::default()
    }
}

pub(crate) fn timestamp_out_of_range() -> Error {
    err!(DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

pub(crate) fn date_out_of_range() -> Error {
    err!(DATETIME_FIELD_OVERFLOW, "date out of range")
}

pub(crate) fn interval_out_of_range() -> Error {
    err!(DATETIME_FIELD_OVERFLOW, "interval out of range")
}

/// A timestamp if it is in range.
pub(crate) fn checked_timestamp(timestamp: Option<i64>) -> Result<i64> {
    timestamp.filter(|t| in_range(*t)).ok_or_else(timestamp_out_of_range)
}

/// The ISO 8601 year and week that a date is in.
pub(crate) fn iso_year_week(year: i32, month: i32, day: i32) -> (i32, i32) {
    let julian = date2j(year, month, day);
    let mut year = year;
    let mut start = iso_week_start(year);
    if julian < start {
        year = year.wrapping_sub(1);
        start = iso_week_start(year);
    } else if julian >= iso_week_start(year.wrapping_add(1)) {
        year = year.wrapping_add(1);
        start = iso_week_start(year);
    }
    (year, julian.wrapping_sub(start) / 7 + 1)
}

/// The Julian day of the Monday that begins week 1 of an ISO year.
pub(crate) fn iso_week_start(year: i32) -> i32 {
    let fourth = date2j(year, 1, 4);
    fourth.wrapping_sub(j2day(fourth.wrapping_sub(1)))
}

/// Day of the year, from 1.
pub(crate) fn day_of_year(year: i32, month: i32, day: i32) -> i32 {
    date2j(year, month, day).wrapping_sub(date2j(year, 1, 1)).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        for (date, days) in
            [((2000, 1, 1), 0), ((1970, 1, 1), -10957), ((-4713, 11, 24), -2_451_545), ((2024, 2, 29), 8825)]
        {
            assert_eq!(days_of(date.0, date.1, date.2), Some(days));
            assert_eq!(j2date(days + EPOCH_JULIAN), date);
        }
        assert_eq!(days_of(-4713, 11, 23), None);
        assert_eq!(days_of(5_874_898, 1, 1), None);
        assert_eq!(j2day(EPOCH_JULIAN), 6);
        assert_eq!(iso_year_week(2021, 1, 3), (2020, 53));
    }
}
