//! Media made with the ffmpeg program, jobs over local paths, and what ffprobe says of the members.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::job::{Ended, clipmill, members, verify};

/// A folder for media, tables and outputs.
pub struct Lab {
    pub folder: TempDir,
}

/// One sample of the shards: its JSON, and its other members by extension.
#[derive(Debug)]
pub struct Sample {
    pub meta: Value,
    pub members: BTreeMap<String, Vec<u8>>,
}

/// By key.
pub type Samples = BTreeMap<String, Sample>;

impl Lab {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Runs `ffmpeg ARGUMENTS NAME` in the folder; arguments are split at blanks.
    pub fn make(&self, name: &str, arguments: &str) -> PathBuf {
        let mut command = Command::new("ffmpeg");
        command.current_dir(self.folder.path()).args(["-nostdin", "-v", "error", "-y"]);
        let output = command.args(arguments.split_whitespace()).arg(name).output().expect("ffmpeg is installed");
        assert!(output.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        self.path(name)
    }

    /// 20 seconds at 25 frames a second with keyframes at 0 and 12 s only, and a tone.
    pub fn long(&self) -> PathBuf {
        let input = "-f lavfi -i testsrc2=d=20:s=160x90:r=25 -f lavfi -i sine=d=20:r=44100";
        self.make("long.mp4", &format!("{input} -c:v libx264 -preset ultrafast -bf 2 -g 300 -sc_threshold 0 -c:a aac"))
    }

    /// A table of files of this folder, one a row.
    pub fn table(&self, files: &[&str]) -> PathBuf {
        let lines: String = files.iter().map(|file| format!("{}\n", self.path(file).display())).collect();
        self.write("table.txt", lines)
    }

    /// A table with one file and its spans, as a CSV cell holds them.
    pub fn spans(&self, file: &str, cell: &str) -> PathBuf {
        let cell = cell.replace('"', "\"\"");
        self.write("table.csv", format!("url,clips\n{},\"{cell}\"\n", self.path(file).display()))
    }

    /// `clipmill run` of these subsamplers over a table, into the folder `output`.
    pub fn command(&self, table: &Path, subsampling: &str, output: &str, options: &[&str]) -> Command {
        let config = self.write(&format!("{output}.yaml"), format!("subsampling: {subsampling}\n"));
        let mut command = clipmill();
        command.arg("run").arg(config).args(["-o", &format!("url_list={}", table.display())]);
        command.args(["-o", &format!("output_folder={}", self.path(output).display())]);
        command.args(["-o", "reading.allow_local_paths=true", "-o", "distribution.mpi=off"]);
        if table.extension().is_some_and(|extension| extension == "csv") {
            command.args(["-o", "clip_col=clips"]);
        }
        command.args(options.iter().flat_map(|option| ["-o", option]));
        command
    }

    /// Runs it to a good end.
    #[track_caller]
    pub fn run(&self, table: &Path, subsampling: &str, options: &[&str]) -> Samples {
        let ended = Ended::of(self.command(table, subsampling, "out", options).output().unwrap());
        ended.expect(0);
        verify(&self.path("out"));
        let made = samples(&self.path("out"));
        fs::remove_dir_all(self.path("out")).unwrap();
        made
    }

    /// The clips of one file at these spans.
    #[track_caller]
    pub fn cut(&self, cell: &str, clipping: &str) -> Samples {
        let table = self.spans("long.mp4", cell);
        self.run(&table, &format!("{{ClippingSubsampler: {{args: {clipping}}}}}"), &[])
    }

    /// A member as a file.
    pub fn member(&self, sample: &Sample, extension: &str) -> PathBuf {
        let held = sample.members.keys().collect::<Vec<_>>();
        let bytes = sample.members.get(extension).unwrap_or_else(|| panic!("no {extension}, only {held:?}"));
        self.write(&format!("member.{extension}"), bytes)
    }
}

/// All samples of a job's tars.
pub fn samples(output: &Path) -> Samples {
    let mut samples = Samples::new();
    let mut tars: Vec<PathBuf> = fs::read_dir(output).unwrap().map(|entry| entry.unwrap().path()).collect();
    tars.retain(|path| path.extension().is_some_and(|extension| extension == "tar"));
    for (name, bytes) in tars.iter().flat_map(|tar| members(tar)) {
        let (key, extension) = name.split_once('.').unwrap();
        let sample = samples.entry(key.to_owned());
        let sample = sample.or_insert_with(|| Sample { meta: Value::Null, members: BTreeMap::new() });
        if extension == "json" {
            sample.meta = serde_json::from_slice(&bytes).unwrap();
        } else {
            sample.members.insert(extension.to_owned(), bytes);
        }
    }
    samples
}

/// What `ffprobe -of json` says.
pub fn ffprobe(path: &Path, arguments: &str) -> Value {
    let mut command = Command::new("ffprobe");
    let output = command.args("-v quiet -of json".split(' ')).args(arguments.split_whitespace()).arg(path).output();
    serde_json::from_slice(&output.expect("ffprobe is installed").stdout).unwrap()
}

/// The first video stream as ffprobe sees it: width, height, and frames that it decoded.
pub fn video(path: &Path) -> (u64, u64, u64) {
    let found = ffprobe(path, "-select_streams v:0 -count_frames -show_streams");
    let stream = &found["streams"][0];
    let frames = stream["nb_read_frames"].as_str().map_or(0, |frames| frames.parse().unwrap());
    (stream["width"].as_u64().unwrap(), stream["height"].as_u64().unwrap(), frames)
}

/// The MD5 of each frame's pixels, in order, after `filter`.
pub fn frames(path: &Path, filter: &str) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path).args(["-map", "0:v:0", "-vf", filter]);
    let output = command.args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}
