//! Arithmetic functions: [`float`] (roots, logarithms, trigonometry), [`exact`] (integers and numeric), [`random`](mod@random).

pub(crate) mod exact;
pub(crate) mod float;
pub(crate) mod random;

use crate::sql::function::Function;

pub(crate) fn lists() -> [&'static [Function]; 3] {
    [exact::LIST, float::LIST, random::LIST]
}
