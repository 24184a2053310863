//! What can go wrong on a GPU once it works.

use crate::error::Class;
use crate::flow::FlowError;

/// Why a flow was not computed on the GPU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// Not even one pair of frames fits.
    #[error("the GPU has no memory left for one pair of pictures")]
    OutOfMemory,
    /// The device, or its context in this process, is of no use any more: this process has to end.
    #[error("the GPU was lost ({0})")]
    Lost(String),
    #[error(transparent)]
    Flow(#[from] FlowError),
}

impl GpuError {
    pub fn class(&self) -> Class {
        match self {
            // Another GPU may still work.
            GpuError::Lost(_) => Class::Retry,
            GpuError::OutOfMemory | GpuError::Flow(_) => Class::Sample,
        }
    }
}

#[cfg(feature = "gpu")]
impl From<cudarc::driver::DriverError> for GpuError {
    fn from(error: cudarc::driver::DriverError) -> Self {
        match error.0 {
            cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => GpuError::OutOfMemory,
            // After any other error nothing in the context can be relied on: most (an illegal address, ECC, a device that
            // fell off the bus) stay with it for good.
            code => GpuError::Lost(format!("{code:?}")),
        }
    }
}
