//! CREATE TABLE: columns, constraints, sequence options.

use sqlparser::ast::{DataType, Ident, ObjectName};

use super::{Expression, IndexKey, OnCommit, Persistence};

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
    /// PARTITION OF with its bound.
    pub partition_of: Option<(ObjectName, BoundSpec)>,
    /// OF type.
    pub of_type: Option<ObjectName>,
    /// What PARTITION OF and OF say of columns that come from elsewhere.
    pub column_options: Vec<(Ident, Vec<ColumnConstraint>)>,
    /// PARTITION BY.
    pub partition_by: Option<PartitionBy>,
    /// USING access method.
    pub access_method: Option<Ident>,
    /// WITH (...).
    pub options: Vec<StorageOption>,
    /// ON COMMIT.
    pub on_commit: Option<OnCommit>,
    /// TABLESPACE.
    pub tablespace: Option<Ident>,
}

/// PARTITION BY.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBy {
    /// RANGE, LIST or HASH, folded.
    pub strategy: Ident,
    /// The keys.
    pub keys: Vec<IndexKey>,
}

/// FOR VALUES or DEFAULT. MINVALUE and MAXVALUE are written as columns of these names.
#[derive(Clone, Debug, PartialEq)]
pub enum BoundSpec {
    /// DEFAULT.
    Default,
    /// IN.
    In(Vec<Expression>, Ident),
    /// FROM and TO.
    FromTo(Vec<Expression>, Vec<Expression>, Ident),
    /// WITH (MODULUS, REMAINDER).
    With {
        /// MODULUS.
        modulus: i64,
        /// REMAINDER.
        remainder: i64,
        /// Where it stands.
        at: Ident,
    },
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

impl LikeClause {
    /// Whether the last word about an option includes it.
    pub fn includes(&self, word: &str) -> bool {
        let of = |(_, w): &&(bool, String)| w.eq_ignore_ascii_case(word) || w.eq_ignore_ascii_case("all");
        self.options.iter().rev().find(of).is_some_and(|(on, _)| *on)
    }
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
