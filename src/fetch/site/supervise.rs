//! The process between a rank and one yt-dlp.
//!
//! It is this program again, under a hidden command. It sees to it that neither a process nor a file outlives the sample,
//! whatever becomes of the rank: when the rank lets go of the pipe that is its stdin, or dies, it kills yt-dlp with
//! all that was started by it, and removes the sample's folder. A signal to the parent's death would reach yt-dlp only,
//! not what yt-dlp has started, and would fire when the thread ends that started it.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, kill_process, kill_process_group, set_child_subreaper, setrlimit, wait,
};

/// The exit code where the program cannot be started at all.
pub(super) const CANNOT_START: i32 = 127;

/// Added to a signal's number.
pub(super) const SIGNALLED: i32 = 128;

/// What may pass from the end of yt-dlp to that of all that it has started.
const SWEEPS: u32 = 200;

/// Runs `program` in `folder`, where no file may have more than `file_bytes`, to its end or until stdin closes; then kills
/// what is left, waits for stdin to close, and removes the folder. Returns the exit code for this process: the
/// program's own, or 128 and its signal.
pub fn supervise(folder: &Path, file_bytes: u64, program: &Path, arguments: &[OsString]) -> i32 {
    ignore_signals();
    // What yt-dlp starts becomes ours when yt-dlp ends, even in a process group of its own.
    let _ = set_child_subreaper(Some(rustix::process::getpid()));
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // Python turns a write beyond the limit into an error that yt-dlp reports.
    let _ = setrlimit(Resource::Fsize, limit(file_bytes));
    let _ = setrlimit(Resource::Core, limit(0));
    let mut command = Command::new(program);
    let started = command.args(arguments).current_dir(folder).stdin(Stdio::null()).process_group(0).spawn();
    let code = match started {
        Ok(mut child) => {
            // The rank takes the end of its pipes for the end of yt-dlp.
            let running = Arc::new(Mutex::new(Some(Pid::from_child(&child))));
            silence();
            let watcher = watch_stdin(Arc::clone(&running));
            let group = Pid::from_child(&child);
            let status = child.wait();
            *running.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let _ = kill_process_group(group, Signal::KILL);
            sweep();
            let _ = watcher.join();
            status.map_or(CANNOT_START, code)
        }
        Err(error) => {
            eprintln!("ERROR: cannot start yt-dlp: {error}");
            silence();
            wait_for_end();
            CANNOT_START
        }
    };
    remove(folder);
    code
}

/// The rank may be removing it at the same moment, which makes either of us stumble.
fn remove(folder: &Path) {
    for _ in 0..20 {
        let _ = std::fs::remove_dir_all(folder);
        if !folder.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal)).unwrap_or(CANNOT_START)
}

/// Launchers signal every process of a rank. They mean the rank, which says by the pipe what it wants; what is ignored
/// here is ignored by yt-dlp too.
fn ignore_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2] {
        // SAFETY: ignoring a signal runs no handler; no other thread of this process exists yet.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Lets go of stdout and stderr, which yt-dlp alone writes to from now on.
fn silence() {
    if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

fn wait_for_end() {
    let mut byte = [0];
    let mut stdin = std::io::stdin();
    while matches!(stdin.read(&mut byte), Ok(1)) {}
}

/// Kills the group when the rank lets go; while the child is not reaped, its id is nobody else's.
fn watch_stdin(running: Arc<Mutex<Option<Pid>>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        wait_for_end();
        if let Some(pid) = *running.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    })
}

/// Kills and reaps what came to us from yt-dlp, until there is nothing left.
fn sweep() {
    for _ in 0..SWEEPS {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Err(_) => return,
        }
    }
}

/// The ids of all children, of whichever thread.
fn children() -> Vec<Pid> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let ids = |list: String| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<i32>>();
    lists.flat_map(ids).filter_map(Pid::from_raw).collect()
}
