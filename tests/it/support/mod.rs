//! What tests need: a node in this process on a free port and a temporary folder, and clients for it.

pub mod process;
pub mod raw;

use std::path::Path;

use aerolithdb::config::Config;
use aerolithdb::node;
use tokio_postgres::{AsyncMessage, Client, NoTls};

/// A node that ends with the test.
pub struct Node {
    node: Option<node::Node>,
    folder: tempfile::TempDir,
}

impl Node {
    /// A node with default settings.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A node whose configuration is changed first.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), change);
        Self { node: Some(node::Node::start(config, None).await.unwrap()), folder }
    }

    /// The running node.
    pub fn node(&self) -> &node::Node {
        self.node.as_ref().unwrap()
    }

    /// The port of the PostgreSQL protocol.
    pub fn port(&self) -> u16 {
        self.node().runtime().pg_port
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// The superuser's password.
    pub fn password(&self) -> String {
        std::fs::read_to_string(self.data_dir().join("admin.password")).unwrap().trim().to_string()
    }

    /// How to connect as superuser, as `key=value` pairs without a database.
    pub fn key_values(&self) -> String {
        format!("host=127.0.0.1 port={} user=aerolith password={}", self.port(), self.password())
    }

    /// A client connected as superuser.
    pub async fn connect(&self) -> Client {
        self.connect_with("").await
    }

    /// The same with more connection parameters, as `key=value`.
    pub async fn connect_with(&self, parameters: &str) -> Client {
        let separator = if parameters.is_empty() { "" } else { "?" };
        let dsn = format!("{}{separator}{parameters}", self.node().dsn().unwrap());
        let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A client, and what the server says to it by itself.
    pub async fn connect_listening(&self) -> (Client, tokio::sync::mpsc::UnboundedReceiver<AsyncMessage>) {
        let (client, mut connection) = tokio_postgres::connect(&self.node().dsn().unwrap(), NoTls).await.unwrap();
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
                let _ = sender.send(message);
            }
        });
        (client, receiver)
    }

    /// A raw, authenticated connection.
    pub async fn raw(&self) -> raw::Raw {
        let mut raw = raw::Raw::connect(self.port()).await;
        raw.log_in("aerolith", &self.password(), "aerolith").await;
        raw
    }

    /// Ends the node and starts it again on the same folder.
    pub async fn restart(&mut self) {
        self.node.take().unwrap().stop().await.unwrap();
        self.node = Some(node::Node::start(config(self.folder.path(), |_| {}), None).await.unwrap());
    }

    /// Ends the node.
    pub async fn stop(mut self) {
        self.node.take().unwrap().stop().await.unwrap();
    }
}

fn config(data_dir: &Path, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.storage.data_dir = data_dir.to_path_buf();
    config.storage.memory = aerolithdb::config::ByteSize(64 << 20);
    config.pg.port = 0;
    change(&mut config);
    config
}

/// The SQLSTATE of a failed call.
pub fn code<T>(result: Result<T, tokio_postgres::Error>) -> String {
    match result {
        Ok(_) => "no error".to_string(),
        Err(error) => error.code().map_or_else(|| format!("{error:?}"), |code| code.code().to_string()),
    }
}

/// The message of a failed call.
pub fn message<T>(result: Result<T, tokio_postgres::Error>) -> String {
    match result {
        Ok(_) => "no error".to_string(),
        Err(error) => error.as_db_error().map_or_else(|| format!("{error:?}"), |report| report.message().to_string()),
    }
}

/// Waits until a condition holds; fails after a while.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !holds().await {
        assert!(std::time::Instant::now() < limit, "{what} did not happen");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
