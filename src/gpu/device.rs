//! The driver, one device and its kernels.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cudarc::driver::sys::{self, CUresult};
use cudarc::driver::{CudaContext, CudaFunction, CudaStream, DriverError, result};
use cudarc::nvrtc::Ptx;

use super::{DeviceInfo, GpuError, Missing, Wish, ptx};

/// Of the memory that is free when a worker starts, the share that all workers of its rank may take together.
const MEMORY_SHARE: f64 = 0.8;

/// One device of this process: its primary context, which FFmpeg's decoder shares, and one stream.
///
/// The stream is the context's default one, on which FFmpeg puts its work, too: what a decoder has drawn is there before a
/// kernel looks at it, with no synchronisation of our own.
#[derive(Debug)]
pub struct Device {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    kernels: BTreeMap<&'static str, CudaFunction>,
    info: DeviceInfo,
    /// Bytes of device memory that this process may take, as far as it can be said.
    budget: u64,
}

impl Device {
    /// Opens the device that the wish's seat is for, and loads all kernels.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open(wish: &Wish) -> Result<Self, Missing> {
        guarded(|| {
            let devices = count()?;
            Self::at(wish.seat % devices, devices, wish.workers)
        })
    }

    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// The `CUcontext`, for FFmpeg.
    pub fn raw_context(&self) -> *mut std::ffi::c_void {
        self.context.cu_ctx().cast()
    }

    pub(super) fn budget(&self) -> u64 {
        self.budget
    }

    pub(super) fn context(&self) -> &Arc<CudaContext> {
        &self.context
    }

    pub(super) fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    pub(super) fn kernel(&self, name: &'static str) -> Result<&CudaFunction, GpuError> {
        self.kernels.get(name).ok_or_else(|| GpuError::Lost(format!("no kernel {name}")))
    }

    fn at(index: u32, devices: u32, workers: u32) -> Result<Self, Missing> {
        wait_without_spinning(index).map_err(missing)?;
        let context = CudaContext::new(index as usize).map_err(missing)?;
        // SAFETY: it is for contexts with several streams; this process has one.
        unsafe { context.disable_event_tracking() };
        let (free, memory_bytes) = context.mem_get_info().map_err(missing)?;
        let (major, minor) = context.compute_capability().map_err(missing)?;
        let info = DeviceInfo {
            name: context.name().map_err(missing)?,
            index,
            devices,
            memory_bytes: memory_bytes as u64,
            compute: (major.unsigned_abs(), minor.unsigned_abs()),
            driver: driver_version().map_err(missing)?,
            codecs: Vec::new(),
        };
        let kernels = load(&context)?;
        let stream = context.default_stream();
        let here = workers.div_ceil(devices.max(1)).max(1);
        let budget = (free as f64 * MEMORY_SHARE / f64::from(here)) as u64;
        Ok(Self { context, stream, kernels, info, budget })
    }
}

/// A worker that waits for its GPU leaves the CPU to those that decode; and FFmpeg refuses a primary context that was made
/// with other flags.
fn wait_without_spinning(index: u32) -> Result<(), DriverError> {
    let device = result::device::get(i32::try_from(index).unwrap_or(i32::MAX))?;
    let flags = sys::CUctx_flags::CU_CTX_SCHED_BLOCKING_SYNC as u32;
    // SAFETY: a number for a device that exists.
    match unsafe { sys::cuDevicePrimaryCtxSetFlags_v2(device, flags) }.result() {
        // Somebody in this process has opened it already.
        Err(DriverError(CUresult::CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE)) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The driver's bindings panic where its library, or a function in it, is not there.
fn guarded<T>(work: impl FnOnce() -> Result<T, Missing>) -> Result<T, Missing> {
    // SAFETY: loads the driver's library, whose initialisers are NVIDIA's.
    if !unsafe { sys::is_culib_present() } {
        return Err(Missing::NoDriver);
    }
    let lacks = |_| Err(Missing::DriverTooOld("its library lacks functions".into()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(lacks)
}

fn count() -> Result<u32, Missing> {
    result::init().map_err(missing)?;
    match u32::try_from(result::device::get_count().map_err(missing)?) {
        Ok(devices @ 1..) => Ok(devices),
        _ => Err(Missing::NoDevice),
    }
}

/// `12040` is CUDA 12.4.
fn driver_version() -> Result<(u32, u32), DriverError> {
    let mut version = 0;
    // SAFETY: writes one number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    let version = version.unsigned_abs();
    Ok((version / 1000, version % 1000 / 10))
}

fn load(context: &Arc<CudaContext>) -> Result<BTreeMap<&'static str, CudaFunction>, Missing> {
    let mut kernels = BTreeMap::new();
    for (_, source) in ptx::MODULES {
        let module = context.load_module(Ptx::from_src(source)).map_err(missing)?;
        for name in entries(source) {
            kernels.insert(name, module.load_function(name).map_err(missing)?);
        }
    }
    Ok(kernels)
}

/// The kernels that a text of PTX defines.
fn entries(source: &'static str) -> impl Iterator<Item = &'static str> {
    let name = |line: &'static str| line.split_once(".entry ").map(|(_, rest)| rest);
    source.lines().filter_map(name).filter_map(|rest| rest.split(['(', ' ', '\t']).next())
}

fn missing(error: DriverError) -> Missing {
    use CUresult::*;
    match error.0 {
        CUDA_ERROR_NO_DEVICE | CUDA_ERROR_INVALID_DEVICE | CUDA_ERROR_STUB_LIBRARY => Missing::NoDevice,
        code @ (CUDA_ERROR_UNSUPPORTED_PTX_VERSION
        | CUDA_ERROR_INVALID_PTX
        | CUDA_ERROR_NO_BINARY_FOR_GPU
        | CUDA_ERROR_INVALID_SOURCE) => Missing::DriverTooOld(format!("{code:?}")),
        code => Missing::Unusable(format!("{code:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_their_lines() {
        let source = ".version 6.0\n.visible .entry box_solve(\n\t.param .u64 a\n)\n{\n}\n.entry other(\n";
        assert_eq!(entries(source).collect::<Vec<_>>(), ["box_solve", "other"]);
    }
}
