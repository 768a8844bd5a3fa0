//! Columns that nobody asks for are not produced: scans read only what is used.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::plan::visit::guard;
use crate::sql::plan::{ColumnId, Expr, ModifyKind, Rel, SetOpKind, SubqueryKind};

type Needed = BTreeSet<ColumnId>;

/// Prunes a tree of which these columns are used.
pub(super) fn prune(rel: &mut Rel, needed: &Needed) {
    Pruner::default().rel(rel, needed);
}

/// What has been found to be used of the WITH definitions around.
#[derive(Default)]
struct Pruner {
    ctes: BTreeMap<u32, Needed>,
}

fn used_by<'e>(exprs: impl IntoIterator<Item = &'e Expr>, needed: &mut Needed) {
    for expr in exprs {
        match expr {
            Expr::Column(id, _) => {
                needed.insert(*id);
            }
            other => needed.extend(other.free_columns()),
        }
    }
}

impl Pruner {
    /// The plans of subqueries in an expression.
    fn expr(&mut self, expr: &mut Expr) {
        guard(|| {
            expr.for_each_child_mut(|child| self.expr(child));
            let Expr::Subquery(subquery) = expr else { return };
            let needed = match &subquery.kind {
                SubqueryKind::Exists => Needed::new(),
                _ => subquery.columns.iter().map(|(id, _)| *id).collect(),
            };
            self.rel(&mut subquery.plan, &needed);
            if matches!(subquery.kind, SubqueryKind::Exists) {
                let left = subquery.plan.column_ids();
                subquery.columns.retain(|(id, _)| left.contains(id));
            }
        })
    }

    fn rel(&mut self, rel: &mut Rel, needed: &Needed) {
        guard(|| self.step(rel, needed))
    }

    fn step(&mut self, rel: &mut Rel, needed: &Needed) {
        // What is not kept needs no expressions looked at, so that goes first.
        match rel {
            Rel::Scan { columns, .. } => columns.retain(|(id, _, _)| needed.contains(id)),
            Rel::System { columns, .. } => columns.retain(|(id, _, _)| needed.contains(id)),
            Rel::CteRef { cte, columns } => {
                columns.retain(|(id, _, _)| needed.contains(id));
                self.ctes.entry(*cte).or_default().extend(columns.iter().map(|(_, source, _)| *source));
            }
            Rel::Values { columns, rows } => {
                let keep: Vec<bool> = columns.iter().map(|(id, _)| needed.contains(id)).collect();
                let volatile = rows.iter().flatten().any(Expr::is_volatile);
                if !volatile && keep.contains(&false) {
                    for row in rows.iter_mut() {
                        let mut flags = keep.iter();
                        row.retain(|_| flags.next().copied().unwrap_or(true));
                    }
                    let mut flags = keep.iter();
                    columns.retain(|_| flags.next().copied().unwrap_or(true));
                }
            }
            Rel::Project { exprs, .. } => {
                exprs.retain(|(id, expr)| needed.contains(id) || expr.is_volatile());
            }
            Rel::Aggregate { groups, aggregates, .. } => {
                // An aggregation without anything would not say that it gives one row.
                let keep = aggregates.first().map(|(id, _)| *id).filter(|_| groups.is_empty());
                let keeps_none = !aggregates.iter().any(|(id, _)| needed.contains(id));
                aggregates.retain(|(id, _)| needed.contains(id) || (keeps_none && keep == Some(*id)));
            }
            Rel::Window { calls, .. } => calls.retain(|(id, _)| needed.contains(id)),
            _ => {}
        }
        if let Rel::Window { input, calls } = rel
            && calls.is_empty()
        {
            *rel = input.take();
            return self.rel(rel, needed);
        }
        rel.for_each_expr_mut(|expr| self.expr(expr));
        // What this node's own expressions need, besides what is needed of it.
        let mut below = needed.clone();
        rel.for_each_expr(|expr| used_by([expr], &mut below));
        match rel {
            Rel::OneRow | Rel::Values { .. } | Rel::Scan { .. } | Rel::System { .. } | Rel::CteRef { .. } => {}
            Rel::Function { input, .. }
            | Rel::ProjectSet { input, .. }
            | Rel::Filter { input, .. }
            | Rel::Project { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Window { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::DistinctOn { input, .. } => self.rel(input, &below),
            Rel::Distinct { input } => {
                let all = input.column_ids();
                self.rel(input, &all);
            }
            Rel::Join { left, right, .. } => {
                // The right side of a lateral join needs columns of the left.
                let free = right.free_columns();
                self.rel(right, &below);
                below.extend(free);
                self.rel(left, &below);
            }
            Rel::SetOp { kind, all, left, left_columns, right, right_columns, columns } => {
                if *kind == SetOpKind::Union && *all {
                    let keep: Vec<bool> = columns.iter().map(|(id, _)| needed.contains(id)).collect();
                    let mut flags = keep.iter();
                    columns.retain(|_| flags.next().copied().unwrap_or(true));
                    for ids in [&mut *left_columns, &mut *right_columns] {
                        let mut flags = keep.iter();
                        ids.retain(|_| flags.next().copied().unwrap_or(true));
                    }
                }
                self.rel(left, &left_columns.iter().copied().collect());
                self.rel(right, &right_columns.iter().copied().collect());
            }
            Rel::With { ctes, body } => {
                self.rel(body, needed);
                for cte in ctes.iter_mut().rev() {
                    let used = self.ctes.remove(&cte.id).unwrap_or_default();
                    match &mut cte.recursive {
                        // Rows of a recursion are compared and fed back whole.
                        Some((term, ids, _)) => {
                            self.rel(term, &ids.iter().copied().collect());
                            self.rel(&mut cte.plan, &cte.columns.iter().map(|(id, _)| *id).collect());
                            self.ctes.remove(&cte.id);
                        }
                        None if matches!(cte.plan, Rel::Modify(_)) => {
                            self.rel(&mut cte.plan, &cte.columns.iter().map(|(id, _)| *id).collect());
                        }
                        None => {
                            cte.columns.retain(|(id, _)| used.contains(id));
                            self.rel(&mut cte.plan, &used);
                        }
                    }
                }
            }
            Rel::Modify(modify) => {
                let mut source_needs = below;
                match &mut modify.kind {
                    ModifyKind::Insert { source, .. } => self.rel(source, &source_needs),
                    // An old column that the source does not yield is read from the row when it is changed.
                    ModifyKind::Update { source, locator, .. } | ModifyKind::Delete { source, locator } => {
                        source_needs.insert(*locator);
                        self.rel(source, &source_needs);
                    }
                    ModifyKind::Merge { source, locator, present, .. } => {
                        source_needs.extend([*locator].into_iter().chain(*present));
                        self.rel(source, &source_needs);
                    }
                }
            }
        }
    }
}
