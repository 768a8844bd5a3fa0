//! Expressions: PostgreSQL's `a_expr` and `c_expr` into sqlparser's `Expr`.
//!
//! What PostgreSQL's grammar itself turns into a function call (EXTRACT, SUBSTRING, TRIM, POSITION, OVERLAY, AT LOCAL,
//! COLLATION FOR) becomes one of `pg_catalog` here too. Forms without a place in sqlparser's AST:
//! - `VARIADIC x` is the argument `FunctionArg::Named` with the operator `Space` (the name is `variadic`),
//! - `(x).*` is a field access whose last step is `Expr::Wildcard`,
//! - a row constructor is a `Tuple` of any number of members.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, DataType, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident,
    JsonKeyUniqueness, JsonPredicateType, NormalizationForm, ObjectName, Query, Subscript, TypedString, UnaryOperator,
    Value, ValueWithSpan, WindowType,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use crate::error::SqlState;

use super::Grammar;
use super::cursor::*;
use super::keywords::{self, Category};

const OR: u8 = 10;
const AND: u8 = 20;
const NOT: u8 = 30;
const IS: u8 = 40;
const COMPARISON: u8 = 50;
const MATCH: u8 = 60;
const OTHER: u8 = 70;
const ADD: u8 = 80;
const MULTIPLY: u8 = 90;
const POWER: u8 = 100;
const AT: u8 = 110;
const COLLATE: u8 = 120;
const SIGN: u8 = 125;
const CAST: u8 = 140;
const OVERLAPS: u8 = 150;

/// How high an expression tree may be (54001 beyond). Chains of AND and OR count by their logarithm: they are balanced.
const HEIGHT_MAX: usize = 2000;
/// How deep grammar rules may call each other.
const DEPTH_MAX: usize = 4000;

/// The precedence of the operator that is next; 0 when none is.
pub(crate) fn next_precedence(p: &Parser<'_>) -> u8 {
    match token(p) {
        Token::Word(w) if w.quote_style.is_none() => match w.value.as_str() {
            "or" => OR,
            "and" => AND,
            "is" | "isnull" | "notnull" => IS,
            "between" | "in" | "like" | "ilike" => MATCH,
            "similar" if word_at(p, 1) == "to" => MATCH,
            "not" => match word_at(p, 1) {
                "between" | "in" | "like" | "ilike" => MATCH,
                "similar" if word_at(p, 2) == "to" => MATCH,
                _ => 0,
            },
            "at" if matches!(word_at(p, 1), "time" | "local") => AT,
            "collate" => COLLATE,
            "operator" if *token_at(p, 1) == Token::LParen => OTHER,
            "overlaps" => OVERLAPS,
            _ => 0,
        },
        Token::Lt | Token::Gt | Token::Eq | Token::LtEq | Token::GtEq | Token::Neq => COMPARISON,
        Token::CustomBinaryOperator(_) => OTHER,
        Token::Plus | Token::Minus => ADD,
        Token::Mul | Token::Div | Token::Mod => MULTIPLY,
        Token::Caret => POWER,
        Token::DoubleColon => CAST,
        _ => 0,
    }
}

/// A call of a function of `pg_catalog`.
fn system_call(name: &str, span: Span, args: Vec<Expr>) -> Expr {
    let part = |value: &str| Ident { value: value.into(), quote_style: None, span };
    let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    call(ObjectName::from(vec![part("pg_catalog"), part(name)]), argument_list(args))
}

fn argument_list(args: Vec<FunctionArg>) -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() })
}

fn call(name: ObjectName, args: FunctionArguments) -> Expr {
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

fn text_value(value: impl Into<String>, span: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value.into()), span })
}

fn ident_of(token: &Token, span: Span) -> Ident {
    match token {
        Token::Word(w) => Ident { value: w.value.clone(), quote_style: w.quote_style, span },
        other => Ident { value: other.to_string(), quote_style: None, span },
    }
}

/// A balanced tree of an associative operator, so that a list of thousands of conditions is not thousands deep.
fn balanced(op: &BinaryOperator, mut operands: Vec<Expr>) -> Expr {
    while operands.len() > 1 {
        let mut paired = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            paired.push(match rest.next() {
                Some(right) => binary(left, op.clone(), right),
                None => left,
            });
        }
        operands = paired;
    }
    operands.pop().unwrap_or(Expr::Value(Value::Null.into()))
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// The operator of an operator token's text.
fn operator_of(text: &str) -> BinaryOperator {
    use BinaryOperator::*;
    match text {
        "||" => StringConcat,
        "|" => BitwiseOr,
        "&" => BitwiseAnd,
        "#" => PGBitwiseXor,
        "<<" => PGBitwiseShiftLeft,
        ">>" => PGBitwiseShiftRight,
        "&&" => PGOverlap,
        "~" => PGRegexMatch,
        "~*" => PGRegexIMatch,
        "!~" => PGRegexNotMatch,
        "!~*" => PGRegexNotIMatch,
        "~~" => PGLikeMatch,
        "~~*" => PGILikeMatch,
        "!~~" => PGNotLikeMatch,
        "!~~*" => PGNotILikeMatch,
        "^@" => PGStartsWith,
        "->" => Arrow,
        "->>" => LongArrow,
        "#>" => HashArrow,
        "#>>" => HashLongArrow,
        "@@" => AtAt,
        "@>" => AtArrow,
        "<@" => ArrowAt,
        "#-" => HashMinus,
        "@?" => AtQuestion,
        "?" => Question,
        "?&" => QuestionAnd,
        "?|" => QuestionPipe,
        other => Custom(other.to_string()),
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
enum Parenthesised {
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
    fn node<T>(&mut self, left: bool, run: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
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
    fn sign(&mut self, op: UnaryOperator) -> Parse<Expr> {
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

    fn typed(&self, data_type: DataType, text: String, span: Span) -> Expr {
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
    fn at_query_rest(&self) -> bool {
        matches!(word(self), "union" | "intersect" | "except" | "order" | "limit" | "offset" | "fetch" | "for")
    }

    /// The inside of parentheses and the closing one: a query or expressions. Which of both `((` begins is seen
    /// when the inner parentheses are read: a query that goes on with UNION, ORDER BY ... is one as a whole.
    fn parenthesised_inside(&mut self) -> Parse<Parenthesised> {
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

    fn parenthesised(&mut self) -> Parse<Expr> {
        self.advance_token();
        let root = match self.parenthesised_inside()? {
            Parenthesised::Query(query) => Expr::Subquery(query),
            Parenthesised::Exprs(mut exprs) if exprs.len() == 1 => Expr::Nested(Box::new(exprs.remove(0))),
            Parenthesised::Exprs(exprs) => return Ok(Expr::Tuple(exprs)),
        };
        self.indirection(root)
    }

    /// `.field`, `[subscript]` and `.*` after a primary that allows them.
    fn indirection(&mut self, root: Expr) -> Parse<Expr> {
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
    fn name_expr(&mut self) -> Parse<Expr> {
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
    fn word_expr(&mut self) -> Parse<Expr> {
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
    fn typed_constant(&mut self) -> Parse<Option<Expr>> {
        let start = self.index();
        if let Ok(mut data_type) = self.simple_type() {
            if let Token::SingleQuotedString(text) = token(self) {
                let (text, at) = (text.clone(), span(self));
                self.advance_token();
                if let DataType::Interval { fields: fields @ None, precision } = &mut data_type {
                    (*fields, *precision) = self.interval_fields(*precision)?;
                }
                return Ok(Some(self.typed(data_type, text, at)));
            }
        }
        while self.index() > start {
            self.prev_token();
        }
        Ok(None)
    }

    /// CURRENT_DATE and its family: functions without parentheses, some with a precision.
    fn value_function(&mut self) -> Parse<Expr> {
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

    fn case(&mut self) -> Parse<Expr> {
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

    fn cast(&mut self) -> Parse<Expr> {
        self.advance_token();
        self.advance_token();
        let expr = Box::new(self.expr()?);
        expect(self, "as")?;
        let data_type = self.data_type()?;
        expect_token(self, &Token::RParen)?;
        Ok(Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None })
    }

    fn array(&mut self) -> Parse<Expr> {
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
    fn array_elements(&mut self, named: bool) -> Parse<Expr> {
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

    /// Functions whose arguments have a syntax of their own.
    fn special_function(&mut self) -> Parse<Expr> {
        let at = span(self);
        let name = label(self)?;
        match name.value.as_str() {
            "coalesce" | "greatest" | "least" | "nullif" | "grouping" => {
                let name = ObjectName::from(vec![name]);
                let args = self.paren_list(Self::expr)?;
                let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
                return Ok(call(name, argument_list(args)));
            }
            "merge_action" => {
                expect_token(self, &Token::LParen)?;
                expect_token(self, &Token::RParen)?;
                return Ok(system_call("merge_action", at, Vec::new()));
            }
            _ => {}
        }
        expect_token(self, &Token::LParen)?;
        let made = match name.value.as_str() {
            "extract" => {
                let field = match token(self) {
                    Token::Word(w) => w.value.clone(),
                    Token::SingleQuotedString(text) => text.clone(),
                    _ => return unexpected(self),
                };
                let field = text_value(field, span(self));
                self.advance_token();
                expect(self, "from")?;
                system_call("extract", at, vec![field, self.expr()?])
            }
            "position" => {
                let part = self.subexpr(MATCH)?;
                expect(self, "in")?;
                let whole = self.subexpr(MATCH)?;
                system_call("position", at, vec![whole, part])
            }
            "overlay" => {
                let first = self.expr()?;
                if take(self, "placing") {
                    let mut args = vec![first, self.expr()?];
                    expect(self, "from")?;
                    args.push(self.expr()?);
                    if take(self, "for") {
                        args.push(self.expr()?);
                    }
                    system_call("overlay", at, args)
                } else {
                    self.plain_arguments(name, first)?
                }
            }
            "substring" => self.substring(name, at)?,
            "trim" => self.trim(at)?,
            _ => {
                let mut args = vec![self.expr()?];
                if take_token(self, &Token::Comma) {
                    let form = word(self).to_ascii_uppercase();
                    if !matches!(form.as_str(), "NFC" | "NFD" | "NFKC" | "NFKD") {
                        return unexpected(self);
                    }
                    args.push(text_value(form, span(self)));
                    self.advance_token();
                }
                system_call("normalize", at, args)
            }
        };
        expect_token(self, &Token::RParen)?;
        Ok(made)
    }

    /// The ordinary call syntax of SUBSTRING and OVERLAY, first argument read.
    fn plain_arguments(&mut self, name: Ident, first: Expr) -> Parse<Expr> {
        let mut args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(first))];
        while take_token(self, &Token::Comma) {
            args.push(self.argument()?);
        }
        Ok(call(ObjectName::from(vec![name]), argument_list(args)))
    }

    fn substring(&mut self, name: Ident, at: Span) -> Parse<Expr> {
        let whole = self.expr()?;
        let one = || Expr::Value(ValueWithSpan { value: Value::Number("1".into(), false), span: at });
        if take(self, "from") {
            let mut args = vec![whole, self.expr()?];
            if take(self, "for") {
                args.push(self.expr()?);
            }
            Ok(system_call("substring", at, args))
        } else if take(self, "for") {
            let length = self.expr()?;
            let start = if take(self, "from") { self.expr()? } else { one() };
            Ok(system_call("substring", at, vec![whole, start, length]))
        } else if take(self, "similar") {
            let pattern = self.expr()?;
            expect(self, "escape")?;
            Ok(system_call("substring", at, vec![whole, pattern, self.expr()?]))
        } else {
            self.plain_arguments(name, whole)
        }
    }

    fn trim(&mut self, at: Span) -> Parse<Expr> {
        let function = match word(self) {
            "leading" => "ltrim",
            "trailing" => "rtrim",
            _ => "btrim",
        };
        if matches!(word(self), "both" | "leading" | "trailing") {
            self.advance_token();
        }
        let mut args = Vec::new();
        if word(self) != "from" {
            args.push(self.expr()?);
        }
        if take(self, "from") {
            let mut list = self.list(Self::expr)?;
            list.append(&mut args);
            args = list;
        } else {
            while take_token(self, &Token::Comma) {
                args.push(self.expr()?);
            }
        }
        Ok(system_call(function, at, args))
    }

    /// One argument of a call.
    fn argument(&mut self) -> Parse<FunctionArg> {
        if word(self) == "variadic" {
            let name = label(self)?;
            let arg = FunctionArgExpr::Expr(self.expr()?);
            return Ok(FunctionArg::Named { name, arg, operator: FunctionArgOperator::Space });
        }
        if matches!(token(self), Token::Word(_)) && matches!(token_at(self, 1), Token::RArrow | Token::Assignment) {
            let name = nonreserved(self)?;
            self.advance_token();
            let arg = FunctionArgExpr::Expr(self.expr()?);
            return Ok(FunctionArg::Named { name, arg, operator: FunctionArgOperator::RightArrow });
        }
        Ok(FunctionArg::Unnamed(match self.expr()? {
            Expr::QualifiedWildcard(name, _) => FunctionArgExpr::QualifiedWildcard(name),
            expr => FunctionArgExpr::Expr(expr),
        }))
    }

    /// A function call from its opening parenthesis on, with everything that may follow it.
    pub(crate) fn function(&mut self, name: ObjectName) -> Parse<Expr> {
        expect_token(self, &Token::LParen)?;
        let mut list = FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() };
        if *token(self) == Token::Mul {
            self.advance_token();
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
        } else if *token(self) != Token::RParen {
            if take(self, "distinct") {
                list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            } else {
                take(self, "all");
            }
            list.args = self.list(Self::argument)?;
            if word(self) == "order" {
                list.clauses.push(FunctionArgumentClause::OrderBy(self.order_by()?));
            }
        }
        expect_token(self, &Token::RParen)?;
        if let Some(typed) = self.typed_with_modifiers(&name, &list)? {
            return Ok(typed);
        }
        self.after_call(name, list)
    }

    /// `name(3) 'text'`: a constant of a type with modifiers.
    fn typed_with_modifiers(&mut self, name: &ObjectName, list: &FunctionArgumentList) -> Parse<Option<Expr>> {
        let Token::SingleQuotedString(text) = token(self) else { return Ok(None) };
        let mut modifiers = Vec::new();
        for arg in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) = arg else { return unexpected(self) };
            match &value.value {
                Value::Number(text, _) | Value::SingleQuotedString(text) => modifiers.push(text.clone()),
                _ => return unexpected(self),
            }
        }
        if modifiers.is_empty() || !list.clauses.is_empty() || list.duplicate_treatment.is_some() {
            return unexpected(self);
        }
        let (text, at) = (text.clone(), span(self));
        self.advance_token();
        Ok(Some(self.typed(DataType::Custom(name.clone(), modifiers), text, at)))
    }

    /// WITHIN GROUP, FILTER and OVER.
    pub(crate) fn after_call(&mut self, name: ObjectName, list: FunctionArgumentList) -> Parse<Expr> {
        let mut function = Function {
            name,
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: FunctionArguments::List(list),
            within_group: Vec::new(),
            filter: None,
            null_treatment: None,
            over: None,
        };
        if word(self) == "within" && word_at(self, 1) == "group" {
            self.advance_token();
            self.advance_token();
            expect_token(self, &Token::LParen)?;
            function.within_group = self.order_by()?;
            expect_token(self, &Token::RParen)?;
        }
        if word(self) == "filter" && *token_at(self, 1) == Token::LParen {
            self.advance_token();
            self.advance_token();
            expect(self, "where")?;
            function.filter = Some(Box::new(self.expr()?));
            expect_token(self, &Token::RParen)?;
        }
        if word(self) == "over" && matches!(token_at(self, 1), Token::LParen | Token::Word(_)) {
            self.advance_token();
            function.over = Some(if *token(self) == Token::LParen {
                WindowType::WindowSpec(self.window_spec()?)
            } else {
                WindowType::NamedWindow(column_id(self)?)
            });
        }
        Ok(Expr::Function(function))
    }

    /// Everything that goes on after a complete operand; `precedence` is that of the operator that is next.
    pub(crate) fn infix(&mut self, left: Expr, precedence: u8) -> Parse<Expr> {
        let at = span(self);
        let op = match token(self) {
            Token::Word(_) => return self.word_infix(left, precedence),
            Token::DoubleColon => {
                self.advance_token();
                let data_type = self.data_type()?;
                return Ok(Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(left), data_type, format: None });
            }
            Token::Lt => BinaryOperator::Lt,
            Token::Gt => BinaryOperator::Gt,
            Token::Eq => BinaryOperator::Eq,
            Token::LtEq => BinaryOperator::LtEq,
            Token::GtEq => BinaryOperator::GtEq,
            Token::Neq => BinaryOperator::NotEq,
            Token::Plus => BinaryOperator::Plus,
            Token::Minus => BinaryOperator::Minus,
            Token::Mul => BinaryOperator::Multiply,
            Token::Div => BinaryOperator::Divide,
            Token::Mod => BinaryOperator::Modulo,
            Token::Caret => BinaryOperator::PGExp,
            Token::CustomBinaryOperator(text) => operator_of(text),
            _ => return Err(syntax_at(at)),
        };
        self.advance_token();
        self.operand(left, op, precedence)
    }

    /// The right side of an operator: an operand, or ANY / ALL of an array or a query.
    fn operand(&mut self, left: Expr, op: BinaryOperator, precedence: u8) -> Parse<Expr> {
        if matches!(word(self), "any" | "some" | "all") && *token_at(self, 1) == Token::LParen {
            return self.quantified(left, op);
        }
        let right = self.subexpr(precedence)?;
        if precedence == COMPARISON {
            self.refuse_chain(COMPARISON)?;
        }
        Ok(binary(left, op, right))
    }

    fn quantified(&mut self, left: Expr, compare_op: BinaryOperator) -> Parse<Expr> {
        let quantifier = word(self);
        let (all, is_some) = (quantifier == "all", quantifier == "some");
        self.advance_token();
        self.advance_token();
        let right = match self.parenthesised_inside()? {
            Parenthesised::Query(query) => Expr::Subquery(query),
            Parenthesised::Exprs(mut exprs) if exprs.len() == 1 => exprs.remove(0),
            Parenthesised::Exprs(_) => return unexpected(self),
        };
        let (left, right) = (Box::new(left), Box::new(right));
        Ok(if all { Expr::AllOp { left, compare_op, right } } else { Expr::AnyOp { left, compare_op, right, is_some } })
    }

    /// Operators that do not associate: another one of the same level is a syntax error.
    fn refuse_chain(&self, precedence: u8) -> Parse<()> {
        if next_precedence(self) == precedence { unexpected(self) } else { Ok(()) }
    }

    fn word_infix(&mut self, left: Expr, precedence: u8) -> Parse<Expr> {
        let boxed = Box::new;
        match word(self) {
            "and" => self.chain(left, BinaryOperator::And, "and", AND),
            "or" => self.chain(left, BinaryOperator::Or, "or", OR),
            "isnull" => {
                self.advance_token();
                Ok(Expr::IsNull(boxed(left)))
            }
            "notnull" => {
                self.advance_token();
                Ok(Expr::IsNotNull(boxed(left)))
            }
            "is" => self.is(left),
            "at" => {
                let at = span(self);
                self.advance_token();
                if take(self, "local") {
                    return Ok(system_call("timezone", at, vec![left]));
                }
                expect_all(self, &["time", "zone"])?;
                let time_zone = boxed(self.subexpr(AT)?);
                Ok(Expr::AtTimeZone { timestamp: boxed(left), time_zone })
            }
            "collate" => {
                self.advance_token();
                Ok(Expr::Collate { expr: boxed(left), collation: object_name(self)? })
            }
            "operator" => {
                let op = self.named_operator()?;
                self.operand(left, op, OTHER)
            }
            "overlaps" => {
                self.advance_token();
                let right = self.subexpr(OVERLAPS)?;
                Ok(binary(left, BinaryOperator::Overlaps, right))
            }
            _ => self.matching(left, precedence),
        }
    }

    /// The rest of a chain of AND or OR.
    fn chain(&mut self, left: Expr, op: BinaryOperator, name: &str, precedence: u8) -> Parse<Expr> {
        let mut operands = vec![left];
        while take(self, name) {
            operands.push(self.subexpr(precedence)?);
        }
        let levels = operands.len().next_power_of_two().trailing_zeros() as usize;
        self.peak += levels.saturating_sub(1);
        Ok(balanced(&op, operands))
    }

    /// `OPERATOR(schema.op)`.
    pub(crate) fn named_operator(&mut self) -> Parse<BinaryOperator> {
        expect(self, "operator")?;
        expect_token(self, &Token::LParen)?;
        let mut parts = Vec::new();
        while matches!(token(self), Token::Word(_)) {
            parts.push(column_id(self)?.value);
            expect_token(self, &Token::Period)?;
        }
        match token(self) {
            Token::Lt | Token::Gt | Token::Eq | Token::LtEq | Token::GtEq | Token::Neq => {}
            Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::Caret => {}
            Token::CustomBinaryOperator(_) => {}
            _ => return unexpected(self),
        }
        parts.push(token(self).to_string());
        self.advance_token();
        expect_token(self, &Token::RParen)?;
        Ok(BinaryOperator::PGCustomBinaryOperator(parts))
    }

    fn is(&mut self, left: Expr) -> Parse<Expr> {
        self.advance_token();
        let expr = Box::new(left);
        let negated = take(self, "not");
        let what = word(self).to_string();
        let distinct = what == "distinct" && word_at(self, 1) == "from";
        match what.as_str() {
            "null" | "true" | "false" | "unknown" | "json" | "normalized" => self.advance_token(),
            "nfc" | "nfd" | "nfkc" | "nfkd" if word_at(self, 1) == "normalized" => {
                self.advance_token();
                self.advance_token();
            }
            "document" => return unsupported(self, "IS DOCUMENT"),
            _ if distinct => {
                self.advance_token();
                self.advance_token();
            }
            _ => return unexpected(self),
        }
        Ok(match (what.as_str(), negated) {
            ("null", false) => Expr::IsNull(expr),
            ("null", true) => Expr::IsNotNull(expr),
            ("true", false) => Expr::IsTrue(expr),
            ("true", true) => Expr::IsNotTrue(expr),
            ("false", false) => Expr::IsFalse(expr),
            ("false", true) => Expr::IsNotFalse(expr),
            ("unknown", false) => Expr::IsUnknown(expr),
            ("unknown", true) => Expr::IsNotUnknown(expr),
            ("json", _) => return self.is_json(expr, negated),
            ("distinct", _) => {
                let right = Box::new(self.subexpr(IS)?);
                self.refuse_chain(IS)?;
                if negated { Expr::IsNotDistinctFrom(expr, right) } else { Expr::IsDistinctFrom(expr, right) }
            }
            (form, _) => {
                let form = match form {
                    "nfc" => Some(NormalizationForm::NFC),
                    "nfd" => Some(NormalizationForm::NFD),
                    "nfkc" => Some(NormalizationForm::NFKC),
                    "nfkd" => Some(NormalizationForm::NFKD),
                    _ => None,
                };
                Expr::IsNormalized { expr, form, negated }
            }
        })
    }

    fn is_json(&mut self, expr: Box<Expr>, negated: bool) -> Parse<Expr> {
        let kind = match word(self) {
            "value" => Some(JsonPredicateType::Value),
            "scalar" => Some(JsonPredicateType::Scalar),
            "array" => Some(JsonPredicateType::Array),
            "object" => Some(JsonPredicateType::Object),
            _ => None,
        };
        if kind.is_some() {
            self.advance_token();
        }
        let unique_keys = if take_all(self, &["with", "unique"]) {
            take(self, "keys");
            Some(JsonKeyUniqueness::WithUniqueKeys)
        } else if take_all(self, &["without", "unique"]) {
            take(self, "keys");
            Some(JsonKeyUniqueness::WithoutUniqueKeys)
        } else {
            None
        };
        Ok(Expr::IsJson { expr, kind, unique_keys, negated })
    }

    /// `[NOT] LIKE, ILIKE, SIMILAR TO, IN, BETWEEN`.
    fn matching(&mut self, left: Expr, precedence: u8) -> Parse<Expr> {
        let negated = take(self, "not");
        let kind = word(self).to_string();
        self.advance_token();
        match kind.as_str() {
            "in" => self.in_list(left, negated),
            "between" => self.between(left, negated),
            "like" | "ilike" | "similar" => {
                if kind == "similar" {
                    expect(self, "to")?;
                } else if matches!(word(self), "any" | "some" | "all") && *token_at(self, 1) == Token::LParen {
                    let op = match (kind.as_str(), negated) {
                        ("like", false) => BinaryOperator::PGLikeMatch,
                        ("like", true) => BinaryOperator::PGNotLikeMatch,
                        (_, false) => BinaryOperator::PGILikeMatch,
                        (_, true) => BinaryOperator::PGNotILikeMatch,
                    };
                    return self.quantified(left, op);
                }
                let expr = Box::new(left);
                let pattern = Box::new(self.subexpr(precedence)?);
                let escape_char = if take(self, "escape") { Some(Box::new(self.subexpr(precedence)?)) } else { None };
                self.refuse_chain(precedence)?;
                Ok(match kind.as_str() {
                    "like" => Expr::Like { negated, any: false, expr, pattern, escape_char },
                    "ilike" => Expr::ILike { negated, any: false, expr, pattern, escape_char },
                    _ => Expr::SimilarTo { negated, expr, pattern, escape_char },
                })
            }
            _ => unexpected(self),
        }
    }

    fn in_list(&mut self, left: Expr, negated: bool) -> Parse<Expr> {
        expect_token(self, &Token::LParen)?;
        let expr = Box::new(left);
        Ok(match self.parenthesised_inside()? {
            Parenthesised::Query(subquery) => Expr::InSubquery { expr, subquery, negated },
            Parenthesised::Exprs(list) => Expr::InList { expr, list, negated },
        })
    }

    fn between(&mut self, left: Expr, negated: bool) -> Parse<Expr> {
        let symmetric = take(self, "symmetric");
        if !symmetric {
            take(self, "asymmetric");
        }
        let low = self.subexpr(MATCH)?;
        expect(self, "and")?;
        let high = self.subexpr(MATCH)?;
        self.refuse_chain(MATCH)?;
        if !symmetric {
            let (expr, low, high) = (Box::new(left), Box::new(low), Box::new(high));
            return Ok(Expr::Between { expr, negated, low, high });
        }
        // As PostgreSQL expands it: both orders of the bounds.
        let within = |low: &Expr, high: &Expr| Expr::Between {
            expr: Box::new(left.clone()),
            negated,
            low: Box::new(low.clone()),
            high: Box::new(high.clone()),
        };
        let op = if negated { BinaryOperator::And } else { BinaryOperator::Or };
        Ok(Expr::Nested(Box::new(binary(within(&low, &high), op, within(&high, &low)))))
    }
}
