//! Taking one shard: whether it may be taken, and with what it is begun.

use std::sync::Arc;
use std::time::Duration;

use super::error::Result;
use super::lease::{Lease, Previous, Retry};
use super::lease_file::{self, Failures, LeaseFile, Phase, Seen, State, Verdict};
use super::ledger::Ledger;
use super::names::{self, AttemptId};
use super::shared::Stats;
use super::storage::found;

/// What trying to take a shard came to.
#[derive(Debug)]
pub(super) enum Tried {
    Lease(Box<Lease>),
    Done,
    Held(AttemptId, Duration),
    GivenUp(String),
}

impl Ledger {
    /// Takes a shard if that is possible now.
    pub(super) fn try_take(&mut self, shard: u64) -> Result<Tried> {
        let name = self.shared.name(shard);
        let generation = self.shared.generation(shard);
        if generation > 0
            && let Stats::Valid(by) = self.shared.stats(&name)?
            && by.clipmill.generation >= generation
        {
            return Ok(Tried::Done);
        }
        let mut id = AttemptId { generation, attempt: 1 };
        let mut failures = Failures::default();
        let mut previous = Previous::default();
        if let Some(latest) = self.leases.get(&shard).copied()
            && let Some(seen) = lease_file::read(&*self.shared.storage, &names::lease(&name, latest))?
        {
            let ttl = self.shared.options.lease_ttl;
            let release = match self.watch.judge(&name, latest, &seen, &self.shared.owner, ttl) {
                Verdict::Held(left) => return Ok(Tried::Held(latest, left)),
                Verdict::Free(release) => release,
            };
            if seen.is_held_by(&self.shared.owner) {
                // Dropped without a word, by a panic perhaps: that too must not go on for ever.
                self.shared.add_failure(shard);
            }
            let state = self.last_state(&name, latest, seen)?;
            if let Some(error) = state.as_ref().and_then(|state| self.gave_up(shard, state)) {
                return Ok(Tried::GivenUp(error));
            }
            failures = state.as_ref().map(|state| state.failures.clone()).unwrap_or_default();
            previous = Previous {
                checkpoint: state.and_then(|state| state.checkpoint),
                movable: release.is_final().then_some(latest),
            };
            id = latest.next();
        }
        self.create(shard, name, id, failures, previous)
    }

    /// The state of the latest attempt that wrote one.
    fn last_state(&self, name: &str, latest: AttemptId, seen: Seen) -> Result<Option<State>> {
        let mut state = seen.state;
        let mut id = latest;
        while state.is_none() && id.attempt > 1 {
            id.attempt -= 1;
            let seen = lease_file::read(&*self.shared.storage, &names::lease(name, id))?;
            state = seen.and_then(|seen| seen.state);
        }
        Ok(state)
    }

    /// The last error of a shard that failed too often: in this run, or, where ranks do not share a run, in this process.
    fn gave_up(&self, shard: u64, state: &State) -> Option<String> {
        let most = self.shared.options.max_shard_retry;
        let failures = &state.failures;
        let in_run = failures.run == self.shared.owner.run() && failures.count > most;
        let error = if failures.error.is_empty() { "its attempts ended without a word" } else { &failures.error };
        (in_run || self.shared.failures(shard) > most).then(|| error.to_owned())
    }

    fn create(
        &mut self,
        shard: u64,
        name: String,
        id: AttemptId,
        failures: Failures,
        previous: Previous,
    ) -> Result<Tried> {
        let shared = &self.shared;
        let run = shared.owner.run();
        let state = State {
            owner: shared.owner.clone(),
            phase: Phase::Held,
            // Handed on, so that an attempt that ends before its first heartbeat loses nothing.
            checkpoint: previous.checkpoint.clone(),
            failures: if failures.run == run { failures } else { Failures { run, ..Failures::default() } },
        };
        let path = names::lease(&name, id);
        let Some(file) = LeaseFile::create(&*shared.storage, path.clone(), &state)? else {
            return Ok(Tried::Held(id, shared.options.lease_ttl));
        };
        // The look that made us think that the shard is open may be old: look again, now that nobody else can take it.
        let retry = match self.still_open(&name, id.generation)? {
            Some(retry) => retry,
            None => {
                found(shared.storage.remove(&path))?;
                return Ok(Tried::Done);
            }
        };
        self.watch.forget(&name);
        Ok(Tried::Lease(Box::new(Lease::new(Arc::clone(shared), shard, id, file, state, previous, retry))))
    }

    /// `None` if the shard is committed; else whether it is a rewrite.
    fn still_open(&self, name: &str, generation: u32) -> Result<Option<Option<Retry>>> {
        if generation == 0 {
            let absent = found(self.shared.storage.size(&names::stats(name)))?.is_none();
            return Ok(absent.then_some(None));
        }
        Ok(match self.shared.stats(name)? {
            Stats::Valid(by) if by.clipmill.generation >= generation => None,
            Stats::Valid(by) => Some(Some(Retry { generation, previous: *by })),
            Stats::Absent | Stats::Broken(_) => Some(None),
        })
    }
}
