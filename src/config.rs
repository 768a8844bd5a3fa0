//! [`Config`]: how a node is asked to run. Built-in defaults < TOML file < environment < command line.
//!
//! Each component gets its own section by value. A setting is one line of the `sections!` table below: its type, its
//! default, what it means; from it come the struct field, the key in the file (`[pg]` `port = 5432`) and the name in
//! the environment (`AEROLITHDB_PG_PORT`). A key that is not in the table is an error that names it and its source.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::err;
use crate::error::{Error, Result};

/// Prefix of the settings in the environment.
const ENVIRONMENT_PREFIX: &str = "AEROLITHDB_";
/// Names in the environment with the prefix that are not settings: a secret that must not end up in a file or a log,
/// and what the command line reads itself.
const ENVIRONMENT_OTHERS: [&str; 3] = ["AEROLITHDB_ADMIN_PASSWORD", "AEROLITHDB_DSN", "AEROLITHDB_CONFIG"];

macro_rules! sections {
    ($($(#[$section_doc:meta])* $section:ident: $struct:ident {
        $($(#[$doc:meta])* $key:ident: $typ:ty = $default:expr;)*
    })*) => {
        /// How a node is asked to run.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Config {
            $($(#[$section_doc])* pub $section: $struct,)*
        }

        $($(#[$section_doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $struct {
            $($(#[$doc])* pub $key: $typ,)*
        }

        impl Default for $struct {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        })*

        impl Config {
            /// Sets one setting from text; `source` names where it came from, for the error.
            fn set(&mut self, section: &str, key: &str, text: &str, source: &dyn fmt::Display) -> Result<()> {
                match (section, key) {
                    $($((stringify!($section), stringify!($key)) => {
                        self.$section.$key = Setting::from_text(text).map_err(|expected| {
                            err!(CONFIG_FILE_ERROR, "invalid value for setting \"{section}.{key}\" in {source}: expected {expected}")
                        })?;
                        Ok(())
                    })*)*
                    _ => Err(err!(CONFIG_FILE_ERROR, "unknown setting \"{section}.{key}\" in {source}")),
                }
            }

            /// The names of all sections.
            const SECTIONS: &'static [&'static str] = &[$(stringify!($section)),*];

            /// Every setting as (section, key, value), for `SHOW`-like listings and tests.
            pub fn entries(&self) -> Vec<(&'static str, &'static str, String)> {
                vec![$($((stringify!($section), stringify!($key), self.$section.$key.to_text()),)*)*]
            }
        }
    };
}

sections! {
    /// Where and how data is kept.
    storage: StorageConfig {
        /// The folder with everything the node keeps.
        data_dir: PathBuf = PathBuf::from("./data");
        /// Memory for the row store's block cache and write buffers together.
        memory: ByteSize = ByteSize(512 << 20);
        /// A transaction whose changes take more than this is refused (54000).
        transaction_size_max: ByteSize = ByteSize(1 << 30);
        /// The size at which a new file of the log is begun.
        log_segment_size: ByteSize = ByteSize(64 << 20);
    }
    /// How statements are executed.
    exec: ExecConfig {
        /// Memory for all running statements together; beyond it they spill, then fail with 53200.
        memory_limit: ByteSize = ByteSize(1 << 30);
        /// Disk space for spilling of all statements together.
        spill_limit: ByteSize = ByteSize(16 << 30);
        /// Threads for one analytic statement; 0 = as many as there are cores.
        parallelism: usize = 0;
    }
    /// The PostgreSQL wire protocol.
    pg: PgConfig {
        /// The address to listen on.
        listen: String = "127.0.0.1".to_string();
        /// The TCP port; 0 = any free one.
        port: u16 = 5432;
        /// Connections at a time.
        max_connections: usize = 1000;
        /// How many of them are kept for superusers.
        superuser_reserved_connections: usize = 3;
        /// Time for a client to authenticate.
        authentication_timeout: Duration = Duration::from_secs(10);
        /// Pause before a failed authentication is answered.
        authentication_failure_delay: Duration = Duration::from_millis(250);
        /// The longest message taken from an authenticated client.
        message_size_max: ByteSize = ByteSize(256 << 20);
        /// Memory for prepared statements and portals of one connection.
        prepared_memory_max: ByteSize = ByteSize(64 << 20);
        /// PEM file with the certificate chain; TLS is offered when it and the key are given.
        tls_certificate: Option<PathBuf> = None;
        /// PEM file with the private key.
        tls_key: Option<PathBuf> = None;
        /// Whether connections without TLS are taken on addresses other than loopback.
        allow_plaintext: bool = false;
    }
    /// The other front doors; not built yet, so no port of theirs is opened.
    api: ApiConfig {
        /// REST and GraphQL.
        rest_port: u16 = 8080;
        /// gRPC.
        grpc_port: u16 = 8082;
        /// WebSocket.
        websocket_port: u16 = 8083;
    }
    /// Logging.
    log: LogConfig {
        /// `text` or `json`.
        format: LogFormat = LogFormat::Text;
        /// What is logged when RUST_LOG does not say: a filter such as `info` or `aerolithdb=debug,warn`.
        filter: String = "warn,aerolithdb=info".to_string();
    }
}

/// A number of bytes, written `256MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// The shape of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}

/// What the command line says, where it says something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// (section, key, text) in the order given.
    pub settings: Vec<(&'static str, &'static str, String)>,
}

/// The environment as values: the process's, completed by a `.env` file in the working folder.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Config {
    /// The configuration from all its sources. `file` must exist when it is named.
    pub fn load(file: Option<&Path>, environment: &Environment, overrides: &Overrides) -> Result<Self> {
        let mut config = Self::default();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|e| {
                err!(CONFIG_FILE_ERROR, "could not read configuration file \"{}\": {e}", path.display())
            })?;
            config.apply_file(&text, &format!("file \"{}\"", path.display()))?;
        }
        config.apply_environment(environment)?;
        for (section, key, text) in &overrides.settings {
            config.set(section, key, text, &"the command line")?;
        }
        config.validate()?;
        Ok(config)
    }

    fn apply_file(&mut self, text: &str, source: &str) -> Result<()> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            err!(CONFIG_FILE_ERROR, "syntax error in {source}: {}", e.to_string().trim_end().replace('\n', " "))
        })?;
        for (section, value) in &table {
            if !Self::SECTIONS.contains(&section.as_str()) {
                return Err(err!(CONFIG_FILE_ERROR, "unknown section \"{section}\" in {source}"));
            }
            let toml::Value::Table(entries) = value else {
                return Err(err!(CONFIG_FILE_ERROR, "\"{section}\" in {source} must be a section: [{section}]"));
            };
            for (key, value) in entries {
                let text = match value {
                    toml::Value::String(text) => text.clone(),
                    toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => value.to_string(),
                    _ => {
                        return Err(err!(
                            CONFIG_FILE_ERROR,
                            "setting \"{section}.{key}\" in {source} must be a plain value"
                        ));
                    }
                };
                self.set(section, key, &text, &source)?;
            }
        }
        Ok(())
    }

    fn apply_environment(&mut self, environment: &Environment) -> Result<()> {
        for (name, text) in &environment.0 {
            let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            if ENVIRONMENT_OTHERS.contains(&name.as_str()) {
                continue;
            }
            let rest = rest.to_ascii_lowercase();
            let (section, key) = Self::SECTIONS
                .iter()
                .find_map(|s| Some((*s, rest.strip_prefix(s)?.strip_prefix('_')?)))
                .ok_or_else(|| err!(CONFIG_FILE_ERROR, "unknown setting {name} in the environment"))?;
            self.set(section, key, text, &format!("environment variable {name}"))?;
        }
        Ok(())
    }

    /// Refuses what cannot work together.
    pub fn validate(&self) -> Result<()> {
        let pg = &self.pg;
        if pg.tls_certificate.is_some() != pg.tls_key.is_some() {
            return Err(err!(CONFIG_FILE_ERROR, "pg.tls_certificate and pg.tls_key must be given together"));
        }
        if pg.superuser_reserved_connections >= pg.max_connections {
            return Err(err!(
                CONFIG_FILE_ERROR,
                "pg.superuser_reserved_connections must be less than pg.max_connections"
            ));
        }
        let address = pg.address()?;
        if !address.is_loopback() && pg.tls_certificate.is_none() && !pg.allow_plaintext {
            return Err(err!(CONFIG_FILE_ERROR, "refusing to listen on {address} without TLS").hint(
                "Give pg.tls_certificate and pg.tls_key, or set pg.allow_plaintext = true if the network is trusted.",
            ));
        }
        for (name, size, least) in [
            ("pg.message_size_max", pg.message_size_max, 1 << 16),
            ("storage.memory", self.storage.memory, 1 << 24),
            ("storage.transaction_size_max", self.storage.transaction_size_max, 1 << 20),
            ("storage.log_segment_size", self.storage.log_segment_size, 1 << 16),
            ("exec.memory_limit", self.exec.memory_limit, 1 << 24),
        ] {
            if size.0 < least {
                return Err(err!(CONFIG_FILE_ERROR, "{name} must be at least {}", ByteSize(least)));
            }
        }
        if pg.message_size_max.0 > 0x3fff_ffff {
            return Err(err!(CONFIG_FILE_ERROR, "pg.message_size_max must be less than 1GB"));
        }
        Ok(())
    }
}

impl PgConfig {
    /// The address to listen on.
    pub fn address(&self) -> Result<std::net::IpAddr> {
        match self.listen.as_str() {
            "localhost" => Ok(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
            "*" => Ok(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
            text => {
                text.parse().map_err(|_| err!(CONFIG_FILE_ERROR, "pg.listen must be an IP address, not \"{text}\""))
            }
        }
    }
}

impl Environment {
    /// The process's environment and, below it, `.env` in the working folder.
    pub fn of_process() -> Result<Self> {
        let mut values = match std::fs::read_to_string(".env") {
            Ok(text) => parse_dotenv(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(err!(CONFIG_FILE_ERROR, "could not read file \".env\": {error}")),
        };
        values.extend(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))));
        Ok(Self(values))
    }

    /// An environment with these values only.
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    /// One value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// `KEY=value` lines; `#` comments, an `export` in front and quotes around the value are allowed.
fn parse_dotenv(text: &str) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| err!(CONFIG_FILE_ERROR, "line {} of file \".env\" is not KEY=value", number + 1))?;
        let value = value.trim();
        let value = match value.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) if value.len() >= 2 && value.as_bytes().last() == Some(quote) => {
                &value[1..value.len() - 1]
            }
            _ => value.split(" #").next().unwrap_or(value).trim_end(),
        };
        values.insert(key.trim().to_string(), value.to_string());
    }
    Ok(values)
}

/// A type that a setting can have.
trait Setting: Sized {
    /// From text, or what was expected.
    fn from_text(text: &str) -> Result<Self, &'static str>;
    /// As text that `from_text` reads.
    fn to_text(&self) -> String;
}

macro_rules! plain_settings {
    ($($typ:ty => $expected:literal;)*) => {
        $(impl Setting for $typ {
            fn from_text(text: &str) -> Result<Self, &'static str> {
                text.parse().map_err(|_| $expected)
            }
            fn to_text(&self) -> String {
                self.to_string()
            }
        })*
    };
}

plain_settings! {
    u16 => "a number from 0 to 65535";
    usize => "a whole number";
    u64 => "a whole number";
    String => "text";
}

impl Setting for bool {
    fn from_text(text: &str) -> Result<Self, &'static str> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" => Ok(false),
            _ => Err("true or false"),
        }
    }
    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Setting for PathBuf {
    fn from_text(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() { Err("a path") } else { Ok(PathBuf::from(text)) }
    }
    fn to_text(&self) -> String {
        self.display().to_string()
    }
}

impl<T: Setting> Setting for Option<T> {
    fn from_text(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() { Ok(None) } else { T::from_text(text).map(Some) }
    }
    fn to_text(&self) -> String {
        self.as_ref().map(Setting::to_text).unwrap_or_default()
    }
}

impl Setting for LogFormat {
    fn from_text(text: &str) -> Result<Self, &'static str> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text or json"),
        }
    }
    fn to_text(&self) -> String {
        match self {
            Self::Text => "text".to_string(),
            Self::Json => "json".to_string(),
        }
    }
}

/// Splits `250ms` into the number and its unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim()))
}

impl Setting for Duration {
    fn from_text(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a time such as 250ms, 10s, 5min or 1h";
        let (number, unit) = number_and_unit(text).ok_or(EXPECTED)?;
        let millis = match unit {
            "" | "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(EXPECTED),
        };
        number.checked_mul(millis).map(Duration::from_millis).ok_or(EXPECTED)
    }
    fn to_text(&self) -> String {
        format!("{}ms", self.as_millis())
    }
}

impl Setting for ByteSize {
    fn from_text(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a size such as 64kB, 256MB or 2GB";
        let (number, unit) = number_and_unit(text).ok_or(EXPECTED)?;
        let shift = match unit {
            "" | "B" => 0,
            "kB" | "KB" => 10,
            "MB" => 20,
            "GB" => 30,
            "TB" => 40,
            _ => return Err(EXPECTED),
        };
        number.checked_mul(1 << shift).map(Self).ok_or(EXPECTED)
    }
    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TB"), (30, "GB"), (20, "MB"), (10, "kB")];
        match units.iter().find(|(shift, _)| self.0 > 0 && self.0.is_multiple_of(1u64 << shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Overrides {
    /// Adds a setting if the command line gave one.
    pub fn add(&mut self, section: &'static str, key: &'static str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.settings.push((section, key, value.to_string()));
        }
    }
}

/// A configuration error with another message in front, for callers that read a file on behalf of a setting.
pub fn setting_error(section: &str, key: &str, path: &Path, error: impl fmt::Display) -> Error {
    err!(CONFIG_FILE_ERROR, "could not load {section}.{key} from \"{}\": {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &'static str, &str)]) -> Result<Config> {
        let mut config = Config::default();
        config.apply_file(file, "file \"test.toml\"")?;
        config.apply_environment(&Environment::from_pairs(environment))?;
        for (section, key, text) in flags {
            config.set(section, key, text, &"the command line")?;
        }
        config.validate()?;
        Ok(config)
    }

    #[test]
    fn later_sources_win() {
        let file = "[pg]\nport = 1\nmax_connections = 50\n[storage]\nmemory = \"64MB\"";
        let config = load(file, &[("AEROLITHDB_PG_PORT", "2"), ("HOME", "/")], &[]).unwrap();
        assert_eq!((config.pg.port, config.pg.max_connections), (2, 50));
        assert_eq!(config.storage.memory, ByteSize(64 << 20));
        assert_eq!(load(file, &[("AEROLITHDB_PG_PORT", "2")], &[("pg", "port", "3")]).unwrap().pg.port, 3);
    }

    #[test]
    fn unknown_keys_are_errors_that_name_key_and_source() {
        let message = |r: Result<Config>| r.unwrap_err().to_string();
        assert_eq!(message(load("[pg]\nprot = 1", &[], &[])), "unknown setting \"pg.prot\" in file \"test.toml\"");
        assert_eq!(message(load("[wat]\nx = 1", &[], &[])), "unknown section \"wat\" in file \"test.toml\"");
        let unknown = message(load("", &[("AEROLITHDB_PG_PROT", "1")], &[]));
        assert_eq!(unknown, "unknown setting \"pg.prot\" in environment variable AEROLITHDB_PG_PROT");
        let unknown = message(load("", &[("AEROLITHDB_WAT", "1")], &[]));
        assert_eq!(unknown, "unknown setting AEROLITHDB_WAT in the environment");
        assert!(load("", &[("AEROLITHDB_ADMIN_PASSWORD", "x")], &[]).is_ok());
    }

    #[test]
    fn values_are_checked() {
        for bad in ["port = 70000", "port = \"x\"", "listen = [1]", "message_size_max = \"3 parsecs\"", "port = 1 2"] {
            assert!(load(&format!("[pg]\n{bad}"), &[], &[]).is_err(), "{bad}");
        }
        assert!(load("[pg]\ntls_key = \"k\"", &[], &[]).is_err());
        assert!(load("[pg]\nlisten = \"0.0.0.0\"", &[], &[]).unwrap_err().message().contains("without TLS"));
        assert!(load("[pg]\nlisten = \"0.0.0.0\"\nallow_plaintext = true", &[], &[]).is_ok());
        assert!(load("[pg]\nmax_connections = 3", &[], &[]).is_err());
    }

    #[test]
    fn every_setting_reads_what_it_writes() {
        let config = Config::default();
        let mut copy = Config::default();
        for (section, key, text) in config.entries() {
            copy.set(section, key, &text, &"test").unwrap();
        }
        assert_eq!(copy, config);
    }

    #[test]
    fn dotenv_lines() {
        let values = parse_dotenv("# c\nA=1\nexport B = 'x y'\n\nC=\"#\" \nD=v # note\n").unwrap();
        let expected = [("A", "1"), ("B", "x y"), ("C", "#"), ("D", "v")];
        assert_eq!(values, expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect());
        assert!(parse_dotenv("nonsense").is_err());
    }
}
