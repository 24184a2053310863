// How the host-compiled kernels are run.
#pragma once

enum { SHIM_DONE = 0, SHIM_NO_KERNEL = 1, SHIM_BAD_LAUNCH = 2 };
enum { SHIM_FORWARD = 0, SHIM_BACKWARD = 1, SHIM_SCATTERED = 2 };

// Runs kernel `name`. `args` points to each argument, as cuLaunchKernel's kernelParams. `order`: in which order the threads
// of a block take turns; a result that depends on it is a race. One launch at a time; others wait.
extern "C" int shim_launch(const char *name, const unsigned grid[3], const unsigned block[3], unsigned shared_bytes,
                           void **args, int order);

namespace shim {
struct Kernel {
    const char *name;
    void (*call)(void **args);
};
// Null if there is none of this name.
const Kernel *find(const char *name);
} // namespace shim
