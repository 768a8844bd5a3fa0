//! AerolithDB: a PostgreSQL-wire-compatible document database.

#[cfg(feature = "server")]
pub mod config;
pub mod consensus;
pub mod document;
pub mod error;
#[cfg(feature = "server")]
pub mod exec;
pub mod security;
pub mod sql;
pub mod storage;
#[cfg(feature = "server")]
pub mod telemetry;
