//! DROP and TRUNCATE.

use std::collections::BTreeSet;

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::parser::ident;
use crate::sql::privilege;
use crate::sql::statement::{Drop, ObjectKind, Truncate};
use crate::storage::catalog::{Entry, INFORMATION_SCHEMA, PG_CATALOG, is_temporary};

use super::Ddl;
use super::depend::{Removal, owned_sequences};

impl Ddl<'_> {
    pub(super) fn drop(&mut self, drop: &Drop) -> Result<&'static str> {
        match drop.kind {
            ObjectKind::Table => self.drop_relations(drop).map(|()| "DROP TABLE"),
            ObjectKind::View => self.drop_relations(drop).map(|()| "DROP VIEW"),
            ObjectKind::MaterializedView => self.drop_relations(drop).map(|()| "DROP MATERIALIZED VIEW"),
            ObjectKind::Index => self.drop_relations(drop).map(|()| "DROP INDEX"),
            ObjectKind::Sequence => self.drop_relations(drop).map(|()| "DROP SEQUENCE"),
            ObjectKind::Schema => self.drop_schemas(drop).map(|()| "DROP SCHEMA"),
            ObjectKind::Database => self.drop_database(drop).map(|()| "DROP DATABASE"),
            ObjectKind::Role => self.drop_roles(drop).map(|()| "DROP ROLE"),
            ObjectKind::Type => self.drop_types(drop).map(|()| "DROP TYPE"),
            ObjectKind::Domain => self.drop_types(drop).map(|()| "DROP DOMAIN"),
            other => Err(Error::unsupported(format!("DROP {}", other.name().to_uppercase()))),
        }
    }

    fn drop_relations(&mut self, drop: &Drop) -> Result<()> {
        if drop.concurrently {
            self.refuse_block("DROP INDEX CONCURRENTLY")?;
        }
        let mut named = Vec::new();
        for name in &drop.names {
            let Some(entry) = self.find(name)? else {
                let message = format!("{} \"{}\" does not exist", drop.kind.name(), self.written(name)?);
                if !drop.if_exists {
                    let code = match drop.kind {
                        ObjectKind::Index => SqlState::UNDEFINED_OBJECT,
                        _ => SqlState::UNDEFINED_TABLE,
                    };
                    return Err(Error::new(code, message));
                }
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
                continue;
            };
            check_kind(drop.kind, &entry)?;
            self.must_own_or_schema(&entry)?;
            if let Entry::Index(index) = &*entry {
                self.refuse_constraint_index(index.table, index.oid, &index.name)?;
                if let Some(parent) = index.parent.and_then(|oid| self.catalog().get(oid).cloned()) {
                    let (own, theirs) = (self.shown(&entry), self.shown(&parent));
                    return Err(err!(
                        DEPENDENT_OBJECTS_STILL_EXIST,
                        "cannot drop index {own} because index {theirs} requires it"
                    )
                    .hint(format!("You can drop index {theirs} instead.")));
                }
                let keys = self.foreign_keys_on(index.table, index.oid);
                let subject = format!("index {}", self.shown(&entry));
                self.release_foreign_keys(keys, &subject, &subject, drop.cascade)?;
            }
            if let Entry::Sequence(sequence) = &*entry {
                self.refuse_used_sequence(sequence.oid, &sequence.name, drop.cascade)?;
            }
            named.push(entry);
        }
        let oids: BTreeSet<Oid> = named.iter().map(|e| e.oid()).collect();
        let mut removal = Removal::default();
        for oid in &oids {
            self.gather(*oid, &oids, &mut removal);
        }
        let names: Vec<String> = named.iter().map(|e| self.describe(e)).collect();
        self.check_dependents(&removal, &names, drop.cascade)?;
        self.remove_all(&removal)
    }

    /// Removes objects, and what was written to the tables among them.
    pub(super) fn remove_all(&mut self, removal: &Removal) -> Result<()> {
        for (oid, number) in removal.columns.iter().filter(|(oid, _)| !removal.objects.contains(oid)) {
            self.remove_column(*oid, *number)?;
        }
        let keys: Vec<(Oid, Oid)> = removal.foreign_keys.iter().map(|key| (key.table, key.constraint)).collect();
        self.remove_foreign_keys(&keys)?;
        let catalog = self.catalog();
        for oid in &removal.objects {
            if catalog.table(*oid).is_some() {
                let storage = self.transaction.base_storage(self.view.snapshot.catalog(), *oid);
                self.transaction.clear_table(*oid, storage);
            }
            // A temporary sequence may come back by ROLLBACK; its value goes with the commit.
            if !is_temporary(*oid) {
                self.shared.lock().own_sequences.remove(oid);
            }
            self.change().remove(*oid);
        }
        self.publish();
        Ok(())
    }

    fn refuse_constraint_index(&self, table: Oid, index: Oid, name: &str) -> Result<()> {
        let catalog = self.catalog();
        let Some(table) = catalog.table(table) else { return Ok(()) };
        let holds = table.constraints.iter().find(|c| c.index() == Some(index));
        match holds {
            Some(constraint) => Err(err!(
                DEPENDENT_OBJECTS_STILL_EXIST,
                "cannot drop index {name} because constraint {} on table {} requires it",
                constraint.name,
                table.name
            )
            .hint(format!("You can drop constraint {} on table {} instead.", constraint.name, table.name))),
            None => Ok(()),
        }
    }

    /// A sequence that a default or an identity column uses.
    fn refuse_used_sequence(&mut self, oid: Oid, name: &str, cascade: bool) -> Result<()> {
        let catalog = self.catalog();
        let by_oid = format!("nextval('{oid}'::regclass)");
        for entry in catalog.entries.values() {
            let Entry::Table(table) = &**entry else { continue };
            for column in table.live_columns() {
                if column.identity.as_ref().is_some_and(|i| i.sequence == oid) {
                    return Err(err!(
                        DEPENDENT_OBJECTS_STILL_EXIST,
                        "cannot drop sequence {name} because column {} of table {} requires it",
                        column.name,
                        table.name
                    )
                    .hint(format!("You can drop column {} of table {} instead.", column.name, table.name)));
                }
                if column.default.as_deref() != Some(by_oid.as_str()) {
                    continue;
                }
                let dependent = format!("default value for column {} of table {}", column.name, table.name);
                if !cascade {
                    return Err(err!(
                        DEPENDENT_OBJECTS_STILL_EXIST,
                        "cannot drop sequence {name} because other objects depend on it"
                    )
                    .detail(format!("{dependent} depends on sequence {name}"))
                    .hint("Use DROP ... CASCADE to drop the dependent objects too."));
                }
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("drop cascades to {dependent}"));
                let mut table = table.clone();
                if let Some(c) = table.columns.iter_mut().find(|c| c.number == column.number) {
                    c.default = None;
                }
                self.put(Entry::Table(table));
            }
        }
        Ok(())
    }

    fn drop_schemas(&mut self, drop: &Drop) -> Result<()> {
        let (mut oids, mut names) = (BTreeSet::new(), Vec::new());
        for name in &drop.names {
            let name = self.schema_named(name);
            match self.catalog().schema(self.shared.database, &name) {
                Some(PG_CATALOG | INFORMATION_SCHEMA) => {
                    return Err(err!(
                        DEPENDENT_OBJECTS_STILL_EXIST,
                        "cannot drop schema {name} because it is required by the database system"
                    ));
                }
                Some(oid) => {
                    if let Some(entry) = self.catalog().get(oid).cloned() {
                        self.must_own(&entry)?;
                    }
                    oids.insert(oid);
                    names.push(format!("schema {name}"));
                }
                None if drop.if_exists => {
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("schema \"{name}\" does not exist, skipping"))
                }
                None => return Err(err!(INVALID_SCHEMA_NAME, "schema \"{name}\" does not exist")),
            }
        }
        let mut removal = Removal::default();
        for oid in &oids {
            self.gather(*oid, &oids, &mut removal);
        }
        self.check_dependents(&removal, &names, drop.cascade)?;
        self.remove_all(&removal)
    }

    fn drop_database(&mut self, drop: &Drop) -> Result<()> {
        self.refuse_block("DROP DATABASE")?;
        let name = drop.names.first().map(|n| self.schema_named(n)).unwrap_or_default();
        let catalog = self.catalog();
        let Some(database) = catalog.database(&name) else {
            if drop.if_exists {
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("database \"{name}\" does not exist, skipping"));
                return Ok(());
            }
            return Err(err!(INVALID_CATALOG_NAME, "database \"{name}\" does not exist"));
        };
        let owner = database.owner;
        let (user, _) = self.shared.lock().current_user.clone();
        if owner != user {
            self.require(|_| false, &format!("must be owner of database {name}"))?;
        }
        if database.oid == self.shared.database {
            return Err(err!(OBJECT_IN_USE, "cannot drop the currently open database"));
        }
        if drop.force {
            self.shared.server.terminate_sessions(database.oid);
        } else {
            let others = self.shared.server.sessions_in(database.oid);
            if others > 0 {
                let detail = match others {
                    1 => "There is 1 other session using the database.".to_string(),
                    n => format!("There are {n} other sessions using the database."),
                };
                return Err(err!(OBJECT_IN_USE, "database \"{name}\" is being accessed by other users").detail(detail));
            }
        }
        let mut removal = Removal::default();
        for (schema, _) in catalog.schemas.iter().filter(|((d, _), _)| *d == database.oid).map(|(k, o)| (*o, k)) {
            let inside = catalog.entries.values().filter(|e| e.schema() == Some(schema)).map(|e| e.oid());
            removal.objects.extend(inside);
            removal.objects.push(schema);
        }
        removal.objects.push(database.oid);
        self.remove_all(&removal)
    }

    fn drop_roles(&mut self, drop: &Drop) -> Result<()> {
        self.require(|r| r.create_role, "permission denied to drop role")?;
        for name in &drop.names {
            let name = name.0.last().and_then(|p| p.as_ident()).map(ident).unwrap_or_default();
            let catalog = self.catalog();
            let Some(role) = catalog.role(&name) else {
                if drop.if_exists {
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("role \"{name}\" does not exist, skipping"));
                    continue;
                }
                return Err(err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"));
            };
            let (current, session) = {
                let state = self.shared.lock();
                (state.current_user.0, state.session_user.0)
            };
            if role.oid == current {
                return Err(err!(OBJECT_IN_USE, "current user cannot be dropped"));
            }
            if role.oid == session {
                return Err(err!(OBJECT_IN_USE, "session user cannot be dropped"));
            }
            if role.oid == crate::storage::catalog::BOOTSTRAP_ROLE {
                return Err(err!(
                    DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop role {name} because it is required by the database system"
                ));
            }
            let owned: Vec<String> =
                catalog.entries.values().filter(|e| owner_of(e) == Some(role.oid)).map(|e| self.describe(e)).collect();
            if !owned.is_empty() {
                let detail: Vec<String> = owned.iter().map(|o| format!("owner of {o}")).collect();
                return Err(err!(
                    DEPENDENT_OBJECTS_STILL_EXIST,
                    "role \"{name}\" cannot be dropped because some objects depend on it"
                )
                .detail(detail.join("\n")));
            }
            let oid = role.oid;
            self.refuse_granted_role(oid, &name)?;
            self.forget_memberships(oid);
            self.change().remove(oid);
            self.publish();
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, truncate: &Truncate) -> Result<()> {
        let mut tables: Vec<Oid> = Vec::new();
        for (name, only) in &truncate.tables {
            let table = self.table(name)?;
            let oid = table.oid;
            if *only && table.is_partitioned() {
                return Err(err!(WRONG_OBJECT_TYPE, "cannot truncate only a partitioned table")
                    .hint("Do not specify the ONLY keyword, or use TRUNCATE ONLY on the partitions directly."));
            }
            if let Some(entry) = self.catalog().get(oid).cloned() {
                self.must_hold(&entry, privilege::TRUNCATE)?;
            }
            if table.view.is_some() {
                return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a table", table.name));
            }
            let all = if *only { vec![oid] } else { self.catalog().descendants(oid) };
            for oid in all {
                if !tables.contains(&oid) {
                    tables.push(oid);
                }
            }
        }
        let catalog = self.catalog();
        let mut at = 0;
        while at < tables.len() {
            let parent = self.current(tables[at])?;
            at += 1;
            for (child, _) in catalog.foreign_keys_to(parent.oid) {
                if tables.contains(&child.oid) {
                    continue;
                }
                if !truncate.cascade {
                    return Err(err!(
                        FEATURE_NOT_SUPPORTED,
                        "cannot truncate a table referenced in a foreign key constraint"
                    )
                    .detail(format!("Table \"{}\" references \"{}\".", child.name, parent.name))
                    .hint(format!(
                        "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                        child.name
                    )));
                }
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("truncate cascades to table \"{}\"", child.name));
                tables.push(child.oid);
            }
        }
        for oid in tables {
            let table = self.current(oid)?;
            self.truncate_table(table.oid)?;
            if truncate.restart_identity {
                let catalog = self.catalog();
                for oid in owned_sequences(&catalog, table.oid, None) {
                    if let Some(Entry::Sequence(sequence)) = catalog.get(oid).map(|e| &**e) {
                        self.restart_sequence(sequence, sequence.start);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives a table a new, empty storage.
    pub(crate) fn truncate_table(&mut self, oid: Oid) -> Result<()> {
        self.temporary = is_temporary(oid);
        let storage = self.allocate();
        let catalog = self.catalog();
        let Some(table) = catalog.table(oid) else { return Err(Error::internal("a table was expected")) };
        let mut table = table.clone();
        let base = self.transaction.base_storage(self.view.snapshot.catalog(), oid);
        self.transaction.clear_table(oid, base);
        table.storage = storage;
        self.put(Entry::Table(table));
        Ok(())
    }
}

pub(super) fn owner_of(entry: &Entry) -> Option<Oid> {
    match entry {
        Entry::Database(x) => Some(x.owner),
        Entry::Schema(x) => Some(x.owner),
        Entry::Table(x) => Some(x.owner),
        Entry::View(x) => Some(x.owner),
        Entry::Sequence(x) => Some(x.owner),
        Entry::Type(x) => Some(x.owner),
        Entry::Routine(x) => Some(x.owner),
        _ => None,
    }
}

fn check_kind(kind: ObjectKind, entry: &Entry) -> Result<()> {
    let hint = match entry {
        Entry::Table(t) if t.view.is_some() => "Use DROP MATERIALIZED VIEW to remove a materialized view.",
        Entry::Table(_) => "Use DROP TABLE to remove a table.",
        Entry::View(_) => "Use DROP VIEW to remove a view.",
        Entry::Index(_) => "Use DROP INDEX to remove an index.",
        _ => "Use DROP SEQUENCE to remove a sequence.",
    };
    let (fits, what) = match kind {
        ObjectKind::Table => (matches!(entry, Entry::Table(t) if t.view.is_none()), "a table"),
        ObjectKind::MaterializedView => (matches!(entry, Entry::Table(t) if t.view.is_some()), "a materialized view"),
        ObjectKind::View => (matches!(entry, Entry::View(_)), "a view"),
        ObjectKind::Index => (matches!(entry, Entry::Index(_)), "an index"),
        _ => (matches!(entry, Entry::Sequence(_)), "a sequence"),
    };
    match fits {
        true => Ok(()),
        false => Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not {what}", entry.name()).hint(hint)),
    }
}
