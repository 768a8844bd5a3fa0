//! CREATE and ALTER TYPE, CREATE and ALTER DOMAIN.

use sqlparser::ast::{DataType, Ident, ObjectName};

use super::{ColumnConstraint, Expression, RoleName};

/// CREATE TYPE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateType {
    /// The name.
    pub name: ObjectName,
    /// What it is.
    pub definition: TypeDefinition,
}

/// What CREATE TYPE makes.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeDefinition {
    /// AS ENUM: the labels.
    Enum(Vec<String>),
    /// AS (...): the attributes.
    Composite(Vec<Attribute>),
    /// AS RANGE: the parameters, their names folded.
    Range(Vec<(String, RangeParameter)>),
}

/// An attribute of a composite type.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The name.
    pub name: Ident,
    /// The type.
    pub data_type: DataType,
    /// COLLATE.
    pub collation: Option<ObjectName>,
}

/// The value of a parameter of CREATE TYPE AS RANGE.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum RangeParameter {
    Type(DataType),
    Name(ObjectName),
}

/// CREATE DOMAIN.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDomain {
    /// The name.
    pub name: ObjectName,
    /// What it is over.
    pub data_type: DataType,
    /// COLLATE.
    pub collation: Option<ObjectName>,
    /// The constraints and DEFAULT, in order.
    pub constraints: Vec<ColumnConstraint>,
}

/// ALTER TYPE and ALTER DOMAIN.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterType {
    /// ALTER DOMAIN.
    pub domain: bool,
    /// The type.
    pub name: ObjectName,
    /// What is done.
    pub actions: Vec<TypeAction>,
}

/// What ALTER TYPE or ALTER DOMAIN does.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // There is one or a few of them in a statement.
pub enum TypeAction {
    /// ADD VALUE.
    AddValue {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// The label.
        label: String,
        /// BEFORE (true) or AFTER a label.
        place: Option<(bool, String)>,
    },
    /// RENAME VALUE.
    RenameValue(String, String),
    /// RENAME TO.
    Rename(Ident),
    /// SET SCHEMA.
    SetSchema(Ident),
    /// OWNER TO.
    OwnerTo(RoleName),
    /// ADD ATTRIBUTE.
    AddAttribute(Attribute),
    /// DROP ATTRIBUTE.
    DropAttribute {
        /// IF EXISTS.
        if_exists: bool,
        /// The attribute.
        name: Ident,
    },
    /// ALTER ATTRIBUTE ... TYPE.
    SetAttributeType(Attribute),
    /// RENAME ATTRIBUTE.
    RenameAttribute(Ident, Ident),
    /// SET / DROP DEFAULT.
    SetDefault(Option<Expression>),
    /// SET / DROP NOT NULL.
    SetNotNull(bool),
    /// ADD constraint.
    AddConstraint(ColumnConstraint),
    /// DROP CONSTRAINT.
    DropConstraint {
        /// IF EXISTS.
        if_exists: bool,
        /// The constraint.
        name: Ident,
    },
    /// RENAME CONSTRAINT.
    RenameConstraint(Ident, Ident),
    /// VALIDATE CONSTRAINT.
    ValidateConstraint(Ident),
}
