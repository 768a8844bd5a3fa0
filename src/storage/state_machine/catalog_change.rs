//! [`CatalogChange`]: what the catalog mutations of a command come to - the catalog after it, whose rows and entries
//! go away, and which indexes have to be filled.

use std::collections::BTreeSet;

use super::{Checked, Failure, lost_conflict};
use crate::document::Oid;
use crate::error::{Error, Result};
use crate::storage::backend::{Batch, Space};
use crate::storage::catalog::{Catalog, Index};
use crate::storage::command::{Command, Mutation};
use crate::storage::key;

/// A checked change of the catalog.
pub(crate) struct CatalogChange {
    /// The catalog after it.
    pub(crate) catalog: Catalog,
    /// Key prefixes to empty before anything is written.
    pub(crate) removed: Vec<(Space, Oid)>,
    /// Indexes that begin empty: their table's storage is new.
    pub(crate) reset: BTreeSet<Oid>,
    /// Indexes to be filled from rows that are there already.
    pub(crate) built: BTreeSet<Oid>,
    /// Storages that had no rows before.
    pub(crate) new_storages: BTreeSet<Oid>,
    /// Objects whose entry changed.
    changed: BTreeSet<Oid>,
    /// Objects that are gone.
    gone: BTreeSet<Oid>,
    /// Comments that changed.
    comments: BTreeSet<(Oid, i32)>,
}

impl CatalogChange {
    /// Checks the catalog version of a command and computes what its catalog mutations come to.
    pub(crate) fn check(before: &Catalog, command: &Command) -> Checked<Option<Self>> {
        if command.catalog_version.is_some_and(|version| version != before.version) {
            return Err(Failure::Reject(lost_conflict("the catalog was changed")));
        }
        let is_change = |m: &Mutation| matches!(m, Mutation::Catalog { .. } | Mutation::Comment { .. });
        if !command.mutations.iter().any(is_change) {
            return Ok(None);
        }
        if command.catalog_version.is_none() {
            let message = "a command that changes the catalog must name the catalog version it was made for";
            return Err(Failure::Reject(Error::internal(message)));
        }
        let mut change = Self {
            catalog: before.clone(),
            removed: Vec::new(),
            reset: BTreeSet::new(),
            built: BTreeSet::new(),
            new_storages: BTreeSet::new(),
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
            comments: BTreeSet::new(),
        };
        change.catalog.version += 1;
        command.mutations.iter().for_each(|mutation| change.mutate(mutation));
        change.compare_storages(before);
        change.compare_indexes(before)?;
        Ok(Some(change))
    }

    fn mutate(&mut self, mutation: &Mutation) {
        match mutation {
            Mutation::Catalog { oid, entry: Some(entry) } => {
                self.catalog.put((**entry).clone());
                self.changed.insert(*oid);
                self.gone.remove(oid);
            }
            Mutation::Catalog { oid, entry: None } => {
                self.catalog.remove(*oid);
                self.changed.remove(oid);
                self.gone.insert(*oid);
                let comments: Vec<_> = self.catalog.comments.range((*oid, i32::MIN)..=(*oid, i32::MAX)).collect();
                let comments: Vec<_> = comments.into_iter().map(|(object, _)| *object).collect();
                comments.into_iter().for_each(|object| self.comment(object, None));
            }
            Mutation::Comment { object, text } => self.comment(*object, text.clone()),
            _ => {}
        }
    }

    fn comment(&mut self, object: (Oid, i32), text: Option<String>) {
        match text {
            Some(text) => self.catalog.comments.insert(object, text),
            None => self.catalog.comments.remove(&object),
        };
        self.comments.insert(object);
    }

    fn touched(&self) -> Vec<Oid> {
        self.changed.iter().chain(&self.gone).copied().collect()
    }

    /// Rows go away with their table or when it gets a new storage.
    fn compare_storages(&mut self, before: &Catalog) {
        for oid in self.touched() {
            let old = before.table(oid).map(|t| t.storage);
            let new = self.catalog.table(oid).map(|t| t.storage);
            if old == new {
                continue;
            }
            if let Some(storage) = old {
                self.removed.push((Space::Rows, storage));
            }
            if let Some(storage) = new {
                self.new_storages.insert(storage);
                let indexes: Vec<Oid> = self.catalog.indexes_of(oid).map(|index| index.oid).collect();
                for index in indexes {
                    self.reset.insert(index);
                    if before.index(index).is_some() {
                        self.removed.push((Space::Indexes, index));
                    }
                }
            }
        }
    }

    /// Entries go away with their index; a new one on rows that are there is filled.
    fn compare_indexes(&mut self, before: &Catalog) -> Checked<()> {
        for oid in self.touched() {
            match (before.index(oid), self.catalog.index(oid)) {
                (Some(_), None) => self.removed.push((Space::Indexes, oid)),
                (Some(old), Some(new)) if !self.reset.contains(&oid) && !has_same_entries(old, new) => {
                    let message = format!("index \"{}\" cannot be redefined in place", new.name);
                    return Err(Failure::Reject(Error::internal(message)));
                }
                (None, Some(new)) if !self.reset.contains(&oid) && !new.is_row_key => {
                    self.built.insert(oid);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The tables that have indexes to be filled.
    pub(crate) fn tables_to_build(&self) -> Vec<Oid> {
        self.built.iter().filter_map(|index| self.catalog.index(*index)).map(|index| index.table).collect()
    }

    /// Puts the changed catalog into a batch.
    pub(crate) fn write(&self, batch: &mut Batch) -> Result<()> {
        for oid in &self.changed {
            let Some(entry) = self.catalog.get(*oid) else { continue };
            let json = serde_json::to_vec(&**entry)
                .map_err(|e| Error::internal(format!("catalog entry {oid} cannot be written: {e}")))?;
            batch.put(Space::Catalog, &key::catalog::entry(*oid), &json);
        }
        for oid in &self.gone {
            batch.delete(Space::Catalog, &key::catalog::entry(*oid));
            batch.delete(Space::Catalog, &key::catalog::sequence(*oid));
        }
        for (oid, column) in &self.comments {
            let key = key::catalog::comment(*oid, *column);
            match self.catalog.comments.get(&(*oid, *column)) {
                Some(text) => batch.put(Space::Catalog, &key, text.as_bytes()),
                None => batch.delete(Space::Catalog, &key),
            }
        }
        for (space, storage) in &self.removed {
            if *space == Space::Rows {
                batch.delete(Space::Catalog, &key::catalog::statistics(*storage));
            }
        }
        batch.put(Space::Catalog, key::catalog::VERSION, &self.catalog.version.to_be_bytes());
        batch.put(Space::Catalog, key::catalog::NEXT_OID, &u64::from(self.catalog.next_oid).to_be_bytes());
        Ok(())
    }
}

/// Whether two definitions of an index have the same entries for the same rows (a renamed index has).
fn has_same_entries(a: &Index, b: &Index) -> bool {
    a.table == b.table
        && a.unique == b.unique
        && a.nulls_not_distinct == b.nulls_not_distinct
        && a.is_row_key == b.is_row_key
        && a.keys == b.keys
        && a.predicate == b.predicate
}
