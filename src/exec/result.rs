//! What a statement answers: [`Response`], its batches of rows, and the [`RowSink`] of the fast path.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;

use crate::document::{Datum, Oid, Type};
use crate::error::{Error, Result};

use super::copy::{CopyIn, CopyOptions};

/// A result column, as a RowDescription needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    /// The name.
    pub name: String,
    /// The type.
    pub typ: Type,
    /// The table it comes from, when it is a plain column; else 0.
    pub table: Oid,
    /// The column number there; else 0.
    pub column: i16,
}

/// Rows, a batch at a time.
pub type RowStream = BoxStream<'static, Result<Batch>>;

/// Some rows of a result.
#[derive(Clone, Debug)]
pub enum Batch {
    /// Columns in the physical types of `exec::batch`, in the order of the result's columns.
    Arrow(RecordBatch),
    /// Rows of values.
    Rows(Vec<Vec<Datum>>),
}

impl Batch {
    /// How many rows it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Arrow(batch) => batch.num_rows(),
            Self::Rows(rows) => rows.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows as values.
    pub fn rows(self, columns: &[OutputColumn]) -> Result<Vec<Vec<Datum>>> {
        match self {
            Self::Rows(rows) => Ok(rows),
            Self::Arrow(batch) => {
                let types: Vec<Type> = columns.iter().map(|c| c.typ).collect();
                let mut rows = Vec::with_capacity(batch.num_rows());
                super::lower::physical::append_rows(&batch, &types, &mut rows)?;
                Ok(rows)
            }
        }
    }
}

/// What a statement answers.
#[allow(clippy::large_enum_variant)] // One a statement, taken apart at once.
pub enum Response {
    /// Rows, then the tag. The number of rows belongs into the tag of a SELECT or FETCH (`tag` then ends with a blank).
    Rows {
        /// The columns.
        columns: Arc<[OutputColumn]>,
        /// The rows. Dropping it cancels the query. An error from it must be told to [`Session::fail`](super::Session::fail).
        stream: RowStream,
        /// The command tag.
        tag: RowsTag,
    },
    /// Done: the command tag.
    Command(String),
    /// COPY FROM STDIN: the client sends rows now.
    CopyIn(CopyIn),
    /// COPY TO STDOUT.
    CopyOut {
        /// The columns.
        columns: Arc<[OutputColumn]>,
        /// The rows; the tag is `COPY <rows>`.
        stream: RowStream,
        /// How they are written.
        options: Arc<CopyOptions>,
    },
    /// An empty statement.
    Empty,
}

/// The command tag that follows rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsTag {
    /// This word and the number of rows sent (`SELECT 3`, `FETCH 3`).
    Counted(&'static str),
    /// This tag (`INSERT 0 1`, `SHOW`, `EXPLAIN`).
    Fixed(String),
}

impl RowsTag {
    /// The tag after `rows` rows were sent.
    pub fn text(&self, rows: u64) -> String {
        match self {
            Self::Counted(word) => format!("{word} {rows}"),
            Self::Fixed(tag) => tag.clone(),
        }
    }
}

/// Takes the rows of a point plan, one by one, as they are found.
pub trait RowSink {
    /// One row, a value a column.
    fn row(&mut self, values: &[Datum]) -> Result<()>;
}

/// Gathers rows.
impl RowSink for Vec<Vec<Datum>> {
    fn row(&mut self, values: &[Datum]) -> Result<()> {
        self.push(values.to_vec());
        Ok(())
    }
}

/// Where the session stands, for ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Not in a transaction block (`I`).
    Idle,
    /// In one (`T`).
    InTransaction,
    /// In a failed one (`E`).
    Failed,
}

/// A NOTIFY that reached this session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel.
    pub channel: String,
    /// The payload.
    pub payload: String,
    /// The sender's backend process id.
    pub pid: i32,
}

/// A message to the client that is not an error.
#[derive(Clone, Debug)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`, `LOG`, `DEBUG`.
    pub severity: &'static str,
    /// The fields: code 00000, 01000, 25001, ...
    pub report: Error,
}
