// Levels of the pyramid, and flow carried from one level to the next: src/flow/resample.rs, in the same order of
// arithmetic.
#include "device.h"

// A level of frames of 8-bit luma: around 0, which polynomials do not see and f32 holds better. A block makes `tile`
// pixels of a row: first the columns that they need (at most `span`), then the rows of those.
extern "C" __global__ void __launch_bounds__(128)
    pyramid_level(const u8 *__restrict__ frames, int width, int height, int stride, int step,
                  float *__restrict__ level, int level_width, int level_height, const int *__restrict__ col_first,
                  const float *__restrict__ col_weights, int col_taps, const int *__restrict__ row_first,
                  const float *__restrict__ row_weights, int row_taps, int tile, int span) {
    float *columns = dynamic_shared;
    int left = blockIdx.x * tile, right = least(left + tile, level_width), y = blockIdx.y;
    const u8 *frame = frames + item(step);
    int origin = col_first[left], count = least(col_first[right - 1] + col_taps - origin, span);
    const float *weights = row_weights + (long long)y * row_taps;
    for (int i = threadIdx.x; i < count; i += 128) {
        const u8 *column = frame + mirror(origin + i, width);
        float sum = -128.0f;
        for (int tap = 0; tap < row_taps; tap += 4) {
            float part[4];
#pragma unroll
            for (int k = 0; k < 4; ++k) {
                int row = mirror(row_first[y] + least(tap + k, row_taps - 1), height);
                part[k] = tap + k < row_taps ? column[(long long)row * stride] * weights[tap + k] : 0.0f;
            }
            sum += (part[0] + part[1]) + (part[2] + part[3]);
        }
        columns[i] = sum;
    }
    __syncthreads();
    float *out = level + ((long long)blockIdx.z * level_height + y) * level_width;
    for (int x = left + threadIdx.x; x < right; x += 128) {
        const float *pixels = columns + (col_first[x] - origin);
        float sum = 0.0f;
        for (int tap = 0; tap < col_taps; ++tap) sum += col_weights[(long long)x * col_taps + tap] * pixels[tap];
        out[x] = tidy(sum);
    }
}

// A flow as the next finer level begins with it: interpolated, and `growth` times as long.
extern "C" __global__ void __launch_bounds__(256)
    flow_enlarge(const f32x2 *__restrict__ coarse, int coarse_width, int coarse_height, f32x2 *__restrict__ fine,
                 int fine_width, int fine_height, const int *__restrict__ col_first,
                 const float *__restrict__ col_weights, int col_taps, const int *__restrict__ row_first,
                 const float *__restrict__ row_weights, int row_taps, float growth) {
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= fine_width || y >= fine_height) return;
    coarse += (long long)blockIdx.z * coarse_width * coarse_height;
    const f32x2 *top = coarse + (long long)clamp(row_first[y], coarse_height) * coarse_width;
    const f32x2 *bottom = coarse + (long long)clamp(row_first[y] + 1, coarse_height) * coarse_width;
    float upper = row_weights[y * row_taps] * growth, lower = row_taps > 1 ? row_weights[y * row_taps + 1] * growth : 0.0f;
    int left = clamp(col_first[x], coarse_width), right = clamp(col_first[x] + 1, coarse_width);
    float near = col_weights[x * col_taps], far = col_taps > 1 ? col_weights[x * col_taps + 1] : 0.0f;
    f32x2 nw = top[left], ne = top[right], sw = bottom[left], se = bottom[right];
    float dx = (nw.x * upper + sw.x * lower) * near + (ne.x * upper + se.x * lower) * far;
    float dy = (nw.y * upper + sw.y * lower) * near + (ne.y * upper + se.y * lower) * far;
    fine[((long long)blockIdx.z * fine_height + y) * fine_width + x] = f32x2{tidy(dx), tidy(dy)};
}

// No displacement is larger, pixels.
#define FARTHEST 1048576.0f

// A given flow as a level begins with it: the mean of the area that a pixel stands for, `scale` times as long.
extern "C" __global__ void __launch_bounds__(256)
    flow_start(const f32x2 *__restrict__ initial, int initial_width, int initial_height, f32x2 *__restrict__ flow,
               int width, int height, const int *__restrict__ col_first, const float *__restrict__ col_weights,
               int col_taps, const int *__restrict__ row_first, const float *__restrict__ row_weights, int row_taps,
               float scale) {
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= width || y >= height) return;
    initial += (long long)blockIdx.z * initial_width * initial_height;
    float dx = 0.0f, dy = 0.0f;
    for (int row = 0; row < least(row_taps, initial_height - row_first[y]); ++row) {
        const f32x2 *from = initial + (long long)(row_first[y] + row) * initial_width + col_first[x];
        for (int column = 0; column < least(col_taps, initial_width - col_first[x]); ++column) {
            float weight = col_weights[(long long)x * col_taps + column] * row_weights[(long long)y * row_taps + row];
            // What is no number says nothing.
            dx += weight * fminf(fmaxf(tidy(from[column].x), -FARTHEST), FARTHEST);
            dy += weight * fminf(fmaxf(tidy(from[column].y), -FARTHEST), FARTHEST);
        }
    }
    flow[((long long)blockIdx.z * height + y) * width + x] = f32x2{tidy(dx * scale), tidy(dy * scale)};
}
