//! The GPU kernels, on a machine that has no GPU: compiled for the host and compared with the CPU's flow and with plain
//! references, and as PTX that NVIDIA's assembler accepts.

mod assembler;
mod buffer;
mod colour;
mod farneback;
mod host;
mod launches;
mod manual;
mod motion;
mod ptx;
mod resize;
mod roofline;
mod stages;
