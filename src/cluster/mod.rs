//! Who am I: which rank of how many, on which CPUs, until when; and how soon to stop.
//!
//! [`detect`] reads the launcher's environment, joins MPI where that works, and returns one [`Placement`]. [`Stop`] is
//! what signals ([`signals`]) and the job's end time ([`deadline`]) raise, and what the rest of the program obeys.

mod clean_env;
mod cpus;
pub mod deadline;
mod env;
mod error;
mod launch;
#[cfg(test)]
mod launch_tests;
mod local;
mod mpi;
pub mod open_files;
mod placement;
pub mod signals;
mod slurm;
mod stop;
mod submit;

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use crate::config::MpiMode;
use launch::Launcher;

pub use clean_env::{clean_env, is_launcher_variable};
pub use env::Env;
pub use error::ClusterError;
pub use mpi::{MpiError, MpiSession, gravest};
pub use placement::Placement;
pub use stop::{Level, Stop};
pub use submit::{Submission, SubmitError};

/// Something that a person should read; the job goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(String);

impl Warning {
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }

    pub fn message(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Finds out who this process is. `flags` are `--rank` and `--world`, which beat everything else.
///
/// Warnings that concern the whole job are returned at rank 0 only. Call this once, early, before other children are
/// started.
///
/// # Errors
/// [`ClusterError`]: the environment is damaged, the flags are out of range, there is no scratch folder, or MPI is
/// required and does not work.
pub fn detect(
    flags: Option<(u32, u32)>,
    mpi: MpiMode,
    tmp_dir: Option<&Path>,
) -> Result<(Placement, Option<MpiSession>, Vec<Warning>), ClusterError> {
    let env = Env::from_process();
    let mut identity = launch::identify(&env, flags)?;
    let mut warnings = std::mem::take(&mut identity.warnings);
    let session = mpi::join(&env, mpi, &identity, &mut warnings)?;
    let size = match (identity.group.size, &session) {
        (Some(size), _) => size,
        (None, Some(session)) => session.size(),
        (None, None) => {
            let why = warnings.pop().map_or_else(|| "it is off".into(), |warning| warning.0);
            return Err(ClusterError::UnknownWorld { rank: identity.group.rank, why });
        }
    };
    let (rank, world) = identity.global(size)?;
    let placement = Placement {
        rank,
        world,
        local_rank: identity.group.local_rank,
        cpus: cpus::of_rank(&env, &identity.group, cpus::Kernel::ask())?,
        gpus: local::gpus(&env),
        scratch: local::scratch(&env, tmp_dir, &mut warnings)?,
        deadline: local::deadline(&env, SystemTime::now(), &mut warnings)?,
        launcher: identity.launcher(),
        job: identity.job.clone(),
        host: local::host(&env),
        array: identity.array.map(|array| (array.index, array.slots)),
        restart: identity.restart,
        mpi: session.as_ref().map(|session| session.library().to_owned()),
    };
    Ok((placement, session, warnings))
}

/// Whether a launcher started this process, or it is part of a Slurm job: then it is a rank, and nobody to submit jobs.
pub fn is_launched() -> bool {
    let env = Env::from_process();
    // A damaged environment is a launcher's; `detect` says what is wrong with it.
    env.has("SLURM_JOB_ID") || launch::identify(&env, None).map_or(true, |identity| identity.group.by != Launcher::None)
}
