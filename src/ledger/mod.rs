//! Plan, leases, partial progress, commit.
pub mod storage;
