//! SQL: from text to a typed plan with PostgreSQL's meaning. No I/O, no DataFusion.
//!
//! text -> `parser` -> `Statement` -> `binder` -> [`plan`]; types, operators and functions are data in `catalog`
//! tables of signatures, evaluated by `eval`.

pub mod context;
pub mod function;
pub mod functions;
pub mod parser;
pub mod plan;
pub mod statement;
