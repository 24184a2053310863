//! A real server: plain serving, ranges, redirects, big files.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use clipmill::config::Reading;
use clipmill::fetch::Container;
use clipmill::sample::FailureClass::*;
use futures_util::future::join_all;

use crate::lab::{Lab, bytes, media, reading};

/// An nginx of our own on a free port; it ends with the test.
pub struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Nginx {
    /// `listen` follows the address in the directive of that name; `extra` goes into the server block.
    pub fn start(listen: &str, extra: &str) -> Self {
        // Between our choice of a port and nginx's bind, somebody else may take it.
        (0..5).find_map(|_| Self::try_start(listen, extra)).expect("nginx starts on one of five ports")
    }

    fn try_start(listen: &str, extra: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("www")).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        fs::write(root.join("nginx.conf"), conf(root, port, listen, extra)).unwrap();
        let mut child = Command::new("nginx")
            .arg("-e")
            .arg(root.join("error.log"))
            .arg("-c")
            .arg(root.join("nginx.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is installed (package nginx-light or nginx)");
        for _ in 0..200 {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self { child, folder, port });
            }
            sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        None
    }

    pub fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join("www").join(name), content).unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One process that stays whoever started it, root or not, and writes into its own folder only.
fn conf(root: &Path, port: u16, listen: &str, extra: &str) -> String {
    let root = root.display();
    format!(
        "daemon off; master_process off; pid {root}/pid;
         events {{ worker_connections 256; }}
         http {{
             access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
             client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
             uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
             server {{ listen 127.0.0.1:{port} {listen}; root {root}/www; {extra} }}
         }}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_files_at_once() {
    let nginx = Nginx::start("", "location /old/ { rewrite ^/old/(.*)$ /$1 permanent; }");
    for n in 0..100 {
        nginx.put(&format!("{n}.mp4"), &media(10_000 + n * 1234));
    }
    let lab = Lab::new(reading());
    let urls: Vec<_> =
        (0..100).map(|n| nginx.url(&format!("/{}{n}.mp4", if n % 2 == 0 { "" } else { "old/" }))).collect();
    for (n, all) in join_all(urls.iter().map(|url| lab.bytes(url))).await.into_iter().enumerate() {
        assert!(all == media(10_000 + n * 1234), "{n}");
    }
    assert_eq!(lab.failure(&nginx.url("/none.mp4")).await.0, Http(404));
}

#[tokio::test]
async fn a_big_file_fills_memory_up_to_the_budget() {
    let nginx = Nginx::start("", "");
    let big = media(70_000_001);
    nginx.put("big.mp4", &big);
    for budget in [1 << 30, 8 << 20] {
        let lab = Lab::with(reading(), 1, budget, crate::lab::options());
        let fetched = lab.fetcher.fetch(&nginx.url("/big.mp4")).await.unwrap();
        assert_eq!((fetched.payload.len(), fetched.container), (70_000_001, Container::Mp4));
        assert!(bytes(fetched) == big);
        assert_eq!(lab.budget.used(), 0);
    }
}

#[tokio::test]
async fn a_broken_transfer_is_resumed_by_a_real_server() {
    use crate::fault_server::{FaultServer, Then, head};
    let nginx = Nginx::start("", "");
    nginx.put("v.mp4", &media(400_000));
    let target = nginx.url("/v.mp4");
    let etag = head_of(&nginx, "/v.mp4").lines().find(|line| line.starts_with("ETag:")).unwrap().to_owned();
    // The first attempt breaks; the second is sent on to nginx, which holds the same file under the same tag.
    let server = FaultServer::start(move |request, stream| {
        if request.number > 0 {
            return crate::fault_server::respond(stream, "307 Moved", &[&format!("Location: {target}")], b"");
        }
        head(stream, "200 OK", &["Accept-Ranges: bytes", &etag], 400_000)?;
        std::io::Write::write_all(stream, &media(400_000)[..150_000])?;
        Ok(Then::Close)
    });
    let lab = Lab::new(Reading { retries: 1, ..reading() });
    let fetched = lab.fetcher.fetch(&server.url("/")).await.unwrap();
    assert_eq!(fetched.bytes_received, 400_000, "nginx sent the rest only");
    assert!(bytes(fetched) == media(400_000));
}

fn head_of(nginx: &Nginx, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    std::io::Write::write_all(
        &mut stream,
        format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.replace('\r', "")
}
