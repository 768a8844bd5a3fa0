//! Ranges: their making, order and algebra (PostgreSQL's `rangetypes.c`, `multirangetypes.c`).

use std::cmp::Ordering;

use crate::document::{Datum, Multirange, Oid, Range, RangeBound};
use crate::err;
use crate::error::Result;

use super::operators::compare::compare;
use super::types;

/// Lower and upper bound of a range that is not empty.
pub type Bounds = (RangeBound, RangeBound);

/// int4range, int8range and daterange are written `[a,b)`.
const DISCRETE: &[Oid] = &[3904, 3926, 3912];

/// The order of two lower bounds.
pub fn compare_lower(a: &RangeBound, b: &RangeBound) -> Ordering {
    match (&a.value, &b.value) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        // `[x` begins before `(x`.
        (Some(x), Some(y)) => compare(x, y).then_with(|| b.inclusive.cmp(&a.inclusive)),
    }
}

/// The order of two upper bounds.
pub fn compare_upper(a: &RangeBound, b: &RangeBound) -> Ordering {
    match (&a.value, &b.value) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
        (Some(x), Some(y)) => compare(x, y).then_with(|| a.inclusive.cmp(&b.inclusive)),
    }
}

/// Where an upper bound stands to a lower one: `Less` when nothing is in both.
fn upper_to_lower(upper: &RangeBound, lower: &RangeBound) -> Ordering {
    match (&upper.value, &lower.value) {
        (None, _) | (_, None) => Ordering::Greater,
        (Some(x), Some(y)) => compare(x, y).then(match upper.inclusive && lower.inclusive {
            true => Ordering::Equal,
            false => Ordering::Less,
        }),
    }
}

/// Whether an upper bound meets a lower bound with nothing between and nothing in both.
fn meets(upper: &RangeBound, lower: &RangeBound) -> bool {
    match (&upper.value, &lower.value) {
        (Some(x), Some(y)) => compare(x, y).is_eq() && upper.inclusive != lower.inclusive,
        _ => false,
    }
}

fn next(value: &Datum) -> Result<Datum> {
    match value {
        Datum::Int4(n) => {
            n.checked_add(1).map(Datum::Int4).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))
        }
        Datum::Int8(n) => {
            n.checked_add(1).map(Datum::Int8).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))
        }
        Datum::Date(i32::MAX | i32::MIN) => Ok(value.clone()),
        Datum::Date(days) => super::datetime::arithmetic::date_plus(*days, 1)
            .map(Datum::Date)
            .map_err(|_| err!(DATETIME_FIELD_OVERFLOW, "date out of range.")),
        other => Ok(other.clone()),
    }
}

fn is_finite(bound: &RangeBound) -> bool {
    !matches!(bound.value, None | Some(Datum::Date(i32::MAX | i32::MIN)))
}

/// Whether the bounds have nothing between them; 22000 when they are the wrong way round.
fn is_empty(lower: &RangeBound, upper: &RangeBound) -> Result<bool> {
    let (Some(x), Some(y)) = (&lower.value, &upper.value) else { return Ok(false) };
    match compare(x, y) {
        Ordering::Greater => {
            Err(err!(DATA_EXCEPTION, "range lower bound must be less than or equal to range upper bound"))
        }
        Ordering::Equal => Ok(!(lower.inclusive && upper.inclusive)),
        Ordering::Less => Ok(false),
    }
}

/// A range from its bounds, in canonical form.
pub fn make(typ: Oid, lower: RangeBound, upper: RangeBound) -> Result<Range> {
    let open = |bound: RangeBound| RangeBound { inclusive: bound.inclusive && bound.value.is_some(), ..bound };
    let (mut lower, mut upper) = (open(lower), open(upper));
    if is_empty(&lower, &upper)? {
        return Ok(Range::empty(typ));
    }
    if DISCRETE.contains(&typ) {
        if let Some(value) = lower.value.as_ref().filter(|_| is_finite(&lower) && !lower.inclusive) {
            lower = RangeBound { value: Some(next(value)?), inclusive: true };
        }
        if let Some(value) = upper.value.as_ref().filter(|_| is_finite(&upper) && upper.inclusive) {
            upper = RangeBound { value: Some(next(value)?), inclusive: false };
        }
        if is_empty(&lower, &upper)? {
            return Ok(Range::empty(typ));
        }
    }
    Ok(Range { typ, bounds: Some((lower, upper)) })
}

/// A multirange of any ranges.
pub fn make_multirange(typ: Oid, range_typ: Oid, mut ranges: Vec<Bounds>) -> Multirange {
    ranges.sort_by(compare_bounds);
    let mut merged: Vec<Bounds> = Vec::with_capacity(ranges.len());
    for bounds in ranges {
        match merged.last_mut() {
            Some(last) if upper_to_lower(&last.1, &bounds.0).is_ge() || meets(&last.1, &bounds.0) => {
                if compare_upper(&bounds.1, &last.1).is_gt() {
                    last.1 = bounds.1;
                }
            }
            _ => merged.push(bounds),
        }
    }
    Multirange { typ, range_typ, ranges: merged }
}

/// The order of two ranges that are not empty.
pub fn compare_bounds(a: &Bounds, b: &Bounds) -> Ordering {
    compare_lower(&a.0, &b.0).then_with(|| compare_upper(&a.1, &b.1))
}

/// The order of ranges: the empty one first.
pub fn compare_ranges(a: &Range, b: &Range) -> Ordering {
    match (&a.bounds, &b.bounds) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(a), Some(b)) => compare_bounds(a, b),
    }
}

/// The order of multiranges: range by range.
pub fn compare_multiranges(a: &Multirange, b: &Multirange) -> Ordering {
    let pairs = a.ranges.iter().zip(&b.ranges).map(|(a, b)| compare_bounds(a, b));
    pairs.into_iter().find(|o| o.is_ne()).unwrap_or_else(|| a.ranges.len().cmp(&b.ranges.len()))
}

/// The ranges of a range or multirange, in order.
pub fn parts(value: &Datum) -> &[Bounds] {
    match value {
        Datum::Range(range) => range.bounds.as_slice(),
        Datum::Multirange(value) => &value.ranges,
        _ => &[],
    }
}

/// Whether a value is inside one of the ranges.
pub fn contains_value(ranges: &[Bounds], value: &Datum) -> bool {
    ranges.iter().any(|(lower, upper)| {
        let above = lower.value.as_ref().is_none_or(|l| match compare(l, value) {
            Ordering::Less => true,
            Ordering::Equal => lower.inclusive,
            Ordering::Greater => false,
        });
        above
            && upper.value.as_ref().is_none_or(|u| match compare(value, u) {
                Ordering::Less => true,
                Ordering::Equal => upper.inclusive,
                Ordering::Greater => false,
            })
    })
}

fn contains_bounds(outer: &Bounds, inner: &Bounds) -> bool {
    compare_lower(&outer.0, &inner.0).is_le() && compare_upper(&outer.1, &inner.1).is_ge()
}

/// Whether all of `inner` is inside `outer`.
pub fn contains(outer: &[Bounds], inner: &[Bounds]) -> bool {
    inner.iter().all(|inner| outer.iter().any(|outer| contains_bounds(outer, inner)))
}

fn overlap(a: &Bounds, b: &Bounds) -> bool {
    upper_to_lower(&a.1, &b.0).is_ge() && upper_to_lower(&b.1, &a.0).is_ge()
}

/// Whether something is in both.
pub fn overlaps(a: &[Bounds], b: &[Bounds]) -> bool {
    a.iter().any(|a| b.iter().any(|b| overlap(a, b)))
}

/// Whether all of `a` is before all of `b`; false where one is empty.
pub fn before(a: &[Bounds], b: &[Bounds]) -> bool {
    match (a.last(), b.first()) {
        (Some(a), Some(b)) => upper_to_lower(&a.1, &b.0).is_lt(),
        _ => false,
    }
}

/// Whether `a` does not reach beyond the end of `b`.
pub fn ends_by(a: &[Bounds], b: &[Bounds]) -> bool {
    match (a.last(), b.last()) {
        (Some(a), Some(b)) => compare_upper(&a.1, &b.1).is_le(),
        _ => false,
    }
}

/// Whether `a` does not begin before `b`.
pub fn begins_with(a: &[Bounds], b: &[Bounds]) -> bool {
    match (a.first(), b.first()) {
        (Some(a), Some(b)) => compare_lower(&a.0, &b.0).is_ge(),
        _ => false,
    }
}

/// Whether one begins where the other ends.
pub fn adjacent(a: &[Bounds], b: &[Bounds]) -> bool {
    match (a.first(), a.last(), b.first(), b.last()) {
        (Some(a0), Some(a1), Some(b0), Some(b1)) => meets(&a1.1, &b0.0) || meets(&b1.1, &a0.0),
        _ => false,
    }
}

fn later_lower(a: &RangeBound, b: &RangeBound) -> RangeBound {
    if compare_lower(a, b).is_ge() { a.clone() } else { b.clone() }
}

fn earlier_upper(a: &RangeBound, b: &RangeBound) -> RangeBound {
    if compare_upper(a, b).is_le() { a.clone() } else { b.clone() }
}

/// What is in both.
pub fn intersection(a: &[Bounds], b: &[Bounds]) -> Vec<Bounds> {
    let mut out = Vec::new();
    for a in a {
        for b in b.iter().filter(|b| overlap(a, b)) {
            out.push((later_lower(&a.0, &b.0), earlier_upper(&a.1, &b.1)));
        }
    }
    out
}

/// What is in `a` and not in `b`.
pub fn difference(a: &[Bounds], b: &[Bounds]) -> Vec<Bounds> {
    let mut left: Vec<Bounds> = a.to_vec();
    for b in b {
        let mut next = Vec::with_capacity(left.len() + 1);
        for a in left {
            if !overlap(&a, b) {
                next.push(a);
                continue;
            }
            let flip = |bound: &RangeBound| RangeBound { value: bound.value.clone(), inclusive: !bound.inclusive };
            if compare_lower(&a.0, &b.0).is_lt() {
                next.push((a.0.clone(), flip(&b.0)));
            }
            if compare_upper(&a.1, &b.1).is_gt() {
                next.push((flip(&b.1), a.1));
            }
        }
        left = next;
    }
    left
}

/// The union of two ranges, which must touch unless `gaps` are filled.
pub fn union(a: &Range, b: &Range, gaps: bool) -> Result<Range> {
    let (Some(x), Some(y)) = (&a.bounds, &b.bounds) else {
        return Ok(if a.bounds.is_none() { b.clone() } else { a.clone() });
    };
    if !gaps && !overlap(x, y) && !meets(&x.1, &y.0) && !meets(&y.1, &x.0) {
        return Err(err!(DATA_EXCEPTION, "result of range union would not be contiguous"));
    }
    let lower = if compare_lower(&x.0, &y.0).is_le() { x.0.clone() } else { y.0.clone() };
    let upper = if compare_upper(&x.1, &y.1).is_ge() { x.1.clone() } else { y.1.clone() };
    Ok(Range { typ: a.typ, bounds: Some((lower, upper)) })
}

/// Ranges as a range type's canonical form, the empty ones left out.
pub fn canonical(typ: Oid, ranges: Vec<Bounds>) -> Result<Vec<Bounds>> {
    let mut out = Vec::with_capacity(ranges.len());
    for (lower, upper) in ranges {
        out.extend(make(typ, lower, upper)?.bounds);
    }
    Ok(out)
}

/// The multirange over a range's type with these ranges.
pub fn multirange_over(range_typ: Oid, ranges: Vec<Bounds>) -> Multirange {
    make_multirange(types::multirange_of(range_typ).unwrap_or(0), range_typ, ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int4(lower: Option<i32>, upper: Option<i32>, marks: &str) -> Range {
        let bound = |value: Option<i32>, inclusive| RangeBound { value: value.map(Datum::Int4), inclusive };
        make(3904, bound(lower, marks.starts_with('[')), bound(upper, marks.ends_with(']'))).unwrap()
    }

    #[test]
    fn discrete_ranges_have_one_form() {
        assert_eq!(int4(Some(1), Some(3), "[]"), int4(Some(0), Some(4), "()"));
        assert_eq!(int4(Some(1), Some(2), "()"), Range::empty(3904));
        assert!(
            make(3904, int4(Some(3), None, "[)").bounds.unwrap().0, int4(None, Some(1), "[)").bounds.unwrap().1)
                .is_err()
        );
    }

    #[test]
    fn algebra() {
        let (a, b, c) = (int4(Some(1), Some(5), "[)"), int4(Some(3), Some(9), "[)"), int4(Some(9), None, "[)"));
        let parts = |r: &Range| r.bounds.clone().into_iter().collect::<Vec<_>>();
        assert!(overlaps(&parts(&a), &parts(&b)) && !overlaps(&parts(&b), &parts(&c)));
        assert!(adjacent(&parts(&b), &parts(&c)) && before(&parts(&b), &parts(&c)));
        assert_eq!(difference(&parts(&b), &parts(&a)), parts(&int4(Some(5), Some(9), "[)")));
        assert_eq!(union(&a, &b, false).unwrap(), int4(Some(1), Some(9), "[)"));
        assert!(union(&a, &c, false).is_err());
        let all =
            make_multirange(0, 3904, vec![c.bounds.clone().unwrap(), a.bounds.clone().unwrap(), b.bounds.unwrap()]);
        assert_eq!(all.ranges, parts(&int4(Some(1), None, "[)")));
    }
}
