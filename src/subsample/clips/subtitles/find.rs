//! Where a sample's subtitles stand.

use serde_json::{Map, Value};

use super::read::{lines, read};
use super::{Cue, Subtitles, Track};
use crate::subsample::clips::parse;
use crate::subsample::clips::parse::time;

type Fields = Map<String, Value>;

/// The field that a table's column or a member beside the media brings: see [`read`] for its shapes.
pub const FIELD: &str = "subtitles";

/// The field of a clip that says what is said in it.
pub const WITHIN: &str = "clip_subtitles";

/// The field that counts lines that could not be used. Where it stands, this tool has made [`WITHIN`].
pub const DROPPED: &str = "subtitles_dropped";

/// A sample's subtitles, in times of its own media; none where it has none. The first of these that is there:
///
/// 1. `clip_subtitles`: the sample is a clip, and what it has of the whole video's subtitles is not meant for it.
/// 2. `yt_meta_dict.subtitles`, as video2dataset stores it. What a site brings with the media enters here: the rank
///    puts it there (`job::sites`), and all else follows.
/// 3. `subtitles`: a column of the table; or the `.vtt` members beside the media, which the rank puts there.
pub fn find(meta: &Fields) -> Option<Subtitles> {
    if let Some(within) = clip(meta) {
        return Some(of_clip(within, meta));
    }
    let stored = [of_site(meta), meta.get(FIELD)].into_iter().flatten().map(read);
    let mut unusable = None;
    for found in stored {
        if !found.tracks.is_empty() {
            return Some(found);
        }
        if found.problem.is_some() {
            unusable.get_or_insert(found);
        }
    }
    unusable
}

/// Whether `.vtt` members beside the media matter, so that they have to be read.
pub fn asks_for_members(meta: &Fields) -> bool {
    clip(meta).is_none() && meta.get(FIELD).is_none_or(Value::is_null)
}

fn clip(meta: &Fields) -> Option<&Vec<Value>> {
    meta.get(WITHIN).and_then(Value::as_array)
}

fn of_site(meta: &Fields) -> Option<&Value> {
    meta.get("yt_meta_dict").and_then(|site| site.get(FIELD))
}

/// What an earlier job wrote: lines of several languages share their times. They are clean already, and rolled.
fn of_clip(within: &[Value], meta: &Fields) -> Subtitles {
    // video2dataset's times are those of the whole video.
    let zero = if meta.contains_key(DROPPED) { 0.0 } else { start_of_clip(meta) };
    let mut found = Subtitles::default();
    for entry in within {
        let field = |name: &str| entry.get(name).unwrap_or(&Value::Null);
        let span = time(field("start")).and_then(|start| Ok(((start - zero).max(0.0), time(field("end"))? - zero)));
        let (Ok((start, end)), Some(languages)) = (span, field("lines").as_object()) else {
            found.drop_for(|| "an entry of clip_subtitles is no {start, end, lines}".to_owned());
            continue;
        };
        for (language, said) in languages {
            match lines(said) {
                Ok(lines) if start < end && !lines.is_empty() => add(&mut found, language, Cue { start, end, lines }),
                _ => found.drop_for(|| "an entry of clip_subtitles has no text or no length".to_owned()),
            }
        }
    }
    found
}

fn add(found: &mut Subtitles, language: &str, cue: Cue) {
    match found.tracks.iter_mut().find(|track| track.language == language) {
        Some(track) => track.cues.push(cue),
        None => found.tracks.push(Track { language: language.to_owned(), cues: vec![cue] }),
    }
}

fn start_of_clip(meta: &Fields) -> f64 {
    let clips = meta.get("clips").and_then(|clips| parse(clips).ok());
    clips.and_then(|clips| clips.spans.first().map(|span| span.0)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(meta: Value) -> Option<Vec<(f64, f64, String)>> {
        let found = find(meta.as_object().unwrap())?;
        Some(found.first().iter().map(|cue| (cue.start, cue.end, cue.text())).collect())
    }

    fn list(text: &str) -> Value {
        json!([{"start": 1, "end": 2, "lines": [text]}])
    }

    #[test]
    fn the_clips_own_come_first() {
        let within = json!([{"start": "00:00:01.000", "end": "00:00:02.000", "lines": {"en": ["own"]}}]);
        let site = json!({"subtitles": {"en": list("site")}});
        let one = |text: &str| Some(vec![(1.0, 2.0, text.to_owned())]);
        let all = json!({"clip_subtitles": within, "subtitles_dropped": 0, "yt_meta_dict": site, "subtitles": list("column")});
        assert_eq!(texts(all), one("own"));
        assert_eq!(texts(json!({"yt_meta_dict": site, "subtitles": list("column")})), one("site"));
        assert_eq!(texts(json!({"yt_meta_dict": {}, "subtitles": list("column")})), one("column"));
        assert_eq!(
            texts(json!({"yt_meta_dict": {"subtitles": "rubbish"}, "subtitles": list("column")})),
            one("column")
        );
        assert_eq!(texts(json!({"yt_meta_dict": null, "subtitles": null})), None);
        assert_eq!(texts(json!({"clip_subtitles": [], "yt_meta_dict": site})), Some(vec![]), "nothing is said in it");
        assert_eq!(texts(json!({"clip_subtitles": null, "yt_meta_dict": site})), one("site"));
        assert_eq!(texts(json!({"yt_meta_dict": {"subtitles": list("old")}})), one("old"));
    }

    #[test]
    fn video2datasets_clips_have_times_of_the_whole_video() {
        let within = json!([{"start": "00:00:11.000", "end": "00:00:12.500", "lines": {"en": ["a"], "de": ["b"]}}]);
        let found = texts(json!({"clip_subtitles": within, "clips": [["00:00:10.500", "00:00:12.500"]]}));
        assert_eq!(found, Some(vec![(0.5, 2.0, "a".into())]));
        let bad = json!({"clip_subtitles": [7, {"start": 2, "end": 1, "lines": {"en": ["x"]}}]});
        assert_eq!(find(bad.as_object().unwrap()).unwrap().dropped, 2);
    }

    #[test]
    fn members_are_read_where_they_matter() {
        let asks = |meta: Value| asks_for_members(meta.as_object().unwrap());
        assert!(asks(json!({"yt_meta_dict": {"subtitles": "rubbish"}, "subtitles": null})));
        assert!(!asks(json!({"clip_subtitles": []})));
        assert!(!asks(json!({"subtitles": ""})));
    }
}
