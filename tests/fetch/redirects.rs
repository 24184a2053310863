//! Redirects are followed one by one.

use clipmill::config::Reading;
use clipmill::sample::FailureClass::*;

use crate::fault_server::{FaultServer, respond};
use crate::lab::{Lab, media, reading};

/// `/to/REST` leads to `REST`; `/loop` to itself; `/count/N` to `/count/N-1`, and from 0 to the media.
fn server() -> FaultServer {
    FaultServer::start(|request, stream| {
        let target = request.target.as_str();
        let to = match target.strip_prefix("/count/").and_then(|count| count.parse::<u32>().ok()) {
            Some(0) => Some("/media".to_owned()),
            Some(count) => Some(format!("/count/{}", count - 1)),
            None if target == "/loop" => Some("/loop".to_owned()),
            None => target.strip_prefix("/to/").map(str::to_owned),
        };
        match to {
            Some(to) => respond(stream, "302 Found", &[&format!("Location: {to}")], b"moved"),
            None if target == "/nowhere" => respond(stream, "302 Found", &[], b""),
            None => respond(stream, "200 OK", &[], &media(4000)),
        }
    })
}

#[tokio::test]
async fn a_chain_is_followed_up_to_the_limit() {
    let server = server();
    let lab = Lab::new(Reading { max_redirects: 4, ..reading() });
    assert_eq!(lab.bytes(&server.url("/count/3")).await, media(4000));
    let host = server.address();
    let want = (TooManyRedirects, format!("{host} redirected more than 4 times (reading.max_redirects)"));
    assert_eq!(lab.failure(&server.url("/count/4")).await, want);
    let before = server.requests().len();
    assert_eq!(lab.failure(&server.url("/loop")).await, want);
    assert_eq!(server.requests().len() - before, 5, "and it is not tried again");
}

#[tokio::test]
async fn relative_and_missing_locations() {
    let server = server();
    let lab = Lab::new(reading());
    assert_eq!(lab.bytes(&server.url("/to/../media?x=1")).await, media(4000));
    assert_eq!(lab.class(&server.url("/nowhere")).await, Http(302));
    assert_eq!(lab.class(&server.url("/to/http://[")).await, BadUrl);
}

#[tokio::test]
async fn no_redirect_leads_out_of_http() {
    let server = server();
    let lab = Lab::new(Reading { allow_local_paths: true, ..reading() });
    for to in ["file:///etc/hostname", "ftp://a.example/", "data:,x"] {
        let (class, message) = lab.failure(&server.url(&format!("/to/{to}"))).await;
        assert_eq!(class, BadUrl, "{to}");
        let scheme = to.split(':').next().unwrap_or_default();
        assert_eq!(message, format!("{} redirects to the unsupported scheme `{scheme}`", server.address()));
    }
}

#[tokio::test]
async fn credentials_and_referrer_stay_at_their_origin() {
    let (home, away) = (server(), server());
    let lab = Lab::new(reading());
    let url = format!("http://me:pw@{}/to/{}", home.address(), away.url("/media"));
    assert_eq!(lab.bytes(&url).await, media(4000));
    assert!(home.requests()[0].header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    assert_eq!(away.requests()[0].header("authorization"), None);
    assert_eq!(away.requests()[0].header("referer"), None);
    // Nor can a server make us send credentials of its choice to a third one.
    let made_up = format!("http://x:y@{}/media", away.address());
    assert_eq!(lab.bytes(&home.url(&format!("/to/{made_up}"))).await, media(4000));
    assert_eq!(away.requests()[1].header("authorization"), None);
}
