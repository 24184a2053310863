// What is said of flows without storing them: src/subsample/optical_flow/motion.rs.
#include "device.h"

#define THREADS 256
#define PARTS 64
#define BINS 832

// Adds each flow's magnitudes: their sum in 64 parts, so that the order of the sum is always the same; the largest, as the
// bits of an f32 (not negative, so that they compare as the numbers do); and a histogram over all flows, whose last entry
// counts what does not move.
extern "C" __global__ void __launch_bounds__(THREADS)
    flow_motion(const f32x2 *__restrict__ flow, int pixels, u64 *__restrict__ counts, double *__restrict__ sums,
                unsigned *__restrict__ maxima) {
    __shared__ double partial[THREADS];
    __shared__ unsigned largest, bins[BINS + 1];
    int thread = threadIdx.x;
    for (int bin = thread; bin <= BINS; bin += THREADS) bins[bin] = 0;
    if (thread == 0) largest = 0;
    __syncthreads();
    flow += item(pixels);
    double sum = 0.0;
    float most_seen = 0.0f;
    for (long long at = blockIdx.x * THREADS + thread; at < pixels; at += PARTS * THREADS) {
        float dx = tidy(flow[at].x), dy = tidy(flow[at].y);
        float magnitude = fminf(sqrtf(dx * dx + dy * dy), 3.402823466e38f);
        sum += magnitude;
        most_seen = fmaxf(most_seen, magnitude);
        // Exponent and 5 bits of the fraction, from 1/1024 pixel on.
        int bin = (int)(float_bits(fminf(magnitude * 1024.0f, 1e30f)) >> 18) - (127 << 5);
        atomic_add(&bins[bin < 0 ? BINS : least(bin, BINS - 1)], 1u);
    }
    partial[thread] = sum;
    atomic_max(&largest, float_bits(most_seen));
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) partial[thread] += partial[thread + half];
    }
    for (int bin = thread; bin <= BINS; bin += THREADS)
        if (bins[bin]) atomic_add(&counts[bin], (u64)bins[bin]);
    if (thread == 0) {
        sums[(long long)blockIdx.z * PARTS + blockIdx.x] = partial[0];
        atomic_max(&maxima[blockIdx.z], largest);
    }
}

extern "C" __global__ void __launch_bounds__(128)
    flow_motion_sum(const double *__restrict__ sums, double *__restrict__ totals, int items) {
    int index = blockIdx.x * 128 + threadIdx.x;
    if (index >= items) return;
    double total = 0.0;
    for (int part = 0; part < PARTS; ++part) total += sums[(long long)index * PARTS + part];
    totals[index] = total;
}
