//! `OpticalFlowSubsampler` through the whole program: over tables, tars and clips, against OpenCV, and with bad input.
#![cfg(feature = "media")]

mod bad_input;
mod clips;
mod h5;
#[path = "../common/job.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod job;
mod jobs;
#[path = "../watchers/lab.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod lab;
mod memory;
mod npy;
mod parity;
