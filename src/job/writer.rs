//! The writer thread of one open shard: takes finished rows in any order, writes them in input order, keeps the lease
//! alive, and commits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::JobError;
use crate::error::Class;
use crate::ledger::{Beat, Checkpoint, Commit, Failed, Lease, Prefix};
use crate::sample::Column;
use crate::sink::stats::{Counts, Stats};
use crate::sink::{Finished, JOURNAL, Reorder, Resumed, Saved, ShardContext, ShardWriter, SinkError, TAR, ahead};

/// Further tries at a commit that an error interrupted which may pass.
const COMMIT_RETRIES: u32 = 5;
const COMMIT_PAUSE: Duration = Duration::from_secs(1);

/// Time for saving rows that finished ahead of an unfinished one, at a drain. The others are fetched again.
const AHEAD_TIME: Duration = Duration::from_secs(5);

/// Suffix of the file for rows that finished ahead of an unfinished one.
pub const AHEAD: &str = "ahead.tar";

/// What the feeder tells the writer.
pub enum ToWriter {
    Finished {
        finished: Finished,
        seconds: f64,
    },
    /// The shard's input broke off: the attempt fails with this.
    Broken(JobError),
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
    pub context: Arc<ShardContext>,
    pub lease: Lease,
    /// Rows of the shard.
    pub rows: u32,
    pub heartbeat: Duration,
    /// The fields that the samples are known to bring themselves; none where the plan has the columns.
    pub declared: Option<Vec<Column>>,
    pub received: Receiver<ToWriter>,
    pub written: watch::Sender<Written>,
}

/// What an earlier attempt left that is still good.
pub struct Recovered {
    resumed: Option<Resumed>,
    /// Finished rows that waited behind an unfinished one.
    pub ahead: Vec<Finished>,
    /// What of the checkpoint these are, for whoever follows if this attempt ends before its first own.
    checkpoint: Option<Checkpoint>,
    /// First row that is not in the tar.
    pub next: u32,
}

/// Brings what the previous attempt saved under this attempt's name. Whatever does not verify is done again.
pub fn recover(lease: &Lease) -> Result<Recovered, JobError> {
    let mut recovered = Recovered { resumed: None, ahead: Vec::new(), checkpoint: None, next: 0 };
    let Some(checkpoint) = lease.resume().cloned() else { return Ok(recovered) };
    let find = |suffix: &str| checkpoint.files.iter().find(|prefix| prefix.suffix == suffix);
    if checkpoint.rows > 0 {
        let (Some(tar), Some(journal)) = (find(TAR), find(JOURNAL)) else { return Ok(recovered) };
        match restore(lease, tar, journal, checkpoint.rows)? {
            Some(resumed) => recovered = Recovered { next: checkpoint.rows, resumed: Some(resumed), ..recovered },
            None => {
                tracing::warn!("shard {}: what an earlier attempt left does not verify; starting anew", lease.name());
                return Ok(recovered);
            }
        }
    }
    if let Some(prefix) = find(AHEAD)
        && let Some(file) = lease.restore(prefix, &mut |_| ())?
    {
        match ahead::read(Box::new(file), &lease.partial(AHEAD)) {
            Ok(ahead) => recovered.ahead = ahead,
            Err(error) => tracing::warn!("{error}; these samples are fetched again"),
        }
    }
    let mut good = checkpoint;
    good.files.retain(|file| file.suffix != AHEAD || !recovered.ahead.is_empty());
    recovered.checkpoint = Some(good);
    Ok(recovered)
}

fn restore(lease: &Lease, tar: &Prefix, journal: &Prefix, rows: u32) -> Result<Option<Resumed>, JobError> {
    let mut hasher = sha2::Sha256::default();
    let tar_file = lease.restore(tar, &mut |block| sha2::Digest::update(&mut hasher, block))?;
    let mut lines = Vec::new();
    let journal_file = lease.restore(journal, &mut |block| lines.extend_from_slice(block))?;
    Ok(tar_file.zip(journal_file).map(|(tar_file, journal_file)| Resumed {
        tar: tar_file,
        hasher,
        tar_len: tar.len,
        journal_file,
        journal: lines,
        rows,
    }))
}

/// Runs until the shard is committed, lost, or released.
pub fn write_shard(job: ShardJob, recovered: Recovered) -> Result<ShardEnd, JobError> {
    let mut checkpoint = None;
    let ended = job.lease.keep_alive(job.heartbeat, || {
        let outcome = write(&job, recovered, &mut checkpoint);
        // Ends the feeder, however the writing ended.
        job.written.send_modify(|written| written.over = true);
        outcome.and_then(|outcome| match outcome {
            Outcome::Whole(record) => commit(&job.lease, *record).map(Some),
            Outcome::Lost => Ok(Some(ShardEnd::Lost)),
            Outcome::Drained => Ok(None),
        })
    });
    match ended {
        Ok(Some(end)) => Ok(end),
        Ok(None) => {
            job.lease.release(checkpoint.as_ref())?;
            Ok(ShardEnd::Released)
        }
        Err(error) => cut_off(job.lease, checkpoint.as_ref(), error),
    }
}

/// Ends an attempt that an error stopped. Every error has to come by here: a shard whose failures are not counted would
/// be tried for ever.
pub fn cut_off(lease: Lease, checkpoint: Option<&Checkpoint>, error: JobError) -> Result<ShardEnd, JobError> {
    if error.class() == Class::Job {
        // A full disk says nothing about the shard: what is saved stays saved.
        if let Err(also) = lease.release(checkpoint) {
            tracing::warn!("{also}; the shard is free for others after `distribution.lease_ttl`");
        }
        return Err(error);
    }
    match lease.fail(&error.to_string())? {
        Failed::Counted => Err(error),
        // It lost its files to a late commit, and nothing is wrong.
        Failed::Committed => Ok(ShardEnd::Lost),
    }
}

fn commit(lease: &Lease, record: Stats) -> Result<ShardEnd, JobError> {
    let stats = serde_json::to_vec_pretty(&record).map_err(SinkError::from)?;
    let mut tries = 0;
    loop {
        match lease.commit(&stats) {
            Ok(Commit::Won) => return Ok(ShardEnd::Committed(record.counts)),
            Ok(Commit::Lost) => return Ok(ShardEnd::Lost),
            Err(error) if error.class() == Class::Retry && tries < COMMIT_RETRIES => {
                tries += 1;
                tracing::warn!("shard {}: {error}; committing again", lease.name());
                std::thread::sleep(COMMIT_PAUSE * tries);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

enum Outcome {
    Whole(Box<Stats>),
    /// The checkpoint says how far; there is none where nothing is written yet.
    Drained,
    Lost,
}

fn write(job: &ShardJob, recovered: Recovered, checkpoint: &mut Option<Checkpoint>) -> Result<Outcome, JobError> {
    let mut writer = ShardWriter::start(&job.lease, &job.context, recovered.resumed)?;
    if let Some(columns) = &job.declared {
        writer.declare(columns.clone());
    }
    *checkpoint = recovered.checkpoint;
    let ahead_end = recovered.ahead.iter().map(|finished| finished.index + 1).max().unwrap_or(0);
    let mut order = Reorder::new(recovered.next);
    recovered.ahead.into_iter().for_each(|finished| order.insert(finished));
    let mut next_beat = Instant::now() + job.heartbeat;
    loop {
        while let Some(finished) = order.pop() {
            writer.push(finished)?;
            job.written.send_modify(|written| written.next = order.next_index());
        }
        if writer.rows() >= job.rows {
            if writer.is_rendered() {
                // That takes a while: whoever follows an attempt that ends in the middle of it need not fetch anything.
                save(&mut writer, checkpoint, ahead_end)?;
                if let Some(Err(error)) = checkpoint.as_ref().map(|checkpoint| job.lease.beat(checkpoint)) {
                    tracing::warn!("{error}");
                }
            }
            return Ok(Outcome::Whole(Box::new(writer.finish()?)));
        }
        match job.received.recv_timeout(next_beat.saturating_duration_since(Instant::now())) {
            Ok(ToWriter::Finished { finished, seconds }) => {
                writer.add_fetch_seconds(seconds);
                order.insert(finished);
            }
            Ok(ToWriter::Broken(error)) => return Err(error),
            Ok(ToWriter::Drain) | Err(RecvTimeoutError::Disconnected) => {
                save(&mut writer, checkpoint, ahead_end)?;
                save_ahead(&job.lease, checkpoint, order)?;
                return Ok(Outcome::Drained);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if Instant::now() >= next_beat {
            save(&mut writer, checkpoint, ahead_end)?;
            let nothing = Checkpoint { rows: 0, files: Vec::new() };
            match job.lease.beat(checkpoint.as_ref().unwrap_or(&nothing)) {
                Ok(Beat::Held) => {}
                Ok(Beat::Lost) => return Ok(Outcome::Lost),
                // One that stays away costs the lease, if that; an attempt is too much for a hiccup.
                Err(error) if error.class() == Class::Retry => {
                    tracing::warn!("{error}; the next heartbeat tries again")
                }
                Err(error) => return Err(error.into()),
            }
            next_beat = Instant::now() + job.heartbeat;
        }
    }
}

/// Brings `checkpoint` up to what is written now. An earlier attempt's rows that wait stay in it until row `ahead_end`.
fn save(writer: &mut ShardWriter<'_>, checkpoint: &mut Option<Checkpoint>, ahead_end: u32) -> Result<(), JobError> {
    if checkpoint.as_ref().is_some_and(|last| last.rows == writer.rows()) {
        return Ok(());
    }
    if let Some((tar, journal)) = writer.checkpoint()? {
        let rows = writer.rows();
        let last = checkpoint.take().map(|last| last.files).unwrap_or_default();
        let ahead = last.into_iter().filter(|file| file.suffix == AHEAD && rows < ahead_end);
        let files = [prefix(TAR, tar), prefix(JOURNAL, journal)].into_iter().chain(ahead).collect();
        *checkpoint = Some(Checkpoint { rows, files });
    }
    Ok(())
}

/// Saves what is finished but waits behind an unfinished row: what [`AHEAD_TIME`] allows of it.
fn save_ahead(lease: &Lease, checkpoint: &mut Option<Checkpoint>, order: Reorder) -> Result<(), JobError> {
    let mut waiting = order.into_waiting().peekable();
    if waiting.peek().is_none() {
        return Ok(());
    }
    // First what is written: the process may be ended while it saves the rest.
    if let Some(Err(error)) = checkpoint.as_ref().map(|checkpoint| lease.beat(checkpoint)) {
        tracing::warn!("{error}");
    }
    let until = Instant::now() + AHEAD_TIME;
    let in_time = waiting.take_while(|_| Instant::now() < until);
    let saved = ahead::write(lease.create(AHEAD)?, &lease.partial(AHEAD), in_time)?;
    let checkpoint = checkpoint.get_or_insert(Checkpoint { rows: 0, files: Vec::new() });
    checkpoint.files.retain(|file| file.suffix != AHEAD);
    checkpoint.files.push(prefix(AHEAD, saved));
    Ok(())
}

fn prefix(suffix: &str, saved: Saved) -> Prefix {
    Prefix { suffix: suffix.to_owned(), len: saved.len, sha256: saved.sha256 }
}
