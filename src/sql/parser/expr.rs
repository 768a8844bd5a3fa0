//! Expressions: PostgreSQL's `a_expr` and `c_expr` into sqlparser's `Expr`.
//!
//! What PostgreSQL's grammar itself turns into a function call (EXTRACT, SUBSTRING, TRIM, POSITION, OVERLAY, AT LOCAL,
//! COLLATION FOR) becomes one of `pg_catalog` here too. Forms without a place in sqlparser's AST:
//! - `VARIADIC x` is the argument `FunctionArg::Named` with the operator `Space` (the name is `variadic`),
//! - `(x).*` is a field access whose last step is `Expr::Wildcard`,
//! - a row constructor is a `Tuple` of any number of members.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    AccessExpr, Array, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Subscript, TypedString, UnaryOperator, Value,
    ValueWithSpan,
};
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Span, Token};

use crate::error::SqlState;

use super::Grammar;
use super::cursor::*;
use super::infix::{NOT, OTHER, SIGN, next_precedence};
use super::keywords::{self, Category};

/// How high an expression tree may be (54001 beyond). Chains of AND and OR count by their logarithm: they are balanced.
const HEIGHT_MAX: usize = 2000;
/// How deep grammar rules may call each other.
const DEPTH_MAX: usize = 4000;

/// A call of a function of `pg_catalog`.
pub(super) fn system_call(name: &str, span: Span, args: Vec<Expr>) -> Expr {
    let part = |value: &str| Ident { value: value.into(), quote_style: None, span };
    let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    call(ObjectName::from(vec![part("pg_catalog"), part(name)]), argument_list(args))
}

pub(super) fn argument_list(args: Vec<FunctionArg>) -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() })
}

pub(super) fn call(name: ObjectName, args: FunctionArguments) -> Expr {
    Expr::Function(Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args,
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    })
}

pub(super) fn text_value(value: impl Into<String>, span: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value.into()), span })
}

fn ident_of(token: &Token, span: Span) -> Ident {
    match token {
        Token::Word(w) => Ident { value: w.value.clone(), quote_style: w.quote_style, span },
        other => Ident { value: other.to_string(), quote_style: None, span },
    }
}

/// The prefix operator of an operator token's text.
fn prefix_of(text: &str) -> Option<UnaryOperator> {
    Some(match text {
        "~" => UnaryOperator::BitwiseNot,
        "@" => UnaryOperator::PGAbs,
        "|/" => UnaryOperator::PGSquareRoot,
        "||/" => UnaryOperator::PGCubeRoot,
        "!!" => UnaryOperator::PGPrefixFactorial,
        "#" => UnaryOperator::Hash,
        "@-@" => UnaryOperator::AtDashAt,
        "@@" => UnaryOperator::DoubleAt,
        "?-" => UnaryOperator::QuestionDash,
        "?|" => UnaryOperator::QuestionPipe,
        _ => return None,
    })
}

/// What stands between parentheses after IN, ANY and the like.
pub(super) enum Parenthesised {
    Query(Box<Query>),
    Exprs(Vec<Expr>),
}

impl Grammar<'_, '_> {
    /// An expression.
    pub(crate) fn expr(&mut self) -> Parse<Expr> {
        self.subexpr(0)
    }

    /// An expression of operators that bind tighter than `precedence`.
    pub(crate) fn subexpr(&mut self, precedence: u8) -> Parse<Expr> {
        self.deeper(|g| {
            let operators_only = std::mem::take(&mut g.operators_only);
            let first = g.node(false, Self::prefix);
            g.operators_only = operators_only;
            let mut left = first?;
            loop {
                let next = if operators_only && !word(g).is_empty() { 0 } else { next_precedence(g) };
                if next <= precedence {
                    return Ok(left);
                }
                left = g.node(true, |g| g.infix(left, next))?;
            }
        })
    }

    /// PostgreSQL's `b_expr`: outside of parentheses, no operators that are key words.
    pub(crate) fn b_expr(&mut self) -> Parse<Expr> {
        self.operators_only = true;
        let expr = self.subexpr(0);
        self.operators_only = false;
        expr
    }

    /// Runs a rule one level deeper, with more stack when there is little left.
    pub(crate) fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth >= DEPTH_MAX {
            return Err(ParserError::RecursionLimitExceeded);
        }
        self.depth += 1;
        let result = stacker::maybe_grow(256 << 10, 2 << 20, || run(self));
        self.depth -= 1;
        result
    }

    /// Runs the part of the parse that makes one expression node over its children; `left`: the expression finished
    /// last is one of them.
    pub(super) fn node<T>(&mut self, left: bool, run: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        let below = if left { self.last } else { 0 };
        let outer = std::mem::take(&mut self.peak);
        let made = run(self)?;
        self.last = below.max(self.peak) + 1;
        self.peak = outer.max(self.last);
        if self.last > HEIGHT_MAX { Err(ParserError::RecursionLimitExceeded) } else { Ok(made) }
    }

    /// Everything that begins an expression: a primary with its subscripts and fields, or a prefix operator.
    pub(crate) fn prefix(&mut self) -> Parse<Expr> {
        let at = span(self);
        let value = match token(self) {
            Token::Number(digits, _) => Value::Number(digits.clone(), false),
            Token::SingleQuotedString(text) => Value::SingleQuotedString(text.clone()),
            Token::SingleQuotedByteStringLiteral(text) => Value::SingleQuotedByteStringLiteral(text.clone()),
            Token::HexStringLiteral(text) => Value::HexStringLiteral(text.clone()),
            Token::NationalStringLiteral(text) => {
                let value = text.clone();
                self.advance_token();
                return Ok(self.typed(super::types::plain("bpchar", at), value, at));
            }
            Token::Placeholder(name) => {
                let root = Expr::Value(ValueWithSpan { value: Value::Placeholder(name.clone()), span: at });
                self.advance_token();
                return self.indirection(root);
            }
            Token::Word(w) => {
                let quoted = w.quote_style.is_some();
                return if quoted { self.name_expr() } else { self.word_expr() };
            }
            Token::LParen => return self.parenthesised(),
            Token::Minus => return self.sign(UnaryOperator::Minus),
            Token::Plus => return self.sign(UnaryOperator::Plus),
            Token::CustomBinaryOperator(text) => {
                let Some(op) = prefix_of(text) else {
                    let message = format!("operator does not exist: {text}");
                    return Err(failure(SqlState::UNDEFINED_FUNCTION, at, &message));
                };
                self.advance_token();
                return Ok(Expr::UnaryOp { op, expr: Box::new(self.subexpr(OTHER)?) });
            }
            _ => return unexpected(self),
        };
        self.advance_token();
        Ok(Expr::Value(ValueWithSpan { value, span: at }))
    }

    /// A signed operand; the sign of a constant becomes part of it.
    pub(super) fn sign(&mut self, op: UnaryOperator) -> Parse<Expr> {
        self.advance_token();
        let operand = self.subexpr(SIGN)?;
        match (op, operand) {
            (UnaryOperator::Minus, Expr::Value(ValueWithSpan { value: Value::Number(digits, long), span })) => {
                let digits = match digits.strip_prefix('-') {
                    Some(positive) => positive.to_string(),
                    None => format!("-{digits}"),
                };
                Ok(Expr::Value(ValueWithSpan { value: Value::Number(digits, long), span }))
            }
            (op, operand) => Ok(Expr::UnaryOp { op, expr: Box::new(operand) }),
        }
    }

    pub(super) fn typed(&self, data_type: DataType, text: String, span: Span) -> Expr {
        let value = ValueWithSpan { value: Value::SingleQuotedString(text), span };
        Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false })
    }

    /// Whether a query begins here, parentheses before it not counted.
    pub(crate) fn at_query(&self) -> bool {
        match word(self) {
            "select" | "with" | "table" => true,
            "values" => *token_at(self, 1) == Token::LParen,
            _ => false,
        }
    }

    /// What may follow a parenthesised query to make it a part of a greater one.
    pub(super) fn at_query_rest(&self) -> bool {
        matches!(word(self), "union" | "intersect" | "except" | "order" | "limit" | "offset" | "fetch" | "for")
    }

    /// The inside of parentheses and the closing one: a query or expressions. Which of both `((` begins is seen
    /// when the inner parentheses are read: a query that goes on with UNION, ORDER BY ... is one as a whole.
    pub(super) fn parenthesised_inside(&mut self) -> Parse<Parenthesised> {
        if self.at_query() {
            let query = self.query()?;
            expect_token(self, &Token::RParen)?;
            return Ok(Parenthesised::Query(query));
        }
        let nested = *token(self) == Token::LParen;
        let first = self.expr()?;
        if let (true, Expr::Subquery(_)) = (nested, &first) {
            let at_end = *token(self) == Token::RParen;
            if at_end || self.at_query_rest() {
                let Expr::Subquery(inner) = first else { return unexpected(self) };
                let query = if at_end { inner } else { self.query_after(inner)? };
                expect_token(self, &Token::RParen)?;
                return Ok(Parenthesised::Query(query));
            }
        }
        let mut exprs = vec![first];
        while take_token(self, &Token::Comma) {
            exprs.push(self.expr()?);
        }
        expect_token(self, &Token::RParen)?;
        Ok(Parenthesised::Exprs(exprs))
    }

    pub(super) fn parenthesised(&mut self) -> Parse<Expr> {
        self.advance_token();
        let root = match self.parenthesised_inside()? {
            Parenthesised::Query(query) => Expr::Subquery(query),
            Parenthesised::Exprs(mut exprs) if exprs.len() == 1 => Expr::Nested(Box::new(exprs.remove(0))),
            Parenthesised::Exprs(exprs) => return Ok(Expr::Tuple(exprs)),
        };
        self.indirection(root)
    }

    /// `.field`, `[subscript]` and `.*` after a primary that allows them.
    pub(super) fn indirection(&mut self, root: Expr) -> Parse<Expr> {
        let mut chain = Vec::new();
        loop {
            if take_token(self, &Token::Period) {
                if *token(self) == Token::Mul {
                    let star = AttachedToken(self.token_at(self.index()).clone());
                    self.advance_token();
                    chain.push(AccessExpr::Dot(Expr::Wildcard(star)));
                    break;
                }
                chain.push(AccessExpr::Dot(Expr::Identifier(label(self)?)));
            } else if take_token(self, &Token::LBracket) {
                chain.push(AccessExpr::Subscript(self.subscript()?));
            } else {
                break;
            }
        }
        if chain.is_empty() {
            return Ok(root);
        }
        Ok(Expr::CompoundFieldAccess { root: Box::new(root), access_chain: chain })
    }

    /// The inside of `[...]` and the closing bracket.
    pub(crate) fn subscript(&mut self) -> Parse<Subscript> {
        let lower_bound = if *token(self) == Token::Colon { None } else { Some(self.expr()?) };
        if !take_token(self, &Token::Colon) {
            expect_token(self, &Token::RBracket)?;
            return match lower_bound {
                Some(index) => Ok(Subscript::Index { index }),
                None => unexpected(self),
            };
        }
        let upper_bound = if *token(self) == Token::RBracket { None } else { Some(self.expr()?) };
        expect_token(self, &Token::RBracket)?;
        Ok(Subscript::Slice { lower_bound, upper_bound, stride: None })
    }

    /// A quoted name or a plain word: a column, a function call or a typed constant.
    pub(super) fn name_expr(&mut self) -> Parse<Expr> {
        let category = match token(self) {
            Token::Word(w) if w.quote_style.is_none() => keywords::lookup(&w.value).map(|k| k.category),
            _ => None,
        };
        let first = match category {
            None | Some(Category::Unreserved | Category::ColumnName) => label(self)?,
            // LEFT, RIGHT and their like are functions or types only.
            Some(Category::TypeOrFunction) => {
                let name = label(self)?;
                if !matches!(token(self), Token::LParen | Token::SingleQuotedString(_)) {
                    return unexpected(self);
                }
                name
            }
            Some(Category::Reserved) => return unexpected(self),
        };
        let mut parts = vec![first];
        while *token(self) == Token::Period {
            if *token_at(self, 1) == Token::Mul {
                self.advance_token();
                let star = AttachedToken(self.token_at(self.index()).clone());
                self.advance_token();
                return Ok(Expr::QualifiedWildcard(ObjectName::from(parts), star));
            }
            self.advance_token();
            parts.push(label(self)?);
        }
        match token(self) {
            Token::LParen if category == Some(Category::ColumnName) && parts.len() == 1 => unexpected(self),
            Token::LParen => self.function(ObjectName::from(parts)),
            Token::SingleQuotedString(text) if category != Some(Category::ColumnName) || parts.len() > 1 => {
                let (text, value_span) = (text.clone(), span(self));
                self.advance_token();
                let name = ObjectName::from(parts);
                Ok(self.typed(DataType::Custom(name, Vec::new()), text, value_span))
            }
            _ => {
                let root = match parts.len() {
                    1 => Expr::Identifier(parts.remove(0)),
                    _ => Expr::CompoundIdentifier(parts),
                };
                if *token(self) == Token::LBracket { self.indirection(root) } else { Ok(root) }
            }
        }
    }

    /// An expression that begins with an unquoted word.
    pub(super) fn word_expr(&mut self) -> Parse<Expr> {
        let at = span(self);
        let paren = *token_at(self, 1) == Token::LParen;
        let word = word(self);
        // Most words are names: that is decided first.
        match keywords::lookup(word) {
            None => return self.name_expr(),
            Some(k) if k.category == Category::Unreserved && word != "double" => return self.name_expr(),
            Some(_) => {}
        }
        match word {
            "true" | "false" => {
                let value = Value::Boolean(word == "true");
                self.advance_token();
                Ok(Expr::Value(ValueWithSpan { value, span: at }))
            }
            "null" => {
                self.advance_token();
                Ok(Expr::Value(ValueWithSpan { value: Value::Null, span: at }))
            }
            "default" => Err(failure(SqlState::SYNTAX_ERROR, at, "DEFAULT is not allowed in this context")),
            "not" => {
                self.advance_token();
                let expr = Box::new(self.subexpr(NOT)?);
                Ok(Expr::UnaryOp { op: UnaryOperator::Not, expr })
            }
            "case" => self.case(),
            "cast" if paren => self.cast(),
            "exists" if paren => {
                self.advance_token();
                Ok(Expr::Exists { subquery: self.parenthesised_query()?, negated: false })
            }
            "array" => self.array(),
            "row" if paren => {
                self.advance_token();
                self.advance_token();
                if take_token(self, &Token::RParen) {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let fields = self.list(Self::expr)?;
                expect_token(self, &Token::RParen)?;
                Ok(Expr::Tuple(fields))
            }
            "current_date" | "current_time" | "current_timestamp" | "localtime" | "localtimestamp" | "current_role"
            | "current_user" | "session_user" | "system_user" | "user" | "current_catalog" => self.value_function(),
            "current_schema" if !paren => self.value_function(),
            "extract" | "overlay" | "position" | "substring" | "trim" | "normalize" | "coalesce" | "greatest"
            | "least" | "nullif" | "grouping" | "merge_action"
                if paren =>
            {
                self.special_function()
            }
            "collation" if word_at(self, 1) == "for" => {
                self.advance_token();
                self.advance_token();
                expect_token(self, &Token::LParen)?;
                let expr = self.expr()?;
                expect_token(self, &Token::RParen)?;
                Ok(system_call("pg_collation_for", at, vec![expr]))
            }
            "treat" if paren => unsupported(self, "TREAT"),
            "json_object" | "json_objectagg" | "json_array" | "json_arrayagg" | "json_value" | "json_query"
            | "json_exists" | "json_scalar" | "json_serialize" | "json"
                if paren =>
            {
                self.json_function()
            }
            "xmlconcat" | "xmlelement" | "xmlexists" | "xmlforest" | "xmlparse" | "xmlpi" | "xmlroot"
            | "xmlserialize" | "xmltable"
                if paren =>
            {
                unsupported(self, "XML")
            }
            "bit" | "boolean" | "bigint" | "char" | "character" | "dec" | "decimal" | "double" | "float" | "int"
            | "integer" | "interval" | "json" | "national" | "nchar" | "numeric" | "real" | "smallint" | "time"
            | "timestamp" | "varchar" => match self.typed_constant()? {
                Some(constant) => Ok(constant),
                None => self.name_expr(),
            },
            _ => self.name_expr(),
        }
    }

    /// `type 'text'` of a type that is a key word; `None` (and nothing read) when the word is a name.
    pub(super) fn typed_constant(&mut self) -> Parse<Option<Expr>> {
        let start = self.index();
        if let Ok(mut data_type) = self.simple_type()
            && let Token::SingleQuotedString(text) = token(self)
        {
            let (text, at) = (text.clone(), span(self));
            self.advance_token();
            if let DataType::Interval { fields: fields @ None, precision } = &mut data_type {
                (*fields, *precision) = self.interval_fields(*precision)?;
            }
            return Ok(Some(self.typed(data_type, text, at)));
        }
        while self.index() > start {
            self.prev_token();
        }
        Ok(None)
    }

    /// CURRENT_DATE and its family: functions without parentheses, some with a precision.
    pub(super) fn value_function(&mut self) -> Parse<Expr> {
        let name = label(self)?;
        let takes_precision =
            matches!(name.value.as_str(), "current_time" | "current_timestamp" | "localtime" | "localtimestamp");
        let args = if takes_precision && *token(self) == Token::LParen {
            self.advance_token();
            let at = span(self);
            let precision = integer(self)?;
            expect_token(self, &Token::RParen)?;
            let value = Value::Number(precision.to_string(), false);
            let value = Expr::Value(ValueWithSpan { value, span: at });
            argument_list(vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))])
        } else {
            FunctionArguments::None
        };
        Ok(call(ObjectName::from(vec![name]), args))
    }

    pub(super) fn case(&mut self) -> Parse<Expr> {
        let case_token = AttachedToken(self.token_at(self.index()).clone());
        self.advance_token();
        let operand = if word(self) == "when" { None } else { Some(Box::new(self.expr()?)) };
        let mut conditions = Vec::new();
        while take(self, "when") {
            let condition = self.expr()?;
            expect(self, "then")?;
            conditions.push(CaseWhen { condition, result: self.expr()? });
        }
        if conditions.is_empty() {
            return unexpected(self);
        }
        let else_result = if take(self, "else") { Some(Box::new(self.expr()?)) } else { None };
        let end_token = AttachedToken(self.token_at(self.index()).clone());
        expect(self, "end")?;
        Ok(Expr::Case { case_token, end_token, operand, conditions, else_result })
    }

    pub(super) fn cast(&mut self) -> Parse<Expr> {
        self.advance_token();
        self.advance_token();
        let expr = Box::new(self.expr()?);
        expect(self, "as")?;
        let data_type = self.data_type()?;
        expect_token(self, &Token::RParen)?;
        Ok(Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None })
    }

    pub(super) fn array(&mut self) -> Parse<Expr> {
        let name = ident_of(token(self), span(self));
        self.advance_token();
        match token(self) {
            Token::LBracket => self.array_elements(true),
            Token::LParen => {
                let query = self.parenthesised_query()?;
                Ok(call(ObjectName::from(vec![name]), FunctionArguments::Subquery(query)))
            }
            _ => unexpected(self),
        }
    }

    /// `[...]` of ARRAY, nested for further dimensions.
    pub(super) fn array_elements(&mut self, named: bool) -> Parse<Expr> {
        self.deeper(|g| {
            expect_token(g, &Token::LBracket)?;
            let mut elem = Vec::new();
            if *token(g) != Token::RBracket {
                elem = g.list(|g| {
                    if *token(g) == Token::LBracket { g.node(false, |g| g.array_elements(false)) } else { g.expr() }
                })?;
            }
            expect_token(g, &Token::RBracket)?;
            Ok(Expr::Array(Array { elem, named }))
        })
    }

    /// `( query )`.
    pub(crate) fn parenthesised_query(&mut self) -> Parse<Box<Query>> {
        expect_token(self, &Token::LParen)?;
        if !self.at_query() && *token(self) != Token::LParen {
            return unexpected(self);
        }
        match self.parenthesised_inside()? {
            Parenthesised::Query(query) => Ok(query),
            Parenthesised::Exprs(_) => {
                self.prev_token();
                unexpected(self)
            }
        }
    }
}
