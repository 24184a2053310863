//! What sees every frame of a video.

use serde_json::{Map, Value};

use super::clips::Span;
use crate::media::YuvFrame;
use crate::sample::Failure;

/// Sees all frames of one video in presentation order, while they are decoded for whatever other reason.
pub trait Watcher {
    /// One frame, lent for the call.
    ///
    /// # Errors
    /// The sample's failure: it has then seen enough to know that nothing will come of it.
    fn frame(&mut self, frame: &YuvFrame<'_>) -> Result<(), Failure>;

    /// The cuts that were found so far, if it looks for any.
    fn cuts(&self) -> Option<Found<'_>> {
        None
    }

    /// After the last frame: the sample's JSON fields that it makes.
    ///
    /// # Errors
    /// The sample's failure.
    fn finish(&mut self, video: &Watched) -> Result<Map<String, Value>, Failure>;

    /// After `finish`: fields that a clip from second to second has of its own, in place of the video's.
    fn clip(&self, _video: &Watched, _span: Span) -> Map<String, Value> {
        Map::new()
    }
}

/// What was learned of a video by decoding it.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Frames a second on average, as the container says; 0 where it does not.
    pub fps: f64,
    /// Presentation time of each frame, seconds from the container's start.
    pub times: Vec<f64>,
    /// Where the last frame ends, seconds.
    pub end: f64,
}

impl Watched {
    /// When a frame is shown, or where the last one ends; to the microsecond.
    pub fn second(&self, frame: u64) -> f64 {
        let time = usize::try_from(frame).ok().and_then(|frame| self.times.get(frame)).unwrap_or(&self.end);
        (time * 1e6).round() / 1e6
    }
}

/// The cuts of a video that is still being watched.
#[derive(Debug, Clone, Copy)]
pub struct Found<'w> {
    /// Frames, by their number, that begin a scene; rising, and without the first.
    pub cuts: &'w [u64],
    /// How many frames there are, from the first on, of which it is known whether they begin one.
    pub known: u64,
}
