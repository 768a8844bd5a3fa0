//! `aerolithdb sql`: a small shell over the simple query protocol. `psql` is the comfortable one.

use std::io::{BufRead, IsTerminal, Write};

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::err;
use crate::error::{Error, Result};

use super::{client_runtime, table};

const HELP: &str = "\
Statements end with a semicolon and may span lines.
  \\q        quit
  \\?        this help
  \\l        databases
  \\dt       tables
  \\d NAME   columns of a table
";

/// Runs the statements, or a prompt when there are none.
pub(super) fn run(dsn: &str, statements: &[String]) -> Result<()> {
    client_runtime()?.block_on(async {
        let client = connect(dsn).await?;
        if statements.is_empty() {
            return prompt(&client).await;
        }
        for statement in statements {
            execute(&client, statement).await.map_err(|e| err!(DATA_EXCEPTION, "{}", describe(&e)))?;
        }
        Ok(())
    })
}

/// Connects; notices go to stderr.
pub(super) async fn connect(dsn: &str) -> Result<Client> {
    let (client, mut connection) = tokio_postgres::connect(dsn, NoTls)
        .await
        .map_err(|e| err!(CONNECTION_FAILURE, "could not connect: {}", describe(&e)))?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            match message {
                tokio_postgres::AsyncMessage::Notice(notice) => {
                    eprintln!("{}:  {}", notice.severity(), notice.message());
                }
                tokio_postgres::AsyncMessage::Notification(n) => {
                    eprintln!("notification on \"{}\" from process {}: {}", n.channel(), n.process_id(), n.payload());
                }
                _ => {}
            }
        }
    });
    Ok(client)
}

/// A client error as psql would print it.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    let Some(report) = error.as_db_error() else { return with_sources(error) };
    let mut text = format!("{}:  {}", report.severity(), report.message());
    if let Some(tokio_postgres::error::ErrorPosition::Original(position)) = report.position() {
        text.push_str(&format!(" (at character {position})"));
    }
    for (label, more) in [("DETAIL", report.detail()), ("HINT", report.hint()), ("CONTEXT", report.where_())] {
        if let Some(more) = more {
            text.push_str(&format!("\n{label}:  {more}"));
        }
    }
    text
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}

/// Runs one text and prints what it answers, as it comes.
async fn execute(client: &Client, text: &str) -> std::result::Result<(), tokio_postgres::Error> {
    let mut columns: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    for message in client.simple_query(text).await? {
        match message {
            SimpleQueryMessage::RowDescription(fields) => {
                columns = Some(fields.iter().map(|field| field.name().to_string()).collect());
            }
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|i| row.get(i).map(str::to_string)).collect());
            }
            SimpleQueryMessage::CommandComplete(count) => match columns.take() {
                Some(columns) => print!("{}", table::render(&columns, &std::mem::take(&mut rows))),
                None => println!("OK, {count} row{}", if count == 1 { "" } else { "s" }),
            },
            _ => {}
        }
    }
    Ok(())
}

/// Reads statements until the end of input.
async fn prompt(client: &Client) -> Result<()> {
    let interactive = std::io::stdin().is_terminal();
    if interactive {
        println!("aerolithdb {}. Type \\? for help, \\q to quit.", env!("CARGO_PKG_VERSION"));
    }
    let mut lines = std::io::stdin().lock().lines();
    let mut buffer = String::new();
    let mut last_error: Option<String> = None;
    loop {
        if interactive {
            print!("{}", if buffer.is_empty() { "aerolith=> " } else { "aerolith-> " });
            std::io::stdout().flush()?;
        }
        let Some(line) = lines.next().transpose()? else { break };
        let statement = if buffer.trim().is_empty() && line.trim_start().starts_with('\\') {
            match command(line.trim()) {
                Command::Quit => break,
                Command::Print(text) => {
                    print!("{text}");
                    continue;
                }
                Command::Run(statement) => statement,
            }
        } else {
            buffer.push_str(&line);
            buffer.push('\n');
            if !is_complete(&buffer) {
                continue;
            }
            std::mem::take(&mut buffer)
        };
        last_error = execute(client, &statement).await.err().map(|e| describe(&e));
        if let Some(text) = &last_error {
            eprintln!("{text}");
        }
        if client.is_closed() {
            return Err(err!(CONNECTION_FAILURE, "the connection to the server was lost"));
        }
    }
    if !buffer.trim().is_empty() {
        last_error = execute(client, &buffer).await.err().map(|e| describe(&e));
    }
    // A script that ends in an error says so by the exit code; a person has seen it.
    match last_error {
        Some(text) if !interactive => Err(Error::new(crate::error::SqlState::DATA_EXCEPTION, text)),
        _ => Ok(()),
    }
}

/// What a backslash command asks for.
enum Command {
    Quit,
    Print(String),
    Run(String),
}

fn command(line: &str) -> Command {
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = argument.trim().trim_end_matches(';').replace('\'', "''");
    match (name.trim_end_matches(';'), argument.as_str()) {
        ("\\q", _) => Command::Quit,
        ("\\?" | "\\h", _) => Command::Print(HELP.to_string()),
        ("\\l", _) => Command::Run("SELECT datname AS name FROM pg_catalog.pg_database ORDER BY 1".to_string()),
        ("\\dt" | "\\d", "") => Command::Run(
            "SELECT table_schema AS schema, table_name AS name, table_type AS type FROM information_schema.tables \
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
                .to_string(),
        ),
        ("\\d", table) => Command::Run(format!(
            "SELECT column_name AS column, data_type AS type, is_nullable AS nullable, column_default AS default \
             FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        )),
        (other, _) => Command::Print(format!("unknown command {other}; \\? for help\n")),
    }
}

/// Whether a text ends with a semicolon that is not inside quotes, a dollar-quoted body or a comment.
fn is_complete(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut complete = false;
    while at < bytes.len() {
        let rest = &text[at..];
        let skip = match bytes[at] {
            quote @ (b'\'' | b'"') => match rest[1..].bytes().position(|b| b == quote) {
                Some(end) => end + 2,
                None => return false,
            },
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => end + 2,
                None => return false,
            },
            b'$' => match dollar_quoted(rest) {
                Some(Some(end)) => end,
                Some(None) => return false,
                None => 1,
            },
            b';' => {
                complete = true;
                at += 1;
                continue;
            }
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        if !rest.starts_with("--") && !rest.starts_with("/*") {
            complete = false;
        }
        at += skip;
    }
    complete
}

/// The length of `$tag$...$tag$` at the start; `Some(None)` when it is open, `None` when there is no such quote.
fn dollar_quoted(text: &str) -> Option<Option<usize>> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[..end];
    let is_tag = tag[1..end - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_tag || tag[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(text[end..].find(tag).map(|at| end + at + end))
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn statements_end_at_a_semicolon_outside_quotes() {
        for complete in
            ["select 1;", "select ';';\n", "select 1; -- done\n", "select $$;$$;", "select $a$ $$; $a$ ;", "/* ; */;"]
        {
            assert!(is_complete(complete), "{complete}");
        }
        for open in ["select 1", "select ';", "select 1 -- ;", "select $$;", "/* ;", "select \"a;\"", "; select é"] {
            assert!(!is_complete(open), "{open}");
        }
    }
}
