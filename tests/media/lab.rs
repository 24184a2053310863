//! Media made with the ffmpeg program, and what ffmpeg and ffprobe say about it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use clipmill::fetch::Container;
use clipmill::media::{Limits, Media, MediaError};
use serde_json::Value;
use tempfile::TempDir;

pub struct Lab {
    folder: TempDir,
}

impl Lab {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs `ffmpeg ARGUMENTS NAME` in the folder; arguments are split at blanks.
    pub fn make(&self, name: &str, arguments: &str) -> PathBuf {
        let mut command = Command::new("ffmpeg");
        command.current_dir(self.folder.path()).args(["-nostdin", "-v", "error", "-y"]);
        let output = command.args(arguments.split_whitespace()).arg(name).output().expect("ffmpeg is installed");
        assert!(output.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        self.path(name)
    }
}

/// A moving picture and a tone of two seconds.
pub const PICTURE: &str = "-f lavfi -i testsrc2=d=2:s=320x180:r=25";
pub const TONE: &str = "-f lavfi -i sine=d=2:r=48000";

/// The real clips that set-up fetches.
pub fn footage(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/footage-src").join(name);
    assert!(path.is_file(), "no footage: run 'bash tests/rig/setup.sh test' first");
    path
}

pub fn open_as(path: &Path, container: Container) -> Result<Media, MediaError> {
    Media::open(File::open(path).unwrap(), container, Limits::default())
}

pub fn open(path: &Path) -> Media {
    open_as(path, container(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn container(path: &Path) -> Container {
    match path.extension().unwrap().to_str().unwrap() {
        "mp4" | "m4a" => Container::Mp4,
        "mov" => Container::Mov,
        "mkv" => Container::Matroska,
        "webm" => Container::Webm,
        "avi" => Container::Avi,
        "flv" => Container::Flv,
        "ts" => Container::MpegTs,
        "mp3" => Container::Mp3,
        "wav" => Container::Wav,
        "flac" => Container::Flac,
        "gif" => Container::Gif,
        _ => Container::Unknown,
    }
}

/// What `ffprobe -of json` says.
pub fn ffprobe(path: &Path, arguments: &str) -> Value {
    let mut command = Command::new("ffprobe");
    let output = command.args("-v quiet -of json".split(' ')).args(arguments.split_whitespace()).arg(path).output();
    serde_json::from_slice(&output.expect("ffprobe is installed").stdout).unwrap()
}

pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
