//! Text of [`Numeric`]: PostgreSQL's numeric_in and numeric_out.

use std::fmt;

use super::decimal::{Decimal, LIMB_DIGITS};
use super::{Numeric, Repr, join, overflow};
use crate::err;
use crate::error::{Error, Result};

impl Numeric {
    /// Reads a number as PostgreSQL's numeric input does: decimal with exponent, `NaN`, `Infinity`, `0x`/`0o`/`0b`
    /// integers, underscores between digits, surrounding white space.
    pub fn parse(text: &str) -> Result<Self> {
        let bytes = text.as_bytes();
        if let Some(number) = parse_plain(bytes) {
            return Ok(number);
        }
        parse_full(bytes).unwrap_or_else(|| Err(invalid(text)))
    }

    /// Reads `[-]digits[.digits][e[+-]digits]`, already known to be well-formed (a JSON number). 22003 when it is out of range.
    pub(crate) fn parse_json(bytes: &[u8]) -> Result<Self> {
        match parse_plain(bytes) {
            Some(number) => Ok(number),
            None => parse_full(bytes).unwrap_or_else(|| Err(invalid(&String::from_utf8_lossy(bytes)))),
        }
    }

    /// Appends the text.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::NaN => out.extend_from_slice(b"NaN"),
            Repr::Infinity => out.extend_from_slice(b"Infinity"),
            Repr::NegInfinity => out.extend_from_slice(b"-Infinity"),
            Repr::Small { scale, high, low } => write_small(join(*high, *low), *scale as usize, out),
            Repr::Big(big) => write_big(&big.value, big.scale, out),
        }
    }
}

fn invalid(text: &str) -> Error {
    err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type numeric: \"{text}\"")
}

/// The common case: an optional sign and at most 18 digits with an optional point.
#[inline]
fn parse_plain(bytes: &[u8]) -> Option<Numeric> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value = 0i64;
    let mut scale = None;
    for (i, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value.checked_mul(10)?.checked_add(digit as i64)?;
        } else if byte == b'.' && scale.is_none() && digits.len() > 1 {
            scale = Some(digits.len() - 1 - i);
        } else {
            return None;
        }
    }
    let value = if negative { -value } else { value };
    let scale = scale.unwrap_or(0) as u16;
    Some(Numeric(Repr::Small { scale, high: value >> 63, low: value as u64 }))
}

/// `None`: not a number.
fn parse_full(bytes: &[u8]) -> Option<Result<Numeric>> {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let start = bytes.iter().position(|b| !is_space(b))?;
    let end = bytes.iter().rposition(|b| !is_space(b))? + 1;
    let bytes = &bytes[start..end];
    if bytes.eq_ignore_ascii_case(b"nan") {
        return Some(Ok(Numeric::NAN));
    }
    let (negative, rest) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    if rest.eq_ignore_ascii_case(b"infinity") || rest.eq_ignore_ascii_case(b"inf") {
        return Some(Ok(if negative { Numeric::NEG_INFINITY } else { Numeric::INFINITY }));
    }
    match rest {
        [b'0', b'x' | b'X', digits @ ..] => parse_radix(negative, digits, 16),
        [b'0', b'o' | b'O', digits @ ..] => parse_radix(negative, digits, 8),
        [b'0', b'b' | b'B', digits @ ..] => parse_radix(negative, digits, 2),
        _ => parse_decimal(negative, rest),
    }
}

fn parse_decimal(negative: bool, bytes: &[u8]) -> Option<Result<Numeric>> {
    let mut digits = Vec::with_capacity(bytes.len());
    let mut point = None;
    let mut i = 0;
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    if bytes.first() == Some(&b'.') {
        point = Some(0);
        i = 1;
    }
    if !is_digit(i) {
        return None;
    }
    while let Some(&byte) = bytes.get(i) {
        i += 1;
        match byte {
            b'0'..=b'9' => digits.push(byte - b'0'),
            b'.' if point.is_none() && bytes.get(i) != Some(&b'_') => point = Some(digits.len()),
            b'_' if is_digit(i) => {}
            b'e' | b'E' => {
                i -= 1;
                break;
            }
            _ => return None,
        }
    }
    let mut exponent = 0i64;
    if i < bytes.len() {
        i += 1;
        let minus = bytes.get(i) == Some(&b'-');
        if minus || bytes.get(i) == Some(&b'+') {
            i += 1;
        }
        if !is_digit(i) {
            return None;
        }
        while let Some(&byte) = bytes.get(i) {
            i += 1;
            match byte {
                b'0'..=b'9' => {
                    exponent = exponent * 10 + (byte - b'0') as i64;
                    if exponent > (i32::MAX / 2) as i64 {
                        return Some(Err(overflow()));
                    }
                }
                b'_' if is_digit(i) => {}
                _ => return None,
            }
        }
        if minus {
            exponent = -exponent;
        }
    }
    let point = point.unwrap_or(digits.len()) as i64;
    let scale = (digits.len() as i64 - point - exponent).max(0);
    let point = point + exponent;
    let leading = digits.iter().take_while(|&&digit| digit == 0).count();
    let nonzero = leading < digits.len();
    if scale > super::SCALE_MAX as i64 || (nonzero && point - leading as i64 > super::INTEGER_DIGITS_MAX) {
        return Some(Err(overflow()));
    }
    if !nonzero {
        return Some(Ok(Numeric::from_mantissa(0, scale as u16)));
    }
    let value = Decimal::from_digits(negative, &digits[leading..], point - leading as i64);
    Some(Numeric::from_decimal(value, scale as i32))
}

fn parse_radix(negative: bool, bytes: &[u8], radix: u32) -> Option<Result<Numeric>> {
    // An underscore may follow the prefix, and must be followed by a digit.
    let mut value = Decimal::zero();
    let (mut chunk, mut unit) = (0u64, 1u64);
    let mut count = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if byte == b'_' {
            if !bytes.get(i + 1).is_some_and(|&next| (next as char).is_digit(radix)) {
                return None;
            }
            continue;
        }
        chunk = chunk * radix as u64 + (byte as char).to_digit(radix)? as u64;
        unit *= radix as u64;
        count += 1;
        if unit >= 1 << 48 {
            value = value.mul(&Decimal::from_u64(unit)).add(&Decimal::from_u64(chunk));
            (chunk, unit) = (0, 1);
            if value.exponent() >= super::INTEGER_DIGITS_MAX {
                return Some(Err(overflow()));
            }
        }
    }
    if count == 0 {
        return None;
    }
    value = value.mul(&Decimal::from_u64(unit)).add(&Decimal::from_u64(chunk));
    value.negative = negative && !value.is_zero();
    Some(Numeric::from_decimal(value, 0))
}

fn write_small(mantissa: i128, scale: usize, out: &mut Vec<u8>) {
    if mantissa < 0 {
        out.push(b'-');
    }
    let mut buffer = [b'0'; 40];
    let mut at = buffer.len();
    let mut rest = mantissa.unsigned_abs();
    while rest > u64::MAX as u128 {
        let mut low = (rest % 10_000_000_000_000_000_000) as u64;
        rest /= 10_000_000_000_000_000_000;
        for _ in 0..19 {
            at -= 1;
            buffer[at] = b'0' + (low % 10) as u8;
            low /= 10;
        }
    }
    let mut rest = rest as u64;
    while rest >= 100 {
        let pair = (rest % 100) as u8;
        rest /= 100;
        at -= 2;
        buffer[at] = b'0' + pair / 10;
        buffer[at + 1] = b'0' + pair % 10;
    }
    if rest >= 10 {
        at -= 2;
        buffer[at] = b'0' + (rest / 10) as u8;
        buffer[at + 1] = b'0' + (rest % 10) as u8;
    } else if rest > 0 || at == buffer.len() {
        at -= 1;
        buffer[at] = b'0' + rest as u8;
    }
    let digits = &buffer[at..];
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

fn write_big(value: &Decimal, scale: u16, out: &mut Vec<u8>) {
    if value.negative {
        out.push(b'-');
    }
    let start = out.len();
    let top = value.limbs.len() as i64 - value.frac as i64 - 1;
    let mut buffer = [0u8; LIMB_DIGITS];
    let mut limb = |weight: i64, out: &mut Vec<u8>| {
        let mut rest = value.limb(weight);
        for slot in buffer.iter_mut().rev() {
            *slot = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&buffer);
    };
    for weight in (0..=top.max(0)).rev() {
        limb(weight, out);
    }
    let zeros = out[start..].iter().take_while(|&&b| b == b'0').count().min(out.len() - start - 1);
    out.drain(start..start + zeros);
    if scale > 0 {
        out.push(b'.');
        let end = out.len() + scale as usize;
        let mut weight = -1;
        while out.len() < end {
            limb(weight, out);
            weight -= 1;
        }
        out.truncate(end);
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(24);
        self.write_text(&mut out);
        f.pad(std::str::from_utf8(&out).map_err(|_| fmt::Error)?)
    }
}
