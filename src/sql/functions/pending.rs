//! Stand-ins for what `document` does not export yet.
#![allow(missing_docs)]
use crate::document::Numeric;
use crate::error::{Error, Result};
pub(crate) trait PendingNumeric: Sized {
    fn from_i128(v: i128) -> Self {
        unreachable!("numeric of {v}")
    }
    fn from_i64(v: i64) -> Self {
        unreachable!("numeric of {v}")
    }
    fn add(&self, _: &Self) -> Result<Self> {
        Err(Error::unsupported("numeric"))
    }
    fn div(&self, _: &Self) -> Result<Self> {
        Err(Error::unsupported("numeric"))
    }
    fn as_bytes(&self) -> &[u8] {
        &[]
    }
    fn is_nan(&self) -> bool {
        false
    }
    fn is_infinite(&self) -> bool {
        false
    }
    fn compare(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
impl PendingNumeric for Numeric {}
