//! [`Shared`]: the part of a session that running statements and their kernels see, and its [`Host`] side.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::document::{Datum, Oid};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::Host;
use crate::sql::privilege::{self, Object, Rights};
use crate::sql::statement::Isolation;
use crate::sql::system::{Cursor, PreparedStatement};
use crate::storage::catalog::{Catalog, Entry, PG_CATALOG, is_temporary};
use crate::storage::sequence::SequenceState;

use super::server::Cancel;
use super::settings::Settings;
use super::{Notice, Notification, Server};

/// Seconds from 1970-01-01 to 2000-01-01.
const EPOCH_SECONDS: i64 = 946_684_800;
/// Notices kept for the client until the statement ends.
const NOTICES_MAX: usize = 10_000;

/// Microseconds since 2000-01-01 UTC.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as i64 - EPOCH_SECONDS * 1_000_000
}

/// What running statements see of a session.
pub(crate) struct Shared {
    pub server: Arc<Server>,
    pub pid: i32,
    pub database: Oid,
    pub database_name: String,
    pub cancel: Arc<Cancel>,
    pub started: i64,
    pub client_address: Option<String>,
    state: Mutex<State>,
}

/// The generation of the settings, role and catalog that a search path was computed from, and it.
type SearchPath = (u64, Oid, Arc<Catalog>, Arc<[Oid]>);

/// The changing part.
pub(crate) struct State {
    pub settings: Settings,
    /// The catalog of the running statement.
    pub catalog: Arc<Catalog>,
    /// The session's role, and the one in force (SET ROLE).
    pub session_user: (Oid, String),
    /// The role that logged in, and the session's role before the running transaction changed it.
    pub authenticated: (Oid, String),
    pub session_user_before: Option<(Oid, String)>,
    pub current_user: (Oid, String),
    /// The effective search path, and what it was computed from.
    search_path: Option<SearchPath>,
    /// What every statement asks of the settings.
    defaults: Option<(u64, Defaults)>,
    /// Sequences made by the running transaction, and the session's temporary ones.
    pub own_sequences: HashMap<Oid, SequenceState>,
    /// SET CONSTRAINTS of the running transaction.
    pub deferral: Arc<super::integrity::Deferral>,
    currval: HashMap<Oid, i64>,
    lastval: Option<Oid>,
    random: StdRng,
    pub notices: Vec<Notice>,
    /// NOTIFYs asked for by functions, to go with the transaction.
    pub notify: Vec<(String, String)>,
    /// Notifications received and not yet taken.
    pub inbox: VecDeque<Notification>,
    pub listening: Vec<String>,
    /// Advisory locks held: key, shared, until the transaction's end.
    pub advisory: Vec<(super::advisory::Key, bool, bool)>,
    /// The running transaction refuses writes.
    pub read_only: bool,
    /// Text of the running or last statement and whether it runs, for pg_stat_activity.
    pub activity: Arc<str>,
    pub activity_since: i64,
    pub state: &'static str,
    pub transaction_since: Option<i64>,
    /// The session's cursors and prepared statements, for the running statement if it asks for them.
    pub own: OwnObjects,
    /// The running statement, for functions that run statements of their own.
    pub statement: std::sync::Weak<super::context::Context>,
    /// Statements of such functions, bound: by the function and their place in its body.
    pub bodies: HashMap<(Oid, usize), Arc<super::prepared::Bound>>,
    /// How deep such functions have called one another.
    pub routine_depth: usize,
}

/// What `pg_cursors` and `pg_prepared_statements` show, and WHERE CURRENT OF asks for.
#[derive(Clone, Default)]
pub(crate) struct OwnObjects {
    pub cursors: Vec<Cursor>,
    pub statements: Vec<PreparedStatement>,
    /// Where the cursors stand.
    pub places: Vec<(String, super::cursor::Place)>,
}

impl Shared {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        server: Arc<Server>,
        pid: i32,
        database: (Oid, String),
        user: (Oid, String),
        settings: Settings,
        cancel: Arc<Cancel>,
        catalog: Arc<Catalog>,
        client_address: Option<String>,
    ) -> Self {
        let time = now();
        Self {
            server,
            pid,
            database: database.0,
            database_name: database.1,
            cancel,
            started: time,
            client_address,
            state: Mutex::new(State {
                settings,
                catalog,
                session_user: user.clone(),
                authenticated: user.clone(),
                session_user_before: None,
                current_user: user,
                search_path: None,
                defaults: None,
                own_sequences: HashMap::new(),
                deferral: Arc::default(),
                currval: HashMap::new(),
                lastval: None,
                random: StdRng::from_os_rng(),
                notices: Vec::new(),
                notify: Vec::new(),
                inbox: VecDeque::new(),
                listening: Vec::new(),
                advisory: Vec::new(),
                read_only: false,
                activity: "".into(),
                activity_since: time,
                state: "idle",
                transaction_since: None,
                own: OwnObjects::default(),
                statement: std::sync::Weak::new(),
                bodies: HashMap::new(),
                routine_depth: 0,
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds a notice for the client.
    pub(crate) fn notice(&self, severity: &'static str, report: Error) {
        let mut state = self.lock();
        if state.notices.len() < NOTICES_MAX && is_shown(&state.settings, severity) {
            state.notices.push(Notice { severity, report });
        }
    }

    fn sequence_entry(&self, oid: Oid) -> Result<Arc<Entry>> {
        let catalog = self.lock().catalog.clone();
        match catalog.get(oid) {
            Some(entry) if matches!(**entry, Entry::Sequence(_)) => Ok(entry.clone()),
            Some(entry) => Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a sequence", entry.name())),
            None => Err(err!(UNDEFINED_TABLE, "could not open relation with OID {oid}")),
        }
    }

    /// 42501 unless the user has one of some rights on a sequence. The one behind an identity column needs none.
    fn must_hold(&self, entry: &Entry, rights: Rights) -> Result<()> {
        let Entry::Sequence(sequence) = entry else { return Ok(()) };
        let (catalog, user) = {
            let state = self.lock();
            (state.catalog.clone(), state.current_user.0)
        };
        let object = Object::relation(entry).ok_or_else(|| Error::internal("a sequence was expected"))?;
        let held = || privilege::held(&catalog, user, &object) & rights != 0;
        let is_identity = || {
            let (table, number) = sequence.owned_by?;
            let identity = catalog.table(table)?.column_by_number(number)?.identity.as_ref()?;
            (identity.sequence == sequence.oid).then_some(())
        };
        match sequence.owner == user || held() || is_identity().is_some() {
            true => Ok(()),
            false => Err(super::authorize::denied(entry)),
        }
    }

    fn refuse_read_only(&self, what: &str) -> Result<()> {
        if self.lock().read_only {
            return Err(err!(READ_ONLY_SQL_TRANSACTION, "cannot execute {what} in a read-only transaction"));
        }
        Ok(())
    }
}

fn is_shown(settings: &Settings, severity: &str) -> bool {
    let rank = |word: &str| match word {
        "debug5" | "debug4" | "debug3" | "debug2" | "debug1" | "DEBUG" => 0,
        "log" | "LOG" => 1,
        "notice" | "NOTICE" => 2,
        "warning" | "WARNING" => 3,
        "INFO" => 9,
        _ => 4,
    };
    rank(severity) >= rank(&settings.get("client_min_messages").unwrap_or_default())
}

/// Settings that every statement asks for.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    pub isolation: Isolation,
    pub read_only: bool,
    pub statement_timeout: Option<Duration>,
}

impl State {
    /// The settings that every statement asks for.
    pub(crate) fn defaults(&mut self) -> Defaults {
        let generation = self.settings.generation();
        match &self.defaults {
            Some((g, defaults)) if *g == generation => *defaults,
            _ => {
                let isolation = self.settings.get("default_transaction_isolation").unwrap_or_default();
                let defaults = Defaults {
                    isolation: super::session::isolation_named(&isolation),
                    read_only: self.settings.is_on("default_transaction_read_only"),
                    statement_timeout: self.settings.timeout("statement_timeout"),
                };
                self.defaults = Some((generation, defaults));
                defaults
            }
        }
    }

    /// The effective search path: the schemas that exist, pg_catalog first unless it is named.
    pub(crate) fn search_path(&mut self, database: Oid) -> Arc<[Oid]> {
        let generation = self.settings.generation();
        if let Some((g, user, catalog, path)) = &self.search_path
            && *g == generation
            && *user == self.current_user.0
            && Arc::ptr_eq(catalog, &self.catalog)
        {
            return path.clone();
        }
        let mut path: Vec<Oid> = Vec::new();
        for name in self.settings.search_path() {
            let name = if name == "$user" { self.current_user.1.clone() } else { name };
            if let Some(oid) = self.catalog.schema(database, &name)
                && !path.contains(&oid)
                && privilege::may_use_schema(&self.catalog, self.current_user.0, oid)
            {
                path.push(oid);
            }
        }
        if !path.contains(&PG_CATALOG) {
            path.insert(0, PG_CATALOG);
        }
        // Temporary objects come first unless the path says where.
        if let Some(temporary) = self.catalog.temporary_schema
            && !path.contains(&temporary)
        {
            path.insert(0, temporary);
        }
        let path: Arc<[Oid]> = path.into();
        self.search_path = Some((generation, self.current_user.0, self.catalog.clone(), path.clone()));
        path
    }

    /// DISCARD SEQUENCES.
    pub(crate) fn forget_sequences(&mut self) {
        self.currval.clear();
        self.lastval = None;
    }

    /// A setting as SHOW says it.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" if !self.settings.is_local("transaction_isolation") => {
                self.settings.get("default_transaction_isolation")
            }
            "transaction_read_only" if !self.settings.is_local("transaction_read_only") => {
                self.settings.get("default_transaction_read_only")
            }
            "transaction_deferrable" if !self.settings.is_local("transaction_deferrable") => {
                self.settings.get("default_transaction_deferrable")
            }
            "role" if self.session_user.0 != self.current_user.0 => Some(self.current_user.1.clone()),
            _ => self.settings.get(name),
        }
    }
}

impl Host for Shared {
    fn catalog(&self) -> Arc<Catalog> {
        self.lock().catalog.clone()
    }

    fn database(&self) -> Oid {
        self.database
    }

    fn users(&self) -> (String, String) {
        let state = self.lock();
        (state.current_user.1.clone(), state.session_user.1.clone())
    }

    fn search_path(&self) -> Vec<Oid> {
        self.lock().search_path(self.database).to_vec()
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.lock().setting(name)
    }

    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<()> {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("transaction_") || lower == "role" || lower == "session_authorization" {
            return Err(Error::unsupported(format!("set_config of \"{lower}\"")));
        }
        self.lock().settings.set(name, Some(value), local)
    }

    fn nextval(&self, sequence: Oid) -> Result<i64> {
        if !is_temporary(sequence) {
            self.refuse_read_only("nextval()")?;
        }
        let entry = self.sequence_entry(sequence)?;
        self.must_hold(&entry, privilege::USAGE | privilege::UPDATE)?;
        let Entry::Sequence(definition) = &*entry else {
            return Err(Error::internal("a sequence was expected"));
        };
        let mut state = self.lock();
        let value = match state.own_sequences.get_mut(&sequence) {
            Some(own) => own.next(definition)?,
            None => {
                drop(state);
                let value = self.server.engine.nextval(definition)?;
                state = self.lock();
                value
            }
        };
        state.currval.insert(sequence, value);
        state.lastval = Some(sequence);
        Ok(value)
    }

    fn currval(&self, sequence: Oid) -> Result<i64> {
        let entry = self.sequence_entry(sequence)?;
        self.must_hold(&entry, privilege::USAGE | privilege::SELECT)?;
        self.lock().currval.get(&sequence).copied().ok_or_else(|| {
            err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "currval of sequence \"{}\" is not yet defined in this session",
                entry.name()
            )
        })
    }

    fn setval(&self, sequence: Oid, value: i64, is_called: bool) -> Result<i64> {
        if !is_temporary(sequence) {
            self.refuse_read_only("setval()")?;
        }
        let entry = self.sequence_entry(sequence)?;
        self.must_hold(&entry, privilege::UPDATE)?;
        let Entry::Sequence(definition) = &*entry else {
            return Err(Error::internal("a sequence was expected"));
        };
        if value < definition.min || value > definition.max {
            return Err(err!(
                NUMERIC_VALUE_OUT_OF_RANGE,
                "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                definition.name,
                definition.min,
                definition.max
            ));
        }
        let mut state = self.lock();
        match state.own_sequences.get_mut(&sequence) {
            Some(own) => *own = SequenceState { last_value: value, is_called },
            None => {
                drop(state);
                self.server.engine.setval(definition, value, is_called)?;
                state = self.lock();
            }
        }
        if is_called {
            state.currval.insert(sequence, value);
        }
        Ok(value)
    }

    fn lastval(&self) -> Result<i64> {
        let state = self.lock();
        let value = state.lastval.and_then(|oid| state.currval.get(&oid).copied());
        value.ok_or_else(|| err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session"))
    }

    fn backend_pid(&self) -> i32 {
        self.pid
    }

    fn random(&self) -> u64 {
        self.lock().random.random()
    }

    fn set_seed(&self, seed: f64) {
        self.lock().random = StdRng::seed_from_u64(seed.to_bits());
    }

    fn clock(&self) -> i64 {
        now()
    }

    fn check_interrupt(&self) -> Result<()> {
        self.cancel.check()
    }

    fn memory_limit(&self) -> usize {
        self.server.config.memory_limit
    }

    fn call(&self, name: &str, args: &[Datum]) -> Result<Datum> {
        super::functions::call(self, name, args)
    }
}
