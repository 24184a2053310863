//! Sound to the sample: what the ffmpeg program decodes of the files that are made here, against what it decodes of their
//! sources.

#[path = "../common/mod.rs"]
mod common;
#[path = "../subsample/lab.rs"]
#[allow(dead_code, reason = "shared with the tests of subsampling")]
mod jobs;
#[path = "../media/lab.rs"]
#[allow(dead_code, reason = "shared with the tests of media")]
mod lab;
mod measure;

mod chain;
mod delay;
mod encoders;
mod streams;
