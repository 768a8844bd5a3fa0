//! [`TablePlan`]: what has to be done for each row of a table that a command writes.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::catalog_change::CatalogChange;
use super::{Checked, Failure, reject};
use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result};
use crate::storage::catalog::{Catalog, Index, Table};
use crate::storage::evaluator::{Evaluator, IndexFunction, IndexKeys, References, RowCheck};

/// What is to be done for the rows of a table.
pub(crate) struct TablePlan {
    pub(crate) table: Arc<Table>,
    pub(crate) storage: Oid,
    /// The storage is new in this command: the backend has no rows of it.
    pub(crate) is_new: bool,
    /// What rows must satisfy.
    pub(crate) check: Option<Arc<dyn RowCheck>>,
    /// The indexes that have entries.
    pub(crate) indexes: Vec<IndexPlan>,
    /// The foreign keys that its rows are subject to.
    pub(crate) references: References,
    /// The index that the rows themselves are.
    pub(crate) row_key: Option<IndexPlan>,
}

/// What is to be done for an index.
pub(crate) struct IndexPlan {
    pub(crate) index: Index,
    pub(crate) function: Arc<dyn IndexFunction>,
    /// The backend has its entries for the rows as they were: entries of replaced rows must be removed.
    pub(crate) has_old: bool,
    /// Unique keys must be looked up in the backend. Not so when its old entries are about to be removed.
    pub(crate) looks_up: bool,
}

impl TablePlan {
    /// The plan for a table of a catalog, which `change` is about to make if it is given.
    pub(crate) fn new(
        catalog: &Catalog,
        change: Option<&CatalogChange>,
        oid: Oid,
        evaluator: &dyn Evaluator,
    ) -> Checked<Self> {
        let Some(table) = catalog.table(oid) else {
            return Err(Failure::Reject(err!(UNDEFINED_TABLE, "could not open relation with OID {oid}")));
        };
        let reset: Option<&BTreeSet<Oid>> = change.map(|c| &c.reset);
        let built: Option<&BTreeSet<Oid>> = change.map(|c| &c.built);
        let is_in = |set: Option<&BTreeSet<Oid>>, oid| set.is_some_and(|set| set.contains(&oid));
        let mut plan = Self {
            table: Arc::new(table.clone()),
            storage: table.storage,
            is_new: change.is_some_and(|c| c.new_storages.contains(&table.storage)),
            check: reject(evaluator.row_check(catalog, table))?,
            indexes: Vec::new(),
            references: reject(evaluator.references(catalog, table))?,
            row_key: None,
        };
        for index in catalog.indexes_of(oid) {
            let function = reject(evaluator.index_function(catalog, table, index))?;
            let (has_old, looks_up) = match (is_in(reset, index.oid), is_in(built, index.oid)) {
                (true, _) => (false, false),
                (false, true) => (false, true),
                (false, false) => (true, true),
            };
            let index_plan = IndexPlan { index: index.clone(), function, has_old, looks_up };
            match index.is_row_key {
                true => plan.row_key = Some(index_plan),
                false => plan.indexes.push(index_plan),
            }
        }
        Ok(plan)
    }
}

/// Takes what has been appended, the place of the entry in it, and its form.
type EntryVisitor<'a> = dyn FnMut(&mut Vec<u8>, Range<usize>, EntryForm) + 'a;

impl IndexPlan {
    /// Appends the keys of a row's entries to `out` (index OID, encoded keys, row key unless the keys must be unique) and
    /// calls `entry` after each with its place and form; it may take what was appended away again. Entries of an
    /// inverted index come in ascending order. No call: the row is not indexed.
    pub(crate) fn entries(
        &self,
        row_key: &[u8],
        row: &[u8],
        out: &mut Vec<u8>,
        entry: &mut EntryVisitor<'_>,
    ) -> Result<()> {
        let oid = self.index.oid.to_be_bytes();
        let inverted = self.function.encode_items(row, &mut |item| {
            let start = out.len();
            [&oid, item, row_key].into_iter().for_each(|part: &[u8]| out.extend_from_slice(part));
            let end = out.len();
            entry(out, start..end, EntryForm { keys_len: item.len(), is_unique: false });
        })?;
        if inverted.is_some() {
            return Ok(());
        }
        let start = out.len();
        out.extend_from_slice(&oid);
        let IndexKeys::Encoded { has_null } = self.function.encode_keys(row, out)? else {
            out.truncate(start);
            return Ok(());
        };
        let keys_len = out.len() - start - 4;
        let is_unique = self.index.unique && (!has_null || self.index.nulls_not_distinct);
        if !is_unique {
            out.extend_from_slice(row_key);
        }
        let end = out.len();
        entry(out, start..end, EntryForm { keys_len, is_unique });
        Ok(())
    }

    /// The error of a key that is there twice.
    pub(crate) fn duplicate(&self, catalog: &Catalog, table: &Table, row: &[u8]) -> Error {
        let name = &self.index.name;
        let error = err!(UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"{name}\"");
        self.name_key(error, "already exists", catalog, table, row)
    }

    /// The error of a unique index that cannot be made.
    pub(crate) fn not_unique(&self, catalog: &Catalog, table: &Table, row: &[u8]) -> Error {
        let error = err!(UNIQUE_VIOLATION, "could not create unique index \"{}\"", self.index.name);
        self.name_key(error, "is duplicated", catalog, table, row)
    }

    fn name_key(&self, error: Error, what: &str, catalog: &Catalog, table: &Table, row: &[u8]) -> Error {
        let schema = catalog.get(table.schema).map_or("", |entry| entry.name());
        let error = error.table(schema, &table.name).constraint(&self.index.name);
        match self.function.describe_keys(row) {
            Ok(key) => error.detail(format!("Key {key} {what}.")),
            Err(_) => error,
        }
    }
}

/// How an index entry is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryForm {
    pub(crate) keys_len: usize,
    pub(crate) is_unique: bool,
}
