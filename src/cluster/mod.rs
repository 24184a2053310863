//! Who am I: which rank of how many, on which CPUs, until when.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;

/// Where this process stands in the job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placement {
    /// 0-based, over all array tasks and nodes.
    pub rank: u32,
    /// Ranks in all: array tasks × ranks.
    pub world: u32,
    /// 0-based on this node.
    pub local_rank: u32,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// `CUDA_VISIBLE_DEVICES` as given, one entry per device.
    pub gpus: Vec<String>,
    /// Node-local folder for spilled bytes.
    pub scratch: PathBuf,
    /// When the scheduler ends the job.
    pub deadline: Option<SystemTime>,
    /// What told us: `slurm`, `slurm array`, `open mpi`, `mpich`, `flags`, `none`.
    pub launcher: String,
    /// An id that all ranks of one job share, also over requeues (`slurm:1234`); none without a launcher.
    pub job: Option<String>,
    pub host: String,
}
