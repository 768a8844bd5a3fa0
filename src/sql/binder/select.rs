//! SELECT: the clauses in PostgreSQL's order of analysis, then the plan from the bottom up.

use std::collections::BTreeSet;

use sqlparser::ast;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::{self, ident};
use crate::sql::plan::{Access, ColumnId, Expr, Locking, OutputColumn, Rel, SetCall, SortKey};
use crate::sql::shape::{Query, Select};
use crate::sql::statement::{LockStrength, LockWait, Statement};

use super::grouping::Grouping;
use super::scope::{Clause, Level, Scope};
use super::targets::Target;
use super::{Binder, Bound, COLUMNS_MAX};

/// How a query is bound.
#[derive(Clone, Copy, Default)]
pub(super) struct QueryOptions<'m> {
    /// The data-modifying members of its WITH, by position.
    pub(super) members: &'m [(usize, Statement)],
    /// Literals of unknown type stay so: the caller gives them a type (set operations, INSERT).
    pub(super) keep_unknown: bool,
}

/// What follows the body of a query.
#[derive(Clone, Copy, Default)]
pub(super) struct Tail<'q> {
    pub(super) order: &'q [ast::OrderByExpr],
    pub(super) limit: Option<&'q ast::Expr>,
    pub(super) offset: Option<&'q ast::Expr>,
    pub(super) ties: bool,
}

/// A sort key as a target.
#[derive(Clone, Copy, Debug)]
struct OrderItem {
    target: usize,
    descending: bool,
    nulls_first: bool,
}

impl Binder<'_> {
    /// Binds a query of any kind.
    pub(super) fn query(&mut self, query: &ast::Query, options: QueryOptions<'_>, scope: &Scope<'_>) -> Result<Bound> {
        self.deeper(|binder| {
            if query.for_clause.is_some() || query.format_clause.is_some() || !query.pipe_operators.is_empty() {
                return Err(Error::unsupported("this clause of a query"));
            }
            let Some(with) = &query.with else { return binder.query_body(query, options, scope) };
            let mut inner = Scope::inside(scope);
            let (noted, definitions) = binder.with(with, options.members, &mut inner)?;
            let bound = binder.query_body(query, options, &inner)?;
            if let Some(finished) = binder.recorder.as_mut().and_then(|recorder| recorder.finished.as_mut()) {
                // A query in parentheses has definitions of its own.
                let own = std::mem::replace(&mut finished.ctes, noted);
                finished.ctes.extend(own);
                finished.recursive |= with.recursive;
            }
            binder.finish_with(definitions, bound)
        })
    }

    fn query_body(&mut self, query: &ast::Query, options: QueryOptions<'_>, scope: &Scope<'_>) -> Result<Bound> {
        let tail = self.tail(query)?;
        let locks = parser::row_locks(query)?;
        if let ast::SetExpr::Query(inner) = &*query.body {
            return self.parenthesised(query, inner, options, scope);
        }
        if !locks.is_empty() && !matches!(&*query.body, ast::SetExpr::Select(_)) {
            let strength = lock_name(locks[0].strength);
            return Err(match &*query.body {
                ast::SetExpr::Values(_) => err!(FEATURE_NOT_SUPPORTED, "{strength} cannot be applied to VALUES"),
                _ => err!(FEATURE_NOT_SUPPORTED, "{strength} is not allowed with UNION/INTERSECT/EXCEPT"),
            });
        }
        match &*query.body {
            ast::SetExpr::Select(select) => self.select(select, tail, &locks, options, scope),
            ast::SetExpr::Values(values) => {
                let bound = self.values(&values.rows, options, scope)?;
                let body = self.recorder.as_mut().and_then(|recorder| recorder.body.take());
                let bound = self.tail_over(bound, tail, scope)?;
                if let Some(recorder) = &mut self.recorder {
                    recorder.body = body;
                }
                Ok(bound)
            }
            ast::SetExpr::SetOperation { .. } => {
                let bound = self.set_operation(&query.body, options, scope)?;
                self.set_tail(bound, tail, scope)
            }
            ast::SetExpr::Table(table) => {
                let select = self.table_as_select(table)?;
                self.select(&select, tail, &[], options, scope)
            }
            ast::SetExpr::Query(_) => Err(Error::internal("a parenthesised query was unwrapped")),
            _ => Err(Error::unsupported("this form of query")),
        }
        .inspect(|_| self.note_query(tail))
    }

    /// `(query) ORDER BY ...`: the clauses belong to the query inside, which may not have its own.
    fn parenthesised(
        &mut self,
        outer: &ast::Query,
        inner: &ast::Query,
        options: QueryOptions<'_>,
        scope: &Scope<'_>,
    ) -> Result<Bound> {
        if outer.order_by.is_none() && outer.limit_clause.is_none() && outer.fetch.is_none() && outer.locks.is_empty() {
            return self.query(inner, QueryOptions { members: &[], ..options }, scope);
        }
        let mut merged = inner.clone();
        if outer.order_by.is_some() && merged.order_by.is_some() {
            return Err(err!(SYNTAX_ERROR, "multiple ORDER BY clauses not allowed"));
        }
        merged.order_by = merged.order_by.or_else(|| outer.order_by.clone());
        let has_limit = |query: &ast::Query| query.limit_clause.is_some() || query.fetch.is_some();
        if has_limit(outer) {
            if has_limit(&merged) {
                return Err(err!(SYNTAX_ERROR, "multiple LIMIT clauses not allowed"));
            }
            merged.limit_clause = outer.limit_clause.clone();
            merged.fetch = outer.fetch.clone();
        }
        merged.locks.extend(outer.locks.iter().cloned());
        self.query(&merged, QueryOptions { members: &[], ..options }, scope)
    }

    fn tail<'q>(&self, query: &'q ast::Query) -> Result<Tail<'q>> {
        let mut tail = Tail::default();
        if let Some(order) = &query.order_by {
            match &order.kind {
                ast::OrderByKind::Expressions(keys) => tail.order = keys,
                ast::OrderByKind::All(_) => return Err(Error::unsupported("ORDER BY ALL")),
            }
        }
        match &query.limit_clause {
            None => {}
            Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) => {
                if !limit_by.is_empty() {
                    return Err(Error::unsupported("LIMIT BY"));
                }
                tail.limit = limit.as_ref();
                tail.offset = offset.as_ref().map(|offset| &offset.value);
            }
            Some(ast::LimitClause::OffsetCommaLimit { .. }) => {
                return Err(err!(SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                    .hint("Use separate LIMIT and OFFSET clauses."));
            }
        }
        if let Some(fetch) = &query.fetch {
            if fetch.percent {
                return Err(Error::unsupported("FETCH ... PERCENT"));
            }
            tail.limit = fetch.quantity.as_ref();
            tail.ties = fetch.with_ties;
            if tail.ties && tail.order.is_empty() {
                return Err(err!(SYNTAX_ERROR, "WITH TIES cannot be specified without ORDER BY clause"));
            }
        }
        Ok(tail)
    }

    /// `TABLE t` as `SELECT * FROM t`.
    fn table_as_select(&self, table: &ast::Table) -> Result<ast::Select> {
        let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
        let Some(name) = &table.table_name else { return Err(Error::internal("a data-modifying WITH out of place")) };
        let text = match &table.schema_name {
            Some(schema) => format!("SELECT * FROM {}.{}", quoted(schema), quoted(name)),
            None => format!("SELECT * FROM {}", quoted(name)),
        };
        let parsed = parser::parse(&text)?;
        match parsed.into_iter().next().map(|parsed| parsed.statement) {
            Some(Statement::Query(query)) => match *query.body {
                ast::SetExpr::Select(mut select) => {
                    select.select_token = ast::helpers::attached_token::AttachedToken::empty();
                    Ok(*select)
                }
                _ => Err(Error::internal("SELECT * FROM is a select")),
            },
            _ => Err(Error::internal("SELECT * FROM is a query")),
        }
    }

    fn select(
        &mut self,
        select: &ast::Select,
        tail: Tail<'_>,
        locks: &[crate::sql::statement::RowLock],
        options: QueryOptions<'_>,
        parent: &Scope<'_>,
    ) -> Result<Bound> {
        refuse_extensions(select)?;
        let mut scope = Scope::inside(parent);
        let mut rel = self.bind_from(&select.from, &mut scope)?;
        let from = self.recorder.as_mut().map(|recorder| std::mem::take(&mut recorder.from));
        let own: BTreeSet<ColumnId> = rel.column_ids();
        self.window_definitions(select, &scope)?;

        scope.set_clause(Clause::Target);
        let mut targets = self.target_list(&select.projection, &scope)?;
        if targets.len() > COLUMNS_MAX {
            return Err(err!(TOO_MANY_COLUMNS, "target lists can have at most {COLUMNS_MAX} entries"));
        }
        let mut filter = None;
        if let Some(selection) = &select.selection {
            scope.set_clause(Clause::Where);
            let predicate = self.condition(selection, "WHERE", &scope)?;
            filter = self.is_recording().then(|| predicate.clone());
            rel = Rel::Filter { input: Box::new(rel), predicate };
        }
        scope.set_clause(Clause::Having);
        let mut having = match &select.having {
            Some(having) => Some(self.condition(having, "HAVING", &scope)?),
            None => None,
        };
        let order = self.order_by(tail.order, &mut targets, &scope)?;
        let mut grouping = self.group_by(&select.group_by, &mut targets, &scope)?;
        let distinct = self.distinct(select, &order, &mut targets, &scope)?;
        let (limit, offset) = self.limit(tail, &scope)?;
        if !options.keep_unknown {
            self.settle_targets(&mut targets)?;
        }
        self.row_locks(locks, &scope)?;
        if let Some(from) = from {
            let noted = Select {
                distinct: match &distinct {
                    Distinct::No => None,
                    Distinct::All => Some(Vec::new()),
                    Distinct::On(targets) => Some(targets.clone()),
                },
                from,
                filter,
                having: having.clone(),
                ..Select::default()
            };
            let tail = Query {
                order: order.iter().map(|item| (item.target, item.descending, item.nulls_first)).collect(),
                limit: limit.clone(),
                offset: offset.clone(),
                ..Query::default()
            };
            self.note_select(select, noted, tail, &mut targets, &scope)?;
            self.note_locks(locks, &scope);
        }

        let mut level = scope.take_level();
        let is_grouped =
            grouping.is_some() || having.is_some() || !level.aggregates.is_empty() || !level.groupings.is_empty();
        self.check_locks_allowed(locks, select, is_grouped, &level)?;
        if is_grouped {
            let mut grouping = grouping.take().unwrap_or_default();
            rel = self.set_calls_below(rel, &mut level, &grouping)?;
            self.add_dependent(&mut grouping, &targets, having.as_ref(), &level, &scope);
            let check = |expr: &mut Expr| self.group_expr(expr, &grouping, &own, &level, &scope);
            for target in &mut targets {
                check(&mut target.expr)?;
            }
            if let Some(having) = &mut having {
                check(having)?;
            }
            let (mut windows, mut sets) = (std::mem::take(&mut level.windows), std::mem::take(&mut level.sets));
            let check = |expr: &mut Expr| self.group_expr(expr, &grouping, &own, &level, &scope);
            for (_, call) in &mut windows {
                let exprs = call.args.iter_mut().chain(&mut call.partition).chain(&mut call.filter);
                for expr in exprs.chain(call.order.iter_mut().map(|key| &mut key.expr)) {
                    check(expr)?;
                }
            }
            for (_, set) in &mut sets {
                check(&mut set.call)?;
            }
            (level.windows, level.sets) = (windows, sets);
            let Grouping { groups, sets, .. } = grouping;
            let mut aggregates = std::mem::take(&mut level.aggregates);
            if groups.is_empty() && aggregates.is_empty() {
                // There is one row all the same.
                aggregates.extend(super::call::count_rows().map(|call| (self.column(), call)));
            }
            rel = Rel::Aggregate { input: Box::new(rel), groups, sets, aggregates };
            if let Some(predicate) = having {
                rel = Rel::Filter { input: Box::new(rel), predicate };
            }
        }
        if !level.windows.is_empty() {
            rel = Rel::Window { input: Box::new(rel), calls: std::mem::take(&mut level.windows) };
        }
        let sets = std::mem::take(&mut level.sets);
        let limits = Limits { limit, offset, ties: tail.ties };
        self.project(rel, targets, order, distinct, limits, sets)
    }

    /// Names the WINDOW definitions.
    fn window_definitions(&mut self, select: &ast::Select, scope: &Scope<'_>) -> Result<()> {
        for ast::NamedWindowDefinition(name, definition) in &select.named_window {
            let folded = ident(name);
            let spec = match definition {
                ast::NamedWindowExpr::WindowSpec(spec) => spec.clone(),
                ast::NamedWindowExpr::NamedWindow(_) => return Err(Error::unsupported("this form of WINDOW")),
            };
            let at = self.parenthesis(name.span, "as");
            let mut level = scope.level.borrow_mut();
            if level.window_names.insert(folded.clone(), (spec, at)).is_some() {
                return Err(err!(WINDOWING_ERROR, "window \"{folded}\" is already defined").at(at));
            }
        }
        Ok(())
    }

    fn order_by(
        &mut self,
        keys: &[ast::OrderByExpr],
        targets: &mut Vec<Target>,
        scope: &Scope<'_>,
    ) -> Result<Vec<OrderItem>> {
        let mut order = Vec::with_capacity(keys.len());
        for key in keys {
            let target = self.find_target(&key.expr, targets, Clause::OrderBy, scope)?;
            let position = self.expr_at(&key.expr);
            let sort = self.sort_key_of(targets[target].expr.clone(), key, position)?;
            order.push(OrderItem { target, descending: sort.descending, nulls_first: sort.nulls_first });
        }
        Ok(order)
    }

    /// DISTINCT and DISTINCT ON (the targets of its expressions).
    fn distinct(
        &mut self,
        select: &ast::Select,
        order: &[OrderItem],
        targets: &mut Vec<Target>,
        scope: &Scope<'_>,
    ) -> Result<Distinct> {
        match &select.distinct {
            None | Some(ast::Distinct::All) => Ok(Distinct::No),
            Some(ast::Distinct::Distinct) => {
                self.settle_targets(targets)?;
                if let Some(item) = order.iter().find(|item| targets[item.target].junk) {
                    return Err(err!(
                        INVALID_COLUMN_REFERENCE,
                        "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
                    )
                    .at(targets[item.target].position));
                }
                for target in targets.iter().filter(|target| !target.junk) {
                    self.equality_of(target.expr.typ(), target.position)?;
                }
                Ok(Distinct::All)
            }
            Some(ast::Distinct::On(exprs)) => {
                let mut on = Vec::with_capacity(exprs.len());
                for expr in exprs {
                    let index = self.find_target(expr, targets, Clause::DistinctOn, scope)?;
                    self.equality_of(targets[index].expr.typ(), self.expr_at(expr))?;
                    if !on.contains(&index) {
                        on.push(index);
                    }
                }
                let mut skipped = false;
                let mut seen = BTreeSet::new();
                let mismatch = |position: u32| {
                    err!(
                        INVALID_COLUMN_REFERENCE,
                        "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"
                    )
                    .at(position)
                };
                for item in order {
                    if on.contains(&item.target) {
                        if skipped {
                            return Err(mismatch(targets[item.target].position));
                        }
                        seen.insert(item.target);
                    } else {
                        skipped = true;
                    }
                }
                if skipped && let Some(missing) = on.iter().position(|index| !seen.contains(index)) {
                    return Err(mismatch(self.expr_at(&exprs[missing])));
                }
                Ok(Distinct::On(on))
            }
        }
    }

    /// LIMIT and OFFSET as int8.
    pub(super) fn limit(&mut self, tail: Tail<'_>, scope: &Scope<'_>) -> Result<(Option<Expr>, Option<Expr>)> {
        let limit = self.limit_expr(tail.limit, Clause::Limit, scope)?;
        let offset = self.limit_expr(tail.offset, Clause::Offset, scope)?;
        if tail.ties && matches!(limit, Some(Expr::Const(crate::document::Datum::Null, _))) {
            return Err(err!(
                INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
                "row count cannot be null in FETCH FIRST ... WITH TIES clause"
            ));
        }
        Ok((limit, offset))
    }

    fn limit_expr(&mut self, expr: Option<&ast::Expr>, clause: Clause, scope: &Scope<'_>) -> Result<Option<Expr>> {
        let Some(written) = expr else { return Ok(None) };
        scope.set_clause(clause);
        let position = self.expr_at(written);
        let bound = self.expr(written, scope)?;
        let written = self.is_recording().then(|| bound.clone());
        let mut bound = self.coerce_specific(bound, Type::INT8, clause.phrase(), position)?;
        if self.is_recording() {
            bound = self.as_written(written, &bound);
        }
        if bound.free_columns().iter().any(|id| scope.owns(*id)) {
            return Err(err!(INVALID_COLUMN_REFERENCE, "argument of {} must not contain variables", clause.phrase())
                .at(position));
        }
        Ok(Some(bound))
    }

    /// FOR UPDATE and FOR SHARE.
    fn row_locks(&mut self, locks: &[crate::sql::statement::RowLock], scope: &Scope<'_>) -> Result<()> {
        for lock in locks {
            for name in &lock.of {
                let folded = ident(name);
                if !scope.entries.iter().any(|e| e.relation_visible && e.item.name.as_deref() == Some(&folded)) {
                    return Err(err!(
                        UNDEFINED_TABLE,
                        "relation \"{folded}\" in {} clause not found in FROM clause",
                        lock_name(lock.strength)
                    )
                    .at(self.at(name.span)));
                }
            }
            let is_locked =
                |name: &Option<String>| lock.of.is_empty() || lock.of.iter().any(|of| Some(ident(of)) == *name);
            if scope.entries.iter().any(|e| e.nullable && e.item.relation.is_some() && is_locked(&e.item.name)) {
                return Err(err!(
                    FEATURE_NOT_SUPPORTED,
                    "{} cannot be applied to the nullable side of an outer join",
                    lock_name(lock.strength)
                ));
            }
            let exclusive = matches!(lock.strength, LockStrength::Update | LockStrength::NoKeyUpdate);
            let known = self.locking.unwrap_or(Locking { exclusive: false, nowait: false, skip_locked: false });
            self.locking = Some(Locking {
                exclusive: known.exclusive || exclusive,
                nowait: known.nowait || lock.wait == LockWait::Nowait,
                skip_locked: known.skip_locked || lock.wait == LockWait::SkipLocked,
            });
            let tables: Vec<_> = scope.entries.iter().filter_map(|e| e.item.relation.clone()).collect();
            for (oid, _) in tables {
                self.uses(oid, Access::Update);
            }
        }
        Ok(())
    }

    fn check_locks_allowed(
        &self,
        locks: &[crate::sql::statement::RowLock],
        select: &ast::Select,
        is_grouped: bool,
        level: &Level,
    ) -> Result<()> {
        let Some(lock) = locks.first() else { return Ok(()) };
        let no_groups = matches!(&select.group_by, ast::GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
        let why = if select.distinct.is_some() {
            "DISTINCT clause"
        } else if !no_groups {
            "GROUP BY clause"
        } else if select.having.is_some() {
            "HAVING clause"
        } else if is_grouped {
            "aggregate functions"
        } else if !level.windows.is_empty() {
            "window functions"
        } else if !level.sets.is_empty() {
            "set-returning functions in the target list"
        } else {
            return Ok(());
        };
        Err(err!(FEATURE_NOT_SUPPORTED, "{} is not allowed with {why}", lock_name(lock.strength)))
    }

    /// Projection, DISTINCT, ORDER BY and LIMIT over the rows.
    fn project(
        &mut self,
        mut rel: Rel,
        mut targets: Vec<Target>,
        order: Vec<OrderItem>,
        distinct: Distinct,
        limits: Limits,
        sets: Vec<(usize, SetCall)>,
    ) -> Result<Bound> {
        let set_ids: BTreeSet<ColumnId> = sets.iter().map(|(_, call)| call.columns[0].0).collect();
        let late = |expr: &Expr| expr.is_volatile() || !expr.free_columns().is_disjoint(&set_ids);
        // What a sort does not need is computed after it: volatile functions see only the rows that remain.
        let sort_first = !order.is_empty()
            && matches!(distinct, Distinct::No)
            && targets.iter().any(|target| late(&target.expr))
            && !order.iter().any(|item| late(&targets[item.target].expr));
        let Limits { limit, offset, ties } = limits;
        if sort_first {
            let keys: Vec<SortKey> = order
                .iter()
                .map(|item| SortKey {
                    expr: targets[item.target].expr.clone(),
                    descending: item.descending,
                    nulls_first: item.nulls_first,
                })
                .collect();
            let ties = ties.then(|| keys.clone());
            rel = Rel::Sort { input: Box::new(rel), keys };
            if sets.is_empty() {
                rel = limited(rel, limit, offset, ties);
                let (rel, ids) = self.project_targets(rel, &mut targets, sets, false);
                return Ok(outputs(rel, targets, &ids));
            }
            let (rel, ids) = self.project_targets(rel, &mut targets, sets, ties.is_some());
            return Ok(outputs(limited(rel, limit, offset, ties), targets, &ids));
        }
        let has_junk = targets.iter().any(|target| target.junk);
        let (mut rel, ids) = self.project_targets(rel, &mut targets, sets, true);
        let key = |item: &OrderItem| SortKey {
            expr: Expr::Column(ids[item.target], targets[item.target].expr.typ()),
            descending: item.descending,
            nulls_first: item.nulls_first,
        };
        let mut keys: Vec<SortKey> = order.iter().map(key).collect();
        match distinct {
            Distinct::No => {}
            Distinct::All => rel = Rel::Distinct { input: Box::new(rel) },
            Distinct::On(on) => {
                for index in &on {
                    if !order.iter().any(|item| item.target == *index) {
                        keys.push(key(&OrderItem { target: *index, descending: false, nulls_first: false }));
                    }
                }
                let on = on.iter().map(|i| Expr::Column(ids[*i], targets[*i].expr.typ())).collect();
                rel = Rel::DistinctOn { input: Box::new(rel), on, keys: keys.clone() };
                keys.truncate(order.len());
            }
        }
        let ties = ties.then(|| keys.clone());
        if !keys.is_empty() {
            rel = Rel::Sort { input: Box::new(rel), keys };
        }
        rel = limited(rel, limit, offset, ties);
        if has_junk {
            let mut exprs: Vec<(ColumnId, Expr)> = Vec::new();
            for (target, id) in targets.iter().zip(&ids).filter(|(target, _)| !target.junk) {
                if !exprs.iter().any(|(known, _)| known == id) {
                    exprs.push((*id, Expr::Column(*id, target.expr.typ())));
                }
            }
            rel = Rel::Project { input: Box::new(rel), exprs };
        }
        Ok(outputs(rel, targets, &ids))
    }

    /// Set-returning calls, then the targets as columns, which the targets are from here on; their ids.
    fn project_targets(
        &mut self,
        mut rel: Rel,
        targets: &mut [Target],
        sets: Vec<(usize, SetCall)>,
        with_junk: bool,
    ) -> (Rel, Vec<ColumnId>) {
        rel = project_sets(rel, sets);
        let below = rel.column_ids();
        let mut exprs: Vec<(ColumnId, Expr)> = Vec::with_capacity(targets.len());
        let mut ids = Vec::with_capacity(targets.len());
        let mut made = BTreeSet::new();
        for target in targets {
            if target.junk && !with_junk {
                ids.push(0);
                continue;
            }
            let id = match &target.expr {
                Expr::Column(id, _) if below.contains(id) => *id,
                _ => self.column(),
            };
            let column = Expr::Column(id, target.expr.typ());
            let expr = std::mem::replace(&mut target.expr, column);
            if made.insert(id) {
                exprs.push((id, expr));
            }
            ids.push(id);
        }
        (Rel::Project { input: Box::new(rel), exprs }, ids)
    }

    /// ORDER BY and LIMIT over a bound query whose output columns are all that can be named.
    pub(super) fn tail_over(&mut self, bound: Bound, tail: Tail<'_>, parent: &Scope<'_>) -> Result<Bound> {
        let scope = Scope::inside(parent);
        let mut targets = targets_of(&bound);
        let visible = targets.len();
        let order = self.order_by(tail.order, &mut targets, &scope)?;
        let (limit, offset) = self.limit(tail, &scope)?;
        if targets.len() > visible {
            self.no_form();
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.tail = Query {
                order: order.iter().map(|item| (item.target, item.descending, item.nulls_first)).collect(),
                limit: limit.clone(),
                offset: offset.clone(),
                ..Query::default()
            };
        }
        let columns = bound.columns;
        let mut rel = bound.rel;
        if targets.len() > visible {
            let mut exprs: Vec<(ColumnId, Expr)> = columns.iter().map(|c| (c.id, c.expr())).collect();
            for target in &mut targets[visible..] {
                let id = self.column();
                exprs.push((id, std::mem::replace(&mut target.expr, Expr::bool(true))));
                let typ = exprs[exprs.len() - 1].1.typ();
                target.expr = Expr::Column(id, typ);
            }
            rel = Rel::Project { input: Box::new(rel), exprs };
        }
        let keys: Vec<SortKey> = order
            .iter()
            .map(|item| SortKey {
                expr: targets[item.target].expr.clone(),
                descending: item.descending,
                nulls_first: item.nulls_first,
            })
            .collect();
        let ties = tail.ties.then(|| keys.clone());
        if !keys.is_empty() {
            rel = Rel::Sort { input: Box::new(rel), keys };
        }
        Ok(Bound { rel: limited(rel, limit, offset, ties), columns })
    }

    /// The same for a set operation, where only names and positions may be used.
    fn set_tail(&mut self, bound: Bound, tail: Tail<'_>, parent: &Scope<'_>) -> Result<Bound> {
        let targets = targets_of(&bound);
        let scope = Scope::inside(parent);
        for key in tail.order {
            if self.named_target(&key.expr, &targets, Clause::OrderBy, &scope)?.is_none() {
                if let ast::Expr::Identifier(name) = &key.expr {
                    let folded = ident(name);
                    return Err(err!(UNDEFINED_COLUMN, "column \"{folded}\" does not exist").at(self.at(name.span)));
                }
                return Err(err!(FEATURE_NOT_SUPPORTED, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
                    .detail("Only result column names can be used, not expressions or functions.")
                    .hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
                    .at(self.expr_at(&key.expr)));
            }
        }
        self.tail_over(bound, tail, parent)
    }
}

/// DISTINCT as bound.
enum Distinct {
    No,
    All,
    On(Vec<usize>),
}

struct Limits {
    limit: Option<Expr>,
    offset: Option<Expr>,
    ties: bool,
}

fn targets_of(bound: &Bound) -> Vec<Target> {
    let target =
        |c: &OutputColumn| Target { name: c.name.clone(), expr: c.expr(), origin: c.origin, position: 0, junk: false };
    bound.columns.iter().map(target).collect()
}

fn limited(rel: Rel, limit: Option<Expr>, offset: Option<Expr>, ties: Option<Vec<SortKey>>) -> Rel {
    if limit.is_none() && offset.is_none() {
        return rel;
    }
    Rel::Limit { input: Box::new(rel), limit, offset, ties }
}

fn outputs(rel: Rel, targets: Vec<Target>, ids: &[ColumnId]) -> Bound {
    let columns = targets
        .into_iter()
        .zip(ids)
        .filter(|(target, _)| !target.junk)
        .map(|(target, id)| OutputColumn { id: *id, typ: target.expr.typ(), name: target.name, origin: target.origin })
        .collect();
    Bound { rel, columns }
}

/// One `ProjectSet` a nesting depth.
pub(super) fn project_sets(mut rel: Rel, sets: Vec<(usize, SetCall)>) -> Rel {
    let deepest = sets.iter().map(|(depth, _)| depth + 1).max().unwrap_or(0);
    let mut sets = sets;
    for depth in 0..deepest {
        let (here, later): (Vec<_>, Vec<_>) = sets.into_iter().partition(|(d, _)| *d == depth);
        sets = later;
        let calls: Vec<SetCall> = here.into_iter().map(|(_, call)| call).collect();
        if !calls.is_empty() {
            rel = Rel::ProjectSet { input: Box::new(rel), calls };
        }
    }
    rel
}

pub(super) fn lock_name(strength: LockStrength) -> &'static str {
    match strength {
        LockStrength::KeyShare => "FOR KEY SHARE",
        LockStrength::Share => "FOR SHARE",
        LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
        LockStrength::Update => "FOR UPDATE",
    }
}

/// Clauses of other dialects.
fn refuse_extensions(select: &ast::Select) -> Result<()> {
    let plain = select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none()
        && select.select_modifiers.is_none();
    if plain { Ok(()) } else { Err(Error::unsupported("this clause of SELECT")) }
}
