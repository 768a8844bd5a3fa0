//! Precision of times and numbers.

use crate::document::{Datum, Type};
use crate::error::Result;

/// Applies a modifier that is not a string's length.
pub(crate) fn apply(value: Datum, _typ: Type) -> Result<Datum> {
    Ok(value)
}
