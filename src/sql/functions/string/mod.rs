//! Functions on text and bytea: [`basic`] (length, case, padding, trimming, parts), [`split`] (to and from arrays),
//! [`mod@format`] (concat, format, quoting), [`binary`] (bytea, digests, encodings), [`unicode`] (normal forms, escapes).
//!
//! Positions and lengths count characters (code points), as the database encoding is UTF-8.

pub(crate) mod basic;
pub(crate) mod binary;
pub(crate) mod format;
pub(crate) mod split;
pub(crate) mod unicode;

use crate::sql::function::Function;

pub(crate) fn lists() -> [&'static [Function]; 5] {
    [basic::LIST, split::LIST, format::LIST, binary::LIST, unicode::LIST]
}
