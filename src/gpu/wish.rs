//! What a job asks of a worker's GPU, and what the worker says of it.

use serde::{Deserialize, Serialize};

/// What a rank asks of a worker. It crosses the worker's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Flow on the GPU whatever it costs, and none without.
    pub required: bool,
    /// Whether decoders of the GPU may be used; none: where that is quicker.
    pub nvdec: Option<bool>,
    /// The worker's place among those of this node: devices are dealt out in turn.
    pub seat: u32,
    /// Workers of this rank: they share the memory of its devices.
    pub workers: u32,
}

/// A device that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    pub name: String,
    /// Its number among those that this process sees, and how many these are.
    pub index: u32,
    pub devices: u32,
    pub memory_bytes: u64,
    /// Compute capability, as 9.0.
    pub compute: (u32, u32),
    /// The newest version of CUDA that the driver knows, as 12.4.
    pub driver: (u32, u32),
    /// Codecs that FFmpeg, as it was built, can have decoded by NVDEC. What the device itself can is told by each file.
    pub codecs: Vec<String>,
}

/// Why there is no GPU to be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "missing", content = "detail", rename_all = "snake_case")]
pub enum Missing {
    #[error("this program was built without the feature `gpu`")]
    NotBuilt,
    #[error("there is no NVIDIA driver here (libcuda.so.1 cannot be loaded)")]
    NoDriver,
    #[error(
        "the NVIDIA driver sees no device: is one given to this job (`--gpus-per-node`), and does CUDA_VISIBLE_DEVICES \
         name it?"
    )]
    NoDevice,
    #[error("the NVIDIA driver is too old for this program's kernels ({0}): it needs one of CUDA 11.4 (470) or newer")]
    DriverTooOld(String),
    #[error("the GPU cannot be used: {0}")]
    Unusable(String),
}

impl Missing {
    /// A word for tables.
    pub fn label(&self) -> &'static str {
        match self {
            Missing::NotBuilt => "built_without_gpu",
            Missing::NoDriver => "no_driver",
            Missing::NoDevice => "no_device",
            Missing::DriverTooOld(_) => "driver_too_old",
            Missing::Unusable(_) => "gpu_unusable",
        }
    }
}
