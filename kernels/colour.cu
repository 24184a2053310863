// Decoded frames (NV12: 8 bits; P010: 10 bits in the upper bits of 16) as luma or RGB, and upright.
#include "device.h"

// Of samples as they are stored: what black is, and what one step is worth in units of 1/255 of full luma or chroma.
struct Range {
    float black, grey, luma, chroma;
};

// 8 bits, or 10 of 16 (`deep`).
DEVICE Range range(bool deep, int full_range) {
    float unit = deep ? 4.0f : 1.0f;
    if (full_range) {
        float gain = deep ? 255.0f / 1023.0f : 1.0f;
        return Range{0.0f, 128.0f * unit, gain, gain};
    }
    return Range{16.0f * unit, 128.0f * unit, 255.0f / (219.0f * unit), 255.0f / (224.0f * unit)};
}

DEVICE float value(u8 stored) { return stored; }
DEVICE float value(u16 stored) { return stored >> 6; }

template <class T>
DEVICE void to_luma(const T *src, int src_stride, u8 *dst, int dst_stride, int width, int height,
                               int full_range) {
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= width || y >= height) return;
    Range r = range(sizeof(T) > 1, full_range);
    float luma = (value(src[(long long)y * src_stride + x]) - r.black) * r.luma;
    dst[(long long)y * dst_stride + x] = sample(luma);
}

extern "C" __global__ void __launch_bounds__(256)
    nv12_luma(const u8 *__restrict__ src, int src_stride, int src_step, u8 *__restrict__ dst, int dst_stride,
              int dst_step, int width, int height, int full_range) {
    to_luma(src + item(src_step), src_stride, dst + item(dst_step), dst_stride, width, height, full_range);
}

extern "C" __global__ void __launch_bounds__(256)
    p010_luma(const u16 *__restrict__ src, int src_stride, int src_step, u8 *__restrict__ dst, int dst_stride,
              int dst_step, int width, int height, int full_range) {
    to_luma(src + item(src_step), src_stride, dst + item(dst_step), dst_stride, width, height, full_range);
}

// Shares of red and blue in luma (ITU-R BT.601, BT.709, BT.2020); green's is the rest.
DEVICE void shares(int matrix, float &red, float &blue) {
    red = matrix == 709 ? 0.2126f : matrix == 2020 ? 0.2627f : 0.299f;
    blue = matrix == 709 ? 0.0722f : matrix == 2020 ? 0.0593f : 0.114f;
}

// Chroma of a pixel: sited on every second pixel of a row, and between two rows.
template <class T>
DEVICE void chroma_at(const T *chroma, int stride, int x, int y, int width, int height, float &cb,
                                 float &cr) {
    int columns = (width + 1) / 2, rows = (height + 1) / 2;
    int left = x / 2, right = least(left + (x & 1), columns - 1);
    int near = y / 2, far = clamp(y & 1 ? near + 1 : near - 1, rows);
    const T *a = chroma + (long long)near * stride, *b = chroma + (long long)far * stride;
    float near_b = value(a[2 * left]) + value(a[2 * right]), far_b = value(b[2 * left]) + value(b[2 * right]);
    float near_r = value(a[2 * left + 1]) + value(a[2 * right + 1]);
    float far_r = value(b[2 * left + 1]) + value(b[2 * right + 1]);
    cb = 0.375f * near_b + 0.125f * far_b;
    cr = 0.375f * near_r + 0.125f * far_r;
}

template <class T>
DEVICE void to_rgb(const T *luma, int luma_stride, const T *chroma, int chroma_stride, u8 *dst,
                              int dst_stride, int width, int height, int matrix, int full_range) {
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= width || y >= height) return;
    Range r = range(sizeof(T) > 1, full_range);
    float red, blue, cb, cr;
    shares(matrix, red, blue);
    chroma_at(chroma, chroma_stride, x, y, width, height, cb, cr);
    cb = (cb - r.grey) * r.chroma;
    cr = (cr - r.grey) * r.chroma;
    float grey = (value(luma[(long long)y * luma_stride + x]) - r.black) * r.luma;
    float more_red = 2.0f * (1.0f - red) * cr, more_blue = 2.0f * (1.0f - blue) * cb;
    u8 *out = dst + (long long)y * dst_stride + 3 * x;
    out[0] = sample(grey + more_red);
    out[1] = sample(grey - (red * more_red + blue * more_blue) / (1.0f - red - blue));
    out[2] = sample(grey + more_blue);
}

extern "C" __global__ void __launch_bounds__(256)
    nv12_rgb(const u8 *__restrict__ luma, int luma_stride, int luma_step, const u8 *__restrict__ chroma,
             int chroma_stride, int chroma_step, u8 *__restrict__ dst, int dst_stride, int dst_step, int width,
             int height, int matrix, int full_range) {
    to_rgb(luma + item(luma_step), luma_stride, chroma + item(chroma_step), chroma_stride, dst + item(dst_step),
           dst_stride, width, height, matrix, full_range);
}

extern "C" __global__ void __launch_bounds__(256)
    p010_rgb(const u16 *__restrict__ luma, int luma_stride, int luma_step, const u16 *__restrict__ chroma,
             int chroma_stride, int chroma_step, u8 *__restrict__ dst, int dst_stride, int dst_step, int width,
             int height, int matrix, int full_range) {
    to_rgb(luma + item(luma_step), luma_stride, chroma + item(chroma_step), chroma_stride, dst + item(dst_step),
           dst_stride, width, height, matrix, full_range);
}

// Luma, turned clockwise: of luma itself (1 channel), or of RGB (3) with the weights that OpenCV has for BGR, as
// src/subsample/optical_flow/gray.rs has it. `width` and `height` are the source's.
extern "C" __global__ void __launch_bounds__(256)
    upright(const u8 *__restrict__ src, int src_stride, int src_step, u8 *__restrict__ dst, int dst_stride,
            int dst_step, int width, int height, int channels, int turn) {
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    bool lies = turn == 90 || turn == 270;
    if (x >= (lies ? height : width) || y >= (lies ? width : height)) return;
    int from_x = turn == 90 ? y : turn == 180 ? width - 1 - x : turn == 270 ? width - 1 - y : x;
    int from_y = turn == 90 ? height - 1 - x : turn == 180 ? height - 1 - y : turn == 270 ? x : y;
    const u8 *pixel = src + item(src_step) + (long long)from_y * src_stride + (long long)from_x * channels;
    unsigned luma = pixel[0];
    if (channels == 3) luma = (pixel[0] * 3735u + pixel[1] * 19235u + pixel[2] * 9798u + (1u << 14)) >> 15;
    dst[item(dst_step) + (long long)y * dst_stride + x] = (u8)luma;
}
