//! SIMILAR TO and LIKE patterns turned into what the engines take.

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, scalar};

const T: Type = Type::TEXT;
const B: Type = Type::BYTEA;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(1637, "like_escape", &[T, T], T, like_escape),
    scalar(2009, "like_escape", &[B, B], B, like_escape_bytea),
    scalar(1986, "similar_to_escape", &[T, T], T, similar_to_escape),
    scalar(1987, "similar_to_escape", &[T], T, similar_to_escape),
    scalar(1623, "similar_escape", &[T, T], T, similar_escape).loose(),
    scalar(1569, "like", &[T, T], Type::BOOL, |c, a| super::super::call(850, c, a)),
    scalar(1570, "notlike", &[T, T], Type::BOOL, |c, a| super::super::call(851, c, a)),
    scalar(2007, "like", &[B, B], Type::BOOL, |c, a| super::super::call(2005, c, a)),
    scalar(2008, "notlike", &[B, B], Type::BOOL, |c, a| super::super::call(2006, c, a)),
];

fn invalid_escape() -> Error {
    err!(INVALID_ESCAPE_SEQUENCE, "invalid escape string").hint("Escape string must be empty or one character.")
}

/// `LIKE pattern ESCAPE c` as a pattern whose escape is the backslash.
fn like_escape(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (pattern, escape) = (args.text(0)?, escape_char(args.text(1)?)?);
    let Some(escape) = escape else { return Ok(Datum::text(pattern.replace('\\', "\\\\"))) };
    if escape == '\\' {
        return Ok(args.at(0).clone());
    }
    let mut text = String::with_capacity(pattern.len() + 8);
    let mut escaped = false;
    for c in pattern.chars() {
        if c == escape && !escaped {
            text.push('\\');
            escaped = true;
            continue;
        }
        text.push(c);
        if c == '\\' && !escaped {
            text.push('\\');
        }
        escaped = false;
    }
    Ok(Datum::text(text))
}

fn like_escape_bytea(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (pattern, escape) = (args.bytea(0)?, args.bytea(1)?);
    let escape = match escape {
        [] => None,
        [byte] => Some(*byte),
        _ => return Err(invalid_escape()),
    };
    if escape == Some(b'\\') {
        return Ok(args.at(0).clone());
    }
    let mut bytes = Vec::with_capacity(pattern.len() + 8);
    let mut escaped = false;
    for &byte in pattern {
        if Some(byte) == escape && !escaped {
            bytes.push(b'\\');
            escaped = true;
            continue;
        }
        bytes.push(byte);
        if byte == b'\\' && !escaped {
            bytes.push(b'\\');
        }
        escaped = false;
    }
    Ok(Datum::Bytea(bytes.into()))
}

fn escape_char(escape: &str) -> Result<Option<char>> {
    let mut chars = escape.chars();
    match (chars.next(), chars.next()) {
        (c, None) => Ok(c),
        _ => Err(invalid_escape()),
    }
}

fn similar_to_escape(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let escape = if args.len() > 1 { escape_char(args.text(1)?)? } else { Some('\\') };
    Ok(Datum::text(similar_to_regex(args.text(0)?, escape)?))
}

/// The old form: a NULL escape is the default.
fn similar_escape(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    let escape = if args.at(1).is_null() { Some('\\') } else { escape_char(args.text(1)?)? };
    Ok(Datum::text(similar_to_regex(args.text(0)?, escape)?))
}

/// The escape of `SUBSTRING(... SIMILAR ... ESCAPE ...)`.
pub(super) fn substring_pattern(pattern: &str, escape: &str) -> Result<String> {
    similar_to_regex(pattern, escape_char(escape)?)
}

/// A SQL regular expression as an ARE. Two escaped double quotes divide it into three parts for SUBSTRING: the first
/// as short as possible, the second what is wanted.
fn similar_to_regex(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut regex = String::from("^(?:");
    let (mut escaped, mut quotes, mut depth, mut bracket_start) = (false, 0, 0, 0);
    for c in pattern.chars() {
        if escaped {
            escaped = false;
            if c == '"' && depth == 0 {
                regex.push_str(match quotes {
                    0 => "){1,1}?(",
                    1 => "){1,1}(?:",
                    _ => {
                        return Err(err!(
                            INVALID_USE_OF_ESCAPE_CHARACTER,
                            "SQL regular expression may not contain more than two escape-double-quote separators"
                        ));
                    }
                });
                quotes += 1;
            } else {
                regex.push('\\');
                regex.push(c);
                bracket_start = 3;
            }
            continue;
        }
        if Some(c) == escape {
            escaped = true;
            continue;
        }
        if depth > 0 {
            if c == '\\' {
                regex.push('\\');
            }
            regex.push(c);
            // A closing bracket right at the start (perhaps after ^) is a member of the set.
            match c {
                ']' if bracket_start > 2 => depth -= 1,
                '[' => depth += 1,
                _ => {}
            }
            bracket_start = if c == '^' { bracket_start + 1 } else { 3 };
            continue;
        }
        match c {
            '[' => {
                regex.push(c);
                (depth, bracket_start) = (1, 1);
            }
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '(' => regex.push_str("(?:"),
            '\\' | '.' | '^' | '$' => regex.extend(['\\', c]),
            c => regex.push(c),
        }
    }
    regex.push_str(")$");
    Ok(regex)
}
