//! FROM: relations, functions, subqueries and joins, with what each makes visible.

use std::sync::Arc;

use sqlparser::ast::{self, Spanned};

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::{self, ident};
use crate::sql::plan::{Access, Expr, JoinKind, OutputColumn, Rel, SetCall};
use crate::sql::shape::{From, Source};
use crate::sql::statement::Statement;
use crate::sql::system::SystemRelation;
use crate::storage::catalog::{Entry as CatalogEntry, Sequence, Table, View};

use super::coerce::is_composite;
use super::join::{join, join_kind};
use super::relation::{Relation, row_fields};
use super::scope::{Clause, Entry, Item, Scope, ScopeColumn};
use super::select::QueryOptions;
use super::{Binder, NESTING_MAX, too_deep};

/// A bound FROM item.
pub(super) struct FromItem {
    pub(super) rel: Rel,
    pub(super) entries: Vec<Entry>,
    /// It may name columns of the items before it.
    pub(super) lateral: bool,
    /// How it was written, when that is asked for.
    pub(super) shape: Option<From>,
}

impl Binder<'_> {
    /// Binds the FROM list into `scope`; the items are joined from left to right.
    pub(super) fn bind_from(&mut self, from: &[ast::TableWithJoins], scope: &mut Scope<'_>) -> Result<Rel> {
        // Each join is one level of the plan's tree.
        if self.depth + from.len() + from.iter().map(|item| item.joins.len()).sum::<usize>() > NESTING_MAX {
            return Err(too_deep());
        }
        let mut rel = Rel::OneRow;
        let mut noted = Vec::new();
        for item in from {
            let bound = self.table_with_joins(item, &scope.entries, scope.parent)?;
            self.check_names(&scope.entries, &bound.entries)?;
            scope.entries.extend(bound.entries);
            noted.extend(bound.shape);
            rel = join(JoinKind::Inner, rel, bound.rel, bound.lateral, Expr::bool(true));
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.from = noted;
        }
        Ok(rel)
    }

    /// No two items of one FROM may have the same name.
    pub(super) fn check_names(&self, known: &[Entry], new: &[Entry]) -> Result<()> {
        for entry in new.iter().filter(|entry| entry.relation_visible) {
            let item = &entry.item;
            let Some(name) = &item.name else { continue };
            let same = |other: &&Entry| {
                other.relation_visible
                    && other.item.name.as_ref() == Some(name)
                    // The same name in two schemas is no conflict.
                    && (other.item.schema == item.schema || item.schema.is_none() || other.item.schema.is_none())
            };
            if known.iter().find(same).is_some() {
                return Err(err!(DUPLICATE_ALIAS, "table name \"{name}\" specified more than once"));
            }
        }
        Ok(())
    }

    fn table_with_joins(
        &mut self,
        item: &ast::TableWithJoins,
        before: &[Entry],
        parent: Option<&Scope<'_>>,
    ) -> Result<FromItem> {
        let mut left = self.deeper(|binder| binder.table_factor(&item.relation, before, parent))?;
        for next in &item.joins {
            if next.global {
                return Err(Error::unsupported("GLOBAL JOIN"));
            }
            let (kind, constraint) = join_kind(&next.join_operator)?;
            let mut visible = before.to_vec();
            visible.extend(left.entries.iter().cloned().map(|mut entry| {
                entry.lateral_forbidden |= matches!(kind, JoinKind::Right | JoinKind::Full);
                entry
            }));
            let right = self.deeper(|binder| binder.table_factor(&next.relation, &visible, parent))?;
            self.check_names(&left.entries, &right.entries)?;
            left = self.join_items(kind, constraint, left, right, parent)?;
        }
        Ok(left)
    }

    fn table_factor(
        &mut self,
        factor: &ast::TableFactor,
        before: &[Entry],
        parent: Option<&Scope<'_>>,
    ) -> Result<FromItem> {
        match factor {
            ast::TableFactor::Table { name, alias, args, with_ordinality, sample, partitions, .. } => {
                if args.is_some() || *with_ordinality {
                    return Err(Error::internal("functions in FROM have their own form"));
                }
                let mut item = self.named_relation(name, alias.as_ref(), parent)?;
                if !partitions.is_empty() {
                    read_only_itself(&mut item.rel);
                }
                match sample {
                    Some(ast::TableSampleKind::AfterTableAlias(sample)) => {
                        self.sampled(item, sample, self.at(name.span()), before, parent)
                    }
                    Some(_) => Err(Error::unsupported("this form of TABLESAMPLE")),
                    None => Ok(item),
                }
            }
            ast::TableFactor::Derived { lateral, subquery, alias, sample } => {
                if sample.is_some() {
                    return Err(Error::unsupported("TABLESAMPLE of a subquery"));
                }
                let mut scope = Scope::over(parent, before.to_vec(), Clause::From);
                scope.hidden = !lateral;
                let bound = self.query(subquery, QueryOptions::default(), &scope)?;
                if let Some(query) = self.finished() {
                    self.note_source(|| Source::Query(Arc::new(query)));
                }
                if let Some(recorder) = &mut self.recorder {
                    recorder.lateral = *lateral;
                }
                self.derived(bound.rel, bound.columns, alias.as_ref(), *lateral)
            }
            ast::TableFactor::Function { name, args, alias, .. } if parser::is_json_table(name) => {
                self.json_table(args, alias.as_ref(), before, parent)
            }
            ast::TableFactor::Function { lateral, name, args, with_ordinality, alias } => {
                let forced = *lateral;
                if let Some(item) = self.routine_item(name, args, *with_ordinality, alias.as_ref(), before, parent)? {
                    return Ok(item);
                }
                let calls = self.calls_of(name, args)?;
                let item = self.function_item(calls, *with_ordinality, alias.as_ref(), before, parent)?;
                if let (Some(recorder), Some(From::Item(index))) = (&mut self.recorder, &item.shape) {
                    recorder.items[*index].lateral |= forced;
                }
                Ok(item)
            }
            ast::TableFactor::TableFunction { expr, alias } => {
                self.function_item(vec![expr.clone()], false, alias.as_ref(), before, parent)
            }
            ast::TableFactor::NestedJoin { table_with_joins, alias } => {
                let bound = self.table_with_joins(table_with_joins, before, parent)?;
                match alias {
                    None => Ok(bound),
                    Some(alias) => self.aliased_join(bound, alias),
                }
            }
            ast::TableFactor::JsonTable { .. } => Err(Error::unsupported("JSON_TABLE")),
            ast::TableFactor::XmlTable { .. } => Err(Error::unsupported("XMLTABLE")),
            _ => Err(Error::unsupported("this form of FROM item")),
        }
    }

    /// A CTE, table, view or built-in relation by name.
    fn named_relation(
        &mut self,
        name: &ast::ObjectName,
        alias: Option<&ast::TableAlias>,
        parent: Option<&Scope<'_>>,
    ) -> Result<FromItem> {
        let position = self.at(name.span());
        // A name that WITH defines further on.
        let mut later = None;
        if let [ast::ObjectNamePart::Identifier(single)] = name.0.as_slice() {
            let folded = ident(single);
            let levels = parent.into_iter().flat_map(|scope| scope.chain());
            let found = levels.flat_map(|scope| scope.ctes.iter().rev()).find(|cte| cte.name == folded).cloned();
            if let Some(cte) = found {
                let (rel, columns) = self.cte_reference(&cte, position)?;
                self.note_source(|| Source::Cte(folded.clone()));
                let item = self.item(columns, Some(folded), Type::RECORD);
                return self.aliased(rel, item, alias, false);
            }
            let mut levels = parent.into_iter().flat_map(|scope| scope.chain());
            if let Some(level) = levels.find(|scope| scope.later.contains(&folded)) {
                *level.wanted.borrow_mut() = Some(folded.clone());
                later = Some(folded);
            }
        }
        let relation = self.relation(name).map_err(|error| match &later {
            Some(name) => error
                .detail(format!(
                    "There is a WITH item named \"{name}\", but it cannot be referenced from this part of the query."
                ))
                .hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references."),
            None => error,
        })?;
        match relation {
            Relation::System(relation) => self.system_relation(relation, alias),
            Relation::Entry(entry) => match &*entry {
                CatalogEntry::Table(table) => {
                    self.uses(table.oid, Access::Select);
                    let (rel, item) = self.scan(table)?;
                    self.note_relation(table.oid, table.schema, &table.name);
                    self.aliased(rel, item, alias, false)
                }
                CatalogEntry::View(view) => self.view(view, alias),
                CatalogEntry::Sequence(sequence) => self.sequence(sequence, alias),
                _ => Err(err!(WRONG_OBJECT_TYPE, "cannot open relation \"{}\"", entry.name())
                    .detail("This operation is not supported for indexes.")
                    .at(position)),
            },
        }
    }

    /// A scan of all columns; what is not used is dropped later.
    pub(super) fn scan(&mut self, table: &Table) -> Result<(Rel, Item)> {
        let (scan, item) = self.stored_scan(table);
        if !table.has_virtual() {
            return Ok((scan, item));
        }
        self.with_virtual(table, scan, item)
    }

    /// Computes the virtual columns above a scan, under the ids that the item names.
    fn with_virtual(&mut self, table: &Table, mut scan: Rel, item: Item) -> Result<(Rel, Item)> {
        let Rel::Scan { columns, .. } = &mut scan else { return Ok((scan, item)) };
        let all = columns.clone();
        let is_virtual = |number: i16| table.column_by_number(number).is_some_and(|c| c.is_virtual());
        columns.retain(|(_, number, _)| !is_virtual(*number));
        let mut exprs = Vec::with_capacity(all.len());
        for (id, number, typ) in &all {
            let generated = table.column_by_number(*number).filter(|c| c.is_virtual());
            let expr = match generated.and_then(|c| Some((c, c.generated.as_ref()?))) {
                Some((column, generated)) => self.generation(table, column, &generated.expr, &all)?,
                None => Expr::Column(*id, *typ),
            };
            exprs.push((*id, expr));
        }
        Ok((Rel::Project { input: Box::new(scan), exprs }, item))
    }

    fn stored_scan(&mut self, table: &Table) -> (Rel, Item) {
        let mut columns = Vec::new();
        let mut named = Vec::new();
        for column in table.live_columns() {
            let id = self.column();
            columns.push((id, column.number, column.typ));
            self.domains.extend(column.domain.map(|domain| (id, domain)));
            named.push(ScopeColumn {
                name: column.name.clone(),
                expr: Expr::Column(id, column.typ),
                origin: (table.oid, column.number),
            });
        }
        let mut system = Vec::new();
        for (name, number, typ) in SYSTEM_COLUMNS {
            let id = self.column();
            columns.push((id, *number, *typ));
            system.push(ScopeColumn {
                name: (*name).to_string(),
                expr: Expr::Column(id, *typ),
                origin: (table.oid, *number),
            });
        }
        let item = Item {
            name: Some(table.name.clone()),
            schema: Some(table.schema),
            relation: Some((table.oid, table.name.clone())),
            columns: named,
            system,
            row_type: Type::new(table.row_type),
            is_scalar_function: false,
        };
        let tree = self.catalog.is_tree(table);
        (Rel::Scan { table: table.oid, columns, alias: table.name.clone(), tree }, item)
    }

    fn system_relation(
        &mut self,
        relation: &'static SystemRelation,
        alias: Option<&ast::TableAlias>,
    ) -> Result<FromItem> {
        let mut columns = Vec::with_capacity(relation.columns.len());
        let mut named = Vec::with_capacity(relation.columns.len());
        for (i, (name, typ)) in relation.columns.iter().enumerate() {
            let id = self.column();
            columns.push((id, i, *typ));
            let number = i16::try_from(i + 1).unwrap_or(0);
            named.push(ScopeColumn {
                name: (*name).to_string(),
                expr: Expr::Column(id, *typ),
                origin: (relation.oid, number),
            });
        }
        let (schema, name) = relation.name.split_once('.').unwrap_or(("pg_catalog", relation.name));
        self.note_relation(relation.oid, relation.schema(), name);
        let table_oid = ScopeColumn {
            name: "tableoid".to_string(),
            expr: Expr::Const(crate::document::Datum::Oid(relation.oid), Type::OID),
            origin: (relation.oid, -6),
        };
        let item = Item {
            name: Some(name.to_string()),
            schema: self.catalog.schema(self.eval.host.database(), schema),
            relation: None,
            columns: named,
            system: vec![table_oid],
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        self.aliased(Rel::System { name: relation.name, columns }, item, alias, false)
    }

    /// A sequence as a table of one row.
    fn sequence(&mut self, sequence: &Sequence, alias: Option<&ast::TableAlias>) -> Result<FromItem> {
        self.uses(sequence.oid, Access::Select);
        let function = crate::sql::functions::find("pg_get_sequence_data").first();
        let function = *function.ok_or_else(|| Error::internal("pg_get_sequence_data() is there"))?;
        let (last, called) = (self.column(), self.column());
        let oid = Expr::Const(crate::document::Datum::Oid(sequence.oid), Type::REGCLASS);
        let call = Expr::Call { function, args: vec![oid], typ: Type::RECORD };
        let columns = vec![(last, Type::INT8), (called, Type::BOOL)];
        let rel = Rel::Function {
            calls: vec![SetCall { call, columns }],
            ordinality: None,
            input: Box::new(Rel::OneRow),
            outer: false,
        };
        let named = [
            ("last_value", Expr::Column(last, Type::INT8)),
            ("log_cnt", Expr::Const(crate::document::Datum::Int8(0), Type::INT8)),
            ("is_called", Expr::Column(called, Type::BOOL)),
        ];
        let columns = named.into_iter().zip(1..).map(|((name, expr), number)| ScopeColumn {
            name: name.to_string(),
            expr,
            origin: (sequence.oid, number),
        });
        let item = Item {
            name: Some(sequence.name.clone()),
            schema: Some(sequence.schema),
            relation: None,
            columns: columns.collect(),
            system: Vec::new(),
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        self.note_relation(sequence.oid, sequence.schema, &sequence.name);
        self.aliased(rel, item, alias, false)
    }

    /// A view: its query, bound with the names it was made with.
    fn view(&mut self, view: &View, alias: Option<&ast::TableAlias>) -> Result<FromItem> {
        self.uses(view.oid, Access::Select);
        let parsed = parser::parse(&view.query)?;
        let Some(Statement::Query(query)) = parsed.into_iter().next().map(|p| p.statement) else {
            return Err(Error::internal("a view's text is a query"));
        };
        let mut bound =
            self.inside_view(view, |binder| binder.query(&query, QueryOptions::default(), &Scope::root()))?;
        for (i, (column, (name, _))) in bound.columns.iter_mut().zip(&view.columns).enumerate() {
            column.name = name.clone();
            column.origin = (view.oid, i16::try_from(i + 1).unwrap_or(0));
        }
        // A column added to a table after `SELECT *` is not the view's.
        bound.columns.truncate(view.columns.len());
        let mut item = self.item(bound.columns, Some(view.name.clone()), Type::new(view.row_type));
        item.schema = Some(view.schema);
        item.relation = Some((view.oid, view.name.clone()));
        self.note_relation(view.oid, view.schema, &view.name);
        self.aliased(bound.rel, item, alias, false)
    }

    /// Binds something of a view's text, with the names it was made with.
    pub(super) fn inside_view<T>(&mut self, view: &View, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let database = self.eval.host.database();
        let mut path: Vec<Oid> =
            view.search_path.iter().filter_map(|name| self.catalog.schema(database, name)).collect();
        if !path.contains(&crate::storage::catalog::PG_CATALOG) {
            path.insert(0, crate::storage::catalog::PG_CATALOG);
        }
        let outer_path = std::mem::replace(&mut self.search_path, path);
        let outer_source = std::mem::take(&mut self.source);
        let outer_params = std::mem::replace(&mut self.params_allowed, false);
        // A view that is asked by its owner's privileges hides who asks from those inside of it.
        let asker = if view.is_invoker() { self.views.last().copied().flatten() } else { Some(view.owner) };
        self.views.push(asker);
        let bound = self.unrecorded(|binder| binder.deeper(bind));
        self.views.pop();
        self.search_path = outer_path;
        self.source = outer_source;
        self.params_allowed = outer_params;
        bound
    }

    pub(super) fn item(&self, columns: Vec<OutputColumn>, name: Option<String>, row_type: Type) -> Item {
        let columns =
            columns.into_iter().map(|c| ScopeColumn { expr: c.expr(), name: c.name, origin: c.origin }).collect();
        Item { name, schema: None, relation: None, columns, system: Vec::new(), row_type, is_scalar_function: false }
    }

    fn derived(
        &mut self,
        rel: Rel,
        columns: Vec<OutputColumn>,
        alias: Option<&ast::TableAlias>,
        lateral: bool,
    ) -> Result<FromItem> {
        let item = self.item(columns, None, Type::RECORD);
        self.aliased(rel, item, alias, lateral)
    }

    /// Applies an alias with its column names.
    pub(super) fn aliased(
        &mut self,
        mut rel: Rel,
        mut item: Item,
        alias: Option<&ast::TableAlias>,
        lateral: bool,
    ) -> Result<FromItem> {
        let real = self.is_recording().then(|| item.columns.iter().map(|column| column.name.clone()).collect());
        if let Some(alias) = alias {
            let name = ident(&alias.name);
            if alias.columns.len() > item.columns.len() {
                return Err(err!(
                    INVALID_COLUMN_REFERENCE,
                    "table \"{name}\" has {} columns available but {} columns specified",
                    item.columns.len(),
                    alias.columns.len()
                ));
            }
            for (column, given) in item.columns.iter_mut().zip(&alias.columns) {
                column.name = ident(&given.name);
            }
            if let Rel::Scan { alias: shown, .. } = &mut rel {
                *shown = name.clone();
            }
            item.name = Some(name);
            item.schema = None;
        }
        let shape = real.and_then(|real| self.note_item(&mut item, alias, real));
        Ok(FromItem { rel, entries: vec![Entry::new(item)], lateral, shape })
    }

    /// `(a JOIN b ...) AS j`: only j remains visible.
    fn aliased_join(&mut self, bound: FromItem, alias: &ast::TableAlias) -> Result<FromItem> {
        let columns = bound
            .entries
            .iter()
            .filter(|entry| entry.columns_visible)
            .flat_map(|entry| entry.item.columns.iter().cloned())
            .collect();
        let item = Item {
            name: None,
            schema: None,
            relation: None,
            columns,
            system: Vec::new(),
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        self.note_source(|| Source::Join);
        let mut aliased = self.aliased(bound.rel, item, Some(alias), bound.lateral)?;
        if let (Some(From::Item(own)), Some(From::Join { kind, left, right, on, .. })) = (&aliased.shape, bound.shape) {
            aliased.shape = Some(From::Join { item: *own, kind, left, right, on });
        } else {
            self.no_form();
        }
        // The names inside explain errors and nothing else.
        let hidden = |entry| Entry { relation_visible: false, columns_visible: false, ..entry };
        aliased.entries.extend(bound.entries.into_iter().map(hidden));
        Ok(aliased)
    }

    /// The calls of a function item: one, those of ROWS FROM, or of `unnest` with several arrays.
    fn calls_of(&self, name: &ast::ObjectName, args: &[ast::FunctionArg]) -> Result<Vec<ast::Expr>> {
        let plain = |arg: &ast::FunctionArg| match arg {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        };
        let last = name.0.last().and_then(|part| part.as_ident());
        if last.is_some_and(|last| last.value == parser::ROWS_FROM) {
            return Ok(args.iter().filter_map(plain).collect());
        }
        if last.is_some_and(|last| ident(last) == "unnest") && args.len() > 1 {
            return Ok(args.iter().map(|arg| call_of(name.clone(), vec![arg.clone()])).collect());
        }
        Ok(vec![call_of(name.clone(), args.to_vec())])
    }

    /// A call of a function in SQL; `None`: the name is another's.
    fn routine_item(
        &mut self,
        name: &ast::ObjectName,
        args: &[ast::FunctionArg],
        with_ordinality: bool,
        alias: Option<&ast::TableAlias>,
        before: &[Entry],
        parent: Option<&Scope<'_>>,
    ) -> Result<Option<FromItem>> {
        let Ok((schema, folded)) = super::relation::name_parts(name) else { return Ok(None) };
        if schema.is_none() && !crate::sql::functions::find(&folded).is_empty() {
            return Ok(None);
        }
        let routines = self.routines(schema.as_deref(), &folded);
        if routines.is_empty() {
            return Ok(None);
        }
        let position = self.at(name.span());
        let ast::Expr::Function(call) = call_of(name.clone(), args.to_vec()) else { return Ok(None) };
        let Some((exprs, names)) = super::routine::plain_arguments(&call) else {
            return Err(Error::unsupported("this form of argument").at(position));
        };
        let scope = Scope::over(parent, before.to_vec(), Clause::FromFunction);
        let (mut bound, mut at) = (Vec::new(), Vec::new());
        for expr in exprs {
            bound.push(self.expr(expr, &scope)?);
            at.push(self.expr_at(expr));
        }
        let call = self.resolve_routine(&routines, &folded, bound, &names, &at, (position, false))?;
        let mut definitions = None;
        if let Some(alias) = alias.filter(|alias| alias.columns.iter().any(|c| c.data_type.is_some())) {
            let mut columns = Vec::new();
            for given in &alias.columns {
                if let Some(data_type) = &given.data_type {
                    columns.push((ident(&given.name), self.data_type(data_type)?));
                }
            }
            definitions = Some(columns);
        }
        self.note_routine(&call, definitions.as_deref(), before);
        let (rel, mut columns, is_scalar) = self.routine_rows(&call, definitions, with_ordinality, position)?;
        let is_plain = call.get()?.outputs().next().is_none();
        if let (Some(alias), true, [column]) = (alias, is_scalar && is_plain, columns.as_mut_slice()) {
            column.name = ident(&alias.name);
        }
        let mut item = self.item(columns, Some(folded), Type::RECORD);
        item.is_scalar_function = is_scalar;
        self.aliased(rel, item, alias, true).map(Some)
    }

    fn function_item(
        &mut self,
        calls: Vec<ast::Expr>,
        with_ordinality: bool,
        alias: Option<&ast::TableAlias>,
        before: &[Entry],
        parent: Option<&Scope<'_>>,
    ) -> Result<FromItem> {
        let definitions = alias.filter(|alias| alias.columns.iter().any(|column| column.data_type.is_some()));
        let single = calls.len() == 1;
        let mut first_name = None;
        let (mut bound_calls, mut columns) = (Vec::new(), Vec::new());
        let mut noted = Vec::new();
        let mut is_scalar = single && !with_ordinality;
        for call in &calls {
            // A definition list of its own (in ROWS FROM): a cast to a struct.
            let own_definitions = match call {
                ast::Expr::Cast { expr, data_type: ast::DataType::Struct(fields, _), .. } => {
                    Some((&**expr, struct_alias(fields)))
                }
                _ => None,
            };
            let (call, definitions) = match &own_definitions {
                Some((call, definitions)) => (*call, Some(definitions)),
                None => (call, definitions),
            };
            let function_name = self.output_name(call);
            let scope = Scope::over(parent, before.to_vec(), Clause::FromFunction);
            let bound = self.expr(call, &scope)?;
            let bound = self.unknown_is_text(bound, self.expr_at(call))?;
            let mut sets = scope.take_level().sets;
            let call_expr = match (bound, sets.pop()) {
                (Expr::Column(id, _), Some((0, set))) if set.columns[0].0 == id && sets.is_empty() => set.call,
                (bound, None) => bound,
                _ => {
                    return Err(err!(
                        FEATURE_NOT_SUPPORTED,
                        "set-returning functions must appear at top level of FROM"
                    )
                    .at(self.expr_at(call)));
                }
            };
            let written = self.is_recording().then(|| call_expr.clone());
            let (call_expr, made, scalar) =
                self.call_columns(call_expr, &function_name, alias, definitions, single, self.expr_at(call))?;
            if let Some(written) = written {
                let defined = definitions.map(|_| made.iter().map(|c| (c.name.clone(), c.typ)).collect());
                noted.push((written, defined.unwrap_or_default()));
            }
            is_scalar &= scalar;
            first_name.get_or_insert(function_name);
            let ids = made.iter().map(|c: &OutputColumn| (c.id, c.typ)).collect();
            bound_calls.push(SetCall { call: call_expr, columns: ids });
            columns.extend(made);
        }
        self.note_function(noted, with_ordinality, before);
        let ordinality = with_ordinality.then(|| self.column());
        if let Some(id) = ordinality {
            columns.push(OutputColumn { id, name: "ordinality".to_string(), typ: Type::INT8, origin: (0, 0) });
        }
        let rel = Rel::Function { calls: bound_calls, ordinality, input: Box::new(Rel::OneRow), outer: false };
        let mut item = self.item(columns, first_name, Type::RECORD);
        item.is_scalar_function = is_scalar;
        self.aliased(rel, item, alias, true)
    }

    /// The columns that a call in FROM makes, and whether it is one scalar.
    #[allow(clippy::too_many_arguments)]
    fn call_columns(
        &mut self,
        call: Expr,
        function_name: &str,
        alias: Option<&ast::TableAlias>,
        definitions: Option<&ast::TableAlias>,
        single: bool,
        position: u32,
    ) -> Result<(Expr, Vec<OutputColumn>, bool)> {
        let column = |binder: &mut Self, name: String, typ: Type| OutputColumn {
            id: binder.column(),
            name,
            typ,
            origin: (0, 0),
        };
        let declared = match &call {
            Expr::Call { function, .. } => function.columns,
            _ => &[],
        };
        let typ = call.typ();
        if let Some(definitions) = definitions {
            let list_at = definitions.columns.first().map_or(0, |column| self.at(column.name.span));
            if declared.len() > 1 {
                return Err(err!(
                    SYNTAX_ERROR,
                    "a column definition list is redundant for a function with OUT parameters"
                )
                .at(list_at));
            }
            if typ != Type::RECORD {
                return Err(err!(
                    SYNTAX_ERROR,
                    "a column definition list is only allowed for functions returning \"record\""
                )
                .at(list_at));
            }
            let mut made = Vec::with_capacity(definitions.columns.len());
            for given in &definitions.columns {
                let Some(data_type) = &given.data_type else {
                    return Err(
                        err!(SYNTAX_ERROR, "syntax error at or near \"{}\"", given.name).at(self.at(given.name.span))
                    );
                };
                let typ = self.data_type(data_type)?;
                made.push(column(self, ident(&given.name), typ));
            }
            return Ok((self.with_shape(call, &made)?, made, false));
        }
        match declared {
            [] => {}
            [(name, typ)] => return Ok((call, vec![column(self, (*name).to_string(), *typ)], true)),
            many => {
                // Polymorphic output columns have the type that the arguments gave the call.
                let made = many.iter().map(|(name, typ)| column(self, (*name).to_string(), *typ)).collect();
                return Ok((call, made, false));
            }
        }
        if typ == Type::RECORD {
            if let Some(fields) = self.fields_of(first_record(&call)) {
                let made = fields.into_iter().map(|(name, typ)| column(self, name, typ)).collect();
                return Ok((call, made, false));
            }
            return Err(err!(SYNTAX_ERROR, "a column definition list is required for functions returning \"record\"")
                .at(position));
        }
        if is_composite(typ.oid)
            && let Some(fields) = row_fields(&self.catalog, typ.oid)
        {
            let made = fields.into_iter().map(|(name, typ)| column(self, name, typ)).collect();
            return Ok((call, made, false));
        }
        let name = match alias.filter(|_| single) {
            Some(alias) => ident(&alias.name),
            None => function_name.to_string(),
        };
        Ok((call, vec![column(self, name, typ)], true))
    }

    /// `json[b]_to_record[set]` with a column definition list is `json[b]_populate_record[set]` over a row of NULLs of
    /// that shape, which tells the kernel names and types.
    fn with_shape(&mut self, call: Expr, made: &[OutputColumn]) -> Result<Expr> {
        let Expr::Call { function, mut args, .. } = call else {
            return Err(Error::unsupported("a column definition list here"));
        };
        let target = match function.name {
            "json_to_record" => "json_populate_record",
            "json_to_recordset" => "json_populate_recordset",
            "jsonb_to_record" => "jsonb_populate_record",
            "jsonb_to_recordset" => "jsonb_populate_recordset",
            name => return Err(Error::unsupported(format!("a column definition list for {name}()"))),
        };
        let Some(populate) = crate::sql::functions::find(target).first() else {
            return Err(Error::unsupported(format!("{}() with a column definition list", function.name)));
        };
        let shape = Expr::Row {
            fields: made.iter().map(|c| Expr::null(c.typ)).collect(),
            names: made.iter().map(|c| (c.name.as_str().into(), c.typ.oid)).collect(),
            typ: Type::RECORD,
        };
        args.insert(0, shape);
        Ok(Expr::Call { function: populate, args, typ: Type::RECORD })
    }
}

/// System columns of tables: name, number, type.
pub(super) const SYSTEM_COLUMNS: &[(&str, i16, Type)] =
    &[("ctid", -1, Type::TID), ("xmin", -2, Type::XID), ("tableoid", -6, Type::OID)];

/// ONLY: the scan of a table leaves out what inherits from it.
pub(super) fn read_only_itself(rel: &mut Rel) {
    match rel {
        Rel::Scan { tree, .. } => *tree = false,
        // The virtual columns of the table.
        Rel::Project { input, .. } | Rel::Filter { input, .. } => read_only_itself(input),
        _ => {}
    }
}

/// The column definitions of a struct, as those of an alias.
fn struct_alias(fields: &[ast::StructField]) -> ast::TableAlias {
    let columns = fields.iter().filter_map(|field| {
        let name = field.field_name.clone()?;
        Some(ast::TableAliasColumnDef { name, data_type: Some(field.field_type.clone()) })
    });
    ast::TableAlias { explicit: true, name: ast::Ident::new(""), columns: columns.collect(), at: None }
}

/// A function call of the AST.
fn call_of(name: ast::ObjectName, args: Vec<ast::FunctionArg>) -> ast::Expr {
    ast::Expr::Function(ast::Function {
        name,
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args: ast::FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The record argument whose shape a call like `jsonb_populate_record(base, ...)` has.
fn first_record(call: &Expr) -> &Expr {
    match call {
        Expr::Call { args, .. } if args.first().is_some_and(|arg| arg.typ() == Type::RECORD) => &args[0],
        other => other,
    }
}
