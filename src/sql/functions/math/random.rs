//! Random numbers, from the session's generator.

use crate::document::{Datum, Numeric, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, scalar};

const N: Type = Type::NUMERIC;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(1598, "random", &[], Type::FLOAT8, |context, _| Ok(Datum::Float8(unit(context)))).volatile(),
    scalar(6339, "random", &[Type::INT4, Type::INT4], Type::INT4, random_integer).volatile(),
    scalar(6340, "random", &[Type::INT8, Type::INT8], Type::INT8, random_integer).volatile(),
    scalar(6341, "random", &[N, N], N, random_numeric).volatile(),
    scalar(6212, "random_normal", &[Type::FLOAT8, Type::FLOAT8], Type::FLOAT8, random_normal).defaults(2).volatile(),
    scalar(1599, "setseed", &[Type::FLOAT8], Type::VOID, setseed).volatile(),
];

/// Uniform in [0, 1), with 53 random bits.
fn unit(context: &EvalContext) -> f64 {
    (context.host.random() >> 11) as f64 / (1u64 << 53) as f64
}

/// Uniform in 0..=span, by rejection.
pub(crate) fn below_or_equal(context: &EvalContext, span: u128) -> u128 {
    if span == 0 {
        return 0;
    }
    let mask = u128::MAX >> span.leading_zeros();
    loop {
        let mut value = u128::from(context.host.random());
        if span > u128::from(u64::MAX) {
            value = value << 64 | u128::from(context.host.random());
        }
        // Half of the tries hit, on average; a generator that is stuck must not hang the query.
        if value & mask <= span || context.host.check_interrupt().is_err() {
            return (value & mask).min(span);
        }
    }
}

fn bounds_error() -> Error {
    err!(INVALID_PARAMETER_VALUE, "lower bound must be less than or equal to upper bound")
}

fn random_integer(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (low, high) = (args.int8(0)?, args.int8(1)?);
    if low > high {
        return Err(bounds_error());
    }
    let value = low.wrapping_add(below_or_equal(context, u128::from(high.wrapping_sub(low) as u64)) as i64);
    Ok(if matches!(args.at(0), Datum::Int4(_)) { Datum::Int4(value as i32) } else { Datum::Int8(value) })
}

fn random_numeric(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (low, high) = (args.numeric(0)?, args.numeric(1)?);
    for (bound, name) in [(low, "lower"), (high, "upper")] {
        if bound.is_nan() {
            return Err(err!(INVALID_PARAMETER_VALUE, "{name} bound cannot be NaN"));
        }
        if bound.is_infinite() {
            return Err(err!(INVALID_PARAMETER_VALUE, "{name} bound cannot be infinity"));
        }
    }
    if low > high {
        return Err(bounds_error());
    }
    let scale = low.scale().max(high.scale());
    let span = high.sub(low)?.round(i32::from(scale))?;
    let (mantissa, at) = span.as_mantissa().ok_or_else(|| {
        err!(FEATURE_NOT_SUPPORTED, "random() between numbers of more than 38 digits is not supported")
    })?;
    let steps = mantissa.unsigned_abs() * 10u128.pow(u32::from(scale.saturating_sub(at)));
    let offset = Numeric::from_mantissa(below_or_equal(context, steps) as i128, scale);
    low.add(&offset)?.round(i32::from(scale)).map(Datum::Numeric)
}

/// Box-Muller.
fn random_normal(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mean = if args.is_empty() { 0.0 } else { args.float8(0)? };
    let deviation = if args.len() < 2 { 1.0 } else { args.float8(1)? };
    let u = 1.0 - unit(context);
    let z = (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * unit(context)).sin();
    Ok(Datum::Float8(deviation * z + mean))
}

fn setseed(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let seed = args.float8(0)?;
    if !(-1.0..=1.0).contains(&seed) {
        return Err(err!(INVALID_PARAMETER_VALUE, "setseed parameter {seed} is out of allowed range [-1,1]"));
    }
    context.host.set_seed(seed);
    Ok(Datum::text(""))
}
