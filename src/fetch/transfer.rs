//! One URL to its bytes: attempts, hops, and the body.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use url::Url;

use super::answer;
use super::body::Collector;
use super::breaker::Outcome;
use super::classify;
use super::client::Route;
use super::deadline::{Deadline, Late};
use super::host::{Admission, Host, Open};
use super::resolve;
use super::resume::Resume;
use super::target;
use super::{FetchError, Fetched, Inner, address};
use crate::sample::{Container, sniff};
use crate::sample::{Failure, FailureClass};

/// Bytes that sniffing looks at.
const HEAD: u64 = 512;

/// How long a verdict on the addresses behind a proxy is trusted; about the shortest common lifetime of DNS records.
const VERDICT_AGE: Duration = Duration::from_secs(60);

/// A transfer, over all its attempts.
pub(super) struct Transfer<'a> {
    inner: &'a Inner,
    source: &'a Url,
    collector: Collector,
    resume: Option<Resume>,
    received: u64,
    deadline: Deadline,
    /// The host that was asked last.
    host: Option<Arc<Host>>,
}

/// Why an attempt failed.
enum Trouble {
    Sample { failure: Failure, retry_after: Option<Duration> },
    Scratch(io::Error),
    OpenFiles,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Sample { failure, retry_after: None }
    }
}

/// A response whose body has not been read, and the right to read it.
struct Reply {
    response: Response,
    /// The request asked for the rest of the body only.
    ranged: bool,
    _admission: Admission,
}

/// What a response without redirect came to.
enum Received {
    Whole,
    /// The rest that came does not fit what we have: ask for everything.
    StartOver,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(inner: &'a Inner, source: &'a Url, collector: Collector) -> Self {
        let deadline = Deadline::after(inner.total_timeout);
        Self { inner, source, collector, resume: None, received: 0, deadline, host: None }
    }

    /// Attempts until the body is whole, the reason will not pass, or retries or time are used up.
    pub(super) async fn run(mut self) -> Result<Fetched, FetchError> {
        let mut last: Option<Failure> = None;
        for retry in 0.. {
            let (failure, retry_after) = match self.attempt().await {
                Ok(()) => return self.finish().await,
                Err(Trouble::Scratch(error)) => return Err(FetchError::Scratch(error)),
                Err(Trouble::OpenFiles) => return Err(FetchError::OpenFiles),
                Err(Trouble::Sample { failure, retry_after }) => (failure, retry_after),
            };
            if failure.class == FailureClass::Blocked {
                // The host was blocked while we waited to try again: what it told this sample says more.
                return Err(last.unwrap_or(failure).into());
            }
            let Some(wait) = self.wait_before_retry(&failure, retry, retry_after) else { return Err(failure.into()) };
            if self.resume.is_none() {
                self.collector.clear().map_err(FetchError::Scratch)?;
            }
            tokio::time::sleep(wait).await;
            last = Some(failure);
        }
        Err(last.unwrap_or_else(|| self.late(self.source, Late::Total)).into())
    }

    /// How long to wait, if another attempt makes sense.
    fn wait_before_retry(&self, failure: &Failure, retry: u32, retry_after: Option<Duration>) -> Option<Duration> {
        let blocked = self.host.as_ref().is_some_and(|host| host.is_blocked());
        if !failure.class.is_transient() || retry >= self.inner.retries || blocked {
            return None;
        }
        self.inner.backoff.wait(retry, retry_after).filter(|wait| *wait < self.deadline.left())
    }

    async fn finish(self) -> Result<Fetched, FetchError> {
        let subject = target::name(self.source);
        let container = judge(self.collector.len(), self.collector.head(), &subject)?;
        let payload = self.collector.finish().await.map_err(FetchError::Scratch)?;
        Ok(Fetched { payload, bytes_received: self.received, container, site: None })
    }

    /// One attempt: from the table's URL over all redirects to the end of the body.
    async fn attempt(&mut self) -> Result<(), Trouble> {
        let mut url = self.source.clone();
        let mut redirects = 0;
        loop {
            let reply = self.ask(&url).await?;
            let status = reply.response.status();
            if self.inner.honour_opt_out && (status.is_success() || status.is_redirection()) {
                answer::check_opt_out(&url, reply.response.headers())?;
            }
            if let Some(location) = answer::redirect(&reply.response) {
                redirects += 1;
                if redirects > self.inner.max_redirects {
                    return Err(self.too_many_redirects().into());
                }
                url = target::follow(&url, location.as_bytes())?;
                continue;
            }
            match self.receive(&url, reply).await? {
                Received::Whole => return Ok(()),
                Received::StartOver => self.start_over()?,
            }
        }
    }

    fn start_over(&mut self) -> Result<(), Trouble> {
        self.resume = None;
        self.collector.clear().map_err(Trouble::Scratch)
    }

    /// Sends one request when its host's turn has come, and waits for the response's head.
    async fn ask(&mut self, url: &Url) -> Result<Reply, Trouble> {
        let inner = self.inner;
        if inner.guard {
            target::check_literal(url)?;
        }
        let (host, keep_alive) = inner.hosts.get(url.host_str().unwrap_or_default());
        self.host = Some(Arc::clone(&host));
        let admission = self.deadline.paused(inner.hosts.admit(&host)).await.map_err(|Open| blocked(url))?;
        let (client, direct) = match inner.clients.route(url) {
            Route::Direct(client) => (client, true),
            Route::Proxied(client) => {
                self.check_behind_proxy(url, &host).await?;
                (client, false)
            }
        };
        let (headers, ranged) = self.headers(keep_alive);
        let send = client.get(url.clone()).headers(headers).send();
        // The client does not tell when it is connected, so both limits are added up.
        let limit = inner.connect_timeout + inner.idle_timeout;
        match self.deadline.step(limit, send).await.map_err(|late| self.late(url, late))? {
            Ok(response) => {
                host.report(answer::outcome(response.status()));
                Ok(Reply { response, ranged, _admission: admission })
            }
            Err(error) if classify::is_out_of_files(&error) => Err(Trouble::OpenFiles),
            Err(error) => {
                if direct && classify::is_connection_refused(&error) {
                    host.report(Outcome::Refused);
                }
                let failure = classify::classify(&error, url);
                Err(if direct { failure } else { classify::through_proxy(failure) }.into())
            }
        }
    }

    fn headers(&self, keep_alive: bool) -> (HeaderMap, bool) {
        let mut headers = HeaderMap::new();
        if !keep_alive {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let have = self.collector.len();
        let range = HeaderValue::from_str(&format!("bytes={have}-"));
        match (&self.resume, range) {
            (Some(resume), Ok(range)) if have > 0 => {
                headers.insert(header::RANGE, range);
                headers.insert(header::IF_RANGE, resume.validator.clone());
                (headers, true)
            }
            _ => (headers, false),
        }
    }

    /// A proxy resolves names itself, so all that can be done is to look where a name leads from here. Every address
    /// must be global, since the proxy may take any; a name that is unknown here is the proxy's to judge.
    async fn check_behind_proxy(&self, url: &Url, host: &Host) -> Result<(), Trouble> {
        let Some(url::Host::Domain(name)) = url.host().filter(|_| self.inner.guard) else { return Ok(()) };
        let global = match host.remembered(VERDICT_AGE) {
            Some(global) => global,
            None => {
                let found = self.deadline.step(self.inner.connect_timeout, resolve::lookup(name)).await;
                let found = found.map_err(|late| self.late(url, late))?;
                let global = found.map_or(true, |found| found.iter().all(|it| address::is_global(it.ip())));
                host.remember(global);
                global
            }
        };
        if global { Ok(()) } else { Err(target::address_refused(url).into()) }
    }

    /// Judges the head of a response that is no redirect, then takes in its body.
    async fn receive(&mut self, url: &Url, reply: Reply) -> Result<Received, Trouble> {
        let response = reply.response;
        let headers = response.headers();
        let announced = response.content_length();
        let expected = match response.status() {
            StatusCode::OK => {
                self.start_over()?;
                self.resume = Resume::offered(headers, announced);
                announced
            }
            StatusCode::PARTIAL_CONTENT if reply.ranged => {
                let rest = self.resume.as_ref().and_then(|resume| resume.rest(headers, self.collector.len()));
                if rest.is_none() || (announced.is_some() && announced != rest) {
                    return Ok(Received::StartOver);
                }
                rest
            }
            StatusCode::RANGE_NOT_SATISFIABLE if reply.ranged => return Ok(Received::StartOver),
            status => {
                let failure = answer::failed_status(url, status);
                return Err(Trouble::Sample { failure, retry_after: answer::retry_after(headers) });
            }
        };
        answer::check_coding(url, headers)?;
        self.stream(url, response, expected).await?;
        Ok(Received::Whole)
    }

    /// Takes in a body, of `left` bytes if that is known.
    async fn stream(&mut self, url: &Url, mut response: Response, mut left: Option<u64>) -> Result<(), Trouble> {
        if left.is_some_and(|left| left > self.inner.max_bytes.saturating_sub(self.collector.len())) {
            return Err(self.too_large(url).into());
        }
        let mut judged = self.collector.len() >= HEAD;
        loop {
            let chunk = self.deadline.step(self.inner.idle_timeout, response.chunk()).await;
            let chunk = chunk.map_err(|late| self.late(url, late))?;
            let Some(chunk) = chunk.map_err(|error| classify::classify(&error, url))? else { break };
            let length = chunk.len() as u64;
            self.received += length;
            if left.is_some_and(|left| length > left) {
                self.resume = None;
                return Err(broken(url));
            }
            if self.collector.len() + length > self.inner.max_bytes {
                return Err(self.too_large(url).into());
            }
            self.collector.push(chunk, left).await.map_err(Trouble::Scratch)?;
            left = left.map(|left| left - length);
            if !judged && self.collector.len() >= HEAD {
                judge(self.collector.len(), self.collector.head(), &target::name(self.source))?;
                judged = true;
            }
        }
        if left.is_some_and(|left| left > 0) { Err(broken(url)) } else { Ok(()) }
    }

    fn late(&self, url: &Url, late: Late) -> Failure {
        let host = target::name(url);
        let message = match late {
            Late::Idle => {
                let seconds = self.inner.idle_timeout.as_secs_f64();
                format!("no byte from {host} for {seconds} s (reading.timeout)")
            }
            Late::Total => {
                let seconds = self.inner.total_timeout.as_secs_f64();
                format!("the transfer from {host} took longer than {seconds} s (reading.total_timeout)")
            }
        };
        Failure::new(FailureClass::Timeout, message)
    }

    fn too_large(&self, url: &Url) -> Failure {
        let (host, limit) = (target::name(url), self.inner.max_bytes);
        Failure::new(
            FailureClass::TooLarge,
            format!("the body from {host} is larger than {limit} bytes (reading.max_bytes)"),
        )
    }

    fn too_many_redirects(&self) -> Failure {
        let (host, limit) = (target::name(self.source), self.inner.max_redirects);
        let message = format!("{host} redirected more than {limit} times (reading.max_redirects)");
        Failure::new(FailureClass::TooManyRedirects, message)
    }
}

/// The container, or why the bytes are no media.
/// What a body of `len` bytes is that starts with `head`.
pub(super) fn judge(len: u64, head: &[u8], subject: &str) -> Result<Container, Failure> {
    if len == 0 {
        return Err(Failure::new(FailureClass::Empty, format!("{subject} gave an empty body")));
    }
    sniff(head).map_err(|found| {
        let message = format!("{subject} answered with {}, not media", found.0);
        Failure::new(FailureClass::NotMedia, message)
    })
}

/// Whether a page or a playlist came instead of media: see [`sniff`].
pub(super) fn is_page(failure: &Failure) -> bool {
    let kinds = ["an HTML page", "an XML document", "an HLS playlist", "a DASH manifest"];
    let is = |kind: &&str| failure.message.contains(&format!(" answered with {kind}"));
    failure.class == FailureClass::NotMedia && kinds.iter().any(is)
}

fn broken(url: &Url) -> Trouble {
    Failure::new(FailureClass::Reset, classify::broken(&target::name(url))).into()
}

/// The host is left alone for now.
pub(super) fn blocked(url: &Url) -> Failure {
    let host = target::name(url);
    let message =
        format!("{host} refused too many requests in a row and is left alone for now; retry_failed tries again");
    Failure::new(FailureClass::Blocked, message)
}
