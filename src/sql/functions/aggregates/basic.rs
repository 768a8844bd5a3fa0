//! count, sum, avg, bool_and, bit_and and their families.

use crate::document::{Datum, Numeric, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Function};
use crate::sql::functions::define::{Args, aggregate};

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    aggregate(2147, "count", &[Type::ANY], Type::INT8, count),
    aggregate(2803, "count", &[], Type::INT8, count),
    aggregate(2107, "sum", &[Type::INT8], Type::NUMERIC, sum_int8),
    aggregate(2108, "sum", &[Type::INT4], Type::INT8, sum_int),
    aggregate(2109, "sum", &[Type::INT2], Type::INT8, sum_int),
    aggregate(2110, "sum", &[Type::FLOAT4], Type::FLOAT4, sum_float4),
    aggregate(2111, "sum", &[Type::FLOAT8], Type::FLOAT8, sum_float8),
    aggregate(2113, "sum", &[Type::INTERVAL], Type::INTERVAL, sum_interval),
    aggregate(2114, "sum", &[Type::NUMERIC], Type::NUMERIC, sum_numeric),
    aggregate(2100, "avg", &[Type::INT8], Type::NUMERIC, avg_int),
    aggregate(2101, "avg", &[Type::INT4], Type::NUMERIC, avg_int),
    aggregate(2102, "avg", &[Type::INT2], Type::NUMERIC, avg_int),
    aggregate(2103, "avg", &[Type::NUMERIC], Type::NUMERIC, avg_numeric),
    aggregate(2104, "avg", &[Type::FLOAT4], Type::FLOAT8, avg_float),
    aggregate(2105, "avg", &[Type::FLOAT8], Type::FLOAT8, avg_float),
    aggregate(2106, "avg", &[Type::INTERVAL], Type::INTERVAL, avg_interval),
    aggregate(2517, "bool_and", &[Type::BOOL], Type::BOOL, bool_and),
    aggregate(2518, "bool_or", &[Type::BOOL], Type::BOOL, bool_or),
    aggregate(2519, "every", &[Type::BOOL], Type::BOOL, bool_and),
    aggregate(2236, "bit_and", &[Type::INT2], Type::INT2, bit_and),
    aggregate(2238, "bit_and", &[Type::INT4], Type::INT4, bit_and),
    aggregate(2240, "bit_and", &[Type::INT8], Type::INT8, bit_and),
    aggregate(2237, "bit_or", &[Type::INT2], Type::INT2, bit_or),
    aggregate(2239, "bit_or", &[Type::INT4], Type::INT4, bit_or),
    aggregate(2241, "bit_or", &[Type::INT8], Type::INT8, bit_or),
    aggregate(6164, "bit_xor", &[Type::INT2], Type::INT2, bit_xor),
    aggregate(6165, "bit_xor", &[Type::INT4], Type::INT4, bit_xor),
    aggregate(6166, "bit_xor", &[Type::INT8], Type::INT8, bit_xor),
];

#[derive(Debug)]
struct Count(i64);

fn count(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(Count(0))
}

impl Accumulator for Count {
    fn update(&mut self, _: &EvalContext, _: &[Datum]) -> Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(Datum::Int8(self.0))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// Sum and average of integers, exact.
#[derive(Debug)]
struct Integers {
    sum: i128,
    count: i64,
    result: IntegerResult,
}

#[derive(Debug)]
enum IntegerResult {
    Int8,
    Numeric,
    Average,
}

fn integers(result: IntegerResult) -> Box<dyn Accumulator> {
    Box::new(Integers { sum: 0, count: 0, result })
}

fn sum_int(_: &[Type]) -> Box<dyn Accumulator> {
    integers(IntegerResult::Int8)
}

fn sum_int8(_: &[Type]) -> Box<dyn Accumulator> {
    integers(IntegerResult::Numeric)
}

fn avg_int(_: &[Type]) -> Box<dyn Accumulator> {
    integers(IntegerResult::Average)
}

impl Accumulator for Integers {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        // 2^64 rows of 2^63 are needed to leave i128.
        self.sum += i128::from(args.int8(0)?);
        self.count += 1;
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        Ok(match self.result {
            IntegerResult::Int8 => Datum::Int8(
                i64::try_from(self.sum).map_err(|_| err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))?,
            ),
            IntegerResult::Numeric => Datum::Numeric(Numeric::from_i128(self.sum)),
            IntegerResult::Average => Datum::Numeric(Numeric::from_i128(self.sum).div(&Numeric::from_i64(self.count))?),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// Sum and average of numerics; the sum's scale is the largest seen.
#[derive(Debug)]
struct Numerics {
    sum: Option<Numeric>,
    count: i64,
    average: bool,
}

fn sum_numeric(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(Numerics { sum: None, count: 0, average: false })
}

fn avg_numeric(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(Numerics { sum: None, count: 0, average: true })
}

impl Accumulator for Numerics {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.numeric(0)?;
        self.sum = Some(match &self.sum {
            None => value.clone(),
            Some(sum) => sum.add(value)?,
        });
        self.count += 1;
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(match &self.sum {
            None => Datum::Null,
            Some(sum) if self.average => Datum::Numeric(sum.div(&Numeric::from_i64(self.count))?),
            Some(sum) => Datum::Numeric(sum.clone()),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sum.as_ref().map_or(0, |sum| sum.as_bytes().len())
    }
}

#[derive(Debug)]
struct SumFloat4(Option<f32>);

fn sum_float4(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(SumFloat4(None))
}

impl Accumulator for SumFloat4 {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let Datum::Float4(value) = *args.at(0) else { return Err(Error::internal("sum(real) of another type")) };
        self.0 = Some(match self.0 {
            None => value,
            Some(sum) => {
                let new = sum + value;
                if new.is_infinite() && sum.is_finite() && value.is_finite() {
                    return Err(overflow());
                }
                new
            }
        });
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.0.map_or(Datum::Null, Datum::Float4))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

#[derive(Debug)]
struct SumFloat8(Option<f64>);

fn sum_float8(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(SumFloat8(None))
}

impl Accumulator for SumFloat8 {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.float8(0)?;
        self.0 = Some(match self.0 {
            None => value,
            Some(sum) => {
                let new = sum + value;
                if new.is_infinite() && sum.is_finite() && value.is_finite() {
                    return Err(overflow());
                }
                new
            }
        });
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.0.map_or(Datum::Null, Datum::Float8))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

pub(crate) fn overflow() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

#[derive(Debug, Default)]
struct AverageFloat(super::moments::Moments);

fn avg_float(_: &[Type]) -> Box<dyn Accumulator> {
    Box::<AverageFloat>::default()
}

impl Accumulator for AverageFloat {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        self.0.add(args.float8(0)?)
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(if self.0.count == 0.0 { Datum::Null } else { Datum::Float8(self.0.sum / self.0.count) })
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// Sum and average of intervals. Infinities are counted apart, as they cannot be taken out of a sum.
#[derive(Debug)]
struct Intervals {
    sum: crate::document::Interval,
    count: i64,
    infinities: [i64; 2],
    average: bool,
}

fn sum_interval(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(Intervals { sum: Default::default(), count: 0, infinities: [0; 2], average: false })
}

fn avg_interval(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(Intervals { sum: Default::default(), count: 0, infinities: [0; 2], average: true })
}

const PLUS_INFINITY: crate::document::Interval =
    crate::document::Interval { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
const MINUS_INFINITY: crate::document::Interval =
    crate::document::Interval { months: i32::MIN, days: i32::MIN, micros: i64::MIN };

impl Accumulator for Intervals {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.interval(0)?;
        if value == PLUS_INFINITY || value == MINUS_INFINITY {
            self.infinities[usize::from(value == MINUS_INFINITY)] += 1;
            return Ok(());
        }
        let out_of_range = || err!(DATETIME_FIELD_OVERFLOW, "interval out of range");
        self.sum = crate::document::Interval {
            months: self.sum.months.checked_add(value.months).ok_or_else(out_of_range)?,
            days: self.sum.days.checked_add(value.days).ok_or_else(out_of_range)?,
            micros: self.sum.micros.checked_add(value.micros).ok_or_else(out_of_range)?,
        };
        self.count += 1;
        Ok(())
    }

    fn finish(&self, context: &EvalContext) -> Result<Datum> {
        Ok(Datum::Interval(match self.infinities {
            [0, 0] if self.count == 0 => return Ok(Datum::Null),
            [0, 0] if self.average => {
                // interval / double precision
                let args = [Datum::Interval(self.sum), Datum::Float8(self.count as f64)];
                return crate::sql::functions::call(1326, context, &args);
            }
            [0, 0] => self.sum,
            [_, 0] => PLUS_INFINITY,
            [0, _] => MINUS_INFINITY,
            [_, _] => return Err(err!(DATETIME_FIELD_OVERFLOW, "interval out of range")),
        }))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

#[derive(Debug)]
struct Bools {
    and: bool,
    value: Option<bool>,
}

fn bool_and(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(Bools { and: true, value: None })
}

fn bool_or(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(Bools { and: false, value: None })
}

impl Accumulator for Bools {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let new = args.bool(0)?;
        let old = self.value.unwrap_or(new);
        self.value = Some(if self.and { old && new } else { old || new });
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.value.map_or(Datum::Null, Datum::Bool))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

#[derive(Debug)]
struct Bits {
    combine: fn(i64, i64) -> i64,
    width: Type,
    value: Option<i64>,
}

fn bits(types: &[Type], combine: fn(i64, i64) -> i64) -> Box<dyn Accumulator> {
    Box::new(Bits { combine, width: types.first().copied().unwrap_or(Type::INT8), value: None })
}

fn bit_and(types: &[Type]) -> Box<dyn Accumulator> {
    bits(types, |a, b| a & b)
}

fn bit_or(types: &[Type]) -> Box<dyn Accumulator> {
    bits(types, |a, b| a | b)
}

fn bit_xor(types: &[Type]) -> Box<dyn Accumulator> {
    bits(types, |a, b| a ^ b)
}

impl Accumulator for Bits {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let new = args.int8(0)?;
        self.value = Some(self.value.map_or(new, |old| (self.combine)(old, new)));
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        // Sign extension commutes with and, or, xor, so the value fits the width it came from.
        Ok(match self.value {
            None => Datum::Null,
            Some(value) if self.width.oid == Type::INT2.oid => Datum::Int2(value as i16),
            Some(value) if self.width.oid == Type::INT4.oid => Datum::Int4(value as i32),
            Some(value) => Datum::Int8(value),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}
