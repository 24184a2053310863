//! Cut detection: where one shot ends and the next begins.
//!
//! ```text
//! YuvFrame ──sampler──► small BGR picture ──hsv──► hue, saturation, value ──score──► how much changed
//!                                                                            decide ──► cuts
//! ```
//!
//! `content` and `adaptive` are PySceneDetect's detectors of these names, number for number: the same pixels (as OpenCV
//! decodes and shrinks them), the same scores, the same rules.

mod chroma;
mod decide;
mod hash;
mod hsv;
mod pixels;
mod sampler;
mod score;
mod watcher;

pub use decide::{Adaptive, Content, Decide};
pub use hash::HashScore;
pub use sampler::Sampler;
pub use score::{ContentScore, Factor};
pub use watcher::Cuts;
