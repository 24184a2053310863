//! What can be wrong with a configuration, and where it was written.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::render;
use crate::error::Class;

/// Why a configuration cannot be used. Nothing has been written by then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the config {}: {reason}{}", path.display(), render::help_line(help.as_deref()))]
    Read { path: PathBuf, reason: io::Error, help: Option<String> },
    /// The file or an override says something that cannot be.
    #[error("{}", self.render(false))]
    Invalid(Report),
}

impl ConfigError {
    /// No error of the configuration passes by itself.
    pub fn class(&self) -> Class {
        Class::Job
    }

    /// The text for people: for each problem `file:line:column: message`, the line with a caret, and what to do.
    /// `colour` adds ANSI colours.
    pub fn render(&self, colour: bool) -> String {
        match self {
            ConfigError::Read { .. } => self.to_string(),
            ConfigError::Invalid(report) => render::report(&report.source, &report.problems, colour),
        }
    }

    pub(super) fn invalid(source: &Arc<Source>, problems: Vec<Problem>) -> Self {
        ConfigError::Invalid(Report { source: Arc::clone(source), problems })
    }
}

/// All problems that were found in one pass.
#[derive(Debug)]
pub struct Report {
    source: Arc<Source>,
    problems: Vec<Problem>,
}

/// The texts that a configuration was made from.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Source {
    /// As the user gave it, for messages.
    pub name: String,
    pub text: String,
    /// The `-o` arguments.
    pub overrides: Vec<String>,
}

/// One thing that is wrong, or that the user should know.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    /// Dotted; empty for the document itself.
    pub key: String,
    /// The key that it does not fit together with.
    pub other_key: Option<&'static str>,
    pub at: At,
    pub message: String,
    pub help: Option<String>,
}

impl Problem {
    pub fn new(key: impl Into<String>, at: At, message: impl Into<String>) -> Self {
        Self { key: key.into(), other_key: None, at, message: message.into(), help: None }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Where something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum At {
    /// A default, or the document as a whole.
    #[default]
    Nowhere,
    File(Span),
    /// The n-th `-o`.
    Override(usize),
}

/// A place in the file; line and column from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub line: u64,
    pub column: u64,
    pub len: u64,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}
