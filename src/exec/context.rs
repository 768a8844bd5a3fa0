//! [`Context`]: what one execution of a statement works with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::document::{Datum, Oid};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::storage::catalog::{Catalog, Constraint, Entry, Table};

use super::buffer::TableBuffer;
use super::evaluator::{Keys, index_function};
use super::host::Shared;
use super::integrity::{Deferral, Pending};
use super::rules::TableRules;
use super::transaction::SharedBuffer;
use super::view::ReadView;

/// What one execution of a statement works with.
pub(crate) struct Context {
    pub shared: Arc<Shared>,
    pub eval: EvalContext,
    /// What the statement sees: its own writes are not in it.
    pub view: ReadView,
    /// Where it writes.
    pub buffer: SharedBuffer,
    /// The statement is a transaction by itself: what `apply` checks need not be checked before.
    pub is_auto: bool,
    pub params: Arc<[Datum]>,
    /// What the foreign keys of the rows changed so far ask for.
    pub pending: Arc<Mutex<Pending>>,
    deferral: Arc<Deferral>,
}

impl Context {
    pub(crate) fn new(
        shared: Arc<Shared>,
        eval: EvalContext,
        view: ReadView,
        buffer: SharedBuffer,
        is_auto: bool,
        params: Arc<[Datum]>,
    ) -> Self {
        let deferral = shared.lock().deferral.clone();
        Self { shared, eval, view, buffer, is_auto, params, pending: Arc::default(), deferral }
    }

    /// The same with what has been written until now in view.
    pub(crate) fn refreshed(&self) -> Self {
        let buffer = self.buffer.lock().unwrap_or_else(|p| p.into_inner()).share();
        Self {
            shared: self.shared.clone(),
            eval: self.eval.clone(),
            view: ReadView { buffer: Some(buffer), ..self.view.clone() },
            buffer: self.buffer.clone(),
            is_auto: self.is_auto,
            params: self.params.clone(),
            pending: self.pending.clone(),
            deferral: self.deferral.clone(),
        }
    }

    /// The same for a statement inside of this one, with other parameters.
    pub(crate) fn inside(&self, params: Arc<[Datum]>, sees_writes: bool) -> Self {
        let inner = self.refreshed();
        let view = if sees_writes { inner.view.clone() } else { self.view.clone() };
        Self { params, view, ..inner }
    }

    /// Whether a constraint is checked at commit only.
    pub(crate) fn is_deferred(&self, constraint: &Constraint) -> bool {
        self.deferral.is_deferred(constraint)
    }

    /// The generated columns and foreign keys of a table.
    pub(crate) fn rules(&self, table: &Table) -> Result<Arc<TableRules>> {
        self.shared.server.rules.get(&self.view.catalog, table, &self.eval)
    }

    /// A table by OID.
    pub(crate) fn table(&self, oid: Oid) -> Result<&Table> {
        let table = self.view.catalog.table(oid);
        table.ok_or_else(|| crate::err!(UNDEFINED_TABLE, "could not open relation with OID {oid}"))
    }

    /// The storage OID that a table had before this transaction; 0 for one that it made.
    pub(crate) fn base_storage(&self, table: Oid) -> Oid {
        self.view.snapshot.catalog().table(table).map_or(0, |t| t.storage)
    }

    /// Fails when the statement is to stop.
    pub(crate) fn check(&self) -> Result<()> {
        self.shared.cancel.check()
    }

    /// The keys of an index.
    pub(crate) fn index_keys(&self, table: &Table, index: Oid) -> Result<Arc<Keys>> {
        let index = self.view.catalog.index(index);
        let index = index.ok_or_else(|| Error::internal("an index of the plan is missing"))?;
        let cache = &self.shared.server.index_keys;
        cache.get(&self.view.catalog, table, index, || index_function(&self.view.catalog, table, index))
    }

    /// Makes sure that an index can be read through the view although the transaction has written to its table.
    pub(crate) fn with_index(&self, table: &Table, index: Oid) -> Result<ReadView> {
        let Some(part) = self.view.buffered(table.oid) else { return Ok(self.view.clone()) };
        if part.rows().is_empty() || part.has_index(index) {
            return Ok(self.view.clone());
        }
        let mut part: TableBuffer = part.clone();
        part.build_index(index, self.index_keys(table, index)?)?;
        let mut tables = self.view.buffer.as_deref().cloned().unwrap_or_default();
        tables.insert(table.oid, part);
        // What was built is worth keeping for the statements that follow.
        let keys = self.index_keys(table, index)?;
        let mut buffer = self.buffer.lock().unwrap_or_else(|p| p.into_inner());
        buffer.build_index(table.oid, index, || Ok(keys))?;
        drop(buffer);
        Ok(ReadView { buffer: Some(Arc::new(tables)), ..self.view.clone() })
    }
}

/// Key functions of indexes by catalog entry, for all sessions.
#[derive(Default)]
pub(crate) struct KeyCache {
    entries: Mutex<HashMap<Oid, CachedKeys>>,
}

/// The table and the index that key functions were made for, and they.
type CachedKeys = (Arc<Entry>, Arc<Entry>, Arc<Keys>);

impl KeyCache {
    /// Indexes whose functions are kept.
    const MAX: usize = 10_000;

    fn get(
        &self,
        catalog: &Arc<Catalog>,
        table: &Table,
        index: &crate::storage::catalog::Index,
        make: impl FnOnce() -> Result<Arc<Keys>>,
    ) -> Result<Arc<Keys>> {
        let (Some(table_entry), Some(index_entry)) = (catalog.get(table.oid), catalog.get(index.oid)) else {
            return make();
        };
        let mut entries = self.entries.lock().unwrap_or_else(|p| p.into_inner());
        if let Some((t, i, keys)) = entries.get(&index.oid)
            && Arc::ptr_eq(t, table_entry)
            && Arc::ptr_eq(i, index_entry)
        {
            return Ok(keys.clone());
        }
        let keys = make()?;
        if entries.len() >= Self::MAX {
            entries.clear();
        }
        entries.insert(index.oid, (table_entry.clone(), index_entry.clone(), keys.clone()));
        Ok(keys)
    }
}
