//! URLs of strangers do not reach private networks: directly, by name, by redirect, or through a proxy.

use clipmill::config::Reading;
use clipmill::fetch::{Options, Proxies};
use clipmill::sample::FailureClass::*;

use crate::fault_server::{FaultServer, respond};
use crate::lab::{Lab, media, options, reading};

fn guarded() -> Reading {
    Reading { allow_private_networks: false, ..reading() }
}

#[tokio::test]
async fn private_addresses_are_refused_before_any_connection() {
    let server = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(4000)));
    let port = server.address().port();
    let lab = Lab::new(guarded());
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost"] {
        let (class, message) = lab.failure(&format!("http://{host}:{port}/v.mp4")).await;
        assert_eq!(class, AddressRefused, "{host}");
        assert!(message.contains("reading.allow_private_networks"), "{message}");
    }
    assert_eq!(lab.class("http://169.254.169.254/latest/meta-data/").await, AddressRefused);
    assert_eq!(server.connections(), 0);
    assert_eq!(Lab::new(reading()).bytes(&format!("http://localhost:{port}/")).await, media(4000));
}

/// A proxy that answers for every host: redirects for paths `/to/…`, media for the others.
fn proxy() -> FaultServer {
    FaultServer::start(|request, stream| match request.target.split_once("/to/") {
        Some((_, to)) => respond(stream, "302 Found", &[&format!("Location: {to}")], b""),
        None => respond(stream, "200 OK", &[], &media(4000)),
    })
}

fn through(proxy: &FaultServer, no: &str) -> Options {
    let proxies = Proxies { http: format!("http://{}", proxy.address()), no: no.into(), ..Proxies::default() };
    Options { proxies, ..options() }
}

#[tokio::test]
async fn a_private_proxy_is_used_and_its_targets_are_still_guarded() {
    let proxy = proxy();
    let lab = Lab::with(guarded(), 1, 1 << 30, through(&proxy, ""));
    // The name does not resolve here: the proxy decides.
    assert_eq!(lab.bytes("http://clipmill-test.invalid/v.mp4").await, media(4000));
    assert_eq!(proxy.requests()[0].target, "http://clipmill-test.invalid/v.mp4");
    for target in ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", &proxy.url("/")] {
        assert_eq!(lab.class(target).await, AddressRefused, "{target}");
    }
    assert_eq!(proxy.requests().len(), 1, "refused targets never reach the proxy");
}

#[tokio::test]
async fn every_redirect_is_guarded() {
    let proxy = proxy();
    let lab = Lab::with(guarded(), 1, 1 << 30, through(&proxy, ""));
    for to in
        ["http://169.254.169.254/latest/meta-data/", "http://localhost/", "http://0x7f000001/", "http://[fd00::1]/"]
    {
        assert_eq!(lab.class(&format!("http://clipmill-test.invalid/to/{to}")).await, AddressRefused, "{to}");
    }
    assert_eq!(proxy.requests().len(), 4, "one request each: the first hop");
    let onward = "http://clipmill-test.invalid/to/http://other-test.invalid/v.mp4";
    assert_eq!(lab.bytes(onward).await, media(4000));
}

#[tokio::test]
async fn no_proxy_hosts_are_reached_directly() {
    let proxy = proxy();
    let server = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(1234)));
    let lab = Lab::with(reading(), 1, 1 << 30, through(&proxy, "127.0.0.0/8"));
    assert_eq!(lab.bytes(&server.url("/")).await, media(1234));
    assert_eq!(proxy.requests().len(), 0);
}

#[tokio::test]
async fn a_dead_proxy_is_named_and_never_gone_around() {
    let server = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(1234)));
    let proxies = Proxies { all: "http://127.0.0.1:1".into(), ..Proxies::default() };
    let lab = Lab::with(Reading { retries: 0, ..reading() }, 1, 1 << 30, Options { proxies, ..options() });
    let (class, message) = lab.failure(&server.url("/")).await;
    assert_eq!(class, Connect);
    assert!(message.ends_with("connection refused, through the proxy that the environment names"), "{message}");
    let secure = format!("https://{}/", server.address());
    assert_eq!(lab.class(&secure).await, Connect);
    assert_eq!(server.connections(), 0);
}
