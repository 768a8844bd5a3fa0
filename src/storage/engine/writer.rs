//! The writer: one thread takes what waits in the queue, appends it to the log, syncs once, applies it in order,
//! publishes one snapshot for all of it and only then answers. Commands that arrive meanwhile are the next group.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Shared;
use super::queue::Queued;
use crate::err;
use crate::error::{Error, Result};
use crate::storage::backend::StorageBackend;
use crate::storage::command::{Outcome, Position};
use crate::storage::key;
use crate::storage::log::Log;
use crate::storage::state_machine::StateMachine;

/// So many bytes of commands are committed together at most.
const GROUP_BYTES: usize = 32 << 20;
/// When the row store has not flushed for so many log files, it is told to.
const UNFLUSHED_SEGMENTS_MAX: usize = 8;

/// What the writer thread owns.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) machine: StateMachine,
    pub(crate) log: Log,
    pub(crate) backend: Arc<dyn StorageBackend>,
    pub(crate) segments_kept: usize,
}

impl Writer {
    /// Commits until the queue is closed, then leaves a state that needs no replay. After an error that is not a
    /// client's, everything is refused.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.shared.queue.take(GROUP_BYTES) {
            if let Err((group, error)) = self.commit(group) {
                self.fail(group, error);
                return;
            }
            if let Err(error) = self.tidy() {
                self.fail(Vec::new(), error);
                return;
            }
        }
        if let Err(error) = self.backend.flush() {
            tracing::error!(%error, "the row store could not be flushed; the next start replays the log");
        }
    }

    fn fail(&self, group: Vec<Queued>, error: Error) {
        tracing::error!(%error, "storage stopped: nothing can be written until the server is restarted");
        let error = err!(IO_ERROR, "storage stopped: {error}")
            .hint("The server must be restarted. Whether the last transactions were committed is unknown until then.");
        self.shared.queue.fail(&error);
        group.into_iter().for_each(|queued| queued.resolve(Err(error.clone())));
        self.shared.changes.close();
    }

    fn commit(&mut self, group: Vec<Queued>) -> std::result::Result<(), (Vec<Queued>, Error)> {
        let outcomes = match self.log_and_apply(&group) {
            Ok(outcomes) => outcomes,
            Err(error) => return Err((group, error)),
        };
        let counters = &self.shared.counters;
        counters.groups.fetch_add(1, Relaxed);
        counters.commands.fetch_add(group.len() as u64, Relaxed);
        for (queued, outcome) in group.into_iter().zip(outcomes) {
            queued.resolve(Ok(outcome));
        }
        Ok(())
    }

    fn log_and_apply(&mut self, group: &[Queued]) -> Result<Vec<Outcome>> {
        let first = self.log.last().0 + 1;
        for queued in group {
            self.log.append(&queued.command)?;
        }
        self.log.sync()?;
        let mut outcomes = Vec::with_capacity(group.len());
        let mut changes = Vec::new();
        let mut sequences = Vec::new();
        for (queued, position) in group.iter().zip(first..) {
            let applied = self.machine.apply(Position(position), &queued.command)?;
            outcomes.push(applied.outcome);
            changes.extend(applied.change);
            if !queued.is_internal {
                sequences.extend(applied.sequences);
            }
        }
        if !changes.is_empty() {
            self.shared.publish(self.machine.snapshot(), &sequences);
            self.shared.changes.publish(changes);
        }
        Ok(outcomes)
    }

    /// Removes log files that the row store does not need any more, once for each new one.
    fn tidy(&mut self) -> Result<()> {
        let (count, first) = self.log.extent();
        let known = self.shared.counters.segments.swap(count as u64, Relaxed);
        if count as u64 == known || count <= self.segments_kept {
            return Ok(());
        }
        if count > self.segments_kept + UNFLUSHED_SEGMENTS_MAX && durable(&*self.backend)? <= first {
            self.backend.flush()?;
        }
        self.log.forget(durable(&*self.backend)?, self.segments_kept)?;
        self.shared.counters.segments.store(self.log.extent().0 as u64, Relaxed);
        Ok(())
    }
}

/// The applied position that a crash would leave.
fn durable(backend: &dyn StorageBackend) -> Result<Position> {
    let value = backend.get_durable(key::catalog::APPLIED)?;
    Ok(Position(value.and_then(|v| v.try_into().ok()).map_or(0, u64::from_be_bytes)))
}
