//! A recursive query of WITH, run as far as it is read: its readers share the rows made so far (PostgreSQL manual,
//! section 7.8.2.1: working table and intermediate table).

use std::collections::HashSet;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::stream::{BoxStream, StreamExt};
use tokio::sync::Mutex;

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::plan::{ColumnId, Cte, Rel};

use super::physical::from_rows;
use super::set_operation::row_key;
use super::{CteRows, Materialised, QueryContext, collect_rows, from_datafusion};

/// What a batch costs besides its arrays.
const BATCH_BYTES: usize = 512;

/// The rows of a recursive query so far, and what makes the next ones.
#[derive(Clone)]
pub(crate) struct Recursion(Arc<Mutex<State>>);

struct State {
    cte: Cte,
    term: Rel,
    term_columns: Vec<(ColumnId, Type)>,
    /// UNION: rows seen; `None` for UNION ALL.
    seen: Option<HashSet<Vec<u8>>>,
    /// A batch for each pass.
    batches: Vec<RecordBatch>,
    done: bool,
    /// The statement's, with the working table in place of the definition.
    context: Arc<QueryContext>,
    reservation: MemoryReservation,
}

impl Recursion {
    pub(crate) fn new(mut cte: Cte, context: &Arc<QueryContext>) -> Result<Self> {
        let Some((term, ids, all)) = cte.recursive.take() else {
            return Err(Error::internal("a definition without a recursive term"));
        };
        let term_columns = ids.iter().zip(&cte.columns).map(|(id, (_, typ))| (*id, *typ)).collect();
        let state = State {
            term,
            term_columns,
            seen: (!all).then(HashSet::new),
            batches: Vec::new(),
            done: false,
            context: context.inner(),
            reservation: MemoryConsumer::new("RecursiveUnion").register(context.task.memory_pool()),
            cte,
        };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// The rows from the first on; reading past the last one that is there makes the next pass.
    pub(crate) fn rows(&self) -> BoxStream<'static, Result<RecordBatch>> {
        let start = (self.0.clone(), 0);
        futures::stream::try_unfold(start, |(state, next)| async move {
            let batch = state.lock().await.batch(next).await?;
            Ok(batch.map(|batch| (batch, (state.clone(), next + 1))))
        })
        .boxed()
    }
}

impl State {
    async fn batch(&mut self, index: usize) -> Result<Option<RecordBatch>> {
        while self.batches.len() <= index && !self.done {
            self.pass().await?;
        }
        Ok(self.batches.get(index).cloned())
    }

    async fn pass(&mut self) -> Result<()> {
        self.context.cancel.check()?;
        let mut rows = match self.batches.last() {
            None => collect_rows(&self.cte.plan, &self.cte.columns, &[], &self.context).await?,
            Some(working) => {
                let rows = CteRows::Done(vec![working.clone()]);
                self.context.set_cte(self.cte.id, Materialised { columns: self.cte.columns.clone(), rows });
                collect_rows(&self.term, &self.term_columns, &[], &self.context).await?
            }
        };
        self.keep_new(&mut rows)?;
        if rows.is_empty() {
            self.done = true;
            return Ok(());
        }
        let batch = from_rows(&self.cte.columns, &rows)?;
        let bytes = batch.get_array_memory_size() + BATCH_BYTES;
        self.reservation.try_grow(bytes).map_err(from_datafusion)?;
        self.batches.push(batch);
        Ok(())
    }

    fn keep_new(&mut self, rows: &mut Vec<Vec<Datum>>) -> Result<()> {
        let Some(seen) = &mut self.seen else { return Ok(()) };
        let types: Vec<Type> = self.cte.columns.iter().map(|(_, typ)| *typ).collect();
        let mut bytes = 0;
        rows.retain(|row| {
            let key = row_key(row, &types);
            bytes += key.len();
            seen.insert(key)
        });
        self.reservation.try_grow(bytes).map_err(from_datafusion)
    }
}
