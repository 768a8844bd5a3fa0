//! SET CONSTRAINTS and REINDEX.

use std::sync::Arc;

use crate::err;
use crate::error::Result;
use crate::sql::binder::{Relation, relation_by_name};
use crate::sql::parser::names;
use crate::sql::statement::ast::ObjectName;
use crate::sql::statement::{ObjectKind, Reindex};
use crate::storage::catalog::{Constraint, Entry};

use super::integrity::check_now;
use super::transaction::Block;
use super::{Response, Session};

impl Session {
    /// SET CONSTRAINTS; no names: ALL.
    pub(super) fn set_constraints(&mut self, written: &[ObjectName], deferred: bool) -> Result<Response> {
        let context = self.statement_context(Arc::from([]))?;
        let in_block = self.transaction.as_ref().is_some_and(|t| t.block != Block::Auto);
        if !in_block {
            let message = "SET CONSTRAINTS can only be used in transaction blocks";
            self.shared.notice("WARNING", err!(NO_ACTIVE_SQL_TRANSACTION, "{message}"));
        }
        let catalog = context.view.catalog.clone();
        let path = self.shared.lock().search_path(self.shared.database);
        let mut mode = (*self.shared.lock().deferral.clone()).clone();
        let mut concerned: Vec<u32> = Vec::new();
        for name in written {
            let parts = names(name);
            let (schema, last) = match parts.as_slice() {
                [.., schema, last] => (Some(schema.clone()), last.clone()),
                [last] => (None, last.clone()),
                [] => continue,
            };
            let mut found: Vec<&Constraint> = Vec::new();
            for entry in catalog.entries.values() {
                let Entry::Table(table) = &**entry else { continue };
                let is_in = match &schema {
                    Some(schema) => catalog.schema(self.shared.database, schema) == Some(table.schema),
                    None => path.contains(&table.schema),
                };
                if is_in {
                    found.extend(table.constraints.iter().filter(|c| c.name == last));
                }
            }
            if found.is_empty() {
                return Err(err!(UNDEFINED_OBJECT, "constraint \"{last}\" does not exist"));
            }
            if found.iter().all(|c| !c.attributes.deferrable) {
                return Err(err!(WRONG_OBJECT_TYPE, "constraint \"{last}\" is not deferrable"));
            }
            for constraint in found.into_iter().filter(|c| c.attributes.deferrable) {
                mode.one.insert(constraint.oid, deferred);
                concerned.push(constraint.oid);
            }
        }
        if !in_block {
            return Ok(Response::Command("SET CONSTRAINTS".into()));
        }
        if written.is_empty() {
            mode.one.clear();
            mode.all = Some(deferred);
        }
        if !deferred {
            let context = context.refreshed();
            let all = written.is_empty();
            check_now(&context, &|c| c.attributes.deferrable && (all || concerned.contains(&c.oid)))?;
        }
        self.shared.lock().deferral = Arc::new(mode);
        Ok(Response::Command("SET CONSTRAINTS".into()))
    }

    /// REINDEX: indexes are made from the rows when a command is applied and need no repair; what is named must be there.
    pub(super) fn reindex(&mut self, reindex: &Reindex) -> Result<Response> {
        let context = self.statement_context(Arc::from([]))?;
        let done = Ok(Response::Command("REINDEX".into()));
        let Some(name) = &reindex.name else { return done };
        match reindex.kind {
            ObjectKind::Schema => {
                let schema = names(name).pop().unwrap_or_default();
                match context.view.catalog.schema(self.shared.database, &schema) {
                    Some(_) => done,
                    None => Err(err!(INVALID_SCHEMA_NAME, "schema \"{schema}\" does not exist")),
                }
            }
            ObjectKind::Index | ObjectKind::Table => {
                let wants_index = reindex.kind == ObjectKind::Index;
                let Relation::Entry(entry) = relation_by_name(name, &context.eval)? else { return done };
                match (&*entry, wants_index) {
                    (Entry::Index(_), true) | (Entry::Table(_), false) => done,
                    (other, true) => Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not an index", other.name())),
                    (other, false) => {
                        Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a table or materialized view", other.name()))
                    }
                }
            }
            _ => match names(name).pop() {
                Some(name) if name != self.shared.database_name => {
                    Err(err!(FEATURE_NOT_SUPPORTED, "can only reindex the currently open database"))
                }
                _ => done,
            },
        }
    }
}
