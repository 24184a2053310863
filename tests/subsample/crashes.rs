//! Workers that die, hang and hog inside a real job cost their own sample and nothing else.

use std::fs;

use crate::common::job::{Ended, stats, verify};
use crate::example::example;
use crate::lab::{Lab, samples};

const ALL: &str = "{ResolutionSubsampler: {args: {video_size: 48, resize_mode: scale}}, FFProbeSubsampler: {args: {}}}";
const FATES: [&str; 4] = ["segv", "kill", "spin", "hog"];

fn run(lab: &Lab, files: &[&str], output: &str, options: &[&str]) {
    let table = lab.table(files);
    let mut command = lab.command(&table, ALL, output, options);
    command.env("CLIPMILL_WORKER", example("failing_worker"));
    Ended::of(command.output().unwrap()).expect(0);
    verify(&lab.path(output));
}

#[test]
fn each_costs_one_sample() {
    let lab = Lab::new();
    for name in ["a.mp4", "b.mp4", "c.mp4"] {
        lab.make(name, "-f lavfi -i testsrc2=d=1:s=96x64:r=25 -preset ultrafast -metadata title=x");
    }
    for fate in FATES {
        fs::copy(lab.path("a.mp4"), lab.path(&format!("fail-{fate}.mp4"))).unwrap();
    }
    let files = ["a.mp4", "fail-segv.mp4", "fail-kill.mp4", "b.mp4", "fail-spin.mp4", "fail-hog.mp4", "c.mp4"];
    let limits = ["limits.cpu_seconds=2", "limits.memory=300MiB", "distribution.processes_count=2"];
    run(&lab, &files, "out", &[&limits[..], &["max_failed_fraction=1"]].concat());
    let counts = stats(&lab.path("out"), "00000");
    assert_eq!([&counts["count"], &counts["successes"], &counts["failed_to_subsample"]], [7, 3, 4]);
    let made = samples(&lab.path("out"));
    let reason = |key: &str| made[key].meta["error_message"].as_str().unwrap().to_owned();
    let expected = [("1", "SIGSEGV"), ("2", "SIGKILL"), ("4", "CPU"), ("5", "memory")];
    for (n, word) in expected {
        let key = format!("0000000{n}");
        assert_eq!(made[&key].meta["status"], "failed_to_subsample");
        assert!(made[&key].members.is_empty());
        assert!(reason(&key).contains(word), "{n}: {}", reason(&key));
    }
    // The others are what they are in a job where nothing failed.
    for fate in FATES {
        fs::rename(lab.path(&format!("fail-{fate}.mp4")), lab.path(&format!("{fate}.mp4"))).unwrap();
    }
    let calm = ["a.mp4", "segv.mp4", "kill.mp4", "b.mp4", "spin.mp4", "hog.mp4", "c.mp4"];
    run(&lab, &calm, "calm", &limits);
    let calm = samples(&lab.path("calm"));
    for n in [0, 3, 6] {
        let key = format!("0000000{n}");
        assert_eq!(made[&key].meta, calm[&key].meta);
        assert!(made[&key].members == calm[&key].members && !calm[&key].members.is_empty());
    }
}
