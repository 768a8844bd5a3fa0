//! Integers, floats and OIDs as text.

use std::fmt::Write as _;

use crate::err;
use crate::error::{Error, Result};

fn invalid(name: &str, text: &str) -> Error {
    err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type {name}: \"{text}\"")
}

fn out_of_range(name: &str, text: &str) -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "value \"{text}\" is out of range for type {name}")
}

/// C's `isspace`.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// `int2in`, `int4in`, `int8in`: decimal, `0x`, `0o`, `0b`, single underscores between digits.
pub(crate) fn integer_in<T: TryFrom<i64>>(text: &str, name: &str) -> Result<T> {
    let (negative, magnitude) = magnitude(text, name)?;
    let value = if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
    value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| out_of_range(name, text))
}

fn magnitude(text: &str, name: &str) -> Result<(bool, u64)> {
    let trimmed = text.trim_matches(is_space);
    let (negative, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let (radix, digits, prefixed) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..], true),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..], true),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..], true),
        _ => (10, digits, false),
    };
    let mut value: u64 = 0;
    let mut overflow = false;
    let mut digit_before = prefixed;
    let mut any = false;
    for c in digits.chars() {
        if c == '_' {
            if !digit_before {
                return Err(invalid(name, text));
            }
            digit_before = false;
            continue;
        }
        let Some(digit) = c.to_digit(radix) else { return Err(invalid(name, text)) };
        (digit_before, any) = (true, true);
        match value.checked_mul(u64::from(radix)).and_then(|v| v.checked_add(u64::from(digit))) {
            Some(next) => value = next,
            None => overflow = true,
        }
    }
    if !any || !digit_before {
        return Err(invalid(name, text));
    }
    if overflow { Err(out_of_range(name, text)) } else { Ok((negative, value)) }
}

pub(crate) fn integer_out(value: i64, out: &mut String) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

/// `oidin`: an unsigned number; a negative one wraps, as in PostgreSQL.
pub(crate) fn oid_in(text: &str, name: &str) -> Result<u32> {
    let trimmed = text.trim_matches(is_space);
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(name, text));
    }
    let value: i64 = trimmed.parse().map_err(|_| out_of_range(name, text))?;
    if value > i64::from(u32::MAX) || value < i64::from(i32::MIN) {
        return Err(out_of_range(name, text));
    }
    Ok(value as u32)
}

/// The words that floats know.
fn special(text: &str) -> Option<f64> {
    let (negative, word) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let value = match word.to_ascii_lowercase().as_str() {
        "nan" if !negative && word.len() == text.len() => f64::NAN,
        "inf" | "infinity" => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// Whether a text is digits with point and exponent; Rust's parser takes more (`1.e5`, `.5` are fine in both).
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
}

/// Whether a decimal text is not zero, i.e. a zero result is underflow.
fn has_nonzero_digit(text: &str) -> bool {
    text.bytes().take_while(|b| !matches!(b, b'e' | b'E')).any(|b| (b'1'..=b'9').contains(&b))
}

macro_rules! float_in {
    ($(#[$doc:meta])* $name:ident, $t:ty, $type_name:literal) => {
        $(#[$doc])*
        pub(crate) fn $name(text: &str) -> Result<$t> {
            let trimmed = text.trim_matches(is_space);
            if let Some(value) = special(trimmed) {
                return Ok(value as $t);
            }
            if !is_decimal(trimmed) {
                return Err(invalid($type_name, text));
            }
            let value: $t = trimmed.parse().map_err(|_| invalid($type_name, text))?;
            if value.is_infinite() || (value == 0.0 && has_nonzero_digit(trimmed)) {
                return Err(err!(NUMERIC_VALUE_OUT_OF_RANGE, "\"{trimmed}\" is out of range for type {}", $type_name));
            }
            Ok(value)
        }
    };
}

float_in!(
    /// `float8in`.
    float8_in,
    f64,
    "double precision"
);
float_in!(
    /// `float4in`.
    float4_in,
    f32,
    "real"
);

/// `float8out`: the shortest exact form, or a fixed number of digits when `extra_float_digits` is not positive.
pub(crate) fn float8_out(value: f64, extra_float_digits: i32, out: &mut String) {
    if let Some(word) = special_out(value) {
        out.push_str(word);
    } else if extra_float_digits > 0 {
        shortest(&format!("{value:e}"), 15, out);
    } else {
        general(value, (15 + extra_float_digits).max(1) as usize, out);
    }
}

/// `float4out`.
pub(crate) fn float4_out(value: f32, extra_float_digits: i32, out: &mut String) {
    if let Some(word) = special_out(f64::from(value)) {
        out.push_str(word);
    } else if extra_float_digits > 0 {
        shortest(&format!("{value:e}"), 6, out);
    } else {
        general(f64::from(value), (6 + extra_float_digits).max(1) as usize, out);
    }
}

fn special_out(value: f64) -> Option<&'static str> {
    match value {
        v if v.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

/// `d.ddde-x` as PostgreSQL writes it: positional while the exponent is in -4..precision.
fn shortest(scientific: &str, precision: i32, out: &mut String) {
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes a decimal exponent");
    layout(mantissa, exponent, precision, out);
}

/// C's `%.{precision}g`.
fn general(value: f64, precision: usize, out: &mut String) {
    let scientific = format!("{value:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes a decimal exponent");
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    layout(mantissa, exponent, precision as i32, out);
}

fn layout(mantissa: &str, exponent: i32, precision: i32, out: &mut String) {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    out.push_str(sign);
    if !(-4..precision).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.abs());
        return;
    }
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-exponent - 1) as usize));
        out.push_str(&digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
    } else {
        let _ = write!(out, "{}.{}", &digits[..whole], &digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(integer_in::<i32>(" -0x7F ", "integer").unwrap(), -127);
        assert_eq!(integer_in::<i64>("-9223372036854775808", "bigint").unwrap(), i64::MIN);
        assert_eq!(integer_in::<i32>("1_000", "integer").unwrap(), 1000);
        for bad in ["", "1_", "_1", "1__0", "1.0", "0x", "abc", "--1"] {
            let error = integer_in::<i32>(bad, "integer").unwrap_err();
            assert_eq!(error.message(), format!("invalid input syntax for type integer: \"{bad}\""));
        }
        assert_eq!(
            integer_in::<i16>("32768", "smallint").unwrap_err().message(),
            "value \"32768\" is out of range for type smallint"
        );
        let mut out = String::new();
        integer_out(i64::MIN, &mut out);
        assert_eq!(out, "-9223372036854775808");
    }

    #[test]
    fn floats() {
        let out8 = |value: f64| {
            let mut out = String::new();
            float8_out(value, 1, &mut out);
            out
        };
        for (value, text) in [
            (0.1, "0.1"),
            (1e15, "1e+15"),
            (123456789012345.0, "123456789012345"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0"),
            (1.5e300, "1.5e+300"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(out8(value), text);
        }
        let mut out = String::new();
        float8_out(0.1 + 0.2, 0, &mut out);
        assert_eq!(out, "0.3");
        assert!(
            float8_in("1e400").unwrap_err().message().contains("\"1e400\" is out of range for type double precision")
        );
        assert!(float8_in("infinit").is_err());
        assert!(float8_in("nan").unwrap().is_nan());
        assert_eq!(float4_in("1e-50").unwrap_err().message(), "\"1e-50\" is out of range for type real");
    }
}
