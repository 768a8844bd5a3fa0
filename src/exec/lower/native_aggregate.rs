//! Aggregates that DataFusion computes with PostgreSQL's meaning: counts, integer sums that cannot overflow, smallest
//! and largest of types whose Arrow order is SQL's. In two phases where the input has several partitions.

use std::sync::Arc;

use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{CastExpr, Column, lit};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};

use crate::document::Type;
use crate::error::Result;
use crate::sql::plan::{AggregateCall, ColumnId, Expr};

use super::physical::Physical;
use super::rel::{Lowering, Relation};
use super::{from_datafusion, interrupt, single};

/// Whether an aggregate call has a native form.
fn is_native(call: &AggregateCall, lowering: &Lowering, input: &Relation) -> Result<bool> {
    if !call.order.is_empty() {
        return Ok(false);
    }
    let scope = input.scope(lowering);
    if call.filter.is_some() {
        for arg in &call.args {
            // Arguments are computed for rows that the filter drops as well.
            if !scope.lowered(arg)?.safe {
                return Ok(false);
            }
        }
    }
    let arg = call.args.first().map(|a| Physical::of(a.typ()));
    Ok(match (call.function.name, arg) {
        ("count", None) => !call.distinct,
        ("count", Some(typ)) => call.args.len() == 1 && (!call.distinct || typ.is_ordered()),
        ("sum", Some(Physical::Int2 | Physical::Int4)) => !call.distinct,
        ("min" | "max", Some(typ)) => typ.is_ordered() && typ != Physical::Bool,
        _ => false,
    })
}

/// An aggregate and its FILTER.
type Filtered = (Arc<AggregateFunctionExpr>, Option<Arc<dyn PhysicalExpr>>);

fn build(call: &AggregateCall, id: ColumnId, lowering: &Lowering, input: &Relation) -> Result<Filtered> {
    let scope = input.scope(lowering);
    let (udaf, args): (_, Vec<Arc<dyn PhysicalExpr>>) = match (call.function.name, call.args.first()) {
        ("count", None) => (count_udaf(), vec![lit(1i64)]),
        ("count", Some(arg)) => (count_udaf(), vec![scope.lower(arg)?]),
        ("sum", Some(arg)) => {
            (sum_udaf(), vec![Arc::new(CastExpr::new(scope.lower(arg)?, Physical::Int8.data_type(), None))])
        }
        ("min", Some(arg)) => (min_udaf(), vec![scope.lower(arg)?]),
        (_, Some(arg)) => (max_udaf(), vec![scope.lower(arg)?]),
        (name, None) => return Err(crate::error::Error::internal(format!("aggregate {name} without an argument"))),
    };
    // The least and greatest of distinct values are those of all.
    let distinct = call.distinct && call.function.name == "count";
    let expr = AggregateExprBuilder::new(udaf, args)
        .schema(input.plan.schema())
        .alias(format!("c{id}"))
        .with_distinct(distinct);
    let filter = call.filter.as_ref().map(|f| scope.lower(f)).transpose()?;
    Ok((Arc::new(expr.build().map_err(from_datafusion)?), filter))
}

/// Lowers GROUP BY if every key and every aggregate has a native form.
pub(crate) fn aggregate(
    lowering: &Lowering,
    input: &Relation,
    groups: &[(ColumnId, Expr)],
    aggregates: &[(ColumnId, AggregateCall)],
) -> Result<Option<Relation>> {
    if !groups.iter().all(|(_, e)| Physical::of(e.typ()).is_ordered()) {
        return Ok(None);
    }
    for (_, call) in aggregates {
        if !is_native(call, lowering, input)? {
            return Ok(None);
        }
    }
    let scope = input.scope(lowering);
    let keys = groups.iter().map(|(id, e)| Ok((scope.lower(e)?, format!("c{id}")))).collect::<Result<Vec<_>>>()?;
    let (mut exprs, mut filters) = (Vec::new(), Vec::new());
    for (id, call) in aggregates {
        let (expr, filter) = build(call, *id, lowering, input)?;
        exprs.push(expr);
        filters.push(filter);
    }
    let columns: Vec<(ColumnId, Type)> =
        groups.iter().map(|(id, e)| (*id, e.typ())).chain(aggregates.iter().map(|(id, c)| (*id, c.typ))).collect();
    let schema = input.plan.schema();
    let group_by = PhysicalGroupBy::new_single(keys.clone());
    let plan: Arc<dyn ExecutionPlan> = if input.plan.output_partitioning().partition_count() == 1 {
        let one = AggregateExec::try_new(AggregateMode::Single, group_by, exprs, filters, input.plan.clone(), schema);
        Arc::new(one.map_err(from_datafusion)?)
    } else {
        let partial = AggregateExec::try_new(
            AggregateMode::Partial,
            group_by,
            exprs.clone(),
            filters,
            input.plan.clone(),
            schema.clone(),
        );
        let partial: Arc<dyn ExecutionPlan> = Arc::new(partial.map_err(from_datafusion)?);
        let none = vec![None; exprs.len()];
        let by_position = |(i, (_, name)): (usize, &(Arc<dyn PhysicalExpr>, String))| {
            (Arc::new(Column::new(name, i)) as Arc<dyn PhysicalExpr>, name.clone())
        };
        let final_keys: Vec<_> = keys.iter().enumerate().map(by_position).collect();
        let (mode, input): (_, Arc<dyn ExecutionPlan>) = if groups.is_empty() {
            (AggregateMode::Final, single(partial))
        } else {
            let by = final_keys.iter().map(|(e, _)| e.clone()).collect();
            let partitioning = Partitioning::Hash(by, lowering.context.parallelism);
            (
                AggregateMode::FinalPartitioned,
                Arc::new(RepartitionExec::try_new(interrupt::aside(partial), partitioning).map_err(from_datafusion)?),
            )
        };
        let last = AggregateExec::try_new(mode, PhysicalGroupBy::new_single(final_keys), exprs, none, input, schema);
        Arc::new(last.map_err(from_datafusion)?)
    };
    Ok(Some(Relation::new(plan, columns)))
}
