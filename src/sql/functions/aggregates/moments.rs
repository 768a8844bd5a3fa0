//! Running count, sum and sum of squared deviations of float8 values, by the Youngs-Cramer algorithm that
//! PostgreSQL uses: numerically stable, and its last digits are what clients compare.

use super::basic::overflow;
use crate::error::Result;

/// N, Sx and Sxx.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) squares: f64,
}

impl Moments {
    /// Takes one value.
    pub(crate) fn add(&mut self, value: f64) -> Result<()> {
        let old = *self;
        self.count += 1.0;
        self.sum += value;
        if old.count > 0.0 {
            let deviation = value * self.count - self.sum;
            self.squares += deviation * deviation / (self.count * old.count);
            if self.sum.is_infinite() || self.squares.is_infinite() {
                if old.sum.is_finite() && value.is_finite() {
                    return Err(overflow());
                }
                self.squares = f64::NAN;
            }
        } else if !value.is_finite() {
            // The first value is infinite or NaN: so is every deviation from it.
            self.squares = f64::NAN;
        }
        Ok(())
    }
}
