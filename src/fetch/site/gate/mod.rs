//! The gate: the one way out for yt-dlp.
//!
//! yt-dlp resolves names and follows redirects by itself. So it is given an HTTP proxy on loopback, in the rank, which
//! connects only to addresses that a URL of the table may lead to, and counts the bytes that come. Each sample has a gate
//! of its own, which closes with it; a password keeps the other users of the node out.

mod dial;
mod head;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use crate::sample::{Failure, FailureClass};
use dial::Dialed;
use head::Head;

pub(super) use dial::Dialer;

/// Bytes that are moved at a time.
const BLOCK: usize = 64 << 10;

/// An open gate; dropping it closes all its connections.
#[derive(Debug)]
pub(super) struct Gate {
    address: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    dialer: Arc<Dialer>,
    /// What `Proxy-Authorization` must say.
    password: String,
    received: AtomicU64,
    /// The first connection that was not made, and why.
    trouble: Mutex<Option<Failure>>,
}

impl Gate {
    /// Opens a gate on a free port of loopback.
    ///
    /// # Errors
    /// No port, no descriptor, or no randomness left.
    pub(super) async fn open(dialer: Arc<Dialer>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let secret = secret()?;
        let password = format!("Basic {}", base64(format!("clipmill:{secret}").as_bytes()));
        let shared = Shared { dialer, password, received: AtomicU64::new(0), trouble: Mutex::new(None) };
        let shared = Arc::new(shared);
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address: format!("http://clipmill:{secret}@127.0.0.1:{port}"), shared, task })
    }

    /// The proxy's URL, password included: for the environment of the process, which other users cannot read.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Bytes that came in so far.
    pub(super) fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Why a connection was not made; of several the first.
    pub(super) fn trouble(&self) -> Option<Failure> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                // What breaks here, yt-dlp sees as a broken connection.
                connections.spawn(async move { drop(shared.connection(stream).await) });
            }
            // Out of descriptors: yt-dlp's own time-out is its answer, if none becomes free.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}

impl Shared {
    /// One connection of yt-dlp: one tunnel, or one request.
    async fn connection(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut arrived = Vec::new();
        let head = loop {
            let Some(head) = Head::read(&mut client, &mut arrived).await? else { return Ok(()) };
            if head.get("proxy-authorization") == Some(self.password.as_str()) {
                break head;
            }
            if head.get("content-length").is_some() || head.get("transfer-encoding").is_some() {
                return Ok(());
            }
            let wants = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"clipmill\"\r\n\
                         Content-Length: 0\r\n\r\n";
            client.write_all(wants.as_bytes()).await?;
        };
        let mut words = head.first.split(' ');
        let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
            return answer(&mut client, "400 Bad Request").await;
        };
        if !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return answer(&mut client, "400 Bad Request").await;
        }
        let is_tunnel = method == "CONNECT";
        let url = if is_tunnel { Url::parse(&format!("https://{target}")) } else { Url::parse(target) };
        let url = match url {
            Ok(url) if url.scheme() == "https" && is_tunnel || url.scheme() == "http" && !is_tunnel => url,
            _ => return answer(&mut client, "400 Bad Request").await,
        };
        match self.dialer.dial(&url).await {
            Ok(dialed) if is_tunnel => self.tunnel(client, arrived, &url, dialed).await,
            Ok(dialed) => self.request(client, arrived, &head, (method, &url), dialed).await,
            Err(failure) => {
                let status = match failure.class {
                    FailureClass::AddressRefused => "403 Forbidden by clipmill's address guard",
                    FailureClass::Timeout => "504 Gateway Timeout",
                    _ => "502 Bad Gateway",
                };
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                answer(&mut client, status).await
            }
        }
    }

    async fn tunnel(&self, mut client: TcpStream, early: Vec<u8>, url: &Url, dialed: Dialed) -> io::Result<()> {
        let mut server = dialed.stream;
        match dialed.proxy {
            None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
            // Its answer is the answer.
            Some(authorization) => {
                let port = url.port_or_known_default().unwrap_or(443);
                let to = format!("{}:{port}", url.host_str().unwrap_or_default());
                let authorization = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n"));
                let authorization = authorization.unwrap_or_default();
                let head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{authorization}\r\n");
                server.write_all(head.as_bytes()).await?;
            }
        }
        server.write_all(&early).await?;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let (up, down) =
            tokio::join!(copy(from_client, to_server, None), copy(from_server, to_client, Some(&self.received)));
        up.and(down)
    }

    /// Passes one request on, and its answer back. The connection ends with it: the next request may go elsewhere.
    async fn request(
        &self,
        mut client: TcpStream,
        early: Vec<u8>,
        head: &Head,
        (method, url): (&str, &Url),
        dialed: Dialed,
    ) -> io::Result<()> {
        let body: u64 = match (head.get("content-length").map(str::parse), head.get("transfer-encoding")) {
            (None, None) => 0,
            (Some(Ok(length)), None) => length,
            _ => return answer(&mut client, "411 Length Required").await,
        };
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let host = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let (first, mut extra) = match &dialed.proxy {
            None => (format!("{method} {path} HTTP/1.1"), Vec::new()),
            Some(authorization) => {
                let extra = authorization.iter().map(|value| ("Proxy-Authorization", value.as_str())).collect();
                (format!("{method} http://{host}{path} HTTP/1.1"), extra)
            }
        };
        if head.get("host").is_none() {
            extra.push(("Host", &host));
        }
        let mut server = dialed.stream;
        server.write_all(&head.pass_on(&first, &extra)).await?;
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let up = upload(&mut from_client, early, body, &mut to_server);
        let down = self.download(&mut from_server, &mut to_client);
        tokio::pin!(up, down);
        tokio::select! {
            // A server may answer before it has everything.
            done = &mut down => done,
            sent = &mut up => {
                sent?;
                down.await
            }
        }
    }

    async fn download(&self, server: &mut OwnedReadHalf, client: &mut OwnedWriteHalf) -> io::Result<()> {
        let mut arrived = Vec::new();
        loop {
            let Some(head) = Head::read(server, &mut arrived).await? else { return Ok(()) };
            let is_interim = head.first.split(' ').nth(1).is_some_and(|status| status.starts_with('1'));
            if !is_interim {
                client.write_all(&head.pass_on(&head.first, &[])).await?;
                break;
            }
        }
        self.received.fetch_add(arrived.len() as u64, Ordering::Relaxed);
        client.write_all(&arrived).await?;
        drop(arrived);
        pump(server, client, Some(&self.received)).await?;
        client.shutdown().await
    }
}

async fn upload(client: &mut OwnedReadHalf, early: Vec<u8>, body: u64, server: &mut OwnedWriteHalf) -> io::Result<()> {
    let early = early.get(..early.len().min(usize::try_from(body).unwrap_or(usize::MAX))).unwrap_or_default();
    server.write_all(early).await?;
    pump(&mut client.take(body - early.len() as u64), server, None).await
}

async fn answer(client: &mut TcpStream, status: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(head.as_bytes()).await?;
    client.shutdown().await
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Option<&AtomicU64>) -> io::Result<()> {
    let done = pump(&mut from, &mut to, count).await;
    let _ = to.shutdown().await;
    done
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    count: Option<&AtomicU64>,
) -> io::Result<()> {
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        block.clear();
        let read = from.take(BLOCK as u64).read_buf(&mut block).await?;
        if read == 0 {
            return Ok(());
        }
        if let Some(count) = count {
            count.fetch_add(read as u64, Ordering::Relaxed);
        }
        to.write_all(&block).await?;
    }
}

/// 128 bits that nobody guesses.
fn secret() -> io::Result<String> {
    use std::io::Read;
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(crate::sample::hex(&bytes))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0usize, |bits, n| bits << 8 | usize::from(chunk.get(n).copied().unwrap_or(0)));
        for n in 0..4 {
            let digit = ALPHABET.get(bits >> (18 - 6 * n) & 63).copied().unwrap_or(b'=');
            text.push(if n <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
