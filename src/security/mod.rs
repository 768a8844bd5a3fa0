//! Who a client is and how that is proven.
//!
//! - [`scram`]: SCRAM-SHA-256, the server's side, and the verifiers that are kept instead of passwords.
//! - [`tls`]: the server's certificate as a rustls configuration and its channel binding.

pub mod scram;
#[cfg(feature = "server")]
pub mod tls;
