//! The media worker: see `src/mill`.

fn main() {}
