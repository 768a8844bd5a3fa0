//! EXPLAIN: the plan as a tree of the operators that run it, in PostgreSQL's form. With ANALYZE the statement is run and
//! the rows and times of the whole are added.

use std::collections::HashMap;
use std::time::Duration;

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::plan::{ColumnId, Expr, JoinKind, Modify, ModifyKind, Query, Rel, SetOpKind, SortKey};
use crate::sql::statement::Explain;
use crate::sql::{io, operators, types, user_types};

use super::context::Context;
use super::source::{Chosen, chosen_path};

/// Refuses what EXPLAIN cannot say yet. There are no shared buffers: BUFFERS has nothing to say, and PostgreSQL leaves
/// out what is zero.
pub(super) fn check_options(explain: &Explain) -> Result<()> {
    let refused = [
        (explain.generic_plan, "GENERIC_PLAN"),
        (explain.settings, "SETTINGS"),
        (explain.wal, "WAL"),
        (explain.memory, "MEMORY"),
        (explain.serialize.is_some(), "SERIALIZE"),
    ];
    match refused.iter().find(|(on, _)| *on) {
        Some((_, option)) => Err(Error::unsupported(format!("EXPLAIN option {option}"))),
        None => Ok(()),
    }
}

/// A plan as it is shown.
pub(super) struct Shown {
    /// Operators and their details, parents first.
    pub lines: Vec<Line>,
    /// Planning and execution time, in milliseconds.
    pub times: Option<(String, String)>,
}

/// An operator, or a detail of the last operator of this depth.
pub(super) struct Line {
    pub depth: usize,
    pub text: String,
    /// For an operator: what is expected of it, unless COSTS OFF.
    pub cost: Option<Cost>,
    /// A detail.
    pub is_detail: bool,
    /// What running it showed: milliseconds (unless TIMING OFF) and rows.
    pub actual: Option<(Option<String>, u64)>,
}

/// What is expected of an operator.
pub(super) struct Cost {
    pub total: f64,
    pub rows: u64,
    pub width: usize,
}

/// The plan, a line each operator and detail.
pub(super) fn plan_lines(context: &Context, query: &Query, explain: &Explain) -> Shown {
    let mut printer = Printer { context, names: HashMap::new(), costs: explain.costs, lines: Vec::new() };
    printer.name_columns(&query.plan);
    printer.rel(&query.plan, 0);
    Shown { lines: printer.lines, times: None }
}

/// Adds what running it showed.
pub(super) fn add_actual(shown: &mut Shown, explain: &Explain, rows: u64, took: Duration, planning: Duration) {
    let millis = |d: Duration| format!("{:.3}", d.as_secs_f64() * 1000.0);
    if let Some(first) = shown.lines.first_mut() {
        first.actual = Some(((explain.timing != Some(false)).then(|| millis(took)), rows));
    }
    if explain.summary != Some(false) {
        shown.times = Some((millis(planning), millis(took)));
    }
}

struct Printer<'a> {
    context: &'a Context,
    names: HashMap<ColumnId, String>,
    costs: bool,
    lines: Vec<Line>,
}

impl Printer<'_> {
    /// Gives every column the name or expression it stands for.
    fn name_columns(&mut self, rel: &Rel) {
        rel.for_each_input(|input| self.name_columns(input));
        match rel {
            Rel::Scan { table, columns, alias, .. } => {
                if let Some(table) = self.context.view.catalog.table(*table) {
                    for (id, number, _) in columns {
                        let name = table.column_by_number(*number).map_or("ctid", |c| c.name.as_str());
                        let _ = alias;
                        self.names.insert(*id, super::ddl::quote_ident(name));
                    }
                }
            }
            Rel::Project { exprs, .. } => {
                for (id, expr) in exprs {
                    let text = self.expr(expr);
                    self.names.insert(*id, text);
                }
            }
            Rel::Aggregate { groups, aggregates, .. } => {
                for (id, expr) in groups {
                    let text = self.expr(expr);
                    self.names.insert(*id, text);
                }
                for (id, call) in aggregates {
                    let args: Vec<String> = call.args.iter().map(|a| self.expr(a)).collect();
                    let args = if args.is_empty() { "*".to_string() } else { args.join(", ") };
                    let distinct = if call.distinct { "DISTINCT " } else { "" };
                    self.names.insert(*id, format!("({}({distinct}{args}))", call.function.name));
                }
            }
            Rel::Window { calls, .. } => {
                for (id, call) in calls {
                    self.names.insert(*id, format!("{}(...) OVER (...)", call.function.name));
                }
            }
            Rel::SetOp { left_columns, columns, .. } => {
                for ((id, _), left) in columns.iter().zip(left_columns) {
                    if let Some(name) = self.names.get(left).cloned() {
                        self.names.insert(*id, name);
                    }
                }
            }
            Rel::CteRef { columns, .. } => {
                for (id, inner, _) in columns {
                    if let Some(name) = self.names.get(inner).cloned() {
                        self.names.insert(*id, name);
                    }
                }
            }
            Rel::Function { calls, .. } | Rel::ProjectSet { calls, .. } => {
                for call in calls {
                    for (id, _) in &call.columns {
                        let text = self.expr(&call.call);
                        self.names.insert(*id, text);
                    }
                }
            }
            Rel::With { ctes, .. } => {
                for cte in ctes {
                    self.name_columns(&cte.plan);
                    if let Some((recursive, _, _)) = &cte.recursive {
                        self.name_columns(recursive);
                    }
                }
            }
            _ => {}
        }
    }

    fn node(&mut self, depth: usize, text: &str, rel: &Rel) {
        let cost = self.costs.then(|| {
            let rows = estimate(self.context, rel);
            Cost { total: rows as f64 * 0.01, rows, width: width(rel) }
        });
        self.lines.push(Line { depth, text: text.to_string(), cost, is_detail: false, actual: None });
    }

    fn detail(&mut self, depth: usize, text: String) {
        self.lines.push(Line { depth, text, cost: None, is_detail: true, actual: None });
    }

    fn rel(&mut self, rel: &Rel, depth: usize) {
        match rel {
            // What only renames or computes columns is no operator of its own.
            Rel::Project { input, .. } if !matches!(**input, Rel::OneRow) => self.rel(input, depth),
            Rel::Project { .. } | Rel::OneRow => self.node(depth, "Result", rel),
            Rel::Values { .. } => self.node(depth, "Values Scan on \"*VALUES*\"", rel),
            Rel::Scan { .. } => self.scan(rel, rel, &[], depth),
            Rel::Filter { input, predicate } => {
                let conditions = predicate.clone().into_conjuncts();
                if let Rel::Scan { .. } = &**input {
                    return self.scan(rel, input, &conditions, depth);
                }
                self.node(depth, "Filter", rel);
                let text = self.conjunction(&conditions);
                self.detail(depth, format!("Filter: {text}"));
                self.rel(input, depth + 1);
            }
            Rel::System { name, .. } => {
                let name = name.rsplit('.').next().unwrap_or(name);
                self.node(depth, &format!("Seq Scan on {name}"), rel);
            }
            Rel::Function { calls, input, .. } => {
                let name = calls.first().map_or("", |c| call_name(&c.call));
                if matches!(**input, Rel::OneRow) {
                    return self.node(depth, &format!("Function Scan on {name}"), rel);
                }
                self.node(depth, "Nested Loop", rel);
                self.rel(input, depth + 1);
                self.node(depth + 1, &format!("Function Scan on {name}"), rel);
            }
            Rel::ProjectSet { input, .. } => self.unary("ProjectSet", rel, input, depth),
            Rel::Join { kind, left, right, on, lateral } => self.join(rel, *kind, left, right, on, *lateral, depth),
            Rel::Aggregate { input, groups, sets, .. } => {
                let name = match (groups.is_empty(), sets) {
                    (true, None) => "Aggregate",
                    (_, Some(_)) => "MixedAggregate",
                    _ => "HashAggregate",
                };
                self.node(depth, name, rel);
                if !groups.is_empty() {
                    let keys: Vec<String> = groups.iter().map(|(_, e)| self.expr(e)).collect();
                    self.detail(depth, format!("Group Key: {}", keys.join(", ")));
                }
                self.rel(input, depth + 1);
            }
            Rel::Window { input, .. } => self.unary("WindowAgg", rel, input, depth),
            Rel::Sort { input, keys } => {
                self.node(depth, "Sort", rel);
                let text = self.sort_keys(keys);
                self.detail(depth, format!("Sort Key: {text}"));
                self.rel(input, depth + 1);
            }
            Rel::Limit { input, .. } => self.unary("Limit", rel, input, depth),
            Rel::Distinct { input } => self.unary("HashAggregate", rel, input, depth),
            Rel::DistinctOn { input, keys, .. } => {
                self.node(depth, "Unique", rel);
                self.node(depth + 1, "Sort", input);
                let text = self.sort_keys(keys);
                self.detail(depth + 1, format!("Sort Key: {text}"));
                self.rel(input, depth + 2);
            }
            Rel::SetOp { kind, all, left, right, .. } => {
                let suffix = if *all { " All" } else { "" };
                match kind {
                    SetOpKind::Union if *all => self.node(depth, "Append", rel),
                    SetOpKind::Union => self.node(depth, "HashAggregate", rel),
                    SetOpKind::Intersect => self.node(depth, &format!("HashSetOp Intersect{suffix}"), rel),
                    SetOpKind::Except => self.node(depth, &format!("HashSetOp Except{suffix}"), rel),
                }
                self.rel(left, depth + 1);
                self.rel(right, depth + 1);
            }
            Rel::With { ctes, body } => {
                self.rel(body, depth);
                for cte in ctes {
                    self.detail(depth, format!("CTE {}", cte.name));
                    match &cte.recursive {
                        None => self.rel(&cte.plan, depth + 1),
                        Some((recursive, _, _)) => {
                            self.node(depth + 1, "Recursive Union", &cte.plan);
                            self.rel(&cte.plan, depth + 2);
                            self.rel(recursive, depth + 2);
                        }
                    }
                }
            }
            Rel::CteRef { cte, .. } => self.node(depth, &format!("CTE Scan on cte {cte}"), rel),
            Rel::Modify(modify) => self.modify(rel, modify, depth),
        }
    }

    fn unary(&mut self, name: &str, rel: &Rel, input: &Rel, depth: usize) {
        self.node(depth, name, rel);
        self.rel(input, depth + 1);
    }

    fn modify(&mut self, rel: &Rel, modify: &Modify, depth: usize) {
        let table = self.context.view.catalog.table(modify.table).map_or("", |t| t.name.as_str());
        let verb = match &modify.kind {
            ModifyKind::Insert { .. } => "Insert",
            ModifyKind::Update { .. } => "Update",
            ModifyKind::Delete { .. } => "Delete",
            ModifyKind::Merge { .. } => "Merge",
        };
        let alias = target_alias(modify).filter(|alias| *alias != table);
        let alias = alias.map(|alias| format!(" {}", super::ddl::quote_ident(alias))).unwrap_or_default();
        self.node(depth, &format!("{verb} on {table}{alias}"), rel);
        for name in self.changed_members(modify) {
            self.detail(depth, format!("{verb} on {name}"));
        }
        if let ModifyKind::Insert { on_conflict: Some(conflict), .. } = &modify.kind {
            let what = if conflict.update.is_some() { "UPDATE" } else { "NOTHING" };
            self.detail(depth, format!("Conflict Resolution: {what}"));
        }
        self.rel(modify.kind.source(), depth + 1);
    }

    /// The tables of a tree that a statement without joins changes, as its scan names them.
    fn changed_members(&self, modify: &Modify) -> Vec<String> {
        let (mut rel, mut conditions) = (modify.kind.source(), Vec::new());
        loop {
            match rel {
                Rel::Project { input, .. } => rel = input,
                Rel::Filter { input, predicate } => {
                    conditions.extend(predicate.clone().into_conjuncts());
                    rel = input;
                }
                _ => break,
            }
        }
        let Rel::Scan { table, columns, alias, tree: true } = rel else { return Vec::new() };
        let members = super::tree::members(self.context, *table, columns, &conditions).unwrap_or_default();
        let name = |oid: &crate::document::Oid| {
            let name = self.context.view.catalog.table(*oid).map_or("", |t| t.name.as_str());
            super::ddl::quote_ident(name)
        };
        match members.as_slice() {
            [] => Vec::new(),
            [(one, _)] => vec![format!("{} {}", name(one), super::ddl::quote_ident(alias))],
            many => many.iter().zip(1..).map(|((oid, _), at)| format!("{} {alias}_{at}", name(oid))).collect(),
        }
    }

    fn scan(&mut self, whole: &Rel, scan: &Rel, conditions: &[Expr], depth: usize) {
        let Rel::Scan { table, columns, alias, tree } = scan else { return };
        if !tree {
            return self.scan_one(whole, *table, columns, alias, conditions, depth);
        }
        let members = super::tree::members(self.context, *table, columns, conditions).unwrap_or_default();
        match members.as_slice() {
            [] => {
                self.node(depth, "Result", whole);
                self.detail(depth, "One-Time Filter: false".to_string());
            }
            [(table, columns)] => self.scan_one(whole, *table, columns, alias, conditions, depth),
            members => {
                self.node(depth, "Append", whole);
                for (at, (table, columns)) in members.iter().enumerate() {
                    let alias = format!("{alias}_{}", at + 1);
                    self.scan_one(whole, *table, columns, &alias, conditions, depth + 1);
                }
            }
        }
    }

    fn scan_one(
        &mut self,
        whole: &Rel,
        table: crate::document::Oid,
        columns: &[(ColumnId, i16, Type)],
        alias: &str,
        conditions: &[Expr],
        depth: usize,
    ) {
        let Some(found) = self.context.view.catalog.table(table) else { return };
        let path = chosen_path(self.context, found, columns, conditions);
        let name = super::ddl::quote_ident(&found.name);
        let on = if alias == found.name { name } else { format!("{name} {}", super::ddl::quote_ident(alias)) };
        let used = path.as_ref().map_or(&[][..], Chosen::used);
        let (used, rest): (Vec<usize>, Vec<usize>) = (0..conditions.len()).partition(|i| used.contains(i));
        let label = match &path {
            None => {
                self.node(depth, &format!("Seq Scan on {on}"), whole);
                "Index Cond"
            }
            Some(Chosen::Ordered(path)) => {
                self.node(depth, &format!("Index Scan using {} on {on}", path.name), whole);
                "Index Cond"
            }
            Some(Chosen::Inverted(_)) => {
                self.node(depth, &format!("Bitmap Heap Scan on {on}"), whole);
                "Recheck Cond"
            }
        };
        self.conditions(label, conditions, &used, depth);
        self.conditions("Filter", conditions, &rest, depth);
        if let Some(Chosen::Inverted(path)) = &path {
            self.node(depth + 1, &format!("Bitmap Index Scan on {}", path.name), whole);
            self.conditions("Index Cond", conditions, &used, depth + 1);
        }
    }

    fn conditions(&mut self, label: &str, conditions: &[Expr], positions: &[usize], depth: usize) {
        if !positions.is_empty() {
            let chosen: Vec<Expr> = positions.iter().map(|i| conditions[*i].clone()).collect();
            let text = self.conjunction(&chosen);
            self.detail(depth, format!("{label}: {text}"));
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn join(&mut self, rel: &Rel, kind: JoinKind, left: &Rel, right: &Rel, on: &Expr, lateral: bool, depth: usize) {
        let conditions = on.clone().into_conjuncts();
        let left_columns = left.column_ids();
        let right_columns = right.column_ids();
        let is_equality = |e: &Expr| match e {
            Expr::Call { function, args, .. } if args.len() == 2 => {
                let (a, b) = (args[0].free_columns(), args[1].free_columns());
                let sides = |x: &std::collections::BTreeSet<ColumnId>, y: &std::collections::BTreeSet<ColumnId>| {
                    !x.is_empty() && !y.is_empty() && x.is_subset(&left_columns) && y.is_subset(&right_columns)
                };
                operators::comparison(function.oid).is_some_and(|c| c.name == "=") && (sides(&a, &b) || sides(&b, &a))
            }
            _ => false,
        };
        let (hash, rest): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(is_equality);
        let word = match kind {
            JoinKind::Inner => "",
            JoinKind::Left => " Left",
            JoinKind::Right => " Right",
            JoinKind::Full => " Full",
        };
        if hash.is_empty() || lateral {
            let name = if word.is_empty() { "Nested Loop".to_string() } else { format!("Nested Loop{word} Join") };
            self.node(depth, &name, rel);
        } else {
            self.node(depth, &format!("Hash{word} Join"), rel);
            let text = self.conjunction(&hash);
            self.detail(depth, format!("Hash Cond: {text}"));
        }
        let rest: Vec<Expr> = rest.into_iter().filter(|e| !e.is_true()).collect();
        if !rest.is_empty() {
            let text = self.conjunction(&rest);
            self.detail(depth, format!("Join Filter: {text}"));
        }
        self.rel(left, depth + 1);
        if hash.is_empty() || lateral {
            self.rel(right, depth + 1);
        } else {
            self.node(depth + 1, "Hash", right);
            self.rel(right, depth + 2);
        }
    }

    fn sort_keys(&self, keys: &[SortKey]) -> String {
        let one = |key: &SortKey| {
            let mut text = self.expr(&key.expr);
            if key.descending {
                text.push_str(" DESC");
            }
            if key.nulls_first != key.descending {
                text.push_str(if key.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
            }
            text
        };
        keys.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn conjunction(&self, conditions: &[Expr]) -> String {
        match conditions {
            [one] => self.expr(one),
            many => format!("({})", many.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(" AND ")),
        }
    }

    fn list(&self, exprs: &[Expr]) -> String {
        exprs.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(", ")
    }

    fn type_name(&self, typ: Type) -> String {
        user_types::format(&self.context.eval, typ.oid, Some(typ.typmod).filter(|typmod| *typmod >= 0))
    }

    fn expr(&self, expr: &Expr) -> String {
        match expr {
            Expr::Const(Datum::Null, typ) => format!("NULL::{}", self.type_name(*typ)),
            Expr::Const(value, typ) => {
                let mut text = String::new();
                let plain = EvalContext { format: Default::default(), ..self.context.eval.clone() };
                io::output(value, *typ, &plain, &mut text);
                match (value, Type::new(typ.oid)) {
                    (Datum::Bool(v), _) => v.to_string(),
                    (_, Type::INT4) => text,
                    _ => format!("'{}'::{}", text.replace('\'', "''"), self.type_name(*typ)),
                }
            }
            Expr::Param(i, _) => format!("${}", i + 1),
            Expr::Column(id, _) => self.names.get(id).cloned().unwrap_or_else(|| format!("column {id}")),
            Expr::Call { function, args, .. } => {
                let operator = operators::all().iter().find(|o| o.function.oid == function.oid);
                match (operator, args.as_slice()) {
                    (Some(op), [left, right]) => format!("({} {} {})", self.expr(left), op.name, self.expr(right)),
                    (Some(op), [operand]) => format!("({} {})", op.name, self.expr(operand)),
                    _ => format!("{}({})", function.name, self.list(args)),
                }
            }
            Expr::Cast { input, typ, .. } => format!("({})::{}", self.expr(input), self.type_name(*typ)),
            Expr::And(items) => self.joined(items, " AND "),
            Expr::Or(items) => self.joined(items, " OR "),
            Expr::Not(input) => format!("(NOT {})", self.expr(input)),
            Expr::IsNull(input, negated) => {
                format!("({} IS {}NULL)", self.expr(input), if *negated { "NOT " } else { "" })
            }
            Expr::InList { left, list, negated, .. } => {
                let op = if *negated { "<> ALL" } else { "= ANY" };
                format!("({} {op} (ARRAY[{}]))", self.expr(left), self.list(list))
            }
            Expr::Coalesce(items, _) => format!("COALESCE({})", self.list(items)),
            Expr::Subquery(_) => "(SubPlan)".to_string(),
            other => other.to_string(),
        }
    }

    fn joined(&self, items: &[Expr], word: &str) -> String {
        format!("({})", items.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(word))
    }
}

fn call_name(expr: &Expr) -> &str {
    match expr {
        Expr::Call { function, .. } => function.name,
        _ => "function",
    }
}

/// About how many rows come out.
fn estimate(context: &Context, rel: &Rel) -> u64 {
    match rel {
        Rel::Scan { table, .. } => {
            let storage = context.view.catalog.table(*table).map_or(0, |t| t.storage);
            context.view.snapshot.approximate_rows(storage).max(1)
        }
        Rel::Filter { input, .. } => (estimate(context, input) / 10).max(1),
        Rel::Join { left, right, .. } => estimate(context, left).max(estimate(context, right)),
        Rel::Aggregate { groups, .. } if groups.is_empty() => 1,
        Rel::Aggregate { input, .. } | Rel::Distinct { input } | Rel::DistinctOn { input, .. } => {
            (estimate(context, input) / 10).max(1)
        }
        Rel::Project { input, .. } | Rel::Sort { input, .. } | Rel::Window { input, .. } => estimate(context, input),
        Rel::ProjectSet { input, .. } => estimate(context, input) * 10,
        Rel::Limit { input, limit, .. } => {
            let rows = estimate(context, input);
            match limit {
                Some(Expr::Const(Datum::Int8(n), _)) => rows.min((*n).max(0) as u64),
                _ => rows,
            }
        }
        Rel::SetOp { left, right, .. } => estimate(context, left) + estimate(context, right),
        Rel::Values { rows, .. } => rows.len() as u64,
        Rel::System { .. } | Rel::Function { .. } | Rel::CteRef { .. } => 100,
        Rel::With { body, .. } => estimate(context, body),
        Rel::OneRow | Rel::Modify(_) => 1,
    }
}

/// About how many bytes a row has.
fn width(rel: &Rel) -> usize {
    let bytes = |typ: Type| match types::by_oid(typ.oid) {
        Some(info) if info.len > 0 => info.len as usize,
        _ => 32,
    };
    rel.columns().iter().map(|(_, typ)| bytes(*typ)).sum()
}

/// The name that a statement gives to the table it changes.
fn target_alias(modify: &Modify) -> Option<&str> {
    let mut found = None;
    modify.kind.source().walk(&mut |rel| {
        if let Rel::Scan { table, columns, alias, .. } = rel
            && *table == modify.table
            && columns.iter().any(|(_, number, _)| *number == 0)
        {
            found = Some(alias.as_str());
        }
    });
    found
}
