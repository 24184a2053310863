//! The samples of one shard.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::sink::stored::{Stored, StoredError};

/// One sample of a shard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleEntry {
    pub key: String,
    /// Extension to bytes, in the file's order.
    pub members: Vec<(String, u64)>,
    /// Its JSON member; empty where it has none.
    pub meta: Map<String, Value>,
}

/// Why a shard cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Stored(#[from] StoredError),
    #[error("{}: the JSON of sample {key} cannot be read: {reason}", path.display())]
    Json { path: PathBuf, key: String, reason: String },
}

/// Reads the metadata of every sample of a shard, whatever its format; media is not read.
pub fn inspect(path: &Path) -> Result<Vec<SampleEntry>, InspectError> {
    let stored = Stored::open(path)?;
    let mut samples: Vec<SampleEntry> = Vec::new();
    for member in &stored.members {
        if samples.last().is_none_or(|last| last.key != member.key) {
            samples.push(SampleEntry { key: member.key.clone(), members: Vec::new(), meta: Map::new() });
        }
        let Some(sample) = samples.last_mut() else { continue };
        if member.extension == "json" {
            let failed = |reason| InspectError::Json { path: path.to_owned(), key: member.key.clone(), reason };
            let bytes = stored.read(member).map_err(|error| failed(error.to_string()))?;
            sample.meta = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
        }
        sample.members.push((member.extension.clone(), member.len));
    }
    Ok(samples)
}
