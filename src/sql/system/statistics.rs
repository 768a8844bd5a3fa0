//! `pg_stat_*`, `pg_prepared_statements`, `pg_cursors`: what [`super::Live`] knows.

use crate::document::{Datum, Type};
use crate::storage::catalog::Entry;

use super::Context;
use super::builder::{Rows, oid_array, optional, text};

fn time(value: Option<i64>) -> Datum {
    value.map_or(Datum::Null, Datum::TimestampTz)
}

pub(super) fn activity(context: &Context<'_>, rows: &mut Rows) {
    for session in context.live.activity() {
        let database = context.catalog.get(session.database).map(|e| e.name().to_string());
        rows.push([
            ("datid", Datum::Oid(session.database)),
            ("datname", optional(database)),
            ("pid", Datum::Int4(session.pid)),
            ("usesysid", Datum::Oid(session.user)),
            ("usename", text(context.role_name(session.user))),
            ("application_name", text(session.application_name)),
            (
                "client_addr",
                session
                    .client_address
                    .and_then(|text| crate::sql::io::network::inet_in(&text, false).ok())
                    .map_or(Datum::Null, Datum::Inet),
            ),
            ("client_port", session.client_port.map_or(Datum::Null, Datum::Int4)),
            ("backend_start", Datum::TimestampTz(session.backend_start)),
            ("xact_start", time(session.transaction_start)),
            ("query_start", time(session.query_start)),
            ("state_change", time(session.state_change)),
            ("state", text(session.state)),
            ("query", text(session.query)),
            ("backend_type", text("client backend")),
        ]);
    }
}

pub(super) fn prepared_statements(context: &Context<'_>, rows: &mut Rows) {
    for statement in context.live.prepared_statements() {
        rows.push([
            ("name", text(statement.name)),
            ("statement", text(statement.statement)),
            ("prepare_time", Datum::TimestampTz(statement.prepare_time)),
            ("parameter_types", oid_array(Type::REGTYPE, statement.parameter_types)),
            ("from_sql", Datum::Bool(statement.from_sql)),
            ("generic_plans", Datum::Int8(0)),
            ("custom_plans", Datum::Int8(0)),
        ]);
    }
}

pub(super) fn cursors(context: &Context<'_>, rows: &mut Rows) {
    for cursor in context.live.cursors() {
        rows.push([
            ("name", text(cursor.name)),
            ("statement", text(cursor.statement)),
            ("is_holdable", Datum::Bool(cursor.is_holdable)),
            ("is_binary", Datum::Bool(cursor.is_binary)),
            ("is_scrollable", Datum::Bool(cursor.is_scrollable)),
            ("creation_time", Datum::TimestampTz(cursor.creation_time)),
        ]);
    }
}

pub(super) fn databases(context: &Context<'_>, rows: &mut Rows) {
    let sessions = context.live.activity();
    for entry in context.catalog.entries.values() {
        let Entry::Database(database) = &**entry else { continue };
        let backends = sessions.iter().filter(|s| s.database == database.oid).count();
        rows.push([
            ("datid", Datum::Oid(database.oid)),
            ("datname", text(&database.name)),
            ("numbackends", Datum::Int4(i32::try_from(backends).unwrap_or(i32::MAX))),
        ]);
    }
}

/// The tables by name; of what is counted only the rows are known.
pub(super) fn tables(context: &Context<'_>, rows: &mut Rows) {
    let counted = rows.has("n_live_tup");
    for entry in context.entries() {
        let Entry::Table(table) = entry else { continue };
        let names = [
            ("relid", Datum::Oid(table.oid)),
            ("schemaname", text(context.schema_name(table.schema))),
            ("relname", text(&table.name)),
        ];
        if !counted {
            rows.push(names);
            continue;
        }
        let count = context.live.rows(table.oid).map_or(0, |n| i64::try_from(n).unwrap_or(i64::MAX));
        let [relid, schema, name] = names;
        rows.push([relid, schema, name, ("n_live_tup", Datum::Int8(count))]);
    }
}

pub(super) fn indexes(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Index(index) = entry else { continue };
        let table = context.catalog.table(index.table);
        rows.push([
            ("relid", Datum::Oid(index.table)),
            ("indexrelid", Datum::Oid(index.oid)),
            ("schemaname", text(context.schema_name(index.schema))),
            ("relname", optional(table.map(|t| t.name.clone()))),
            ("indexrelname", text(&index.name)),
        ]);
    }
}
