//! The promise of the configuration: every mistake is found before anything is written, and is shown where it stands.

mod compat;
mod errors;
mod manual;
mod overrides;
mod round_trip;

use clipmill::config::{self, Config, ConfigError, Loaded};

/// Loads `yaml` from a file with these overrides.
fn load_bytes(yaml: &[u8], overrides: &[&str]) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.yaml");
    std::fs::write(&path, yaml).unwrap();
    let overrides: Vec<String> = overrides.iter().map(|given| (*given).to_owned()).collect();
    config::load(&path, &overrides)
}

/// The configuration that must come out.
#[track_caller]
fn loaded(yaml: &str, overrides: &[&str]) -> Config {
    match load_bytes(yaml.as_bytes(), overrides) {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{error}"),
    }
}

/// The error's text that must come out, with the folder of the file left out.
#[track_caller]
fn refused(yaml: impl AsRef<[u8]>, overrides: &[&str]) -> String {
    match load_bytes(yaml.as_ref(), overrides) {
        Ok(loaded) => panic!("was accepted: {:?}", loaded.config),
        Err(error) => without_folder(&error.render(false)),
    }
}

/// Only the first line of each problem.
#[track_caller]
fn refused_briefly(yaml: impl AsRef<[u8]>, overrides: &[&str]) -> String {
    let text = refused(yaml, overrides);
    let first_lines: Vec<&str> = text.split("\n\n").filter_map(|block| block.lines().next()).collect();
    first_lines.join("\n")
}

fn without_folder(text: &str) -> String {
    let words = text.split_inclusive(' ').map(|word| match word.rfind("/job.yaml") {
        Some(at) if word.starts_with('/') => &word[at + 1..],
        _ => word,
    });
    let lines: String = words.collect();
    // The place begins a line, where no space stands before it.
    let lines = lines.lines().map(|line| match line.find("/job.yaml:") {
        Some(at) if line.starts_with('/') => &line[at + 1..],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}
