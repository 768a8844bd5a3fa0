//! COPY: [`CopyIn`] takes rows from a client, [`CopyOptions`] says how they are written. The text, csv and binary
//! encodings are the protocol's business.

use std::sync::Arc;

use crate::document::{Datum, Type};
use crate::error::Result;

use super::OutputColumn;

/// How COPY data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// What a COPY statement asked for, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyOptions {
    /// The format.
    pub format: CopyFormat,
    /// HEADER.
    pub header: bool,
    /// HEADER MATCH: the header must name the columns.
    pub header_match: bool,
    /// DELIMITER.
    pub delimiter: u8,
    /// NULL.
    pub null: String,
    /// QUOTE.
    pub quote: u8,
    /// ESCAPE.
    pub escape: u8,
    /// FORCE_QUOTE: columns (by position) whose values are always quoted; `None` in it means all.
    pub force_quote: Vec<bool>,
    /// FORCE_NOT_NULL, by position.
    pub force_not_null: Vec<bool>,
    /// FORCE_NULL, by position.
    pub force_null: Vec<bool>,
    /// The table's name, for the context line of errors.
    pub table: String,
}

/// The receiving side of COPY FROM STDIN: feed it rows, then call [`CopyIn::finish`].
pub struct CopyIn {
    /// The columns that a line has, in order.
    pub columns: Arc<[OutputColumn]>,
    /// How the lines are written.
    pub options: Arc<CopyOptions>,
}

impl CopyIn {
    /// The types of a line's values.
    pub fn types(&self) -> Vec<Type> {
        self.columns.iter().map(|c| c.typ).collect()
    }

    /// Takes some rows. An error ends the COPY (drop the sink, tell [`Session::fail`](super::Session::fail)).
    pub async fn push(&mut self, rows: Vec<Vec<Datum>>) -> Result<()> {
        let _ = rows;
        Err(crate::error::Error::unsupported("COPY FROM"))
    }

    /// Writes everything and answers the number of rows.
    pub async fn finish(self) -> Result<u64> {
        Err(crate::error::Error::unsupported("COPY FROM"))
    }
}
