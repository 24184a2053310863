//! The ledger's promises: each shard exactly once, whatever fails, and whoever wakes up late.

mod crowd;
mod faults;
mod interleave;
mod leases;
mod planning;
mod retrying;
mod script;
