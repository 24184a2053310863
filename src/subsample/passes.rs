//! The planner: what of a sample is read, decoded and encoded, and how often.

use std::fmt;

use super::{ClipSource, Cut, Recipe};

/// The passes over each sample's media. The worker does what stands here; `clipmill plan` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passes {
    /// The media itself goes out as it came in.
    pub keeps_media: bool,
    pub probes: bool,
    /// What the packets are read for, apart from decoding.
    pub indexes: bool,
    /// All frames are decoded for what watches them.
    pub watches: bool,
    /// The watching comes first, in a decode of its own: what becomes of the sample depends on what it finds.
    pub watches_first: bool,
    pub video: Work,
    pub audio: Work,
    /// Frames become pictures of their own.
    pub images: bool,
    /// The flow between frames is computed.
    pub flow: bool,
    /// The sample becomes clips.
    pub clips: bool,
}

/// What is done with a stream to get it into an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It is in no output that is made here.
    None,
    Copy,
    Encode,
}

impl Passes {
    /// The passes for a recipe.
    pub fn of(recipe: &Recipe) -> Self {
        let needs = recipe.needs();
        let clips = recipe.clips.is_some();
        let cut = needs.clips.unwrap_or(Cut::Copy);
        let video = match (&recipe.formats.video, needs.encode, cut) {
            (None, ..) => Work::None,
            (Some(_), true, _) => Work::Encode,
            (Some(_), false, Cut::Encode) if clips => Work::Encode,
            _ if clips => Work::Copy,
            // The sound of the video's own file changes, so a new file is made.
            _ if needs.resample && recipe.formats.separate_audio().is_none() => Work::Copy,
            _ => Work::None,
        };
        let audio = match (&recipe.formats.audio, recipe.formats.separate_audio()) {
            _ if needs.resample && (recipe.formats.audio.is_some() || video != Work::None) => Work::Encode,
            (_, Some(_)) => Work::Copy,
            _ if video == Work::None => Work::None,
            _ => Work::Copy,
        };
        let keeps_media = recipe.formats.video.is_some() && video == Work::None;
        let finds_cuts = recipe.steps.iter().any(|step| step.name == "CutDetectionSubsampler");
        let waits = needs.decides || (recipe.clips == Some(ClipSource::Cuts) && finds_cuts);
        Self {
            keeps_media,
            probes: needs.headers,
            indexes: needs.packets || clips,
            watches: needs.all_frames,
            watches_first: needs.all_frames && waits,
            video,
            audio,
            images: needs.images,
            flow: needs.flow,
            clips,
        }
    }

    /// How often a video is decoded, if not every frame of it.
    pub fn decodes(&self) -> u32 {
        let for_outputs = self.video == Work::Encode || self.images || self.flow;
        u32::from(self.watches || for_outputs) + u32::from(self.watches_first && for_outputs)
    }
}

impl fmt::Display for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.clips { "clip" } else { "video" };
        let mut parts = vec![match self.decodes() {
            0 if self.indexes => "packets read, no decode".to_owned(),
            0 if self.probes => "headers read, no decode".to_owned(),
            0 => "no decode".to_owned(),
            1 => "1 decode".to_owned(),
            n => format!("{n} decodes (what to encode depends on the whole video)"),
        }];
        parts.push(match self.video {
            Work::Encode => format!("1 encode per {unit}"),
            Work::Copy => format!("video copied per {unit}"),
            Work::None if self.keeps_media => "media kept as it is".to_owned(),
            Work::None => "no video".to_owned(),
        });
        match self.audio {
            Work::Copy => parts.push("audio copied".to_owned()),
            Work::Encode => parts.push("audio encoded".to_owned()),
            Work::None => {}
        }
        if self.images {
            parts.push("frames as pictures".to_owned());
        }
        if self.flow {
            parts.push(format!("optical flow per {unit}"));
        }
        f.write_str(&parts.join(", "))
    }
}
