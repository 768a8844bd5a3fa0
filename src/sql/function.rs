//! [`Function`]: one entry of the signature catalogue, PostgreSQL's `pg_proc` as data.
//!
//! A kernel is written once, over [`Datum`]s; `exec` lifts it to Arrow batches, and hot ones have a vectorised twin
//! there. Operators and casts point at functions, so that a thing is implemented in one place.

use std::fmt;

use crate::document::{Datum, Oid, Type};
use crate::error::Result;

use super::context::EvalContext;

/// One function, aggregate, window function or set-returning function.
pub struct Function {
    /// PostgreSQL's OID of it (pg_proc.oid); our own ones start at 10_000_000.
    pub oid: Oid,
    /// The name.
    pub name: &'static str,
    /// Argument types (polymorphic ones as the pseudo-types). For a variadic function the last is the array type.
    pub args: &'static [Type],
    /// The last argument is VARIADIC (`ANY` for VARIADIC "any").
    pub variadic: bool,
    /// How many trailing arguments have defaults.
    pub defaults: u8,
    /// The result type (of one row, when it returns a set).
    pub returns: Type,
    /// Output columns, when the function returns a row of OUT parameters or TABLE columns.
    pub columns: &'static [(&'static str, Type)],
    /// A NULL argument makes the result NULL (no row, for a set) without a call.
    pub strict: bool,
    /// How far the result may be reused.
    pub volatility: Volatility,
    /// What runs.
    pub body: Body,
}

/// PostgreSQL's volatility classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// A scalar kernel. With `Function::strict`, no argument is NULL.
pub type ScalarFn = fn(&EvalContext, &[Datum]) -> Result<Datum>;
/// A set-returning kernel: the rows, one by one (a `Datum::Record` when the function has several columns).
pub type SetFn = fn(&EvalContext, &[Datum]) -> Result<Box<dyn Iterator<Item = Result<Datum>> + Send>>;
/// Makes the state of an aggregate; given the argument types as resolved.
pub type AggregateFn = fn(&[Type]) -> Box<dyn Accumulator>;

/// What runs when a function is called.
#[derive(Clone, Copy)]
pub enum Body {
    /// One value from arguments.
    Scalar(ScalarFn),
    /// A set from arguments.
    Set(SetFn),
    /// An aggregate (also usable as a window function).
    Aggregate(AggregateFn),
    /// A pure window function, by name (`row_number`, `lag`, ...), run by the executor.
    Window,
    /// Answered by the session: `Host::call` with this function's name.
    Host,
}

/// The running state of an aggregate, for one group.
pub trait Accumulator: Send + Sync + fmt::Debug {
    /// Takes one row. With `Function::strict`, rows with a NULL argument are not given.
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()>;
    /// The result so far. May be called many times (window frames).
    fn finish(&self, context: &EvalContext) -> Result<Datum>;
    /// Approximate bytes held, for the memory limit.
    fn size(&self) -> usize;
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.oid)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid && self.name == other.name
    }
}
