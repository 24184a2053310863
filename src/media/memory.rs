//! What fresh memory holds.

/// Makes the memory that libraries are given the same each time.
///
/// x264's look at the frames ahead (macroblock trees, as of version 164, with assembly) reads memory that it never wrote.
/// In a process of its own that is zero; in one that does a file after another it is anything, and so were the bytes that
/// came out. glibc fills what it hands out on request; small pieces come from a cache that does not, but those lie in no
/// picture.
pub fn make_memory_steady() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it sets a number of the allocator: the complement of what fresh memory is filled with.
    unsafe {
        libc::mallopt(libc::M_PERTURB, 0xff);
    }
}
