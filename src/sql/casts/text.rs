//! Casts among the string types, and between integers and `bytea`.

use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::io;

use super::typmod;

fn text(args: &[Datum]) -> Result<&str> {
    match args.first() {
        Some(Datum::Text(text)) => Ok(text),
        other => Err(Error::internal(format!("text cast called with {other:?}"))),
    }
}

pub(crate) fn booltext(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Bool(value)] => Ok(Datum::text(if *value { "true" } else { "false" })),
        _ => Err(Error::internal("booltext called with another type")),
    }
}

pub(crate) fn char_text(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(Datum::text)
}

pub(crate) fn char_bpchar(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(Datum::text)
}

pub(crate) fn name_text(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(Datum::text)
}

pub(crate) fn name_bpchar(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(Datum::text)
}

pub(crate) fn text_char(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(|text| Datum::text(io::text::char_in(text)))
}

pub(crate) fn text_name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(|text| Datum::text(io::text::truncate_name(text)))
}

pub(crate) fn bpchar_name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(|text| Datum::text(io::text::truncate_name(text).trim_end_matches(' ')))
}

/// `char(n)` to text: the padding is not part of the value.
pub(crate) fn rtrim1(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    text(args).map(|text| Datum::text(text.trim_end_matches(' ')))
}

fn length(args: &[Datum], coerce: fn(&str, i32, bool) -> Result<String>) -> Result<Datum> {
    match args {
        [Datum::Text(text), Datum::Int4(typmod), Datum::Bool(explicit)] => {
            coerce(text, *typmod, *explicit).map(Datum::text)
        }
        _ => Err(Error::internal("length coercion called with other types")),
    }
}

pub(crate) fn bpchar(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    length(args, typmod::bpchar)
}

pub(crate) fn varchar(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    length(args, typmod::varchar)
}

/// `"char"` is one signed byte; bytes that are not ASCII are held as `\ooo`.
pub(crate) fn chartoi4(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int4(i32::from(io::text::char_byte(text(args)?) as i8)))
}

pub(crate) fn i4tochar(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Int4(n)] => i8::try_from(*n)
            .map(|byte| Datum::text(io::text::char_from_byte(byte as u8)))
            .map_err(|_| err!(NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range")),
        _ => Err(Error::internal("i4tochar called with another type")),
    }
}

macro_rules! bytea_casts {
    ($($to:ident $from:ident: $v:ident, $t:ty, $name:literal;)*) => {$(
        pub(crate) fn $to(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$v(n)] => Ok(Datum::Bytea(n.to_be_bytes().to_vec().into())),
                _ => Err(Error::internal("integer cast called with another type")),
            }
        }
        pub(crate) fn $from(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let [Datum::Bytea(bytes)] = args else {
                return Err(Error::internal("bytea cast called with another type"));
            };
            if bytes.len() > size_of::<$t>() {
                return Err(err!(NUMERIC_VALUE_OUT_OF_RANGE, "{} out of range", $name));
            }
            Ok(Datum::$v(bytes.iter().fold(0, |n: $t, byte| (n << 8) | <$t>::from(*byte))))
        }
    )*};
}

bytea_casts! {
    int2_bytea bytea_int2: Int2, i16, "smallint";
    int4_bytea bytea_int4: Int4, i32, "integer";
    int8_bytea bytea_int8: Int8, i64, "bigint";
}

pub(crate) fn text_regclass(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    io::reg::regclass_in(text(args)?, context)
}
