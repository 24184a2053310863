//! Which variables children of a rank must not see.

use std::ffi::OsString;

/// Prefixes of the variables by which launchers and MPI libraries talk to the processes they start.
const PREFIXES: [&str; 24] = [
    "PMI_",
    "PMI2_",
    "PMIX_",
    "OMPI_",
    "OPAL_",
    "ORTE_",
    "PRTE_",
    "MPI_",
    "MPIR_",
    "MPICH_",
    "MPIEXEC_",
    "MV2_",
    "I_MPI_",
    "HYDI_",
    "HYDRA_",
    "JSM_",
    "FLUX_",
    "PALS_",
    "SLURM_",
    "SLURMD_",
    "SBATCH_",
    "SRUN_",
    "SALLOC_",
    "CLIPMILL_",
];

/// Whether a child that gets this variable could take itself for a rank of the job.
pub fn is_launcher_variable(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The variables of this process to strip from its children: a decoder or a plugin that is linked with MPI would
/// otherwise join the job, and one that knows the scheduler could act on it.
pub fn clean_env() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_str().is_some_and(is_launcher_variable)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_only() {
        for name in ["PMI_FD", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_JOB_ID", "SLURMD_NODENAME", "I_MPI_ROOT"] {
            assert!(is_launcher_variable(name), "{name}");
        }
        for name in ["PATH", "HOME", "TMPDIR", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "https_proxy", "PMI"] {
            assert!(!is_launcher_variable(name), "{name}");
        }
    }
}
