//! Roots, logarithms, exponentials and powers of [`Numeric`]: PostgreSQL's choice of result scale, computed with
//! enough guard digits that the last digit shown is right.

use super::arith::{MAX_DISPLAY_SCALE, MIN_SIGNIFICANT_DIGITS, select_scale, weight_and_first_digit};
use super::decimal::Decimal;
use super::{Numeric, Repr, overflow};
use crate::err;
use crate::error::Result;

/// PostgreSQL's NUMERIC_MAX_RESULT_SCALE.
const MAX_RESULT_SCALE: f64 = 2000.0;
const LN_10: f64 = std::f64::consts::LN_10;
const LOG10_E: f64 = std::f64::consts::LOG10_E;

impl Numeric {
    fn to_decimal(&self) -> Decimal {
        self.finite().map_or_else(Decimal::zero, |finite| finite.decimal())
    }

    /// The square root.
    pub fn sqrt(&self) -> Result<Self> {
        if self.signum() == Some(-1) {
            return Err(err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "cannot take square root of a negative number"));
        }
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let value = self.to_decimal();
        let (weight, _) = weight_and_first_digit(&value);
        let scale = select_scale(MIN_SIGNIFICANT_DIGITS - (2 * weight + 1), &[self.scale()]);
        Self::from_decimal(value.sqrt(scale), scale)
    }

    /// The square root of a value that is not negative, with a scale of choice.
    pub fn sqrt_with_scale(&self, scale: i32) -> Result<Self> {
        Self::from_decimal(self.to_decimal().sqrt(scale), scale)
    }

    /// e to this power.
    pub fn exp(&self) -> Result<Self> {
        match self.0 {
            Repr::NegInfinity => return Ok(Self::ZERO),
            Repr::NaN | Repr::Infinity => return Ok(self.clone()),
            _ => {}
        }
        let value = self.to_decimal();
        let weight = (value.to_f64() * LOG10_E).clamp(-MAX_RESULT_SCALE, MAX_RESULT_SCALE);
        let scale = select_scale(MIN_SIGNIFICANT_DIGITS - weight as i64, &[self.scale()]);
        Self::from_decimal(exp(&value, scale)?, scale)
    }

    fn check_logarithm(&self) -> Result<()> {
        match self.signum() {
            Some(0) => Err(err!(INVALID_ARGUMENT_FOR_LOGARITHM, "cannot take logarithm of zero")),
            Some(-1) => Err(err!(INVALID_ARGUMENT_FOR_LOGARITHM, "cannot take logarithm of a negative number")),
            _ => Ok(()),
        }
    }

    /// The natural logarithm.
    pub fn ln(&self) -> Result<Self> {
        self.check_logarithm()?;
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let value = self.to_decimal();
        let scale = select_scale(MIN_SIGNIFICANT_DIGITS - ln_weight(&value), &[self.scale()]);
        Self::from_decimal(ln(&value, scale), scale)
    }

    /// The logarithm of `self` to a base.
    pub fn log(&self, base: &Self) -> Result<Self> {
        if self.is_nan() || base.is_nan() {
            return Ok(Self::NAN);
        }
        base.check_logarithm()?;
        self.check_logarithm()?;
        match (base.is_infinite(), self.is_infinite()) {
            (true, true) => return Ok(Self::NAN),
            (true, false) => return Ok(Self::ZERO),
            (false, true) => return Ok(Self::INFINITY),
            (false, false) => {}
        }
        let (number, base_value) = (self.to_decimal(), base.to_decimal());
        let (base_weight, number_weight) = (ln_weight(&base_value), ln_weight(&number));
        let weight = number_weight - base_weight;
        let scale = select_scale(MIN_SIGNIFICANT_DIGITS - weight, &[self.scale(), base.scale()]);
        let guard = |ln_weight: i64| (scale as i64 + weight - ln_weight + 8).max(0) as i32;
        let base_ln = ln(&base_value, guard(base_weight));
        let number_ln = ln(&number, guard(number_weight));
        if base_ln.is_zero() {
            return Err(err!(DIVISION_BY_ZERO, "division by zero"));
        }
        Self::from_decimal(number_ln.div(&base_ln, scale, true), scale)
    }

    /// The logarithm to base 10.
    pub fn log10(&self) -> Result<Self> {
        self.log(&Self::from_i64(10))
    }

    /// `self` to the power `exponent`.
    pub fn power(&self, exponent: &Self) -> Result<Self> {
        if !self.is_finite() || !exponent.is_finite() {
            return self.power_special(exponent);
        }
        if self.is_zero() && exponent.signum() == Some(-1) {
            return Err(err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "zero raised to a negative power is undefined"));
        }
        if exponent.is_integer()
            && let Some(power) = exponent.to_i64().and_then(|power| i32::try_from(power).ok())
        {
            return self.power_integer(power, exponent.scale());
        }
        if self.is_zero() {
            return Ok(Self::from_mantissa(0, MIN_SIGNIFICANT_DIGITS as u16));
        }
        let mut base = self.to_decimal();
        let power = exponent.to_decimal();
        let mut negative = false;
        if base.negative {
            if !exponent.is_integer() {
                return Err(complex());
            }
            negative = power.digit(0) % 2 == 1;
            base.negative = false;
        }
        let base_weight = ln_weight(&base);
        // A first estimate of exponent * ln(base), to know how many digits the result has.
        let rough_scale = (8 - base_weight).max(0) as i32;
        let estimate = ln(&base, rough_scale).mul_round(&power, rough_scale).to_f64();
        if estimate.abs() > MAX_RESULT_SCALE * 3.01 {
            if estimate > 0.0 {
                return Err(overflow());
            }
            return Ok(Self::from_mantissa(0, MAX_DISPLAY_SCALE as u16));
        }
        let weight = (estimate * LOG10_E) as i64;
        let scale = select_scale(MIN_SIGNIFICANT_DIGITS - weight, &[self.scale(), exponent.scale()]);
        let local = (scale as i64 + weight - base_weight + 8).max(0) as i32;
        let product = ln(&base, local).mul_round(&power, local);
        let mut result = exp(&product, scale)?;
        result.negative = negative && !result.is_zero();
        Self::from_decimal(result, scale)
    }

    /// PostgreSQL's (POSIX's) table for NaN and the infinities.
    fn power_special(&self, exponent: &Self) -> Result<Self> {
        let one = Self::ONE;
        if self.is_nan() {
            return Ok(if exponent.is_zero() { one } else { Self::NAN });
        }
        if exponent.is_nan() {
            return Ok(if *self == one { one } else { Self::NAN });
        }
        if self.is_zero() && exponent.signum() == Some(-1) {
            return Err(err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "zero raised to a negative power is undefined"));
        }
        if self.signum() == Some(-1) && exponent.is_finite() && !exponent.is_integer() {
            return Err(complex());
        }
        if *self == one || exponent.is_zero() {
            return Ok(one);
        }
        if exponent.is_infinite() {
            let magnitude = self.abs();
            if magnitude == one {
                return Ok(one);
            }
            let grows = (magnitude > one) == (exponent.signum() == Some(1));
            return Ok(if grows { Self::INFINITY } else { Self::ZERO });
        }
        if exponent.signum() == Some(-1) {
            return Ok(Self::ZERO);
        }
        let odd = exponent.to_decimal().digit(0) % 2 == 1;
        Ok(if self.signum() == Some(-1) && odd { Self::NEG_INFINITY } else { Self::INFINITY })
    }

    fn power_integer(&self, power: i32, power_scale: u16) -> Result<Self> {
        let base = self.to_decimal();
        let weight = power_weight(&base, power);
        if weight > (32_767.0 + 1.0) * 4.0 {
            return Err(overflow());
        }
        if weight + 1.0 < -(MAX_DISPLAY_SCALE as f64) {
            return Ok(Self::from_mantissa(0, MAX_DISPLAY_SCALE as u16));
        }
        let scale = select_scale(MIN_SIGNIFICANT_DIGITS - weight as i64, &[self.scale(), power_scale]);
        let one = Decimal::from_u64(1);
        match power {
            0 => return Self::from_decimal(one, scale),
            1 => {
                let mut result = base;
                result.round(scale);
                return Self::from_decimal(result, scale);
            }
            -1 => return Self::from_decimal(one.div(&base, scale, true), scale),
            2 => return Self::from_decimal(base.mul_round(&base, scale), scale),
            _ if base.is_zero() => return Self::from_decimal(base, scale),
            _ => {}
        }
        // As many significant digits as the result shows, and a few for the error of the multiplications.
        let digits = 1 + scale as i64 + weight as i64 + (power.unsigned_abs() as f64).ln() as i64 + 8;
        let keep = |value: &mut Decimal| {
            let local = digits - value.exponent();
            value.round(local.clamp(0, i32::MAX as i64) as i32);
        };
        let mut square = base.clone();
        let mut mask = power.unsigned_abs();
        let mut result = if mask & 1 == 1 { base } else { one.clone() };
        loop {
            mask >>= 1;
            if mask == 0 {
                break;
            }
            square = square.mul(&square);
            keep(&mut square);
            if mask & 1 == 1 {
                result = square.mul(&result);
                keep(&mut result);
            }
            // Give up early: the result is out of range, or its inverse is zero.
            if square.exponent() > 4 * 32_768 || result.exponent() > 4 * 32_768 {
                if power > 0 {
                    return Err(overflow());
                }
                return Self::from_decimal(Decimal::zero(), scale);
            }
        }
        if power < 0 {
            if result.is_zero() {
                return Err(overflow());
            }
            return Self::from_decimal(one.div(&result, scale, true), scale);
        }
        result.round(scale);
        Self::from_decimal(result, scale)
    }
}

fn complex() -> crate::error::Error {
    err!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "a negative number raised to a non-integer power yields a complex result")
}

/// PostgreSQL's estimate of log10(|base|^power), from the first 16 digits.
fn power_weight(base: &Decimal, power: i32) -> f64 {
    if base.is_zero() {
        return 0.0;
    }
    let (weight, first) = weight_and_first_digit(base);
    let (mut f, mut p) = (first as f64, weight * 4);
    let lowest = base.lowest_exponent().div_euclid(4);
    for i in 1..4 {
        if weight - i < lowest {
            break;
        }
        f = f * 10_000.0 + base.digit4(weight - i) as f64;
        p -= 4;
    }
    power as f64 * (f.log10() + p as f64)
}

/// PostgreSQL's estimate_ln_dweight: floor(log10(|ln(value)|)), roughly.
fn ln_weight(value: &Decimal) -> i64 {
    if value.negative || value.is_zero() {
        return 0;
    }
    let near = Decimal::from_i128(9, 1).cmp_abs(value).is_le() && Decimal::from_i128(11, 1).cmp_abs(value).is_ge();
    if near {
        let rest = value.sub(&Decimal::from_u64(1));
        if rest.is_zero() {
            return 0;
        }
        let (weight, first) = weight_and_first_digit(&rest);
        return weight * 4 + (first as f64).log10() as i64;
    }
    let (weight, first) = weight_and_first_digit(value);
    let (mut digits, mut exponent) = (first as f64, weight * 4);
    if value.lowest_exponent().div_euclid(4) < weight {
        digits = digits * 10_000.0 + value.digit4(weight - 1) as f64;
        exponent -= 4;
    }
    let logarithm = digits.ln() + exponent as f64 * LN_10;
    logarithm.abs().log10() as i64
}

/// e^value, rounded to `scale`.
fn exp(value: &Decimal, scale: i32) -> Result<Decimal> {
    let estimate = value.to_f64();
    if estimate.abs() >= MAX_RESULT_SCALE * 3.0 {
        if estimate > 0.0 {
            return Err(overflow());
        }
        return Ok(Decimal::zero());
    }
    let weight = (estimate * LOG10_E) as i64;
    // e^x = (e^(x/2^n))^(2^n), with x/2^n below 0.01; every squaring doubles the relative error.
    let mut halvings = 0;
    let mut reduced = estimate.abs();
    while reduced > 0.01 {
        reduced /= 2.0;
        halvings += 1;
    }
    let digits = (scale as i64 + weight.max(0) + 1).max(1) as i32 + halvings + 12;
    let x = value.div(&Decimal::from_u64(1 << halvings), digits, true);
    let mut sum = Decimal::from_u64(1).add(&x);
    let mut term = x.clone();
    let mut n = 2;
    while !term.is_zero() {
        term = term.mul_round(&x, digits).div(&Decimal::from_u64(n), digits, true);
        sum = sum.add(&term);
        n += 1;
    }
    for i in 0..halvings {
        sum = sum.mul(&sum);
        // The magnitude grows with each squaring and so does the absolute error that may be thrown away.
        let grown = (weight >> (halvings - 1 - i)).max(0) as i32;
        sum.round((digits - grown / 2).max(scale + 2));
    }
    sum.round(scale);
    Ok(sum)
}

/// ln(value), rounded to `scale`. The value is positive.
fn ln(value: &Decimal, scale: i32) -> Decimal {
    // Roots bring the number near one, each halves the logarithm.
    let near =
        |x: &Decimal| Decimal::from_i128(9, 1).cmp_abs(x).is_le() && Decimal::from_i128(11, 1).cmp_abs(x).is_ge();
    // One root for each bit of the exponent and a few more.
    let roots = ((value.exponent().abs() + 1) as f64 * LN_10 / 0.09).log2().ceil().max(0.0) as i32;
    let digits = scale + roots / 3 + 12;
    let mut x = value.clone();
    let mut doublings = 0;
    while !near(&x) {
        // Small numbers need more digits behind the point for the same relative precision.
        let extra = (-x.exponent()).max(0) as i32;
        x = x.sqrt(digits + extra);
        doublings += 1;
    }
    // ln(x) = 2 * (z + z^3/3 + z^5/5 + ...) with z = (x-1)/(x+1).
    let one = Decimal::from_u64(1);
    let z = x.sub(&one).div(&x.add(&one), digits, true);
    let square = z.mul_round(&z, digits);
    let mut power = z.clone();
    let mut sum = z;
    let mut n = 3;
    loop {
        power = power.mul_round(&square, digits);
        let term = power.div(&Decimal::from_u64(n), digits, true);
        if term.is_zero() {
            break;
        }
        sum = sum.add(&term);
        n += 2;
    }
    let mut result = sum.mul(&Decimal::from_u64(2u64 << doublings));
    result.round(scale);
    result
}
