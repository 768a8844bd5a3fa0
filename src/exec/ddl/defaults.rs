//! ALTER DEFAULT PRIVILEGES, and the privileges that a new object has by it.

use crate::document::Oid;
use crate::err;
use crate::error::Result;
use crate::sql::parser::ident;
use crate::sql::privilege::{self, Object};
use crate::sql::statement::{DefaultPrivileges, ObjectKind, RoleName};
use crate::storage::catalog::{self, AclItem, Entry, ObjectClass};

use super::Ddl;

impl Ddl<'_> {
    pub(super) fn default_privileges(&mut self, statement: &DefaultPrivileges) -> Result<()> {
        let class = match statement.grant.kind {
            ObjectKind::Table => ObjectClass::Relation,
            ObjectKind::Sequence => ObjectClass::Sequence,
            ObjectKind::Function => ObjectClass::Function,
            ObjectKind::Type => ObjectClass::Type,
            _ => ObjectClass::Schema,
        };
        if class == ObjectClass::Schema && !statement.schemas.is_empty() {
            return Err(err!(
                INVALID_GRANT_OPERATION,
                "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS"
            ));
        }
        let mut roles = Vec::new();
        for role in &statement.roles {
            let role = self.role(role)?;
            if !privilege::roles_of(&self.catalog(), self.owner(), privilege::Through::Inherit).contains(&role)
                && !privilege::is_superuser(&self.catalog(), self.owner())
            {
                return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied to change default privileges"));
            }
            roles.push(role);
        }
        if roles.is_empty() {
            roles.push(self.owner());
        }
        let mut schemas = Vec::new();
        for schema in &statement.schemas {
            let name = ident(schema);
            let found = self.catalog().schema(self.shared.database, &name);
            schemas.push(found.ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{name}\" does not exist"))?);
        }
        if schemas.is_empty() {
            schemas.push(0);
        }
        for role in roles {
            for schema in &schemas {
                self.change_defaults(statement, class, role, *schema)?;
            }
        }
        Ok(())
    }

    fn change_defaults(
        &mut self,
        statement: &DefaultPrivileges,
        class: ObjectClass,
        role: Oid,
        schema: Oid,
    ) -> Result<()> {
        let rights = super::grant::asked(&statement.grant, class)?.whole;
        let catalog = self.catalog();
        let plain = match schema {
            0 => privilege::default_items(&catalog, class, 0, role),
            _ => Vec::new(),
        };
        let known = defaults_of(&catalog, role, schema, class).cloned();
        let mut items = known.as_ref().map_or_else(|| plain.clone(), |known| known.items.clone());
        for name in &statement.grant.grantees {
            let grantee = match name {
                RoleName::Public => 0,
                name => self.role(name)?,
            };
            if !statement.grant.revoke {
                privilege::grant(&mut items, grantee, role, rights, statement.grant.with_grant_option);
                continue;
            }
            let revoked = AclItem { grantee, grantor: role, rights, grantable: 0 };
            let only = statement.grant.grant_option_for;
            privilege::revoke(&mut items, &revoked, role, only, statement.grant.cascade).map_err(|_| {
                err!(DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                    .hint("Use CASCADE to revoke them too.")
            })?;
        }
        let same = items.len() == plain.len() && items.iter().all(|item| plain.contains(item));
        match (known, same) {
            (Some(known), true) => {
                self.change().remove(known.oid);
                self.publish();
            }
            (None, true) => {}
            (known, false) => {
                let oid = known.map_or_else(|| self.allocate(), |known| known.oid);
                let entry = catalog::DefaultPrivileges { oid, role, schema, class, items };
                self.put(Entry::DefaultPrivileges(entry));
            }
        }
        Ok(())
    }

    /// Gives a new object the privileges that its maker's defaults say.
    pub(super) fn default_acl(&mut self, class: ObjectClass, oid: Oid, schema: Oid) {
        let (catalog, owner) = (self.catalog(), self.owner());
        let everywhere = defaults_of(&catalog, owner, 0, class);
        let here = defaults_of(&catalog, owner, schema, class);
        if everywhere.is_none() && here.is_none() {
            return;
        }
        let mut items = everywhere
            .map_or_else(|| privilege::default_items(&catalog, class, oid, owner), |known| known.items.clone());
        for item in here.into_iter().flat_map(|known| known.items.iter()) {
            privilege::grant(&mut items, item.grantee, item.grantor, item.rights, false);
            if let Some(known) = items.iter_mut().find(|i| i.grantee == item.grantee && i.grantor == item.grantor) {
                known.grantable |= item.grantable;
            }
        }
        let was_temporary = self.temporary;
        self.set_acl(Object { class, oid, column: 0, owner }, items);
        self.temporary = was_temporary;
    }
}

/// The defaults of a role for objects of a class, in a schema or (0) everywhere.
fn defaults_of(
    catalog: &catalog::Catalog,
    role: Oid,
    schema: Oid,
    class: ObjectClass,
) -> Option<&catalog::DefaultPrivileges> {
    catalog.default_privileges.iter().find_map(|oid| match catalog.get(*oid).map(|e| &**e) {
        Some(Entry::DefaultPrivileges(d)) if d.role == role && d.schema == schema && d.class == class => Some(d),
        _ => None,
    })
}
