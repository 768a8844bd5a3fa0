//! Filling a new index from the rows that are there. Entries are sorted in chunks of bounded size and written ahead of
//! the command that makes the index: nobody looks below an index's prefix before the catalog has it, and a build that
//! fails, or was cut off by a crash, is removed again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalog_change::CatalogChange;
use super::plan::{EntryForm, IndexPlan, TablePlan};
use super::rows::RowChanges;
use super::{BATCH_BYTES, Checked, Failure, StateMachine, fatal, reject, remove_prefix};
use crate::document::Oid;
use crate::error::Result;
use crate::storage::backend::{Batch, Range, Space};
use crate::storage::key;

/// How many bytes of entries are sorted at a time.
const CHUNK_BYTES: usize = 32 << 20;

/// An index entry that waits to be sorted.
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    is_unique: bool,
}

impl StateMachine {
    /// Fills the indexes that a command makes on rows which are there already. Rows that the command itself changes are
    /// left out; they get their entries like those of any other index.
    pub(crate) fn build_indexes(
        &self,
        change: &CatalogChange,
        plans: &BTreeMap<Oid, Arc<TablePlan>>,
        rows: &RowChanges<'_>,
        redo: bool,
    ) -> Checked<()> {
        fatal(self.abandon_indexes(change))?;
        for plan in plans.values() {
            for index in plan.indexes.iter().filter(|index| !index.has_old && index.looks_up) {
                self.build_index(plan, index, rows, redo)?;
            }
        }
        Ok(())
    }

    fn build_index(&self, plan: &TablePlan, index: &IndexPlan, rows: &RowChanges<'_>, redo: bool) -> Checked<()> {
        let (lower, upper) = key::oid_range(plan.storage);
        let range = Range { space: Space::Rows, lower, upper, reverse: false, bulk: true };
        let mut cursor = self.backend.snapshot().cursor(range);
        let mut chunk = Chunk::default();
        let mut keys = Vec::new();
        while fatal(cursor.advance())? {
            let row_key = &cursor.key()[4..];
            if rows.changes_row(plan.table.oid, row_key) {
                continue;
            }
            let (_, start) = fatal(key::split_row(cursor.value()))?;
            keys.clear();
            let push = &mut |keys: &mut Vec<u8>, key: std::ops::Range<usize>, form: EntryForm| {
                let value = match form.is_unique {
                    true => key::entry_unique(row_key),
                    false => key::entry_with_suffix(form.keys_len),
                };
                chunk.push(Entry { key: keys[key].to_vec(), value, is_unique: form.is_unique });
            };
            reject(index.entries(row_key, &cursor.value()[start..], &mut keys, push))?;
            if chunk.bytes >= CHUNK_BYTES {
                self.write_chunk(plan, index, &mut chunk, redo)?;
            }
        }
        self.write_chunk(plan, index, &mut chunk, redo)
    }

    /// Writes sorted entries; 23505 when a unique key is there twice.
    fn write_chunk(&self, plan: &TablePlan, index: &IndexPlan, chunk: &mut Chunk, redo: bool) -> Checked<()> {
        let entries = &mut chunk.entries;
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let mut batch = Batch::new();
        for (i, entry) in entries.iter().enumerate() {
            if entry.is_unique && !redo {
                let repeats = i > 0 && entries[i - 1].key == entry.key;
                let taken = chunk.is_later && fatal(self.backend.get(Space::Indexes, &entry.key))?.is_some();
                if repeats || taken {
                    return Err(self.not_unique(plan, index, entry));
                }
            }
            batch.put(Space::Indexes, &entry.key, &entry.value);
            if batch.bytes() >= BATCH_BYTES {
                fatal(self.backend.write(&batch))?;
                batch.clear();
            }
        }
        fatal(self.backend.write(&batch))?;
        entries.clear();
        (chunk.bytes, chunk.is_later) = (0, true);
        Ok(())
    }

    fn not_unique(&self, plan: &TablePlan, index: &IndexPlan, entry: &Entry) -> Failure {
        let stored = key::row_key(plan.storage, entry.value.get(1..).unwrap_or_default());
        let value = match self.backend.get(Space::Rows, &stored) {
            Ok(value) => value.unwrap_or_default(),
            Err(error) => return Failure::Fatal(error),
        };
        let start = key::split_row(&value).map_or(0, |(_, start)| start);
        Failure::Reject(index.not_unique(&self.catalog, &plan.table, &value[start..]))
    }

    /// Removes what was built for the indexes of a command.
    pub(crate) fn abandon_indexes(&self, change: &CatalogChange) -> Result<()> {
        let mut batch = Batch::new();
        for index in &change.built {
            remove_prefix(&*self.backend, &mut batch, Space::Indexes, *index)?;
        }
        match batch.is_empty() {
            true => Ok(()),
            false => self.backend.write(&batch),
        }
    }
}

/// Entries that are sorted and written together.
#[derive(Default)]
struct Chunk {
    entries: Vec<Entry>,
    bytes: usize,
    /// Whether earlier chunks were written.
    is_later: bool,
}

impl Chunk {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.key.len() + entry.value.len() + size_of::<Entry>();
        self.entries.push(entry);
    }
}
