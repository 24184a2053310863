//! Weights & Biases: video2dataset's series, one point per committed shard, by wandb's own client in a process of its own.
//!
//! The step is the number of committed shards, which goes on over restarts.

mod helper;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

pub use helper::TrackerError;
use helper::{Answer, Helper};

use super::Numbers;
use super::numbers::STAGES;
use super::watch::{Listener, News};

/// Time for wandb to say that it is ready before the job goes on without that word. Imports from a shared file system are
/// slow, and without network wandb tries for a minute and a half.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Time for the last upload of a job that is done: less than the other ranks wait for the one that logs.
const END_PATIENCE: Duration = Duration::from_secs(45);
/// The same of a rank that has to be gone soon.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);
/// The table is a file each time; video2dataset writes it no more often.
const TABLE_EVERY: Duration = Duration::from_secs(60);
/// Most rows of the table.
const TABLE_ROWS: usize = 100;

/// How a run is begun.
#[derive(Debug)]
pub struct TrackerOptions<'a> {
    pub python: &'a str,
    /// Where wandb's files go; `WANDB_DIR` beats it.
    pub folder: &'a Path,
    /// What the client prints.
    pub log: Option<File>,
    pub project: &'a str,
    /// The run's id, the same over restarts; none where `WANDB_RUN_ID` says it.
    pub id: Option<String>,
    /// What stands as the run's config.
    pub config: Value,
}

/// A run at Weights & Biases.
#[derive(Debug)]
pub struct Tracker {
    /// None once it is gone.
    helper: Option<Helper>,
    total: Numbers,
    table_at: Option<Instant>,
    /// Messages that a slow client made us leave out.
    left_out: u64,
}

impl Tracker {
    /// Starts the client and waits until the run is there, or until that takes too long or `go_on` says so: then it may
    /// come later.
    ///
    /// # Errors
    /// There is no Python, no wandb, or wandb refuses.
    pub fn start(options: TrackerOptions<'_>, go_on: &dyn Fn() -> bool) -> Result<Self, TrackerError> {
        let helper = Helper::start(options.python, options.folder, options.log)?;
        let mut init = json!({"project": options.project, "config": options.config, "resume": "allow"});
        if let (Some(id), Some(init)) = (options.id, init.as_object_mut()) {
            init.insert("id".into(), id.into());
        }
        helper.send(&json!({ "init": init }));
        if !helper.ready(START_PATIENCE, go_on)? && go_on() {
            tracing::warn!("Weights & Biases does not answer yet; the job goes on, its numbers follow if it does");
        }
        Ok(Self { helper: Some(helper), total: Numbers::default(), table_at: None, left_out: 0 })
    }

    /// Whether `python` has wandb.
    ///
    /// # Errors
    /// There is no Python or no wandb.
    pub fn probe(python: &str) -> Result<(), TrackerError> {
        helper::probe(python)
    }

    fn send(&mut self, message: &Value) {
        if let Some(helper) = &self.helper
            && !helper.send(message)
        {
            self.left_out += 1;
            if self.left_out == 1 {
                tracing::warn!("Weights & Biases does not keep up: numbers are left out");
            }
        }
    }

    /// Notes what the client has said. A client that is gone is one warning.
    fn listen(&mut self) {
        let Some(helper) = &self.helper else { return };
        let heard = helper.heard();
        let (Ok(answers) | Err(answers)) = &heard;
        for answer in answers {
            if let Answer { ready: Some(run), .. } = answer {
                tracing::info!("Weights & Biases: run {run}");
            }
        }
        if heard.is_err() {
            let why = answers.iter().find_map(|answer| answer.error.clone());
            let why = why.unwrap_or_else(|| "see wandb.log in the output's _clipmill/logs".into());
            tracing::warn!("Weights & Biases is gone, the job goes on without it: {why}");
            self.helper = None;
        }
    }

    fn points(&mut self, news: &News<'_>) {
        if news.first {
            self.total = news.total.clone();
            if self.total.shards > 0 {
                let total = series("total", &self.total);
                self.send(&json!({"log": total, "step": self.total.shards}));
            }
            return;
        }
        for (_, shard) in news.fresh {
            self.total.add(shard);
            let mut point = series("worker", shard);
            point.extend(series("total", &self.total));
            self.send(&json!({"log": point, "step": self.total.shards}));
        }
    }

    fn table(&mut self, news: &News<'_>) {
        let due = self.table_at.is_none_or(|at| at.elapsed() >= TABLE_EVERY) && !news.fresh.is_empty();
        if self.total.rows == 0 || !(due || news.ended.is_some()) {
            return;
        }
        self.table_at = Some(Instant::now());
        self.send(&json!({"status": status_table(&self.total), "step": self.total.shards}));
    }

    fn finish(&mut self, complete: bool) {
        self.send(&json!({"finish": u8::from(!complete)}));
        let patience = if complete { END_PATIENCE } else { DRAIN_PATIENCE };
        if let Some(helper) = self.helper.take()
            && !helper.finish(patience)
        {
            tracing::warn!("Weights & Biases did not take the last numbers in time: it is left behind");
        }
    }
}

impl Listener for Tracker {
    fn tell(&mut self, news: &News<'_>) {
        self.listen();
        self.points(news);
        self.table(news);
        if let Some(complete) = news.ended {
            self.finish(complete);
        }
    }
}

/// video2dataset's names, and the stages.
fn series(prefix: &str, numbers: &Numbers) -> Map<String, Value> {
    let seconds = numbers.seconds();
    let mut values = Map::new();
    let mut add = |name: &str, value: Value| values.insert(format!("{prefix}/{name}"), value);
    add("vid_per_sec", (numbers.rows as f64 / seconds).into());
    add("bytes_per_sec", (numbers.bytes as f64 / seconds).into());
    add("success", numbers.share(numbers.successes).into());
    add("failed_to_download", numbers.share(numbers.failed_to_download).into());
    add("failed_to_subsample", numbers.share(numbers.failed_to_subsample).into());
    add("filtered", numbers.share(numbers.filtered).into());
    add("count", numbers.rows.into());
    add("outputs", numbers.outputs.into());
    for (stage, seconds) in STAGES.iter().zip(numbers.stages) {
        add(&format!("{stage}_seconds"), seconds.into());
    }
    values
}

/// The commonest statuses, commonest first: status, share of the rows, rows.
fn status_table(numbers: &Numbers) -> Vec<Value> {
    let mut rows: Vec<(&String, u64)> = numbers.statuses.iter().map(|(status, rows)| (status, *rows)).collect();
    rows.sort_by(|(one, a), (other, b)| b.cmp(a).then(one.cmp(other)));
    rows.iter().take(TABLE_ROWS).map(|(status, rows)| json!([status, numbers.share(*rows), rows])).collect()
}
