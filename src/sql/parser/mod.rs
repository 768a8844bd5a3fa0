//! Text to [`Statement`]s.

use sqlparser::ast::{Ident, Query};
use sqlparser::tokenizer::Span;

use crate::error::{Error, Result};

use super::statement::{RowLock, Statement};

/// One statement of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The statement. Positions in it count characters of the whole text given to [`parse`].
    pub statement: Statement,
    /// Byte offset of its first token.
    pub start: usize,
    /// Byte offset after its last token.
    pub end: usize,
}

/// Parses a text of any number of statements separated by semicolons; empty ones are left out.
pub fn parse(text: &str) -> Result<Vec<Parsed>> {
    let _ = text;
    Err(Error::unsupported("parsing"))
}

/// The name that an identifier means: unquoted ones fold to lower case, all are cut to 63 bytes.
pub fn ident(ident: &Ident) -> String {
    let mut name = if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() };
    if name.len() > 63 {
        let end = (0..=63).rev().find(|i| name.is_char_boundary(*i)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

/// Where a span begins, in characters from 1 (0 when it is unknown), as errors report it.
pub fn position(span: Span, text: &str) -> u32 {
    let _ = text;
    u32::try_from(span.start.column).unwrap_or(0)
}

/// The row-locking clauses of a query.
pub fn row_locks(query: &Query) -> Result<Vec<RowLock>> {
    let _ = query;
    Ok(Vec::new())
}
