//! The planner: what of a sample is read, decoded and encoded, and how often.

use std::fmt;

use super::cut_detection::{self, Detector, Mode};
use super::{ClipSource, Cut, Needs, Recipe};

/// Decoded pictures that are kept until it is known whether a scene begins with them, at most.
const MAX_BEHIND: usize = 8;

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
    /// The decode that finds the cuts also makes the clips: each is encoded while its scene goes by.
    pub cuts_at_once: bool,
    pub video: Work,
    /// Of a video that is encoded, whole groups of pictures are copied where they can be.
    pub smart: bool,
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
            (Some(_), false, Cut::Encode | Cut::Smart) if clips => Work::Encode,
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
        let waits = needs.decides || (needs.trims && clips) || (recipe.clips == Some(ClipSource::Cuts) && finds_cuts);
        let smart = video == Work::Encode && clips && cut == Cut::Smart && !needs.encode;
        // What is copied of a smart clip hangs on where it ends.
        let encodes = video == Work::Encode && !smart;
        Self {
            keeps_media,
            probes: needs.headers,
            indexes: needs.packets || clips,
            watches: needs.all_frames,
            watches_first: needs.all_frames && waits,
            cuts_at_once: needs.all_frames && waits && encodes && cuts_can_be_used_at_once(recipe, needs),
            video,
            smart,
            audio,
            images: needs.images,
            flow: needs.flow,
            clips,
        }
    }

    /// How often a video is decoded, if not every frame of it.
    pub fn decodes(&self) -> u32 {
        let for_outputs = self.video == Work::Encode || self.images || self.flow;
        u32::from(self.watches || for_outputs) + u32::from(self.watches_first && for_outputs && !self.cuts_at_once)
    }
}

/// Whether what becomes of a scene hangs on nothing that is seen after it, and only on cuts that are found in this job.
fn cuts_can_be_used_at_once(recipe: &Recipe, needs: Needs) -> bool {
    let step = |name: &str| recipe.steps.iter().find(|step| step.name == name);
    let settings = step("CutDetectionSubsampler")
        .and_then(|step| serde_json::from_value::<cut_detection::Settings>(step.args.clone()).ok());
    let is_soon = settings.is_some_and(|settings| {
        let window = if settings.detector == Detector::Adaptive { settings.window_width } else { 0 };
        settings.cut_detection_mode == Mode::All && window <= MAX_BEHIND
    });
    // A filter may look at the clip as a whole: what it drops would be encoded in vain.
    is_soon
        && recipe.clips == Some(ClipSource::Cuts)
        && !needs.decides
        && !needs.trims
        && !needs.images
        && !needs.flow
        && step("FilterSubsampler").is_none()
}

impl fmt::Display for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.clips { "clip" } else { "video" };
        let mut parts = vec![match self.decodes() {
            0 if self.indexes => "packets read, no decode".to_owned(),
            0 if self.probes => "headers read, no decode".to_owned(),
            0 => "no decode".to_owned(),
            1 if self.smart && !self.watches && !self.images => "1 decode of the clips' edges".to_owned(),
            1 => "1 decode".to_owned(),
            n => format!("{n} decodes (what to encode depends on the whole video)"),
        }];
        parts.push(match self.video {
            Work::Encode if self.smart => {
                "copies whole groups of pictures and encodes the edges per clip (H.264; else all of it)".to_owned()
            }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::subsample::{Formats, Step};

    fn passes(cuts: Value, others: &[(&str, Value)]) -> Passes {
        let step = |name: &str, args: &Value| Step { name: name.into(), args: args.clone() };
        let cuts = [("CutDetectionSubsampler", cuts)];
        let is_given = others.iter().any(|(name, _)| *name == "ClippingSubsampler");
        let clips = [("ClippingSubsampler", json!({"precision": "exact"}))];
        let others = clips.iter().filter(|_| !is_given).chain(others);
        Passes::of(&Recipe {
            formats: Formats { video: Some("mp4".into()), ..Formats::default() },
            steps: cuts.iter().chain(others).map(|(name, args)| step(name, args)).collect(),
            clips: Some(ClipSource::Cuts),
            ..Recipe::default()
        })
    }

    #[test]
    fn what_trims_clips_needs_no_decode_of_its_own_without_clips() {
        let step = |name: &str, args| Step { name: name.into(), args };
        let steps = vec![
            step("BlackStaticSubsampler", json!({"trim_clips": true})),
            step("ResolutionSubsampler", json!({"video_size": 64, "resize_mode": "scale"})),
        ];
        let formats = Formats { video: Some("mp4".into()), ..Formats::default() };
        let mut recipe = Recipe { formats, steps, ..Recipe::default() };
        assert_eq!(Passes::of(&recipe).decodes(), 1);
        recipe.clips = Some(ClipSource::Column);
        assert_eq!(Passes::of(&recipe).decodes(), 2);
    }

    #[test]
    fn cuts_are_used_at_once_where_nothing_later_matters() {
        for cuts in [json!({}), json!({"detector": "adaptive"}), json!({"detector": "hash", "framerates": [1]})] {
            assert_eq!(passes(cuts.clone(), &[]).decodes(), 1, "{cuts}");
        }
        assert_eq!(passes(json!({}), &[("MotionSubsampler", json!({}))]).decodes(), 1);
        for cuts in [json!({"cut_detection_mode": "longest"}), json!({"detector": "adaptive", "window_width": 9})] {
            assert_eq!(passes(cuts.clone(), &[]).decodes(), 2, "{cuts}");
        }
        for other in [
            ("BlackStaticSubsampler", json!({"trim_clips": true})),
            ("FilterSubsampler", json!({"expression": "duration > 3"})),
            ("FrameSubsampler", json!({"downsample_method": "first_frame"})),
            ("ClippingSubsampler", json!({"precision": "smart"})),
        ] {
            assert_eq!(passes(json!({}), std::slice::from_ref(&other)).decodes(), 2, "{}", other.0);
        }
    }
}
