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
//! - [`prepared`]: a bound statement and when it is bound again. [`statements`]: prepared ones by name.
//! - `transaction`, `buffer`, `view`: snapshot, write buffer, savepoints; the rows that a statement sees.
//! - `point`, `access_path`: statements by key. `source`, `lower`: all others. `dml`, `rows`: rows written and read.
//! - `aside`: long computations, out of the way of other tasks.
//! - `ddl`, `utility`, `cursor`, `copy`, `explain`: the other statements. [`settings`]: run-time settings.
//! - [`evaluator`]: what storage asks for inside `apply`. [`proposer`]: the write path.
//! - `system`: `pg_catalog` and `information_schema`.

mod access_path;
mod advisory;
mod aside;
mod authorize;
mod buffer;
mod context;
pub mod copy;
mod cursor;
mod ddl;
mod deadline;
mod deferral;
mod dml;
pub mod evaluator;
mod explain;
mod explain_format;
mod foreign_key;
mod functions;
mod host;
mod integrity;
mod inverted_path;
mod kept;
pub(crate) mod lower;
mod partition;
mod point;
pub mod prepared;
pub mod proposer;
mod refresh;
pub mod result;
mod routine;
mod rows;
mod rules;
pub mod server;
pub mod session;
pub mod settings;
mod source;
pub mod statements;
mod system;
mod temporary;
#[cfg(test)]
mod tests;
mod transaction;
mod tree;
mod utility;
pub mod values;
mod view;

pub use copy::{CopyFormat, CopyIn, CopyOptions};
pub use evaluator::Kernels;
pub use prepared::{Prepared, SqlPart};
pub use proposer::Proposer;
pub use result::{Batch, Notice, Notification, OutputColumn, Response, RowSink, RowStream, RowsTag, TransactionStatus};
pub use server::{Server, ServerConfig};
pub use session::{ConnectOptions, Session};
pub use statements::Statements;
