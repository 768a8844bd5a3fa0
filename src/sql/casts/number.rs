//! Casts between integers, floats, `numeric` and `oid`: rounding to nearest (half to even for floats, half away from
//! zero for `numeric`), out of range is 22003.

use crate::document::{Datum, Numeric};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::io::number::{float4_in, float8_in};
use crate::sql::operators::overflow;

fn out_of_range(name: &str) -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range")
}

fn unexpected(args: &[Datum]) -> Error {
    Error::internal(format!("cast kernel called with {args:?}"))
}

macro_rules! casts {
    ($($name:ident: $from:ident($a:ident) => $to:ident($e:expr);)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$from($a)] => {
                    let $a = *$a;
                    Ok(Datum::$to($e))
                }
                _ => Err(unexpected(args)),
            }
        }
    )*};
}

casts! {
    i2toi4: Int2(a) => Int4(i32::from(a));
    int28: Int2(a) => Int8(i64::from(a));
    i4toi2: Int4(a) => Int2(i16::try_from(a).map_err(|_| out_of_range("smallint"))?);
    int48: Int4(a) => Int8(i64::from(a));
    int82: Int8(a) => Int2(i16::try_from(a).map_err(|_| out_of_range("smallint"))?);
    int84: Int8(a) => Int4(i32::try_from(a).map_err(|_| out_of_range("integer"))?);
    i2tof: Int2(a) => Float4(f32::from(a));
    i2tod: Int2(a) => Float8(f64::from(a));
    i4tof: Int4(a) => Float4(a as f32);
    i4tod: Int4(a) => Float8(f64::from(a));
    i8tof: Int8(a) => Float4(a as f32);
    i8tod: Int8(a) => Float8(a as f64);
    ftoi2: Float4(a) => Int2(float_to_integer(f64::from(a), "smallint")?);
    ftoi4: Float4(a) => Int4(float_to_integer(f64::from(a), "integer")?);
    ftoi8: Float4(a) => Int8(float_to_bigint(f64::from(a))?);
    dtoi2: Float8(a) => Int2(float_to_integer(a, "smallint")?);
    dtoi4: Float8(a) => Int4(float_to_integer(a, "integer")?);
    dtoi8: Float8(a) => Int8(float_to_bigint(a)?);
    ftod: Float4(a) => Float8(f64::from(a));
    dtof: Float8(a) => Float4(narrow(a)?);
    i8tooid: Int8(a) => Oid(u32::try_from(a).map_err(|_| out_of_range("OID"))?);
    oidtoi8: Oid(a) => Int8(i64::from(a));
    bool_int4: Bool(a) => Int4(i32::from(a));
    int4_bool: Int4(a) => Bool(a != 0);
}

fn float_to_integer<T: TryFrom<i64>>(value: f64, name: &str) -> Result<T> {
    let rounded = value.round_ties_even();
    // Within +-2^53 the cast is exact; NaN fails the test.
    let in_range = rounded.abs() <= 9_007_199_254_740_992.0;
    in_range.then(|| T::try_from(rounded as i64).ok()).flatten().ok_or_else(|| out_of_range(name))
}

fn float_to_bigint(value: f64) -> Result<i64> {
    let rounded = value.round_ties_even();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        Ok(rounded as i64)
    } else {
        Err(out_of_range("bigint"))
    }
}

/// `double precision` to `real`.
pub(crate) fn narrow(value: f64) -> Result<f32> {
    let narrowed = value as f32;
    if narrowed.is_infinite() && !value.is_infinite() {
        return Err(overflow());
    }
    if narrowed == 0.0 && value != 0.0 {
        return Err(crate::sql::operators::underflow());
    }
    Ok(narrowed)
}

casts! {
    int2_numeric: Int2(a) => Numeric(Numeric::from_i64(i64::from(a)));
    int4_numeric: Int4(a) => Numeric(Numeric::from_i64(i64::from(a)));
    int8_numeric: Int8(a) => Numeric(Numeric::from_i64(a));
    float4_numeric: Float4(a) => Numeric(Numeric::from_f32(a));
    float8_numeric: Float8(a) => Numeric(Numeric::from_f64(a));
}

fn decimal(args: &[Datum]) -> Result<&Numeric> {
    match args.first() {
        Some(Datum::Numeric(value)) => Ok(value),
        _ => Err(unexpected(args)),
    }
}

/// A `numeric` as an integer, rounded half away from zero.
pub(crate) fn numeric_to_integer<T: TryFrom<i64>>(value: &Numeric, name: &str) -> Result<T> {
    if !value.is_finite() {
        let special = if value.is_nan() { "NaN" } else { "infinity" };
        return Err(err!(FEATURE_NOT_SUPPORTED, "cannot convert {special} to {name}"));
    }
    value.to_i64().and_then(|value| T::try_from(value).ok()).ok_or_else(|| out_of_range(name))
}

pub(crate) fn numeric_int2(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    numeric_to_integer(decimal(args)?, "smallint").map(Datum::Int2)
}

pub(crate) fn numeric_int4(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    numeric_to_integer(decimal(args)?, "integer").map(Datum::Int4)
}

pub(crate) fn numeric_int8(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    numeric_to_integer(decimal(args)?, "bigint").map(Datum::Int8)
}

/// A `numeric` as a float, by way of its text: what does not fit is out of range.
pub(crate) fn numeric_float4(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    float4_in(&decimal(args)?.to_string()).map(Datum::Float4)
}

pub(crate) fn numeric_float8(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    float8_in(&decimal(args)?.to_string()).map(Datum::Float8)
}

/// The length coercion of `numeric(p,s)`.
pub(crate) fn numeric(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Numeric(value), Datum::Int4(typmod)] => value.apply_typmod(*typmod).map(Datum::Numeric),
        _ => Err(unexpected(args)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_round_half_to_even() {
        for (value, rounded) in [(2.5, 2), (3.5, 4), (-2.5, -2), (2.6, 3)] {
            assert_eq!(float_to_integer::<i32>(value, "integer").unwrap(), rounded);
        }
        assert_eq!(float_to_integer::<i32>(1e10, "integer").unwrap_err().message(), "integer out of range");
        assert_eq!(float_to_integer::<i32>(f64::NAN, "integer").unwrap_err().message(), "integer out of range");
        assert_eq!(narrow(1e300).unwrap_err().message(), "value out of range: overflow");
    }
}
