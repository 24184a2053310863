//! What a config asks of subtitles.

use serde_json::Value as Json;

use super::validate::Found;
use super::{Config, InputFormat};
use crate::subsample::clips::subtitles::{DROPPED, FIELD, WITHIN};
use crate::subsample::{Recipe, frame};

const CAPTIONS: &str = "storage.captions_are_subtitles";
const METHOD: &str = "subsampling.FrameSubsampler.args.downsample_method";

impl Config {
    /// Whether each line of the subtitles becomes a picture.
    pub fn takes_frames_at_subtitles(&self) -> bool {
        let steps = Recipe::steps(&self.subsampling);
        let settings = steps.into_iter().filter(|step| step.name == "FrameSubsampler");
        let mut settings = settings.filter_map(|step| serde_json::from_value::<frame::Settings>(step.args).ok());
        settings.any(|settings| settings.is_at_subtitles())
    }

    /// Whether samples may come with subtitles: those of sites do.
    fn sites_bring_subtitles(&self) -> bool {
        let sites = &self.reading.yt_args;
        sites.program.is_some() && sites.yt_metadata_args.is_some()
    }

    /// Whether scenes become clips.
    pub(super) fn cuts_are_clips(&self) -> bool {
        let cuts = self.subsampling.get("CutDetectionSubsampler").and_then(|cuts| cuts.get("cuts_are_clips"));
        cuts.and_then(Json::as_bool) == Some(true)
    }
}

pub(super) fn check(config: &Config, found: &mut Found) {
    let frames = config.takes_frames_at_subtitles();
    let captions = config.storage.captions_are_subtitles;
    if frames {
        pictures(config, found);
    } else if captions {
        clips(config, found);
    }
    if !frames && !captions {
        return;
    }
    let key = if captions { CAPTIONS } else { METHOD };
    if captions && config.job.caption_col.is_some() {
        let help = "leave job.caption_col out; `job.save_additional_columns` keeps its column";
        found.add_both(CAPTIONS, "job.caption_col", "the captions are the subtitles, or a column, not both", help);
    }
    if cfg!(not(feature = "media")) {
        found.add(key, "this build has no media rooms", "build with the feature `media`");
    }
    let columns = &config.job.save_additional_columns;
    // Else every sample would fail, after all of them were fetched.
    if !config.sites_bring_subtitles()
        && config.job.input_format != InputFormat::Webdataset
        && !columns.iter().any(|column| column == FIELD)
    {
        let help = format!(
            "sites bring subtitles where reading.yt_args asks for them (program, yt_metadata_args); else a table has to \
             have a column `{FIELD}` (WebVTT or JSON), named in job.save_additional_columns; tars bring \
             subtitles along in `yt_meta_dict` or as `.vtt` members"
        );
        found.add(key, "no sample of this job can have subtitles", help);
    }
}

/// Spans can come from one place only.
fn clips(config: &Config, found: &mut Found) {
    let help = "leave one of them out";
    if config.job.clip_col.is_some() {
        found.add_both(CAPTIONS, "job.clip_col", "clips come from the subtitles or from a column, not from both", help);
    }
    if config.cuts_are_clips() {
        let other = "subsampling.CutDetectionSubsampler.cuts_are_clips";
        found.add_both(CAPTIONS, other, "clips come from the subtitles or from the cuts, not from both", help);
    }
}

/// A sample becomes pictures or clips.
fn pictures(config: &Config, found: &mut Found) {
    let is_on = |name: &str| Recipe::steps(&config.subsampling).iter().any(|step| step.name == name);
    let others = [
        ("job.clip_col", config.job.clip_col.is_some()),
        ("subsampling.CutDetectionSubsampler.cuts_are_clips", config.cuts_are_clips()),
        ("subsampling.ClippingSubsampler", is_on("ClippingSubsampler")),
    ];
    for (other, _) in others.into_iter().filter(|(_, is_given)| *is_given) {
        let help = "make the clips in a job of their own; this one over its shards takes the pictures of each clip";
        found.add_both(METHOD, other, "a job makes clips, or pictures of the subtitles' lines, not both", help);
    }
}

/// The fields that clips and pictures bring: no column can be called so.
pub(super) fn fields(config: &Config) -> &'static [&'static str] {
    let clips = config.job.clip_col.is_some() || config.cuts_are_clips() || config.storage.captions_are_subtitles;
    match (config.takes_frames_at_subtitles(), clips) {
        (true, _) => &["frame_time", "frame_subtitle", DROPPED, "clips_dropped"],
        (false, true) => &[WITHIN, DROPPED, "clips_dropped"],
        (false, false) => &[],
    }
}
