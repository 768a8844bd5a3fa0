//! [`Connection`]: the loop of an authenticated client.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::server::Cancel;
use crate::exec::{Prepared, RowStream, Session, TransactionStatus};

use super::backend::{self, Severity};
use super::encode::{RowEncoder, Rows};
use super::extended::Portal;
use super::frame::{Frame, FrameError, Frontend, next_frame};
use super::listener::Shared;
use super::wire::{Interrupt, OUTPUT_BYTES_MAX, Wire};

/// One client.
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) session: Session,
    pub(super) shared: Arc<Shared>,
    pub(super) cancel: Arc<Cancel>,
    /// The unnamed statement; named ones are the session's, where SQL's EXECUTE and DEALLOCATE find them too. The inner
    /// `None` is an empty query.
    pub(super) unnamed: Option<Option<Arc<Prepared>>>,
    pub(super) portals: HashMap<String, Portal>,
    /// Bytes that parameters of portals take.
    pub(super) portal_bytes: usize,
    /// After an error in the extended protocol: everything up to Sync is skipped.
    pub(super) skip_to_sync: bool,
    /// An implicit transaction was begun by a pipeline; Sync ends it.
    pub(super) in_pipeline: bool,
}

/// Why the loop ends.
pub(super) enum End {
    /// The client said so, or is gone.
    Closed,
    /// We say so.
    Fatal(Error),
}

impl Connection {
    pub(super) fn new(wire: Wire, session: Session, shared: Arc<Shared>) -> Self {
        let cancel = session.cancel_handle();
        Self {
            wire,
            session,
            shared,
            cancel,
            unnamed: None,
            portals: HashMap::new(),
            portal_bytes: 0,
            skip_to_sync: false,
            in_pipeline: false,
        }
    }

    /// Serves the client to the end. A panic ends this connection with XX000, and nothing else.
    pub(super) async fn run(mut self) {
        let end = match AssertUnwindSafe(self.serve()).catch_unwind().await {
            Ok(end) => end,
            Err(_panic) => End::Fatal(Error::internal("the server met an unexpected condition in this statement")),
        };
        if let End::Fatal(error) = end {
            tracing::debug!(code = %error.code(), %error, "connection ended");
            backend::put_error(&mut self.wire.output, Severity::Fatal, &error);
        }
        // Portals hold snapshots and running queries: they go before the client is waited for.
        self.portals.clear();
        self.session.close();
        self.wire.close().await;
    }

    async fn serve(&mut self) -> End {
        let size_max = self.shared.config.message_size_max.0 as usize;
        loop {
            match next_frame(&mut self.wire.input, size_max) {
                Ok(Some(frame)) => {
                    if let Err(end) = self.handle(frame).await {
                        return end;
                    }
                    if self.wire.pending() >= OUTPUT_BYTES_MAX
                        && let Err(end) = self.flush().await
                    {
                        return end;
                    }
                }
                Ok(None) => {
                    if let Err(end) = self.idle().await {
                        return end;
                    }
                }
                Err(FrameError::Fatal(error)) => return End::Fatal(error),
            }
        }
    }

    async fn handle(&mut self, frame: Frame) -> Result<(), End> {
        let kind = frame.kind;
        if self.skip_to_sync && !matches!(kind, b'S' | b'X') {
            return Ok(());
        }
        let is_extended = matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S');
        let result = match frame.read() {
            Err(error) => Err(error),
            Ok(Frontend::Query(text)) => return self.query(&text).await,
            Ok(Frontend::Parse { name, query, param_types }) => self.parse(name, &query, &param_types),
            Ok(Frontend::Bind(bind)) => self.bind(bind),
            Ok(Frontend::Describe(target)) => self.describe(&target),
            Ok(Frontend::Execute { portal, max_rows }) => self.execute(&portal, max_rows).await,
            Ok(Frontend::Close(target)) => {
                self.close(&target);
                Ok(())
            }
            Ok(Frontend::Sync) => return self.sync().await,
            Ok(Frontend::Flush) => {
                self.wire.mark_due();
                return self.flush().await;
            }
            Ok(Frontend::Terminate) => return Err(End::Closed),
            // Left over from a COPY that failed.
            Ok(Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_)) => return Ok(()),
            Ok(Frontend::FunctionCall) => Err(Error::unsupported("the function call protocol")),
            Ok(Frontend::Password) => {
                return Err(End::Fatal(err!(PROTOCOL_VIOLATION, "invalid frontend message type {kind}")));
            }
        };
        let Err(error) = result else { return Ok(()) };
        self.fail(error).await?;
        if is_extended {
            // A Sync that cannot be read still is one.
            self.skip_to_sync = kind != b'S';
        }
        if !self.skip_to_sync {
            self.ready();
        }
        Ok(())
    }

    /// Reports a failed statement. An error that ends the connection comes back as its end.
    pub(super) async fn fail(&mut self, error: Error) -> Result<(), End> {
        if matches!(error.code(), SqlState::ADMIN_SHUTDOWN | SqlState::DATABASE_DROPPED) {
            return Err(End::Fatal(error));
        }
        self.session.fail();
        self.in_pipeline = false;
        self.clear_portals();
        // Nothing is left to commit; what rolling back could say would only hide the first error.
        let _ = self.session.finish_implicit(false).await;
        self.put_notices();
        backend::put_error(&mut self.wire.output, Severity::Error, &error);
        Ok(())
    }

    /// Says that the next command is awaited.
    pub(super) fn ready(&mut self) {
        self.session.idle();
        let status = self.session.transaction_status();
        for (name, value) in self.session.take_parameter_changes() {
            backend::put_parameter_status(&mut self.wire.output, &name, &value);
        }
        if status == TransactionStatus::Idle {
            self.clear_portals();
            while let Some(notification) = self.session.try_notification() {
                backend::put_notification(&mut self.wire.output, &notification);
            }
        }
        backend::put_ready(&mut self.wire.output, status);
        self.wire.mark_due();
    }

    /// A command is done: its notices, then its tag.
    pub(super) fn complete(&mut self, tag: &str) {
        self.put_notices();
        backend::put_command_complete(&mut self.wire.output, tag);
    }

    /// Forgets all portals.
    pub(super) fn clear_portals(&mut self) {
        self.portals.clear();
        self.session.clear_portals();
        self.portal_bytes = 0;
    }

    pub(super) fn put_notices(&mut self) {
        for notice in self.session.take_notices() {
            backend::put_notice(&mut self.wire.output, &notice);
        }
    }

    /// What can stop the statement that begins now.
    pub(super) fn interrupt(&self) -> Interrupt {
        let timeout = self.session.timeout("statement_timeout");
        self.cancel.set_deadline(timeout);
        Interrupt { cancel: self.cancel.clone(), deadline: timeout.map(|timeout| Instant::now() + timeout) }
    }

    /// Encodes and sends rows as they come, at most `rows_max`. `current` is the batch that is being sent and how much of
    /// it was; it keeps what is left. Gives the number of rows and whether there are none left.
    pub(super) async fn send_rows(
        &mut self,
        encoder: &mut RowEncoder,
        stream: &mut RowStream,
        current: &mut Option<(crate::exec::Batch, usize)>,
        rows_max: usize,
        interrupt: &Interrupt,
    ) -> Result<(u64, bool)> {
        let mut count = 0;
        while count < rows_max {
            let (batch, from) = match current.take() {
                Some(current) => current,
                None => match self.wire.run(stream.next(), interrupt).await {
                    None => return Ok((count as u64, true)),
                    Some(batch) => (batch?, 0),
                },
            };
            interrupt.cancel.check()?;
            let rows = Rows::new(&batch, encoder)?;
            let wanted = rows_max - count;
            let written = encoder.rows(&rows, from, wanted, OUTPUT_BYTES_MAX, &mut self.wire.output)?;
            count += written;
            let is_used_up = from + written == rows.len();
            drop(rows);
            if !is_used_up {
                *current = Some((batch, from + written));
            }
            if self.wire.output.len() >= OUTPUT_BYTES_MAX {
                self.wire.send(Some(interrupt)).await?;
            }
        }
        Ok((count as u64, false))
    }

    /// Sends what waits.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        tokio::select! {
            biased;
            _ = self.wire.send(None) => {}
            () = self.shared.shutdown.cancelled() => return Err(End::Fatal(shutting_down())),
        }
        if self.wire.is_broken() { Err(End::Closed) } else { Ok(()) }
    }

    /// Waits for the client's next message, while notifications are delivered and time limits watched.
    async fn idle(&mut self) -> Result<(), End> {
        self.flush().await?;
        self.wire.trim();
        let status = self.session.transaction_status();
        let is_between_commands = !self.in_pipeline && !self.skip_to_sync;
        let (setting, error) = match status {
            TransactionStatus::Idle => (
                "idle_session_timeout",
                err!(IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout"),
            ),
            _ => (
                "idle_in_transaction_session_timeout",
                err!(IDLE_IN_TRANSACTION_SESSION_TIMEOUT, "terminating connection due to idle-in-transaction timeout"),
            ),
        };
        let deadline = self.session.timeout(setting).map(|timeout| Instant::now() + timeout);
        loop {
            let timer = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                more = self.wire.fill() => return if more { Ok(()) } else { Err(End::Closed) },
                () = self.shared.shutdown.cancelled() => return Err(End::Fatal(shutting_down())),
                () = self.cancel.cancelled() => match self.cancel.check() {
                    Err(error) if error.code() == SqlState::ADMIN_SHUTDOWN => return Err(End::Fatal(error)),
                    // A request that came too late for the statement it meant.
                    _ => self.cancel.clear(),
                },
                notification = self.session.next_notification(),
                    if status == TransactionStatus::Idle && is_between_commands =>
                {
                    backend::put_notification(&mut self.wire.output, &notification);
                    while let Some(more) = self.session.try_notification() {
                        backend::put_notification(&mut self.wire.output, &more);
                    }
                    self.flush().await?;
                }
                () = timer => return Err(End::Fatal(error)),
            }
        }
    }
}

fn shutting_down() -> Error {
    err!(ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}
