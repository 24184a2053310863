//! Scores and cuts equal to PySceneDetect's, frame for frame.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clipmill::subsample::cut_detection::Settings;
use clipmill::subsample::cuts::{ContentScore, Cuts, Factor};
use clipmill::subsample::watch::Watcher as _;
use serde_json::{Map, Value, json};

use crate::lab::{Lab, footage, open};
use crate::watch::each_frame;

/// What PySceneDetect says of each job, all in one run of Python.
fn reference(jobs: &[Value]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join(".venv/bin/python"));
    let command = command.arg(root.join("tests/cuts/reference.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("run 'bash tests/rig/setup.sh test' first");
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(jobs).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn job(path: &Path, settings: Value) -> Value {
    let mut job = Map::from_iter([("path".to_owned(), json!(path))]);
    job.extend(settings.as_object().unwrap().clone());
    Value::Object(job)
}

/// The fields `cuts` of jobs on one file.
fn cuts(path: &Path, jobs: &[&Value]) -> Vec<Value> {
    let info = open(path).video().unwrap();
    let make = |job: &&Value| {
        let mut settings = job.as_object().unwrap().clone();
        settings.remove("path");
        let settings: Settings = serde_json::from_value(Value::Object(settings)).unwrap();
        Box::new(Cuts::new(&settings, info.frame_rate.map_or(0.0, f64::from), info.rotation))
    };
    let mut watchers: Vec<Box<Cuts>> = jobs.iter().map(make).collect();
    let (_, watched) = each_frame(path, |frame| watchers.iter_mut().for_each(|watcher| watcher.frame(frame).unwrap()));
    watchers.into_iter().map(|mut watcher| watcher.finish(&watched).unwrap()["cuts"].clone()).collect()
}

/// The lists are equal, and there is a cut to find where `cuts` says so.
fn assert_same_cuts(jobs: &[Value]) {
    let mut most = 0;
    let got = jobs.chunk_by(|a, b| a["path"] == b["path"]).flat_map(|jobs| {
        let path = PathBuf::from(jobs[0]["path"].as_str().unwrap());
        cuts(&path, &jobs.iter().collect::<Vec<_>>())
    });
    for ((job, want), got) in jobs.iter().zip(reference(jobs)).zip(got) {
        let lists = want.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("cuts_"));
        for (name, want) in lists {
            // Python prints 5.0 where a whole number was meant.
            assert_eq!(&got[name], want, "{name} of {job}");
            most = most.max(want.as_array().unwrap().len());
        }
        assert!((got["original_fps"].as_f64().unwrap() - want["original_fps"].as_f64().unwrap()).abs() < 1e-6, "{job}");
    }
    assert!(most > 2, "no media with a cut");
}

fn assert_same_scores(paths: &[PathBuf], tolerance: f64) {
    let jobs: Vec<Value> = paths.iter().map(|path| job(path, json!({}))).collect();
    for (path, want) in paths.iter().zip(reference(&jobs)) {
        let mut score = ContentScore::new(Factor::To64, open(path).video().unwrap().rotation);
        let mut got = Vec::new();
        each_frame(path, |frame| got.push(score.push(frame)));
        let want: Vec<f64> = serde_json::from_value(want["scores"].clone()).unwrap();
        assert_eq!(got.len(), want.len(), "{}", path.display());
        for (frame, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got - want).abs() <= tolerance, "{} frame {frame}: {got}, not {want}", path.display());
        }
        assert!(got.iter().any(|score| *score > 27.0), "{} has no cut", path.display());
    }
}

/// The three clips one after the other, each for a second or two, in one size.
fn joined(lab: &Lab, name: &str, size: &str, encoder: &str) -> PathBuf {
    let [first, second, third] = CLIPS.map(|name| footage(name).to_str().unwrap().to_owned());
    let part = |n: usize, seconds: f64| format!("[{n}:v]scale={size},setsar=1,fps=25,trim=end={seconds}[p{n}];");
    let parts = [part(0, 2.0), part(1, 1.6), part(2, 1.0)].concat();
    let filter = format!("{parts}[p0][p1][p2]concat=n=3:v=1[v]");
    lab.make(name, &format!("-i {first} -i {second} -i {third} -filter_complex {filter} -map [v] {encoder}"))
}

const CLIPS: [&str; 3] = ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"];
const X264: &str = "-c:v libx264 -preset ultrafast";
/// What sums of floats may be off by.
const EXACT: f64 = 1e-9;

#[test]
fn real_footage_scores_the_same() {
    let lab = Lab::new();
    let make = |name, size, encoder: &str| joined(&lab, name, size, &format!("{X264} {encoder}"));
    let all = [
        make("plain.mp4", "640x360", ""),
        make("not_by_16.mkv", "334x188", ""),
        make("portrait.mp4", "202x360", ""),
        make("narrow.mp4", "48x84", ""),
        make("halved.mp4", "128x72", ""),
        make("full_range.mp4", "320x180", "-pix_fmt yuvj420p"),
        make("422.mkv", "320x180", "-pix_fmt yuv422p"),
        make("422_odd_height.mkv", "320x179", "-pix_fmt yuv422p"),
        make("444.mkv", "320x180", "-pix_fmt yuv444p"),
        make("444_odd.mkv", "175x99", "-pix_fmt yuv444p"),
        make("422_deep.mkv", "320x180", "-pix_fmt yuv422p10le"),
        make("420_deep.mkv", "640x352", "-pix_fmt yuv420p10le"),
    ];
    assert_same_scores(&all, EXACT);
}

#[test]
fn every_codec_scores_the_same() {
    let lab = Lab::new();
    let all = [
        joined(&lab, "vp9.webm", "426x240", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"),
        joined(&lab, "hevc.mp4", "426x240", "-c:v libx265 -preset ultrafast -x265-params log-level=error"),
        joined(&lab, "mpeg4.avi", "426x240", "-c:v mpeg4 -q:v 4"),
    ];
    assert_same_scores(&all, EXACT);
    let deep = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p10le";
    // The last rows of these go through other code there, off by one here and there.
    let deep = [joined(&lab, "vp9_deep.webm", "426x240", deep)];
    assert_same_scores(&deep, 0.1);
    assert_same_cuts(&[job(&deep[0], json!({})), job(&deep[0], json!({"detector": "adaptive"}))]);
}

#[test]
fn turned_pictures_score_the_same() {
    let lab = Lab::new();
    joined(&lab, "stored.mp4", "330x202", X264);
    joined(&lab, "deep.mp4", "320x192", &format!("{X264} -pix_fmt yuv420p10le"));
    let turn = |name: &str, of: &str, degrees: u32| {
        lab.make(name, &format!("-i {of}.mp4 -c copy -metadata:s:v rotate={degrees}"))
    };
    let all = [turn("90.mp4", "stored", 90), turn("180.mp4", "stored", 180), turn("270.mp4", "stored", 270)];
    for path in &all {
        assert_ne!(open(path).video().unwrap().rotation, 0);
    }
    assert_same_scores(&all, EXACT);
    // The last two rows of these go through other code there, and stand in other places when turned.
    assert_same_scores(&[turn("deep_90.mp4", "deep", 90)], 0.05);
}

#[test]
fn cuts_are_the_same_at_any_settings() {
    let lab = Lab::new();
    let plain = joined(&lab, "plain.mp4", "428x240", X264);
    // A cut every five frames.
    let fast =
        lab.make("fast.mp4", &format!("-i {} -vf select='lt(mod(n\\,17)\\,5)',setpts=N/25/TB {X264}", plain.display()));
    let fade =
        lab.make("fade.mp4", &format!("-i {} -vf fade=out:st=1.2:d=0.8,fade=in:st=3:d=0.5 {X264}", plain.display()));
    let varying = lab
        .make("varying.mkv", &format!("-i {} -vf setpts='(N+floor(N/3)*2)/50/TB' -vsync vfr {X264}", plain.display()));
    let mut jobs: Vec<Value> = CLIPS.iter().map(|name| job(&footage(name), json!({}))).collect();
    for path in [&fade, &varying] {
        jobs.push(job(path, json!({"threshold": 5, "min_scene_len": 3})));
        jobs.push(job(path, json!({"detector": "adaptive"})));
    }
    for path in [&plain, &fast] {
        for settings in [
            json!({}),
            json!({"threshold": 5, "min_scene_len": 3}),
            json!({"threshold": 12, "min_scene_len": 40}),
            json!({"threshold": 3, "min_scene_len": 0}),
            json!({"detector": "adaptive"}),
            json!({"detector": "adaptive", "adaptive_threshold": 1.5, "min_content_val": 2, "min_scene_len": 4}),
            json!({"detector": "adaptive", "window_width": 5, "min_content_val": 8}),
        ] {
            jobs.push(job(path, settings));
        }
    }
    jobs.push(job(&plain, json!({"framerates": [5, 12.5, 60]})));
    jobs.push(job(&fast, json!({"framerates": [6, 8.3], "min_scene_len": 2})));
    assert_same_cuts(&jobs);
}
