//! Filters move down: through projections, joins, grouping, set operations and into derived tables and views.
//!
//! A conjunct moves only if it is not volatile. It stays above an outer join where the join may have made NULLs of
//! what it tests, above LIMIT, and above window functions.

use std::collections::HashMap;

use crate::sql::plan::visit::guard;
use crate::sql::plan::{ColumnId, Expr, JoinKind, Rel, SetOpKind};

/// Pushes every filter of the tree as far down as it may go.
pub(super) fn push_filters(rel: &mut Rel) {
    // Subqueries in expressions first, then from the top down.
    rel.rewrite_rels(&mut |rel| {
        if let Rel::Filter { .. } = rel
            && let Rel::Filter { mut input, predicate } = rel.take()
        {
            let rest = push(&mut input, predicate.into_conjuncts());
            *rel = filtered(*input, rest);
        }
        if let Rel::Join { kind, left, right, on, .. } = rel {
            let conjuncts = on.take().into_conjuncts();
            *on = push_on(*kind, left, right, conjuncts);
        }
    });
}

/// A filter above a relation, if there is anything to test.
fn filtered(rel: Rel, conjuncts: Vec<Expr>) -> Rel {
    if conjuncts.is_empty() {
        return rel;
    }
    match rel {
        Rel::Filter { input, predicate } => {
            let mut all = predicate.into_conjuncts();
            all.extend(conjuncts);
            Rel::Filter { input, predicate: Expr::conjunction(all) }
        }
        rel => Rel::Filter { input: Box::new(rel), predicate: Expr::conjunction(conjuncts) },
    }
}

/// Pushes conjuncts into a relation; those that cannot go are given back.
fn push(rel: &mut Rel, conjuncts: Vec<Expr>) -> Vec<Expr> {
    guard(|| {
        let (movable, mut stay): (Vec<Expr>, Vec<Expr>) = conjuncts.into_iter().partition(|c| !c.is_volatile());
        if movable.is_empty() {
            return stay;
        }
        stay.extend(push_movable(rel, movable));
        stay
    })
}

/// Pushes conjuncts into a boxed input and leaves a filter above it for the rest.
fn into(input: &mut Rel, conjuncts: Vec<Expr>) {
    if !conjuncts.is_empty() {
        let rest = push(input, conjuncts);
        *input = filtered(input.take(), rest);
    }
}

fn push_movable(rel: &mut Rel, conjuncts: Vec<Expr>) -> Vec<Expr> {
    match rel {
        Rel::Filter { input, predicate } => {
            let rest = push(input, conjuncts);
            if !rest.is_empty() {
                let mut all = predicate.take().into_conjuncts();
                all.extend(rest);
                *predicate = Expr::conjunction(all);
            }
            Vec::new()
        }
        Rel::Project { input, exprs } => {
            let map: HashMap<ColumnId, &Expr> = exprs.iter().map(|(id, expr)| (*id, expr)).collect();
            let (down, stay) =
                split(conjuncts, |c| c.free_columns().iter().all(|id| map.get(id).is_none_or(|expr| may_repeat(expr))));
            let down = down.into_iter().map(|c| substitute(c, &map)).collect();
            into(input, down);
            stay
        }
        Rel::Join { kind, left, right, on, .. } => {
            let (l, r) = (left.column_ids(), right.column_ids());
            let (mut to_left, mut to_right, mut to_on, mut stay) = (vec![], vec![], vec![], vec![]);
            for conjunct in conjuncts {
                let used = conjunct.free_columns();
                let (in_left, in_right) = (!used.is_disjoint(&l), !used.is_disjoint(&r));
                match (*kind, in_left, in_right) {
                    (JoinKind::Inner, true, false) | (JoinKind::Left, true, false) => to_left.push(conjunct),
                    (JoinKind::Inner, false, true) | (JoinKind::Right, false, true) => to_right.push(conjunct),
                    (JoinKind::Inner, true, true) => to_on.push(conjunct),
                    // Without columns of either side it may be tested first on both; once is enough.
                    (JoinKind::Inner | JoinKind::Left, false, false) => to_left.push(conjunct),
                    _ => stay.push(conjunct),
                }
            }
            into(left, to_left);
            into(right, to_right);
            if !to_on.is_empty() {
                let mut all = on.take().into_conjuncts();
                all.extend(to_on);
                *on = Expr::conjunction(all);
            }
            stay
        }
        Rel::Aggregate { input, groups, sets: None, .. } if !groups.is_empty() => {
            let map: HashMap<ColumnId, &Expr> = groups.iter().map(|(id, expr)| (*id, expr)).collect();
            let (down, stay) = split(conjuncts, |c| {
                let used = c.free_columns();
                !used.is_empty() && used.iter().all(|id| map.get(id).is_some_and(|expr| may_repeat(expr)))
            });
            let down = down.into_iter().map(|c| substitute(c, &map)).collect();
            into(input, down);
            stay
        }
        Rel::Sort { input, .. } | Rel::Distinct { input } => {
            into(input, conjuncts);
            Vec::new()
        }
        Rel::ProjectSet { input, .. } | Rel::Function { input, .. } => {
            let own = input.column_ids();
            let made = !own.is_empty();
            let (down, stay) = split(conjuncts, |c| {
                let used = c.free_columns();
                made && !used.is_empty() && used.is_subset(&own)
            });
            into(input, down);
            stay
        }
        Rel::SetOp { kind: SetOpKind::Union, left, left_columns, right, right_columns, columns, .. } => {
            let typed = |ids: &[ColumnId]| -> HashMap<ColumnId, Expr> {
                columns.iter().zip(ids).map(|((id, typ), own)| (*id, Expr::Column(*own, *typ))).collect()
            };
            for (side, ids) in [(left, &*left_columns), (right, &*right_columns)] {
                let owned = typed(ids);
                let map: HashMap<ColumnId, &Expr> = owned.iter().map(|(id, expr)| (*id, expr)).collect();
                // A condition with a subquery would be made twice, with the same columns inside.
                if conjuncts.iter().any(Expr::contains_subquery) {
                    return conjuncts;
                }
                into(side, conjuncts.iter().map(|c| substitute(c.clone(), &map)).collect());
            }
            Vec::new()
        }
        Rel::With { body, .. } => {
            into(body, conjuncts);
            Vec::new()
        }
        _ => conjuncts,
    }
}

/// Moves what a join's condition says of one side only into that side.
fn push_on(kind: JoinKind, left: &mut Rel, right: &mut Rel, conjuncts: Vec<Expr>) -> Expr {
    let (l, r) = (left.column_ids(), right.column_ids());
    let (mut to_left, mut to_right, mut stay) = (vec![], vec![], vec![]);
    for conjunct in conjuncts {
        if conjunct.is_volatile() {
            stay.push(conjunct);
            continue;
        }
        let used = conjunct.free_columns();
        let (in_left, in_right) = (!used.is_disjoint(&l), !used.is_disjoint(&r));
        match (kind, in_left, in_right) {
            (JoinKind::Inner | JoinKind::Right, true, false) => to_left.push(conjunct),
            (JoinKind::Inner | JoinKind::Left, false, true) => to_right.push(conjunct),
            _ => stay.push(conjunct),
        }
    }
    into(left, to_left);
    into(right, to_right);
    Expr::conjunction(stay)
}

fn split(conjuncts: Vec<Expr>, moves: impl Fn(&Expr) -> bool) -> (Vec<Expr>, Vec<Expr>) {
    conjuncts.into_iter().partition(|c| moves(c))
}

/// Whether an expression may be computed in one more place.
fn may_repeat(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(..) | Expr::Const(..) | Expr::Param(..))
        || (!expr.is_volatile() && !expr.contains_subquery())
}

/// The condition with columns replaced by what they are.
pub(super) fn substitute(mut expr: Expr, map: &HashMap<ColumnId, &Expr>) -> Expr {
    expr.replace(&mut |e| {
        let Expr::Column(id, _) = e else { return false };
        if let Some(to) = map.get(id) {
            *e = (*to).clone();
        }
        true
    });
    expr
}
