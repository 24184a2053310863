//! yt-dlp's command line.

use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use super::{Settings, Wish};
use crate::config::{YtArgs, YtMetadataArgs};

/// Before what yt-dlp knows of a video, once per video that it finds.
pub(super) const FOUND: &str = "clipmill-found ";
/// Before the whole description, once per file that is there.
pub(super) const DONE: &str = "clipmill-done ";

/// The arguments for one sample. The URL stands behind `--` and is thus never an option; nothing passes a shell.
pub(super) fn arguments(settings: &Settings, wish: Wish, cookies: Option<&Path>, url: &str) -> Vec<OsString> {
    let args = &settings.args;
    let mut line = Line::default();
    // Nothing that lies about on this machine decides what comes.
    line.flags(&["--ignore-config", "--no-playlist", "--ignore-errors", "--no-simulate"]);
    line.flags(&["--quiet", "--no-progress", "--no-mtime", "--no-overwrites"]);
    line.pair("--color", "no_color");
    // No ffmpeg and no other downloader: whether one is installed must not change the bytes.
    line.pair("--downloader", "native");
    line.pair("--fixup", "never");
    // A live stream has no end. Of a page with several videos none is the one that the row means.
    line.pair("--playlist-items", "1:2");
    line.pair("--match-filters", "!is_live & n_entries<?2");
    line.pair("--print", &format!("pre_process:{FOUND}%(.{{id,n_entries,is_live}})j"));
    line.pair("--print", &format!("after_move:{DONE}%()j"));
    line.pair("--output", "media-%(autonumber)s.%(ext)s");
    line.pair("--output", "subtitle:subtitles.%(ext)s");
    line.pair("--format", &args.format.clone().unwrap_or_else(|| format(args, wish)));
    line.pair("--socket-timeout", &settings.idle_timeout.as_secs_f64().ceil().to_string());
    let retries = settings.retries.to_string();
    for option in ["--retries", "--extractor-retries", "--fragment-retries", "--file-access-retries"] {
        line.pair(option, &retries);
    }
    if let Some(metadata) = &args.yt_metadata_args {
        subtitles(&mut line, metadata, wish);
    }
    if let Some(cookies) = cookies {
        line.path("--cookies", cookies);
    }
    // Relative to where the rank was started, and yt-dlp runs elsewhere.
    match args.cache_dir.as_ref().and_then(|folder| std::path::absolute(folder).ok()) {
        Some(folder) => line.path("--cache-dir", &folder),
        None => line.flags(&["--no-cache-dir"]),
    }
    if let Some(rate) = args.limit_rate {
        line.pair("--limit-rate", &rate.to_string());
    }
    for (option, seconds) in [("--sleep-requests", args.sleep_requests), ("--sleep-interval", args.sleep_interval)] {
        if seconds > 0.0 {
            line.pair(option, &seconds.to_string());
        }
    }
    for extractor in &args.extractor_args {
        line.pair("--extractor-args", extractor);
    }
    if let Some(agent) = &args.user_agent {
        line.pair("--user-agent", agent);
    }
    line.0.push("--".into());
    line.0.push(url.into());
    line.0
}

/// The selector of formats: the smallest that is large enough, else the best there is; video and sound apart where both
/// are members of their own. A comma means two files; a part that selects nothing gives none.
fn format(args: &YtArgs, wish: Wish) -> String {
    let (height, rate) = (args.download_size, args.download_audio_rate);
    // In video2dataset's order: with sound or without, whichever is smaller.
    let video = format!("wv*[height>={height}][ext=mp4]/w[height>={height}][ext=mp4]/bv*[ext=mp4]/b[ext=mp4]/bv*/b");
    let sound = format!("wa[asr>={rate}][ext=m4a]/ba[ext=m4a]/ba");
    match (wish.video, wish.sound) {
        (true, true) => format!("({video}),({sound})"),
        (false, true) => format!("{sound}/b"),
        (true, false) | (false, false) => video,
    }
}

/// Whether subtitles are wanted, and which.
pub(super) fn wants_subtitles(metadata: &YtMetadataArgs, wish: Wish) -> bool {
    wish.subtitles || metadata.writeautomaticsub || is_on(metadata.writesubtitles.as_ref())
}

fn subtitles(line: &mut Line, metadata: &YtMetadataArgs, wish: Wish) {
    if wish.subtitles || is_on(metadata.writesubtitles.as_ref()) {
        line.flags(&["--write-subs"]);
    }
    if metadata.writeautomaticsub {
        line.flags(&["--write-auto-subs"]);
    }
    if wants_subtitles(metadata, wish) {
        line.pair("--sub-format", "vtt");
        if !metadata.subtitleslangs.is_empty() {
            line.pair("--sub-langs", &metadata.subtitleslangs.join(","));
        }
    }
}

/// Python's idea of truth.
fn is_on(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn flags(&mut self, flags: &[&str]) {
        self.0.extend(flags.iter().map(OsString::from));
    }

    /// As one word, so that a value can never be an option.
    fn pair(&mut self, option: &str, value: &str) {
        self.0.push(format!("{option}={value}").into());
    }

    fn path(&mut self, option: &str, value: &Path) {
        let mut word = OsString::from(option);
        word.push("=");
        word.push(value);
        self.0.push(word);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(args: YtArgs, wish: Wish, url: &str) -> Vec<String> {
        let settings = Settings { args, retries: 2, idle_timeout: Duration::from_millis(1500) };
        let line = arguments(&settings, wish, Some(Path::new("/s/c")), url);
        line.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn no_value_can_be_an_option() {
        let args = YtArgs { extractor_args: vec!["--exec".into()], user_agent: Some("-x".into()), ..<_>::default() };
        let line = line(args, Wish { video: true, ..<_>::default() }, "--exec=rm");
        let (last, rest) = line.split_last().unwrap();
        assert_eq!((last.as_str(), rest.last().unwrap().as_str()), ("--exec=rm", "--"));
        assert!(rest.iter().all(|word| word.starts_with("--")), "{rest:?}");
        assert!(!rest.iter().any(|word| word.starts_with("--exec")));
        for word in [
            "--ignore-config",
            "--no-cache-dir",
            "--cookies=/s/c",
            "--user-agent=-x",
            "--socket-timeout=2",
            "--sub-langs=en",
        ] {
            assert!(rest.iter().any(|have| have == word), "{word}");
        }
    }

    #[test]
    fn formats_follow_the_modalities() {
        let args = YtArgs { download_size: 144, ..<_>::default() };
        let of = |video, sound| format(&args, Wish { video, sound, subtitles: false });
        assert!(of(true, false).starts_with("wv*[height>=144][ext=mp4]/"));
        assert!(of(true, true).contains("),(wa[asr>=44100][ext=m4a]"));
        assert_eq!(of(false, true), "wa[asr>=44100][ext=m4a]/ba[ext=m4a]/ba/b");
    }

    #[test]
    fn subtitles_only_where_they_are_asked_for() {
        let metadata = |value: Option<Value>, auto| YtMetadataArgs {
            writesubtitles: value,
            writeautomaticsub: auto,
            ..<_>::default()
        };
        let has = |metadata: Option<YtMetadataArgs>, subtitles| {
            let args = YtArgs { yt_metadata_args: metadata, ..<_>::default() };
            let line = line(args, Wish { video: true, sound: false, subtitles }, "u");
            (line.contains(&"--write-subs".to_owned()), line.contains(&"--write-auto-subs".to_owned()))
        };
        assert_eq!(has(None, false), (false, false));
        assert_eq!(has(Some(metadata(Some("all".into()), true)), false), (true, true));
        assert_eq!(has(Some(metadata(Some(false.into()), false)), false), (false, false));
        assert_eq!(has(Some(metadata(None, true)), true), (true, true), "they are the captions");
    }
}
