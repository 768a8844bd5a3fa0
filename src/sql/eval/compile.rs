//! From [`Expr`] to [`Node`]: columns become slots, and the fast forms are chosen.

use std::collections::HashMap;

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::casts::{self, Context, Pathway};
use crate::sql::function::{Body, Function};
use crate::sql::operators;
use crate::sql::plan::{self, CastKind, ColumnId, Expr};
use crate::sql::types;

use super::node::{Call, Cast, Deep, Equality, Node, Set, Subscript, grow};

/// Every so many levels the stack is checked.
const LEVELS: usize = 32;
/// Chains from this length on are made flat.
const CHAIN_MIN: usize = 4;
/// Constant lists from this length on become sets.
const SET_MIN: usize = 5;

pub(super) struct Compiler {
    pub(super) slots: HashMap<ColumnId, usize>,
}

impl Compiler {
    pub(super) fn node(&self, expr: &Expr, depth: usize) -> Result<Node> {
        if depth > 0 && depth.is_multiple_of(LEVELS) {
            let node = grow(|| self.build(expr, depth + 1))?;
            return Ok(Node::Grow(Deep(Some(Box::new(node)))));
        }
        self.build(expr, depth + 1)
    }

    fn boxed(&self, expr: &Expr, depth: usize) -> Result<Box<Node>> {
        self.node(expr, depth).map(Box::new)
    }

    fn nodes(&self, exprs: &[Expr], depth: usize) -> Result<Vec<Node>> {
        exprs.iter().map(|expr| self.node(expr, depth)).collect()
    }

    fn build(&self, expr: &Expr, depth: usize) -> Result<Node> {
        let node = |expr: &Expr| self.boxed(expr, depth);
        Ok(match expr {
            Expr::Const(value, _) => Node::Const(value.clone()),
            Expr::Param(index, _) => Node::Param(*index),
            Expr::Column(id, _) => match self.slots.get(id) {
                Some(slot) => Node::Column(*slot),
                None => return Err(Error::internal(format!("column #{id} is not in the row"))),
            },
            Expr::Call { function, args, .. } => self.call(expr, function, args, depth)?,
            Expr::Cast { input, typ, kind } => {
                Node::Cast { cast: cast(type_of(input), *typ, *kind)?, input: node(input)? }
            }
            Expr::And(terms) => Node::And(self.nodes(terms, depth)?),
            Expr::Or(terms) => Node::Or(self.nodes(terms, depth)?),
            Expr::Not(input) => Node::Not(node(input)?),
            Expr::IsNull(input, negated) => Node::IsNull(node(input)?, *negated),
            Expr::IsBool(input, value, negated) => Node::IsBool(node(input)?, *value, *negated),
            Expr::IsDistinct { left, right, equal, negated } => {
                Node::IsDistinct { left: node(left)?, right: node(right)?, equal: test(equal)?, negated: *negated }
            }
            Expr::Case { whens, otherwise, .. } => Node::Case {
                whens: whens
                    .iter()
                    .map(|(condition, result)| Ok((self.node(condition, depth)?, self.node(result, depth)?)))
                    .collect::<Result<_>>()?,
                otherwise: otherwise.as_deref().map(node).transpose()?,
            },
            Expr::Coalesce(args, _) => Node::Coalesce(self.nodes(args, depth)?),
            Expr::NullIf { left, condition, .. } => Node::NullIf { left: node(left)?, condition: node(condition)? },
            Expr::MinMax { greatest, args, less, .. } => {
                Node::MinMax { greatest: *greatest, args: self.nodes(args, depth)?, less: test(less)? }
            }
            Expr::AnyAll { all, left, operator, array } => {
                Node::AnyAll { all: *all, left: node(left)?, operator: test(operator)?, array: node(array)? }
            }
            Expr::InList { left, list, equal, negated } => self.in_list(left, list, equal, *negated, depth)?,
            Expr::Array { elements, nested, element, .. } => {
                Node::Array { elements: self.nodes(elements, depth)?, nested: *nested, element: element.oid }
            }
            Expr::Row { fields, names, .. } => Node::Row { fields: self.nodes(fields, depth)?, names: names.clone() },
            Expr::Field { input, index, .. } => Node::Field { input: node(input)?, index: *index },
            Expr::Subscript { input, subscripts, .. } => Node::Subscript {
                input: node(input)?,
                subscripts: subscripts.iter().map(|s| self.subscript(s, depth)).collect::<Result<_>>()?,
            },
            Expr::Subquery(_) => return Err(Error::internal("a subquery reached the row interpreter")),
            Expr::Grouping(_) => return Err(Error::internal("GROUPING reached the row interpreter")),
        })
    }

    fn subscript(&self, subscript: &plan::Subscript, depth: usize) -> Result<Subscript> {
        let bound = |expr: &Option<Expr>| expr.as_ref().map(|expr| self.node(expr, depth)).transpose();
        Ok(match subscript {
            plan::Subscript::Index(expr) => Subscript::Index(self.node(expr, depth)?),
            plan::Subscript::Slice(lower, upper) => Subscript::Slice(bound(lower)?, bound(upper)?),
        })
    }

    fn call(&self, expr: &Expr, function: &'static Function, args: &[Expr], depth: usize) -> Result<Node> {
        if let [left, right] = args {
            if let Some(comparison) = operators::comparison(function.oid) {
                return Ok(Node::Compare {
                    comparison,
                    left: self.boxed(left, depth)?,
                    right: self.boxed(right, depth)?,
                });
            }
            if let Some(node) = self.navigate(expr, depth)? {
                return Ok(node);
            }
            if let Some(node) = self.chain(expr, depth)? {
                return Ok(node);
            }
        }
        Ok(Node::Call(call(function, self.nodes(args, depth)?)?))
    }

    /// `doc -> 'a' -> 'b' ->> 'c'` as one node.
    fn navigate(&self, expr: &Expr, depth: usize) -> Result<Option<Node>> {
        let Some((mut input, last, as_text)) = navigation(expr) else { return Ok(None) };
        let mut steps = vec![last];
        while let Some((inner, step, false)) = navigation(input) {
            steps.push(step);
            input = inner;
        }
        steps.reverse();
        let steps = steps.into_iter().map(|step| self.node(step, depth)).collect::<Result<_>>()?;
        Ok(Some(Node::Navigate { input: self.boxed(input, depth)?, steps, as_text }))
    }

    /// A long left-deep chain of two-place operators, flat: depth costs neither stack nor time.
    fn chain(&self, expr: &Expr, depth: usize) -> Result<Option<Node>> {
        let mut spine = Vec::new();
        let mut first = expr;
        while let Expr::Call { function, args, .. } = first {
            let [left, right] = args.as_slice() else { break };
            if operators::comparison(function.oid).is_some() {
                break;
            }
            spine.push((*function, right));
            first = left;
        }
        if spine.len() < CHAIN_MIN {
            return Ok(None);
        }
        let mut links = Vec::with_capacity(spine.len());
        for (function, right) in spine.into_iter().rev() {
            links.push((call(function, Vec::new())?, self.node(right, depth)?));
        }
        Ok(Some(Node::Chain { first: self.boxed(first, depth)?, links }))
    }

    fn in_list(
        &self,
        left: &Expr,
        list: &[Expr],
        equal: &'static Function,
        negated: bool,
        depth: usize,
    ) -> Result<Node> {
        let left = self.boxed(left, depth)?;
        if list.len() >= SET_MIN
            && let Some((set, has_null)) = constant_set(list, equal)
        {
            return Ok(Node::InSet { left, set, has_null, negated });
        }
        Ok(Node::InList { left, list: self.nodes(list, depth)?, equal: test(equal)?, negated })
    }
}

/// The input, the step and whether the result is text, if the expression is a step of jsonb navigation.
fn navigation(expr: &Expr) -> Option<(&Expr, &Expr, bool)> {
    let Expr::Call { function, args, .. } = expr else { return None };
    let [input, step] = args.as_slice() else { return None };
    match function.oid {
        // jsonb_object_field, jsonb_array_element
        3478 | 3215 => Some((input, step, false)),
        // jsonb_object_field_text, jsonb_array_element_text
        3214 | 3216 => Some((input, step, true)),
        _ => None,
    }
}

fn call(function: &'static Function, args: Vec<Node>) -> Result<Call> {
    let kernel = match function.body {
        Body::Scalar(kernel) => Some(kernel),
        Body::Host => None,
        Body::Set(_) => {
            return Err(err!(FEATURE_NOT_SUPPORTED, "set-returning functions are not allowed here: {}", function.name));
        }
        Body::Aggregate(_) | Body::Window => {
            return Err(Error::internal(format!("{} reached the row interpreter", function.name)));
        }
    };
    Ok(Call { function, kernel, args })
}

fn test(function: &'static Function) -> Result<Equality> {
    if let Some(comparison) = operators::comparison(function.oid) {
        return Ok(Equality::Fast(comparison));
    }
    match function.body {
        Body::Scalar(kernel) => Ok(Equality::Kernel(kernel, function.strict)),
        _ => Err(Error::internal(format!("{} is not a scalar operator", function.name))),
    }
}

fn constant_set(list: &[Expr], equal: &'static Function) -> Option<(Set, bool)> {
    let comparison = operators::comparison(equal.oid)?;
    if comparison.name != "=" || !comparison.is_plain() {
        return None;
    }
    let mut has_null = false;
    let mut values = Vec::with_capacity(list.len());
    for item in list {
        match item {
            Expr::Const(Datum::Null, _) => has_null = true,
            Expr::Const(value, _) => values.push(value),
            _ => return None,
        }
    }
    let set = if values.iter().all(|value| super::run::integer_key(value).is_some()) {
        Set::Integers(values.iter().filter_map(|value| super::run::integer_key(value)).collect())
    } else if values.iter().all(|value| matches!(value, Datum::Text(_))) {
        Set::Texts(
            values
                .iter()
                .filter_map(|value| if let Datum::Text(text) = value { Some(text.clone()) } else { None })
                .collect(),
        )
    } else {
        Set::Keys(values.iter().map(|value| super::run::sort_key(value)).collect())
    };
    Some((set, has_null))
}

fn cast(from: Type, to: Type, kind: CastKind) -> Result<Cast> {
    Ok(match kind {
        CastKind::Relabel => Cast::Relabel { to },
        CastKind::InOut => Cast::InOut { from, to },
        CastKind::TypmodAssign => Cast::Typmod { to, explicit: false },
        CastKind::TypmodExplicit => Cast::Typmod { to, explicit: true },
        CastKind::Domain(domain) => Cast::Domain { domain },
        CastKind::Array => {
            let element = |oid: Oid| {
                types::element_of(oid).ok_or_else(|| Error::internal("an element-wise cast of something else"))
            };
            let (from, to) = (Type::new(element(from.oid)?), Type::with_typmod(element(to.oid)?, to.typmod));
            let pathway = casts::pathway(from.oid, to.oid, Context::Explicit).unwrap_or(Pathway::InOut);
            Cast::Array { pathway, from, to }
        }
    })
}

/// The type of an expression's value.
pub(super) fn type_of(expr: &Expr) -> Type {
    match expr {
        Expr::Const(_, typ)
        | Expr::Param(_, typ)
        | Expr::Column(_, typ)
        | Expr::Call { typ, .. }
        | Expr::Cast { typ, .. }
        | Expr::Case { typ, .. }
        | Expr::Coalesce(_, typ)
        | Expr::NullIf { typ, .. }
        | Expr::MinMax { typ, .. }
        | Expr::Array { typ, .. }
        | Expr::Row { typ, .. }
        | Expr::Field { typ, .. }
        | Expr::Subscript { typ, .. } => *typ,
        Expr::Subquery(subquery) => subquery.typ,
        Expr::Grouping(_) => Type::INT4,
        Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull(..)
        | Expr::IsBool(..)
        | Expr::IsDistinct { .. }
        | Expr::AnyAll { .. }
        | Expr::InList { .. } => Type::BOOL,
    }
}
