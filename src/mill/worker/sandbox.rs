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

/// What the driver of a GPU reads late: which devices there are, where they sit, and this process's own state.
const GPU_READABLE: [&str; 8] = [
    "/proc/driver/nvidia",
    "/proc/devices",
    "/proc/self",
    "/sys/bus/pci",
    "/sys/class",
    "/sys/devices",
    "/sys/module",
    "/etc/nvidia",
];

/// The devices themselves: the driver opens them anew for memory, for decoders, for each engine.
const GPU_DEVICES: [&str; 3] = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-caps"];
/// `/dev/nvidia0` and on, at most so many.
const MOST_GPUS: u32 = 64;

/// What a worker has to be let do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Cpu,
    /// The driver's devices can be opened, too. What they let a process do is for the driver to say: a hole in it is a way
    /// out that other workers do not have.
    Gpu,
}

/// What holds a worker in. Printed by `clipmill doctor` and logged once per rank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxLevel {
    /// Landlock's version of the kernel; none where files are not held in by it.
    pub landlock: Option<u32>,
    /// Whether the seccomp filter is on.
    pub seccomp: bool,
    /// Whether a GPU's devices can be opened.
    #[serde(default)]
    pub gpu: bool,
}

impl SandboxLevel {
    /// No file can be written, created, removed or renamed.
    pub fn refuses_writes(&self) -> bool {
        self.landlock.is_some() || (self.seccomp && !self.gpu)
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
        let gpu = if self.gpu { ", and the GPU's devices" } else { "" };
        match (self.landlock, self.seccomp) {
            (Some(abi), true) => write!(f, "full (Landlock {abi}, seccomp{gpu})"),
            (None, true) if self.gpu => f.write_str(
                "partial (seccomp; this kernel has no Landlock, so files can be read, and for the GPU's sake written)",
            ),
            (None, true) => f.write_str("partial (seccomp; this kernel has no Landlock, so files can be read)"),
            (Some(abi), false) => write!(f, "partial (Landlock {abi}; no seccomp, so sockets can be made)"),
            (None, false) => f.write_str("none (this kernel has neither Landlock nor seccomp)"),
        }
    }
}

/// Holds this process in, for good. Call it when all libraries are loaded, before any media comes.
pub(super) fn enter(profile: Profile) -> SandboxLevel {
    let landlock = landlock(profile).ok().flatten();
    // Also what lets an ordinary user set a filter; with it no program that this process starts gains rights.
    let seccomp = rustix::thread::set_no_new_privs(true).is_ok() && filter::install(profile);
    SandboxLevel { landlock, seccomp, gpu: profile == Profile::Gpu }
}

/// The version of Landlock that holds this thread, and those that it starts, in.
fn landlock(profile: Profile) -> Result<Option<u32>, landlock::RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    let (readable, devices) = match profile {
        Profile::Cpu => (Vec::new(), Vec::new()),
        Profile::Gpu => (GPU_READABLE.to_vec(), devices()),
    };
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(devices, device))?
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi as u32),
        _ => None,
    })
}

fn devices() -> Vec<String> {
    let numbered = (0..MOST_GPUS).map(|number| format!("/dev/nvidia{number}"));
    GPU_DEVICES.iter().map(|path| (*path).to_owned()).chain(numbered).collect()
}
