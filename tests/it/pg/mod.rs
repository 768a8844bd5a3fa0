//! The PostgreSQL protocol over real sockets.

mod bad_input;
mod copy;
mod cursors;
mod driver;
mod errors;
mod extended;
mod foreign_keys;
mod interrupts;
mod notify;
mod startup;
