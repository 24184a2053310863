//! First-wins commit of a group of files.
//!
//! A claim, created exclusively, decides; then the files are moved to their final names, and the claim itself becomes
//! the stats file. Every step after the claim may be done by anybody, any number of times, at the same time: each
//! source has a name of its own and can be moved only once. So whoever finds a claim finishes it, and no owner is waited
//! for. `doc/ledger.md` walks through the crash points and the late owners.

use super::error::{LedgerError, Result};
use super::lease_file;
use super::names::{self, AttemptId, Entry};
use super::record::{self, Committed, FileRecord, Parsed};
use super::shared::{Shared, Stats};
use super::storage::{Storage, found};

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rolled {
    /// The shard now is what the claim says.
    Done(AttemptId, String),
    /// The claim was not, or no longer, good; it has been removed.
    Void,
    /// No claim there.
    None,
}

/// Finishes the claim on a shard, if there is one.
pub(super) fn roll_forward(shared: &Shared, name: &str, generation: u32) -> Result<Rolled> {
    let storage = &*shared.storage;
    let path = names::claim(name, generation);
    let Some(bytes) = found(storage.read(&path))? else { return Ok(Rolled::None) };
    let Parsed::Ours(claim) = record::parse(name, &bytes) else {
        tracing::warn!(claim = %path, "damaged claim set aside; the shard is done again");
        set_aside(storage, &path)?;
        return Ok(Rolled::Void);
    };
    let Some((id, nonce)) = claimant(&claim) else {
        set_aside(storage, &path)?;
        return Ok(Rolled::Void);
    };
    if !is_good(shared, name, generation, &claim, id, nonce)? {
        found(storage.remove(&path))?;
        return Ok(Rolled::Void);
    }
    if !move_files(shared, name, &claim, id, nonce)? {
        tracing::warn!(claim = %path, "files of a claim are missing; the shard is done again");
        set_aside(storage, &path)?;
        return Ok(Rolled::Void);
    }
    if shared.options.fsync {
        // The record must not reach the disk before the names that it vouches for.
        storage.sync_dir("")?;
    }
    if found(storage.rename(&path, &names::stats(name)))?.is_none() && !is_committed(shared, name, &claim)? {
        // Gone, and not to where it belongs: whoever removed it took it for void.
        return Ok(Rolled::Void);
    }
    if shared.options.fsync {
        storage.sync_dir("")?;
    }
    Ok(Rolled::Done(id, claim.clipmill.nonce))
}

fn claimant(claim: &Committed) -> Option<(AttemptId, u64)> {
    let record = &claim.clipmill;
    let nonce = u64::from_str_radix(&record.nonce, 16).ok()?;
    Some((AttemptId { generation: record.generation, attempt: record.attempt }, nonce))
}

/// Whether a claim still counts. The order of the two looks matters: who removes a claimant's lease has made the shard's
/// stats before, so "no stats, and then a lease" can be seen only while nobody else has committed.
fn is_good(shared: &Shared, name: &str, generation: u32, claim: &Committed, id: AttemptId, nonce: u64) -> Result<bool> {
    if id.generation != generation || !shared.plan.accepts(&claim.clipmill.plan_hash) {
        return Ok(false);
    }
    shared.storage.refresh_dir("")?;
    if let Stats::Valid(committed) = shared.stats(name)?
        && committed.clipmill.generation >= generation
    {
        return Ok(false);
    }
    let lease = lease_file::read(&*shared.storage, &names::lease(name, id))?;
    Ok(lease.and_then(|lease| lease.state).is_some_and(|state| state.owner.nonce == nonce))
}

/// Whether the record under the final name is this claim, finished by another, or a later one.
fn is_committed(shared: &Shared, name: &str, claim: &Committed) -> Result<bool> {
    let Stats::Valid(by) = shared.stats(name)? else { return Ok(false) };
    let (by, claim) = (by.clipmill, &claim.clipmill);
    Ok(by.generation > claim.generation
        || (by.generation, by.attempt, &by.nonce) == (claim.generation, claim.attempt, &claim.nonce))
}

fn move_files(shared: &Shared, name: &str, claim: &Committed, id: AttemptId, nonce: u64) -> Result<bool> {
    for (file, record) in &claim.clipmill.files {
        let Some(extension) = record::extension(name, file) else { return Ok(false) };
        let source = names::partial(name, id, nonce, extension);
        if found(shared.storage.rename(&source, file))?.is_none() && !is_there(shared, file, record)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a file that is not at its source any more was moved by another.
fn is_there(shared: &Shared, file: &str, record: &FileRecord) -> Result<bool> {
    Ok(found(shared.storage.size(file))? == Some(record.bytes))
}

/// Moves a file into quarantine, never over another.
pub(super) fn set_aside(storage: &dyn Storage, path: &str) -> Result<()> {
    let base = path.rsplit('/').next().unwrap_or(path);
    let target = format!("{}/{base}.{:08x}", names::QUARANTINE_DIR, fastrand::u32(..));
    found(storage.rename(path, &target))?;
    Ok(())
}

/// Removes what attempts at a committed shard left behind. Leases go last: a lease is what leads a later run to the rest.
pub(super) fn clean_up(storage: &dyn Storage, name: &str, generation: u32) -> Result<()> {
    for file in storage.list(names::PARTIAL_DIR)? {
        let ours = names::parse_partial(&file).is_some_and(|(of, id, _)| of == name && id.generation <= generation);
        if ours {
            found(storage.remove(&format!("{}/{file}", names::PARTIAL_DIR)))?;
        }
    }
    let mut leases = Vec::new();
    for file in storage.list(names::LEASES_DIR)? {
        match Entry::parse(&file) {
            // A claim beside the stats of its generation, or a later one, is a late owner's.
            Some(Entry::Claim { name: of, generation: claimed }) if of == name && claimed <= generation => {
                found(storage.remove(&names::claim(name, claimed)))?;
            }
            Some(Entry::Lease { name: of, id }) if of == name && id.generation <= generation => leases.push(id),
            _ => {}
        }
    }
    for id in leases {
        found(storage.remove(&names::lease(name, id)))?;
    }
    Ok(())
}

/// Checks that a record says what the lease's holder may say.
pub(super) fn check_record(name: &str, id: AttemptId, nonce: u64, plan_hash: &str, stats: &[u8]) -> Result<Committed> {
    let bad = |what: String| LedgerError::Record { file: names::stats(name), what };
    let committed = match record::parse(name, stats) {
        Parsed::Ours(committed) => *committed,
        Parsed::Foreign(what) | Parsed::Broken(what) => return Err(bad(what)),
    };
    if claimant(&committed) != Some((id, nonce)) {
        return Err(bad("generation, attempt or nonce is another's".into()));
    }
    if committed.clipmill.plan_hash != plan_hash {
        return Err(bad("the plan hash is another plan's".into()));
    }
    Ok(committed)
}
