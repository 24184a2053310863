//! `_stats.json`: video2dataset's fields, and clipmill's beside them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::journal::Line;
use crate::ledger::CommitRecord;
use crate::sample::Status;
use crate::sample::Usage;

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
    last_row: Option<(u32, String)>,
}

impl Counts {
    /// Counts one output sample. A row counts once: as a success if any output is one, else as its first output.
    pub fn add(&mut self, line: &Line) {
        self.bytes_downloaded += line.bytes;
        self.outputs += 1;
        let text = |field: &str| line.meta.get(field).and_then(serde_json::Value::as_str);
        let status = text("status").unwrap_or_default();
        let cause = text("error_class").unwrap_or(status);
        match &self.last_row {
            Some((row, _)) if *row != line.row => {}
            Some((_, before)) if status == Status::Success.as_str() && before != status => self.take_back(),
            Some(_) => return,
            None => {}
        }
        self.last_row = Some((line.row, cause.to_owned()));
        self.count += 1;
        *self.of_status(status) += 1;
        *self.status_dict.entry(cause.to_owned()).or_default() += 1;
    }

    fn of_status(&mut self, status: &str) -> &mut u64 {
        match status {
            s if s == Status::Success.as_str() => &mut self.successes,
            s if s == Status::FailedToDownload.as_str() => &mut self.failed_to_download,
            s if s == Status::FailedToSubsample.as_str() => &mut self.failed_to_subsample,
            _ => &mut self.filtered,
        }
    }

    /// The row's first outputs were filtered out, and a later one is a success. (Failed rows have one output.)
    fn take_back(&mut self) {
        self.count -= 1;
        self.filtered = self.filtered.saturating_sub(1);
        if let Some((_, cause)) = &self.last_row
            && let Some(number) = self.status_dict.get_mut(cause)
        {
            *number -= 1;
            if *number == 0 {
                self.status_dict.remove(&cause.clone());
            }
        }
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
    /// On which processors the rows of this attempt were made; none where the job wanted no GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Usage>,
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
