//! Which processors do the work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;
use super::validate::Found;
use crate::subsample::Recipe;

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

/// A job that insists on a GPU has to have work for one.
pub(super) fn check(config: &Config, found: &mut Found) {
    let recipe = Recipe { steps: Recipe::steps(&config.subsampling), ..Recipe::default() };
    let works = recipe.has_flow_for_gpus() || config.reading.decode == DecodeMode::Nvdec;
    if config.distribution.gpu == GpuMode::Required && !works {
        let help = "set it to `auto`; a GPU computes optical flow by Farneback's method, and decodes where `reading.decode` is `nvdec`";
        found.add("distribution.gpu", "is `required`, and nothing of this job is done on a GPU", help);
    }
    if config.distribution.gpu == GpuMode::Off && config.reading.decode == DecodeMode::Nvdec {
        let message = "is `nvdec`, and `distribution.gpu` is `off`";
        found.add_both("reading.decode", "distribution.gpu", message, "set one of them to `auto`");
    }
}
