//! One rank's life: takes shards until the plan is done or a drain is asked for.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::feed::{FeedError, Feeder, ShardFeed};
use super::writer::{ShardEnd, ShardJob, Written, cut_off, write_shard};
use super::{JobError, prepare};
use crate::cluster::{Level, Placement, Stop};
use crate::config::Config;
use crate::error::Class;
use crate::fetch::FetchError;
use crate::ledger::storage::Storage;
use crate::ledger::{Lease, Ledger, Next, Plan};
use crate::sink::ShardContext;
use crate::telemetry::Progress;

/// Shards that a rank has open at once, unless they are so small that it takes more to fill its slots: the one that is
/// fed, and those whose last samples are still on their way.
const OPEN: u32 = 4;
/// Each has a thread and a few open files.
const MOST_OPEN: u32 = 128;

/// Looks at the folder in a row that may fail for a reason that passes, and the pause between two.
const HICCUPS: u32 = 10;
const HICCUP_PAUSE: Duration = Duration::from_secs(3);

/// Time from the order to stop to the end, whatever hangs: a drain is promised to take less than 30 s.
const DRAIN_TIME: Duration = Duration::from_secs(26);
/// The same after a second signal.
const NOW_TIME: Duration = Duration::from_secs(3);

/// How a rank ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Every shard of the plan is committed.
    Complete { too_many_failed: bool },
    /// Stopped early with work left.
    Drained { reason: String },
    /// These shards failed too often, with the last error of each; the others are committed.
    GaveUp { shards: Vec<(String, String)> },
}

/// What a rank works with.
pub struct Work {
    pub config: Arc<Config>,
    pub placement: Placement,
    pub stop: Stop,
    pub storage: Arc<dyn Storage>,
    pub plan: Arc<Plan>,
    /// In the order of the plan's inputs.
    pub inputs: Vec<PathBuf>,
    pub ledger: Mutex<Ledger>,
    pub progress: Arc<Progress>,
}

/// A rank at work.
pub struct Rank {
    pub work: Work,
    pub feeder: Arc<Feeder>,
    pub context: Arc<ShardContext>,
}

type Shards = JoinSet<Result<ShardEnd, JobError>>;

impl Rank {
    /// Works until nothing is left to do here.
    pub async fn work(self: Arc<Self>) -> Result<Ending, JobError> {
        let mut failed = None;
        let ending = tokio::select! {
            ending = self.work_and_close(&mut failed) => ending,
            () = self.overdue() => {
                tracing::warn!("the file system is too slow to close every shard in time; what was saved before counts");
                self.drained()
            }
        };
        failed.map_or(Ok(ending), Err)
    }

    async fn work_and_close(self: &Arc<Self>, failed: &mut Option<JobError>) -> Ending {
        let mut shards: Shards = JoinSet::new();
        let mut hiccups = 0;
        let ending = loop {
            match self.step(&mut shards).await {
                Ok(None) => hiccups = 0,
                Ok(Some(ending)) => break ending,
                Err(error) if error.class() == Class::Retry && hiccups < HICCUPS => {
                    hiccups += 1;
                    tracing::warn!("{error}; trying again");
                    tokio::time::sleep(HICCUP_PAUSE).await;
                }
                Err(error) => {
                    self.work.stop.request(Level::Drain, format!("an error on this rank: {error}"));
                    *failed = Some(error);
                    break self.drained();
                }
            }
        };
        while let Some(end) = shards.join_next().await {
            if let Err(error) = self.ended(end) {
                failed.get_or_insert(error);
            }
        }
        ending
    }

    /// When a rank that was told to stop has to be gone, also if a disk hangs: to leave shards open is safe, and SIGKILL
    /// would follow.
    async fn overdue(&self) {
        let stop = &self.work.stop;
        stop.reached(Level::Drain).await;
        tokio::select! {
            () = tokio::time::sleep(DRAIN_TIME) => {}
            () = async { stop.reached(Level::Now).await; tokio::time::sleep(NOW_TIME).await } => {}
        }
    }

    /// Opens a shard, or waits for something to happen.
    async fn step(self: &Arc<Self>, shards: &mut Shards) -> Result<Option<Ending>, JobError> {
        if self.work.stop.level() != Level::Run {
            return Ok(Some(self.drained()));
        }
        let this = Arc::clone(self);
        let wait = match blocking(move || this.next()).await?? {
            Next::Take(lease) => return self.open(*lease, shards).await.map(|()| None),
            Next::Complete if shards.is_empty() => return Ok(Some(Ending::Complete { too_many_failed: false })),
            Next::GaveUp(given_up) if shards.is_empty() => {
                let plan = &self.work.plan;
                let shards = given_up.into_iter().map(|given_up| (plan.shard_name(given_up.shard), given_up.error));
                return Ok(Some(Ending::GaveUp { shards: shards.collect() }));
            }
            Next::Complete | Next::GaveUp(_) => Duration::from_secs(1),
            Next::Wait(wait) => wait,
        };
        tokio::select! {
            Some(end) = shards.join_next() => self.ended(end)?,
            () = tokio::time::sleep(wait) => {}
            () = self.work.stop.reached(Level::Drain) => {}
        }
        Ok(None)
    }

    /// Starts a shard and comes back when all its rows are handed out and there is room for another.
    async fn open(self: &Arc<Self>, lease: Lease, shards: &mut Shards) -> Result<(), JobError> {
        let (all_out, mut handed_out) = oneshot::channel();
        let this = Arc::clone(self);
        shards.spawn(async move { this.shard(lease, all_out).await });
        loop {
            tokio::select! {
                // An error counts too: the shard ended before all its rows were out.
                _ = &mut handed_out => break,
                Some(end) = shards.join_next() => self.ended(end)?,
            }
        }
        while shards.len() >= self.most_open() {
            match shards.join_next().await {
                Some(end) => self.ended(end)?,
                None => break,
            }
        }
        Ok(())
    }

    /// One shard from lease to commit.
    async fn shard(self: Arc<Self>, lease: Lease, all_out: oneshot::Sender<()>) -> Result<ShardEnd, JobError> {
        let (name, shard) = (lease.name().to_owned(), lease.shard());
        let this = Arc::clone(&self);
        let heartbeat = Duration::from_secs_f64(self.work.config.distribution.heartbeat);
        let prepared = move || match lease.keep_alive(heartbeat, || prepare::prepare(&this, &lease)) {
            Ok(prepared) => Ok((lease, prepared)),
            Err(error) => Err(cut_off(lease, None, error)),
        };
        let (lease, prepared) = match blocking(prepared).await? {
            Ok(prepared) => prepared,
            Err(end) => return end,
        };
        let (to_writer, received) = channel();
        let (written_tx, written) = watch::channel(Written { next: prepared.recovered.next, over: false });
        let feed = ShardFeed {
            shard,
            next: prepared.recovered.next,
            rows: prepared.rows,
            kept: prepared.kept,
            writer: to_writer,
            written,
            all_out,
            tar: prepared.tar,
        };
        let job = ShardJob {
            context: Arc::clone(&self.context),
            lease,
            rows: prepared.row_count,
            heartbeat,
            declared: prepared.declared,
            received,
            written: written_tx,
        };
        let (done, end) = oneshot::channel();
        std::thread::Builder::new()
            .name(format!("shard {name}"))
            .spawn(move || done.send(write_shard(job, prepared.recovered)))
            .map_err(|source| JobError::Thread { source })?;
        let fed = self.feeder.feed(feed).await;
        let end = end.await.map_err(|_| JobError::WriterGone { shard: name })?;
        fed.map_err(|error| match error {
            FeedError::Fetch(FetchError::OpenFiles) => JobError::OpenFiles,
            FeedError::Fetch(FetchError::Site(error)) => JobError::Sites(error),
            #[cfg(feature = "media")]
            FeedError::Mill(error) => error.into(),
            error => JobError::Scratch { folder: self.scratch(), why: error.to_string() },
        })?;
        end
    }

    fn most_open(&self) -> usize {
        let to_fill = self.work.config.distribution.thread_count.div_ceil(self.work.plan.number_sample_per_shard());
        OPEN.saturating_add(to_fill).min(MOST_OPEN) as usize
    }

    fn next(&self) -> Result<Next, JobError> {
        let mut ledger = self.work.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ledger.next()?)
    }

    fn drained(&self) -> Ending {
        Ending::Drained { reason: self.work.stop.reason().unwrap_or_default() }
    }

    fn scratch(&self) -> PathBuf {
        self.work.placement.scratch.clone()
    }

    /// Takes note of a shard's end. Only an error that no shard can survive comes back.
    fn ended(&self, end: Result<Result<ShardEnd, JobError>, tokio::task::JoinError>) -> Result<(), JobError> {
        match end.map_err(|error| JobError::Task { what: error.to_string() })? {
            Ok(ShardEnd::Committed(counts)) => {
                Progress::add(&self.work.progress.shards_committed, 1);
                tracing::debug!(rows = counts.count, successes = counts.successes, "shard committed");
                Ok(())
            }
            Ok(ShardEnd::Lost) => {
                tracing::info!("another rank has taken over a shard that was open here");
                Ok(())
            }
            Ok(ShardEnd::Released) => Ok(()),
            Err(error) if error.class() == Class::Job => Err(error),
            Err(error) => {
                tracing::warn!("{error}; the shard will be tried again");
                Ok(())
            }
        }
    }
}

/// Runs file-system work off the network's threads.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JobError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| JobError::Task { what: error.to_string() })
}

/// The slots for samples in flight.
pub fn slots(thread_count: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(thread_count as usize))
}
