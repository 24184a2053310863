//! What OpenCV says, and how far from it a flow is.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clipmill::flow::FarnebackParams;
use serde_json::{Value, json};

use crate::frames::Frames;

pub struct Job {
    pub name: String,
    pub frames: Frames,
    pub params: FarnebackParams,
    pub initial: Option<Vec<f32>>,
}

/// OpenCV's flow, and its flow between the same frames when they are one grey level brighter. In exact arithmetic these
/// are equal. Where the footage leaves a pixel's movement open (a small window on a fast or flat surface), they are not:
/// rounding decides, and grows with each pass.
pub struct Reference {
    pub flow: Vec<f32>,
    pub brighter: Vec<f32>,
}

/// All jobs in one run of Python.
pub fn references(jobs: &[Job]) -> Vec<Reference> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let save = |name: String, bytes: &[u8]| -> Value {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        json!(path)
    };
    let describe = |(number, job): (usize, &Job)| {
        let Job { frames, params, .. } = job;
        let initial = job.initial.as_ref().map(|flow| save(format!("{number}.initial"), &floats(flow)));
        json!({
            "frames": save(format!("{number}.luma"), &frames.luma), "initial": initial,
            "width": frames.width, "height": frames.height, "out": folder.path().join(format!("{number}.flow")),
            "pyr_scale": params.pyr_scale, "levels": params.levels, "winsize": params.winsize,
            "iterations": params.iterations, "poly_n": params.poly_n, "poly_sigma": params.poly_sigma,
            "gaussian": params.gaussian, "brighter": true,
        })
    };
    let described: Vec<Value> = jobs.iter().enumerate().map(describe).collect();
    let mut command = Command::new(root.join("target/rig/opencv/bin/python"));
    command.arg(root.join("tests/parity_flow/reference.py")).stdin(Stdio::piped());
    let mut child = command.spawn().expect("run 'bash tests/rig/setup.sh test' first");
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&described).unwrap()).unwrap();
    assert!(child.wait().unwrap().success());
    let read = |number: usize| {
        let bytes = std::fs::read(folder.path().join(format!("{number}.flow"))).unwrap();
        let mut flow: Vec<f32> =
            bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        let brighter = flow.split_off(flow.len() / 2);
        Reference { flow, brighter }
    };
    (0..jobs.len()).map(read).collect()
}

/// How far the end points of two flows lie apart, pixels.
#[derive(Debug)]
pub struct Difference {
    pub mean: f64,
    /// 999 of 1000 pixels have no more.
    pub nearly_all: f64,
}

impl Difference {
    pub fn between(one: &[f32], other: &[f32]) -> Self {
        assert_eq!(one.len(), other.len());
        let pairs = one.chunks_exact(2).zip(other.chunks_exact(2));
        let mut distances: Vec<f64> =
            pairs.map(|(a, b)| f64::from(a[0] - b[0]).hypot(f64::from(a[1] - b[1]))).collect();
        assert!(distances.iter().all(|distance| distance.is_finite()));
        distances.sort_by(f64::total_cmp);
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        Self { mean, nearly_all: distances[(distances.len() - 1) * 999 / 1000] }
    }
}
