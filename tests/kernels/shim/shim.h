// The CUDA device language on the CPU: one fiber per CUDA thread, one block at a time. See shim.cpp.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__ static
// All of them in one section, so that the shim can spoil them before each block.
#define __shared__ static __attribute__((section("kernel_shared")))
#define __launch_bounds__(threads)
#define __restrict__ __restrict
#define threadIdx (shim::now.thread)
#define blockIdx (shim::now.block)
#define gridDim (shim::now.grid)
#define __syncthreads() shim::sync()
#define dynamic_shared (shim::now.shared)

namespace shim {
struct Dim {
    unsigned x, y, z;
};
struct Now {
    Dim thread, block, grid;
    float *shared;
};
extern Now now;

// __syncthreads.
void sync();
} // namespace shim

// As in CUDA, these are f32 functions; of a number and a NaN, min and max are the number.
using std::ceil;
using std::fabs;
using std::floor;
using std::fmax;
using std::fmin;

static inline unsigned float_bits(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
// One thread runs at a time.
template <class T> static inline void atomic_add(T *at, T value) { *at += value; }
template <class T> static inline void atomic_max(T *at, T value) { *at = *at > value ? *at : value; }
