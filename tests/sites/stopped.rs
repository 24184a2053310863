//! A rank that is told to stop, or dies, takes its yt-dlp along.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, runs};

/// A job whose yt-dlp hangs, once that hangs.
fn hanging() -> (Lab, Child) {
    let script =
        "here=${0%/*}\nsetsid sleep 1000 &\necho $! > $here/child\necho x > media\necho $$ > $here/pid\nsleep 1000";
    let lab = Lab::new(&["http://127.0.0.1:9/watch".to_owned()])
        .option("reading.yt_args.hosts=['*']")
        .stand_in("2026.10.26", script);
    let child = lab.command().stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait("yt-dlp does not start", || fs::read_to_string(lab.path("pid")).is_ok_and(|pid| pid.ends_with('\n')));
    assert_eq!(lab.left_on_scratch().len(), 1);
    (lab, child)
}

#[track_caller]
fn wait(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn nothing_is_left(lab: &Lab) {
    for name in ["pid", "child"] {
        let pid = fs::read_to_string(lab.path(name)).unwrap();
        wait(&format!("{name} still runs"), || !runs(&pid));
    }
    wait("the folder is still there", || lab.left_on_scratch().is_empty());
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_rank_that_is_killed_leaves_no_process_and_no_file() {
    let (lab, mut child) = hanging();
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_is_left(&lab);
}

#[test]
fn a_rank_that_stops_now_records_nothing_of_the_sample() {
    let (lab, mut child) = hanging();
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(75));
    nothing_is_left(&lab);
    assert!(!lab.job.output().join("00000_stats.json").exists());
}
