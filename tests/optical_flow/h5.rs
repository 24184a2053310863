//! Flow as HDF5, read with h5py; and flow in steps of a scale.

use std::process::Command;

use serde_json::{Value, json};

use crate::job::{Ended, verify};
use crate::lab::{Lab, footage};
use crate::npy::config;

/// Runs a script over these folders with the Python of tests/rig/setup.sh.
fn python(script: &str, lab: &Lab, folders: &[&str]) -> Value {
    let python = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let folders = folders.iter().map(|folder| lab.path(folder));
    let output = Command::new(&python).args(["-c", &format!("{COMMON}{script}")]).args(folders).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; `bash tests/rig/setup.sh test`", python.display()));
    serde_json::from_str(&Ended::of(output).expect(0).stdout).unwrap()
}

const COMMON: &str = r#"
import glob, io, json, sys, tarfile
import h5py, numpy as np

def sample(folder):
    with tarfile.open(folder + "/00000.tar") as tar:
        return {name.split(".", 1)[1]: tar.extractfile(name).read() for name in tar.getnames()}

def array(folder):
    return np.load(io.BytesIO(sample(folder)["npy"]))

def file(folder):
    return h5py.File(io.BytesIO(sample(folder)["h5"]))
"#;

/// One video's flow, stored in a folder of this name.
fn store(lab: &Lab, folder: &str, name: &str, extension: &str, args: Value) {
    let mut config = config(json!({}), args);
    config["job"]["encode_formats"]["optical_flow"] = json!(extension);
    lab.run(&config, &[(footage(name), "")]);
    verify(&lab.output());
    std::fs::rename(lab.output(), lab.path(folder)).unwrap();
}

#[test]
fn h5py_reads_what_numpy_reads() {
    let lab = Lab::new();
    // Many flows to a chunk, a few, and many chunks to a flow.
    for (side, dtype, fps) in [(16, "fp16", 5), (64, "fp32", 5), (256, "fp16", 1)] {
        let args = json!({"fps": fps, "resize_size": side, "dtype": dtype});
        store(&lab, &format!("npy{side}"), "carphone_pristine.mp4", "npy", args.clone());
        store(&lab, &format!("h5{side}"), "carphone_pristine.mp4", "h5", args);
        let script = r#"
npy, h5 = array(sys.argv[1]), file(sys.argv[2])
meta = json.loads(sample(sys.argv[2])["json"])
flow = h5["flow"]
assert flow.dtype == npy.dtype and np.array_equal(flow[:], npy), (flow, npy.shape)
assert flow.chunks is not None and flow.compression == "gzip" and flow.shuffle
assert list(h5["times"]) == meta["optical_flow_times"] and "scale" not in h5
assert flow.attrs["fps"] == meta["optical_flow_fps"] and flow.attrs["detector"] == b"farneback"
print(json.dumps({"dtype": flow.attrs["dtype"].decode(), "size": int(flow.attrs["downsample_size"])}))
"#;
        let told = python(script, &lab, &[&format!("npy{side}"), &format!("h5{side}")]);
        assert_eq!(told, json!({"dtype": dtype, "size": side}));
    }
}

#[test]
fn steps_of_a_scale_are_off_by_half_a_step() {
    let lab = Lab::new();
    let args = |dtype: &str| json!({"fps": 5, "resize_size": 48, "dtype": dtype});
    store(&lab, "whole", "bikes.mp4", "npy", args("fp32"));
    store(&lab, "npy", "bikes.mp4", "npy", args("int8"));
    store(&lab, "h5", "bikes.mp4", "h5", args("int8"));
    let script = r#"
whole, npy, h5 = array(sys.argv[1]), array(sys.argv[2]), file(sys.argv[3])
scales = np.float32(json.loads(sample(sys.argv[2])["json"])["optical_flow_scales"])
assert npy.dtype == np.int8 and npy.shape == whole.shape and scales.shape == whole.shape[:1]
assert np.array_equal(h5["flow"][:], npy) and np.array_equal(h5["scale"][:], scales)
back = npy * scales[:, None, None, None]
assert np.isfinite(back).all() and np.abs(npy).max() == 127
off = np.abs(back - whole).max(axis=(1, 2, 3)) / scales
print(json.dumps(float(off.max())))
"#;
    let off = python(script, &lab, &["whole", "npy", "h5"]).as_f64().unwrap();
    assert!((0.4..=0.5001).contains(&off), "{off} steps");
}

#[test]
fn the_shard_may_be_hdf5_and_then_holds_arrays() {
    let lab = Lab::new();
    store(&lab, "npy", "carphone_pristine.mp4", "npy", json!({"fps": 5, "dtype": "int8"}));
    let mut config = config(json!({"video": "mp4"}), json!({"fps": 5, "dtype": "int8"}));
    config["job"]["output_format"] = json!("hdf5");
    let full = |command: &mut Command| Ended::of(command.output().unwrap());
    let rows = [(footage("carphone_pristine.mp4"), "")];
    full(&mut lab.command("run", &config, &rows)).expect(0);
    verify(&lab.output());
    let script = r#"
npy, group = array(sys.argv[1]), h5py.File(sys.argv[2] + "/00000.h5")["00000000"]
assert np.array_equal(group["npy"][:], npy) and group["npy"].compression == "gzip"
assert bytes(group["mp4"][4:8]) == b"ftyp"
print(json.dumps(json.loads(group["json"][()])["optical_flow_dtype"]))
"#;
    assert_eq!(python(script, &lab, &["npy", "out"]), "int8");
}
