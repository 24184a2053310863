//! Detectors that watch frames, against the tools that they stand in for.

#[path = "../media/lab.rs"]
#[allow(dead_code)]
mod lab;
mod parity;
mod watch;
