//! Target lists: `*` expanded, output names as PostgreSQL chooses them, and how ORDER BY and GROUP BY find a target.

use sqlparser::ast::{self, Spanned};

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::{self, ident};
use crate::sql::plan::Expr;
use crate::sql::plan::visit::guard;
use crate::sql::{types, user_types};

use super::Binder;
use super::scope::{Clause, Scope};

/// One member of a target list.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) expr: Expr,
    pub(super) origin: (Oid, i16),
    pub(super) position: u32,
    /// Added for ORDER BY: not part of the result.
    pub(super) junk: bool,
}

impl Binder<'_> {
    /// Binds a SELECT or RETURNING list.
    pub(super) fn target_list(&mut self, items: &[ast::SelectItem], scope: &Scope<'_>) -> Result<Vec<Target>> {
        let mut targets = Vec::with_capacity(items.len());
        for item in items {
            match item {
                ast::SelectItem::UnnamedExpr(expr) => self.target(expr, None, scope, &mut targets)?,
                ast::SelectItem::ExprWithAlias { expr, alias } => {
                    self.target(expr, Some(alias), scope, &mut targets)?;
                }
                ast::SelectItem::Wildcard(options) => {
                    plain_wildcard(options)?;
                    let span = options.wildcard_token.0.span;
                    let expanded = self.expand_all(span, scope)?;
                    self.add_expanded(expanded, self.at(span), &mut targets);
                }
                ast::SelectItem::QualifiedWildcard(kind, options) => {
                    plain_wildcard(options)?;
                    match kind {
                        ast::SelectItemQualifiedWildcardKind::ObjectName(name) => {
                            let expanded = self.expand_qualified(name, scope)?;
                            self.add_expanded(expanded, self.at(name.span()), &mut targets);
                        }
                        ast::SelectItemQualifiedWildcardKind::Expr(expr) => {
                            let position = self.expr_at(expr);
                            let value = self.expr(expr, scope)?;
                            let expanded = self.expand_value(value, position)?;
                            self.add_expanded(expanded, position, &mut targets);
                        }
                    }
                }
                ast::SelectItem::ExprWithAliases { .. } => {
                    return Err(Error::unsupported("several aliases for one expression"));
                }
            }
        }
        Ok(targets)
    }

    fn add_expanded(&self, expanded: Vec<super::reference::Expanded>, position: u32, targets: &mut Vec<Target>) {
        targets.extend(expanded.into_iter().map(|(name, expr, origin)| Target {
            name,
            expr,
            origin,
            position,
            junk: false,
        }));
    }

    fn target(
        &mut self,
        expr: &ast::Expr,
        alias: Option<&ast::Ident>,
        scope: &Scope<'_>,
        targets: &mut Vec<Target>,
    ) -> Result<()> {
        // `(row).*`: the last step of a field access.
        if let ast::Expr::CompoundFieldAccess { root, access_chain } = expr
            && let Some((ast::AccessExpr::Dot(ast::Expr::Wildcard(_)), steps)) = access_chain.split_last()
        {
            let position = self.expr_at(root);
            let value = match steps {
                [] => self.expr(root, scope)?,
                steps => {
                    let inner = ast::Expr::CompoundFieldAccess { root: root.clone(), access_chain: steps.to_vec() };
                    self.expr(&inner, scope)?
                }
            };
            let expanded = self.expand_value(value, position)?;
            self.add_expanded(expanded, position, targets);
            return Ok(());
        }
        let bound = self.expr(expr, scope)?;
        let origin = self.origin_of(&bound, scope);
        let name = match alias {
            Some(alias) => ident(alias),
            None => self.output_name(expr),
        };
        targets.push(Target { name, expr: bound, origin, position: self.expr_at(expr), junk: false });
        Ok(())
    }

    /// Table and column number of a plain column.
    fn origin_of(&self, expr: &Expr, scope: &Scope<'_>) -> (Oid, i16) {
        let Expr::Column(id, _) = expr else { return (0, 0) };
        let columns = scope.entries.iter().flat_map(|entry| entry.item.columns.iter().chain(&entry.item.system));
        let mut matching = columns.filter(|c| matches!(&c.expr, Expr::Column(own, _) if own == id));
        matching.next().map_or((0, 0), |column| column.origin)
    }

    /// The name that PostgreSQL gives an output column.
    pub(super) fn output_name(&self, expr: &ast::Expr) -> String {
        self.figure_name(expr).map_or("?column?".to_string(), |(name, _)| name)
    }

    /// A name and whether it is a good one (2) or only better than none (1).
    fn figure_name(&self, expr: &ast::Expr) -> Option<(String, u8)> {
        guard(|| self.figure_name_of(expr))
    }

    fn figure_name_of(&self, expr: &ast::Expr) -> Option<(String, u8)> {
        use ast::Expr::*;
        let good = |name: &str| Some((name.to_string(), 2));
        match expr {
            Identifier(name) => Some((ident(name), 2)),
            CompoundIdentifier(names) => names.last().map(|name| (ident(name), 2)),
            QualifiedWildcard(name, _) => name.0.last().and_then(|part| part.as_ident()).map(|name| (ident(name), 2)),
            Nested(inner) | Collate { expr: inner, .. } => self.figure_name(inner),
            CompoundFieldAccess { root, access_chain } => {
                let fields = access_chain.iter().rev().find_map(|access| match access {
                    ast::AccessExpr::Dot(Identifier(name)) => Some((ident(name), 2)),
                    _ => None,
                });
                fields.or_else(|| self.figure_name(root))
            }
            Function(call) if parser::shown_name(call).is_some() => parser::shown_name(call).and_then(good),
            Function(call) => {
                let name = call.name.0.last().and_then(|part| part.as_ident()).map(ident)?;
                Some((name, 2))
            }
            Cast { expr: inner, data_type, .. } => match self.figure_name(inner) {
                Some((name, 2)) => Some((name, 2)),
                other => self.type_label(data_type).map(|name| (name, 1)).or(other),
            },
            TypedString(typed) => self.type_label(&typed.data_type).map(|name| (name, 1)),
            Interval(_) => Some(("interval".to_string(), 1)),
            Case { else_result, .. } => {
                let inner =
                    else_result.as_ref().and_then(|e| self.figure_name(e)).filter(|(_, strength)| *strength > 1);
                inner.or(Some(("case".to_string(), 1)))
            }
            Exists { negated: false, .. } => good("exists"),
            BinaryOp { op: ast::BinaryOperator::Overlaps, .. } => good("overlaps"),
            Subquery(query) => self.query_name(query),
            Array(_) => good("array"),
            Tuple(_) => good("row"),
            AtTimeZone { .. } => good("timezone"),
            Extract { .. } => good("extract"),
            Ceil { .. } => good("ceil"),
            Floor { .. } => good("floor"),
            Position { .. } => good("position"),
            Substring { shorthand, .. } => good(if *shorthand { "substr" } else { "substring" }),
            Trim { trim_where, .. } => good(match trim_where {
                Some(ast::TrimWhereField::Leading) => "ltrim",
                Some(ast::TrimWhereField::Trailing) => "rtrim",
                _ => "btrim",
            }),
            Overlay { .. } => good("overlay"),
            IsNormalized { negated: false, .. } => good("is_normalized"),
            _ => None,
        }
    }

    /// A scalar subquery has the name of its only column.
    fn query_name(&self, query: &ast::Query) -> Option<(String, u8)> {
        let mut body = &*query.body;
        loop {
            match body {
                ast::SetExpr::Query(inner) => body = &inner.body,
                ast::SetExpr::SetOperation { left, .. } => body = left,
                ast::SetExpr::Select(select) => {
                    return match select.projection.first()? {
                        ast::SelectItem::ExprWithAlias { alias, .. } => Some((ident(alias), 2)),
                        ast::SelectItem::UnnamedExpr(expr) => {
                            Some(self.figure_name(expr).unwrap_or(("?column?".to_string(), 2))).map(|(n, _)| (n, 2))
                        }
                        _ => None,
                    };
                }
                ast::SetExpr::Values(_) => return Some(("column1".to_string(), 2)),
                _ => return None,
            }
        }
    }

    fn type_label(&self, data_type: &ast::DataType) -> Option<String> {
        let typ = self.data_type(data_type).ok()?;
        let element = types::element_of(typ.oid).filter(|_| types::is_array(typ.oid));
        user_types::name(&self.catalog, element.unwrap_or(typ.oid)).map(|(_, name)| name)
    }

    /// The target that an ORDER BY, GROUP BY or DISTINCT ON expression means by its name or position.
    pub(super) fn named_target(
        &mut self,
        expr: &ast::Expr,
        targets: &[Target],
        clause: Clause,
        scope: &Scope<'_>,
    ) -> Result<Option<usize>> {
        let mut inner = expr;
        while let ast::Expr::Nested(nested) = inner {
            inner = nested;
        }
        match inner {
            ast::Expr::Identifier(name) => {
                let folded = ident(name);
                let is_column = clause == Clause::GroupBy && self.local_column(&folded, scope).is_some();
                if is_column {
                    return Ok(None);
                }
                self.target_by_name(&folded, targets, clause, self.at(name.span))
            }
            ast::Expr::Value(value) if !matches!(value.value, ast::Value::Placeholder(_)) => {
                self.target_by_position(value, targets, clause).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The target that an ORDER BY or DISTINCT ON expression means, by name, position or as the same expression; a new
    /// one is added at the end when there is none. Its type is settled.
    pub(super) fn find_target(
        &mut self,
        expr: &ast::Expr,
        targets: &mut Vec<Target>,
        clause: Clause,
        scope: &Scope<'_>,
    ) -> Result<usize> {
        let index = match self.named_target(expr, targets, clause, scope)? {
            Some(index) => index,
            None => {
                scope.set_clause(clause);
                let position = self.expr_at(expr);
                let bound = self.expr(expr, scope)?;
                match targets.iter().position(|target| target.expr == bound) {
                    Some(index) => index,
                    None => {
                        let name = "?column?".to_string();
                        targets.push(Target { name, expr: bound, origin: (0, 0), position, junk: true });
                        targets.len() - 1
                    }
                }
            }
        };
        self.settle_targets(&mut targets[index..=index])?;
        Ok(index)
    }

    fn target_by_name(&self, name: &str, targets: &[Target], clause: Clause, position: u32) -> Result<Option<usize>> {
        let mut found: Option<usize> = None;
        for (i, target) in targets.iter().enumerate().filter(|(_, t)| !t.junk && t.name == name) {
            match found {
                Some(known) if targets[known].expr != target.expr => {
                    return Err(err!(AMBIGUOUS_COLUMN, "{} \"{name}\" is ambiguous", clause.phrase()).at(position));
                }
                Some(_) => {}
                None => found = Some(i),
            }
        }
        Ok(found)
    }

    fn target_by_position(&self, value: &ast::ValueWithSpan, targets: &[Target], clause: Clause) -> Result<usize> {
        let position = self.at(value.span);
        let number = match &value.value {
            ast::Value::Number(text, _) => text.parse::<i32>().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return Err(err!(SYNTAX_ERROR, "non-integer constant in {}", clause.phrase()).at(position));
        };
        let visible = targets.iter().filter(|target| !target.junk).count();
        match usize::try_from(number) {
            Ok(n) if (1..=visible).contains(&n) => Ok(n - 1),
            _ => Err(err!(INVALID_COLUMN_REFERENCE, "{} position {number} is not in select list", clause.phrase())
                .at(position)),
        }
    }

    /// Unknown literals among the targets become text.
    pub(super) fn settle_targets(&mut self, targets: &mut [Target]) -> Result<()> {
        for target in targets {
            if target.expr.typ() == Type::UNKNOWN {
                let position = target.position;
                target.expr = self.unknown_is_text(target.expr.take(), position)?;
            } else if let Expr::Row { .. } = &target.expr {
                target.expr = self.settle_record(target.expr.take())?;
            }
        }
        Ok(())
    }
}

/// `*` without the extensions of other dialects.
fn plain_wildcard(options: &ast::WildcardAdditionalOptions) -> Result<()> {
    let ast::WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let plain = opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none();
    if plain { Ok(()) } else { Err(err!(SYNTAX_ERROR, "syntax error at or near \"*\"")) }
}
