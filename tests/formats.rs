//! Shards of every format keep the promises of tars: whole or not there, the same bytes, on from where they stopped.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::job::{Job, assert_same, clipmill, stats, verify};
use common::site::Site;

const FORMATS: [&str; 1] = ["hdf5"];

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
    for format in FORMATS {
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

/// The last step of a shard is cut off: what was fetched is not fetched again.
#[test]
fn a_shard_that_cannot_be_made_is_made_of_what_was_fetched() {
    let site = Site::start(40, 3_000);
    for format in FORMATS {
        let job = slow_job(&site, format).option("distribution.heartbeat=0.1").option("distribution.lease_ttl=1");
        // A folder stands where the shard's file is to go.
        let wall = job.output().join(format!("00000.{}", if format == "hdf5" { "h5" } else { format }));
        fs::create_dir_all(wall.join("in the way")).unwrap();
        let log = site.folder.path().join("access.log");
        let requests = || fs::read_to_string(&log).unwrap_or_default().lines().count();
        let _ = job.run();
        assert!(!job.output().join("00000_stats.json").exists(), "{format}");
        fs::remove_dir_all(&wall).unwrap();
        let before = requests();
        job.run().expect(0);
        verify(&job.output());
        assert!(requests() >= before);
    }
}

#[test]
fn damage_is_found() {
    let site = Site::start(40, 3_000);
    for format in FORMATS {
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
