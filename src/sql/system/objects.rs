//! `pg_namespace`, `pg_depend`, `pg_description`, `pg_shdescription`, `pg_rewrite`.

use crate::document::{Datum, Oid};
use crate::sql::privilege;
use crate::storage::catalog::{
    BOOTSTRAP_ROLE, ConstraintKind, Entry, INFORMATION_SCHEMA, ObjectClass, PG_CATALOG, Schema, Table,
};

use super::Context;
use super::builder::{Rows, acl, acl_array, letter, text};

/// OIDs of the catalogs that others point into.
pub(super) const PG_TYPE: Oid = 1247;
pub(super) const PG_CLASS: Oid = 1259;
pub(super) const PG_AUTHID: Oid = 1260;
pub(super) const PG_DATABASE: Oid = 1262;
pub(super) const PG_CONSTRAINT: Oid = 2606;
pub(super) const PG_NAMESPACE: Oid = 2615;
pub(super) const PG_REWRITE: Oid = 2618;
const PG_ATTRDEF: Oid = 2604;
pub(super) const PG_PROC: Oid = 1255;

pub(super) fn namespaces(context: &Context<'_>, rows: &mut Rows) {
    for (oid, name) in [(PG_CATALOG, "pg_catalog"), (INFORMATION_SCHEMA, "information_schema")] {
        rows.push([("oid", Datum::Oid(oid)), ("nspname", text(name)), ("nspowner", Datum::Oid(BOOTSTRAP_ROLE))]);
    }
    for entry in context.entries() {
        let Entry::Schema(schema) = entry else { continue };
        rows.push([
            ("oid", Datum::Oid(schema.oid)),
            ("nspname", text(&schema.name)),
            ("nspowner", Datum::Oid(schema.owner)),
            ("nspacl", namespace_acl(context, schema)),
        ]);
    }
}

/// `nspacl`: that of `public` is always said.
fn namespace_acl(context: &Context<'_>, schema: &Schema) -> Datum {
    let catalog = &context.catalog;
    match catalog.acl(ObjectClass::Schema, schema.oid, 0) {
        None if schema.name == "public" => {
            acl_array(catalog, &privilege::default_items(catalog, ObjectClass::Schema, schema.oid, schema.owner))
        }
        _ => acl(catalog, ObjectClass::Schema, schema.oid, 0),
    }
}

/// The OID of a view's rewrite rule: made from the view's, out of the way of all others.
pub(crate) fn rule_oid(view: Oid) -> Oid {
    0x4000_0000 | (view & 0x3FFF_FFFF)
}

pub(super) fn rewrites(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let query = match entry {
            Entry::View(view) => &view.query,
            Entry::Table(Table { view: Some(view), .. }) => &view.query,
            _ => continue,
        };
        rows.push([
            ("oid", Datum::Oid(rule_oid(entry.oid()))),
            ("rulename", text("_RETURN")),
            ("ev_class", Datum::Oid(entry.oid())),
            ("ev_type", letter('1')),
            ("ev_enabled", letter('O')),
            ("is_instead", Datum::Bool(true)),
            ("ev_qual", text("<>")),
            ("ev_action", text(query)),
        ]);
    }
}

/// `from` and `to`: catalog, object, part.
fn depend(rows: &mut Rows, from: (Oid, Oid, i32), to: (Oid, Oid, i32), kind: char) {
    rows.push([
        ("classid", Datum::Oid(from.0)),
        ("objid", Datum::Oid(from.1)),
        ("objsubid", Datum::Int4(from.2)),
        ("refclassid", Datum::Oid(to.0)),
        ("refobjid", Datum::Oid(to.1)),
        ("refobjsubid", Datum::Int4(to.2)),
        ("deptype", letter(kind)),
    ]);
}

/// What the catalog knows of dependencies: relations on schemas, indexes on columns or constraints, sequences on the
/// columns that own them, row types on relations, rules on views.
pub(super) fn depends(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        if let Some(schema) = entry.schema().filter(|_| !matches!(entry, Entry::Index(_))) {
            let class = if matches!(entry, Entry::Type(_)) { PG_TYPE } else { PG_CLASS };
            depend(rows, (class, entry.oid(), 0), (PG_NAMESPACE, schema, 0), 'n');
        }
        for (class, object, part) in super::usage::of_view(context, entry) {
            depend(rows, (PG_REWRITE, rule_oid(entry.oid()), 0), (class, object, part), 'n');
        }
        match entry {
            Entry::Table(table) => {
                if table.view.is_some() {
                    depend(rows, (PG_REWRITE, rule_oid(table.oid), 0), (PG_CLASS, table.oid, 0), 'i');
                }
                depend(rows, (PG_TYPE, table.row_type, 0), (PG_CLASS, table.oid, 0), 'i');
                for parent in &table.parents {
                    let kind = if table.bound.is_some() { 'a' } else { 'n' };
                    depend(rows, (PG_CLASS, table.oid, 0), (PG_CLASS, *parent, 0), kind);
                }
                for column in table.live_columns() {
                    default_depends(table, column, rows);
                }
                for constraint in &table.constraints {
                    let columns = match &constraint.kind {
                        ConstraintKind::Check { expr } => super::relations::check_columns(table, expr),
                        _ => constraint.columns().to_vec(),
                    };
                    if let Some(key) = constraint.foreign_key() {
                        depend(rows, (PG_CONSTRAINT, constraint.oid, 0), (PG_CLASS, key.index, 0), 'n');
                        for column in &key.referenced {
                            let part = i32::from(*column);
                            depend(rows, (PG_CONSTRAINT, constraint.oid, 0), (PG_CLASS, key.table, part), 'n');
                        }
                    }
                    for column in columns {
                        let part = i32::from(column);
                        depend(rows, (PG_CONSTRAINT, constraint.oid, 0), (PG_CLASS, table.oid, part), 'a');
                    }
                }
            }
            Entry::Index(index) => {
                let constraint = context
                    .catalog
                    .table(index.table)
                    .and_then(|table| table.constraints.iter().find(|c| c.index() == Some(index.oid)));
                match constraint {
                    Some(c) => depend(rows, (PG_CLASS, index.oid, 0), (PG_CONSTRAINT, c.oid, 0), 'i'),
                    None => depend(rows, (PG_CLASS, index.oid, 0), (PG_CLASS, index.table, 0), 'a'),
                }
            }
            Entry::View(view) => {
                depend(rows, (PG_TYPE, view.row_type, 0), (PG_CLASS, view.oid, 0), 'i');
                depend(rows, (PG_REWRITE, rule_oid(view.oid), 0), (PG_CLASS, view.oid, 0), 'i');
            }
            Entry::Sequence(sequence) => {
                let Some((table, column)) = sequence.owned_by else { continue };
                let identity = context
                    .catalog
                    .table(table)
                    .and_then(|t| t.column_by_number(column))
                    .is_some_and(|c| c.identity.as_ref().is_some_and(|i| i.sequence == sequence.oid));
                let kind = if identity { 'i' } else { 'a' };
                depend(rows, (PG_CLASS, sequence.oid, 0), (PG_CLASS, table, i32::from(column)), kind);
            }
            _ => {}
        }
    }
}

/// What a column's default depends on: the column, and the sequences that it asks.
fn default_depends(table: &Table, column: &crate::storage::catalog::Column, rows: &mut Rows) {
    let generated = column.generated.as_ref().map(|g| &g.expr);
    let Some(default) = column.default.as_ref().or(generated) else { return };
    let own = (PG_ATTRDEF, super::relations::default_oid(table.oid, column.number), 0);
    depend(rows, own, (PG_CLASS, table.oid, i32::from(column.number)), 'a');
    for (end, _) in default.match_indices("'::regclass") {
        let head = &default[..end];
        let start = head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        if let Ok(oid) = head[start..].parse::<Oid>() {
            depend(rows, own, (PG_CLASS, oid, 0), 'n');
        }
    }
}

pub(super) fn descriptions(context: &Context<'_>, rows: &mut Rows) {
    for ((oid, part), comment) in &context.catalog.comments {
        let class = match context.catalog.get(*oid).map(|e| &**e) {
            Some(Entry::Database(_) | Entry::Role(_)) => continue,
            Some(Entry::Schema(schema)) if schema.database == context.database => PG_NAMESPACE,
            Some(Entry::Schema(_)) => continue,
            Some(entry) if entry.schema().is_some_and(|s| context.schemas.contains(&s)) => match entry {
                Entry::Type(_) => PG_TYPE,
                _ => PG_CLASS,
            },
            Some(_) => continue,
            None => match super::definition::constraint_by_oid(&context.catalog, *oid) {
                Some((table, _)) if context.schemas.contains(&table.schema) => PG_CONSTRAINT,
                _ => continue,
            },
        };
        rows.push([
            ("objoid", Datum::Oid(*oid)),
            ("classoid", Datum::Oid(class)),
            ("objsubid", Datum::Int4(*part)),
            ("description", text(comment)),
        ]);
    }
}

pub(super) fn shared_descriptions(context: &Context<'_>, rows: &mut Rows) {
    for ((oid, _), comment) in &context.catalog.comments {
        let class = match context.catalog.get(*oid).map(|e| &**e) {
            Some(Entry::Database(_)) => PG_DATABASE,
            Some(Entry::Role(_)) => PG_AUTHID,
            _ => continue,
        };
        rows.push([("objoid", Datum::Oid(*oid)), ("classoid", Datum::Oid(class)), ("description", text(comment))]);
    }
}
