//! Pages of sites, through yt-dlp.
//!
//! ```text
//! Sites ──► which    is this URL a page of a site?
//!   │       program  the yt-dlp of this machine: found, and new enough
//!   └─ sample        attempts at one URL
//!        ├─ command  its arguments          gate  the only way out, guarded
//!        ├─ child    one run ──► supervise  (this program again: no process and no file outlives a sample)
//!        └─ folder, left, said, errors      what the run left
//! ```
//!
//! One run of yt-dlp brings all of a sample: video, sound, description and subtitles.

mod child;
mod command;
mod errors;
mod folder;
mod gate;
mod left;
pub mod program;
mod said;
mod sample;
mod supervise;
mod which;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{OnceCell, Semaphore};
use url::Url;

use super::FetchSetupError;
use super::client::Proxies;
use super::settings;
use crate::config;
use crate::sample::{Container, Payload};

use gate::Dialer;

pub use program::SiteSetupError;
pub(super) use sample::SiteTransfer;
pub use supervise::supervise;
pub(super) use which::Way;

/// What a job makes of a site's video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub video: bool,
    /// Sound as a file of its own.
    pub sound: bool,
    /// The sample is worth nothing without subtitles.
    pub subtitles: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self { video: true, sound: false, subtitles: false }
    }
}

/// What a site says beside the media.
#[derive(Debug, Default)]
pub struct SiteMeta {
    /// The sound, where it is a file of its own.
    pub sound: Option<(Container, Payload)>,
    /// The description of the video; none where none was asked for.
    pub info: Option<Map<String, Value>>,
    /// None where none was asked for.
    pub subtitles: Option<Languages>,
}

/// WebVTT by language, or what is wrong with it.
pub type Languages = Vec<(String, Result<String, String>)>;

/// All that yt-dlp's arguments are made of, beside the sample.
#[derive(Debug)]
struct Settings {
    args: config::YtArgs,
    retries: u32,
    idle_timeout: Duration,
}

/// The sites' side of a fetcher.
#[derive(Debug)]
pub(super) struct Sites {
    settings: Settings,
    wish: Wish,
    /// For one run.
    timeout: Duration,
    supervisor: Option<PathBuf>,
    /// Asked once: see [`Sites::program`].
    program: OnceCell<Result<PathBuf, SiteSetupError>>,
    processes: Arc<Semaphore>,
    way_out: WayOut,
}

/// How yt-dlp reaches the network.
#[derive(Debug)]
enum WayOut {
    Gate(Arc<Dialer>),
    /// A SOCKS proxy, which yt-dlp speaks to itself; the gate does not know how.
    Socks(String),
}

impl Sites {
    pub(super) fn new(
        reading: &config::Reading,
        wish: Wish,
        supervisor: Option<PathBuf>,
        proxies: &Proxies,
    ) -> Result<Self, FetchSetupError> {
        let args = reading.yt_args.clone();
        let connect_timeout = settings::seconds("reading.connect_timeout", reading.connect_timeout)?;
        let gate = |proxies: &Proxies| {
            WayOut::Gate(Arc::new(Dialer::new(!reading.allow_private_networks, connect_timeout, proxies)))
        };
        let way_out = match &args.proxy {
            Some(proxy) if proxy.starts_with("socks") => WayOut::Socks(proxy.clone()),
            Some(proxy) => gate(&Proxies::only(proxy)),
            None => gate(proxies),
        };
        Ok(Self {
            timeout: settings::seconds("reading.yt_args.run_timeout", args.run_timeout)?,
            processes: Arc::new(Semaphore::new(settings::count("reading.yt_args.processes", args.processes)?)),
            settings: Settings {
                args,
                retries: reading.retries,
                idle_timeout: settings::seconds("reading.timeout", reading.timeout)?,
            },
            wish,
            supervisor: supervisor.or_else(|| std::env::current_exe().ok()),
            program: OnceCell::new(),
            way_out,
        })
    }

    /// How to fetch a URL.
    pub(super) fn way(&self, url: &Url) -> Way {
        match self.settings.args.program {
            Some(_) => which::way(url, &self.settings.args.hosts),
            None => Way::File,
        }
    }

    /// yt-dlp, and whether it is one that can be used: looked at when the first URL needs it.
    pub(super) async fn program(&self) -> Result<PathBuf, SiteSetupError> {
        let look = || async {
            let program = self.settings.args.program.clone().unwrap_or_default();
            let cookies = self.settings.args.cookies.clone();
            let found = tokio::task::spawn_blocking(move || {
                let found = program::find(&program)?;
                let version = program::check(&found)?;
                if let Some(cookies) = cookies {
                    let shown = cookies.display().to_string();
                    std::fs::read(&cookies).map_err(|error| SiteSetupError::Cookies(format!("{shown}: {error}")))?;
                }
                tracing::info!("pages of sites are fetched by yt-dlp {version}");
                Ok(found)
            });
            found.await.unwrap_or_else(|error| Err(SiteSetupError::Supervisor(error.to_string())))
        };
        self.program.get_or_init(look).await.clone()
    }

    fn environment(&self, folder: &std::path::Path, way_out: &str) -> Vec<(OsString, OsString)> {
        let mut all = program::environment();
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            all.push((name.into(), way_out.into()));
        }
        for name in ["TMPDIR", "XDG_CACHE_HOME"] {
            all.push((name.into(), folder.into()));
        }
        all.push(("PYTHONUTF8".into(), "1".into()));
        all
    }
}
