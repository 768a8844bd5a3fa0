//! How entries of the catalogue are written, and how kernels take their arguments.
//!
//! ```ignore
//! scalar(1317, "length", &[Type::TEXT], Type::INT4, textlen),
//! scalar(3058, "concat", &[Type::ANY], Type::TEXT, concat).variadic().loose().stable(),
//! ```
//! An entry is strict and immutable unless it says otherwise.

use crate::document::{Array, Datum, Interval, Jsonb, Numeric, Oid, Record, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{AggregateFn, Body, Function, ScalarFn, SetFn, Volatility};

/// The rows of a set-returning kernel.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Datum>> + Send>;

const fn entry(oid: Oid, name: &'static str, args: &'static [Type], returns: Type, body: Body) -> Function {
    Function {
        oid,
        name,
        args,
        variadic: false,
        defaults: 0,
        returns,
        columns: &[],
        strict: true,
        volatility: Volatility::Immutable,
        body,
    }
}

/// A function of one value.
pub(crate) const fn scalar(
    oid: Oid,
    name: &'static str,
    args: &'static [Type],
    returns: Type,
    kernel: ScalarFn,
) -> Function {
    entry(oid, name, args, returns, Body::Scalar(kernel))
}

/// A set-returning function.
pub(crate) const fn set(oid: Oid, name: &'static str, args: &'static [Type], returns: Type, kernel: SetFn) -> Function {
    entry(oid, name, args, returns, Body::Set(kernel))
}

/// An aggregate.
pub(crate) const fn aggregate(
    oid: Oid,
    name: &'static str,
    args: &'static [Type],
    returns: Type,
    state: AggregateFn,
) -> Function {
    entry(oid, name, args, returns, Body::Aggregate(state))
}

/// A pure window function.
pub(crate) const fn window(oid: Oid, name: &'static str, args: &'static [Type], returns: Type) -> Function {
    entry(oid, name, args, returns, Body::Window)
}

/// A function that the session answers.
pub(crate) const fn host(oid: Oid, name: &'static str, args: &'static [Type], returns: Type) -> Function {
    entry(oid, name, args, returns, Body::Host)
}

impl Function {
    /// The last argument is VARIADIC.
    pub(crate) const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// The last `count` arguments may be absent; the kernel then sees fewer.
    pub(crate) const fn defaults(mut self, count: u8) -> Self {
        self.defaults = count;
        self
    }

    /// Not strict: NULL arguments are given to the kernel.
    pub(crate) const fn loose(mut self) -> Self {
        self.strict = false;
        self
    }

    /// STABLE.
    pub(crate) const fn stable(mut self) -> Self {
        self.volatility = Volatility::Stable;
        self
    }

    /// VOLATILE.
    pub(crate) const fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }

    /// OUT parameters.
    pub(crate) const fn columns(mut self, columns: &'static [(&'static str, Type)]) -> Self {
        self.columns = columns;
        self
    }
}

/// Typed access to the arguments of a kernel. The binder has made the types right, so anything else is its bug.
pub(crate) trait Args {
    /// The argument, `Null` when it is absent.
    fn at(&self, index: usize) -> &Datum;

    /// A boolean.
    fn bool(&self, index: usize) -> Result<bool> {
        match self.at(index) {
            Datum::Bool(value) => Ok(*value),
            other => mismatch(index, "boolean", other),
        }
    }
    /// An int2.
    fn int2(&self, index: usize) -> Result<i16> {
        match self.at(index) {
            Datum::Int2(value) => Ok(*value),
            other => mismatch(index, "smallint", other),
        }
    }
    /// An int4 (or a smaller integer).
    fn int4(&self, index: usize) -> Result<i32> {
        match self.at(index) {
            Datum::Int4(value) => Ok(*value),
            Datum::Int2(value) => Ok(i32::from(*value)),
            other => mismatch(index, "integer", other),
        }
    }
    /// An int8 (or a smaller integer).
    fn int8(&self, index: usize) -> Result<i64> {
        match self.at(index) {
            Datum::Int8(value) => Ok(*value),
            Datum::Int4(value) => Ok(i64::from(*value)),
            Datum::Int2(value) => Ok(i64::from(*value)),
            other => mismatch(index, "bigint", other),
        }
    }
    /// An oid or reg* value.
    fn oid(&self, index: usize) -> Result<Oid> {
        match self.at(index) {
            Datum::Oid(value) => Ok(*value),
            other => mismatch(index, "oid", other),
        }
    }
    /// A float8 (or float4).
    fn float8(&self, index: usize) -> Result<f64> {
        match self.at(index) {
            Datum::Float8(value) => Ok(*value),
            Datum::Float4(value) => Ok(f64::from(*value)),
            other => mismatch(index, "double precision", other),
        }
    }
    /// A numeric.
    fn numeric(&self, index: usize) -> Result<&Numeric> {
        match self.at(index) {
            Datum::Numeric(value) => Ok(value),
            other => mismatch(index, "numeric", other),
        }
    }
    /// A text.
    fn text(&self, index: usize) -> Result<&str> {
        match self.at(index) {
            Datum::Text(value) | Datum::Json(value) => Ok(value),
            other => mismatch(index, "text", other),
        }
    }
    /// A json text.
    fn json(&self, index: usize) -> Result<&str> {
        self.text(index)
    }
    /// A jsonb.
    fn jsonb(&self, index: usize) -> Result<&Jsonb> {
        match self.at(index) {
            Datum::Jsonb(value) => Ok(value),
            other => mismatch(index, "jsonb", other),
        }
    }
    /// A bytea.
    fn bytea(&self, index: usize) -> Result<&[u8]> {
        match self.at(index) {
            Datum::Bytea(value) => Ok(value),
            other => mismatch(index, "bytea", other),
        }
    }
    /// A uuid.
    fn uuid(&self, index: usize) -> Result<[u8; 16]> {
        match self.at(index) {
            Datum::Uuid(value) => Ok(*value),
            other => mismatch(index, "uuid", other),
        }
    }
    /// An interval.
    fn interval(&self, index: usize) -> Result<Interval> {
        match self.at(index) {
            Datum::Interval(value) => Ok(*value),
            other => mismatch(index, "interval", other),
        }
    }
    /// An array.
    fn array(&self, index: usize) -> Result<&Array> {
        match self.at(index) {
            Datum::Array(value) => Ok(value),
            other => mismatch(index, "array", other),
        }
    }
    /// A row value.
    fn record(&self, index: usize) -> Result<&Record> {
        match self.at(index) {
            Datum::Record(value) => Ok(value),
            other => mismatch(index, "record", other),
        }
    }
}

impl Args for [Datum] {
    fn at(&self, index: usize) -> &Datum {
        self.get(index).unwrap_or(&Datum::Null)
    }
}

fn mismatch<T>(index: usize, wanted: &str, found: &Datum) -> Result<T> {
    Err(Error::internal(format!("argument {} should be {wanted}, is {}", index + 1, variant(found))))
}

fn variant(datum: &Datum) -> String {
    let text = format!("{datum:?}");
    text.split(['(', '{', ' ']).next().unwrap_or_default().to_owned()
}

pub(crate) use crate::sql::io::natural_type;

/// A text array value.
pub(crate) fn text_array(values: impl IntoIterator<Item = Datum>) -> Datum {
    Datum::Array(Box::new(Array::new(Type::TEXT.oid, values.into_iter().collect())))
}

/// The longest text or bytea PostgreSQL makes (MaxAllocSize).
pub(crate) const VALUE_BYTES_MAX: usize = 0x3fff_ffff;

/// Refuses a result that is too large for a value, or for what the session may use.
pub(crate) fn check_length(context: &EvalContext, bytes: usize) -> Result<()> {
    if bytes > VALUE_BYTES_MAX - 4 {
        return Err(crate::err!(PROGRAM_LIMIT_EXCEEDED, "requested length too large"));
    }
    // Asking the host costs a virtual call; small values cannot be over any limit.
    if bytes > 1 << 16 && bytes > context.host.memory_limit() {
        return Err(crate::err!(OUT_OF_MEMORY, "out of memory").detail(format!("Failed on request of size {bytes}.")));
    }
    Ok(())
}
