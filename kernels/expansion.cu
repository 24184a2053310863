// Polynomial expansion: src/flow/expansion.rs (Farnebäck, SCIA 2003, §2), in the same order of arithmetic.
#include "device.h"

// By distance from the pixel, 0 to the radius; `linear` and `mixed` are the fit's factors for b and for the term of xy.
struct Expansion {
    float smooth[8], slope[8], curve[8], linear, mixed;
};

#define WIDTH 32
#define HEIGHT 16
#define THREADS 256
// Numbers in shared memory: a tile of the level with what surrounds it, and its columns correlated with three kernels.
#define TILE(n) ((HEIGHT + 2 * n) * (WIDTH + 2 * n))
#define COLUMNS(n) (3 * HEIGHT * (WIDTH + 2 * n))

template <int N>
DEVICE void load_tile(const float *level, int width, int height, float *tile, int thread) {
    const int wide = WIDTH + 2 * N;
    int left = blockIdx.x * WIDTH - N, top = blockIdx.y * HEIGHT - N;
    for (int i = thread; i < TILE(N); i += THREADS) {
        int x = clamp(left + i % wide, width), y = clamp(top + i / wide, height);
        tile[i] = level[(long long)y * width + x];
    }
}

template <int N>
DEVICE void correlate_columns(const Expansion &kernels, const float *tile, float *columns, int thread) {
    const int wide = WIDTH + 2 * N, plane = HEIGHT * wide;
    for (int i = thread; i < plane; i += THREADS) {
        const float *centre = tile + i + N * wide;
        float smooth = kernels.smooth[0] * centre[0], curve = kernels.curve[0] * centre[0], slope = 0.0f;
#pragma unroll
        for (int k = 1; k <= N; ++k) {
            float above = centre[-k * wide], below = centre[k * wide], sum = above + below;
            smooth += kernels.smooth[k] * sum;
            curve += kernels.curve[k] * sum;
            slope += kernels.slope[k] * (below - above);
        }
        columns[i] = smooth;
        columns[plane + i] = slope;
        columns[2 * plane + i] = curve;
    }
}

template <int N>
DEVICE void correlate_row(const Expansion &kernels, const float *columns, f32x4 &quad, float &mixed) {
    const int plane = HEIGHT * (WIDTH + 2 * N);
    const float *smooth = columns, *slope = columns + plane, *curve = columns + 2 * plane;
    float y1 = kernels.smooth[0] * slope[0], x1 = 0.0f, xy = 0.0f;
    float y2 = kernels.smooth[0] * curve[0], x2 = kernels.curve[0] * smooth[0];
#pragma unroll
    for (int k = 1; k <= N; ++k) {
        x1 += kernels.slope[k] * (smooth[k] - smooth[-k]);
        x2 += kernels.curve[k] * (smooth[-k] + smooth[k]);
        y1 += kernels.smooth[k] * (slope[-k] + slope[k]);
        xy += kernels.slope[k] * (slope[k] - slope[-k]);
        y2 += kernels.smooth[k] * (curve[-k] + curve[k]);
    }
    quad = f32x4{tidy(y1 * kernels.linear), tidy(x1 * kernels.linear), tidy(y2), tidy(x2)};
    mixed = tidy(xy * kernels.mixed);
}

template <int N>
DEVICE void expand(const float *level, int width, int height, f32x4 *quad, float *mixed,
                              const Expansion &kernels, float *tile, float *columns) {
    int thread = threadIdx.y * WIDTH + threadIdx.x;
    long long frame = (long long)blockIdx.z * width * height;
    load_tile<N>(level + frame, width, height, tile, thread);
    __syncthreads();
    correlate_columns<N>(kernels, tile, columns, thread);
    __syncthreads();
    int x = blockIdx.x * WIDTH + threadIdx.x;
    for (int row = threadIdx.y; row < HEIGHT; row += THREADS / WIDTH) {
        int y = blockIdx.y * HEIGHT + row;
        if (x >= width || y >= height) continue;
        long long at = frame + (long long)y * width + x;
        f32x4 terms;
        float term;
        correlate_row<N>(kernels, columns + row * (WIDTH + 2 * N) + N + threadIdx.x, terms, term);
        quad[at] = terms;
        mixed[at] = term;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    expand_5(const float *__restrict__ level, int width, int height, f32x4 *__restrict__ quad,
             float *__restrict__ mixed, Expansion kernels) {
    __shared__ float tile[TILE(5)];
    __shared__ float columns[COLUMNS(5)];
    expand<5>(level, width, height, quad, mixed, kernels, tile, columns);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    expand_7(const float *__restrict__ level, int width, int height, f32x4 *__restrict__ quad,
             float *__restrict__ mixed, Expansion kernels) {
    __shared__ float tile[TILE(7)];
    __shared__ float columns[COLUMNS(7)];
    expand<7>(level, width, height, quad, mixed, kernels, tile, columns);
}
