//! What yt-dlp says on stdout.

use serde_json::{Map, Value};

use super::command::{DONE, FOUND};

/// All that a run told of its video.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Videos that were found, before any is left out.
    pub found: usize,
    pub id: Option<String>,
    pub is_live: bool,
    /// Of a page with several.
    pub entries: u64,
    /// The description of each file that is there.
    pub files: Vec<Map<String, Value>>,
}

/// Reads the lines that were asked for; whatever else is said does not count.
pub(super) fn read(output: &[u8]) -> Told {
    let mut told = Told::default();
    for line in output.split(|byte| *byte == b'\n') {
        if let Some(found) = line.strip_prefix(FOUND.as_bytes()) {
            told.found += 1;
            let Ok(Value::Object(found)) = serde_json::from_slice(found) else { continue };
            told.id = told.id.or_else(|| Some(found.get("id")?.as_str()?.to_owned()));
            told.is_live |= found.get("is_live").and_then(Value::as_bool) == Some(true);
            told.entries = told.entries.max(found.get("n_entries").and_then(Value::as_u64).unwrap_or(0));
        } else if let Some(done) = line.strip_prefix(DONE.as_bytes())
            && let Ok(Value::Object(done)) = serde_json::from_slice(done)
        {
            told.files.push(done);
        }
    }
    told
}

/// A file as yt-dlp describes it.
pub(super) fn path(file: &Map<String, Value>) -> Option<&str> {
    file.get("filepath").and_then(Value::as_str)
}

/// Whether the file has sound and no picture.
pub(super) fn is_sound(file: &Map<String, Value>) -> bool {
    file.get("vcodec").and_then(Value::as_str) == Some("none")
}

/// The languages whose subtitles were asked for and exist, with the file of each that arrived, in the site's order.
pub(super) fn subtitles(file: &Map<String, Value>) -> Vec<(String, Option<String>)> {
    let Some(languages) = file.get("requested_subtitles").and_then(Value::as_object) else { return Vec::new() };
    let path = |stored: &Value| stored.get("filepath").and_then(Value::as_str).map(str::to_owned);
    languages.iter().map(|(language, stored)| (language.clone(), path(stored))).collect()
}

/// Fields that video2dataset leaves out, for they are long and old by tomorrow.
const LONG: [&str; 6] = ["subtitles", "automatic_captions", "formats", "requested_formats", "thumbnails", "heatmap"];

/// Fields that differ from run to run, that lead to this machine, or that are keys to the site.
const OF_THIS_RUN: [&str; 26] = [
    "url",
    "urls",
    "manifest_url",
    "fragment_base_url",
    "fragments",
    "http_headers",
    "cookies",
    "requested_downloads",
    "requested_subtitles",
    "epoch",
    "autonumber",
    "video_autonumber",
    "playlist_autonumber",
    "filename",
    "filepath",
    "infojson_filename",
    "downloader_options",
    "player_url",
    "extra_param_to_segment_url",
    "hls_aes",
    "request_data",
    "entries",
    // Printed for people.
    "formats_table",
    "thumbnails_table",
    "subtitles_table",
    "automatic_captions_table",
];

/// `yt_meta_dict.info`: the description of the video, of what lasts.
pub(super) fn info(file: &Map<String, Value>) -> Map<String, Value> {
    let lasts = |name: &str| !name.starts_with('_') && !LONG.contains(&name) && !OF_THIS_RUN.contains(&name);
    file.iter().filter(|(name, _)| lasts(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_that_were_asked_for_are_read_and_rubbish_is_not() {
        let done = json!({"id": "x", "filepath": "/s/media-00001.mp4", "vcodec": "none", "url": "secret", "title": "T",
            "_version": {}, "epoch": 1, "requested_subtitles": {"en": {"filepath": "/s/a.vtt"}, "de": {}}});
        let text =
            format!("\u{1}\u{2}\n{FOUND}{{\"id\":\"x\",\"n_entries\":2,\"is_live\":true}}\n{DONE}{done}\n{DONE}[]\n");
        let told = read(text.as_bytes());
        assert_eq!((told.found, told.id.as_deref(), told.is_live, told.entries), (1, Some("x"), true, 2));
        let [file] = told.files.as_slice() else { panic!("{told:?}") };
        assert_eq!((path(file), is_sound(file)), (Some("/s/media-00001.mp4"), true));
        assert_eq!(subtitles(file), [("en".into(), Some("/s/a.vtt".into())), ("de".into(), None)]);
        let kept = info(file);
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["id", "vcodec", "title"]);
        for rubbish in [&b""[..], b"\xff\xfe", b"clipmill-done {", b"clipmill-found 7"] {
            assert!(read(rubbish).files.is_empty());
        }
    }
}
