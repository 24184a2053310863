//! Shows a file's frames to a watcher.

use std::path::Path;

use clipmill::media::{DecodeOptions, VideoInfo, YuvFrame};
use clipmill::subsample::watch::Watched;

use crate::lab::open;

/// Decodes the file, and shows each frame.
pub fn each_frame(path: &Path, mut see: impl FnMut(&YuvFrame<'_>)) -> (VideoInfo, Watched) {
    let mut media = open(path);
    let mut decoder = media.decoder(DecodeOptions::default()).unwrap();
    let info = *decoder.info();
    let fps = info.frame_rate.map_or(0.0, f64::from);
    let mut times = Vec::new();
    while let Some(mut frame) = decoder.next_frame().unwrap() {
        times.push(frame.seconds);
        see(&frame.yuv().unwrap());
    }
    let end = times.last().map_or(0.0, |last| last + 1.0 / fps);
    (info, Watched { fps, times, end })
}
