//! The main job through the real binary: a table, a real web server, shards.

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::job::{Ended, Job, assert_same, clipmill, members, snapshot, stats, verify};
use common::site::{Site, media_bytes};

fn urls(site: &Site, folder: &str, files: usize) -> Vec<String> {
    (0..files).map(|n| site.url(&format!("{folder}/{n}.mp4"))).collect()
}

#[test]
fn rows_become_samples_in_order_and_each_failure_says_why() {
    let site = Site::start(23, 3000);
    let mut urls = urls(&site, "media", 23);
    urls[4] = site.url("nothing.mp4");
    urls[5] = site.url("page.mp4");
    urls[6] = String::new();
    urls[7] = "ftp://127.0.0.1/x.mp4".into();
    let job = Job::new(&urls);
    fs::write(job.table(), fs::read_to_string(job.table()).unwrap() + "only one field\n").unwrap();
    job.run().expect(0);

    let names: Vec<String> = members(&job.output().join("00000.tar")).into_iter().map(|(name, _)| name).collect();
    let key = |n: usize| format!("{n:06}");
    let want: Vec<String> = (0..10)
        .flat_map(|n| {
            let extensions: &[&str] = if (4..8).contains(&n) { &["json", "txt"] } else { &["json", "mp4", "txt"] };
            extensions.iter().map(move |extension| format!("{}.{extension}", key(n)))
        })
        .collect();
    assert_eq!(names, want);

    let all = members(&job.output().join("00000.tar"));
    let body = |name: &str| &all.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(body("000003.mp4"), &media_bytes(3, 3000 + 7 * 3));
    assert_eq!(body("000003.txt"), b"clip 3, with a comma");
    let json: serde_json::Value = serde_json::from_slice(body("000004.json")).unwrap();
    assert_eq!(json["id"], 4, "a column of integers stays integers");
    assert_eq!((json["status"].as_str(), json["error_class"].as_str()), (Some("failed_to_download"), Some("http_404")));
    let counts = stats(&job.output(), "00000");
    assert_eq!((counts["count"].as_u64(), counts["successes"].as_u64()), (Some(10), Some(6)));
    for class in ["http_404", "not_media", "no_url", "bad_url"] {
        assert_eq!(counts["status_dict"][class], 1, "{class}: {counts:#}");
    }
    assert_eq!(stats(&job.output(), "00002")["status_dict"]["bad_row"], 1);
    verify(&job.output());
}

#[test]
fn a_second_run_does_nothing_and_leaves_every_byte() {
    let site = Site::start(12, 2000);
    let job = Job::new(&urls(&site, "media", 12));
    job.run().expect(0);
    let times = || -> Vec<_> {
        let entries = fs::read_dir(job.output()).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files.map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap())).collect()
    };
    let before = times();
    drop(site);
    job.run().expect(0);
    assert_eq!(before, times());
}

#[test]
fn the_bytes_do_not_depend_on_how_many_ranks_wrote_them() {
    let site = Site::start(95, 4000);
    let mut urls = urls(&site, "media", 95);
    urls[40] = site.url("nothing.mp4");
    let alone = Job::new(&urls);
    alone.run().expect(0);

    // Slow enough that no rank can do it all before the others have started.
    let together =
        Job::new(&urls).option("distribution.thread_count=3").option("reading.requests_per_second_per_host=80");
    let ranks: Vec<_> = (0..4)
        .map(|rank| {
            let mut command = together.command();
            command.args(["--rank", &rank.to_string(), "--world", "4"]);
            std::thread::spawn(move || Ended::of(command.output().unwrap()))
        })
        .collect();
    for rank in ranks {
        rank.join().unwrap().expect(0);
    }
    assert_same(&alone.snapshot(), &together.snapshot());
    verify(&together.output());
    let writers: BTreeSet<u64> = (0..10)
        .map(|n| stats(&together.output(), &format!("{n:05}"))["clipmill"]["writer"]["rank"].as_u64().unwrap())
        .collect();
    assert!(writers.len() > 1, "more than one rank wrote: {writers:?}");
}

#[test]
fn two_jobs_started_on_one_output_share_the_work() {
    let site = Site::start(60, 4000);
    let job = Job::new(&urls(&site, "media", 60));
    let other = Job::new(&urls(&site, "media", 60));
    other.run().expect(0);
    let started: Vec<_> = (0..2).map(|_| job.spawn()).collect();
    for child in started {
        Ended::of(child.wait_with_output().unwrap()).expect(0);
    }
    assert_same(&other.snapshot(), &job.snapshot());
    verify(&job.output());
}

#[test]
fn memory_stays_bounded_with_files_larger_than_the_budget() {
    const MIB: u64 = 1 << 20;
    let site = Site::start(12, 24 << 20);
    let job = Job::new(&urls(&site, "media", 12)).option("distribution.memory_budget=32MiB");
    // VmHWM of the rank itself: sampled until it ends, so the last sample may miss the very end.
    let mut child = job.spawn();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_rss(child.id()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    verify(&job.output());
    assert!(peak > 10 * MIB, "nothing was measured");
    assert!(peak <= (128 + 32) * MIB, "the rank's peak was {} MiB", peak / MIB);
}

fn peak_rss(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[test]
fn too_many_failures_are_an_exit_code_of_their_own() {
    let site = Site::start(2, 1000);
    let mut urls = urls(&site, "media", 2);
    urls.push(site.url("nothing.mp4"));
    Job::new(&urls).option("max_failed_fraction=0.1").run().expect(3);
    Job::new(&urls).option("max_failed_fraction=0.5").run().expect(0);
}

#[test]
fn failed_samples_can_be_left_out_of_the_tar_but_not_out_of_the_books() {
    let site = Site::start(3, 1000);
    let mut urls = urls(&site, "media", 3);
    urls[1] = site.url("nothing.mp4");
    let job = Job::new(&urls).option("storage.failed_samples=false");
    job.run().expect(0);
    let names: Vec<String> = members(&job.output().join("00000.tar")).into_iter().map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name.starts_with("000001")), "{names:?}");
    assert_eq!(stats(&job.output(), "00000")["count"], 3);
    verify(&job.output());
}

#[test]
fn verify_finds_a_flipped_byte_a_missing_file_and_a_cut_record() {
    let site = Site::start(30, 2000);
    let job = Job::new(&urls(&site, "media", 30));
    job.run().expect(0);
    let tar = job.output().join("00001.tar");
    let mut bytes = fs::read(&tar).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&tar, bytes).unwrap();
    let check = |full: &[&str]| Ended::of(clipmill().arg("verify").args(full).arg(job.output()).output().unwrap());
    check(&[]).expect(0);
    let full = check(&["--full"]).expect(1);
    assert!(full.stdout.contains("00001.tar has SHA-256"), "{}", full.stdout);
    fs::remove_file(job.output().join("00002.parquet")).unwrap();
    let quick = check(&[]).expect(1);
    assert!(quick.stdout.contains("00002.parquet cannot be found"), "{}", quick.stdout);
    let record = job.output().join("00000_stats.json");
    let text = fs::read(&record).unwrap();
    fs::write(&record, &text[..text.len() / 2]).unwrap();
    let cut = check(&[]).expect(1);
    assert!(cut.stdout.contains("00000_stats.json is not a whole commit record"), "{}", cut.stdout);
}

#[test]
fn status_and_inspect_tell_what_is_there() {
    let site = Site::start(12, 1000);
    let mut urls = urls(&site, "media", 12);
    urls[3] = site.url("nothing.mp4");
    let job = Job::new(&urls);
    job.run().expect(0);
    let status = Ended::of(clipmill().args(["status", "--json"]).arg(job.output()).output().unwrap()).expect(0);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((status["committed"].as_u64(), status["successes"].as_u64()), (Some(2), Some(11)));
    assert_eq!(status["causes"]["http_404"], 1);
    let inspect =
        Ended::of(clipmill().args(["inspect", "--json"]).arg(job.output().join("00000.tar")).output().unwrap())
            .expect(0);
    let lines: Vec<serde_json::Value> =
        inspect.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[3]["meta"]["error_class"], "http_404");
    assert_eq!(snapshot(&job.output()).len(), 4);
}

#[test]
fn plan_counts_rows_and_projects_from_what_is_done() {
    let site = Site::start(25, 1000);
    let job = Job::new(&urls(&site, "media", 25));
    fs::write(job.table(), fs::read_to_string(job.table()).unwrap() + "only one field\n").unwrap();
    let plan = || {
        let mut command = clipmill();
        command.args(["plan", "--json"]).args(job.arguments());
        let ended = Ended::of(command.output().unwrap()).expect(0);
        serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap()
    };
    let before = plan();
    assert_eq!((&before["rows"], &before["shards"], &before["bad_rows"]), (&26.into(), &3.into(), &1.into()));
    assert!(before["projection"].is_null());
    assert!(!job.output().exists(), "nothing may have been written");
    job.run().expect(0);
    let after = plan();
    assert_eq!(after["projection"]["from_rows"], 26);
    let bytes: u64 = (0..25).map(|n| 1000 + 7 * n).sum();
    assert_eq!(after["projection"]["bytes"], bytes);
}

#[test]
fn shards_of_one_sample_fill_the_slots() {
    let site = Site::start(24, 400_000);
    // Two seconds each.
    let job = Job::new(&urls(&site, "slow", 24))
        .option("storage.number_sample_per_shard=1")
        .option("distribution.thread_count=16");
    let child = job.spawn();
    let begun = std::time::Instant::now();
    let leases = || fs::read_dir(job.output().join("_clipmill/leases")).map_or(0, Iterator::count);
    while leases() < 16 {
        assert!(begun.elapsed().as_secs() < 60, "{} samples at once", leases());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ended::of(child.wait_with_output().unwrap()).expect(0);
    verify(&job.output());
}
