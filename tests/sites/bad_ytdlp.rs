//! A yt-dlp that hangs, raves, floods or dies costs its sample, and leaves nothing behind.

use std::fs;

use crate::lab::{Lab, Sample, runs};

/// Runs one sample with a stand-in.
fn with(script: &str, options: &[&str]) -> (Lab, Sample) {
    let lab = Lab::new(&["http://127.0.0.1:9/watch".to_owned()])
        .option("reading.yt_args.hosts=['*']")
        .option("reading.retries=0")
        .stand_in("2026.10.26", script);
    let lab = options.iter().fold(lab, |lab, option| lab.option(option));
    let sample = lab.one();
    (lab, sample)
}

/// Starts a process in a session of its own, which outlives its parent, and notes both.
const BROOD: &str = "here=${0%/*}\necho $$ > $here/pid\nsetsid sh -c 'sleep 1000' &\necho $! > $here/child\n";

#[track_caller]
fn nothing_runs(lab: &Lab) {
    for name in ["pid", "child"] {
        let pid = fs::read_to_string(lab.path(name)).unwrap();
        assert!(!runs(&pid), "{name} {pid} still runs");
    }
}

#[test]
fn one_that_hangs_is_killed_with_all_that_it_started() {
    let (lab, sample) =
        with(&format!("{BROOD}echo x > media-00001.mp4\nsleep 1000"), &["reading.yt_args.run_timeout=1"]);
    sample.failed("timeout", "yt-dlp took longer than 1 s (reading.yt_args.run_timeout)");
    nothing_runs(&lab);
}

#[test]
fn one_that_ends_takes_along_what_it_started() {
    let (lab, sample) = with(&format!("{BROOD}exit 3"), &[]);
    sample.failed("site_error", "yt-dlp ended with 3 and said no reason");
    nothing_runs(&lab);
}

#[test]
fn one_that_raves_names_no_file() {
    let (_, sample) =
        with("head -c 100000 /dev/urandom\necho\necho 'clipmill-done {\"filepath\":\"/etc/passwd\"}'", &[]);
    sample.failed("site_error", "yt-dlp named a file that is not there");
    let (_, sample) = with("echo hello", &[]);
    sample.failed("unsupported_url", "yt-dlp found no video there");
    let (_, sample) = with("while :; do head -c 1000000 /dev/zero; done", &[]);
    sample.failed("site_error", "yt-dlp said more than any video's description has");
    let (_, sample) = with("echo 'ERROR: [a] xyz: what \"it\" is' >&2; exit 1", &[]);
    sample.failed("site_error", "yt-dlp: [a] what \"it\" is");
}

#[test]
fn one_that_floods_the_disk_is_stopped() {
    let message = "yt-dlp's files are larger than 1000000 bytes (reading.max_bytes)";
    // Many files, and then one that the kernel itself stops.
    let many = "n=0\nwhile :; do n=$((n + 1)); head -c 100000 /dev/zero > $n; sleep 0.02; done";
    let (lab, sample) = with(many, &["reading.max_bytes=1000000"]);
    sample.failed("too_large", message);
    assert!(lab.left_on_scratch().is_empty());
    let one = "trap '' XFSZ\nhead -c 3000000 /dev/zero > a || { echo 'ERROR: [Errno 27] File too large' >&2; exit 1; }";
    let (_, sample) = with(one, &["reading.max_bytes=1000000"]);
    sample.failed("too_large", message);
}

#[test]
fn one_that_dies_by_a_signal_says_which() {
    let (_, sample) = with("kill -SEGV $$", &[]);
    sample.failed("site_error", "yt-dlp died by signal 11");
    // What launchers send to every process of a rank it does not even notice.
    let (_, sample) = with("kill -USR1 $$\nkill -TERM $$\nkill -HUP $$\nkill -INT $$\nexit 4", &[]);
    sample.failed("site_error", "yt-dlp ended with 4 and said no reason");
}

#[test]
fn it_sees_its_arguments_a_clean_environment_and_a_copy_of_the_cookies() {
    let cookies = tempfile::NamedTempFile::new().unwrap();
    fs::write(cookies.path(), "# Netscape HTTP Cookie File\n").unwrap();
    let script = "here=${0%/*}\nprintf '%s\\n' \"$@\" > $here/arguments\nenv > $here/environment\npwd > $here/folder\n\
                  ls -ld . | cut -c1-10 > $here/mode\necho changed >> cookies.txt\nexit 1";
    let lab = Lab::new(&["http://127.0.0.1:9/watch?v=--exec".to_owned()])
        .option("reading.yt_args.hosts=['*']")
        .option(&format!("reading.yt_args.cookies={}", cookies.path().display()))
        .stand_in("2026.10.26", script);
    let mut command = lab.command();
    command.env("AWS_SECRET_ACCESS_KEY", "secret").env("CLIPMILL_ANY", "x");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let read = |name: &str| fs::read_to_string(lab.path(name)).unwrap();
    let arguments = read("arguments");
    let lines: Vec<&str> = arguments.lines().collect();
    assert_eq!(lines.first(), Some(&"--ignore-config"));
    assert_eq!(&lines[lines.len() - 2..], ["--", "http://127.0.0.1:9/watch?v=--exec"]);
    assert!(lines.contains(&"--cookies=cookies.txt"));
    assert!(!arguments.contains("clipmill:"), "the gate's password is no secret in a command line");
    let environment = read("environment");
    assert!(environment.contains("https_proxy=http://clipmill:"));
    assert!(!environment.contains("AWS_") && !environment.contains("CLIPMILL_"), "{environment}");
    assert!(read("folder").contains("/scratch/clipmill-site-"));
    assert_eq!(read("mode").trim(), "drwx------");
    assert_eq!(fs::read_to_string(cookies.path()).unwrap(), "# Netscape HTTP Cookie File\n");
}
