//! How pictures and sound are encoded where they have to be.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How pictures and sound are encoded, where they have to be. Without a key, as the ffmpeg program does by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Encoding {
    /// FFmpeg's name of the video encoder; null: `libx264`, for `webm` `libvpx-vp9`.
    pub video_encoder: Option<String>,
    /// Speed against size; null: `medium` for x264 and x265.
    pub preset: Option<String>,
    /// Quality: the less, the better; null: 23 for x264, 32 for VP9.
    #[schemars(range(min = 0, max = 63))]
    pub crf: Option<f64>,
    /// FFmpeg's name of the pixel format; null: `yuv420p`, also for sources of 10 bits.
    pub pixel_format: Option<String>,
    /// Further options of the video encoder, as the ffmpeg program takes them.
    pub video_options: BTreeMap<String, String>,
    /// FFmpeg's name of the audio encoder; null: by the member's extension, `aac` for mp4.
    pub audio_encoder: Option<String>,
    /// Bits a second; null: the encoder's own choice.
    #[schemars(range(min = 1000, max = 10_000_000))]
    pub audio_bit_rate: Option<u64>,
}

#[cfg(feature = "media")]
impl Encoding {
    /// The video encoder for a member with this extension.
    pub fn video(&self, extension: &str) -> crate::media::VideoCodec {
        let default = crate::media::VideoCodec::default_for(extension);
        let is_default = self.video_encoder.as_ref().is_none_or(|encoder| *encoder == default.encoder);
        let mut options = if is_default { default.options } else { Vec::new() };
        let crf = self.crf.map(|crf| crf.to_string());
        let own = [("preset", self.preset.clone()), ("crf", crf)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        for (name, value) in own.chain(self.video_options.clone()) {
            options.retain(|(known, _)| *known != name);
            options.push((name, value));
        }
        crate::media::VideoCodec {
            encoder: self.video_encoder.clone().unwrap_or(default.encoder),
            formats: self.pixel_format.clone().unwrap_or(default.formats),
            options,
        }
    }

    /// The audio encoder for a member with this extension.
    pub fn audio(&self, extension: &str) -> crate::media::AudioCodec {
        let default = crate::media::AudioCodec::default_for(extension);
        let rate = self.audio_bit_rate.map(|rate| ("b".to_owned(), rate.to_string()));
        crate::media::AudioCodec {
            encoder: self.audio_encoder.clone().unwrap_or(default.encoder),
            options: rate.into_iter().collect(),
            ..default
        }
    }
}
