//! What is said within a clip.

use serde_json::{Map, Value, json};

use super::{Cue, Track};
use crate::subsample::clips::{Span, Style};

/// JSON around the text of one cue.
const ENTRY_BYTES: usize = 80;

/// Finds what is said within any span of a video.
pub struct Within<'a> {
    languages: Vec<Language<'a>>,
}

struct Language<'a> {
    name: &'a str,
    /// By start; beside each, the latest end up to it.
    cues: Vec<(&'a Cue, f64)>,
}

/// Cues of one language or of several that were brought together.
struct Entry<'a> {
    /// The first one's.
    cue: &'a Cue,
    lines: Map<String, Value>,
}

impl<'a> Within<'a> {
    pub fn new(tracks: &'a [Track]) -> Self {
        let language = |track: &'a Track| {
            let mut cues: Vec<&Cue> = track.cues.iter().collect();
            cues.sort_by(|a, b| a.start.total_cmp(&b.start));
            let mut latest = f64::NEG_INFINITY;
            let with_latest = |cue: &'a Cue| {
                latest = latest.max(cue.end);
                (cue, latest)
            };
            Language { name: &track.language, cues: cues.into_iter().map(with_latest).collect() }
        };
        Self { languages: tracks.iter().map(language).collect() }
    }

    /// How large [`Self::clip_subtitles`] may become, about.
    pub fn bytes(&self, clip: Span) -> usize {
        let of = |(cue, _): &(&Cue, f64)| ENTRY_BYTES + cue.lines.iter().map(String::len).sum::<usize>();
        self.languages.iter().flat_map(|language| language.around(clip)).map(of).sum()
    }

    /// The field `clip_subtitles`: `[{start, end, lines: {language: [line]}}]` by start. Times are `HH:MM:SS.mmm` from the
    /// clip's start; what stands over at its ends is cut off.
    ///
    /// Languages are brought together by time: a cue joins the one of an earlier language that it shares most with, if
    /// that is at least half of the shorter of both; else it stands alone. (video2dataset joins them by number, and fails
    /// where languages differ in the number of lines.)
    pub fn clip_subtitles(&self, clip: Span) -> Value {
        let mut entries: Vec<Entry<'_>> = Vec::new();
        for language in &self.languages {
            // Only earlier languages: two cues of one language never join.
            let known = entries.len();
            let inside = language.around(clip).iter().map(|(cue, _)| *cue).filter(|cue| cue.overlap(clip) > 0.0);
            for cue in inside {
                join(&mut entries, known, language.name, cue);
            }
        }
        entries.sort_by(|a, b| a.cue.start.total_cmp(&b.cue.start));
        let clock = |seconds: f64| Style::Clock.write(seconds.clamp(clip.0, clip.1) - clip.0);
        let entry =
            |Entry { cue, lines }: Entry<'_>| json!({"start": clock(cue.start), "end": clock(cue.end), "lines": lines});
        entries.into_iter().map(entry).collect()
    }
}

impl<'a> Language<'a> {
    /// The cues that may overlap a span.
    fn around(&self, (start, end): Span) -> &[(&'a Cue, f64)] {
        let from = self.cues.partition_point(|(_, latest)| *latest <= start);
        let to = self.cues.partition_point(|(cue, _)| cue.start < end);
        self.cues.get(from..to).unwrap_or_default()
    }
}

fn join<'a>(entries: &mut Vec<Entry<'a>>, known: usize, language: &str, cue: &'a Cue) {
    let span = (cue.start, cue.end);
    let shared = |entry: &Entry<'_>| entry.cue.overlap(span);
    let best = entries.iter_mut().take(known).max_by(|a, b| shared(a).total_cmp(&shared(b)));
    let shorter = |other: &Cue| (cue.end - cue.start).min(other.end - other.start);
    match best.filter(|best| best.cue.overlap(span) >= shorter(best.cue) / 2.0) {
        Some(with) => {
            let said = with.lines.entry(language.to_owned()).or_insert_with(|| json!([]));
            if let Some(said) = said.as_array_mut() {
                said.extend(cue.lines.iter().cloned().map(Value::from));
            }
        }
        None => {
            let lines = Map::from_iter([(language.to_owned(), json!(cue.lines))]);
            entries.push(Entry { cue, lines });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
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
        let found = read(&stored());
        let within = Within::new(&found.tracks);
        let all = within.clip_subtitles((0.0, 9.0));
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
        assert_eq!(within.clip_subtitles((5.5, 6.0)), json!([]));
        let late = json!([{"start": "00:00:00.000", "end": "00:00:00.500", "lines": {"en": ["late"]}}]);
        assert_eq!(within.clip_subtitles((9.5, 20.0)), late, "times count from the clip's start");
    }

    #[test]
    fn cues_of_one_language_stay_apart_and_long_ones_are_found() {
        let line = |start: f64, end: f64, text: &str| json!({"start": start, "end": end, "lines": [text]});
        let found = read(&json!({"en": [line(1.5, 2.0, "speak"), line(1.0, 9.0, "all"), line(3.0, 4.0, "later")]}));
        let within = Within::new(&found.tracks);
        let text = |clip| -> Vec<String> {
            let said = within.clip_subtitles(clip);
            said.as_array().unwrap().iter().map(|entry| entry["lines"]["en"][0].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(text((1.0, 2.0)), ["all", "speak"]);
        assert_eq!(text((8.0, 10.0)), ["all"]);
        assert_eq!(within.bytes((9.0, 10.0)), 0);
        assert_eq!(within.bytes((0.0, 1.2)), ENTRY_BYTES + 3);
    }
}
