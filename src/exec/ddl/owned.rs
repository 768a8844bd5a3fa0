//! What a role has: REASSIGN OWNED, DROP OWNED, memberships of new and dropped roles, a new owner's privileges.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::document::Oid;
use crate::err;
use crate::error::Result;
use crate::sql::privilege::{self, Object};
use crate::sql::statement::{RoleName, RoleOption};
use crate::storage::catalog::{BOOTSTRAP_ROLE, Entry, Privileges};

use super::Ddl;
use super::depend::Removal;

impl Ddl<'_> {
    pub(super) fn reassign_owned(&mut self, roles: &[RoleName], to: &RoleName) -> Result<()> {
        for role in roles {
            let old = self.role(role)?;
            self.may_act_for(old, "reassign objects")?;
            for entry in self.owned_here(old) {
                self.set_owner(&entry, to)?;
            }
        }
        Ok(())
    }

    pub(super) fn drop_owned(&mut self, roles: &[RoleName], cascade: bool) -> Result<()> {
        for role in roles {
            let role = self.role(role)?;
            self.may_act_for(role, "drop objects")?;
            if role == BOOTSTRAP_ROLE {
                let name = self.catalog().get(role).map(|e| e.name().to_string()).unwrap_or_default();
                return Err(err!(
                    DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop objects owned by role {name} because they are required by the database system"
                ));
            }
            self.revoke_all(role);
            let owned: BTreeSet<Oid> = self
                .owned_here(role)
                .iter()
                .filter(|e| !matches!(&***e, Entry::Database(_)))
                .map(|e| e.oid())
                .collect();
            let mut removal = Removal::default();
            for oid in &owned {
                self.gather(*oid, &owned, &mut removal);
            }
            self.check_dependents(&removal, &[], cascade)?;
            self.remove_all(&removal)?;
        }
        Ok(())
    }

    fn may_act_for(&self, role: Oid, what: &str) -> Result<()> {
        match privilege::acts_as(&self.catalog(), self.owner(), role) {
            true => Ok(()),
            false => Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied to {what}")),
        }
    }

    /// What a role owns in this database, and the databases that it owns.
    fn owned_here(&self, role: Oid) -> Vec<Arc<Entry>> {
        let catalog = self.catalog();
        let is_here = |entry: &Entry| match entry {
            Entry::Schema(schema) => schema.database == self.shared.database,
            Entry::Database(_) => true,
            other => other.schema().is_some_and(|schema| match catalog.get(schema).map(|e| &**e) {
                Some(Entry::Schema(schema)) => schema.database == self.shared.database,
                _ => false,
            }),
        };
        let owned = catalog.entries.values().filter(|e| super::remove::owner_of(e) == Some(role) && is_here(e));
        owned.cloned().collect()
    }

    /// Takes away everything that was granted to a role.
    fn revoke_all(&mut self, role: Oid) {
        let catalog = self.catalog();
        for entry in catalog.entries.values() {
            match &**entry {
                Entry::Privileges(p) if p.items.iter().any(|i| i.grantee == role || i.grantor == role) => {
                    let items = p.items.iter().filter(|i| i.grantee != role && i.grantor != role).copied().collect();
                    self.change().put(Entry::Privileges(Privileges { items, ..p.clone() }));
                }
                Entry::DefaultPrivileges(d) if d.role == role => self.change().remove(d.oid),
                _ => {}
            }
        }
        self.publish();
    }

    /// 2BP01 for a role that something was granted to.
    pub(super) fn refuse_granted_role(&self, role: Oid, name: &str) -> Result<()> {
        let catalog = self.catalog();
        let mut details = Vec::new();
        for entry in catalog.entries.values() {
            let Entry::Privileges(p) = &**entry else { continue };
            if !p.items.iter().any(|i| i.grantee == role || i.grantor == role) {
                continue;
            }
            let Some(object) = catalog.get(p.object) else { continue };
            let shown = self.describe(object);
            details.push(match p.column {
                0 => format!("privileges for {shown}"),
                number => {
                    let column = catalog.table(p.object).and_then(|t| t.column_by_number(number as i16));
                    let column = column.map(|c| c.name.clone()).unwrap_or_default();
                    format!("privileges for column {column} of {shown}")
                }
            });
        }
        if details.is_empty() {
            return Ok(());
        }
        Err(err!(DEPENDENT_OBJECTS_STILL_EXIST, "role \"{name}\" cannot be dropped because some objects depend on it")
            .detail(details.join("\n")))
    }

    /// The memberships of a role that goes go with it.
    pub(super) fn forget_memberships(&mut self, role: Oid) {
        let catalog = self.catalog();
        for entry in catalog.entries.values() {
            if let Entry::Membership(m) = &**entry
                && (m.role == role || m.member == role)
            {
                self.change().remove(m.oid);
            }
        }
        self.publish();
    }

    /// IN ROLE, ROLE and ADMIN of CREATE ROLE.
    pub(super) fn new_memberships(&mut self, role: Oid, options: &[RoleOption]) -> Result<()> {
        let user = self.owner();
        let grantor = if privilege::is_superuser(&self.catalog(), user) { BOOTSTRAP_ROLE } else { user };
        for option in options {
            match option {
                RoleOption::InRole(groups) => {
                    for group in groups {
                        let group = self.role(group)?;
                        self.add_member(group, role, grantor, &[])?;
                    }
                }
                RoleOption::Role(members) | RoleOption::Admin(members) => {
                    let admin = matches!(option, RoleOption::Admin(_));
                    for member in members {
                        let member = self.role(member)?;
                        self.add_member(role, member, grantor, &[("admin".to_string(), admin)])?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Privileges granted by (and to) the old owner are the new owner's.
    pub(super) fn new_owner_in_acl(&mut self, entry: &Entry, owner: Oid) {
        let (catalog, oid) = (self.catalog(), entry.oid());
        let Some(old) = super::remove::owner_of(entry) else { return };
        for privileges in catalog.entries.values() {
            let Entry::Privileges(p) = &**privileges else { continue };
            if p.object != oid {
                continue;
            }
            let mut items = Vec::new();
            for item in &p.items {
                let change = |role: Oid| if role == old { owner } else { role };
                let (grantee, grantor) = (change(item.grantee), change(item.grantor));
                privilege::grant(&mut items, grantee, grantor, item.rights, false);
                if let Some(new) = items.iter_mut().find(|i| i.grantee == grantee && i.grantor == grantor) {
                    new.grantable |= item.grantable;
                }
            }
            self.change().put(Entry::Privileges(Privileges { items, ..p.clone() }));
        }
    }

    /// 42501 unless the user owns or may maintain a relation.
    pub(crate) fn must_maintain(&self, entry: &Entry) -> Result<()> {
        let catalog = self.catalog();
        match Object::relation(entry) {
            Some(object) if privilege::held(&catalog, self.owner(), &object) & privilege::MAINTAIN == 0 => {
                Err(crate::exec::authorize::denied(entry))
            }
            _ => Ok(()),
        }
    }
}
