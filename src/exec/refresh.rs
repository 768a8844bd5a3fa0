//! Materialized views: REFRESH, and the rows of a query going into a table.

use std::sync::Arc;

use futures::StreamExt;

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::statement::{Refresh, Statement};
use crate::storage::catalog::{Index, IndexSource, Table};
use crate::storage::command::Expect;

use super::ddl::Ddl;
use super::deadline::Deadline;
use super::kept::bind_kept;
use super::prepared::planned;
use super::{Response, Session};

impl Session {
    /// REFRESH MATERIALIZED VIEW.
    pub(super) async fn refresh(&mut self, refresh: &Refresh, deadline: &Deadline) -> Result<Response> {
        self.refuse_ddl(&Statement::Refresh(refresh.clone()))?;
        let context = self.statement_context(Arc::from([]))?;
        let shared = self.shared.clone();
        let transaction =
            self.transaction.as_mut().ok_or_else(|| Error::internal("a statement runs in a transaction"))?;
        let (view, eval) = (context.view.clone(), context.eval.clone());
        let mut ddl = Ddl { shared: &shared, transaction, view, eval, text: "", temporary: false, recursing: false };
        let table = ddl.begin_refresh(refresh)?;
        let base = context.base_storage(table.oid);
        let done = Response::Command("REFRESH MATERIALIZED VIEW".to_string());
        let Some(definition) = table.view.as_ref().filter(|_| refresh.with_data) else { return Ok(done) };
        let query = bind_kept(&definition.query, &definition.search_path, &context.eval)?;
        let path = shared.lock().search_path(shared.database);
        let bound = Arc::new(planned(query, &context.eval, context.view.catalog.clone(), path));
        let response = self.run_bound(&bound, context, deadline).await?;
        self.fill(&table, base, response).await?;
        Ok(done)
    }

    /// Writes the rows of a query into a table without a key; answers how many there were.
    pub(super) async fn fill(&mut self, table: &Table, storage: Oid, response: Response) -> Result<u64> {
        let mut count = 0u64;
        let Response::Rows { mut stream, columns, .. } = response else { return Ok(0) };
        while let Some(batch) = stream.next().await {
            let rows = batch?.rows(&columns)?;
            count += rows.len() as u64;
            let Some(transaction) = self.transaction.as_ref() else {
                return Err(Error::internal("a statement runs in a transaction"));
            };
            let first = self.shared.server.engine.next_rowids(table.storage, rows.len() as u32)?;
            let mut buffer = transaction.buffer();
            for (row, id) in rows.into_iter().zip(first..) {
                let key = crate::document::key::encode_rowid(id);
                let bytes = super::rows::encode_row(table, &row).into();
                buffer.write(table.oid, storage, &key, Some(bytes), Expect::Absent)?;
            }
        }
        Ok(count)
    }
}

impl Ddl<'_> {
    /// Empties the view that is to be refreshed.
    fn begin_refresh(&mut self, refresh: &Refresh) -> Result<Table> {
        if refresh.concurrently && !refresh.with_data {
            return Err(err!(SYNTAX_ERROR, "CONCURRENTLY and WITH NO DATA options cannot be used together"));
        }
        let mut table = self.table(&refresh.name).map_err(|error| error.at(0))?;
        if let Some(entry) = self.catalog().get(table.oid).cloned() {
            self.must_maintain(&entry)?;
        }
        let Some(view) = &mut table.view else {
            return Err(err!(FEATURE_NOT_SUPPORTED, "\"{}\" is not a materialized view", table.name));
        };
        if refresh.concurrently {
            if !view.populated {
                return Err(err!(
                    FEATURE_NOT_SUPPORTED,
                    "CONCURRENTLY cannot be used when the materialized view is not populated"
                ));
            }
            let catalog = self.catalog();
            let is_plain = |i: &Index| i.keys.iter().all(|k| matches!(k.source, IndexSource::Column(_)));
            if !catalog.indexes_of(table.oid).any(|i| i.unique && i.predicate.is_none() && is_plain(i)) {
                let schema = catalog.get(table.schema).map(|s| s.name().to_string()).unwrap_or_default();
                return Err(err!(
                    OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cannot refresh materialized view \"{schema}.{}\" concurrently",
                    table.name
                )
                .hint("Create a unique index with no WHERE clause on one or more columns of the materialized view."));
            }
        }
        view.populated = refresh.with_data;
        self.put_table(table.clone());
        self.truncate_table(table.oid)?;
        let emptied = self.catalog().table(table.oid).cloned();
        emptied.ok_or_else(|| Error::internal("the view is gone"))
    }
}
