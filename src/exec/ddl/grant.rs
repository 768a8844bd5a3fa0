//! GRANT and REVOKE on objects, ALTER DEFAULT PRIVILEGES, and who may run which DDL statement.

use std::sync::Arc;

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::parser::ident;
use crate::sql::privilege::{self, Object, Rights};
use crate::sql::statement::{Grant, ObjectKind, RoleName, ast};
use crate::storage::catalog::{AclItem, Entry, ObjectClass, Routine, RoutineKind, is_temporary};

use super::Ddl;

/// What a GRANT asks for on one object: rights on the whole, rights on columns.
pub(super) struct Asked {
    pub whole: Rights,
    columns: Vec<(String, Rights)>,
}

/// Who gets it, and how.
struct Terms<'g> {
    grantees: Vec<Oid>,
    grant: &'g Grant,
}

impl Ddl<'_> {
    pub(super) fn grant(&mut self, grant: &Grant) -> Result<()> {
        let mut grantees = Vec::new();
        for name in &grant.grantees {
            let grantee = match name {
                RoleName::Public => 0,
                name => self.role(name)?,
            };
            if grantee == 0 && grant.with_grant_option {
                return Err(err!(INVALID_GRANT_OPERATION, "grant options can only be granted to roles"));
            }
            grantees.push(grantee);
        }
        if let Some(grantor) = &grant.granted_by
            && self.role(grantor)? != self.owner()
        {
            return Err(err!(FEATURE_NOT_SUPPORTED, "grantor must be current user"));
        }
        let terms = Terms { grantees, grant };
        for (entry, object) in self.grant_objects(grant)? {
            self.grant_on(entry.as_deref(), object, &terms)?;
        }
        Ok(())
    }

    /// The objects that a GRANT names.
    fn grant_objects(&self, grant: &Grant) -> Result<Vec<(Option<Arc<Entry>>, Object)>> {
        let catalog = self.catalog();
        let mut found = Vec::new();
        let object = |routine: &Routine| Object {
            class: ObjectClass::Function,
            oid: routine.oid,
            column: 0,
            owner: routine.owner,
        };
        for name in &grant.routines {
            let routine = self.routine_named(grant.kind, name)?;
            found.push((catalog.get(routine.oid).cloned(), object(&routine)));
        }
        for name in &grant.objects {
            let last = name.0.last().and_then(|p| p.as_ident()).map(ident).unwrap_or_default();
            if grant.all_in_schema {
                let schema = catalog
                    .schema(self.shared.database, &last)
                    .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{last}\" does not exist"))?;
                let inside = catalog.entries.values().filter(|e| e.schema() == Some(schema));
                let fits = |routine: &Routine| match grant.kind {
                    ObjectKind::Function => routine.kind == RoutineKind::Function,
                    ObjectKind::Procedure => routine.kind == RoutineKind::Procedure,
                    ObjectKind::Routine => true,
                    _ => false,
                };
                let routines = catalog.routines.iter().filter(|((s, _), _)| *s == schema).flat_map(|(_, oids)| oids);
                for entry in routines.filter_map(|oid| catalog.get(*oid)) {
                    if let Entry::Routine(routine) = &**entry
                        && fits(routine)
                    {
                        found.push((Some(entry.clone()), object(routine)));
                    }
                }
                for entry in inside {
                    let fits = match &**entry {
                        Entry::Table(_) | Entry::View(_) => grant.kind == ObjectKind::Table,
                        Entry::Sequence(_) => grant.kind == ObjectKind::Sequence,
                        _ => false,
                    };
                    if fits && let Some(object) = Object::relation(entry) {
                        found.push((Some(entry.clone()), object));
                    }
                }
                continue;
            }
            match grant.kind {
                ObjectKind::Table | ObjectKind::Sequence => {
                    let Some(entry) = self.find(name)? else {
                        return match self.system_object(name) {
                            Some(object) => {
                                found.push((None, object));
                                continue;
                            }
                            None => Err(err!(UNDEFINED_TABLE, "relation \"{}\" does not exist", self.written(name)?)),
                        };
                    };
                    if matches!(*entry, Entry::Index(_)) {
                        return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is an index", entry.name()));
                    }
                    if grant.kind == ObjectKind::Sequence && !matches!(*entry, Entry::Sequence(_)) {
                        return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a sequence", entry.name()));
                    }
                    if let Some(object) = Object::relation(&entry) {
                        found.push((Some(entry), object));
                    }
                }
                ObjectKind::Schema => {
                    let oid = catalog
                        .schema(self.shared.database, &last)
                        .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{last}\" does not exist"))?;
                    found.push((catalog.get(oid).cloned(), Object::schema(&catalog, oid)));
                }
                ObjectKind::Database => {
                    let database = catalog
                        .database(&last)
                        .ok_or_else(|| err!(INVALID_CATALOG_NAME, "database \"{last}\" does not exist"))?;
                    let object =
                        Object { class: ObjectClass::Database, oid: database.oid, column: 0, owner: database.owner };
                    found.push((catalog.get(database.oid).cloned(), object));
                }
                other => {
                    let what = if grant.revoke { "REVOKE" } else { "GRANT" };
                    return Err(Error::unsupported(format!("{what} ON {}", other.name().to_uppercase())));
                }
            }
        }
        Ok(found)
    }

    /// A built-in relation, as an object of the first role.
    fn system_object(&self, name: &ast::ObjectName) -> Option<Object> {
        let relation = crate::sql::binder::relation_by_name(name, &self.eval).ok()?;
        let crate::sql::binder::Relation::System(relation) = relation else { return None };
        let owner = crate::storage::catalog::BOOTSTRAP_ROLE;
        Some(Object { class: ObjectClass::Relation, oid: relation.oid, column: 0, owner })
    }

    /// Grants or revokes on one object.
    fn grant_on(&mut self, entry: Option<&Entry>, object: Object, terms: &Terms<'_>) -> Result<()> {
        let asked = asked(terms.grant, object.class)?;
        let name = self.object_name(entry, object);
        if asked.whole != 0 {
            self.change_acl(object, &name, asked.whole, terms)?;
            if terms.grant.revoke && object.class == ObjectClass::Relation {
                self.revoke_from_columns(object, asked.whole, terms)?;
            }
        }
        for (column, rights) in &asked.columns {
            let number = entry.and_then(|entry| column_number(entry, column));
            let number = number.ok_or_else(|| {
                err!(UNDEFINED_COLUMN, "column \"{column}\" of relation \"{}\" does not exist", name.1)
            })?;
            self.change_acl(object.column(number), &name, *rights, terms)?;
        }
        Ok(())
    }

    /// What is revoked of a table is revoked of its columns.
    fn revoke_from_columns(&mut self, object: Object, rights: Rights, terms: &Terms<'_>) -> Result<()> {
        let catalog = self.catalog();
        let columns: Vec<i32> = catalog
            .privileges
            .range((object.class, object.oid, 1)..=(object.class, object.oid, i32::MAX))
            .map(|((_, _, column), _)| *column)
            .collect();
        let rights = rights & privilege::all_rights(object.class, true);
        for column in columns {
            self.change_acl(object.column(column), &("column", String::new()), rights, terms)?;
        }
        Ok(())
    }

    fn change_acl(&mut self, object: Object, name: &(&str, String), rights: Rights, terms: &Terms<'_>) -> Result<()> {
        let catalog = self.catalog();
        let user = self.owner();
        let Some((grantor, may)) = grantor(&catalog, user, object, rights) else {
            return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied for {} {}", name.0, name.1));
        };
        let (revoke, all) = (terms.grant.revoke, terms.grant.privileges.is_empty());
        let wanted = rights & may;
        if wanted != rights && !all {
            let (code, verb) = match revoke {
                true => (SqlState::WARNING, "revoked"),
                false => (SqlState::WARNING, "granted"),
            };
            let message = match wanted {
                0 => format!("no privileges were {verb} for \"{}\"", name.1),
                _ => format!("not all privileges were {verb} for \"{}\"", name.1),
            };
            self.shared.notice("WARNING", Error::new(code, message));
        }
        let mut items = privilege::items(&catalog, object.class, object.oid, object.column, object.owner);
        for grantee in &terms.grantees {
            if !revoke {
                privilege::grant(&mut items, *grantee, grantor, wanted, terms.grant.with_grant_option);
                continue;
            }
            let revoked = AclItem { grantee: *grantee, grantor, rights: wanted, grantable: 0 };
            let only = terms.grant.grant_option_for;
            privilege::revoke(&mut items, &revoked, object.owner, only, terms.grant.cascade).map_err(|_| {
                err!(DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                    .hint("Use CASCADE to revoke them too.")
            })?;
        }
        self.set_acl(object, items);
        Ok(())
    }

    /// Puts the list of an object.
    pub(super) fn set_acl(&mut self, object: Object, items: Vec<AclItem>) {
        self.temporary = is_temporary(object.oid);
        let oid = self.allocate();
        let items = if items.is_empty() && object.column != 0 { None } else { Some(items) };
        self.change().acl(oid, object.class, object.oid, object.column, items);
        self.publish();
    }

    /// The kind and the name of an object, as messages say them.
    fn object_name(&self, entry: Option<&Entry>, object: Object) -> (&'static str, String) {
        match entry {
            Some(entry) => (super::depend::kind(entry), entry.name().to_string()),
            None => match crate::sql::system::by_oid(object.oid) {
                Some(relation) => ("table", relation.short_name().to_string()),
                None => ("schema", if object.oid == 11 { "pg_catalog" } else { "information_schema" }.to_string()),
            },
        }
    }

    // ---- who may do what ----

    /// 42501 unless the user has the privileges of an object's owner.
    pub(super) fn must_own(&self, entry: &Entry) -> Result<()> {
        let catalog = self.catalog();
        let owner = match entry {
            Entry::Index(index) => catalog.table(index.table).map(|t| t.owner),
            other => super::remove::owner_of(other),
        };
        match owner {
            Some(owner) if !privilege::acts_as(&catalog, self.owner(), owner) => {
                let kind = super::depend::kind(entry);
                Err(err!(INSUFFICIENT_PRIVILEGE, "must be owner of {kind} {}", entry.name()))
            }
            _ => Ok(()),
        }
    }

    /// As [`Ddl::must_own`], but the owner of the schema may do it as well.
    pub(super) fn must_own_or_schema(&self, entry: &Entry) -> Result<()> {
        let catalog = self.catalog();
        let schema = entry.schema().and_then(|oid| catalog.get(oid));
        match schema.and_then(|schema| super::remove::owner_of(schema)) {
            Some(owner) if privilege::acts_as(&catalog, self.owner(), owner) => Ok(()),
            _ => self.must_own(entry),
        }
    }

    /// 42501 unless the user has a right on a relation.
    pub(super) fn must_hold(&self, entry: &Entry, right: Rights) -> Result<()> {
        let catalog = self.catalog();
        match Object::relation(entry) {
            Some(object) if privilege::held(&catalog, self.owner(), &object) & right == 0 => {
                let kind = super::depend::kind(entry);
                Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied for {kind} {}", entry.name()))
            }
            _ => Ok(()),
        }
    }

    /// 42501 unless the user may make objects in a schema.
    pub(super) fn may_create_in(&self, schema: Oid) -> Result<()> {
        let catalog = self.catalog();
        if is_temporary(schema) {
            return Ok(());
        }
        let object = Object::schema(&catalog, schema);
        match privilege::held(&catalog, self.owner(), &object) & privilege::CREATE {
            0 => Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied for schema {}", self.schema_name(schema))),
            _ => Ok(()),
        }
    }
}

/// Who grants: the owner for whom acts as the owner, else a role with the grant options. With the rights it may grant;
/// `None`: the user has nothing to do with the object.
fn grantor(
    catalog: &crate::storage::catalog::Catalog,
    user: Oid,
    object: Object,
    rights: Rights,
) -> Option<(Oid, Rights)> {
    if privilege::acts_as(catalog, user, object.owner) {
        return Some((object.owner, rights));
    }
    let roles = privilege::roles_of(catalog, user, privilege::Through::Inherit);
    let items = privilege::items(catalog, object.class, object.oid, object.column, object.owner);
    let options = |role: Oid| items.iter().filter(|i| i.grantee == role).fold(0, |all, i| all | i.grantable);
    let best = roles.iter().map(|role| (*role, options(*role) & rights)).max_by_key(|(_, may)| may.count_ones())?;
    let whole = Object { column: 0, ..object };
    match best {
        (_, 0) if privilege::held(catalog, user, &object) == 0 && privilege::held(catalog, user, &whole) == 0 => None,
        best => Some(best),
    }
}

/// The rights that a GRANT names, checked against those that there are on the class.
pub(super) fn asked(grant: &Grant, class: ObjectClass) -> Result<Asked> {
    let mut asked = Asked { whole: 0, columns: Vec::new() };
    let is_table = class == ObjectClass::Relation;
    let known = match class {
        // `GRANT ... ON name` may name a sequence.
        ObjectClass::Sequence if grant.kind == ObjectKind::Table => {
            privilege::all_rights(class, false) | privilege::all_rights(ObjectClass::Relation, false)
        }
        // A table may have been granted USAGE before there were sequences: PostgreSQL refuses it now.
        _ => privilege::all_rights(class, false),
    };
    if grant.privileges.is_empty() {
        if grant.all_columns.is_empty() {
            asked.whole = privilege::all_rights(class, false);
        }
        let rights = privilege::all_rights(class, true);
        asked.columns.extend(grant.all_columns.iter().map(|c| (ident(c), rights)));
        return Ok(asked);
    }
    for (name, columns) in &grant.privileges {
        let upper = name.to_uppercase();
        let right =
            privilege::right(&upper).ok_or_else(|| err!(SYNTAX_ERROR, "unrecognized privilege type \"{name}\""))?;
        if !columns.is_empty() {
            if !is_table {
                return Err(err!(INVALID_GRANT_OPERATION, "column privileges are only valid for relations"));
            }
            if right & privilege::all_rights(class, true) == 0 {
                return Err(err!(INVALID_GRANT_OPERATION, "invalid privilege type {upper} for column"));
            }
            asked.columns.extend(columns.iter().map(|c| (ident(c), right)));
            continue;
        }
        if right & known == 0 {
            let class = match class {
                ObjectClass::Relation => "table",
                ObjectClass::Sequence => "sequence",
                ObjectClass::Database => "database",
                ObjectClass::Schema => "schema",
                ObjectClass::Function => "function",
                ObjectClass::Type => "type",
            };
            return Err(err!(INVALID_GRANT_OPERATION, "invalid privilege type {upper} for {class}"));
        }
        asked.whole |= right;
    }
    Ok(asked)
}

fn column_number(entry: &Entry, name: &str) -> Option<i32> {
    match entry {
        Entry::Table(table) => table.column(name).map(|c| i32::from(c.number)),
        Entry::View(view) => view.columns.iter().position(|(n, _)| n == name).map(|i| i as i32 + 1),
        _ => None,
    }
}
