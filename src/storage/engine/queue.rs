//! The queue in front of the writer: bounded, first in first out, with one waiter for each command.
//!
//! A session has at most one commit under way, so the queue is bounded by the number of sessions as it is. Its own
//! bounds are a last resort: a command that does not fit is refused at once (53300) rather than kept waiting, because
//! its memory is taken either way.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::err;
use crate::error::{Error, Result};
use crate::storage::codec::command_bytes;
use crate::storage::command::{Command, Outcome};
use crate::storage::config::StorageConfig;

/// A command on its way to the log.
pub(crate) struct Queued {
    pub(crate) command: Command,
    bytes: usize,
    /// Made by the engine itself: it sets sequences to states that are in use already.
    pub(crate) is_internal: bool,
    waiter: Arc<Waiter>,
}

impl Queued {
    /// Answers who waits.
    pub(crate) fn resolve(self, result: Result<Outcome>) {
        self.waiter.resolve(result);
    }
}

/// The queue.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    commands_max: usize,
    bytes_max: usize,
    transaction_bytes_max: usize,
}

#[derive(Default)]
struct State {
    commands: Vec<Queued>,
    bytes: usize,
    is_closed: bool,
    failure: Option<Error>,
}

impl Queue {
    pub(crate) fn new(config: &StorageConfig) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            commands_max: config.queue_commands_max,
            bytes_max: config.queue_bytes_max,
            transaction_bytes_max: config.max_transaction_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a command. What the engine makes itself is small and is never refused for lack of room.
    pub(crate) fn submit(&self, command: Command, is_internal: bool) -> Submission {
        let bytes = command_bytes(&command);
        let waiter = Arc::new(Waiter::default());
        let submission = Submission { waiter: waiter.clone() };
        let mut state = self.lock();
        let refusal = match &state.failure {
            Some(failure) => Some(failure.clone()),
            None if state.is_closed => Some(shut_down()),
            None if is_internal => None,
            None => self.refusal(&state, bytes),
        };
        if let Some(error) = refusal {
            drop(state);
            waiter.resolve(Err(error));
            return submission;
        }
        let was_empty = state.commands.is_empty();
        state.bytes += bytes;
        state.commands.push(Queued { command, bytes, is_internal, waiter });
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
        submission
    }

    fn refusal(&self, state: &State, bytes: usize) -> Option<Error> {
        if bytes > self.transaction_bytes_max {
            let max = self.transaction_bytes_max;
            return Some(
                err!(PROGRAM_LIMIT_EXCEEDED, "transaction is too large")
                    .detail(format!("Its changes take {bytes} bytes, the limit is {max} bytes."))
                    .hint("Split it, or raise the setting \"storage.max_transaction_bytes\"."),
            );
        }
        let is_full = state.commands.len() >= self.commands_max || state.bytes + bytes > self.bytes_max;
        (is_full && !state.commands.is_empty())
            .then(|| err!(TOO_MANY_CONNECTIONS, "too many transactions are waiting to be committed"))
    }

    /// Takes everything that waits, up to a number of bytes but one command at least. Waits while there is nothing;
    /// `None` when the queue is closed and empty.
    pub(crate) fn take(&self, bytes_max: usize) -> Option<Vec<Queued>> {
        let mut state = self.lock();
        while state.commands.is_empty() {
            if state.is_closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        let fits = state.commands.iter().take_while(|queued| {
            bytes += queued.bytes;
            bytes <= bytes_max
        });
        let count = fits.count().max(1);
        let taken = match count == state.commands.len() {
            true => std::mem::take(&mut state.commands),
            false => state.commands.drain(..count).collect(),
        };
        state.bytes -= taken.iter().map(|queued| queued.bytes).sum::<usize>();
        Some(taken)
    }

    /// How many commands and bytes wait.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.commands.len(), state.bytes)
    }

    /// Refuses new commands; those that wait are still committed.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
    }

    /// Refuses everything from now on, and answers those that wait.
    pub(crate) fn fail(&self, error: &Error) {
        let mut state = self.lock();
        state.failure.get_or_insert_with(|| error.clone());
        state.is_closed = true;
        state.bytes = 0;
        let commands = std::mem::take(&mut state.commands);
        drop(state);
        commands.into_iter().for_each(|queued| queued.resolve(Err(error.clone())));
    }

    /// Why everything is refused.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.lock().failure.clone()
    }
}

fn shut_down() -> Error {
    err!(ADMIN_SHUTDOWN, "the storage engine is shut down")
}

#[derive(Default)]
struct Waiter {
    state: Mutex<WaiterState>,
    resolved: Condvar,
}

#[derive(Default)]
struct WaiterState {
    result: Option<Result<Outcome>>,
    waker: Option<Waker>,
    is_blocking: bool,
}

impl Waiter {
    fn resolve(&self, result: Result<Outcome>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.result = Some(result);
        let (waker, is_blocking) = (state.waker.take(), state.is_blocking);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        if is_blocking {
            self.resolved.notify_one();
        }
    }
}

/// The answer to a submitted command: await it, or [`wait`](Self::wait) for it on this thread. An `Err` says that it
/// is unknown whether the command was committed, unless it was refused before it was queued (53300, 54000, 57P01).
/// Dropping it does not take the command back.
#[must_use]
pub struct Submission {
    waiter: Arc<Waiter>,
}

impl Submission {
    /// Waits for the answer on this thread.
    pub fn wait(self) -> Result<Outcome> {
        let mut state = self.waiter.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = state.result.take() {
                return result;
            }
            state.is_blocking = true;
            state = self.waiter.resolved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Submission {
    type Output = Result<Outcome>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.waiter.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
