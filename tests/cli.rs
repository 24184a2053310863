//! The command line of the real binary: exit codes, streams, colour, and what scripts read.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clipmill::sample::FailureClass;
use serde_json::Value;

use common::job::{Ended, Job, clipmill};

fn run(arguments: &[&str]) -> Ended {
    Ended::of(clipmill().args(arguments).output().unwrap())
}

/// A finished job of two rows, which fail for want of permission to reach loopback.
fn finished() -> Job {
    let urls =
        ["http://me:hunter2@127.0.0.1:1/a.mp4?token=hunter2".to_owned(), "http://127.0.0.1:1/\u{1b}[2J".to_owned()];
    let job =
        Job::new(&urls).option("reading.allow_private_networks=false").option("storage.number_sample_per_shard=1");
    job.run().expect(0);
    job
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error} in {}", ended.stdout))
}

#[test]
fn help_and_version_go_to_stdout() {
    for arguments in [&["--help"][..], &["run", "--help"], &["config", "check", "--help"], &["--version"]] {
        let ended = run(arguments).expect(0);
        assert!(!ended.stdout.is_empty() && ended.stderr.is_empty(), "{arguments:?}: {ended:?}");
    }
    let help = run(&["--help"]).stdout;
    assert!(help.contains("Exit codes") && help.contains("75"), "{help}");
}

#[test]
fn usage_errors_are_exit_2_on_stderr() {
    for (arguments, word) in [
        (&[][..], "Usage"),
        (&["frobnicate"], "frobnicate"),
        (&["run"], "CONFIG"),
        (&["run", "download", "--frobnicate"], "--frobnicate"),
        (&["run", "download", "--rank", "1"], "--world"),
        (&["run", "download", "--world", "2"], "--rank"),
        (&["run", "download", "--rank", "-1", "--world", "2"], "-1"),
        (&["run", "download"], "url_list"),
        (&["run", "downlaod"], "download"),
        (&["config", "check", "download", "-o", "reading.retrys=1"], "did you mean `retries`"),
        (&["config", "check", "download", "-o", "nothing"], "-o nothing"),
        (&["config", "show", "/nowhere.yaml"], "/nowhere.yaml"),
        (&["plan", "download"], "url_list"),
        (&["status", "/nowhere"], "/nowhere"),
        (&["verify", "/nowhere"], "/nowhere"),
    ] {
        let ended = run(arguments).expect(2);
        assert!(ended.stdout.is_empty(), "{arguments:?}: {}", ended.stdout);
        assert!(ended.stderr.contains(word), "{arguments:?}: no `{word}` in {}", ended.stderr);
    }
}

#[test]
fn a_rank_outside_the_world_writes_nothing() {
    let job = Job::new(&["http://127.0.0.1:1/a.mp4".to_owned()]);
    for (rank, world) in [("2", "2"), ("0", "0")] {
        let ended = Ended::of(job.command().args(["--rank", rank, "--world", world]).output().unwrap()).expect(2);
        assert!(ended.stderr.contains("--rank"), "{}", ended.stderr);
        assert!(!job.output().exists());
    }
}

#[test]
fn config_check_show_and_schema() {
    let checked = run(&["config", "check", "download"]).expect(0);
    assert!(checked.stdout.is_empty() && checked.stderr.contains("is valid"), "{checked:?}");
    let shown = json(&run(&["config", "show", "--json", "download", "-o", "reading.retries=7"]).expect(0));
    assert_eq!(shown["reading"]["retries"], 7);
    assert!(json(&run(&["config", "schema"]).expect(0))["properties"]["reading"].is_object());
    // What `show` prints is a config.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shown.yaml");
    fs::write(&file, run(&["config", "show", "download"]).expect(0).stdout).unwrap();
    run(&["config", "check", file.to_str().unwrap()]).expect(0);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    for arguments in [&["--help"][..], &["config", "schema"], &["config", "show", "download"], &["doctor", "--json"]] {
        let mut child = clipmill().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_watch_that_nobody_reads_ends() {
    let job = finished();
    fs::remove_file(job.output().join("00001_stats.json")).unwrap();
    let mut child = clipmill().args(["status", "--watch"]).arg(job.output()).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("1 of 2 committed"), "{first}");
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(25) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("still watching");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn results_for_scripts_parse() {
    let job = finished();
    let output = job.output();
    let output = output.to_str().unwrap();
    let table = format!("url_list={}", job.table().display());
    assert_eq!(json(&run(&["status", "--json", output]).expect(0))["committed"], 2);
    assert_eq!(json(&run(&["verify", "--full", "--json", output]).expect(0))["findings"], serde_json::json!([]));
    assert_eq!(json(&run(&["plan", "--json", "download", "-o", &table]).expect(0))["rows"], 2);
    assert!(
        json(&run(&["doctor", "--json", "--output", output]).expect(0)).as_array().is_some_and(|all| all.len() > 4)
    );
    let tar = format!("{output}/00000.tar");
    let lines = run(&["inspect", "--json", &tar]).expect(0).stdout;
    let samples: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(samples[0]["meta"]["error_class"], "address_refused");
    fs::remove_file(job.output().join("00001_stats.json")).unwrap();
    assert_eq!(json(&run(&["status", "--json", output]).expect(75))["committed"], 1);
}

#[test]
fn a_damaged_shard_is_exit_1_and_named() {
    let job = finished();
    let tar = job.output().join("00000.tar");
    let whole = fs::read(&tar).unwrap();
    let damaged = job.folder.path().join("damaged.tar");
    for bytes in [&whole[..700], b"no tar at all, and long enough to hold a header or two".repeat(40).as_slice()] {
        fs::write(&damaged, bytes).unwrap();
        for flags in [&["inspect"][..], &["inspect", "--json"]] {
            let ended = Ended::of(clipmill().args(flags).arg(&damaged).output().unwrap()).expect(1);
            assert!(ended.stdout.is_empty() && ended.stderr.contains("damaged.tar"), "{ended:?}");
        }
    }
    run(&["inspect", "/nowhere.tar"]).expect(1);
    fs::write(&tar, &whole[..700]).unwrap();
    let ended = Ended::of(clipmill().arg("verify").arg(job.output()).output().unwrap()).expect(1);
    assert!(ended.stdout.contains("00000.tar"), "{ended:?}");
}

#[test]
fn other_peoples_tables_do_not_command_the_terminal() {
    let job = finished();
    let tar = job.output().join("00001.tar");
    let ended = Ended::of(clipmill().arg("inspect").arg(tar).output().unwrap()).expect(0);
    assert!(ended.stdout.contains("\\u{1b}[2J") && !ended.stdout.contains('\u{1b}'), "{}", ended.stdout.escape_debug());
}

#[test]
fn secrets_of_urls_stay_in_the_url_column() {
    let job = finished();
    let stderr = job.option("incremental_mode=overwrite").run().expect(0).stderr;
    assert!(stderr.contains("<http://127.0.0.1:1/a.mp4>"), "the failure is logged: {stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn secrets_of_urls_stay_out_of_log_files() {
    let job = finished();
    let logs = job.output().join("_clipmill/logs");
    let logs: String =
        fs::read_dir(logs).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert!(logs.contains("address_refused") && !logs.contains("hunter2"), "{logs}");
    let stats = fs::read_to_string(job.output().join("00000_stats.json")).unwrap();
    assert!(!stats.contains("hunter2"), "{stats}");
}

/// Runs on a terminal of its own and returns what it showed.
fn on_a_terminal(job: &Job, no_colour: Option<&str>) -> String {
    let mut words = vec![env!("CARGO_BIN_EXE_clipmill").to_owned(), "run".to_owned()];
    words.extend(job.arguments().into_iter().map(|word| format!("'{word}'")));
    let mut command = Command::new("script");
    command.args(["-qec", &words.join(" "), "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
    if let Some(value) = no_colour {
        command.env("NO_COLOR", value);
    }
    Ended::of(command.stdin(Stdio::null()).output().expect("`script` is part of util-linux")).stdout
}

#[test]
fn no_color_is_obeyed() {
    const YELLOW: &str = "\u{1b}[33m";
    let job = finished().option("incremental_mode=overwrite");
    assert!(on_a_terminal(&job, None).contains(YELLOW), "a warning on a terminal is coloured");
    let plain = on_a_terminal(&job, Some("1"));
    assert!(plain.contains("warning") && !plain.contains(YELLOW), "{}", plain.escape_debug());
}

#[test]
fn the_manual_lists_every_failure_class_and_no_other() {
    let manual = include_str!("../doc/failures.md");
    let mut listed: Vec<(String, bool)> = Vec::new();
    for line in manual.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (class, rest) = line.split_once('`').unwrap();
        let may_pass = rest.split('|').nth(1).unwrap().trim();
        match class {
            "http_404" => assert_eq!(may_pass, "408, 425, 429, 5xx"),
            _ => listed.push((class.to_owned(), may_pass == "yes")),
        }
    }
    let known: Vec<_> = FailureClass::NAMED.iter().map(|class| (class.to_string(), class.is_transient())).collect();
    assert_eq!(listed, known);
    let passing: Vec<u16> = (100..600).filter(|code| FailureClass::Http(*code).is_transient()).collect();
    assert_eq!(passing, [408, 425, 429].into_iter().chain(500..600).collect::<Vec<_>>());
}
