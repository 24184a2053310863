//! HTTP/2 over TLS, by a real server.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use clipmill::config::Reading;
use clipmill::sample::FailureClass::*;
use futures_util::future::join_all;

use crate::lab::{Lab, media, reading};
use crate::nginx::Nginx;

const URL: &str = "CLIPMILL_TEST_URL";

/// A certificate for `localhost` that signs itself.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=clipmill test", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Serves under TLS, and refuses what is not HTTP/2.
fn server(folder: &Path) -> Nginx {
    server_of(folder, "ssl http2", "if ($server_protocol != HTTP/2.0) { return 426; }")
}

fn server_of(folder: &Path, listen: &str, extra: &str) -> Nginx {
    certificate(folder);
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    Nginx::start(listen, &format!("ssl_certificate {}; ssl_certificate_key {}; {extra}", cert.display(), key.display()))
}

#[tokio::test]
async fn an_unknown_issuer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = server(folder.path());
    let host = format!("localhost:{}", nginx.port);
    let (class, message) = Lab::new(reading()).failure(&format!("https://{host}/v.mp4")).await;
    assert_eq!(class, Tls);
    assert_eq!(message, format!("no secure connection to {host}: its certificate comes from an unknown issuer"));
}

/// The trusted roots come from the environment, which a test must not change for its neighbours: it starts itself again.
#[test]
fn many_files_over_one_connection() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = server(folder.path());
    for n in 0..40 {
        nginx.put(&format!("{n}"), &media(50_000 + n * 1000));
    }
    trusting(folder.path(), "tls::inside_many_files_over_one_connection", nginx.port);
}

/// Runs an ignored test with the certificate in `folder` as the only root, and the URL of `port`.
fn trusting(folder: &Path, test: &str, port: u16) {
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", folder.join("cert.pem"))
        .env(URL, format!("https://localhost:{port}"))
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&inner.stdout);
    assert!(
        inner.status.success() && output.contains("1 passed"),
        "{output}{}",
        String::from_utf8_lossy(&inner.stderr)
    );
}

#[tokio::test]
#[ignore = "started by many_files_over_one_connection"]
async fn inside_many_files_over_one_connection() {
    let base = std::env::var(URL).expect("set by many_files_over_one_connection");
    let lab = Lab::new(Reading { retries: 0, ..reading() });
    let urls: Vec<_> = (0..40).map(|n| format!("{base}/{n}")).collect();
    for (n, all) in join_all(urls.iter().map(|url| lab.bytes(url))).await.into_iter().enumerate() {
        assert!(all == media(50_000 + n * 1000), "{n}");
    }
    assert_eq!(lab.class(&format!("{base}/none")).await, Http(404));
}

/// Passes connections on to `port`; in the first one, a byte of the answer's body is changed on the way.
fn damaging_relay(port: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (n, client) in listener.incoming().map_while(Result::ok).enumerate() {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from, &mut to));
            thread::spawn(move || relay(server, client, if n == 0 { 100_000 } else { usize::MAX }));
        }
    });
    own
}

fn relay(mut from: TcpStream, mut to: TcpStream, damage_at: usize) -> io::Result<()> {
    let (mut block, mut passed) = (vec![0; 4096], 0);
    loop {
        let len = from.read(&mut block)?;
        if len == 0 {
            return Ok(());
        }
        if (passed..passed + len).contains(&damage_at) {
            block[damage_at - passed] ^= 1;
        }
        passed += len;
        to.write_all(&block[..len])?;
    }
}

#[test]
fn bytes_damaged_on_the_way_are_asked_for_again() {
    for listen in ["ssl", "ssl http2"] {
        let folder = tempfile::tempdir().unwrap();
        let nginx = server_of(folder.path(), listen, "");
        nginx.put("v", &media(400_000));
        trusting(folder.path(), "tls::inside_bytes_damaged_on_the_way", damaging_relay(nginx.port));
    }
}

#[tokio::test]
#[ignore = "started by bytes_damaged_on_the_way_are_asked_for_again"]
async fn inside_bytes_damaged_on_the_way() {
    let base = std::env::var(URL).expect("set by bytes_damaged_on_the_way_are_asked_for_again");
    let lab = Lab::new(Reading { retries: 1, ..reading() });
    assert!(lab.bytes(&format!("{base}/v")).await == media(400_000));
}
