//! From the environment and the flags to rank and world: a pure function.

use super::{ClusterError, Env, Warning, slurm};

/// Who started this process together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Launcher {
    Flags,
    OpenMpi,
    Pmi,
    Mvapich,
    Jsrun,
    Flux,
    Pmix,
    Slurm,
    None,
}

impl Launcher {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Launcher::Flags => "flags",
            Launcher::OpenMpi => "open mpi",
            Launcher::Pmi => "mpich",
            Launcher::Mvapich => "mvapich",
            Launcher::Jsrun => "jsrun",
            Launcher::Flux => "flux",
            Launcher::Pmix => "pmix",
            Launcher::Slurm => "slurm",
            Launcher::None => "none",
        }
    }
}

/// The processes that one launcher call started together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub by: Launcher,
    pub rank: u32,
    /// None where a PMIx launcher does not say; MPI can.
    pub size: Option<u32>,
    pub local_rank: u32,
    /// Processes of the group on this node, where the launcher says.
    pub local_size: Option<u32>,
}

const ALONE: Group = Group { by: Launcher::None, rank: 0, size: Some(1), local_rank: 0, local_size: None };

/// This task's place in a job array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Array {
    pub index: u32,
    /// Indices that the ranks are laid out over.
    pub slots: u32,
    /// Tasks that exist; fewer than `slots` where the array has holes.
    pub tasks: u32,
}

/// Who this process is, as far as the environment knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub group: Group,
    pub array: Option<Array>,
    pub job: Option<String>,
    pub restart: u32,
    pub warnings: Vec<Warning>,
}

impl Identity {
    /// Rank and world over all array tasks; `size` is the group's.
    pub(crate) fn global(&self, size: u32) -> Result<(u32, u32), ClusterError> {
        let Some(array) = self.array else { return Ok((self.group.rank, size)) };
        let too_many = || ClusterError::TooManyRanks { tasks: size, array: array.slots };
        let world = array.slots.checked_mul(size).ok_or_else(too_many)?;
        Ok((array.index * size + self.group.rank, world))
    }

    /// What told us, for people: `slurm`, `slurm array`, `open mpi array`, …
    pub(crate) fn launcher(&self) -> String {
        match (self.group.by, self.array) {
            (by, None) => by.name().into(),
            (Launcher::None, Some(_)) => "slurm array".into(),
            (by, Some(_)) => format!("{} array", by.name()),
        }
    }

    /// Rank 0 of the job speaks for all; each further array task cannot know whether that one runs, and stays silent.
    pub(crate) fn speaks(&self) -> bool {
        self.group.rank == 0 && self.array.is_none_or(|array| array.index == 0)
    }
}

/// `--rank` and `--world` beat all; then the launcher that started this very process: MPI's, else `srun`, else none.
pub(crate) fn identify(env: &Env, flags: Option<(u32, u32)>) -> Result<Identity, ClusterError> {
    let mut warnings = Vec::new();
    let (group, array) = match flags {
        Some((rank, world)) => (by_flags(env, rank, world, &mut warnings)?, None),
        None => (innermost(env, &mut warnings)?, slurm::array(env)?),
    };
    let restart = env.number("SLURM_RESTART_COUNT")?.unwrap_or(0);
    let mut identity = Identity { group, array, job: job(env), restart, warnings };
    if flags.is_none() {
        warn_of_waste(env, &mut identity);
    }
    if !identity.speaks() {
        identity.warnings.clear();
    }
    Ok(identity)
}

fn by_flags(env: &Env, rank: u32, world: u32, warnings: &mut Vec<Warning>) -> Result<Group, ClusterError> {
    let rank = checked(rank, world, "--rank and --world")?;
    // A damaged environment is one reason to give flags: it cannot be a reason to refuse them.
    let around = innermost(env, &mut Vec::new()).unwrap_or(ALONE);
    if let Some(tasks @ 2..) = around.size
        && !world.is_multiple_of(tasks)
    {
        warnings.push(Warning::new(format!(
            "{} started {tasks} processes, but --world is {world}: do all of them have the same --rank? \
             Leave --rank and --world out to use the launcher's numbers",
            around.by.name()
        )));
    }
    Ok(Group {
        by: Launcher::Flags,
        rank,
        size: Some(world),
        local_rank: around.local_rank,
        local_size: around.local_size,
    })
}

/// The launcher nearest to this process. Inside `mpirun` in a Slurm job, the `srun` step is `mpirun`'s own and
/// describes its daemons: MPI's variables win.
fn innermost(env: &Env, warnings: &mut Vec<Warning>) -> Result<Group, ClusterError> {
    let step = slurm::step(env)?;
    let Some(mpi) = mpi_launcher(env)? else {
        return Ok(match (step, pmix(env)?) {
            (Some(step), _) => step,
            (None, Some(pmix)) => pmix,
            (None, None) => ALONE,
        });
    };
    match (step, mpi.size) {
        // `srun` hands PMI_RANK out itself: the same numbers, and Slurm also knows the node's tasks.
        (Some(step), _) if (step.rank, step.size) == (mpi.rank, mpi.size) => Ok(step),
        (Some(step), Some(1)) => {
            warnings.push(Warning::new(format!(
                "{} says rank 0 of 1 inside an srun step of {} tasks: each task would be a world of its own; \
                 going on with Slurm's ranks. Start clipmill with either srun or mpirun, not one inside the other",
                mpi.by.name(),
                step.size.unwrap_or(1)
            )));
            Ok(step)
        }
        _ => Ok(mpi),
    }
}

/// Launcher, and the variables for rank, size, local rank, local size.
type Names = (Launcher, &'static str, &'static str, &'static str, &'static str);

const MPI_LAUNCHERS: [Names; 5] = [
    (
        Launcher::OpenMpi,
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    (
        Launcher::Mvapich,
        "MV2_COMM_WORLD_RANK",
        "MV2_COMM_WORLD_SIZE",
        "MV2_COMM_WORLD_LOCAL_RANK",
        "MV2_COMM_WORLD_LOCAL_SIZE",
    ),
    (
        Launcher::Jsrun,
        "JSM_NAMESPACE_RANK",
        "JSM_NAMESPACE_SIZE",
        "JSM_NAMESPACE_LOCAL_RANK",
        "JSM_NAMESPACE_LOCAL_SIZE",
    ),
    (Launcher::Flux, "FLUX_TASK_RANK", "FLUX_JOB_SIZE", "FLUX_TASK_LOCAL_ID", ""),
    (Launcher::Pmi, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
];

fn mpi_launcher(env: &Env) -> Result<Option<Group>, ClusterError> {
    for (by, rank, size, local_rank, local_size) in MPI_LAUNCHERS {
        if by == Launcher::Pmi && slurm::stale_pmi(env) {
            continue;
        }
        let (Some(rank_value), Some(size_value)) = (env.number(rank)?, env.number(size)?) else { continue };
        return Ok(Some(Group {
            by,
            rank: checked(rank_value, size_value, rank)?,
            size: Some(size_value),
            local_rank: env.number(local_rank)?.unwrap_or(0),
            local_size: env.number(local_size)?,
        }));
    }
    Ok(None)
}

/// A PMIx launcher that is neither `srun` nor Open MPI's: it gives the rank but not the size.
fn pmix(env: &Env) -> Result<Option<Group>, ClusterError> {
    if slurm::stale_pmi(env) {
        return Ok(None);
    }
    let Some(rank) = env.number("PMIX_RANK")? else { return Ok(None) };
    Ok(Some(Group { by: Launcher::Pmix, rank, size: None, local_rank: 0, local_size: None }))
}

pub(crate) fn checked(rank: u32, world: u32, from: &'static str) -> Result<u32, ClusterError> {
    if rank < world { Ok(rank) } else { Err(ClusterError::RankOutOfRange { rank, world, from }) }
}

fn job(env: &Env) -> Option<String> {
    const OTHERS: [(&str, &str); 5] = [
        ("pbs", "PBS_JOBID"),
        ("lsf", "LSB_JOBID"),
        ("mpi", "PMIX_NAMESPACE"),
        ("mpi", "OMPI_MCA_ess_base_jobid"),
        ("flux", "FLUX_JOB_ID"),
    ];
    if let Some(id) = env.get("CLIPMILL_JOB_ID") {
        return Some(id.to_owned());
    }
    slurm::job(env).or_else(|| OTHERS.iter().find_map(|(kind, name)| Some(format!("{kind}:{}", env.get(name)?))))
}

/// Allocations and indexed jobs of which only one process, or the same process again and again, would be used.
fn warn_of_waste(env: &Env, identity: &mut Identity) {
    if let Some(array) = identity.array
        && array.tasks < array.slots
    {
        identity.warnings.push(Warning::new(format!(
            "the job array has holes ({} tasks over {} indices): ranks are numbered over all indices, and the shards \
             of the missing ones are done by whoever is free. --rank and --world give an even split",
            array.tasks, array.slots
        )));
    }
    if identity.group.by != Launcher::None {
        return;
    }
    if let Some(tasks @ 2..) = env.number::<u32>("SLURM_NTASKS").ok().flatten()
        && env.has("SLURM_JOB_ID")
    {
        identity.warnings.push(Warning::new(format!(
            "this job has {tasks} Slurm tasks, but clipmill was started once, outside srun: only one will work. \
             Put `srun` before the command"
        )));
    }
    let others = ["JOB_COMPLETION_INDEX", "PBS_ARRAY_INDEX", "LSB_JOBINDEX", "SGE_TASK_ID"];
    if let Some(name) = env.first_of(&others)
        && !matches!(env.get(name), Some("undefined" | "0"))
    {
        identity.warnings.push(Warning::new(format!(
            "{name} is set, but not how many tasks there are: each believes to be rank 0 of 1. \
             Nothing is done twice, but give --rank and --world for an even split (doc/launchers.md)"
        )));
    }
}
