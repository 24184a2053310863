// Pictures of 8-bit samples at another size: tables of weights, then columns, then rows.
#include "device.h"

#define AREA 0
#define BICUBIC 1

// sin(πx): the series about the nearest whole number; off by less than 1e-13.
DEVICE double sin_pi(double x) {
    double nearest = floor(x + 0.5);
    double r = (x - nearest) * 3.14159265358979323846, square = r * r, term = r, sum = r;
    for (int n = 2; n <= 18; n += 2) {
        term *= -square / (n * (n + 1));
        sum += term;
    }
    return (long long)nearest & 1 ? -sum : sum;
}

// Keys' cubic with FFmpeg's parameter, -0.6 (Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981).
DEVICE double cubic(double x) {
    const double a = -0.6;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? ((x - 5.0) * x + 8.0) * x * a - 4.0 * a : 0.0;
}

// Lanczos of three lobes (Duchon, "Lanczos Filtering in One and Two Dimensions", 1979).
DEVICE double lanczos(double x) {
    x = fabs(x);
    if (x < 1e-9) return 1.0;
    const double square = 3.14159265358979323846 * 3.14159265358979323846;
    return x < 3.0 ? 3.0 * sin_pi(x) * sin_pi(x / 3.0) / (square * x * x) : 0.0;
}

// Of which source pixels, with which weights, each target pixel is made. A filter widens with the ratio when pictures
// shrink, so that nothing aliases; pixels outside of the source are its first or last.
extern "C" __global__ void __launch_bounds__(128)
    resize_table(int kind, int source, int target, int taps, int *__restrict__ first, float *__restrict__ weights) {
    int index = blockIdx.x * 128 + threadIdx.x;
    if (index >= target) return;
    double ratio = (double)source / target, sum = 0.0;
    double start = index * ratio, end = (index + 1) * ratio, centre = start + 0.5 * ratio - 0.5;
    double stretch = fmax(ratio, 1.0);
    double from = kind == AREA ? floor(start) : floor(centre) - ceil((kind == BICUBIC ? 2.0 : 3.0) * stretch);
    float *out = weights + (long long)index * taps;
    for (int pass = 0; pass < 2; ++pass) {
        for (int tap = 0; tap < taps; ++tap) {
            double at = from + tap, distance = (at - centre) / stretch, weight;
            if (kind == AREA)
                weight = fmax(fmin(end, at + 1.0) - fmax(start, at), 0.0) / ratio;
            else
                weight = kind == BICUBIC ? cubic(distance) : lanczos(distance);
            if (pass == 0)
                sum += weight;
            else
                out[tap] = (float)(kind == AREA ? weight : weight / sum);
        }
    }
    first[index] = (int)from;
}

extern "C" __global__ void __launch_bounds__(128)
    resize_columns(const u8 *__restrict__ src, int src_stride, int src_step, int src_height, float *__restrict__ dst,
                   int row_len, int height, const int *__restrict__ first, const float *__restrict__ weights,
                   int taps) {
    int x = blockIdx.x * 128 + threadIdx.x, y = blockIdx.y;
    if (x >= row_len || y >= height) return;
    src += item(src_step) + x;
    int from = first[y];
    float sum = 0.0f;
#pragma unroll 4
    for (int tap = 0; tap < taps; ++tap)
        sum += weights[y * taps + tap] * src[(long long)clamp(from + tap, src_height) * src_stride];
    dst[((long long)blockIdx.z * height + y) * row_len + x] = tidy(sum);
}

// `src`: `height` rows of `src_width` pixels, as resize_columns made them.
extern "C" __global__ void __launch_bounds__(128)
    resize_rows(const float *__restrict__ src, int src_width, u8 *__restrict__ dst, int dst_stride, int dst_step,
                int width, int height, int channels, const int *__restrict__ first,
                const float *__restrict__ weights, int taps) {
    int at = blockIdx.x * 128 + threadIdx.x, y = blockIdx.y;
    if (at >= width * channels || y >= height) return;
    int x = at / channels, channel = at % channels, from = first[x];
    src += ((long long)blockIdx.z * height + y) * src_width * channels + channel;
    float sum = 0.0f;
#pragma unroll 4
    for (int tap = 0; tap < taps; ++tap)
        sum += weights[x * taps + tap] * src[clamp(from + tap, src_width) * channels];
    dst[item(dst_step) + (long long)y * dst_stride + at] = sample(sum);
}
