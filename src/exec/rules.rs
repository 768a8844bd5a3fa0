//! [`TableRules`]: what a table asks of its rows beside NOT NULL, CHECK and unique keys: generated columns and foreign
//! keys, compiled once for a catalog.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::document::{Datum, Oid};
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::eval::{Compiled, compile};
use crate::sql::plan::{MergeAction, ModifyKind};
use crate::storage::catalog::{Catalog, IndexSource, Table};

use super::foreign_key::Link;
use super::kept::bind_generated;
use super::partition::Partitions;
use super::rows::row_columns;

/// Whether an UPDATE of these columns can give a row a key that another row has at that moment: a unique index over
/// one of them (or over an expression) is looked at row by row then, in the order of the rows.
pub(crate) fn moves_keys(catalog: &Catalog, table: Oid, assigned: &[i16]) -> bool {
    let touches = |source: &IndexSource| match source {
        IndexSource::Column(number) => assigned.contains(number),
        IndexSource::Expression(_) => true,
    };
    let mut unique = catalog.indexes_of(table).filter(|index| index.unique);
    !assigned.is_empty() && unique.any(|index| index.keys.iter().any(|key| touches(&key.source)))
}

/// The columns that a modification assigns to rows that are there.
pub(crate) fn assigned_columns(kind: &ModifyKind) -> Vec<i16> {
    match kind {
        ModifyKind::Update { assignments, .. } => assignments.iter().map(|(number, _)| *number).collect(),
        ModifyKind::Merge { arms, .. } => {
            let updates = arms.iter().filter_map(|arm| match &arm.action {
                MergeAction::Update(values) => Some(values),
                _ => None,
            });
            updates.flatten().map(|(number, _)| *number).collect()
        }
        ModifyKind::Insert { .. } | ModifyKind::Delete { .. } => Vec::new(),
    }
}

/// The generated columns of a table.
#[derive(Debug, Default)]
pub(crate) struct Generated {
    /// Position in a row, the expression over column numbers, whether it is stored.
    columns: Vec<(usize, Compiled, bool)>,
}

impl Generated {
    /// Compiles those of a table.
    pub(crate) fn new(table: &Table, eval: &EvalContext) -> Result<Self> {
        let ids = row_columns(table);
        let mut columns = Vec::new();
        for (column, generated) in table.generated_columns() {
            let expr = bind_generated(&generated.expr, table, column, eval)?;
            columns.push((column.number as usize - 1, compile(&expr, &ids)?, generated.stored));
        }
        Ok(Self { columns })
    }

    /// Computes all of them in a new row, or the stored ones only.
    pub(crate) fn fill(&self, row: &mut [Datum], all: bool, eval: &EvalContext) -> Result<()> {
        for (at, expr, stored) in &self.columns {
            if all || *stored {
                row[*at] = expr.eval(row, &[], eval)?;
            }
        }
        Ok(())
    }

    /// Computes those that are not stored in a row that was read.
    pub(crate) fn fill_virtual(&self, row: &mut [Datum], eval: &EvalContext) -> Result<()> {
        for (at, expr, _) in self.columns.iter().filter(|(_, _, stored)| !stored) {
            row[*at] = expr.eval(row, &[], eval)?;
        }
        Ok(())
    }
}

/// What a table asks of its rows.
#[derive(Default)]
pub(crate) struct TableRules {
    pub generated: Generated,
    /// Its own foreign keys.
    pub outgoing: Vec<Arc<Link>>,
    /// The foreign keys that refer to it.
    pub incoming: Vec<Arc<Link>>,
    /// Its partitions, where it is partitioned.
    pub partitions: Option<Arc<Partitions>>,
}

impl TableRules {
    /// Compiles those of a table.
    pub(crate) fn new(catalog: &Arc<Catalog>, table: &Table, eval: &EvalContext) -> Result<Self> {
        let mut rules = Self { generated: Generated::new(table, eval)?, ..Self::default() };
        rules.partitions = Partitions::new(catalog, table, eval)?.map(Arc::new);
        for constraint in table.constraints.iter().filter(|c| !c.attributes.not_enforced) {
            rules.outgoing.extend(Link::new(catalog, table, constraint)?.map(Arc::new));
        }
        for (child, constraint) in catalog.foreign_keys_to(table.oid).filter(|(_, c)| !c.attributes.not_enforced) {
            rules.incoming.extend(Link::new(catalog, child, constraint)?.map(Arc::new));
        }
        // A partition is referred to where the table it is a part of is.
        for ancestor in catalog.partition_ancestors(table.oid) {
            for (child, constraint) in catalog.foreign_keys_to(ancestor).filter(|(_, c)| !c.attributes.not_enforced) {
                let link = Link::new(catalog, child, constraint)?.and_then(|link| link.seen_from(table));
                rules.incoming.extend(link.map(Arc::new));
            }
        }
        Ok(rules)
    }

    /// Whether a table has any.
    fn has_any(catalog: &Catalog, table: &Table) -> bool {
        table.foreign_keys().next().is_some()
            || table.generated_columns().next().is_some()
            || catalog.referencing.contains_key(&table.oid)
            || table.is_partitioned()
            || table.bound.is_some()
    }
}

/// The rules of a table and the catalog that they were made with.
type Kept = (Arc<Catalog>, Arc<TableRules>);

/// Rules by table, for all sessions.
#[derive(Default)]
pub(crate) struct RulesCache {
    entries: Mutex<HashMap<Oid, Kept>>,
    none: Arc<TableRules>,
}

impl RulesCache {
    /// Tables whose rules are kept.
    const MAX: usize = 10_000;

    /// The rules of a table of a catalog.
    pub(crate) fn get(&self, catalog: &Arc<Catalog>, table: &Table, eval: &EvalContext) -> Result<Arc<TableRules>> {
        if !TableRules::has_any(catalog, table) {
            return Ok(self.none.clone());
        }
        if let Some((known, rules)) = self.entries.lock().unwrap_or_else(|p| p.into_inner()).get(&table.oid)
            && Arc::ptr_eq(known, catalog)
        {
            return Ok(rules.clone());
        }
        let rules = Arc::new(TableRules::new(catalog, table, eval)?);
        let mut entries = self.entries.lock().unwrap_or_else(|p| p.into_inner());
        if entries.len() >= Self::MAX {
            entries.clear();
        }
        entries.insert(table.oid, (catalog.clone(), rules.clone()));
        Ok(rules)
    }
}
