//! Finds where a video is black and where it stands still, as the fields `black_segments` and `static_segments`, each
//! [[start, end], …] in seconds, and the shares of the video that they are, `black_ratio` and `static_ratio`.
//!
//! The rules are those of FFmpeg's `blackdetect` and `freezedetect`, but that a stretch that lasts until the video's end
//! ends with its last frame. What is black stands still, too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Needs, Problem, Subsampler};
use crate::sample::{Column, ColumnKind};
#[cfg(feature = "media")]
use crate::{media::VideoInfo, sample::Failure, subsample::watch::Watcher};

/// Settings of `BlackStaticSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Up to which brightness a pixel is black: 0 to 1.
    pub pixel_black_th: f64,
    /// Which share of its pixels has to be black for a frame to be: 0 to 1.
    pub picture_black_ratio_th: f64,
    /// Seconds; shorter black stretches are passed over.
    pub black_min_duration: f64,
    /// Mean difference, as a share of the whole range, up to which frames are the same.
    pub static_noise: f64,
    /// Seconds; shorter still stretches are passed over.
    pub static_min_duration: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pixel_black_th: 0.1,
            picture_black_ratio_th: 0.98,
            black_min_duration: 2.0,
            static_noise: 0.001,
            static_min_duration: 2.0,
        }
    }
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.all_frames = true;
    }

    fn fields(&self) -> Vec<Column> {
        let column = |(name, kind): (&str, ColumnKind)| Column { name: name.into(), kind };
        let (json, float) = (ColumnKind::Json, ColumnKind::Float);
        let names =
            [("black_segments", json), ("static_segments", json), ("black_ratio", float), ("static_ratio", float)];
        names.map(column).into()
    }

    fn problems(&self) -> Vec<Problem> {
        let shares = [
            ("pixel_black_th", self.pixel_black_th),
            ("picture_black_ratio_th", self.picture_black_ratio_th),
            ("static_noise", self.static_noise),
        ];
        let seconds =
            [("black_min_duration", self.black_min_duration), ("static_min_duration", self.static_min_duration)];
        let no_share = shares.iter().filter(|(_, value)| !(0.0..=1.0).contains(value));
        let no_share = no_share.map(|(key, _)| Problem::new(format!("args.{key}"), "is no share", "give 0 to 1"));
        let no_time = seconds.iter().filter(|(_, value)| !(value.is_finite() && *value >= 0.0));
        let no_time =
            no_time.map(|(key, _)| Problem::new(format!("args.{key}"), "is no duration", "give seconds, 0 or more"));
        no_share.chain(no_time).collect()
    }

    #[cfg(feature = "media")]
    fn watcher(&self, _video: &VideoInfo) -> Result<Option<Box<dyn Watcher>>, Failure> {
        Ok(Some(Box::new(super::still::Stills::new(self))))
    }
}
