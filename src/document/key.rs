//! Keys: bytes whose order (memcmp) is the SQL order of the values, and which can be read back.
//!
//! A column is a mark (NULL before or after everything, else the kind of the value) and the value, complemented for
//! descending columns. No value's bytes are a prefix of another's, so columns follow each other without more.
//! Values that are equal in SQL have the same bytes: a number comes back with its smallest scale, an interval with
//! its months counted as 30 days. The row itself holds the value as it was written.

use super::bytes::kind;
use super::datum::{Array, Datum, Interval, Record};
use super::{BitString, Inet, Multirange, Numeric, Range, RangeBound, jsonb};
use crate::err;
use crate::error::{Error, Result};

/// How a key column sorts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KeyOrder {
    /// From the largest to the smallest.
    pub descending: bool,
    /// NULLs before everything else (the default is after).
    pub nulls_first: bool,
}

/// The mark of NULL where NULLs come first; less than every value's mark.
const NULL_FIRST: u8 = 0x00;
/// The mark of NULL where NULLs come last.
const NULL_LAST: u8 = 0xff;
/// Marks of values are this and the kind.
const VALUE: u8 = 0x10;
/// Ends the elements of an array or record; less than every mark inside.
const END: u8 = 0x00;
const MICROS_PER_DAY: i128 = 86_400_000_000;
/// How deep arrays and records nest at most.
const DEPTH_MAX: usize = 64;

/// Appends the key of some columns; columns without an order ascend with NULLs last.
pub fn encode_key(values: &[Datum], orders: &[KeyOrder], out: &mut Vec<u8>) {
    for (i, value) in values.iter().enumerate() {
        encode_column(value, orders.get(i).copied().unwrap_or_default(), out);
    }
}

/// Appends one column of a key.
pub fn encode_column(value: &Datum, order: KeyOrder, out: &mut Vec<u8>) {
    if value.is_null() {
        out.push(if order.nulls_first { NULL_FIRST } else { NULL_LAST });
        return;
    }
    out.push(VALUE + kind_of(value));
    let start = out.len();
    write_value(value, out);
    if order.descending {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// Reads back as many columns as there are orders.
pub fn decode_key(bytes: &[u8], orders: &[KeyOrder]) -> Result<Vec<Datum>> {
    let mut rest = bytes;
    let mut values = Vec::with_capacity(orders.len());
    for order in orders {
        values.push(decode_column(&mut rest, *order)?);
    }
    if rest.is_empty() { Ok(values) } else { Err(damaged()) }
}

/// Reads one column and moves on behind it.
pub fn decode_column(bytes: &mut &[u8], order: KeyOrder) -> Result<Datum> {
    let (&mark, rest) = bytes.split_first().ok_or_else(damaged)?;
    if mark == NULL_FIRST || mark == NULL_LAST {
        *bytes = rest;
        return Ok(Datum::Null);
    }
    let kind = mark.checked_sub(VALUE).ok_or_else(damaged)?;
    if !order.descending {
        *bytes = rest;
        return read_value(kind, bytes, 0);
    }
    let flipped: Vec<u8> = rest.iter().map(|byte| !byte).collect();
    let mut left = flipped.as_slice();
    let value = read_value(kind, &mut left, 0)?;
    *bytes = &rest[rest.len() - left.len()..];
    Ok(value)
}

/// The key of a table without primary key: the row's number.
pub fn encode_rowid(rowid: i64) -> [u8; 8] {
    flip_i64(rowid).to_be_bytes()
}

/// Reads [`encode_rowid`] back.
pub fn decode_rowid(key: &[u8]) -> Result<i64> {
    let raw: [u8; 8] = key.try_into().map_err(|_| damaged())?;
    Ok(unflip_i64(u64::from_be_bytes(raw)))
}

/// Appends the sort key of a value: byte order and equality are the SQL ones. The same as in keys, without a mark;
/// nothing is written for NULL, which callers order themselves. Blank-padded text must have its blanks trimmed before.
pub fn sort_key(value: &Datum, out: &mut Vec<u8>) {
    if !value.is_null() {
        write_value(value, out);
    }
}

fn damaged() -> Error {
    err!(INDEX_CORRUPTED, "stored key is damaged")
}

fn kind_of(value: &Datum) -> u8 {
    match value {
        Datum::Null => kind::NULL,
        Datum::Bool(_) => kind::TRUE,
        Datum::Int2(_) => kind::INT2,
        Datum::Int4(_) => kind::INT4,
        Datum::Int8(_) => kind::INT8,
        Datum::Oid(_) => kind::OID,
        Datum::Float4(_) => kind::FLOAT4,
        Datum::Float8(_) => kind::FLOAT8,
        Datum::Numeric(_) => kind::NUMERIC,
        Datum::Text(_) => kind::TEXT,
        Datum::Json(_) => kind::JSON,
        Datum::Jsonb(_) => kind::JSONB,
        Datum::Bytea(_) => kind::BYTEA,
        Datum::Date(_) => kind::DATE,
        Datum::Time(_) => kind::TIME,
        Datum::TimeTz(..) => kind::TIMETZ,
        Datum::Timestamp(_) => kind::TIMESTAMP,
        Datum::TimestampTz(_) => kind::TIMESTAMPTZ,
        Datum::Interval(_) => kind::INTERVAL,
        Datum::Uuid(_) => kind::UUID,
        Datum::Array(_) => kind::ARRAY,
        Datum::Record(_) => kind::RECORD,
        Datum::Enum(..) => kind::ENUM,
        Datum::Range(_) => kind::RANGE,
        Datum::Multirange(_) => kind::MULTIRANGE,
        Datum::Bit(_) => kind::BIT,
        Datum::Inet(_) => kind::INET,
        Datum::MacAddr(_) => kind::MACADDR,
        Datum::MacAddr8(_) => kind::MACADDR8,
        Datum::Money(_) => kind::MONEY,
    }
}

fn flip_i64(value: i64) -> u64 {
    value as u64 ^ (1 << 63)
}

fn unflip_i64(value: u64) -> i64 {
    (value ^ (1 << 63)) as i64
}

fn flip_i32(value: i32) -> u32 {
    value as u32 ^ (1 << 31)
}

fn unflip_i32(value: u32) -> i32 {
    (value ^ (1 << 31)) as i32
}

/// PostgreSQL compares intervals by this: a month is 30 days.
fn interval_micros(value: &Interval) -> i128 {
    (value.months as i128 * 30 + value.days as i128) * MICROS_PER_DAY + value.micros as i128
}

fn write_value(value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Null => {}
        Datum::Bool(value) => out.push(*value as u8),
        Datum::Int2(value) => out.extend_from_slice(&(*value as u16 ^ (1 << 15)).to_be_bytes()),
        Datum::Int4(value) | Datum::Date(value) => out.extend_from_slice(&flip_i32(*value).to_be_bytes()),
        Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => {
            out.extend_from_slice(&flip_i64(*value).to_be_bytes());
        }
        Datum::Oid(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Float4(value) => {
            // -0 equals 0, and every NaN is the same, greater than Infinity.
            let bits = if value.is_nan() { f32::NAN.to_bits() } else { (*value + 0.0).to_bits() };
            let key = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            out.extend_from_slice(&key.to_be_bytes());
        }
        Datum::Float8(value) => {
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { (*value + 0.0).to_bits() };
            let key = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            out.extend_from_slice(&key.to_be_bytes());
        }
        Datum::Numeric(value) => value.write_sort_key(out),
        Datum::Text(value) | Datum::Json(value) => write_escaped(value.as_bytes(), out),
        Datum::Jsonb(value) => value.as_ref().write_sort_key(out),
        Datum::Bytea(value) => write_escaped(value, out),
        Datum::TimeTz(micros, zone) => {
            // By the moment in UTC, then by zone.
            let utc = micros + *zone as i64 * 1_000_000;
            out.extend_from_slice(&flip_i64(utc).to_be_bytes());
            out.extend_from_slice(&flip_i32(*zone).to_be_bytes());
        }
        Datum::Interval(value) => {
            let key = interval_micros(value) as u128 ^ (1 << 127);
            out.extend_from_slice(&key.to_be_bytes());
        }
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Array(array) => write_array(array, out),
        Datum::Record(record) => {
            record.values.iter().for_each(|value| encode_column(value, KeyOrder::default(), out));
            out.push(END);
            for i in 0..record.values.len() {
                let oid = record.fields.get(i).map_or(0, |(_, oid)| *oid);
                out.extend_from_slice(&oid.to_be_bytes());
            }
        }
        other => write_more(other, out),
    }
}

/// Bytes of a range's bounds, in their order: one that is not there is below every lower and above every upper bound.
fn write_bounds((lower, upper): &(RangeBound, RangeBound), out: &mut Vec<u8>) {
    match &lower.value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            encode_column(value, KeyOrder::default(), out);
            out.push(u8::from(!lower.inclusive));
        }
    }
    match &upper.value {
        None => out.push(2),
        Some(value) => {
            out.push(1);
            encode_column(value, KeyOrder::default(), out);
            out.push(u8::from(upper.inclusive));
        }
    }
}

/// Elements, then their number (by the end mark), then the dimensions, then the lower bounds.
fn write_array(array: &Array, out: &mut Vec<u8>) {
    array.values.iter().for_each(|value| encode_column(value, KeyOrder::default(), out));
    out.push(END);
    out.push(array.dims.len() as u8);
    array.dims.iter().for_each(|(length, _)| out.extend_from_slice(&flip_i32(*length).to_be_bytes()));
    array.dims.iter().for_each(|(_, lower)| out.extend_from_slice(&flip_i32(*lower).to_be_bytes()));
    out.extend_from_slice(&array.element.to_be_bytes());
}

fn write_more(value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Enum(typ, order) => {
            out.extend_from_slice(&flip_i64(*order).to_be_bytes());
            out.extend_from_slice(&typ.to_be_bytes());
        }
        Datum::Range(range) => {
            out.push(u8::from(range.bounds.is_some()));
            if let Some(bounds) = &range.bounds {
                write_bounds(bounds, out);
            }
            out.extend_from_slice(&range.typ.to_be_bytes());
        }
        Datum::Multirange(value) => {
            for bounds in &value.ranges {
                out.push(1);
                write_bounds(bounds, out);
            }
            out.push(END);
            out.extend_from_slice(&value.typ.to_be_bytes());
            out.extend_from_slice(&value.range_typ.to_be_bytes());
        }
        Datum::Bit(bits) => {
            write_escaped(&bits.bytes, out);
            out.extend_from_slice(&bits.length.to_be_bytes());
        }
        Datum::Inet(inet) => inet.write_sort_key(out),
        Datum::MacAddr(value) => out.extend_from_slice(value),
        Datum::MacAddr8(value) => out.extend_from_slice(value),
        Datum::Money(value) => out.extend_from_slice(&flip_i64(*value).to_be_bytes()),
        _ => {}
    }
}

/// Bytes with 00 written as 00 FF, ended by 00 00.
pub(super) fn write_escaped(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Some(zero) = bytes.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&bytes[..=zero]);
        out.push(0xff);
        bytes = &bytes[zero + 1..];
    }
    out.extend_from_slice(bytes);
    out.extend_from_slice(&[0, 0]);
}

/// The bytes before the end mark, and how many were read.
pub(super) fn read_escaped(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut result = Vec::new();
    let mut at = 0;
    loop {
        let zero = at + bytes.get(at..)?.iter().position(|&byte| byte == 0)?;
        result.extend_from_slice(&bytes[at..zero]);
        at = zero + 2;
        match bytes.get(zero + 1)? {
            0 => return Some((result, at)),
            0xff => result.push(0),
            _ => return None,
        }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or_else(damaged)?;
    *bytes = rest;
    Ok(*head)
}

fn take_i64(bytes: &mut &[u8]) -> Result<i64> {
    Ok(unflip_i64(u64::from_be_bytes(take(bytes)?)))
}

fn take_i32(bytes: &mut &[u8]) -> Result<i32> {
    Ok(unflip_i32(u32::from_be_bytes(take(bytes)?)))
}

fn take_escaped(bytes: &mut &[u8]) -> Result<Vec<u8>> {
    let (value, used) = read_escaped(bytes).ok_or_else(damaged)?;
    *bytes = &bytes[used..];
    Ok(value)
}

fn take_text(bytes: &mut &[u8]) -> Result<Box<str>> {
    Ok(String::from_utf8(take_escaped(bytes)?).map_err(|_| damaged())?.into())
}

fn read_value(kind: u8, bytes: &mut &[u8], depth: usize) -> Result<Datum> {
    Ok(match kind {
        kind::TRUE => match take(bytes)? {
            [0] => Datum::Bool(false),
            [1] => Datum::Bool(true),
            _ => return Err(damaged()),
        },
        kind::INT2 => Datum::Int2((u16::from_be_bytes(take(bytes)?) ^ (1 << 15)) as i16),
        kind::INT4 => Datum::Int4(take_i32(bytes)?),
        kind::DATE => Datum::Date(take_i32(bytes)?),
        kind::INT8 => Datum::Int8(take_i64(bytes)?),
        kind::TIME => Datum::Time(take_i64(bytes)?),
        kind::TIMESTAMP => Datum::Timestamp(take_i64(bytes)?),
        kind::TIMESTAMPTZ => Datum::TimestampTz(take_i64(bytes)?),
        kind::OID => Datum::Oid(u32::from_be_bytes(take(bytes)?)),
        kind::FLOAT4 => {
            let key = u32::from_be_bytes(take(bytes)?);
            Datum::Float4(f32::from_bits(if key >> 31 == 0 { !key } else { key ^ 1 << 31 }))
        }
        kind::FLOAT8 => {
            let key = u64::from_be_bytes(take(bytes)?);
            Datum::Float8(f64::from_bits(if key >> 63 == 0 { !key } else { key ^ 1 << 63 }))
        }
        kind::NUMERIC => {
            let (value, used) = Numeric::read_sort_key(bytes)?;
            *bytes = &bytes[used..];
            Datum::Numeric(value)
        }
        kind::TEXT => Datum::Text(take_text(bytes)?),
        kind::JSON => Datum::Json(take_text(bytes)?),
        kind::JSONB => {
            let (value, used) = jsonb::read_sort_key(bytes)?;
            *bytes = &bytes[used..];
            Datum::Jsonb(value)
        }
        kind::BYTEA => Datum::Bytea(take_escaped(bytes)?.into()),
        kind::TIMETZ => {
            let (utc, zone) = (take_i64(bytes)?, take_i32(bytes)?);
            Datum::TimeTz(utc.wrapping_sub(zone as i64 * 1_000_000), zone)
        }
        kind::INTERVAL => read_interval(u128::from_be_bytes(take(bytes)?) ^ (1 << 127))?,
        kind::UUID => Datum::Uuid(take(bytes)?),
        kind::ARRAY | kind::RECORD if depth < DEPTH_MAX => read_nested(kind, bytes, depth)?,
        kind::RANGE | kind::MULTIRANGE if depth < DEPTH_MAX => read_ranges(kind, bytes, depth)?,
        kind::ENUM => {
            let order = take_i64(bytes)?;
            Datum::Enum(u32::from_be_bytes(take(bytes)?), order)
        }
        kind::BIT => {
            let value = take_escaped(bytes)?;
            let length = u32::from_be_bytes(take(bytes)?);
            if value.len() != (length as usize).div_ceil(8) {
                return Err(damaged());
            }
            Datum::Bit(BitString { length, bytes: value.into() })
        }
        kind::INET => {
            let (inet, used) = Inet::from_sort_key(bytes).ok_or_else(damaged)?;
            *bytes = &bytes[used..];
            Datum::Inet(inet)
        }
        kind::MACADDR => Datum::MacAddr(take(bytes)?),
        kind::MACADDR8 => Datum::MacAddr8(take(bytes)?),
        kind::MONEY => Datum::Money(take_i64(bytes)?),
        _ => return Err(damaged()),
    })
}

fn read_interval(key: u128) -> Result<Datum> {
    let total = key as i128;
    let (mut days, mut micros) = (total / MICROS_PER_DAY, total % MICROS_PER_DAY);
    // Spans that days alone cannot hold use months and then microseconds.
    let mut months = 0;
    if i32::try_from(days).is_err() {
        months = (days / 30).clamp(i32::MIN.into(), i32::MAX.into());
        days -= months * 30;
        let held = days.clamp(i32::MIN.into(), i32::MAX.into());
        micros += (days - held) * MICROS_PER_DAY;
        days = held;
    }
    Ok(Datum::Interval(Interval {
        months: months as i32,
        days: days as i32,
        micros: i64::try_from(micros).map_err(|_| damaged())?,
    }))
}

fn read_bounds(bytes: &mut &[u8], depth: usize) -> Result<(RangeBound, RangeBound)> {
    let mut bound = |none: u8, inclusive: u8| match take(bytes)? {
        [mark] if mark == none => Ok(RangeBound::UNBOUNDED),
        [1] => {
            let [mark] = take(bytes)?;
            let kind = mark.checked_sub(VALUE).ok_or_else(damaged)?;
            let value = read_value(kind, bytes, depth + 1)?;
            Ok(RangeBound { value: Some(value), inclusive: take(bytes)? == [inclusive] })
        }
        _ => Err(damaged()),
    };
    Ok((bound(0, 0)?, bound(2, 1)?))
}

fn read_ranges(kind: u8, bytes: &mut &[u8], depth: usize) -> Result<Datum> {
    if kind == kind::RANGE {
        let bounds = match take(bytes)? {
            [0] => None,
            _ => Some(read_bounds(bytes, depth)?),
        };
        return Ok(Datum::Range(Box::new(Range { typ: u32::from_be_bytes(take(bytes)?), bounds })));
    }
    let mut ranges = Vec::new();
    while take(bytes)? != [END] {
        ranges.push(read_bounds(bytes, depth)?);
    }
    let (typ, range_typ) = (u32::from_be_bytes(take(bytes)?), u32::from_be_bytes(take(bytes)?));
    Ok(Datum::Multirange(Box::new(Multirange { typ, range_typ, ranges })))
}

fn read_nested(kind: u8, bytes: &mut &[u8], depth: usize) -> Result<Datum> {
    let mut values = Vec::new();
    loop {
        match take(bytes)? {
            [END] => break,
            [NULL_LAST] => values.push(Datum::Null),
            [mark] => {
                let kind = mark.checked_sub(VALUE).ok_or_else(damaged)?;
                values.push(read_value(kind, bytes, depth + 1)?);
            }
        }
    }
    if kind == kind::RECORD {
        let mut fields = Vec::with_capacity(values.len());
        for i in 0..values.len() {
            fields.push((format!("f{}", i + 1).into(), u32::from_be_bytes(take(bytes)?)));
        }
        return Ok(Datum::Record(Box::new(Record { fields: fields.into(), values })));
    }
    let [count] = take(bytes)?;
    let lengths = (0..count).map(|_| take_i32(bytes)).collect::<Result<Vec<_>>>()?;
    let lowers = (0..count).map(|_| take_i32(bytes)).collect::<Result<Vec<_>>>()?;
    let element = u32::from_be_bytes(take(bytes)?);
    let product: i64 = lengths.iter().fold(1, |product, &length| product.saturating_mul(length.into()));
    let expected = if count == 0 { 0 } else { product };
    if count > 6 || expected != values.len() as i64 {
        return Err(damaged());
    }
    let dims = lengths.into_iter().zip(lowers).collect();
    Ok(Datum::Array(Box::new(Array { element, dims, values })))
}
