//! What views use: `view_table_usage` and its like, and the rows of `pg_depend` that say the same.

use std::collections::BTreeSet;

use crate::document::Oid;
use crate::storage::catalog::{Entry, TypeKind, UserType};

use super::builder::{Rows, text};
use super::objects::{PG_CLASS, PG_PROC};
use super::{Context, definition};

/// The number of a relation's column.
fn number(entry: &Entry, name: &str) -> Option<i16> {
    match entry {
        Entry::Table(table) => table.column(name).map(|column| column.number),
        Entry::View(view) => {
            let at = view.columns.iter().position(|(known, _)| known == name)?;
            i16::try_from(at + 1).ok()
        }
        _ => None,
    }
}

/// What a view's rule depends on: catalog, object, part. Columns stand for their relation.
pub(super) fn of_view(context: &Context<'_>, entry: &Entry) -> Vec<(Oid, Oid, i32)> {
    let mut found = Vec::new();
    let Some(shape) = definition::shape(entry, context.eval) else { return found };
    let uses = shape.uses();
    for (oid, columns) in &uses.relations {
        let Some(used) = context.catalog.get(*oid) else { continue };
        let parts: BTreeSet<i32> = columns.iter().filter_map(|name| number(used, name)).map(i32::from).collect();
        if parts.is_empty() {
            found.push((PG_CLASS, *oid, 0));
        }
        found.extend(parts.into_iter().map(|part| (PG_CLASS, *oid, part)));
    }
    found.extend(uses.routines.iter().map(|oid| (PG_PROC, *oid, 0)));
    found
}

/// Each plain view with the relations of users that it uses, and the columns of these.
fn for_each_use(context: &Context<'_>, mut f: impl FnMut(&Entry, &Entry, &BTreeSet<String>)) {
    for view in context.entries().filter(|entry| matches!(entry, Entry::View(_))) {
        let Some(shape) = definition::shape(view, context.eval) else { continue };
        for (oid, columns) in &shape.uses().relations {
            if let Some(used @ (Entry::Table(_) | Entry::View(_))) = context.catalog.get(*oid).map(|e| &**e) {
                f(view, used, columns);
            }
        }
    }
}

pub(super) fn view_tables(context: &Context<'_>, rows: &mut Rows) {
    let database = context.database_name();
    for_each_use(context, |view, used, _| {
        rows.push([
            ("view_catalog", text(&database)),
            ("view_schema", text(context.schema_name(view.schema().unwrap_or(0)))),
            ("view_name", text(view.name())),
            ("table_catalog", text(&database)),
            ("table_schema", text(context.schema_name(used.schema().unwrap_or(0)))),
            ("table_name", text(used.name())),
        ]);
    });
}

pub(super) fn view_columns(context: &Context<'_>, rows: &mut Rows) {
    let database = context.database_name();
    for_each_use(context, |view, used, columns| {
        for column in columns {
            rows.push([
                ("view_catalog", text(&database)),
                ("view_schema", text(context.schema_name(view.schema().unwrap_or(0)))),
                ("view_name", text(view.name())),
                ("table_catalog", text(&database)),
                ("table_schema", text(context.schema_name(used.schema().unwrap_or(0)))),
                ("table_name", text(used.name())),
                ("column_name", text(column)),
            ]);
        }
    });
}

pub(super) fn view_routines(context: &Context<'_>, rows: &mut Rows) {
    let database = context.database_name();
    for view in context.entries().filter(|entry| matches!(entry, Entry::View(_))) {
        let Some(shape) = definition::shape(view, context.eval) else { continue };
        for oid in &shape.uses().routines {
            let Some(Entry::Routine(routine)) = context.catalog.get(*oid).map(|e| &**e) else { continue };
            rows.push([
                ("table_catalog", text(&database)),
                ("table_schema", text(context.schema_name(view.schema().unwrap_or(0)))),
                ("table_name", text(view.name())),
                ("specific_catalog", text(&database)),
                ("specific_schema", text(context.schema_name(routine.schema))),
                ("specific_name", text(format!("{}_{}", routine.name, routine.oid))),
            ]);
        }
    }
}

pub(super) fn column_domains(context: &Context<'_>, rows: &mut Rows) {
    let database = context.database_name();
    for entry in context.entries() {
        let Entry::Table(table) = entry else { continue };
        for column in table.live_columns() {
            let domain = column.domain.and_then(|oid| context.catalog.user_type(oid));
            let Some(UserType { schema, name, kind: TypeKind::Domain(_), .. }) = domain else { continue };
            rows.push([
                ("domain_catalog", text(&database)),
                ("domain_schema", text(context.schema_name(*schema))),
                ("domain_name", text(name)),
                ("table_catalog", text(&database)),
                ("table_schema", text(context.schema_name(table.schema))),
                ("table_name", text(&table.name)),
                ("column_name", text(&column.name)),
            ]);
        }
    }
}
