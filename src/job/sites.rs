//! What comes of a site beside the media, as samples hold it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::fetch::{Languages, SiteMeta, Wish};
use crate::sample::{Container, Payload};
use crate::sink::{Member, OutputSample};
use crate::subsample::clips::Style;
use crate::subsample::clips::subtitles::{self, Cue, PROBLEM};
use crate::subsample::{ClipSource, Recipe};

/// The sound of a sample as a file of its own.
pub(super) type Sound = (Container, Payload);

/// What this job makes of a site's video.
pub(super) fn wish(config: &Config, recipe: &Recipe) -> Wish {
    let formats = &config.job.encode_formats;
    let sound = formats.get("audio").is_some_and(|audio| formats.get("video") != Some(audio));
    let sound_alone = sound && formats.len() == 1;
    // Steps may need pictures that are not kept.
    let pictures = recipe.clips.is_some() || recipe.steps.iter().any(|step| step.name != "AudioRateSubsampler");
    Wish {
        video: !sound_alone || pictures,
        sound,
        subtitles: matches!(recipe.clips, Some(ClipSource::Subtitles | ClipSource::SubtitleFrames)),
    }
}

/// Writes `yt_meta_dict` as video2dataset has it: `{info, subtitles}`, and returns the sound, where it came apart.
pub(super) fn describe(sample: &mut OutputSample, site: SiteMeta) -> Option<Sound> {
    let mut meta = Map::new();
    meta.insert("info".into(), site.info.map_or(Value::Null, Value::Object));
    let languages =
        |languages: Languages| languages.into_iter().map(|(language, text)| (language, read(text))).collect();
    meta.insert("subtitles".into(), site.subtitles.map(languages).map_or(Value::Null, Value::Object));
    if meta.values().any(|value| !value.is_null()) {
        sample.meta.insert("yt_meta_dict".into(), Value::Object(meta));
    }
    site.sound
}

/// One language: `[{start, end, lines}]`, or what is wrong with it.
fn read(text: Result<String, String>) -> Value {
    let problem = |what: &str| json!({ PROBLEM: what });
    let text = match text {
        Ok(text) => text,
        Err(what) => return problem(&what),
    };
    let found = subtitles::read(&Value::String(text));
    let clock = |seconds| Style::Clock.write(seconds);
    let line = |cue: &Cue| json!({"start": clock(cue.start), "end": clock(cue.end), "lines": cue.lines});
    match found.problem.filter(|_| found.tracks.is_empty()) {
        Some(what) => problem(&what),
        None => found.tracks.iter().flat_map(|track| &track.cues).map(line).collect(),
    }
}

/// The members of a sample whose sound came apart, as an earlier job would have stored them: called by what they are, so
/// that whatever is to be something else is made it.
#[cfg(feature = "media")]
pub(super) fn stored(media: Payload, (container, sound): Sound) -> Vec<Member> {
    let extension = match container {
        Container::Ogg | Container::Webm | Container::Matroska => "opus",
        Container::Mp3 => "mp3",
        Container::Wav => "wav",
        Container::Flac => "flac",
        Container::Aac => "aac",
        _ => "m4a",
    };
    let member = |extension: &str, payload| Member { extension: extension.to_owned(), payload };
    vec![member("mp4", media), member(extension, sound)]
}

/// The members where no worker makes them: called as the config says.
pub(super) fn as_they_came(formats: &BTreeMap<String, String>, media: Payload, (_, sound): Sound) -> Vec<Member> {
    let extension = |modality: &str, usual: &str| formats.get(modality).cloned().unwrap_or_else(|| usual.to_owned());
    let member = |extension, payload| Member { extension, payload };
    vec![member(extension("video", "mp4"), media), member(extension("audio", "m4a"), sound)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtitles_are_stored_as_video2dataset_stores_them() {
        let stored = read(Ok("WEBVTT\n\n00:01.000 --> 00:02.500\n<b>one</b>\ntwo\n".into()));
        assert_eq!(stored, json!([{"start": "00:00:01.000", "end": "00:00:02.500", "lines": ["one", "two"]}]));
        assert_eq!(read(Ok("WEBVTT\n".into())), json!([]));
        assert_eq!(read(Err("gone".into())), json!({"problem": "gone"}));
        assert!(read(Ok("<html>".into())).get(PROBLEM).is_some());
    }

    #[test]
    fn the_modalities_decide_what_is_fetched() {
        let of = |formats: &[(&str, &str)]| {
            let mut config = Config::default();
            config.job.encode_formats = formats.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            let wish = wish(&config, &crate::job::start::recipe(&config));
            (wish.video, wish.sound)
        };
        assert_eq!(of(&[("video", "mp4")]), (true, false));
        assert_eq!(of(&[("video", "mp4"), ("audio", "m4a")]), (true, true));
        assert_eq!(of(&[("video", "mp4"), ("audio", "mp4")]), (true, false));
        assert_eq!(of(&[("audio", "m4a")]), (false, true));
        assert_eq!(of(&[("optical_flow", "npy")]), (true, false));
        assert_eq!(of(&[]), (true, false));
    }
}
