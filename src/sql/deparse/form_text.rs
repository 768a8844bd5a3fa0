//! Forms of expressions that only a shape keeps: see [`crate::sql::shape::form`].

use crate::document::{Datum, Type};
use crate::sql::function::Function;
use crate::sql::io::reg::quote_identifier;
use crate::sql::plan::{AggregateCall, Expr};
use crate::sql::shape::form;
use crate::storage::catalog::Entry;

use super::Writer;
use super::expr::Parent;

/// A word that a form has as an argument.
fn word(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Const(Datum::Text(text), _) => Some(text),
        _ => None,
    }
}

impl Writer<'_> {
    /// A call that is a form; `None`: it is an ordinary one.
    pub(super) fn form(&mut self, function: &'static Function, args: &[Expr], typ: Type) -> Option<Option<()>> {
        let is = |known: &Function| known.oid == function.oid;
        if !function.name.starts_with('\0') {
            return None;
        }
        Some(match args {
            [Expr::Call { function, args, .. }] if is(&form::PLAIN) => self.function(function, args),
            [Expr::Call { function, args, .. }] if is(&form::SYNTAX) => self.syntax(function, args),
            [words] if is(&form::WORDS) => word(words).map(|words| self.push(words)),
            [value, name] if is(&form::COLLATE) => self.own(|w| {
                w.inside(value, Parent::Test, true)?;
                w.push(&format!(" COLLATE {}", quote_identifier(word(name)?)));
                Some(())
            }),
            [operand, Expr::Case { whens, otherwise, typ }] if is(&form::SIMPLE_CASE) => {
                self.case(Some(operand), whens, otherwise.as_deref(), *typ)
            }
            [row] if is(&form::WHOLE_ROW) => self.whole_row(row, typ, false),
            [name, value] if is(&form::NAMED) => word(name).and_then(|name| {
                self.push(&format!("{} => ", quote_identifier(name)));
                self.expr(value, true)
            }),
            [symbol, Expr::Row { fields: left, .. }, Expr::Row { fields: right, .. }] if is(&form::ROWS) => {
                self.rows(word(symbol), left, right)
            }
            [value, kind, Expr::Const(unique, _)] if is(&form::IS_JSON) => self.own(|w| {
                w.inside(value, Parent::Test, true)?;
                w.push(" IS JSON");
                match word(kind)? {
                    "value" => {}
                    kind => w.push(&format!(" {}", kind.to_uppercase())),
                }
                if *unique == Datum::Bool(true) {
                    w.push(" WITH UNIQUE KEYS");
                }
                Some(())
            }),
            [routine, name] if is(&form::PARAMETER) => word(routine).zip(word(name)).map(|(routine, name)| {
                // Where columns can be named it says whose it is.
                if self.names.has_items() && !name.starts_with('$') {
                    self.push(&format!("{}.", quote_identifier(routine)));
                }
                self.push(&if name.starts_with('$') { name.to_string() } else { quote_identifier(name) });
            }),
            [Expr::Const(Datum::Oid(oid), _), args @ ..] if is(&form::ROUTINE) => self.routine(*oid, args),
            _ => None,
        })
    }

    fn rows(&mut self, symbol: Option<&str>, left: &[Expr], right: &[Expr]) -> Option<()> {
        self.push("(ROW(");
        self.separated(left, |w, item| w.top_level(item, true))?;
        self.push(&format!(") {} ROW(", symbol?));
        self.separated(right, |w, item| w.top_level(item, true))?;
        self.push("))");
        Some(())
    }

    fn routine(&mut self, oid: u32, args: &[Expr]) -> Option<()> {
        // Kept expressions hold what the function does: it may be replaced.
        self.shape()?;
        let catalog = self.context.host.catalog();
        let Some(Entry::Routine(routine)) = catalog.get(oid).map(|entry| &**entry) else { return None };
        let path = self.context.host.search_path();
        let named = |schema: &u32| catalog.routines_named(*schema, &routine.name).next().is_some();
        if path.iter().find(|schema| named(schema)) != Some(&routine.schema) {
            let schema = catalog.get(routine.schema)?.name().to_string();
            self.push(&format!("{}.", quote_identifier(&schema)));
        }
        self.push(&format!("{}(", quote_identifier(&routine.name)));
        self.list(args)?;
        self.push(")");
        Some(())
    }

    /// A call by a syntax of its own.
    fn syntax(&mut self, function: &'static Function, args: &[Expr]) -> Option<()> {
        let plain = |w: &mut Self, expr: &Expr| w.expr(expr, false);
        match (function.name, args) {
            ("timezone", [zone, time]) => {
                self.push("(");
                self.inside(time, Parent::Cast, false)?;
                self.push(" AT TIME ZONE ");
                self.inside(zone, Parent::Cast, false)?;
                self.push(")");
            }
            ("timezone", [time]) => {
                self.push("(");
                self.inside(time, Parent::Cast, false)?;
                self.push(" AT LOCAL)");
            }
            ("overlaps", [a, b, c, d]) => {
                self.push("((");
                plain(self, a)?;
                self.push(", ");
                plain(self, b)?;
                self.push(") OVERLAPS (");
                plain(self, c)?;
                self.push(", ");
                plain(self, d)?;
                self.push("))");
            }
            ("extract", [field, value]) => {
                self.push(&format!("EXTRACT({} FROM ", word(field)?));
                plain(self, value)?;
                self.push(")");
            }
            ("is_normalized", [value, form]) => {
                self.push("(");
                self.inside(value, Parent::Cast, false)?;
                self.push(" IS");
                match word(form)? {
                    "NFC" => {}
                    form => self.push(&format!(" {form}")),
                }
                self.push(" NORMALIZED)");
            }
            ("overlay", [text, what, from, rest @ ..]) => {
                self.push("OVERLAY(");
                plain(self, text)?;
                self.push(" PLACING ");
                plain(self, what)?;
                self.push(" FROM ");
                plain(self, from)?;
                if let [length] = rest {
                    self.push(" FOR ");
                    plain(self, length)?;
                }
                self.push(")");
            }
            ("position", [text, part]) => {
                self.push("POSITION((");
                plain(self, part)?;
                self.push(") IN (");
                plain(self, text)?;
                self.push("))");
            }
            ("substring", [text, pattern, escape]) if function.oid == 2074 => {
                self.push("SUBSTRING(");
                plain(self, text)?;
                self.push(" SIMILAR ");
                plain(self, pattern)?;
                self.push(" ESCAPE ");
                plain(self, escape)?;
                self.push(")");
            }
            ("normalize", [text, rest @ ..]) => {
                self.push("NORMALIZE(");
                plain(self, text)?;
                if let [form] = rest {
                    self.push(&format!(", {}", word(form)?));
                }
                self.push(")");
            }
            ("substring", [text, from, rest @ ..]) if function.oid != 2073 => {
                self.push("SUBSTRING(");
                plain(self, text)?;
                self.push(" FROM ");
                plain(self, from)?;
                if let [length] = rest {
                    self.push(" FOR ");
                    plain(self, length)?;
                }
                self.push(")");
            }
            (name @ ("btrim" | "ltrim" | "rtrim"), [text, rest @ ..]) => {
                self.push(match name {
                    "btrim" => "TRIM(BOTH",
                    "ltrim" => "TRIM(LEADING",
                    _ => "TRIM(TRAILING",
                });
                if let [what] = rest {
                    self.push(" ");
                    plain(self, what)?;
                }
                self.push(" FROM ");
                plain(self, text)?;
                self.push(")");
            }
            _ => return self.function(function, args),
        }
        Some(())
    }

    pub(super) fn aggregate(&mut self, call: &AggregateCall, direct: Option<usize>) -> Option<()> {
        self.push(&format!("{}(", quote_identifier(call.function.name)));
        if call.distinct {
            self.push("DISTINCT ");
        }
        match direct {
            Some(direct) => {
                self.list(&call.args[..direct.min(call.args.len())])?;
                self.push(") WITHIN GROUP (ORDER BY ");
                self.sort_keys(&call.order)?;
            }
            None => {
                if call.args.is_empty() {
                    self.push("*");
                }
                self.arguments(call.function, &call.args)?;
                if !call.order.is_empty() {
                    self.push(" ORDER BY ");
                    self.sort_keys(&call.order)?;
                }
            }
        }
        self.filter(call.filter.as_ref())?;
        self.push(")");
        Some(())
    }
}
