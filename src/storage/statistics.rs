//! How many rows and bytes each table has, counted as commands are applied and stored with them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::document::Oid;
use crate::error::Result;

/// The size of one table's storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStatistics {
    /// Rows.
    pub rows: u64,
    /// Bytes of their keys and values before compression.
    pub bytes: u64,
}

impl TableStatistics {
    pub(crate) fn encode(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.rows.to_be_bytes());
        out[8..].copy_from_slice(&self.bytes.to_be_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let (Some(rows), Some(size), 16) = (bytes.first_chunk(), bytes.last_chunk(), bytes.len()) else {
            return Err(crate::err!(DATA_CORRUPTED, "stored table statistics have {} bytes", bytes.len()));
        };
        Ok(Self { rows: u64::from_be_bytes(*rows), bytes: u64::from_be_bytes(*size) })
    }
}

/// A change of a table's size.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delta {
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
}

/// The sizes of all tables, by storage OID.
#[derive(Debug, Default)]
pub(crate) struct Statistics(RwLock<HashMap<Oid, TableStatistics>>);

impl Statistics {
    pub(crate) fn get(&self, storage: Oid) -> TableStatistics {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&storage).copied().unwrap_or_default()
    }

    /// What a change would make of a table's size. Saturates: after a crash in the middle of a large command the
    /// count may be a little off.
    pub(crate) fn after(&self, storage: Oid, delta: Delta) -> TableStatistics {
        let now = self.get(storage);
        TableStatistics {
            rows: now.rows.saturating_add_signed(delta.rows),
            bytes: now.bytes.saturating_add_signed(delta.bytes),
        }
    }

    pub(crate) fn set(&self, storage: Oid, size: TableStatistics) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(storage, size);
    }

    pub(crate) fn remove(&self, storage: Oid) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&storage);
    }
}
