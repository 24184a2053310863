//! Stretches of time in which something holds, of the video and of each clip.

use serde_json::{Map, Value, json};

use super::{Black, Still};
use crate::media::YuvFrame;
use crate::sample::Failure;
use crate::subsample::clips::Span;
use crate::subsample::watch::{Watched, Watcher};

/// The stretch that is still going on, and those that are over.
#[derive(Debug, Default)]
pub struct Open {
    /// Seconds.
    pub start: Option<f64>,
    /// Shorter stretches do not count, seconds.
    pub least: f64,
    pub closed: Vec<Span>,
}

impl Open {
    /// Ends the stretch at a second.
    pub fn close(&mut self, end: f64) {
        if let Some(start) = self.start.take()
            && end - start >= self.least
        {
            self.closed.push((start, end));
        }
    }
}

/// The watcher of `BlackStaticSubsampler`.
#[derive(Debug)]
pub struct BlackStatic {
    black: Black,
    still: Still,
    found: [Vec<Span>; 2],
}

const NAMES: [[&str; 2]; 2] = [["black_segments", "black_ratio"], ["static_segments", "static_ratio"]];

impl BlackStatic {
    pub fn new(black: Black, still: Still) -> Self {
        Self { black, still, found: [Vec::new(), Vec::new()] }
    }

    fn fields(&self, whole: Span) -> Map<String, Value> {
        let mut fields = Map::new();
        for (found, [segments, ratio]) in self.found.iter().zip(NAMES) {
            let inside = within(found, whole);
            let length = (whole.1 - whole.0).max(f64::MIN_POSITIVE);
            // Not `sum`, which makes -0 of nothing.
            let sum = inside.iter().fold(0.0, |sum, (start, end)| sum + end - start);
            let inside: Vec<[f64; 2]> = inside.iter().map(|(start, end)| [tidy(*start), tidy(*end)]).collect();
            fields.insert(segments.to_owned(), json!(inside));
            fields.insert(ratio.to_owned(), json!(tidy((sum / length).clamp(0.0, 1.0))));
        }
        fields
    }
}

/// Microseconds and millionths are enough, and print short.
fn tidy(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn within(stretches: &[Span], (from, to): Span) -> Vec<Span> {
    let cut = stretches.iter().map(|(start, end)| (start.max(from), end.min(to)));
    cut.filter(|(start, end)| end - start > 1e-6).collect()
}

impl Watcher for BlackStatic {
    fn frame(&mut self, frame: &YuvFrame<'_>) -> Result<(), Failure> {
        self.black.push(frame);
        self.still.push(frame);
        Ok(())
    }

    fn finish(&mut self, video: &Watched) -> Result<Map<String, Value>, Failure> {
        self.found = [self.black.finish(video.end), self.still.finish(video.end)];
        Ok(self.fields((video.times.first().copied().unwrap_or(0.0), video.end)))
    }

    /// Stretches keep their times, which are those of the whole video, as `clips` has them.
    fn clip(&self, _: &Watched, span: Span) -> Map<String, Value> {
        self.fields(span)
    }
}
