//! Why there is no MPI, or no more.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Class;

/// An MPI that failed. Nothing depends on MPI but the balance of the work and one exit code for all: the caller goes on
/// without it.
#[derive(Debug, thiserror::Error)]
pub enum MpiError {
    #[error(
        "the MPI helper {path} cannot be started: {source}; install `clipmill-mpi` beside `clipmill`, or name it in CLIPMILL_MPI_HELPER"
    )]
    Start { path: PathBuf, source: std::io::Error },
    #[error("this clipmill was built without MPI (cargo feature `mpi`)")]
    NotBuilt,
    #[error("MPI{} did not get through {step}: {how}{}", of(.library), quoted(.stderr))]
    Died { library: Option<String>, step: &'static str, how: String, stderr: String },
    #[error("MPI{} did not answer {step} within {} s{}", of(.library), .after.as_secs(), quoted(.stderr))]
    Timeout { library: Option<String>, step: &'static str, after: Duration, stderr: String },
    #[error("the MPI helper broke its protocol in {step}: {what}")]
    Protocol { step: &'static str, what: String },
    #[error("MPI is gone since an earlier failure: {why}")]
    Gone { why: String },
}

impl MpiError {
    /// Never more than MPI itself: none of these may cost a sample, a shard or a rank.
    pub fn class(&self) -> Class {
        Class::Retry
    }

    /// The library that was at work, where it got as far as to say.
    pub(crate) fn library(&self) -> Option<&str> {
        match self {
            MpiError::Died { library, .. } | MpiError::Timeout { library, .. } => library.as_deref(),
            _ => None,
        }
    }
}

fn of(library: &Option<String>) -> String {
    library.as_ref().map(|name| format!(" ({name})")).unwrap_or_default()
}

fn quoted(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it said: {stderr}") }
}
