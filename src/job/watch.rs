//! What rank 0 tells monitoring and trackers: from the commit records, each of which is read once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::rank::Ending;
use crate::cluster::Placement;
use crate::config::Config;
use crate::ledger::Plan;
use crate::ledger::storage::Storage;
use crate::sink::stats::Stats;
use crate::telemetry::{Commits, JobFacts, Listener, Look, MetricsFile, Numbers, Progress, Watch, unix_now};

/// Time for the last words: of a job that is done, and of one that has to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts the watch on the rank that speaks for the job; none where nobody wants to know.
pub fn start(
    config: &Config,
    placement: &Placement,
    plan: &Plan,
    storage: &Arc<dyn Storage>,
    progress: &Arc<Progress>,
) -> Option<Watch> {
    let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
    if let Some(path) = &config.telemetry.metrics_file {
        listeners.push(Box::new(MetricsFile::new(path.clone())));
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
    let retries = config.job.incremental_mode == crate::config::IncrementalMode::RetryFailed;
    let interval = Duration::from_secs_f64(config.telemetry.interval);
    Watch::start(job, Arc::clone(progress), commits(Arc::clone(storage), retries), listeners, interval)
}

/// Says the last words.
pub fn finish(watch: Option<Watch>, ending: &Result<Ending, super::JobError>) {
    let complete = matches!(ending, Ok(Ending::Complete { .. }));
    if watch.is_some_and(|watch| !watch.finish(complete, PATIENCE)) {
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
