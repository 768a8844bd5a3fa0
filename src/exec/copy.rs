//! COPY: [`CopyIn`] takes rows from a client, [`CopyOptions`] says how they are written. The text, csv and binary
//! encodings are the protocol's business.

use std::sync::Arc;

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::binder::table::bind_columns;
use crate::sql::binder::{Relation, relation_by_name};
use crate::sql::eval::{Compiled, compile};
use crate::sql::parser::ident;
use crate::sql::plan::{CastKind, ColumnId, Expr, Modify, ModifyKind, Rel};
use crate::sql::privilege;
use crate::sql::statement::{self, ColumnsOrAll, CopyHeader, CopySource, CopyTarget, Statement, ast};
use crate::storage::catalog::{Column, Entry, Table};

use super::context::Context;
use super::deadline::Deadline;
use super::dml::{CompiledModify, Writer, checks_of, compile_modify};
use super::kept::{bind_check, bind_default};
use super::prepared::bind;
use super::session::read_only;
use super::{OutputColumn, Prepared, Response, Session};

/// Column ids of a line's values are these and the column's number, apart from those that CHECKs use.
const SOURCE_IDS: ColumnId = 100_000;
/// And those of their flags.
const MARK_IDS: ColumnId = 200_000;

/// How COPY data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// What a COPY statement asked for, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyOptions {
    /// The format.
    pub format: CopyFormat,
    /// HEADER.
    pub header: bool,
    /// HEADER MATCH: the header must name the columns.
    pub header_match: bool,
    /// DELIMITER.
    pub delimiter: u8,
    /// NULL.
    pub null: String,
    /// QUOTE.
    pub quote: u8,
    /// ESCAPE.
    pub escape: u8,
    /// FORCE_QUOTE: columns (by position) whose values are always quoted; `None` in it means all.
    pub force_quote: Vec<bool>,
    /// FORCE_NOT_NULL, by position.
    pub force_not_null: Vec<bool>,
    /// FORCE_NULL, by position.
    pub force_null: Vec<bool>,
    /// DEFAULT: what stands for a column's default.
    pub default: Option<String>,
    /// By position, whether the column has one.
    pub has_default: Vec<bool>,
    /// ON_ERROR ignore: rows with values that cannot be read are skipped.
    pub skips_errors: bool,
    /// REJECT_LIMIT: how many of them, at most.
    pub reject_limit: Option<u64>,
    /// LOG_VERBOSITY: -1 silent, 0 default, 1 verbose.
    pub log_verbosity: i8,
    /// The file on the server that is the other end; `None`: the client.
    pub file: Option<String>,
    /// The table's name, for the context line of errors.
    pub table: String,
}

/// The receiving side of COPY FROM STDIN: feed it rows, then hand it to [`Session::finish_copy`].
pub struct CopyIn {
    /// The columns that a line has, in order.
    pub columns: Arc<[OutputColumn]>,
    /// How the lines are written.
    pub options: Arc<CopyOptions>,
    context: Arc<Context>,
    plan: Arc<CompiledModify>,
    predicate: Option<Compiled>,
    count: u64,
    skipped: u64,
    row: usize,
}

impl CopyIn {
    /// Notes rows that were skipped, and what is to be said about them.
    pub fn skip(&mut self, rows: u64, notes: Vec<String>) {
        self.skipped += rows;
        for note in notes {
            self.notice(note);
        }
    }

    fn notice(&self, text: String) {
        let notice = Error::new(SqlState::SUCCESSFUL_COMPLETION, text);
        self.context.shared.notice("NOTICE", notice.context(format!("COPY {}", self.options.table)));
    }

    /// The types of a line's values.
    pub fn types(&self) -> Vec<Type> {
        self.columns.iter().map(|c| c.typ).collect()
    }

    /// Takes some rows. An error ends the COPY (drop the sink, tell [`Session::fail`]).
    pub async fn push(&mut self, rows: Vec<Vec<Datum>>) -> Result<()> {
        let mut writer = Writer::new(&self.context, &self.plan, false)?;
        for (i, row) in rows.into_iter().enumerate() {
            self.row = i;
            if i % 256 == 0 {
                self.context.check()?;
            }
            if let Some(predicate) = &self.predicate
                && !predicate.is_true(&row, &[], &self.context.eval)?
            {
                continue;
            }
            writer.row(row)?;
        }
        writer.finish()?;
        self.count += writer.count;
        Ok(())
    }

    /// The row of the last push that was taken last: the one that an error is about.
    pub fn row(&self) -> usize {
        self.row
    }

    /// The number of rows taken; what they change is in the session's transaction.
    pub(super) async fn finish(self, _session: &mut Session) -> Result<u64> {
        super::integrity::settle(&self.context)?;
        if self.skipped > 0 && self.options.log_verbosity >= 0 {
            self.notice(match self.skipped {
                1 => "1 row was skipped due to data type incompatibility".to_string(),
                rows => format!("{rows} rows were skipped due to data type incompatibility"),
            });
        }
        Ok(self.count)
    }
}

impl Session {
    /// COPY.
    pub(super) async fn copy(
        &mut self,
        prepared: &Arc<Prepared>,
        copy: &statement::Copy,
        deadline: &Deadline,
    ) -> Result<Response> {
        match &copy.target {
            CopyTarget::Client => {}
            CopyTarget::File(path) => self.may_use_file(path, copy.from)?,
            CopyTarget::Program(_) => {
                let user = self.shared.lock().current_user.0;
                if !privilege::is_superuser(&self.statement_context(Arc::from([]))?.view.catalog, user) {
                    let message = "permission denied to COPY to or from an external program";
                    return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
                        .detail(
                            "Only roles with privileges of the \"pg_execute_server_program\" role may COPY to or from an \
                             external program.",
                        )
                        .hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."));
                }
                return Err(Error::unsupported("COPY with a program"));
            }
        }
        if copy.from { self.copy_from(prepared, copy) } else { self.copy_to(prepared, copy, deadline).await }
    }

    /// 42501 unless the role may read or write files of the server.
    fn may_use_file(&mut self, path: &str, reads: bool) -> Result<()> {
        let user = self.shared.lock().current_user.0;
        let catalog = self.statement_context(Arc::from([]))?.view.catalog;
        let (role, direction) = if reads { ("pg_read_server_files", "from") } else { ("pg_write_server_files", "to") };
        let may = catalog.role(role).is_some_and(|role| privilege::acts_as(&catalog, user, role.oid));
        if !privilege::is_superuser(&catalog, user) && !may {
            return Err(err!(INSUFFICIENT_PRIVILEGE, "permission denied to COPY {direction} a file")
                .detail(format!("Only roles with privileges of the \"{role}\" role may COPY {direction} a file."))
                .hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."));
        }
        if !reads && !std::path::Path::new(path).is_absolute() {
            return Err(err!(INVALID_NAME, "relative path not allowed for COPY to file"));
        }
        Ok(())
    }

    fn copy_from(&mut self, prepared: &Arc<Prepared>, copy: &statement::Copy) -> Result<Response> {
        if self.transaction.as_ref().is_some_and(|t| t.read_only) {
            return Err(read_only("COPY FROM"));
        }
        let context = Arc::new(self.statement_context(Arc::from([]))?);
        let CopySource::Table { table: name, columns } = &copy.source else {
            return Err(err!(SYNTAX_ERROR, "COPY FROM needs a table"));
        };
        let table = copied_table(name, &context, "to")?;
        let table = &table;
        let columns = bind_columns(columns, table, "")?;
        let output: Arc<[OutputColumn]> = columns
            .iter()
            .map(|c| OutputColumn { name: c.name.clone(), typ: c.declared(), table: table.oid, column: c.number })
            .collect();
        let mut options = checked_options(&copy.options, &output, (Some(table), &table.name), true)?;
        options.file = file_of(&copy.target);
        options.has_default = columns.iter().map(|c| has_default(c, &context)).collect();
        if copy.options.freeze && context.base_storage(table.oid) == table.storage {
            return Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cannot perform COPY FREEZE because the table was not created or truncated in the current \
                 subtransaction"
            ));
        }
        let options = Arc::new(options);
        let numbers: Vec<i16> = columns.iter().map(|c| c.number).collect();
        let (plan, source) = insert_plan(table, &numbers, options.default.is_some(), &context)?;
        let predicate = match &copy.predicate {
            None => None,
            Some(expr) => {
                let kind = crate::sql::binder::table::TableExpr::CopyWhere;
                let text = &prepared.part.text;
                let bound = crate::sql::binder::table::bind_table_expr(expr, kind, table, &context.eval, text)?;
                let ids: Vec<ColumnId> = numbers
                    .iter()
                    .filter_map(|n| bound.columns.iter().find(|(_, number, _)| number == n).map(|(id, _, _)| *id))
                    .collect();
                Some(compile(&bound.expr, &ids)?)
            }
        };
        let plan = Arc::new(compile_modify(&plan, &source)?);
        Ok(Response::CopyIn(CopyIn {
            columns: output,
            options,
            context,
            plan,
            predicate,
            count: 0,
            skipped: 0,
            row: 0,
        }))
    }

    async fn copy_to(
        &mut self,
        prepared: &Arc<Prepared>,
        copy: &statement::Copy,
        deadline: &Deadline,
    ) -> Result<Response> {
        let context = self.statement_context(Arc::from([]))?;
        let mut copied = None;
        let (statement, label) = match &copy.source {
            CopySource::Query(statement) => (statement.clone(), String::new()),
            CopySource::Table { table: name, columns } => {
                let table = copied_table(name, &context, "from")?;
                let columns = bind_columns(columns, &table, "")?;
                let select = select_columns(name, &columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>())?;
                let label = table.name.clone();
                copied = Some(table);
                (select, label)
            }
        };
        if !super::prepared::is_query(&statement) {
            return Err(Error::unsupported("COPY of a utility statement"));
        }
        let path = self.shared.lock().search_path(self.shared.database);
        let bound = Arc::new(bind(&statement, &prepared.part.text, &[], &context.eval, path)?);
        if bound.columns.is_none() {
            return Err(err!(FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause"));
        }
        let response = self.run_bound(&bound, context, deadline).await?;
        let Response::Rows { columns, stream, .. } = response else {
            return Err(Error::internal("a query gives rows"));
        };
        let mut options = checked_options(&copy.options, &columns, (copied.as_ref(), &label), false)?;
        options.file = file_of(&copy.target);
        Ok(Response::CopyOut { columns, stream, options: Arc::new(options) })
    }
}

/// The table of a COPY.
fn copied_table(name: &ast::ObjectName, context: &Context, direction: &str) -> Result<Table> {
    match relation_by_name(name, &context.eval)? {
        Relation::Entry(entry) => match &*entry {
            Entry::Table(table) if table.view.is_some() && direction == "to" => {
                Err(err!(WRONG_OBJECT_TYPE, "cannot copy to materialized view \"{}\"", table.name))
            }
            Entry::Table(table) if table.is_partitioned() && direction == "from" => {
                Err(err!(WRONG_OBJECT_TYPE, "cannot copy from partitioned table \"{}\"", table.name)
                    .hint("Try the COPY (SELECT ...) TO variant."))
            }
            Entry::Table(table) => Ok(table.clone()),
            Entry::View(view) => {
                let error = err!(WRONG_OBJECT_TYPE, "cannot copy {direction} view \"{}\"", view.name);
                Err(match direction {
                    "from" => error.hint("Try the COPY (SELECT ...) TO variant."),
                    _ => error.hint("To enable copying to a view, provide an INSTEAD OF INSERT trigger."),
                })
            }
            Entry::Sequence(sequence) => {
                Err(err!(WRONG_OBJECT_TYPE, "cannot copy {direction} sequence \"{}\"", sequence.name))
            }
            other => Err(err!(WRONG_OBJECT_TYPE, "cannot copy {direction} non-table relation \"{}\"", other.name())),
        },
        Relation::System(_) => Err(Error::unsupported(format!("COPY {direction} a system relation"))),
    }
}

/// `SELECT columns FROM table` as a statement.
fn select_columns(table: &ast::ObjectName, columns: &[&str]) -> Result<Statement> {
    let list: Vec<String> = columns.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
    let text = format!("SELECT {} FROM ONLY {table}", list.join(", "));
    let parsed = crate::sql::parser::parse(&text)?;
    parsed.into_iter().next().map(|p| p.statement).ok_or_else(|| Error::internal("a statement was expected"))
}

fn file_of(target: &CopyTarget) -> Option<String> {
    match target {
        CopyTarget::File(path) => Some(path.clone()),
        _ => None,
    }
}

/// Whether DEFAULT means something for a column.
fn has_default(column: &Column, context: &Context) -> bool {
    let of_domain = |domain| crate::sql::domain::default(&context.eval.host.catalog(), domain).is_some();
    column.default.is_some() || column.identity.is_some() || column.domain.is_some_and(of_domain)
}

/// The insertion of rows that have values for some columns; the others get their defaults. Answers also the ids of
/// the values. With `marked` a flag for each value follows: whether its column gets the default instead.
fn insert_plan(table: &Table, given: &[i16], marked: bool, context: &Context) -> Result<(Modify, Vec<ColumnId>)> {
    let mut source: Vec<ColumnId> = given.iter().map(|n| SOURCE_IDS + *n as ColumnId).collect();
    if marked {
        source.extend(given.iter().map(|n| MARK_IDS + *n as ColumnId));
    }
    let mut values = Vec::new();
    for column in table.live_columns() {
        let expr = if column.generated.is_some() {
            Expr::null(column.typ)
        } else if given.contains(&column.number) {
            let value = checked(Expr::Column(SOURCE_IDS + column.number as ColumnId, column.typ), column);
            match default_expr(table, column, context)?.filter(|_| marked) {
                Some(default) => Expr::Case {
                    whens: vec![(Expr::Column(MARK_IDS + column.number as ColumnId, Type::BOOL), default)],
                    otherwise: Some(Box::new(value)),
                    typ: column.typ,
                },
                None => value,
            }
        } else if let Some(default) = default_expr(table, column, context)? {
            default
        } else if column.domain.is_some() {
            checked(Expr::null(column.typ), column)
        } else {
            continue;
        };
        values.push((column.number, expr));
    }
    let mut checks = Vec::new();
    for (name, text) in checks_of(table) {
        checks.push((name, bind_check(&text, table, &context.eval)?.expr));
    }
    let modify = Modify {
        table: table.oid,
        tree: table.is_partitioned(),
        kind: ModifyKind::Insert { source: Rel::OneRow, values, on_conflict: None },
        returning: None,
        new_columns: table.live_columns().map(|c| (c.number as ColumnId, c.number, c.typ)).collect(),
        old_columns: Vec::new(),
        checks,
        view_checks: Vec::new(),
    };
    Ok((modify, source))
}

/// The default of a column, if it has one.
fn default_expr(table: &Table, column: &Column, context: &Context) -> Result<Option<Expr>> {
    if let Some(identity) = &column.identity {
        let text = format!("nextval('{}'::regclass)", identity.sequence);
        return bind_default(&text, table, column, &context.eval).map(Some);
    }
    let of_domain = |domain| crate::sql::domain::default(&context.eval.host.catalog(), domain);
    match column.default.clone().or_else(|| column.domain.and_then(of_domain)) {
        Some(text) => bind_default(&text, table, column, &context.eval).map(Some),
        None => Ok(None),
    }
}

/// A value checked by the domain of its column.
fn checked(value: Expr, column: &Column) -> Expr {
    match column.domain {
        Some(domain) => Expr::Cast { typ: column.typ, input: Box::new(value), kind: CastKind::Domain(domain) },
        None => value,
    }
}

/// Checks the options and fills in the defaults of the format.
fn checked_options(
    given: &statement::CopyOptions,
    columns: &[OutputColumn],
    (known, label): (Option<&Table>, &str),
    from: bool,
) -> Result<CopyOptions> {
    let format = match given.format {
        statement::CopyFormat::Text => CopyFormat::Text,
        statement::CopyFormat::Csv => CopyFormat::Csv,
        statement::CopyFormat::Binary => CopyFormat::Binary,
    };
    let (is_csv, is_binary) = (format == CopyFormat::Csv, format == CopyFormat::Binary);
    let syntax = [
        (is_binary && given.delimiter.is_some(), "cannot specify DELIMITER in BINARY mode"),
        (is_binary && given.null.is_some(), "cannot specify NULL in BINARY mode"),
        (is_binary && given.default.is_some(), "cannot specify DEFAULT in BINARY mode"),
    ];
    let values = [
        (!from && given.force_not_null.is_some() && is_csv, "COPY FORCE_NOT_NULL cannot be used with COPY TO"),
        (!from && given.force_null.is_some() && is_csv, "COPY FORCE_NULL cannot be used with COPY TO"),
        (!from && given.freeze, "COPY FREEZE cannot be used with COPY TO"),
    ];
    let unsupported = [
        (is_binary && given.header != CopyHeader::Off, "cannot specify HEADER in BINARY mode"),
        (!is_csv && given.quote.is_some(), "COPY QUOTE requires CSV mode"),
        (!is_csv && given.escape.is_some(), "COPY ESCAPE requires CSV mode"),
        (!is_csv && given.force_quote.is_some(), "COPY FORCE_QUOTE requires CSV mode"),
        (!is_csv && given.force_not_null.is_some(), "COPY FORCE_NOT_NULL requires CSV mode"),
        (!is_csv && given.force_null.is_some(), "COPY FORCE_NULL requires CSV mode"),
        (from && given.force_quote.is_some(), "COPY FORCE_QUOTE cannot be used with COPY FROM"),
        (!from && given.default.is_some(), "COPY DEFAULT cannot be used with COPY TO"),
        (!from && given.header == CopyHeader::Match, "cannot use \"match\" with HEADER in COPY TO"),
    ];
    let groups = [
        (&syntax[..], SqlState::SYNTAX_ERROR),
        (&values[..], SqlState::INVALID_PARAMETER_VALUE),
        (&unsupported[..], SqlState::FEATURE_NOT_SUPPORTED),
    ];
    for (refused, code) in groups {
        if let Some((_, message)) = refused.iter().find(|(is_refused, _)| *is_refused) {
            return Err(Error::new(code, *message));
        }
    }
    if is_binary && given.on_error_ignore {
        return Err(err!(SYNTAX_ERROR, "only ON_ERROR STOP is allowed in BINARY mode"));
    }
    if !from && given.on_error_ignore {
        return Err(err!(INVALID_PARAMETER_VALUE, "COPY ON_ERROR cannot be used with COPY TO"));
    }
    if given.reject_limit.is_some() && !given.on_error_ignore {
        return Err(err!(INVALID_PARAMETER_VALUE, "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE"));
    }
    if let Some(encoding) = &given.encoding
        && !matches!(super::settings::encoding_name(encoding).as_str(), "UTF8" | "UNICODE" | "SQLASCII")
    {
        return Err(Error::unsupported(format!("COPY with encoding \"{encoding}\"")));
    }
    let one_byte = |text: &Option<String>, default: u8, message: &str| match text {
        None => Ok(default),
        Some(text) if text.len() == 1 => Ok(text.as_bytes()[0]),
        Some(_) => Err(err!(FEATURE_NOT_SUPPORTED, "{message}")),
    };
    let delimiter = one_byte(
        &given.delimiter,
        if is_csv { b',' } else { b'\t' },
        "COPY delimiter must be a single one-byte character",
    )?;
    if matches!(delimiter, b'\n' | b'\r') {
        return Err(err!(INVALID_PARAMETER_VALUE, "COPY delimiter cannot be newline or carriage return"));
    }
    if !is_csv && b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&delimiter) {
        return Err(err!(INVALID_PARAMETER_VALUE, "COPY delimiter cannot be \"{}\"", char::from(delimiter)));
    }
    let quote = one_byte(&given.quote, b'"', "COPY quote must be a single one-byte character")?;
    let escape = one_byte(&given.escape, quote, "COPY escape must be a single one-byte character")?;
    if is_csv && delimiter == quote {
        return Err(err!(INVALID_PARAMETER_VALUE, "COPY delimiter and quote must be different"));
    }
    let null = given.null.clone().unwrap_or_else(|| if is_csv { String::new() } else { "\\N".to_string() });
    if null.contains(['\n', '\r']) {
        return Err(err!(INVALID_PARAMETER_VALUE, "COPY null representation cannot use newline or carriage return"));
    }
    if null.as_bytes().contains(&delimiter) && !is_binary {
        return Err(err!(
            INVALID_PARAMETER_VALUE,
            "COPY delimiter character must not appear in the NULL specification"
        ));
    }
    if is_csv && null.as_bytes().contains(&quote) {
        return Err(err!(INVALID_PARAMETER_VALUE, "CSV quote character must not appear in the NULL specification"));
    }
    if let Some(default) = &given.default {
        if default.contains(['\n', '\r']) {
            return Err(err!(
                INVALID_PARAMETER_VALUE,
                "COPY default representation cannot use newline or carriage return"
            ));
        }
        if default.as_bytes().contains(&delimiter) {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "COPY delimiter character must not appear in the DEFAULT specification"
            ));
        }
        if is_csv && default.as_bytes().contains(&quote) {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "CSV quote character must not appear in the DEFAULT specification"
            ));
        }
        if *default == null {
            return Err(err!(FEATURE_NOT_SUPPORTED, "NULL specification and DEFAULT specification cannot be the same"));
        }
    }
    let flags = |which: &Option<ColumnsOrAll>, what: &str| -> Result<Vec<bool>> {
        match which {
            None => Ok(vec![false; columns.len()]),
            Some(ColumnsOrAll::All) => Ok(vec![true; columns.len()]),
            Some(ColumnsOrAll::Columns(names)) => {
                let mut flags = vec![false; columns.len()];
                for name in names {
                    let name = ident(name);
                    let is_known = known.is_none_or(|table| table.column(&name).is_some());
                    if !is_known {
                        return Err(err!(UNDEFINED_COLUMN, "column \"{name}\" of relation \"{label}\" does not exist"));
                    }
                    let at = columns.iter().position(|c| c.name == name).ok_or_else(|| {
                        err!(INVALID_COLUMN_REFERENCE, "{what} column \"{name}\" not referenced by COPY")
                    })?;
                    flags[at] = true;
                }
                Ok(flags)
            }
        }
    };
    Ok(CopyOptions {
        format,
        default: given.default.clone(),
        has_default: Vec::new(),
        skips_errors: given.on_error_ignore,
        reject_limit: given.reject_limit.and_then(|limit| u64::try_from(limit).ok()),
        log_verbosity: given.log_verbosity,
        file: None,
        header: given.header != CopyHeader::Off,
        header_match: given.header == CopyHeader::Match,
        delimiter,
        null,
        quote,
        escape,
        force_quote: flags(&given.force_quote, "FORCE_QUOTE")?,
        force_not_null: flags(&given.force_not_null, "FORCE_NOT_NULL")?,
        force_null: flags(&given.force_null, "FORCE_NULL")?,
        table: label.to_string(),
    })
}
