//! bytea: parts, bits, digests, textual encodings, conversion to and from other character sets.

use sha2::Digest as _;

use super::basic::{int4, substring_range};
use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, check_length, scalar};

const T: Type = Type::TEXT;
const B: Type = Type::BYTEA;
const I: Type = Type::INT4;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(2010, "length", &[B], I, length),
    scalar(1713, "length", &[B, Type::NAME], I, length_in_encoding).stable(),
    scalar(720, "octet_length", &[B], I, length),
    scalar(1810, "bit_length", &[B], I, bit_length),
    scalar(2085, "substr", &[B, I, I], B, substring),
    scalar(2086, "substr", &[B, I], B, substring),
    scalar(2012, "substring", &[B, I, I], B, substring),
    scalar(2013, "substring", &[B, I], B, substring),
    scalar(749, "overlay", &[B, B, I, I], B, overlay),
    scalar(752, "overlay", &[B, B, I], B, overlay),
    scalar(2014, "position", &[B, B], I, position),
    scalar(6195, "ltrim", &[B, B], B, |_, args| trim(args, true, false)),
    scalar(6196, "rtrim", &[B, B], B, |_, args| trim(args, false, true)),
    scalar(2015, "btrim", &[B, B], B, |_, args| trim(args, true, true)),
    scalar(6382, "reverse", &[B], B, |_, args| Ok(bytea(args.bytea(0)?.iter().rev().copied().collect::<Vec<_>>()))),
    scalar(721, "get_byte", &[B, I], I, get_byte),
    scalar(722, "set_byte", &[B, I, I], B, set_byte),
    scalar(723, "get_bit", &[B, Type::INT8], I, get_bit),
    scalar(724, "set_bit", &[B, Type::INT8, I], B, set_bit),
    scalar(6163, "bit_count", &[B], Type::INT8, bit_count),
    scalar(2311, "md5", &[T], T, |_, args| Ok(md5(args.text(0)?.as_bytes()))),
    scalar(2321, "md5", &[B], T, |_, args| Ok(md5(args.bytea(0)?))),
    scalar(3419, "sha224", &[B], B, |_, args| Ok(bytea(sha2::Sha224::digest(args.bytea(0)?).to_vec()))),
    scalar(3420, "sha256", &[B], B, |_, args| Ok(bytea(sha2::Sha256::digest(args.bytea(0)?).to_vec()))),
    scalar(3421, "sha384", &[B], B, |_, args| Ok(bytea(sha2::Sha384::digest(args.bytea(0)?).to_vec()))),
    scalar(3422, "sha512", &[B], B, |_, args| Ok(bytea(sha2::Sha512::digest(args.bytea(0)?).to_vec()))),
    scalar(6364, "crc32", &[B], Type::INT8, |_, args| Ok(Datum::Int8(i64::from(crc32(args.bytea(0)?))))),
    scalar(6365, "crc32c", &[B], Type::INT8, |_, args| Ok(Datum::Int8(i64::from(crc32c::crc32c(args.bytea(0)?))))),
    scalar(1946, "encode", &[B, T], T, encode),
    scalar(1947, "decode", &[T, T], B, decode),
    scalar(1717, "convert_to", &[T, Type::NAME], B, convert_to).stable(),
    scalar(1714, "convert_from", &[B, Type::NAME], T, convert_from).stable(),
    scalar(1813, "convert", &[B, Type::NAME, Type::NAME], B, convert).stable(),
];

fn bytea(bytes: impl Into<Box<[u8]>>) -> Datum {
    Datum::Bytea(bytes.into())
}

fn length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(int4(args.bytea(0)?.len()))
}

fn bit_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(int4(args.bytea(0)?.len() * 8))
}

fn substring(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let bytes = args.bytea(0)?;
    let length = if args.len() > 2 { Some(args.int4(2)?) } else { None };
    let (from, to) = substring_range(args.int4(1)?, length)?;
    Ok(bytea(&bytes[from.min(bytes.len())..to.min(bytes.len())]))
}

fn overlay(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (bytes, new, start) = (args.bytea(0)?, args.bytea(1)?, args.int4(2)?);
    let length = if args.len() > 3 { args.int4(3)? } else { new.len() as i32 };
    if start <= 0 {
        return Err(err!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start.checked_add(length).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let head = &bytes[..(start as usize - 1).min(bytes.len())];
    let tail = &bytes[usize::try_from(after - 1).unwrap_or(0).min(bytes.len())..];
    check_length(context, head.len() + new.len() + tail.len())?;
    Ok(bytea([head, new, tail].concat()))
}

fn position(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (bytes, part) = (args.bytea(0)?, args.bytea(1)?);
    if part.is_empty() {
        return Ok(Datum::Int4(1));
    }
    Ok(int4(bytes.windows(part.len()).position(|window| window == part).map_or(0, |at| at + 1)))
}

fn trim(args: &[Datum], from_left: bool, from_right: bool) -> Result<Datum> {
    let (mut bytes, set) = (args.bytea(0)?, args.bytea(1)?);
    while from_left && bytes.first().is_some_and(|b| set.contains(b)) {
        bytes = &bytes[1..];
    }
    while from_right && bytes.last().is_some_and(|b| set.contains(b)) {
        bytes = &bytes[..bytes.len() - 1];
    }
    Ok(bytea(bytes))
}

fn in_range(index: i64, length: usize) -> Result<usize> {
    usize::try_from(index)
        .ok()
        .filter(|index| *index < length)
        .ok_or_else(|| err!(ARRAY_SUBSCRIPT_ERROR, "index {index} out of valid range, 0..{}", length as i64 - 1))
}

fn get_byte(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let bytes = args.bytea(0)?;
    Ok(Datum::Int4(i32::from(bytes[in_range(args.int8(1)?, bytes.len())?])))
}

fn set_byte(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut bytes = args.bytea(0)?.to_vec();
    let index = in_range(args.int8(1)?, bytes.len())?;
    bytes[index] = args.int4(2)? as u8;
    Ok(bytea(bytes))
}

fn get_bit(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let bytes = args.bytea(0)?;
    let index = in_range(args.int8(1)?, bytes.len() * 8)?;
    Ok(Datum::Int4(i32::from(bytes[index / 8] >> (index % 8) & 1)))
}

fn set_bit(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut bytes = args.bytea(0)?.to_vec();
    let index = in_range(args.int8(1)?, bytes.len() * 8)?;
    let mask = 1 << (index % 8);
    match args.int4(2)? {
        0 => bytes[index / 8] &= !mask,
        1 => bytes[index / 8] |= mask,
        _ => return Err(err!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1")),
    }
    Ok(bytea(bytes))
}

fn bit_count(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int8(args.bytea(0)?.iter().map(|b| i64::from(b.count_ones())).sum()))
}

fn md5(bytes: &[u8]) -> Datum {
    Datum::text(hex::encode(md5::Md5::digest(bytes)))
}

/// CRC-32 of Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(u32::MAX, step)
}

fn unrecognized(name: &str) -> Error {
    err!(INVALID_PARAMETER_VALUE, "unrecognized encoding: \"{name}\"")
}

fn encode(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (bytes, format) = (args.bytea(0)?, args.text(1)?);
    check_length(context, bytes.len().saturating_mul(2))?;
    Ok(Datum::text(match format.to_ascii_lowercase().as_str() {
        "hex" => hex::encode(bytes),
        "base64" => encode_base64(bytes),
        "escape" => encode_escape(bytes),
        _ => return Err(unrecognized(format)),
    }))
}

fn decode(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, format) = (args.text(0)?, args.text(1)?);
    Ok(bytea(match format.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(text)?,
        "base64" => decode_base64(text)?,
        "escape" => decode_escape(text)?,
        _ => return Err(unrecognized(format)),
    }))
}

/// MIME lines: a newline after every 76 characters of whole groups.
fn encode_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + bytes.len() / 57 + 4);
    for line in bytes.chunks(57) {
        engine.encode_string(line, &mut text);
        if line.len() == 57 {
            text.push('\n');
        }
    }
    text
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut length, mut padding) = (0u32, 0, 0);
    for c in text.chars().filter(|c| !is_space(*c)) {
        let value = match c {
            'A'..='Z' => c as u32 - 'A' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 26,
            '0'..='9' => c as u32 - '0' as u32 + 52,
            '+' => 62,
            '/' => 63,
            '=' => {
                // Only in the third and fourth place of a group.
                if padding == 0 {
                    padding = match length {
                        2 => 2,
                        3 => 1,
                        _ => {
                            return Err(err!(
                                INVALID_PARAMETER_VALUE,
                                "unexpected \"=\" while decoding base64 sequence"
                            ));
                        }
                    };
                }
                0
            }
            _ => {
                return Err(err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid symbol \"{c}\" found while decoding base64 sequence"
                ));
            }
        };
        group = group << 6 | value;
        length += 1;
        if length == 4 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..4 - padding]);
            (group, length) = (0, 0);
        }
    }
    if length != 0 {
        return Err(err!(INVALID_PARAMETER_VALUE, "invalid base64 end sequence")
            .hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(bytes)
}

fn decode_hex(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let digit = |c: char| {
        c.to_digit(16)
            .map(|digit| digit as u8)
            .ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "invalid hexadecimal digit: \"{c}\""))
    };
    let mut digits = text.chars();
    while let Some(c) = digits.by_ref().find(|c| !is_space(*c)) {
        let high = digit(c)?;
        let low = digits
            .next()
            .ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "invalid hexadecimal data: odd number of digits"))?;
        bytes.push(high << 4 | digit(low)?);
    }
    Ok(bytes)
}

fn encode_escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0 | 0x80.. => text.push_str(&format!("\\{byte:03o}")),
            _ => text.push(char::from(byte)),
        }
    }
    text
}

fn decode_escape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'\\' {
            bytes.push(byte);
            rest = tail;
        } else if tail.first() == Some(&b'\\') {
            bytes.push(b'\\');
            rest = &tail[1..];
        } else {
            match tail {
                [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                    bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                    rest = tail;
                }
                _ => return Err(err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea")),
            }
        }
    }
    Ok(bytes)
}

/// The character sets that are converted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Latin1,
    Ascii,
}

fn charset(name: &str, what: &str) -> Result<Charset> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match plain.as_str() {
        "utf8" | "unicode" => Ok(Charset::Utf8),
        "latin1" | "iso88591" => Ok(Charset::Latin1),
        "sqlascii" => Ok(Charset::Ascii),
        other if OTHER_CHARSETS.contains(&other) => Err(Error::unsupported(format!("encoding \"{name}\""))),
        _ => Err(err!(INVALID_PARAMETER_VALUE, "invalid {what} name \"{name}\"")),
    }
}

/// Names PostgreSQL knows and we do not convert.
#[rustfmt::skip]
const OTHER_CHARSETS: &[&str] = &[
    "abc", "alt", "big5", "euccn", "eucjis2004", "eucjp", "euckr", "euctw", "gb18030", "gbk", "iso885910", "iso885913",
    "iso885914", "iso885915", "iso885916", "iso88592", "iso88593", "iso88594", "iso88595", "iso88596", "iso88597",
    "iso88598", "iso88599", "johab", "koi8", "koi8r", "koi8u", "latin10", "latin2", "latin3", "latin4", "latin5",
    "latin6", "latin7", "latin8", "latin9", "mskanji", "muleinternal", "shiftjis", "shiftjis2004", "sjis", "tcvn",
    "tcvn5712", "uhc", "vscii", "win", "win1250", "win1251", "win1252", "win1253", "win1254", "win1255", "win1256",
    "win1257", "win1258", "win866", "win874", "win932", "win936", "win949", "win950", "windows1250", "windows1251",
    "windows1252", "windows1253", "windows1254", "windows1255", "windows1256", "windows1257", "windows1258",
    "windows866", "windows874", "windows932", "windows936", "windows949", "windows950",
];

/// Checks that bytes are UTF-8 without NUL; the error shows the offending sequence.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => match bytes.iter().position(|b| *b == 0) {
            None => return Ok(text),
            Some(at) => at,
        },
        Err(error) => bytes[..error.valid_up_to()].iter().position(|b| *b == 0).unwrap_or(error.valid_up_to()),
    };
    let rest = &bytes[valid..];
    let length = match rest.first().copied().unwrap_or_default() {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    // PostgreSQL shows the bytes the lead byte announces, as far as they are there.
    let shown: Vec<String> = rest.iter().take(length).map(|b| format!("0x{b:02x}")).collect();
    Err(err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")))
}

fn to_charset(text: &str, charset: Charset) -> Result<Vec<u8>> {
    if charset != Charset::Latin1 {
        return Ok(text.as_bytes().to_vec());
    }
    text.chars()
        .map(|c| {
            u8::try_from(c as u32).map_err(|_| {
                let shown: Vec<String> = c.to_string().bytes().map(|b| format!("0x{b:02x}")).collect();
                err!(
                    UNTRANSLATABLE_CHARACTER,
                    "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
                    shown.join(" ")
                )
            })
        })
        .collect()
}

fn from_charset(bytes: &[u8], charset: Charset) -> Result<String> {
    match charset {
        Charset::Utf8 | Charset::Ascii => Ok(utf8(bytes)?.to_owned()),
        Charset::Latin1 if bytes.contains(&0) => {
            Err(err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"LATIN1\": 0x00"))
        }
        Charset::Latin1 => Ok(bytes.iter().map(|b| char::from(*b)).collect()),
    }
}

fn convert_to(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(bytea(to_charset(args.text(0)?, charset(args.text(1)?, "destination encoding")?)?))
}

fn convert_from(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(from_charset(args.bytea(0)?, charset(args.text(1)?, "source encoding")?)?))
}

fn convert(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let source = charset(args.text(1)?, "source encoding")?;
    let destination = charset(args.text(2)?, "destination encoding")?;
    Ok(bytea(to_charset(&from_charset(args.bytea(0)?, source)?, destination)?))
}

fn length_in_encoding(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(int4(match charset(args.text(1)?, "encoding")? {
        Charset::Utf8 => utf8(args.bytea(0)?)?.chars().count(),
        Charset::Latin1 | Charset::Ascii => args.bytea(0)?.len(),
    }))
}
