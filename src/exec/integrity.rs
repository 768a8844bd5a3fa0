//! Foreign keys while a transaction runs: what the rows that a statement changed ask for is gathered and settled when the
//! statement ends - referential actions first, then the checks that are not deferred. `apply` checks everything again
//! at commit; so a statement that is a transaction by itself leaves the checks to it, and deferred ones need nothing
//! kept.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::document::{Datum, Oid};
use crate::error::{Error, Result};
use crate::sql::plan::{ColumnId, Expr, Modify, ModifyKind, Rel};
use crate::storage::ScanOptions;
use crate::storage::catalog::{ForeignKeyAction, Index, Table, is_temporary};
use crate::storage::evaluator::{Children, NamedKey};
use crate::storage::snapshot::prefix_range;

use super::context::Context;
use super::dml::{Writer, checks_of, compile_modify};
use super::foreign_key::Link;
use super::kept::{bind_check, bind_default};
use super::rows::read_row;
use super::rules::TableRules;

/// Ids of the values that an action writes, apart from column numbers.
const VALUE_IDS: ColumnId = 100_000;
/// The id of the row's key.
const LOCATOR: ColumnId = 99_999;
/// Actions that lead to further ones, at most.
const ROUNDS_MAX: usize = 10_000;

/// SET CONSTRAINTS of the running transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deferral {
    /// ALL: deferred or immediate.
    pub all: Option<bool>,
    /// By constraint, said after ALL.
    pub one: HashMap<Oid, bool>,
}

impl Deferral {
    /// Whether a constraint is checked at commit only.
    pub(crate) fn is_deferred(&self, constraint: &crate::storage::catalog::Constraint) -> bool {
        let flags = constraint.attributes;
        flags.deferrable && self.one.get(&constraint.oid).copied().or(self.all).unwrap_or(flags.deferred)
    }
}

/// A row referred to that was deleted or got another key.
struct ParentChange {
    link: Arc<Link>,
    key: Vec<u8>,
    old: Vec<Datum>,
    new: Option<Vec<Datum>>,
}

/// A foreign key, and a row that names a key by it.
type Naming = (Arc<Link>, Vec<Datum>);

/// What is done with a row that refers to a changed one: its key, its values and which change it is.
type OnChild<'a> = dyn FnMut(&[u8], Vec<Datum>, usize) -> Result<bool> + 'a;

/// What the rows that the running statement changed ask for.
#[derive(Default)]
pub(crate) struct Pending {
    /// Keys named by new rows: foreign key and key, with a row that names it.
    named: HashMap<(Oid, Vec<u8>), Naming>,
    parents: Vec<ParentChange>,
}

/// Notes what a changed row asks for.
pub(crate) fn note(context: &Context, rules: &TableRules, old: Option<&[Datum]>, new: Option<&[Datum]>) -> Result<()> {
    if rules.outgoing.is_empty() && rules.incoming.is_empty() {
        return Ok(());
    }
    let mut pending = context.pending.lock().unwrap_or_else(|p| p.into_inner());
    if let Some(new) = new {
        for link in rules.outgoing.iter().filter(|link| !is_left_to_apply(context, link)) {
            let named = link.named(new)?;
            if old.is_some_and(|old| link.named(old).is_ok_and(|before| before == named)) {
                continue;
            }
            match named {
                NamedKey::Nothing => {}
                // MATCH FULL is not deferred.
                NamedKey::Mixed => return Err(link.missing_error(new)),
                _ if context.is_deferred(&link.constraint) => {}
                NamedKey::Impossible => return Err(link.missing_error(new)),
                NamedKey::Key(key) => {
                    pending.named.entry((link.oid(), key)).or_insert_with(|| (link.clone(), new.to_vec()));
                }
            }
        }
    }
    if let Some(old) = old {
        for link in &rules.incoming {
            let Some(key) = link.own(old) else { continue };
            if new.is_some_and(|new| link.own(new).as_ref() == Some(&key)) {
                continue;
            }
            let (link, old, new) = (link.clone(), old.to_vec(), new.map(<[Datum]>::to_vec));
            pending.parents.push(ParentChange { link, key, old, new });
        }
    }
    Ok(())
}

/// Runs the referential actions and checks of the statement that ends.
pub(crate) fn settle(context: &Context) -> Result<()> {
    let mut checks: Vec<ParentChange> = Vec::new();
    for round in 0.. {
        let parents = std::mem::take(&mut lock(context).parents);
        if parents.is_empty() {
            break;
        }
        if round >= ROUNDS_MAX {
            return Err(Error::internal("referential actions do not come to an end"));
        }
        let mut groups: Vec<(Arc<Link>, Vec<ParentChange>)> = Vec::new();
        for change in parents {
            match groups.iter_mut().find(|(link, _)| link.oid() == change.link.oid()) {
                Some((_, list)) => list.push(change),
                None => groups.push((change.link.clone(), vec![change])),
            }
        }
        for (link, list) in groups {
            let now = context.refreshed();
            let (deleted, updated): (Vec<_>, Vec<_>) = list.into_iter().partition(|c| c.new.is_none());
            for (action, changes) in [(link.key.on_delete, deleted), (link.key.on_update, updated)] {
                if changes.is_empty() {
                    continue;
                }
                match action {
                    ForeignKeyAction::NoAction => {
                        if !is_left_to_apply(context, &link) && !context.is_deferred(&link.constraint) {
                            checks.extend(changes);
                        }
                    }
                    ForeignKeyAction::Restrict => refuse_children(&now, &link, &changes, true)?,
                    _ => act(&now, &link, action, &changes)?,
                }
            }
        }
        context.check()?;
    }
    let named = std::mem::take(&mut lock(context).named);
    if named.is_empty() && checks.is_empty() {
        return Ok(());
    }
    let now = context.refreshed();
    let mut parents: HashMap<Oid, Parents> = HashMap::new();
    for ((oid, key), (link, row)) in named {
        let parents = match parents.entry(oid) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(Parents::new(&now, &link)?),
        };
        if !parents.has(&now, &key)? {
            return Err(link.missing_error(&row));
        }
    }
    let mut by_link: Vec<(Arc<Link>, Vec<ParentChange>)> = Vec::new();
    for change in checks {
        match by_link.iter_mut().find(|(link, _)| link.oid() == change.link.oid()) {
            Some((_, list)) => list.push(change),
            None => by_link.push((change.link.clone(), vec![change])),
        }
    }
    for (link, changes) in by_link {
        refuse_children(&now, &link, &changes, false)?;
    }
    Ok(())
}

/// A statement that is a transaction by itself leaves the checks to `apply`, which does not know temporary tables.
fn is_left_to_apply(context: &Context, link: &Link) -> bool {
    context.is_auto && !is_temporary(link.child.oid)
}

fn lock(context: &Context) -> std::sync::MutexGuard<'_, Pending> {
    context.pending.lock().unwrap_or_else(|p| p.into_inner())
}

/// All keys of a table, where its index has no entries yet.
type Keys = Option<HashSet<Vec<u8>>>;

/// How rows referred to are looked up.
struct Parents {
    /// The tables that hold them, each with its index.
    parts: Vec<(Table, Index, Keys)>,
}

impl Parents {
    fn new(now: &Context, link: &Arc<Link>) -> Result<Self> {
        let mut parts = Vec::new();
        for (table, index) in link.targets() {
            let table = now.table(*table)?.clone();
            let mut all = None;
            if !index.is_row_key && !now.view.has_entries(&table, index.oid) {
                let own = now.index_keys(&table, index.oid)?;
                let mut keys = HashSet::new();
                let mut scan = now.view.scan(&table, &(Bound::Unbounded, Bound::Unbounded), ScanOptions::default());
                while scan.advance()? {
                    let values = own.values(scan.row())?.filter(|values| !values.iter().any(Datum::is_null));
                    keys.extend(values.map(|values| own.encode(&values)));
                }
                all = Some(keys);
            }
            parts.push((table, index.clone(), all));
        }
        Ok(Self { parts })
    }

    fn has(&self, now: &Context, key: &[u8]) -> Result<bool> {
        for (table, index, all) in &self.parts {
            let found = match all {
                Some(all) => all.contains(key),
                None if index.is_row_key => now.view.get(table, key)?.is_some(),
                None => {
                    let view = now.with_index(table, index.oid)?;
                    let mut found = view.index_keys(table, index.oid, &prefix_range(key), ScanOptions::default())?;
                    found.next_key()?.is_some()
                }
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Calls a function with the rows that refer to changed ones: the row's key, its values, and which change it is.
fn each_child(now: &Context, link: &Arc<Link>, changes: &[ParentChange], f: &mut OnChild<'_>) -> Result<()> {
    let child = now.table(link.child.oid)?.clone();
    let rules = now.rules(&child)?;
    let by_key: HashMap<&[u8], usize> = changes.iter().enumerate().map(|(i, c)| (c.key.as_slice(), i)).collect();
    let mut take = |key: &[u8], bytes: &[u8]| -> Result<bool> {
        let mut row = read_row(&child, bytes, &now.eval)?;
        rules.generated.fill_virtual(&mut row, &now.eval)?;
        match link.named(&row)? {
            NamedKey::Key(named) => match by_key.get(named.as_slice()) {
                Some(change) => f(key, row, *change),
                None => Ok(true),
            },
            _ => Ok(true),
        }
    };
    let usable = |children: &Children| match children {
        Children::Anywhere => false,
        Children::Entries(index, _) => now.view.has_entries(&child, *index),
        Children::None | Children::RowKeys(_) => true,
    };
    let places: Vec<Children> = changes.iter().map(|c| link.children_of(&c.old)).collect();
    if !places.iter().all(usable) {
        let mut scan = now.view.scan(&child, &(Bound::Unbounded, Bound::Unbounded), ScanOptions::default());
        let mut seen = 0usize;
        while scan.advance()? {
            seen += 1;
            if seen.is_multiple_of(1024) {
                now.check()?;
            }
            if !take(scan.key(), scan.row())? {
                return Ok(());
            }
        }
        return Ok(());
    }
    for place in places {
        now.check()?;
        match place {
            Children::RowKeys(prefix) => {
                let mut scan = now.view.scan(&child, &prefix_range(&prefix), ScanOptions::default());
                while scan.advance()? {
                    if !take(scan.key(), scan.row())? {
                        return Ok(());
                    }
                }
            }
            Children::Entries(index, prefix) => {
                let view = now.with_index(&child, index)?;
                let mut keys = view.index_keys(&child, index, &prefix_range(&prefix), ScanOptions::default())?;
                while let Some(key) = keys.next_key()? {
                    if let Some(found) = view.get(&child, &key)?
                        && !take(&key, &found.row)?
                    {
                        return Ok(());
                    }
                }
            }
            Children::None | Children::Anywhere => {}
        }
    }
    Ok(())
}

/// NO ACTION and RESTRICT.
fn refuse_children(now: &Context, link: &Arc<Link>, changes: &[ParentChange], restrict: bool) -> Result<()> {
    let parents = Parents::new(now, link)?;
    let mut lost = Vec::new();
    for change in changes {
        // Another row may have the key by now.
        if restrict || !parents.has(now, &change.key)? {
            lost.push(ParentChange { link: link.clone(), key: change.key.clone(), old: change.old.clone(), new: None });
        }
    }
    let mut found = None;
    each_child(now, link, &lost, &mut |_, _, change| {
        found = Some(change);
        Ok(false)
    })?;
    match found {
        Some(change) => Err(link.referenced_error(&lost[change].old, restrict)),
        None => Ok(()),
    }
}

/// CASCADE, SET NULL and SET DEFAULT.
fn act(now: &Context, link: &Arc<Link>, action: ForeignKeyAction, changes: &[ParentChange]) -> Result<()> {
    let child = now.table(link.child.oid)?.clone();
    let is_delete = changes.iter().all(|c| c.new.is_none());
    let mut found: Vec<(Vec<u8>, usize)> = Vec::new();
    let mut seen = HashSet::new();
    each_child(now, link, changes, &mut |key, _, change| {
        if seen.insert(key.to_vec()) {
            found.push((key.to_vec(), change));
        }
        Ok(true)
    })?;
    if found.is_empty() {
        return Ok(());
    }
    if is_delete && action == ForeignKeyAction::Cascade {
        let kind = ModifyKind::Delete { source: Rel::OneRow, locator: LOCATOR };
        let plan = Arc::new(compile_modify(&action_plan(&child, kind, Vec::new()), &[LOCATOR])?);
        let mut writer = Writer::new(now, &plan, false)?;
        for (key, _) in found {
            writer.row(vec![Datum::Bytea(key.into())])?;
        }
        return writer.finish();
    }
    let numbers: Vec<i16> = match (action, link.key.set_columns.is_empty()) {
        (ForeignKeyAction::SetNull | ForeignKeyAction::SetDefault, false) if is_delete => link.key.set_columns.clone(),
        _ => link.key.columns.clone(),
    };
    let mut assignments = Vec::with_capacity(numbers.len());
    let mut ids = vec![LOCATOR];
    for number in &numbers {
        let column = child.column_by_number(*number).ok_or_else(|| Error::internal("a foreign key has its columns"))?;
        let id = VALUE_IDS + *number as ColumnId;
        let mut value = Expr::Column(id, column.typ);
        if action == ForeignKeyAction::SetDefault {
            value = match &column.default {
                Some(text) => bind_default(text, &child, column, &now.eval)?,
                None => Expr::null(column.typ),
            };
        }
        assignments.push((*number, value));
        ids.push(id);
    }
    let mut checks = Vec::new();
    for (name, text) in checks_of(&child) {
        checks.push((name, bind_check(&text, &child, &now.eval)?.expr));
    }
    let kind = ModifyKind::Update { source: Rel::OneRow, locator: LOCATOR, assignments };
    let plan = Arc::new(compile_modify(&action_plan(&child, kind, checks), &ids)?);
    let mut writer = Writer::new(now, &plan, false)?;
    for (key, change) in found {
        let mut row = vec![Datum::Bytea(key.into())];
        for number in &numbers {
            let at = link.key.columns.iter().position(|n| n == number);
            row.push(match (action, &changes[change].new, at) {
                (ForeignKeyAction::Cascade, Some(new), Some(at)) => link.child_value(at, new)?,
                _ => Datum::Null,
            });
        }
        writer.row(row)?;
    }
    writer.finish()
}

fn action_plan(child: &Table, kind: ModifyKind, checks: Vec<(String, Expr)>) -> Modify {
    Modify {
        table: child.oid,
        tree: false,
        kind,
        returning: None,
        new_columns: child.live_columns().map(|c| (c.number as ColumnId, c.number, c.typ)).collect(),
        old_columns: Vec::new(),
        checks,
        view_checks: Vec::new(),
    }
}

/// SET CONSTRAINTS IMMEDIATE: checks what the transaction has written so far against some foreign keys, and its unique
/// keys, by their constraints' OIDs.
pub(crate) fn check_now(
    context: &Context,
    concerned: &dyn Fn(&crate::storage::catalog::Constraint) -> bool,
) -> Result<()> {
    let written: Vec<Oid> = {
        let buffer = context.buffer.lock().unwrap_or_else(|p| p.into_inner());
        buffer.tables().collect()
    };
    for oid in written {
        let Ok(table) = context.table(oid) else { continue };
        let rules = context.rules(table)?;
        let part = context.view.buffered(oid).cloned();
        let Some(part) = part else { continue };
        for link in rules.outgoing.iter().filter(|l| concerned(&l.constraint)) {
            let parents = Parents::new(context, link)?;
            for pending in part.rows().values() {
                let Some(bytes) = &pending.row else { continue };
                let row = read_row(table, bytes, &context.eval)?;
                match link.named(&row)? {
                    NamedKey::Nothing => {}
                    NamedKey::Key(key) if parents.has(context, &key)? => {}
                    _ => return Err(link.missing_error(&row)),
                }
            }
        }
        for link in rules.incoming.iter().filter(|l| concerned(&l.constraint)) {
            let mut lost = Vec::new();
            for key in part.rows().keys() {
                let Some(stored) = context.view.snapshot.get(table.storage, key)? else { continue };
                let old = read_row(table, stored.as_bytes(), &context.eval)?;
                if let Some(key) = link.own(&old) {
                    lost.push(ParentChange { link: link.clone(), key, old, new: None });
                }
            }
            refuse_children(context, link, &lost, false)?;
        }
        for constraint in table.constraints.iter().filter(|c| concerned(c)) {
            let Some(index) = constraint.index() else { continue };
            let keys = context.index_keys(table, index)?;
            let view = context.with_index(table, index)?;
            for (own, pending) in part.rows().iter() {
                let Some(bytes) = &pending.row else { continue };
                let Some(values) = keys.values(bytes)? else { continue };
                if values.iter().any(Datum::is_null) {
                    continue;
                }
                let range = prefix_range(&keys.encode(&values));
                let mut found = view.index_keys(table, index, &range, ScanOptions::default())?;
                while let Some(other) = found.next_key()? {
                    if other.as_slice() != &**own {
                        let schema = context.view.catalog.get(table.schema).map(|s| s.name().to_string());
                        return Err(keys.duplicate(&values, &schema.unwrap_or_default()));
                    }
                }
            }
        }
    }
    Ok(())
}
