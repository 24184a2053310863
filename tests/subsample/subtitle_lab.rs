//! Jobs over subtitles, and tars as video2dataset writes them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::job::{Ended, clipmill, verify};
use crate::lab::{Lab, Sample, Samples, samples};

/// A config with clips of subtitles.
pub const CLIPS: &str = "{storage: {captions_are_subtitles: true}, subsampling: {ClippingSubsampler: {args: {precision: exact}}}, \
                         encoding: {preset: ultrafast}}";

/// A config with pictures at subtitles.
pub const PICTURES: &str = "{subsampling: {FrameSubsampler: {args: {downsample_method: yt_subtitle}}}}";

/// Runs a whole config over a table or tars, and checks what it wrote.
#[track_caller]
pub fn job(lab: &Lab, input: &Path, config: &str, output: &str) -> Samples {
    let config = lab.write(&format!("{output}.yaml"), config);
    let mut command = clipmill();
    command.arg("run").arg(config).args(["-o", &format!("url_list={}", input.display())]);
    command.args(["-o", &format!("output_folder={}", lab.path(output).display())]);
    command.args(["-o", "reading.allow_local_paths=true", "-o", "distribution.mpi=off"]);
    if input.extension().is_some_and(|extension| extension == "csv") {
        command.args(["-o", "save_additional_columns=[subtitles]"]);
    }
    Ended::of(command.output().unwrap()).expect(0);
    verify(&lab.path(output));
    samples(&lab.path(output))
}

/// A table of files with their subtitles.
pub fn table(lab: &Lab, rows: &[(&str, &str)]) -> PathBuf {
    let mut table = csv::Writer::from_path(lab.path("table.csv")).unwrap();
    table.write_record(["url", "subtitles"]).unwrap();
    for (file, subtitles) in rows {
        table.write_record([lab.path(file).to_str().unwrap(), subtitles]).unwrap();
    }
    table.flush().unwrap();
    lab.path("table.csv")
}

/// Writes `00000.tar` by Python's tarfile, as video2dataset does. Members: name and either text or a file of the lab.
pub fn tar(lab: &Lab, members: &[(&str, Member<'_>)]) -> PathBuf {
    const WRITE: &str = "import io, json, sys, tarfile
with tarfile.open('00000.tar', 'w') as out:
    for name, kind, value in json.load(sys.stdin):
        data = open(value, 'rb').read() if kind == 'file' else value.encode('utf-8', 'surrogateescape')
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.uname, info.gname = len(data), 0o444, 'bigdata', 'bigdata'
        out.addfile(info, io.BytesIO(data))
";
    let list: Vec<Value> = members
        .iter()
        .map(|(name, member)| match member {
            Member::Text(text) => serde_json::json!([name, "text", text]),
            Member::File(file) => serde_json::json!([name, "file", file]),
        })
        .collect();
    let list = lab.write("members.json", serde_json::to_vec(&list).unwrap());
    let mut command = Command::new("python3");
    command.current_dir(lab.folder.path()).args(["-c", WRITE]).stdin(std::fs::File::open(list).unwrap());
    assert!(command.status().expect("python3 is installed").success());
    lab.path("00000.tar")
}

pub enum Member<'a> {
    Text(String),
    File(&'a str),
}

impl Sample {
    pub fn text(&self, extension: &str) -> &str {
        std::str::from_utf8(&self.members[extension]).unwrap()
    }

    /// Its members' extensions.
    pub fn extensions(&self) -> Vec<&str> {
        self.members.keys().map(String::as_str).collect()
    }
}

/// Keys and texts of the samples that went well.
pub fn texts(made: &Samples) -> Vec<(&str, &str)> {
    let good = made.iter().filter(|(_, sample)| sample.meta["status"] == "success");
    good.map(|(key, sample)| (key.as_str(), sample.text("txt"))).collect()
}

/// Keys, classes and messages of the samples that failed.
pub fn failures(made: &Samples) -> Vec<(&str, &str, &str)> {
    let failed = made.iter().filter(|(_, sample)| sample.meta["status"] == "failed_to_subsample");
    failed
        .map(|(key, sample)| {
            let field = |name: &str| sample.meta[name].as_str().unwrap();
            (key.as_str(), field("error_class"), field("error_message"))
        })
        .collect()
}
