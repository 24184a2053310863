//! The samples of one shard.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::sink::reader::{ReadTarError, TarReader};

/// One sample of a shard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleEntry {
    pub key: String,
    /// Extension to bytes, in the tar's order.
    pub members: Vec<(String, u64)>,
    /// Its JSON member; empty where it has none.
    pub meta: Map<String, Value>,
}

/// Why a shard cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged: {source}", path.display())]
    Damaged { path: PathBuf, source: ReadTarError },
    #[error("{}: the JSON of sample {key} cannot be read: {source}", path.display())]
    Json { path: PathBuf, key: String, source: serde_json::Error },
}

/// Reads the metadata of every sample of a tar shard; media is not read.
pub fn inspect(path: &Path) -> Result<Vec<SampleEntry>, InspectError> {
    let damaged = |source| InspectError::Damaged { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| InspectError::Open { path: path.to_owned(), source })?;
    let mut reader = TarReader::new(file).map_err(damaged)?;
    let mut samples: Vec<SampleEntry> = Vec::new();
    while let Some(member) = reader.next_member().map_err(damaged)? {
        if samples.last().is_none_or(|last| last.key != member.key) {
            samples.push(SampleEntry { key: member.key.clone(), members: Vec::new(), meta: Map::new() });
        }
        let Some(sample) = samples.last_mut() else { continue };
        if member.extension == "json" {
            let bytes = reader.read(&member).map_err(damaged)?;
            sample.meta = serde_json::from_slice(&bytes).map_err(|source| InspectError::Json {
                path: path.to_owned(),
                key: member.key.clone(),
                source,
            })?;
        }
        sample.members.push((member.extension, member.len));
    }
    Ok(samples)
}
