//! [`Session`]: one client's state, and the only way to run a statement.
//!
//! A statement outside a block is a transaction by itself: it runs on a fresh snapshot, its writes become one command,
//! and when that loses a conflict it runs again. In a block the buffer is kept until COMMIT.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::context::EvalContext;
use crate::sql::parser;
use crate::sql::plan::Verb;
use crate::sql::statement::{FetchDirection, Isolation, Statement};
use crate::storage::catalog::{Catalog, is_temporary};
use crate::storage::changes::{Event, Subscription};
use crate::storage::command::{CommandId, Outcome};

use super::aside::{aside, rows_aside};
use super::buffer::Buffer;
use super::context::Context;
use super::cursor::{Cursors, Origin};
use super::deadline::Deadline;
use super::host::{OwnObjects, Shared, now};
use super::prepared::{Bound, bind, is_query};
use super::server::Cancel;
use super::settings::Settings;
use super::source;
use super::temporary::Temporary;
use super::transaction::{Block, Listen, Transaction};
use super::view::ReadView;
use super::{
    Batch, Notice, Notification, OutputColumn, Prepared, Response, RowSink, RowStream, RowsTag, Server, SqlPart,
    Statements, TransactionStatus,
};

/// How often a statement by itself is run again after a lost conflict.
const RETRIES_MAX: u32 = 200;
/// Texts and plans kept by a session.
const CACHE_MAX: usize = 256;
/// Longer texts are not kept.
const CACHED_TEXT_MAX: usize = 16 << 10;
/// Notifications kept for a client that does not read.
const INBOX_MAX: usize = 100_000;

/// What a client says when it connects, after authentication.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The authenticated role.
    pub user: String,
    /// The database.
    pub database: String,
    /// Settings of the start-up packet and of its `options` (`-c name=value`), application_name among them.
    pub settings: Vec<(String, String)>,
    /// The client's address, for pg_stat_activity.
    pub client_address: Option<String>,
    /// The secret of a CancelRequest.
    pub cancel_secret: Vec<u8>,
}

/// The plan cache's key: text, place in it, types said by the client.
type PlanKey = (Arc<str>, usize, Vec<Option<Oid>>);

/// One client's state.
pub struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) transaction: Option<Transaction>,
    /// SQL PREPARE.
    pub(super) statements: Statements,
    pub(super) cursors: Cursors,
    temporary: Temporary,
    /// How many procedures are running inside of each other.
    pub(super) calls: usize,
    texts: HashMap<Arc<str>, Arc<[SqlPart]>>,
    plans: HashMap<PlanKey, Arc<Prepared>>,
    listener: Option<Subscription>,
    /// now() and formats as of the settings' generation.
    eval: Option<(u64, EvalContext)>,
    command_ids: (u64, u64),
    /// pg_stat_activity says that a statement runs.
    is_active: bool,
}

impl Session {
    /// Connects an authenticated user to a database.
    pub fn connect(server: Arc<Server>, options: ConnectOptions) -> Result<Self> {
        let catalog = server.engine.catalog();
        let role = catalog
            .role(&options.user)
            .ok_or_else(|| err!(INVALID_AUTHORIZATION_SPECIFICATION, "role \"{}\" does not exist", options.user))?;
        if !role.login {
            let text = format!("role \"{}\" is not permitted to log in", role.name);
            return Err(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, text));
        }
        let database = catalog
            .database(&options.database)
            .ok_or_else(|| err!(INVALID_CATALOG_NAME, "database \"{}\" does not exist", options.database))?;
        let mut settings = Settings::new(&server.config.settings)?;
        settings.set_internal("is_superuser", if role.superuser { "on" } else { "off" });
        settings.set_internal("session_authorization", &role.name);
        for (name, value) in &options.settings {
            settings.set_default(name, value)?;
        }
        let cancel = Arc::new(Cancel::default());
        let pid = server.register(options.cancel_secret, cancel.clone());
        let shared = Arc::new(Shared::new(
            server.clone(),
            pid,
            (database.oid, database.name.clone()),
            (role.oid, role.name.clone()),
            settings,
            cancel,
            catalog.clone(),
            options.client_address,
        ));
        server.attach(pid, &shared);
        Ok(Self {
            shared,
            transaction: None,
            statements: Statements::default(),
            cursors: Cursors::default(),
            temporary: Temporary::default(),
            calls: 0,
            texts: HashMap::new(),
            plans: HashMap::new(),
            listener: None,
            eval: None,
            command_ids: (rand::random(), 0),
            is_active: false,
        })
    }

    /// The server.
    pub fn server(&self) -> &Arc<Server> {
        &self.shared.server
    }

    /// The backend process id (for BackendKeyData).
    pub fn pid(&self) -> i32 {
        self.shared.pid
    }

    /// Splits a query text into statements. An empty text has none.
    pub fn parse(&mut self, text: &str) -> Result<Vec<SqlPart>> {
        if let Some(parts) = self.texts.get(text) {
            return Ok(parts.to_vec());
        }
        let whole: Arc<str> = text.into();
        let parts: Arc<[SqlPart]> = parser::parse(text)?
            .into_iter()
            .map(|parsed| SqlPart { text: whole.clone(), parsed: Arc::new(parsed) })
            .collect();
        if text.len() <= CACHED_TEXT_MAX {
            if self.texts.len() >= CACHE_MAX {
                self.texts.clear();
            }
            self.texts.insert(whole, parts.clone());
        }
        Ok(parts.to_vec())
    }

    /// Binds and plans one statement. `param_types`: what the client said of each parameter (`None`: unspecified).
    pub fn prepare(&mut self, part: &SqlPart, param_types: &[Option<Oid>]) -> Result<Arc<Prepared>> {
        self.shared.cancel.set_deadline(None);
        let result = self.prepare_inner(part, param_types);
        if result.is_err() {
            self.fail();
        }
        result
    }

    fn prepare_inner(&mut self, part: &SqlPart, param_types: &[Option<Oid>]) -> Result<Arc<Prepared>> {
        if self.is_failed() && !part.ends_failure() {
            return Err(failed_transaction());
        }
        let key: PlanKey = (part.text.clone(), part.parsed.start, param_types.to_vec());
        let (_, catalog) = self.peek();
        let path = {
            let mut state = self.shared.lock();
            if !Arc::ptr_eq(&state.catalog, &catalog) {
                state.catalog = catalog.clone();
            }
            state.search_path(self.shared.database)
        };
        // A plan that is out of date is made anew: what it gives may have changed.
        if let Some(prepared) = self.plans.get(&key).filter(|p| p.current(&catalog, &path).is_some()) {
            return Ok(prepared.clone());
        }
        let eval = self.statement_eval();
        let given: Vec<Option<Type>> = param_types.iter().map(|t| t.filter(|o| *o != 0).map(Type::new)).collect();
        let statement = part.statement();
        let prepared = if is_query(statement) {
            let bound = bind(statement, &part.text, &given, &eval, path)?;
            let (params, columns) = (bound.query.params.clone(), bound.columns.clone());
            Prepared::new(part.clone(), params, columns, Some(bound))
        } else {
            let (params, columns) = self.describe_utility(statement, part, &given, &eval)?;
            Prepared::new(part.clone(), params, columns, None)
        };
        let prepared = Arc::new(prepared);
        // Utilities may mean something else next time (FETCH of another cursor by the same name).
        if is_query(statement) && part.text.len() <= CACHED_TEXT_MAX {
            if self.plans.len() >= CACHE_MAX {
                self.plans.clear();
            }
            self.plans.insert(key, prepared.clone());
        }
        Ok(prepared)
    }

    /// Runs a statement.
    pub async fn execute(&mut self, prepared: &Arc<Prepared>, params: Vec<Datum>) -> Result<Response> {
        self.shared.cancel.clear();
        self.activity(prepared.part.text(), "active");
        let result = self.execute_inner(prepared, params).await;
        if result.is_err() {
            self.fail();
        }
        // A statement whose rows are yet to be made is not done: see `Session::idle`.
        if matches!(result, Err(_) | Ok(Response::Command(_) | Response::Empty)) {
            self.idle();
        }
        result
    }

    async fn execute_inner(&mut self, prepared: &Arc<Prepared>, params: Vec<Datum>) -> Result<Response> {
        self.shared.cancel.check()?;
        if self.is_failed() && !prepared.part.ends_failure() {
            return Err(failed_transaction());
        }
        let params: Arc<[Datum]> = params.into();
        if prepared.is_transaction_control() {
            return self.control(prepared.part.statement()).await;
        }
        let deadline = self.deadline();
        let auto = self.transaction.is_none();
        let mut attempt = 0;
        loop {
            if auto {
                self.begin(Block::Auto);
            }
            let result = self.run(prepared, &params, &deadline).await;
            if !auto {
                return result;
            }
            // A utility may have ended the transaction it was given, or begun a COPY that goes on in it.
            let Some(transaction) = self.transaction.as_ref() else { return result };
            if transaction.block != Block::Auto || matches!(result, Ok(Response::CopyIn(_))) {
                return result;
            }
            let response = match result {
                Ok(response) => response,
                Err(error) => {
                    self.rollback();
                    return Err(error);
                }
            };
            match self.commit().await {
                Ok(()) => return Ok(response),
                Err(error) if attempt < RETRIES_MAX && is_lost(&error, prepared) => {
                    attempt += 1;
                    self.shared.lock().notices.clear();
                    deadline.check(&self.shared.cancel)?;
                    // Others are ahead: give them the processor before trying again.
                    tokio::task::yield_now().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The fast path: runs a statement at once if it reads by key (or writes by key inside a transaction block) and gives
    /// its rows to the sink; `None`: take [`Session::execute`]. The text is the command tag.
    pub fn execute_point(
        &mut self,
        prepared: &Arc<Prepared>,
        params: &[Datum],
        sink: &mut dyn RowSink,
    ) -> Option<Result<String>> {
        if self.is_failed() || self.transaction.as_ref().is_some_and(|t| t.block == Block::Auto) {
            return None;
        }
        // Others (SET TRANSACTION among them) must not take the transaction's snapshot.
        if !super::prepared::is_query(prepared.part.statement()) {
            return None;
        }
        let (snapshot, catalog) = match &mut self.transaction {
            Some(transaction) => {
                let engine = &self.shared.server.engine;
                let snapshot = transaction.snapshot(|| engine.snapshot());
                let catalog = transaction.catalog(|| self.temporary.over(snapshot.catalog()));
                (snapshot, catalog)
            }
            None => {
                let snapshot = self.shared.server.engine.snapshot();
                let catalog = self.temporary.over(snapshot.catalog());
                (snapshot, catalog)
            }
        };
        let user;
        let bound = {
            let mut state = self.shared.lock();
            if !Arc::ptr_eq(&state.catalog, &catalog) {
                state.catalog = catalog.clone();
            }
            let path = state.search_path(self.shared.database);
            user = state.current_user.0;
            drop(state);
            prepared.current(&catalog, &path)?
        };
        let point = bound.point.as_ref()?;
        if bound.has_effects || (self.transaction.is_none() && !point.is_read()) {
            return None;
        }
        self.shared.cancel.clear();
        let result = match bound.authorize(user) {
            Ok(()) => self.run_point(&bound, snapshot, catalog, params.into(), sink),
            Err(error) => Err(error),
        };
        match result {
            Ok(None) => None,
            Ok(Some(tag)) => Some(Ok(tag)),
            Err(error) => {
                self.fail();
                Some(Err(error))
            }
        }
    }

    fn run_point(
        &mut self,
        bound: &Bound,
        snapshot: crate::storage::Snapshot,
        catalog: Arc<Catalog>,
        params: Arc<[Datum]>,
        sink: &mut dyn RowSink,
    ) -> Result<Option<String>> {
        let Some(point) = &bound.point else { return Ok(None) };
        if !point.is_read() && writes_permanent(bound) {
            self.refuse_read_only(bound.query.verb)?;
        }
        let eval = self.statement_eval();
        let (buffer, shared_buffer) = match &self.transaction {
            Some(t) => (share(t), t.shared_buffer()),
            None => (self.temporary.shared_rows(), self.shared.server.empty_buffer()),
        };
        let view = ReadView { snapshot, buffer, catalog };
        let context = Context::new(self.shared.clone(), eval, view, shared_buffer, false, params);
        let done = point.run(&context, &mut |row| sink.row(row))?;
        Ok(done.map(|done| tag(bound.query.verb, done.count)))
    }

    /// Runs a statement inside the current transaction.
    async fn run(&mut self, prepared: &Arc<Prepared>, params: &Arc<[Datum]>, deadline: &Deadline) -> Result<Response> {
        let statement = prepared.part.statement();
        if !is_query(statement) {
            return self.utility(prepared, statement, params, deadline).await;
        }
        let context = self.statement_context(params.clone())?;
        let path = self.shared.lock().search_path(self.shared.database);
        let bound = prepared.bound(&context.eval, &context.view.catalog, &path)?;
        let response = self.run_bound(&bound, context, deadline).await?;
        self.take_notify();
        Ok(response)
    }

    /// Runs a bound query with the result as a response.
    pub(super) async fn run_bound(
        &mut self,
        bound: &Arc<Bound>,
        context: Context,
        deadline: &Deadline,
    ) -> Result<Response> {
        bound.check()?;
        if bound.asks_session {
            let own = OwnObjects {
                cursors: self.cursors.describe(),
                statements: self.statements.describe(),
                places: self.cursors.places(),
            };
            self.shared.lock().own = own;
        }
        let verb = bound.query.verb;
        let writes = verb != Verb::Select || contains_modify(bound);
        if writes && writes_permanent(bound) {
            self.refuse_read_only(verb)?;
        }
        let user = self.shared.lock().current_user.0;
        bound.authorize(user)?;
        let context = Arc::new(context);
        if bound.has_effects {
            self.shared.lock().statement = Arc::downgrade(&context);
        }
        if let Some(point) = &bound.point {
            let mut rows = Vec::new();
            let done = point.run(&context, &mut |row| {
                rows.push(std::mem::take(row));
                Ok(())
            })?;
            if let Some(done) = done {
                return Ok(match &bound.columns {
                    None => Response::Command(tag(verb, done.count)),
                    Some(columns) => rows_response(columns.clone(), rows, rows_tag(verb, done.count)),
                });
            }
        }
        if verb != Verb::Select {
            let cancel = self.shared.cancel.clone();
            let (count, rows) = aside(deadline.guard(&cancel, source::modify(&context, &bound.query))).await?;
            return Ok(match &bound.columns {
                None => Response::Command(tag(verb, count)),
                Some(columns) => rows_response(columns.clone(), rows, rows_tag(verb, count)),
            });
        }
        let columns = bound.columns.clone().unwrap_or_else(|| Arc::from([]));
        let cancel = self.shared.cancel.clone();
        let rows = aside(deadline.guard(&cancel, source::query(&context, &bound.query))).await?;
        let rows = rows_aside(guarded(rows, self.shared.clone(), deadline.clone()));
        if bound.has_effects || writes {
            let batches: Vec<Batch> = collect(rows).await?;
            super::integrity::settle(&context)?;
            let stream = stream::iter(batches.into_iter().map(Ok)).boxed();
            return Ok(Response::Rows { columns, stream, tag: RowsTag::Counted("SELECT") });
        }
        Ok(Response::Rows { columns, stream: rows, tag: RowsTag::Counted("SELECT") })
    }

    /// Ends a COPY FROM: hands the sink back with whether the client finished it, and answers the tag.
    pub async fn finish_copy(&mut self, copy: super::CopyIn) -> Result<String> {
        let result = copy.finish(self).await;
        let is_auto = self.transaction.as_ref().is_some_and(|t| t.block == Block::Auto);
        match result {
            Ok(rows) => {
                if is_auto {
                    self.commit().await?;
                }
                Ok(format!("COPY {rows}"))
            }
            Err(error) => {
                self.fail();
                Err(error)
            }
        }
    }

    /// Tells the session that a statement failed outside of it (while its rows were streamed or encoded, in COPY, on a
    /// protocol error): a transaction block becomes a failed one.
    pub fn fail(&mut self) {
        match &mut self.transaction {
            Some(transaction) if transaction.block == Block::Auto => self.rollback(),
            Some(transaction) => transaction.failed = true,
            None => {}
        }
    }

    /// Begins the implicit transaction of a query with several statements, or of a pipeline of Executes until Sync.
    pub fn begin_implicit(&mut self) {
        if self.transaction.is_none() {
            self.begin(Block::Implicit);
        }
    }

    /// Ends it: commits when `ok`, else rolls back. Does nothing when there is none (an explicit block may have taken over).
    pub async fn finish_implicit(&mut self, ok: bool) -> Result<()> {
        match &self.transaction {
            Some(t) if t.block == Block::Implicit => {
                if ok && !t.failed {
                    self.commit().await
                } else {
                    self.rollback();
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// For ReadyForQuery.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.transaction {
            Some(t) if t.block == Block::Explicit && t.failed => TransactionStatus::Failed,
            Some(t) if t.block == Block::Explicit => TransactionStatus::InTransaction,
            _ => TransactionStatus::Idle,
        }
    }

    /// Notices of the last statement, to be sent before its completion.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.shared.lock().notices)
    }

    /// Settings to report (ParameterStatus) that changed since the last call; all of them on the first.
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        self.shared.lock().settings.take_changes()
    }

    /// Waits for the next notification; use it while idle. Delivered only outside a transaction block.
    pub async fn next_notification(&mut self) -> Notification {
        loop {
            if let Some(notification) = self.try_notification() {
                return notification;
            }
            let event = match &mut self.listener {
                Some(listener) if self.transaction.is_none() => listener.recv().await,
                _ => std::future::pending().await,
            };
            match event {
                Some(event) => self.receive(event),
                None => std::future::pending().await,
            }
        }
    }

    /// The next notification if one is there already.
    pub fn try_notification(&mut self) -> Option<Notification> {
        if self.transaction.is_some() {
            return None;
        }
        while let Some(event) = self.listener.as_mut().and_then(Subscription::try_recv) {
            self.receive(event);
        }
        self.shared.lock().inbox.pop_front()
    }

    fn receive(&self, event: Event) {
        let Event::Change(change) = event else { return };
        if change.database != self.shared.database {
            return;
        }
        let mut state = self.shared.lock();
        for n in &change.notifications {
            if state.listening.contains(&n.channel) && state.inbox.len() < INBOX_MAX {
                let notification = Notification { channel: n.channel.clone(), payload: n.payload.clone(), pid: n.pid };
                state.inbox.push_back(notification);
            }
        }
    }

    /// To stop the running statement, and to wait for such a request.
    pub fn cancel_handle(&self) -> Arc<Cancel> {
        self.shared.cancel.clone()
    }

    /// Time zone, formats and the session, as value encoders need them.
    pub fn eval_context(&self) -> EvalContext {
        let time = self.transaction.as_ref().map_or_else(now, |t| t.time);
        EvalContext {
            transaction_time: time,
            statement_time: time,
            format: self.shared.lock().settings.format(),
            host: self.shared.clone(),
        }
    }

    /// A setting's value, as SHOW says it.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.shared.lock().setting(name)
    }

    /// A time limit that is set (`statement_timeout`, `idle_session_timeout`, ...); `None` when it is 0.
    pub fn timeout(&self, name: &str) -> Option<Duration> {
        self.shared.lock().settings.timeout(name)
    }

    /// The named prepared statements.
    pub fn statements(&self) -> &Statements {
        &self.statements
    }

    /// The named prepared statements, to save and remove.
    pub fn statements_mut(&mut self) -> &mut Statements {
        &mut self.statements
    }

    /// Fails when a name is taken by a cursor or a portal.
    pub fn check_cursor_name(&self, name: &str) -> Result<()> {
        self.cursors.check_free(name)
    }

    /// The columns of a cursor made by DECLARE.
    pub fn cursor_columns(&self, name: &str) -> Option<Arc<[OutputColumn]>> {
        self.cursors.get(name).map(|cursor| cursor.columns.clone())
    }

    /// The next rows of a cursor made by DECLARE, as the protocol's Execute asks for them.
    pub async fn fetch_cursor(&mut self, name: &str, rows_max: usize) -> Result<Vec<Vec<Datum>>> {
        if self.is_failed() {
            return Err(failed_transaction());
        }
        let deadline = self.deadline();
        let cancel = self.shared.cancel.clone();
        let cursor = self.cursors.get_mut(name)?;
        let rows = FetchDirection::Forward(i64::try_from(rows_max).unwrap_or(i64::MAX));
        let result = deadline.guard(&cancel, cursor.fetch(rows)).await;
        if result.is_err() {
            self.fail();
        }
        result
    }

    /// Closes a cursor made by DECLARE; what is not there is closed.
    pub fn close_cursor(&mut self, name: &str) {
        self.cursors.remove(name);
    }

    /// A named portal of the protocol has come into being: its name is taken.
    pub fn add_portal(&mut self, name: &str, statement: &str) {
        self.cursors.add_portal(name, Origin { statement: statement.into(), created: now() });
    }

    /// It is gone.
    pub fn remove_portal(&mut self, name: &str) {
        self.cursors.remove_portal(name);
    }

    /// All of them are.
    pub fn clear_portals(&mut self) {
        self.cursors.clear_portals();
    }

    /// Portals that SQL's CLOSE has closed.
    pub fn take_closed_portals(&mut self) -> Vec<String> {
        self.cursors.take_closed_portals()
    }

    /// Rolls back what is open and forgets the session. Also happens on drop.
    pub fn close(self) {}

    // ---- transactions ----

    pub(super) fn is_failed(&self) -> bool {
        self.transaction.as_ref().is_some_and(|t| t.failed)
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self, block: Block) {
        let mut state = self.shared.lock();
        let super::host::Defaults { isolation, read_only, .. } = state.defaults();
        let time = now();
        state.read_only = read_only;
        state.transaction_since = Some(time);
        drop(state);
        let buffer = Buffer::new(self.shared.server.config.memory_limit).with_temporary(self.temporary.rows());
        self.transaction = Some(Transaction::new(block, isolation, read_only, time, buffer));
    }

    /// The snapshot and catalog that a statement would get now, without counting as one.
    fn peek(&mut self) -> (crate::storage::Snapshot, Arc<Catalog>) {
        let snapshot = self.shared.server.engine.snapshot();
        let temporary = &mut self.temporary;
        let catalog = match &self.transaction {
            Some(t) => {
                let base = t.kept_snapshot().unwrap_or(&snapshot).catalog();
                t.catalog(|| temporary.over(base))
            }
            None => temporary.over(snapshot.catalog()),
        };
        (snapshot, catalog)
    }

    /// What a statement works with, on the transaction's snapshot for it.
    pub(super) fn statement_context(&mut self, params: Arc<[Datum]>) -> Result<Context> {
        let engine = self.shared.server.engine.clone();
        let transaction =
            self.transaction.as_mut().ok_or_else(|| Error::internal("a statement runs in a transaction"))?;
        let snapshot = transaction.snapshot(|| engine.snapshot());
        let catalog = transaction.catalog(|| self.temporary.over(snapshot.catalog()));
        {
            let mut state = self.shared.lock();
            if !Arc::ptr_eq(&state.catalog, &catalog) {
                state.catalog = catalog.clone();
            }
        }
        let view = ReadView { snapshot, buffer: share(transaction), catalog };
        let (buffer, is_auto) = (transaction.shared_buffer(), transaction.block == Block::Auto);
        let eval = self.statement_eval();
        Ok(Context::new(self.shared.clone(), eval, view, buffer, is_auto, params))
    }

    /// Times, formats and the host for a statement that begins now.
    pub(super) fn statement_eval(&mut self) -> EvalContext {
        let time = now();
        let generation = self.shared.lock().settings.generation();
        let mut eval = match &self.eval {
            Some((g, eval)) if *g == generation => eval.clone(),
            _ => {
                let format = self.shared.lock().settings.format();
                let eval = EvalContext { transaction_time: 0, statement_time: 0, format, host: self.shared.clone() };
                self.eval = Some((generation, eval.clone()));
                eval
            }
        };
        eval.statement_time = time;
        eval.transaction_time = self.transaction.as_ref().map_or(time, |t| match t.block {
            Block::Auto => time,
            _ => t.time,
        });
        eval
    }

    fn refuse_read_only(&self, verb: Verb) -> Result<()> {
        if self.transaction.as_ref().is_some_and(|t| t.read_only)
            || (self.transaction.is_none() && self.shared.lock().read_only)
        {
            let name = match verb {
                Verb::Select => "SELECT",
                Verb::Insert => "INSERT",
                Verb::Update => "UPDATE",
                Verb::Delete => "DELETE",
                Verb::Merge => "MERGE",
            };
            return Err(read_only(name));
        }
        Ok(())
    }

    /// NOTIFYs that functions asked for go with the transaction.
    pub(super) fn take_notify(&mut self) {
        let asked = std::mem::take(&mut self.shared.lock().notify);
        if let Some(transaction) = &mut self.transaction {
            for notification in asked {
                if !transaction.notifications.contains(&notification) {
                    transaction.notifications.push(notification);
                }
            }
        }
    }

    /// Commits the transaction and ends it, whatever comes out.
    pub(super) async fn commit(&mut self) -> Result<()> {
        self.take_notify();
        let Some(mut transaction) = self.transaction.take() else { return Ok(()) };
        let listens = std::mem::take(&mut transaction.listens);
        if transaction.failed {
            self.end(false);
            return Ok(());
        }
        self.own_sequences(&mut transaction);
        let temporary = self.temporary.after(&mut transaction);
        if self.cursors.has_new_held()
            && let Err(error) = self.cursors.hold().await
        {
            self.end(false);
            return Err(error);
        }
        if transaction.is_read_only_so_far() {
            self.listen(listens);
            self.cursors.commit();
            self.keep_temporary(temporary);
            self.end(true);
            return Ok(());
        }
        self.command_ids.1 += 1;
        let id = CommandId(u128::from(self.command_ids.0) << 64 | u128::from(self.command_ids.1));
        let principal = self.shared.lock().current_user.0;
        let command = transaction.into_command(id, principal, self.shared.database, now(), self.shared.pid);
        // Who listens hears of its own notifications as well: the place in the stream is taken before the commit.
        self.listen(listens);
        let outcome = self.shared.server.proposer.propose(command).await;
        match outcome {
            Ok(Outcome::Committed(_)) => {
                self.cursors.commit();
                self.keep_temporary(temporary);
                self.end(true);
                Ok(())
            }
            Ok(Outcome::Rejected(error)) | Err(error) => {
                self.end(false);
                Err(error)
            }
        }
    }

    /// The states of sequences that the transaction made go with it.
    fn own_sequences(&self, transaction: &mut Transaction) {
        let own: Vec<_> = self.shared.lock().own_sequences.extract_if(|oid, _| !is_temporary(*oid)).collect();
        if let Some(ddl) = &mut transaction.ddl {
            for (oid, state) in own {
                let (last_value, is_called) = (state.last_value, state.is_called);
                if ddl.catalog.get(oid).is_some() {
                    ddl.mutations.push(crate::storage::command::Mutation::Sequence { oid, last_value, is_called });
                }
            }
        }
    }

    /// The temporary objects are as the committed transaction left them.
    fn keep_temporary(&mut self, temporary: Option<Temporary>) {
        let Some(temporary) = temporary else { return };
        self.temporary.forget_all_but(&temporary, &self.shared.server.engine);
        self.temporary = temporary;
        let temporary = &self.temporary;
        self.shared.lock().own_sequences.retain(|oid, _| temporary.has(*oid));
    }

    /// Rolls back and ends the transaction.
    pub(super) fn rollback(&mut self) {
        if self.transaction.take().is_some() {
            self.end(false);
        }
    }

    fn end(&mut self, committed: bool) {
        let mut state = self.shared.lock();
        if committed {
            state.settings.commit();
        } else {
            state.settings.rollback();
        }
        state.own_sequences.retain(|oid, _| is_temporary(*oid));
        state.deferral = Arc::default();
        state.notify.clear();
        state.read_only = state.defaults().read_only;
        state.transaction_since = None;
        drop(state);
        super::advisory::give_transaction_locks(&self.shared);
        self.refresh_roles(committed);
        if !committed {
            self.cursors.rollback();
        }
    }

    fn listen(&mut self, listens: Vec<Listen>) {
        if listens.is_empty() {
            return;
        }
        let mut state = self.shared.lock();
        for listen in listens {
            match listen {
                Listen::Add(channel) if !state.listening.contains(&channel) => state.listening.push(channel),
                Listen::Add(_) => {}
                Listen::Remove(channel) => state.listening.retain(|c| *c != channel),
                Listen::RemoveAll => state.listening.clear(),
            }
        }
        if state.listening.is_empty() {
            self.listener = None;
        } else if self.listener.is_none() {
            self.listener = Some(self.shared.server.engine.subscribe());
        }
    }

    /// DISCARD PLANS.
    pub(super) fn forget_plans(&mut self) {
        self.plans.clear();
        self.texts.clear();
    }

    fn activity(&mut self, text: &str, what: &'static str) {
        let mut state = self.shared.lock();
        state.activity = text.into();
        state.activity_since = now();
        state.state = what;
        drop(state);
        self.is_active = true;
    }

    /// The client's last command is done.
    pub fn idle(&mut self) {
        if !std::mem::take(&mut self.is_active) {
            return;
        }
        let what = match &self.transaction {
            Some(t) if t.failed => "idle in transaction (aborted)",
            Some(_) => "idle in transaction",
            None => "idle",
        };
        self.shared.lock().state = what;
    }

    /// When the statement that begins now must be done.
    pub(super) fn deadline(&self) -> Deadline {
        match self.shared.lock().defaults().statement_timeout {
            None => Deadline::default(),
            Some(after) => Deadline::after(after, self.shared.cancel.clone()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.rollback();
        self.temporary.forget_all_but(&Temporary::default(), &self.shared.server.engine);
        self.shared.server.advisory.give_all(self.shared.pid);
        self.shared.server.unregister(self.shared.pid);
    }
}

/// The buffered rows as a reader takes them; `None` when there are none.
fn share(transaction: &Transaction) -> Option<Arc<HashMap<Oid, super::buffer::TableBuffer>>> {
    let buffer = transaction.buffer();
    if buffer.is_empty() { None } else { Some(buffer.share()) }
}

/// Whether it changes anything but temporary tables.
fn writes_permanent(bound: &Bound) -> bool {
    let mut found = false;
    bound.query.plan.walk(&mut |rel| {
        found |= matches!(rel, crate::sql::plan::Rel::Modify(modify) if !is_temporary(modify.table));
    });
    found
}

fn contains_modify(bound: &Bound) -> bool {
    let mut found = false;
    bound.query.plan.walk(&mut |rel| found |= matches!(rel, crate::sql::plan::Rel::Modify(_)));
    found
}

/// 25P02.
pub(super) fn failed_transaction() -> Error {
    err!(IN_FAILED_SQL_TRANSACTION, "current transaction is aborted, commands ignored until end of transaction block")
}

/// 25006.
pub(super) fn read_only(what: &str) -> Error {
    err!(READ_ONLY_SQL_TRANSACTION, "cannot execute {what} in a read-only transaction")
}

/// Whether a commit failed because somebody else was first, and the statement may be run again.
fn is_lost(error: &Error, prepared: &Prepared) -> bool {
    match error.code() {
        SqlState::SERIALIZATION_FAILURE => true,
        // The row that ON CONFLICT did not find yet is there now.
        SqlState::UNIQUE_VIOLATION => match prepared.part.statement() {
            Statement::Insert(insert) => insert.on_conflict.is_some(),
            _ => false,
        },
        _ => false,
    }
}

pub(super) fn isolation_named(name: &str) -> Isolation {
    match name {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        "read uncommitted" => Isolation::ReadUncommitted,
        _ => Isolation::ReadCommitted,
    }
}

/// The command tag.
fn tag(verb: Verb, count: u64) -> String {
    match verb {
        Verb::Select => format!("SELECT {count}"),
        Verb::Insert => format!("INSERT 0 {count}"),
        Verb::Update => format!("UPDATE {count}"),
        Verb::Delete => format!("DELETE {count}"),
        Verb::Merge => format!("MERGE {count}"),
    }
}

fn rows_tag(verb: Verb, count: u64) -> RowsTag {
    match verb {
        Verb::Select => RowsTag::Counted("SELECT"),
        _ => RowsTag::Fixed(tag(verb, count)),
    }
}

/// Rows that are all there.
pub(super) fn rows_response(columns: Arc<[OutputColumn]>, rows: Vec<Vec<Datum>>, tag: RowsTag) -> Response {
    let stream = stream::iter((!rows.is_empty()).then_some(Ok(Batch::Rows(rows)))).boxed();
    Response::Rows { columns, stream, tag }
}

/// Takes all batches.
pub(super) async fn collect(mut rows: RowStream) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    Ok(batches)
}

/// A stream that stops when the statement is cancelled or its time is up.
fn guarded(rows: RowStream, shared: Arc<Shared>, deadline: Deadline) -> RowStream {
    stream::unfold((rows, shared, deadline, false), |(mut rows, shared, deadline, done)| async move {
        if done {
            return None;
        }
        let item = tokio::select! {
            biased;
            () = shared.cancel.cancelled() => Some(Err(shared.cancel.error())),
            item = rows.next() => item,
        };
        let done = matches!(item, Some(Err(_)));
        item.map(|item| (item, (rows, shared, deadline, done)))
    })
    .boxed()
}
