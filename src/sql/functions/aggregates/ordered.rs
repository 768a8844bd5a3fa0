//! Ordered-set and hypothetical-set aggregates (WITHIN GROUP).
//!
//! The arguments are the direct ones, then the ordered ones; the rows arrive sorted. A hypothetical-set aggregate also
//! needs the direction of the order: after the ordered arguments comes an int4 whose bits 2i and 2i+1 say that key i is
//! descending and has NULLs first. Without it, the order is ascending with NULLs last.

use std::cmp::Ordering;

use crate::document::{Array, Datum, Interval, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Function};
use crate::sql::functions::compare::{compare, compare_nullable};
use crate::sql::functions::define::{Args, aggregate, check_length};

const F: Type = Type::FLOAT8;
const FA: Type = Type::FLOAT8_ARRAY;
const E: Type = Type::ANYELEMENT;
const I: Type = Type::INTERVAL;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    aggregate(3974, "percentile_cont", &[F, F], F, continuous).loose(),
    aggregate(3976, "percentile_cont", &[F, I], I, continuous).loose(),
    aggregate(3980, "percentile_cont", &[FA, F], FA, continuous).loose(),
    aggregate(3982, "percentile_cont", &[FA, I], Type::INTERVAL_ARRAY, continuous).loose(),
    aggregate(3972, "percentile_disc", &[F, E], E, discrete).loose(),
    aggregate(3978, "percentile_disc", &[FA, E], Type::ANYARRAY, discrete).loose(),
    aggregate(3984, "mode", &[E], E, mode).loose(),
    aggregate(3986, "rank", &[Type::ANY], Type::INT8, |_| hypothetical(Rank::Plain)).variadic().loose(),
    aggregate(3992, "dense_rank", &[Type::ANY], Type::INT8, |_| hypothetical(Rank::Dense)).variadic().loose(),
    aggregate(3988, "percent_rank", &[Type::ANY], F, |_| hypothetical(Rank::Percent)).variadic().loose(),
    aggregate(3990, "cume_dist", &[Type::ANY], F, |_| hypothetical(Rank::Cumulative)).variadic().loose(),
];

/// The non-null values in order, and the fraction or fractions asked for.
#[derive(Debug)]
struct Percentile {
    element: Oid,
    continuous: bool,
    fractions: Option<Datum>,
    values: Vec<Datum>,
    bytes: usize,
}

fn continuous(types: &[Type]) -> Box<dyn Accumulator> {
    percentile(types, true)
}

fn discrete(types: &[Type]) -> Box<dyn Accumulator> {
    percentile(types, false)
}

fn percentile(types: &[Type], continuous: bool) -> Box<dyn Accumulator> {
    let element = types.get(1).map_or(Type::FLOAT8.oid, |typ| typ.oid);
    Box::new(Percentile { element, continuous, fractions: None, values: Vec::new(), bytes: 0 })
}

fn checked_fraction(fraction: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&fraction) {
        return Ok(fraction);
    }
    Err(err!(NUMERIC_VALUE_OUT_OF_RANGE, "percentile value {fraction} is not between 0 and 1"))
}

impl Percentile {
    fn at(&self, context: &EvalContext, fraction: f64) -> Result<Datum> {
        let fraction = checked_fraction(fraction)?;
        let count = self.values.len() as f64;
        if !self.continuous {
            // The first value whose share reaches the fraction.
            let row = (fraction * count).ceil().max(1.0) as usize;
            return Ok(self.values.at(row - 1).clone());
        }
        let place = fraction * (count - 1.0);
        let (low, high) = (self.values.at(place.floor() as usize), self.values.at(place.ceil() as usize));
        if place.floor() == place.ceil() {
            return Ok(low.clone());
        }
        interpolate(context, low, high, place - place.floor())
    }
}

/// low + (high - low) * part
fn interpolate(context: &EvalContext, low: &Datum, high: &Datum, part: f64) -> Result<Datum> {
    match (low, high) {
        (Datum::Float8(low), Datum::Float8(high)) => Ok(Datum::Float8(low + part * (high - low))),
        (Datum::Interval(low), Datum::Interval(high)) => {
            let call = |oid, args: [Datum; 2]| crate::sql::functions::call(oid, context, &args);
            let difference: Datum = call(1170, [Datum::Interval(*high), Datum::Interval(*low)])?;
            let scaled = call(1618, [difference, Datum::Float8(part)])?;
            call(1169, [scaled, Datum::Interval(Interval { ..*low })])
        }
        _ => Err(Error::internal("percentile_cont of another type")),
    }
}

impl Accumulator for Percentile {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        if self.fractions.is_none() {
            self.fractions = Some(args.at(0).clone());
        }
        let value = match args.at(1) {
            Datum::Null => return Ok(()),
            Datum::Float4(value) if self.continuous => Datum::Float8(f64::from(*value)),
            value => value.clone(),
        };
        self.bytes += size_of::<Datum>() + super::heap_bytes(&value);
        check_length(context, self.bytes)?;
        self.values.push(value);
        Ok(())
    }

    fn finish(&self, context: &EvalContext) -> Result<Datum> {
        match &self.fractions {
            None | Some(Datum::Null) => Ok(Datum::Null),
            Some(Datum::Array(fractions)) => {
                let fraction = |datum: &Datum| match datum {
                    Datum::Null => Ok(Datum::Null),
                    Datum::Float8(fraction) => self.at(context, *fraction),
                    _ => Err(Error::internal("a fraction of another type")),
                };
                if self.values.is_empty() {
                    return Ok(Datum::Null);
                }
                let values = fractions.values.iter().map(fraction).collect::<Result<_>>()?;
                Ok(Datum::Array(Box::new(Array { element: self.element, dims: fractions.dims.clone(), values })))
            }
            Some(Datum::Float8(fraction)) => {
                checked_fraction(*fraction)?;
                if self.values.is_empty() { Ok(Datum::Null) } else { self.at(context, *fraction) }
            }
            Some(_) => Err(Error::internal("a fraction of another type")),
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}

/// The longest run of equal values; of equally long ones the first.
#[derive(Debug, Default)]
struct Mode {
    best: Datum,
    best_count: u64,
    last: Datum,
    last_count: u64,
}

fn mode(_: &[Type]) -> Box<dyn Accumulator> {
    Box::<Mode>::default()
}

impl Accumulator for Mode {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.at(0);
        if value.is_null() {
            return Ok(());
        }
        if self.last_count > 0 && compare(value, &self.last).is_eq() {
            self.last_count += 1;
        } else {
            (self.last, self.last_count) = (value.clone(), 1);
        }
        if self.last_count > self.best_count {
            (self.best, self.best_count) = (self.last.clone(), self.last_count);
        }
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.best.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + super::heap_bytes(&self.best) + super::heap_bytes(&self.last)
    }
}

#[derive(Clone, Copy, Debug)]
enum Rank {
    Plain,
    Dense,
    Percent,
    Cumulative,
}

/// Where a row with the direct arguments would stand.
#[derive(Debug)]
struct Hypothetical {
    rank: Rank,
    rows: u64,
    before: u64,
    peers: u64,
    groups_before: u64,
    last: Vec<Datum>,
}

fn hypothetical(rank: Rank) -> Box<dyn Accumulator> {
    Box::new(Hypothetical { rank, rows: 0, before: 0, peers: 0, groups_before: 0, last: Vec::new() })
}

fn compare_directed(left: &Datum, right: &Datum, direction: i32) -> Ordering {
    let (descending, nulls_first) = (direction & 1 != 0, direction & 2 != 0);
    match (left.is_null(), right.is_null()) {
        (false, false) if descending => compare(right, left),
        (false, false) => compare(left, right),
        _ if nulls_first => compare_nullable(right, left),
        _ => compare_nullable(left, right),
    }
}

impl Accumulator for Hypothetical {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let keys = args.len() / 2;
        let directions = if args.len() % 2 == 1 { args.int4(args.len() - 1)? } else { 0 };
        let (wanted, row) = (&args[..keys], &args[keys..2 * keys]);
        let order = (0..keys)
            .map(|key| compare_directed(&row[key], &wanted[key], directions >> (2 * key)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal);
        self.rows += 1;
        match order {
            Ordering::Less => {
                self.before += 1;
                let same =
                    self.last.len() == keys && self.last.iter().zip(row).all(|(a, b)| compare_nullable(a, b).is_eq());
                if !same {
                    self.groups_before += 1;
                    self.last = row.to_vec();
                }
            }
            Ordering::Equal => self.peers += 1,
            Ordering::Greater => {}
        }
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(match self.rank {
            Rank::Plain => Datum::Int8(self.before as i64 + 1),
            Rank::Dense => Datum::Int8(self.groups_before as i64 + 1),
            Rank::Percent if self.rows == 0 => Datum::Float8(0.0),
            Rank::Percent => Datum::Float8(self.before as f64 / self.rows as f64),
            Rank::Cumulative => Datum::Float8((self.before + self.peers + 1) as f64 / (self.rows + 1) as f64),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.last.iter().map(super::heap_bytes).sum::<usize>()
    }
}
