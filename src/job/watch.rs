//! What rank 0 tells monitoring and trackers: from the commit records, each of which is read once.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::rank::Ending;
use super::{JobError, RankJob};
use crate::cluster::{Level, Placement};
use crate::config::{Config, IncrementalMode};
use crate::ledger::Plan;
use crate::ledger::storage::Storage;
use crate::sink::stats::Stats;
use crate::telemetry::{
    Commits, JobFacts, Listener, Look, MetricsFile, Numbers, Progress, Tracker, TrackerError, TrackerOptions, Watch,
    unix_now,
};

/// Time for the last words of a job that is done, which a tracker may have to upload.
const PATIENCE: Duration = Duration::from_secs(50);
/// The same of one that has to be gone.
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);

/// Where the run's id stands, so that the next start goes on with the same run.
const RUN_ID: &str = "_clipmill/wandb-run-id";

/// Begins the run at Weights & Biases on the rank that speaks for the job; on the others, looks whether it could.
///
/// # Errors
/// It cannot be: said before any work is done.
pub fn tracker(job: &RankJob, storage: &dyn Storage) -> Result<Option<Tracker>, JobError> {
    let config = &job.config;
    if !config.job.enable_wandb {
        return Ok(None);
    }
    let refused = |error: TrackerError| JobError::Refused { message: error.to_string(), usage: true };
    let python = config.telemetry.wandb_python.as_deref().unwrap_or("python3");
    if job.placement.rank != 0 {
        return Tracker::probe(python).map(|()| None).map_err(refused);
    }
    let home = config.job.output_folder.join("_clipmill");
    // It is there where logs could be opened; wandb says what is wrong where it is not.
    let _ = std::fs::create_dir_all(home.join("logs"));
    let log = File::options().create(true).append(true).open(home.join("logs/wandb.log")).ok();
    let options = TrackerOptions {
        python,
        folder: &home,
        log,
        project: &config.job.wandb_project,
        id: std::env::var_os("WANDB_RUN_ID").is_none().then(|| run_id(config, storage)),
        config: facts(config),
    };
    Tracker::start(options, &|| job.stop.level() == Level::Run).map(Some).map_err(refused)
}

/// The config, and who wrote the dataset.
fn facts(config: &Config) -> serde_json::Value {
    let mut facts = serde_json::json!(config);
    facts["clipmill_version"] = env!("CARGO_PKG_VERSION").into();
    facts
}

/// The id that an earlier start left, or a new one. A dataset that is begun anew is a new run.
fn run_id(config: &Config, storage: &dyn Storage) -> String {
    if config.job.incremental_mode == IncrementalMode::Overwrite {
        let _ = storage.remove(RUN_ID);
    }
    let known = storage.read(RUN_ID).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let sane = |id: &String| !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(id) = known.map(|id| id.trim().to_owned()).filter(sane) {
        return id;
    }
    let id: String = std::iter::repeat_with(|| fastrand::alphanumeric().to_ascii_lowercase()).take(8).collect();
    let written = storage.create_new(RUN_ID).map(|mut file| file.write_all(id.as_bytes()));
    if !matches!(written, Ok(Ok(()))) {
        tracing::warn!(
            "the id of the Weights & Biases run cannot be kept in {RUN_ID}: the next start begins another run"
        );
    }
    id
}

/// Starts the watch on the rank that speaks for the job; none where nobody wants to know.
pub fn start(
    config: &Config,
    placement: &Placement,
    plan: &Plan,
    storage: &Arc<dyn Storage>,
    progress: &Arc<Progress>,
    tracker: Option<Tracker>,
) -> Option<Watch> {
    let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
    if let Some(path) = &config.telemetry.metrics_file {
        listeners.push(Box::new(MetricsFile::new(path.clone())));
    }
    if let Some(tracker) = tracker {
        listeners.push(Box::new(tracker));
    }
    if listeners.is_empty() || placement.rank != 0 {
        return None;
    }
    let job = JobFacts {
        job: placement.job.clone(),
        rank: placement.rank,
        shards: plan.shards(),
        rows: (!plan.is_named()).then(|| plan.rows()),
        started: unix_now(),
    };
    let retries = config.job.incremental_mode == IncrementalMode::RetryFailed;
    let interval = Duration::from_secs_f64(config.telemetry.interval);
    Watch::start(job, Arc::clone(progress), commits(Arc::clone(storage), retries), listeners, interval)
}

/// Says the last words.
pub fn finish(watch: Option<Watch>, ending: &Result<Ending, JobError>) {
    let complete = matches!(ending, Ok(Ending::Complete { .. }));
    let patience = if complete { PATIENCE } else { DRAIN_PATIENCE };
    if watch.is_some_and(|watch| !watch.finish(complete, patience)) {
        tracing::warn!("the last numbers did not reach the metrics file or the tracker in time");
    }
}

/// Reads each commit record once. Where a retry rewrites shards under their old names, all are read again at the end.
fn commits(storage: Arc<dyn Storage>, retries: bool) -> Commits {
    let mut known = HashSet::new();
    Box::new(move |last| {
        let names = storage.list("").ok()?;
        let from_scratch = last && retries;
        if from_scratch {
            known.clear();
        }
        let mut fresh = Vec::new();
        for file in names {
            let Some(shard) = file.strip_suffix("_stats.json") else { continue };
            if known.contains(shard) {
                continue;
            }
            // One that cannot be read now is looked at the next time; `clipmill status` says which are damaged.
            let Some(numbers) = storage.read(&file).ok().and_then(|bytes| numbers(&bytes)) else { continue };
            known.insert(shard.to_owned());
            fresh.push((shard.to_owned(), numbers));
        }
        fresh.sort_by(|(_, one), (_, other)| end(one).total_cmp(&end(other)));
        Some(Look { from_scratch, fresh })
    })
}

fn end(numbers: &Numbers) -> f64 {
    numbers.span.map_or(0.0, |(_, end)| end)
}

fn numbers(record: &[u8]) -> Option<Numbers> {
    let stats: Stats = serde_json::from_slice(record).ok()?;
    let seconds = &stats.clipmill.seconds;
    Some(Numbers {
        shards: 1,
        rows: stats.counts.count,
        successes: stats.counts.successes,
        failed_to_download: stats.counts.failed_to_download,
        failed_to_subsample: stats.counts.failed_to_subsample,
        filtered: stats.counts.filtered,
        outputs: stats.counts.outputs,
        bytes: stats.counts.bytes_downloaded,
        span: Some((stats.start_time, stats.end_time)),
        stages: [seconds.fetch, seconds.write, seconds.finish],
        statuses: stats.counts.status_dict,
    })
}
