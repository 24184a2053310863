//! Subtitles: what was said when, as spans to clip by and as text beside a clip.

mod webvtt;

use serde_json::{Map, Value, json};

use super::parse::time;
use super::{Span, Spans, Style};
use crate::sample::{Failure, FailureClass};
pub use webvtt::read_webvtt;

/// Lines that are shown together, from second to second.
#[derive(Debug, Clone, PartialEq)]
pub struct Cue {
    pub start: f64,
    pub end: f64,
    pub lines: Vec<String>,
}

/// The cues of one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// As the site calls it: `en`.
    pub language: String,
    pub cues: Vec<Cue>,
}

impl Cue {
    /// Seconds that the cue and a span have in common; 0 or less: none.
    fn overlap(&self, (start, end): Span) -> f64 {
        self.end.min(end) - self.start.max(start)
    }
}

/// Reads `yt_meta_dict.subtitles`: for each language, a list of `{start, end, lines}` or the text of a WebVTT file.
/// Languages keep their order; those that have nothing are left out.
///
/// # Errors
/// `no_clips`: something else than that.
pub fn tracks(subtitles: &Value) -> Result<Vec<Track>, Failure> {
    let languages = match subtitles {
        Value::Null => return Ok(Vec::new()),
        Value::Object(languages) => languages,
        _ => return Err(unusable("they are no table of languages")),
    };
    let mut tracks = Vec::new();
    for (language, stored) in languages {
        let cues = match stored {
            Value::Null => continue,
            Value::String(text) => read_webvtt(text).map_err(|what| unusable(&format!("`{language}`: {what}")))?,
            Value::Array(list) => {
                list.iter().filter_map(|stored| cue(stored).transpose()).collect::<Result<_, Failure>>()?
            }
            _ => return Err(unusable(&format!("`{language}` is no list of {{start, end, lines}}"))),
        };
        if !cues.is_empty() {
            tracks.push(Track { language: language.clone(), cues });
        }
    }
    Ok(tracks)
}

fn unusable(what: &str) -> Failure {
    Failure::new(FailureClass::NoClips, format!("the subtitles cannot be used: {what}"))
}

/// A stored cue; none where its times make no sense, which is left out of a WebVTT file, too.
fn cue(stored: &Value) -> Result<Option<Cue>, Failure> {
    let field = |name: &str| stored.get(name).unwrap_or(&Value::Null);
    let time = |name: &str| time(field(name)).map_err(|what| unusable(&format!("the {name} of a cue: {what}")));
    let (start, end) = (time("start")?, time("end")?);
    let lines = match field("lines") {
        Value::String(line) => vec![line.clone()],
        Value::Array(lines) => lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect(),
        _ => return Err(unusable("a cue has no lines")),
    };
    Ok((start < end).then_some(Cue { start, end, lines }))
}

/// The spans of `captions_are_subtitles`: each cue of the first language is a clip.
///
/// # Errors
/// `no_clips`: there are no subtitles.
pub fn spans(tracks: &[Track]) -> Result<Spans, Failure> {
    let first = tracks.first().ok_or_else(|| unusable("there are none for this sample"))?;
    Ok(Spans { spans: first.cues.iter().map(|cue| (cue.start, cue.end)).collect(), style: Style::Clock })
}

/// The field `clip_subtitles`: what is said within a clip, `[{start, end, lines: {language: [line]}}]` by start, times
/// `HH:MM:SS.mmm` of the whole video.
///
/// Languages are brought together by time: a cue joins the one of an earlier language that it shares most with, if that
/// is at least half of the shorter of both; else it stands alone. (video2dataset joins them by number, and fails where
/// languages differ in the number of lines.)
pub fn clip_subtitles(tracks: &[Track], clip: Span) -> Value {
    let mut entries: Vec<(Cue, Map<String, Value>)> = Vec::new();
    for track in tracks {
        // Only earlier languages: two cues of one language never join.
        let known = entries.len();
        for cue in track.cues.iter().filter(|cue| cue.overlap(clip) > 0.0) {
            let span = (cue.start, cue.end);
            let best =
                entries.iter_mut().take(known).max_by(|(a, _), (b, _)| a.overlap(span).total_cmp(&b.overlap(span)));
            let shorter = |other: &Cue| (cue.end - cue.start).min(other.end - other.start);
            match best {
                Some((with, lines)) if with.overlap(span) >= shorter(with) / 2.0 => {
                    let said = lines.entry(track.language.clone()).or_insert_with(|| json!([]));
                    if let Some(said) = said.as_array_mut() {
                        said.extend(cue.lines.iter().cloned().map(Value::from));
                    }
                }
                _ => {
                    let lines = Map::from_iter([(track.language.clone(), json!(cue.lines))]);
                    entries.push((cue.clone(), lines));
                }
            }
        }
    }
    entries.sort_by(|(a, _), (b, _)| a.start.total_cmp(&b.start));
    let clock = |seconds: f64| Style::Clock.write(seconds);
    let entry = |(cue, lines): (Cue, Map<String, Value>)| json!({"start": clock(cue.start), "end": clock(cue.end), "lines": lines});
    entries.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Value {
        json!({
            "en": [
                {"start": "00:00:01.000", "end": "00:00:03.000", "lines": ["one"]},
                {"start": "00:00:03.000", "end": "00:00:05.000", "lines": ["two"]},
                {"start": "00:00:09.000", "end": "00:00:10.000", "lines": ["late"]},
            ],
            "de": [
                {"start": 1.1, "end": 2.0, "lines": ["ei"]},
                {"start": 2.0, "end": 2.9, "lines": ["ns"]},
                {"start": 3.2, "end": 5.5, "lines": "zwei"},
                {"start": 6, "end": 8, "lines": ["mehr"]},
            ],
            "fr": null,
        })
    }

    #[test]
    fn languages_are_joined_by_time() {
        let tracks = tracks(&stored()).unwrap();
        let all = clip_subtitles(&tracks, (0.0, 9.0));
        let lines: Vec<&Value> = all.as_array().unwrap().iter().map(|entry| &entry["lines"]).collect();
        assert_eq!(
            lines,
            [
                &json!({"en": ["one"], "de": ["ei", "ns"]}),
                &json!({"en": ["two"], "de": ["zwei"]}),
                &json!({"de": ["mehr"]})
            ]
        );
        assert_eq!(all[0]["start"], "00:00:01.000");
        assert_eq!(all[2]["end"], "00:00:08.000");
        // A cue that only touches the clip is not in it.
        assert_eq!(clip_subtitles(&tracks, (5.5, 6.0)), json!([]));
        assert_eq!(clip_subtitles(&tracks, (9.5, 20.0)).as_array().unwrap().len(), 1);
    }

    #[test]
    fn cues_of_one_language_stay_apart() {
        let line = |start: f64, text: &str| json!({"start": start, "end": 4.0, "lines": [text]});
        let tracks = tracks(&json!({"en": [line(1.0, "both"), line(1.5, "speak")]})).unwrap();
        assert_eq!(clip_subtitles(&tracks, (0.0, 9.0)).as_array().unwrap().len(), 2);
    }

    #[test]
    fn spans_are_the_cues_of_the_first_language() {
        let tracks = tracks(&stored()).unwrap();
        let spans = spans(&tracks).unwrap();
        assert_eq!(spans.spans, [(1.0, 3.0), (3.0, 5.0), (9.0, 10.0)]);
        assert_eq!(spans.style, Style::Clock);
    }

    #[test]
    fn raw_files_and_rubbish() {
        let raw = tracks(&json!({"en": "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n"})).unwrap();
        assert_eq!(raw[0].cues, [Cue { start: 1.0, end: 2.0, lines: vec!["hello".into()] }]);
        assert_eq!(tracks(&json!({"en": [{"start": 2, "end": 2, "lines": ["never"]}]})).unwrap(), []);
        assert_eq!(tracks(&json!(null)).unwrap(), []);
        assert_eq!(spans(&[]).unwrap_err().class, FailureClass::NoClips);
        for bad in [
            json!("x"),
            json!({"en": 1}),
            json!({"en": "<html>"}),
            json!({"en": [{"start": 1, "end": 2}]}),
            json!({"en": [{"start": -1, "end": 1, "lines": []}]}),
        ] {
            assert_eq!(tracks(&bad).unwrap_err().class, FailureClass::NoClips, "{bad}");
        }
    }
}
