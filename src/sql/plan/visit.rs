//! Walking the plan: the children of a node, by reference and by mutable reference, and recursive walks over them.
//!
//! Every walk guards its stack, so that plans as deep as the binder allows never overflow it.

use std::collections::HashMap;

use super::*;

/// Runs a recursive step with enough stack left.
pub fn guard<T>(step: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, step)
}

macro_rules! expr_children {
    ($self:expr, $f:expr) => {
        match $self {
            Expr::Const(..) | Expr::Param(..) | Expr::Column(..) | Expr::Grouping(_) => {}
            Expr::Call { args, .. } => {
                for arg in args {
                    $f(arg);
                }
            }
            Expr::And(items) | Expr::Or(items) | Expr::Coalesce(items, _) => {
                for item in items {
                    $f(item);
                }
            }
            Expr::Cast { input, .. }
            | Expr::Not(input)
            | Expr::IsNull(input, _)
            | Expr::IsBool(input, _, _)
            | Expr::Field { input, .. } => $f(input),
            Expr::IsDistinct { left, right, .. } => {
                $f(left);
                $f(right);
            }
            Expr::Case { whens, otherwise, .. } => {
                for (condition, result) in whens {
                    $f(condition);
                    $f(result);
                }
                if let Some(otherwise) = otherwise {
                    $f(otherwise);
                }
            }
            Expr::NullIf { left, condition, .. } => {
                $f(left);
                $f(condition);
            }
            Expr::MinMax { args, .. } => {
                for arg in args {
                    $f(arg);
                }
            }
            Expr::AnyAll { left, array, .. } => {
                $f(left);
                $f(array);
            }
            Expr::InList { left, list, .. } => {
                $f(left);
                for item in list {
                    $f(item);
                }
            }
            Expr::Array { elements, .. } => {
                for element in elements {
                    $f(element);
                }
            }
            Expr::Row { fields, .. } => {
                for field in fields {
                    $f(field);
                }
            }
            Expr::Subscript { input, subscripts, .. } => {
                $f(input);
                for subscript in subscripts {
                    match subscript {
                        Subscript::Index(index) => $f(index),
                        Subscript::Slice(lower, upper) => {
                            if let Some(lower) = lower {
                                $f(lower);
                            }
                            if let Some(upper) = upper {
                                $f(upper);
                            }
                        }
                    }
                }
            }
            Expr::Subquery(subquery) => {
                let Subquery { kind, .. } = subquery.deref_any();
                match kind {
                    SubqueryKind::Quantified { condition, .. } | SubqueryKind::Row { condition } => $f(condition),
                    SubqueryKind::Scalar | SubqueryKind::Exists | SubqueryKind::Array => {}
                }
            }
        }
    };
}

macro_rules! sort_keys {
    ($keys:expr, $f:expr) => {
        for key in $keys {
            let SortKey { expr, .. } = key;
            $f(expr);
        }
    };
}

macro_rules! rel_exprs {
    ($self:expr, $f:expr) => {
        match $self {
            Rel::OneRow
            | Rel::Scan { .. }
            | Rel::System { .. }
            | Rel::Distinct { .. }
            | Rel::SetOp { .. }
            | Rel::With { .. }
            | Rel::CteRef { .. } => {}
            Rel::Values { rows, .. } => {
                for row in rows {
                    for value in row {
                        $f(value);
                    }
                }
            }
            Rel::Function { calls, .. } | Rel::ProjectSet { calls, .. } => {
                for SetCall { call, .. } in calls {
                    $f(call);
                }
            }
            Rel::Filter { predicate, .. } => $f(predicate),
            Rel::Project { exprs, .. } => {
                for (_, expr) in exprs {
                    $f(expr);
                }
            }
            Rel::Join { on, .. } => $f(on),
            Rel::Aggregate { groups, aggregates, .. } => {
                for (_, expr) in groups {
                    $f(expr);
                }
                for (_, AggregateCall { args, order, filter, .. }) in aggregates {
                    for arg in args {
                        $f(arg);
                    }
                    sort_keys!(order, $f);
                    if let Some(filter) = filter {
                        $f(filter);
                    }
                }
            }
            Rel::Window { calls, .. } => {
                for (_, WindowCall { args, filter, partition, order, frame, .. }) in calls {
                    for arg in args {
                        $f(arg);
                    }
                    if let Some(filter) = filter {
                        $f(filter);
                    }
                    for expr in partition {
                        $f(expr);
                    }
                    sort_keys!(order, $f);
                    let Frame { start, end, .. } = frame;
                    for bound in [start, end] {
                        if let FrameBound::Preceding(expr) | FrameBound::Following(expr) = bound {
                            $f(expr);
                        }
                    }
                }
            }
            Rel::Sort { keys, .. } => sort_keys!(keys, $f),
            Rel::Limit { limit, offset, ties, .. } => {
                if let Some(limit) = limit {
                    $f(limit);
                }
                if let Some(offset) = offset {
                    $f(offset);
                }
                if let Some(keys) = ties {
                    sort_keys!(keys, $f);
                }
            }
            Rel::DistinctOn { on, keys, .. } => {
                for expr in on {
                    $f(expr);
                }
                sort_keys!(keys, $f);
            }
            Rel::Modify(modify) => {
                let Modify { kind, returning, checks, view_checks, .. } = modify.deref_any();
                if let Some(returning) = returning {
                    for (_, expr) in returning {
                        $f(expr);
                    }
                }
                for (_, expr) in checks {
                    $f(expr);
                }
                for (_, expr) in view_checks {
                    $f(expr);
                }
                match kind {
                    ModifyKind::Insert { values, on_conflict, .. } => {
                        for (_, expr) in values {
                            $f(expr);
                        }
                        if let Some(OnConflict { update: Some((assignments, filter)), .. }) = on_conflict {
                            for (_, expr) in assignments {
                                $f(expr);
                            }
                            if let Some(filter) = filter {
                                $f(filter);
                            }
                        }
                    }
                    ModifyKind::Update { assignments, .. } => {
                        for (_, expr) in assignments {
                            $f(expr);
                        }
                    }
                    ModifyKind::Delete { .. } => {}
                    ModifyKind::Merge { arms, .. } => {
                        for MergeArm { condition, action, .. } in arms {
                            if let Some(condition) = condition {
                                $f(condition);
                            }
                            match action {
                                MergeAction::Update(values) | MergeAction::Insert(values) => {
                                    for (_, expr) in values {
                                        $f(expr);
                                    }
                                }
                                MergeAction::Nothing | MergeAction::Delete => {}
                            }
                        }
                    }
                }
            }
        }
    };
}

macro_rules! rel_inputs {
    ($self:expr, $f:expr) => {
        match $self {
            Rel::OneRow | Rel::Values { .. } | Rel::Scan { .. } | Rel::System { .. } | Rel::CteRef { .. } => {}
            Rel::Function { input, .. }
            | Rel::ProjectSet { input, .. }
            | Rel::Filter { input, .. }
            | Rel::Project { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Window { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Distinct { input }
            | Rel::DistinctOn { input, .. } => $f(input),
            Rel::Join { left, right, .. } | Rel::SetOp { left, right, .. } => {
                $f(left);
                $f(right);
            }
            Rel::With { ctes, body } => {
                for Cte { plan, recursive, .. } in ctes {
                    $f(plan);
                    if let Some((term, _, _)) = recursive {
                        $f(term);
                    }
                }
                $f(body);
            }
            Rel::Modify(modify) => {
                let Modify { kind, .. } = modify.deref_any();
                match kind {
                    ModifyKind::Insert { source, .. }
                    | ModifyKind::Update { source, .. }
                    | ModifyKind::Delete { source, .. }
                    | ModifyKind::Merge { source, .. } => $f(source),
                }
            }
        }
    };
}

/// Looks through a `&Box` or `&mut Box`, so that one macro serves both kinds of walk.
trait DerefAny {
    type Target;
    fn deref_any(self) -> Self::Target;
}

impl<'a, T> DerefAny for &'a Box<T> {
    type Target = &'a T;
    fn deref_any(self) -> &'a T {
        self
    }
}

impl<'a, T> DerefAny for &'a mut Box<T> {
    type Target = &'a mut T;
    fn deref_any(self) -> &'a mut T {
        self
    }
}

impl Expr {
    /// Calls `f` with each direct child expression. The plan of a subquery is not entered (see [`Expr::subquery`]).
    pub fn for_each_child<'a>(&'a self, mut f: impl FnMut(&'a Expr)) {
        expr_children!(self, f)
    }

    /// Calls `f` with each direct child expression, to change it.
    pub fn for_each_child_mut(&mut self, mut f: impl FnMut(&mut Expr)) {
        expr_children!(self, f)
    }

    /// The plan of a subquery expression.
    pub fn subquery(&self) -> Option<&Rel> {
        match self {
            Expr::Subquery(subquery) => Some(&subquery.plan),
            _ => None,
        }
    }

    /// Visits the expression and its descendants, parents first; where `f` says false, the children are left out.
    /// The plans of subqueries are not entered.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Expr) -> bool) {
        guard(|| {
            if f(self) {
                self.for_each_child(|child| child.walk(f));
            }
        })
    }

    /// As [`Expr::walk`], and into the plans of subqueries.
    pub fn walk_deep<'a>(&'a self, f: &mut dyn FnMut(&'a Expr) -> bool) {
        guard(|| {
            if f(self) {
                self.for_each_child(|child| child.walk_deep(f));
                if let Some(plan) = self.subquery() {
                    plan.walk_exprs(f);
                }
            }
        })
    }

    /// Rewrites the expression bottom-up: children first, then `f` on the node itself. The plans of subqueries are
    /// not entered.
    pub fn rewrite(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        guard(|| {
            self.for_each_child_mut(|child| child.rewrite(f));
            f(self);
        })
    }

    /// As [`Expr::rewrite`], and into the plans of subqueries.
    pub fn rewrite_deep(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        guard(|| {
            self.for_each_child_mut(|child| child.rewrite_deep(f));
            if let Expr::Subquery(subquery) = self {
                subquery.plan.rewrite_exprs(f);
            }
            f(self);
        })
    }

    /// Rewrites top-down: where `f` says true the node is done and its children are left alone.
    pub fn replace(&mut self, f: &mut dyn FnMut(&mut Expr) -> bool) {
        guard(|| {
            if !f(self) {
                self.for_each_child_mut(|child| child.replace(f));
                if let Expr::Subquery(subquery) = self {
                    subquery.plan.replace_exprs(f);
                }
            }
        })
    }

    /// Takes the expression out, leaving a NULL.
    pub fn take(&mut self) -> Expr {
        std::mem::replace(self, Expr::Const(Datum::Null, Type::UNKNOWN))
    }
}

impl Rel {
    /// Calls `f` with each expression of this node itself.
    pub fn for_each_expr<'a>(&'a self, mut f: impl FnMut(&'a Expr)) {
        rel_exprs!(self, f)
    }

    /// Calls `f` with each expression of this node itself, to change it.
    pub fn for_each_expr_mut(&mut self, mut f: impl FnMut(&mut Expr)) {
        rel_exprs!(self, f)
    }

    /// Calls `f` with each input relation.
    pub fn for_each_input<'a>(&'a self, mut f: impl FnMut(&'a Rel)) {
        rel_inputs!(self, f)
    }

    /// Calls `f` with each input relation, to change it.
    pub fn for_each_input_mut(&mut self, mut f: impl FnMut(&mut Rel)) {
        rel_inputs!(self, f)
    }

    /// Visits this relation and everything below, parents first, into the subqueries of expressions as well.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Rel)) {
        guard(|| {
            f(self);
            self.for_each_expr(|expr| {
                expr.walk(&mut |e| {
                    if let Some(plan) = e.subquery() {
                        plan.walk(f);
                    }
                    true
                })
            });
            self.for_each_input(|input| input.walk(f));
        })
    }

    /// Visits every expression in the tree, into subqueries as well.
    pub fn walk_exprs<'a>(&'a self, f: &mut dyn FnMut(&'a Expr) -> bool) {
        guard(|| {
            self.for_each_expr(|expr| expr.walk_deep(f));
            self.for_each_input(|input| input.walk_exprs(f));
        })
    }

    /// Rewrites every expression in the tree bottom-up, in subqueries as well.
    pub fn rewrite_exprs(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        guard(|| {
            self.for_each_input_mut(|input| input.rewrite_exprs(f));
            self.for_each_expr_mut(|expr| expr.rewrite_deep(f));
        })
    }

    /// Rewrites every expression in the tree top-down, see [`Expr::replace`].
    pub fn replace_exprs(&mut self, f: &mut dyn FnMut(&mut Expr) -> bool) {
        guard(|| {
            self.for_each_input_mut(|input| input.replace_exprs(f));
            self.for_each_expr_mut(|expr| expr.replace(f));
        })
    }

    /// Takes the relation out, leaving `OneRow`.
    pub fn take(&mut self) -> Rel {
        std::mem::replace(self, Rel::OneRow)
    }
}

impl Rel {
    /// Rewrites relations bottom-up, in the subqueries of expressions as well.
    pub fn rewrite_rels(&mut self, f: &mut dyn FnMut(&mut Rel)) {
        guard(|| {
            self.for_each_input_mut(|input| input.rewrite_rels(f));
            self.for_each_expr_mut(|expr| expr.rewrite_rels(f));
            f(self);
        })
    }

    /// A copy whose columns are all new, with what became of each: for a definition that is used in several places.
    pub fn copy_with_new_columns(&self, next: &mut ColumnId) -> (Rel, HashMap<ColumnId, ColumnId>) {
        let mut copy = self.clone();
        let mut renamed = HashMap::new();
        for id in self.made_columns() {
            renamed.insert(id, *next);
            *next += 1;
        }
        copy.rename_columns(&renamed);
        (copy, renamed)
    }

    /// Renames columns everywhere inside: where they are made and where they are used.
    pub fn rename_columns(&mut self, renamed: &HashMap<ColumnId, ColumnId>) {
        let new = |id: &mut ColumnId| {
            if let Some(to) = renamed.get(id) {
                *id = *to;
            }
        };
        self.rewrite_rels(&mut |rel| match rel {
            Rel::Values { columns, .. } => columns.iter_mut().for_each(|(id, _)| new(id)),
            Rel::Scan { columns, .. } => columns.iter_mut().for_each(|(id, _, _)| new(id)),
            Rel::System { columns, .. } => columns.iter_mut().for_each(|(id, _, _)| new(id)),
            Rel::Function { calls, ordinality, .. } => {
                calls.iter_mut().flat_map(|call| &mut call.columns).for_each(|(id, _)| new(id));
                ordinality.iter_mut().for_each(new);
            }
            Rel::ProjectSet { calls, .. } => {
                calls.iter_mut().flat_map(|call| &mut call.columns).for_each(|(id, _)| new(id));
            }
            Rel::Project { exprs, .. } => exprs.iter_mut().for_each(|(id, _)| new(id)),
            Rel::Aggregate { groups, aggregates, .. } => {
                groups.iter_mut().for_each(|(id, _)| new(id));
                aggregates.iter_mut().for_each(|(id, _)| new(id));
            }
            Rel::Window { calls, .. } => calls.iter_mut().for_each(|(id, _)| new(id)),
            Rel::SetOp { left_columns, right_columns, columns, .. } => {
                left_columns.iter_mut().chain(right_columns).for_each(new);
                columns.iter_mut().for_each(|(id, _)| new(id));
            }
            Rel::With { ctes, .. } => {
                for cte in ctes {
                    cte.columns.iter_mut().for_each(|(id, _)| new(id));
                    if let Some((_, ids, _)) = &mut cte.recursive {
                        ids.iter_mut().for_each(new);
                    }
                }
            }
            Rel::CteRef { columns, .. } => columns.iter_mut().for_each(|(id, source, _)| {
                new(id);
                new(source);
            }),
            Rel::Modify(modify) => {
                modify.returning.iter_mut().flatten().for_each(|(id, _)| new(id));
                modify.new_columns.iter_mut().chain(&mut modify.old_columns).for_each(|(id, _, _)| new(id));
                if let ModifyKind::Update { locator, .. } | ModifyKind::Delete { locator, .. } = &mut modify.kind {
                    new(locator);
                }
                if let ModifyKind::Merge { locator, present, shown_columns, action, .. } = &mut modify.kind {
                    shown_columns.iter_mut().for_each(|(id, _, _)| new(id));
                    present.iter_mut().chain([locator, action]).for_each(new);
                }
            }
            Rel::OneRow
            | Rel::Filter { .. }
            | Rel::Join { .. }
            | Rel::Sort { .. }
            | Rel::Limit { .. }
            | Rel::Distinct { .. }
            | Rel::DistinctOn { .. } => {}
        });
        self.rewrite_exprs(&mut |expr| match expr {
            Expr::Column(id, _) => new(id),
            Expr::Grouping(ids) => ids.iter_mut().for_each(new),
            Expr::Subquery(subquery) => subquery.columns.iter_mut().for_each(|(id, _)| new(id)),
            _ => {}
        });
    }
}

impl Expr {
    /// Rewrites the relations of subqueries bottom-up.
    fn rewrite_rels(&mut self, f: &mut dyn FnMut(&mut Rel)) {
        guard(|| {
            self.for_each_child_mut(|child| child.rewrite_rels(f));
            if let Expr::Subquery(subquery) = self {
                subquery.plan.rewrite_rels(f);
            }
        })
    }
}
