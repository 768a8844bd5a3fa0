//! Work that computes for long without a pause, run so that nobody else on its thread waits for it.
//!
//! A connection is a task on one of few threads, and a query is polled inside it. Many operators answer a poll only when
//! they have seen all their input: seconds later. While such a poll runs, the other tasks of the thread are handed to
//! another one ([`tokio::task::block_in_place`]). Reads and writes by key never come here.

use std::future::{Future, poll_fn};
use std::pin::pin;

use futures::StreamExt;
use futures::stream;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::RowStream;

/// Runs something that may take long on this thread.
pub(crate) fn block<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // There are no others whose tasks could be handed on (tests).
        _ => work(),
    }
}

/// A future whose polls may take long.
pub(super) async fn aside<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| block(|| work.as_mut().poll(context))).await
}

/// Rows whose polls may take long.
pub(super) fn rows_aside(mut rows: RowStream) -> RowStream {
    stream::poll_fn(move |context| block(|| rows.poll_next_unpin(context))).boxed()
}
