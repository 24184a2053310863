//! What a worker gives up before it sees any media.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::mill::limits::Limits;

/// Descriptors of one worker: the standard streams, the socket three times, a sample's two, and some to spare.
const DESCRIPTORS: u64 = 64;
/// The same where a GPU is used: its driver opens the device anew for each piece of memory that it maps.
const GPU_DESCRIPTORS: u64 = 4096;
/// Private memory that the driver takes for itself, over the limit.
pub(in crate::mill) const GPU_MEMORY_BYTES: u64 = 2 << 30;
/// Of /proc/self/oom_score_adj: where a node or a job runs out of memory, a worker costs one sample and a rank all.
const OOM_SCORE: &str = "500";

/// Descriptors that the rank inherited from its launcher without close-on-exec are none of a worker's business.
pub(super) fn close_inherited() {
    // SAFETY: called first in `main`, before this program has opened anything, so no descriptor that an object of this
    // process owns is closed. Kernels before 5.9 answer ENOSYS, and nothing is closed.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// Signals to the whole step mean "drain", and that is the rank's to do: a worker ends when its socket closes. A write
/// over a limit is an error rather than the end.
pub(super) fn ignore_signals() {
    for signal in [
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGPIPE,
        libc::SIGXFSZ,
    ] {
        // SAFETY: SIG_IGN installs no handler, so nothing runs in signal context.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Bytes of freed memory that a worker keeps for its next clip or sample, at most; no more than a quarter of its limit.
#[cfg(target_env = "gnu")]
const KEPT_MEMORY: u64 = 256 << 20;
/// Pieces from this size on are the kernel's own, and go back at once.
#[cfg(target_env = "gnu")]
const OWN_MAP: libc::c_int = 32 << 20;

/// Keeps memory that was freed: what is given back to the kernel comes anew as zeroed pages, one fault each, which took more
/// than half of the time of a job that copies.
fn keep_memory(limits: &Limits) {
    // Other allocators have ways of their own.
    #[cfg(target_env = "gnu")]
    {
        let kept = KEPT_MEMORY.min(limits.memory_bytes / 4);
        // SAFETY: sets numbers of the allocator, before any other thread runs.
        unsafe {
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::try_from(kept).unwrap_or(libc::c_int::MAX));
            libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAP);
        }
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = limits;
}

/// Sets the limits that the kernel keeps. CPU and wall time are the rank's to measure: the kernel counts over all of a
/// process's life.
pub(super) fn limit(limits: &Limits, uses_gpu: bool) -> io::Result<()> {
    keep_memory(limits);
    // RLIMIT_DATA rather than RLIMIT_AS, which would count mapped media, and the address space that CUDA reserves.
    let set = |resource, value| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
    set(Resource::Core, 0)?;
    let own = if uses_gpu { GPU_MEMORY_BYTES } else { 0 };
    set(Resource::Data, limits.memory_bytes.saturating_add(own))?;
    set(Resource::Fsize, limits.output_bytes)?;
    let wanted = if uses_gpu { GPU_DESCRIPTORS } else { DESCRIPTORS };
    // More than the hard limit is not to be had.
    set(Resource::Nofile, getrlimit(Resource::Nofile).maximum.map_or(wanted, |most| most.min(wanted)))?;
    // Best effort: without /proc the OOM killer takes its own choice.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    Ok(())
}

/// Ends this process as soon as the rank's end of the socket closes, also in the middle of a sample.
pub(super) fn end_with(socket: OwnedFd) -> io::Result<()> {
    let watch = move || {
        loop {
            // No events asked for: hang-up is always told.
            let mut fds = [PollFd::new(&socket, PollFlags::empty())];
            let hung_up = poll(&mut fds, None).is_ok()
                && fds.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR));
            if hung_up {
                // SAFETY: ends the process at once; `exit` would run the handlers of libraries that are at work.
                unsafe { libc::_exit(0) };
            }
        }
    };
    std::thread::Builder::new().name("rank-watch".into()).stack_size(64 << 10).spawn(watch)?;
    Ok(())
}
