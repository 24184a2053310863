//! The process that runs wandb's own client. Whatever it does, the rank goes on.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::clean_env;

const SOURCE: &str = include_str!("helper.py");
/// Exits with 0 where the package is there, without the seconds that importing it takes.
const PROBE: &str = "import importlib.util, sys; sys.path = [f for f in sys.path if f]; \
                     sys.exit(importlib.util.find_spec('wandb') is None)";
/// Lines that may wait for a helper that does not read.
const WAITING: usize = 1024;
const PROBE_TIME: Duration = Duration::from_secs(20);

/// Why there is no tracker.
#[derive(Debug, thiserror::Error)]
pub enum TrackerError {
    #[error("Weights & Biases (job.enable_wandb): {python} cannot be started: {why}; {REMEDY}")]
    Python { python: String, why: std::io::Error },
    #[error("Weights & Biases (job.enable_wandb): with {python}, {why}; {REMEDY}")]
    Missing { python: String, why: String },
    #[error(
        "Weights & Biases (job.enable_wandb) does not start: {why}. Log in with `wandb login`, set WANDB_MODE=offline, or \
         set job.enable_wandb to false"
    )]
    Refused { why: String },
}

const REMEDY: &str = "install it there (`pip install wandb`), name another Python with telemetry.wandb_python, or set \
                      job.enable_wandb to false";

/// What the helper says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub ready: Option<String>,
    pub url: Option<String>,
    pub error: Option<String>,
    pub missing: bool,
    pub finished: bool,
}

/// A running helper, leader of a process group of its own; killed on drop.
#[derive(Debug)]
pub(super) struct Helper {
    child: Child,
    python: String,
    lines: SyncSender<String>,
    answers: Receiver<Answer>,
}

impl Helper {
    /// Starts it. `folder` takes wandb's files, unless `WANDB_DIR` names another; `log` what it prints.
    pub(super) fn start(python: &str, folder: &Path, log: Option<File>) -> Result<Self, TrackerError> {
        let mut command = command(python, SOURCE);
        if std::env::var_os("WANDB_DIR").is_none() {
            command.env("WANDB_DIR", folder);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(log.map_or_else(Stdio::null, Stdio::from));
        let failed = |why| TrackerError::Python { python: python.to_owned(), why };
        let mut child = command.spawn().map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // Both were asked for above.
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(failed(std::io::Error::other("it has no pipes")));
        };
        let (lines, to_write) = sync_channel(WAITING);
        let (to_tell, answers) = channel();
        let helper = Self { child, python: python.to_owned(), lines, answers };
        // Blocked in a pipe, they end when the helper does, and the helper ends with this value.
        spawn("wandb in", move || write_lines(stdin, &to_write)).map_err(failed)?;
        spawn("wandb out", move || read_answers(stdout, |answer| to_tell.send(answer).is_ok())).map_err(failed)?;
        Ok(helper)
    }

    /// Hands a message over without waiting. False where it had to be left out.
    pub(super) fn send(&self, message: &Value) -> bool {
        self.lines.try_send(format!("{message}\n")).is_ok()
    }

    /// Waits for the word that wandb is ready, as long as `patience` and `go_on` allow: whether it came.
    pub(super) fn ready(&self, patience: Duration, go_on: &dyn Fn() -> bool) -> Result<bool, TrackerError> {
        let begun = Instant::now();
        while begun.elapsed() < patience && go_on() {
            match self.answers.recv_timeout(Duration::from_millis(50)) {
                Ok(Answer { error: Some(why), missing: true, .. }) => {
                    return Err(TrackerError::Missing { python: self.python.clone(), why });
                }
                Ok(Answer { error: Some(why), .. }) => return Err(TrackerError::Refused { why }),
                Ok(Answer { ready: Some(run), url, .. }) => {
                    let at = url.unwrap_or_else(|| "offline".into());
                    tracing::info!("Weights & Biases: run {run}, {at}");
                    return Ok(true);
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let why =
                        "its process ended without a word, see wandb.log in the output's _clipmill/logs".to_owned();
                    return Err(TrackerError::Refused { why });
                }
            }
        }
        Ok(false)
    }

    /// What it has said since, if anything; an error where it is gone.
    pub(super) fn heard(&self) -> Result<Vec<Answer>, Vec<Answer>> {
        let mut heard = Vec::new();
        loop {
            match self.answers.try_recv() {
                Ok(answer) => heard.push(answer),
                Err(std::sync::mpsc::TryRecvError::Empty) => return Ok(heard),
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Err(heard),
            }
        }
    }

    /// Waits until it has ended by itself, as it was told; false where it has not in that time, and is killed. Its stdin
    /// stays open meanwhile: the end of that means a dead rank, and gives it less time.
    pub(super) fn finish(mut self, patience: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Not reaped yet, its id is nobody else's. wandb's own service sees its parent go and ends.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Whether this machine's Python has the package; for ranks that do not log themselves, so that a job that cannot log ends
/// before any of them has begun.
pub(super) fn probe(python: &str) -> Result<(), TrackerError> {
    let mut command = command(python, PROBE);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|why| TrackerError::Python { python: python.to_owned(), why })?;
    let begun = Instant::now();
    while begun.elapsed() < PROBE_TIME {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) => {
                let why = "there is no package wandb".to_owned();
                return Err(TrackerError::Missing { python: python.to_owned(), why });
            }
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    // A slow file system is no reason to refuse: rank 0 asks for itself.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let _ = child.wait();
    Ok(())
}

/// In a group of its own, so that a terminal's signals are the rank's to answer, and with nothing of a launcher's in its
/// environment.
fn command(python: &str, source: &str) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", source]).process_group(0);
    clean_env().iter().for_each(|name| {
        command.env_remove(name);
    });
    command
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

fn write_lines(mut pipe: ChildStdin, lines: &Receiver<String>) {
    while let Ok(line) = lines.recv() {
        if pipe.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_answers(pipe: ChildStdout, mut tell: impl FnMut(Answer) -> bool) {
    for line in BufReader::new(pipe).lines() {
        // Other words are none of ours: a library may have found the old stdout.
        let Ok(line) = line else { return };
        if serde_json::from_str(&line).is_ok_and(|answer| !tell(answer)) {
            return;
        }
    }
}
