//! A worker for the tests: it does with a sample what the recipe `{"do": …}` says, most of it hostile.
//!
//! Its name also says something: `…-other-version` speaks another protocol, `…-mute` ends before its first word.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clipmill::mill::worker::{Handler, Made, SOCKET_FD, Task, serve};
use clipmill::sample::{Failure, FailureClass};
use serde_json::{Map, Value, json};

struct Hostile;

impl Handler for Hostile {
    fn handle(&mut self, task: Task<'_>) -> Result<Vec<Made>, Failure> {
        let what = task.recipe["do"].as_str().unwrap_or_default().to_owned();
        task.log.line(&format!("[test @ 0x{:x}] about to {what}", std::process::id() + 0x5500_0000));
        match what.as_str() {
            "echo" => echo(&task),
            "fail" => Err(Failure::new(FailureClass::NotMedia, "no\nmedia")),
            "panic" => panic!("a test's panic"),
            "probe" => Ok(vec![Made::new(probe(&task))]),
            "hog" => hog(&task),
            "flood" => made(&task, "bin", &vec![1; 9 << 20]),
            "shout" => shout(),
            "names" => made(&task, "../evil", &[1]),
            other => crash(other),
        }
    }
}

fn made(task: &Task<'_>, extension: &str, bytes: &[u8]) -> Result<Vec<Made>, Failure> {
    let members = vec![(extension.to_owned(), task.outlet.store(bytes)?)];
    Ok(vec![Made { members, ..Made::new(Map::new()) }])
}

fn echo(task: &Task<'_>) -> Result<Vec<Made>, Failure> {
    let mut bytes = Vec::new();
    let mut media = task.media;
    media.read_to_end(&mut bytes).map_err(|e| Failure::new(FailureClass::NotMedia, e.to_string()))?;
    let mut meta = task.meta.clone();
    meta.insert("media_bytes".into(), task.media_bytes.into());
    let half = bytes.len() / 2;
    let store = |bytes| task.outlet.store(bytes);
    let members = vec![("a.bin".to_owned(), store(&bytes[..half])?), ("b.bin".to_owned(), store(&bytes[half..])?)];
    Ok(vec![Made { members, media: task.recipe["keep"].as_str().map(str::to_owned), ..Made::new(meta) }])
}

fn shout() -> Result<Vec<Made>, Failure> {
    for _ in 0..10_000 {
        eprintln!("{}", "x".repeat(100));
    }
    Ok(Vec::new())
}

/// Wants a hundred times what it may have, in pieces that it touches.
fn hog(task: &Task<'_>) -> Result<Vec<Made>, Failure> {
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(vec![1u8; usize::try_from(task.limits.memory_bytes).unwrap_or(usize::MAX)]);
    }
    made(task, "bin", &all.concat())
}

fn crash(what: &str) -> ! {
    match what {
        // SAFETY: the point is that it is not.
        "segv" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "kill" => raise(libc::SIGKILL),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "spin" => spin(),
        "sleep" => std::thread::sleep(Duration::from_secs(600)),
        "garbage" => tell(b"HTTP/1.1 200 OK\r\n\r\n"),
        // A header that announces more than comes.
        "partial" => tell(b"CMWK\x03\x00\x05\x00\xff\x00\x00\x00{\"outputs\":["),
        // As long as a message may be, by its own word.
        "lie" => tell(b"CMWK\x03\x00\x05\x00\xff\xff\xff\xff"),
        // SAFETY: as above; closes what others own.
        "hang up" => unsafe {
            libc::shutdown(SOCKET_FD, libc::SHUT_RDWR);
        },
        "die speaking" => {
            eprintln!("free(): invalid pointer");
            std::process::abort()
        }
        _ => {}
    }
    std::thread::sleep(Duration::from_secs(600));
    std::process::exit(4)
}

fn spin() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(600) {
        std::hint::spin_loop();
    }
}

fn raise(signal: i32) {
    // SAFETY: raises a signal in this process.
    unsafe { libc::raise(signal) };
}

fn tell(bytes: &[u8]) {
    // SAFETY: writes to a descriptor; the worker's own object for it stays the owner.
    unsafe { libc::write(SOCKET_FD, bytes.as_ptr().cast(), bytes.len()) };
    std::process::exit(0)
}

/// What this process can do. Each value is "done", or the error.
fn probe(task: &Task<'_>) -> Map<String, Value> {
    let told = |result: std::io::Result<()>| result.map_or_else(|e| json!(e.to_string()), |()| json!("done"));
    let file = task.recipe["file"].as_str().unwrap_or_default().to_owned();
    let mut found = Map::new();
    found.insert("create".into(), told(std::fs::write(format!("{file}.new"), "x")));
    found.insert("append".into(), told(std::fs::OpenOptions::new().append(true).open(&file).map(|_| ())));
    found.insert("remove".into(), told(std::fs::remove_file(&file)));
    found.insert("read".into(), told(std::fs::read(&file).map(|_| ())));
    let address = task.recipe["address"].as_str().unwrap_or_default();
    found.insert("connect".into(), told(std::net::TcpStream::connect(address).map(|_| ())));
    found.insert("socket".into(), told(std::os::unix::net::UnixDatagram::unbound().map(|_| ())));
    found.insert("program".into(), told(std::process::Command::new("/bin/true").status().map(|_| ())));
    // SAFETY: a child of fork that ends at once; signal 0 only asks.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        found.insert("fork".into(), told(errno(child)));
        found.insert("signal".into(), told(errno(libc::kill(libc::getppid(), 0))));
        let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        found.insert("limits".into(), told(errno(libc::setrlimit(libc::RLIMIT_DATA, &unlimited))));
    }
    let mut media = task.media;
    found.insert("media".into(), told(media.write_all(b"x")));
    let thread = std::thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()));
    found.insert("thread".into(), told(thread));
    found.insert("environment".into(), std::env::vars().map(|(name, _)| name).collect());
    found
}

fn errno(result: i32) -> std::io::Result<()> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

fn main() -> ExitCode {
    let name = std::env::args().next().unwrap_or_default();
    if name.ends_with("-mute") {
        eprintln!("error while loading shared libraries: libx.so");
        return ExitCode::from(127);
    }
    if name.ends_with("-other-version") {
        let hello: &[u8] = b"CMWK\x63\x00\x02\x00\x00\x00\x00\x00";
        // SAFETY: stdin is the socket.
        unsafe { libc::write(0, hello.as_ptr().cast(), hello.len()) };
        std::thread::sleep(Duration::from_secs(5));
        return ExitCode::SUCCESS;
    }
    match serve(|_, _| Hostile) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mill_test_worker: {error}");
            ExitCode::FAILURE
        }
    }
}
