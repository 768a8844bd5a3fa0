//! AerolithDB: a PostgreSQL-wire-compatible document database.

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
pub mod consensus;
pub mod document;
pub mod error;
#[cfg(feature = "server")]
pub mod exec;
#[cfg(feature = "server")]
pub mod node;
#[cfg(feature = "server")]
pub mod pg;
pub mod security;
pub mod sql;
pub mod storage;
#[cfg(feature = "server")]
pub mod telemetry;
