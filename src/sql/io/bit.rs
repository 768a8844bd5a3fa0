//! Bit strings as text and bytes.

use crate::document::BitString;
use crate::err;
use crate::error::Result;

/// Bits of a value at most (as PostgreSQL's VARBITMAXLEN).
pub(crate) const BITS_MAX: u32 = i32::MAX as u32 - 8;

/// `bit_in`, `varbit_in` without a length: zeros and ones, or hexadecimal digits after an `x`.
pub(crate) fn bit_in(text: &str) -> Result<BitString> {
    if let Some(digits) = text.strip_prefix(['x', 'X']) {
        return hex(digits);
    }
    binary(text.strip_prefix(['b', 'B']).unwrap_or(text))
}

/// The zeros and ones of a literal.
pub(crate) fn binary(text: &str) -> Result<BitString> {
    let mut bits = BitString::zeros(length(text.len(), 1)?);
    for (at, c) in text.chars().enumerate() {
        match c {
            '0' => {}
            '1' => bits.set(at as u32, true),
            c => return Err(err!(INVALID_TEXT_REPRESENTATION, "\"{c}\" is not a valid binary digit")),
        }
    }
    Ok(bits)
}

/// The hexadecimal digits of a literal.
pub(crate) fn hex(text: &str) -> Result<BitString> {
    let mut bits = BitString::zeros(length(text.len(), 4)?);
    for (at, c) in text.chars().enumerate() {
        let Some(digit) = c.to_digit(16) else {
            return Err(err!(INVALID_TEXT_REPRESENTATION, "\"{c}\" is not a valid hexadecimal digit"));
        };
        bits.bytes[at / 2] |= (digit as u8) << if at % 2 == 0 { 4 } else { 0 };
    }
    Ok(bits)
}

fn length(digits: usize, bits: usize) -> Result<u32> {
    u32::try_from(digits.saturating_mul(bits))
        .ok()
        .filter(|n| *n <= BITS_MAX)
        .ok_or_else(|| err!(PROGRAM_LIMIT_EXCEEDED, "bit string length exceeds the maximum allowed ({BITS_MAX})"))
}

/// `bit(n)`: exactly n bits; an explicit cast cuts or fills with zeros.
pub(crate) fn to_bit(bits: BitString, length: i32, explicit: bool) -> Result<BitString> {
    let Ok(wanted) = u32::try_from(length) else { return Ok(bits) };
    if wanted == 0 || bits.length == wanted {
        return Ok(bits);
    }
    if !explicit {
        return Err(err!(
            STRING_DATA_LENGTH_MISMATCH,
            "bit string length {} does not match type bit({wanted})",
            bits.length
        ));
    }
    let mut out = BitString::zeros(wanted);
    let bytes = out.bytes.len().min(bits.bytes.len());
    out.bytes[..bytes].copy_from_slice(&bits.bytes[..bytes]);
    out.clear_padding();
    Ok(out)
}

/// `bit varying(n)`: at most n bits; an explicit cast cuts.
pub(crate) fn to_varbit(bits: BitString, length: i32, explicit: bool) -> Result<BitString> {
    let Ok(wanted) = u32::try_from(length) else { return Ok(bits) };
    if wanted == 0 || bits.length <= wanted {
        return Ok(bits);
    }
    if !explicit {
        return Err(err!(STRING_DATA_RIGHT_TRUNCATION, "bit string too long for type bit varying({wanted})"));
    }
    Ok(bits.slice(0, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bits: &BitString) -> String {
        let mut out = String::new();
        bits.write_text(&mut out);
        out
    }

    #[test]
    fn literals_and_lengths() {
        assert_eq!(shown(&bit_in("x1F").unwrap()), "000111110000"[..8].to_string());
        assert_eq!(shown(&bit_in("b101").unwrap()), "101");
        assert_eq!(bit_in("12").unwrap_err().message(), "\"2\" is not a valid binary digit");
        assert_eq!(shown(&to_bit(bit_in("101").unwrap(), 5, true).unwrap()), "10100");
        assert_eq!(shown(&to_bit(bit_in("10111").unwrap(), 2, true).unwrap()), "10");
        assert!(to_bit(bit_in("1").unwrap(), 2, false).is_err() && to_varbit(bit_in("11").unwrap(), 1, false).is_err());
    }
}
