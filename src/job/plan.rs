//! The plan of a job: made once, from its tables; checked by every later start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::JobError;
use crate::cluster::{Level, Placement, Stop};
use crate::config::{Config, IncrementalMode, InputFormat};
use crate::ledger::storage::Storage;
use crate::ledger::{
    ColumnSpec, ExtendInput, InputFingerprint, LedgerError, Owner, Plan, PlanSpec, PlanWriter, Planner, RetryList,
    overwrite, planner,
};
use crate::source::tars;
use crate::source::{self, ReadError, ReadOptions, SourceError, TableSpec};

/// The input tables of a job.
///
/// # Errors
/// A path that is missing or of the wrong kind, or a folder without tables.
pub fn find_inputs(config: &Config) -> Result<Vec<PathBuf>, SourceError> {
    let inputs = source::inputs(&config.job.url_list, config.job.input_format)?;
    if config.job.input_format == InputFormat::Webdataset {
        // Names that clash are found before anything is written.
        tars::shard_names(&inputs)?;
    }
    Ok(inputs)
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanSummary {
    pub inputs: Vec<InputSummary>,
    pub rows: u64,
    /// False for tars, whose samples are counted when each is opened.
    pub rows_known: bool,
    pub shards: u64,
    pub rows_per_shard: u32,
    /// Rows that fail without being fetched: no URL, ragged, not UTF-8.
    pub bad_rows: u64,
}

/// One input of a [`PlanSummary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputSummary {
    pub path: String,
    pub rows: u64,
    pub shards: u64,
}

/// Reads all inputs and counts; writes nothing.
pub fn summarize(config: &Config) -> Result<PlanSummary, JobError> {
    let spec = TableSpec::from(&config.job);
    let per_shard = config.storage.number_sample_per_shard;
    let named = config.job.input_format == InputFormat::Webdataset;
    let mut summary = PlanSummary {
        inputs: Vec::new(),
        rows: 0,
        rows_known: !named,
        shards: 0,
        rows_per_shard: per_shard,
        bad_rows: 0,
    };
    for path in find_inputs(config)? {
        if named {
            summary.inputs.push(InputSummary { path: path.display().to_string(), rows: 0, shards: 1 });
            summary.shards += 1;
            continue;
        }
        let mut bad = 0;
        let options = ReadOptions { hash: false, ..ReadOptions::default() };
        let read = source::read_from(&path, &spec, options, &mut |row| {
            bad += u64::from(row.problem.is_some());
            Ok::<(), std::convert::Infallible>(())
        });
        let rows = match read {
            Ok(stats) => stats.rows,
            Err(ReadError::Source(error)) => return Err(error.into()),
            Err(ReadError::Sink(never)) => match never {},
        };
        let shards = rows.div_ceil(u64::from(per_shard.max(1)));
        summary.inputs.push(InputSummary { path: path.display().to_string(), rows, shards });
        summary.rows += rows;
        summary.shards += shards;
        summary.bad_rows += bad;
    }
    Ok(summary)
}

/// Makes the plan, or finds it made and checks that this run is the one that was planned. `None`: told to stop.
///
/// Any number of processes may call it at once; exactly one plans.
pub fn ensure(
    config: &Config,
    inputs: &[PathBuf],
    placement: &Placement,
    storage: &Arc<dyn Storage>,
    owner: &Owner,
    stop: &Stop,
) -> Result<Option<Plan>, JobError> {
    let planning = Planning { config, inputs, storage, owner, stop, table: TableSpec::from(&config.job) };
    // Before anything else: overwriting the folder of the download would wipe the very input.
    if planning.is_named()
        && let Some(path) = tars::lies_in(inputs, &config.job.output_folder)
    {
        return Err(JobError::Refused {
            message: format!(
                "{} lies in output_folder: shards keep the names of their tars, so it would be replaced; choose another \
                 output_folder",
                path.display()
            ),
            usage: true,
        });
    }
    let mode = config.job.incremental_mode;
    if mode == IncrementalMode::Overwrite && placement.world > 1 && placement.job.is_none() {
        return Err(JobError::Refused {
            message:
                "incremental_mode: overwrite with several ranks needs an id that they share, so that the folder is \
                      wiped once: set CLIPMILL_JOB_ID to the same text for all of them"
                    .into(),
            usage: true,
        });
    }
    loop {
        match planning.once() {
            Err(JobError::Ledger(LedgerError::PlannedByAnother)) => {}
            other => return other,
        }
    }
}

struct Planning<'a> {
    config: &'a Config,
    inputs: &'a [PathBuf],
    storage: &'a Arc<dyn Storage>,
    owner: &'a Owner,
    stop: &'a Stop,
    table: TableSpec,
}

impl Planning<'_> {
    fn once(&self) -> Result<Option<Plan>, JobError> {
        let ttl = Duration::from_secs_f64(self.config.distribution.lease_ttl);
        let stopped = || self.stopped();
        match planner(self.storage, self.owner, ttl, &|plan| self.is_settled(plan), &stopped)? {
            Planner::Stopped => Ok(None),
            Planner::Published(plan) => {
                self.check(&plan)?;
                Ok(Some(*plan))
            }
            Planner::Me(turn) => {
                let plan = self.plan(ttl);
                drop(turn);
                plan
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.level() != Level::Run
    }

    /// Whether a plan that is there needs no planner.
    fn is_settled(&self, plan: &Plan) -> bool {
        match self.config.job.incremental_mode {
            IncrementalMode::Incremental | IncrementalMode::RetryFailed => true,
            // A restart of the job that wiped the folder must not wipe it again.
            IncrementalMode::Overwrite => self.owner.job.is_some() && plan.created_by() == self.owner.job.as_deref(),
            IncrementalMode::Extend => self.check(plan).is_ok(),
        }
    }

    /// With the planner's turn in hand.
    fn plan(&self, ttl: Duration) -> Result<Option<Plan>, JobError> {
        match (Plan::load(self.storage.as_ref())?, self.config.job.incremental_mode) {
            (Some(plan), IncrementalMode::Extend) => self.extend(&plan),
            (_, IncrementalMode::Overwrite) => {
                // Before anything is removed: a table that cannot be read must not cost the old shards.
                self.columns()?;
                if overwrite(self.storage, self.owner, ttl, &|| self.stopped())? { self.write() } else { Ok(None) }
            }
            (_, IncrementalMode::RetryFailed) => Err(JobError::Refused {
                message: format!(
                    "incremental_mode: retry_failed rewrites committed shards, and {} has none of this tool",
                    self.config.job.output_folder.display()
                ),
                usage: true,
            }),
            _ => self.write(),
        }
    }

    fn write(&self) -> Result<Option<Plan>, JobError> {
        if self.is_named() {
            return self.write_named();
        }
        let mut writer = PlanWriter::begin(Arc::clone(self.storage), self.spec(self.columns()?))?;
        for path in self.inputs {
            if !self.read_into(&mut writer, path, 0)? {
                return Ok(None);
            }
        }
        Ok(Some(writer.finish()?))
    }

    fn is_named(&self) -> bool {
        self.config.job.input_format == InputFormat::Webdataset
    }

    /// One shard for each tar, under its name. The tars are not read: names, sizes and times are the plan.
    fn write_named(&self) -> Result<Option<Plan>, JobError> {
        let mut writer = PlanWriter::begin(Arc::clone(self.storage), self.spec(Vec::new()))?;
        writer.push_named(self.named(0)?)?;
        Ok(Some(writer.finish()?))
    }

    /// Names and fingerprints of the tars behind the first `known`.
    fn named(&self, known: usize) -> Result<Vec<(String, InputFingerprint)>, JobError> {
        let names = tars::shard_names(self.inputs)?;
        let new = names.into_iter().zip(self.inputs).skip(known);
        let named = new.map(|(name, path)| {
            tars::refuse_compressed(path)?;
            Ok((name, self.fingerprint(path, None)?))
        });
        named.collect()
    }

    fn extend(&self, plan: &Plan) -> Result<Option<Plan>, JobError> {
        let columns = self.columns()?;
        let inputs = self.grown(plan)?;
        let (mut writer, todo) =
            PlanWriter::extend(Arc::clone(self.storage), plan, self.spec(columns), &inputs).map_err(refused)?;
        if self.is_named() {
            writer.push_named(self.named(plan.inputs().len())?)?;
            return Ok(Some(writer.finish()?));
        }
        for todo in todo {
            let Some(path) = self.inputs.get(todo.input) else { continue };
            if !self.read_into(&mut writer, path, todo.skip_rows)? {
                return Ok(None);
            }
        }
        Ok(Some(writer.finish()?))
    }

    /// The inputs as they are now; where a planned one has more bytes, with the hash of the old ones.
    fn grown(&self, plan: &Plan) -> Result<Vec<ExtendInput>, JobError> {
        let mut inputs = Vec::new();
        for (at, path) in self.inputs.iter().enumerate() {
            let planned = plan.inputs().get(at).map(|input| &input.fingerprint);
            let now = self.fingerprint(path, planned)?;
            let prefix_sha256 = match planned {
                Some(planned)
                    if now.size > planned.size
                        && source::can_grow(path, self.table.format)?
                        && source::ends_at_line(path, planned.size)? =>
                {
                    Some(source::hash_prefix(path, planned.size)?)
                }
                _ => None,
            };
            inputs.push(ExtendInput { now, prefix_sha256 });
        }
        Ok(inputs)
    }

    /// False when told to stop.
    fn read_into(&self, writer: &mut PlanWriter, path: &Path, skip_rows: u64) -> Result<bool, JobError> {
        enum Halt {
            Stopped,
            Ledger(LedgerError),
        }
        let options = ReadOptions { skip_rows, ..ReadOptions::default() };
        let read = source::read_from(path, &self.table, options, &mut |row| {
            if self.stopped() {
                return Err(Halt::Stopped);
            }
            writer.push_row(row.cells, row.problem.as_ref()).map_err(Halt::Ledger)
        });
        match read {
            Ok(stats) => {
                writer.end_input(InputFingerprint {
                    path: path.display().to_string(),
                    size: stats.bytes,
                    mtime_ns: stats.mtime_ns,
                    sha256: stats.sha256,
                })?;
                Ok(true)
            }
            Err(ReadError::Sink(Halt::Stopped)) => Ok(false),
            Err(ReadError::Sink(Halt::Ledger(error))) => Err(error.into()),
            Err(ReadError::Source(error)) => Err(error.into()),
        }
    }

    fn columns(&self) -> Result<Vec<ColumnSpec>, JobError> {
        if self.is_named() {
            return Ok(Vec::new());
        }
        let kinds = source::common_kinds(self.inputs, &self.table)?;
        let columns = source::columns(&self.table).into_iter().zip(kinds);
        Ok(columns.map(|(column, kind)| ColumnSpec { name: column.name, fixed: kind.or(column.fixed) }).collect())
    }

    fn spec(&self, columns: Vec<ColumnSpec>) -> PlanSpec {
        let mut config = self.config.fingerprint();
        // The plan has fields of its own for these.
        config.retain(|key, _| !["storage.number_sample_per_shard", "storage.oom_shard_count"].contains(&key.as_str()));
        // What a tar holds is one shard, however many samples these are.
        let per_shard = if self.is_named() { 1000 } else { self.config.storage.number_sample_per_shard };
        PlanSpec {
            number_sample_per_shard: per_shard,
            oom_shard_count: self.config.storage.oom_shard_count,
            columns,
            config,
            created_by: self.owner.job.clone(),
        }
    }

    fn check(&self, plan: &Plan) -> Result<(), JobError> {
        let columns = if self.is_named() { Vec::new() } else { source::columns(&self.table) };
        let columns = columns.into_iter().map(|column| ColumnSpec { name: column.name, fixed: column.fixed }).collect();
        let planned = plan.inputs().iter().map(|input| Some(&input.fingerprint)).chain(std::iter::repeat(None));
        let now: Result<Vec<_>, _> =
            self.inputs.iter().zip(planned).map(|(path, planned)| self.fingerprint(path, planned)).collect();
        plan.check(&self.spec(columns), &now?).map_err(|mismatch| refused(mismatch.into()))
    }

    /// Size and time; the content's hash only where the time alone says that it may have changed.
    fn fingerprint(&self, path: &Path, planned: Option<&InputFingerprint>) -> Result<InputFingerprint, SourceError> {
        let quick = source::fingerprint_quick(path)?;
        // A tar's content was never hashed: there is nothing to compare with.
        let planned = planned.filter(|planned| planned.sha256.is_some());
        let touched = planned.is_some_and(|p| p.size == quick.size && p.mtime_ns != quick.mtime_ns);
        Ok(InputFingerprint {
            path: path.display().to_string(),
            size: quick.size,
            mtime_ns: quick.mtime_ns,
            sha256: if touched { Some(source::hash_file(path)?) } else { None },
        })
    }
}

/// A difference between plan and run is the user's to settle.
fn refused(error: LedgerError) -> JobError {
    match error {
        LedgerError::Mismatch(mismatch) => JobError::Refused { message: mismatch.to_string(), usage: true },
        other => other.into(),
    }
}

/// The shards that this job's `retry_failed` rewrites. `None`: told to stop.
pub fn retry_list(
    config: &Config,
    storage: &Arc<dyn Storage>,
    plan: &Arc<Plan>,
    owner: &Owner,
    stop: &Stop,
) -> Result<Option<RetryList>, JobError> {
    let ttl = Duration::from_secs_f64(config.distribution.lease_ttl);
    Ok(RetryList::pin(storage, plan, owner, ttl, &|| stop.level() != Level::Run)?)
}
