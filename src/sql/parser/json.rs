//! The SQL/JSON functions, as far as sqlparser's `Function` can carry them: members are `ExprNamed` arguments, ON NULL
//! and RETURNING are clauses. Their other clauses are refused.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause, FunctionArgumentList,
    JsonNullClause, JsonReturningClause, ObjectName,
};
use sqlparser::tokenizer::Token;

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// A SQL/JSON function; `json_object(...)` may also be the ordinary function of that name.
    pub(super) fn json_function(&mut self) -> Parse<Expr> {
        let function = label(self)?;
        let kind = function.value.clone();
        let name = ObjectName::from(vec![function]);
        expect_token(self, &Token::LParen)?;
        let mut list = FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() };
        let pairs = matches!(kind.as_str(), "json_object" | "json_objectagg");
        if matches!(kind.as_str(), "json_array") && self.at_query() {
            return unsupported(self, "JSON_ARRAY of a query");
        }
        let empty = *token(self) == Token::RParen
            || matches!(word(self), "returning")
            || (matches!(word(self), "null" | "absent") && word_at(self, 1) == "on");
        if !empty {
            list.args = self.list(|g| if pairs { g.json_member() } else { g.json_argument() })?;
        }
        if word(self) == "order" {
            list.clauses.push(FunctionArgumentClause::OrderBy(self.order_by()?));
        }
        self.json_clauses(&mut list)?;
        expect_token(self, &Token::RParen)?;
        self.after_call(name, list)
    }

    /// `key : value`, `[KEY] key VALUE value`, or (of the ordinary function) one expression.
    fn json_member(&mut self) -> Parse<FunctionArg> {
        take(self, "key");
        let name = self.expr()?;
        let operator = if take_token(self, &Token::Colon) {
            FunctionArgOperator::Colon
        } else if take(self, "value") {
            FunctionArgOperator::Value
        } else {
            return Ok(FunctionArg::Unnamed(FunctionArgExpr::Expr(name)));
        };
        let value = self.expr()?;
        self.refuse_format()?;
        Ok(FunctionArg::ExprNamed { name, arg: FunctionArgExpr::Expr(value), operator })
    }

    fn json_argument(&mut self) -> Parse<FunctionArg> {
        let value = self.expr()?;
        self.refuse_format()?;
        Ok(FunctionArg::Unnamed(FunctionArgExpr::Expr(value)))
    }

    fn refuse_format(&self) -> Parse<()> {
        if word(self) == "format" { unsupported(self, "FORMAT JSON") } else { Ok(()) }
    }

    fn json_clauses(&mut self, list: &mut FunctionArgumentList) -> Parse<()> {
        loop {
            if take_all(self, &["null", "on", "null"]) {
                list.clauses.push(FunctionArgumentClause::JsonNullClause(JsonNullClause::NullOnNull));
            } else if take_all(self, &["absent", "on", "null"]) {
                list.clauses.push(FunctionArgumentClause::JsonNullClause(JsonNullClause::AbsentOnNull));
            } else if take(self, "returning") {
                let data_type = self.data_type()?;
                self.refuse_format()?;
                list.clauses.push(FunctionArgumentClause::JsonReturningClause(JsonReturningClause { data_type }));
            } else if *token(self) == Token::RParen {
                return Ok(());
            } else {
                return match word(self) {
                    "passing" => unsupported(self, "PASSING"),
                    "with" | "without" => unsupported(self, "this WITH clause of a SQL/JSON function"),
                    "keep" | "omit" => unsupported(self, "QUOTES of JSON_QUERY"),
                    "null" | "error" | "empty" | "true" | "false" | "unknown" | "default" => {
                        unsupported(self, "ON EMPTY and ON ERROR of SQL/JSON functions")
                    }
                    _ => unexpected(self),
                };
            }
        }
    }
}
