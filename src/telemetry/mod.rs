//! Logs for people and for scripts, progress, and what others are told: a metrics file, a tracker.

mod log;
mod numbers;
mod progress;
mod prometheus;
mod wandb;
mod watch;

pub use log::{LogOptions, colour, init as init_logs};
pub use numbers::Numbers;
pub use progress::{FailureLog, JobCount, Progress, Reporter, Snapshot};
pub use prometheus::MetricsFile;
pub use wandb::{Tracker, TrackerError, TrackerOptions};
pub use watch::{Commits, JobFacts, Listener, Look, News, Watch, unix_now};
