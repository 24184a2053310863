//! NVIDIA GPUs: optical flow by the kernels of `kernels/`, through the driver alone.
//!
//! ```text
//! wish     what a job asks of a worker's GPU, and what the worker says of it (no CUDA: also in builds without `gpu`)
//! model    which samples are worth a GPU
//! surface  a decoder's picture in the device's memory
//! device   the driver, one device, its kernels ──► error
//! flow     Farneback's method in batches of pairs of frames, with the interface of the one on the CPU
//! ```
//!
//! The driver's library is loaded when a job wants a GPU, so that nothing of CUDA is linked: the same program runs where
//! there is none. Only workers do that; the rank never does. A worker has one device, the device's primary context (the
//! one that FFmpeg's decoder uses, too) and one stream.

#[cfg(not(feature = "gpu"))]
mod absent;
#[cfg(feature = "gpu")]
mod device;
mod error;
#[cfg(feature = "gpu")]
mod flow;
#[cfg(feature = "gpu")]
mod memory;
mod model;
#[cfg(feature = "gpu")]
mod ptx;
mod surface;
mod wish;

#[cfg(not(feature = "gpu"))]
pub use absent::{Device, Farneback};
#[cfg(feature = "gpu")]
pub use device::Device;
pub use error::GpuError;
#[cfg(feature = "gpu")]
pub use flow::Farneback;
pub use model::{Cost, is_worth_nvdec};
pub use surface::Surface;
pub use wish::{DeviceInfo, Missing, Wish};
