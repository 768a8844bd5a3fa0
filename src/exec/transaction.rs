//! [`Transaction`]: one snapshot (or one a statement), a write buffer, a changed catalog, savepoints. A commit makes
//! one [`Command`] of it.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::document::Oid;
use crate::err;
use crate::error::Result;
use crate::sql::statement::Isolation;
use crate::storage::Snapshot;
use crate::storage::catalog::{AclItem, Catalog, Entry, ObjectClass, Privileges, is_temporary};
use crate::storage::command::{Command, CommandId, Mutation};

use super::buffer::{Buffer, BufferMark};
use super::settings::Mark;

/// A buffer that the running statement's operators write to as well.
pub(crate) type SharedBuffer = Arc<Mutex<Buffer>>;

/// How a transaction was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// For one statement, which may be run again on a lost conflict.
    Auto,
    /// For a query of several statements or a pipeline.
    Implicit,
    /// BEGIN.
    Explicit,
}

/// The catalog as the transaction has changed it.
#[derive(Clone)]
pub(crate) struct Ddl {
    /// The version it is based on, which the commit checks.
    pub base_version: u64,
    /// The changed catalog.
    pub catalog: Arc<Catalog>,
    /// The changes, in order.
    pub mutations: Vec<Mutation>,
}

/// A change of what the session listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Add(String),
    Remove(String),
    RemoveAll,
}

/// A savepoint.
struct Savepoint {
    name: String,
    buffer: BufferMark,
    settings: Mark,
    ddl: Option<Ddl>,
    notifications: usize,
    listens: usize,
}

/// A running transaction.
pub(crate) struct Transaction {
    pub block: Block,
    pub failed: bool,
    pub isolation: Isolation,
    pub read_only: bool,
    /// now().
    pub time: i64,
    snapshot: Option<Snapshot>,
    buffer: SharedBuffer,
    pub ddl: Option<Ddl>,
    /// NOTIFYs to send at commit, without repetitions.
    pub notifications: Vec<(String, String)>,
    pub listens: Vec<Listen>,
    savepoints: Vec<Savepoint>,
}

impl Transaction {
    pub(crate) fn new(block: Block, isolation: Isolation, read_only: bool, time: i64, buffer: Buffer) -> Self {
        Self {
            block,
            failed: false,
            isolation,
            read_only,
            time,
            snapshot: None,
            buffer: Arc::new(Mutex::new(buffer)),
            ddl: None,
            notifications: Vec::new(),
            listens: Vec::new(),
            savepoints: Vec::new(),
        }
    }

    /// The write buffer.
    pub(crate) fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The write buffer, for operators.
    pub(crate) fn shared_buffer(&self) -> SharedBuffer {
        self.buffer.clone()
    }

    /// What was written to a table is gone, and so are its rows below.
    pub(crate) fn clear_table(&self, table: Oid, storage: Oid) {
        self.buffer().clear_table(table, storage);
    }

    /// The snapshot for a statement that begins now: READ COMMITTED takes a new one each time.
    pub(crate) fn snapshot(&mut self, take: impl FnOnce() -> Snapshot) -> Snapshot {
        let keep = matches!(self.isolation, Isolation::RepeatableRead | Isolation::Serializable);
        match &self.snapshot {
            Some(snapshot) if keep => snapshot.clone(),
            _ => self.snapshot.insert(take()).clone(),
        }
    }

    /// The snapshot that all statements share, if it has been taken.
    pub(crate) fn kept_snapshot(&self) -> Option<&Snapshot> {
        let keep = matches!(self.isolation, Isolation::RepeatableRead | Isolation::Serializable);
        self.snapshot.as_ref().filter(|_| keep)
    }

    /// Whether a statement has run in it (isolation can no longer change).
    pub(crate) fn has_begun(&self) -> bool {
        self.snapshot.is_some()
    }

    /// The catalog to plan against: its own, else the given one.
    pub(crate) fn catalog(&self, base: impl FnOnce() -> Arc<Catalog>) -> Arc<Catalog> {
        match &self.ddl {
            Some(ddl) => ddl.catalog.clone(),
            None => base(),
        }
    }

    /// Changes the catalog: begins the changes on the given one if there are none yet.
    pub(crate) fn change_catalog(&mut self, base: &Arc<Catalog>) -> CatalogChange<'_> {
        self.buffer().forget_indexes();
        let ddl = self.ddl.get_or_insert_with(|| Ddl {
            base_version: base.version,
            catalog: base.clone(),
            mutations: Vec::new(),
        });
        CatalogChange { ddl }
    }

    /// The storage OID that a table had before this transaction; 0 for a table that it made.
    pub(crate) fn base_storage(&self, base: &Catalog, table: Oid) -> u32 {
        base.table(table).map_or(0, |t| t.storage)
    }

    pub(crate) fn savepoint(&mut self, name: &str, settings: Mark) {
        let buffer = self.buffer().mark();
        self.savepoints.push(Savepoint {
            name: name.to_string(),
            buffer,
            settings,
            ddl: self.ddl.clone(),
            notifications: self.notifications.len(),
            listens: self.listens.len(),
        });
    }

    /// RELEASE: the savepoint and all later ones are forgotten.
    pub(crate) fn release(&mut self, name: &str) -> Result<()> {
        let at = self.find(name)?;
        let gone = self.savepoints.drain(at..).count();
        (0..gone).for_each(|_| self.buffer().release());
        Ok(())
    }

    /// ROLLBACK TO: undoes what came after it; it stays. Answers where the settings go back to.
    pub(crate) fn rollback_to(&mut self, name: &str) -> Result<Mark> {
        let at = self.find(name)?;
        let gone = self.savepoints.drain(at + 1..).count();
        (0..gone).for_each(|_| self.buffer().release());
        let savepoint = &self.savepoints[at];
        self.buffer().rollback_to(savepoint.buffer);
        self.buffer().forget_indexes();
        self.ddl = savepoint.ddl.clone();
        self.notifications.truncate(savepoint.notifications);
        self.listens.truncate(savepoint.listens);
        self.failed = false;
        Ok(savepoint.settings)
    }

    fn find(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|s| s.name == name)
            .ok_or_else(|| err!(INVALID_SAVEPOINT_SPECIFICATION, "savepoint \"{name}\" does not exist"))
    }

    /// Whether a commit has anything to say.
    pub(crate) fn is_read_only_so_far(&self) -> bool {
        !self.buffer().has_changes()
            && self.ddl.as_ref().is_none_or(|ddl| ddl.mutations.is_empty())
            && self.notifications.is_empty()
    }

    /// The command of the commit.
    pub(crate) fn into_command(self, id: CommandId, principal: Oid, database: Oid, time: i64, pid: i32) -> Command {
        let buffer = std::mem::take(&mut *self.buffer());
        let (tables, rows) = buffer.into_mutations();
        let (catalog_version, mut mutations) = match self.ddl {
            Some(ddl) if !ddl.mutations.is_empty() => (Some(ddl.base_version), ddl.mutations),
            _ => (None, Vec::new()),
        };
        // Rows come after the catalog's changes: they are written into the tables as these leave them.
        if mutations.is_empty() {
            mutations = rows;
        } else {
            mutations.extend(rows);
        }
        mutations.extend(self.notifications.into_iter().map(|(channel, payload)| Mutation::Notify {
            channel,
            payload,
            pid,
        }));
        Command { id, principal, time, database, catalog_version, tables, mutations }
    }
}

/// A catalog being changed.
pub(crate) struct CatalogChange<'a> {
    ddl: &'a mut Ddl,
}

impl CatalogChange<'_> {
    /// Hands out an OID.
    pub(crate) fn allocate_oid(&mut self) -> Oid {
        Arc::make_mut(&mut self.ddl.catalog).allocate_oid()
    }

    /// Hands out the OID of a new type.
    pub(crate) fn allocate_type(&mut self, kind: crate::document::user_type::UserKind) -> crate::error::Result<Oid> {
        Arc::make_mut(&mut self.ddl.catalog).allocate_type(kind)
    }

    /// Puts or replaces an entry.
    pub(crate) fn put(&mut self, entry: Entry) {
        if !is_temporary(entry.oid()) {
            self.ddl.mutations.push(Mutation::Catalog { oid: entry.oid(), entry: Some(Box::new(entry.clone())) });
        }
        Arc::make_mut(&mut self.ddl.catalog).put(entry);
    }

    /// Removes an entry and its comments.
    pub(crate) fn remove(&mut self, oid: Oid) {
        let comments: Vec<(Oid, i32)> =
            self.ddl.catalog.comments.range((oid, i32::MIN)..=(oid, i32::MAX)).map(|(k, _)| *k).collect();
        for object in comments {
            self.comment(object, None);
        }
        let acls: Vec<Oid> = self
            .ddl
            .catalog
            .privileges
            .iter()
            .filter(|((_, object, _), acl)| *object == oid && **acl != oid)
            .map(|(_, acl)| *acl)
            .collect();
        acls.into_iter().for_each(|acl| self.remove(acl));
        if !is_temporary(oid) {
            self.ddl.mutations.push(Mutation::Catalog { oid, entry: None });
        }
        Arc::make_mut(&mut self.ddl.catalog).remove(oid);
    }

    /// Sets (or removes) the privileges on an object or column.
    /// `oid`: for the entry, if there is none yet.
    pub(crate) fn acl(&mut self, oid: Oid, class: ObjectClass, object: Oid, column: i32, items: Option<Vec<AclItem>>) {
        let known = self.ddl.catalog.privileges.get(&(class, object, column)).copied();
        match items {
            None => known.into_iter().for_each(|oid| self.remove(oid)),
            Some(items) => {
                let oid = known.unwrap_or(oid);
                self.put(Entry::Privileges(Privileges { oid, class, object, column, items }));
            }
        }
    }

    /// Sets or removes a comment.
    pub(crate) fn comment(&mut self, object: (Oid, i32), text: Option<String>) {
        let catalog = Arc::make_mut(&mut self.ddl.catalog);
        match &text {
            Some(text) => catalog.comments.insert(object, text.clone()),
            None => catalog.comments.remove(&object),
        };
        if !is_temporary(object.0) {
            self.ddl.mutations.push(Mutation::Comment { object, text });
        }
    }

    /// Sets a sequence's state at commit (for one that this transaction made).
    pub(crate) fn sequence(&mut self, oid: Oid, last_value: i64, is_called: bool) {
        self.ddl.mutations.push(Mutation::Sequence { oid, last_value, is_called });
    }
}
