//! What committed shards hold, in numbers that add up.

use std::collections::BTreeMap;

/// Seconds by stage, in this order: transfers, writing the shard, flushing it to disk.
pub const STAGES: [&str; 3] = ["fetch", "write", "finish"];

/// One committed shard, or the sum of many.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers {
    pub shards: u64,
    /// Input rows. The next four add up to them.
    pub rows: u64,
    pub successes: u64,
    pub failed_to_download: u64,
    pub failed_to_subsample: u64,
    pub filtered: u64,
    /// Samples written, clips counted one by one.
    pub outputs: u64,
    /// Bytes downloaded.
    pub bytes: u64,
    /// `success` or failure class to rows.
    pub statuses: BTreeMap<String, u64>,
    /// The earliest start and the latest end, Unix seconds; none for the sum of nothing.
    pub span: Option<(f64, f64)>,
    /// Seconds by stage, as [`STAGES`]; stages overlap.
    pub stages: [f64; 3],
}

impl Numbers {
    /// Adds what `other` holds.
    pub fn add(&mut self, other: &Numbers) {
        self.shards += other.shards;
        self.rows += other.rows;
        self.successes += other.successes;
        self.failed_to_download += other.failed_to_download;
        self.failed_to_subsample += other.failed_to_subsample;
        self.filtered += other.filtered;
        self.outputs += other.outputs;
        self.bytes += other.bytes;
        for (status, rows) in &other.statuses {
            *self.statuses.entry(status.clone()).or_default() += rows;
        }
        self.span = match (self.span, other.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, two) => one.or(two),
        };
        for (mine, more) in self.stages.iter_mut().zip(other.stages) {
            *mine += more;
        }
    }

    /// Seconds from the earliest start to the latest end, never zero: it is divided by.
    pub fn seconds(&self) -> f64 {
        self.span.map_or(0.0, |(start, end)| end - start).max(1e-3)
    }

    /// A number of rows as a share of all.
    pub fn share(&self, rows: u64) -> f64 {
        rows as f64 / self.rows.max(1) as f64
    }
}
