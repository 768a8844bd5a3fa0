//! Storage: one log, rows and indexes in RocksDB derived from it, a versioned catalog.
//!
//! - [`catalog`]: what exists: databases, schemas, tables, indexes, views, sequences, roles; an immutable value.
//! - [`command`]: what is replicated: [`Command`](command::Command), its mutations and their outcome.

pub mod catalog;
pub mod command;
