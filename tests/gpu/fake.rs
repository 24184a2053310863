//! The CPU test double of the driver's library, and jobs that load it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::job::Ended;
use crate::lab::{Lab, Sample};

/// A library of its own for one test, so that its faults are its own.
pub struct Fake {
    pub lab: Lab,
}

/// Compiled by each process that needs it; under its own name first, for tests run side by side.
fn library() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/rig/fake-cuda");
    std::fs::create_dir_all(&folder).unwrap();
    let ready = folder.join("libcuda.so.1");
    let sources = ["kernels", "tests/kernels/shim", "tests/gpu/fake"].map(|folder| root.join(folder));
    let newest = sources.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| {
        let entry = entry.unwrap();
        entry.metadata().unwrap().modified().unwrap()
    });
    let newest = newest.max().unwrap();
    if ready.metadata().and_then(|own| own.modified()).is_ok_and(|own| own > newest) {
        return ready;
    }
    let own = folder.join(format!("building-{}-{:?}", std::process::id(), std::thread::current().id()));
    let script = root.join("tests/kernels/shim/build.sh");
    let [driver, decoder] = ["cuda.cpp", "nvcuvid.cpp"].map(|name| root.join("tests/gpu/fake").join(name));
    let output = Command::new("bash").args([&script, &own, &driver, &decoder]).output().expect("bash is installed");
    assert!(output.status.success(), "g++ is installed: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(own, &ready).unwrap();
    ready
}

impl Fake {
    /// `faults`: what is to go wrong, as the library's source lists it.
    pub fn new(faults: &str) -> Self {
        let lab = Lab::new();
        std::fs::create_dir(lab.path("driver")).unwrap();
        // Its own file, by which the library finds its faults.
        std::fs::copy(library(), lab.path("driver/libcuda.so.1")).unwrap();
        let fake = Self { lab };
        fake.faults(faults);
        fake
    }

    /// With the decoder's double, too, which draws waves whatever it is given.
    pub fn with_decoder(faults: &str) -> Self {
        let fake = Self::new(faults);
        std::os::unix::fs::symlink("libcuda.so.1", fake.lab.path("driver/libnvcuvid.so.1")).unwrap();
        fake
    }

    pub fn faults(&self, faults: &str) {
        std::fs::write(self.lab.path("driver/faults"), faults).unwrap();
    }

    /// The command sees the double, and no driver of this machine's.
    pub fn load(&self, command: &mut Command) {
        command.env("LD_LIBRARY_PATH", self.lab.path("driver")).env_remove("CUDA_VISIBLE_DEVICES");
    }

    /// Runs a job over these files with the double as its driver.
    pub fn run(&self, config: &Value, files: &[PathBuf]) -> Ended {
        let rows: Vec<(PathBuf, &str)> = files.iter().map(|path| (path.clone(), "")).collect();
        let _ = std::fs::remove_dir_all(self.lab.output());
        let mut command = self.lab.command("run", config, &rows);
        self.load(&mut command);
        Ended::of(command.output().unwrap())
    }

    pub fn samples(&self) -> Vec<Sample> {
        self.lab.samples()
    }

    /// What the commit record says of GPUs.
    pub fn usage(&self) -> Value {
        let record = std::fs::read(self.lab.output().join("00000_stats.json")).unwrap();
        serde_json::from_slice::<Value>(&record).unwrap()["clipmill"]["gpu"].clone()
    }
}

/// The config of a flow job; `gpu`: `distribution.gpu`.
pub fn config(gpu: &str, args: Value) -> Value {
    let mut config = crate::npy::config(json!({}), args);
    config["distribution"] = json!({"gpu": gpu, "processes_count": 1});
    config
}
