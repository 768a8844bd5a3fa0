//! The logical pass after binding, which makes the executor's life easy and changes no answer:
//! constants are folded, filters move down to where their columns come from (`push`), stacked projections become one
//! (`merge`), and columns that nobody asks for are not produced (`prune`).

use crate::sql::context::EvalContext;
use crate::sql::eval;
use crate::sql::plan::{Expr, Query, Rel};

mod merge;
mod prune;
mod push;

/// Simplifies the plan of a query; its meaning and output columns stay.
pub fn simplify(query: &mut Query, context: &EvalContext) {
    fold(&mut query.plan, context);
    push::push_filters(&mut query.plan);
    merge::merge_projections(&mut query.plan);
    limit_first(&mut query.plan);
    let needed = query.output.iter().map(|column| column.id).collect();
    prune::prune(&mut query.plan, &needed);
    merge::merge_projections(&mut query.plan);
}

/// LIMIT goes below a projection that calls volatile functions: they are called for the rows that are wanted.
fn limit_first(rel: &mut Rel) {
    rel.rewrite_rels(&mut |rel| {
        let Rel::Limit { input, offset: None, ties: None, .. } = &*rel else { return };
        if !matches!(&**input, Rel::Project { exprs, .. } if exprs.iter().any(|(_, e)| e.is_volatile())) {
            return;
        }
        if let Rel::Limit { mut input, limit, offset, ties } = rel.take() {
            if let Rel::Project { input: below, .. } = &mut *input {
                let limited = Rel::Limit { input: Box::new(below.take()), limit, offset, ties };
                **below = limited;
            }
            *rel = *input;
        }
    });
}

/// Folds the constant parts of every expression.
fn fold(rel: &mut Rel, context: &EvalContext) {
    rel.rewrite_rels(&mut |rel| {
        rel.for_each_expr_mut(|expr| {
            // Columns and constants alone are frequent and have nothing to fold.
            if !matches!(expr, Expr::Column(..) | Expr::Const(..) | Expr::Param(..)) {
                *expr = eval::fold(expr.take(), context);
            }
        });
        if let Rel::Filter { input, predicate } = rel
            && predicate.is_true()
        {
            *rel = input.take();
        }
    });
}
