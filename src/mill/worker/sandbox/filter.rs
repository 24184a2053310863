//! The system calls that a worker is refused.
//!
//! A list of what is refused rather than of what is allowed: the C library, the codecs and their threads differ from node
//! to node in what they call, and a call missing from a list of allowed ones would cost samples. What is refused makes
//! sockets, processes and names of files, reaches other processes, or goes round the filter.

use std::collections::BTreeMap;

use super::Profile;
use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Refused whatever the arguments.
const REFUSED: &[c_long] = &[
    // Network. Descriptors come over the socket that is there already.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Programs and processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_setpriority,
    libc::SYS_setrlimit,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Memory that the limits do not count.
    libc::SYS_memfd_create,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    // Files' names and attributes.
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mknodat,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    // Kernel interfaces with a history of holes, or that do system calls by other means.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_inotify_init1,
    libc::SYS_fanotify_init,
];

/// The forms that newer architectures leave out.
#[cfg(target_arch = "x86_64")]
const OLD_FORMS: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_inotify_init,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_FORMS: &[c_long] = &[];

/// Answered as by an older kernel, so that the C library falls back to the form whose flags a filter can see.
const UNKNOWN: &[c_long] = &[libc::SYS_clone3, libc::SYS_openat2];

/// Calls of x86-64's other ABI have the same numbers with this bit, and would pass a filter that does not know them.
#[cfg(target_arch = "x86_64")]
const X32: c_long = 0x4000_0000;

/// Puts the filters on all threads; false where this kernel or architecture has none.
pub(super) fn install(profile: Profile) -> bool {
    programs(profile)
        .is_some_and(|programs| programs.iter().all(|one| seccompiler::apply_filter_all_threads(one).is_ok()))
}

fn programs(profile: Profile) -> Option<[BpfProgram; 2]> {
    let mut refused = BTreeMap::new();
    for call in REFUSED.iter().chain(OLD_FORMS) {
        refused.insert(*call, Vec::new());
    }
    for (call, rules) in conditional(profile)? {
        refused.insert(call, rules);
    }
    let unknown = UNKNOWN.iter().map(|call| (*call, Vec::new())).collect();
    Some([compile(refused, libc::EPERM)?, compile(unknown, libc::ENOSYS)?])
}

fn compile(mut rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Option<BpfProgram> {
    #[cfg(target_arch = "x86_64")]
    for call in rules.keys().copied().collect::<Vec<_>>() {
        rules.insert(call | X32, Vec::new());
    }
    let errno = SeccompAction::Errno(u32::try_from(errno).ok()?);
    let arch = std::env::consts::ARCH.try_into().ok()?;
    SeccompFilter::new(rules, SeccompAction::Allow, errno, arch).ok()?.try_into().ok()
}

/// Refused with some arguments.
fn conditional(profile: Profile) -> Option<Vec<(i64, Vec<SeccompRule>)>> {
    use SeccompCmpOp::{MaskedEq, Ne};
    let own = u64::from(std::process::id());
    let thread = libc::CLONE_THREAD as u64;
    let mut rules = vec![
        // A thread, but no process.
        (libc::SYS_clone, vec![when(0, MaskedEq(thread), 0)?]),
        // abort() and raise(), but nobody else.
        (libc::SYS_kill, vec![when(0, Ne, own)?]),
        (libc::SYS_tgkill, vec![when(0, Ne, own)?]),
        // Reading limits, but not setting them.
        (libc::SYS_prlimit64, vec![pointer(2)?]),
        (libc::SYS_openat, writing(profile, 2)?),
    ];
    #[cfg(target_arch = "x86_64")]
    rules.push((libc::SYS_open, writing(profile, 1)?));
    Some(rules)
}

/// Flags in argument `at` that open for writing, or make a file. A GPU's driver opens its devices for reading and writing;
/// a filter cannot see which file it is, and that is Landlock's to look at.
fn writing(profile: Profile, at: u8) -> Option<Vec<SeccompRule>> {
    let flags: &[i32] = match profile {
        Profile::Cpu => &[libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC],
        Profile::Gpu => &[libc::O_WRONLY, libc::O_CREAT, libc::O_TRUNC],
    };
    let flags = flags.iter().copied();
    flags.map(|flag| when(at, SeccompCmpOp::MaskedEq(flag as u64), flag as u64)).collect()
}

fn when(at: u8, op: SeccompCmpOp, value: u64) -> Option<SeccompRule> {
    let condition = SeccompCondition::new(at, SeccompCmpArgLen::Dword, op, value).ok()?;
    SeccompRule::new(vec![condition]).ok()
}

/// Argument `at` is no null pointer.
fn pointer(at: u8) -> Option<SeccompRule> {
    let condition = SeccompCondition::new(at, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0).ok()?;
    SeccompRule::new(vec![condition]).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_filters_compile() {
        assert!(super::programs(super::Profile::Cpu).is_some());
        assert!(super::programs(super::Profile::Gpu).is_some());
    }
}
