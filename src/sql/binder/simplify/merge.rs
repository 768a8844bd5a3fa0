//! Stacked projections become one, and those that only pass their input through go away.

use std::collections::HashMap;

use crate::sql::plan::{ColumnId, Expr, Rel};

use super::push::substitute;

/// Merges projections everywhere.
pub(super) fn merge_projections(rel: &mut Rel) {
    rel.rewrite_rels(&mut |rel| {
        let Rel::Project { input, exprs } = rel else { return };
        if let Rel::Project { input: below, exprs: inner } = &mut **input
            && may_merge(exprs, inner)
        {
            let map: HashMap<ColumnId, &Expr> = inner.iter().map(|(id, expr)| (*id, expr)).collect();
            for (_, expr) in exprs.iter_mut() {
                *expr = substitute(expr.take(), &map);
            }
            **input = below.take();
        }
        if is_identity(exprs, input) {
            *rel = input.take();
        }
    });
}

/// Whether the inner expressions may be put in place of their columns: each is cheap or used once, and none is
/// volatile.
fn may_merge(outer: &[(ColumnId, Expr)], inner: &[(ColumnId, Expr)]) -> bool {
    let mut uses: HashMap<ColumnId, usize> = HashMap::new();
    for (_, expr) in outer {
        expr.walk_deep(&mut |e| {
            if let Expr::Column(id, _) = e {
                *uses.entry(*id).or_default() += 1;
            }
            true
        });
    }
    let in_subquery = outer.iter().any(|(_, expr)| expr.contains_subquery());
    inner.iter().all(|(id, expr)| match expr {
        Expr::Column(..) | Expr::Const(..) | Expr::Param(..) => true,
        _ if expr.is_volatile() => false,
        _ => uses.get(id).copied().unwrap_or(0) <= 1 && !in_subquery,
    })
}

/// Whether a projection gives exactly the columns of its input.
fn is_identity(exprs: &[(ColumnId, Expr)], input: &Rel) -> bool {
    let passes = |(id, expr): &(ColumnId, Expr)| matches!(expr, Expr::Column(same, _) if same == id);
    exprs.iter().all(passes) && input.columns().len() == exprs.len()
}
