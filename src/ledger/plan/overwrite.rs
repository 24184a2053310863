//! Starting over: removing what clipmill wrote, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Plan, foreign};
use crate::ledger::error::{LedgerError, Result};
use crate::ledger::lease_file::{self, Phase, Verdict, Watch};
use crate::ledger::names::{self, Entry};
use crate::ledger::record::{self, Parsed};
use crate::ledger::shared::{Options, Shared};
use crate::ledger::storage::{Storage, found};
use crate::ledger::{Owner, commit};

/// Where the plan stands while its files are being removed: a run that finds it knows that the folder is half empty.
pub(super) const OLD_PLAN: &str = "_clipmill/plan.old.json";

/// Removes the shards of the folder's plan, and the plan, so that it can be planned anew. To be called by the process
/// that has the planner's turn.
///
/// Only files that a commit record of this plan names are removed, and clipmill's own folder but for its logs. Anything
/// else that looks like a shard makes it refuse, and so do leases that another job keeps alive (which takes up to `ttl`
/// to find out). False if `stop` said so; nothing has been removed then.
pub fn overwrite(storage: &Arc<dyn Storage>, me: &Owner, ttl: Duration, stop: &dyn Fn() -> bool) -> Result<bool> {
    let plan = match Plan::load(&**storage)? {
        Some(plan) => plan,
        None => match Plan::load_from(&**storage, OLD_PLAN)? {
            Some(plan) => plan,
            None => return Ok(true),
        },
    };
    if !wait_for_leases(&**storage, me, ttl, stop)? {
        return Ok(false);
    }
    let plan = Arc::new(plan);
    finish_claims(storage, &plan, me)?;
    let files = files_of(&**storage, &plan)?;
    found(storage.rename(names::PLAN_FILE, OLD_PLAN))?;
    for file in &files {
        found(storage.remove(file))?;
    }
    for dir in [names::PARTIAL_DIR, names::QUARANTINE_DIR, names::PLAN_DIR, names::LEASES_DIR] {
        empty(&**storage, dir)?;
    }
    found(storage.remove(names::RETRY_FILE))?;
    storage.sync_dir("")?;
    found(storage.remove(OLD_PLAN))?;
    Ok(true)
}

/// Waits until no lease is being kept alive.
fn wait_for_leases(storage: &dyn Storage, me: &Owner, ttl: Duration, stop: &dyn Fn() -> bool) -> Result<bool> {
    let mut watch = Watch::default();
    let mut first: Option<std::collections::BTreeMap<String, u64>> = None;
    loop {
        let mut beats = std::collections::BTreeMap::new();
        let Some(files) = found(storage.list(names::LEASES_DIR))? else { return Ok(true) };
        for file in &files {
            let Some(Entry::Lease { name, id }) = Entry::parse(file) else { continue };
            if name == names::PLAN_TURN || name == names::RETRY_TURN {
                continue;
            }
            let Some(seen) = lease_file::read(storage, &names::lease(name, id))? else { continue };
            if let Verdict::Free(_) = watch.judge(file, id, &seen, me, ttl) {
                continue;
            }
            let changed = first.as_ref().is_some_and(|first| first.get(file) != Some(&seen.sequence()));
            if let Some(state) = seen.state.as_ref().filter(|state| changed && state.phase == Phase::Held) {
                return Err(LedgerError::InUse {
                    host: state.owner.host.clone(),
                    pid: state.owner.pid,
                    job: state.owner.job.clone().unwrap_or_else(|| "none".into()),
                });
            }
            beats.insert(file.clone(), seen.sequence());
        }
        if beats.is_empty() {
            return Ok(true);
        }
        first.get_or_insert(beats);
        if stop() {
            return Ok(false);
        }
        std::thread::sleep((ttl / 20).min(Duration::from_secs(1)));
    }
}

/// Files that a commit had begun to move get their record, and so become removable.
fn finish_claims(storage: &Arc<dyn Storage>, plan: &Arc<Plan>, me: &Owner) -> Result<()> {
    let shared = Shared::new(Arc::clone(storage), Arc::clone(plan), me.clone(), Options::default());
    for file in found(storage.list(names::LEASES_DIR))?.unwrap_or_default() {
        if let Some(Entry::Claim { name, generation }) = Entry::parse(&file)
            && shared.shard(name).is_some()
        {
            commit::roll_forward(&shared, name, generation)?;
        }
    }
    Ok(())
}

/// All files of the plan's committed shards, stats last; an error if others are in the way.
fn files_of(storage: &dyn Storage, plan: &Plan) -> Result<Vec<String>> {
    let like = foreign::shard_like(storage, plan.keys(), &plan.file.names)?;
    let mut payload = BTreeSet::new();
    let mut stats = BTreeSet::new();
    for file in &like {
        let Some(name) = names::shard_of_stats(file) else { continue };
        let Some(bytes) = found(storage.read(file))? else { continue };
        match record::parse(name, &bytes) {
            Parsed::Ours(committed) if plan.accepts(&committed.clipmill.plan_hash) => {
                payload.extend(committed.clipmill.files.into_keys());
                stats.insert(file.clone());
            }
            _ => {}
        }
    }
    let foreign: Vec<String> =
        like.into_iter().filter(|file| !payload.contains(file) && !stats.contains(file)).collect();
    if !foreign.is_empty() {
        return Err(LedgerError::Foreign { files: foreign });
    }
    Ok(payload.into_iter().chain(stats).collect())
}

fn empty(storage: &dyn Storage, dir: &str) -> Result<()> {
    for file in found(storage.list(dir))?.unwrap_or_default() {
        // The turn of the process that is doing this.
        let turn = Entry::parse(&file)
            .is_some_and(|entry| matches!(entry, Entry::Lease { name, .. } if name == names::PLAN_TURN));
        if !turn {
            found(storage.remove(&format!("{dir}/{file}")))?;
        }
    }
    Ok(())
}
