//! Roles and privileges: CREATE / ALTER ROLE, GRANT, REVOKE.

use sqlparser::ast::{Ident, ObjectName};
use sqlparser::tokenizer::Token;

use crate::error::SqlState;
use crate::sql::statement::{
    AlterAction, AlterRole, AlterSetting, CreateRole, DefaultPrivileges, Grant, GrantRole, ObjectKind, RoleName,
    RoleOption, SetValue, Statement,
};

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// A role's name (RoleSpec).
    pub(super) fn role_name(&mut self) -> Parse<RoleName> {
        let special = match word(self) {
            "current_user" => Some(RoleName::CurrentUser),
            "current_role" => Some(RoleName::CurrentRole),
            "session_user" => Some(RoleName::SessionUser),
            "public" => Some(RoleName::Public),
            "none" => {
                let message = "role name \"none\" is reserved";
                return Err(failure(SqlState::RESERVED_NAME, span(self), message));
            }
            _ => None,
        };
        if let Some(special) = special {
            self.advance_token();
            return Ok(special);
        }
        Ok(RoleName::Named(nonreserved(self)?))
    }

    /// CREATE ROLE / USER / GROUP behind the word.
    pub(super) fn create_role(&mut self, user: bool) -> Parse<Statement> {
        let at = span(self);
        let name = self.role_name()?;
        if name == RoleName::Public {
            return Err(failure(SqlState::RESERVED_NAME, at, "role name \"public\" is reserved"));
        }
        take(self, "with");
        let options = self.role_options(true)?;
        Ok(Statement::CreateRole(CreateRole { name, user, options }))
    }

    fn role_options(&mut self, create: bool) -> Parse<Vec<RoleOption>> {
        let mut options: Vec<RoleOption> = Vec::new();
        loop {
            let at = span(self);
            let Some(option) = self.role_option(create)? else { return Ok(options) };
            let kind = std::mem::discriminant(&option);
            if options.iter().any(|o| std::mem::discriminant(o) == kind) {
                return Err(failure(SqlState::SYNTAX_ERROR, at, "conflicting or redundant options"));
            }
            options.push(option);
        }
    }

    fn role_option(&mut self, create: bool) -> Parse<Option<RoleOption>> {
        let name = word(self).to_string();
        let flag = |prefix: &str| !name.starts_with(prefix);
        let option = match name.as_str() {
            "superuser" | "nosuperuser" => RoleOption::Superuser(flag("no")),
            "createdb" | "nocreatedb" => RoleOption::CreateDb(flag("no")),
            "createrole" | "nocreaterole" | "createuser" | "nocreateuser" => RoleOption::CreateRole(flag("no")),
            "inherit" | "noinherit" => RoleOption::Inherit(flag("no")),
            "login" | "nologin" => RoleOption::Login(flag("no")),
            "replication" | "noreplication" => RoleOption::Replication(flag("no")),
            "bypassrls" | "nobypassrls" => RoleOption::BypassRls(flag("no")),
            "connection" => {
                self.advance_token();
                expect(self, "limit")?;
                return Ok(Some(RoleOption::ConnectionLimit(integer(self)?)));
            }
            "encrypted" | "password" => {
                self.advance_token();
                if name == "encrypted" {
                    expect(self, "password")?;
                } else if take(self, "null") {
                    return Ok(Some(RoleOption::Password(None)));
                }
                return Ok(Some(RoleOption::Password(Some(string(self)?))));
            }
            "unencrypted" => {
                let message = "UNENCRYPTED PASSWORD is no longer supported";
                return Err(failure(SqlState::FEATURE_NOT_SUPPORTED, span(self), message));
            }
            "valid" => {
                self.advance_token();
                expect(self, "until")?;
                return Ok(Some(RoleOption::ValidUntil(string(self)?)));
            }
            "sysid" if create => {
                self.advance_token();
                return Ok(Some(RoleOption::SysId(integer(self)?)));
            }
            "in" if create => {
                self.advance_token();
                if !take(self, "role") {
                    expect(self, "group")?;
                }
                return Ok(Some(RoleOption::InRole(self.list(Self::role_name)?)));
            }
            "role" | "user" => {
                self.advance_token();
                return Ok(Some(RoleOption::Role(self.list(Self::role_name)?)));
            }
            "admin" if create => {
                self.advance_token();
                return Ok(Some(RoleOption::Admin(self.list(Self::role_name)?)));
            }
            "" => return Ok(None),
            _ => {
                let message = format!("unrecognized role option \"{name}\"");
                return Err(failure(SqlState::SYNTAX_ERROR, span(self), &message));
            }
        };
        self.advance_token();
        Ok(Some(option))
    }

    /// ALTER ROLE / USER / GROUP behind the word.
    pub(super) fn alter_role(&mut self) -> Parse<Statement> {
        let role = if take(self, "all") { None } else { Some(self.role_name()?) };
        if take_all(self, &["rename", "to"]) {
            let Some(RoleName::Named(name)) = role else { return unexpected(self) };
            let action = AlterAction::Rename(column_id(self)?);
            return Ok(Statement::Alter(Box::new(crate::sql::statement::Alter {
                kind: ObjectKind::Role,
                if_exists: false,
                only: false,
                name: ObjectName::from(vec![name]),
                actions: vec![action],
            })));
        }
        let database = if take_all(self, &["in", "database"]) { Some(column_id(self)?) } else { None };
        if matches!(word(self), "set" | "reset") {
            let (name, value) = self.setting_change()?;
            return Ok(Statement::AlterSetting(AlterSetting { role, database, name, value }));
        }
        let (Some(name), None) = (role, database) else { return unexpected(self) };
        if matches!(word(self), "add" | "drop") && word_at(self, 1) == "user" {
            let revoke = word(self) == "drop";
            self.advance_token();
            self.advance_token();
            let RoleName::Named(group) = name else { return unexpected(self) };
            let grantees = self.list(Self::role_name)?;
            return Ok(Statement::GrantRole(GrantRole {
                revoke,
                option_for: None,
                roles: vec![group],
                grantees,
                options: Vec::new(),
                granted_by: None,
                cascade: false,
            }));
        }
        take(self, "with");
        Ok(Statement::AlterRole(AlterRole { name, options: self.role_options(false)? }))
    }

    /// `SET name TO value | FROM CURRENT` or `RESET name | ALL` of ALTER ROLE and ALTER DATABASE.
    pub(super) fn setting_change(&mut self) -> Parse<(Option<String>, Option<SetValue>)> {
        if take(self, "reset") {
            return Ok((self.setting_name_or_all()?, None));
        }
        expect(self, "set")?;
        let (name, value) = self.setting_and_value()?;
        Ok((Some(name), Some(value)))
    }

    /// ALTER DEFAULT PRIVILEGES from DEFAULT on.
    pub(super) fn default_privileges(&mut self) -> Parse<Statement> {
        expect(self, "default")?;
        expect(self, "privileges")?;
        let (mut roles, mut schemas) = (Vec::new(), Vec::new());
        loop {
            if take(self, "for") {
                if !take(self, "role") {
                    expect(self, "user")?;
                }
                roles = self.list(Self::role_name)?;
            } else if take_all(self, &["in", "schema"]) {
                schemas = self.list(|g| column_id(g))?;
            } else {
                break;
            }
        }
        if !matches!(word(self), "grant" | "revoke") {
            return unexpected(self);
        }
        let revoke = word(self) == "revoke";
        self.advance_token();
        let grant_option_for = revoke && take_all(self, &["grant", "option", "for"]);
        let privileges = if take(self, "all") {
            take(self, "privileges");
            Vec::new()
        } else {
            self.list(|g| Ok((label(g)?.value, Vec::new())))?
        };
        expect(self, "on")?;
        let kind = match word(self) {
            "tables" => ObjectKind::Table,
            "sequences" => ObjectKind::Sequence,
            "functions" | "routines" => ObjectKind::Function,
            "types" => ObjectKind::Type,
            "schemas" => ObjectKind::Schema,
            _ => return unexpected(self),
        };
        self.advance_token();
        expect(self, if revoke { "from" } else { "to" })?;
        let grantees = self.grantees()?;
        let with_grant_option = !revoke && take_all(self, &["with", "grant", "option"]);
        let cascade = revoke && self.cascade();
        let grant = Grant {
            revoke,
            grant_option_for,
            privileges,
            all_columns: Vec::new(),
            kind,
            all_in_schema: false,
            objects: Vec::new(),
            routines: Vec::new(),
            grantees,
            with_grant_option,
            granted_by: None,
            cascade,
        };
        Ok(Statement::DefaultPrivileges(DefaultPrivileges { roles, schemas, grant }))
    }

    /// REASSIGN OWNED.
    pub(super) fn reassign_owned(&mut self) -> Parse<Statement> {
        self.advance_token();
        expect(self, "owned")?;
        expect(self, "by")?;
        let roles = self.list(Self::role_name)?;
        expect(self, "to")?;
        Ok(Statement::ReassignOwned { roles, to: self.role_name()? })
    }

    /// DROP OWNED from OWNED on.
    pub(super) fn drop_owned(&mut self) -> Parse<Statement> {
        expect(self, "owned")?;
        expect(self, "by")?;
        let roles = self.list(Self::role_name)?;
        Ok(Statement::DropOwned { roles, cascade: self.cascade() })
    }

    /// GRANT and REVOKE.
    pub(super) fn grant(&mut self) -> Parse<Statement> {
        let revoke = word(self) == "revoke";
        self.advance_token();
        let mut option_for = None;
        if revoke && word_at(self, 1) == "option" && word_at(self, 2) == "for" {
            option_for = Some(label(self)?.value);
            self.advance_token();
            self.advance_token();
        }
        let (mut all, mut all_columns) = (false, Vec::new());
        let mut privileges: Vec<(Ident, Vec<Ident>)> = Vec::new();
        if word(self) == "all" {
            all = true;
            self.advance_token();
            take(self, "privileges");
            all_columns = self.optional_columns()?;
        } else {
            privileges = self.list(|g| {
                let mut name = label(g)?;
                if name.value == "alter" && take(g, "system") {
                    name.value = "alter system".into();
                }
                Ok((name, g.optional_columns()?))
            })?;
        }
        if word(self) != "on" {
            return self.grant_role(revoke, option_for, all, privileges);
        }
        self.advance_token();
        let Some((kind, all_in_schema)) = self.grant_target() else {
            return self.unsupported_rest("GRANT on this kind of object");
        };
        let is_routine = matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine);
        let (mut objects, mut routines) = (Vec::new(), Vec::new());
        if is_routine && !all_in_schema {
            routines = self.list(Self::routine_name)?;
        } else {
            objects = self.list(|g| object_name(g))?;
        }
        expect(self, if revoke { "from" } else { "to" })?;
        let grantees = self.grantees()?;
        let with_grant_option = !revoke && take_all(self, &["with", "grant", "option"]);
        let granted_by = if take_all(self, &["granted", "by"]) { Some(self.role_name()?) } else { None };
        let cascade = revoke && self.cascade();
        let privileges = privileges.into_iter().map(|(name, columns)| (name.value, columns)).collect();
        let grant_option_for = match option_for.as_deref() {
            None => false,
            Some("grant") => true,
            Some(_) => return unexpected(self),
        };
        Ok(Statement::Grant(Grant {
            revoke,
            grant_option_for,
            privileges,
            all_columns,
            kind,
            all_in_schema,
            objects,
            routines,
            grantees,
            with_grant_option,
            granted_by,
            cascade,
        }))
    }

    /// The kind of object behind ON; `None` when it is one without plain names.
    fn grant_target(&mut self) -> Option<(ObjectKind, bool)> {
        if word(self) == "all" && word_at(self, 2) == "in" && word_at(self, 3) == "schema" {
            let kind = match word_at(self, 1) {
                "tables" => ObjectKind::Table,
                "sequences" => ObjectKind::Sequence,
                "functions" => ObjectKind::Function,
                "procedures" => ObjectKind::Procedure,
                "routines" => ObjectKind::Routine,
                _ => return None,
            };
            for _ in 0..4 {
                self.advance_token();
            }
            return Some((kind, true));
        }
        // A table may be called like a kind: `ON schema TO x`.
        let named =
            !matches!(token_at(self, 1), Token::Comma | Token::Period) && !matches!(word_at(self, 1), "to" | "from");
        let kind = match word(self) {
            "table" => ObjectKind::Table,
            "sequence" if named => ObjectKind::Sequence,
            "schema" if named => ObjectKind::Schema,
            "database" if named => ObjectKind::Database,
            "type" if named => ObjectKind::Type,
            "domain" if named => ObjectKind::Domain,
            "tablespace" if named => ObjectKind::Tablespace,
            "language" if named => ObjectKind::Language,
            "function" if named => ObjectKind::Function,
            "procedure" if named => ObjectKind::Procedure,
            "routine" if named => ObjectKind::Routine,
            "large" | "foreign" | "parameter" if named => return None,
            _ => return Some((ObjectKind::Table, false)),
        };
        self.advance_token();
        Some((kind, false))
    }

    fn grantees(&mut self) -> Parse<Vec<RoleName>> {
        self.list(|g| {
            take(g, "group");
            g.role_name()
        })
    }

    fn grant_role(
        &mut self,
        revoke: bool,
        option_for: Option<String>,
        all: bool,
        roles: Vec<(Ident, Vec<Ident>)>,
    ) -> Parse<Statement> {
        if all || roles.iter().any(|(_, columns)| !columns.is_empty()) {
            return unexpected(self);
        }
        expect(self, if revoke { "from" } else { "to" })?;
        let grantees = self.grantees()?;
        let mut options = Vec::new();
        if !revoke && take(self, "with") {
            options = self.list(|g| {
                let name = label(g)?.value;
                let value = take(g, "option") || take(g, "true");
                if !value {
                    expect(g, "false")?;
                }
                Ok((name, value))
            })?;
        }
        let granted_by = if take_all(self, &["granted", "by"]) { Some(self.role_name()?) } else { None };
        let cascade = revoke && self.cascade();
        let roles = roles.into_iter().map(|(name, _)| name).collect();
        Ok(Statement::GrantRole(GrantRole { revoke, option_for, roles, grantees, options, granted_by, cascade }))
    }
}
