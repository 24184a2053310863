//! What a shard needs before its first sample is fetched: its rows, what an earlier attempt left, what is kept.

use std::collections::HashMap;

use super::JobError;
use super::feed::Kept;
use super::rank::Rank;
use super::retry;
use super::writer::{Recovered, recover};
use crate::ledger::Lease;
use crate::sample::Row;

/// A shard that is ready to be fed.
pub struct Prepared {
    pub rows: Vec<Row>,
    pub row_count: u32,
    pub recovered: Recovered,
    pub kept: HashMap<u32, Kept>,
}

/// Reads the shard's rows and all that need not be done again. Blocks on the file system.
pub fn prepare(rank: &Rank, lease: &Lease) -> Result<Prepared, JobError> {
    let rows = rank.work.plan.read_shard(rank.work.storage.as_ref(), lease.shard())?;
    let recovered = recover(lease)?;
    let mut kept = HashMap::new();
    if lease.retry().is_some() {
        for finished in retry::keep(rank, lease, &rows)? {
            kept.insert(finished.index, Kept::Finished(finished));
        }
    }
    kept.extend(recovered.ahead.iter().map(|finished| (finished.index, Kept::Known)));
    if recovered.next > 0 {
        tracing::info!(
            "shard {}: going on behind row {} of {} ({} more were finished)",
            lease.name(),
            recovered.next,
            rows.len(),
            recovered.ahead.len()
        );
    }
    let row_count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Ok(Prepared { rows, row_count, recovered, kept })
}
