//! Bit strings: operators, functions, casts, aggregates.

use crate::document::{BitString, Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Function};
use crate::sql::functions::define::{Args, aggregate, scalar};
use crate::sql::io::bit::{BITS_MAX, to_bit, to_varbit};
use crate::sql::operators::compare::{eq, ge, gt, le, lt, ne};

const BIT: Type = Type::BIT;
const V: Type = Type::VARBIT;
const I: Type = Type::INT4;
const B: Type = Type::BOOL;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(1581, "biteq", &[BIT, BIT], B, eq),
    scalar(1582, "bitne", &[BIT, BIT], B, ne),
    scalar(1592, "bitge", &[BIT, BIT], B, ge),
    scalar(1593, "bitgt", &[BIT, BIT], B, gt),
    scalar(1594, "bitle", &[BIT, BIT], B, le),
    scalar(1595, "bitlt", &[BIT, BIT], B, lt),
    scalar(1666, "varbiteq", &[V, V], B, eq),
    scalar(1667, "varbitne", &[V, V], B, ne),
    scalar(1668, "varbitge", &[V, V], B, ge),
    scalar(1669, "varbitgt", &[V, V], B, gt),
    scalar(1670, "varbitle", &[V, V], B, le),
    scalar(1671, "varbitlt", &[V, V], B, lt),
    scalar(1673, "bitand", &[BIT, BIT], BIT, |_, a| combine(bits(a, 0)?, bits(a, 1)?, "AND", |x, y| x & y).map(Datum::Bit)),
    scalar(1674, "bitor", &[BIT, BIT], BIT, |_, a| combine(bits(a, 0)?, bits(a, 1)?, "OR", |x, y| x | y).map(Datum::Bit)),
    scalar(1675, "bitxor", &[BIT, BIT], BIT, |_, a| combine(bits(a, 0)?, bits(a, 1)?, "XOR", |x, y| x ^ y).map(Datum::Bit)),
    scalar(1676, "bitnot", &[BIT], BIT, not),
    scalar(1677, "bitshiftleft", &[BIT, I], BIT, |_, a| shift(bits(a, 0)?, i64::from(a.int4(1)?))),
    scalar(1678, "bitshiftright", &[BIT, I], BIT, |_, a| shift(bits(a, 0)?, -i64::from(a.int4(1)?))),
    scalar(1679, "bitcat", &[V, V], V, |_, a| concatenate(bits(a, 0)?, bits(a, 1)?).map(Datum::Bit)),
    scalar(1680, "substring", &[BIT, I, I], BIT, |_, a| substring(bits(a, 0)?, a.int4(1)?, Some(a.int4(2)?)).map(Datum::Bit)),
    scalar(1699, "substring", &[BIT, I], BIT, |_, a| substring(bits(a, 0)?, a.int4(1)?, None).map(Datum::Bit)),
    scalar(1681, "length", &[BIT], I, |_, a| Ok(Datum::Int4(bits(a, 0)?.length as i32))),
    scalar(1812, "bit_length", &[BIT], I, |_, a| Ok(Datum::Int4(bits(a, 0)?.length as i32))),
    scalar(1682, "octet_length", &[BIT], I, |_, a| Ok(Datum::Int4(bits(a, 0)?.bytes.len() as i32))),
    scalar(1698, "position", &[BIT, BIT], I, position),
    scalar(3030, "overlay", &[BIT, BIT, I, I], BIT, |_, a| overlay(bits(a, 0)?, bits(a, 1)?, a.int4(2)?, a.int4(3)?)),
    scalar(3031, "overlay", &[BIT, BIT, I], BIT, |_, a| overlay(bits(a, 0)?, bits(a, 1)?, a.int4(2)?, bits(a, 1)?.length as i32)),
    scalar(3032, "get_bit", &[BIT, I], I, |_, a| Ok(Datum::Int4(bits(a, 0)?.get(index(bits(a, 0)?, a.int4(1)?)?).into()))),
    scalar(3033, "set_bit", &[BIT, I, I], BIT, set_bit),
    scalar(6162, "bit_count", &[BIT], Type::INT8, |_, a| Ok(Datum::Int8(bits(a, 0)?.bytes.iter().map(|b| i64::from(b.count_ones())).sum()))),
    scalar(1683, "bit", &[I, I], BIT, |_, a| Ok(from_integer(i64::from(a.int4(0)?), 32, a.int4(1)?))),
    scalar(2075, "bit", &[Type::INT8, I], BIT, |_, a| Ok(from_integer(a.int8(0)?, 64, a.int4(1)?))),
    scalar(1684, "int4", &[BIT], I, |_, a| to_integer(bits(a, 0)?, 32, "integer").map(|n| Datum::Int4(n as u32 as i32))),
    scalar(2076, "int8", &[BIT], Type::INT8, |_, a| to_integer(bits(a, 0)?, 64, "bigint").map(|n| Datum::Int8(n as i64))),
    scalar(1685, "bit", &[BIT, I, B], BIT, |_, a| to_bit(bits(a, 0)?.clone(), a.int4(1)?, a.bool(2)?).map(Datum::Bit)),
    scalar(1687, "varbit", &[V, I, B], V, |_, a| to_varbit(bits(a, 0)?.clone(), a.int4(1)?, a.bool(2)?).map(Datum::Bit)),
    aggregate(2242, "bit_and", &[BIT], BIT, |_| Box::new(Combined { value: None, name: "AND", with: |x, y| x & y })),
    aggregate(2243, "bit_or", &[BIT], BIT, |_| Box::new(Combined { value: None, name: "OR", with: |x, y| x | y })),
    aggregate(6167, "bit_xor", &[BIT], BIT, |_| Box::new(Combined { value: None, name: "XOR", with: |x, y| x ^ y })),
];

fn bits(args: &[Datum], index: usize) -> Result<&BitString> {
    match args.at(index) {
        Datum::Bit(bits) => Ok(bits),
        other => Err(Error::internal(format!("a bit string was expected: {other:?}"))),
    }
}

fn combine(a: &BitString, b: &BitString, name: &str, with: fn(u8, u8) -> u8) -> Result<BitString> {
    if a.length != b.length {
        return Err(err!(STRING_DATA_LENGTH_MISMATCH, "cannot {name} bit strings of different sizes"));
    }
    let bytes = a.bytes.iter().zip(&b.bytes).map(|(x, y)| with(*x, *y)).collect();
    Ok(BitString { length: a.length, bytes })
}

fn not(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut value = bits(args, 0)?.clone();
    value.bytes.iter_mut().for_each(|byte| *byte = !*byte);
    value.clear_padding();
    Ok(Datum::Bit(value))
}

/// To the left, zeros coming in; the length stays.
fn shift(value: &BitString, by: i64) -> Result<Datum> {
    let mut out = BitString::zeros(value.length);
    for at in 0..value.length {
        let from = i64::from(at) + by;
        if let Ok(from) = u32::try_from(from) {
            out.set(at, value.get(from));
        }
    }
    Ok(Datum::Bit(out))
}

fn concatenate(a: &BitString, b: &BitString) -> Result<BitString> {
    if u64::from(a.length) + u64::from(b.length) > u64::from(BITS_MAX) {
        return Err(err!(PROGRAM_LIMIT_EXCEEDED, "bit string length exceeds the maximum allowed ({BITS_MAX})"));
    }
    let mut out = BitString::zeros(a.length + b.length);
    out.bytes[..a.bytes.len()].copy_from_slice(&a.bytes);
    let (start, shift) = (a.length as usize / 8, a.length % 8);
    for (i, byte) in b.bytes.iter().enumerate() {
        out.bytes[start + i] |= byte >> shift;
        if shift > 0 && start + i + 1 < out.bytes.len() {
            out.bytes[start + i + 1] |= byte << (8 - shift);
        }
    }
    Ok(out)
}

/// From 1; what lies before the string counts.
fn substring(value: &BitString, from: i32, count: Option<i32>) -> Result<BitString> {
    let end = match count {
        None => i64::MAX,
        Some(count) if count < 0 => return Err(err!(SUBSTRING_ERROR, "negative substring length not allowed")),
        Some(count) => i64::from(from) + i64::from(count) - 1,
    };
    let clamp = |n: i64| n.clamp(0, i64::from(value.length)) as u32;
    Ok(value.slice(clamp(i64::from(from) - 1), clamp(end)))
}

fn overlay(value: &BitString, new: &BitString, from: i32, count: i32) -> Result<Datum> {
    if from <= 0 {
        return Err(err!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let behind = from.checked_add(count).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let head = concatenate(&substring(value, 1, Some(from - 1))?, new)?;
    concatenate(&head, &substring(value, behind, None)?).map(Datum::Bit)
}

fn position(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (value, part) = (bits(args, 0)?, bits(args, 1)?);
    if part.length > value.length {
        return Ok(Datum::Int4(0));
    }
    if part.length == 0 {
        return Ok(Datum::Int4(i32::from(value.length > 0)));
    }
    let starts = 0..=value.length - part.length;
    let found = starts.into_iter().find(|start| (0..part.length).all(|i| value.get(start + i) == part.get(i)));
    Ok(Datum::Int4(found.map_or(0, |start| start as i32 + 1)))
}

fn index(value: &BitString, at: i32) -> Result<u32> {
    u32::try_from(at).ok().filter(|at| *at < value.length).ok_or_else(|| {
        err!(ARRAY_SUBSCRIPT_ERROR, "bit index {at} out of valid range (0..{})", i64::from(value.length) - 1)
    })
}

fn set_bit(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut value = bits(args, 0)?.clone();
    let at = index(&value, args.int4(1)?)?;
    let new = args.int4(2)?;
    if !matches!(new, 0 | 1) {
        return Err(err!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
    }
    value.set(at, new == 1);
    Ok(Datum::Bit(value))
}

/// The lowest bits of a number, its sign in front of it.
fn from_integer(value: i64, width: u32, length: i32) -> Datum {
    let length = u32::try_from(length).ok().filter(|n| *n > 0).unwrap_or(1);
    let mut out = BitString::zeros(length);
    for at in 0..length {
        let place = length - 1 - at;
        let bit = if place >= width { value < 0 } else { value >> place & 1 == 1 };
        out.set(at, bit);
    }
    Datum::Bit(out)
}

fn to_integer(value: &BitString, width: u32, name: &str) -> Result<u64> {
    if value.length > width {
        return Err(err!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range"));
    }
    Ok((0..value.length).fold(0u64, |n, at| n << 1 | u64::from(value.get(at))))
}

#[derive(Debug)]
struct Combined {
    value: Option<BitString>,
    name: &'static str,
    with: fn(u8, u8) -> u8,
}

impl Accumulator for Combined {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let new = bits(args, 0)?;
        self.value = Some(match &self.value {
            None => new.clone(),
            Some(value) => combine(value, new, self.name, self.with)?,
        });
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.value.clone().map_or(Datum::Null, Datum::Bit))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.value.as_ref().map_or(0, |value| value.bytes.len())
    }
}
