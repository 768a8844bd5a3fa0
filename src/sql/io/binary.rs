//! Values as bytes on the wire, as PostgreSQL's send and receive functions write and read them.

use std::sync::Arc;

use crate::document::user_type::{self, UserKind};
use crate::document::{Array, BitString, Datum, Inet, Interval, Jsonb, Numeric, Oid, Range, RangeBound, Record, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::range::{make, make_multirange};
use crate::sql::{types, user_types};

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
pub fn binary_in(typ: Type, bytes: &[u8], context: &EvalContext) -> Result<Datum> {
    let value = read(typ.oid, bytes, context, 0)?;
    crate::sql::casts::typmod::apply(value, typ, false)
}

fn read(oid: Oid, bytes: &[u8], context: &EvalContext, depth: usize) -> Result<Datum> {
    let mut reader = Reader { bytes };
    let value = receive(oid, &mut reader, context, depth)?;
    if reader.bytes.is_empty() { Ok(value) } else { Err(format_error()) }
}

fn receive(oid: Oid, reader: &mut Reader<'_>, context: &EvalContext, depth: usize) -> Result<Datum> {
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
        Type::RECORD => Datum::Record(Box::new(record(None, reader, context, depth)?)),
        Type::MONEY => Datum::Money(reader.i64()?),
        Type::MACADDR => Datum::MacAddr(reader.array()?),
        Type::MACADDR8 => Datum::MacAddr8(match *reader.rest() {
            [a, b, c, d, e, f] => [a, b, c, 0xff, 0xfe, d, e, f],
            ref eight => eight.try_into().map_err(|_| format_error())?,
        }),
        Type::INET => Datum::Inet(inet(reader, false)?),
        Type::CIDR => Datum::Inet(inet(reader, true)?),
        Type::BIT | Type::VARBIT => {
            let length = u32::try_from(reader.i32()?)
                .map_err(|_| err!(INVALID_BINARY_REPRESENTATION, "invalid length in external bit string"))?;
            let bytes = reader.take((length as usize).div_ceil(8))?;
            let mut bits = BitString { length, bytes: bytes.into() };
            bits.clear_padding();
            Datum::Bit(bits)
        }
        _ => return receive_other(oid, reader, context, depth),
    })
}

/// Types whose kind says how they are read.
fn receive_other(oid: Oid, reader: &mut Reader<'_>, context: &EvalContext, depth: usize) -> Result<Datum> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    if let Some(element) = types::element_of(oid) {
        return Ok(Datum::Array(Box::new(array(element, reader, context, depth)?)));
    }
    if types::is_range(oid) {
        return Ok(Datum::Range(Box::new(range(oid, reader, context, depth)?)));
    }
    if types::is_multirange(oid) {
        let range_typ = types::range_of(oid).ok_or_else(format_error)?;
        let count = reader.i32()?;
        let mut ranges = Vec::new();
        for _ in 0..count {
            let length = usize::try_from(reader.i32()?).map_err(|_| format_error())?;
            let mut part = Reader { bytes: reader.take(length)? };
            ranges.extend(range(range_typ, &mut part, context, depth + 1)?.bounds);
        }
        return Ok(Datum::Multirange(Box::new(make_multirange(oid, range_typ, ranges))));
    }
    let catalog = context.host.catalog();
    match user_type::scalar_kind(oid) {
        Some(UserKind::Enum) => user_types::enum_in(oid, reader.text()?, context),
        Some(UserKind::Domain) => {
            let base = user_types::base(&catalog, Type::new(oid));
            let value = receive(base.oid, reader, context, depth + 1)?;
            let value = crate::sql::casts::typmod::apply(value, base, false)?;
            crate::sql::domain::check(oid, &value, context)?;
            Ok(value)
        }
        Some(UserKind::Composite) => {
            let fields = user_types::fields(&catalog, oid).ok_or_else(format_error)?;
            Ok(Datum::Record(Box::new(record(Some(&fields), reader, context, depth)?)))
        }
        _ => Err(err!(
            UNDEFINED_FUNCTION,
            "no binary input function available for type {}",
            user_types::format(context, oid, None)
        )),
    }
}

const RANGE_EMPTY: u8 = 0x01;
const RANGE_LOWER_INCLUSIVE: u8 = 0x02;
const RANGE_UPPER_INCLUSIVE: u8 = 0x04;
const RANGE_LOWER_INFINITE: u8 = 0x08;
const RANGE_UPPER_INFINITE: u8 = 0x10;

fn range(oid: Oid, reader: &mut Reader<'_>, context: &EvalContext, depth: usize) -> Result<Range> {
    let flags = reader.array::<1>()?[0];
    if flags & RANGE_EMPTY != 0 {
        return Ok(Range::empty(oid));
    }
    let subtype = user_types::subtype(&context.host.catalog(), oid).ok_or_else(format_error)?;
    let mut bound = |infinite: u8, inclusive: u8| {
        let value = match flags & infinite != 0 {
            true => None,
            false => match element(subtype.oid, reader, context, depth)? {
                Datum::Null => return Err(format_error()),
                value => Some(value),
            },
        };
        Ok::<_, Error>(RangeBound { value, inclusive: flags & inclusive != 0 })
    };
    let lower = bound(RANGE_LOWER_INFINITE, RANGE_LOWER_INCLUSIVE)?;
    make(oid, lower, bound(RANGE_UPPER_INFINITE, RANGE_UPPER_INCLUSIVE)?)
}

fn inet(reader: &mut Reader<'_>, is_cidr: bool) -> Result<Inet> {
    let name = if is_cidr { "cidr" } else { "inet" };
    let invalid = |what: &str| err!(INVALID_BINARY_REPRESENTATION, "invalid {what} in external \"{name}\" value");
    let [family, bits, _, length] = reader.array::<4>()?;
    let is_v6 = match family {
        2 => false,
        3 => true,
        _ => return Err(invalid("address family")),
    };
    let mut inet = Inet { is_v6, bits, is_cidr, address: [0; 16] };
    if bits > inet.width() {
        return Err(invalid("bits"));
    }
    if length != inet.width() / 8 {
        return Err(invalid("length"));
    }
    inet.address[..usize::from(length)].copy_from_slice(reader.take(length.into())?);
    if is_cidr && inet.masked(bits) != inet.address {
        return Err(invalid("value").detail("Value has bits set to right of mask."));
    }
    Ok(inet)
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

fn element(oid: Oid, reader: &mut Reader<'_>, context: &EvalContext, depth: usize) -> Result<Datum> {
    let length = reader.i32()?;
    match usize::try_from(length) {
        Ok(length) => read(oid, reader.take(length)?, context, depth + 1),
        Err(_) if length == -1 => Ok(Datum::Null),
        Err(_) => Err(format_error()),
    }
}

fn too_deep() -> Error {
    err!(STATEMENT_TOO_COMPLEX, "binary value is nested too deeply")
}

fn array(expected: Oid, reader: &mut Reader<'_>, context: &EvalContext, depth: usize) -> Result<Array> {
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
        let name = |oid| user_types::format(context, oid, None);
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
        values.push(element(expected, reader, context, depth)?);
    }
    Ok(Array { element: expected, dims, values })
}

/// `record_recv`; with `declared` fields the row must have them.
fn record(
    declared: Option<&[(String, Type)]>,
    reader: &mut Reader<'_>,
    context: &EvalContext,
    depth: usize,
) -> Result<Record> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    let count = reader.i32()?;
    if !(0..=1664).contains(&count) {
        return Err(format_error());
    }
    if let Some(fields) = declared.filter(|fields| fields.len() != count as usize) {
        return Err(err!(DATATYPE_MISMATCH, "wrong number of columns: {count}, expected {}", fields.len()));
    }
    let catalog = context.host.catalog();
    let mut fields = Vec::new();
    let mut values = Vec::new();
    for number in 1..=count {
        let oid = reader.i32()? as u32;
        let Some((name, typ)) = declared.and_then(|fields| fields.get(number as usize - 1)) else {
            values.push(element(oid, reader, context, depth)?);
            fields.push((format!("f{number}").into_boxed_str(), oid));
            continue;
        };
        let base = user_types::base(&catalog, *typ);
        if oid != typ.oid && oid != base.oid {
            let name = |oid| user_types::format(context, oid, None);
            return Err(err!(
                DATATYPE_MISMATCH,
                "binary data has type {oid} ({}) instead of expected {} ({}) in record column {number}",
                name(oid),
                typ.oid,
                name(typ.oid)
            ));
        }
        let value = element(typ.oid, reader, context, depth)?;
        values.push(crate::sql::casts::typmod::apply(value, base, false)?);
        fields.push((name.as_str().into(), base.oid));
    }
    Ok(Record { fields: Arc::from(fields), values })
}

/// Writes a value's binary form. NULL writes nothing: its length -1 is the caller's.
pub fn binary_out(value: &Datum, typ: Type, context: &EvalContext, out: &mut Vec<u8>) {
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
                with_length(value, Type::new(array.element), context, out);
            }
        }
        Datum::Record(record) => {
            out.extend((record.values.len() as i32).to_be_bytes());
            for (value, (_, oid)) in record.values.iter().zip(record.fields.iter()) {
                out.extend(oid.to_be_bytes());
                with_length(value, Type::new(*oid), context, out);
            }
        }
        Datum::Enum(..) => {
            let mut label = String::new();
            super::output(value, typ, context, &mut label);
            out.extend(label.as_bytes());
        }
        Datum::Range(range) => range_out(range.bounds.as_ref(), context, out),
        Datum::Multirange(value) => {
            out.extend((value.ranges.len() as i32).to_be_bytes());
            for bounds in &value.ranges {
                sized(out, |out| range_out(Some(bounds), context, out));
            }
        }
        Datum::Bit(bits) => {
            out.extend(bits.length.to_be_bytes());
            out.extend(&*bits.bytes);
        }
        Datum::Inet(inet) => {
            let family = if inet.is_v6 { 3 } else { 2 };
            out.extend([family, inet.bits, u8::from(inet.is_cidr), inet.width() / 8]);
            out.extend(inet.bytes());
        }
        Datum::MacAddr(bytes) => out.extend(bytes),
        Datum::MacAddr8(bytes) => out.extend(bytes),
        Datum::Money(value) => out.extend(value.to_be_bytes()),
    }
}

fn range_out(bounds: Option<&(RangeBound, RangeBound)>, context: &EvalContext, out: &mut Vec<u8>) {
    let Some((lower, upper)) = bounds else { return out.push(RANGE_EMPTY) };
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(
        flag(lower.inclusive, RANGE_LOWER_INCLUSIVE)
            | flag(upper.inclusive, RANGE_UPPER_INCLUSIVE)
            | flag(lower.value.is_none(), RANGE_LOWER_INFINITE)
            | flag(upper.value.is_none(), RANGE_UPPER_INFINITE),
    );
    for value in [&lower.value, &upper.value].into_iter().flatten() {
        with_length(value, super::natural_type(value), context, out);
    }
}

/// Appends a length and what `write` appends.
fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0; 4]);
    write(out);
    let length = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

fn with_length(value: &Datum, typ: Type, context: &EvalContext, out: &mut Vec<u8>) {
    if value.is_null() {
        out.extend((-1i32).to_be_bytes());
        return;
    }
    sized(out, |out| binary_out(value, typ, context, out));
}
