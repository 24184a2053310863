//! What became of a sample, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A sample's status word, as it stands in its JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Success,
    FailedToDownload,
    FailedToSubsample,
    Filtered,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::FailedToDownload => "failed_to_download",
            Status::FailedToSubsample => "failed_to_subsample",
            Status::Filtered => "filtered",
        }
    }
}

/// The stable class of a failure: what tables count. Ids, hosts and numbers that vary never become part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// The row has no URL.
    NoUrl,
    /// The row has too few or too many fields, a cell that cannot be read, or a value that a filter cannot work with.
    BadRow,
    /// The row is not valid UTF-8.
    InvalidUtf8,
    /// A cell is larger than the limit.
    FieldTooLarge,
    /// The URL cannot be parsed, or its scheme is not supported.
    BadUrl,
    /// The address is private, loopback, link-local or otherwise not global.
    AddressRefused,
    /// A local path in the table, without `reading.allow_local_paths`.
    LocalPathRefused,
    /// A local file that cannot be read.
    LocalFile,
    /// The host name does not resolve.
    Dns,
    /// No connection to the host.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// A deadline passed: connect, idle or total.
    Timeout,
    /// The connection broke, or the server broke the protocol.
    Reset,
    /// An HTTP status other than success.
    Http(u16),
    /// The host refuses us (circuit breaker open): 403/429/503 again and again.
    Blocked,
    /// More redirects than the limit.
    TooManyRedirects,
    /// The body is larger than the limit.
    TooLarge,
    /// The owner opted out (`X-Robots-Tag: noai` and kin).
    OptedOut,
    /// The bytes are not media (an HTML page, say).
    NotMedia,
    /// An empty body.
    Empty,
    /// A site: the video is gone, hidden, or not there yet.
    VideoUnavailable,
    /// A site: only who is logged in may see it.
    LoginRequired,
    /// A site: too many requests.
    RateLimited,
    /// A site: not from here.
    GeoBlocked,
    /// A site: copy protection.
    DrmProtected,
    /// A site: no video at this URL that yt-dlp knows, or several.
    UnsupportedUrl,
    /// A site: yt-dlp failed for another reason.
    SiteError,
    /// The media is cut off or damaged: no header, or not a frame that decodes.
    NotDecodable,
    /// The encoder or the container refused what was to be made.
    NotEncodable,
    /// Spans that cannot be read, or that no clip is left of.
    NoClips,
    /// Subtitles are needed, and there are none, or none that can be read.
    NoSubtitles,
    /// Too few frames for what is to be made of them.
    TooShort,
    /// A video stream is needed, and there is none.
    NoVideo,
    /// An audio stream is needed, and there is none.
    NoAudio,
    /// No decoder for this codec.
    UnsupportedCodec,
    /// The media is over a limit: pixels, duration, streams, packets.
    MediaLimit,
    /// The worker that read the media crashed or broke the protocol.
    DecoderCrash,
    /// The worker took longer than `mill::Limits` allow: wall time or CPU time.
    DecoderTimeout,
    /// The worker wanted more memory than `mill::Limits` allow.
    DecoderMemory,
    /// The outputs of one sample are larger than `mill::Limits` allow.
    OutputTooLarge,
    /// The GPU was lost twice while it worked on this sample.
    GpuLost,
    /// The GPU has no room for one pair of the sample's pictures, and the job wants no other processor.
    GpuMemory,
    /// clipmill itself failed on this sample: a bug.
    Internal,
}

impl FailureClass {
    /// Whether the reason may pass by itself, so that `incremental_mode: retry_failed` tries the sample again.
    pub fn is_transient(self) -> bool {
        use FailureClass::*;
        match self {
            Http(code) => code >= 500 || matches!(code, 408 | 425 | 429),
            Dns | Connect | Timeout | Reset | Blocked | RateLimited | GpuLost | GpuMemory => true,
            // A newer yt-dlp may know what the site has changed.
            SiteError => true,
            NoUrl | BadRow | InvalidUtf8 | FieldTooLarge | BadUrl | AddressRefused | LocalPathRefused | LocalFile
            | Tls | TooManyRedirects | TooLarge | OptedOut | NotMedia | Empty | VideoUnavailable | LoginRequired
            | GeoBlocked | DrmProtected | UnsupportedUrl | NotDecodable | NotEncodable | NoClips | NoSubtitles
            | TooShort | NoVideo | NoAudio | UnsupportedCodec | MediaLimit | DecoderCrash | DecoderTimeout
            | DecoderMemory | OutputTooLarge | Internal => false,
        }
    }

    fn name(self) -> Option<&'static str> {
        use FailureClass::*;
        Some(match self {
            NoUrl => "no_url",
            BadRow => "bad_row",
            InvalidUtf8 => "invalid_utf8",
            FieldTooLarge => "field_too_large",
            BadUrl => "bad_url",
            AddressRefused => "address_refused",
            LocalPathRefused => "local_path_refused",
            LocalFile => "local_file",
            Dns => "dns",
            Connect => "connect",
            Tls => "tls",
            Timeout => "timeout",
            Reset => "reset",
            Http(_) => return None,
            Blocked => "blocked",
            TooManyRedirects => "too_many_redirects",
            TooLarge => "too_large",
            OptedOut => "opted_out",
            NotMedia => "not_media",
            Empty => "empty",
            VideoUnavailable => "video_unavailable",
            LoginRequired => "login_required",
            RateLimited => "rate_limited",
            GeoBlocked => "geo_blocked",
            DrmProtected => "drm_protected",
            UnsupportedUrl => "unsupported_url",
            SiteError => "site_error",
            NotDecodable => "not_decodable",
            NotEncodable => "not_encodable",
            NoClips => "no_clips",
            NoSubtitles => "no_subtitles",
            TooShort => "too_short",
            NoVideo => "no_video",
            NoAudio => "no_audio",
            UnsupportedCodec => "unsupported_codec",
            MediaLimit => "media_limit",
            DecoderCrash => "decoder_crash",
            DecoderTimeout => "decoder_timeout",
            DecoderMemory => "decoder_memory",
            OutputTooLarge => "output_too_large",
            GpuLost => "gpu_lost",
            GpuMemory => "gpu_memory",
            Internal => "internal",
        })
    }

    /// Every class but the HTTP statuses.
    pub const NAMED: [FailureClass; 42] = {
        use FailureClass::*;
        [
            NoUrl,
            BadRow,
            InvalidUtf8,
            FieldTooLarge,
            BadUrl,
            AddressRefused,
            LocalPathRefused,
            LocalFile,
            Dns,
            Connect,
            Tls,
            Timeout,
            Reset,
            Blocked,
            TooManyRedirects,
            TooLarge,
            OptedOut,
            NotMedia,
            Empty,
            VideoUnavailable,
            LoginRequired,
            RateLimited,
            GeoBlocked,
            DrmProtected,
            UnsupportedUrl,
            SiteError,
            NotDecodable,
            NotEncodable,
            NoClips,
            NoSubtitles,
            TooShort,
            NoVideo,
            NoAudio,
            UnsupportedCodec,
            MediaLimit,
            DecoderCrash,
            DecoderTimeout,
            DecoderMemory,
            OutputTooLarge,
            GpuLost,
            GpuMemory,
            Internal,
        ]
    };

    /// The class that [`fmt::Display`] printed as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(code) = text.strip_prefix("http_") {
            return code.parse().ok().map(FailureClass::Http);
        }
        Self::NAMED.into_iter().find(|class| class.name() == Some(text))
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.name()) {
            (FailureClass::Http(code), _) => write!(f, "http_{code}"),
            (_, Some(name)) => f.write_str(name),
            (_, None) => Ok(()),
        }
    }
}

impl Serialize for FailureClass {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FailureClass {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("unknown failure class `{text}`")))
    }
}

/// Why a sample failed: a class for tables, a message for people.
///
/// The message goes into the shard, so it must be the same on every machine and in every attempt: no clock, no
/// resolved address, no attempt count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub class: FailureClass,
    pub message: String,
}

impl Failure {
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_print_and_parse() {
        for class in FailureClass::NAMED.into_iter().chain([FailureClass::Http(404), FailureClass::Http(503)]) {
            assert_eq!(FailureClass::parse(&class.to_string()), Some(class));
        }
        assert_eq!(FailureClass::parse("bogus"), None);
    }
}
