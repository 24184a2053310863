//! Slurm's environment. What is set where was read off Slurm 22.05 (`doc/launchers.md` has the table).

use super::launch::{Array, Group, Launcher, checked};
use super::{ClusterError, Env};

/// This task of an `srun` step; none in a batch script, on a login node, or without Slurm.
///
/// A batch script has `SLURM_PROCID=0` and `SLURM_NTASKS` too: only a step has `SLURM_STEP_NUM_TASKS`.
pub(crate) fn step(env: &Env) -> Result<Option<Group>, ClusterError> {
    if !env.has("SLURM_JOB_ID") || stale_step(env) {
        return Ok(None);
    }
    let (Some(size), Some(rank)) = (env.number("SLURM_STEP_NUM_TASKS")?, env.number("SLURM_PROCID")?) else {
        return Ok(None);
    };
    let rank = checked(rank, size, "SLURM_PROCID and SLURM_STEP_NUM_TASKS")?;
    let local_rank = env.number("SLURM_LOCALID")?.unwrap_or(0);
    Ok(Some(Group { by: Launcher::Slurm, rank, size: Some(size), local_rank, local_size: tasks_on_node(env) }))
}

/// `sbatch` called inside a step hands that step's variables on to the new job (seen on 22.05), where they describe
/// nobody. The PMI plugin's own job id, `slurm.pmix.JOB.STEP` or `JOB.STEP`, gives this away.
pub(crate) fn stale_step(env: &Env) -> bool {
    // Components of a heterogeneous job share one namespace, which is named after the leader.
    if env.has("SLURM_HET_JOB_ID") || env.has("SLURM_PACK_JOB_ID") {
        return false;
    }
    let Some(job) = env.get("SLURM_JOB_ID") else { return false };
    let pmix = env.get("PMIX_NAMESPACE").and_then(|name| name.strip_prefix("slurm.pmix."));
    pmix.or(env.get("PMI_JOBID")).and_then(|id| id.split_once('.')).is_some_and(|(theirs, _)| theirs != job)
}

/// Whether the PMI variables belong to another step of the same job: `srun --mpi=none` inside `srun --pty bash`.
pub(crate) fn stale_pmi(env: &Env) -> bool {
    let Some(step) = env.get("SLURM_STEP_ID") else { return stale_step(env) };
    let pmix = env.get("PMIX_NAMESPACE").and_then(|name| name.strip_prefix("slurm.pmix."));
    let other =
        pmix.or(env.get("PMI_JOBID")).and_then(|id| id.split_once('.')).is_some_and(|(_, theirs)| theirs != step);
    other || stale_step(env)
}

/// This task of a job array.
///
/// An array with holes (`--array=1,5,7`) does not tell how many tasks come before this one. The whole span from the
/// smallest to the largest index then counts as the array, so that ranks stay unique; shards whose first rank is in a
/// hole are taken by the ranks that run out of their own.
pub(crate) fn array(env: &Env) -> Result<Option<Array>, ClusterError> {
    if !env.has("SLURM_JOB_ID") {
        return Ok(None);
    }
    let Some(id) = env.number::<u32>("SLURM_ARRAY_TASK_ID")? else { return Ok(None) };
    let min = env.number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0).min(id);
    let max = env.number("SLURM_ARRAY_TASK_MAX")?.unwrap_or(id).max(id);
    let step = env.number("SLURM_ARRAY_TASK_STEP")?.filter(|step: &u32| *step > 0).unwrap_or(1);
    let step = if (id - min).is_multiple_of(step) { step } else { 1 };
    let slots = ((max - min) / step).saturating_add(1);
    let tasks = env.number("SLURM_ARRAY_TASK_COUNT")?.unwrap_or(slots);
    Ok(Some(Array { index: (id - min) / step, slots, tasks }))
}

/// `slurm:ID`: the same for all tasks of an array, all components of a heterogeneous job, and all restarts.
pub(crate) fn job(env: &Env) -> Option<String> {
    let name = env.first_of(&["SLURM_ARRAY_JOB_ID", "SLURM_HET_JOB_ID", "SLURM_JOB_ID"])?;
    env.get(name).map(|id| format!("slurm:{id}"))
}

/// How many tasks of this step run on this node.
pub(crate) fn tasks_on_node(env: &Env) -> Option<u32> {
    let node = env.get("SLURM_NODEID")?.parse().ok()?;
    nth_repeated(env.get("SLURM_STEP_TASKS_PER_NODE")?, node)
}

/// The n-th number of Slurm's run-length list, e.g. `2(x3),1`.
fn nth_repeated(list: &str, mut n: u32) -> Option<u32> {
    for item in list.split(',') {
        let (number, times) = match item.split_once("(x") {
            Some((number, times)) => (number, times.strip_suffix(')')?.parse().ok()?),
            None => (item, 1u32),
        };
        if n < times {
            return number.trim().parse().ok();
        }
        n -= times;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_length_lists() {
        let cases = [
            ("3,1", 0, Some(3)),
            ("3,1", 1, Some(1)),
            ("2(x3),1", 2, Some(2)),
            ("2(x3),1", 3, Some(1)),
            ("2(x3),1", 4, None),
            ("", 0, None),
            ("2(x", 0, None),
        ];
        for (list, n, want) in cases {
            assert_eq!(nth_repeated(list, n), want, "{list} [{n}]");
        }
    }

    fn array_of(id: &str, min: &str, max: &str, step: &str, count: &str) -> Option<Array> {
        let env = Env::from_iter([
            ("SLURM_JOB_ID", "9"),
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_STEP", step),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ]);
        array(&env).unwrap()
    }

    #[test]
    fn arrays() {
        let at = |index, slots, tasks| Some(Array { index, slots, tasks });
        assert_eq!(array_of("0", "0", "3", "1", "4"), at(0, 4, 4));
        assert_eq!(array_of("3", "0", "3", "1", "4"), at(3, 4, 4));
        assert_eq!(array_of("6", "2", "10", "4", "3"), at(1, 3, 3));
        assert_eq!(array_of("5", "1", "7", "1", "3"), at(4, 7, 3), "holes: the span counts");
        assert_eq!(array_of("7", "2", "10", "4", "3"), at(5, 9, 3), "an index off the step: the span counts");
        assert_eq!(array_of("7", "7", "7", "1", "1"), at(0, 1, 1));
        assert_eq!(array_of("5", "", "", "", ""), at(5, 6, 6), "old Slurm: only the id");
        assert_eq!(array_of("5", "0", "9", "0", "10"), at(5, 10, 10), "a step of 0 cannot divide");
        assert_eq!(array_of("4294967295", "0", "4294967295", "4294967295", "2"), at(1, 2, 2));
        assert_eq!(array_of("7", "0", "4294967295", "1", "8"), at(7, u32::MAX, 8), "no Slurm has that many");
    }
}
