//! [`MemoryBackend`]: the backend that tests run on. It keeps everything in a sorted map with versions, and can be told
//! to [`crash`](MemoryBackend::crash): then it is as it was at its last flush.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, RwLock};

use super::backend::{BackendSnapshot, BackendStatus, Batch, Cached, Cursor, Operation, Range, Space, StorageBackend};
use crate::error::Result;

type Key = (Space, Vec<u8>);
type Value = Option<Arc<[u8]>>;

/// A backend in memory.
#[derive(Clone, Default)]
pub struct MemoryBackend {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    data: RwLock<Data>,
    /// How many snapshots hold each sequence number.
    held: Mutex<BTreeMap<u64, usize>>,
}

#[derive(Clone, Default)]
struct Data {
    /// Versions of each key, oldest first: the sequence number from which the value holds.
    versions: BTreeMap<Key, Vec<(u64, Value)>>,
    sequence: u64,
    /// The state at the last flush.
    flushed: BTreeMap<Key, Arc<[u8]>>,
}

impl MemoryBackend {
    /// An empty backend.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a machine that loses power leaves: a backend with what was flushed, nothing else.
    pub fn crash(&self) -> Self {
        let flushed = self.data().flushed.clone();
        let versions = flushed.iter().map(|(key, value)| (key.clone(), vec![(0, Some(value.clone()))])).collect();
        let state = State { data: RwLock::new(Data { versions, sequence: 0, flushed }), held: Mutex::default() };
        Self { state: Arc::new(state) }
    }

    /// Everything that is there now, for comparisons in tests.
    pub fn dump(&self) -> BTreeMap<(Space, Vec<u8>), Vec<u8>> {
        let data = self.data();
        let live = data.versions.iter().filter_map(|(key, versions)| {
            let value = versions.last()?.1.as_ref()?;
            Some((key.clone(), value.to_vec()))
        });
        live.collect()
    }

    fn data(&self) -> std::sync::RwLockReadGuard<'_, Data> {
        self.state.data.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, usize>> {
        self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Data {
    /// Sets a value from the sequence number on, and forgets versions that no snapshot (from `oldest` on) can see.
    fn set(&mut self, key: Key, value: Value, oldest: u64) {
        let sequence = self.sequence;
        let versions = self.versions.entry(key.clone()).or_default();
        versions.retain(|(from, _)| *from < sequence);
        let visible = versions.iter().rposition(|(from, _)| *from <= oldest).unwrap_or(0);
        versions.drain(..visible);
        let gone = value.is_none();
        versions.push((sequence, value));
        if gone && oldest >= sequence {
            self.versions.remove(&key);
        }
    }

    fn keys(&self, space: Space, from: &[u8], to: Option<&[u8]>) -> Vec<Key> {
        self.versions.range(bounds(space, from, to)).map(|(key, _)| key.clone()).collect()
    }
}

fn bounds(space: Space, from: &[u8], to: Option<&[u8]>) -> (Bound<Key>, Bound<Key>) {
    let upper = match to {
        Some(to) => Bound::Excluded((space, to.to_vec())),
        None => match Space::ALL.get(space as usize + 1) {
            Some(next) => Bound::Excluded((*next, Vec::new())),
            None => Bound::Unbounded,
        },
    };
    (Bound::Included((space, from.to_vec())), upper)
}

fn visible(versions: &[(u64, Value)], sequence: u64) -> Option<&Arc<[u8]>> {
    versions.iter().rev().find(|(from, _)| *from <= sequence)?.1.as_ref()
}

impl StorageBackend for MemoryBackend {
    fn write(&self, batch: &Batch) -> Result<()> {
        let mut data = self.state.data.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        data.sequence += 1;
        let oldest = self.state.held().keys().next().copied().unwrap_or(data.sequence);
        for operation in batch.operations() {
            match operation {
                Operation::Put { space, key, value } => {
                    data.set((space, key.to_vec()), Some(value.into()), oldest);
                }
                Operation::Delete { space, key } => data.set((space, key.to_vec()), None, oldest),
                Operation::DeleteRange { space, from, to } => {
                    for key in data.keys(space, from, Some(to)) {
                        data.set(key, None, oldest);
                    }
                }
            }
        }
        Ok(())
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let data = self.data();
        let value = data.versions.get(&(space, key.to_vec())).and_then(|v| visible(v, u64::MAX));
        Ok(value.map(|v| v.to_vec()))
    }

    fn get_durable(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.data().flushed.get(&(Space::Catalog, key.to_vec())).map(|v| v.to_vec()))
    }

    fn snapshot(&self) -> Arc<dyn BackendSnapshot> {
        let data = self.data();
        *self.state.held().entry(data.sequence).or_default() += 1;
        Arc::new(MemorySnapshot { state: self.state.clone(), sequence: data.sequence })
    }

    fn flush(&self) -> Result<()> {
        let mut data = self.state.data.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let live = data.versions.iter();
        data.flushed = live.filter_map(|(k, v)| Some((k.clone(), v.last()?.1.clone()?))).collect();
        Ok(())
    }

    fn approximate_bytes(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<u64> {
        let data = self.data();
        let range = data.versions.range(bounds(space, lower, upper));
        Ok(range.map(|(k, v)| (k.1.len() + visible(v, u64::MAX).map_or(0, |v| v.len())) as u64).sum())
    }

    fn known_keys(&self, space: Space, lower: &[u8], upper: Option<&[u8]>) -> Result<Vec<Vec<u8>>> {
        let keys = self.data().keys(space, lower, upper);
        let step = keys.len() / 64 + 1;
        Ok(keys.into_iter().step_by(step).map(|(_, key)| key).collect())
    }

    fn status(&self) -> BackendStatus {
        BackendStatus { name: "memory", ..BackendStatus::default() }
    }
}

struct MemorySnapshot {
    state: Arc<State>,
    sequence: u64,
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut held = self.state.held();
        if let Some(count) = held.get_mut(&self.sequence) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.sequence);
            }
        }
    }
}

impl BackendSnapshot for MemorySnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let data = self.state.data.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let value = data.versions.get(&(space, key.to_vec())).and_then(|v| visible(v, self.sequence));
        Ok(value.map(|v| v.to_vec()))
    }

    fn get_cached(&self, space: Space, key: &[u8]) -> Result<Cached<Vec<u8>>> {
        self.get(space, key).map(Cached::Ready)
    }

    fn cursor(self: Arc<Self>, range: Range) -> Box<dyn Cursor> {
        let (lower, upper) = bounds(range.space, &range.lower, range.upper.as_deref());
        Box::new(MemoryCursor { snapshot: self, lower, upper, reverse: range.reverse, entry: None })
    }
}

struct MemoryCursor {
    snapshot: Arc<MemorySnapshot>,
    lower: Bound<Key>,
    upper: Bound<Key>,
    reverse: bool,
    entry: Option<(Key, Arc<[u8]>)>,
}

impl MemoryCursor {
    fn is_empty(&self) -> bool {
        match (&self.lower, &self.upper) {
            (Bound::Included(a), Bound::Excluded(b)) | (Bound::Excluded(a), Bound::Excluded(b)) => a >= b,
            _ => false,
        }
    }
}

impl Cursor for MemoryCursor {
    fn advance(&mut self) -> Result<bool> {
        self.entry = None;
        if self.is_empty() {
            return Ok(false);
        }
        let data = self.snapshot.state.data.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut range = data.versions.range((self.lower.clone(), self.upper.clone()));
        let sequence = self.snapshot.sequence;
        let shown = |(key, versions): (&Key, &Vec<_>)| Some((key.clone(), visible(versions, sequence)?.clone()));
        self.entry = match self.reverse {
            false => range.find_map(shown),
            true => range.rev().find_map(shown),
        };
        match &self.entry {
            Some((key, _)) if self.reverse => self.upper = Bound::Excluded(key.clone()),
            Some((key, _)) => self.lower = Bound::Excluded(key.clone()),
            None => {}
        }
        Ok(self.entry.is_some())
    }

    fn key(&self) -> &[u8] {
        self.entry.as_ref().map_or(&[], |(key, _)| &key.1)
    }

    fn value(&self) -> &[u8] {
        self.entry.as_ref().map_or(&[], |(_, value)| value)
    }
}
