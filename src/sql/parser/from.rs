//! FROM: tables, functions, subqueries, joins and their aliases.

use sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint,
    JoinOperator, ObjectName, StructBracketKind, StructField, TableAlias, TableAliasColumnDef, TableFactor,
    TableSample, TableSampleKind, TableSampleMethod, TableSampleModifier, TableSampleQuantity, TableWithJoins,
};
use sqlparser::tokenizer::Token;

use crate::error::SqlState;

use super::Grammar;
use super::cursor::*;
use super::query::ROWS_FROM;

impl Grammar<'_, '_> {
    /// A table of FROM with its joins.
    pub(super) fn table_with_joins(&mut self) -> Parse<TableWithJoins> {
        self.deeper(|g| {
            let relation = g.table_factor()?;
            let mut joins = Vec::new();
            while let Some(join) = g.join()? {
                joins.push(join);
            }
            Ok(TableWithJoins { relation, joins })
        })
    }

    pub(super) fn at_join(&self) -> bool {
        matches!(word(self), "join" | "inner" | "left" | "right" | "full" | "cross" | "natural")
    }

    /// One join, if one is next.
    pub(super) fn join(&mut self) -> Parse<Option<Join>> {
        if !self.at_join() {
            return Ok(None);
        }
        if take(self, "cross") {
            expect(self, "join")?;
            let relation = self.table_factor()?;
            let join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
            return Ok(Some(Join { relation, global: false, join_operator }));
        }
        let natural = take(self, "natural");
        let operator: fn(JoinConstraint) -> JoinOperator = match word(self) {
            "left" => JoinOperator::Left,
            "right" => JoinOperator::Right,
            "full" => JoinOperator::FullOuter,
            _ => JoinOperator::Inner,
        };
        if matches!(word(self), "left" | "right" | "full") {
            self.advance_token();
            take(self, "outer");
        } else {
            take(self, "inner");
        }
        expect(self, "join")?;
        let mut relation = self.table_factor()?;
        if natural {
            let join_operator = operator(JoinConstraint::Natural);
            return Ok(Some(Join { relation, global: false, join_operator }));
        }
        // `a JOIN b JOIN c ON .. ON ..`: the inner join is the right side of the outer one.
        if self.at_join() {
            let mut joins = Vec::new();
            self.deeper(|g| {
                while g.at_join() {
                    joins.extend(g.join()?);
                }
                Ok(())
            })?;
            let table_with_joins = Box::new(TableWithJoins { relation, joins });
            relation = TableFactor::NestedJoin { table_with_joins, alias: None };
        }
        let constraint = if take(self, "on") {
            JoinConstraint::On(self.expr()?)
        } else {
            expect(self, "using")?;
            let columns = self.paren_list(|g| column_id(g))?;
            let mut names: Vec<ObjectName> = columns.into_iter().map(|c| ObjectName::from(vec![c])).collect();
            if take(self, "as") {
                // The alias of the merged columns: a last name of two parts.
                let alias = column_id(self)?;
                names.push(ObjectName::from(vec![Ident::new(""), alias]));
            }
            JoinConstraint::Using(names)
        };
        Ok(Some(Join { relation, global: false, join_operator: operator(constraint) }))
    }

    pub(super) fn table_factor(&mut self) -> Parse<TableFactor> {
        if *token(self) == Token::LParen {
            return self.deeper(Self::parenthesised_factor);
        }
        let lateral = take(self, "lateral");
        if lateral && *token(self) == Token::LParen {
            let subquery = self.parenthesised_query()?;
            let alias = self.table_alias()?;
            return Ok(TableFactor::Derived { lateral, subquery, alias, sample: None });
        }
        let paren = *token_at(self, 1) == Token::LParen;
        match word(self) {
            "rows" if word_at(self, 1) == "from" && *token_at(self, 2) == Token::LParen => {
                return self.rows_from(lateral);
            }
            "json_table" if paren => return self.json_table(),
            "xmltable" if paren => return unsupported(self, "XMLTABLE"),
            _ => {}
        }
        if self.at_function_factor() {
            return self.function_factor();
        }
        if lateral {
            let first = label(self)?;
            let name = qualified(self, first)?;
            return self.named_function_factor(name, true);
        }
        if word(self) == "only" {
            let at = span(self);
            let name = self.relation_name()?;
            let alias = self.table_alias()?;
            let mut factor = self.sampled(name, alias)?;
            // The AST has no ONLY: a partition that no table has stands for it.
            if let TableFactor::Table { partitions, .. } = &mut factor {
                partitions.push(Ident { value: "only".into(), quote_style: None, span: at });
            }
            return Ok(factor);
        }
        let first = match token(self) {
            Token::Word(_) if paren && !is_column_id(self) => nonreserved(self)?,
            _ => column_id(self)?,
        };
        let name = qualified(self, first)?;
        if *token(self) == Token::LParen {
            return self.named_function_factor(name, false);
        }
        take_token(self, &Token::Mul);
        let alias = self.table_alias()?;
        self.sampled(name, alias)
    }

    /// Whether a SQL function without ordinary call syntax stands in FROM.
    pub(super) fn at_function_factor(&self) -> bool {
        let paren = *token_at(self, 1) == Token::LParen;
        match word(self) {
            "current_date" | "current_time" | "current_timestamp" | "localtime" | "localtimestamp" | "current_role"
            | "current_user" | "session_user" | "system_user" | "user" | "current_catalog" => true,
            "current_schema" => !paren,
            "cast" | "extract" | "overlay" | "position" | "substring" | "trim" | "normalize" | "coalesce"
            | "greatest" | "least" | "nullif" | "treat" | "json_object" | "json_array" | "json_value"
            | "json_query" | "json_exists" | "json_scalar" | "json_serialize" | "json" => paren,
            _ => false,
        }
    }

    pub(super) fn function_factor(&mut self) -> Parse<TableFactor> {
        let expr = self.prefix()?;
        if word(self) == "with" && word_at(self, 1) == "ordinality" {
            return unsupported(self, "WITH ORDINALITY of this function");
        }
        let alias = self.table_alias()?;
        Ok(TableFactor::TableFunction { expr, alias })
    }

    pub(super) fn named_function_factor(&mut self, name: ObjectName, lateral: bool) -> Parse<TableFactor> {
        let place = span(self);
        let Expr::Function(function) = self.function(name)? else { return Err(syntax_at(place)) };
        let FunctionArguments::List(list) = function.args else { return Err(syntax_at(place)) };
        let plain = list.clauses.is_empty() && list.duplicate_treatment.is_none() && function.filter.is_none();
        if !plain || function.over.is_some() || !function.within_group.is_empty() {
            return unsupported(self, "aggregate syntax in FROM");
        }
        let with_ordinality = take_all(self, &["with", "ordinality"]);
        let alias = self.function_alias(&function.name)?;
        Ok(TableFactor::Function { lateral, name: function.name, args: list.args, with_ordinality, alias })
    }

    /// `ROWS FROM (f(...), ...)`.
    pub(super) fn rows_from(&mut self, lateral: bool) -> Parse<TableFactor> {
        let at = span(self);
        self.advance_token();
        self.advance_token();
        let args = self.paren_list(|g| {
            let expr = g.prefix()?;
            if !take(g, "as") {
                return Ok(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)));
            }
            // A column definition list: a cast to the struct of its columns.
            let fields = g.paren_list(|g| {
                let name = column_id(g)?;
                let field_type = g.data_type()?;
                Ok(StructField { field_name: Some(name), field_type, options: None })
            })?;
            let data_type = DataType::Struct(fields, StructBracketKind::Parentheses);
            let kind = CastKind::DoubleColon;
            let expr = Expr::Cast { kind, expr: Box::new(expr), data_type, format: None };
            Ok(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)))
        })?;
        let name = ObjectName::from(vec![Ident { value: ROWS_FROM.into(), quote_style: Some('"'), span: at }]);
        let with_ordinality = take_all(self, &["with", "ordinality"]);
        let alias = self.table_alias()?;
        Ok(TableFactor::Function { lateral, name, args, with_ordinality, alias })
    }

    /// `( query )`, `( joined table )`, any of them in more parentheses.
    pub(super) fn parenthesised_factor(&mut self) -> Parse<TableFactor> {
        self.advance_token();
        if self.at_query() {
            let subquery = self.query()?;
            expect_token(self, &Token::RParen)?;
            let alias = self.table_alias()?;
            return Ok(TableFactor::Derived { lateral: false, subquery, alias, sample: None });
        }
        let nested = *token(self) == Token::LParen;
        let inner = self.table_with_joins()?;
        let closed = *token(self) == Token::RParen;
        match inner {
            // `((query) UNION ...)` and `((query))`.
            TableWithJoins { relation: TableFactor::Derived { subquery, alias: None, lateral: false, .. }, joins }
                if nested && joins.is_empty() =>
            {
                let subquery = if closed { subquery } else { self.query_after(subquery)? };
                expect_token(self, &Token::RParen)?;
                let alias = self.table_alias()?;
                Ok(TableFactor::Derived { lateral: false, subquery, alias, sample: None })
            }
            inner => {
                let joined = !inner.joins.is_empty()
                    || (nested && matches!(inner.relation, TableFactor::NestedJoin { alias: None, .. }));
                if !joined {
                    return unexpected(self);
                }
                expect_token(self, &Token::RParen)?;
                let alias = self.table_alias()?;
                Ok(TableFactor::NestedJoin { table_with_joins: Box::new(inner), alias })
            }
        }
    }

    /// A table's name with ONLY or `*`.
    pub(super) fn relation_name(&mut self) -> Parse<ObjectName> {
        if take(self, "only") {
            if take_token(self, &Token::LParen) {
                let name = object_name(self)?;
                expect_token(self, &Token::RParen)?;
                return Ok(name);
            }
            return object_name(self);
        }
        let name = object_name(self)?;
        take_token(self, &Token::Mul);
        Ok(name)
    }

    /// `[AS] alias [(columns)]`, if it is next.
    pub(super) fn table_alias(&mut self) -> Parse<Option<TableAlias>> {
        let explicit = take(self, "as");
        if !explicit && !is_column_id(self) {
            return Ok(None);
        }
        let name = column_id(self)?;
        let columns = self.optional_columns()?;
        let columns = columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect();
        Ok(Some(TableAlias { explicit, name, columns, at: None }))
    }

    /// The alias of a function: its columns may have types.
    pub(super) fn function_alias(&mut self, function: &ObjectName) -> Parse<Option<TableAlias>> {
        let explicit = take(self, "as");
        let name = if explicit && *token(self) == Token::LParen {
            match function.0.last().and_then(|part| part.as_ident()) {
                Some(name) => name.clone(),
                None => return unexpected(self),
            }
        } else if explicit || is_column_id(self) {
            column_id(self)?
        } else {
            return Ok(None);
        };
        let mut columns = Vec::new();
        if *token(self) == Token::LParen {
            columns = self.paren_list(|g| {
                let name = column_id(g)?;
                let data_type =
                    if matches!(token(g), Token::Comma | Token::RParen) { None } else { Some(g.data_type()?) };
                Ok(TableAliasColumnDef { name, data_type })
            })?;
        }
        Ok(Some(TableAlias { explicit, name, columns, at: None }))
    }

    /// TABLESAMPLE, if it is next.
    pub(super) fn sampled(&mut self, name: ObjectName, alias: Option<TableAlias>) -> Parse<TableFactor> {
        let mut factor = plain_table(name, alias);
        if !take(self, "tablesample") {
            return Ok(factor);
        }
        let at = span(self);
        let method = match word(self) {
            "bernoulli" => TableSampleMethod::Bernoulli,
            "system" => TableSampleMethod::System,
            other => {
                let message = format!("tablesample method {other} does not exist");
                return Err(failure(SqlState::UNDEFINED_OBJECT, at, &message));
            }
        };
        self.advance_token();
        expect_token(self, &Token::LParen)?;
        let value = self.expr()?;
        expect_token(self, &Token::RParen)?;
        let seed = if take(self, "repeatable") {
            expect_token(self, &Token::LParen)?;
            let seed = self.expr()?;
            expect_token(self, &Token::RParen)?;
            Some(seed)
        } else {
            None
        };
        if let TableFactor::Table { sample, .. } = &mut factor {
            *sample = Some(TableSampleKind::AfterTableAlias(Box::new(TableSample {
                modifier: TableSampleModifier::TableSample,
                name: Some(method),
                quantity: Some(TableSampleQuantity { parenthesized: true, value, unit: None }),
                // The AST's own seed can be a literal only: the expression stands in `offset`.
                seed: None,
                bucket: None,
                offset: seed,
            })));
        }
        Ok(factor)
    }
}

/// A table of FROM.
pub(super) fn plain_table(name: ObjectName, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}
