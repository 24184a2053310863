//! The same bytes from one worker and three, one rank and two, and after a kill in the middle.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::job::{Ended, assert_same, snapshot, verify};
use crate::lab::Lab;

const STEPS: &str = "{CutDetectionSubsampler: {cuts_are_clips: true, args: {}}, ClippingSubsampler: {args: {precision: exact}}, \
                     ResolutionSubsampler: {args: {video_size: 48, resize_mode: scale}}, FFProbeSubsampler: {args: {}}}";
const SHARDS: &str = "storage.number_sample_per_shard=4";

/// Twelve videos of two scenes each.
fn table(lab: &Lab) -> std::path::PathBuf {
    let names: Vec<String> = (0..12).map(|n| format!("{n}.mp4")).collect();
    for (n, name) in names.iter().enumerate() {
        let colour = ["red", "green", "blue"][n % 3];
        let input = format!("-f lavfi -i testsrc2=d=1.{n:02}:s=96x64:r=25 -f lavfi -i color={colour}:d=1:s=96x64:r=25");
        lab.make(name, &format!("{input} -filter_complex concat=n=2:v=1 -preset ultrafast"));
    }
    lab.table(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn wait(mut child: Child) {
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
}

/// Code of x264 for AVX-512 reads beyond what it wrote, where a worker has used the memory for other files before.
#[test]
fn whatever_a_worker_did_before() {
    let lab = Lab::new();
    let input = "-f lavfi -i mandelbrot=s=192x108:r=25,trim=0:6 -f lavfi -i testsrc2=d=2:s=192x108:r=25";
    lab.make("a.mp4", &format!("{input} -filter_complex concat=n=2:v=1 -preset ultrafast -pix_fmt yuv420p"));
    let table = lab.table(&["a.mp4"; 8]);
    let steps = "{ResolutionSubsampler: {args: {video_size: 64, resize_mode: 'scale,crop,pad'}}, \
                 FrameSubsampler: {args: {frame_rate: 5}}}";
    let samples = lab.run(&table, steps, &["distribution.processes_count=1"]);
    let files: Vec<_> = samples.values().map(|sample| &sample.members).collect();
    assert!(files.len() == 8 && files.windows(2).all(|pair| pair[0] == pair[1]), "the same video, other bytes");
}

#[test]
fn whatever_the_workers_and_ranks_and_kills() {
    let lab = Lab::new();
    let table = table(&lab);
    Ended::of(lab.command(&table, STEPS, "one", &[SHARDS, "distribution.processes_count=1"]).output().unwrap())
        .expect(0);
    let want = snapshot(&lab.path("one"));
    assert_eq!(want.len(), 6);

    Ended::of(lab.command(&table, STEPS, "three", &[SHARDS, "distribution.processes_count=3"]).output().unwrap())
        .expect(0);
    assert_same(&want, &snapshot(&lab.path("three")));

    let ranks = ["0", "1"].map(|rank| {
        let mut command = lab.command(&table, STEPS, "ranks", &[SHARDS, "distribution.processes_count=1"]);
        command.args(["--rank", rank, "--world", "2"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    });
    ranks.into_iter().for_each(wait);
    assert_same(&want, &snapshot(&lab.path("ranks")));

    let patience = [SHARDS, "distribution.heartbeat=0.2", "distribution.lease_ttl=2", "distribution.processes_count=1"];
    let mut child = lab.command(&table, STEPS, "killed", &patience).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !lab.path("killed/00000.tar").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no shard came");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let done = fs::read_dir(lab.path("killed"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().to_string_lossy().ends_with("_stats.json"));
    assert!(done.count() < 3, "the kill came too late to cut anything off");
    Ended::of(lab.command(&table, STEPS, "killed", &patience).output().unwrap()).expect(0);
    assert_same(&want, &snapshot(&lab.path("killed")));
    verify(&lab.path("killed"));
}
