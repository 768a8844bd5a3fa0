//! [`StorageConfig`]: how storage is asked to run.

use std::path::PathBuf;

/// The settings of an engine.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageConfig {
    /// The folder that holds everything: `log/`, `rows/`, `lock`.
    pub data_dir: PathBuf,
    /// Memory for the block cache and the write buffers together, in bytes.
    pub memory: usize,
    /// A transaction whose changes take more bytes than this is refused (54000).
    pub max_transaction_bytes: usize,
    /// So many transactions, or
    pub queue_commands_max: usize,
    /// so many bytes of them, may wait to be committed; further ones are refused (53300).
    pub queue_bytes_max: usize,
    /// The size at which a new log file is begun.
    pub log_segment_bytes: u64,
    /// How many log files are kept although the row store does not need them any more.
    pub log_segments_kept: usize,
    /// Changes kept for slow subscribers of the change stream.
    pub changes_max: usize,
    /// The SCRAM verifier of the superuser that the first start makes.
    pub admin_password: Option<String>,
    /// Threads for compaction and flushes.
    pub background_jobs: usize,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            memory: 512 << 20,
            max_transaction_bytes: 1 << 30,
            queue_commands_max: 10_000,
            queue_bytes_max: 4 << 30,
            log_segment_bytes: 64 << 20,
            log_segments_kept: 2,
            changes_max: 16_384,
            admin_password: None,
            background_jobs: 2,
        }
    }
}
