//! Expressions: the dispatch over the AST's forms, and those that are short.

use std::sync::Arc;

use sqlparser::ast;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::ident;
use crate::sql::plan::{AggregateCall, Expr, OutputColumn, Rel, Subquery, SubqueryKind, Subscript};
use crate::sql::shape::form;
use crate::sql::types;
use crate::sql::{functions, operators};

use super::coerce::Context;
use super::operator::{OperatorAt, logical};
use super::scope::Scope;
use super::select::QueryOptions;
use super::{Binder, Bound};

impl Binder<'_> {
    /// Binds an expression in a scope. Literals may stay of type `unknown`.
    pub(super) fn expr(&mut self, expr: &ast::Expr, scope: &Scope<'_>) -> Result<Expr> {
        let mut inner = expr;
        while let ast::Expr::Nested(nested) = inner {
            inner = nested;
        }
        match inner {
            // The two most frequent need no guard.
            ast::Expr::Identifier(name) => self.identifier(name, scope),
            ast::Expr::Value(value) => self.value(value),
            _ => self.deeper(|binder| binder.dispatch(inner, scope)),
        }
    }

    /// Binds a condition.
    pub(super) fn condition(&mut self, expr: &ast::Expr, what: &str, scope: &Scope<'_>) -> Result<Expr> {
        let bound = self.expr(expr, scope)?;
        if bound.typ() == Type::BOOL {
            return Ok(bound);
        }
        let position = self.expr_at(expr);
        self.coerce_bool(bound, what, position)
    }

    fn dispatch(&mut self, expr: &ast::Expr, scope: &Scope<'_>) -> Result<Expr> {
        use ast::Expr::*;
        match expr {
            Identifier(name) => self.identifier(name, scope),
            CompoundIdentifier(names) => self.compound_identifier(names, scope),
            CompoundFieldAccess { root, access_chain } => self.field_access(root, access_chain, scope),
            Value(value) => self.value(value),
            TypedString(typed) => self.typed_string(typed),
            Interval(interval) => self.interval(interval),
            Nested(inner) => self.expr(inner, scope),
            BinaryOp { .. } => self.chain(expr, scope),
            UnaryOp { op, expr } => self.unary(op, expr, scope),
            IsNull(inner) => self.is_null(inner, false, scope),
            IsNotNull(inner) => self.is_null(inner, true, scope),
            IsTrue(inner) => self.is_bool(inner, Some(true), false, "IS TRUE", scope),
            IsNotTrue(inner) => self.is_bool(inner, Some(true), true, "IS NOT TRUE", scope),
            IsFalse(inner) => self.is_bool(inner, Some(false), false, "IS FALSE", scope),
            IsNotFalse(inner) => self.is_bool(inner, Some(false), true, "IS NOT FALSE", scope),
            IsUnknown(inner) => self.is_bool(inner, None, false, "IS UNKNOWN", scope),
            IsNotUnknown(inner) => self.is_bool(inner, None, true, "IS NOT UNKNOWN", scope),
            IsDistinctFrom(left, right) => self.is_distinct(left, right, false, scope),
            IsNotDistinctFrom(left, right) => self.is_distinct(left, right, true, scope),
            InList { expr, list, negated } => self.in_list(expr, list, *negated, scope),
            InSubquery { expr, subquery, negated } => {
                let test = self.quantified(expr, "=", false, subquery, scope)?;
                Ok(if *negated { Expr::Not(Box::new(test)) } else { test })
            }
            Between { expr, negated, low, high } => self.between(expr, *negated, low, high, scope),
            Like { negated, any, expr, pattern, escape_char } => {
                let name = if *negated { "!~~" } else { "~~" };
                self.like(name, "like_escape", *any, expr, pattern, escape_char.as_deref(), scope)
            }
            ILike { negated, any, expr, pattern, escape_char } => {
                let name = if *negated { "!~~*" } else { "~~*" };
                self.like(name, "like_escape", *any, expr, pattern, escape_char.as_deref(), scope)
            }
            SimilarTo { negated, expr, pattern, escape_char } => {
                self.similar(*negated, expr, pattern, escape_char.as_deref(), scope)
            }
            AnyOp { left, compare_op, right, .. } => {
                let name = self.comparison_symbol(compare_op)?;
                self.any_all(left, &name, false, right, scope)
            }
            AllOp { left, compare_op, right } => {
                let name = self.comparison_symbol(compare_op)?;
                self.any_all(left, &name, true, right, scope)
            }
            Cast { kind, expr: inner, data_type, format } => {
                if format.is_some() || !matches!(kind, ast::CastKind::Cast | ast::CastKind::DoubleColon) {
                    return Err(Error::unsupported("this form of CAST"));
                }
                self.cast(expr, inner, data_type, scope)
            }
            AtTimeZone { timestamp, time_zone } => {
                let call = self.call_plain("timezone", &[time_zone, timestamp], self.after(timestamp), scope)?;
                Ok(self.noted(&form::SYNTAX, call))
            }
            Extract { field, expr: inner, .. } => self.extract(field, inner, scope),
            Ceil { expr: inner, field } => self.rounding("ceil", inner, field, scope),
            Floor { expr: inner, field } => self.rounding("floor", inner, field, scope),
            Position { expr: part, r#in } => {
                let call = self.call_plain("position", &[r#in, part], self.expr_at(expr), scope)?;
                Ok(self.noted(&form::SYNTAX, call))
            }
            Substring { expr: text, substring_from, substring_for, shorthand, .. } => {
                self.substring(text, substring_from.as_deref(), substring_for.as_deref(), *shorthand, scope)
            }
            Trim { trim_where, trim_what, expr: text, trim_characters } => {
                self.trim(*trim_where, trim_what.as_deref(), text, trim_characters.as_deref(), scope)
            }
            Overlay { expr: text, overlay_what, overlay_from, overlay_for } => {
                let mut args: Vec<&ast::Expr> = vec![text, overlay_what, overlay_from];
                args.extend(overlay_for.as_deref());
                let call = self.call_plain("overlay", &args, self.expr_at(expr), scope)?;
                Ok(self.noted(&form::SYNTAX, call))
            }
            IsNormalized { expr: inner, form, negated } => self.is_normalized(inner, *form, *negated, scope),
            Collate { expr: inner, collation } => self.collate(inner, collation, scope),
            Function(function) => self.function(function, scope),
            Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), scope)
            }
            Exists { subquery, negated } => {
                let bound = self.subquery(subquery, scope)?;
                let test = self.subquery_expr(SubqueryKind::Exists, bound, Type::BOOL);
                Ok(if *negated { Expr::Not(Box::new(test)) } else { test })
            }
            Subquery(query) => self.scalar_subquery(query, scope),
            Tuple(items) => self.row(items, scope),
            Array(array) => self.array(array, None, self.expr_at(expr), scope),
            IsJson { expr, kind, unique_keys, negated } => {
                self.is_json(expr, kind.as_ref(), unique_keys.as_ref(), *negated, scope)
            }
            GroupingSets(_) | Cube(_) | Rollup(_) => {
                Err(err!(SYNTAX_ERROR, "syntax error at or near \"{expr}\"").at(self.expr_at(expr)))
            }
            QualifiedWildcard(name, _) => self.whole_row_of(name, scope),
            Wildcard(_) => Err(err!(SYNTAX_ERROR, "syntax error at or near \"*\"").at(self.expr_at(expr))),
            _ => Err(Error::unsupported("this form of expression").at(self.expr_at(expr))),
        }
    }

    fn comparison_symbol(&self, op: &ast::BinaryOperator) -> Result<String> {
        super::operator::symbol(op).ok_or_else(|| Error::unsupported(format!("operator {op} with ANY or ALL")))
    }

    fn unary(&mut self, op: &ast::UnaryOperator, operand: &ast::Expr, scope: &Scope<'_>) -> Result<Expr> {
        use ast::UnaryOperator::*;
        let name = match op {
            Not => {
                let bound = self.expr(operand, scope)?;
                let position = self.expr_at(operand);
                return Ok(Expr::Not(Box::new(self.coerce_bool(bound, "NOT", position)?)));
            }
            Plus => "+",
            Minus => "-",
            BitwiseNot => "~",
            PGAbs => "@",
            PGSquareRoot => "|/",
            PGCubeRoot => "||/",
            PGPrefixFactorial => "!!",
            AtDashAt => "@-@",
            DoubleAt => "@@",
            Hash => "#",
            QuestionDash => "?-",
            QuestionPipe => "?|",
            BangNot | PGPostfixFactorial => return Err(Error::unsupported(format!("operator {op}"))),
        };
        if self.is_recording()
            && name == "-"
            && let Some(number) = written_number(operand)
        {
            return self.number(&format!("-{number}"));
        }
        let bound = self.expr(operand, scope)?;
        let position = self.before(super::position::start(operand));
        self.prefix(name, bound, position, self.expr_at(operand))
    }

    fn is_null(&mut self, inner: &ast::Expr, negated: bool, scope: &Scope<'_>) -> Result<Expr> {
        Ok(Expr::IsNull(Box::new(self.expr(inner, scope)?), negated))
    }

    fn is_bool(
        &mut self,
        inner: &ast::Expr,
        value: Option<bool>,
        negated: bool,
        what: &str,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let bound = self.expr(inner, scope)?;
        let position = self.expr_at(inner);
        Ok(Expr::IsBool(Box::new(self.coerce_bool(bound, what, position)?), value, negated))
    }

    fn is_distinct(&mut self, left: &ast::Expr, right: &ast::Expr, negated: bool, scope: &Scope<'_>) -> Result<Expr> {
        let position = self.after(left);
        let (left, right) = (self.expr(left, scope)?, self.expr(right, scope)?);
        self.distinct_from(left, right, negated, position)
    }

    /// `left IS [NOT] DISTINCT FROM right`; `negated` is IS NOT DISTINCT FROM.
    fn distinct_from(&mut self, left: Expr, right: Expr, negated: bool, position: u32) -> Result<Expr> {
        match (left, right) {
            (Expr::Row { fields: left, typ: Type::RECORD, .. }, Expr::Row { fields: right, typ: Type::RECORD, .. }) => {
                if left.len() != right.len() {
                    return Err(err!(SYNTAX_ERROR, "unequal number of entries in row expressions").at(position));
                }
                let mut items = Vec::with_capacity(left.len());
                for (left, right) in left.into_iter().zip(right) {
                    items.push(self.distinct_from(left, right, negated, position)?);
                }
                let mut items = items.into_iter();
                let first = items.next().unwrap_or(Expr::bool(negated));
                Ok(items.fold(first, |acc, item| logical(negated, acc, item)))
            }
            // Against a NULL literal it is a test for NULL.
            (left, Expr::Const(Datum::Null, Type::UNKNOWN)) => Ok(Expr::IsNull(Box::new(left), !negated)),
            (Expr::Const(Datum::Null, Type::UNKNOWN), right) => Ok(Expr::IsNull(Box::new(right), !negated)),
            (left, right) => {
                let call = self.binary("=", left, right, OperatorAt::all(position))?;
                let Expr::Call { function, mut args, .. } = call else {
                    return Err(Error::internal("an operator is a call"));
                };
                let (Some(right), Some(left)) = (args.pop(), args.pop()) else {
                    return Err(Error::internal("= has two operands"));
                };
                Ok(Expr::IsDistinct { left: Box::new(left), right: Box::new(right), equal: function, negated })
            }
        }
    }

    fn between(
        &mut self,
        expr: &ast::Expr,
        negated: bool,
        low: &ast::Expr,
        high: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let value = self.expr(expr, scope)?;
        let (low_bound, high_bound) = (self.expr(low, scope)?, self.expr(high, scope)?);
        let (first, second) = if negated { ("<", ">") } else { (">=", "<=") };
        let above = self.compare_or_apply(first, value.clone(), low_bound, OperatorAt::lazy(expr, low))?;
        let below = self.compare_or_apply(second, value, high_bound, OperatorAt::lazy(expr, high))?;
        Ok(if negated { Expr::Or(vec![above, below]) } else { Expr::And(vec![above, below]) })
    }

    fn cast(
        &mut self,
        whole: &ast::Expr,
        inner: &ast::Expr,
        data_type: &ast::DataType,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let typ = self.data_type(data_type)?;
        let mut stripped = inner;
        while let ast::Expr::Nested(nested) = stripped {
            stripped = nested;
        }
        // An array constructor takes the wanted type into its elements.
        let bound = match stripped {
            ast::Expr::Array(array)
                if types::element_of(typ.oid).is_some()
                    && !(self.is_verbatim() && matches!(inner, ast::Expr::Nested(_))) =>
            {
                self.array(array, Some(Type::new(typ.oid)), self.expr_at(whole), scope)?
            }
            _ => self.expr(inner, scope)?,
        };
        let is_literal = matches!(bound, Expr::Const(Datum::Text(_), Type::UNKNOWN));
        let from = bound.typ().oid;
        match self.coerce_to(bound, typ, Context::Explicit, 0) {
            Ok(Some(expr)) => Ok(self.noted_cast(expr, Type::new(from))),
            Ok(None) => Err(self.cannot_cast(from, typ.oid).at(self.after(inner))),
            Err(error) if is_literal => Err(error.at(self.expr_at(inner))),
            Err(error) => Err(error.at(self.after(inner))),
        }
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let before = scope.level.borrow_mut().conditional.replace("CASE");
        let result = self.case_inner(operand, conditions, otherwise, scope);
        scope.level.borrow_mut().conditional = before;
        result
    }

    fn case_inner(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let operand = match operand {
            Some(written) => {
                let bound = self.expr(written, scope)?;
                Some((self.unknown_is_text(bound, 0)?, written))
            }
            None => None,
        };
        let (mut tests, mut results, mut at) = (Vec::new(), Vec::new(), Vec::new());
        // The ELSE is first in the choice of the type.
        if let Some(otherwise) = otherwise {
            at.push(self.expr_at(otherwise));
        }
        for when in conditions {
            let test = match &operand {
                Some((value, written)) => {
                    let compared = self.expr(&when.condition, scope)?;
                    let at = OperatorAt::lazy(written, &when.condition);
                    let test = self.compare_or_apply("=", value.clone(), compared, at)?;
                    self.coerce_bool(test, "CASE/WHEN", 0)?
                }
                None => self.condition(&when.condition, "CASE/WHEN", scope)?,
            };
            tests.push(test);
            results.push(self.expr(&when.result, scope)?);
            at.push(self.expr_at(&when.result));
        }
        let has_else = otherwise.is_some();
        if let Some(otherwise) = otherwise {
            let bound = self.expr(otherwise, scope)?;
            results.insert(0, bound);
        } else {
            results.insert(0, Expr::null(Type::UNKNOWN));
            at.insert(0, 0);
        }
        let (mut results, typ) = self.unify(results, "CASE", &at)?;
        let otherwise = results.remove(0);
        let whens = tests.into_iter().zip(results).collect();
        let whole = Expr::Case { whens, otherwise: has_else.then(|| Box::new(otherwise)), typ };
        Ok(match operand {
            Some((operand, _)) if self.is_recording() => form::of(&form::SIMPLE_CASE, vec![operand, whole], typ),
            _ => whole,
        })
    }

    /// `ROW(...)`, `(a, b)`.
    pub(super) fn row(&mut self, items: &[ast::Expr], scope: &Scope<'_>) -> Result<Expr> {
        let mut fields = Vec::with_capacity(items.len());
        for item in items {
            match item {
                // `ROW(t.*)` is spread out.
                ast::Expr::QualifiedWildcard(name, _) => {
                    let expanded = self.expand_qualified(name, scope)?;
                    fields.extend(expanded.into_iter().map(|(_, expr, _)| expr));
                }
                _ => fields.push(self.expr(item, scope)?),
            }
        }
        // Unknown literals are settled where the row is used.
        Ok(row_of(fields))
    }

    /// `ARRAY[...]`; `wanted` is the array type that a cast around it asks for.
    pub(super) fn array(
        &mut self,
        array: &ast::Array,
        wanted: Option<Type>,
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let wanted_element = wanted.and_then(|typ| types::element_of(typ.oid));
        let (mut elements, mut at) = (Vec::with_capacity(array.elem.len()), Vec::new());
        let mut nested = false;
        for element in &array.elem {
            at.push(self.expr_at(element));
            let bound = match element {
                ast::Expr::Array(inner) => {
                    nested = true;
                    let inner_at = self.expr_at(element);
                    self.deeper(|binder| binder.array(inner, wanted, inner_at, scope))?
                }
                other => self.expr(other, scope)?,
            };
            nested |= types::element_of(bound.typ().oid).is_some() && !is_vector(bound.typ());
            elements.push(bound);
        }
        if let Some(wanted) = wanted {
            let element = Type::new(wanted_element.unwrap_or(wanted.oid));
            let target = if nested { wanted } else { element };
            let mut out = Vec::with_capacity(elements.len());
            for (expr, at) in elements.into_iter().zip(&at) {
                out.push(self.cast_to(expr, target, Context::Explicit, *at)?);
            }
            return Ok(Expr::Array { elements: out, nested, typ: wanted, element });
        }
        if elements.is_empty() {
            return Err(err!(INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                .hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                .at(position));
        }
        let mut out = Vec::with_capacity(elements.len());
        let (unified, common) = self.unify(elements, "ARRAY", &at)?;
        out.extend(unified);
        let (typ, element) = if nested {
            let element = types::element_of(common.oid)
                .ok_or_else(|| err!(DATATYPE_MISMATCH, "ARRAY types do not match").at(position))?;
            (Type::new(common.oid), Type::new(element))
        } else {
            (self.array_type_of(common, position)?, Type::new(common.oid))
        };
        Ok(Expr::Array { elements: out, nested, typ, element })
    }

    /// The array type over a type.
    pub(super) fn array_type_of(&self, element: Type, position: u32) -> Result<Type> {
        types::array_of(element.oid).map(Type::new).ok_or_else(|| {
            err!(UNDEFINED_OBJECT, "could not find array type for data type {}", self.type_name(element.oid))
                .at(position)
        })
    }

    /// Binds a query inside an expression.
    pub(super) fn subquery(&mut self, query: &ast::Query, scope: &Scope<'_>) -> Result<Bound> {
        let options = QueryOptions::default();
        self.query(query, options, scope)
    }

    fn scalar_subquery(&mut self, query: &ast::Query, scope: &Scope<'_>) -> Result<Expr> {
        let bound = self.subquery(query, scope)?;
        let [column] = bound.columns.as_slice() else {
            return Err(err!(SYNTAX_ERROR, "subquery must return only one column").at(self.before_query(query)));
        };
        let typ = column.typ;
        Ok(self.subquery_expr(SubqueryKind::Scalar, bound, typ))
    }

    /// `ARRAY(SELECT ...)`.
    pub(super) fn array_subquery(&mut self, query: &ast::Query, position: u32, scope: &Scope<'_>) -> Result<Expr> {
        let bound = self.subquery(query, scope)?;
        let [column] = bound.columns.as_slice() else {
            return Err(err!(SYNTAX_ERROR, "subquery must return only one column").at(position));
        };
        let typ = if types::element_of(column.typ.oid).is_some() {
            Type::new(column.typ.oid)
        } else {
            self.array_type_of(column.typ, position)?
        };
        Ok(self.subquery_expr(SubqueryKind::Array, bound, typ))
    }

    /// `JSON_ARRAY(query)`: the values of its one column but for NULLs; of no rows it is NULL.
    pub(super) fn json_array_of(&mut self, query: &ast::Query, position: u32, scope: &Scope<'_>) -> Result<Expr> {
        let bound = self.subquery(query, scope)?;
        let [column] = bound.columns.as_slice() else {
            return Err(err!(SYNTAX_ERROR, "subquery must return only one column").at(position));
        };
        let function = functions::find("json_agg_strict").first().ok_or_else(|| Error::internal("json_agg_strict"))?;
        let call = AggregateCall {
            function,
            args: vec![column.expr()],
            distinct: false,
            order: Vec::new(),
            filter: None,
            typ: Type::JSON,
        };
        let id = self.column();
        let output = OutputColumn { id, name: "json_array".into(), typ: Type::JSON, origin: (0, 0) };
        let rel =
            Rel::Aggregate { input: Box::new(bound.rel), groups: Vec::new(), sets: None, aggregates: vec![(id, call)] };
        Ok(subquery_expr(SubqueryKind::Scalar, Bound { rel, columns: vec![output] }, Type::JSON))
    }

    /// The position of a subquery's opening parenthesis.
    fn before_query(&self, query: &ast::Query) -> u32 {
        self.before(super::position::query_start(query))
    }

    fn field_access(&mut self, root: &ast::Expr, chain: &[ast::AccessExpr], scope: &Scope<'_>) -> Result<Expr> {
        let position = self.expr_at(root);
        // `t.a[1]` arrives as a root `t` with a dot: names are taken together first.
        let mut names = Vec::new();
        if let ast::Expr::Identifier(name) = root {
            names.push(name.clone());
            for access in chain {
                match access {
                    ast::AccessExpr::Dot(ast::Expr::Identifier(name)) => names.push(name.clone()),
                    _ => break,
                }
            }
        }
        // `(t).a`: messages name the row.
        let alias = match root {
            ast::Expr::Nested(inner) => match &**inner {
                ast::Expr::Identifier(name) => Some(ident(name)),
                _ => None,
            },
            _ => None,
        };
        let (mut value, rest) = match names.len() {
            0 => (self.expr(root, scope)?, chain),
            1 => (self.identifier(&names[0], scope)?, chain),
            n => (self.compound_identifier(&names, scope)?, &chain[n - 1..]),
        };
        let mut i = 0;
        while i < rest.len() {
            match &rest[i] {
                ast::AccessExpr::Dot(ast::Expr::Identifier(name)) => {
                    value = self.field_of(value, name, alias.as_deref(), position)?;
                    i += 1;
                }
                ast::AccessExpr::Dot(ast::Expr::Wildcard(_)) => {
                    return Err(
                        err!(FEATURE_NOT_SUPPORTED, "row expansion via \"*\" is not supported here").at(position)
                    );
                }
                ast::AccessExpr::Dot(_) => return Err(Error::unsupported("this form of field selection")),
                ast::AccessExpr::Subscript(_) => {
                    let mut brackets = Vec::new();
                    while let Some(ast::AccessExpr::Subscript(subscript)) = rest.get(i) {
                        brackets.push(subscript);
                        i += 1;
                    }
                    value = self.subscript(value, &brackets, position, scope)?;
                }
            }
        }
        Ok(value)
    }

    fn subscript(
        &mut self,
        value: Expr,
        brackets: &[&ast::Subscript],
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let container = value.typ();
        let is_jsonb = container.oid == Type::JSONB.oid;
        // A name is an array of "char", counted from 0.
        if let (true, [ast::Subscript::Index { index }]) = (container.oid == Type::NAME.oid, brackets) {
            let bound = self.expr(index, scope)?;
            let bound = self.subscript_index(bound, false, index)?;
            let one = || Expr::Const(crate::document::Datum::Int4(1), Type::INT4);
            let from = self.binary("+", bound, one(), OperatorAt::all(position))?;
            let text = self.coerce(value, Type::TEXT, Context::Implicit, position)?;
            let letter = self.call_scalar("substr", vec![text, from, one()], &[0, 0, 0], position)?;
            return Ok(Expr::Cast {
                input: Box::new(letter),
                typ: Type::CHAR,
                kind: crate::sql::plan::CastKind::Relabel,
            });
        }
        let Some(element) = (if is_jsonb { Some(Type::JSONB.oid) } else { types::element_of(container.oid) }) else {
            return Err(err!(
                DATATYPE_MISMATCH,
                "cannot subscript type {} because it does not support subscripting",
                self.type_name(container.oid)
            )
            .at(position));
        };
        if brackets.len() > 6 && !is_jsonb {
            return Err(err!(
                PROGRAM_LIMIT_EXCEEDED,
                "number of array dimensions ({}) exceeds the maximum allowed (6)",
                brackets.len()
            )
            .at(position));
        }
        let mut slices = false;
        let mut out = Vec::with_capacity(brackets.len());
        for bracket in brackets {
            match bracket {
                ast::Subscript::Index { index } => {
                    let bound = self.expr(index, scope)?;
                    let written = self.is_recording().then(|| bound.clone());
                    let mut bound = self.subscript_index(bound, is_jsonb, index)?;
                    if self.is_recording() && !is_jsonb {
                        bound = self.as_written(written, &bound);
                    }
                    out.push(Subscript::Index(bound));
                }
                ast::Subscript::Slice { lower_bound, upper_bound, stride } => {
                    if stride.is_some() {
                        return Err(err!(SYNTAX_ERROR, "syntax error at or near \":\"").at(position));
                    }
                    if is_jsonb {
                        let at = lower_bound.as_ref().or(upper_bound.as_ref()).map_or(position, |e| self.expr_at(e));
                        return Err(err!(DATATYPE_MISMATCH, "jsonb subscript does not support slices").at(at));
                    }
                    slices = true;
                    let mut bounds = [None, None];
                    for (slot, bound) in bounds.iter_mut().zip([lower_bound, upper_bound]) {
                        if let Some(written) = bound {
                            let bound = self.expr(written, scope)?;
                            *slot = Some(self.subscript_index(bound, false, written)?);
                        }
                    }
                    let [lower, upper] = bounds;
                    out.push(Subscript::Slice(lower, upper));
                }
            }
        }
        let typ = if slices { Type::new(container.oid) } else { Type::new(element) };
        Ok(Expr::Subscript { input: Box::new(value), subscripts: out, typ })
    }

    /// An index of an array is int4; one of jsonb int4 or text.
    pub(super) fn subscript_index(&mut self, bound: Expr, is_jsonb: bool, written: &ast::Expr) -> Result<Expr> {
        let from = bound.typ().oid;
        let position = self.expr_at(written);
        if is_jsonb {
            if from == Type::UNKNOWN.oid {
                return self.coerce(bound, Type::TEXT, Context::Implicit, position);
            }
            for target in [Type::INT4, Type::TEXT] {
                if super::coerce::can_coerce(from, target.oid, Context::Implicit) {
                    return self.coerce(bound, target, Context::Implicit, position);
                }
            }
            return Err(err!(DATATYPE_MISMATCH, "subscript type {} is not supported", self.type_name(from))
                .hint("jsonb subscript must be coercible to either integer or text.")
                .at(position));
        }
        match self.coerce_to(bound, Type::INT4, Context::Assignment, position)? {
            Some(expr) => Ok(expr),
            None => Err(err!(DATATYPE_MISMATCH, "array subscript must have type integer").at(position)),
        }
    }

    /// COALESCE.
    pub(super) fn coalesce(&mut self, args: &[&ast::Expr], scope: &Scope<'_>) -> Result<Expr> {
        let before = scope.level.borrow_mut().conditional.replace("COALESCE");
        let (mut bound, mut at) = (Vec::new(), Vec::new());
        for arg in args {
            match self.expr(arg, scope) {
                Ok(expr) => bound.push(expr),
                Err(error) => {
                    scope.level.borrow_mut().conditional = before;
                    return Err(error);
                }
            }
            at.push(self.expr_at(arg));
        }
        scope.level.borrow_mut().conditional = before;
        let (items, typ) = self.unify(bound, "COALESCE", &at)?;
        Ok(Expr::Coalesce(items, typ))
    }

    /// GREATEST and LEAST.
    pub(super) fn min_max(&mut self, greatest: bool, args: &[&ast::Expr], scope: &Scope<'_>) -> Result<Expr> {
        let (mut bound, mut at) = (Vec::new(), Vec::new());
        for arg in args {
            bound.push(self.expr(arg, scope)?);
            at.push(self.expr_at(arg));
        }
        let what = if greatest { "GREATEST" } else { "LEAST" };
        let (args, typ) = self.unify(bound, what, &at)?;
        let less = operators::less_than(typ.oid).ok_or_else(|| {
            err!(UNDEFINED_FUNCTION, "could not identify a comparison function for type {}", self.type_name(typ.oid))
        })?;
        Ok(Expr::MinMax { greatest, args, less, typ })
    }

    /// NULLIF.
    pub(super) fn null_if(&mut self, left: &ast::Expr, right: &ast::Expr, scope: &Scope<'_>) -> Result<Expr> {
        let bound_left = self.expr(left, scope)?;
        let bound_right = self.expr(right, scope)?;
        let at = OperatorAt { operator: self.expr_at(left), left: self.expr_at(left), right: self.expr_at(right) };
        let condition = self.binary("=", bound_left, bound_right, at)?;
        let Expr::Call { args, .. } = &condition else { return Err(Error::internal("an operator is a call")) };
        let value = args[0].clone();
        let typ = value.typ();
        Ok(Expr::NullIf { left: Box::new(value), condition: Box::new(condition), typ })
    }

    /// `COLLATE`: the collations whose order is the bytes' are accepted.
    fn collate(&mut self, inner: &ast::Expr, collation: &ast::ObjectName, scope: &Scope<'_>) -> Result<Expr> {
        let (schema, name) = super::relation::name_parts(collation)?;
        let known = ["C", "POSIX", "default", "ucs_basic", "C.UTF-8", "C.utf8", "pg_c_utf8"];
        if schema.as_deref().is_some_and(|schema| schema != "pg_catalog") || !known.contains(&name.as_str()) {
            return Err(err!(UNDEFINED_OBJECT, "collation \"{name}\" for encoding \"UTF8\" does not exist")
                .at(self.after(inner)));
        }
        let mut bound = self.expr(inner, scope)?;
        if bound.typ() == Type::UNKNOWN {
            bound = self.unknown_is_text(bound, 0)?;
        }
        let typ = bound.typ().oid;
        let element = types::element_of(typ).unwrap_or(typ);
        if types::category(element) != 'S' {
            return Err(err!(DATATYPE_MISMATCH, "collations are not supported by type {}", self.type_name(typ))
                .at(self.after(inner)));
        }
        if self.is_recording() {
            let typ = bound.typ();
            return Ok(form::of(&form::COLLATE, vec![bound, form::word(&name)], typ));
        }
        Ok(bound)
    }

    /// The subquery that was bound last as an expression.
    fn subquery_expr(&mut self, kind: SubqueryKind, bound: Bound, typ: Type) -> Expr {
        let mut expr = subquery_expr(kind, bound, typ);
        if let Expr::Subquery(subquery) = &mut expr {
            subquery.shape = self.finished().map(Arc::new);
        }
        expr
    }
}

/// The digits of a number without a sign.
fn written_number(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::Nested(inner) => written_number(inner),
        ast::Expr::Value(ast::ValueWithSpan { value: ast::Value::Number(text, _), .. }) => Some(text.to_string()),
        _ => None,
    }
}

fn is_vector(typ: Type) -> bool {
    typ.oid == Type::INT2VECTOR.oid || typ.oid == Type::OIDVECTOR.oid
}

/// A subquery as an expression.
pub(super) fn subquery_expr(kind: SubqueryKind, bound: Bound, typ: Type) -> Expr {
    let columns = bound.columns.iter().map(|c| (c.id, c.typ)).collect();
    Expr::Subquery(Box::new(Subquery { kind, plan: bound.rel, columns, typ, shape: None }))
}

/// An anonymous row.
pub(super) fn row_of(fields: Vec<Expr>) -> Expr {
    let names = fields.iter().enumerate().map(|(i, f)| (format!("f{}", i + 1).into(), f.typ().oid)).collect();
    Expr::Row { fields, names, typ: Type::RECORD }
}
