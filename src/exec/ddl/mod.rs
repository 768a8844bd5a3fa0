//! DDL: statements that change the catalog. All of it is transactional: changes go to the transaction's own catalog,
//! the commit carries the changed entries.
//!
//! - [`create`]: tables. [`alter`]: ALTER TABLE and its relatives. [`rewrite`]: new rows for a changed table.
//! - [`index`]: indexes and unique constraints. [`sequence`], [`view`], [`role`] (roles, databases, schemas).
//! - [`types`], [`domain`]: types of one's own.
//! - [`remove`]: DROP and TRUNCATE. [`depend`]: what depends on what.

mod alter;
mod alter_column;
mod create;
mod defaults;
mod depend;
mod domain;
mod foreign_key;
mod generated;
mod grant;
mod index;
mod inherit;
mod membership;
mod owned;
pub(crate) mod partition;
mod physical;
mod remove;
mod rewrite;
mod role;
mod routine;
mod sequence;
mod types;
mod view;

use std::sync::Arc;

use crate::document::user_type::UserKind;
use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::parser::{ident, position};
use crate::sql::statement::{OnCommit, Persistence, RoleName, Statement, ast};
use crate::storage::catalog::{
    self, BOOTSTRAP_ROLE, Catalog, Entry, INFORMATION_SCHEMA, PG_CATALOG, Schema, Table, is_temporary,
};

use super::host::Shared;
use super::transaction::{CatalogChange, Transaction};
use super::view::ReadView;

/// What a DDL statement runs with.
pub(crate) struct Ddl<'a> {
    pub shared: &'a Arc<Shared>,
    pub transaction: &'a mut Transaction,
    /// What the statement sees; its catalog is the one that the changes begin on.
    pub view: ReadView,
    pub eval: EvalContext,
    /// The statement's text, for error positions.
    pub text: &'a str,
    /// The object that is being made or changed is a temporary one: its parts are as well.
    pub temporary: bool,
    /// An action that began at a parent has come to a table below it.
    pub recursing: bool,
}

/// Runs a DDL statement; answers its command tag. `None`: it is no DDL.
pub(crate) fn run(ddl: &mut Ddl<'_>, statement: &Statement) -> Option<Result<&'static str>> {
    Some(match statement {
        Statement::CreateTable(create) => ddl.create_table(create).map(|()| "CREATE TABLE"),
        Statement::Alter(alter) => ddl.alter(alter),
        Statement::Drop(drop) => ddl.drop(drop),
        Statement::Truncate(truncate) => ddl.truncate(truncate).map(|()| "TRUNCATE TABLE"),
        Statement::CreateType(create) => ddl.create_type(create).map(|()| "CREATE TYPE"),
        Statement::CreateDomain(create) => ddl.create_domain(create).map(|()| "CREATE DOMAIN"),
        Statement::AlterType(alter) => ddl.alter_type(alter),
        Statement::CreateIndex(create) => ddl.create_index(create).map(|()| "CREATE INDEX"),
        Statement::CreateView(create) => ddl.create_view(create).map(|()| "CREATE VIEW"),
        Statement::CreateSchema(create) => ddl.create_schema(create).map(|()| "CREATE SCHEMA"),
        Statement::CreateSequence(create) => ddl.create_sequence(create).map(|()| "CREATE SEQUENCE"),
        Statement::AlterSequence(alter) => ddl.alter_sequence(alter).map(|()| "ALTER SEQUENCE"),
        Statement::CreateDatabase(create) => ddl.create_database(create).map(|()| "CREATE DATABASE"),
        Statement::CreateRole(create) => ddl.create_role(create).map(|()| "CREATE ROLE"),
        Statement::AlterRole(alter) => ddl.alter_role(alter).map(|()| "ALTER ROLE"),
        Statement::Comment(comment) => ddl.comment(comment).map(|()| "COMMENT"),
        Statement::AlterSetting(_) => Err(Error::unsupported("ALTER ROLE or DATABASE SET")),
        Statement::Grant(grant) => ddl.grant(grant).map(|()| if grant.revoke { "REVOKE" } else { "GRANT" }),
        Statement::GrantRole(grant) => {
            ddl.grant_role(grant).map(|()| if grant.revoke { "REVOKE ROLE" } else { "GRANT ROLE" })
        }
        Statement::CreateRoutine(create) => {
            let tag = if create.procedure { "CREATE PROCEDURE" } else { "CREATE FUNCTION" };
            ddl.create_routine(create).map(|()| tag)
        }
        Statement::AlterRoutine { kind, routine, action } => ddl.alter_routine(*kind, routine, action),
        Statement::DropRoutine { kind, if_exists, routines, .. } => ddl.drop_routines(*kind, *if_exists, routines),
        Statement::DefaultPrivileges(defaults) => ddl.default_privileges(defaults).map(|()| "ALTER DEFAULT PRIVILEGES"),
        Statement::ReassignOwned { roles, to } => ddl.reassign_owned(roles, to).map(|()| "REASSIGN OWNED"),
        Statement::DropOwned { roles, cascade } => ddl.drop_owned(roles, *cascade).map(|()| "DROP OWNED"),
        _ => return None,
    })
}

impl<'a> Ddl<'a> {
    /// The catalog as the transaction has it now.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.transaction.ddl.as_ref().map_or_else(|| self.view.catalog.clone(), |d| d.catalog.clone())
    }

    /// Begins (or goes on) changing the catalog. Call [`Ddl::publish`] when names are to be resolved against it.
    fn change(&mut self) -> CatalogChange<'_> {
        self.transaction.change_catalog(&self.view.catalog)
    }

    /// Puts an entry and lets the session see it.
    fn put(&mut self, entry: Entry) {
        self.change().put(entry);
        self.publish();
    }

    /// Lets the session (and so the binder) see the changed catalog.
    fn publish(&mut self) {
        let catalog = self.catalog();
        self.view.catalog = catalog.clone();
        self.shared.lock().catalog = catalog;
    }

    fn allocate(&mut self) -> Oid {
        match self.temporary {
            true => self.shared.server.temporary_oid(),
            false => self.change().allocate_oid(),
        }
    }

    /// The OID of a relation's row type.
    fn allocate_row_type(&mut self) -> Result<Oid> {
        match self.temporary {
            true => Ok(self.shared.server.temporary_oid()),
            false => self.change().allocate_type(UserKind::Composite),
        }
    }

    fn notice(&self, code: crate::error::SqlState, message: String) {
        self.shared.notice("NOTICE", Error::new(code, message));
    }

    fn at(&self, name: &ast::Ident) -> u32 {
        position(name.span)
    }

    fn owner(&self) -> Oid {
        self.shared.lock().current_user.0
    }

    /// Optional schema and name.
    fn parts(&self, name: &ast::ObjectName) -> Result<(Option<String>, String)> {
        let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident().map(ident)).collect();
        match parts.as_slice() {
            [name] => Ok((None, name.clone())),
            [schema, name] => Ok((Some(schema.clone()), name.clone())),
            [database, schema, name] if *database == self.shared.database_name => {
                Ok((Some(schema.clone()), name.clone()))
            }
            [_, _, _] => Err(err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: {}",
                parts.iter().map(|p| format!("\"{p}\"")).collect::<Vec<_>>().join(".")
            )),
            _ => Err(err!(SYNTAX_ERROR, "improper qualified name (too many dotted names): {}", parts.join("."))),
        }
    }

    /// The schema and name for a new relation. From here on, what is made is temporary if the schema is.
    fn creation_target(&mut self, name: &ast::ObjectName, persistence: Persistence) -> Result<(Oid, String)> {
        let (schema, relation) = self.parts(name)?;
        let catalog = self.catalog();
        let at = name.0.first().and_then(|p| p.as_ident()).map_or(0, |i| self.at(i));
        let temporary = persistence == Persistence::Temporary;
        let schema = match schema {
            Some(schema) if schema == "pg_temp" => self.temporary_schema(),
            Some(schema) => catalog
                .schema(self.shared.database, &schema)
                .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{schema}\" does not exist").at(at))?,
            None if temporary => self.temporary_schema(),
            None => self
                .creation_schema()
                .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "no schema has been selected to create in").at(at))?,
        };
        self.temporary = is_temporary(schema);
        if temporary && !self.temporary {
            return Err(
                err!(INVALID_TABLE_DEFINITION, "cannot create temporary relation in non-temporary schema").at(at)
            );
        }
        if self.temporary && persistence == Persistence::Unlogged {
            return Err(
                err!(INVALID_TABLE_DEFINITION, "only temporary relations may be created in temporary schemas").at(at)
            );
        }
        if schema == PG_CATALOG || schema == INFORMATION_SCHEMA {
            return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied to create \"{}\"", name)
                .detail("System catalog modifications are currently disallowed."));
        }
        self.may_create_in(schema)?;
        Ok((schema, relation))
    }

    /// The first schema of the search path that there is. `pg_temp` counts where it is named only.
    fn creation_schema(&mut self) -> Option<Oid> {
        let (names, user) = {
            let state = self.shared.lock();
            (state.settings.search_path(), state.current_user.1.clone())
        };
        let catalog = self.catalog();
        for name in names {
            let name = if name == "$user" { user.clone() } else { name };
            if name == "pg_temp" {
                return Some(self.temporary_schema());
            }
            match catalog.schema(self.shared.database, &name) {
                None | Some(PG_CATALOG) => {}
                found => return found,
            }
        }
        None
    }

    /// The session's schema for temporary objects, made with the first of them.
    fn temporary_schema(&mut self) -> Oid {
        if let Some(oid) = self.catalog().temporary_schema {
            return oid;
        }
        let oid = self.shared.server.temporary_oid();
        let name = format!("pg_temp_{}", self.shared.pid);
        self.put(Entry::Schema(Schema { oid, database: self.shared.database, name, owner: BOOTSTRAP_ROLE }));
        oid
    }

    /// How long the rows of a new table live.
    fn persistence(&self, asked: Persistence, on_commit: Option<OnCommit>) -> Result<catalog::Persistence> {
        let on_commit = match on_commit {
            Some(_) if !self.temporary => {
                return Err(err!(INVALID_TABLE_DEFINITION, "ON COMMIT can only be used on temporary tables"));
            }
            None | Some(OnCommit::PreserveRows) => catalog::OnCommit::PreserveRows,
            Some(OnCommit::DeleteRows) => catalog::OnCommit::DeleteRows,
            Some(OnCommit::Drop) => catalog::OnCommit::Drop,
        };
        Ok(match asked {
            _ if self.temporary => catalog::Persistence::Temporary(on_commit),
            Persistence::Unlogged => catalog::Persistence::Unlogged,
            _ => catalog::Persistence::Permanent,
        })
    }

    /// DISCARD TEMP: all temporary objects go.
    pub(crate) fn drop_temporary(&mut self) {
        let catalog = self.catalog();
        let Some(schema) = catalog.temporary_schema else { return };
        let objects: Vec<Oid> =
            catalog.entries.values().filter(|e| e.schema() == Some(schema)).map(|e| e.oid()).collect();
        for oid in objects {
            self.transaction.clear_table(oid, 0);
            self.change().remove(oid);
        }
        self.publish();
    }

    /// A relation of the catalog by name, if it exists.
    fn find(&self, name: &ast::ObjectName) -> Result<Option<Arc<Entry>>> {
        let (schema, relation) = self.parts(name)?;
        let catalog = self.catalog();
        Ok(match schema {
            Some(schema) => {
                let schema = catalog.schema(self.shared.database, &schema);
                schema.and_then(|s| catalog.relation(s, &relation).cloned())
            }
            None => {
                let path = self.shared.lock().search_path(self.shared.database);
                path.iter().find_map(|s| catalog.relation(*s, &relation).cloned())
            }
        })
    }

    /// A relation that must exist.
    fn relation(&self, name: &ast::ObjectName) -> Result<Arc<Entry>> {
        match self.find(name)? {
            Some(entry) => Ok(entry),
            None => {
                let written = self.written(name)?;
                Err(err!(UNDEFINED_TABLE, "relation \"{written}\" does not exist"))
            }
        }
    }

    fn name_position(&self, name: &ast::ObjectName) -> u32 {
        name.0.first().and_then(|p| p.as_ident()).map_or(0, |i| self.at(i))
    }

    /// A name as messages write it.
    fn written(&self, name: &ast::ObjectName) -> Result<String> {
        Ok(match self.parts(name)? {
            (Some(schema), name) => format!("{schema}.{name}"),
            (None, name) => name,
        })
    }

    /// Puts a table and lets the session see it.
    pub(crate) fn put_table(&mut self, table: Table) {
        self.put(Entry::Table(table));
    }

    /// A table that must exist.
    pub(crate) fn table(&self, name: &ast::ObjectName) -> Result<Table> {
        let entry = self.relation(name)?;
        match &*entry {
            Entry::Table(table) => Ok(table.clone()),
            other => Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a table", other.name())),
        }
    }

    /// The type that a written type names.
    fn data_type(&self, data_type: &ast::DataType) -> Result<Type> {
        crate::sql::binder::table::bind_type(data_type, &self.eval, self.text)
    }

    /// A role as named in a statement.
    fn role(&self, name: &RoleName) -> Result<Oid> {
        let (current, session) = {
            let state = self.shared.lock();
            (state.current_user.0, state.session_user.0)
        };
        match name {
            RoleName::Named(name) => {
                let name = ident(name);
                let catalog = self.catalog();
                catalog
                    .role(&name)
                    .map(|r| r.oid)
                    .ok_or_else(|| err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"))
            }
            RoleName::CurrentUser | RoleName::CurrentRole => Ok(current),
            RoleName::SessionUser => Ok(session),
            RoleName::Public => Err(err!(RESERVED_NAME, "role name \"public\" is reserved")),
        }
    }

    /// A schema's name.
    fn schema_name(&self, schema: Oid) -> String {
        self.catalog().get(schema).map(|s| s.name().to_string()).unwrap_or_default()
    }

    /// An object as messages name it: with its schema where the search path does not lead to it.
    fn shown(&self, entry: &Entry) -> String {
        let name = quote_ident(entry.name());
        match entry.schema() {
            Some(schema) if !self.shared.lock().search_path(self.shared.database).contains(&schema) => {
                format!("{}.{name}", quote_ident(&self.schema_name(schema)))
            }
            _ => name,
        }
    }

    /// Refuses a name that another relation of the schema has.
    fn refuse_duplicate(&self, schema: Oid, name: &str) -> Result<()> {
        match self.catalog().relation(schema, name) {
            Some(_) => Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists")),
            None => Ok(()),
        }
    }

    /// A free relation name as PostgreSQL makes it: `name1_name2_label`, cut to 63 bytes, numbered when taken.
    fn free_name(&self, schema: Oid, name1: &str, name2: &str, label: &str, also_taken: &[String]) -> String {
        let catalog = self.catalog();
        (0..)
            .map(|n| object_name(name1, name2, &if n == 0 { label.to_string() } else { format!("{label}{n}") }))
            .find(|name| catalog.relation(schema, name).is_none() && !also_taken.contains(name))
            .expect("there are more numbers than relations")
    }
}

/// PostgreSQL's makeObjectName: the longer of the two names is cut until everything fits in 63 bytes.
pub(crate) fn object_name(name1: &str, name2: &str, label: &str) -> String {
    let overhead = if name2.is_empty() { 0 } else { 1 } + if label.is_empty() { 0 } else { label.len() + 1 };
    let room = 63usize.saturating_sub(overhead);
    let (mut a, mut b) = (name1.len(), name2.len());
    while a + b > room {
        if a > b { a -= 1 } else { b -= 1 }
    }
    let cut = |text: &str, len: usize| {
        let end = (0..=len).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text[..end].to_string()
    };
    let mut name = cut(name1, a);
    for part in [cut(name2, b), label.to_string()] {
        if !part.is_empty() {
            name.push('_');
            name.push_str(&part);
        }
    }
    name
}

/// Quotes an identifier where SQL needs it.
pub(crate) fn quote_ident(name: &str) -> String {
    let plain =
        name.chars().enumerate().all(|(i, c)| c == '_' || c.is_ascii_lowercase() || (i > 0 && c.is_ascii_digit()));
    if plain && !name.is_empty() && !crate::sql::parser::needs_quotes(name) {
        name.to_string()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_as_postgresql_makes_them() {
        assert_eq!(object_name("t", "a_b", "idx"), "t_a_b_idx");
        assert_eq!(object_name("t", "", "pkey"), "t_pkey");
        let long = "x".repeat(63);
        assert_eq!(object_name(&long, "a", "key"), format!("{}_a_key", "x".repeat(57)));
        assert_eq!(object_name(&long, &long, "key").len(), 63);
    }
}
