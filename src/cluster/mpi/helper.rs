//! The helper as a child process: start, ask, time out, kill.

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process};

use super::super::Env;
use super::error::MpiError;
use super::wire::{self, Kind};

/// How long a helper that ended its side of the talk may take to exit.
const EXIT_TIME: Duration = Duration::from_secs(5);
/// What is kept of the helper's stderr: Open MPI's explanations are long, and the first lines say most.
const STDERR_KEPT: usize = 4096;

type Frame = (Kind, Vec<u8>);

/// A running helper. Dropping it kills it, unless it was given up.
#[derive(Debug)]
pub(super) struct Helper {
    child: Child,
    stdin: Option<ChildStdin>,
    frames: Receiver<std::io::Result<Option<Frame>>>,
    stderr: Stderr,
    /// Whether a PMIx server watches the helper, see [`Helper::give_up`].
    watched: bool,
    parked: bool,
    pub(super) library: Option<String>,
}

impl Helper {
    /// The helper beside this executable, or `CLIPMILL_MPI_HELPER`.
    pub(super) fn path(env: &Env) -> PathBuf {
        const NAME: &str = "clipmill-mpi";
        if let Some(path) = env.get("CLIPMILL_MPI_HELPER") {
            return path.into();
        }
        std::env::current_exe().map_or_else(|_| NAME.into(), |own| own.with_file_name(NAME))
    }

    pub(super) fn start(path: &Path, env: &Env) -> Result<Self, MpiError> {
        let mut command = Command::new(path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // It stays in the rank's process group, by which launchers clean up, and ignores the signals that are the rank's
        // to answer. It ends when its stdin does, so it does not outlive the rank. PR_SET_PDEATHSIG is not used: it
        // fires when the *thread* that started the helper ends.
        // Busy waiting would take the CPU from the rank's own work, and a singleton would start a daemon of its own.
        for (name, value) in [("OMPI_MCA_mpi_yield_when_idle", "1"), ("OMPI_MCA_ess_singleton_isolated", "1")] {
            if !env.has(name) {
                command.env(name, value);
            }
        }
        let start = |source| MpiError::Start { path: path.to_owned(), source };
        let mut child = command.spawn().map_err(start)?;
        keep_pmi_from_other_children(env);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(start(std::io::ErrorKind::BrokenPipe.into()));
        };
        let watched = env.has("PMIX_RANK");
        Ok(Self {
            child,
            stdin,
            frames: listen(stdout),
            stderr: Stderr::collect(stderr),
            watched,
            parked: false,
            library: None,
        })
    }

    pub(super) fn tell(&mut self, step: &'static str, kind: Kind, payload: &[u8]) -> Result<(), MpiError> {
        let sent = match self.stdin.as_mut() {
            Some(stdin) => wire::write(stdin, kind, payload),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(MpiError::Protocol { step, what: error.to_string() })
            }
            Err(_) => Err(self.died(step)),
        }
    }

    /// The next frame, which must be of this kind.
    pub(super) fn hear(&mut self, step: &'static str, want: Kind, patience: Duration) -> Result<Vec<u8>, MpiError> {
        match self.frames.recv_timeout(patience) {
            Ok(Ok(Some((kind, payload)))) if kind == want => Ok(payload),
            Ok(Ok(Some((Kind::Failed, why)))) => {
                Err(MpiError::Protocol { step, what: String::from_utf8_lossy(&why).into_owned() })
            }
            Ok(Ok(Some((Kind::Crashed, signal)))) => {
                self.give_up();
                let how = killed_by(signal.first().copied().unwrap_or_default().into());
                let stderr = self.stderr.text(Duration::ZERO);
                Err(MpiError::Died { library: self.library.clone(), step, how, stderr })
            }
            Ok(Ok(Some((kind, _)))) => Err(MpiError::Protocol { step, what: format!("{kind:?} instead of {want:?}") }),
            Ok(Err(error)) => Err(MpiError::Protocol { step, what: error.to_string() }),
            Ok(Ok(None)) | Err(RecvTimeoutError::Disconnected) => Err(self.died(step)),
            Err(RecvTimeoutError::Timeout) => {
                self.give_up();
                let (library, stderr) = (self.library.clone(), self.stderr.text(Duration::ZERO));
                Err(MpiError::Timeout { library, step, after: patience, stderr })
            }
        }
    }

    /// Waits for the exit after a Finalize; kills where it does not come.
    pub(super) fn end(mut self) {
        self.wait(EXIT_TIME);
    }

    fn died(&mut self, step: &'static str) -> MpiError {
        let how = self.wait(EXIT_TIME).map_or_else(|| "it hung up and had to be killed".into(), describe);
        // A grandchild may hold the pipe open: it is not waited for.
        let stderr = self.stderr.text(Duration::from_secs(1));
        MpiError::Died { library: self.library.clone(), step, how, stderr }
    }

    fn wait(&mut self, time: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < time {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        self.kill();
        None
    }

    fn kill(&mut self) {
        drop(self.stdin.take());
        // Both fail only when the child is reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends a helper that hangs or has crashed. Slurm's PMIx plugin cancels the whole step when a connected process dies before
    /// MPI_Finalize, so under PMIx the helper is only stopped; the launcher's own cleanup ends it after the ranks.
    fn give_up(&mut self) {
        if !self.watched || kill_process(Pid::from_child(&self.child), Signal::STOP).is_err() {
            return self.kill();
        }
        self.wait_for_stop();
        // Its end of the pipe must not be closed while the rank lives.
        std::mem::forget(self.stdin.take());
        self.parked = true;
    }

    /// A stop takes its time, and a rank that ended in between would have the helper see the end of its stdin. One that
    /// is stuck in the kernel is not waited for.
    fn wait_for_stop(&self) {
        let pid = Some(Pid::from_child(&self.child));
        for _ in 0..200 {
            match rustix::process::waitpid(pid, WaitOptions::UNTRACED | WaitOptions::NOHANG) {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if !self.parked {
            self.kill();
        }
    }
}

/// Frames come through a channel, as a pipe cannot be read with a timeout. The thread ends with the helper.
fn listen(mut stdout: ChildStdout) -> Receiver<std::io::Result<Option<Frame>>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        loop {
            let frame = wire::read(&mut stdout);
            let last = !matches!(frame, Ok(Some(_)));
            if sender.send(frame).is_err() || last {
                return;
            }
        }
    });
    receiver
}

/// The first [`STDERR_KEPT`] bytes that the helper wrote to stderr; the rest is read and dropped.
#[derive(Debug)]
struct Stderr {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stderr {
    fn collect(mut pipe: ChildStderr) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&kept);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                let mut kept = sink.lock().unwrap_or_else(PoisonError::into_inner);
                let room = STDERR_KEPT.saturating_sub(kept.len()).min(n);
                kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
            }
        });
        Self { kept, reader }
    }

    /// What there is so far, waiting at most this long for the end.
    fn text(&self, patience: Duration) -> String {
        let start = Instant::now();
        while !self.reader.is_finished() && start.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        readable(&String::from_utf8_lossy(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// One line: rulers and blank lines are dropped, the rest is joined and cut.
fn readable(text: &str) -> String {
    const SHOWN: usize = 400;
    let lines = text.lines().map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric));
    let line = lines.collect::<Vec<_>>().join(" / ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(127), _) => "exit code 127: no MPI library on this node, or not the one it was built with".into(),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => killed_by(signal),
        (None, None) => "it ended".into(),
    }
}

fn killed_by(signal: i32) -> String {
    match signal_hook::low_level::signal_name(signal) {
        Some(name) => format!("killed by {name}"),
        None => format!("killed by signal {signal}"),
    }
}

/// The descriptor to the process manager was the helper's to inherit; no later child of the rank, least of all one
/// that parses media, may have it.
fn keep_pmi_from_other_children(env: &Env) {
    let Some(fd @ 3..) = env.number::<i32>("PMI_FD").ok().flatten() else { return };
    // SAFETY: the number is only handed to fcntl, which answers EBADF where nothing is open under it. This runs at
    // start-up; whatever this process opened itself is close-on-exec already, so setting it changes nothing else.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stderr_is_one_line() {
        assert_eq!(readable("-----\n  no PMI\n\n****\nabort \n"), "no PMI / abort");
        let long = readable(&"ä".repeat(1000));
        assert_eq!(long.chars().count(), 402);
    }
}
