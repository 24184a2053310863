//! A raw-socket HTTP server that misbehaves on command: FAKE where a test needs a fault that no real server commits.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request target: a path, or a whole URL if the server is used as a proxy.
    pub target: String,
    /// Names in small letters.
    pub headers: HashMap<String, String>,
    /// Requests that the server had seen before this one.
    pub number: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What becomes of the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Wait for the next request.
    Keep,
    /// Close in order.
    Close,
    /// Close with bytes unread, so that the peer gets a reset.
    Reset,
}

type Handler = dyn Fn(&Request, &mut TcpStream) -> io::Result<Then> + Send + Sync;

/// A running server; it stops when it is dropped.
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    active: AtomicUsize,
    most_active: AtomicUsize,
    stop: AtomicBool,
}

impl FaultServer {
    /// Serves every request with `handler`, each connection in its own thread.
    pub fn start(handler: impl Fn(&Request, &mut TcpStream) -> io::Result<Then> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let (server, handler): (_, Arc<Handler>) = (Arc::clone(&shared), Arc::new(handler));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if server.stop.load(Ordering::SeqCst) {
                    break;
                }
                server.connections.fetch_add(1, Ordering::SeqCst);
                let (server, handler) = (Arc::clone(&server), Arc::clone(&handler));
                // An error is the client going away, which some tests want.
                thread::spawn(move || drop(serve(&server, &*handler, stream)));
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("no handler panics with the lock").clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The largest number of requests that were being answered at a time.
    pub fn most_active(&self) -> usize {
        self.shared.most_active.load(Ordering::SeqCst)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(server: &Shared, handler: &Handler, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = read_request(server, &mut reader)? {
        let active = server.active.fetch_add(1, Ordering::SeqCst) + 1;
        server.most_active.fetch_max(active, Ordering::SeqCst);
        let then = handler(&request, &mut stream);
        server.active.fetch_sub(1, Ordering::SeqCst);
        match then? {
            Then::Keep => {}
            Then::Close => return stream.shutdown(Shutdown::Both),
            Then::Reset => return reset(&stream),
        }
    }
    Ok(())
}

fn read_request(server: &Shared, reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut requests = server.requests.lock().expect("no handler panics with the lock");
    let request = Request { target, headers, number: requests.len() };
    requests.push(request.clone());
    Ok(Some(request))
}

/// With a linger time of zero, closing sends RST instead of FIN.
fn reset(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the descriptor is open for as long as `stream` lives, and the option's value is a whole `linger`.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Writes a whole response with the right `Content-Length`; `headers` are full lines without line ends.
pub fn respond(stream: &mut TcpStream, status: &str, headers: &[&str], body: &[u8]) -> io::Result<Then> {
    head(stream, status, headers, body.len())?;
    stream.write_all(body)?;
    Ok(Then::Keep)
}

/// Writes a response's head that announces `length` bytes.
pub fn head(stream: &mut TcpStream, status: &str, headers: &[&str], length: usize) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())
}
