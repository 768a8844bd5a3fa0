//! AerolithDB: a PostgreSQL-wire-compatible document database.

pub mod consensus;
pub mod document;
pub mod error;
pub mod sql;
pub mod storage;
