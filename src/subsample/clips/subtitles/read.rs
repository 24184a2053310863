//! Subtitles in the shapes in which samples and tables hold them.

use serde_json::Value;

use super::roll::Roll;
use super::text::plain;
use super::webvtt::{is_webvtt, read_webvtt};
use super::{Cue, PROBLEM, Subtitles, UNKNOWN_LANGUAGE};
use crate::subsample::clips::literal;
use crate::subsample::clips::parse::time;

/// Bytes of a text that stands for subtitles.
const MAX_BYTES: usize = 32 << 20;

/// Reads, for each language, a list of `{start, end, lines}` or the text of a WebVTT file; or one such list or file alone,
/// as old versions of video2dataset stored it; or any of these as text (JSON, or as Python prints it). Languages keep
/// their order. What cannot be used is left out and counted.
pub fn read(value: &Value) -> Subtitles {
    match value {
        Value::String(text) if text.trim().is_empty() => Subtitles::default(),
        Value::String(text) if text.len() > MAX_BYTES => {
            Subtitles::unusable(format!("they have more than {MAX_BYTES} bytes"))
        }
        Value::String(text) if !is_webvtt(text) => match literal(text) {
            // Text in text is nobody's shape.
            Ok(Value::String(_)) | Err(_) => Subtitles::unusable("they are neither WebVTT nor JSON"),
            Ok(value) => languages(&value),
        },
        value => languages(value),
    }
}

fn languages(value: &Value) -> Subtitles {
    let mut found = Subtitles::default();
    match value {
        Value::Null => {}
        Value::Object(languages) => {
            for (language, stored) in languages {
                one(&mut found, language, stored);
            }
        }
        Value::String(_) | Value::Array(_) => one(&mut found, UNKNOWN_LANGUAGE, value),
        Value::Bool(_) | Value::Number(_) => found = Subtitles::unusable("they are no table of languages"),
    }
    found
}

fn one(found: &mut Subtitles, language: &str, stored: &Value) {
    let mut roll = Roll::new(found);
    match stored {
        Value::Null => {}
        Value::String(text) if text.trim().is_empty() => {}
        Value::String(text) if text.len() > MAX_BYTES => {
            roll.drop_for(|| format!("a language has more than {MAX_BYTES} bytes"));
        }
        Value::String(text) => {
            if let Err(what) = read_webvtt(text, &mut roll) {
                roll.drop_for(|| what);
            }
        }
        Value::Array(list) => {
            for stored in list {
                match cue(stored) {
                    Ok(cue) => roll.push(cue),
                    Err(what) => roll.drop_for(|| what),
                }
            }
        }
        other => {
            let known = other.get(PROBLEM).and_then(Value::as_str);
            roll.drop_for(|| known.unwrap_or("a language is no list of {start, end, lines}").to_owned());
        }
    }
    roll.finish(language);
}

fn cue(stored: &Value) -> Result<Cue, String> {
    let field = |name: &str| stored.get(name).unwrap_or(&Value::Null);
    let time = |name: &str| time(field(name)).map_err(|what| format!("the {name} of a line: {what}"));
    Ok(Cue { start: time("start")?, end: time("end")?, lines: lines(field("lines"))? })
}

/// The text of a cue: a line, or a list of them.
pub(super) fn lines(stored: &Value) -> Result<Vec<String>, String> {
    match stored {
        Value::String(line) => Ok(plain(line)),
        Value::Array(lines) if lines.iter().all(Value::is_string) => {
            Ok(plain(&lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")))
        }
        _ => Err("a line has no text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::MAX_CUES;
    use super::*;

    fn hello() -> Vec<Cue> {
        vec![Cue { start: 1.0, end: 2.0, lines: vec!["hello".into()] }]
    }

    #[test]
    fn every_shape_is_read() {
        let file = "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n";
        let list = json!([{"start": "00:00:01.000", "end": 2, "lines": ["<i>hello</i>"]}]);
        let shapes = [
            (json!({"en": list}), "en"),
            (json!({"de": null, "fr": [], "en": file}), "en"),
            (list.clone(), "und"),
            (file.into(), "und"),
            (json!({"en": list}).to_string().into(), "en"),
            ("{'en': [{'start': '00:00:01.000', 'end': '2', 'lines': ['hello']}]}".into(), "en"),
        ];
        for (shape, language) in shapes {
            let found = read(&shape);
            assert_eq!(found.first(), hello(), "{shape}");
            assert_eq!((found.tracks[0].language.as_str(), found.tracks.len(), found.dropped), (language, 1, 0));
        }
        for none in [json!(null), json!({}), json!(""), json!({"en": []}), json!({"en": " "}), json!("WEBVTT\n")] {
            assert_eq!(read(&none), Subtitles::default(), "{none}");
        }
    }

    #[test]
    fn stored_rolling_captions_say_each_line_once() {
        let line = |start: f64, end: f64, lines: &[&str]| json!({"start": start, "end": end, "lines": lines});
        let found =
            read(&json!({"en": [line(0.0, 2.0, &["one"]), line(2.0, 2.1, &["one"]), line(2.1, 4.0, &["one", "two"])]}));
        let text: Vec<_> = found.first().iter().map(|cue| (cue.start, cue.end, cue.text())).collect();
        assert_eq!(text, [(0.0, 2.1, "one".into()), (2.1, 4.0, "two".into())]);
    }

    #[test]
    fn bad_lines_are_dropped_and_counted() {
        let good = json!({"start": 1, "end": 2, "lines": ["hello"]});
        for bad in [
            json!({"start": 2, "end": 2, "lines": ["never"]}),
            json!({"start": 3, "end": 2, "lines": ["backwards"]}),
            json!({"start": -1, "end": 1, "lines": ["x"]}),
            json!({"start": "NaN", "end": 1, "lines": ["x"]}),
            json!({"start": null, "end": 1, "lines": ["x"]}),
            json!({"start": 1, "end": 2}),
            json!({"start": 1, "end": 2, "lines": [7]}),
            json!({"start": 1, "end": 2, "lines": ["x".repeat(20_000)]}),
            json!({"start": 1, "end": 2, "lines": ["x\n".repeat(100)]}),
            json!({"start": 1, "end": "inf", "lines": ["x"]}),
            json!("x"),
            json!(null),
        ] {
            let found = read(&json!({"en": [bad, good]}));
            assert_eq!((found.first(), found.dropped), (&hello()[..], 1), "{bad}");
            assert!(found.problem.is_some());
        }
        for bad in [json!(7), json!({"en": 1}), json!("x"), json!("\"x\""), json!("[[["), json!({"en": "<html>"})] {
            let found = read(&bad);
            assert!(found.tracks.is_empty() && found.dropped == 1 && found.problem.is_some(), "{bad}");
        }
    }

    #[test]
    fn a_million_lines_are_not_kept() {
        let line = |n: usize| json!({"start": n, "end": n + 1, "lines": [n.to_string()]});
        let found = read(&json!({"en": (0..MAX_CUES + 5).map(line).collect::<Vec<_>>(), "de": [line(1)]}));
        assert_eq!((found.first().len(), found.tracks.len(), found.dropped), (MAX_CUES, 1, 6));
        assert_eq!(found.problem.as_deref(), Some("there are more than 50000 lines"));
    }
}
