//! What a hash join becomes when its held side does not fit the memory: a join of both sides sorted, which spill.

use std::sync::{Arc, Mutex};

use arrow::compute::SortOptions;
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{JoinOn, SortMergeJoinExec};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::stream::{BoxStream, StreamExt};

use super::from_datafusion;
use super::operator::Operator;
use crate::error::{Error, SqlState};

/// Bytes that a value is taken to need in a hash table, when only the number of rows is known.
const VALUE_BYTES: u64 = 48;

/// Whether so many rows of so many columns are sure not to fit beside other statements.
pub(super) fn is_too_big(rows: u64, columns: usize, task: &TaskContext) -> bool {
    let MemoryLimit::Finite(limit) = task.memory_pool().memory_limit() else { return false };
    rows.saturating_mul(VALUE_BYTES * (columns as u64 + 1)) > limit as u64
}

/// The join of two inputs, each sorted by its keys.
pub(super) fn merge_join(
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    on: JoinOn,
    filter: Option<JoinFilter>,
    kind: JoinType,
) -> DfResult<Arc<dyn ExecutionPlan>> {
    let options = SortOptions { descending: false, nulls_first: true };
    let sorted = |input: Arc<dyn ExecutionPlan>,
                  keys: Vec<Arc<dyn PhysicalExpr>>|
     -> DfResult<Arc<dyn ExecutionPlan>> {
        let keys = keys.into_iter().map(|expr| PhysicalSortExpr { expr, options });
        let ordering = LexOrdering::new(keys).ok_or_else(|| DataFusionError::Internal("a join without keys".into()))?;
        Ok(Arc::new(SortExec::new(ordering, input)))
    };
    let left = sorted(left, on.iter().map(|(key, _)| key.clone()).collect())?;
    let right = sorted(right, on.iter().map(|(_, key)| key.clone()).collect())?;
    let options = vec![options; on.len()];
    let equal = NullEquality::NullEqualsNothing;
    Ok(Arc::new(SortMergeJoinExec::try_new(left, right, on, filter, kind, options, equal)?))
}

/// Which of two plans answers.
#[derive(Clone, Copy, PartialEq)]
enum Chosen {
    Open,
    First,
    Second,
}

/// The first plan; if it runs out of memory before any of its partitions has made a row, the second one, which has a
/// single partition.
pub(super) fn or_else(first: Arc<dyn ExecutionPlan>, second: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let (schema, partitions) = (first.schema(), first.output_partitioning().partition_count());
    let chosen = Arc::new(Mutex::new(Chosen::Open));
    let run = move |partition: usize, _: Vec<_>, task: Arc<TaskContext>| {
        let (second, chosen) = (second.clone(), chosen.clone());
        let mut stream = first.execute(partition, task.clone()).map_err(from_datafusion)?;
        let answer = async move {
            let begun = stream.next().await;
            let failed = matches!(&begun, Some(Err(error)) if is_exhausted(error));
            let choice = {
                let mut chosen = chosen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if *chosen == Chosen::Open {
                    *chosen = if failed { Chosen::Second } else { Chosen::First };
                }
                *chosen
            };
            let rest: BoxStream<'static, DfResult<_>> = match (choice, begun) {
                (Chosen::Second, _) if partition == 0 => {
                    // What the first one holds is given back before the second one begins.
                    drop(stream);
                    match second.execute(0, task) {
                        Ok(stream) => stream.boxed(),
                        Err(error) => futures::stream::iter([Err(error)]).boxed(),
                    }
                }
                (Chosen::Second, _) | (_, None) => futures::stream::empty().boxed(),
                (_, Some(begun)) => futures::stream::iter([begun]).chain(stream).boxed(),
            };
            rest.map(|batch| batch.map_err(from_datafusion))
        };
        Ok(futures::stream::once(answer).flatten().boxed())
    };
    Operator::new("Join", schema, Vec::new(), partitions, Arc::new(run))
}

fn is_exhausted(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
        || matches!(error.find_root(), DataFusionError::External(inner)
            if inner.downcast_ref::<Error>().is_some_and(|error| error.code() == SqlState::OUT_OF_MEMORY))
}
