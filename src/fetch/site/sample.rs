//! One sample of a site: attempts, and what a run left.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::child::{End, Order, Running, STARTS, Said};
use super::folder::Folder;
use super::gate::Gate;
use super::left::{Language, Left};
use super::said::Told;
use super::{Languages, SiteMeta, Sites, WayOut, command, errors, said, which};
use crate::fetch::breaker::Outcome;
use crate::fetch::deadline::Deadline;
use crate::fetch::host::{Host, Open};
use crate::fetch::transfer::{blocked, judge};
use crate::fetch::{FetchError, Fetched, Inner, resolve, target};
use crate::sample::{Failure, FailureClass, Payload, SealedFile};

/// Bytes of a description.
const MAX_INFO: usize = 8 << 20;
/// The name of the cookies' copy, which yt-dlp writes back to.
const COOKIES: &str = "cookies.txt";

/// A sample of a site, over all its attempts.
pub(in crate::fetch) struct SiteTransfer<'a> {
    inner: &'a Inner,
    sites: &'a Sites,
    url: &'a Url,
    program: PathBuf,
    received: u64,
    deadline: Deadline,
}

impl<'a> SiteTransfer<'a> {
    pub(in crate::fetch) fn new(inner: &'a Inner, url: &'a Url, program: PathBuf) -> Self {
        let deadline = Deadline::after(inner.total_timeout);
        Self { inner, sites: &inner.sites, url, program, received: 0, deadline }
    }

    /// Attempts until all is there, the reason will not pass, or retries or time are used up.
    pub(in crate::fetch) async fn run(mut self) -> Result<Fetched, FetchError> {
        self.check_address().await?;
        let name = which::courtesy_name(self.url.host_str().unwrap_or_default());
        let host = self.inner.hosts.get(name).0;
        for retry in 0.. {
            let failure = match self.attempt(&host).await {
                Err(FetchError::Sample(failure)) => failure,
                done => return done,
            };
            let again = is_worth_another_run(failure.class) && retry < self.inner.retries && !host.is_blocked();
            let wait = self.inner.backoff.wait(retry, None).filter(|wait| again && *wait < self.deadline.left());
            let Some(wait) = wait else { return Err(failure.into()) };
            tokio::time::sleep(wait).await;
        }
        Err(self.late().into())
    }

    /// The page's own address, before any process is started; the gate looks at all that follow.
    async fn check_address(&self) -> Result<(), Failure> {
        if !self.inner.guard {
            return Ok(());
        }
        target::check_literal(self.url)?;
        let (WayOut::Socks(_), Some(url::Host::Domain(name))) = (&self.sites.way_out, self.url.host()) else {
            return Ok(());
        };
        let found = resolve::lookup(name).await;
        let is_global = found.is_ok_and(|found| found.iter().all(|it| crate::fetch::address::is_global(it.ip())));
        if is_global { Ok(()) } else { Err(target::address_refused(self.url)) }
    }

    /// One run of yt-dlp, when the site's turn has come and a process is free.
    async fn attempt(&mut self, host: &Arc<Host>) -> Result<Fetched, FetchError> {
        let admission = self.deadline.paused(self.inner.hosts.admit(host)).await;
        let _admission = admission.map_err(|Open| blocked(self.url))?;
        // Never closed, so always granted.
        let _process = self.deadline.paused(self.sites.processes.acquire()).await;
        let fetched = self.one_run().await;
        match &fetched {
            Ok(_) => host.report(Outcome::Served),
            Err(FetchError::Sample(failure)) => host.report(match failure.class {
                FailureClass::RateLimited | FailureClass::Blocked | FailureClass::Http(403 | 503) => Outcome::Refused,
                _ => Outcome::Answered,
            }),
            Err(_) => {}
        }
        fetched
    }

    async fn one_run(&mut self) -> Result<Fetched, FetchError> {
        let folder = self.folder().await?;
        let gate = match &self.sites.way_out {
            WayOut::Gate(dialer) => Some(Gate::open(Arc::clone(dialer)).await.map_err(FetchError::Scratch)?),
            WayOut::Socks(_) => None,
        };
        let order = self.order(&folder, gate.as_ref())?;
        let mut ended = self.say(&order, &folder).await;
        for _ in 1..STARTS {
            // A launcher's signal meets the watching process in the instant before it can ignore it.
            if !matches!(&ended, Ok((_, End::Killed, _))) {
                break;
            }
            ended = self.say(&order, &self.folder().await?).await;
        }
        self.received += gate.as_ref().map_or(0, Gate::received);
        let (said, end, left) = ended?;
        let trouble = gate.as_ref().and_then(Gate::trouble);
        let told = said::read(&said.output);
        if let Some(failure) = self.failure(&said, &end, &told, trouble) {
            return failure;
        }
        self.fetched(&told, &said.errors, left?)
    }

    /// A folder with the cookies' copy in it.
    async fn folder(&self) -> Result<Arc<Folder>, FetchError> {
        let (scratch, cookies) = (Arc::clone(&self.inner.scratch), self.sites.settings.args.cookies.clone());
        let made = blocking(move || {
            let folder = Folder::make(&scratch)?;
            if let Some(cookies) = cookies {
                let mut copy = std::fs::File::options();
                let mut copy = copy.write(true).create_new(true).mode(0o600).open(folder.path().join(COOKIES))?;
                io::copy(&mut std::fs::File::open(cookies)?, &mut copy)?;
            }
            Ok(Arc::new(folder))
        });
        made.await
    }

    fn order(&self, folder: &Folder, gate: Option<&Gate>) -> Result<Order, FetchError> {
        let settings = &self.sites.settings;
        let cookies = settings.args.cookies.as_ref().map(|_| PathBuf::from(COOKIES));
        let way_out = match (&self.sites.way_out, gate) {
            (WayOut::Socks(proxy), _) => proxy,
            (WayOut::Gate(_), gate) => gate.map_or("http://127.0.0.1:1", Gate::address),
        };
        let missing = || FetchError::Site(super::SiteSetupError::Supervisor("its name is not known".into()));
        Ok(Order {
            supervisor: self.sites.supervisor.clone().ok_or_else(missing)?,
            program: self.program.clone(),
            arguments: command::arguments(settings, self.sites.wish, cookies.as_deref(), self.url.as_str()),
            environment: self.sites.environment(folder.path(), way_out),
            limit: self.sites.timeout.min(self.deadline.left()),
            max_bytes: self.inner.max_bytes,
        })
    }

    /// Runs, and opens what was left before the folder goes.
    async fn say(
        &self,
        order: &Order,
        folder: &Arc<Folder>,
    ) -> Result<(Said, End, Result<Left, FetchError>), FetchError> {
        let cannot = |error: io::Error| FetchError::Site(super::SiteSetupError::Supervisor(error.to_string()));
        let mut running = Running::start(order, folder.path()).map_err(cannot)?;
        let mut said = running.listen(order, folder).await.map_err(FetchError::Scratch)?;
        let left = match said.stopped {
            Some(_) => Ok(Left::default()),
            None => {
                let told = said::read(&said.output);
                let folder = Arc::clone(folder);
                blocking(move || Left::open(&folder, &told)).await
            }
        };
        let end = running.end().await.map_err(FetchError::Scratch)?;
        let end = said.stopped.take().unwrap_or(end);
        Ok((said, end, left))
    }

    /// Why a run was none; None: all is there.
    fn failure(
        &self,
        said: &Said,
        end: &End,
        told: &Told,
        trouble: Option<Failure>,
    ) -> Option<Result<Fetched, FetchError>> {
        let site = |class, message: String| Some(Err(Failure::new(class, message).into()));
        let error = errors::first_error(&said.errors);
        match (end, error) {
            (End::Late, _) => Some(Err(self.late().into())),
            (End::TooLarge, _) => site(FailureClass::TooLarge, self.too_large()),
            (End::Talks, _) => {
                site(FailureClass::SiteError, "yt-dlp said more than any video's description has".into())
            }
            (End::Killed, _) => site(FailureClass::SiteError, "yt-dlp and its watcher were killed".into()),
            (End::Signal(signal), _) => site(FailureClass::SiteError, format!("yt-dlp died by signal {signal}")),
            (End::CannotStart, error) => {
                let last = || said.errors.lines().last().unwrap_or("no reason given").to_owned();
                let why = error.unwrap_or_else(last);
                Some(Err(FetchError::Site(super::SiteSetupError::Supervisor(why))))
            }
            // Whatever became of each of them.
            (End::Exit(_), _) if told.entries > 1 => {
                site(FailureClass::UnsupportedUrl, "the page has several videos: name one".into())
            }
            (End::Exit(_), Some(error)) if error.contains("No space left on device") => {
                Some(Err(FetchError::Scratch(io::ErrorKind::StorageFull.into())))
            }
            (End::Exit(_), Some(error)) => {
                // What was refused here explains what yt-dlp saw, which is less.
                let failure = trouble.unwrap_or_else(|| errors::failure(&error, told.id.as_deref()));
                let too_large = failure.class == FailureClass::TooLarge;
                Some(Err(if too_large { Failure::new(failure.class, self.too_large()) } else { failure }.into()))
            }
            (End::Exit(0), None) if !told.files.is_empty() => None,
            (End::Exit(0), None) if told.is_live => {
                site(FailureClass::VideoUnavailable, "the site shows a live stream, which has no end".into())
            }
            (End::Exit(0), None) if told.found > 0 => {
                site(FailureClass::SiteError, "yt-dlp found a video and left no file of it".into())
            }
            (End::Exit(0), None) => site(FailureClass::UnsupportedUrl, "yt-dlp found no video there".into()),
            (End::Exit(code), None) => {
                site(FailureClass::SiteError, format!("yt-dlp ended with {code} and said no reason"))
            }
        }
    }

    /// The sample, of files that are open.
    fn fetched(&self, told: &Told, complaints: &str, left: Left) -> Result<Fetched, FetchError> {
        let metadata = self.sites.settings.args.yt_metadata_args.as_ref();
        let subtitles = self.subtitles(complaints, left.subtitles)?;
        let info = metadata.filter(|metadata| metadata.get_info).and_then(|_| told.files.last()).map(said::info);
        let info = info.filter(|info| serde_json::to_string(info).is_ok_and(|text| text.len() <= MAX_INFO));
        let subject = format!("yt-dlp's file of {}", target::name(self.url));
        let (media, sound) = match (left.picture, left.sound) {
            (Some(picture), sound) => (picture, sound),
            (None, Some(sound)) => (sound, None),
            (None, None) => {
                let message = "yt-dlp named a file that is not there";
                return Err(Failure::new(FailureClass::SiteError, message).into());
            }
        };
        let sound = match sound {
            Some(sound) => {
                let container = judge(sound.len, &sound.head, &subject)?;
                let payload = Payload::sealed(Arc::new(SealedFile::new(sound.file, None)), 0, sound.len);
                Some((container, payload))
            }
            None => None,
        };
        let container = judge(media.len, &media.head, &subject)?;
        Ok(Fetched {
            payload: Payload::file(media.file, media.len),
            bytes_received: self.received.max(media.len),
            container,
            site: Some(SiteMeta {
                sound,
                info,
                subtitles: metadata.filter(|it| command::wants_subtitles(it, self.sites.wish)).map(|_| subtitles),
            }),
        })
    }

    /// What came of the subtitles. They fail the sample only where it is worth nothing without them.
    fn subtitles(&self, complaints: &str, found: Vec<Language>) -> Result<Languages, Failure> {
        let metadata = self.sites.settings.args.yt_metadata_args.as_ref();
        let first_only = metadata.and_then(|it| it.writesubtitles.as_ref()).and_then(Value::as_str) == Some("first");
        let mut all = Vec::new();
        for Language { name, text } in found {
            if text.is_none() && self.sites.wish.subtitles {
                let why = errors::about_subtitles(complaints, &name).unwrap_or("no reason given");
                return Err(errors::failure(&format!("ERROR: the subtitles in `{name}`: {why}"), None));
            }
            all.push((name, text.ok_or_else(|| "the site did not give them".to_owned())));
            if first_only {
                break;
            }
        }
        Ok(all)
    }

    fn late(&self) -> Failure {
        let run = self.sites.timeout;
        let (limit, key) = match run < self.inner.total_timeout {
            true => (run, "reading.yt_args.run_timeout"),
            false => (self.inner.total_timeout, "reading.total_timeout"),
        };
        Failure::new(FailureClass::Timeout, format!("yt-dlp took longer than {} s ({key})", limit.as_secs_f64()))
    }

    fn too_large(&self) -> String {
        format!("yt-dlp's files are larger than {} bytes (reading.max_bytes)", self.inner.max_bytes)
    }
}

/// Whether the same may go well in a moment. Some classes that pass in days do not.
fn is_worth_another_run(class: FailureClass) -> bool {
    class.is_transient() && !matches!(class, FailureClass::SiteError | FailureClass::Blocked)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, FetchError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.and_then(|result| result).map_err(FetchError::Scratch)
}
