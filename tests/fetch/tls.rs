//! HTTP/2 over TLS, by a real server.

use std::path::Path;
use std::process::Command;

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
    certificate(folder);
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let extra = format!(
        "ssl_certificate {}; ssl_certificate_key {}; if ($server_protocol != HTTP/2.0) {{ return 426; }}",
        cert.display(),
        key.display()
    );
    Nginx::start("ssl http2", &extra)
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
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::inside_many_files_over_one_connection", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", folder.path().join("cert.pem"))
        .env(URL, format!("https://localhost:{}", nginx.port))
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
