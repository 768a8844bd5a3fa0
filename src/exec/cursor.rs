//! SQL cursors: DECLARE, FETCH, MOVE, CLOSE. Rows are taken from the running query as they are asked for; a cursor
//! that may go back keeps them, and WITH HOLD takes the rest at commit.
//!
//! Cursors and the protocol's named portals share one name space. The portals themselves belong to the connection;
//! what is here are their names.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;

use crate::document::{Datum, Oid};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::functions::heap_bytes;
use crate::sql::statement::FetchDirection;
use crate::sql::system;

use super::lower::from_datafusion;
use super::{OutputColumn, RowStream};

/// Rows that a cursor declared without SCROLL keeps for going back.
const KEPT_MAX: usize = 10_000;

/// A cursor.
pub(super) struct Cursor {
    /// The tables whose rows' keys follow the columns.
    tables: Vec<Oid>,
    /// The columns that are fetched.
    pub columns: Arc<[OutputColumn]>,
    /// These, and the keys.
    whole: Arc<[OutputColumn]>,
    stream: Option<RowStream>,
    rows: VecDeque<Vec<Datum>>,
    /// The number (from 1) of the first row kept.
    first: i64,
    /// The row it stands on; 0 before the first, one past the last at the end.
    position: i64,
    pub hold: bool,
    scroll: Option<bool>,
    /// Made by the transaction that is running.
    is_new: bool,
    /// The memory of the rows kept.
    reservation: MemoryReservation,
    origin: Origin,
}

/// What `pg_cursors` shows of a cursor or portal besides its name.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub statement: Arc<str>,
    /// Microseconds since 2000-01-01 UTC.
    pub created: i64,
}

/// Where a cursor stands, for WHERE CURRENT OF.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a result that outlived its transaction.
    Held,
    /// On no row of these tables.
    Nowhere(Vec<Oid>),
    /// On rows of tables, by their keys.
    Rows(Vec<(Oid, Datum)>),
}

/// How a cursor is declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct CursorOptions {
    pub hold: bool,
    pub scroll: Option<bool>,
}

/// A session's cursors.
#[derive(Default)]
pub(super) struct Cursors {
    all: HashMap<String, Cursor>,
    /// Names of the protocol's portals.
    portals: HashMap<String, Origin>,
    /// Portals that were closed by SQL; the connection has yet to drop them.
    closed_portals: Vec<String>,
}

impl Cursors {
    pub(super) fn declare(
        &mut self,
        name: String,
        (whole, tables): (Arc<[OutputColumn]>, Vec<Oid>),
        stream: RowStream,
        options: CursorOptions,
        reservation: MemoryReservation,
        origin: Origin,
    ) -> Result<()> {
        self.check_free(&name)?;
        let cursor = Cursor {
            columns: whole[..whole.len() - tables.len()].into(),
            whole,
            tables,
            stream: Some(stream),
            rows: VecDeque::new(),
            first: 1,
            position: 0,
            hold: options.hold,
            scroll: options.scroll,
            is_new: true,
            reservation,
            origin,
        };
        self.all.insert(name, cursor);
        Ok(())
    }

    /// Fails when a name is taken.
    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        if self.all.contains_key(name) || self.portals.contains_key(name) {
            return Err(err!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists"));
        }
        Ok(())
    }

    /// Takes a name for a portal.
    pub(super) fn add_portal(&mut self, name: &str, origin: Origin) {
        self.portals.insert(name.to_string(), origin);
    }

    /// A portal is gone.
    pub(super) fn remove_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// All portals are gone.
    pub(super) fn clear_portals(&mut self) {
        self.portals.clear();
        self.closed_portals.clear();
    }

    /// Portals that SQL has closed since the last call.
    pub(super) fn take_closed_portals(&mut self) -> Vec<String> {
        std::mem::take(&mut self.closed_portals)
    }

    /// What `pg_cursors` shows.
    pub(super) fn describe(&self) -> Vec<system::Cursor> {
        let cursor = |(name, cursor): (&String, &Cursor)| system::Cursor {
            name: name.clone(),
            statement: cursor.origin.statement.to_string(),
            is_holdable: cursor.hold,
            is_binary: false,
            is_scrollable: cursor.scroll != Some(false),
            creation_time: cursor.origin.created,
        };
        let portal = |(name, origin): (&String, &Origin)| system::Cursor {
            name: name.clone(),
            statement: origin.statement.to_string(),
            creation_time: origin.created,
            ..Default::default()
        };
        let mut all: Vec<system::Cursor> = self.all.iter().map(cursor).chain(self.portals.iter().map(portal)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Where each cursor stands.
    pub(super) fn places(&self) -> Vec<(String, Place)> {
        self.all.iter().map(|(name, cursor)| (name.clone(), cursor.place())).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Cursor> {
        self.all.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Result<&mut Cursor> {
        if self.portals.contains_key(name) {
            return Err(Error::unsupported("FETCH from a portal of the protocol"));
        }
        self.all.get_mut(name).ok_or_else(|| err!(INVALID_CURSOR_NAME, "cursor \"{name}\" does not exist"))
    }

    pub(super) fn close(&mut self, name: &str) -> Result<()> {
        if self.portals.remove(name).is_some() {
            self.closed_portals.push(name.to_string());
            return Ok(());
        }
        match self.all.remove(name) {
            Some(_) => Ok(()),
            None => Err(err!(INVALID_CURSOR_NAME, "cursor \"{name}\" does not exist")),
        }
    }

    /// Forgets a cursor if it is there.
    pub(super) fn remove(&mut self, name: &str) {
        self.all.remove(name);
    }

    pub(super) fn close_all(&mut self) {
        self.all.clear();
        self.closed_portals.extend(self.portals.drain().map(|(name, _)| name));
    }

    /// Takes all rows of the cursors that outlive the transaction.
    pub(super) async fn hold(&mut self) -> Result<()> {
        for cursor in self.all.values_mut().filter(|c| c.hold && c.is_new) {
            cursor.fill(i64::MAX).await?;
        }
        Ok(())
    }

    /// The transaction has ended well: cursors WITH HOLD stay.
    pub(super) fn commit(&mut self) {
        self.all.retain(|_, c| c.hold);
        for cursor in self.all.values_mut() {
            cursor.is_new = false;
        }
    }

    /// The transaction has failed: what it declared goes.
    pub(super) fn rollback(&mut self) {
        self.all.retain(|_, c| c.hold && !c.is_new);
    }

    /// Whether the commit has to take rows of cursors.
    pub(super) fn has_new_held(&self) -> bool {
        self.all.values().any(|c| c.hold && c.is_new)
    }
}

impl Cursor {
    /// How many rows are known.
    fn end(&self) -> i64 {
        self.first - 1 + self.rows.len() as i64
    }

    /// Takes rows from the query until there are so many, or it ends.
    async fn fill(&mut self, upto: i64) -> Result<()> {
        while self.end() < upto {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            match stream.next().await {
                None => self.stream = None,
                Some(Err(error)) => {
                    self.stream = None;
                    return Err(error);
                }
                Some(Ok(batch)) => {
                    let rows = batch.rows(&self.whole)?;
                    self.reservation.try_grow(rows.iter().map(|row| row_bytes(row)).sum()).map_err(from_datafusion)?;
                    self.rows.extend(rows);
                }
            }
        }
        Ok(())
    }

    /// Forgets rows that a cursor without SCROLL need not go back to.
    fn trim(&mut self) {
        if self.scroll == Some(true) || self.hold {
            return;
        }
        let keep = if self.scroll == Some(false) { 1 } else { KEPT_MAX as i64 };
        while self.first < self.position - keep
            && let Some(row) = self.rows.pop_front()
        {
            self.reservation.shrink(row_bytes(&row));
            self.first += 1;
        }
    }

    fn row(&self, number: i64) -> Result<Option<Vec<Datum>>> {
        if number < self.first && number >= 1 {
            return Err(err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan."));
        }
        let at = usize::try_from(number - self.first).ok();
        Ok(at.and_then(|i| self.rows.get(i)).map(|row| row[..self.columns.len()].to_vec()))
    }

    fn place(&self) -> Place {
        if self.hold && !self.is_new {
            return Place::Held;
        }
        let at = usize::try_from(self.position - self.first).ok();
        match at.and_then(|i| self.rows.get(i)) {
            Some(row) => {
                let keys = row[self.columns.len()..].iter().cloned();
                Place::Rows(self.tables.iter().copied().zip(keys).collect())
            }
            None => Place::Nowhere(self.tables.clone()),
        }
    }

    /// FETCH (or MOVE): the rows, in the order they are passed.
    pub(super) async fn fetch(&mut self, direction: FetchDirection) -> Result<Vec<Vec<Datum>>> {
        let rows = match direction {
            FetchDirection::Forward(n) if n < 0 => self.backward(n.checked_neg().unwrap_or(i64::MAX)).await?,
            FetchDirection::Backward(n) if n < 0 => self.forward(n.checked_neg().unwrap_or(i64::MAX)).await?,
            FetchDirection::Forward(0) | FetchDirection::Backward(0) | FetchDirection::Relative(0) => {
                self.fill(self.position).await?;
                self.row(self.position)?.into_iter().collect()
            }
            FetchDirection::Forward(n) => self.forward(n).await?,
            FetchDirection::Backward(n) => self.backward(n).await?,
            FetchDirection::Absolute(n) => {
                let target = if n >= 0 {
                    n
                } else {
                    self.fill(i64::MAX).await?;
                    (self.end() + 1 + n).max(0)
                };
                self.go_to(target).await?
            }
            FetchDirection::Relative(n) => self.go_to(self.position.saturating_add(n).max(0)).await?,
        };
        self.trim();
        Ok(rows)
    }

    async fn go_to(&mut self, target: i64) -> Result<Vec<Vec<Datum>>> {
        self.fill(target).await?;
        if target < self.position && self.scroll == Some(false) {
            return Err(err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan."));
        }
        self.position = target.min(self.end() + 1);
        Ok(self.row(target)?.into_iter().collect())
    }

    async fn forward(&mut self, n: i64) -> Result<Vec<Vec<Datum>>> {
        let last = self.position.saturating_add(n);
        self.fill(last).await?;
        let upto = last.min(self.end());
        let mut rows = Vec::new();
        for number in self.position + 1..=upto {
            rows.extend(self.row(number)?);
        }
        self.position = if last > self.end() { self.end() + 1 } else { last };
        Ok(rows)
    }

    async fn backward(&mut self, n: i64) -> Result<Vec<Vec<Datum>>> {
        if self.scroll == Some(false) {
            return Err(err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan."));
        }
        let target = self.position.saturating_sub(n).max(0);
        let mut rows = Vec::new();
        for number in (target.max(1)..self.position).rev() {
            rows.extend(self.row(number)?);
        }
        self.position = target;
        Ok(rows)
    }
}

/// About how much memory a row takes.
fn row_bytes(row: &[Datum]) -> usize {
    size_of::<Vec<Datum>>() + row.iter().map(|value| size_of::<Datum>() + heap_bytes(value)).sum::<usize>()
}
