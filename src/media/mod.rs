//! All FFmpeg: demux, decode, filter, encode, remux, audio. Used by the worker program alone.

mod frame;

pub use frame::{Matrix, YuvFrame};
