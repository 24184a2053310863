//! Why the ledger could not do something.

use super::plan::Mismatch;
use super::storage::StorageError;
use crate::error::Class;

/// Result of a ledger operation.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// A failed ledger operation.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{path} is damaged: {what}; restore it, or start over with incremental_mode: overwrite")]
    Damaged { path: String, what: String },
    #[error("{path} was written by a newer clipmill (format {found}, this one knows {known}): use that version")]
    NewerFormat { path: String, found: u32, known: u32 },
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error("output_folder holds files that clipmill did not write and would replace: {}; move them away, or choose another output_folder", list(.files))]
    Foreign { files: Vec<String> },
    #[error(
        "another job is at work in output_folder (host {host}, pid {pid}, job {job}): let it end, or cancel it, before incremental_mode: overwrite"
    )]
    InUse { host: String, pid: u32, job: String },
    #[error("{file} is not a commit record of this attempt: {what}")]
    Record { file: String, what: String },
    #[error(
        "column `{column}` was planned as {planned}, and the new rows hold {now}; plan them into another output_folder"
    )]
    ColumnChanged { column: String, planned: String, now: String },
    #[error("a row has {found} cells, the plan has {expected} columns")]
    CellCount { expected: usize, found: usize },
    #[error("the lease state of shard {shard} does not fit its slot ({bytes} bytes)")]
    StateTooLarge { shard: String, bytes: usize },
    #[error("shard {shard} is not in the plan ({shards} shards)")]
    NoSuchShard { shard: u64, shards: u64 },
    #[error("cannot write {what} as JSON: {source}")]
    Json { what: &'static str, source: serde_json::Error },
    #[error("cannot compress rows for {path}: {source}")]
    Compress { path: String, source: std::io::Error },
    #[error("another process published the plan first")]
    PlannedByAnother,
    #[error(
        "an earlier incremental_mode: overwrite was cut short and left half of the old shards in output_folder: run it again with incremental_mode: overwrite"
    )]
    HalfOverwritten,
    #[error("this file system lets two processes create the same name: choose another output_folder")]
    NotExclusive,
}

impl LedgerError {
    /// How far it reaches.
    pub fn class(&self) -> Class {
        match self {
            LedgerError::Storage(error) => error.class(),
            LedgerError::PlannedByAnother => Class::Retry,
            LedgerError::Record { .. } | LedgerError::StateTooLarge { .. } | LedgerError::CellCount { .. } => {
                Class::Shard
            }
            LedgerError::Damaged { .. }
            | LedgerError::NewerFormat { .. }
            | LedgerError::Mismatch(_)
            | LedgerError::Foreign { .. }
            | LedgerError::InUse { .. }
            | LedgerError::HalfOverwritten
            | LedgerError::NotExclusive
            | LedgerError::ColumnChanged { .. }
            | LedgerError::NoSuchShard { .. }
            | LedgerError::Json { .. }
            | LedgerError::Compress { .. } => Class::Job,
        }
    }
}

/// Files named in one message.
const LISTED: usize = 10;

fn list(files: &[String]) -> String {
    let mut text = files.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if files.len() > LISTED {
        text.push_str(&format!(" and {} more", files.len() - LISTED));
    }
    text
}
