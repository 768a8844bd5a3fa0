//! JSON: [`encode`] (any value as JSON), [`build`] (makers), [`access`] (parts), [`modify`] (changes), [`path`] (SQL/JSON paths),
//! [`query`] (JSON_VALUE and its like).
//! The operators' functions (`->`, `||`, `-`, ...) belong to `sql::operators`.

pub(crate) mod access;
pub(crate) mod build;
pub(crate) mod encode;
pub(crate) mod modify;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod record;

use crate::sql::function::Function;

pub(crate) fn lists() -> [&'static [Function]; 6] {
    [build::LIST, access::LIST, modify::LIST, path::LIST, query::LIST, record::LIST]
}
