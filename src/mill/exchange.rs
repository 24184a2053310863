//! The rank's side of the talk with one worker.

use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::error::MillError;
use super::limits::Limits;
use super::lines::Lines;
use super::process::{Ends, Process};
use super::seats::Seat;
use super::verdict::{Verdict, describe};
use super::wire::{self, Hello, Kind, Reply, Setup};
use super::worker::GPU_MEMORY_BYTES;
use super::worker::sandbox::SandboxLevel;
use crate::gpu::{DeviceInfo, Missing, Wish};
use crate::sample::SealedFile;

/// Starting is dynamic linking and a sandbox; a cold shared file system may take its time over the libraries.
const START_TIME: Duration = Duration::from_secs(120);
/// How often a worker's CPU time and memory are measured while it works.
const MEASURE: Duration = Duration::from_millis(100);
/// Samples after which a worker is replaced: libraries leak.
const MAX_SERVED: u32 = 500;

/// A process on its way that nobody has spoken to.
pub(super) type Begun = JoinHandle<Result<(Process, Ends), MillError>>;

/// A worker that has said hello.
#[derive(Debug)]
pub(super) struct Worker {
    process: Process,
    socket: UnixStream,
    stderr: Option<pipe::Receiver>,
    arrived: BytesMut,
    pub(super) served: u32,
    pub(super) sandbox: SandboxLevel,
    /// Where it wanted one: its GPU, or why there is none.
    pub(super) gpu: Option<Result<DeviceInfo, Missing>>,
    /// Held for as long as it lives.
    pub(super) seat: Option<Seat>,
}

/// What is sent for one sample.
pub(super) struct Parcel {
    pub frame: Vec<u8>,
    pub media: Arc<SealedFile>,
    pub media_bytes: u64,
    pub outputs: File,
}

impl Worker {
    /// `begun`: a process that was started ahead.
    pub(super) async fn start(
        program: &Path,
        limits: &Limits,
        gpu: Option<Wish>,
        begun: Option<Begun>,
    ) -> Result<Self, MillError> {
        let path = program.to_owned();
        let begun = move || begun.and_then(|thread| thread.join().ok()).unwrap_or_else(|| Process::start(&path));
        let started = tokio::task::spawn_blocking(begun).await;
        let (process, ends) = started.map_err(|error| cannot_start(program, io::Error::other(error)))??;
        let socket = std::os::unix::net::UnixStream::from(ends.socket);
        socket.set_nonblocking(true).map_err(|source| cannot_start(program, source))?;
        let mut worker = Self {
            process,
            socket: UnixStream::from_std(socket).map_err(|source| cannot_start(program, source))?,
            stderr: Some(pipe::Receiver::from_owned_fd(ends.stderr).map_err(|source| cannot_start(program, source))?),
            arrived: BytesMut::new(),
            served: 0,
            sandbox: SandboxLevel::default(),
            gpu: None,
            seat: None,
        };
        let setup = Setup { limits: limits.clone(), gpu };
        let mut lines = Lines::default();
        match timeout(START_TIME, worker.greet(&setup, &mut lines)).await {
            Ok(Ok(hello)) => worker.accept(program, hello),
            Ok(Err(Unfit::Wire(wire::WireError::Version(theirs)))) => {
                Err(version(program, format!("protocol {theirs}"), format!("protocol {}", wire::VERSION)))
            }
            Ok(Err(Unfit::Wire(error))) => Err(died(program, format!("it says {error}"), &lines)),
            Ok(Err(Unfit::HungUp)) => {
                let status = worker.end(&mut lines).await;
                Err(died(program, status.map_or_else(|| "it hung up".into(), describe), &lines))
            }
            Err(_) => Err(died(program, format!("silent for {} s", START_TIME.as_secs()), &lines)),
        }
    }

    fn accept(mut self, program: &Path, hello: Hello) -> Result<Self, MillError> {
        let ours = env!("CARGO_PKG_VERSION");
        if hello.program != ours {
            return Err(version(program, hello.program.chars().take(40).collect(), ours.into()));
        }
        self.sandbox = hello.sandbox;
        self.gpu = hello.gpu;
        Ok(self)
    }

    async fn greet(&mut self, setup: &Setup, lines: &mut Lines) -> Result<Hello, Unfit> {
        let setup = wire::encode(Kind::Setup, setup).map_err(|_| Unfit::HungUp)?;
        self.socket.write_all(&setup).await.map_err(|_| Unfit::HungUp)?;
        loop {
            if let Some((kind, body)) = wire::take(&mut self.arrived).map_err(Unfit::Wire)? {
                return match (kind, wire::body(&body)) {
                    (Kind::Hello, Ok(hello)) => Ok(hello),
                    _ => Err(Unfit::Wire(wire::WireError::Magic)),
                };
            }
            self.read_more(lines).await.map_err(|_| Unfit::HungUp)?;
        }
    }

    /// One sample, within the limits.
    ///
    /// # Errors
    /// The verdict for which the worker must go: it cannot be used again.
    pub(super) async fn exchange(
        &mut self,
        parcel: &Parcel,
        limits: &Limits,
        lines: &mut Lines,
    ) -> Result<Reply, Verdict> {
        let start = Instant::now();
        let cpu_before = self.process.cpu_time().unwrap_or_default();
        let mut measure = interval(MEASURE);
        measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sent = 0;
        loop {
            if let Some((kind, body)) = wire::take(&mut self.arrived).map_err(protocol)? {
                match kind {
                    Kind::Log => lines.log(&wire::body::<String>(&body).map_err(protocol)?),
                    Kind::Reply => {
                        self.served += 1;
                        return wire::body(&body).map_err(protocol);
                    }
                    _ => return Err(Verdict::broke_protocol("a message out of turn")),
                }
                continue;
            }
            tokio::select! {
                biased;
                _ = measure.tick() => self.measure(parcel, limits, cpu_before, start)?,
                more = send_more(&self.socket, parcel, sent), if sent < parcel.frame.len() => match more {
                    Ok(more) => sent += more,
                    Err(_) => return Err(self.verdict(lines, limits).await),
                },
                more = read_more(&self.socket, &mut self.stderr, &mut self.arrived, lines) => {
                    if more.is_err() {
                        return Err(self.verdict(lines, limits).await);
                    }
                }
            }
        }
    }

    /// A few reads of `/proc`, which no disk or network answers: they do not block.
    fn measure(&self, parcel: &Parcel, limits: &Limits, cpu_before: Duration, start: Instant) -> Result<(), Verdict> {
        if start.elapsed() > limits.wall {
            return Err(Verdict::wall(limits));
        }
        if self.process.cpu_time().is_some_and(|cpu| cpu.saturating_sub(cpu_before) > limits.cpu) {
            return Err(Verdict::cpu(limits));
        }
        // The worker's own limit counts private memory only.
        if self.process.resident_bytes().is_some_and(|resident| resident > self.memory(limits)) {
            return Err(Verdict::memory(limits));
        }
        match parcel.outputs.metadata() {
            Ok(file) if file.len() > limits.output_bytes => Err(Verdict::outputs_too_large(limits.output_bytes)),
            _ => Ok(()),
        }
    }

    /// Whether it is better replaced before the next sample.
    pub(super) fn is_worn(&self, limits: &Limits) -> bool {
        self.served >= MAX_SERVED
            || !self.arrived.is_empty()
            || self.process.resident_bytes().is_none_or(|resident| resident > self.memory(limits) / 2)
    }

    /// Bytes that it may have, with those that a GPU's driver takes for itself.
    fn memory(&self, limits: &Limits) -> u64 {
        let own = if matches!(self.gpu, Some(Ok(_))) { GPU_MEMORY_BYTES } else { 0 };
        limits.memory_bytes.saturating_add(own)
    }

    async fn read_more(&mut self, lines: &mut Lines) -> io::Result<()> {
        read_more(&self.socket, &mut self.stderr, &mut self.arrived, lines).await
    }

    /// What a worker died of that hung up. The process is gone afterwards.
    async fn verdict(&mut self, lines: &mut Lines, limits: &Limits) -> Verdict {
        let status = self.end(lines).await;
        Verdict::hung_up(status, lines, limits)
    }

    async fn end(&mut self, lines: &mut Lines) -> Option<ExitStatus> {
        let process = self.process.take();
        let status = tokio::task::spawn_blocking(move || process.end()).await.ok().flatten();
        if let Some(stderr) = &mut self.stderr {
            let mut block = [0; 4096];
            // The group is dead: what it wrote is in the pipe, and nothing else will come.
            while let Ok(n @ 1..) = stderr.try_read(&mut block) {
                lines.stderr(block.get(..n).unwrap_or_default());
            }
        }
        status
    }
}

enum Unfit {
    Wire(wire::WireError),
    HungUp,
}

fn protocol(error: impl std::fmt::Display) -> Verdict {
    Verdict::broke_protocol(&error.to_string())
}

/// Waits for the next bytes on the socket or on stderr. Can be cancelled at any point: nothing is lost.
async fn read_more(
    socket: &UnixStream,
    stderr: &mut Option<pipe::Receiver>,
    arrived: &mut BytesMut,
    lines: &mut Lines,
) -> io::Result<()> {
    let mut block = [0; 4096];
    tokio::select! {
        n = read_socket(socket, arrived) => if n? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) },
        n = read_stderr(stderr.as_mut(), &mut block), if stderr.is_some() => {
            match n {
                Ok(n @ 1..) => lines.stderr(block.get(..n).unwrap_or_default()),
                // The worker closed it, which costs it its last words only.
                Ok(0) | Err(_) => *stderr = None,
            }
            Ok(())
        }
    }
}

async fn read_socket(socket: &UnixStream, arrived: &mut BytesMut) -> io::Result<usize> {
    loop {
        socket.readable().await?;
        arrived.reserve(4096);
        match socket.try_read_buf(arrived) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            n => return n,
        }
    }
}

async fn read_stderr(stderr: Option<&mut pipe::Receiver>, block: &mut [u8]) -> io::Result<usize> {
    match stderr {
        Some(stderr) => stderr.read(block).await,
        None => Ok(0),
    }
}

/// Sends from `sent` on; the descriptors go with the first bytes.
async fn send_more(socket: &UnixStream, parcel: &Parcel, sent: usize) -> io::Result<usize> {
    let rest = parcel.frame.get(sent..).unwrap_or_default();
    let both = [parcel.media.file().as_fd(), parcel.outputs.as_fd()];
    let fds: &[BorrowedFd<'_>] = if sent == 0 { &both } else { &[] };
    socket
        .async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::Error::other("no room for two descriptors"));
            }
            Ok(sendmsg(socket, &[IoSlice::new(rest)], &mut ancillary, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
        })
        .await
}

fn cannot_start(program: &Path, source: io::Error) -> MillError {
    MillError::Start { path: program.to_owned(), source }
}

fn died(program: &Path, how: String, lines: &Lines) -> MillError {
    MillError::Died { path: program.to_owned(), how, stderr: lines.stderr_text() }
}

fn version(program: &Path, theirs: String, ours: String) -> MillError {
    MillError::Version { path: PathBuf::from(program), theirs, ours }
}
