//! Functions of double precision, with PostgreSQL's errors for what leaves the range.

use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::compare::compare;
use crate::sql::functions::define::{Args, scalar};

const F: Type = Type::FLOAT8;

macro_rules! float {
    ($oid:literal, $name:literal, $function:expr) => {
        scalar($oid, $name, &[F], F, |_, args| {
            let function: fn(f64) -> Result<f64> = $function;
            function(args.float8(0)?).map(Datum::Float8)
        })
    };
    ($oid:literal, $name:literal, 2, $function:expr) => {
        scalar($oid, $name, &[F, F], F, |_, args| {
            let function: fn(f64, f64) -> Result<f64> = $function;
            function(args.float8(0)?, args.float8(1)?).map(Datum::Float8)
        })
    };
}

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    float!(1395, "abs", |x| Ok(x.abs())),
    scalar(1394, "abs", &[Type::FLOAT4], Type::FLOAT4, |_, args| Ok(Datum::Float4(args.float8(0)?.abs() as f32))),
    float!(2308, "ceil", |x| Ok(x.ceil())),
    float!(2320, "ceiling", |x| Ok(x.ceil())),
    float!(2309, "floor", |x| Ok(x.floor())),
    float!(1342, "round", |x| Ok(x.round_ties_even())),
    float!(1343, "trunc", |x| Ok(x.trunc())),
    float!(2310, "sign", |x| Ok(if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { 0.0 })),
    float!(1344, "sqrt", sqrt),
    float!(1345, "cbrt", |x| Ok(x.cbrt())),
    float!(1347, "exp", exp),
    float!(1341, "ln", |x| logarithm(x).map(f64::ln)),
    float!(1340, "log", |x| logarithm(x).map(f64::log10)),
    float!(1194, "log10", |x| logarithm(x).map(f64::log10)),
    float!(1368, "power", 2, power),
    float!(1346, "pow", 2, power),
    scalar(1610, "pi", &[], F, |_, _| Ok(Datum::Float8(PI))),
    float!(1601, "acos", |x| unit(x).map(f64::acos)),
    float!(1600, "asin", |x| unit(x).map(f64::asin)),
    float!(1602, "atan", |x| Ok(x.atan())),
    float!(1603, "atan2", 2, |y, x| Ok(y.atan2(x))),
    float!(1605, "cos", |x| finite(x).map(f64::cos)),
    float!(1604, "sin", |x| finite(x).map(f64::sin)),
    float!(1606, "tan", |x| finite(x).map(f64::tan)),
    float!(1607, "cot", |x| finite(x).map(|x| 1.0 / x.tan())),
    float!(2732, "acosd", |x| unit(x).map(acosd)),
    float!(2731, "asind", |x| unit(x).map(asind)),
    float!(2733, "atand", |x| Ok(x.atan() / ATAN_1.get() * 45.0)),
    float!(2734, "atan2d", 2, |y, x| Ok(y.atan2(x) / ATAN_1.get() * 45.0)),
    float!(2736, "cosd", |x| finite(x).map(cosd)),
    float!(2735, "sind", |x| finite(x).map(sind)),
    float!(2737, "tand", |x| finite(x).map(tand)),
    float!(2738, "cotd", |x| finite(x).map(cotd)),
    float!(2462, "sinh", |x| Ok(x.sinh())),
    float!(2463, "cosh", |x| Ok(x.cosh())),
    float!(2464, "tanh", |x| Ok(x.tanh())),
    float!(2465, "asinh", |x| Ok(libm::asinh(x))),
    float!(2466, "acosh", |x| if x < 1.0 { Err(out_of_range()) } else { Ok(libm::acosh(x)) }),
    float!(2467, "atanh", |x| unit(x).map(libm::atanh)),
    float!(1608, "degrees", |x| checked(x / RADIANS_PER_DEGREE, x)),
    float!(1609, "radians", |x| checked(x * RADIANS_PER_DEGREE, x)),
    float!(6219, "erf", |x| Ok(libm::erf(x))),
    float!(6220, "erfc", |x| Ok(libm::erfc(x))),
    float!(6383, "gamma", gamma),
    float!(6384, "lgamma", lgamma),
    scalar(320, "width_bucket", &[F, F, F, Type::INT4], Type::INT4, width_bucket),
    scalar(3218, "width_bucket", &[Type::ANYCOMPATIBLE, Type::ANYCOMPATIBLEARRAY], Type::INT4, width_bucket_array),
];

pub(crate) fn overflow() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn underflow() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

fn out_of_range() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

/// A result that may not be infinite or zero unless the argument was.
fn checked(result: f64, argument: f64) -> Result<f64> {
    if result.is_infinite() && !argument.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && argument != 0.0 {
        return Err(underflow());
    }
    Ok(result)
}

fn finite(x: f64) -> Result<f64> {
    if x.is_infinite() { Err(out_of_range()) } else { Ok(x) }
}

fn unit(x: f64) -> Result<f64> {
    if x.is_nan() || (-1.0..=1.0).contains(&x) { Ok(x) } else { Err(out_of_range()) }
}

fn sqrt(x: f64) -> Result<f64> {
    if x < 0.0 {
        return Err(err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "cannot take square root of a negative number"));
    }
    Ok(x.sqrt())
}

fn exp(x: f64) -> Result<f64> {
    if !x.is_finite() {
        return Ok(x.exp());
    }
    match x.exp() {
        result if result.is_infinite() => Err(overflow()),
        0.0 => Err(underflow()),
        result => Ok(result),
    }
}

fn logarithm(x: f64) -> Result<f64> {
    if x == 0.0 {
        return Err(err!(INVALID_ARGUMENT_FOR_LOGARITHM, "cannot take logarithm of zero"));
    }
    if x < 0.0 {
        return Err(err!(INVALID_ARGUMENT_FOR_LOGARITHM, "cannot take logarithm of a negative number"));
    }
    Ok(x)
}

/// x^y; also the operator.
pub(crate) fn power(x: f64, y: f64) -> Result<f64> {
    if x == 0.0 && y < 0.0 {
        return Err(err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "zero raised to a negative power is undefined"));
    }
    if x < 0.0 && y.is_finite() && y.floor() != y {
        return Err(err!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "a negative number raised to a non-integer power yields a complex result"
        ));
    }
    let result = x.powf(y);
    if x.is_finite() && y.is_finite() {
        if result.is_infinite() {
            return Err(overflow());
        }
        if result == 0.0 && x != 0.0 {
            return Err(underflow());
        }
    }
    Ok(result)
}

fn gamma(x: f64) -> Result<f64> {
    if x.is_nan() || x == f64::INFINITY {
        return Ok(x);
    }
    if x == f64::NEG_INFINITY || x <= 0.0 && x.floor() == x {
        return Err(overflow());
    }
    match libm::tgamma(x) {
        result if result.is_infinite() => Err(overflow()),
        0.0 => Err(underflow()),
        result => Ok(result),
    }
}

fn lgamma(x: f64) -> Result<f64> {
    let result = libm::lgamma(x);
    if result.is_infinite() && x.is_finite() { Err(overflow()) } else { Ok(result) }
}

const RADIANS_PER_DEGREE: f64 = 0.017_453_292_519_943_295;

/// Values of the elementary functions that make the degree functions exact at round angles, computed once by the same
/// library calls, so that e.g. `sind(30)` is exactly 0.5.
struct Constant(LazyLock<f64>);

impl Constant {
    const fn new(make: fn() -> f64) -> Self {
        Self(LazyLock::new(make))
    }

    fn get(&self) -> f64 {
        *self.0
    }
}

static SIN_30: Constant = Constant::new(|| (30.0 * RADIANS_PER_DEGREE).sin());
static ONE_MINUS_COS_60: Constant = Constant::new(|| 1.0 - (60.0 * RADIANS_PER_DEGREE).cos());
static ASIN_HALF: Constant = Constant::new(|| 0.5f64.asin());
static ACOS_HALF: Constant = Constant::new(|| 0.5f64.acos());
static ATAN_1: Constant = Constant::new(|| 1.0f64.atan());
static TAN_45: Constant = Constant::new(|| sin_quadrant(45.0) / cos_quadrant(45.0));
static COT_45: Constant = Constant::new(|| cos_quadrant(45.0) / sin_quadrant(45.0));

fn sin_to_30(x: f64) -> f64 {
    (x * RADIANS_PER_DEGREE).sin() / SIN_30.get() / 2.0
}

fn cos_to_60(x: f64) -> f64 {
    1.0 - (1.0 - (x * RADIANS_PER_DEGREE).cos()) / ONE_MINUS_COS_60.get() / 2.0
}

fn sin_quadrant(x: f64) -> f64 {
    if x <= 30.0 { sin_to_30(x) } else { cos_to_60(90.0 - x) }
}

fn cos_quadrant(x: f64) -> f64 {
    if x <= 60.0 { cos_to_60(x) } else { sin_to_30(90.0 - x) }
}

/// Brings an angle into the first quadrant: the angle, and the signs of its sine and cosine.
fn quadrant(x: f64) -> (f64, f64, f64) {
    let (mut x, mut sine, mut cosine) = (x % 360.0, 1.0, 1.0);
    if x < 0.0 {
        (x, sine) = (-x, -sine);
    }
    if x > 180.0 {
        (x, sine) = (360.0 - x, -sine);
    }
    if x > 90.0 {
        (x, cosine) = (180.0 - x, -cosine);
    }
    (x, sine, cosine)
}

fn sind(x: f64) -> f64 {
    let (x, sine, _) = quadrant(x);
    sine * sin_quadrant(x)
}

fn cosd(x: f64) -> f64 {
    let (x, _, cosine) = quadrant(x);
    cosine * cos_quadrant(x)
}

fn tand(x: f64) -> f64 {
    let (x, sine, cosine) = quadrant(x);
    // Adding zero turns -0 into 0.
    sine * cosine * (sin_quadrant(x) / cos_quadrant(x) / TAN_45.get()) + 0.0
}

fn cotd(x: f64) -> f64 {
    let (x, sine, cosine) = quadrant(x);
    sine * cosine * (cos_quadrant(x) / sin_quadrant(x) / COT_45.get()) + 0.0
}

fn asin_quadrant(x: f64) -> f64 {
    if x <= 0.5 { x.asin() / ASIN_HALF.get() * 30.0 } else { 90.0 - x.acos() / ACOS_HALF.get() * 60.0 }
}

fn asind(x: f64) -> f64 {
    if x >= 0.0 { asin_quadrant(x) } else { -asin_quadrant(-x) }
}

fn acosd(x: f64) -> f64 {
    if x < 0.0 {
        90.0 + asin_quadrant(-x)
    } else if x <= 0.5 {
        90.0 - x.asin() / ASIN_HALF.get() * 30.0
    } else {
        x.acos() / ACOS_HALF.get() * 60.0
    }
}

fn width_bucket(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (operand, low, high, count) = (args.float8(0)?, args.float8(1)?, args.float8(2)?, args.int4(3)?);
    let refuse = |message: &str| Err(err!(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "{message}"));
    if count <= 0 {
        return refuse("count must be greater than zero");
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return refuse("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return refuse("lower and upper bounds must be finite");
    }
    if low == high {
        return refuse("lower bound cannot equal upper bound");
    }
    let (before, after) = if low < high { (operand < low, operand >= high) } else { (operand > low, operand <= high) };
    if before {
        return Ok(Datum::Int4(0));
    }
    if after {
        let bucket = count.checked_add(1).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
        return Ok(Datum::Int4(bucket));
    }
    let part = if (high - low).is_finite() {
        (operand - low) / (high - low)
    } else {
        (operand / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
    };
    // Rounding may give the whole width, which is the next bucket.
    Ok(Datum::Int4(((f64::from(count) * part) as i32).min(count - 1) + 1))
}

/// The number of thresholds that are not above the operand.
fn width_bucket_array(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let thresholds = args.array(1)?;
    if thresholds.dims.len() > 1 {
        return Err(err!(ARRAY_SUBSCRIPT_ERROR, "thresholds must be one-dimensional array"));
    }
    if thresholds.values.iter().any(Datum::is_null) {
        return Err(err!(NULL_VALUE_NOT_ALLOWED, "thresholds array must not contain NULLs"));
    }
    let bucket = thresholds.values.partition_point(|threshold| compare(threshold, args.at(0)).is_le());
    Ok(Datum::Int4(bucket as i32))
}
