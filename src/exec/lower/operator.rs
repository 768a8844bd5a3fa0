//! [`Operator`]: our own physical operators, all of one shape: children's streams in, one stream out.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::{BoxStream, StreamExt};

use crate::error::Result;

use super::to_datafusion;

/// What an operator does in one partition.
pub(crate) type Run = Arc<
    dyn Fn(usize, Vec<SendableRecordBatchStream>, Arc<TaskContext>) -> Result<BoxStream<'static, Result<RecordBatch>>>
        + Send
        + Sync,
>;

/// An operator made from a closure.
pub(crate) struct Operator {
    name: &'static str,
    schema: SchemaRef,
    children: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
    run: Run,
}

impl Operator {
    /// An operator with `partitions` output partitions. Partition i reads partition i of each child that has as many
    /// partitions, and partition 0 of a child with one.
    #[allow(clippy::new_ret_no_self)]
    pub(crate) fn new(
        name: &'static str,
        schema: SchemaRef,
        children: Vec<Arc<dyn ExecutionPlan>>,
        partitions: usize,
        run: Run,
    ) -> Arc<dyn ExecutionPlan> {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Arc::new(Self { name, schema, children, properties, run })
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl DisplayAs for Operator {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[allow(deprecated)]
impl ExecutionPlan for Operator {
    fn name(&self) -> &str {
        self.name
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.children.iter().collect()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            name: self.name,
            schema: self.schema.clone(),
            children,
            properties: self.properties.clone(),
            run: self.run.clone(),
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let mut inputs = Vec::with_capacity(self.children.len());
        for child in &self.children {
            let count = child.properties().partitioning.partition_count();
            inputs.push(child.execute(if count == 1 { 0 } else { partition }, context.clone())?);
        }
        let stream = (self.run)(partition, inputs, context).map_err(to_datafusion)?;
        // A source that is always ready would keep its thread for itself: cancelling and timers would wait for its end.
        let stream = stream.map(|batch| batch.map_err(to_datafusion));
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))))
    }
}
