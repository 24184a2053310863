//! One run of yt-dlp: start, listen, hold to the limits, end.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::folder::Folder;
use super::supervise::{CANNOT_START, SIGNALLED};

/// How often the folder's size is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes on stdout: two descriptions of a video with all its formats are a few megabytes.
const MAX_OUTPUT: usize = 48 << 20;
/// Bytes of stderr that are kept.
const MAX_ERRORS: usize = 256 << 10;
/// To kill and to remove a folder.
const END: Duration = Duration::from_secs(10);
/// Times that a supervisor is started again which a launcher's signal met before it could ignore it.
pub(super) const STARTS: u32 = 3;

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub supervisor: PathBuf,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
    pub limit: Duration,
    /// Bytes of all files together, and of each.
    pub max_bytes: u64,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Exit(i32),
    Signal(i32),
    /// The watching process itself was killed.
    Killed,
    CannotStart,
    Late,
    TooLarge,
    /// More on stdout than any description has.
    Talks,
}

/// What a run left: its words; its files are still in the folder.
pub(super) struct Said {
    pub output: Vec<u8>,
    pub errors: String,
    /// None: yt-dlp ended by itself; its exit code is told by [`Running::end`].
    pub stopped: Option<End>,
}

/// A run under way. Dropping it lets go of the watching process, which kills yt-dlp and removes the folder.
pub(super) struct Running {
    child: Option<Child>,
    /// Closing it is the order to end.
    hold: Option<OwnedFd>,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
}

impl Running {
    /// Starts the watching process. Blocks for the time of a fork.
    pub(super) fn start(order: &Order, folder: &Path) -> io::Result<Self> {
        let ((their_stdin, hold), (stdout, their_stdout), (stderr, their_stderr)) = (piped()?, piped()?, piped()?);
        let mut command = Command::new(&order.supervisor);
        command.arg("site-guard").arg(folder).arg(order.max_bytes.to_string()).arg(&order.program);
        command.args(&order.arguments).env_clear().envs(order.environment.iter().cloned());
        command.stdin(their_stdin).stdout(their_stdout).stderr(their_stderr);
        // A group of its own: signals of a terminal to the rank's group are the rank's to answer.
        let child = command.process_group(0).spawn()?;
        drop(command);
        Ok(Self {
            child: Some(child),
            hold: Some(hold),
            stdout: pipe::Receiver::from_owned_fd(stdout)?,
            stderr: pipe::Receiver::from_owned_fd(stderr)?,
        })
    }

    /// Listens until yt-dlp has ended, or a limit is met.
    pub(super) async fn listen(&mut self, order: &Order, folder: &Arc<Folder>) -> io::Result<Said> {
        let mut said = Said { output: Vec::new(), errors: String::new(), stopped: None };
        let mut errors = Vec::new();
        let end = Instant::now() + order.limit;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut talks, mut complains) = (true, true);
        while said.stopped.is_none() && (talks || complains) {
            tokio::select! {
                read = self.stdout.read_buf(&mut said.output), if talks => {
                    talks = read? > 0;
                    if said.output.len() > MAX_OUTPUT {
                        said.stopped = Some(End::Talks);
                    }
                }
                read = self.stderr.read_buf(&mut errors), if complains => {
                    complains = read? > 0;
                    // The first words tell the cause.
                    said.errors.push_str(&String::from_utf8_lossy(&errors));
                    errors.clear();
                    truncate(&mut said.errors, MAX_ERRORS);
                }
                _ = look.tick() => {
                    let folder = Arc::clone(folder);
                    let bytes = tokio::task::spawn_blocking(move || folder.bytes()).await.map_err(io::Error::other)?;
                    if bytes > order.max_bytes {
                        said.stopped = Some(End::TooLarge);
                    }
                }
                () = tokio::time::sleep_until(end) => said.stopped = Some(End::Late),
            }
        }
        Ok(said)
    }

    /// Ends the run; when this returns, no process and no folder is left. Files that were opened before stay readable.
    pub(super) async fn end(mut self) -> io::Result<End> {
        let (child, hold) = (self.child.take(), self.hold.take());
        let ended = tokio::task::spawn_blocking(move || finish(child, hold)).await;
        Ok(ended.map_err(io::Error::other)?.map_or(End::Killed, |status| match status {
            CANNOT_START => End::CannotStart,
            code if code > SIGNALLED => End::Signal(code - SIGNALLED),
            code => End::Exit(code),
        }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (child, hold) = (self.child.take(), self.hold.take());
        if child.is_some() {
            // Killing takes milliseconds, and this may be the thread that moves all bytes.
            std::thread::spawn(move || finish(child, hold));
        }
    }
}

/// Lets go, and waits. None: the watching process was killed, or had to be.
fn finish(child: Option<Child>, hold: Option<OwnedFd>) -> Option<i32> {
    drop(hold);
    let mut child = child?;
    let begun = std::time::Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.code(),
            Ok(None) if begun.elapsed() < END => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => break,
        }
    }
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let _ = child.wait();
    None
}

fn piped() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

fn truncate(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}
