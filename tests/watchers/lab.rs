//! Media made with the ffmpeg program, and jobs over it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::job::{Ended, clipmill, members};

pub struct Lab {
    pub folder: TempDir,
}

/// What a job made of a row.
pub struct Sample {
    pub key: String,
    pub json: Value,
    /// Media members.
    pub media: Vec<String>,
}

/// H.264, quickly.
pub const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

impl Lab {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `ffmpeg ARGUMENTS NAME` in the folder; arguments are split at blanks.
    pub fn make(&self, name: &str, arguments: &str) -> PathBuf {
        let mut command = Command::new("ffmpeg");
        command.current_dir(self.folder.path()).args(["-nostdin", "-v", "error", "-y"]);
        let output = command.args(arguments.split_whitespace()).arg(name).output().expect("ffmpeg is installed");
        assert!(output.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        self.path(name)
    }

    /// A picture of each kind (a source of libavfilter) in turn, for so many seconds.
    pub fn scenes(&self, name: &str, size: &str, scenes: &[(&str, f64)], encoding: &str) -> PathBuf {
        let inputs = scenes.iter().map(|(source, seconds)| {
            let sign = if source.contains('=') { ':' } else { '=' };
            format!("-f lavfi -i {source}{sign}s={size}:r=25:d={seconds} ")
        });
        let pads: String = (0..scenes.len()).map(|n| format!("[{n}:v]")).collect();
        let concat = format!("{pads}concat=n={}:v=1:a=0", scenes.len());
        self.make(name, &format!("{}-filter_complex {concat} {encoding}", inputs.collect::<String>()))
    }

    pub fn command(&self, verb: &str, config: &Value, rows: &[(PathBuf, &str)]) -> Command {
        let lines = rows.iter().map(|(path, clips)| format!("{},\"{clips}\"\n", path.display()));
        std::fs::write(self.path("table.csv"), format!("url,clips\n{}", lines.collect::<String>())).unwrap();
        let mut config = config.clone();
        config["reading"] = json!({"allow_local_paths": true});
        // JSON is YAML.
        std::fs::write(self.path("job.yaml"), config.to_string()).unwrap();
        let mut command = clipmill();
        command.arg(verb).arg(self.path("job.yaml"));
        command.args(["-o", &format!("url_list={}", self.path("table.csv").display())]);
        command.args(["-o", &format!("output_folder={}", self.output().display())]);
        command
    }

    pub fn output(&self) -> PathBuf {
        self.path("out")
    }

    /// Runs a job over paths and their clips, and reads its one shard back.
    pub fn run(&self, config: &Value, rows: &[(PathBuf, &str)]) -> Vec<Sample> {
        let _ = std::fs::remove_dir_all(self.output());
        Ended::of(self.command("run", config, rows).output().unwrap()).expect(0);
        self.samples()
    }

    pub fn samples(&self) -> Vec<Sample> {
        let mut samples: Vec<Sample> = Vec::new();
        for (name, bytes) in members(&self.output().join("00000.tar")) {
            let (key, extension) = name.split_once('.').unwrap();
            if samples.last().is_none_or(|sample| sample.key != key) {
                samples.push(Sample { key: key.to_owned(), json: Value::Null, media: Vec::new() });
            }
            let sample = samples.last_mut().unwrap();
            match extension {
                "json" => sample.json = serde_json::from_slice(&bytes).unwrap(),
                other => sample.media.push(other.to_owned()),
            }
        }
        samples
    }

    /// The fields of a job that only looks.
    pub fn look(&self, subsampling: Value, paths: &[PathBuf]) -> Vec<Value> {
        let rows: Vec<(PathBuf, &str)> = paths.iter().map(|path| (path.clone(), "")).collect();
        let samples = self.run(&json!({"job": {"encode_formats": {}}, "subsampling": subsampling}), &rows);
        samples.into_iter().map(|sample| sample.json).collect()
    }
}

/// What the ffmpeg program logs while it filters a file.
pub fn log_of(path: &Path, filter: &str) -> String {
    let mut command = Command::new("ffmpeg");
    let output = command.args(["-nostdin", "-hide_banner", "-nostats", "-i"]).arg(path).args(["-vf", filter]);
    let output = output.args(["-an", "-f", "null", "-"]).output().expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The numbers behind each `key:` in a log.
pub fn numbers(log: &str, key: &str) -> Vec<f64> {
    let behind = log.match_indices(key).map(|(at, _)| log[at + key.len()..].trim_start_matches([':', ' ']));
    behind.map(|text| text.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

/// An entry of the first video stream, as ffprobe prints it.
pub fn probed(path: &Path, entry: &str) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0", "-show_entries", entry]).arg(path);
    let text = String::from_utf8(command.output().expect("ffprobe is installed").stdout).unwrap();
    // Streams of a program are printed twice.
    text.lines().next().unwrap_or_default().to_owned()
}

pub fn footage(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/footage-src").join(name);
    assert!(path.is_file(), "no footage: run 'bash tests/rig/setup.sh test' first");
    path
}
