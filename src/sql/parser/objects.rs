//! Indexes, views, schemas, sequences and databases; DROP and COMMENT of anything.

use sqlparser::ast::{Expr, Ident, ObjectName};
use sqlparser::tokenizer::Token;

use crate::error::SqlState;
use crate::sql::statement::{
    Alter, AlterAction, AlterSequence, Comment, CreateDatabase, CreateIndex, CreateSchema, CreateSequence, CreateView,
    Drop, Expression, IndexKey, IndexKeySource, ObjectKind, Persistence, RoleName, SequenceOptions, Statement,
};

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// `CREATE [UNIQUE] INDEX` from INDEX on.
    pub(super) fn create_index(&mut self, unique: bool) -> Parse<Statement> {
        expect(self, "index")?;
        let concurrently = take(self, "concurrently");
        let if_not_exists = self.if_not_exists();
        let name = if word(self) == "on" { None } else { Some(column_id(self)?) };
        if if_not_exists && name.is_none() {
            return unexpected(self);
        }
        expect(self, "on")?;
        let only = word(self) == "only";
        let table = self.relation_name()?;
        let method = if take(self, "using") { Some(column_id(self)?) } else { None };
        let keys = self.paren_list(Self::index_key)?;
        let include = if take(self, "include") { self.paren_list(|g| column_id(g))? } else { Vec::new() };
        let nulls_not_distinct = self.nulls_not_distinct()?;
        let options = self.with_options()?;
        let tablespace = self.tablespace()?;
        let predicate = if take(self, "where") { Some(self.expression()?) } else { None };
        Ok(Statement::CreateIndex(Box::new(CreateIndex {
            unique,
            concurrently,
            if_not_exists,
            name,
            only,
            table,
            method,
            keys,
            include,
            nulls_not_distinct,
            options,
            tablespace,
            predicate,
        })))
    }

    /// One key of an index or conflict target: a column, a function call or a parenthesised expression.
    pub(super) fn index_key(&mut self) -> Parse<IndexKey> {
        let source = if *token(self) == Token::LParen {
            IndexKeySource::Expression(self.parenthesised_expression()?)
        } else {
            let start = self.offset();
            match self.prefix()? {
                Expr::Identifier(column) => IndexKeySource::Column(column),
                expr @ Expr::Function(_) => {
                    IndexKeySource::Expression(Expression { expr, text: self.text_since(start) })
                }
                _ => {
                    self.prev_token();
                    return unexpected(self);
                }
            }
        };
        let collation = if take(self, "collate") { Some(object_name(self)?) } else { None };
        let mut key = IndexKey {
            source,
            collation,
            opclass: None,
            opclass_options: Vec::new(),
            descending: false,
            nulls_first: None,
        };
        if is_column_id(self) && !matches!(word(self), "nulls" | "with") {
            key.opclass = Some(object_name(self)?);
            if *token(self) == Token::LParen {
                key.opclass_options = self.option_list()?;
            }
        }
        key.descending = take(self, "desc");
        if !key.descending {
            take(self, "asc");
        }
        key.nulls_first = self.nulls_order()?;
        Ok(key)
    }

    /// `CREATE [OR REPLACE] [TEMP] [RECURSIVE] VIEW` from RECURSIVE or VIEW on.
    pub(super) fn create_view(&mut self, or_replace: bool, temporary: bool) -> Parse<Statement> {
        let recursive = take(self, "recursive");
        expect(self, "view")?;
        let name = object_name(self)?;
        let columns = self.optional_columns()?;
        if recursive && columns.is_empty() {
            return unexpected(self);
        }
        let options = self.with_options()?;
        expect(self, "as")?;
        let start = self.offset();
        let Statement::Query(mut query) = self.without_modification()? else {
            let message = "views must not contain data-modifying statements in WITH";
            return Err(failure(SqlState::FEATURE_NOT_SUPPORTED, span(self), message));
        };
        let mut text = self.text_since(start);
        if recursive {
            // As PostgreSQL rewrites it.
            let name = name.0.last().map(ToString::to_string).unwrap_or_default();
            let list = columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            text = format!("WITH RECURSIVE {name}({list}) AS ({text}) SELECT {list} FROM {name}");
            let parsed = super::parse(&text).ok().and_then(|parsed| parsed.into_iter().next());
            match parsed.map(|parsed| parsed.statement) {
                Some(Statement::Query(rewritten)) => query = rewritten,
                _ => return unexpected(self),
            }
        }
        let cascaded =
            take_all(self, &["with", "check", "option"]) || take_all(self, &["with", "cascaded", "check", "option"]);
        let check_option = if cascaded {
            Some(false)
        } else if take_all(self, &["with", "local", "check", "option"]) {
            Some(true)
        } else {
            None
        };
        Ok(Statement::CreateView(Box::new(CreateView {
            or_replace,
            temporary,
            recursive,
            name,
            columns,
            options,
            query,
            text,
            check_option,
        })))
    }

    /// CREATE SCHEMA behind SCHEMA.
    pub(super) fn create_schema(&mut self) -> Parse<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = if word(self) == "authorization" { None } else { Some(column_id(self)?) };
        let authorization = if take(self, "authorization") { Some(self.role_name()?) } else { None };
        let mut elements = Vec::new();
        while word(self) == "grant" || (word(self) == "create" && word_at(self, 1) != "schema") {
            if if_not_exists {
                let message = "CREATE SCHEMA IF NOT EXISTS cannot include schema elements";
                return Err(failure(SqlState::FEATURE_NOT_SUPPORTED, span(self), message));
            }
            elements.push(self.statement()?);
        }
        Ok(Statement::CreateSchema(CreateSchema { if_not_exists, name, authorization, elements }))
    }

    /// CREATE SEQUENCE behind SEQUENCE.
    pub(super) fn create_sequence(&mut self, persistence: Persistence) -> Parse<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = object_name(self)?;
        let options = self.sequence_options()?;
        Ok(Statement::CreateSequence(CreateSequence { persistence, if_not_exists, name, options }))
    }

    /// ALTER SEQUENCE behind SEQUENCE.
    pub(super) fn alter_sequence(&mut self) -> Parse<Statement> {
        let start = self.index();
        let if_exists = self.if_exists();
        let name = object_name(self)?;
        let shared = match word(self) {
            "rename" => true,
            "owner" => word_at(self, 1) == "to",
            "set" => word_at(self, 1) == "schema",
            _ => false,
        };
        if shared {
            while self.index() > start {
                self.prev_token();
            }
            return self.alter_relation(ObjectKind::Sequence);
        }
        let at = span(self);
        let options = self.sequence_options()?;
        if options == SequenceOptions::default() {
            return Err(syntax_at(at));
        }
        Ok(Statement::AlterSequence(AlterSequence { if_exists, name, options }))
    }

    /// All sequence options that follow.
    pub(super) fn sequence_options(&mut self) -> Parse<SequenceOptions> {
        let mut options = SequenceOptions::default();
        while self.sequence_option(&mut options)? {}
        Ok(options)
    }

    /// One sequence option, if one is next; each may be given once.
    pub(super) fn sequence_option(&mut self, options: &mut SequenceOptions) -> Parse<bool> {
        let at = span(self);
        let repeated = match word(self) {
            "as" => {
                self.advance_token();
                let data_type = self.simple_type()?;
                options.data_type.replace(data_type).is_some()
            }
            "increment" => {
                self.advance_token();
                take(self, "by");
                options.increment.replace(integer(self)?).is_some()
            }
            "minvalue" => {
                self.advance_token();
                options.min.replace(Some(integer(self)?)).is_some()
            }
            "maxvalue" => {
                self.advance_token();
                options.max.replace(Some(integer(self)?)).is_some()
            }
            "no" => match word_at(self, 1) {
                "minvalue" => {
                    self.advance_token();
                    self.advance_token();
                    options.min.replace(None).is_some()
                }
                "maxvalue" => {
                    self.advance_token();
                    self.advance_token();
                    options.max.replace(None).is_some()
                }
                "cycle" => {
                    self.advance_token();
                    self.advance_token();
                    options.cycle.replace(false).is_some()
                }
                _ => return Ok(false),
            },
            "cycle" => {
                self.advance_token();
                options.cycle.replace(true).is_some()
            }
            "cache" => {
                self.advance_token();
                options.cache.replace(integer(self)?).is_some()
            }
            "start" => {
                self.advance_token();
                take(self, "with");
                options.start.replace(integer(self)?).is_some()
            }
            "restart" => {
                self.advance_token();
                let given = take(self, "with") || matches!(token(self), Token::Number(..) | Token::Minus | Token::Plus);
                let value = if given { Some(integer(self)?) } else { None };
                options.restart.replace(value).is_some()
            }
            "owned" => {
                self.advance_token();
                expect(self, "by")?;
                let first = label(self)?;
                let none = first.quote_style.is_none() && first.value == "none" && *token(self) != Token::Period;
                let mut names = if none { Vec::new() } else { vec![first] };
                while take_token(self, &Token::Period) {
                    names.push(label(self)?);
                }
                options.owned_by.replace(names).is_some()
            }
            "sequence" if word_at(self, 1) == "name" => {
                self.advance_token();
                self.advance_token();
                let name = object_name(self)?;
                options.name.replace(name).is_some()
            }
            "logged" | "unlogged" => {
                let logged = word(self) == "logged";
                self.advance_token();
                options.logged.replace(logged).is_some()
            }
            _ => return Ok(false),
        };
        if repeated {
            return Err(failure(SqlState::SYNTAX_ERROR, at, "conflicting or redundant options"));
        }
        Ok(true)
    }

    /// CREATE DATABASE behind DATABASE.
    pub(super) fn create_database(&mut self) -> Parse<Statement> {
        let name = column_id(self)?;
        take(self, "with");
        let mut options = Vec::new();
        while !matches!(token(self), Token::EOF | Token::SemiColon) {
            options.push(self.database_option()?);
        }
        Ok(Statement::CreateDatabase(CreateDatabase { name, options }))
    }

    /// `name [=] value` of CREATE and ALTER DATABASE; CONNECTION LIMIT is `connection_limit`.
    pub(super) fn database_option(&mut self) -> Parse<(String, Option<String>)> {
        let name =
            if take_all(self, &["connection", "limit"]) { "connection_limit".to_string() } else { label(self)?.value };
        take_token(self, &Token::Eq);
        if take(self, "default") {
            return Ok((name, None));
        }
        Ok((name, Some(self.option_value()?)))
    }

    /// ALTER SCHEMA, DATABASE and others that have only RENAME TO, OWNER TO and SET SCHEMA, behind the kind.
    pub(super) fn alter_named(&mut self, kind: ObjectKind) -> Parse<Statement> {
        let name = object_name(self)?;
        let action = if take_all(self, &["rename", "to"]) {
            AlterAction::Rename(column_id(self)?)
        } else if take_all(self, &["owner", "to"]) {
            AlterAction::OwnerTo(self.role_name()?)
        } else {
            return unexpected(self);
        };
        Ok(Statement::Alter(Box::new(Alter { kind, if_exists: false, only: false, name, actions: vec![action] })))
    }

    /// The kind of object at hand in DROP, if it is one whose names are plain.
    fn plain_kind(&mut self) -> Option<ObjectKind> {
        const KINDS: &[(&[&str], ObjectKind)] = &[
            (&["table"], ObjectKind::Table),
            (&["view"], ObjectKind::View),
            (&["materialized", "view"], ObjectKind::MaterializedView),
            (&["index"], ObjectKind::Index),
            (&["sequence"], ObjectKind::Sequence),
            (&["schema"], ObjectKind::Schema),
            (&["database"], ObjectKind::Database),
            (&["role"], ObjectKind::Role),
            (&["user"], ObjectKind::Role),
            (&["group"], ObjectKind::Role),
            (&["type"], ObjectKind::Type),
            (&["domain"], ObjectKind::Domain),
            (&["extension"], ObjectKind::Extension),
            (&["collation"], ObjectKind::Collation),
            (&["tablespace"], ObjectKind::Tablespace),
            (&["foreign", "table"], ObjectKind::ForeignTable),
            (&["procedural", "language"], ObjectKind::Language),
            (&["language"], ObjectKind::Language),
        ];
        KINDS.iter().find_map(|(words, kind)| take_all(self, words).then_some(*kind))
    }

    /// DROP.
    pub(super) fn drop_statement(&mut self) -> Parse<Statement> {
        self.advance_token();
        if word(self) == "user" && word_at(self, 1) == "mapping" {
            self.prev_token();
            return self.unsupported_statement(2);
        }
        if word(self) == "owned" && word_at(self, 1) == "by" {
            return self.drop_owned();
        }
        if matches!(word(self), "function" | "procedure" | "routine") {
            return self.drop_routine();
        }
        let Some(kind) = self.plain_kind() else {
            let known = matches!(
                word(self),
                "function"
                    | "procedure"
                    | "routine"
                    | "aggregate"
                    | "operator"
                    | "trigger"
                    | "rule"
                    | "policy"
                    | "cast"
                    | "transform"
                    | "access"
                    | "event"
                    | "foreign"
                    | "publication"
                    | "subscription"
                    | "server"
                    | "statistics"
                    | "text"
                    | "conversion"
                    | "owned"
                    | "materialized"
            );
            if !known {
                return unexpected(self);
            }
            self.prev_token();
            return self.unsupported_statement(1);
        };
        let concurrently = kind == ObjectKind::Index && take(self, "concurrently");
        let if_exists = self.if_exists();
        let names = if kind == ObjectKind::Role {
            self.list(|g| match g.role_name()? {
                RoleName::Named(name) => Ok(ObjectName::from(vec![name])),
                _ => {
                    let message = "cannot use special role specifier in DROP ROLE";
                    Err(failure(SqlState::INVALID_PARAMETER_VALUE, span(g), message))
                }
            })?
        } else {
            self.list(|g| {
                let first = label(g)?;
                qualified(g, first)
            })?
        };
        let mut force = false;
        if kind == ObjectKind::Database {
            let with = take(self, "with");
            if *token(self) == Token::LParen {
                force = true;
                self.paren_list(|g| expect(g, "force"))?;
            } else if with {
                return unexpected(self);
            }
        }
        let cascade = !matches!(kind, ObjectKind::Database | ObjectKind::Role) && self.cascade();
        Ok(Statement::Drop(Drop { kind, concurrently, if_exists, names, cascade, force }))
    }

    /// COMMENT ON.
    pub(super) fn comment(&mut self) -> Parse<Statement> {
        self.advance_token();
        expect(self, "on")?;
        let on_table = match word(self) {
            "constraint" => Some(ObjectKind::Constraint),
            "trigger" => Some(ObjectKind::Trigger),
            "policy" => Some(ObjectKind::Policy),
            "rule" => Some(ObjectKind::Rule),
            _ => None,
        };
        let mut routine = None;
        let (kind, name, on) = if take(self, "column") {
            (ObjectKind::Column, object_name(self)?, None)
        } else if let Some(kind) = on_table {
            self.advance_token();
            let name = column_id(self)?;
            expect(self, "on")?;
            (kind, ObjectName::from(vec![name]), Some(object_name(self)?))
        } else if let Some(kind) = self.routine_kind() {
            self.advance_token();
            let named = self.routine_name()?;
            let name = named.name.clone();
            routine = Some(named);
            (kind, name, None)
        } else if let Some(kind) = self.plain_kind() {
            let first: Ident = label(self)?;
            (kind, qualified(self, first)?, None)
        } else {
            return self.unsupported_rest("COMMENT ON this kind of object");
        };
        expect(self, "is")?;
        let comment = if take(self, "null") { None } else { Some(string(self)?) };
        Ok(Statement::Comment(Comment { kind, name, on, routine, comment }))
    }
}
