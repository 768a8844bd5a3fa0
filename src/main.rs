//! AerolithDB.
fn main() {}
