//! Statements that are neither queries nor DDL: transaction control, settings, PREPARE and EXECUTE, cursors,
//! LISTEN and NOTIFY, EXPLAIN, maintenance.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::binder::table::{bind_constant, bind_type};
use crate::sql::context::EvalContext;
use crate::sql::parser::{Parsed, ident};
use crate::sql::privilege;
use crate::sql::statement::{Discard, Drop, Isolation, ObjectKind, Set, SetValue, Statement, TransactionModes, Vacuum};
use crate::storage::catalog::Entry;

use super::cursor::{CursorOptions, Origin};
use super::ddl::{self, Ddl};
use super::deadline::Deadline;
use super::explain;
use super::host::Shared;
use super::host::now;
use super::prepared::{Bound, bind, is_query, text_column};
use super::session::{isolation_named, read_only, rows_response};
use super::transaction::{Block, Listen};
use super::{OutputColumn, Prepared, Response, RowsTag, Session, SqlPart, settings};

/// Memory for the statements of PREPARE.
const PREPARED_BYTES_MAX: usize = 64 << 20;
/// How often, and how many times, DROP DATABASE looks whether the other sessions are gone: 5 seconds, as PostgreSQL.
const SESSION_CHECK_INTERVAL: Duration = Duration::from_millis(100);
const SESSION_CHECKS: u32 = 50;

/// Parameters and result columns of a utility statement.
type Description = (Vec<Type>, Option<Arc<[OutputColumn]>>);

impl Session {
    /// Parameters and result columns of a utility statement.
    pub(super) fn describe_utility(
        &mut self,
        statement: &Statement,
        part: &SqlPart,
        given: &[Option<Type>],
        eval: &EvalContext,
    ) -> Result<Description> {
        let none = Vec::new();
        Ok(match statement {
            Statement::Show(Some(name)) => {
                let shown = settings::definition(name).map_or(name.as_str(), |d| d.name);
                (none, Some(Arc::from([text_column(shown)])))
            }
            Statement::Show(None) => {
                (none, Some(["name", "setting", "description"].iter().map(|n| text_column(n)).collect()))
            }
            Statement::Explain(explain) => {
                let params = self.inner_params(&explain.statement, part, given, eval)?;
                (params, Some(explain_columns(explain)))
            }
            Statement::Declare(declare) => (self.inner_params(&declare.query, part, given, eval)?, None),
            Statement::CreateTableAs(create) => (self.inner_params(&create.source, part, given, eval)?, None),
            Statement::Fetch(fetch) if !fetch.is_move => {
                (none, self.cursors.get(&ident(&fetch.cursor)).map(|c| c.columns.clone()))
            }
            Statement::Execute(execute) => {
                let prepared = self.statement_named(&ident(&execute.name))?;
                (none, prepared.columns().cloned())
            }
            _ => (none, None),
        })
    }

    fn inner_params(
        &self,
        inner: &Statement,
        part: &SqlPart,
        given: &[Option<Type>],
        eval: &EvalContext,
    ) -> Result<Vec<Type>> {
        if !is_query(inner) {
            return Ok(Vec::new());
        }
        let path = self.shared.lock().search_path(self.shared.database);
        Ok(bind(inner, &part.text, given, eval, path)?.query.params.clone())
    }

    fn statement_named(&self, name: &str) -> Result<Arc<Prepared>> {
        let found = self.statements.get(name).flatten();
        found.ok_or_else(|| err!(INVALID_SQL_STATEMENT_NAME, "prepared statement \"{name}\" does not exist"))
    }

    /// Runs a utility or DDL statement inside the current transaction.
    pub(super) async fn utility(
        &mut self,
        prepared: &Arc<Prepared>,
        statement: &Statement,
        params: &Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Response> {
        match statement {
            Statement::Set(set) => self.set(set),
            Statement::Show(name) => self.show(prepared, name.as_deref()),
            Statement::Reset(name) => self.reset(name.as_deref()),
            Statement::SetTransaction { session, modes } => self.set_transaction(*session, modes),
            Statement::SetConstraints { names, deferred } => self.set_constraints(names, *deferred),
            Statement::Prepare(prepare) => self.prepare_named(prepare, &prepared.part),
            Statement::Execute(execute) => {
                let named = self.statement_named(&ident(&execute.name))?;
                let values = self.arguments(&ident(&execute.name), &named, &execute.args, &prepared.part.text)?;
                let statement = named.part.statement().clone();
                if is_query(&statement) {
                    return self.execute_query(&named, values.into(), deadline).await;
                }
                Box::pin(self.utility(&named, &statement, &values.into(), deadline)).await
            }
            Statement::Deallocate(None) => {
                self.statements.clear();
                done("DEALLOCATE ALL")
            }
            Statement::Deallocate(Some(name)) => {
                let name = ident(name);
                match self.statements.remove(&name) {
                    true => done("DEALLOCATE"),
                    false => Err(err!(INVALID_SQL_STATEMENT_NAME, "prepared statement \"{name}\" does not exist")),
                }
            }
            Statement::Declare(declare) => {
                let name = ident(&declare.name);
                if !declare.hold && self.is_alone() {
                    return Err(err!(
                        NO_ACTIVE_SQL_TRANSACTION,
                        "DECLARE CURSOR can only be used in transaction blocks"
                    ));
                }
                if declare.binary {
                    return Err(Error::unsupported("a BINARY cursor"));
                }
                self.cursors.check_free(&name)?;
                if !matches!(declare.query, Statement::Query(_)) {
                    return Err(err!(
                        FEATURE_NOT_SUPPORTED,
                        "DECLARE CURSOR must not contain data-modifying statements in WITH"
                    ));
                }
                let bound = self.bind_inner(&declare.query, prepared, params)?;
                let context = self.statement_context(params.clone())?;
                let (bound, tables) = super::source::with_locators(bound, &context.eval);
                // The cursor outlives this statement's deadline.
                match self.run_bound(&bound, context, &Deadline::default()).await? {
                    Response::Rows { columns, stream, .. } => {
                        let options = CursorOptions { hold: declare.hold, scroll: declare.scroll };
                        let reservation = self.shared.server.reservation("Cursor");
                        let origin = Origin { statement: prepared.part.text().into(), created: now() };
                        self.cursors.declare(name, (columns, tables), stream, options, reservation, origin)?;
                        done("DECLARE CURSOR")
                    }
                    _ => Err(Error::internal("a query gives rows")),
                }
            }
            Statement::Fetch(fetch) => {
                let cancel = self.shared.cancel.clone();
                let cursor = self.cursors.get_mut(&ident(&fetch.cursor))?;
                let columns = cursor.columns.clone();
                let rows = deadline.guard(&cancel, cursor.fetch(fetch.direction)).await?;
                if fetch.is_move {
                    return Ok(Response::Command(format!("MOVE {}", rows.len())));
                }
                Ok(rows_response(columns, rows, RowsTag::Counted("FETCH")))
            }
            Statement::Close(None) => {
                self.cursors.close_all();
                done("CLOSE CURSOR ALL")
            }
            Statement::Close(Some(name)) => {
                self.cursors.close(&ident(name))?;
                done("CLOSE CURSOR")
            }
            Statement::Listen(channel) => {
                let (channel, _) = super::functions::checked_notification(ident(channel), String::new())?;
                self.listens(Listen::Add(channel));
                done("LISTEN")
            }
            Statement::Unlisten(channel) => {
                self.listens(channel.as_ref().map_or(Listen::RemoveAll, |c| Listen::Remove(ident(c))));
                done("UNLISTEN")
            }
            Statement::Notify(channel, payload) => {
                let payload = payload.clone().unwrap_or_default();
                let notification = super::functions::checked_notification(ident(channel), payload)?;
                self.shared.lock().notify.push(notification);
                self.take_notify();
                done("NOTIFY")
            }
            Statement::Explain(explain) => self.explain(prepared, explain, params, deadline).await,
            Statement::Copy(copy) => self.copy(prepared, copy, deadline).await,
            Statement::CreateTableAs(create) => self.create_table_as(prepared, create, params, deadline).await,
            Statement::Lock(lock) => self.lock_tables(lock),
            Statement::Vacuum(vacuum) => self.vacuum(vacuum),
            Statement::Refresh(refresh) => self.refresh(refresh, deadline).await,
            Statement::Checkpoint => done("CHECKPOINT"),
            Statement::Reindex(reindex) => self.reindex(reindex),
            // No index was ever chosen to cluster by.
            Statement::Cluster { table: None, .. } => done("CLUSTER"),
            Statement::Cluster { table: Some(table), index: None, .. } => {
                let relation =
                    crate::sql::binder::relation_by_name(table, &self.statement_context(Arc::from([]))?.eval)?;
                let name = match &relation {
                    crate::sql::binder::Relation::Entry(entry) => entry.name(),
                    crate::sql::binder::Relation::System(relation) => relation.short_name(),
                };
                Err(err!(UNDEFINED_OBJECT, "there is no previously clustered index for table \"{name}\""))
            }
            Statement::Cluster { .. } => Err(Error::unsupported("CLUSTER USING an index")),
            Statement::Discard(what) => self.discard(*what),
            Statement::Do { language, .. } => Err(match language.as_ref().map(ident) {
                Some(name) if name == "sql" => {
                    err!(FEATURE_NOT_SUPPORTED, "language \"sql\" does not support inline code execution")
                }
                Some(name) if name != "plpgsql" => err!(UNDEFINED_OBJECT, "language \"{name}\" does not exist"),
                _ => Error::unsupported("DO").hint("Procedures can be written in LANGUAGE sql."),
            }),
            Statement::Call(call) => self.call(prepared, call, deadline).await,
            Statement::Absent(absent) => Err(absent.error()),
            Statement::Unsupported { what } => Err(Error::unsupported(what)),
            Statement::Drop(drop) if drop.kind == ObjectKind::Database && !drop.force => {
                wait_for_sessions(self.shared.clone(), drop).await?;
                self.ddl(statement, &prepared.part)
            }
            statement => self.ddl(statement, &prepared.part),
        }
    }

    /// Runs a named query inside the current transaction.
    async fn execute_query(
        &mut self,
        named: &Arc<Prepared>,
        params: Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Response> {
        let context = self.statement_context(params)?;
        let path = self.shared.lock().search_path(self.shared.database);
        let bound = named.bound(&context.eval, &context.view.catalog, &path)?;
        let response = self.run_bound(&bound, context, deadline).await?;
        self.take_notify();
        Ok(response)
    }

    /// Binds the query inside a utility statement.
    fn bind_inner(&mut self, inner: &Statement, prepared: &Arc<Prepared>, params: &Arc<[Datum]>) -> Result<Arc<Bound>> {
        let context = self.statement_context(params.clone())?;
        let given: Vec<Option<Type>> = prepared.params.iter().map(|t| Some(*t)).collect();
        let path = self.shared.lock().search_path(self.shared.database);
        Ok(Arc::new(bind(inner, &prepared.part.text, &given, &context.eval, path)?))
    }

    fn ddl(&mut self, statement: &Statement, part: &SqlPart) -> Result<Response> {
        self.refuse_ddl(statement)?;
        let context = self.statement_context(Arc::from([]))?;
        let shared = self.shared.clone();
        let transaction =
            self.transaction.as_mut().ok_or_else(|| Error::internal("a statement runs in a transaction"))?;
        let mut ddl = Ddl {
            shared: &shared,
            transaction,
            view: context.view.clone(),
            eval: context.eval.clone(),
            text: &part.text,
            temporary: false,
            recursing: false,
        };
        // Building an index, or checking a constraint, reads a whole table.
        match super::aside::block(|| ddl::run(&mut ddl, statement)) {
            Some(tag) => tag.map(|tag| Response::Command(tag.to_string())),
            None => Err(Error::unsupported("this statement")),
        }
    }

    pub(super) fn refuse_ddl(&self, statement: &Statement) -> Result<()> {
        if self.transaction.as_ref().is_some_and(|t| t.read_only) {
            let name = match statement {
                Statement::CreateTable(_) => "CREATE TABLE",
                Statement::CreateTableAs(_) => "CREATE TABLE AS",
                Statement::CreateIndex(_) => "CREATE INDEX",
                Statement::Refresh(_) => "REFRESH MATERIALIZED VIEW",
                Statement::CreateView(_) => "CREATE VIEW",
                Statement::CreateSchema(_) => "CREATE SCHEMA",
                Statement::CreateSequence(_) => "CREATE SEQUENCE",
                Statement::CreateDatabase(_) => "CREATE DATABASE",
                Statement::CreateRole(_) => "CREATE ROLE",
                Statement::Alter(_) => "ALTER TABLE",
                Statement::Drop(_) => "DROP TABLE",
                Statement::Truncate(_) => "TRUNCATE TABLE",
                Statement::Comment(_) => "COMMENT",
                _ => "this statement",
            };
            return Err(read_only(name));
        }
        Ok(())
    }

    /// Whether the statement stands alone.
    fn is_alone(&self) -> bool {
        self.transaction.as_ref().is_none_or(|t| t.block == Block::Auto)
    }

    fn listens(&mut self, listen: Listen) {
        if let Some(transaction) = &mut self.transaction {
            transaction.listens.push(listen);
        }
    }

    fn warn(&self, code: SqlState, message: impl Into<String>) {
        self.shared.notice("WARNING", Error::new(code, message));
    }

    // ---- transaction control ----

    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE.
    pub(super) async fn control(&mut self, statement: &Statement) -> Result<Response> {
        match statement {
            Statement::Begin { start, modes } => {
                match &mut self.transaction {
                    Some(t) if t.block == Block::Explicit => {
                        self.warn(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
                    }
                    // What came before it in the same query becomes part of the block.
                    Some(t) => t.block = Block::Explicit,
                    None => self.begin(Block::Explicit),
                }
                self.apply_modes(modes)?;
                done(if *start { "START TRANSACTION" } else { "BEGIN" })
            }
            Statement::Commit { chain } => {
                let Some(transaction) = &self.transaction else {
                    return self.no_transaction(*chain, "COMMIT");
                };
                if transaction.block == Block::Implicit {
                    self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
                }
                let failed = transaction.failed;
                let kept = (transaction.isolation, transaction.read_only);
                self.commit().await?;
                self.chain(*chain, kept)?;
                done(if failed { "ROLLBACK" } else { "COMMIT" })
            }
            Statement::Rollback { chain } => {
                let Some(transaction) = &self.transaction else {
                    return self.no_transaction(*chain, "ROLLBACK");
                };
                if transaction.block == Block::Implicit {
                    self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
                }
                let kept = (transaction.isolation, transaction.read_only);
                self.rollback();
                self.chain(*chain, kept)?;
                done("ROLLBACK")
            }
            Statement::Savepoint(name) => {
                let name = ident(name);
                self.take_notify();
                let mark = self.shared.lock().settings.mark();
                self.block("SAVEPOINT")?.savepoint(&name, mark);
                done("SAVEPOINT")
            }
            Statement::Release(name) => {
                let name = ident(name);
                self.block("RELEASE SAVEPOINT")?.release(&name)?;
                done("RELEASE")
            }
            Statement::RollbackTo(name) => {
                let name = ident(name);
                let mark = self.block("ROLLBACK TO SAVEPOINT")?.rollback_to(&name)?;
                let mut state = self.shared.lock();
                state.settings.rollback_to(mark);
                state.notify.clear();
                drop(state);
                done("ROLLBACK")
            }
            _ => Err(Error::internal("a transaction control statement was expected")),
        }
    }

    fn no_transaction(&self, chain: bool, tag: &str) -> Result<Response> {
        if chain {
            return Err(err!(NO_ACTIVE_SQL_TRANSACTION, "{tag} AND CHAIN can only be used in transaction blocks"));
        }
        self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
        done(tag)
    }

    fn chain(&mut self, chain: bool, (isolation, read_only): (Isolation, bool)) -> Result<()> {
        if !chain {
            return Ok(());
        }
        self.begin(Block::Explicit);
        if let Some(transaction) = &mut self.transaction {
            transaction.isolation = isolation;
            transaction.read_only = read_only;
        }
        let mut state = self.shared.lock();
        state.read_only = read_only;
        state.settings.set("transaction_isolation", Some(isolation_name(isolation)), true)?;
        state.settings.set("transaction_read_only", Some(on_off(read_only)), true)?;
        Ok(())
    }

    /// The running block; 25P01 outside of one.
    fn block(&mut self, what: &str) -> Result<&mut super::transaction::Transaction> {
        match &mut self.transaction {
            Some(t) if t.block != Block::Auto => Ok(t),
            _ => Err(err!(NO_ACTIVE_SQL_TRANSACTION, "{what} can only be used in transaction blocks")),
        }
    }

    fn apply_modes(&mut self, modes: &TransactionModes) -> Result<()> {
        if modes.snapshot.is_some() {
            return Err(Error::unsupported("SET TRANSACTION SNAPSHOT"));
        }
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        if let Some(isolation) = modes.isolation {
            if transaction.has_begun() && isolation != transaction.isolation {
                return Err(err!(
                    ACTIVE_SQL_TRANSACTION,
                    "SET TRANSACTION ISOLATION LEVEL must be called before any query"
                ));
            }
            transaction.isolation = isolation;
        }
        if let Some(read_only) = modes.read_only {
            if !read_only && transaction.read_only && transaction.has_begun() {
                return Err(err!(ACTIVE_SQL_TRANSACTION, "transaction read-write mode must be set before any query"));
            }
            transaction.read_only = read_only;
        }
        let (isolation, read_only) = (transaction.isolation, transaction.read_only);
        let mut state = self.shared.lock();
        state.read_only = read_only;
        state.settings.set("transaction_isolation", Some(isolation_name(isolation)), true)?;
        state.settings.set("transaction_read_only", Some(on_off(read_only)), true)?;
        if let Some(deferrable) = modes.deferrable {
            state.settings.set("transaction_deferrable", Some(on_off(deferrable)), true)?;
        }
        Ok(())
    }

    fn set_transaction(&mut self, session: bool, modes: &TransactionModes) -> Result<Response> {
        if session {
            let mut state = self.shared.lock();
            if let Some(isolation) = modes.isolation {
                state.settings.set("default_transaction_isolation", Some(isolation_name(isolation)), false)?;
            }
            if let Some(read_only) = modes.read_only {
                state.settings.set("default_transaction_read_only", Some(on_off(read_only)), false)?;
            }
            if let Some(deferrable) = modes.deferrable {
                state.settings.set("default_transaction_deferrable", Some(on_off(deferrable)), false)?;
            }
            return done("SET");
        }
        if self.is_alone() {
            self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "SET TRANSACTION can only be used in transaction blocks");
            return done("SET");
        }
        self.apply_modes(modes)?;
        done("SET")
    }

    // ---- settings ----

    fn set(&mut self, set: &Set) -> Result<Response> {
        let value = match &set.value {
            SetValue::Default => None,
            // Each is a name, whatever it was quoted with.
            SetValue::Values(values) if set.name == "search_path" => {
                Some(values.iter().map(|name| super::ddl::quote_ident(name)).collect::<Vec<_>>().join(", "))
            }
            SetValue::Values(values) => Some(values.join(", ")),
            SetValue::FromCurrent => return Err(err!(SYNTAX_ERROR, "SET FROM CURRENT is not valid here")),
        };
        match set.name.as_str() {
            "transaction_isolation" | "transaction_read_only" | "transaction_deferrable" => {
                return self.set_transaction_setting(&set.name, value.as_deref());
            }
            "role" => return self.set_role(value.as_deref()),
            "session_authorization" => return self.set_session_authorization(value.as_deref()),
            _ => {}
        }
        if set.local && self.is_alone() {
            self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "SET LOCAL can only be used in transaction blocks");
        }
        self.shared.lock().settings.set(&set.name, value.as_deref(), set.local)?;
        done("SET")
    }

    fn set_transaction_setting(&mut self, name: &str, value: Option<&str>) -> Result<Response> {
        let mut modes = TransactionModes::default();
        let on = || {
            value
                .and_then(settings::parse_bool)
                .ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "parameter \"{name}\" requires a Boolean value"))
        };
        match name {
            "transaction_isolation" => {
                let value = value.unwrap_or("read committed").to_ascii_lowercase();
                let known = ["serializable", "repeatable read", "read committed", "read uncommitted"];
                if !known.contains(&value.as_str()) {
                    return Err(err!(
                        INVALID_PARAMETER_VALUE,
                        "invalid value for parameter \"transaction_isolation\": \"{value}\""
                    )
                    .hint(format!("Available values: {}.", known.join(", "))));
                }
                modes.isolation = Some(isolation_named(&value));
            }
            "transaction_read_only" => modes.read_only = Some(on()?),
            _ => modes.deferrable = Some(on()?),
        }
        self.apply_modes(&modes)?;
        done("SET")
    }

    fn set_role(&mut self, value: Option<&str>) -> Result<Response> {
        let mut state = self.shared.lock();
        let catalog = state.catalog.clone();
        let session = state.session_user.clone();
        let target = match value {
            None | Some("none") => session.clone(),
            Some(name) => {
                let role = catalog
                    .role(name)
                    .ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "role \"{name}\" does not exist"))?;
                let is_superuser = catalog.role(&session.1).is_some_and(|r| r.superuser);
                let may = || privilege::roles_of(&catalog, session.0, privilege::Through::Set).contains(&role.oid);
                if !is_superuser && !may() {
                    return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied to set role \"{name}\""));
                }
                (role.oid, role.name.clone())
            }
        };
        state.settings.set("role", value, false)?;
        state.current_user = target;
        drop(state);
        self.report_superuser();
        done("SET")
    }

    fn set_session_authorization(&mut self, value: Option<&str>) -> Result<Response> {
        let mut state = self.shared.lock();
        let catalog = state.catalog.clone();
        let session = match value {
            None => state.authenticated.clone(),
            Some(name) => {
                let role = catalog
                    .role(name)
                    .ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "role \"{name}\" does not exist"))?;
                let is_superuser = privilege::is_superuser(&catalog, state.authenticated.0);
                if !is_superuser && role.oid != state.authenticated.0 {
                    return Err(err!(
                        INSUFFICIENT_PRIVILEGE,
                        "permission denied to set session authorization \"{name}\""
                    ));
                }
                (role.oid, role.name.clone())
            }
        };
        let before = std::mem::replace(&mut state.session_user, session.clone());
        state.session_user_before.get_or_insert(before);
        state.settings.set_internal("session_authorization", &session.1);
        state.current_user = session;
        state.settings.set("role", None, false)?;
        drop(state);
        self.report_superuser();
        done("SET")
    }

    fn report_superuser(&self) {
        let mut state = self.shared.lock();
        let name = state.current_user.1.clone();
        let on = state.catalog.role(&name).is_some_and(|r| r.superuser);
        state.settings.set_internal("is_superuser", if on { "on" } else { "off" });
    }

    /// After a rollback the role in force is again the one that the settings say.
    pub(super) fn refresh_roles(&self, committed: bool) {
        let mut state = self.shared.lock();
        let before = state.session_user_before.take();
        if committed {
            return;
        }
        if let Some(before) = before {
            state.settings.set_internal("session_authorization", &before.1);
            state.session_user = before;
        }
        let role = state.settings.get("role").unwrap_or_default();
        let user = match role.as_str() {
            "none" | "" => Some(state.session_user.clone()),
            name => state.catalog.role(name).map(|r| (r.oid, r.name.clone())),
        };
        if let Some(user) = user {
            state.current_user = user;
        }
    }

    fn show(&self, prepared: &Prepared, name: Option<&str>) -> Result<Response> {
        let columns = prepared.columns.clone().ok_or_else(|| Error::internal("SHOW has a column"))?;
        let state = self.shared.lock();
        let rows = match name {
            Some(name) => {
                let value = state
                    .setting(name)
                    .ok_or_else(|| err!(UNDEFINED_OBJECT, "unrecognized configuration parameter \"{name}\""))?;
                vec![vec![Datum::text(value)]]
            }
            None => {
                let row = |(name, _): (String, String)| {
                    let value = state.setting(&name).unwrap_or_default();
                    let text = settings::definition(&name).map_or("", |d| d.description);
                    vec![Datum::text(name), Datum::text(value), Datum::text(text)]
                };
                state.settings.all().into_iter().map(row).collect()
            }
        };
        drop(state);
        Ok(rows_response(columns, rows, RowsTag::Fixed("SHOW".to_string())))
    }

    fn reset(&mut self, name: Option<&str>) -> Result<Response> {
        match name {
            None => self.shared.lock().settings.reset_all()?,
            Some("role") => return self.set_role(None).and_then(|_| done("RESET")),
            Some("session_authorization") => {
                return self.set_session_authorization(None).and_then(|_| done("RESET"));
            }
            Some(name @ ("transaction_isolation" | "transaction_read_only" | "transaction_deferrable")) => {
                return Err(err!(CANT_CHANGE_RUNTIME_PARAM, "parameter \"{name}\" cannot be reset"));
            }
            Some(name) => self.shared.lock().settings.set(name, None, false)?,
        }
        done("RESET")
    }

    fn discard(&mut self, what: Discard) -> Result<Response> {
        match what {
            Discard::All => {
                if !self.is_alone() {
                    return Err(err!(ACTIVE_SQL_TRANSACTION, "DISCARD ALL cannot run inside a transaction block"));
                }
                self.cursors.close_all();
                self.statements.clear();
                self.listens(Listen::RemoveAll);
                self.set_role(None)?;
                self.shared.lock().settings.reset_all()?;
                self.forget_plans();
                self.shared.server.advisory.give_all(self.shared.pid);
                self.shared.lock().advisory.clear();
                self.shared.lock().forget_sequences();
                self.drop_temporary()?;
                done("DISCARD ALL")
            }
            Discard::Plans => {
                self.forget_plans();
                done("DISCARD PLANS")
            }
            Discard::Sequences => {
                self.shared.lock().forget_sequences();
                done("DISCARD SEQUENCES")
            }
            Discard::Temp => {
                self.drop_temporary()?;
                done("DISCARD TEMP")
            }
        }
    }

    fn drop_temporary(&mut self) -> Result<()> {
        let context = self.statement_context(Arc::from([]))?;
        let shared = self.shared.clone();
        let transaction =
            self.transaction.as_mut().ok_or_else(|| Error::internal("a statement runs in a transaction"))?;
        let (view, eval) = (context.view.clone(), context.eval.clone());
        Ddl { shared: &shared, transaction, view, eval, text: "", temporary: true, recursing: false }.drop_temporary();
        Ok(())
    }

    // ---- PREPARE and EXECUTE ----

    fn prepare_named(&mut self, prepare: &crate::sql::statement::Prepare, part: &SqlPart) -> Result<Response> {
        let name = ident(&prepare.name);
        let eval = self.statement_eval();
        let mut given = Vec::new();
        for data_type in &prepare.types {
            let typ = bind_type(data_type, &eval, &part.text)?;
            given.push((typ.oid != Type::UNKNOWN.oid).then_some(typ.oid));
        }
        let parsed = Parsed { statement: prepare.statement.clone(), start: part.parsed.start, end: part.parsed.end };
        let inner = SqlPart { text: part.text.clone(), parsed: Arc::new(parsed) };
        // Not through the plan cache: the same place in the text is the PREPARE itself.
        let given: Vec<Option<Type>> = given.into_iter().map(|o| o.map(Type::new)).collect();
        let prepared = if is_query(&prepare.statement) {
            let context = self.statement_context(Arc::from([]))?;
            let path = self.shared.lock().search_path(self.shared.database);
            let bound = bind(&prepare.statement, &part.text, &given, &context.eval, path)?;
            let (params, columns) = (bound.query.params.clone(), bound.columns.clone());
            Prepared::new(inner, params, columns, Some(bound))
        } else {
            return Err(err!(SYNTAX_ERROR, "utility statements cannot be prepared"));
        };
        self.statements.save_sql(&name, Arc::new(prepared), PREPARED_BYTES_MAX)?;
        done("PREPARE")
    }

    fn arguments(
        &mut self,
        name: &str,
        named: &Prepared,
        args: &[crate::sql::statement::ast::Expr],
        text: &str,
    ) -> Result<Vec<Datum>> {
        if args.len() != named.params.len() {
            return Err(err!(SYNTAX_ERROR, "wrong number of parameters for prepared statement \"{}\"", name)
                .detail(format!("Expected {} parameters but got {}.", named.params.len(), args.len())));
        }
        let eval = self.statement_eval();
        args.iter()
            .zip(&named.params)
            .map(|(arg, typ)| {
                let bound = bind_constant(arg, Some(*typ), &eval, text)?;
                crate::sql::eval::constant(&bound, &[], &eval)
            })
            .collect()
    }

    // ---- EXPLAIN, maintenance, locks ----

    async fn explain(
        &mut self,
        prepared: &Arc<Prepared>,
        explain: &crate::sql::statement::Explain,
        params: &Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Response> {
        explain::check_options(explain)?;
        let columns = explain_columns(explain);
        let inner = match &explain.statement {
            Statement::CreateTableAs(create) => &create.source,
            Statement::Declare(declare) => &declare.query,
            Statement::Execute(execute) => {
                let named = self.statement_named(&ident(&execute.name))?;
                let values = self.arguments(&ident(&execute.name), &named, &execute.args, &prepared.part.text)?;
                let statement = named.part.statement().clone();
                let bound = self.bind_inner(&statement, &named, &values.clone().into())?;
                let lines = self.explain_bound(explain, &bound, &values.into(), deadline).await?;
                return Ok(lines_response(columns, lines));
            }
            statement => statement,
        };
        if !is_query(inner) {
            return Err(Error::unsupported("EXPLAIN of a utility statement"));
        }
        let bound = self.bind_inner(inner, prepared, params)?;
        let lines = self.explain_bound(explain, &bound, params, deadline).await?;
        Ok(lines_response(columns, lines))
    }

    async fn explain_bound(
        &mut self,
        explain: &crate::sql::statement::Explain,
        bound: &Arc<Bound>,
        params: &Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Vec<String>> {
        bound.check()?;
        let started = std::time::Instant::now();
        let context = self.statement_context(params.clone())?;
        let mut query = (*bound.query).clone();
        super::lower::bind_params(&mut query.plan, params);
        let mut shown = explain::plan_lines(&context, &query, explain);
        let planning = started.elapsed();
        if explain.analyze {
            let started = std::time::Instant::now();
            let response = self.run_bound(bound, context, deadline).await?;
            let mut rows = 0u64;
            if let Response::Rows { mut stream, .. } = response {
                while let Some(batch) = stream.next().await {
                    rows += batch?.len() as u64;
                }
            }
            self.take_notify();
            explain::add_actual(&mut shown, explain, rows, started.elapsed(), planning);
        }
        Ok(super::explain_format::rendered(shown, explain.format))
    }

    fn vacuum(&mut self, vacuum: &Vacuum) -> Result<Response> {
        let tag = if vacuum.vacuum { "VACUUM" } else { "ANALYZE" };
        if vacuum.vacuum && !self.is_alone() {
            return Err(err!(ACTIVE_SQL_TRANSACTION, "VACUUM cannot run inside a transaction block"));
        }
        // Space is reclaimed and statistics are kept by storage itself; what is named must exist.
        let context = self.statement_context(Arc::from([]))?;
        for (name, columns) in &vacuum.tables {
            match crate::sql::binder::relation_by_name(name, &context.eval)? {
                crate::sql::binder::Relation::Entry(entry) => {
                    if let Entry::Table(table) = &*entry {
                        crate::sql::binder::table::bind_columns(columns, table, "")?;
                    }
                }
                crate::sql::binder::Relation::System(_) => {}
            }
        }
        done(tag)
    }

    fn lock_tables(&mut self, lock: &crate::sql::statement::Lock) -> Result<Response> {
        if self.is_alone() {
            return Err(err!(NO_ACTIVE_SQL_TRANSACTION, "LOCK TABLE can only be used in transaction blocks"));
        }
        let context = self.statement_context(Arc::from([]))?;
        for (name, _) in &lock.tables {
            crate::sql::binder::relation_by_name(name, &context.eval)?;
        }
        // Reading takes no locks: a snapshot never waits. Locks that others would have to wait for do not exist.
        match lock.mode.as_str() {
            "access share" => done("LOCK TABLE"),
            mode => Err(Error::unsupported(format!("LOCK TABLE in {mode} mode"))),
        }
    }

    async fn create_table_as(
        &mut self,
        prepared: &Arc<Prepared>,
        create: &crate::sql::statement::CreateTableAs,
        params: &Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Response> {
        self.refuse_ddl(&Statement::CreateTableAs(Box::new(create.clone())))?;
        if !create.options.is_empty() || create.access_method.is_some() || create.tablespace.is_some() {
            return Err(Error::unsupported("options of CREATE TABLE AS"));
        }
        let bound = self.bind_inner(&create.source, prepared, params)?;
        let context = self.statement_context(params.clone())?;
        let view = context.view.clone();
        let eval = context.eval.clone();
        let columns = bound.columns.clone().unwrap_or_else(|| Arc::from([]));
        let shared = self.shared.clone();
        let Some(transaction) = self.transaction.as_mut() else {
            return Err(Error::internal("a statement runs in a transaction"));
        };
        let mut ddl = Ddl {
            shared: &shared,
            transaction,
            view,
            eval,
            text: &prepared.part.text,
            temporary: false,
            recursing: false,
        };
        let tag = if create.materialized_view { "CREATE MATERIALIZED VIEW" } else { "CREATE TABLE AS" };
        let Some(table) = ddl.create_table_for(create, &columns)? else { return done(tag) };
        if !create.with_data {
            return done(tag);
        }
        let response = self.run_bound(&bound, context, deadline).await?;
        let count = self.fill(&table, 0, response).await?;
        Ok(Response::Command(format!("SELECT {count}")))
    }
}

fn lines_response(columns: Arc<[OutputColumn]>, lines: Vec<String>) -> Response {
    let is_json = columns.first().is_some_and(|column| column.typ == Type::JSON);
    let value = |line: String| if is_json { Datum::Json(line.into()) } else { Datum::text(line) };
    let rows = lines.into_iter().map(|line| vec![value(line)]).collect();
    rows_response(columns, rows, RowsTag::Fixed("EXPLAIN".to_string()))
}

fn done(tag: &str) -> Result<Response> {
    Ok(Response::Command(tag.to_string()))
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn isolation_name(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Serializable => "serializable",
        Isolation::RepeatableRead => "repeatable read",
        Isolation::ReadCommitted => "read committed",
        Isolation::ReadUncommitted => "read uncommitted",
    }
}

/// Gives sessions of a database that is to be dropped some seconds to end, as PostgreSQL does: a client that has
/// just disconnected is not gone at once.
async fn wait_for_sessions(shared: Arc<Shared>, drop: &Drop) -> Result<()> {
    let name = drop.names.first().and_then(|n| n.0.last()).and_then(|part| part.as_ident()).map(ident);
    let server = &shared.server;
    let catalog = server.engine.catalog();
    let Some(database) = name.and_then(|name| catalog.database(&name)) else { return Ok(()) };
    for _ in 0..SESSION_CHECKS {
        if database.oid == shared.database || server.sessions_in(database.oid) == 0 {
            break;
        }
        shared.cancel.check()?;
        tokio::time::sleep(SESSION_CHECK_INTERVAL).await;
    }
    Ok(())
}

/// EXPLAIN's answer: a column of text, or of json with FORMAT JSON.
fn explain_columns(explain: &crate::sql::statement::Explain) -> Arc<[OutputColumn]> {
    let mut column = text_column("QUERY PLAN");
    if explain.format == crate::sql::statement::ExplainFormat::Json {
        column.typ = Type::JSON;
    }
    Arc::from([column])
}
