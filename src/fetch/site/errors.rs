//! yt-dlp's complaints: which class they are, and their words without what varies.

use url::Url;

use crate::fetch::target;
use crate::sample::{Failure, FailureClass};

/// Longest message that goes into a sample, characters: yt-dlp's own are a few hundred.
const LONGEST: usize = 1000;

/// The first error of a run, as it stands there; warnings do not count, nor does what follows them.
pub(super) fn first_error(errors: &str) -> Option<String> {
    let mut lines = errors.lines().skip_while(|line| !line.starts_with("ERROR:"));
    let first = lines.next()?;
    let rest = lines.take_while(|line| !line.starts_with("ERROR:") && !line.starts_with("WARNING:"));
    Some(rest.fold(first.to_owned(), |text, line| text + " " + line))
}

/// Why no subtitles came, of the language that lacks.
pub(super) fn about_subtitles<'a>(errors: &'a str, language: &str) -> Option<&'a str> {
    let head = "WARNING: Unable to download video subtitles for ";
    errors.lines().filter_map(|line| line.strip_prefix(head)).find_map(|line| {
        let (named, why) = line.split_once(": ")?;
        (named.trim_matches(['\'', '"']) == language).then_some(why)
    })
}

/// What an error means.
pub(super) fn failure(error: &str, id: Option<&str>) -> Failure {
    Failure::new(classify(error), format!("yt-dlp: {}", tidy(error, id)))
}

/// Words by which causes are told apart, in this order: what a site says of the video, then what the network says. They
/// are looked for in small letters.
const CAUSES: [(FailureClass, &[&str]); 12] = [
    (FailureClass::DrmProtected, &["drm"]),
    (
        FailureClass::GeoBlocked,
        &["in your country", "geo restrict", "geo-restrict", "georestrict", "from your location", "in your region"],
    ),
    (FailureClass::Blocked, &["not a bot", "captcha", "unusual traffic"]),
    (
        FailureClass::RateLimited,
        &["http error 429", "too many requests", "rate-limit", "rate limit", "ratelimit", "try again later"],
    ),
    (
        FailureClass::LoginRequired,
        &[
            "sign in",
            "log in",
            "login",
            "logged in",
            "logged-in",
            "private video",
            "video is private",
            "members-only",
            "members only",
            "join this channel",
            "registered users",
            "authentication",
            "--cookies",
            "confirm your age",
            "age-restricted",
            "subscribers",
            "http error 401",
            "password",
            "premium",
            "purchase",
        ],
    ),
    (FailureClass::UnsupportedUrl, &["unsupported url", "is not a valid url", "unable to handle request"]),
    (
        FailureClass::VideoUnavailable,
        &[
            "unavailable",
            "not available",
            "no longer",
            "removed",
            "deleted",
            "terminated",
            "does not exist",
            "doesn't exist",
            "not exist",
            "not found",
            "premieres in",
            "will begin in",
            "is offline",
            "no video formats",
            "no video could be found",
            "http error 410",
        ],
    ),
    (FailureClass::TooLarge, &["errno 27", "file too large"]),
    (
        FailureClass::Dns,
        &["failed to resolve", "name or service not known", "name resolution", "nodename nor servname", "getaddrinfo"],
    ),
    (FailureClass::Tls, &["certificate verify failed", "certificate_verify_failed", "sslv3", "ssl: "]),
    (FailureClass::Timeout, &["timed out", "timeout"]),
    (
        FailureClass::Reset,
        &["connection reset", "incompleteread", "bytes read", "connection aborted", "remote end closed", "broken pipe"],
    ),
];

fn classify(error: &str) -> FailureClass {
    let error = error.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    let cause = CAUSES.into_iter().find(|(_, words)| says(words)).map(|(class, _)| class);
    match (cause, status(&error)) {
        // `HTTP Error 404: Not Found` is a word about the page, not about the video.
        (None | Some(FailureClass::VideoUnavailable), Some(code)) if code != 410 => FailureClass::Http(code),
        (Some(class), _) => class,
        (None, _) if error.contains("connection refused") || error.contains("unreachable") => FailureClass::Connect,
        (None, _) => FailureClass::SiteError,
    }
}

fn status(error: &str) -> Option<u16> {
    let (_, after) = error.split_once("http error ")?;
    after.get(..3)?.parse().ok().filter(|code| (400..600).contains(code))
}

/// What yt-dlp adds for people at a terminal.
const ADVICE: [&str; 4] = ["; please report this issue on", ". Use --cookies", "  Use --cookies", " (caused by "];

/// The words of an error without ids, addresses in memory, and more of a URL than its host: the same for every video
/// with the same trouble.
fn tidy(error: &str, id: Option<&str>) -> String {
    let mut text = error.strip_prefix("ERROR:").unwrap_or(error).trim();
    for advice in ADVICE {
        text = text.split(advice).next().unwrap_or(text);
    }
    let (site, mut rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((site, rest)) => (Some(site), rest),
        None => (None, text),
    };
    // `[site] ID: words`
    let named = rest.split_once(": ").filter(|(word, _)| site.is_some() && !word.contains(' '));
    let own = named.map(|(word, _)| word);
    rest = named.map_or(rest, |(_, after)| after);
    let mut words = rest.to_owned();
    // A word of small letters may be said for its own sake, too.
    let is_name = |id: &&str| id.len() > 3 && !id.bytes().all(|byte| byte.is_ascii_lowercase());
    for id in [id, own].into_iter().flatten().filter(is_name) {
        words = words.replace(id, "…");
    }
    let words: Vec<String> = words.split_whitespace().map(word).collect();
    let site = site.map(|site| format!("[{site}] ")).unwrap_or_default();
    let text = (site + &words.join(" ")).chars().filter(|c| !c.is_control()).collect::<String>();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.trim_end_matches(['.', ' ']).to_owned(),
    }
}

fn word(word: &str) -> String {
    if let Some(at) = word.find("http://").or_else(|| word.find("https://")) {
        let (before, url) = word.split_at(at);
        let end = url.find(['\'', '"', '>', ')', ';', ',']).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        return match Url::parse(url) {
            Ok(url) => format!("{before}{}{after}", target::name(&url)),
            Err(_) => format!("{before}…{after}"),
        };
    }
    if let Some(at) = word.find("0x") {
        let (before, number) = word.split_at(at);
        let after = number.trim_start_matches("0x").trim_start_matches(|c: char| c.is_ascii_hexdigit());
        return format!("{before}0x…{after}");
    }
    // A file of the sample's own folder.
    if word.contains("clipmill-site-") { "…".to_owned() } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_have_classes() {
        use FailureClass::*;
        for (error, want) in [
            (
                "ERROR: [youtube] dQw4w9WgXcQ: Video unavailable. This video has been removed by the uploader",
                VideoUnavailable,
            ),
            (
                "ERROR: [youtube] dQw4w9WgXcQ: Private video. Sign in if you've been granted access to this video",
                LoginRequired,
            ),
            (
                "ERROR: [youtube] x: Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies",
                Blocked,
            ),
            ("ERROR: [youtube] x: Sign in to confirm your age. This video may be inappropriate", LoginRequired),
            ("ERROR: [youtube] x: Join this channel to get access to members-only content", LoginRequired),
            ("ERROR: [youtube] x: The uploader has not made this video available in your country", GeoBlocked),
            ("ERROR: [youtube] x: Premieres in 3 hours", VideoUnavailable),
            ("ERROR: [youtube] x: Requested format is not available. Use --list-formats", VideoUnavailable),
            ("ERROR: [a] x: This video is DRM protected", DrmProtected),
            ("ERROR: unable to download video data: HTTP Error 403: Forbidden", Http(403)),
            (
                "ERROR: [generic] none: Unable to download webpage: HTTP Error 404: File not found (caused by …)",
                Http(404),
            ),
            ("ERROR: [a] x: Unable to download JSON metadata: HTTP Error 429: Too Many Requests", RateLimited),
            ("ERROR: [a] x: Unable to download webpage: HTTP Error 503: Service Unavailable", Http(503)),
            ("ERROR: Unsupported URL: http://a.example/x", UnsupportedUrl),
            ("ERROR: [generic] 'x y' is not a valid URL", UnsupportedUrl),
            ("ERROR: unable to write data: [Errno 27] File too large", TooLarge),
            ("ERROR: [generic] Unable to download webpage: [Errno -2] Name or service not known", Dns),
            ("ERROR: [generic] Unable to download webpage: The read operation timed out", Timeout),
            ("ERROR: [generic] Unable to download webpage: [Errno 104] Connection reset by peer", Reset),
            ("ERROR: [generic] Unable to download webpage: [Errno 111] Connection refused", Connect),
            ("ERROR: [a] x: Unable to extract title; please report this issue on …", SiteError),
        ] {
            assert_eq!(failure(error, None).class, want, "{error}");
        }
    }

    #[test]
    fn words_are_the_same_for_every_video() {
        for (error, id, want) in [
            (
                "ERROR: [youtube] dQw4w9WgXcQ: Video unavailable. This video has been removed by the uploader",
                None,
                "yt-dlp: [youtube] Video unavailable. This video has been removed by the uploader",
            ),
            (
                "ERROR: Unsupported URL: https://a.example:81/watch?v=secret",
                None,
                "yt-dlp: Unsupported URL: a.example:81",
            ),
            ("ERROR: unable to open aBc-ef for writing", Some("aBc-ef"), "yt-dlp: unable to open … for writing"),
            (
                "ERROR: [a] x1: Failed (<HTTPConnection object at 0x7f00ab>); please report this issue on  https://b",
                None,
                "yt-dlp: [a] Failed (<HTTPConnection object at 0x…>)",
            ),
            ("ERROR: cannot write /t/clipmill-site-1-2/media-00001.mp4: full", None, "yt-dlp: cannot write … full"),
            ("ERROR: a\u{1b}b", None, "yt-dlp: ab"),
        ] {
            assert_eq!(failure(error, id).message, want);
        }
        assert_eq!(failure(&format!("ERROR: {}", "x ".repeat(5000)), None).message.chars().count(), LONGEST + 9);
    }

    #[test]
    fn the_first_error_counts_with_all_its_lines() {
        let errors = "WARNING: a\nb\nERROR: one\n  more\nWARNING: c\nERROR: two\n";
        assert_eq!(first_error(errors).as_deref(), Some("ERROR: one   more"));
        assert_eq!(first_error("WARNING: a\n"), None);
        let errors = "WARNING: Unable to download video subtitles for 'en': HTTP Error 429: Too Many Requests\n";
        assert_eq!(about_subtitles(errors, "en"), Some("HTTP Error 429: Too Many Requests"));
        assert_eq!(about_subtitles(errors, "de"), None);
    }
}
