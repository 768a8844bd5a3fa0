//! Privileges: what a role may do with an object, by PostgreSQL's rules.
//!
//! An object without a list of its own has PostgreSQL's default one: everything for its owner, and what everybody may do
//! with such an object. Rights are bits in the order of their letters, `arwdDxtXUCTcsAm`.

use std::collections::BTreeSet;

use crate::document::Oid;
use crate::storage::catalog::{AclItem, Catalog, Entry, ObjectClass};

/// A set of rights.
pub type Rights = u32;

/// Letters and names of the rights, in the order of their bits.
const RIGHTS: [(char, &str); 15] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
    ('m', "MAINTAIN"),
];

/// INSERT.
pub const INSERT: Rights = 1;
/// SELECT.
pub const SELECT: Rights = 1 << 1;
/// UPDATE.
pub const UPDATE: Rights = 1 << 2;
/// DELETE.
pub const DELETE: Rights = 1 << 3;
/// TRUNCATE.
pub const TRUNCATE: Rights = 1 << 4;
/// REFERENCES.
pub const REFERENCES: Rights = 1 << 5;
/// EXECUTE.
pub const EXECUTE: Rights = 1 << 7;
/// USAGE.
pub const USAGE: Rights = 1 << 8;
/// CREATE.
pub const CREATE: Rights = 1 << 9;
/// TEMPORARY.
pub const TEMPORARY: Rights = 1 << 10;
/// CONNECT.
pub const CONNECT: Rights = 1 << 11;
/// MAINTAIN.
pub const MAINTAIN: Rights = 1 << 14;

const TRIGGER: Rights = 1 << 6;

/// The right of a name, in upper case.
pub fn right(name: &str) -> Option<Rights> {
    let name = if name == "TEMP" { "TEMPORARY" } else { name };
    RIGHTS.iter().position(|(_, n)| *n == name).map(|i| 1 << i)
}

/// The names of the rights in a set, in order.
pub fn names(rights: Rights) -> impl Iterator<Item = &'static str> {
    RIGHTS.iter().enumerate().filter(move |(i, _)| rights & (1 << i) != 0).map(|(_, (_, name))| *name)
}

/// All rights that there are on a class of objects; on a column: pass `is_column`.
pub fn all_rights(class: ObjectClass, is_column: bool) -> Rights {
    match class {
        _ if is_column => INSERT | SELECT | UPDATE | REFERENCES,
        ObjectClass::Relation => INSERT | SELECT | UPDATE | DELETE | TRUNCATE | REFERENCES | TRIGGER | MAINTAIN,
        ObjectClass::Sequence => SELECT | UPDATE | USAGE,
        ObjectClass::Database => CREATE | TEMPORARY | CONNECT,
        ObjectClass::Schema => CREATE | USAGE,
        ObjectClass::Function => EXECUTE,
        ObjectClass::Type => USAGE,
    }
}

/// What everybody may do with an object that nothing was said of.
fn public_rights(catalog: &Catalog, class: ObjectClass, object: Oid) -> Rights {
    match class {
        ObjectClass::Database => TEMPORARY | CONNECT,
        ObjectClass::Function => EXECUTE,
        ObjectClass::Type => USAGE,
        ObjectClass::Schema => match catalog.get(object).map(|e| &**e) {
            Some(Entry::Schema(schema)) if schema.name == "public" => USAGE,
            Some(_) => 0,
            // The built-in ones.
            None => USAGE,
        },
        ObjectClass::Relation | ObjectClass::Sequence => 0,
    }
}

/// The list of an object that has none of its own.
pub fn default_items(catalog: &Catalog, class: ObjectClass, object: Oid, owner: Oid) -> Vec<AclItem> {
    let mut items = Vec::new();
    let public = public_rights(catalog, class, object);
    let own = AclItem { grantee: owner, grantor: owner, rights: all_rights(class, false), grantable: 0 };
    let public = (public != 0).then_some(AclItem { grantee: 0, grantor: owner, rights: public, grantable: 0 });
    // As PostgreSQL shows them: everybody first, but for the schema `public`.
    match class {
        ObjectClass::Schema => items.extend([Some(own), public].into_iter().flatten()),
        _ => items.extend([public, Some(own)].into_iter().flatten()),
    }
    items
}

/// The list in force of an object (of a column: only what was said of it).
pub fn items(catalog: &Catalog, class: ObjectClass, object: Oid, column: i32, owner: Oid) -> Vec<AclItem> {
    match catalog.acl(class, object, column) {
        Some(items) => items.to_vec(),
        None if column != 0 => Vec::new(),
        None => default_items(catalog, class, object, owner),
    }
}

/// One item as text: `grantee=rights/grantor`.
pub fn item_text(catalog: &Catalog, item: &AclItem) -> String {
    let name = |oid: Oid| match catalog.get(oid).map(|e| &**e) {
        Some(Entry::Role(role)) if role.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            role.name.clone()
        }
        Some(Entry::Role(role)) => format!("\"{}\"", role.name.replace('"', "\"\"")),
        _ => oid.to_string(),
    };
    let mut text = if item.grantee == 0 { String::new() } else { name(item.grantee) };
    text.push('=');
    for (i, (letter, _)) in RIGHTS.iter().enumerate() {
        if item.rights & (1 << i) != 0 {
            text.push(*letter);
            if item.grantable & (1 << i) != 0 {
                text.push('*');
            }
        }
    }
    text.push('/');
    text.push_str(&name(item.grantor));
    text
}

/// How a role is a member of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// Its privileges come by themselves.
    Inherit,
    /// It may SET ROLE to it.
    Set,
    /// In any way.
    Any,
}

/// A role and all roles that it is a member of.
pub fn roles_of(catalog: &Catalog, role: Oid, through: Through) -> BTreeSet<Oid> {
    let mut found = BTreeSet::from([role]);
    let mut open = vec![role];
    while let Some(member) = open.pop() {
        for membership in catalog.memberships_of(member) {
            let leads = match through {
                Through::Inherit => membership.inherit,
                Through::Set => membership.set,
                Through::Any => true,
            };
            if leads && found.insert(membership.role) {
                open.push(membership.role);
            }
        }
    }
    found
}

/// Whether a role is a superuser.
pub fn is_superuser(catalog: &Catalog, role: Oid) -> bool {
    matches!(catalog.get(role).map(|e| &**e), Some(Entry::Role(role)) if role.superuser)
}

/// Whether a role has all privileges of another: is it, inherits from it, or is a superuser.
pub fn acts_as(catalog: &Catalog, role: Oid, other: Oid) -> bool {
    role == other || is_superuser(catalog, role) || roles_of(catalog, role, Through::Inherit).contains(&other)
}

/// The rights that a role has on an object (or by what was said of a column alone).
pub fn held(catalog: &Catalog, role: Oid, on: &Object) -> Rights {
    if is_superuser(catalog, role) {
        return all_rights(on.class, false);
    }
    let roles = roles_of(catalog, role, Through::Inherit);
    let items = items(catalog, on.class, on.oid, on.column, on.owner);
    let mine = items.iter().filter(|i| i.grantee == 0 || roles.contains(&i.grantee));
    mine.fold(0, |all, item| all | item.rights)
}

/// The rights that a role may grant on an object: its owner all of them.
pub fn grantable(catalog: &Catalog, role: Oid, on: &Object) -> Rights {
    let roles = roles_of(catalog, role, Through::Inherit);
    if is_superuser(catalog, role) || roles.contains(&on.owner) {
        return all_rights(on.class, on.column != 0);
    }
    let items = items(catalog, on.class, on.oid, on.column, on.owner);
    items.iter().filter(|i| roles.contains(&i.grantee)).fold(0, |all, item| all | item.grantable)
}

/// An object that privileges are asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub class: ObjectClass,
    /// Its OID.
    pub oid: Oid,
    /// The column, or 0.
    pub column: i32,
    /// Its owner.
    pub owner: Oid,
}

impl Object {
    /// A relation of the catalog.
    pub fn relation(entry: &Entry) -> Option<Self> {
        let (class, owner) = match entry {
            Entry::Table(table) => (ObjectClass::Relation, table.owner),
            Entry::View(view) => (ObjectClass::Relation, view.owner),
            Entry::Sequence(sequence) => (ObjectClass::Sequence, sequence.owner),
            _ => return None,
        };
        Some(Self { class, oid: entry.oid(), column: 0, owner })
    }

    /// A schema; the built-in ones are the first role's.
    pub fn schema(catalog: &Catalog, oid: Oid) -> Self {
        let owner = match catalog.get(oid).map(|e| &**e) {
            Some(Entry::Schema(schema)) => schema.owner,
            _ => crate::storage::catalog::BOOTSTRAP_ROLE,
        };
        Self { class: ObjectClass::Schema, oid, column: 0, owner }
    }

    /// One column of it.
    pub fn column(self, number: i32) -> Self {
        Self { column: number, ..self }
    }
}

/// Whether a role may use the names in a schema.
pub fn may_use_schema(catalog: &Catalog, role: Oid, schema: Oid) -> bool {
    crate::storage::catalog::is_temporary(schema)
        || is_superuser(catalog, role)
        || held(catalog, role, &Object::schema(catalog, schema)) & USAGE != 0
}

/// Adds a grant to a list.
pub fn grant(items: &mut Vec<AclItem>, grantee: Oid, grantor: Oid, rights: Rights, with_option: bool) {
    let grantable = if with_option { rights } else { 0 };
    match items.iter_mut().find(|i| i.grantee == grantee && i.grantor == grantor) {
        Some(item) => {
            item.rights |= rights;
            item.grantable |= grantable;
        }
        None => items.push(AclItem { grantee, grantor, rights, grantable }),
    }
}

/// Somebody has granted on what is to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DependentsExist;

/// Takes a grant out of a list, with what was granted by its virtue. Fails when there is such, and no CASCADE.
pub fn revoke(
    items: &mut Vec<AclItem>,
    revoked: &AclItem,
    owner: Oid,
    option_only: bool,
    cascade: bool,
) -> Result<(), DependentsExist> {
    let Some(item) = items.iter_mut().find(|i| i.grantee == revoked.grantee && i.grantor == revoked.grantor) else {
        return Ok(());
    };
    let lost = item.grantable & revoked.rights;
    item.grantable &= !revoked.rights;
    if !option_only {
        item.rights &= !revoked.rights;
    }
    items.retain(|i| i.rights != 0);
    // Who may still grant by another's virtue keeps what it has granted.
    let kept = items.iter().filter(|i| i.grantee == revoked.grantee).fold(0, |all, i| all | i.grantable);
    let lost = lost & !kept;
    if lost == 0 || revoked.grantee == owner {
        return Ok(());
    }
    let dependents: Vec<AclItem> = items
        .iter()
        .filter(|i| i.grantor == revoked.grantee && i.rights & lost != 0)
        .map(|i| AclItem { rights: i.rights & lost, ..*i })
        .collect();
    if !dependents.is_empty() && !cascade {
        return Err(DependentsExist);
    }
    dependents.iter().try_for_each(|dependent| revoke(items, dependent, owner, false, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(items: &[AclItem]) -> String {
        let catalog = Catalog::default();
        items.iter().map(|i| item_text(&catalog, i)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn grants_add_up_and_revokes_cascade() {
        let catalog = Catalog::default();
        let mut items = default_items(&catalog, ObjectClass::Relation, 1, 10);
        assert_eq!(text(&items), "10=arwdDxtm/10");
        grant(&mut items, 20, 10, SELECT | INSERT, true);
        grant(&mut items, 30, 20, SELECT, false);
        grant(&mut items, 30, 20, INSERT, false);
        assert_eq!(text(&items), "10=arwdDxtm/10 20=a*r*/10 30=ar/20");
        let select = AclItem { grantee: 20, grantor: 10, rights: SELECT, grantable: 0 };
        let mut refused = items.clone();
        assert!(revoke(&mut refused, &select, 10, false, false).is_err());
        revoke(&mut items, &select, 10, false, true).unwrap();
        assert_eq!(text(&items), "10=arwdDxtm/10 20=a*/10 30=a/20");
        revoke(&mut items, &AclItem { rights: INSERT, ..select }, 10, true, true).unwrap();
        assert_eq!(text(&items), "10=arwdDxtm/10 20=a/10");
    }

    #[test]
    fn rights_have_names() {
        assert_eq!(right("TEMP"), Some(TEMPORARY));
        assert_eq!(names(INSERT | USAGE).collect::<Vec<_>>(), ["INSERT", "USAGE"]);
        assert_eq!(right("EAT"), None);
    }
}
