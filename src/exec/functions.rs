//! Functions that are answered by the session (`Body::Host`): notifications, signals to other backends, sizes.

use std::time::{Duration, Instant};

use crate::document::{Array, Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::context::Host;
use crate::storage::catalog::Entry;

use super::cursor::Place;
use super::host::Shared;
use super::server::CancelReason;

/// Longest channel name and payload, as in PostgreSQL.
const CHANNEL_BYTES_MAX: usize = 63;
const PAYLOAD_BYTES_MAX: usize = 7_999;

/// Calls a host function.
pub(crate) fn call(session: &Shared, name: &str, args: &[Datum]) -> Result<Datum> {
    let oid = |i: usize| match args.get(i) {
        Some(Datum::Oid(oid)) => Ok(*oid),
        Some(Datum::Int4(oid)) => Ok(*oid as Oid),
        _ => Err(Error::internal(format!("{name}() was called with other arguments"))),
    };
    let pid = || match args.first() {
        Some(Datum::Int4(pid)) => Ok(*pid),
        _ => Err(Error::internal(format!("{name}() was called with other arguments"))),
    };
    if let Some(result) = super::advisory::call(session, name, args) {
        return result;
    }
    match name {
        "pg_sleep" => match args.first() {
            Some(Datum::Float8(seconds)) => sleep(session, *seconds),
            _ => Err(Error::internal("pg_sleep() was called with other arguments")),
        },
        "pg_sleep_for" => match args.first() {
            Some(Datum::Interval(interval)) => {
                let days = f64::from(interval.months) * 30.0 + f64::from(interval.days);
                sleep(session, days * 86_400.0 + interval.micros as f64 / 1e6)
            }
            _ => Err(Error::internal("pg_sleep_for() was called with other arguments")),
        },
        "pg_sleep_until" => match args.first() {
            Some(Datum::TimestampTz(until)) => sleep(session, until.saturating_sub(session.clock()) as f64 / 1e6),
            _ => Err(Error::internal("pg_sleep_until() was called with other arguments")),
        },
        "run_routine" => super::routine::run(session, args, false),
        "run_routine_rows" => super::routine::run(session, args, true),
        "current_of" => match args {
            [Datum::Text(cursor), Datum::Oid(table)] => current_of(session, cursor, *table),
            _ => Err(Error::internal("current_of() was called with other arguments")),
        },
        "txid_current" => Ok(Datum::Int8(session.server.engine.snapshot().position().0 as i64 + 1)),
        "current_query" => Ok(Datum::text(&*session.lock().activity)),
        "pg_blocking_pids" => Ok(Datum::Array(Box::new(Array::new(Type::INT4.oid, Vec::new())))),
        "pg_notification_queue_usage" => Ok(Datum::Float8(0.0)),
        "pg_notify" => {
            let text = |i: usize| match args.get(i) {
                Some(Datum::Text(text)) => text.to_string(),
                _ => String::new(),
            };
            let notification = checked_notification(text(0), text(1))?;
            let mut state = session.lock();
            if !state.notify.contains(&notification) {
                state.notify.push(notification);
            }
            Ok(Datum::text(""))
        }
        "pg_listening_channels" => {
            let channels: Vec<Datum> = session.lock().listening.iter().map(|c| Datum::text(c.as_str())).collect();
            Ok(Datum::Array(Box::new(Array::new(Type::TEXT.oid, channels))))
        }
        "pg_cancel_backend" => Ok(Datum::Bool(signal(session, pid()?, CancelReason::User))),
        "pg_terminate_backend" => Ok(Datum::Bool(signal(session, pid()?, CancelReason::Shutdown))),
        "pg_postmaster_start_time" => Ok(Datum::TimestampTz(session.server.started)),
        "pg_conf_load_time" => Ok(Datum::TimestampTz(session.server.started)),
        "pg_table_size" | "pg_relation_size" | "pg_total_relation_size" | "pg_indexes_size" => {
            size(session, name, oid(0)?)
        }
        "sequence_state" => sequence_state(session, oid(0)?),
        "pg_database_size" => database_size(session, &args[0]),
        _ => Err(Error::unsupported(format!("function {name}()"))),
    }
}

/// Sleeps, in steps, so that a cancelled statement ends.
fn sleep(session: &Shared, seconds: f64) -> Result<Datum> {
    const STEP: Duration = Duration::from_millis(10);
    let seconds = if seconds.is_finite() { seconds.clamp(0.0, 1e9) } else { 1e9 };
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    blocking(|| {
        loop {
            session.cancel.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Datum::text(""));
            }
            std::thread::sleep(left.min(STEP));
        }
    })
}

/// Runs something that waits, without keeping a worker of the runtime from its other tasks.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Checks a channel and a payload.
pub(crate) fn checked_notification(channel: String, payload: String) -> Result<(String, String)> {
    if channel.is_empty() {
        return Err(err!(INVALID_PARAMETER_VALUE, "channel name cannot be empty"));
    }
    if channel.len() > CHANNEL_BYTES_MAX {
        return Err(err!(INVALID_PARAMETER_VALUE, "channel name too long"));
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(err!(INVALID_PARAMETER_VALUE, "payload string too long"));
    }
    Ok((channel, payload))
}

fn signal(session: &Shared, pid: i32, reason: CancelReason) -> bool {
    let found = session.server.signal(pid, reason);
    if !found {
        let report =
            Error::new(crate::error::SqlState::WARNING, format!("PID {pid} is not a PostgreSQL backend process"));
        session.notice("WARNING", report);
    }
    found
}

fn size(session: &Shared, name: &str, oid: Oid) -> Result<Datum> {
    let catalog = session.catalog();
    let snapshot = session.server.engine.snapshot();
    let indexes = |table: Oid| -> Result<u64> {
        catalog.indexes_of(table).filter(|i| !i.is_row_key).map(|i| snapshot.index_bytes(i.oid)).sum()
    };
    let bytes = match catalog.get(oid).map(|e| &**e) {
        Some(Entry::Table(table)) => match name {
            "pg_indexes_size" => indexes(oid)?,
            "pg_total_relation_size" => snapshot.table_bytes(table.storage)? + indexes(oid)?,
            _ => snapshot.table_bytes(table.storage)?,
        },
        Some(Entry::Index(index)) => snapshot.index_bytes(index.oid)?,
        Some(Entry::View(_) | Entry::Sequence(_)) => 0,
        _ => return Ok(Datum::Null),
    };
    Ok(Datum::Int8(bytes as i64))
}

/// The last value of a sequence, and 1 if it was handed out.
fn sequence_state(session: &Shared, oid: Oid) -> Result<Datum> {
    let catalog = session.catalog();
    let Some(Entry::Sequence(sequence)) = catalog.get(oid).map(|e| &**e) else { return Ok(Datum::Null) };
    let own = session.lock().own_sequences.get(&oid).copied();
    let state = match own {
        Some(own) => own,
        None => session.server.engine.sequence_state(sequence)?,
    };
    let values = vec![Datum::Int8(state.last_value), Datum::Int8(i64::from(state.is_called))];
    Ok(Datum::Array(Box::new(Array::new(Type::INT8.oid, values))))
}

fn database_size(session: &Shared, which: &Datum) -> Result<Datum> {
    let catalog = session.catalog();
    let database = match which {
        Datum::Text(name) => catalog
            .database(name)
            .map(|d| d.oid)
            .ok_or_else(|| err!(INVALID_CATALOG_NAME, "database \"{name}\" does not exist"))?,
        Datum::Oid(oid) => *oid,
        _ => return Ok(Datum::Null),
    };
    let snapshot = session.server.engine.snapshot();
    let in_database =
        |schema: Oid| matches!(catalog.get(schema).map(|e| &**e), Some(Entry::Schema(s)) if s.database == database);
    let mut bytes = 0;
    for entry in catalog.entries.values() {
        match &**entry {
            Entry::Table(t) if in_database(t.schema) => bytes += snapshot.table_bytes(t.storage)?,
            Entry::Index(i) if in_database(i.schema) && !i.is_row_key => bytes += snapshot.index_bytes(i.oid)?,
            _ => {}
        }
    }
    Ok(Datum::Int8(bytes as i64))
}

/// The key of the row of a table that a cursor stands on.
fn current_of(session: &Shared, cursor: &str, table: Oid) -> Result<Datum> {
    let state = session.lock();
    let Some((_, place)) = state.own.places.iter().find(|(name, _)| name == cursor) else {
        return Err(err!(INVALID_CURSOR_NAME, "cursor \"{cursor}\" does not exist"));
    };
    let rows = match place {
        Place::Held => {
            return Err(err!(INVALID_CURSOR_STATE, "cursor \"{cursor}\" is held from a previous transaction"));
        }
        Place::Nowhere(tables) if tables.contains(&table) => {
            return Err(err!(INVALID_CURSOR_STATE, "cursor \"{cursor}\" is not positioned on a row"));
        }
        Place::Nowhere(_) => &[][..],
        Place::Rows(rows) => rows,
    };
    match rows.iter().find(|(own, _)| *own == table) {
        Some((_, key)) => Ok(key.clone()),
        None => {
            let catalog = session.catalog();
            let name = catalog.get(table).map(|entry| entry.name().to_string()).unwrap_or_default();
            let message = format!("cursor \"{cursor}\" is not a simply updatable scan of table \"{name}\"");
            Err(Error::new(SqlState::INVALID_CURSOR_STATE, message))
        }
    }
}
