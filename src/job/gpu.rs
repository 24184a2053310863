//! What the job wants of GPUs, and what its rank has to say of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::JobError;
use super::mill::limits;
use crate::cluster::Placement;
use crate::config::{Config, DecodeMode, GpuMode};
use crate::gpu::{DeviceInfo, Missing, Wish};
use crate::mill::{Pool, PoolOptions};
use crate::sample::Budget;
use crate::subsample::Recipe;

/// What the rank's workers are to ask of a GPU; none: nothing of the job would be done on one.
pub fn wish(config: &Config, recipe: &Recipe, placement: &Placement, workers: u32) -> Option<Wish> {
    let (mode, decode) = (config.distribution.gpu, config.reading.decode);
    let wants = mode != GpuMode::Off && (recipe.has_flow_for_gpus() || decode == DecodeMode::Nvdec);
    let nvdec = match decode {
        DecodeMode::Auto => None,
        DecodeMode::Nvdec => Some(true),
        DecodeMode::Software => Some(false),
    };
    let required = mode == GpuMode::Required;
    wants.then_some(Wish { required, nvdec, seat: placement.local_rank, workers })
}

/// Looks for a GPU before any work, where the job cannot do without.
///
/// # Errors
/// [`JobError::Mill`]: there is none, or no worker starts.
pub fn require(config: &Config, recipe: &Recipe, placement: &Placement) -> Result<(), JobError> {
    let Some(wish) = wish(config, recipe, placement, 1).filter(|wish| wish.required) else { return Ok(()) };
    let pool = Pool::new(PoolOptions {
        program: Pool::program(),
        workers: 1,
        limits: limits(&config.limits),
        scratch: Arc::new(placement.scratch.clone()),
        budget: Budget::new(config.distribution.memory_budget),
    })?;
    let pool = pool.with_gpu(Some(wish));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| JobError::Runtime { source })?;
    runtime.block_on(pool.gpu())?;
    Ok(())
}

/// Says once what the rank's workers have found.
#[derive(Debug, Default)]
pub struct Teller {
    has_told: AtomicBool,
}

impl Teller {
    pub fn tell(&self, found: Option<&Result<DeviceInfo, Missing>>) {
        let Some(found) = found else { return };
        if self.has_told.swap(true, Ordering::Relaxed) {
            return;
        }
        match found {
            Ok(DeviceInfo { name, devices, compute, driver, .. }) => tracing::info!(
                "GPU: {name}, compute capability {}.{}, driver for CUDA {}.{}; {devices} visible to this rank",
                compute.0,
                compute.1,
                driver.0,
                driver.1
            ),
            Err(missing) => tracing::warn!(
                "NO GPU: all of this rank's optical flow and decoding is done on the CPU, since {missing}; \
                 `-o distribution.gpu=required` refuses to run so, `off` says that it is meant"
            ),
        }
    }
}
