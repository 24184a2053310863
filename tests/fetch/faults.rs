//! Broken transfers, stalls and protocol garbage.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clipmill::config::Reading;
use clipmill::fetch::FetchError;
use clipmill::sample::FailureClass::{self, *};

use crate::fault_server::{FaultServer, Then, head, respond};
use crate::lab::{Lab, media, options, reading};

fn retries(retries: u32) -> Lab {
    Lab::new(Reading { retries, ..reading() })
}

/// A server that always sends `answer` and closes.
fn raw(answer: &'static [u8]) -> FaultServer {
    FaultServer::start(move |_, stream| {
        stream.write_all(answer)?;
        Ok(Then::Close)
    })
}

#[tokio::test]
async fn a_cut_body_is_never_a_success() {
    let server = FaultServer::start(|_, stream| {
        head(stream, "200 OK", &[], 1000)?;
        stream.write_all(&media(999))?;
        Ok(Then::Close)
    });
    let (class, message) = retries(2).failure(&server.url("/v.mp4")).await;
    assert_eq!(class, Reset);
    let host = server.address();
    assert_eq!(message, format!("the connection to {host} broke, or {host} broke the protocol"));
    assert_eq!(server.requests().len(), 3, "the first attempt and two retries");
}

#[tokio::test]
async fn a_broken_transfer_without_validator_starts_over() {
    let server = FaultServer::start(|request, stream| {
        if request.number > 0 {
            return respond(stream, "200 OK", &["Accept-Ranges: bytes"], &media(100_000));
        }
        head(stream, "200 OK", &["Accept-Ranges: bytes"], 100_000)?;
        stream.write_all(&media(60_000))?;
        Ok(Then::Reset)
    });
    assert_eq!(retries(1).bytes(&server.url("/v")).await, media(100_000));
    assert_eq!(server.requests()[1].header("range"), None);
}

#[tokio::test]
async fn chunked_bodies_are_whole_or_fail() {
    let server = FaultServer::start(|request, stream| {
        let body = media(50_000);
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for part in body.chunks(777) {
            write!(stream, "{:x}\r\n", part.len())?;
            stream.write_all(part)?;
            write!(stream, "\r\n")?;
        }
        if request.target == "/cut" {
            return Ok(Then::Close);
        }
        write!(stream, "0\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let lab = retries(0);
    assert_eq!(lab.bytes(&server.url("/whole")).await, media(50_000));
    assert_eq!(lab.class(&server.url("/cut")).await, Reset);
    assert_eq!(lab.budget.used(), 0, "a failed transfer holds no budget");
}

#[tokio::test]
async fn garbage_is_a_broken_protocol() {
    let answers: [&'static [u8]; 6] = [
        b"",
        b"\x16\x03\x01\x02\0garbage\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ];
    for answer in answers {
        let server = raw(answer);
        assert_eq!(retries(0).class(&server.url("/")).await, Reset, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let server = FaultServer::start(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
        loop {
            write!(stream, "X-More: {}\r\n", "x".repeat(1000))?;
        }
    });
    assert_eq!(retries(0).class(&server.url("/")).await, Reset);
}

fn short(timeout: f64, total_timeout: f64) -> Lab {
    Lab::new(Reading { retries: 0, connect_timeout: 0.2, timeout, total_timeout, ..reading() })
}

#[tokio::test]
async fn silence_is_a_timeout_before_and_inside_the_body() {
    let server = FaultServer::start(|request, stream| {
        if request.target == "/body" {
            head(stream, "200 OK", &[], 10_000)?;
            stream.write_all(&media(1000))?;
        }
        sleep(Duration::from_secs(20));
        Ok(Then::Close)
    });
    for path in ["/head", "/body"] {
        let (class, message) = short(0.2, 100.0).failure(&server.url(path)).await;
        assert_eq!(class, Timeout, "{path}");
        assert_eq!(message, format!("no byte from {} for 0.2 s (reading.timeout)", server.address()));
    }
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_samples_time_and_is_not_tried_again() {
    let server = FaultServer::start(|_, stream| {
        head(stream, "200 OK", &[], 1 << 20)?;
        for byte in media(1 << 20) {
            stream.write_all(&[byte])?;
            sleep(Duration::from_millis(5));
        }
        Ok(Then::Close)
    });
    let lab = Lab::new(Reading { retries: 5, timeout: 5.0, total_timeout: 0.4, ..reading() });
    let (class, message) = lab.failure(&server.url("/")).await;
    assert_eq!(class, Timeout);
    assert!(message.contains("reading.total_timeout"), "{message}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_slow_transfer_within_the_limits_succeeds() {
    let server = FaultServer::start(|_, stream| {
        head(stream, "200 OK", &[], 1000)?;
        for part in media(1000).chunks(50) {
            stream.write_all(part)?;
            sleep(Duration::from_millis(10));
        }
        Ok(Then::Keep)
    });
    assert_eq!(short(5.0, 100.0).bytes(&server.url("/")).await, media(1000));
}

#[tokio::test]
async fn only_statuses_that_may_pass_are_tried_again() {
    for (status, class, requests) in [
        ("404 Not Found", Http(404), 1),
        ("410 Gone", Http(410), 1),
        ("403 Forbidden", Http(403), 1),
        ("204 No Content", Http(204), 1),
        ("206 Partial Content", Http(206), 1),
        ("304 Not Modified", Http(304), 1),
        ("408 Request Timeout", Http(408), 3),
        ("429 Too Many Requests", Http(429), 3),
        ("500 Internal Server Error", Http(500), 3),
        ("503 Service Unavailable", Http(503), 3),
    ] {
        let server = FaultServer::start(move |_, stream| respond(stream, status, &[], b""));
        let (found, message) = retries(2).failure(&server.url("/v.mp4?token=secret")).await;
        assert_eq!((found, server.requests().len()), (class, requests), "{status}");
        assert_eq!(message, format!("HTTP {status} from {}", server.address()));
    }
}

#[tokio::test]
async fn a_host_that_recovers_gives_the_sample() {
    let server = FaultServer::start(|request, stream| match request.number {
        0 => respond(stream, "500 Oops", &[], b"sorry"),
        1 => Ok(Then::Reset),
        _ => respond(stream, "200 OK", &[], &media(5000)),
    });
    assert_eq!(retries(2).bytes(&server.url("/")).await, media(5000));
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let server = FaultServer::start(|request, stream| match request.number {
        0 => respond(stream, "429 Too Many Requests", &["Retry-After: 1"], b""),
        1 => respond(stream, "503 Service Unavailable", &["Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"], b""),
        _ => respond(stream, "200 OK", &[], &media(5000)),
    });
    let start = Instant::now();
    assert_eq!(retries(2).bytes(&server.url("/")).await, media(5000));
    assert!(start.elapsed() >= Duration::from_secs(1), "came back too early");
}

#[tokio::test]
async fn a_long_retry_after_gives_up_at_once() {
    let server =
        FaultServer::start(|_, stream| respond(stream, "429 Too Many Requests", &["Retry-After: 100000"], b""));
    assert_eq!(retries(9).class(&server.url("/")).await, Http(429));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_retry_after_beyond_the_samples_time_gives_up_at_once() {
    let server = FaultServer::start(|_, stream| respond(stream, "503 Busy", &["Retry-After: 60"], b""));
    assert_eq!(Lab::new(Reading { total_timeout: 5.0, ..reading() }).class(&server.url("/")).await, Http(503));
    assert_eq!(server.requests().len(), 1);
}

/// A server for one connection that says `answer` whatever it is asked.
fn unread(answer: &'static [u8]) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(answer)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    address
}

#[tokio::test]
async fn no_connection_no_name_no_tls() {
    let lab = retries(0);
    let (class, message) = lab.failure("http://127.0.0.1:1/v.mp4").await;
    assert_eq!((class, message.as_str()), (Connect, "cannot connect to 127.0.0.1:1: connection refused"));
    let (class, message) = lab.failure("http://clipmill-test.invalid/v.mp4").await;
    assert_eq!((class, message.as_str()), (Dns, "the name clipmill-test.invalid does not resolve"));
    let host = unread(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let (class, message) = lab.failure(&format!("https://{host}/v.mp4")).await;
    assert_eq!((class, message), (Tls, format!("no secure connection to {host}: it does not speak TLS")));
    assert_eq!(lab.class(&format!("https://{}/v.mp4", unread(b""))).await, Reset);
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_is_a_timeout() {
    // A backlog that is full: the kernel drops further SYNs.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut full = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        full.push(stream);
    }
    let (class, message) = short(5.0, 100.0).failure(&format!("http://{address}/")).await;
    assert_eq!(class, Timeout);
    assert_eq!(message, format!("connecting to {address} took longer than reading.connect_timeout"));
}

#[tokio::test]
async fn a_dropped_future_ends_the_transfer() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = FaultServer::start(move |_, stream| {
        head(stream, "200 OK", &[], 1 << 40)?;
        let block = media(1 << 16);
        while stream.write_all(&block).is_ok() {}
        let _ = sender.send(());
        Ok(Then::Close)
    });
    let lab = Lab::new(Reading { max_bytes: u64::MAX, ..reading() });
    let url = server.url("/");
    let fetch = lab.fetcher.fetch(&url);
    assert!(tokio::time::timeout(Duration::from_millis(200), fetch).await.is_err());
    let ended = tokio::task::spawn_blocking(move || receiver.recv_timeout(Duration::from_secs(30)));
    assert!(ended.await.unwrap().is_ok(), "the server could go on sending");
    assert_eq!(lab.budget.used(), 0);
}

#[tokio::test]
async fn bytes_beyond_the_budget_go_to_scratch_and_trouble_there_is_the_nodes() {
    let server = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(3_000_000)));
    let lab = Lab::with(reading(), 1, 1_000_000, options());
    let fetched = lab.fetcher.fetch(&server.url("/")).await.unwrap();
    assert_eq!(lab.budget.used(), 0);
    assert_eq!(crate::lab::bytes(fetched), media(3_000_000));
    std::fs::remove_dir(lab.scratch.path()).unwrap();
    let error = lab.fetcher.fetch(&server.url("/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Scratch(_)), "{error:?}");
    assert_eq!(error.class(), clipmill::error::Class::Shard);
}

#[tokio::test]
async fn bodies_above_the_limit_are_refused_early_or_late() {
    let server = FaultServer::start(|request, stream| {
        if request.target == "/announced" {
            head(stream, "200 OK", &[], 1 << 50)?;
            return Ok(Then::Close);
        }
        write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
        stream.write_all(&media(request.target[1..].parse().unwrap_or(0)))?;
        Ok(Then::Close)
    });
    let lab = Lab::new(Reading { max_bytes: 100_000, ..reading() });
    let host = server.address();
    for path in ["/announced", "/100001"] {
        let want = (TooLarge, format!("the body from {host} is larger than 100000 bytes (reading.max_bytes)"));
        assert_eq!(lab.failure(&server.url(path)).await, want, "{path}");
    }
    assert_eq!(lab.bytes(&server.url("/100000")).await.len(), 100_000);
    let classes: Vec<FailureClass> = vec![TooLarge; 2];
    assert_eq!(server.requests().len(), classes.len() + 1, "not tried again");
}
