//! Which processors do the work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether optical flow is computed on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GpuMode {
    /// Where there is one and it is quicker.
    Auto,
    /// Always: a job without a GPU ends before it begins.
    Required,
    /// Never.
    Off,
}

/// Which decoder reads videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecodeMode {
    /// The GPU's where the flow is computed there, too, and that is quicker.
    Auto,
    /// The GPU's, and the CPU's for files that it cannot read.
    Nvdec,
    /// The CPU's.
    Software,
}
