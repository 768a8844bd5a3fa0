//! INSERT: every live column gets a value, from the statement, its default or its identity.

use sqlparser::ast;

use crate::document::Type;
use crate::err;
use crate::error::Result;
use crate::sql::parser::ident;
use crate::sql::plan::{Access, ColumnId, Expr, Modify, ModifyKind, Rel};
use crate::sql::statement::{self as stmt, Insert, InsertSource, Overriding, Statement, ValueOrDefault};
use crate::storage::catalog::Column;

use super::coerce::Context;
use super::dml::{Rows, modified};
use super::scope::{Clause, Scope};
use super::select::QueryOptions;
use super::target::{Event, Target};
use super::{Binder, Bound};

/// The rows of an INSERT: the source and the value of each named column over it.
pub(super) struct Source {
    pub(super) rel: Rel,
    pub(super) values: Vec<(i16, Expr)>,
}

/// A member of the column list: a column or a part of it.
#[derive(Clone, Copy)]
pub(super) struct Given<'t> {
    pub(super) column: &'t Column,
    target: Option<&'t stmt::Target>,
}

impl<'t> Given<'t> {
    /// The path to the part, if it is one.
    fn part(&self) -> Option<&'t stmt::Target> {
        self.target.filter(|target| !target.path.is_empty())
    }

    fn is_part(&self) -> bool {
        self.part().is_some()
    }
}

impl Binder<'_> {
    /// INSERT.
    pub(super) fn insert(
        &mut self,
        insert: &Insert,
        members: &[(usize, Statement)],
        parent: &Scope<'_>,
    ) -> Result<Bound> {
        self.with_around(insert.with.as_ref(), members, parent, |binder, parent| {
            let target = binder.dml_target(&insert.table, Event::Insert, &[Access::Insert])?;
            let source = binder.insert_source(insert, &target, parent)?;
            let values = binder.with_defaults(&target, source.values)?;
            let new_columns = binder.row_columns(&target);
            let needs_old = insert.returning.is_some() || insert.on_conflict.is_some();
            let old_columns = if needs_old { binder.row_columns(&target) } else { Vec::new() };
            let on_conflict = match &insert.on_conflict {
                Some(on_conflict) => {
                    let rows = Rows {
                        target: &target,
                        new: &new_columns,
                        old: &old_columns,
                        shown: &old_columns,
                        source_first: false,
                    };
                    Some(binder.on_conflict(on_conflict, &rows, insert.alias.as_ref(), parent)?)
                }
                None => None,
            };
            let checks = binder.checks(&target, &new_columns)?;
            let view_checks = target.view_checks(&new_columns);
            let rows = Rows {
                target: &target,
                new: &new_columns,
                old: &old_columns,
                shown: &new_columns,
                source_first: false,
            };
            let returning = binder.returning(insert.returning.as_ref(), &rows, insert.alias.as_ref(), &[], parent)?;
            Ok(modified(
                Modify {
                    table: target.oid,
                    tree: target.is_partitioned(),
                    kind: ModifyKind::Insert { source: source.rel, values, on_conflict },
                    returning: None,
                    new_columns,
                    old_columns,
                    checks,
                    view_checks,
                },
                returning,
            ))
        })
    }

    /// A value for each live column: the given one, or its default.
    pub(super) fn with_defaults(&mut self, table: &Target, given: Vec<(i16, Expr)>) -> Result<Vec<(i16, Expr)>> {
        let mut values = Vec::new();
        for column in table.live_columns() {
            let value = match given.iter().find(|(number, _)| *number == column.number) {
                Some((_, value)) => value.clone(),
                None => self.target_default(table, column)?,
            };
            values.push((column.number, value));
        }
        Ok(values)
    }

    /// The members of the column list; without a list the first columns, as many as there are values.
    pub(super) fn insert_columns<'t>(
        &mut self,
        table: &'t Target,
        targets: &'t [stmt::Target],
        values: usize,
    ) -> Result<Vec<Given<'t>>> {
        let given = self.listed_columns(table, targets, values)?;
        self.writes_all(table, Access::Insert, given.iter().map(|given| given.column.number));
        Ok(given)
    }

    fn listed_columns<'t>(
        &self,
        table: &'t Target,
        targets: &'t [stmt::Target],
        values: usize,
    ) -> Result<Vec<Given<'t>>> {
        if targets.is_empty() {
            let whole = |at: usize| Ok(Given { column: table.nth_column(at)?, target: None });
            return (0..values.min(table.width())).map(whole).collect();
        }
        let mut given: Vec<Given<'_>> = Vec::with_capacity(targets.len());
        for target in targets {
            let column = self.target_column(table, &target.column)?;
            let position = self.at(target.column.span);
            let is_part = !target.path.is_empty();
            // Parts of one column may be given side by side.
            if given.iter().any(|known| known.column.number == column.number && !(is_part && known.is_part())) {
                let name = ident(&target.column);
                return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once").at(position));
            }
            given.push(Given { column, target: Some(target) });
        }
        Ok(given)
    }

    /// The type that a value for a member of the list is given as.
    fn given_type(&self, given: &Given<'_>) -> Result<Type> {
        match given.part() {
            Some(target) => self.part_type(target, given.column),
            None => Ok(given.column.typ),
        }
    }

    /// A value as it is given for a member of the list.
    fn given_value(&mut self, value: Expr, given: &Given<'_>, position: u32) -> Result<Expr> {
        let Some(target) = given.part() else { return self.stored(value, given.column, position) };
        let wanted = self.part_type(target, given.column)?;
        match self.coerce_to(value.clone(), wanted, Context::Assignment, position)? {
            Some(value) => Ok(value),
            // The assignment itself says what is wrong.
            None => {
                let base = Expr::null(given.column.typ);
                self.assigned_part(base, target, (value, position), given.column, &Scope::root())
            }
        }
    }

    /// The values of the columns: parts of one column are put together.
    fn put_together(&mut self, given: &[Given<'_>], cells: Vec<Expr>, scope: &Scope<'_>) -> Result<Vec<(i16, Expr)>> {
        let mut values: Vec<(i16, Expr)> = Vec::with_capacity(cells.len());
        for (given, cell) in given.iter().zip(cells) {
            let number = given.column.number;
            let value = match given.part() {
                None => cell,
                Some(target) => {
                    let before = values.iter().position(|(known, _)| *known == number);
                    let base = before.map_or(Expr::null(given.column.typ), |at| values.remove(at).1);
                    self.assigned_part(base, target, (cell, 0), given.column, scope)?
                }
            };
            values.push((number, value));
        }
        Ok(values)
    }

    fn insert_source(&mut self, insert: &Insert, table: &Target, parent: &Scope<'_>) -> Result<Source> {
        let explicit = !insert.columns.is_empty();
        let width = if explicit { insert.columns.len() } else { table.width() };
        let scope = Scope::over(Some(parent), Vec::new(), Clause::Values);
        // What is wrong with the list is said before what is wrong with the values.
        let listed = if explicit { self.insert_columns(table, &insert.columns, width)? } else { Vec::new() };
        match &insert.source {
            InsertSource::DefaultValues => Ok(Source { rel: Rel::OneRow, values: Vec::new() }),
            InsertSource::Values(rows) => {
                if let Some(row) = rows.iter().find(|row| row.len() != rows[0].len()) {
                    let position = row.first().map_or(0, |value| match value {
                        ValueOrDefault::Value(expr) => self.expr_at(expr),
                        ValueOrDefault::Default => 0,
                    });
                    return Err(err!(SYNTAX_ERROR, "VALUES lists must all be the same length").at(position));
                }
                for row in rows {
                    self.check_values_width(row, &insert.columns, width)?;
                }
                let given = rows.first().map_or(0, Vec::len);
                let columns = if explicit { listed } else { self.insert_columns(table, &[], given)? };
                self.insert_rows(rows, insert.overriding, table, &columns, &scope)
            }
            InsertSource::Query(query) => {
                let options = QueryOptions { keep_unknown: true, ..Default::default() };
                let bound = self.query(query, options, parent)?;
                let given = bound.columns.len();
                let missing = insert.columns.get(given).map_or(0, |target| self.at(target.column.span));
                self.check_width(given, width, explicit, 0, missing)?;
                let columns = if explicit { listed } else { self.insert_columns(table, &[], given)? };
                // A literal in the select list is read as the column's type.
                let mut types: Vec<Type> = Vec::with_capacity(bound.columns.len());
                for (output, given) in bound.columns.iter().zip(&columns) {
                    types.push(match output.typ {
                        Type::UNKNOWN => Type::new(self.base(self.given_type(given)?).oid),
                        typ => typ,
                    });
                }
                let at = self.target_positions(&query.body, columns.len());
                let bound = self.convert_columns(bound, &types, &at)?;
                let (mut used, mut cells) = (Vec::with_capacity(columns.len()), Vec::with_capacity(columns.len()));
                for (i, (output, given)) in bound.columns.iter().zip(&columns).enumerate() {
                    if self.is_overridden(given.column, insert.overriding) {
                        continue;
                    }
                    self.check_identity(given.column, insert.overriding)?;
                    used.push(*given);
                    cells.push(self.given_value(output.expr(), given, at.get(i).copied().unwrap_or(0))?);
                }
                Ok(Source { rel: bound.rel, values: self.put_together(&used, cells, &scope)? })
            }
        }
    }

    /// As many values as columns, at most.
    pub(super) fn check_values_width(
        &self,
        row: &[ValueOrDefault],
        written: &[stmt::Target],
        columns: usize,
    ) -> Result<()> {
        let position = row.get(columns).map_or(0, |value| match value {
            ValueOrDefault::Value(expr) => self.expr_at(expr),
            ValueOrDefault::Default => 0,
        });
        let missing = written.get(row.len()).map_or(0, |target| self.at(target.column.span));
        self.check_width(row.len(), columns, !written.is_empty(), position, missing)
    }

    fn check_width(&self, given: usize, columns: usize, explicit: bool, extra: u32, missing: u32) -> Result<()> {
        if given > columns {
            return Err(err!(SYNTAX_ERROR, "INSERT has more expressions than target columns").at(extra));
        }
        if given < columns && explicit {
            return Err(err!(SYNTAX_ERROR, "INSERT has more target columns than expressions").at(missing));
        }
        Ok(())
    }

    /// VALUES: one row is computed directly, several are a relation.
    pub(super) fn insert_rows(
        &mut self,
        rows: &[Vec<ValueOrDefault>],
        overriding: Option<Overriding>,
        table: &Target,
        columns: &[Given<'_>],
        scope: &Scope<'_>,
    ) -> Result<Source> {
        let mut out: Vec<Vec<Expr>> = Vec::with_capacity(rows.len());
        let width = rows.first().map_or(0, Vec::len);
        for row in rows {
            let mut cells = Vec::with_capacity(width);
            for (value, given) in row.iter().zip(columns) {
                let column = given.column;
                let cell = match value {
                    ValueOrDefault::Default => {
                        given.part().map_or(Ok(()), |target| self.check_not_part(target))?;
                        self.target_default(table, column)?
                    }
                    ValueOrDefault::Value(expr) => {
                        let position = self.expr_at(expr);
                        let bound = self.expr(expr, scope)?;
                        if self.is_overridden(column, overriding) {
                            self.target_default(table, column)?
                        } else {
                            self.check_identity(column, overriding)?;
                            self.given_value(bound, given, position)?
                        }
                    }
                };
                cells.push(cell);
            }
            out.push(cells);
        }
        let used = &columns[..width];
        if out.len() == 1 {
            let cells = out.remove(0);
            return Ok(Source { rel: Rel::OneRow, values: self.put_together(used, cells, scope)? });
        }
        let mut ids: Vec<(ColumnId, Type)> = Vec::with_capacity(width);
        for given in used {
            ids.push((self.column(), self.base(self.given_type(given)?)));
        }
        let cells = ids.iter().map(|(id, typ)| Expr::Column(*id, *typ)).collect();
        let values = self.put_together(used, cells, scope)?;
        Ok(Source { rel: Rel::Values { columns: ids, rows: out }, values })
    }

    /// OVERRIDING USER VALUE: what is given for an identity column is not used.
    fn is_overridden(&self, column: &Column, overriding: Option<Overriding>) -> bool {
        column.identity.is_some() && overriding == Some(Overriding::UserValue)
    }

    fn check_identity(&self, column: &Column, overriding: Option<Overriding>) -> Result<()> {
        if column.generated.is_some() {
            return Err(err!(GENERATED_ALWAYS, "cannot insert a non-DEFAULT value into column \"{}\"", column.name)
                .detail(format!("Column \"{}\" is a generated column.", column.name)));
        }
        let always = column.identity.as_ref().is_some_and(|identity| identity.always);
        if always && overriding != Some(Overriding::SystemValue) {
            return Err(err!(GENERATED_ALWAYS, "cannot insert a non-DEFAULT value into column \"{}\"", column.name)
                .detail(format!("Column \"{}\" is an identity column defined as GENERATED ALWAYS.", column.name))
                .hint("Use OVERRIDING SYSTEM VALUE to override."));
        }
        Ok(())
    }
}

/// The alias of the target in ON CONFLICT.
pub(super) fn alias_of(alias: Option<&ast::Ident>) -> Option<String> {
    alias.map(ident)
}
