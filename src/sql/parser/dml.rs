//! INSERT, UPDATE, DELETE, MERGE, and the statements that begin like a query.

use sqlparser::ast::{Expr, Ident, ObjectName, Query, SelectInto, SetExpr, Subscript, With};
use sqlparser::tokenizer::{Span, Token};

use crate::error::SqlState;
use crate::sql::statement::{
    Assignment, ConflictTarget, ConflictUpdate, CreateTableAs, Delete, Insert, InsertSource, Merge, MergeAction,
    MergeClause, MergeKind, ModifyingWith, OnConflict, Overriding, Persistence, Returning, Selection, Statement,
    Target, TargetStep, Update, ValueOrDefault,
};

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// Whether INSERT, UPDATE, DELETE or MERGE is next.
    pub(super) fn at_modification(&self) -> bool {
        matches!(word(self), "insert" | "update" | "delete" | "merge")
    }

    /// A data-modifying statement with a WITH of its own.
    pub(super) fn modification(&mut self) -> Parse<Statement> {
        self.modification_after(None)
    }

    /// A data-modifying statement behind its WITH.
    fn modification_after(&mut self, with: Option<With>) -> Parse<Statement> {
        match word(self) {
            "insert" => Ok(Statement::Insert(Box::new(self.insert(with)?))),
            "update" => Ok(Statement::Update(Box::new(self.update(with)?))),
            "delete" => Ok(Statement::Delete(Box::new(self.delete(with)?))),
            _ => Ok(Statement::Merge(Box::new(self.merge(with)?))),
        }
    }

    /// A statement that begins with WITH, SELECT, VALUES, TABLE, a parenthesis or a data modification; `into`: SELECT
    /// INTO may make a table.
    pub(super) fn query_statement(&mut self, into: bool) -> Parse<Statement> {
        self.at_top = true;
        let with = self.with_clause()?;
        self.at_top = false;
        let modifying = std::mem::take(&mut self.modifying);
        let body = if self.at_modification() {
            self.modification_after(with)?
        } else {
            self.into_allowed = into;
            let query = self.query_body(with)?;
            self.into_allowed = false;
            select_into(query)
        };
        if modifying.is_empty() {
            return Ok(body);
        }
        Ok(Statement::With(Box::new(ModifyingWith { members: modifying, body })))
    }

    /// Whether [`Self::query_statement`] can begin here.
    pub(super) fn at_query_statement(&self) -> bool {
        matches!(word(self), "select" | "with" | "values" | "table")
            || self.at_modification()
            || *token(self) == Token::LParen
    }

    fn insert(&mut self, with: Option<With>) -> Parse<Insert> {
        self.advance_token();
        expect(self, "into")?;
        let table = object_name(self)?;
        let alias = if take(self, "as") { Some(column_id(self)?) } else { None };
        let mut columns = Vec::new();
        let mut source = None;
        if *token(self) == Token::LParen {
            // A column list or a query in parentheses.
            self.advance_token();
            let parenthesised = self.at_query() || *token(self) == Token::LParen;
            self.prev_token();
            if parenthesised {
                source = Some(InsertSource::Query(self.query()?));
            } else {
                columns = self.paren_list(Self::target)?;
            }
        }
        let overriding = self.overriding()?;
        let source = match source {
            Some(source) => source,
            None if take_all(self, &["default", "values"]) => InsertSource::DefaultValues,
            None => self.insert_source()?,
        };
        let at = span(self);
        let on_conflict = if take_all(self, &["on", "conflict"]) { Some(self.on_conflict(at)?) } else { None };
        let returning = self.returning()?;
        Ok(Insert { with, table, alias, columns, overriding, source, on_conflict, returning })
    }

    fn overriding(&mut self) -> Parse<Option<Overriding>> {
        if !take(self, "overriding") {
            return Ok(None);
        }
        let overriding = if take(self, "user") {
            Overriding::UserValue
        } else {
            expect(self, "system")?;
            Overriding::SystemValue
        };
        expect(self, "value")?;
        Ok(Some(overriding))
    }

    /// A VALUES list with DEFAULTs, or any query.
    fn insert_source(&mut self) -> Parse<InsertSource> {
        if word(self) != "values" {
            return Ok(InsertSource::Query(self.query()?));
        }
        let start = self.index();
        self.advance_token();
        let rows = self.list(|g| g.paren_list(Self::value_or_default))?;
        let goes_on =
            matches!(word(self), "union" | "intersect" | "except" | "order" | "limit" | "offset" | "fetch" | "for");
        if !goes_on {
            return Ok(InsertSource::Values(rows));
        }
        while self.index() > start {
            self.prev_token();
        }
        Ok(InsertSource::Query(self.query()?))
    }

    fn value_or_default(&mut self) -> Parse<ValueOrDefault> {
        if take(self, "default") {
            return Ok(ValueOrDefault::Default);
        }
        Ok(ValueOrDefault::Value(self.expr()?))
    }

    /// A column with fields and subscripts.
    fn target(&mut self) -> Parse<Target> {
        let column = column_id(self)?;
        let mut path = Vec::new();
        loop {
            if take_token(self, &Token::Period) {
                path.push(TargetStep::Field(label(self)?));
            } else if take_token(self, &Token::LBracket) {
                path.push(match self.subscript()? {
                    Subscript::Index { index } => TargetStep::Index(index),
                    Subscript::Slice { lower_bound, upper_bound, .. } => TargetStep::Slice(lower_bound, upper_bound),
                });
            } else {
                return Ok(Target { column, path });
            }
        }
    }

    fn on_conflict(&mut self, at: Span) -> Parse<OnConflict> {
        let target = if take_all(self, &["on", "constraint"]) {
            Some(ConflictTarget::Constraint(column_id(self)?))
        } else if *token(self) == Token::LParen {
            let keys = self.paren_list(Self::index_key)?;
            let predicate = if take(self, "where") { Some(Box::new(self.expr()?)) } else { None };
            Some(ConflictTarget::Keys { keys, predicate })
        } else {
            None
        };
        expect(self, "do")?;
        if take(self, "nothing") {
            return Ok(OnConflict { target, update: None, span: at });
        }
        expect_all(self, &["update", "set"])?;
        let assignments = self.list(Self::assignment)?;
        let predicate = if take(self, "where") { Some(self.expr()?) } else { None };
        Ok(OnConflict { target, update: Some(ConflictUpdate { assignments, predicate }), span: at })
    }

    fn assignment(&mut self) -> Parse<Assignment> {
        if *token(self) != Token::LParen {
            let target = self.target()?;
            expect_token(self, &Token::Eq)?;
            return Ok(Assignment::One(target, self.value_or_default()?));
        }
        let targets = self.paren_list(Self::target)?;
        expect_token(self, &Token::Eq)?;
        let at = span(self);
        let row = word(self) == "row" && *token_at(self, 1) == Token::LParen;
        if row {
            self.advance_token();
        }
        if *token(self) == Token::LParen {
            self.advance_token();
            let query = self.at_query() || (*token(self) == Token::LParen && !row);
            if query || (row && *token(self) == Token::RParen) {
                self.prev_token();
            } else {
                let first = span(self);
                let values = self.list(Self::value_or_default)?;
                expect_token(self, &Token::RParen)?;
                if values.len() == 1 && !row {
                    let message = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                    return Err(failure(SqlState::FEATURE_NOT_SUPPORTED, first, message));
                }
                if values.iter().any(|value| matches!(value, ValueOrDefault::Value(Expr::QualifiedWildcard(..)))) {
                    let values = values.into_iter().filter_map(|value| match value {
                        ValueOrDefault::Value(value) => Some(value),
                        ValueOrDefault::Default => None,
                    });
                    return Ok(Assignment::Expr(targets, Expr::Tuple(values.collect())));
                }
                if values.len() != targets.len() {
                    let message = "number of columns does not match number of values";
                    return Err(failure(SqlState::SYNTAX_ERROR, at, message));
                }
                return Ok(Assignment::Row(targets, values));
            }
        }
        match self.expr()? {
            Expr::Subquery(query) => Ok(Assignment::Query(targets, query)),
            Expr::Tuple(values) if values.len() == targets.len() => {
                Ok(Assignment::Row(targets, values.into_iter().map(ValueOrDefault::Value).collect()))
            }
            Expr::Nested(value) if targets.len() == 1 => {
                Ok(Assignment::Row(targets, vec![ValueOrDefault::Value(*value)]))
            }
            Expr::Tuple(_) | Expr::Nested(_) => {
                let message = "number of columns does not match number of values";
                Err(failure(SqlState::SYNTAX_ERROR, at, message))
            }
            expr => Ok(Assignment::Expr(targets, expr)),
        }
    }

    fn returning(&mut self) -> Parse<Option<Returning>> {
        if !take(self, "returning") {
            return Ok(None);
        }
        let mut returning = Returning { old: None, new: None, items: Vec::new() };
        if word(self) == "with" && *token_at(self, 1) == Token::LParen {
            self.advance_token();
            self.paren_list(|g| {
                let place = span(g);
                let slot = match word(g) {
                    "old" => &mut returning.old,
                    "new" => &mut returning.new,
                    _ => return unexpected(g),
                };
                if slot.is_some() {
                    let message = format!("{} cannot be specified multiple times", word(g).to_uppercase());
                    return Err(failure(SqlState::SYNTAX_ERROR, place, &message));
                }
                g.advance_token();
                expect(g, "as")?;
                *slot = Some(column_id(g)?);
                Ok(())
            })?;
        }
        returning.items = self.list(Self::select_item)?;
        Ok(Some(returning))
    }

    /// `[ONLY] table [*] [[AS] alias]` of UPDATE, DELETE and MERGE. `set` is no alias without AS.
    fn modified_table(&mut self) -> Parse<(ObjectName, bool, Option<Ident>)> {
        let only = word(self) == "only";
        let table = self.relation_name()?;
        let alias =
            if take(self, "as") || (is_column_id(self) && word(self) != "set") { Some(column_id(self)?) } else { None };
        Ok((table, only, alias))
    }

    fn selection(&mut self) -> Parse<Selection> {
        if !take(self, "where") {
            return Ok(Selection::All);
        }
        if word(self) == "current" && word_at(self, 1) == "of" {
            self.advance_token();
            self.advance_token();
            return Ok(Selection::CurrentOf(column_id(self)?));
        }
        Ok(Selection::Where(self.expr()?))
    }

    fn update(&mut self, with: Option<With>) -> Parse<Update> {
        self.advance_token();
        let (table, only, alias) = self.modified_table()?;
        expect(self, "set")?;
        let assignments = self.list(Self::assignment)?;
        let from = if take(self, "from") { self.list(Self::table_with_joins)? } else { Vec::new() };
        let selection = self.selection()?;
        let returning = self.returning()?;
        Ok(Update { with, table, only, alias, assignments, from, selection, returning })
    }

    fn delete(&mut self, with: Option<With>) -> Parse<Delete> {
        self.advance_token();
        expect(self, "from")?;
        let (table, only, alias) = self.modified_table()?;
        let using = if take(self, "using") { self.list(Self::table_with_joins)? } else { Vec::new() };
        let selection = self.selection()?;
        let returning = self.returning()?;
        Ok(Delete { with, table, only, alias, using, selection, returning })
    }

    fn merge(&mut self, with: Option<With>) -> Parse<Merge> {
        self.advance_token();
        expect(self, "into")?;
        let (table, only, alias) = self.modified_table()?;
        expect(self, "using")?;
        let source = self.table_with_joins()?;
        expect(self, "on")?;
        let on = self.expr()?;
        let mut clauses = Vec::new();
        while take(self, "when") {
            clauses.push(self.merge_clause()?);
        }
        if clauses.is_empty() {
            return unexpected(self);
        }
        let returning = self.returning()?;
        Ok(Merge { with, table, only, alias, source, on, clauses, returning })
    }

    fn merge_clause(&mut self) -> Parse<MergeClause> {
        let kind = if take(self, "matched") {
            MergeKind::Matched
        } else {
            expect_all(self, &["not", "matched"])?;
            if take_all(self, &["by", "source"]) {
                MergeKind::NotMatchedBySource
            } else {
                take_all(self, &["by", "target"]);
                MergeKind::NotMatchedByTarget
            }
        };
        let condition = if take(self, "and") { Some(self.expr()?) } else { None };
        expect(self, "then")?;
        let inserts = kind == MergeKind::NotMatchedByTarget;
        let action = match word(self) {
            "do" => {
                self.advance_token();
                expect(self, "nothing")?;
                MergeAction::Nothing
            }
            "delete" if !inserts => {
                self.advance_token();
                MergeAction::Delete
            }
            "update" if !inserts => {
                self.advance_token();
                expect(self, "set")?;
                MergeAction::Update(self.list(Self::assignment)?)
            }
            "insert" if inserts => self.merge_insert()?,
            _ => return unexpected(self),
        };
        Ok(MergeClause { kind, condition, action })
    }

    fn merge_insert(&mut self) -> Parse<MergeAction> {
        self.advance_token();
        let columns = if *token(self) == Token::LParen { self.paren_list(Self::target)? } else { Vec::new() };
        let overriding = self.overriding()?;
        let values = if take_all(self, &["default", "values"]) {
            None
        } else {
            expect(self, "values")?;
            Some(self.paren_list(Self::value_or_default)?)
        };
        Ok(MergeAction::Insert { columns, overriding, values })
    }
}

/// A query as a statement: with an INTO it makes a table.
fn select_into(mut query: Box<Query>) -> Statement {
    let Some(into) = take_into(&mut query.body) else { return Statement::Query(query) };
    let persistence = match (into.temporary, into.unlogged) {
        (true, _) => Persistence::Temporary,
        (_, true) => Persistence::Unlogged,
        _ => Persistence::Permanent,
    };
    let name = match into.targets.into_iter().next() {
        Some(Expr::CompoundIdentifier(parts)) => parts,
        _ => Vec::new(),
    };
    Statement::CreateTableAs(Box::new(CreateTableAs {
        table: ObjectName::from(name),
        persistence,
        materialized_view: false,
        text: String::new(),
        if_not_exists: false,
        columns: Vec::new(),
        access_method: None,
        options: Vec::new(),
        on_commit: None,
        tablespace: None,
        source: Statement::Query(query),
        with_data: true,
        select_into: true,
    }))
}

/// Takes the INTO out of the first SELECT of a query.
fn take_into(body: &mut SetExpr) -> Option<SelectInto> {
    match body {
        SetExpr::Select(select) => select.into.take(),
        SetExpr::SetOperation { left, .. } => take_into(left),
        _ => None,
    }
}
