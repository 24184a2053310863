// Runs a kernel's blocks one after the other, and the threads of a block as fibers that take turns at __syncthreads.
//
// What this shows: arithmetic, indices, barriers that are missing between threads that the three orders of `Order` tell
// apart, shared memory that is read before it is written (it is NaN). What it does not: races within a warp, coalescing,
// speed, and anything of a real GPU.
#include "launch.h"
#include "shim.h"
#include <cstdlib>
#include <mutex>
#include <ucontext.h>
#include <vector>

extern "C" char __start_kernel_shared[], __stop_kernel_shared[];

namespace shim {
Now now;

namespace {
// On purpose small: kernels that need more would need local memory on a GPU.
const size_t STACK = 32 * 1024;
const unsigned MAX_THREADS = 1024;

struct Fiber {
    void *stack;
    bool is_done;
    Dim thread;
};

std::mutex one_launch;
Fiber fibers[MAX_THREADS];
std::vector<char> stacks;
void *scheduler;
Fiber *running;
void (*body)(void **);
void **arguments;

#if defined(__x86_64__) && !defined(SHIM_UCONTEXT)
// Swaps stacks: what a callee must keep is pushed on the old one and popped from the new one. swapcontext would make a
// system call each time.
extern "C" void shim_switch(void **save, void *to);
asm(R"(
.text
.type shim_switch, @function
shim_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
.size shim_switch, . - shim_switch
)");
#else
void shim_switch(void **save, void *to) {
    ucontext_t own;
    *save = &own;
    swapcontext(&own, static_cast<ucontext_t *>(to));
}
ucontext_t begins[MAX_THREADS];
#endif

void enter() {
    body(arguments);
    running->is_done = true;
    void *unused;
    shim_switch(&unused, scheduler);
    std::abort();
}

void begin(unsigned index, const unsigned block[3]) {
    char *bottom = stacks.data() + index * STACK;
#if defined(__x86_64__) && !defined(SHIM_UCONTEXT)
    auto top = reinterpret_cast<uintptr_t>(bottom + STACK) & ~uintptr_t(15);
    void **stack = reinterpret_cast<void **>(top) - 2;
    *stack = reinterpret_cast<void *>(&enter);
    stack -= 6;
    std::memset(stack, 0, 6 * sizeof *stack);
#else
    ucontext_t *stack = &begins[index];
    getcontext(stack);
    stack->uc_stack.ss_sp = bottom;
    stack->uc_stack.ss_size = STACK;
    stack->uc_link = nullptr;
    makecontext(stack, enter, 0);
#endif
    Dim thread = {index % block[0], index / block[0] % block[1], index / block[0] / block[1]};
    fibers[index] = {stack, false, thread};
}

// Which thread is n-th of `count` to run between two barriers.
unsigned turn(unsigned n, unsigned count, int order) {
    if (order == SHIM_BACKWARD) return count - 1 - n;
    // Every second one, then the others.
    if (order == SHIM_SCATTERED) return n < (count + 1) / 2 ? 2 * n : 2 * (n - (count + 1) / 2) + 1;
    return n;
}

void run_block(const unsigned block[3], int order) {
    unsigned count = block[0] * block[1] * block[2];
    for (unsigned index = 0; index < count; ++index) begin(index, block);
    for (unsigned left = count; left > 0;) {
        for (unsigned n = 0; n < count; ++n) {
            running = &fibers[turn(n, count, order)];
            if (running->is_done) continue;
            now.thread = running->thread;
            shim_switch(&scheduler, running->stack);
            if (running->is_done) --left;
        }
    }
}
} // namespace

void sync() { shim_switch(&running->stack, scheduler); }
} // namespace shim

extern "C" int shim_launch(const char *name, const unsigned grid[3], const unsigned block[3], unsigned shared_bytes,
                           void **args, int order) {
    using namespace shim;
    std::lock_guard<std::mutex> lock(one_launch);
    const Kernel *kernel = find(name);
    unsigned long threads = (unsigned long)block[0] * block[1] * block[2];
    if (!kernel) return SHIM_NO_KERNEL;
    if (threads == 0 || threads > MAX_THREADS || shared_bytes > 48 * 1024) return SHIM_BAD_LAUNCH;
    for (int axis = 0; axis < 3; ++axis)
        if (grid[axis] == 0 || (axis > 0 && grid[axis] > 65535)) return SHIM_BAD_LAUNCH;
    stacks.resize(threads * STACK);
    body = kernel->call;
    arguments = args;
    now.grid = {grid[0], grid[1], grid[2]};
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                // Of the exact size, so that a checker of memory sees what is beyond.
                std::vector<float> shared((shared_bytes + 3) / 4);
                std::memset(shared.data(), 0xff, shared.size() * sizeof(float));
                std::memset(__start_kernel_shared, 0xff, __stop_kernel_shared - __start_kernel_shared);
                now.shared = shared.data();
                now.block = {x, y, z};
                run_block(block, order);
            }
    return SHIM_DONE;
}
