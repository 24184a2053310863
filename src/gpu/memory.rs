//! Page-locked memory of the host: what the device reads and writes while the CPU goes on.

use std::ops::Range;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaEvent, CudaStream, DevicePtr, DevicePtrMut, PinnedHostSlice, result};
use cudarc::driver::{DeviceRepr, ValidAsZeroBits};

use super::GpuError;

/// A page-locked buffer, and when the device is done with it.
#[derive(Debug)]
pub struct Pinned<T> {
    slice: PinnedHostSlice<T>,
    done: CudaEvent,
}

impl<T: DeviceRepr + ValidAsZeroBits> Pinned<T> {
    pub fn new(context: &Arc<CudaContext>, len: usize) -> Result<Self, GpuError> {
        use cudarc::driver::sys::CUevent_flags::{CU_EVENT_BLOCKING_SYNC, CU_EVENT_DISABLE_TIMING};
        // SAFETY: all bits zero are a value of the type, and so is whatever the memory holds: numbers.
        let slice = unsafe { context.alloc_pinned_with_flags(len.max(1), 0)? };
        let done = context
            .new_event(Some(CU_EVENT_BLOCKING_SYNC))
            .or_else(|_| context.new_event(Some(CU_EVENT_DISABLE_TIMING)))?;
        Ok(Self { slice, done })
    }

    /// The numbers, once the device is done with them.
    pub fn read(&self) -> Result<&[T], GpuError> {
        self.done.synchronize()?;
        Ok(self.slice.as_slice()?)
    }

    /// The same, to be written.
    pub fn write(&mut self) -> Result<&mut [T], GpuError> {
        self.done.synchronize()?;
        Ok(self.slice.as_mut_slice()?)
    }

    /// Starts to copy these of the numbers to the device.
    pub fn upload(
        &self,
        range: Range<usize>,
        to: &mut impl DevicePtrMut<T>,
        stream: &Arc<CudaStream>,
    ) -> Result<(), GpuError> {
        let source =
            self.slice.as_slice()?.get(range).filter(|source| to.len() >= source.len()).ok_or_else(too_short)?;
        let (target, _written) = to.device_ptr_mut(stream);
        // SAFETY: both have as many numbers, and the host's live until `done`, which `read`, `write` and `drop` wait for.
        unsafe { result::memcpy_htod_async(target, source, stream.cu_stream())? };
        Ok(self.done.record(stream)?)
    }

    /// Starts to copy the first `len` numbers from the device.
    pub fn download(&mut self, len: usize, from: &impl DevicePtr<T>, stream: &Arc<CudaStream>) -> Result<(), GpuError> {
        let fits = from.len() >= len;
        let target = self.slice.as_mut_slice()?.get_mut(..len).filter(|_| fits).ok_or_else(too_short)?;
        let (source, _read) = from.device_ptr(stream);
        // SAFETY: as above.
        unsafe { result::memcpy_dtoh_async(target, source, stream.cu_stream())? };
        Ok(self.done.record(stream)?)
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // The memory is given back next. Where the device is lost, it does not write any more.
        let _ = self.done.synchronize();
    }
}

/// Only a bug gets here.
fn too_short() -> GpuError {
    GpuError::Lost("a buffer is too short".into())
}
