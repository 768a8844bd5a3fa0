//! [`ReadView`]: the rows that one statement sees: a snapshot with the transaction's own writes laid over it.

use std::collections::HashMap;
use std::ops::{Bound, Deref};
use std::sync::Arc;

use crate::document::Oid;
use crate::error::Result;
use crate::storage::catalog::{Catalog, Table};
use crate::storage::command::Expect;
use crate::storage::snapshot::{IndexIter, Row, RowIter, ScanOptions, Snapshot};

use super::buffer::TableBuffer;

/// What one statement sees.
#[derive(Clone)]
pub(crate) struct ReadView {
    pub snapshot: Snapshot,
    /// The transaction's own writes; `None` when it has none.
    pub buffer: Option<Arc<HashMap<Oid, TableBuffer>>>,
    /// The catalog, with the transaction's own DDL.
    pub catalog: Arc<Catalog>,
}

/// A row's bytes, from the store or from the buffer.
#[derive(Clone, Debug)]
pub(crate) enum RowBytes {
    Stored(Row),
    Buffered(Arc<[u8]>),
}

impl Deref for RowBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Stored(row) => row.as_bytes(),
            Self::Buffered(row) => row,
        }
    }
}

/// A row that was found, and what a commit that changes it has to expect.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub row: RowBytes,
    pub expect: Expect,
}

/// A range of keys.
pub(crate) type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl ReadView {
    /// The buffered part of a table, if there is one.
    pub(crate) fn buffered(&self, table: Oid) -> Option<&TableBuffer> {
        self.buffer.as_ref()?.get(&table)
    }

    /// Whether an index has entries for the rows below the buffer: one made in this transaction has them only after the
    /// commit. Where the table's storage is new, there are no rows below.
    pub(crate) fn has_entries(&self, table: &Table, index: Oid) -> bool {
        let below = self.snapshot.catalog();
        match below.table(table.oid) {
            Some(known) if known.storage == table.storage => below.index(index).is_some(),
            _ => true,
        }
    }

    /// The row of a key.
    pub(crate) fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Found>> {
        if let Some(pending) = self.buffered(table.oid).and_then(|part| part.get(key)) {
            let expect = pending.expect;
            return Ok(pending.row.clone().map(|row| Found { row: RowBytes::Buffered(row), expect }));
        }
        let row = self.snapshot.get(table.storage, key)?;
        Ok(row.map(|row| Found { expect: Expect::Version(row.position()), row: RowBytes::Stored(row) }))
    }

    /// The rows of a table between two keys.
    pub(crate) fn scan(&self, table: &Table, range: &KeyRange, options: ScanOptions) -> ViewScan {
        let buffered = self.buffered(table.oid).filter(|part| !part.rows().is_empty()).cloned();
        let inner = self.snapshot.scan(table.storage, as_slice(&range.0), as_slice(&range.1), options);
        ViewScan {
            inner,
            inner_state: Inner::Unread,
            overlay: buffered.map(|part| Overlay {
                part,
                next: None,
                range: range.clone(),
                reverse: options.reverse,
                started: false,
            }),
            current: Current::None,
        }
    }

    /// Row keys by an index, in its order, for a range of encoded keys. Rows of the buffer are merged in.
    ///
    /// The caller has built the index's buffered entries (`Buffer::build_index`) when the table has buffered rows.
    pub(crate) fn index_keys(
        &self,
        table: &Table,
        index: Oid,
        range: &KeyRange,
        options: ScanOptions,
    ) -> Result<IndexKeysIter> {
        let mut own = Vec::new();
        let part = self.buffered(table.oid).filter(|part| !part.rows().is_empty()).cloned();
        if let Some(part) = &part {
            own = part
                .index_range(index, &range.0, &range.1)
                .ok_or_else(|| crate::error::Error::internal("the buffered entries of an index were not built"))?;
            if options.reverse {
                own.reverse();
            }
        }
        let inner = self.snapshot.index_scan(index, as_slice(&range.0), as_slice(&range.1), options);
        Ok(IndexKeysIter { inner, peeked: None, own: own.into_iter().peekable(), part, reverse: options.reverse })
    }
}

/// A borrowed bound.
pub(crate) fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(k) => Bound::Included(k),
        Bound::Excluded(k) => Bound::Excluded(k),
        Bound::Unbounded => Bound::Unbounded,
    }
}

enum Inner {
    Unread,
    Ready,
    End,
}

enum Current {
    None,
    Inner,
    Own(Arc<[u8]>, Arc<[u8]>),
}

/// Walks the buffered rows of a range by key: the map is shared, so the place is kept as a key, not as an iterator.
struct Overlay {
    part: TableBuffer,
    next: Option<Arc<[u8]>>,
    range: KeyRange,
    reverse: bool,
    started: bool,
}

impl Overlay {
    fn peek(&mut self) -> Option<&[u8]> {
        if !self.started {
            self.started = true;
            self.next = self.find(None);
        }
        self.next.as_deref()
    }

    fn step(&mut self) {
        let after = self.next.take();
        self.next = after.and_then(|key| self.find(Some(key)));
    }

    fn find(&self, after: Option<Arc<[u8]>>) -> Option<Arc<[u8]>> {
        let (mut lower, mut upper) = (as_slice(&self.range.0), as_slice(&self.range.1));
        if let Some(key) = &after {
            if self.reverse {
                upper = Bound::Excluded(key);
            } else {
                lower = Bound::Excluded(key);
            }
        }
        if is_empty(&lower, &upper) {
            return None;
        }
        let mut rows = self.part.rows().range::<_, [u8]>((lower, upper));
        let found = if self.reverse { rows.next_back() } else { rows.next() };
        found.map(|(key, _)| key.clone())
    }
}

/// `BTreeMap::range` panics on ranges that are turned around.
fn is_empty(lower: &Bound<&[u8]>, upper: &Bound<&[u8]>) -> bool {
    match (lower, upper) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(l), Bound::Included(u)) => l > u,
        (Bound::Excluded(l) | Bound::Included(l), Bound::Excluded(u) | Bound::Included(u)) => l >= u,
    }
}

/// The rows of a scan over snapshot and buffer, in order of key.
pub(crate) struct ViewScan {
    inner: RowIter,
    inner_state: Inner,
    overlay: Option<Overlay>,
    current: Current,
}

impl ViewScan {
    /// Moves to the next row; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        let Some(overlay) = &mut self.overlay else {
            let more = self.inner.advance()?;
            self.current = if more { Current::Inner } else { Current::None };
            return Ok(more);
        };
        loop {
            if matches!(self.inner_state, Inner::Unread) {
                self.inner_state = if self.inner.advance()? { Inner::Ready } else { Inner::End };
            }
            let inner = matches!(self.inner_state, Inner::Ready).then(|| self.inner.key());
            let Some(own) = overlay.peek() else {
                self.current = if inner.is_some() { Current::Inner } else { Current::None };
                if inner.is_some() {
                    self.inner_state = Inner::Unread;
                }
                return Ok(!matches!(self.current, Current::None));
            };
            let order = inner.map(|key| key.cmp(own));
            let own_first = match order {
                None => true,
                Some(order) => {
                    if order.is_eq() {
                        // The buffer's version hides the stored one.
                        self.inner_state = Inner::Unread;
                        true
                    } else if overlay.reverse {
                        order.is_lt()
                    } else {
                        order.is_gt()
                    }
                }
            };
            if !own_first {
                self.current = Current::Inner;
                self.inner_state = Inner::Unread;
                return Ok(true);
            }
            let key = overlay.next.clone().expect("it was there above");
            let row = overlay.part.get(&key).and_then(|pending| pending.row.clone());
            overlay.step();
            if let Some(row) = row {
                self.current = Current::Own(key, row);
                return Ok(true);
            }
        }
    }

    /// The current row's key.
    pub(crate) fn key(&self) -> &[u8] {
        match &self.current {
            Current::Own(key, _) => key,
            _ => self.inner.key(),
        }
    }

    /// The current row's bytes.
    pub(crate) fn row(&self) -> &[u8] {
        match &self.current {
            Current::Own(_, row) => row,
            _ => self.inner.row(),
        }
    }
}

/// Row keys in the order of an index.
pub(crate) struct IndexKeysIter {
    inner: IndexIter,
    /// The next stored entry: encoded keys, row key.
    peeked: Option<Option<(Vec<u8>, Vec<u8>)>>,
    own: std::iter::Peekable<std::vec::IntoIter<super::buffer::Entry>>,
    part: Option<TableBuffer>,
    reverse: bool,
}

impl IndexKeysIter {
    /// The next row's key; `None` at the end.
    pub(crate) fn next_key(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(part) = &self.part else {
            return Ok(if self.inner.advance()? { Some(self.inner.entry()?.1.to_vec()) } else { None });
        };
        let stored = match self.peeked.take() {
            Some(stored) => stored,
            None => loop {
                // Entries of rows that the transaction has written are stale: its own entries stand for them.
                match self.inner.advance()? {
                    false => break None,
                    true => {
                        let (keys, row) = self.inner.entry()?;
                        if part.get(row).is_none() {
                            break Some((keys.to_vec(), row.to_vec()));
                        }
                    }
                }
            },
        };
        let take_own = match (&stored, self.own.peek()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((keys, row)), Some((own_keys, own_row))) => {
                let order = (&keys[..], &row[..]).cmp(&(&own_keys[..], &own_row[..]));
                if self.reverse { order.is_lt() } else { order.is_gt() }
            }
        };
        if take_own {
            self.peeked = Some(stored);
            return Ok(self.own.next().map(|(_, row)| row.to_vec()));
        }
        if stored.is_none() {
            self.peeked = Some(None);
        }
        Ok(stored.map(|(_, row)| row))
    }
}
