//! The plan: which rows are in which shard, pinned on disk before any work starts.

mod check;
mod foreign;
mod kinds;
mod overwrite;
mod publish;
mod segment;
mod spec;
mod writer;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use check::Mismatch;
pub use overwrite::overwrite;
pub use spec::{ColumnSpec, Input, InputFingerprint, Part, PlanSpec};
pub use writer::{ExtendInput, PlanWriter, Todo};

use super::error::{LedgerError, Result};
use super::names;
use super::storage::{Storage, found};
use crate::sample::hex;
use crate::sample::{Column, Failure, KeyFormat, Row};

/// Format of plan.json and of the segments.
pub const PLAN_VERSION: u32 = 2;

/// The format of a plan whose shards have no names of their own: older releases read it.
const NUMBERED_VERSION: u32 = 1;

/// plan.json.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PlanFile {
    version: u32,
    /// From 1; every extension adds one.
    revision: u32,
    hash: String,
    /// The revisions before, oldest first.
    previous: Vec<Revision>,
    shards: u64,
    rows: u64,
    number_sample_per_shard: u32,
    oom_shard_count: u32,
    columns: Vec<Column>,
    config: BTreeMap<String, String>,
    inputs: Vec<Input>,
    segments: Vec<Segment>,
    /// One for each shard, where shards keep their inputs' names; then no rows are planned: an input's own index holds
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    /// The job that wrote this revision.
    created_by: Option<String>,
    /// Random: tells two processes that planned the same apart.
    writer: String,
}

/// What a later revision remembers of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Revision {
    hash: String,
    /// Shards that it had.
    shards: u64,
}

/// A file of packed rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    file: String,
    first_shard: u64,
    shards: u64,
    sha256: String,
}

impl PlanFile {
    /// What decides the shards' content: not the inputs' names and times, nor who planned.
    fn content_hash(&self) -> Result<String> {
        let inputs: Vec<_> = self.inputs.iter().map(|input| (&input.fingerprint.sha256, &input.parts)).collect();
        let segments: Vec<_> = self.segments.iter().map(|segment| &segment.sha256).collect();
        let numbers = (self.version, self.number_sample_per_shard, self.oom_shard_count);
        let content = (numbers, &self.columns, &self.config, inputs, segments);
        let json = if self.names.is_empty() {
            serde_json::to_vec(&content)
        } else {
            // Nobody has read these inputs yet: size and time stand for what they hold.
            let pins = self.inputs.iter().map(|input| (input.fingerprint.size, input.fingerprint.mtime_ns));
            serde_json::to_vec(&(content, &self.names, pins.collect::<Vec<_>>()))
        };
        let json = json.map_err(|source| LedgerError::Json { what: "the plan", source })?;
        Ok(hex(&Sha256::digest(json)))
    }
}

/// A published plan.
#[derive(Debug)]
pub struct Plan {
    file: PlanFile,
    /// Read when first needed, one per segment.
    indexes: Vec<OnceLock<Vec<segment::Entry>>>,
    /// Shards by name, where they have names of their own.
    by_name: BTreeMap<String, u64>,
}

impl Plan {
    /// Reads the plan of an output folder; `None` if it has none.
    pub fn load(storage: &dyn Storage) -> Result<Option<Self>> {
        Self::load_from(storage, names::PLAN_FILE)
    }

    fn load_from(storage: &dyn Storage, path: &str) -> Result<Option<Self>> {
        let Some(bytes) = found(storage.read(path))? else { return Ok(None) };
        let damaged = |what: String| LedgerError::Damaged { path: path.to_owned(), what };
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if version > PLAN_VERSION {
            return Err(LedgerError::NewerFormat { path: path.to_owned(), found: version, known: PLAN_VERSION });
        }
        let file = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        Ok(Some(Self::new(file)))
    }

    fn new(file: PlanFile) -> Self {
        let indexes = file.segments.iter().map(|_| OnceLock::new()).collect();
        let by_name = (0..).zip(&file.names).map(|(shard, name)| (name.clone(), shard)).collect();
        Self { file, indexes, by_name }
    }

    /// A shard's name: its own, or its number.
    pub fn shard_name(&self, shard: u64) -> String {
        let own = usize::try_from(shard).ok().and_then(|at| self.file.names.get(at));
        own.cloned().unwrap_or_else(|| self.keys().shard(shard))
    }

    /// The shard that `name` is the name of, if the plan has it.
    pub fn shard_named(&self, name: &str) -> Option<u64> {
        if self.is_named() {
            return self.by_name.get(name).copied();
        }
        let shard = name.parse().ok().filter(|shard| *shard < self.shards())?;
        (self.keys().shard(shard) == name).then_some(shard)
    }

    /// Whether each shard stands for one whole input whose name it keeps. Its rows are then not in the plan: they are
    /// counted when the input is opened, and [`Plan::rows`] and [`Plan::rows_in`] say 0.
    pub fn is_named(&self) -> bool {
        !self.file.names.is_empty()
    }

    /// A key of the config that the plan was made with, as JSON text; none where it changes no output.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.file.config.get(key).map(String::as_str)
    }

    /// The position among the inputs of the one that a shard's rows come from.
    pub fn input_of(&self, shard: u64) -> Option<usize> {
        let holds = |part: &Part| shard.checked_sub(part.first_shard).is_some_and(|at| at < part.shards);
        self.file.inputs.iter().position(|input| input.parts.iter().any(holds))
    }

    /// Number of shards; their ids are 0 up to it.
    pub fn shards(&self) -> u64 {
        self.file.shards
    }

    /// Rows over all shards.
    pub fn rows(&self) -> u64 {
        self.file.rows
    }

    /// Hex SHA-256 over all that decides what the shards hold.
    pub fn hash(&self) -> &str {
        &self.file.hash
    }

    /// What a shard's commit record says: the hash of the revision that planned it. So a job that runs on while another
    /// extends its plan accepts what the other commits.
    pub(super) fn hash_of(&self, shard: u64) -> &str {
        let planned = self.file.previous.iter().find(|revision| shard < revision.shards);
        planned.map_or(&self.file.hash, |revision| &revision.hash)
    }

    /// From 1; every extension adds one.
    pub fn revision(&self) -> u32 {
        self.file.revision
    }

    /// The job that wrote this revision.
    pub fn created_by(&self) -> Option<&str> {
        self.file.created_by.as_deref()
    }

    pub fn columns(&self) -> &[Column] {
        &self.file.columns
    }

    pub fn inputs(&self) -> &[Input] {
        &self.file.inputs
    }

    pub fn keys(&self) -> KeyFormat {
        KeyFormat::new(self.file.oom_shard_count, self.file.number_sample_per_shard)
    }

    pub fn number_sample_per_shard(&self) -> u32 {
        self.file.number_sample_per_shard
    }

    pub fn oom_shard_count(&self) -> u32 {
        self.file.oom_shard_count
    }

    /// Whether a commit record with this plan hash is of this plan.
    pub fn accepts(&self, hash: &str) -> bool {
        self.file.hash == hash || self.file.previous.iter().any(|revision| revision.hash == hash)
    }

    /// Rows of a shard; 0 for one that the plan has not.
    pub fn rows_in(&self, shard: u64) -> u32 {
        let size = u64::from(self.file.number_sample_per_shard.max(1));
        for part in self.file.inputs.iter().flat_map(|input| &input.parts) {
            if let Some(at) = shard.checked_sub(part.first_shard).filter(|at| *at < part.shards) {
                return part.rows.saturating_sub(at * size).min(size) as u32;
            }
        }
        0
    }

    /// Whether a run is the one that was planned; names every difference.
    pub fn check(&self, spec: &PlanSpec, inputs: &[InputFingerprint]) -> std::result::Result<(), Mismatch> {
        check::all(self, spec, inputs)
    }

    /// Removes what planners that lost, or ended too early, left behind.
    pub(super) fn clean_up(&self, storage: &dyn Storage) -> Result<()> {
        publish::clean_up(storage, self)
    }

    /// Reads the rows of a shard: one or two small reads.
    pub fn read_shard(&self, storage: &dyn Storage, shard: u64) -> Result<Vec<Row>> {
        let unknown = || LedgerError::NoSuchShard { shard, shards: self.shards() };
        let at = self.file.segments.partition_point(|segment| segment.first_shard + segment.shards <= shard);
        let (segment, slot) = self.file.segments.get(at).zip(self.indexes.get(at)).ok_or_else(unknown)?;
        let path = format!("{}/{}", names::PLAN_DIR, segment.file);
        if slot.get().is_none() {
            // Two threads may both read it; they read the same.
            let _ = slot.set(segment::read_index(storage, &path)?);
        }
        let position = shard.checked_sub(segment.first_shard).and_then(|at| usize::try_from(at).ok());
        let entry = position.and_then(|at| slot.get()?.get(at)).ok_or_else(unknown)?;
        let raw = segment::read_block(storage, &path, *entry)?;
        self.parse_rows(&path, &raw, entry.rows)
    }

    fn parse_rows(&self, path: &str, raw: &[u8], expected: u32) -> Result<Vec<Row>> {
        let damaged = |what: String| LedgerError::Damaged { path: path.to_owned(), what };
        let mut rows = Vec::with_capacity(expected as usize);
        for (index, line) in (0..).zip(raw.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())) {
            let stored: StoredRow = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
            let (cells, problem) = match stored {
                StoredRow::Good(cells) => (cells, None),
                StoredRow::Bad { cells, problem } => (cells, Some(problem)),
            };
            if cells.len() != self.file.columns.len() {
                return Err(damaged(format!("a row has {} cells", cells.len())));
            }
            let cells = cells.into_iter().zip(&self.file.columns);
            let cells = cells.map(|(cell, column)| kinds::convert(cell, column.kind)).collect();
            rows.push(Row { index, cells, problem });
        }
        if rows.len() != expected as usize {
            return Err(damaged(format!("{} rows where {expected} are expected", rows.len())));
        }
        Ok(rows)
    }
}

/// A line of a shard's block.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredRow {
    Good(Vec<Value>),
    Bad { cells: Vec<Value>, problem: Failure },
}
