//! [`Statements`]: the prepared statements of a session by name. PREPARE and the protocol's Parse put them here, EXECUTE,
//! DEALLOCATE, DISCARD and the protocol's Bind and Close find them here: it is one name space.

use std::collections::HashMap;
use std::sync::Arc;

use crate::err;
use crate::error::Result;
use crate::sql::system;

use super::Prepared;
use super::host::now;

/// What a statement costs besides its text, about.
const STATEMENT_BYTES: usize = 2048;

/// Prepared statements by name.
#[derive(Default)]
pub struct Statements {
    by_name: HashMap<String, Saved>,
    bytes: usize,
}

struct Saved {
    /// `None`: an empty query.
    prepared: Option<Arc<Prepared>>,
    bytes: usize,
    from_sql: bool,
    /// Microseconds since 2000-01-01 UTC.
    created: i64,
}

impl Statements {
    /// Saves a statement whose text has `text_bytes`. A name that is taken is 42P05; all together may take `bytes_max`.
    pub fn save(
        &mut self,
        name: &str,
        prepared: Option<Arc<Prepared>>,
        text_bytes: usize,
        bytes_max: usize,
    ) -> Result<()> {
        self.save_as(name, prepared, text_bytes, bytes_max, false)
    }

    /// The same for PREPARE.
    pub(super) fn save_sql(&mut self, name: &str, prepared: Arc<Prepared>, bytes_max: usize) -> Result<()> {
        let text_bytes = prepared.text().len();
        self.save_as(name, Some(prepared), text_bytes, bytes_max, true)
    }

    fn save_as(
        &mut self,
        name: &str,
        prepared: Option<Arc<Prepared>>,
        text_bytes: usize,
        bytes_max: usize,
        from_sql: bool,
    ) -> Result<()> {
        if self.by_name.contains_key(name) {
            return Err(err!(DUPLICATE_PREPARED_STATEMENT, "prepared statement \"{name}\" already exists"));
        }
        let bytes = STATEMENT_BYTES + name.len() + text_bytes;
        if self.bytes + bytes > bytes_max {
            return Err(err!(OUT_OF_MEMORY, "out of memory")
                .detail(format!("The prepared statements of this connection would take more than {bytes_max} bytes."))
                .hint("DEALLOCATE some; the limit is the setting pg.prepared_memory_max."));
        }
        self.bytes += bytes;
        self.by_name.insert(name.to_string(), Saved { prepared, bytes, from_sql, created: now() });
        Ok(())
    }

    /// A statement by name; the inner `None` is an empty query.
    pub fn get(&self, name: &str) -> Option<Option<Arc<Prepared>>> {
        self.by_name.get(name).map(|saved| saved.prepared.clone())
    }

    /// What `pg_prepared_statements` shows.
    pub(super) fn describe(&self) -> Vec<system::PreparedStatement> {
        let describe = |(name, saved): (&String, &Saved)| system::PreparedStatement {
            name: name.clone(),
            statement: saved.prepared.as_ref().map(|p| p.text().to_string()).unwrap_or_default(),
            prepare_time: saved.created,
            parameter_types: saved.prepared.iter().flat_map(|p| p.params()).map(|t| t.oid).collect(),
            from_sql: saved.from_sql,
        };
        let mut all: Vec<system::PreparedStatement> = self.by_name.iter().map(describe).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Forgets a statement; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let saved = self.by_name.remove(name);
        self.bytes -= saved.as_ref().map_or(0, |saved| saved.bytes);
        saved.is_some()
    }

    /// Forgets all (DEALLOCATE ALL, DISCARD ALL).
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Their names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_one_statement_and_bounded_memory() {
        let mut statements = Statements::default();
        statements.save("a", None, 10, 5000).unwrap();
        assert_eq!(statements.save("a", None, 10, 5000).unwrap_err().code().as_str(), "42P05");
        statements.save("b", None, 10, 5000).unwrap();
        assert_eq!(statements.save("c", None, 10, 5000).unwrap_err().code().as_str(), "53200");
        assert!(statements.remove("a") && !statements.remove("a"));
        statements.save("c", None, 10, 5000).unwrap();
        assert_eq!(statements.names(), ["b", "c"]);
        statements.clear();
        assert!(statements.get("b").is_none());
    }
}
