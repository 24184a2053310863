//! What one sample may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{Size, size};

/// What one sample may cost. More fails the sample, never the rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Seconds that a worker may take for one sample.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub wall_seconds: f64,
    /// Seconds of CPU time that a worker may take for one sample.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub cpu_seconds: f64,
    /// Memory of a worker in bytes, as a number or as text: `4GiB`.
    #[serde(deserialize_with = "size")]
    #[schemars(with = "Size", extend("minimum" = 67_108_864))]
    pub memory: u64,
    /// Bytes of all that is made of one sample.
    #[serde(deserialize_with = "size")]
    #[schemars(with = "Size", extend("minimum" = 1))]
    pub output_bytes: u64,
    /// Width times height of a picture.
    #[schemars(range(min = 1))]
    pub max_pixels: u64,
    /// Frames of a video.
    #[schemars(range(min = 1))]
    pub max_frames: u64,
    /// Seconds of media, as its container says.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub max_seconds: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_seconds: 3600.0,
            cpu_seconds: 3600.0,
            memory: 4 << 30,
            output_bytes: 4 << 30,
            max_pixels: 8192 * 8192,
            max_frames: 2_000_000,
            max_seconds: 6.0 * 3600.0,
        }
    }
}
