//! What was done on which processor: for `_stats.json` and `clipmill status`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts over the samples of a shard, or of a job; of one sample, they are 0 or 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Samples whose flow was computed on a GPU.
    pub flow_on_gpu: u64,
    /// Samples whose flow was computed on the CPU, in a job that would have taken a GPU.
    pub flow_on_cpu: u64,
    /// Samples that a GPU's decoder decoded.
    pub decoded_on_gpu: u64,
    /// Samples that were decoded on the CPU, in a job that would have taken a GPU's decoder.
    pub decoded_on_cpu: u64,
    /// Why the CPU was taken, to samples.
    pub reasons: BTreeMap<String, u64>,
    /// How often a batch had to be halved, for the GPU's memory was short.
    pub halved_batches: u64,
    /// Workers that ended because their GPU was lost.
    pub gpus_lost: u64,
}

impl Usage {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts a reason why the CPU was taken.
    pub fn because(&mut self, reason: &str) {
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.flow_on_gpu += other.flow_on_gpu;
        self.flow_on_cpu += other.flow_on_cpu;
        self.decoded_on_gpu += other.decoded_on_gpu;
        self.decoded_on_cpu += other.decoded_on_cpu;
        self.halved_batches += other.halved_batches;
        self.gpus_lost += other.gpus_lost;
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
    }
}
