//! How much work fits into this process's limit of open files.
//!
//! A rank that runs out of descriptors would blame the hosts that it cannot connect to, and then fail to write the
//! shard: so the limit is raised as far as it may be, and the work is cut to what is left.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside the transfers': the program's own, those of open shards, and connections that are kept idle.
const OWN: u64 = 96;

/// Rows that may be finished ahead of the first unwritten one, per transfer in flight.
const AHEAD_PER_TRANSFER: u32 = 16;

/// Shards that may have rows waiting at once.
const OPEN_SHARDS: u64 = 4;

/// What a rank may have open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Transfers in flight: a socket each, and a scratch file.
    pub transfers: u32,
    /// Rows of one shard that wait for an earlier one: a scratch file each, when the memory budget is spent.
    pub ahead: u32,
}

impl Room {
    /// What fits under `limit` of the `transfers` that are asked for.
    pub fn under(limit: Option<u64>, transfers: u32) -> Self {
        let ahead = transfers.saturating_mul(AHEAD_PER_TRANSFER);
        let Some(limit) = limit.filter(|limit| *limit < wanted(transfers)) else { return Self { transfers, ahead } };
        let left = limit.saturating_sub(OWN);
        let fits = |count: u64| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let transfers = transfers.min(fits(left / 8));
        Self { transfers, ahead: ahead.min(fits(left.saturating_sub(2 * u64::from(transfers)) / OPEN_SHARDS)) }
    }
}

/// Descriptors with which `transfers` need no cut.
fn wanted(transfers: u32) -> u64 {
    let transfers = u64::from(transfers);
    OWN + transfers * (2 + OPEN_SHARDS * u64::from(AHEAD_PER_TRANSFER))
}

/// The hard limit, up to which a process may raise its own; none: unlimited.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises this process's limit as far as `transfers` want it, and says what fits.
pub fn claim(transfers: u32) -> Room {
    let now = getrlimit(Resource::Nofile);
    let want = now.maximum.map_or(wanted(transfers), |most| most.min(wanted(transfers)));
    let enough = now.current.is_none_or(|current| current >= want);
    let raised = Rlimit { current: Some(want), maximum: now.maximum };
    let limit = if enough || setrlimit(Resource::Nofile, raised).is_err() { now.current } else { Some(want) };
    Room::under(limit, transfers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_fits_into_every_limit() {
        for transfers in [1, 32, 4096, u32::MAX] {
            let all = Room { transfers, ahead: transfers.saturating_mul(16) };
            assert_eq!(Room::under(None, transfers), all);
            assert_eq!(Room::under(Some(wanted(transfers)), transfers), all);
            for limit in [0, OWN, OWN + 8, 256, 1024, 4096, 1 << 20] {
                let room = Room::under(Some(limit), transfers);
                assert!(room.transfers >= 1 && room.ahead >= 1);
                assert!(room.transfers <= transfers && room.ahead <= all.ahead);
                let open = OWN + 2 * u64::from(room.transfers) + 4 * u64::from(room.ahead);
                assert!(open <= limit.max(OWN + 6), "{open} files under a limit of {limit}");
            }
        }
    }
}
