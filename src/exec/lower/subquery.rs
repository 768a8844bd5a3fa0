//! Subqueries that depend on the row of an outer query: semi and anti joins where the dependence is a condition, and
//! otherwise the inner plan is run for each distinct set of outer values, its answer kept.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::JoinType;
use futures::stream::{StreamExt, TryStreamExt};

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::eval::{self, Compiled};
use crate::sql::plan::{ColumnId, Expr, Rel, Subquery, SubqueryKind};

use super::operator::Operator;
use super::physical::{self, Builder, Reader};
use super::rel::{Lowering, Relation};
use super::set_operation::row_key;
use super::{QueryContext, collect_rows, from_datafusion, join, prepare};

/// Answers kept before they are forgotten.
const MEMO_MAX: usize = 65_536;

/// One dependent plan, run for sets of outer values.
struct Dependent {
    plan: Rel,
    columns: Vec<(ColumnId, Type)>,
    /// The outer columns that the plan names: (position in the input, id, type).
    outer: Vec<(usize, ColumnId, Type)>,
}

impl Dependent {
    fn new(plan: Rel, columns: Vec<(ColumnId, Type)>, input: &[(ColumnId, Type)]) -> Result<Self> {
        let outer = positions(&plan.free_columns(), input)?;
        Ok(Self { plan, columns, outer })
    }

    fn key(&self, row: &[Datum]) -> Vec<u8> {
        key_of(&self.outer, row)
    }

    /// Runs the plan for one row of the outer query.
    async fn run(&self, row: &[Datum], context: &Arc<QueryContext>) -> Result<Vec<Vec<Datum>>> {
        let mut plan = self.plan.clone();
        if !self.outer.is_empty() {
            let values: HashMap<ColumnId, &Datum> = self.outer.iter().map(|(at, id, _)| (*id, &row[*at])).collect();
            plan.rewrite_exprs(&mut |e| {
                if let Expr::Column(id, typ) = e
                    && let Some(value) = values.get(id)
                {
                    *e = Expr::Const((*value).clone(), *typ);
                }
            });
        }
        // Boxed: plans nest.
        let run: futures::future::BoxFuture<'_, _> = Box::pin(collect_rows(&plan, &self.columns, &[], context));
        run.await
    }
}

fn positions(ids: &BTreeSet<ColumnId>, input: &[(ColumnId, Type)]) -> Result<Vec<(usize, ColumnId, Type)>> {
    let find = |id: &ColumnId| {
        let at = input.iter().position(|(c, _)| c == id);
        let at = at.ok_or_else(|| Error::internal(format!("an outer query does not have column c{id}")))?;
        Ok((at, *id, input[at].1))
    };
    ids.iter().map(find).collect()
}

fn key_of(columns: &[(usize, ColumnId, Type)], row: &[Datum]) -> Vec<u8> {
    let values: Vec<Datum> = columns.iter().map(|(at, _, _)| row[*at].clone()).collect();
    let types: Vec<Type> = columns.iter().map(|(_, _, typ)| *typ).collect();
    row_key(&values, &types)
}

/// A subquery whose value becomes a column.
struct Applied {
    dependent: Dependent,
    kind: AppliedKind,
    typ: Type,
    /// The outer columns that decide the value.
    outer: Vec<(usize, ColumnId, Type)>,
}

enum AppliedKind {
    Scalar,
    Exists,
    Array(Type),
    /// The condition over (input columns, subquery columns); ALL or ANY.
    Quantified(Compiled, bool),
    Row(Compiled),
}

/// What is known of each subquery's answers.
#[derive(Default)]
struct Memo {
    values: HashMap<Vec<u8>, Datum>,
    rows: HashMap<Vec<u8>, Arc<Vec<Vec<Datum>>>>,
}

impl Applied {
    fn new(subquery: Subquery, input: &[(ColumnId, Type)]) -> Result<Self> {
        let Subquery { kind, plan, columns, typ, .. } = subquery;
        let mut ids = plan.free_columns();
        let kind = match kind {
            SubqueryKind::Scalar => AppliedKind::Scalar,
            SubqueryKind::Exists => AppliedKind::Exists,
            SubqueryKind::Array => AppliedKind::Array(columns.first().map_or(Type::TEXT, |(_, typ)| *typ)),
            SubqueryKind::Quantified { condition, .. } | SubqueryKind::Row { condition }
                if condition.contains_subquery() =>
            {
                return Err(Error::unsupported(format!(
                    "a subquery beside a subquery in a comparison ({})",
                    condition.typ().oid
                )));
            }
            SubqueryKind::Quantified { all, condition } => {
                AppliedKind::Quantified(Self::condition(&condition, input, &columns, &mut ids)?, all)
            }
            SubqueryKind::Row { condition } => {
                AppliedKind::Row(Self::condition(&condition, input, &columns, &mut ids)?)
            }
        };
        let outer = positions(&ids, input)?;
        Ok(Self { dependent: Dependent::new(plan, columns, input)?, kind, typ, outer })
    }

    fn condition(
        condition: &Expr,
        input: &[(ColumnId, Type)],
        columns: &[(ColumnId, Type)],
        ids: &mut BTreeSet<ColumnId>,
    ) -> Result<Compiled> {
        ids.extend(condition.free_columns().into_iter().filter(|id| !columns.iter().any(|(c, _)| c == id)));
        let slots: Vec<ColumnId> = input.iter().chain(columns).map(|(id, _)| *id).collect();
        eval::compile(condition, &slots)
    }

    async fn value(&self, row: &[Datum], memo: &mut Memo, context: &Arc<QueryContext>) -> Result<Datum> {
        let key = key_of(&self.outer, row);
        if let Some(value) = memo.values.get(&key) {
            return Ok(value.clone());
        }
        let rows_key = self.dependent.key(row);
        let rows = match memo.rows.get(&rows_key) {
            Some(rows) => rows.clone(),
            None => {
                let rows = Arc::new(self.dependent.run(row, context).await?);
                // Only conditions look at the same rows again.
                if matches!(self.kind, AppliedKind::Quantified(..)) {
                    if memo.rows.len() >= 64 {
                        memo.rows.clear();
                    }
                    memo.rows.insert(rows_key, rows.clone());
                }
                rows
            }
        };
        let value = self.answer(&rows, row, context)?;
        if memo.values.len() >= MEMO_MAX {
            memo.values.clear();
        }
        memo.values.insert(key, value.clone());
        Ok(value)
    }

    fn answer(&self, rows: &Arc<Vec<Vec<Datum>>>, row: &[Datum], context: &Arc<QueryContext>) -> Result<Datum> {
        let compare = |condition: &Compiled, inner: &[Datum]| {
            let values: Vec<Datum> = row.iter().chain(inner).cloned().collect();
            condition.eval(&values, &[], &context.eval)
        };
        match &self.kind {
            AppliedKind::Scalar => prepare::scalar(rows.as_ref().clone()),
            AppliedKind::Exists => Ok(Datum::Bool(!rows.is_empty())),
            AppliedKind::Array(element) => prepare::array(rows.as_ref().clone(), *element),
            AppliedKind::Row(condition) => match rows.as_slice() {
                [] => Ok(Datum::Null),
                [inner] => compare(condition, inner),
                _ => Err(err!(CARDINALITY_VIOLATION, "more than one row returned by a subquery used as an expression")),
            },
            AppliedKind::Quantified(condition, all) => {
                // The deciding value is `all`'s opposite; NULL if none decides and one is unknown.
                let mut unknown = false;
                for inner in rows.iter() {
                    match compare(condition, inner)? {
                        Datum::Bool(value) if value != *all => return Ok(Datum::Bool(value)),
                        Datum::Null => unknown = true,
                        _ => {}
                    }
                }
                Ok(if unknown { Datum::Null } else { Datum::Bool(*all) })
            }
        }
    }
}

/// Replaces the subqueries in expressions by columns of an operator over the input.
pub(crate) fn apply(lowering: &Lowering, input: Relation, exprs: &mut [Expr]) -> Result<Relation> {
    let mut applied: Vec<(ColumnId, Applied)> = Vec::new();
    let mut failed = None;
    for expr in exprs.iter_mut() {
        expr.replace(&mut |e| {
            if !matches!(e, Expr::Subquery(_)) {
                return false;
            }
            let id = lowering.context.new_column();
            let typ = e.typ();
            if let Expr::Subquery(subquery) = std::mem::replace(e, Expr::Column(id, typ)) {
                match Applied::new(*subquery, &input.columns) {
                    Ok(subquery) => applied.push((id, subquery)),
                    Err(error) => failed = Some(error),
                }
            }
            true
        });
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if applied.is_empty() {
        return Ok(input);
    }
    let mut columns = input.columns.clone();
    columns.extend(applied.iter().map(|(id, a)| (*id, a.typ)));
    let types: Arc<Vec<Type>> = Arc::new(input.columns.iter().map(|(_, typ)| *typ).collect());
    let schema = physical::schema(&columns);
    let applied: Arc<Vec<Applied>> = Arc::new(applied.into_iter().map(|(_, a)| a).collect());
    let (context, out_schema) = (lowering.context.clone(), schema.clone());
    let run = move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, _| {
        let memos: Vec<Memo> = applied.iter().map(|_| Memo::default()).collect();
        let (applied, types, context, schema) = (applied.clone(), types.clone(), context.clone(), out_schema.clone());
        let stream = futures::stream::try_unfold((inputs.remove(0), memos), move |(mut input, mut memos)| {
            let (applied, types, context, schema) = (applied.clone(), types.clone(), context.clone(), schema.clone());
            async move {
                let Some(batch) = input.try_next().await.map_err(from_datafusion)? else { return Ok(None) };
                let mut rows = Vec::new();
                physical::append_rows(&batch, &types, &mut rows)?;
                let mut arrays = batch.columns().to_vec();
                for (applied, memo) in applied.iter().zip(&mut memos) {
                    let mut builder = Builder::new(applied.typ, rows.len());
                    for row in &rows {
                        context.cancel.check()?;
                        builder.push(&applied.value(row, memo, &context).await?)?;
                    }
                    arrays.push(builder.finish());
                }
                Ok::<_, Error>(Some((physical::batch(&schema, arrays, batch.num_rows())?, (input, memos))))
            }
        });
        Ok(stream.boxed())
    };
    let input = input.single();
    Ok(Relation::new(Operator::new("Apply", schema, vec![input.plan], 1, Arc::new(run)), columns))
}

/// A lateral join: the right plan for each distinct set of the left values that it names.
pub(crate) fn lateral(lowering: &Lowering, input: Relation, right: &Rel, outer: bool, on: &Expr) -> Result<Relation> {
    let right_columns = right.columns();
    let columns: Vec<(ColumnId, Type)> = input.columns.iter().chain(&right_columns).copied().collect();
    if on.contains_subquery() {
        return Err(Error::unsupported("a subquery in the condition of a lateral join"));
    }
    let ids: Vec<ColumnId> = columns.iter().map(|(id, _)| *id).collect();
    let condition = if on.is_true() { None } else { Some(Arc::new(eval::compile(on, &ids)?)) };
    let dependent = Arc::new(Dependent::new(right.clone(), right_columns, &input.columns)?);
    let types: Arc<Vec<Type>> = Arc::new(input.columns.iter().map(|(_, typ)| *typ).collect());
    let schema = physical::schema(&columns);
    let context = lowering.context.clone();
    let out_columns = columns.clone();
    let run = move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, _| {
        let (dependent, types, context, columns, condition) =
            (dependent.clone(), types.clone(), context.clone(), out_columns.clone(), condition.clone());
        let memo: HashMap<Vec<u8>, Arc<Vec<Vec<Datum>>>> = HashMap::new();
        let stream = futures::stream::try_unfold((inputs.remove(0), memo), move |(mut input, mut memo)| {
            let (dependent, types, context, columns, condition) =
                (dependent.clone(), types.clone(), context.clone(), columns.clone(), condition.clone());
            async move {
                let Some(batch) = input.try_next().await.map_err(from_datafusion)? else { return Ok(None) };
                let mut out: Vec<RecordBatch> = Vec::new();
                let readers = batch.columns().iter().zip(types.iter()).map(|(a, t)| Reader::new(a.as_ref(), *t));
                let _ = readers.collect::<Result<Vec<_>>>()?;
                let mut lefts = Vec::new();
                physical::append_rows(&batch, &types, &mut lefts)?;
                let mut rows: Vec<Vec<Datum>> = Vec::new();
                for left in &lefts {
                    context.cancel.check()?;
                    let key = dependent.key(left);
                    let rights = match memo.get(&key) {
                        Some(rights) => rights.clone(),
                        None => {
                            let rights = Arc::new(dependent.run(left, &context).await?);
                            if memo.len() >= 1024 {
                                memo.clear();
                            }
                            memo.insert(key, rights.clone());
                            rights
                        }
                    };
                    let mut matched = false;
                    for right in rights.iter() {
                        let row: Vec<Datum> = left.iter().chain(right).cloned().collect();
                        let kept = match &condition {
                            Some(condition) => condition.is_true(&row, &[], &context.eval)?,
                            None => true,
                        };
                        if kept {
                            matched = true;
                            rows.push(row);
                        }
                        if rows.len() >= super::BATCH_ROWS {
                            out.push(physical::from_rows(&columns, &rows)?);
                            rows.clear();
                        }
                    }
                    if outer && !matched {
                        let mut row = left.clone();
                        row.resize(columns.len(), Datum::Null);
                        rows.push(row);
                    }
                }
                out.push(physical::from_rows(&columns, &rows)?);
                Ok::<_, Error>(Some((futures::stream::iter(out.into_iter().map(Ok)), (input, memo))))
            }
        });
        Ok(stream.try_flatten().boxed())
    };
    let input = input.single();
    Ok(Relation::new(Operator::new("LateralJoin", schema, vec![input.plan], 1, Arc::new(run)), columns))
}

/// `[NOT] EXISTS (SELECT ... WHERE <conditions with the outer row>)` and `x IN (SELECT ...)` as a condition of WHERE:
/// joins, when the dependence is in the conditions of the subquery's own WHERE only.
pub(crate) fn semi_join(lowering: &Lowering, input: &Relation, conjunct: &Expr) -> Result<Option<Relation>> {
    let (subquery, negated) = match conjunct {
        Expr::Subquery(subquery) => (subquery, false),
        Expr::Not(inner) => match &**inner {
            Expr::Subquery(subquery) => (subquery, true),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let condition = match &subquery.kind {
        SubqueryKind::Exists => None,
        // NOT IN is unknown beside a NULL: not an anti join.
        SubqueryKind::Quantified { all: false, condition } if !negated => Some(condition),
        _ => return Ok(None),
    };
    let (body, outputs) = match &subquery.plan {
        Rel::Project { input, exprs } => (&**input, exprs.as_slice()),
        plan => (plan, [].as_slice()),
    };
    let (body, predicate) = match body {
        Rel::Filter { input, predicate } => (&**input, predicate.clone().into_conjuncts()),
        body => (body, Vec::new()),
    };
    if !body.free_columns().is_empty()
        || !matches!(
            body,
            Rel::Scan { .. } | Rel::Join { .. } | Rel::CteRef { .. } | Rel::Project { .. } | Rel::Filter { .. }
        )
    {
        return Ok(None);
    }
    let inner = body.column_ids();
    let outer_ids: BTreeSet<ColumnId> = input.columns.iter().map(|(id, _)| *id).collect();
    let mut own = Vec::new();
    let mut across = Vec::new();
    for mut item in predicate.into_iter().chain(condition.cloned()) {
        item.rewrite(&mut |e| {
            if let Expr::Column(id, _) = e
                && let Some((_, value)) = outputs.iter().find(|(out, _)| out == id)
            {
                *e = value.clone();
            }
        });
        let used = item.free_columns();
        if item.contains_subquery() || item.is_volatile() || item.contains_set() {
            return Ok(None);
        }
        if used.iter().all(|id| inner.contains(id)) {
            own.push(item);
        } else if used.iter().all(|id| inner.contains(id) || outer_ids.contains(id)) {
            across.push(item);
        } else {
            return Ok(None);
        }
    }
    let right = match body {
        Rel::Scan { .. } if !own.is_empty() => {
            lowering.relation(&Rel::Filter { input: Box::new(body.clone()), predicate: Expr::conjunction(own) })?
        }
        body => {
            let right = lowering.relation(body)?;
            lowering.filter_by(right, own)?
        }
    };
    let kind = if negated { JoinType::LeftAnti } else { JoinType::LeftSemi };
    let columns = input.columns.clone();
    // The outer side is streamed: its rows need not be held, and keep their order.
    let joined = join::join_by(lowering, kind, input.clone(), right, &across, 1, 0)?;
    Ok(Some(joined.select(&columns)?))
}
