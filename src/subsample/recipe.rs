//! What a job asks of the worker, for every sample alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Encoding, Needs, Passes, Work, registry};
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
    pub encoding: Encoding,
}

/// The members to make: their extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    pub video: Option<String>,
    /// The same extension as the video's: the sound stays in the video's file.
    pub audio: Option<String>,
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
}

impl Formats {
    /// From `job.encode_formats`.
    pub fn new(formats: &BTreeMap<String, String>) -> Self {
        let get = |modality: &str| formats.get(modality).cloned();
        Self { video: get("video"), audio: get("audio"), optical_flow: get("optical_flow") }
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

    /// The JSON fields that the steps make.
    pub fn fields(&self) -> Vec<Column> {
        let field = |name: &str| Column { name: name.into(), kind: ColumnKind::Json };
        let steps = self.steps.iter().flat_map(|step| registry::fields(&step.name, &step.args));
        let dropped = Column { name: "clips_dropped".into(), kind: ColumnKind::Integer };
        let clips = self.clips.map(|_| [field("clips"), dropped]).into_iter().flatten();
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
