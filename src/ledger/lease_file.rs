//! A lease on disk, and the judgement whether it may be taken over.

use std::collections::HashMap;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::{LedgerError, Result};
use super::names::AttemptId;
use super::storage::{Op, Storage, StorageError, StorageFile, found, made};
use super::{Checkpoint, Owner, slots};

/// What the owner says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    Held,
    /// Drained: the owner has closed its files.
    Released,
    Failed,
}

/// Failed attempts at a shard, within one run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Failures {
    pub run: String,
    pub count: u32,
    pub error: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub owner: Owner,
    pub phase: Phase,
    pub checkpoint: Option<Checkpoint>,
    pub failures: Failures,
}

/// The owner's side.
#[derive(Debug)]
pub(super) struct LeaseFile {
    path: String,
    file: Box<dyn StorageFile>,
    sequence: u64,
}

impl LeaseFile {
    /// Creates the lease; `None` if somebody else has.
    pub(super) fn create(storage: &dyn Storage, path: String, state: &State) -> Result<Option<Self>> {
        let Some(file) = made(storage.create_new(&path))? else { return Ok(None) };
        let mut lease = Self { path, file, sequence: 0 };
        // Both slots take their room now: on a disk that has filled up since, the lease can still be given back.
        lease
            .file
            .write_all(&[0; 2 * slots::SLOT])
            .map_err(|error| StorageError::new(Op::Write, &lease.path, error))?;
        lease.write(state)?;
        Ok(Some(lease))
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Writes the state into the older slot. Synced whatever the `fsync` option says: a heartbeat that stays in this
    /// host's cache is none.
    pub(super) fn write(&mut self, state: &State) -> Result<()> {
        let json = serde_json::to_vec(state).map_err(|source| LedgerError::Json { what: "a lease", source })?;
        // Kept on failure: the next write goes to the same, possibly spoiled, slot.
        let sequence = self.sequence + 1;
        let slot = slots::encode(sequence, &json)
            .ok_or_else(|| LedgerError::StateTooLarge { shard: self.path.clone(), bytes: json.len() })?;
        let fail = |op, path: &str| {
            let path = path.to_owned();
            move |error| StorageError::new(op, path, error)
        };
        self.file
            .seek(SeekFrom::Start(slots::offset(sequence)))
            .and_then(|_| self.file.write_all(&slot))
            .map_err(fail(Op::Write, &self.path))?;
        self.file.sync_data().map_err(fail(Op::Sync, &self.path))?;
        self.sequence = sequence;
        Ok(())
    }
}

/// A lease as an observer reads it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    sequence: u64,
    /// `None`: created, and its owner ended before it wrote (or the file is damaged).
    pub state: Option<State>,
}

impl Seen {
    /// Changes with every heartbeat.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether this very process holds it.
    pub(super) fn is_held_by(&self, owner: &Owner) -> bool {
        self.state.as_ref().is_some_and(|state| state.phase == Phase::Held && state.owner.nonce == owner.nonce)
    }
}

/// Reads a lease; `None` if it is not there.
pub(super) fn read(storage: &dyn Storage, path: &str) -> Result<Option<Seen>> {
    let Some(bytes) = found(storage.read(path))? else { return Ok(None) };
    let slot = slots::newest(&bytes);
    let sequence = slot.as_ref().map_or(0, |slot| slot.sequence);
    let state = slot.and_then(|slot| serde_json::from_slice(&slot.bytes).ok());
    Ok(Some(Seen { sequence, state }))
}

/// Why a lease may be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    Released,
    Failed,
    /// Its process ended, as seen on the same host.
    Gone,
    /// The scheduler started its rank anew.
    Restarted,
    /// No heartbeat for the lease's time to live.
    Stale,
}

impl Release {
    /// Whether the old owner certainly writes nothing any more, so that its files may be moved, not copied.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Release::Released | Release::Gone)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Free(Release),
    /// Held, and stale after this time without a heartbeat.
    Held(Duration),
}

/// An observer's memory of heartbeats, timed by its own monotonic clock: clocks of hosts are never compared.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: HashMap<String, (AttemptId, u64, Instant)>,
}

impl Watch {
    /// Judges a lease that this process does not work on.
    pub(super) fn judge(&mut self, name: &str, id: AttemptId, lease: &Seen, me: &Owner, ttl: Duration) -> Verdict {
        if let Some(state) = &lease.state {
            let release = match state.phase {
                Phase::Released => Some(Release::Released),
                Phase::Failed => Some(Release::Failed),
                Phase::Held if state.owner.is_gone(me) => Some(Release::Gone),
                Phase::Held if state.owner.was_restarted_as(me) => Some(Release::Restarted),
                // Ours, and dropped without a word.
                Phase::Held if state.owner.nonce == me.nonce => Some(Release::Stale),
                Phase::Held => None,
            };
            if let Some(release) = release {
                return Verdict::Free(release);
            }
        }
        let now = Instant::now();
        let entry = self.seen.entry(name.to_owned()).or_insert((id, lease.sequence, now));
        if (entry.0, entry.1) != (id, lease.sequence) {
            *entry = (id, lease.sequence, now);
        }
        match ttl.checked_sub(now - entry.2) {
            Some(left) if !left.is_zero() => Verdict::Held(left),
            _ => Verdict::Free(Release::Stale),
        }
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.seen.remove(name);
    }
}
