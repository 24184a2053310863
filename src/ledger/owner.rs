//! Who holds a lease, and whether that process can still be there.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process that may hold leases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub host: String,
    pub pid: u32,
    /// When the process started, in clock ticks since boot: tells a reused pid.
    pub pid_start: u64,
    /// Inode of the pid namespace: pids of two containers on one host say nothing about each other.
    pub pid_namespace: u64,
    /// Changes with every boot of the host; empty where it cannot be read.
    pub boot: String,
    /// An id that all ranks of one job share, also over requeues.
    pub job: Option<String>,
    pub rank: u32,
    /// How often the scheduler restarted the job (`SLURM_RESTART_COUNT`).
    pub restart: u32,
    /// Random: tells processes apart where all else is equal.
    pub nonce: u64,
}

impl Owner {
    /// This process.
    pub fn current(host: impl Into<String>, job: Option<String>, rank: u32, restart: u32) -> Self {
        let pid = std::process::id();
        Self {
            host: host.into(),
            pid,
            pid_start: process_status(pid).map_or(0, |status| status.start),
            pid_namespace: pid_namespace(),
            boot: boot_id(),
            job,
            rank,
            restart,
            nonce: fastrand::u64(..),
        }
    }

    /// Names the run that failures of a shard are counted in: one start of one job, or this process.
    pub(super) fn run(&self) -> String {
        match &self.job {
            Some(job) => format!("{job}+{}", self.restart),
            None => format!("{:016x}", self.nonce),
        }
    }

    /// Whether `self` provably ended, as far as `observer` can tell from its own host.
    pub(super) fn is_gone(&self, observer: &Owner) -> bool {
        let comparable = !self.boot.is_empty()
            && self.boot == observer.boot
            && self.pid_namespace != 0
            && self.pid_namespace == observer.pid_namespace;
        comparable && !is_alive(self.pid, self.pid_start)
    }

    /// Whether `observer` is a later start of the same rank of the same job: the scheduler ended `self` before it
    /// started the observer. On a node that lost its network the old process may live on for a while; then this only
    /// costs work done twice, as commits are first-wins.
    pub(super) fn was_restarted_as(&self, observer: &Owner) -> bool {
        self.job.is_some() && self.job == observer.job && self.rank == observer.rank && self.restart < observer.restart
    }
}

#[derive(Debug)]
struct ProcessStatus {
    state: char,
    start: u64,
}

/// State and start time from `/proc/PID/stat` (proc_pid_stat(5), fields 3 and 22).
fn process_status(pid: u32) -> Option<ProcessStatus> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 2 is the command in parentheses and may hold anything, also parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some(ProcessStatus { state, start })
}

fn is_alive(pid: u32, start: u64) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    // EPERM: it is there, and another user's.
    if test_kill_process(pid) == Err(Errno::SRCH) {
        return false;
    }
    match process_status(pid.as_raw_nonzero().get().unsigned_abs()) {
        Some(status) => status.start == start && !matches!(status.state, 'Z' | 'X'),
        // /proc may hide other users' processes.
        None => true,
    }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn pid_namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self/ns/pid").map_or(0, |metadata| metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Owner {
        Owner::current("host", Some("slurm:1".into()), 3, 1)
    }

    #[test]
    fn a_living_process_is_not_gone() {
        assert!(!me().is_gone(&me()));
        assert!(!Owner { pid: 1, pid_start: process_status(1).unwrap().start, ..me() }.is_gone(&me()));
    }

    #[test]
    fn an_ended_process_is_gone_also_when_its_pid_is_reused_or_it_is_a_zombie() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (pid, alive) = (child.id(), process_status(child.id()));
        while process_status(pid).is_some_and(|status| status.state != 'Z') {
            std::thread::yield_now();
        }
        let ended = Owner { pid, pid_start: alive.unwrap().start, ..me() };
        assert!(ended.is_gone(&me()), "a zombie");
        child.wait().unwrap();
        assert!(ended.is_gone(&me()), "reaped");
        assert!(Owner { pid_start: me().pid_start + 1, ..me() }.is_gone(&me()), "reused pid");
    }

    #[test]
    fn nothing_is_known_of_other_hosts_and_other_containers() {
        let ended = Owner { pid_start: 1, ..me() };
        assert!(ended.is_gone(&me()));
        assert!(!Owner { boot: "other".into(), ..ended.clone() }.is_gone(&me()));
        assert!(!Owner { pid_namespace: 1, ..ended.clone() }.is_gone(&me()));
        assert!(!Owner { boot: String::new(), ..ended }.is_gone(&Owner { boot: String::new(), ..me() }));
    }

    #[test]
    fn only_an_older_start_of_the_same_rank_was_restarted() {
        let old = Owner { restart: 0, ..me() };
        assert!(old.was_restarted_as(&me()));
        assert!(!me().was_restarted_as(&me()), "two steps of one job may both believe to be this rank");
        assert!(!Owner { rank: 4, ..old.clone() }.was_restarted_as(&me()));
        assert!(!Owner { job: None, ..old }.was_restarted_as(&Owner { job: None, ..me() }));
    }
}
