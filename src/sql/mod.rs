//! SQL: from text to a typed plan with PostgreSQL's meaning. No I/O, no DataFusion.
//!
//! text -> `parser` -> `Statement` -> `binder` -> [`plan`]; types, operators and functions are data in `catalog`
//! tables of signatures, evaluated by `eval`.

pub mod binder;
pub mod casts;
pub mod context;
pub mod datetime;
pub mod deparse;
pub mod dialect;
pub mod domain;
pub mod eval;
pub mod function;
pub mod functions;
pub mod io;
pub mod jsonpath;
pub mod operators;
pub mod parser;
pub mod plan;
pub mod privilege;
pub mod range;
pub mod shape;
pub mod statement;
pub mod system;
pub mod types;
pub mod user_types;
