//! URLs and local paths to bytes.
//!
//! [`Fetcher::fetch`] turns one cell of the table into a [`Fetched`] payload or a reason, and needs nobody's help on the
//! way: it keeps connections, spreads requests over time and hosts, tries again what may pass, goes on with broken
//! transfers, keeps to addresses of the public Internet, and looks at what came before it calls it media.
//!
//! ```text
//! Fetcher ──► target    what a cell names; redirects
//!    │        transfer  attempts, hops, body ──► client ──► resolve ──► address
//!    │           ├─ host ──► breaker             (one client, guarded resolver)
//!    │           ├─ retry, deadline, resume, answer, optout, classify
//!    │           └─ body (blocks under the memory budget), sniff
//!    ├──────► site      pages of sites, through yt-dlp
//!    └──────► local     files of this machine
//! ```
//!
//! Failure messages go into shards. They hold the host's name and nothing that varies or is secret: no resolved address,
//! no clock, no attempt count, no path, query or user of a URL.

mod address;
mod answer;
mod body;
mod breaker;
mod classify;
mod client;
mod deadline;
mod host;
mod local;
mod optout;
mod resolve;
mod resume;
mod retry;
mod settings;
mod site;
mod target;
mod transfer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config;
use crate::error::Class;
use crate::sample::{Budget, Failure, FailureClass, Payload, PayloadBuilder};

use body::Collector;
use client::Clients;
use deadline::{Deadline, Late};
use host::Hosts;
use site::{SiteTransfer, Sites, Way};
use target::Target;
use transfer::Transfer;

pub use crate::sample::Container;
pub use client::Proxies;
pub use retry::Backoff;
pub use settings::FetchSetupError;
pub use site::{Languages, SiteMeta, SiteSetupError, Wish, program, supervise};
pub use target::shown;

/// Fetches samples. Clones share connections, limits and breakers.
#[derive(Debug, Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
}

/// The parts of a fetcher that the config does not set.
#[derive(Debug, Clone)]
pub struct Options {
    pub backoff: Backoff,
    pub proxies: Proxies,
    /// Hand files of this machine on as they are, to be read in place: for jobs that keep none of their bytes, since a
    /// file that fails then is not the sink's to read.
    pub in_place: bool,
    /// What is made of a site's video.
    pub wish: Wish,
    /// The program `clipmill`, which watches over yt-dlp; none: this very program.
    pub supervisor: Option<PathBuf>,
}

impl Default for Options {
    /// The usual backoff, the proxies of the environment, all files read whole.
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            proxies: Proxies::from_env(),
            in_place: false,
            wish: Wish::default(),
            supervisor: None,
        }
    }
}

#[derive(Debug)]
struct Inner {
    clients: Clients,
    hosts: Hosts,
    backoff: Backoff,
    retries: u32,
    connect_timeout: Duration,
    idle_timeout: Duration,
    total_timeout: Duration,
    max_bytes: u64,
    max_redirects: u32,
    honour_opt_out: bool,
    /// Refuse addresses that are not global.
    guard: bool,
    allow_local_paths: bool,
    in_place: bool,
    budget: Budget,
    scratch: Arc<PathBuf>,
    sites: Sites,
}

/// A whole body.
#[derive(Debug)]
pub struct Fetched {
    pub payload: Payload,
    /// Body bytes that came over the network or from the file, failed attempts included.
    pub bytes_received: u64,
    /// By the bytes, not by name or `Content-Type`.
    pub container: Container,
    /// What came with it, where it came from a site.
    pub site: Option<SiteMeta>,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The sample's own failure.
    #[error(transparent)]
    Sample(#[from] Failure),
    /// The node's: bytes could not be spilled to scratch.
    #[error("cannot write fetched bytes to the scratch folder (see job.tmp_dir): {0}")]
    Scratch(#[source] io::Error),
    /// The node's too: without descriptors no host can be reached, and none is to blame.
    #[error("too many open files: raise `ulimit -n`, or lower distribution.thread_count")]
    OpenFiles,
    /// The machine's: rows name pages of sites, and there is nothing here to fetch them with.
    #[error(transparent)]
    Site(#[from] SiteSetupError),
}

impl FetchError {
    /// How far the error reaches.
    pub fn class(&self) -> Class {
        match self {
            FetchError::Sample(_) => Class::Sample,
            FetchError::Scratch(_) | FetchError::OpenFiles => Class::Shard,
            FetchError::Site(_) => Class::Job,
        }
    }
}

impl Fetcher {
    /// A fetcher for one of `world` ranks, with `thread_count` transfers in flight; more calls of [`Fetcher::fetch`]
    /// wait their turn.
    ///
    /// `reading.max_per_host` and `reading.requests_per_second_per_host` hold for the whole job, so each rank takes its
    /// share; a share below one request in flight is one.
    pub fn new(
        reading: &config::Reading,
        thread_count: u32,
        world: u32,
        budget: Budget,
        scratch: Arc<PathBuf>,
    ) -> Result<Self, FetchSetupError> {
        Self::with_options(reading, thread_count, world, budget, scratch, Options::default())
    }

    /// As [`Fetcher::new`], with other options.
    pub fn with_options(
        reading: &config::Reading,
        thread_count: u32,
        world: u32,
        budget: Budget,
        scratch: Arc<PathBuf>,
        options: Options,
    ) -> Result<Self, FetchSetupError> {
        let limits = settings::limits(reading, world)?;
        let thread_count = settings::count("distribution.thread_count", thread_count)?;
        let connect_timeout = settings::seconds("reading.connect_timeout", reading.connect_timeout)?;
        let clients = Clients::new(&client::Settings {
            connect_timeout,
            contact: reading.contact.as_deref(),
            guard: !reading.allow_private_networks,
            idle_per_host: thread_count,
            proxies: &options.proxies,
        })?;
        let inner = Inner {
            clients,
            hosts: Hosts::new(limits, thread_count),
            backoff: options.backoff,
            retries: reading.retries,
            connect_timeout,
            idle_timeout: settings::seconds("reading.timeout", reading.timeout)?,
            total_timeout: settings::seconds("reading.total_timeout", reading.total_timeout)?,
            max_bytes: reading.max_bytes,
            max_redirects: reading.max_redirects,
            honour_opt_out: reading.honour_opt_out,
            guard: !reading.allow_private_networks,
            allow_local_paths: reading.allow_local_paths,
            in_place: options.in_place,
            budget,
            scratch,
            sites: Sites::new(reading, options.wish, options.supervisor, &options.proxies)?,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The bytes behind one cell of the table: an `http` or `https` URL, or a local path where the config allows it.
    /// All attempts included. Dropping the future cancels the transfer.
    ///
    /// Samples of a host whose breaker is open fail at once as [`FailureClass::Blocked`]; `incremental_mode:
    /// retry_failed` does them again.
    pub async fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        match target::parse(url)? {
            Target::Http(url) => match self.inner.sites.way(&url) {
                Way::File => self.transfer(&url).await,
                Way::Site => self.site(&url).await,
                Way::Either => self.file_or_site(&url).await,
            },
            Target::Local(path) => self.read(path, self.collector()).await,
        }
    }

    fn collector(&self) -> Collector {
        Collector::new(PayloadBuilder::new(&self.inner.budget, Arc::clone(&self.inner.scratch)))
    }

    async fn transfer(&self, url: &Url) -> Result<Fetched, FetchError> {
        Transfer::new(&self.inner, url, self.collector()).run().await
    }

    async fn site(&self, url: &Url) -> Result<Fetched, FetchError> {
        let program = self.inner.sites.program().await?;
        SiteTransfer::new(&self.inner, url, program).run().await
    }

    /// A file, or a page that yt-dlp may know what to do with. Where it does not, or is not there, the page is what
    /// the row has led to.
    async fn file_or_site(&self, url: &Url) -> Result<Fetched, FetchError> {
        let page = match self.transfer(url).await {
            Err(FetchError::Sample(failure)) if transfer::is_page(&failure) => failure,
            done => return done,
        };
        match self.site(url).await {
            Err(FetchError::Site(_)) => {
                let message = page.message + "; a usable yt-dlp, which may know the site, is not on this machine";
                Err(Failure::new(page.class, message).into())
            }
            Err(FetchError::Sample(failure)) if failure.class == FailureClass::UnsupportedUrl => {
                Err(Failure::new(page.class, format!("{}; {}", page.message, failure.message)).into())
            }
            done => done,
        }
    }

    async fn read(&self, path: PathBuf, mut collector: Collector) -> Result<Fetched, FetchError> {
        let shown = path.display().to_string();
        if !self.inner.allow_local_paths {
            // The cell is not shown: it may be a URL without its scheme, with all its secrets.
            let message = "not an http or https URL, and files of this machine are not read without \
                           reading.allow_local_paths";
            return Err(Failure::new(FailureClass::LocalPathRefused, message).into());
        }
        let _admission = self.inner.hosts.admit_local().await;
        let limit = self.inner.total_timeout;
        let subject = format!("the file {shown}");
        let late = |_: Late| {
            let message = format!("reading {shown} took longer than {} s (reading.total_timeout)", limit.as_secs_f64());
            Failure::new(FailureClass::Timeout, message)
        };
        let deadline = Deadline::after(limit);
        if self.inner.in_place {
            let opened =
                deadline.step(limit, local::open_in_place(path, self.inner.max_bytes)).await.map_err(late)??;
            let container = transfer::judge(opened.len, &opened.head, &subject)?;
            let payload = Payload::file(opened.file, opened.len);
            return Ok(Fetched { payload, bytes_received: opened.len, container, site: None });
        }
        let reading = local::read(path, self.inner.max_bytes, &mut collector);
        deadline.step(limit, reading).await.map_err(late)??;
        let container = transfer::judge(collector.len(), collector.head(), &subject)?;
        let bytes_received = collector.len();
        let payload = collector.finish().await.map_err(FetchError::Scratch)?;
        Ok(Fetched { payload, bytes_received, container, site: None })
    }
}
