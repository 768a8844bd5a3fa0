//! User-defined types as the catalog keeps them.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::Column;
use crate::document::{Oid, Type};

/// A type that a user has made. Its OID says the kind too (see `document::user_type`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct UserType {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    pub kind: TypeKind,
}

/// What a user-defined type is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TypeKind {
    /// An enum, its labels in order.
    Enum(Vec<EnumLabel>),
    /// A domain.
    Domain(Domain),
    /// A composite type of its own (not a table's row type).
    Composite {
        /// Its OID in `pg_class`.
        relation: Oid,
        /// The attributes by number; dropped ones stay, as columns of tables do.
        columns: Vec<Column>,
    },
    /// A range type; its multirange type has the same serial number.
    Range(RangeType),
}

/// A label of an enum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnumLabel {
    /// Its OID in `pg_enum`.
    pub oid: Oid,
    /// The label.
    pub name: String,
    /// Its place: what values hold. Never changes.
    pub order: i64,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// What it is over, possibly another domain.
    pub base: Type,
    /// NOT NULL, with the name of the constraint.
    pub not_null: Option<(Oid, String)>,
    /// DEFAULT as SQL text.
    pub default: Option<String>,
    /// CHECKs.
    pub checks: Vec<DomainCheck>,
    /// What a reader has made of the checks.
    #[serde(skip)]
    pub compiled: Cached,
}

/// A CHECK of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DomainCheck {
    pub oid: Oid,
    pub name: String,
    /// SQL text over `VALUE`.
    pub expr: String,
    /// Not NOT VALID.
    pub validated: bool,
}

/// A range type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangeType {
    /// The type of the bounds.
    pub subtype: Type,
    /// The multirange type.
    pub multirange: Oid,
    /// Its name.
    pub multirange_name: String,
    /// The function of SUBTYPE_DIFF, which nothing here asks.
    pub subtype_diff: Option<String>,
}

/// Something that a reader keeps beside an immutable entry. No part of the entry: copies begin without it.
#[derive(Default)]
pub struct Cached(pub OnceLock<Arc<dyn Any + Send + Sync>>);

impl Clone for Cached {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Cached {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cached")
    }
}
