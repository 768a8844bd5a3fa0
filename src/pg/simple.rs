//! The simple query protocol: a text of statements, run one by one, each answered at once. Several statements are one
//! implicit transaction, which an error ends together with the rest of the text.

use std::sync::Arc;

use crate::error::Result;
use crate::exec::{Prepared, Response, SqlPart};

use super::backend::{self, EMPTY_QUERY};
use super::connection::{Connection, End};
use super::encode::{OutputSink, RowEncoder};

impl Connection {
    /// Query.
    pub(super) async fn query(&mut self, text: &str) -> Result<(), End> {
        self.unnamed = None;
        self.remove_portal("");
        if let Err(error) = self.statements(text).await {
            self.fail(error).await?;
        }
        self.in_pipeline = false;
        self.ready();
        Ok(())
    }

    async fn statements(&mut self, text: &str) -> Result<()> {
        let parts = self.session.parse(text)?;
        if parts.is_empty() {
            self.session.finish_implicit(true).await?;
            backend::put_empty(&mut self.wire.output, EMPTY_QUERY);
            return Ok(());
        }
        for (index, part) in parts.iter().enumerate() {
            if parts.len() > 1 {
                self.session.begin_implicit();
            }
            self.statement(part, index + 1 == parts.len()).await?;
            if self.wire.pending() >= super::wire::OUTPUT_BYTES_MAX {
                let interrupt = self.interrupt();
                self.wire.send(Some(&interrupt)).await?;
            }
        }
        Ok(())
    }

    async fn statement(&mut self, part: &SqlPart, is_last: bool) -> Result<()> {
        self.cancel.clear();
        let prepared = self.session.prepare(part, &[])?;
        let tag = match self.point(&prepared) {
            Some(tag) => Some(tag?),
            None => self.respond(&prepared).await?,
        };
        self.drop_closed_portals();
        if is_last {
            // Before the last statement is said to be complete: it is not, if the commit fails.
            self.session.finish_implicit(true).await?;
        }
        match tag {
            Some(tag) => self.complete(&tag),
            None => backend::put_empty(&mut self.wire.output, EMPTY_QUERY),
        }
        Ok(())
    }

    /// The fast path; `None` when the statement is not for it.
    fn point(&mut self, prepared: &Arc<Prepared>) -> Option<Result<String>> {
        let Self { session, wire, .. } = self;
        let start = wire.output.len();
        let columns = prepared.columns().cloned().unwrap_or_default();
        if prepared.columns().is_some() {
            backend::put_row_description(&mut wire.output, &columns, &[]);
        }
        let mut encoder = RowEncoder::new(&columns, &[], || session.eval_context());
        let result = {
            let mut sink = OutputSink { encoder: &mut encoder, out: &mut wire.output };
            session.execute_point(prepared, &[], &mut sink)
        };
        if !matches!(result, Some(Ok(_))) {
            wire.output.truncate(start);
        }
        result
    }

    /// Runs a statement and sends its rows; gives the tag (`None`: an empty statement).
    async fn respond(&mut self, prepared: &Arc<Prepared>) -> Result<Option<String>> {
        let interrupt = self.interrupt();
        let response = self.wire.run(self.session.execute(prepared, Vec::new()), &interrupt).await?;
        Ok(Some(match response {
            Response::Rows { columns, mut stream, tag } => {
                self.put_notices();
                backend::put_row_description(&mut self.wire.output, &columns, &[]);
                let mut encoder = RowEncoder::new(&columns, &[], || self.session.eval_context());
                let (count, _) = self.send_rows(&mut encoder, &mut stream, &mut None, usize::MAX, &interrupt).await?;
                tag.text(count)
            }
            Response::Command(tag) => tag,
            Response::CopyIn(copy) => self.copy_in(copy, &interrupt).await?,
            Response::CopyOut { columns, stream, options } => {
                self.copy_out(&columns, stream, options, &interrupt).await?
            }
            Response::Empty => return Ok(None),
        }))
    }
}
