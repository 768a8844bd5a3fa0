//! [`Buffer`]: what a transaction has written and not yet committed, by table and row key.
//!
//! Readers hold cheap clones of a table's part ([`TableBuffer`]): a statement that began earlier does not see what a
//! later one writes. The maps are persistent, so that a clone is a pointer and a write copies one path, whatever the
//! transaction has written before. Savepoints undo by a log, so that a mark costs nothing.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::document::Oid;
use crate::err;
use crate::error::Result;
use crate::storage::catalog::is_temporary;
use crate::storage::command::{Expect, Mutation};
use crate::storage::{IndexFunction, IndexKeys};

/// A row as it will be after the commit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pending {
    /// The row; `None`: deleted.
    pub row: Option<Arc<[u8]>>,
    /// What the commit expects below.
    pub expect: Expect,
}

/// Rows by key.
pub(crate) type Rows = OrdMap<Arc<[u8]>, Pending>;

/// An index entry: encoded keys and row key.
pub(crate) type Entry = (Arc<[u8]>, Arc<[u8]>);

/// The encoded keys of a row; `None`: not in the index.
fn encoded(function: &dyn IndexFunction, row: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut out = Vec::with_capacity(24);
    Ok(match function.encode_keys(row, &mut out)? {
        IndexKeys::NotIndexed => None,
        IndexKeys::Encoded { .. } => Some(out),
    })
}

/// The entries that the buffered rows of a table have in one index: encoded keys and row key.
#[derive(Clone)]
struct IndexBuffer {
    keys: Arc<dyn IndexFunction>,
    entries: OrdSet<Entry>,
}

/// The buffered part of one table.
#[derive(Clone, Default)]
pub(crate) struct TableBuffer {
    /// The storage OID the table had in the transaction's base when it was first written; 0: the table is new.
    storage: Oid,
    /// The rows below are gone (TRUNCATE, DROP, rewrite).
    cleared: bool,
    rows: Rows,
    indexes: HashMap<Oid, IndexBuffer>,
    /// About what the rows take.
    bytes: usize,
}

impl TableBuffer {
    /// The row of a key, when the transaction has written it.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Pending> {
        self.rows.get(key)
    }

    /// About what the rows take in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The buffered rows.
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Whether the entries of an index are kept.
    pub(crate) fn has_index(&self, index: Oid) -> bool {
        self.indexes.contains_key(&index)
    }

    /// Makes the entries of an index for the rows there are.
    pub(crate) fn build_index(&mut self, index: Oid, keys: Arc<dyn IndexFunction>) -> Result<()> {
        let mut entries = OrdSet::new();
        for (key, pending) in self.rows.iter() {
            if let Some(row) = &pending.row
                && let Some(entry) = encoded(&*keys, row)?
            {
                entries.insert((entry.into(), key.clone()));
            }
        }
        self.indexes.insert(index, IndexBuffer { keys, entries });
        Ok(())
    }

    /// Row keys of the buffered rows whose entries in an index are in a range of encoded keys. `None`: the index has
    /// not been built for this buffer (see [`Buffer::build_index`]).
    pub(crate) fn index_range(&self, index: Oid, lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> Option<Vec<Entry>> {
        let index = self.indexes.get(&index)?;
        let start = match lower {
            Bound::Included(l) | Bound::Excluded(l) => Bound::Included((Arc::from(&l[..]), Arc::from([]))),
            Bound::Unbounded => Bound::Unbounded,
        };
        let found = index
            .entries
            .range::<_, Entry>((start, Bound::Unbounded))
            .skip_while(|(key, _)| matches!(lower, Bound::Excluded(l) if **key == **l))
            .take_while(|(key, _)| match upper {
                Bound::Included(u) => **key <= **u,
                Bound::Excluded(u) => **key < **u,
                Bound::Unbounded => true,
            })
            .cloned()
            .collect();
        Some(found)
    }
}

/// About what a row takes in memory.
fn size_of_row(key: &[u8], row: Option<&Arc<[u8]>>) -> usize {
    row.map_or(0, |row| key.len() + row.len() + 96)
}

/// One step to undo.
enum Undo {
    Row(Oid, Arc<[u8]>, Option<Pending>),
    Table(Oid, Option<TableBuffer>),
}

/// Everything a transaction has written to rows.
#[derive(Default)]
pub(crate) struct Buffer {
    tables: HashMap<Oid, TableBuffer>,
    undo: Vec<Undo>,
    savepoints: usize,
    bytes: usize,
    bytes_max: usize,
}

/// Where a savepoint stands in the undo log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BufferMark(usize);

impl Buffer {
    /// A buffer that holds so many bytes at most.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// With the rows of the session's temporary tables in it.
    pub(crate) fn with_temporary(mut self, rows: &HashMap<Oid, TableBuffer>) -> Self {
        self.bytes += rows.values().map(TableBuffer::bytes).sum::<usize>();
        self.tables.clone_from(rows);
        self
    }

    /// The rows of temporary tables, which no commit carries.
    pub(crate) fn take_temporary(&mut self) -> HashMap<Oid, TableBuffer> {
        let (temporary, others) = std::mem::take(&mut self.tables).into_iter().partition(|(oid, _)| is_temporary(*oid));
        self.tables = others;
        temporary
    }

    /// Whether there is nothing to be read in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.values().all(|t| t.rows.is_empty() && !t.cleared)
    }

    /// Whether a commit has anything to write.
    pub(crate) fn has_changes(&self) -> bool {
        self.tables.iter().any(|(oid, t)| !is_temporary(*oid) && (!t.rows.is_empty() || t.cleared))
    }

    /// The buffered part of a table.
    pub(crate) fn table(&self, table: Oid) -> Option<&TableBuffer> {
        self.tables.get(&table)
    }

    /// The tables that were written to.
    pub(crate) fn tables(&self) -> impl Iterator<Item = Oid> {
        let mut tables: Vec<Oid> = self.tables.keys().copied().collect();
        tables.sort_unstable();
        tables.into_iter()
    }

    /// A reader's copy of all parts.
    pub(crate) fn share(&self) -> Arc<HashMap<Oid, TableBuffer>> {
        Arc::new(self.tables.clone())
    }

    /// Writes a row (`None` deletes it). `expect` says what is below, in case that this transaction has not written
    /// the row before; `storage` is the table's storage OID in the transaction's base (0: a new table).
    pub(crate) fn write(
        &mut self,
        table: Oid,
        storage: Oid,
        key: &[u8],
        row: Option<Arc<[u8]>>,
        expect: Expect,
    ) -> Result<()> {
        self.bytes += size_of_row(key, row.as_ref()).max(key.len() + 96);
        if self.bytes > self.bytes_max {
            return Err(err!(OUT_OF_MEMORY, "out of memory")
                .detail(format!("The transaction has changed more than {} bytes.", self.bytes_max))
                .hint("Commit in smaller parts, or raise memory_limit."));
        }
        let part = self.tables.entry(table).or_insert_with(|| TableBuffer { storage, ..TableBuffer::default() });
        let old = part.rows.get(key).cloned();
        let before = old.as_ref().map_or(0, |old| size_of_row(key, old.row.as_ref()));
        part.bytes = (part.bytes + size_of_row(key, row.as_ref())).saturating_sub(before);
        let key: Arc<[u8]> = key.into();
        for index in part.indexes.values_mut() {
            if let Some(Pending { row: Some(row), .. }) = &old
                && let Some(entry) = encoded(&*index.keys, row)?
            {
                index.entries.remove(&(entry.into(), key.clone()));
            }
            if let Some(row) = &row
                && let Some(entry) = encoded(&*index.keys, row)?
            {
                index.entries.insert((entry.into(), key.clone()));
            }
        }
        let expect = old.as_ref().map_or(expect, |o| o.expect);
        if row.is_none() && expect == Expect::Absent {
            // Made and deleted in this transaction: there is nothing to say.
            part.rows.remove(&key);
        } else {
            part.rows.insert(key.clone(), Pending { row, expect });
        }
        if self.savepoints > 0 {
            self.undo.push(Undo::Row(table, key, old));
        }
        Ok(())
    }

    /// Makes the entries of an index for the buffered rows of a table, and keeps them from now on.
    pub(crate) fn build_index(
        &mut self,
        table: Oid,
        index: Oid,
        keys: impl FnOnce() -> Result<Arc<dyn IndexFunction>>,
    ) -> Result<()> {
        match self.tables.get_mut(&table) {
            Some(part) if !part.has_index(index) => part.build_index(index, keys()?),
            _ => Ok(()),
        }
    }

    /// As [`Buffer::build_index`], for a table that may have no buffered rows yet.
    pub(crate) fn keep_index(
        &mut self,
        table: Oid,
        storage: Oid,
        index: Oid,
        keys: impl FnOnce() -> Result<Arc<dyn IndexFunction>>,
    ) -> Result<()> {
        self.tables.entry(table).or_insert_with(|| TableBuffer { storage, ..TableBuffer::default() });
        self.build_index(table, index, keys)
    }

    /// Forgets the entries kept for indexes: definitions changed.
    pub(crate) fn forget_indexes(&mut self) {
        for part in self.tables.values_mut() {
            part.indexes.clear();
        }
    }

    /// Drops what was written to a table, whose rows below are gone as well (TRUNCATE, DROP, rewrite).
    pub(crate) fn clear_table(&mut self, table: Oid, storage: Oid) {
        let old = self.tables.remove(&table);
        // The storage that the base had stays known: a concurrent change of it is a lost conflict.
        let storage = old.as_ref().map_or(storage, |o| o.storage);
        self.tables.insert(table, TableBuffer { storage, cleared: true, ..TableBuffer::default() });
        if self.savepoints > 0 {
            self.undo.push(Undo::Table(table, old));
        }
    }

    /// Where a savepoint stands.
    pub(crate) fn mark(&mut self) -> BufferMark {
        self.savepoints += 1;
        BufferMark(self.undo.len())
    }

    /// A savepoint is gone (released).
    pub(crate) fn release(&mut self) {
        self.savepoints = self.savepoints.saturating_sub(1);
        if self.savepoints == 0 {
            self.undo.clear();
        }
    }

    /// Undoes what was written after the mark, which stays.
    pub(crate) fn rollback_to(&mut self, mark: BufferMark) {
        while self.undo.len() > mark.0 {
            match self.undo.pop().expect("the loop condition says that there is one") {
                Undo::Row(table, key, old) => {
                    let Some(part) = self.tables.get_mut(&table) else { continue };
                    part.indexes.clear();
                    let size = |row: Option<&Pending>| row.map_or(0, |p| size_of_row(&key, p.row.as_ref()));
                    let now = size(part.rows.get(&key));
                    part.bytes = (part.bytes + size(old.as_ref())).saturating_sub(now);
                    match old {
                        Some(pending) => part.rows.insert(key, pending),
                        None => part.rows.remove(&key),
                    };
                }
                Undo::Table(table, Some(old)) => {
                    self.tables.insert(table, old);
                }
                Undo::Table(table, None) => {
                    self.tables.remove(&table);
                }
            }
        }
    }

    /// The tables written, with the storage OIDs they had (new tables left out), and the changes in order of key.
    pub(crate) fn into_mutations(self) -> (Vec<(Oid, Oid)>, Vec<Mutation>) {
        let mut parts: Vec<(Oid, TableBuffer)> =
            self.tables.into_iter().filter(|(oid, _)| !is_temporary(*oid)).collect();
        parts.sort_unstable_by_key(|(table, _)| *table);
        let tables = parts
            .iter()
            .filter(|(_, p)| p.storage != 0 && (p.cleared || !p.rows.is_empty()))
            .map(|(table, p)| (*table, p.storage))
            .collect();
        let mut mutations = Vec::with_capacity(parts.iter().map(|(_, p)| p.rows.len()).sum());
        for (table, part) in parts {
            mutations.extend(part.rows.iter().map(|(key, pending)| {
                let (key, expect) = (key.as_ref().into(), pending.expect);
                match &pending.row {
                    Some(row) => Mutation::Put { table, key, row: row.as_ref().into(), expect },
                    None => Mutation::Delete { table, key, expect },
                }
            }));
        }
        (tables, mutations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::command::Position;

    fn row(text: &str) -> Option<Arc<[u8]>> {
        Some(text.as_bytes().into())
    }

    fn get(buffer: &Buffer, key: &str) -> Option<Option<String>> {
        let pending = buffer.table(1)?.get(key.as_bytes())?;
        Some(pending.row.as_ref().map(|r| String::from_utf8(r.to_vec()).unwrap()))
    }

    #[test]
    fn the_first_expectation_stays() {
        let mut b = Buffer::new(1 << 20);
        b.write(1, 5, b"a", row("1"), Expect::Version(Position(7))).unwrap();
        b.write(1, 5, b"a", row("2"), Expect::Absent).unwrap();
        b.write(1, 5, b"b", row("x"), Expect::Absent).unwrap();
        b.write(1, 5, b"b", None, Expect::Any).unwrap();
        let (tables, mutations) = b.into_mutations();
        assert_eq!(tables, [(1, 5)]);
        assert_eq!(
            mutations,
            [Mutation::Put {
                table: 1,
                key: Box::from(*b"a"),
                row: Box::from(*b"2"),
                expect: Expect::Version(Position(7))
            }]
        );
    }

    #[test]
    fn savepoints_undo_rows_and_cleared_tables() {
        let mut b = Buffer::new(1 << 20);
        b.write(1, 5, b"a", row("1"), Expect::Absent).unwrap();
        let outer = b.mark();
        b.write(1, 5, b"a", row("2"), Expect::Any).unwrap();
        let inner = b.mark();
        b.clear_table(1, 5);
        b.write(1, 5, b"c", row("3"), Expect::Absent).unwrap();
        assert_eq!(get(&b, "a"), None);
        b.rollback_to(inner);
        assert_eq!((get(&b, "a"), get(&b, "c")), (Some(Some("2".into())), None));
        b.rollback_to(outer);
        assert_eq!(get(&b, "a"), Some(Some("1".into())));
    }

    #[test]
    fn readers_keep_what_they_saw() {
        let mut b = Buffer::new(1 << 20);
        b.write(1, 5, b"a", row("1"), Expect::Absent).unwrap();
        let seen = b.share();
        b.write(1, 5, b"a", row("2"), Expect::Absent).unwrap();
        assert_eq!(seen[&1].get(b"a").unwrap().row, row("1"));
        assert_eq!(get(&b, "a"), Some(Some("2".into())));
    }

    #[test]
    fn the_size_is_bounded() {
        let mut b = Buffer::new(1000);
        let e = b.write(1, 5, b"a", Some(vec![0; 1000].into()), Expect::Absent).unwrap_err();
        assert_eq!(e.code().as_str(), "53200");
    }
}
