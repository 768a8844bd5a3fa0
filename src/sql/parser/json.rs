//! The SQL/JSON functions and JSON_TABLE, as ordinary calls: their clauses become arguments of functions that only this
//! grammar can name so (`functions::json::query`).
//!
//! `JSON_VALUE(d, '$.a' RETURNING int DEFAULT 0 ON EMPTY)` is
//! `json_value(d::jsonb, ('$.a')::jsonpath, NULL::jsonb, 'default', 'null', pg_typeof(NULL::int), (0)::int, NULL::int)`.

use sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, TableFactor, Value, ValueWithSpan,
};
use sqlparser::tokenizer::{Span, Token};

use super::Grammar;
use super::cursor::*;

/// Marks a function's name that is not the one to be shown: `json_object_agg` where JSON_OBJECTAGG was written.
pub(super) const RENAMED: char = '\u{1}';

/// The clauses of a SQL/JSON function.
#[derive(Default)]
struct Clauses {
    passing: Vec<(Ident, Expr)>,
    returning: Option<DataType>,
    wrapper: &'static str,
    quotes: &'static str,
    absent: Option<bool>,
    unique: bool,
    empty: Option<(&'static str, Option<Expr>)>,
    error: Option<(&'static str, Option<Expr>)>,
}

fn text(value: &str, at: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value.into()), span: at })
}

fn boolean(value: bool, at: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Boolean(value), span: at })
}

fn null(at: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Null, span: at })
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, format: None }
}

fn jsonpath() -> DataType {
    DataType::Custom(ObjectName::from(vec![Ident::new("jsonpath")]), Vec::new())
}

fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn arguments(args: Vec<Expr>) -> FunctionArgumentList {
    FunctionArgumentList {
        duplicate_treatment: None,
        args: args.into_iter().map(argument).collect(),
        clauses: Vec::new(),
    }
}

fn call(name: &str, at: Span, args: Vec<Expr>) -> Expr {
    let name = Ident { value: name.into(), quote_style: None, span: at };
    super::expr::call(ObjectName::from(vec![name]), FunctionArguments::List(arguments(args)))
}

impl Clauses {
    fn variables(&self, at: Span) -> Expr {
        if self.passing.is_empty() {
            return cast(null(at), DataType::JSONB);
        }
        let pairs = self.passing.iter().flat_map(|(name, value)| [text(&super::ident(name), at), value.clone()]);
        call("jsonb_build_object", at, pairs.collect())
    }

    /// The words of ON EMPTY and ON ERROR, the type, and the two DEFAULTs of the type.
    fn otherwise(&self, typ: &DataType, at: Span) -> [Expr; 5] {
        let word =
            |clause: &Option<(&'static str, Option<Expr>)>| text(clause.as_ref().map_or("null", |(word, _)| *word), at);
        let default = |clause: &Option<(&'static str, Option<Expr>)>| match clause {
            Some((_, Some(expr))) => cast(Expr::Nested(Box::new(expr.clone())), typ.clone()),
            _ => cast(null(at), typ.clone()),
        };
        [
            word(&self.empty),
            word(&self.error),
            call("pg_typeof", at, vec![cast(null(at), typ.clone())]),
            default(&self.empty),
            default(&self.error),
        ]
    }
}

/// A type with a length or precision: the value is cut to it by a cast of its own.
fn has_modifier(data_type: &DataType) -> bool {
    let written = data_type.to_string();
    written.contains('(') || matches!(data_type, DataType::Char(_) | DataType::Character(_))
}

impl Grammar<'_, '_> {
    /// A SQL/JSON function; `json_object(...)` may also be the ordinary function of that name.
    pub(super) fn json_function(&mut self) -> Parse<Expr> {
        let at = span(self);
        let function = label(self)?;
        let kind = function.value.clone();
        let name = ObjectName::from(vec![function]);
        expect_token(self, &Token::LParen)?;
        match kind.as_str() {
            "json_exists" | "json_value" | "json_query" => return self.json_query_function(&kind, at),
            "json_object" => return self.json_object(name, at),
            "json_objectagg" | "json_arrayagg" => return self.json_aggregate(&kind, at),
            "json_array" => return self.json_array(at),
            _ => {}
        }
        let value = self.json_value_expression()?;
        let clauses = self.json_clauses()?;
        expect_token(self, &Token::RParen)?;
        Ok(match kind.as_str() {
            "json_scalar" => call("json_scalar", at, vec![value]),
            "json_serialize" => {
                let whole = call("json_serialize", at, vec![cast(Expr::Nested(Box::new(value)), DataType::JSON)]);
                match clauses.returning {
                    Some(data_type) => cast(whole, data_type),
                    None => whole,
                }
            }
            _ if clauses.unique => call("json_unique", at, vec![cast(Expr::Nested(Box::new(value)), DataType::JSON)]),
            _ => cast(Expr::Nested(Box::new(value)), DataType::JSON),
        })
    }

    /// `value [FORMAT JSON [ENCODING UTF8]]`: with FORMAT JSON a text is JSON.
    fn json_value_expression(&mut self) -> Parse<Expr> {
        let value = self.expr()?;
        if self.format_json()? {
            return Ok(cast(Expr::Nested(Box::new(value)), DataType::JSON));
        }
        Ok(value)
    }

    fn format_json(&mut self) -> Parse<bool> {
        if !take_all(self, &["format", "json"]) {
            return Ok(false);
        }
        if take(self, "encoding") && !take(self, "utf8") {
            return unsupported(self, "an ENCODING other than UTF8");
        }
        Ok(true)
    }

    fn json_query_function(&mut self, kind: &str, at: Span) -> Parse<Expr> {
        let context = self.json_value_expression()?;
        expect_token(self, &Token::Comma)?;
        let path = self.expr()?;
        let clauses = self.json_clauses()?;
        expect_token(self, &Token::RParen)?;
        let mut args = vec![
            cast(Expr::Nested(Box::new(context)), DataType::JSONB),
            cast(Expr::Nested(Box::new(path)), jsonpath()),
            clauses.variables(at),
        ];
        if kind == "json_exists" {
            args.push(text(clauses.error.as_ref().map_or("false", |(word, _)| *word), at));
            return Ok(call(kind, at, args));
        }
        let typ =
            clauses.returning.clone().unwrap_or(if kind == "json_value" { DataType::Text } else { DataType::JSONB });
        if kind == "json_query" {
            args.extend([text(clauses.wrapper, at), text(clauses.quotes, at)]);
        }
        args.extend(clauses.otherwise(&typ, at));
        let whole = call(kind, at, args);
        Ok(if has_modifier(&typ) { cast(whole, typ) } else { whole })
    }

    fn at_json_clauses(&self) -> bool {
        *token(self) == Token::RParen
            || word(self) == "returning"
            || (matches!(word(self), "null" | "absent") && word_at(self, 1) == "on")
    }

    /// `key : value` or `[KEY] key VALUE value`; one expression alone is an argument of the ordinary function.
    fn json_member(&mut self) -> Parse<(Expr, Option<Expr>)> {
        take(self, "key");
        let key = self.expr()?;
        if take_token(self, &Token::Colon) || take(self, "value") {
            let value = self.json_value_expression()?;
            return Ok((key, Some(value)));
        }
        Ok((key, None))
    }

    fn json_object(&mut self, name: ObjectName, at: Span) -> Parse<Expr> {
        let members = if self.at_json_clauses() { Vec::new() } else { self.list(Self::json_member)? };
        if members.iter().any(|(_, value)| value.is_none()) {
            if members.iter().any(|(_, value)| value.is_some()) {
                return unexpected(self);
            }
            expect_token(self, &Token::RParen)?;
            return self.after_call(name, arguments(members.into_iter().map(|(key, _)| key).collect()));
        }
        let clauses = self.json_clauses()?;
        expect_token(self, &Token::RParen)?;
        if members.is_empty() {
            let texts =
                DataType::Array(sqlparser::ast::ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None));
            return Ok(returning(call("json_object", at, vec![cast(text("{}", at), texts)]), clauses.returning));
        }
        let mut args = vec![boolean(clauses.absent.unwrap_or(false), at), boolean(clauses.unique, at)];
        args.extend(members.into_iter().flat_map(|(key, value)| [Some(key), value]).flatten());
        Ok(returning(call("json_object", at, args), clauses.returning))
    }

    fn json_array(&mut self, at: Span) -> Parse<Expr> {
        if self.at_query() {
            let query = self.query()?;
            self.format_json()?;
            let clauses = self.json_clauses()?;
            expect_token(self, &Token::RParen)?;
            let mut array = call("json_array", at, Vec::new());
            if let Expr::Function(array) = &mut array {
                array.args = FunctionArguments::Subquery(query);
            }
            return Ok(returning(array, clauses.returning));
        }
        let values = if self.at_json_clauses() { Vec::new() } else { self.list(Self::json_value_expression)? };
        let clauses = self.json_clauses()?;
        expect_token(self, &Token::RParen)?;
        let mut args = vec![boolean(clauses.absent.unwrap_or(true), at)];
        args.extend(values);
        Ok(returning(call("json_array", at, args), clauses.returning))
    }

    fn json_aggregate(&mut self, kind: &str, at: Span) -> Parse<Expr> {
        let object = kind == "json_objectagg";
        let mut list = if object {
            let (key, value) = self.json_member()?;
            let Some(value) = value else { return unexpected(self) };
            arguments(vec![key, value])
        } else {
            arguments(vec![self.json_value_expression()?])
        };
        if word(self) == "order" {
            list.clauses.push(FunctionArgumentClause::OrderBy(self.order_by()?));
        }
        let clauses = self.json_clauses()?;
        expect_token(self, &Token::RParen)?;
        let binary = clauses.returning.as_ref().is_some_and(|t| is_named(t, "jsonb"));
        let strict = clauses.absent.unwrap_or(!object);
        let name = format!(
            "{}_{}{}{}",
            if binary { "jsonb" } else { "json" },
            if object { "object_agg" } else { "agg" },
            if object && clauses.unique { "_unique" } else { "" },
            if strict { "_strict" } else { "" },
        );
        let name = Ident { value: name, quote_style: Some(RENAMED), span: at };
        let whole = self.after_call(ObjectName::from(vec![name]), list)?;
        Ok(if binary { whole } else { returning(whole, clauses.returning) })
    }

    fn json_clauses(&mut self) -> Parse<Clauses> {
        let mut clauses = Clauses { wrapper: "without", quotes: "keep", ..Clauses::default() };
        if take(self, "passing") {
            clauses.passing = self.list(|g| {
                let value = g.json_value_expression()?;
                expect(g, "as")?;
                Ok((label(g)?, value))
            })?;
        }
        loop {
            if take_all(self, &["null", "on", "null"]) {
                clauses.absent = Some(false);
            } else if take_all(self, &["absent", "on", "null"]) {
                clauses.absent = Some(true);
            } else if take(self, "returning") {
                clauses.returning = Some(self.data_type()?);
                self.format_json()?;
            } else if take_all(self, &["with", "unique"]) {
                take(self, "keys");
                clauses.unique = true;
            } else if take_all(self, &["without", "unique"]) {
                take(self, "keys");
            } else if matches!(word(self), "with" | "without") {
                clauses.wrapper = self.wrapper()?;
            } else if matches!(word(self), "keep" | "omit") {
                clauses.quotes = if word(self) == "keep" { "keep" } else { "omit" };
                self.advance_token();
                expect(self, "quotes")?;
                take_all(self, &["on", "scalar", "string"]);
            } else if let Some(behaviour) = self.behaviour()? {
                expect(self, "on")?;
                if take(self, "empty") {
                    clauses.empty = Some(behaviour);
                } else {
                    expect(self, "error")?;
                    clauses.error = Some(behaviour);
                }
            } else {
                return Ok(clauses);
            }
        }
    }

    fn wrapper(&mut self) -> Parse<&'static str> {
        let with = word(self) == "with";
        self.advance_token();
        let kind = match (with, word(self)) {
            (true, "conditional") => "conditional",
            (true, _) => "unconditional",
            (false, _) => "without",
        };
        if matches!(word(self), "conditional" | "unconditional") {
            self.advance_token();
        }
        take(self, "array");
        expect(self, "wrapper")?;
        Ok(kind)
    }

    /// What is asked for ON EMPTY or ON ERROR.
    fn behaviour(&mut self) -> Parse<Option<(&'static str, Option<Expr>)>> {
        let kind = match word(self) {
            "null" => "null",
            "error" => "error",
            "true" => "true",
            "false" => "false",
            "unknown" => "unknown",
            "default" => {
                self.advance_token();
                return Ok(Some(("default", Some(self.expr()?))));
            }
            "empty" => {
                self.advance_token();
                if take(self, "object") {
                    return Ok(Some(("object", None)));
                }
                take(self, "array");
                return Ok(Some(("array", None)));
            }
            _ => return Ok(None),
        };
        self.advance_token();
        Ok(Some((kind, None)))
    }

    /// `JSON_TABLE(context, path COLUMNS (...))`: a call of a function whose last argument is the plan of the columns,
    /// as JSON; types in it are as written.
    pub(super) fn json_table(&mut self) -> Parse<TableFactor> {
        let at = span(self);
        self.advance_token();
        expect_token(self, &Token::LParen)?;
        let context = self.json_value_expression()?;
        expect_token(self, &Token::Comma)?;
        let path = self.expr()?;
        if take(self, "as") {
            label(self)?;
        }
        let mut passing = Vec::new();
        if take(self, "passing") {
            passing = self.list(|g| {
                let value = g.json_value_expression()?;
                expect(g, "as")?;
                Ok((label(g)?, value))
            })?;
        }
        let columns = self.json_table_columns()?;
        let mut failed = "empty";
        if let Some((word, _)) = self.behaviour()? {
            expect(self, "on")?;
            expect(self, "error")?;
            failed = word;
        }
        expect_token(self, &Token::RParen)?;
        let plan = serde_json::json!({ "columns": columns, "failed": failed }).to_string();
        let variables = Clauses { passing, ..Clauses::default() }.variables(at);
        let args = vec![
            cast(Expr::Nested(Box::new(context)), DataType::JSONB),
            cast(Expr::Nested(Box::new(path)), jsonpath()),
            variables,
            text(&plan, at),
        ];
        let name = ObjectName::from(vec![Ident { value: "json_table".into(), quote_style: Some(RENAMED), span: at }]);
        let alias = self.table_alias()?;
        let args = args.into_iter().map(argument).collect();
        Ok(TableFactor::Function { lateral: false, name, args, with_ordinality: false, alias })
    }

    fn json_table_columns(&mut self) -> Parse<Vec<serde_json::Value>> {
        expect(self, "columns")?;
        self.paren_list(Self::json_table_column)
    }

    fn json_table_column(&mut self) -> Parse<serde_json::Value> {
        use serde_json::json;
        if word(self) == "nested" {
            self.advance_token();
            take(self, "path");
            let path = self.json_path_text()?;
            if take(self, "as") {
                label(self)?;
            }
            let columns = self.json_table_columns()?;
            return Ok(json!({ "kind": "nested", "path": path, "columns": columns }));
        }
        let name = super::ident(&column_id(self)?);
        if take_all(self, &["for", "ordinality"]) {
            return Ok(json!({ "kind": "ordinality", "name": name, "type": "integer" }));
        }
        let typ = self.data_type()?.to_string();
        let mut kind = "value";
        if self.format_json()? {
            kind = "query";
        }
        if take(self, "exists") {
            kind = "exists";
        }
        let path = if take(self, "path") {
            self.json_path_text()?
        } else {
            format!("$.{}", serde_json::Value::String(name.clone()))
        };
        let clauses = self.json_clauses()?;
        if kind == "value" && (clauses.wrapper != "without" || clauses.quotes != "keep") {
            kind = "query";
        }
        let kept = |clause: &Option<(&'static str, Option<Expr>)>| -> Option<serde_json::Value> {
            let default = match clause {
                Some((_, Some(expr))) => Some(literal(expr)?),
                _ => None,
            };
            Some(json!({ "word": clause.as_ref().map_or("null", |(word, _)| *word), "default": default }))
        };
        let (Some(empty), Some(failed)) = (kept(&clauses.empty), kept(&clauses.error)) else {
            return unsupported(self, "a DEFAULT of JSON_TABLE that is no constant");
        };
        Ok(json!({
            "kind": kind, "name": name, "type": typ, "path": path, "wrapper": clauses.wrapper,
            "quotes": clauses.quotes, "empty": empty, "failed": failed,
        }))
    }

    fn json_path_text(&mut self) -> Parse<String> {
        match self.expr()? {
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(path), .. }) => Ok(path),
            _ => unsupported(self, "a path of JSON_TABLE that is no constant"),
        }
    }
}

fn is_named(data_type: &DataType, name: &str) -> bool {
    data_type.to_string().eq_ignore_ascii_case(name)
}

/// RETURNING of a constructor: a cast of what is json by itself.
fn returning(expr: Expr, data_type: Option<DataType>) -> Expr {
    match data_type {
        Some(data_type) if !is_named(&data_type, "json") => cast(expr, data_type),
        _ => expr,
    }
}

/// The text of a constant.
fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(ValueWithSpan { value, .. }) => match value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text.clone()),
            Value::Number(number, _) => Some(number.to_string()),
            Value::Boolean(value) => Some(value.to_string()),
            _ => None,
        },
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => Some(format!("-{}", literal(expr)?)),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => literal(inner),
        _ => None,
    }
}

/// The name that a call is shown by.
pub fn shown_name(call: &Function) -> Option<&'static str> {
    let name = call.name.0.last()?.as_ident()?;
    if name.quote_style != Some(RENAMED) {
        return None;
    }
    Some(match name.value.as_str() {
        "json_unique" => "json",
        name if name.contains("object_agg") => "json_objectagg",
        _ => "json_arrayagg",
    })
}

/// Whether a function in FROM is JSON_TABLE.
pub fn is_json_table(name: &ObjectName) -> bool {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.is_some_and(|name| name.quote_style == Some(RENAMED) && name.value == "json_table")
}
