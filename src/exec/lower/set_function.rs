//! Set-returning functions: in FROM (one or several side by side, numbered, lateral) and in SELECT lists (in lock-step).

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::stream::StreamExt;

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::eval::{self, Compiled};
use crate::sql::function::{Body, Function};
use crate::sql::plan::{ColumnId, Expr, Rel, SetCall};

use super::BATCH_ROWS;
use super::from_datafusion;
use super::operator::Operator;
use super::physical::{self, Builder, Reader};
use super::rel::{Lowering, Relation};
use super::subquery;

type Rows = Box<dyn Iterator<Item = Result<Datum>> + Send>;

/// One call, ready to be run for a row.
struct Call {
    function: Option<&'static Function>,
    /// The arguments; of a scalar call, the whole expression.
    args: Vec<Compiled>,
    columns: Vec<Type>,
}

impl Call {
    fn compile(call: &SetCall, ids: &[ColumnId]) -> Result<Self> {
        let columns = call.columns.iter().map(|(_, typ)| *typ).collect();
        if let Expr::Call { function, args, .. } = &call.call
            && matches!(function.body, Body::Set(_))
        {
            let args = args.iter().map(|a| eval::compile(a, ids)).collect::<Result<Vec<_>>>()?;
            return Ok(Self { function: Some(function), args, columns });
        }
        Ok(Self { function: None, args: vec![eval::compile(&call.call, ids)?], columns })
    }

    /// The rows that the call makes of one input row.
    fn rows(&self, row: &[Datum], context: &EvalContext) -> Result<Rows> {
        let args = self.args.iter().map(|a| a.eval(row, &[], context)).collect::<Result<Vec<_>>>()?;
        let Some(function) = self.function else { return Ok(Box::new(args.into_iter().map(Ok))) };
        if function.strict && args.iter().any(Datum::is_null) {
            return Ok(Box::new(std::iter::empty()));
        }
        match function.body {
            Body::Set(body) => body(context, &args),
            _ => Err(Error::internal(format!("function {} does not return a set", function.name))),
        }
    }

    /// Appends one value of the call to its columns; `None` is a row of NULLs.
    fn push(&self, value: Option<Datum>, out: &mut [Builder]) -> Result<()> {
        match value {
            None => out.iter_mut().for_each(Builder::push_null),
            Some(Datum::Record(record)) if self.spreads() => {
                for (builder, value) in out.iter_mut().zip(&record.values) {
                    builder.push(value)?;
                }
                for builder in out.iter_mut().skip(record.values.len()) {
                    builder.push_null();
                }
            }
            Some(Datum::Null) => out.iter_mut().for_each(Builder::push_null),
            Some(value) => out[0].push(&value)?,
        }
        Ok(())
    }

    /// Whether a record is spread over columns: not when its one column is a record itself.
    fn spreads(&self) -> bool {
        self.columns.len() != 1 || physical::Physical::of(self.columns[0]) != physical::Physical::Encoded
    }
}

/// What the calls of one operator make of an input row.
struct Expansion {
    calls: Vec<Call>,
    ordinality: bool,
    /// Keep an input row for which there is no row.
    outer: bool,
    /// Of a SELECT list: a scalar call is repeated; of FROM: padded with NULL.
    repeat_scalars: bool,
}

/// Rows under way: an input batch is taken row by row, the output cut into batches.
struct State {
    input: SendableRecordBatchStream,
    batch: Option<(RecordBatch, usize)>,
    open: Option<Vec<Rows>>,
    produced: i64,
    counter: i64,
}

/// FROM functions.
pub(crate) fn function(
    lowering: &Lowering,
    calls: &[SetCall],
    ordinality: Option<ColumnId>,
    input: &Rel,
    outer: bool,
) -> Result<Relation> {
    let input = lowering.relation(input)?;
    over(lowering, input, calls, ordinality, outer, false)
}

/// FROM functions over rows that are lowered already.
pub(crate) fn over(
    lowering: &Lowering,
    input: Relation,
    calls: &[SetCall],
    ordinality: Option<ColumnId>,
    outer: bool,
    repeat_scalars: bool,
) -> Result<Relation> {
    let passed = input.columns.clone();
    let (input, calls) = without_subqueries(lowering, input, calls)?;
    let ids: Vec<ColumnId> = input.columns.iter().map(|(id, _)| *id).collect();
    let types: Vec<Type> = input.columns.iter().map(|(_, typ)| *typ).collect();
    let mut columns = passed.clone();
    columns.extend(calls.iter().flat_map(|c| c.columns.iter().copied()));
    columns.extend(ordinality.map(|id| (id, Type::INT8)));
    let compiled = calls.iter().map(|c| Call::compile(c, &ids)).collect::<Result<Vec<_>>>()?;
    let expansion = Arc::new(Expansion { calls: compiled, ordinality: ordinality.is_some(), outer, repeat_scalars });
    let schema = physical::schema(&columns);
    let context = lowering.context.eval.clone();
    let (out_columns, out_schema) = (columns.clone(), schema.clone());
    let passed = passed.len();
    let run = move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, _| {
        let state = State { input: inputs.remove(0), batch: None, open: None, produced: 0, counter: 0 };
        let (expansion, context, columns, schema, types) =
            (expansion.clone(), context.clone(), out_columns.clone(), out_schema.clone(), types.clone());
        let stream = futures::stream::try_unfold(state, move |mut state| {
            let (expansion, context, columns, schema, types) =
                (expansion.clone(), context.clone(), columns.clone(), schema.clone(), types.clone());
            async move {
                let mut builders: Vec<Builder> = columns.iter().map(|(_, typ)| Builder::new(*typ, 256)).collect();
                let mut rows = 0;
                while rows < BATCH_ROWS {
                    if state.batch.as_ref().is_none_or(|(b, at)| *at >= b.num_rows()) {
                        if rows > 0 && state.batch.is_some() && rows >= BATCH_ROWS / 2 {
                            break;
                        }
                        match state.input.next().await {
                            Some(batch) => state.batch = Some((batch.map_err(from_datafusion)?, 0)),
                            None => break,
                        }
                        continue;
                    }
                    rows += expand(&mut state, &expansion, passed, &types, &context, &mut builders, BATCH_ROWS - rows)?;
                }
                if rows == 0 {
                    return Ok(None);
                }
                let batch = physical::batch(&schema, builders.iter_mut().map(Builder::finish).collect(), rows)?;
                Ok(Some((batch, state)))
            }
        });
        Ok(stream.boxed())
    };
    let single = input.single();
    Ok(Relation::new(Operator::new("FunctionScan", schema, vec![single.plan], 1, Arc::new(run)), columns))
}

/// Expands the current input row (or goes on with it), at most `room` rows; answers how many came out.
fn expand(
    state: &mut State,
    expansion: &Expansion,
    passed: usize,
    types: &[Type],
    context: &EvalContext,
    builders: &mut [Builder],
    room: usize,
) -> Result<usize> {
    let (batch, at) = state.batch.as_ref().expect("the caller has a batch");
    let readers =
        batch.columns().iter().zip(types).map(|(a, t)| Reader::new(a.as_ref(), *t)).collect::<Result<Vec<_>>>()?;
    let row = readers.iter().map(|r| r.get(*at)).collect::<Result<Vec<_>>>()?;
    if state.open.is_none() {
        state.open = Some(expansion.calls.iter().map(|c| c.rows(&row, context)).collect::<Result<_>>()?);
        (state.produced, state.counter) = (0, 0);
    }
    let open = state.open.as_mut().expect("opened above");
    let scalars: Vec<Option<Datum>> = if expansion.repeat_scalars {
        let scalar =
            |c: &Call| if c.function.is_none() { c.args[0].eval(&row, &[], context).map(Some) } else { Ok(None) };
        expansion.calls.iter().map(scalar).collect::<Result<_>>()?
    } else {
        vec![None; expansion.calls.len()]
    };
    let mut rows = 0;
    while rows < room {
        if rows % 1024 == 0 {
            context.host.check_interrupt()?;
        }
        let mut values = Vec::with_capacity(open.len());
        let mut any = false;
        for (rows, scalar) in open.iter_mut().zip(&scalars) {
            values.push(match scalar {
                Some(value) => Some(value.clone()),
                None => {
                    let next = rows.next().transpose()?;
                    any |= next.is_some();
                    next
                }
            });
        }
        if !any {
            let keep = expansion.outer && state.produced == 0;
            if keep {
                push_row(&row, passed, expansion, expansion.calls.iter().map(|_| None).collect(), None, builders)?;
                rows += 1;
            }
            state.open = None;
            state.batch.as_mut().expect("the caller has a batch").1 += 1;
            return Ok(rows);
        }
        state.produced += 1;
        state.counter += 1;
        push_row(&row, passed, expansion, values, Some(state.counter), builders)?;
        rows += 1;
    }
    Ok(rows)
}

fn push_row(
    row: &[Datum],
    passed: usize,
    expansion: &Expansion,
    values: Vec<Option<Datum>>,
    counter: Option<i64>,
    builders: &mut [Builder],
) -> Result<()> {
    for (builder, value) in builders.iter_mut().zip(&row[..passed]) {
        builder.push(value)?;
    }
    let mut at = passed;
    for (call, value) in expansion.calls.iter().zip(values) {
        call.push(value, &mut builders[at..at + call.columns.len()])?;
        at += call.columns.len();
    }
    if expansion.ordinality {
        builders[at].push(&counter.map_or(Datum::Null, Datum::Int8))?;
    }
    Ok(())
}

/// SELECT-list functions.
pub(crate) fn project_set(lowering: &Lowering, input: &Rel, calls: &[SetCall]) -> Result<Relation> {
    let input = lowering.relation(input)?;
    over(lowering, input, calls, None, false, true)
}

/// Gives subqueries in arguments their operator.
fn without_subqueries(lowering: &Lowering, input: Relation, calls: &[SetCall]) -> Result<(Relation, Vec<SetCall>)> {
    let mut calls = calls.to_vec();
    if !calls.iter().any(|c| c.call.contains_subquery()) {
        return Ok((input, calls));
    }
    let mut exprs: Vec<Expr> = calls.iter().map(|c| c.call.clone()).collect();
    let input = subquery::apply(lowering, input, &mut exprs)?;
    for (call, expr) in calls.iter_mut().zip(exprs) {
        call.call = expr;
    }
    Ok((input, calls))
}
