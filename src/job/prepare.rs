//! What a shard needs before its first sample is fetched: its rows, what an earlier attempt left, what is kept.

use std::collections::HashMap;
use std::sync::Arc;

use super::JobError;
use super::feed::Kept;
use super::rank::Rank;
use super::retry;
use super::tars::TarShard;
use super::writer::{Recovered, recover};
use crate::ledger::Lease;
use crate::sample::{Column, Row};

/// A shard that is ready to be fed.
pub struct Prepared {
    pub rows: Vec<Row>,
    pub row_count: u32,
    pub recovered: Recovered,
    pub kept: HashMap<u32, Kept>,
    /// Where the rows are a tar's samples.
    pub tar: Option<Arc<TarShard>>,
    /// The fields that these are known to bring.
    pub declared: Option<Vec<Column>>,
}

/// Reads the shard's rows and all that need not be done again. Blocks on the file system.
pub fn prepare(rank: &Rank, lease: &Lease) -> Result<Prepared, JobError> {
    let (tar, declared) = match rank.work.plan.is_named().then(|| TarShard::open(rank, lease)).transpose()? {
        Some((tar, columns)) => (Some(Arc::new(tar)), Some(columns)),
        None => (None, None),
    };
    let rows = match &tar {
        Some(tar) => tar.rows(),
        None => rank.work.plan.read_shard(rank.work.storage.as_ref(), lease.shard())?,
    };
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
    Ok(Prepared { rows, row_count, recovered, kept, tar, declared })
}
