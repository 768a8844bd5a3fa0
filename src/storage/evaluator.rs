//! What storage asks of the layer above: the keys that a row has in an index, and whether a row may be in its table.
//! Storage knows bytes and versions; expressions, predicates and how values are shown belong to `exec`, which
//! implements [`Evaluator`].

use std::sync::Arc;

use super::catalog::{Catalog, Index, Table};
use crate::document::Oid;
use crate::error::{Error, Result};

/// Compiles what a table needs inside `apply`. Everything made here must be deterministic: the same bytes in, the same
/// bytes or error out, on every replica. An error rejects the command.
pub trait Evaluator: Send + Sync {
    /// The function that computes an index's keys from a row. Asked once for an index and a catalog version.
    fn index_function(&self, catalog: &Catalog, table: &Table, index: &Index) -> Result<Arc<dyn IndexFunction>>;

    /// The check of rows that are written to a table: NOT NULL, and what else a change of the table may have added
    /// since the writer planned (23502, 23514). `None`: nothing to check. Asked once for a table and a catalog version.
    fn row_check(&self, _catalog: &Catalog, _table: &Table) -> Result<Option<Arc<dyn RowCheck>>> {
        Ok(None)
    }

    /// The foreign keys of a table, and those that refer to it. Asked once for a table and a catalog version.
    fn references(&self, _catalog: &Catalog, _table: &Table) -> Result<References> {
        Ok(References::default())
    }
}

/// The foreign keys that rows of a table are subject to.
#[derive(Clone, Default)]
pub struct References {
    /// The table's own.
    pub outgoing: Vec<Arc<dyn Reference>>,
    /// Those that refer to it.
    pub incoming: Vec<Arc<dyn Reference>>,
}

/// One foreign key. Keys are encoded as the unique index that it refers to has them.
pub trait Reference: Send + Sync {
    /// Tells foreign keys apart.
    fn id(&self) -> Oid;

    /// The referencing table.
    fn child(&self) -> Oid;

    /// The table referred to and its unique index (0: the rows' own key); of a partitioned one, its partitions.
    fn parents(&self) -> Vec<(Oid, Oid)>;

    /// The key that a referencing row names.
    fn named_key(&self, row: &[u8]) -> Result<NamedKey>;

    /// The key that a row referred to has; `None`: nothing can refer to it.
    fn own_key(&self, row: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Where the rows are that may refer to a row.
    fn children(&self, row: &[u8]) -> Result<Children>;

    /// The error of a row whose key is not there.
    fn missing(&self, row: &[u8]) -> Error;

    /// The error of a row that others refer to.
    fn still_referenced(&self, row: &[u8]) -> Error;
}

/// What key a referencing row names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedKey {
    /// NULL: none.
    Nothing,
    /// This one.
    Key(Vec<u8>),
    /// One that no row can have (a number that is too large for the column referred to).
    Impossible,
    /// NULL in some columns under MATCH FULL.
    Mixed,
}

/// Where the rows are that may refer to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Children {
    /// There can be none.
    None,
    /// Among the rows whose keys begin so.
    RowKeys(Vec<u8>),
    /// Among the entries of an index that begin so.
    Entries(Oid, Vec<u8>),
    /// No index leads to them.
    Anywhere,
}

/// Computes an index's keys from a row.
pub trait IndexFunction: Send + Sync {
    /// Appends the encoded keys of a row (`document::key`, in the index's order) to `out`.
    fn encode_keys(&self, row: &[u8], out: &mut Vec<u8>) -> Result<IndexKeys>;

    /// For an inverted index: calls `entry` with the encoded key of each entry of a row, ascending, each once. `None`: the
    /// index is none, and a row has the one entry of [`encode_keys`](Self::encode_keys).
    fn encode_items(&self, _row: &[u8], _entry: &mut dyn FnMut(&[u8])) -> Result<Option<()>> {
        Ok(None)
    }

    /// The keys of a row as the DETAIL of an error shows them: `(id)=(1)`, `(lower(name), n)=(a, 2)`.
    fn describe_keys(&self, row: &[u8]) -> Result<String>;
}

/// What [`IndexFunction::encode_keys`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKeys {
    /// The row is not in the (partial) index; nothing was appended.
    NotIndexed,
    /// The keys were appended.
    Encoded {
        /// Whether any of them is NULL (then they are not unique, unless NULLS NOT DISTINCT).
        has_null: bool,
    },
}

/// Checks a row.
pub trait RowCheck: Send + Sync {
    /// Refuses a row that must not be in the table.
    fn check(&self, row: &[u8]) -> Result<()>;
}
