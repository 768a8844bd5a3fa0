//! Applying a type modifier: length of strings, precision of numbers and times.

use crate::document::{Datum, Type};
use crate::err;
use crate::error::Result;
use crate::sql::{io, types};

/// A value with its type's modifier applied: `explicit` casts cut strings that are too long, assignments refuse them.
pub fn apply(value: Datum, typ: Type, explicit: bool) -> Result<Datum> {
    if typ.typmod < 0 || value.is_null() {
        return Ok(value);
    }
    match (value, Type::new(typ.oid)) {
        (Datum::Text(text), Type::VARCHAR) => match fits(&text, typ.typmod) {
            true => Ok(Datum::Text(text)),
            false => varchar(&text, typ.typmod, explicit).map(Datum::text),
        },
        (Datum::Text(text), Type::BPCHAR) => bpchar(&text, typ.typmod, explicit).map(Datum::text),
        (Datum::Bit(bits), Type::BIT) => io::bit::to_bit(bits, typ.typmod, explicit).map(Datum::Bit),
        (Datum::Bit(bits), Type::VARBIT) => io::bit::to_varbit(bits, typ.typmod, explicit).map(Datum::Bit),
        (Datum::Array(mut array), _) => {
            let element = Type::with_typmod(types::element_of(typ.oid).unwrap_or(array.element), typ.typmod);
            for value in &mut array.values {
                *value = apply(std::mem::take(value), element, explicit)?;
            }
            Ok(Datum::Array(array))
        }
        (value, _) => crate::sql::datetime::typmod::apply(value, typ),
    }
}

fn fits(text: &str, typmod: i32) -> bool {
    let limit = (typmod - 4).max(0) as usize;
    text.len() <= limit || text.chars().count() <= limit
}

/// The text cut to `limit` characters, if only blanks are cut or the cast is explicit.
fn cut<'a>(text: &'a str, limit: usize, explicit: bool, name: &str) -> Result<&'a str> {
    let end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
    if !explicit && text[end..].bytes().any(|byte| byte != b' ') {
        return Err(err!(STRING_DATA_RIGHT_TRUNCATION, "value too long for type {name}({limit})"));
    }
    Ok(&text[..end])
}

/// `varchar(n)`.
pub(crate) fn varchar(text: &str, typmod: i32, explicit: bool) -> Result<String> {
    if typmod < 4 || fits(text, typmod) {
        return Ok(text.to_string());
    }
    cut(text, (typmod - 4) as usize, explicit, "character varying").map(str::to_string)
}

/// `char(n)`: padded with blanks.
pub(crate) fn bpchar(text: &str, typmod: i32, explicit: bool) -> Result<String> {
    if typmod < 4 {
        return Ok(text.to_string());
    }
    let limit = (typmod - 4) as usize;
    let mut text = cut(text, limit, explicit, "character")?.to_string();
    let length = text.chars().count();
    text.extend(std::iter::repeat_n(' ', limit.saturating_sub(length)));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_characters() {
        assert_eq!(bpchar("äb", 4 + 4, false).unwrap(), "äb  ");
        assert_eq!(varchar("äöü", 4 + 2, true).unwrap(), "äö");
        assert_eq!(varchar("äö  ", 4 + 2, false).unwrap(), "äö");
        let error = varchar("abc", 4 + 2, false).unwrap_err();
        assert_eq!(error.message(), "value too long for type character varying(2)");
        assert_eq!(error.code().as_str(), "22001");
    }
}
