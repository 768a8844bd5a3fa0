//! The change stream: what was committed, once and in order, with its position as resume token.
//!
//! Subscribers have a bounded buffer in common. One that does not keep up is told how many changes it missed and goes
//! on with the oldest that is still there; the log has the rest.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::command::Position;
use crate::document::Oid;

/// What one committed command changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its position.
    pub position: Position,
    /// When, in microseconds since 2000-01-01 UTC.
    pub time: i64,
    /// The database it ran in.
    pub database: Oid,
    /// The role that did it.
    pub principal: Oid,
    /// Tables and how many of their rows were written and deleted.
    pub tables: Vec<TableChange>,
    /// Whether the catalog changed.
    pub is_catalog: bool,
    /// The notifications it sent, in order.
    pub notifications: Vec<Notification>,
}

/// How many rows of a table a command changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableChange {
    /// The table.
    pub table: Oid,
    /// Rows inserted or updated.
    pub written: u64,
    /// Rows deleted.
    pub deleted: u64,
}

/// A NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel.
    pub channel: String,
    /// The payload.
    pub payload: String,
    /// The sender's backend process id.
    pub pid: i32,
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A committed command.
    Change(Arc<Change>),
    /// So many changes were missed because the subscriber was too slow.
    Missed(u64),
}

/// The buffer that publisher and subscribers share.
#[derive(Default)]
pub(crate) struct Changes {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    published: Condvar,
}

#[derive(Default)]
struct State {
    buffer: VecDeque<Arc<Change>>,
    /// The number of the first change in `buffer`.
    first: u64,
    limit: usize,
    subscribers: usize,
    wakers: Vec<Waker>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// A stream that keeps at most `limit` changes.
    pub(crate) fn new(limit: usize) -> Self {
        let changes = Self::default();
        changes.shared.lock().limit = limit.max(1);
        changes
    }

    /// Appends changes and wakes the subscribers. Costs a lock when there are none.
    pub(crate) fn publish(&self, changes: impl IntoIterator<Item = Change>) {
        let mut state = self.shared.lock();
        for change in changes {
            if state.subscribers == 0 {
                state.first += 1;
                continue;
            }
            if state.buffer.len() == state.limit {
                state.buffer.pop_front();
                state.first += 1;
            }
            state.buffer.push_back(Arc::new(change));
        }
        self.wake(state);
    }

    /// Ends the stream.
    pub(crate) fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.shared.published.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A subscriber that sees what is published from now on.
    pub(crate) fn subscribe(&self) -> Subscription {
        let mut state = self.shared.lock();
        state.subscribers += 1;
        let next = state.first + state.buffer.len() as u64;
        drop(state);
        Subscription { shared: self.shared.clone(), next }
    }
}

/// A subscriber's place in the change stream.
pub struct Subscription {
    shared: Arc<Shared>,
    next: u64,
}

impl Subscription {
    /// The next event; `None` when the engine has closed.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// The next event, for hand-written futures.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.shared.lock();
        match take(&state, &mut self.next) {
            Some(event) => Poll::Ready(Some(event)),
            None if state.closed => Poll::Ready(None),
            None => {
                if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    state.wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// The next event, waiting on this thread.
    pub fn recv_blocking(&mut self) -> Option<Event> {
        let mut state = self.shared.lock();
        loop {
            match take(&state, &mut self.next) {
                Some(event) => return Some(event),
                None if state.closed => return None,
                None => state = self.shared.published.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// The next event if there is one now.
    pub fn try_recv(&mut self) -> Option<Event> {
        take(&self.shared.lock(), &mut self.next)
    }
}

fn take(state: &State, next: &mut u64) -> Option<Event> {
    if *next < state.first {
        let missed = state.first - *next;
        *next = state.first;
        return Some(Event::Missed(missed));
    }
    let change = state.buffer.get((*next - state.first) as usize)?;
    *next += 1;
    Some(Event::Change(change.clone()))
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.subscribers -= 1;
        if state.subscribers == 0 {
            state.first += state.buffer.len() as u64;
            state.buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(position: u64) -> Change {
        let position = Position(position);
        let (tables, notifications) = (Vec::new(), Vec::new());
        Change { position, time: 0, database: 1, principal: 1, tables, is_catalog: false, notifications }
    }

    fn positions(subscription: &mut Subscription) -> Vec<Result<u64, u64>> {
        std::iter::from_fn(|| subscription.try_recv())
            .map(|event| match event {
                Event::Change(change) => Ok(change.position.0),
                Event::Missed(count) => Err(count),
            })
            .collect()
    }

    #[test]
    fn subscribers_see_what_is_published_after_they_came_and_are_told_what_they_missed() {
        let changes = Changes::new(3);
        changes.publish([change(1)]);
        let mut early = changes.subscribe();
        changes.publish([change(2), change(3)]);
        let mut late = changes.subscribe();
        assert_eq!(positions(&mut early), [Ok(2), Ok(3)]);
        changes.publish((4..9).map(change));
        assert_eq!(positions(&mut early), [Err(2), Ok(6), Ok(7), Ok(8)]);
        assert_eq!(positions(&mut late), [Err(2), Ok(6), Ok(7), Ok(8)]);
        changes.close();
        assert_eq!(early.recv_blocking(), None);
    }
}
