//! GRANT and REVOKE of roles.

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::parser::ident;
use crate::sql::privilege::{self, Through};
use crate::sql::statement::GrantRole;
use crate::storage::catalog::{Entry, Membership};

use super::Ddl;

impl Ddl<'_> {
    pub(super) fn grant_role(&mut self, grant: &GrantRole) -> Result<()> {
        for role in &grant.roles {
            let name = ident(role);
            let catalog = self.catalog();
            let role = catalog.role(&name).ok_or_else(|| err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"))?.oid;
            let grantor = self.membership_grantor(role, &name, grant)?;
            for member in &grant.grantees {
                let member = self.role(member)?;
                match grant.revoke {
                    false => self.add_member(role, member, grantor, &grant.options)?,
                    true => self.remove_member(role, member, grantor, grant)?,
                }
            }
        }
        Ok(())
    }

    /// Who grants: the first role for superusers, else who has the ADMIN option.
    fn membership_grantor(&self, role: Oid, name: &str, grant: &GrantRole) -> Result<Oid> {
        let (catalog, user) = (self.catalog(), self.owner());
        if let Some(by) = &grant.granted_by {
            return self.role(by);
        }
        if privilege::is_superuser(&catalog, user) {
            return Ok(crate::storage::catalog::BOOTSTRAP_ROLE);
        }
        let verb = if grant.revoke { "revoke" } else { "grant" };
        let may = !privilege::is_superuser(&catalog, role)
            && privilege::roles_of(&catalog, user, Through::Inherit)
                .iter()
                .any(|r| catalog.memberships_of(*r).any(|m| m.role == role && m.admin));
        match may {
            true => Ok(user),
            false => Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied to {verb} role \"{name}\"")
                .detail(format!("Only roles with the ADMIN option on role \"{name}\" may {verb} this role."))),
        }
    }

    /// Makes a role a member of another, or changes how it is.
    pub(super) fn add_member(
        &mut self,
        role: Oid,
        member: Oid,
        grantor: Oid,
        options: &[(String, bool)],
    ) -> Result<()> {
        let catalog = self.catalog();
        let name = |oid: Oid| catalog.get(oid).map(|e| e.name().to_string()).unwrap_or_default();
        if role == member || privilege::roles_of(&catalog, role, Through::Any).contains(&member) {
            return Err(err!(
                INVALID_GRANT_OPERATION,
                "role \"{}\" is a member of role \"{}\"",
                name(role),
                name(member)
            ));
        }
        let known = catalog.memberships_of(member).find(|m| m.role == role && m.grantor == grantor).cloned();
        let inherits = matches!(catalog.get(member).map(|e| &**e), Some(Entry::Role(r)) if r.inherit);
        let is_new = known.is_none();
        let mut membership = known.clone().unwrap_or(Membership {
            oid: 0,
            role,
            member,
            grantor,
            admin: false,
            inherit: inherits,
            set: true,
        });
        for (option, on) in options {
            match option.as_str() {
                "admin" => membership.admin = *on,
                "inherit" => membership.inherit = *on,
                "set" => membership.set = *on,
                other => return Err(err!(SYNTAX_ERROR, "unrecognized role option \"{other}\"")),
            }
        }
        if !is_new && known.as_ref() == Some(&membership) {
            let message = format!(
                "role \"{}\" has already been granted membership in role \"{}\" by role \"{}\"",
                name(member),
                name(role),
                name(grantor)
            );
            self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(());
        }
        if is_new {
            membership.oid = self.allocate();
        }
        self.put(Entry::Membership(membership));
        Ok(())
    }

    fn remove_member(&mut self, role: Oid, member: Oid, grantor: Oid, grant: &GrantRole) -> Result<()> {
        let catalog = self.catalog();
        let found = catalog.memberships_of(member).find(|m| m.role == role && m.grantor == grantor).cloned();
        let Some(mut membership) = found else {
            let name = |oid: Oid| catalog.get(oid).map(|e| e.name().to_string()).unwrap_or_default();
            let message = format!(
                "role \"{}\" has not been granted membership in role \"{}\" by role \"{}\"",
                name(member),
                name(role),
                name(grantor)
            );
            self.shared.notice("WARNING", Error::new(SqlState::WARNING, message));
            return Ok(());
        };
        match grant.option_for.as_deref() {
            Some("admin") => membership.admin = false,
            Some("inherit") => membership.inherit = false,
            Some("set") => membership.set = false,
            Some(other) => return Err(err!(SYNTAX_ERROR, "unrecognized role option \"{other}\"")),
            None => {
                self.change().remove(membership.oid);
                self.publish();
                return Ok(());
            }
        }
        self.put(Entry::Membership(membership));
        Ok(())
    }
}
