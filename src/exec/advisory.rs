//! Advisory locks: shared and exclusive, of a session or a transaction, counted, by database and key. They are real:
//! who waits waits, until the lock is free, `lock_timeout` is over or the statement is cancelled.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::document::{Datum, Oid};
use crate::err;
use crate::error::{Error, Result};

use super::host::Shared;

/// How often a waiter looks whether it is to stop.
const POLL: Duration = Duration::from_millis(20);

/// What is locked: the database and one 64-bit or two 32-bit numbers; or a table and a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    database: Oid,
    is_pair: bool,
    /// A row that a statement locked; then the number is a hash of its key.
    is_row: bool,
    number: i64,
}

/// Who holds a lock, with counts by process id.
#[derive(Default)]
struct Holders {
    exclusive: Option<(i32, u64)>,
    shared: HashMap<i32, u64>,
}

impl Holders {
    fn take(&mut self, pid: i32, shared: bool) -> bool {
        let others_share = self.shared.keys().any(|p| *p != pid);
        match &mut self.exclusive {
            Some((owner, _)) if *owner != pid => false,
            Some((_, count)) if !shared => {
                *count += 1;
                true
            }
            _ if shared => {
                *self.shared.entry(pid).or_default() += 1;
                true
            }
            _ if others_share => false,
            exclusive => {
                *exclusive = Some((pid, 1));
                true
            }
        }
    }

    fn give(&mut self, pid: i32, shared: bool) -> bool {
        if shared {
            let Some(count) = self.shared.get_mut(&pid) else { return false };
            *count -= 1;
            if *count == 0 {
                self.shared.remove(&pid);
            }
            return true;
        }
        match &mut self.exclusive {
            Some((owner, count)) if *owner == pid => {
                *count -= 1;
                if *count == 0 {
                    self.exclusive = None;
                }
                true
            }
            _ => false,
        }
    }

    fn is_free(&self) -> bool {
        self.exclusive.is_none() && self.shared.is_empty()
    }
}

/// All advisory locks of a server.
#[derive(Default)]
pub(crate) struct Locks {
    held: Mutex<HashMap<Key, Holders>>,
    freed: Condvar,
}

impl Locks {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Holders>> {
        self.held.lock().unwrap_or_else(|p| p.into_inner())
    }

    fn try_take(&self, pid: i32, key: Key, shared: bool) -> bool {
        self.lock().entry(key).or_default().take(pid, shared)
    }

    /// Waits for a lock.
    fn take(&self, session: &Shared, key: Key, shared: bool) -> Result<()> {
        let timeout = session.lock().settings.timeout("lock_timeout");
        let started = Instant::now();
        let mut held = self.lock();
        while !held.entry(key).or_default().take(session.pid, shared) {
            session.cancel.check()?;
            if timeout.is_some_and(|t| started.elapsed() >= t) {
                return Err(err!(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"));
            }
            held = self.freed.wait_timeout(held, POLL).unwrap_or_else(|p| p.into_inner()).0;
        }
        Ok(())
    }

    /// Gives a lock back; whether it was held.
    pub(crate) fn give(&self, pid: i32, key: Key, shared: bool) -> bool {
        let mut held = self.lock();
        let Some(holders) = held.get_mut(&key) else { return false };
        let given = holders.give(pid, shared);
        if holders.is_free() {
            held.remove(&key);
        }
        self.freed.notify_all();
        given
    }

    /// Gives back everything that a session holds.
    pub(crate) fn give_all(&self, pid: i32) {
        let mut held = self.lock();
        held.retain(|_, holders| {
            holders.shared.remove(&pid);
            if holders.exclusive.is_some_and(|(owner, _)| owner == pid) {
                holders.exclusive = None;
            }
            !holders.is_free()
        });
        self.freed.notify_all();
    }
}

/// The functions `pg_[try_]advisory_[xact_]lock[_shared]` and `pg_advisory_unlock[_shared|_all]`; `None`: it is none.
pub(crate) fn call(session: &Shared, name: &str, args: &[Datum]) -> Option<Result<Datum>> {
    let locks = &session.server.advisory;
    if name == "pg_advisory_unlock_all" {
        give_session_locks(session);
        return Some(Ok(Datum::text("")));
    }
    let rest = name.strip_prefix("pg_")?;
    let (rest, is_try) = rest.strip_prefix("try_").map_or((rest, false), |r| (r, true));
    let rest = rest.strip_prefix("advisory_")?;
    let (rest, shared) = rest.strip_suffix("_shared").map_or((rest, false), |r| (r, true));
    let key = match args {
        [Datum::Int8(number)] => Key { database: session.database, is_pair: false, is_row: false, number: *number },
        [Datum::Int4(a), Datum::Int4(b)] => {
            let number = (i64::from(*a) << 32) | i64::from(*b as u32);
            Key { database: session.database, is_pair: true, is_row: false, number }
        }
        _ => return Some(Err(Error::internal("an advisory lock has one or two numbers"))),
    };
    let is_transaction = match rest {
        "lock" => false,
        "xact_lock" => true,
        "unlock" => {
            let mut state = session.lock();
            let at = state.advisory.iter().position(|held| *held == (key, shared, false));
            if let Some(at) = at {
                state.advisory.remove(at);
            }
            drop(state);
            let held = at.is_some() && locks.give(session.pid, key, shared);
            if !held {
                let kind = if shared { "ShareLock" } else { "ExclusiveLock" };
                let text = format!("you don't own a lock of type {kind}");
                session.notice("WARNING", Error::new(crate::error::SqlState::WARNING, text));
            }
            return Some(Ok(Datum::Bool(held)));
        }
        _ => return None,
    };
    let taken = if is_try {
        locks.try_take(session.pid, key, shared)
    } else {
        match super::functions::blocking(|| locks.take(session, key, shared)) {
            Ok(()) => true,
            Err(error) => return Some(Err(error)),
        }
    };
    if taken {
        session.lock().advisory.push((key, shared, is_transaction));
    }
    Some(Ok(if is_try { Datum::Bool(taken) } else { Datum::text("") }))
}

/// Locks a row until the transaction ends (FOR UPDATE, FOR SHARE), unless another session has it. Those who write rows
/// without asking for locks do not look: the commit finds out who lost.
pub(crate) fn try_lock_row(session: &Shared, table: Oid, row: &[u8], shared: bool) -> bool {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    let key = Key { database: table, is_pair: false, is_row: true, number: hasher.finish().cast_signed() };
    let mut state = session.lock();
    if state.advisory.contains(&(key, shared, true)) {
        return true;
    }
    let taken = session.server.advisory.try_take(session.pid, key, shared);
    if taken {
        state.advisory.push((key, shared, true));
    }
    taken
}

/// Gives back the locks that end with the transaction.
pub(crate) fn give_transaction_locks(session: &Shared) {
    let mut state = session.lock();
    if state.advisory.is_empty() {
        return;
    }
    let (ended, kept): (Vec<_>, Vec<_>) = state.advisory.drain(..).partition(|(_, _, is_transaction)| *is_transaction);
    state.advisory = kept;
    drop(state);
    for (key, shared, _) in ended {
        session.server.advisory.give(session.pid, key, shared);
    }
}

fn give_session_locks(session: &Shared) {
    let mut state = session.lock();
    let (kept, ended): (Vec<_>, Vec<_>) = state.advisory.drain(..).partition(|(_, _, is_transaction)| *is_transaction);
    state.advisory = kept;
    drop(state);
    for (key, shared, _) in ended {
        session.server.advisory.give(session.pid, key, shared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_counted_and_exclude_others() {
        let locks = Locks::default();
        let key = Key { database: 1, is_pair: false, is_row: false, number: 7 };
        assert!(locks.try_take(1, key, false) && locks.try_take(1, key, false));
        assert!(!locks.try_take(2, key, false) && !locks.try_take(2, key, true));
        assert!(locks.give(1, key, false) && !locks.try_take(2, key, true));
        assert!(locks.give(1, key, false) && locks.try_take(2, key, true));
        assert!(locks.try_take(3, key, true) && !locks.try_take(2, key, false));
        locks.give_all(3);
        assert!(locks.try_take(2, key, false));
        assert!(!locks.give(9, key, false));
    }
}
