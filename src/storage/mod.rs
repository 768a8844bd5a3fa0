//! Storage: one log, rows and indexes in RocksDB derived from it, a versioned catalog.
//!
//! ```text
//! Command -> Engine::submit -> log (one fdatasync a group) -> StateMachine::apply -> backend -> Snapshot
//! ```
//!
//! - [`engine`]: [`Engine`], the facade; [`snapshot`]: [`Snapshot`] and the iterators, how everything is read.
//! - [`catalog`]: what exists: databases, schemas, tables, indexes, views, sequences, roles; an immutable value.
//! - [`command`]: what is replicated: [`Command`](command::Command), its mutations and their outcome; [`codec`]: its bytes.
//! - [`log`]: the truth: segmented, checksummed, synced. Everything below is derived from it.
//! - `state_machine`: applies commands deterministically: conflicts, unique keys, index entries, catalog.
//! - [`evaluator`]: what the layer above computes for it: index keys and row checks.
//! - [`backend`]: the key-value store underneath; [`memory`] for tests, `rocks` for servers; [`key`]: its layout.
//! - [`sequence`]: numbers that are handed out; [`changes`]: the stream of what was committed.

pub mod backend;
pub mod bootstrap;
pub mod catalog;
pub mod changes;
pub mod codec;
pub mod command;
pub mod config;
pub mod engine;
pub mod evaluator;
pub mod key;
pub mod log;
pub mod memory;
#[cfg(feature = "server")]
pub mod rocks;
pub mod sequence;
pub mod snapshot;
mod split;
mod state_machine;
pub mod statistics;
#[cfg(test)]
pub(crate) mod testing;

pub use config::StorageConfig;
pub use engine::{Engine, EngineStatus, Submission};
pub use evaluator::{Evaluator, IndexFunction, IndexKeys, RowCheck};
pub use snapshot::{Row, ScanOptions, Snapshot};
