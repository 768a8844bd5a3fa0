//! Arrays: [`basic`] (dimensions, joining, searching), [`order`] (sorting, shuffling, sampling), [`series`] (sets made of
//! arrays and numbers).

pub(crate) mod basic;
pub(crate) mod order;
pub(crate) mod series;

use crate::sql::function::Function;

pub(crate) fn lists() -> [&'static [Function]; 3] {
    [basic::LIST, order::LIST, series::LIST]
}
