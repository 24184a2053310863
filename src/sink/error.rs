//! Errors of the sink.

use std::io;

use crate::error::Class;

/// Why a shard could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    #[error("cannot write {path}: {source}{}", advice(source))]
    Write { path: String, source: io::Error },
    #[error("cannot build the sidecar {path}: {source}")]
    Sidecar { path: String, source: parquet::errors::ParquetError },
    #[error("cannot make {path}: {reason}")]
    Render { path: String, reason: String },
    #[error("a sample cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the progress record {path} cannot be read: {reason}")]
    Journal { path: String, reason: String },
}

impl SinkError {
    pub fn class(&self) -> Class {
        match self {
            SinkError::Ledger(error) => error.class(),
            SinkError::Write { source, .. } if is_full(source) => Class::Job,
            SinkError::Write { .. }
            | SinkError::Sidecar { .. }
            | SinkError::Render { .. }
            | SinkError::Json(_)
            | SinkError::Journal { .. } => Class::Shard,
        }
    }
}

/// The file system has no room, or we may not write: no shard can succeed.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied)
}

fn advice(error: &io::Error) -> &'static str {
    if is_full(error) {
        "; free space (or your quota) there and run the same command again: it goes on where it stopped"
    } else {
        ""
    }
}
