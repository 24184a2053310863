//! The answer to "who am I".

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;

/// Where this process stands in the job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placement {
    /// 0-based, over all array tasks and nodes.
    pub rank: u32,
    /// Ranks in all: array tasks × ranks.
    pub world: u32,
    /// 0-based on this node.
    pub local_rank: u32,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// `CUDA_VISIBLE_DEVICES` as given, one entry per device.
    pub gpus: Vec<String>,
    /// Node-local folder for spilled bytes.
    pub scratch: PathBuf,
    /// When the scheduler ends the job.
    pub deadline: Option<SystemTime>,
    /// What told us: `slurm`, `slurm array`, `open mpi`, `mpich`, `flags`, `none`, …
    pub launcher: String,
    /// An id that all ranks of one job share, also over requeues (`slurm:1234`); none without a launcher.
    pub job: Option<String>,
    pub host: String,
    /// This task's index in the job array and the indices that ranks are laid out over; none outside an array.
    pub array: Option<(u32, u32)>,
    /// How often Slurm has restarted the job.
    pub restart: u32,
    /// Name and version of the MPI library in use.
    pub mpi: Option<String>,
}

impl fmt::Display for Placement {
    /// One line: `rank 3 of 16 (slurm array 4 × 4, job 1234, node n2, local rank 1), 8 cpus, scratch /tmp, ends in 1 h 58 min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line(f, SystemTime::now())
    }
}

impl Placement {
    fn line(&self, f: &mut impl fmt::Write, now: SystemTime) -> fmt::Result {
        let launcher = if self.launcher == "none" { "no launcher" } else { &self.launcher };
        write!(f, "rank {} of {} ({launcher}", self.rank, self.world)?;
        if let Some((_, slots)) = self.array {
            write!(f, " {slots} × {}", self.world / slots.max(1))?;
        }
        if let Some(job) = &self.job {
            write!(f, ", job {}", job.strip_prefix("slurm:").unwrap_or(job))?;
        }
        if self.restart > 0 {
            write!(f, ", restart {}", self.restart)?;
        }
        write!(f, ", node {}, local rank {})", self.host, self.local_rank)?;
        if let Some(library) = &self.mpi {
            write!(f, ", {library}")?;
        }
        write!(f, ", {}", count(self.cpus as usize, "cpu"))?;
        if !self.gpus.is_empty() {
            write!(f, ", {} ({})", count(self.gpus.len(), "gpu"), self.gpus.join(","))?;
        }
        write!(f, ", scratch {}", self.scratch.display())?;
        match self.deadline.map(|end| end.duration_since(now).unwrap_or_default().as_secs()) {
            Some(left) => write!(f, ", ends in {}", duration(left)),
            None => Ok(()),
        }
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// `2 d 3 h`, `1 h 58 min`, `12 min`, `40 s`.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(placement: &Placement) -> String {
        let mut text = String::new();
        placement.line(&mut text, SystemTime::UNIX_EPOCH).unwrap();
        text
    }

    #[test]
    fn one_line() {
        let mut placement = Placement {
            rank: 3,
            world: 16,
            local_rank: 1,
            cpus: 8,
            gpus: vec![],
            scratch: "/tmp".into(),
            deadline: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(7085)),
            launcher: "slurm array".into(),
            job: Some("slurm:1234".into()),
            host: "n2".into(),
            array: Some((0, 4)),
            restart: 0,
            mpi: None,
        };
        let want = "rank 3 of 16 (slurm array 4 × 4, job 1234, node n2, local rank 1), 8 cpus, scratch /tmp, \
                    ends in 1 h 58 min";
        assert_eq!(line(&placement), want);
        placement.array = None;
        placement.launcher = "none".into();
        placement.job = None;
        placement.deadline = None;
        placement.cpus = 1;
        placement.restart = 2;
        placement.gpus = vec!["0".into(), "1".into()];
        placement.mpi = Some("Open MPI v4.1.4".into());
        let want = "rank 3 of 16 (no launcher, restart 2, node n2, local rank 1), Open MPI v4.1.4, 1 cpu, \
                    2 gpus (0,1), scratch /tmp";
        assert_eq!(line(&placement), want);
    }

    #[test]
    fn durations() {
        for (seconds, want) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h 0 min"), (183_600, "2 d 3 h")] {
            assert_eq!(duration(seconds), want);
        }
    }
}
