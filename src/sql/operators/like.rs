//! `LIKE` and `ILIKE`: `%`, `_` and backslash, over the whole text.

use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

fn texts(args: &[Datum]) -> Result<(&[u8], &[u8])> {
    match args {
        [Datum::Text(text), Datum::Text(pattern)] => Ok((text.as_bytes(), pattern.as_bytes())),
        [Datum::Bytea(text), Datum::Bytea(pattern)] => Ok((text, pattern)),
        _ => Err(Error::internal("LIKE called with other types")),
    }
}

pub(crate) fn like(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, pattern) = texts(args)?;
    is_like(text, pattern, true).map(Datum::Bool)
}

pub(crate) fn nlike(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, pattern) = texts(args)?;
    is_like(text, pattern, true).map(|matched| Datum::Bool(!matched))
}

pub(crate) fn bytea_like(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, pattern) = texts(args)?;
    is_like(text, pattern, false).map(Datum::Bool)
}

pub(crate) fn bytea_nlike(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, pattern) = texts(args)?;
    is_like(text, pattern, false).map(|matched| Datum::Bool(!matched))
}

fn is_ilike(args: &[Datum]) -> Result<bool> {
    match args {
        [Datum::Text(text), Datum::Text(pattern)] => {
            is_like(text.to_lowercase().as_bytes(), pattern.to_lowercase().as_bytes(), true)
        }
        _ => Err(Error::internal("ILIKE called with other types")),
    }
}

pub(crate) fn iclike(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    is_ilike(args).map(Datum::Bool)
}

pub(crate) fn icnlike(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    is_ilike(args).map(|matched| Datum::Bool(!matched))
}

/// Whether a text is like a pattern; `_` is a character of UTF-8, or a byte.
pub(crate) fn is_like(text: &[u8], pattern: &[u8], utf8: bool) -> Result<bool> {
    if !pattern.iter().any(|byte| matches!(byte, b'_' | b'\\')) {
        return Ok(pieces(text, pattern));
    }
    walk(text, pattern, utf8)
}

/// Patterns of `%` and plain text: the first piece begins, the last one ends, the others follow in order.
fn pieces(text: &[u8], pattern: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'%');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match find(rest, part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(first) = needle.first() else { return Some(0) };
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| byte == first) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn char_length(bytes: &[u8], utf8: bool) -> usize {
    let length = match bytes[0] {
        _ if !utf8 => 1,
        0..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    length.min(bytes.len())
}

/// Goes through both; after a mismatch the last `%` takes one character more.
fn walk(text: &[u8], pattern: &[u8], utf8: bool) -> Result<bool> {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let advanced = match pattern.get(p) {
            Some(b'%') => {
                p += 1;
                retry = Some((t, p));
                continue;
            }
            None if t == text.len() => return Ok(true),
            None => false,
            Some(_) if t == text.len() => return Ok(false),
            Some(b'_') => {
                t += char_length(&text[t..], utf8);
                p += 1;
                true
            }
            Some(b'\\') => {
                let Some(literal) = pattern.get(p + 1) else {
                    return Err(err!(INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character"));
                };
                let same = *literal == text[t];
                if same {
                    (t, p) = (t + 1, p + 2);
                }
                same
            }
            Some(literal) => {
                let same = *literal == text[t];
                if same {
                    (t, p) = (t + 1, p + 1);
                }
                same
            }
        };
        if !advanced {
            let Some((from, to)) = retry else { return Ok(false) };
            if from >= text.len() {
                return Ok(false);
            }
            let next = from + char_length(&text[from..], utf8);
            retry = Some((next, to));
            (t, p) = (next, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let like = |text: &str, pattern: &str| is_like(text.as_bytes(), pattern.as_bytes(), true).unwrap();
        for (text, pattern, matched) in [
            ("", "", true),
            ("", "%", true),
            ("abc", "a%c", true),
            ("abc", "a%b", false),
            ("abab", "%ab", true),
            ("ab", "ab%ab", false),
            ("ä", "_", true),
            ("äö", "_", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("aXbXc", "%X_X%", true),
            ("mississippi", "%iss%p_", true),
        ] {
            assert_eq!(like(text, pattern), matched, "{text} LIKE {pattern}");
        }
        assert!(is_like(b"ab", b"a\\", true).is_err());
        assert!(!is_like(b"a", b"a\\", true).unwrap());
    }
}
