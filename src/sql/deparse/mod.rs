//! Bound expressions and queries as SQL again, as PostgreSQL's ruleutils write them: every implicit cast said, every
//! operator in parentheses, or with `pretty` only those that are needed.
//!
//! `n > 0` over a numeric column is `(n > (0)::numeric)`, pretty `n > 0::numeric`. What has no such form is `None`: the
//! caller then shows the text as it was written.
//!
//! - `expr`: expressions; `form_text`: what only a [`Shape`] keeps; `constant`: constants and types.
//! - `json`: the SQL/JSON functions. `query`: queries; `from`: FROM; `names`: how its items and their columns are called.

use crate::document::Type;

use super::casts;
use super::context::EvalContext;
use super::plan::{CastKind, ColumnId, Expr};
use super::shape::{Shape, form};

mod constant;
mod expr;
mod form_text;
mod from;
mod json;
mod names;
mod query;

/// How a column is named; `None` makes the whole expression `None`.
pub type Name<'a> = &'a dyn Fn(ColumnId) -> Option<String>;

/// How a query is laid out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// Only the parentheses that are needed.
    pub pretty: bool,
    /// Lines may be this long before a target or table begins a new one; negative: as long as they get.
    pub wrap: i64,
}

/// An expression as text.
/// Types of users have their schema unless `pretty`, where it is left out as far as the search path finds them.
pub fn expression(expr: &Expr, name: Name<'_>, pretty: bool, context: &EvalContext) -> Option<String> {
    let mut writer = Writer::new(Columns::Named(name), Layout { pretty, wrap: 0 }, context);
    writer.expr(expr, true)?;
    Some(writer.out)
}

/// An expression that was bound for being shown ([`super::binder::note_table_expr`]): only casts that were written are.
pub fn noted_expression(expr: &Expr, name: Name<'_>, pretty: bool, context: &EvalContext) -> Option<String> {
    let mut writer = Writer::new(Columns::Named(name), Layout { pretty, wrap: 0 }, context);
    (writer.noted, writer.lines) = (true, true);
    writer.expr(expr, false)?;
    Some(writer.out)
}

/// A query as text, its output columns having these names.
pub fn query(shape: &Shape, columns: &[String], layout: Layout, context: &EvalContext) -> Option<String> {
    if shape.is_partial {
        return None;
    }
    let mut writer = Writer::new(Columns::Shape(shape), layout, context);
    writer.names = names::Names::new(shape);
    writer.query(&shape.query, query::Place { result: Some(columns), visible: true, top: true })?;
    Some(writer.out)
}

/// The body of a function in SQL that was bound when it was made: RETURN, or BEGIN ATOMIC with its statements.
pub fn body(statements: &[Shape], is_return: bool, context: &EvalContext) -> Option<String> {
    let mut text = String::new();
    for shape in statements.iter() {
        if shape.is_partial {
            return None;
        }
        let layout = Layout { pretty: false, wrap: if is_return { -1 } else { 0 } };
        let mut writer = Writer::new(Columns::Shape(shape), layout, context);
        writer.names = names::Names::new(shape);
        if is_return {
            writer.lines = false;
            writer.push("RETURN ");
            writer.returned(&shape.query)?;
            return Some(writer.out);
        }
        writer.indent = 1;
        writer.query(&shape.query, query::Place { result: None, visible: false, top: false })?;
        text.push_str(&format!("{};\n", writer.out));
    }
    Some(format!("BEGIN ATOMIC\n{text}END"))
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

/// Whether a call by name would be shown as the cast or operator that runs the same function.
pub fn is_ambiguous(call: &Expr) -> bool {
    match call {
        Expr::Call { function, args, typ } => {
            expr::symbol(function.oid, args.len()).is_some()
                || matches!(args.as_slice(), [input] if is_cast(function.oid, input.typ(), *typ))
        }
        _ => false,
    }
}

/// Whether a function of one argument is the cast between two types.
fn is_cast(function: u32, from: Type, to: Type) -> bool {
    casts::find(from.oid, to.oid).and_then(|cast| cast.function).is_some_and(|f| f.oid == function)
}

/// The input of a cast, be it a function or not.
fn cast_input(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Cast { input, .. } => Some(input),
        Expr::Call { function, args, typ } => match args.as_slice() {
            [input] if is_cast(function.oid, input.typ(), *typ) => Some(input),
            [input, _] if matches!(function.oid, 1683 | 2075) => Some(input),
            _ => None,
        },
        _ => None,
    }
}

/// What columns are.
#[derive(Clone, Copy)]
enum Columns<'a> {
    Named(Name<'a>),
    Shape(&'a Shape),
}

struct Writer<'a> {
    out: String,
    indent: i32,
    layout: Layout,
    context: EvalContext,
    columns: Columns<'a>,
    names: names::Names,
    /// What was bound notes how it was written.
    noted: bool,
    /// Clauses begin lines.
    lines: bool,
    /// Columns are qualified.
    prefix: bool,
    /// In ORDER BY and its like, where a name could mean a target: name and expression of these.
    targets: Vec<(String, Expr)>,
    in_order_by: bool,
}

const INDENT: i32 = 8;
const INDENT_VAR: i32 = 4;

impl<'a> Writer<'a> {
    fn new(columns: Columns<'a>, layout: Layout, context: &EvalContext) -> Self {
        Self {
            out: String::new(),
            indent: 0,
            layout,
            context: EvalContext { format: Default::default(), ..context.clone() },
            columns,
            names: Default::default(),
            noted: matches!(columns, Columns::Shape(_)),
            lines: matches!(columns, Columns::Shape(_)),
            prefix: false,
            targets: Vec::new(),
            in_order_by: false,
        }
    }

    fn shape(&self) -> Option<&'a Shape> {
        match self.columns {
            Columns::Shape(shape) => Some(shape),
            Columns::Named(_) => None,
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Words that begin a line; the indentation changes before and after them.
    fn keyword(&mut self, words: &str, before: i32, after: i32, plus: i32) {
        if !self.lines {
            self.push(words);
            return;
        }
        self.indent += before;
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out.push('\n');
        // Very deep levels come back to the left.
        let amount = if self.indent < 40 { self.indent.max(0) } else { (40 + (self.indent - 40) / 4) % 40 } + plus;
        self.out.extend(std::iter::repeat_n(' ', usize::try_from(amount).unwrap_or(0)));
        self.out.push_str(words);
        self.indent = (self.indent + after).max(0);
    }

    /// What `write` writes, taken out of the text.
    fn aside(&mut self, write: impl FnOnce(&mut Self) -> Option<()>) -> Option<String> {
        let before = std::mem::take(&mut self.out);
        let done = write(self);
        let text = std::mem::replace(&mut self.out, before);
        done.map(|()| text)
    }

    /// Several things with commas between them.
    fn separated<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T) -> Option<()>) -> Option<()> {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            write(self, item)?;
        }
        Some(())
    }
}

/// Whether an expression is a form, and its arguments.
fn explicit(expr: &Expr) -> Option<&Expr> {
    form::get(&form::EXPLICIT, expr).and_then(|args| args.first())
}
