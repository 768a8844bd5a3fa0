//! [`Partitions`]: which partition of a partitioned table has a row, and which can have rows that satisfy some conditions.
//!
//! Values of keys are compared by their encoded bytes, whose order is SQL's.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::document::key::{KeyOrder, encode_column};
use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::eval::{Compiled, compile};
use crate::sql::functions::hash::partition_hash;
use crate::sql::io;
use crate::sql::plan::{ColumnId, Expr};
use crate::storage::catalog::{Catalog, IndexSource, PartitionBound, PartitionKey, PartitionStrategy, RangeEnd, Table};
use crate::storage::snapshot::prefix_range;

use super::access_path::{self, AnyOf, Candidate, Key};
use super::context::Context;
use super::kept::bind_index_key;
use super::rows::{key_value, row_columns};
use super::view::KeyRange;

/// The partitions of a table, in the order of their bounds.
pub(crate) struct Partitions {
    strategy: PartitionStrategy,
    keys: Vec<(Expr, Compiled, Type)>,
    /// The keys as messages show them.
    names: String,
    parts: Vec<(Oid, Part)>,
    /// LIST: value -> place in `parts`.
    values: HashMap<Vec<u8>, usize>,
    default: Option<Oid>,
}

/// Which rows one has.
pub(crate) enum Part {
    /// Encoded values, and NULL.
    List(Vec<Vec<u8>>, bool),
    Range(Vec<End>, Vec<End>),
    Hash(u32, u32),
}

/// One key of an end of a range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Min,
    Key(Vec<u8>),
    Max,
}

fn encoded(value: &Datum, typ: Type) -> Vec<u8> {
    let mut out = Vec::with_capacity(12);
    encode_column(&key_value(value, typ), KeyOrder::default(), &mut out);
    out
}

impl Part {
    /// The bound of a partition; `None`: DEFAULT.
    pub(crate) fn new(key: &PartitionKey, bound: &PartitionBound, eval: &EvalContext) -> Result<Option<Self>> {
        let read = |text: &str, at: usize| -> Result<Vec<u8>> {
            let typ = key.keys.get(at).map(|k| k.typ).ok_or_else(|| Error::internal("a bound has as many keys"))?;
            let plain = EvalContext { format: Default::default(), ..eval.clone() };
            Ok(encoded(&io::text_in(Type::new(typ.oid), text, &plain)?, typ))
        };
        let ends = |ends: &[RangeEnd]| -> Result<Vec<End>> {
            let end = |(at, end): (usize, &RangeEnd)| match end {
                RangeEnd::Min => Ok(End::Min),
                RangeEnd::Value(text) => Ok(End::Key(read(text, at)?)),
                RangeEnd::Max => Ok(End::Max),
            };
            ends.iter().enumerate().map(end).collect()
        };
        Ok(Some(match bound {
            PartitionBound::Default => return Ok(None),
            PartitionBound::List(values) => {
                let mut keys = values.iter().flatten().map(|v| read(v, 0)).collect::<Result<Vec<_>>>()?;
                keys.sort_unstable();
                keys.dedup();
                Self::List(keys, values.contains(&None))
            }
            PartitionBound::Range { from, to } => Self::Range(ends(from)?, ends(to)?),
            PartitionBound::Hash { modulus, remainder } => Self::Hash(*modulus, *remainder),
        }))
    }

    /// Whether a row could be in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a, null), Self::List(b, other_null)) => {
                *null && *other_null || a.iter().any(|value| b.binary_search(value).is_ok())
            }
            (Self::Range(from, to), Self::Range(other_from, other_to)) => from < other_to && other_from < to,
            (Self::Hash(m, r), Self::Hash(n, s)) => {
                let common = gcd(*m, *n);
                r % common == s % common
            }
            _ => false,
        }
    }

    fn rank(&self) -> (Vec<End>, u32, u32) {
        match self {
            Self::List(values, _) => (values.first().map_or(vec![End::Max], |v| vec![End::Key(v.clone())]), 0, 0),
            Self::Range(from, _) => (from.clone(), 0, 0),
            Self::Hash(modulus, remainder) => (Vec::new(), *modulus, *remainder),
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

impl Partitions {
    /// Those of a table; `None`: it is not partitioned.
    pub(crate) fn new(catalog: &Catalog, table: &Table, eval: &EvalContext) -> Result<Option<Self>> {
        let Some(key) = &table.partition_key else { return Ok(None) };
        let ids = row_columns(table);
        let (mut keys, mut names) = (Vec::new(), Vec::new());
        for one in &key.keys {
            let expr = match &one.source {
                IndexSource::Column(number) => {
                    names.push(
                        table.column_by_number(*number).map(|c| super::ddl::quote_ident(&c.name)).unwrap_or_default(),
                    );
                    Expr::Column(*number as ColumnId, one.typ)
                }
                IndexSource::Expression(text) => {
                    let is_call = text.ends_with(')') && !text.starts_with('(');
                    names.push(if is_call || text.starts_with('(') { text.clone() } else { format!("({text})") });
                    bind_index_key(text, table, eval)?.expr
                }
            };
            keys.push((expr.clone(), compile(&expr, &ids)?, one.typ));
        }
        let (mut parts, mut default) = (Vec::new(), None);
        for child in catalog.children_of(table.oid) {
            let Some(bound) = catalog.table(*child).and_then(|t| t.bound.as_ref()) else { continue };
            match Part::new(key, bound, eval)? {
                Some(part) => parts.push((*child, part)),
                None => default = Some(*child),
            }
        }
        parts.sort_by_cached_key(|(_, part)| part.rank());
        let mut values = HashMap::new();
        for (at, (_, part)) in parts.iter().enumerate() {
            if let Part::List(list, null) = part {
                values.extend(list.iter().map(|value| (value.clone(), at)));
                if *null {
                    values.insert(encoded(&Datum::Null, key.keys[0].typ), at);
                }
            }
        }
        Ok(Some(Self { strategy: key.strategy, keys, names: names.join(", "), parts, values, default }))
    }

    /// The partitions, in the order of their bounds, the default one last.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Oid> {
        self.parts.iter().map(|(oid, _)| *oid).chain(self.default)
    }

    /// The partitions but the default one.
    pub(crate) fn parts(&self) -> &[(Oid, Part)] {
        &self.parts
    }

    /// The default partition.
    pub(crate) fn default_partition(&self) -> Option<Oid> {
        self.default
    }

    fn key_of(&self, row: &[Datum], eval: &EvalContext) -> Result<Vec<Datum>> {
        self.keys.iter().map(|(_, key, _)| key.eval(row, &[], eval)).collect()
    }

    /// Whether partitions beside the default one have all keys of a range.
    fn covers(&self, range: &KeyRange) -> bool {
        let start = |bound: &Bound<Vec<u8>>| match bound {
            Bound::Included(key) | Bound::Excluded(key) => Some(key.clone()),
            Bound::Unbounded => None,
        };
        let Some(mut at) = start(&range.0) else { return false };
        for (_, part) in &self.parts {
            let Part::Range(from, to) = part else { return false };
            let (lower, upper) = bytes_of(from, to);
            let begins = start(&lower).is_none_or(|lower| lower <= at);
            match upper {
                Bound::Excluded(end) | Bound::Included(end) if begins && end > at => at = end,
                Bound::Unbounded if begins => return true,
                _ => {}
            }
            if matches!(&range.1, Bound::Excluded(end) if *end <= at) {
                return true;
            }
        }
        false
    }

    /// The partition that has a row, or none.
    pub(crate) fn route(&self, row: &[Datum], eval: &EvalContext) -> Result<Option<Oid>> {
        Ok(self.place(&self.key_of(row, eval)?))
    }

    fn place(&self, key: &[Datum]) -> Option<Oid> {
        let found = match self.strategy {
            PartitionStrategy::Hash => {
                let types: Vec<Type> = self.keys.iter().map(|(_, _, typ)| *typ).collect();
                let hash = partition_hash(key, &types);
                let has = |part: &Part| matches!(part, Part::Hash(m, r) if hash % u64::from(*m) == u64::from(*r));
                self.parts.iter().position(|(_, part)| has(part))
            }
            PartitionStrategy::List => self.values.get(&encoded(key.first()?, self.keys[0].2)).copied(),
            PartitionStrategy::Range if key.iter().any(Datum::is_null) => None,
            PartitionStrategy::Range => {
                let ends: Vec<End> =
                    key.iter().zip(&self.keys).map(|(v, (_, _, typ))| End::Key(encoded(v, *typ))).collect();
                let starts = |(_, part): &(Oid, Part)| matches!(part, Part::Range(from, _) if *from <= ends);
                let after = self.parts.partition_point(starts);
                let ends_behind = |at: &usize| matches!(&self.parts[*at].1, Part::Range(_, to) if ends < *to);
                after.checked_sub(1).filter(ends_behind)
            }
        };
        found.map(|at| self.parts[at].0).or(self.default)
    }

    /// 23514: no partition has the row.
    pub(crate) fn nowhere(&self, table: &Table, row: &[Datum], eval: &EvalContext) -> Result<Error> {
        let mut shown = String::new();
        for (i, (value, (_, _, typ))) in self.key_of(row, eval)?.iter().zip(&self.keys).enumerate() {
            if i > 0 {
                shown.push_str(", ");
            }
            match value {
                Datum::Null => shown.push_str("null"),
                value => io::output(value, *typ, eval, &mut shown),
            }
        }
        let error = err!(CHECK_VIOLATION, "no partition of relation \"{}\" found for row", table.name);
        Ok(error.detail(format!("Partition key of the failing row contains ({}) = ({shown}).", self.names)))
    }

    /// The partitions that can have rows which satisfy conditions over column numbers, in order.
    pub(crate) fn prune(&self, conditions: &[Expr], eval: impl Fn(&Expr) -> Result<Datum>) -> Result<Vec<Oid>> {
        let key =
            |(expr, _, typ): &(Expr, Compiled, Type)| Key { expr: expr.clone(), typ: *typ, order: KeyOrder::default() };
        let candidate = Candidate {
            index: Some(0),
            name: String::new(),
            unique: false,
            keys: self.keys.iter().map(key).collect(),
            predicate: None,
        };
        let asks_null = |(key, _, _): &(Expr, Compiled, Type)| {
            conditions.iter().any(|c| matches!(c, Expr::IsNull(input, false) if **input == *key))
        };
        if self.keys.iter().any(asks_null) {
            match self.strategy {
                PartitionStrategy::Range => return Ok(self.default.into_iter().collect()),
                PartitionStrategy::List => return Ok(self.place(&[Datum::Null]).into_iter().collect()),
                PartitionStrategy::Hash => {}
            }
        }
        let path = match conditions {
            [] => None,
            conditions => access_path::choose(&[candidate], conditions, &[]),
        };
        let Some(path) = path else { return Ok(self.in_order().collect()) };
        if path.equal.len() + usize::from(path.any.is_some()) == self.keys.len() {
            let mut fixed = Vec::new();
            for (value, (_, _, typ)) in path.equal.iter().zip(&self.keys) {
                match access_path::as_key(&eval(value)?, *typ) {
                    Some(value) if !value.is_null() => fixed.push(value),
                    _ => return Ok(Vec::new()),
                }
            }
            let last = match &path.any {
                None => vec![None],
                Some(AnyOf::List(list)) => list.iter().map(|e| eval(e).map(Some)).collect::<Result<Vec<_>>>()?,
                Some(AnyOf::Array(array)) => match eval(array)? {
                    Datum::Array(array) => array.values.iter().cloned().map(Some).collect(),
                    _ => Vec::new(),
                },
            };
            let mut wanted = BTreeSet::new();
            for value in last {
                let mut key = fixed.clone();
                if let Some(value) = value {
                    match access_path::as_key(&value, self.keys[fixed.len()].2) {
                        Some(value) if !value.is_null() => key.push(value),
                        _ => continue,
                    }
                }
                wanted.extend(self.place(&key));
            }
            return Ok(self.in_order().filter(|oid| wanted.contains(oid)).collect());
        }
        if self.strategy == PartitionStrategy::Hash {
            return Ok(self.in_order().collect());
        }
        let ranges = access_path::ranges(&path, |e| eval(e))?;
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = |part: &Part| match part {
            Part::List(values, _) => values.iter().any(|v| ranges.iter().any(|r| touch(&prefix_range(v), r))),
            Part::Range(from, to) => ranges.iter().any(|r| touch(&bytes_of(from, to), r)),
            Part::Hash(..) => true,
        };
        let chosen = self.parts.iter().filter(|(_, part)| wanted(part)).map(|(oid, _)| *oid);
        let default = self.default.filter(|_| !ranges.iter().all(|range| self.covers(range)));
        Ok(chosen.chain(default).collect())
    }
}

/// The encoded keys between two ends.
fn bytes_of(from: &[End], to: &[End]) -> KeyRange {
    let bytes = |ends: &[End]| {
        let mut prefix = Vec::new();
        for end in ends {
            match end {
                End::Key(key) => prefix.extend_from_slice(key),
                End::Min => return (prefix, false),
                End::Max => return (prefix, true),
            }
        }
        (prefix, false)
    };
    let lower = match bytes(from) {
        (prefix, false) => Bound::Included(prefix),
        (prefix, true) => match prefix_range(&prefix).1 {
            Bound::Excluded(end) => Bound::Included(end),
            other => other,
        },
    };
    let upper = match bytes(to) {
        (prefix, false) => Bound::Excluded(prefix),
        (prefix, true) => prefix_range(&prefix).1,
    };
    (lower, upper)
}

/// Whether two ranges can have a key in common.
fn touch(a: &KeyRange, b: &KeyRange) -> bool {
    let below = |lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>| match (lower, upper) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(l), Bound::Included(u)) => l <= u,
        (Bound::Included(l) | Bound::Excluded(l), Bound::Excluded(u) | Bound::Included(u)) => l < u,
    };
    below(&a.0, &b.1) && below(&b.0, &a.1)
}

/// One table that a partition is a part of, and the rows of the partition seen as its rows.
pub(crate) struct Within {
    partitions: Arc<Partitions>,
    /// The partition of it that the rows must be in.
    part: Oid,
    /// For each column of it, the place in a row.
    columns: Vec<Option<usize>>,
}

impl Within {
    fn new(partitions: Arc<Partitions>, part: Oid, ancestor: &Table, table: &Table) -> Self {
        Self { partitions, part, columns: placement(table, ancestor) }
    }

    /// Whether a row may be in the partition.
    pub(crate) fn has(&self, row: &[Datum], eval: &EvalContext) -> Result<bool> {
        Ok(self.partitions.route(&placed(row, &self.columns), eval)? == Some(self.part))
    }
}

/// For each column of a table, the place of the one of its name in rows of another.
pub(crate) fn placement(from: &Table, to: &Table) -> Vec<Option<usize>> {
    let place = |number: i16| from.number_of(to, number).map(|n| n as usize - 1);
    to.columns.iter().map(|c| if c.dropped { None } else { place(c.number) }).collect()
}

/// A row of one table as one of another.
pub(crate) fn placed(row: &[Datum], columns: &[Option<usize>]) -> Vec<Datum> {
    columns.iter().map(|at| at.and_then(|at| row.get(at).cloned()).unwrap_or_default()).collect()
}

/// What the rows of a partition must fit into.
pub(crate) fn within(context: &Context, table: &Table) -> Result<Vec<Within>> {
    if table.bound.is_none() {
        return Ok(Vec::new());
    }
    let (mut all, mut part) = (Vec::new(), table.oid);
    for ancestor in context.view.catalog.partition_ancestors(table.oid) {
        let ancestor = context.table(ancestor)?;
        if let Some(partitions) = &context.rules(ancestor)?.partitions {
            all.push(Within::new(partitions.clone(), part, ancestor, table));
        }
        part = ancestor.oid;
    }
    Ok(all)
}

/// The same without a session, from a catalog.
pub(crate) fn within_of(catalog: &Catalog, table: &Table, eval: &EvalContext) -> Result<Vec<Within>> {
    let (mut all, mut part) = (Vec::new(), table.oid);
    for ancestor in catalog.partition_ancestors(table.oid) {
        let Some(ancestor) = catalog.table(ancestor) else { break };
        if let Some(partitions) = Partitions::new(catalog, ancestor, eval)? {
            all.push(Within::new(Arc::new(partitions), part, ancestor, table));
        }
        part = ancestor.oid;
    }
    Ok(all)
}
