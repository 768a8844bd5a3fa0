//! COPY inside a query: the client sends rows, or rows are sent to it, until one side says that it is done.

use std::sync::Arc;

use futures::StreamExt;

use crate::err;
use crate::error::Result;
use crate::exec::{CopyFormat, CopyIn, CopyOptions, OutputColumn, RowStream};

use super::backend;
use super::connection::Connection;
use super::copy::decode::CopyDecoder;
use super::copy::encode::CopyEncoder;
use super::encode::Rows;
use super::frame::{FrameError, Frontend, next_frame};
use super::wire::{Interrupt, OUTPUT_BYTES_MAX};

impl Connection {
    /// COPY FROM STDIN: gives the tag.
    pub(super) async fn copy_in(&mut self, mut copy: CopyIn, interrupt: &Interrupt) -> Result<String> {
        let is_binary = copy.options.format == CopyFormat::Binary;
        backend::put_copy_response(&mut self.wire.output, true, is_binary, copy.columns.len());
        self.wire.send(Some(interrupt)).await?;
        let size_max = self.shared.config.message_size_max.0 as usize;
        let mut decoder =
            CopyDecoder::new(copy.columns.clone(), copy.options.clone(), self.session.eval_context(), size_max);
        loop {
            let is_last = match self.copy_message(size_max, interrupt).await? {
                Frontend::CopyData(data) => {
                    decoder.feed(&data);
                    false
                }
                Frontend::CopyDone => true,
                Frontend::CopyFail(reason) => {
                    return Err(err!(QUERY_CANCELED, "COPY from stdin failed: {reason}"));
                }
                // Some clients send these without waiting for the answer.
                Frontend::Flush | Frontend::Sync => continue,
                other => {
                    return Err(err!(
                        PROTOCOL_VIOLATION,
                        "unexpected message type 0x{:02X} during COPY from stdin",
                        kind_of(&other)
                    ));
                }
            };
            while decoder.read(is_last)? {
                let pushed = self.wire.run(copy.push(decoder.take_batch()), interrupt).await;
                pushed.map_err(|error| decoder.in_batch(error))?;
            }
            interrupt.cancel.check()?;
            if is_last {
                let rest = decoder.take_batch();
                if !rest.is_empty() {
                    let pushed = self.wire.run(copy.push(rest), interrupt).await;
                    pushed.map_err(|error| decoder.in_batch(error))?;
                }
                return self.wire.run(self.session.finish_copy(copy), interrupt).await;
            }
        }
    }

    /// The client's next message during COPY FROM.
    async fn copy_message(&mut self, size_max: usize, interrupt: &Interrupt) -> Result<Frontend> {
        loop {
            match next_frame(&mut self.wire.input, size_max) {
                Ok(Some(frame)) => return frame.read(),
                Ok(None) => {}
                // The main loop meets it again and ends the connection.
                Err(FrameError::Fatal(error)) => return Err(error),
            }
            let timer = async {
                match interrupt.deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                more = self.wire.fill() => if !more {
                    return Err(err!(CONNECTION_FAILURE, "unexpected EOF on client connection with an open transaction"));
                },
                () = interrupt.cancel.cancelled() => interrupt.cancel.check()?,
                () = timer => {
                    return Err(err!(QUERY_CANCELED, "canceling statement due to statement timeout"));
                }
            }
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
