//! Checks committed shards against their commit records.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{InspectError, inspect};
use crate::ledger::Plan;
use crate::sample::{KeyFormat, Status, hex};
use crate::sink::outcomes::{SampleOutcome, read_outcomes, row_key};
use crate::sink::stats::Stats;
use crate::sink::stored::StoredError;

/// Something that is not as the commit record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub file: String,
    pub what: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct VerifyReport {
    /// Shards of the plan.
    pub shards: u64,
    pub committed: u64,
    /// Rows of the committed shards.
    pub rows: u64,
    pub successes: u64,
    pub bytes: u64,
    /// Every checksum and member was read.
    pub full: bool,
    pub findings: Vec<Finding>,
}

/// Checks every committed shard of `output`: sizes, and with `full` every checksum, member, key and sidecar row.
pub fn verify(output: &Path, plan: &Plan, full: bool) -> VerifyReport {
    let keys = plan.keys();
    let checked: Vec<Shard> = (0..plan.shards())
        .into_par_iter()
        .map(|id| {
            let mut shard = Shard {
                output,
                keys,
                id,
                name: plan.shard_name(id),
                named: plan.is_named(),
                holds_media: !plan.is_named() && plan.setting("job.encode_formats") != Some("{}"),
                stats: None,
                findings: Vec::new(),
            };
            shard.check(plan.rows_in(id), full);
            shard
        })
        .collect();
    let mut report = VerifyReport { shards: plan.shards(), full, ..VerifyReport::default() };
    for shard in checked {
        report.findings.extend(shard.findings);
        let Some(stats) = shard.stats else { continue };
        report.committed += 1;
        report.rows += stats.counts.count;
        report.successes += stats.counts.successes;
        report.bytes += stats.clipmill.record.files.values().map(|file| file.bytes).sum::<u64>();
    }
    report
}

struct Shard<'a> {
    output: &'a Path,
    keys: KeyFormat,
    id: u64,
    name: String,
    /// Its rows are not planned: they are what the commit record says, under keys of their own.
    named: bool,
    /// A sample without media is a finding: a tar may come without media, or a job be asked to go on without.
    holds_media: bool,
    stats: Option<Stats>,
    findings: Vec<Finding>,
}

impl Shard<'_> {
    fn find(&mut self, file: &str, what: impl Into<String>) {
        self.findings.push(Finding { file: file.to_owned(), what: what.into() });
    }

    fn check(&mut self, rows: u32, full: bool) {
        let record = format!("{}_stats.json", self.name);
        let bytes = match std::fs::read(self.output.join(&record)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.find(&record, format!("cannot be read: {error}")),
        };
        let stats: Stats = match serde_json::from_slice(&bytes) {
            Ok(stats) => stats,
            Err(error) => return self.find(&record, format!("is not a whole commit record: {error}")),
        };
        let rows = if self.named { u32::try_from(stats.counts.count).unwrap_or(u32::MAX) } else { rows };
        if stats.counts.count != u64::from(rows) {
            self.find(&record, format!("accounts for {} rows; the plan has {rows}", stats.counts.count));
        }
        for (file, recorded) in &stats.clipmill.record.files {
            match std::fs::metadata(self.output.join(file)) {
                Err(error) => self.find(file, format!("cannot be found: {error}")),
                Ok(meta) if meta.len() != recorded.bytes => {
                    self.find(file, format!("has {} bytes; the commit record says {}", meta.len(), recorded.bytes));
                }
                Ok(_) => {}
            }
        }
        if full && self.findings.is_empty() {
            self.check_bytes(&stats);
            // A shard of `output_format: dummy` has its counts alone.
            if !stats.clipmill.record.files.is_empty() {
                self.check_samples(rows, &stats);
            }
        }
        self.stats = Some(stats);
    }

    fn check_bytes(&mut self, stats: &Stats) {
        for (file, recorded) in &stats.clipmill.record.files {
            match sha256(&self.output.join(file)) {
                Err(error) => self.find(file, format!("cannot be read: {error}")),
                Ok(sum) if sum != recorded.sha256 => {
                    self.find(file, format!("has SHA-256 {sum}; the commit record says {}", recorded.sha256));
                }
                Ok(_) => {}
            }
        }
    }

    /// Every row exactly once in the sidecar; every member belongs to a row; every success has its media.
    fn check_samples(&mut self, rows: u32, stats: &Stats) {
        let sidecar = format!("{}.parquet", self.name);
        let bytes = match std::fs::read(self.output.join(&sidecar)) {
            Ok(bytes) => bytes,
            Err(error) => return self.find(&sidecar, format!("cannot be read: {error}")),
        };
        let outcomes = match read_outcomes(bytes) {
            Ok(outcomes) => outcomes,
            Err(error) => return self.find(&sidecar, format!("cannot be read: {error}")),
        };
        let mut statuses = BTreeMap::new();
        for SampleOutcome { key, status, .. } in outcomes {
            if statuses.contains_key(&key) {
                self.find(&sidecar, format!("has sample {key} twice"));
            }
            statuses.insert(key, status);
        }
        if self.named {
            self.check_kept(&sidecar, statuses.len() as u64, stats);
        } else {
            self.check_rows(&sidecar, &statuses, rows);
        }
        let Some(file) = stats.clipmill.record.files.keys().find(|file| **file != sidecar) else {
            return self.find(&sidecar, "stands alone: the commit record names no file with samples");
        };
        match inspect(&self.output.join(file)) {
            Ok(samples) => self.compare(file, &statuses, &samples),
            Err(InspectError::Stored(StoredError::Damaged { reason, .. })) => {
                self.find(file, format!("is damaged: {reason}"));
            }
            Err(error) => self.find(file, error.to_string()),
        }
    }

    fn check_rows(&mut self, sidecar: &str, statuses: &BTreeMap<String, String>, rows: u32) {
        let accounted: HashSet<&str> = statuses.keys().map(|key| row_key(key)).collect();
        for row in 0..rows {
            let key = self.keys.sample(self.id, row);
            if !accounted.contains(key.as_str()) {
                self.find(sidecar, format!("has no row for sample {key}"));
            }
        }
        if accounted.len() as u64 > u64::from(rows) {
            self.find(sidecar, format!("has {} samples; the plan has {rows}", accounted.len()));
        }
    }

    /// Keys that came with the input say nothing of rows; the commit record counts what was written.
    fn check_kept(&mut self, sidecar: &str, samples: u64, stats: &Stats) {
        if samples != stats.counts.outputs {
            let written = stats.counts.outputs;
            self.find(sidecar, format!("has {samples} samples; the commit record says {written}"));
        }
    }

    fn compare(&mut self, file: &str, statuses: &BTreeMap<String, String>, samples: &[super::SampleEntry]) {
        let mut seen = HashSet::new();
        for sample in samples {
            if !seen.insert(sample.key.as_str()) {
                self.find(file, format!("holds sample {} twice", sample.key));
            }
            match statuses.get(&sample.key) {
                None => self.find(file, format!("holds sample {}, which the sidecar does not have", sample.key)),
                Some(status) if sample.meta.get("status").and_then(|s| s.as_str()) != Some(status) => {
                    self.find(file, format!("and the sidecar disagree about the status of sample {}", sample.key));
                }
                Some(status) => {
                    let media = sample.members.iter().any(|(ext, _)| ext != "json" && ext != "txt");
                    if status == Status::Success.as_str() && !media && self.holds_media {
                        self.find(file, format!("has no media for sample {}", sample.key));
                    }
                }
            }
        }
        for (key, status) in statuses {
            if status == Status::Success.as_str() && !seen.contains(key.as_str()) {
                self.find(file, format!("lacks sample {key}, a success"));
            }
        }
    }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&block[..n]),
        }
    }
}
