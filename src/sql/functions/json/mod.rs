//! JSON: [`encode`] (any value as JSON), [`build`] (makers), [`access`] (parts), [`modify`] (changes).
//! The operators' functions (`->`, `||`, `-`, ...) belong to `sql::operators`.

pub(crate) mod access;
pub(crate) mod build;
pub(crate) mod encode;
pub(crate) mod modify;
pub(crate) mod record;

use crate::sql::function::Function;

pub(crate) fn lists() -> [&'static [Function]; 4] {
    [build::LIST, access::LIST, modify::LIST, record::LIST]
}
