//! [`Statement`]: what the parser makes of one SQL statement.
//!
//! Queries and expressions are sqlparser's AST ([`ast`]); the heads of DML, DDL and utility statements are ours, and
//! carry every clause that was written: what cannot be carried is refused by the parser with 0A000. Names are
//! sqlparser's `Ident`s with their place in the text; [`crate::sql::parser::ident`] folds one to the name it means and
//! [`crate::sql::parser::position`] turns a span into an error position.

mod dml;
mod object;
mod routine;
mod table;
mod types;
mod utility;

use sqlparser::ast::{Expr, Ident, ObjectName, Query};

pub use dml::*;
pub use object::*;
pub use routine::*;
pub use sqlparser::ast;
pub use table::*;
pub use types::*;
pub use utility::*;

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// SELECT, VALUES, TABLE, with any WITH of queries.
    Query(Box<Query>),
    /// INSERT.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// MERGE.
    Merge(Box<Merge>),
    /// A statement whose WITH has data-modifying members.
    With(Box<ModifyingWith>),
    /// CREATE TABLE AS and SELECT INTO.
    CreateTableAs(Box<CreateTableAs>),
    /// TRUNCATE.
    Truncate(Truncate),
    /// COPY.
    Copy(Box<Copy>),
    /// EXPLAIN.
    Explain(Box<Explain>),
    /// CREATE TABLE.
    CreateTable(Box<CreateTable>),
    /// ALTER TABLE, and ALTER VIEW / INDEX / SEQUENCE / SCHEMA / DATABASE where they say the same things.
    Alter(Box<Alter>),
    /// DROP of anything.
    Drop(Drop),
    /// CREATE TYPE.
    CreateType(Box<CreateType>),
    /// CREATE DOMAIN.
    CreateDomain(Box<CreateDomain>),
    /// ALTER TYPE and ALTER DOMAIN.
    AlterType(Box<AlterType>),
    /// CREATE INDEX.
    CreateIndex(Box<CreateIndex>),
    /// CREATE VIEW.
    CreateView(Box<CreateView>),
    /// CREATE SCHEMA.
    CreateSchema(CreateSchema),
    /// CREATE SEQUENCE.
    CreateSequence(CreateSequence),
    /// ALTER SEQUENCE with options.
    AlterSequence(AlterSequence),
    /// CREATE DATABASE.
    CreateDatabase(CreateDatabase),
    /// CREATE ROLE / USER / GROUP.
    CreateRole(CreateRole),
    /// ALTER ROLE / USER with options.
    AlterRole(AlterRole),
    /// ALTER ROLE | DATABASE ... SET / RESET.
    AlterSetting(AlterSetting),
    /// GRANT or REVOKE of privileges on objects.
    Grant(Grant),
    /// GRANT or REVOKE of roles.
    GrantRole(GrantRole),
    /// CREATE FUNCTION and PROCEDURE.
    CreateRoutine(Box<CreateRoutine>),
    /// ALTER FUNCTION, PROCEDURE and ROUTINE.
    AlterRoutine {
        /// Which of them.
        kind: ObjectKind,
        /// The routine.
        routine: RoutineName,
        /// What is done.
        action: RoutineAction,
    },
    /// DROP FUNCTION, PROCEDURE and ROUTINE.
    DropRoutine {
        /// Which of them.
        kind: ObjectKind,
        /// IF EXISTS.
        if_exists: bool,
        /// The routines.
        routines: Vec<RoutineName>,
        /// CASCADE.
        cascade: bool,
    },
    /// ALTER DEFAULT PRIVILEGES.
    DefaultPrivileges(DefaultPrivileges),
    /// REASSIGN OWNED.
    ReassignOwned {
        /// By whom.
        roles: Vec<RoleName>,
        /// To whom.
        to: RoleName,
    },
    /// DROP OWNED.
    DropOwned {
        /// By whom.
        roles: Vec<RoleName>,
        /// CASCADE.
        cascade: bool,
    },
    /// COMMENT ON.
    Comment(Comment),
    /// PREPARE.
    Prepare(Box<Prepare>),
    /// EXECUTE.
    Execute(Execute),
    /// DEALLOCATE; `None` is ALL.
    Deallocate(Option<Ident>),
    /// SET.
    Set(Set),
    /// SHOW; `None` is ALL.
    Show(Option<String>),
    /// RESET; `None` is ALL.
    Reset(Option<String>),
    /// SET TRANSACTION (`session`: SET SESSION CHARACTERISTICS AS TRANSACTION).
    SetTransaction {
        /// SESSION CHARACTERISTICS.
        session: bool,
        /// The modes.
        modes: TransactionModes,
    },
    /// SET CONSTRAINTS; no names is ALL.
    SetConstraints {
        /// The constraints.
        names: Vec<ObjectName>,
        /// DEFERRED (else IMMEDIATE).
        deferred: bool,
    },
    /// BEGIN / START TRANSACTION. `start`: the latter (its command tag differs).
    Begin {
        /// START TRANSACTION.
        start: bool,
        /// The modes.
        modes: TransactionModes,
    },
    /// COMMIT / END.
    Commit {
        /// AND CHAIN.
        chain: bool,
    },
    /// ROLLBACK / ABORT.
    Rollback {
        /// AND CHAIN.
        chain: bool,
    },
    /// SAVEPOINT.
    Savepoint(Ident),
    /// RELEASE.
    Release(Ident),
    /// ROLLBACK TO.
    RollbackTo(Ident),
    /// LISTEN.
    Listen(Ident),
    /// NOTIFY with its payload.
    Notify(Ident, Option<String>),
    /// UNLISTEN; `None` is `*`.
    Unlisten(Option<Ident>),
    /// DECLARE CURSOR.
    Declare(Box<Declare>),
    /// FETCH and MOVE.
    Fetch(Fetch),
    /// CLOSE; `None` is ALL.
    Close(Option<Ident>),
    /// LOCK TABLE.
    Lock(Lock),
    /// VACUUM and ANALYZE.
    Vacuum(Vacuum),
    /// REFRESH MATERIALIZED VIEW.
    Refresh(Refresh),
    /// CHECKPOINT.
    Checkpoint,
    /// REINDEX.
    Reindex(Reindex),
    /// CLUSTER; without a table: all.
    Cluster {
        /// The table.
        table: Option<ObjectName>,
        /// USING index.
        index: Option<Ident>,
        /// VERBOSE.
        verbose: bool,
    },
    /// DISCARD.
    Discard(Discard),
    /// DO.
    Do {
        /// The language, if given.
        language: Option<Ident>,
        /// The code.
        body: String,
    },
    /// CALL: the function call.
    Call(Box<Expr>),
    /// A statement that nothing is there for to be done to.
    Absent(Absent),
    /// A statement that exists in PostgreSQL and not here (answered with 0A000).
    Unsupported {
        /// Its name, e.g. `CREATE TRIGGER`.
        what: String,
    },
}

/// An expression together with the text it was written as, for what the catalog keeps as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// The expression.
    pub expr: Expr,
    /// Its text, exactly as written.
    pub text: String,
}

/// `DEFAULT` or an expression, as VALUES of INSERT and SET have it.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, clippy::large_enum_variant)] // Nearly all are values.
pub enum ValueOrDefault {
    Default,
    Value(Expr),
}
