//! What one sample may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one sample may cost. The first four are enforced by the rank; the others by the worker's handler, before it
/// allocates or decodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Time from handing over the media to the whole answer.
    pub wall: Duration,
    /// CPU time of all of the worker's threads together.
    pub cpu: Duration,
    /// Private memory of the worker, and its resident set.
    pub memory_bytes: u64,
    /// Bytes of all outputs of the sample together.
    pub output_bytes: u64,
    /// Pixels of one picture.
    pub max_pixels: u64,
    /// Frames of one video stream.
    pub max_frames: u64,
    /// Length of the media in seconds.
    pub max_seconds: f64,
}

impl Default for Limits {
    /// Room for six hours of 1080p or minutes of 8K on a slow core; a sample that needs more is an outlier.
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(3600),
            cpu: Duration::from_secs(3600),
            memory_bytes: 4 << 30,
            output_bytes: 4 << 30,
            max_pixels: 8192 * 8192,
            max_frames: 2_000_000,
            max_seconds: 6.0 * 3600.0,
        }
    }
}
