//! Joins: by hash where the condition has equalities between the sides (by sorting what does not fit), by nested loops
//! otherwise; lateral ones run the right side for each distinct left row.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::{JoinSide, NullEquality};
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::document::Type;
use crate::error::Result;
use crate::sql::plan::{ColumnId, Expr, JoinKind, Rel, visit};

use super::expr::{Scope, symbol};
use super::physical::{self, Physical};
use super::rel::{Lowering, Relation};
use super::{from_datafusion, interrupt, merge_join, set_function, single, subquery};

/// Rows assumed of what cannot be estimated.
const UNKNOWN_ROWS: u64 = 1000;

/// Joins two relations of the plan.
pub(crate) fn join(
    lowering: &Lowering,
    kind: JoinKind,
    left: &Rel,
    right: &Rel,
    on: &Expr,
    lateral: bool,
) -> Result<Relation> {
    if lateral {
        return lateral_join(lowering, kind, left, right, on);
    }
    if kind == JoinKind::Inner
        && let Some(joined) = in_order(lowering, left, right, on)?
    {
        return Ok(joined);
    }
    let (left_rows, right_rows) = (estimate(lowering, left), estimate(lowering, right));
    let (left, right) = (lowering.relation(left)?, lowering.relation(right)?);
    let conjuncts = if on.is_true() { Vec::new() } else { on.clone().into_conjuncts() };
    if conjuncts.iter().any(Expr::contains_subquery) {
        // Over the pairs: inner joins are a cross join and a filter; an outer join's condition may not.
        if kind == JoinKind::Inner {
            let pairs = join_by(lowering, JoinType::Inner, left, right, &[], left_rows, right_rows)?;
            return lowering.filter_by(pairs, conjuncts);
        }
        return Err(crate::error::Error::unsupported("a subquery in the condition of an outer join"));
    }
    let kind = match kind {
        JoinKind::Inner => JoinType::Inner,
        JoinKind::Left => JoinType::Left,
        JoinKind::Right => JoinType::Right,
        JoinKind::Full => JoinType::Full,
    };
    join_by(lowering, kind, left, right, &conjuncts, left_rows, right_rows)
}

/// The relations and conditions of nested inner joins.
fn gather<'a>(rel: &'a Rel, relations: &mut Vec<&'a Rel>, conjuncts: &mut Vec<Expr>) {
    match rel {
        Rel::Join { kind: JoinKind::Inner, left, right, on, lateral: false } => visit::guard(|| {
            gather(left, relations, conjuncts);
            gather(right, relations, conjuncts);
            if !on.is_true() {
                conjuncts.extend(on.clone().into_conjuncts());
            }
        }),
        rel => relations.push(rel),
    }
}

/// One relation of several that are joined, or what is joined already.
struct Part {
    relation: Relation,
    rows: u64,
}

/// Three and more relations under inner joins, in an order that follows the equalities between them: the smallest
/// first, then always the smallest that an equality leads to. What no equality leads to is joined last.
fn in_order(lowering: &Lowering, left: &Rel, right: &Rel, on: &Expr) -> Result<Option<Relation>> {
    let (mut relations, mut conjuncts) = (Vec::new(), Vec::new());
    gather(left, &mut relations, &mut conjuncts);
    gather(right, &mut relations, &mut conjuncts);
    if !on.is_true() {
        conjuncts.extend(on.clone().into_conjuncts());
    }
    if relations.len() < 3 || conjuncts.iter().any(|c| c.contains_subquery() || c.is_volatile()) {
        return Ok(None);
    }
    let mut parts = Vec::with_capacity(relations.len());
    for rel in relations {
        parts.push(Part { relation: lowering.relation(rel)?, rows: estimate(lowering, rel) });
    }
    // Each round joins what equalities connect into one part; the parts that are left are unconnected.
    let mut done: Vec<Part> = Vec::new();
    while let Some(first) = smallest(parts.iter().map(|p| p.rows)) {
        let mut part = parts.swap_remove(first);
        loop {
            let connected =
                |other: &Part| conjuncts.iter().any(|c| equality(c, &part.relation, &other.relation).is_some());
            let next = parts.iter().enumerate().filter(|(_, p)| connected(p)).min_by_key(|(_, p)| p.rows);
            let Some((next, _)) = next else { break };
            part = joined(lowering, part, parts.swap_remove(next), &mut conjuncts)?;
        }
        done.push(part);
    }
    while done.len() > 1 {
        done.sort_by_key(|p| std::cmp::Reverse(p.rows));
        if let (Some(a), Some(b)) = (done.pop(), done.pop()) {
            done.push(joined(lowering, a, b, &mut conjuncts)?);
        }
    }
    let whole = done.pop().map(|p| p.relation);
    match whole {
        Some(relation) if !conjuncts.is_empty() => lowering.filter_by(relation, conjuncts).map(Some),
        whole => Ok(whole),
    }
}

fn smallest(rows: impl Iterator<Item = u64>) -> Option<usize> {
    rows.enumerate().min_by_key(|(_, rows)| *rows).map(|(at, _)| at)
}

/// Joins two parts by every condition that names nothing else.
fn joined(lowering: &Lowering, left: Part, right: Part, conjuncts: &mut Vec<Expr>) -> Result<Part> {
    let has = |relation: &Relation, id: &ColumnId| relation.columns.iter().any(|(c, _)| c == id);
    let (own, rest): (Vec<Expr>, Vec<Expr>) = std::mem::take(conjuncts)
        .into_iter()
        .partition(|c| c.free_columns().iter().all(|id| has(&left.relation, id) || has(&right.relation, id)));
    *conjuncts = rest;
    let by_equality = own.iter().any(|c| equality(c, &left.relation, &right.relation).is_some());
    let rows = if by_equality { left.rows.max(right.rows) } else { left.rows.saturating_mul(right.rows) };
    let relation = join_by(lowering, JoinType::Inner, left.relation, right.relation, &own, left.rows, right.rows)?;
    Ok(Part { relation, rows })
}

/// About how many rows a relation has: what is needed to choose the side that is held in memory.
fn estimate(lowering: &Lowering, rel: &Rel) -> u64 {
    match rel {
        Rel::OneRow => 1,
        Rel::Values { rows, .. } => rows.len() as u64,
        Rel::Scan { table, .. } => lowering.context.source.approximate_rows(*table),
        Rel::Filter { input, .. } => estimate(lowering, input) / 4 + 1,
        Rel::Aggregate { input, groups, .. } => {
            if groups.is_empty() {
                1
            } else {
                estimate(lowering, input) / 10 + 1
            }
        }
        Rel::Project { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Window { input, .. }
        | Rel::Distinct { input }
        | Rel::DistinctOn { input, .. } => estimate(lowering, input),
        Rel::Limit { input, limit, .. } => match limit {
            Some(Expr::Const(crate::document::Datum::Int8(n), _)) => estimate(lowering, input).min((*n).max(0) as u64),
            _ => estimate(lowering, input),
        },
        Rel::Join { left, right, on, .. } => {
            let (l, r) = (estimate(lowering, left), estimate(lowering, right));
            if on.is_true() { l.saturating_mul(r) } else { l.max(r) }
        }
        Rel::SetOp { left, right, .. } => estimate(lowering, left).saturating_add(estimate(lowering, right)),
        Rel::ProjectSet { input, .. } | Rel::Function { input, .. } => estimate(lowering, input).saturating_mul(10),
        _ => UNKNOWN_ROWS,
    }
}

/// Whether an equality of these types can be hashed: natively, or by the sort key of one type.
fn hashable(left: Type, right: Type) -> bool {
    let (l, r) = (Physical::of(left), Physical::of(right));
    let integer = |p| matches!(p, Physical::Int2 | Physical::Int4 | Physical::Int8);
    (integer(l) && integer(r)) || (l == r && l != Physical::Json && (l != Physical::Encoded || left.oid == right.oid))
}

/// The two sides of a conjunct that is an equality between them.
fn equality<'a>(conjunct: &'a Expr, left: &Relation, right: &Relation) -> Option<(&'a Expr, &'a Expr)> {
    let Expr::Call { function, args, .. } = conjunct else { return None };
    let [a, b] = args.as_slice() else { return None };
    if symbol(function) != Some("=") || !hashable(a.typ(), b.typ()) || conjunct.is_volatile() {
        return None;
    }
    let only = |e: &Expr, side: &Relation| {
        let used = e.free_columns();
        !used.is_empty() && used.iter().all(|id| side.columns.iter().any(|(c, _)| c == id))
    };
    if only(a, left) && only(b, right) {
        Some((a, b))
    } else if only(b, left) && only(a, right) {
        Some((b, a))
    } else {
        None
    }
}

/// The expression of one side of an equality, in a form that both sides share.
fn join_key(scope: &Scope<'_>, expr: &Expr, other: Type) -> Result<Arc<dyn PhysicalExpr>> {
    let (own, other) = (Physical::of(expr.typ()), Physical::of(other));
    if own == other {
        return scope.key(expr);
    }
    let lowered = scope.lower(expr)?;
    Ok(Arc::new(datafusion::physical_expr::expressions::CastExpr::new(lowered, Physical::Int8.data_type(), None)))
}

/// Joins lowered relations by conjuncts over both. The kind may be a semi or anti join of the left side as well.
pub(crate) fn join_by(
    lowering: &Lowering,
    kind: JoinType,
    left: Relation,
    right: Relation,
    conjuncts: &[Expr],
    left_rows: u64,
    right_rows: u64,
) -> Result<Relation> {
    // The first input is held in memory: the smaller one.
    let swapped = left_rows > right_rows;
    let (kind, left, right) = if swapped { (kind.swap(), right, left) } else { (kind, left, right) };
    let mut on: Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)> = Vec::new();
    let mut rest = Vec::new();
    for conjunct in conjuncts {
        match equality(conjunct, &left, &right) {
            Some((a, b)) => {
                on.push((join_key(&left.scope(lowering), a, b.typ())?, join_key(&right.scope(lowering), b, a.typ())?))
            }
            None => rest.push(conjunct.clone()),
        }
    }
    let filter =
        if rest.is_empty() { None } else { Some(join_filter(lowering, &left, &right, Expr::conjunction(rest))?) };
    let stop = lowering.context.stop.clone();
    let columns: Vec<(ColumnId, Type)> = match kind {
        JoinType::LeftSemi | JoinType::LeftAnti => left.columns.clone(),
        JoinType::RightSemi | JoinType::RightAnti => right.columns.clone(),
        _ => left.columns.iter().chain(&right.columns).copied().collect(),
    };
    let build = single(left.plan);
    let plan: Arc<dyn ExecutionPlan> = if on.is_empty() {
        Arc::new(NestedLoopJoinExec::try_new(build, right.plan, filter, &kind, None).map_err(from_datafusion)?)
    } else {
        // Rows of the held side that found no match are known only when all partitions have ended.
        let one = right.plan.output_partitioning().partition_count() > 1
            && matches!(kind, JoinType::Left | JoinType::Full | JoinType::LeftAnti | JoinType::LeftSemi);
        let probe = if one { single(right.plan) } else { right.plan };
        let merge = merge_join::merge_join(build.clone(), single(probe.clone()), on.clone(), filter.clone(), kind)
            .map_err(from_datafusion)?;
        let merge = interrupt::stoppable(merge, stop.clone());
        if merge_join::is_too_big(left_rows.min(right_rows), left.columns.len(), &lowering.context.task) {
            return Ok(Relation::new(merge, columns));
        }
        let join = HashJoinExec::try_new(
            build,
            probe,
            on,
            filter,
            &kind,
            None,
            PartitionMode::CollectLeft,
            NullEquality::NullEqualsNothing,
            false,
        );
        let hash = interrupt::stoppable(Arc::new(join.map_err(from_datafusion)?), stop);
        return Ok(Relation::new(merge_join::or_else(hash, merge), columns));
    };
    Ok(Relation::new(interrupt::stoppable(plan, stop), columns))
}

/// The part of a condition that is not hashed: over an intermediate batch of the columns that it names.
fn join_filter(lowering: &Lowering, left: &Relation, right: &Relation, condition: Expr) -> Result<JoinFilter> {
    let mut columns = Vec::new();
    let mut indices = Vec::new();
    for id in condition.free_columns() {
        for (side, relation) in [(JoinSide::Left, left), (JoinSide::Right, right)] {
            if let Some(index) = relation.columns.iter().position(|(c, _)| *c == id) {
                columns.push(relation.columns[index]);
                indices.push(ColumnIndex { index, side });
            }
        }
    }
    let schema: Arc<Schema> = physical::schema(&columns);
    let scope = Scope {
        columns: columns.iter().enumerate().map(|(i, (id, typ))| (*id, (i, *typ))).collect(),
        schema: schema.clone(),
        context: &lowering.context.eval,
    };
    let condition = interrupt::StoppableExpr::over(scope.lower(&condition)?, lowering.context.stop.clone());
    Ok(JoinFilter::new(condition, indices, schema))
}

fn lateral_join(lowering: &Lowering, kind: JoinKind, left: &Rel, right: &Rel, on: &Expr) -> Result<Relation> {
    let input = lowering.relation(left)?;
    let outer = kind == JoinKind::Left;
    // A function of the left row needs no plan of its own.
    if let Rel::Function { calls, ordinality, input: none, outer: false } = right
        && **none == Rel::OneRow
        && (on.is_true() || !outer)
    {
        let rows = set_function::over(lowering, input, calls, *ordinality, outer, false)?;
        return if on.is_true() { Ok(rows) } else { lowering.filter_by(rows, on.clone().into_conjuncts()) };
    }
    subquery::lateral(lowering, input, right, outer, on)
}
