//! A table with all tables that inherit from it, partitions among them: which of them a scan reads, and how changes reach
//! them.
//!
//! The plan of a statement knows the one table that was named; what each member of the tree needs is made from it when
//! the first of the member's rows comes. A row is found again by the member's OID and its key there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::plan::{ColumnId, Expr, MergeAction, Modify, ModifyKind, OnConflict, Rel};
use crate::storage::catalog::{Catalog, Table};

use super::context::Context;
use super::dml::{Action, CompiledModify, Merge, Progress, Writer, checks_of, compile_modify};
use super::kept::bind_check;
use super::partition::{placed, placement};
use super::point;

/// Ids of columns that a member has and the table named has not, and their numbers.
const MEMBER_IDS: ColumnId = 0xD800_0000;

/// The key of a row among several tables.
pub(crate) fn locator(table: Oid, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + key.len());
    bytes.extend_from_slice(&table.to_be_bytes());
    bytes.extend_from_slice(key);
    bytes
}

/// The table and the key in it of a [`locator`].
pub(crate) fn split_locator(locator: &[u8]) -> Result<(Oid, &[u8])> {
    match locator.split_first_chunk::<4>() {
        Some((table, key)) => Ok((Oid::from_be_bytes(*table), key)),
        None => Err(Error::internal("the locator of a row names its table")),
    }
}

/// The tables that a scan of a tree reads and the columns asked for by their numbers in each.
pub(crate) fn members(
    context: &Context,
    table: Oid,
    columns: &[(ColumnId, i16, Type)],
    filters: &[Expr],
) -> Result<Vec<super::lower::Member>> {
    let by_number: HashMap<ColumnId, (i16, Type)> =
        columns.iter().map(|(id, number, typ)| (*id, (*number, *typ))).collect();
    let conditions: Vec<Expr> = filters.iter().map(|e| point::numbered(e, &by_number)).collect();
    let root = context.table(table)?;
    let mut found = Vec::new();
    gather(context, root, &conditions, &mut found)?;
    let mut members = Vec::with_capacity(found.len());
    for oid in found {
        let member = context.table(oid)?;
        let number = |number: i16| {
            let number = member.number_of(root, number);
            number.ok_or_else(|| Error::internal(format!("table \"{}\" lacks a column of its parent", member.name)))
        };
        let columns = columns.iter().map(|(id, n, typ)| Ok((*id, number(*n)?, *typ)));
        members.push((oid, columns.collect::<Result<Vec<_>>>()?));
    }
    Ok(members)
}

/// The tables with rows, those of partitions in the order of their bounds.
fn gather(context: &Context, table: &Table, conditions: &[Expr], found: &mut Vec<Oid>) -> Result<()> {
    let catalog = &context.view.catalog;
    let rules = match table.is_partitioned() {
        true => context.rules(table)?,
        false => {
            found.extend(catalog.descendants(table.oid));
            return Ok(());
        }
    };
    let Some(partitions) = &rules.partitions else { return Ok(()) };
    let eval = |e: &Expr| crate::sql::eval::constant(e, &context.params, &context.eval);
    for oid in partitions.prune(conditions, eval)? {
        let part = context.table(oid)?;
        match part.is_partitioned() {
            true => gather(context, part, &renumbered(conditions, table, part), found)?,
            false => found.push(oid),
        }
    }
    Ok(())
}

/// Conditions over the columns of one table over those of another that has them all.
fn renumbered(conditions: &[Expr], from: &Table, to: &Table) -> Vec<Expr> {
    let one = |condition: &Expr| {
        let mut condition = condition.clone();
        condition.replace(&mut |e| match e {
            Expr::Column(id, _) => {
                let number = i16::try_from(*id).ok().and_then(|n| to.number_of(from, n));
                *id = number.map_or(ColumnId::MAX, |n| n as ColumnId);
                true
            }
            _ => false,
        });
        condition
    };
    conditions.iter().map(one).collect()
}

/// A modification of a tree, from which those of its members are made.
#[derive(Debug)]
pub(crate) struct TreePlan {
    modify: Modify,
    source: Vec<ColumnId>,
    members: Mutex<HashMap<Oid, Arc<CompiledModify>>>,
}

impl TreePlan {
    /// Keeps what members need of a plan; `source` are the ids of its source's columns.
    pub(crate) fn new(modify: &Modify, source: &[ColumnId]) -> Self {
        let kind = match &modify.kind {
            ModifyKind::Insert { on_conflict, .. } => {
                ModifyKind::Insert { source: Rel::OneRow, values: Vec::new(), on_conflict: on_conflict.clone() }
            }
            ModifyKind::Update { locator, assignments, .. } => {
                ModifyKind::Update { source: Rel::OneRow, locator: *locator, assignments: assignments.clone() }
            }
            ModifyKind::Delete { locator, .. } => ModifyKind::Delete { source: Rel::OneRow, locator: *locator },
            ModifyKind::Merge { locator, present, arms, shown_columns, action, .. } => ModifyKind::Merge {
                source: Rel::OneRow,
                locator: *locator,
                present: *present,
                arms: arms.clone(),
                shown_columns: shown_columns.clone(),
                action: *action,
            },
        };
        let modify = Modify {
            table: modify.table,
            tree: false,
            kind,
            returning: modify.returning.clone(),
            new_columns: modify.new_columns.clone(),
            old_columns: modify.old_columns.clone(),
            checks: Vec::new(),
            view_checks: modify.view_checks.clone(),
        };
        Self { modify, source: source.to_vec(), members: Mutex::default() }
    }

    /// The modification of one member.
    fn member(&self, context: &Context, member: &Table) -> Result<Arc<CompiledModify>> {
        let mut members = self.members.lock().unwrap_or_else(|p| p.into_inner());
        if let Some(plan) = members.get(&member.oid) {
            return Ok(plan.clone());
        }
        let modify = self.modify_of(context, context.table(self.modify.table)?, member)?;
        let plan = Arc::new(compile_modify(&modify, &self.source)?);
        members.insert(member.oid, plan.clone());
        Ok(plan)
    }

    fn modify_of(&self, context: &Context, root: &Table, member: &Table) -> Result<Modify> {
        let number = |number: i16| {
            let number = member.number_of(root, number);
            number.ok_or_else(|| Error::internal(format!("table \"{}\" lacks a column of its parent", member.name)))
        };
        let columns = |columns: &[(ColumnId, i16, Type)]| {
            columns.iter().map(|(id, n, typ)| Ok((*id, number(*n)?, *typ))).collect::<Result<Vec<_>>>()
        };
        let list = |list: &[(i16, Expr)]| {
            list.iter().map(|(n, expr)| Ok((number(*n)?, expr.clone()))).collect::<Result<Vec<_>>>()
        };
        let mut modify = self.modify.clone();
        modify.table = member.oid;
        modify.new_columns = columns(&modify.new_columns)?;
        modify.old_columns = columns(&modify.old_columns)?;
        match &mut modify.kind {
            ModifyKind::Update { assignments, .. } => *assignments = list(assignments)?,
            ModifyKind::Merge { arms, shown_columns, .. } => {
                *shown_columns = columns(shown_columns)?;
                for arm in arms {
                    match &mut arm.action {
                        MergeAction::Update(values) | MergeAction::Insert(values) => *values = list(values)?,
                        MergeAction::Nothing | MergeAction::Delete => {}
                    }
                }
            }
            ModifyKind::Insert { on_conflict: Some(conflict), .. } => {
                *conflict = OnConflict {
                    arbiters: arbiters_in(&context.view.catalog, &conflict.arbiters, member)?,
                    update: match &conflict.update {
                        Some((assignments, condition)) => Some((list(assignments)?, condition.clone())),
                        None => None,
                    },
                };
            }
            _ => {}
        }
        if matches!(modify.kind, ModifyKind::Delete { .. }) {
            return Ok(modify);
        }
        for column in member.live_columns() {
            if modify.new_columns.iter().all(|(_, n, _)| *n != column.number) {
                modify.new_columns.push((MEMBER_IDS + column.number as ColumnId, column.number, column.typ));
            }
        }
        for (name, text) in checks_of(member) {
            let mut check = bind_check(&text, member, &context.eval)?.expr;
            check.replace(&mut |e| match e {
                Expr::Column(id, _) => {
                    let known = modify.new_columns.iter().find(|(_, n, _)| *n as ColumnId == *id && *n > 0);
                    *id = known.map_or(*id, |(id, _, _)| *id);
                    true
                }
                _ => false,
            });
            modify.checks.push((name, check));
        }
        Ok(modify)
    }
}

/// The indexes of a partition that are parts of a partitioned table's.
fn arbiters_in(catalog: &Catalog, arbiters: &[Oid], member: &Table) -> Result<Vec<Oid>> {
    let part = |arbiter: &Oid| {
        let leads = |mut index: Oid| loop {
            match catalog.index(index).and_then(|i| i.parent) {
                Some(parent) if parent == *arbiter => return true,
                Some(parent) => index = parent,
                None => return false,
            }
        };
        let found = catalog.indexes_of(member.oid).find(|i| i.oid == *arbiter || leads(i.oid)).map(|i| i.oid);
        found.ok_or_else(|| Error::internal("an index of a partitioned table has its part in each partition"))
    };
    arbiters.iter().map(part).collect()
}

impl<'a> Writer<'a> {
    /// The writer of a member of the tree.
    fn member(&mut self, oid: Oid) -> Result<&mut Writer<'a>> {
        if !self.members.contains_key(&oid) {
            let member = self.make_member(oid, None)?;
            self.members.insert(oid, member);
        }
        self.members.get_mut(&oid).ok_or_else(|| Error::internal("a member was made just now"))
    }

    fn make_member(&self, oid: Oid, state: Option<Progress>) -> Result<Writer<'a>> {
        let context = self.context;
        let tree = self.plan.tree.as_ref().ok_or_else(|| Error::internal("only a tree has members"))?;
        let plan = tree.member(context, context.table(oid)?)?;
        let mut member = Writer::resume(context, &plan, state)?;
        member.is_member = self.table.is_partitioned();
        Ok(member)
    }

    /// Goes on with the members of before.
    pub(super) fn resume_members(&mut self, states: Vec<(Oid, Progress)>) -> Result<()> {
        for (oid, state) in states {
            let member = self.make_member(oid, Some(state))?;
            self.members.insert(oid, member);
        }
        Ok(())
    }

    /// Ends what the members do, and counts their rows.
    pub(super) fn finish_members(&mut self) -> Result<()> {
        for member in self.members.values_mut() {
            member.finish()?;
        }
        if self.plan.tree.is_some() {
            self.count = self.members.values().map(|member| member.count).sum();
        }
        Ok(())
    }

    /// Takes one row of the source to the member that it concerns.
    pub(super) fn tree_row(&mut self, mut source: Vec<Datum>) -> Result<()> {
        let plan = self.plan.clone();
        let oid = match &plan.action {
            Action::Insert { values, takes, .. } => {
                source.resize(plan.width, Datum::Null);
                let row = self.computed(&mut source, values, takes)?;
                return self.insert_in_place(source, row, "INSERT");
            }
            Action::Merge(merge) if source[merge.locator].is_null() => {
                source.resize(plan.width, Datum::Null);
                return self.merge(source, merge);
            }
            Action::Update { locator, .. } | Action::Delete { locator } | Action::Merge(Merge { locator, .. }) => {
                // The target is on the outer side of a join and has no row here.
                let Datum::Bytea(bytes) = &source[*locator] else { return Ok(()) };
                let (oid, key) = split_locator(bytes)?;
                let key = Datum::Bytea(key.into());
                source[*locator] = key;
                oid
            }
        };
        let slots = self.table.is_partitioned().then(|| source.clone());
        let member = self.member(oid)?;
        member.row(source)?;
        let (leaving, table) = (member.leaving.take(), member.table);
        self.take_returned(oid)?;
        if let (Some(row), Some(slots)) = (leaving, slots) {
            let row = placed(&row, &placement(table, self.table));
            self.insert_in_place(slots, row, "UPDATE")?;
        }
        Ok(())
    }

    fn take_returned(&mut self, oid: Oid) -> Result<()> {
        let rows = std::mem::take(&mut self.member(oid)?.returned);
        self.returned.extend(rows);
        Ok(())
    }

    /// Writes a new row of the partitioned table to the partition that has it.
    pub(super) fn insert_in_place(&mut self, mut slots: Vec<Datum>, row: Vec<Datum>, verb: &str) -> Result<()> {
        let context = self.context;
        let (mut table, mut row) = (self.table, row);
        if !self.fits(&row)? {
            return Err(self.misplaced(&row));
        }
        while table.is_partitioned() {
            let rules = context.rules(table)?;
            let Some(partitions) = &rules.partitions else { break };
            let Some(oid) = partitions.route(&row, &context.eval)? else {
                return Err(partitions.nowhere(table, &row, &context.eval)?);
            };
            let part = context.table(oid)?;
            row = placed(&row, &placement(table, part));
            table = part;
        }
        let oid = table.oid;
        let member = self.member(oid)?;
        let plan = member.plan.clone();
        // What is behind the source's columns has another place with a member.
        slots.truncate(plan.source_width);
        slots.resize(plan.width, Datum::Null);
        if let Action::Merge(merge) = &plan.action {
            slots[merge.action] = Datum::text(verb);
        }
        match &plan.action {
            Action::Insert { conflict, .. } => member.insert(slots, row, conflict.as_ref())?,
            _ => member.insert(slots, row, None)?,
        }
        self.take_returned(oid)
    }
}

/// 42P17 for a table that has no partitions.
pub(crate) fn not_partitioned(table: &Table) -> Error {
    err!(INVALID_OBJECT_DEFINITION, "\"{}\" is not partitioned", table.name)
}
