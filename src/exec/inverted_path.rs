//! The access path through an inverted (GIN) index: which conditions it serves, what they look for, and the rows that
//! come into question. Every row found is asked all conditions again, so a path may find too many.
//!
//! Beside PostgreSQL's operators (`@> <@ ? ?| ?& &&`) it serves equality with a field (`doc->>'kind' = 'x'`), which
//! PostgreSQL leaves to an expression index.

use std::collections::BTreeSet;

use crate::document::inverted::{Item, ItemClass, Lookup};
use crate::document::{Datum, Oid};
use crate::error::Result;
use crate::sql::plan::Expr;
use crate::storage::ScanOptions;
use crate::storage::snapshot::prefix_range;

use super::access_path::is_fixed;
use super::context::Context;
use super::view::as_slice;

/// An inverted index whose key expressions are bound, over column numbers.
pub(crate) struct Candidate {
    pub index: Oid,
    pub name: String,
    pub keys: Vec<(Expr, ItemClass)>,
    pub predicate: Option<Expr>,
}

/// How the rows are found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InvertedPath {
    pub index: Oid,
    /// The name for EXPLAIN.
    pub name: String,
    /// What is looked up: a row has to be found for each of these.
    searches: Vec<Search>,
    /// Positions of the conditions that the path uses, for EXPLAIN.
    pub used: Vec<usize>,
}

/// What one condition looks for in one key.
#[derive(Clone, Debug, PartialEq)]
struct Search {
    /// The key's number, when the index has several.
    key: Option<u8>,
    class: ItemClass,
    strategy: Strategy,
    value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
enum Strategy {
    Contains,
    Overlaps,
    HasAny,
    HasAll,
    Field(Vec<String>),
    FieldText(Vec<String>),
}

/// Chooses the index that serves most conditions; `None`: none serves any. Conditions name columns by number.
pub(crate) fn choose(candidates: &[Candidate], conditions: &[Expr]) -> Option<InvertedPath> {
    let paths = candidates.iter().filter(|c| c.predicate.as_ref().is_none_or(|p| conditions.contains(p))).map(|c| {
        let mut path = InvertedPath { index: c.index, name: c.name.clone(), searches: Vec::new(), used: Vec::new() };
        for (position, condition) in conditions.iter().enumerate() {
            let searches = c.keys.iter().enumerate().filter_map(|(number, (key, class))| {
                let (strategy, value) = strategy(condition, key)?;
                let number = (c.keys.len() > 1).then_some(number as u8);
                serves(*class, &strategy).then(|| Search { key: number, class: *class, strategy, value: value.clone() })
            });
            let before = path.searches.len();
            path.searches.extend(searches);
            if path.searches.len() > before {
                path.used.push(position);
            }
        }
        path
    });
    paths.filter(|path| !path.used.is_empty()).max_by_key(|path| path.used.len())
}

fn serves(class: ItemClass, strategy: &Strategy) -> bool {
    match strategy {
        Strategy::Contains => true,
        Strategy::Overlaps => class == ItemClass::Array,
        Strategy::HasAny | Strategy::HasAll => class == ItemClass::Jsonb,
        Strategy::Field(_) | Strategy::FieldText(_) => class != ItemClass::Array,
    }
}

/// Reads a condition as a search of a key.
fn strategy<'a>(condition: &'a Expr, key: &Expr) -> Option<(Strategy, &'a Expr)> {
    let Expr::Call { function, args, .. } = condition else { return None };
    let [left, right] = args.as_slice() else { return None };
    let of_key = |indexed: &Expr, value: &Expr| indexed == key && is_fixed(value);
    let found = match function.name {
        "jsonb_contains" | "arraycontains" | "array_eq" if of_key(left, right) => (Strategy::Contains, right),
        "jsonb_contained" | "arraycontained" | "array_eq" if of_key(right, left) => (Strategy::Contains, left),
        "arrayoverlap" if of_key(left, right) => (Strategy::Overlaps, right),
        "arrayoverlap" if of_key(right, left) => (Strategy::Overlaps, left),
        "jsonb_exists" | "jsonb_exists_all" if of_key(left, right) => (Strategy::HasAll, right),
        "jsonb_exists_any" if of_key(left, right) => (Strategy::HasAny, right),
        "jsonb_eq" | "texteq" => {
            let (field, value) = if is_fixed(right) { (left, right) } else { (right, left) };
            if !is_fixed(value) {
                return None;
            }
            let mut path = Vec::new();
            let is_text = field_of(field, key, &mut path)?;
            path.reverse();
            match (function.name, is_text) {
                ("texteq", true) => (Strategy::FieldText(path), value),
                ("jsonb_eq", false) => (Strategy::Field(path), value),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(found)
}

/// Whether an expression is a field of the key (`key -> 'a' ->> 'b'`): the path, innermost key last to first; true when
/// the field is taken as text.
fn field_of(expr: &Expr, key: &Expr, path: &mut Vec<String>) -> Option<bool> {
    let Expr::Call { function, args, .. } = expr else { return None };
    let [inner, Expr::Const(Datum::Text(name), _)] = args.as_slice() else { return None };
    let is_text = match function.name {
        "jsonb_object_field_text" => true,
        "jsonb_object_field" => false,
        _ => return None,
    };
    path.push(name.to_string());
    match inner == key {
        true => Some(is_text),
        false => match field_of(inner, key, path)? {
            // The field of a text is no field of the key.
            true => None,
            false => Some(is_text),
        },
    }
}

impl Search {
    /// What to look up, once the value is known; `None`: no row can qualify.
    fn lookup(&self, value: &Datum) -> Option<Lookup> {
        fn names(path: &[String]) -> Vec<&str> {
            path.iter().map(String::as_str).collect()
        }
        Some(match (&self.strategy, value) {
            (_, Datum::Null) => return None,
            (Strategy::Contains, value) => Lookup::contains(self.class, value),
            (Strategy::Overlaps, value) => Lookup::overlaps(value),
            (Strategy::HasAny, value) => Lookup::has_keys(self.class, value, true),
            (Strategy::HasAll, value) => Lookup::has_keys(self.class, value, false),
            (Strategy::Field(at), Datum::Jsonb(value)) => Lookup::field(self.class, &names(at), value),
            (Strategy::FieldText(at), Datum::Text(text)) => Lookup::field_text(self.class, &names(at), text),
            _ => Lookup::Everything,
        })
    }

    fn entry_prefix(&self, item: &Item) -> Vec<u8> {
        self.key.iter().chain(item).copied().collect()
    }
}

/// The encoded key of an item's entries in an index with several keys, or with one.
pub(crate) fn item_key(number: usize, keys: usize, item: &Item, out: &mut Vec<u8>) {
    out.clear();
    out.extend((keys > 1).then_some(number as u8).iter().chain(item));
}

impl InvertedPath {
    /// The keys of the rows that may qualify, ascending, and at most `enough` of them; `None`: the index does not narrow
    /// it down to so few.
    pub(crate) fn row_keys(
        &self,
        context: &Context,
        table: Oid,
        enough: usize,
        eval: impl Fn(&Expr) -> Result<Datum>,
    ) -> Result<Option<Vec<Vec<u8>>>> {
        let mut found: Option<BTreeSet<Vec<u8>>> = None;
        for search in &self.searches {
            let rows = match search.lookup(&eval(&search.value)?) {
                None => BTreeSet::new(),
                Some(Lookup::Everything) => continue,
                Some(Lookup::Any(items)) => match self.any(context, search, &items, enough)? {
                    Some(rows) => rows,
                    None => continue,
                },
                Some(Lookup::All(items)) => match self.all(context, search, &items, enough)? {
                    Some(rows) => rows,
                    None => continue,
                },
            };
            found = Some(match found {
                None => rows,
                Some(before) => before.intersection(&rows).cloned().collect(),
            });
        }
        let Some(mut found) = found else { return Ok(None) };
        // Rows that the transaction has written have entries only after the commit.
        if let Some(own) = context.view.buffered(table) {
            found.extend(own.rows().keys().map(|key| key.to_vec()));
        }
        Ok(Some(found.into_iter().collect()))
    }

    /// Rows that have one of the items.
    fn any(
        &self,
        context: &Context,
        search: &Search,
        items: &[Item],
        enough: usize,
    ) -> Result<Option<BTreeSet<Vec<u8>>>> {
        let mut rows = BTreeSet::new();
        for item in items {
            match self.posting_list(context, search, item, enough)? {
                Some(found) => rows.extend(found),
                None => return Ok(None),
            }
            if rows.len() > enough {
                return Ok(None);
            }
        }
        Ok(Some(rows))
    }

    /// Rows that have all items: those of the rarest ones. Items that more than `enough` rows have are left to the
    /// condition itself, and so is the rest once few rows remain.
    fn all(
        &self,
        context: &Context,
        search: &Search,
        items: &[Item],
        enough: usize,
    ) -> Result<Option<BTreeSet<Vec<u8>>>> {
        const FEW: usize = 32;
        let mut rows: Option<BTreeSet<Vec<u8>>> = None;
        for item in items {
            if rows.as_ref().is_some_and(|rows| rows.len() <= FEW) {
                break;
            }
            let Some(found) = self.posting_list(context, search, item, enough)? else { continue };
            rows = Some(match rows {
                None => found.into_iter().collect(),
                Some(rows) => found.into_iter().filter(|key| rows.contains(key)).collect(),
            });
        }
        Ok(rows)
    }

    /// The rows that have an item, ascending; `None`: more than `enough`.
    fn posting_list(
        &self,
        context: &Context,
        search: &Search,
        item: &Item,
        enough: usize,
    ) -> Result<Option<Vec<Vec<u8>>>> {
        let (lower, upper) = prefix_range(&search.entry_prefix(item));
        let options = ScanOptions::default();
        let mut entries = context.view.snapshot.index_scan(self.index, as_slice(&lower), as_slice(&upper), options);
        let mut rows = Vec::new();
        while entries.advance()? {
            if rows.len() == enough {
                return Ok(None);
            }
            if rows.len() % 1024 == 1023 {
                context.check()?;
            }
            rows.push(entries.entry()?.1.to_vec());
        }
        Ok(Some(rows))
    }
}
