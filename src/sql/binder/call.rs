//! Function calls: scalar, set-returning, aggregate and window functions.

use sqlparser::ast::{self, Spanned};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::function::{Body, Function};
use crate::sql::functions;
use crate::sql::parser::ident;
use crate::sql::plan::{AggregateCall, Expr, SetCall, SortKey};
use crate::sql::shape::{Call, form};
use crate::sql::{deparse, types, user_types};

use super::Binder;
use super::coerce::{Context, can_coerce, is_composite};
use super::polymorphic::{self, Conflict};
use super::relation::{name_parts, row_fields};
use super::resolve::{Candidate, Choice, candidates, choose};
use super::scope::Scope;

/// Aggregates that are only meaningful with WITHIN GROUP.
const ORDERED_SET: &[&str] = &["percentile_cont", "percentile_disc", "mode"];
/// Hypothetical-set aggregates: window functions without WITHIN GROUP.
const HYPOTHETICAL: &[&str] = &["rank", "dense_rank", "percent_rank", "cume_dist"];

/// Parameter names of the built-in functions that are called by name in practice.
const PARAMETER_NAMES: &[(&str, &[&str])] = &[
    ("make_interval", &["years", "months", "weeks", "days", "hours", "mins", "secs"]),
    ("parse_ident", &["str", "strict"]),
    ("make_date", &["year", "month", "day"]),
    ("make_time", &["hour", "min", "sec"]),
    ("make_timestamp", &["year", "month", "mday", "hour", "min", "sec"]),
    ("make_timestamptz", &["year", "month", "mday", "hour", "min", "sec", "timezone"]),
    ("jsonb_set", &["jsonb_in", "path", "replacement", "create_if_missing"]),
    ("jsonb_set_lax", &["jsonb_in", "path", "replacement", "create_if_missing", "null_value_treatment"]),
    ("jsonb_insert", &["jsonb_in", "path", "replacement", "insert_after"]),
    ("jsonb_path_query", &["target", "path", "vars", "silent"]),
    ("jsonb_path_exists", &["target", "path", "vars", "silent"]),
    ("jsonb_path_match", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query_array", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query_first", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query_tz", &["target", "path", "vars", "silent"]),
    ("jsonb_path_exists_tz", &["target", "path", "vars", "silent"]),
    ("jsonb_path_match_tz", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query_array_tz", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query_first_tz", &["target", "path", "vars", "silent"]),
    ("json_strip_nulls", &["target", "strip_in_arrays"]),
    ("jsonb_strip_nulls", &["target", "strip_in_arrays"]),
    ("random", &["min", "max"]),
];

/// A call resolved: the function with its arguments converted.
pub(super) struct Resolved {
    pub(super) function: &'static Function,
    pub(super) args: Vec<Expr>,
    pub(super) typ: Type,
}

/// What a call resolves to.
pub(super) enum Resolution {
    Call(Resolved),
    /// A type's name used as a function.
    Cast(Expr),
}

/// The arguments of a call as written.
#[derive(Default)]
struct Arguments<'a> {
    exprs: Vec<&'a ast::Expr>,
    names: Vec<Option<String>>,
    star: bool,
    /// `f(t.*)`: whole rows, as arguments after the others.
    whole_rows: Vec<&'a ast::ObjectName>,
    distinct: bool,
    variadic: bool,
    order: &'a [ast::OrderByExpr],
}

impl Binder<'_> {
    /// A call of the AST.
    pub(super) fn function(&mut self, call: &ast::Function, scope: &Scope<'_>) -> Result<Expr> {
        let position = self.at(call.name.span());
        let (schema, name) = name_parts(&call.name).map_err(|e| e.at(position))?;
        if call.uses_odbc_syntax || !matches!(call.parameters, ast::FunctionArguments::None) {
            return Err(Error::unsupported("this form of function call").at(position));
        }
        let quoted = call.name.0.last().and_then(|p| p.as_ident()).is_some_and(|i| i.quote_style.is_some());
        let special = schema.is_none() && !quoted;
        let list = match &call.args {
            ast::FunctionArguments::None => {
                return match self.sql_value(&name, None, position)? {
                    Some(expr) if special => Ok(expr),
                    _ => Err(err!(SYNTAX_ERROR, "syntax error at or near \"{name}\"").at(position)),
                };
            }
            ast::FunctionArguments::Subquery(query) if special && name == "array" => {
                return self.array_subquery(query, position, scope);
            }
            ast::FunctionArguments::Subquery(query) if name == "json_array" => {
                return self.json_array_of(query, position, scope);
            }
            ast::FunctionArguments::Subquery(_) => {
                return Err(err!(SYNTAX_ERROR, "syntax error at or near \"(\"").at(position));
            }
            ast::FunctionArguments::List(list) => list,
        };
        let arguments = self.arguments(list, position)?;
        if special && let Some(expr) = self.special_form(&name, &arguments, position, scope)? {
            return Ok(expr);
        }
        // The grammar writes this keyword as a function of pg_catalog.
        if schema.as_deref() == Some("pg_catalog") && name == "merge_action" && arguments.exprs.is_empty() {
            return self.merge_action(position);
        }
        let known_schema = match schema.as_deref() {
            None | Some("pg_catalog") => true,
            Some(schema) if self.range_constructor(Some(schema), &name).is_some() => true,
            Some(schema) => {
                if self.catalog.schema(self.eval.host.database(), schema).is_none() {
                    return Err(err!(INVALID_SCHEMA_NAME, "schema \"{schema}\" does not exist").at(position));
                }
                schema == "information_schema" && name.starts_with("_pg_")
            }
        };
        let functions = if known_schema { functions::find(&name) } else { &[] };
        if functions.is_empty()
            && let Some(typ) = self.range_constructor(schema.as_deref(), &name)
        {
            self.no_form();
            return self.construct_range(call, typ, &arguments, position, scope);
        }
        if functions.is_empty() {
            let routines = self.routines(schema.as_deref(), &name);
            if !routines.is_empty() {
                let (args, at, ..) = self.bind_arguments(call, &arguments, scope)?;
                let resolved = self.resolve_routine(
                    &routines,
                    &name,
                    args,
                    &arguments.names,
                    &at,
                    (position, arguments.variadic),
                )?;
                if self.is_recording() {
                    let value = self.unrecorded(|binder| binder.routine_value(&resolved, position, scope))?;
                    return Ok(resolved.noted(self, value.typ()));
                }
                return self.routine_value(&resolved, position, scope);
            }
        }
        let shown = schema.as_ref().map_or(name.clone(), |schema| format!("{schema}.{name}"));
        let mut bound = self.ordinary_call(call, functions, &shown, arguments, position, scope)?;
        if self.is_recording() && is_syntax(&call.name) {
            bound = self.noted_syntax(bound);
        }
        self.note_json_aggregate(call, &bound);
        Ok(bound)
    }

    /// The range or multirange type that a function's name means as its constructor.
    fn range_constructor(&self, schema: Option<&str>, name: &str) -> Option<Type> {
        let oid = user_types::find(self.eval, schema, name)?;
        (types::is_range(oid) || types::is_multirange(oid)).then_some(Type::new(oid))
    }

    /// `name(lower, upper [, flags])` of a user's range type, `name(range, ...)` of its multirange type.
    fn construct_range(
        &mut self,
        call: &ast::Function,
        typ: Type,
        arguments: &Arguments<'_>,
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let (args, at, ..) = self.bind_arguments(call, arguments, scope)?;
        let oids: Vec<Oid> = args.iter().map(|e| e.typ().oid).collect();
        let name = self.type_name(typ.oid);
        let range = types::range_of(typ.oid).unwrap_or(typ.oid);
        let wanted: Vec<Type> = if types::is_multirange(typ.oid) {
            vec![Type::new(range); args.len()]
        } else {
            let subtype = user_types::subtype(&self.catalog, range).unwrap_or(Type::TEXT);
            let all = [subtype, subtype, Type::TEXT];
            match args.len() {
                n @ (2 | 3) => all[..n].to_vec(),
                _ => return Err(self.no_function(&name, &oids, &[], position)),
            }
        };
        let mut out = Vec::with_capacity(args.len() + 1);
        for ((arg, wanted), at) in args.into_iter().zip(wanted).zip(at) {
            if !can_coerce(arg.typ().oid, wanted.oid, Context::Implicit) {
                return Err(self.no_function(&name, &oids, &[], position));
            }
            out.push(self.coerce(arg, Type::new(wanted.oid), Context::Implicit, at)?);
        }
        let constant = Expr::Const(Datum::Oid(range), Type::OID);
        if types::is_multirange(typ.oid) {
            let element = Type::new(range);
            let array = self.array_type_of(element, position)?;
            let list = Expr::Array { elements: out, nested: false, typ: array, element };
            return Ok(Expr::Call { function: &functions::types::range::GATHER, args: vec![list, constant], typ });
        }
        out.push(constant);
        Ok(Expr::Call { function: &functions::types::range::CONSTRUCT, args: out, typ })
    }

    fn arguments<'a>(&self, list: &'a ast::FunctionArgumentList, position: u32) -> Result<Arguments<'a>> {
        let mut arguments = Arguments {
            distinct: list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct),
            ..Default::default()
        };
        for clause in &list.clauses {
            match clause {
                ast::FunctionArgumentClause::OrderBy(order) => arguments.order = order,
                _ => return Err(Error::unsupported(format!("{clause} in a function call")).at(position)),
            }
        }
        for arg in &list.args {
            let (name, arg) = match arg {
                ast::FunctionArg::Unnamed(arg) => (None, arg),
                ast::FunctionArg::Named { name, arg, operator } => match operator {
                    ast::FunctionArgOperator::RightArrow | ast::FunctionArgOperator::Assignment => {
                        (Some(ident(name)), arg)
                    }
                    // The parser's form of `VARIADIC arg`.
                    ast::FunctionArgOperator::Space => {
                        arguments.variadic = true;
                        (None, arg)
                    }
                    _ => return Err(Error::unsupported("this form of named argument").at(position)),
                },
                ast::FunctionArg::ExprNamed { .. } => {
                    return Err(Error::unsupported("this form of named argument").at(position));
                }
            };
            match arg {
                ast::FunctionArgExpr::Expr(expr) => {
                    if name.is_none() && arguments.names.iter().any(Option::is_some) {
                        return Err(err!(SYNTAX_ERROR, "positional argument cannot follow named argument")
                            .at(self.expr_at(expr)));
                    }
                    arguments.exprs.push(expr);
                    arguments.names.push(name);
                }
                ast::FunctionArgExpr::Wildcard => arguments.star = true,
                ast::FunctionArgExpr::QualifiedWildcard(item) if name.is_none() => arguments.whole_rows.push(item),
                _ => return Err(Error::unsupported("this form of argument").at(position)),
            }
        }
        Ok(arguments)
    }

    /// Keywords that look like functions.
    fn special_form(
        &mut self,
        name: &str,
        arguments: &Arguments<'_>,
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<Option<Expr>> {
        let args = &arguments.exprs;
        let syntax = |word: &str| err!(SYNTAX_ERROR, "syntax error at or near \"{word}\"").at(position);
        Ok(Some(match name {
            "coalesce" if args.is_empty() => return Err(syntax(")")),
            "coalesce" => self.coalesce(args, scope)?,
            "greatest" | "least" if args.is_empty() => return Err(syntax(")")),
            "greatest" | "least" => self.min_max(name == "greatest", args, scope)?,
            "nullif" => match args.as_slice() {
                [left, right] => self.null_if(left, right, scope)?,
                _ => return Err(syntax(")")),
            },
            "grouping" => self.grouping(args, position, scope)?,
            "current_time" | "current_timestamp" | "localtime" | "localtimestamp" => {
                let precision = match args.as_slice() {
                    [ast::Expr::Value(value)] => value.to_string().parse::<i32>().ok(),
                    _ => None,
                };
                let Some(precision) = precision else { return Err(syntax("(")) };
                return self.sql_value(name, Some(precision), position);
            }
            "current_date" | "current_role" | "user" | "current_catalog" => return Err(syntax("(")),
            _ => return Ok(None),
        }))
    }

    fn ordinary_call(
        &mut self,
        call: &ast::Function,
        functions: &'static [&'static Function],
        name: &str,
        arguments: Arguments<'_>,
        position: u32,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        if call.null_treatment == Some(ast::NullTreatment::IgnoreNulls) {
            return Err(Error::unsupported("IGNORE NULLS").at(position));
        }
        let is_aggregate = functions.iter().any(|f| matches!(f.body, Body::Aggregate(_)));
        // An aggregate's arguments are inside it: nesting is an error, and GROUP BY does not restrict them.
        let state = {
            let mut level = scope.level.borrow_mut();
            let before = (level.in_aggregate, level.in_window, level.sets.len(), level.conditional);
            let windowed = call.over.is_some();
            if is_aggregate && !windowed {
                if level.in_aggregate {
                    return Err(err!(GROUPING_ERROR, "aggregate function calls cannot be nested").at(position));
                }
                level.in_aggregate = true;
            }
            level.in_window |= windowed;
            before
        };
        let result = self.bind_arguments(call, &arguments, scope);
        {
            let mut level = scope.level.borrow_mut();
            (level.in_aggregate, level.in_window, _, level.conditional) = state;
        }
        let (mut args, mut at, order, filter) = result?;
        let direct = args.len();
        if !call.within_group.is_empty() && HYPOTHETICAL.contains(&name) {
            if direct != order.len() && is_aggregate {
                let oids: Vec<Oid> =
                    args.iter().chain(order.iter().map(|key| &key.expr)).map(|e| e.typ().oid).collect();
                return Err(self.no_function(name, &oids, &[], position).hint(format!(
                    "To use the hypothetical-set aggregate {name}, the number of hypothetical direct arguments \
                     (here {direct}) must match the number of ordering columns (here {}).",
                    order.len()
                )));
            }
            for ((arg, key), at) in args.iter_mut().zip(&order).zip(&at) {
                if arg.typ() == Type::UNKNOWN {
                    *arg = self.coerce(arg.take(), Type::new(key.expr.typ().oid), Context::Implicit, *at)?;
                }
            }
        }
        // What DISTINCT compares with ORDER BY: the arguments without the conversions that the call adds.
        let written = if arguments.distinct && !order.is_empty() { args.clone() } else { Vec::new() };
        for key in &order {
            // The ordered arguments of WITHIN GROUP are arguments as well.
            if !call.within_group.is_empty() {
                args.push(key.expr.clone());
                at.push(position);
            }
        }
        if args.len() > 100 && !functions.iter().any(|f| f.variadic) {
            return Err(err!(TOO_MANY_ARGUMENTS, "cannot pass more than 100 arguments to a function").at(position));
        }
        if name == "pg_typeof" && args.len() == 1 && !self.is_recording() {
            return Ok(self.type_of(&args[0]));
        }
        let names = &arguments.names;
        let resolved = match self.resolve_call(functions, name, args, names, arguments.variadic, &at, position)? {
            Resolution::Call(resolved) => resolved,
            Resolution::Cast(expr) => return Ok(expr),
        };
        let Resolved { function, mut args, typ } = resolved;
        // A row made from JSON has the shape of the first argument, NULL or not.
        if function.name.contains("_populate_record")
            && !self.is_recording()
            && let Some(shape) = args.first().map(Expr::typ).filter(|typ| is_composite(typ.oid))
            && let Some(fields) = row_fields(&self.catalog, shape.oid)
        {
            let names = fields.iter().map(|(name, typ)| (name.as_str().into(), typ.oid)).collect();
            let nulls = fields.iter().map(|(_, typ)| Expr::null(*typ)).collect();
            let row = Expr::Row { fields: nulls, names, typ: shape };
            args[0] = Expr::Coalesce(vec![args[0].take(), row], shape);
        }
        // What is asked of the labels of an enum is asked of its type, also of a NULL.
        if matches!(function.oid, 3528..=3531)
            && !self.is_recording()
            && let Some(typ) = args.first().map(Expr::typ)
        {
            args.push(Expr::Const(Datum::Oid(typ.oid), Type::OID));
        }
        let refuse = |what: &str| {
            err!(WRONG_OBJECT_TYPE, "{what} specified, but {name} is not an aggregate function").at(position)
        };
        let is_window = matches!(function.body, Body::Window);
        if !matches!(function.body, Body::Aggregate(_)) {
            if arguments.star {
                return Err(refuse(&format!("{name}(*)")));
            }
            if arguments.distinct && !is_window {
                return Err(refuse("DISTINCT"));
            }
            if !call.within_group.is_empty() {
                return Err(refuse("WITHIN GROUP"));
            }
            if !arguments.order.is_empty() && !is_window {
                return Err(refuse("ORDER BY"));
            }
            if filter.is_some() {
                return Err(match is_window {
                    true => err!(FEATURE_NOT_SUPPORTED, "FILTER is not implemented for non-aggregate window functions")
                        .at(position),
                    false => refuse("FILTER"),
                });
            }
        }
        if matches!(function.body, Body::Aggregate(_)) && function.args.is_empty() && !arguments.star {
            let message = format!("{name}(*) must be used to call a parameterless aggregate function");
            return Err(err!(WRONG_OBJECT_TYPE, "{message}").at(position));
        }
        match function.body {
            Body::Aggregate(_) if call.over.is_none() => {
                let aggregate = Aggregate {
                    resolved: Resolved { function, args, typ },
                    distinct: arguments.distinct,
                    written,
                    order_at: arguments.order.iter().map(|key| self.expr_at(&key.expr)).collect(),
                    order,
                    within_group: !call.within_group.is_empty(),
                    direct,
                    filter,
                    sets_before: state.2,
                };
                self.aggregate(name, aggregate, position, scope)
            }
            Body::Aggregate(_) | Body::Window => {
                let Some(over) = &call.over else {
                    return Err(err!(WRONG_OBJECT_TYPE, "window function {name} requires an OVER clause").at(position));
                };
                if arguments.distinct {
                    return Err(
                        err!(FEATURE_NOT_SUPPORTED, "DISTINCT is not implemented for window functions").at(position)
                    );
                }
                if !call.within_group.is_empty() || ORDERED_SET.contains(&function.name) {
                    return Err(err!(FEATURE_NOT_SUPPORTED, "OVER is not supported for ordered-set aggregate {name}")
                        .at(position));
                }
                if !arguments.order.is_empty() {
                    return Err(err!(
                        FEATURE_NOT_SUPPORTED,
                        "aggregate ORDER BY is not implemented for window functions"
                    )
                    .at(position));
                }
                let at = match over {
                    ast::WindowType::WindowSpec(_) => self.parenthesis(call.name.span(), "over"),
                    ast::WindowType::NamedWindow(_) => 0,
                };
                self.window_call(Resolved { function, args, typ }, filter, over, (position, at), scope)
            }
            _ if call.over.is_some() => Err(err!(
                WRONG_OBJECT_TYPE,
                "OVER specified, but {name} is not a window function nor an aggregate function"
            )
            .at(position)),
            Body::Set(_) => self.set_call(Resolved { function, args, typ }, position, scope),
            Body::Scalar(_) | Body::Host => {
                let call = Expr::Call { function, args, typ };
                let is_named = self.is_recording() && deparse::is_ambiguous(&call);
                Ok(if is_named { self.noted(&form::PLAIN, call) } else { call })
            }
        }
    }

    /// Arguments, ORDER BY (or WITHIN GROUP) and FILTER.
    #[allow(clippy::type_complexity)]
    fn bind_arguments(
        &mut self,
        call: &ast::Function,
        arguments: &Arguments<'_>,
        scope: &Scope<'_>,
    ) -> Result<(Vec<Expr>, Vec<u32>, Vec<SortKey>, Option<Expr>)> {
        let (mut args, mut at) = (Vec::new(), Vec::new());
        for arg in &arguments.exprs {
            args.push(self.expr(arg, scope)?);
            at.push(self.expr_at(arg));
        }
        for item in &arguments.whole_rows {
            args.push(self.whole_row_of(item, scope)?);
            at.push(self.at(item.span()));
        }
        let written = if call.within_group.is_empty() { arguments.order } else { &call.within_group };
        let mut order = Vec::with_capacity(written.len());
        for key in written {
            order.push(self.sort_key(key, scope)?);
        }
        let filter = match &call.filter {
            Some(filter) => {
                // FILTER is beside the aggregate, not inside it.
                let clause = scope.clause();
                scope.set_clause(super::scope::Clause::Filter);
                let inside = std::mem::replace(&mut scope.level.borrow_mut().in_aggregate, false);
                let bound = self.condition(filter, "FILTER", scope);
                scope.set_clause(clause);
                scope.level.borrow_mut().in_aggregate = inside;
                Some(bound?)
            }
            None => None,
        };
        Ok((args, at, order, filter))
    }

    /// One ORDER BY key over expressions of the scope (no output names or positions).
    pub(super) fn sort_key(&mut self, key: &ast::OrderByExpr, scope: &Scope<'_>) -> Result<SortKey> {
        let position = self.expr_at(&key.expr);
        let bound = self.expr(&key.expr, scope)?;
        let bound = self.unknown_is_text(bound, position)?;
        self.sort_key_of(bound, key, position)
    }

    /// The direction and NULL placement of a key.
    pub(super) fn sort_key_of(&mut self, expr: Expr, key: &ast::OrderByExpr, position: u32) -> Result<SortKey> {
        self.check_sortable(expr.typ(), position)?;
        let descending = match &key.options.sort {
            None | Some(ast::OrderBySort::Asc) => false,
            Some(ast::OrderBySort::Desc) => true,
            Some(ast::OrderBySort::Using(operator)) => self.sort_using(operator, &expr, position)?,
        };
        let nulls_first = key.options.nulls_first.unwrap_or(descending);
        Ok(SortKey { expr, descending, nulls_first })
    }

    /// ORDER BY ... USING operator.
    fn sort_using(&self, operator: &ast::ObjectName, expr: &Expr, position: u32) -> Result<bool> {
        let last = operator.0.last().and_then(|part| part.as_ident());
        let symbol = last.map_or("", |part| part.value.as_str());
        self.choose_operator(symbol, Some(expr.typ().oid), expr.typ().oid, position)?;
        match symbol {
            "<" => Ok(false),
            ">" => Ok(true),
            _ => Err(err!(WRONG_OBJECT_TYPE, "operator {symbol} is not a valid ordering operator")
                .hint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
                .at(position)),
        }
    }

    /// A call of a built-in scalar function with bound arguments.
    pub(super) fn call_scalar(&mut self, name: &str, args: Vec<Expr>, at: &[u32], position: u32) -> Result<Expr> {
        match self.resolve_call(functions::find(name), name, args, &[], false, at, position)? {
            Resolution::Call(Resolved { function, args, typ }) => Ok(Expr::Call { function, args, typ }),
            Resolution::Cast(expr) => Ok(expr),
        }
    }

    /// Chooses the function and converts the arguments.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn resolve_call(
        &mut self,
        functions: &'static [&'static Function],
        name: &str,
        mut args: Vec<Expr>,
        names: &[Option<String>],
        variadic: bool,
        at: &[u32],
        position: u32,
    ) -> Result<Resolution> {
        let oids: Vec<Oid> = args.iter().map(|e| e.typ().oid).collect();
        if names.iter().any(Option::is_some) {
            match self.by_name(functions, name, &mut args, names) {
                true if self.is_recording() => {
                    let slots = self.slots_of(name, names);
                    let resolved = self.resolve_call(functions, name, args, &[], variadic, at, position)?;
                    return Ok(match resolved {
                        Resolution::Call(resolved) => {
                            let args = self.noted_names(resolved.args, names, &slots);
                            Resolution::Call(Resolved { args, ..resolved })
                        }
                        other => other,
                    });
                }
                true => return self.resolve_call(functions, name, args, &[], variadic, at, position),
                false => return Err(self.no_function(name, &oids, names, position)),
            }
        }
        let mut all = candidates(functions, args.len(), !variadic);
        if variadic && all.iter().any(|c| takes_any(c.what)) {
            // VARIADIC "any": what takes the array apart is a function of its own.
            let last = args.last().map_or(Type::UNKNOWN, Expr::typ);
            if types::category(last.oid) != 'A' && last != Type::UNKNOWN {
                return Err(err!(DATATYPE_MISMATCH, "VARIADIC argument must be an array")
                    .at(at.last().copied().unwrap_or(position)));
            }
            for candidate in all.iter_mut().filter(|c| takes_any(c.what)) {
                if let Some(function) = functions::spread(candidate.what) {
                    *candidate =
                        Candidate { what: function, args: function.args.iter().map(|t| t.oid).collect(), gathered: 0 };
                }
            }
        }
        if let Some(exact) = all.iter().find(|c| c.args == oids) {
            return self.converted(exact.clone(), args, &oids, at, position).map(Resolution::Call);
        }
        if let [arg] = args.as_slice()
            && let Some(cast) = self.call_as_cast(name, arg, at.first().copied().unwrap_or(0))?
        {
            return Ok(Resolution::Cast(cast));
        }
        match choose(&self.catalog, all, &oids) {
            Choice::One(candidate) => self.converted(candidate, args, &oids, at, position).map(Resolution::Call),
            Choice::None => Err(self.no_function(name, &oids, names, position)),
            Choice::Ambiguous => {
                Err(err!(AMBIGUOUS_FUNCTION, "function {} is not unique", self.call_text(name, &oids, names))
                    .hint("Could not choose a best candidate function. You might need to add explicit type casts.")
                    .at(position))
            }
        }
    }

    /// Puts named arguments in their places; gaps before them get the defaults that PostgreSQL declares (all zero).
    fn by_name(
        &self,
        functions: &'static [&'static Function],
        name: &str,
        args: &mut Vec<Expr>,
        names: &[Option<String>],
    ) -> bool {
        let Some((_, parameters)) = PARAMETER_NAMES.iter().find(|(known, _)| *known == name) else { return false };
        let Some(function) = functions.iter().find(|f| f.args.len() == parameters.len()) else { return false };
        let mut slots: Vec<Option<Expr>> = vec![None; parameters.len()];
        for (i, arg) in args.drain(..).enumerate() {
            let slot = match &names[i] {
                None => i,
                Some(written) => match parameters.iter().position(|p| p == written) {
                    Some(slot) => slot,
                    None => return false,
                },
            };
            if slot >= slots.len() || slots[slot].replace(arg).is_some() {
                return false;
            }
        }
        let last = slots.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
        let required = function.args.len() - usize::from(function.defaults);
        if last < required || slots[..required].iter().any(Option::is_none) {
            return false;
        }
        for (slot, typ) in slots.into_iter().take(last).zip(function.args) {
            args.push(slot.unwrap_or_else(|| default_argument(*typ)));
        }
        true
    }

    /// The places of the parameters that a call names, as [`Self::by_name`] finds them.
    fn slots_of(&self, name: &str, names: &[Option<String>]) -> Vec<usize> {
        let parameters = PARAMETER_NAMES.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, p)| *p);
        let slot = |(i, name): (usize, &Option<String>)| match name {
            None => Some(i),
            Some(name) => parameters.iter().position(|known| known == name),
        };
        names.iter().enumerate().filter_map(slot).collect()
    }

    fn converted(
        &mut self,
        candidate: Candidate<&'static Function>,
        args: Vec<Expr>,
        actual: &[Oid],
        at: &[u32],
        position: u32,
    ) -> Result<Resolved> {
        let function = candidate.what;
        let found = match polymorphic::resolve(&self.catalog, &candidate.args, actual) {
            Ok(found) => found,
            Err(Conflict::Undetermined) => {
                return Err(err!(
                    DATATYPE_MISMATCH,
                    "could not determine polymorphic type because input has type unknown"
                )
                .at(position));
            }
            Err(Conflict::Inconsistent) => return Err(self.no_function(function.name, actual, &[], position)),
        };
        let mut out = Vec::with_capacity(args.len());
        for (i, (arg, declared)) in args.into_iter().zip(&candidate.args).enumerate() {
            let at = at.get(i).copied().unwrap_or(position);
            let target = found.apply(*declared).unwrap_or(*declared);
            let arg = match target {
                // A literal stays as it is in what is printed.
                oid if oid == Type::ANY.oid && self.is_recording() => arg,
                oid if oid == Type::ANY.oid => self.settle_any(arg, at)?,
                oid if oid == Type::RECORD.oid => self.settle_record(arg)?,
                oid => self.coerce(arg, Type::new(oid), Context::Implicit, at)?,
            };
            out.push(arg);
        }
        if candidate.gathered > 0 {
            let elements = out.split_off(out.len() - candidate.gathered);
            let declared = candidate.args[candidate.args.len() - 1];
            let element = Type::new(found.apply(declared).unwrap_or(declared));
            let typ = self.array_type_of(element, position)?;
            out.push(Expr::Array { elements, nested: false, typ, element });
        }
        let typ = if types::is_polymorphic(function.returns.oid) {
            found.apply(function.returns.oid).map(Type::new).ok_or_else(|| {
                err!(DATATYPE_MISMATCH, "could not determine polymorphic type because input has type unknown")
                    .at(position)
            })?
        } else {
            function.returns
        };
        Ok(Resolved { function, args: out, typ })
    }

    pub(super) fn call_text(&self, name: &str, oids: &[Oid], names: &[Option<String>]) -> String {
        let args: Vec<String> = oids
            .iter()
            .enumerate()
            .map(|(i, oid)| match names.get(i).and_then(Option::as_ref) {
                Some(name) => format!("{name} => {}", self.type_name(*oid)),
                None => self.type_name(*oid),
            })
            .collect();
        format!("{name}({})", args.join(", "))
    }

    pub(super) fn no_function(&self, name: &str, oids: &[Oid], names: &[Option<String>], position: u32) -> Error {
        err!(UNDEFINED_FUNCTION, "function {} does not exist", self.call_text(name, oids, names))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
            .at(position)
    }

    /// A set-returning call in an expression: its rows come from a `ProjectSet` below.
    pub(super) fn set_call(&mut self, resolved: Resolved, position: u32, scope: &Scope<'_>) -> Result<Expr> {
        let mut level = scope.level.borrow_mut();
        if level.in_aggregate {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "aggregate function calls cannot contain set-returning function calls"
            )
            .hint("You might be able to move the set-returning function into a LATERAL FROM item.")
            .at(position));
        }
        if level.in_window {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "window function calls cannot contain set-returning function calls"
            )
            .hint("You might be able to move the set-returning function into a LATERAL FROM item.")
            .at(position));
        }
        if let Some(construct) = level.conditional {
            return Err(err!(FEATURE_NOT_SUPPORTED, "set-returning functions are not allowed in {construct}")
                .hint("You might be able to move the set-returning function into a LATERAL FROM item.")
                .at(position));
        }
        if !level.clause.allows_sets() {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "set-returning functions are not allowed in {}",
                level.clause.phrase()
            )
            .at(position));
        }
        let Resolved { function, args, typ } = resolved;
        let depth = args
            .iter()
            .flat_map(|arg| arg.free_columns())
            .filter_map(|id| level.sets.iter().find(|(_, call)| call.columns[0].0 == id).map(|(depth, _)| depth + 1))
            .max()
            .unwrap_or(0);
        let call = Expr::Call { function, args, typ };
        // The same call twice runs side by side with itself, and GROUP BY means the one of the SELECT list.
        if !call.is_volatile()
            && let Some((_, known)) = level.sets.iter().find(|(_, known)| known.call == call)
        {
            return Ok(Expr::Column(known.columns[0].0, typ));
        }
        let id = self.column();
        if !function.columns.is_empty() {
            let fields = function.columns.iter().map(|(name, typ)| (name.to_string(), *typ)).collect();
            self.records.insert(id, fields);
        }
        let call = SetCall { call, columns: vec![(id, typ)] };
        self.note_call(id, || Call::Set(call.call.clone()));
        level.sets.push((depth, call));
        Ok(Expr::Column(id, typ))
    }

    /// An aggregate call: it belongs to the innermost level whose columns it names, and leaves a column behind.
    fn aggregate(&mut self, name: &str, aggregate: Aggregate, position: u32, scope: &Scope<'_>) -> Result<Expr> {
        let Aggregate { resolved, distinct, written, mut order, order_at, within_group, direct, filter, sets_before } =
            aggregate;
        let Resolved { function, mut args, typ } = resolved;
        let ordered_set =
            ORDERED_SET.contains(&function.name) || (within_group && HYPOTHETICAL.contains(&function.name));
        if within_group && !ordered_set {
            return Err(err!(
                WRONG_OBJECT_TYPE,
                "{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"
            )
            .at(position));
        }
        if !within_group && ORDERED_SET.contains(&function.name) {
            return Err(
                err!(WRONG_OBJECT_TYPE, "WITHIN GROUP is required for ordered-set aggregate {name}").at(position)
            );
        }
        if within_group {
            if distinct {
                return Err(err!(SYNTAX_ERROR, "cannot use DISTINCT with WITHIN GROUP").at(position));
            }
            // What is ranked is compared with the rows: both sides have one type.
            if HYPOTHETICAL.contains(&function.name) {
                for i in 0..direct.min(args.len() - direct.min(args.len())) {
                    let (asked, ordered) = (args[i].typ(), args[direct + i].typ());
                    if asked.oid == ordered.oid {
                        continue;
                    }
                    let (changed, to) = match can_coerce(asked.oid, ordered.oid, Context::Implicit) {
                        true => (i, ordered),
                        false => (direct + i, asked),
                    };
                    let arg = args[changed].take();
                    args[changed] = self.coerce(arg, Type::new(to.oid), Context::Implicit, position)?;
                }
            }
            for (key, arg) in order.iter_mut().zip(&args[direct.min(args.len())..]) {
                key.expr = arg.clone();
            }
        }
        if distinct {
            for arg in &args {
                self.equality_of(arg.typ(), position)?;
                self.check_sortable(arg.typ(), position)?;
            }
            let listed = |key: &SortKey| args.iter().chain(&written).any(|arg| *arg == key.expr);
            if let Some(other) = order.iter().position(|key| !listed(key)) {
                let position = order_at.get(other).copied().unwrap_or(position);
                return Err(err!(
                    INVALID_COLUMN_REFERENCE,
                    "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"
                )
                .at(position));
            }
        }
        let call = AggregateCall { function, args, distinct, order, filter, typ };
        let mut used = std::collections::BTreeSet::new();
        for expr in call.args.iter().chain(call.order.iter().map(|k| &k.expr)).chain(&call.filter) {
            used.extend(expr.free_columns());
        }
        // Columns that window calls of this level left are not aggregated over.
        let own = scope.level.borrow();
        if own.windows.iter().any(|(id, _)| used.contains(id)) {
            return Err(
                err!(GROUPING_ERROR, "aggregate function calls cannot contain window function calls").at(position)
            );
        }
        if own.sets.len() > sets_before
            && own.sets[sets_before..].iter().any(|(_, set)| used.contains(&set.columns[0].0))
        {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "aggregate function calls cannot contain set-returning function calls"
            )
            .at(position));
        }
        drop(own);
        let owner = match used.is_empty() {
            true => Some(scope),
            false => scope.chain().find(|level| used.iter().any(|id| level.owns(*id))),
        };
        let owner = owner.unwrap_or(scope);
        let mut level = owner.level.borrow_mut();
        if !level.clause.allows_aggregates() {
            return Err(
                err!(GROUPING_ERROR, "aggregate functions are not allowed in {}", level.clause.phrase()).at(position)
            );
        }
        let volatile = call.args.iter().any(Expr::is_volatile);
        if !volatile && let Some((id, _)) = level.aggregates.iter().find(|(_, known)| *known == call) {
            return Ok(Expr::Column(*id, typ));
        }
        let id = self.next_column;
        self.next_column += 1;
        self.note_call(id, || Call::Aggregate(call.clone(), within_group.then_some(direct)));
        level.aggregates.push((id, call));
        Ok(Expr::Column(id, typ))
    }

    /// GROUPING(...): resolved when the grouping columns are known.
    fn grouping(&mut self, args: &[&ast::Expr], position: u32, scope: &Scope<'_>) -> Result<Expr> {
        if args.len() > 31 {
            return Err(err!(TOO_MANY_ARGUMENTS, "GROUPING must have fewer than 32 arguments").at(position));
        }
        let before = std::mem::replace(&mut scope.level.borrow_mut().in_aggregate, true);
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            match self.expr(arg, scope) {
                Ok(expr) => bound.push(expr),
                Err(error) => {
                    scope.level.borrow_mut().in_aggregate = before;
                    return Err(error);
                }
            }
        }
        scope.level.borrow_mut().in_aggregate = before;
        let mut level = scope.level.borrow_mut();
        if !level.clause.allows_aggregates() {
            return Err(
                err!(GROUPING_ERROR, "grouping operations are not allowed in {}", level.clause.phrase()).at(position)
            );
        }
        let id = self.column();
        self.note_call(id, || Call::Grouping(bound.clone()));
        let at = args.iter().map(|arg| self.expr_at(arg)).collect();
        level.groupings.push((id, bound, at));
        Ok(Expr::Column(id, Type::INT4))
    }
}

/// `count(*)`.
pub(super) fn count_rows() -> Option<AggregateCall> {
    Some(AggregateCall {
        function: functions::by_oid(2803)?,
        args: Vec::new(),
        distinct: false,
        order: Vec::new(),
        filter: None,
        typ: Type::INT8,
    })
}

/// Whether the parser made a call of syntax: both names stand in one place.
fn is_syntax(name: &ast::ObjectName) -> bool {
    let parts: Vec<&ast::Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    matches!(parts.as_slice(), [schema, name] if schema.value == "pg_catalog" && schema.span == name.span)
}

/// A bound aggregate call before it is placed.
struct Aggregate {
    resolved: Resolved,
    distinct: bool,
    /// With DISTINCT and ORDER BY: the arguments as they were written.
    written: Vec<Expr>,
    order: Vec<SortKey>,
    /// Where the keys of ORDER BY stand.
    order_at: Vec<u32>,
    within_group: bool,
    /// How many arguments stand before those of WITHIN GROUP.
    direct: usize,
    filter: Option<Expr>,
    /// How many set-returning calls the level had before the arguments.
    sets_before: usize,
}

/// Whether a function is declared VARIADIC "any".
fn takes_any(function: &Function) -> bool {
    function.variadic && function.args.last() == Some(&Type::ANY)
}

/// The default of a parameter that is skipped over: those functions that are called by name have zeros, false, `{}`.
fn default_argument(typ: Type) -> Expr {
    match typ {
        Type::BOOL => Expr::bool(false),
        Type::FLOAT8 => Expr::Const(Datum::Float8(0.0), Type::FLOAT8),
        Type::INT4 => Expr::Const(Datum::Int4(0), Type::INT4),
        Type::JSONB => unknown_object(),
        other => Expr::null(other),
    }
}

fn unknown_object() -> Expr {
    super::unknown("{}")
}
