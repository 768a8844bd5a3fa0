//! The rows of `pg_catalog` and `information_schema`: `sql::system` makes them, and learns from [`Running`] what only a
//! running server knows.

use crate::document::{Datum, Oid};
use crate::error::Result;
use crate::sql::system::{self, Activity, Cursor, Live, PreparedStatement, Setting};
use crate::storage::catalog::Entry;

use super::context::Context;
use super::host::Shared;
use super::settings::{self, DEFINITIONS, Definition, Kind, Settings, Unit};

/// The rows of a system relation (by schema-qualified name): its columns at these positions, in this order.
pub(crate) fn rows(context: &Context, name: &str, columns: &[usize]) -> Result<Vec<Vec<Datum>>> {
    system::rows(&context.eval, &Running(context), name, columns)
}

/// The server that a statement runs on.
struct Running<'a>(&'a Context);

impl Live for Running<'_> {
    fn settings(&self) -> Vec<Setting> {
        let state = self.0.shared.lock();
        let settings = &state.settings;
        let known = DEFINITIONS.iter().map(|definition| setting(settings, definition));
        let custom = settings.all().into_iter().filter(|(name, _)| settings::definition(name).is_none());
        let custom = custom.map(|(name, value)| Setting {
            name,
            setting: value,
            category: "Customized Options".into(),
            context: "user".into(),
            kind: "string".into(),
            source: "session".into(),
            ..Setting::default()
        });
        let mut all: Vec<Setting> = known.chain(custom).collect();
        all.sort_by_key(|s| s.name.to_ascii_lowercase());
        all
    }

    fn activity(&self) -> Vec<Activity> {
        let mut all: Vec<Activity> = self.0.shared.server.sessions().iter().map(|s| session(s)).collect();
        all.sort_unstable_by_key(|a| a.pid);
        all
    }

    fn prepared_statements(&self) -> Vec<PreparedStatement> {
        self.0.shared.lock().own.statements.clone()
    }

    fn cursors(&self) -> Vec<Cursor> {
        self.0.shared.lock().own.cursors.clone()
    }

    fn rows(&self, table: Oid) -> Option<u64> {
        let table = self.0.view.catalog.table(table)?;
        Some(self.0.view.snapshot.approximate_rows(table.storage))
    }

    fn last_value(&self, sequence: Oid) -> Option<i64> {
        match self.0.view.catalog.get(sequence).map(|e| &**e) {
            Some(Entry::Sequence(sequence)) => {
                let own = self.0.shared.lock().own_sequences.get(&sequence.oid).copied();
                let state = match own {
                    Some(own) => own,
                    None => self.0.shared.server.engine.sequence_state(sequence).ok()?,
                };
                state.is_called.then_some(state.last_value)
            }
            _ => None,
        }
    }
}

fn session(session: &Shared) -> Activity {
    let state = session.lock();
    let since = Some(state.activity_since);
    Activity {
        pid: session.pid,
        database: session.database,
        user: state.session_user.0,
        application_name: state.settings.get("application_name").unwrap_or_default(),
        client_address: session.client_address.clone(),
        client_port: None,
        backend_start: session.started,
        transaction_start: state.transaction_since,
        query_start: since,
        state_change: since,
        state: state.state.to_string(),
        query: state.activity.to_string(),
    }
}

/// A setting as pg_settings shows it: numbers in the setting's own unit.
fn setting(settings: &Settings, definition: &Definition) -> Setting {
    let plain = |value: String| match definition.kind {
        Kind::Int(_, _, unit) => settings::parse_int(&value, unit).map_or(value, |n| n.to_string()),
        _ => value,
    };
    let value = settings.get(definition.name).unwrap_or_default();
    let reset = settings.reset_value(definition.name);
    let (kind, unit, min, max, words) = match definition.kind {
        Kind::Bool | Kind::AlwaysOn => ("bool", None, None, None, None),
        Kind::Int(min, max, unit) => ("integer", unit_name(unit), Some(min.to_string()), Some(max.to_string()), None),
        Kind::Real(min, max) => ("real", None, Some(min.to_string()), Some(max.to_string()), None),
        Kind::Enum(words) => ("enum", None, None, None, Some(words.iter().map(|w| (*w).to_string()).collect())),
        _ => ("string", None, None, None, None),
    };
    let source = if reset.as_deref() == Some(value.as_str()) { "default" } else { "session" };
    Setting {
        name: definition.name.to_string(),
        setting: plain(value),
        unit: unit.map(str::to_string),
        category: definition.category.to_string(),
        description: definition.description.to_string(),
        context: if definition.kind == Kind::Internal { "internal" } else { "user" }.to_string(),
        kind: kind.to_string(),
        source: source.to_string(),
        min,
        max,
        words,
        boot: Some(plain(definition.default.to_string())),
        reset: reset.map(plain),
    }
}

fn unit_name(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::None => None,
        Unit::Milliseconds => Some("ms"),
        Unit::Seconds => Some("s"),
        Unit::Kilobytes => Some("kB"),
        Unit::Pages => Some("8kB"),
    }
}
