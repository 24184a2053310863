use crate::watch::each_frame;
use clipmill::subsample::cuts::{ContentScore, Factor};
use serde_json::Value;
use std::path::Path;

#[test]
fn dev() {
    let jobs: Value = serde_json::from_str(&std::fs::read_to_string("/tmp/q/C/jobs.json").unwrap()).unwrap();
    let want: Value = serde_json::from_str(&std::fs::read_to_string("/tmp/q/C/v2.json").unwrap()).unwrap();
    for (job, want) in jobs.as_array().unwrap().iter().zip(want.as_array().unwrap()) {
        let path = Path::new(job["path"].as_str().unwrap());
        let mut score = ContentScore::new(Factor::To64, crate::lab::open(path).video().unwrap().rotation);
        let mut got = Vec::new();
        each_frame(path, |frame| got.push(score.push(frame)));
        let want: Vec<f64> = want["scores"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
        let worst = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{} {} {} worst {worst}", path.file_name().unwrap().display(), got.len(), want.len());
    }
}
