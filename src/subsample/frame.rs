//! Fewer frames: a constant frame rate, or some frames as pictures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edit::{Edit, Images, Picture};
use super::{Needs, Problem, Subsampler};
use crate::sample::Failure;

/// Settings of `FrameSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Frames a second, for `fps`.
    pub frame_rate: f64,
    /// `fps`, `first_frame`, `keyframe` or `yt_subtitle`.
    pub downsample_method: String,
    /// Accepted for old configs; `encode_formats` says it.
    pub encode_format: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { frame_rate: 0.0, downsample_method: "fps".into(), encode_format: "mp4".into() }
    }
}

enum Method {
    Fps(f64),
    Images(Images),
    /// One picture for each line of the subtitles.
    Subtitles,
}

impl Settings {
    /// Whether each line of the subtitles becomes a picture, as a sample of its own.
    pub fn is_at_subtitles(&self) -> bool {
        matches!(self.method(), Some(Method::Subtitles))
    }

    fn method(&self) -> Option<Method> {
        match self.downsample_method.as_str() {
            "fps" => Some(Method::Fps(self.frame_rate)),
            "yt_subtitle" => Some(Method::Subtitles),
            "keyframe" => Some(Method::Images(Images::Keyframes)),
            // video2dataset takes any name with "frame" in it for this one.
            name if name.contains("frame") => Some(Method::Images(Images::First)),
            _ => None,
        }
    }
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        match self.method() {
            Some(Method::Fps(_)) => needs.encode = true,
            Some(Method::Subtitles) => needs.images = true,
            Some(Method::Images(images)) => {
                needs.images = true;
                needs.packets |= images == Images::Keyframes;
            }
            None => {}
        }
    }

    fn problems(&self) -> Vec<Problem> {
        match self.method() {
            Some(Method::Fps(rate)) if !(rate.is_finite() && rate > 0.0 && rate <= 1000.0) => {
                vec![Problem::new("args.frame_rate", "is no frame rate", "give frames a second, more than 0")]
            }
            Some(_) => Vec::new(),
            None => {
                let message = format!("`{}` is no method", self.downsample_method);
                vec![Problem::new("args.downsample_method", message, "use fps, first_frame, keyframe or yt_subtitle")]
            }
        }
    }

    fn edit(&self, _: Picture, edit: &mut Edit) -> Result<(), Failure> {
        match self.method() {
            Some(Method::Fps(rate)) => edit.fps = Some(rate),
            Some(Method::Images(images)) => edit.images = Some(images),
            // Each output is one frame long: its first is the picture.
            Some(Method::Subtitles) => edit.images = Some(Images::First),
            None => {}
        }
        Ok(())
    }
}
