//! Signals and the job's end, as a real process gets them.

mod common;
mod example;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use common::job::Job;
use example::example;

struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(drain: &str, end: Option<SystemTime>) -> Self {
        let mut command = Command::new(example("stop"));
        for name in clipmill::cluster::clean_env() {
            command.env_remove(name);
        }
        if let Some(end) = end {
            let seconds = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            command.env("CLIPMILL_END_TIME", seconds.to_string());
        }
        let mut child = command.arg(drain).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Self { child, lines };
        assert_eq!(process.line(), "ready");
        process
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it ended").unwrap()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }
}

#[test]
fn each_signal_drains() {
    for name in ["TERM", "INT", "USR1", "USR2", "HUP"] {
        let mut process = Process::start("0.1", None);
        process.signal(&format!("-{name}"));
        assert!(process.line().ends_with(&format!("Drain: SIG{name}")), "{name}");
        assert_eq!(process.child.wait().unwrap().code(), Some(75), "{name}");
    }
}

#[test]
fn a_warning_that_comes_twice_is_one_warning() {
    let mut process = Process::start("1", None);
    process.signal("-USR1");
    assert!(process.line().ends_with("Drain: SIGUSR1"));
    process.signal("-USR1");
    assert_eq!(process.child.wait().unwrap().code(), Some(75));
}

#[test]
fn an_order_after_a_notice_stops_now() {
    let mut process = Process::start("600", None);
    process.signal("-USR1");
    assert!(process.line().ends_with("Drain: SIGUSR1"));
    std::thread::sleep(Duration::from_millis(2200));
    process.signal("-TERM");
    assert!(process.line().ends_with("Now: SIGTERM, after SIGUSR1"));
    assert_eq!(process.child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_end_of_the_job_drains() {
    let mut process = Process::start("0.1", Some(SystemTime::now() + Duration::from_secs(4)));
    let line = process.line();
    assert!(line.contains("Drain: the job ends in"), "{line}");
    assert_eq!(process.child.wait().unwrap().code(), Some(75));
}

#[test]
fn a_signal_while_mpi_starts_drains_too() {
    let job = Job::new(&["http://127.0.0.1:9/never-asked-for.mp4".into()]);
    let (helper, started) = (job.folder.path().join("fake-helper"), job.folder.path().join("started"));
    fs::write(&helper, format!("#!/bin/sh\ntouch {}\nexec sleep 60\n", started.display())).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = job.command();
    command.envs([("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2"), ("CLIPMILL_MPI_TIMEOUT", "2")]);
    let mut rank = command.env("CLIPMILL_MPI_HELPER", helper).stderr(Stdio::null()).spawn().unwrap();
    while !started.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-USR1", &rank.id().to_string()]).status().unwrap().success());
    assert_eq!(rank.wait().unwrap().code(), Some(75));
}
