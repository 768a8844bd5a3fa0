//! Dates, times and intervals as PostgreSQL has them: counts of days, months and microseconds, and a zone for
//! `timestamptz` that belongs to the session, not to the value.
//!
//! - [`calendar`]: days and microseconds to fields and back; [`zone`]: zones and their offsets.
//! - [`parse`], [`interval_in`]: input in all its forms; [`format`]: output in all styles.
//! - [`arithmetic`]: what the [`operators`], [`casts`] and functions are made of.

mod abbreviations;
pub(crate) mod arithmetic;
pub(crate) mod calendar;
pub(crate) mod casts;
pub mod format;
pub mod interval_in;
pub(crate) mod operators;
pub mod parse;
mod token;
pub(crate) mod typmod;
pub mod zone;
