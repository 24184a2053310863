//! What `ffprobe` tells of the media, as the field `video_metadata`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
#[cfg(feature = "media")]
use serde_json::{Map, Value};

use super::{Needs, Subsampler};
use crate::sample::{Column, ColumnKind};
#[cfg(feature = "media")]
use crate::{media::Media, sample::Failure};

/// Settings of `FFProbeSubsampler`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Also list the times of the keyframes (s), and the container's duration as the last.
    pub extract_keyframes: bool,
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.headers = true;
        needs.packets |= self.extract_keyframes;
    }

    fn fields(&self) -> Vec<Column> {
        vec![Column { name: "video_metadata".into(), kind: ColumnKind::Json }]
    }

    #[cfg(feature = "media")]
    fn probe(&self, media: &mut Media, meta: &mut Map<String, Value>) -> Result<(), Failure> {
        meta.insert("video_metadata".into(), media.probe(self.extract_keyframes)?);
        Ok(())
    }
}
