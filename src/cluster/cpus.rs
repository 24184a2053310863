//! How many CPUs this process may use.

use super::launch::Group;
use super::{ClusterError, Env};

/// What the kernel allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// CPUs of the affinity mask.
    pub mask: u32,
    /// The same, less where a cgroup quota (v1 or v2, at any level) is lower.
    pub usable: u32,
    /// CPUs of the node.
    pub online: u32,
}

impl Kernel {
    pub(crate) fn ask() -> Self {
        let usable = std::thread::available_parallelism().map_or(1, |n| narrow(n.get()));
        // Fails only where the kernel's mask is larger than rustix's 1024 CPUs.
        let mask = rustix::thread::sched_getaffinity(None).map_or(usable, |set| set.count());
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online").ok().and_then(|list| count_list(&list));
        Self { mask, usable, online: online.unwrap_or(mask) }
    }
}

/// The least of what the kernel and Slurm allow. Ranks that share one unbound mask (`srun` without
/// `--cpus-per-task`, `mpirun --bind-to none`) split it, or each would start workers for the whole node.
pub(crate) fn of_rank(env: &Env, group: &Group, kernel: Kernel) -> Result<u32, ClusterError> {
    let per_task = env.number::<u32>("SLURM_CPUS_PER_TASK")?.filter(|cpus| *cpus > 0);
    if let Some(cpus) = per_task {
        return Ok(kernel.usable.min(cpus).max(1));
    }
    let on_node = env.number::<u32>("SLURM_CPUS_ON_NODE")?.filter(|cpus| *cpus > 0).unwrap_or(kernel.online);
    let whole = kernel.mask >= on_node.min(kernel.online);
    let sharers = group.local_size.filter(|n| whole && *n > 1).unwrap_or(1);
    Ok((kernel.usable.min(on_node) / sharers).max(1))
}

/// The size of the kernel's list format, e.g. `0-3,8`.
fn count_list(list: &str) -> Option<u32> {
    list.trim().split(',').try_fold(0u32, |sum, range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        sum.checked_add(to.checked_sub(from)?.checked_add(1)?)
    })
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::launch::Launcher;
    use super::*;

    #[test]
    fn kernel_lists() {
        assert_eq!(count_list("0-3,8\n"), Some(5));
        assert_eq!(count_list("0"), Some(1));
        assert_eq!(count_list(""), None);
        assert_eq!(count_list("3-1"), None);
        assert_eq!(count_list("0-4294967295"), None);
    }

    #[test]
    fn least_of_all_limits() {
        let cpus = |per_task: &str, on_node: &str, locals: Option<u32>, mask, usable, online| {
            let env = Env::from_iter([("SLURM_CPUS_PER_TASK", per_task), ("SLURM_CPUS_ON_NODE", on_node)]);
            let group = Group { by: Launcher::Slurm, rank: 0, size: Some(8), local_rank: 0, local_size: locals };
            of_rank(&env, &group, Kernel { mask, usable, online }).unwrap()
        };
        assert_eq!(cpus("", "", None, 64, 64, 64), 64, "alone on the node");
        assert_eq!(cpus("", "", None, 64, 3, 64), 3, "a quota is lower");
        assert_eq!(cpus("8", "64", Some(4), 64, 64, 64), 8, "asked for");
        assert_eq!(cpus("8", "64", Some(4), 2, 2, 64), 2, "asked for 8, bound to 2");
        assert_eq!(cpus("", "", Some(4), 64, 64, 64), 16, "four unbound ranks split the node");
        assert_eq!(cpus("", "", Some(4), 16, 16, 64), 16, "each is bound to its own 16");
        assert_eq!(cpus("", "8", Some(4), 8, 8, 64), 2, "one cpuset for the four tasks of the job");
        assert_eq!(cpus("", "8", Some(4), 64, 64, 64), 2, "no cpuset: the allocation is still 8");
        assert_eq!(cpus("", "8", Some(1), 64, 64, 64), 8);
        assert_eq!(cpus("", "", Some(4), 64, 4, 64), 1, "the container's quota is shared");
        assert_eq!(cpus("", "2", Some(4), 2, 2, 2), 1, "never none");
        assert_eq!(cpus("0", "0", None, 2, 2, 2), 2, "zeros say nothing");
    }
}
