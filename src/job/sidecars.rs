//! Subtitles that lie beside the media in a tar: `KEY.vtt`, `KEY.en.vtt`.

use std::io;

use serde_json::{Map, Value, json};

use crate::sample::Payload;
use crate::sink::Member;
use crate::subsample::clips::subtitles::{PROBLEM, UNKNOWN_LANGUAGE};

/// Bytes of all such members of a sample: days of talk have fewer.
const MAX_BYTES: u64 = 32 << 20;

/// The language that a member's extension names, if it holds subtitles.
pub fn language(extension: &str) -> Option<&str> {
    match extension.rsplit_once('.') {
        None => (extension == "vtt").then_some(UNKNOWN_LANGUAGE),
        Some((language, "vtt")) => Some(language),
        Some(_) => None,
    }
}

/// The members that hold subtitles, with their languages, in the tar's order.
pub fn of(members: &[Member]) -> Vec<(String, Payload)> {
    let one = |member: &Member| Some((language(&member.extension)?.to_owned(), member.payload.again()?));
    members.iter().filter_map(one).collect()
}

/// What a worker reads as the field `subtitles`: the text of each language, or what is wrong with it. Blocks.
///
/// # Errors
/// Those of the tar.
pub fn read(members: Vec<(String, Payload)>) -> io::Result<Value> {
    let mut left = MAX_BYTES;
    let mut languages = Map::new();
    for (language, mut payload) in members {
        let stored = match left.checked_sub(payload.len()) {
            None => json!({PROBLEM: format!("the .vtt members have more than {MAX_BYTES} bytes")}),
            Some(rest) => {
                left = rest;
                let mut bytes = Vec::new();
                payload.for_each_block(|block| {
                    bytes.extend_from_slice(block);
                    Ok(())
                })?;
                match String::from_utf8(bytes) {
                    Ok(text) => Value::String(text),
                    Err(_) => json!({PROBLEM: "a .vtt member is not UTF-8"}),
                }
            }
        };
        languages.insert(language, stored);
    }
    Ok(Value::Object(languages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_by_extension() {
        let languages = ["vtt", "en.vtt", "zh-Hans.auto.vtt", "mp4", "vtt.gz", "avtt"].map(language);
        assert_eq!(languages, [Some("und"), Some("en"), Some("zh-Hans.auto"), None, None, None]);
    }

    #[test]
    fn text_or_what_is_wrong_with_it() {
        let payload = |bytes: &[u8]| Payload::from_bytes(bytes.to_vec());
        let found = read(vec![("en".into(), payload(b"WEBVTT\n")), ("fr".into(), payload(b"WEBVTT\n\n\xe9"))]).unwrap();
        assert_eq!(found, json!({"en": "WEBVTT\n", "fr": {"problem": "a .vtt member is not UTF-8"}}));
        let large = payload(&vec![b' '; MAX_BYTES as usize]);
        let found = read(vec![("en".into(), large), ("fr".into(), payload(b"WEBVTT\n"))]).unwrap();
        assert!(found["en"].is_string() && found["fr"]["problem"].is_string());
    }
}
