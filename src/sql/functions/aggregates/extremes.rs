//! min, max and any_value.

use std::cmp::Ordering;

use crate::document::{Datum, Type};
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Function};
use crate::sql::functions::compare::{compare, compare_bpchar};
use crate::sql::functions::define::{Args, aggregate};

macro_rules! extremes {
    ($($typ:expr, $min:literal, $max:literal;)*) => {
        pub(crate) static LIST: &[Function] = &[
            $(aggregate($min, "min", &[$typ], $typ, min), aggregate($max, "max", &[$typ], $typ, max),)*
            aggregate(6291, "any_value", &[Type::ANYELEMENT], Type::ANYELEMENT, any_value),
        ];
    };
}

extremes! {
    Type::INT8, 2131, 2115;
    Type::INT4, 2132, 2116;
    Type::INT2, 2133, 2117;
    Type::OID, 2134, 2118;
    Type::FLOAT4, 2135, 2119;
    Type::FLOAT8, 2136, 2120;
    Type::DATE, 2138, 2122;
    Type::TIME, 2139, 2123;
    Type::TIMETZ, 2140, 2124;
    Type::TIMESTAMP, 2142, 2126;
    Type::TIMESTAMPTZ, 2143, 2127;
    Type::INTERVAL, 2144, 2128;
    Type::TEXT, 2145, 2129;
    Type::NUMERIC, 2146, 2130;
    Type::BPCHAR, 2245, 2244;
    Type::ANYARRAY, 2051, 2050;
    Type::RECORD, 6374, 6373;
    Type::BYTEA, 6396, 6395;
}

/// Keeps the value that comes first in the order (`keep` = the order of a new value that replaces the old).
#[derive(Debug)]
struct Extreme {
    keep: Ordering,
    bpchar: bool,
    compare: fn(&Datum, &Datum) -> Ordering,
    value: Datum,
}

pub(crate) fn min(types: &[Type]) -> Box<dyn Accumulator> {
    extreme(types, Ordering::Less)
}

pub(crate) fn max(types: &[Type]) -> Box<dyn Accumulator> {
    extreme(types, Ordering::Greater)
}

fn extreme(types: &[Type], keep: Ordering) -> Box<dyn Accumulator> {
    let bpchar = types.first().is_some_and(|typ| typ.oid == Type::BPCHAR.oid);
    let compare = if bpchar { compare_bpchar } else { compare };
    Box::new(Extreme { keep, bpchar, compare, value: Datum::Null })
}

impl Accumulator for Extreme {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let new = args.at(0);
        // Of equal values the last stays, which shows in max(1.0, 1.00); bpchar keeps the first. So does PostgreSQL.
        let replace = self.value.is_null() || {
            let order = (self.compare)(new, &self.value);
            order == self.keep || order.is_eq() && !self.bpchar
        };
        if replace {
            self.value = new.clone();
        }
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + super::heap_bytes(&self.value)
    }
}

#[derive(Debug)]
struct AnyValue(Datum);

fn any_value(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(AnyValue(Datum::Null))
}

impl Accumulator for AnyValue {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        if self.0.is_null() {
            self.0 = args.at(0).clone();
        }
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.0.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + super::heap_bytes(&self.0)
    }
}
