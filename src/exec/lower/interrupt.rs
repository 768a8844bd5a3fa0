//! Joins that can be stopped: they make many rows from few, or look at many pairs before one fits, out of sight of the
//! checks where rows are read. And partitions that are polled by tasks of their own, out of the way of others.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::stream::StreamExt;

use crate::error::Result;
use crate::exec::aside::block;
use crate::exec::server::Cancel;

use super::operator::Operator;
use super::{from_datafusion, to_datafusion};

/// Whether a statement is to go on. Its parts that other tasks run may outlive it: the cancel flag may mean the next
/// statement by then, but the plan of this one has been given up.
#[derive(Clone)]
pub(crate) struct Stop {
    cancel: Arc<Cancel>,
    given_up: Arc<AtomicBool>,
}

impl Stop {
    /// For a statement that is about to run.
    pub(crate) fn new(cancel: Arc<Cancel>) -> Self {
        Self { cancel, given_up: Arc::default() }
    }

    /// Fails when the statement is to stop.
    pub(crate) fn check(&self) -> Result<()> {
        match self.given_up.load(Ordering::Relaxed) {
            true => Err(self.cancel.error()),
            false => self.cancel.check(),
        }
    }

    /// What gives the statement up when it is dropped.
    pub(crate) fn guard(&self) -> impl Send + Sync + use<> {
        scopeguard::guard(self.given_up.clone(), |given_up| given_up.store(true, Ordering::Relaxed))
    }
}

/// A plan that stops between two of its batches when the statement is cancelled.
pub(crate) fn stoppable(plan: Arc<dyn ExecutionPlan>, stop: Stop) -> Arc<dyn ExecutionPlan> {
    let (schema, partitions) = (plan.schema(), plan.output_partitioning().partition_count());
    let run = move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, _| {
        let stop = stop.clone();
        let stream = inputs.remove(0).map(move |batch| {
            stop.check()?;
            batch.map_err(from_datafusion)
        });
        Ok(stream.boxed())
    };
    Operator::new("Stoppable", schema, vec![plan], partitions, Arc::new(run))
}

/// A plan whose partitions are polled by tasks of their own: they take threads to themselves.
pub(crate) fn aside(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let (schema, partitions) = (plan.schema(), plan.output_partitioning().partition_count());
    let run = move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, _| {
        let mut input = inputs.remove(0);
        let stream = futures::stream::poll_fn(move |context| block(|| input.poll_next_unpin(context)));
        Ok(stream.map(|batch| batch.map_err(from_datafusion)).boxed())
    };
    Operator::new("Aside", schema, vec![plan], partitions, Arc::new(run))
}

/// An expression that fails when the statement is cancelled.
pub(crate) struct StoppableExpr {
    inner: Arc<dyn PhysicalExpr>,
    stop: Stop,
}

impl StoppableExpr {
    /// Wraps an expression.
    pub(crate) fn over(inner: Arc<dyn PhysicalExpr>, stop: Stop) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { inner, stop })
    }
}

impl fmt::Debug for StoppableExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Display for StoppableExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl PartialEq for StoppableExpr {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for StoppableExpr {}

impl Hash for StoppableExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for StoppableExpr {
    fn data_type(&self, schema: &Schema) -> DfResult<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> DfResult<bool> {
        self.inner.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ColumnarValue> {
        self.stop.check().map_err(to_datafusion)?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> DfResult<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self { inner: children.remove(0), stop: self.stop.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
