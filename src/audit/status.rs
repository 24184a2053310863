//! How far a job is, from its files alone: no scheduler is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::ledger::storage::Storage;
use crate::ledger::{LedgerError, Plan, survey};
use crate::sample::Usage;
use crate::sink::stats::Stats;

/// A shard that a rank has open.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Running {
    pub shard: String,
    pub attempt: u32,
    pub host: String,
    pub rank: u32,
    pub job: Option<String>,
    /// Rows written at the last checkpoint.
    pub rows_done: u32,
    pub rows: u32,
    /// Drained: waits for another start.
    pub released: bool,
}

/// A job's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StatusReport {
    pub shards: u64,
    pub committed: u64,
    pub rows: u64,
    /// False where rows are counted shard by shard, as inputs are opened: `rows` are then those of committed shards.
    pub rows_known: bool,
    /// Rows of committed shards.
    pub rows_done: u64,
    pub successes: u64,
    pub failed: u64,
    /// Rows of which nothing is wanted, by the job's own filter: no failures.
    pub filtered: u64,
    pub bytes: u64,
    /// Seconds from the first committed shard's start to the last one's end.
    pub seconds: f64,
    /// Hosts that committed shards.
    pub nodes: BTreeSet<String>,
    /// `success` or failure class to rows.
    pub causes: BTreeMap<String, u64>,
    /// On which processors flows were computed and videos decoded, where the job wanted a GPU.
    pub gpu: Usage,
    pub running: Vec<Running>,
    /// Commit records that cannot be read.
    pub damaged: Vec<String>,
    /// Rows that a rerun with `incremental_mode: retry_failed` would fetch again.
    pub retryable: u64,
}

/// Reads plan, commit records and leases of `output`.
pub fn status(output: &Path, storage: &dyn Storage, plan: &Plan) -> Result<StatusReport, LedgerError> {
    let records: Vec<(String, Option<Option<Stats>>)> = (0..plan.shards())
        .into_par_iter()
        .map(|id| {
            let name = plan.shard_name(id);
            let read = std::fs::read(output.join(format!("{name}_stats.json")));
            (name, read.ok().map(|bytes| serde_json::from_slice(&bytes).ok()))
        })
        .collect();
    let mut report = StatusReport {
        shards: plan.shards(),
        rows: plan.rows(),
        rows_known: !plan.is_named(),
        ..StatusReport::default()
    };
    let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
    for (name, record) in records {
        match record {
            None => {}
            Some(None) => report.damaged.push(name),
            Some(Some(stats)) => {
                (first, last) = (first.min(stats.start_time), last.max(stats.end_time));
                report.add(stats);
            }
        }
    }
    if !report.rows_known {
        // What is not opened yet has rows that nobody has counted.
        report.rows = report.rows_done;
    }
    report.seconds = (last - first).max(0.0);
    report.running = running(storage, plan)?;
    Ok(report)
}

impl StatusReport {
    /// What `rows` rows would take, going by the rows done so far: bytes and node-hours. None before the first shard.
    ///
    /// Nodes count from the first shard's start to the last one's end, idle time between two starts included, so a job
    /// that was stopped for a while seems slower than it is.
    pub fn project(&self, rows: u64) -> Option<(u64, f64)> {
        if self.rows_done == 0 || self.seconds <= 0.0 {
            return None;
        }
        let share = rows as f64 / self.rows_done as f64;
        let node_hours = self.nodes.len() as f64 * self.seconds / 3600.0;
        Some(((self.bytes as f64 * share) as u64, node_hours * share))
    }

    fn add(&mut self, stats: Stats) {
        self.committed += 1;
        self.rows_done += stats.counts.count;
        self.successes += stats.counts.successes;
        let good = stats.counts.successes + stats.counts.filtered;
        self.filtered += stats.counts.filtered;
        self.failed += stats.counts.count - good.min(stats.counts.count);
        self.bytes += stats.counts.bytes_downloaded;
        self.gpu.add(&stats.clipmill.gpu.unwrap_or_default());
        self.nodes.insert(stats.clipmill.writer.host);
        for (cause, n) in stats.counts.status_dict {
            if crate::sample::FailureClass::parse(&cause).is_some_and(|class| class.is_transient()) {
                self.retryable += n;
            }
            *self.causes.entry(cause).or_default() += n;
        }
    }
}

fn running(storage: &dyn Storage, plan: &Plan) -> Result<Vec<Running>, LedgerError> {
    let leases = survey(storage, plan)?.into_iter().map(|lease| Running {
        shard: plan.shard_name(lease.shard),
        attempt: lease.attempt,
        host: lease.owner.host,
        rank: lease.owner.rank,
        job: lease.owner.job,
        rows_done: lease.rows,
        rows: plan.rows_in(lease.shard),
        released: lease.released,
    });
    Ok(leases.collect())
}
