//! Operators that compare whole rows: INTERSECT, EXCEPT (ALL), the first row of each key, FETCH ... WITH TIES.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_expr::PhysicalExpr;
use futures::stream::{StreamExt, TryStreamExt};

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::plan::{Expr, SortKey};

use super::from_datafusion;
use super::operator::Operator;
use super::physical::{self, Reader};
use super::rel::{Lowering, Relation};
use super::row_expr::sort_key;

/// Bytes a key in a table takes beside its own.
const ENTRY_BYTES: usize = 64;

/// Appends a value's key such that keys of several columns can stand behind each other; NULLs are equal.
fn push_key(value: &Datum, typ: Type, out: &mut Vec<u8>) {
    if value.is_null() {
        out.push(0);
        return;
    }
    out.push(1);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    sort_key(value, typ, out);
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// The bytes by which whole rows are equal.
pub(crate) fn row_key(row: &[Datum], types: &[Type]) -> Vec<u8> {
    let mut key = Vec::with_capacity(16 * row.len());
    for (value, typ) in row.iter().zip(types) {
        push_key(value, *typ, &mut key);
    }
    key
}

/// Writes the key of each row of some columns into `keys`.
pub(crate) fn row_keys(arrays: &[ArrayRef], types: &[Type], rows: usize) -> Result<Vec<Vec<u8>>> {
    let readers = arrays.iter().zip(types).map(|(a, t)| Reader::new(a.as_ref(), *t)).collect::<Result<Vec<_>>>()?;
    let mut keys = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut key = Vec::with_capacity(16 * types.len());
        for (reader, typ) in readers.iter().zip(types) {
            push_key(&reader.get(row)?, *typ, &mut key);
        }
        keys.push(key);
    }
    Ok(keys)
}

/// INTERSECT (`keep` the matched) and EXCEPT (keep the others), with their ALL.
pub(crate) fn match_rows(left: Relation, right: Relation, all: bool, keep: bool) -> Result<Relation> {
    let columns = left.columns.clone();
    let types: Arc<Vec<Type>> = Arc::new(columns.iter().map(|(_, typ)| *typ).collect());
    let schema = physical::schema(&columns);
    let out_schema = schema.clone();
    let run =
        move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, task: Arc<datafusion::execution::TaskContext>| {
            let (right, left) = (inputs.remove(1), inputs.remove(0));
            let (types, schema) = (types.clone(), out_schema.clone());
            let reservation = MemoryConsumer::new("SetOperation").register(task.memory_pool());
            let stream = async move {
                let mut counts: HashMap<Vec<u8>, i64> = HashMap::new();
                let mut right = right;
                while let Some(batch) = right.try_next().await.map_err(from_datafusion)? {
                    for key in row_keys(batch.columns(), &types, batch.num_rows())? {
                        reservation.try_grow(key.len() + ENTRY_BYTES).map_err(from_datafusion)?;
                        *counts.entry(key).or_default() += 1;
                    }
                }
                let out = left.map_err(from_datafusion).map(move |batch| {
                    let (batch, _held) = (batch?, &reservation);
                    let mut mask = Vec::with_capacity(batch.num_rows());
                    for key in row_keys(batch.columns(), &types, batch.num_rows())? {
                        // A negative count: the row came out once, and must not again (without ALL).
                        let count = counts.entry(key).or_default();
                        mask.push(match (all, keep) {
                            (true, true) => take(count),
                            (true, false) => !take(count),
                            (false, _) => {
                                let first = *count >= 0 && (*count > 0) == keep;
                                if first {
                                    *count = -1;
                                }
                                first
                            }
                        });
                    }
                    let filtered = filter_record_batch(&batch, &BooleanArray::from(mask))
                        .map_err(|e| Error::internal(e.to_string()))?;
                    physical::batch(&schema, filtered.columns().to_vec(), filtered.num_rows())
                });
                Ok::<_, Error>(out)
            };
            Ok(futures::stream::once(stream).try_flatten().boxed())
        };
    Ok(Relation::new(Operator::new("SetOperation", schema, vec![left.plan, right.plan], 1, Arc::new(run)), columns))
}

fn take(count: &mut i64) -> bool {
    let any = *count > 0;
    *count -= i64::from(any);
    any
}

/// Evaluates expressions over each batch.
fn evaluate(exprs: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let value = |e: &Arc<dyn PhysicalExpr>| {
        e.evaluate(batch).and_then(|v| v.into_array(batch.num_rows())).map_err(from_datafusion)
    };
    exprs.iter().map(value).collect()
}

/// The first row of each run of equal keys: DISTINCT ON over sorted rows.
pub(crate) fn first_of_each(lowering: &Lowering, input: Relation, on: &[Expr]) -> Result<Relation> {
    let scope = input.scope(lowering);
    let exprs = on.iter().map(|e| scope.lower(e)).collect::<Result<Vec<_>>>()?;
    let types: Vec<Type> = on.iter().map(Expr::typ).collect();
    let columns = input.columns.clone();
    let schema = input.plan.schema();
    let run = move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, _| {
        let (exprs, types) = (exprs.clone(), types.clone());
        let mut last: Option<Vec<u8>> = None;
        let stream = inputs.remove(0).map(move |batch| {
            let batch = batch.map_err(from_datafusion)?;
            let keys = row_keys(&evaluate(&exprs, &batch)?, &types, batch.num_rows())?;
            let mut mask = Vec::with_capacity(keys.len());
            for key in keys {
                let is_new = last.as_ref() != Some(&key);
                if is_new {
                    last = Some(key);
                }
                mask.push(is_new);
            }
            filter_record_batch(&batch, &BooleanArray::from(mask)).map_err(|e| Error::internal(e.to_string()))
        });
        Ok(stream.boxed())
    };
    Ok(Relation::new(Operator::new("Unique", schema, vec![input.plan], 1, Arc::new(run)), columns))
}

/// FETCH FIRST n ROWS WITH TIES over sorted rows.
pub(crate) fn with_ties(
    lowering: &Lowering,
    input: Relation,
    keys: &[SortKey],
    skip: usize,
    fetch: usize,
) -> Result<Relation> {
    let scope = input.scope(lowering);
    let exprs = keys.iter().map(|k| scope.lower(&k.expr)).collect::<Result<Vec<_>>>()?;
    let types: Vec<Type> = keys.iter().map(|k| k.expr.typ()).collect();
    let columns = input.columns.clone();
    let schema = input.plan.schema();
    let run = move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, _| {
        let (exprs, types) = (exprs.clone(), types.clone());
        let (mut seen, mut last): (usize, Option<Vec<u8>>) = (0, None);
        let mut done = fetch == 0;
        let stream = inputs.remove(0).map(move |batch| {
            let batch = batch.map_err(from_datafusion)?;
            if done {
                return Ok(batch.slice(0, 0));
            }
            let keys = row_keys(&evaluate(&exprs, &batch)?, &types, batch.num_rows())?;
            let mut mask = Vec::with_capacity(keys.len());
            for key in keys {
                seen += 1;
                let kept = seen > skip && !done && (seen <= skip.saturating_add(fetch) || last.as_ref() == Some(&key));
                done |= seen > skip && !kept;
                if kept {
                    last = Some(key);
                }
                mask.push(kept);
            }
            filter_record_batch(&batch, &BooleanArray::from(mask)).map_err(|e| Error::internal(e.to_string()))
        });
        Ok(stream.boxed())
    };
    Ok(Relation::new(Operator::new("LimitWithTies", schema, vec![input.plan], 1, Arc::new(run)), columns))
}
