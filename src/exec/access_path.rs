//! The access path: how the rows of a table that can satisfy some conditions are found. A pure choice among the row
//! key, an index and a full scan, for point plans, for scans under DataFusion and for EXPLAIN.
//!
//! A path only narrows down: every condition is asked again of each row found, so its bounds may be generous.

use std::ops::Bound;

use crate::document::key::{KeyOrder, encode_column};
use crate::document::{Datum, Oid, Type};
use crate::sql::plan::{ColumnId, Expr, SortKey};
use crate::sql::{casts, operators};
use crate::storage::catalog::{Index, Table};
use crate::storage::snapshot::prefix_range;

use super::rows::{key_order, key_value};
use super::view::KeyRange;

/// One key of a row key or index: what it is computed from and how it is ordered.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Over column numbers as column ids.
    pub expr: Expr,
    pub typ: Type,
    pub order: KeyOrder,
}

/// A row key or an index.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The index; `None`: the row key.
    pub index: Option<Oid>,
    pub name: String,
    pub unique: bool,
    pub keys: Vec<Key>,
    /// The predicate of a partial index, over column numbers.
    pub predicate: Option<Expr>,
}

/// A value that a key is compared with, and the side of it that qualifies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    pub value: Expr,
    pub inclusive: bool,
}

/// How the rows are found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    /// The index; `None`: the row key.
    pub index: Option<Oid>,
    /// The name for EXPLAIN.
    pub name: String,
    /// Values of the first keys.
    pub equal: Vec<Expr>,
    /// After them: one of these values (an array when `any_is_array`).
    pub any: Option<AnyOf>,
    /// Or a range of the next key.
    pub lower: Option<Limit>,
    pub upper: Option<Limit>,
    /// Types and orders of the keys used.
    pub keys: Vec<(Type, KeyOrder)>,
    /// At most one row is found for each combination of values.
    pub is_unique: bool,
    /// The rows come in the order that was asked for.
    pub is_ordered: bool,
    /// In reverse.
    pub reverse: bool,
    /// Positions of the conditions that the path uses, for EXPLAIN.
    pub used: Vec<usize>,
}

/// A key that may have one of several values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AnyOf {
    List(Vec<Expr>),
    Array(Expr),
}

/// A comparison `key op value` with a value that does not depend on the row.
struct Condition<'a> {
    position: usize,
    key: &'a Expr,
    op: &'static str,
    value: Value<'a>,
    /// The type that the key side is compared as.
    key_type: Type,
}

enum Value<'a> {
    One(&'a Expr),
    List(&'a [Expr]),
    Array(&'a Expr),
}

/// The row key of a table as a candidate; `None` when rows have hidden ids.
pub(crate) fn row_key_candidate(table: &Table, name: &str) -> Option<Candidate> {
    if table.key.is_empty() {
        return None;
    }
    let keys = table.key.iter().map(|number| {
        let typ = table.column_by_number(*number)?.typ;
        Some(Key { expr: Expr::Column(*number as ColumnId, typ), typ, order: KeyOrder::default() })
    });
    let keys = keys.collect::<Option<Vec<_>>>()?;
    Some(Candidate { index: None, name: name.to_string(), unique: true, keys, predicate: None })
}

/// An index as a candidate, given its bound key expressions.
pub(crate) fn index_candidate(index: &Index, exprs: Vec<Expr>, predicate: Option<Expr>) -> Candidate {
    let keys = index
        .keys
        .iter()
        .zip(exprs)
        .map(|(key, expr)| Key { expr, typ: key.typ, order: key_order(key.descending, key.nulls_first) })
        .collect();
    Candidate { index: Some(index.oid), name: index.name.clone(), unique: index.unique, keys, predicate }
}

/// Chooses how to find the rows. `conditions` and `order` name columns by number; `None`: scan everything.
pub(crate) fn choose(candidates: &[Candidate], conditions: &[Expr], order: &[SortKey]) -> Option<Path> {
    let comparisons: Vec<Condition<'_>> = conditions.iter().enumerate().filter_map(|(i, c)| condition(i, c)).collect();
    let mut best: Option<(u32, Path)> = None;
    for candidate in candidates {
        if let Some(predicate) = &candidate.predicate
            && !conditions.contains(predicate)
        {
            continue;
        }
        let path = match_keys(candidate, &comparisons, order);
        let score = score(candidate, &path);
        if score > 0 && best.as_ref().is_none_or(|(s, _)| score > *s) {
            best = Some((score, path));
        }
    }
    best.map(|(_, path)| path)
}

/// How good a path is: a whole unique key beats everything, then more keys, then ranges; order breaks ties.
fn score(candidate: &Candidate, path: &Path) -> u32 {
    let equal = path.equal.len() as u32 + u32::from(path.any.is_some());
    let range = u32::from(path.lower.is_some()) + u32::from(path.upper.is_some());
    let ordered = u32::from(path.is_ordered);
    let is_row_key = u32::from(candidate.index.is_none());
    if equal + range == 0 && (ordered == 0 || candidate.predicate.is_some()) {
        return 0;
    }
    u32::from(path.is_unique) * 1000 + equal * 100 + range * 20 + ordered * 10 + is_row_key
}

fn match_keys(candidate: &Candidate, conditions: &[Condition<'_>], order: &[SortKey]) -> Path {
    let mut path = Path {
        index: candidate.index,
        name: candidate.name.clone(),
        equal: Vec::new(),
        any: None,
        lower: None,
        upper: None,
        keys: Vec::new(),
        is_unique: false,
        is_ordered: false,
        reverse: false,
        used: Vec::new(),
    };
    for key in &candidate.keys {
        let of_key = || conditions.iter().filter(|c| c.key == &key.expr && fits(c.key_type, key.typ));
        if let Some(c) = of_key().find(|c| c.op == "=" && matches!(c.value, Value::One(_))) {
            if let Value::One(value) = c.value {
                path.equal.push(value.clone());
            }
            path.keys.push((key.typ, key.order));
            path.used.push(c.position);
            continue;
        }
        if let Some(c) = of_key().find(|c| c.op == "=") {
            path.any = Some(match c.value {
                Value::List(list) => AnyOf::List(list.to_vec()),
                Value::Array(array) | Value::One(array) => AnyOf::Array(array.clone()),
            });
            path.keys.push((key.typ, key.order));
            path.used.push(c.position);
            break;
        }
        for c in of_key() {
            let Value::One(value) = c.value else { continue };
            let limit = Some(Limit { value: value.clone(), inclusive: c.op.len() == 2 });
            let slot = if c.op.starts_with('<') { &mut path.upper } else { &mut path.lower };
            if slot.is_none() {
                *slot = limit;
                path.used.push(c.position);
            }
        }
        if path.lower.is_some() || path.upper.is_some() {
            path.keys.push((key.typ, key.order));
        }
        break;
    }
    let fixed = path.equal.len() + usize::from(path.any.is_some());
    path.is_unique = candidate.unique && fixed == candidate.keys.len();
    if path.any.is_none() {
        (path.is_ordered, path.reverse) = ordered(candidate, path.equal.len(), order);
    }
    path
}

/// Whether reading the candidate gives the order asked for, after `fixed` keys have one value: (yes, in reverse).
fn ordered(candidate: &Candidate, fixed: usize, order: &[SortKey]) -> (bool, bool) {
    if order.is_empty() {
        return (false, false);
    }
    let mut direction: Option<bool> = None;
    let mut keys = candidate.keys[fixed.min(candidate.keys.len())..].iter();
    for wanted in order {
        if candidate.keys[..fixed].iter().any(|k| k.expr == wanted.expr) {
            continue;
        }
        let Some(key) = keys.next() else {
            // Rows are unique by now: further keys change nothing.
            return match (candidate.unique, direction) {
                (true, Some(reverse)) if candidate.index.is_none() => (true, reverse),
                _ => (false, false),
            };
        };
        if key.expr != wanted.expr {
            return (false, false);
        }
        let reverse = key.order.descending != wanted.descending;
        // NULLs are at the end that the index has them, unless it is a row key, which has none.
        let nulls_agree = key.order.nulls_first != reverse;
        if candidate.index.is_some() && nulls_agree != wanted.nulls_first && key_may_be_null(key) {
            return (false, false);
        }
        if *direction.get_or_insert(reverse) != reverse {
            return (false, false);
        }
    }
    (true, direction.unwrap_or(false))
}

fn key_may_be_null(_key: &Key) -> bool {
    true
}

/// Reads a condition as a comparison of something with a value that does not depend on the row.
fn condition(position: usize, expr: &Expr) -> Option<Condition<'_>> {
    match expr {
        Expr::Call { function, args, .. } if args.len() == 2 => {
            let op = operators::comparison(function.oid)?.name;
            let (left, right) = (&args[0], &args[1]);
            if is_fixed(right) && !is_fixed(left) {
                return comparison(position, left, op, Value::One(right), function.args[0]);
            }
            if is_fixed(left) && !is_fixed(right) {
                let turned = match op {
                    "<" => ">",
                    "<=" => ">=",
                    ">" => "<",
                    ">=" => "<=",
                    other => other,
                };
                return comparison(position, right, turned, Value::One(left), function.args[1]);
            }
            None
        }
        Expr::InList { left, list, equal, negated: false } if list.iter().all(is_fixed) && !is_fixed(left) => {
            comparison(position, left, "=", Value::List(list), equal.args[0])
        }
        Expr::AnyAll { all: false, left, operator, array } if is_fixed(array) && !is_fixed(left) => {
            match operators::comparison(operator.oid)?.name {
                "=" => comparison(position, left, "=", Value::Array(array), operator.args[0]),
                _ => None,
            }
        }
        // A boolean column as a condition.
        Expr::Column(_, typ) if typ.oid == Type::BOOL.oid => {
            Some(Condition { position, key: expr, op: "=", value: Value::One(&TRUE), key_type: Type::BOOL })
        }
        _ => None,
    }
}

static TRUE: Expr = Expr::Const(Datum::Bool(true), Type::BOOL);

fn comparison<'a>(
    position: usize,
    key: &'a Expr,
    op: &'static str,
    value: Value<'a>,
    key_type: Type,
) -> Option<Condition<'a>> {
    if op == "<>" {
        return None;
    }
    // A relabelled key (varchar as text) is the key.
    let mut key = key;
    while let Expr::Cast { input, typ, kind: crate::sql::plan::CastKind::Relabel } = key
        && casts::is_same_value(input.typ(), *typ)
    {
        key = input;
    }
    Some(Condition { position, key, op, value, key_type })
}

/// Whether an expression is the same for all rows of one execution.
pub(crate) fn is_fixed(expr: &Expr) -> bool {
    let mut fixed = true;
    expr.walk(&mut |e| {
        match e {
            Expr::Column(..) | Expr::Subquery(_) | Expr::Grouping(_) => fixed = false,
            Expr::Call { function, .. }
                if function.volatility == crate::sql::function::Volatility::Volatile
                    || !matches!(function.body, crate::sql::function::Body::Scalar(_)) =>
            {
                fixed = false;
            }
            _ => {}
        }
        fixed
    });
    fixed
}

/// Whether values that a comparison with this operand type takes can be looked up among keys of a type.
fn fits(compared_as: Type, key: Type) -> bool {
    let family = |oid| match Type::new(oid) {
        Type::INT2 | Type::INT4 | Type::INT8 => 1,
        Type::TEXT | Type::VARCHAR => 2,
        Type::OID | Type::REGCLASS | Type::REGTYPE | Type::REGPROC => 3,
        _ => 0,
    };
    compared_as.oid == key.oid || (family(key.oid) != 0 && family(compared_as.oid) == family(key.oid))
}

/// What a value becomes when it is looked up among keys of a type; `None`: nothing there equals it, but it can
/// still bound a range from outside.
pub(crate) fn as_key(value: &Datum, typ: Type) -> Option<Datum> {
    let number = match value {
        Datum::Int2(v) => i64::from(*v),
        Datum::Int4(v) => i64::from(*v),
        Datum::Int8(v) => *v,
        _ => return Some(key_value(value, typ).into_owned()),
    };
    match Type::new(typ.oid) {
        Type::INT2 => i16::try_from(number).ok().map(Datum::Int2),
        Type::INT4 => i32::try_from(number).ok().map(Datum::Int4),
        Type::INT8 => Some(Datum::Int8(number)),
        _ => Some(value.clone()),
    }
}

/// The key ranges of a path, given a way to evaluate its values. Empty: no row can qualify.
pub(crate) fn ranges<E>(path: &Path, mut eval: impl FnMut(&Expr) -> Result<Datum, E>) -> Result<Vec<KeyRange>, E> {
    let mut prefix = Vec::with_capacity(24);
    for (value, (typ, order)) in path.equal.iter().zip(&path.keys) {
        let value = eval(value)?;
        // NULL equals nothing.
        match as_key(&value, *typ) {
            Some(key) if !key.is_null() => encode_column(&key, *order, &mut prefix),
            _ => return Ok(Vec::new()),
        }
    }
    let Some((typ, order)) = path.keys.get(path.equal.len()) else { return Ok(vec![prefix_range(&prefix)]) };
    if let Some(any) = &path.any {
        let mut values = match any {
            AnyOf::List(list) => list.iter().map(&mut eval).collect::<Result<Vec<_>, E>>()?,
            AnyOf::Array(array) => match eval(array)? {
                Datum::Array(array) => array.values,
                _ => Vec::new(),
            },
        };
        values.retain(|v| !v.is_null());
        let mut keys: Vec<Vec<u8>> = values
            .iter()
            .filter_map(|v| as_key(v, *typ))
            .map(|key| {
                let mut bytes = prefix.clone();
                encode_column(&key, *order, &mut bytes);
                bytes
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        return Ok(keys.iter().map(|k| prefix_range(k)).collect());
    }
    let (mut lower, mut upper) = prefix_range(&prefix);
    for (limit, is_lower) in [(&path.lower, true), (&path.upper, false)] {
        let Some(limit) = limit else { continue };
        let value = eval(&limit.value)?;
        if value.is_null() {
            return Ok(Vec::new());
        }
        // A number that the key type cannot hold bounds nothing here: the condition itself decides.
        let Some(key) = as_key(&value, *typ) else { continue };
        let mut bytes = prefix.clone();
        encode_column(&key, *order, &mut bytes);
        let (from, to) = prefix_range(&bytes);
        // On a descending key a lower limit bounds the bytes from above.
        if is_lower != order.descending {
            lower = if limit.inclusive { from } else { after(to) };
        } else {
            upper = if limit.inclusive { to } else { before(from) };
        }
    }
    Ok(vec![(lower, upper)])
}

/// As a lower bound: everything at or above where a range ends.
fn after(end: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match end {
        Bound::Excluded(k) => Bound::Included(k),
        other => other,
    }
}

/// As an upper bound: everything below where a range begins.
fn before(start: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match start {
        Bound::Included(k) => Bound::Excluded(k),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(number: u32) -> Expr {
        Expr::Column(number, Type::INT8)
    }

    fn value(v: i64) -> Expr {
        Expr::Const(Datum::Int8(v), Type::INT8)
    }

    fn compare(op: &'static str, left: Expr, right: Expr) -> Expr {
        let function = operators::of_type(op, Type::INT8.oid).unwrap();
        Expr::Call { function, args: vec![left, right], typ: Type::BOOL }
    }

    fn candidate(index: Option<Oid>, columns: &[u32], unique: bool) -> Candidate {
        let key = |n: &u32| Key { expr: column(*n), typ: Type::INT8, order: KeyOrder::default() };
        Candidate {
            index,
            name: format!("{index:?}"),
            unique,
            keys: columns.iter().map(key).collect(),
            predicate: None,
        }
    }

    fn sort(number: u32, descending: bool) -> SortKey {
        SortKey { expr: column(number), descending, nulls_first: descending }
    }

    #[test]
    fn a_whole_key_beats_an_index_and_a_scan() {
        let candidates = [candidate(None, &[1], true), candidate(Some(9), &[2], false)];
        let conditions = [compare("=", column(2), value(5)), compare("=", value(7), column(1))];
        let path = choose(&candidates, &conditions, &[]).unwrap();
        assert_eq!((path.index, path.is_unique, path.equal), (None, true, vec![value(7)]));
        let path = choose(&candidates, &conditions[..1], &[]).unwrap();
        assert_eq!((path.index, path.is_unique), (Some(9), false));
        assert_eq!(choose(&candidates, &[compare("<>", column(1), value(1))], &[]), None);
    }

    #[test]
    fn ranges_and_order() {
        let candidates = [candidate(None, &[1], true)];
        let conditions = [compare(">=", column(1), value(5)), compare("<", column(1), value(9))];
        let path = choose(&candidates, &conditions, &[sort(1, true)]).unwrap();
        assert!(path.is_ordered && path.reverse && !path.is_unique);
        let found = ranges::<()>(&path, |e| match e {
            Expr::Const(v, _) => Ok(v.clone()),
            _ => Err(()),
        })
        .unwrap();
        let encoded = |v: i64| {
            let mut out = Vec::new();
            encode_column(&Datum::Int8(v), KeyOrder::default(), &mut out);
            out
        };
        assert_eq!(found, [(Bound::Included(encoded(5)), Bound::Excluded(encoded(9)))]);
    }

    #[test]
    fn an_order_alone_is_a_reason_to_use_a_key() {
        let candidates = [candidate(None, &[1, 2], true)];
        assert!(choose(&candidates, &[], &[sort(1, false)]).unwrap().is_ordered);
        assert_eq!(choose(&candidates, &[], &[sort(2, false)]), None);
        let fixed = [compare("=", column(1), value(1))];
        assert!(choose(&candidates, &fixed, &[sort(2, false)]).unwrap().is_ordered);
    }

    #[test]
    fn lists_become_several_ranges() {
        let candidates = [candidate(None, &[1], true)];
        let equal = operators::of_type("=", Type::INT8.oid).unwrap();
        let list =
            Expr::InList { left: Box::new(column(1)), list: vec![value(3), value(1), value(3)], equal, negated: false };
        let path = choose(&candidates, &[list], &[]).unwrap();
        let found = ranges::<()>(&path, |e| match e {
            Expr::Const(v, _) => Ok(v.clone()),
            _ => Err(()),
        });
        assert_eq!(found.unwrap().len(), 2);
    }
}
