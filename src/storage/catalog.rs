//! The catalog: everything that exists, as one immutable value with a version.
//!
//! A session plans against an `Arc<Catalog>`; DDL makes a changed copy inside its transaction and commits the
//! changed [`Entry`]s as mutations. Expressions (defaults, checks, index keys, view queries) are kept as SQL text:
//! names in them are resolved again when they are used.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::user_type::{self, UserKind};
use crate::document::{Oid, Type};
use crate::err;
use crate::error::Result;

mod inherit;
mod routine;
mod types;

pub use inherit::{Origin, PartitionBound, PartitionKey, PartitionStrategy, Physical, RangeEnd, ReplicaIdentity};
pub use routine::{Argument, ArgumentMode, Routine, RoutineKind};
pub use types::{Cached, Domain, DomainCheck, EnumLabel, RangeType, TypeKind, UserType};

/// First OID for objects that users make; below are the built-in ones (as in PostgreSQL).
pub const FIRST_USER_OID: Oid = 16384;
/// First OID of temporary objects: they belong to one session and are never stored.
pub const FIRST_TEMPORARY_OID: Oid = 0xC000_0000;
/// The schema `pg_catalog`, in every database.
pub const PG_CATALOG: Oid = 11;
/// The schema `information_schema`, in every database.
pub const INFORMATION_SCHEMA: Oid = 13000;
/// The superuser that the first start makes (`aerolith`).
pub const BOOTSTRAP_ROLE: Oid = 10;

/// Everything that exists, at one version.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Grows by one with each committed change of the catalog.
    pub version: u64,
    /// The next OID to hand out.
    pub next_oid: Oid,
    /// All entries by OID.
    pub entries: BTreeMap<Oid, Arc<Entry>>,
    /// (namespace, name) -> OID of relations (tables, indexes, views, sequences share one name space).
    pub relations: BTreeMap<(Oid, String), Oid>,
    /// (database, name) -> OID of schemas.
    pub schemas: BTreeMap<(Oid, String), Oid>,
    /// name -> OID of databases.
    pub databases: BTreeMap<String, Oid>,
    /// name -> OID of roles.
    pub roles: BTreeMap<String, Oid>,
    /// table -> its indexes, in OID order.
    pub indexes: BTreeMap<Oid, Vec<Oid>>,
    /// (namespace, name) -> OID of user-defined types (row types go by their relation).
    pub types: BTreeMap<(Oid, String), Oid>,
    /// Row type -> OID of its table or view.
    pub row_types: BTreeMap<Oid, Oid>,
    /// object (OID, column number or 0) -> comment.
    pub comments: BTreeMap<(Oid, i32), String>,
    /// (class, object, column number or 0) -> OID of its privileges.
    pub privileges: BTreeMap<(ObjectClass, Oid, i32), Oid>,
    /// (schema, name) -> OIDs of functions and procedures, in the order they were made.
    pub routines: BTreeMap<(Oid, String), Vec<Oid>>,
    /// OIDs of default privileges.
    pub default_privileges: std::collections::BTreeSet<Oid>,
    /// member -> OIDs of its memberships.
    pub memberships: BTreeMap<Oid, Vec<Oid>>,
    /// The session's schema of temporary objects, in the catalog as a session that has one sees it.
    pub temporary_schema: Option<Oid>,
    /// table -> the tables whose foreign keys refer to it, in OID order.
    pub referencing: BTreeMap<Oid, Vec<Oid>>,
    /// table -> the tables that inherit from it (its partitions among them), in OID order.
    pub children: BTreeMap<Oid, Vec<Oid>>,
}

/// Whether an OID is a temporary object's.
pub fn is_temporary(oid: Oid) -> bool {
    oid >= FIRST_TEMPORARY_OID
}

/// One object of the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Entry {
    Database(Database),
    Schema(Schema),
    Table(Table),
    Index(Index),
    View(View),
    Sequence(Sequence),
    Role(Role),
    Privileges(Privileges),
    Membership(Membership),
    DefaultPrivileges(DefaultPrivileges),
    Type(UserType),
    Routine(Routine),
}

/// A database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Database {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
}

/// A schema (namespace) of one database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Schema {
    pub oid: Oid,
    pub database: Oid,
    pub name: String,
    pub owner: Oid,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its OID; also the prefix of its rows' keys until a TRUNCATE or rewrite changes `storage`.
    pub oid: Oid,
    /// The schema.
    pub schema: Oid,
    /// The name.
    pub name: String,
    /// The owning role.
    pub owner: Oid,
    /// The OID of its row type.
    pub row_type: Oid,
    /// The key prefix of its rows (PostgreSQL's relfilenode): TRUNCATE gives the table a new one.
    pub storage: Oid,
    /// Its columns in order of `number`; dropped ones stay with `dropped` set, so that numbers are stable.
    pub columns: Vec<Column>,
    /// Column numbers that make the key of a row in storage; empty: a hidden row id. Fixed when the table is made.
    pub key: Vec<i16>,
    /// Constraints other than NOT NULL.
    pub constraints: Vec<Constraint>,
    /// `WITH (...)` options as given.
    pub options: Vec<(String, String)>,
    /// How long its rows live.
    #[serde(default)]
    pub persistence: Persistence,
    /// Set where it is a materialized view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<MaterializedView>,
    /// The tables it inherits from, in the order said; of a partition, the one it is a partition of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Oid>,
    /// Set where it is partitioned: it has no rows of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<PartitionKey>,
    /// Which rows of its parent it has, where it is a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<PartitionBound>,
    /// REPLICA IDENTITY.
    #[serde(default)]
    pub replica_identity: ReplicaIdentity,
    /// The index of CLUSTER ON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clustered: Option<Oid>,
}

/// The query behind a materialized view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaterializedView {
    /// The query as SQL text.
    pub query: String,
    /// search_path when it was made: names in `query` resolve by it.
    pub search_path: Vec<String>,
    /// Whether it holds the query's rows.
    pub populated: bool,
}

/// How long a table's rows live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persistence {
    /// For good.
    #[default]
    Permanent,
    /// UNLOGGED: said, shown, and kept as well as any other.
    Unlogged,
    /// TEMPORARY: as long as the session, or as ON COMMIT says.
    Temporary(OnCommit),
}

/// What the end of a transaction does to a temporary table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum OnCommit {
    PreserveRows,
    DeleteRows,
    Drop,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// attnum, from 1, never reused.
    pub number: i16,
    /// The name.
    pub name: String,
    /// The type of its values.
    pub typ: Type,
    /// The type as declared, where that is a domain or an array of one: what is written is checked by it.
    #[serde(default)]
    pub domain: Option<Oid>,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// DEFAULT as SQL text.
    pub default: Option<String>,
    /// GENERATED ... AS IDENTITY.
    pub identity: Option<Identity>,
    /// Dropped: kept for its number only.
    pub dropped: bool,
    /// The value (in text form) that rows written before ADD COLUMN have; `None` is NULL.
    pub missing: Option<String>,
    /// GENERATED ALWAYS AS (expression).
    #[serde(default)]
    pub generated: Option<Generated>,
    /// Whether it is its own or its parents'.
    #[serde(default)]
    pub origin: Origin,
    /// What was said of how it is stored: shown, and nothing here asks.
    #[serde(default)]
    pub physical: Physical,
}

/// A generated column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression as SQL text.
    pub expr: String,
    /// STORED; else the value is computed when it is read.
    pub stored: bool,
}

/// An identity column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// GENERATED ALWAYS (else BY DEFAULT).
    pub always: bool,
    /// The sequence behind it.
    pub sequence: Oid,
}

/// A constraint of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    /// Its OID.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// What it says.
    pub kind: ConstraintKind,
    /// When and for whom it holds.
    #[serde(default)]
    pub attributes: ConstraintFlags,
    /// Whether it is the table's own or its parents'.
    #[serde(default)]
    pub origin: Origin,
}

/// When and for whom a constraint holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstraintFlags {
    /// DEFERRABLE.
    pub deferrable: bool,
    /// INITIALLY DEFERRED.
    pub deferred: bool,
    /// NOT VALID: rows from before it were not checked.
    pub not_valid: bool,
    /// NOT ENFORCED.
    pub not_enforced: bool,
    /// NO INHERIT.
    pub no_inherit: bool,
}

/// What a constraint says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// CHECK with its SQL text.
    Check {
        /// The expression.
        expr: String,
    },
    /// UNIQUE, held by an index.
    Unique {
        /// Column numbers.
        columns: Vec<i16>,
        /// The index.
        index: Oid,
    },
    /// PRIMARY KEY, held by an index entry in the catalog (the rows themselves when it is the table's `key`).
    PrimaryKey {
        /// Column numbers.
        columns: Vec<i16>,
        /// The index.
        index: Oid,
    },
    /// FOREIGN KEY.
    ForeignKey(ForeignKey),
    /// NOT NULL: the name of what the column says.
    NotNull {
        /// The column's number.
        column: i16,
    },
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The referencing column numbers.
    pub columns: Vec<i16>,
    /// The table referred to.
    pub table: Oid,
    /// Its column numbers, one for each of `columns`.
    pub referenced: Vec<i16>,
    /// The unique index over them.
    pub index: Oid,
    /// MATCH FULL.
    pub match_full: bool,
    /// ON UPDATE.
    pub on_update: ForeignKeyAction,
    /// ON DELETE.
    pub on_delete: ForeignKeyAction,
    /// The columns that ON DELETE SET NULL or SET DEFAULT sets; empty: all.
    pub set_columns: Vec<i16>,
}

/// What a foreign key does when the row referred to goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ForeignKeyAction {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl ForeignKeyAction {
    /// The letter in pg_constraint.
    pub fn letter(self) -> char {
        match self {
            Self::NoAction => 'a',
            Self::Restrict => 'r',
            Self::Cascade => 'c',
            Self::SetNull => 'n',
            Self::SetDefault => 'd',
        }
    }

    /// As SQL writes it.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }
}

impl Constraint {
    /// The index that holds it, of UNIQUE and PRIMARY KEY.
    pub fn index(&self) -> Option<Oid> {
        match &self.kind {
            ConstraintKind::Unique { index, .. } | ConstraintKind::PrimaryKey { index, .. } => Some(*index),
            ConstraintKind::Check { .. } | ConstraintKind::ForeignKey(_) | ConstraintKind::NotNull { .. } => None,
        }
    }

    /// The columns that it lists; none of a CHECK, which has an expression.
    pub fn columns(&self) -> &[i16] {
        match &self.kind {
            ConstraintKind::Unique { columns, .. } | ConstraintKind::PrimaryKey { columns, .. } => columns,
            ConstraintKind::ForeignKey(key) => &key.columns,
            ConstraintKind::NotNull { column } => std::slice::from_ref(column),
            ConstraintKind::Check { .. } => &[],
        }
    }

    /// The foreign key, if it is one.
    pub fn foreign_key(&self) -> Option<&ForeignKey> {
        match &self.kind {
            ConstraintKind::ForeignKey(key) => Some(key),
            _ => None,
        }
    }
}

/// An index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Its OID; also the prefix of its entries' keys (with the table's `storage` change it is rebuilt).
    pub oid: Oid,
    /// The table.
    pub table: Oid,
    /// The schema (the table's).
    pub schema: Oid,
    /// The name.
    pub name: String,
    /// Access method: `btree` or `gin`.
    pub method: String,
    /// UNIQUE.
    pub unique: bool,
    /// Holds the primary key.
    pub primary: bool,
    /// True when the rows themselves are the index (the primary key that is the table's `key`): it has no entries.
    pub is_row_key: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// Key columns.
    pub keys: Vec<IndexKey>,
    /// INCLUDE columns (numbers).
    pub include: Vec<i16>,
    /// WHERE predicate as SQL text.
    pub predicate: Option<String>,
    /// The index of the partitioned table that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Oid>,
}

/// One key column of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexKey {
    /// A column number, or an expression as SQL text.
    pub source: IndexSource,
    /// The type of the key.
    pub typ: Type,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
    /// The operator class, where it is not the type's default one for the access method.
    #[serde(default)]
    pub opclass: Option<String>,
}

/// What an index key is computed from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum IndexSource {
    Column(i16),
    Expression(String),
}

/// A view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Its OID.
    pub oid: Oid,
    /// The schema.
    pub schema: Oid,
    /// The name.
    pub name: String,
    /// The owning role.
    pub owner: Oid,
    /// The OID of its row type.
    pub row_type: Oid,
    /// The query as SQL text.
    pub query: String,
    /// search_path when it was made: names in `query` resolve by it.
    pub search_path: Vec<String>,
    /// Column names and types.
    pub columns: Vec<(String, Type)>,
    /// `WITH (...)` options.
    #[serde(default)]
    pub options: Vec<(String, String)>,
    /// Defaults of columns, as SQL text: what an INSERT through the view leaves out.
    #[serde(default)]
    pub defaults: Vec<Option<String>>,
}

impl View {
    /// CHECK OPTION: `local` or `cascaded`.
    pub fn check_option(&self) -> Option<&str> {
        self.options.iter().find(|(name, _)| name == "check_option").map(|(_, value)| value.as_str())
    }

    /// Whether the privileges asked for inside of it are the user's, not its owner's.
    pub fn is_invoker(&self) -> bool {
        self.options.iter().any(|(name, value)| name == "security_invoker" && value == "true")
    }
}

/// A sequence. Its current value lives in storage beside the catalog, not here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Sequence {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    /// The data type (int2, int4 or int8).
    pub typ: Type,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cache: i64,
    pub cycle: bool,
    /// OWNED BY: table and column number.
    pub owned_by: Option<(Oid, i16)>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Role {
    pub oid: Oid,
    pub name: String,
    pub superuser: bool,
    pub create_db: bool,
    pub create_role: bool,
    pub inherit: bool,
    pub login: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    pub connection_limit: i32,
    /// SCRAM-SHA-256 verifier (`SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`).
    pub password: Option<String>,
}

/// Classes of objects that privileges are granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ObjectClass {
    Relation,
    Sequence,
    Database,
    Schema,
    Function,
    Type,
}

/// What one role has granted to another (0: everybody) on an object: sets of rights (`sql::privilege` says which).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AclItem {
    pub grantee: Oid,
    pub grantor: Oid,
    pub rights: u32,
    /// Those of `rights` that the grantee may grant on.
    pub grantable: u32,
}

/// The privileges on an object or column; where there is no such entry, the default ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Privileges {
    pub oid: Oid,
    pub class: ObjectClass,
    pub object: Oid,
    /// The column's number, or 0.
    pub column: i32,
    pub items: Vec<AclItem>,
}

/// A role's being a member of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Membership {
    pub oid: Oid,
    pub role: Oid,
    pub member: Oid,
    pub grantor: Oid,
    pub admin: bool,
    pub inherit: bool,
    pub set: bool,
}

/// The privileges that objects get when a role makes them (in one schema, or 0: in any).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DefaultPrivileges {
    pub oid: Oid,
    pub role: Oid,
    pub schema: Oid,
    pub class: ObjectClass,
    pub items: Vec<AclItem>,
}

impl Entry {
    /// The object's OID.
    pub fn oid(&self) -> Oid {
        match self {
            Self::Database(x) => x.oid,
            Self::Schema(x) => x.oid,
            Self::Table(x) => x.oid,
            Self::Index(x) => x.oid,
            Self::View(x) => x.oid,
            Self::Sequence(x) => x.oid,
            Self::Role(x) => x.oid,
            Self::Privileges(x) => x.oid,
            Self::Membership(x) => x.oid,
            Self::DefaultPrivileges(x) => x.oid,
            Self::Type(x) => x.oid,
            Self::Routine(x) => x.oid,
        }
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Database(x) => &x.name,
            Self::Schema(x) => &x.name,
            Self::Table(x) => &x.name,
            Self::Index(x) => &x.name,
            Self::View(x) => &x.name,
            Self::Sequence(x) => &x.name,
            Self::Role(x) => &x.name,
            Self::Type(x) => &x.name,
            Self::Routine(x) => &x.name,
            Self::Privileges(_) | Self::Membership(_) | Self::DefaultPrivileges(_) => "",
        }
    }

    /// The schema of a relation (table, index, view, sequence) or type.
    pub fn schema(&self) -> Option<Oid> {
        match self {
            Self::Table(x) => Some(x.schema),
            Self::Index(x) => Some(x.schema),
            Self::View(x) => Some(x.schema),
            Self::Sequence(x) => Some(x.schema),
            Self::Type(x) => Some(x.schema),
            _ => None,
        }
    }
}

impl Entry {
    /// The row type of a table or view.
    pub fn row_type(&self) -> Option<Oid> {
        match self {
            Self::Table(x) => Some(x.row_type),
            Self::View(x) => Some(x.row_type),
            _ => None,
        }
    }

    /// Whether it shares the name space of tables, indexes, views and sequences.
    pub fn is_relation(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Index(_) | Self::View(_) | Self::Sequence(_))
    }
}

impl Catalog {
    /// The entry of an OID.
    pub fn get(&self, oid: Oid) -> Option<&Arc<Entry>> {
        self.entries.get(&oid)
    }

    /// The table of an OID.
    pub fn table(&self, oid: Oid) -> Option<&Table> {
        match self.get(oid).map(|e| &**e) {
            Some(Entry::Table(table)) => Some(table),
            _ => None,
        }
    }

    /// The index of an OID.
    pub fn index(&self, oid: Oid) -> Option<&Index> {
        match self.get(oid).map(|e| &**e) {
            Some(Entry::Index(index)) => Some(index),
            _ => None,
        }
    }

    /// The indexes of a table, in OID order.
    pub fn indexes_of(&self, table: Oid) -> impl Iterator<Item = &Index> {
        self.indexes.get(&table).into_iter().flatten().filter_map(|oid| self.index(*oid))
    }

    /// The foreign keys that refer to a table: the table that has each, and the constraint.
    pub fn foreign_keys_to(&self, table: Oid) -> impl Iterator<Item = (&Table, &Constraint)> {
        let tables = self.referencing.get(&table).into_iter().flatten().filter_map(|oid| self.table(*oid));
        tables.flat_map(move |from| {
            let refers = move |c: &&Constraint| c.foreign_key().is_some_and(|key| key.table == table);
            from.constraints.iter().filter(refers).map(move |c| (from, c))
        })
    }

    /// A relation (table, index, view or sequence) by schema and name.
    pub fn relation(&self, schema: Oid, name: &str) -> Option<&Arc<Entry>> {
        self.relations.get(&(schema, name.to_string())).and_then(|oid| self.get(*oid))
    }

    /// A user schema of a database by name.
    pub fn schema(&self, database: Oid, name: &str) -> Option<Oid> {
        match name {
            "pg_catalog" => Some(PG_CATALOG),
            "information_schema" => Some(INFORMATION_SCHEMA),
            "pg_temp" => self.temporary_schema,
            _ => self.schemas.get(&(database, name.to_string())).copied(),
        }
    }

    /// The functions and procedures of a name.
    pub fn routines_named(&self, schema: Oid, name: &str) -> impl Iterator<Item = &Arc<Entry>> {
        let found = self.routines.get(&(schema, name.to_string()));
        found.into_iter().flatten().filter_map(|oid| self.get(*oid))
    }

    /// What was granted on an object or column; `None`: nothing was ever said.
    pub fn acl(&self, class: ObjectClass, object: Oid, column: i32) -> Option<&[AclItem]> {
        match self.privileges.get(&(class, object, column)).and_then(|oid| self.get(*oid)).map(|e| &**e) {
            Some(Entry::Privileges(privileges)) => Some(&privileges.items),
            _ => None,
        }
    }

    /// The memberships of a role in others.
    pub fn memberships_of(&self, member: Oid) -> impl Iterator<Item = &Membership> {
        self.memberships.get(&member).into_iter().flatten().filter_map(|oid| match self.get(*oid).map(|e| &**e) {
            Some(Entry::Membership(membership)) => Some(membership),
            _ => None,
        })
    }

    /// A role by name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        match self.roles.get(name).and_then(|oid| self.get(*oid)).map(|e| &**e) {
            Some(Entry::Role(role)) => Some(role),
            _ => None,
        }
    }

    /// A database by name.
    pub fn database(&self, name: &str) -> Option<&Database> {
        match self.databases.get(name).and_then(|oid| self.get(*oid)).map(|e| &**e) {
            Some(Entry::Database(database)) => Some(database),
            _ => None,
        }
    }

    /// Hands out an OID.
    pub fn allocate_oid(&mut self) -> Oid {
        let oid = self.next_oid.max(FIRST_USER_OID);
        self.next_oid = oid + 1;
        oid
    }

    /// Hands out the OID of a new type.
    pub fn allocate_type(&mut self, kind: UserKind) -> Result<Oid> {
        let serial = self.allocate_oid();
        user_type::oid(serial, kind).ok_or_else(|| err!(PROGRAM_LIMIT_EXCEEDED, "there are no OIDs left for types"))
    }

    /// The user-defined type of an OID.
    pub fn user_type(&self, oid: Oid) -> Option<&UserType> {
        match self.get(oid).map(|e| &**e) {
            Some(Entry::Type(user_type)) => Some(user_type),
            _ => None,
        }
    }

    /// The relation that a row type belongs to.
    pub fn row_relation(&self, row_type: Oid) -> Option<&Arc<Entry>> {
        self.row_types.get(&row_type).and_then(|oid| self.get(*oid))
    }

    /// The composite type whose relation has an OID.
    pub fn composite(&self, relation: Oid) -> Option<&Arc<Entry>> {
        let mut types = self.types.values().filter_map(|oid| self.get(*oid));
        types.find(|entry| match &***entry {
            Entry::Type(UserType { kind: TypeKind::Composite { relation: r, .. }, .. }) => *r == relation,
            _ => false,
        })
    }

    /// OIDs are handed out behind this one.
    fn take_oid(&mut self, oid: Oid) {
        if is_temporary(oid) {
            return;
        }
        self.next_oid = self.next_oid.max(user_type::serial(oid).unwrap_or(oid) + 1);
    }

    /// Puts or replaces an entry and keeps the name tables in step. Does not change `version`.
    pub fn put(&mut self, entry: Entry) {
        self.remove(entry.oid());
        let oid = entry.oid();
        if is_temporary(oid) {
            if let Entry::Schema(_) = entry {
                self.temporary_schema = Some(oid);
            }
        } else {
            self.take_oid(oid);
        }
        match &entry {
            Entry::Database(x) => {
                self.databases.insert(x.name.clone(), oid);
            }
            Entry::Schema(x) => {
                self.schemas.insert((x.database, x.name.clone()), oid);
            }
            Entry::Role(x) => {
                self.roles.insert(x.name.clone(), oid);
            }
            Entry::Privileges(x) => {
                self.privileges.insert((x.class, x.object, x.column), oid);
            }
            Entry::Membership(x) => self.memberships.entry(x.member).or_default().push(oid),
            Entry::DefaultPrivileges(_) => {
                self.default_privileges.insert(oid);
            }
            Entry::Type(x) => {
                self.types.insert((x.schema, x.name.clone()), oid);
            }
            Entry::Routine(x) => {
                let list = self.routines.entry((x.schema, x.name.clone())).or_default();
                list.push(oid);
                list.sort_unstable();
            }
            Entry::Index(x) => {
                let list = self.indexes.entry(x.table).or_default();
                list.push(oid);
                list.sort_unstable();
            }
            _ => {}
        }
        if let Some(row_type) = entry.row_type() {
            self.row_types.insert(row_type, oid);
            self.take_oid(row_type);
        }
        if let Some(schema) = entry.schema().filter(|_| entry.is_relation()) {
            self.relations.insert((schema, entry.name().to_string()), oid);
        }
        if let Entry::Table(x) = &entry
            && !is_temporary(oid)
        {
            self.next_oid = self.next_oid.max(x.storage + 1);
            let last = x.constraints.iter().map(|c| c.oid).max().unwrap_or(0);
            self.next_oid = self.next_oid.max(last + 1);
            for key in x.foreign_keys() {
                let tables = self.referencing.entry(key.table).or_default();
                if let Err(at) = tables.binary_search(&oid) {
                    tables.insert(at, oid);
                }
            }
        }
        if let Entry::Table(x) = &entry {
            for parent in &x.parents {
                let children = self.children.entry(*parent).or_default();
                if let Err(at) = children.binary_search(&oid) {
                    children.insert(at, oid);
                }
            }
        }
        self.entries.insert(oid, Arc::new(entry));
    }

    /// Removes an entry and its names; its comments stay with the caller. Does not change `version`.
    pub fn remove(&mut self, oid: Oid) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(&oid)?;
        match &*entry {
            Entry::Database(x) => {
                self.databases.remove(&x.name);
            }
            Entry::Schema(x) => {
                self.schemas.remove(&(x.database, x.name.clone()));
                if self.temporary_schema == Some(oid) {
                    self.temporary_schema = None;
                }
            }
            Entry::Role(x) => {
                self.roles.remove(&x.name);
            }
            Entry::Privileges(x) => {
                self.privileges.remove(&(x.class, x.object, x.column));
            }
            Entry::DefaultPrivileges(_) => {
                self.default_privileges.remove(&oid);
            }
            Entry::Routine(x) => {
                let key = (x.schema, x.name.clone());
                if let Some(list) = self.routines.get_mut(&key) {
                    list.retain(|i| *i != oid);
                    if list.is_empty() {
                        self.routines.remove(&key);
                    }
                }
            }
            Entry::Membership(x) => {
                if let Some(list) = self.memberships.get_mut(&x.member) {
                    list.retain(|i| *i != oid);
                }
            }
            Entry::Type(x) => {
                self.types.remove(&(x.schema, x.name.clone()));
            }
            Entry::Table(x) => {
                for parent in &x.parents {
                    if let Some(children) = self.children.get_mut(parent) {
                        children.retain(|t| *t != oid);
                        if children.is_empty() {
                            self.children.remove(parent);
                        }
                    }
                }
                for key in x.foreign_keys() {
                    if let Some(tables) = self.referencing.get_mut(&key.table) {
                        tables.retain(|t| *t != oid);
                        if tables.is_empty() {
                            self.referencing.remove(&key.table);
                        }
                    }
                }
            }
            Entry::Index(x) => {
                if let Some(list) = self.indexes.get_mut(&x.table) {
                    list.retain(|i| *i != oid);
                    if list.is_empty() {
                        self.indexes.remove(&x.table);
                    }
                }
            }
            _ => {}
        }
        if let Some(row_type) = entry.row_type() {
            self.row_types.remove(&row_type);
        }
        if let Some(schema) = entry.schema().filter(|_| entry.is_relation()) {
            self.relations.remove(&(schema, entry.name().to_string()));
        }
        Some(entry)
    }
}

impl Column {
    /// The type as declared: the domain where there is one.
    pub fn declared(&self) -> Type {
        self.domain.map_or(self.typ, Type::new)
    }
}

impl Table {
    /// The live columns, in order.
    pub fn live_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| !c.dropped)
    }

    /// A live column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.live_columns().find(|c| c.name == name)
    }

    /// A column by number.
    pub fn column_by_number(&self, number: i16) -> Option<&Column> {
        self.columns.iter().find(|c| c.number == number)
    }

    /// Its foreign keys.
    pub fn foreign_keys(&self) -> impl Iterator<Item = &ForeignKey> {
        self.constraints.iter().filter_map(Constraint::foreign_key)
    }

    /// The live generated columns.
    pub fn generated_columns(&self) -> impl Iterator<Item = (&Column, &Generated)> {
        self.live_columns().filter_map(|c| Some((c, c.generated.as_ref()?)))
    }

    /// Whether a live column is computed when it is read.
    pub fn has_virtual(&self) -> bool {
        self.columns.iter().any(Column::is_virtual)
    }

    /// The primary key's column numbers.
    pub fn primary_key(&self) -> Option<&[i16]> {
        self.constraints.iter().find_map(|c| match &c.kind {
            ConstraintKind::PrimaryKey { columns, .. } => Some(columns.as_slice()),
            _ => None,
        })
    }
}

impl Column {
    /// Whether its value is computed when it is read.
    pub fn is_virtual(&self) -> bool {
        !self.dropped && self.generated.as_ref().is_some_and(|g| !g.stored)
    }
}
