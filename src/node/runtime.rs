//! What a running node leaves in its data folder for the command line: `server.json` with its ports, `server.lock` that
//! it holds while it lives, and `admin.password`. Also the connection string made from them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::err;
use crate::error::{Error, Result};

/// The superuser that the first start makes.
pub const ADMIN_USER: &str = "aerolith";
/// The database that `aerolithdb dsn` names.
pub const DEFAULT_DATABASE: &str = "aerolith";

const RUNTIME_FILE: &str = "server.json";
const LOCK_FILE: &str = "server.lock";
const PASSWORD_FILE: &str = "admin.password";
const SECRET_FILE: &str = "server.secret";

/// How a running node is reached. The port of a protocol that is not built is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// The PostgreSQL protocol.
    pub pg_port: u16,
    /// REST and GraphQL.
    pub http_port: Option<u16>,
    /// gRPC.
    pub grpc_port: Option<u16>,
    /// WebSocket.
    pub ws_port: Option<u16>,
    /// A host name or address that reaches the node from its own machine.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// When it became ready (RFC 3339).
    pub started: String,
}

/// The right to use a data folder; given back when dropped or when the process ends in any way.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
    runtime_file: PathBuf,
}

impl Runtime {
    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain fields always serialize")
    }

    /// What the node that runs on a data folder wrote; an error when none runs.
    pub fn read_running(data_dir: &Path) -> Result<Self> {
        if !is_locked(data_dir)? {
            return Err(not_running(data_dir));
        }
        let text = std::fs::read_to_string(data_dir.join(RUNTIME_FILE)).map_err(|_| {
            err!(CANNOT_CONNECT_NOW, "the node on data folder \"{}\" is not ready yet", data_dir.display())
        })?;
        serde_json::from_str(&text)
            .map_err(|e| err!(DATA_CORRUPTED, "\"{}\" is damaged: {e}", data_dir.join(RUNTIME_FILE).display()))
    }

    /// Writes it into the data folder; readers see the old or the new one.
    pub fn write(&self, data_dir: &Path) -> Result<()> {
        let temporary = data_dir.join(format!("{RUNTIME_FILE}.new"));
        std::fs::write(&temporary, self.to_json())?;
        Ok(std::fs::rename(temporary, data_dir.join(RUNTIME_FILE))?)
    }
}

impl DataDirLock {
    /// Takes the folder (made if it is missing), or says that another node has it.
    pub fn acquire(data_dir: &Path) -> Result<Self> {
        let folder_error = |e: std::io::Error| {
            let error = Error::from(e);
            Error::new(error.code(), format!("could not use data folder \"{}\": {error}", data_dir.display()))
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(folder_error)?;
        let path = data_dir.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(folder_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(err!(
                    OBJECT_IN_USE,
                    "data folder \"{}\" is in use by another aerolithdb process",
                    data_dir.display()
                ));
            }
            Err(TryLockError::Error(e)) => return Err(folder_error(e)),
        }
        let runtime_file = data_dir.join(RUNTIME_FILE);
        // What a node that was killed left behind is not true any more.
        match std::fs::remove_file(&runtime_file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(folder_error(e)),
            _ => {}
        }
        Ok(Self { _file: file, runtime_file })
    }
}

impl Drop for DataDirLock {
    fn drop(&mut self) {
        // If it stays, the next reader finds the lock free and the next node removes it.
        let _ = std::fs::remove_file(&self.runtime_file);
    }
}

fn is_locked(data_dir: &Path) -> Result<bool> {
    let Ok(file) = File::open(data_dir.join(LOCK_FILE)) else { return Ok(false) };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e.into()),
    }
}

fn not_running(data_dir: &Path) -> Error {
    err!(CANNOT_CONNECT_NOW, "no node is running on data folder \"{}\"", data_dir.display())
        .hint("Start one with \"aerolithdb start\", or name the folder with --data-dir.")
}

/// The superuser's password: the one in the file, else `given`, else a random one; kept in the file (0600).
pub fn admin_password(data_dir: &Path, given: Option<&str>) -> Result<String> {
    if let Some(password) = read_admin_password(data_dir)? {
        return Ok(password);
    }
    let password = match given.filter(|text| !text.is_empty()) {
        Some(text) if text.contains(['\n', '\r', '\0']) => {
            return Err(err!(CONFIG_FILE_ERROR, "AEROLITHDB_ADMIN_PASSWORD must be one line"));
        }
        Some(text) => text.to_string(),
        None => random_password(),
    };
    write_private(data_dir, PASSWORD_FILE, format!("{password}\n").as_bytes())?;
    Ok(password)
}

/// A secret of this node, made at the first start.
pub fn secret(data_dir: &Path) -> Result<[u8; 32]> {
    if let Ok(bytes) = std::fs::read(data_dir.join(SECRET_FILE))
        && let Ok(secret) = bytes.try_into()
    {
        return Ok(secret);
    }
    let secret: [u8; 32] = rand::random();
    write_private(data_dir, SECRET_FILE, &secret)?;
    Ok(secret)
}

/// Writes a file that only its owner may read; it is there whole or not at all.
fn write_private(data_dir: &Path, name: &str, content: &[u8]) -> Result<()> {
    let temporary = data_dir.join(format!("{name}.new"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(std::fs::rename(temporary, data_dir.join(name))?)
}

fn read_admin_password(data_dir: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(data_dir.join(PASSWORD_FILE)) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\n', '\r']).to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(err!(IO_ERROR, "could not read \"{}\": {e}", data_dir.join(PASSWORD_FILE).display())),
    }
}

/// 32 letters and digits: 190 bits, nothing that a shell or an URL would have to quote.
fn random_password() -> String {
    use rand::Rng;
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(32).map(char::from).collect()
}

/// A connection string for the node that runs on a data folder, as its superuser.
pub fn dsn(data_dir: &Path) -> Result<String> {
    let running = Runtime::read_running(data_dir)?;
    let password = read_admin_password(data_dir)?.ok_or_else(|| {
        err!(UNDEFINED_FILE, "there is no \"{}\"", data_dir.join(PASSWORD_FILE).display()).hint(
            "It holds the superuser's password since the first start; without it, write the connection string by hand.",
        )
    })?;
    let host = if running.host.contains(':') { format!("[{}]", running.host) } else { running.host };
    Ok(format!("postgresql://{ADMIN_USER}:{}@{host}:{}/{DEFAULT_DATABASE}", url_encode(&password), running.pg_port))
}

/// Percent-encodes everything that is not unreserved in a URL.
fn url_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn runtime(host: &str) -> Runtime {
        Runtime {
            pg_port: 5,
            http_port: None,
            grpc_port: None,
            ws_port: None,
            host: host.into(),
            pid: 1,
            started: "now".into(),
        }
    }

    #[test]
    fn the_ready_line() {
        let line = runtime("127.0.0.1").to_json();
        assert!(line.starts_with(r#"{"pg_port":5,"http_port":null,"grpc_port":null,"ws_port":null,"#), "{line}");
    }

    #[test]
    fn a_folder_has_one_node() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert!(dsn(&data).unwrap_err().message().starts_with("no node is running"));
        let lock = DataDirLock::acquire(&data).unwrap();
        assert_eq!(DataDirLock::acquire(&data).unwrap_err().code().as_str(), "55006");
        assert!(dsn(&data).unwrap_err().message().ends_with("is not ready yet"));
        admin_password(&data, Some("p@ss/ü")).unwrap();
        runtime("::1").write(&data).unwrap();
        assert_eq!(dsn(&data).unwrap(), "postgresql://aerolith:p%40ss%2F%C3%BC@[::1]:5/aerolith");
        drop(lock);
        assert!(dsn(&data).is_err());
        assert!(DataDirLock::acquire(&data).is_ok());
    }

    #[test]
    fn the_password_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = admin_password(folder.path(), None).unwrap();
        assert!(first.len() >= 24 && first.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(admin_password(folder.path(), Some("other")).unwrap(), first);
        let mode = std::fs::metadata(folder.path().join(PASSWORD_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        assert!(admin_password(other.path(), Some("two\nlines")).is_err());
    }
}
