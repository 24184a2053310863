//! The writer thread of one open shard: takes finished rows in any order, writes them in input order, keeps the lease
//! alive, and commits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::JobError;
use crate::ledger::storage::Storage;
use crate::ledger::{Beat, Checkpoint, Commit, Lease, Prefix};
use crate::sink::stats::{Counts, Stats};
use crate::sink::{Finished, Reorder, Resumed, Saved, ShardContext, ShardPaths, ShardWriter, SinkError, ahead};

/// Suffixes of an attempt's files.
pub const TAR: &str = "tar";
pub const JOURNAL: &str = "rows.jsonl";
pub const SIDECAR: &str = "parquet";
pub const AHEAD: &str = "ahead.tar";

/// What the feeder tells the writer.
pub enum ToWriter {
    Finished { finished: Finished, seconds: f64 },
    /// Nothing more will come: save what is here and release the shard.
    Drain,
}

/// How a shard's attempt ended.
#[derive(Debug)]
pub enum ShardEnd {
    Committed(Counts),
    /// Another attempt holds or has committed the shard.
    Lost,
    Released,
}

/// What the writer tells the feeder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows before this one are in the tar.
    pub next: u32,
    /// The writer has ended: nothing more is wanted.
    pub over: bool,
}

/// All that the thread works with.
pub struct ShardJob {
    pub storage: Arc<dyn Storage>,
    pub context: Arc<ShardContext>,
    pub lease: Lease,
    /// Rows of the shard.
    pub rows: u32,
    pub heartbeat: Duration,
    pub received: Receiver<ToWriter>,
    pub written: watch::Sender<Written>,
}

/// What an earlier attempt left that is still good.
pub struct Recovered {
    resumed: Option<Resumed>,
    /// Finished rows that waited behind an unfinished one.
    pub ahead: Vec<Finished>,
    /// First row that is not in the tar.
    pub next: u32,
}

/// Brings what the previous attempt saved under this attempt's name. Whatever does not verify is done again.
pub fn recover(lease: &mut Lease) -> Result<Recovered, JobError> {
    let nothing = Recovered { resumed: None, ahead: Vec::new(), next: 0 };
    let Some(checkpoint) = lease.resume().cloned() else { return Ok(nothing) };
    let find = |suffix: &str| checkpoint.files.iter().find(|prefix| prefix.suffix == suffix);
    let (Some(tar), Some(journal)) = (find(TAR), find(JOURNAL)) else { return Ok(nothing) };
    let mut hasher = sha2::Sha256::default();
    let tar_file = lease.restore(tar, &mut |block| sha2::Digest::update(&mut hasher, block))?;
    let mut lines = Vec::new();
    let journal_file = lease.restore(journal, &mut |block| lines.extend_from_slice(block))?;
    let (Some(tar_file), Some(journal_file)) = (tar_file, journal_file) else {
        tracing::warn!("shard {}: what an earlier attempt left does not verify; starting it anew", lease.name());
        return Ok(nothing);
    };
    let resumed =
        Resumed { tar: tar_file, hasher, tar_len: tar.len, journal_file, journal: lines, rows: checkpoint.rows };
    let ahead = match find(AHEAD) {
        None => Vec::new(),
        Some(prefix) => match lease.restore(prefix, &mut |_| ())? {
            None => Vec::new(),
            Some(file) => ahead::read(Box::new(file), &lease.partial(AHEAD))?,
        },
    };
    Ok(Recovered { resumed: Some(resumed), ahead, next: checkpoint.rows })
}

/// Runs until the shard is committed, lost, or released.
pub fn write_shard(mut job: ShardJob, recovered: Recovered) -> Result<ShardEnd, JobError> {
    let outcome = write(&mut job, recovered);
    // Ends the feeder, however this thread ends.
    job.written.send_modify(|written| written.over = true);
    let lease = job.lease;
    match outcome {
        Ok(Outcome::Whole(record)) => {
            let stats = serde_json::to_vec_pretty(&record).map_err(SinkError::from)?;
            match lease.commit(&[(TAR, "tar"), (SIDECAR, "parquet")], &stats)? {
                Commit::Won => Ok(ShardEnd::Committed(record.counts)),
                Commit::Lost => Ok(ShardEnd::Lost),
            }
        }
        Ok(Outcome::Drained(checkpoint)) => {
            lease.release(&checkpoint)?;
            Ok(ShardEnd::Released)
        }
        Ok(Outcome::Lost) => Ok(ShardEnd::Lost),
        Err(error) => {
            lease.fail(&error.to_string())?;
            Err(error)
        }
    }
}

enum Outcome {
    Whole(Box<Stats>),
    Drained(Checkpoint),
    Lost,
}

fn write(job: &mut ShardJob, recovered: Recovered) -> Result<Outcome, JobError> {
    let mut writer = ShardWriter::start(job.storage.as_ref(), &job.context, paths(&job.lease), recovered.resumed)?;
    let mut order = Reorder::new(recovered.next);
    recovered.ahead.into_iter().for_each(|finished| order.insert(finished));
    let mut checkpoint = Checkpoint::default();
    let mut next_beat = Instant::now() + job.heartbeat;
    loop {
        while let Some(finished) = order.pop() {
            writer.push(finished)?;
            job.written.send_modify(|written| written.next = order.next_index());
        }
        if writer.rows() >= job.rows {
            return Ok(Outcome::Whole(Box::new(writer.finish()?)));
        }
        match job.received.recv_timeout(next_beat.saturating_duration_since(Instant::now())) {
            Ok(ToWriter::Finished { finished, seconds }) => {
                writer.add_fetch_seconds(seconds);
                order.insert(finished);
            }
            Ok(ToWriter::Drain) | Err(RecvTimeoutError::Disconnected) => {
                return Ok(Outcome::Drained(drain(job, &mut writer, order)?));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if Instant::now() >= next_beat {
            checkpoint = save(&mut writer, checkpoint)?;
            if job.lease.beat(&checkpoint)? == Beat::Lost {
                return Ok(Outcome::Lost);
            }
            next_beat = Instant::now() + job.heartbeat;
        }
    }
}

/// The checkpoint of what is written now; the last one again where nothing was added since.
fn save(writer: &mut ShardWriter<'_>, last: Checkpoint) -> Result<Checkpoint, JobError> {
    if writer.rows() == last.rows {
        return Ok(last);
    }
    let Some((tar, journal)) = writer.checkpoint()? else { return Ok(last) };
    Ok(Checkpoint { rows: writer.rows(), files: vec![prefix(TAR, tar), prefix(JOURNAL, journal)] })
}

/// Saves all that is finished, also what waits behind an unfinished row.
fn drain(job: &ShardJob, writer: &mut ShardWriter<'_>, order: Reorder) -> Result<Checkpoint, JobError> {
    let mut checkpoint = save(writer, Checkpoint::default())?;
    let mut waiting = order.into_waiting().peekable();
    if waiting.peek().is_some() {
        let path = job.lease.partial(AHEAD);
        let file = job.storage.create_new(&path)?;
        checkpoint.files.push(prefix(AHEAD, ahead::write(file, &path, waiting)?));
    }
    Ok(checkpoint)
}

fn prefix(suffix: &str, saved: Saved) -> Prefix {
    Prefix { suffix: suffix.to_owned(), len: saved.len, sha256: saved.sha256 }
}

fn paths(lease: &Lease) -> ShardPaths {
    ShardPaths {
        name: lease.name().to_owned(),
        shard: lease.shard(),
        attempt: lease.attempt(),
        generation: lease.generation(),
        tar: lease.partial(TAR),
        journal: lease.partial(JOURNAL),
        sidecar: lease.partial(SIDECAR),
    }
}
