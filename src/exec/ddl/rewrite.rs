//! New rows for a table whose definition changed: read everything, compute, write under a new storage.

use std::ops::Bound;
use std::sync::Arc;

use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::eval::Compiled;
use crate::storage::catalog::{Column, Entry, Table};
use crate::storage::command::Expect;

use super::Ddl;
use crate::exec::rows::{encode_row, read_row, row_key};
use crate::exec::rules::Generated;

/// How a column's new value is computed from the old row.
pub(super) struct NewValue {
    pub number: i16,
    pub expr: Compiled,
}

impl Ddl<'_> {
    /// Calls a function with every row of a table, all columns by number.
    pub(super) fn each_row(&self, table: &Table, mut f: impl FnMut(Vec<Datum>) -> Result<()>) -> Result<()> {
        let generated = match table.has_virtual() {
            true => Generated::new(table, &self.eval)?,
            false => Generated::default(),
        };
        let mut scan = self.view.scan(table, &(Bound::Unbounded, Bound::Unbounded), Default::default());
        while scan.advance()? {
            self.shared.cancel.check()?;
            let mut row = read_row(table, scan.row(), &self.eval)?;
            generated.fill_virtual(&mut row, &self.eval)?;
            f(row)?;
        }
        Ok(())
    }

    /// Whether a table has any row.
    pub(super) fn has_rows(&self, table: &Table) -> Result<bool> {
        self.view.scan(table, &(Bound::Unbounded, Bound::Unbounded), Default::default()).advance()
    }

    /// 23502 for rows that are there already.
    pub(super) fn contains_null(&self, table: &Table, column: &Column) -> Error {
        err!(NOT_NULL_VIOLATION, "column \"{}\" of relation \"{}\" contains null values", column.name, table.name)
            .column(column.name.clone())
            .table(self.schema_name(table.schema), table.name.clone())
    }

    /// Writes the table anew: `old` is how its rows are, `new` (with its new columns and key) how they become.
    pub(super) fn rewrite(&mut self, old: &Table, new: Table, values: &[NewValue]) -> Result<()> {
        let eval = self.eval.clone();
        self.rewrite_rows(old, new, &mut |row| {
            let before = row.clone();
            for value in values {
                row[value.number as usize - 1] = value.expr.eval(&before, &[], &eval)?;
            }
            Ok(())
        })
    }

    /// As [`Ddl::rewrite`]; `change` makes the new row of the old one, which has room for the new columns.
    pub(super) fn rewrite_rows(
        &mut self,
        old: &Table,
        mut new: Table,
        change: &mut dyn FnMut(&mut Vec<Datum>) -> Result<()>,
    ) -> Result<()> {
        let eval = self.eval.clone();
        let generated = Generated::new(&new, &eval)?;
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        self.each_row(old, |mut row| {
            row.resize(new.columns.len(), Datum::Null);
            change(&mut row)?;
            generated.fill(&mut row, false, &eval)?;
            rows.push(row);
            Ok(())
        })?;
        for row in &rows {
            if let Some(column) = new.live_columns().find(|c| c.not_null && row[c.number as usize - 1].is_null()) {
                return Err(self.contains_null(&new, column));
            }
        }
        new.storage = self.allocate();
        let base = self.transaction.base_storage(self.view.snapshot.catalog(), old.oid);
        self.transaction.clear_table(old.oid, base);
        for column in &mut new.columns {
            column.missing = None;
        }
        self.put(Entry::Table(new.clone()));
        let mut next_rowid = match new.key.is_empty() {
            true => self.shared.server.engine.next_rowids(new.storage, rows.len() as u32)?,
            false => 0,
        };
        for row in rows {
            let key = row_key(&new, &row, &mut next_rowid)?;
            let bytes: Arc<[u8]> = encode_row(&new, &row).into();
            let mut buffer = self.transaction.buffer();
            if buffer.table(new.oid).is_some_and(|t| t.get(&key).is_some()) {
                return Err(err!(UNIQUE_VIOLATION, "could not create unique index for table \"{}\"", new.name));
            }
            buffer.write(new.oid, base, &key, Some(bytes), Expect::Absent)?;
        }
        self.view.buffer = Some(self.transaction.buffer().share());
        Ok(())
    }
}
