//! Arrays: [`series`] (generate_series and unnest, the sets made of arrays and numbers).

pub(crate) mod series;

use crate::sql::function::Function;

pub(crate) fn lists() -> Vec<&'static [Function]> {
    vec![series::LIST]
}
