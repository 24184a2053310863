// The equations of the pixels in a window around each pixel, averaged and solved: src/flow/window.rs, in the same order of
// arithmetic. Outside of the frame its first and last pixels go on.
#include "device.h"

#define THREADS 128
#define EQUATIONS 5
// No displacement is larger, pixels.
#define FARTHEST 1048576.0f

DEVICE float bound(double value) { return fminf(fmaxf(tidy((float)value), -FARTHEST), FARTHEST); }

// With OpenCV's constant, a window without structure gives 0. In f64: what remains of the determinant may be less than the
// rounding of its products.
DEVICE f32x2 solve(const float (&sums)[EQUATIONS], float scale) {
    double yy = sums[0] * scale, xy = sums[1] * scale, xx = sums[2] * scale, by = sums[3] * scale, bx = sums[4] * scale;
    // A sum of squares is never negative, but its rounding may be.
    double over = 1.0 / (fmax(yy * xx - xy * xy, 0.0) + 1e-3);
    return f32x2{bound((yy * bx - xy * by) * over), bound((xx * by - xy * bx) * over)};
}

// Columns of a box. A running sum would keep the rounding of what has left it; here nothing is subtracted (van Herk's and
// Gil's decomposition). Rows, the repeated ones too, fall in groups as tall as the window; a thread makes one column of the
// outputs whose windows begin in one group: what is left of that group, and the begin of the next.
extern "C" __global__ void __launch_bounds__(THREADS)
    box_columns(const float *__restrict__ equations, float *__restrict__ sums, int width, int height, int radius) {
    int x = blockIdx.x * THREADS + threadIdx.x, side = 2 * radius + 1, top = blockIdx.y * side;
    if (x >= width || top >= height) return;
    long long plane = (long long)blockIdx.z * width * height + x;
    const float *in = equations + plane;
    float *out = sums + plane;
    int wanted = least(side, height - top);
    auto row = [&](int slot) { return in[(long long)clamp(top - radius + slot, height) * width]; };
    float total = row(0);
#pragma unroll 4
    for (int slot = 1; slot < side; ++slot) total += row(slot);
    float rest = row(side - 1);
    if (side - 1 < wanted) out[(long long)(top + side - 1) * width] = rest;
#pragma unroll 4
    for (int slot = side - 2; slot > 0; --slot) {
        rest = row(slot) + rest;
        if (slot < wanted) out[(long long)(top + slot) * width] = rest;
    }
    out[(long long)top * width] = tidy(total);
    float begin = 0.0f;
#pragma unroll 4
    for (int slot = 1; slot < wanted; ++slot) {
        begin = slot == 1 ? row(side) : begin + row(side + slot - 1);
        float *at = out + (long long)(top + slot) * width;
        *at = tidy(begin + *at);
    }
}

// What a block's pixels need of a row of each plane of sums.
DEVICE void load_row(const float *sums, int width, int height, int radius, float *values) {
    int span = THREADS + 2 * radius, left = blockIdx.x * THREADS - radius;
    long long plane = (long long)width * height;
    const float *row = sums + EQUATIONS * blockIdx.z * plane + (long long)blockIdx.y * width;
    for (int i = threadIdx.x; i < span; i += THREADS) {
        int x = clamp(left + i, width);
#pragma unroll
        for (int equation = 0; equation < EQUATIONS; ++equation) values[equation * span + i] = row[equation * plane + x];
    }
    __syncthreads();
}

DEVICE void store(f32x2 *flow, int width, int height, f32x2 value) {
    int x = blockIdx.x * THREADS + threadIdx.x;
    if (x < width) flow[((long long)blockIdx.z * height + blockIdx.y) * width + x] = value;
}

// Rows of a box, from sums of 2, 4, 8, … neighbours, and the solution.
extern "C" __global__ void __launch_bounds__(THREADS)
    box_solve(const float *__restrict__ sums, f32x2 *__restrict__ flow, int width, int height, int radius,
              float scale) {
    int span = THREADS + 2 * radius, count = 2 * radius + 1, at = threadIdx.x;
    float *from = dynamic_shared, *to = dynamic_shared + EQUATIONS * span;
    load_row(sums, width, height, radius, from);
    float total[EQUATIONS];
#pragma unroll
    for (int equation = 0; equation < EQUATIONS; ++equation) total[equation] = from[equation * span + at];
    // `from` holds sums of `step` neighbours each. Of a window's values, `done` are summed, the first of them to begin with.
    int step = 1, len = span, done = 1;
    for (; 4 * step <= count; step *= 2) {
        len -= step;
        for (int i = at; i < len; i += THREADS) {
#pragma unroll
            for (int equation = 0; equation < EQUATIONS; ++equation)
                to[equation * span + i] = from[equation * span + i] + from[equation * span + i + step];
        }
        __syncthreads();
        float *swap = from;
        from = to;
        to = swap;
        if (count & (2 * step)) {
#pragma unroll
            for (int equation = 0; equation < EQUATIONS; ++equation) total[equation] += from[equation * span + at + done];
            done += 2 * step;
        }
    }
#pragma unroll
    for (int equation = 0; equation < EQUATIONS; ++equation) {
        const float *pair = from + equation * span + at + done;
        total[equation] += pair[0] + pair[step];
    }
    store(flow, width, height, solve(total, scale));
}

// Both neighbours at four distances from `distance` on, weighted; there are none beyond the radius.
DEVICE float four(const float *centre, int stride, const float *weights, int distance, int radius) {
    float part[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        int d = distance + k;
        part[k] = d <= radius ? weights[d] * (centre[-d * stride] + centre[d * stride]) : 0.0f;
    }
    return (part[0] + part[1]) + (part[2] + part[3]);
}

// Columns of a Gaussian window.
extern "C" __global__ void __launch_bounds__(256)
    gauss_columns(const float *__restrict__ equations, float *__restrict__ sums, int width, int height, int radius,
                  const float *__restrict__ weights) {
    const int side = 32;
    float *tile = dynamic_shared;
    int column = threadIdx.x, x = blockIdx.x * side + column, top = blockIdx.y * side;
    long long plane = (long long)blockIdx.z * width * height;
    const float *in = equations + plane + least(x, width - 1);
    for (int row = threadIdx.y; row < side + 2 * radius; row += 8)
        tile[row * side + column] = in[(long long)clamp(top - radius + row, height) * width];
    __syncthreads();
    const float *centre = tile + (threadIdx.y + radius) * side + column;
    float sum[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) sum[k] = weights[0] * centre[8 * k * side];
    for (int distance = 1; distance <= radius; distance += 4) {
#pragma unroll
        for (int k = 0; k < 4; ++k) sum[k] += four(centre + 8 * k * side, side, weights, distance, radius);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        int y = top + threadIdx.y + 8 * k;
        if (x < width && y < height) sums[plane + (long long)y * width + x] = tidy(sum[k]);
    }
}

// Rows of a Gaussian window, and the solution.
extern "C" __global__ void __launch_bounds__(THREADS)
    gauss_solve(const float *__restrict__ sums, f32x2 *__restrict__ flow, int width, int height, int radius,
                const float *__restrict__ weights) {
    int span = THREADS + 2 * radius;
    load_row(sums, width, height, radius, dynamic_shared);
    const float *centre = dynamic_shared + radius + threadIdx.x;
    float total[EQUATIONS];
#pragma unroll
    for (int equation = 0; equation < EQUATIONS; ++equation) total[equation] = weights[0] * centre[equation * span];
    for (int distance = 1; distance <= radius; distance += 4) {
#pragma unroll
        for (int equation = 0; equation < EQUATIONS; ++equation)
            total[equation] += four(centre + equation * span, 1, weights, distance, radius);
    }
    store(flow, width, height, solve(total, 1.0f));
}
