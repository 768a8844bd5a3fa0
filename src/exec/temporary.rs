//! [`Temporary`]: a session's temporary tables, views and sequences.
//!
//! They live in the session only: their OIDs are out of the way of all others, their catalog entries are laid over the
//! common catalog, and their rows are a transaction's buffered rows that are kept from one transaction to the next.
//! Nothing of them is a part of a command, so they cost no log entry and a crash forgets them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::document::Oid;
use crate::storage::Engine;
use crate::storage::catalog::{Catalog, Entry, FIRST_TEMPORARY_OID, OnCommit, Persistence, Table};

use super::buffer::TableBuffer;
use super::transaction::Transaction;

/// What a session has of its own, as of its last commit.
#[derive(Default)]
pub(crate) struct Temporary {
    /// Objects by OID, the schema among them.
    entries: HashMap<Oid, Arc<Entry>>,
    comments: Vec<((Oid, i32), String)>,
    rows: HashMap<Oid, TableBuffer>,
    /// `rows`, as a reader takes them.
    shared: Option<Arc<HashMap<Oid, TableBuffer>>>,
    /// The common catalog that they were laid over last, and what came of it.
    merged: Option<(Arc<Catalog>, Arc<Catalog>)>,
}

impl Temporary {
    /// The catalog with the temporary objects in it.
    pub(crate) fn over(&mut self, base: &Arc<Catalog>) -> Arc<Catalog> {
        if self.entries.is_empty() {
            return base.clone();
        }
        if let Some((known, merged)) = &self.merged
            && Arc::ptr_eq(known, base)
        {
            return merged.clone();
        }
        let mut merged = Catalog::clone(base);
        self.entries.values().for_each(|entry| merged.put(Entry::clone(entry)));
        merged.comments.extend(self.comments.iter().cloned());
        let merged = Arc::new(merged);
        self.merged = Some((base.clone(), merged.clone()));
        merged
    }

    /// The rows of the tables.
    pub(crate) fn rows(&self) -> &HashMap<Oid, TableBuffer> {
        &self.rows
    }

    /// The rows, for a statement outside of a transaction; `None` when there are none.
    pub(crate) fn shared_rows(&mut self) -> Option<Arc<HashMap<Oid, TableBuffer>>> {
        if self.rows.is_empty() {
            return None;
        }
        Some(self.shared.get_or_insert_with(|| Arc::new(self.rows.clone())).clone())
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, oid: Oid) -> bool {
        self.entries.contains_key(&oid)
    }

    /// How a transaction that commits leaves them, its ON COMMIT clauses done. `None`: there is nothing and was nothing.
    pub(crate) fn after(&self, transaction: &mut Transaction) -> Option<Self> {
        if self.entries.is_empty() && transaction.ddl.is_none() {
            return None;
        }
        let rows = transaction.buffer().take_temporary();
        let mut after = match &transaction.ddl {
            None => Self { entries: self.entries.clone(), comments: self.comments.clone(), ..Self::default() },
            Some(ddl) => Self::of(&ddl.catalog),
        };
        after.rows = rows.into_iter().filter(|(oid, _)| after.entries.contains_key(oid)).collect();
        after.at_commit();
        if transaction.ddl.is_none() && after.entries.len() == self.entries.len() {
            after.merged.clone_from(&self.merged);
        }
        Some(after)
    }

    /// The temporary objects of a catalog.
    fn of(catalog: &Catalog) -> Self {
        Self {
            entries: catalog.entries.range(FIRST_TEMPORARY_OID..).map(|(oid, e)| (*oid, e.clone())).collect(),
            comments: catalog
                .comments
                .range((FIRST_TEMPORARY_OID, i32::MIN)..)
                .map(|(object, text)| (*object, text.clone()))
                .collect(),
            ..Self::default()
        }
    }

    /// ON COMMIT DELETE ROWS and DROP.
    fn at_commit(&mut self) {
        let tables: Vec<Table> = self.tables().filter(|t| on_commit(t) != OnCommit::PreserveRows).cloned().collect();
        for table in tables {
            self.rows.remove(&table.oid);
            if on_commit(&table) == OnCommit::Drop {
                self.drop_table(table.oid);
            }
        }
    }

    /// Forgets a table with its indexes, its sequences and the views that nothing else is left of.
    fn drop_table(&mut self, oid: Oid) {
        self.entries.remove(&oid);
        self.entries.retain(|_, entry| match &**entry {
            Entry::Index(index) => index.table != oid,
            Entry::Sequence(sequence) => sequence.owned_by.is_none_or(|(table, _)| table != oid),
            _ => true,
        });
        let entries = &self.entries;
        self.comments.retain(|((object, _), _)| entries.contains_key(object));
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.entries.values().filter_map(|entry| match &**entry {
            Entry::Table(table) => Some(table),
            _ => None,
        })
    }

    /// The engine need not count the row ids of tables that are no more.
    pub(crate) fn forget_all_but(&self, kept: &Self, engine: &Engine) {
        let gone = self.tables().filter(|t| !kept.tables().any(|k| k.storage == t.storage));
        gone.for_each(|table| engine.forget_rowids(table.storage));
    }
}

fn on_commit(table: &Table) -> OnCommit {
    match table.persistence {
        Persistence::Temporary(on_commit) => on_commit,
        _ => OnCommit::PreserveRows,
    }
}
