//! The gate between a client and servers on loopback.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{Dialer, Gate, base64};
use crate::fetch::client::Proxies;
use crate::sample::FailureClass;

async fn gate(guard: bool, proxies: &Proxies) -> Gate {
    Gate::open(Arc::new(Dialer::new(guard, Duration::from_secs(5), proxies))).await.unwrap()
}

/// Answers each connection once with what it read, as a body, and keeps it open for more.
async fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = vec![0; 8192];
                let read = stream.read(&mut bytes).await.unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: {read}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&bytes[..read]).await.unwrap();
                // Until the other side has had enough.
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    port
}

/// Enough is the whole body that the head announces.
const BODY: &str = "the body";

fn is_whole(text: &str) -> bool {
    let length = text.split_once("Content-Length: ").and_then(|(_, rest)| rest.split_once("\r\n")?.0.parse().ok());
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
    length.zip(body).is_some_and(|(length, body): (usize, usize)| body >= length)
}

/// Sends `request`, `{auth}` filled in, and reads until `enough` stands there or the end.
async fn ask(gate: &Gate, request: &str, enough: &str) -> String {
    let url = Url::parse(gate.address()).unwrap();
    let auth = base64(format!("{}:{}", url.username(), url.password().unwrap()).as_bytes());
    let request = request.replace("{auth}", &format!("Proxy-Authorization: Basic {auth}\r\n"));
    let mut stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while stream.read_buf(&mut answer).await.unwrap_or(0) > 0 {
        let text = String::from_utf8_lossy(&answer);
        if !enough.is_empty() && if enough == BODY { is_whole(&text) } else { text.contains(enough) } {
            break;
        }
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn nothing_inside_is_reached_however_it_is_named() {
    let port = echo().await;
    let hosts = ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"];
    for host in hosts {
        for request in [
            format!("CONNECT {host}:{port} HTTP/1.1\r\n{{auth}}\r\n"),
            format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: a.example\r\n{{auth}}\r\n"),
        ] {
            let gate = gate(true, &Proxies::default()).await;
            let answer = ask(&gate, &request, "").await;
            assert!(answer.starts_with("HTTP/1.1 403 Forbidden by clipmill's address guard"), "{request}: {answer}");
            assert_eq!(gate.trouble().unwrap().class, FailureClass::AddressRefused);
        }
    }
}

#[tokio::test]
async fn requests_and_tunnels_pass_and_are_counted() {
    let port = echo().await;
    let gate = gate(false, &Proxies::default()).await;
    let request =
        format!("GET http://127.0.0.1:{port}/a?b#c HTTP/1.1\r\nHost: x\r\nCookie: é\r\n{{auth}}\r\nmore than asked");
    let answer = ask(&gate, &request, BODY).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with("Connection: close") && !head.contains("keep-alive"), "{head}");
    assert!(body.starts_with("GET /a?b HTTP/1.1\r\nHost: x\r\nCookie: é\r\n"), "{body}");
    assert!(!body.contains("more") && !body.contains("Proxy-"), "{body}");
    let counted = gate.received();
    assert!(counted > 0);
    let tunnel = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n{{auth}}\r\nhello");
    let answer = ask(&gate, &tunnel, "hello").await;
    assert!(answer.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK"), "{answer}");
    assert!(gate.received() > counted && gate.trouble().is_none());
    let post = format!("POST http://127.0.0.1:{port}/ HTTP/1.1\r\nContent-Length: 4\r\n{{auth}}\r\nbody");
    assert!(ask(&gate, &post, BODY).await.ends_with("body"));
}

#[tokio::test]
async fn others_and_nonsense_are_turned_away() {
    let port = echo().await;
    let gate = gate(false, &Proxies::default()).await;
    let unknown = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
    assert!(ask(&gate, &unknown, "\r\n\r\n").await.starts_with("HTTP/1.1 407 "));
    let wrong = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n");
    assert!(ask(&gate, &wrong, "\r\n\r\n").await.starts_with("HTTP/1.1 407 "));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n{auth}\r\n", 400),
        ("GET ftp://a.example/ HTTP/1.1\r\n{auth}\r\n", 400),
        ("GET https://a.example/ HTTP/1.1\r\n{auth}\r\n", 400),
        ("CONNECT HTTP/1.1\r\n{auth}\r\n", 400),
        ("get http://127.0.0.1/ HTTP/1.1\r\n{auth}\r\n", 400),
        ("GET http://name.invalid/ HTTP/1.1\r\n{auth}\r\n", 502),
    ] {
        let answer = ask(&gate, request, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    assert_eq!(gate.trouble().unwrap().class, FailureClass::Dns);
    let chunked =
        format!("POST http://127.0.0.1:{port}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{{auth}}\r\n0\r\n\r\n");
    assert!(ask(&gate, &chunked, "").await.starts_with("HTTP/1.1 411 "));
    assert_eq!(ask(&gate, "rubbish\r\n\r\n", "\r\n\r\n").await.get(..13), Some("HTTP/1.1 407 "));
    assert_eq!(ask(&gate, "no field\r\nat all\r\n\r\n", "").await, "");
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_taken_and_the_target_is_still_looked_at() {
    let port = echo().await;
    let proxies = Proxies { all: format!("http://me:pw@127.0.0.1:{port}"), ..<_>::default() };
    let gate = gate(true, &proxies).await;
    let plain = "GET http://8.8.8.8/x HTTP/1.1\r\nHost: 8.8.8.8\r\n{auth}\r\n";
    let answer = ask(&gate, plain, BODY).await;
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(body.starts_with("GET http://8.8.8.8/x HTTP/1.1\r\n"), "{answer}");
    assert!(body.contains(&format!("Proxy-Authorization: Basic {}\r\n", base64(b"me:pw"))), "{answer}");
    let tunnel = ask(&gate, "CONNECT 8.8.8.8:443 HTTP/1.1\r\n{auth}\r\n", BODY).await;
    assert!(
        tunnel.contains("\r\n\r\nCONNECT 8.8.8.8:443 HTTP/1.1\r\nHost: 8.8.8.8:443\r\nProxy-Authorization: "),
        "{tunnel}"
    );
    assert!(ask(&gate, "CONNECT 10.0.0.1:443 HTTP/1.1\r\n{auth}\r\n", "").await.starts_with("HTTP/1.1 403 "));
}

#[test]
fn base64_is_that_of_the_standard() {
    for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
}
