//! Plan, leases, partial progress, commit: a pure file protocol over [`storage::Storage`].
//!
//! `doc/ledger.md` describes the files, who may do what to them, and what every crash leaves behind.
//!
//! ```text
//! planner() ──► PlanWriter ──► Plan ──► Ledger ──► Lease ──► beat … commit | release | fail
//! ```

mod checkpoint;
mod commit;
mod error;
mod lease;
mod lease_file;
#[allow(clippy::module_inception, reason = "the room is named after the thing in it")]
mod ledger;
mod names;
mod owner;
mod plan;
mod record;
mod restore;
mod retry;
mod shared;
mod slots;
pub mod storage;
mod survey;
mod take;
mod turn;

pub use checkpoint::{Checkpoint, Prefix};
pub use error::{LedgerError, Result};
pub use lease::{Beat, Commit, Failed, Lease, Retry};
pub use ledger::{GivenUp, Ledger, Next};
pub use names::{HOME, LEASES_DIR, PARTIAL_DIR, PLAN_DIR, PLAN_FILE, QUARANTINE_DIR, RETRY_FILE};
pub use owner::Owner;
pub use plan::{
    ColumnSpec, ExtendInput, Input, InputFingerprint, Mismatch, Part, Plan, PlanSpec, PlanWriter, Todo, overwrite,
};
pub use record::{CommitRecord, Committed, FileRecord, RECORD_VERSION};
pub use retry::RetryList;
pub use shared::{Mode, Options};
pub use survey::{LeaseInfo, survey};
pub use turn::{Planner, Turn, planner};
