// libcuda.so.1 as a test double: the part of CUDA's driver interface that clipmill uses, on the CPU. A launch runs the
// kernel of that name as it was compiled for the host (tests/kernels/shim). No GPU is involved; nothing here says anything of
// a real driver's timing, memory model or limits.
#include "faults.h"
#include "launch.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
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

const Faults faults;

namespace {
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
    // Compute capability 7.0, of which the PTX is; alignment of textures, which FFmpeg asks for; no memory pools.
    *value = attribute == 75 ? 7 : attribute == 14 ? 256 : 0;
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
Result cuCtxGetDevice(int *device) {
    *device = opened;
    return SUCCESS;
}
// One context: what is pushed is what is there.
Result cuCtxPushCurrent_v2(Handle context) {
    current = context;
    return SUCCESS;
}
Result cuCtxPopCurrent_v2(Handle *context) {
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
// CUDA_MEMCPY2D: of memory of the host (1) or of the device (2), which are the same here.
struct Plane {
    size_t x, y;
    int kind;
    char *host;
    Pointer device;
    void *array;
    size_t pitch;

    char *row(size_t n) const { return (kind == 1 ? host : reinterpret_cast<char *>(device)) + (y + n) * pitch + x; }
};
struct Copy2D {
    Plane from, to;
    size_t bytes, rows;
};
Result cuMemcpy2DAsync_v2(const Copy2D *copy, Handle) {
    for (size_t n = 0; n < copy->rows; ++n) memcpy(copy->to.row(n), copy->from.row(n), copy->bytes);
    return state();
}
Result cuMemcpy2D_v2(const Copy2D *copy) { return cuMemcpy2DAsync_v2(copy, nullptr); }
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
