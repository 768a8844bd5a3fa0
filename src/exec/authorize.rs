//! Whether a role may run a bound statement: the relations that it names, with what it wants of them.
//!
//! Relations inside of views were noted with the views' owners: these must have the right.

use std::collections::BTreeSet;

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::plan::{Access, ModifyKind, Query, Rel};
use crate::sql::privilege::{self, Object, Rights};
use crate::storage::catalog::{Catalog, Entry, ObjectClass, Routine, RoutineKind};

/// 42501 unless the role may.
pub(crate) fn check(catalog: &Catalog, role: Oid, query: &Query) -> Result<()> {
    for (owner, schema) in &query.schemas {
        let role = owner.unwrap_or(role);
        if !privilege::may_use_schema(catalog, role, *schema) {
            let name = catalog.get(*schema).map(|s| s.name().to_string()).unwrap_or_default();
            return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied for schema {name}"));
        }
    }
    for oid in &query.routines {
        if let Some(Entry::Routine(routine)) = catalog.get(*oid).map(|e| &**e) {
            may_execute(catalog, role, routine)?;
        }
    }
    if !privilege::is_superuser(catalog, role) {
        for (oid, access) in &query.relations {
            on_relation(catalog, role, *oid, *access, query)?;
        }
    }
    for (owner, oid, access) in &query.inside_views {
        // 0: the view asks for the user's own privileges.
        let role = if *owner == 0 { role } else { *owner };
        if !privilege::is_superuser(catalog, role) {
            on_relation(catalog, role, *oid, *access, query)?;
        }
    }
    Ok(())
}

fn right(access: Access) -> Rights {
    match access {
        Access::Select => privilege::SELECT,
        Access::Insert => privilege::INSERT,
        Access::Update => privilege::UPDATE,
        Access::Delete => privilege::DELETE,
        Access::Truncate => privilege::TRUNCATE,
    }
}

fn on_relation(catalog: &Catalog, role: Oid, oid: Oid, access: Access, query: &Query) -> Result<()> {
    let Some(entry) = catalog.get(oid) else { return Ok(()) };
    let Some(object) = Object::relation(entry) else { return Ok(()) };
    let wanted = right(access);
    if privilege::held(catalog, role, &object) & wanted != 0 {
        return Ok(());
    }
    let on_columns = matches!(access, Access::Select | Access::Insert | Access::Update);
    let column = |number: i16| privilege::held(catalog, role, &object.column(i32::from(number))) & wanted != 0;
    if on_columns && has_column_acls(catalog, oid) {
        let used = used_columns(oid, access, query);
        let allowed = match used.is_empty() {
            // `count(*)`: any column will do.
            true => columns_of(entry).any(column),
            false => used.into_iter().all(column),
        };
        if allowed {
            return Ok(());
        }
    }
    Err(denied(entry))
}

/// 42501 unless a role may call a routine.
pub(crate) fn may_execute(catalog: &Catalog, role: Oid, routine: &Routine) -> Result<()> {
    let object = Object { class: ObjectClass::Function, oid: routine.oid, column: 0, owner: routine.owner };
    match privilege::held(catalog, role, &object) & privilege::EXECUTE {
        0 => {
            let kind = match routine.kind {
                RoutineKind::Function => "function",
                RoutineKind::Procedure => "procedure",
            };
            Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied for {kind} {}", routine.name))
        }
        _ => Ok(()),
    }
}

/// 42501 for a relation.
pub(crate) fn denied(entry: &Entry) -> Error {
    let kind = match entry {
        Entry::View(_) => "view",
        Entry::Sequence(_) => "sequence",
        Entry::Table(table) if table.view.is_some() => "materialized view",
        _ => "table",
    };
    err!(INSUFFICIENT_PRIVILEGE, "permission denied for {kind} {}", entry.name())
}

fn has_column_acls(catalog: &Catalog, oid: Oid) -> bool {
    let range = (ObjectClass::Relation, oid, 1)..=(ObjectClass::Relation, oid, i32::MAX);
    catalog.privileges.range(range).next().is_some()
}

fn columns_of(entry: &Entry) -> Box<dyn Iterator<Item = i16> + '_> {
    match entry {
        Entry::Table(table) => Box::new(table.live_columns().map(|c| c.number)),
        Entry::View(view) => Box::new((1..).take(view.columns.len())),
        _ => Box::new(std::iter::empty()),
    }
}

/// The columns that a statement reads or writes.
fn used_columns(oid: Oid, access: Access, query: &Query) -> BTreeSet<i16> {
    if access != Access::Select {
        return query.columns.iter().filter(|(t, a, _)| *t == oid && *a == access).map(|(_, _, n)| *n).collect();
    }
    let mut used = BTreeSet::new();
    query.plan.walk(&mut |rel| {
        if let Rel::Scan { table, columns, .. } = rel
            && *table == oid
        {
            used.extend(columns.iter().map(|(_, number, _)| *number).filter(|number| *number > 0));
        }
        if let Rel::Modify(modify) = rel
            && modify.table == oid
        {
            // RETURNING reads the columns of the new row.
            let mut ids = BTreeSet::new();
            modify.returning.iter().flatten().for_each(|(_, expr)| ids.extend(expr.free_columns()));
            let merged = match &modify.kind {
                ModifyKind::Merge { shown_columns, .. } => shown_columns.as_slice(),
                _ => &[],
            };
            let rows = modify.new_columns.iter().chain(&modify.old_columns).chain(merged);
            let shown = rows.filter(|(id, _, _)| ids.contains(id));
            used.extend(shown.map(|(_, number, _)| *number).filter(|number| *number > 0));
        }
    });
    used
}
