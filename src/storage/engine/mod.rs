//! [`Engine`]: the facade of storage. Reads go through snapshots, writes through [`submit`](Engine::submit).
//!
//! ```text
//! submit -> queue -> writer thread: log.append*, log.sync -> state machine.apply* -> publish snapshot -> answer
//! ```
//!
//! Everything here blocks only for memory, never for the disk, except reads through a snapshot that miss the cache,
//! [`Engine::open`] and [`Engine::close`].

#[cfg_attr(not(feature = "server"), allow(dead_code))]
mod lock;
mod queue;
mod writer;

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use super::backend::{BackendStatus, StorageBackend};
use super::bootstrap::bootstrap;
use super::catalog::{BOOTSTRAP_ROLE, Catalog, Entry, Sequence};
use super::changes::{Changes, Subscription};
use super::command::{Command, CommandId, Mutation, Outcome, Position};
use super::config::StorageConfig;
use super::evaluator::Evaluator;
use super::log::disk::Disk;
use super::log::{Log, Recovery};
use super::memory::MemoryBackend;
use super::sequence::{self, Live, SequenceState};
use super::snapshot::{ScanOptions, Snapshot};
use super::state_machine::StateMachine;
use crate::document::Oid;
use crate::document::key::decode_rowid;
use crate::err;
use crate::error::{Error, Result};
use queue::Queue;
pub use queue::Submission;
use writer::Writer;

/// Storage, open.
pub struct Engine {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    backend: Arc<dyn StorageBackend>,
    recovery: Recovery,
    /// Held until the engine is dropped.
    _lock: Option<lock::Lock>,
}

/// What the engine and its writer share.
struct Shared {
    queue: Queue,
    published: RwLock<Snapshot>,
    changes: Changes,
    counters: Counters,
    sequences: Mutex<HashMap<Oid, Live>>,
    rowids: RwLock<HashMap<Oid, Arc<AtomicI64>>>,
}

#[derive(Default)]
struct Counters {
    commands: AtomicU64,
    groups: AtomicU64,
    segments: AtomicU64,
}

/// Figures of an engine, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineStatus {
    /// The position of the last command that is visible.
    pub position: Position,
    /// The catalog's version.
    pub catalog_version: u64,
    /// Commands committed or rejected since the start.
    pub commands: u64,
    /// Groups of commands that shared one sync.
    pub groups: u64,
    /// Commands that wait.
    pub queue_commands: usize,
    /// Bytes of the commands that wait.
    pub queue_bytes: usize,
    /// Log files, as of the last change of their number.
    pub log_segments: u64,
    /// What the start had to do.
    pub recovery: Recovery,
    /// The backend.
    pub backend: BackendStatus,
    /// Why nothing can be written any more.
    pub failure: Option<String>,
}

impl Shared {
    fn snapshot(&self) -> Snapshot {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a snapshot the one that is handed out. `sequences` were set by commands: what is in memory is outdated.
    fn publish(&self, snapshot: Snapshot, sequences: &[Oid]) {
        let old = std::mem::replace(&mut *self.published.write().unwrap_or_else(PoisonError::into_inner), snapshot);
        drop(old);
        if !sequences.is_empty() {
            let mut live = self.sequences.lock().unwrap_or_else(PoisonError::into_inner);
            live.retain(|oid, _| !sequences.contains(oid));
        }
    }
}

impl Engine {
    /// Opens the data folder, which is made when it is not there, and replays what the row store has not kept.
    #[cfg(feature = "server")]
    pub fn open(config: &StorageConfig, evaluator: Arc<dyn Evaluator>) -> Result<Arc<Self>> {
        use super::log::disk::Folder;
        use super::rocks::RocksBackend;

        let lock = lock::Lock::take(&config.data_dir)?;
        let backend = Arc::new(RocksBackend::open(&config.data_dir.join("rows"), config)?);
        let disk = Folder::open(&config.data_dir.join("log"))?;
        Self::start(config, backend, Box::new(disk), evaluator, Some(lock))
    }

    /// An engine that keeps everything in memory and forgets it when it is dropped.
    pub fn in_memory(config: &StorageConfig, evaluator: Arc<dyn Evaluator>) -> Result<Arc<Self>> {
        let disk = super::log::disk::ForgetfulDisk::new();
        Self::with_parts(config, Arc::new(MemoryBackend::new()), Box::new(disk), evaluator)
    }

    /// An engine on a backend and a disk of one's own.
    pub fn with_parts(
        config: &StorageConfig,
        backend: Arc<dyn StorageBackend>,
        disk: Box<dyn Disk>,
        evaluator: Arc<dyn Evaluator>,
    ) -> Result<Arc<Self>> {
        Self::start(config, backend, disk, evaluator, None)
    }

    fn start(
        config: &StorageConfig,
        backend: Arc<dyn StorageBackend>,
        disk: Box<dyn Disk>,
        evaluator: Arc<dyn Evaluator>,
        lock: Option<lock::Lock>,
    ) -> Result<Arc<Self>> {
        let mut machine = StateMachine::open(backend.clone(), evaluator)?;
        let applied = machine.applied();
        let mut replay = |position, command: Command| machine.apply(position, &command).map(drop);
        let (log, recovery) = Log::open(disk, config.log_segment_bytes, applied, &mut replay)?;
        if recovery.replayed > 0 || recovery.torn_bytes > 0 {
            let Recovery { replayed, torn_bytes, time } = recovery;
            tracing::info!(from = applied.0, replayed, torn_bytes, ?time, "recovered from the log");
        }
        let shared = Arc::new(Shared {
            queue: Queue::new(config),
            published: RwLock::new(machine.snapshot()),
            changes: Changes::new(config.changes_max),
            counters: Counters::default(),
            sequences: Mutex::default(),
            rowids: RwLock::default(),
        });
        let segments_kept = config.log_segments_kept;
        let writer = Writer { shared: shared.clone(), machine, log, backend: backend.clone(), segments_kept };
        let thread = std::thread::Builder::new().name("storage-writer".into()).spawn(move || writer.run())?;
        let engine = Arc::new(Self { shared, writer: Mutex::new(Some(thread)), backend, recovery, _lock: lock });
        if engine.snapshot().position() == Position(0) {
            engine.bootstrap(config)?;
        }
        Ok(engine)
    }

    fn bootstrap(&self, config: &StorageConfig) -> Result<()> {
        match self.submit(bootstrap(config.admin_password.clone(), now())).wait()? {
            Outcome::Committed(_) => Ok(()),
            Outcome::Rejected(error) => Err(error),
        }
    }

    /// A view of everything that was committed. Costs one reference count.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// The catalog as it is now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.snapshot().catalog().clone()
    }

    /// Queues a command; the answer comes when it is on disk, applied and visible.
    pub fn submit(&self, command: Command) -> Submission {
        self.shared.queue.submit(command, false)
    }

    /// What is committed from now on, in order.
    pub fn subscribe(&self) -> Subscription {
        self.shared.changes.subscribe()
    }

    /// Hands out `count` row ids of a table's storage, which has no key columns: the first of them. Ids are not given
    /// back when a transaction fails. Keys are made from them with [`encode_rowid`](crate::document::key::encode_rowid).
    pub fn next_rowids(&self, storage: Oid, count: u32) -> Result<i64> {
        let next = self.rowid_counter(storage)?;
        let first = next.fetch_add(i64::from(count), Ordering::Relaxed);
        match first.checked_add(i64::from(count)) {
            Some(_) => Ok(first),
            None => Err(err!(PROGRAM_LIMIT_EXCEEDED, "the table has no row ids left")),
        }
    }

    /// Forgets the row ids handed out for a storage that never had a stored row.
    pub fn forget_rowids(&self, storage: Oid) {
        self.shared.rowids.write().unwrap_or_else(PoisonError::into_inner).remove(&storage);
    }

    fn rowid_counter(&self, storage: Oid) -> Result<Arc<AtomicI64>> {
        let rowids = &self.shared.rowids;
        if let Some(next) = rowids.read().unwrap_or_else(PoisonError::into_inner).get(&storage) {
            return Ok(next.clone());
        }
        // Nobody can have committed ids that were not handed out here, so any snapshot will do.
        let mut counters = rowids.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = counters.get(&storage) {
            return Ok(next.clone());
        }
        let options = ScanOptions { reverse: true, bulk: false };
        let mut rows = self.snapshot().scan(storage, Bound::Unbounded, Bound::Unbounded, options);
        let next = match rows.advance()? {
            true => decode_rowid(rows.key())?.saturating_add(1),
            false => 1,
        };
        let next = Arc::new(AtomicI64::new(next));
        counters.insert(storage, next.clone());
        Ok(next)
    }

    /// The next value of a sequence (2200H at its end). Not undone when a transaction fails.
    pub fn nextval(&self, sequence: &Sequence) -> Result<i64> {
        self.with_sequence(sequence, |live| {
            let mut next = *live;
            let (value, log) = next.next(sequence)?;
            *live = next;
            Ok((value, log))
        })
    }

    /// Sets a sequence (22003 outside of its range). Not undone when a transaction fails.
    pub fn setval(&self, sequence: &Sequence, last_value: i64, is_called: bool) -> Result<()> {
        sequence::check_range(sequence, last_value)?;
        let state = SequenceState { last_value, is_called };
        self.with_sequence(sequence, |live| {
            *live = Live::new(state);
            Ok(((), Some(state)))
        })
    }

    /// The state of a sequence as `SELECT ... FROM sequence` shows it.
    pub fn sequence_state(&self, sequence: &Sequence) -> Result<SequenceState> {
        self.with_sequence(sequence, |live| Ok((live.state, None)))
    }

    /// Works on the state of a sequence in memory and queues what it wants logged. The order of the queue is the order
    /// in which values were taken, because both happen under one lock.
    fn with_sequence<T>(
        &self,
        sequence: &Sequence,
        work: impl FnOnce(&mut Live) -> Result<(T, Option<SequenceState>)>,
    ) -> Result<T> {
        let oid = sequence.oid;
        let mut sequences = self.shared.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        let live = match sequences.entry(oid) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let snapshot = self.snapshot();
                if !matches!(snapshot.catalog().get(oid).map(|e| &**e), Some(Entry::Sequence(_))) {
                    return Err(err!(UNDEFINED_TABLE, "could not open relation with OID {oid}"));
                }
                let state = snapshot.sequence(oid)?.unwrap_or_else(|| SequenceState::start(sequence));
                entry.insert(Live::new(state))
            }
        };
        let (value, log) = work(live)?;
        if let Some(SequenceState { last_value, is_called }) = log {
            let mutation = Mutation::Sequence { oid, last_value, is_called };
            drop(self.shared.queue.submit(internal_command(vec![mutation]), true));
        }
        Ok(value)
    }

    /// Figures for people.
    pub fn status(&self) -> EngineStatus {
        let snapshot = self.snapshot();
        let (queue_commands, queue_bytes) = self.shared.queue.depth();
        let counters = &self.shared.counters;
        EngineStatus {
            position: snapshot.position(),
            catalog_version: snapshot.catalog().version,
            commands: counters.commands.load(Ordering::Relaxed),
            groups: counters.groups.load(Ordering::Relaxed),
            queue_commands,
            queue_bytes,
            log_segments: counters.segments.load(Ordering::Relaxed),
            recovery: self.recovery,
            backend: self.backend.status(),
            failure: self.shared.queue.failure().map(|error| error.message().to_string()),
        }
    }

    /// Commits what waits, leaves a state that needs no replay, and refuses everything after it. Snapshots stay valid.
    pub fn close(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = writer.take() else { return };
        self.log_sequences();
        self.shared.queue.close();
        if thread.join().is_err() {
            tracing::error!("the storage writer panicked");
        }
        self.shared.changes.close();
    }

    /// Logs where the sequences really are, so that an orderly stop skips no values.
    fn log_sequences(&self) {
        let sequences = self.shared.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = sequences.iter().filter(|(_, live)| live.covered > 0);
        for (oid, Live { state: SequenceState { last_value, is_called }, .. }) in ahead {
            let mutation = Mutation::Sequence { oid: *oid, last_value: *last_value, is_called: *is_called };
            drop(self.shared.queue.submit(internal_command(vec![mutation]), true));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

/// A command that the engine makes itself. Its time stays out of it: nothing depends on it.
fn internal_command(mutations: Vec<Mutation>) -> Command {
    Command {
        id: CommandId(0),
        principal: BOOTSTRAP_ROLE,
        time: 0,
        database: 0,
        catalog_version: None,
        tables: Vec::new(),
        mutations,
    }
}

/// Microseconds since 2000-01-01 UTC.
fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_micros() as i64 - 946_684_800_000_000
}

#[cfg_attr(not(feature = "server"), allow(dead_code))]
/// The error of a data folder that another server uses.
fn in_use(path: &std::path::Path, pid: &str) -> Error {
    let path = path.display();
    let by = if pid.is_empty() { "another process".to_string() } else { format!("process {pid}") };
    err!(OBJECT_IN_USE, "data folder \"{path}\" is in use by {by}")
        .hint("Stop the other server first, or give this one another folder.")
}

#[cfg(test)]
mod tests;
