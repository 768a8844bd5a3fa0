//! SQL cursors: DECLARE, FETCH, MOVE, CLOSE. Rows are taken from the running query as they are asked for; a cursor
//! that may go back keeps them, and WITH HOLD takes the rest at commit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures::StreamExt;

use crate::document::Datum;
use crate::err;
use crate::error::Result;
use crate::sql::statement::FetchDirection;

use super::{OutputColumn, RowStream};

/// Rows that a cursor declared without SCROLL keeps for going back.
const KEPT_MAX: usize = 10_000;

/// A cursor.
pub(super) struct Cursor {
    pub columns: Arc<[OutputColumn]>,
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
}

/// A session's cursors.
#[derive(Default)]
pub(super) struct Cursors {
    all: HashMap<String, Cursor>,
}

impl Cursors {
    pub(super) fn declare(
        &mut self,
        name: String,
        columns: Arc<[OutputColumn]>,
        stream: RowStream,
        hold: bool,
        scroll: Option<bool>,
    ) -> Result<()> {
        if self.all.contains_key(&name) {
            return Err(err!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists"));
        }
        let cursor = Cursor {
            columns,
            stream: Some(stream),
            rows: VecDeque::new(),
            first: 1,
            position: 0,
            hold,
            scroll,
            is_new: true,
        };
        self.all.insert(name, cursor);
        Ok(())
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Cursor> {
        self.all.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Result<&mut Cursor> {
        self.all.get_mut(name).ok_or_else(|| err!(INVALID_CURSOR_NAME, "cursor \"{name}\" does not exist"))
    }

    pub(super) fn close(&mut self, name: &str) -> Result<()> {
        match self.all.remove(name) {
            Some(_) => Ok(()),
            None => Err(err!(INVALID_CURSOR_NAME, "cursor \"{name}\" does not exist")),
        }
    }

    pub(super) fn close_all(&mut self) {
        self.all.clear();
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
                Some(Ok(batch)) => self.rows.extend(batch.rows(&self.columns)?),
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
        while self.first < self.position - keep && self.rows.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn row(&self, number: i64) -> Result<Option<Vec<Datum>>> {
        if number < self.first && number >= 1 {
            return Err(err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan."));
        }
        let at = usize::try_from(number - self.first).ok();
        Ok(at.and_then(|i| self.rows.get(i)).cloned())
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
