//! ALTER, DROP and the objects beside tables: indexes, views, schemas, sequences, databases, roles, privileges.

use sqlparser::ast::{DataType, Ident, ObjectName, Query};

use super::{
    ColumnDefinition, ConstraintAttributes, Expression, Persistence, RoutineName, SequenceOptions, SetValue, Statement,
    StorageOption, TableConstraint,
};

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
    /// ATTACH PARTITION; of an index without a bound.
    AttachPartition(ObjectName, Option<super::BoundSpec>),
    /// DETACH PARTITION.
    DetachPartition {
        /// The partition.
        name: ObjectName,
        /// CONCURRENTLY.
        concurrently: bool,
        /// FINALIZE.
        finalize: bool,
    },
    /// INHERIT (true) / NO INHERIT.
    Inherit(ObjectName, bool),
    /// SET LOGGED (true) / UNLOGGED.
    SetLogged(bool),
    /// REPLICA IDENTITY: DEFAULT, FULL, NOTHING or INDEX with its name.
    ReplicaIdentity(String, Option<Ident>),
    /// CLUSTER ON; `None` is SET WITHOUT CLUSTER.
    ClusterOn(Option<Ident>),
    /// SET TABLESPACE.
    SetTablespace(Ident),
    /// SET ACCESS METHOD.
    SetAccessMethod(Ident),
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
#[allow(missing_docs, clippy::large_enum_variant)]
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

/// REFRESH MATERIALIZED VIEW.
#[derive(Clone, Debug, PartialEq)]
pub struct Refresh {
    /// CONCURRENTLY.
    pub concurrently: bool,
    /// The view.
    pub name: ObjectName,
    /// WITH NO DATA is false.
    pub with_data: bool,
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
    /// `ALL [PRIVILEGES]` with columns.
    pub all_columns: Vec<Ident>,
    /// The kind of object (`Table` when not said).
    pub kind: ObjectKind,
    /// ALL ... IN SCHEMA: the names are schemas.
    pub all_in_schema: bool,
    /// The objects.
    pub objects: Vec<ObjectName>,
    /// Functions and procedures.
    pub routines: Vec<RoutineName>,
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

/// ALTER DEFAULT PRIVILEGES.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultPrivileges {
    /// FOR ROLE; empty: the current one.
    pub roles: Vec<RoleName>,
    /// IN SCHEMA; empty: all.
    pub schemas: Vec<Ident>,
    /// What is granted or revoked on objects of its kind; it names none.
    pub grant: Grant,
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
    /// A function or procedure.
    pub routine: Option<RoutineName>,
    /// The text; `None` removes it.
    pub comment: Option<String>,
}
