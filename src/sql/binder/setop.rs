//! UNION, INTERSECT, EXCEPT: column counts and common types, chains without recursion.

use sqlparser::ast;

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::plan::{ColumnId, Expr, OutputColumn, Rel, SetOpKind};
use crate::sql::shape::{Body, SetTree};

use super::coerce::{Context, common_typmod};
use super::scope::Scope;
use super::select::{QueryOptions, Tail};
use super::{Binder, Bound, NESTING_MAX, too_deep};

impl Binder<'_> {
    /// Binds a tree of set operations.
    pub(super) fn set_operation(
        &mut self,
        body: &ast::SetExpr,
        options: QueryOptions<'_>,
        scope: &Scope<'_>,
    ) -> Result<Bound> {
        let mut links = Vec::new();
        let mut first = body;
        while let ast::SetExpr::SetOperation { left, op, set_quantifier, right } = first {
            links.push((op, set_quantifier, &**right));
            first = left;
        }
        // Each operation is one level of the plan's tree.
        if self.depth + links.len() > NESTING_MAX {
            return Err(too_deep());
        }
        let mut bound = self.set_leaf(first, scope)?;
        let mut tree = self.noted_side();
        let mut left_at = self.target_positions(first, bound.columns.len());
        for (op, quantifier, right) in links.into_iter().rev() {
            let (kind, word) = match op {
                ast::SetOperator::Union => (SetOpKind::Union, "UNION"),
                ast::SetOperator::Intersect => (SetOpKind::Intersect, "INTERSECT"),
                ast::SetOperator::Except | ast::SetOperator::Minus => (SetOpKind::Except, "EXCEPT"),
            };
            let all = match quantifier {
                ast::SetQuantifier::All => true,
                ast::SetQuantifier::Distinct | ast::SetQuantifier::None => false,
                _ => return Err(Error::unsupported(format!("{word} BY NAME"))),
            };
            let right_bound = self.set_leaf(right, scope)?;
            let right_tree = self.noted_side();
            let at = self.target_positions(right, bound.columns.len());
            bound = self.combine_sets(bound, right_bound, kind, word, all, (&left_at, &at))?;
            if let (Some(left), Some(right)) = (tree.take(), right_tree) {
                let mut whole = SetTree::Op { kind, all, left: Box::new(left), right: Box::new(right) };
                let types: Vec<Type> = bound.columns.iter().map(|c| c.typ).collect();
                self.settle_tree(&mut whole, &types)?;
                tree = Some(whole);
            }
            left_at.clear();
        }
        if !options.keep_unknown {
            let types: Vec<Type> = bound.columns.iter().map(|c| c.typ).collect();
            bound = self.convert_columns(bound, &types, &[])?;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.body = tree.map(Body::Set);
        }
        Ok(bound)
    }

    /// Where the targets of a body stand, as far as each is written on its own.
    pub(super) fn target_positions(&self, body: &ast::SetExpr, count: usize) -> Vec<u32> {
        let mut body = body;
        loop {
            body = match body {
                ast::SetExpr::Query(query) => &query.body,
                ast::SetExpr::SetOperation { right, .. } => right,
                ast::SetExpr::Select(select) => {
                    let written = select.projection.iter().map_while(|item| match item {
                        ast::SelectItem::UnnamedExpr(expr) | ast::SelectItem::ExprWithAlias { expr, .. } => {
                            Some(self.expr_at(expr))
                        }
                        _ => None,
                    });
                    return written.collect();
                }
                ast::SetExpr::Values(values) => {
                    let first = values.rows.first().map(|row| row.content.as_slice()).unwrap_or_default();
                    return first.iter().map(|expr| self.expr_at(expr)).collect();
                }
                other => return vec![self.at(super::position::body_start(other)); count.min(1)],
            }
        }
    }

    fn set_leaf(&mut self, leaf: &ast::SetExpr, scope: &Scope<'_>) -> Result<Bound> {
        let options = QueryOptions { keep_unknown: true, ..Default::default() };
        match leaf {
            ast::SetExpr::Query(query) => self.query(query, options, scope),
            ast::SetExpr::SetOperation { .. } => self.deeper(|binder| {
                let bound = binder.set_operation(leaf, options, scope)?;
                binder.note_query(Tail::default());
                Ok(bound)
            }),
            _ => {
                let query = bare(leaf.clone());
                self.query(&query, options, scope)
            }
        }
    }

    /// One operation over two bound sides.
    pub(super) fn combine_sets(
        &mut self,
        left: Bound,
        right: Bound,
        kind: SetOpKind,
        word: &str,
        all: bool,
        at: (&[u32], &[u32]),
    ) -> Result<Bound> {
        let (left_at, at) = at;
        let position = at.first().copied().unwrap_or(0);
        if left.columns.len() != right.columns.len() {
            return Err(err!(SYNTAX_ERROR, "each {word} query must have the same number of columns").at(position));
        }
        let mut types = Vec::with_capacity(left.columns.len());
        for (i, (l, r)) in left.columns.iter().zip(&right.columns).enumerate() {
            let position = at.get(i).copied().unwrap_or(position);
            let oids: [Oid; 2] = [l.typ.oid, r.typ.oid];
            let common = self.common_type(&oids, Some(word), position)?.expect("an error was asked for");
            let typ = common_typmod([l.typ, r.typ].into_iter(), common);
            if !all || kind != SetOpKind::Union {
                self.equality_of(typ, left_at.get(i).copied().unwrap_or(position))?;
            }
            types.push(typ);
        }
        let left = self.convert_columns(left, &types, if left_at.is_empty() { at } else { left_at })?;
        let right = self.convert_columns(right, &types, at)?;
        let columns: Vec<OutputColumn> = left
            .columns
            .iter()
            .zip(&types)
            .map(|(c, typ)| OutputColumn { id: self.column(), name: c.name.clone(), typ: *typ, origin: (0, 0) })
            .collect();
        let rel = Rel::SetOp {
            kind,
            all,
            left: Box::new(left.rel),
            left_columns: left.columns.iter().map(|c| c.id).collect(),
            right: Box::new(right.rel),
            right_columns: right.columns.iter().map(|c| c.id).collect(),
            columns: columns.iter().map(|c| (c.id, c.typ)).collect(),
        };
        Ok(Bound { rel, columns })
    }

    /// Gives the output columns these types by implicit conversions; literals of unknown type are read as them.
    pub(super) fn convert_columns(&mut self, mut bound: Bound, types: &[Type], at: &[u32]) -> Result<Bound> {
        let mut changed: Vec<(ColumnId, Expr)> = Vec::new();
        for (i, typ) in types.iter().enumerate() {
            let position = at.get(i).copied().unwrap_or(0);
            let typ = if *typ == Type::UNKNOWN { Type::TEXT } else { *typ };
            let column = bound.columns[i].clone();
            if column.typ.oid == typ.oid {
                continue;
            }
            if column.typ == Type::UNKNOWN {
                let shared = bound.columns.iter().filter(|c| c.id == column.id).count() > 1;
                if !shared && self.retype(&mut bound.rel, column.id, Type::new(typ.oid), position)? {
                    bound.columns[i].typ = Type::new(typ.oid);
                    continue;
                }
            }
            let converted = self.coerce_implicit(column.expr(), Type::new(typ.oid), "UNION", position)?;
            let id = self.column();
            bound.columns[i] = OutputColumn { id, typ: converted.typ(), ..column };
            changed.push((id, converted));
        }
        if changed.is_empty() {
            return Ok(bound);
        }
        let mut exprs: Vec<(ColumnId, Expr)> = Vec::with_capacity(bound.columns.len());
        for column in &bound.columns {
            if exprs.iter().any(|(id, _)| *id == column.id) {
                continue;
            }
            let expr = changed.iter().find(|(id, _)| *id == column.id).map(|(_, expr)| expr.clone());
            exprs.push((column.id, expr.unwrap_or_else(|| column.expr())));
        }
        Ok(Bound { rel: Rel::Project { input: Box::new(bound.rel), exprs }, columns: bound.columns })
    }

    /// Gives a literal or parameter of unknown type that a projection makes its type, in place.
    fn retype(&mut self, rel: &mut Rel, column: ColumnId, typ: Type, position: u32) -> Result<bool> {
        match rel {
            Rel::Project { exprs, input } => match exprs.iter_mut().find(|(id, _)| *id == column) {
                Some((_, Expr::Column(same, own))) if *same == column => {
                    let done = self.retype(input, column, typ, position)?;
                    if done {
                        *own = typ;
                    }
                    Ok(done)
                }
                Some((_, expr @ (Expr::Const(..) | Expr::Param(..)))) => {
                    *expr = self.coerce(expr.take(), typ, Context::Implicit, position)?;
                    Ok(true)
                }
                _ => Ok(false),
            },
            Rel::Values { columns, rows } => {
                let Some(index) = columns.iter().position(|(id, _)| *id == column) else { return Ok(false) };
                for row in rows.iter_mut() {
                    row[index] = self.coerce(row[index].take(), typ, Context::Implicit, position)?;
                }
                columns[index].1 = typ;
                Ok(true)
            }
            Rel::Sort { input, .. } | Rel::Limit { input, .. } | Rel::Filter { input, .. } => {
                self.retype(input, column, typ, position)
            }
            Rel::With { body, .. } => self.retype(body, column, typ, position),
            _ => Ok(false),
        }
    }
}

/// A query that is only a body.
pub(super) fn bare(body: ast::SetExpr) -> ast::Query {
    ast::Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
