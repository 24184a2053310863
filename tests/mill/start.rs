//! Programs that cannot be used.

use clipmill::mill::{MillError, Pool};
use serde_json::json;

use crate::lab::{options, program, request};

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
