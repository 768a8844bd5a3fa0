//! The command line: `start` runs a node, `dsn` says how to reach it, `sql` is a small shell, `status` asks it how it is.

// What a program says to its user goes to stdout; everything else in the crate logs.
#![allow(clippy::print_stdout)]

mod shell;
mod start;
mod status;
mod table;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Environment, Overrides};
use crate::error::{Error, Result};
use crate::node::runtime;

/// A PostgreSQL-compatible document database.
#[derive(Parser)]
#[command(name = "aerolithdb", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node. When it is ready, one line of JSON with its ports is printed; SIGTERM and SIGINT end it.
    Start(StartArgs),
    /// Print a connection string for the node that runs on a data folder.
    Dsn(Location),
    /// Run statements: those given with -c, or what is typed.
    Sql(SqlArgs),
    /// Say whether a node runs on a data folder, and how it is.
    Status(Location),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Default)]
struct Location {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "AEROLITHDB_CONFIG")]
    config: Option<PathBuf>,
    /// The folder with everything the node keeps [default: ./data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Args)]
struct StartArgs {
    #[command(flatten)]
    location: Location,
    /// Address to listen on [default: 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Port of the PostgreSQL protocol; 0 = any free one [default: 5432].
    #[arg(long, value_name = "N")]
    pg_port: Option<u16>,
    /// Port of REST and GraphQL (not built yet: not opened).
    #[arg(long, value_name = "N")]
    http_port: Option<u16>,
    /// Port of gRPC (not built yet: not opened).
    #[arg(long, value_name = "N")]
    grpc_port: Option<u16>,
    /// Port of WebSocket (not built yet: not opened).
    #[arg(long, value_name = "N")]
    ws_port: Option<u16>,
}

#[derive(Args)]
struct SqlArgs {
    #[command(flatten)]
    location: Location,
    /// Run this and exit; may be given several times.
    #[arg(short, long, value_name = "STATEMENT")]
    command: Vec<String>,
    /// Connection string [default: the node on the data folder].
    #[arg(env = "AEROLITHDB_DSN", hide_env_values = true)]
    dsn: Option<String>,
}

/// Runs the command that the process was started with.
pub fn run() -> Result<()> {
    let environment = Environment::of_process()?;
    match Cli::parse().command {
        Command::Start(args) => start::run(args.config(&environment)?, &environment),
        Command::Dsn(location) => {
            println!("{}", runtime::dsn(&location.config(&environment)?.storage.data_dir)?);
            Ok(())
        }
        Command::Sql(args) => {
            let dsn = match &args.dsn {
                Some(dsn) => dsn.clone(),
                None => runtime::dsn(&args.location.config(&environment)?.storage.data_dir)?,
            };
            shell::run(&dsn, &args.command)
        }
        Command::Status(location) => status::run(&location.config(&environment)?),
    }
}

/// An error on one line, with its detail and hint.
pub fn error_line(error: &Error) -> String {
    let report = error.report();
    let mut line = report.message.clone();
    for more in [&report.detail, &report.hint].into_iter().flatten() {
        line.push_str(if line.ends_with('.') { " " } else { ". " });
        line.push_str(more);
    }
    line.replace('\n', " ")
}

impl Location {
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::default();
        overrides.add("storage", "data_dir", self.data_dir.as_ref().map(|path| path.display()));
        overrides
    }

    fn config(&self, environment: &Environment) -> Result<Config> {
        Config::load(self.config.as_deref(), environment, &self.overrides())
    }
}

impl StartArgs {
    fn config(&self, environment: &Environment) -> Result<Config> {
        let mut overrides = self.location.overrides();
        overrides.add("pg", "listen", self.listen.as_ref());
        overrides.add("pg", "port", self.pg_port);
        overrides.add("api", "rest_port", self.http_port);
        overrides.add("api", "grpc_port", self.grpc_port);
        overrides.add("api", "websocket_port", self.ws_port);
        Config::load(self.location.config.as_deref(), environment, &overrides)
    }
}

/// A runtime for the commands that only talk to a node.
fn client_runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["aerolithdb", "start", "--pg-port", "0", "--data-dir", "/x", "--ws-port", "1"]);
        let Command::Start(args) = cli.unwrap().command else { panic!("start") };
        let config = args.config(&Environment::default()).unwrap();
        assert_eq!((config.pg.port, config.api.websocket_port, config.pg.listen.as_str()), (0, 1, "127.0.0.1"));
        assert_eq!(config.storage.data_dir, PathBuf::from("/x"));
    }

    #[test]
    fn errors_fit_one_line() {
        let error = crate::err!(IO_ERROR, "no\nroom").detail("Full.").hint("Buy a disk.");
        assert_eq!(error_line(&error), "no room. Full. Buy a disk.");
    }
}
