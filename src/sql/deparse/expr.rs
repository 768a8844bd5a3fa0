//! Expressions.

use crate::document::{Datum, Type};
use crate::sql::function::Function;
use crate::sql::io::reg::quote_identifier;
use crate::sql::operators;
use crate::sql::plan::visit::guard;
use crate::sql::plan::{CastKind, Expr, Subquery, SubqueryKind, Subscript};
use crate::sql::shape::{Call, form};
use crate::sql::user_types;

use super::constant::Label;
use super::{Columns, INDENT_VAR, Writer, cast_input, explicit, is_cast};

/// What an expression stands in, as far as parentheses depend on it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Parent {
    /// An operator: its symbol (of a binary one), and whether this is its first operand.
    Operator(Option<&'static str>, bool),
    And,
    Or,
    Not,
    Cast,
    /// IS NULL and the like.
    Test,
}

/// The operator behind a function: its symbol.
pub(super) fn symbol(function: u32, arity: usize) -> Option<&'static str> {
    let found = operators::all().iter().find(|o| o.function.oid == function)?;
    (arity == if found.left.is_some() { 2 } else { 1 }).then_some(found.name)
}

impl Writer<'_> {
    /// An expression; where conversions are not `implicit`ly shown, only those that were written are.
    pub(super) fn expr(&mut self, expr: &Expr, implicit: bool) -> Option<()> {
        // Otherwise nothing says which were written.
        let implicit = implicit || !self.noted;
        guard(|| self.write(expr, implicit))
    }

    pub(super) fn list(&mut self, items: &[Expr]) -> Option<()> {
        self.separated(items, |writer, item| writer.expr(item, true))
    }

    /// An operator's own text: in parentheses unless pretty.
    pub(super) fn own(&mut self, write: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if self.layout.pretty {
            return write(self);
        }
        self.push("(");
        write(self)?;
        self.push(")");
        Some(())
    }

    /// An expression inside another: pretty ones get the parentheses that they need here.
    pub(super) fn inside(&mut self, expr: &Expr, parent: Parent, implicit: bool) -> Option<()> {
        let enclosed = self.layout.pretty && !self.is_simple(expr, parent);
        if enclosed {
            self.push("(");
        }
        self.expr(expr, implicit)?;
        if enclosed {
            self.push(")");
        }
        Some(())
    }

    fn binary(&mut self, left: &Expr, symbol: &'static str, right: &Expr) -> Option<()> {
        self.own(|w| {
            w.inside(left, Parent::Operator(Some(symbol), true), true)?;
            w.push(&format!(" {symbol} "));
            w.inside(right, Parent::Operator(Some(symbol), false), true)
        })
    }

    fn joined(&mut self, items: &[Expr], word: &str, parent: Parent) -> Option<()> {
        self.own(|w| {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    w.push(word);
                }
                w.inside(item, parent, false)?;
            }
            Some(())
        })
    }

    pub(super) fn cast(&mut self, input: &Expr, typ: Type) -> Option<()> {
        match input {
            // A constant of the type says its type by the cast.
            Expr::Const(value, from)
                if from.oid == typ.oid && from.typmod < 0 && (self.noted || !matches!(value, Datum::Null)) =>
            {
                match (value, self.noted) {
                    (Datum::Int4(_) | Datum::Numeric(_) | Datum::Bool(_), false) => {
                        let text = super::constant::quoted(&self.text(value, *from));
                        self.push(&text);
                    }
                    _ => self.constant(value, *from, Label::Never),
                }
            }
            input if self.layout.pretty => self.inside(input, Parent::Cast, false)?,
            input => {
                self.push("(");
                self.expr(input, false)?;
                self.push(")");
            }
        }
        let name = self.type_name(typ);
        self.push("::");
        self.push(&name);
        Some(())
    }

    /// A cast with a length over one that is not shown: each has its parentheses.
    fn hidden_cast(&mut self, input: &Expr, typ: Type) -> Option<()> {
        if !self.layout.pretty || !self.noted || self.is_simple(input, Parent::Cast) {
            return self.cast(input, typ);
        }
        self.push("(");
        self.inside(input, Parent::Cast, false)?;
        let name = self.type_name(typ);
        self.push(&format!(")::{name}"));
        Some(())
    }

    /// A cast that is shown.
    pub(super) fn shown_cast(&mut self, expr: &Expr) -> Option<()> {
        if let Some((function, args)) = cast_input(expr).and_then(super::json::returned)
            && self.noted
        {
            return self.json_function(function, args, expr.typ())?;
        }
        match expr {
            Expr::Cast { input, typ, kind } => match (&**input, kind) {
                // The length belongs to the cast below.
                (
                    Expr::Cast { input: inner, typ: same, kind: CastKind::Relabel | CastKind::InOut },
                    CastKind::TypmodExplicit,
                ) if same.oid == typ.oid => self.hidden_cast(inner, *typ),
                (Expr::Call { function, args, typ: same }, CastKind::TypmodExplicit)
                    if same.oid == typ.oid && args.len() == 1 && is_cast(function.oid, args[0].typ(), *same) =>
                {
                    self.cast(&args[0], *typ)
                }
                (input, CastKind::TypmodAssign) => self.expr(input, true),
                (input, CastKind::Domain(domain)) => self.cast(input, Type::new(*domain)),
                (input, _) => self.cast(input, *typ),
            },
            other => match cast_input(other) {
                Some(input) => self.cast(input, other.typ()),
                None => self.expr(other, true),
            },
        }
    }

    fn write(&mut self, expr: &Expr, implicit: bool) -> Option<()> {
        if let Some(cast) = explicit(expr) {
            return self.shown_cast(cast);
        }
        if let Some(input) = cast_input(expr) {
            return if implicit { self.shown_cast(expr) } else { self.inside(input, Parent::Cast, false) };
        }
        match expr {
            Expr::Const(value, typ) => {
                self.constant(value, *typ, Label::WhereNeeded);
                Some(())
            }
            Expr::Column(id, _) => match self.columns {
                Columns::Named(name) => {
                    let name = name(*id)?;
                    self.push(&name);
                    Some(())
                }
                Columns::Shape(shape) => match shape.calls.get(id) {
                    Some(Call::Aggregate(call, _)) if shape.json_aggregates.contains(id) => self.json_aggregate(call),
                    Some(call) => self.placed_call(call),
                    None => self.variable(*id),
                },
            },
            Expr::Call { function, args, typ } => match self.form(function, args, *typ) {
                Some(done) => done,
                None => match self.json_function(function, args, *typ) {
                    Some(done) => done,
                    None => self.call(function, args),
                },
            },
            Expr::Cast { .. } => self.shown_cast(expr),
            Expr::And(items) => self.joined(items, " AND ", Parent::And),
            Expr::Or(items) => self.joined(items, " OR ", Parent::Or),
            Expr::Not(input) => self.own(|w| {
                w.push("NOT ");
                w.inside(input, Parent::Not, false)
            }),
            Expr::IsNull(input, negated) => self.test(input, *negated, "NULL"),
            Expr::IsBool(input, value, negated) => {
                let word = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                self.test(input, *negated, word)
            }
            Expr::IsDistinct { left, right, negated, .. } => {
                let distinct = |w: &mut Self| {
                    w.inside(left, Parent::Test, true)?;
                    w.push(" IS DISTINCT FROM ");
                    w.inside(right, Parent::Test, true)
                };
                if !negated {
                    return self.own(distinct);
                }
                self.own(|w| {
                    w.push("NOT ");
                    w.own(distinct)
                })
            }
            Expr::Case { whens, otherwise, typ } => self.case(None, whens, otherwise.as_deref(), *typ),
            Expr::Coalesce(items, _) => {
                self.push("COALESCE(");
                self.list(items)?;
                self.push(")");
                Some(())
            }
            Expr::NullIf { condition, .. } => match &**condition {
                Expr::Call { args, .. } => {
                    self.push("NULLIF(");
                    self.list(args)?;
                    self.push(")");
                    Some(())
                }
                _ => None,
            },
            Expr::MinMax { greatest, args, .. } => {
                self.push(if *greatest { "GREATEST(" } else { "LEAST(" });
                self.list(args)?;
                self.push(")");
                Some(())
            }
            Expr::AnyAll { all, left, operator, array } => {
                let symbol = symbol(operator.oid, 2)?;
                self.own(|w| {
                    w.inside(left, Parent::Operator(None, true), true)?;
                    w.push(&format!(" {symbol} {} (", if *all { "ALL" } else { "ANY" }));
                    w.inside(array, Parent::Operator(None, false), true)?;
                    // A subquery here would be taken for rows.
                    if matches!(&**array, Expr::Subquery(s) if s.kind == SubqueryKind::Scalar) {
                        let name = w.type_name(Type::new(array.typ().oid));
                        w.push("::");
                        w.push(&name);
                    }
                    w.push(")");
                    Some(())
                })
            }
            Expr::InList { left, list, negated, .. } => {
                let (symbol, word) = if *negated { ("<>", "ALL") } else { ("=", "ANY") };
                self.own(|w| {
                    w.inside(left, Parent::Operator(None, true), true)?;
                    w.push(&format!(" {symbol} {word} (ARRAY["));
                    w.list(list)?;
                    w.push("])");
                    Some(())
                })
            }
            Expr::Array { elements, typ, .. } => {
                self.push("ARRAY[");
                self.list(elements)?;
                self.push("]");
                if elements.is_empty() {
                    let name = self.type_name(Type::new(typ.oid));
                    self.push("::");
                    self.push(&name);
                }
                Some(())
            }
            Expr::Row { fields, typ, .. } => {
                self.push("ROW(");
                self.separated(fields, |w, field| w.top_level(field, true))?;
                self.push(")");
                if *typ != Type::RECORD && self.noted {
                    let name = self.type_name(*typ);
                    self.push("::");
                    self.push(&name);
                }
                Some(())
            }
            Expr::Subscript { input, subscripts, .. } => self.subscript(input, subscripts),
            Expr::Field { input, index, .. } => self.field(input, *index),
            Expr::Subquery(subquery) => self.subquery(subquery),
            Expr::Param(..) | Expr::Grouping(_) => None,
        }
    }

    /// An expression in a list of its own: a whole row says its type.
    pub(super) fn top_level(&mut self, expr: &Expr, implicit: bool) -> Option<()> {
        match form::get(&form::WHOLE_ROW, expr) {
            Some([row]) => self.whole_row(row, expr.typ(), true),
            _ => self.expr(expr, implicit),
        }
    }

    fn test(&mut self, input: &Expr, negated: bool, word: &str) -> Option<()> {
        self.own(|w| {
            w.inside(input, Parent::Test, true)?;
            w.push(if negated { " IS NOT " } else { " IS " });
            w.push(word);
            Some(())
        })
    }

    /// CASE; with an operand only the other side of each comparison is shown.
    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        whens: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        typ: Type,
    ) -> Option<()> {
        let lines = self.lines;
        let indented = self.layout.pretty;
        match lines {
            true => self.keyword("CASE", 0, INDENT_VAR, 0),
            false => self.push("CASE"),
        }
        if let Some(operand) = operand {
            self.push(" ");
            self.expr(operand, true)?;
        }
        let start = |w: &mut Self, word: &str| match (lines, indented) {
            (true, _) => w.keyword(word, 0, 0, 0),
            (false, true) => w.push(&format!("\n    {word}")),
            (false, false) => w.push(&format!(" {word}")),
        };
        for (condition, result) in whens {
            start(self, "WHEN ");
            match (operand, condition) {
                (Some(_), Expr::Call { args, .. }) if args.len() == 2 => self.expr(&args[1], false)?,
                (Some(_), _) => return None,
                (None, condition) => self.expr(condition, false)?,
            }
            self.push(" THEN ");
            self.expr(result, true)?;
        }
        start(self, "ELSE ");
        match otherwise {
            Some(otherwise) => self.expr(otherwise, true)?,
            None => self.constant(&Datum::Null, Type::new(typ.oid), Label::WhereNeeded),
        }
        match (lines, indented) {
            (true, _) => self.keyword("END", -INDENT_VAR, 0, 0),
            (false, true) => self.push("\nEND"),
            (false, false) => self.push(" END"),
        }
        Some(())
    }

    fn call(&mut self, function: &'static Function, args: &[Expr]) -> Option<()> {
        match (symbol(function.oid, args.len()), args) {
            (Some(symbol), [left, right]) => return self.binary(left, symbol, right),
            (Some(symbol), [input]) => {
                return self.own(|w| {
                    w.push(&format!("{symbol} "));
                    w.inside(input, Parent::Operator(None, false), true)
                });
            }
            _ => {}
        }
        if let ("extract", [Expr::Const(Datum::Text(field), _), value], false) = (function.name, args, self.noted) {
            self.push(&format!("EXTRACT({field} FROM "));
            self.expr(value, true)?;
            self.push(")");
            return Some(());
        }
        self.function(function, args)
    }

    /// `name(arguments)`.
    pub(super) fn function(&mut self, function: &'static Function, args: &[Expr]) -> Option<()> {
        // Names of ours that no text can say.
        if function.name.starts_with(|c: char| c.is_control()) || (self.noted && function.oid >= 10_000_000) {
            return None;
        }
        self.push(&format!("{}(", quote_identifier(function.name)));
        self.arguments(function, args)?;
        self.push(")");
        Some(())
    }

    pub(super) fn arguments(&mut self, function: &'static Function, args: &[Expr]) -> Option<()> {
        // The type that the binder adds is not shown.
        let args =
            if matches!(function.oid, 3528..=3531) { &args[..function.args.len().min(args.len())] } else { args };
        let gathered = function.variadic && function.args.last().is_some_and(|t| *t != Type::ANY);
        for (i, arg) in args.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            if gathered && i + 1 == args.len() && args.len() == function.args.len() {
                self.push("VARIADIC ");
            }
            self.expr(arg, true)?;
        }
        Some(())
    }

    fn subscript(&mut self, input: &Expr, subscripts: &[Subscript]) -> Option<()> {
        let plain = match input {
            Expr::Column(id, _) => self.shape().is_none_or(|shape| !shape.calls.contains_key(id)),
            Expr::Field { .. } => true,
            _ => false,
        };
        if !plain {
            self.push("(");
        }
        self.expr(input, true)?;
        if !plain {
            self.push(")");
        }
        for subscript in subscripts {
            self.push("[");
            match subscript {
                Subscript::Index(index) => self.expr(index, false)?,
                Subscript::Slice(lower, upper) => {
                    if let Some(lower) = lower {
                        self.expr(lower, false)?;
                    }
                    self.push(":");
                    if let Some(upper) = upper {
                        self.expr(upper, false)?;
                    }
                }
            }
            self.push("]");
        }
        Some(())
    }

    fn field(&mut self, input: &Expr, index: usize) -> Option<()> {
        let plain = matches!(input, Expr::Subscript { .. } | Expr::Field { .. });
        let catalog = self.context.host.catalog();
        let known = match input {
            Expr::Column(id, _) => {
                let own = self.shape().and_then(|shape| shape.records.get(id).cloned());
                own.or_else(|| user_types::fields(&catalog, input.typ().oid))
            }
            Expr::Call { function, .. } if !function.columns.is_empty() => {
                Some(function.columns.iter().map(|(name, typ)| (name.to_string(), *typ)).collect())
            }
            _ => user_types::fields(&catalog, input.typ().oid)
                .or_else(|| crate::sql::binder::relation::row_fields(&catalog, input.typ().oid)),
        };
        let name = known?.get(index)?.0.clone();
        if !plain {
            self.push("(");
        }
        self.expr(input, true)?;
        if !plain {
            self.push(")");
        }
        self.push(&format!(".{}", quote_identifier(&name)));
        Some(())
    }

    fn subquery(&mut self, subquery: &Subquery) -> Option<()> {
        let shape = subquery.shape.as_deref()?;
        let mut enclosed = true;
        match &subquery.kind {
            SubqueryKind::Scalar => {
                enclosed = false;
                self.push("(");
            }
            SubqueryKind::Array => {
                enclosed = false;
                self.push("ARRAY(");
            }
            SubqueryKind::Exists => self.push("(EXISTS "),
            SubqueryKind::Quantified { condition, .. } | SubqueryKind::Row { condition } => {
                self.push("(");
                let symbol = self.compared(condition)?;
                match &subquery.kind {
                    SubqueryKind::Row { .. } => self.push(&format!(" {symbol} ")),
                    SubqueryKind::Quantified { all: false, .. } if symbol == "=" => self.push(" IN "),
                    SubqueryKind::Quantified { all, .. } => {
                        self.push(&format!(" {symbol} {} ", if *all { "ALL" } else { "ANY" }));
                    }
                    _ => return None,
                }
            }
        }
        if enclosed {
            self.push("(");
        }
        self.query(shape, super::query::Place { result: None, visible: false, top: false })?;
        self.push(if enclosed { "))" } else { ")" });
        Some(())
    }

    /// The left side of a comparison with a subquery's columns; its operator.
    fn compared(&mut self, condition: &Expr) -> Option<String> {
        if let Some([Expr::Const(Datum::Text(symbol), _), Expr::Row { fields, .. }, _]) =
            form::get(&form::ROWS, condition)
        {
            self.push("(");
            self.list(fields)?;
            self.push(")");
            return Some(symbol.to_string());
        }
        match condition {
            Expr::Call { function, args, .. } if args.len() == 2 => {
                self.expr(&args[0], true)?;
                symbol(function.oid, 2).map(str::to_string)
            }
            Expr::And(items) | Expr::Or(items) => {
                let mut found = None;
                self.push("(");
                self.separated(items, |w, item| match item {
                    Expr::Call { function, args, .. } if args.len() == 2 => {
                        found = symbol(function.oid, 2);
                        w.expr(&args[0], true)
                    }
                    _ => None,
                })?;
                self.push(")");
                found.map(str::to_string)
            }
            _ => None,
        }
    }

    /// PostgreSQL's `isSimpleNode`: whether an expression may stand here without parentheses.
    fn is_simple(&self, expr: &Expr, parent: Parent) -> bool {
        if let Some(cast) = explicit(expr) {
            return self.is_simple(cast, parent);
        }
        match expr {
            Expr::Cast { input, kind: CastKind::TypmodAssign, .. } => self.is_simple(input, parent),
            Expr::Cast { kind: CastKind::TypmodExplicit, .. } if self.noted => true,
            Expr::Cast { input, .. } => self.is_simple(input, Parent::Cast),
            Expr::Call { function, args, .. } => {
                if function.oid == form::COLLATE.oid || function.oid == form::ROWS.oid {
                    return false;
                }
                if function.oid == form::IS_JSON.oid {
                    return is_loose(parent);
                }
                match symbol(function.oid, args.len()) {
                    Some(symbol) => match parent {
                        Parent::Operator(..) if args.len() != 2 => false,
                        Parent::Operator(outer, first) => {
                            let level = |s: &str| match s {
                                "+" | "-" => Some(0),
                                "*" | "/" | "%" => Some(1),
                                _ => None,
                            };
                            match (level(symbol), outer.and_then(level)) {
                                (Some(own), Some(outer)) => own > outer || (own == outer && first),
                                _ => false,
                            }
                        }
                        other => is_loose(other),
                    },
                    None => true,
                }
            }
            Expr::IsNull(..) | Expr::IsBool(..) | Expr::IsDistinct { .. } | Expr::Subquery(_) => is_loose(parent),
            Expr::And(_) => matches!(parent, Parent::And | Parent::Or),
            Expr::Not(_) => matches!(parent, Parent::And | Parent::Or),
            Expr::Or(_) => matches!(parent, Parent::Or),
            Expr::AnyAll { .. } | Expr::InList { .. } => false,
            _ => true,
        }
    }

    /// A call that leaves a column behind.
    fn placed_call(&mut self, call: &Call) -> Option<()> {
        match call {
            Call::Set(call) => self.expr(call, true),
            Call::Grouping(args) => {
                self.push("GROUPING(");
                self.list(args)?;
                self.push(")");
                Some(())
            }
            Call::Aggregate(call, direct) => self.aggregate(call, *direct),
            Call::Window { function, args, filter, over } => {
                self.push(&format!("{}(", quote_identifier(function.name)));
                if args.is_empty() && matches!(function.body, crate::sql::function::Body::Aggregate(_)) {
                    self.push("*");
                }
                self.arguments(function, args)?;
                self.filter(filter.as_ref())?;
                self.push(") OVER ");
                match over {
                    Ok(name) => self.push(&quote_identifier(name)),
                    Err(window) => self.window(window)?,
                }
                Some(())
            }
        }
    }

    pub(super) fn filter(&mut self, filter: Option<&Expr>) -> Option<()> {
        if let Some(filter) = filter {
            self.push(") FILTER (WHERE ");
            self.expr(filter, false)?;
        }
        Some(())
    }
}

/// Whether what surrounds an expression binds less than operators.
fn is_loose(parent: Parent) -> bool {
    matches!(parent, Parent::And | Parent::Or | Parent::Not)
}
