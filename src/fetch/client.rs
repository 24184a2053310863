//! The HTTP clients: one that connects itself, guarded, and one that goes through the environment's proxies.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Proxy, redirect};
use url::Url;

use super::host::IDLE;
use super::resolve::GuardedResolver;
use super::settings::FetchSetupError;

/// Proxies, as `http_proxy` and kin name them; empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` URLs.
    pub http: String,
    /// For `https` URLs.
    pub https: String,
    /// For both, where the above are empty.
    pub all: String,
    /// Hosts, domains and networks that are reached without a proxy, separated by commas.
    pub no: String,
}

impl Proxies {
    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in small or capital letters.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let first = |name: &str| {
            let spellings = [name.to_owned(), name.to_ascii_uppercase()];
            spellings.iter().filter_map(|name| lookup(name)).find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self { http: first("http_proxy"), https: first("https_proxy"), all: first("all_proxy"), no: first("no_proxy") }
    }

    fn for_http(&self) -> &str {
        if self.http.is_empty() { &self.all } else { &self.http }
    }

    fn for_https(&self) -> &str {
        if self.https.is_empty() { &self.all } else { &self.https }
    }

    /// All URLs through one proxy.
    pub(super) fn only(proxy: &str) -> Self {
        Self { all: proxy.to_owned(), ..Self::default() }
    }

    /// Tells for any URL the proxy to take; none where there is none at all.
    pub(super) fn matcher(&self) -> Option<Matcher> {
        let builder = || Matcher::builder().http(self.for_http()).https(self.for_https()).no(self.no.as_str());
        (!self.is_empty()).then(|| builder().build())
    }

    fn is_empty(&self) -> bool {
        self.for_http().is_empty() && self.for_https().is_empty()
    }
}

/// How a request gets to its host.
#[derive(Debug, Clone, Copy)]
pub(super) enum Route<'a> {
    Direct(&'a Client),
    /// The proxy resolves and connects, so the target has to be checked before.
    Proxied(&'a Client),
}

#[derive(Debug)]
pub(super) struct Clients {
    direct: Client,
    proxied: Option<(Matcher, Client)>,
}

/// What the clients are built from.
pub(super) struct Settings<'a> {
    pub(super) connect_timeout: Duration,
    pub(super) contact: Option<&'a str>,
    pub(super) guard: bool,
    pub(super) idle_per_host: usize,
    pub(super) proxies: &'a Proxies,
}

impl Clients {
    pub(super) fn new(settings: &Settings<'_>) -> Result<Self, FetchSetupError> {
        // An error means that a provider is installed already: as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resolver = GuardedResolver::new(settings.guard, HashSet::new());
        let direct = build(settings, resolver, ClientBuilder::no_proxy)?;
        let proxied = if settings.proxies.is_empty() { None } else { Some(proxied(settings)?) };
        Ok(Self { direct, proxied })
    }

    pub(super) fn route(&self, url: &Url) -> Route<'_> {
        let Some((matcher, client)) = &self.proxied else { return Route::Direct(&self.direct) };
        let Ok(uri) = url.as_str().parse() else { return Route::Direct(&self.direct) };
        if matcher.intercept(&uri).is_some() { Route::Proxied(client) } else { Route::Direct(&self.direct) }
    }
}

/// The client behind the proxies. Which URLs go there is decided by [`Clients::route`] alone. Its resolver is guarded
/// too, except for the proxies' own names: were it ever to connect to a target itself (`socks5` resolves here), the
/// target would be checked.
fn proxied(settings: &Settings<'_>) -> Result<(Matcher, Client), FetchSetupError> {
    let proxies = settings.proxies;
    let matcher = proxies.matcher().ok_or(FetchSetupError::Proxy)?;
    let mut rules = Vec::new();
    let mut names = HashSet::new();
    for (value, make, probe) in [
        (proxies.for_http(), Proxy::http as fn(Url) -> reqwest::Result<Proxy>, "http://clipmill.invalid/"),
        (proxies.for_https(), Proxy::https as fn(Url) -> reqwest::Result<Proxy>, "https://clipmill.invalid/"),
    ] {
        if value.is_empty() {
            continue;
        }
        let url = proxy_url(value)?;
        names.extend(url.host_str().map(str::to_owned));
        // Both parsers must agree, or URLs would go past the proxy in silence.
        let known = probe.parse().is_ok_and(|uri| Matcher::builder().all(value).build().intercept(&uri).is_some());
        if !known {
            return Err(FetchSetupError::Proxy);
        }
        rules.push(make(url).map_err(|_| FetchSetupError::Proxy)?);
    }
    let resolver = GuardedResolver::new(settings.guard, names);
    let client = build(settings, resolver, move |builder| rules.iter().cloned().fold(builder, ClientBuilder::proxy))?;
    Ok((matcher, client))
}

fn proxy_url(value: &str) -> Result<Url, FetchSetupError> {
    let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let mut url = Url::parse(&with_scheme).map_err(|_| FetchSetupError::Proxy)?;
    if url.host_str().is_none_or(str::is_empty) || !["http", "https"].contains(&url.scheme()) {
        return Err(FetchSetupError::Proxy);
    }
    url.set_path("/");
    Ok(url)
}

fn build(
    settings: &Settings<'_>,
    resolver: GuardedResolver,
    proxy: impl Fn(ClientBuilder) -> ClientBuilder,
) -> Result<Client, FetchSetupError> {
    let agent = user_agent(settings.contact)?;
    let resolver = Arc::new(resolver);
    let builder = || {
        let builder = Client::builder()
            .user_agent(agent.clone())
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(settings.idle_per_host)
            .dns_resolver(Arc::clone(&resolver));
        proxy(builder)
    };
    match builder().build() {
        Ok(client) => Ok(client),
        // The likely cause is a machine without CA certificates. Plain http needs none.
        Err(first) => match builder().tls_certs_only([]).build() {
            Ok(client) => {
                let error = error_text(&first);
                tracing::warn!(
                    error,
                    "https will fail: no CA certificates on this machine; install them or set SSL_CERT_FILE"
                );
                Ok(client)
            }
            Err(_) => Err(FetchSetupError::Client(error_text(&first))),
        },
    }
}

/// The client's error with its causes, which it does not print by itself.
fn error_text(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

fn user_agent(contact: Option<&str>) -> Result<HeaderValue, FetchSetupError> {
    let contact = contact.map(str::trim).filter(|contact| !contact.is_empty());
    let contact = contact.unwrap_or(env!("CARGO_PKG_REPOSITORY"));
    let text = format!("clipmill/{} (+{contact})", env!("CARGO_PKG_VERSION"));
    HeaderValue::from_str(&text).map_err(|_| FetchSetupError::Contact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(proxies: &Proxies) -> Result<Clients, FetchSetupError> {
        Clients::new(&Settings {
            connect_timeout: Duration::from_secs(1),
            contact: None,
            guard: true,
            idle_per_host: 1,
            proxies,
        })
    }

    fn is_proxied(proxies: &Proxies, url: &str) -> bool {
        let clients = clients(proxies).unwrap();
        matches!(clients.route(&Url::parse(url).unwrap()), Route::Proxied(_))
    }

    #[test]
    fn proxies_come_from_either_spelling() {
        let proxies = Proxies::from_lookup(|name| match name {
            "http_proxy" => Some(String::new()),
            "HTTP_PROXY" => Some("one:1".into()),
            "all_proxy" => Some("two:2".into()),
            "NO_PROXY" => Some("here.example".into()),
            _ => None,
        });
        assert_eq!((proxies.for_http(), proxies.for_https(), proxies.no.as_str()), ("one:1", "two:2", "here.example"));
    }

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_have_none() {
        let http =
            Proxies { http: "http://proxy:3128".into(), no: ".here.example,10.0.0.0/8".into(), ..<_>::default() };
        assert!(is_proxied(&http, "http://a.example/"));
        assert!(!is_proxied(&http, "https://a.example/"));
        assert!(!is_proxied(&http, "http://b.here.example/"));
        assert!(!is_proxied(&http, "http://10.1.2.3/"));
        let all = Proxies { all: "proxy:3128".into(), ..<_>::default() };
        assert!(is_proxied(&all, "http://a.example/") && is_proxied(&all, "https://a.example/"));
        assert!(!is_proxied(&Proxies::default(), "http://a.example/"));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_and_not_a_direct_connection() {
        for value in ["socks5://proxy:1080", "http://", "ftp://proxy", "http://pro xy:1", "::"] {
            let proxies = Proxies { all: value.into(), ..Proxies::default() };
            assert!(matches!(clients(&proxies), Err(FetchSetupError::Proxy)), "{value}");
        }
    }

    #[test]
    fn the_agent_names_tool_and_contact() {
        let text = |contact| user_agent(contact).unwrap().to_str().unwrap().to_owned();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(text(Some("me@lab.example")), format!("clipmill/{version} (+me@lab.example)"));
        assert_eq!(text(Some(" ")), format!("clipmill/{version} (+{})", env!("CARGO_PKG_REPOSITORY")));
        assert!(matches!(user_agent(Some("a\nb")), Err(FetchSetupError::Contact)));
    }
}
