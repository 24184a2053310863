//! What a worker cannot do any more once media comes: best effort, with a level that is told.
//!
//! Two layers: Landlock (files, network, signals; Linux 5.13 and later) and a seccomp filter over system calls (all
//! kernels that clusters run). Where both work, each alone would refuse what matters.

use std::fmt;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use serde::{Deserialize, Serialize};

mod filter;

/// Rights of the newest Landlock that this was written for; older kernels do what they can.
const LANDLOCK: ABI = ABI::V6;

/// What libraries read late: character sets, fonts, what CPUs there are.
const READABLE: [&str; 7] =
    ["/usr/lib", "/usr/lib64", "/usr/share", "/lib", "/lib64", "/sys/devices/system/cpu", "/dev/urandom"];

/// What holds a worker in. Printed by `clipmill doctor` and logged once per rank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxLevel {
    /// Landlock's version of the kernel; none where files are not held in by it.
    pub landlock: Option<u32>,
    /// Whether the seccomp filter is on.
    pub seccomp: bool,
}

impl SandboxLevel {
    /// No file can be written, created, removed or renamed.
    pub fn refuses_writes(&self) -> bool {
        self.landlock.is_some() || self.seccomp
    }

    /// No socket can be made, so nothing can be sent anywhere.
    pub fn refuses_network(&self) -> bool {
        self.seccomp
    }

    /// Only libraries' files can be read.
    pub fn refuses_reads(&self) -> bool {
        self.landlock.is_some()
    }

    /// No program can be started.
    pub fn refuses_programs(&self) -> bool {
        self.seccomp
    }
}

impl fmt::Display for SandboxLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.landlock, self.seccomp) {
            (Some(abi), true) => write!(f, "full (Landlock {abi}, seccomp)"),
            (None, true) => f.write_str("partial (seccomp; this kernel has no Landlock, so files can be read)"),
            (Some(abi), false) => write!(f, "partial (Landlock {abi}; no seccomp, so sockets can be made)"),
            (None, false) => f.write_str("none (this kernel has neither Landlock nor seccomp)"),
        }
    }
}

/// Holds this process in, for good. Call it when all libraries are loaded, before any media comes.
pub(super) fn enter() -> SandboxLevel {
    let landlock = landlock().ok().flatten();
    // Also what lets an ordinary user set a filter; with it no program that this process starts gains rights.
    let seccomp = rustix::thread::set_no_new_privs(true).is_ok() && filter::install();
    SandboxLevel { landlock, seccomp }
}

/// The version of Landlock that holds this thread, and those that it starts, in.
fn landlock() -> Result<Option<u32>, landlock::RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .add_rules(path_beneath_rules(READABLE, read))?
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi as u32),
        _ => None,
    })
}
