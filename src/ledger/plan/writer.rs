//! Streaming a table into the plan.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

use super::kinds::Kinds;
use super::segment::SegmentWriter;
use super::{
    ColumnSpec, Input, InputFingerprint, Mismatch, NUMBERED_VERSION, PLAN_VERSION, Part, Plan, PlanFile, PlanSpec,
    Revision, Segment,
};
use super::{check, foreign, publish};
use crate::ledger::error::{LedgerError, Result};
use crate::ledger::names;
use crate::ledger::storage::{Storage, found};
use crate::sample::{Cell, Column, ColumnKind, Failure, KeyFormat};

/// A segment is closed when it has grown to this.
const SEGMENT_BYTES: u64 = 64 << 20;
const ZSTD_LEVEL: i32 = 1;

/// An input of a run that extends a plan.
#[derive(Debug, Clone)]
pub struct ExtendInput {
    pub now: InputFingerprint,
    /// Hex SHA-256 of as many first bytes as the planned input had, for one that has grown. Only to be given where the
    /// planned bytes ended with the end of a row.
    pub prefix_sha256: Option<String>,
}

/// An input, or the rest of one, that an extension has to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Todo {
    /// Position in the inputs given.
    pub input: usize,
    /// Rows at its start that are planned already.
    pub skip_rows: u64,
}

/// Writes a plan row by row. Memory is bounded by one shard's rows and 24 bytes per shard of a segment.
///
/// Dropped without [`PlanWriter::finish`], it leaves files that the next planner removes.
pub struct PlanWriter {
    storage: Arc<dyn Storage>,
    file: PlanFile,
    columns: Vec<Tracked>,
    /// Inputs that the next ends of input belong to; empty: new ones.
    targets: VecDeque<usize>,
    segment: Option<SegmentWriter>,
    segment_bytes: u64,
    compressor: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
    rows_in_shard: u32,
    part: Part,
}

#[derive(Debug)]
struct Tracked {
    name: String,
    /// Pinned by the spec, or by the revision before.
    pinned: Option<ColumnKind>,
    kinds: Kinds,
}

impl std::fmt::Debug for PlanWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanWriter").field("file", &self.file).finish_non_exhaustive()
    }
}

impl PlanWriter {
    /// Starts a plan in a folder that has none. Refuses a folder with files that shards would replace, and a file system
    /// that cannot create exclusively.
    pub fn begin(storage: Arc<dyn Storage>, spec: PlanSpec) -> Result<Self> {
        for dir in [names::PLAN_DIR, names::LEASES_DIR, names::PARTIAL_DIR, names::QUARANTINE_DIR] {
            storage.create_dir(dir)?;
        }
        // A planner may have ended between its claim and its plan.json.
        publish::roll_forward(&*storage, 1)?;
        if found(storage.size(names::PLAN_FILE))?.is_some() {
            return Err(LedgerError::PlannedByAnother);
        }
        if found(storage.size(super::overwrite::OLD_PLAN))?.is_some() {
            return Err(LedgerError::HalfOverwritten);
        }
        foreign::refuse(&*storage, KeyFormat::new(spec.oom_shard_count, spec.number_sample_per_shard))?;
        foreign::probe(&*storage)?;
        let columns = spec.columns.into_iter().map(|ColumnSpec { name, fixed }| Tracked {
            name,
            pinned: fixed,
            kinds: Kinds::default(),
        });
        let columns = columns.collect();
        let file = PlanFile {
            version: NUMBERED_VERSION,
            revision: 1,
            hash: String::new(),
            previous: Vec::new(),
            shards: 0,
            rows: 0,
            number_sample_per_shard: spec.number_sample_per_shard.max(1),
            oom_shard_count: spec.oom_shard_count,
            columns: Vec::new(),
            config: spec.config,
            inputs: Vec::new(),
            segments: Vec::new(),
            names: Vec::new(),
            created_by: spec.created_by,
            writer: new_writer(),
        };
        Self::new(storage, file, columns, VecDeque::new())
    }

    /// Starts the next revision of a plan: earlier inputs must be as planned, or have grown at their end. Returns what
    /// there is to read; nothing to read is a plan that is complete as it stands.
    pub fn extend(
        storage: Arc<dyn Storage>,
        plan: &Plan,
        spec: PlanSpec,
        inputs: &[ExtendInput],
    ) -> Result<(Self, Vec<Todo>)> {
        publish::roll_forward(&*storage, plan.revision() + 1)?;
        if Plan::load(&*storage)?.is_none_or(|now| now.file.writer != plan.file.writer) {
            return Err(LedgerError::PlannedByAnother);
        }
        let todo = todo(plan, &spec, inputs)?;
        let columns = plan.columns().iter().map(|column| Tracked {
            name: column.name.clone(),
            pinned: Some(column.kind),
            kinds: Kinds::default(),
        });
        let columns = columns.collect();
        let mut file = plan.file.clone();
        file.revision += 1;
        file.previous.push(Revision { hash: std::mem::take(&mut file.hash), shards: file.shards });
        file.created_by = spec.created_by;
        file.writer = new_writer();
        let targets = todo.iter().map(|todo| todo.input).collect();
        Ok((Self::new(storage, file, columns, targets)?, todo))
    }

    fn new(storage: Arc<dyn Storage>, file: PlanFile, columns: Vec<Tracked>, targets: VecDeque<usize>) -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)
            .map_err(|source| LedgerError::Compress { path: names::PLAN_DIR.into(), source })?;
        let part = Part { first_shard: file.shards, shards: 0, rows: 0 };
        let buffer = Vec::new();
        Ok(Self {
            storage,
            file,
            columns,
            targets,
            segment: None,
            segment_bytes: SEGMENT_BYTES,
            compressor,
            buffer,
            rows_in_shard: 0,
            part,
        })
    }

    /// Closes a segment when it has grown to this many bytes (64 MiB by default).
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Appends a row of the current input. Empty text is stored as null.
    pub fn push_row(&mut self, cells: &[Cell<'_>], problem: Option<&Failure>) -> Result<()> {
        if cells.len() != self.columns.len() {
            return Err(LedgerError::CellCount { expected: self.columns.len(), found: cells.len() });
        }
        if problem.is_some() {
            self.buffer.extend_from_slice(b"{\"cells\":");
        }
        self.buffer.push(b'[');
        for (index, (cell, column)) in cells.iter().zip(&mut self.columns).enumerate() {
            if index > 0 {
                self.buffer.push(b',');
            }
            column.push(cell, &mut self.buffer)?;
        }
        self.buffer.push(b']');
        if let Some(problem) = problem {
            self.buffer.extend_from_slice(b",\"problem\":");
            json(&mut self.buffer, problem)?;
            self.buffer.push(b'}');
        }
        self.buffer.push(b'\n');
        self.rows_in_shard += 1;
        if self.rows_in_shard >= self.file.number_sample_per_shard { self.end_shard() } else { Ok(()) }
    }

    /// Plans inputs that become one shard each, called `name`; their rows are found in the inputs themselves. A plan has
    /// either such shards or rows.
    ///
    /// # Errors
    /// [`LedgerError::Foreign`] where the output folder has files that these shards would replace.
    pub fn push_named(&mut self, inputs: Vec<(String, InputFingerprint)>) -> Result<()> {
        let names: Vec<String> = inputs.iter().map(|(name, _)| name.clone()).collect();
        let files = foreign::named(&*self.storage, &names)?;
        if !files.is_empty() {
            return Err(LedgerError::Foreign { files });
        }
        self.file.version = PLAN_VERSION;
        for (name, fingerprint) in inputs {
            self.file.names.push(name);
            self.part.shards += 1;
            self.file.shards += 1;
            self.end_input(fingerprint)?;
        }
        Ok(())
    }

    /// Rows pushed so far, earlier revisions included.
    pub fn rows(&self) -> u64 {
        self.file.rows + u64::from(self.rows_in_shard)
    }

    /// Ends the current input: its last shard may be short, as no shard spans inputs.
    pub fn end_input(&mut self, fingerprint: InputFingerprint) -> Result<()> {
        if self.rows_in_shard > 0 {
            self.end_shard()?;
        }
        let next = Part { first_shard: self.file.shards, shards: 0, rows: 0 };
        let part = std::mem::replace(&mut self.part, next);
        match self.targets.pop_front().and_then(|at| self.file.inputs.get_mut(at)) {
            Some(grown) => {
                grown.fingerprint = fingerprint;
                grown.parts.push(part);
            }
            None => self.file.inputs.push(Input { fingerprint, parts: vec![part] }),
        }
        Ok(())
    }

    fn end_shard(&mut self) -> Result<()> {
        let number = self.file.segments.len();
        let name = publish::segment_name(self.file.revision, &self.file.writer, number);
        let path = format!("{}/{name}", names::PLAN_DIR);
        let block = self
            .compressor
            .compress(&self.buffer)
            .map_err(|source| LedgerError::Compress { path: path.clone(), source })?;
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => {
                self.file.segments.push(Segment {
                    file: name,
                    first_shard: self.file.shards,
                    shards: 0,
                    sha256: String::new(),
                });
                self.segment.insert(SegmentWriter::create(&*self.storage, path)?)
            }
        };
        segment.push(&block, self.buffer.len(), self.rows_in_shard)?;
        let full = segment.len() >= self.segment_bytes;
        self.buffer.clear();
        self.part.rows += u64::from(self.rows_in_shard);
        self.part.shards += 1;
        self.file.rows += u64::from(self.rows_in_shard);
        self.file.shards += 1;
        self.rows_in_shard = 0;
        if full { self.end_segment() } else { Ok(()) }
    }

    fn end_segment(&mut self) -> Result<()> {
        if let (Some(segment), Some(listed)) = (self.segment.take(), self.file.segments.last_mut()) {
            (listed.shards, listed.sha256) = segment.finish()?;
        }
        Ok(())
    }

    /// Publishes the plan. Every input must have been ended. The error [`LedgerError::PlannedByAnother`] means that the
    /// plan to load is another process's.
    pub fn finish(mut self) -> Result<Plan> {
        self.end_segment()?;
        self.file.columns = self.columns.iter().map(Tracked::column).collect::<Result<_>>()?;
        self.file.hash = self.file.content_hash()?;
        publish::publish(&*self.storage, self.file)
    }
}

impl Tracked {
    fn push(&mut self, cell: &Cell<'_>, out: &mut Vec<u8>) -> Result<()> {
        match cell {
            Cell::Null | Cell::Text("") => out.extend_from_slice(b"null"),
            Cell::Text(text) => {
                if self.pinned != Some(ColumnKind::String) {
                    self.kinds.add_text(text);
                }
                json(out, text)?;
            }
            Cell::Json(value) => {
                self.kinds.add_value(value);
                json(out, value)?;
            }
        }
        Ok(())
    }

    fn column(&self) -> Result<Column> {
        let found = self.kinds.kind();
        let kind = match (self.pinned, found) {
            (None, found) => found.unwrap_or(ColumnKind::String),
            (Some(pinned), None) => pinned,
            (Some(pinned), Some(found)) => {
                let fits = pinned == found
                    || pinned == ColumnKind::Json
                    || (pinned == ColumnKind::Float && found == ColumnKind::Integer);
                if !fits {
                    return Err(LedgerError::ColumnChanged {
                        column: self.name.clone(),
                        planned: format!("{pinned:?}").to_lowercase(),
                        now: format!("{found:?}").to_lowercase(),
                    });
                }
                pinned
            }
        };
        Ok(Column { name: self.name.clone(), kind })
    }
}

fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<()> {
    serde_json::to_writer(out, value).map_err(|source| LedgerError::Json { what: "a row", source })
}

fn new_writer() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// What an extension has to read, or how the earlier inputs differ.
fn todo(plan: &Plan, spec: &PlanSpec, inputs: &[ExtendInput]) -> Result<Vec<Todo>> {
    let mut differences = check::spec(plan, spec);
    let mut todo = Vec::new();
    for (at, planned) in plan.inputs().iter().enumerate() {
        let Some(input) = inputs.get(at) else {
            differences.push(format!("input {}: planned, now absent", planned.fingerprint.path));
            continue;
        };
        let Some(what) = planned.fingerprint.differs(&input.now) else { continue };
        let grown = input.now.size > planned.fingerprint.size
            && input.prefix_sha256.is_some()
            && input.prefix_sha256 == planned.fingerprint.sha256;
        if grown {
            todo.push(Todo { input: at, skip_rows: planned.rows() });
        } else {
            differences.push(format!("input {}: {what}, and not by rows added at its end", input.now.path));
        }
    }
    let known = plan.inputs().len();
    todo.extend((known..inputs.len()).map(|input| Todo { input, skip_rows: 0 }));
    if differences.is_empty() { Ok(todo) } else { Err(Mismatch { differences }.into()) }
}
