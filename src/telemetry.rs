//! Logging: `tracing` to stderr, as text or JSON lines. RUST_LOG decides what is logged, else the configuration.

use tracing_subscriber::EnvFilter;

use crate::config::{Environment, LogConfig, LogFormat};
use crate::err;
use crate::error::Result;

/// Installs the process's subscriber. A second call changes nothing (tests start many nodes in one process).
pub fn init(config: &LogConfig, environment: &Environment) -> Result<()> {
    let directives = environment.get("RUST_LOG").filter(|text| !text.is_empty()).unwrap_or(&config.filter);
    let filter = EnvFilter::try_new(directives)
        .map_err(|e| err!(CONFIG_FILE_ERROR, "invalid log filter \"{directives}\": {e}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a subscriber is there already, which is what was asked for.
    let _already_installed = match config.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
