//! Reading tables: row bytes to Arrow columns, on blocking threads, a partition each.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewBuilder};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{BoxStream, StreamExt};

use crate::document::row::RowRef;
use crate::document::{Datum, DatumRef, Oid, Type};
use crate::error::{Error, Result};
use crate::sql::io;
use crate::sql::plan::{ColumnId, Expr};
use crate::storage::catalog::Table;

use super::json_path::{self, Extracted};
use super::operator::Operator;
use super::physical::{self, Builder};
use super::{BATCH_ROWS, QueryContext, ScanPartition, ScanRequest};
use crate::exec::tree;

/// Batches that a reading thread may be ahead of its reader.
const BATCHES_AHEAD: usize = 2;
/// Bytes of row data after which a batch is handed on before it is full.
const BATCH_BYTES: usize = 4 << 20;

/// What a scan makes of a row, column by column.
#[derive(Clone)]
enum Source {
    /// The row's locator.
    Locator,
    /// The row's locator among several tables: the table's OID before it.
    LocatorIn(Oid),
    /// The table's OID.
    TableOid(Oid),
    /// A column by position, and what rows have that were written before it was added.
    Value(usize, Datum),
    /// The paths of a jsonb column by position: as many columns.
    Paths(usize, Vec<Extracted>, Datum),
}

/// A table scan's columns and how they are made.
pub(crate) struct ScanPlan {
    columns: Vec<(ColumnId, Type)>,
    sources: Vec<Source>,
}

impl ScanPlan {
    /// Plans the columns of a scan: those asked for, jsonb columns as the paths that are pushed down.
    pub(crate) fn new(
        table: &Table,
        asked: &[(ColumnId, i16, Type)],
        pushed: &json_path::PushedPaths,
        in_tree: bool,
        context: &QueryContext,
    ) -> Result<Self> {
        let mut plan = Self { columns: Vec::new(), sources: Vec::new() };
        for (id, number, typ) in asked {
            let whole = match pushed.of(*id) {
                Some(paths) if !paths.paths.is_empty() => {
                    plan.columns.extend(paths.paths.iter().map(|p| (p.id, p.typ())));
                    let missing = match Self::source(table, *number, context)? {
                        Source::Value(_, missing) => missing,
                        _ => Datum::Null,
                    };
                    plan.sources.push(Source::Paths(*number as usize - 1, paths.paths.clone(), missing));
                    paths.whole
                }
                _ => true,
            };
            if whole {
                plan.columns.push((*id, *typ));
                plan.sources.push(match number {
                    0 if in_tree => Source::LocatorIn(table.oid),
                    number => Self::source(table, *number, context)?,
                });
            }
        }
        Ok(plan)
    }

    fn source(table: &Table, number: i16, context: &QueryContext) -> Result<Source> {
        match number {
            0 => Ok(Source::Locator),
            -6 => Ok(Source::TableOid(table.oid)),
            number if number > 0 => {
                let column = table.column_by_number(number);
                let missing = match column.and_then(|c| c.missing.as_ref().map(|text| (c.typ, text))) {
                    Some((typ, text)) => io::text_in(Type::new(typ.oid), text, &context.eval)?,
                    None => Datum::Null,
                };
                Ok(Source::Value(number as usize - 1, missing))
            }
            number => Err(Error::unsupported(format!("system column {number} of relation \"{}\"", table.name))),
        }
    }

    /// The columns that come out.
    pub(crate) fn columns(&self) -> &[(ColumnId, Type)] {
        &self.columns
    }
}

/// Rows on their way into a batch.
struct Batcher {
    schema: SchemaRef,
    sources: Vec<Source>,
    columns: Vec<(ColumnId, Type)>,
    builders: Vec<Builder>,
    scratch: Vec<u8>,
    rows: usize,
    bytes: usize,
}

impl Batcher {
    fn new(schema: SchemaRef, sources: Vec<Source>, columns: Vec<(ColumnId, Type)>) -> Self {
        Self { schema, sources, columns, builders: Vec::new(), scratch: Vec::new(), rows: 0, bytes: 0 }
    }

    fn push(&mut self, locator: &[u8], bytes: &[u8]) -> Result<()> {
        if self.builders.is_empty() {
            self.builders = self.columns.iter().map(|(_, typ)| Builder::new(*typ, 1024)).collect();
        }
        let row = RowRef::new(bytes)?;
        let mut at = 0;
        for source in &self.sources {
            match source {
                Source::Locator => push_bytes(&mut self.builders[at], locator),
                Source::LocatorIn(table) => push_bytes(&mut self.builders[at], &tree::locator(*table, locator)),
                Source::TableOid(oid) => self.builders[at].push(&Datum::Oid(*oid))?,
                Source::Value(index, missing) if *index >= row.len() => self.builders[at].push(missing)?,
                Source::Value(index, _) => match row.get(*index)? {
                    Some(value) => push_ref(&mut self.builders[at], value)?,
                    None => self.builders[at].push_null(),
                },
                Source::Paths(index, paths, missing) => {
                    let document = match missing {
                        _ if *index < row.len() => row.jsonb(*index),
                        Datum::Jsonb(missing) => Some(missing.as_ref()),
                        _ => None,
                    };
                    for (path, builder) in paths.iter().zip(&mut self.builders[at..]) {
                        json_path::append(document, &path.path, builder, &mut self.scratch);
                    }
                    at += paths.len() - 1;
                }
            }
            at += 1;
        }
        self.rows += 1;
        self.bytes += bytes.len();
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        let batch = physical::batch(&self.schema, arrays, self.rows)?;
        self.builders.clear();
        (self.rows, self.bytes) = (0, 0);
        Ok(batch)
    }
}

fn push_bytes(builder: &mut Builder, bytes: &[u8]) {
    if let Builder::Binary(builder, _) = builder {
        BinaryViewBuilder::append_value(builder, bytes);
    }
}

/// Appends a value without owning it first.
fn push_ref(builder: &mut Builder, value: DatumRef<'_>) -> Result<()> {
    match (builder, value) {
        (Builder::Text(b), DatumRef::Text(v) | DatumRef::Json(v)) => b.append_value(v),
        (Builder::Binary(b, _), DatumRef::Jsonb(v)) => b.append_value(v.as_bytes()),
        (Builder::Binary(b, _), DatumRef::Bytea(v)) => b.append_value(v),
        (Builder::Int64(b), DatumRef::Int8(v)) => b.append_value(v),
        (Builder::Int32(b), DatumRef::Int4(v)) => b.append_value(v),
        (builder, value) => builder.push(&value.into_owned())?,
    }
    Ok(())
}

/// The operator that reads a table. `filters` choose the access path only.
pub(crate) fn scan(
    table: Oid,
    plan: &ScanPlan,
    asked: &[(ColumnId, i16, Type)],
    filters: Vec<Expr>,
    context: &Arc<QueryContext>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let request = ScanRequest { table, columns: asked.to_vec(), filters, partitions: context.parallelism };
    let partitions = context.source.scan(&request)?;
    let count = partitions.len().max(1);
    let partitions: Arc<Vec<ScanPartition>> = Arc::new(partitions);
    let schema = physical::schema(&plan.columns);
    let (sources, columns, cancel) = (plan.sources.clone(), plan.columns.clone(), context.cancel.clone());
    let stream_schema = schema.clone();
    Ok(Operator::new(
        "TableScan",
        schema,
        Vec::new(),
        count,
        Arc::new(move |partition, _, _| {
            if partitions.is_empty() {
                return Ok(futures::stream::empty().boxed());
            }
            let batcher = Batcher::new(stream_schema.clone(), sources.clone(), columns.clone());
            let (partitions, cancel) = (partitions.clone(), cancel.clone());
            Ok(blocking(move |send| {
                let mut batcher = batcher;
                let mut seen = 0usize;
                partitions[partition](&mut |locator, row| {
                    seen += 1;
                    if seen.is_multiple_of(1024) {
                        cancel.check()?;
                    }
                    batcher.push(locator, row)?;
                    if batcher.is_full() { Ok(send(batcher.finish()?)) } else { Ok(true) }
                })?;
                if batcher.rows > 0 {
                    send(batcher.finish()?);
                }
                Ok(())
            }))
        }),
    ))
}

/// Runs a producer on a blocking thread; its `send` answers whether anybody still listens.
fn blocking(
    produce: impl FnOnce(&mut dyn FnMut(RecordBatch) -> bool) -> Result<()> + Send + 'static,
) -> BoxStream<'static, Result<RecordBatch>> {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<RecordBatch>>(BATCHES_AHEAD);
    let worker = tokio::task::spawn_blocking(move || {
        let result = produce(&mut |batch| sender.blocking_send(Ok(batch)).is_ok());
        if let Err(error) = result {
            // Nobody listens any more if this fails: nothing is lost.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let ended = futures::stream::once(async move {
        // A panic in the thread must not look like the end of the table.
        match worker.await {
            Ok(()) => None,
            Err(error) => Some(Err(Error::internal(format!("a table scan failed: {error}")))),
        }
    });
    let batches = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|batch| (batch, receiver))
    });
    batches.chain(ended.filter_map(|item| async move { item })).boxed()
}
