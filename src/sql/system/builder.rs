//! [`Rows`]: rows of a built-in relation written by column name.

use crate::document::{Array, Datum, Oid, Type};

use crate::sql::privilege;
use crate::storage::catalog::{AclItem, Catalog, ObjectClass};

use super::SystemRelation;

/// The OID of the type `aclitem`.
const ACLITEM: Oid = 1033;

/// The rows of a relation, projected as they are written. Columns that a row does not name are NULL, or the type's
/// empty value where the column is never NULL.
pub(super) struct Rows {
    relation: &'static SystemRelation,
    /// The positions asked for.
    columns: Vec<usize>,
    defaults: Vec<Datum>,
    /// The names of the last row, and where each goes in the projection.
    names: Vec<&'static str>,
    slots: Vec<Vec<usize>>,
    rows: Vec<Vec<Datum>>,
}

impl Rows {
    pub(super) fn new(relation: &'static SystemRelation, columns: &[usize]) -> Self {
        let columns: Vec<usize> = columns.iter().copied().filter(|c| *c < relation.columns.len()).collect();
        let default = |column: &usize| match relation.not_null[*column] {
            true => empty_value(relation.columns[*column].1),
            false => Datum::Null,
        };
        let defaults = columns.iter().map(default).collect();
        Self { relation, columns, defaults, names: Vec::new(), slots: Vec::new(), rows: Vec::new() }
    }

    /// Whether the relation has a column.
    pub(super) fn has(&self, name: &str) -> bool {
        self.relation.columns.iter().any(|(column, _)| *column == name)
    }

    /// Adds a row.
    pub(super) fn push<const N: usize>(&mut self, values: [(&'static str, Datum); N]) {
        let same = self.names.len() == N && self.names.iter().zip(&values).all(|(a, (b, _))| std::ptr::eq(*a, *b));
        if !same {
            self.names = values.iter().map(|(name, _)| *name).collect();
            self.slots = self.names.iter().map(|name| self.slots_of(name)).collect();
        }
        let mut row = self.defaults.clone();
        for (slots, (_, value)) in self.slots.iter().zip(values) {
            match slots.as_slice() {
                [] => {}
                [slot] => row[*slot] = value,
                slots => slots.iter().for_each(|slot| row[*slot] = value.clone()),
            }
        }
        self.rows.push(row);
    }

    /// Where a column goes in the projection: once for each time that it is asked for.
    fn slots_of(&self, name: &str) -> Vec<usize> {
        let position = self.relation.columns.iter().position(|(column, _)| *column == name);
        let position = position.unwrap_or_else(|| panic!("{} has no column {name}", self.relation.name));
        self.columns.iter().enumerate().filter(|(_, c)| **c == position).map(|(slot, _)| slot).collect()
    }

    pub(super) fn finish(self) -> Vec<Vec<Datum>> {
        self.rows
    }
}

/// What stands in a column that is never NULL when nothing is said.
fn empty_value(typ: Type) -> Datum {
    match typ {
        Type::BOOL => Datum::Bool(false),
        Type::INT2 => Datum::Int2(0),
        Type::INT4 => Datum::Int4(0),
        Type::INT8 => Datum::Int8(0),
        Type::FLOAT4 => Datum::Float4(0.0),
        Type::FLOAT8 => Datum::Float8(0.0),
        Type::OID | Type::REGPROC | Type::XID | Type::REGTYPE => Datum::Oid(0),
        Type::INT2VECTOR => vector(Type::INT2.oid, Vec::new()),
        Type::OIDVECTOR => vector(Type::OID.oid, Vec::new()),
        _ => Datum::text(""),
    }
}

/// A text.
pub(super) fn text(value: impl Into<String>) -> Datum {
    Datum::text(value.into())
}

/// A text or NULL.
pub(super) fn optional(value: Option<impl Into<String>>) -> Datum {
    value.map_or(Datum::Null, |v| Datum::text(v.into()))
}

/// A `"char"`.
pub(super) fn letter(value: char) -> Datum {
    Datum::text(value.to_string())
}

/// An array counted from 0, as `int2vector` and `oidvector` are.
fn vector(element: Oid, values: Vec<Datum>) -> Datum {
    let dims = match values.len() {
        0 => Vec::new(),
        length => vec![(i32::try_from(length).unwrap_or(0), 0)],
    };
    Datum::Array(Box::new(Array { element, dims, values }))
}

/// An `int2vector`.
pub(super) fn int2vector(values: impl IntoIterator<Item = i16>) -> Datum {
    vector(Type::INT2.oid, values.into_iter().map(Datum::Int2).collect())
}

/// An `oidvector`.
pub(super) fn oidvector(values: impl IntoIterator<Item = Oid>) -> Datum {
    vector(Type::OID.oid, values.into_iter().map(Datum::Oid).collect())
}

/// An array of int2.
pub(super) fn int2_array(values: impl IntoIterator<Item = i16>) -> Datum {
    Datum::Array(Box::new(Array::new(Type::INT2.oid, values.into_iter().map(Datum::Int2).collect())))
}

/// An array of oid (or of an oid-like type).
pub(super) fn oid_array(element: Type, values: impl IntoIterator<Item = Oid>) -> Datum {
    Datum::Array(Box::new(Array::new(element.oid, values.into_iter().map(Datum::Oid).collect())))
}

/// A list of privileges, as `relacl` and its like show it; NULL where nothing was ever said.
pub(super) fn acl(catalog: &Catalog, class: ObjectClass, object: Oid, column: i32) -> Datum {
    match catalog.acl(class, object, column) {
        None => Datum::Null,
        Some(items) => acl_array(catalog, items),
    }
}

/// An array of aclitem.
pub(super) fn acl_array(catalog: &Catalog, items: &[AclItem]) -> Datum {
    let items = items.iter().map(|item| Datum::text(privilege::item_text(catalog, item))).collect();
    Datum::Array(Box::new(Array::new(ACLITEM, items)))
}

/// An array of text.
pub(super) fn text_array<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Datum {
    let values = values.into_iter().map(|v| Datum::text(v.into())).collect();
    Datum::Array(Box::new(Array::new(Type::TEXT.oid, values)))
}
