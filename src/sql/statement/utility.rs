//! Utility statements: COPY, EXPLAIN, settings, transactions, cursors, maintenance; row locks.

use sqlparser::ast::{DataType, Expr, Ident, ObjectName};

use crate::err;
use crate::error::Error;

use super::{ObjectKind, Statement, StorageOption};

/// TRUNCATE.
#[derive(Clone, Debug, PartialEq)]
pub struct Truncate {
    /// The tables, each with ONLY.
    pub tables: Vec<(ObjectName, bool)>,
    /// RESTART IDENTITY.
    pub restart_identity: bool,
    /// CASCADE.
    pub cascade: bool,
}

/// COPY.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// What is copied.
    pub source: CopySource,
    /// FROM (into the table); else TO.
    pub from: bool,
    /// The other end.
    pub target: CopyTarget,
    /// The options.
    pub options: CopyOptions,
    /// WHERE of COPY FROM.
    pub predicate: Option<Expr>,
}

/// What COPY copies.
#[derive(Clone, Debug, PartialEq)]
pub enum CopySource {
    /// A table and columns (empty: all).
    Table {
        /// The table.
        table: ObjectName,
        /// The columns.
        columns: Vec<Ident>,
    },
    /// The result of a query or of a DML statement with RETURNING.
    Query(Statement),
}

/// Where COPY reads or writes.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum CopyTarget {
    /// STDIN or STDOUT.
    Client,
    File(String),
    Program(String),
}

/// The format of COPY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CopyFormat {
    #[default]
    Text,
    Csv,
    Binary,
}

/// HEADER of COPY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CopyHeader {
    #[default]
    Off,
    On,
    Match,
}

/// Columns of FORCE_QUOTE, FORCE_NULL and FORCE_NOT_NULL.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum ColumnsOrAll {
    All,
    Columns(Vec<Ident>),
}

/// COPY's options as given; defaults depend on the format.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopyOptions {
    /// FORMAT.
    pub format: CopyFormat,
    /// FREEZE.
    pub freeze: bool,
    /// DELIMITER.
    pub delimiter: Option<String>,
    /// NULL.
    pub null: Option<String>,
    /// DEFAULT.
    pub default: Option<String>,
    /// HEADER.
    pub header: CopyHeader,
    /// QUOTE.
    pub quote: Option<String>,
    /// ESCAPE.
    pub escape: Option<String>,
    /// FORCE_QUOTE.
    pub force_quote: Option<ColumnsOrAll>,
    /// FORCE_NOT_NULL.
    pub force_not_null: Option<ColumnsOrAll>,
    /// FORCE_NULL.
    pub force_null: Option<ColumnsOrAll>,
    /// ENCODING.
    pub encoding: Option<String>,
    /// ON_ERROR ignore.
    pub on_error_ignore: bool,
    /// REJECT_LIMIT.
    pub reject_limit: Option<i64>,
    /// LOG_VERBOSITY: -1 silent, 0 default, 1 verbose.
    pub log_verbosity: i8,
}

/// Statements about what no server has by default, with the answer that PostgreSQL gives where it is switched off.
#[derive(Clone, Debug, PartialEq)]
pub enum Absent {
    /// PREPARE TRANSACTION.
    PrepareTransaction,
    /// COMMIT PREPARED and ROLLBACK PREPARED: which.
    FinishPrepared(String),
    /// LOAD: the file.
    Load(String),
    /// SECURITY LABEL.
    SecurityLabel,
}

impl Absent {
    /// The answer.
    pub fn error(&self) -> Error {
        match self {
            Absent::PrepareTransaction => err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "prepared transactions are disabled")
                .hint("Set \"max_prepared_transactions\" to a nonzero value."),
            Absent::FinishPrepared(name) => {
                err!(UNDEFINED_OBJECT, "prepared transaction with identifier \"{name}\" does not exist")
            }
            Absent::Load(file) => {
                err!(UNDEFINED_FILE, "could not access file \"{file}\": No such file or directory")
            }
            Absent::SecurityLabel => {
                err!(INVALID_PARAMETER_VALUE, "no security label providers have been loaded")
            }
        }
    }
}

/// EXPLAIN.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    /// ANALYZE.
    pub analyze: bool,
    /// VERBOSE.
    pub verbose: bool,
    /// COSTS (default on).
    pub costs: bool,
    /// SETTINGS.
    pub settings: bool,
    /// GENERIC_PLAN.
    pub generic_plan: bool,
    /// BUFFERS, if given.
    pub buffers: Option<bool>,
    /// SERIALIZE, if given: none, text or binary.
    pub serialize: Option<String>,
    /// WAL.
    pub wal: bool,
    /// TIMING, if given.
    pub timing: Option<bool>,
    /// SUMMARY, if given.
    pub summary: Option<bool>,
    /// MEMORY.
    pub memory: bool,
    /// FORMAT.
    pub format: ExplainFormat,
    /// The statement.
    pub statement: Statement,
}

/// FORMAT of EXPLAIN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ExplainFormat {
    #[default]
    Text,
    Xml,
    Json,
    Yaml,
}

/// PREPARE.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepare {
    /// The name.
    pub name: Ident,
    /// Parameter types.
    pub types: Vec<DataType>,
    /// The statement.
    pub statement: Statement,
}

/// EXECUTE.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute {
    /// The name.
    pub name: Ident,
    /// The arguments.
    pub args: Vec<Expr>,
}

/// SET.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// LOCAL (else SESSION).
    pub local: bool,
    /// The setting's name, folded (`timezone`, `role`, `session_authorization`, `client_encoding` for the SQL forms).
    pub name: String,
    /// The value.
    pub value: SetValue,
}

/// The value of SET.
#[derive(Clone, Debug, PartialEq)]
pub enum SetValue {
    /// TO DEFAULT (and SET ROLE NONE, SET TIME ZONE LOCAL ...).
    Default,
    /// The values as text: a list is joined by ", " with quoting as the setting needs it.
    Values(Vec<String>),
    /// FROM CURRENT (of ALTER ... SET).
    FromCurrent,
}

/// Modes of a transaction, as far as given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransactionModes {
    /// ISOLATION LEVEL.
    pub isolation: Option<Isolation>,
    /// READ ONLY (true) / READ WRITE.
    pub read_only: Option<bool>,
    /// DEFERRABLE / NOT DEFERRABLE.
    pub deferrable: Option<bool>,
    /// SNAPSHOT (of SET TRANSACTION).
    pub snapshot: Option<String>,
}

/// Isolation levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// DECLARE CURSOR.
#[derive(Clone, Debug, PartialEq)]
pub struct Declare {
    /// The name.
    pub name: Ident,
    /// BINARY.
    pub binary: bool,
    /// INSENSITIVE (true) / ASENSITIVE (false), if given.
    pub insensitive: Option<bool>,
    /// SCROLL / NO SCROLL, if given.
    pub scroll: Option<bool>,
    /// WITH HOLD.
    pub hold: bool,
    /// The query.
    pub query: Statement,
    /// Its text.
    pub text: String,
}

/// FETCH and MOVE.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// MOVE.
    pub is_move: bool,
    /// Which rows.
    pub direction: FetchDirection,
    /// The cursor.
    pub cursor: Ident,
}

/// Which rows FETCH takes. `i64::MAX` is ALL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FetchDirection {
    Forward(i64),
    Backward(i64),
    Absolute(i64),
    Relative(i64),
}

/// LOCK TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    /// The tables, each with ONLY.
    pub tables: Vec<(ObjectName, bool)>,
    /// The mode, lower case (`access exclusive` when not given).
    pub mode: String,
    /// NOWAIT.
    pub nowait: bool,
}

/// VACUUM and ANALYZE.
#[derive(Clone, Debug, PartialEq)]
pub struct Vacuum {
    /// VACUUM; else ANALYZE alone.
    pub vacuum: bool,
    /// ANALYZE (also as option of VACUUM).
    pub analyze: bool,
    /// FULL.
    pub full: bool,
    /// VERBOSE.
    pub verbose: bool,
    /// All other options as given.
    pub options: Vec<StorageOption>,
    /// The tables with their columns; none: all.
    pub tables: Vec<(ObjectName, Vec<Ident>)>,
}

/// REINDEX.
#[derive(Clone, Debug, PartialEq)]
pub struct Reindex {
    /// INDEX, TABLE, SCHEMA, DATABASE or SYSTEM (`Other`).
    pub kind: ObjectKind,
    /// CONCURRENTLY.
    pub concurrently: bool,
    /// The options as given.
    pub options: Vec<StorageOption>,
    /// The object.
    pub name: Option<ObjectName>,
}

/// DISCARD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temp,
}

/// A row-locking clause of a query, decoded from sqlparser's (see [`crate::sql::parser::row_locks`]).
#[derive(Clone, Debug, PartialEq)]
pub struct RowLock {
    /// The strength.
    pub strength: LockStrength,
    /// OF these; empty: all.
    pub of: Vec<Ident>,
    /// NOWAIT / SKIP LOCKED.
    pub wait: LockWait,
}

/// How strong a row lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LockStrength {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

/// What a row lock does when it would have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LockWait {
    Block,
    Nowait,
    SkipLocked,
}

/// A sort key as the parser gives it.
pub type OrderKey = sqlparser::ast::OrderByExpr;
