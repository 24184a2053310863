//! What a rank's ledger and its leases have in common.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::{LedgerError, Result};
use super::plan::Plan;
use super::record::{self, Committed, Parsed};
use super::storage::{Storage, found};
use super::{Owner, RetryList, names};

/// How a rank works through the plan.
#[derive(Debug, Clone)]
pub struct Options {
    pub rank: u32,
    pub world: u32,
    /// A lease without a heartbeat for this long may be taken over.
    pub lease_ttl: Duration,
    pub mode: Mode,
    /// Further attempts at a shard that failed as a whole.
    pub max_shard_retry: u32,
    /// Wait for the disk at commit.
    pub fsync: bool,
    /// Least and longest pause between two looks at the folder while others hold what is left.
    pub poll: (Duration, Duration),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rank: 0,
            world: 1,
            lease_ttl: Duration::from_secs(60),
            mode: Mode::Normal,
            max_shard_retry: 1,
            fsync: true,
            poll: (Duration::from_secs(1), Duration::from_secs(30)),
        }
    }
}

/// Which shards are to do.
#[derive(Debug, Clone)]
pub enum Mode {
    /// Those without a commit record.
    Normal,
    /// Also those that the list pins, which are rewritten.
    RetryFailed(RetryList),
}

#[derive(Debug)]
pub(super) struct Shared {
    pub storage: Arc<dyn Storage>,
    pub plan: Arc<Plan>,
    pub owner: Owner,
    pub options: Options,
    /// Shards to rewrite, and the generation that they become.
    retry: BTreeMap<u64, u32>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    done: Vec<bool>,
    count: u64,
    /// Shards that this process holds a lease of.
    mine: HashSet<u64>,
    /// How often this process failed at a shard.
    failures: HashMap<u64, u32>,
}

/// What stands under a shard's stats name.
#[derive(Debug)]
pub(super) enum Stats {
    Absent,
    Broken(String),
    Valid(Box<Committed>),
}

impl Shared {
    pub(super) fn new(storage: Arc<dyn Storage>, plan: Arc<Plan>, owner: Owner, options: Options) -> Self {
        let retry = match &options.mode {
            Mode::Normal => BTreeMap::new(),
            Mode::RetryFailed(list) => list.shards.iter().map(|shard| (*shard, list.generation)).collect(),
        };
        let done = vec![false; usize::try_from(plan.shards()).unwrap_or(usize::MAX)];
        let progress = Mutex::new(Progress { done, count: 0, mine: HashSet::new(), failures: HashMap::new() });
        Self { storage, plan, owner, options, retry, progress }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // The state is whole between any two statements, so a panic elsewhere does not spoil it.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self, shard: u64) -> String {
        self.plan.shard_name(shard)
    }

    /// The shard that `name` is the name of, if the plan has it.
    pub(super) fn shard(&self, name: &str) -> Option<u64> {
        self.plan.shard_named(name)
    }

    /// The generation at which `shard` is done.
    pub(super) fn generation(&self, shard: u64) -> u32 {
        self.retry.get(&shard).copied().unwrap_or(0)
    }

    pub(super) fn retry_shards(&self) -> impl Iterator<Item = u64> + '_ {
        self.retry.keys().copied()
    }

    pub(super) fn set_done(&self, shard: u64) {
        let mut progress = self.progress();
        let Some(done) = usize::try_from(shard).ok().and_then(|index| progress.done.get_mut(index)) else { return };
        if !std::mem::replace(done, true) {
            progress.count += 1;
        }
    }

    pub(super) fn set_undone(&self, shard: u64) {
        let mut progress = self.progress();
        let Some(done) = usize::try_from(shard).ok().and_then(|index| progress.done.get_mut(index)) else { return };
        if std::mem::replace(done, false) {
            progress.count -= 1;
        }
    }

    pub(super) fn is_done(&self, shard: u64) -> bool {
        let progress = self.progress();
        usize::try_from(shard).ok().and_then(|index| progress.done.get(index)).copied().unwrap_or(false)
    }

    pub(super) fn done(&self) -> u64 {
        self.progress().count
    }

    pub(super) fn set_mine(&self, shard: u64, mine: bool) {
        let mut progress = self.progress();
        if mine {
            progress.mine.insert(shard);
        } else {
            progress.mine.remove(&shard);
        }
    }

    pub(super) fn is_mine(&self, shard: u64) -> bool {
        self.progress().mine.contains(&shard)
    }

    pub(super) fn add_failure(&self, shard: u64) {
        *self.progress().failures.entry(shard).or_default() += 1;
    }

    pub(super) fn failures(&self, shard: u64) -> u32 {
        self.progress().failures.get(&shard).copied().unwrap_or(0)
    }

    /// Reads a shard's stats. A whole record that is not of this plan is an error: replacing it could destroy a shard
    /// of something else.
    pub(super) fn stats(&self, name: &str) -> Result<Stats> {
        let path = names::stats(name);
        let Some(bytes) = found(self.storage.read(&path))? else { return Ok(Stats::Absent) };
        match record::parse(name, &bytes) {
            Parsed::Ours(committed) if self.plan.accepts(&committed.clipmill.plan_hash) => Ok(Stats::Valid(committed)),
            Parsed::Broken(what) => Ok(Stats::Broken(what)),
            Parsed::Ours(_) | Parsed::Foreign(_) => Err(LedgerError::Foreign { files: vec![path] }),
        }
    }
}
