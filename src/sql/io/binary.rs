//! Values as bytes on the wire, as PostgreSQL's send and receive functions write and read them.

use std::sync::Arc;

use crate::document::{Array, Datum, Interval, Jsonb, Numeric, Oid, Record, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::types;

use super::array::{DIMENSIONS_MAX, ELEMENTS_MAX, too_large, too_many_dimensions};

/// How deep arrays of records of arrays may nest.
const DEPTH_MAX: usize = 64;

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.bytes.split_at_checked(count) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(err!(PROTOCOL_VIOLATION, "insufficient data left in message")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    fn text(&mut self) -> Result<&'a str> {
        utf8(self.rest())
    }
}

/// Text from a client: valid UTF-8 without zero bytes.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    let invalid = |bytes: &[u8]| {
        let shown: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
        err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "))
    };
    match std::str::from_utf8(bytes) {
        Ok(text) if text.as_bytes().contains(&0) => Err(invalid(&[0])),
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.valid_up_to();
            let length = match bytes[at] {
                0xC0..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF7 => 4,
                _ => 1,
            };
            Err(invalid(&bytes[at..(at + length).min(bytes.len())]))
        }
    }
}

fn format_error() -> Error {
    err!(INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
}

/// Reads a value's binary form; the modifier applies as in an assignment.
pub fn binary_in(typ: Type, bytes: &[u8]) -> Result<Datum> {
    let value = read(typ.oid, bytes, 0)?;
    crate::sql::casts::typmod::apply(value, typ, false)
}

fn read(oid: Oid, bytes: &[u8], depth: usize) -> Result<Datum> {
    let mut reader = Reader { bytes };
    let value = receive(oid, &mut reader, depth)?;
    if reader.bytes.is_empty() { Ok(value) } else { Err(format_error()) }
}

fn receive(oid: Oid, reader: &mut Reader<'_>, depth: usize) -> Result<Datum> {
    let range = |what: &str| err!(DATETIME_FIELD_OVERFLOW, "{what} out of range");
    Ok(match Type::new(oid) {
        Type::BOOL => Datum::Bool(reader.array::<1>()?[0] != 0),
        Type::INT2 => Datum::Int2(reader.array().map(i16::from_be_bytes)?),
        Type::INT4 => Datum::Int4(reader.i32()?),
        Type::INT8 => Datum::Int8(reader.i64()?),
        Type::FLOAT4 => Datum::Float4(reader.array().map(f32::from_be_bytes)?),
        Type::FLOAT8 => Datum::Float8(reader.array().map(f64::from_be_bytes)?),
        Type::NUMERIC => Datum::Numeric(Numeric::decode_binary(reader.rest())?),
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::UNKNOWN
        | Type::CSTRING
        | Type::REFCURSOR
        | Type::PG_NODE_TREE => Datum::text(reader.text()?),
        Type::NAME => {
            let text = reader.text()?;
            if text.len() > 63 {
                return Err(
                    err!(NAME_TOO_LONG, "identifier too long").detail("Identifier must be less than 64 characters.")
                );
            }
            Datum::text(text)
        }
        Type::CHAR => Datum::text(super::text::char_from_byte(reader.array::<1>()?[0])),
        Type::BYTEA => Datum::Bytea(reader.rest().into()),
        Type::JSON => {
            let text = reader.text()?;
            crate::document::json::validate(text)?;
            Datum::Json(text.into())
        }
        Type::JSONB => {
            let version = reader.array::<1>()?[0];
            if version != 1 {
                return Err(Error::internal(format!("unsupported jsonb version number {version}")));
            }
            Datum::Jsonb(Jsonb::parse(reader.text()?)?)
        }
        Type::UUID => Datum::Uuid(reader.array()?),
        Type::DATE => match reader.i32()? {
            days @ (i32::MAX | i32::MIN) => Datum::Date(days),
            days => Datum::Date(crate::sql::datetime::arithmetic::date_plus(days, 0)?),
        },
        Type::TIME => Datum::Time(time_of_day(reader.i64()?)?),
        Type::TIMETZ => {
            let time = time_of_day(reader.i64()?)?;
            let west = reader.i32()?;
            if west.unsigned_abs() >= 16 * 3600 {
                return Err(err!(INVALID_TIME_ZONE_DISPLACEMENT_VALUE, "time zone displacement out of range"));
            }
            Datum::TimeTz(time, west)
        }
        Type::TIMESTAMP => Datum::Timestamp(timestamp(reader.i64()?).ok_or_else(|| range("timestamp"))?),
        Type::TIMESTAMPTZ => Datum::TimestampTz(timestamp(reader.i64()?).ok_or_else(|| range("timestamp"))?),
        Type::INTERVAL => {
            let micros = reader.i64()?;
            let days = reader.i32()?;
            let months = reader.i32()?;
            Datum::Interval(Interval { months, days, micros })
        }
        typ if typ.is_oid() => Datum::Oid(reader.i32()? as u32),
        Type::JSONPATH => {
            let text = reader.text()?;
            let Some(text) = text.strip_prefix('\u{1}') else {
                return Err(Error::internal("unsupported jsonpath version number"));
            };
            Datum::text(crate::sql::jsonpath::Path::parse(text)?.to_string())
        }
        Type::VOID => Datum::Null,
        Type::XID8 => Datum::Int8(reader.i64()?),
        Type::RECORD => Datum::Record(Box::new(record(reader, depth)?)),
        _ => match types::element_of(oid) {
            Some(element) => Datum::Array(Box::new(array(element, reader, depth)?)),
            None if types::by_oid(oid).is_none() => Datum::Record(Box::new(record(reader, depth)?)),
            None => {
                return Err(err!(
                    UNDEFINED_FUNCTION,
                    "no binary input function available for type {}",
                    types::format_oid(oid, None)
                ));
            }
        },
    })
}

fn time_of_day(micros: i64) -> Result<i64> {
    if (0..=86_400_000_000).contains(&micros) {
        Ok(micros)
    } else {
        Err(err!(DATETIME_FIELD_OVERFLOW, "time out of range"))
    }
}

fn timestamp(micros: i64) -> Option<i64> {
    use crate::sql::datetime::calendar::{in_range, is_infinite};
    (is_infinite(micros) || in_range(micros)).then_some(micros)
}

fn element(oid: Oid, reader: &mut Reader<'_>, depth: usize) -> Result<Datum> {
    let length = reader.i32()?;
    match usize::try_from(length) {
        Ok(length) => read(oid, reader.take(length)?, depth + 1),
        Err(_) if length == -1 => Ok(Datum::Null),
        Err(_) => Err(format_error()),
    }
}

fn too_deep() -> Error {
    err!(STATEMENT_TOO_COMPLEX, "binary value is nested too deeply")
}

fn array(expected: Oid, reader: &mut Reader<'_>, depth: usize) -> Result<Array> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    let dimensions = reader.i32()?;
    if dimensions < 0 {
        return Err(err!(INVALID_BINARY_REPRESENTATION, "invalid number of dimensions: {dimensions}"));
    }
    if dimensions as usize > DIMENSIONS_MAX {
        return Err(too_many_dimensions(dimensions as usize));
    }
    let flags = reader.i32()?;
    if !matches!(flags, 0 | 1) {
        return Err(err!(INVALID_BINARY_REPRESENTATION, "invalid array flags"));
    }
    let oid = reader.i32()? as u32;
    if oid != expected {
        let name = |oid| types::format_oid(oid, None);
        return Err(err!(
            DATATYPE_MISMATCH,
            "binary data has array element type {oid} ({}) instead of expected {expected} ({})",
            name(oid),
            name(expected)
        ));
    }
    let mut dims = Vec::new();
    let mut count: usize = 1;
    for _ in 0..dimensions {
        let (length, lower) = (reader.i32()?, reader.i32()?);
        if length < 0 || lower.checked_add(length).is_none() {
            return Err(too_large());
        }
        count = count.checked_mul(length as usize).filter(|count| *count <= ELEMENTS_MAX).ok_or_else(too_large)?;
        dims.push((length, lower));
    }
    if dims.is_empty() || count == 0 {
        return Ok(Array { element: expected, dims: Vec::new(), values: Vec::new() });
    }
    // Every element takes four bytes at least: no more memory is asked for than the message could fill.
    let mut values = Vec::with_capacity(count.min(reader.bytes.len() / 4 + 1));
    for _ in 0..count {
        values.push(element(expected, reader, depth)?);
    }
    Ok(Array { element: expected, dims, values })
}

fn record(reader: &mut Reader<'_>, depth: usize) -> Result<Record> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    let count = reader.i32()?;
    if !(0..=1664).contains(&count) {
        return Err(format_error());
    }
    let mut fields = Vec::new();
    let mut values = Vec::new();
    for number in 1..=count {
        let oid = reader.i32()? as u32;
        values.push(element(oid, reader, depth)?);
        fields.push((format!("f{number}").into_boxed_str(), oid));
    }
    Ok(Record { fields: Arc::from(fields), values })
}

/// Writes a value's binary form. NULL writes nothing: its length -1 is the caller's.
pub fn binary_out(value: &Datum, typ: Type, out: &mut Vec<u8>) {
    match value {
        Datum::Null => {}
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Int2(n) => out.extend(n.to_be_bytes()),
        Datum::Int4(n) => out.extend(n.to_be_bytes()),
        Datum::Int8(n) => out.extend(n.to_be_bytes()),
        Datum::Oid(n) => out.extend(n.to_be_bytes()),
        Datum::Float4(n) => out.extend(n.to_be_bytes()),
        Datum::Float8(n) => out.extend(n.to_be_bytes()),
        Datum::Numeric(n) => n.encode_binary(out),
        Datum::Text(text) if typ.oid == Type::JSONPATH.oid => {
            out.push(1);
            out.extend(text.as_bytes());
        }
        Datum::Text(text) if typ.oid == Type::CHAR.oid => out.push(super::text::char_byte(text)),
        Datum::Text(text) | Datum::Json(text) => out.extend(text.as_bytes()),
        Datum::Jsonb(document) => {
            out.push(1);
            document.as_ref().write_text(out);
        }
        Datum::Bytea(bytes) => out.extend(&**bytes),
        Datum::Date(days) => out.extend(days.to_be_bytes()),
        Datum::Time(micros) | Datum::Timestamp(micros) | Datum::TimestampTz(micros) => {
            out.extend(micros.to_be_bytes());
        }
        Datum::TimeTz(micros, west) => {
            out.extend(micros.to_be_bytes());
            out.extend(west.to_be_bytes());
        }
        Datum::Interval(interval) => {
            out.extend(interval.micros.to_be_bytes());
            out.extend(interval.days.to_be_bytes());
            out.extend(interval.months.to_be_bytes());
        }
        Datum::Uuid(uuid) => out.extend(uuid),
        Datum::Array(array) => {
            let has_null = array.values.iter().any(Datum::is_null);
            for number in [array.dims.len() as i32, i32::from(has_null), array.element as i32] {
                out.extend(number.to_be_bytes());
            }
            for (length, lower) in &array.dims {
                out.extend(length.to_be_bytes());
                out.extend(lower.to_be_bytes());
            }
            for value in &array.values {
                with_length(value, Type::new(array.element), out);
            }
        }
        Datum::Record(record) => {
            out.extend((record.values.len() as i32).to_be_bytes());
            for (value, (_, oid)) in record.values.iter().zip(record.fields.iter()) {
                out.extend(oid.to_be_bytes());
                with_length(value, Type::new(*oid), out);
            }
        }
    }
}

fn with_length(value: &Datum, typ: Type, out: &mut Vec<u8>) {
    if value.is_null() {
        out.extend((-1i32).to_be_bytes());
        return;
    }
    let at = out.len();
    out.extend([0; 4]);
    binary_out(value, typ, out);
    let length = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}
