//! `incremental_mode: retry_failed`: which shards are rewritten.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Owner;
use super::error::{LedgerError, Result};
use super::names;
use super::plan::Plan;
use super::record::Committed;
use super::shared::{Options, Shared, Stats};
use super::storage::{Op, Storage, StorageError, found};
use super::turn::{self, Waited};
use crate::sample::FailureClass;

/// The shards that a job rewrites, pinned in `_clipmill/retry.json`: what fails again in the retry is not retried by the
/// same job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryList {
    /// The job that retries.
    pub job: Option<String>,
    pub plan_hash: String,
    /// What the rewritten shards' records will say.
    pub generation: u32,
    /// Ascending.
    pub shards: Vec<u64>,
}

impl RetryList {
    /// Reads the list of this job, or makes it: one process reads all stats, the others wait. `None` if `stop` said so.
    ///
    /// A job without an id (`--rank` and `--world` by hand) goes on with a list that is not finished.
    pub fn pin(
        storage: &Arc<dyn Storage>,
        plan: &Arc<Plan>,
        owner: &Owner,
        ttl: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Self>> {
        let shared = Shared::new(Arc::clone(storage), Arc::clone(plan), owner.clone(), Options::default());
        let ready = || -> Result<Option<Self>> {
            let Some(list) = Self::load(&**storage)? else { return Ok(None) };
            Ok(if list.is_for(&shared)? { Some(list) } else { None })
        };
        match turn::wait(storage, owner, names::RETRY_TURN, ttl, &ready, stop)? {
            Waited::Ready(list) => Ok(Some(list)),
            Waited::Stopped => Ok(None),
            Waited::Turn(_turn) => Self::make(&shared).map(Some),
        }
    }

    fn load(storage: &dyn Storage) -> Result<Option<Self>> {
        let Some(bytes) = found(storage.read(names::RETRY_FILE))? else { return Ok(None) };
        let parsed = serde_json::from_slice(&bytes);
        parsed
            .map(Some)
            .map_err(|error| LedgerError::Damaged { path: names::RETRY_FILE.into(), what: error.to_string() })
    }

    fn is_for(&self, shared: &Shared) -> Result<bool> {
        if !shared.plan.accepts(&self.plan_hash) {
            return Ok(false);
        }
        match (&self.job, &shared.owner.job) {
            (Some(pinned), Some(mine)) => Ok(pinned == mine),
            (None, None) => self.is_unfinished(shared),
            _ => Ok(false),
        }
    }

    fn is_unfinished(&self, shared: &Shared) -> Result<bool> {
        for shard in &self.shards {
            match shared.stats(&shared.name(*shard))? {
                Stats::Valid(by) if by.clipmill.generation >= self.generation => {}
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    fn make(shared: &Shared) -> Result<Self> {
        let mut generation = Self::load(&*shared.storage)?.map_or(0, |list| list.generation);
        let mut shards = Vec::new();
        for shard in 0..shared.plan.shards() {
            let Stats::Valid(committed) = shared.stats(&shared.name(shard))? else { continue };
            generation = generation.max(committed.clipmill.generation);
            if has_transient_failures(&committed) {
                shards.push(shard);
            }
        }
        let list = Self {
            job: shared.owner.job.clone(),
            plan_hash: shared.plan.hash().to_owned(),
            generation: generation.saturating_add(1),
            shards,
        };
        list.publish(&*shared.storage)?;
        Ok(list)
    }

    fn publish(&self, storage: &dyn Storage) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|source| LedgerError::Json { what: "the retry", source })?;
        let draft = format!("{}/retry-{:016x}.json", names::HOME, fastrand::u64(..));
        let mut file = storage.create_new(&draft)?;
        file.write_all(&json).map_err(|error| StorageError::new(Op::Write, &draft, error))?;
        file.sync_data().map_err(|error| StorageError::new(Op::Sync, &draft, error))?;
        storage.rename(&draft, names::RETRY_FILE)?;
        storage.sync_dir(names::HOME)?;
        Ok(())
    }
}

fn has_transient_failures(committed: &Committed) -> bool {
    committed
        .status_dict
        .iter()
        .any(|(class, count)| *count > 0 && FailureClass::parse(class).is_some_and(FailureClass::is_transient))
}
