//! Functions of integers and numeric.

use crate::document::{Datum, Numeric, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, scalar};

const N: Type = Type::NUMERIC;

macro_rules! numeric {
    ($oid:literal, $name:literal, $function:expr) => {
        scalar($oid, $name, &[N], N, |_, args| {
            let function: fn(&Numeric) -> Result<Numeric> = $function;
            function(args.numeric(0)?).map(Datum::Numeric)
        })
    };
    ($oid:literal, $name:literal, 2, $function:expr) => {
        scalar($oid, $name, &[N, N], N, |_, args| {
            let function: fn(&Numeric, &Numeric) -> Result<Numeric> = $function;
            function(args.numeric(0)?, args.numeric(1)?).map(Datum::Numeric)
        })
    };
}

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(1398, "abs", &[Type::INT2], Type::INT2, abs),
    scalar(1397, "abs", &[Type::INT4], Type::INT4, abs),
    scalar(1396, "abs", &[Type::INT8], Type::INT8, abs),
    numeric!(1705, "abs", |x| Ok(x.abs())),
    numeric!(1711, "ceil", Numeric::ceil),
    numeric!(2167, "ceiling", Numeric::ceil),
    numeric!(1712, "floor", Numeric::floor),
    numeric!(1708, "round", |x| x.round(0)),
    scalar(1707, "round", &[N, Type::INT4], N, |_, args| args.numeric(0)?.round(args.int4(1)?).map(Datum::Numeric)),
    numeric!(1710, "trunc", |x| Ok(x.trunc(0))),
    scalar(1709, "trunc", &[N, Type::INT4], N, |_, args| Ok(Datum::Numeric(args.numeric(0)?.trunc(args.int4(1)?)))),
    numeric!(1706, "sign", |x| Ok(x.sign())),
    numeric!(1730, "sqrt", Numeric::sqrt),
    numeric!(1732, "exp", Numeric::exp),
    numeric!(1734, "ln", Numeric::ln),
    numeric!(1736, "log", 2, |base, x| x.log(base)),
    numeric!(1741, "log", Numeric::log10),
    numeric!(1481, "log10", Numeric::log10),
    numeric!(2169, "power", 2, Numeric::power),
    numeric!(1738, "pow", 2, Numeric::power),
    numeric!(1973, "div", 2, Numeric::div_trunc),
    scalar(940, "mod", &[Type::INT2, Type::INT2], Type::INT2, modulo),
    scalar(941, "mod", &[Type::INT4, Type::INT4], Type::INT4, modulo),
    scalar(947, "mod", &[Type::INT8, Type::INT8], Type::INT8, modulo),
    numeric!(1728, "mod", 2, Numeric::rem),
    scalar(5044, "gcd", &[Type::INT4, Type::INT4], Type::INT4, gcd),
    scalar(5045, "gcd", &[Type::INT8, Type::INT8], Type::INT8, gcd),
    numeric!(5048, "gcd", 2, Numeric::gcd),
    scalar(5046, "lcm", &[Type::INT4, Type::INT4], Type::INT4, lcm),
    scalar(5047, "lcm", &[Type::INT8, Type::INT8], Type::INT8, lcm),
    numeric!(5049, "lcm", 2, Numeric::lcm),
    scalar(1376, "factorial", &[Type::INT8], N, |_, args| Numeric::factorial(args.int8(0)?).map(Datum::Numeric)),
    scalar(2170, "width_bucket", &[N, N, N, Type::INT4], Type::INT4, width_bucket),
    scalar(5042, "min_scale", &[N], Type::INT4, |_, args| Ok(scale(args.numeric(0)?.min_scale()))),
    scalar(3281, "scale", &[N], Type::INT4, |_, args| {
        let number = args.numeric(0)?;
        Ok(scale(number.is_finite().then(|| number.scale())))
    }),
    numeric!(5043, "trim_scale", |x| Ok(x.trim_scale())),
];

fn scale(scale: Option<u16>) -> Datum {
    scale.map_or(Datum::Null, |scale| Datum::Int4(i32::from(scale)))
}

fn out_of_range(like: &Datum) -> Error {
    let name = match like {
        Datum::Int2(_) => "smallint",
        Datum::Int4(_) => "integer",
        _ => "bigint",
    };
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range")
}

/// An integer of the same type as `like`.
fn integer(like: &Datum, value: i128) -> Result<Datum> {
    let fits = match like {
        Datum::Int2(_) => i16::try_from(value).ok().map(Datum::Int2),
        Datum::Int4(_) => i32::try_from(value).ok().map(Datum::Int4),
        _ => i64::try_from(value).ok().map(Datum::Int8),
    };
    fits.ok_or_else(|| out_of_range(like))
}

fn abs(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    integer(args.at(0), i128::from(args.int8(0)?).abs())
}

fn modulo(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (left, right) = (i128::from(args.int8(0)?), i128::from(args.int8(1)?));
    if right == 0 {
        return Err(err!(DIVISION_BY_ZERO, "division by zero"));
    }
    integer(args.at(0), left % right)
}

fn greatest_common_divisor(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn gcd(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    integer(args.at(0), greatest_common_divisor(args.int8(0)?.into(), args.int8(1)?.into()))
}

fn lcm(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b) = (i128::from(args.int8(0)?), i128::from(args.int8(1)?));
    if a == 0 || b == 0 {
        return integer(args.at(0), 0);
    }
    // Two 64-bit numbers always fit here.
    integer(args.at(0), (a / greatest_common_divisor(a, b) * b).abs())
}

fn width_bucket(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    args.numeric(0)?.width_bucket(args.numeric(1)?, args.numeric(2)?, args.int4(3)?).map(Datum::Int4)
}
