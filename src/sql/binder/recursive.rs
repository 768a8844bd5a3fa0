//! WITH RECURSIVE: the two terms, where the reference to itself may stand, and SEARCH and CYCLE (PostgreSQL manual,
//! section 7.8.2).

use std::rc::Rc;

use sqlparser::ast;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::functions;
use crate::sql::parser::ident;
use crate::sql::plan::{ColumnId, Expr, JoinKind, OutputColumn, Rel, SetOpKind};

use super::coerce::{Context, common_type};
use super::operator::OperatorAt;
use super::scope::Scope;
use super::select::QueryOptions;
use super::with::{CteEntry, Definition, materialized};
use super::{Binder, Bound};

/// `record[]`.
const RECORDS: Type = Type::new(2287);

/// What SEARCH or CYCLE adds to the columns of a recursive query.
enum Added {
    /// SEARCH BREADTH FIRST: (depth, columns).
    Breadth { by: Vec<usize>, sequence: String },
    /// SEARCH DEPTH FIRST: the path of rows.
    Depth { by: Vec<usize>, sequence: String },
    /// CYCLE: a mark, and the path of rows.
    Cycle { by: Vec<usize>, mark: String, value: Expr, default: Expr, path: String },
}

impl Binder<'_> {
    pub(super) fn recursive_cte(
        &mut self,
        entry: Rc<CteEntry>,
        cte: &ast::Cte,
        scope: &mut Scope<'_>,
    ) -> Result<Definition> {
        let name = entry.name.clone();
        scope.ctes.push(entry.clone());
        let refuse = |text: String, at: Option<u32>| *entry.refused.borrow_mut() = Some((text, at));
        let name_at = self.at(cte.alias.name.span);
        let union = match &*cte.query.body {
            ast::SetExpr::SetOperation { op: ast::SetOperator::Union, set_quantifier, left, right } => {
                Some((*set_quantifier == ast::SetQuantifier::All, left, right))
            }
            _ => None,
        };
        let Some((all, left, right)) = union.filter(|_| cte.query.with.is_none()) else {
            refuse(
                format!(
                    "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
                ),
                Some(name_at),
            );
            return self.plain_cte(entry.clone(), cte, scope);
        };
        refuse(format!("recursive reference to query \"{name}\" must not appear within its non-recursive term"), None);
        let first = super::setop::bare((**left).clone());
        let mut bound = self.query(&first, QueryOptions::default(), scope)?;
        let left_side = self.noted_side();
        self.rename_cte(&entry, cte, &mut bound.columns)?;
        // The definition has columns of its own: those of the first term may be shared with what is below it.
        bound = self.fresh_columns(bound);
        *entry.columns.borrow_mut() = Some(bound.columns.clone());
        *entry.refused.borrow_mut() = None;
        let added = self.added(cte, &bound.columns, scope)?;
        let extra: Vec<OutputColumn> = added.iter().flat_map(|added| self.added_columns(added)).collect();
        *entry.added.borrow_mut() = extra.iter().map(|column| (column.id, column.typ)).collect();
        let second = super::setop::bare((**right).clone());
        let options = QueryOptions { keep_unknown: true, ..Default::default() };
        let mut term = self.query(&second, options, scope)?;
        if let (Some(left), Some(mut right)) = (left_side, self.noted_side()) {
            let types: Vec<Type> = bound.columns.iter().map(|c| c.typ).collect();
            self.settle_tree(&mut right, &types)?;
            self.note_union(all, left, right);
        }
        entry.added.borrow_mut().clear();
        let references = entry.references.replace(0);
        let at = self.target_positions(right, term.columns.len());
        let first_at = self.target_positions(left, term.columns.len());
        let position = self.at(super::position::body_start(right));
        if references == 0 {
            if cte.query.settings.is_some() {
                return Err(err!(SYNTAX_ERROR, "WITH query is not recursive").at(name_at));
            }
            let mut bound = self.combine_sets(bound, term, SetOpKind::Union, "UNION", all, (&first_at, &at))?;
            let has_tail = cte.query.order_by.is_some() || cte.query.limit_clause.is_some();
            if has_tail {
                // Not recursive after all: bound again as the plain query that it is.
                bound = self.query(&cte.query, QueryOptions::default(), scope)?;
                self.rename_cte(&entry, cte, &mut bound.columns)?;
            }
            return Ok(Definition { entry, bound, recursive: None, materialized: materialized(cte), modifies: false });
        }
        self.check_place(&entry, &term.rel, None)?;
        if references > 1 {
            let second = entry.places.borrow().get(1).map_or(position, |(_, at)| *at);
            return Err(err!(
                INVALID_RECURSION,
                "recursive reference to query \"{name}\" must not appear more than once"
            )
            .at(second));
        }
        if let Some(order) = &cte.query.order_by {
            let at = match &order.kind {
                ast::OrderByKind::Expressions(keys) => keys.first().map_or(0, |key| self.expr_at(&key.expr)),
                ast::OrderByKind::All(_) => 0,
            };
            return Err(err!(FEATURE_NOT_SUPPORTED, "ORDER BY in a recursive query is not implemented").at(at));
        }
        match &cte.query.limit_clause {
            Some(ast::LimitClause::LimitOffset { limit: None, offset: Some(offset), .. }) => {
                let at = self.expr_at(&offset.value);
                return Err(err!(FEATURE_NOT_SUPPORTED, "OFFSET in a recursive query is not implemented").at(at));
            }
            Some(ast::LimitClause::LimitOffset { limit: Some(limit), .. }) => {
                let at = self.expr_at(limit);
                return Err(err!(FEATURE_NOT_SUPPORTED, "LIMIT in a recursive query is not implemented").at(at));
            }
            Some(_) => return Err(err!(FEATURE_NOT_SUPPORTED, "LIMIT in a recursive query is not implemented")),
            None if cte.query.fetch.is_some() => {
                return Err(err!(FEATURE_NOT_SUPPORTED, "LIMIT in a recursive query is not implemented"));
            }
            None => {}
        }
        if !cte.query.locks.is_empty() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "FOR UPDATE/SHARE in a recursive query is not implemented"));
        }
        self.check_recursive_types(&name, &bound, &term, &first_at, &at)?;
        let types: Vec<Type> = bound.columns.iter().map(|c| c.typ).collect();
        if !all {
            for typ in &types {
                self.equality_of(*typ, position)?;
            }
        }
        let carried = entry.carried.take();
        if !term.rel.carry(&carried) {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "with a SEARCH or CYCLE clause, the recursive reference to WITH query \"{name}\" must be at the top \
                 level of its right-hand SELECT"
            ));
        }
        let mut passed = term.columns.clone();
        passed.extend(carried.iter().map(|(id, typ)| OutputColumn {
            id: *id,
            name: String::new(),
            typ: *typ,
            origin: (0, 0),
        }));
        let mut term = self.convert_columns(Bound { rel: term.rel, columns: passed }, &types, &at)?;
        if !added.is_empty() {
            bound = self.first_rows(bound, &added, &extra)?;
            term = self.further_rows(term, &added, &carried)?;
            *entry.columns.borrow_mut() = Some(bound.columns.clone());
        }
        let ids = term.columns.iter().map(|c| c.id).collect();
        Ok(Definition {
            entry,
            bound,
            recursive: Some((term.rel, ids, all)),
            materialized: materialized(cte),
            modifies: false,
        })
    }

    /// Where in the recursive term the reference may not stand: `why` says where `rel` stands already.
    fn check_place(&self, entry: &CteEntry, rel: &Rel, why: Option<&str>) -> Result<()> {
        let (name, cte) = (&entry.name, entry.id);
        let mut answer = Ok(());
        rel.for_each_expr(|expr| {
            expr.walk(&mut |e| {
                if let (Expr::Subquery(subquery), Ok(())) = (e, &answer) {
                    answer = self.check_place(entry, &subquery.plan, Some("within a subquery"));
                }
                true
            });
        });
        answer?;
        let outer = Some("within an outer join");
        match rel {
            Rel::CteRef { cte: here, columns } if *here == cte => match why {
                Some(why) => {
                    let first = columns.first().map(|(id, _, _)| *id);
                    let places = entry.places.borrow();
                    let at = places.iter().find(|(id, _)| Some(*id) == first).map_or(0, |(_, at)| *at);
                    let message = format!("recursive reference to query \"{name}\" must not appear {why}");
                    Err(err!(INVALID_RECURSION, "{message}").at(at))
                }
                None => Ok(()),
            },
            Rel::Join { kind, left, right, .. } => {
                let (l, r) = match kind {
                    JoinKind::Inner => (why, why),
                    JoinKind::Left => (why, outer),
                    JoinKind::Right => (outer, why),
                    JoinKind::Full => (outer, outer),
                };
                self.check_place(entry, left, l)?;
                self.check_place(entry, right, r)
            }
            Rel::SetOp { kind, all, left, right, .. } => {
                let (l, r) = match (kind, all) {
                    (SetOpKind::Union, _) => (why, why),
                    (SetOpKind::Intersect, true) => (Some("within INTERSECT"), Some("within INTERSECT")),
                    (SetOpKind::Intersect, false) => (why, why),
                    (SetOpKind::Except, true) => (Some("within EXCEPT"), Some("within EXCEPT")),
                    (SetOpKind::Except, false) => (why, Some("within EXCEPT")),
                };
                self.check_place(entry, left, l)?;
                self.check_place(entry, right, r)
            }
            Rel::Aggregate { input, .. } => {
                if reads_directly(input, cte) {
                    return Err(err!(
                        INVALID_RECURSION,
                        "aggregate functions are not allowed in a recursive query's recursive term"
                    ));
                }
                self.check_place(entry, input, why)
            }
            other => {
                let mut answer = Ok(());
                other.for_each_input(|input| {
                    if answer.is_ok() {
                        answer = self.check_place(entry, input, why);
                    }
                });
                answer
            }
        }
    }

    fn check_recursive_types(
        &self,
        name: &str,
        first: &Bound,
        term: &Bound,
        first_at: &[u32],
        term_at: &[u32],
    ) -> Result<()> {
        let place = |at: &[u32], i: usize| at.get(i).copied().unwrap_or(0);
        if first.columns.len() != term.columns.len() {
            return Err(
                err!(SYNTAX_ERROR, "each UNION query must have the same number of columns").at(place(term_at, 0))
            );
        }
        for (i, (l, r)) in first.columns.iter().zip(&term.columns).enumerate() {
            let common = match common_type(&[l.typ.oid, r.typ.oid]) {
                Ok(common) => common,
                Err(_) => {
                    return self.common_type(&[l.typ.oid, r.typ.oid], Some("UNION"), place(term_at, i)).map(|_| ());
                }
            };
            if common != l.typ.oid {
                return Err(err!(
                    DATATYPE_MISMATCH,
                    "recursive query \"{name}\" column {} has type {} in non-recursive term but type {} overall",
                    i + 1,
                    self.type_name(l.typ.oid),
                    self.type_name(common)
                )
                .hint("Cast the output of the non-recursive term to the correct type.")
                .at(place(first_at, i)));
            }
        }
        Ok(())
    }

    /// The SEARCH and CYCLE clauses of a member of WITH over its columns.
    fn added(&mut self, cte: &ast::Cte, columns: &[OutputColumn], scope: &Scope<'_>) -> Result<Vec<Added>> {
        let mut added = Vec::new();
        let mut names: Vec<(&'static str, String)> = Vec::new();
        for setting in cte.query.settings.iter().flatten() {
            let ast::Expr::Tuple(parts) = &setting.value else { return Err(Error::internal("a clause of WITH")) };
            let at = self.at(setting.key.span);
            let word = |part: &ast::Expr| match part {
                ast::Expr::Identifier(name) => ident(name),
                _ => String::new(),
            };
            let kind = if setting.key.value == "cycle" { "cycle" } else { "search" };
            let mut by = Vec::new();
            if let Some(ast::Expr::Tuple(list)) = parts.first() {
                for column in list.iter().map(word) {
                    let Some(index) = columns.iter().position(|known| known.name == column) else {
                        return Err(
                            err!(SYNTAX_ERROR, "{kind} column \"{column}\" not in WITH query column list").at(at)
                        );
                    };
                    if by.contains(&index) {
                        return Err(
                            err!(DUPLICATE_COLUMN, "{kind} column \"{column}\" specified more than once").at(at)
                        );
                    }
                    by.push(index);
                }
            }
            let mut take = |what: &'static str, name: String| {
                if columns.iter().any(|known| known.name == name) {
                    let message = format!("{what} column name \"{name}\" already used in WITH query column list");
                    return Err(err!(SYNTAX_ERROR, "{message}").at(at));
                }
                if let Some((other, _)) = names.iter().find(|(_, known)| *known == name) {
                    let message = format!("{other} column name and {what} column name are the same");
                    return Err(err!(SYNTAX_ERROR, "{message}").at(at));
                }
                names.push((what, name.clone()));
                Ok(name)
            };
            added.push(match (setting.key.value.as_str(), parts.as_slice()) {
                ("search_depth", [_, sequence]) => {
                    Added::Depth { by, sequence: take("search sequence", word(sequence))? }
                }
                ("search_breadth", [_, sequence]) => {
                    Added::Breadth { by, sequence: take("search sequence", word(sequence))? }
                }
                ("cycle", [_, mark, rest @ .., path]) => {
                    let mark = take("cycle mark", word(mark))?;
                    let path = take("cycle path", word(path))?;
                    let (value, default) = match rest {
                        [value, default] => self.marks(value, default, scope)?,
                        _ => (Expr::bool(true), Expr::bool(false)),
                    };
                    Added::Cycle { by, mark, value, default, path }
                }
                _ => return Err(Error::internal("a clause of WITH")),
            });
        }
        Ok(added)
    }

    /// `TO value DEFAULT default`, of one type.
    fn marks(&mut self, value: &ast::Expr, default: &ast::Expr, scope: &Scope<'_>) -> Result<(Expr, Expr)> {
        let (value_at, default_at) = (self.expr_at(value), self.expr_at(default));
        let (value, default) = (self.expr(value, scope)?, self.expr(default, scope)?);
        let common = self.common_type(&[value.typ().oid, default.typ().oid], Some("CYCLE"), value_at)?;
        let typ = common.filter(|typ| *typ != Type::UNKNOWN).unwrap_or(Type::TEXT);
        let value = self.coerce(value, typ, Context::Implicit, value_at)?;
        let default = self.coerce(default, typ, Context::Implicit, default_at)?;
        self.equality_of(typ, value_at)?;
        Ok((value, default))
    }

    /// The columns that a clause adds.
    fn added_columns(&mut self, added: &Added) -> Vec<OutputColumn> {
        let mut column =
            |name: &String, typ| OutputColumn { id: self.column(), name: name.clone(), typ, origin: (0, 0) };
        match added {
            Added::Breadth { sequence, .. } => vec![column(sequence, Type::RECORD)],
            Added::Depth { sequence, .. } => vec![column(sequence, RECORDS)],
            Added::Cycle { mark, value, path, .. } => vec![column(mark, value.typ()), column(path, RECORDS)],
        }
    }

    /// The non-recursive term, whose top computes its columns, with what the clauses add.
    fn first_rows(&mut self, mut bound: Bound, added: &[Added], extra: &[OutputColumn]) -> Result<Bound> {
        let Rel::Project { exprs, .. } = &mut bound.rel else {
            return Err(Error::internal("the term has columns of its own"));
        };
        let own: Vec<Expr> = exprs.iter().map(|(_, expr)| expr.clone()).collect();
        let mut values = Vec::new();
        for clause in added {
            match clause {
                Added::Breadth { by, .. } => {
                    values.push(depth_row(Expr::Const(Datum::Int8(0), Type::INT8), by, &own));
                }
                Added::Depth { by, .. } => values.push(path_of(row(by, &own))),
                Added::Cycle { by, default, .. } => {
                    values.push(default.clone());
                    values.push(path_of(row(by, &own)));
                }
            }
        }
        exprs.extend(extra.iter().map(|column| column.id).zip(values));
        bound.columns.extend(extra.iter().cloned());
        Ok(bound)
    }

    /// The recursive term with what the clauses make of the values of the row that it comes from.
    fn further_rows(&mut self, term: Bound, added: &[Added], carried: &[(ColumnId, Type)]) -> Result<Bound> {
        let count = term.columns.len() - carried.len();
        let own: Vec<Expr> = term.columns[..count].iter().map(OutputColumn::expr).collect();
        // The carried columns came last, possibly under new ids.
        let mut from = term.columns[count..].iter().map(OutputColumn::expr).collect::<Vec<_>>().into_iter();
        let mut previous = || from.next().ok_or_else(|| Error::internal("a column of SEARCH or CYCLE is missing"));
        let mut values = Vec::new();
        let mut goes_on = Vec::new();
        for clause in added {
            match clause {
                Added::Breadth { by, .. } => {
                    let depth = Expr::Field { input: Box::new(previous()?), index: 0, typ: Type::INT8 };
                    let one = Expr::Const(Datum::Int8(1), Type::INT8);
                    let depth = self.binary("+", depth, one, OperatorAt::all(0))?;
                    values.push(depth_row(depth, by, &own));
                }
                Added::Depth { by, .. } => values.push(appended(previous()?, row(by, &own))?),
                Added::Cycle { by, value, default, .. } => {
                    let (mark, path) = (previous()?, previous()?);
                    let same = self.binary("=", mark, value.clone(), OperatorAt::all(0))?;
                    goes_on.push(Expr::Not(Box::new(same)));
                    let seen = Expr::AnyAll {
                        all: false,
                        left: Box::new(row(by, &own)),
                        operator: self.equality_of(Type::RECORD, 0)?,
                        array: Box::new(path.clone()),
                    };
                    values.push(Expr::Case {
                        whens: vec![(seen, value.clone())],
                        otherwise: Some(Box::new(default.clone())),
                        typ: value.typ(),
                    });
                    values.push(appended(path, row(by, &own))?);
                }
            }
        }
        let mut exprs = Vec::with_capacity(count + values.len());
        let mut columns = Vec::with_capacity(count + values.len());
        for expr in own.into_iter().chain(values) {
            let id = self.column();
            columns.push(OutputColumn { id, name: String::new(), typ: expr.typ(), origin: (0, 0) });
            exprs.push((id, expr));
        }
        let mut rel = term.rel;
        if !goes_on.is_empty() {
            rel = Rel::Filter { input: Box::new(rel), predicate: Expr::conjunction(goes_on) };
        }
        Ok(Bound { rel: Rel::Project { input: Box::new(rel), exprs }, columns })
    }
}

/// Whether a query level reads the definition itself, not through a subquery of FROM.
fn reads_directly(rel: &Rel, cte: u32) -> bool {
    match rel {
        Rel::CteRef { cte: here, .. } => *here == cte,
        Rel::Filter { input, .. } | Rel::ProjectSet { input, .. } | Rel::Function { input, .. } => {
            reads_directly(input, cte)
        }
        Rel::Join { left, right, .. } => reads_directly(left, cte) || reads_directly(right, cte),
        _ => false,
    }
}

/// `ROW(columns)`.
fn row(by: &[usize], columns: &[Expr]) -> Expr {
    row_of(by.iter().map(|i| columns[*i].clone()).collect())
}

/// `ROW(depth, columns)`.
fn depth_row(depth: Expr, by: &[usize], columns: &[Expr]) -> Expr {
    let mut fields = vec![depth];
    fields.extend(by.iter().map(|i| columns[*i].clone()));
    row_of(fields)
}

fn row_of(fields: Vec<Expr>) -> Expr {
    let names = fields.iter().enumerate().map(|(i, e)| (format!("f{}", i + 1).into_boxed_str(), e.typ().oid)).collect();
    Expr::Row { fields, names, typ: Type::RECORD }
}

/// `ARRAY[row]`.
fn path_of(row: Expr) -> Expr {
    Expr::Array { elements: vec![row], nested: false, typ: RECORDS, element: Type::RECORD }
}

/// `path || row`.
fn appended(path: Expr, row: Expr) -> Result<Expr> {
    let Some(function) = functions::find("array_append").first() else {
        return Err(Error::internal("array_append() is a function"));
    };
    Ok(Expr::Call { function, args: vec![path, row], typ: RECORDS })
}
