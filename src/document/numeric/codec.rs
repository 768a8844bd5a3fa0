//! Bytes of [`Numeric`]: the compact storage form, PostgreSQL's binary wire form, and the sort key.
//!
//! Storage form (the length is known from outside): a head byte, then the payload.
//! ```text
//! 0x00..=0x1e  scale 0..=30; the mantissa zigzag-coded, little endian, without leading zero bytes (zero: no bytes)
//! 0x1f         the scale as u16 LE, then the mantissa as above
//! 0x20 / 0x21  positive / negative with more than 38 digits: scale u16, zero limbs u16, then limbs u32 LE
//! 0x40..=0x42  NaN, Infinity, -Infinity
//! ```

use smallvec::SmallVec;

use super::decimal::{Decimal, LIMB_DIGITS, frac_limbs};
use super::{INTEGER_DIGITS_MAX, Numeric, Repr, SCALE_MAX, SMALL_MAX, join};
use crate::err;
use crate::error::{Error, Result};

/// The storage bytes of a number; in place for everything up to 38 digits.
pub type NumericBytes = SmallVec<[u8; 24]>;

const SCALE_FOLLOWS: u8 = 0x1f;
const BIG: u8 = 0x20;
const NAN: u8 = 0x40;
const INFINITY: u8 = 0x41;
const NEG_INFINITY: u8 = 0x42;

fn corrupt() -> Error {
    err!(DATA_CORRUPTED, "stored numeric value is damaged")
}

impl Numeric {
    /// The storage bytes. Equal values of equal scale have equal bytes.
    pub fn as_bytes(&self) -> NumericBytes {
        let mut bytes = NumericBytes::new();
        self.write_with(&mut |part| bytes.extend_from_slice(part));
        bytes
    }

    /// Appends the storage bytes.
    #[inline]
    pub fn write_bytes(&self, out: &mut Vec<u8>) {
        self.write_with(&mut |part| out.extend_from_slice(part));
    }

    #[inline]
    fn write_with(&self, out: &mut impl FnMut(&[u8])) {
        match &self.0 {
            Repr::Small { scale, high, low } => {
                if *scale < SCALE_FOLLOWS as u16 {
                    out(&[*scale as u8]);
                } else {
                    let [a, b] = scale.to_le_bytes();
                    out(&[SCALE_FOLLOWS, a, b]);
                }
                let mantissa = join(*high, *low);
                let zigzag = ((mantissa << 1) ^ (mantissa >> 127)) as u128;
                let length = 16 - zigzag.leading_zeros() as usize / 8;
                out(&zigzag.to_le_bytes()[..length]);
            }
            Repr::Big(big) => {
                let zeros = big.value.limbs.iter().take_while(|&&limb| limb == 0).count();
                out(&[BIG | big.value.negative as u8]);
                out(&big.scale.to_le_bytes());
                out(&(zeros as u16).to_le_bytes());
                for limb in &big.value.limbs[zeros..] {
                    out(&limb.to_le_bytes());
                }
            }
            Repr::NaN => out(&[NAN]),
            Repr::Infinity => out(&[INFINITY]),
            Repr::NegInfinity => out(&[NEG_INFINITY]),
        }
    }

    /// Reads the storage bytes; XX001 when they are damaged.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&head, rest) = bytes.split_first().ok_or_else(corrupt)?;
        Self::from_head(head, rest)
    }

    /// Reads storage bytes whose head byte stands elsewhere (in a jsonb tag).
    #[inline]
    pub(crate) fn from_head(head: u8, rest: &[u8]) -> Result<Self> {
        match head {
            0..SCALE_FOLLOWS => read_small(head as u16, rest),
            SCALE_FOLLOWS => match rest {
                [a, b, rest @ ..] => read_small(u16::from_le_bytes([*a, *b]), rest),
                _ => Err(corrupt()),
            },
            0x20 | 0x21 => read_big(head == 0x21, rest),
            NAN if rest.is_empty() => Ok(Self::NAN),
            INFINITY if rest.is_empty() => Ok(Self::INFINITY),
            NEG_INFINITY if rest.is_empty() => Ok(Self::NEG_INFINITY),
            _ => Err(corrupt()),
        }
    }

    /// Appends PostgreSQL's binary form (numeric_send).
    pub fn encode_binary(&self, out: &mut Vec<u8>) {
        let mut head = |digits: u16, weight: i16, sign: u16, scale: u16| {
            out.extend_from_slice(&digits.to_be_bytes());
            out.extend_from_slice(&weight.to_be_bytes());
            out.extend_from_slice(&sign.to_be_bytes());
            out.extend_from_slice(&scale.to_be_bytes());
        };
        let Some(finite) = self.finite() else {
            return match self.0 {
                Repr::Infinity => head(0, 0, 0xd000, 0x20),
                Repr::NegInfinity => head(0, 0, 0xf000, 0x20),
                _ => head(0, 0, 0xc000, 0),
            };
        };
        let value = finite.decimal();
        if value.is_zero() {
            return head(0, 0, 0, finite.scale());
        }
        let weight = value.exponent().div_euclid(4);
        let lowest = value.lowest_exponent().div_euclid(4);
        let sign = if value.negative { 0x4000 } else { 0 };
        head((weight - lowest + 1) as u16, weight as i16, sign, finite.scale());
        for index in (lowest..=weight).rev() {
            out.extend_from_slice(&value.digit4(index).to_be_bytes());
        }
    }

    /// Reads PostgreSQL's binary form (numeric_recv).
    pub fn decode_binary(bytes: &[u8]) -> Result<Self> {
        let invalid = |what: &str| err!(INVALID_BINARY_REPRESENTATION, "invalid {what} in external \"numeric\" value");
        let field = |i: usize| -> Result<u16> {
            match bytes.get(2 * i..2 * i + 2) {
                Some(&[a, b]) => Ok(u16::from_be_bytes([a, b])),
                _ => Err(err!(PROTOCOL_VIOLATION, "insufficient data left in message")),
            }
        };
        let (count, weight, sign, scale) = (field(0)? as usize, field(1)? as i16 as i64, field(2)?, field(3)?);
        if !matches!(sign, 0 | 0x4000 | 0xc000 | 0xd000 | 0xf000) {
            return Err(invalid("sign"));
        }
        if scale & 0x3fff != scale {
            return Err(invalid("scale"));
        }
        let mut digits = Vec::with_capacity(4 * count.min(bytes.len() / 2));
        for i in 0..count {
            let digit = field(4 + i)?;
            if digit >= 10_000 {
                return Err(invalid("digit"));
            }
            digits.extend([digit / 1000, digit / 100 % 10, digit / 10 % 10, digit % 10].map(|d| d as u8));
        }
        if bytes.len() != 8 + 2 * count {
            return Err(err!(INVALID_BINARY_REPRESENTATION, "incorrect binary data format"));
        }
        match sign {
            0xc000 => return Ok(Self::NAN),
            0xd000 => return Ok(Self::INFINITY),
            0xf000 => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        let point = (weight + 1) * 4;
        let leading = digits.iter().take_while(|&&digit| digit == 0).count();
        let digits = &digits[leading..];
        let point = point - leading as i64;
        if digits.is_empty() || point + (scale as i64) < 0 {
            return Ok(Self::from_mantissa(0, scale));
        }
        // Digits behind the scale are cut off, as PostgreSQL does.
        let keep = ((point + scale as i64).max(0) as usize).min(digits.len());
        Self::from_decimal(Decimal::from_digits(sign == 0x4000, &digits[..keep], point), scale.into())
    }

    /// Appends a key whose byte order is the numeric order and which is the same for equal values of any scale.
    /// No key is a prefix of another.
    pub fn write_sort_key(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::NegInfinity => out.push(1),
            Repr::Infinity => out.push(5),
            Repr::NaN => out.push(6),
            _ if self.is_zero() => out.push(3),
            Repr::Small { scale, high, low } => {
                let mantissa = join(*high, *low);
                let mut buffer = [0u8; 40];
                let digits = digits_of(mantissa.unsigned_abs(), &mut buffer);
                write_key(mantissa < 0, digits.len() as i64 - *scale as i64, digits, out);
            }
            Repr::Big(big) => {
                let top = big.value.exponent();
                let digits: Vec<u8> =
                    (0..=top - big.value.lowest_exponent()).map(|i| big.value.digit(top - i)).collect();
                write_key(big.value.negative, top + 1, &digits, out);
            }
        }
    }

    /// Reads a sort key back: the value with its smallest scale, and the bytes used.
    pub fn read_sort_key(bytes: &[u8]) -> Result<(Self, usize)> {
        let damaged = || err!(INDEX_CORRUPTED, "numeric key is damaged");
        let class = *bytes.first().ok_or_else(damaged)?;
        let negative = match class {
            1 => return Ok((Self::NEG_INFINITY, 1)),
            3 => return Ok((Self::ZERO, 1)),
            5 => return Ok((Self::INFINITY, 1)),
            6 => return Ok((Self::NAN, 1)),
            2 => true,
            4 => false,
            _ => return Err(damaged()),
        };
        let flip = if negative { 0xff } else { 0 };
        let byte = |i: usize| bytes.get(i).map(|b| b ^ flip).ok_or_else(damaged);
        let (point, mut at) = match byte(1)? {
            first @ (EXPONENT_BELOW | EXPONENT_ABOVE) => {
                let mut raw = [0u8; 4];
                for (i, slot) in raw.iter_mut().enumerate() {
                    *slot = byte(2 + i)?;
                }
                let distance = u32::from_be_bytes(raw) as i64;
                let point = if first == EXPONENT_ABOVE { distance } else { distance - (1 << 31) };
                (point, 6)
            }
            near => (near as i64 - EXPONENT_BIAS, 2),
        };
        if !(-(SCALE_MAX as i64)..=INTEGER_DIGITS_MAX).contains(&point) {
            return Err(damaged());
        }
        let mut digits = Vec::new();
        loop {
            let pair = byte(at)?;
            at += 1;
            if pair / 2 > 99 {
                return Err(damaged());
            }
            digits.push(pair / 2 / 10);
            digits.push(pair / 2 % 10);
            if pair % 2 == 0 {
                break;
            }
        }
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.first().is_none_or(|&first| first == 0) {
            return Err(damaged());
        }
        let scale = (digits.len() as i64 - point).max(0);
        let value = Self::from_decimal(Decimal::from_digits(negative, &digits, point), scale as i32);
        Ok((value.map_err(|_| damaged())?, at))
    }
}

/// Exponents from -100 to 100 take one byte around this.
const EXPONENT_BIAS: i64 = 128;
const EXPONENT_BELOW: u8 = 1;
const EXPONENT_ABOVE: u8 = 254;

/// `0.d1d2d3... * 10^point`: the class, the exponent, then pairs of digits whose low bit says that more follow.
fn write_key(negative: bool, point: i64, digits: &[u8], out: &mut Vec<u8>) {
    out.push(if negative { 2 } else { 4 });
    let start = out.len();
    if (-100..=100).contains(&point) {
        out.push((point + EXPONENT_BIAS) as u8);
    } else if point < 0 {
        out.push(EXPONENT_BELOW);
        out.extend_from_slice(&((point + (1 << 31)) as u32).to_be_bytes());
    } else {
        out.push(EXPONENT_ABOVE);
        out.extend_from_slice(&(point as u32).to_be_bytes());
    }
    let used = digits.len() - digits.iter().rev().take_while(|&&digit| digit == 0).count();
    for pair in digits[..used].chunks(2) {
        let value = pair[0] * 10 + pair.get(1).copied().unwrap_or(0);
        out.push(value * 2 + 1);
    }
    if let Some(last) = out.last_mut() {
        *last -= 1;
    }
    if negative {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

fn digits_of(mut value: u128, buffer: &mut [u8; 40]) -> &[u8] {
    let mut at = buffer.len();
    while value > u64::MAX as u128 {
        at -= 1;
        buffer[at] = (value % 10) as u8;
        value /= 10;
    }
    let mut value = value as u64;
    while value > 0 {
        at -= 1;
        buffer[at] = (value % 10) as u8;
        value /= 10;
    }
    &buffer[at..]
}

#[inline]
fn read_small(scale: u16, bytes: &[u8]) -> Result<Numeric> {
    if scale > SCALE_MAX || bytes.len() > 16 || bytes.last() == Some(&0) {
        return Err(corrupt());
    }
    if bytes.len() <= 8 {
        let mut raw = [0u8; 8];
        raw[..bytes.len()].copy_from_slice(bytes);
        let zigzag = u64::from_le_bytes(raw);
        let low = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        // One bit more than an i64 holds never occurs: zigzag of 8 bytes is exactly an i64.
        return Ok(Numeric(Repr::Small { scale, high: low >> 63, low: low as u64 }));
    }
    let mut raw = [0u8; 16];
    raw[..bytes.len()].copy_from_slice(bytes);
    let zigzag = u128::from_le_bytes(raw);
    let mantissa = (zigzag >> 1) as i128 ^ -((zigzag & 1) as i128);
    if mantissa.unsigned_abs() >= SMALL_MAX {
        return Err(corrupt());
    }
    Ok(Numeric::from_mantissa(mantissa, scale))
}

fn read_big(negative: bool, bytes: &[u8]) -> Result<Numeric> {
    let [a, b, c, d, rest @ ..] = bytes else { return Err(corrupt()) };
    let (scale, zeros) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]) as usize);
    let limb_max = INTEGER_DIGITS_MAX as usize / LIMB_DIGITS + 1 + frac_limbs(scale.into());
    if scale > SCALE_MAX || rest.len() % 4 != 0 || rest.is_empty() || zeros + rest.len() / 4 > limb_max {
        return Err(corrupt());
    }
    let mut limbs = vec![0u32; zeros];
    limbs.extend(rest.chunks_exact(4).map(|raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]])));
    let sound = limbs.iter().all(|&limb| limb < 1_000_000_000) && limbs.last() != Some(&0);
    let value = Decimal { negative, frac: frac_limbs(scale.into()), limbs };
    if !sound || -value.lowest_exponent() > scale as i64 {
        return Err(corrupt());
    }
    Numeric::from_decimal(value, scale.into()).map_err(|_| corrupt())
}
