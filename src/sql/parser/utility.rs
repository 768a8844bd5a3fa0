//! The statement at hand, and statements that are neither queries nor definitions: cursors, prepared statements,
//! notifications, EXPLAIN, maintenance.

use sqlparser::ast::{Expr, Ident, ObjectName};
use sqlparser::tokenizer::Token;

use crate::error::SqlState;
use crate::sql::statement::{
    Absent, Declare, Discard, Execute, Explain, ExplainFormat, Fetch, FetchDirection, Lock, ObjectKind, Persistence,
    Prepare, Refresh, Reindex, Statement, StorageOption, Truncate, Vacuum,
};

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// One statement.
    pub(super) fn statement(&mut self) -> Parse<Statement> {
        self.deeper(Self::statement_here)
    }

    pub(super) fn statement_here(&mut self) -> Parse<Statement> {
        if self.at_query_statement() {
            return self.query_statement(true);
        }
        match word(self) {
            "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => self.transaction(),
            "set" => self.set(),
            "show" => self.show(),
            "reset" => {
                self.advance_token();
                Ok(Statement::Reset(self.setting_name_or_all()?))
            }
            "create" => self.create(),
            "alter" => self.alter(),
            "drop" => self.drop_statement(),
            "comment" => self.comment(),
            "grant" | "revoke" => self.grant(),
            "truncate" => self.truncate(),
            "copy" => self.copy(),
            "explain" => self.explain(),
            "prepare" => self.prepare(),
            "execute" => self.execute(),
            "deallocate" => {
                self.advance_token();
                take(self, "prepare");
                Ok(Statement::Deallocate(self.name_or_all()?))
            }
            "declare" => self.declare(),
            "fetch" | "move" => self.fetch(),
            "close" => {
                self.advance_token();
                Ok(Statement::Close(self.name_or_all()?))
            }
            "listen" => {
                self.advance_token();
                Ok(Statement::Listen(column_id(self)?))
            }
            "notify" => {
                self.advance_token();
                let channel = column_id(self)?;
                let payload = if take_token(self, &Token::Comma) { Some(string(self)?) } else { None };
                Ok(Statement::Notify(channel, payload))
            }
            "unlisten" => {
                self.advance_token();
                if take_token(self, &Token::Mul) {
                    return Ok(Statement::Unlisten(None));
                }
                Ok(Statement::Unlisten(Some(column_id(self)?)))
            }
            "lock" => self.lock(),
            "vacuum" | "analyze" | "analyse" => self.vacuum(),
            "checkpoint" => {
                self.advance_token();
                Ok(Statement::Checkpoint)
            }
            "reindex" => self.reindex(),
            "cluster" => self.cluster(),
            "discard" => self.discard(),
            "do" => self.do_block(),
            "call" => {
                self.advance_token();
                let first = label(self)?;
                let name = qualified(self, first)?;
                let call = self.function(name)?;
                match call {
                    Expr::Function(_) => Ok(Statement::Call(Box::new(call))),
                    _ => unexpected(self),
                }
            }
            "refresh" => self.refresh(),
            "reassign" => self.reassign_owned(),
            "security" if word_at(self, 1) == "label" => {
                self.skip_statement();
                Ok(Statement::Absent(Absent::SecurityLabel))
            }
            "import" | "security" => self.unsupported_statement(2),
            "load" => {
                self.advance_token();
                Ok(Statement::Absent(Absent::Load(string(self)?)))
            }
            _ => unexpected(self),
        }
    }

    fn refresh(&mut self) -> Parse<Statement> {
        self.advance_token();
        expect(self, "materialized")?;
        expect(self, "view")?;
        let concurrently = take(self, "concurrently");
        let name = object_name(self)?;
        let with_data = !take_all(self, &["with", "no", "data"]);
        if with_data {
            take_all(self, &["with", "data"]);
        }
        Ok(Statement::Refresh(Refresh { concurrently, name, with_data }))
    }

    /// A statement that is not here, named by its first words; the rest is skipped.
    pub(super) fn unsupported_statement(&mut self, words: usize) -> Parse<Statement> {
        let mut what = Vec::new();
        for _ in 0..words {
            if word(self).is_empty() {
                return unexpected(self);
            }
            what.push(word(self).to_uppercase());
            self.advance_token();
        }
        self.unsupported_rest(&what.join(" "))
    }

    /// A statement that is not here; the rest is skipped.
    pub(super) fn unsupported_rest(&mut self, what: &str) -> Parse<Statement> {
        self.skip_statement();
        Ok(Statement::Unsupported { what: what.to_string() })
    }

    /// Skips to the end of the statement. BEGIN ATOMIC bodies hold semicolons.
    pub(super) fn skip_statement(&mut self) {
        let mut atomic = 0usize;
        loop {
            match token(self) {
                Token::EOF => return,
                Token::SemiColon if atomic == 0 => return,
                _ => {}
            }
            match word(self) {
                "begin" if word_at(self, 1) == "atomic" => atomic += 1,
                "case" if atomic > 0 => atomic += 1,
                "end" => atomic = atomic.saturating_sub(1),
                _ => {}
            }
            self.advance_token();
        }
    }

    pub(super) fn create(&mut self) -> Parse<Statement> {
        self.advance_token();
        let or_replace = take_all(self, &["or", "replace"]);
        let persistence = self.persistence();
        let temporary = persistence == Persistence::Temporary;
        let plain = !or_replace && persistence == Persistence::Permanent;
        match word(self) {
            "table" if !or_replace => self.create_table(persistence),
            "view" | "recursive" if persistence != Persistence::Unlogged => self.create_view(or_replace, temporary),
            "materialized" if plain => {
                self.advance_token();
                expect(self, "view")?;
                let if_not_exists = self.if_not_exists();
                let name = object_name(self)?;
                self.create_table_as(name, Persistence::Permanent, if_not_exists, true)
            }
            "sequence" if !or_replace => {
                self.advance_token();
                self.create_sequence(persistence)
            }
            "unique" if plain => {
                self.advance_token();
                self.create_index(true)
            }
            "index" if plain => self.create_index(false),
            "schema" if plain => {
                self.advance_token();
                self.create_schema()
            }
            "database" if plain => {
                self.advance_token();
                self.create_database()
            }
            "user" if plain && word_at(self, 1) == "mapping" => self.unsupported_create("CREATE USER MAPPING"),
            "role" | "user" | "group" if plain => {
                let user = word(self) == "user";
                self.advance_token();
                self.create_role(user)
            }
            "foreign" | "text" | "event" | "access" | "constraint" | "default" | "operator" | "procedural" if plain => {
                let two = matches!(
                    word_at(self, 1),
                    "table" | "data" | "search" | "trigger" | "method" | "conversion" | "class" | "family" | "language"
                );
                let mut what = format!("CREATE {}", word(self).to_uppercase());
                if two {
                    what = format!("{what} {}", word_at(self, 1).to_uppercase());
                }
                self.unsupported_create(&what)
            }
            "type" if plain => {
                self.advance_token();
                self.create_type()
            }
            "domain" if plain => {
                self.advance_token();
                self.create_domain()
            }
            "function" | "procedure" if persistence == Persistence::Permanent => self.create_routine(or_replace),
            "trigger" | "extension" | "rule" | "policy" | "publication" | "subscription" | "statistics"
            | "aggregate" | "cast" | "collation" | "conversion" | "language" | "server" | "tablespace"
            | "transform" | "trusted"
                if persistence == Persistence::Permanent =>
            {
                let what = format!("CREATE {}", word(self).to_uppercase());
                self.unsupported_create(&what)
            }
            _ => unexpected(self),
        }
    }

    pub(super) fn unsupported_create(&mut self, what: &str) -> Parse<Statement> {
        if matches!(token_at(self, 1), Token::EOF | Token::SemiColon) {
            self.advance_token();
            return unexpected(self);
        }
        self.unsupported_rest(what)
    }

    pub(super) fn alter(&mut self) -> Parse<Statement> {
        self.advance_token();
        match word(self) {
            "table" => {
                self.advance_token();
                self.alter_relation(ObjectKind::Table)
            }
            "view" => {
                self.advance_token();
                self.alter_relation(ObjectKind::View)
            }
            "index" => {
                self.advance_token();
                self.alter_relation(ObjectKind::Index)
            }
            "materialized" => {
                self.advance_token();
                expect(self, "view")?;
                self.alter_relation(ObjectKind::MaterializedView)
            }
            "sequence" => {
                self.advance_token();
                self.alter_sequence()
            }
            "schema" => {
                self.advance_token();
                self.alter_named(ObjectKind::Schema)
            }
            "database" => self.alter_database(),
            "user" if word_at(self, 1) == "mapping" => self.unsupported_create("ALTER USER MAPPING"),
            "role" | "user" | "group" => {
                self.advance_token();
                self.alter_role()
            }
            "system" => self.unsupported_create("ALTER SYSTEM"),
            "default" if word_at(self, 1) == "privileges" => self.default_privileges(),
            "type" | "domain" => {
                let domain = word(self) == "domain";
                self.advance_token();
                self.alter_type(domain)
            }
            "function" | "procedure" | "routine" => self.alter_routine(),
            "aggregate" | "collation" | "conversion" | "event" | "extension" | "foreign" | "language" | "large"
            | "operator" | "policy" | "procedural" | "publication" | "rule" | "server" | "statistics"
            | "subscription" | "tablespace" | "text" | "trigger" => {
                let what = format!("ALTER {}", word(self).to_uppercase());
                self.unsupported_create(&what)
            }
            _ => unexpected(self),
        }
    }

    pub(super) fn alter_database(&mut self) -> Parse<Statement> {
        self.advance_token();
        let shared = matches!(word_at(self, 1), "rename" | "owner");
        if shared && (word_at(self, 1) != "owner" || word_at(self, 2) == "to") {
            return self.alter_named(ObjectKind::Database);
        }
        let name = column_id(self)?;
        match word(self) {
            "set" if word_at(self, 1) == "tablespace" => self.unsupported_rest("ALTER DATABASE SET TABLESPACE"),
            "set" | "reset" => {
                let (setting, value) = self.setting_change()?;
                Ok(Statement::AlterSetting(crate::sql::statement::AlterSetting {
                    role: None,
                    database: Some(name),
                    name: setting,
                    value,
                }))
            }
            _ => self.unsupported_rest("ALTER DATABASE with options"),
        }
    }

    pub(super) fn truncate(&mut self) -> Parse<Statement> {
        self.advance_token();
        take(self, "table");
        let tables = self.relation_list()?;
        let restart_identity = take_all(self, &["restart", "identity"]);
        if !restart_identity {
            take_all(self, &["continue", "identity"]);
        }
        let cascade = self.cascade();
        Ok(Statement::Truncate(Truncate { tables, restart_identity, cascade }))
    }

    pub(super) fn relation_list(&mut self) -> Parse<Vec<(ObjectName, bool)>> {
        self.list(|g| {
            let only = word(g) == "only";
            Ok((g.relation_name()?, only))
        })
    }

    pub(super) fn prepare(&mut self) -> Parse<Statement> {
        self.advance_token();
        if word(self) == "transaction" && matches!(token_at(self, 1), Token::SingleQuotedString(_)) {
            self.advance_token();
            string(self)?;
            return Ok(Statement::Absent(Absent::PrepareTransaction));
        }
        let name = column_id(self)?;
        let types = if *token(self) == Token::LParen { self.paren_list(Self::data_type)? } else { Vec::new() };
        expect(self, "as")?;
        if !self.at_query_statement() {
            return unexpected(self);
        }
        let statement = self.query_statement(false)?;
        Ok(Statement::Prepare(Box::new(Prepare { name, types, statement })))
    }

    pub(super) fn execute(&mut self) -> Parse<Statement> {
        self.advance_token();
        let name = column_id(self)?;
        let args = if *token(self) == Token::LParen { self.paren_list(Self::expr)? } else { Vec::new() };
        Ok(Statement::Execute(Execute { name, args }))
    }

    pub(super) fn declare(&mut self) -> Parse<Statement> {
        self.advance_token();
        let name = column_id(self)?;
        let (mut binary, mut insensitive, mut scroll) = (false, None, None);
        loop {
            if take(self, "binary") {
                binary = true;
            } else if take(self, "insensitive") {
                insensitive = Some(true);
            } else if take(self, "asensitive") {
                insensitive = Some(false);
            } else if take(self, "scroll") {
                scroll = Some(true);
            } else if take_all(self, &["no", "scroll"]) {
                scroll = Some(false);
            } else {
                break;
            }
        }
        expect(self, "cursor")?;
        let hold = take_all(self, &["with", "hold"]);
        if !hold {
            take_all(self, &["without", "hold"]);
        }
        expect(self, "for")?;
        let start = self.offset();
        let query = self.without_modification()?;
        let text = self.text_since(start);
        Ok(Statement::Declare(Box::new(Declare { name, binary, insensitive, scroll, hold, query, text })))
    }

    pub(super) fn fetch(&mut self) -> Parse<Statement> {
        let is_move = word(self) == "move";
        self.advance_token();
        let direction = self.fetch_direction()?;
        if !take(self, "from") {
            take(self, "in");
        }
        Ok(Statement::Fetch(Fetch { is_move, direction, cursor: column_id(self)? }))
    }

    pub(super) fn fetch_direction(&mut self) -> Parse<FetchDirection> {
        // A cursor may be called like a direction: `FETCH next` is of the cursor "next".
        let alone = matches!(token_at(self, 1), Token::EOF | Token::SemiColon);
        if alone {
            return Ok(FetchDirection::Forward(1));
        }
        let counted =
            |n: i64| if n < 0 { FetchDirection::Backward(n.saturating_neg()) } else { FetchDirection::Forward(n) };
        match word(self) {
            "next" => self.advance_token(),
            "prior" => {
                self.advance_token();
                return Ok(FetchDirection::Backward(1));
            }
            "first" => {
                self.advance_token();
                return Ok(FetchDirection::Absolute(1));
            }
            "last" => {
                self.advance_token();
                return Ok(FetchDirection::Absolute(-1));
            }
            "absolute" => {
                self.advance_token();
                return Ok(FetchDirection::Absolute(integer(self)?));
            }
            "relative" => {
                self.advance_token();
                return Ok(FetchDirection::Relative(integer(self)?));
            }
            "all" => {
                self.advance_token();
                return Ok(FetchDirection::Forward(i64::MAX));
            }
            "forward" | "backward" => {
                let forward = word(self) == "forward";
                self.advance_token();
                let count = if take(self, "all") {
                    i64::MAX
                } else if matches!(token(self), Token::Number(..) | Token::Minus | Token::Plus) {
                    integer(self)?
                } else {
                    1
                };
                return Ok(counted(if forward { count } else { count.saturating_neg() }));
            }
            _ if matches!(token(self), Token::Number(..) | Token::Minus | Token::Plus) => {
                return Ok(counted(integer(self)?));
            }
            _ => {}
        }
        Ok(FetchDirection::Forward(1))
    }

    pub(super) fn lock(&mut self) -> Parse<Statement> {
        self.advance_token();
        take(self, "table");
        let tables = self.relation_list()?;
        let mut mode = "access exclusive".to_string();
        if take(self, "in") {
            const MODES: &[&[&str]] = &[
                &["access", "share"],
                &["row", "share"],
                &["row", "exclusive"],
                &["share", "update", "exclusive"],
                &["share", "row", "exclusive"],
                &["share"],
                &["exclusive"],
                &["access", "exclusive"],
            ];
            let Some(words) = MODES.iter().find(|words| take_all(self, words)) else { return unexpected(self) };
            mode = words.join(" ");
            expect(self, "mode")?;
        }
        let nowait = take(self, "nowait");
        Ok(Statement::Lock(Lock { tables, mode, nowait }))
    }

    pub(super) fn explain(&mut self) -> Parse<Statement> {
        self.advance_token();
        let mut explain = Explain {
            analyze: false,
            verbose: false,
            costs: true,
            settings: false,
            generic_plan: false,
            buffers: None,
            serialize: None,
            wal: false,
            timing: None,
            summary: None,
            memory: false,
            format: ExplainFormat::Text,
            statement: Statement::Checkpoint,
        };
        let options = *token(self) == Token::LParen && !self.parenthesised_query_ahead();
        if options {
            self.advance_token();
            loop {
                self.explain_option(&mut explain)?;
                if !take_token(self, &Token::Comma) {
                    break;
                }
            }
            expect_token(self, &Token::RParen)?;
        } else {
            explain.analyze = take(self, "analyze") || take(self, "analyse");
            explain.verbose = take(self, "verbose");
        }
        let explainable = self.at_query_statement()
            || matches!(word(self), "execute" | "declare")
            || (word(self) == "create"
                && matches!(word_at(self, 1), "table" | "materialized" | "temp" | "temporary" | "unlogged"));
        if !explainable {
            return unexpected(self);
        }
        let at = span(self);
        explain.statement = self.statement()?;
        if matches!(explain.statement, Statement::CreateTable(_)) {
            return Err(syntax_at(at));
        }
        Ok(Statement::Explain(Box::new(explain)))
    }

    /// Whether the parenthesis that is next holds a query (or another parenthesis).
    pub(super) fn parenthesised_query_ahead(&self) -> bool {
        matches!(word_at(self, 1), "select" | "with" | "values" | "table") || *token_at(self, 1) == Token::LParen
    }

    pub(super) fn explain_option(&mut self, explain: &mut Explain) -> Parse<()> {
        let at = span(self);
        let name = label(self)?.value;
        match name.as_str() {
            "analyze" | "analyse" => explain.analyze = self.option_flag("analyze")?,
            "verbose" => explain.verbose = self.option_flag("verbose")?,
            "costs" => explain.costs = self.option_flag("costs")?,
            "settings" => explain.settings = self.option_flag("settings")?,
            "generic_plan" => explain.generic_plan = self.option_flag("generic_plan")?,
            "buffers" => explain.buffers = Some(self.option_flag("buffers")?),
            "wal" => explain.wal = self.option_flag("wal")?,
            "timing" => explain.timing = Some(self.option_flag("timing")?),
            "summary" => explain.summary = Some(self.option_flag("summary")?),
            "memory" => explain.memory = self.option_flag("memory")?,
            "serialize" => {
                let given = !matches!(token(self), Token::Comma | Token::RParen);
                let place = span(self);
                let value = if given { self.option_value()? } else { "text".into() };
                if !matches!(value.as_str(), "none" | "off" | "text" | "binary") {
                    let message = format!("unrecognized value for EXPLAIN option \"serialize\": \"{value}\"");
                    return Err(failure(SqlState::INVALID_PARAMETER_VALUE, place, &message));
                }
                explain.serialize = Some(value);
            }
            "format" => {
                let place = span(self);
                let value = self.option_value()?;
                explain.format = match value.as_str() {
                    "text" => ExplainFormat::Text,
                    "xml" => ExplainFormat::Xml,
                    "json" => ExplainFormat::Json,
                    "yaml" => ExplainFormat::Yaml,
                    _ => {
                        let message = format!("unrecognized value for EXPLAIN option \"format\": \"{value}\"");
                        return Err(failure(SqlState::INVALID_PARAMETER_VALUE, place, &message));
                    }
                };
            }
            _ => {
                let message = format!("unrecognized EXPLAIN option \"{name}\"");
                return Err(failure(SqlState::SYNTAX_ERROR, at, &message));
            }
        }
        Ok(())
    }

    pub(super) fn vacuum(&mut self) -> Parse<Statement> {
        let vacuum = word(self) == "vacuum";
        self.advance_token();
        let mut statement =
            Vacuum { vacuum, analyze: !vacuum, full: false, verbose: false, options: Vec::new(), tables: Vec::new() };
        if *token(self) == Token::LParen {
            self.advance_token();
            loop {
                self.vacuum_option(&mut statement)?;
                if !take_token(self, &Token::Comma) {
                    break;
                }
            }
            expect_token(self, &Token::RParen)?;
        } else {
            if vacuum {
                statement.full = take(self, "full");
                if take(self, "freeze") {
                    statement.options.push(StorageOption { name: "freeze".into(), value: None });
                }
            }
            statement.verbose = take(self, "verbose");
            if vacuum {
                statement.analyze = take(self, "analyze") || take(self, "analyse");
            }
        }
        if !matches!(token(self), Token::EOF | Token::SemiColon) {
            statement.tables = self.list(|g| {
                let table = g.relation_name()?;
                Ok((table, g.optional_columns()?))
            })?;
        }
        let columns = statement.tables.iter().any(|(_, columns)| !columns.is_empty());
        if columns && !statement.analyze {
            let message = "ANALYZE option must be specified when a column list is provided";
            return Err(failure(SqlState::FEATURE_NOT_SUPPORTED, span(self), message));
        }
        Ok(Statement::Vacuum(statement))
    }

    pub(super) fn vacuum_option(&mut self, statement: &mut Vacuum) -> Parse<()> {
        let at = span(self);
        let name = label(self)?.value;
        match name.as_str() {
            "verbose" => statement.verbose = self.option_flag("verbose")?,
            "analyze" | "analyse" if statement.vacuum => statement.analyze = self.option_flag("analyze")?,
            "full" if statement.vacuum => statement.full = self.option_flag("full")?,
            "skip_locked" | "buffer_usage_limit" => statement.options.push(self.plain_option(name)?),
            "freeze"
            | "disable_page_skipping"
            | "index_cleanup"
            | "process_main"
            | "process_toast"
            | "truncate"
            | "parallel"
            | "skip_database_stats"
            | "only_database_stats"
                if statement.vacuum =>
            {
                statement.options.push(self.plain_option(name)?);
            }
            _ => {
                let verb = if statement.vacuum { "VACUUM" } else { "ANALYZE" };
                let message = format!("unrecognized {verb} option \"{name}\"");
                return Err(failure(SqlState::SYNTAX_ERROR, at, &message));
            }
        }
        Ok(())
    }

    pub(super) fn plain_option(&mut self, name: String) -> Parse<StorageOption> {
        let none = matches!(token(self), Token::Comma | Token::RParen);
        let value = if none { None } else { Some(self.option_value()?) };
        Ok(StorageOption { name, value })
    }

    pub(super) fn reindex(&mut self) -> Parse<Statement> {
        self.advance_token();
        let mut options = Vec::new();
        if *token(self) == Token::LParen {
            options = self.paren_list(|g| {
                let name = label(g)?.value;
                g.plain_option(name)
            })?;
        }
        let kind = match word(self) {
            "index" => ObjectKind::Index,
            "table" => ObjectKind::Table,
            "schema" => ObjectKind::Schema,
            "database" => ObjectKind::Database,
            "system" => ObjectKind::Other,
            _ => return unexpected(self),
        };
        self.advance_token();
        let concurrently = take(self, "concurrently");
        let optional = matches!(kind, ObjectKind::Database | ObjectKind::Other);
        let none = optional && matches!(token(self), Token::EOF | Token::SemiColon);
        let name = if none { None } else { Some(object_name(self)?) };
        Ok(Statement::Reindex(Reindex { kind, concurrently, options, name }))
    }

    pub(super) fn cluster(&mut self) -> Parse<Statement> {
        self.advance_token();
        let mut verbose = false;
        if *token(self) == Token::LParen {
            self.paren_list(|g| {
                expect(g, "verbose")?;
                verbose = g.option_flag("verbose")?;
                Ok(())
            })?;
        } else {
            verbose = take(self, "verbose");
        }
        if matches!(token(self), Token::EOF | Token::SemiColon) {
            return Ok(Statement::Cluster { table: None, index: None, verbose });
        }
        let first = object_name(self)?;
        if take(self, "on") {
            // The syntax before 8.3: CLUSTER index ON table.
            let index = first.0.into_iter().next().and_then(|part| part.as_ident().cloned());
            return Ok(Statement::Cluster { table: Some(object_name(self)?), index, verbose });
        }
        let index = if take(self, "using") { Some(column_id(self)?) } else { None };
        Ok(Statement::Cluster { table: Some(first), index, verbose })
    }

    pub(super) fn discard(&mut self) -> Parse<Statement> {
        self.advance_token();
        let what = match word(self) {
            "all" => Discard::All,
            "plans" => Discard::Plans,
            "sequences" => Discard::Sequences,
            "temp" | "temporary" => Discard::Temp,
            _ => return unexpected(self),
        };
        self.advance_token();
        Ok(Statement::Discard(what))
    }

    pub(super) fn do_block(&mut self) -> Parse<Statement> {
        self.advance_token();
        let (mut language, mut body) = (None, None);
        loop {
            let at = span(self);
            let repeated = if take(self, "language") {
                let name = match token(self) {
                    Token::SingleQuotedString(name) => {
                        let name = Ident { value: name.clone(), quote_style: Some('"'), span: at };
                        self.advance_token();
                        name
                    }
                    _ => nonreserved(self)?,
                };
                language.replace(name).is_some()
            } else if matches!(token(self), Token::SingleQuotedString(_)) {
                body.replace(string(self)?).is_some()
            } else {
                break;
            };
            if repeated {
                return Err(failure(SqlState::SYNTAX_ERROR, at, "conflicting or redundant options"));
            }
        }
        match body {
            Some(body) => Ok(Statement::Do { language, body }),
            None => unexpected(self),
        }
    }
}
