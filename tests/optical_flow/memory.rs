//! What a worker's memory comes to, whatever the length of the video.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::lab::{H264, Lab};
use crate::npy::{Flow, config};

/// The most that a worker may ever hold, bytes; and what half an hour may hold more than a minute: packets' times, and
/// what is said of each flow, but never the packets.
const MOST: u64 = 256_000_000;
const GROWTH: u64 = 12_000_000;

#[test]
fn half_an_hour_takes_the_memory_of_a_minute() {
    let lab = Lab::new();
    let video = |name: &str, seconds: u32| {
        lab.make(name, &format!("-f lavfi -i testsrc2=s=64x48:r=10:d={seconds} {H264} -g 100"))
    };
    let (short, long) = (video("short.mkv", 60), video("long.mkv", 1800));
    let (short, long) = (peak(&lab, short), peak(&lab, long));
    assert_eq!(Flow::of(&lab, "00000000").shape, [3599, 16, 21, 2]);
    assert!(long <= MOST && long <= short + GROWTH, "{short} bytes for a minute, {long} for half an hour");
}

/// Runs a flow job over the video; the largest resident size that its workers ever had, bytes.
fn peak(lab: &Lab, video: PathBuf) -> u64 {
    let _ = std::fs::remove_dir_all(lab.output());
    let mut command = lab.command("run", &config(json!({}), json!({})), &[(video, "")]);
    let mut rank = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let tasks = PathBuf::from(format!("/proc/{}/task", rank.id()));
    let mut peak = 0;
    let ended = loop {
        // The kernel keeps the maximum, so that a look from time to time is enough; workers stay until the job is done.
        peak = workers(&tasks).into_iter().filter_map(high_water).fold(peak, u64::max);
        if let Some(ended) = rank.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success() && peak > 0, "{ended}, {peak}");
    assert_eq!(lab.samples()[0].json["status"], "success");
    peak
}

/// The processes that any thread of the rank has started.
fn workers(tasks: &Path) -> Vec<u32> {
    let threads = std::fs::read_dir(tasks).into_iter().flatten().flatten();
    let children = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    children.flat_map(|pids| pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

fn high_water(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}
