//! The `aerolithdb` program: parses its arguments and runs them; the rest is the library.

use std::process::ExitCode;

/// The allocator of the whole process: statements allocate many small values on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match aerolithdb::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aerolithdb: {}", aerolithdb::cli::error_line(&error));
            ExitCode::FAILURE
        }
    }
}
