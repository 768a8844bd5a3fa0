//! [`Target`]: what a DML statement changes. A view over one table is as good as the table: its names are expressions
//! over the table's row, its condition narrows down what UPDATE and DELETE see, and CHECK OPTION asks it of new rows.

use std::ops::Deref;

use sqlparser::ast::{self, Spanned};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::context::EvalContext;
use crate::sql::function::{Body, Function, Volatility};
use crate::sql::parser::{self, ident};
use crate::sql::plan::{Access, ColumnId, Expr, Rel};
use crate::sql::statement::Statement;
use crate::storage::catalog::{Column, Entry as CatalogEntry, Table, View};

use super::Binder;
use super::dml::RowColumns;
use super::from::SYSTEM_COLUMNS;
use super::relation::Relation;
use super::scope::{Clause, Entry, Item, Level, Scope, ScopeColumn};
use super::table::table_item;

/// The number of the system column `tableoid`.
pub(super) const TABLE_OID: i16 = -6;

/// (cursor, table): the key of the row that a cursor of the session stands on.
static CURRENT_OF: Function = Function {
    oid: 10_000_904,
    name: "current_of",
    args: &[Type::TEXT, Type::OID],
    variadic: false,
    defaults: 0,
    returns: Type::BYTEA,
    columns: &[],
    strict: false,
    volatility: Volatility::Stable,
    body: Body::Host,
};

/// What a statement wants to do with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Insert,
    Update,
    Delete,
    Merge,
}

/// The target of a DML statement.
pub(super) struct Target {
    table: Table,
    event: Event,
    view: Option<ViewTarget>,
}

impl Deref for Target {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

/// A view and what it is of the table's row.
struct ViewTarget {
    view: View,
    /// The ids by which the expressions here name the table's row.
    row: RowColumns,
    columns: Vec<ViewColumn>,
    /// WHERE of this view and those below.
    conditions: Vec<Expr>,
    /// CHECK OPTIONs by the view they belong to, innermost first.
    checks: Vec<(String, Expr)>,
}

struct ViewColumn {
    name: String,
    expr: Expr,
    /// The table's column, or why there is none to write to.
    number: std::result::Result<i16, Refusal>,
    default: Option<String>,
}

/// Why a column of a view cannot be written.
#[derive(Clone)]
struct Refusal {
    view: String,
    column: String,
    reason: &'static str,
}

impl Target {
    /// The relation that the statement names.
    pub(super) fn relation(&self) -> Oid {
        self.view.as_ref().map_or(self.table.oid, |target| target.view.oid)
    }

    /// Its name.
    pub(super) fn relation_name(&self) -> &str {
        self.view.as_ref().map_or(&self.table.name, |target| &target.view.name)
    }

    /// Whether the statement names a view.
    pub(super) fn is_view(&self) -> bool {
        self.view.is_some()
    }

    /// How many columns the relation has.
    pub(super) fn width(&self) -> usize {
        self.view.as_ref().map_or_else(|| self.table.live_columns().count(), |target| target.columns.len())
    }

    /// The number by which a column of the table is known in the relation.
    pub(super) fn number_in_relation(&self, number: i16) -> i16 {
        let Some(target) = &self.view else { return number };
        let at = target.columns.iter().position(|c| matches!(c.number, Ok(known) if known == number));
        at.and_then(|at| i16::try_from(at + 1).ok()).unwrap_or(number)
    }

    /// The column at a position of the relation, to be written.
    pub(super) fn nth_column(&self, index: usize) -> Result<&Column> {
        let Some(target) = &self.view else {
            let column = self.table.live_columns().nth(index);
            return column.ok_or_else(|| Error::internal("a column list is as long as its table"));
        };
        match &target.columns[index].number {
            Ok(number) => self
                .table
                .column_by_number(*number)
                .ok_or_else(|| Error::internal("a view's column leads to its table's")),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// The position of a column by name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        match &self.view {
            Some(target) => target.columns.iter().position(|c| c.name == name),
            None => self.table.live_columns().position(|c| c.name == name),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Error {
        let verb = match self.event {
            Event::Insert => "insert into",
            Event::Update | Event::Delete => "update",
            Event::Merge => "merge into",
        };
        err!(FEATURE_NOT_SUPPORTED, "cannot {verb} column \"{}\" of view \"{}\"", refusal.column, refusal.view)
            .detail(refusal.reason)
    }

    /// The relation's row over these ids of the table's.
    pub(super) fn item(&self, columns: &[(ColumnId, i16, Type)]) -> Item {
        let known = columns.iter().find(|(_, number, _)| *number == TABLE_OID);
        let oid = Expr::Const(Datum::Oid(self.table.oid), Type::OID);
        let marker = ScopeColumn {
            name: "tableoid".to_string(),
            expr: known.map_or(oid, |(id, _, typ)| Expr::Column(*id, *typ)),
            origin: (self.table.oid, TABLE_OID),
        };
        let Some(target) = &self.view else {
            let mut item = table_item(&self.table, columns);
            item.system.push(marker);
            return item;
        };
        let named = target.columns.iter().zip(1..).map(|(column, number)| ScopeColumn {
            name: column.name.clone(),
            expr: target.over(&column.expr, columns),
            origin: (target.view.oid, number),
        });
        Item {
            name: Some(target.view.name.clone()),
            schema: Some(target.view.schema),
            relation: Some((target.view.oid, target.view.name.clone())),
            columns: named.collect(),
            // It tells rows that are not there; a view has no system columns to name.
            system: vec![ScopeColumn { name: ROW_MARKER.to_string(), ..marker }],
            row_type: Type::new(target.view.row_type),
            is_scalar_function: false,
        }
    }

    /// The views' CHECK OPTIONs over a new row.
    pub(super) fn view_checks(&self, columns: &[(ColumnId, i16, Type)]) -> Vec<(String, Expr)> {
        let Some(target) = &self.view else { return Vec::new() };
        target.checks.iter().map(|(view, check)| (view.clone(), target.over(check, columns))).collect()
    }

    /// Why the column that an expression over this view's row stands for cannot be written.
    fn refusal_of(&self, expr: &Expr, row: &[(ColumnId, i16, Type)]) -> Option<Refusal> {
        let view = self.view.as_ref()?;
        let refused = view.columns.iter().filter_map(|c| Some((c, c.number.as_ref().err()?)));
        let mut same = refused.filter(|(column, _)| view.over(&column.expr, row) == *expr);
        same.next().map(|(_, refusal)| refusal.clone())
    }

    /// Whether DEFAULT in an UPDATE means a default: through a view it means the view's own, and else NULL.
    pub(super) fn has_default(&self, column: &Column) -> bool {
        !self.is_view() || self.view_default(column.number).is_some()
    }

    /// The default that the view gives to a column.
    fn view_default(&self, number: i16) -> Option<&str> {
        let columns = &self.view.as_ref()?.columns;
        let column = columns.iter().find(|c| matches!(c.number, Ok(known) if known == number));
        column?.default.as_deref()
    }
}

/// The name of a view's column that tells rows that are not there; no statement can write it.
pub(super) const ROW_MARKER: &str = "";

impl ViewTarget {
    /// An expression over other ids of the table's row.
    fn over(&self, expr: &Expr, columns: &[(ColumnId, i16, Type)]) -> Expr {
        let mut expr = expr.clone();
        expr.rewrite_deep(&mut |e| {
            let Expr::Column(id, typ) = e else { return };
            let Some((_, number, _)) = self.row.iter().find(|(own, _, _)| own == id) else { return };
            *e = match columns.iter().find(|(_, other, _)| other == number) {
                Some((other, _, _)) => Expr::Column(*other, *typ),
                None => Expr::null(*typ),
            };
        });
        expr
    }
}

impl Binder<'_> {
    /// The relation that a DML statement changes.
    pub(super) fn dml_target(&mut self, name: &ast::ObjectName, event: Event, accesses: &[Access]) -> Result<Target> {
        let position = self.at(name.span());
        match self.relation(name)? {
            Relation::Entry(entry) => match &*entry {
                CatalogEntry::Table(table) if table.view.is_some() => {
                    Err(unchangeable(event, &table.name, "materialized view"))
                }
                CatalogEntry::Table(table) => {
                    accesses.iter().for_each(|access| self.uses(table.oid, *access));
                    Ok(Target { table: table.clone(), event, view: None })
                }
                CatalogEntry::View(view) => self.view_target(view, event, accesses, false),
                CatalogEntry::Sequence(sequence) => Err(unchangeable(event, &sequence.name, "sequence")),
                _ => Err(err!(WRONG_OBJECT_TYPE, "cannot open relation \"{}\"", entry.name())
                    .detail("This operation is not supported for indexes.")
                    .at(position)),
            },
            Relation::System(relation) => {
                let name = relation.name.rsplit('.').next().unwrap_or(relation.name);
                Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied: \"{name}\" is a system catalog"))
            }
        }
    }

    /// A view as a target; `cascaded`: a view above has CASCADED CHECK OPTION.
    fn view_target(&mut self, view: &View, event: Event, accesses: &[Access], cascaded: bool) -> Result<Target> {
        accesses.iter().for_each(|access| self.uses(view.oid, *access));
        let refuse = |reason: &'static str| not_updatable(view, event, accesses, reason);
        let query = self.view_query(view)?;
        let (select, factor) = simple_view(&query).map_err(refuse)?;
        let (mut checked, mut all) = (false, cascaded);
        if let Some(option) = view.check_option() {
            (checked, all) = (true, all || option == "cascaded");
        }
        let target = self.inside_view(view, |binder| {
            let base = binder.base_target(&factor, event, accesses, all, &refuse)?;
            let mut row = binder.row_columns(&base.table);
            let mut system = Vec::new();
            for (name, number, typ) in SYSTEM_COLUMNS.iter().filter(|(_, number, _)| *number != TABLE_OID) {
                let id = binder.column();
                row.push((id, *number, *typ));
                let origin = (base.table.oid, *number);
                system.push(ScopeColumn { name: name.to_string(), expr: Expr::Column(id, *typ), origin });
            }
            let mut item = base.item(&row);
            if base.view.is_none() {
                item.system.extend(system);
            }
            let row_type = item.row_type;
            rename(&mut item, factor.alias);
            let scope = Scope::over(None, vec![Entry::new(item)], Clause::Where);
            let own = match &select.selection {
                Some(condition) => Some(binder.condition(condition, "WHERE", &scope)?),
                None => None,
            };
            scope.set_clause(Clause::Target);
            let mut targets = binder.target_list(&select.projection, &scope)?;
            binder.settle_targets(&mut targets)?;
            check_level(&scope.take_level()).map_err(&refuse)?;
            let mut columns = Vec::with_capacity(view.columns.len());
            for (i, (found, (name, _))) in targets.into_iter().zip(&view.columns).enumerate() {
                let refusal = |reason| Err(Refusal { view: view.name.clone(), column: name.clone(), reason });
                let is_row = matches!(&found.expr, Expr::Row { typ, .. } if *typ == row_type);
                let number = match found.origin {
                    (oid, _) if oid != base.relation() => match base.refusal_of(&found.expr, &row) {
                        Some(refusal) => Err(refusal),
                        None => match is_row {
                            true => refusal("View columns that return whole-row references are not updatable."),
                            false => {
                                refusal("View columns that are not columns of their base relation are not updatable.")
                            }
                        },
                    },
                    (_, number) if number <= 0 => {
                        refusal("View columns that refer to system columns are not updatable.")
                    }
                    (_, number) => match &base.view {
                        Some(below) => below.columns[usize::try_from(number - 1).unwrap_or(0)].number.clone(),
                        None => Ok(number),
                    },
                };
                let default = view.defaults.get(i).cloned().flatten();
                let below = number.as_ref().ok().and_then(|number| base.view_default(*number)).map(str::to_string);
                columns.push(ViewColumn { name: name.clone(), expr: found.expr, number, default: default.or(below) });
            }
            let (mut conditions, mut checks) = match &base.view {
                Some(below) => {
                    let over = |expr: &Expr| below.over(expr, &row);
                    let checks = below.checks.iter().map(|(name, check)| (name.clone(), over(check))).collect();
                    (below.conditions.iter().map(over).collect(), checks)
                }
                None => (Vec::new(), Vec::new()),
            };
            if let Some(own) = own {
                if checked || all {
                    checks.push((view.name.clone(), own.clone()));
                }
                conditions.push(own);
            }
            let found = ViewTarget { view: view.clone(), row, columns, conditions, checks };
            Ok(Target { table: base.table, event, view: Some(found) })
        })?;
        let writes = accesses.iter().any(|access| matches!(access, Access::Insert | Access::Update));
        let writable = target.view.iter().flat_map(|found| &found.columns).any(|c| c.number.is_ok());
        if writes && !writable {
            return Err(refuse("Views that have no updatable columns are not automatically updatable."));
        }
        Ok(target)
    }

    /// The relation that a view selects from.
    fn base_target(
        &mut self,
        factor: &Factor<'_>,
        event: Event,
        accesses: &[Access],
        cascaded: bool,
        refuse: &dyn Fn(&'static str) -> Error,
    ) -> Result<Target> {
        let elsewhere =
            || refuse("Views that do not select from a single table or view are not automatically updatable.");
        let Relation::Entry(entry) = self.relation(factor.name)? else { return Err(elsewhere()) };
        match &*entry {
            CatalogEntry::Table(table) if table.view.is_none() => {
                accesses.iter().chain([&Access::Select]).for_each(|access| self.uses(table.oid, *access));
                Ok(Target { table: table.clone(), event, view: None })
            }
            CatalogEntry::View(view) => {
                self.uses(view.oid, Access::Select);
                self.view_target(view, event, accesses, cascaded)
            }
            _ => Err(elsewhere()),
        }
    }

    /// The target as a FROM item: its entry, the table's columns, locator and rows.
    pub(super) fn target_item(
        &mut self,
        target: &Target,
        alias: Option<&ast::Ident>,
    ) -> Result<(Entry, RowColumns, ColumnId, Rel)> {
        let (mut scan, item) = self.scan(&target.table)?;
        let locator = self.column();
        let column = |c: &ScopeColumn| match c.expr {
            Expr::Column(id, typ) => Some((id, c.origin.1, typ)),
            _ => None,
        };
        let whole: RowColumns = item.columns.iter().chain(&item.system).filter_map(column).collect();
        let row = whole.iter().copied().filter(|(_, number, _)| *number > 0 || *number == TABLE_OID).collect();
        let mut inner = &mut scan;
        if let Rel::Project { input, exprs } = inner {
            exprs.push((locator, Expr::Column(locator, Type::BYTEA)));
            inner = input;
        }
        if let Rel::Scan { columns, alias: shown, .. } = inner {
            columns.push((locator, 0, Type::BYTEA));
            if let Some(alias) = alias.filter(|_| target.view.is_none()) {
                *shown = ident(alias);
            }
        }
        let mut item = match &target.view {
            Some(_) => target.item(&whole),
            None => item,
        };
        if let Some(alias) = alias {
            item.name = Some(ident(alias));
            item.schema = None;
        }
        if let Some(found) = &target.view
            && !found.conditions.is_empty()
        {
            let conditions = found.conditions.iter().map(|condition| found.over(condition, &whole)).collect();
            scan = Rel::Filter { input: Box::new(scan), predicate: Expr::conjunction(conditions) };
        }
        Ok((Entry::new(item), row, locator, scan))
    }

    /// The default of a column, where the view may have one of its own.
    pub(super) fn target_default(&mut self, target: &Target, column: &Column) -> Result<Expr> {
        match target.view_default(column.number) {
            None => self.default_of(target, column),
            Some(text) => {
                let with = Column { default: Some(text.to_string()), identity: None, ..column.clone() };
                self.default_of(target, &with)
            }
        }
    }

    /// WHERE CURRENT OF: the row whose key the session knows of its cursor.
    pub(super) fn current_of(&mut self, target: &Target, cursor: String, locator: ColumnId) -> Result<Expr> {
        let args =
            vec![Expr::Const(Datum::text(cursor), Type::TEXT), Expr::Const(Datum::Oid(target.table.oid), Type::OID)];
        let current = Expr::Call { function: &CURRENT_OF, args, typ: Type::BYTEA };
        let function = self.equality_of(Type::BYTEA, 0)?;
        let args = vec![Expr::Column(locator, Type::BYTEA), current];
        Ok(Expr::Call { function, args, typ: Type::BOOL })
    }

    fn view_query(&self, view: &View) -> Result<Box<ast::Query>> {
        match parser::parse(&view.query)?.into_iter().next().map(|parsed| parsed.statement) {
            Some(Statement::Query(query)) => Ok(query),
            _ => Err(Error::internal("a view's text is a query")),
        }
    }
}

/// Whether rows can be written through a view, and each of its columns; why not, if nothing can.
pub fn view_updatability(view: &View, context: &EvalContext) -> std::result::Result<Vec<bool>, Error> {
    let mut binder = Binder::new(context, "");
    let target = binder.view_target(view, Event::Delete, &[], false)?;
    Ok(target.view.iter().flat_map(|found| &found.columns).map(|column| column.number.is_ok()).collect())
}

/// The only item of a view's FROM.
struct Factor<'q> {
    name: &'q ast::ObjectName,
    alias: Option<&'q ast::TableAlias>,
}

/// The SELECT of a view that is simple enough, or why it is not.
fn simple_view(query: &ast::Query) -> std::result::Result<(&ast::Select, Factor<'_>), &'static str> {
    let select = match &*query.body {
        ast::SetExpr::Select(select) => Some(select),
        _ => None,
    };
    if select.is_some_and(|select| select.distinct.is_some()) {
        return Err("Views containing DISTINCT are not automatically updatable.");
    }
    let grouped = |select: &ast::Select| match &select.group_by {
        ast::GroupByExpr::Expressions(exprs, modifiers) => !exprs.is_empty() || !modifiers.is_empty(),
        ast::GroupByExpr::All(_) => true,
    };
    if select.is_some_and(|select| grouped(select)) {
        return Err("Views containing GROUP BY are not automatically updatable.");
    }
    if select.is_some_and(|select| select.having.is_some()) {
        return Err("Views containing HAVING are not automatically updatable.");
    }
    if matches!(&*query.body, ast::SetExpr::SetOperation { .. }) {
        return Err("Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.");
    }
    if query.with.is_some() {
        return Err("Views containing WITH are not automatically updatable.");
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err("Views containing LIMIT or OFFSET are not automatically updatable.");
    }
    let elsewhere = "Views that do not select from a single table or view are not automatically updatable.";
    let Some(select) = select else { return Err(elsewhere) };
    match select.from.as_slice() {
        [
            ast::TableWithJoins {
                relation: ast::TableFactor::Table { name, alias, args: None, sample: None, .. },
                joins,
            },
        ] if joins.is_empty() => Ok((select, Factor { name, alias: alias.as_ref() })),
        _ => Err(elsewhere),
    }
}

/// What the select list may not contain.
fn check_level(level: &Level) -> std::result::Result<(), &'static str> {
    if !level.aggregates.is_empty() || !level.groupings.is_empty() {
        return Err("Views that return aggregate functions are not automatically updatable.");
    }
    if !level.windows.is_empty() {
        return Err("Views that return window functions are not automatically updatable.");
    }
    if !level.sets.is_empty() {
        return Err("Views that return set-returning functions are not automatically updatable.");
    }
    Ok(())
}

/// The alias of a view's FROM item, with its column names.
fn rename(item: &mut Item, alias: Option<&ast::TableAlias>) {
    let Some(alias) = alias else { return };
    for (column, given) in item.columns.iter_mut().zip(&alias.columns) {
        column.name = ident(&given.name);
    }
    item.name = Some(ident(&alias.name));
    item.schema = None;
}

/// 55000 for a view that is not simple enough.
fn not_updatable(view: &View, event: Event, accesses: &[Access], reason: &'static str) -> Error {
    let merges = event == Event::Merge;
    let event = match (event, accesses.first()) {
        (Event::Merge, Some(Access::Insert)) => Event::Insert,
        (Event::Merge, Some(Access::Delete)) => Event::Delete,
        (Event::Merge, _) => Event::Update,
        (event, _) => event,
    };
    let (what, doing, command) = match event {
        Event::Insert => ("insert into", "inserting into", "INSERT"),
        Event::Delete => ("delete from", "deleting from", "DELETE"),
        Event::Update | Event::Merge => ("update", "updating", "UPDATE"),
    };
    let hint = match merges {
        true => format!("To enable {doing} the view using MERGE, provide an INSTEAD OF {command} trigger."),
        false => format!(
            "To enable {doing} the view, provide an INSTEAD OF {command} trigger or an unconditional ON {command} DO \
             INSTEAD rule."
        ),
    };
    err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cannot {what} view \"{}\"", view.name).detail(reason).hint(hint)
}

/// For a relation of another kind.
fn unchangeable(event: Event, name: &str, kind: &str) -> Error {
    match event {
        Event::Merge => err!(FEATURE_NOT_SUPPORTED, "cannot execute MERGE on relation \"{name}\"")
            .detail(format!("This operation is not supported for {kind}s.")),
        _ => Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot change {kind} \"{name}\"")),
    }
}
