//! CREATE TABLE and CREATE TABLE AS: columns, constraints, options.

use sqlparser::ast::{Ident, ObjectName};
use sqlparser::tokenizer::Token;

use crate::error::SqlState;
use crate::sql::statement::{
    BoundSpec, ColumnConstraint, ColumnConstraintKind, ColumnDefinition, ConstraintAttributes, CreateTable,
    CreateTableAs, Expression, ForeignKeyReference, LikeClause, OnCommit, PartitionBy, Persistence, ReferentialAction,
    SequenceOptions, Statement, StorageOption, TableConstraint, TableConstraintKind,
};

use super::Grammar;
use super::cursor::*;

/// What a parenthesised list of CREATE TABLE collects.
#[derive(Default)]
struct Elements {
    columns: Vec<ColumnDefinition>,
    constraints: Vec<TableConstraint>,
    likes: Vec<LikeClause>,
}

impl Grammar<'_, '_> {
    /// `[TEMP | UNLOGGED]` of CREATE.
    pub(super) fn persistence(&mut self) -> Persistence {
        if matches!(word(self), "local" | "global") && matches!(word_at(self, 1), "temp" | "temporary") {
            self.advance_token();
        }
        if take(self, "temporary") || take(self, "temp") {
            Persistence::Temporary
        } else if take(self, "unlogged") {
            Persistence::Unlogged
        } else {
            Persistence::Permanent
        }
    }

    /// CREATE TABLE from the word TABLE on.
    pub(super) fn create_table(&mut self, persistence: Persistence) -> Parse<Statement> {
        expect(self, "table")?;
        let if_not_exists = self.if_not_exists();
        let table = object_name(self)?;
        match word(self) {
            "of" | "partition" => return self.create_derived(table, persistence, if_not_exists),
            _ => {}
        }
        if self.at_table_as()? {
            return self.create_table_as(table, persistence, if_not_exists, false);
        }
        expect_token(self, &Token::LParen)?;
        let mut elements = Elements::default();
        if *token(self) != Token::RParen {
            loop {
                self.table_element(&mut elements)?;
                if !take_token(self, &Token::Comma) {
                    break;
                }
            }
        }
        expect_token(self, &Token::RParen)?;
        let inherits = if take(self, "inherits") { self.paren_list(|g| object_name(g))? } else { Vec::new() };
        let partition_by = self.partition_by()?;
        let access_method = if take(self, "using") { Some(column_id(self)?) } else { None };
        let options = self.with_options()?;
        let on_commit = self.on_commit()?;
        let tablespace = self.tablespace()?;
        let Elements { columns, constraints, likes } = elements;
        Ok(Statement::CreateTable(Box::new(CreateTable {
            table,
            persistence,
            if_not_exists,
            columns,
            constraints,
            likes,
            inherits,
            partition_of: None,
            of_type: None,
            column_options: Vec::new(),
            partition_by,
            access_method,
            options,
            on_commit,
            tablespace,
        })))
    }

    /// CREATE TABLE PARTITION OF and OF behind the name.
    fn create_derived(&mut self, table: ObjectName, persistence: Persistence, if_not_exists: bool) -> Parse<Statement> {
        let is_partition = take(self, "partition");
        expect(self, "of")?;
        let origin = object_name(self)?;
        let (mut column_options, mut constraints) = (Vec::new(), Vec::new());
        if take_token(self, &Token::LParen) {
            loop {
                if self.at_table_constraint() {
                    constraints.push(self.table_constraint()?);
                } else {
                    let column = column_id(self)?;
                    take_all(self, &["with", "options"]);
                    let mut all = Vec::new();
                    while let Some(constraint) = self.column_constraint()? {
                        all.push(constraint);
                    }
                    column_options.push((column, all));
                }
                if !take_token(self, &Token::Comma) {
                    break;
                }
            }
            expect_token(self, &Token::RParen)?;
        }
        let (partition_of, of_type) = match is_partition {
            true => (Some((origin, self.bound_spec()?)), None),
            false => (None, Some(origin)),
        };
        let partition_by = self.partition_by()?;
        let access_method = if take(self, "using") { Some(column_id(self)?) } else { None };
        let options = self.with_options()?;
        let on_commit = self.on_commit()?;
        let tablespace = self.tablespace()?;
        Ok(Statement::CreateTable(Box::new(CreateTable {
            table,
            persistence,
            if_not_exists,
            columns: Vec::new(),
            constraints,
            likes: Vec::new(),
            inherits: Vec::new(),
            partition_of,
            of_type,
            column_options,
            partition_by,
            access_method,
            options,
            on_commit,
            tablespace,
        })))
    }

    /// `PARTITION BY strategy (keys)`, or nothing.
    fn partition_by(&mut self) -> Parse<Option<PartitionBy>> {
        if !take_all(self, &["partition", "by"]) {
            return Ok(None);
        }
        let strategy = column_id(self)?;
        let keys = self.paren_list(Self::index_key)?;
        Ok(Some(PartitionBy { strategy, keys }))
    }

    /// `FOR VALUES ...` or DEFAULT.
    pub(super) fn bound_spec(&mut self) -> Parse<BoundSpec> {
        if take(self, "default") {
            return Ok(BoundSpec::Default);
        }
        let at = Ident { value: "for".into(), quote_style: None, span: span(self) };
        expect_all(self, &["for", "values"])?;
        let at = Ident { span: span(self), ..at };
        match word(self) {
            "in" => {
                self.advance_token();
                Ok(BoundSpec::In(self.paren_list(|g| g.expression())?, at))
            }
            "from" => {
                self.advance_token();
                let from = self.paren_list(|g| g.expression())?;
                expect(self, "to")?;
                Ok(BoundSpec::FromTo(from, self.paren_list(|g| g.expression())?, at))
            }
            _ => {
                expect(self, "with")?;
                let (mut modulus, mut remainder) = (None, None);
                let parts = self.paren_list(|g| {
                    let place = span(g);
                    let name = label(g)?.value;
                    Ok((name, integer(g)?, place))
                })?;
                for (name, value, place) in parts {
                    let (slot, shown) = match name.as_str() {
                        "modulus" => (&mut modulus, "modulus"),
                        "remainder" => (&mut remainder, "remainder"),
                        _ => {
                            let message = format!("unrecognized hash partition bound specification \"{name}\"");
                            return Err(failure(SqlState::SYNTAX_ERROR, place, &message));
                        }
                    };
                    if slot.replace(value).is_some() {
                        let message = format!("{shown} for hash partition provided more than once");
                        return Err(failure(SqlState::DUPLICATE_OBJECT, place, &message));
                    }
                }
                let missing = |what: &str| {
                    let message = format!("{what} for hash partition must be specified");
                    failure(SqlState::SYNTAX_ERROR, span(self), &message)
                };
                let modulus = modulus.ok_or_else(|| missing("modulus"))?;
                Ok(BoundSpec::With { modulus, remainder: remainder.ok_or_else(|| missing("remainder"))?, at })
            }
        }
    }

    /// Whether the rest is that of CREATE TABLE AS: no parenthesis, or one with plain names only.
    pub(super) fn at_table_as(&self) -> Parse<bool> {
        if *token(self) != Token::LParen {
            return Ok(true);
        }
        let mut n = 1;
        while matches!(token_at(self, n), Token::Word(_)) {
            match token_at(self, n + 1) {
                Token::Comma => n += 2,
                Token::RParen => return Ok(true),
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// CREATE TABLE AS and CREATE MATERIALIZED VIEW behind the name.
    pub(super) fn create_table_as(
        &mut self,
        table: ObjectName,
        persistence: Persistence,
        if_not_exists: bool,
        materialized_view: bool,
    ) -> Parse<Statement> {
        let columns = self.optional_columns()?;
        let access_method = if take(self, "using") { Some(column_id(self)?) } else { None };
        let options = self.with_options()?;
        let on_commit = self.on_commit()?;
        let tablespace = self.tablespace()?;
        expect(self, "as")?;
        let start = self.offset();
        let source = if word(self) == "execute" { self.execute()? } else { self.without_modification()? };
        let text = self.text_since(start);
        let with_data = if take_all(self, &["with", "no", "data"]) {
            false
        } else {
            take_all(self, &["with", "data"]);
            true
        };
        Ok(Statement::CreateTableAs(Box::new(CreateTableAs {
            table,
            persistence,
            materialized_view,
            if_not_exists,
            columns,
            access_method,
            options,
            on_commit,
            tablespace,
            source,
            text,
            with_data,
            select_into: false,
        })))
    }

    /// A query; the grammar has no data modification here.
    pub(super) fn without_modification(&mut self) -> Parse<Statement> {
        if self.at_modification() {
            return unexpected(self);
        }
        self.query_statement(false)
    }

    fn table_element(&mut self, elements: &mut Elements) -> Parse<()> {
        match word(self) {
            "like" => {
                self.advance_token();
                let table = object_name(self)?;
                let mut options = Vec::new();
                loop {
                    let including = word(self) == "including";
                    if !including && word(self) != "excluding" {
                        break;
                    }
                    self.advance_token();
                    let place = span(self);
                    let option = word(self).to_string();
                    let known = [
                        "comments",
                        "compression",
                        "constraints",
                        "defaults",
                        "generated",
                        "identity",
                        "indexes",
                        "statistics",
                        "storage",
                        "all",
                    ];
                    if !known.contains(&option.as_str()) {
                        return Err(syntax_at(place));
                    }
                    self.advance_token();
                    options.push((including, option));
                }
                elements.likes.push(LikeClause { table, options, position: elements.columns.len() });
            }
            _ if self.at_table_constraint() => elements.constraints.push(self.table_constraint()?),
            _ => elements.columns.push(self.column_definition()?),
        }
        Ok(())
    }

    pub(super) fn at_table_constraint(&self) -> bool {
        match word(self) {
            "constraint" | "check" | "unique" | "primary" | "foreign" => true,
            "exclude" => word_at(self, 1) == "using" || *token_at(self, 1) == Token::LParen,
            "not" => word_at(self, 1) == "null",
            _ => false,
        }
    }

    pub(super) fn column_definition(&mut self) -> Parse<ColumnDefinition> {
        let name = column_id(self)?;
        let data_type = self.data_type()?;
        let mut column = ColumnDefinition {
            name,
            data_type,
            collation: None,
            storage: None,
            compression: None,
            constraints: Vec::new(),
        };
        if take(self, "storage") {
            column.storage = Some(label(self)?.value);
        }
        if take(self, "compression") {
            column.compression = Some(label(self)?.value);
        }
        loop {
            if take(self, "collate") {
                if column.collation.is_some() {
                    let message = "multiple COLLATE clauses not allowed";
                    return Err(failure(SqlState::SYNTAX_ERROR, span(self), message));
                }
                column.collation = Some(object_name(self)?);
                continue;
            }
            match self.column_constraint()? {
                Some(constraint) => column.constraints.push(constraint),
                None => return Ok(column),
            }
        }
    }

    pub(super) fn column_constraint(&mut self) -> Parse<Option<ColumnConstraint>> {
        let name = if take(self, "constraint") { Some(column_id(self)?) } else { None };
        let kind = match word(self) {
            "not" if word_at(self, 1) == "null" => {
                self.advance_token();
                self.advance_token();
                ColumnConstraintKind::NotNull { no_inherit: take_all(self, &["no", "inherit"]) }
            }
            "null" => {
                self.advance_token();
                ColumnConstraintKind::Null
            }
            "default" => {
                self.advance_token();
                ColumnConstraintKind::Default(self.default_expression()?)
            }
            "check" => {
                self.advance_token();
                let expression = self.parenthesised_expression()?;
                ColumnConstraintKind::Check { expression, no_inherit: take_all(self, &["no", "inherit"]) }
            }
            "unique" => {
                self.advance_token();
                let nulls_not_distinct = self.nulls_not_distinct()?;
                let (options, tablespace) = self.index_parameters()?;
                ColumnConstraintKind::Unique { nulls_not_distinct, options, tablespace }
            }
            "primary" => {
                self.advance_token();
                expect(self, "key")?;
                let (options, tablespace) = self.index_parameters()?;
                ColumnConstraintKind::PrimaryKey { options, tablespace }
            }
            "generated" => {
                self.advance_token();
                self.generated()?
            }
            "references" => {
                self.advance_token();
                ColumnConstraintKind::References(self.reference()?)
            }
            _ if name.is_some() => return unexpected(self),
            _ => return Ok(None),
        };
        let attributes = self.constraint_attributes()?;
        Ok(Some(ColumnConstraint { name, kind, attributes }))
    }

    /// The expression of DEFAULT, which ends before NOT NULL, COLLATE and the like.
    pub(super) fn default_expression(&mut self) -> Parse<Expression> {
        let start = self.offset();
        let expr = self.b_expr()?;
        Ok(Expression { expr, text: self.text_since(start) })
    }

    pub(super) fn generated(&mut self) -> Parse<ColumnConstraintKind> {
        let always = if take(self, "always") {
            true
        } else {
            expect_all(self, &["by", "default"])?;
            false
        };
        expect(self, "as")?;
        if take(self, "identity") {
            let options = if *token(self) == Token::LParen {
                self.advance_token();
                let options = self.sequence_options()?;
                expect_token(self, &Token::RParen)?;
                options
            } else {
                SequenceOptions::default()
            };
            return Ok(ColumnConstraintKind::Identity { always, options });
        }
        let at = span(self);
        let expression = self.parenthesised_expression()?;
        if !always {
            let message = "for a generated column, GENERATED ALWAYS must be specified";
            return Err(failure(SqlState::SYNTAX_ERROR, at, message));
        }
        let stored = take(self, "stored");
        if !stored {
            take(self, "virtual");
        }
        Ok(ColumnConstraintKind::Generated { expression, stored })
    }

    pub(super) fn nulls_not_distinct(&mut self) -> Parse<bool> {
        if take_all(self, &["nulls", "not", "distinct"]) {
            return Ok(true);
        }
        take_all(self, &["nulls", "distinct"]);
        Ok(false)
    }

    /// `WITH (...)` and USING INDEX TABLESPACE of a key constraint.
    pub(super) fn index_parameters(&mut self) -> Parse<(Vec<StorageOption>, Option<Ident>)> {
        let options = self.with_options()?;
        let tablespace = if take_all(self, &["using", "index", "tablespace"]) { Some(column_id(self)?) } else { None };
        Ok((options, tablespace))
    }

    pub(super) fn constraint_attributes(&mut self) -> Parse<ConstraintAttributes> {
        let mut attributes = ConstraintAttributes::default();
        loop {
            let at = span(self);
            if take_all(self, &["not", "deferrable"]) {
                attributes.deferrable = Some(false);
            } else if take(self, "deferrable") {
                attributes.deferrable = Some(true);
            } else if take_all(self, &["initially", "deferred"]) {
                attributes.initially_deferred = Some(true);
            } else if take_all(self, &["initially", "immediate"]) {
                attributes.initially_deferred = Some(false);
            } else if take_all(self, &["not", "valid"]) {
                attributes.not_valid = true;
            } else if take_all(self, &["not", "enforced"]) {
                attributes.enforced = Some(false);
            } else if take(self, "enforced") {
                attributes.enforced = Some(true);
            } else {
                return Ok(attributes);
            }
            if attributes.deferrable == Some(false) && attributes.initially_deferred == Some(true) {
                let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
                return Err(failure(SqlState::SYNTAX_ERROR, at, message));
            }
        }
    }

    pub(super) fn reference(&mut self) -> Parse<ForeignKeyReference> {
        let table = object_name(self)?;
        let columns = self.optional_columns()?;
        let mut reference = ForeignKeyReference {
            table,
            columns,
            match_full: false,
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
        };
        let at = span(self);
        if take(self, "match") {
            match word(self) {
                "full" => reference.match_full = true,
                "simple" => {}
                "partial" => {
                    return Err(failure(SqlState::FEATURE_NOT_SUPPORTED, at, "MATCH PARTIAL not yet implemented"));
                }
                _ => return unexpected(self),
            }
            self.advance_token();
        }
        while word(self) == "on" {
            self.advance_token();
            if take(self, "delete") {
                reference.on_delete = self.referential_action()?;
            } else {
                expect(self, "update")?;
                reference.on_update = self.referential_action()?;
            }
        }
        Ok(reference)
    }

    pub(super) fn referential_action(&mut self) -> Parse<ReferentialAction> {
        if take_all(self, &["no", "action"]) {
            Ok(ReferentialAction::NoAction)
        } else if take(self, "restrict") {
            Ok(ReferentialAction::Restrict)
        } else if take(self, "cascade") {
            Ok(ReferentialAction::Cascade)
        } else if take_all(self, &["set", "null"]) {
            Ok(ReferentialAction::SetNull(self.optional_columns()?))
        } else {
            expect_all(self, &["set", "default"])?;
            Ok(ReferentialAction::SetDefault(self.optional_columns()?))
        }
    }

    pub(super) fn table_constraint(&mut self) -> Parse<TableConstraint> {
        let name = if take(self, "constraint") { Some(column_id(self)?) } else { None };
        let kind = match word(self) {
            "check" => {
                self.advance_token();
                let expression = self.parenthesised_expression()?;
                TableConstraintKind::Check { expression, no_inherit: take_all(self, &["no", "inherit"]) }
            }
            "not" => {
                self.advance_token();
                expect(self, "null")?;
                let column = column_id(self)?;
                TableConstraintKind::NotNull { column, no_inherit: take_all(self, &["no", "inherit"]) }
            }
            "unique" | "primary" => {
                let primary = word(self) == "primary";
                self.advance_token();
                if primary {
                    expect(self, "key")?;
                }
                self.key_constraint(primary)?
            }
            "foreign" => {
                self.advance_token();
                expect(self, "key")?;
                let columns = self.paren_list(|g| column_id(g))?;
                expect(self, "references")?;
                TableConstraintKind::ForeignKey { columns, reference: self.reference()? }
            }
            "exclude" => {
                self.advance_token();
                let method = if take(self, "using") { Some(column_id(self)?) } else { None };
                let keys = self.paren_list(|g| {
                    let key = g.index_key()?;
                    expect(g, "with")?;
                    let name = token(g).to_string();
                    let at = span(g);
                    g.advance_token();
                    let operator = ObjectName::from(vec![Ident { value: name, quote_style: None, span: at }]);
                    Ok((key, operator))
                })?;
                let include = if take(self, "include") { self.paren_list(|g| column_id(g))? } else { Vec::new() };
                let predicate = if take(self, "where") { Some(self.parenthesised_expression()?) } else { None };
                TableConstraintKind::Exclude { method, keys, include, predicate }
            }
            _ => return unexpected(self),
        };
        let attributes = self.constraint_attributes()?;
        Ok(TableConstraint { name, kind, attributes })
    }

    pub(super) fn key_constraint(&mut self, primary: bool) -> Parse<TableConstraintKind> {
        if take_all(self, &["using", "index"]) {
            return Ok(TableConstraintKind::UsingIndex { primary, index: column_id(self)? });
        }
        let nulls_not_distinct = !primary && self.nulls_not_distinct()?;
        expect_token(self, &Token::LParen)?;
        let columns = self.list(|g| column_id(g))?;
        let without_overlaps = take_all(self, &["without", "overlaps"]);
        expect_token(self, &Token::RParen)?;
        let include = if take(self, "include") { self.paren_list(|g| column_id(g))? } else { Vec::new() };
        let (options, tablespace) = self.index_parameters()?;
        Ok(TableConstraintKind::Unique {
            primary,
            nulls_not_distinct,
            columns,
            without_overlaps,
            include,
            options,
            tablespace,
        })
    }

    pub(super) fn on_commit(&mut self) -> Parse<Option<OnCommit>> {
        if !take_all(self, &["on", "commit"]) {
            return Ok(None);
        }
        if take(self, "drop") {
            return Ok(Some(OnCommit::Drop));
        }
        let preserve = take(self, "preserve");
        if !preserve {
            expect(self, "delete")?;
        }
        expect(self, "rows")?;
        Ok(Some(if preserve { OnCommit::PreserveRows } else { OnCommit::DeleteRows }))
    }

    pub(super) fn tablespace(&mut self) -> Parse<Option<Ident>> {
        if take(self, "tablespace") { Ok(Some(column_id(self)?)) } else { Ok(None) }
    }

    /// `WITH (...)`, or nothing; WITHOUT OIDS says nothing.
    pub(super) fn with_options(&mut self) -> Parse<Vec<StorageOption>> {
        if take_all(self, &["without", "oids"]) {
            return Ok(Vec::new());
        }
        if word(self) == "with" && *token_at(self, 1) == Token::LParen {
            self.advance_token();
            return self.option_list();
        }
        Ok(Vec::new())
    }

    /// `(name = value, name, ...)`.
    pub(super) fn option_list(&mut self) -> Parse<Vec<StorageOption>> {
        self.paren_list(|g| {
            let mut name = label(g)?.value;
            if take_token(g, &Token::Period) {
                name = format!("{name}.{}", label(g)?.value);
            }
            let value = if take_token(g, &Token::Eq) { Some(g.option_value()?) } else { None };
            Ok(StorageOption { name, value })
        })
    }

    /// A constant or a word as an option's value.
    pub(super) fn option_value(&mut self) -> Parse<String> {
        let sign = match token(self) {
            Token::Minus => "-",
            _ => "",
        };
        if matches!(token(self), Token::Minus | Token::Plus) {
            self.advance_token();
        }
        let text = match token(self) {
            Token::Number(text, _) => format!("{sign}{text}"),
            Token::SingleQuotedString(text) if sign.is_empty() => text.clone(),
            Token::Word(w) if sign.is_empty() => w.value.clone(),
            _ => return unexpected(self),
        };
        self.advance_token();
        Ok(text)
    }
}
