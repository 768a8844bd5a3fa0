//! COPY inside a query: the client sends rows, or rows are sent to it, until one side says that it is done.
//!
//! A COPY FROM that turns out to be long is decoded on a thread of its own, so that reading JSON and putting rows into
//! the transaction overlap. Both queues between the two are short: a client that is faster than storage is not read.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::{CopyFormat, CopyIn, CopyOptions, OutputColumn, RowStream};

use super::backend;
use super::connection::Connection;
use super::copy::decode::CopyDecoder;
use super::copy::encode::CopyEncoder;
use super::encode::Rows;
use super::frame::{FrameError, Frontend, next_frame};
use super::wire::{Interrupt, OUTPUT_BYTES_MAX};

/// A COPY longer than this gets a thread.
const SHORT_COPY_BYTES: usize = 1 << 20;
/// How much data goes to that thread at a time, and how many such pieces may wait for it.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_MAX: usize = 32;
/// Batches that may wait for storage.
const BATCHES_MAX: usize = 2;

/// What a client says during COPY FROM.
enum Event {
    Data(Bytes),
    Done,
}

/// Rows with the line of each, for errors.
struct Batch {
    rows: Vec<Vec<Datum>>,
    lines: Vec<u64>,
    /// Rows that were skipped, and what is to be said about them.
    skipped: (u64, Vec<String>),
}

impl Connection {
    /// COPY FROM STDIN: gives the tag.
    pub(super) async fn copy_in(&mut self, mut copy: CopyIn, interrupt: &Interrupt) -> Result<String> {
        if let Some(path) = copy.options.file.clone() {
            return self.copy_from_file(copy, &path, interrupt).await;
        }
        let is_binary = copy.options.format == CopyFormat::Binary;
        backend::put_copy_response(&mut self.wire.output, true, is_binary, copy.columns.len());
        self.wire.send(Some(interrupt)).await?;
        let size_max = self.shared.config.message_size_max.0 as usize;
        let mut decoder =
            CopyDecoder::new(copy.columns.clone(), copy.options.clone(), self.session.eval_context(), size_max);
        let mut seen = 0;
        loop {
            let is_last = match self.copy_event(interrupt).await? {
                Event::Data(data) => {
                    decoder.feed(&data);
                    seen += data.len();
                    false
                }
                Event::Done => true,
            };
            while decoder.read(is_last)? {
                self.push(&mut copy, Batch::take(&mut decoder), interrupt).await?;
            }
            if is_last {
                self.push(&mut copy, Batch::take(&mut decoder), interrupt).await?;
                break;
            }
            if seen >= SHORT_COPY_BYTES {
                self.long_copy_in(&mut copy, decoder, interrupt).await?;
                break;
            }
        }
        self.wire.run(self.session.finish_copy(copy), interrupt).await
    }

    /// COPY FROM a file on the server.
    async fn copy_from_file(&mut self, mut copy: CopyIn, path: &str, interrupt: &Interrupt) -> Result<String> {
        let mut file = tokio::fs::File::open(path).await.map_err(|error| {
            file_error(&error, format!("could not open file \"{path}\" for reading")).hint(
                "COPY FROM instructs the PostgreSQL server process to read a file. You may want a client-side facility \
                 such as psql's \\copy.",
            )
        })?;
        if file.metadata().await.is_ok_and(|metadata| metadata.is_dir()) {
            return Err(err!(WRONG_OBJECT_TYPE, "\"{path}\" is a directory"));
        }
        let size_max = self.shared.config.message_size_max.0 as usize;
        let mut decoder =
            CopyDecoder::new(copy.columns.clone(), copy.options.clone(), self.session.eval_context(), size_max);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = file.read(&mut piece).await;
            let read = read.map_err(|error| file_error(&error, "could not read from COPY file".to_string()))?;
            decoder.feed(&piece[..read]);
            while decoder.read(read == 0)? {
                self.push(&mut copy, Batch::take(&mut decoder), interrupt).await?;
            }
            if read == 0 {
                self.push(&mut copy, Batch::take(&mut decoder), interrupt).await?;
                break;
            }
        }
        self.wire.run(self.session.finish_copy(copy), interrupt).await
    }

    /// COPY TO a file on the server.
    async fn copy_to_file(
        &mut self,
        columns: &[OutputColumn],
        mut stream: RowStream,
        options: Arc<CopyOptions>,
        path: &str,
        interrupt: &Interrupt,
    ) -> Result<String> {
        let mut file = tokio::fs::File::create(path).await.map_err(|error| {
            file_error(&error, format!("could not open file \"{path}\" for writing")).hint(
                "COPY TO instructs the PostgreSQL server process to write a file. You may want a client-side facility \
                 such as psql's \\copy.",
            )
        })?;
        let failed = |error: std::io::Error| file_error(&error, "could not write to COPY file".to_string());
        let mut encoder = CopyEncoder::new(columns, options, self.session.eval_context());
        let mut out = Vec::new();
        encoder.header(columns, &mut out);
        let mut count = 0u64;
        while let Some(batch) = self.wire.run(stream.next(), interrupt).await {
            let batch = batch?;
            interrupt.cancel.check()?;
            let rows_of_batch = {
                let rows = Rows::new(&batch, encoder.row_encoder())?;
                for row in 0..rows.len() {
                    encoder.row(&rows, row, &mut out)?;
                }
                rows.len()
            };
            count += rows_of_batch as u64;
            file.write_all(&without_frames(&out)).await.map_err(failed)?;
            out.clear();
        }
        encoder.trailer(&mut out);
        file.write_all(&without_frames(&out)).await.map_err(failed)?;
        file.flush().await.map_err(failed)?;
        Ok(format!("COPY {count}"))
    }

    /// The rest of a long COPY FROM.
    async fn long_copy_in(&mut self, copy: &mut CopyIn, decoder: CopyDecoder, interrupt: &Interrupt) -> Result<()> {
        let (pieces, pieces_out) = mpsc::channel(PIECES_MAX);
        let (batches_in, mut batches) = mpsc::channel(BATCHES_MAX);
        // It ends by itself when either channel is closed, so nobody waits for it.
        tokio::task::spawn_blocking(move || decode(decoder, pieces_out, &batches_in));
        let mut pieces = Some(pieces);
        let mut piece = Vec::new();
        let mut is_done = false;
        loop {
            while !is_done && piece.len() < PIECE_BYTES {
                match self.copy_frame()? {
                    Some(Event::Data(data)) => piece.extend_from_slice(&data),
                    Some(Event::Done) => is_done = true,
                    None => break,
                }
            }
            if is_done && piece.is_empty() {
                pieces = None;
            }
            let room = async {
                match &pieces {
                    Some(pieces) if !piece.is_empty() => pieces.reserve().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                batch = batches.recv() => match batch {
                    Some(batch) => {
                        let batch: Batch = batch?;
                        self.push(copy, batch, interrupt).await?;
                    }
                    None if pieces.is_none() => return Ok(()),
                    None => return Err(Error::internal("reading COPY data has stopped")),
                },
                permit = room => match permit {
                    Ok(permit) => permit.send(std::mem::take(&mut piece)),
                    // It has stopped: what it said last comes out of the other channel.
                    Err(_) => piece.clear(),
                },
                more = self.copy_input(interrupt), if !is_done && piece.is_empty() => more?,
            }
        }
    }

    async fn push(&mut self, copy: &mut CopyIn, batch: Batch, interrupt: &Interrupt) -> Result<()> {
        interrupt.cancel.check()?;
        copy.skip(batch.skipped.0, batch.skipped.1);
        if batch.rows.is_empty() {
            return Ok(());
        }
        let pushed = self.wire.run(copy.push(batch.rows), interrupt).await;
        pushed.map_err(|error| {
            let line = batch.lines.get(copy.row()).or(batch.lines.last()).copied().unwrap_or(1);
            let place = || format!("COPY {}, line {line}", copy.options.table);
            if error.report().context.is_some() { error } else { error.context(place()) }
        })
    }

    /// The client's next word during COPY FROM.
    async fn copy_event(&mut self, interrupt: &Interrupt) -> Result<Event> {
        loop {
            match self.copy_frame()? {
                Some(event) => return Ok(event),
                None => self.copy_input(interrupt).await?,
            }
        }
    }

    /// The same, if it is in the buffer already.
    fn copy_frame(&mut self) -> Result<Option<Event>> {
        let size_max = self.shared.config.message_size_max.0 as usize;
        loop {
            let frame = match next_frame(&mut self.wire.input, size_max) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                // The main loop meets it again and ends the connection.
                Err(FrameError::Fatal(error)) => return Err(error),
            };
            match frame.read()? {
                Frontend::CopyData(data) => return Ok(Some(Event::Data(data))),
                Frontend::CopyDone => return Ok(Some(Event::Done)),
                Frontend::CopyFail(reason) => {
                    return Err(err!(QUERY_CANCELED, "COPY from stdin failed: {reason}"));
                }
                // Some clients send these without waiting for the answer.
                Frontend::Flush | Frontend::Sync => {}
                other => {
                    return Err(err!(
                        PROTOCOL_VIOLATION,
                        "unexpected message type 0x{:02X} during COPY from stdin",
                        kind_of(&other)
                    ));
                }
            }
        }
    }

    /// Waits for more of the client, or for what stops the statement.
    async fn copy_input(&mut self, interrupt: &Interrupt) -> Result<()> {
        let timer = async {
            match interrupt.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            more = self.wire.fill() => match more {
                true => Ok(()),
                false => {
                    Err(err!(CONNECTION_FAILURE, "unexpected EOF on client connection with an open transaction"))
                }
            },
            () = interrupt.cancel.cancelled() => interrupt.cancel.check(),
            () = timer => Err(err!(QUERY_CANCELED, "canceling statement due to statement timeout")),
        }
    }

    /// COPY TO STDOUT: gives the tag.
    pub(super) async fn copy_out(
        &mut self,
        columns: &[OutputColumn],
        mut stream: RowStream,
        options: Arc<CopyOptions>,
        interrupt: &Interrupt,
    ) -> Result<String> {
        if let Some(path) = options.file.clone() {
            return self.copy_to_file(columns, stream, options, &path, interrupt).await;
        }
        let is_binary = options.format == CopyFormat::Binary;
        backend::put_copy_response(&mut self.wire.output, false, is_binary, columns.len());
        let mut encoder = CopyEncoder::new(columns, options, self.session.eval_context());
        encoder.header(columns, &mut self.wire.output);
        let mut count = 0u64;
        while let Some(batch) = self.wire.run(stream.next(), interrupt).await {
            let batch = batch?;
            let mut row = 0;
            loop {
                interrupt.cancel.check()?;
                {
                    let rows = Rows::new(&batch, encoder.row_encoder())?;
                    while row < rows.len() && self.wire.output.len() < OUTPUT_BYTES_MAX {
                        let start = self.wire.output.len();
                        let written = encoder.row(&rows, row, &mut self.wire.output);
                        // An error leaves no half of a message behind.
                        written.inspect_err(|_| self.wire.output.truncate(start))?;
                        row += 1;
                    }
                    if row == rows.len() {
                        break;
                    }
                }
                self.wire.send(Some(interrupt)).await?;
            }
            count += row as u64;
        }
        encoder.trailer(&mut self.wire.output);
        backend::put_empty(&mut self.wire.output, backend::COPY_DONE);
        Ok(format!("COPY {count}"))
    }
}

impl Batch {
    fn take(decoder: &mut CopyDecoder) -> Self {
        let (rows, lines) = decoder.take_batch();
        Self { rows, lines, skipped: decoder.take_skipped() }
    }
}

/// Decodes pieces of data to batches until the pieces end, or nobody wants the batches.
fn decode(mut decoder: CopyDecoder, mut pieces: mpsc::Receiver<Vec<u8>>, batches: &mpsc::Sender<Result<Batch>>) {
    let mut is_last = false;
    while !is_last {
        match pieces.blocking_recv() {
            Some(piece) => decoder.feed(&piece),
            None => is_last = true,
        }
        loop {
            let (batch, is_end) = match decoder.read(is_last) {
                Ok(true) => (Ok(Batch::take(&mut decoder)), false),
                Ok(false) if is_last => (Ok(Batch::take(&mut decoder)), true),
                Ok(false) => break,
                Err(error) => (Err(error), true),
            };
            if batches.blocking_send(batch).is_err() || is_end {
                return;
            }
        }
    }
}

/// What CopyData messages carry.
fn without_frames(messages: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(messages.len());
    let mut rest = messages;
    while let [_, a, b, c, d, tail @ ..] = rest {
        let length = (u32::from_be_bytes([*a, *b, *c, *d]) as usize).saturating_sub(4).min(tail.len());
        data.extend_from_slice(&tail[..length]);
        rest = &tail[length..];
    }
    data
}

/// What the operating system says of a file.
fn file_error(error: &std::io::Error, doing: String) -> Error {
    use std::io::ErrorKind;
    let (code, reason) = match error.kind() {
        ErrorKind::NotFound => (SqlState::UNDEFINED_FILE, "No such file or directory".to_string()),
        ErrorKind::PermissionDenied => (SqlState::INSUFFICIENT_PRIVILEGE, "Permission denied".to_string()),
        ErrorKind::IsADirectory => (SqlState::WRONG_OBJECT_TYPE, "Is a directory".to_string()),
        _ => (SqlState::IO_ERROR, error.to_string()),
    };
    Error::new(code, format!("{doing}: {reason}"))
}

/// The type byte of a message.
fn kind_of(message: &Frontend) -> u8 {
    match message {
        Frontend::Query(_) => b'Q',
        Frontend::Parse { .. } => b'P',
        Frontend::Bind(_) => b'B',
        Frontend::Describe(_) => b'D',
        Frontend::Execute { .. } => b'E',
        Frontend::Close(_) => b'C',
        Frontend::Flush => b'H',
        Frontend::Sync => b'S',
        Frontend::Terminate => b'X',
        Frontend::CopyData(_) => b'd',
        Frontend::CopyDone => b'c',
        Frontend::CopyFail(_) => b'f',
        Frontend::FunctionCall => b'F',
        Frontend::Password => b'p',
    }
}
