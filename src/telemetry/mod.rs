//! Logs for people and for scripts, and progress.

mod log;
mod progress;

pub use log::{LogOptions, colour, init as init_logs};
pub use progress::{FailureLog, JobCount, Progress, Reporter, Snapshot};
