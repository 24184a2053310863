//! What this node and this allocation give: scratch, GPUs, the host's name, the end time.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{ClusterError, Env, Warning};

/// The first of `job.tmp_dir`, `SLURM_TMPDIR`, `TMPDIR`, `/tmp` that is a folder and can be written. A configured
/// folder is created; when it cannot be used, a warning says so.
pub(crate) fn scratch(env: &Env, tmp_dir: Option<&Path>, warnings: &mut Vec<Warning>) -> Result<PathBuf, ClusterError> {
    let mut tried = Vec::new();
    if let Some(dir) = tmp_dir {
        match std::fs::create_dir_all(dir).and_then(|()| usable(dir)) {
            Ok(()) => return Ok(dir.to_owned()),
            Err(error) => warnings.push(Warning::new(format!(
                "job.tmp_dir: {} cannot be used on node {}: {error}; looking for another scratch folder",
                dir.display(),
                host(env)
            ))),
        }
        tried.push(dir.to_owned());
    }
    let places = [env.get("SLURM_TMPDIR"), env.get("TMPDIR"), Some("/tmp")];
    for place in places.into_iter().flatten().map(PathBuf::from) {
        if usable(&place).is_ok() {
            return Ok(place);
        }
        tried.push(place);
    }
    Err(ClusterError::NoScratch { node: host(env), tried })
}

/// Asks by writing: permission bits say little to root, under root squash, or on a read-only mount.
fn usable(dir: &Path) -> std::io::Result<()> {
    let probe = dir.join(format!(".clipmill-{}-{:x}", std::process::id(), fastrand::u64(..)));
    std::fs::File::create_new(&probe)?;
    std::fs::remove_file(&probe)
}

/// `CUDA_VISIBLE_DEVICES`, one entry per device. Slurm writes `NoDevFiles` where a task has none.
pub(crate) fn gpus(env: &Env) -> Vec<String> {
    let list = env.get("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    // CUDA itself stops at the first invalid entry; -1 is the usual way to write "none".
    entries.take_while(|entry| !matches!(*entry, "NoDevFiles" | "-1")).map(str::to_owned).collect()
}

/// Slurm's name for the node, else the kernel's.
pub(crate) fn host(env: &Env) -> String {
    env.get("SLURMD_NODENAME")
        .map_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned(), str::to_owned)
}

/// When the scheduler ends the job: `CLIPMILL_END_TIME`, which the batch templates export, else Slurm's own
/// `SLURM_JOB_END_TIME` (22.05 does not set it); Unix seconds. Nobody is asked: slurmctld is a shared service.
pub(crate) fn deadline(
    env: &Env,
    now: SystemTime,
    warnings: &mut Vec<Warning>,
) -> Result<Option<SystemTime>, ClusterError> {
    // A job without a limit has an end time years away, or Slurm's NO_VAL.
    const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);
    for name in ["CLIPMILL_END_TIME", "SLURM_JOB_END_TIME"] {
        let Some(seconds) = env.number::<u64>(name)?.filter(|seconds| *seconds > 0) else { continue };
        let Some(end) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) else { continue };
        match end.duration_since(now) {
            Ok(left) if left < FOREVER => return Ok(Some(end)),
            Ok(_) => return Ok(None),
            // Nobody runs after the job's end. Taken at its word, the job would drain and requeue itself for ever.
            Err(_) => warnings.push(Warning::new(format!(
                "{name}={seconds} has passed already: it seems to come from another job, and is ignored"
            ))),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().copied().collect()
    }

    #[test]
    fn gpu_lists() {
        let of = |list: &str| gpus(&env(&[("CUDA_VISIBLE_DEVICES", list)]));
        assert_eq!(of("0,1"), ["0", "1"]);
        assert_eq!(of("GPU-1a2b, MIG-3"), ["GPU-1a2b", "MIG-3"]);
        for none in ["", "NoDevFiles", "-1", ","] {
            assert!(of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn end_times() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let ask = |pairs: &[(&str, &str)]| {
            let mut warnings = Vec::new();
            let end = deadline(&env(pairs), now, &mut warnings).unwrap();
            (end.map(|end| end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()), warnings.len())
        };
        assert_eq!(ask(&[]), (None, 0));
        assert_eq!(ask(&[("SLURM_JOB_END_TIME", "1000060")]), (Some(1_000_060), 0));
        assert_eq!(ask(&[("SLURM_JOB_END_TIME", "1000060"), ("CLIPMILL_END_TIME", "1000030")]), (Some(1_000_030), 0));
        assert_eq!(ask(&[("SLURM_JOB_END_TIME", "4294967294")]), (None, 0), "no limit");
        assert_eq!(ask(&[("SLURM_JOB_END_TIME", "0")]), (None, 0));
        assert_eq!(ask(&[("CLIPMILL_END_TIME", "999999")]), (None, 1), "left over from another job");
        assert_eq!(ask(&[("CLIPMILL_END_TIME", "5"), ("SLURM_JOB_END_TIME", "1000060")]), (Some(1_000_060), 1));
        assert_eq!(ask(&[("CLIPMILL_END_TIME", "18446744073709551615")]), (None, 0));
        let error = deadline(&env(&[("CLIPMILL_END_TIME", "soon")]), now, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("CLIPMILL_END_TIME=\"soon\""), "{error}");
    }

    #[test]
    fn scratch_is_the_first_that_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b, file) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("file"));
        std::fs::create_dir(&b).unwrap();
        std::fs::write(&file, "").unwrap();
        let pick = |tmp_dir: Option<&Path>, slurm: &Path, tmpdir: &Path| {
            let mut warnings = Vec::new();
            let env = env(&[("SLURM_TMPDIR", slurm.to_str().unwrap()), ("TMPDIR", tmpdir.to_str().unwrap())]);
            (scratch(&env, tmp_dir, &mut warnings).unwrap(), warnings.len())
        };
        assert_eq!(pick(None, &a, &b), (b.clone(), 0), "a does not exist yet");
        assert_eq!(pick(None, &file, &b), (b.clone(), 0), "a file is no folder");
        assert_eq!(pick(Some(&file.join("x")), &b, &a), (b.clone(), 1), "configured, but cannot be made");
        assert_eq!(pick(Some(&a), &b, &b), (a.clone(), 0), "configured: created");
        assert_eq!(pick(None, Path::new("/proc"), &b), (b.clone(), 0), "nobody writes to /proc");
    }
}
