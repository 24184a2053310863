//! Python of the virtual environment that tests/rig/setup.sh makes, and a job with failures in it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::common::cluster::root;
use super::common::job::{Ended, Job};
use super::common::site::Site;

pub fn python() -> PathBuf {
    root().join(".venv/bin/python")
}

/// What a script prints as JSON.
#[track_caller]
pub fn ask(script: &str, arguments: &[&str]) -> Value {
    let output = Command::new(python()).args(["-c", script]).args(arguments).output();
    let output = output.expect("`bash tests/rig/setup.sh test` makes .venv");
    let ended = Ended::of(output).expect(0);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// 25 rows in three shards, of which two fail.
pub fn job(site: &Site) -> Job {
    let mut urls: Vec<String> = (0..25).map(|n| site.url(&format!("media/{n}.mp4"))).collect();
    urls[7] = site.url("nothing.mp4");
    urls[23] = site.url("nothing-either.mp4");
    Job::new(&urls).option("reading.retries=0")
}

/// Bytes of the media of such a job.
pub const BYTES: u64 = {
    let (mut n, mut sum) = (0, 0);
    while n < 25 {
        sum += if n == 7 || n == 23 { 0 } else { 1000 + 7 * n };
        n += 1;
    }
    sum
};
