//! A worker as a child process: start, measure, kill, reap.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::error::MillError;
use crate::cluster::is_launcher_variable;

/// What a worker gets of the rank's environment. A list of what may pass rather than of what may not: credentials and
/// proxies have no business in a program that parses untrusted media.
const ENVIRONMENT: [&str; 13] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LANG",
    "LC_ALL",
    "TZ",
    "RUST_BACKTRACE",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "ASAN_OPTIONS",
    "UBSAN_OPTIONS",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
];

/// How long a worker that hung up may take to end by itself, so that its own signal is seen and not ours.
const EXIT_TIME: Duration = Duration::from_secs(2);

/// A running worker, leader of a process group of its own. Dropping it kills the group and reaps the worker.
#[derive(Debug)]
pub(super) struct Process {
    /// None once reaped.
    child: Option<Child>,
}

/// The rank's ends: the socket, and what the worker writes to stderr.
pub(super) struct Ends {
    pub socket: OwnedFd,
    pub stderr: OwnedFd,
}

impl Process {
    /// Starts the program with the socket as its stdin. Blocks.
    pub(super) fn start(program: &Path) -> Result<(Self, Ends), MillError> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => MillError::Missing { path: program.to_owned() },
            _ => MillError::Start { path: program.to_owned(), source },
        };
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|errno| failed(errno.into()))?;
        let (stderr, their_stderr) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let mut command = Command::new(program);
        command.stdin(theirs).stdout(Stdio::null()).stderr(their_stderr).env_clear().envs(environment());
        // Its own group: what is killed is the worker with whatever it started, and the signals that a terminal or a
        // launcher sends to the rank's group are the rank's to answer. No `pre_exec`, which would fork the whole rank:
        // the rest of its limits the worker sets itself, before it reads the first byte of media.
        // PR_SET_PDEATHSIG is not used: it fires when the *thread* that started the child ends. The worker watches its
        // socket instead.
        let child = command.process_group(0).spawn().map_err(failed)?;
        Ok((Self { child: Some(child) }, Ends { socket, stderr }))
    }

    /// CPU time of all threads so far. None where the kernel does not say.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()?.as_raw_pid())).ok()?;
        // The name, in parentheses, may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Duration::from_secs_f64((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Resident bytes. None where the kernel does not say.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid()?.as_raw_pid())).ok()?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    /// Ends a worker that hung up: how it ended by itself, or none where it had to be killed. Blocks.
    pub(super) fn end(mut self) -> Option<ExitStatus> {
        let by_itself = self.ends_within(EXIT_TIME);
        let status = self.kill();
        status.filter(|_| by_itself)
    }

    /// Moves the child out, so that it can be ended on another thread.
    pub(super) fn take(&mut self) -> Self {
        Self { child: self.child.take() }
    }

    fn pid(&self) -> Option<Pid> {
        self.child.as_ref().map(Pid::from_child)
    }

    fn ends_within(&self, time: Duration) -> bool {
        let Some(pid) = self.pid() else { return true };
        let start = Instant::now();
        loop {
            // Not reaped yet: until then neither its id nor its group's can become another's.
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG) {
                Ok(Some(_)) => return true,
                Ok(None) if start.elapsed() < time => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return false,
            }
        }
    }

    fn kill(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        // Fails only where all of the group have ended already.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        child.wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(child) = &self.child else { return };
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
        // A killed process is gone within milliseconds, unless the kernel holds it: then this must not hold the async
        // thread that it may be dropped on.
        if self.ends_within(Duration::from_millis(20)) {
            self.kill();
        } else if let Some(mut child) = self.child.take() {
            std::thread::spawn(move || child.wait());
        }
    }
}

fn environment() -> Vec<(OsString, OsString)> {
    let passes = |name: &str| ENVIRONMENT.contains(&name) && !is_launcher_variable(name);
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(passes)).collect()
}
