//! One file per subsampler. What a config asks for becomes a recipe here, the recipe a few passes over the media, and the
//! worker runs them: one decode, at most one encode per clip.
//!
//! ```text
//! registry ──► noop, ffprobe, …      one file each: settings, and what they do at each stage (subsampler)
//! recipe   ──► registry, needs       what a job asks for; crosses the border between rank and worker as JSON
//! passes   ──► recipe            the planner: what is decoded and encoded, and how often
//! run      ──► recipe, watch, edit   the worker's side: runs a recipe over one sample's media
//! ```
//!
//! The settings are known to every build, so that a config can be checked; what touches media is the worker's.

pub mod audio_rate;
pub mod black_static;
pub mod clipping;
pub mod clips;
pub mod cut_detection;
#[cfg(feature = "media")]
pub mod cuts;
mod edit;
mod encoding;
pub mod expression;
pub mod ffprobe;
pub mod filter;
pub mod frame;
#[cfg(feature = "media")]
mod luma;
pub mod motion;
mod needs;
pub mod noop;
pub mod optical_flow;
mod passes;
mod problem;
#[cfg(feature = "media")]
mod processors;
mod recipe;
pub mod registry;
pub mod resolution;
#[cfg(feature = "media")]
pub mod run;
mod subsampler;
#[cfg(feature = "media")]
pub mod watch;
#[cfg(feature = "media")]
mod watchers;

pub use edit::{Edit, Images, Picture};
pub use encoding::Encoding;
pub use needs::{Cut, Needs};
pub use optical_flow::FlowPlan;
pub use passes::{Passes, Work};
pub use problem::Problem;
#[cfg(feature = "media")]
pub use processors::{Decode, Processors};
pub use recipe::{ClipSource, Formats, Recipe, SPAN, SPANS, Step};
pub use subsampler::Subsampler;
