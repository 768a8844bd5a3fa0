//! [`Prepared`]: a statement parsed, bound and planned, and bound again by itself when what it was bound against changes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::binder::{BindContext, bind_query};
use crate::sql::context::EvalContext;
use crate::sql::function::Body;
use crate::sql::parser::Parsed;
use crate::sql::plan::{Expr, Query, Rel, Verb};
use crate::sql::statement::Statement;
use crate::storage::catalog::Catalog;

use super::OutputColumn;
use super::authorize;
use super::point::{self, PointPlan};

/// One statement of a query text.
#[derive(Clone, Debug)]
pub struct SqlPart {
    /// The whole text; positions in the statement refer to it.
    pub(crate) text: Arc<str>,
    pub(crate) parsed: Arc<Parsed>,
}

impl SqlPart {
    /// The statement's own text.
    pub fn text(&self) -> &str {
        self.text.get(self.parsed.start..self.parsed.end).unwrap_or(&self.text)
    }

    /// The statement.
    pub(crate) fn statement(&self) -> &Statement {
        &self.parsed.statement
    }

    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the like.
    pub fn is_transaction_control(&self) -> bool {
        matches!(
            self.statement(),
            Statement::Begin { .. }
                | Statement::Commit { .. }
                | Statement::Rollback { .. }
                | Statement::Savepoint(_)
                | Statement::Release(_)
                | Statement::RollbackTo(_)
        )
    }

    /// COMMIT, ROLLBACK and ROLLBACK TO: what may run in a failed transaction.
    pub(crate) fn ends_failure(&self) -> bool {
        matches!(self.statement(), Statement::Commit { .. } | Statement::Rollback { .. } | Statement::RollbackTo(_))
    }
}

/// A statement that is parsed, bound and planned; planned again by itself when the catalog changes.
pub struct Prepared {
    pub(crate) part: SqlPart,
    pub(crate) params: Vec<Type>,
    pub(crate) columns: Option<Arc<[OutputColumn]>>,
    /// See [`Bound::failure`].
    failure: Option<Error>,
    bound: Mutex<Option<Arc<Bound>>>,
}

/// A query bound against one catalog and search path.
pub(crate) struct Bound {
    catalog: Arc<Catalog>,
    search_path: Arc<[Oid]>,
    pub query: Arc<Query>,
    pub point: Option<PointPlan>,
    /// It calls functions that change something: it runs to its end before anything is sent, and commits.
    pub has_effects: bool,
    pub columns: Option<Arc<[OutputColumn]>>,
    /// The error of a constant expression that cannot be computed: the statement fails before it runs.
    pub failure: Option<Error>,
    /// It reads what the session itself has: its cursors, its prepared statements.
    pub asks_session: bool,
    /// The role that may run it, as was found last (0: none yet).
    authorized: AtomicU32,
}

impl Bound {
    /// Fails unless a role may run it.
    pub(crate) fn authorize(&self, role: Oid) -> Result<()> {
        if self.authorized.load(Ordering::Relaxed) != role {
            authorize::check(&self.catalog, role, &self.query)?;
            self.authorized.store(role, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Another query for the same names.
    pub(crate) fn with_query(&self, query: Query, eval: &EvalContext) -> Bound {
        planned(query, eval, self.catalog.clone(), self.search_path.clone())
    }

    /// Fails when the statement is known to.
    pub(crate) fn check(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Whether it still means the same.
    pub(crate) fn is_current(&self, catalog: &Arc<Catalog>, search_path: &Arc<[Oid]>) -> bool {
        Arc::ptr_eq(&self.catalog, catalog)
            && (Arc::ptr_eq(&self.search_path, search_path) || self.search_path == *search_path)
    }
}

/// Whether a statement is a query or DML, which the binder takes.
pub(crate) fn is_query(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::Merge(_)
            | Statement::With(_)
    )
}

/// Binds a statement and looks for its point plan.
pub(crate) fn bind(
    statement: &Statement,
    text: &str,
    given: &[Option<Type>],
    eval: &EvalContext,
    search_path: Arc<[Oid]>,
) -> Result<Bound> {
    let query = bind_query(statement, &BindContext { eval, param_types: given, text })?;
    Ok(planned(query, eval, eval.host.catalog(), search_path))
}

/// A bound query, ready to run.
pub(crate) fn planned(query: Query, eval: &EvalContext, catalog: Arc<Catalog>, search_path: Arc<[Oid]>) -> Bound {
    let failure = unpopulated(&query.plan, &catalog).or_else(|| failure(&query.plan, eval));
    let point = if failure.is_none() { point::plan(&query, &catalog, eval) } else { None };
    let has_effects = has_effects(&query.plan);
    let columns = output_columns(&query);
    let asks_session = asks_session(&query.plan);
    let (query, authorized) = (Arc::new(query), AtomicU32::new(0));
    Bound { catalog, search_path, point, has_effects, columns, failure, asks_session, authorized, query }
}

/// A materialized view that has no rows yet cannot be read.
fn unpopulated(plan: &Rel, catalog: &Catalog) -> Option<Error> {
    let mut found = None;
    plan.walk(&mut |rel| {
        if let Rel::Scan { table, .. } = rel
            && let Some(table) = catalog.table(*table)
            && table.view.as_ref().is_some_and(|view| !view.populated)
        {
            let message = format!("materialized view \"{}\" has not been populated", table.name);
            let error = Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
            found = Some(error.hint("Use the REFRESH MATERIALIZED VIEW command."));
        }
    });
    found
}

/// What PostgreSQL finds when it folds constants while planning.
fn failure(plan: &Rel, eval: &EvalContext) -> Option<Error> {
    let mut found = None;
    plan.walk_exprs(&mut |e| {
        if found.is_none() {
            found = crate::sql::eval::failure(e, eval);
        }
        found.is_none()
    });
    found
}

fn asks_session(plan: &Rel) -> bool {
    let mut found = false;
    plan.walk(&mut |rel| {
        if let Rel::System { name, .. } = rel {
            found |= matches!(*name, "pg_catalog.pg_cursors" | "pg_catalog.pg_prepared_statements");
        }
    });
    plan.walk_exprs(&mut |e| {
        found |= matches!(e, Expr::Call { function, .. } if function.name == "current_of");
        !found
    });
    found
}

fn output_columns(query: &Query) -> Option<Arc<[OutputColumn]>> {
    if query.verb != Verb::Select && query.output.is_empty() {
        return None;
    }
    let columns = query.output.iter().map(|c| OutputColumn {
        name: c.name.clone(),
        typ: if c.typ.oid == Type::UNKNOWN.oid { Type::TEXT } else { c.typ },
        table: c.origin.0,
        column: c.origin.1,
    });
    Some(columns.collect())
}

/// Functions that do something for the transaction or the session.
fn has_effects(plan: &Rel) -> bool {
    let mut found = false;
    plan.walk_exprs(&mut |e| {
        if let Expr::Call { function, .. } = e {
            found |= matches!(function.body, Body::Host)
                || matches!(function.name, "set_config" | "setval" | "nextval" | "run_routine_rows");
        }
        !found
    });
    found
}

impl Prepared {
    pub(crate) fn new(
        part: SqlPart,
        params: Vec<Type>,
        columns: Option<Arc<[OutputColumn]>>,
        bound: Option<Bound>,
    ) -> Self {
        let failure = bound.as_ref().and_then(|bound| bound.failure.clone());
        Self { part, params, columns, failure, bound: Mutex::new(bound.map(Arc::new)) }
    }

    /// Fails when the statement cannot run, whatever its parameters are (`SELECT 1/0`).
    pub fn check(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// The types of the parameters.
    pub fn params(&self) -> &[Type] {
        &self.params
    }

    /// The result columns; `None` when the statement gives no rows.
    pub fn columns(&self) -> Option<&Arc<[OutputColumn]>> {
        self.columns.as_ref()
    }

    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT...: runs outside an implicit block, and in a failed one.
    pub fn is_transaction_control(&self) -> bool {
        self.part.is_transaction_control()
    }

    /// The statement's text.
    pub fn text(&self) -> &str {
        self.part.text()
    }

    /// The binding if it is current; does not bind.
    pub(crate) fn current(&self, catalog: &Arc<Catalog>, search_path: &Arc<[Oid]>) -> Option<Arc<Bound>> {
        let bound = self.bound.lock().unwrap_or_else(|p| p.into_inner());
        bound.as_ref().filter(|b| b.is_current(catalog, search_path)).cloned()
    }

    /// The binding, made anew when the catalog or the search path has changed.
    pub(crate) fn bound(&self, eval: &EvalContext, catalog: &Arc<Catalog>, path: &Arc<[Oid]>) -> Result<Arc<Bound>> {
        if let Some(bound) = self.current(catalog, path) {
            return Ok(bound);
        }
        let given: Vec<Option<Type>> = self.params.iter().map(|t| Some(*t)).collect();
        let bound = bind(self.part.statement(), &self.part.text, &given, eval, path.clone())?;
        let same = match (&bound.columns, &self.columns) {
            (Some(new), Some(old)) => {
                new.len() == old.len() && new.iter().zip(old.iter()).all(|(n, o)| n.typ.oid == o.typ.oid)
            }
            (None, None) => true,
            _ => false,
        };
        if !same {
            return Err(err!(FEATURE_NOT_SUPPORTED, "cached plan must not change result type"));
        }
        if bound.query.params.len() != self.params.len() {
            return Err(Error::internal("a statement changed its parameters"));
        }
        let bound = Arc::new(bound);
        *self.bound.lock().unwrap_or_else(|p| p.into_inner()) = Some(bound.clone());
        Ok(bound)
    }
}

/// A column of text, as SHOW and EXPLAIN give.
pub(crate) fn text_column(name: &str) -> OutputColumn {
    OutputColumn { name: name.to_string(), typ: Type::TEXT, table: 0, column: 0 }
}
