//! The rows of a shard that is being written: their JSON, kept until the sidecar is made.
//!
//! The lines live in memory; a checkpoint appends the new ones to a file, so that a short shard never creates it.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::SinkError;
use crate::ledger::storage::StorageFile;

/// One output sample's line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// The row that it came of.
    pub row: u32,
    /// Bytes received for the row; 0 on its further outputs.
    pub bytes: u64,
    pub meta: Map<String, Value>,
}

/// Lines in memory and, from the first checkpoint on, in a file.
#[derive(Debug, Default)]
pub struct Journal {
    lines: Vec<u8>,
    hasher: Sha256,
    saved: usize,
}

impl Journal {
    pub fn push(&mut self, line: &Line) -> Result<(), SinkError> {
        serde_json::to_writer(&mut self.lines, line)?;
        self.lines.push(b'\n');
        Ok(())
    }

    /// Takes over what an earlier attempt saved.
    pub fn restore(lines: Vec<u8>) -> Self {
        let hasher = Sha256::new_with_prefix(&lines);
        let saved = lines.len();
        Self { lines, hasher, saved }
    }

    /// Appends what the file has not yet; returns the file's length and SHA-256.
    pub fn save(&mut self, file: &mut dyn StorageFile) -> io::Result<(u64, [u8; 32])> {
        let new = &self.lines[self.saved..];
        file.write_all(new)?;
        self.hasher.update(new);
        self.saved = self.lines.len();
        Ok((self.saved as u64, self.hasher.clone().finalize().into()))
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Hands every line to `each`, in order.
    pub fn for_each(&self, path: &str, mut each: impl FnMut(Line) -> Result<(), SinkError>) -> Result<(), SinkError> {
        for line in self.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = serde_json::from_slice(line)
                .map_err(|error| SinkError::Journal { path: path.to_owned(), reason: error.to_string() })?;
            each(line)?;
        }
        Ok(())
    }
}
