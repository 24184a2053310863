//! The run loop: plans, takes shards, feeds their samples to the fetcher, and drains when asked to.
//!
//! One rank is a small async runtime for the network and one plain thread per open shard that writes. The runtime never
//! waits for the file system, the writers never wait for the network:
//!
//! ```text
//! ledger ─lease─► feeder ─row─► fetch (thread_count in flight) ─Finished─► writer thread ─► partial files ─► commit
//!                   ▲                                                          │
//!                   └───────────── rows written (bounds how far ahead) ────────┘
//! ```

mod error;
mod feed;
#[cfg(feature = "media")]
mod gpu;
#[cfg(feature = "media")]
mod mill;
mod plan;
mod prepare;
mod rank;
mod retry;
mod room;
#[cfg(feature = "media")]
mod sidecars;
mod sites;
mod start;
#[cfg(feature = "media")]
mod stored;
mod summary;
mod tars;
#[cfg(feature = "media")]
mod trial;
mod watch;
mod writer;

pub use error::JobError;
pub use plan::{PlanSummary, find_inputs, summarize};
pub use rank::Ending;
pub use start::{RankJob, recipe, run};
