//! Going on where a broken transfer stopped.

use std::io::{self, Write};
use std::net::TcpStream;

use clipmill::config::Reading;

use crate::fault_server::{FaultServer, Request, Then, head, respond};
use crate::lab::{Lab, bytes, media, reading};

const LENGTH: usize = 300_000;
const CUT: usize = 123_456;
const OFFER: [&str; 2] = ["Accept-Ranges: bytes", "ETag: \"one\""];

/// Sends part of the body, announcing all of it, and breaks off.
fn cut(stream: &mut TcpStream, headers: &[&str]) -> io::Result<Then> {
    head(stream, "200 OK", headers, LENGTH)?;
    stream.write_all(&media(LENGTH)[..CUT])?;
    Ok(Then::Close)
}

fn first_byte_asked(request: &Request) -> usize {
    let range = request.header("range").unwrap_or_default();
    range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0)
}

/// Answers the first request with a cut body, the second with `status`, `headers` and `body`, others with all.
fn server(second: impl Fn(&Request, &mut TcpStream) -> io::Result<Then> + Send + Sync + 'static) -> FaultServer {
    FaultServer::start(move |request, stream| match request.number {
        0 => cut(stream, &OFFER),
        1 => second(request, stream),
        _ => respond(stream, "200 OK", &OFFER, &media(LENGTH)),
    })
}

fn lab() -> Lab {
    Lab::new(Reading { retries: 1, ..reading() })
}

#[tokio::test]
async fn the_rest_is_asked_for_and_appended() {
    let server = server(|request, stream| {
        let from = first_byte_asked(request);
        let range = format!("Content-Range: bytes {from}-{}/{LENGTH}", LENGTH - 1);
        respond(stream, "206 Partial Content", &[&range, OFFER[1]], &media(LENGTH)[from..])
    });
    let fetched = lab().fetcher.fetch(&server.url("/v.mp4")).await.unwrap();
    assert_eq!(fetched.bytes_received, LENGTH as u64, "no byte came twice");
    assert_eq!(bytes(fetched), media(LENGTH));
    let second = &server.requests()[1];
    assert_eq!(second.header("range"), Some(format!("bytes={CUT}-").as_str()));
    assert_eq!(second.header("if-range"), Some("\"one\""));
}

#[tokio::test]
async fn a_transfer_may_break_again_and_again() {
    let server = FaultServer::start(|request, stream| {
        let from = first_byte_asked(request);
        let range = format!("Content-Range: bytes {from}-{}/{LENGTH}", LENGTH - 1);
        let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
        let headers = if from == 0 { vec![OFFER[0], OFFER[1]] } else { vec![range.as_str()] };
        head(stream, status, &headers, LENGTH - from)?;
        stream.write_all(&media(LENGTH)[from..LENGTH.min(from + 50_000)])?;
        Ok(if from + 50_000 >= LENGTH { Then::Keep } else { Then::Close })
    });
    let lab = Lab::new(Reading { retries: 5, ..reading() });
    assert_eq!(lab.bytes(&server.url("/v.mp4")).await, media(LENGTH));
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_strong_date_will_do() {
    let server = FaultServer::start(|request, stream| match request.number {
        0 => cut(
            stream,
            &[
                "Accept-Ranges: bytes",
                "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
                "Date: Sun, 06 Nov 1994 08:50:37 GMT",
            ],
        ),
        _ => {
            let range = format!("Content-Range: bytes {CUT}-{}/{LENGTH}", LENGTH - 1);
            respond(stream, "206 Partial Content", &[&range], &media(LENGTH)[CUT..])
        }
    });
    assert_eq!(lab().bytes(&server.url("/v.mp4")).await, media(LENGTH));
    assert_eq!(server.requests()[1].header("if-range"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
}

#[tokio::test]
async fn a_changed_resource_comes_whole() {
    let server = server(|request, stream| {
        assert_eq!(request.header("if-range"), Some("\"one\""));
        respond(stream, "200 OK", &["ETag: \"two\""], &media(40_000))
    });
    assert_eq!(lab().bytes(&server.url("/v.mp4")).await, media(40_000));
}

#[tokio::test]
async fn a_rest_that_does_not_fit_is_dropped_and_all_is_asked_for() {
    let answers = [
        ("206 Partial Content", format!("Content-Range: bytes 0-{}/{LENGTH}", LENGTH - 1), "ETag: \"one\""),
        ("206 Partial Content", format!("Content-Range: bytes {}-{}/{LENGTH}", CUT + 1, LENGTH - 1), "ETag: \"one\""),
        ("206 Partial Content", format!("Content-Range: bytes {CUT}-{}/{}", LENGTH, LENGTH + 1), "ETag: \"one\""),
        ("206 Partial Content", format!("Content-Range: bytes {CUT}-{}/{LENGTH}", LENGTH - 1), "ETag: \"two\""),
        ("206 Partial Content", "X-No-Range: at all".to_owned(), "ETag: \"one\""),
        ("206 Partial Content", format!("Content-Range: bytes {CUT}-{}/{LENGTH}", LENGTH - 1), "X-Short: body"),
        ("416 Range Not Satisfiable", format!("Content-Range: bytes */{CUT}"), "ETag: \"one\""),
    ];
    for (status, range, tag) in answers {
        let shown = format!("{status}, {range}, {tag}");
        let server = server(move |_, stream| respond(stream, status, &[&range, tag], b"not the rest"));
        // One retry in all: the whole body is asked for within it.
        assert_eq!(lab().bytes(&server.url("/v.mp4")).await, media(LENGTH), "{shown}");
        assert_eq!(server.requests()[2].header("range"), None, "{shown}");
    }
}

#[tokio::test]
async fn a_chunked_rest_must_be_as_long_as_it_said() {
    for extra in [-5, 5] {
        let server = server(move |_, stream| {
            let last = LENGTH - 1;
            write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {CUT}-{last}/{LENGTH}\r\n")?;
            write!(stream, "Transfer-Encoding: chunked\r\n\r\n")?;
            let mut rest = media(LENGTH + 100)[CUT..].to_vec();
            rest.truncate((LENGTH - CUT).checked_add_signed(extra).unwrap_or(0));
            write!(stream, "{:x}\r\n", rest.len())?;
            stream.write_all(&rest)?;
            write!(stream, "\r\n0\r\n\r\n")?;
            Ok(Then::Keep)
        });
        let lab = Lab::new(Reading { retries: 3, ..reading() });
        let all = lab.fetcher.fetch(&server.url("/v.mp4")).await.map(bytes);
        assert_eq!(all.unwrap(), media(LENGTH));
        // Too short: the rest of the rest is asked for. Too long: nothing that came before is trusted any more.
        let last = &server.requests()[2];
        let range = format!("bytes={}-", LENGTH - 5);
        assert_eq!(last.header("range"), if extra < 0 { Some(range.as_str()) } else { None });
    }
}
