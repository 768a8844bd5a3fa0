//! INSERT, UPDATE, DELETE, MERGE and CREATE TABLE AS.

use sqlparser::ast::{Expr, Ident, ObjectName, Query, SelectItem, TableWithJoins, With};
use sqlparser::tokenizer::Span;

use super::{IndexKey, Statement, StorageOption, ValueOrDefault};

/// INSERT.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// WITH.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// AS alias.
    pub alias: Option<Ident>,
    /// The column list, possibly with subscripts or fields.
    pub columns: Vec<Target>,
    /// OVERRIDING SYSTEM | USER VALUE.
    pub overriding: Option<Overriding>,
    /// The rows.
    pub source: InsertSource,
    /// ON CONFLICT.
    pub on_conflict: Option<OnConflict>,
    /// RETURNING.
    pub returning: Option<Returning>,
}

/// What INSERT inserts.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// DEFAULT VALUES.
    DefaultValues,
    /// A plain VALUES list, whose members may be DEFAULT.
    Values(Vec<Vec<ValueOrDefault>>),
    /// Any other query.
    Query(Box<Query>),
}

/// OVERRIDING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Overriding {
    SystemValue,
    UserValue,
}

/// ON CONFLICT.
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflict {
    /// Which conflict; `None`: any (DO NOTHING only).
    pub target: Option<ConflictTarget>,
    /// DO NOTHING is `None`.
    pub update: Option<ConflictUpdate>,
    /// Where it stands.
    pub span: Span,
}

/// The conflict target.
#[derive(Clone, Debug, PartialEq)]
pub enum ConflictTarget {
    /// Columns or expressions that infer a unique index.
    Keys {
        /// The keys: collation and operator class as in CREATE INDEX.
        keys: Vec<IndexKey>,
        /// WHERE, the predicate of a partial index.
        predicate: Option<Box<Expr>>,
    },
    /// ON CONSTRAINT.
    Constraint(Ident),
}

/// DO UPDATE SET.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictUpdate {
    /// SET.
    pub assignments: Vec<Assignment>,
    /// WHERE.
    pub predicate: Option<Expr>,
}

/// A column to assign to, or a part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The column.
    pub column: Ident,
    /// Subscripts and fields below it, outermost first.
    pub path: Vec<TargetStep>,
}

/// One step from a column to the part that is assigned.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum TargetStep {
    /// `.field`
    Field(Ident),
    /// `[expr]`
    Index(Expr),
    /// `[lower:upper]`
    Slice(Option<Expr>, Option<Expr>),
}

/// One member of a SET list.
#[derive(Clone, Debug, PartialEq)]
pub enum Assignment {
    /// `target = value`
    One(Target, ValueOrDefault),
    /// `(targets) = (values)` or `= ROW(values)`; as many values as targets.
    Row(Vec<Target>, Vec<ValueOrDefault>),
    /// `(targets) = (SELECT ...)`
    Query(Vec<Target>, Box<Query>),
    /// `(targets) = expression` of a row type.
    Expr(Vec<Target>, Expr),
}

/// RETURNING.
#[derive(Clone, Debug, PartialEq)]
pub struct Returning {
    /// WITH (OLD AS name).
    pub old: Option<Ident>,
    /// WITH (NEW AS name).
    pub new: Option<Ident>,
    /// The list.
    pub items: Vec<SelectItem>,
}

/// WHERE of UPDATE and DELETE.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Selection {
    /// No WHERE.
    All,
    /// WHERE condition.
    Where(Expr),
    /// WHERE CURRENT OF cursor.
    CurrentOf(Ident),
}

/// UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// WITH.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// ONLY.
    pub only: bool,
    /// AS alias.
    pub alias: Option<Ident>,
    /// SET.
    pub assignments: Vec<Assignment>,
    /// FROM.
    pub from: Vec<TableWithJoins>,
    /// WHERE.
    pub selection: Selection,
    /// RETURNING.
    pub returning: Option<Returning>,
}

/// DELETE.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// WITH.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// ONLY.
    pub only: bool,
    /// AS alias.
    pub alias: Option<Ident>,
    /// USING.
    pub using: Vec<TableWithJoins>,
    /// WHERE.
    pub selection: Selection,
    /// RETURNING.
    pub returning: Option<Returning>,
}

/// MERGE.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// WITH.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// ONLY.
    pub only: bool,
    /// AS alias.
    pub alias: Option<Ident>,
    /// USING.
    pub source: TableWithJoins,
    /// ON.
    pub on: Expr,
    /// WHEN clauses in order.
    pub clauses: Vec<MergeClause>,
    /// RETURNING.
    pub returning: Option<Returning>,
}

/// WHEN ... THEN ... of MERGE.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeClause {
    /// For which rows.
    pub kind: MergeKind,
    /// AND condition.
    pub condition: Option<Expr>,
    /// THEN.
    pub action: MergeAction,
}

/// For which rows a WHEN clause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MergeKind {
    Matched,
    NotMatchedBySource,
    NotMatchedByTarget,
}

/// What a WHEN clause does.
#[derive(Clone, Debug, PartialEq)]
pub enum MergeAction {
    /// DO NOTHING.
    Nothing,
    /// DELETE.
    Delete,
    /// UPDATE SET.
    Update(Vec<Assignment>),
    /// INSERT; `None` is DEFAULT VALUES.
    Insert {
        /// The column list.
        columns: Vec<Target>,
        /// OVERRIDING.
        overriding: Option<Overriding>,
        /// VALUES.
        values: Option<Vec<ValueOrDefault>>,
    },
}

/// A statement with data-modifying members in its WITH. In the body's own WITH each of them stands as a CTE of the
/// same name whose query is the bare `TABLE` (`ast::Table` without a name).
#[derive(Clone, Debug, PartialEq)]
pub struct ModifyingWith {
    /// The data-modifying members: position in the WITH list, and the statement.
    pub members: Vec<(usize, Statement)>,
    /// The statement: Query, Insert, Update, Delete or Merge.
    pub body: Statement,
}

/// TEMP, UNLOGGED or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Persistence {
    #[default]
    Permanent,
    Temporary,
    Unlogged,
}

/// ON COMMIT of temporary tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OnCommit {
    PreserveRows,
    DeleteRows,
    Drop,
}

/// CREATE TABLE AS and SELECT INTO.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableAs {
    /// The new table.
    pub table: ObjectName,
    /// TEMP, UNLOGGED.
    pub persistence: Persistence,
    /// CREATE MATERIALIZED VIEW.
    pub materialized_view: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Column names.
    pub columns: Vec<Ident>,
    /// USING access method.
    pub access_method: Option<Ident>,
    /// WITH (...).
    pub options: Vec<StorageOption>,
    /// ON COMMIT.
    pub on_commit: Option<OnCommit>,
    /// TABLESPACE.
    pub tablespace: Option<Ident>,
    /// The query, or EXECUTE of a prepared one.
    pub source: Statement,
    /// The query's text as written.
    pub text: String,
    /// WITH NO DATA is false.
    pub with_data: bool,
    /// Written as SELECT INTO.
    pub select_into: bool,
}
