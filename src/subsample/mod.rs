//! One file per subsampler. What a config asks for becomes a recipe here, the recipe a few passes over the media, and the
//! worker runs them: one decode, at most one encode per clip.
//!
//! ```text
//! registry ──► noop, ffprobe, …      one file each: settings, and what they do at each stage (subsampler)
//! recipe   ──► registry, needs       what a job asks for; crosses the border between rank and worker as JSON
//! run      ──► recipe, watch, edit   the worker's side: runs a recipe over one sample's media
//! ```
//!
//! The settings are known to every build, so that a config can be checked; what touches media is the worker's.

mod edit;
pub mod ffprobe;
mod needs;
pub mod noop;
mod problem;
mod recipe;
pub mod registry;
#[cfg(feature = "media")]
pub mod run;
mod subsampler;
#[cfg(feature = "media")]
pub mod watch;

pub use edit::{Edit, Images, Picture};
pub use needs::{Cut, Needs};
pub use problem::Problem;
pub use recipe::{ClipSource, Formats, Recipe, Step};
pub use subsampler::Subsampler;
