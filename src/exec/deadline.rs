//! [`Deadline`]: the end of a statement's time.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;

use super::server::{Cancel, CancelReason};

/// The end of a statement's time. While it is held, a timer is running that cancels the statement.
#[derive(Clone, Default)]
pub(super) struct Deadline {
    _timer: Option<Arc<Timer>>,
}

struct Timer(tokio::task::JoinHandle<()>, Arc<Cancel>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
        self.1.set_deadline(None);
    }
}

impl Deadline {
    pub(super) fn after(time: Duration, cancel: Arc<Cancel>) -> Self {
        cancel.set_deadline(Some(time));
        let flag = cancel.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            flag.cancel(CancelReason::Timeout);
        });
        Self { _timer: Some(Arc::new(Timer(timer, cancel))) }
    }

    /// Fails when the statement is to stop.
    pub(super) fn check(&self, cancel: &Cancel) -> Result<()> {
        cancel.check()
    }

    /// Runs something until it is done or the statement is to stop.
    pub(super) async fn guard<T>(&self, cancel: &Cancel, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancel.error()),
            result = work => result,
        }
    }
}
