//! [`Link`]: one foreign key between two tables, and the keys by which rows of one find rows of the other.
//!
//! All keys are those of the unique index that the foreign key refers to: a referencing row's values are converted to
//! the types of the columns referred to and encoded as that index does.

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::casts::{self, Context as CastContext, Pathway};
use crate::sql::context::{EvalContext, FormatSettings};
use crate::sql::function::Body;
use crate::sql::io;
use crate::storage::catalog::{Catalog, Constraint, ForeignKey, Index, IndexSource, Table};
use crate::storage::evaluator::{Children, NamedKey, Reference};
use std::sync::Arc;

use super::rows::{encode_index_keys, read_row};

/// How a referencing value becomes one of the type referred to.
#[derive(Clone, Copy, Debug)]
enum Conversion {
    Same,
    Integer,
    Float,
    Cast(Pathway),
}

/// One foreign key.
pub(crate) struct Link {
    pub constraint: Constraint,
    pub key: ForeignKey,
    pub child: Table,
    pub parent: Table,
    schema: String,
    index: Index,
    /// Where the rows referred to are: the parent, or its partitions, each with its index.
    targets: Vec<(Oid, Index)>,
    /// For each key of the index, which column of the foreign key it is.
    order: Vec<usize>,
    conversions: Vec<Conversion>,
    /// How referencing rows are found: an index (or the row key), and for each of its first keys the foreign key's column.
    path: Option<(Index, Vec<usize>)>,
    eval: EvalContext,
}

/// Whether a column of one type can refer to one of another.
pub(crate) fn can_refer(from: Type, to: Type) -> bool {
    conversion(from, to).is_some()
}

fn conversion(from: Type, to: Type) -> Option<Conversion> {
    let is_integer = |t: Type| [Type::INT2.oid, Type::INT4.oid, Type::INT8.oid].contains(&t.oid);
    let is_float = |t: Type| [Type::FLOAT4.oid, Type::FLOAT8.oid].contains(&t.oid);
    let is_text = |t: Type| [Type::TEXT.oid, Type::VARCHAR.oid].contains(&t.oid);
    if from.oid == to.oid || is_text(from) && is_text(to) {
        return Some(Conversion::Same);
    }
    if is_integer(from) && is_integer(to) {
        return Some(Conversion::Integer);
    }
    if is_float(from) && is_float(to) {
        return Some(Conversion::Float);
    }
    match casts::pathway(from.oid, to.oid, CastContext::Implicit)? {
        path @ (Pathway::Function(_) | Pathway::Relabel) => Some(Conversion::Cast(path)),
        Pathway::Array | Pathway::InOut => None,
    }
}

fn integer(value: &Datum, typ: Type) -> Option<Datum> {
    let number = match value {
        Datum::Int2(v) => i64::from(*v),
        Datum::Int4(v) => i64::from(*v),
        Datum::Int8(v) => *v,
        _ => return None,
    };
    match Type::new(typ.oid) {
        Type::INT2 => i16::try_from(number).ok().map(Datum::Int2),
        Type::INT4 => i32::try_from(number).ok().map(Datum::Int4),
        _ => Some(Datum::Int8(number)),
    }
}

fn float(value: &Datum, typ: Type) -> Option<Datum> {
    let number = match value {
        Datum::Float4(v) => f64::from(*v),
        Datum::Float8(v) => *v,
        _ => return None,
    };
    if typ.oid == Type::FLOAT8.oid {
        return Some(Datum::Float8(number));
    }
    let short = number as f32;
    (f64::from(short) == number || number.is_nan()).then_some(Datum::Float4(short))
}

/// The tables that hold the rows of a table referred to, each with its part of the index.
fn targets(catalog: &Catalog, parent: &Table, index: &Index) -> Vec<(Oid, Index)> {
    if !parent.is_partitioned() {
        return vec![(parent.oid, index.clone())];
    }
    let mut found = Vec::new();
    for child in catalog.children_of(parent.oid) {
        let part = catalog.indexes_of(*child).find(|own| own.parent == Some(index.oid));
        if let (Some(child), Some(part)) = (catalog.table(*child), part) {
            found.extend(targets(catalog, child, part));
        }
    }
    found
}

impl Link {
    /// The foreign key of a constraint; `None`: it is none, or what it refers to is gone.
    pub(crate) fn new(catalog: &Arc<Catalog>, child: &Table, constraint: &Constraint) -> Result<Option<Self>> {
        let Some(key) = constraint.foreign_key() else { return Ok(None) };
        let (Some(parent), Some(index)) = (catalog.table(key.table), catalog.index(key.index)) else {
            return Ok(None);
        };
        let place = |source: &IndexSource| match source {
            IndexSource::Column(number) => key.referenced.iter().position(|n| n == number),
            IndexSource::Expression(_) => None,
        };
        let order = index.keys.iter().map(|k| place(&k.source)).collect::<Option<Vec<_>>>();
        let order = order.ok_or_else(|| Error::internal("a foreign key's index is over its columns"))?;
        let typ = |table: &Table, number: i16| table.column_by_number(number).map_or(Type::UNKNOWN, |c| c.typ);
        let mut conversions = Vec::new();
        for (own, theirs) in key.columns.iter().zip(&key.referenced) {
            let found = conversion(typ(child, *own), typ(parent, *theirs));
            conversions.push(found.ok_or_else(|| Error::internal("a foreign key's columns have fitting types"))?);
        }
        let mut path: Option<(Index, Vec<usize>)> = None;
        for own in catalog.indexes_of(child.oid).filter(|i| i.method == "btree" && i.predicate.is_none()) {
            let mut places = Vec::new();
            for k in &own.keys {
                let IndexSource::Column(number) = &k.source else { break };
                match key.columns.iter().position(|n| n == number) {
                    Some(at) if !matches!(conversions[at], Conversion::Cast(_)) => places.push(at),
                    _ => break,
                }
            }
            if places.len() > path.as_ref().map_or(0, |(_, p)| p.len()) {
                path = Some((own.clone(), places));
            }
        }
        Ok(Some(Self {
            schema: catalog.get(child.schema).map(|s| s.name().to_string()).unwrap_or_default(),
            constraint: constraint.clone(),
            key: key.clone(),
            child: child.clone(),
            parent: parent.clone(),
            index: index.clone(),
            targets: targets(catalog, parent, index),
            order,
            conversions,
            path,
            eval: EvalContext::detached(catalog.clone()),
        }))
    }

    /// The same foreign key seen from a partition of the table referred to; `None`: it has no index for it.
    pub(crate) fn seen_from(mut self, part: &Table) -> Option<Self> {
        let (_, index) = self.targets.iter().find(|(table, _)| *table == part.oid)?;
        let index = index.clone();
        let referenced = self.key.referenced.iter().map(|n| part.number_of(&self.parent, *n));
        self.key.referenced = referenced.collect::<Option<_>>()?;
        self.parent = part.clone();
        self.index = index;
        Some(self)
    }

    /// The tables with the rows referred to, and their indexes.
    pub(crate) fn targets(&self) -> &[(Oid, Index)] {
        &self.targets
    }

    /// The OID of the constraint.
    pub(crate) fn oid(&self) -> Oid {
        self.constraint.oid
    }

    fn child_values<'r>(&self, row: &'r [Datum]) -> Vec<&'r Datum> {
        self.key.columns.iter().map(|n| &row[*n as usize - 1]).collect()
    }

    fn converted(&self, at: usize, value: &Datum) -> Result<Option<Datum>> {
        let typ = self.parent.column_by_number(self.key.referenced[at]).map_or(Type::UNKNOWN, |c| c.typ);
        Ok(match self.conversions[at] {
            Conversion::Same | Conversion::Cast(Pathway::Relabel) => Some(value.clone()),
            Conversion::Integer => integer(value, typ),
            Conversion::Float => float(value, typ),
            Conversion::Cast(Pathway::Function(function)) => match &function.body {
                Body::Scalar(call) => Some(call(&self.eval, std::slice::from_ref(value))?),
                _ => return Err(Error::internal("a cast is a scalar function")),
            },
            Conversion::Cast(_) => return Err(Error::internal("a foreign key's columns have fitting types")),
        })
    }

    /// The value that ON UPDATE CASCADE gives a column.
    pub(crate) fn child_value(&self, at: usize, parent_row: &[Datum]) -> Result<Datum> {
        let value = &parent_row[self.key.referenced[at] as usize - 1];
        let column = self.child.column_by_number(self.key.columns[at]);
        let typ = column.map_or(Type::UNKNOWN, |c| c.typ);
        if value.is_null() {
            return Ok(Datum::Null);
        }
        let out_of_range = || {
            let name = crate::sql::types::format_type(Type::new(typ.oid));
            err!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range")
        };
        match self.conversions[at] {
            Conversion::Same => Ok(value.clone()),
            Conversion::Integer => integer(value, typ).ok_or_else(out_of_range),
            Conversion::Float => float(value, typ).ok_or_else(out_of_range),
            Conversion::Cast(_) => {
                let parent = self.parent.column_by_number(self.key.referenced[at]);
                let mut text = String::new();
                let from = parent.map_or(Type::UNKNOWN, |c| c.typ);
                io::text_out(value, from, &FormatSettings::default(), &mut text);
                io::text_in(typ, &text, &self.eval)
            }
        }
    }

    /// The key that a referencing row names.
    pub(crate) fn named(&self, row: &[Datum]) -> Result<NamedKey> {
        let values = self.child_values(row);
        let nulls = values.iter().filter(|v| v.is_null()).count();
        if nulls == values.len() || nulls > 0 && !self.key.match_full {
            return Ok(NamedKey::Nothing);
        }
        if nulls > 0 {
            return Ok(NamedKey::Mixed);
        }
        let mut keys = Vec::with_capacity(self.order.len());
        for at in &self.order {
            match self.converted(*at, values[*at])? {
                Some(value) => keys.push(value),
                None => return Ok(NamedKey::Impossible),
            }
        }
        let mut out = Vec::with_capacity(24);
        encode_index_keys(&self.index, &keys, &mut out);
        Ok(NamedKey::Key(out))
    }

    /// The key that a row referred to has; `None`: nothing can refer to it.
    pub(crate) fn own(&self, row: &[Datum]) -> Option<Vec<u8>> {
        let keys: Vec<Datum> = self.order.iter().map(|at| row[self.key.referenced[*at] as usize - 1].clone()).collect();
        if keys.iter().any(Datum::is_null) {
            return None;
        }
        let mut out = Vec::with_capacity(24);
        encode_index_keys(&self.index, &keys, &mut out);
        Some(out)
    }

    /// Where the rows are that may refer to a row.
    pub(crate) fn children_of(&self, row: &[Datum]) -> Children {
        let Some((index, places)) = &self.path else { return Children::Anywhere };
        let mut keys = Vec::with_capacity(places.len());
        for at in places {
            let value = &row[self.key.referenced[*at] as usize - 1];
            let typ = self.child.column_by_number(self.key.columns[*at]).map_or(Type::UNKNOWN, |c| c.typ);
            let value = match self.conversions[*at] {
                Conversion::Integer => integer(value, typ),
                Conversion::Float => float(value, typ),
                _ => Some(value.clone()),
            };
            match value {
                Some(value) => keys.push(value),
                None => return Children::None,
            }
        }
        let mut prefix = Vec::with_capacity(24);
        encode_index_keys(index, &keys, &mut prefix);
        match index.is_row_key {
            true => Children::RowKeys(prefix),
            false => Children::Entries(index.oid, prefix),
        }
    }

    fn describe(&self, table: &Table, numbers: &[i16], row: &[Datum]) -> String {
        let (mut names, mut values) = (String::new(), String::new());
        for (i, number) in numbers.iter().enumerate() {
            if i > 0 {
                names.push_str(", ");
                values.push_str(", ");
            }
            let Some(column) = table.column_by_number(*number) else { continue };
            names.push_str(&column.name);
            match &row[*number as usize - 1] {
                Datum::Null => values.push_str("null"),
                value => io::text_out(value, column.typ, &FormatSettings::default(), &mut values),
            }
        }
        format!("({names})=({values})")
    }

    /// 23503 for a referencing row.
    pub(crate) fn missing_error(&self, row: &[Datum]) -> Error {
        let mixed = matches!(self.named(row), Ok(NamedKey::Mixed));
        let detail = match mixed {
            true => "MATCH FULL does not allow mixing of null and nonnull key values.".to_string(),
            false => format!(
                "Key {} is not present in table \"{}\".",
                self.describe(&self.child, &self.key.columns, row),
                self.parent.name
            ),
        };
        err!(
            FOREIGN_KEY_VIOLATION,
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            self.child.name,
            self.constraint.name
        )
        .detail(detail)
        .table(self.schema.clone(), self.child.name.clone())
        .constraint(self.constraint.name.clone())
    }

    /// 23503 (or 23001) for a row that is referred to.
    pub(crate) fn referenced_error(&self, row: &[Datum], restrict: bool) -> Error {
        let (parent, name, child) = (&self.parent.name, &self.constraint.name, &self.child.name);
        let key = self.describe(&self.parent, &self.key.referenced, row);
        let error = match restrict {
            true => err!(
                RESTRICT_VIOLATION,
                "update or delete on table \"{parent}\" violates RESTRICT setting of foreign key constraint \"{name}\" on table \"{child}\""
            )
            .detail(format!("Key {key} is referenced from table \"{child}\".")),
            false => err!(
                FOREIGN_KEY_VIOLATION,
                "update or delete on table \"{parent}\" violates foreign key constraint \"{name}\" on table \"{child}\""
            )
            .detail(format!("Key {key} is still referenced from table \"{child}\".")),
        };
        error.table(self.schema.clone(), child.clone()).constraint(name.clone())
    }

    fn child_row(&self, bytes: &[u8]) -> Result<Vec<Datum>> {
        read_row(&self.child, bytes, &self.eval)
    }

    fn parent_row(&self, bytes: &[u8]) -> Result<Vec<Datum>> {
        read_row(&self.parent, bytes, &self.eval)
    }
}

impl Reference for Link {
    fn id(&self) -> Oid {
        self.oid()
    }

    fn child(&self) -> Oid {
        self.child.oid
    }

    fn parents(&self) -> Vec<(Oid, Oid)> {
        let by = |index: &Index| if index.is_row_key { 0 } else { index.oid };
        self.targets.iter().map(|(table, index)| (*table, by(index))).collect()
    }

    fn named_key(&self, row: &[u8]) -> Result<NamedKey> {
        self.named(&self.child_row(row)?)
    }

    fn own_key(&self, row: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.own(&self.parent_row(row)?))
    }

    fn children(&self, row: &[u8]) -> Result<Children> {
        Ok(self.children_of(&self.parent_row(row)?))
    }

    fn missing(&self, row: &[u8]) -> Error {
        self.child_row(row).map_or_else(|e| e, |row| self.missing_error(&row))
    }

    fn still_referenced(&self, row: &[u8]) -> Error {
        self.parent_row(row).map_or_else(|e| e, |row| self.referenced_error(&row, false))
    }
}
