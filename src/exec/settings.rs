//! Run-time settings (PostgreSQL's GUCs): a table of names, kinds and defaults, and one session's values.
//!
//! SET is transactional: every change is logged, a rollback (also to a savepoint) undoes it, a commit drops what
//! SET LOCAL set. Settings that only steer PostgreSQL's planner or autovacuum are kept and shown, as nothing that a
//! statement answers depends on them; those with a meaning are read through typed getters.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::{DateOrder, DateStyle, FormatSettings, IntervalStyle, TimeZone};

/// `server_version`: the oldest supported major, so that clients of 15 to 18 all accept it.
pub const SERVER_VERSION: &str = "15.13";
/// `server_version_num`.
pub const SERVER_VERSION_NUM: &str = "150013";

/// One setting's definition.
#[derive(Debug)]
pub struct Definition {
    /// Its name, in the spelling that SHOW ALL uses.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The built-in default, as SHOW says it.
    pub default: &'static str,
    /// Reported to the client (ParameterStatus) when it changes.
    pub report: bool,
    /// The group in pg_settings.
    pub category: &'static str,
    /// One sentence.
    pub description: &'static str,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// on, off and their spellings.
    Bool,
    /// An integer with bounds and the unit that a bare number has.
    Int(i64, i64, Unit),
    /// A number with bounds.
    Real(f64, f64),
    /// One of these words.
    Enum(&'static [&'static str]),
    /// Any text.
    Text,
    /// Cannot be changed.
    Internal,
    /// DateStyle.
    DateStyle,
    /// TimeZone.
    TimeZone,
    /// A list of names (search_path).
    NameList,
    /// Must be UTF8.
    Encoding,
    /// A boolean that must be on.
    AlwaysOn,
}

/// The unit of an integer setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unit {
    None,
    Milliseconds,
    Seconds,
    Kilobytes,
    Pages,
}

macro_rules! settings {
    ($($name:literal $kind:expr, $default:literal, $report:literal, $category:literal, $description:literal;)*) => {
        /// All settings, in order of their lower-case names.
        pub const DEFINITIONS: &[Definition] = &[$(Definition {
            name: $name, kind: $kind, default: $default, report: $report, category: $category, description: $description,
        },)*];
    };
}

const ISOLATION: &[&str] = &["serializable", "repeatable read", "read committed", "read uncommitted"];
const MESSAGES: &[&str] = &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];
const INT_MAX: i64 = i32::MAX as i64;

settings! {
    "application_name" Kind::Text, "", true, "Reporting and Logging / What to Log", "Sets the application name to be reported in statistics and logs.";
    "array_nulls" Kind::AlwaysOn, "on", false, "Version and Platform Compatibility / Previous PostgreSQL Versions", "Enable input of NULL elements in arrays.";
    "backslash_quote" Kind::Enum(&["safe_encoding", "on", "off"]), "safe_encoding", false, "Version and Platform Compatibility / Previous PostgreSQL Versions", "Sets whether \"\\'\" is allowed in string literals.";
    "block_size" Kind::Internal, "8192", false, "Preset Options", "Shows the size of a disk block.";
    "bytea_output" Kind::Enum(&["escape", "hex"]), "hex", false, "Client Connection Defaults / Statement Behavior", "Sets the output format for bytea.";
    "check_function_bodies" Kind::Bool, "on", false, "Client Connection Defaults / Statement Behavior", "Check routine bodies during CREATE FUNCTION and CREATE PROCEDURE.";
    "client_encoding" Kind::Encoding, "UTF8", true, "Client Connection Defaults / Locale and Formatting", "Sets the client's character set encoding.";
    "client_min_messages" Kind::Enum(MESSAGES), "notice", false, "Client Connection Defaults / Statement Behavior", "Sets the message levels that are sent to the client.";
    "constraint_exclusion" Kind::Enum(&["partition", "on", "off"]), "partition", false, "Query Tuning / Other Planner Options", "Enables the planner to use constraints to optimize queries.";
    "cpu_index_tuple_cost" Kind::Real(0.0, f64::MAX), "0.005", false, "Query Tuning / Planner Cost Constants", "Sets the planner's estimate of the cost of processing each index entry during an index scan.";
    "cpu_operator_cost" Kind::Real(0.0, f64::MAX), "0.0025", false, "Query Tuning / Planner Cost Constants", "Sets the planner's estimate of the cost of processing each operator or function call.";
    "cpu_tuple_cost" Kind::Real(0.0, f64::MAX), "0.01", false, "Query Tuning / Planner Cost Constants", "Sets the planner's estimate of the cost of processing each tuple (row).";
    "cursor_tuple_fraction" Kind::Real(0.0, 1.0), "0.1", false, "Query Tuning / Other Planner Options", "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved.";
    "data_checksums" Kind::Internal, "on", false, "Preset Options", "Shows whether data checksums are turned on for this cluster.";
    "DateStyle" Kind::DateStyle, "ISO, MDY", true, "Client Connection Defaults / Locale and Formatting", "Sets the display format for date and time values.";
    "default_table_access_method" Kind::Enum(&["heap"]), "heap", false, "Client Connection Defaults / Statement Behavior", "Sets the default table access method for new tables.";
    "default_tablespace" Kind::Enum(&["", "pg_default"]), "", false, "Client Connection Defaults / Statement Behavior", "Sets the default tablespace to create tables and indexes in.";
    "default_text_search_config" Kind::Text, "pg_catalog.simple", false, "Client Connection Defaults / Locale and Formatting", "Sets default text search configuration.";
    "default_toast_compression" Kind::Enum(&["pglz", "lz4"]), "lz4", false, "Client Connection Defaults / Statement Behavior", "Sets the default compression method for compressible values.";
    "default_transaction_deferrable" Kind::Bool, "off", false, "Client Connection Defaults / Statement Behavior", "Sets the default deferrable status of new transactions.";
    "default_transaction_isolation" Kind::Enum(ISOLATION), "read committed", false, "Client Connection Defaults / Statement Behavior", "Sets the transaction isolation level of each new transaction.";
    "default_transaction_read_only" Kind::Bool, "off", true, "Client Connection Defaults / Statement Behavior", "Sets the default read-only status of new transactions.";
    "effective_cache_size" Kind::Int(1, INT_MAX, Unit::Pages), "4GB", false, "Query Tuning / Planner Cost Constants", "Sets the planner's assumption about the total size of the data caches.";
    "enable_bitmapscan" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of bitmap-scan plans.";
    "enable_hashagg" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of hashed aggregation plans.";
    "enable_hashjoin" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of hash join plans.";
    "enable_indexonlyscan" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of index-only-scan plans.";
    "enable_indexscan" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of index-scan plans.";
    "enable_material" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of materialization.";
    "enable_mergejoin" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of merge join plans.";
    "enable_nestloop" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of nested-loop join plans.";
    "enable_seqscan" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of sequential-scan plans.";
    "enable_sort" Kind::Bool, "on", false, "Query Tuning / Planner Method Configuration", "Enables the planner's use of explicit sort steps.";
    "escape_string_warning" Kind::Bool, "on", false, "Version and Platform Compatibility / Previous PostgreSQL Versions", "Warn about backslash escapes in ordinary string literals.";
    "extra_float_digits" Kind::Int(-15, 3, Unit::None), "1", false, "Client Connection Defaults / Locale and Formatting", "Sets the number of digits displayed for floating-point values.";
    "from_collapse_limit" Kind::Int(1, INT_MAX, Unit::None), "8", false, "Query Tuning / Other Planner Options", "Sets the FROM-list size beyond which subqueries are not collapsed.";
    "geqo" Kind::Bool, "on", false, "Query Tuning / Genetic Query Optimizer", "Enables genetic query optimization.";
    "hash_mem_multiplier" Kind::Real(1.0, 1000.0), "2", false, "Resource Usage / Memory", "Multiple of work_mem to use for hash tables.";
    "idle_in_transaction_session_timeout" Kind::Int(0, INT_MAX, Unit::Milliseconds), "0", false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed idle time between queries, when in a transaction.";
    "idle_session_timeout" Kind::Int(0, INT_MAX, Unit::Milliseconds), "0", false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed idle time between queries, when not in a transaction.";
    "in_hot_standby" Kind::Internal, "off", true, "Preset Options", "Shows whether hot standby is currently active.";
    "integer_datetimes" Kind::Internal, "on", true, "Preset Options", "Shows whether datetimes are integer based.";
    "IntervalStyle" Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), "postgres", true, "Client Connection Defaults / Locale and Formatting", "Sets the display format for interval values.";
    "is_superuser" Kind::Internal, "on", true, "Preset Options", "Shows whether the current user is a superuser.";
    "jit" Kind::Bool, "off", false, "Query Tuning / Other Planner Options", "Allow JIT compilation.";
    "join_collapse_limit" Kind::Int(1, INT_MAX, Unit::None), "8", false, "Query Tuning / Other Planner Options", "Sets the FROM-list size beyond which JOIN constructs are not flattened.";
    "lc_collate" Kind::Internal, "C.UTF-8", false, "Preset Options", "Shows the collation order locale.";
    "lc_ctype" Kind::Internal, "C.UTF-8", false, "Preset Options", "Shows the character classification and case conversion locale.";
    "lc_messages" Kind::Enum(&["C", "C.UTF-8", "en_US.UTF-8", "POSIX", ""]), "C", false, "Client Connection Defaults / Locale and Formatting", "Sets the language in which messages are displayed.";
    "lc_monetary" Kind::Enum(&["C", "C.UTF-8", "POSIX"]), "C", false, "Client Connection Defaults / Locale and Formatting", "Sets the locale for formatting monetary amounts.";
    "lc_numeric" Kind::Enum(&["C", "C.UTF-8", "POSIX"]), "C", false, "Client Connection Defaults / Locale and Formatting", "Sets the locale for formatting numbers.";
    "lc_time" Kind::Enum(&["C", "C.UTF-8", "POSIX"]), "C", false, "Client Connection Defaults / Locale and Formatting", "Sets the locale for formatting date and time values.";
    "lock_timeout" Kind::Int(0, INT_MAX, Unit::Milliseconds), "0", false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed duration of any wait for a lock.";
    "log_min_duration_statement" Kind::Int(-1, INT_MAX, Unit::Milliseconds), "-1", false, "Reporting and Logging / When to Log", "Sets the minimum execution time above which all statements will be logged.";
    "log_statement" Kind::Enum(&["none", "ddl", "mod", "all"]), "none", false, "Reporting and Logging / What to Log", "Sets the type of statements logged.";
    "maintenance_work_mem" Kind::Int(1024, INT_MAX, Unit::Kilobytes), "64MB", false, "Resource Usage / Memory", "Sets the maximum memory to be used for maintenance operations.";
    "max_connections" Kind::Internal, "1000", false, "Connections and Authentication / Connection Settings", "Sets the maximum number of concurrent connections.";
    "max_identifier_length" Kind::Internal, "63", false, "Preset Options", "Shows the maximum identifier length.";
    "max_index_keys" Kind::Internal, "32", false, "Preset Options", "Shows the maximum number of index keys.";
    "max_parallel_workers_per_gather" Kind::Int(0, 1024, Unit::None), "2", false, "Resource Usage / Asynchronous Behavior", "Sets the maximum number of parallel processes per executor node.";
    "max_stack_depth" Kind::Int(100, INT_MAX, Unit::Kilobytes), "2MB", false, "Resource Usage / Memory", "Sets the maximum stack depth, in kilobytes.";
    "parallel_setup_cost" Kind::Real(0.0, f64::MAX), "1000", false, "Query Tuning / Planner Cost Constants", "Sets the planner's estimate of the cost of starting up worker processes for parallel query.";
    "parallel_tuple_cost" Kind::Real(0.0, f64::MAX), "0.1", false, "Query Tuning / Planner Cost Constants", "Sets the planner's estimate of the cost of passing each tuple (row) from worker to leader backend.";
    "password_encryption" Kind::Enum(&["scram-sha-256"]), "scram-sha-256", false, "Connections and Authentication / Authentication", "Chooses the algorithm for encrypting passwords.";
    "plan_cache_mode" Kind::Enum(&["auto", "force_generic_plan", "force_custom_plan"]), "auto", false, "Query Tuning / Other Planner Options", "Controls the planner's selection of custom or generic plan.";
    "quote_all_identifiers" Kind::Bool, "off", false, "Version and Platform Compatibility / Previous PostgreSQL Versions", "When generating SQL fragments, quote all identifiers.";
    "random_page_cost" Kind::Real(0.0, f64::MAX), "4", false, "Query Tuning / Planner Cost Constants", "Sets the planner's estimate of the cost of a nonsequentially fetched disk page.";
    "role" Kind::Text, "none", false, "Client Connection Defaults / Statement Behavior", "Sets the current role.";
    "row_security" Kind::Bool, "on", false, "Client Connection Defaults / Statement Behavior", "Enable row security.";
    "search_path" Kind::NameList, "\"$user\", public", false, "Client Connection Defaults / Statement Behavior", "Sets the schema search order for names that are not schema-qualified.";
    "segment_size" Kind::Internal, "1GB", false, "Preset Options", "Shows the number of pages per disk file.";
    "seq_page_cost" Kind::Real(0.0, f64::MAX), "1", false, "Query Tuning / Planner Cost Constants", "Sets the planner's estimate of the cost of a sequentially fetched disk page.";
    "server_encoding" Kind::Internal, "UTF8", true, "Preset Options", "Shows the server (database) character set encoding.";
    "server_version" Kind::Internal, "15.13", true, "Preset Options", "Shows the server version.";
    "server_version_num" Kind::Internal, "150013", false, "Preset Options", "Shows the server version as an integer.";
    "session_authorization" Kind::Text, "", true, "Client Connection Defaults / Statement Behavior", "Sets the session user name.";
    "ssl" Kind::Internal, "off", false, "Connections and Authentication / SSL", "Enables SSL connections.";
    "standard_conforming_strings" Kind::AlwaysOn, "on", true, "Version and Platform Compatibility / Previous PostgreSQL Versions", "Causes '...' strings to treat backslashes literally.";
    "statement_timeout" Kind::Int(0, INT_MAX, Unit::Milliseconds), "0", false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed duration of any statement.";
    "synchronize_seqscans" Kind::Bool, "on", false, "Version and Platform Compatibility / Previous PostgreSQL Versions", "Enable synchronized sequential scans.";
    "synchronous_commit" Kind::Enum(&["local", "remote_write", "remote_apply", "on"]), "on", false, "Write-Ahead Log / Settings", "Sets the current transaction's synchronization level.";
    "temp_buffers" Kind::Int(100, INT_MAX, Unit::Pages), "8MB", false, "Resource Usage / Memory", "Sets the maximum number of temporary buffers used by each session.";
    "TimeZone" Kind::TimeZone, "UTC", true, "Client Connection Defaults / Locale and Formatting", "Sets the time zone for displaying and interpreting time stamps.";
    "timezone_abbreviations" Kind::Enum(&["Default"]), "Default", false, "Client Connection Defaults / Locale and Formatting", "Selects a file of time zone abbreviations.";
    "transaction_deferrable" Kind::Bool, "off", false, "Client Connection Defaults / Statement Behavior", "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures.";
    "transaction_isolation" Kind::Enum(ISOLATION), "read committed", false, "Client Connection Defaults / Statement Behavior", "Sets the current transaction's isolation level.";
    "transaction_read_only" Kind::Bool, "off", false, "Client Connection Defaults / Statement Behavior", "Sets the current transaction's read-only status.";
    "transaction_timeout" Kind::Int(0, INT_MAX, Unit::Milliseconds), "0", false, "Client Connection Defaults / Statement Behavior", "Sets the maximum allowed duration of any transaction within a session (not a prepared transaction).";
    "transform_null_equals" Kind::Enum(&["off"]), "off", false, "Version and Platform Compatibility / Other Platforms and Clients", "Treats \"expr=NULL\" as \"expr IS NULL\".";
    "wal_block_size" Kind::Internal, "8192", false, "Preset Options", "Shows the block size in the write ahead log.";
    "wal_level" Kind::Internal, "replica", false, "Write-Ahead Log / Settings", "Sets the level of information written to the WAL.";
    "work_mem" Kind::Int(64, INT_MAX, Unit::Kilobytes), "4MB", false, "Resource Usage / Memory", "Sets the maximum memory to be used for query workspaces.";
    "xmlbinary" Kind::Enum(&["base64", "hex"]), "base64", false, "Client Connection Defaults / Statement Behavior", "Sets how binary values are to be encoded in XML.";
    "xmloption" Kind::Enum(&["content", "document"]), "content", false, "Client Connection Defaults / Statement Behavior", "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments.";
}

/// A setting's definition by name, in any case.
pub fn definition(name: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|d| d.name.eq_ignore_ascii_case(name))
}

/// A value in force: the session's, and what SET LOCAL laid over it until the end of the transaction.
#[derive(Clone, Debug, Default, PartialEq)]
struct Value {
    session: Option<String>,
    local: Option<String>,
}

/// One session's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By lower-case name; absent: the default.
    values: HashMap<String, Value>,
    /// What RESET goes back to, where it differs from the built-in default (start-up packet, configuration).
    defaults: HashMap<String, String>,
    /// Names and previous values since the transaction began.
    log: Vec<(String, Option<Value>)>,
    /// Grows with every change.
    generation: u64,
    /// Names (as defined) to report, changed since last asked.
    changed: Vec<&'static str>,
}

/// How far [`Settings::rollback_to`] undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

impl Settings {
    /// The defaults, overridden by these (unknown names and bad values are errors).
    pub fn new(overrides: &[(String, String)]) -> Result<Self> {
        let mut settings = Self {
            values: HashMap::new(),
            defaults: HashMap::new(),
            log: Vec::new(),
            generation: 1,
            changed: DEFINITIONS.iter().filter(|d| d.report).map(|d| d.name).collect(),
        };
        for (name, value) in overrides {
            settings.set_default(name, value)?;
        }
        Ok(settings)
    }

    /// Sets what RESET goes back to.
    pub fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        let value = check(name, value)?;
        self.defaults.insert(name.to_ascii_lowercase(), value);
        self.touch(name);
        Ok(())
    }

    /// Sets an internal setting (`is_superuser`, `session_authorization`) as the server, outside transactions.
    pub fn set_internal(&mut self, name: &str, value: &str) {
        self.defaults.insert(name.to_ascii_lowercase(), value.to_string());
        self.touch(name);
    }

    /// A value as SHOW says it; `None`: no such setting.
    pub fn get(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        if let Some(value) = self.values.get(&lower) {
            if let Some(v) = value.local.as_ref().or(value.session.as_ref()) {
                return Some(v.clone());
            }
            // A custom setting that was set once is known, and empty after a reset.
            if lower.contains('.') {
                return Some(String::new());
            }
        }
        if let Some(value) = self.defaults.get(&lower) {
            return Some(value.clone());
        }
        definition(&lower).map(|d| d.default.to_string())
    }

    /// Whether SET LOCAL (or the transaction itself) has set it.
    pub fn is_local(&self, name: &str) -> bool {
        self.values.get(&name.to_ascii_lowercase()).is_some_and(|v| v.local.is_some())
    }

    /// What RESET would go back to.
    pub fn reset_value(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        self.defaults.get(&lower).cloned().or_else(|| definition(&lower).map(|d| d.default.to_string()))
    }

    /// SET (`Some`) or RESET / SET TO DEFAULT (`None`), of the session or local to the transaction.
    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<()> {
        let checked = match value {
            Some(value) => Some(check(name, value)?),
            None => {
                if let Some(Definition { kind: Kind::Internal, name, .. }) = definition(name) {
                    return Err(cannot_change(name));
                }
                if definition(name).is_none() && !self.is_custom(name) {
                    return Err(unrecognized(name));
                }
                None
            }
        };
        let lower = name.to_ascii_lowercase();
        self.log.push((lower.clone(), self.values.get(&lower).cloned()));
        let entry = self.values.entry(lower.clone()).or_default();
        match (checked, local) {
            (Some(v), true) => entry.local = Some(v),
            (None, true) => {
                entry.local =
                    self.defaults.get(&lower).cloned().or_else(|| definition(&lower).map(|d| d.default.into()))
            }
            (v, false) => *entry = Value { session: v, local: None },
        }
        self.touch(name);
        Ok(())
    }

    /// RESET ALL / DISCARD ALL: all but the transaction's own and the internal ones.
    pub fn reset_all(&mut self) -> Result<()> {
        let names: Vec<String> = self.values.keys().cloned().collect();
        for name in names {
            if !name.starts_with("transaction_") && name != "role" && name != "session_authorization" {
                self.set(&name, None, false)?;
            }
        }
        Ok(())
    }

    /// All settings with their values, in order of name: custom ones that were set included.
    pub fn all(&self) -> Vec<(String, String)> {
        let mut all: BTreeMap<String, (String, String)> = DEFINITIONS
            .iter()
            .map(|d| (d.name.to_ascii_lowercase(), (d.name.to_string(), self.get(d.name).unwrap_or_default())))
            .collect();
        for name in self.values.keys().filter(|n| n.contains('.')) {
            if let Some(value) = self.get(name) {
                all.insert(name.clone(), (name.clone(), value));
            }
        }
        all.into_values().collect()
    }

    /// Where a savepoint stands.
    pub fn mark(&self) -> Mark {
        Mark(self.log.len())
    }

    /// Undoes what was set after the mark.
    pub fn rollback_to(&mut self, mark: Mark) {
        while self.log.len() > mark.0 {
            let (name, old) = self.log.pop().expect("the loop condition says that there is one");
            match old {
                Some(value) => self.values.insert(name.clone(), value),
                None => self.values.remove(&name),
            };
            self.touch(&name);
        }
    }

    /// The transaction ended well: what was local to it goes.
    pub fn commit(&mut self) {
        let names: Vec<String> = self.log.drain(..).map(|(name, _)| name).collect();
        for name in names {
            if let Some(value) = self.values.get_mut(&name)
                && value.local.take().is_some()
            {
                if value.session.is_none() && !name.contains('.') {
                    self.values.remove(&name);
                }
                self.touch(&name);
            }
        }
    }

    /// The transaction failed: everything it set goes.
    pub fn rollback(&mut self) {
        self.rollback_to(Mark(0));
    }

    /// Grows with every change, for caches.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Reported settings that changed since the last call.
    pub fn take_changes(&mut self) -> Vec<(String, String)> {
        if self.changed.is_empty() {
            return Vec::new();
        }
        let names = std::mem::take(&mut self.changed);
        names.into_iter().map(|name| (name.to_string(), self.get(name).unwrap_or_default())).collect()
    }

    /// A boolean setting's value.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| v == "on")
    }

    /// A time setting; `None` for 0.
    pub fn timeout(&self, name: &str) -> Option<Duration> {
        let millis = self.get(name).and_then(|v| parse_int(&v, Unit::Milliseconds)).unwrap_or(0);
        (millis > 0).then(|| Duration::from_millis(millis as u64))
    }

    /// The names of search_path, unquoted, `$user` as it is.
    pub fn search_path(&self) -> Vec<String> {
        split_names(&self.get("search_path").unwrap_or_default()).unwrap_or_default()
    }

    /// What text input and output depend on.
    pub fn format(&self) -> FormatSettings {
        let style = self.get("DateStyle").unwrap_or_default();
        let (date_style, date_order) =
            parse_date_style(&style, (DateStyle::Iso, DateOrder::Mdy)).unwrap_or((DateStyle::Iso, DateOrder::Mdy));
        FormatSettings {
            time_zone: self
                .get("TimeZone")
                .and_then(|v| parse_time_zone(&v))
                .unwrap_or(TimeZone::Named(chrono_tz::Tz::UTC)),
            date_style,
            date_order,
            interval_style: match self.get("IntervalStyle").as_deref() {
                Some("postgres_verbose") => IntervalStyle::PostgresVerbose,
                Some("sql_standard") => IntervalStyle::SqlStandard,
                Some("iso_8601") => IntervalStyle::Iso8601,
                _ => IntervalStyle::Postgres,
            },
            bytea_hex: self.get("bytea_output").as_deref() != Some("escape"),
            extra_float_digits: self.get("extra_float_digits").and_then(|v| v.parse().ok()).unwrap_or(1),
        }
    }

    fn is_custom(&self, name: &str) -> bool {
        name.contains('.') && self.values.contains_key(&name.to_ascii_lowercase())
    }

    fn touch(&mut self, name: &str) {
        self.generation += 1;
        if let Some(d) = definition(name)
            && d.report
            && !self.changed.contains(&d.name)
        {
            self.changed.push(d.name);
        }
    }
}

/// Splits a list of names as search_path and DateStyle have it: commas, optional double quotes, unquoted ones folded.
pub fn split_names(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut chars = text.trim().chars().peekable();
    if chars.peek().is_none() {
        return Some(names);
    }
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut name = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next()? {
                    '"' if chars.next_if_eq(&'"').is_some() => name.push('"'),
                    '"' => break,
                    c => name.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',' && !c.is_whitespace()) {
                name.push(c.to_ascii_lowercase());
            }
            if name.is_empty() {
                return None;
            }
        }
        names.push(name);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(names),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

fn unrecognized(name: &str) -> Error {
    err!(UNDEFINED_OBJECT, "unrecognized configuration parameter \"{name}\"")
}

fn cannot_change(name: &str) -> Error {
    err!(CANT_CHANGE_RUNTIME_PARAM, "parameter \"{name}\" cannot be changed")
}

fn invalid(name: &str, value: &str) -> Error {
    err!(INVALID_PARAMETER_VALUE, "invalid value for parameter \"{name}\": \"{value}\"")
}

/// Checks a value and gives it in the form that SHOW has.
fn check(name: &str, value: &str) -> Result<String> {
    let Some(definition) = definition(name) else {
        return check_custom(name, value);
    };
    let name = definition.name;
    match definition.kind {
        Kind::Internal => Err(cannot_change(name)),
        Kind::Text => Ok(value.to_string()),
        Kind::Bool => match parse_bool(value) {
            Some(on) => Ok(if on { "on" } else { "off" }.to_string()),
            None => Err(err!(INVALID_PARAMETER_VALUE, "parameter \"{name}\" requires a Boolean value")),
        },
        Kind::AlwaysOn => match parse_bool(value) {
            Some(true) => Ok("on".to_string()),
            Some(false) => Err(Error::unsupported(format!("setting \"{name}\" off"))),
            None => Err(err!(INVALID_PARAMETER_VALUE, "parameter \"{name}\" requires a Boolean value")),
        },
        Kind::Enum(words) => check_enum(name, words, value),
        Kind::Int(min, max, unit) => check_int(name, value, min, max, unit),
        Kind::Real(min, max) => match value.trim().parse::<f64>() {
            Ok(v) if v >= min && v <= max => Ok(format!("{v}")),
            Ok(v) => Err(err!(
                INVALID_PARAMETER_VALUE,
                "{v} is outside the valid range for parameter \"{name}\" ({min} .. {max})"
            )),
            Err(_) => Err(invalid(name, value)),
        },
        Kind::DateStyle => {
            let parsed = parse_date_style(value, (DateStyle::Iso, DateOrder::Mdy));
            parsed.map(show_date_style).ok_or_else(|| invalid(name, value))
        }
        Kind::TimeZone => parse_time_zone(value).map(|z| show_time_zone(&z)).ok_or_else(|| invalid(name, value)),
        Kind::NameList => split_names(value)
            .ok_or_else(|| invalid(name, value).detail("List syntax is invalid."))
            .map(|_| value.to_string()),
        Kind::Encoding => match encoding_name(value).as_str() {
            "UTF8" | "UNICODE" => Ok("UTF8".to_string()),
            "SQLASCII" => Ok("SQL_ASCII".to_string()),
            "LATIN1" | "ISO88591" | "LATIN2" | "LATIN9" | "WIN1252" | "WIN1250" | "WIN1251" | "EUCJP" | "SJIS"
            | "BIG5" | "GBK" => Err(Error::unsupported(format!("client encoding \"{value}\""))),
            _ => Err(invalid(name, value)),
        },
    }
}

/// An encoding's name as PostgreSQL compares it: letters and digits only. Some drivers send it quoted.
pub(super) fn encoding_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

fn check_custom(name: &str, value: &str) -> Result<String> {
    let mut parts = name.split('.');
    let is_identifier = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    };
    if !name.contains('.') {
        return Err(unrecognized(name));
    }
    if !parts.all(is_identifier) {
        return Err(err!(INVALID_NAME, "invalid configuration parameter name \"{name}\"")
            .detail("Custom parameter names must be two or more simple identifiers separated by dots."));
    }
    Ok(value.to_string())
}

fn check_enum(name: &str, words: &[&str], value: &str) -> Result<String> {
    if let Some(word) = words.iter().find(|w| w.eq_ignore_ascii_case(value)) {
        return Ok(word.to_string());
    }
    if words.contains(&"on")
        && let Some(on) = parse_bool(value)
        && (on || words.contains(&"off"))
    {
        return Ok(if on { "on" } else { "off" }.to_string());
    }
    if name == "synchronous_commit" && parse_bool(value) == Some(false) {
        return Err(Error::unsupported("synchronous_commit = off"));
    }
    let list: Vec<&str> = words.iter().copied().filter(|w| !w.is_empty()).collect();
    let error = invalid(name, value);
    Err(if list.is_empty() { error } else { error.hint(format!("Available values: {}.", list.join(", "))) })
}

fn check_int(name: &str, value: &str, min: i64, max: i64, unit: Unit) -> Result<String> {
    let Some(v) = parse_int(value, unit) else {
        let error = invalid(name, value);
        let has_letters = value.trim().starts_with(|c: char| c.is_ascii_digit()) && unit != Unit::None;
        return Err(match (has_letters, unit) {
            (true, Unit::Milliseconds | Unit::Seconds) => {
                error.hint("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".")
            }
            (true, _) => error.hint("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\"."),
            _ => error,
        });
    };
    if v < min || v > max {
        let suffix = match unit {
            Unit::Milliseconds => " ms",
            Unit::Seconds => " s",
            Unit::Kilobytes => " kB",
            Unit::Pages => " 8kB",
            Unit::None => "",
        };
        return Err(err!(
            INVALID_PARAMETER_VALUE,
            "{v}{suffix} is outside the valid range for parameter \"{name}\" ({min}{suffix} .. {max}{suffix})"
        ));
    }
    Ok(show_int(v, unit))
}

/// PostgreSQL's boolean spellings: unique prefixes of true, false, yes, no; on, off, 1, 0.
pub fn parse_bool(value: &str) -> Option<bool> {
    let v = value.to_ascii_lowercase();
    if v.is_empty() {
        return None;
    }
    match v.as_str() {
        "on" | "1" => Some(true),
        "of" | "off" | "0" => Some(false),
        _ if "true".starts_with(&v) || "yes".starts_with(&v) => Some(true),
        _ if "false".starts_with(&v) || "no".starts_with(&v) => Some(false),
        _ => None,
    }
}

fn units(unit: Unit) -> &'static [(&'static str, f64)] {
    match unit {
        Unit::None => &[],
        Unit::Milliseconds => &[("ms", 1.0), ("us", 0.001), ("s", 1e3), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)],
        Unit::Seconds => &[("s", 1.0), ("ms", 0.001), ("us", 1e-6), ("min", 60.0), ("h", 3600.0), ("d", 86400.0)],
        Unit::Kilobytes => &[("kB", 1.0), ("B", 1.0 / 1024.0), ("MB", 1024.0), ("GB", 1048576.0), ("TB", 1073741824.0)],
        Unit::Pages => &[("kB", 0.125), ("B", 1.0 / 8192.0), ("MB", 128.0), ("GB", 131072.0), ("TB", 134217728.0)],
    }
}

pub(crate) fn parse_int(value: &str, unit: Unit) -> Option<i64> {
    let value = value.trim();
    let split =
        value.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E' | 'x' | 'X')).unwrap_or(value.len());
    let (number, suffix) = value.split_at(split);
    let number = number.trim();
    let number: f64 = match number.strip_prefix("0x").or_else(|| number.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok()? as f64,
        None => number.parse().ok()?,
    };
    let factor = if suffix.is_empty() { 1.0 } else { units(unit).iter().find(|(n, _)| *n == suffix)?.1 };
    let scaled = (number * factor).round_ties_even();
    (scaled.is_finite() && scaled.abs() < 9e18).then_some(scaled as i64)
}

fn show_int(value: i64, unit: Unit) -> String {
    if unit == Unit::None || value <= 0 {
        return value.to_string();
    }
    let larger: &[(&str, i64)] = match unit {
        Unit::Milliseconds => &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)],
        Unit::Seconds => &[("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)],
        Unit::Kilobytes => &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)],
        Unit::Pages | Unit::None => &[("TB", 1 << 27), ("GB", 1 << 17), ("MB", 1 << 7)],
    };
    match larger.iter().find(|(_, factor)| value % factor == 0) {
        Some((name, factor)) => format!("{}{name}", value / factor),
        None => format!("{}kB", value * 8),
    }
}

fn parse_date_style(value: &str, current: (DateStyle, DateOrder)) -> Option<(DateStyle, DateOrder)> {
    let (mut style, mut order) = current;
    for word in split_names(value)? {
        match word.to_ascii_lowercase().as_str() {
            "iso" => style = DateStyle::Iso,
            "sql" => style = DateStyle::Sql,
            "german" => {
                style = DateStyle::German;
                order = DateOrder::Dmy;
            }
            w if w.starts_with("postgres") => style = DateStyle::Postgres,
            "ymd" => order = DateOrder::Ymd,
            w if w == "dmy" || w.starts_with("euro") => order = DateOrder::Dmy,
            w if w == "mdy" || w == "us" || w.starts_with("noneuro") => order = DateOrder::Mdy,
            "default" => (style, order) = (DateStyle::Iso, DateOrder::Mdy),
            _ => return None,
        }
    }
    Some((style, order))
}

fn show_date_style((style, order): (DateStyle, DateOrder)) -> String {
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Mdy => "MDY",
        DateOrder::Dmy => "DMY",
        DateOrder::Ymd => "YMD",
    };
    format!("{style}, {order}")
}

/// A time zone by name, by hours east of Greenwich, or as a POSIX zone without rules (`<+03>-03`, `UTC+3`).
pub fn parse_time_zone(value: &str) -> Option<TimeZone> {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    if matches!(lower.as_str(), "local" | "default") {
        return Some(TimeZone::Named(chrono_tz::Tz::UTC));
    }
    if let Some(interval) = lower.strip_prefix("interval") {
        // The text between the quotes; fields behind it say HOUR or HOUR TO MINUTE.
        return parse_time_zone(interval.split('\'').nth(1)?);
    }
    if let Ok(hours) = value.parse::<f64>() {
        let seconds = hours * 3600.0;
        return (seconds.abs() <= 14.0 * 3600.0 + 3599.0).then(|| fixed(seconds as i32));
    }
    if let Some((sign, rest)) = value.split_at_checked(1).filter(|(s, _)| matches!(*s, "+" | "-")) {
        let seconds = parse_hms(rest)?;
        return Some(fixed(if sign == "-" { -seconds } else { seconds }));
    }
    if let Some(zone) = chrono_tz::TZ_VARIANTS.iter().copied().find(|z| z.name().eq_ignore_ascii_case(value)) {
        return Some(TimeZone::Named(zone));
    }
    parse_posix_zone(value)
}

fn fixed(east: i32) -> TimeZone {
    // PostgreSQL's own name for such a zone: the abbreviation is ISO, the offset POSIX (west positive).
    let text = |sign: char, seconds: i32| {
        let (h, m) = (seconds / 3600, seconds / 60 % 60);
        if m == 0 { format!("{sign}{h:02}") } else { format!("{sign}{h:02}:{m:02}") }
    };
    let (iso, posix) = if east < 0 { ('-', '+') } else { ('+', '-') };
    TimeZone::Fixed(east, format!("<{}>{}", text(iso, east.abs()), text(posix, east.abs())))
}

fn parse_hms(text: &str) -> Option<i32> {
    let mut parts = text.split(':');
    let hours: i32 = parts.next()?.parse().ok()?;
    let minutes: i32 = parts.next().map_or(Some(0), |m| m.parse().ok())?;
    let seconds: i32 = parts.next().map_or(Some(0), |s| s.parse().ok())?;
    let ok = (0..=15).contains(&hours) && (0..60).contains(&minutes) && (0..60).contains(&seconds);
    ok.then_some(hours * 3600 + minutes * 60 + seconds)
}

fn parse_posix_zone(value: &str) -> Option<TimeZone> {
    let rest = match value.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?.1,
        None => {
            let end = value.find(|c: char| !c.is_ascii_alphabetic())?;
            if end < 3 {
                return None;
            }
            &value[end..]
        }
    };
    let (sign, digits) = match rest.split_at_checked(1)? {
        ("-", d) => (1, d),
        ("+", d) => (-1, d),
        _ => (-1, rest),
    };
    Some(TimeZone::Fixed(sign * parse_hms(digits)?, value.to_string()))
}

fn show_time_zone(zone: &TimeZone) -> String {
    match zone {
        TimeZone::Named(zone) => zone.name().to_string(),
        TimeZone::Fixed(_, name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(&[]).unwrap()
    }

    #[test]
    fn definitions_are_in_order_and_their_defaults_are_valid() {
        for pair in DEFINITIONS.windows(2) {
            assert!(pair[0].name.to_lowercase() < pair[1].name.to_lowercase(), "{}", pair[1].name);
        }
        for d in DEFINITIONS.iter().filter(|d| d.kind != Kind::Internal) {
            assert_eq!(check(d.name, d.default).unwrap(), d.default, "{}", d.name);
        }
    }

    #[test]
    fn units_are_read_and_shown_as_postgresql_does() {
        let mut s = settings();
        for (given, shown) in
            [("5s", "5s"), ("1500", "1500ms"), ("120000", "2min"), ("0", "0"), ("1h", "1h"), ("1.5 s", "1500ms")]
        {
            s.set("statement_timeout", Some(given), false).unwrap();
            assert_eq!(s.get("STATEMENT_TIMEOUT").unwrap(), shown, "{given}");
        }
        assert_eq!(s.timeout("statement_timeout"), Some(Duration::from_millis(1500)));
        s.set("work_mem", Some("65536"), false).unwrap();
        assert_eq!(s.get("work_mem").unwrap(), "64MB");
        let e = s.set("statement_timeout", Some("-1"), false).unwrap_err();
        assert_eq!(
            e.message(),
            "-1 ms is outside the valid range for parameter \"statement_timeout\" (0 ms .. 2147483647 ms)"
        );
        let e = s.set("statement_timeout", Some("5 parsecs"), false).unwrap_err();
        assert_eq!(e.code().as_str(), "22023");
    }

    #[test]
    fn unknown_names_are_refused_and_custom_ones_taken() {
        let mut s = settings();
        let e = s.set("nonsense", Some("1"), false).unwrap_err();
        assert_eq!((e.code().as_str(), e.message()), ("42704", "unrecognized configuration parameter \"nonsense\""));
        s.set("my.var", Some("x"), false).unwrap();
        assert_eq!(s.get("my.var").as_deref(), Some("x"));
        assert_eq!(s.set("server_version", Some("9"), false).unwrap_err().code().as_str(), "55P02");
        assert_eq!(
            s.set("bytea_output", Some("x"), false).unwrap_err().report().hint.as_deref(),
            Some("Available values: escape, hex.")
        );
    }

    #[test]
    fn set_is_transactional() {
        let mut s = settings();
        s.set("application_name", Some("a"), false).unwrap();
        s.commit();
        s.set("application_name", Some("b"), false).unwrap();
        let mark = s.mark();
        s.set("application_name", Some("c"), true).unwrap();
        assert_eq!(s.get("application_name").as_deref(), Some("c"));
        s.rollback_to(mark);
        assert_eq!(s.get("application_name").as_deref(), Some("b"));
        s.set("application_name", Some("d"), true).unwrap();
        s.commit();
        assert_eq!(s.get("application_name").as_deref(), Some("b"));
        s.set("application_name", Some("e"), false).unwrap();
        s.rollback();
        assert_eq!(s.get("application_name").as_deref(), Some("b"));
    }

    #[test]
    fn zones_and_date_styles() {
        let mut s = settings();
        s.set("timezone", Some("europe/oslo"), false).unwrap();
        assert_eq!(s.get("TimeZone").as_deref(), Some("Europe/Oslo"));
        s.set("timezone", Some("-3.5"), false).unwrap();
        assert_eq!(s.get("TimeZone").as_deref(), Some("<-03:30>+03:30"));
        assert!(s.set("timezone", Some("Mars/Base"), false).is_err());
        s.set("datestyle", Some("german"), false).unwrap();
        assert_eq!(s.get("DateStyle").as_deref(), Some("German, DMY"));
        assert!(s.take_changes().iter().any(|(n, v)| n == "DateStyle" && v == "German, DMY"));
    }

    #[test]
    fn search_path_names() {
        assert_eq!(split_names("\"$user\", Public ,\"A\"\"b\"").unwrap(), ["$user", "public", "A\"b"]);
        assert_eq!(split_names(""), Some(vec![]));
        assert_eq!(split_names("a b"), None);
        assert_eq!(split_names("a,,b"), None);
    }
}
