//! `aerolithdb start`: runs a node until a signal ends it.

use std::io::Write;

use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Environment};
use crate::error::Result;
use crate::node::Node;
use crate::telemetry;

/// Threads beside those that serve connections, at least. They are made when they are needed.
const THREADS_MAX: usize = 512;

/// Runs a node; returns when it has ended cleanly.
pub(super) fn run(config: Config, environment: &Environment) -> Result<()> {
    telemetry::init(&config.log, environment)?;
    let admin_password = environment.get("AEROLITHDB_ADMIN_PASSWORD").map(str::to_string);
    // A statement that computes for long takes a thread to itself, and so does each part of a scan.
    let threads_max = THREADS_MAX.max(2 * config.pg.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(threads_max).build()?;
    runtime.block_on(async {
        // Before the node is announced: who reads the line may send a signal at once.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let node = Node::start(config, admin_password.as_deref()).await?;
        announce(&node)?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("received SIGTERM"),
            _ = interrupt.recv() => tracing::info!("received SIGINT"),
        }
        node.stop().await
    })
}

/// The line that says that the node is ready.
fn announce(node: &Node) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", node.runtime().to_json())?;
    Ok(stdout.flush()?)
}
