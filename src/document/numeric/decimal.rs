//! [`Decimal`]: unbounded fixed-point decimal arithmetic, for the numbers that do not fit 38 digits.
//!
//! Limbs are base 10^9, lowest first, and the decimal point lies on a limb boundary: the value is
//! `sum(limbs[i] * 10^(9 * (i - frac)))`. Aligning two numbers is therefore moving limbs, never multiplying.

use std::cmp::Ordering;

/// Decimal digits of one limb.
pub(super) const LIMB_DIGITS: usize = 9;
/// The base.
const BASE: u64 = 1_000_000_000;
/// Powers of ten below the base.
const POW10: [u32; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// An exact decimal without limits of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Decimal {
    /// Whether the value is below zero; never set for zero.
    pub(super) negative: bool,
    /// How many limbs lie behind the point.
    pub(super) frac: usize,
    /// The limbs, lowest first, without zero limbs at the top.
    pub(super) limbs: Vec<u32>,
}

/// Limbs needed behind the point for `scale` digits.
pub(super) fn frac_limbs(scale: i32) -> usize {
    (scale.max(0) as usize).div_ceil(LIMB_DIGITS)
}

impl Decimal {
    pub(super) fn zero() -> Self {
        Self::default()
    }

    pub(super) fn from_u64(value: u64) -> Self {
        Self::from_i128(value as i128, 0)
    }

    /// `mantissa * 10^-scale`.
    pub(super) fn from_i128(mantissa: i128, scale: u16) -> Self {
        let negative = mantissa < 0;
        let frac = frac_limbs(scale.into());
        let pad = frac * LIMB_DIGITS - scale as usize;
        let mut rest = mantissa.unsigned_abs();
        let mut limbs = Vec::with_capacity(6);
        if pad > 0 {
            let low = POW10[LIMB_DIGITS - pad] as u128;
            limbs.push((rest % low) as u32 * POW10[pad]);
            rest /= low;
        }
        while rest > 0 {
            limbs.push((rest % BASE as u128) as u32);
            rest /= BASE as u128;
        }
        let mut result = Self { negative, frac, limbs };
        result.strip_top();
        result
    }

    /// From digits 0..=9, of which the first `point` stand before the decimal point (`point` may lie outside).
    pub(super) fn from_digits(negative: bool, digits: &[u8], point: i64) -> Self {
        let behind = (digits.len() as i64 - point).max(0) as usize;
        let frac = behind.div_ceil(LIMB_DIGITS);
        // The digit with weight 10^-(9*frac) is the lowest one of the lowest limb.
        let low_exponent = -((frac * LIMB_DIGITS) as i64);
        let count = ((point - low_exponent).max(0) as usize).div_ceil(LIMB_DIGITS);
        let mut limbs = vec![0u32; count];
        for (i, &digit) in digits.iter().enumerate() {
            let exponent = point - 1 - i as i64 - low_exponent;
            let exponent = exponent as usize;
            limbs[exponent / LIMB_DIGITS] += digit as u32 * POW10[exponent % LIMB_DIGITS];
        }
        let mut result = Self { negative, frac, limbs };
        result.strip_top();
        result
    }

    /// The mantissa at `scale` if it has at most 38 digits. The value must have no digits behind `scale`.
    pub(super) fn to_i128(&self, scale: u16) -> Option<i128> {
        if self.limbs.is_empty() {
            return Some(0);
        }
        if self.exponent() + 1 + scale as i64 > 38 {
            return None;
        }
        let low = -(scale as i64);
        let mut value: i128 = 0;
        for (i, &limb) in self.limbs.iter().enumerate().rev() {
            let exponent = (i as i64 - self.frac as i64) * LIMB_DIGITS as i64;
            if exponent >= low {
                value = value * BASE as i128 + limb as i128;
            } else {
                let drop = (low - exponent).min(LIMB_DIGITS as i64) as usize;
                value = value * POW10[LIMB_DIGITS - drop] as i128 + (limb as u64 / POW10[drop] as u64) as i128;
                if drop > 0 {
                    break;
                }
            }
        }
        // Zeros between the lowest limb and the scale are digits of the mantissa too.
        let lowest = -(self.frac as i64) * LIMB_DIGITS as i64;
        for _ in 0..(lowest - low).max(0) {
            value *= 10;
        }
        Some(if self.negative { -value } else { value })
    }

    pub(super) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    fn strip_top(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        if self.limbs.is_empty() {
            self.negative = false;
        }
    }

    /// floor(log10(|self|)); 0 for zero.
    pub(super) fn exponent(&self) -> i64 {
        match self.limbs.last() {
            None => 0,
            Some(top) => (self.limbs.len() as i64 - 1 - self.frac as i64) * LIMB_DIGITS as i64 + top.ilog10() as i64,
        }
    }

    /// The decimal digit at 10^exponent.
    pub(super) fn digit(&self, exponent: i64) -> u8 {
        let position = exponent + (self.frac * LIMB_DIGITS) as i64;
        if position < 0 {
            return 0;
        }
        match self.limbs.get(position as usize / LIMB_DIGITS) {
            Some(limb) => ((limb / POW10[position as usize % LIMB_DIGITS]) % 10) as u8,
            None => 0,
        }
    }

    /// The four digits at 10^(4*index+3) .. 10^(4*index): PostgreSQL's base-10000 digit of that weight.
    pub(super) fn digit4(&self, index: i64) -> u16 {
        (0..4).rev().fold(0, |sum, i| sum * 10 + self.digit(index * 4 + i) as u16)
    }

    /// The limb with weight 10^(9*weight).
    pub(super) fn limb(&self, weight: i64) -> u32 {
        let position = weight + self.frac as i64;
        if position < 0 { 0 } else { self.limbs.get(position as usize).copied().unwrap_or(0) }
    }

    /// The lowest decimal exponent with a digit other than zero; 0 for zero.
    pub(super) fn lowest_exponent(&self) -> i64 {
        let Some(at) = self.limbs.iter().position(|&limb| limb != 0) else { return 0 };
        let mut limb = self.limbs[at];
        let mut exponent = (at as i64 - self.frac as i64) * LIMB_DIGITS as i64;
        while limb.is_multiple_of(10) {
            limb /= 10;
            exponent += 1;
        }
        exponent
    }

    /// Changes the number of limbs behind the point: adds zeros or cuts off.
    pub(super) fn set_frac(&mut self, frac: usize) {
        if frac > self.frac {
            if !self.limbs.is_empty() {
                self.limbs.splice(0..0, std::iter::repeat_n(0, frac - self.frac));
            }
        } else {
            self.limbs.drain(..(self.frac - frac).min(self.limbs.len()));
        }
        self.frac = frac;
        self.strip_top();
    }

    /// Rounds half away from zero to `scale` digits behind the point (negative: before it).
    pub(super) fn round(&mut self, scale: i32) {
        let up = self.digit(-(scale as i64) - 1) >= 5;
        // What is left may be zero, which has no sign; the unit added to it has.
        let negative = self.negative;
        self.truncate(scale);
        if up {
            let unit = Self { negative, ..Self::power_of_ten(-(scale as i64)) };
            *self = self.add(&unit);
        }
    }

    /// Cuts off the digits behind `scale`.
    pub(super) fn truncate(&mut self, scale: i32) {
        let low = -(scale as i64) + (self.frac * LIMB_DIGITS) as i64;
        if low > 0 {
            let whole = (low as usize / LIMB_DIGITS).min(self.limbs.len());
            self.limbs[..whole].fill(0);
            if let Some(limb) = self.limbs.get_mut(low as usize / LIMB_DIGITS) {
                *limb -= *limb % POW10[low as usize % LIMB_DIGITS];
            }
        }
        let frac = frac_limbs(scale);
        if frac < self.frac {
            self.set_frac(frac);
        }
        self.strip_top();
    }

    /// 10^exponent.
    pub(super) fn power_of_ten(exponent: i64) -> Self {
        Self::from_digits(false, &[1], exponent + 1)
    }

    /// Whether there are digits behind the point.
    pub(super) fn has_fraction(&self) -> bool {
        self.limbs.iter().take(self.frac).any(|&limb| limb != 0)
    }

    pub(super) fn cmp_abs(&self, other: &Self) -> Ordering {
        let top = |d: &Self| d.limbs.len() as i64 - d.frac as i64;
        if self.is_zero() || other.is_zero() {
            return (!self.is_zero()).cmp(&!other.is_zero());
        }
        top(self).cmp(&top(other)).then_with(|| {
            let low = -(self.frac.max(other.frac) as i64);
            let mut weight = top(self) - 1;
            while weight >= low {
                match self.limb(weight).cmp(&other.limb(weight)) {
                    Ordering::Equal => weight -= 1,
                    unequal => return unequal,
                }
            }
            Ordering::Equal
        })
    }

    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_abs(other),
            (true, true) => other.cmp_abs(self),
        }
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        if self.negative == other.negative {
            return self.add_abs(other, self.negative);
        }
        match self.cmp_abs(other) {
            Ordering::Equal => Self { frac: self.frac.max(other.frac), ..Self::zero() },
            Ordering::Greater => self.sub_abs(other, self.negative),
            Ordering::Less => other.sub_abs(self, other.negative),
        }
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let mut other = other.clone();
        if !other.is_zero() {
            other.negative = !other.negative;
        }
        self.add(&other)
    }

    fn add_abs(&self, other: &Self, negative: bool) -> Self {
        let frac = self.frac.max(other.frac);
        let mut sum = self.clone();
        sum.set_frac(frac);
        let shift = frac - other.frac;
        let needed = shift + other.limbs.len();
        if sum.limbs.len() < needed {
            sum.limbs.resize(needed, 0);
        }
        let mut carry = 0u32;
        for (i, limb) in sum.limbs.iter_mut().enumerate().skip(shift) {
            let add = other.limbs.get(i - shift).copied().unwrap_or(0);
            if carry == 0 && i - shift >= other.limbs.len() {
                break;
            }
            *limb += add + carry;
            carry = (*limb >= BASE as u32) as u32;
            *limb -= carry * BASE as u32;
        }
        if carry > 0 {
            sum.limbs.push(carry);
        }
        sum.negative = negative;
        sum.strip_top();
        sum
    }

    /// |self| - |other| for |self| > |other|.
    fn sub_abs(&self, other: &Self, negative: bool) -> Self {
        let frac = self.frac.max(other.frac);
        let mut difference = self.clone();
        difference.set_frac(frac);
        let shift = frac - other.frac;
        let mut borrow = 0i64;
        for (i, limb) in difference.limbs.iter_mut().enumerate().skip(shift) {
            let mut value = *limb as i64 - borrow - other.limbs.get(i - shift).copied().unwrap_or(0) as i64;
            borrow = (value < 0) as i64;
            value += borrow * BASE as i64;
            *limb = value as u32;
        }
        difference.negative = negative;
        difference.strip_top();
        difference
    }

    /// The exact product.
    pub(super) fn mul(&self, other: &Self) -> Self {
        let frac = self.frac + other.frac;
        if self.is_zero() || other.is_zero() {
            return Self { frac, ..Self::zero() };
        }
        let mut limbs = vec![0u32; self.limbs.len() + other.limbs.len()];
        for (i, &a) in self.limbs.iter().enumerate() {
            if a == 0 {
                continue;
            }
            let mut carry = 0u64;
            let row = &mut limbs[i..];
            for (out, &b) in row.iter_mut().zip(&other.limbs) {
                let value = *out as u64 + a as u64 * b as u64 + carry;
                carry = value / BASE;
                *out = (value - carry * BASE) as u32;
            }
            row[other.limbs.len()] = carry as u32;
        }
        let mut result = Self { negative: self.negative != other.negative, frac, limbs };
        result.strip_top();
        result
    }

    /// The product rounded to `scale`.
    pub(super) fn mul_round(&self, other: &Self, scale: i32) -> Self {
        let mut product = self.mul(other);
        product.round(scale);
        product
    }

    /// The quotient, rounded (or cut off) at `scale` digits behind the point. `other` is not zero.
    pub(super) fn div(&self, other: &Self, scale: i32, round: bool) -> Self {
        let frac = frac_limbs(scale.saturating_add(1));
        // quotient * BASE^frac = |self| * BASE^(frac + other.frac - self.frac) / |other|
        let shift = frac as i64 + other.frac as i64 - self.frac as i64;
        let mut numerator = Vec::new();
        if shift >= 0 {
            numerator.resize(shift as usize, 0);
            numerator.extend_from_slice(&self.limbs);
        } else {
            numerator.extend_from_slice(self.limbs.get(-shift as usize..).unwrap_or(&[]));
        }
        let limbs = div_limbs(numerator, &other.limbs);
        let mut result = Self { negative: self.negative != other.negative, frac, limbs };
        result.strip_top();
        if round {
            result.round(scale);
        } else {
            result.truncate(scale);
        }
        result
    }

    /// The square root, rounded to `scale` digits behind the point. The value is not negative.
    pub(super) fn sqrt(&self, scale: i32) -> Self {
        if self.is_zero() {
            return Self { frac: frac_limbs(scale), ..Self::zero() };
        }
        // Newton from above over integers: root = floor(sqrt(value * BASE^(2*frac))).
        let frac = frac_limbs(scale.saturating_add(1));
        let mut square = self.clone();
        square.set_frac(2 * frac);
        if square.is_zero() {
            return Self { frac: frac_limbs(scale), ..Self::zero() };
        }
        let target = square.limbs;
        let mut root = sqrt_estimate(&target);
        loop {
            let quotient = div_limbs(target.clone(), &root);
            let sum = Self { negative: false, frac: 0, limbs: root.clone() }.add(&Self {
                negative: false,
                frac: 0,
                limbs: quotient,
            });
            let next = div_limbs(sum.limbs, &[2]);
            if cmp_limbs(&next, &root) != Ordering::Less {
                break;
            }
            root = next;
        }
        let mut result = Self { negative: false, frac, limbs: root };
        result.strip_top();
        result.round(scale);
        result
    }

    /// The nearest double, infinite when out of range.
    pub(super) fn to_f64(&self) -> f64 {
        let exponent = self.exponent();
        // 770 digits decide every rounding of a double.
        let count = (exponent - self.lowest_exponent() + 1).clamp(1, 780);
        let mut text: String = (0..count).map(|i| char::from(b'0' + self.digit(exponent - i))).collect();
        text.push_str(&format!("e{}", exponent - count + 1));
        let value = text.parse::<f64>().expect("digits and an exponent are a float");
        if self.negative { -value } else { value }
    }
}

fn cmp_limbs(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

/// A number a little above the square root of `target`, from its leading limbs.
fn sqrt_estimate(target: &[u32]) -> Vec<u32> {
    let n = target.len();
    let top: f64 = target.iter().rev().take(3).fold(0.0, |sum, &limb| sum * BASE as f64 + limb as f64);
    let below = n.saturating_sub(3);
    let (top, below) = if below % 2 == 1 { (top * BASE as f64, below - 1) } else { (top, below) };
    let mut estimate = top.sqrt() * (1.0 + 1e-12) + 1.0;
    let mut limbs = vec![0u32; below / 2];
    let mut high = Vec::new();
    while estimate >= 1.0 {
        high.push((estimate % BASE as f64) as u32);
        estimate = (estimate / BASE as f64).floor();
    }
    limbs.extend(high);
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    limbs
}

/// floor(numerator / denominator), schoolbook (Knuth's algorithm D in base 10^9).
fn div_limbs(mut numerator: Vec<u32>, denominator: &[u32]) -> Vec<u32> {
    while numerator.last() == Some(&0) {
        numerator.pop();
    }
    // Zero limbs at the bottom of the denominator only shift.
    let zeros = denominator.iter().take_while(|&&limb| limb == 0).count();
    let denominator = &denominator[zeros..];
    numerator.drain(..zeros.min(numerator.len()));
    let n = denominator.len();
    if numerator.len() < n || n == 0 {
        return Vec::new();
    }
    if n == 1 {
        let divisor = denominator[0] as u64;
        let mut rest = 0u64;
        for limb in numerator.iter_mut().rev() {
            let value = rest * BASE + *limb as u64;
            *limb = (value / divisor) as u32;
            rest = value % divisor;
        }
        while numerator.last() == Some(&0) {
            numerator.pop();
        }
        return numerator;
    }
    let scale = BASE / (denominator[n - 1] as u64 + 1);
    let scale_up = |limbs: &mut Vec<u32>| {
        let mut carry = 0u64;
        for limb in limbs.iter_mut() {
            let value = *limb as u64 * scale + carry;
            carry = value / BASE;
            *limb = (value % BASE) as u32;
        }
        limbs.push(carry as u32);
    };
    scale_up(&mut numerator);
    let mut divisor = denominator.to_vec();
    scale_up(&mut divisor);
    divisor.truncate(n);
    let (first, second) = (divisor[n - 1] as u64, divisor[n - 2] as u64);
    let m = numerator.len() - n;
    let mut quotient = vec![0u32; m];
    for j in (0..m).rev() {
        let high = numerator[j + n] as u64 * BASE + numerator[j + n - 1] as u64;
        let (mut guess, mut rest) = (high / first, high % first);
        while guess >= BASE || guess * second > rest * BASE + numerator[j + n - 2] as u64 {
            guess -= 1;
            rest += first;
            if rest >= BASE {
                break;
            }
        }
        let (mut borrow, mut carry) = (0i64, 0u64);
        for (limb, &d) in numerator[j..j + n].iter_mut().zip(&divisor) {
            let product = guess * d as u64 + carry;
            carry = product / BASE;
            let value = *limb as i64 - (product % BASE) as i64 - borrow;
            borrow = (value < 0) as i64;
            *limb = (value + borrow * BASE as i64) as u32;
        }
        let value = numerator[j + n] as i64 - carry as i64 - borrow;
        if value < 0 {
            // The guess was one too high: add the divisor back.
            guess -= 1;
            let mut carry = 0u32;
            for (limb, &d) in numerator[j..j + n].iter_mut().zip(&divisor) {
                let sum = *limb + d + carry;
                carry = (sum >= BASE as u32) as u32;
                *limb = sum - carry * BASE as u32;
            }
            numerator[j + n] = (value + carry as i64) as u32;
        } else {
            numerator[j + n] = value as u32;
        }
        quotient[j] = guess as u32;
    }
    while quotient.last() == Some(&0) {
        quotient.pop();
    }
    quotient
}
