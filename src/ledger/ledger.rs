//! Which shard next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::{self, Rolled};
use super::error::Result;
use super::lease::Lease;
use super::lease_file::Watch;
use super::names::{self, AttemptId, Entry};
use super::plan::Plan;
use super::shared::{Options, Shared, Stats};
use super::storage::{Storage, found};
use super::take::Tried;
use super::{Owner, turn};

/// Leases of others that one look at the folder examines at most.
const EXAMINED: usize = 32;
/// Shards in a row that turned out to be taken or done before the folder is listed anew.
const MISSES: u32 = 64;

/// What a rank is to do.
#[derive(Debug)]
pub enum Next {
    Take(Box<Lease>),
    /// Others hold what is left; ask again after this time.
    Wait(Duration),
    /// Every shard of the plan is committed.
    Complete,
    /// Every shard is committed, but for these, which failed too often in this run.
    GaveUp(Vec<GivenUp>),
}

/// A shard that failed too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    pub shard: u64,
    /// Of the last attempt.
    pub error: String,
}

/// One rank's view of the work.
#[derive(Debug)]
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    /// Own shards to take, in order.
    own: VecDeque<u64>,
    /// Own shards whose stats file was listed, to be looked into.
    unverified: VecDeque<u64>,
    /// Shards that nobody held at the last look.
    free: VecDeque<u64>,
    /// Leases seen at the last look.
    pub(super) leases: HashMap<u64, AttemptId>,
    pub(super) watch: Watch,
    given_up: BTreeMap<u64, String>,
    misses: u32,
    next_look: Option<Instant>,
    pause: Duration,
}

impl Ledger {
    /// Looks at the folder once.
    pub fn open(storage: Arc<dyn Storage>, plan: Arc<Plan>, owner: Owner, options: Options) -> Result<Self> {
        for dir in [names::LEASES_DIR, names::PARTIAL_DIR, names::QUARANTINE_DIR] {
            storage.create_dir(dir)?;
        }
        let shared = Arc::new(Shared::new(storage, plan, owner, options));
        let pause = shared.options.poll.0;
        let mut ledger = Self {
            shared,
            own: VecDeque::new(),
            unverified: VecDeque::new(),
            free: VecDeque::new(),
            leases: HashMap::new(),
            watch: Watch::default(),
            given_up: BTreeMap::new(),
            misses: 0,
            next_look: None,
            pause,
        };
        ledger.look()?;
        ledger.lay_out_stripe();
        ledger.free.clear();
        ledger.next_look = None;
        Ok(ledger)
    }

    /// Shards known to be committed, of [`Ledger::shards`].
    pub fn done(&self) -> u64 {
        self.shared.done()
    }

    pub fn shards(&self) -> u64 {
        self.shared.plan.shards()
    }

    /// The next shard: first the own stripe in order, then shards that nobody holds, then leases gone stale.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and it does not end with the first None")]
    pub fn next(&mut self) -> Result<Next> {
        loop {
            if let Some(lease) = self.take_own()? {
                return Ok(Next::Take(lease));
            }
            if let Some(lease) = self.take_free()? {
                return Ok(Next::Take(lease));
            }
            if self.shared.done() == self.shards() {
                self.sweep()?;
                return Ok(Next::Complete);
            }
            let now = Instant::now();
            if let Some(at) = self.next_look
                && at > now
            {
                return Ok(Next::Wait(at - now));
            }
            self.look()?;
            let (lease, stale_in) = self.take_over()?;
            if let Some(lease) = lease {
                return Ok(Next::Take(lease));
            }
            if self.all_given_up() {
                let given_up = self.given_up.iter().filter(|(shard, _)| !self.shared.is_done(**shard));
                let given_up = given_up.map(|(shard, error)| GivenUp { shard: *shard, error: error.clone() });
                return Ok(Next::GaveUp(given_up.collect()));
            }
            if self.free.is_empty() && self.shared.done() < self.shards() {
                self.pause(stale_in);
            }
        }
    }

    fn lay_out_stripe(&mut self) {
        let (rank, world) = (u64::from(self.shared.options.rank), u64::from(self.shared.options.world.max(1)));
        let retried = self.shared.retry_shards().enumerate();
        self.own.extend(retried.filter(|(at, _)| *at as u64 % world == rank % world).map(|(_, shard)| shard));
        for shard in (rank % world..self.shards()).step_by(usize::try_from(world).unwrap_or(usize::MAX)) {
            if self.shared.is_done(shard) {
                self.unverified.push_back(shard);
            } else if self.shared.generation(shard) == 0 {
                self.own.push_back(shard);
            }
        }
    }

    fn take_own(&mut self) -> Result<Option<Box<Lease>>> {
        while let Some(shard) = self.own.pop_front() {
            if let Some(lease) = self.take(shard)? {
                return Ok(Some(lease));
            }
        }
        // Looking into stats files comes after the first takes, so that a rerun over many finished shards starts
        // transfers at once.
        while let Some(shard) = self.unverified.pop_front() {
            if self.verify(shard)? {
                continue;
            }
            if let Some(lease) = self.take(shard)? {
                return Ok(Some(lease));
            }
        }
        Ok(None)
    }

    /// Whether a shard's stats are whole; a file that is not is set aside.
    fn verify(&mut self, shard: u64) -> Result<bool> {
        let name = self.shared.name(shard);
        match self.shared.stats(&name)? {
            Stats::Valid(_) => Ok(true),
            Stats::Absent => {
                self.shared.set_undone(shard);
                Ok(false)
            }
            Stats::Broken(what) => {
                let file = names::stats(&name);
                tracing::warn!(%file, %what, "damaged commit record set aside in _clipmill/quarantine; its shard is done again");
                commit::set_aside(&*self.shared.storage, &file)?;
                self.shared.set_undone(shard);
                Ok(false)
            }
        }
    }

    fn take_free(&mut self) -> Result<Option<Box<Lease>>> {
        while let Some(shard) = self.free.pop_front() {
            if let Some(lease) = self.take(shard)? {
                self.misses = 0;
                return Ok(Some(lease));
            }
            self.misses += 1;
            if self.misses >= MISSES {
                self.misses = 0;
                self.free.clear();
            }
        }
        Ok(None)
    }

    /// Examines leases of others; a lease, or the time after which the next one may be stale.
    fn take_over(&mut self) -> Result<(Option<Box<Lease>>, Option<Duration>)> {
        let mut held: Vec<u64> = self.leases.keys().copied().filter(|shard| self.is_open(*shard)).collect();
        held.sort_unstable();
        // Each rank looks at other leases first, so that together they see all.
        let start = held.partition_point(|shard| *shard < self.first_to_help());
        held.rotate_left(start);
        let mut stale_in = None;
        for shard in held.into_iter().take(EXAMINED) {
            match self.try_take(shard)? {
                Tried::Lease(lease) => return Ok((Some(lease), None)),
                Tried::Held(id, left) => {
                    self.leases.insert(shard, id);
                    stale_in = Some(stale_in.map_or(left, |least: Duration| least.min(left)));
                }
                tried => self.settle(shard, tried),
            }
        }
        Ok((None, stale_in))
    }

    fn take(&mut self, shard: u64) -> Result<Option<Box<Lease>>> {
        if !self.is_open(shard) {
            return Ok(None);
        }
        match self.try_take(shard)? {
            Tried::Lease(lease) => Ok(Some(lease)),
            Tried::Held(id, _) => {
                self.leases.insert(shard, id);
                Ok(None)
            }
            tried => {
                self.settle(shard, tried);
                Ok(None)
            }
        }
    }

    fn settle(&mut self, shard: u64, tried: Tried) {
        match tried {
            Tried::Done => self.shared.set_done(shard),
            Tried::GivenUp(error) => drop(self.given_up.insert(shard, error)),
            Tried::Lease(_) | Tried::Held(..) => {}
        }
    }

    fn is_open(&self, shard: u64) -> bool {
        !self.shared.is_done(shard) && !self.given_up.contains_key(&shard) && !self.shared.is_mine(shard)
    }

    fn all_given_up(&self) -> bool {
        let open = self.given_up.keys().filter(|shard| !self.shared.is_done(**shard)).count() as u64;
        open > 0 && self.shared.done() + open == self.shards()
    }

    fn first_to_help(&self) -> u64 {
        let (rank, world) = (u128::from(self.shared.options.rank), u128::from(self.shared.options.world.max(1)));
        (u128::from(self.shards()) * (rank % world) / world) as u64
    }

    fn pause(&mut self, stale_in: Option<Duration>) {
        let longest = self.shared.options.poll.1;
        // Half to one and a half: ranks that ran dry together must not list the folder together.
        let jittered = self.pause.mul_f64(0.5 + fastrand::f64());
        let wait = stale_in.map_or(jittered, |left| jittered.min(left + Duration::from_millis(5)));
        self.next_look = Some(Instant::now() + wait.min(longest));
        self.pause = (self.pause * 2).min(longest);
    }

    /// Lists the folder: what is committed, held, claimed, free.
    fn look(&mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        for file in shared.storage.list("")? {
            if let Some(shard) = names::shard_of_stats(&file).and_then(|name| shared.shard(name))
                && shared.generation(shard) == 0
            {
                shared.set_done(shard);
            }
        }
        self.leases.clear();
        let files = shared.storage.list(names::LEASES_DIR)?;
        for entry in files.iter().filter_map(|file| Entry::parse(file)) {
            match entry {
                Entry::Claim { name, generation } => self.finish_claim(name, generation)?,
                Entry::Lease { name, id } => self.note_lease(name, id),
            }
        }
        let first = self.first_to_help();
        let rotated = (first..self.shards()).chain(0..first);
        self.free = rotated.filter(|shard| self.is_open(*shard) && !self.leases.contains_key(shard)).collect();
        if !self.free.is_empty() {
            self.pause = shared.options.poll.0;
        }
        // Never more often than this, whatever a stale listing says is free.
        self.next_look = Some(Instant::now() + shared.options.poll.0);
        Ok(())
    }

    fn note_lease(&mut self, name: &str, id: AttemptId) {
        let Some(shard) = self.shared.shard(name) else { return };
        if self.shared.generation(shard) == id.generation {
            let latest = self.leases.entry(shard).or_insert(id);
            *latest = id.max(*latest);
        }
    }

    fn finish_claim(&mut self, name: &str, generation: u32) -> Result<()> {
        let Some(shard) = self.shared.shard(name) else { return Ok(()) };
        if let Rolled::Done(..) = commit::roll_forward(&self.shared, name, generation)? {
            commit::clean_up(&*self.shared.storage, name, generation)?;
            if generation >= self.shared.generation(shard) {
                self.shared.set_done(shard);
            }
        }
        Ok(())
    }

    /// With every shard committed, whatever lies in leases/ and partial/ is debris of attempts that lost.
    fn sweep(&mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let storage = &*shared.storage;
        shared.plan.clean_up(storage)?;
        turn::clean_up(storage, &shared.owner, shared.options.lease_ttl, &mut self.watch)?;
        for file in storage.list(names::PARTIAL_DIR)? {
            if names::parse_partial(&file).is_some_and(|(name, id, _)| self.is_debris(name, id.generation)) {
                found(storage.remove(&format!("{}/{file}", names::PARTIAL_DIR)))?;
            }
        }
        for file in storage.list(names::LEASES_DIR)? {
            let debris = Entry::parse(&file).is_some_and(|entry| match entry {
                Entry::Lease { name, id } => self.is_debris(name, id.generation),
                Entry::Claim { name, generation } => self.is_debris(name, generation),
            });
            if debris {
                found(storage.remove(&format!("{}/{file}", names::LEASES_DIR)))?;
            }
        }
        Ok(())
    }

    /// Later generations are another job's retry, at work perhaps.
    fn is_debris(&self, name: &str, generation: u32) -> bool {
        self.shared.shard(name).is_some_and(|shard| generation <= self.shared.generation(shard))
    }
}
