// libcuda.so.1 as a test double: the part of CUDA's driver interface that clipmill uses, on the CPU. A launch runs the
// kernel of that name as it was compiled for the host (tests/kernels/shim). No GPU is involved; nothing here says anything of
// a real driver's timing, memory model or limits.
//
// A file `faults` beside the library says what is to go wrong, a word and a number a line:
//   devices N        how many there are (1)
//   driver N         the version it tells, as 12040
//   ptx N            every module is refused with error N
//   memory N         bytes that all allocations of a process may take together
//   oom_at N         the N-th allocation of a process fails, and every one behind it until something is freed
//   lose_at N        the N-th launch of a process loses the device
//   lose_width N     a launch over frames of that width loses it
//   lose_device N    only where the process has opened that device
#include "launch.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <string>

typedef int Result;
typedef void *Handle;
typedef unsigned long long Pointer;

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    NOT_FOUND = 500,
    ILLEGAL_ADDRESS = 700,
};

namespace {
struct Faults {
    long devices = 1, driver = 12040, ptx = 0, memory = -1, oom_at = -1, lose_at = -1, lose_width = -1, lose_device = -1;

    Faults() {
        const std::map<std::string, long *> words = {
            {"devices", &devices}, {"driver", &driver},   {"ptx", &ptx},
            {"memory", &memory},   {"oom_at", &oom_at},   {"lose_at", &lose_at},
            {"lose_width", &lose_width}, {"lose_device", &lose_device},
        };
        Dl_info own;
        if (!dladdr(reinterpret_cast<void *>(&shim_launch), &own) || !own.dli_fname) return;
        std::string path(own.dli_fname);
        FILE *file = fopen((path.substr(0, path.rfind('/') + 1) + "faults").c_str(), "r");
        if (!file) return;
        char word[64];
        long number;
        while (fscanf(file, "%63s %ld", word, &number) == 2) {
            auto known = words.find(word);
            if (known == words.end()) abort();
            *known->second = number;
        }
        fclose(file);
    }
};

const Faults faults;
bool is_lost;
int opened = -1;
long launches, allocations;
unsigned long long taken;
std::map<Pointer, size_t> device_memory;
thread_local Handle current;
int contexts[64];

struct Module {
    std::string ptx;
};
struct Function {
    std::string name;
};

// What every call answers once the device is lost.
Result state() { return is_lost ? ILLEGAL_ADDRESS : SUCCESS; }

Result allocate(Pointer *at, size_t bytes) {
    if (is_lost) return ILLEGAL_ADDRESS;
    ++allocations;
    bool is_full = faults.memory >= 0 && taken + bytes > (unsigned long long)faults.memory;
    if (is_full || allocations == faults.oom_at) return OUT_OF_MEMORY;
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) return OUT_OF_MEMORY;
    // What nobody has written is no number.
    memset(memory, 0xff, bytes);
    *at = reinterpret_cast<Pointer>(memory);
    device_memory[*at] = bytes;
    taken += bytes;
    return SUCCESS;
}

// Whether the bytes lie in one allocation: a copy beyond its end would be an error on a device, too.
bool is_device(Pointer at, size_t bytes) {
    auto next = device_memory.upper_bound(at);
    if (next == device_memory.begin()) return false;
    --next;
    return at + bytes <= next->first + next->second;
}

Result copy(void *to, const void *from, size_t bytes, Pointer device) {
    if (is_lost) return ILLEGAL_ADDRESS;
    if (!is_device(device, bytes)) return INVALID_VALUE;
    memcpy(to, from, bytes);
    return SUCCESS;
}
} // namespace

extern "C" {
Result cuInit(unsigned) { return faults.devices > 0 ? SUCCESS : NO_DEVICE; }
Result cuDriverGetVersion(int *version) {
    *version = faults.driver;
    return SUCCESS;
}
Result cuDeviceGetCount(int *count) {
    *count = faults.devices;
    return SUCCESS;
}
Result cuDeviceGet(int *device, int ordinal) {
    if (ordinal < 0 || ordinal >= faults.devices) return INVALID_DEVICE;
    *device = ordinal;
    return SUCCESS;
}
Result cuDeviceGetName(char *name, int len, int device) {
    snprintf(name, len, "CPU test double %d, no GPU", device);
    return SUCCESS;
}
Result cuDeviceGetAttribute(int *value, int attribute, int) {
    // Compute capability 7.0, of which the PTX is; no memory pools.
    *value = attribute == 75 ? 7 : 0;
    return SUCCESS;
}
Result cuDeviceTotalMem_v2(size_t *bytes, int) {
    *bytes = 1ull << 30;
    return SUCCESS;
}
Result cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return SUCCESS; }
Result cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) {
    *flags = 4;
    *active = 1;
    return SUCCESS;
}
Result cuDevicePrimaryCtxRetain(Handle *context, int device) {
    opened = device;
    *context = &contexts[device];
    return SUCCESS;
}
Result cuDevicePrimaryCtxRelease_v2(int) { return state(); }
Result cuCtxSetCurrent(Handle context) {
    current = context;
    return SUCCESS;
}
Result cuCtxGetCurrent(Handle *context) {
    *context = current;
    return SUCCESS;
}
Result cuCtxSynchronize() { return state(); }
Result cuMemGetInfo_v2(size_t *free, size_t *total) {
    *total = 1ull << 30;
    *free = *total - taken;
    return SUCCESS;
}
Result cuStreamSynchronize(Handle) { return state(); }
Result cuStreamWaitEvent(Handle, Handle, unsigned) { return state(); }
Result cuEventCreate(Handle *event, unsigned) {
    *event = malloc(1);
    return state();
}
Result cuEventDestroy_v2(Handle event) {
    free(event);
    return SUCCESS;
}
Result cuEventRecord(Handle, Handle) { return state(); }
Result cuEventSynchronize(Handle) { return state(); }
Result cuMemAlloc_v2(Pointer *at, size_t bytes) { return allocate(at, bytes); }
Result cuMemFree_v2(Pointer at) {
    auto known = device_memory.find(at);
    if (known == device_memory.end()) return INVALID_VALUE;
    taken -= known->second;
    device_memory.erase(known);
    free(reinterpret_cast<void *>(at));
    return SUCCESS;
}
Result cuMemHostAlloc(void **at, size_t bytes, unsigned) {
    if (is_lost) return ILLEGAL_ADDRESS;
    *at = malloc(bytes ? bytes : 1);
    return *at ? SUCCESS : OUT_OF_MEMORY;
}
Result cuMemFreeHost(void *at) {
    free(at);
    return SUCCESS;
}
Result cuMemsetD8Async(Pointer at, unsigned char value, size_t bytes, Handle) {
    if (is_lost) return ILLEGAL_ADDRESS;
    if (!is_device(at, bytes)) return INVALID_VALUE;
    memset(reinterpret_cast<void *>(at), value, bytes);
    return SUCCESS;
}
Result cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t bytes, Handle) {
    return copy(reinterpret_cast<void *>(to), from, bytes, to);
}
Result cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t bytes, Handle) {
    return copy(to, reinterpret_cast<void *>(from), bytes, from);
}
Result cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t bytes, Handle) {
    if (!is_device(to, bytes)) return INVALID_VALUE;
    return copy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes, from);
}
Result cuModuleLoadData(Handle *module, const void *image) {
    if (faults.ptx) return faults.ptx;
    *module = new Module{static_cast<const char *>(image)};
    return SUCCESS;
}
Result cuModuleUnload(Handle module) {
    delete static_cast<Module *>(module);
    return SUCCESS;
}
Result cuModuleGetFunction(Handle *function, Handle module, const char *name) {
    std::string entry = std::string(".entry ") + name + "(";
    if (static_cast<Module *>(module)->ptx.find(entry) == std::string::npos) return NOT_FOUND;
    *function = new Function{name};
    return SUCCESS;
}
Result cuLaunchKernel(Handle function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, Handle, void **arguments, void **) {
    if (is_lost) return ILLEGAL_ADDRESS;
    const std::string &name = static_cast<Function *>(function)->name;
    // `pyramid_level` has the frame's width behind the frames.
    bool is_of_width = faults.lose_width >= 0 && name == "pyramid_level" && *static_cast<int *>(arguments[1]) == faults.lose_width;
    bool is_due = is_of_width || ++launches == faults.lose_at;
    if (is_due && (faults.lose_device < 0 || faults.lose_device == opened)) {
        // As on a device: the launch itself is taken, what comes after it fails.
        is_lost = true;
        return SUCCESS;
    }
    const unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
    return shim_launch(name.c_str(), grid, block, shared, arguments, SHIM_FORWARD) == SHIM_DONE ? SUCCESS : INVALID_VALUE;
}
Result cuGetErrorName(Result error, const char **name) {
    *name = error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
    return SUCCESS;
}
Result cuGetErrorString(Result, const char **text) {
    *text = "of a CPU test double";
    return SUCCESS;
}
}
