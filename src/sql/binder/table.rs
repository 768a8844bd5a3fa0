//! Expressions that the catalog keeps as text: CHECK, DEFAULT, index keys and predicates, each with what it may not
//! contain; and what COPY and DDL need of names and types.

use sqlparser::ast;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Volatility;
use crate::sql::parser::{self, ident};
use crate::sql::plan::{ColumnId, Expr};
use crate::storage::catalog::{Column, Table};

use super::Binder;
use super::coerce::Context;
use super::scope::{Clause, Entry, Item, Scope, ScopeColumn};

/// Which kind of kept expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableExpr {
    /// A CHECK constraint: boolean.
    Check,
    /// The DEFAULT of a column (its number), of the column's type.
    Default(i16, Type),
    /// The expression of a generated column (its number), of the column's type.
    Generated(i16, Type),
    /// An index key.
    IndexKey,
    /// A partial index's predicate: boolean.
    IndexPredicate,
    /// WHERE of COPY FROM: boolean.
    CopyWhere,
    /// Any of them, to be shown.
    Any,
}

/// A bound expression of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundTableExpr {
    /// The expression.
    pub expr: Expr,
    /// The ids by which it names the table's columns: id, column number, type; all live columns.
    pub columns: Vec<(ColumnId, i16, Type)>,
}

/// Binds an expression over a table's columns. `source` is the text that positions refer to (empty: none).
pub fn bind_table_expr(
    expr: &ast::Expr,
    kind: TableExpr,
    table: &Table,
    context: &EvalContext,
    source: &str,
) -> Result<BoundTableExpr> {
    Binder::new(context, source).bind_table_expr(expr, kind, table)
}

/// As [`bind_table_expr`], from the text in the catalog.
pub fn bind_table_text(text: &str, kind: TableExpr, table: &Table, context: &EvalContext) -> Result<BoundTableExpr> {
    bind_table_expr(&parser::parse_expression(text)?, kind, table, context, "")
}

/// Binds a CHECK of a domain, whose only column is `VALUE`; answers also its id. `source` is the text that positions
/// refer to.
pub fn bind_domain_check(text: &str, base: Type, context: &EvalContext, source: &str) -> Result<(Expr, ColumnId)> {
    let parsed = parser::parse_expression(text)?;
    bind_domain_expr(&parsed, base, context, source)
}

/// As [`bind_domain_check`], from the expression.
pub fn bind_domain_expr(expr: &ast::Expr, base: Type, context: &EvalContext, source: &str) -> Result<(Expr, ColumnId)> {
    Binder::new(context, source).bind_domain_expr(expr, base)
}

/// Binds an expression without columns or parameters and gives it a type (if one is asked for): arguments of EXECUTE
/// and CALL, values of options.
pub fn bind_constant(expr: &ast::Expr, typ: Option<Type>, context: &EvalContext, source: &str) -> Result<Expr> {
    let mut binder = Binder::new(context, source);
    binder.params_allowed = false;
    let scope = Scope::root();
    let bound = binder.expr(expr, &scope)?;
    let position = binder.expr_at(expr);
    match typ {
        None => binder.unknown_is_text(bound, position),
        Some(typ) => {
            let from = bound.typ().oid;
            match binder.coerce_to(bound, typ, Context::Assignment, position)? {
                Some(expr) => Ok(expr),
                None => Err(binder.cannot_cast(from, typ.oid).at(position)),
            }
        }
    }
}

/// The type that a written type names: the built-in ones and the row types of tables and views.
pub fn bind_type(data_type: &ast::DataType, context: &EvalContext, source: &str) -> Result<Type> {
    Binder::new(context, source).data_type(data_type)
}

/// The columns that a list of names means (COPY, and the like); all live columns for an empty list.
pub fn bind_columns<'t>(names: &[ast::Ident], table: &'t Table, source: &str) -> Result<Vec<&'t Column>> {
    if names.is_empty() {
        return Ok(table.live_columns().filter(|c| c.generated.is_none()).collect());
    }
    let mut columns: Vec<&Column> = Vec::with_capacity(names.len());
    for name in names {
        let folded = ident(name);
        let position = if source.is_empty() { 0 } else { parser::position(name.span) };
        let Some(column) = table.column(&folded) else {
            return Err(err!(UNDEFINED_COLUMN, "column \"{folded}\" of relation \"{}\" does not exist", table.name)
                .at(position));
        };
        if column.generated.is_some() {
            return Err(err!(INVALID_COLUMN_REFERENCE, "column \"{folded}\" is a generated column")
                .detail("Generated columns cannot be used in COPY."));
        }
        if columns.iter().any(|known| known.number == column.number) {
            return Err(err!(DUPLICATE_COLUMN, "column \"{folded}\" specified more than once").at(position));
        }
        columns.push(column);
    }
    Ok(columns)
}

impl Binder<'_> {
    pub(super) fn bind_table_expr(
        &mut self,
        expr: &ast::Expr,
        kind: TableExpr,
        table: &Table,
    ) -> Result<BoundTableExpr> {
        self.params_allowed = false;
        let columns: Vec<(ColumnId, i16, Type)> = match kind {
            TableExpr::Default(..) => Vec::new(),
            _ => table.live_columns().map(|c| (self.column(), c.number, c.typ)).collect(),
        };
        let expr = self.table_expr(expr, kind, table, &columns)?;
        Ok(BoundTableExpr { expr, columns })
    }

    pub(super) fn bind_domain_expr(&mut self, expr: &ast::Expr, base: Type) -> Result<(Expr, ColumnId)> {
        self.params_allowed = false;
        let id = self.column();
        let value = ScopeColumn { name: "value".to_string(), expr: Expr::Column(id, base), origin: (0, 0) };
        let item = Item {
            name: None,
            schema: None,
            relation: None,
            columns: vec![value],
            system: Vec::new(),
            row_type: Type::RECORD,
            is_scalar_function: false,
        };
        let scope = Scope::over(None, vec![Entry::new(item)], Clause::Check);
        let bound = self.expr(expr, &scope)?;
        let position = self.expr_at(expr);
        if bound.contains_subquery() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "cannot use subquery in check constraint").at(position));
        }
        Ok((self.coerce_bool(bound, "CHECK", position)?, id))
    }

    /// Binds a kept expression over given ids of a table's columns.
    pub(super) fn table_expr(
        &mut self,
        expr: &ast::Expr,
        kind: TableExpr,
        table: &Table,
        columns: &[(ColumnId, i16, Type)],
    ) -> Result<Expr> {
        let clause = match kind {
            TableExpr::Check => Clause::Check,
            TableExpr::Default(..) => Clause::Default,
            TableExpr::Generated(..) => Clause::Generated,
            TableExpr::IndexKey => Clause::IndexExpression,
            TableExpr::IndexPredicate => Clause::IndexPredicate,
            TableExpr::CopyWhere => Clause::Copy,
            TableExpr::Any => Clause::Default,
        };
        let mut entries = Vec::new();
        if !matches!(kind, TableExpr::Default(..)) {
            entries.push(Entry::new(table_item(table, columns)));
        }
        if matches!(kind, TableExpr::Generated(..)) {
            let item = table_item(table, columns);
            entries = vec![Entry::new(Item { system: self.system_names(table), ..item })];
        }
        let scope = Scope::over(None, entries, clause);
        let bound = match self.expr(expr, &scope) {
            Err(error)
                if matches!(kind, TableExpr::Default(..))
                    && error.code() == crate::error::SqlState::UNDEFINED_COLUMN =>
            {
                let position = error.report().position.unwrap_or(0);
                return Err(
                    err!(FEATURE_NOT_SUPPORTED, "cannot use column reference in DEFAULT expression").at(position)
                );
            }
            other => other?,
        };
        let position = self.expr_at(expr);
        if bound.contains_subquery() {
            let what = match kind {
                TableExpr::Check => "cannot use subquery in check constraint",
                TableExpr::Default(..) => "cannot use subquery in DEFAULT expression",
                TableExpr::Generated(..) => "cannot use subquery in column generation expression",
                TableExpr::IndexKey => "cannot use subquery in index expression",
                TableExpr::IndexPredicate => "cannot use subquery in index predicate",
                TableExpr::CopyWhere => "cannot use subquery in COPY FROM WHERE condition",
                TableExpr::Any => "cannot use subquery here",
            };
            return Err(err!(FEATURE_NOT_SUPPORTED, "{what}").at(position));
        }
        match kind {
            TableExpr::Check => self.coerce_bool(bound, "CHECK", position),
            TableExpr::CopyWhere => self.coerce_bool(bound, "WHERE", position),
            TableExpr::Any => Ok(bound),
            TableExpr::Default(number, typ) | TableExpr::Generated(number, typ) => {
                if matches!(kind, TableExpr::Generated(..)) {
                    check_generation(&bound, table, columns, position)?;
                }
                let from = bound.typ().oid;
                let declared = table.column_by_number(number).map_or(typ, Column::declared);
                let typ = if table.column_by_number(number).is_some_and(|c| c.typ == typ) { declared } else { typ };
                match self.coerce_to(bound, typ, Context::Assignment, position)? {
                    Some(expr) => Ok(expr),
                    None => Err(err!(
                        DATATYPE_MISMATCH,
                        "column \"{}\" is of type {} but default expression is of type {}",
                        table.column_by_number(number).map_or("", |c| c.name.as_str()),
                        self.type_name(typ.oid),
                        self.type_name(from)
                    )
                    .hint("You will need to rewrite or cast the expression.")
                    .at(position)),
                }
            }
            TableExpr::IndexKey => {
                if bound.least_volatility_of_functions() != Volatility::Immutable {
                    return Err(err!(
                        INVALID_OBJECT_DEFINITION,
                        "functions in index expression must be marked IMMUTABLE"
                    ));
                }
                self.unknown_is_text(bound, position)
            }
            TableExpr::IndexPredicate => {
                if bound.least_volatility_of_functions() != Volatility::Immutable {
                    return Err(err!(
                        INVALID_OBJECT_DEFINITION,
                        "functions in index predicate must be marked IMMUTABLE"
                    ));
                }
                self.coerce_bool(bound, "WHERE", position)
            }
        }
    }

    /// The value of a generated column over the ids of its table's columns.
    pub(super) fn generation(
        &mut self,
        table: &Table,
        column: &Column,
        text: &str,
        columns: &[(ColumnId, i16, Type)],
    ) -> Result<Expr> {
        let expr = parser::parse_expression(text)?;
        let columns: Vec<_> = columns.iter().filter(|(_, number, _)| *number > 0).copied().collect();
        let outer = std::mem::take(&mut self.source);
        let allowed = std::mem::replace(&mut self.params_allowed, false);
        let bound = self.table_expr(&expr, TableExpr::Generated(column.number, column.typ), table, &columns);
        self.source = outer;
        self.params_allowed = allowed;
        bound
    }

    /// A column's default as an expression: its DEFAULT, its identity's next value, or NULL.
    pub(super) fn default_of(&mut self, table: &Table, column: &Column) -> Result<Expr> {
        if column.generated.is_some() {
            // Computed when the rest of the row is known.
            return Ok(Expr::null(column.typ));
        }
        if let Some(identity) = &column.identity {
            let argument = Expr::Const(Datum::Oid(identity.sequence), Type::REGCLASS);
            let next = self.call_scalar("nextval", vec![argument], &[0], 0)?;
            return match self.coerce_to(next, column.declared(), Context::Assignment, 0)? {
                Some(expr) => Ok(expr),
                None => Err(Error::internal("an identity column is an integer")),
            };
        }
        let of_domain = column.domain.and_then(|oid| crate::sql::domain::default(&self.catalog, oid));
        let Some(text) = column.default.as_ref().or(of_domain.as_ref()) else {
            let null = Expr::null(column.typ);
            return Ok(match column.domain {
                Some(domain) => super::coerce::domain_check(null, Type::new(domain)),
                None => null,
            });
        };
        let expr = parser::parse_expression(text)?;
        let outer = std::mem::take(&mut self.source);
        let allowed = std::mem::replace(&mut self.params_allowed, false);
        let bound = self.table_expr(&expr, TableExpr::Default(column.number, column.typ), table, &[]);
        self.source = outer;
        self.params_allowed = allowed;
        bound
    }
}

impl Binder<'_> {
    /// The system columns of a table, of which a generation expression may use `tableoid` only.
    fn system_names(&mut self, table: &Table) -> Vec<ScopeColumn> {
        let names = [
            ("ctid", -1, Type::TID),
            ("xmin", -2, Type::XID),
            ("cmin", -3, Type::CID),
            ("xmax", -4, Type::XID),
            ("cmax", -5, Type::CID),
        ];
        let mut columns: Vec<ScopeColumn> = names
            .into_iter()
            .map(|(name, number, typ): (&str, i16, Type)| ScopeColumn {
                name: name.to_string(),
                expr: Expr::Column(SYSTEM_IDS + ColumnId::from(number.unsigned_abs()), typ),
                origin: (table.oid, number),
            })
            .collect();
        columns.push(ScopeColumn {
            name: "tableoid".to_string(),
            expr: Expr::Const(Datum::Oid(table.oid), Type::OID),
            origin: (table.oid, -6),
        });
        columns
    }
}

/// Ids of system columns in generation expressions, which are refused.
const SYSTEM_IDS: ColumnId = 0xD000_0000;

/// What the expression of a generated column may not contain.
fn check_generation(bound: &Expr, table: &Table, columns: &[(ColumnId, i16, Type)], position: u32) -> Result<()> {
    let mut found: Option<Error> = None;
    bound.walk(&mut |e| {
        let Expr::Column(id, _) = e else { return found.is_none() };
        if *id > SYSTEM_IDS && found.is_none() {
            let names = ["ctid", "xmin", "cmin", "xmax", "cmax"];
            let name = names.get((*id - SYSTEM_IDS) as usize - 1).copied().unwrap_or_default();
            let error =
                err!(INVALID_COLUMN_REFERENCE, "cannot use system column \"{name}\" in column generation expression");
            found = Some(error.at(position));
        }
        let column = columns.iter().find(|(own, _, _)| own == id).and_then(|(_, n, _)| table.column_by_number(*n));
        if let Some(column) = column
            && column.generated.is_some()
            && found.is_none()
        {
            let error = err!(
                INVALID_OBJECT_DEFINITION,
                "cannot use generated column \"{}\" in column generation expression",
                column.name
            );
            found = Some(error.detail("A generated column cannot reference another generated column.").at(position));
        }
        found.is_none()
    });
    if let Some(error) = found {
        return Err(error);
    }
    if bound.least_volatility_of_functions() != Volatility::Immutable {
        return Err(err!(INVALID_OBJECT_DEFINITION, "generation expression is not immutable"));
    }
    Ok(())
}

/// A table as a FROM item over given ids.
pub(super) fn table_item(table: &Table, columns: &[(ColumnId, i16, Type)]) -> Item {
    let named = columns.iter().filter_map(|(id, number, typ)| {
        let column = table.column_by_number(*number)?;
        let expr = Expr::Column(*id, *typ);
        Some(ScopeColumn { name: column.name.clone(), expr, origin: (table.oid, *number) })
    });
    Item {
        name: Some(table.name.clone()),
        schema: Some(table.schema),
        relation: Some((table.oid, table.name.clone())),
        columns: named.collect(),
        system: Vec::new(),
        row_type: Type::new(table.row_type),
        is_scalar_function: false,
    }
}
