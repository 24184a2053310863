//! A throw-away Slurm cluster of four nodes on this machine (tests/rig/slurm_cluster.sh).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running cluster; stopped on drop, and by itself when this process dies.
pub struct Cluster {
    base: TempDir,
    environment: Vec<(String, String)>,
}

impl Cluster {
    pub fn start() -> Self {
        let base = tempfile::Builder::new().prefix("clipmill-").tempdir().unwrap();
        let mut cluster = Self { base, environment: Vec::new() };
        let started = cluster.script("start").output().unwrap();
        assert!(
            started.status.success(),
            "no cluster (it needs root, and what `tests/rig/setup.sh slurm` installs): {}",
            String::from_utf8_lossy(&started.stderr)
        );
        let lines = cluster.script("env").output().unwrap();
        let script = format!("{}\nenv -0", String::from_utf8_lossy(&lines.stdout));
        let output = Command::new("bash").args(["-c", &script]).env_clear().output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        let environment = pairs.filter(|(name, _)| !["PATH", "PWD", "SHLVL", "_"].contains(name));
        cluster.environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        cluster
    }

    fn script(&self, verb: &str) -> Command {
        let mut command = Command::new("bash");
        command.arg(root().join("tests/rig/slurm_cluster.sh")).arg(verb);
        command.env("CLIPMILL_SLURM_BASE", self.base.path().join("s"));
        command.env("CLIPMILL_SLURM_OWNER", std::process::id().to_string());
        command
    }

    pub fn node(&self, verb: &str, node: &str) {
        let done = self.script(verb).arg(node).status().unwrap();
        assert!(done.success(), "{verb} {node}");
    }

    /// A command of Slurm's, or one that runs under it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["SLURM", "PMI", "OMPI", "CLIPMILL"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Templates look for the program here.
        command.env("CLIPMILL", env!("CARGO_BIN_EXE_clipmill"));
        command.env("HOME", self.base.path());
        command.current_dir(self.base.path());
        command
    }

    /// Submits a template; returns the job's id.
    pub fn submit(&self, template: &str, sbatch: &[&str], arguments: &[String], log: &Path) -> String {
        let mut command = self.command("sbatch");
        command.args(["--parsable", "--output", log.to_str().unwrap()]).args(sbatch);
        command.arg(root().join("slurm").join(template)).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A field of `scontrol show job`.
    pub fn field(&self, job: &str, field: &str) -> String {
        let output = self.command("scontrol").args(["--oneliner", "show", "job", job]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let prefix = format!("{field}=");
        text.split_whitespace().find_map(|word| word.strip_prefix(&prefix)).unwrap_or_default().to_owned()
    }

    /// Waits for the end of a job; returns its state and exit code, as `COMPLETED 0:0`.
    pub fn wait(&self, job: &str, limit: Duration) -> String {
        let begun = Instant::now();
        loop {
            let state = self.field(job, "JobState");
            if ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"].contains(&state.as_str()) {
                return format!("{state} {}", self.field(job, "ExitCode"));
            }
            assert!(begun.elapsed() < limit, "job {job} is still {state}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Output { status, stderr, .. } = self.script("stop").output().unwrap();
        // A daemon that lives on would slow down every later test and be noticed by nobody.
        assert!(
            status.success() || std::thread::panicking(),
            "the cluster does not stop: {}",
            String::from_utf8_lossy(&stderr)
        );
    }
}

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
