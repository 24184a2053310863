//! What a table cell names: a URL to fetch or a file to read.

use std::path::PathBuf;

use url::{Host, Url};

use super::address::is_global;
use crate::sample::{Failure, FailureClass};

/// Where the bytes of a sample come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Http(Url),
    Local(PathBuf),
}

/// Reads a cell: an `http` or `https` URL, a `file` URL, or (without a scheme) a path.
pub(super) fn parse(text: &str) -> Result<Target, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::new(FailureClass::NoUrl, "the row has no URL"));
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Target::Http(url)),
        Ok(url) if url.scheme() == "file" => url.to_file_path().map(Target::Local).map_err(|()| {
            Failure::new(FailureClass::BadUrl, "a file URL must name a file of this machine: file:///folder/name")
        }),
        Ok(url) => Err(unsupported_scheme(url.scheme())),
        Err(url::ParseError::RelativeUrlWithoutBase) => Ok(Target::Local(PathBuf::from(text))),
        Err(error) => Err(Failure::new(FailureClass::BadUrl, format!("the URL cannot be parsed: {error}"))),
    }
}

/// The address that a `Location` header leads to.
///
/// Schemes other than `http` and `https` are refused. A step from `https` to `http` is followed, as curl and browsers
/// do: no request carries a cookie, a referrer or another site's credentials, so nothing secret can leak by it, and what
/// arrives is untrusted in either case.
pub(super) fn follow(from: &Url, location: &[u8]) -> Result<Url, Failure> {
    let bad = || Failure::new(FailureClass::BadUrl, format!("{} redirects to a URL that cannot be parsed", name(from)));
    let location = std::str::from_utf8(location).map_err(|_| bad())?;
    let mut to = from.join(location).map_err(|_| bad())?;
    if !matches!(to.scheme(), "http" | "https") {
        let message = format!("{} redirects to the unsupported scheme `{}`", name(from), to.scheme());
        return Err(Failure::new(FailureClass::BadUrl, message));
    }
    // Credentials of the table's URL belong to its origin, and a server must not make us send others.
    let same_origin = from.origin() == to.origin();
    let (user, password) = if same_origin { (from.username(), from.password()) } else { ("", None) };
    to.set_username(user).map_err(|()| bad())?;
    to.set_password(password).map_err(|()| bad())?;
    Ok(to)
}

/// Refuses hosts that are written as an address outside the public Internet. (The parser has normalised decimal, octal,
/// hexadecimal and shortened forms by now; names are checked when they are resolved.)
pub(super) fn check_literal(url: &Url) -> Result<(), Failure> {
    let global = match url.host() {
        Some(Host::Ipv4(ip)) => is_global(ip.into()),
        Some(Host::Ipv6(ip)) => is_global(ip.into()),
        Some(Host::Domain(_)) => true,
        None => return Err(Failure::new(FailureClass::BadUrl, "the URL has no host")),
    };
    if global { Ok(()) } else { Err(address_refused(url)) }
}

pub(super) fn address_refused(url: &Url) -> Failure {
    let message = format!(
        "{} is a private, loopback, link-local or otherwise not global address; allow it with \
         reading.allow_private_networks",
        name(url)
    );
    Failure::new(FailureClass::AddressRefused, message)
}

fn unsupported_scheme(scheme: &str) -> Failure {
    Failure::new(FailureClass::BadUrl, format!("the URL's scheme `{scheme}` is not supported; use http or https"))
}

/// Host and, if it is not the scheme's own, port: all of a URL that messages show, since the rest may hold secrets.
pub(super) fn name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A cell of the table as logs may show it: a URL without user, password, query and fragment, which may hold secrets;
/// cut where it is longer than people read.
pub fn shown(cell: &str) -> String {
    const LONGEST: usize = 200;
    let mut text = match Url::parse(cell.trim()) {
        Ok(mut url) if url.has_host() => {
            url.set_query(None);
            url.set_fragment(None);
            // Fails for URLs that cannot have a user only.
            let _ = url.set_username("").and_then(|()| url.set_password(None));
            url.to_string()
        }
        _ => cell.split(['?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default().to_owned(),
    };
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn cells_name_urls_or_files() {
        let local = |path: &str| Ok(Target::Local(PathBuf::from(path)));
        assert_eq!(parse(" https://a.example/v.mp4\n"), Ok(Target::Http(url("https://a.example/v.mp4"))));
        assert_eq!(parse("HTTP://a.example/v"), Ok(Target::Http(url("http://a.example/v"))));
        assert_eq!(parse("/data/v.mp4"), local("/data/v.mp4"));
        assert_eq!(parse("data/v.mp4"), local("data/v.mp4"));
        assert_eq!(parse("file:///data/a%20b.mp4"), local("/data/a b.mp4"));
        let class = |text| parse(text).unwrap_err().class;
        assert_eq!(class("  "), FailureClass::NoUrl);
        for text in ["ftp://a.example/v", "file://other/v.mp4", "javascript:1", "http://", "http://[::1", "data:,x"] {
            assert_eq!(class(text), FailureClass::BadUrl, "{text}");
        }
    }

    #[test]
    fn every_spelling_of_a_private_literal_is_refused() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0x7f.1",
            "169.254.169.254",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:ffff:a9fe:a9fe]",
            "[fe80::1]",
            "0",
            "１２７.0.0.1",
        ] {
            let failure = check_literal(&url(&format!("http://{host}/"))).unwrap_err();
            assert_eq!(failure.class, FailureClass::AddressRefused, "{host}");
        }
        for host in ["8.8.8.8", "[2606:4700::1111]", "a.example"] {
            assert_eq!(check_literal(&url(&format!("http://{host}/"))), Ok(()), "{host}");
        }
    }

    #[test]
    fn redirects_keep_to_http_and_carry_no_credentials_across() {
        let from = url("https://me:pw@a.example/x/y?z");
        let follow_to = |location: &str| follow(&from, location.as_bytes()).map(String::from);
        assert_eq!(follow_to("w"), Ok("https://me:pw@a.example/x/w".into()));
        assert_eq!(follow_to("https://a.example/w"), Ok("https://me:pw@a.example/w".into()));
        assert_eq!(follow_to("http://a.example/w"), Ok("http://a.example/w".into()));
        assert_eq!(follow_to("//b.example/w"), Ok("https://b.example/w".into()));
        assert_eq!(follow_to("https://x:y@b.example/w"), Ok("https://b.example/w".into()));
        for location in ["file:///etc/passwd", "ftp://a.example/", "data:,x", "https://["] {
            assert_eq!(follow_to(location).unwrap_err().class, FailureClass::BadUrl, "{location}");
        }
        assert_eq!(follow(&from, b"/\xff").unwrap_err().class, FailureClass::BadUrl);
    }

    #[test]
    fn logs_show_no_secrets() {
        for (cell, want) in [
            ("https://me:pw@a.example:8443/x.mp4?token=1#t", "https://a.example:8443/x.mp4"),
            (" http://me@a.example/x ", "http://a.example/x"),
            ("me:pw@a.example/x?token=1", "a.example/x"),
            ("www.a.example/x?token=1", "www.a.example/x"),
            ("/data/x.mp4", "/data/x.mp4"),
        ] {
            assert_eq!(shown(cell), want);
        }
        assert_eq!(shown(&"ü".repeat(5000)).chars().count(), 201);
    }

    #[test]
    fn messages_name_the_host_and_nothing_secret() {
        assert_eq!(name(&url("https://me:pw@a.example/x?token=1")), "a.example");
        assert_eq!(name(&url("https://a.example:8443/")), "a.example:8443");
    }
}
