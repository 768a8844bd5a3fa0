//! [`EvalContext`]: what a function may know besides its arguments. Time, randomness and the session come in here
//! as values or through [`Host`]; kernels stay pure otherwise.

use std::sync::Arc;

use crate::document::Oid;
use crate::error::{Error, Result};
use crate::storage::catalog::{Catalog, Entry};

/// What kernels see of the session and the statement.
#[derive(Clone)]
pub struct EvalContext {
    /// now(): start of the transaction, microseconds since 2000-01-01 UTC.
    pub transaction_time: i64,
    /// statement_timestamp().
    pub statement_time: i64,
    /// How values are written as text and read.
    pub format: FormatSettings,
    /// The rest of the session.
    pub host: Arc<dyn Host>,
}

/// The settings that text input and output depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatSettings {
    /// TimeZone.
    pub time_zone: TimeZone,
    /// DateStyle, output format.
    pub date_style: DateStyle,
    /// DateStyle, field order of ambiguous input.
    pub date_order: DateOrder,
    /// IntervalStyle.
    pub interval_style: IntervalStyle,
    /// bytea_output: true = hex.
    pub bytea_hex: bool,
    /// extra_float_digits (1 = shortest exact, PostgreSQL's default).
    pub extra_float_digits: i32,
}

/// A time zone setting.
#[derive(Clone, Debug, PartialEq)]
pub enum TimeZone {
    /// A zone of the IANA database.
    Named(chrono_tz::Tz),
    /// A fixed offset, seconds east of Greenwich, and its display name.
    Fixed(i32, String),
}

/// DateStyle's output part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DateStyle {
    Iso,
    Sql,
    Postgres,
    German,
}

/// DateStyle's order part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DateOrder {
    Mdy,
    Dmy,
    Ymd,
}

/// IntervalStyle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

impl Default for FormatSettings {
    fn default() -> Self {
        Self {
            time_zone: TimeZone::Named(chrono_tz::Tz::UTC),
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            bytea_hex: true,
            extra_float_digits: 1,
        }
    }
}

/// The session, as kernels and the binder see it. Implemented by `exec`; [`NoHost`] serves tests and indexes.
pub trait Host: Send + Sync {
    /// The catalog the statement was planned against, with the transaction's own DDL.
    fn catalog(&self) -> Arc<Catalog>;
    /// The current database's OID.
    fn database(&self) -> Oid;
    /// The current role's name (CURRENT_USER) and the session's (SESSION_USER).
    fn users(&self) -> (String, String);
    /// The effective search path as schema OIDs, `pg_catalog` included where it is searched.
    fn search_path(&self) -> Vec<Oid>;
    /// A run-time setting's value; `None` if there is no such setting.
    fn setting(&self, name: &str) -> Option<String>;
    /// Changes a run-time setting (set_config).
    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<()>;
    /// nextval.
    fn nextval(&self, sequence: Oid) -> Result<i64>;
    /// currval.
    fn currval(&self, sequence: Oid) -> Result<i64>;
    /// setval.
    fn setval(&self, sequence: Oid, value: i64, is_called: bool) -> Result<i64>;
    /// lastval.
    fn lastval(&self) -> Result<i64>;
    /// The backend's process id.
    fn backend_pid(&self) -> i32;
    /// A random u64 (random(), gen_random_uuid()).
    fn random(&self) -> u64;
    /// setseed.
    fn set_seed(&self, seed: f64);
    /// The wall clock, microseconds since 2000-01-01 UTC (clock_timestamp()).
    fn clock(&self) -> i64;
    /// Whether the statement was cancelled or ran out of time; long loops in kernels ask now and then.
    fn check_interrupt(&self) -> Result<()> {
        Ok(())
    }
    /// Bytes of memory a single value or set may take before 53200.
    fn memory_limit(&self) -> usize {
        1 << 30
    }
    /// A named, session-bound function that needs more than the above (pg_notify, pg_cancel_backend,
    /// pg_table_size, advisory locks, ...): name and arguments to a value.
    fn call(&self, name: &str, _args: &[crate::document::Datum]) -> Result<crate::document::Datum> {
        Err(Error::unsupported(format!("function {name}()")))
    }
}

/// A host without a session: immutable expressions only (index keys, constants in tests).
#[derive(Default)]
pub struct NoHost {
    /// The catalog that names resolve against.
    pub catalog: Arc<Catalog>,
    /// The database whose schemas can be named.
    pub database: Oid,
}

impl Host for NoHost {
    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }
    fn database(&self) -> Oid {
        self.database
    }
    fn users(&self) -> (String, String) {
        Default::default()
    }
    fn search_path(&self) -> Vec<Oid> {
        vec![crate::storage::catalog::PG_CATALOG]
    }
    fn setting(&self, _name: &str) -> Option<String> {
        None
    }
    fn set_setting(&self, _name: &str, _value: &str, _local: bool) -> Result<()> {
        Err(Error::internal("no session here"))
    }
    fn nextval(&self, _sequence: Oid) -> Result<i64> {
        Err(Error::internal("no session here"))
    }
    fn currval(&self, _sequence: Oid) -> Result<i64> {
        Err(Error::internal("no session here"))
    }
    fn setval(&self, _sequence: Oid, _value: i64, _is_called: bool) -> Result<i64> {
        Err(Error::internal("no session here"))
    }
    fn lastval(&self) -> Result<i64> {
        Err(Error::internal("no session here"))
    }
    fn backend_pid(&self) -> i32 {
        0
    }
    fn random(&self) -> u64 {
        0
    }
    fn set_seed(&self, _seed: f64) {}
    fn clock(&self) -> i64 {
        0
    }
}

impl EvalContext {
    /// A context without a session, at time 0.
    pub fn detached(catalog: Arc<Catalog>) -> Self {
        Self::in_database(catalog, 0)
    }

    /// A context without a session that knows the database of a schema.
    pub fn detached_in(catalog: Arc<Catalog>, schema: Oid) -> Self {
        let database = match catalog.get(schema).map(|e| &**e) {
            Some(Entry::Schema(schema)) => schema.database,
            _ => 0,
        };
        Self::in_database(catalog, database)
    }

    fn in_database(catalog: Arc<Catalog>, database: Oid) -> Self {
        Self {
            transaction_time: 0,
            statement_time: 0,
            format: FormatSettings::default(),
            host: Arc::new(NoHost { catalog, database }),
        }
    }
}
