//! The PostgreSQL protocol over real sockets.

mod copy;
mod errors;
mod extended;
mod notify;
mod startup;
