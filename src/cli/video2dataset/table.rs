//! video2dataset's flags, and where their values go.

use super::flags::FlagError;
use crate::config::nearest;

/// How the value of a flag is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it stands; `None` is null, quotes around it go.
    Text,
    /// A Python literal.
    Literal,
    /// True or false; the flag alone is true, `--noflag` is false.
    Bool,
}

/// What becomes of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Sets this key of the config.
    Key(&'static str, Kind),
    /// The config itself.
    Config,
    /// clipmill's own: any key.
    Override,
    /// clipmill's own: print and end.
    DryRun,
    /// Was a flag before video2dataset had config files, and has no single key today.
    Moved(&'static str),
}

use Kind::{Bool, Literal, Text};
use Meaning::{Config, DryRun, Key, Moved, Override};

const RESOLUTION: &str = "`ResolutionSubsampler: {args: {…}}` in the config";
const CLIPPING: &str = "`ClippingSubsampler: {args: {…}}` in the config";
const CUTS: &str = "`CutDetectionSubsampler: {args: {…}}` in the config";
const FRAMES: &str = "`FrameSubsampler: {args: {frame_rate: …}}` in the config";
const SOUND: &str = "`AudioRateSubsampler: {args: {sample_rate: …}}` in the config";
const FLOW: &str = "`OpticalFlowSubsampler: {args: {…}}` in the config";

/// Name to meaning: first those of version 1.3, then those of the versions before, which had no config files.
const FLAGS: [(&str, Meaning); 46] = [
    ("url_list", Key("url_list", Text)),
    ("output_folder", Key("output_folder", Text)),
    ("output_format", Key("output_format", Text)),
    ("input_format", Key("input_format", Text)),
    ("encode_formats", Key("encode_formats", Literal)),
    ("stage", Key("stage", Text)),
    ("url_col", Key("url_col", Text)),
    ("caption_col", Key("caption_col", Text)),
    ("clip_col", Key("clip_col", Text)),
    ("save_additional_columns", Key("save_additional_columns", Literal)),
    ("enable_wandb", Key("enable_wandb", Bool)),
    ("wandb_project", Key("wandb_project", Text)),
    ("incremental_mode", Key("incremental_mode", Text)),
    ("max_shard_retry", Key("max_shard_retry", Literal)),
    ("tmp_dir", Key("tmp_dir", Text)),
    ("config", Config),
    ("override", Override),
    ("dry_run", DryRun),
    ("number_sample_per_shard", Key("storage.number_sample_per_shard", Literal)),
    ("oom_shard_count", Key("storage.oom_shard_count", Literal)),
    ("captions_are_subtitles", Key("storage.captions_are_subtitles", Bool)),
    ("processes_count", Key("distribution.processes_count", Literal)),
    ("thread_count", Key("distribution.thread_count", Literal)),
    ("subjob_size", Key("distribution.subjob_size", Literal)),
    ("distributor", Key("distribution.distributor", Text)),
    ("timeout", Key("reading.timeout", Literal)),
    ("download_size", Key("reading.yt_args.download_size", Literal)),
    ("download_audio_rate", Key("reading.yt_args.download_audio_rate", Literal)),
    ("yt_metadata_args", Key("reading.yt_args.yt_metadata_args", Literal)),
    ("yt_args", Key("reading.yt_args", Literal)),
    ("video_height", Moved(RESOLUTION)),
    ("video_width", Moved(RESOLUTION)),
    ("video_size", Moved(RESOLUTION)),
    ("resize_mode", Moved(RESOLUTION)),
    ("video_fps", Moved(FRAMES)),
    ("take_every_nth", Moved(FRAMES)),
    ("min_clip_length", Moved(CLIPPING)),
    ("max_clip_length", Moved(CLIPPING)),
    ("max_clip_length_strategy", Moved(CLIPPING)),
    ("precise_clipping", Moved(CLIPPING)),
    ("detect_cuts", Moved(CUTS)),
    ("cut_detection_mode", Moved(CUTS)),
    ("cut_framerates", Moved(CUTS)),
    ("cuts_are_clips", Moved(CUTS)),
    ("audio_rate", Moved(SOUND)),
    ("optical_flow_params", Moved(FLOW)),
];

/// The names of all flags that set something.
pub fn names() -> Vec<&'static str> {
    FLAGS.iter().filter(|(_, meaning)| !matches!(meaning, Moved(_))).map(|(name, _)| *name).collect()
}

/// The flag of this name, with `-` for `_`, and `no` before the name of a truth value: its name, its meaning, and
/// whether it is denied.
pub fn find(given: &str) -> Result<(&'static str, Meaning, bool), FlagError> {
    let name = given.replace('-', "_");
    let known = |name: &str| FLAGS.iter().find(|(known, _)| *known == name).copied();
    if let Some((name, meaning)) = known(&name) {
        return Ok((name, meaning, false));
    }
    let denied = name.strip_prefix("no").and_then(|name| known(name.trim_start_matches('_')));
    if let Some((name, meaning @ Key(_, Bool))) = denied {
        return Ok((name, meaning, true));
    }
    let near = nearest(&name, FLAGS.iter().map(|(known, _)| *known));
    Err(FlagError::Unknown { flag: given.to_owned(), near })
}
