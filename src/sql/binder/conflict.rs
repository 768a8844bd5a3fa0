//! ON CONFLICT: which unique indexes arbitrate, and the update that takes the insertion's place.

use sqlparser::ast;

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::{self, ident};
use crate::sql::plan::{self, Access, Expr, Rel};
use crate::sql::statement::{ConflictTarget, IndexKey, IndexKeySource, OnConflict};
use crate::storage::catalog::{Index, IndexSource, Table};

use super::Binder;
use super::dml::{RowColumns, Rows};
use super::insert::alias_of;
use super::scope::{Clause, Entry, Scope};
use super::table::TableExpr;
use super::target::Target;

impl Binder<'_> {
    /// Binds ON CONFLICT; `rows.old` is the existing row, `rows.new` the one proposed (EXCLUDED).
    pub(super) fn on_conflict(
        &mut self,
        on_conflict: &OnConflict,
        rows: &Rows<'_>,
        alias: Option<&ast::Ident>,
        parent: &Scope<'_>,
    ) -> Result<plan::OnConflict> {
        let table = rows.target;
        let arbiters = match &on_conflict.target {
            Some(target) => self.arbiters(target, table)?,
            None if on_conflict.update.is_some() => {
                return Err(err!(
                    SYNTAX_ERROR,
                    "ON CONFLICT DO UPDATE requires inference specification or constraint name"
                )
                .hint("For example, ON CONFLICT (column_name).")
                .at(self.at(on_conflict.span)));
            }
            None => Vec::new(),
        };
        let Some(update) = &on_conflict.update else { return Ok(plan::OnConflict { arbiters, update: None }) };
        self.uses(table.relation(), Access::Update);
        self.uses(table.relation(), Access::Select);
        let mut target = table.item(rows.old);
        if let Some(alias) = alias_of(alias) {
            target.name = Some(alias);
            target.schema = None;
        }
        let mut excluded = table.item(rows.new);
        excluded.name = Some("excluded".to_string());
        excluded.schema = None;
        let scope = Scope::over(Some(parent), vec![Entry::new(target), Entry::new(excluded)], Clause::Update);
        let mut none = Rel::OneRow;
        let assignments = self.assignments(&update.assignments, table, &mut none, &scope)?;
        self.writes_all(table, Access::Update, assignments.iter().map(|(number, _)| *number));
        let predicate = match &update.predicate {
            Some(predicate) => {
                scope.set_clause(Clause::ConflictWhere);
                Some(self.condition(predicate, "WHERE", &scope)?)
            }
            None => None,
        };
        Ok(plan::OnConflict { arbiters, update: Some((assignments, predicate)) })
    }

    fn arbiters(&mut self, target: &ConflictTarget, table: &Target) -> Result<Vec<Oid>> {
        match target {
            ConflictTarget::Constraint(name) => {
                let folded = ident(name);
                let constraint = table.constraints.iter().find(|constraint| constraint.name == folded);
                match constraint.map(|constraint| (constraint, constraint.index())) {
                    Some((constraint, Some(_))) if constraint.attributes.deferrable => Err(no_deferrable_arbiters()),
                    Some((_, Some(index))) => Ok(vec![index]),
                    Some((_, None)) => {
                        Err(err!(WRONG_OBJECT_TYPE, "constraint in ON CONFLICT clause has no associated index"))
                    }
                    None => Err(err!(
                        UNDEFINED_OBJECT,
                        "constraint \"{folded}\" for table \"{}\" does not exist",
                        table.name
                    )),
                }
            }
            ConflictTarget::Keys { keys, predicate } => self.inferred(keys, predicate.as_deref(), table),
        }
    }

    /// The unique indexes over exactly these keys.
    fn inferred(&mut self, keys: &[IndexKey], predicate: Option<&ast::Expr>, table: &Target) -> Result<Vec<Oid>> {
        let row: RowColumns = self.row_columns(table);
        let mut wanted_columns: Vec<i16> = Vec::new();
        let mut wanted_exprs: Vec<Expr> = Vec::new();
        for key in keys {
            if key.collation.is_some() || key.opclass.is_some() {
                return Err(Error::unsupported("collations and operator classes in ON CONFLICT"));
            }
            match &key.source {
                IndexKeySource::Column(name) => {
                    let folded = ident(name);
                    let at = table.position(&folded).ok_or_else(|| {
                        err!(UNDEFINED_COLUMN, "column \"{folded}\" does not exist").at(self.before(name.span))
                    })?;
                    // What is no column of the table is in no index.
                    wanted_columns.push(table.nth_column(at).map_or(0, |column| column.number));
                }
                IndexKeySource::Expression(expr) => {
                    match self.table_expr(&expr.expr, TableExpr::IndexKey, table, &row)? {
                        Expr::Column(id, _) => {
                            wanted_columns.extend(row.iter().find(|(own, _, _)| *own == id).map(|(_, n, _)| *n));
                        }
                        other => wanted_exprs.push(other),
                    }
                }
            }
        }
        let given = match predicate {
            Some(predicate) => self.table_expr(predicate, TableExpr::IndexPredicate, table, &row)?.into_conjuncts(),
            None => Vec::new(),
        };
        let catalog = self.catalog.clone();
        let mut found = Vec::new();
        for index in catalog.indexes_of(table.oid).filter(|index| index.unique) {
            if self.matches(index, &wanted_columns, &wanted_exprs, &given, table, &row)? {
                let mut constraints = table.constraints.iter();
                if constraints.any(|c| c.index() == Some(index.oid) && c.attributes.deferrable) {
                    return Err(no_deferrable_arbiters());
                }
                found.push(index.oid);
            }
        }
        if found.is_empty() {
            return Err(err!(
                INVALID_COLUMN_REFERENCE,
                "there is no unique or exclusion constraint matching the ON CONFLICT specification"
            ));
        }
        Ok(found)
    }

    fn matches(
        &mut self,
        index: &Index,
        columns: &[i16],
        exprs: &[Expr],
        given: &[Expr],
        table: &Table,
        row: &RowColumns,
    ) -> Result<bool> {
        let mut own_columns = Vec::new();
        let mut own_exprs = Vec::new();
        for key in &index.keys {
            match &key.source {
                IndexSource::Column(number) => own_columns.push(*number),
                IndexSource::Expression(text) => {
                    let written = parser::parse_expression(text)?;
                    let outer = std::mem::take(&mut self.source);
                    let bound = self.table_expr(&written, TableExpr::IndexKey, table, row);
                    self.source = outer;
                    own_exprs.push(bound?);
                }
            }
        }
        let same_columns =
            own_columns.iter().all(|c| columns.contains(c)) && columns.iter().all(|c| own_columns.contains(c));
        let same_exprs = own_exprs.iter().all(|e| exprs.contains(e)) && exprs.iter().all(|e| own_exprs.contains(e));
        if !same_columns || !same_exprs {
            return Ok(false);
        }
        let Some(text) = &index.predicate else { return Ok(true) };
        let written = parser::parse_expression(text)?;
        let outer = std::mem::take(&mut self.source);
        let bound = self.table_expr(&written, TableExpr::IndexPredicate, table, row);
        self.source = outer;
        // A partial index serves when the given condition says everything that its predicate says.
        Ok(bound?.into_conjuncts().iter().all(|condition| given.contains(condition)))
    }
}

fn no_deferrable_arbiters() -> Error {
    err!(
        OBJECT_NOT_IN_PREREQUISITE_STATE,
        "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters"
    )
}
