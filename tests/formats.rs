//! Shards of every format keep the promises of tars: whole or not there, the same bytes, on from where they stopped.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::job::{Job, assert_same, clipmill, stats, verify};
use common::site::Site;

/// Format and extension.
const FORMATS: [(&str, &str); 2] = [("hdf5", "h5"), ("tfrecord", "tfrecord")];

/// One shard of 40 rows whose files trickle in at 200 kB/s each.
fn slow_job(site: &Site, format: &str) -> Job {
    let urls: Vec<String> = (0..40).map(|n| site.url(&format!("slow/{n}.mp4"))).collect();
    Job::new(&urls).option("storage.number_sample_per_shard=40").option(&format!("output_format={format}"))
}

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_rank_goes_on_inside_the_shard() {
    let site = Site::start(40, 40_000);
    for (format, _) in FORMATS {
        let want = slow_job(&site, format);
        want.run().expect(0);
        let job = slow_job(&site, format)
            .option("distribution.thread_count=4")
            .option("distribution.heartbeat=0.1")
            .option("distribution.lease_ttl=1");
        let mut child = job.spawn();
        wait_until("a checkpoint with rows", || {
            let status = clipmill().args(["status", "--json"]).arg(job.output()).output().unwrap();
            let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
            status["running"][0]["rows_done"].as_u64().is_some_and(|rows| rows >= 4)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let shown: Vec<_> = fs::read_dir(job.output()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(shown, ["_clipmill"], "{format}: nothing is visible before it is whole");
        job.run().expect(0);
        assert!(stats(&job.output(), "00000")["clipmill"]["resumed_rows"].as_u64().unwrap() >= 4, "{format}");
        assert_same(&want.snapshot(), &job.snapshot());
        verify(&job.output());
        assert_eq!(fs::read_dir(job.output().join("_clipmill/partial")).unwrap().count(), 0, "{format}: no debris");
    }
}

/// What was whole when its last step was cut off is not fetched again.
#[test]
fn a_shard_whose_last_step_fails_is_made_of_what_was_fetched() {
    let site = Site::start(40, 3_000);
    for (format, extension) in FORMATS {
        let want = slow_job(&site, format);
        want.run().expect(0);
        let job = slow_job(&site, format);
        let folder = job.output().join("_clipmill/partial");
        let log = site.folder.path().join("access.log");
        let requests = || fs::read_to_string(&log).unwrap_or_default().lines().count();
        let mut child = job.spawn();
        // Stopped as soon as the file of the last step is there, whole or not.
        let made = || {
            fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .filter_map(Result::ok)
                .any(|entry| entry.file_name().to_string_lossy().ends_with(extension))
        };
        wait_until("the last step", || made() || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        let before = requests();
        job.run().expect(0);
        assert_eq!(requests(), before, "{format}: nothing is fetched again");
        assert_same(&want.snapshot(), &job.snapshot());
        verify(&job.output());
    }
}

#[test]
fn a_dummy_keeps_the_counts() {
    let site = Site::start(40, 3_000);
    let job = slow_job(&site, "dummy");
    job.run().expect(0);
    let mut names: Vec<_> = fs::read_dir(job.output()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["00000_stats.json", "_clipmill"]);
    let stats = stats(&job.output(), "00000");
    assert_eq!((&stats["count"], &stats["successes"]), (&40.into(), &40.into()));
    verify(&job.output());
    job.run().expect(0);
}

#[test]
fn damage_is_found() {
    let site = Site::start(40, 3_000);
    for (format, _) in FORMATS {
        let job = slow_job(&site, format);
        job.run().expect(0);
        for (name, bytes) in job.snapshot() {
            let path = job.output().join(&name);
            let mut spoiled = bytes.clone();
            let middle = spoiled.len() / 2;
            spoiled[middle] ^= 1;
            fs::write(&path, &spoiled).unwrap();
            let found = clipmill().args(["verify", "--full"]).arg(job.output()).output().unwrap();
            let found = common::job::Ended::of(found).expect(1);
            assert!(found.stdout.contains(&format!("{name} has SHA-256")), "{}", found.stdout);
            fs::write(&path, &bytes[..middle]).unwrap();
            let found = clipmill().arg("verify").arg(job.output()).output().unwrap();
            common::job::Ended::of(found).expect(1);
            fs::write(&path, &bytes).unwrap();
        }
        verify(&job.output());
    }
}
