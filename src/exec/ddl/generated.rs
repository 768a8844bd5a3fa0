//! Generated columns: making one, and ALTER COLUMN SET EXPRESSION and DROP EXPRESSION.

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::kept::{canonical_generated, generated_from};
use crate::sql::binder::table::{TableExpr, bind_table_expr};
use crate::sql::parser::ident;
use crate::sql::statement::{Expression, ast};
use crate::storage::catalog::{Constraint, Entry, Generated, Table};

use super::Ddl;
use super::alter_column::column_mut;

impl Ddl<'_> {
    /// Checks the expression of a generated column and keeps it.
    pub(super) fn make_generated(&mut self, table: &mut Table, position: usize, written: &ast::Expr) -> Result<()> {
        let column = table.columns[position].clone();
        let Some(generated) = &column.generated else { return Ok(()) };
        let kind = TableExpr::Generated(column.number, column.typ);
        bind_table_expr(written, kind, table, &self.eval, self.text)?;
        let expr = canonical_generated(&generated.expr, table, &column, &self.eval)?;
        table.columns[position].generated = Some(Generated { expr, stored: generated.stored });
        self.put(Entry::Table(table.clone()));
        Ok(())
    }

    /// Computes a generated column for the rows that are there: a stored one rewrites the table, of a virtual one only
    /// the constraints are checked.
    pub(super) fn compute_generated(&mut self, old: &Table, new: &Table, number: i16) -> Result<()> {
        let column = new.column_by_number(number).ok_or_else(|| Error::internal("the column is there"))?;
        if !column.is_virtual() {
            return self.rewrite(old, new.clone(), &[]);
        }
        let not_null = column.not_null;
        self.each_row(new, |row| match not_null && row[number as usize - 1].is_null() {
            true => Err(self.contains_null(new, column)),
            false => Ok(()),
        })
    }

    /// The generated columns that a column is used in.
    fn generated_of(&self, table: &Table, number: i16) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (column, generated) in table.generated_columns() {
            if column.number != number && generated_from(&generated.expr, table, column, &self.eval)?.contains(&number)
            {
                found.push(column.name.clone());
            }
        }
        Ok(found)
    }

    /// ALTER COLUMN TYPE of a column that a generated one is computed from.
    pub(super) fn refuse_used_by_generated(&self, table: &Table, number: i16) -> Result<()> {
        let name = table.column_by_number(number).map(|c| c.name.clone()).unwrap_or_default();
        match self.generated_of(table, number)?.first() {
            Some(column) => {
                Err(err!(FEATURE_NOT_SUPPORTED, "cannot alter type of a column used by a generated column")
                    .detail(format!("Column \"{name}\" is used by generated column \"{column}\".")))
            }
            None => Ok(()),
        }
    }

    /// What else goes with a column: generated columns and foreign keys that use it; refused without CASCADE.
    pub(super) fn release_column(&mut self, table: &Table, number: i16, cascade: bool) -> Result<()> {
        let Some(column) = table.column_by_number(number) else { return Ok(()) };
        let shown = self.shown(&Entry::Table(table.clone()));
        let subject = format!("column {} of table {shown}", column.name);
        let generated = self.generated_of(table, number)?;
        if !generated.is_empty() && !cascade {
            let detail: Vec<String> =
                generated.iter().map(|g| format!("column {g} of table {shown} depends on {subject}")).collect();
            return Err(err!(
                DEPENDENT_OBJECTS_STILL_EXIST,
                "cannot drop {subject} because other objects depend on it"
            )
            .detail(detail.join("\n"))
            .hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        let catalog = self.catalog();
        let uses = |c: &Constraint| c.foreign_key().is_some_and(|k| k.referenced.contains(&number));
        let keys: Vec<(Oid, Constraint)> = catalog
            .foreign_keys_to(table.oid)
            .filter(|(t, c)| uses(c) && !(t.oid == table.oid && c.columns().contains(&number)))
            .map(|(t, c)| (t.oid, c.clone()))
            .collect();
        self.release_foreign_keys(keys, &subject, &subject, cascade)?;
        let list: Vec<String> =
            generated.iter().map(|name| format!("drop cascades to column {name} of table {shown}")).collect();
        match list.as_slice() {
            [] => {}
            [one] => self.notice(SqlState::SUCCESSFUL_COMPLETION, one.clone()),
            many => {
                let text = format!("drop cascades to {} other objects", many.len());
                let report = Error::new(SqlState::SUCCESSFUL_COMPLETION, text).detail(many.join("\n"));
                self.shared.notice("NOTICE", report);
            }
        }
        for name in generated {
            let table = self.current(table.oid)?;
            self.drop_column(table, false, &ast::Ident::with_quote('"', name), true)?;
        }
        Ok(())
    }

    /// ALTER COLUMN SET EXPRESSION.
    pub(super) fn set_expression(&mut self, mut table: Table, name: &ast::Ident, written: &Expression) -> Result<()> {
        let number = self.column_number(&table, name)?;
        let old = table.clone();
        let owner = table.name.clone();
        let column = column_mut(&mut table, number)?;
        let Some(generated) = &mut column.generated else {
            let name = ident(name);
            return Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "column \"{name}\" of relation \"{owner}\" is not a generated column"
            ));
        };
        generated.expr.clone_from(&written.text);
        let stored = generated.stored;
        if !stored && !old.constraints.iter().all(|c| c.index().is_some() || c.foreign_key().is_some()) {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "ALTER TABLE / SET EXPRESSION is not supported for virtual generated columns in tables with check constraints"
            )
            .detail(format!("Column \"{}\" of relation \"{owner}\" is a virtual generated column.", ident(name))));
        }
        let position = table.columns.iter().position(|c| c.number == number).unwrap_or(0);
        self.make_generated(&mut table, position, &written.expr)?;
        self.compute_generated(&old, &table, number)
    }

    /// ALTER COLUMN DROP EXPRESSION.
    pub(super) fn drop_expression(&mut self, mut table: Table, name: &ast::Ident, if_exists: bool) -> Result<()> {
        let number = self.column_number(&table, name)?;
        let owner = table.name.clone();
        let column = column_mut(&mut table, number)?;
        match &column.generated {
            None => {
                let message = format!("column \"{}\" of relation \"{owner}\" is not a generated column", column.name);
                if if_exists {
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
                    return Ok(());
                }
                return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
            }
            Some(generated) if !generated.stored => {
                return Err(err!(
                    FEATURE_NOT_SUPPORTED,
                    "ALTER TABLE / DROP EXPRESSION is not supported for virtual generated columns"
                )
                .detail(format!("Column \"{}\" of relation \"{owner}\" is a virtual generated column.", column.name)));
            }
            Some(_) => column.generated = None,
        }
        self.put(Entry::Table(table));
        Ok(())
    }
}
