//! Dense optical flow on the CPU: for each pixel of a frame, where it is in the next frame.
//!
//! ```text
//! farneback ──► resample    the pyramid: what a level's pixels are made of, and a coarse level's flow enlarged
//!           ──► expansion   each pixel's neighbourhood as a quadratic polynomial
//!           ──► matrices    two frames' polynomials and a first guess → the equations of a pixel's displacement
//!           ──► window      the equations averaged over a window and solved
//! plan      ──► all of them the same as plain numbers, for a GPU
//! ```
//!
//! [`Dis`], beside it, has a map of its own.
//!
//! No I/O and no FFmpeg: planes of 8-bit luma go in, `f32` pairs (dx, dy) in pixels come out, interleaved, row after row.
//! The result is the same to the last bit on every processor and with any number of threads: loops are written so that
//! the compiler turns them into vector code without a change of order, and no multiplication is fused with an addition.

mod dis;
mod either;
mod error;
mod expansion;
mod farneback;
mod level;
mod luma;
mod matrices;
mod params;
mod plan;
mod resample;
mod window;

pub use dis::{Dis, DisParams, Preset};
pub use either::{Flow, FlowParams};
pub use error::FlowError;
pub use farneback::Farneback;
pub use luma::Luma;
pub use params::FarnebackParams;
pub use plan::{Expansion, Plan, PlanLevel, PlanWindow, Taps};
