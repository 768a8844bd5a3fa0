//! Foreign keys inside `apply`: whatever transactions ran at the same time, no row names a key that is not there.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use super::catalog_change::CatalogChange;
use super::rows::{Plans, RowChange, RowChanges};
use super::{Checked, Failure, StateMachine, fatal, reject};
use crate::document::Oid;
use crate::storage::catalog::Catalog;
use crate::storage::command::Command;
use crate::storage::evaluator::{Children, NamedKey, Reference};
use crate::storage::snapshot::{Snapshot, prefix_range};

/// The keys that a foreign key has lost anywhere, each with a row that had it.
type Lost<'a> = (Arc<dyn Reference>, HashMap<Vec<u8>, &'a [u8]>);

/// What the check looks at.
struct Look<'c> {
    snapshot: Snapshot,
    catalog: &'c Catalog,
    change: Option<&'c CatalogChange>,
    /// The rows of the command by table and key.
    rows: HashMap<(Oid, &'c [u8]), RowChange<'c>>,
    gone: HashSet<&'c [u8]>,
    new: HashSet<&'c [u8]>,
    /// Keys known to be there or not, by foreign key.
    known: HashMap<(Oid, Vec<u8>), bool>,
    /// The keys that the rows written by the command name, by foreign key.
    named: HashMap<Oid, HashSet<Vec<u8>>>,
}

impl RowChanges<'_> {
    /// Refuses rows that name a key which will not be there, and the loss of a key that rows name. In `redo` nothing is
    /// checked.
    pub(crate) fn check_references(
        &self,
        machine: &StateMachine,
        command: &Command,
        plans: &Plans,
        change: Option<&CatalogChange>,
        redo: bool,
    ) -> Checked<()> {
        let concerned = |oid: &Oid| {
            let references = plans.get(oid).map(|plan| &plan.references);
            references.is_some_and(|r| !r.outgoing.is_empty() || !r.incoming.is_empty())
        };
        if redo || !plans.keys().any(concerned) {
            return Ok(());
        }
        let (gone, new) = self.unique_entries();
        let catalog = change.map_or(&*machine.catalog, |c| &c.catalog);
        let mut look = Look {
            snapshot: machine.snapshot(),
            catalog,
            change,
            rows: self.changed(command).map(|row| ((row.table, row.key), row)).collect(),
            gone,
            new,
            known: HashMap::new(),
            named: HashMap::new(),
        };
        for row in self.changed(command) {
            let Some(plan) = plans.get(&row.table) else { continue };
            for reference in &plan.references.outgoing {
                look.check_child(reference, &row)?;
            }
        }
        let mut anywhere: Vec<Lost<'_>> = Vec::new();
        for row in self.changed(command) {
            let (Some(plan), Some(old)) = (plans.get(&row.table), row.old) else { continue };
            for reference in &plan.references.incoming {
                let Some(key) = look.lost_key(reference, &row)? else { continue };
                match reject(reference.children(old))? {
                    Children::Anywhere => {
                        let at = anywhere.iter().position(|(known, _)| known.id() == reference.id());
                        let at = at.unwrap_or_else(|| {
                            anywhere.push((reference.clone(), HashMap::new()));
                            anywhere.len() - 1
                        });
                        anywhere[at].1.insert(key, old);
                    }
                    children => {
                        if look.is_named(reference, &key, &children)? {
                            return Err(Failure::Reject(reference.still_referenced(old)));
                        }
                    }
                }
            }
        }
        for (reference, keys) in anywhere {
            if let Some(old) = look.first_named(&reference, &keys)? {
                return Err(Failure::Reject(reference.still_referenced(old)));
            }
        }
        Ok(())
    }
}

impl Look<'_> {
    fn check_child(&mut self, reference: &Arc<dyn Reference>, row: &RowChange<'_>) -> Checked<()> {
        let Some(new) = row.new else { return Ok(()) };
        let named = reject(reference.named_key(new))?;
        let key = match named {
            NamedKey::Nothing => return Ok(()),
            NamedKey::Impossible | NamedKey::Mixed => return Err(Failure::Reject(reference.missing(new))),
            NamedKey::Key(key) => key,
        };
        // What the row named before was checked then.
        if let Some(old) = row.old
            && reject(reference.named_key(old))? == NamedKey::Key(key.clone())
            && !self.is_made(reference)
        {
            return Ok(());
        }
        match self.is_there(reference, &key)? {
            true => Ok(()),
            false => Err(Failure::Reject(reference.missing(new))),
        }
    }

    /// Whether the table referred to gets new rows as a whole, so that nothing of it was checked before.
    fn is_made(&self, reference: &Arc<dyn Reference>) -> bool {
        reference.parents().iter().any(|(table, _)| self.is_new_storage(*table))
    }

    fn is_new_storage(&self, table: Oid) -> bool {
        let storage = self.catalog.table(table).map_or(0, |t| t.storage);
        self.change.is_some_and(|c| c.new_storages.contains(&storage))
    }

    /// Whether a key will be there.
    fn is_there(&mut self, reference: &Arc<dyn Reference>, key: &[u8]) -> Checked<bool> {
        let place = (reference.id(), key.to_vec());
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        let mut found = false;
        for (table, index) in reference.parents() {
            found = found || self.is_in(table, index, key)?;
        }
        self.known.insert(place, found);
        Ok(found)
    }

    /// Whether a key will be in a table, by one of its unique indexes.
    fn is_in(&self, table: Oid, index: Oid, key: &[u8]) -> Checked<bool> {
        let stored = !self.is_new_storage(table);
        Ok(match index {
            0 => match self.rows.get(&(table, key)) {
                Some(row) => row.new.is_some(),
                None => {
                    let storage = self.catalog.table(table).map_or(0, |t| t.storage);
                    stored && fatal(self.snapshot.get(storage, key))?.is_some()
                }
            },
            index => {
                let entry = [&index.to_be_bytes()[..], key].concat();
                self.new.contains(entry.as_slice())
                    || stored
                        && !self.gone.contains(entry.as_slice())
                        && fatal(self.snapshot.get_unique(index, key))?.is_some()
            }
        })
    }

    /// The key that a row had and that will not be there any more.
    fn lost_key(&mut self, reference: &Arc<dyn Reference>, row: &RowChange<'_>) -> Checked<Option<Vec<u8>>> {
        let Some(old) = row.old else { return Ok(None) };
        let Some(key) = reject(reference.own_key(old))? else { return Ok(None) };
        if let Some(new) = row.new
            && reject(reference.own_key(new))?.as_ref() == Some(&key)
        {
            return Ok(None);
        }
        Ok(match self.is_there(reference, &key)? {
            true => None,
            false => Some(key),
        })
    }

    /// The keys that rows written by the command name.
    fn named_now(&mut self, reference: &Arc<dyn Reference>) -> Checked<&HashSet<Vec<u8>>> {
        if !self.named.contains_key(&reference.id()) {
            let mut keys = HashSet::new();
            for row in self.rows.values().filter(|row| row.table == reference.child()) {
                let Some(new) = row.new else { continue };
                if let NamedKey::Key(key) = reject(reference.named_key(new))? {
                    keys.insert(key);
                }
            }
            self.named.insert(reference.id(), keys);
        }
        Ok(&self.named[&reference.id()])
    }

    /// Whether a row that will be there names a key.
    fn is_named(&mut self, reference: &Arc<dyn Reference>, key: &[u8], children: &Children) -> Checked<bool> {
        let (table, named) = (reference.child(), NamedKey::Key(key.to_vec()));
        if self.named_now(reference)?.contains(key) {
            return Ok(true);
        }
        if self.is_new_storage(table) {
            return Ok(false);
        }
        let storage = self.catalog.table(table).map_or(0, |t| t.storage);
        let options = Default::default();
        match children {
            Children::RowKeys(prefix) => {
                let (lower, upper) = prefix_range(prefix);
                let mut rows = self.snapshot.scan(storage, slice(&lower), slice(&upper), options);
                while fatal(rows.advance())? {
                    if !self.rows.contains_key(&(table, rows.key()))
                        && reject(reference.named_key(rows.row()))? == named
                    {
                        return Ok(true);
                    }
                }
            }
            Children::Entries(index, prefix) => {
                let (lower, upper) = prefix_range(prefix);
                let mut entries = self.snapshot.index_scan(*index, slice(&lower), slice(&upper), options);
                while fatal(entries.advance())? {
                    let (_, row_key) = fatal(entries.entry())?;
                    if self.rows.contains_key(&(table, row_key)) {
                        continue;
                    }
                    if let Some(row) = fatal(self.snapshot.get(storage, row_key))?
                        && reject(reference.named_key(row.as_bytes()))? == named
                    {
                        return Ok(true);
                    }
                }
            }
            Children::None | Children::Anywhere => {}
        }
        Ok(false)
    }

    /// The first of some lost keys that a row names, found by reading the whole table: no index leads to the rows.
    fn first_named<'k>(
        &self,
        reference: &Arc<dyn Reference>,
        keys: &HashMap<Vec<u8>, &'k [u8]>,
    ) -> Checked<Option<&'k [u8]>> {
        let table = reference.child();
        let lost = |row: &[u8]| -> Checked<Option<&'k [u8]>> {
            Ok(match reject(reference.named_key(row))? {
                NamedKey::Key(key) => keys.get(&key).copied(),
                _ => None,
            })
        };
        for row in self.rows.values().filter(|row| row.table == table) {
            if let Some(new) = row.new
                && let Some(old) = lost(new)?
            {
                return Ok(Some(old));
            }
        }
        if self.is_new_storage(table) {
            return Ok(None);
        }
        let storage = self.catalog.table(table).map_or(0, |t| t.storage);
        let mut rows = self.snapshot.scan(storage, Bound::Unbounded, Bound::Unbounded, Default::default());
        while fatal(rows.advance())? {
            if !self.rows.contains_key(&(table, rows.key()))
                && let Some(old) = lost(rows.row())?
            {
                return Ok(Some(old));
            }
        }
        Ok(None)
    }
}

fn slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}
