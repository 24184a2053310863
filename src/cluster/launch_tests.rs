//! The matrix of launchers, as tables. The environments are what the launchers were seen to set.

use super::launch::{Identity, Launcher, identify};
use super::{ClusterError, Env};

fn ask(environment: &[&str], flags: Option<(u32, u32)>) -> Result<Identity, ClusterError> {
    let pairs = environment.iter().flat_map(|words| words.split_whitespace()).map(|pair| pair.split_once('=').unwrap());
    identify(&pairs.collect::<Env>(), flags)
}

const JOB: &str = "SLURM_JOB_ID=10 SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0";
/// Task 3 of 4 on 2 nodes, alone on the second.
const STEP: &str = "SLURM_JOB_ID=10 SLURM_NTASKS=4 SLURM_PROCID=3 SLURM_LOCALID=0 SLURM_NODEID=1 SLURM_STEP_ID=2 \
                    SLURM_STEP_NUM_TASKS=4 SLURM_STEP_TASKS_PER_NODE=3,1";
const PMIX: &str = "PMIX_RANK=3 PMIX_NAMESPACE=slurm.pmix.10.2";
const PMI2: &str = "PMI_RANK=3 PMI_SIZE=4 PMI_FD=11 PMI_JOBID=10.2";
const OPEN_MPI: &str = "OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_SIZE=8 OMPI_COMM_WORLD_LOCAL_RANK=1 \
                        OMPI_COMM_WORLD_LOCAL_SIZE=4 PMIX_RANK=5 PMIX_NAMESPACE=77";
const HYDRA: &str = "PMI_RANK=1 PMI_SIZE=8 PMI_FD=8 MPI_LOCALRANKID=1 MPI_LOCALNRANKS=4 HYDI_CONTROL_FD=7";
const ARRAY: &str = "SLURM_ARRAY_JOB_ID=9 SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3 \
                     SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=4";
/// What a job submitted from inside a step of job 7 inherits.
const STALE: &str = "SLURM_STEP_NUM_TASKS=2 SLURM_STEP_ID=0 PMIX_RANK=0 PMIX_NAMESPACE=slurm.pmix.7.0";

#[test]
fn rank_world_and_job() {
    type Case = (&'static str, &'static [&'static str], (u32, u32), &'static str, Option<&'static str>);
    let cases: [Case; 19] = [
        ("nothing", &[], (0, 1), "none", None),
        ("a batch script", &[JOB], (0, 1), "none", Some("slurm:10")),
        ("srun --mpi=none", &[STEP], (3, 4), "slurm", Some("slurm:10")),
        ("srun --mpi=pmix", &[STEP, PMIX], (3, 4), "slurm", Some("slurm:10")),
        ("srun --mpi=pmi2", &[STEP, PMI2], (3, 4), "slurm", Some("slurm:10")),
        ("srun in an array", &[STEP, ARRAY], (11, 16), "slurm array", Some("slurm:9")),
        ("an array's batch script", &[JOB, ARRAY], (2, 4), "slurm array", Some("slurm:9")),
        ("mpirun", &[OPEN_MPI], (5, 8), "open mpi", Some("mpi:77")),
        ("mpirun in a batch script", &[JOB, OPEN_MPI], (5, 8), "open mpi", Some("slurm:10")),
        ("mpirun in an array", &[JOB, ARRAY, OPEN_MPI], (21, 32), "open mpi array", Some("slurm:9")),
        ("mpirun's rank on another node: the step is orted's", &[STEP, OPEN_MPI], (5, 8), "open mpi", Some("slurm:10")),
        ("hydra", &[HYDRA], (1, 8), "mpich", None),
        ("hydra's rank on another node", &[STEP, HYDRA], (1, 8), "mpich", Some("slurm:10")),
        ("a batch script submitted inside a step", &[JOB, STALE], (0, 1), "none", Some("slurm:10")),
        (
            "pmix left over from the step around this one",
            &[STEP, "PMIX_RANK=0 PMIX_NAMESPACE=slurm.pmix.10.1"],
            (3, 4),
            "slurm",
            Some("slurm:10"),
        ),
        (
            "a heterogeneous job",
            &[STEP, "SLURM_HET_JOB_ID=8 PMIX_RANK=3 PMIX_NAMESPACE=slurm.pmix.8.2"],
            (3, 4),
            "slurm",
            Some("slurm:8"),
        ),
        ("flux", &["FLUX_TASK_RANK=2 FLUX_JOB_SIZE=3 FLUX_JOB_ID=f1"], (2, 3), "flux", Some("flux:f1")),
        ("an id of one's own", &[STEP, "CLIPMILL_JOB_ID=mine"], (3, 4), "slurm", Some("mine")),
        (
            "mpirun -n 1 in each task of a step",
            &[STEP, "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1"],
            (3, 4),
            "slurm",
            Some("slurm:10"),
        ),
    ];
    for (name, environment, (rank, world), launcher, job) in cases {
        let identity = ask(environment, None).unwrap();
        let numbers = identity.global(identity.group.size.unwrap()).unwrap();
        assert_eq!(
            (numbers, identity.launcher().as_str(), identity.job.as_deref()),
            ((rank, world), launcher, job),
            "{name}"
        );
    }
}

#[test]
fn local_ranks() {
    let local = |environment: &[&str]| {
        let group = ask(environment, None).unwrap().group;
        (group.local_rank, group.local_size)
    };
    assert_eq!(local(&[STEP, PMI2]), (0, Some(1)), "Slurm knows the node, PMI does not");
    assert_eq!(local(&[STEP, OPEN_MPI]), (1, Some(4)));
    assert_eq!(local(&[HYDRA]), (1, Some(4)));
    assert_eq!(local(&[]), (0, None));
}

#[test]
fn every_rank_of_an_array_is_unique() {
    let mut ranks = Vec::new();
    for id in [1, 5, 7] {
        for task in 0..2 {
            let step = format!("SLURM_JOB_ID={id} SLURM_PROCID={task} SLURM_STEP_NUM_TASKS=2");
            let array = format!(
                "SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=7 SLURM_ARRAY_TASK_STEP=1 \
                 SLURM_ARRAY_TASK_COUNT=3"
            );
            let identity = ask(&[&step, &array], None).unwrap();
            assert_eq!(identity.warnings.len(), usize::from(id == 1 && task == 0), "only rank 0 warns");
            ranks.push(identity.global(2).unwrap());
        }
    }
    assert_eq!(ranks, [(0, 14), (1, 14), (8, 14), (9, 14), (12, 14), (13, 14)]);
}

#[test]
fn flags_beat_all() {
    for environment in
        [&[][..], &[STEP, PMIX], &[JOB, ARRAY], &[OPEN_MPI], &["SLURM_JOB_ID=1 SLURM_PROCID=x SLURM_STEP_NUM_TASKS=2"]]
    {
        let identity = ask(environment, Some((2, 8))).unwrap();
        assert_eq!((identity.global(8).unwrap(), identity.group.by), ((2, 8), Launcher::Flags));
    }
    for flags in [(8, 8), (0, 0)] {
        let error = ask(&[], Some(flags)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("rank {} of {} does not exist (--rank and --world)", flags.0, flags.1)),
            "{error}"
        );
    }
    let same_for_all = ask(&[STEP], Some((0, 3))).unwrap().warnings;
    assert!(same_for_all[0].message().contains("slurm started 4 processes, but --world is 3"), "{same_for_all:?}");
}

#[test]
fn damaged_environments_are_named() {
    let cases = [
        ("SLURM_JOB_ID=1 SLURM_PROCID=one SLURM_STEP_NUM_TASKS=2", "SLURM_PROCID=\"one\""),
        ("SLURM_JOB_ID=1 SLURM_PROCID=4 SLURM_STEP_NUM_TASKS=4", "rank 4 of 4 does not exist (SLURM_PROCID"),
        ("OMPI_COMM_WORLD_RANK=-1 OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=\"-1\""),
        ("PMI_RANK=2 PMI_SIZE=2", "rank 2 of 2"),
        ("SLURM_JOB_ID=1 SLURM_ARRAY_TASK_ID=99999999999", "SLURM_ARRAY_TASK_ID"),
        ("SLURM_JOB_ID=1 SLURM_RESTART_COUNT=x", "SLURM_RESTART_COUNT"),
    ];
    for (environment, want) in cases {
        let error = ask(&[environment], None).unwrap_err().to_string();
        assert!(error.contains(want), "{environment}: {error}");
    }
    let huge = "SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=65536 SLURM_ARRAY_TASK_ID=70000";
    let identity = ask(&[huge], None).unwrap();
    assert!(matches!(identity.global(65536), Err(ClusterError::TooManyRanks { .. })));
}

#[test]
fn waste_is_told() {
    let cases = [
        (JOB, "has 4 Slurm tasks, but clipmill was started once, outside srun"),
        ("JOB_COMPLETION_INDEX=3", "JOB_COMPLETION_INDEX is set"),
        ("PBS_JOBID=1 PBS_ARRAY_INDEX=2", "PBS_ARRAY_INDEX is set"),
    ];
    for (environment, want) in cases {
        let warnings = ask(&[environment], None).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].message().contains(want), "{environment}: {warnings:?}");
        assert!(ask(&[environment], Some((0, 4))).unwrap().warnings.is_empty(), "{environment} with flags");
    }
    for quiet in [STEP, OPEN_MPI, "SGE_TASK_ID=undefined", "LSB_JOBINDEX=0", "SLURM_JOB_ID=1 SLURM_NTASKS=1"] {
        assert!(ask(&[quiet], None).unwrap().warnings.is_empty(), "{quiet}");
    }
    let nested = ask(
        &["SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=4 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1"],
        None,
    );
    assert!(nested.unwrap().warnings[0].message().contains("a world of its own"));
}

#[test]
fn a_bare_pmix_launcher_does_not_say_the_size() {
    let group = ask(&["PMIX_RANK=3 PMIX_NAMESPACE=prrte.1"], None).unwrap().group;
    assert_eq!((group.by, group.rank, group.size), (Launcher::Pmix, 3, None));
}
