//! How far this rank is: a bar on a terminal, one line a minute elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Seconds between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(60);
const BAR_EVERY: Duration = Duration::from_millis(200);

/// Counters of one rank. Cheap to update from any thread.
#[derive(Debug, Default)]
pub struct Progress {
    pub rows_done: AtomicU64,
    pub rows_failed: AtomicU64,
    /// Rows of this rank's shards that an earlier attempt had finished already: not in the rates.
    pub rows_resumed: AtomicU64,
    pub bytes: AtomicU64,
    pub in_flight: AtomicU64,
    pub shards_committed: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    pub rows_done: u64,
    pub rows_failed: u64,
    pub bytes: u64,
    pub shards_committed: u64,
}

impl Progress {
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub fn snapshot(&self) -> Snapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            rows_done: get(&self.rows_done),
            rows_failed: get(&self.rows_failed),
            bytes: get(&self.bytes),
            shards_committed: get(&self.shards_committed),
        }
    }
}

/// Counts the committed shards of the whole job, whoever wrote them. Called at most once a minute.
pub type JobCount = Box<dyn Fn() -> Option<u64> + Send>;

/// Shows progress until dropped.
#[derive(Debug)]
pub struct Reporter {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reporter {
    /// Starts reporting. `rows` and `shards` are the whole plan's; `job_count` is given on the one rank that speaks for
    /// the job.
    pub fn start(
        progress: Arc<Progress>,
        bars: &MultiProgress,
        rows: u64,
        shards: u64,
        job_count: Option<JobCount>,
    ) -> Self {
        let (stop, stopped) = channel();
        let bar = std::io::stderr().is_terminal().then(|| new_bar(bars, rows));
        let every = if bar.is_some() { BAR_EVERY } else { LINE_EVERY };
        let mut lines = Lines { last: (Instant::now(), progress.snapshot()), rows, shards, job_count };
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                match &bar {
                    Some(bar) => update_bar(bar, &progress),
                    None => lines.print(&progress),
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        Self { stop: Some(stop), thread: thread.ok() }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn new_bar(bars: &MultiProgress, rows: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed} [{bar:30}] {pos}/{len} rows, {msg}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bars.add(ProgressBar::new(rows).with_style(style))
}

fn update_bar(bar: &ProgressBar, progress: &Progress) {
    let now = progress.snapshot();
    bar.set_position(now.rows_done + progress.rows_resumed.load(Ordering::Relaxed));
    let seconds = bar.elapsed().as_secs_f64().max(0.001);
    let rate = HumanBytes((now.bytes as f64 / seconds) as u64);
    bar.set_message(format!("{} failed, {rate}/s", now.rows_failed));
}

struct Lines {
    last: (Instant, Snapshot),
    rows: u64,
    shards: u64,
    job_count: Option<JobCount>,
}

impl Lines {
    fn print(&mut self, progress: &Progress) {
        let now = (Instant::now(), progress.snapshot());
        let seconds = now.0.duration_since(self.last.0).as_secs_f64().max(0.001);
        let rows_per_s = (now.1.rows_done - self.last.1.rows_done) as f64 / seconds;
        let bytes_per_s = HumanBytes(((now.1.bytes - self.last.1.bytes) as f64 / seconds) as u64);
        let rank = format!(
            "{} rows done here, {} failed, {rows_per_s:.1} rows/s, {bytes_per_s}/s, {} in flight",
            now.1.rows_done,
            now.1.rows_failed,
            progress.in_flight.load(Ordering::Relaxed)
        );
        match self.job_count.as_ref().and_then(|count| count()) {
            Some(committed) => {
                tracing::info!(
                    "job: {committed} of {} shards committed ({} rows planned); {rank}",
                    self.shards,
                    self.rows
                );
            }
            // Every other rank keeps quiet on stderr: a thousand ranks share one output file.
            None => tracing::debug!("{rank}"),
        }
        self.last = now;
    }
}

/// Lets a failure class through a few times, then only counts it.
#[derive(Debug, Default)]
pub struct FailureLog {
    seen: Mutex<std::collections::HashMap<String, u32>>,
}

/// Failures of one class that are shown to people, per rank.
const SHOWN_PER_CLASS: u32 = 5;

impl FailureLog {
    /// Logs one sample's failure: the first few of a class as warnings, the rest for the JSON log alone.
    pub fn log(&self, key: &str, url: &str, failure: &crate::sample::Failure) {
        let class = failure.class.to_string();
        let count = match self.seen.lock() {
            Ok(mut seen) => {
                let count = seen.entry(class.clone()).or_default();
                *count += 1;
                *count
            }
            Err(_) => return,
        };
        let of = if url.is_empty() { String::new() } else { format!(" <{url}>") };
        match count {
            n if n < SHOWN_PER_CLASS => tracing::warn!("sample {key} failed ({class}): {failure}{of}"),
            SHOWN_PER_CLASS => {
                tracing::warn!("sample {key} failed ({class}): {failure}{of}; more of this class go to the log file");
            }
            _ => tracing::debug!(key, class, url, "sample failed: {failure}"),
        }
    }
}
