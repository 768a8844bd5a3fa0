//! [`Node`]: a running server, the only place where the parts meet.
//!
//! Start: take the data folder, open storage (which recovers, or makes the first superuser and
//! databases), open the sockets, write `server.json`. Stop, in the other order: no new connections, running statements end
//! with 57P01, connections close, storage is flushed and closed, the folder is given back.
//!
//! - [`runtime`]: what the command line knows of a running node.

pub mod runtime;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::err;
use crate::error::Result;
use crate::exec::{Proposer, Server, ServerConfig};
use crate::pg;
use crate::security::scram::Verifier;
use crate::storage::command::{Command, Outcome};
use crate::storage::{Engine, StorageConfig};

use runtime::{DataDirLock, Runtime};

/// How long connections get to end by themselves at shutdown before they are cut.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// A running server.
pub struct Node {
    runtime: Runtime,
    data_dir: PathBuf,
    pg: pg::Listener,
    server: Arc<Server>,
    engine: Arc<Engine>,
    // Last: the folder is given back when everything else is closed.
    _lock: DataDirLock,
}

/// Commits through the engine of this node: a cluster of one.
struct LocalProposer(Arc<Engine>);

impl Proposer for LocalProposer {
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome>> {
        Box::pin(self.0.submit(command))
    }
}

impl Node {
    /// Starts a node; when this returns, it takes connections.
    pub async fn start(config: Config, admin_password: Option<&str>) -> Result<Self> {
        config.validate()?;
        // A tree with more than one crypto provider would have no default; ours is ring. An error means it is set.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let data_dir = config.storage.data_dir.clone();
        let lock = DataDirLock::acquire(&data_dir)?;
        let address = SocketAddr::new(config.pg.address()?, config.pg.port);
        let socket =
            TcpListener::bind(address).await.map_err(|e| err!(IO_ERROR, "could not listen on {address}: {e}"))?;

        let password = runtime::admin_password(&data_dir, admin_password)?;
        let storage = storage_config(&config, &password);
        let engine = blocking(move || Engine::open(&storage, Arc::new(crate::exec::Kernels))).await?;
        let proposer: Arc<dyn Proposer> = Arc::new(LocalProposer(engine.clone()));
        let server = Server::new(engine.clone(), proposer, server_config(&config))?;

        let port = socket.local_addr()?.port();
        let pg = pg::Listener::start(socket, server.clone(), config.pg.clone(), runtime::secret(&data_dir)?)?;
        let runtime = Runtime {
            pg_port: port,
            http_port: None,
            grpc_port: None,
            ws_port: None,
            host: own_host(address.ip()),
            pid: std::process::id(),
            started: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        };
        runtime.write(&data_dir)?;
        tracing::info!(address = %SocketAddr::new(address.ip(), port), data_dir = %data_dir.display(), "node ready");
        Ok(Self { runtime, data_dir, pg, server, engine, _lock: lock })
    }

    /// How it is reached.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A connection string for the superuser.
    pub fn dsn(&self) -> Result<String> {
        runtime::dsn(&self.data_dir)
    }

    /// The part that sessions share.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Ends it cleanly.
    pub async fn stop(self) -> Result<()> {
        let Self { pg, server, engine, _lock, .. } = self;
        pg.stop(SHUTDOWN_GRACE, || server.cancel_all()).await;
        drop(server);
        blocking(move || {
            engine.close();
            Ok(())
        })
        .await?;
        tracing::info!("node stopped");
        Ok(())
    }
}

/// Runs what blocks on a thread for that.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| crate::error::Error::internal(e.to_string()))?
}

fn storage_config(config: &Config, password: &str) -> StorageConfig {
    let storage = &config.storage;
    StorageConfig {
        data_dir: storage.data_dir.clone(),
        memory: storage.memory.0 as usize,
        max_transaction_bytes: storage.transaction_size_max.0 as usize,
        log_segment_bytes: storage.log_segment_size.0,
        admin_password: Some(Verifier::generate(password).to_string()),
        ..StorageConfig::default()
    }
}

fn server_config(config: &Config) -> ServerConfig {
    let defaults = ServerConfig::default();
    ServerConfig {
        memory_limit: config.exec.memory_limit.0 as usize,
        spill_dir: config.storage.data_dir.join("spill"),
        spill_bytes_max: config.exec.spill_limit.0,
        parallelism: match config.exec.parallelism {
            0 => defaults.parallelism,
            n => n,
        },
        ..defaults
    }
}

/// The address by which the node's own machine reaches a listening address.
fn own_host(listen: IpAddr) -> String {
    match listen {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => "::1".to_string(),
        ip => ip.to_string(),
    }
}
