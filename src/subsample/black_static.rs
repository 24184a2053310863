//! Where a video is black or does not move, as the fields `black_segments`, `static_segments` and their shares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clips::Span;
use super::{Needs, Problem, Subsampler};
use crate::sample::{Column, ColumnKind};
#[cfg(feature = "media")]
use crate::{media::VideoInfo, sample::Failure, subsample::watch::Watcher};

/// Settings of `BlackStaticSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A pixel is black up to this share of the luma's range.
    pub pixel_black_th: f64,
    /// A picture is black from this share of black pixels on.
    pub picture_black_ratio_th: f64,
    /// Shorter black stretches do not count, seconds.
    pub black_min_duration: f64,
    /// A picture stands still up to this mean difference of its samples, as a share of their range.
    pub noise: f64,
    /// Shorter still stretches do not count, seconds.
    pub static_min_duration: f64,
    /// Cut the stretches that were found out of the spans that become clips.
    pub trim_clips: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pixel_black_th: 0.1,
            picture_black_ratio_th: 0.98,
            black_min_duration: 2.0,
            noise: 0.001,
            static_min_duration: 2.0,
            trim_clips: false,
        }
    }
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.all_frames = true;
        needs.trims |= self.trim_clips;
    }

    fn fields(&self) -> Vec<Column> {
        let field = |name: &str, kind| Column { name: name.into(), kind };
        vec![
            field("black_segments", ColumnKind::Json),
            field("black_ratio", ColumnKind::Float),
            field("static_segments", ColumnKind::Json),
            field("static_ratio", ColumnKind::Float),
        ]
    }

    fn problems(&self) -> Vec<Problem> {
        let shares = [
            ("pixel_black_th", self.pixel_black_th),
            ("picture_black_ratio_th", self.picture_black_ratio_th),
            ("noise", self.noise),
        ];
        let lengths =
            [("black_min_duration", self.black_min_duration), ("static_min_duration", self.static_min_duration)];
        let problem = |key: &str, message: &str, help: &str| Problem::new(format!("args.{key}"), message, help);
        let bad_shares = shares.into_iter().filter(|(_, share)| !(0.0..=1.0).contains(share));
        let bad_lengths = lengths.into_iter().filter(|(_, length)| !(length.is_finite() && *length >= 0.0));
        let shares = bad_shares.map(|(key, _)| problem(key, "is no share", "give 0 to 1"));
        shares.chain(bad_lengths.map(|(key, _)| problem(key, "is no length", "give seconds, 0 or more"))).collect()
    }

    #[cfg(feature = "media")]
    fn watcher(&self, video: &VideoInfo) -> Result<Option<Box<dyn Watcher>>, Failure> {
        use super::watchers::{Black, BlackStatic, Still};
        let black = Black::new(self, f64::from(video.time_base));
        Ok(Some(Box::new(BlackStatic::new(black, Still::new(self)))))
    }
}

/// What is left of spans outside the black and the still stretches that a sample has, in the same order.
pub fn trim(spans: Vec<Span>, meta: &Map<String, Value>) -> Vec<Span> {
    let stretches = ["black_segments", "static_segments"].into_iter().filter_map(|name| meta.get(name)?.as_array());
    stretches.flatten().filter_map(stretch).fold(spans, |spans, (from, to)| {
        let parts = |(start, end): Span| [(start, end.min(from)), (start.max(to), end)];
        let outside = |(start, end): Span| {
            if end <= from || start >= to { vec![(start, end)] } else { parts((start, end)).to_vec() }
        };
        spans.into_iter().flat_map(outside).filter(|(start, end)| end > start).collect()
    })
}

fn stretch(value: &Value) -> Option<Span> {
    Some((value.get(0)?.as_f64()?, value.get(1)?.as_f64()?))
}
