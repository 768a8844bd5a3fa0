//! What depends on what: views on relations (found by binding their queries), sequences on columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result};
use crate::exec::kept::bind_kept;
use crate::sql::deparse::{self, Layout};
use crate::sql::shape::Rename;
use crate::sql::system::definition;
use crate::storage::catalog::{Catalog, Entry, RoutineKind, Table};

use super::Ddl;

/// What kind of object an entry is, in words.
pub(super) fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Database(_) => "database",
        Entry::Schema(_) => "schema",
        Entry::Table(table) if table.view.is_some() => "materialized view",
        Entry::Table(_) => "table",
        Entry::Index(_) => "index",
        Entry::View(_) => "view",
        Entry::Sequence(_) => "sequence",
        Entry::Role(_) => "role",
        Entry::Privileges(_) => "privileges",
        Entry::Membership(_) => "membership",
        Entry::Routine(r) if r.kind == RoutineKind::Procedure => "procedure",
        Entry::Routine(_) => "function",
        Entry::DefaultPrivileges(_) => "default privileges",
        Entry::Type(_) => "type",
    }
}

/// A foreign key that loses the table it refers to.
pub(super) struct LostKey {
    pub table: Oid,
    pub constraint: Oid,
    /// What it is and what it depends on, in words.
    words: (String, String),
}

/// Objects to be dropped, found one by one, and the messages about those that were not named.
#[derive(Default)]
pub(super) struct Removal {
    /// What goes, dependents first.
    pub objects: Vec<Oid>,
    /// (dependent, what it depends on) that were not asked for.
    pub dependents: Vec<(String, String)>,
    /// Columns of tables and attributes of composite types that go, their types being gone.
    pub columns: Vec<(Oid, i16)>,
    /// Foreign keys of tables that stay: table and constraint.
    pub foreign_keys: Vec<LostKey>,
}

impl Ddl<'_> {
    /// An object as messages describe it: `table t`, `view s.v`.
    pub(super) fn describe(&self, entry: &Entry) -> String {
        format!("{} {}", kind(entry), self.shown(entry))
    }

    /// The views of this database that use one of these relations directly.
    pub(super) fn views_using(&self, relations: &BTreeSet<Oid>) -> Vec<Arc<Entry>> {
        let catalog = self.catalog();
        let views = catalog.entries.values().filter(|entry| {
            let (query, path) = match &***entry {
                Entry::View(view) => (&view.query, &view.search_path),
                Entry::Table(Table { view: Some(view), .. }) => (&view.query, &view.search_path),
                _ => return false,
            };
            let is_here = |schema: &Oid| match catalog.get(*schema).map(Arc::as_ref) {
                Some(Entry::Schema(schema)) => schema.database == self.shared.database,
                _ => false,
            };
            entry.schema().as_ref().is_some_and(is_here)
                && self.query_relations(query, path).iter().any(|oid| *oid != entry.oid() && relations.contains(oid))
        });
        views.cloned().collect()
    }

    /// The relations that a view's query names.
    fn query_relations(&self, query: &str, search_path: &[String]) -> Vec<Oid> {
        // A view that does not bind depends on nothing that is left.
        match bind_kept(query, search_path, &self.eval) {
            Ok(query) => query.relations.iter().map(|(oid, _)| *oid).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// The views that use a relation are written again with the new name of it or of its column.
    pub(super) fn views_follow(&mut self, relation: Oid, change: &Rename) -> Result<()> {
        for user in self.views_using(&BTreeSet::from([relation])) {
            let columns: Vec<String> = match &*user {
                Entry::View(view) => view.columns.iter().map(|(name, _)| name.clone()).collect(),
                Entry::Table(table) => table.live_columns().map(|column| column.name.clone()).collect(),
                _ => continue,
            };
            let text = definition::shape(&user, &self.eval).and_then(|mut shape| {
                shape.rename(relation, change);
                deparse::query(&shape, &columns, Layout { pretty: false, wrap: -1 }, &self.eval)
            });
            let Some(text) = text else {
                let what = match change {
                    Rename::Relation(_) => "a relation",
                    Rename::Column(..) => "a column of a relation",
                };
                return Err(Error::unsupported(format!("renaming {what} that view \"{}\" uses", user.name())));
            };
            let search_path = self.path_names();
            let mut changed = (*user).clone();
            match &mut changed {
                Entry::View(view) => (view.query, view.search_path) = (text, search_path),
                Entry::Table(Table { view: Some(view), .. }) => (view.query, view.search_path) = (text, search_path),
                _ => continue,
            }
            self.put(changed);
        }
        Ok(())
    }

    /// Refuses a change of a table that views use, as their queries are kept as text.
    pub(super) fn refuse_used_by_views(&self, table: &Table, what: &str) -> Result<()> {
        match self.views_using(&BTreeSet::from([table.oid])).first() {
            Some(view) => Err(Error::unsupported(format!("{what} of a table that view \"{}\" uses", view.name()))),
            None => Ok(()),
        }
    }

    /// Gathers an object and everything that goes with it.
    pub(super) fn gather(&self, oid: Oid, named: &BTreeSet<Oid>, removal: &mut Removal) {
        if removal.objects.contains(&oid) {
            return;
        }
        let catalog = self.catalog();
        let Some(entry) = catalog.get(oid).cloned() else { return };
        let owner = self.describe(&entry);
        let depend = |dependent: &Arc<Entry>, removal: &mut Removal| {
            if !named.contains(&dependent.oid()) && !removal.objects.contains(&dependent.oid()) {
                removal.dependents.push((self.describe(dependent), owner.clone()));
            }
            self.gather(dependent.oid(), named, removal);
        };
        match &*entry {
            Entry::Table(table) => {
                for view in self.views_using(&BTreeSet::from([oid])) {
                    depend(&view, removal);
                }
                for (child, constraint) in catalog.foreign_keys_to(oid) {
                    if child.oid == oid || named.contains(&child.oid) {
                        continue;
                    }
                    let shown = self.shown(&Entry::Table(child.clone()));
                    let text = format!("constraint {} on table {shown}", constraint.name);
                    let words = (text, owner.clone());
                    removal.foreign_keys.push(LostKey { table: child.oid, constraint: constraint.oid, words });
                }
                // Later ones are found first, and named last.
                let mut blocks = Vec::new();
                for child in catalog.children_of(oid).iter().rev() {
                    let start = removal.dependents.len();
                    let Some(child) = catalog.get(*child).cloned() else { continue };
                    // A partition goes silently with what it is a part of.
                    match matches!(&*child, Entry::Table(child) if child.bound.is_some()) {
                        true => self.gather(child.oid(), named, removal),
                        false => depend(&child, removal),
                    }
                    blocks.push(removal.dependents.split_off(start));
                }
                removal.dependents.extend(blocks.into_iter().rev().flatten());
                // What the table owns goes silently.
                for sequence in owned_sequences(&catalog, table.oid, None) {
                    self.gather(sequence, named, removal);
                }
                for index in catalog.indexes_of(oid) {
                    removal.objects.push(index.oid);
                }
            }
            Entry::Index(_) => {
                for part in catalog.entries.values() {
                    if matches!(&**part, Entry::Index(part) if part.parent == Some(oid)) {
                        self.gather(part.oid(), named, removal);
                    }
                }
            }
            Entry::View(_) => {
                for view in self.views_using(&BTreeSet::from([oid])) {
                    depend(&view, removal);
                }
            }
            Entry::Schema(schema) => {
                for ((_, _), routines) in catalog.routines.iter().filter(|((s, _), _)| *s == schema.oid) {
                    for oid in routines {
                        if let Some(routine) = catalog.get(*oid) {
                            depend(routine, removal);
                        }
                    }
                }
                let inside: Vec<Arc<Entry>> = catalog
                    .entries
                    .values()
                    .filter(|e| e.schema() == Some(schema.oid) && !matches!(***e, Entry::Index(_)))
                    .cloned()
                    .collect();
                for entry in inside {
                    let owned = matches!(&*entry, Entry::Sequence(s) if s.owned_by.is_some());
                    if !owned {
                        depend(&entry, removal);
                    }
                }
            }
            _ => {}
        }
        let typ = match &*entry {
            Entry::Type(user) => Some(user.oid),
            entry => entry.row_type(),
        };
        if let Some(typ) = typ {
            let name = format!("type {}", crate::sql::user_types::format(&self.eval, typ, None));
            self.gather_users_of_type(typ, &name, named, removal);
        }
        removal.objects.push(oid);
    }

    /// 2BP01 with what stands in the way, unless CASCADE, which says what else goes.
    pub(super) fn check_dependents(&self, removal: &Removal, named: &[String], cascade: bool) -> Result<()> {
        // A foreign key whose table goes as well is not worth a word.
        let keys = removal.foreign_keys.iter().filter(|key| !removal.objects.contains(&key.table));
        let dependents: Vec<(String, String)> =
            removal.dependents.iter().cloned().chain(keys.map(|key| key.words.clone())).collect();
        if dependents.is_empty() {
            return Ok(());
        }
        if cascade {
            let code = crate::error::SqlState::SUCCESSFUL_COMPLETION;
            let list: Vec<String> = dependents.iter().map(|(d, _)| format!("drop cascades to {d}")).collect();
            let report = match list.as_slice() {
                [one] => Error::new(code, one.clone()),
                many => {
                    Error::new(code, format!("drop cascades to {} other objects", many.len())).detail(many.join("\n"))
                }
            };
            self.shared.notice("NOTICE", report);
            return Ok(());
        }
        let detail: Vec<String> = dependents.iter().map(|(d, on)| format!("{d} depends on {on}")).collect();
        let message = match named {
            [one] => format!("cannot drop {one} because other objects depend on it"),
            _ => "cannot drop desired object(s) because other objects depend on them".to_string(),
        };
        Err(err!(DEPENDENT_OBJECTS_STILL_EXIST, "{message}")
            .detail(detail.join("\n"))
            .hint("Use DROP ... CASCADE to drop the dependent objects too."))
    }
}

/// The sequences owned by a table, or by one column of it.
pub(super) fn owned_sequences(catalog: &Catalog, table: Oid, column: Option<i16>) -> Vec<Oid> {
    let owned = catalog.entries.values().filter_map(|entry| match &**entry {
        Entry::Sequence(s) => match s.owned_by {
            Some((t, c)) if t == table && column.is_none_or(|n| n == c) => Some(s.oid),
            _ => None,
        },
        _ => None,
    });
    owned.collect()
}
