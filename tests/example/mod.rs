//! The path of a program of `examples/`. Cargo builds these for `cargo test` as a whole, but not for `--test NAME`, and
//! tells tests the paths of binaries only.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).join(name)
}

fn build() -> PathBuf {
    let bins = Path::new(env!("CARGO_BIN_EXE_clipmill")).parent().unwrap();
    let profile = match bins.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells this test about its package would make build scripts of dependencies run again.
    for (variable, _) in std::env::vars_os() {
        if variable.to_str().is_some_and(|variable| variable.starts_with("CARGO_") && variable != "CARGO_HOME") {
            cargo.env_remove(variable);
        }
    }
    cargo.args(["build", "--quiet", "--examples", "--profile", profile, "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let features = [("mpi", cfg!(feature = "mpi")), ("media", cfg!(feature = "media"))];
    let features: Vec<&str> = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    cargo.args(["--no-default-features", "--features", &features.join(",")]);
    cargo.arg("--target-dir").arg(bins.parent().unwrap());
    assert!(cargo.status().unwrap().success(), "the examples do not build");
    bins.join("examples")
}
