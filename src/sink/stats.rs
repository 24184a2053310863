//! `_stats.json`: video2dataset's fields, and clipmill's beside them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::journal::Line;
use crate::ledger::CommitRecord;
use crate::sample::Status;

/// Counts over one shard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Input rows.
    pub count: u64,
    /// Input rows of which at least one output succeeded (video2dataset counts source videos, not clips).
    pub successes: u64,
    pub failed_to_download: u64,
    pub failed_to_subsample: u64,
    pub filtered: u64,
    /// Output samples written as members.
    pub outputs: u64,
    pub bytes_downloaded: u64,
    /// `success` or failure class to number of rows.
    pub status_dict: BTreeMap<String, u64>,
    #[serde(skip)]
    last_row: Option<u32>,
}

impl Counts {
    /// Counts one output sample; rows are counted by their first output.
    pub fn add(&mut self, line: &Line) {
        self.bytes_downloaded += line.bytes;
        self.outputs += 1;
        if self.last_row == Some(line.row) {
            return;
        }
        self.last_row = Some(line.row);
        self.count += 1;
        let text = |field: &str| line.meta.get(field).and_then(serde_json::Value::as_str);
        let status = text("status").unwrap_or_default();
        match status {
            s if s == Status::Success.as_str() => self.successes += 1,
            s if s == Status::FailedToDownload.as_str() => self.failed_to_download += 1,
            s if s == Status::FailedToSubsample.as_str() => self.failed_to_subsample += 1,
            _ => self.filtered += 1,
        }
        let cause = text("error_class").unwrap_or(status).to_owned();
        *self.status_dict.entry(cause).or_default() += 1;
    }
}

/// Seconds that a shard's attempt spent, by stage. Stages overlap, so they need not add up to the duration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Transfers, summed over all that ran side by side.
    pub fetch: f64,
    /// Writing and hashing the tar.
    pub write: f64,
    /// Sidecar, flush to disk.
    pub finish: f64,
}

/// Who wrote a shard: stays out of the payload, so that the payload is the same whoever writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Writer {
    pub host: String,
    pub rank: u32,
    pub world: u32,
    /// Job id as `slurm:1234`.
    pub job: Option<String>,
    /// Starts of the job before this one.
    pub restart: u32,
}

/// The commit record: its presence, valid, is "done".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    #[serde(flatten)]
    pub counts: Counts,
    /// Seconds from the attempt's start to its end.
    pub duration: f64,
    /// Unix seconds.
    pub start_time: f64,
    pub end_time: f64,
    pub clipmill: Provenance,
}

/// clipmill's own part of the commit record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// What the ledger needs: format, plan, attempt, files with size and checksum.
    #[serde(flatten)]
    pub record: CommitRecord,
    pub clipmill_version: String,
    pub config_hash: String,
    pub shard: u64,
    /// Rows taken over from an earlier attempt.
    pub resumed_rows: u32,
    pub seconds: Seconds,
    pub writer: Writer,
}

/// Unix seconds of `time`.
pub fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_counted_once_whatever_they_became() {
        let mut counts = Counts::default();
        let lines = [
            json!({"row": 0, "bytes": 10, "meta": {"status": "success"}}),
            json!({"row": 0, "bytes": 0, "meta": {"status": "success"}}),
            json!({"row": 1, "bytes": 5, "meta": {"status": "failed_to_download", "error_class": "http_404"}}),
        ];
        for line in lines {
            counts.add(&serde_json::from_value(line).unwrap());
        }
        assert_eq!((counts.count, counts.successes, counts.failed_to_download, counts.outputs), (2, 1, 1, 3));
        assert_eq!(counts.bytes_downloaded, 15);
        assert_eq!(counts.status_dict, BTreeMap::from([("http_404".into(), 1), ("success".into(), 1)]));
    }
}
