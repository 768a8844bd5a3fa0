//! Variance and standard deviation, exact for integers and numeric, and the two-variable statistics of float8.

use super::basic::overflow;
use super::moments::Moments;
use crate::document::{Datum, Numeric, Type};
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, AggregateFn, Function};
use crate::sql::functions::define::{Args, aggregate};

const F: Type = Type::FLOAT8;
const N: Type = Type::NUMERIC;
const FF: &[Type] = &[Type::FLOAT8, Type::FLOAT8];

/// The six entries (three integers, numeric, two floats) of one statistic.
macro_rules! family {
    ($($name:literal, $exact:expr, $float:expr, [$int8:literal, $int4:literal, $int2:literal, $float4:literal, $float8:literal, $numeric:literal];)*) => {
        pub(crate) static LIST: &[Function] = &[$(
            aggregate($int8, $name, &[Type::INT8], N, $exact),
            aggregate($int4, $name, &[Type::INT4], N, $exact),
            aggregate($int2, $name, &[Type::INT2], N, $exact),
            aggregate($float4, $name, &[Type::FLOAT4], F, $float),
            aggregate($float8, $name, &[Type::FLOAT8], F, $float),
            aggregate($numeric, $name, &[N], N, $exact),
        )*];
    };
}

const SAMPLE: Statistic = Statistic { sample: true, root: false };
const POPULATION: Statistic = Statistic { sample: false, root: false };
const SAMPLE_ROOT: Statistic = Statistic { sample: true, root: true };
const POPULATION_ROOT: Statistic = Statistic { sample: false, root: true };

family! {
    "variance", |_| exact(SAMPLE), |_| float(SAMPLE), [2148, 2149, 2150, 2151, 2152, 2153];
    "var_samp", |_| exact(SAMPLE), |_| float(SAMPLE), [2641, 2642, 2643, 2644, 2645, 2646];
    "var_pop", |_| exact(POPULATION), |_| float(POPULATION), [2718, 2719, 2720, 2721, 2722, 2723];
    "stddev", |_| exact(SAMPLE_ROOT), |_| float(SAMPLE_ROOT), [2154, 2155, 2156, 2157, 2158, 2159];
    "stddev_samp", |_| exact(SAMPLE_ROOT), |_| float(SAMPLE_ROOT), [2712, 2713, 2714, 2715, 2716, 2717];
    "stddev_pop", |_| exact(POPULATION_ROOT), |_| float(POPULATION_ROOT), [2724, 2725, 2726, 2727, 2728, 2729];
}

/// Two variables: the arguments are (Y, X).
#[rustfmt::skip]
pub(crate) static PAIRS: &[Function] = &[
    pairs(2818, "regr_count", Type::INT8, |_| regression(|s| Some(s.count))),
    pairs(2819, "regr_sxx", F, |_| regression(|s| s.any().then_some(s.sxx))),
    pairs(2820, "regr_syy", F, |_| regression(|s| s.any().then_some(s.syy))),
    pairs(2821, "regr_sxy", F, |_| regression(|s| s.any().then_some(s.sxy))),
    pairs(2822, "regr_avgx", F, |_| regression(|s| s.any().then(|| s.sx / s.count))),
    pairs(2823, "regr_avgy", F, |_| regression(|s| s.any().then(|| s.sy / s.count))),
    pairs(2824, "regr_r2", F, |_| regression(r2)),
    pairs(2825, "regr_slope", F, |_| regression(|s| (s.any() && s.sxx != 0.0).then(|| s.sxy / s.sxx))),
    pairs(2826, "regr_intercept", F, |_| regression(|s| (s.any() && s.sxx != 0.0).then(|| (s.sy - s.sx * s.sxy / s.sxx) / s.count))),
    pairs(2827, "covar_pop", F, |_| regression(|s| s.any().then(|| s.sxy / s.count))),
    pairs(2828, "covar_samp", F, |_| regression(|s| (s.count >= 2.0).then(|| s.sxy / (s.count - 1.0)))),
    pairs(2829, "corr", F, |_| regression(correlation)),
];

const fn pairs(oid: u32, name: &'static str, returns: Type, state: AggregateFn) -> Function {
    aggregate(oid, name, FF, returns, state)
}

/// Which of the four.
#[derive(Clone, Copy, Debug)]
struct Statistic {
    sample: bool,
    root: bool,
}

/// Count, sum and sum of squares, exact.
#[derive(Debug)]
struct Exact {
    statistic: Statistic,
    count: i64,
    sum: Numeric,
    squares: Numeric,
}

fn exact(statistic: Statistic) -> Box<dyn Accumulator> {
    Box::new(Exact { statistic, count: 0, sum: Numeric::from_i64(0), squares: Numeric::from_i64(0) })
}

impl Accumulator for Exact {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = match args.at(0) {
            Datum::Numeric(value) => value.clone(),
            _ => Numeric::from_i64(args.int8(0)?),
        };
        self.squares = self.squares.add(&value.mul(&value)?)?;
        self.sum = self.sum.add(&value)?;
        self.count += 1;
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        if self.count <= i64::from(self.statistic.sample) {
            return Ok(Datum::Null);
        }
        if !self.sum.is_finite() {
            return Ok(Datum::Numeric(Numeric::NAN));
        }
        let count = Numeric::from_i64(self.count);
        // (N * sum of squares - square of sum) / (N * (N or N - 1))
        let numerator = count.mul(&self.squares)?.sub(&self.sum.mul(&self.sum)?)?;
        if numerator <= Numeric::from_i64(0) {
            return Ok(Datum::Numeric(Numeric::from_i64(0)));
        }
        let divisor = count.mul(&Numeric::from_i64(self.count - i64::from(self.statistic.sample)))?;
        let variance = numerator.div(&divisor)?;
        if !self.statistic.root {
            return Ok(Datum::Numeric(variance));
        }
        // The root has the scale of the quotient it is taken from.
        let scale = i32::from(variance.scale());
        variance.sqrt_with_scale(scale).map(Datum::Numeric)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + 64
    }
}

#[derive(Debug)]
struct Float {
    statistic: Statistic,
    moments: Moments,
}

fn float(statistic: Statistic) -> Box<dyn Accumulator> {
    Box::new(Float { statistic, moments: Moments::default() })
}

impl Accumulator for Float {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        self.moments.add(args.float8(0)?)
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        let less = if self.statistic.sample { 1.0 } else { 0.0 };
        if self.moments.count <= less {
            return Ok(Datum::Null);
        }
        let variance = self.moments.squares / (self.moments.count - less);
        Ok(Datum::Float8(if self.statistic.root { variance.sqrt() } else { variance }))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// Sums over pairs, by the Youngs-Cramer algorithm.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
}

impl Sums {
    fn any(&self) -> bool {
        self.count >= 1.0
    }

    fn add(&mut self, y: f64, x: f64) -> Result<()> {
        let old = *self;
        self.count += 1.0;
        self.sx += x;
        self.sy += y;
        if old.count == 0.0 {
            if !x.is_finite() {
                (self.sxx, self.sxy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.syy, self.sxy) = (f64::NAN, f64::NAN);
            }
            return Ok(());
        }
        let (dx, dy) = (x * self.count - self.sx, y * self.count - self.sy);
        let scale = 1.0 / (self.count * old.count);
        self.sxx += dx * dx * scale;
        self.syy += dy * dy * scale;
        self.sxy += dx * dy * scale;
        let infinite = [self.sx, self.sxx, self.sy, self.syy, self.sxy].iter().any(|sum| sum.is_infinite());
        if infinite {
            let (x_finite, y_finite) = (old.sx.is_finite() && x.is_finite(), old.sy.is_finite() && y.is_finite());
            if (self.sx.is_infinite() || self.sxx.is_infinite()) && x_finite
                || (self.sy.is_infinite() || self.syy.is_infinite()) && y_finite
                || self.sxy.is_infinite() && x_finite && y_finite
            {
                return Err(overflow());
            }
            for square in [&mut self.sxx, &mut self.syy, &mut self.sxy] {
                if square.is_infinite() {
                    *square = f64::NAN;
                }
            }
        }
        Ok(())
    }
}

struct Regression {
    sums: Sums,
    result: fn(&Sums) -> Option<f64>,
    count: bool,
}

impl std::fmt::Debug for Regression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.sums.fmt(f)
    }
}

fn regression(result: fn(&Sums) -> Option<f64>) -> Box<dyn Accumulator> {
    // Only regr_count has a result before the first pair.
    let count = result(&Sums::default()).is_some();
    Box::new(Regression { sums: Sums::default(), result, count })
}

fn correlation(sums: &Sums) -> Option<f64> {
    if !sums.any() || sums.sxx == 0.0 || sums.syy == 0.0 {
        return None;
    }
    Some(sums.sxy / (sums.sxx * sums.syy).sqrt())
}

fn r2(sums: &Sums) -> Option<f64> {
    if !sums.any() || sums.sxx == 0.0 {
        return None;
    }
    Some(if sums.syy == 0.0 { 1.0 } else { sums.sxy * sums.sxy / (sums.sxx * sums.syy) })
}

impl Accumulator for Regression {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        self.sums.add(args.float8(0)?, args.float8(1)?)
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        if self.count {
            return Ok(Datum::Int8(self.sums.count as i64));
        }
        Ok((self.result)(&self.sums).map_or(Datum::Null, Datum::Float8))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}
