//! Whether to use MPI, and what to say when it does not fit the launcher.

use std::time::Duration;

use super::super::launch::{Identity, Launcher};
use super::super::{ClusterError, Env, Warning, slurm};
use super::MpiSession;
use super::error::MpiError;
use super::helper::Helper;
use super::wire::Kind;
use crate::config::MpiMode;

/// How long MPI_Init may take: thousands of ranks on a busy file system need tens of seconds.
const INIT_PATIENCE: Duration = Duration::from_secs(60);

/// What the environment offers to MPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// Open MPI's own launcher, or any PMIx one.
    Pmix,
    /// PMI-1 or PMI-2: MPICH, Intel MPI, MVAPICH; `srun --mpi=pmi2`.
    Pmi,
}

fn offer(env: &Env) -> Option<Offer> {
    if env.has("OMPI_COMM_WORLD_SIZE") {
        return Some(Offer::Pmix);
    }
    if slurm::stale_pmi(env) {
        return None;
    }
    if env.has("PMIX_RANK") && env.has("PMIX_NAMESPACE") {
        return Some(Offer::Pmix);
    }
    (env.has("PMI_RANK") && env.first_of(&["PMI_FD", "PMI_PORT"]).is_some()).then_some(Offer::Pmi)
}

/// Joins MPI where the launcher offers it, the group is larger than one process, and the mode allows it. Where MPI and
/// the launcher disagree, the launcher is right: it started the processes.
///
/// # Errors
/// Only under [`MpiMode::Required`].
pub(in super::super) fn join(
    env: &Env,
    mode: MpiMode,
    identity: &Identity,
    warnings: &mut Vec<Warning>,
) -> Result<Option<MpiSession>, ClusterError> {
    let offer = offer(env);
    let wanted = match mode {
        MpiMode::Off => false,
        MpiMode::Required => true,
        MpiMode::Auto => {
            offer.is_some() && identity.group.by != Launcher::Flags && identity.group.size.is_none_or(|size| size > 1)
        }
    };
    if !wanted {
        return Ok(None);
    }
    let Some(offer) = offer else {
        let reason = "the launcher offers none: start clipmill with mpirun, or with srun --mpi=pmix or --mpi=pmi2 \
                      (srun --mpi=list shows what there is)";
        return Err(ClusterError::MpiRequired { reason: reason.into() });
    };
    match start(env).and_then(|session| fits(session, identity)) {
        Ok(session) => Ok(Some(session)),
        Err(unfit) if mode == MpiMode::Required => Err(ClusterError::MpiRequired { reason: unfit.message(env, offer) }),
        Err(unfit) => {
            if unfit.concerns(identity, offer) {
                let message = unfit.message(env, offer);
                warnings.push(Warning::new(format!("going on without MPI, with the launcher's ranks. {message}")));
            }
            Ok(None)
        }
    }
}

/// Why an MPI cannot be used.
enum Unfit {
    Failed(MpiError),
    Numbers { library: String, rank: u32, size: u32, want: (u32, u32) },
}

impl From<MpiError> for Unfit {
    fn from(error: MpiError) -> Self {
        Unfit::Failed(error)
    }
}

impl Unfit {
    /// All ranks see the same mismatch, so rank 0 tells; what failed may have failed on one node only.
    fn concerns(&self, identity: &Identity, offer: Offer) -> bool {
        match self {
            // Built without: the user knows, and every job of that build would say so.
            Unfit::Failed(MpiError::NotBuilt) => false,
            Unfit::Failed(error) if wrong_kind(offer, error.library().unwrap_or_default()) => identity.speaks(),
            Unfit::Failed(_) => identity.group.local_rank == 0,
            Unfit::Numbers { .. } => identity.speaks(),
        }
    }

    fn message(&self, env: &Env, offer: Offer) -> String {
        match self {
            Unfit::Failed(error @ (MpiError::NotBuilt | MpiError::Start { .. })) => error.to_string(),
            Unfit::Failed(error) => format!("{}. {error}", remedy(env, offer, error.library().unwrap_or_default())),
            Unfit::Numbers { library, rank, size, want: (_, world) } if *size == 1 => format!(
                "The launcher started {world} processes, but {library} sees itself alone (rank {rank} of 1). {}",
                remedy(env, offer, library)
            ),
            Unfit::Numbers { library, rank, size, want } => format!(
                "The launcher says rank {} of {}, but {library} says rank {rank} of {size}. {}",
                want.0,
                want.1,
                remedy(env, offer, library)
            ),
        }
    }
}

/// Open MPI talks PMIx; MPICH and its kin talk PMI.
fn wrong_kind(offer: Offer, library: &str) -> bool {
    !library.is_empty() && library.contains("Open MPI") != (offer == Offer::Pmix)
}

/// Whether `srun` started the ranks themselves, not the daemons of a `mpirun`. Hydra's proxies have a control descriptor.
fn by_srun(env: &Env) -> bool {
    env.has("SLURM_STEP_NUM_TASKS") && !env.has("OMPI_COMM_WORLD_SIZE") && !env.has("HYDI_CONTROL_FD")
}

/// What to type instead.
fn remedy(env: &Env, offer: Offer, library: &str) -> String {
    let open_mpi = library.contains("Open MPI");
    match (wrong_kind(offer, library), by_srun(env)) {
        (true, true) => {
            let kind = if open_mpi { "pmix" } else { "pmi2" };
            format!("Use `srun --mpi={kind}` (srun --mpi=list shows what there is)")
        }
        (true, false) => {
            let own = if open_mpi { "Open MPI" } else { "that library" };
            format!("clipmill-mpi is linked with {library}: use the mpirun of {own}")
        }
        (false, true) if !library.is_empty() => "Check that this MPI library was built for this Slurm \
                                                 (srun --mpi=list), or set `distribution.mpi: off`"
            .into(),
        (false, _) => "Every rank works all the same; `distribution.mpi: off` skips the attempt".into(),
    }
}

fn fits(session: MpiSession, identity: &Identity) -> Result<MpiSession, Unfit> {
    let want = (identity.group.rank, identity.group.size.unwrap_or(session.size));
    if (session.rank, session.size) == want {
        return Ok(session);
    }
    Err(Unfit::Numbers { library: session.library.clone(), rank: session.rank, size: session.size, want })
}

fn start(env: &Env) -> Result<MpiSession, Unfit> {
    let path = Helper::path(env);
    if !cfg!(feature = "mpi") && !path.exists() {
        return Err(MpiError::NotBuilt.into());
    }
    let seconds = env.number::<u64>("CLIPMILL_MPI_TIMEOUT").ok().flatten();
    let patience = seconds.map_or(INIT_PATIENCE, Duration::from_secs);
    let mut helper = Helper::start(&path, env)?;
    let library = helper.hear("its start", Kind::Library, patience)?;
    helper.library = Some(String::from_utf8_lossy(&library).into_owned());
    let hello = helper.hear("MPI_Init", Kind::Hello, patience)?;
    let [r0, r1, r2, r3, s0, s1, s2, s3] = hello[..] else {
        return Err(MpiError::Protocol { step: "MPI_Init", what: format!("{} bytes of hello", hello.len()) }.into());
    };
    let (rank, size) = (u32::from_le_bytes([r0, r1, r2, r3]), u32::from_le_bytes([s0, s1, s2, s3]));
    if rank >= size {
        return Err(MpiError::Protocol { step: "MPI_Init", what: format!("rank {rank} of {size}") }.into());
    }
    let library = helper.library.clone().unwrap_or_default();
    Ok(MpiSession { helper: Some(helper), rank, size, library, by_srun: by_srun(env), gone: String::new() })
}
