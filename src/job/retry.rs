//! What a rewrite of a committed shard keeps: every sample whose failure would not pass, and every success.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};

use super::JobError;
use super::rank::Rank;
use crate::ledger::Lease;
use crate::ledger::storage::StorageError;
use crate::sample::{Failure, KeyFormat, Payload, Row, SharedFile, Status, Usage};
use crate::sink::outcomes::{read_outcomes, row_key};
use crate::sink::reader::{MemberAt, TarReader};
use crate::sink::{Finished, Member, OutputSample, SampleFormat};

/// The rows of a committed shard that are written again as they are.
pub fn keep(rank: &Rank, lease: &Lease, rows: &[Row]) -> Result<Vec<Finished>, JobError> {
    let old = match Committed::open(rank, lease.name()) {
        Ok(old) => old,
        Err(JobError::Unreadable { shard, reason }) => {
            tracing::warn!("shard {shard} cannot be read back ({reason}); all of its samples are fetched again");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let keys: KeyFormat = rank.work.plan.keys();
    let kept =
        rows.iter().filter_map(|row| old.finished(&keys.sample(lease.shard(), row.index), row, &rank.feeder.format));
    Ok(kept.collect())
}

/// A committed shard, read back.
struct Committed {
    failures: HashMap<String, (Status, Failure)>,
    /// Row key to its successful outputs, in order.
    outputs: Outputs,
    file: SharedFile,
}

/// Row key to the metadata and members of each of its outputs.
type Outputs = HashMap<String, Vec<(Map<String, Value>, Vec<MemberAt>)>>;

impl Committed {
    fn open(rank: &Rank, name: &str) -> Result<Self, JobError> {
        let unreadable = |reason: String| JobError::Unreadable { shard: name.to_owned(), reason };
        let there = |error: StorageError| match error.is_not_found() {
            true => unreadable(error.to_string()),
            false => error.into(),
        };
        let sidecar = rank.work.storage.read(&format!("{name}.parquet")).map_err(there)?;
        let outcomes = read_outcomes(sidecar).map_err(|error| unreadable(error.to_string()))?;
        let failures = outcomes.into_iter().filter_map(|outcome| {
            let key = outcome.row_key().to_owned();
            let status = match outcome.status.as_str() {
                "failed_to_subsample" => Status::FailedToSubsample,
                _ => Status::FailedToDownload,
            };
            outcome.failure.map(|failure| (key, (status, failure)))
        });
        let failures = failures.collect();
        let file = rank.work.storage.open(&format!("{name}.tar")).map_err(there)?;
        let mut reader = TarReader::new(Box::new(file) as Box<dyn crate::sample::ReadSeek>)
            .map_err(|error| unreadable(error.to_string()))?;
        let outputs = read_outputs(&mut reader).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { failures, outputs, file: Arc::new(Mutex::new(reader.into_inner())) })
    }

    fn finished(&self, key: &str, row: &Row, format: &SampleFormat) -> Option<Finished> {
        let outputs = match (self.failures.get(key), self.outputs.get(key)) {
            (Some((_, failure)), _) if failure.class.is_transient() => return None,
            (Some((status, failure)), _) => vec![format.failed(key, row, *status, failure.clone())],
            (None, Some(outputs)) => outputs.iter().map(|(meta, members)| self.success(meta, members)).collect(),
            (None, None) => return None,
        };
        // Nothing is received for it now, but the shard's count of bytes stays what it was.
        let bytes_received = outputs.iter().flat_map(|output| &output.members).map(|m| m.payload.len()).sum();
        Some(Finished { index: row.index, outputs, bytes_received, usage: Usage::default(), room: None })
    }

    fn success(&self, meta: &Map<String, Value>, members: &[MemberAt]) -> OutputSample {
        let text = meta.get("caption").map(|caption| caption.as_str().unwrap_or_default().to_owned());
        let media = members.iter().filter(|member| !["json", "txt"].contains(&member.extension.as_str()));
        let members = media.map(|member| Member {
            extension: member.extension.clone(),
            payload: Payload::region(Arc::clone(&self.file), member.offset, member.len),
        });
        let is_filtered = meta.get("status").and_then(Value::as_str) == Some(Status::Filtered.as_str());
        let status = if is_filtered { Status::Filtered } else { Status::Success };
        OutputSample { meta: meta.clone(), status, failure: None, text, members: members.collect() }
    }
}

fn read_outputs(
    reader: &mut TarReader<Box<dyn crate::sample::ReadSeek>>,
) -> Result<Outputs, Box<dyn std::error::Error>> {
    let mut outputs = Outputs::new();
    let mut last_key = String::new();
    while let Some(member) = reader.next_member()? {
        let of_row = outputs.entry(row_key(&member.key).to_owned()).or_default();
        if member.key != last_key {
            of_row.push((Map::new(), Vec::new()));
            last_key.clone_from(&member.key);
        }
        let Some((meta, members)) = of_row.last_mut() else { continue };
        if member.extension == "json" {
            *meta = serde_json::from_slice(&reader.read(&member)?)?;
        }
        members.push(member);
    }
    Ok(outputs)
}
