//! Queries: WITH, SELECT, set operations and what follows them.

use crate::sql::function::Body as FunctionBody;
use crate::sql::io::reg::quote_identifier;
use crate::sql::operators;
use crate::sql::plan::{Expr, FrameBound, FrameExclude, FrameUnits, SetOpKind, SortKey};
use crate::sql::shape::{Body, Call, Group, Query, Select, SetTree, Source, Window, form};

use super::constant::Label;
use super::{Columns, INDENT, INDENT_VAR, Writer, cast_input, explicit, names};

/// Where a query stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// The names that its columns must have.
    pub(super) result: Option<&'p [String]>,
    /// The names of its columns are seen.
    pub(super) visible: bool,
    /// It is no part of another.
    pub(super) top: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn query(&mut self, query: &Query, place: Place<'_>) -> Option<()> {
        crate::sql::plan::visit::guard(|| self.query_at(query, place))
    }

    fn query_at(&mut self, query: &Query, place: Place<'_>) -> Option<()> {
        let (indent, prefix) = (self.indent, self.prefix);
        let (targets, in_order_by) = (std::mem::take(&mut self.targets), std::mem::take(&mut self.in_order_by));
        let ctes = self.names.ctes.len();
        let from = match &query.body {
            Body::Select(select) => select.from.as_slice(),
            Body::Set(_) => &[],
        };
        self.enter(from)?;
        self.prefix = !place.top || matches!(query.body, Body::Set(_)) || names::items_of(from).len() != 1;
        self.names.ctes.extend(query.ctes.iter().map(|cte| cte.name.clone()));
        self.with(query)?;
        match &query.body {
            Body::Select(select) => {
                self.targets = select
                    .targets
                    .iter()
                    .filter(|target| !target.junk)
                    .enumerate()
                    .map(|(i, target)| (self.result_name(place, i, &target.name), target.expr.clone()))
                    .collect();
                self.select(select, place)?;
            }
            Body::Set(tree) => self.set(tree, place)?,
        }
        self.tail(query)?;
        self.names.ctes.truncate(ctes);
        self.names.leave();
        (self.indent, self.prefix, self.targets, self.in_order_by) = (indent, prefix, targets, in_order_by);
        Some(())
    }

    fn result_name(&self, place: Place<'_>, index: usize, name: &str) -> String {
        place.result.and_then(|names| names.get(index)).map_or(name, String::as_str).to_string()
    }

    fn with(&mut self, query: &Query) -> Option<()> {
        if query.ctes.is_empty() {
            return Some(());
        }
        if self.lines {
            self.indent += INDENT;
            self.push(" ");
        }
        for (i, cte) in query.ctes.iter().enumerate() {
            self.push(match (i, query.recursive) {
                (0, true) => "WITH RECURSIVE ",
                (0, false) => "WITH ",
                _ => ", ",
            });
            self.push(&quote_identifier(&cte.name));
            if !cte.columns.is_empty() {
                let columns = quoted_list(&cte.columns);
                self.push(&format!("({columns})"));
            }
            self.push(" AS ");
            match cte.materialized {
                Some(true) => self.push("MATERIALIZED "),
                Some(false) => self.push("NOT MATERIALIZED "),
                None => {}
            }
            self.push("(");
            self.keyword("", 0, 0, 0);
            self.query(&cte.query, Place { result: None, visible: true, top: false })?;
            self.keyword("", 0, 0, 0);
            self.push(")");
            if let Some((depth, by, column)) = &cte.search {
                let order = if *depth { "DEPTH" } else { "BREADTH" };
                let column = quote_identifier(column);
                self.push(&format!(" SEARCH {order} FIRST BY {} SET {column}", quoted_list(by)));
            }
            if let Some(cycle) = &cte.cycle {
                self.push(&format!(" CYCLE {} SET {}", quoted_list(&cycle.by), quote_identifier(&cycle.mark)));
                if let Some((value, default)) = &cycle.values {
                    self.push(" TO ");
                    self.expr(value, false)?;
                    self.push(" DEFAULT ");
                    self.expr(default, false)?;
                }
                self.push(&format!(" USING {}", quote_identifier(&cycle.path)));
            }
        }
        if self.lines {
            self.indent -= INDENT;
        }
        self.keyword(if self.lines { "" } else { " " }, 0, 0, 0);
        Some(())
    }

    /// ORDER BY, LIMIT and what follows them.
    fn tail(&mut self, query: &Query) -> Option<()> {
        if !query.order.is_empty() {
            self.keyword(" ORDER BY ", -INDENT, INDENT, 1);
            self.separated(&query.order, |w, (target, descending, nulls_first)| {
                match &query.body {
                    Body::Set(_) => w.push(&(target + 1).to_string()),
                    Body::Select(select) => w.sort_item(&select.targets.get(*target)?.expr)?,
                }
                w.direction(*descending, *nulls_first);
                Some(())
            })?;
        }
        if let Some(offset) = &query.offset {
            self.keyword(" OFFSET ", -INDENT, INDENT, 0);
            self.expr(offset, false)?;
        }
        if let Some(limit) = &query.limit {
            if query.ties {
                self.keyword(" FETCH FIRST ", -INDENT, INDENT, 0);
                self.push("(");
                self.expr(limit, false)?;
                self.push(") ROWS WITH TIES");
            } else {
                self.keyword(" LIMIT ", -INDENT, INDENT, 0);
                match limit {
                    Expr::Const(crate::document::Datum::Null, _) => self.push("ALL"),
                    limit => self.expr(limit, false)?,
                }
            }
        }
        for (words, items, wait) in &query.locks {
            for item in items {
                self.keyword(&format!(" {words}"), -INDENT, INDENT, 0);
                let name = self.names.item(*item)?.to_string();
                self.push(&format!(" OF {}{wait}", quote_identifier(&name)));
            }
        }
        Some(())
    }

    /// The expression of RETURN.
    pub(super) fn returned(&mut self, query: &Query) -> Option<()> {
        let Body::Select(select) = &query.body else { return None };
        self.prefix = true;
        self.enter(&select.from)?;
        self.expr(&select.targets.first()?.expr, true)
    }

    fn select(&mut self, select: &Select, place: Place<'_>) -> Option<()> {
        if self.lines {
            self.indent += INDENT;
            self.push(" ");
        }
        if let Some(rows) = self.simple_values(select, place) {
            return self.values(rows);
        }
        self.push("SELECT");
        match &select.distinct {
            None => {}
            Some(on) if on.is_empty() => self.push(" DISTINCT"),
            Some(on) => {
                self.push(" DISTINCT ON (");
                self.separated(on, |w, target| w.sort_item(&select.targets.get(*target)?.expr))?;
                self.push(")");
            }
        }
        self.target_list(select, place)?;
        self.from(&select.from)?;
        if let Some(filter) = &select.filter {
            self.keyword(" WHERE ", -INDENT, INDENT, 1);
            self.expr(filter, false)?;
        }
        self.group_by(select)?;
        if let Some(having) = &select.having {
            self.keyword(" HAVING ", -INDENT, INDENT, 0);
            self.expr(having, false)?;
        }
        for (i, (name, window)) in select.windows.iter().enumerate() {
            match i {
                0 => self.keyword(" WINDOW ", -INDENT, INDENT, 1),
                _ => self.push(", "),
            }
            self.push(&format!("{} AS ", quote_identifier(name)));
            self.window(window)?;
        }
        Some(())
    }

    /// The rows of a select that is nothing but VALUES.
    fn simple_values(&self, select: &Select, place: Place<'_>) -> Option<&'a [Vec<Expr>]> {
        let Columns::Shape(shape) = self.columns else { return None };
        let [crate::sql::shape::From::Item(index)] = select.from.as_slice() else { return None };
        let item = shape.items.get(*index)?;
        let Source::Values(rows) = &item.source else { return None };
        let mut names = select.targets.iter().filter(|target| !target.junk).enumerate();
        let same = names.all(|(i, t)| item.names.get(i) == Some(&self.result_name(place, i, &t.name)));
        same.then_some(rows.as_slice())
    }

    fn target_list(&mut self, select: &Select, place: Place<'_>) -> Option<()> {
        let shape = self.shape()?;
        let mut was_long = false;
        let count = place.result.map_or(usize::MAX, <[String]>::len);
        for (i, target) in select.targets.iter().filter(|target| !target.junk).take(count).enumerate() {
            self.push(if i == 0 { " " } else { ", " });
            let wanted = self.result_name(place, i, &target.name);
            let text = self.aside(|w| {
                let own = match &target.expr {
                    Expr::Column(id, _) if !shape.calls.contains_key(id) => {
                        w.variable(*id)?;
                        w.variable_name(*id)
                    }
                    expr => match form::get(&form::WHOLE_ROW, expr) {
                        Some(_) => {
                            w.top_level(expr, true)?;
                            None
                        }
                        None => {
                            w.expr(expr, true)?;
                            (!place.visible).then(|| "?column?".to_string())
                        }
                    },
                };
                if own.as_ref() != Some(&wanted) {
                    w.push(&format!(" AS {}", quote_identifier(&wanted)));
                }
                Some(())
            })?;
            if self.layout.wrap >= 0 {
                if text.starts_with('\n') {
                    while self.out.ends_with(' ') {
                        self.out.pop();
                    }
                } else if i > 0 && (was_long || self.overflows(text.len())) {
                    self.keyword("", -INDENT, INDENT, INDENT_VAR);
                }
                was_long = text.get(1..).is_some_and(|rest| rest.contains('\n'))
                    || (text.starts_with('\n') && text[1..].contains('\n'));
            }
            self.push(&text);
        }
        Some(())
    }

    fn group_by(&mut self, select: &Select) -> Option<()> {
        if select.groups.is_empty() {
            return Some(());
        }
        self.keyword(" GROUP BY ", -INDENT, INDENT, 1);
        if select.group_distinct {
            self.push("DISTINCT ");
        }
        // Names of targets mean nothing here.
        let targets = std::mem::take(&mut self.targets);
        self.separated(&select.groups, |w, group| w.group(group, true))?;
        self.targets = targets;
        Some(())
    }

    fn group(&mut self, group: &Group, bare: bool) -> Option<()> {
        let (words, parts, bare_parts) = match group {
            Group::Set(items) => {
                let enclosed = !bare || items.len() != 1;
                if enclosed {
                    self.push("(");
                }
                self.separated(items, |w, item| w.sort_item(item))?;
                if enclosed {
                    self.push(")");
                }
                return Some(());
            }
            Group::Rollup(parts) => ("ROLLUP(", parts, true),
            Group::Cube(parts) => ("CUBE(", parts, true),
            Group::Sets(parts) => ("GROUPING SETS (", parts, false),
        };
        self.push(words);
        self.separated(parts, |w, part| w.group(part, bare_parts))?;
        self.push(")");
        Some(())
    }

    /// An expression of ORDER BY, GROUP BY and their like, so that it is not taken for a target or its number.
    pub(super) fn sort_item(&mut self, expr: &Expr) -> Option<()> {
        if let Expr::Const(value, typ) = expr {
            self.constant(value, *typ, Label::Always);
            return Some(());
        }
        let call = match expr {
            Expr::Column(id, _) => {
                let Some(call) = self.shape()?.calls.get(id) else {
                    let before = std::mem::replace(&mut self.in_order_by, true);
                    let done = self.variable(*id);
                    self.in_order_by = before;
                    return done;
                };
                !matches!(call, Call::Grouping(_))
            }
            expr => is_function(explicit(expr).unwrap_or(expr)),
        };
        if let Some([row]) = form::get(&form::WHOLE_ROW, expr) {
            return self.whole_row(row, expr.typ(), false);
        }
        let enclosed = self.layout.pretty || call;
        if enclosed {
            self.push("(");
        }
        self.expr(expr, true)?;
        if enclosed {
            self.push(")");
        }
        Some(())
    }

    fn direction(&mut self, descending: bool, nulls_first: bool) {
        self.push(match (descending, nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        });
    }

    pub(super) fn sort_keys(&mut self, keys: &[SortKey]) -> Option<()> {
        self.separated(keys, |w, key| {
            w.sort_item(&key.expr)?;
            w.direction(key.descending, key.nulls_first);
            Some(())
        })
    }

    pub(super) fn window(&mut self, window: &Window) -> Option<()> {
        let mut parts = Vec::new();
        parts.extend(window.base.as_ref().map(|base| quote_identifier(base)));
        if !window.partition.is_empty() {
            parts.push(self.aside(|w| {
                w.push("PARTITION BY ");
                w.separated(&window.partition, |w, item| w.sort_item(item))
            })?);
        }
        if !window.order.is_empty() {
            parts.push(self.aside(|w| {
                w.push("ORDER BY ");
                w.sort_keys(&window.order)
            })?);
        }
        if let Some((frame, between)) = &window.frame {
            parts.push(self.aside(|w| {
                w.push(match frame.units {
                    FrameUnits::Rows => "ROWS ",
                    FrameUnits::Range => "RANGE ",
                    FrameUnits::Groups => "GROUPS ",
                });
                if *between {
                    w.push("BETWEEN ");
                }
                w.bound(&frame.start)?;
                if *between {
                    w.push(" AND ");
                    w.bound(&frame.end)?;
                }
                w.push(match frame.exclude {
                    FrameExclude::NoOthers => "",
                    FrameExclude::CurrentRow => " EXCLUDE CURRENT ROW",
                    FrameExclude::Group => " EXCLUDE GROUP",
                    FrameExclude::Ties => " EXCLUDE TIES",
                });
                Some(())
            })?);
        }
        let text = parts.join(" ");
        self.push(&format!("({text})"));
        Some(())
    }

    fn bound(&mut self, bound: &FrameBound) -> Option<()> {
        match bound {
            FrameBound::UnboundedPreceding => self.push("UNBOUNDED PRECEDING"),
            FrameBound::UnboundedFollowing => self.push("UNBOUNDED FOLLOWING"),
            FrameBound::CurrentRow => self.push("CURRENT ROW"),
            FrameBound::Preceding(offset) => {
                self.expr(offset, false)?;
                self.push(" PRECEDING");
            }
            FrameBound::Following(offset) => {
                self.expr(offset, false)?;
                self.push(" FOLLOWING");
            }
        }
        Some(())
    }

    fn set(&mut self, tree: &SetTree, place: Place<'_>) -> Option<()> {
        let (kind, all, left, right) = match tree {
            SetTree::Leaf(query) => {
                let enclosed = !query.ctes.is_empty()
                    || !query.order.is_empty()
                    || !query.locks.is_empty()
                    || query.offset.is_some()
                    || query.limit.is_some()
                    || matches!(query.body, Body::Set(_));
                if enclosed {
                    self.push("(");
                }
                self.query(query, Place { top: false, ..place })?;
                if enclosed {
                    self.push(")");
                }
                return Some(());
            }
            SetTree::Op { kind, all, left, right } => (*kind, *all, left, right),
        };
        let enclosed = match &**left {
            SetTree::Op { kind: inner, all: inner_all, .. } => *inner != kind || *inner_all != all,
            SetTree::Leaf(_) => false,
        };
        let indent = if enclosed { INDENT } else { 0 };
        if enclosed {
            self.push("(");
            self.keyword("", indent, 0, 0);
        }
        self.set(left, place)?;
        self.keyword(
            if enclosed {
                ") "
            } else if self.lines {
                ""
            } else {
                " "
            },
            -indent,
            0,
            0,
        );
        self.push(match kind {
            SetOpKind::Union => "UNION ",
            SetOpKind::Intersect => "INTERSECT ",
            SetOpKind::Except => "EXCEPT ",
        });
        if all {
            self.push("ALL ");
        }
        let enclosed = matches!(&**right, SetTree::Op { .. });
        let indent = if enclosed { INDENT } else { 0 };
        if enclosed {
            self.push("(");
        }
        self.keyword("", indent, 0, 0);
        self.set(right, Place { visible: false, ..place })?;
        self.indent -= indent;
        if enclosed {
            self.keyword(")", 0, 0, 0);
        }
        Some(())
    }
}

/// Whether an expression is a call to PostgreSQL, be it written as one or as a cast.
fn is_function(expr: &Expr) -> bool {
    let none = |function: u32, arity| operators::all().iter().all(|o| o.function.oid != function) || arity == 0;
    match expr {
        Expr::Call { function, .. } if function.oid == form::PLAIN.oid || function.oid == form::SYNTAX.oid => true,
        Expr::Call { function, .. } if function.oid == form::ROUTINE.oid => true,
        Expr::Call { function, args, .. } => {
            !function.name.starts_with('\0')
                && matches!(function.body, FunctionBody::Scalar(_) | FunctionBody::Host | FunctionBody::Set(_))
                && (cast_input(expr).is_some() || none(function.oid, args.len()))
        }
        Expr::Cast { kind: crate::sql::plan::CastKind::TypmodExplicit, .. } => true,
        _ => false,
    }
}

fn quoted_list(names: &[String]) -> String {
    names.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ")
}
