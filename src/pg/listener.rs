//! [`Listener`]: accepts connections, counts them, and ends them at shutdown. One task a connection; a panic in it ends
//! that connection and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::PgConfig;
use crate::err;
use crate::error::{Error, Result};
use crate::exec::Server;
use crate::security::tls::ServerTls;

use super::backend::{Severity, put_error};
use super::connection::Connection;
use super::startup;
use super::wire::{Stream, Wire};

/// The PostgreSQL front door of a node.
pub struct Listener {
    shared: Arc<Shared>,
    /// Ends when all tasks have ended: each holds a sender.
    ended: mpsc::Receiver<()>,
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) server: Arc<Server>,
    pub(super) config: PgConfig,
    pub(super) tls: Option<ServerTls>,
    /// Makes the salts of users that do not exist.
    pub(super) mock_secret: [u8; 32],
    /// Ends everything when cancelled.
    pub(super) shutdown: CancellationToken,
    /// Sockets, authenticated or not.
    sockets: AtomicUsize,
    /// Authenticated connections.
    sessions: AtomicUsize,
}

/// A place among the authenticated connections.
pub(super) struct Slot(Arc<Shared>);

impl Listener {
    /// Starts taking connections. `secret` stays the same over restarts: what is shown for users that do not exist is
    /// made from it.
    pub fn start(socket: TcpListener, server: Arc<Server>, config: PgConfig, secret: [u8; 32]) -> Result<Self> {
        let tls = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(ServerTls::load(certificate, key)?),
            _ => None,
        };
        let shared = Arc::new(Shared {
            mock_secret: secret,
            server,
            config,
            tls,
            shutdown: CancellationToken::new(),
            sockets: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
        });
        let (alive, ended) = mpsc::channel(1);
        tokio::spawn(accept(socket, shared.clone(), alive));
        Ok(Self { shared, ended })
    }

    /// Takes no more connections, ends the running statements with `cancel_all`, tells the clients (57P01), and waits
    /// for the connections to end, at most `grace`.
    pub async fn stop(mut self, grace: Duration, cancel_all: impl FnOnce()) {
        self.shared.shutdown.cancel();
        cancel_all();
        if tokio::time::timeout(grace, self.ended.recv()).await.is_err() {
            let connections = self.shared.sockets.load(Ordering::SeqCst);
            tracing::warn!(connections, "connections did not end in time");
        }
    }
}

impl Shared {
    /// A place for an authenticated client. The last few are for superusers.
    pub(super) fn take_slot(self: &Arc<Self>, is_superuser: bool) -> Result<Slot> {
        let (max, reserved) = (self.config.max_connections, self.config.superuser_reserved_connections);
        let limit = if is_superuser { max } else { max - reserved };
        let taken = self.sessions.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < limit).then_some(n + 1));
        match taken {
            Ok(_) => Ok(Slot(self.clone())),
            Err(n) if n < max => Err(err!(
                TOO_MANY_CONNECTIONS,
                "remaining connection slots are reserved for non-replication superuser connections"
            )),
            Err(_) => Err(too_many()),
        }
    }

    /// Sockets that may be open: those that are not authenticated yet get as many again.
    fn sockets_max(&self) -> usize {
        self.config.max_connections.saturating_mul(2)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::SeqCst);
    }
}

fn too_many() -> Error {
    err!(TOO_MANY_CONNECTIONS, "sorry, too many clients already")
}

async fn accept(socket: TcpListener, shared: Arc<Shared>, alive: mpsc::Sender<()>) {
    loop {
        let accepted = tokio::select! {
            _ = shared.shutdown.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (shared, alive) = (shared.clone(), alive.clone());
                tokio::spawn(async move {
                    serve(stream, peer, shared).await;
                    drop(alive);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: connections that end will free some.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// One connection from its first byte to its last.
async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let sockets = shared.sockets.fetch_add(1, Ordering::SeqCst) + 1;
    let _count = Count(shared.clone());
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut wire = Wire::new(Stream::Plain(stream));
    if sockets > shared.sockets_max() {
        put_error(&mut wire.output, Severity::Fatal, &too_many());
        return wire.close().await;
    }
    let Some((wire, session, slot)) = startup::run(wire, peer, &shared).await else { return };
    Connection::new(wire, session, shared).run().await;
    drop(slot);
}

/// Takes part in the count of sockets while it lives.
struct Count(Arc<Shared>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::SeqCst);
    }
}
