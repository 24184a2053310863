//! What a job asks of the worker, for every sample alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clips::subtitles;
use super::{Encoding, Needs, Passes, Work, optical_flow, registry};
use crate::sample::{Column, ColumnKind};

/// All that a worker has to know of the job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub formats: Formats,
    /// In the order of their turns.
    pub steps: Vec<Step>,
    /// Where the spans of the clips come from; none: the sample stays whole.
    pub clips: Option<ClipSource>,
    /// The field that holds the spans, for [`ClipSource::Column`]; none: `clips`.
    pub clip_field: Option<String>,
    /// What a clip's or a picture's subtitle says is its caption.
    #[serde(default)]
    pub captions_are_subtitles: bool,
    pub encoding: Encoding,
}

/// The members to make: their extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    pub video: Option<String>,
    /// The same extension as the video's: the sound stays in the video's file.
    pub audio: Option<String>,
    /// The sample has its sound as a member of its own already, which is made anew from that: not from the video.
    #[serde(default)]
    pub sound_apart: bool,
    /// The flow between the video's frames.
    #[serde(default)]
    pub optical_flow: Option<String>,
}

/// One subsampler with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub args: Value,
}

/// Where the spans of the clips come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipSource {
    /// A field of the sample.
    Column,
    /// The cuts: found in this job, or stored by an earlier one.
    Cuts,
    /// The lines of the sample's subtitles.
    Subtitles,
    /// The lines, too; each becomes a picture instead of a clip.
    SubtitleFrames,
    /// The spans of another member's clips, in the field [`SPANS`]: for sound that lies beside a video.
    Given,
}

/// Where [`ClipSource::Given`] finds its spans: one an output, seconds from the media's start; null: none is wanted. Not a
/// name that a column of a table has.
pub const SPANS: &str = "clipmill:spans";
/// Where an output that is a clip says what it holds, in the same terms. It crosses from worker to rank and no further.
pub const SPAN: &str = "clipmill:span";

impl Formats {
    /// From `job.encode_formats`.
    pub fn new(formats: &BTreeMap<String, String>) -> Self {
        let get = |modality: &str| formats.get(modality).cloned();
        let (video, audio) = (get("video"), get("audio"));
        Self { video, audio, optical_flow: get("optical_flow"), sound_apart: false }
    }

    /// The extension of a member for the sound alone.
    pub fn separate_audio(&self) -> Option<&str> {
        self.audio.as_deref().filter(|audio| self.video.as_deref() != Some(audio))
    }
}

impl Recipe {
    /// The steps of `subsampling`, as a config holds it: those with `args`, in the order of their turns.
    pub fn steps(subsampling: &BTreeMap<String, Value>) -> Vec<Step> {
        let step = |name: &&str| {
            let args = subsampling.get(*name)?.get("args").filter(|args| !args.is_null())?;
            Some(Step { name: (*name).to_owned(), args: args.clone() })
        };
        registry::NAMES.iter().filter_map(step).collect()
    }

    /// What all steps need.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for step in &self.steps {
            registry::needs(&step.name, &step.args, &mut needs);
        }
        needs
    }

    /// Whether flow is computed by a method that GPUs have kernels for.
    pub fn has_flow_for_gpus(&self) -> bool {
        let is_one =
            |step: &Step| step.name == optical_flow::old::NAME && optical_flow::old::has_gpu_kernels(&step.args);
        self.steps.iter().any(is_one)
    }

    /// The JSON fields that the steps make.
    pub fn fields(&self) -> Vec<Column> {
        let field = |name: &str| Column { name: name.into(), kind: ColumnKind::Json };
        let steps = self.steps.iter().flat_map(|step| registry::fields(&step.name, &step.args));
        let dropped = Column { name: "clips_dropped".into(), kind: ColumnKind::Integer };
        let caption = Column { name: "caption".into(), kind: ColumnKind::String };
        let lines = Column { name: subtitles::DROPPED.into(), kind: ColumnKind::Integer };
        let clips = match self.clips {
            None => Vec::new(),
            Some(ClipSource::SubtitleFrames) => {
                let text = |name: &str| Column { name: name.into(), kind: ColumnKind::String };
                vec![text("frame_time"), text("frame_subtitle"), dropped, lines]
            }
            Some(_) => vec![field("clips"), dropped, field(subtitles::WITHIN), lines],
        };
        let clips = clips.into_iter().chain(self.captions_are_subtitles.then_some(caption));
        // Whatever is made of a video says what it is.
        let clip = (Passes::of(self).video != Work::None).then(|| field("clip"));
        steps.chain(clips).chain(clip).collect()
    }

    /// Whether samples go out as they came in, so that no worker has to look at them.
    pub fn is_idle(&self) -> bool {
        let steps = self.steps.iter().all(|step| step.name == "NoOpSubsampler");
        steps && self.clips.is_none() && self.formats.separate_audio().is_none()
    }
}
