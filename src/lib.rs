//! AerolithDB: a PostgreSQL-wire-compatible document database.

pub mod consensus;
pub mod document;
pub mod error;
#[cfg(feature = "server")]
pub mod exec;
pub mod sql;
pub mod storage;
