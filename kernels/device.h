// What the kernels need of CUDA, for clang without a toolkit (--cuda-device-only), and on the host through the tests' shim.
#pragma once

// Everything is inlined: a call would pass what is in registers through memory.
#define DEVICE __device__ inline __attribute__((always_inline))

#ifdef CLIPMILL_HOST_KERNELS
#include "shim.h"
#else

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(threads) __attribute__((launch_bounds(threads)))

// threadIdx and its kin: each member is a read of a special register.
#define CLIPMILL_REGISTERS(name, ptx)                                                                                  \
    struct name##_t {                                                                                                  \
        __declspec(property(get = read_x)) unsigned x;                                                                 \
        __declspec(property(get = read_y)) unsigned y;                                                                 \
        __declspec(property(get = read_z)) unsigned z;                                                                 \
        static inline __device__ unsigned read_x() { return __nvvm_read_ptx_sreg_##ptx##_x(); }                        \
        static inline __device__ unsigned read_y() { return __nvvm_read_ptx_sreg_##ptx##_y(); }                        \
        static inline __device__ unsigned read_z() { return __nvvm_read_ptx_sreg_##ptx##_z(); }                        \
    };                                                                                                                 \
    extern const __device__ __attribute__((weak)) name##_t name;
CLIPMILL_REGISTERS(threadIdx, tid)
CLIPMILL_REGISTERS(blockIdx, ctaid)
CLIPMILL_REGISTERS(gridDim, nctaid)

DEVICE float floorf(float a) { return __nvvm_floor_f(a); }
DEVICE float fabsf(float a) { return __nvvm_fabs_f(a); }
// Of a number and a NaN, the number.
DEVICE float fminf(float a, float b) { return __nvvm_fmin_f(a, b); }
DEVICE float fmaxf(float a, float b) { return __nvvm_fmax_f(a, b); }
DEVICE double fmin(double a, double b) { return __nvvm_fmin_d(a, b); }
DEVICE double fmax(double a, double b) { return __nvvm_fmax_d(a, b); }
DEVICE double floor(double a) { return __nvvm_floor_d(a); }
DEVICE double ceil(double a) { return __nvvm_ceil_d(a); }
DEVICE double fabs(double a) { return __nvvm_fabs_d(a); }
DEVICE float sqrtf(float a) { return __nvvm_sqrt_rn_f(a); }
DEVICE unsigned float_bits(float a) { return (unsigned)__nvvm_bitcast_f2i(a); }
DEVICE void atomic_add(unsigned *at, unsigned value) { __nvvm_atom_add_gen_i((int *)at, (int)value); }
DEVICE void atomic_add(unsigned long long *at, unsigned long long value) {
    __nvvm_atom_add_gen_ll((long long *)at, (long long)value);
}
DEVICE void atomic_max(unsigned *at, unsigned value) { __nvvm_atom_max_gen_ui(at, value); }

extern __shared__ float dynamic_shared[];
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned long long u64;

// dx and dy of a pixel.
struct __attribute__((aligned(8))) f32x2 {
    float x, y;
};
struct __attribute__((aligned(16))) f32x4 {
    float x, y, z, w;
};

DEVICE int least(int a, int b) { return a < b ? a : b; }
DEVICE int most(int a, int b) { return a > b ? a : b; }
DEVICE int up(int a, int b) { return (a + b - 1) / b; }

// The pixel meant by an index outside of 0..len: the first or the last.
DEVICE int clamp(int index, int len) { return least(most(index, 0), len - 1); }

// The pixel meant by an index outside of 0..len: mirrored at the first and last pixel, which are not repeated.
DEVICE int mirror(int index, int len) {
    if ((unsigned)index < (unsigned)len) return index;
    if (len == 1) return 0;
    int period = 2 * (len - 1);
    index %= period;
    if (index < 0) index += period;
    return least(index, period - index);
}

// Nothing that is no number leaves a kernel, whatever it was given.
DEVICE float tidy(float value) { return fabsf(value) <= 3.402823466e38f ? value : 0.0f; }

// A sample of 8 bits.
DEVICE u8 sample(float value) { return (u8)fminf(fmaxf(floorf(value + 0.5f), 0.0f), 255.0f); }

// Where an item of the batch begins; steps are 32 bits, batches may be larger.
DEVICE long long item(int step) { return (long long)blockIdx.z * step; }
