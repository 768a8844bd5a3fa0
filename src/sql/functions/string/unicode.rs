//! Unicode: normal forms, escapes, assigned characters.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, scalar};

const T: Type = Type::TEXT;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(4350, "normalize", &[T, T], T, normalize).defaults(1),
    scalar(4351, "is_normalized", &[T, T], Type::BOOL, is_normalized).defaults(1),
    scalar(6105, "unicode_assigned", &[T], Type::BOOL, unicode_assigned),
    scalar(4549, "unicode_version", &[], T, |_, _| Ok(Datum::text("16.0"))),
    scalar(6198, "unistr", &[T], T, unistr),
    scalar(1845, "to_ascii", &[T], T, to_ascii),
];

fn normal_form(args: &[Datum]) -> Result<String> {
    let text = args.text(0)?;
    let form = if args.len() > 1 { args.text(1)? } else { "NFC" };
    Ok(match form.to_ascii_uppercase().as_str() {
        "NFC" => text.nfc().collect(),
        "NFD" => text.nfd().collect(),
        "NFKC" => text.nfkc().collect(),
        "NFKD" => text.nfkd().collect(),
        _ => return Err(err!(INVALID_PARAMETER_VALUE, "invalid normalization form: {form}")),
    })
}

fn normalize(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(normal_form(args)?))
}

fn is_normalized(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(normal_form(args)? == args.text(0)?))
}

static UNASSIGNED: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(r"\p{Cn}").expect("a constant pattern"));

fn unicode_assigned(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(!UNASSIGNED.is_match(args.text(0)?)))
}

fn to_ascii(_: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Err(err!(FEATURE_NOT_SUPPORTED, "encoding conversion from UTF8 to ASCII not supported"))
}

/// `\XXXX`, `\+XXXXXX`, `\uXXXX`, `\UXXXXXXXX` and `\\`.
fn unistr(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut rest = args.text(0)?;
    let mut text = String::with_capacity(rest.len());
    let mut high = None;
    while let Some(c) = rest.chars().next() {
        if c != '\\' || rest.starts_with("\\\\") {
            if high.is_some() {
                return Err(bad_surrogates());
            }
            text.push(c);
            rest = &rest[if c == '\\' { 2 } else { c.len_utf8() }..];
            continue;
        }
        let (code, length) = escape(rest)?;
        rest = &rest[length..];
        match (high.take(), code) {
            (None, 0xd800..=0xdbff) => high = Some(code),
            (None, 0xdc00..=0xdfff) => return Err(bad_surrogates()),
            (Some(high), 0xdc00..=0xdfff) => {
                text.extend(char::from_u32(0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00)));
            }
            (Some(_), _) => return Err(bad_surrogates()),
            (None, 0) => return Err(bad_code_point(0)),
            (None, code) => text.push(char::from_u32(code).ok_or_else(|| bad_code_point(code))?),
        }
    }
    if high.is_some() {
        return Err(bad_surrogates());
    }
    Ok(Datum::text(text))
}

fn escape(text: &str) -> Result<(u32, usize)> {
    let (prefix, digits) = match text.as_bytes().get(1) {
        Some(b'+') => (2, 6),
        Some(b'u') => (2, 4),
        Some(b'U') => (2, 8),
        _ => (1, 4),
    };
    text.get(prefix..prefix + digits)
        .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .map(|code| (code, prefix + digits))
        .ok_or_else(|| {
            err!(SYNTAX_ERROR, "invalid Unicode escape")
                .hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
        })
}

fn bad_surrogates() -> Error {
    err!(SYNTAX_ERROR, "invalid Unicode surrogate pair")
}

fn bad_code_point(code: u32) -> Error {
    err!(INVALID_PARAMETER_VALUE, "invalid Unicode code point: {code:04X}")
}
