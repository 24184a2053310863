//! Workers that start, and programs that cannot be used.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use clipmill::mill::{MillError, Pool};
use serde_json::json;

use crate::lab::{options, program, request, run};

async fn error(name: &str) -> MillError {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(1);
    options.program = folder.path().join(name);
    std::os::unix::fs::symlink(program(), &options.program).unwrap();
    Pool::new(options).unwrap().run(request(json!({"do": "echo"}), b"media")).await.unwrap_err()
}

#[tokio::test]
async fn a_missing_program_says_what_to_do() {
    let mut options = options(1);
    options.program = "/nowhere/clipmill-worker".into();
    let error = Pool::new(options).unwrap_err();
    assert_eq!(error.class(), clipmill::error::Class::Job);
    assert_eq!(
        error.to_string(),
        "there is no media worker at /nowhere/clipmill-worker: install clipmill-worker beside clipmill, or set \
         CLIPMILL_WORKER to its path"
    );
}

#[tokio::test]
async fn another_version_is_refused() {
    let error = error("worker-other-version").await;
    assert!(matches!(error, MillError::Version { .. }), "{error}");
    assert!(error.to_string().contains("(protocol 99)"), "{error}");
}

#[tokio::test]
async fn a_worker_that_does_not_start_says_why() {
    let error = error("worker-mute").await;
    assert!(matches!(error, MillError::Died { .. }), "{error}");
    assert!(error.to_string().contains("exit code 127"), "{error}");
    assert!(error.to_string().ends_with("error while loading shared libraries: libx.so"), "{error}");
}

#[test]
fn a_worker_by_itself_says_what_it_is_for() {
    let output = std::process::Command::new(program()).stdin(std::process::Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is started by clipmill"));
}

/// A program that notes down each of its starts, and does `first` the first time; and that note.
fn noted(folder: &std::path::Path, first: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let (script, starts) = (folder.join("worker"), folder.join("starts"));
    let text = format!(
        "#!/bin/sh\necho x >>{0}\n[ $(wc -l <{0}) != 1 ] || {first}\nexec {1}\n",
        starts.display(),
        program().display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    (script, starts)
}

fn starts(note: &std::path::Path) -> usize {
    std::fs::read_to_string(note).map_or(0, |text| text.lines().count())
}

fn wait_for_one(note: &std::path::Path) {
    let begun = Instant::now();
    while starts(note) == 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn a_worker_that_was_started_ahead_takes_the_first_sample() {
    let folder = tempfile::tempdir().unwrap();
    let (script, note) = noted(folder.path(), "true");
    let pool = Pool::new(clipmill::mill::PoolOptions { program: script, ..options(1) }).unwrap();
    // No more than there can be at work.
    pool.start_ahead(5);
    wait_for_one(&note);
    assert!(run(&pool, "echo").await.failure.is_none());
    assert!(run(&pool, "echo").await.failure.is_none());
    assert_eq!(starts(&note), 1);
}

#[tokio::test]
async fn another_follows_one_that_died_before_there_was_work() {
    let folder = tempfile::tempdir().unwrap();
    let (script, note) = noted(folder.path(), "exit 1");
    let pool = Pool::new(clipmill::mill::PoolOptions { program: script, ..options(1) }).unwrap();
    pool.start_ahead(1);
    wait_for_one(&note);
    assert!(run(&pool, "echo").await.failure.is_none());
    assert_eq!(starts(&note), 2);
}
