//! Ranges and multiranges as values, their order and their bytes in keys.

use super::{Datum, Oid};

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeBound {
    /// The value; `None`: there is no end on this side.
    pub value: Option<Datum>,
    /// Whether the value itself is inside. False where there is no value.
    pub inclusive: bool,
}

impl RangeBound {
    /// No end on this side.
    pub const UNBOUNDED: Self = Self { value: None, inclusive: false };
}

/// A range: empty, or from a lower to an upper bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The range type.
    pub typ: Oid,
    /// Lower and upper bound; `None`: the empty range.
    pub bounds: Option<(RangeBound, RangeBound)>,
}

/// A multirange: ranges that are not empty, in order, without overlap or contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Multirange {
    /// The multirange type.
    pub typ: Oid,
    /// The type of the ranges.
    pub range_typ: Oid,
    /// The ranges.
    pub ranges: Vec<(RangeBound, RangeBound)>,
}

impl Range {
    /// The empty range.
    pub fn empty(typ: Oid) -> Self {
        Self { typ, bounds: None }
    }
}
