//! [`Statement`]: what the parser makes of one SQL statement.
//!
//! Queries and expressions are sqlparser's AST ([`ast`]); the heads of DML, DDL and utility statements are ours, and
//! carry every clause that was written: what cannot be carried is refused by the parser with 0A000. Names are
//! sqlparser's `Ident`s with their place in the text; [`crate::sql::parser::ident`] folds one to the name it means and
//! [`crate::sql::parser::position`] turns a span into an error position.

use sqlparser::ast::{DataType, Expr, Ident, ObjectName, OrderByExpr, Query, SelectItem, TableWithJoins, With};

pub use sqlparser::ast;

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
#[allow(missing_docs)]
pub enum ValueOrDefault {
    Default,
    Value(Expr),
}

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
    /// WITH NO DATA is false.
    pub with_data: bool,
    /// Written as SELECT INTO.
    pub select_into: bool,
}

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

/// One `name = value` of WITH (...); a name alone has no value.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageOption {
    /// The name, folded; `toast.name` keeps its prefix.
    pub name: String,
    /// The value as text.
    pub value: Option<String>,
}

/// CREATE TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// The name.
    pub table: ObjectName,
    /// TEMP, UNLOGGED.
    pub persistence: Persistence,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The columns.
    pub columns: Vec<ColumnDefinition>,
    /// Table constraints, in order.
    pub constraints: Vec<TableConstraint>,
    /// LIKE clauses.
    pub likes: Vec<LikeClause>,
    /// INHERITS.
    pub inherits: Vec<ObjectName>,
    /// USING access method.
    pub access_method: Option<Ident>,
    /// WITH (...).
    pub options: Vec<StorageOption>,
    /// ON COMMIT.
    pub on_commit: Option<OnCommit>,
    /// TABLESPACE.
    pub tablespace: Option<Ident>,
}

/// LIKE in CREATE TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct LikeClause {
    /// The table copied from.
    pub table: ObjectName,
    /// INCLUDING (true) / EXCLUDING with the word, in order.
    pub options: Vec<(bool, String)>,
    /// How many columns were defined before it.
    pub position: usize,
}

/// A column of CREATE TABLE or ADD COLUMN.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    /// The name.
    pub name: Ident,
    /// The type. `serial` types arrive as they are written.
    pub data_type: DataType,
    /// COLLATE.
    pub collation: Option<ObjectName>,
    /// STORAGE.
    pub storage: Option<String>,
    /// COMPRESSION.
    pub compression: Option<String>,
    /// The constraints and DEFAULT, in order.
    pub constraints: Vec<ColumnConstraint>,
}

/// A constraint of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnConstraint {
    /// CONSTRAINT name.
    pub name: Option<Ident>,
    /// What it says.
    pub kind: ColumnConstraintKind,
    /// DEFERRABLE and the like.
    pub attributes: ConstraintAttributes,
}

/// What a column constraint says.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnConstraintKind {
    /// NOT NULL; with NO INHERIT.
    NotNull {
        /// NO INHERIT.
        no_inherit: bool,
    },
    /// NULL.
    Null,
    /// DEFAULT.
    Default(Expression),
    /// CHECK.
    Check {
        /// The condition.
        expression: Expression,
        /// NO INHERIT.
        no_inherit: bool,
    },
    /// UNIQUE.
    Unique {
        /// NULLS NOT DISTINCT.
        nulls_not_distinct: bool,
        /// WITH (...).
        options: Vec<StorageOption>,
        /// USING INDEX TABLESPACE.
        tablespace: Option<Ident>,
    },
    /// PRIMARY KEY.
    PrimaryKey {
        /// WITH (...).
        options: Vec<StorageOption>,
        /// USING INDEX TABLESPACE.
        tablespace: Option<Ident>,
    },
    /// GENERATED ... AS IDENTITY.
    Identity {
        /// ALWAYS (else BY DEFAULT).
        always: bool,
        /// Sequence options.
        options: SequenceOptions,
    },
    /// GENERATED ALWAYS AS (...) STORED | VIRTUAL.
    Generated {
        /// The expression.
        expression: Expression,
        /// STORED.
        stored: bool,
    },
    /// REFERENCES.
    References(ForeignKeyReference),
}

/// What a foreign key refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignKeyReference {
    /// The table.
    pub table: ObjectName,
    /// The columns; empty: its primary key.
    pub columns: Vec<Ident>,
    /// MATCH FULL.
    pub match_full: bool,
    /// ON DELETE.
    pub on_delete: ReferentialAction,
    /// ON UPDATE.
    pub on_update: ReferentialAction,
}

/// What a foreign key does.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub enum ReferentialAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull(Vec<Ident>),
    SetDefault(Vec<Ident>),
}

/// DEFERRABLE, INITIALLY, NOT VALID, ENFORCED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConstraintAttributes {
    /// DEFERRABLE / NOT DEFERRABLE, if given.
    pub deferrable: Option<bool>,
    /// INITIALLY DEFERRED / IMMEDIATE, if given.
    pub initially_deferred: Option<bool>,
    /// NOT VALID.
    pub not_valid: bool,
    /// ENFORCED / NOT ENFORCED, if given.
    pub enforced: Option<bool>,
}

/// A constraint of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableConstraint {
    /// CONSTRAINT name.
    pub name: Option<Ident>,
    /// What it says.
    pub kind: TableConstraintKind,
    /// DEFERRABLE and the like.
    pub attributes: ConstraintAttributes,
}

/// What a table constraint says.
#[derive(Clone, Debug, PartialEq)]
pub enum TableConstraintKind {
    /// CHECK.
    Check {
        /// The condition.
        expression: Expression,
        /// NO INHERIT.
        no_inherit: bool,
    },
    /// NOT NULL column.
    NotNull {
        /// The column.
        column: Ident,
        /// NO INHERIT.
        no_inherit: bool,
    },
    /// UNIQUE and PRIMARY KEY.
    Unique {
        /// PRIMARY KEY.
        primary: bool,
        /// NULLS NOT DISTINCT.
        nulls_not_distinct: bool,
        /// The columns.
        columns: Vec<Ident>,
        /// WITHOUT OVERLAPS on the last column.
        without_overlaps: bool,
        /// INCLUDE.
        include: Vec<Ident>,
        /// WITH (...).
        options: Vec<StorageOption>,
        /// USING INDEX TABLESPACE.
        tablespace: Option<Ident>,
    },
    /// UNIQUE | PRIMARY KEY USING INDEX (of ALTER TABLE ADD).
    UsingIndex {
        /// PRIMARY KEY.
        primary: bool,
        /// The index.
        index: Ident,
    },
    /// FOREIGN KEY.
    ForeignKey {
        /// The columns.
        columns: Vec<Ident>,
        /// REFERENCES.
        reference: ForeignKeyReference,
    },
    /// EXCLUDE.
    Exclude {
        /// USING.
        method: Option<Ident>,
        /// Keys and their operators.
        keys: Vec<(IndexKey, ObjectName)>,
        /// INCLUDE.
        include: Vec<Ident>,
        /// WHERE.
        predicate: Option<Expression>,
    },
}

/// Options of sequences and identity columns, as far as given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceOptions {
    /// AS type.
    pub data_type: Option<DataType>,
    /// INCREMENT BY.
    pub increment: Option<i64>,
    /// MINVALUE; `Some(None)` is NO MINVALUE.
    pub min: Option<Option<i64>>,
    /// MAXVALUE; `Some(None)` is NO MAXVALUE.
    pub max: Option<Option<i64>>,
    /// START WITH.
    pub start: Option<i64>,
    /// RESTART; `Some(None)` is without a value.
    pub restart: Option<Option<i64>>,
    /// CACHE.
    pub cache: Option<i64>,
    /// CYCLE / NO CYCLE.
    pub cycle: Option<bool>,
    /// OWNED BY; an empty list is NONE.
    pub owned_by: Option<Vec<Ident>>,
    /// SEQUENCE NAME (of identity columns).
    pub name: Option<ObjectName>,
    /// LOGGED / UNLOGGED.
    pub logged: Option<bool>,
}

/// ALTER TABLE and its relatives.
#[derive(Clone, Debug, PartialEq)]
pub struct Alter {
    /// Which kind of object.
    pub kind: ObjectKind,
    /// IF EXISTS.
    pub if_exists: bool,
    /// ONLY.
    pub only: bool,
    /// The object.
    pub name: ObjectName,
    /// The actions, in order.
    pub actions: Vec<AlterAction>,
}

/// One action of ALTER.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterAction {
    /// ADD COLUMN.
    AddColumn {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// The column.
        column: ColumnDefinition,
    },
    /// DROP COLUMN.
    DropColumn {
        /// IF EXISTS.
        if_exists: bool,
        /// The column.
        column: Ident,
        /// CASCADE.
        cascade: bool,
    },
    /// ALTER COLUMN TYPE.
    SetType {
        /// The column.
        column: Ident,
        /// The type.
        data_type: DataType,
        /// COLLATE.
        collation: Option<ObjectName>,
        /// USING.
        using: Option<Expression>,
    },
    /// ALTER COLUMN SET / DROP DEFAULT.
    SetDefault {
        /// The column.
        column: Ident,
        /// `None` drops it.
        default: Option<Expression>,
    },
    /// ALTER COLUMN SET / DROP NOT NULL.
    SetNotNull {
        /// The column.
        column: Ident,
        /// SET.
        not_null: bool,
    },
    /// ALTER COLUMN DROP EXPRESSION.
    DropExpression {
        /// The column.
        column: Ident,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// ALTER COLUMN SET EXPRESSION AS.
    SetExpression {
        /// The column.
        column: Ident,
        /// The expression.
        expression: Expression,
    },
    /// ALTER COLUMN ADD GENERATED ... AS IDENTITY.
    AddIdentity {
        /// The column.
        column: Ident,
        /// ALWAYS.
        always: bool,
        /// Options.
        options: SequenceOptions,
    },
    /// ALTER COLUMN SET GENERATED / SET sequence options / RESTART.
    SetIdentity {
        /// The column.
        column: Ident,
        /// SET GENERATED ALWAYS (true) | BY DEFAULT.
        always: Option<bool>,
        /// Options.
        options: SequenceOptions,
    },
    /// ALTER COLUMN DROP IDENTITY.
    DropIdentity {
        /// The column.
        column: Ident,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// ALTER COLUMN SET STATISTICS.
    SetStatistics {
        /// The column, by name or (of an index) number.
        column: String,
        /// The target; `None` is DEFAULT.
        target: Option<i64>,
    },
    /// ALTER COLUMN SET (...) / RESET (...).
    ColumnOptions {
        /// The column.
        column: Ident,
        /// The options.
        options: Vec<StorageOption>,
        /// RESET.
        reset: bool,
    },
    /// ALTER COLUMN SET STORAGE.
    SetStorage {
        /// The column.
        column: Ident,
        /// The word.
        storage: String,
    },
    /// ALTER COLUMN SET COMPRESSION.
    SetCompression {
        /// The column.
        column: Ident,
        /// The word.
        compression: String,
    },
    /// ADD constraint.
    AddConstraint(TableConstraint),
    /// ALTER CONSTRAINT.
    AlterConstraint {
        /// The constraint.
        name: Ident,
        /// What it becomes.
        attributes: ConstraintAttributes,
        /// INHERIT (true) / NO INHERIT.
        inherit: Option<bool>,
    },
    /// VALIDATE CONSTRAINT.
    ValidateConstraint(Ident),
    /// DROP CONSTRAINT.
    DropConstraint {
        /// IF EXISTS.
        if_exists: bool,
        /// The constraint.
        name: Ident,
        /// CASCADE.
        cascade: bool,
    },
    /// RENAME TO.
    Rename(Ident),
    /// RENAME COLUMN.
    RenameColumn(Ident, Ident),
    /// RENAME CONSTRAINT.
    RenameConstraint(Ident, Ident),
    /// SET SCHEMA.
    SetSchema(Ident),
    /// OWNER TO.
    OwnerTo(RoleName),
    /// SET (...) / RESET (...).
    Options {
        /// The options.
        options: Vec<StorageOption>,
        /// RESET.
        reset: bool,
    },
    /// Any other action, by its words: refused with 0A000 when executed.
    Other(String),
}

/// A kind of object in DROP, ALTER, COMMENT and GRANT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ObjectKind {
    Table,
    View,
    MaterializedView,
    Index,
    Sequence,
    Schema,
    Database,
    Role,
    Column,
    Constraint,
    Function,
    Procedure,
    Routine,
    Aggregate,
    Operator,
    Type,
    Domain,
    Extension,
    Collation,
    Trigger,
    Policy,
    Rule,
    Cast,
    Tablespace,
    Language,
    ForeignTable,
    Other,
}

impl ObjectKind {
    /// The kind as SQL writes it, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Index => "index",
            Self::Sequence => "sequence",
            Self::Schema => "schema",
            Self::Database => "database",
            Self::Role => "role",
            Self::Column => "column",
            Self::Constraint => "constraint",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Routine => "routine",
            Self::Aggregate => "aggregate",
            Self::Operator => "operator",
            Self::Type => "type",
            Self::Domain => "domain",
            Self::Extension => "extension",
            Self::Collation => "collation",
            Self::Trigger => "trigger",
            Self::Policy => "policy",
            Self::Rule => "rule",
            Self::Cast => "cast",
            Self::Tablespace => "tablespace",
            Self::Language => "language",
            Self::ForeignTable => "foreign table",
            Self::Other => "object",
        }
    }
}

/// DROP.
#[derive(Clone, Debug, PartialEq)]
pub struct Drop {
    /// Which kind.
    pub kind: ObjectKind,
    /// CONCURRENTLY (indexes).
    pub concurrently: bool,
    /// IF EXISTS.
    pub if_exists: bool,
    /// The objects.
    pub names: Vec<ObjectName>,
    /// CASCADE.
    pub cascade: bool,
    /// WITH (FORCE) of DROP DATABASE.
    pub force: bool,
}

/// CREATE INDEX.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIndex {
    /// UNIQUE.
    pub unique: bool,
    /// CONCURRENTLY.
    pub concurrently: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name; `None`: PostgreSQL's rule makes one.
    pub name: Option<Ident>,
    /// ONLY.
    pub only: bool,
    /// The table.
    pub table: ObjectName,
    /// USING.
    pub method: Option<Ident>,
    /// The keys.
    pub keys: Vec<IndexKey>,
    /// INCLUDE.
    pub include: Vec<Ident>,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// WITH (...).
    pub options: Vec<StorageOption>,
    /// TABLESPACE.
    pub tablespace: Option<Ident>,
    /// WHERE.
    pub predicate: Option<Expression>,
}

/// One key of an index or conflict target.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexKey {
    /// A column or an expression.
    pub source: IndexKeySource,
    /// COLLATE.
    pub collation: Option<ObjectName>,
    /// The operator class.
    pub opclass: Option<ObjectName>,
    /// Parameters of the operator class.
    pub opclass_options: Vec<StorageOption>,
    /// ASC / DESC, if given: DESC is true.
    pub descending: bool,
    /// NULLS FIRST / LAST, if given.
    pub nulls_first: Option<bool>,
}

/// What an index key is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum IndexKeySource {
    Column(Ident),
    Expression(Expression),
}

/// CREATE VIEW.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateView {
    /// OR REPLACE.
    pub or_replace: bool,
    /// TEMP.
    pub temporary: bool,
    /// RECURSIVE.
    pub recursive: bool,
    /// The name.
    pub name: ObjectName,
    /// Column names.
    pub columns: Vec<Ident>,
    /// WITH (...).
    pub options: Vec<StorageOption>,
    /// The query.
    pub query: Box<Query>,
    /// The query's text as written.
    pub text: String,
    /// WITH CHECK OPTION: LOCAL is true, CASCADED false.
    pub check_option: Option<bool>,
}

/// CREATE SCHEMA.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSchema {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name; `None`: the role's.
    pub name: Option<Ident>,
    /// AUTHORIZATION.
    pub authorization: Option<RoleName>,
    /// Elements made in it.
    pub elements: Vec<Statement>,
}

/// CREATE SEQUENCE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSequence {
    /// TEMP, UNLOGGED.
    pub persistence: Persistence,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The name.
    pub name: ObjectName,
    /// The options.
    pub options: SequenceOptions,
}

/// ALTER SEQUENCE with options.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterSequence {
    /// IF EXISTS.
    pub if_exists: bool,
    /// The name.
    pub name: ObjectName,
    /// The options.
    pub options: SequenceOptions,
}

/// CREATE DATABASE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDatabase {
    /// The name.
    pub name: Ident,
    /// Options: folded name, value as text (`None` is DEFAULT).
    pub options: Vec<(String, Option<String>)>,
}

/// A role as named in a statement.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum RoleName {
    Named(Ident),
    Public,
    CurrentUser,
    CurrentRole,
    SessionUser,
}

/// CREATE ROLE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRole {
    /// The name.
    pub name: RoleName,
    /// CREATE USER: LOGIN is the default.
    pub user: bool,
    /// The options, in order.
    pub options: Vec<RoleOption>,
}

/// ALTER ROLE with options.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterRole {
    /// The role.
    pub name: RoleName,
    /// The options, in order.
    pub options: Vec<RoleOption>,
}

/// An option of a role.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum RoleOption {
    Superuser(bool),
    CreateDb(bool),
    CreateRole(bool),
    Inherit(bool),
    Login(bool),
    Replication(bool),
    BypassRls(bool),
    ConnectionLimit(i64),
    /// PASSWORD; `None` is PASSWORD NULL.
    Password(Option<String>),
    ValidUntil(String),
    InRole(Vec<RoleName>),
    /// ROLE / USER: members of the new role.
    Role(Vec<RoleName>),
    Admin(Vec<RoleName>),
    SysId(i64),
}

/// ALTER ROLE | DATABASE ... SET / RESET.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterSetting {
    /// The role; `None`: ALL, or none when only a database is named.
    pub role: Option<RoleName>,
    /// The database (ALTER DATABASE, or IN DATABASE).
    pub database: Option<Ident>,
    /// The setting's name, folded; `None` is ALL (RESET).
    pub name: Option<String>,
    /// The value; `None` resets.
    pub value: Option<SetValue>,
}

/// GRANT / REVOKE on objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// REVOKE.
    pub revoke: bool,
    /// REVOKE GRANT OPTION FOR.
    pub grant_option_for: bool,
    /// Privileges in lower case with their columns; empty: ALL.
    pub privileges: Vec<(String, Vec<Ident>)>,
    /// ALL [PRIVILEGES] with columns.
    pub all_columns: Vec<Ident>,
    /// The kind of object (`Table` when not said).
    pub kind: ObjectKind,
    /// ALL ... IN SCHEMA: the names are schemas.
    pub all_in_schema: bool,
    /// The objects.
    pub objects: Vec<ObjectName>,
    /// To or from whom.
    pub grantees: Vec<RoleName>,
    /// WITH GRANT OPTION.
    pub with_grant_option: bool,
    /// GRANTED BY.
    pub granted_by: Option<RoleName>,
    /// CASCADE (REVOKE).
    pub cascade: bool,
}

/// GRANT / REVOKE of roles.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantRole {
    /// REVOKE.
    pub revoke: bool,
    /// REVOKE ADMIN | INHERIT | SET OPTION FOR.
    pub option_for: Option<String>,
    /// The roles.
    pub roles: Vec<Ident>,
    /// To or from whom.
    pub grantees: Vec<RoleName>,
    /// WITH ADMIN | INHERIT | SET.
    pub options: Vec<(String, bool)>,
    /// GRANTED BY.
    pub granted_by: Option<RoleName>,
    /// CASCADE (REVOKE).
    pub cascade: bool,
}

/// COMMENT ON.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// Which kind.
    pub kind: ObjectKind,
    /// The object; of a column: table and column.
    pub name: ObjectName,
    /// ON table (constraints, triggers, policies, rules).
    pub on: Option<ObjectName>,
    /// The text; `None` removes it.
    pub comment: Option<String>,
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
pub type OrderKey = OrderByExpr;
