//! The one integration-test binary: every integration test is a module here, so that DataFusion is linked once.

// A test binary has no outside, and what fails in a helper fails the test.
#![allow(unreachable_pub, clippy::unwrap_used)]

mod cli;
mod pg;
mod slt;
mod support;
mod tidy;
