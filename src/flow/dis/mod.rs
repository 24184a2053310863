//! Dense Inverse Search (Kroeger, Timofte, Dai, Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016).
//!
//! ```text
//! dis ──► level ──► shrink     the pyramid
//!     │         ──► search     where each patch of a grid went ──► patch, plane
//!     │         ──► densify    a flow of each pixel from those of its patches
//!     │         ──► refine     the flow improved pixel by pixel (presets fast and medium)
//!     └───► enlarge            the finest level's flow to the frame's size
//! ```
//!
//! Steps of the search are whole Gauss-Newton steps, and a search ends when it has arrived. Levels hold means that are
//! not rounded to bytes.

mod densify;
mod enlarge;
mod estimator;
mod level;
mod params;
mod patch;
mod plane;
mod refine;
mod search;
mod shrink;

pub use estimator::Dis;
pub use params::{DisParams, Preset};

use level::Level;
