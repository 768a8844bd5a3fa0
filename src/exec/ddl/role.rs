//! Schemas, databases, roles and comments.

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::transaction::Block;
use crate::sql::parser::ident;
use crate::sql::privilege::{self, Object};
use crate::sql::statement::{
    AlterRole, Comment, CreateDatabase, CreateRole, CreateSchema, ObjectKind, RoleName, RoleOption, ast,
};
use crate::storage::catalog::{Database, Entry, ObjectClass, Role, Schema};

use super::Ddl;

impl Ddl<'_> {
    /// Refuses a role that is no superuser and lacks the attribute.
    pub(super) fn require(&self, has: impl Fn(&Role) -> bool, message: &str) -> Result<()> {
        let (_, name) = self.shared.lock().current_user.clone();
        match self.catalog().role(&name) {
            Some(role) if role.superuser || has(role) => Ok(()),
            _ => Err(err!(INSUFFICIENT_PRIVILEGE, "{message}")),
        }
    }

    pub(super) fn create_schema(&mut self, create: &CreateSchema) -> Result<()> {
        let owner = match &create.authorization {
            Some(role) => self.role(role)?,
            None => self.owner(),
        };
        let name = match &create.name {
            Some(name) => ident(name),
            None => self.catalog().get(owner).map(|e| e.name().to_string()).unwrap_or_default(),
        };
        if name.starts_with("pg_") {
            return Err(err!(RESERVED_NAME, "unacceptable schema name \"{name}\"")
                .detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        if self.catalog().schema(self.shared.database, &name).is_some() {
            if create.if_not_exists {
                self.notice(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists, skipping"));
                return Ok(());
            }
            return Err(err!(DUPLICATE_SCHEMA, "schema \"{name}\" already exists"));
        }
        let database = Object {
            class: ObjectClass::Database,
            oid: self.shared.database,
            column: 0,
            owner: self.catalog().database(&self.shared.database_name).map_or(0, |d| d.owner),
        };
        if privilege::held(&self.catalog(), self.owner(), &database) & privilege::CREATE == 0 {
            let name = &self.shared.database_name;
            return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied for database {name}"));
        }
        let oid = self.allocate();
        self.put(Entry::Schema(Schema { oid, database: self.shared.database, name, owner }));
        self.schema_elements(oid, create)
    }

    /// The elements are made with the new schema in front of the search path.
    fn schema_elements(&mut self, schema: Oid, create: &CreateSchema) -> Result<()> {
        if create.elements.is_empty() {
            return Ok(());
        }
        let name = self.schema_name(schema);
        let mark = {
            let mut state = self.shared.lock();
            let mark = state.settings.mark();
            let path = state.settings.get("search_path").unwrap_or_default();
            let path = match path.is_empty() {
                true => super::quote_ident(&name),
                false => format!("{}, {path}", super::quote_ident(&name)),
            };
            state.settings.set("search_path", Some(&path), true)?;
            mark
        };
        let done = create.elements.iter().try_for_each(|element| match super::run(self, element) {
            Some(tag) => tag.map(|_| ()),
            None => Err(Error::unsupported("this element of CREATE SCHEMA")),
        });
        self.shared.lock().settings.rollback_to(mark);
        done
    }

    pub(super) fn create_database(&mut self, create: &CreateDatabase) -> Result<()> {
        self.refuse_block("CREATE DATABASE")?;
        self.require(|r| r.create_db, "permission denied to create database")?;
        let name = ident(&create.name);
        let mut owner = self.owner();
        for (option, value) in &create.options {
            match (option.as_str(), value.as_deref()) {
                ("owner", Some(role)) => {
                    let catalog = self.catalog();
                    let role = catalog.role(role).ok_or_else(|| undefined_role(role))?;
                    owner = role.oid;
                }
                ("template", Some("template0" | "template1")) | (_, None) => {}
                ("encoding", Some(v)) if is_utf8(v) => {}
                ("encoding", Some(v)) => return Err(Error::unsupported(format!("encoding \"{v}\""))),
                (
                    "lc_collate" | "lc_ctype" | "locale" | "icu_locale" | "builtin_locale",
                    Some("C" | "POSIX" | "C.UTF-8" | "C.utf8"),
                ) => {}
                ("locale_provider", Some("libc" | "builtin")) | ("tablespace", Some("pg_default")) => {}
                ("connection_limit", Some("-1")) | ("allow_connections", Some("true" | "on")) => {}
                ("is_template", Some("false" | "off")) => {}
                (option, Some(v)) => {
                    return Err(Error::unsupported(format!("CREATE DATABASE with {option} = {v}")));
                }
            }
        }
        if self.catalog().database(&name).is_some() {
            return Err(err!(DUPLICATE_DATABASE, "database \"{name}\" already exists"));
        }
        let (oid, public) = (self.allocate(), self.allocate());
        self.put(Entry::Database(Database { oid, name, owner }));
        self.put(Entry::Schema(Schema { oid: public, database: oid, name: "public".to_string(), owner }));
        Ok(())
    }

    /// Some statements stand alone.
    pub(super) fn refuse_block(&self, what: &str) -> Result<()> {
        match self.transaction.block {
            Block::Auto => Ok(()),
            _ => Err(err!(ACTIVE_SQL_TRANSACTION, "{what} cannot run inside a transaction block")),
        }
    }

    pub(super) fn create_role(&mut self, create: &CreateRole) -> Result<()> {
        self.require(|r| r.create_role, "permission denied to create role")?;
        let RoleName::Named(name) = &create.name else {
            return Err(err!(RESERVED_NAME, "role name is reserved"));
        };
        let name = ident(name);
        if name.starts_with("pg_") {
            return Err(err!(RESERVED_NAME, "role name \"{name}\" is reserved")
                .detail("Role names starting with \"pg_\" are reserved."));
        }
        if self.catalog().role(&name).is_some() {
            return Err(err!(DUPLICATE_OBJECT, "role \"{name}\" already exists"));
        }
        let oid = self.allocate();
        let mut role = Role {
            oid,
            name,
            superuser: false,
            create_db: false,
            create_role: false,
            inherit: true,
            login: create.user,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            password: None,
        };
        self.role_options(&mut role, &create.options)?;
        self.put(Entry::Role(role));
        self.new_memberships(oid, &create.options)
    }

    pub(super) fn alter_role(&mut self, alter: &AlterRole) -> Result<()> {
        let oid = self.role(&alter.name)?;
        let catalog = self.catalog();
        let Some(Entry::Role(role)) = catalog.get(oid).map(|e| &**e) else {
            return Err(Error::internal("a role was expected"));
        };
        let own_password = oid == self.owner() && matches!(alter.options.as_slice(), [RoleOption::Password(_)]);
        if !own_password {
            self.require(|r| r.create_role && !role.superuser, "permission denied to alter role")?;
        }
        let mut role = role.clone();
        self.role_options(&mut role, &alter.options)?;
        self.put(Entry::Role(role));
        Ok(())
    }

    fn role_options(&self, role: &mut Role, options: &[RoleOption]) -> Result<()> {
        for option in options {
            match option {
                RoleOption::Superuser(on) => {
                    if *on {
                        self.require(|_| false, "must be superuser to create superusers")?;
                    }
                    role.superuser = *on;
                }
                RoleOption::CreateDb(on) => role.create_db = *on,
                RoleOption::CreateRole(on) => role.create_role = *on,
                RoleOption::Inherit(on) => role.inherit = *on,
                RoleOption::Login(on) => role.login = *on,
                RoleOption::Replication(on) => role.replication = *on,
                RoleOption::BypassRls(on) => role.bypass_rls = *on,
                RoleOption::ConnectionLimit(n) => {
                    role.connection_limit = i32::try_from(*n)
                        .ok()
                        .filter(|n| *n >= -1)
                        .ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "invalid connection limit: {n}"))?;
                }
                RoleOption::Password(None) => role.password = None,
                RoleOption::Password(Some(password)) if password.is_empty() => {
                    self.notice(
                        SqlState::SUCCESSFUL_COMPLETION,
                        "empty string is not a valid password, clearing password".to_string(),
                    );
                    role.password = None;
                }
                RoleOption::Password(Some(password)) => {
                    role.password =
                        Some(crate::security::scram::Verifier::from_password_or_verifier(password).to_string());
                }
                RoleOption::ValidUntil(_) => return Err(Error::unsupported("VALID UNTIL")),
                // Done when the role is there.
                RoleOption::InRole(_) | RoleOption::Role(_) | RoleOption::Admin(_) => {}
                RoleOption::SysId(_) => {
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, "SYSID can no longer be specified".to_string())
                }
            }
        }
        Ok(())
    }

    pub(super) fn comment(&mut self, comment: &Comment) -> Result<()> {
        let object = self.comment_object(comment)?;
        let text = comment.comment.clone().filter(|t| !t.is_empty());
        self.change().comment(object, text);
        self.publish();
        Ok(())
    }

    fn comment_object(&self, comment: &Comment) -> Result<(Oid, i32)> {
        let parts: Vec<String> = comment.name.0.iter().filter_map(|p| p.as_ident().map(ident)).collect();
        let last = parts.last().cloned().unwrap_or_default();
        let wrong = |name: &str, what: &str| Err(err!(WRONG_OBJECT_TYPE, "\"{name}\" is not {what}"));
        match comment.kind {
            ObjectKind::Table
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Index
            | ObjectKind::Sequence => {
                let entry = self.relation(&comment.name)?;
                self.must_own(&entry)?;
                match (comment.kind, &*entry) {
                    (ObjectKind::Table, Entry::Table(t)) if t.view.is_none() => Ok((entry.oid(), 0)),
                    (ObjectKind::MaterializedView, Entry::Table(t)) if t.view.is_some() => Ok((entry.oid(), 0)),
                    (ObjectKind::View, Entry::View(_))
                    | (ObjectKind::Index, Entry::Index(_))
                    | (ObjectKind::Sequence, Entry::Sequence(_)) => Ok((entry.oid(), 0)),
                    (ObjectKind::Table, _) => wrong(entry.name(), "a table"),
                    (ObjectKind::View, _) => wrong(entry.name(), "a view"),
                    (ObjectKind::MaterializedView, _) => wrong(entry.name(), "a materialized view"),
                    (ObjectKind::Index, _) => wrong(entry.name(), "an index"),
                    _ => wrong(entry.name(), "a sequence"),
                }
            }
            ObjectKind::Column => {
                let mut table = comment.name.clone();
                table.0.pop();
                if table.0.is_empty() {
                    return Err(err!(SYNTAX_ERROR, "column name must be qualified"));
                }
                let entry = self.relation(&table)?;
                self.must_own(&entry)?;
                let number = match &*entry {
                    Entry::Table(table) => table.column(&last).map(|c| i32::from(c.number)),
                    Entry::View(view) => view.columns.iter().position(|(n, _)| *n == last).map(|i| i as i32 + 1),
                    other => return wrong(other.name(), "a table, view, materialized view, or composite type"),
                };
                let number = number.ok_or_else(|| {
                    err!(UNDEFINED_COLUMN, "column \"{last}\" of relation \"{}\" does not exist", entry.name())
                })?;
                Ok((entry.oid(), number))
            }
            ObjectKind::Constraint => {
                let Some(on) = &comment.on else { return Err(Error::unsupported("COMMENT ON CONSTRAINT of a domain")) };
                let table = self.table(on)?;
                let found = table.constraints.iter().find(|c| c.name == last);
                found.map(|c| (c.oid, 0)).ok_or_else(|| {
                    err!(UNDEFINED_OBJECT, "constraint \"{last}\" for table \"{}\" does not exist", table.name)
                })
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                let name = comment.routine.as_ref().ok_or_else(|| Error::internal("a routine was expected"))?;
                let routine = self.routine_named(comment.kind, name)?;
                self.must_own(&Entry::Routine(routine.clone()))?;
                Ok((routine.oid, 0))
            }
            ObjectKind::Schema => {
                let oid = self.catalog().schema(self.shared.database, &last);
                oid.map(|o| (o, 0)).ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{last}\" does not exist"))
            }
            ObjectKind::Database => {
                let catalog = self.catalog();
                let found = catalog.database(&last).map(|d| (d.oid, 0));
                found.ok_or_else(|| err!(INVALID_CATALOG_NAME, "database \"{last}\" does not exist"))
            }
            ObjectKind::Role => {
                let catalog = self.catalog();
                catalog.role(&last).map(|r| (r.oid, 0)).ok_or_else(|| undefined_role(&last))
            }
            ObjectKind::Type | ObjectKind::Domain => self.type_named(&comment.name).map(|oid| (oid, 0)),
            other => Err(Error::unsupported(format!("COMMENT ON {}", other.name().to_uppercase()))),
        }
    }

    /// A schema by its name alone.
    pub(super) fn schema_named(&self, name: &ast::ObjectName) -> String {
        name.0.last().and_then(|p| p.as_ident()).map(ident).unwrap_or_default()
    }
}

fn is_utf8(value: &str) -> bool {
    matches!(value.to_ascii_uppercase().replace(['-', '_'], "").as_str(), "UTF8" | "UNICODE")
}

fn undefined_role(name: &str) -> Error {
    err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist")
}
