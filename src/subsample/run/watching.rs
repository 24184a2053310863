//! All that sees every frame of a video, together.

use super::outputs::Fields;
use crate::media::{DecodedFrame, VideoInfo};
use crate::sample::Failure;
use crate::subsample::Subsampler;
use crate::subsample::clips::Span;
use crate::subsample::watch::{Found, Watched, Watcher};

/// The watchers of one sample.
pub struct Watching {
    watchers: Vec<Box<dyn Watcher>>,
    watched: Watched,
    /// Seconds of a frame whose length is not known.
    usual: f64,
}

impl Watching {
    pub fn new(subsamplers: &[Box<dyn Subsampler>], video: Option<&VideoInfo>) -> Result<Self, Failure> {
        let mut watchers = Vec::new();
        if let Some(video) = video {
            for subsampler in subsamplers {
                watchers.extend(subsampler.watcher(video)?);
            }
        }
        let fps = video.and_then(|video| video.frame_rate).map_or(0.0, f64::from);
        let usual = if fps > 0.0 { 1.0 / fps } else { 0.04 };
        Ok(Self { watchers, watched: Watched { fps, times: Vec::new(), end: 0.0 }, usual })
    }

    pub fn frame(&mut self, frame: &mut DecodedFrame<'_>) -> Result<(), Failure> {
        self.watched.times.push(frame.seconds);
        self.watched.end = self.watched.end.max(frame.seconds + self.usual);
        if self.watchers.is_empty() {
            return Ok(());
        }
        let picture = frame.yuv()?;
        self.watchers.iter_mut().try_for_each(|watcher| watcher.frame(&picture))
    }

    /// The cuts so far, where they are looked for.
    pub fn cuts(&self) -> Option<Found<'_>> {
        self.watchers.iter().find_map(|watcher| watcher.cuts())
    }

    /// What was learned so far.
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// The last frame was seen: the fields that they make of the whole video.
    pub fn finish(&mut self) -> Result<Fields, Failure> {
        let mut fields = Fields::new();
        for watcher in &mut self.watchers {
            fields.extend(watcher.finish(&self.watched)?);
        }
        Ok(fields)
    }

    /// What of them a clip has of its own.
    pub fn clip(&self, span: Span) -> Fields {
        self.watchers.iter().flat_map(|watcher| watcher.clip(&self.watched, span)).collect()
    }
}
