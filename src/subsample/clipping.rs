//! Cuts a video into clips.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clips::Rules;
use super::{Cut, Needs, Problem, Subsampler};

/// Settings of `ClippingSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seconds; clips that are not longer are dropped.
    pub min_length: f64,
    /// Seconds; longer spans are cut into pieces of this length and a rest.
    pub max_length: f64,
    /// Of a span that was cut into pieces: `all`, or only the `first`.
    pub max_length_strategy: Strategy,
    /// How true to the span the clips are.
    pub precision: Precision,
    /// Accepted for old configs; clips always have five digits.
    pub oom_clip_count: u32,
    /// Accepted for old configs; `encode_formats` says it.
    pub encode_formats: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    All,
    First,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Packets are copied, from the keyframe before the span.
    Low,
    /// Packets are copied, from the first keyframe within the span to the last.
    KeyframeAdjusted,
    /// Exactly the frames of the span: whole groups of pictures are copied, only the edges are encoded.
    Smart,
    /// Frames are encoded again: exactly those of the span.
    Exact,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_length: 0.0,
            max_length: 999_999.0,
            max_length_strategy: Strategy::All,
            precision: Precision::Low,
            oom_clip_count: 5,
            encode_formats: None,
        }
    }
}

impl Settings {
    pub fn rules(&self) -> Rules {
        Rules {
            min_length: self.min_length,
            max_length: self.max_length,
            first_only: self.max_length_strategy == Strategy::First,
        }
    }
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.clips = Some(match self.precision {
            Precision::Low | Precision::KeyframeAdjusted => Cut::Copy,
            Precision::Smart => Cut::Smart,
            Precision::Exact => Cut::Encode,
        });
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if !self.min_length.is_finite() || self.min_length < 0.0 {
            found.push(Problem::new("args.min_length", "is no length", "give seconds, 0 or more"));
        }
        if !(self.max_length.is_finite() && self.max_length > 0.0) {
            found.push(Problem::new("args.max_length", "is no length", "give seconds, more than 0"));
        } else if self.max_length < self.min_length {
            let message = format!("is less than min_length ({} s), so that no clip is left", self.min_length);
            found.push(Problem::new("args.max_length", message, "raise it, or lower min_length"));
        }
        if self.oom_clip_count != 5 {
            found.push(Problem::new(
                "args.oom_clip_count",
                "must be 5: the width of clip numbers is fixed",
                "leave it out",
            ));
        }
        found
    }
}
