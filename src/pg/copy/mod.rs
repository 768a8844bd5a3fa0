//! COPY data: rows from and to PostgreSQL's text, csv and binary formats.
//!
//! - [`decode`]: what a client sends for COPY FROM, cut into rows as it arrives; [`mod@line`] cuts text and csv lines into fields.
//! - [`encode`]: rows as COPY TO sends them.

pub(super) mod decode;
pub(super) mod encode;
mod line;
