//! Function calls: the ordinary ones, and those whose arguments have a syntax of their own.

use sqlparser::ast::{
    DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Value, ValueWithSpan,
    WindowType,
};
use sqlparser::tokenizer::{Span, Token};

use super::Grammar;
use super::cursor::*;
use super::expr::{argument_list, call, system_call, text_value};
use super::infix::MATCH;

impl Grammar<'_, '_> {
    /// Functions whose arguments have a syntax of their own.
    pub(super) fn special_function(&mut self) -> Parse<Expr> {
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
    pub(super) fn plain_arguments(&mut self, name: Ident, first: Expr) -> Parse<Expr> {
        let mut args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(first))];
        while take_token(self, &Token::Comma) {
            args.push(self.argument()?);
        }
        Ok(call(ObjectName::from(vec![name]), argument_list(args)))
    }

    pub(super) fn substring(&mut self, name: Ident, at: Span) -> Parse<Expr> {
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

    pub(super) fn trim(&mut self, at: Span) -> Parse<Expr> {
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
    pub(super) fn argument(&mut self) -> Parse<FunctionArg> {
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
    pub(super) fn typed_with_modifiers(
        &mut self,
        name: &ObjectName,
        list: &FunctionArgumentList,
    ) -> Parse<Option<Expr>> {
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
}
