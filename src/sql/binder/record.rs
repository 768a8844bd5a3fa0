//! Noting how a query was written, beside binding it: see [`crate::sql::shape`]. Off unless [`bind_shape`] asks for it; the plan is
//! thrown away then, so that ids and expressions may be those that print best.

use std::collections::{BTreeSet, HashMap};

use sqlparser::ast;

use crate::document::{Datum, Oid, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::parser::{self, ident};
use crate::sql::plan::{ColumnId, Expr, JoinKind, OutputColumn, SetOpKind, SortKey};
use crate::sql::shape::{
    Body, Call, Cte, Cycle, From, Group, Item as ShapeItem, On, Origin, Query, Sample, Select, SetTree, Shape, Source,
    Target, Window, form,
};
use crate::sql::statement::{LockWait, RowLock, Statement};
use crate::sql::types;
use crate::storage::catalog::{PG_CATALOG, Routine, Table};

use super::Binder;
use super::coerce::{Context, can_coerce, common_type};
use super::scope::{Clause, Entry, Item, Scope, ScopeColumn};
use super::select::{QueryOptions, Tail};
use super::table::{BoundTableExpr, TableExpr};

/// What has been noted so far.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) items: Vec<ShapeItem>,
    pub(super) columns: HashMap<ColumnId, Origin>,
    pub(super) calls: HashMap<ColumnId, Call>,
    pub(super) json_aggregates: BTreeSet<ColumnId>,
    /// The query that was bound last.
    pub(super) finished: Option<Query>,
    /// The body of the query that is being bound.
    pub(super) body: Option<Body>,
    /// What follows that body.
    pub(super) tail: Query,
    /// The FROM list that was bound last.
    pub(super) from: Vec<From>,
    /// The item that is made next.
    pub(super) source: Option<Source>,
    /// What is bound is a text of ours, where casts of arrays stand as they were bound.
    pub(super) verbatim: bool,
    pub(super) lateral: bool,
    /// Something has no form.
    pub(super) failed: bool,
}

/// Binds a view's query for its shape, by names along a path of its own.
pub fn bind_shape(text: &str, path: &[String], eval: &EvalContext) -> Option<Shape> {
    let parsed = parser::parse(text).ok()?;
    let Some(Statement::Query(query)) = parsed.into_iter().next().map(|parsed| parsed.statement) else { return None };
    let mut binder = Binder::new(eval, "");
    let database = eval.host.database();
    let mut path: Vec<Oid> = path.iter().filter_map(|name| binder.catalog.schema(database, name)).collect();
    if !path.contains(&PG_CATALOG) {
        path.insert(0, PG_CATALOG);
    }
    binder.search_path = path;
    binder.params_allowed = false;
    binder.recorder = Some(Box::default());
    binder.query(&query, QueryOptions::default(), &Scope::root()).ok()?;
    let records = std::mem::take(&mut binder.records);
    binder.recorder?.into_shape(records)
}

/// Binds the statements of a function's body for their shapes; `None`: one of them is no query, or does not bind.
pub fn bind_body_shapes(routine: &Routine, eval: &EvalContext) -> Option<Vec<Shape>> {
    let mut shapes = Vec::new();
    for parsed in parser::parse(&routine.query_text()).ok()? {
        let Statement::Query(query) = parsed.statement else { return None };
        let mut binder = Binder::new(eval, "");
        let database = eval.host.database();
        let path = routine.search_path.iter().filter_map(|name| binder.catalog.schema(database, name));
        binder.search_path = std::iter::once(PG_CATALOG).chain(path).collect();
        binder.recorder = Some(Box::default());
        let mut args = Vec::new();
        let mut columns = Vec::new();
        for (i, arg) in routine.inputs().enumerate() {
            let name = arg.name.clone().unwrap_or_else(|| format!("${}", i + 1));
            let typ = binder.base(arg.typ);
            let value = form::of(&form::PARAMETER, vec![form::word(&routine.name), form::word(&name)], typ);
            args.push(value.clone());
            columns.push(ScopeColumn { name: arg.name.clone().unwrap_or_default(), expr: value, origin: (0, 0) });
        }
        let item = Item {
            name: Some(routine.name.clone()),
            schema: None,
            relation: None,
            columns,
            system: Vec::new(),
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        binder.calls.push(args);
        let scope = Scope::over(None, vec![Entry::new(item)], Clause::default());
        binder.query(&query, QueryOptions::default(), &scope).ok()?;
        let records = std::mem::take(&mut binder.records);
        shapes.push(binder.recorder?.into_shape(records)?);
    }
    Some(shapes)
}

/// Binds an expression over a table's columns for being shown; `None`: it has no form, or does not bind.
pub fn note_table_expr(expr: &ast::Expr, kind: TableExpr, table: &Table, eval: &EvalContext) -> Option<BoundTableExpr> {
    let mut binder = Binder::new(eval, "");
    let verbatim = matches!(kind, TableExpr::Any);
    binder.recorder = Some(Box::new(Recorder { verbatim, ..Recorder::default() }));
    let bound = binder.bind_table_expr(expr, kind, table).ok()?;
    (!binder.recorder?.failed).then_some(bound)
}

/// The same of a domain's CHECK.
pub fn note_domain_expr(expr: &ast::Expr, base: Type, eval: &EvalContext) -> Option<Expr> {
    let mut binder = Binder::new(eval, "");
    binder.recorder = Some(Box::default());
    let (bound, _) = binder.bind_domain_expr(expr, base).ok()?;
    (!binder.recorder?.failed).then_some(bound)
}

impl Recorder {
    fn into_shape(self, records: HashMap<ColumnId, Vec<(String, Type)>>) -> Option<Shape> {
        let Self { items, columns, calls, json_aggregates, finished, failed, .. } = self;
        Some(Shape { query: finished?, items, columns, calls, records, json_aggregates, is_partial: failed })
    }
}

impl Binder<'_> {
    /// Whether a cast of an array in parentheses is one of the whole.
    pub(super) fn is_verbatim(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.verbatim)
    }

    pub(super) fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// Runs something whose inside is not to be noted.
    pub(super) fn unrecorded<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let recorder = self.recorder.take();
        let result = f(self);
        self.recorder = recorder;
        result
    }

    /// Something has no form: there will be no shape.
    pub(super) fn no_form(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.failed = true;
        }
    }

    pub(super) fn note_call(&mut self, id: ColumnId, call: impl FnOnce() -> Call) {
        if let Some(recorder) = &mut self.recorder {
            recorder.calls.insert(id, call());
        }
    }

    pub(super) fn note_source(&mut self, source: impl FnOnce() -> Source) {
        if let Some(recorder) = &mut self.recorder {
            recorder.source = Some(source());
        }
    }

    /// The query that was bound last.
    pub(super) fn finished(&mut self) -> Option<Query> {
        self.recorder.as_mut()?.finished.take()
    }

    /// An expression in a form, while that is asked for.
    pub(super) fn noted(&self, function: &'static Function, expr: Expr) -> Expr {
        if !self.is_recording() {
            return expr;
        }
        let typ = expr.typ();
        form::of(function, vec![expr], typ)
    }

    /// A call of JSON_OBJECTAGG or JSON_ARRAYAGG is this.
    pub(super) fn note_json_aggregate(&mut self, call: &ast::Function, expr: &Expr) {
        let Some(recorder) = self.recorder.as_mut().filter(|_| parser::shown_name(call).is_some()) else { return };
        match expr {
            Expr::Column(id, _) if call.over.is_none() => {
                recorder.json_aggregates.insert(*id);
            }
            _ => recorder.failed = true,
        }
    }

    /// A call that was written by a syntax of its own.
    pub(super) fn noted_syntax(&self, expr: Expr) -> Expr {
        match expr {
            Expr::Call { function, mut args, .. } if function.oid == form::PLAIN.oid && args.len() == 1 => {
                self.noted(&form::SYNTAX, args.swap_remove(0))
            }
            call @ Expr::Call { .. } => self.noted(&form::SYNTAX, call),
            other => other,
        }
    }

    /// Marks a cast as written.
    pub(super) fn noted_cast(&self, expr: Expr, from: Type) -> Expr {
        // Twice the same cast is said by the outer one.
        if form::get(&form::EXPLICIT, &expr).is_some() {
            return self.noted(&form::EXPLICIT, expr);
        }
        let is_cast = match &expr {
            Expr::Cast { .. } => true,
            Expr::Call { args, typ, .. } => !args.is_empty() && typ.oid != from.oid,
            _ => false,
        };
        if is_cast { self.noted(&form::EXPLICIT, expr) } else { expr }
    }

    /// Makes an item of what was noted as its source; its columns get ids of their own.
    pub(super) fn note_item(
        &mut self,
        item: &mut Item,
        alias: Option<&ast::TableAlias>,
        real: Vec<String>,
    ) -> Option<From> {
        let (source, lateral) = match &mut self.recorder {
            None => return None,
            Some(recorder) => (recorder.source.take(), std::mem::take(&mut recorder.lateral)),
        };
        let Some(source) = source else {
            self.no_form();
            return None;
        };
        let index = self.recorder.as_ref().map_or(0, |recorder| recorder.items.len());
        for (i, column) in item.columns.iter_mut().enumerate() {
            let id = self.column();
            if let Expr::Column(old, _) = &column.expr {
                let (record, domain) = (self.records.get(old).cloned(), self.domains.get(old).copied());
                self.records.extend(record.map(|record| (id, record)));
                self.domains.extend(domain.map(|domain| (id, domain)));
            }
            column.expr = Expr::Column(id, column.expr.typ());
            if let Some(recorder) = &mut self.recorder {
                recorder.columns.insert(id, Origin { item: index, column: Ok(i) });
            }
        }
        for column in &mut item.system {
            let id = self.column();
            column.expr = Expr::Column(id, column.expr.typ());
            if let Some(recorder) = &mut self.recorder {
                recorder.columns.insert(id, Origin { item: index, column: Err(column.name.clone()) });
            }
        }
        let base = match &source {
            Source::Relation { name, .. } | Source::Cte(name) => Some(name.clone()),
            Source::Query(_) => Some("unnamed_subquery".to_string()),
            Source::Join => Some("unnamed_join".to_string()),
            Source::Values(_) => Some("*VALUES*".to_string()),
            Source::JsonTable(_) => Some("json_table".to_string()),
            Source::Function { .. } => item.name.clone(),
        };
        let noted = ShapeItem {
            source,
            name: base,
            alias: alias.map(|alias| ident(&alias.name)),
            renames: alias.is_some_and(|alias| !alias.columns.is_empty()),
            lateral,
            real,
            names: item.columns.iter().map(|column| column.name.clone()).collect(),
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.items.push(noted);
        }
        Some(From::Item(index))
    }

    /// The item of a join without alias; merged columns that are no column of one side become its own.
    pub(super) fn note_join(&mut self, item: &mut Item, merged: usize) -> usize {
        let Some(index) = self.recorder.as_ref().map(|recorder| recorder.items.len()) else { return 0 };
        for (i, column) in item.columns.iter_mut().enumerate().take(merged) {
            if !matches!(column.expr, Expr::Column(..)) {
                let id = self.column();
                column.expr = Expr::Column(id, column.expr.typ());
                if let Some(recorder) = &mut self.recorder {
                    recorder.columns.insert(id, Origin { item: index, column: Ok(i) });
                }
            }
        }
        let names: Vec<String> = item.columns.iter().map(|column| column.name.clone()).collect();
        if let Some(recorder) = &mut self.recorder {
            recorder.items.push(ShapeItem {
                source: Source::Join,
                name: None,
                alias: None,
                renames: false,
                lateral: false,
                real: names.clone(),
                names,
            });
        }
        index
    }

    /// Whether an expression names columns of these entries.
    pub(super) fn refers_to(&self, expr: &Expr, entries: &[Entry]) -> bool {
        let mut used = Vec::new();
        expr.walk(&mut |e| {
            if let Expr::Column(id, _) = e {
                used.push(*id);
            }
            true
        });
        let mut columns = entries.iter().flat_map(|entry| entry.item.columns.iter().chain(&entry.item.system));
        columns.any(|column| matches!(&column.expr, Expr::Column(id, _) if used.contains(id)))
    }

    /// A query is bound: its body and what follows it.
    pub(super) fn note_query(&mut self, tail: Tail<'_>) {
        let Some(recorder) = &mut self.recorder else { return };
        let mut query = std::mem::take(&mut recorder.tail);
        query.ties = tail.ties;
        match recorder.body.take() {
            Some(body) => query.body = body,
            None => recorder.failed = true,
        }
        recorder.finished = Some(query);
    }

    /// The expression of LIMIT and its like as written, unless it had no type before.
    pub(super) fn as_written(&self, written: Option<Expr>, converted: &Expr) -> Expr {
        match written {
            Some(expr) if expr.typ() != Type::UNKNOWN => expr,
            _ => converted.clone(),
        }
    }

    /// A side of a set operation as a tree.
    pub(super) fn noted_side(&mut self) -> Option<SetTree> {
        let query = self.finished()?;
        let plain = query.ctes.is_empty()
            && query.order.is_empty()
            && query.limit.is_none()
            && query.offset.is_none()
            && query.locks.is_empty();
        Some(match query.body {
            Body::Set(tree) if plain => tree,
            body => SetTree::Leaf(Box::new(Query { body, ..query })),
        })
    }

    /// Gives literals of unknown type in the targets of a tree their type.
    pub(super) fn settle_tree(&mut self, tree: &mut SetTree, types: &[Type]) -> Result<()> {
        match tree {
            SetTree::Op { left, right, .. } => {
                self.settle_tree(left, types)?;
                self.settle_tree(right, types)
            }
            SetTree::Leaf(query) => match &mut query.body {
                Body::Set(tree) => self.settle_tree(tree, types),
                Body::Select(select) => {
                    let targets = select.targets.iter_mut().filter(|target| !target.junk);
                    for (target, typ) in targets.zip(types) {
                        if target.expr.typ() == Type::UNKNOWN {
                            target.expr = self.coerce(target.expr.take(), Type::new(typ.oid), Context::Implicit, 0)?;
                        }
                    }
                    Ok(())
                }
            },
        }
    }

    /// A member of WITH that was bound last.
    pub(super) fn noted_cte(&mut self, cte: &ast::Cte, scope: &Scope<'_>) -> Result<Option<Cte>> {
        let Some(query) = self.finished() else {
            self.no_form();
            return Ok(None);
        };
        let (mut search, mut cycle) = (None, None);
        for setting in cte.query.settings.iter().flatten() {
            let ast::Expr::Tuple(parts) = &setting.value else { return Err(Error::internal("a clause of WITH")) };
            let word = |part: &ast::Expr| match part {
                ast::Expr::Identifier(name) => ident(name),
                _ => String::new(),
            };
            let by = match parts.first() {
                Some(ast::Expr::Tuple(list)) => list.iter().map(word).collect(),
                _ => Vec::new(),
            };
            match (setting.key.value.as_str(), parts.as_slice()) {
                ("cycle", [_, mark, rest @ .., path]) => {
                    let values = match rest {
                        [value, default] => {
                            let (value, default) = (self.expr(value, scope)?, self.expr(default, scope)?);
                            let (mut both, _) = self.unify(vec![value, default], "CYCLE", &[0, 0])?;
                            let default = both.pop();
                            both.pop().zip(default)
                        }
                        _ => None,
                    };
                    cycle = Some(Cycle { by, mark: word(mark), values, path: word(path) });
                }
                (key, [_, sequence]) => search = Some((key == "search_depth", by, word(sequence))),
                _ => return Err(Error::internal("a clause of WITH")),
            }
        }
        Ok(Some(Cte {
            name: ident(&cte.alias.name),
            columns: cte.alias.columns.iter().map(|column| ident(&column.name)).collect(),
            materialized: super::with::materialized(cte),
            query,
            search,
            cycle,
        }))
    }

    /// `left IN (list)` as PostgreSQL makes it: an array of what names no columns, single comparisons of the rest.
    pub(super) fn noted_in_list(&mut self, left: Expr, list: Vec<Expr>, negated: bool) -> Result<Expr> {
        let name = if negated { "<>" } else { "=" };
        let at = super::operator::OperatorAt::default();
        let names_columns = |expr: &Expr| {
            let mut found = false;
            expr.walk(&mut |e| {
                found |= matches!(e, Expr::Column(..));
                true
            });
            found
        };
        let mut tests = Vec::new();
        let (mut columns, mut constants): (Vec<Expr>, Vec<Expr>) = list.iter().cloned().partition(names_columns);
        let oids: Vec<Oid> = std::iter::once(&left).chain(&constants).map(|e| e.typ().oid).collect();
        if constants.len() > 1
            && let Ok(common) = common_type(&oids)
            && common != Type::RECORD.oid
            && let Some(array) = types::array_of(common)
            && oids.iter().all(|oid| can_coerce(*oid, common, Context::Implicit))
        {
            let element = Type::new(common);
            let mut elements = Vec::with_capacity(constants.len());
            for item in constants.drain(..) {
                elements.push(self.coerce(item, element, Context::Implicit, 0)?);
            }
            let array = Expr::Array { elements, nested: false, typ: Type::new(array), element };
            tests.push(self.any_all_array(left.clone(), name, negated, array, 0, 0, 0)?);
        } else {
            columns = list;
        }
        for item in columns {
            tests.push(match (left.clone(), item) {
                (Expr::Row { fields: left, .. }, Expr::Row { fields: right, .. }) => {
                    self.row_comparison(name, left, right, 0)?
                }
                (left, right) => self.binary(name, left, right, at)?,
            });
        }
        Ok(match tests.len() {
            1 => tests.remove(0),
            _ if negated => Expr::And(tests),
            _ => Expr::Or(tests),
        })
    }

    /// AND or OR of two: only what was written as a chain is one.
    /// The parser balances long chains: a right side without parentheses belongs to the chain too.
    pub(super) fn noted_logical(
        &self,
        is_and: bool,
        written: (&ast::Expr, &ast::Expr),
        left: Expr,
        right: Expr,
    ) -> Expr {
        let is_chain = |written: &ast::Expr| match written {
            ast::Expr::BinaryOp { op: ast::BinaryOperator::And, .. } => is_and,
            ast::Expr::BinaryOp { op: ast::BinaryOperator::Or, .. } => !is_and,
            _ => false,
        };
        let items = |expr: Expr, is_chain: bool| match (expr, is_and, is_chain) {
            (Expr::And(items), true, true) | (Expr::Or(items), false, true) => items,
            (expr, _, _) => vec![expr],
        };
        let mut all = items(left, is_chain(plain(written.0)));
        all.extend(items(right, is_chain(written.1)));
        if is_and { Expr::And(all) } else { Expr::Or(all) }
    }

    /// The converted arguments of a call with names, as they were written.
    pub(super) fn noted_names(&self, args: Vec<Expr>, names: &[Option<String>], slots: &[usize]) -> Vec<Expr> {
        let name = |i: usize, value: Expr| match names.get(i).and_then(Option::as_ref) {
            None => value,
            Some(name) => {
                let typ = value.typ();
                form::of(&form::NAMED, vec![form::word(name), value], typ)
            }
        };
        slots.iter().enumerate().filter_map(|(i, slot)| Some(name(i, args.get(*slot)?.clone()))).collect()
    }

    /// A call of a function in SQL.
    pub(super) fn noted_routine(&self, oid: Oid, args: Vec<Expr>, typ: Type) -> Expr {
        let mut all = vec![Expr::Const(Datum::Oid(oid), Type::OID)];
        all.extend(args);
        form::of(&form::ROUTINE, all, typ)
    }

    /// A window definition as written: what it takes from its base left out.
    pub(super) fn noted_window(
        &mut self,
        spec: &ast::WindowSpec,
        partition: Vec<Expr>,
        order: Vec<SortKey>,
        frame: &crate::sql::plan::Frame,
    ) -> Window {
        Window {
            base: spec.window_name.as_ref().map(ident),
            partition: if spec.partition_by.is_empty() { Vec::new() } else { partition },
            order: if spec.order_by.is_empty() { Vec::new() } else { order },
            frame: spec.window_frame.as_ref().map(|written| (frame.clone(), written.end_bound.is_some())),
        }
    }

    /// A SELECT is bound, but for its grouping.
    pub(super) fn note_select(
        &mut self,
        written: &ast::Select,
        mut select: Select,
        tail: Query,
        targets: &mut [super::targets::Target],
        scope: &Scope<'_>,
    ) -> Result<()> {
        if let ast::GroupByExpr::Expressions(items, modifiers) = &written.group_by {
            select.group_distinct = !modifiers.is_empty();
            for item in items {
                let made = match plain(item) {
                    ast::Expr::Tuple(parts) if !parts.is_empty() => {
                        let mut all = Vec::with_capacity(parts.len());
                        for part in parts {
                            all.push(self.noted_group(part, targets, scope)?);
                        }
                        all
                    }
                    item => vec![self.noted_group(item, targets, scope)?],
                };
                select.groups.extend(made);
            }
        }
        let has_sets = select.groups.iter().any(|g| !matches!(g, Group::Set(items) if items.len() == 1));
        if !has_sets {
            let mut known: Vec<Group> = Vec::new();
            for group in std::mem::take(&mut select.groups) {
                let same = |other: &Group| matches!((other, &group), (Group::Set(a), Group::Set(b)) if a == b);
                if !known.iter().any(same) {
                    known.push(group);
                }
            }
            select.groups = known;
        }
        for ast::NamedWindowDefinition(name, definition) in &written.named_window {
            let ast::NamedWindowExpr::WindowSpec(spec) = definition else { continue };
            let (partition, order, frame) = self.window_spec(spec, true, 0, scope)?;
            let window = self.noted_window(spec, partition, order, &frame);
            select.windows.push((ident(name), window));
        }
        let target = |t: &super::targets::Target| Target { name: t.name.clone(), expr: t.expr.clone(), junk: t.junk };
        select.targets = targets.iter().map(target).collect();
        if let Some(recorder) = &mut self.recorder {
            recorder.body = Some(Body::Select(Box::new(select)));
            recorder.tail = tail;
        }
        Ok(())
    }

    fn noted_group(
        &mut self,
        item: &ast::Expr,
        targets: &mut [super::targets::Target],
        scope: &Scope<'_>,
    ) -> Result<Group> {
        Ok(match plain(item) {
            ast::Expr::Rollup(sets) => Group::Rollup(self.noted_sets(sets, targets, scope)?),
            ast::Expr::Cube(sets) => Group::Cube(self.noted_sets(sets, targets, scope)?),
            ast::Expr::GroupingSets(sets) => {
                let mut flat = Vec::new();
                for set in self.noted_sets(sets, targets, scope)? {
                    match set {
                        // Sets of sets are sets.
                        Group::Sets(inner) => flat.extend(inner),
                        other => flat.push(other),
                    }
                }
                Group::Sets(flat)
            }
            ast::Expr::Tuple(parts) => Group::Set(self.noted_set(parts, targets, scope)?),
            item => Group::Set(self.noted_set(std::slice::from_ref(item), targets, scope)?),
        })
    }

    fn noted_sets(
        &mut self,
        sets: &[Vec<ast::Expr>],
        targets: &mut [super::targets::Target],
        scope: &Scope<'_>,
    ) -> Result<Vec<Group>> {
        let mut out = Vec::with_capacity(sets.len());
        for set in sets {
            out.push(match set.as_slice() {
                [one] => self.noted_group(one, targets, scope)?,
                many => Group::Set(self.noted_set(many, targets, scope)?),
            });
        }
        Ok(out)
    }

    fn noted_set(
        &mut self,
        items: &[ast::Expr],
        targets: &mut [super::targets::Target],
        scope: &Scope<'_>,
    ) -> Result<Vec<Expr>> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            out.push(match self.named_target(item, targets, Clause::GroupBy, scope)? {
                Some(index) => targets[index].expr.clone(),
                None => {
                    scope.set_clause(Clause::GroupBy);
                    let bound = self.expr(item, scope)?;
                    self.unknown_is_text(bound, 0)?
                }
            });
        }
        Ok(out)
    }

    /// FOR UPDATE and its like: one a table.
    pub(super) fn note_locks(&mut self, locks: &[RowLock], scope: &Scope<'_>) {
        let Some(recorder) = &mut self.recorder else { return };
        for lock in locks {
            let named = |entry: &&Entry| {
                let name = entry.item.name.as_deref();
                entry.relation_visible
                    && (lock.of.is_empty() || lock.of.iter().any(|of| Some(ident(of).as_str()) == name))
            };
            let mut items = Vec::new();
            for entry in scope.entries.iter().filter(named) {
                let column = entry.item.columns.iter().chain(&entry.item.system).find_map(|c| match c.expr {
                    Expr::Column(id, _) => recorder.columns.get(&id),
                    _ => None,
                });
                let Some(origin) = column else { continue };
                let source = recorder.items.get(origin.item).map(|item| &item.source);
                if matches!(source, Some(Source::Relation { .. } | Source::Query(_))) {
                    items.push(origin.item);
                }
            }
            let wait = match lock.wait {
                LockWait::Nowait => " NOWAIT",
                LockWait::SkipLocked => " SKIP LOCKED",
                _ => "",
            };
            recorder.tail.locks.push((super::select::lock_name(lock.strength), items, wait));
        }
    }

    /// VALUES: a select over its rows.
    pub(super) fn note_values(&mut self, written: Vec<Vec<Expr>>, bound: &[Vec<Expr>], columns: &[OutputColumn]) {
        let rows = written.into_iter().zip(bound).map(|(row, bound)| {
            row.into_iter().zip(bound).map(|(cell, bound)| self.as_written(Some(cell), bound)).collect()
        });
        let rows: Vec<Vec<Expr>> = rows.collect();
        let Some(recorder) = &mut self.recorder else { return };
        let index = recorder.items.len();
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        for (i, column) in columns.iter().enumerate() {
            recorder.columns.insert(column.id, Origin { item: index, column: Ok(i) });
        }
        recorder.items.push(ShapeItem {
            source: Source::Values(rows),
            name: Some("*VALUES*".to_string()),
            alias: None,
            renames: false,
            lateral: false,
            real: names.clone(),
            names,
        });
        let target = |column: &OutputColumn| Target { name: column.name.clone(), expr: column.expr(), junk: false };
        recorder.body = Some(Body::Select(Box::new(Select {
            targets: columns.iter().map(target).collect(),
            from: vec![From::Item(index)],
            ..Select::default()
        })));
    }

    pub(super) fn note_relation(&mut self, oid: Oid, schema: Oid, name: &str) {
        self.note_source(|| Source::Relation { oid, schema, name: name.to_string(), sample: None });
    }

    pub(super) fn note_sample(&mut self, index: usize, noted: Sample) {
        if let Some(recorder) = &mut self.recorder
            && let Source::Relation { sample, .. } = &mut recorder.items[index].source
        {
            *sample = Some(Box::new(noted));
        }
    }

    /// Function calls as the next item.
    pub(super) fn note_function(
        &mut self,
        calls: Vec<(Expr, Vec<(String, Type)>)>,
        ordinality: bool,
        before: &[Entry],
    ) {
        if !self.is_recording() {
            return;
        }
        let lateral = calls.iter().any(|(call, _)| self.refers_to(call, before));
        self.note_source(|| Source::Function { calls, ordinality });
        if let Some(recorder) = &mut self.recorder {
            recorder.lateral = lateral;
        }
    }

    /// A call of a function in SQL as the next item.
    pub(super) fn note_routine(
        &mut self,
        call: &super::routine::RoutineCall,
        definitions: Option<&[(String, Type)]>,
        before: &[Entry],
    ) {
        if self.is_recording() {
            let expr = call.noted(self, Type::RECORD);
            self.note_function(vec![(expr, definitions.unwrap_or_default().to_vec())], false, before);
        }
    }

    /// A join that merges no columns.
    pub(super) fn note_on(
        &mut self,
        kind: JoinKind,
        constraint: &ast::JoinConstraint,
        sides: Option<(From, From)>,
        on: &Expr,
        entries: (&[Entry], &[Entry]),
    ) -> Option<From> {
        let (left, right) = sides?;
        let visible = entries.0.iter().chain(entries.1).filter(|entry| entry.columns_visible);
        let columns = visible.flat_map(|entry| entry.item.columns.iter().cloned()).collect();
        let mut item = Item {
            name: None,
            schema: None,
            relation: None,
            columns,
            system: Vec::new(),
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        let own = self.note_join(&mut item, 0);
        let on = match constraint {
            ast::JoinConstraint::On(_) => On::Condition(on.clone()),
            _ => On::None,
        };
        Some(From::Join { item: own, kind, left: Box::new(left), right: Box::new(right), on })
    }

    /// The terms of a recursive query.
    pub(super) fn note_union(&mut self, all: bool, left: SetTree, right: SetTree) {
        if let Some(recorder) = &mut self.recorder {
            let tree = SetTree::Op { kind: SetOpKind::Union, all, left: Box::new(left), right: Box::new(right) };
            recorder.finished = Some(Query { body: Body::Set(tree), ..Query::default() });
        }
    }
}

fn plain(expr: &ast::Expr) -> &ast::Expr {
    let mut expr = expr;
    while let ast::Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}
