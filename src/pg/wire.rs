//! [`Wire`]: the socket with its two buffers. Everything is read into `input` as it arrives and written from `output`
//! when it is due: one write for all that a batch of messages was answered with.
//!
//! While a statement runs the wire is not idle: [`Wire::drive`] polls the statement, sends what is due and reads ahead a
//! little, which is also how a client that went away is noticed.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use crate::error::Result;
use crate::exec::server::{Cancel, CancelReason};

/// Output is written when it has grown to this.
pub(super) const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// How much is read from the client while its statement runs.
const READ_AHEAD_BYTES_MAX: usize = 256 << 10;
/// Buffers that a large message made larger than this are given back.
const KEEP_BYTES_MAX: usize = 1 << 20;
/// Room for one read: it doubles while the client fills it (COPY), and starts small again when idle.
const READ_BYTES: std::ops::RangeInclusive<usize> = (16 << 10)..=(256 << 10);

/// A connection without or with TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<Replayed>>),
    /// While TLS is being put on, and when that failed.
    Closed,
}

/// A socket whose first bytes have been read already: a TLS handshake that came without a request.
pub(super) struct Replayed {
    pub(super) first: Bytes,
    pub(super) socket: TcpStream,
}

impl AsyncRead for Replayed {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.first.is_empty() {
            return Pin::new(&mut this.socket).poll_read(context, buffer);
        }
        let count = this.first.len().min(buffer.remaining());
        buffer.put_slice(&this.first.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Closed => Poll::Ready(Ok(0)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

/// The socket and its buffers.
pub(super) struct Wire {
    pub(super) stream: Stream,
    /// What has been read and not yet taken.
    pub(super) input: BytesMut,
    /// What is to be sent.
    pub(super) output: Vec<u8>,
    /// How much of `output` has been sent.
    sent: usize,
    /// Up to where `output` should go out without waiting for more (a Sync or Flush was answered there).
    due: usize,
    /// The client has closed its side, or the connection broke.
    pub(super) is_closed: bool,
    /// Nothing can be sent any more either.
    is_broken: bool,
    /// How much is asked for at a time.
    read_bytes: usize,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        let (input, output) = (BytesMut::new(), Vec::with_capacity(8 << 10));
        Self {
            stream,
            input,
            output,
            sent: 0,
            due: 0,
            is_closed: false,
            is_broken: false,
            read_bytes: *READ_BYTES.start(),
        }
    }

    /// Everything written so far should go out.
    pub(super) fn mark_due(&mut self) {
        self.due = self.output.len();
    }

    /// Bytes that wait to be sent.
    pub(super) fn pending(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Reads some more; `false` at the end of the stream. Memory grows with what has arrived, never with what a message
    /// says of its length.
    pub(super) async fn fill(&mut self) -> bool {
        std::future::poll_fn(|context| self.poll_fill(context)).await
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.is_closed {
            return Poll::Ready(false);
        }
        // At most as much again as has arrived, or one read.
        let room = self.read_bytes.max(self.input.len().min(KEEP_BYTES_MAX));
        if self.input.capacity() - self.input.len() < self.read_bytes / 2 {
            self.input.reserve(room);
        }
        let spare = self.input.capacity() - self.input.len();
        let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context));
        self.is_closed = !matches!(read, Ok(1..));
        if read.as_ref().is_ok_and(|count| *count == spare) {
            self.read_bytes = (self.read_bytes * 2).min(*READ_BYTES.end());
        }
        self.is_broken |= read.is_err();
        Poll::Ready(!self.is_closed)
    }

    /// Sends everything; stops early when `cancel` says so, with its error. A broken connection is not an error here
    /// (`is_closed` tells): the statement is stopped by it all the same.
    pub(super) async fn send(&mut self, interrupt: Option<&Interrupt>) -> Result<()> {
        self.due = self.output.len();
        match interrupt {
            None => {
                std::future::poll_fn(|context| self.poll_send(context, self.due)).await;
                Ok(())
            }
            Some(interrupt) => self.drive(std::future::ready(()), interrupt, Until::Sent).await.1,
        }
    }

    /// Gives the buffers back if a large message made them large. Call it when idle.
    pub(super) fn trim(&mut self) {
        self.read_bytes = *READ_BYTES.start();
        if self.output.is_empty() && self.output.capacity() > KEEP_BYTES_MAX {
            self.output = Vec::with_capacity(8 << 10);
        }
        if self.input.is_empty() && self.input.capacity() > KEEP_BYTES_MAX {
            self.input = BytesMut::new();
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, until: usize) -> Poll<()> {
        while self.sent < until && !self.is_broken {
            let unsent = &self.output[self.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(context, unsent)) {
                Ok(count) if count > 0 => self.sent += count,
                _ => self.set_broken(),
            }
        }
        if self.is_broken || self.sent == self.output.len() {
            self.output.clear();
            (self.sent, self.due) = (0, 0);
        }
        // TLS keeps what it could not send; a socket has nothing to flush.
        if !self.is_broken && ready!(Pin::new(&mut self.stream).poll_flush(context)).is_err() {
            self.set_broken();
        }
        Poll::Ready(())
    }

    /// Nothing can be sent any more.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    fn set_broken(&mut self) {
        (self.is_closed, self.is_broken) = (true, true);
    }

    /// The client is gone: closed, and it left no messages that it still wants to be done (a client may send its last
    /// statements, Terminate, and close at once).
    fn is_gone(&self) -> bool {
        self.is_broken || (self.is_closed && self.input.is_empty())
    }

    /// Runs a future of a statement to its end, meanwhile sending what is due, reading ahead, and watching for the
    /// statement's time limit and the end of the connection, which both ask the statement to stop.
    pub(super) async fn run<F: Future>(&mut self, future: F, interrupt: &Interrupt) -> F::Output {
        self.drive(future, interrupt, Until::Done).await.0
    }

    async fn drive<F: Future>(&mut self, future: F, interrupt: &Interrupt, until: Until) -> (F::Output, Result<()>) {
        let mut future = pin!(future);
        let mut output = None;
        let mut timer = pin!(interrupt.deadline.map(tokio::time::sleep_until));
        let mut cancelled = pin!(interrupt.cancel.cancelled());
        let (mut is_timed_out, mut is_stopped) = (false, false);
        std::future::poll_fn(|context| {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) if until == Until::Done => return Poll::Ready((value, Ok(()))),
                    Poll::Ready(value) => output = Some(value),
                    Poll::Pending => {}
                }
            }
            if !is_timed_out
                && let Some(timer) = timer.as_mut().as_pin_mut()
                && timer.poll(context).is_ready()
            {
                is_timed_out = true;
                interrupt.cancel.cancel(CancelReason::Timeout);
            }
            let is_sent = self.sent >= self.due || self.poll_send(context, self.due).is_ready();
            // Reading on is bounded; what the client still sends waits in the socket.
            while self.input.len() < READ_AHEAD_BYTES_MAX && !self.is_closed && self.poll_fill(context).is_ready() {}
            if self.is_gone() && !is_stopped {
                is_stopped = true;
                interrupt.cancel.cancel(CancelReason::User);
            }
            if until == Until::Sent {
                if is_sent || self.is_broken {
                    return Poll::Ready((output.take().expect("a ready future is done at the first poll"), Ok(())));
                }
                if cancelled.as_mut().poll(context).is_ready() {
                    let value = output.take().expect("a ready future is done at the first poll");
                    return Poll::Ready((value, interrupt.cancel.check()));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Says goodbye: sends what is left within a short time and closes the stream.
    pub(super) async fn close(&mut self) {
        const GOODBYE: Duration = Duration::from_secs(1);
        let _in_time = tokio::time::timeout(GOODBYE, async {
            let _ = self.send(None).await;
            let _ = std::future::poll_fn(|context| Pin::new(&mut self.stream).poll_shutdown(context)).await;
            // What the client still sends is read and dropped: closing with unread input would reset the connection and
            // could take our last message with it.
            while !self.is_closed {
                self.input.clear();
                self.fill().await;
            }
        })
        .await;
    }
}

/// What can stop a running statement.
pub(super) struct Interrupt {
    pub(super) cancel: Arc<Cancel>,
    /// statement_timeout.
    pub(super) deadline: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Done,
    Sent,
}
