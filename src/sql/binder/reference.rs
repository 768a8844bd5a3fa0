//! Column references: plain, qualified, whole-row, and fields of row values; with PostgreSQL's hints when a name is
//! almost right.

use std::rc::Rc;

use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::ident;
use crate::sql::plan::Expr;
use crate::sql::shape::form;

use super::Binder;
use super::relation::{name_parts, row_fields};
use super::scope::{Clause, Item, Scope, ScopeColumn};
use super::target::ROW_MARKER;

/// An expanded `*`: name, expression, origin.
pub(super) type Expanded = (String, Expr, (Oid, i16));

/// Where a qualified name led.
enum FoundItem<'s, 'p> {
    Item(Rc<Item>, &'s Scope<'p>, bool),
    /// It is there, but not for this place.
    Forbidden(Error),
    None,
}

impl Binder<'_> {
    /// An unqualified name.
    pub(super) fn identifier(&mut self, name: &ast::Ident, scope: &Scope<'_>) -> Result<Expr> {
        let column = ident(name);
        let position = name.span;
        if let Some(expr) = self.find_column(&column, position, scope)? {
            return Ok(expr);
        }
        // DEFAULT and friends are names to the parser.
        if name.quote_style.is_none()
            && let Some(expr) = self.sql_value(&column, None, self.at(position))?
        {
            return Ok(expr);
        }
        if let FoundItem::Item(item, owner, nullable) = self.find_item(None, &column, scope) {
            return Ok(self.whole_row(&item, nullable, position, owner));
        }
        Err(self.undefined_column(None, &column, scope).at(self.at(position)))
    }

    /// A name as a column of this level only, if there is exactly one.
    pub(super) fn local_column(&mut self, name: &str, scope: &Scope<'_>) -> Option<Expr> {
        let mut found = None;
        for entry in scope.entries.iter().filter(|entry| entry.columns_visible) {
            for column in entry.item.columns.iter().filter(|column| column.name == name) {
                if found.replace(column.expr.clone()).is_some() {
                    return found;
                }
            }
        }
        found
    }

    fn find_column(&mut self, name: &str, span: Span, scope: &Scope<'_>) -> Result<Option<Expr>> {
        for level in scope.chain().filter(|level| !level.hidden) {
            let mut found: Option<&ScopeColumn> = None;
            for entry in level.entries.iter().filter(|entry| entry.columns_visible) {
                let matching = entry.item.columns.iter().filter(|column| column.name == name);
                for column in matching {
                    if found.is_some() {
                        return Err(
                            err!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous").at(self.at(span))
                        );
                    }
                    if entry.lateral_forbidden {
                        return Err(self.forbidden_lateral(&entry.item).at(self.at(span)));
                    }
                    found = Some(column);
                }
            }
            if found.is_none() {
                let items = level.entries.iter().filter(|entry| entry.columns_visible);
                let mut system = items.flat_map(|entry| entry.item.system.iter().filter(|c| c.name == name));
                found = system.next();
                if found.is_some() && system.next().is_some() {
                    return Err(err!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous").at(self.at(span)));
                }
            }
            if let Some(column) = found {
                return Ok(Some(self.reference(column, span, level)));
            }
        }
        Ok(None)
    }

    /// The column as an expression; notes the reference for the rules of GROUP BY.
    fn reference(&self, column: &ScopeColumn, span: Span, owner: &Scope<'_>) -> Expr {
        let mut level = owner.level.borrow_mut();
        if !level.in_aggregate
            && matches!(
                level.clause,
                Clause::Target
                    | Clause::Having
                    | Clause::OrderBy
                    | Clause::DistinctOn
                    | Clause::WindowOrder
                    | Clause::WindowPartition
            )
            && let Expr::Column(id, _) = &column.expr
        {
            level.references.push((*id, span));
        }
        column.expr.clone()
    }

    fn forbidden_lateral(&self, item: &Item) -> Error {
        let name = item.name.clone().unwrap_or_default();
        err!(INVALID_COLUMN_REFERENCE, "invalid reference to FROM-clause entry for table \"{name}\"")
            .detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
    }

    /// `t.a`, `s.t.a`, `d.s.t.a`.
    pub(super) fn compound_identifier(&mut self, names: &[ast::Ident], scope: &Scope<'_>) -> Result<Expr> {
        let parts: Vec<String> = names.iter().map(ident).collect();
        let span = names[0].span;
        let (schema, table, column) = match parts.as_slice() {
            [table, column] => (None, table, column),
            [schema, table, column] => (Some(schema.as_str()), table, column),
            [_, schema, table, column] => (Some(schema.as_str()), table, column),
            _ => {
                return Err(err!(SYNTAX_ERROR, "improper qualified name (too many dotted names): {}", parts.join("."))
                    .at(self.at(span)));
            }
        };
        match self.find_item(schema, table, scope) {
            FoundItem::Item(item, owner, nullable) => {
                let mut matching = item.columns.iter().filter(|c| c.name == *column);
                let found = matching.next();
                if found.is_some() && matching.next().is_some() {
                    return Err(err!(AMBIGUOUS_COLUMN, "column reference \"{column}\" is ambiguous").at(self.at(span)));
                }
                let found = found.or_else(|| item.system.iter().find(|c| c.name == *column));
                match found {
                    Some(found) => Ok(self.reference(found, span, owner)),
                    None => {
                        // `t.f` calls f(t).
                        let routines = self.routines(None, column);
                        if !routines.is_empty() {
                            let args = vec![self.whole_row(&item, nullable, span, owner)];
                            let (position, at) = (self.at(span), [self.at(span)]);
                            let call = self.resolve_routine(&routines, column, args, &[], &at, (position, false));
                            if let Ok(call) = call {
                                return self.routine_value(&call, position, scope);
                            }
                        }
                        Err(self.undefined_column(Some(table), column, scope).at(self.at(span)))
                    }
                }
            }
            FoundItem::Forbidden(error) => Err(error.at(self.at(span))),
            FoundItem::None => {
                // Inside of a function an argument of a composite type may be named so.
                if !self.calls.is_empty()
                    && schema.is_none()
                    && let Some(argument) = self.find_column(table, span, scope)?
                {
                    return self.field_of(argument, &names[1], None, self.at(span));
                }
                Err(self.missing_item(schema, table, scope).at(self.at(span)))
            }
        }
    }

    fn find_item<'s, 'p>(&self, schema: Option<&str>, name: &str, scope: &'s Scope<'p>) -> FoundItem<'s, 'p> {
        let schema_oid = schema.and_then(|schema| self.catalog.schema(self.eval.host.database(), schema));
        if schema.is_some() && schema_oid.is_none() {
            return FoundItem::None;
        }
        for level in scope.chain().filter(|level| !level.hidden) {
            let mut found = None;
            for entry in level.entries.iter().filter(|entry| entry.relation_visible) {
                let item = &entry.item;
                if item.name.as_deref() != Some(name) || (schema.is_some() && item.schema != schema_oid) {
                    continue;
                }
                if found.is_some() {
                    return FoundItem::Forbidden(err!(AMBIGUOUS_ALIAS, "table reference \"{name}\" is ambiguous"));
                }
                if entry.lateral_forbidden {
                    return FoundItem::Forbidden(self.forbidden_lateral(item));
                }
                found = Some((item.clone(), entry.nullable));
            }
            if let Some((item, nullable)) = found {
                return FoundItem::Item(item, level, nullable);
            }
        }
        FoundItem::None
    }

    /// `t` as a value: its row.
    fn whole_row(&self, item: &Item, nullable: bool, span: Span, owner: &Scope<'_>) -> Expr {
        if item.is_scalar_function
            && let [column] = item.columns.as_slice()
        {
            return self.reference(column, span, owner);
        }
        let fields: Vec<Expr> = item.columns.iter().map(|c| self.reference(c, span, owner)).collect();
        let names = item.columns.iter().map(|c| (c.name.as_str().into(), c.expr.typ().oid)).collect();
        // An anonymous record compares by field like ROW(); it keeps its column names.
        let row = Expr::Row { fields, names, typ: item.row_type };
        if self.is_recording() {
            return self.noted(&form::WHOLE_ROW, row);
        }
        match item.system.iter().find(|c| is_marker(c)) {
            // A row that an outer join did not find is NULL, not a row of NULLs; every real row has a table.
            Some(table) if nullable => Expr::Case {
                whens: vec![(Expr::IsNull(Box::new(table.expr.clone()), true), row)],
                otherwise: None,
                typ: item.row_type,
            },
            _ => row,
        }
    }

    /// `t.*` where one value is wanted: the whole row.
    pub(super) fn whole_row_of(&mut self, name: &ast::ObjectName, scope: &Scope<'_>) -> Result<Expr> {
        let span = name.span();
        let (schema, table) = name_parts(name).map_err(|e| e.at(self.at(span)))?;
        match self.find_item(schema.as_deref(), &table, scope) {
            FoundItem::Item(item, owner, nullable) => Ok(self.whole_row(&item, nullable, span, owner)),
            FoundItem::Forbidden(error) => Err(error.at(self.at(span))),
            FoundItem::None => Err(self.missing_item(schema.as_deref(), &table, scope).at(self.at(span))),
        }
    }

    /// `*`.
    pub(super) fn expand_all(&mut self, span: Span, scope: &Scope<'_>) -> Result<Vec<Expanded>> {
        if scope.entries.is_empty() {
            return Err(err!(SYNTAX_ERROR, "SELECT * with no tables specified is not valid").at(self.at(span)));
        }
        let entries = scope.entries.iter().filter(|entry| entry.columns_visible);
        Ok(entries.flat_map(|entry| self.expand_item(&entry.item, span, scope)).collect())
    }

    /// `t.*`.
    pub(super) fn expand_qualified(&mut self, name: &ast::ObjectName, scope: &Scope<'_>) -> Result<Vec<Expanded>> {
        let span = name.span();
        let (schema, table) = name_parts(name).map_err(|e| e.at(self.at(span)))?;
        match self.find_item(schema.as_deref(), &table, scope) {
            FoundItem::Item(item, owner, _) => Ok(self.expand_item(&item, span, owner)),
            FoundItem::Forbidden(error) => Err(error.at(self.at(span))),
            FoundItem::None => Err(self.missing_item(schema.as_deref(), &table, scope).at(self.at(span))),
        }
    }

    fn expand_item(&self, item: &Item, span: Span, owner: &Scope<'_>) -> Vec<Expanded> {
        item.columns.iter().map(|c| (c.name.clone(), self.reference(c, span, owner), c.origin)).collect()
    }

    /// The fields of a row value: names and types.
    pub(super) fn fields_of(&self, value: &Expr) -> Option<Vec<(String, Type)>> {
        match value {
            Expr::Row { fields, names, .. } => {
                Some(names.iter().zip(fields).map(|((name, _), f)| (name.to_string(), f.typ())).collect())
            }
            Expr::Call { function, args, .. } if function.oid == form::WHOLE_ROW.oid => self.fields_of(&args[0]),
            Expr::Call { function, .. } if !function.columns.is_empty() => {
                Some(function.columns.iter().map(|(name, typ)| (name.to_string(), *typ)).collect())
            }
            other => match row_fields(&self.catalog, other.typ().oid) {
                Some(fields) => Some(fields),
                None => self.records.get(&column_id(other)?).cloned(),
            },
        }
    }

    /// `(value).field`.
    pub(super) fn field_of(
        &mut self,
        value: Expr,
        name: &ast::Ident,
        alias: Option<&str>,
        position: u32,
    ) -> Result<Expr> {
        let field = ident(name);
        match self.fields_of(&value) {
            Some(fields) => match fields.iter().position(|(known, _)| *known == field) {
                Some(index) => Ok(self.nth_field(value, index, fields[index].1)),
                None if alias.is_some() && matches!(value, Expr::Row { .. }) => {
                    let alias = alias.unwrap_or_default();
                    Err(err!(UNDEFINED_COLUMN, "column {alias}.{field} does not exist").at(position))
                }
                None if value.typ() == Type::RECORD => {
                    Err(err!(UNDEFINED_COLUMN, "could not identify column \"{field}\" in record data type")
                        .at(position))
                }
                None => Err(err!(
                    UNDEFINED_COLUMN,
                    "column \"{field}\" not found in data type {}",
                    self.type_name(value.typ().oid)
                )
                .at(position)),
            },
            None if value.typ() == Type::RECORD => {
                Err(err!(UNDEFINED_COLUMN, "could not identify column \"{field}\" in record data type").at(position))
            }
            None => Err(err!(
                WRONG_OBJECT_TYPE,
                "column notation .{field} applied to type {}, which is not a composite type",
                self.type_name(value.typ().oid)
            )
            .at(position)),
        }
    }

    fn nth_field(&self, value: Expr, index: usize, typ: Type) -> Expr {
        match value {
            Expr::Call { function, mut args, .. } if function.oid == form::WHOLE_ROW.oid && args.len() == 1 => {
                self.nth_field(args.swap_remove(0), index, typ)
            }
            Expr::Row { mut fields, .. } if index < fields.len() => fields.swap_remove(index),
            value => Expr::Field { input: Box::new(value), index, typ },
        }
    }

    /// `(value).*`.
    pub(super) fn expand_value(&mut self, value: Expr, position: u32) -> Result<Vec<Expanded>> {
        let Some(fields) = self.fields_of(&value) else {
            return Err(match value.typ() {
                Type::RECORD => err!(FEATURE_NOT_SUPPORTED, "record type has not been registered").at(position),
                typ => err!(WRONG_OBJECT_TYPE, "type {} is not composite", self.type_name(typ.oid)).at(position),
            });
        };
        let fields = fields.into_iter().enumerate();
        Ok(fields.map(|(i, (name, typ))| (name, self.nth_field(value.clone(), i, typ), (0, 0))).collect())
    }

    /// 42P01 for a table that is not in FROM.
    fn missing_item(&self, schema: Option<&str>, name: &str, scope: &Scope<'_>) -> Error {
        for level in scope.chain() {
            for entry in &level.entries {
                let item = &entry.item;
                if level.hidden && item.name.as_deref() == Some(name) {
                    return err!(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"{name}\"")
                        .detail(format!(
                            "There is an entry for table \"{name}\", but it cannot be referenced from this part of \
                             the query."
                        ))
                        .hint("To reference that table, you must mark this subquery with LATERAL.");
                }
                if item.name.as_deref() == Some(name) && schema.is_none() {
                    return err!(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"{name}\"")
                        .detail(format!(
                            "There is an entry for table \"{name}\", but it cannot be referenced from this part of \
                             the query."
                        ));
                }
                let Some((_, own)) = &item.relation else { continue };
                if own == name
                    && let Some(alias) = item.name.as_deref().filter(|alias| *alias != name)
                {
                    return err!(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"{name}\"")
                        .hint(format!("Perhaps you meant to reference the table alias \"{alias}\"."));
                }
            }
        }
        err!(UNDEFINED_TABLE, "missing FROM-clause entry for table \"{name}\"")
    }

    /// 42703, with a hint when a similar name exists.
    pub(super) fn undefined_column(&self, table: Option<&str>, column: &str, scope: &Scope<'_>) -> Error {
        let error = match table {
            Some(table) => err!(UNDEFINED_COLUMN, "column {table}.{column} does not exist"),
            None => err!(UNDEFINED_COLUMN, "column \"{column}\" does not exist"),
        };
        if table.is_none()
            && let Some(error) = unreachable_column(column, scope)
        {
            return error;
        }
        let mut best = 4;
        let mut similar: Vec<String> = Vec::new();
        for level in scope.chain() {
            for entry in &level.entries {
                let Some(alias) = entry.item.name.as_deref() else { continue };
                if !level.hidden && !entry.relation_visible {
                    continue;
                }
                let penalty = table.map_or(0, |table| distance(table, alias));
                for known in &entry.item.columns {
                    let far = distance(column, &known.name);
                    if far > 3 || far > column.chars().count() / 2 || far + penalty > best.min(3) {
                        continue;
                    }
                    if level.hidden && far == 0 {
                        return error
                            .detail(format!(
                                "There is a column named \"{column}\" in table \"{alias}\", but it cannot be \
                                 referenced from this part of the query."
                            ))
                            .hint("To reference that column, you must mark this subquery with LATERAL.");
                    }
                    if far + penalty < best {
                        best = far + penalty;
                        similar.clear();
                    }
                    similar.push(format!("\"{alias}.{}\"", known.name));
                }
            }
        }
        match similar.as_slice() {
            [one] => error.hint(format!("Perhaps you meant to reference the column {one}.")),
            [one, two] => error.hint(format!("Perhaps you meant to reference the column {one} or the column {two}.")),
            _ => error,
        }
    }
}

/// Whether a system column is NULL exactly in rows that are not there.
fn is_marker(column: &ScopeColumn) -> bool {
    (column.name == "tableoid" || column.name == ROW_MARKER) && matches!(column.expr, Expr::Column(..))
}

/// 42703 for a column of an item that this part of the query may not name.
fn unreachable_column(column: &str, scope: &Scope<'_>) -> Option<Error> {
    let levels = scope.chain().filter(|level| !level.hidden);
    let entries = levels.flat_map(|level| &level.entries).filter(|entry| !entry.relation_visible);
    let mut having = entries.filter(|entry| entry.item.columns.iter().any(|c| c.name == column));
    let table = having.next()?.item.name.as_deref()?;
    Some(err!(UNDEFINED_COLUMN, "column \"{column}\" does not exist").detail(format!(
        "There is a column named \"{column}\" in table \"{table}\", but it cannot be referenced from this part of the \
         query."
    )))
}

fn column_id(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Column(id, _) => Some(*id),
        _ => None,
    }
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
