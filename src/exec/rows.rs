//! Rows of tables as values: reading stored bytes (columns added later have their `missing` value), keys of rows,
//! keys of indexes.

use std::borrow::Cow;

use crate::document::key::{KeyOrder, encode_column, encode_rowid};
use crate::document::row::{self, RowRef};
use crate::document::{Datum, Type};
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::io;
use crate::sql::plan::ColumnId;
use crate::storage::catalog::{Column, Index, Table};

/// Reads chosen columns of a table's rows.
#[derive(Clone, Debug)]
pub(crate) struct RowReader {
    columns: Vec<(usize, Datum)>,
}

impl RowReader {
    /// A reader of columns by number.
    pub(crate) fn new(table: &Table, numbers: &[i16], eval: &EvalContext) -> Result<Self> {
        let columns = numbers.iter().map(|number| {
            let missing = match table.column_by_number(*number) {
                Some(column) => missing_value(column, eval)?,
                None => Datum::Null,
            };
            Ok(((*number - 1) as usize, missing))
        });
        Ok(Self { columns: columns.collect::<Result<_>>()? })
    }

    /// One column of a row.
    pub(crate) fn value(&self, row: &RowRef<'_>, at: usize) -> Result<Datum> {
        let (index, missing) = &self.columns[at];
        if *index < row.len() { row.datum(*index) } else { Ok(missing.clone()) }
    }
}

/// What rows from before ADD COLUMN have in a column.
pub(crate) fn missing_value(column: &Column, eval: &EvalContext) -> Result<Datum> {
    match &column.missing {
        Some(text) if !column.dropped => io::text_in(Type::new(column.typ.oid), text, eval),
        _ => Ok(Datum::Null),
    }
}

/// All columns of a row by number, dropped ones NULL.
pub(crate) fn read_row(table: &Table, bytes: &[u8], eval: &EvalContext) -> Result<Vec<Datum>> {
    let row = RowRef::new(bytes)?;
    let mut values = Vec::with_capacity(table.columns.len());
    for (i, column) in table.columns.iter().enumerate() {
        values.push(match () {
            () if column.dropped => Datum::Null,
            () if i < row.len() => row.datum(i)?,
            () => missing_value(column, eval)?,
        });
    }
    Ok(values)
}

/// The bytes of a row: all columns by number.
pub(crate) fn encode_row(table: &Table, values: &[Datum]) -> Vec<u8> {
    if !table.has_virtual() {
        return row::encode_row(values);
    }
    let mut values = values.to_vec();
    for column in table.columns.iter().filter(|c| c.is_virtual()) {
        values[column.number as usize - 1] = Datum::Null;
    }
    row::encode_row(&values)
}

/// The ids by which kept expressions name a row's columns: their numbers.
pub(crate) fn row_columns(table: &Table) -> Vec<ColumnId> {
    table.columns.iter().map(|c| c.number as ColumnId).collect()
}

/// The value of a key column as it is encoded: blanks at the end of `char(n)` do not count.
pub(crate) fn key_value(value: &Datum, typ: Type) -> Cow<'_, Datum> {
    match value {
        Datum::Text(text) if typ.oid == Type::BPCHAR.oid && text.ends_with(' ') => {
            Cow::Owned(Datum::text(text.trim_end_matches(' ')))
        }
        _ => Cow::Borrowed(value),
    }
}

/// The key of a row: its key columns, or the next row id.
pub(crate) fn row_key(table: &Table, values: &[Datum], next_rowid: &mut i64) -> Result<Vec<u8>> {
    if table.key.is_empty() {
        let key = encode_rowid(*next_rowid).to_vec();
        *next_rowid += 1;
        return Ok(key);
    }
    Ok(primary_key(table, values))
}

/// The key of a row that is stored by its key columns.
pub(crate) fn primary_key(table: &Table, values: &[Datum]) -> Vec<u8> {
    let mut key = Vec::with_capacity(24);
    for number in &table.key {
        let at = *number as usize - 1;
        encode_column(&key_value(&values[at], table.columns[at].typ), KeyOrder::default(), &mut key);
    }
    key
}

/// The order of an index's keys.
pub(crate) fn key_order(descending: bool, nulls_first: bool) -> KeyOrder {
    KeyOrder { descending, nulls_first }
}

/// Appends the encoded keys of an index (or of its first columns).
pub(crate) fn encode_index_keys(index: &Index, values: &[Datum], out: &mut Vec<u8>) {
    for (key, value) in index.keys.iter().zip(values) {
        encode_column(&key_value(value, key.typ), key_order(key.descending, key.nulls_first), out);
    }
}

/// A value as text that its type reads back; `None` for NULL.
pub(crate) fn text_of(value: &Datum, typ: Type, eval: &EvalContext) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut text = String::new();
    let plain = EvalContext { format: Default::default(), ..eval.clone() };
    io::output(value, typ, &plain, &mut text);
    Some(text)
}
