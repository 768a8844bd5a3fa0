//! Consensus: PBFT as a value you step.

pub mod codec;
pub mod evidence;
pub mod ledger;
pub mod message;
pub mod quorum;
pub mod replica;
pub mod signed;
pub mod types;
pub mod view_change;

mod checkpoint;
mod gateway;
mod log;
mod normal;
mod pace;
mod pool;
mod recovery;
mod status;
mod transfer;

#[cfg(test)]
mod simulator;

pub use message::Message;
pub use replica::{Input, Output, Record, Recovered, Replica};
pub use signed::{Directory, Keys, Refusal, Verified, verify};
