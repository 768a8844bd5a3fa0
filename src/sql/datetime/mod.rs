//! Dates, times and intervals as PostgreSQL has them: counts of days, months and microseconds, and a zone for
//! `timestamptz` that belongs to the session, not to the value.
//!
//! - [`calendar`]: days and microseconds to fields and back; [`zone`]: zones and their offsets.
//! - [`parse`], [`interval_in`]: input in all its forms; [`mod@format`]: output in all styles.
//! - [`arithmetic`]: what the [`operators`], [`casts`] and functions are made of.

pub(crate) mod abbreviations;
pub(crate) mod arithmetic;
pub(crate) mod calendar;
pub(crate) mod casts;
mod fields;
pub mod format;
pub(crate) mod from_char;
mod functions;
pub mod interval_in;
mod number_format;
pub(crate) mod operators;
pub mod parse;
mod template;
mod to_char;
mod token;
pub(crate) mod typmod;
mod words;
pub mod zone;

/// The functions of dates, times and intervals.
pub fn functions() -> &'static [super::function::Function] {
    functions::FUNCTIONS
}
