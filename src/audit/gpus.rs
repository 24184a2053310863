//! What GPUs this machine has for a job: each is opened by a worker, as in a job.

use std::sync::Arc;

use super::doctor::Check;
use crate::gpu::{DeviceInfo, Missing, Wish};
use crate::mill::{Limits, MillError, Pool, PoolOptions};
use crate::sample::Budget;

/// Driver, devices, kernels and decoders; or why there are none.
pub fn checks() -> Vec<Check> {
    let first = match found(0) {
        Ok(Ok(device)) => device,
        Ok(Err(missing)) => return vec![none(&missing)],
        // The check of media workers says so already.
        Err(_) => return Vec::new(),
    };
    let (major, minor) = first.driver;
    let mut checks = vec![Check::ok("gpu driver", format!("for CUDA {major}.{minor} and older"))];
    let others = (1..first.devices).map(|seat| (seat, found(seat)));
    for (seat, found) in std::iter::once((0, Ok(Ok(first.clone())))).chain(others) {
        let name = format!("gpu {seat}");
        checks.push(match found {
            Ok(Ok(device)) => Check::ok(&name, describe(&device)),
            Ok(Err(missing)) => Check::failure(&name, missing.to_string(), UNUSABLE),
            Err(error) => Check::failure(&name, error.to_string(), UNUSABLE),
        });
    }
    checks.push(decoders(&first));
    checks
}

const UNUSABLE: &str = "jobs use the other GPUs; take this one out of CUDA_VISIBLE_DEVICES until it works";

/// A worker's GPU; `seat`: the number of the device.
fn found(seat: u32) -> Result<Result<DeviceInfo, Missing>, MillError> {
    let pool = Pool::new(PoolOptions {
        program: Pool::program(),
        workers: 1,
        limits: Limits::default(),
        scratch: Arc::new(std::env::temp_dir()),
        budget: Budget::new(0),
    })?;
    let pool = pool.with_gpu(Some(Wish { required: false, nvdec: None, seat, workers: 1 }));
    let start = |source| MillError::Start { path: Pool::program(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
    Ok(runtime.block_on(pool.gpu())?.unwrap_or(Err(Missing::NotBuilt)))
}

/// No GPU is no fault, unless there seems to be one.
fn none(missing: &Missing) -> Check {
    let detail = format!("none: {missing}; optical flow and decoding are done on the CPU");
    let is_expected = std::path::Path::new("/dev/nvidiactl").exists()
        || std::env::var_os("CUDA_VISIBLE_DEVICES").is_some_and(|devices| !devices.is_empty());
    match missing {
        Missing::NoDriver | Missing::NoDevice | Missing::NotBuilt if !is_expected => Check::ok("gpu", detail),
        Missing::NotBuilt => Check::warning("gpu", detail, "build with the feature `gpu`, which is on by default"),
        Missing::DriverTooOld(_) => Check::warning("gpu", detail, "ask for a newer driver, or use these nodes' CPUs"),
        Missing::NoDriver | Missing::NoDevice | Missing::Unusable(_) => {
            Check::warning("gpu", detail, "`nvidia-smi` should list the GPUs; in a container, pass them in")
        }
    }
}

fn describe(device: &DeviceInfo) -> String {
    let DeviceInfo { name, memory_bytes, compute: (major, minor), .. } = device;
    let memory = indicatif::HumanBytes(*memory_bytes);
    format!("{name}, {memory}, compute capability {major}.{minor}; the kernels (PTX) load")
}

fn decoders(device: &DeviceInfo) -> Check {
    match device.codecs.as_slice() {
        [] => Check::warning(
            "nvdec",
            "this build of FFmpeg has no decoders for NVIDIA's GPUs: videos are decoded on the CPU",
            "use an FFmpeg that was built with ffnvcodec",
        ),
        codecs => {
            let codecs = codecs.join(", ");
            Check::ok("nvdec", format!("FFmpeg offers {codecs}; each file tells what the GPU itself can"))
        }
    }
}
