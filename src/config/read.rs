//! Reads the text of a configuration: a file, or one that the binary carries.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::{At, ConfigError, Problem, Source, Span};
use std::sync::Arc;

/// Configurations that the binary carries, by name.
pub const SHIPPED: [(&str, &str); 6] = [
    ("download", include_str!("../../configs/download.yaml")),
    ("downsample_ml", include_str!("../../configs/downsample_ml.yaml")),
    ("cut_detection", include_str!("../../configs/cut_detection.yaml")),
    ("reprocess", include_str!("../../configs/reprocess.yaml")),
    ("sites", include_str!("../../configs/sites.yaml")),
    ("optical_flow", include_str!("../../configs/optical_flow.yaml")),
];

/// No config comes near it; a table or a video given by mistake does.
const MAX_BYTES: u64 = 1 << 20;

/// Reads `path`, or the shipped config of that name where there is no such file.
pub(super) fn read(path: &Path, overrides: &[String]) -> Result<Source, ConfigError> {
    let overrides = overrides.to_vec();
    let bytes = match bytes(path) {
        Ok(bytes) => bytes,
        Err(reason) => return shipped_or(path, reason, overrides),
    };
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { name, text, overrides }),
        Err(error) => Err(not_utf8(name, error)),
    }
}

fn shipped_or(path: &Path, reason: io::Error, overrides: Vec<String>) -> Result<Source, ConfigError> {
    let missing = matches!(reason.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory);
    if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| missing && path.as_os_str() == *name) {
        return Ok(Source { name: format!("{name} (built in)"), text: (*text).to_owned(), overrides });
    }
    let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    let help = (reason.kind() == io::ErrorKind::NotFound)
        .then(|| format!("give a YAML file, or the name of a built-in config: {}", names.join(", ")));
    Err(ConfigError::Read { path: path.to_owned(), reason, help })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB, which no config is"));
    }
    Ok(bytes)
}

fn not_utf8(name: String, error: std::string::FromUtf8Error) -> ConfigError {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let before = error.as_bytes().get(..valid).unwrap_or_default();
    let before = String::from_utf8_lossy(before);
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u64 + 1;
    let problem =
        Problem::new("", At::File(Span { line, column, len: 1 }), "not valid UTF-8").help("save the file as UTF-8");
    ConfigError::invalid(&Arc::new(Source { name, text, overrides: Vec::new() }), vec![problem])
}
