//! The polymorphic pseudo-types: what `anyelement`, `anyarray`, `anycompatible`... stand for in one call.

use crate::document::{Oid, Type};
use crate::sql::{types, user_types};
use crate::storage::catalog::Catalog;

use super::coerce;

const UNKNOWN: Oid = Type::UNKNOWN.oid;

/// What a call's polymorphic arguments resolve to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Polymorphic {
    element: Option<Oid>,
    array: Option<Oid>,
    compatible: Option<Oid>,
    range: Option<Oid>,
}

/// Why a call's polymorphic arguments do not resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// Elements, or arrays, are not all alike; or an array is needed; or types do not go together.
    Inconsistent,
    /// All are unknown.
    Undetermined,
}

fn is_simple(oid: Oid) -> bool {
    matches!(Type::new(oid), Type::ANYELEMENT | Type::ANYNONARRAY | Type::ANYENUM)
}

fn is_compatible(oid: Oid) -> bool {
    matches!(Type::new(oid), Type::ANYCOMPATIBLE | Type::ANYCOMPATIBLENONARRAY)
}

/// Resolves the pseudo-types of `declared` from `actual`.
pub(super) fn resolve(catalog: &Catalog, declared: &[Oid], actual: &[Oid]) -> Result<Polymorphic, Conflict> {
    let (mut element, mut array, mut range, mut compatible) = (None, None, None, Vec::new());
    let (mut simple_unknown, mut compatible_unknown) = (false, false);
    let (mut nonarray, mut compatible_nonarray) = (false, false);
    for (&declared, &actual) in declared.iter().zip(actual) {
        if declared == Type::ANYENUM.oid && actual != UNKNOWN && !types::is_enum(actual) {
            return Err(Conflict::Inconsistent);
        }
        nonarray |= declared == Type::ANYNONARRAY.oid;
        compatible_nonarray |= declared == Type::ANYCOMPATIBLENONARRAY.oid;
        if is_simple(declared) || declared == Type::ANYARRAY.oid {
            if actual == UNKNOWN {
                simple_unknown = true;
                continue;
            }
            let known = if is_simple(declared) { &mut element } else { &mut array };
            if known.is_some_and(|known| known != actual) {
                return Err(Conflict::Inconsistent);
            }
            *known = Some(actual);
        } else if is_compatible(declared) || declared == Type::ANYCOMPATIBLEARRAY.oid {
            if actual == UNKNOWN {
                compatible_unknown = true;
            } else if is_compatible(declared) {
                compatible.push(actual);
            } else {
                compatible.push(types::element_of(actual).ok_or(Conflict::Inconsistent)?);
            }
        } else if types::is_polymorphic(declared) && actual != UNKNOWN {
            let found = match Type::new(declared) {
                Type::ANYRANGE | Type::ANYCOMPATIBLERANGE => Some(actual).filter(|oid| types::is_range(*oid)),
                _ => types::range_of(actual),
            };
            let found = found.ok_or(Conflict::Inconsistent)?;
            if range.is_some_and(|known| known != found) {
                return Err(Conflict::Inconsistent);
            }
            range = Some(found);
        } else if types::is_polymorphic(declared) {
            simple_unknown = true;
        }
    }
    if let Some(array) = array.filter(|array| *array != Type::ANYARRAY.oid) {
        let of = types::element_of(array).ok_or(Conflict::Inconsistent)?;
        if element.is_some_and(|element| element != of) {
            return Err(Conflict::Inconsistent);
        }
        element = Some(of);
    }
    if let Some(range) = range {
        let of = user_types::subtype(catalog, range).ok_or(Conflict::Inconsistent)?.oid;
        if element.is_some_and(|element| element != of) {
            return Err(Conflict::Inconsistent);
        }
        element = Some(of);
    }
    if nonarray && element.is_some_and(|element| types::element_of(element).is_some()) {
        return Err(Conflict::Inconsistent);
    }
    if element.is_none() && array.is_none() && simple_unknown {
        return Err(Conflict::Undetermined);
    }
    let compatible = match (compatible.is_empty(), compatible_unknown) {
        (true, false) => None,
        (true, true) => Some(Type::TEXT.oid),
        _ => {
            let common = coerce::common_type(&compatible).map_err(|_| Conflict::Inconsistent)?;
            if !compatible.iter().all(|oid| coerce::can_coerce(*oid, common, coerce::Context::Implicit)) {
                return Err(Conflict::Inconsistent);
            }
            Some(common)
        }
    };
    if compatible_nonarray && compatible.is_some_and(|oid| types::element_of(oid).is_some()) {
        return Err(Conflict::Inconsistent);
    }
    Ok(Polymorphic { element, array, compatible, range })
}

impl Polymorphic {
    /// The real type for a declared one.
    pub(super) fn apply(&self, declared: Oid) -> Option<Oid> {
        if is_simple(declared) {
            return self.element;
        }
        if is_compatible(declared) {
            return self.compatible;
        }
        match Type::new(declared) {
            Type::ANYARRAY => self.array.or_else(|| self.element.and_then(types::array_of)),
            Type::ANYCOMPATIBLEARRAY => self.compatible.and_then(types::array_of),
            Type::ANYRANGE | Type::ANYCOMPATIBLERANGE => self.range,
            Type::ANYMULTIRANGE | Type::ANYCOMPATIBLEMULTIRANGE => self.range.and_then(types::multirange_of),
            _ => Some(declared),
        }
    }
}
