//! The SQL/JSON functions, whose clauses are arguments of functions of ours (see the parser's `json`).

use crate::document::{Datum, Type};
use crate::sql::function::Function;
use crate::sql::io::reg::quote_identifier;
use crate::sql::plan::{AggregateCall, Expr};

use super::constant::quoted;
use super::{Writer, cast_input, explicit};

/// A SQL/JSON function by its OID.
fn kind(function: &Function) -> Option<&'static str> {
    Some(match function.oid {
        10_100_001 => "exists",
        10_100_002 => "value",
        10_100_003 => "query",
        10_100_006 => "object",
        10_100_008 | 10_100_009 => "array",
        10_100_010 => "scalar",
        10_100_011 => "serialize",
        _ => return None,
    })
}

/// The call of a SQL/JSON function inside of the cast that its RETURNING has become.
pub(super) fn returned(expr: &Expr) -> Option<(&'static Function, &[Expr])> {
    match expr {
        Expr::Call { function, args, .. }
            if kind(function).is_some_and(|kind| !matches!(kind, "exists" | "scalar")) =>
        {
            Some((function, args))
        }
        _ => None,
    }
}

fn word(expr: &Expr) -> &str {
    match expr {
        Expr::Const(Datum::Text(text), _) => text,
        _ => "",
    }
}

fn is_true(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(Datum::Bool(true), _))
}

/// What the parser's cast around an argument is of.
fn uncast(expr: &Expr) -> &Expr {
    match explicit(expr) {
        Some(cast) => cast_input(cast).unwrap_or(cast),
        None => expr,
    }
}

impl Writer<'_> {
    /// A SQL/JSON function that returns a type; `None`: it is none of them.
    pub(super) fn json_function(
        &mut self,
        function: &'static Function,
        args: &[Expr],
        typ: Type,
    ) -> Option<Option<()>> {
        if !self.noted {
            return None;
        }
        Some(match (kind(function)?, args) {
            ("exists", [context, path, variables, error]) => {
                self.push("JSON_EXISTS(");
                self.json_input(context, path, variables).and_then(|()| {
                    self.behaviour(error, None, "false", "ERROR")?;
                    self.push(")");
                    Some(())
                })
            }
            ("value", [context, path, variables, empty, error, _, if_empty, if_error]) => {
                self.push("JSON_VALUE(");
                self.json_input(context, path, variables).and_then(|()| {
                    self.returning(typ);
                    self.behaviour(empty, Some(if_empty), "null", "EMPTY")?;
                    self.behaviour(error, Some(if_error), "null", "ERROR")?;
                    self.push(")");
                    Some(())
                })
            }
            ("query", [context, path, variables, wrapper, quotes, empty, error, _, if_empty, if_error]) => {
                self.push("JSON_QUERY(");
                self.json_input(context, path, variables).and_then(|()| {
                    self.returning(typ);
                    self.push(match word(wrapper) {
                        "conditional" => " WITH CONDITIONAL WRAPPER",
                        "unconditional" => " WITH UNCONDITIONAL WRAPPER",
                        _ => " WITHOUT WRAPPER",
                    });
                    self.push(if word(quotes) == "omit" { " OMIT QUOTES" } else { " KEEP QUOTES" });
                    self.behaviour(empty, Some(if_empty), "null", "EMPTY")?;
                    self.behaviour(error, Some(if_error), "null", "ERROR")?;
                    self.push(")");
                    Some(())
                })
            }
            ("object", [absent, unique, members @ ..]) => {
                self.push("JSON_OBJECT(");
                let pairs: Vec<&[Expr]> = members.chunks(2).collect();
                let members = self.separated(&pairs, |w, pair| {
                    w.expr(pair.first()?, false)?;
                    w.push(" : ");
                    w.expr(pair.get(1)?, false)
                });
                members.map(|()| {
                    self.push(if is_true(absent) { " ABSENT ON NULL" } else { "" });
                    self.push(if is_true(unique) { " WITH UNIQUE KEYS" } else { "" });
                    self.returning(typ);
                    self.push(")");
                })
            }
            ("array", [absent, values @ ..]) => {
                self.push("JSON_ARRAY(");
                self.separated(values, |w, value| w.expr(value, false)).map(|()| {
                    self.push(if is_true(absent) { "" } else { " NULL ON NULL" });
                    self.returning(typ);
                    self.push(")");
                })
            }
            ("scalar", [value]) => {
                self.push("JSON_SCALAR(");
                self.expr(value, false).map(|()| self.push(")"))
            }
            ("serialize", [value]) => {
                self.push("JSON_SERIALIZE(");
                self.expr(uncast(value), false).map(|()| {
                    self.returning(typ);
                    self.push(")");
                })
            }
            _ => None,
        })
    }

    fn returning(&mut self, typ: Type) {
        let name = self.type_name(typ);
        self.push(&format!(" RETURNING {name}"));
    }

    /// The context item, the path and the variables.
    fn json_input(&mut self, context: &Expr, path: &Expr, variables: &Expr) -> Option<()> {
        self.expr(uncast(context), false)?;
        self.push(", ");
        match uncast(path) {
            Expr::Const(value, typ) => {
                let text = quoted(&self.text(value, *typ));
                self.push(&text);
            }
            path => self.expr(path, false)?,
        }
        match variables {
            Expr::Const(Datum::Null, _) => {}
            Expr::Call { args, .. } => {
                self.push(" PASSING ");
                let pairs: Vec<&[Expr]> = args.chunks(2).collect();
                self.separated(&pairs, |w, pair| {
                    w.expr(pair.get(1)?, false)?;
                    w.push(&format!(" AS {}", quote_identifier(word(pair.first()?))));
                    Some(())
                })?;
            }
            _ => return None,
        }
        Some(())
    }

    /// What is asked for ON EMPTY or ON ERROR, unless it is the default.
    fn behaviour(&mut self, asked: &Expr, value: Option<&Expr>, default: &str, when: &str) -> Option<()> {
        let words = match word(asked) {
            asked if asked == default => return Some(()),
            "object" => "EMPTY OBJECT".to_string(),
            "array" => "EMPTY ARRAY".to_string(),
            "default" => {
                self.push(" DEFAULT ");
                self.expr(uncast(value?), false)?;
                self.push(&format!(" ON {when}"));
                return Some(());
            }
            other => other.to_uppercase(),
        };
        self.push(&format!(" {words} ON {when}"));
        Some(())
    }

    /// JSON_OBJECTAGG and JSON_ARRAYAGG.
    pub(super) fn json_aggregate(&mut self, call: &AggregateCall) -> Option<()> {
        let name = call.function.name;
        let strict = name.contains("_strict");
        match call.args.as_slice() {
            [key, value] if name.contains("object_agg") => {
                self.push("JSON_OBJECTAGG(");
                self.expr(key, false)?;
                self.push(" : ");
                self.expr(value, false)?;
                self.push(if strict { " ABSENT ON NULL" } else { "" });
                self.push(if name.contains("_unique") { " WITH UNIQUE KEYS" } else { "" });
            }
            [value] => {
                self.push("JSON_ARRAYAGG(");
                self.expr(value, false)?;
                if !call.order.is_empty() {
                    self.push(" ORDER BY ");
                    self.sort_keys(&call.order)?;
                }
                self.push(if strict { "" } else { " NULL ON NULL" });
            }
            _ => return None,
        }
        self.returning(Type::new(call.typ.oid));
        self.filter(call.filter.as_ref())?;
        self.push(")");
        Some(())
    }
}
