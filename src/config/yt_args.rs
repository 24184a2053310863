//! `reading.yt_args`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings for yt-dlp, which fetches what lies on pages of sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct YtArgs {
    /// Least height of the chosen video, pixels.
    pub download_size: i64,
    /// Least sample rate of the chosen audio, Hz.
    pub download_audio_rate: i64,
    /// Metadata and subtitles to fetch; null: none.
    pub yt_metadata_args: Option<YtMetadataArgs>,
    /// yt-dlp, as a name in `PATH` or a path; null: sites are not fetched. `${VAR}` and a leading `~/` are expanded.
    pub program: Option<PathBuf>,
    /// Further hosts whose URLs go to yt-dlp at once, subdomains included; `*`: all that do not name a media file.
    pub hosts: Vec<String>,
    /// yt-dlp's own format selector, in place of the one that the sizes above make.
    pub format: Option<String>,
    /// Seconds for one run of yt-dlp.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub run_timeout: f64,
    /// Runs of yt-dlp at once per rank; each takes about 100 MB of memory.
    #[schemars(range(min = 1, max = 4096))]
    pub processes: u32,
    /// Cookies for yt-dlp, in Netscape's format; a copy is used. `${VAR}` and a leading `~/` are expanded.
    pub cookies: Option<PathBuf>,
    /// Folder for yt-dlp's own cache, best on the node; null: none is kept. `${VAR}` and a leading `~/` are expanded.
    pub cache_dir: Option<PathBuf>,
    /// Proxy for yt-dlp, `http://` or `socks5://`; null: that of the environment, if there is one.
    pub proxy: Option<String>,
    /// Bytes per second of each run of yt-dlp; null: no limit.
    #[schemars(range(min = 1))]
    pub limit_rate: Option<u64>,
    /// Seconds that yt-dlp waits between its requests for pages.
    #[schemars(range(min = 0, max = 86_400))]
    pub sleep_requests: f64,
    /// Seconds that yt-dlp waits before it downloads a file.
    #[schemars(range(min = 0, max = 86_400))]
    pub sleep_interval: f64,
    /// yt-dlp's `--extractor-args`, such as `youtube:player_client=web`.
    pub extractor_args: Vec<String>,
    /// `User-Agent` for yt-dlp; null: its own choice.
    pub user_agent: Option<String>,
}

impl Default for YtArgs {
    fn default() -> Self {
        Self {
            download_size: 360,
            download_audio_rate: 44100,
            yt_metadata_args: Some(YtMetadataArgs::default()),
            program: Some(PathBuf::from("yt-dlp")),
            hosts: Vec::new(),
            format: None,
            run_timeout: 1800.0,
            processes: 8,
            cookies: None,
            cache_dir: None,
            proxy: None,
            limit_rate: None,
            sleep_requests: 0.0,
            sleep_interval: 0.0,
            extractor_args: Vec::new(),
            user_agent: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct YtMetadataArgs {
    /// `all` (every language in `subtitleslangs`), `first` (the first there is), or false.
    pub writesubtitles: Option<serde_json::Value>,
    /// Languages, best first.
    pub subtitleslangs: Vec<String>,
    /// Generated subtitles too.
    pub writeautomaticsub: bool,
    /// yt-dlp's description of the video.
    pub get_info: bool,
    /// Any further option of yt-dlp.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Default for YtMetadataArgs {
    fn default() -> Self {
        Self {
            writesubtitles: Some("all".into()),
            subtitleslangs: vec!["en".into()],
            writeautomaticsub: true,
            get_info: true,
            other: BTreeMap::new(),
        }
    }
}
