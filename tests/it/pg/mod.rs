//! The PostgreSQL protocol over real sockets.

mod bad_input;
mod copy;
mod cursors;
mod driver;
mod errors;
mod extended;
mod interrupts;
mod notify;
mod startup;
