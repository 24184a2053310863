//! What the mill sees of a video, against what the ffmpeg program sees of it; and which samples a filter keeps.
#![cfg(feature = "media")]

mod filter;
#[path = "../common/job.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod job;
mod lab;
mod manual;
mod motion;
mod stretches;
