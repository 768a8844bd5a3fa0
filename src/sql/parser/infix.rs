//! What goes on after an operand: operators, casts, IS, IN, LIKE, BETWEEN.

use sqlparser::ast::{BinaryOperator, CastKind, Expr, JsonKeyUniqueness, JsonPredicateType, NormalizationForm, Value};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::Grammar;
use super::cursor::*;
use super::expr::{Parenthesised, system_call};

pub(super) const OR: u8 = 10;
pub(super) const AND: u8 = 20;
pub(super) const NOT: u8 = 30;
pub(super) const IS: u8 = 40;
pub(super) const COMPARISON: u8 = 50;
pub(super) const MATCH: u8 = 60;
pub(super) const OTHER: u8 = 70;
pub(super) const ADD: u8 = 80;
pub(super) const MULTIPLY: u8 = 90;
pub(super) const POWER: u8 = 100;
pub(super) const AT: u8 = 110;
pub(super) const COLLATE: u8 = 120;
pub(super) const SIGN: u8 = 125;
pub(super) const CAST: u8 = 140;
pub(super) const OVERLAPS: u8 = 150;

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

impl Grammar<'_, '_> {
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
    pub(super) fn operand(&mut self, left: Expr, op: BinaryOperator, precedence: u8) -> Parse<Expr> {
        if matches!(word(self), "any" | "some" | "all") && *token_at(self, 1) == Token::LParen {
            return self.quantified(left, op);
        }
        let right = self.subexpr(precedence)?;
        if precedence == COMPARISON {
            self.refuse_chain(COMPARISON)?;
        }
        Ok(binary(left, op, right))
    }

    pub(super) fn quantified(&mut self, left: Expr, compare_op: BinaryOperator) -> Parse<Expr> {
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
    pub(super) fn refuse_chain(&self, precedence: u8) -> Parse<()> {
        if next_precedence(self) == precedence { unexpected(self) } else { Ok(()) }
    }

    pub(super) fn word_infix(&mut self, left: Expr, precedence: u8) -> Parse<Expr> {
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
    pub(super) fn chain(&mut self, left: Expr, op: BinaryOperator, name: &str, precedence: u8) -> Parse<Expr> {
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

    pub(super) fn is(&mut self, left: Expr) -> Parse<Expr> {
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

    pub(super) fn is_json(&mut self, expr: Box<Expr>, negated: bool) -> Parse<Expr> {
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
    pub(super) fn matching(&mut self, left: Expr, precedence: u8) -> Parse<Expr> {
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

    pub(super) fn in_list(&mut self, left: Expr, negated: bool) -> Parse<Expr> {
        expect_token(self, &Token::LParen)?;
        let expr = Box::new(left);
        Ok(match self.parenthesised_inside()? {
            Parenthesised::Query(subquery) => Expr::InSubquery { expr, subquery, negated },
            Parenthesised::Exprs(list) => Expr::InList { expr, list, negated },
        })
    }

    pub(super) fn between(&mut self, left: Expr, negated: bool) -> Parse<Expr> {
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
