//! [`Snapshot`]: everything that was committed at one position - rows, indexes, catalog, sequences - and how it is read.
//!
//! The engine makes one after each batch of commands that it applied and hands out clones of it: taking a snapshot
//! is one reference count, and all statements between two commits read through the same one.
//!
//! Bounds of scans are raw key bytes. For "all index entries whose first keys are `k`", of unique and other indexes
//! alike, use [`prefix_range`]; the row key may follow the encoded keys in an entry.

use std::ops::{Bound, Deref};
use std::sync::Arc;

use super::backend::{BackendSnapshot, Cached, Cursor, Range, Space, StorageBackend};
use super::catalog::Catalog;
use super::command::Position;
use super::key;
use super::sequence::SequenceState;
use super::statistics::{Statistics, TableStatistics};
use crate::document::Oid;
use crate::error::Result;

/// A consistent view of the database at one position.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    position: Position,
    catalog: Arc<Catalog>,
    data: Arc<dyn BackendSnapshot>,
    backend: Arc<dyn StorageBackend>,
    statistics: Arc<Statistics>,
}

/// The bytes of a row, and the position that wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    position: Position,
    value: Vec<u8>,
    start: usize,
}

impl Row {
    pub(crate) fn from_value(value: Vec<u8>) -> Result<Self> {
        let (position, start) = key::split_row(&value)?;
        Ok(Self { position, value, start })
    }

    /// The row's version: the position of the command that wrote it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The row's bytes (`document::row`).
    pub fn as_bytes(&self) -> &[u8] {
        &self.value[self.start..]
    }
}

impl Deref for Row {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({} bytes at {})", self.as_bytes().len(), self.position.0)
    }
}

/// The range of all keys that begin with a prefix, as bounds for a scan.
pub fn prefix_range(prefix: &[u8]) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let upper = key::successor(prefix).map_or(Bound::Unbounded, Bound::Excluded);
    (Bound::Included(prefix.to_vec()), upper)
}

/// How a scan goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// From the last key to the first.
    pub reverse: bool,
    /// Most of the range will be read, once: read ahead, and do not push other data out of the cache.
    pub bulk: bool,
}

impl Snapshot {
    pub(crate) fn new(
        position: Position,
        catalog: Arc<Catalog>,
        backend: Arc<dyn StorageBackend>,
        statistics: Arc<Statistics>,
    ) -> Self {
        let data = backend.snapshot();
        Self(Arc::new(Inner { position, catalog, data, backend, statistics }))
    }

    /// The position of the last command that is visible.
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// The catalog at this position.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.0.catalog
    }

    /// The row at a key of a table's storage.
    pub fn get(&self, storage: Oid, row_key: &[u8]) -> Result<Option<Row>> {
        with_key(storage, row_key, |key| self.0.data.get(Space::Rows, key))?.map(Row::from_value).transpose()
    }

    /// The row at a key if that is known without waiting for the disk: for the asynchronous caller, who calls
    /// [`get`](Self::get) on a blocking thread when it is not.
    pub fn get_cached(&self, storage: Oid, row_key: &[u8]) -> Result<Cached<Row>> {
        Ok(match with_key(storage, row_key, |key| self.0.data.get_cached(Space::Rows, key))? {
            Cached::Ready(value) => Cached::Ready(value.map(Row::from_value).transpose()?),
            Cached::WouldBlock => Cached::WouldBlock,
        })
    }

    /// The row key at which a unique index holds these encoded keys (none of which is NULL).
    pub fn get_unique(&self, index: Oid, keys: &[u8]) -> Result<Option<Vec<u8>>> {
        let value = with_key(index, keys, |key| self.0.data.get(Space::Indexes, key))?;
        value.map(|value| Ok(key::split_entry(keys, &value)?.1.to_vec())).transpose()
    }

    /// The rows of a table's storage between two bounds.
    pub fn scan(&self, storage: Oid, lower: Bound<&[u8]>, upper: Bound<&[u8]>, options: ScanOptions) -> RowIter {
        RowIter { cursor: self.cursor(Space::Rows, storage, lower, upper, options), start: 0, position: Position(0) }
    }

    /// The entries of an index between two bounds (see [`prefix_range`]).
    pub fn index_scan(&self, index: Oid, lower: Bound<&[u8]>, upper: Bound<&[u8]>, options: ScanOptions) -> IndexIter {
        IndexIter { cursor: self.cursor(Space::Indexes, index, lower, upper, options) }
    }

    /// About how many rows and bytes a table's storage has: exact but for commands that are being applied.
    pub fn statistics(&self, storage: Oid) -> TableStatistics {
        self.0.statistics.get(storage)
    }

    /// About how many rows a table's storage has.
    pub fn approximate_rows(&self, storage: Oid) -> u64 {
        self.statistics(storage).rows
    }

    /// About how many bytes a table's rows take on disk.
    pub fn table_bytes(&self, storage: Oid) -> Result<u64> {
        let (lower, upper) = key::oid_range(storage);
        self.0.backend.approximate_bytes(Space::Rows, &lower, upper.as_deref())
    }

    /// About how many bytes an index takes on disk.
    pub fn index_bytes(&self, index: Oid) -> Result<u64> {
        let (lower, upper) = key::oid_range(index);
        self.0.backend.approximate_bytes(Space::Indexes, &lower, upper.as_deref())
    }

    /// The committed state of a sequence.
    pub fn sequence(&self, oid: Oid) -> Result<Option<SequenceState>> {
        let value = self.0.data.get(Space::Catalog, &key::catalog::sequence(oid))?;
        value.map(|value| SequenceState::decode(&value)).transpose()
    }

    /// Up to `parts - 1` row keys, ascending, that divide a table's storage into parts of about the same size for a
    /// parallel scan: unbounded..first, first..second, ..., last..unbounded, lower bounds inclusive.
    pub fn split_points(&self, storage: Oid, parts: usize) -> Result<Vec<Vec<u8>>> {
        super::split::split_points(&*self.0.backend, self, storage, parts)
    }

    fn cursor(
        &self,
        space: Space,
        oid: Oid,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        options: ScanOptions,
    ) -> Box<dyn Cursor> {
        let (start, end) = key::oid_range(oid);
        // The smallest key above k is k followed by a zero byte.
        let above = |k: &[u8]| [&oid.to_be_bytes(), k, &[0]].concat();
        let lower = match lower {
            Bound::Included(k) => key::prefixed(oid, k),
            Bound::Excluded(k) => above(k),
            Bound::Unbounded => start,
        };
        let upper = match upper {
            Bound::Included(k) => Some(above(k)),
            Bound::Excluded(k) => Some(key::prefixed(oid, k)),
            Bound::Unbounded => end,
        };
        let range = Range { space, lower, upper, reverse: options.reverse, bulk: options.bulk };
        self.0.data.clone().cursor(range)
    }
}

/// Calls a function with an OID-prefixed key, which is built on the stack when it is short.
fn with_key<T>(oid: Oid, key: &[u8], f: impl FnOnce(&[u8]) -> T) -> T {
    let mut buffer = [0; 132];
    if let Some(target) = buffer.get_mut(4..4 + key.len()) {
        target.copy_from_slice(key);
        buffer[..4].copy_from_slice(&oid.to_be_bytes());
        return f(&buffer[..4 + key.len()]);
    }
    f(&key::prefixed(oid, key))
}

/// The rows of a scan. [`advance`](Self::advance) and the accessors lend the bytes; as an `Iterator` it copies them.
pub struct RowIter {
    cursor: Box<dyn Cursor>,
    start: usize,
    position: Position,
}

impl RowIter {
    /// Moves to the next row; false at the end.
    pub fn advance(&mut self) -> Result<bool> {
        if !self.cursor.advance()? {
            return Ok(false);
        }
        (self.position, self.start) = key::split_row(self.cursor.value())?;
        Ok(true)
    }

    /// The key of the row.
    pub fn key(&self) -> &[u8] {
        self.cursor.key().get(4..).unwrap_or_default()
    }

    /// The row's version.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The row's bytes.
    pub fn row(&self) -> &[u8] {
        self.cursor.value().get(self.start..).unwrap_or_default()
    }
}

impl Iterator for RowIter {
    type Item = Result<(Vec<u8>, Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(false) => None,
            Err(error) => Some(Err(error)),
            Ok(true) => {
                let (value, start, position) = (self.cursor.value().to_vec(), self.start, self.position);
                Some(Ok((self.key().to_vec(), Row { position, value, start })))
            }
        }
    }
}

/// The entries of an index scan. [`advance`](Self::advance) and the accessors lend the bytes; as an `Iterator` it
/// copies them: (encoded keys, row key).
pub struct IndexIter {
    cursor: Box<dyn Cursor>,
}

impl IndexIter {
    /// Moves to the next entry; false at the end.
    pub fn advance(&mut self) -> Result<bool> {
        self.cursor.advance()
    }

    /// The encoded keys and the row key of the entry.
    pub fn entry(&self) -> Result<(&[u8], &[u8])> {
        key::split_entry(self.cursor.key().get(4..).unwrap_or_default(), self.cursor.value())
    }
}

impl Iterator for IndexIter {
    type Item = Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(false) => None,
            Err(error) => Some(Err(error)),
            Ok(true) => Some(self.entry().map(|(keys, row_key)| (keys.to_vec(), row_key.to_vec()))),
        }
    }
}
