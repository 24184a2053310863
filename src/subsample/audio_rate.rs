//! Another sample rate, or fewer channels, for the sound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edit::{Edit, Picture};
use super::{Needs, Problem, Subsampler};
use crate::sample::Failure;

/// Settings of `AudioRateSubsampler`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Hz; an encoder that does not know it takes the next higher one that it knows.
    pub sample_rate: u32,
    /// Channels; null: as many as the source has.
    pub n_audio_channels: Option<u32>,
    /// Accepted for old configs; `encode_formats` says it.
    pub encode_format: Option<String>,
    /// Accepted for old configs; `encode_formats` says it.
    pub encode_formats: Option<serde_json::Value>,
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.resample = true;
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if !(1000..=384_000).contains(&self.sample_rate) {
            found.push(Problem::new("args.sample_rate", "is no sample rate", "give 1000 to 384000 Hz"));
        }
        if self.n_audio_channels.is_some_and(|channels| !(1..=8).contains(&channels)) {
            found.push(Problem::new("args.n_audio_channels", "is no number of channels", "give 1 to 8, or null"));
        }
        found
    }

    fn edit(&self, _: Picture, edit: &mut Edit) -> Result<(), Failure> {
        edit.sample_rate = Some(self.sample_rate);
        edit.channels = self.n_audio_channels;
        Ok(())
    }
}
