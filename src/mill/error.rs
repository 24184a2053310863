//! What stops the pool rather than a sample.

use std::io;
use std::path::PathBuf;

use crate::error::Class;
use crate::gpu::Missing;

/// What stops the pool rather than a sample.
#[derive(Debug, thiserror::Error)]
pub enum MillError {
    #[error(
        "there is no media worker at {path}: install clipmill-worker beside clipmill, or set CLIPMILL_WORKER to its path"
    )]
    Missing { path: PathBuf },
    #[error("cannot start the media worker {path}: {source}")]
    Start { path: PathBuf, source: io::Error },
    #[error("the media worker {path} ends before its first word ({how}); its stderr: {stderr}")]
    Died { path: PathBuf, how: String, stderr: String },
    #[error(
        "the media worker {path} is of another version ({theirs}) than this program ({ours}): install both together"
    )]
    Version { path: PathBuf, theirs: String, ours: String },
    #[error("distribution.gpu is `required`, and {0}")]
    Gpu(Missing),
    #[error("cannot hand media to the worker: {source}; is memory, or the scratch folder {scratch}, full?")]
    Handover { scratch: PathBuf, source: io::Error },
}

impl MillError {
    pub fn class(&self) -> Class {
        match self {
            // Too many processes or descriptors at this moment.
            Self::Start { source, .. } if source.kind() == io::ErrorKind::WouldBlock => Class::Retry,
            Self::Gpu(_) | Self::Missing { .. } | Self::Start { .. } | Self::Died { .. } | Self::Version { .. } => {
                Class::Job
            }
            Self::Handover { .. } => Class::Shard,
        }
    }
}
