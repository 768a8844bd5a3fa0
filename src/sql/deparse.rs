//! Bound expressions as SQL again, as PostgreSQL's ruleutils write them: every implicit cast said, every operator in
//! parentheses, or with `pretty` only those that are needed.
//!
//! `n > 0` over a numeric column is `(n > (0)::numeric)`, pretty `n > 0::numeric`. What has no such form (a subquery)
//! is `None`: the caller then shows the text as it was written.

use crate::document::{Datum, Type};

use super::context::EvalContext;
use super::io::reg::quote_identifier;
use super::plan::visit::guard;
use super::plan::{CastKind, ColumnId, Expr, Subscript};
use super::{casts, io, operators, user_types};

/// How a column is named; `None` makes the whole expression `None`.
pub type Name<'a> = &'a dyn Fn(ColumnId) -> Option<String>;

/// An expression as text.
/// Types of users have their schema unless `pretty`, where it is left out as far as the search path finds them.
pub fn expression(expr: &Expr, name: Name<'_>, pretty: bool, context: &EvalContext) -> Option<String> {
    let context = EvalContext { format: Default::default(), ..context.clone() };
    Writer { name, pretty, context }.expr(expr)
}

/// An expression without the conversions to a column's type that an assignment adds.
pub fn without_assignment(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { input, kind: CastKind::TypmodAssign | CastKind::Domain(_), .. } => without_assignment(input),
        Expr::Cast { input, .. } => input,
        Expr::Call { function, args, typ } => match args.as_slice() {
            [input] if is_cast(function.oid, input.typ(), *typ) => input,
            _ => expr,
        },
        _ => expr,
    }
}

/// Whether a function of one argument is the cast between two types.
fn is_cast(function: u32, from: Type, to: Type) -> bool {
    casts::find(from.oid, to.oid).and_then(|cast| cast.function).is_some_and(|f| f.oid == function)
}

/// What an expression stands in, as far as parentheses depend on it.
#[derive(Clone, Copy, PartialEq)]
enum Parent {
    /// An operator: its symbol (of a binary one), and whether this is its first operand.
    Operator(Option<&'static str>, bool),
    And,
    Or,
    Not,
    Cast,
    /// IS NULL and the like.
    Test,
}

struct Writer<'a> {
    name: Name<'a>,
    pretty: bool,
    context: EvalContext,
}

/// The operator behind a function: its symbol.
fn symbol(function: u32, arity: usize) -> Option<&'static str> {
    let found = operators::all().iter().find(|o| o.function.oid == function)?;
    (arity == if found.left.is_some() { 2 } else { 1 }).then_some(found.name)
}

fn quoted(text: &str) -> String {
    let body = text.replace('\'', "''");
    if body.contains('\\') { format!("E'{}'", body.replace('\\', "\\\\")) } else { format!("'{body}'") }
}

impl Writer<'_> {
    fn expr(&self, expr: &Expr) -> Option<String> {
        guard(|| self.write(expr))
    }

    fn list(&self, items: &[Expr]) -> Option<String> {
        Some(items.iter().map(|e| self.expr(e)).collect::<Option<Vec<_>>>()?.join(", "))
    }

    /// An operator's own text: in parentheses unless pretty.
    fn own(&self, text: String) -> Option<String> {
        Some(if self.pretty { text } else { format!("({text})") })
    }

    /// An expression inside another: pretty ones get the parentheses that they need here.
    fn inside(&self, expr: &Expr, parent: Parent) -> Option<String> {
        let text = self.expr(expr)?;
        Some(if self.pretty && !is_simple(expr, parent) { format!("({text})") } else { text })
    }

    fn binary(&self, left: &Expr, symbol: &'static str, right: &Expr) -> Option<String> {
        let left = self.inside(left, Parent::Operator(Some(symbol), true))?;
        let right = self.inside(right, Parent::Operator(Some(symbol), false))?;
        self.own(format!("{left} {symbol} {right}"))
    }

    fn joined(&self, items: &[Expr], word: &str, parent: Parent) -> Option<String> {
        let items = items.iter().map(|e| self.inside(e, parent)).collect::<Option<Vec<_>>>()?;
        self.own(items.join(&format!(" {word} ")))
    }

    fn cast(&self, input: &Expr, typ: Type) -> Option<String> {
        let input = match input {
            // A constant of the type says its type itself.
            Expr::Const(value, from) if from.oid == typ.oid && !matches!(value, Datum::Null) => {
                return Some(format!("{}::{}", quoted(&self.text(value, *from)), self.type_name(typ)));
            }
            input if self.pretty => self.inside(input, Parent::Cast)?,
            input => format!("({})", self.expr(input)?),
        };
        Some(format!("{input}::{}", self.type_name(typ)))
    }

    fn write(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Const(value, typ) => Some(self.constant(value, *typ)),
            Expr::Column(id, _) => (self.name)(*id),
            Expr::Call { function, args, typ } => self.call(function, args, *typ),
            Expr::Cast { input, typ, kind } => match (&**input, kind) {
                // The length belongs to the cast below.
                (
                    Expr::Cast { input: inner, typ: same, kind: CastKind::Relabel | CastKind::InOut },
                    CastKind::TypmodExplicit,
                ) if same.oid == typ.oid => self.cast(inner, *typ),
                (Expr::Call { function, args, typ: same }, CastKind::TypmodExplicit)
                    if same.oid == typ.oid && args.len() == 1 && is_cast(function.oid, args[0].typ(), *same) =>
                {
                    self.cast(&args[0], *typ)
                }
                (input, CastKind::TypmodAssign) => self.expr(input),
                (input, CastKind::Domain(domain)) => self.cast(input, Type::new(*domain)),
                (input, _) => self.cast(input, *typ),
            },
            Expr::And(items) => self.joined(items, "AND", Parent::And),
            Expr::Or(items) => self.joined(items, "OR", Parent::Or),
            Expr::Not(input) => {
                let input = self.inside(input, Parent::Not)?;
                self.own(format!("NOT {input}"))
            }
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
                let (left, right) = (self.inside(left, Parent::Test)?, self.inside(right, Parent::Test)?);
                let distinct = self.own(format!("{left} IS DISTINCT FROM {right}"))?;
                match (negated, self.pretty) {
                    (false, _) => Some(distinct),
                    (true, false) => Some(format!("(NOT {distinct})")),
                    (true, true) => Some(format!("NOT {distinct}")),
                }
            }
            Expr::Case { whens, otherwise, .. } => {
                let mut out = String::from("CASE");
                let lead = if self.pretty { "\n    " } else { " " };
                for (condition, result) in whens {
                    out.push_str(&format!("{lead}WHEN {} THEN {}", self.expr(condition)?, self.expr(result)?));
                }
                let otherwise = match otherwise {
                    Some(otherwise) => self.expr(otherwise)?,
                    None => self.constant(&Datum::Null, expr.typ()),
                };
                out.push_str(&format!("{lead}ELSE {otherwise}{}END", if self.pretty { "\n" } else { " " }));
                Some(out)
            }
            Expr::Coalesce(items, _) => Some(format!("COALESCE({})", self.list(items)?)),
            Expr::NullIf { condition, .. } => match &**condition {
                Expr::Call { args, .. } => Some(format!("NULLIF({})", self.list(args)?)),
                _ => None,
            },
            Expr::MinMax { greatest, args, .. } => {
                Some(format!("{}({})", if *greatest { "GREATEST" } else { "LEAST" }, self.list(args)?))
            }
            Expr::AnyAll { all, left, operator, array } => {
                let symbol = symbol(operator.oid, 2)?;
                let left = self.inside(left, Parent::Operator(None, true))?;
                let word = if *all { "ALL" } else { "ANY" };
                let array = self.expr(array)?;
                self.own(format!("{left} {symbol} {word} ({array})"))
            }
            Expr::InList { left, list, negated, .. } => {
                let (symbol, word) = if *negated { ("<>", "ALL") } else { ("=", "ANY") };
                let left = self.inside(left, Parent::Operator(None, true))?;
                let list = self.list(list)?;
                self.own(format!("{left} {symbol} {word} (ARRAY[{list}])"))
            }
            Expr::Array { elements, typ, .. } if elements.is_empty() => {
                Some(format!("ARRAY[]::{}", self.type_name(Type::new(typ.oid))))
            }
            Expr::Array { elements, .. } => Some(format!("ARRAY[{}]", self.list(elements)?)),
            Expr::Row { fields, .. } => Some(format!("ROW({})", self.list(fields)?)),
            Expr::Subscript { input, subscripts, .. } => self.subscript(input, subscripts),
            Expr::Param(..) | Expr::Field { .. } | Expr::Subquery(_) | Expr::Grouping(_) => None,
        }
    }

    fn test(&self, input: &Expr, negated: bool, word: &str) -> Option<String> {
        let input = self.inside(input, Parent::Test)?;
        self.own(format!("{input} IS {}{word}", if negated { "NOT " } else { "" }))
    }

    fn call(&self, function: &'static super::function::Function, args: &[Expr], typ: Type) -> Option<String> {
        if let [input] = args
            && is_cast(function.oid, input.typ(), typ)
        {
            return self.cast(input, typ);
        }
        match (symbol(function.oid, args.len()), args) {
            (Some(symbol), [left, right]) => return self.binary(left, symbol, right),
            (Some(symbol), [input]) => {
                let input = self.inside(input, Parent::Operator(None, false))?;
                return self.own(format!("{symbol} {input}"));
            }
            _ => {}
        }
        if let ("extract", [Expr::Const(Datum::Text(field), _), value]) = (function.name, args) {
            return Some(format!("EXTRACT({field} FROM {})", self.expr(value)?));
        }
        // The type that the binder adds is not shown.
        let args = if matches!(function.oid, 3528..=3531) { &args[..function.args.len()] } else { args };
        let mut list = args.iter().map(|e| self.expr(e)).collect::<Option<Vec<_>>>()?;
        if function.variadic
            && function.args.last().is_some_and(|t| *t != Type::ANY)
            && let Some(last) = list.last_mut()
        {
            *last = format!("VARIADIC {last}");
        }
        Some(format!("{}({})", quote_identifier(function.name), list.join(", ")))
    }

    fn subscript(&self, input: &Expr, subscripts: &[Subscript]) -> Option<String> {
        let mut out = match input {
            Expr::Column(..) => self.expr(input)?,
            input => format!("({})", self.expr(input)?),
        };
        let bound = |e: &Option<Expr>| e.as_ref().map_or(Some(String::new()), |e| self.expr(e));
        for subscript in subscripts {
            match subscript {
                Subscript::Index(index) => out.push_str(&format!("[{}]", self.expr(index)?)),
                Subscript::Slice(lower, upper) => out.push_str(&format!("[{}:{}]", bound(lower)?, bound(upper)?)),
            }
        }
        Some(out)
    }
}

/// PostgreSQL's `isSimpleNode`: whether an expression may stand here without parentheses.
fn is_simple(expr: &Expr, parent: Parent) -> bool {
    match expr {
        Expr::Cast { input, kind: CastKind::TypmodAssign, .. } => is_simple(input, parent),
        Expr::Cast { input, .. } => is_simple(input, Parent::Cast),
        Expr::Call { function, args, .. } => match symbol(function.oid, args.len()) {
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
        },
        Expr::IsNull(..) | Expr::IsBool(..) | Expr::IsDistinct { .. } => is_loose(parent),
        Expr::And(_) => matches!(parent, Parent::And | Parent::Or),
        Expr::Not(_) => matches!(parent, Parent::And | Parent::Or),
        Expr::Or(_) => matches!(parent, Parent::Or),
        Expr::AnyAll { .. } | Expr::InList { .. } => false,
        _ => true,
    }
}

/// Whether what surrounds an expression binds less than operators.
fn is_loose(parent: Parent) -> bool {
    matches!(parent, Parent::And | Parent::Or | Parent::Not)
}

impl Writer<'_> {
    fn text(&self, value: &Datum, typ: Type) -> String {
        let mut out = String::new();
        io::output(value, typ, &self.context, &mut out);
        out
    }

    fn type_name(&self, typ: Type) -> String {
        let typmod = Some(typ.typmod).filter(|typmod| *typmod >= 0);
        match self.pretty {
            true => user_types::format(&self.context, typ.oid, typmod),
            false => user_types::format_along(&self.context.host.catalog(), &[], typ.oid, typmod),
        }
    }

    /// PostgreSQL's `get_const_expr`.
    fn constant(&self, value: &Datum, typ: Type) -> String {
        let type_name = || self.type_name(typ);
        match value {
            Datum::Null => format!("NULL::{}", type_name()),
            Datum::Bool(value) => value.to_string(),
            Datum::Int4(n) if *n >= 0 => n.to_string(),
            Datum::Numeric(n) if typ.typmod < 0 => {
                let text = n.to_string();
                if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.') {
                    text
                } else {
                    format!("'{text}'::numeric")
                }
            }
            // By number: the object may be renamed.
            Datum::Oid(oid) => format!("'{oid}'::{}", type_name()),
            Datum::Bit(_) if typ.typmod < 0 => format!("'{}'::\"bit\"", self.text(value, typ)),
            value if typ == Type::UNKNOWN => quoted(&self.text(value, typ)),
            value => format!("{}::{}", quoted(&self.text(value, typ)), type_name()),
        }
    }
}
