//! [`Proposer`]: the seam between SQL and replication. A commit is one command handed to it.

use futures::future::BoxFuture;

use crate::error::Result;
use crate::storage::command::{Command, Outcome};

/// Orders a command in the log and answers when it has been applied (or rejected) there.
pub trait Proposer: Send + Sync {
    /// Proposes a command. An error means that it is not known to have been applied (or that it could not be taken:
    /// 53300 when the queue is full); a lost conflict is `Ok(Outcome::Rejected)`.
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome>>;
}
