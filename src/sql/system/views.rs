//! `pg_tables`, `pg_views`, `pg_indexes`, `pg_sequences`.

use crate::document::Datum;
use crate::storage::catalog::Entry;

use super::Context;
use super::builder::{Rows, text};
use super::definition::{self, Style};

pub(super) fn tables(context: &Context<'_>, rows: &mut Rows) {
    for relation in super::all().iter().filter(|r| r.kind == 'r') {
        rows.push([
            ("schemaname", text(context.schema_name(relation.schema()))),
            ("tablename", text(relation.short_name())),
            ("tableowner", text(context.role_name(definition::system_owner()))),
            ("hasindexes", Datum::Bool(false)),
            ("hasrules", Datum::Bool(false)),
            ("hastriggers", Datum::Bool(false)),
            ("rowsecurity", Datum::Bool(false)),
        ]);
    }
    for entry in context.entries() {
        let Entry::Table(table) = entry else { continue };
        if table.view.is_some() {
            continue;
        }
        rows.push([
            ("schemaname", text(context.schema_name(table.schema))),
            ("tablename", text(&table.name)),
            ("tableowner", text(context.role_name(table.owner))),
            ("hasindexes", Datum::Bool(context.catalog.indexes_of(table.oid).next().is_some())),
            ("hasrules", Datum::Bool(false)),
            ("hastriggers", Datum::Bool(false)),
            ("rowsecurity", Datum::Bool(false)),
        ]);
    }
}

pub(super) fn views(context: &Context<'_>, rows: &mut Rows) {
    for relation in super::all().iter().filter(|r| r.kind == 'v') {
        rows.push([
            ("schemaname", text(context.schema_name(relation.schema()))),
            ("viewname", text(relation.short_name())),
            ("viewowner", text(context.role_name(definition::system_owner()))),
        ]);
    }
    for entry in context.entries() {
        let Entry::View(view) = entry else { continue };
        rows.push([
            ("schemaname", text(context.schema_name(view.schema))),
            ("viewname", text(&view.name)),
            ("viewowner", text(context.role_name(view.owner))),
            ("definition", text(definition::view(view, Default::default(), context.eval))),
        ]);
    }
}

pub(super) fn materialized_views(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Table(table) = entry else { continue };
        let Some(view) = &table.view else { continue };
        rows.push([
            ("schemaname", text(context.schema_name(table.schema))),
            ("matviewname", text(&table.name)),
            ("matviewowner", text(context.role_name(table.owner))),
            ("hasindexes", Datum::Bool(context.catalog.indexes_of(table.oid).next().is_some())),
            ("ispopulated", Datum::Bool(view.populated)),
            ("definition", text(definition::materialized(table, view, Default::default(), context.eval))),
        ]);
    }
}

pub(super) fn indexes(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Index(index) = entry else { continue };
        let Some(table) = context.catalog.table(index.table) else { continue };
        rows.push([
            ("schemaname", text(context.schema_name(table.schema))),
            ("tablename", text(&table.name)),
            ("indexname", text(&index.name)),
            ("indexdef", text(definition::index(&context.catalog, index, Style::Plain))),
        ]);
    }
}

pub(super) fn sequences(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Sequence(sequence) = entry else { continue };
        rows.push([
            ("schemaname", text(context.schema_name(sequence.schema))),
            ("sequencename", text(&sequence.name)),
            ("sequenceowner", text(context.role_name(sequence.owner))),
            ("data_type", Datum::Oid(sequence.typ.oid)),
            ("start_value", Datum::Int8(sequence.start)),
            ("min_value", Datum::Int8(sequence.min)),
            ("max_value", Datum::Int8(sequence.max)),
            ("increment_by", Datum::Int8(sequence.increment)),
            ("cycle", Datum::Bool(sequence.cycle)),
            ("cache_size", Datum::Int8(sequence.cache)),
            ("last_value", context.live.last_value(sequence.oid).map_or(Datum::Null, Datum::Int8)),
        ]);
    }
}
