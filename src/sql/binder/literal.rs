//! Literals: numbers by size, strings of every quoting, typed literals and intervals.

use sqlparser::ast;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::Result;
use crate::sql::plan::Expr;
use crate::sql::types;

use super::coerce::Context;
use super::{Binder, unknown};

/// Reads the digits of `0x`, `0o`, `0b` literals and removes `_` separators.
fn plain_number(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c != '_').collect();
    let radix = match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => return text,
    };
    match u128::from_str_radix(&text[2..], radix) {
        Ok(value) => value.to_string(),
        Err(_) => text,
    }
}

impl Binder<'_> {
    /// A number: an integer that fits is int4, then int8; everything else numeric.
    pub(super) fn number(&self, text: &str) -> Result<Expr> {
        let text = plain_number(text);
        if let Ok(value) = text.parse::<i32>() {
            return Ok(Expr::Const(Datum::Int4(value), Type::INT4));
        }
        if let Ok(value) = text.parse::<i64>() {
            return Ok(Expr::Const(Datum::Int8(value), Type::INT8));
        }
        Ok(Expr::Const(self.read_literal(Type::NUMERIC, &text)?, Type::NUMERIC))
    }

    /// A value of the AST.
    pub(super) fn value(&mut self, value: &ast::ValueWithSpan) -> Result<Expr> {
        use ast::Value::*;
        match &value.value {
            Number(text, _) => self.number(text).map_err(|e| e.at(self.at(value.span))),
            SingleQuotedString(text)
            | EscapedStringLiteral(text)
            | UnicodeStringLiteral(text)
            | NationalStringLiteral(text) => Ok(unknown(text)),
            DollarQuotedString(text) => Ok(unknown(&text.value)),
            Boolean(value) => Ok(Expr::bool(*value)),
            Null => Ok(Expr::null(Type::UNKNOWN)),
            Placeholder(name) => self.parameter(name, self.at(value.span)),
            HexStringLiteral(text) => self.bits(crate::sql::io::bit::hex(text), value),
            SingleQuotedByteStringLiteral(text) => self.bits(crate::sql::io::bit::binary(text), value),
            _ => Err(err!(SYNTAX_ERROR, "syntax error at or near \"{value}\"").at(self.at(value.span))),
        }
    }

    /// A bit string constant.
    fn bits(&self, bits: Result<crate::document::BitString>, value: &ast::ValueWithSpan) -> Result<Expr> {
        let bits = bits.map_err(|e| e.at(self.at(value.span)))?;
        Ok(Expr::Const(Datum::Bit(bits), Type::BIT))
    }

    /// `$n`.
    fn parameter(&mut self, name: &str, position: u32) -> Result<Expr> {
        if let Some(number) = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok())
            && let Some(argument) = self.routine_parameter(number)
        {
            return argument.map_err(|error| error.at(position));
        }
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let Some(number) = number.filter(|n| (1..=65_535).contains(n) && self.params_allowed) else {
            return Err(err!(UNDEFINED_PARAMETER, "there is no parameter {name}").at(position));
        };
        if self.params.len() < number {
            self.params.resize(number, Type::UNKNOWN);
        }
        Ok(Expr::Param(number - 1, Type::new(self.params[number - 1].oid)))
    }

    /// `type 'text'`.
    pub(super) fn typed_string(&mut self, typed: &ast::TypedString) -> Result<Expr> {
        let position = self.at(typed.value.span);
        let typ = self.data_type(&typed.data_type)?;
        let text = self.value(&typed.value)?;
        self.cast_to(text, typ, Context::Explicit, position)
    }

    /// `INTERVAL '...' fields`.
    pub(super) fn interval(&mut self, interval: &ast::Interval) -> Result<Expr> {
        let mut name = "interval".to_string();
        if let Some(field) = &interval.leading_field {
            name.push_str(&format!(" {}", field.to_string().to_lowercase()));
        }
        if let Some(field) = &interval.last_field {
            name.push_str(&format!(" to {}", field.to_string().to_lowercase()));
        }
        if let Some(precision) = interval.leading_precision.or(interval.fractional_seconds_precision) {
            name.push_str(&format!("({precision})"));
        }
        let typ = types::parse_name(&name)?;
        let ast::Expr::Value(value) = &*interval.value else {
            return Err(err!(SYNTAX_ERROR, "syntax error at or near \"{}\"", interval.value));
        };
        let position = self.at(value.span);
        let text = self.value(value)?;
        self.cast_to(text, typ, Context::Explicit, position)
    }

    /// An explicit cast, or any other whose failure is "cannot cast".
    pub(super) fn cast_to(&mut self, expr: Expr, to: Type, context: Context, position: u32) -> Result<Expr> {
        let from = expr.typ().oid;
        match self.coerce_to(expr, to, context, position)? {
            Some(expr) if context == Context::Explicit => Ok(self.noted_cast(expr, Type::new(from))),
            Some(expr) => Ok(expr),
            None => Err(self.cannot_cast(from, to.oid).at(position)),
        }
    }
}
