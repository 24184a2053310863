//! A job over a table: runs the real binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A table, an output folder, and the options of a run.
pub struct Job {
    pub folder: TempDir,
    options: Vec<String>,
}

impl Job {
    /// A job over a CSV table with the columns `url`, `caption`, `id`.
    pub fn new(urls: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut table = "url,caption,id\n".to_owned();
        for (n, url) in urls.iter().enumerate() {
            table += &format!("{url},\"clip {n}, with a comma\",{n}\n");
        }
        fs::write(folder.path().join("table.csv"), table).unwrap();
        let options = [
            "caption_col=caption",
            "save_additional_columns=[id]",
            "reading.allow_private_networks=true",
            "storage.number_sample_per_shard=10",
        ];
        Self { folder, options: options.map(String::from).to_vec() }
    }

    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    pub fn table(&self) -> PathBuf {
        self.folder.path().join("table.csv")
    }

    pub fn output(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// `clipmill run` with this job's options, away from any launcher's environment.
    pub fn command(&self) -> Command {
        self.command_into(&self.output())
    }

    /// What stands behind `clipmill run`.
    pub fn arguments(&self) -> Vec<String> {
        self.command().get_args().skip(1).map(|argument| argument.to_str().unwrap().to_owned()).collect()
    }

    /// The same job into another folder.
    pub fn command_into(&self, output: &Path) -> Command {
        let mut command = clipmill();
        command.args(["run", "download"]);
        command.args(["-o", &format!("url_list={}", self.table().display())]);
        command.args(["-o", &format!("output_folder={}", output.display())]);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }

    /// Runs to the end.
    pub fn run(&self) -> Ended {
        Ended::of(self.command().output().unwrap())
    }

    pub fn spawn(&self) -> Child {
        self.command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    }

    pub fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        snapshot(&self.output())
    }
}

/// The binary under test, without the variables of any launcher.
pub fn clipmill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clipmill"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["SLURM", "PMI", "OMPI", "MPI", "CLIPMILL"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// A finished process.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Panics with both streams unless the exit code is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// The payload of a finished job: every shard and sidecar by name.
pub fn snapshot(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(output).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if [".tar", ".parquet", ".h5", ".tfrecord"].iter().any(|extension| name.ends_with(extension)) {
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

/// Asserts that two jobs wrote the same bytes, and says which file differs where they did not.
#[track_caller]
pub fn assert_same(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in a {
        assert!(bytes == &b[name], "{name} differs ({} and {} bytes)", bytes.len(), b[name].len());
    }
}

/// A commit record.
pub fn stats(output: &Path, shard: &str) -> Value {
    serde_json::from_slice(&fs::read(output.join(format!("{shard}_stats.json"))).unwrap()).unwrap()
}

/// `clipmill verify --full`: every row exactly once, every byte as recorded.
#[track_caller]
pub fn verify(output: &Path) {
    let ended = Ended::of(clipmill().args(["verify", "--full"]).arg(output).output().unwrap());
    ended.expect(0);
}

/// Members of a tar: name to bytes.
pub fn members(tar: &Path) -> Vec<(String, Vec<u8>)> {
    use std::io::Read;
    let mut archive = tar::Archive::new(fs::File::open(tar).unwrap());
    let read = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    read.collect()
}
