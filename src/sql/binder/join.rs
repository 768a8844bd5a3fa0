//! Joins: what ON, USING and NATURAL mean, which columns merge, and what the sides let be seen.

use sqlparser::ast;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::ident;
use crate::sql::plan::{Expr, JoinKind, Rel};
use crate::sql::shape::{From, On};

use super::Binder;
use super::coerce::{Context, common_type};
use super::from::FromItem;
use super::operator::OperatorAt;
use super::scope::{Clause, Entry, Item, Scope, ScopeColumn};

impl Binder<'_> {
    pub(super) fn join_items(
        &mut self,
        kind: JoinKind,
        constraint: &ast::JoinConstraint,
        left: FromItem,
        right: FromItem,
        parent: Option<&Scope<'_>>,
    ) -> Result<FromItem> {
        let lateral = left.lateral || right.lateral;
        let sides = left.shape.zip(right.shape);
        let mut entries = left.entries;
        let mut right_entries = right.entries;
        for entry in &mut entries {
            entry.nullable |= matches!(kind, JoinKind::Right | JoinKind::Full);
        }
        for entry in &mut right_entries {
            entry.nullable |= matches!(kind, JoinKind::Left | JoinKind::Full);
        }
        let on = match constraint {
            ast::JoinConstraint::None => Expr::bool(true),
            ast::JoinConstraint::On(condition) => {
                let mut both = entries.clone();
                both.extend(right_entries.iter().cloned());
                let scope = Scope::over(parent, both, Clause::JoinOn);
                self.condition(condition, "JOIN/ON", &scope)?
            }
            ast::JoinConstraint::Using(names) => {
                let mut using = Vec::with_capacity(names.len());
                // A last name of two parts is the alias of the merged columns.
                let (names, using_alias) = match names.split_last() {
                    Some((last, names)) if last.0.len() == 2 => (names, last.0[1].as_ident().map(ident)),
                    _ => (names.as_slice(), None),
                };
                for name in names {
                    let Some(part) = name.0.last().and_then(|part| part.as_ident()) else {
                        return Err(Error::internal("USING lists column names"));
                    };
                    let folded = ident(part);
                    if using.iter().any(|(known, _)| *known == folded) {
                        return Err(err!(
                            DUPLICATE_COLUMN,
                            "column name \"{folded}\" appears more than once in USING clause"
                        ));
                    }
                    using.push((folded, self.at(part.span)));
                }
                let count = using.len();
                let mut joined = self.join_using(
                    kind,
                    &using,
                    (left.rel, entries),
                    (right.rel, right_entries),
                    right.lateral,
                    lateral,
                    sides,
                )?;
                if let (Some(From::Join { on: On::Using(_, alias), .. }), Some(name)) =
                    (&mut joined.shape, &using_alias)
                {
                    *alias = Some(name.clone());
                }
                if let Some(alias) = using_alias
                    && let Some(merged) = joined.entries.last()
                {
                    let item = Item {
                        name: Some(alias),
                        schema: None,
                        relation: None,
                        columns: merged.item.columns[..count].to_vec(),
                        system: Vec::new(),
                        row_type: Type::RECORD,
                        is_scalar_function: false,
                    };
                    let alias = Entry { columns_visible: false, ..Entry::new(item) };
                    self.check_names(&joined.entries, std::slice::from_ref(&alias))?;
                    joined.entries.push(alias);
                }
                return Ok(joined);
            }
            ast::JoinConstraint::Natural => {
                let names = |entries: &[Entry]| -> Vec<String> {
                    let visible = entries.iter().filter(|entry| entry.columns_visible);
                    visible.flat_map(|entry| entry.item.columns.iter().map(|c| c.name.clone())).collect()
                };
                let others = names(&right_entries);
                let using: Vec<(String, u32)> =
                    names(&entries).into_iter().filter(|name| others.contains(name)).map(|name| (name, 0)).collect();
                return self.join_using(
                    kind,
                    &using,
                    (left.rel, entries),
                    (right.rel, right_entries),
                    right.lateral,
                    lateral,
                    sides,
                );
            }
        };
        let shape = self.note_on(kind, constraint, sides, &on, (&entries, &right_entries));
        entries.extend(right_entries);
        Ok(FromItem { rel: join(kind, left.rel, right.rel, right.lateral, on), entries, lateral, shape })
    }

    /// JOIN ... USING and NATURAL JOIN: equal columns are merged into one.
    #[allow(clippy::too_many_arguments)]
    fn join_using(
        &mut self,
        kind: JoinKind,
        using: &[(String, u32)],
        left: (Rel, Vec<Entry>),
        right: (Rel, Vec<Entry>),
        right_lateral: bool,
        lateral: bool,
        sides: Option<(From, From)>,
    ) -> Result<FromItem> {
        let (left, left_entries) = left;
        let (right, right_entries) = right;
        let (mut conditions, mut merged) = (Vec::new(), Vec::new());
        for (name, position) in using {
            let l = self.using_column(name, &left_entries, "left")?;
            let r = self.using_column(name, &right_entries, "right")?;
            let at = OperatorAt::all(*position);
            let condition = self.binary("=", l.expr.clone(), r.expr.clone(), at)?;
            conditions.push(self.coerce_bool(condition, "JOIN/USING", *position)?);
            let common = common_type(&[l.expr.typ().oid, r.expr.typ().oid]).map_err(|(a, b)| {
                err!(
                    DATATYPE_MISMATCH,
                    "JOIN/USING types {} and {} cannot be matched",
                    self.type_name(a),
                    self.type_name(b)
                )
                .at(*position)
            })?;
            let target = Type::new(common);
            let same_typmod = l.expr.typ() == r.expr.typ();
            let l_expr = self.coerce(l.expr.clone(), target, Context::Implicit, *position)?;
            let r_expr = self.coerce(r.expr.clone(), target, Context::Implicit, *position)?;
            let (expr, origin) = match kind {
                JoinKind::Inner | JoinKind::Left => (l_expr, l.origin),
                JoinKind::Right => (r_expr, r.origin),
                JoinKind::Full => {
                    let typ = if same_typmod { l.expr.typ() } else { target };
                    (Expr::Coalesce(vec![l_expr, r_expr], typ), (0, 0))
                }
            };
            merged.push(ScopeColumn { name: name.clone(), expr, origin });
        }
        let is_merged = |column: &ScopeColumn| using.iter().any(|(name, _)| *name == column.name);
        let rest = |entries: &[Entry]| -> Vec<ScopeColumn> {
            let visible = entries.iter().filter(|entry| entry.columns_visible);
            visible.flat_map(|entry| entry.item.columns.iter().filter(|c| !is_merged(c)).cloned()).collect()
        };
        let mut columns = merged;
        columns.extend(rest(&left_entries));
        columns.extend(rest(&right_entries));
        let mut item = Item {
            name: None,
            schema: None,
            relation: None,
            columns,
            system: Vec::new(),
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        let own = self.note_join(&mut item, using.len());
        let shape = sides.map(|(left, right)| {
            let names: Vec<String> = using.iter().map(|(name, _)| name.clone()).collect();
            // A natural join without common columns is a cross join.
            let on = if names.is_empty() { On::None } else { On::Using(names, None) };
            From::Join { item: own, kind, left: Box::new(left), right: Box::new(right), on }
        });
        let joined = Entry { relation_visible: false, ..Entry::new(item) };
        let hide = |mut entry: Entry| {
            entry.columns_visible = false;
            entry
        };
        let mut entries: Vec<Entry> = left_entries.into_iter().chain(right_entries).map(hide).collect();
        entries.push(joined);
        let on = Expr::conjunction(conditions);
        Ok(FromItem { rel: join(kind, left, right, right_lateral, on), entries, lateral, shape })
    }

    fn using_column(&self, name: &str, entries: &[Entry], side: &str) -> Result<ScopeColumn> {
        let visible = entries.iter().filter(|entry| entry.columns_visible);
        let mut matching = visible.flat_map(|entry| entry.item.columns.iter().filter(|c| c.name == name));
        let Some(column) = matching.next() else {
            return Err(err!(
                UNDEFINED_COLUMN,
                "column \"{name}\" specified in USING clause does not exist in {side} table"
            ));
        };
        if matching.next().is_some() {
            return Err(err!(AMBIGUOUS_COLUMN, "common column name \"{name}\" appears more than once in {side} table"));
        }
        Ok(column.clone())
    }
}

pub(super) fn join_kind(operator: &ast::JoinOperator) -> Result<(JoinKind, &ast::JoinConstraint)> {
    use ast::JoinOperator::*;
    Ok(match operator {
        Join(constraint) | Inner(constraint) | CrossJoin(constraint) => (JoinKind::Inner, constraint),
        Left(constraint) | LeftOuter(constraint) => (JoinKind::Left, constraint),
        Right(constraint) | RightOuter(constraint) => (JoinKind::Right, constraint),
        FullOuter(constraint) => (JoinKind::Full, constraint),
        _ => return Err(Error::unsupported("this form of JOIN")),
    })
}

/// Joins two relations; a function over the left side's columns runs once for each of its rows.
pub(super) fn join(kind: JoinKind, left: Rel, right: Rel, may_be_lateral: bool, on: Expr) -> Rel {
    let lateral = may_be_lateral && {
        let free = right.free_columns();
        !free.is_empty() && left.columns().iter().any(|(id, _)| free.contains(id))
    };
    match (left, right) {
        (Rel::OneRow, right) if kind == JoinKind::Inner && on.is_true() => right,
        (left, Rel::Function { calls, ordinality, input, outer: false })
            if lateral
                && *input == Rel::OneRow
                && (kind == JoinKind::Inner || (kind == JoinKind::Left && on.is_true())) =>
        {
            let outer = kind == JoinKind::Left;
            let rel = Rel::Function { calls, ordinality, input: Box::new(left), outer };
            if on.is_true() { rel } else { Rel::Filter { input: Box::new(rel), predicate: on } }
        }
        (left, right) => Rel::Join { kind, left: Box::new(left), right: Box::new(right), on, lateral },
    }
}
