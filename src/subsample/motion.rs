//! How much moves in a video, as the fields `motion` and `motion_max`: cheap, to filter by before anything dear.

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
    /// Pictures a second that are compared, whatever the video's frame rate.
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
        ["motion", "motion_max"].map(|name| Column { name: name.into(), kind: ColumnKind::Float }).to_vec()
    }

    fn problems(&self) -> Vec<Problem> {
        if (0.1..=1000.0).contains(&self.fps) {
            return Vec::new();
        }
        vec![Problem::new("args.fps", "is no rate to look at pictures", "give 0.1 to 1000 a second")]
    }

    #[cfg(feature = "media")]
    fn watcher(&self, _: &VideoInfo) -> Result<Option<Box<dyn Watcher>>, Failure> {
        Ok(Some(Box::new(super::watchers::Motion::new(self.fps))))
    }
}
