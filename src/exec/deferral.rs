//! SET CONSTRAINTS.

use std::sync::Arc;

use crate::err;
use crate::error::Result;
use crate::sql::parser::names;
use crate::sql::statement::ast::ObjectName;
use crate::storage::catalog::{Constraint, Entry};

use super::integrity::check_now;
use super::transaction::Block;
use super::{Response, Session};

impl Session {
    /// SET CONSTRAINTS; no names: ALL.
    pub(super) fn set_constraints(&mut self, written: &[ObjectName], deferred: bool) -> Result<Response> {
        let context = self.statement_context(Arc::from([]))?;
        if self.transaction.as_ref().is_none_or(|t| t.block == Block::Auto) {
            let message = "SET CONSTRAINTS can only be used in transaction blocks";
            self.shared.notice("WARNING", err!(NO_ACTIVE_SQL_TRANSACTION, "{message}"));
            return Ok(Response::Command("SET CONSTRAINTS".into()));
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
}
