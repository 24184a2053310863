//! Who holds what, for people: a look that changes nothing.

use std::collections::BTreeMap;

use super::error::Result;
use super::lease_file::{self, Phase};
use super::names::{self, AttemptId, Entry};
use super::storage::{Storage, found};
use super::{Owner, Plan};

/// A lease as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseInfo {
    pub shard: u64,
    pub attempt: u32,
    pub owner: Owner,
    /// Rows at its last checkpoint.
    pub rows: u32,
    /// Given back, or failed: waits for another attempt.
    pub released: bool,
}

/// The latest lease of every shard that has one, by shard.
pub fn survey(storage: &dyn Storage, plan: &Plan) -> Result<Vec<LeaseInfo>> {
    let files = found(storage.list(names::LEASES_DIR))?.unwrap_or_default();
    let mut latest: BTreeMap<u64, (&str, AttemptId)> = BTreeMap::new();
    for file in &files {
        let Some(Entry::Lease { name, id }) = Entry::parse(file) else { continue };
        if let Some(shard) = plan.shard_named(name) {
            let known = latest.entry(shard).or_insert((name, id));
            known.1 = known.1.max(id);
        }
    }
    let mut leases = Vec::new();
    for (shard, (name, id)) in latest {
        let seen = lease_file::read(storage, &names::lease(name, id))?;
        if let Some(state) = seen.and_then(|seen| seen.state) {
            leases.push(LeaseInfo {
                shard,
                attempt: id.attempt,
                rows: state.checkpoint.map_or(0, |checkpoint| checkpoint.rows),
                released: state.phase != Phase::Held,
                owner: state.owner,
            });
        }
    }
    Ok(leases)
}
