//! On a real GPU, with the driver of this machine: `make test-gpu`. Ignored elsewhere; where there is no GPU, they fail.

use serde_json::json;

use crate::fake::config;
use crate::job::{Ended, assert_same, snapshot};
use crate::jobs::apart;
use crate::lab::{Lab, footage};
use crate::npy::Flow;

fn run(lab: &Lab, gpu: &str, decode: &str) -> Ended {
    let mut config = config(gpu, json!({"fps": 8, "resize_size": 96, "dtype": "fp32"}));
    config["distribution"]["processes_count"] = json!(4);
    let rows = ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"].map(|name| (footage(name), ""));
    let _ = std::fs::remove_dir_all(lab.output());
    let mut command = lab.command("run", &config, &rows);
    command.args(["-o", &format!("reading.decode={decode}")]);
    Ended::of(command.output().unwrap()).expect(0)
}

fn flows(lab: &Lab) -> Vec<Flow> {
    (0..3).map(|n| Flow::of(lab, &format!("0000000{n}"))).collect()
}

#[test]
#[ignore = "needs a GPU: make test-gpu"]
fn on_a_gpu_flow_is_the_cpus() {
    let lab = Lab::new();
    let said = run(&lab, "required", "software").stderr;
    let (gpu, bytes) = (flows(&lab), snapshot(&lab.output()));
    run(&lab, "required", "software");
    assert_same(&bytes, &snapshot(&lab.output()));
    run(&lab, "off", "software");
    for (gpu, cpu) in gpu.iter().zip(flows(&lab)) {
        let apart = apart(gpu, &cpu);
        assert!(apart <= 1e-4, "{apart} on {said}");
    }
}

/// What a codec prescribes does not depend on who decodes; how a picture is made small on the device may round otherwise.
#[test]
#[ignore = "needs a GPU: make test-gpu"]
fn on_a_gpu_decoders_show_the_same_pictures() {
    let lab = Lab::new();
    run(&lab, "required", "software");
    let software = flows(&lab);
    run(&lab, "required", "nvdec");
    for (nvdec, software) in flows(&lab).iter().zip(software) {
        assert_eq!(nvdec.shape, software.shape);
        let pairs = nvdec.values.iter().zip(&software.values);
        let mean = pairs.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / nvdec.values.len() as f64;
        assert!(mean < 0.02, "{mean} pixels");
    }
}
