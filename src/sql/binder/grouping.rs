//! GROUP BY: grouping sets, and the rule that what is not grouped must be aggregated.

use std::collections::BTreeSet;

use sqlparser::ast;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::plan::{ColumnId, Expr, Rel};

use super::Binder;
use super::scope::{Clause, Level, Scope};
use super::select::project_sets;
use super::targets::Target;

/// More grouping sets than this are refused, as in PostgreSQL.
const SETS_MAX: usize = 4096;

/// The grouping of a query.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    pub(super) groups: Vec<(ColumnId, Expr)>,
    pub(super) sets: Option<Vec<Vec<usize>>>,
}

impl Binder<'_> {
    /// Binds GROUP BY; `None` when there is none.
    pub(super) fn group_by(
        &mut self,
        group_by: &ast::GroupByExpr,
        targets: &mut [Target],
        scope: &Scope<'_>,
    ) -> Result<Option<Grouping>> {
        // The parser's `Totals` is DISTINCT.
        let (items, distinct) = match group_by {
            ast::GroupByExpr::Expressions(items, modifiers) => (items, !modifiers.is_empty()),
            _ => return Err(Error::unsupported("this form of GROUP BY")),
        };
        if items.is_empty() {
            return Ok(None);
        }
        let mut grouping = Grouping::default();
        // The sets of each item; the grouping sets are their cross product.
        let mut product: Vec<Vec<usize>> = vec![Vec::new()];
        let mut plain = true;
        for item in items {
            let sets = self.group_item(item, targets, &mut grouping, scope)?;
            plain &= !matches!(strip(item), ast::Expr::GroupingSets(_) | ast::Expr::Cube(_) | ast::Expr::Rollup(_));
            if matches!(strip(item), ast::Expr::Tuple(items) if items.is_empty()) {
                plain = false;
            }
            if product.len() * sets.len() > SETS_MAX {
                return Err(err!(STATEMENT_TOO_COMPLEX, "too many grouping sets present (maximum {SETS_MAX})"));
            }
            product = product
                .iter()
                .flat_map(|left| {
                    sets.iter().map(|right| {
                        let mut set = left.clone();
                        set.extend(right.iter().copied().filter(|i| !left.contains(i)));
                        set
                    })
                })
                .collect();
        }
        if !plain {
            if distinct {
                let mut seen = BTreeSet::new();
                product.retain(|set| seen.insert(set.iter().copied().collect::<BTreeSet<_>>()));
            }
            grouping.sets = Some(product);
        }
        Ok(Some(grouping))
    }

    /// The grouping sets of one item of GROUP BY.
    fn group_item(
        &mut self,
        item: &ast::Expr,
        targets: &mut [Target],
        grouping: &mut Grouping,
        scope: &Scope<'_>,
    ) -> Result<Vec<Vec<usize>>> {
        match strip(item) {
            ast::Expr::GroupingSets(sets) => {
                let mut out = Vec::new();
                for set in sets {
                    match set.as_slice() {
                        [one] => {
                            let inner = self.deeper(|binder| binder.group_item(one, targets, grouping, scope))?;
                            out.extend(inner);
                        }
                        _ => out.push(self.group_set(set, targets, grouping, scope)?),
                    }
                }
                Ok(out)
            }
            ast::Expr::Rollup(sets) => {
                let mut parts = Vec::with_capacity(sets.len());
                for set in sets {
                    parts.push(self.group_set(set, targets, grouping, scope)?);
                }
                Ok((0..=parts.len()).rev().map(|n| merge(&parts[..n])).collect())
            }
            ast::Expr::Cube(sets) => {
                if sets.len() > 12 {
                    return Err(err!(TOO_MANY_COLUMNS, "CUBE is limited to 12 elements").at(self.expr_at(item)));
                }
                let mut parts = Vec::with_capacity(sets.len());
                for set in sets {
                    parts.push(self.group_set(set, targets, grouping, scope)?);
                }
                let subsets = (0..1usize << parts.len()).rev();
                Ok(subsets
                    .map(|bits| {
                        let last = parts.len();
                        let chosen = parts.iter().enumerate().filter(|(i, _)| bits >> (last - 1 - i) & 1 == 1);
                        merge(&chosen.map(|(_, part)| part.clone()).collect::<Vec<_>>())
                    })
                    .collect())
            }
            ast::Expr::Tuple(items) => Ok(vec![self.group_set(items, targets, grouping, scope)?]),
            _ => Ok(vec![vec![self.group_one(item, targets, grouping, scope)?]]),
        }
    }

    fn group_set(
        &mut self,
        items: &[ast::Expr],
        targets: &mut [Target],
        grouping: &mut Grouping,
        scope: &Scope<'_>,
    ) -> Result<Vec<usize>> {
        let mut set = Vec::new();
        for item in items {
            let sets = self.deeper(|binder| binder.group_item(item, targets, grouping, scope))?;
            for index in sets.into_iter().flatten() {
                if !set.contains(&index) {
                    set.push(index);
                }
            }
        }
        Ok(set)
    }

    /// One grouping expression: its place among the groups.
    fn group_one(
        &mut self,
        item: &ast::Expr,
        targets: &mut [Target],
        grouping: &mut Grouping,
        scope: &Scope<'_>,
    ) -> Result<usize> {
        let mut position = self.expr_at(item);
        let expr = match self.named_target(item, targets, Clause::GroupBy, scope)? {
            Some(index) => {
                position = targets[index].position;
                self.settle_targets(&mut targets[index..=index])?;
                targets[index].expr.clone()
            }
            None => {
                scope.set_clause(Clause::GroupBy);
                let bound = self.expr(item, scope)?;
                self.unknown_is_text(bound, position)?
            }
        };
        let level = scope.level.borrow();
        let used = expr.free_columns();
        if level.aggregates.iter().any(|(id, _)| used.contains(id)) {
            return Err(err!(GROUPING_ERROR, "aggregate functions are not allowed in GROUP BY").at(position));
        }
        if level.windows.iter().any(|(id, _)| used.contains(id)) {
            return Err(err!(WINDOWING_ERROR, "window functions are not allowed in GROUP BY").at(position));
        }
        drop(level);
        self.equality_of(expr.typ(), position)?;
        if let Some(index) = grouping.groups.iter().position(|(_, known)| *known == expr) {
            return Ok(index);
        }
        let id = match &expr {
            Expr::Column(id, _) if scope.owns(*id) => *id,
            _ => self.column(),
        };
        grouping.groups.push((id, expr));
        Ok(grouping.groups.len() - 1)
    }

    /// Set-returning calls that are grouped by run below the aggregation.
    pub(super) fn set_calls_below(&mut self, rel: Rel, level: &mut Level, grouping: &Grouping) -> Result<Rel> {
        let mut used: BTreeSet<ColumnId> = BTreeSet::new();
        for (_, expr) in &grouping.groups {
            used.extend(expr.free_columns());
        }
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for (depth, call) in std::mem::take(&mut level.sets).into_iter().rev() {
            if used.contains(&call.columns[0].0) {
                used.extend(call.call.free_columns());
                below.push((depth, call));
            } else {
                above.push((depth, call));
            }
        }
        below.reverse();
        above.reverse();
        level.sets = above;
        Ok(project_sets(rel, below))
    }

    /// Columns that depend on a grouped primary key count as grouped.
    pub(super) fn add_dependent(
        &mut self,
        grouping: &mut Grouping,
        targets: &[Target],
        having: Option<&Expr>,
        level: &Level,
        scope: &Scope<'_>,
    ) {
        let in_all_sets = |grouping: &Grouping, index: usize| {
            grouping.sets.as_ref().is_none_or(|sets| sets.iter().all(|set| set.contains(&index)))
        };
        let mut wanted = BTreeSet::new();
        let windows = level.windows.iter().flat_map(|(_, call)| {
            call.args.iter().chain(&call.partition).chain(call.order.iter().map(|key| &key.expr)).chain(&call.filter)
        });
        let sets = level.sets.iter().map(|(_, set)| &set.call);
        for expr in targets.iter().map(|target| &target.expr).chain(having).chain(windows).chain(sets) {
            wanted.extend(expr.free_columns());
        }
        for entry in &scope.entries {
            let Some((table, _)) = &entry.item.relation else { continue };
            let Some(key) = self.catalog.table(*table).and_then(|table| table.primary_key()) else { continue };
            let is_grouped = |number: &i16| {
                let column = entry.item.columns.iter().find(|c| c.origin == (*table, *number));
                column.is_some_and(|column| {
                    let found = grouping.groups.iter().position(|(_, expr)| *expr == column.expr);
                    found.is_some_and(|index| in_all_sets(grouping, index))
                })
            };
            if key.is_empty() || !key.iter().all(is_grouped) {
                continue;
            }
            for column in entry.item.columns.iter().chain(&entry.item.system) {
                if let Expr::Column(id, _) = &column.expr
                    && wanted.contains(id)
                    && !grouping.groups.iter().any(|(_, expr)| *expr == column.expr)
                {
                    grouping.groups.push((*id, column.expr.clone()));
                    let index = grouping.groups.len() - 1;
                    for set in grouping.sets.iter_mut().flatten() {
                        set.push(index);
                    }
                }
            }
        }
    }

    /// Rewrites an expression above the aggregation: grouped expressions become their columns; any other column of
    /// the level is an error.
    pub(super) fn group_expr(
        &self,
        expr: &mut Expr,
        grouping: &Grouping,
        own: &BTreeSet<ColumnId>,
        level: &Level,
        scope: &Scope<'_>,
    ) -> Result<()> {
        let mut failure = None;
        let mut ungrouped = None;
        expr.replace(&mut |e| {
            if let Some((id, group)) = grouping.groups.iter().find(|(_, group)| group == e) {
                *e = Expr::Column(*id, group.typ());
                return true;
            }
            let Expr::Column(id, _) = e else { return false };
            if let Some((_, args, at)) = level.groupings.iter().find(|(known, _, _)| known == id) {
                match grouping_columns(args, grouping) {
                    Ok(_) if grouping.sets.is_none() => *e = Expr::Const(Datum::Int4(0), Type::INT4),
                    Ok(ids) => *e = Expr::Grouping(ids),
                    Err(wrong) => {
                        failure.get_or_insert(
                            err!(
                                GROUPING_ERROR,
                                "arguments to GROUPING must be grouping expressions of the associated query level"
                            )
                            .at(at.get(wrong).copied().unwrap_or(0)),
                        );
                    }
                }
                return true;
            }
            if own.contains(id) {
                ungrouped.get_or_insert(*id);
            }
            true
        });
        if let Some(error) = failure {
            return Err(error);
        }
        match ungrouped {
            None => Ok(()),
            Some(id) => Err(self.ungrouped(id, expr, level, scope)),
        }
    }

    fn ungrouped(&self, id: ColumnId, expr: &Expr, level: &Level, scope: &Scope<'_>) -> Error {
        let mut name = String::new();
        for entry in &scope.entries {
            let columns = entry.item.columns.iter().chain(&entry.item.system);
            for column in columns.filter(|c| matches!(&c.expr, Expr::Column(own, _) if *own == id)) {
                if let Some(alias) = &entry.item.name
                    && name.is_empty()
                {
                    name = format!("{alias}.{}", column.name);
                }
            }
        }
        let mut outside = false;
        expr.walk(&mut |e| {
            outside |= matches!(e, Expr::Column(own, _) if *own == id);
            true
        });
        let span = level.references.iter().find(|(own, _)| *own == id).map(|(_, span)| *span);
        let position = span.map_or(0, |span| self.at(span));
        if outside {
            err!(
                GROUPING_ERROR,
                "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
            )
            .at(position)
        } else {
            err!(GROUPING_ERROR, "subquery uses ungrouped column \"{name}\" from outer query").at(position)
        }
    }
}

/// The columns of GROUPING's arguments, or the position of the one that is not grouped by.
fn grouping_columns(args: &[Expr], grouping: &Grouping) -> Result<Vec<ColumnId>, usize> {
    let column = |(i, arg)| grouping.groups.iter().find(|(_, group)| group == arg).map(|(id, _)| *id).ok_or(i);
    args.iter().enumerate().map(column).collect()
}

fn merge(parts: &[Vec<usize>]) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::new();
    for index in parts.iter().flatten() {
        if !out.contains(index) {
            out.push(*index);
        }
    }
    out
}

fn strip(expr: &ast::Expr) -> &ast::Expr {
    let mut expr = expr;
    while let ast::Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}
