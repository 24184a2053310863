//! What is media, and what must not be taken.

use clipmill::config::Reading;
use clipmill::fetch::Container;
use clipmill::sample::FailureClass::*;

use crate::fault_server::{FaultServer, Then, head, respond};
use crate::lab::{Lab, media, reading};

#[tokio::test]
async fn the_bytes_decide_and_not_the_name() {
    let page = b"<!DOCTYPE html><html><body>Not found, sorry</body></html>".repeat(30);
    let server = FaultServer::start(move |request, stream| match request.target.as_str() {
        "/page.mp4" => respond(stream, "200 OK", &["Content-Type: video/mp4"], &page),
        "/list.mp4" => respond(stream, "200 OK", &[], b"#EXTM3U\n#EXT-X-VERSION:3\nseg0.ts\n"),
        "/error.mp4" => respond(stream, "200 OK", &[], b"{\"error\":\"gone\"}"),
        "/empty.mp4" => respond(stream, "200 OK", &[], b""),
        "/tiny" => respond(stream, "200 OK", &[], b"\x01"),
        _ => respond(stream, "200 OK", &["Content-Type: text/html"], &media(2000)),
    });
    let lab = Lab::new(reading());
    let host = server.address();
    for (path, what) in
        [("/page.mp4", "an HTML page"), ("/list.mp4", "an HLS playlist (#EXTM3U)"), ("/error.mp4", "a JSON document")]
    {
        let want = (NotMedia, format!("{host} answered with {what}, not media"));
        assert_eq!(lab.failure(&server.url(path)).await, want);
    }
    assert_eq!(lab.failure(&server.url("/empty.mp4")).await, (Empty, format!("{host} gave an empty body")));
    let container = |path| {
        let (lab, url) = (&lab, server.url(path));
        async move { lab.fetcher.fetch(&url).await.unwrap().container }
    };
    assert_eq!(container("/watch?v=1").await, Container::Mp4);
    assert_eq!(container("/tiny").await, Container::Unknown);
}

#[tokio::test]
async fn a_page_is_given_up_before_its_end() {
    let server = FaultServer::start(|_, stream| {
        head(stream, "200 OK", &[], 1 << 40)?;
        let page = "<html>".repeat(1000);
        while std::io::Write::write_all(stream, page.as_bytes()).is_ok() {}
        Ok(Then::Close)
    });
    let lab = Lab::new(Reading { max_bytes: u64::MAX, ..reading() });
    assert_eq!(lab.class(&server.url("/")).await, NotMedia);
}

#[tokio::test]
async fn coded_bodies_are_not_taken_for_media() {
    let server = FaultServer::start(|request, stream| {
        let coding = format!("Content-Encoding: {}", &request.target[1..]);
        respond(stream, "200 OK", &[&coding], &media(2000))
    });
    let lab = Lab::new(reading());
    let want = format!("{} sent Content-Encoding: gzip, though only identity was asked for", server.address());
    assert_eq!(lab.failure(&server.url("/gzip")).await, (NotMedia, want));
    assert_eq!(lab.class(&server.url("/identity,br")).await, NotMedia);
    for coding in ["/identity", "/Identity", "/aws-chunked"] {
        assert_eq!(lab.bytes(&server.url(coding)).await, media(2000));
    }
}

#[tokio::test]
async fn owners_who_opted_out_are_left_alone() {
    let server = FaultServer::start(|request, stream| {
        let headers = match request.target.as_str() {
            "/robots" => vec!["X-Robots-Tag: nofollow", "x-robots-tag: NoAI, nosnippet"],
            "/tdm" => vec!["TDM-Reservation: 1"],
            _ => vec!["X-Robots-Tag: otherbot: noai"],
        };
        if request.header("user-agent").is_some_and(|agent| agent.contains("reader")) {
            return respond(stream, "200 OK", &headers, &media(2000));
        }
        // The body never comes: the verdict must not wait for it.
        head(stream, "200 OK", &headers, 2000)?;
        if request.target == "/other" {
            std::io::Write::write_all(stream, &media(2000))?;
        }
        std::thread::sleep(std::time::Duration::from_secs(20));
        Ok(Then::Keep)
    });
    let lab = Lab::new(Reading { timeout: 5.0, ..reading() });
    let host = server.address();
    for (path, header) in [("/robots", "X-Robots-Tag: noai"), ("/tdm", "TDM-Reservation: 1")] {
        let want = format!("the owner opted out: {host} sent {header} (reading.honour_opt_out)");
        assert_eq!(lab.failure(&server.url(path)).await, (OptedOut, want));
    }
    assert_eq!(lab.bytes(&server.url("/other")).await, media(2000));
    let all = Lab::new(Reading { honour_opt_out: false, contact: Some("reader".into()), ..reading() });
    assert_eq!(all.bytes(&server.url("/robots")).await, media(2000));
}

#[tokio::test]
async fn an_owner_who_redirects_to_another_host_can_opt_out_too() {
    let store = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(2000)));
    let target = format!("Location: {}", store.url("/v.mp4"));
    let owner =
        FaultServer::start(move |_, stream| respond(stream, "302 Found", &[&target, "X-Robots-Tag: noai"], b"moved"));
    let (class, message) = Lab::new(reading()).failure(&owner.url("/")).await;
    assert_eq!(class, OptedOut);
    assert!(message.contains(&owner.address().to_string()), "{message}");
    assert_eq!(store.requests().len(), 0, "the media is not even asked for");
    let all = Lab::new(Reading { honour_opt_out: false, ..reading() });
    assert_eq!(all.bytes(&owner.url("/")).await, media(2000));
}

#[tokio::test]
async fn requests_say_who_we_are_and_ask_for_plain_bytes() {
    let server = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(2000)));
    let lab = Lab::new(Reading { contact: Some("https://lab.example/crawl".into()), ..reading() });
    lab.bytes(&server.url("/")).await;
    let request = &server.requests()[0];
    let agent = format!("clipmill/{} (+https://lab.example/crawl)", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(agent.as_str()));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("accept"), Some("*/*"));
    for absent in ["cookie", "referer", "authorization", "range"] {
        assert_eq!(request.header(absent), None, "{absent}");
    }
}
