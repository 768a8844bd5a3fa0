//! The extension point below the engine: an ordered key-value store with atomic batches and snapshots.
//!
//! [`RocksBackend`](super::rocks::RocksBackend) is what a server runs on; [`MemoryBackend`](super::memory::MemoryBackend)
//! is what the layers above are tested on. A backend need not sync what is written to it: the log is the truth, and
//! after a crash the commands that a backend forgot are replayed. It must forget whole batches only, the latest first.

use std::sync::Arc;

use crate::error::Result;

/// One of the ordered key spaces, each with its own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Catalog entries, comments, sequences, statistics and the applied position.
    Catalog,
    /// Rows.
    Rows,
    /// Index entries.
    Indexes,
}

impl Space {
    /// All spaces.
    pub const ALL: [Space; 3] = [Space::Catalog, Space::Rows, Space::Indexes];
}

/// An ordered key-value store.
pub trait StorageBackend: Send + Sync {
    /// Writes a batch: all of it or nothing, visible at once.
    fn write(&self, batch: &Batch) -> Result<()>;
    /// The present value of a key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// The value a crash at this moment would leave at a key of the catalog space.
    fn get_durable(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// A view of the present state that later writes do not change.
    fn snapshot(&self) -> Arc<dyn BackendSnapshot>;
    /// Makes everything written so far survive a crash.
    fn flush(&self) -> Result<()>;
    /// About how many bytes a range of keys takes on disk.
    fn approximate_bytes(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<u64>;
    /// Keys that the backend knows of inside a range without reading it, in order: places to divide a scan at.
    fn known_keys(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<Vec<Vec<u8>>>;
    /// Figures for people.
    fn status(&self) -> BackendStatus;
}

/// A view of a backend at one moment.
pub trait BackendSnapshot: Send + Sync {
    /// The value of a key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// The value of a key if that is known without reading from disk.
    fn get_cached(&self, space: Space, key: &[u8]) -> Result<Cached<Vec<u8>>>;
    /// A cursor over the keys from `lower` (inclusive) to `upper` (exclusive, `None`: the end of the space).
    fn cursor(self: Arc<Self>, range: Range) -> Box<dyn Cursor>;
}

/// Where a cursor goes.
#[derive(Clone, Debug)]
pub struct Range {
    /// The key space.
    pub space: Space,
    /// The first key.
    pub lower: Vec<u8>,
    /// The end, exclusive; `None` is the end of the space.
    pub upper: Option<Vec<u8>>,
    /// From the end to the beginning.
    pub reverse: bool,
    /// Read once from beginning to end: read ahead, and do not push other data out of the cache.
    pub bulk: bool,
}

/// A position in a range; before the first entry until the first [`advance`](Cursor::advance).
pub trait Cursor: Send {
    /// Moves to the next entry; false at the end.
    fn advance(&mut self) -> Result<bool>;
    /// The key of the entry. Empty before the first and after the last.
    fn key(&self) -> &[u8];
    /// The value of the entry. Empty before the first and after the last.
    fn value(&self) -> &[u8];
}

/// An answer that may need the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached<T> {
    /// The answer: the value, or that there is none.
    Ready(Option<T>),
    /// Only a read from disk can tell.
    WouldBlock,
}

/// Figures of a backend, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendStatus {
    /// What it is.
    pub name: &'static str,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes in write buffers.
    pub buffer_bytes: u64,
    /// Bytes in the block cache.
    pub cache_bytes: u64,
    /// The block cache's size.
    pub cache_bytes_max: u64,
    /// Whether writes are slowed down because compaction is behind.
    pub is_stalled: bool,
}

/// Changes that are written together: a flat list of operations in the order in which they are to be done.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    count: usize,
}

/// One operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operation<'a> {
    Put {
        space: Space,
        key: &'a [u8],
        value: &'a [u8],
    },
    Delete {
        space: Space,
        key: &'a [u8],
    },
    /// From inclusive, to exclusive.
    DeleteRange {
        space: Space,
        from: &'a [u8],
        to: &'a [u8],
    },
}

const PUT: u8 = 0;
const DELETE: u8 = 1;
const DELETE_RANGE: u8 = 2;

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes the operations take.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets all operations but keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Gives back memory above a size.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.bytes.shrink_to(bytes);
    }

    /// Puts a value.
    pub fn put(&mut self, space: Space, key: &[u8], value: &[u8]) {
        self.head(PUT, space);
        self.part(&[key]);
        self.part(&[value]);
    }

    /// Puts a value whose key and value are given in parts.
    pub fn put_parts(&mut self, space: Space, key: &[&[u8]], value: &[&[u8]]) {
        self.head(PUT, space);
        self.part(key);
        self.part(value);
    }

    /// Deletes a key.
    pub fn delete(&mut self, space: Space, key: &[u8]) {
        self.head(DELETE, space);
        self.part(&[key]);
    }

    /// Deletes all keys from `from` (inclusive) to `to` (exclusive).
    pub fn delete_range(&mut self, space: Space, from: &[u8], to: &[u8]) {
        self.head(DELETE_RANGE, space);
        self.part(&[from]);
        self.part(&[to]);
    }

    fn head(&mut self, tag: u8, space: Space) {
        self.bytes.push(tag << 4 | space as u8);
        self.count += 1;
    }

    fn part(&mut self, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.bytes.extend_from_slice(&(len as u64).to_le_bytes()[..5]);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// The operations, in order.
    pub fn operations(&self) -> Operations<'_> {
        Operations { rest: &self.bytes }
    }
}

/// Iterator over the operations of a [`Batch`].
#[derive(Clone, Debug)]
pub struct Operations<'a> {
    rest: &'a [u8],
}

impl<'a> Operations<'a> {
    fn part(&mut self) -> &'a [u8] {
        let (head, rest) = self.rest.split_at(5);
        let mut len = [0; 8];
        len[..5].copy_from_slice(head);
        let (part, rest) = rest.split_at(u64::from_le_bytes(len) as usize);
        self.rest = rest;
        part
    }
}

impl<'a> Iterator for Operations<'a> {
    type Item = Operation<'a>;

    fn next(&mut self) -> Option<Operation<'a>> {
        let (head, rest) = self.rest.split_first()?;
        self.rest = rest;
        let space = Space::ALL[usize::from(head & 0xf)];
        Some(match head >> 4 {
            PUT => Operation::Put { space, key: self.part(), value: self.part() },
            DELETE => Operation::Delete { space, key: self.part() },
            _ => Operation::DeleteRange { space, from: self.part(), to: self.part() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_its_operations_in_order() {
        let mut batch = Batch::new();
        batch.put(Space::Rows, b"k", b"v");
        batch.put_parts(Space::Indexes, &[b"a", b"b"], &[b"", b"c"]);
        batch.delete(Space::Catalog, b"d");
        batch.delete_range(Space::Rows, b"e", b"f");
        let operations: Vec<_> = batch.operations().collect();
        assert_eq!(batch.len(), 4);
        assert_eq!(
            operations,
            [
                Operation::Put { space: Space::Rows, key: b"k", value: b"v" },
                Operation::Put { space: Space::Indexes, key: b"ab", value: b"c" },
                Operation::Delete { space: Space::Catalog, key: b"d" },
                Operation::DeleteRange { space: Space::Rows, from: b"e", to: b"f" },
            ]
        );
    }
}
