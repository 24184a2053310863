//! Finds the cuts of a video, as the field `cuts`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Needs, Problem, Subsampler};
use crate::sample::{Column, ColumnKind};
#[cfg(feature = "media")]
use crate::{media::VideoInfo, sample::Failure, subsample::watch::Watcher};

/// Settings of `CutDetectionSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Keep `all` scenes, or only the `longest`.
    pub cut_detection_mode: Mode,
    /// Also detect at these frame rates (1/s), by looking at fewer frames; null: at the video's own alone.
    pub framerates: Option<Vec<f64>>,
    /// Score from which on two frames are of different scenes. Of `hash`, a share of bits: 0 to 1.
    pub threshold: Option<f64>,
    /// Frames from one cut to the next, at least.
    pub min_scene_len: u64,
    /// What compares the frames.
    pub detector: Detector,
    /// `adaptive`: how many times the mean of the frames around it a score has to be.
    pub adaptive_threshold: f64,
    /// `adaptive`: frames on each side that the mean is taken over.
    pub window_width: usize,
    /// `adaptive`: the least score of a cut.
    pub min_content_val: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    All,
    Longest,
}

/// How frames are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Mean difference of hue, saturation and value, against a threshold (PySceneDetect's ContentDetector).
    Content,
    /// The same, against the mean of the frames around it (PySceneDetect's AdaptiveDetector).
    Adaptive,
    /// Distance of perceptual hashes.
    Hash,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cut_detection_mode: Mode::All,
            framerates: None,
            threshold: None,
            min_scene_len: 15,
            detector: Detector::Content,
            adaptive_threshold: 3.0,
            window_width: 2,
            min_content_val: 15.0,
        }
    }
}

impl Settings {
    /// As given, or 27, of `hash` 0.395.
    pub fn threshold(&self) -> f64 {
        self.threshold.unwrap_or(if self.detector == Detector::Hash { 0.395 } else { 27.0 })
    }
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.all_frames = true;
    }

    fn fields(&self) -> Vec<Column> {
        vec![Column { name: "cuts".into(), kind: ColumnKind::Json }]
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let most = if self.detector == Detector::Hash { 1.0 } else { 255.0 };
        if !(0.0..=most).contains(&self.threshold()) {
            found.push(Problem::new("args.threshold", "is no threshold", format!("give 0 to {most}")));
        }
        if self.framerates.iter().flatten().any(|rate| !(rate.is_finite() && *rate > 0.0 && *rate <= 1000.0)) {
            found.push(Problem::new(
                "args.framerates",
                "holds what is no frame rate",
                "give frames a second, more than 0",
            ));
        }
        if !(1..=100).contains(&self.window_width) {
            found.push(Problem::new("args.window_width", "is no window", "give 1 to 100 frames"));
        }
        found
    }

    #[cfg(feature = "media")]
    fn watcher(&self, video: &VideoInfo) -> Result<Option<Box<dyn Watcher>>, Failure> {
        Ok(Some(Box::new(super::cuts::Cuts::new(self, video.frame_rate.map_or(0.0, f64::from), video.rotation))))
    }
}
