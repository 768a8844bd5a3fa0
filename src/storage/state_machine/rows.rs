//! [`RowChanges`]: the row mutations of a command, checked against what is there, and the index entries they come to.
//!
//! What counts is the net effect: two rows may swap a unique key within one command. So all old entries are removed
//! first, then the rows and their new entries are written. Rows are not copied; they stay where the command has them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::plan::{EntryForm, TablePlan};
use super::{Checked, Failure, StateMachine, Summary, Writer, fatal, lost_conflict, reject};
use crate::document::Oid;
use crate::error::{Error, Result};
use crate::storage::backend::Space;
use crate::storage::changes::TableChange;
use crate::storage::command::{Command, Expect, Mutation};
use crate::storage::key;
use crate::storage::statistics::Delta;

pub(crate) type Plans = BTreeMap<Oid, Arc<TablePlan>>;

/// The checked row mutations of a command.
pub(crate) struct RowChanges<'c> {
    nets: Vec<Net>,
    /// (table, row key) -> place in `nets`. Not kept when the mutations come in ascending order of their keys.
    seen: Option<HashMap<(Oid, &'c [u8]), usize>>,
    removals: Vec<Removal>,
    entries: Vec<NewEntry>,
    /// The bytes of removals and entries.
    bytes: Vec<u8>,
    /// The rows as they were, of tables with foreign keys.
    old_rows: HashMap<usize, Vec<u8>>,
}

/// What becomes of one row.
struct Net {
    /// The (last) mutation of the row.
    mutation: usize,
    /// Size of the row's key and value before, if there was one.
    before: Option<usize>,
    /// Whether there is a row after the mutations so far.
    present: bool,
    /// The new row is the old one, byte for byte.
    unchanged: bool,
    /// Its old entries.
    removals: Range<usize>,
}

/// An entry of a row as it was.
struct Removal {
    key: Range<usize>,
    is_unique: bool,
    /// The row still has this entry.
    kept: bool,
}

/// An entry of a row as it will be.
struct NewEntry {
    net: usize,
    /// Its index, as a place in the plan of its table.
    index: usize,
    key: Range<usize>,
    form: EntryForm,
}

/// A row mutation in one shape.
struct RowMutation<'c> {
    table: Oid,
    key: &'c [u8],
    row: Option<&'c [u8]>,
    expect: Expect,
}

fn row_mutation(mutation: &Mutation) -> Option<RowMutation<'_>> {
    match mutation {
        Mutation::Put { table, key, row, expect } => {
            Some(RowMutation { table: *table, key, row: Some(row), expect: *expect })
        }
        Mutation::Delete { table, key, expect } => Some(RowMutation { table: *table, key, row: None, expect: *expect }),
        _ => None,
    }
}

fn plan_of(plans: &Plans, table: Oid) -> &Arc<TablePlan> {
    plans.get(&table).expect("every table of a command has a plan")
}

/// The net mutation of a row.
fn net_mutation<'c>(command: &'c Command, net: &Net) -> RowMutation<'c> {
    row_mutation(&command.mutations[net.mutation]).expect("nets are made from row mutations")
}

impl<'c> RowChanges<'c> {
    /// Checks what each mutation expects, and notes the entries of the rows as they are. In `redo` nothing is checked:
    /// the command has passed its checks, and some of its rows may be there already.
    pub(crate) fn read(machine: &mut StateMachine, command: &'c Command, plans: &Plans, redo: bool) -> Checked<Self> {
        let builds = plans.values().any(|plan| plan.indexes.iter().any(|index| !index.has_old && index.looks_up));
        let seen = (builds || !is_ascending(command)).then(HashMap::new);
        let (removals, entries, bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut changes = Self { nets: Vec::new(), seen, removals, entries, bytes, old_rows: HashMap::new() };
        for (i, mutation) in command.mutations.iter().enumerate() {
            let Some(row) = row_mutation(mutation) else { continue };
            let plan = plan_of(plans, row.table);
            let earlier = changes.seen.as_ref().and_then(|seen| seen.get(&(row.table, row.key)).copied());
            match earlier {
                Some(net) => changes.change_again(machine, plan, i, &row, net)?,
                None => changes.change(machine, plan, i, &row, redo)?,
            }
        }
        Ok(changes)
    }

    fn change(
        &mut self,
        machine: &mut StateMachine,
        plan: &TablePlan,
        mutation: usize,
        row: &RowMutation<'c>,
        redo: bool,
    ) -> Checked<()> {
        let is_insert = row.expect == Expect::Absent;
        let is_absent = plan.is_new && !redo || is_insert && machine.is_above_end(plan.storage, row.key)?;
        let value = match is_absent {
            true => None,
            false => fatal(machine.backend.get(Space::Rows, &key::row_key(plan.storage, row.key)))?,
        };
        let old = value.as_deref().map(|value| fatal(key::split_row(value))).transpose()?;
        if !redo {
            match (row.expect, old) {
                (Expect::Absent, Some(_)) => return Err(Failure::Reject(already_there(machine, plan, row))),
                (Expect::Version(version), Some((position, _))) if position == version => {}
                (Expect::Version(_), _) => return Err(Failure::Reject(lost_conflict("a row was changed or deleted"))),
                (Expect::Absent, None) | (Expect::Any, _) => {}
            }
        }
        let old_row = old.and_then(|(_, start)| value.as_ref()?.get(start..));
        let unchanged = !redo && old_row.is_some() && old_row == row.row;
        let first = self.removals.len();
        if let (Some(old_row), false) = (old_row, unchanged) {
            self.note_old_entries(plan, row.key, old_row)?;
        }
        let has_references = !plan.references.outgoing.is_empty() || !plan.references.incoming.is_empty();
        if let (Some(old_row), true) = (old_row, has_references && !redo) {
            self.old_rows.insert(self.nets.len(), old_row.to_vec());
        }
        let before = match redo {
            // The row may be there because this command wrote it: what it expected tells how it was.
            true if is_insert => None,
            true => value.as_ref().map(|v| row.key.len() + v.len()).or(Some(row.key.len())),
            false => value.as_ref().map(|v| row.key.len() + v.len()),
        };
        if let Some(seen) = &mut self.seen {
            seen.insert((row.table, row.key), self.nets.len());
        }
        let removals = first..self.removals.len();
        let present = row.row.is_some();
        self.nets.push(Net { mutation, before, present, unchanged, removals });
        Ok(())
    }

    /// A further mutation of a row that this command has changed already.
    fn change_again(
        &mut self,
        machine: &mut StateMachine,
        plan: &TablePlan,
        mutation: usize,
        row: &RowMutation<'c>,
        place: usize,
    ) -> Checked<()> {
        let net = &mut self.nets[place];
        match row.expect {
            Expect::Absent if net.present => return Err(Failure::Reject(already_there(machine, plan, row))),
            Expect::Version(_) if !net.present => {
                return Err(Failure::Reject(lost_conflict("a row was changed or deleted")));
            }
            _ => {}
        }
        (net.mutation, net.present) = (mutation, row.row.is_some());
        if std::mem::take(&mut net.unchanged) {
            // Its old entries were not noted because nothing was to change.
            let first = self.removals.len();
            if let Some(value) = fatal(machine.backend.get(Space::Rows, &key::row_key(plan.storage, row.key)))? {
                let (_, start) = fatal(key::split_row(&value))?;
                self.note_old_entries(plan, row.key, &value[start..])?;
            }
            self.nets[place].removals = first..self.removals.len();
        }
        Ok(())
    }

    fn note_old_entries(&mut self, plan: &TablePlan, row_key: &[u8], row: &[u8]) -> Checked<()> {
        let Self { removals, bytes, .. } = self;
        for index in plan.indexes.iter().filter(|index| index.has_old) {
            let note = &mut |_: &mut Vec<u8>, key, form: EntryForm| {
                removals.push(Removal { key, is_unique: form.is_unique, kept: false });
            };
            reject(index.entries(row_key, row, bytes, note))?;
        }
        Ok(())
    }

    /// Computes the entries of the rows as they will be, and checks rows and unique keys.
    pub(crate) fn compute_entries(
        &mut self,
        machine: &StateMachine,
        command: &Command,
        plans: &Plans,
        redo: bool,
    ) -> Checked<()> {
        for place in 0..self.nets.len() {
            let net = &self.nets[place];
            if net.unchanged {
                continue;
            }
            let mutation = net_mutation(command, net);
            let Some(row) = mutation.row else { continue };
            let plan = plan_of(plans, mutation.table);
            if let (Some(check), false) = (&plan.check, redo) {
                reject(check.check(row))?;
            }
            let Self { nets, removals, entries, bytes, .. } = self;
            let old = &mut removals[nets[place].removals.clone()];
            for (index, index_plan) in plan.indexes.iter().enumerate() {
                let add = &mut |bytes: &mut Vec<u8>, key: Range<usize>, form: EntryForm| {
                    // When some rows are rewritten already, what looks like an old entry may be gone before this row's
                    // turn.
                    match !redo && keep_old_entry(old, bytes, &key, form) {
                        true => bytes.truncate(key.start),
                        false => entries.push(NewEntry { net: place, index, key, form }),
                    }
                };
                reject(index_plan.entries(mutation.key, row, bytes, add))?;
            }
        }
        match redo {
            true => Ok(()),
            false => self.check_unique(machine, command, plans),
        }
    }

    fn check_unique(&self, machine: &StateMachine, command: &Command, plans: &Plans) -> Checked<()> {
        let unique = || self.entries.iter().enumerate().filter(|(_, entry)| entry.form.is_unique);
        let mut sorted: Vec<usize> = unique().map(|(i, _)| i).collect();
        if sorted.is_empty() {
            return Ok(());
        }
        let key_of = |i: usize| &self.bytes[self.entries[i].key.clone()];
        sorted.sort_unstable_by(|a, b| key_of(*a).cmp(key_of(*b)).then(a.cmp(b)));
        let twice = sorted.windows(2).filter(|pair| key_of(pair[0]) == key_of(pair[1])).map(|pair| pair[1]).min();
        let mut removed: Vec<&[u8]> =
            self.removals.iter().filter(|r| r.is_unique && !r.kept).map(|r| &self.bytes[r.key.clone()]).collect();
        removed.sort_unstable();
        for (i, entry) in unique() {
            let mutation = net_mutation(command, &self.nets[entry.net]);
            let plan = plan_of(plans, mutation.table);
            let index = &plan.indexes[entry.index];
            let key = key_of(i);
            let taken = twice == Some(i)
                || index.looks_up
                    && removed.binary_search(&key).is_err()
                    && fatal(machine.backend.get(Space::Indexes, key))?.is_some();
            if taken {
                let row = mutation.row.unwrap_or_default();
                return Err(Failure::Reject(index.duplicate(&machine.catalog, &plan.table, row)));
            }
        }
        Ok(())
    }

    /// Whether the command changes the row at a key.
    pub(crate) fn changes_row(&self, table: Oid, row_key: &[u8]) -> bool {
        let net = self.seen.as_ref().and_then(|seen| seen.get(&(table, row_key)));
        net.is_some_and(|net| !self.nets[*net].unchanged)
    }

    /// The tables and keys of the rows that the command writes.
    pub(crate) fn put_keys<'d>(&'d self, command: &'d Command) -> impl Iterator<Item = (Oid, &'d [u8])> {
        let written = self.nets.iter().filter(|net| net.present && !net.unchanged);
        written.map(|net| net_mutation(command, net)).map(|mutation| (mutation.table, mutation.key))
    }

    /// Writes rows and entries.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, command: &Command, plans: &Plans) -> Result<Summary> {
        for removal in self.removals.iter().filter(|removal| !removal.kept) {
            writer.batch.delete(Space::Indexes, &self.bytes[removal.key.clone()]);
            writer.boundary()?;
        }
        let mut summary = Tally::default();
        let mut entries = self.entries.iter().peekable();
        let mut position = Vec::new();
        key::put_varint(writer.position.0, &mut position);
        for (place, net) in self.nets.iter().enumerate() {
            if net.unchanged {
                continue;
            }
            let RowMutation { table, key, row, .. } = net_mutation(command, net);
            let plan = plan_of(plans, table);
            let storage = plan.storage.to_be_bytes();
            match row {
                Some(row) => writer.batch.put_parts(Space::Rows, &[&storage, key], &[&position, row]),
                None if net.before.is_none() => {}
                None => writer.batch.delete(Space::Rows, &key::row_key(plan.storage, key)),
            }
            while let Some(entry) = entries.next_if(|entry| entry.net == place) {
                let value = match entry.form.is_unique {
                    true => key::entry_unique(key),
                    false => key::entry_with_suffix(entry.form.keys_len),
                };
                writer.batch.put(Space::Indexes, &self.bytes[entry.key.clone()], &value);
            }
            summary.count(table, plan.storage, net.before, row.map(|row| key.len() + position.len() + row.len()));
            writer.boundary()?;
        }
        Ok((summary.tables, summary.deltas))
    }
}

/// What becomes of a row of the command: its bytes as they were and as they will be.
pub(crate) struct RowChange<'r> {
    pub(crate) table: Oid,
    pub(crate) key: &'r [u8],
    pub(crate) old: Option<&'r [u8]>,
    pub(crate) new: Option<&'r [u8]>,
}

impl RowChanges<'_> {
    /// The rows that are changed, of tables with foreign keys with what they were.
    pub(crate) fn changed<'r>(&'r self, command: &'r Command) -> impl Iterator<Item = RowChange<'r>> {
        let changed = self.nets.iter().enumerate().filter(|(_, net)| !net.unchanged);
        changed.map(|(place, net)| {
            let RowMutation { table, key, row, .. } = net_mutation(command, net);
            RowChange { table, key, old: self.old_rows.get(&place).map(Vec::as_slice), new: row }
        })
    }

    /// The unique entries that go and those that come.
    pub(crate) fn unique_entries(&self) -> (HashSet<&[u8]>, HashSet<&[u8]>) {
        let gone = self.removals.iter().filter(|r| r.is_unique && !r.kept).map(|r| &self.bytes[r.key.clone()]);
        let new = self.entries.iter().filter(|e| e.form.is_unique).map(|e| &self.bytes[e.key.clone()]);
        (gone.collect(), new.collect())
    }
}

/// If the row has this entry already, it is neither removed nor written. The old entries are in ascending order: indexes
/// come in the order of their OIDs, with which entries begin, and those of one index ascend.
fn keep_old_entry(old: &mut [Removal], bytes: &[u8], key: &Range<usize>, form: EntryForm) -> bool {
    let wanted = &bytes[key.clone()];
    match old.binary_search_by(|removal| bytes[removal.key.clone()].cmp(wanted)) {
        Ok(place) if old[place].is_unique == form.is_unique => {
            old[place].kept = true;
            true
        }
        _ => false,
    }
}

#[derive(Default)]
struct Tally {
    tables: Vec<TableChange>,
    deltas: BTreeMap<Oid, Delta>,
}

impl Tally {
    /// Counts a row whose size was and will be as given.
    fn count(&mut self, table: Oid, storage: Oid, before: Option<usize>, after: Option<usize>) {
        if before.is_none() && after.is_none() {
            return;
        }
        let last = self.tables.last().is_some_and(|change| change.table == table);
        let place = match last {
            true => self.tables.len() - 1,
            false => self.tables.iter().position(|change| change.table == table).unwrap_or_else(|| {
                self.tables.push(TableChange { table, written: 0, deleted: 0 });
                self.tables.len() - 1
            }),
        };
        match after {
            Some(_) => self.tables[place].written += 1,
            None => self.tables[place].deleted += 1,
        }
        let delta = self.deltas.entry(storage).or_default();
        delta.rows += i64::from(after.is_some()) - i64::from(before.is_some());
        delta.bytes += after.unwrap_or(0) as i64 - before.unwrap_or(0) as i64;
    }
}

/// Whether the rows of a command come in ascending order of their keys, table by table, so that none comes twice.
fn is_ascending(command: &Command) -> bool {
    let rows = command.mutations.iter().filter_map(row_mutation).map(|row| (row.table, row.key));
    rows.is_sorted_by(|a, b| a < b)
}

/// The error of an INSERT whose key is taken.
fn already_there(machine: &StateMachine, plan: &TablePlan, row: &RowMutation<'_>) -> Error {
    match &plan.row_key {
        Some(index) => index.duplicate(&machine.catalog, &plan.table, row.row.unwrap_or_default()),
        // Row ids are never handed out twice; a client that made its own up may try again.
        None => lost_conflict("a row with the same row id was inserted"),
    }
}
