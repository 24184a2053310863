//! What `clipmill doctor` says of GPUs. The GPU is a CPU test double.

use serde_json::Value;

use crate::fake::Fake;
use crate::job::{Ended, clipmill};

fn checks(fake: &Fake) -> Vec<(String, String, String)> {
    let mut command = clipmill();
    fake.load(command.args(["doctor", "--json"]));
    let ended = Ended::of(command.output().unwrap());
    let checks: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let text = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
    checks.iter().map(|check| (text(check, "name"), text(check, "level"), text(check, "detail"))).collect()
}

#[track_caller]
fn expect(checks: &[(String, String, String)], name: &str, level: &str, detail: &str) {
    let found = checks.iter().any(|check| check.0 == name && check.1 == level && check.2.contains(detail));
    assert!(found, "no {name} {level} {detail} in {checks:#?}");
}

#[test]
fn every_gpu_is_described() {
    let fake = Fake::with_decoder("devices 2\ndriver 11040");
    let checks = checks(&fake);
    expect(&checks, "gpu driver", "ok", "for CUDA 11.4 and older");
    for n in ["0", "1"] {
        let what = format!("CPU test double {n}, no GPU, 1.00 GiB, compute capability 7.0; the kernels (PTX) load");
        expect(&checks, &format!("gpu {n}"), "ok", &what);
    }
    expect(&checks, "nvdec", "ok", "h264");
}

#[test]
fn a_machine_without_a_gpu_is_no_fault_and_an_old_driver_is_told() {
    expect(&checks(&Fake::new("devices 0")), "gpu", "ok", "none: the NVIDIA driver sees no device");
    expect(&checks(&Fake::new("ptx 222")), "gpu", "warning", "too old");
}
