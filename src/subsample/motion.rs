//! Measures how much moves in a video, as the field `motion`: cheap enough to filter by before any model looks at it.
//!
//! The picture is shrunk to 64 blocks across and compared with the one a fixed time before it, whatever the frame rate,
//! so that scores of 24 and of 60 frames a second can be compared. A still picture scores 0, a talking head about 1, a
//! camera that pans 5 and more. A cut counts as motion too: `motion_median` does not mind a few.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Needs, Problem, Subsampler};
use crate::sample::{Column, ColumnKind};
#[cfg(feature = "media")]
use crate::{media::VideoInfo, sample::Failure, subsample::watch::Watcher};

/// Settings of `MotionSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Frames a second that are compared; of slower videos, all.
    pub fps: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { fps: 5.0 }
    }
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.all_frames = true;
    }

    fn fields(&self) -> Vec<Column> {
        let column = |name: &str| Column { name: name.into(), kind: ColumnKind::Float };
        ["motion", "motion_median", "motion_max"].map(column).into()
    }

    fn problems(&self) -> Vec<Problem> {
        if self.fps.is_finite() && self.fps > 0.0 && self.fps <= 1000.0 {
            return Vec::new();
        }
        vec![Problem::new("args.fps", "is no frame rate", "give frames a second, more than 0")]
    }

    #[cfg(feature = "media")]
    fn watcher(&self, _video: &VideoInfo) -> Result<Option<Box<dyn Watcher>>, Failure> {
        Ok(Some(Box::new(watcher::Motion::new(self.fps))))
    }
}

#[cfg(feature = "media")]
pub use watcher::Motion;

#[cfg(feature = "media")]
mod watcher {
    use serde_json::{Map, Value, json};

    use crate::media::YuvFrame;
    use crate::sample::Failure;
    use crate::subsample::luma::shrink;
    use crate::subsample::watch::{Watched, Watcher};

    /// Blocks across; as many down as keep them square.
    const WIDTH: usize = 64;

    /// Measures one video.
    pub struct Motion {
        step: f64,
        first: Option<f64>,
        /// Which frame of the even clock is due.
        tick: u64,
        size: (usize, usize),
        last: Vec<f32>,
        now: Vec<f32>,
        scores: Vec<f32>,
    }

    impl Motion {
        /// Looks at `fps` frames a second.
        pub fn new(fps: f64) -> Self {
            let (last, now, scores) = (Vec::new(), Vec::new(), Vec::new());
            Self { step: 1.0 / fps, first: None, tick: 0, size: (0, 0), last, now, scores }
        }

        fn is_due(&mut self, seconds: f64) -> bool {
            let elapsed = seconds - *self.first.get_or_insert(seconds);
            // Frame times are rounded to the stream's time base, milliseconds in Matroska.
            let tick = ((elapsed + 1e-3) / self.step).floor();
            if tick < self.tick as f64 {
                return false;
            }
            self.tick = tick as u64 + 1;
            true
        }
    }

    impl Watcher for Motion {
        fn frame(&mut self, frame: &YuvFrame<'_>) -> Result<(), Failure> {
            if !self.is_due(frame.seconds) {
                return Ok(());
            }
            let width = WIDTH.min(frame.width.max(1));
            let height = (frame.height * width).div_ceil(frame.width.max(1)).max(1).min(frame.height.max(1));
            shrink(frame, width, height, &mut self.now);
            let size = (frame.width, frame.height);
            if self.size == size {
                let sum: f32 = self.now.iter().zip(&self.last).map(|(a, b)| (a - b).abs()).sum();
                let range = if frame.full_range { 1.0 } else { 255.0 / 219.0 };
                self.scores.push(sum / self.now.len().max(1) as f32 * range);
            }
            self.size = size;
            std::mem::swap(&mut self.now, &mut self.last);
            Ok(())
        }

        fn finish(self: Box<Self>, _video: &Watched) -> Result<Map<String, Value>, Failure> {
            let mut scores = self.scores;
            scores.sort_by(f32::total_cmp);
            let tidy = |score: f32| (f64::from(score) * 1e4).round() / 1e4;
            let mean = scores.iter().sum::<f32>() / scores.len().max(1) as f32;
            let median = scores.get(scores.len() / 2).copied().unwrap_or(0.0);
            let max = scores.last().copied().unwrap_or(0.0);
            let fields = [("motion", mean), ("motion_median", median), ("motion_max", max)];
            Ok(fields.into_iter().map(|(name, score)| (name.to_owned(), json!(tidy(score)))).collect())
        }
    }
}
