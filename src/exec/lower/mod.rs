//! From a typed plan to DataFusion's physical operators, and their running.
//!
//! The plan is resolved to the last cast already, so there is nothing left for a logical planner to decide: [`rel`]
//! builds DataFusion's operators directly (scan, filter, projection, hash and nested-loop joins, aggregates, sorts, limits,
//! with spilling and a memory pool), and our own ones where PostgreSQL has a shape that DataFusion has not (set-returning
//! functions, windows, correlated subqueries, set operations with ALL). An expression becomes a native one where the
//! meaning is identical, a vectorised kernel where it is hot, and otherwise a [`row_expr`] over the row interpreter.
//!
//! Before that, [`prepare`] runs what runs once: closed subqueries become constants, WITH definitions become batches.
//!
//! The physical types of columns are in [`physical`]: the SQL type travels in the plan.

mod aggregate;
mod arithmetic;
mod expr;
mod interrupt;
mod join;
mod json_path;
mod merge_join;
mod native_aggregate;
mod operator;
pub(crate) mod physical;
mod prepare;
pub(crate) use prepare::bind_params;
mod recursion;
mod rel;
mod row_expr;
mod scan;
mod set_function;
mod set_operation;
mod subquery;
mod window;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryLimit, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionConfig;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::context::EvalContext;
use crate::sql::plan::{ColumnId, Expr, Modify, Rel};

use super::server::{Cancel, ServerConfig};

/// Rows in a batch.
pub(crate) const BATCH_ROWS: usize = 8192;

/// A table of a tree, with the columns read by its own numbers.
pub(crate) type Member = (Oid, Vec<(ColumnId, i16, Type)>);

/// Where rows come from: the statement's snapshot with the transaction's own writes, and the system relations.
pub(crate) trait TableSource: Send + Sync {
    /// Plans the reading of a table: chooses the access path by the filters, answers partitions that can be read at the
    /// same time. Rows that cannot pass the filters may come all the same: they are filtered again.
    fn scan(&self, request: &ScanRequest) -> Result<Vec<ScanPartition>>;
    /// The tables whose rows a scan of a tree reads, each with the columns asked for by its own numbers; `filters` leave out
    /// those that have no such rows.
    fn members(&self, request: &ScanRequest) -> Result<Vec<Member>>;
    /// The rows of a system relation: the columns at these positions.
    fn system(&self, name: &str, columns: &[usize]) -> Result<Vec<Vec<Datum>>>;
    /// Runs a data-modifying statement of WITH and answers its RETURNING rows.
    fn modify<'a>(&'a self, modify: &'a Modify, context: Arc<QueryContext>) -> BoxFuture<'a, Result<Vec<Vec<Datum>>>>;
    /// About how many rows a table has, to choose the side of a hash join.
    fn approximate_rows(&self, table: Oid) -> u64;
}

/// What is asked of a table.
#[derive(Clone, Debug)]
pub(crate) struct ScanRequest {
    /// The table.
    pub table: Oid,
    /// The ids by which filters name its columns: (id, column number, type).
    pub columns: Vec<(ColumnId, i16, Type)>,
    /// Conjuncts over those columns, parameters in place as constants.
    pub filters: Vec<Expr>,
    /// Partitions wanted at most.
    pub partitions: usize,
}

/// Takes (locator, row bytes) of each row; answers whether to go on.
pub(crate) type RowVisitor<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;

/// One part of a scan: drives a visitor through its rows. Blocks; run on a blocking thread.
pub(crate) type ScanPartition = Box<dyn Fn(&mut RowVisitor<'_>) -> Result<()> + Send + Sync>;

/// What the running of one statement shares.
pub(crate) struct QueryContext {
    /// Time, formats, session.
    pub eval: EvalContext,
    /// Tables.
    pub source: Arc<dyn TableSource>,
    /// DataFusion's: memory pool, spill folder, batch size.
    pub task: Arc<TaskContext>,
    /// Asked between batches.
    pub cancel: Arc<Cancel>,
    /// The same for what runs in tasks of its own.
    pub stop: interrupt::Stop,
    /// Partitions of a parallel plan.
    pub parallelism: usize,
    /// WITH definitions that were run, and the working tables of recursive ones.
    ctes: Mutex<HashMap<u32, Arc<Materialised>>>,
    /// The next id of a column that lowering makes; the binder's and the pushed-down paths' are below.
    next_id: AtomicU32,
}

/// The rows of a WITH definition, under its own column ids.
pub(crate) struct Materialised {
    pub columns: Vec<(ColumnId, Type)>,
    pub rows: CteRows,
}

/// Where the rows of a WITH definition are.
pub(crate) enum CteRows {
    /// All there.
    Done(Vec<RecordBatch>),
    /// Made as they are read.
    Growing(recursion::Recursion),
}

impl QueryContext {
    /// A context for one statement.
    pub(crate) fn new(
        eval: EvalContext,
        source: Arc<dyn TableSource>,
        task: Arc<TaskContext>,
        cancel: Arc<Cancel>,
        parallelism: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            eval,
            source,
            task,
            stop: interrupt::Stop::new(cancel.clone()),
            cancel,
            parallelism,
            ctes: Mutex::default(),
            next_id: AtomicU32::new(1 << 31),
        })
    }

    /// The same for the terms of a recursive query, whose working table hides the definition.
    fn inner(&self) -> Arc<Self> {
        Arc::new(Self {
            eval: self.eval.clone(),
            source: self.source.clone(),
            task: self.task.clone(),
            stop: self.stop.clone(),
            cancel: self.cancel.clone(),
            parallelism: self.parallelism,
            ctes: Mutex::new(self.ctes.lock().expect("no panic while holding the lock").clone()),
            next_id: AtomicU32::new(self.next_id.load(Ordering::Relaxed)),
        })
    }

    fn new_column(&self) -> ColumnId {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn cte(&self, id: u32) -> Option<Arc<Materialised>> {
        self.ctes.lock().expect("no panic while holding the lock").get(&id).cloned()
    }

    fn set_cte(&self, id: u32, rows: Materialised) {
        self.ctes.lock().expect("no panic while holding the lock").insert(id, Arc::new(rows));
    }
}

/// The memory pool and spill folder that all queries of a server share.
pub(crate) fn runtime(config: &ServerConfig) -> Result<Arc<RuntimeEnv>> {
    let pool =
        TrackConsumersPool::new(FairSpillPool::new(config.memory_limit), NonZeroUsize::new(3).expect("3 is not 0"));
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![config.spill_dir.clone()]))
        .with_max_temp_directory_size(config.spill_bytes_max);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(from_datafusion)
}

/// DataFusion's context of one query over the shared runtime.
pub(crate) fn task(runtime: &Arc<RuntimeEnv>, parallelism: usize) -> Arc<TaskContext> {
    let mut config = SessionConfig::new().with_batch_size(BATCH_ROWS).with_target_partitions(parallelism);
    // What a sort keeps back for merging its runs: never so much that two sorts cannot run side by side.
    if let MemoryLimit::Finite(limit) = runtime.memory_pool.memory_limit() {
        let kept = config.options().execution.sort_spill_reservation_bytes;
        config = config.with_sort_spill_reservation_bytes(kept.min(limit / 32));
    }
    Arc::new(TaskContext::new(
        None,
        String::new(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::clone(runtime),
    ))
}

/// Runs a plan: batches whose columns are `output`, in order.
pub(crate) async fn execute(
    plan: &Rel,
    output: &[(ColumnId, Type)],
    params: &[Datum],
    context: &Arc<QueryContext>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let lowered = lowered(plan, output, params, context).await?;
    let cancel = context.cancel.clone();
    let stream = datafusion::physical_plan::execute_stream(lowered, context.task.clone()).map_err(from_datafusion)?;
    let stream = stream.map(move |batch| {
        cancel.check()?;
        batch.map_err(from_datafusion)
    });
    Ok(stream.boxed())
}

/// Runs a plan to its end: rows of values.
pub(crate) async fn collect_rows(
    plan: &Rel,
    output: &[(ColumnId, Type)],
    params: &[Datum],
    context: &Arc<QueryContext>,
) -> Result<Vec<Vec<Datum>>> {
    let types: Vec<Type> = output.iter().map(|(_, typ)| *typ).collect();
    let mut stream = execute(plan, output, params, context).await?;
    let mut rows = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        physical::append_rows(&batch, &types, &mut rows)?;
    }
    Ok(rows)
}

/// The physical plan of a statement, with parameters in place and everything that runs once run.
pub(crate) async fn lowered(
    plan: &Rel,
    output: &[(ColumnId, Type)],
    params: &[Datum],
    context: &Arc<QueryContext>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut plan = plan.clone();
    prepare::bind_params(&mut plan, params);
    prepare::run_once(&mut plan, context).await?;
    aggregate::number_sets(&mut plan);
    let mut pushed = json_path::push_down(&mut plan);
    pushed.keep_whole(output.iter().map(|(id, _)| *id));
    let lowering = rel::Lowering::new(context.clone(), Arc::new(pushed));
    let relation = lowering.relation(&plan)?;
    let relation = relation.select(output)?;
    Ok(single(relation.plan))
}

/// One partition, for what must see all rows or answer a client.
fn single(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() == 1 {
        return plan;
    }
    Arc::new(datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec::new(interrupt::aside(plan)))
}

/// Our error inside DataFusion's.
pub(crate) fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Our error back out of DataFusion's; running out of memory or spill space is 53200 or 53100.
pub(crate) fn from_datafusion(error: DataFusionError) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(e) = source {
        if let Some(ours) = e.downcast_ref::<Error>() {
            return ours.clone();
        }
        source = match e.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(&**inner),
            Some(DataFusionError::Context(_, inner)) | Some(DataFusionError::Diagnostic(_, inner)) => Some(&**inner),
            Some(DataFusionError::Shared(inner)) => Some(&**inner),
            Some(DataFusionError::ArrowError(inner, _)) => match &**inner {
                arrow::error::ArrowError::ExternalError(inner) => Some(&**inner),
                _ => None,
            },
            _ => None,
        };
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(message) if message.contains("disk") => {
            err!(DISK_FULL, "no space to spill a query").detail(message.clone())
        }
        DataFusionError::ResourcesExhausted(message) => err!(OUT_OF_MEMORY, "out of memory")
            .detail(message.lines().next().unwrap_or_default().to_string())
            .hint("Raise memory_limit, or ask for less at once."),
        DataFusionError::IoError(e) => Error::new(SqlState::IO_ERROR, e.to_string()),
        other => Error::internal(other.to_string()),
    }
}
