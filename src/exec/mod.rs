//! Everything that runs a statement. [`Session`] is the only way in: `pg` and every other protocol decode, call the
//! session and encode.
//!
//! ```text
//! text -> sql::parser -> sql::binder -> plan::Query -> point     (one row or a short range: row interpreter, no DataFusion)
//!                                                   -> lower     (everything else: DataFusion's operators, our expressions)
//!                                       DDL, utility           (ddl, utility, copy)
//! Transaction = Snapshot + write buffer; COMMIT = one Command through Proposer
//! ```
//!
//! - [`server`]: what sessions share. [`session`]: one client's state. [`result`]: what statements answer.
//! - [`transaction`]: snapshot, write buffer, savepoints. [`settings`]: run-time settings. [`proposer`]: the write path.

pub mod copy;
pub(crate) mod lower;
pub mod proposer;
pub mod result;
pub mod server;
pub mod session;
pub mod statements;
pub mod values;

pub use copy::{CopyFormat, CopyIn, CopyOptions};
pub use proposer::Proposer;
pub use result::{Batch, Notice, Notification, OutputColumn, Response, RowSink, RowStream, RowsTag, TransactionStatus};
pub use server::{Server, ServerConfig};
pub use session::{ConnectOptions, Prepared, Session, SqlPart};
pub use statements::Statements;
