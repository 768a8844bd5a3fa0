//! Values as text and as bytes on the wire, exactly as PostgreSQL's input, output, receive and send functions.
//!
//! [`text_in`] and [`binary_in`] never panic: what is malformed is 22P02, 22003, 22007, 22008 or 22P03.

use crate::document::user_type::{self, UserKind};
use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};

use super::casts::typmod;
use super::context::{EvalContext, FormatSettings};
use super::datetime::format as datetime;
use super::{types, user_types};

pub mod array;
mod binary;
pub(crate) mod bit;
pub(crate) mod money;
pub(crate) mod network;
pub mod number;
pub(crate) mod range;
pub mod record;
pub mod reg;
#[cfg(test)]
mod tests;
pub mod text;

pub use binary::{binary_in, binary_out};

/// Reads a value's text form. The type's modifier applies as in an assignment: what is too long is refused.
pub fn text_in(typ: Type, text: &str, context: &EvalContext) -> Result<Datum> {
    let value = read(typ, text, context)?;
    typmod::apply(value, typ, false)
}

fn read(typ: Type, text: &str, context: &EvalContext) -> Result<Datum> {
    use super::datetime::{interval_in, parse};
    Ok(match Type::new(typ.oid) {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::UNKNOWN | Type::CSTRING | Type::REFCURSOR => {
            Datum::text(text)
        }
        Type::PG_NODE_TREE | Type::ACLITEM => Datum::text(text),
        Type::INT4 => Datum::Int4(number::integer_in(text, "integer")?),
        Type::INT8 => Datum::Int8(number::integer_in(text, "bigint")?),
        Type::INT2 => Datum::Int2(number::integer_in(text, "smallint")?),
        Type::BOOL => Datum::Bool(text::bool_in(text)?),
        Type::FLOAT8 => Datum::Float8(number::float8_in(text)?),
        Type::FLOAT4 => Datum::Float4(number::float4_in(text)?),
        Type::NUMERIC => Datum::Numeric(crate::document::Numeric::parse(text)?),
        Type::OID => Datum::Oid(number::oid_in(text, "oid")?),
        Type::XID => Datum::Oid(number::oid_in(text, "xid")?),
        Type::CID => Datum::Oid(number::oid_in(text, "cid")?),
        Type::NAME => Datum::text(text::truncate_name(text)),
        Type::CHAR => Datum::text(text::char_in(text)),
        Type::BYTEA => Datum::Bytea(text::bytea_in(text)?.into()),
        Type::UUID => Datum::Uuid(text::uuid_in(text)?),
        Type::JSONB => Datum::Jsonb(crate::document::Jsonb::parse(text)?),
        Type::JSON => {
            crate::document::json::validate(text)?;
            Datum::Json(text.into())
        }
        Type::DATE => Datum::Date(parse::date_in(text, context)?),
        Type::TIME => Datum::Time(parse::time_in(text, context)?),
        Type::TIMETZ => parse::timetz_in(text, context)?,
        Type::TIMESTAMP => Datum::Timestamp(parse::timestamp_in(text, context)?),
        Type::TIMESTAMPTZ => Datum::TimestampTz(parse::timestamptz_in(text, context)?),
        Type::INTERVAL => Datum::Interval(interval_in::interval_in(text, typ.typmod, context)?),
        Type::INT2VECTOR => Datum::Array(Box::new(array::vector_in(Type::INT2.oid, text, context)?)),
        Type::OIDVECTOR => Datum::Array(Box::new(array::vector_in(Type::OID.oid, text, context)?)),
        Type::TID => Datum::text(text),
        Type::JSONPATH => Datum::text(crate::sql::jsonpath::Path::parse(text)?.to_string()),
        Type::XID8 => Datum::Int8(number::integer_in(text, "xid8")?),
        Type::VOID => Datum::Null,
        other if reg::is_reg(other) => reg::reg_in(other, text, context)?,
        Type::BIT | Type::VARBIT => Datum::Bit(bit::bit_in(text)?),
        Type::INET => Datum::Inet(network::inet_in(text, false)?),
        Type::CIDR => Datum::Inet(network::inet_in(text, true)?),
        Type::MACADDR => Datum::MacAddr(network::macaddr_in(text)?),
        Type::MACADDR8 => Datum::MacAddr8(network::macaddr8_in(text)?),
        Type::MONEY => Datum::Money(money::money_in(text)?),
        other => match types::element_of(other.oid).filter(|_| types::is_array(other.oid)) {
            Some(element) => {
                let element = Type::with_typmod(element, typ.typmod);
                Datum::Array(Box::new(array::array_in(element, text, context)?))
            }
            None => return read_other(typ, text, context),
        },
    })
}

/// Types whose kind says how they are read.
fn read_other(typ: Type, text: &str, context: &EvalContext) -> Result<Datum> {
    let oid = typ.oid;
    if types::is_range(oid) {
        return Ok(Datum::Range(Box::new(range::range_in(oid, text, context)?)));
    }
    if types::is_multirange(oid) {
        return Ok(Datum::Multirange(Box::new(range::multirange_in(oid, text, context)?)));
    }
    match user_type::scalar_kind(oid) {
        Some(UserKind::Enum) => user_types::enum_in(oid, text, context),
        Some(UserKind::Domain) => {
            let base = user_types::base(&context.host.catalog(), typ);
            let value = text_in(base, text, context)?;
            super::domain::check(oid, &value, context)?;
            Ok(value)
        }
        Some(UserKind::Composite) => Ok(Datum::Record(Box::new(record::record_in(oid, text, context)?))),
        None if oid == Type::RECORD.oid => Ok(Datum::Record(Box::new(record::record_in(oid, text, context)?))),
        _ => Err(no_input(typ)),
    }
}

fn no_input(typ: Type) -> Error {
    err!(FEATURE_NOT_SUPPORTED, "cannot accept a value of type {}", types::format_type(Type::new(typ.oid)))
}

/// Writes a value's text form. Object names (`regclass`, ...) need the catalog: see [`output`].
pub fn text_out(value: &Datum, typ: Type, format: &FormatSettings, out: &mut String) {
    match value {
        Datum::Null => {}
        Datum::Text(text) | Datum::Json(text) => out.push_str(text),
        Datum::Int2(n) => number::integer_out(i64::from(*n), out),
        Datum::Int4(n) => number::integer_out(i64::from(*n), out),
        Datum::Int8(n) => number::integer_out(*n, out),
        Datum::Bool(value) => out.push(if *value { 't' } else { 'f' }),
        Datum::Oid(oid) => reg::reg_out(Type::new(typ.oid), *oid, None, out),
        Datum::Float8(n) => number::float8_out(*n, format.extra_float_digits, out),
        Datum::Float4(n) => number::float4_out(*n, format.extra_float_digits, out),
        Datum::Numeric(n) => out.push_str(&n.to_string()),
        Datum::Bytea(bytes) => text::bytea_out(bytes, format.bytea_hex, out),
        Datum::Uuid(uuid) => text::uuid_out(uuid, out),
        Datum::Jsonb(document) => out.push_str(&document.as_ref().to_string()),
        Datum::Date(days) => datetime::date_out(*days, format, out),
        Datum::Time(micros) => datetime::time_out(*micros, out),
        Datum::TimeTz(micros, west) => datetime::timetz_out(*micros, *west, out),
        Datum::Timestamp(micros) => datetime::timestamp_out(*micros, format, out),
        Datum::TimestampTz(micros) => datetime::timestamptz_out(*micros, format, out),
        Datum::Interval(interval) => datetime::interval_out(interval, format.interval_style, out),
        Datum::Array(array) if matches!(Type::new(typ.oid), Type::INT2VECTOR | Type::OIDVECTOR) => {
            array::vector_out(array, out);
        }
        Datum::Array(array) => {
            let element = Type::new(array.element);
            array::array_out(array, out, |value, out| text_out(value, element, format, out));
        }
        Datum::Record(record) => {
            record::record_out(record, out, |value, oid, out| text_out(value, Type::new(oid), format, out));
        }
        // Without the catalog a label has no text.
        Datum::Enum(_, order) => number::integer_out(*order, out),
        Datum::Range(range) => range::range_out(range, out, |v, out| text_out(v, natural_type(v), format, out)),
        Datum::Multirange(value) => {
            range::multirange_out(value, out, |v, out| text_out(v, natural_type(v), format, out));
        }
        Datum::Bit(bits) => bits.write_text(out),
        Datum::Inet(inet) => network::inet_out(inet, out),
        Datum::MacAddr(bytes) => network::mac_out(bytes, out),
        Datum::MacAddr8(bytes) => network::mac_out(bytes, out),
        Datum::Money(value) => money::money_out(*value, out),
    }
}

/// Writes a value's text form, with object names from the catalog.
pub fn output(value: &Datum, typ: Type, context: &EvalContext, out: &mut String) {
    match value {
        Datum::Oid(oid) => reg::reg_out(Type::new(typ.oid), *oid, Some(context), out),
        Datum::Enum(oid, order) => match user_types::label(&context.host.catalog(), *oid, *order) {
            Some(label) => out.push_str(label),
            None => number::integer_out(*order, out),
        },
        Datum::Range(range) => range::range_out(range, out, |v, out| output(v, natural_type(v), context, out)),
        Datum::Multirange(value) => {
            range::multirange_out(value, out, |v, out| output(v, natural_type(v), context, out));
        }
        Datum::Array(array)
            if reg::is_reg(Type::new(array.element))
                || array.element == Type::RECORD.oid
                || user_type::kind(array.element).is_some() =>
        {
            let element = Type::new(array.element);
            array::array_out(array, out, |value, out| output(value, element, context, out));
        }
        Datum::Record(record) => {
            record::record_out(record, out, |value, oid, out| output(value, Type::new(oid), context, out));
        }
        value => text_out(value, typ, &context.format, out),
    }
}

/// Converts through the text form, as a cast `WITH INOUT` does.
pub fn convert(value: &Datum, from: Type, to: Type, context: &EvalContext) -> Result<Datum> {
    let mut text = String::new();
    let input = match value {
        Datum::Text(text) => text,
        other => {
            output(other, from, context, &mut text);
            text.as_str()
        }
    };
    let value = read(to, input, context)?;
    typmod::apply(value, to, true)
}

/// The type that a value has by itself.
pub fn natural_type(value: &Datum) -> Type {
    match value {
        Datum::Null => Type::UNKNOWN,
        Datum::Bool(_) => Type::BOOL,
        Datum::Int2(_) => Type::INT2,
        Datum::Int4(_) => Type::INT4,
        Datum::Int8(_) => Type::INT8,
        Datum::Oid(_) => Type::OID,
        Datum::Float4(_) => Type::FLOAT4,
        Datum::Float8(_) => Type::FLOAT8,
        Datum::Numeric(_) => Type::NUMERIC,
        Datum::Text(_) => Type::TEXT,
        Datum::Json(_) => Type::JSON,
        Datum::Jsonb(_) => Type::JSONB,
        Datum::Bytea(_) => Type::BYTEA,
        Datum::Date(_) => Type::DATE,
        Datum::Time(_) => Type::TIME,
        Datum::TimeTz(..) => Type::TIMETZ,
        Datum::Timestamp(_) => Type::TIMESTAMP,
        Datum::TimestampTz(_) => Type::TIMESTAMPTZ,
        Datum::Interval(_) => Type::INTERVAL,
        Datum::Uuid(_) => Type::UUID,
        Datum::Array(array) => types::array_of(array.element).map_or(Type::TEXT_ARRAY, Type::new),
        Datum::Record(_) => Type::RECORD,
        Datum::Enum(oid, _) => Type::new(*oid),
        Datum::Range(range) => Type::new(range.typ),
        Datum::Multirange(value) => Type::new(value.typ),
        Datum::Bit(_) => Type::VARBIT,
        Datum::Inet(inet) if inet.is_cidr => Type::CIDR,
        Datum::Inet(_) => Type::INET,
        Datum::MacAddr(_) => Type::MACADDR,
        Datum::MacAddr8(_) => Type::MACADDR8,
        Datum::Money(_) => Type::MONEY,
    }
}
