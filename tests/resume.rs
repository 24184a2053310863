//! A job that is cut off goes on where it stopped, whatever cut it off, and ends with the bytes of an undisturbed run.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use common::job::{Ended, Job, assert_same, stats, verify};
use common::site::Site;

fn urls(site: &Site, folder: &str, files: usize) -> Vec<String> {
    (0..files).map(|n| site.url(&format!("{folder}/{n}.mp4"))).collect()
}

fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn partial_bytes(job: &Job) -> u64 {
    let Ok(entries) = fs::read_dir(job.output().join("_clipmill/partial")) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|meta| meta.len()).sum()
}

/// One shard of 40 rows whose files trickle in at 200 kB/s each.
fn slow_job(site: &Site) -> Job {
    Job::new(&urls(site, "slow", 40))
        .option("storage.number_sample_per_shard=40")
        .option("distribution.thread_count=2")
        .option("distribution.heartbeat=0.2")
        .option("distribution.lease_ttl=2")
}

fn undisturbed(site: &Site) -> Job {
    let job = Job::new(&urls(site, "slow", 40)).option("storage.number_sample_per_shard=40");
    job.run().expect(0);
    job
}

#[test]
fn a_drained_rank_exits_with_75_and_the_next_start_goes_on_inside_the_shard() {
    let site = Site::start(40, 60_000);
    let want = undisturbed(&site);
    for signal in ["TERM", "USR1", "INT"] {
        let job = slow_job(&site);
        let child = job.spawn();
        wait_until("some rows are written", || partial_bytes(&job) > 300_000);
        kill(&child, signal);
        let begun = Instant::now();
        let drained = Ended::of(child.wait_with_output().unwrap()).expect(75);
        assert!(begun.elapsed() < Duration::from_secs(30), "a drain takes under 30 s");
        assert!(drained.stderr.contains("run the same command again"), "{}", drained.stderr);
        assert!(!job.output().join("00000.tar").exists());
        let again = job.run().expect(0);
        assert!(again.stderr.contains("going on behind row"), "{}", again.stderr);
        let resumed = stats(&job.output(), "00000")["clipmill"]["resumed_rows"].as_u64().unwrap();
        assert!(resumed >= 3, "{resumed} rows were taken over after {signal}");
        assert_same(&want.snapshot(), &job.snapshot());
        verify(&job.output());
        assert_eq!(files_in(&job.output().join("_clipmill/partial")), 0);
        assert_eq!(files_in(&job.output().join("_clipmill/leases")), 0);
    }
}

#[test]
fn rows_that_finished_behind_a_slow_one_are_not_fetched_again() {
    let site = Site::start(40, 3_000);
    // Row 0 takes 15 s; all others are there at once.
    fs::write(site.folder.path().join("media/0.mp4"), common::site::media_bytes(0, 3_000_000)).unwrap();
    let mut urls = urls(&site, "media", 40);
    urls[0] = site.url("slow/0.mp4");
    let job = Job::new(&urls).option("storage.number_sample_per_shard=40");
    let child = job.spawn();
    let log = site.folder.path().join("access.log");
    let requests = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    wait_until("the fast rows are fetched", || requests() >= 39);
    kill(&child, "TERM");
    std::thread::sleep(Duration::from_millis(2500));
    kill(&child, "TERM");
    Ended::of(child.wait_with_output().unwrap()).expect(75);
    fs::write(&log, "").unwrap();
    // nginx appends to the same file.
    let before = requests();
    job.run().expect(0);
    let again = requests() - before;
    assert_eq!(again, 1, "only row 0 is fetched again");
    verify(&job.output());
    let want = Job::new(&urls).option("storage.number_sample_per_shard=40");
    want.run().expect(0);
    assert_same(&want.snapshot(), &job.snapshot());
}

#[test]
fn a_killed_rank_costs_only_what_was_in_flight() {
    let site = Site::start(40, 60_000);
    let want = undisturbed(&site);
    let job = slow_job(&site);
    let mut child = job.spawn();
    wait_until("a checkpoint with rows", || {
        let leases = common::job::clipmill().args(["status", "--json"]).arg(job.output()).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&leases.stdout).unwrap_or_default();
        status["running"][0]["rows_done"].as_u64().is_some_and(|rows| rows >= 4)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    job.run().expect(0);
    let resumed = stats(&job.output(), "00000")["clipmill"]["resumed_rows"].as_u64().unwrap();
    assert!(resumed >= 4, "{resumed} rows were taken over");
    assert_same(&want.snapshot(), &job.snapshot());
    verify(&job.output());
    assert_eq!(files_in(&job.output().join("_clipmill/partial")), 0);
}

#[test]
fn kills_at_random_moments_lose_and_double_nothing() {
    let site = Site::start(60, 20_000);
    let job = Job::new(&urls(&site, "slow", 60))
        .option("distribution.thread_count=6")
        .option("distribution.heartbeat=0.05")
        .option("distribution.lease_ttl=1");
    let want = Job::new(&urls(&site, "slow", 60));
    want.run().expect(0);
    let mut random = 0x2545_F491_4F6C_DD1Du64;
    for _ in 0..12 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut ranks: Vec<Child> = (0..2)
            .map(|rank| {
                let mut command = job.command();
                command.args(["--rank", &rank.to_string(), "--world", "2"]);
                command.stderr(std::process::Stdio::null()).spawn().unwrap()
            })
            .collect();
        std::thread::sleep(Duration::from_millis(30 + random % 500));
        for rank in &mut ranks {
            rank.kill().unwrap();
            rank.wait().unwrap();
        }
        for name in job.output().read_dir().into_iter().flatten().filter_map(Result::ok).map(|entry| entry.file_name())
        {
            let name = name.to_string_lossy().into_owned();
            if let Some(tar) = name.strip_suffix("_stats.json") {
                let bytes = fs::read(job.output().join(format!("{tar}.tar"))).unwrap();
                assert!(bytes == want.snapshot()[&format!("{tar}.tar")], "{tar}.tar under its final name is not whole");
            }
        }
    }
    job.run().expect(0);
    assert_same(&want.snapshot(), &job.snapshot());
    verify(&job.output());
    assert_eq!(files_in(&job.output().join("_clipmill/partial")), 0, "no debris");
}

#[test]
fn a_frozen_rank_is_replaced_and_can_only_lose_when_it_wakes_up() {
    let site = Site::start(40, 60_000);
    let want = undisturbed(&site);
    let job = slow_job(&site);
    let frozen = job.spawn();
    wait_until("some rows are written", || partial_bytes(&job) > 300_000);
    kill(&frozen, "STOP");
    job.run().expect(0);
    assert_same(&want.snapshot(), &job.snapshot());
    kill(&frozen, "CONT");
    Ended::of(frozen.wait_with_output().unwrap()).expect(0);
    assert_same(&want.snapshot(), &job.snapshot());
    verify(&job.output());
    assert_eq!(files_in(&job.output().join("_clipmill/partial")), 0, "the late owner left nothing");
}

#[test]
fn a_second_signal_stops_at_once_and_nothing_is_half_visible() {
    let site = Site::start(40, 400_000);
    let job = slow_job(&site);
    let child = job.spawn();
    wait_until("the shard is open", || files_in(&job.output().join("_clipmill/leases")) > 0);
    std::thread::sleep(Duration::from_millis(300));
    kill(&child, "TERM");
    std::thread::sleep(Duration::from_millis(2500));
    let begun = Instant::now();
    kill(&child, "TERM");
    Ended::of(child.wait_with_output().unwrap()).expect(75);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!job.output().join("00000.tar").exists());
}

#[test]
fn a_commit_record_cut_in_half_is_set_aside_and_its_shard_redone() {
    let site = Site::start(30, 2_000);
    let job = Job::new(&urls(&site, "media", 30));
    job.run().expect(0);
    let want = job.snapshot();
    let record = job.output().join("00001_stats.json");
    let text = fs::read(&record).unwrap();
    fs::write(&record, &text[..text.len() / 2]).unwrap();
    let again = job.run().expect(0);
    assert!(again.stderr.contains("00001_stats.json"), "{}", again.stderr);
    assert_same(&want, &job.snapshot());
    verify(&job.output());
}

#[test]
fn a_committed_shard_leaves_no_file_of_its_attempt_behind_while_others_are_at_work() {
    let site = Site::start(20, 60_000);
    let job = Job::new(&urls(&site, "slow", 20))
        .option("storage.number_sample_per_shard=5")
        .option("distribution.thread_count=1")
        .option("distribution.heartbeat=0.1")
        .option("distribution.lease_ttl=2");
    let child = job.spawn();
    wait_until("two shards are committed", || job.output().join("00001_stats.json").exists());
    std::thread::sleep(Duration::from_millis(50));
    let left: Vec<String> = fs::read_dir(job.output().join("_clipmill/partial"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("00000."))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    Ended::of(child.wait_with_output().unwrap()).expect(0);
}

#[test]
fn rows_saved_at_a_drain_survive_a_kill_of_the_next_start() {
    let site = Site::start(40, 3_000);
    // Row 0 takes 5 s; all others are there at once.
    fs::write(site.folder.path().join("media/0.mp4"), common::site::media_bytes(0, 1_000_000)).unwrap();
    let mut urls = urls(&site, "media", 40);
    urls[0] = site.url("slow/0.mp4");
    let job = Job::new(&urls)
        .option("storage.number_sample_per_shard=40")
        .option("distribution.heartbeat=0.1")
        .option("distribution.lease_ttl=1");
    let log = site.folder.path().join("access.log");
    let requests = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let child = job.spawn();
    wait_until("the fast rows are fetched", || requests() >= 39);
    kill(&child, "TERM");
    std::thread::sleep(Duration::from_millis(2500));
    kill(&child, "TERM");
    Ended::of(child.wait_with_output().unwrap()).expect(75);
    let mut second = job.spawn();
    std::thread::sleep(Duration::from_millis(1500));
    second.kill().unwrap();
    second.wait().unwrap();
    let before = requests();
    job.run().expect(0);
    assert_eq!(requests() - before, 1, "only row 0 is fetched again");
    verify(&job.output());
}
