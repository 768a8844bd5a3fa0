//! [`Kernels`]: storage's [`Evaluator`]: index keys from rows, and the checks of rows inside `apply`.

use std::sync::Arc;

use crate::document::inverted::ItemClass;
use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::exec::kept::{bind_check, bind_index_key, bind_predicate};
use crate::sql::context::EvalContext;
use crate::sql::eval::{Compiled, compile};
use crate::sql::io;
use crate::sql::plan::{ColumnId, Expr};
use crate::storage::catalog::{Catalog, Column, Constraint, ConstraintKind, Index, IndexKey, IndexSource, Table};
use crate::storage::evaluator::{Reference, References};
use crate::storage::{Evaluator, IndexFunction, IndexKeys, RowCheck};

use super::foreign_key::Link;
use super::inverted_path;
use super::partition::{self, Within};
use super::rows::{encode_index_keys, read_row, row_columns};
use super::rules::{Generated, TableRules};

/// Compiles what tables and indexes need inside `apply`.
#[derive(Debug, Default)]
pub struct Kernels;

impl Evaluator for Kernels {
    fn index_function(&self, catalog: &Catalog, table: &Table, index: &Index) -> Result<Arc<dyn IndexFunction>> {
        Ok(index_function(catalog, table, index)?)
    }

    fn row_check(&self, catalog: &Catalog, table: &Table) -> Result<Option<Arc<dyn RowCheck>>> {
        let is_check = |c: &Constraint| matches!(c.kind, ConstraintKind::Check { .. }) && !c.attributes.not_enforced;
        let has_checks = table.constraints.iter().any(is_check);
        if !has_checks && table.bound.is_none() && table.live_columns().all(|c| !c.not_null) {
            return Ok(None);
        }
        let eval = EvalContext::detached_in(Arc::new(catalog.clone()), table.schema);
        let mut checks = Vec::new();
        for constraint in table.constraints.iter().filter(|c| is_check(c)) {
            if let ConstraintKind::Check { expr } = &constraint.kind {
                // Only a check that gives the same answer everywhere may be asked again here.
                let bound = bind_check(expr, table, &eval)?;
                if bound.expr.least_volatility() == crate::sql::function::Volatility::Immutable {
                    checks.push((constraint.name.clone(), compile(&bound.expr, &row_columns(table))?));
                }
            }
        }
        let generated = Generated::new(table, &eval)?;
        // NOT NULL of virtual columns is asked of their values.
        let has_virtual = table.live_columns().any(|c| c.is_virtual() && c.not_null);
        let within = partition::within_of(catalog, table, &eval)?;
        Ok(Some(Arc::new(TableCheck { table: table.clone(), checks, eval, generated, has_virtual, within })))
    }

    fn references(&self, catalog: &Catalog, table: &Table) -> Result<References> {
        let is_referred = |oid: &crate::document::Oid| catalog.referencing.contains_key(oid);
        let is_part_referred = || catalog.partition_ancestors(table.oid).iter().any(is_referred);
        if table.foreign_keys().next().is_none() && !is_referred(&table.oid) && !is_part_referred() {
            return Ok(References::default());
        }
        let catalog = Arc::new(catalog.clone());
        let rules = TableRules::new(&catalog, table, &EvalContext::detached(catalog.clone()))?;
        let shared = |links: Vec<Arc<Link>>| links.into_iter().map(|link| link as Arc<dyn Reference>).collect();
        Ok(References { outgoing: shared(rules.outgoing), incoming: shared(rules.incoming) })
    }
}

/// NOT NULL and CHECK of a table.
struct TableCheck {
    table: Table,
    checks: Vec<(String, Compiled)>,
    eval: EvalContext,
    generated: Generated,
    has_virtual: bool,
    within: Vec<Within>,
}

impl RowCheck for TableCheck {
    fn check(&self, row: &[u8]) -> Result<()> {
        let stored = crate::document::row::RowRef::new(row)?;
        for column in self.table.live_columns().filter(|c| c.not_null) {
            let at = column.number as usize - 1;
            if at < stored.len() && !column.is_virtual() && stored.raw(at)?.is_none() {
                return Err(not_null_violation(&self.table, &column.name));
            }
        }
        if self.checks.is_empty() && !self.has_virtual && self.within.is_empty() {
            return Ok(());
        }
        let mut values = read_row(&self.table, row, &self.eval)?;
        self.generated.fill_virtual(&mut values, &self.eval)?;
        if self.has_virtual {
            let is_null = |c: &&Column| c.not_null && c.is_virtual() && values[c.number as usize - 1].is_null();
            if let Some(column) = self.table.live_columns().find(is_null) {
                return Err(not_null_violation(&self.table, &column.name));
            }
        }
        for (name, check) in &self.checks {
            if check.eval(&values, &[], &self.eval)? == Datum::Bool(false) {
                return Err(check_violation(&self.table, name));
            }
        }
        for within in &self.within {
            if !within.has(&values, &self.eval)? {
                let name = &self.table.name;
                return Err(err!(CHECK_VIOLATION, "new row for relation \"{name}\" violates partition constraint"));
            }
        }
        Ok(())
    }
}

/// 23502.
pub(crate) fn not_null_violation(table: &Table, column: &str) -> Error {
    err!(
        NOT_NULL_VIOLATION,
        "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
        table.name
    )
    .column(column)
}

/// 23514.
pub(crate) fn check_violation(table: &Table, constraint: &str) -> Error {
    err!(CHECK_VIOLATION, "new row for relation \"{}\" violates check constraint \"{constraint}\"", table.name)
        .constraint(constraint)
}

/// The keys of one index.
pub(crate) struct Keys {
    table: Table,
    index: Index,
    exprs: Vec<Source>,
    predicate: Option<Compiled>,
    bound: (Vec<Expr>, Option<Expr>),
    eval: EvalContext,
    names: String,
    /// What the keys of an inverted index are made of; empty for other indexes.
    classes: Vec<ItemClass>,
    /// Needs all columns as values.
    has_exprs: bool,
    missing: Vec<Datum>,
}

enum Source {
    Column(usize),
    Expr(Compiled),
}

/// The key function of an index.
pub(crate) fn index_function(catalog: &Catalog, table: &Table, index: &Index) -> Result<Arc<Keys>> {
    let eval = EvalContext::detached_in(Arc::new(catalog.clone()), table.schema);
    let columns = row_columns(table);
    let (mut exprs, mut names, mut bound_keys) = (Vec::new(), Vec::new(), Vec::new());
    for key in &index.keys {
        match &key.source {
            IndexSource::Column(number) => {
                exprs.push(Source::Column(*number as usize - 1));
                bound_keys.push(Expr::Column(*number as ColumnId, key.typ));
                names.push(table.column_by_number(*number).map(|c| c.name.clone()).unwrap_or_default());
            }
            IndexSource::Expression(text) => {
                let bound = bind_index_key(text, table, &eval)?;
                exprs.push(Source::Expr(compile(&bound.expr, &columns)?));
                bound_keys.push(bound.expr);
                names.push(text.clone());
            }
        }
    }
    let bound_predicate = match &index.predicate {
        Some(text) => Some(bind_predicate(text, table, &eval)?.expr),
        None => None,
    };
    let predicate = bound_predicate.as_ref().map(|e| compile(e, &columns)).transpose()?;
    let has_exprs = predicate.is_some() || exprs.iter().any(|e| matches!(e, Source::Expr(_)));
    let missing = table.columns.iter().map(|c| super::rows::missing_value(c, &eval)).collect::<Result<Vec<_>>>()?;
    let classes = match index.method.as_str() {
        "gin" => index.keys.iter().map(item_class).collect(),
        _ => Vec::new(),
    };
    Ok(Arc::new(Keys {
        classes,
        table: table.clone(),
        index: index.clone(),
        exprs,
        predicate,
        bound: (bound_keys, bound_predicate),
        eval,
        names: names.join(", "),
        has_exprs,
        missing,
    }))
}

/// The operator class of a key of an inverted index.
fn item_class(key: &IndexKey) -> ItemClass {
    let default = if key.typ.oid == Type::JSONB.oid { ItemClass::Jsonb } else { ItemClass::Array };
    key.opclass.as_deref().and_then(ItemClass::named).unwrap_or(default)
}

impl Keys {
    /// The index as a candidate for a path, if it is an inverted one.
    pub(crate) fn inverted(&self) -> Option<inverted_path::Candidate> {
        let keys = self.bound.0.iter().cloned().zip(self.classes.iter().copied()).collect();
        let (index, name) = (self.index.oid, self.index.name.clone());
        let candidate = inverted_path::Candidate { index, name, keys, predicate: self.bound.1.clone() };
        (!self.classes.is_empty()).then_some(candidate)
    }

    /// The bound keys and predicate, over column numbers.
    pub(crate) fn bound(&self) -> (&[Expr], Option<&Expr>) {
        (&self.bound.0, self.bound.1.as_ref())
    }

    /// The values of the keys; `None`: the row is not in the index.
    pub(crate) fn values(&self, row: &[u8]) -> Result<Option<Vec<Datum>>> {
        if !self.has_exprs {
            let stored = crate::document::row::RowRef::new(row)?;
            let value = |source: &Source| match source {
                Source::Column(at) if *at < stored.len() => stored.datum(*at),
                Source::Column(at) => Ok(self.missing[*at].clone()),
                Source::Expr(_) => Err(Error::internal("expressions need all columns")),
            };
            return self.exprs.iter().map(value).collect::<Result<_>>().map(Some);
        }
        let mut values = read_row(&self.table, row, &self.eval)?;
        self.values_of(&mut values)
    }

    /// The values of the keys of a row given as values.
    pub(crate) fn values_of(&self, values: &mut [Datum]) -> Result<Option<Vec<Datum>>> {
        if let Some(predicate) = &self.predicate
            && !predicate.is_true(values, &[], &self.eval)?
        {
            return Ok(None);
        }
        let keys = self.exprs.iter().map(|source| match source {
            Source::Column(at) => Ok(values[*at].clone()),
            Source::Expr(expr) => expr.eval(values, &[], &self.eval),
        });
        keys.collect::<Result<_>>().map(Some)
    }

    /// Encodes the values of keys.
    pub(crate) fn encode(&self, keys: &[Datum]) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        encode_index_keys(&self.index, keys, &mut out);
        out
    }

    /// `(id)=(1)`.
    pub(crate) fn describe(&self, keys: &[Datum]) -> String {
        let mut text = format!("({})=(", self.names);
        for (i, (value, key)) in keys.iter().zip(&self.index.keys).enumerate() {
            if i > 0 {
                text.push_str(", ");
            }
            match value {
                Datum::Null => text.push_str("null"),
                value => io::output(value, key.typ, &self.eval, &mut text),
            }
        }
        text.push(')');
        text
    }

    /// 23505 for keys that another row has.
    pub(crate) fn duplicate(&self, keys: &[Datum], schema: &str) -> Error {
        err!(UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"{}\"", self.index.name)
            .detail(format!("Key {} already exists.", self.describe(keys)))
            .table(schema, self.table.name.clone())
            .constraint(self.index.name.clone())
    }
}

impl IndexFunction for Keys {
    fn encode_keys(&self, row: &[u8], out: &mut Vec<u8>) -> Result<IndexKeys> {
        match self.values(row)? {
            None => Ok(IndexKeys::NotIndexed),
            Some(keys) => {
                encode_index_keys(&self.index, &keys, out);
                Ok(IndexKeys::Encoded { has_null: keys.iter().any(Datum::is_null) })
            }
        }
    }

    fn encode_items(&self, row: &[u8], entry: &mut dyn FnMut(&[u8])) -> Result<Option<()>> {
        if self.classes.is_empty() {
            return Ok(None);
        }
        let Some(values) = self.values(row)? else { return Ok(Some(())) };
        let mut key = Vec::with_capacity(16);
        for (number, (value, class)) in values.iter().zip(&self.classes).enumerate() {
            for item in class.items(value) {
                inverted_path::item_key(number, self.classes.len(), &item, &mut key);
                entry(&key);
            }
        }
        Ok(Some(()))
    }

    fn describe_keys(&self, row: &[u8]) -> Result<String> {
        Ok(self.values(row)?.map(|keys| self.describe(&keys)).unwrap_or_default())
    }
}
