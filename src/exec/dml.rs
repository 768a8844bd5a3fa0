//! INSERT, UPDATE, DELETE and MERGE on rows: values are computed by the row interpreter, checked, encoded and buffered.
//! Where the source rows come from (a point plan or DataFusion) is the caller's business.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::document::{Datum, Oid};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::eval::{Compiled, compile};
use crate::sql::functions::heap_bytes;
use crate::sql::io;
use crate::sql::plan::{ColumnId, Expr, MergeAction, Modify, ModifyKind};
use crate::sql::statement::MergeKind;
use crate::storage::catalog::{ConstraintKind, Table, is_temporary};
use crate::storage::command::Expect;

use super::context::Context;
use super::evaluator::{Keys, check_violation, not_null_violation};
use super::integrity;
use super::partition::{self, Within};
use super::rows::{encode_row, primary_key, read_row};
use super::rules::{TableRules, assigned_columns, moves_keys};
use super::tree::TreePlan;
use super::view::ReadView;

/// Row ids taken from the engine at once for a bulk INSERT.
const ROWIDS_AT_ONCE: u32 = 1024;
/// Ids from here downwards name slots that no expression names.
const UNNAMED: ColumnId = ColumnId::MAX;
/// Values longer than this are cut in "Failing row contains".
const SHOWN_BYTES_MAX: usize = 64;

/// A Modify compiled against the columns of its source.
#[derive(Debug)]
pub(crate) struct CompiledModify {
    pub(super) table: Oid,
    pub(super) action: Action,
    /// How many slots the source has; new and old columns follow.
    pub(super) source_width: usize,
    /// All slots.
    pub(super) width: usize,
    pub(super) new: Vec<i16>,
    pub(super) old: Vec<i16>,
    checks: Vec<(String, Compiled)>,
    view_checks: Vec<(String, Compiled)>,
    returning: Option<Vec<Compiled>>,
    /// The columns that an UPDATE assigns.
    assigned: Vec<i16>,
    /// The rows are those of several tables.
    pub(super) tree: Option<TreePlan>,
}

#[derive(Debug)]
pub(super) enum Action {
    /// `takes`: values that are just a slot which nothing else looks at are taken out of it.
    Insert {
        values: Vec<(i16, Compiled)>,
        takes: Vec<Option<usize>>,
        conflict: Option<Conflict>,
    },
    Update {
        locator: usize,
        assignments: Vec<(i16, Compiled)>,
    },
    Delete {
        locator: usize,
    },
    Merge(Merge),
}

#[derive(Debug)]
pub(super) struct Merge {
    pub(super) locator: usize,
    /// The slot that says whether the data source has a row; `None`: it always has.
    present: Option<usize>,
    arms: Vec<Arm>,
    /// The row that RETURNING shows: its first slot and its columns.
    shown: (usize, Vec<i16>),
    /// The slot of `merge_action()`.
    pub(super) action: usize,
}

#[derive(Debug)]
struct Arm {
    kind: MergeKind,
    condition: Option<Compiled>,
    action: ArmAction,
}

#[derive(Debug)]
enum ArmAction {
    Nothing,
    Delete,
    Update(Assignments),
    Insert { values: Assignments, takes: Vec<Option<usize>> },
}

#[derive(Debug)]
pub(super) struct Conflict {
    arbiters: Vec<Oid>,
    update: Option<(Assignments, Option<Compiled>)>,
}

/// New values by column number.
pub(super) type Assignments = Vec<(i16, Compiled)>;

/// Compiles a Modify; `source` are the ids of its source's columns, in order.
pub(crate) fn compile_modify(modify: &Modify, source: &[ColumnId]) -> Result<CompiledModify> {
    let mut slots: Vec<ColumnId> = source.to_vec();
    slots.extend(modify.new_columns.iter().map(|(id, _, _)| *id));
    // Old columns that the source yields are read where they are; the slots behind serve the others.
    let behind = modify.old_columns.iter().zip((0..).map(|i| UNNAMED - i));
    slots.extend(behind.map(|((id, _, _), unnamed)| if source.contains(id) { unnamed } else { *id }));
    let shown_at = slots.len();
    if let ModifyKind::Merge { shown_columns, action, .. } = &modify.kind {
        slots.extend(shown_columns.iter().map(|(id, _, _)| *id));
        slots.push(*action);
    }
    let one = |expr: &Expr| compile(expr, &slots);
    let list = |exprs: &[(i16, Expr)]| {
        exprs.iter().map(|(number, expr)| Ok((*number, one(expr)?))).collect::<Result<Vec<_>>>()
    };
    let named = |checks: &[(String, Expr)]| {
        checks.iter().map(|(name, expr)| Ok((name.clone(), one(expr)?))).collect::<Result<Vec<_>>>()
    };
    let slot_of = |id: ColumnId| {
        let at = source.iter().position(|s| *s == id);
        at.ok_or_else(|| Error::internal("the source of a modification yields no locator"))
    };
    let action = match &modify.kind {
        ModifyKind::Insert { values, on_conflict, .. } => Action::Insert {
            takes: takes(modify, values, source),
            values: list(values)?,
            conflict: match on_conflict {
                None => None,
                Some(conflict) => Some(Conflict {
                    arbiters: conflict.arbiters.clone(),
                    update: match &conflict.update {
                        None => None,
                        Some((assignments, condition)) => {
                            Some((list(assignments)?, condition.as_ref().map(one).transpose()?))
                        }
                    },
                }),
            },
        },
        ModifyKind::Update { locator, assignments, .. } => {
            Action::Update { locator: slot_of(*locator)?, assignments: list(assignments)? }
        }
        ModifyKind::Delete { locator, .. } => Action::Delete { locator: slot_of(*locator)? },
        ModifyKind::Merge { locator, present, arms, shown_columns, .. } => Action::Merge(Merge {
            locator: slot_of(*locator)?,
            present: present.map(slot_of).transpose()?,
            arms: arms
                .iter()
                .map(|arm| {
                    let action = match &arm.action {
                        MergeAction::Nothing => ArmAction::Nothing,
                        MergeAction::Delete => ArmAction::Delete,
                        MergeAction::Update(values) => ArmAction::Update(list(values)?),
                        MergeAction::Insert(values) => {
                            ArmAction::Insert { takes: vec![None; values.len()], values: list(values)? }
                        }
                    };
                    let condition = arm.condition.as_ref().map(one).transpose()?;
                    Ok(Arm { kind: arm.kind, condition, action })
                })
                .collect::<Result<_>>()?,
            shown: (shown_at, shown_columns.iter().map(|(_, number, _)| *number).collect()),
            action: shown_at + shown_columns.len(),
        }),
    };
    Ok(CompiledModify {
        table: modify.table,
        action,
        source_width: source.len(),
        width: slots.len(),
        new: modify.new_columns.iter().map(|(_, number, _)| *number).collect(),
        old: modify.old_columns.iter().map(|(_, number, _)| *number).collect(),
        checks: named(&modify.checks)?,
        view_checks: named(&modify.view_checks)?,
        returning: match &modify.returning {
            None => None,
            Some(exprs) => Some(exprs.iter().map(|(_, expr)| one(expr)).collect::<Result<_>>()?),
        },
        assigned: assigned_columns(&modify.kind),
        tree: modify.tree.then(|| TreePlan::new(modify, source)),
    })
}

/// For each value of an INSERT the slot of the source that it may be taken out of.
fn takes(modify: &Modify, values: &[(i16, Expr)], source: &[ColumnId]) -> Vec<Option<usize>> {
    let is_plain = modify.returning.is_none() && matches!(&modify.kind, ModifyKind::Insert { on_conflict: None, .. });
    let mut used: Vec<ColumnId> = Vec::new();
    values.iter().for_each(|(_, e)| {
        e.walk(&mut |e| {
            if let Expr::Column(id, _) = e {
                used.push(*id);
            }
            true
        });
    });
    let slot = |expr: &Expr| match expr {
        Expr::Column(id, _) if is_plain && used.iter().filter(|u| *u == id).count() == 1 => {
            source.iter().position(|s| s == id)
        }
        _ => None,
    };
    values.iter().map(|(_, e)| slot(e)).collect()
}

impl CompiledModify {
    /// Whether anything looks at the new row besides its being written.
    fn shows_new(&self) -> bool {
        !self.checks.is_empty()
            || !self.view_checks.is_empty()
            || self.returning.is_some()
            || self.has_conflict_clause()
    }

    /// Whether it has ON CONFLICT: then a duplicate key that only the commit finds is a lost conflict.
    pub(crate) fn has_conflict_clause(&self) -> bool {
        matches!(self.action, Action::Insert { conflict: Some(_), .. })
    }
}

/// A running modification of one table.
pub(crate) struct Writer<'a> {
    pub(super) context: &'a Context,
    pub(super) plan: Arc<CompiledModify>,
    pub(super) table: &'a Table,
    pub(super) rules: Arc<TableRules>,
    /// Of a partition: what of the tables it is a part of lets its rows be in it.
    within: Vec<Within>,
    /// It writes what another one gives it, who looks for the place of a row that leaves.
    pub(super) is_member: bool,
    /// A row that an UPDATE takes to another partition.
    pub(super) leaving: Option<Vec<Datum>>,
    /// The writers of the tables of a tree.
    pub(super) members: BTreeMap<Oid, Writer<'a>>,
    schema: String,
    storage: Oid,
    /// Unique indexes other than the row key.
    unique: Vec<(Oid, bool, Arc<Keys>)>,
    /// Those of them that are looked at when the statement ends: their constraints are DEFERRABLE.
    late: Vec<Oid>,
    /// Rows written whose late unique keys are to be looked at.
    late_rows: Vec<Vec<u8>>,
    row_key_index: Option<Arc<Keys>>,
    /// Unique keys are looked at row by row.
    moves_keys: bool,
    view: ReadView,
    rowids: std::ops::Range<i64>,
    /// Rows that this statement has changed already.
    touched: HashSet<Vec<u8>>,
    /// Rows counted for the command tag.
    pub count: u64,
    /// RETURNING.
    pub returned: Vec<Vec<Datum>>,
    returned_bytes: usize,
    /// The statement changes one row at most.
    single: bool,
    /// Rows whose key changed, to be written when all old versions are gone: key and values.
    moves: Vec<(Vec<u8>, Vec<Datum>)>,
}

/// How far a writer has come, without what it borrows.
pub(crate) struct Progress {
    rowids: std::ops::Range<i64>,
    touched: HashSet<Vec<u8>>,
    count: u64,
    returned: Vec<Vec<Datum>>,
    returned_bytes: usize,
    moves: Vec<(Vec<u8>, Vec<Datum>)>,
    late_rows: Vec<Vec<u8>>,
    members: Vec<(Oid, Progress)>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(context: &'a Context, plan: &Arc<CompiledModify>, single: bool) -> Result<Self> {
        let table = context.table(plan.table)?;
        let mut unique = Vec::new();
        let mut row_key_index = None;
        let mut late = Vec::new();
        for constraint in table.constraints.iter().filter(|c| c.attributes.deferrable) {
            late.extend(constraint.index());
        }
        let own = context.view.catalog.indexes_of(table.oid).filter(|_| plan.tree.is_none());
        for index in own.filter(|i| i.unique) {
            let keys = context.index_keys(table, index.oid)?;
            if index.is_row_key {
                row_key_index = Some(keys);
            } else {
                unique.push((index.oid, index.nulls_not_distinct, keys));
            }
        }
        let schema = context.view.catalog.get(table.schema).map(|s| s.name().to_string()).unwrap_or_default();
        let writer = Self {
            context,
            moves_keys: !single && moves_keys(&context.view.catalog, table.oid, &plan.assigned),
            plan: plan.clone(),
            within: partition::within(context, table)?,
            is_member: false,
            leaving: None,
            members: BTreeMap::new(),
            table,
            rules: context.rules(table)?,
            late,
            late_rows: Vec::new(),
            schema,
            storage: context.base_storage(table.oid),
            unique,
            row_key_index,
            view: context.view.clone(),
            rowids: 0..0,
            touched: HashSet::new(),
            count: 0,
            returned: Vec::new(),
            returned_bytes: 0,
            single,
            moves: Vec::new(),
        };
        writer.keep_indexes()?;
        Ok(writer)
    }

    /// A writer that goes on where another one of the same statement stopped.
    pub(crate) fn resume(context: &'a Context, plan: &Arc<CompiledModify>, state: Option<Progress>) -> Result<Self> {
        let mut writer = Self::new(context, plan, false)?;
        if let Some(state) = state {
            writer.rowids = state.rowids;
            writer.touched = state.touched;
            writer.count = state.count;
            writer.returned = state.returned;
            writer.returned_bytes = state.returned_bytes;
            writer.moves = state.moves;
            writer.late_rows = state.late_rows;
            writer.resume_members(state.members)?;
        }
        Ok(writer)
    }

    /// What [`Writer::resume`] goes on from.
    pub(crate) fn suspend(self) -> Progress {
        Progress {
            rowids: self.rowids,
            touched: self.touched,
            count: self.count,
            returned: self.returned,
            returned_bytes: self.returned_bytes,
            moves: self.moves,
            late_rows: self.late_rows,
            members: self.members.into_iter().map(|(oid, member)| (oid, member.suspend())).collect(),
        }
    }

    /// Unique keys are looked up among the buffered rows as well, this statement's own included.
    fn keep_indexes(&self) -> Result<()> {
        if self.leaves_to_apply() {
            return Ok(());
        }
        let mut buffer = self.context.buffer.lock().unwrap_or_else(|p| p.into_inner());
        for (index, _, keys) in &self.unique {
            let keys = keys.clone();
            buffer.keep_index(self.table.oid, self.storage, *index, || Ok(keys))?;
        }
        Ok(())
    }

    /// Whether `apply` asks for unique keys anyway. It never sees a temporary table.
    fn leaves_to_apply(&self) -> bool {
        self.context.is_auto && !self.moves_keys && !self.plan.has_conflict_clause() && !is_temporary(self.table.oid)
    }

    /// Takes one row of the source.
    pub(crate) fn row(&mut self, source: Vec<Datum>) -> Result<()> {
        let plan = self.plan.clone();
        if plan.tree.is_some() {
            return self.tree_row(source);
        }
        let mut slots = source;
        slots.resize(plan.width, Datum::Null);
        match &plan.action {
            Action::Insert { values, takes, conflict } => {
                let row = self.computed(&mut slots, values, takes)?;
                self.insert(slots, row, conflict.as_ref())
            }
            Action::Update { locator, assignments } => self.update(slots, *locator, assignments),
            Action::Delete { locator } => self.delete(slots, *locator),
            Action::Merge(merge) => self.merge(slots, merge),
        }
    }

    /// Does the first WHEN clause that is for a joined row.
    pub(super) fn merge(&mut self, mut slots: Vec<Datum>, merge: &Merge) -> Result<()> {
        let key = match &slots[merge.locator] {
            Datum::Bytea(key) => Some(key.to_vec()),
            _ => None,
        };
        let has_source = merge.present.is_none_or(|at| slots[at] == Datum::Bool(true));
        let kind = match (&key, has_source) {
            (None, _) => MergeKind::NotMatchedByTarget,
            (Some(_), true) => MergeKind::Matched,
            (Some(_), false) => MergeKind::NotMatchedBySource,
        };
        let mut chosen = None;
        for arm in merge.arms.iter().filter(|arm| arm.kind == kind) {
            let holds = match &arm.condition {
                Some(condition) => self.eval(condition, &slots)? == Datum::Bool(true),
                None => true,
            };
            if holds {
                chosen = Some(&arm.action);
                break;
            }
        }
        let (Some(action), key) = (chosen, key.unwrap_or_default()) else { return Ok(()) };
        let name = match action {
            ArmAction::Nothing => return Ok(()),
            ArmAction::Insert { .. } => "INSERT",
            ArmAction::Update(_) => "UPDATE",
            ArmAction::Delete => "DELETE",
        };
        slots[merge.action] = Datum::text(name);
        if let ArmAction::Insert { values, takes } = action {
            let row = self.computed(&mut slots, values, takes)?;
            return match self.plan.tree.is_some() {
                true => self.insert_in_place(slots, row, name),
                false => self.insert(slots, row, None),
            };
        }
        if !self.touched.insert(key.clone()) {
            return Err(err!(CARDINALITY_VIOLATION, "MERGE command cannot affect row a second time")
                .hint("Ensure that not more than one source row matches any one target row."));
        }
        let Some((old, expect)) = self.current(&key)? else { return Ok(()) };
        self.set_old(&mut slots, &old);
        match action {
            ArmAction::Update(assignments) => self.replace(slots, &key, old, expect, assignments),
            _ => {
                self.set_shown(&mut slots, &old);
                self.remove(&slots, &key, &old, expect)
            }
        }
    }

    fn eval(&self, expr: &Compiled, slots: &[Datum]) -> Result<Datum> {
        expr.eval(slots, &self.context.params, &self.context.eval)
    }

    /// The values of a new row.
    pub(super) fn computed(
        &self,
        slots: &mut [Datum],
        values: &[(i16, Compiled)],
        takes: &[Option<usize>],
    ) -> Result<Vec<Datum>> {
        let mut row = vec![Datum::Null; self.table.columns.len()];
        for ((number, expr), take) in values.iter().zip(takes) {
            row[*number as usize - 1] = match take {
                Some(slot) => std::mem::take(&mut slots[*slot]),
                None => self.eval(expr, slots)?,
            };
        }
        Ok(row)
    }

    /// Writes a new row.
    pub(super) fn insert(
        &mut self,
        mut slots: Vec<Datum>,
        mut row: Vec<Datum>,
        conflict: Option<&Conflict>,
    ) -> Result<()> {
        self.rules.generated.fill(&mut row, self.shows_virtual(), &self.context.eval)?;
        if self.plan.shows_new() {
            self.set_new(&mut slots, &row);
        }
        if let Some(conflict) = conflict {
            self.check_row(&slots, &row)?;
            if let Some(key) = self.conflicting(&row, &conflict.arbiters)? {
                return match &conflict.update {
                    None => Ok(()),
                    Some((assignments, condition)) => {
                        self.update_existing(slots, &key, assignments, condition.as_ref())
                    }
                };
            }
        } else {
            self.check_row(&slots, &row)?;
        }
        let key = self.new_key(&row)?;
        self.check_unique(&key, &row, None)?;
        self.check_views(&slots, &row)?;
        self.write(&key, Some(&row), Expect::Absent)?;
        self.wrote(&key);
        integrity::note(self.context, &self.rules, None, Some(&row))?;
        self.touched_by_conflict(conflict.is_some(), key);
        self.done(&slots)
    }

    fn touched_by_conflict(&mut self, has_conflict: bool, key: Vec<u8>) {
        if has_conflict {
            self.touched.insert(key);
        }
    }

    /// The key for a new row.
    fn new_key(&mut self, row: &[Datum]) -> Result<Vec<u8>> {
        if !self.table.key.is_empty() {
            return Ok(primary_key(self.table, row));
        }
        if self.rowids.is_empty() {
            let count = if self.single || self.count == 0 { 1 } else { ROWIDS_AT_ONCE };
            let first = self.context.shared.server.engine.next_rowids(self.table.storage, count)?;
            self.rowids = first..first + i64::from(count);
        }
        let id = self.rowids.next().ok_or_else(|| Error::internal("row ids were taken just now"))?;
        Ok(crate::document::key::encode_rowid(id).to_vec())
    }

    fn set_new(&self, slots: &mut [Datum], row: &[Datum]) {
        for (i, number) in self.plan.new.iter().enumerate() {
            slots[self.plan.source_width + i] = self.system_or(row, *number);
        }
        self.set_shown(slots, row);
    }

    /// The row as RETURNING of MERGE shows it.
    fn set_shown(&self, slots: &mut [Datum], row: &[Datum]) {
        if let Action::Merge(Merge { shown: (at, columns), .. }) = &self.plan.action {
            for (i, number) in columns.iter().enumerate() {
                slots[at + i] = self.system_or(row, *number);
            }
        }
    }

    fn set_old(&self, slots: &mut [Datum], row: &[Datum]) {
        for (i, number) in self.plan.old.iter().enumerate() {
            slots[self.plan.source_width + self.plan.new.len() + i] = self.system_or(row, *number);
        }
    }

    fn system_or(&self, row: &[Datum], number: i16) -> Datum {
        match number {
            n if n > 0 => row.get(n as usize - 1).cloned().unwrap_or_default(),
            -6 => Datum::Oid(self.table.oid),
            _ => Datum::Null,
        }
    }

    /// NOT NULL and CHECK.
    fn check_row(&self, slots: &[Datum], row: &[Datum]) -> Result<()> {
        for column in self.table.live_columns().filter(|c| c.not_null) {
            if row[column.number as usize - 1].is_null() {
                let error = not_null_violation(self.table, &column.name);
                return Err(self.failing(error, row));
            }
        }
        for (name, check) in &self.plan.checks {
            if self.eval(check, slots)? == Datum::Bool(false) {
                return Err(self.failing(check_violation(self.table, name), row));
            }
        }
        match self.is_member || self.fits(row)? {
            true => Ok(()),
            false => Err(self.misplaced(row)),
        }
    }

    /// Whether a row may be in this partition.
    pub(super) fn fits(&self, row: &[Datum]) -> Result<bool> {
        for within in &self.within {
            if !within.has(row, &self.context.eval)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// 23514 for a row of another partition.
    pub(super) fn misplaced(&self, row: &[Datum]) -> Error {
        let name = &self.table.name;
        let error = err!(CHECK_VIOLATION, "new row for relation \"{name}\" violates partition constraint");
        self.failing(error, row)
    }

    /// The CHECK OPTIONs of the views that are written through.
    fn check_views(&self, slots: &[Datum], row: &[Datum]) -> Result<()> {
        for (view, check) in &self.plan.view_checks {
            if self.eval(check, slots)? != Datum::Bool(true) {
                let error = err!(WITH_CHECK_OPTION_VIOLATION, "new row violates check option for view \"{view}\"");
                return Err(error.detail(self.failing_row(row)));
            }
        }
        Ok(())
    }

    fn failing(&self, error: Error, row: &[Datum]) -> Error {
        error.detail(self.failing_row(row)).table(self.schema.clone(), self.table.name.clone())
    }

    fn failing_row(&self, row: &[Datum]) -> String {
        let mut text = String::from("Failing row contains (");
        for (i, column) in self.table.live_columns().enumerate() {
            if i > 0 {
                text.push_str(", ");
            }
            let mut shown = String::new();
            match &row[column.number as usize - 1] {
                _ if column.is_virtual() => shown.push_str("virtual"),
                Datum::Null => shown.push_str("null"),
                value => io::output(value, column.typ, &self.context.eval, &mut shown),
            }
            if shown.len() > SHOWN_BYTES_MAX {
                let end = (0..=SHOWN_BYTES_MAX).rev().find(|i| shown.is_char_boundary(*i)).unwrap_or(0);
                shown.truncate(end);
                shown.push_str("...");
            }
            text.push_str(&shown);
        }
        text.push_str(").");
        text
    }

    /// The row as it is now: buffered by this transaction (this statement included), or stored.
    fn current(&self, key: &[u8]) -> Result<Option<(Vec<Datum>, Expect)>> {
        let buffered = {
            let buffer = self.context.buffer.lock().unwrap_or_else(|p| p.into_inner());
            buffer.table(self.table.oid).and_then(|t| t.get(key)).cloned()
        };
        if let Some(pending) = buffered {
            return pending.row.map(|row| Ok((self.read(&row)?, pending.expect))).transpose();
        }
        match self.view.snapshot.get(self.table.storage, key)? {
            Some(row) => Ok(Some((self.read(row.as_bytes())?, Expect::Version(row.position())))),
            None => Ok(None),
        }
    }

    /// All columns of a row, the virtual ones computed.
    fn read(&self, bytes: &[u8]) -> Result<Vec<Datum>> {
        let mut row = read_row(self.table, bytes, &self.context.eval)?;
        let shows_old = matches!(self.plan.action, Action::Merge(_)) && self.plan.returning.is_some();
        if shows_old || self.plan.has_conflict_clause() {
            self.rules.generated.fill_virtual(&mut row, &self.context.eval)?;
        }
        Ok(row)
    }

    /// Whether the virtual columns of a new row are looked at.
    fn shows_virtual(&self) -> bool {
        self.plan.shows_new() || self.table.live_columns().any(|c| c.is_virtual() && c.not_null)
    }

    /// Notes a row whose late unique keys are to be looked at.
    fn wrote(&mut self, key: &[u8]) {
        if !self.late.is_empty() && (!self.context.is_auto || is_temporary(self.table.oid)) {
            self.late_rows.push(key.to_vec());
        }
    }

    /// Ends the statement of which this is the only modification.
    pub(crate) fn settle(&self) -> Result<()> {
        integrity::settle(self.context)
    }

    /// The late unique keys of the rows written, unless they are deferred to the commit.
    fn check_late(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.late_rows);
        for key in rows {
            let Some((row, _)) = self.current(&key)? else { continue };
            for (index, nulls_not_distinct, keys) in self.unique.iter().filter(|(i, _, _)| self.late.contains(i)) {
                let constraint = self.table.constraints.iter().find(|c| c.index() == Some(*index));
                if constraint.is_some_and(|c| self.context.is_deferred(c)) {
                    continue;
                }
                let mut values = row.clone();
                let Some(found) = keys.values_of(&mut values)? else { continue };
                if found.iter().any(Datum::is_null) && !nulls_not_distinct {
                    continue;
                }
                if self.other_holder(*index, &keys.encode(&found), &key)? {
                    return Err(keys.duplicate(&found, &self.schema));
                }
            }
        }
        Ok(())
    }

    /// Whether another row has the keys in a unique index.
    fn other_holder(&self, index: Oid, encoded: &[u8], own: &[u8]) -> Result<bool> {
        let now = self.context.refreshed();
        let view = now.with_index(self.table, index)?;
        let range = crate::storage::snapshot::prefix_range(encoded);
        let mut found = view.index_keys(self.table, index, &range, Default::default())?;
        while let Some(key) = found.next_key()? {
            if key != own {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a row is there now.
    fn exists(&self, key: &[u8]) -> Result<bool> {
        {
            let buffer = self.context.buffer.lock().unwrap_or_else(|p| p.into_inner());
            if let Some(pending) = buffer.table(self.table.oid).and_then(|t| t.get(key)) {
                return Ok(pending.row.is_some());
            }
        }
        Ok(self.view.snapshot.get(self.table.storage, key)?.is_some())
    }

    /// The key of the row that has the same keys in a unique index.
    fn holder(&self, index: Oid, encoded: &[u8]) -> Result<Option<Vec<u8>>> {
        use std::ops::Bound;
        let (lower, upper) = crate::storage::snapshot::prefix_range(encoded);
        let buffer = self.context.buffer.lock().unwrap_or_else(|p| p.into_inner());
        if let Some(part) = buffer.table(self.table.oid)
            && let Some(entries) = part.index_range(index, &lower, &upper)
            && let Some((_, row)) = entries.into_iter().find(|(k, _)| **k == *encoded)
        {
            return Ok(Some(row.to_vec()));
        }
        let is_hidden = |row: &[u8]| buffer.table(self.table.oid).is_some_and(|t| t.get(row).is_some());
        let mut found = self.view.snapshot.index_scan(
            index,
            super::view::as_slice(&lower),
            match &upper {
                Bound::Excluded(k) => Bound::Excluded(k.as_slice()),
                Bound::Included(k) => Bound::Included(k.as_slice()),
                Bound::Unbounded => Bound::Unbounded,
            },
            Default::default(),
        );
        while found.advance()? {
            let (keys, row) = found.entry()?;
            if keys == encoded && !is_hidden(row) {
                return Ok(Some(row.to_vec()));
            }
        }
        Ok(None)
    }

    /// The existing row that a new one conflicts with, by the arbiters (none: by any unique key).
    fn conflicting(&self, row: &[Datum], arbiters: &[Oid]) -> Result<Option<Vec<u8>>> {
        let row_key = self
            .view
            .catalog
            .indexes_of(self.table.oid)
            .find(|i| i.is_row_key)
            .filter(|i| arbiters.is_empty() || arbiters.contains(&i.oid));
        if row_key.is_some() {
            let key = primary_key(self.table, row);
            if self.exists(&key)? {
                return Ok(Some(key));
            }
        }
        for (index, nulls_not_distinct, keys) in &self.unique {
            if !arbiters.is_empty() && !arbiters.contains(index) {
                continue;
            }
            let mut values = row.to_vec();
            let Some(found) = keys.values_of(&mut values)? else { continue };
            if found.iter().any(Datum::is_null) && !nulls_not_distinct {
                continue;
            }
            if let Some(holder) = self.holder(*index, &keys.encode(&found))? {
                return Ok(Some(holder));
            }
        }
        Ok(None)
    }

    /// 23505 when a unique key of the new row is taken. `was`: the row's own old key. A statement that is a transaction
    /// by itself leaves what is stored to `apply`, which asks anyway.
    fn check_unique(&self, key: &[u8], row: &[Datum], was: Option<&[u8]>) -> Result<()> {
        let leave = self.leaves_to_apply();
        if !self.table.key.is_empty() && was != Some(key) {
            let taken = if leave { self.is_buffered(key) } else { self.exists(key)? };
            if taken {
                let keys =
                    self.row_key_index.as_ref().ok_or_else(|| Error::internal("a row key has an index entry"))?;
                let mut values = row.to_vec();
                let found = keys.values_of(&mut values)?.unwrap_or_default();
                return Err(keys.duplicate(&found, &self.schema));
            }
        }
        if leave {
            return Ok(());
        }
        for (index, nulls_not_distinct, keys) in self.unique.iter().filter(|(i, _, _)| !self.late.contains(i)) {
            let mut values = row.to_vec();
            let Some(found) = keys.values_of(&mut values)? else { continue };
            if found.iter().any(Datum::is_null) && !nulls_not_distinct {
                continue;
            }
            if let Some(holder) = self.holder(*index, &keys.encode(&found))?
                && Some(holder.as_slice()) != was
                && holder != key
            {
                return Err(keys.duplicate(&found, &self.schema));
            }
        }
        Ok(())
    }

    /// 23505 when another row has the key that a row gets.
    fn check_moved(&self, key: &[u8], row: &[Datum]) -> Result<()> {
        let Some(keys) = self.row_key_index.as_ref().filter(|_| self.moves_keys && self.late.is_empty()) else {
            return Ok(());
        };
        if !self.exists(key)? {
            return Ok(());
        }
        let found = keys.values_of(&mut row.to_vec())?.unwrap_or_default();
        Err(keys.duplicate(&found, &self.schema))
    }

    /// Whether this transaction has written a row with the key.
    fn is_buffered(&self, key: &[u8]) -> bool {
        let buffer = self.context.buffer.lock().unwrap_or_else(|p| p.into_inner());
        buffer.table(self.table.oid).and_then(|t| t.get(key)).is_some_and(|pending| pending.row.is_some())
    }

    /// Writes the rows whose key changed. Call it when all source rows have been taken.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.finish_members()?;
        for (key, row) in std::mem::take(&mut self.moves) {
            self.check_unique(&key, &row, None)?;
            self.write(&key, Some(&row), Expect::Absent)?;
            self.wrote(&key);
        }
        self.check_late()
    }

    fn write(&self, key: &[u8], row: Option<&[Datum]>, expect: Expect) -> Result<()> {
        let bytes = row.map(|row| Arc::from(encode_row(self.table, row)));
        let mut buffer = self.context.buffer.lock().unwrap_or_else(|p| p.into_inner());
        buffer.write(self.table.oid, self.storage, key, bytes, expect)
    }

    fn update_existing(
        &mut self,
        mut slots: Vec<Datum>,
        key: &[u8],
        assignments: &[(i16, Compiled)],
        condition: Option<&Compiled>,
    ) -> Result<()> {
        if self.touched.contains(key) {
            return Err(err!(
                CARDINALITY_VIOLATION,
                "ON CONFLICT DO UPDATE command cannot affect row a second time"
            )
            .hint(
                "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
            ));
        }
        let Some((old, expect)) = self.current(key)? else { return Ok(()) };
        self.set_old(&mut slots, &old);
        if let Some(condition) = condition
            && self.eval(condition, &slots)? != Datum::Bool(true)
        {
            return Ok(());
        }
        self.replace(slots, key, old, expect, assignments)
    }

    fn update(&mut self, mut slots: Vec<Datum>, locator: usize, assignments: &[(i16, Compiled)]) -> Result<()> {
        let Some(key) = self.located(&slots, locator)? else { return Ok(()) };
        let Some((old, expect)) = self.current(&key)? else { return Ok(()) };
        self.set_old(&mut slots, &old);
        self.replace(slots, &key, old, expect, assignments)
    }

    /// The row key in the locator; `None` when this statement has changed the row already.
    fn located(&mut self, slots: &[Datum], locator: usize) -> Result<Option<Vec<u8>>> {
        match &slots[locator] {
            Datum::Bytea(key) => {
                let first = self.single || self.touched.insert(key.to_vec());
                Ok(first.then(|| key.to_vec()))
            }
            // The target is on the outer side of a join and has no row here.
            _ => Ok(None),
        }
    }

    /// Computes and writes the new version of a row.
    fn replace(
        &mut self,
        mut slots: Vec<Datum>,
        key: &[u8],
        old: Vec<Datum>,
        expect: Expect,
        assignments: &[(i16, Compiled)],
    ) -> Result<()> {
        let mut row = old.clone();
        let mut new_values = Vec::with_capacity(assignments.len());
        for (number, expr) in assignments {
            new_values.push((*number as usize - 1, self.eval(expr, &slots)?));
        }
        for (at, value) in new_values {
            row[at] = value;
        }
        self.rules.generated.fill(&mut row, self.shows_virtual(), &self.context.eval)?;
        self.set_new(&mut slots, &row);
        if self.is_member && !self.fits(&row)? {
            return self.leave(key, &old, row, expect);
        }
        self.check_row(&slots, &row)?;
        let new_key = match self.table.key.is_empty() {
            true => key.to_vec(),
            false => primary_key(self.table, &row),
        };
        let moved = new_key != key;
        self.check_views(&slots, &row)?;
        integrity::note(self.context, &self.rules, Some(&old), Some(&row))?;
        if moved {
            self.write(key, None, expect)?;
            self.check_moved(&new_key, &row)?;
            self.moves.push((new_key, row));
        } else {
            self.check_unique(&new_key, &row, Some(key))?;
            self.write(key, Some(&row), expect)?;
            self.wrote(key);
            self.touched_by_conflict(true, new_key);
        }
        self.done(&slots)
    }

    /// Takes a row away that goes to another partition.
    fn leave(&mut self, key: &[u8], old: &[Datum], row: Vec<Datum>, expect: Expect) -> Result<()> {
        if self.plan.has_conflict_clause() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "invalid ON UPDATE specification")
                .detail("The result tuple would appear in a different partition than the original tuple."));
        }
        self.write(key, None, expect)?;
        integrity::note(self.context, &self.rules, Some(old), Some(&row))?;
        self.leaving = Some(row);
        Ok(())
    }

    fn delete(&mut self, mut slots: Vec<Datum>, locator: usize) -> Result<()> {
        let Some(key) = self.located(&slots, locator)? else { return Ok(()) };
        let Some((old, expect)) = self.current(&key)? else { return Ok(()) };
        self.set_old(&mut slots, &old);
        self.remove(&slots, &key, &old, expect)
    }

    fn remove(&mut self, slots: &[Datum], key: &[u8], old: &[Datum], expect: Expect) -> Result<()> {
        self.write(key, None, expect)?;
        integrity::note(self.context, &self.rules, Some(old), None)?;
        self.done(slots)
    }

    /// Counts the row and computes RETURNING.
    fn done(&mut self, slots: &[Datum]) -> Result<()> {
        self.count += 1;
        let plan = self.plan.clone();
        let Some(returning) = &plan.returning else { return Ok(()) };
        let row = returning.iter().map(|e| self.eval(e, slots)).collect::<Result<Vec<_>>>()?;
        self.returned_bytes += row.iter().map(|v| size_of::<Datum>() + heap_bytes(v)).sum::<usize>();
        if self.returned_bytes > self.context.shared.server.config.memory_limit {
            return Err(err!(OUT_OF_MEMORY, "out of memory").detail("The rows of RETURNING do not fit."));
        }
        self.returned.push(row);
        Ok(())
    }
}

/// The CHECK constraints of a table as (name, text), by name.
pub(crate) fn checks_of(table: &Table) -> Vec<(String, String)> {
    let mut checks: Vec<(String, String)> = table
        .constraints
        .iter()
        .filter_map(|c| match &c.kind {
            ConstraintKind::Check { expr } if !c.attributes.not_enforced => Some((c.name.clone(), expr.clone())),
            _ => None,
        })
        .collect();
    checks.sort();
    checks
}
