//! The binder: a [`Statement`] becomes a typed [`Query`], names, types, operators and functions resolved by
//! PostgreSQL's rules.
//!
//! - [`scope`]: what names mean in a place; [`relation`]: relations by search path; `from`: FROM items and joins.
//! - `expr`, `operator`, `special`, `reference`, `literal`: expressions; `call`: functions, aggregates, windows.
//! - `coerce`, `resolve`, `polymorphic`: the type rules of the manual's chapter 10.
//! - `select`, `targets`, `grouping`, `window`, `setop`, `with`, `values`: queries.
//! - `record`: how a query was written, for those who print it again.
//! - `dml`, `insert`, `conflict`, `merge`: INSERT, UPDATE, DELETE, MERGE. `table`: expressions that the catalog keeps as text.
//! - [`simplify`]: the logical pass after binding: constants folded, filters pushed down, unused columns dropped.
//!
//! An expression is bound against a chain of [`scope::Scope`]s, one a query level, innermost first. A column found in
//! an outer one is simply named by its id: that is the correlation. Aggregates, window and set-returning calls are
//! collected in the scope they belong to and leave a column behind.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::plan::{Access, ColumnId, Expr, Locking, OutputColumn, Query, Rel, Verb};
use crate::sql::statement::Statement;
use crate::sql::user_types;
use crate::storage::catalog::Catalog;

mod assign;
mod call;
mod coerce;
mod conflict;
mod dml;
mod expr;
mod from;
mod grouping;
mod insert;
mod join;
mod json;
mod literal;
mod merge;
mod operator;
mod polymorphic;
mod position;
mod record;
mod recursive;
mod reference;
pub mod relation;
mod resolve;
mod routine;
mod sample;
mod scope;
mod select;
mod setop;
pub mod simplify;
mod special;
pub mod table;
mod target;
mod targets;
#[cfg(test)]
mod tests;
mod values;
mod window;
mod with;

pub use record::{bind_body_shapes, bind_shape, note_domain_expr, note_table_expr};
pub use relation::{Relation, relation_by_name};
pub use routine::{bind_call, bind_routine_statement, can_assign, convert};
pub use table::{TableExpr, bind_columns, bind_constant, bind_table_expr, bind_type};
pub use target::view_updatability;

/// Expressions and subqueries may nest this deep; operators in a row (`a + b + ...`) nest, AND and OR do not.
const NESTING_MAX: usize = 1_000;
/// Output columns of a query.
const COLUMNS_MAX: usize = 1_664;

/// What a statement is bound with.
pub struct BindContext<'a> {
    /// The session: catalog, search path, settings.
    pub eval: &'a EvalContext,
    /// Parameter types that the client gave; `None` (or missing) ones are inferred.
    pub param_types: &'a [Option<Type>],
    /// The text that positions in the statement refer to.
    pub text: &'a str,
}

/// Binds a query or DML statement and simplifies the plan.
pub fn bind_query(statement: &Statement, context: &BindContext<'_>) -> Result<Query> {
    let mut query = bind_query_raw(statement, context)?;
    simplify::simplify(&mut query, context.eval);
    Ok(query)
}

/// Binds without the logical pass, so that the plan has the shape of the statement.
pub fn bind_query_raw(statement: &Statement, context: &BindContext<'_>) -> Result<Query> {
    let mut binder = Binder::new(context.eval, context.text);
    binder.params = context.param_types.iter().map(|typ| typ.unwrap_or(Type::UNKNOWN)).collect();
    binder.statement(statement)
}

/// A bound relation with its columns in order.
#[derive(Debug)]
struct Bound {
    rel: Rel,
    columns: Vec<OutputColumn>,
}

/// The state of binding one statement.
struct Binder<'a> {
    eval: &'a EvalContext,
    catalog: Arc<Catalog>,
    search_path: Vec<Oid>,
    /// The statement's text; empty where positions mean nothing to the client (inside views).
    source: position::Source<'a>,
    /// What is known of the parameters' types; `UNKNOWN` until something says more.
    params: Vec<Type>,
    /// Whether parameters may be used at all.
    params_allowed: bool,
    next_column: ColumnId,
    next_cte: u32,
    relations: BTreeSet<(Oid, Access)>,
    inside_views: BTreeSet<(Oid, Oid, Access)>,
    written: BTreeSet<(Oid, Access, i16)>,
    called: BTreeSet<Oid>,
    schemas: std::cell::RefCell<BTreeSet<(Option<Oid>, Oid)>>,
    /// Field names and types of columns that hold anonymous records.
    records: HashMap<ColumnId, Vec<(String, Type)>>,
    /// Columns of tables that are declared as domains.
    domains: HashMap<ColumnId, Oid>,
    locking: Option<Locking>,
    depth: usize,
    /// The owners of the views that we are inside of; `None`: the view asks for the user's own privileges.
    views: Vec<Option<Oid>>,
    /// What `merge_action()` is in the RETURNING that is being bound.
    merge_action: Option<ColumnId>,
    /// The arguments of the functions whose bodies we are inside of.
    calls: Vec<Vec<Expr>>,
    /// Notes how things are written, where that was asked for.
    recorder: Option<Box<record::Recorder>>,
    /// These functions.
    bodies: Vec<Oid>,
}

impl<'a> Binder<'a> {
    fn new(eval: &'a EvalContext, text: &'a str) -> Self {
        Self {
            eval,
            catalog: eval.host.catalog(),
            search_path: eval.host.search_path(),
            source: position::Source::new(text),
            params: Vec::new(),
            params_allowed: true,
            next_column: 1,
            next_cte: 1,
            relations: BTreeSet::new(),
            inside_views: BTreeSet::new(),
            written: BTreeSet::new(),
            called: BTreeSet::new(),
            schemas: Default::default(),
            records: HashMap::new(),
            domains: HashMap::new(),
            locking: None,
            depth: 0,
            views: Vec::new(),
            merge_action: None,
            calls: Vec::new(),
            recorder: None,
            bodies: Vec::new(),
        }
    }

    fn statement(&mut self, statement: &Statement) -> Result<Query> {
        self.statement_in(statement, &scope::Scope::root())
    }

    /// Binds a statement inside of a level that gives it names.
    fn statement_in(&mut self, statement: &Statement, root: &scope::Scope<'_>) -> Result<Query> {
        let (bound, verb) = self.any_statement(statement, &[], root)?;
        self.check_params(&bound.rel)?;
        Ok(Query {
            plan: bound.rel,
            output: bound.columns,
            params: std::mem::take(&mut self.params),
            relations: std::mem::take(&mut self.relations).into_iter().collect(),
            inside_views: std::mem::take(&mut self.inside_views).into_iter().collect(),
            columns: std::mem::take(&mut self.written).into_iter().collect(),
            routines: std::mem::take(&mut self.called).into_iter().collect(),
            schemas: self.schemas.take().into_iter().collect(),
            verb,
            locking: self.locking,
        })
    }

    /// Binds a query or DML statement; `members` are the data-modifying members of its WITH.
    fn any_statement(
        &mut self,
        statement: &Statement,
        members: &[(usize, Statement)],
        scope: &scope::Scope<'_>,
    ) -> Result<(Bound, Verb)> {
        match statement {
            Statement::Query(query) => {
                let options = select::QueryOptions { members, ..Default::default() };
                Ok((self.query(query, options, scope)?, Verb::Select))
            }
            Statement::Insert(insert) => Ok((self.insert(insert, members, scope)?, Verb::Insert)),
            Statement::Update(update) => Ok((self.update(update, members, scope)?, Verb::Update)),
            Statement::Delete(delete) => Ok((self.delete(delete, members, scope)?, Verb::Delete)),
            Statement::Merge(merge) => Ok((self.merge(merge, members, scope)?, Verb::Merge)),
            Statement::With(with) => self.any_statement(&with.body, &with.members, scope),
            _ => Err(Error::unsupported("this statement as a source of rows")),
        }
    }

    /// Every parameter must have got a type, and the same one everywhere.
    fn check_params(&self, plan: &Rel) -> Result<()> {
        if let Some(index) = self.params.iter().position(|typ| *typ == Type::UNKNOWN) {
            return Err(err!(INDETERMINATE_DATATYPE, "could not determine data type of parameter ${}", index + 1));
        }
        let mut open = None;
        if !self.params.is_empty() {
            plan.walk_exprs(&mut |expr| {
                if let Expr::Param(index, Type::UNKNOWN) = expr {
                    open.get_or_insert(*index);
                }
                true
            });
        }
        match open {
            Some(index) => Err(err!(AMBIGUOUS_PARAMETER, "could not determine data type of parameter ${}", index + 1)),
            None => Ok(()),
        }
    }

    /// A new column id.
    fn column(&mut self) -> ColumnId {
        let id = self.next_column;
        self.next_column += 1;
        id
    }

    /// Runs a recursive step of binding: bounds the nesting and guards the stack.
    fn deeper<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= NESTING_MAX {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = stacker::maybe_grow(512 * 1024, 4 * 1024 * 1024, || step(self));
        self.depth -= 1;
        result
    }

    /// Notes that a relation is used.
    fn uses(&mut self, oid: Oid, access: Access) {
        match self.views.last() {
            None => {
                self.relations.insert((oid, access));
            }
            Some(Some(owner)) => {
                self.inside_views.insert((*owner, oid, access));
            }
            // Inside of a view that asks for the user's own privileges the role is not known yet.
            Some(None) => {
                self.inside_views.insert((0, oid, access));
            }
        }
    }

    /// Notes that a column is written.
    fn writes(&mut self, oid: Oid, access: Access, column: i16) {
        if self.views.is_empty() {
            self.written.insert((oid, access, column));
        }
    }

    /// A type's name as messages write it.
    fn type_name(&self, oid: Oid) -> String {
        user_types::format_along(&self.catalog, &self.search_path, oid, None)
    }

    /// The type that values of a declared type have: a domain's base.
    fn base(&self, typ: Type) -> Type {
        user_types::base(&self.catalog, typ)
    }
}

fn too_deep() -> Error {
    err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .hint(format!("Expressions and subqueries may nest {NESTING_MAX} levels deep."))
}

/// An unknown-typed literal.
fn unknown(text: &str) -> Expr {
    Expr::Const(Datum::text(text), Type::UNKNOWN)
}
