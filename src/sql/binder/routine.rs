//! Calls of SQL-language functions: the body is bound in place of the call, its arguments being the names of a level
//! around it.

use std::sync::Arc;

use sqlparser::ast::{self, Spanned};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::context::EvalContext;
use crate::sql::function::{Body as FunctionBody, Function, Volatility};
use crate::sql::parser;
use crate::sql::plan::{Expr, JoinKind, OutputColumn, Query, Rel, SetCall, Subquery, SubqueryKind};
use crate::sql::statement::Statement;
use crate::sql::types;
use crate::storage::catalog::{ArgumentMode, Entry as CatalogEntry, PG_CATALOG, Routine, RoutineKind};

use super::Binder;
use super::call::Resolved;
use super::coerce::{Context, is_composite};
use super::polymorphic::{self, Conflict};
use super::relation::row_fields;
use super::resolve::{Candidate, Choice, choose};
use super::scope::{Clause, Entry, Item, Scope, ScopeColumn};
use super::select::QueryOptions;

/// How deep bodies may call one another: who calls itself is found out by it.
const CALLS_MAX: usize = 32;

/// (routine, its arguments): what a body gives that is not bound in the place of its call.
static RUN_ROUTINE: Function = Function {
    oid: 10_000_905,
    name: "run_routine",
    args: &[Type::OID],
    variadic: false,
    defaults: 0,
    returns: Type::ANY,
    columns: &[],
    strict: false,
    volatility: Volatility::Volatile,
    body: FunctionBody::Host,
};

/// The same, as rows.
static RUN_ROUTINE_ROWS: Function = Function {
    oid: 10_000_906,
    name: "run_routine_rows",
    args: &[Type::OID],
    variadic: false,
    defaults: 0,
    returns: Type::ANY,
    columns: &[],
    strict: false,
    volatility: Volatility::Volatile,
    body: FunctionBody::Set(run_routine_rows),
};

fn run_routine_rows(context: &EvalContext, args: &[Datum]) -> Result<Box<dyn Iterator<Item = Result<Datum>> + Send>> {
    match context.host.call(RUN_ROUTINE_ROWS.name, args)? {
        Datum::Array(rows) => Ok(Box::new(rows.values.into_iter().map(Ok))),
        _ => Err(Error::internal("a routine's rows are an array")),
    }
}

/// A call of a routine with its arguments as declared.
pub(super) struct RoutineCall {
    pub(super) routine: Arc<CatalogEntry>,
    args: Vec<Expr>,
    /// The arguments of the call, names with those that had them; only noted when that is asked for.
    pub(super) written: Vec<Expr>,
    returns: Type,
}

/// The rows of a routine's body.
struct Body {
    rel: Rel,
    columns: Vec<OutputColumn>,
}

impl RoutineCall {
    /// The routine.
    pub(super) fn get(&self) -> Result<&Routine> {
        match &*self.routine {
            CatalogEntry::Routine(routine) => Ok(routine),
            _ => Err(Error::internal("a routine was expected")),
        }
    }

    /// The call as it was written, but for arguments that were left out.
    pub(super) fn noted(&self, binder: &Binder<'_>, typ: Type) -> Expr {
        binder.noted_routine(self.routine.oid(), self.written.clone(), typ)
    }
}

impl Binder<'_> {
    /// The routines that a name may mean.
    pub(super) fn routines(&self, schema: Option<&str>, name: &str) -> Vec<Arc<CatalogEntry>> {
        let schemas: Vec<Oid> = match schema {
            Some(schema) => self.catalog.schema(self.eval.host.database(), schema).into_iter().collect(),
            None => self.search_path.iter().copied().filter(|s| *s != PG_CATALOG).collect(),
        };
        let found = schemas.into_iter().flat_map(|schema| self.catalog.routines_named(schema, name));
        found.cloned().collect()
    }

    /// Chooses among routines by the arguments, and puts these in their places.
    pub(super) fn resolve_routine(
        &mut self,
        routines: &[Arc<CatalogEntry>],
        name: &str,
        args: Vec<Expr>,
        names: &[Option<String>],
        at: &[u32],
        (position, variadic): (u32, bool),
    ) -> Result<RoutineCall> {
        let oids: Vec<Oid> = args.iter().map(|e| e.typ().oid).collect();
        // Candidates see the arguments in the order of the call.
        let mut candidates: Vec<Candidate<(usize, Vec<usize>)>> = Vec::new();
        for (i, entry) in routines.iter().enumerate() {
            let CatalogEntry::Routine(routine) = &**entry else { continue };
            let Some((slots, declared, gathered)) = places(routine, args.len(), names, variadic) else { continue };
            if candidates.iter().all(|c| c.args != declared) {
                candidates.push(Candidate { what: (i, slots), args: declared, gathered });
            }
        }
        let chosen = match choose(&self.catalog, candidates, &oids) {
            Choice::One(candidate) => candidate,
            Choice::None => return Err(self.no_function(name, &oids, names, position)),
            Choice::Ambiguous => {
                return Err(err!(AMBIGUOUS_FUNCTION, "function {} is not unique", self.call_text(name, &oids, names))
                    .hint("Could not choose a best candidate function. You might need to add explicit type casts.")
                    .at(position));
            }
        };
        let (index, slots) = chosen.what;
        let gathered = chosen.gathered;
        let entry = routines[index].clone();
        let CatalogEntry::Routine(routine) = &*entry else { return Err(Error::internal("a routine was expected")) };
        let input: Vec<_> = routine.inputs().collect();
        // Polymorphic arguments: what the call gives them.
        let found = match polymorphic::resolve(&self.catalog, &chosen.args, &oids) {
            Ok(found) => found,
            Err(Conflict::Undetermined) => {
                return Err(err!(
                    DATATYPE_MISMATCH,
                    "could not determine polymorphic type because input has type unknown"
                ));
            }
            Err(Conflict::Inconsistent) => return Err(self.no_function(name, &oids, names, position)),
        };
        let concrete = |typ: Type| match types::is_polymorphic(typ.oid) {
            true => found.apply(typ.oid).map_or(typ, Type::new),
            false => typ,
        };
        let mut placed: Vec<Option<Expr>> = vec![None; input.len()];
        let mut args = args;
        let at_rest = at.get(args.len() - gathered.min(args.len())).copied().unwrap_or(position);
        let rest = args.split_off(args.len() - gathered.min(args.len()));
        if let (Some(last), false) = (input.last(), rest.is_empty()) {
            let typ = Type::new(concrete(last.typ).oid);
            let element = types::element_of(typ.oid).map(Type::new);
            let element = element.ok_or_else(|| Error::internal("a VARIADIC argument is an array"))?;
            let mut elements = Vec::with_capacity(rest.len());
            for value in rest {
                elements.push(self.coerce(value, element, Context::Implicit, at_rest)?);
            }
            placed[input.len() - 1] = Some(Expr::Array { elements, nested: false, typ, element });
        }
        for ((arg, slot), at) in args.into_iter().zip(&slots).zip(at) {
            let typ = concrete(input[*slot].typ);
            placed[*slot] = Some(self.coerce(arg, Type::new(typ.oid), Context::Implicit, *at)?);
        }
        let mut written = Vec::new();
        if self.is_recording() {
            let given: Vec<Expr> = slots.iter().filter_map(|slot| placed[*slot].clone()).collect();
            let all: Vec<usize> = (0..given.len()).collect();
            written = self.noted_names(given, names, &all);
        }
        let mut full = Vec::with_capacity(input.len());
        for (arg, value) in input.iter().zip(placed) {
            full.push(match (value, &arg.default) {
                (Some(value), _) => value,
                (None, Some(text)) => {
                    let parsed = parser::parse_expression(text)?;
                    let bound = self.without_source(|binder| binder.expr(&parsed, &Scope::root()))?;
                    self.coerce(bound, Type::new(concrete(arg.typ).oid), Context::Assignment, position)?
                }
                (None, None) => return Err(Error::internal("an argument without a default")),
            });
        }
        let returns = concrete(routine.returns);
        if self.views.is_empty() {
            self.called.insert(routine.oid);
        }
        Ok(RoutineCall { routine: entry.clone(), args: full, written, returns })
    }

    /// Runs something that is bound from a text of its own.
    fn without_source<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let source = std::mem::take(&mut self.source);
        let result = f(self);
        self.source = source;
        result
    }

    /// Binds the body of a call: what it selects, over the arguments.
    /// `None`: the body runs when it is called, as it has several statements, changes something or calls itself.
    fn routine_body(&mut self, call: &RoutineCall) -> Result<Option<Body>> {
        let routine = call.get()?;
        // What gives nothing is run for what it does.
        if routine.returns == Type::VOID || self.calls.len() >= CALLS_MAX || self.bodies.contains(&routine.oid) {
            return Ok(None);
        }
        let parsed = parser::parse(&routine.query_text())?;
        let mut statements = parsed.into_iter();
        let (first, more) = (statements.next(), statements.next());
        let query = match (first.map(|p| p.statement), more) {
            (Some(Statement::Query(query)), None) => query,
            _ => return Ok(None),
        };
        let database = self.eval.host.database();
        let mut path: Vec<Oid> =
            routine.search_path.iter().filter_map(|name| self.catalog.schema(database, name)).collect();
        if !path.contains(&PG_CATALOG) {
            path.insert(0, PG_CATALOG);
        }
        let columns: Vec<ScopeColumn> = routine
            .inputs()
            .zip(&call.args)
            .map(|(arg, value)| ScopeColumn {
                name: arg.name.clone().unwrap_or_default(),
                expr: value.clone(),
                origin: (0, 0),
            })
            .collect();
        let params: Vec<Expr> = call.args.clone();
        let item = Item {
            name: Some(routine.name.clone()),
            schema: None,
            relation: None,
            columns,
            system: Vec::new(),
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        let outer = Scope::over(None, vec![Entry::new(item)], Clause::default());
        // Names of the body's text are resolved by the path that it was made with where it was bound then.
        let path = if routine.is_bound { path } else { self.search_path.clone() };
        let outer_path = std::mem::replace(&mut self.search_path, path);
        let outer_source = std::mem::take(&mut self.source);
        self.calls.push(params);
        self.bodies.push(routine.oid);
        if routine.security_definer {
            self.views.push(Some(routine.owner));
        }
        let bound = self.unrecorded(|binder| binder.query(&query, QueryOptions::default(), &outer));
        self.bodies.pop();
        if routine.security_definer {
            self.views.pop();
        }
        self.calls.pop();
        self.search_path = outer_path;
        self.source = outer_source;
        let bound = bound?;
        Ok(Some(Body { rel: bound.rel, columns: bound.columns }))
    }

    /// A parameter `$n` inside of a body; `None`: we are in none.
    pub(super) fn routine_parameter(&self, number: usize) -> Option<Result<Expr>> {
        let args = self.calls.last()?;
        let found = number.checked_sub(1).and_then(|i| args.get(i)).cloned();
        Some(found.ok_or_else(|| err!(UNDEFINED_PARAMETER, "there is no parameter ${number}")))
    }

    /// A call as a value.
    pub(super) fn routine_value(&mut self, call: &RoutineCall, position: u32, scope: &Scope<'_>) -> Result<Expr> {
        let routine = call.get()?.clone();
        if routine.kind == RoutineKind::Procedure {
            return Err(err!(WRONG_OBJECT_TYPE, "{}({}) is a procedure", routine.name, type_list(&routine))
                .hint("To call a procedure, use CALL.")
                .at(position));
        }
        let outputs: Vec<(String, Type)> = self.routine_columns(call)?;
        let typ = match outputs.as_slice() {
            [(_, typ)] => *typ,
            _ => call.returns,
        };
        if routine.returns_set {
            let resolved = Resolved { function: &RUN_ROUTINE_ROWS, args: run_arguments(call)?, typ };
            let value = self.set_call(resolved, position, scope)?;
            if let (Expr::Column(id, _), true) = (&value, typ == Type::RECORD) {
                self.records.insert(*id, outputs);
            }
            return Ok(value);
        }
        let Some(body) = self.routine_body(call)? else {
            return Ok(Expr::Call { function: &RUN_ROUTINE, args: run_arguments(call)?, typ });
        };
        let value = match outputs.as_slice() {
            [_] if typ == Type::RECORD && body.columns.iter().all(|column| column.typ != Type::RECORD) => Expr::Row {
                fields: body.columns.iter().map(|column| column.expr()).collect(),
                names: body.columns.iter().map(|column| (column.name.as_str().into(), column.typ.oid)).collect(),
                typ,
            },
            [_] => {
                let column = body.columns.last().ok_or_else(|| Error::internal("a body gives a column"))?;
                self.coerce(column.expr(), typ, Context::Assignment, position)?
            }
            many => Expr::Row {
                fields: many
                    .iter()
                    .zip(&body.columns)
                    .map(|((_, typ), c)| self.coerce(c.expr(), *typ, Context::Assignment, position))
                    .collect::<Result<_>>()?,
                names: many.iter().map(|(name, typ)| (name.as_str().into(), typ.oid)).collect(),
                typ: call.returns,
            },
        };
        let strict = |value: Expr| match routine.strict && !call.args.is_empty() {
            false => value,
            true => {
                let nulls: Vec<Expr> = call.args.iter().map(|a| Expr::IsNull(Box::new(a.clone()), false)).collect();
                let any = if nulls.len() == 1 { nulls.into_iter().next() } else { Some(Expr::Or(nulls)) };
                let typ = value.typ();
                Expr::Case {
                    whens: any.map(|any| (any, Expr::null(typ))).into_iter().collect(),
                    otherwise: Some(Box::new(value)),
                    typ,
                }
            }
        };
        // `SELECT expression`: the expression itself, unless an argument would be computed more than once.
        if let Rel::Project { input, exprs } = &body.rel
            && **input == Rel::OneRow
            && call.args.iter().all(is_plain)
        {
            let mut value = value;
            value.replace(&mut |e| match e {
                Expr::Column(id, _) => {
                    if let Some((_, expr)) = exprs.iter().find(|(known, _)| known == id) {
                        *e = expr.clone();
                    }
                    true
                }
                _ => false,
            });
            return Ok(strict(value));
        }
        let id = self.column();
        let plan = Rel::Project { input: Box::new(body.rel), exprs: vec![(id, value)] };
        let plan = Rel::Limit {
            input: Box::new(plan),
            limit: Some(Expr::Const(Datum::Int8(1), Type::INT8)),
            offset: None,
            ties: None,
        };
        let subquery = Subquery { kind: SubqueryKind::Scalar, plan, columns: vec![(id, typ)], typ, shape: None };
        Ok(strict(Expr::Subquery(Box::new(subquery))))
    }

    /// Names and types of the columns that a call gives.
    fn routine_columns(&self, call: &RoutineCall) -> Result<Vec<(String, Type)>> {
        let routine = call.get()?;
        let outputs: Vec<(String, Type)> = routine
            .outputs()
            .enumerate()
            .map(|(i, a)| (a.name.clone().unwrap_or_else(|| format!("column{}", i + 1)), a.typ))
            .collect();
        if !outputs.is_empty() {
            return Ok(outputs);
        }
        if is_composite(call.returns.oid)
            && let Some(fields) = row_fields(&self.catalog, call.returns.oid)
        {
            return Ok(fields);
        }
        Ok(vec![(routine.name.clone(), call.returns)])
    }

    /// A call in FROM: its rows, and whether they are one scalar column.
    pub(super) fn routine_rows(
        &mut self,
        call: &RoutineCall,
        definitions: Option<Vec<(String, Type)>>,
        with_ordinality: bool,
        position: u32,
    ) -> Result<(Rel, Vec<OutputColumn>, bool)> {
        let routine = call.get()?.clone();
        let columns = match definitions {
            Some(columns) => columns,
            None if call.returns == Type::RECORD && routine.outputs().next().is_none() => {
                return Err(err!(
                    SYNTAX_ERROR,
                    "a column definition list is required for functions returning \"record\""
                )
                .at(position));
            }
            None => self.routine_columns(call)?,
        };
        let is_scalar = columns.len() == 1 && !is_composite(call.returns.oid);
        let body = if with_ordinality { None } else { self.routine_body(call)? };
        let Some(body) = body else {
            let mut made: Vec<OutputColumn> = Vec::with_capacity(columns.len());
            for (name, typ) in columns {
                made.push(OutputColumn { id: self.column(), name, typ, origin: (0, 0) });
            }
            let typ = if is_scalar { made[0].typ } else { Type::RECORD };
            let run = Expr::Call { function: &RUN_ROUTINE_ROWS, args: run_arguments(call)?, typ };
            let set = SetCall { call: run, columns: made.iter().map(|c| (c.id, c.typ)).collect() };
            let ordinality = with_ordinality.then(|| self.column());
            let rel = Rel::Function { calls: vec![set], ordinality, input: Box::new(Rel::OneRow), outer: false };
            let number = |id| OutputColumn { id, name: "ordinality".to_string(), typ: Type::INT8, origin: (0, 0) };
            made.extend(ordinality.map(number));
            return Ok((rel, made, is_scalar && !with_ordinality));
        };
        let mut exprs = Vec::new();
        let mut made = Vec::new();
        if columns.len() != body.columns.len() {
            return Err(
                err!(DATATYPE_MISMATCH, "function return row and query-specified return row do not match").at(position)
            );
        }
        for ((name, typ), column) in columns.into_iter().zip(&body.columns) {
            let value = self.coerce(column.expr(), typ, Context::Assignment, position)?;
            let id = self.column();
            exprs.push((id, value));
            made.push(OutputColumn { id, name, typ, origin: (0, 0) });
        }
        let mut rel = Rel::Project { input: Box::new(body.rel), exprs };
        if routine.strict && !call.args.is_empty() {
            let known = call.args.iter().map(|a| Expr::IsNull(Box::new(a.clone()), true)).collect::<Vec<_>>();
            let all = if known.len() == 1 { known.into_iter().next() } else { Some(Expr::And(known)) };
            if let Some(predicate) = all {
                rel = Rel::Filter { input: Box::new(rel), predicate };
            }
        }
        if !routine.returns_set {
            let one = Rel::Limit {
                input: Box::new(rel),
                limit: Some(Expr::Const(Datum::Int8(1), Type::INT8)),
                offset: None,
                ties: None,
            };
            rel = Rel::Join {
                kind: JoinKind::Left,
                left: Box::new(Rel::OneRow),
                right: Box::new(one),
                on: Expr::bool(true),
                lateral: false,
            };
        }
        Ok((rel, made, is_scalar))
    }
}

/// What a running body is called with.
fn run_arguments(call: &RoutineCall) -> Result<Vec<Expr>> {
    let mut args = vec![Expr::Const(Datum::Oid(call.get()?.oid), Type::OID)];
    args.extend(call.args.iter().cloned());
    Ok(args)
}

/// An argument that costs nothing to compute again.
fn is_plain(arg: &Expr) -> bool {
    match arg {
        Expr::Const(..) | Expr::Param(..) | Expr::Column(..) => true,
        Expr::Cast { input, .. } => is_plain(input),
        other => !other.contains_subquery() && other.least_volatility() != crate::sql::function::Volatility::Volatile,
    }
}

/// Where the arguments of a call go, the types declared there in the order of the call, and how many at the end are
/// gathered into a VARIADIC array; `None`: they do not fit.
fn places(
    routine: &Routine,
    count: usize,
    names: &[Option<String>],
    variadic: bool,
) -> Option<(Vec<usize>, Vec<Oid>, usize)> {
    let input: Vec<_> = routine.inputs().collect();
    let array = input.last().filter(|a| a.mode == ArgumentMode::Variadic);
    if variadic && array.is_none() {
        return None;
    }
    let fixed = input.len().saturating_sub(1);
    if let Some(array) = array.filter(|_| !variadic && names.iter().all(Option::is_none) && count > fixed) {
        let element = match array.typ {
            Type::ANYARRAY => Type::ANYELEMENT.oid,
            Type::ANYCOMPATIBLEARRAY => Type::ANYCOMPATIBLE.oid,
            typ => types::element_of(typ.oid)?,
        };
        let gathered = count - fixed;
        let declared = input[..fixed].iter().map(|a| a.typ.oid).chain(std::iter::repeat_n(element, gathered));
        return Some(((0..fixed).collect(), declared.collect(), gathered));
    }
    if count > input.len() {
        return None;
    }
    let mut slots = Vec::with_capacity(count);
    for i in 0..count {
        let slot = match names.get(i).and_then(Option::as_ref) {
            None => i,
            Some(name) => input.iter().position(|a| a.name.as_ref() == Some(name))?,
        };
        if slots.contains(&slot) {
            return None;
        }
        slots.push(slot);
    }
    let filled = (0..input.len()).all(|i| slots.contains(&i) || input[i].default.is_some());
    filled.then(|| {
        let declared = slots.iter().map(|s| input[*s].typ.oid).collect();
        (slots, declared, 0)
    })
}

/// The arguments of the AST's call form that CALL and FROM share.
pub(super) fn plain_arguments(call: &ast::Function) -> Option<(Vec<&ast::Expr>, Vec<Option<String>>)> {
    let ast::FunctionArguments::List(list) = &call.args else { return None };
    let (mut exprs, mut names) = (Vec::new(), Vec::new());
    for arg in &list.args {
        match arg {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => {
                exprs.push(expr);
                names.push(None);
            }
            ast::FunctionArg::Named {
                name,
                arg: ast::FunctionArgExpr::Expr(expr),
                operator: ast::FunctionArgOperator::RightArrow | ast::FunctionArgOperator::Assignment,
            } => {
                exprs.push(expr);
                names.push(Some(parser::ident(name)));
            }
            _ => return None,
        }
    }
    Some((exprs, names))
}

fn type_list(routine: &Routine) -> String {
    routine.inputs().map(|a| types::format_type(a.typ)).collect::<Vec<_>>().join(", ")
}

/// Whether a value of a type can be given back as another.
pub fn can_assign(from: Oid, to: Oid) -> bool {
    from == to || super::coerce::can_coerce(from, to, Context::Assignment)
}

/// A value converted to a type as in an assignment.
pub fn convert(value: Datum, from: Type, to: Type, eval: &EvalContext) -> Result<Datum> {
    if from.oid == to.oid {
        return Ok(value);
    }
    let mut binder = Binder::new(eval, "");
    let expr = binder.coerce(Expr::Const(value, from), to, Context::Assignment, 0)?;
    crate::sql::eval::constant(&expr, &[], eval)
}

/// Binds one statement of a routine's body; its arguments are the parameters.
/// `text` is what positions refer to (empty: none).
pub fn bind_routine_statement(
    statement: &Statement,
    routine: &Routine,
    eval: &EvalContext,
    text: &str,
) -> Result<Query> {
    let mut binder = Binder::new(eval, text);
    let inputs: Vec<_> = routine.inputs().collect();
    let params: Vec<Expr> = inputs.iter().enumerate().map(|(i, a)| Expr::Param(i, a.typ)).collect();
    let columns = inputs.iter().zip(&params).map(|(a, expr)| ScopeColumn {
        name: a.name.clone().unwrap_or_default(),
        expr: expr.clone(),
        origin: (0, 0),
    });
    let item = Item {
        name: Some(routine.name.clone()),
        schema: None,
        relation: None,
        columns: columns.collect(),
        system: Vec::new(),
        row_type: Type::RECORD,
        is_scalar_function: false,
    };
    binder.params = inputs.iter().map(|a| a.typ).collect();
    binder.calls.push(params);
    // A body that calls itself does so when it runs.
    binder.bodies.push(routine.oid);
    if routine.security_definer {
        binder.views.push(Some(routine.owner));
    }
    let outer = Scope::over(None, vec![Entry::new(item)], Clause::default());
    let mut query = binder.statement_in(statement, &outer)?;
    super::simplify::simplify(&mut query, eval);
    Ok(query)
}

/// The procedure of a CALL, and its arguments.
pub fn bind_call(call: &ast::Expr, eval: &EvalContext, text: &str) -> Result<(Arc<CatalogEntry>, Vec<Expr>)> {
    let mut binder = Binder::new(eval, text);
    binder.params_allowed = false;
    let ast::Expr::Function(call) = call else { return Err(Error::internal("CALL has a call")) };
    let position = binder.at(call.name.span());
    let (schema, name) = super::relation::name_parts(&call.name)?;
    let Some((exprs, names)) = plain_arguments(call) else {
        return Err(Error::unsupported("this form of argument").at(position));
    };
    let routines = binder.routines(schema.as_deref(), &name);
    let shown = schema.map_or(name.clone(), |schema| format!("{schema}.{name}"));
    let scope = Scope::root();
    let (mut args, mut at) = (Vec::new(), Vec::new());
    for expr in exprs {
        args.push(binder.expr(expr, &scope)?);
        at.push(binder.expr_at(expr));
    }
    // The places of OUT arguments are written and mean nothing.
    let out_places = routines.iter().find_map(|entry| match &**entry {
        CatalogEntry::Routine(r) if r.arguments.len() == args.len() && r.inputs().count() < args.len() => {
            Some(r.arguments.iter().map(|a| matches!(a.mode, ArgumentMode::Out)).collect::<Vec<bool>>())
        }
        _ => None,
    });
    let mut names = names;
    if let Some(out) = out_places {
        let mut keep = out.iter().map(|o| !o);
        args.retain(|_| keep.next().unwrap_or(true));
        let mut keep = out.iter().map(|o| !o);
        at.retain(|_| keep.next().unwrap_or(true));
        let mut keep = out.iter().map(|o| !o);
        names.retain(|_| keep.next().unwrap_or(true));
    }
    let call = binder.resolve_routine(&routines, &shown, args, &names, &at, (position, false)).map_err(|error| {
        match error.code() {
            SqlState::UNDEFINED_FUNCTION => {
                let message = error.message().replacen("function", "procedure", 1);
                Error::new(SqlState::UNDEFINED_FUNCTION, message)
                    .hint("No procedure matches the given name and argument types. You might need to add explicit type casts.")
                    .at(position)
            }
            _ => error,
        }
    })?;
    let routine = call.get()?;
    if routine.kind != RoutineKind::Procedure {
        return Err(err!(WRONG_OBJECT_TYPE, "{}({}) is not a procedure", routine.name, type_list(routine))
            .hint("To call a function, use SELECT.")
            .at(position));
    }
    Ok((call.routine.clone(), call.args))
}
