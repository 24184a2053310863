//! Hands a job to Slurm: writes the batch script and its config to a folder of their own, and calls sbatch once.
//!
//! The scripts are the templates in `slurm/`, which the program carries, so that an installed program needs no checkout.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::error::Class;

const TEMPLATE: &str = include_str!("../../slurm/download.sbatch");
const COMMON: &str = include_str!("../../slurm/common.sh");

/// Why a job was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error(
        "the job's files cannot be written to {folder}: {source}; name another folder with distributor_args.cache_path"
    )]
    Files { folder: PathBuf, source: io::Error },
    #[error("there is no sbatch on this machine: submit from a login node, or start clipmill under another launcher")]
    NoSbatch,
    #[error("sbatch cannot be started: {source}")]
    Start { source: io::Error },
    #[error("sbatch refused the job: {said}")]
    Refused { said: String },
}

impl SubmitError {
    /// Nothing was submitted: the command is to be given again.
    pub fn class(&self) -> Class {
        Class::Job
    }
}

/// A job that could be submitted.
#[derive(Debug)]
pub struct Submission {
    folder: PathBuf,
    config: String,
    options: Vec<String>,
}

impl Submission {
    /// `parent` holds a folder for each different job; `config` is its YAML, and must not ask to be submitted itself;
    /// `options` are sbatch's.
    ///
    /// # Errors
    /// The working folder is gone.
    pub fn new(parent: &Path, config: String, options: Vec<String>) -> Result<Self, SubmitError> {
        // Named by its content: a job that waits in the queue keeps its files, whatever is submitted after it.
        let mut hasher = Sha256::default();
        [TEMPLATE, COMMON, &config].iter().for_each(|text| hasher.update(text));
        let name: String = hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let folder = std::path::absolute(parent.join(name));
        let folder = folder.map_err(|source| SubmitError::Files { folder: parent.to_owned(), source })?;
        Ok(Self { folder, config, options })
    }

    /// The call of sbatch, word by word.
    pub fn command(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["sbatch".into(), "--parsable".into()];
        words.extend(self.options.iter().map(OsString::from));
        let mut output = OsString::from("--output=");
        output.push(self.folder.join("%x-%j.out"));
        words.extend([output, self.folder.join("job.sbatch").into(), self.folder.join("config.yaml").into()]);
        words
    }

    /// Where the job's output is written.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Submits it; returns the job's id, as sbatch prints it.
    ///
    /// # Errors
    /// The files cannot be written, or sbatch is not there or refuses.
    pub fn submit(&self) -> Result<String, SubmitError> {
        self.write().map_err(|source| SubmitError::Files { folder: self.folder.clone(), source })?;
        let words = self.command();
        let mut command = Command::new("sbatch");
        command.args(words.iter().skip(1)).env("CLIPMILL_SLURM_DIR", &self.folder);
        if std::env::var_os("CLIPMILL").is_none()
            && let Ok(program) = std::env::current_exe()
        {
            command.env("CLIPMILL", program);
        }
        let output = command.output().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SubmitError::NoSbatch,
            _ => SubmitError::Start { source },
        })?;
        if !output.status.success() {
            return Err(SubmitError::Refused { said: String::from_utf8_lossy(&output.stderr).trim().to_owned() });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn write(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        for (name, text) in [("common.sh", COMMON), ("config.yaml", &self.config), ("job.sbatch", TEMPLATE)] {
            let temporary = self.folder.join(format!("{name}.{}.tmp", std::process::id()));
            fs::write(&temporary, text)?;
            fs::rename(&temporary, self.folder.join(name))?;
        }
        Ok(())
    }
}
