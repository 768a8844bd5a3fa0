//! [`Server`]: what all sessions share: the engine, the proposer, limits, the registry for CancelRequest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use tokio::sync::Notify;

use crate::document::Oid;
use crate::error::Result;
use crate::storage::Engine;
use crate::storage::catalog::FIRST_TEMPORARY_OID;

use super::Proposer;
use super::advisory::Locks;
use super::buffer::Buffer;
use super::context::KeyCache;
use super::host::Shared;
use super::transaction::SharedBuffer;

/// Limits and folders.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Bytes of memory that queries may take together.
    pub memory_limit: usize,
    /// Where queries spill to.
    pub spill_dir: PathBuf,
    /// Bytes they may spill.
    pub spill_bytes_max: u64,
    /// Partitions a query is run in.
    pub parallelism: usize,
    /// Settings that a new session starts with (`statement_timeout`, ...).
    pub settings: Vec<(String, String)>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            memory_limit: 1 << 30,
            spill_dir: std::env::temp_dir().join("aerolithdb-spill"),
            spill_bytes_max: 16 << 30,
            parallelism: std::thread::available_parallelism().map_or(2, usize::from),
            settings: Vec::new(),
        }
    }
}

/// What all sessions share.
pub struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) proposer: Arc<dyn Proposer>,
    pub(crate) config: ServerConfig,
    backends: Mutex<HashMap<i32, Backend>>,
    next_pid: AtomicI32,
    next_temporary_oid: AtomicU32,
    pub(crate) index_keys: KeyCache,
    /// Generated columns and foreign keys by table.
    pub(crate) rules: super::rules::RulesCache,
    pub(crate) advisory: Locks,
    no_writes: SharedBuffer,
    runtime: Arc<RuntimeEnv>,
    /// When the server began, microseconds since 2000-01-01 UTC.
    pub(crate) started: i64,
}

/// What a CancelRequest and `pg_stat_activity` know of a session.
struct Backend {
    secret: Vec<u8>,
    cancel: Arc<Cancel>,
    shared: Weak<Shared>,
}

impl Server {
    /// An OID for a temporary object. After a thousand million of them they begin again.
    pub(crate) fn temporary_oid(&self) -> Oid {
        let next = |oid: Oid| Some(oid.checked_add(1).unwrap_or(FIRST_TEMPORARY_OID));
        match self.next_temporary_oid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(oid) | Err(oid) => oid,
        }
    }

    /// Makes the shared part.
    pub fn new(engine: Arc<Engine>, proposer: Arc<dyn Proposer>, config: ServerConfig) -> Result<Arc<Self>> {
        let runtime = super::lower::runtime(&config)?;
        Ok(Arc::new(Self {
            engine,
            proposer,
            config,
            backends: Mutex::default(),
            next_pid: AtomicI32::new(1),
            next_temporary_oid: AtomicU32::new(FIRST_TEMPORARY_OID),
            index_keys: KeyCache::default(),
            rules: super::rules::RulesCache::default(),
            advisory: Locks::default(),
            no_writes: Arc::new(Mutex::new(Buffer::new(0))),
            runtime,
            started: super::host::now(),
        }))
    }

    /// The storage engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Cancels what the session with this process id and secret is doing. A wrong secret does nothing.
    pub fn cancel(&self, pid: i32, secret: &[u8]) {
        let backends = self.lock();
        if let Some(backend) = backends.get(&pid)
            && backend.secret == secret
        {
            backend.cancel.cancel(CancelReason::User);
        }
    }

    /// The SCRAM-SHA-256 verifier of a role; `None` when there is no such role or it has no password.
    pub fn scram_verifier(&self, user: &str) -> Option<String> {
        self.engine.catalog().role(user)?.password.clone()
    }

    /// Whether a role exists and is a superuser.
    pub fn is_superuser(&self, user: &str) -> bool {
        self.engine.catalog().role(user).is_some_and(|role| role.superuser)
    }

    /// The number of sessions.
    pub fn session_count(&self) -> usize {
        self.lock().len()
    }

    /// Ends all sessions' running statements (57P01), at shutdown.
    pub fn cancel_all(&self) {
        for backend in self.lock().values() {
            backend.cancel.cancel(CancelReason::Shutdown);
        }
    }

    pub(crate) fn register(&self, secret: Vec<u8>, cancel: Arc<Cancel>) -> i32 {
        let mut backends = self.lock();
        loop {
            let pid = self.next_pid.fetch_add(1, Ordering::Relaxed);
            if pid <= 0 {
                self.next_pid.store(1, Ordering::Relaxed);
            } else if let Entry::Vacant(place) = backends.entry(pid) {
                place.insert(Backend { secret, cancel, shared: Weak::new() });
                return pid;
            }
        }
    }

    /// Lets others see a session (pg_stat_activity).
    pub(crate) fn attach(&self, pid: i32, shared: &Arc<Shared>) {
        if let Some(backend) = self.lock().get_mut(&pid) {
            backend.shared = Arc::downgrade(shared);
        }
    }

    /// The sessions there are.
    pub(crate) fn sessions(&self) -> Vec<Arc<Shared>> {
        self.lock().values().filter_map(|b| b.shared.upgrade()).collect()
    }

    /// How many sessions use a database.
    pub(crate) fn sessions_in(&self, database: Oid) -> usize {
        self.sessions().iter().filter(|s| s.database == database).count()
    }

    /// Ends the sessions of a database.
    pub(crate) fn terminate_sessions(&self, database: Oid) {
        for session in self.sessions().iter().filter(|s| s.database == database) {
            session.cancel.cancel(CancelReason::Shutdown);
        }
    }

    /// Cancels or terminates a session by its process id; whether there is one.
    pub(crate) fn signal(&self, pid: i32, reason: CancelReason) -> bool {
        match self.lock().get(&pid) {
            Some(backend) => {
                backend.cancel.cancel(reason);
                true
            }
            None => false,
        }
    }

    /// A buffer for statements that do not write.
    pub(crate) fn empty_buffer(&self) -> SharedBuffer {
        self.no_writes.clone()
    }

    /// What DataFusion's operators of one query share.
    pub(crate) fn task(&self) -> Arc<TaskContext> {
        super::lower::task(&self.runtime, self.config.parallelism)
    }

    /// Memory of the limit for what is not an operator of a query.
    pub(crate) fn reservation(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.runtime.memory_pool)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Backend>> {
        self.backends.lock().unwrap_or_else(|p| p.into_inner())
    }

    pub(crate) fn unregister(&self, pid: i32) {
        self.lock().remove(&pid);
    }
}

/// Why a statement is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// A CancelRequest or pg_cancel_backend.
    User = 1,
    /// statement_timeout.
    Timeout = 2,
    /// The server is going down, or pg_terminate_backend.
    Shutdown = 3,
}

/// A cancel flag that can be asked (by kernels) and waited for (by streams). Cleared when a statement begins.
///
/// It knows the statement's time limit too: a statement that computes without a pause never lets a timer run on its
/// thread, but it asks the flag.
#[derive(Default)]
pub struct Cancel {
    reason: AtomicU8,
    notify: Notify,
    /// When the statement's time is up, milliseconds of `since_start`; 0: never. Kernels that keep their thread see it
    /// by themselves, even when no timer can run.
    deadline: AtomicU64,
}

/// Milliseconds since the first call, and at least 1.
fn since_start() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64 + 1
}

impl Cancel {
    /// Asks the running statement to stop.
    pub fn cancel(&self, reason: CancelReason) {
        self.reason.store(reason as u8, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Sets when the running statement must be done.
    pub fn set_deadline(&self, after: Option<Duration>) {
        let at = after.map_or(0, |after| since_start().saturating_add(after.as_millis() as u64));
        self.deadline.store(at, Ordering::Relaxed);
    }

    /// Forgets a request that came for an earlier statement (a shutdown is never forgotten).
    pub fn clear(&self) {
        self.set_deadline(None);
        for reason in [CancelReason::User, CancelReason::Timeout] {
            let _ = self.reason.compare_exchange(reason as u8, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// The error to stop with, if it was asked for.
    pub fn check(&self) -> Result<()> {
        let reason = match (self.reason.load(Ordering::Relaxed), self.deadline.load(Ordering::Relaxed)) {
            (0, deadline) if deadline != 0 && since_start() > deadline => CancelReason::Timeout as u8,
            (reason, _) => reason,
        };
        match reason {
            0 => Ok(()),
            2 => Err(crate::err!(QUERY_CANCELED, "canceling statement due to statement timeout")),
            3 => Err(crate::err!(ADMIN_SHUTDOWN, "terminating connection due to administrator command")),
            _ => Err(crate::err!(QUERY_CANCELED, "canceling statement due to user request")),
        }
    }

    /// The error to stop with, when it is known to have been asked for.
    pub(crate) fn error(&self) -> crate::error::Error {
        match self.check() {
            Err(error) => error,
            Ok(()) => crate::err!(QUERY_CANCELED, "canceling statement due to user request"),
        }
    }

    /// Waits until it is asked for.
    pub async fn cancelled(&self) {
        loop {
            let notified = self.notify.notified();
            if self.reason.load(Ordering::SeqCst) != 0 {
                return;
            }
            notified.await;
        }
    }
}
