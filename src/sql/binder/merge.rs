//! MERGE: the target and the source joined, and for each joined row the first WHEN clause that is for it.

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::plan::{self, Access, ColumnId, Expr, JoinKind, MergeArm, Modify, ModifyKind, Rel};
use crate::sql::statement::{Merge, MergeAction, MergeClause, MergeKind, Statement};

use super::dml::{Rows, modified};
use super::from::read_only_itself;
use super::scope::{Clause, Entry, Scope};
use super::target::{Event, Target};
use super::{Binder, Bound};

impl Binder<'_> {
    /// MERGE.
    pub(super) fn merge(&mut self, merge: &Merge, members: &[(usize, Statement)], parent: &Scope<'_>) -> Result<Bound> {
        self.with_around(merge.with.as_ref(), members, parent, |binder, parent| binder.merge_body(merge, parent))
    }

    fn merge_body(&mut self, merge: &Merge, parent: &Scope<'_>) -> Result<Bound> {
        let table = self.dml_target(&merge.table, Event::Merge, &accesses(&merge.clauses))?;
        check_reachable(&merge.clauses)?;
        let (target, old_columns, locator, mut scan) = self.target_item(&table, merge.alias.as_ref())?;
        if merge.only {
            read_only_itself(&mut scan);
        }
        let mut scope = Scope::inside(parent);
        let source = self.bind_from(std::slice::from_ref(&merge.source), &mut scope)?;
        let sources = std::mem::take(&mut scope.entries);
        if let Err(duplicate) = self.check_target_name(&target, &sources) {
            let name = target.item.name.clone().unwrap_or_default();
            return Err(Error::new(duplicate.code(), format!("name \"{name}\" specified more than once"))
                .detail("The name is used both as MERGE target table and data source."));
        }
        scope.entries.push(target.clone());
        scope.entries.extend(sources.iter().cloned());
        scope.set_clause(Clause::JoinOn);
        let on = self.condition(&merge.on, "JOIN/ON", &scope)?;
        self.reads(&table, &old_columns, [&on].into_iter());
        let has = |kind: MergeKind| merge.clauses.iter().any(|clause| clause.kind == kind);
        let (source, present) = match has(MergeKind::NotMatchedBySource) {
            true => self.with_marker(source),
            false => (source, None),
        };
        let kind = match (has(MergeKind::NotMatchedByTarget), present.is_some()) {
            (false, false) => JoinKind::Inner,
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (true, true) => JoinKind::Full,
        };
        let mut source = Rel::Join { kind, left: Box::new(source), right: Box::new(scan), on, lateral: false };
        let mut arms = Vec::with_capacity(merge.clauses.len());
        for clause in &merge.clauses {
            arms.push(self.merge_arm(clause, &table, (&target, &sources), &mut source, parent)?);
        }
        let exprs = arms.iter_mut().flat_map(MergeArm::exprs_mut).map(|expr| &*expr);
        self.reads(&table, &old_columns, exprs);
        let new_columns = self.row_columns(&table);
        let shown_columns = self.row_columns(&table);
        let checks = self.checks(&table, &new_columns)?;
        let view_checks = table.view_checks(&new_columns);
        let action = self.column();
        let outer = self.merge_action.replace(action);
        let mut others = sources;
        others.iter_mut().for_each(|entry| entry.nullable |= present.is_some());
        let rows =
            Rows { target: &table, new: &new_columns, old: &old_columns, shown: &shown_columns, source_first: true };
        let returning = self.returning(merge.returning.as_ref(), &rows, merge.alias.as_ref(), &others, parent);
        self.merge_action = outer;
        Ok(modified(
            Modify {
                table: table.oid,
                tree: !merge.only && self.catalog.is_tree(&table),
                kind: ModifyKind::Merge { source, locator, present, arms, shown_columns, action },
                returning: None,
                new_columns,
                old_columns,
                checks,
                view_checks,
            },
            returning?,
        ))
    }

    /// The rows with a column that is true in each of them: behind an outer join it says whether there was one.
    fn with_marker(&mut self, rel: Rel) -> (Rel, Option<ColumnId>) {
        let present = self.column();
        let columns = rel.columns().into_iter().map(|(id, typ)| (id, Expr::Column(id, typ)));
        let exprs = columns.chain([(present, Expr::bool(true))]).collect();
        (Rel::Project { input: Box::new(rel), exprs }, Some(present))
    }

    fn merge_arm(
        &mut self,
        clause: &MergeClause,
        table: &Target,
        (target, sources): (&Entry, &[Entry]),
        source: &mut Rel,
        parent: &Scope<'_>,
    ) -> Result<MergeArm> {
        let mut entries = vec![target.clone()];
        entries.extend(sources.iter().cloned());
        for (i, entry) in entries.iter_mut().enumerate() {
            let hidden = match clause.kind {
                MergeKind::Matched => false,
                MergeKind::NotMatchedBySource => i > 0,
                MergeKind::NotMatchedByTarget => i == 0,
            };
            if hidden {
                (entry.relation_visible, entry.columns_visible) = (false, false);
            }
        }
        let scope = Scope::over(Some(parent), entries, Clause::MergeWhen);
        let condition = match &clause.condition {
            Some(condition) => Some(self.condition(condition, "WHEN", &scope)?),
            None => None,
        };
        let action = match &clause.action {
            MergeAction::Nothing => plan::MergeAction::Nothing,
            MergeAction::Delete => plan::MergeAction::Delete,
            MergeAction::Update(written) => {
                scope.set_clause(Clause::Update);
                let assignments = self.assignments(written, table, source, &scope)?;
                self.writes_all(table, Access::Update, assignments.iter().map(|(number, _)| *number));
                plan::MergeAction::Update(assignments)
            }
            MergeAction::Insert { columns, overriding, values } => {
                scope.set_clause(Clause::Values);
                let count = values.as_ref().map_or(0, Vec::len);
                let given = self.insert_columns(table, columns, count)?;
                let values = match values {
                    Some(row) => {
                        let width = if columns.is_empty() { table.width() } else { columns.len() };
                        self.check_values_width(row, columns, width)?;
                        let made = self.insert_rows(std::slice::from_ref(row), *overriding, table, &given, &scope)?;
                        made.values
                    }
                    None => Vec::new(),
                };
                plan::MergeAction::Insert(self.with_defaults(table, values)?)
            }
        };
        let left = scope.take_level();
        if !left.sets.is_empty() {
            return Err(Error::internal("a set in a WHEN clause was refused before"));
        }
        Ok(MergeArm { kind: clause.kind, condition, action })
    }
}

impl Binder<'_> {
    /// `merge_action()`.
    pub(super) fn merge_action(&self, position: u32) -> Result<Expr> {
        match self.merge_action {
            Some(id) => Ok(Expr::Column(id, Type::TEXT)),
            None => Err(err!(SYNTAX_ERROR, "MERGE_ACTION() can only be used in the RETURNING list of a MERGE command")
                .at(position)),
        }
    }
}

/// What the clauses need of the target.
fn accesses(clauses: &[MergeClause]) -> Vec<Access> {
    let access = |clause: &MergeClause| match &clause.action {
        MergeAction::Nothing => None,
        MergeAction::Delete => Some(Access::Delete),
        MergeAction::Update(_) => Some(Access::Update),
        MergeAction::Insert { .. } => Some(Access::Insert),
    };
    clauses.iter().filter_map(access).collect()
}

/// Nothing may follow a WHEN clause of the same kind without a condition.
fn check_reachable(clauses: &[MergeClause]) -> Result<()> {
    let mut closed: Vec<MergeKind> = Vec::new();
    for clause in clauses {
        if closed.contains(&clause.kind) {
            return Err(err!(SYNTAX_ERROR, "unreachable WHEN clause specified after unconditional WHEN clause"));
        }
        if clause.condition.is_none() {
            closed.push(clause.kind);
        }
    }
    Ok(())
}
