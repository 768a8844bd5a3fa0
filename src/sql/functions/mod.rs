//! The function catalogue: every function that a query can name, by name and by OID.
//!
//! Signatures, OIDs, strictness and volatility are PostgreSQL's (`pg_proc`), so that the same table serves the binder,
//! the executor and the system catalogs. A file holds one area, its `LIST` first and the kernels after it:
//! [`aggregates`], [`window`], [`string`], [`math`], [`mod@array`], [`json`], [`misc`]. Functions behind operators and casts
//! belong to `sql::operators` and `sql::casts`, those of dates and times to `sql::datetime`; they are chained in here. [`mod@types`] has those of ranges, bit strings, addresses, money and enums.

pub(crate) mod aggregates;
pub(crate) mod array;
pub(crate) mod compare;
pub(crate) mod define;
// Without the server there is nothing to put into partitions.
#[cfg_attr(not(feature = "server"), allow(dead_code))]
pub(crate) mod hash;
pub(crate) mod json;
pub(crate) mod math;
pub(crate) mod misc;
pub(crate) mod output;
pub(crate) mod pattern;
pub(crate) mod privilege;
pub(crate) mod sample;
pub(crate) mod string;
pub(crate) mod system_info;
pub(crate) mod types;
pub(crate) mod window;

#[cfg(test)]
mod tests;

#[cfg(feature = "server")]
pub(crate) use aggregates::heap_bytes;
pub(crate) use sample::{SAMPLE_DRAW, SAMPLED};
use std::collections::HashMap;
use std::sync::LazyLock;

use super::context::EvalContext;
use super::function::{Body, Function};
use crate::document::{Datum, Oid};
use crate::error::{Error, Result};

struct Catalogue {
    all: Vec<&'static Function>,
    by_name: HashMap<&'static str, Vec<&'static Function>>,
    by_oid: HashMap<Oid, &'static Function>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue = Catalogue { all: Vec::new(), by_name: HashMap::new(), by_oid: HashMap::new() };
    for function in lists().into_iter().flatten() {
        // A function can stand in two lists, as itself and behind an operator; the first one counts.
        if catalogue.by_oid.contains_key(&function.oid) {
            continue;
        }
        catalogue.by_oid.insert(function.oid, function);
        catalogue.by_name.entry(function.name).or_default().push(function);
        catalogue.all.push(function);
    }
    catalogue
});

fn lists() -> Vec<&'static [Function]> {
    let mut lists = Vec::new();
    lists.extend(aggregates::lists());
    lists.extend(string::lists());
    lists.extend([pattern::functions::LIST, pattern::similar::LIST]);
    lists.extend(math::lists());
    lists.extend(array::lists());
    lists.extend(json::lists());
    lists.extend([misc::LIST, hash::LIST, window::LIST, system_info::LIST]);
    lists.extend(privilege::lists());
    lists.extend(types::lists());
    lists.extend([
        crate::sql::operators::functions(),
        crate::sql::casts::cast_functions(),
        crate::sql::datetime::functions(),
    ]);
    lists
}

/// All functions of a name, whatever their arguments.
pub fn find(name: &str) -> &'static [&'static Function] {
    CATALOGUE.by_name.get(name).map_or(&[], Vec::as_slice)
}

/// The function with an OID.
pub fn by_oid(oid: Oid) -> Option<&'static Function> {
    CATALOGUE.by_oid.get(&oid).copied()
}

/// Every function.
pub fn all() -> &'static [&'static Function] {
    &CATALOGUE.all
}

/// Calls another entry's scalar kernel, e.g. one that `datetime` owns. NULL arguments are the caller's matter.
pub(crate) fn call(oid: Oid, context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match by_oid(oid).map(|function| function.body) {
        Some(Body::Scalar(kernel)) => kernel(context, args),
        _ => Err(Error::internal(format!("no scalar function with OID {oid}"))),
    }
}

/// For a VARIADIC "any" function called with `VARIADIC array`: the function that takes the array itself.
pub fn spread(function: &Function) -> Option<&'static Function> {
    let lists = [string::format::SPREAD, json::build::SPREAD, misc::SPREAD];
    lists.into_iter().flatten().find(|entry| entry.oid == SPREAD_OIDS + function.oid)
}

/// What is added to PostgreSQL's OID in [`spread`].
const SPREAD_OIDS: Oid = 10_000_000;
