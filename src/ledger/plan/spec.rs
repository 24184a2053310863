//! What a plan is made from, and what tells two of them apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sample::ColumnKind;

/// A column of the table, as the planner is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    pub name: String,
    /// `None`: found out from the cells.
    pub fixed: Option<ColumnKind>,
}

impl ColumnSpec {
    /// A column whose cells stay text, whatever they look like (`url`, `caption`).
    pub fn text(name: impl Into<String>) -> Self {
        Self { name: name.into(), fixed: Some(ColumnKind::String) }
    }

    /// A column whose kind is found out.
    pub fn inferred(name: impl Into<String>) -> Self {
        Self { name: name.into(), fixed: None }
    }
}

/// Everything but the rows that decides what the shards hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSpec {
    pub number_sample_per_shard: u32,
    pub oom_shard_count: u32,
    /// In the order of the rows' cells.
    pub columns: Vec<ColumnSpec>,
    /// The parts of the config that change the output, by their key (`subsampling`, `job.encode_formats`), as JSON text.
    pub config: BTreeMap<String, String>,
    /// The job that plans.
    pub created_by: Option<String>,
}

/// An input file, as found on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFingerprint {
    /// As the config names it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Time of last modification, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Hex, of the whole content. `None` where nobody has read it all yet: then size and time stand for it.
    pub sha256: Option<String>,
}

impl InputFingerprint {
    /// Whether both are the same content, as far as can be told.
    pub(super) fn differs(&self, now: &InputFingerprint) -> Option<String> {
        if self.size != now.size {
            return Some(format!("planned with {} bytes, now {}", self.size, now.size));
        }
        match (&self.sha256, &now.sha256) {
            (Some(planned), Some(now)) => (planned != now).then(|| "its content changed".to_owned()),
            _ => (self.mtime_ns != now.mtime_ns).then(|| "it was modified".to_owned()),
        }
    }
}

/// Rows of one input that were planned together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub first_shard: u64,
    pub shards: u64,
    pub rows: u64,
}

/// An input file in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    #[serde(flatten)]
    pub fingerprint: InputFingerprint,
    /// One, and one more for each time that the file had grown.
    pub parts: Vec<Part>,
}

impl Input {
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }
}
