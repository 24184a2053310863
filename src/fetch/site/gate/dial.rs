//! Connections to where yt-dlp wants to go, if it may.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::fetch::address::is_global;
use crate::fetch::client::Proxies;
use crate::fetch::resolve;
use crate::fetch::target;
use crate::sample::{Failure, FailureClass};

/// How connections are made; the same for all samples.
#[derive(Debug)]
pub(in crate::fetch::site) struct Dialer {
    pub guard: bool,
    pub connect_timeout: Duration,
    /// The proxies of the environment or the config.
    matcher: Option<Matcher>,
}

/// A connection, and what it leads to.
pub(super) struct Dialed {
    pub stream: TcpStream,
    /// The connection is to a proxy, which wants this as its `Proxy-Authorization`.
    pub proxy: Option<Option<String>>,
}

impl Dialer {
    pub(in crate::fetch::site) fn new(guard: bool, connect_timeout: Duration, proxies: &Proxies) -> Self {
        Self { guard, connect_timeout, matcher: proxies.matcher() }
    }

    /// Connects to the host of `url`, or to the proxy that is to be taken to it.
    pub(super) async fn dial(&self, url: &Url) -> Result<Dialed, Failure> {
        if self.guard {
            target::check_literal(url)?;
        }
        let uri = url.as_str().parse().ok();
        let proxy = self.matcher.as_ref().zip(uri).and_then(|(matcher, uri)| matcher.intercept(&uri));
        match proxy {
            None => Ok(Dialed { stream: self.connect(url, self.addresses(url).await?).await?, proxy: None }),
            Some(proxy) => {
                self.check_behind_proxy(url).await?;
                let uri = proxy.uri();
                let port = uri.port_u16().unwrap_or(80);
                let addresses = match uri.host().filter(|_| uri.scheme_str() == Some("http")) {
                    Some(host) => tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await,
                    None => Err(io::ErrorKind::Unsupported.into()),
                };
                let message = "the proxy for yt-dlp cannot be reached: it must be an http:// proxy whose name resolves";
                let addresses = addresses.map_err(|_| Failure::new(FailureClass::Connect, message))?;
                let stream = self.connect(url, addresses.collect()).await?;
                let authorization = proxy.basic_auth().and_then(|value| value.to_str().ok()).map(str::to_owned);
                Ok(Dialed { stream, proxy: Some(authorization) })
            }
        }
    }

    /// The addresses that may be connected to.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Failure> {
        let port = url.port_or_known_default().unwrap_or(443);
        let mut found = lookup(url).await?;
        if self.guard {
            found.retain(|ip| is_global(*ip));
            if found.is_empty() {
                return Err(target::address_refused(url));
            }
        }
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// The proxy resolves names itself: as for files, all addresses that the name has here must be global.
    async fn check_behind_proxy(&self, url: &Url) -> Result<(), Failure> {
        if self.guard && lookup(url).await.is_ok_and(|found| !found.into_iter().all(is_global)) {
            return Err(target::address_refused(url));
        }
        Ok(())
    }

    async fn connect(&self, url: &Url, addresses: Vec<SocketAddr>) -> Result<TcpStream, Failure> {
        let host = target::name(url);
        match timeout(self.connect_timeout, TcpStream::connect(addresses.as_slice())).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => {
                let reason = match error.kind() {
                    io::ErrorKind::ConnectionRefused => ": connection refused",
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => ": unreachable",
                    _ => "",
                };
                Err(Failure::new(FailureClass::Connect, format!("cannot connect to {host}{reason}")))
            }
            Err(_) => {
                let message = format!("connecting to {host} took longer than reading.connect_timeout");
                Err(Failure::new(FailureClass::Timeout, message))
            }
        }
    }
}

async fn lookup(url: &Url) -> Result<Vec<IpAddr>, Failure> {
    let unknown = || Failure::new(FailureClass::Dns, format!("the name {} does not resolve", target::name(url)));
    match url.host() {
        Some(url::Host::Ipv4(ip)) => Ok(vec![ip.into()]),
        Some(url::Host::Ipv6(ip)) => Ok(vec![ip.into()]),
        Some(url::Host::Domain(name)) => {
            let found = resolve::lookup(name).await.map_err(|_| unknown())?;
            Ok(found.into_iter().map(|address| address.ip()).collect())
        }
        None => Err(unknown()),
    }
}
