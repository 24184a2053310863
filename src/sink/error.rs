//! Errors of the sink.

use std::io;
use std::path::PathBuf;

use crate::error::Class;

/// Why a shard could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error(transparent)]
    Storage(#[from] crate::ledger::storage::StorageError),
    #[error("cannot write {}: {source}{}", path.display(), advice(source))]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot build the sidecar {}: {source}", path.display())]
    Sidecar { path: PathBuf, source: parquet::errors::ParquetError },
    #[error("a sample cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a progress record of {} cannot be read: {reason}", path.display())]
    Journal { path: PathBuf, reason: String },
}

impl SinkError {
    pub fn class(&self) -> Class {
        match self {
            SinkError::Storage(error) => error.class(),
            SinkError::Write { source, .. } if is_full(source) => Class::Job,
            SinkError::Write { .. } | SinkError::Sidecar { .. } | SinkError::Json(_) | SinkError::Journal { .. } => {
                Class::Shard
            }
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
