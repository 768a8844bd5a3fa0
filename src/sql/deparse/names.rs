//! What FROM items and their columns are called: as written, with `_1` and so on where a level or one around it has the name.

use std::collections::HashMap;

use crate::document::Type;
use crate::sql::io::reg::quote_identifier;
use crate::sql::plan::{ColumnId, Expr};
use crate::sql::shape::{From, On, Shape, Source};
use crate::sql::{system, user_types};

use super::Writer;

/// The names given so far.
#[derive(Default)]
pub(super) struct Names {
    /// The name of each item that has one.
    items: HashMap<usize, String>,
    /// The columns of each item, and whether they are listed.
    columns: HashMap<usize, (Vec<String>, bool)>,
    /// The names of the levels that we are inside of.
    levels: Vec<Vec<String>>,
    /// The members of WITH that can be named.
    pub(super) ctes: Vec<String>,
    /// Joins with merged columns of their own.
    merging: Vec<usize>,
}

impl Names {
    pub(super) fn new(shape: &Shape) -> Self {
        let own = shape.columns.values().map(|origin| origin.item);
        let merging = own.filter(|item| {
            shape.items.get(*item).is_some_and(|i| i.alias.is_none() && matches!(i.source, Source::Join))
        });
        Self { merging: merging.collect(), ..Self::default() }
    }

    pub(super) fn item(&self, item: usize) -> Option<&str> {
        self.items.get(&item).map(String::as_str)
    }

    /// The columns of an item, and whether its alias lists them.
    pub(super) fn columns(&self, item: usize) -> Option<(&[String], bool)> {
        self.columns.get(&item).map(|(names, listed)| (names.as_slice(), *listed))
    }

    /// Whether any level that we are inside of has items.
    pub(super) fn has_items(&self) -> bool {
        self.levels.iter().any(|level| !level.is_empty())
    }

    /// Ends a level.
    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }
}

/// The items of a FROM list in PostgreSQL's order, and how many there are.
pub(super) fn items_of(from: &[From]) -> Vec<usize> {
    fn collect(from: &From, out: &mut Vec<usize>) {
        match from {
            From::Item(item) => out.push(*item),
            From::Join { item, left, right, .. } => {
                collect(left, out);
                collect(right, out);
                out.push(*item);
            }
        }
    }
    let mut out = Vec::new();
    from.iter().for_each(|item| collect(item, &mut out));
    out
}

/// A name that is not among others.
fn unique(name: &str, taken: impl Fn(&str) -> bool, counters: &mut HashMap<String, usize>) -> String {
    if !taken(name) {
        return name.to_string();
    }
    let counter = counters.entry(name.to_string()).or_default();
    loop {
        *counter += 1;
        let next = format!("{name}_{counter}");
        if !taken(&next) {
            return next;
        }
    }
}

impl Writer<'_> {
    /// Begins a level: names the items of its FROM. `None`: they cannot be told apart.
    pub(super) fn enter(&mut self, from: &[From]) -> Option<()> {
        let mut level: Vec<String> = Vec::new();
        if let Some(shape) = self.shape() {
            let mut counters = HashMap::new();
            let items = items_of(from);
            for index in &items {
                let item = shape.items.get(*index)?;
                if let Some(name) = item.alias.as_ref().or(item.name.as_ref()) {
                    let taken =
                        |name: &str| level.iter().chain(self.names.levels.iter().flatten()).any(|known| known == name);
                    let name = unique(name, taken, &mut counters);
                    level.push(name.clone());
                    self.names.items.insert(*index, name);
                }
                let mut columns: Vec<String> = Vec::with_capacity(item.names.len());
                let mut counters = HashMap::new();
                for name in &item.names {
                    let next = unique(name, |name| columns.iter().any(|c| c == name), &mut counters);
                    columns.push(next);
                }
                let changed = columns != item.real;
                let listed = match &item.source {
                    Source::Function { .. } => true,
                    Source::JsonTable(_) => false,
                    Source::Relation { .. } => changed,
                    Source::Join => item.alias.is_some() && changed,
                    _ => item.renames || changed,
                };
                self.names.columns.insert(*index, (columns, listed));
            }
            from.iter().try_for_each(|item| self.check_merged(item, &items))?;
        }
        self.names.levels.push(level);
        Some(())
    }

    /// A merged column of its own must be the only one of its name: others would have to be renamed.
    fn check_merged(&self, from: &From, items: &[usize]) -> Option<()> {
        let From::Join { item, left, right, on, .. } = from else { return Some(()) };
        self.check_merged(left, items)?;
        self.check_merged(right, items)?;
        let (On::Using(names, _), true) = (on, self.names.merging.contains(item)) else { return Some(()) };
        let below = items_of(std::slice::from_ref(from));
        let shape = self.shape()?;
        let others = items.iter().filter(|other| !below.contains(other));
        let mut clash = others.filter_map(|other| shape.items.get(*other)).flat_map(|item| &item.names);
        if clash.any(|name| names.contains(name)) { None } else { Some(()) }
    }

    /// A column of an item.
    pub(super) fn variable(&mut self, id: ColumnId) -> Option<()> {
        let name = self.variable_name(id)?;
        let origin = self.shape()?.columns.get(&id)?;
        let item = self.names.item(origin.item).map(str::to_string);
        let clashes = || {
            let same = |(target, expr): &(String, Expr)| {
                *target == name && !matches!(expr, Expr::Column(own, _) if *own == id)
            };
            self.in_order_by && self.targets.iter().any(same)
        };
        if let Some(item) = item
            && (self.prefix || clashes())
        {
            self.push(&format!("{}.", quote_identifier(&item)));
        }
        self.push(&quote_identifier(&name));
        Some(())
    }

    /// The name of a column without its item's.
    pub(super) fn variable_name(&self, id: ColumnId) -> Option<String> {
        let origin = self.shape()?.columns.get(&id)?;
        match &origin.column {
            Ok(index) => Some(self.names.columns.get(&origin.item)?.0.get(*index)?.clone()),
            Err(system) => Some(system.clone()),
        }
    }

    /// The row of an item, whose columns these are.
    pub(super) fn whole_row(&mut self, row: &Expr, typ: Type, says_type: bool) -> Option<()> {
        let row = match row {
            Expr::Case { whens, .. } => &whens.first()?.1,
            row => row,
        };
        let Expr::Row { fields, .. } = row else { return None };
        let Some(Expr::Column(id, _)) = fields.first() else { return None };
        let item = self.shape()?.columns.get(id)?.item;
        let name = self.names.item(item)?.to_string();
        self.push(&format!("{}.*", quote_identifier(&name)));
        if says_type {
            let name = self.type_name(typ);
            self.push(&format!("::{name}"));
        }
        Some(())
    }

    /// A relation's name, with its schema where the search path does not find it.
    pub(super) fn relation(&mut self, oid: u32, schema: u32, name: &str) -> Option<()> {
        let catalog = self.context.host.catalog();
        let found = self.context.host.search_path().into_iter().find_map(|schema| {
            if schema == crate::storage::catalog::PG_CATALOG {
                let known = system::relation(&format!("pg_catalog.{name}"));
                return known.map(|relation| relation.oid);
            }
            catalog.relation(schema, name).map(|entry| entry.oid())
        });
        if found != Some(oid) || self.names.ctes.iter().any(|cte| cte == name) {
            let schema = system::definition::schema_name(&catalog, schema)?;
            self.push(&format!("{}.", quote_identifier(&schema)));
        }
        self.push(&quote_identifier(name));
        Some(())
    }

    /// `format_type` of a column definition.
    pub(super) fn defined_type(&self, typ: Type) -> String {
        user_types::format(&self.context, typ.oid, Some(typ.typmod).filter(|typmod| *typmod >= 0))
    }
}
