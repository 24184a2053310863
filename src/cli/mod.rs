//! Commands: each parses its arguments, calls the library and prints.

pub mod config;

use std::process::ExitCode;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
