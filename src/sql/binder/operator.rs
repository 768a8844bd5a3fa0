//! Operators: resolution, comparison of rows, `IN`, `ANY` and `ALL`.

use std::sync::Arc;

use sqlparser::ast;

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::operators::{self, Operator};
use crate::sql::plan::{Expr, Subquery, SubqueryKind};
use crate::sql::shape::form;
use crate::sql::types;

use super::coerce::{Context, can_coerce, common_type};
use super::polymorphic;
use super::resolve::{Candidate, Choice, choose};
use super::scope::Scope;
use super::{Binder, too_deep};

/// An operator chosen for operand types, polymorphism resolved.
pub(super) struct Chosen {
    pub(super) operator: &'static Operator,
    pub(super) left: Option<Type>,
    pub(super) right: Type,
    pub(super) result: Type,
}

/// The symbol of a binary operator of the AST; `None` for those that PostgreSQL does not have.
pub(super) fn symbol(op: &ast::BinaryOperator) -> Option<String> {
    use ast::BinaryOperator::*;
    Some(match op {
        NotEq => "<>".to_string(),
        PGCustomBinaryOperator(parts) => {
            let (name, schema) = parts.split_last()?;
            if !schema.is_empty() && schema != ["pg_catalog"] {
                return None;
            }
            if name == "!=" { "<>".to_string() } else { name.clone() }
        }
        And | Or | Xor | DuckIntegerDivide | MyIntegerDivide | Match | Regexp | Glob | Spaceship | Assignment
        | Overlaps => return None,
        PGBitwiseXor => "#".to_string(),
        PGExp | BitwiseXor => "^".to_string(),
        other => other.to_string(),
    })
}

impl Binder<'_> {
    /// Chooses an operator; the error is PostgreSQL's.
    pub(super) fn choose_operator(&self, name: &str, left: Option<Oid>, right: Oid, position: u32) -> Result<Chosen> {
        let unknown = Type::UNKNOWN.oid;
        let all = operators::find(name);
        let same_kind = |operator: &&Operator| operator.left.is_some() == left.is_some();
        if let Some(left) = left {
            // An unknown operand is first supposed to have the other's type.
            let (l, r) = match (left == unknown, right == unknown) {
                (true, false) => (right, right),
                (false, true) => (left, left),
                _ => (left, right),
            };
            let exact = all.iter().find(|o| o.left.is_some_and(|t| t.oid == l) && o.right.oid == r);
            if let Some(operator) = exact.filter(|_| l != unknown) {
                return Ok(Chosen { operator, left: operator.left, right: operator.right, result: operator.result });
            }
        }
        let candidates: Vec<Candidate<&'static Operator>> = all
            .iter()
            .filter(same_kind)
            .map(|operator| Candidate {
                what: operator,
                args: operator.left.iter().map(|t| t.oid).chain([operator.right.oid]).collect(),
                gathered: 0,
            })
            .collect();
        let actual: Vec<Oid> = left.into_iter().chain([right]).collect();
        match choose(&self.catalog, candidates, &actual) {
            Choice::One(candidate) => {
                let found = polymorphic::resolve(&self.catalog, &candidate.args, &actual).unwrap_or_default();
                let operator = candidate.what;
                let real = |typ: Type| found.apply(typ.oid).map_or(typ, Type::new);
                Ok(Chosen {
                    operator,
                    left: operator.left.map(real),
                    right: real(operator.right),
                    result: real(operator.result),
                })
            }
            Choice::None => Err(self.no_operator(name, left, right, position)),
            Choice::Ambiguous => {
                Err(err!(AMBIGUOUS_FUNCTION, "operator is not unique: {}", self.operator_text(name, left, right))
                    .hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
                    .at(position))
            }
        }
    }

    fn operator_text(&self, name: &str, left: Option<Oid>, right: Oid) -> String {
        match left {
            Some(left) => format!("{} {name} {}", self.type_name(left), self.type_name(right)),
            None => format!("{name} {}", self.type_name(right)),
        }
    }

    fn no_operator(&self, name: &str, left: Option<Oid>, right: Oid, position: u32) -> Error {
        let hint = match left {
            Some(_) => {
                "No operator matches the given name and argument types. You might need to add explicit type casts."
            }
            None => {
                "No operator matches the given name and argument type. You might need to add an explicit type cast."
            }
        };
        err!(UNDEFINED_FUNCTION, "operator does not exist: {}", self.operator_text(name, left, right))
            .hint(hint)
            .at(position)
    }

    /// `left name right`.
    pub(super) fn binary(&mut self, name: &str, left: Expr, right: Expr, at: OperatorAt) -> Result<Expr> {
        let chosen = self.choose_operator(name, Some(left.typ().oid), right.typ().oid, at.operator)?;
        let left_type = chosen.left.expect("a binary operator has a left type");
        let left = self.coerce(left, left_type, Context::Implicit, at.left)?;
        let right = self.coerce(right, chosen.right, Context::Implicit, at.right)?;
        Ok(Expr::Call { function: chosen.operator.function, args: vec![left, right], typ: chosen.result })
    }

    /// `name operand`.
    pub(super) fn prefix(&mut self, name: &str, operand: Expr, position: u32, operand_at: u32) -> Result<Expr> {
        let chosen = self.choose_operator(name, None, operand.typ().oid, position)?;
        let operand = self.coerce(operand, chosen.right, Context::Implicit, operand_at)?;
        Ok(Expr::Call { function: chosen.operator.function, args: vec![operand], typ: chosen.result })
    }

    /// A chain `a op b op c ...`, which the parser nests to the left: without recursion along it.
    pub(super) fn chain(&mut self, expr: &ast::Expr, scope: &Scope<'_>) -> Result<Expr> {
        let is_logical = |op: &ast::BinaryOperator| matches!(op, ast::BinaryOperator::And | ast::BinaryOperator::Or);
        let mut links = Vec::new();
        let mut first = expr;
        while let ast::Expr::BinaryOp { left, op, right } = first {
            links.push((&**left, op, &**right));
            first = left;
        }
        // Each operator is one level of the plan's tree above the operands to its left.
        let depth = self.depth;
        self.depth += links.iter().filter(|(_, op, _)| !is_logical(op)).count();
        if self.depth > super::NESTING_MAX {
            self.depth = depth;
            return Err(too_deep());
        }
        let mut acc = None;
        for (left, op, right) in links.into_iter().rev() {
            match self.link(acc, left, op, right, scope) {
                Ok(expr) => acc = Some(expr),
                Err(error) => {
                    self.depth = depth;
                    return Err(error);
                }
            }
            self.depth -= usize::from(!is_logical(op));
        }
        self.depth = depth;
        Ok(acc.expect("a binary operator makes at least one link"))
    }

    /// One link of a chain; the left operand is bound already unless it is the first.
    fn link(
        &mut self,
        bound: Option<Expr>,
        left: &ast::Expr,
        op: &ast::BinaryOperator,
        right: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        if let ast::BinaryOperator::And | ast::BinaryOperator::Or = op {
            let is_and = *op == ast::BinaryOperator::And;
            let what = if is_and { "AND" } else { "OR" };
            let bound = match bound {
                Some(bound) => bound,
                None => self.expr(left, scope)?,
            };
            let bound = self.coerce_bool(bound, what, self.expr_at(left))?;
            let right_bound = self.expr(right, scope)?;
            let right_bound = self.coerce_bool(right_bound, what, self.expr_at(right))?;
            if self.is_recording() {
                return Ok(self.noted_logical(is_and, (left, right), bound, right_bound));
            }
            return Ok(logical(is_and, bound, right_bound));
        }
        if *op == ast::BinaryOperator::Overlaps {
            return self.overlaps(left, right, scope);
        }
        let Some(name) = symbol(op) else {
            return Err(Error::unsupported(format!("operator {op}")));
        };
        if bound.is_none()
            && let Some(expr) = self.row_with_subquery(&name, left, right, scope)?
        {
            return Ok(expr);
        }
        let bound = match bound {
            Some(bound) => bound,
            None => self.expr(left, scope)?,
        };
        let right_bound = self.expr(right, scope)?;
        self.compare_or_apply(&name, bound, right_bound, OperatorAt::lazy(left, right))
    }

    /// An operator over any two operands, rows compared field by field.
    pub(super) fn compare_or_apply(&mut self, name: &str, left: Expr, right: Expr, at: LazyAt<'_>) -> Result<Expr> {
        match (left, right) {
            (Expr::Row { fields: left, typ: Type::RECORD, .. }, Expr::Row { fields: right, typ: Type::RECORD, .. }) => {
                let position = self.operator_at(&at).operator;
                self.row_comparison(name, left, right, position)
            }
            (left, right) => {
                // Positions cost a walk over the text, so they are looked for only after a failure.
                let literal_left = left.typ() == Type::UNKNOWN && right.typ() != Type::UNKNOWN;
                let result = self.binary(name, left, right, OperatorAt::default());
                result.map_err(|error| {
                    let at = self.operator_at(&at);
                    let position = match error.code() {
                        SqlState::UNDEFINED_FUNCTION | SqlState::AMBIGUOUS_FUNCTION => at.operator,
                        _ if literal_left => at.left,
                        _ => at.right,
                    };
                    error.at(position)
                })
            }
        }
    }

    /// Resolves lazily held positions.
    fn operator_at(&self, at: &LazyAt<'_>) -> OperatorAt {
        OperatorAt { operator: self.after(at.left), left: self.expr_at(at.left), right: self.expr_at(at.right) }
    }

    /// `(a, b) op (c, d)` by the rules of row comparison.
    pub(super) fn row_comparison(
        &mut self,
        name: &str,
        left: Vec<Expr>,
        right: Vec<Expr>,
        position: u32,
    ) -> Result<Expr> {
        if left.len() != right.len() {
            return Err(err!(SYNTAX_ERROR, "unequal number of entries in row expressions").at(position));
        }
        if left.is_empty() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length").at(position));
        }
        let at = OperatorAt { operator: position, left: position, right: position };
        if left.len() == 1 {
            let (left, right) = (left.into_iter().next(), right.into_iter().next());
            let (Some(left), Some(right)) = (left, right) else {
                return Err(Error::internal("a row of one field has one"));
            };
            return self.binary(name, left, right, at);
        }
        match name {
            "=" | "<>" => {
                let mut items = Vec::with_capacity(left.len());
                for (left, right) in left.into_iter().zip(right) {
                    items.push(self.binary(name, left, right, at)?);
                }
                Ok(if name == "=" { Expr::And(items) } else { Expr::Or(items) })
            }
            "<" | "<=" | ">" | ">=" if self.is_recording() => {
                let (mut l, mut r) = (Vec::new(), Vec::new());
                for (left, right) in left.into_iter().zip(right) {
                    if let Expr::Call { args, .. } = self.binary(name, left, right, at)? {
                        let mut args = args.into_iter();
                        l.extend(args.next());
                        r.extend(args.next());
                    }
                }
                let args = vec![form::word(name), super::expr::row_of(l), super::expr::row_of(r)];
                Ok(form::of(&form::ROWS, args, Type::BOOL))
            }
            "<" | "<=" | ">" | ">=" => {
                let strict = &name[..1];
                let mut pairs: Vec<(Expr, Expr)> = left.into_iter().zip(right).collect();
                let (l, r) = pairs.pop().expect("a row comparison has fields");
                let mut result = self.binary(name, l, r, at)?;
                while let Some((l, r)) = pairs.pop() {
                    let before = self.binary(strict, l.clone(), r.clone(), at)?;
                    let equal = self.binary("=", l, r, at)?;
                    result = Expr::Or(vec![before, Expr::And(vec![equal, result])]);
                }
                Ok(result)
            }
            _ => {
                Err(err!(FEATURE_NOT_SUPPORTED, "could not determine interpretation of row comparison operator {name}")
                    .hint("Row comparison operators must be associated with btree operator families.")
                    .at(position))
            }
        }
    }

    /// `(a, b) op (SELECT ...)`, when it is that.
    fn row_with_subquery(
        &mut self,
        name: &str,
        left: &ast::Expr,
        right: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Result<Option<Expr>> {
        let (ast::Expr::Tuple(items), ast::Expr::Subquery(query)) = (left, right) else { return Ok(None) };
        let position = self.expr_at(left);
        let mut fields = Vec::with_capacity(items.len());
        for item in items {
            fields.push(self.expr(item, scope)?);
        }
        let bound = self.subquery(query, scope)?;
        let finished = self.finished();
        let columns: Vec<Expr> = bound.columns.iter().map(|c| c.expr()).collect();
        self.check_counts(columns.len(), fields.len(), position)?;
        let condition = self.row_comparison(name, fields, columns, position)?;
        let columns = bound.columns.iter().map(|c| (c.id, c.typ)).collect();
        let shape = finished.map(Arc::new);
        Ok(Some(Expr::Subquery(Box::new(Subquery {
            shape,
            kind: SubqueryKind::Row { condition },
            plan: bound.rel,
            columns,
            typ: Type::BOOL,
        }))))
    }

    fn check_counts(&self, columns: usize, fields: usize, position: u32) -> Result<()> {
        match columns.cmp(&fields) {
            std::cmp::Ordering::Less => Err(err!(SYNTAX_ERROR, "subquery has too few columns").at(position)),
            std::cmp::Ordering::Greater => Err(err!(SYNTAX_ERROR, "subquery has too many columns").at(position)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    /// `left op ANY|ALL (SELECT ...)`.
    pub(super) fn quantified(
        &mut self,
        left: &ast::Expr,
        name: &str,
        all: bool,
        query: &ast::Query,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let position = self.after(left);
        let bound_left = self.expr(left, scope)?;
        let bound = self.subquery(query, scope)?;
        let finished = self.finished();
        let columns: Vec<Expr> = bound.columns.iter().map(|c| c.expr()).collect();
        let condition = match bound_left {
            Expr::Row { fields, typ: Type::RECORD, .. } => {
                self.check_counts(columns.len(), fields.len(), position)?;
                self.row_comparison(name, fields, columns, position)?
            }
            left => {
                self.check_counts(columns.len(), 1, position)?;
                self.row_comparison(name, vec![left], columns, position)?
            }
        };
        if condition.typ() != Type::BOOL {
            return Err(err!(DATATYPE_MISMATCH, "operator {name} must return type boolean, not type {}", {
                self.type_name(condition.typ().oid)
            })
            .at(position));
        }
        let columns = bound.columns.iter().map(|c| (c.id, c.typ)).collect();
        let shape = finished.map(Arc::new);
        Ok(Expr::Subquery(Box::new(Subquery {
            shape,
            kind: SubqueryKind::Quantified { all, condition },
            plan: bound.rel,
            columns,
            typ: Type::BOOL,
        })))
    }

    /// `left op ANY|ALL (right)`: an array or a subquery.
    pub(super) fn any_all(
        &mut self,
        left: &ast::Expr,
        name: &str,
        all: bool,
        right: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let mut inner = right;
        while let ast::Expr::Nested(nested) = inner {
            inner = nested;
        }
        if let ast::Expr::Subquery(query) = inner {
            return self.quantified(left, name, all, query, scope);
        }
        let bound = self.expr(left, scope)?;
        let array = self.expr(inner, scope)?;
        self.any_all_array(bound, name, all, array, self.after(left), self.expr_at(left), self.expr_at(inner))
    }

    /// `left op ANY|ALL (array)`.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn any_all_array(
        &mut self,
        left: Expr,
        name: &str,
        all: bool,
        array: Expr,
        position: u32,
        left_at: u32,
        array_at: u32,
    ) -> Result<Expr> {
        let array_type = array.typ().oid;
        let element = if array_type == Type::UNKNOWN.oid {
            Type::UNKNOWN.oid
        } else {
            types::element_of(array_type).ok_or_else(|| {
                err!(WRONG_OBJECT_TYPE, "op ANY/ALL (array) requires array on right side").at(position)
            })?
        };
        let chosen = self.choose_operator(name, Some(left.typ().oid), element, position)?;
        if chosen.result != Type::BOOL {
            return Err(err!(WRONG_OBJECT_TYPE, "op ANY/ALL (array) requires operator to yield boolean").at(position));
        }
        let left = self.coerce(left, chosen.left.unwrap_or(Type::TEXT), Context::Implicit, left_at)?;
        let Some(array_of) = types::array_of(chosen.right.oid) else {
            return Err(err!(
                UNDEFINED_OBJECT,
                "could not find array type for data type {}",
                self.type_name(chosen.right.oid)
            )
            .at(position));
        };
        let array = self.coerce(array, Type::new(array_of), Context::Implicit, array_at)?;
        Ok(Expr::AnyAll { all, left: Box::new(left), operator: chosen.operator.function, array: Box::new(array) })
    }

    /// `left [NOT] IN (list)`.
    pub(super) fn in_list(
        &mut self,
        left: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let name = if negated { "<>" } else { "=" };
        let position = self.after(left);
        let bound = self.expr(left, scope)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(self.expr(item, scope)?);
        }
        if self.is_recording() {
            return self.noted_in_list(bound, items, negated);
        }
        let is_row = matches!(bound, Expr::Row { .. }) || items.iter().any(|item| matches!(item, Expr::Row { .. }));
        let oids: Vec<Oid> = std::iter::once(bound.typ().oid).chain(items.iter().map(|e| e.typ().oid)).collect();
        if !is_row
            && items.len() > 1
            && let Ok(common) = common_type(&oids)
            && types::array_of(common).is_some()
            && oids[1..].iter().all(|oid| can_coerce(*oid, common, Context::Implicit))
        {
            let chosen = self.choose_operator("=", Some(oids[0]), common, position)?;
            let left_type = chosen.left.unwrap_or(Type::TEXT);
            let left_at = self.expr_at(left);
            let bound = self.coerce(bound, left_type, Context::Implicit, left_at)?;
            let mut out = Vec::with_capacity(items.len());
            for (item, written) in items.into_iter().zip(list) {
                let at = if item.typ() == Type::UNKNOWN { self.expr_at(written) } else { 0 };
                let item = self.coerce(item, Type::new(common), Context::Implicit, at)?;
                out.push(self.coerce(item, chosen.right, Context::Implicit, at)?);
            }
            return Ok(Expr::InList { left: Box::new(bound), list: out, equal: chosen.operator.function, negated });
        }
        let mut tests = Vec::with_capacity(items.len());
        for (item, written) in items.into_iter().zip(list) {
            let test = match (bound.clone(), item) {
                (Expr::Row { fields: left, .. }, Expr::Row { fields: right, .. }) => {
                    self.row_comparison(name, left, right, position)?
                }
                (left, right) => {
                    let at = OperatorAt { operator: position, left: position, right: self.expr_at(written) };
                    self.binary(name, left, right, at)?
                }
            };
            tests.push(self.coerce_bool(test, "IN", position)?);
        }
        let mut tests = tests.into_iter();
        let first = tests.next().ok_or_else(|| err!(SYNTAX_ERROR, "syntax error at or near \")\""))?;
        Ok(tests.fold(first, |acc, test| logical(negated, acc, test)))
    }

    /// The `=` of a type, for IS DISTINCT FROM, DISTINCT and grouping.
    pub(super) fn equality_of(&self, typ: Type, position: u32) -> Result<&'static crate::sql::function::Function> {
        operators::equality(typ.oid).ok_or_else(|| {
            err!(UNDEFINED_FUNCTION, "could not identify an equality operator for type {}", self.type_name(typ.oid))
                .at(position)
        })
    }

    /// A type must have an order to be sorted by.
    pub(super) fn check_sortable(&self, typ: Type, position: u32) -> Result<()> {
        match operators::less_than(typ.oid) {
            Some(_) => Ok(()),
            None => Err(err!(
                UNDEFINED_FUNCTION,
                "could not identify an ordering operator for type {}",
                self.type_name(typ.oid)
            )
            .hint("Use an explicit ordering operator or modify the query.")
            .at(position)),
        }
    }
}

/// AND or OR of two, flattened.
pub(super) fn logical(is_and: bool, left: Expr, right: Expr) -> Expr {
    let items = |expr: Expr| match (is_and, expr) {
        (true, Expr::And(items)) | (false, Expr::Or(items)) => items,
        (_, other) => vec![other],
    };
    let mut all = items(left);
    match items(right) {
        mut one if one.len() == 1 => all.append(&mut one),
        many => all.extend(many),
    }
    if is_and { Expr::And(all) } else { Expr::Or(all) }
}

/// Positions for the errors of an operator.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OperatorAt {
    pub(super) operator: u32,
    pub(super) left: u32,
    pub(super) right: u32,
}

/// The operands whose positions are looked up when an error needs them.
#[derive(Clone, Copy)]
pub(super) struct LazyAt<'a> {
    left: &'a ast::Expr,
    right: &'a ast::Expr,
}

impl OperatorAt {
    pub(super) fn lazy<'a>(left: &'a ast::Expr, right: &'a ast::Expr) -> LazyAt<'a> {
        LazyAt { left, right }
    }

    /// One position for everything.
    pub(super) fn all(position: u32) -> Self {
        Self { operator: position, left: position, right: position }
    }
}
