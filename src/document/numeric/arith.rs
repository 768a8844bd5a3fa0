//! The operators of [`Numeric`], with PostgreSQL's result scales and limits.

use super::decimal::Decimal;
use super::{Finite, Numeric, Repr, SCALE_MAX, overflow, pow10};
use crate::err;
use crate::error::{Error, Result};

/// Significant digits a quotient, root or logarithm has at least.
pub(super) const MIN_SIGNIFICANT_DIGITS: i64 = 16;
/// The largest display scale such a result is given.
pub(super) const MAX_DISPLAY_SCALE: i64 = 1000;

fn division_by_zero() -> Error {
    err!(DIVISION_BY_ZERO, "division by zero")
}

/// `min(max(scale, ...), 1000)`: how PostgreSQL bounds the scale it selects.
pub(super) fn select_scale(estimate: i64, inputs: &[u16]) -> i32 {
    let least = inputs.iter().copied().max().unwrap_or(0) as i64;
    estimate.max(least).clamp(0, MAX_DISPLAY_SCALE) as i32
}

/// PostgreSQL's weight (in base-10000 digits) and first digit; (0, 0) for zero.
pub(super) fn weight_and_first_digit(value: &Decimal) -> (i64, u16) {
    if value.is_zero() {
        return (0, 0);
    }
    let weight = value.exponent().div_euclid(4);
    (weight, value.digit4(weight))
}

/// The same for a number of at most 38 digits, without making limbs.
fn small_weight_and_first_digit(mantissa: i128, scale: u16) -> (i64, u16) {
    let magnitude = mantissa.unsigned_abs();
    if magnitude == 0 {
        return (0, 0);
    }
    let exponent = magnitude.ilog10() as i64 - scale as i64;
    let weight = exponent.div_euclid(4);
    // The digit is magnitude / 10^(4 * weight + scale), where that power may be below one.
    let shift = 4 * weight + scale as i64;
    let digit = if shift >= 0 { magnitude / 10u128.pow(shift as u32) } else { magnitude * 10u128.pow(-shift as u32) };
    (weight, digit as u16)
}

/// PostgreSQL's select_div_scale.
fn division_scale((weight1, first1): (i64, u16), (weight2, first2): (i64, u16), scales: &[u16]) -> i32 {
    let quotient_weight = weight1 - weight2 - (first1 <= first2) as i64;
    select_scale(MIN_SIGNIFICANT_DIGITS - quotient_weight * 4, scales)
}

/// Quotient rounded half away from zero.
fn div_round(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    if rest.unsigned_abs() >= b.unsigned_abs() - rest.unsigned_abs() {
        quotient + if (a < 0) == (b < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

/// Both mantissas at the larger scale.
fn align(a: i128, x: u16, b: i128, y: u16) -> Option<(i128, i128, u16)> {
    if x == y {
        Some((a, b, x))
    } else if x < y {
        Some((a.checked_mul(pow10((y - x).into())?)?, b, y))
    } else {
        Some((a, b.checked_mul(pow10((x - y).into())?)?, x))
    }
}

impl Numeric {
    /// `self + other`.
    pub fn add(&self, other: &Self) -> Result<Self> {
        match (self.finite(), other.finite()) {
            (Some(Finite::Small(a, x)), Some(Finite::Small(b, y))) => {
                if let Some((a, b, scale)) = align(a, x, b, y)
                    && let Some(sum) = a.checked_add(b)
                {
                    return Ok(Self::from_mantissa(sum, scale));
                }
                Self::from_decimal(Decimal::from_i128(a, x).add(&Decimal::from_i128(b, y)), x.max(y).into())
            }
            (Some(a), Some(b)) => Self::from_decimal(a.decimal().add(&b.decimal()), a.scale().max(b.scale()).into()),
            _ => Ok(match (&self.0, &other.0) {
                (Repr::NaN, _) | (_, Repr::NaN) => Self::NAN,
                (Repr::Infinity, Repr::NegInfinity) | (Repr::NegInfinity, Repr::Infinity) => Self::NAN,
                (Repr::Infinity | Repr::NegInfinity, _) => self.clone(),
                _ => other.clone(),
            }),
        }
    }

    /// `self - other`.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.add(&other.neg())
    }

    /// `self * other`.
    pub fn mul(&self, other: &Self) -> Result<Self> {
        match (self.finite(), other.finite()) {
            (Some(a), Some(b)) => {
                let scale = a.scale() as u32 + b.scale() as u32;
                if let (Finite::Small(a, _), Finite::Small(b, _)) = (&a, &b)
                    && scale <= SCALE_MAX as u32
                    && let Some(product) = a.checked_mul(*b)
                {
                    return Ok(Self::from_mantissa(product, scale as u16));
                }
                let mut product = a.decimal().mul(&b.decimal());
                // The exact product may have more digits than the type holds.
                if scale > SCALE_MAX as u32 {
                    product.round(SCALE_MAX.into());
                }
                Self::from_decimal(product, scale.min(SCALE_MAX.into()) as i32)
            }
            _ => Ok(match (self.signum(), other.signum()) {
                (None, _) | (_, None) | (Some(0), _) | (_, Some(0)) => Self::NAN,
                (Some(a), Some(b)) => Self::infinity(a * b),
            }),
        }
    }

    fn infinity(sign: i32) -> Self {
        if sign < 0 { Self::NEG_INFINITY } else { Self::INFINITY }
    }

    /// `self / other`: at least 16 significant digits. 22012 for a zero divisor.
    pub fn div(&self, other: &Self) -> Result<Self> {
        let (Some(a), Some(b)) = (self.finite(), other.finite()) else { return self.div_special(other) };
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if let (&Finite::Small(a, x), &Finite::Small(b, y)) = (&a, &b) {
            let scale = division_scale(small_weight_and_first_digit(a, x), small_weight_and_first_digit(b, y), &[x, y]);
            // a/10^x / (b/10^y) * 10^scale = a * 10^(scale + y - x) / b
            let shift = scale + y as i32 - x as i32;
            if shift >= 0
                && let Some(a) = pow10(shift as u32).and_then(|unit| a.checked_mul(unit))
            {
                return Ok(Self::from_mantissa(div_round(a, b), scale as u16));
            }
            return Self::from_decimal(Decimal::from_i128(a, x).div(&Decimal::from_i128(b, y), scale, true), scale);
        }
        let (dividend, divisor) = (a.decimal(), b.decimal());
        let scale = division_scale(
            weight_and_first_digit(&dividend),
            weight_and_first_digit(&divisor),
            &[a.scale(), b.scale()],
        );
        Self::from_decimal(dividend.div(&divisor, scale, true), scale)
    }

    fn div_special(&self, other: &Self) -> Result<Self> {
        if self.is_nan() || other.is_nan() || (self.is_infinite() && other.is_infinite()) {
            return Ok(Self::NAN);
        }
        if other.is_infinite() {
            return Ok(Self::ZERO);
        }
        match (self.signum(), other.signum()) {
            (_, Some(0)) => Err(division_by_zero()),
            (a, b) => Ok(Self::infinity(a.unwrap_or(1) * b.unwrap_or(1))),
        }
    }

    /// The integer part of the quotient (SQL `div(a, b)`).
    pub fn div_trunc(&self, other: &Self) -> Result<Self> {
        let (Some(a), Some(b)) = (self.finite(), other.finite()) else { return self.div_special(other) };
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if let (&Finite::Small(a, x), &Finite::Small(b, y)) = (&a, &b)
            && let Some((a, b, _)) = align(a, x, b, y)
        {
            return Ok(Self::from_mantissa(a / b, 0));
        }
        Self::from_decimal(a.decimal().div(&b.decimal(), 0, false), 0)
    }

    /// The remainder, with the dividend's sign (SQL `%`).
    pub fn rem(&self, other: &Self) -> Result<Self> {
        let (Some(a), Some(b)) = (self.finite(), other.finite()) else {
            return match () {
                () if self.is_nan() || other.is_nan() => Ok(Self::NAN),
                () if self.is_infinite() && other.is_zero() => Err(division_by_zero()),
                () if self.is_infinite() => Ok(Self::NAN),
                () => Ok(self.clone()),
            };
        };
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if let (&Finite::Small(a, x), &Finite::Small(b, y)) = (&a, &b)
            && let Some((a, b, scale)) = align(a, x, b, y)
        {
            return Ok(Self::from_mantissa(a % b, scale));
        }
        let (dividend, divisor) = (a.decimal(), b.decimal());
        let whole = dividend.div(&divisor, 0, false);
        Self::from_decimal(dividend.sub(&whole.mul(&divisor)), a.scale().max(b.scale()).into())
    }

    /// `-self`.
    #[must_use]
    pub fn neg(&self) -> Self {
        match &self.0 {
            Repr::Small { .. } | Repr::NaN => match self.as_mantissa() {
                Some((mantissa, scale)) => Self::from_mantissa(-mantissa, scale),
                None => Self::NAN,
            },
            Repr::Big(big) => {
                let mut big = big.clone();
                big.value.negative = !big.value.negative;
                Self(Repr::Big(big))
            }
            Repr::Infinity => Self::NEG_INFINITY,
            Repr::NegInfinity => Self::INFINITY,
        }
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(&self) -> Self {
        if self.signum() == Some(-1) { self.neg() } else { self.clone() }
    }

    /// SQL `sign(x)`: -1, 0, 1 or NaN.
    pub fn sign(&self) -> Self {
        self.signum().map_or(Self::NAN, |sign| Self::from_i64(sign.into()))
    }

    /// Rounded half away from zero to `scale` digits behind the point; a negative scale rounds before it.
    pub fn round(&self, scale: i32) -> Result<Self> {
        self.rescale(scale, true)
    }

    /// Cut off behind `scale` digits; a negative scale cuts before the point.
    #[must_use]
    pub fn trunc(&self, scale: i32) -> Self {
        self.rescale(scale, false).unwrap_or_else(|_| self.clone())
    }

    fn rescale(&self, scale: i32, round: bool) -> Result<Self> {
        let scale = scale.clamp(-super::INTEGER_DIGITS_MAX as i32 - 1, SCALE_MAX.into());
        let target = scale.max(0) as u16;
        match self.finite() {
            None => Ok(self.clone()),
            Some(Finite::Small(mantissa, from)) => {
                let drop = from as i32 - scale;
                if drop <= 0 {
                    match pow10(-drop as u32).and_then(|unit| mantissa.checked_mul(unit)) {
                        Some(mantissa) => return Ok(Self::from_mantissa(mantissa, target)),
                        None => return Self::from_decimal(Decimal::from_i128(mantissa, from), target.into()),
                    }
                }
                let Some(unit) = pow10(drop as u32) else { return Ok(Self::from_mantissa(0, target)) };
                let quotient = if round { div_round(mantissa, unit) } else { mantissa / unit };
                if scale >= 0 {
                    return Ok(Self::from_mantissa(quotient, target));
                }
                Ok(match pow10(-scale as u32).and_then(|unit| quotient.checked_mul(unit)) {
                    Some(mantissa) => Self::from_mantissa(mantissa, 0),
                    None => {
                        let unit = Decimal::power_of_ten(-scale as i64);
                        return Self::from_decimal(Decimal::from_i128(quotient, 0).mul(&unit), 0);
                    }
                })
            }
            Some(Finite::Big(big)) => {
                let mut value = big.value.clone();
                if round {
                    value.round(scale);
                } else {
                    value.truncate(scale);
                }
                Self::from_decimal(value, target.into())
            }
        }
    }

    /// The smallest integer not below.
    pub fn ceil(&self) -> Result<Self> {
        let whole = self.trunc(0);
        if self.signum() == Some(1) && whole < *self { whole.add(&Self::ONE) } else { Ok(whole) }
    }

    /// The largest integer not above.
    pub fn floor(&self) -> Result<Self> {
        let whole = self.trunc(0);
        if self.signum() == Some(-1) && whole > *self { whole.sub(&Self::ONE) } else { Ok(whole) }
    }

    /// The smallest scale that holds the value exactly; `None` for NaN and the infinities.
    pub fn min_scale(&self) -> Option<u16> {
        Some(match self.finite()? {
            Finite::Small(0, _) => 0,
            Finite::Small(mantissa, scale) => {
                let mut scale = scale;
                let mut rest = mantissa;
                while scale > 0 && rest % 10 == 0 {
                    rest /= 10;
                    scale -= 1;
                }
                scale
            }
            Finite::Big(big) => (-big.value.lowest_exponent()).max(0) as u16,
        })
    }

    /// The same value with the smallest scale.
    #[must_use]
    pub fn trim_scale(&self) -> Self {
        match self.min_scale() {
            Some(scale) if scale != self.scale() => self.trunc(scale.into()),
            _ => self.clone(),
        }
    }

    /// Coerces to `numeric(precision, scale)`: rounds, and refuses what has too many digits (22003).
    pub fn apply_typmod(&self, typmod: i32) -> Result<Self> {
        if typmod < 4 || self.is_nan() {
            return Ok(self.clone());
        }
        let precision = (typmod - 4) >> 16 & 0xffff;
        let scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
        let error = |detail: String| err!(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(detail);
        if self.is_infinite() {
            return Err(error(format!(
                "A field with precision {precision}, scale {scale} cannot hold an infinite value."
            )));
        }
        let rounded = self.round(scale)?;
        let digits_max = precision - scale;
        // Invariant: a finite value; its decimal exponent counts the digits before the point.
        let digits = match rounded.finite() {
            Some(Finite::Small(0, _)) | None => return Ok(rounded),
            Some(Finite::Small(mantissa, at)) => mantissa.unsigned_abs().ilog10() as i64 + 1 - at as i64,
            Some(Finite::Big(big)) => big.value.exponent() + 1,
        };
        if digits > digits_max as i64 {
            let bound = if digits_max == 0 { "1".to_owned() } else { format!("10^{digits_max}") };
            return Err(error(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
            )));
        }
        Ok(rounded)
    }

    /// The greatest common divisor (never negative).
    pub fn gcd(&self, other: &Self) -> Result<Self> {
        if !self.is_finite() || !other.is_finite() {
            return Ok(Self::NAN);
        }
        let (mut a, mut b) = (self.abs(), other.abs());
        let scale = a.scale().max(b.scale()) as i32;
        while !b.is_zero() {
            let rest = a.rem(&b)?;
            a = std::mem::replace(&mut b, rest);
        }
        a.round(scale)
    }

    /// The least common multiple (never negative).
    pub fn lcm(&self, other: &Self) -> Result<Self> {
        if !self.is_finite() || !other.is_finite() {
            return Ok(Self::NAN);
        }
        let scale = self.scale().max(other.scale()) as i32;
        if self.is_zero() || other.is_zero() {
            return Ok(Self::from_mantissa(0, scale as u16));
        }
        self.div_trunc(&self.gcd(other)?)?.mul(other)?.abs().round(scale)
    }

    /// `n!`.
    pub fn factorial(n: i64) -> Result<Self> {
        if n < 0 {
            return Err(err!(NUMERIC_VALUE_OUT_OF_RANGE, "factorial of a negative number is undefined"));
        }
        if n > 32_177 {
            return Err(overflow());
        }
        let mut product = Decimal::from_u64(1);
        let mut chunk = 1u64;
        for factor in 2..=n as u64 {
            chunk *= factor;
            if chunk > 30_000 {
                product = product.mul(&Decimal::from_u64(chunk));
                chunk = 1;
            }
        }
        Self::from_decimal(product.mul(&Decimal::from_u64(chunk)), 0)
    }

    /// SQL `width_bucket(operand, low, high, count)`.
    pub fn width_bucket(&self, low: &Self, high: &Self, count: i32) -> Result<i32> {
        if count <= 0 {
            return Err(err!(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "count must be greater than zero"));
        }
        if self.is_nan() || low.is_nan() || high.is_nan() {
            return Err(err!(
                INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
                "operand, lower bound, and upper bound cannot be NaN"
            ));
        }
        if low.is_infinite() || high.is_infinite() {
            return Err(err!(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "lower and upper bounds must be finite"));
        }
        if low == high {
            return Err(err!(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "lower bound cannot equal upper bound"));
        }
        let ascending = low < high;
        let (before, after) = if ascending { (self < low, self >= high) } else { (self > low, self <= high) };
        if before {
            return Ok(0);
        }
        if after {
            return count.checked_add(1).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
        }
        let offset = self.sub(low)?.mul(&Self::from(count))?;
        let bucket = offset.div_trunc(&high.sub(low)?)?.to_i64().unwrap_or(0) + 1;
        Ok(bucket.clamp(1, count as i64) as i32)
    }
}
