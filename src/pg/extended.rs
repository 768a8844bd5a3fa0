//! The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync.
//!
//! The statements between two Syncs are one implicit transaction. The usual single Execute with its Sync right behind it
//! in the buffer needs none and runs as autocommit, so that a lost conflict is retried inside.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;

use crate::document::{Datum, Jsonb, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::exec::values::{self, EvalContext};
use crate::exec::{Batch, OutputColumn, Prepared, Response, RowStream, RowsTag, TransactionStatus};

use super::backend::{self, format_of};
use super::connection::{Connection, End};
use super::encode::{OutputSink, RowEncoder};
use super::frame::{Bind, Frame, Target, utf8};

/// Rows taken from a cursor at a time.
const CURSOR_ROWS: usize = 1000;
/// What a portal costs besides its parameters.
const PORTAL_BYTES: usize = 512;

/// A statement with its parameters, waiting to be executed or suspended in the middle.
pub(super) struct Portal {
    /// `None`: an empty query.
    prepared: Option<Arc<Prepared>>,
    params: Vec<Datum>,
    formats: Vec<i16>,
    state: State,
    bytes: usize,
}

enum State {
    Ready,
    Running {
        stream: RowStream,
        current: Option<(Batch, usize)>,
        encoder: RowEncoder,
        tag: RowsTag,
    },
    /// All rows have been sent; the tag for who asks for more.
    Drained(RowsTag),
    /// A command that ran: it does not run again.
    Done,
}

impl Connection {
    /// Parse.
    pub(super) fn parse(&mut self, name: String, query: &str, param_types: &[u32]) -> Result<()> {
        if name.is_empty() {
            self.unnamed = None;
        } else if self.session.statements().get(&name).is_some() {
            return Err(err!(DUPLICATE_PREPARED_STATEMENT, "prepared statement \"{name}\" already exists"));
        }
        let parts = self.session.parse(query)?;
        let prepared = match parts.as_slice() {
            [] => None,
            [part] => {
                let types: Vec<_> = param_types.iter().map(|oid| (*oid != 0).then_some(*oid)).collect();
                let prepared = self.session.prepare(part, &types);
                if self.session.transaction_status() == TransactionStatus::Failed
                    && !prepared.as_ref().is_ok_and(|p| p.is_transaction_control())
                {
                    return Err(transaction_aborted());
                }
                Some(prepared?)
            }
            _ => {
                return Err(err!(SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement"));
            }
        };
        if name.is_empty() {
            self.unnamed = Some(prepared);
        } else {
            let bytes_max = self.shared.config.prepared_memory_max.0 as usize;
            self.session.statements_mut().save(&name, prepared, query.len(), bytes_max)?;
        }
        self.put_notices();
        backend::put_empty(&mut self.wire.output, backend::PARSE_COMPLETE);
        Ok(())
    }

    /// A prepared statement by name; the inner `None` is an empty query.
    fn prepared(&self, name: &str) -> Result<Option<Arc<Prepared>>> {
        if name.is_empty() {
            let missing = || err!(INVALID_SQL_STATEMENT_NAME, "unnamed prepared statement does not exist");
            return self.unnamed.clone().ok_or_else(missing);
        }
        let missing = || err!(INVALID_SQL_STATEMENT_NAME, "prepared statement \"{name}\" does not exist");
        self.session.statements().get(name).ok_or_else(missing)
    }

    /// Bind.
    pub(super) fn bind(&mut self, bind: Bind) -> Result<()> {
        self.cancel.set_deadline(None);
        let prepared = self.prepared(&bind.statement)?;
        let types = prepared.as_ref().map_or(&[][..], |p| p.params());
        let (given, formats) = (bind.params.len(), bind.param_formats.len());
        if formats > 1 && formats != given {
            return Err(err!(
                PROTOCOL_VIOLATION,
                "bind message has {formats} parameter formats but {given} parameters"
            ));
        }
        if given != types.len() {
            return Err(err!(
                PROTOCOL_VIOLATION,
                "bind message supplies {given} parameters, but prepared statement \"{}\" requires {}",
                bind.statement,
                types.len()
            ));
        }
        let is_exit = prepared.as_ref().is_none_or(|p| p.is_transaction_control());
        if self.session.transaction_status() == TransactionStatus::Failed && !is_exit {
            return Err(transaction_aborted());
        }
        if bind.portal.is_empty() {
            self.remove_portal("");
        } else {
            // A name in use, by a portal or by a cursor of SQL's.
            self.session.check_cursor_name(&bind.portal)?;
        }
        let columns = prepared.as_ref().and_then(|p| p.columns());
        check_result_formats(&bind.result_formats, columns.map_or(0, |c| c.len()))?;

        let bytes = PORTAL_BYTES + bind.params.iter().flatten().map(Bytes::len).sum::<usize>();
        // One portal may always be there, however large its parameters: they came in one message of bounded size.
        if !self.portals.is_empty() && self.portal_bytes + bytes > self.shared.config.prepared_memory_max.0 as usize {
            return Err(err!(OUT_OF_MEMORY, "out of memory").detail("The portals of this connection take too much."));
        }
        let session = &self.session;
        let context = std::cell::OnceCell::new();
        let context = || context.get_or_init(|| session.eval_context()).clone();
        let mut params = Vec::with_capacity(given);
        for (index, (value, typ)) in bind.params.iter().zip(types).enumerate() {
            let format = format_of(&bind.param_formats, index);
            let value = match value {
                None => {
                    check_format(format)?;
                    Datum::Null
                }
                Some(bytes) => param(*typ, format, bytes, &context)
                    .map_err(|e| in_param(e, index, &bind.portal, format, bytes.is_empty()))?,
            };
            params.push(value);
        }
        if let Some(prepared) = &prepared {
            prepared.check()?;
        }
        self.portal_bytes += bytes;
        if !bind.portal.is_empty() {
            self.session.add_portal(&bind.portal, prepared.as_ref().map_or("", |p| p.text()));
        }
        let portal = Portal { prepared, params, formats: bind.result_formats, state: State::Ready, bytes };
        self.portals.insert(bind.portal, portal);
        backend::put_empty(&mut self.wire.output, backend::BIND_COMPLETE);
        Ok(())
    }

    /// Describe.
    pub(super) fn describe(&mut self, target: &Target) -> Result<()> {
        match target {
            Target::Statement(name) => {
                let prepared = self.prepared(name)?;
                let out = &mut self.wire.output;
                backend::put_parameter_description(out, prepared.as_ref().map_or(&[], |p| p.params()));
                match prepared.as_ref().and_then(|p| p.columns()) {
                    Some(columns) => backend::put_row_description(out, columns, &[]),
                    None => backend::put_empty(out, backend::NO_DATA),
                }
            }
            Target::Portal(name) => {
                let Some(portal) = self.portals.get(name) else {
                    // DECLARE makes portals too.
                    let columns = self.session.cursor_columns(name).ok_or_else(|| no_portal(name))?;
                    backend::put_row_description(&mut self.wire.output, &columns, &[]);
                    return Ok(());
                };
                let out = &mut self.wire.output;
                match portal.prepared.as_ref().and_then(|p| p.columns()) {
                    Some(columns) => backend::put_row_description(out, columns, &portal.formats),
                    None => backend::put_empty(out, backend::NO_DATA),
                }
            }
        }
        Ok(())
    }

    /// Close. What is not there is closed.
    pub(super) fn close(&mut self, target: &Target) {
        match target {
            Target::Statement(name) if name.is_empty() => self.unnamed = None,
            Target::Statement(name) => {
                self.session.statements_mut().remove(name);
            }
            Target::Portal(name) => {
                self.remove_portal(name);
                self.session.close_cursor(name);
            }
        }
        backend::put_empty(&mut self.wire.output, backend::CLOSE_COMPLETE);
    }

    /// Execute.
    pub(super) async fn execute(&mut self, name: &str, max_rows: usize) -> Result<()> {
        self.cancel.clear();
        let Some(mut portal) = self.portals.remove(name) else {
            let columns = self.session.cursor_columns(name).ok_or_else(|| no_portal(name))?;
            return self.execute_cursor(name, &columns, max_rows).await;
        };
        let result = self.run_portal(name, &mut portal, max_rows).await;
        self.drop_closed_portals();
        match result {
            Ok(()) if self.is_after_transaction(&portal) => self.clear_portals(),
            Ok(()) => {
                self.portals.insert(name.to_string(), portal);
            }
            Err(_) => self.portal_bytes = self.portal_bytes.saturating_sub(portal.bytes),
        }
        result
    }

    /// Execute of a cursor that DECLARE made: its next rows, as text.
    async fn execute_cursor(&mut self, name: &str, columns: &[OutputColumn], max_rows: usize) -> Result<()> {
        let interrupt = self.interrupt();
        let mut encoder = RowEncoder::new(columns, &[], || self.session.eval_context());
        let mut sent = 0;
        while sent < max_rows {
            let wanted = (max_rows - sent).min(CURSOR_ROWS);
            let rows = self.wire.run(self.session.fetch_cursor(name, wanted), &interrupt).await?;
            let (count, batch) = (rows.len(), Batch::Rows(rows));
            let mut stream = futures::stream::empty().boxed();
            self.send_rows(&mut encoder, &mut stream, &mut Some((batch, 0)), wanted, &interrupt).await?;
            sent += count;
            if count < wanted {
                self.complete(&format!("SELECT {sent}"));
                return Ok(());
            }
        }
        backend::put_empty(&mut self.wire.output, backend::PORTAL_SUSPENDED);
        Ok(())
    }

    /// Drops the portals that SQL's CLOSE has closed.
    pub(super) fn drop_closed_portals(&mut self) {
        for name in self.session.take_closed_portals() {
            self.remove_portal(&name);
        }
    }

    /// Whether the portal just ended a transaction, and with it all portals.
    fn is_after_transaction(&self, portal: &Portal) -> bool {
        portal.prepared.as_ref().is_some_and(|p| p.is_transaction_control())
            && self.session.transaction_status() == TransactionStatus::Idle
    }

    async fn run_portal(&mut self, name: &str, portal: &mut Portal, max_rows: usize) -> Result<()> {
        let Some(prepared) = portal.prepared.clone() else {
            backend::put_empty(&mut self.wire.output, backend::EMPTY_QUERY);
            return Ok(());
        };
        match &portal.state {
            State::Running { .. } => {
                let interrupt = self.interrupt();
                return self.continue_portal(portal, max_rows, &interrupt).await;
            }
            State::Drained(tag) => {
                let tag = tag.text(0);
                self.complete(&tag);
                return Ok(());
            }
            State::Done => {
                return Err(err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal \"{name}\" cannot be run"));
            }
            State::Ready => {}
        }
        self.begin_pipeline(&prepared);
        if let Some(tag) = self.point_portal(&prepared, portal, max_rows) {
            let tag = tag?;
            if matches!(portal.state, State::Running { .. }) {
                let interrupt = self.interrupt();
                return self.continue_portal(portal, max_rows, &interrupt).await;
            }
            self.complete(&tag);
            return Ok(());
        }
        let interrupt = self.interrupt();
        let params = std::mem::take(&mut portal.params);
        portal.state = State::Done;
        let tag = match self.wire.run(self.session.execute(&prepared, params), &interrupt).await? {
            Response::Rows { columns, stream, tag } => {
                check_result_formats(&portal.formats, columns.len())?;
                self.put_notices();
                let encoder = RowEncoder::new(&columns, &portal.formats, || self.session.eval_context());
                portal.state = State::Running { stream, current: None, encoder, tag };
                return self.continue_portal(portal, max_rows, &interrupt).await;
            }
            Response::Command(tag) => tag,
            Response::CopyIn(copy) => self.copy_in(copy, &interrupt).await?,
            Response::CopyOut { columns, stream, options } => {
                self.copy_out(&columns, stream, options, &interrupt).await?
            }
            Response::Empty => {
                backend::put_empty(&mut self.wire.output, backend::EMPTY_QUERY);
                return Ok(());
            }
        };
        self.complete(&tag);
        Ok(())
    }

    /// Begins the implicit transaction of a pipeline, unless this Execute is all that its Sync will end.
    fn begin_pipeline(&mut self, prepared: &Prepared) {
        let is_alone = !self.in_pipeline && Frame::is_sync_next(&self.wire.input);
        if is_alone || prepared.is_transaction_control() {
            return;
        }
        if self.session.transaction_status() == TransactionStatus::Idle || self.in_pipeline {
            self.session.begin_implicit();
            self.in_pipeline = true;
        }
    }

    /// The fast path; `None` when the statement is not for it.
    fn point_portal(
        &mut self,
        prepared: &Arc<Prepared>,
        portal: &mut Portal,
        max_rows: usize,
    ) -> Option<Result<String>> {
        let Self { session, wire, .. } = self;
        let columns = prepared.columns().cloned().unwrap_or_default();
        let mut encoder = RowEncoder::new(&columns, &portal.formats, || session.eval_context());
        if max_rows != usize::MAX && !columns.is_empty() {
            // A row limit: the few rows of a point plan are kept, and sent as they are asked for.
            let mut rows: Vec<Vec<Datum>> = Vec::new();
            let result = session.execute_point(prepared, &portal.params, &mut rows)?;
            return Some(result.inspect(|tag| {
                let (stream, current) = (futures::stream::empty().boxed(), Some((Batch::Rows(rows), 0)));
                portal.state = State::Running { stream, current, encoder, tag: rows_tag(tag) };
            }));
        }
        let start = wire.output.len();
        let result = {
            let mut sink = OutputSink { encoder: &mut encoder, out: &mut wire.output };
            session.execute_point(prepared, &portal.params, &mut sink)
        };
        match &result {
            Some(Ok(tag)) if prepared.columns().is_some() => portal.state = State::Drained(rows_tag(tag)),
            Some(Ok(_)) => portal.state = State::Done,
            _ => wire.output.truncate(start),
        }
        result
    }

    /// Sends a portal's next rows.
    async fn continue_portal(
        &mut self,
        portal: &mut Portal,
        max_rows: usize,
        interrupt: &super::wire::Interrupt,
    ) -> Result<()> {
        let State::Running { stream, current, encoder, tag } = &mut portal.state else { return Ok(()) };
        let (count, is_drained) = self.send_rows(encoder, stream, current, max_rows, interrupt).await?;
        if !is_drained {
            backend::put_empty(&mut self.wire.output, backend::PORTAL_SUSPENDED);
            return Ok(());
        }
        let tag = tag.clone();
        self.complete(&tag.text(count));
        portal.state = State::Drained(tag);
        Ok(())
    }

    /// Sync.
    pub(super) async fn sync(&mut self) -> Result<(), End> {
        self.skip_to_sync = false;
        if std::mem::take(&mut self.in_pipeline)
            && let Err(error) = self.session.finish_implicit(true).await
        {
            self.fail(error).await?;
        }
        self.ready();
        Ok(())
    }

    pub(super) fn remove_portal(&mut self, name: &str) {
        if let Some(portal) = self.portals.remove(name) {
            self.session.remove_portal(name);
            self.portal_bytes = self.portal_bytes.saturating_sub(portal.bytes);
        }
    }
}

/// The tag of rows, from the whole tag: the count of a SELECT is that of each Execute.
fn rows_tag(tag: &str) -> RowsTag {
    if tag.starts_with("SELECT ") { RowsTag::Counted("SELECT") } else { RowsTag::Fixed(tag.to_string()) }
}

fn transaction_aborted() -> Error {
    err!(IN_FAILED_SQL_TRANSACTION, "current transaction is aborted, commands ignored until end of transaction block")
}

fn no_portal(name: &str) -> Error {
    err!(INVALID_CURSOR_NAME, "portal \"{name}\" does not exist")
}

fn check_format(format: i16) -> Result<()> {
    match format {
        0 | 1 => Ok(()),
        _ => Err(err!(INVALID_PARAMETER_VALUE, "unsupported format code: {format}")),
    }
}

fn check_result_formats(formats: &[i16], columns: usize) -> Result<()> {
    formats.iter().try_for_each(|format| check_format(*format))?;
    if formats.len() > 1 && formats.len() != columns {
        return Err(err!(
            PROTOCOL_VIOLATION,
            "bind message has {} result formats but query has {columns} columns",
            formats.len()
        ));
    }
    Ok(())
}

/// Reads a parameter. The frequent types do not need the session.
fn param(typ: Type, format: i16, bytes: &[u8], context: &dyn Fn() -> EvalContext) -> Result<Datum> {
    check_format(format)?;
    if format == 1 {
        return match (typ, bytes) {
            (Type::INT4, &[a, b, c, d]) => Ok(Datum::Int4(i32::from_be_bytes([a, b, c, d]))),
            _ => values::binary_in(typ, bytes, &context()),
        };
    }
    let text = utf8(bytes)?;
    match typ {
        Type::TEXT => Ok(Datum::text(text)),
        Type::JSONB => Jsonb::parse(text).map(Datum::Jsonb),
        Type::INT4 if let Ok(value) = text.parse() => Ok(Datum::Int4(value)),
        Type::INT8 if let Ok(value) = text.parse() => Ok(Datum::Int8(value)),
        _ => values::text_in(typ, text, &context()),
    }
}

/// Says which parameter an error is about.
fn in_param(error: Error, index: usize, portal: &str, format: i16, is_empty: bool) -> Error {
    let number = index + 1;
    if format == 1 && error.message() == "incorrect binary data format" {
        return Error::new(error.code(), format!("incorrect binary data format in bind parameter {number}"));
    }
    let portal = if portal.is_empty() { "unnamed portal".to_string() } else { format!("portal \"{portal}\"") };
    let mut error = error;
    // A text is shown as PostgreSQL shows it when it may not (log_parameter_max_length_on_error = 0).
    let value = match (format, is_empty) {
        (0, true) => " = ''",
        (0, false) => " = '...'",
        _ => "",
    };
    let place = format!("{portal} parameter ${number}{value}");
    let context = error.report_mut().context.take().map_or(place.clone(), |inner| format!("{inner}\n{place}"));
    error.context(context)
}
