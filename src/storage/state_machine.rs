//! [`StateMachine`]: applies commands, in the order of the log, to a backend. The same commands give the same state
//! and the same outcomes on every replica: nothing here reads a clock, draws a number or asks the session.
//!
//! A command is first checked as a whole - catalog version, table storages, expected versions, NOT NULL, unique
//! keys - which yields the list of operations it comes to, and then written. What a client did wrong or lost is an
//! [`Outcome::Rejected`]; an `Err` means that this node cannot go on.
//!
//! A large command does not fit one backend batch. Its first batch then marks it as begun, and only the last moves the
//! applied position: if the node stops in between, the command is applied again without its checks, which it is known
//! to have passed. No snapshot is made before the last batch, so nobody sees half a command.
//!
//! - `plan`: what has to be done for each row of a table.
//! - `catalog_change`: what catalog mutations come to.
//! - `references`: checking foreign keys.
//! - `rows`: checking row mutations and computing index entries.
//! - `build`: filling a new index.

mod build;
mod catalog_change;
mod plan;
mod references;
mod rows;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::backend::{Batch, Range, Space, StorageBackend};
use super::catalog::{Catalog, Entry};
use super::changes::{Change, Notification, TableChange};
use super::command::{Command, Mutation, Outcome, Position};
use super::evaluator::Evaluator;
use super::key;
use super::sequence::SequenceState;
use super::snapshot::Snapshot;
use super::statistics::{Delta, Statistics, TableStatistics};
use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result};
use catalog_change::CatalogChange;
use plan::TablePlan;
use rows::RowChanges;

/// A command that takes more bytes than this is written in several batches.
pub(crate) const BATCH_BYTES: usize = 8 << 20;
/// A key prefix with up to so many entries is removed one by one: range tombstones cost every later reader.
const POINT_DELETES_MAX: usize = 256;

/// Why a command was not applied.
pub(crate) enum Failure {
    /// The client's doing, or a lost conflict: the outcome of the command.
    Reject(Error),
    /// The node's: it stops.
    Fatal(Error),
}

/// The result of checking a command.
pub(crate) type Checked<T> = std::result::Result<T, Failure>;

/// Marks errors of the backend as the node's.
pub(crate) fn fatal<T>(result: Result<T>) -> Checked<T> {
    result.map_err(Failure::Fatal)
}

/// Marks errors of the evaluator as the client's.
pub(crate) fn reject<T>(result: Result<T>) -> Checked<T> {
    result.map_err(Failure::Reject)
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The answer to who proposed it.
    pub(crate) outcome: Outcome,
    /// What it changed; `None` when it was rejected.
    pub(crate) change: Option<Change>,
    /// Sequences whose state it set.
    pub(crate) sequences: Vec<Oid>,
}

/// The applied state of the log.
pub(crate) struct StateMachine {
    backend: Arc<dyn StorageBackend>,
    evaluator: Arc<dyn Evaluator>,
    catalog: Arc<Catalog>,
    statistics: Arc<Statistics>,
    applied: Position,
    /// A command that was begun before the node stopped.
    partial: Option<Position>,
    /// What is to be done for rows of each table, for the present catalog version.
    plans: HashMap<Oid, Arc<TablePlan>>,
    /// A key at or above the last one of each storage; an INSERT above it needs no look-up. `None`: no rows.
    ends: HashMap<Oid, Option<Vec<u8>>>,
    batch_bytes: usize,
    batch: Batch,
}

impl StateMachine {
    /// Reads the state that a backend has.
    pub(crate) fn open(backend: Arc<dyn StorageBackend>, evaluator: Arc<dyn Evaluator>) -> Result<Self> {
        let number = |name: &[u8]| -> Result<Option<u64>> {
            let value = backend.get(Space::Catalog, name)?;
            let invalid = || err!(DATA_CORRUPTED, "\"{}\" is not a number in storage", String::from_utf8_lossy(name));
            value.map(|v| Ok(u64::from_be_bytes(v.try_into().map_err(|_| invalid())?))).transpose()
        };
        let applied = Position(number(key::catalog::APPLIED)?.unwrap_or(0));
        let partial = number(key::catalog::PARTIAL)?.map(Position);
        let mut catalog = Catalog { version: number(key::catalog::VERSION)?.unwrap_or(0), ..Catalog::default() };
        let statistics = Statistics::default();
        load(&*backend, &mut catalog, &statistics)?;
        catalog.next_oid = catalog.next_oid.max(number(key::catalog::NEXT_OID)?.unwrap_or(0) as Oid);
        Ok(Self {
            backend,
            evaluator,
            catalog: Arc::new(catalog),
            statistics: Arc::new(statistics),
            applied,
            partial,
            plans: HashMap::new(),
            ends: HashMap::new(),
            batch_bytes: BATCH_BYTES,
            batch: Batch::new(),
        })
    }

    /// The position of the last command that was applied.
    pub(crate) fn applied(&self) -> Position {
        self.applied
    }

    /// A view of the applied state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.applied, self.catalog.clone(), self.backend.clone(), self.statistics.clone())
    }

    /// The size from which on a command is written in several batches.
    #[cfg(test)]
    pub(crate) fn set_batch_bytes(&mut self, bytes: usize) {
        self.batch_bytes = bytes;
    }

    /// Applies the command at the next position.
    pub(crate) fn apply(&mut self, position: Position, command: &Command) -> Result<Applied> {
        assert_eq!(position.0, self.applied.0 + 1, "commands are applied in the order of the log");
        let redo = self.partial.take() == Some(position);
        let applied = match self.check(command, redo) {
            Ok(work) => self.write(position, command, work)?,
            Err(Failure::Fatal(error)) => return Err(error),
            Err(Failure::Reject(error)) => {
                // Invariant: a command that was begun had passed its checks.
                assert!(!redo, "the command at position {} was begun and is now rejected: {error}", position.0);
                Applied { outcome: Outcome::Rejected(error), change: None, sequences: Vec::new() }
            }
        };
        self.applied = position;
        Ok(applied)
    }

    fn check<'c>(&mut self, command: &'c Command, redo: bool) -> Checked<Work<'c>> {
        let change = CatalogChange::check(&self.catalog, command)?;
        check_tables(&self.catalog, change.as_ref(), &command.tables)?;
        let plans = self.plans(command, change.as_ref())?;
        let sequences = check_sequences(change.as_ref().map_or(&*self.catalog, |c| &c.catalog), command)?;
        let mut rows = RowChanges::read(self, command, &plans, redo)?;
        if let Some(change) = &change {
            let built = self.build_indexes(change, &plans, &rows, redo);
            let checked = built
                .and_then(|()| rows.compute_entries(self, command, &plans, redo))
                .and_then(|()| rows.check_references(self, command, &plans, Some(change), redo));
            if let Err(failure) = checked {
                fatal(self.abandon_indexes(change))?;
                return Err(failure);
            }
        } else {
            rows.compute_entries(self, command, &plans, redo)?;
            rows.check_references(self, command, &plans, None, redo)?;
        }
        Ok(Work { change, plans, rows, sequences })
    }

    /// The plans of all tables whose rows a command changes.
    fn plans(&mut self, command: &Command, change: Option<&CatalogChange>) -> Checked<BTreeMap<Oid, Arc<TablePlan>>> {
        let mut plans: BTreeMap<Oid, Arc<TablePlan>> = BTreeMap::new();
        let mut last = None;
        let rows = command.mutations.iter().filter_map(|mutation| match mutation {
            Mutation::Put { table, .. } | Mutation::Delete { table, .. } => Some(*table),
            _ => None,
        });
        for table in rows.chain(change.iter().flat_map(|c| c.tables_to_build())) {
            if last.replace(table) == Some(table) || plans.contains_key(&table) {
                continue;
            }
            let plan = match (change, self.plans.get(&table)) {
                (None, Some(plan)) => plan.clone(),
                _ => {
                    let catalog = change.map_or(&*self.catalog, |c| &c.catalog);
                    let plan = Arc::new(TablePlan::new(catalog, change, table, &*self.evaluator)?);
                    if change.is_none() {
                        self.plans.insert(table, plan.clone());
                    }
                    plan
                }
            };
            plans.insert(table, plan);
        }
        Ok(plans)
    }

    /// Writes what a checked command comes to, and the applied position with it.
    fn write(&mut self, position: Position, command: &Command, work: Work<'_>) -> Result<Applied> {
        let Work { change, plans, rows, sequences } = work;
        let mut batch = std::mem::take(&mut self.batch);
        let (backend, limit) = (&*self.backend, self.batch_bytes);
        let mut writer = Writer { backend, batch: &mut batch, limit, is_partial: false, position };
        for (space, oid) in change.iter().flat_map(|c| &c.removed) {
            remove_prefix(writer.backend, writer.batch, *space, *oid)?;
        }
        let (tables, deltas) = rows.write(&mut writer, command, &plans)?;
        let is_large = writer.is_partial;
        for (oid, state) in &sequences {
            batch.put(Space::Catalog, &key::catalog::sequence(*oid), &state.encode());
        }
        if let Some(change) = &change {
            change.write(&mut batch)?;
        }
        let sizes: Vec<(Oid, TableStatistics)> =
            deltas.iter().map(|(storage, delta)| (*storage, self.statistics.after(*storage, *delta))).collect();
        for (storage, size) in &sizes {
            batch.put(Space::Catalog, &key::catalog::statistics(*storage), &size.encode());
        }
        if is_large {
            batch.delete(Space::Catalog, key::catalog::PARTIAL);
        }
        if !batch.is_empty() {
            batch.put(Space::Catalog, key::catalog::APPLIED, &position.0.to_be_bytes());
            self.backend.write(&batch)?;
        }
        batch.clear();
        batch.shrink_to(2 * BATCH_BYTES);
        self.batch = batch;
        self.remember(&rows, command, &plans, &sizes);
        let is_catalog = change.is_some();
        if let Some(change) = change {
            self.adopt(change);
        }
        let (time, database, principal) = (command.time, command.database, command.principal);
        let notifications = notifications(command);
        let change = Change { position, time, database, principal, tables, is_catalog, notifications };
        let sequences = sequences.into_keys().collect();
        Ok(Applied { outcome: Outcome::Committed(position), change: Some(change), sequences })
    }

    /// Keeps what is known in memory in step with what was written.
    fn remember(
        &mut self,
        rows: &RowChanges<'_>,
        command: &Command,
        plans: &BTreeMap<Oid, Arc<TablePlan>>,
        sizes: &[(Oid, TableStatistics)],
    ) {
        for (storage, size) in sizes {
            self.statistics.set(*storage, *size);
        }
        for (table, row_key) in rows.put_keys(command) {
            let Some(end) = plans.get(&table).and_then(|plan| self.ends.get_mut(&plan.storage)) else { continue };
            match end {
                Some(end) if end.as_slice() < row_key => {
                    end.clear();
                    end.extend_from_slice(row_key);
                }
                Some(_) => {}
                None => *end = Some(row_key.to_vec()),
            }
        }
    }

    fn adopt(&mut self, change: CatalogChange) {
        for (space, oid) in &change.removed {
            if *space == Space::Rows {
                self.statistics.remove(*oid);
                self.ends.remove(oid);
            }
        }
        self.catalog = Arc::new(change.catalog);
        self.plans.clear();
    }

    /// Whether a storage certainly has no row at a key. Finds the end of the storage when it is first asked for.
    pub(crate) fn is_above_end(&mut self, storage: Oid, row_key: &[u8]) -> Checked<bool> {
        if let Some(end) = self.ends.get(&storage) {
            return Ok(end.as_deref().is_none_or(|end| row_key > end));
        }
        let (lower, upper) = key::oid_range(storage);
        let range = Range { space: Space::Rows, lower, upper, reverse: true, bulk: false };
        let mut cursor = self.backend.snapshot().cursor(range);
        let end = fatal(cursor.advance())?.then(|| cursor.key()[4..].to_vec());
        let above = end.as_deref().is_none_or(|end| row_key > end);
        self.ends.insert(storage, end);
        Ok(above)
    }
}

/// A command that passed its checks.
struct Work<'c> {
    change: Option<CatalogChange>,
    plans: BTreeMap<Oid, Arc<TablePlan>>,
    rows: RowChanges<'c>,
    sequences: BTreeMap<Oid, SequenceState>,
}

/// Writes batches of bounded size.
pub(crate) struct Writer<'w> {
    backend: &'w dyn StorageBackend,
    pub(crate) batch: &'w mut Batch,
    limit: usize,
    /// Whether a batch of the command was written already.
    is_partial: bool,
    pub(crate) position: Position,
}

impl Writer<'_> {
    /// Called where a batch may end: between two rows.
    pub(crate) fn boundary(&mut self) -> Result<()> {
        if self.batch.bytes() < self.limit {
            return Ok(());
        }
        self.batch.put(Space::Catalog, key::catalog::PARTIAL, &self.position.0.to_be_bytes());
        self.backend.write(self.batch)?;
        self.batch.clear();
        self.is_partial = true;
        Ok(())
    }
}

/// Removes all keys that begin with an OID.
fn remove_prefix(backend: &dyn StorageBackend, batch: &mut Batch, space: Space, oid: Oid) -> Result<()> {
    let (lower, upper) = key::oid_range(oid);
    let range = Range { space, lower: lower.clone(), upper: upper.clone(), reverse: false, bulk: false };
    let mut cursor = backend.snapshot().cursor(range);
    let mut keys = Vec::new();
    while cursor.advance()? {
        if keys.len() == POINT_DELETES_MAX {
            // The very last OID is never handed out, so there is an upper bound.
            batch.delete_range(space, &lower, upper.as_deref().unwrap_or(&[0xff; 8]));
            return Ok(());
        }
        keys.push(cursor.key().to_vec());
    }
    keys.iter().for_each(|key| batch.delete(space, key));
    Ok(())
}

/// Fills a catalog and the statistics from storage.
fn load(backend: &dyn StorageBackend, catalog: &mut Catalog, statistics: &Statistics) -> Result<()> {
    let range = Range { space: Space::Catalog, lower: Vec::new(), upper: None, reverse: false, bulk: false };
    let mut cursor = backend.snapshot().cursor(range);
    while cursor.advance()? {
        match key::catalog::parse(cursor.key()) {
            Some((b'e', oid, [])) => {
                let entry: Entry = serde_json::from_slice(cursor.value())
                    .map_err(|e| err!(DATA_CORRUPTED, "catalog entry {oid} cannot be read: {e}"))?;
                catalog.put(entry);
            }
            Some((b'c', oid, column)) => {
                let column = column.try_into().map(i32::from_be_bytes).unwrap_or_default();
                let text = String::from_utf8_lossy(cursor.value()).into_owned();
                catalog.comments.insert((oid, column), text);
            }
            Some((b't', storage, [])) => statistics.set(storage, TableStatistics::decode(cursor.value())?),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a command that wrote to a table which was dropped or got a new storage since it was read.
fn check_tables(catalog: &Catalog, change: Option<&CatalogChange>, tables: &[(Oid, Oid)]) -> Checked<()> {
    let has = |catalog: &Catalog, table, storage| catalog.table(table).is_some_and(|t| t.storage == storage);
    for (table, storage) in tables {
        if !has(catalog, *table, *storage) && !change.is_some_and(|c| has(&c.catalog, *table, *storage)) {
            return Err(Failure::Reject(lost_conflict("the table was dropped, truncated or rewritten")));
        }
    }
    Ok(())
}

fn check_sequences(catalog: &Catalog, command: &Command) -> Checked<BTreeMap<Oid, SequenceState>> {
    let mut sequences = BTreeMap::new();
    for mutation in &command.mutations {
        if let Mutation::Sequence { oid, last_value, is_called } = mutation {
            if !matches!(catalog.get(*oid).map(|e| &**e), Some(Entry::Sequence(_))) {
                return Err(Failure::Reject(err!(UNDEFINED_TABLE, "could not open relation with OID {oid}")));
            }
            sequences.insert(*oid, SequenceState { last_value: *last_value, is_called: *is_called });
        }
    }
    Ok(sequences)
}

/// The error of a transaction that relied on something that changed.
pub(crate) fn lost_conflict(why: &str) -> Error {
    err!(SERIALIZATION_FAILURE, "could not serialize access due to concurrent update")
        .detail(format!("While the transaction ran, {why}."))
        .hint("The transaction might succeed if retried.")
}

fn notifications(command: &Command) -> Vec<Notification> {
    let notify = command.mutations.iter().filter_map(|mutation| match mutation {
        Mutation::Notify { channel, payload, pid } => {
            Some(Notification { channel: channel.clone(), payload: payload.clone(), pid: *pid })
        }
        _ => None,
    });
    notify.collect()
}

/// What row changes come to for the change stream and the statistics (by storage).
pub(crate) type Summary = (Vec<TableChange>, BTreeMap<Oid, Delta>);

#[cfg(test)]
mod tests;
