//! Sound to the sample: what the ffmpeg program decodes of the files that are made here, against what it decodes of their
//! sources.

#[path = "../media/lab.rs"]
#[allow(dead_code, reason = "shared with the tests of media")]
mod lab;
mod measure;

mod delay;
