//! CREATE VIEW.

use std::sync::Arc;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::binder::{BindContext, bind_query};
use crate::sql::parser::ident;
use crate::sql::statement::{CreateView, Statement};
use crate::sql::types;
use crate::storage::catalog::{Entry, View};

use super::Ddl;

impl Ddl<'_> {
    pub(super) fn create_view(&mut self, create: &CreateView) -> Result<()> {
        if create.temporary {
            return Err(Error::unsupported("CREATE TEMPORARY VIEW"));
        }
        if create.recursive {
            return Err(Error::unsupported("CREATE RECURSIVE VIEW"));
        }
        if create.check_option.is_some() {
            return Err(Error::unsupported("WITH CHECK OPTION"));
        }
        if let Some(option) = create.options.first() {
            return Err(Error::unsupported(format!("view option \"{}\"", option.name)));
        }
        let (schema, name) = self.creation_target(&create.name)?;
        let columns = self.view_columns(create)?;
        let existing = self.catalog().relation(schema, &name).cloned();
        let (oid, row_type) = match existing.as_deref() {
            Some(Entry::View(old)) if create.or_replace => {
                check_replacement(old, &columns)?;
                (old.oid, old.row_type)
            }
            Some(Entry::View(_)) => return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists")),
            Some(_) if create.or_replace => return Err(err!(WRONG_OBJECT_TYPE, "\"{name}\" is not a view")),
            Some(_) => return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists")),
            None => (self.allocate(), self.allocate()),
        };
        let view = View {
            oid,
            schema,
            name,
            owner: self.owner(),
            row_type,
            query: create.text.clone(),
            search_path: self.path_names(),
            columns,
        };
        self.put(Entry::View(view));
        Ok(())
    }

    fn view_columns(&self, create: &CreateView) -> Result<Vec<(String, Type)>> {
        let statement = Statement::Query(create.query.clone());
        let context = BindContext { eval: &self.eval, param_types: &[], text: self.text };
        let query = bind_query(&statement, &context)?;
        if !query.params.is_empty() {
            return Err(err!(UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if create.columns.len() > query.output.len() {
            return Err(err!(SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns"));
        }
        let mut columns: Vec<(String, Type)> = Vec::new();
        for (i, output) in query.output.iter().enumerate() {
            let name = create.columns.get(i).map_or_else(|| output.name.clone(), ident);
            if columns.iter().any(|(other, _)| *other == name) {
                return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
            }
            let typ = if output.typ.oid == Type::UNKNOWN.oid { Type::TEXT } else { output.typ };
            columns.push((name, typ));
        }
        Ok(columns)
    }

    /// The search path as names, for text that is resolved again later.
    fn path_names(&self) -> Vec<String> {
        let (path, catalog) = (self.shared.lock().search_path(self.shared.database), self.catalog());
        path.iter()
            .filter_map(|oid| match catalog.get(*oid).map(Arc::as_ref) {
                Some(Entry::Schema(schema)) => Some(schema.name.clone()),
                _ => None,
            })
            .collect()
    }
}

/// OR REPLACE may only add columns at the end.
fn check_replacement(old: &View, columns: &[(String, Type)]) -> Result<()> {
    if columns.len() < old.columns.len() {
        return Err(err!(INVALID_TABLE_DEFINITION, "cannot drop columns from view"));
    }
    for ((old_name, old_type), (name, typ)) in old.columns.iter().zip(columns) {
        if old_name != name {
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "cannot change name of view column \"{old_name}\" to \"{name}\""
            )
            .hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
        }
        if old_type != typ {
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "cannot change data type of view column \"{name}\" from {} to {}",
                types::format_type(*old_type),
                types::format_type(*typ)
            ));
        }
    }
    Ok(())
}
