//! The one integration-test binary: every integration test is a module here, so that DataFusion is linked once.

mod cli;
mod pg;
mod slt;
mod support;
mod tidy;
