//! Self-describing bytes of a [`Datum`]: a kind byte, then a payload whose length is known from outside.
//!
//! Rows store their columns in this form, and the execution engine keeps arrays, records and intervals in it.
//! Integers take as many bytes as they need. Equal representations have equal bytes. Decoding damaged bytes is an
//! error (XX001), never a panic, and the nesting of arrays and records is bounded.

use super::datum::{Array, Datum, DatumRef, Interval, Record};
use super::{BitString, Inet, Jsonb, JsonbRef, Multirange, Numeric, Oid, Range, RangeBound};
use crate::err;
use crate::error::{Error, Result};

/// How deep arrays and records nest at most.
const DEPTH_MAX: usize = 64;

/// The kind byte; also the mark of a value in keys.
pub(super) mod kind {
    pub(in crate::document) const NULL: u8 = 0;
    pub(in crate::document) const FALSE: u8 = 1;
    pub(in crate::document) const TRUE: u8 = 2;
    pub(in crate::document) const INT2: u8 = 3;
    pub(in crate::document) const INT4: u8 = 4;
    pub(in crate::document) const INT8: u8 = 5;
    pub(in crate::document) const OID: u8 = 6;
    pub(in crate::document) const FLOAT4: u8 = 7;
    pub(in crate::document) const FLOAT8: u8 = 8;
    pub(in crate::document) const NUMERIC: u8 = 9;
    pub(in crate::document) const TEXT: u8 = 10;
    pub(in crate::document) const JSON: u8 = 11;
    pub(in crate::document) const JSONB: u8 = 12;
    pub(in crate::document) const BYTEA: u8 = 13;
    pub(in crate::document) const DATE: u8 = 14;
    pub(in crate::document) const TIME: u8 = 15;
    pub(in crate::document) const TIMETZ: u8 = 16;
    pub(in crate::document) const TIMESTAMP: u8 = 17;
    pub(in crate::document) const TIMESTAMPTZ: u8 = 18;
    pub(in crate::document) const INTERVAL: u8 = 19;
    pub(in crate::document) const UUID: u8 = 20;
    pub(in crate::document) const ARRAY: u8 = 21;
    pub(in crate::document) const RECORD: u8 = 22;
    pub(in crate::document) const ENUM: u8 = 23;
    pub(in crate::document) const RANGE: u8 = 24;
    pub(in crate::document) const MULTIRANGE: u8 = 25;
    pub(in crate::document) const BIT: u8 = 26;
    pub(in crate::document) const INET: u8 = 27;
    pub(in crate::document) const MACADDR: u8 = 28;
    pub(in crate::document) const MACADDR8: u8 = 29;
    pub(in crate::document) const MONEY: u8 = 30;
}

fn damaged() -> Error {
    err!(DATA_CORRUPTED, "stored value is damaged")
}

/// Appends the bytes of a value.
pub fn encode(value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Null => out.push(kind::NULL),
        Datum::Bool(value) => out.push(if *value { kind::TRUE } else { kind::FALSE }),
        Datum::Int2(value) => put_integer(kind::INT2, (*value).into(), out),
        Datum::Int4(value) => put_integer(kind::INT4, (*value).into(), out),
        Datum::Int8(value) => put_integer(kind::INT8, *value, out),
        Datum::Oid(value) => put_integer(kind::OID, (*value).into(), out),
        Datum::Float4(value) => put(kind::FLOAT4, &value.to_le_bytes(), out),
        Datum::Float8(value) => put(kind::FLOAT8, &value.to_le_bytes(), out),
        Datum::Numeric(value) => {
            out.push(kind::NUMERIC);
            value.write_bytes(out);
        }
        Datum::Text(value) => put(kind::TEXT, value.as_bytes(), out),
        Datum::Json(value) => put(kind::JSON, value.as_bytes(), out),
        Datum::Jsonb(value) => put(kind::JSONB, value.as_bytes(), out),
        Datum::Bytea(value) => put(kind::BYTEA, value, out),
        Datum::Date(value) => put_integer(kind::DATE, (*value).into(), out),
        Datum::Time(value) => put_integer(kind::TIME, *value, out),
        Datum::TimeTz(micros, zone) => {
            put(kind::TIMETZ, &micros.to_le_bytes(), out);
            out.extend_from_slice(&zone.to_le_bytes());
        }
        Datum::Timestamp(value) => put_integer(kind::TIMESTAMP, *value, out),
        Datum::TimestampTz(value) => put_integer(kind::TIMESTAMPTZ, *value, out),
        Datum::Interval(value) => {
            put(kind::INTERVAL, &value.months.to_le_bytes(), out);
            out.extend_from_slice(&value.days.to_le_bytes());
            out.extend_from_slice(&value.micros.to_le_bytes());
        }
        Datum::Uuid(value) => put(kind::UUID, value, out),
        Datum::Array(array) => encode_array(array, out),
        Datum::Record(record) => encode_record(record, out),
        Datum::Enum(typ, order) => {
            put(kind::ENUM, &typ.to_le_bytes(), out);
            out.extend_from_slice(&order.to_le_bytes());
        }
        Datum::Range(range) => {
            put(kind::RANGE, &range.typ.to_le_bytes(), out);
            if let Some(bounds) = &range.bounds {
                encode_bounds(bounds, out);
            }
        }
        Datum::Multirange(value) => {
            put(kind::MULTIRANGE, &value.typ.to_le_bytes(), out);
            out.extend_from_slice(&value.range_typ.to_le_bytes());
            value.ranges.iter().for_each(|bounds| encode_bounds(bounds, out));
        }
        Datum::Bit(bits) => {
            put(kind::BIT, &bits.length.to_le_bytes(), out);
            out.extend_from_slice(&bits.bytes);
        }
        Datum::Inet(inet) => {
            put(kind::INET, &[u8::from(inet.is_v6) | u8::from(inet.is_cidr) << 1, inet.bits], out);
            out.extend_from_slice(inet.bytes());
        }
        Datum::MacAddr(value) => put(kind::MACADDR, value, out),
        Datum::MacAddr8(value) => put(kind::MACADDR8, value, out),
        Datum::Money(value) => put_integer(kind::MONEY, *value, out),
    }
}

fn put(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(payload);
}

/// Zigzag, little endian, without leading zero bytes.
#[inline]
fn put_integer(kind: u8, value: i64, out: &mut Vec<u8>) {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    let length = 8 - zigzag.leading_zeros() as usize / 8;
    put(kind, &zigzag.to_le_bytes()[..length], out);
}

fn put_sized(value: &Datum, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    scratch.clear();
    if !value.is_null() {
        encode(value, scratch);
    }
    put_length(scratch.len(), out);
    out.extend_from_slice(scratch);
}

/// A mark of what is there and inclusive, then the values.
fn encode_bounds((lower, upper): &(RangeBound, RangeBound), out: &mut Vec<u8>) {
    let mut scratch = Vec::new();
    let mark = |bound: &RangeBound| u8::from(bound.value.is_some()) | u8::from(bound.inclusive) << 1;
    out.push(mark(lower) | mark(upper) << 2);
    for value in [&lower.value, &upper.value].into_iter().flatten() {
        put_sized(value, &mut scratch, out);
    }
}

/// LEB128.
fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn encode_array(array: &Array, out: &mut Vec<u8>) {
    put(kind::ARRAY, &array.element.to_le_bytes(), out);
    out.push(array.dims.len() as u8);
    for (length, lower) in &array.dims {
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&lower.to_le_bytes());
    }
    let mut scratch = Vec::new();
    for value in &array.values {
        put_sized(value, &mut scratch, out);
    }
}

fn encode_record(record: &Record, out: &mut Vec<u8>) {
    out.push(kind::RECORD);
    put_length(record.values.len(), out);
    let mut scratch = Vec::new();
    for (i, value) in record.values.iter().enumerate() {
        let (name, oid) = record.fields.get(i).map_or(("", 0), |(name, oid)| (&**name, *oid));
        out.extend_from_slice(&oid.to_le_bytes());
        put_length(name.len(), out);
        out.extend_from_slice(name.as_bytes());
        put_sized(value, &mut scratch, out);
    }
}

/// Reads the bytes of a value.
pub fn decode(bytes: &[u8]) -> Result<Datum> {
    decode_ref(bytes).map(DatumRef::into_owned)
}

/// Reads the bytes of a value, borrowing text and documents.
#[inline]
pub fn decode_ref(bytes: &[u8]) -> Result<DatumRef<'_>> {
    decode_at(bytes, 0)
}

fn decode_at(bytes: &[u8], depth: usize) -> Result<DatumRef<'_>> {
    let Some((&kind, payload)) = bytes.split_first() else { return Err(damaged()) };
    let text = || std::str::from_utf8(payload).map_err(|_| damaged());
    Ok(match kind {
        kind::NULL if payload.is_empty() => DatumRef::Null,
        kind::FALSE if payload.is_empty() => DatumRef::Bool(false),
        kind::TRUE if payload.is_empty() => DatumRef::Bool(true),
        kind::INT2 => DatumRef::Int2(integer(payload)?.try_into().map_err(|_| damaged())?),
        kind::INT4 => DatumRef::Int4(integer(payload)?.try_into().map_err(|_| damaged())?),
        kind::INT8 => DatumRef::Int8(integer(payload)?),
        kind::OID => DatumRef::Oid(integer(payload)?.try_into().map_err(|_| damaged())?),
        kind::FLOAT4 => DatumRef::Float4(f32::from_le_bytes(fixed(payload)?)),
        kind::FLOAT8 => DatumRef::Float8(f64::from_le_bytes(fixed(payload)?)),
        kind::NUMERIC => DatumRef::Numeric(Numeric::from_bytes(payload)?),
        kind::TEXT => DatumRef::Text(text()?),
        kind::JSON => DatumRef::Json(text()?),
        kind::JSONB if !payload.is_empty() => DatumRef::Jsonb(JsonbRef::new(payload)),
        kind::BYTEA => DatumRef::Bytea(payload),
        kind::DATE => DatumRef::Date(integer(payload)?.try_into().map_err(|_| damaged())?),
        kind::TIME => DatumRef::Time(integer(payload)?),
        kind::TIMETZ if payload.len() == 12 => {
            DatumRef::TimeTz(i64::from_le_bytes(fixed(&payload[..8])?), i32::from_le_bytes(fixed(&payload[8..])?))
        }
        kind::TIMESTAMP => DatumRef::Timestamp(integer(payload)?),
        kind::TIMESTAMPTZ => DatumRef::TimestampTz(integer(payload)?),
        kind::INTERVAL if payload.len() == 16 => DatumRef::Interval(Interval {
            months: i32::from_le_bytes(fixed(&payload[..4])?),
            days: i32::from_le_bytes(fixed(&payload[4..8])?),
            micros: i64::from_le_bytes(fixed(&payload[8..])?),
        }),
        kind::UUID => DatumRef::Uuid(fixed(payload)?),
        kind::ARRAY | kind::RECORD | kind::RANGE | kind::MULTIRANGE if depth >= DEPTH_MAX => return Err(damaged()),
        kind::ENUM if payload.len() == 12 => {
            DatumRef::Enum(u32::from_le_bytes(fixed(&payload[..4])?), i64::from_le_bytes(fixed(&payload[4..])?))
        }
        kind::RANGE => DatumRef::Range(Box::new(decode_range(payload, depth)?)),
        kind::MULTIRANGE => DatumRef::Multirange(Box::new(decode_multirange(payload, depth)?)),
        kind::BIT => DatumRef::Bit(decode_bits(payload)?),
        kind::INET => DatumRef::Inet(decode_inet(payload)?),
        kind::MACADDR => DatumRef::MacAddr(fixed(payload)?),
        kind::MACADDR8 => DatumRef::MacAddr8(fixed(payload)?),
        kind::MONEY => DatumRef::Money(integer(payload)?),
        kind::ARRAY => DatumRef::Array(Box::new(decode_array(payload, depth)?)),
        kind::RECORD => DatumRef::Record(Box::new(decode_record(payload, depth)?)),
        _ => return Err(damaged()),
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| damaged())
}

#[inline]
fn integer(bytes: &[u8]) -> Result<i64> {
    if bytes.len() > 8 || bytes.last() == Some(&0) {
        return Err(damaged());
    }
    let mut raw = [0u8; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    let zigzag = u64::from_le_bytes(raw);
    Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
}

/// Takes the next `n` bytes.
fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(n).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(head)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32> {
    Ok(u32::from_le_bytes(fixed(take(bytes, 4)?)?))
}

fn take_length(bytes: &mut &[u8]) -> Result<usize> {
    let mut length = 0u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = take(bytes, 1)?[0];
        length |= ((byte & 0x7f) as u64) << shift;
        if byte < 0x80 {
            return Ok(length as usize);
        }
    }
    Err(damaged())
}

fn take_sized(bytes: &mut &[u8], depth: usize) -> Result<Datum> {
    let length = take_length(bytes)?;
    let value = take(bytes, length)?;
    if value.is_empty() { Ok(Datum::Null) } else { Ok(checked(decode_at(value, depth + 1)?)?.into_owned()) }
}

/// A document inside another value is checked here, where nobody else would.
fn checked(value: DatumRef<'_>) -> Result<DatumRef<'_>> {
    if let DatumRef::Jsonb(document) = value {
        Jsonb::from_bytes(document.as_bytes())?;
    }
    Ok(value)
}

fn decode_array(mut bytes: &[u8], depth: usize) -> Result<Array> {
    let element: Oid = take_u32(&mut bytes)?;
    let count = take(&mut bytes, 1)?[0];
    if count > 6 {
        return Err(damaged());
    }
    let mut dims = Vec::with_capacity(count as usize);
    let mut product = if count == 0 { 0 } else { 1usize };
    for _ in 0..count {
        let (length, lower) = (take_u32(&mut bytes)? as i32, take_u32(&mut bytes)? as i32);
        let length_checked = usize::try_from(length).ok().filter(|&length| length > 0).ok_or_else(damaged)?;
        product = product.checked_mul(length_checked).ok_or_else(damaged)?;
        dims.push((length, lower));
    }
    // An element takes a byte at least.
    if product > bytes.len() {
        return Err(damaged());
    }
    let mut values = Vec::with_capacity(product);
    for _ in 0..product {
        values.push(take_sized(&mut bytes, depth)?);
    }
    if bytes.is_empty() { Ok(Array { element, dims, values }) } else { Err(damaged()) }
}

fn decode_bounds(bytes: &mut &[u8], depth: usize) -> Result<(RangeBound, RangeBound)> {
    let mark = take(bytes, 1)?[0];
    let mut bound = |mark: u8| -> Result<RangeBound> {
        let value = if mark & 1 == 1 { Some(take_sized(bytes, depth)?) } else { None };
        Ok(RangeBound { value, inclusive: mark & 2 == 2 })
    };
    Ok((bound(mark & 3)?, bound(mark >> 2)?))
}

fn decode_range(mut bytes: &[u8], depth: usize) -> Result<Range> {
    let typ = take_u32(&mut bytes)?;
    let bounds = if bytes.is_empty() { None } else { Some(decode_bounds(&mut bytes, depth)?) };
    if bytes.is_empty() { Ok(Range { typ, bounds }) } else { Err(damaged()) }
}

fn decode_multirange(mut bytes: &[u8], depth: usize) -> Result<Multirange> {
    let (typ, range_typ) = (take_u32(&mut bytes)?, take_u32(&mut bytes)?);
    let mut ranges = Vec::new();
    while !bytes.is_empty() {
        ranges.push(decode_bounds(&mut bytes, depth)?);
    }
    Ok(Multirange { typ, range_typ, ranges })
}

fn decode_bits(mut bytes: &[u8]) -> Result<BitString> {
    let length = take_u32(&mut bytes)?;
    if bytes.len() != (length as usize).div_ceil(8) {
        return Err(damaged());
    }
    let mut bits = BitString { length, bytes: bytes.into() };
    bits.clear_padding();
    Ok(bits)
}

fn decode_inet(mut bytes: &[u8]) -> Result<Inet> {
    let head = take(&mut bytes, 2)?;
    let mut inet = Inet { is_v6: head[0] & 1 == 1, bits: head[1], is_cidr: head[0] & 2 == 2, address: [0; 16] };
    if bytes.len() != usize::from(inet.width()) / 8 || inet.bits > inet.width() {
        return Err(damaged());
    }
    inet.address[..bytes.len()].copy_from_slice(bytes);
    Ok(inet)
}

fn decode_record(mut bytes: &[u8], depth: usize) -> Result<Record> {
    let count = take_length(&mut bytes)?;
    if count > bytes.len() {
        return Err(damaged());
    }
    let (mut fields, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        let oid = take_u32(&mut bytes)?;
        let length = take_length(&mut bytes)?;
        let name = std::str::from_utf8(take(&mut bytes, length)?).map_err(|_| damaged())?;
        fields.push((name.into(), oid));
        values.push(take_sized(&mut bytes, depth)?);
    }
    if bytes.is_empty() { Ok(Record { fields: fields.into(), values }) } else { Err(damaged()) }
}
