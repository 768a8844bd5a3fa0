//! The PostgreSQL wire protocol, versions 3.0 and 3.2: decode, call the session, encode.
//!
//! ```text
//! socket -> wire (buffers) -> frame (messages) -> connection -> simple | extended | transfer (COPY) -> exec::Session
//!        <- wire <- backend (messages), encode (rows), copy (COPY data) <-
//! ```
//!
//! The loop is our own: all complete messages in the read buffer are answered into one output buffer, which is written
//! once when a Sync or Flush was answered or the buffer is full. pgwire gives the message types that are not hot; its
//! handlers buffer whole results and write once a message, so they are not used. Results are never held: a batch of rows
//! is encoded, sent, and dropped before the next one is asked for.
//!
//! - [`listener`]: accepting, limits, shutdown. [`startup`]: TLS, the start-up packet, authentication.
//! - [`connection`]: the loop of an authenticated client. [`simple`], [`extended`]: the two query protocols.
//! - [`transfer`]: COPY. [`copy`]: its formats. [`encode`]: rows.

mod backend;
mod connection;
mod copy;
mod encode;
mod extended;
mod frame;
mod listener;
mod simple;
mod startup;
mod transfer;
mod wire;

pub use encode::RowEncoder;
pub use listener::Listener;
