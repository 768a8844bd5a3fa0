//! Dates, times and intervals.

pub mod typmod;
pub mod zone;
