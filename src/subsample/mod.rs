//! One file per subsampler. What a config asks for becomes a recipe here, the recipe a few passes over the media, and the
//! worker runs them: one decode, at most one encode per clip.
//!
//! The settings are known to every build, so that a config can be checked; what touches media is the worker's.

mod problem;
#[cfg(feature = "media")]
pub mod watch;

pub use problem::Problem;
