//! `aerolithdb status`: whether a node runs on a data folder, and what it answers.

use crate::config::Config;
use crate::err;
use crate::error::Result;
use crate::node::runtime::{self, Runtime};

use super::{client_runtime, shell};

/// Prints the node's state; an error when none runs.
pub(super) fn run(config: &Config) -> Result<()> {
    let data_dir = &config.storage.data_dir;
    let running = Runtime::read_running(data_dir)?;
    let dsn = runtime::dsn(data_dir)?;
    client_runtime()?.block_on(async {
        let client = shell::connect(&dsn).await?;
        let version = client
            .simple_query("SHOW server_version")
            .await
            .map_err(|e| err!(CONNECTION_FAILURE, "the node does not answer: {}", shell::describe(&e)))?
            .into_iter()
            .find_map(|m| match m {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
                _ => None,
            })
            .unwrap_or_default();
        println!("state           running");
        println!("pid             {}", running.pid);
        println!("data folder     {}", data_dir.display());
        println!("postgresql      {}:{}", running.host, running.pg_port);
        println!("server version  {version}");
        println!("started         {}", running.started);
        Ok(())
    })
}
