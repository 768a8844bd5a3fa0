//! Floating-point arithmetic: IEEE, except that overflow, underflow and division by zero are errors.

use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

pub(crate) fn overflow() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

pub(crate) fn underflow() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

macro_rules! kernels {
    ($($name:ident: $a:ident, $b:ident => $t:ty, $v:ident, $f:ident;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$a(a), Datum::$b(b)] => $f::<$t>(<$t>::from(*a), <$t>::from(*b)).map(Datum::$v),
                _ => Err(Error::internal("float kernel called with other types")),
            }
        }
    )*};
}

kernels! {
    float4pl: Float4, Float4 => f32, Float4, add;
    float4mi: Float4, Float4 => f32, Float4, subtract;
    float4mul: Float4, Float4 => f32, Float4, multiply;
    float4div: Float4, Float4 => f32, Float4, divide;
    float8pl: Float8, Float8 => f64, Float8, add;
    float8mi: Float8, Float8 => f64, Float8, subtract;
    float8mul: Float8, Float8 => f64, Float8, multiply;
    float8div: Float8, Float8 => f64, Float8, divide;
    float48pl: Float4, Float8 => f64, Float8, add;
    float48mi: Float4, Float8 => f64, Float8, subtract;
    float48mul: Float4, Float8 => f64, Float8, multiply;
    float48div: Float4, Float8 => f64, Float8, divide;
    float84pl: Float8, Float4 => f64, Float8, add;
    float84mi: Float8, Float4 => f64, Float8, subtract;
    float84mul: Float8, Float4 => f64, Float8, multiply;
    float84div: Float8, Float4 => f64, Float8, divide;
}

/// What the two widths share.
trait Float:
    Copy
    + PartialEq
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
{
    fn is_infinite(self) -> bool;
    fn is_nan(self) -> bool;
    fn is_zero(self) -> bool;
}

impl Float for f32 {
    fn is_infinite(self) -> bool {
        self.is_infinite()
    }
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    fn is_zero(self) -> bool {
        self == 0.0
    }
}

impl Float for f64 {
    fn is_infinite(self) -> bool {
        self.is_infinite()
    }
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    fn is_zero(self) -> bool {
        self == 0.0
    }
}

fn bounded<F: Float>(result: F, a: F, b: F) -> Result<F> {
    if result.is_infinite() && !a.is_infinite() && !b.is_infinite() { Err(overflow()) } else { Ok(result) }
}

fn add<F: Float>(a: F, b: F) -> Result<F> {
    bounded(a + b, a, b)
}

fn subtract<F: Float>(a: F, b: F) -> Result<F> {
    bounded(a - b, a, b)
}

fn multiply<F: Float>(a: F, b: F) -> Result<F> {
    let result = a * b;
    if result.is_zero() && !a.is_zero() && !b.is_zero() {
        return Err(underflow());
    }
    bounded(result, a, b)
}

fn divide<F: Float>(a: F, b: F) -> Result<F> {
    if b.is_zero() && !a.is_nan() {
        return Err(err!(DIVISION_BY_ZERO, "division by zero"));
    }
    let result = a / b;
    if result.is_zero() && !a.is_zero() && !b.is_infinite() {
        return Err(underflow());
    }
    if result.is_infinite() && !a.is_infinite() { Err(overflow()) } else { Ok(result) }
}

macro_rules! unary {
    ($($name:ident: $v:ident, $f:expr;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$v(a)] => Ok(Datum::$v($f(*a))),
                _ => Err(Error::internal("float kernel called with other types")),
            }
        }
    )*};
}

unary! {
    float4um: Float4, |a: f32| -a;
    float4up: Float4, |a: f32| a;
    float4abs: Float4, f32::abs;
    float8um: Float8, |a: f64| -a;
    float8up: Float8, |a: f64| a;
    float8abs: Float8, f64::abs;
}

fn one(args: &[Datum]) -> Result<f64> {
    match args {
        [Datum::Float8(a)] => Ok(*a),
        _ => Err(Error::internal("float kernel called with other types")),
    }
}

pub(crate) fn dsqrt(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let a = one(args)?;
    if a < 0.0 {
        return Err(err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "cannot take square root of a negative number"));
    }
    Ok(Datum::Float8(a.sqrt()))
}

pub(crate) fn dcbrt(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Float8(one(args)?.cbrt()))
}

pub(crate) fn dpow(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Float8(a), Datum::Float8(b)] => power(*a, *b).map(Datum::Float8),
        _ => Err(Error::internal("float kernel called with other types")),
    }
}

/// `a ^ b` of double precision.
pub(crate) fn power(a: f64, b: f64) -> Result<f64> {
    if a.is_nan() {
        return Ok(if b == 0.0 { 1.0 } else { f64::NAN });
    }
    if b.is_nan() {
        return Ok(if a == 1.0 { 1.0 } else { f64::NAN });
    }
    if a == 0.0 && b < 0.0 {
        return Err(err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "zero raised to a negative power is undefined"));
    }
    if a < 0.0 && b.is_finite() && b.floor() != b {
        return Err(err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "a negative number raised to a non-integer power yields a complex result"
        ));
    }
    let result = a.powf(b);
    if a.is_infinite() || b.is_infinite() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && a != 0.0 {
        return Err(underflow());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_errors() {
        assert_eq!(add(1e308f64, 1e308).unwrap_err().message(), "value out of range: overflow");
        assert_eq!(multiply(1e-308f64, 1e-308).unwrap_err().message(), "value out of range: underflow");
        assert_eq!(divide(1.0f32, 0.0).unwrap_err().message(), "division by zero");
        assert!(divide(f64::NAN, 0.0).unwrap().is_nan());
        assert_eq!(add(f64::INFINITY, 1.0).unwrap(), f64::INFINITY);
        assert_eq!(power(0.0, -1.0).unwrap_err().code().as_str(), "2201F");
        assert_eq!(power(-8.0, 1.0 / 3.0).unwrap_err().code().as_str(), "2201F");
    }
}
