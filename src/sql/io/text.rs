//! Strings and what is close to them: boolean, `name`, `"char"`, `bytea`, `uuid`.

use std::fmt::Write as _;

use crate::err;
use crate::error::Result;

use super::number::is_space;

/// `boolin`: unambiguous prefixes of true, false, yes, no, on, off; 1 and 0.
pub(crate) fn bool_in(text: &str) -> Result<bool> {
    let word = text.trim_matches(is_space).to_ascii_lowercase();
    let is_prefix = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    match word.as_str() {
        "1" => Ok(true),
        "0" => Ok(false),
        _ if is_prefix("true", 1) || is_prefix("yes", 1) || is_prefix("on", 2) => Ok(true),
        _ if is_prefix("false", 1) || is_prefix("no", 1) || is_prefix("off", 2) => Ok(false),
        _ => Err(err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type boolean: \"{text}\"")),
    }
}

/// A `name` holds 63 bytes; more is cut at a character.
pub(crate) fn truncate_name(text: &str) -> &str {
    let mut end = text.len().min(63);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `charin`: one byte; `\ooo` is an octal one.
pub(crate) fn char_in(text: &str) -> String {
    char_from_byte(char_byte(text))
}

/// The byte of a `"char"` value as held.
pub(crate) fn char_byte(text: &str) -> u8 {
    match text.as_bytes() {
        [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] => {
            ((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0')
        }
        bytes => bytes.first().copied().unwrap_or(0),
    }
}

/// How a `"char"` is held and shown.
pub(crate) fn char_from_byte(byte: u8) -> String {
    match byte {
        0 => String::new(),
        1..=127 => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

/// `byteain`: hex with `\x`, else the escape form.
pub(crate) fn bytea_in(text: &str) -> Result<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        return bytea_hex(hex);
    }
    let invalid = || err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                bytes.push(b'\\');
                tail
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                tail
            }
            (b'\\', _) => return Err(invalid()),
            (byte, tail) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    Ok(bytes)
}

fn bytea_hex(hex: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(hex.len() / 2);
    let mut high = None;
    for c in hex.chars() {
        if high.is_none() && matches!(c, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let Some(digit) = c.to_digit(16) else {
            return Err(err!(INVALID_PARAMETER_VALUE, "invalid hexadecimal digit: \"{c}\""));
        };
        match high.take() {
            None => high = Some(digit as u8),
            Some(high) => bytes.push((high << 4) | digit as u8),
        }
    }
    if high.is_some() {
        return Err(err!(INVALID_PARAMETER_VALUE, "invalid hexadecimal data: odd number of digits"));
    }
    Ok(bytes)
}

pub(crate) fn bytea_out(bytes: &[u8], hex: bool, out: &mut String) {
    if hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        out.reserve(2 + bytes.len() * 2);
        out.push_str("\\x");
        for byte in bytes {
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        return;
    }
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7E => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
}

/// `uuid_in`: 32 hex digits, a hyphen allowed after each group of four, braces around allowed.
pub(crate) fn uuid_in(text: &str) -> Result<[u8; 16]> {
    let invalid = || err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type uuid: \"{text}\"");
    let mut rest = text.as_bytes();
    let braced = rest.first() == Some(&b'{');
    if braced {
        rest = &rest[1..];
    }
    let mut uuid = [0u8; 16];
    for (index, slot) in uuid.iter_mut().enumerate() {
        let [high, low, tail @ ..] = rest else { return Err(invalid()) };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return Err(invalid()) };
        *slot = ((high << 4) | low) as u8;
        rest = tail;
        if index % 2 == 1 && index < 15 {
            rest = rest.strip_prefix(b"-").unwrap_or(rest);
        }
    }
    if braced {
        rest = rest.strip_prefix(b"}").ok_or_else(invalid)?;
    }
    if rest.is_empty() { Ok(uuid) } else { Err(invalid()) }
}

pub(crate) fn uuid_out(uuid: &[u8; 16], out: &mut String) {
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans() {
        for (text, value) in [("t", true), (" TRUE ", true), ("of", false), ("n", false), ("1", true), ("y", true)] {
            assert_eq!(bool_in(text).unwrap(), value, "{text}");
        }
        assert!(bool_in("o").is_err() && bool_in("").is_err() && bool_in("truex").is_err());
    }

    #[test]
    fn bytea_forms() {
        assert_eq!(bytea_in("\\x41 42").unwrap(), b"AB");
        assert_eq!(bytea_in("a\\\\b\\000").unwrap(), b"a\\b\0");
        assert_eq!(bytea_in("\\x4").unwrap_err().message(), "invalid hexadecimal data: odd number of digits");
        assert_eq!(bytea_in("a\\b").unwrap_err().message(), "invalid input syntax for type bytea");
        let mut out = String::new();
        bytea_out(b"a\\\xff", false, &mut out);
        assert_eq!(out, "a\\\\\\377");
    }

    #[test]
    fn uuids() {
        let text = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for form in [
            text,
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        ] {
            let mut out = String::new();
            uuid_out(&uuid_in(form).unwrap(), &mut out);
            assert_eq!(out, text);
        }
        assert!(uuid_in("a0eebc99").is_err() && uuid_in("{a0eebc999c0b4ef8bb6d6bb9bd380a11").is_err());
    }
}
