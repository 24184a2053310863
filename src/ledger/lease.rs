//! The right to work on a shard, and to commit it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::commit::{self, Rolled};
use super::error::Result;
use super::lease_file::{self, LeaseFile, Phase, State};
use super::names::{self, AttemptId};
use super::record::{CommitRecord, Committed, FileRecord, RECORD_VERSION};
use super::shared::{Shared, Stats};
use super::storage::{Op, StorageError, StorageFile, found, made};
use super::{Checkpoint, LedgerError, Prefix};

/// Longest error text that a lease keeps, bytes.
const ERROR_LIMIT: usize = 1000;
/// Times that a claim which vanished is made again.
const CLAIM_TRIES: u32 = 4;

/// What a heartbeat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    Held,
    /// Another took the shard over, or committed it: stop working on it.
    Lost,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    Won,
    /// Another attempt at the shard was first; this one's files are gone.
    Lost,
}

/// What a reported failure came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Another attempt will follow, unless there were too many.
    Counted,
    /// The shard is committed, by this attempt or another.
    Committed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Won,
    Lost,
    /// The folder now belongs to another plan.
    Wiped,
}

/// Tells that a committed shard is to be rewritten.
#[derive(Debug, Clone)]
pub struct Retry {
    /// The generation that the shard becomes.
    pub generation: u32,
    /// What is committed now, and stays readable under its final names until the commit.
    pub previous: Committed,
}

/// What is known of the attempt before.
#[derive(Debug, Clone, Default)]
pub(super) struct Previous {
    pub checkpoint: Option<Checkpoint>,
    /// The attempt whose files may be moved rather than copied.
    pub movable: Option<AttemptId>,
}

/// A shard in this process's hands. Dropped without a word, it is as if the process had crashed: another attempt takes
/// over after the time to live.
#[derive(Debug)]
pub struct Lease {
    pub(super) shared: Arc<Shared>,
    pub(super) shard: u64,
    pub(super) name: String,
    pub(super) id: AttemptId,
    pub(super) previous: Previous,
    retry: Option<Retry>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: LeaseFile,
    state: State,
    /// When the state was last written.
    beaten: Instant,
    /// Suffixes of the files that this attempt made.
    made: BTreeSet<String>,
}

impl Lease {
    pub(super) fn new(
        shared: Arc<Shared>,
        shard: u64,
        id: AttemptId,
        file: LeaseFile,
        state: State,
        previous: Previous,
        retry: Option<Retry>,
    ) -> Self {
        shared.set_mine(shard, true);
        let name = shared.name(shard);
        Self {
            shared,
            shard,
            name,
            id,
            previous,
            retry,
            inner: Mutex::new(Inner { file, state, beaten: Instant::now(), made: BTreeSet::new() }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A half-changed state cannot be: every change is one assignment before one write.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn nonce(&self) -> u64 {
        self.shared.owner.nonce
    }

    pub fn shard(&self) -> u64 {
        self.shard
    }

    /// The shard's name, without extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From 1, within the generation.
    pub fn attempt(&self) -> u32 {
        self.id.attempt
    }

    /// 0, or the generation of the retry.
    pub fn generation(&self) -> u32 {
        self.id.generation
    }

    /// Set when a committed shard is rewritten.
    pub fn retry(&self) -> Option<&Retry> {
        self.retry.as_ref()
    }

    /// Where this attempt writes its file `suffix` (`tar`, `parquet`): relative to the output folder. The suffix is also
    /// the final extension.
    pub fn partial(&self, suffix: &str) -> String {
        names::partial(&self.name, self.id, self.nonce(), suffix)
    }

    /// Creates this attempt's file `suffix`, empty.
    pub fn create(&self, suffix: &str) -> Result<Box<dyn StorageFile>> {
        let path = self.partial(suffix);
        self.inner().made.insert(suffix.to_owned());
        loop {
            if let Some(file) = made(self.shared.storage.create_new(&path))? {
                return Ok(file);
            }
            // Only this attempt knows the name, so it is an earlier start of the same file.
            found(self.shared.storage.remove(&path))?;
        }
    }

    /// Opens a file that this attempt has written, for reading.
    pub fn reopen(&self, suffix: &str) -> Result<Box<dyn StorageFile>> {
        Ok(self.shared.storage.open(&self.partial(suffix))?)
    }

    /// The last checkpoint of the attempt before, if it left one.
    pub fn resume(&self) -> Option<&Checkpoint> {
        self.previous.checkpoint.as_ref()
    }

    /// Brings the bytes of an earlier attempt under this attempt's name, and opens the file at their end. All of them
    /// pass through `on_block`, so that the caller's running hash can go on.
    ///
    /// `None` if no earlier attempt's file starts with these bytes: then what `on_block` saw is worth nothing, and the
    /// shard is to be started from its first row.
    pub fn restore(&self, prefix: &Prefix, on_block: &mut dyn FnMut(&[u8])) -> Result<Option<Box<dyn StorageFile>>> {
        super::restore::restore(self, prefix, on_block)
    }

    /// Heartbeat and checkpoint in one write. Costs two look-ups besides.
    ///
    /// The bytes that the checkpoint counts must have been written to the partial files; whether they are on disk yet is
    /// checked by whoever restores them.
    pub fn beat(&self, checkpoint: &Checkpoint) -> Result<Beat> {
        let mut inner = self.inner();
        let mut state = inner.state.clone();
        state.checkpoint = Some(checkpoint.clone());
        self.write_state(&mut inner, state)
    }

    fn write_state(&self, inner: &mut Inner, state: State) -> Result<Beat> {
        let storage = &*self.shared.storage;
        let gone = found(storage.size(inner.file.path()))?.is_none();
        if gone || found(storage.size(&names::lease(&self.name, self.id.next())))?.is_some() {
            return Ok(Beat::Lost);
        }
        inner.file.write(&state)?;
        inner.state = state;
        inner.beaten = Instant::now();
        Ok(Beat::Held)
    }

    /// Does `work` with the lease kept alive, however long it blocks: copying an earlier attempt's tar, or syncing one,
    /// takes minutes on a busy file system. A heartbeat of this kind is only made where `work` makes none `every` so often.
    pub fn keep_alive<T>(&self, every: Duration, work: impl FnOnce() -> T) -> T {
        let (done, ended) = channel();
        std::thread::scope(|scope| {
            let heart = std::thread::Builder::new().name("heartbeat".into());
            // Without the thread the lease may be taken over, which costs time, not data.
            let _ = heart.spawn_scoped(scope, move || self.beat_when_late(every, &ended));
            let result = work();
            drop::<std::sync::mpsc::Sender<()>>(done);
            result
        })
    }

    fn beat_when_late(&self, every: Duration, ended: &Receiver<()>) {
        // Later than a heartbeat that comes in time.
        let late = every.mul_f64(1.25);
        loop {
            let pause = late.saturating_sub(self.inner().beaten.elapsed()).max(every / 4);
            if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let mut inner = self.inner();
            if inner.beaten.elapsed() < late {
                continue;
            }
            let state = inner.state.clone();
            match self.write_state(&mut inner, state) {
                Ok(Beat::Held) => {}
                Ok(Beat::Lost) => return,
                Err(error) => tracing::warn!("{error}; the next heartbeat tries again"),
            }
        }
    }

    /// The record to put into the stats as the object `clipmill`; `files` maps suffixes to what was written.
    pub fn record(&self, files: impl IntoIterator<Item = (String, FileRecord)>) -> CommitRecord {
        let files: BTreeMap<_, _> =
            files.into_iter().map(|(suffix, file)| (format!("{}.{suffix}", self.name), file)).collect();
        CommitRecord {
            version: RECORD_VERSION,
            plan_hash: self.shared.plan.hash_of(self.shard).to_owned(),
            generation: self.id.generation,
            attempt: self.id.attempt,
            nonce: format!("{:016x}", self.nonce()),
            files,
        }
    }

    /// Commits the files that the record in `stats` names. All of them must have been written; they are synced here.
    ///
    /// After an error of class `Retry` it may be called again. After any error the shard may be committed all the same:
    /// whoever finds the claim finishes it.
    pub fn commit(&self, stats: &[u8]) -> Result<Commit> {
        let plan_hash = self.shared.plan.hash_of(self.shard);
        let committed = commit::check_record(&self.name, self.id, self.nonce(), plan_hash, stats)?;
        let record = self.write_files(&committed, stats)?;
        for _ in 0..CLAIM_TRIES {
            let claimed = made(self.shared.storage.link(&record, &names::claim(&self.name, self.id.generation)))?;
            if claimed.is_some() && self.shared.options.fsync {
                self.shared.storage.sync_dir(names::LEASES_DIR)?;
            }
            // Ours or another's: either way it has to be finished before anything can be said.
            let rolled = commit::roll_forward(&self.shared, &self.name, self.id.generation)?;
            if let Some(outcome) = self.outcome(&rolled)? {
                return self.finish(outcome, &rolled, &committed);
            }
        }
        Err(LedgerError::Record { file: names::stats(&self.name), what: "the claim vanished again and again".into() })
    }

    /// Who committed the shard; `None` if nobody has.
    fn outcome(&self, rolled: &Rolled) -> Result<Option<Outcome>> {
        let nonce = format!("{:016x}", self.nonce());
        if let Rolled::Done(id, by) = rolled
            && *id == self.id
            && *by == nonce
        {
            return Ok(Some(Outcome::Won));
        }
        Ok(match self.shared.stats(&self.name)? {
            Stats::Valid(by) if by.clipmill.nonce == nonce && by.clipmill.generation == self.id.generation => {
                Some(Outcome::Won)
            }
            Stats::Valid(by) if by.clipmill.generation >= self.id.generation => Some(Outcome::Lost),
            // Not committed, and our lease is gone, or another's: the folder was wiped for another plan.
            _ if !self.is_ours()? => Some(Outcome::Wiped),
            _ => None,
        })
    }

    fn is_ours(&self) -> Result<bool> {
        let lease = lease_file::read(&*self.shared.storage, &names::lease(&self.name, self.id))?;
        Ok(lease.and_then(|lease| lease.state).is_some_and(|state| state.owner.nonce == self.nonce()))
    }

    fn finish(&self, outcome: Outcome, rolled: &Rolled, committed: &Committed) -> Result<Commit> {
        let storage = &*self.shared.storage;
        if outcome == Outcome::Wiped {
            // The leases there are the other plan's.
            self.remove_partials()?;
            return Ok(Commit::Lost);
        }
        self.shared.set_done(self.shard);
        let alone = outcome == Outcome::Won
            && matches!(rolled, Rolled::Done(..))
            && self.id == AttemptId { generation: 0, attempt: 1 }
            && found(storage.size(&names::lease(&self.name, self.id.next())))?.is_none();
        if alone {
            // Nobody else was here, so what is left is known without looking: the record, and what only progress needed.
            let inner = self.inner();
            let files = &committed.clipmill.files;
            for suffix in inner.made.iter().filter(|suffix| !files.contains_key(&format!("{}.{suffix}", self.name))) {
                found(storage.remove(&self.partial(suffix)))?;
            }
            found(storage.remove(inner.file.path()))?;
        } else {
            commit::clean_up(storage, &self.name, self.id.generation)?;
        }
        Ok(if outcome == Outcome::Won { Commit::Won } else { Commit::Lost })
    }

    fn remove_partials(&self) -> Result<()> {
        let prefix = self.partial("");
        for file in self.shared.storage.list(names::PARTIAL_DIR)? {
            let path = format!("{}/{file}", names::PARTIAL_DIR);
            if path.starts_with(&prefix) {
                found(self.shared.storage.remove(&path))?;
            }
        }
        Ok(())
    }

    /// Syncs the shard's files and writes the record beside them; returns the record's path.
    fn write_files(&self, committed: &Committed, stats: &[u8]) -> Result<String> {
        let storage = &*self.shared.storage;
        for (file, record) in &committed.clipmill.files {
            let suffix = super::record::extension(&self.name, file).unwrap_or_default();
            self.check_file(&self.partial(suffix), record)?;
        }
        let path = self.partial("stats.json");
        let mut file = self.create("stats.json")?;
        file.write_all(stats).map_err(|error| StorageError::new(Op::Write, &path, error))?;
        if self.shared.options.fsync {
            file.sync_data().map_err(|error| StorageError::new(Op::Sync, &path, error))?;
            // A claim must not outlive the names that it will move.
            storage.sync_dir(names::PARTIAL_DIR)?;
        }
        Ok(path)
    }

    fn check_file(&self, path: &str, record: &FileRecord) -> Result<()> {
        let bad = |what| LedgerError::Record { file: path.to_owned(), what };
        // Gone: an earlier call of commit claimed and moved it, or a winner cleaned up. The claim tells which.
        let Some(mut file) = found(self.shared.storage.open_write(path))? else { return Ok(()) };
        let len = file.seek(SeekFrom::End(0)).map_err(|error| StorageError::new(Op::Size, path, error))?;
        if len != record.bytes {
            return Err(bad(format!("the record says {} bytes, the file has {len}", record.bytes)));
        }
        if self.shared.options.fsync {
            file.sync_data().map_err(|error| StorageError::new(Op::Sync, path, error))?;
        }
        Ok(())
    }

    /// Lets go of the shard with its progress: others may take over at once. All partial files must be closed.
    pub fn release(self, checkpoint: Option<&Checkpoint>) -> Result<()> {
        let mut inner = self.inner();
        let mut state = inner.state.clone();
        state.phase = Phase::Released;
        if let Some(checkpoint) = checkpoint {
            state.checkpoint = Some(checkpoint.clone());
        }
        inner.file.write(&state)
    }

    /// Reports that the attempt failed as a whole. It is counted, and its files are dropped; the next attempt starts
    /// from nothing, as the progress may be part of the trouble.
    ///
    /// A commit that failed half-way is finished here where that is possible: then nothing failed after all.
    pub fn fail(self, error: &str) -> Result<Failed> {
        let storage = &*self.shared.storage;
        // A claim of ours would outlive its files otherwise.
        commit::roll_forward(&self.shared, &self.name, self.id.generation)?;
        if let Stats::Valid(by) = self.shared.stats(&self.name)?
            && by.clipmill.generation >= self.id.generation
        {
            // Ours, or another's; that this attempt lost its files to a winner is no failure.
            self.shared.set_done(self.shard);
            commit::clean_up(storage, &self.name, self.id.generation)?;
            return Ok(Failed::Committed);
        }
        {
            let mut inner = self.inner();
            let mut state = inner.state.clone();
            state.phase = Phase::Failed;
            state.checkpoint = None;
            state.failures.run = self.shared.owner.run();
            state.failures.count = state.failures.count.saturating_add(1);
            state.failures.error = truncated(error).to_owned();
            self.shared.add_failure(self.shard);
            inner.file.write(&state)?;
        }
        self.remove_partials()?;
        Ok(Failed::Counted)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.set_mine(self.shard, false);
    }
}

fn truncated(text: &str) -> &str {
    let mut end = text.len().min(ERROR_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
