//! What all commands share.

use std::io::{self, Write};
use std::process::ExitCode;

use super::config::Given;
use crate::config::Loaded;
use crate::telemetry::colour;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The plan is complete (or the command did what it was asked).
    Complete,
    /// Anything else.
    Failure,
    /// Usage or configuration.
    Usage,
    /// The plan is complete, but too many samples failed.
    TooManyFailed,
    /// Stopped early with work left: run the same command again.
    WorkLeft,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Complete => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::TooManyFailed => 3,
            Exit::WorkLeft => 75,
        }
    }

    /// The exit with this code.
    pub fn of_code(code: u8) -> Self {
        [Exit::Complete, Exit::Usage, Exit::TooManyFailed, Exit::WorkLeft]
            .into_iter()
            .find(|exit| exit.code() == code)
            .unwrap_or(Exit::Failure)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Loads a configuration; prints what is wrong with it.
pub fn load(given: &Given) -> Result<Loaded, Exit> {
    given.load().map_err(|error| {
        tell(&error.render(colour()));
        Exit::Usage
    })
}

/// Prints an error the way all commands do.
pub fn complain(error: &dyn std::error::Error) {
    tell(&format!("error: {error}"));
}

/// A line on stderr in one write: ranks share it, and `eprintln!` writes piece by piece, into each other's lines.
pub fn tell(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Writes results to stdout. A closed pipe is the reader's choice, not an error.
pub fn print(text: &str) -> Exit {
    match try_print(text) {
        Ok(_) => Exit::Complete,
        Err(exit) => exit,
    }
}

/// As [`print`], for those who go on printing: false when nobody reads any more.
pub fn try_print(text: &str) -> Result<bool, Exit> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            tell(&format!("error: cannot write to stdout: {error}"));
            Err(Exit::Failure)
        }
    }
}

/// Rows of text, padded into columns. Control characters are escaped: cells come from other people's tables, and a
/// terminal would obey them.
pub fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(|row| line(row) + "\n").collect()
}

fn printable(cell: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    if cell.chars().any(char::is_control) { cell.chars().map(escape).collect() } else { cell.to_owned() }
}

/// One word of a shell's line.
pub fn shell_word(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|one| one.is_ascii_alphanumeric() || "=/._-:,@%+".contains(one));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
