//! What is done once before a plan is lowered: parameters are put in place, closed subqueries are run and become
//! constants, WITH definitions are run and become batches.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::TryStreamExt;

use crate::document::{Array, Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::plan::{Cte, Expr, Rel, Subquery, SubqueryKind};

use super::recursion::Recursion;
use super::{CteRows, Materialised, QueryContext, collect_rows, execute};

/// Puts the values of parameters in place.
pub(crate) fn bind_params(plan: &mut Rel, params: &[Datum]) {
    if params.is_empty() {
        return;
    }
    plan.rewrite_exprs(&mut |expr| {
        if let Expr::Param(index, typ) = expr
            && let Some(value) = params.get(*index)
        {
            *expr = Expr::Const(value.clone(), *typ);
        }
    });
}

/// Runs WITH definitions and closed subqueries, outermost first, and puts their results in place.
pub(crate) fn run_once<'a>(plan: &'a mut Rel, context: &'a Arc<QueryContext>) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        if let Rel::With { ctes, body } = plan {
            for cte in std::mem::take(ctes) {
                materialise(cte, context).await?;
            }
            let body = body.take();
            *plan = body;
            return run_once(plan, context).await;
        }
        if let Rel::Modify(modify) = plan {
            let columns: Vec<_> = modify.returning.iter().flatten().map(|(id, e)| (*id, e.typ())).collect();
            let rows = context.source.modify(modify, context.clone()).await?;
            *plan = Rel::Values { rows: constants(rows, &columns), columns };
            return Ok(());
        }
        // Taken out and put back in the same order: the tree cannot be borrowed while a query runs.
        let mut subqueries = Vec::new();
        plan.for_each_expr_mut(|expr| take_closed(expr, &mut subqueries));
        let mut answers = Vec::with_capacity(subqueries.len());
        for subquery in subqueries {
            answers.push(Some(constant(subquery, context).await?));
        }
        if !answers.is_empty() {
            plan.for_each_expr_mut(|expr| {
                expr.rewrite_deep(&mut |e| {
                    if let Expr::Param(index, _) = e
                        && let Some(answer) = answers.get_mut(*index).and_then(Option::take)
                    {
                        *e = answer;
                    }
                })
            });
        }
        let mut inputs = Vec::new();
        plan.for_each_input_mut(|input| inputs.push(input.take()));
        for input in &mut inputs {
            run_once(input, context).await?;
        }
        let mut inputs = inputs.into_iter();
        plan.for_each_input_mut(|input| *input = inputs.next().expect("as many inputs as were taken"));
        Ok(())
    })
}

fn constants(rows: Vec<Vec<Datum>>, columns: &[(u32, Type)]) -> Vec<Vec<Expr>> {
    let row = |row: Vec<Datum>| row.into_iter().zip(columns).map(|(v, (_, typ))| Expr::Const(v, *typ)).collect();
    rows.into_iter().map(row).collect()
}

/// Takes out the subqueries that do not depend on an outer row and have one answer, leaving numbered places (parameters
/// are bound already, so that their form is free).
fn take_closed(expr: &mut Expr, taken: &mut Vec<Subquery>) {
    let one_answer = |s: &Subquery| match &s.kind {
        SubqueryKind::Quantified { .. } | SubqueryKind::Row { .. } => as_membership(s).is_some(),
        _ => true,
    };
    expr.replace(&mut |e| {
        let Expr::Subquery(subquery) = e else { return false };
        if !one_answer(subquery) || !subquery.plan.free_columns().is_empty() {
            // What is closed inside is run when the outer one is.
            return true;
        }
        let place = Expr::Param(taken.len(), subquery.typ);
        if let Expr::Subquery(subquery) = std::mem::replace(e, place) {
            taken.push(*subquery);
        }
        true
    });
}

/// `x = ANY (SELECT y)` as the outer expression, and the function that compares.
pub(crate) fn as_membership(subquery: &Subquery) -> Option<(&Expr, &'static crate::sql::function::Function)> {
    let SubqueryKind::Quantified { all: false, condition } = &subquery.kind else { return None };
    let Expr::Call { function, args, .. } = condition else { return None };
    let [left, Expr::Column(id, typ)] = args.as_slice() else { return None };
    let plain =
        subquery.columns.len() == 1 && subquery.columns[0].0 == *id && super::expr::symbol(function) == Some("=");
    let same = left.typ().oid == typ.oid && !left.free_columns().contains(id) && !left.contains_subquery();
    (plain && same).then_some((left, *function))
}

/// Runs a closed subquery.
async fn constant(mut subquery: Subquery, context: &Arc<QueryContext>) -> Result<Expr> {
    let typ = subquery.typ;
    let value = match &subquery.kind {
        SubqueryKind::Exists => {
            let mut stream = execute(&subquery.plan, &[], &[], context).await?;
            let mut found = false;
            while let Some(batch) = stream.try_next().await? {
                if batch.num_rows() > 0 {
                    found = true;
                    break;
                }
            }
            Datum::Bool(found)
        }
        SubqueryKind::Scalar => scalar(collect_rows(&subquery.plan, &subquery.columns, &[], context).await?)?,
        SubqueryKind::Array => {
            let element = subquery.columns.first().map_or(Type::TEXT, |(_, typ)| *typ);
            array(collect_rows(&subquery.plan, &subquery.columns, &[], context).await?, element)?
        }
        SubqueryKind::Quantified { .. } | SubqueryKind::Row { .. } => {
            let Some((left, equal)) = as_membership(&subquery) else {
                return Ok(Expr::Subquery(Box::new(subquery)));
            };
            let left = left.clone();
            let column = subquery.columns[0].1;
            let rows = collect_rows(&subquery.plan, &subquery.columns, &[], context).await?;
            let list: Vec<Expr> = rows.into_iter().flatten().map(|v| Expr::Const(v, column)).collect();
            if list.is_empty() {
                return Ok(Expr::Const(Datum::Bool(false), Type::BOOL));
            }
            subquery.plan = Rel::OneRow;
            return Ok(Expr::InList { left: Box::new(left), list, equal, negated: false });
        }
    };
    Ok(Expr::Const(value, typ))
}

/// The value of a scalar subquery's rows.
pub(crate) fn scalar(mut rows: Vec<Vec<Datum>>) -> Result<Datum> {
    match rows.len() {
        0 => Ok(Datum::Null),
        1 => rows.remove(0).into_iter().next().ok_or_else(|| Error::internal("a scalar subquery without a column")),
        _ => Err(err!(CARDINALITY_VIOLATION, "more than one row returned by a subquery used as an expression")),
    }
}

/// The array of a subquery's rows; arrays become a further dimension.
pub(crate) fn array(rows: Vec<Vec<Datum>>, element: Type) -> Result<Datum> {
    let values: Vec<Datum> = rows.into_iter().flatten().collect();
    if !values.iter().any(|v| matches!(v, Datum::Array(_))) {
        return Ok(Datum::Array(Box::new(Array::new(element.oid, values))));
    }
    let mut dims: Option<Vec<(i32, i32)>> = None;
    let (mut flat, mut inner, count) = (Vec::new(), element.oid, values.len());
    for value in values {
        let Datum::Array(part) = value else {
            return Err(err!(NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
        };
        if dims.as_ref().is_some_and(|d| *d != part.dims) {
            return Err(err!(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate arrays of different dimensionality"));
        }
        inner = part.element;
        dims.get_or_insert(part.dims);
        flat.extend(part.values);
    }
    let mut all = vec![(count as i32, 1)];
    all.extend(dims.unwrap_or_default());
    Ok(Datum::Array(Box::new(Array { element: inner, dims: all, values: flat })))
}

/// Runs a definition of WITH and keeps its rows; a recursive one is run as far as it is read.
async fn materialise(cte: Cte, context: &Arc<QueryContext>) -> Result<()> {
    let rows = match cte.recursive {
        None => {
            let stream = execute(&cte.plan, &cte.columns, &[], context).await?;
            CteRows::Done(stream.try_collect().await?)
        }
        Some(_) => CteRows::Growing(Recursion::new(cte.clone(), context)?),
    };
    context.set_cte(cte.id, Materialised { columns: cte.columns, rows });
    Ok(())
}
