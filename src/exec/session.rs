//! [`Session`]: one client's state, and the only way to run a statement.

use std::sync::Arc;

use crate::document::{Datum, Oid, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

use super::server::Cancel;
use super::statements::Statements;
use super::{Notice, Notification, OutputColumn, Response, RowSink, Server, TransactionStatus};

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

/// One statement of a query text.
#[derive(Clone, Debug)]
pub struct SqlPart {
    /// The whole text.
    pub(crate) text: Arc<str>,
}

/// A statement that is parsed, bound and planned; planned again by itself when the catalog changes.
pub struct Prepared {
    params: Vec<Type>,
    columns: Option<Arc<[OutputColumn]>>,
}

impl Prepared {
    /// The types of the parameters.
    pub fn params(&self) -> &[Type] {
        &self.params
    }

    /// The result columns; `None` when the statement gives no rows.
    pub fn columns(&self) -> Option<&Arc<[OutputColumn]>> {
        self.columns.as_ref()
    }

    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT...: runs outside an implicit block, and in a failed one.
    pub fn is_transaction_control(&self) -> bool {
        false
    }

    /// An empty statement.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// One client's state.
pub struct Session {
    server: Arc<Server>,
    pub(crate) statements: Statements,
}

impl Session {
    /// Connects an authenticated user to a database.
    pub fn connect(server: Arc<Server>, options: ConnectOptions) -> Result<Self> {
        let _ = options;
        Ok(Self { server, statements: Statements::default() })
    }

    /// The server.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The backend process id (for BackendKeyData).
    pub fn pid(&self) -> i32 {
        0
    }

    /// Splits a query text into statements. An empty text has none.
    pub fn parse(&mut self, text: &str) -> Result<Vec<SqlPart>> {
        let _ = text;
        Err(Error::internal("not ready"))
    }

    /// Binds and plans one statement. `param_types`: what the client said of each parameter (`None`: unspecified).
    pub fn prepare(&mut self, part: &SqlPart, param_types: &[Option<Oid>]) -> Result<Arc<Prepared>> {
        let _ = (part, param_types);
        Err(Error::internal("not ready"))
    }

    /// Runs a statement.
    pub async fn execute(&mut self, prepared: &Arc<Prepared>, params: Vec<Datum>) -> Result<Response> {
        let _ = (prepared, params);
        Err(Error::internal("not ready"))
    }

    /// The fast path: runs a statement at once if it reads by key (or writes by key inside a transaction block) and gives
    /// its rows to the sink; `None`: take [`Session::execute`]. The text is the command tag.
    pub fn execute_point(
        &mut self,
        prepared: &Arc<Prepared>,
        params: &[Datum],
        sink: &mut dyn RowSink,
    ) -> Option<Result<String>> {
        let _ = (prepared, params, sink);
        None
    }

    /// Ends a COPY FROM: hands the sink back with whether the client finished it, and answers the tag.
    pub async fn finish_copy(&mut self, copy: super::CopyIn) -> Result<String> {
        Ok(format!("COPY {}", copy.finish().await?))
    }

    /// Tells the session that a statement failed outside of it (while its rows were streamed or encoded, in COPY, on a
    /// protocol error): a transaction block becomes a failed one.
    pub fn fail(&mut self) {}

    /// Begins the implicit transaction of a query with several statements, or of a pipeline of Executes until Sync.
    pub fn begin_implicit(&mut self) {}

    /// Ends it: commits when `ok`, else rolls back. Does nothing when there is none (an explicit block may have taken over).
    pub async fn finish_implicit(&mut self, ok: bool) -> Result<()> {
        let _ = ok;
        Ok(())
    }

    /// For ReadyForQuery.
    pub fn transaction_status(&self) -> TransactionStatus {
        TransactionStatus::Idle
    }

    /// Notices of the last statement, to be sent before its completion.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// Settings to report (ParameterStatus) that changed since the last call; all of them on the first.
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Waits for the next notification; use it while idle. Delivered only outside a transaction block.
    pub async fn next_notification(&mut self) -> Notification {
        std::future::pending().await
    }

    /// The next notification if one is there already.
    pub fn try_notification(&mut self) -> Option<Notification> {
        None
    }

    /// To stop the running statement, and to wait for such a request.
    pub fn cancel_handle(&self) -> Arc<Cancel> {
        Arc::new(Cancel::default())
    }

    /// Time zone, formats and the session, as value encoders need them.
    pub fn eval_context(&self) -> EvalContext {
        EvalContext::detached(self.server.engine.catalog())
    }

    /// A setting's value, as SHOW says it.
    pub fn setting(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// A time limit that is set (`statement_timeout`, `idle_session_timeout`, ...); `None` when it is 0.
    pub fn timeout(&self, name: &str) -> Option<std::time::Duration> {
        let _ = name;
        None
    }

    /// The named prepared statements.
    pub fn statements(&self) -> &Statements {
        &self.statements
    }

    /// The named prepared statements, to save and remove.
    pub fn statements_mut(&mut self) -> &mut Statements {
        &mut self.statements
    }

    /// Rolls back what is open and forgets the session. Also happens on drop.
    pub fn close(self) {}
}
