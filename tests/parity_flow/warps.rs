//! Dense inverse search against movements that are known, and against OpenCV's.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clipmill::flow::Preset;
use serde_json::{Value, json};

use crate::dis::flow;
use crate::frames::Frames;

/// What the Python program says of each movement and preset.
fn warps(pictures: &[(&str, Frames)], folder: &Path) -> Vec<Value> {
    let describe = |(number, (_, frames)): (usize, &(&str, Frames))| {
        let path = folder.join(format!("{number}.picture"));
        std::fs::write(&path, &frames.luma).unwrap();
        json!({"picture": path, "width": frames.width, "height": frames.height, "out": folder})
    };
    let jobs: Vec<Value> = pictures.iter().enumerate().map(describe).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("target/rig/opencv/bin/python"));
    command.arg(root.join("tests/parity_flow/warps.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("run 'bash tests/rig/setup.sh test' first");
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&jobs).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The mean distance of the end points, of pixels that stay in the picture.
fn error(flow: &[f32], truth: &[f32]) -> f64 {
    let pairs = flow.chunks_exact(2).zip(truth.chunks_exact(2));
    let known = pairs.filter(|(_, truth)| !truth[0].is_nan());
    let distances: Vec<f64> =
        known.map(|(flow, truth)| f64::from(flow[0] - truth[0]).hypot(f64::from(flow[1] - truth[1]))).collect();
    distances.iter().sum::<f64>() / distances.len() as f64
}

#[test]
fn not_farther_from_the_truth_than_opencv() {
    let footage = [("bikes.mp4", 2.0), ("bigbuckbunny.mp4", 1.0), ("carphone_pristine.mp4", 1.0)];
    let sizes = [(176, 144), (320, 240), (640, 360)];
    let pictures: Vec<(&str, Frames)> = footage
        .into_iter()
        .flat_map(|(name, start)| sizes.map(|size| (name, Frames::footage(name, start, size, 1))))
        .filter(|(name, frames)| *name != "carphone_pristine.mp4" || frames.width == 176)
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let mut sums: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for warp in warps(&pictures, folder.path()) {
        let text = |key: &str| warp[key].as_str().unwrap().to_owned();
        let (name, Frames { width, height, .. }) = &pictures[warp["job"].as_u64().unwrap() as usize];
        let preset = Preset::named(&text("preset")).unwrap();
        let frames = Frames { width: *width, height: *height, luma: std::fs::read(text("frames")).unwrap() };
        let truth = std::fs::read(text("truth")).unwrap();
        let truth: Vec<f32> =
            truth.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect();
        let (opencv, ours) = (warp["opencv"].as_f64().unwrap(), error(&flow(&frames, &preset.params()), &truth));
        let what = format!("{name} {width}x{height}, {}, {}", text("movement"), preset.name());
        println!("{what}: OpenCV {opencv:.3} px, clipmill {ours:.3} px");
        // No kind of movement is paid for with another.
        assert!(ours <= 1.4 * opencv + 0.02, "{what}: OpenCV {opencv:.3} px, clipmill {ours:.3} px");
        for key in [format!("{} {width}x{height}", preset.name()), format!("{} {name}", preset.name())] {
            let sum = sums.entry(key).or_default();
            *sum = [sum[0] + opencv, sum[1] + ours];
        }
    }
    for (what, [opencv, ours]) in sums {
        println!("{what}, all movements: clipmill's error is {:.2} of OpenCV's", ours / opencv);
        assert!(ours <= opencv, "{what}: OpenCV {opencv:.3} px, clipmill {ours:.3} px in sum");
    }
}
