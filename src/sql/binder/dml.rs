//! UPDATE and DELETE, and what the three DML statements share: targets, assignments, CHECKs, RETURNING.

use sqlparser::ast;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::{self, ident};
use crate::sql::plan::{Access, ColumnId, Expr, Modify, ModifyKind, OutputColumn, Rel, SubqueryKind};
use crate::sql::statement::{
    self as stmt, Assignment, Delete, Returning, Selection, Statement, TargetStep, Update, ValueOrDefault,
};
use crate::storage::catalog::{Column, ConstraintKind, Table};

use super::assign::Assigned;
use super::coerce::{Context, apply_typmod};
use super::expr::{row_of, subquery_expr};
use super::from::read_only_itself;
use super::scope::{Clause, Entry, Scope, ScopeColumn};
use super::select::QueryOptions;
use super::table::TableExpr;
use super::target::{Event, TABLE_OID, Target};
use super::{Binder, Bound};

/// RETURNING: the computed columns and the output they make.
pub(super) type BoundReturning = (Vec<(ColumnId, Expr)>, Vec<OutputColumn>);
/// Ids for the columns of a row: id, column number, type.
pub(super) type RowColumns = Vec<(ColumnId, i16, Type)>;

impl Binder<'_> {
    /// UPDATE.
    pub(super) fn update(
        &mut self,
        update: &Update,
        members: &[(usize, Statement)],
        parent: &Scope<'_>,
    ) -> Result<Bound> {
        self.with_around(update.with.as_ref(), members, parent, |binder, parent| {
            let target = binder.dml_target(&update.table, Event::Update, &[Access::Update])?;
            let (entry, old_columns, locator, mut scan) = binder.target_item(&target, update.alias.as_ref())?;
            if update.only {
                read_only_itself(&mut scan);
            }
            let mut scope = Scope::inside(parent);
            let rest = binder.bind_from(&update.from, &mut scope)?;
            let from_entries = std::mem::take(&mut scope.entries);
            binder.check_target_name(&entry, &from_entries)?;
            scope.entries.push(entry);
            scope.entries.extend(from_entries.iter().cloned());
            let mut source = joined(scan, rest);
            source = binder.selection(&update.selection, (&target, &old_columns, locator), source, &scope)?;
            scope.set_clause(Clause::Update);
            let assignments = binder.assignments(&update.assignments, &target, &mut source, &scope)?;
            binder.writes_all(&target, Access::Update, assignments.iter().map(|(number, _)| *number));
            binder.reads(&target, &old_columns, assignments.iter().map(|(_, value)| value));
            let new_columns = binder.row_columns(&target);
            let checks = binder.checks(&target, &new_columns)?;
            let view_checks = target.view_checks(&new_columns);
            let rows = Rows {
                target: &target,
                new: &new_columns,
                old: &old_columns,
                shown: &new_columns,
                source_first: false,
            };
            let returning =
                binder.returning(update.returning.as_ref(), &rows, update.alias.as_ref(), &from_entries, parent)?;
            Ok(modified(
                Modify {
                    table: target.oid,
                    tree: !update.only && binder.catalog.is_tree(&target),
                    kind: ModifyKind::Update { source, locator, assignments },
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

    /// DELETE.
    pub(super) fn delete(
        &mut self,
        delete: &Delete,
        members: &[(usize, Statement)],
        parent: &Scope<'_>,
    ) -> Result<Bound> {
        self.with_around(delete.with.as_ref(), members, parent, |binder, parent| {
            let target = binder.dml_target(&delete.table, Event::Delete, &[Access::Delete])?;
            let (entry, old_columns, locator, mut scan) = binder.target_item(&target, delete.alias.as_ref())?;
            if delete.only {
                read_only_itself(&mut scan);
            }
            let mut scope = Scope::inside(parent);
            let rest = binder.bind_from(&delete.using, &mut scope)?;
            let from_entries = std::mem::take(&mut scope.entries);
            binder.check_target_name(&entry, &from_entries)?;
            scope.entries.push(entry);
            scope.entries.extend(from_entries.iter().cloned());
            let source = joined(scan, rest);
            let source = binder.selection(&delete.selection, (&target, &old_columns, locator), source, &scope)?;
            let new_columns = match delete.returning {
                Some(_) => binder.row_columns(&target),
                None => Vec::new(),
            };
            let rows = Rows {
                target: &target,
                new: &new_columns,
                old: &old_columns,
                shown: &old_columns,
                source_first: false,
            };
            let returning =
                binder.returning(delete.returning.as_ref(), &rows, delete.alias.as_ref(), &from_entries, parent)?;
            Ok(modified(
                Modify {
                    table: target.oid,
                    tree: !delete.only && binder.catalog.is_tree(&target),
                    kind: ModifyKind::Delete { source, locator },
                    returning: None,
                    new_columns,
                    old_columns,
                    checks: Vec::new(),
                    view_checks: Vec::new(),
                },
                returning,
            ))
        })
    }

    /// Binds the WITH of a DML statement around what it is for.
    pub(super) fn with_around(
        &mut self,
        with: Option<&ast::With>,
        members: &[(usize, Statement)],
        parent: &Scope<'_>,
        bind: impl FnOnce(&mut Self, &Scope<'_>) -> Result<Bound>,
    ) -> Result<Bound> {
        let Some(with) = with else { return bind(self, parent) };
        let mut scope = Scope::inside(parent);
        let (_, definitions) = self.with(with, members, &mut scope)?;
        let bound = bind(self, &scope)?;
        self.finish_with(definitions, bound)
    }

    pub(super) fn check_target_name(&self, target: &Entry, others: &[Entry]) -> Result<()> {
        let name = &target.item.name;
        if others.iter().any(|entry| entry.relation_visible && entry.item.name == *name) {
            let name = name.clone().unwrap_or_default();
            return Err(err!(DUPLICATE_ALIAS, "table name \"{name}\" specified more than once"));
        }
        Ok(())
    }

    fn selection(
        &mut self,
        selection: &Selection,
        (target, row, locator): (&Target, &RowColumns, ColumnId),
        source: Rel,
        scope: &Scope<'_>,
    ) -> Result<Rel> {
        match selection {
            Selection::All => Ok(source),
            Selection::Where(condition) => {
                scope.set_clause(Clause::Where);
                let predicate = self.condition(condition, "WHERE", scope)?;
                self.reads(target, row, [&predicate].into_iter());
                Ok(Rel::Filter { input: Box::new(source), predicate })
            }
            Selection::CurrentOf(_) if target.is_view() => {
                Err(err!(FEATURE_NOT_SUPPORTED, "WHERE CURRENT OF on a view is not implemented"))
            }
            Selection::CurrentOf(cursor) => {
                let predicate = self.current_of(target, ident(cursor), locator)?;
                Ok(Rel::Filter { input: Box::new(source), predicate })
            }
        }
    }

    /// Notes that the user's expressions look at the target, if they do.
    pub(super) fn reads<'e>(&mut self, target: &Target, row: &RowColumns, exprs: impl Iterator<Item = &'e Expr>) {
        let mut used = std::collections::BTreeSet::new();
        exprs.for_each(|expr| used.extend(expr.free_columns()));
        if row.iter().any(|(id, _, _)| used.contains(id)) {
            self.uses(target.relation(), Access::Select);
        }
    }

    /// Notes which columns of the target are written.
    pub(super) fn writes_all(&mut self, target: &Target, access: Access, columns: impl Iterator<Item = i16>) {
        columns.for_each(|number| self.writes(target.relation(), access, target.number_in_relation(number)));
    }

    /// New ids for a row of a table.
    pub(super) fn row_columns(&mut self, table: &Table) -> RowColumns {
        let mut columns: RowColumns =
            table.live_columns().map(|column| (self.column(), column.number, column.typ)).collect();
        // NULL where there is no such row.
        columns.push((self.column(), TABLE_OID, Type::OID));
        columns
    }

    /// The CHECK constraints over the new row.
    pub(super) fn checks(&mut self, table: &Table, new: &[(ColumnId, i16, Type)]) -> Result<Vec<(String, Expr)>> {
        let mut checks = Vec::new();
        for constraint in &table.constraints {
            let ConstraintKind::Check { expr } = &constraint.kind else { continue };
            if constraint.attributes.not_enforced {
                continue;
            }
            let written = parser::parse_expression(expr)?;
            let outer = std::mem::take(&mut self.source);
            let allowed = std::mem::replace(&mut self.params_allowed, false);
            let bound = self.table_expr(&written, TableExpr::Check, table, new);
            self.source = outer;
            self.params_allowed = allowed;
            checks.push((constraint.name.clone(), bound?));
        }
        Ok(checks)
    }

    /// The column that a target names.
    pub(super) fn target_column<'t>(&self, target: &'t Target, name: &ast::Ident) -> Result<&'t Column> {
        let folded = ident(name);
        let Some(at) = target.position(&folded) else {
            let relation = target.relation_name();
            if ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"].contains(&folded.as_str()) {
                return Err(
                    err!(FEATURE_NOT_SUPPORTED, "cannot assign to system column \"{folded}\"").at(self.at(name.span))
                );
            }
            let error = err!(UNDEFINED_COLUMN, "column \"{folded}\" of relation \"{relation}\" does not exist");
            return Err(error.at(self.at(name.span)));
        };
        target.nth_column(at)
    }

    /// SET: each assigned column with its value over the source's columns.
    pub(super) fn assignments(
        &mut self,
        written: &[Assignment],
        table: &Target,
        source: &mut Rel,
        scope: &Scope<'_>,
    ) -> Result<Vec<(i16, Expr)>> {
        let mut out: Vec<(i16, Expr)> = Vec::new();
        for assignment in written {
            match assignment {
                Assignment::One(target, value) => {
                    self.assign(target, value, table, scope, &mut out)?;
                }
                Assignment::Row(targets, values) => {
                    if targets.len() != values.len() {
                        return Err(err!(SYNTAX_ERROR, "number of columns does not match number of values"));
                    }
                    for (target, value) in targets.iter().zip(values) {
                        self.assign(target, value, table, scope, &mut out)?;
                    }
                }
                Assignment::Query(targets, query) => {
                    let bound = self.query(query, QueryOptions::default(), scope)?;
                    if bound.columns.len() != targets.len() {
                        return Err(err!(SYNTAX_ERROR, "number of columns does not match number of values")
                            .at(self.at(targets[0].column.span)));
                    }
                    self.assign_query(targets, bound, table, source, scope, &mut out)?;
                }
                Assignment::Expr(targets, expr) => {
                    let position = self.expr_at(expr);
                    let fields = match self.expr(expr, scope)? {
                        Expr::Row { fields, .. } => fields,
                        _ => {
                            return Err(err!(
                                FEATURE_NOT_SUPPORTED,
                                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression"
                            )
                            .at(position));
                        }
                    };
                    if fields.len() != targets.len() {
                        return Err(
                            err!(SYNTAX_ERROR, "number of columns does not match number of values").at(position)
                        );
                    }
                    for (target, field) in targets.iter().zip(fields) {
                        self.assign_bound(target, (field, position), table, scope, &mut out)?;
                    }
                }
            }
        }
        Ok(out)
    }

    fn assign(
        &mut self,
        target: &stmt::Target,
        value: &ValueOrDefault,
        table: &Target,
        scope: &Scope<'_>,
        out: &mut Vec<(i16, Expr)>,
    ) -> Result<()> {
        let expr = match value {
            ValueOrDefault::Default => {
                let column = self.assigned_column(target, table, scope)?;
                self.check_not_part(target)?;
                self.check_repeated(column, target, out)?;
                let default = match table.has_default(column) {
                    true => self.target_default(table, column)?,
                    false => {
                        self.check_updatable(column, target, out)?;
                        Expr::null(column.typ)
                    }
                };
                out.push((column.number, default));
                return Ok(());
            }
            ValueOrDefault::Value(expr) => expr,
        };
        if target.path.is_empty() {
            let column = self.assigned_column(target, table, scope)?;
            self.check_updatable(column, target, out)?;
        }
        let position = self.expr_at(expr);
        let bound = self.expr(expr, scope)?;
        self.assign_bound(target, (bound, position), table, scope, out)
    }

    /// DEFAULT is for whole columns.
    pub(super) fn check_not_part(&self, target: &stmt::Target) -> Result<()> {
        let what = match target.path.first() {
            None => return Ok(()),
            Some(TargetStep::Field(_)) => "cannot set a subfield to DEFAULT",
            Some(_) => "cannot set an array element to DEFAULT",
        };
        Err(err!(FEATURE_NOT_SUPPORTED, "{what}").at(self.at(target.column.span)))
    }

    /// The column that SET names; `table.column` is a common mistake.
    fn assigned_column<'t>(&self, target: &stmt::Target, table: &'t Target, scope: &Scope<'_>) -> Result<&'t Column> {
        self.target_column(table, &target.column).map_err(|error| {
            let own = scope.entries.first().and_then(|entry| entry.item.name.clone());
            match !target.path.is_empty() && own == Some(ident(&target.column)) {
                true => error.hint("SET target columns cannot be qualified with the relation name."),
                false => error,
            }
        })
    }

    /// Assigns a bound value to a column or a part of it.
    fn assign_bound(
        &mut self,
        target: &stmt::Target,
        (value, position): Assigned,
        table: &Target,
        scope: &Scope<'_>,
        out: &mut Vec<(i16, Expr)>,
    ) -> Result<()> {
        let column = self.assigned_column(target, table, scope)?;
        if !target.path.is_empty() {
            return self.assign_part(target, (value, position), column, scope, out);
        }
        self.check_updatable(column, target, out)?;
        let value = self.stored(value, column, position)?;
        out.push((column.number, value));
        Ok(())
    }

    fn check_updatable(&self, column: &Column, target: &stmt::Target, out: &[(i16, Expr)]) -> Result<()> {
        self.check_repeated(column, target, out)?;
        if column.generated.is_some() {
            return Err(err!(GENERATED_ALWAYS, "column \"{}\" can only be updated to DEFAULT", column.name)
                .detail(format!("Column \"{}\" is a generated column.", column.name)));
        }
        if column.identity.as_ref().is_some_and(|identity| identity.always) {
            return Err(err!(GENERATED_ALWAYS, "column \"{}\" can only be updated to DEFAULT", column.name)
                .detail(format!("Column \"{}\" is an identity column defined as GENERATED ALWAYS.", column.name)));
        }
        Ok(())
    }

    fn check_repeated(&self, column: &Column, _target: &stmt::Target, out: &[(i16, Expr)]) -> Result<()> {
        if out.iter().any(|(number, _)| *number == column.number) {
            return Err(err!(SYNTAX_ERROR, "multiple assignments to same column \"{}\"", column.name));
        }
        Ok(())
    }

    /// `SET doc['a'] = value`: several parts of one column may be assigned, one after the other.
    fn assign_part(
        &mut self,
        target: &stmt::Target,
        value: Assigned,
        column: &Column,
        scope: &Scope<'_>,
        out: &mut Vec<(i16, Expr)>,
    ) -> Result<()> {
        if column.generated.is_some() || column.identity.as_ref().is_some_and(|identity| identity.always) {
            self.check_updatable(column, target, &[])?;
        }
        let named = |c: &&ScopeColumn| c.name == ident(&target.column);
        let own = scope.entries.first().and_then(|entry| entry.item.columns.iter().find(named).map(|c| c.expr.clone()));
        let own = own.ok_or_else(|| Error::internal("the target is the first item of its scope"))?;
        let before = out.iter().position(|(number, _)| *number == column.number);
        if before.is_some_and(|index| !super::assign::is_part(&out[index].1)) {
            self.check_repeated(column, target, out)?;
        }
        let base = before.map_or(own, |index| out.remove(index).1);
        let assigned = self.assigned_part(base, target, value, column, scope)?;
        out.push((column.number, assigned));
        Ok(())
    }

    /// `SET (a, b) = (SELECT ...)`: the row is computed once below the assignments.
    fn assign_query(
        &mut self,
        targets: &[stmt::Target],
        bound: Bound,
        table: &Target,
        source: &mut Rel,
        scope: &Scope<'_>,
        out: &mut Vec<(i16, Expr)>,
    ) -> Result<()> {
        let position = self.at(targets[0].column.span);
        let types: Vec<Type> = bound.columns.iter().map(|c| c.typ).collect();
        let row = row_of(bound.columns.iter().map(|c| c.expr()).collect());
        let id = self.column();
        let rel = Rel::Project { input: Box::new(bound.rel), exprs: vec![(id, row)] };
        let output = OutputColumn { id, name: "row".to_string(), typ: Type::RECORD, origin: (0, 0) };
        if *source == Rel::OneRow {
            // ON CONFLICT DO UPDATE has no rows below it to compute the row with: each column asks for itself.
            if rel.is_volatile() {
                return Err(Error::unsupported("a volatile subquery for several columns in ON CONFLICT DO UPDATE"));
            }
            for (index, (target, typ)) in targets.iter().zip(types).enumerate() {
                let (rel, renamed) = rel.copy_with_new_columns(&mut self.next_column);
                let id = renamed.get(&id).copied().unwrap_or(id);
                let columns = vec![OutputColumn { id, ..output.clone() }];
                let input = Box::new(subquery_expr(SubqueryKind::Scalar, Bound { rel, columns }, Type::RECORD));
                self.assign_bound(target, (Expr::Field { input, index, typ }, position), table, scope, out)?;
            }
            return Ok(());
        }
        let subquery = subquery_expr(SubqueryKind::Scalar, Bound { rel, columns: vec![output] }, Type::RECORD);
        let kept = self.column();
        let mut exprs: Vec<(ColumnId, Expr)> =
            source.columns().into_iter().map(|(id, typ)| (id, Expr::Column(id, typ))).collect();
        exprs.push((kept, subquery));
        *source = Rel::Project { input: Box::new(source.take()), exprs };
        for (index, (target, typ)) in targets.iter().zip(types).enumerate() {
            let input = Box::new(Expr::Column(kept, Type::RECORD));
            self.assign_bound(target, (Expr::Field { input, index, typ }, position), table, scope, out)?;
        }
        Ok(())
    }

    /// A value as a column stores it: assignment conversion and typmod.
    pub(super) fn stored(&mut self, expr: Expr, column: &Column, position: u32) -> Result<Expr> {
        let from = expr.typ().oid;
        match self.coerce_to(expr, column.declared(), Context::Assignment, position)? {
            Some(expr) => Ok(apply_typmod(expr, column.typ, Context::Assignment)),
            None => Err(err!(
                DATATYPE_MISMATCH,
                "column \"{}\" is of type {} but expression is of type {}",
                column.name,
                self.type_name(column.declared().oid),
                self.type_name(from)
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(position)),
        }
    }

    /// RETURNING: columns by the new row, the old row and the source.
    pub(super) fn returning(
        &mut self,
        returning: Option<&Returning>,
        rows: &Rows<'_>,
        alias: Option<&ast::Ident>,
        others: &[Entry],
        parent: &Scope<'_>,
    ) -> Result<Option<BoundReturning>> {
        let Some(returning) = returning else { return Ok(None) };
        self.uses(rows.target.relation(), Access::Select);
        let mut item = rows.target.item(rows.shown);
        if let Some(alias) = alias {
            item.name = Some(ident(alias));
            item.schema = None;
        }
        let mut entries = others.to_vec();
        entries.insert(if rows.source_first { entries.len() } else { 0 }, Entry::new(item));
        for (given, default, columns) in [(&returning.old, "old", rows.old), (&returning.new, "new", rows.new)] {
            let name = given.as_ref().map_or(default.to_string(), ident);
            let taken = entries.iter().any(|entry| entry.item.name.as_deref() == Some(name.as_str()));
            if taken && given.is_some() {
                return Err(err!(DUPLICATE_ALIAS, "table name \"{name}\" specified more than once"));
            }
            if taken {
                continue;
            }
            let mut item = rows.target.item(columns);
            item.name = Some(name);
            item.schema = None;
            let mut entry = Entry::new(item);
            entry.columns_visible = false;
            entry.nullable = true;
            entries.push(entry);
        }
        let scope = Scope::over(Some(parent), entries, Clause::Returning);
        let mut targets = self.target_list(&returning.items, &scope)?;
        self.settle_targets(&mut targets)?;
        let (mut exprs, mut columns) = (Vec::new(), Vec::new());
        for target in targets {
            let id = self.column();
            columns.push(OutputColumn { id, name: target.name, typ: target.expr.typ(), origin: target.origin });
            exprs.push((id, target.expr));
        }
        Ok(Some((exprs, columns)))
    }
}

/// The rows of the target that RETURNING may name.
pub(super) struct Rows<'r> {
    pub(super) target: &'r Target,
    pub(super) new: &'r [(ColumnId, i16, Type)],
    pub(super) old: &'r [(ColumnId, i16, Type)],
    /// Which of them a plain name means.
    pub(super) shown: &'r [(ColumnId, i16, Type)],
    /// `*` gives the columns of the source first.
    pub(super) source_first: bool,
}

/// The statement as a relation of its RETURNING columns.
pub(super) fn modified(mut modify: Modify, returning: Option<BoundReturning>) -> Bound {
    let columns = match returning {
        Some((exprs, columns)) => {
            modify.returning = Some(exprs);
            columns
        }
        None => Vec::new(),
    };
    Bound { rel: Rel::Modify(Box::new(modify)), columns }
}

fn joined(target: Rel, rest: Rel) -> Rel {
    match rest {
        Rel::OneRow => target,
        rest => Rel::Join {
            kind: crate::sql::plan::JoinKind::Inner,
            left: Box::new(target),
            right: Box::new(rest),
            on: Expr::bool(true),
            lateral: false,
        },
    }
}
