//! Types with functions of their own: [`range`] (ranges and multiranges), [`bit`] (bit strings), [`network`] (addresses),
//! [`money`], [`enums`].

pub(crate) mod bit;
pub(crate) mod enums;
pub(crate) mod money;
pub(crate) mod network;
pub(crate) mod range;

use crate::sql::function::Function;

pub(crate) fn lists() -> [&'static [Function]; 6] {
    [range::LIST, range::CONSTRUCTORS, bit::LIST, network::LIST, money::LIST, enums::LIST]
}
