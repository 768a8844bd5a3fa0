//! What is replicated: a [`Command`] is one transaction's row changes as values, with what it relied on.
//!
//! `apply` is deterministic by construction: nothing in a command is evaluated again, every replica only re-checks
//! the versions, unique keys and catalog version that the command names, and answers with the same [`Outcome`].

use crate::document::Oid;
use crate::error::Error;

/// A place in the log: the number of a command, from 1. Also a row's version: the position that wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// Identifies a command for exactly-once: unique per proposing session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u128);

/// One transaction's effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// For exactly-once.
    pub id: CommandId,
    /// Who: the role's OID.
    pub principal: Oid,
    /// Microseconds since 2000-01-01 UTC at the node that ran the transaction.
    pub time: i64,
    /// The database it ran in.
    pub database: Oid,
    /// If set, the catalog must still have this version (set by every command that changes the catalog).
    pub catalog_version: Option<u64>,
    /// Tables it wrote to, with the `storage` OID it saw: a table that was dropped, truncated or rewritten since
    /// is a lost conflict (40001).
    pub tables: Vec<(Oid, Oid)>,
    /// The changes, in order.
    pub mutations: Vec<Mutation>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Mutation {
    /// Writes a row.
    Put {
        /// The table.
        table: Oid,
        /// The row's key: order-preserving bytes of the key columns, or of the hidden row id.
        key: Box<[u8]>,
        /// The row's bytes (`document::row`).
        row: Box<[u8]>,
        /// What must be there.
        expect: Expect,
    },
    /// Deletes a row.
    Delete {
        /// The table.
        table: Oid,
        /// The row's key.
        key: Box<[u8]>,
        /// The version it was read at.
        expect: Expect,
    },
    /// Puts (or, with `None`, removes) a catalog entry: JSON of `catalog::Entry`. Making an index builds it in `apply`;
    /// removing a table or index, or changing a table's `storage`, drops the old rows and entries.
    Catalog {
        /// The object.
        oid: Oid,
        /// The entry.
        entry: Option<Box<crate::storage::catalog::Entry>>,
    },
    /// Sets (or removes) a comment.
    Comment {
        /// The object and column number (0: the object itself).
        object: (Oid, i32),
        /// The text.
        text: Option<String>,
    },
    /// Sets a sequence's state.
    Sequence {
        /// The sequence.
        oid: Oid,
        /// The last value handed out (or the start).
        last_value: i64,
        /// Whether `last_value` was handed out.
        is_called: bool,
    },
    /// Sends a notification to the listeners of a channel when the command commits.
    Notify {
        /// The channel.
        channel: String,
        /// The payload.
        payload: String,
        /// The sender's backend process id.
        pid: i32,
    },
}

/// What must be at a key for a mutation to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No row: an INSERT. A row there is a unique violation (23505) of the primary key.
    Absent,
    /// Exactly the version that was read; anything else is a lost conflict (40001).
    Version(Position),
    /// Whatever is there (bulk maintenance).
    Any,
}

/// What `apply` answers. The same on every replica.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Committed at a position.
    Committed(Position),
    /// Nothing was changed; why (40001 for a lost conflict, 23505 for a duplicate key, ...).
    Rejected(Error),
}
