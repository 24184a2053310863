//! Feeds the rows of one shard through the fetcher to its writer.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::room::MetadataRoom;
use super::sites;
use super::tars::TarShard;
use super::writer::{ToWriter, Written};
use crate::cluster::{Level, Stop};
use crate::fetch::{self, FetchError, Fetched, Fetcher};
use crate::sample::{Failure, FailureClass, KeyFormat, Row, Status, Usage};
use crate::sink::{Finished, Member, OutputSample, SampleFormat};
use crate::telemetry::{FailureLog, Progress};

/// Seconds that samples in flight get to finish once a drain was asked for.
const DRAIN_GRACE: Duration = Duration::from_secs(15);

/// What all shards of a rank share.
pub struct Feeder {
    pub fetcher: Fetcher,
    /// One permit per sample in flight.
    pub slots: Arc<Semaphore>,
    /// What the metadata of all samples on their way may take.
    pub metadata: MetadataRoom,
    /// Rows that may be finished ahead of the first unwritten one.
    pub window: u32,
    pub format: SampleFormat,
    pub keys: KeyFormat,
    /// Extension of the media member, where no worker makes the members.
    pub extension: String,
    /// Extensions of the members of a sample that arrives with its sound apart.
    pub formats: BTreeMap<String, String>,
    #[cfg(feature = "media")]
    pub mill: Option<super::mill::Mill>,
    pub stop: Stop,
    pub progress: Arc<Progress>,
    pub failures: FailureLog,
}

/// One shard's rows on their way.
pub struct ShardFeed {
    pub shard: u64,
    pub rows: Vec<Row>,
    /// First row that is not written yet.
    pub next: u32,
    /// Rows that need no fetching: kept of a committed shard, or finished by an earlier attempt.
    pub kept: HashMap<u32, Kept>,
    pub writer: Sender<ToWriter>,
    pub written: watch::Receiver<Written>,
    /// Told when every row has been handed out, so that the rank opens its next shard.
    pub all_out: oneshot::Sender<()>,
    /// Where the rows are a tar's samples: they come from there, and none is fetched.
    pub tar: Option<Arc<TarShard>>,
}

/// A row that is not fetched.
pub enum Kept {
    /// To be written as it is.
    Finished(Finished),
    /// The writer has it already.
    Known,
}

/// A slot for a sample, and the room of its metadata where that takes any.
pub type Place = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// What stopped a shard's feeding for a reason that is not its data's.
pub type FeedResult = Result<(), FeedError>;

/// Of the node, not of a sample.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[cfg(feature = "media")]
    #[error(transparent)]
    Mill(#[from] crate::mill::MillError),
}

impl Feeder {
    /// Whether the job has to see media, whatever it keeps of it.
    pub fn looks_into_media(&self) -> bool {
        #[cfg(feature = "media")]
        return self.mill.is_some();
        #[cfg(not(feature = "media"))]
        false
    }

    /// Hands out all rows, waits for them, and ends when the writer has what it needs or a drain was asked for.
    pub async fn feed(self: &Arc<Self>, feed: ShardFeed) -> FeedResult {
        let ShardFeed { shard, rows, next, mut kept, writer, mut written, all_out, tar } = feed;
        let mut running: JoinSet<FeedResult> = JoinSet::new();
        let resumed = u64::from(next) + kept.keys().filter(|row| **row >= next).count() as u64;
        Progress::add(&self.progress.rows_resumed, resumed);
        for row in rows.into_iter().filter(|row| row.index >= next) {
            match kept.remove(&row.index) {
                Some(Kept::Known) => continue,
                Some(Kept::Finished(finished)) => {
                    let _ = writer.send(ToWriter::Finished { finished, seconds: 0.0 });
                    continue;
                }
                None => {}
            }
            let text = tar.as_ref().map_or(0, |tar| tar.metadata_bytes(row.index));
            let Some((slot, room)) = self.slot(row.index, text, &mut written).await else { break };
            let (this, writer, tar) = (Arc::clone(self), writer.clone(), tar.clone());
            running.spawn(async move {
                match tar {
                    Some(tar) => this.carry(tar, row.index, (slot, room), writer).await,
                    None => this.sample(shard, row, slot, writer).await,
                }
            });
            while let Some(done) = running.try_join_next() {
                flatten(done)?;
            }
        }
        // A rank that was told to stop opens nothing more; the receiver may be gone.
        let _ = all_out.send(());
        self.finish(running, &mut written).await?;
        if self.stop.level() != Level::Run {
            let _ = writer.send(ToWriter::Drain);
        }
        Ok(())
    }

    /// A slot for one more sample, and room for so many bytes of metadata; none when no more should start.
    async fn slot(&self, row: u32, text: u64, written: &mut watch::Receiver<Written>) -> Option<Place> {
        let room = written.wait_for(|w| w.over || row < w.next.saturating_add(self.window));
        let room = tokio::select! {
            biased;
            () = self.stop.reached(Level::Drain) => return None,
            room = room => !room.ok()?.over,
        };
        if !room {
            return None;
        }
        tokio::select! {
            biased;
            () = self.stop.reached(Level::Drain) => None,
            _ = written.wait_for(|w| w.over) => None,
            slot = async {
                let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
                Some((slot, self.metadata.take(text).await))
            } => slot,
        }
    }

    /// Waits for what is in flight; after a drain was asked for, only so long.
    async fn finish(&self, mut running: JoinSet<FeedResult>, written: &mut watch::Receiver<Written>) -> FeedResult {
        let too_late = async {
            self.stop.reached(Level::Drain).await;
            tokio::select! {
                () = self.stop.reached(Level::Now) => {}
                () = tokio::time::sleep(DRAIN_GRACE) => {}
            }
        };
        tokio::pin!(too_late);
        loop {
            tokio::select! {
                done = running.join_next() => match done {
                    Some(done) => flatten(done)?,
                    None => return Ok(()),
                },
                _ = written.wait_for(|w| w.over) => return Ok(()),
                () = &mut too_late => {
                    tracing::info!("{} samples in flight were given up; the next start fetches them again", running.len());
                    return Ok(());
                }
            }
        }
    }

    async fn sample(&self, shard: u64, row: Row, slot: OwnedSemaphorePermit, writer: Sender<ToWriter>) -> FeedResult {
        let begun = Instant::now();
        let key = self.keys.sample(shard, row.index);
        Progress::add(&self.progress.in_flight, 1);
        let outcome = guarded(self.fetch(&row)).await;
        self.progress.in_flight.fetch_sub(1, Ordering::Relaxed);
        let ((outputs, usage), bytes_received) = match outcome {
            Ok(fetched) => {
                let bytes = fetched.bytes_received;
                (self.outputs(&key, &row, fetched, slot).await?, bytes)
            }
            Err(FetchError::Sample(failure)) => {
                let failed = self.failed(&key, &row, Status::FailedToDownload, failure);
                ((vec![failed], Usage::default()), 0)
            }
            Err(error) => return Err(error.into()),
        };
        let finished = Finished { index: row.index, outputs, bytes_received, usage, room: None };
        self.send(&writer, finished, begun.elapsed().as_secs_f64());
        Ok(())
    }

    /// What becomes of the media that was fetched.
    async fn outputs(
        &self,
        key: &str,
        row: &Row,
        fetched: Fetched,
        slot: OwnedSemaphorePermit,
    ) -> Result<(Vec<OutputSample>, Usage), FeedError> {
        let mut whole = self.format.success(key, row, Vec::new());
        let sound = fetched.site.and_then(|site| sites::describe(&mut whole, site));
        #[cfg(feature = "media")]
        if let Some(mill) = &self.mill {
            let place = mill.place().await;
            drop(slot);
            if let Some(sound) = sound {
                whole.members = sites::stored(fetched.payload, sound);
                let (outputs, usage) = mill.process_stored(place, whole).await?;
                self.log_failures(key, row, &outputs);
                return Ok((outputs, usage));
            }
            let (processed, usage) = mill.process(place, &whole, fetched.payload).await?;
            let failed = |failure| vec![self.failed(key, row, Status::FailedToSubsample, failure)];
            return Ok((processed.unwrap_or_else(failed), usage));
        }
        drop(slot);
        whole.members = match sound {
            Some(sound) => sites::as_they_came(&self.formats, fetched.payload, sound),
            None => vec![Member { extension: self.extension.clone(), payload: fetched.payload }],
        };
        Ok((vec![whole], Usage::default()))
    }

    #[cfg(feature = "media")]
    fn log_failures(&self, key: &str, row: &Row, outputs: &[OutputSample]) {
        for failure in outputs.iter().filter_map(|output| output.failure.as_ref()) {
            self.failures.log(key, &fetch::shown(url_of(row).unwrap_or_default()), failure);
        }
    }

    async fn fetch(&self, row: &Row) -> Result<Fetched, FetchError> {
        if let Some(problem) = &row.problem {
            return Err(FetchError::Sample(problem.clone()));
        }
        let Some(url) = url_of(row) else {
            return Err(FetchError::Sample(Failure::new(FailureClass::NoUrl, "the row has no URL")));
        };
        self.fetcher.fetch(url).await
    }

    fn failed(&self, key: &str, row: &Row, status: Status, failure: Failure) -> OutputSample {
        self.failures.log(key, &fetch::shown(url_of(row).unwrap_or_default()), &failure);
        self.format.failed(key, row, status, failure)
    }

    pub(super) fn send(&self, writer: &Sender<ToWriter>, finished: Finished, seconds: f64) {
        Progress::add(&self.progress.rows_done, 1);
        Progress::add(&self.progress.bytes, finished.bytes_received);
        if finished.outputs.iter().any(|output| output.failure.is_some()) {
            Progress::add(&self.progress.rows_failed, 1);
        }
        // A writer that ended has told the feeder by `written`.
        let _ = writer.send(ToWriter::Finished { finished, seconds });
    }
}

/// The URL is the last column of every plan.
fn url_of(row: &Row) -> Option<&str> {
    row.cells.last().and_then(Value::as_str)
}

/// A panic is a bug, but costs its sample only: a rank that it ended would meet the same row at every start.
async fn guarded<T>(work: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Failure::new(FailureClass::Internal, format!("a bug of clipmill: {text}")).into())
    })
}

/// What is left to go wrong in a sample's task has no sample to blame.
fn flatten(done: Result<FeedResult, tokio::task::JoinError>) -> FeedResult {
    match done {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => Ok(()),
        Err(error) => Err(FetchError::Scratch(std::io::Error::other(error)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_samples_own_failure() {
        let failed = guarded(async { if true { panic!("boom {}", 7) } else { Ok(()) } }).await;
        let Err(FetchError::Sample(failure)) = failed else { panic!("{failed:?}") };
        assert_eq!(failure, Failure::new(FailureClass::Internal, "a bug of clipmill: boom 7"));
        assert!(guarded(async { Ok(3) }).await.is_ok());
    }
}
