//! Jobs with a GPU, against a CPU test double of the driver (tests/gpu/fake): no GPU is involved, and nothing here says how
//! fast one is. `make test-gpu` runs `on_a_gpu` on a real one.
#![cfg(all(feature = "media", feature = "gpu"))]

mod doctor;
mod fake;
mod faults;
#[path = "../common/job.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod job;
mod jobs;
#[path = "../watchers/lab.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod lab;
#[path = "../optical_flow/npy.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod npy;
mod nvdec;
mod real;
