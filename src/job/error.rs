//! Errors of the run loop.

use std::io;
use std::path::PathBuf;

use crate::error::Class;
use crate::sink::SinkError;

/// Why a shard or the whole rank cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Source(#[from] crate::source::SourceError),
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    #[error(transparent)]
    Storage(#[from] crate::ledger::storage::StorageError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Fetch(#[from] crate::fetch::FetchSetupError),
    #[cfg(feature = "media")]
    #[error(transparent)]
    Mill(#[from] crate::mill::MillError),
    #[error(
        "cannot hold media in the scratch folder {}: {why}; free space there, or choose another folder with \
         `-o tmp_dir=...`", folder.display()
    )]
    Scratch { folder: PathBuf, why: String },
    #[error("this rank has too many files open: raise `ulimit -n`, or lower distribution.thread_count")]
    OpenFiles,
    /// Rows name pages of sites, and this machine has nothing to fetch them with.
    #[error(transparent)]
    Sites(crate::fetch::SiteSetupError),
    #[error("cannot start a thread: {source}; raise the limit on processes (`ulimit -u`)")]
    Thread { source: io::Error },
    #[error("cannot start the network runtime: {source}")]
    Runtime { source: io::Error },
    #[error("a task of this rank failed: {what}; please report this")]
    Task { what: String },
    #[error("the writer of shard {shard} ended without a word; please report this")]
    WriterGone { shard: String },
    #[error("the committed shard {shard} cannot be read back: {reason}; check it with `clipmill verify`")]
    Unreadable { shard: String, reason: String },
    #[error("the input of shard {shard} cannot be used: {reason}")]
    Input { shard: String, reason: String },
    /// The plan, the folder and the config do not go together.
    #[error("{message}")]
    Refused { message: String, usage: bool },
}

impl JobError {
    pub fn class(&self) -> Class {
        match self {
            JobError::Ledger(error) => error.class(),
            JobError::Storage(error) => error.class(),
            JobError::Sink(error) => error.class(),
            #[cfg(feature = "media")]
            JobError::Mill(error) => error.class(),
            JobError::WriterGone { .. }
            | JobError::Task { .. }
            | JobError::Unreadable { .. }
            | JobError::Input { .. } => Class::Shard,
            JobError::Source(_)
            | JobError::Fetch(_)
            | JobError::Scratch { .. }
            | JobError::OpenFiles
            | JobError::Sites(_)
            | JobError::Thread { .. }
            | JobError::Runtime { .. }
            | JobError::Refused { .. } => Class::Job,
        }
    }

    /// Whether the user has to change the command, the config or the input (exit code 2).
    pub fn is_usage(&self) -> bool {
        use crate::ledger::LedgerError::{ColumnChanged, Foreign, HalfOverwritten, Mismatch, NewerFormat};
        match self {
            JobError::Source(_) | JobError::Sites(_) | JobError::Refused { usage: true, .. } => true,
            JobError::Ledger(error) => matches!(
                error,
                ColumnChanged { .. } | Foreign { .. } | HalfOverwritten | Mismatch(_) | NewerFormat { .. }
            ),
            _ => false,
        }
    }
}
