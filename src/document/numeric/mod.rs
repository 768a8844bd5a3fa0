//! [`Numeric`]: PostgreSQL's `numeric`, an exact decimal with display scale.
//!
//! Up to 38 digits live in place as an `i128` and never allocate; longer ones are a boxed limb vector.
//! Which one is used depends on the value alone, so equal values with equal scales are represented equally.
//!
//! - [`decimal`]: the unbounded arithmetic underneath.
//! - [`mod@format`]: text in and out.
//! - [`arith`]: the operators, with PostgreSQL's result scales.
//! - [`math`]: roots, logarithms, powers.
//! - [`codec`]: storage bytes, the wire format, sort keys.

mod arith;
mod codec;
mod decimal;
mod format;
mod math;

pub use codec::NumericBytes;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::err;
use crate::error::{Error, Result};
use decimal::Decimal;

/// Most digits before the decimal point.
pub const INTEGER_DIGITS_MAX: i64 = 131_072;
/// Most digits behind the decimal point.
pub const SCALE_MAX: u16 = 16_383;
/// Magnitudes below this are kept in place.
const SMALL_MAX: u128 = 10u128.pow(38);

/// An exact decimal with display scale, NaN or an infinity.
#[derive(Clone)]
pub struct Numeric(Repr);

#[derive(Clone)]
enum Repr {
    /// `mantissa * 10^-scale`, the mantissa in two halves so that the type needs no 16-byte alignment.
    Small {
        scale: u16,
        high: i64,
        low: u64,
    },
    /// More than 38 digits.
    Big(Box<Big>),
    NaN,
    Infinity,
    NegInfinity,
}

/// Invariant: `value` has no digits behind `scale`, and more than 38 digits at that scale.
#[derive(Clone)]
struct Big {
    scale: u16,
    value: Decimal,
}

/// A finite value in whichever form it has.
enum Finite<'a> {
    Small(i128, u16),
    Big(&'a Big),
}

impl Finite<'_> {
    fn scale(&self) -> u16 {
        match self {
            Self::Small(_, scale) => *scale,
            Self::Big(big) => big.scale,
        }
    }

    fn decimal(&self) -> Decimal {
        match self {
            Self::Small(mantissa, scale) => Decimal::from_i128(*mantissa, *scale),
            Self::Big(big) => big.value.clone(),
        }
    }
}

/// 22003 "value overflows numeric format".
fn overflow() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// 10^exponent, if it fits.
#[inline]
fn pow10(exponent: u32) -> Option<i128> {
    const TABLE: [i128; 39] = {
        let mut table = [1i128; 39];
        let mut i = 1;
        while i < 39 {
            table[i] = table[i - 1] * 10;
            i += 1;
        }
        table
    };
    TABLE.get(exponent as usize).copied()
}

impl Numeric {
    /// Zero, scale 0.
    pub const ZERO: Self = Self(Repr::Small { scale: 0, high: 0, low: 0 });
    /// One, scale 0.
    pub const ONE: Self = Self(Repr::Small { scale: 0, high: 0, low: 1 });
    /// Not a number: equal to itself and greater than everything.
    pub const NAN: Self = Self(Repr::NaN);
    /// Infinity.
    pub const INFINITY: Self = Self(Repr::Infinity);
    /// -Infinity.
    pub const NEG_INFINITY: Self = Self(Repr::NegInfinity);

    /// An integer.
    #[inline]
    pub const fn from_i64(value: i64) -> Self {
        Self(Repr::Small { scale: 0, high: value >> 63, low: value as u64 })
    }

    /// An integer.
    pub fn from_i128(value: i128) -> Self {
        Self::from_mantissa(value, 0)
    }

    /// `mantissa * 10^-scale`; the scale at most [`SCALE_MAX`].
    #[inline]
    pub fn from_mantissa(mantissa: i128, scale: u16) -> Self {
        if mantissa.unsigned_abs() < SMALL_MAX {
            Self(Repr::Small { scale, high: (mantissa >> 64) as i64, low: mantissa as u64 })
        } else {
            let mut value = Decimal::from_i128(mantissa, 0);
            if scale > 0 {
                value = value.mul(&Decimal::power_of_ten(-(scale as i64)));
                value.set_frac(decimal::frac_limbs(scale.into()));
            }
            Self(Repr::Big(Box::new(Big { scale, value })))
        }
    }

    /// A float with `digits` significant digits (PostgreSQL converts with 15 for double precision, 6 for real).
    fn from_float(value: f64, digits: usize) -> Self {
        if value.is_nan() {
            return Self::NAN;
        }
        if value.is_infinite() {
            return if value > 0.0 { Self::INFINITY } else { Self::NEG_INFINITY };
        }
        // "%.15g": trailing zeros go away.
        let text = format!("{:.*e}", digits - 1, value);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa =
            if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
        Self::parse(&format!("{mantissa}e{exponent}")).unwrap_or(Self::NAN)
    }

    /// A double, rounded to 15 significant digits as PostgreSQL does.
    pub fn from_f64(value: f64) -> Self {
        Self::from_float(value, 15)
    }

    /// A real, rounded to 6 significant digits as PostgreSQL does.
    pub fn from_f32(value: f32) -> Self {
        Self::from_float(value as f64, 6)
    }

    /// The limits of the type, checked: PostgreSQL's make_result.
    fn from_decimal(mut value: Decimal, scale: i32) -> Result<Self> {
        if scale < 0 || scale > SCALE_MAX as i32 {
            return Err(overflow());
        }
        let scale = scale as u16;
        if let Some(mantissa) = value.to_i128(scale) {
            return Ok(Self::from_mantissa(mantissa, scale));
        }
        if value.exponent() >= INTEGER_DIGITS_MAX {
            return Err(overflow());
        }
        value.set_frac(decimal::frac_limbs(scale.into()));
        Ok(Self(Repr::Big(Box::new(Big { scale, value }))))
    }

    /// The finite value, or `None` for NaN and the infinities.
    #[inline]
    fn finite(&self) -> Option<Finite<'_>> {
        match &self.0 {
            Repr::Small { scale, high, low } => Some(Finite::Small(join(*high, *low), *scale)),
            Repr::Big(big) => Some(Finite::Big(big)),
            _ => None,
        }
    }

    /// The mantissa and scale of a value of at most 38 digits.
    #[inline]
    pub fn as_mantissa(&self) -> Option<(i128, u16)> {
        match self.0 {
            Repr::Small { scale, high, low } => Some((join(high, low), scale)),
            _ => None,
        }
    }

    /// The display scale: digits behind the point. 0 for NaN and the infinities.
    pub fn scale(&self) -> u16 {
        self.finite().map_or(0, |finite| finite.scale())
    }

    /// Whether this is NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NaN)
    }

    /// Whether this is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinity | Repr::NegInfinity)
    }

    /// Whether this is neither NaN nor infinite.
    pub fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Small { .. } | Repr::Big(_))
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small { high: 0, low: 0, .. })
    }

    /// Whether the value has no digits other than zero behind the point. False for NaN and the infinities.
    pub fn is_integer(&self) -> bool {
        match self.finite() {
            Some(Finite::Small(mantissa, scale)) => match pow10(scale.into()) {
                Some(unit) => mantissa % unit == 0,
                None => mantissa == 0,
            },
            Some(Finite::Big(big)) => !big.value.has_fraction(),
            None => false,
        }
    }

    /// -1, 0 or 1; `None` for NaN.
    pub fn signum(&self) -> Option<i32> {
        match &self.0 {
            Repr::Small { high, low, .. } => Some(join(*high, *low).signum() as i32),
            Repr::Big(big) => Some(if big.value.negative { -1 } else { 1 }),
            Repr::NaN => None,
            Repr::Infinity => Some(1),
            Repr::NegInfinity => Some(-1),
        }
    }

    /// The value rounded to an integer, half away from zero; `None` when it is out of range, NaN or infinite.
    pub fn to_i128(&self) -> Option<i128> {
        match self.finite()? {
            Finite::Small(mantissa, 0) => Some(mantissa),
            Finite::Small(..) => self.round(0).ok()?.as_mantissa().map(|(mantissa, _)| mantissa),
            Finite::Big(big) => {
                let mut value = big.value.clone();
                value.round(0);
                value.to_i128(0)
            }
        }
    }

    /// The value rounded to an integer, half away from zero; `None` when it is out of range, NaN or infinite.
    pub fn to_i64(&self) -> Option<i64> {
        self.to_i128()?.try_into().ok()
    }

    /// The nearest double; infinite when out of range.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::NaN => f64::NAN,
            Repr::Infinity => f64::INFINITY,
            Repr::NegInfinity => f64::NEG_INFINITY,
            Repr::Big(big) => big.value.to_f64(),
            Repr::Small { scale, high, low } => {
                let mantissa = join(*high, *low);
                // Both operands exact: one correctly rounded operation.
                if mantissa.unsigned_abs() <= 1 << 53 && *scale <= 22 {
                    return mantissa as f64 / 10f64.powi(*scale as i32);
                }
                format!("{mantissa}e-{scale}").parse().unwrap_or(f64::NAN)
            }
        }
    }

    /// The nearest real; infinite when out of range.
    pub fn to_f32(&self) -> f32 {
        match self.finite() {
            Some(Finite::Small(mantissa, scale)) => format!("{mantissa}e-{scale}").parse().unwrap_or(f32::NAN),
            _ => self.to_f64() as f32,
        }
    }

    /// Whether the values have the same representation: equal and of equal scale.
    pub fn is_identical(&self, other: &Self) -> bool {
        self.scale() == other.scale() && self == other
    }
}

#[inline]
const fn join(high: i64, low: u64) -> i128 {
    ((high as i128) << 64) | low as i128
}

impl From<i16> for Numeric {
    fn from(value: i16) -> Self {
        Self::from_i64(value.into())
    }
}

impl From<i32> for Numeric {
    fn from(value: i32) -> Self {
        Self::from_i64(value.into())
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Self {
        Self::from_i64(value)
    }
}

impl From<i128> for Numeric {
    fn from(value: i128) -> Self {
        Self::from_i128(value)
    }
}

impl Default for Numeric {
    fn default() -> Self {
        Self::ZERO
    }
}

impl std::fmt::Debug for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Numeric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numeric {
    /// PostgreSQL's order: by value, -Infinity first, NaN equal to itself and last.
    fn cmp(&self, other: &Self) -> Ordering {
        fn rank(value: &Numeric) -> i8 {
            match value.0 {
                Repr::NegInfinity => -1,
                Repr::Small { .. } | Repr::Big(_) => 0,
                Repr::Infinity => 1,
                Repr::NaN => 2,
            }
        }
        match (self.finite(), other.finite()) {
            (Some(Finite::Small(a, x)), Some(Finite::Small(b, y))) => cmp_small(a, x, b, y),
            (Some(a), Some(b)) => a.decimal().cmp(&b.decimal()),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

fn cmp_small(a: i128, x: u16, b: i128, y: u16) -> Ordering {
    if x == y || a.signum() != b.signum() {
        return a.cmp(&b);
    }
    let scaled = |value: i128, by: u16| pow10(by.into()).and_then(|unit| value.checked_mul(unit));
    match x.cmp(&y) {
        Ordering::Less => match scaled(a, y - x) {
            Some(a) => a.cmp(&b),
            None => Decimal::from_i128(a, x).cmp(&Decimal::from_i128(b, y)),
        },
        _ => match scaled(b, x - y) {
            Some(b) => a.cmp(&b),
            None => Decimal::from_i128(a, x).cmp(&Decimal::from_i128(b, y)),
        },
    }
}

impl Hash for Numeric {
    /// Equal values hash equally whatever their scales.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::NaN => state.write_u8(1),
            Repr::Infinity => state.write_u8(2),
            Repr::NegInfinity => state.write_u8(3),
            Repr::Small { .. } | Repr::Big(_) => {
                // The trimmed form is unique for a value.
                state.write_u8(0);
                let mut bytes = Vec::new();
                self.trim_scale().write_bytes(&mut bytes);
                state.write(&bytes);
            }
        }
    }
}
