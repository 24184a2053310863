// The equations of each pixel's displacement: src/flow/matrices.rs (Farnebäck, SCIA 2003, §3 and §4), in the same order of
// arithmetic.
#include "device.h"

// How much a pixel counts that is 0 to 4 pixels from the border, where fits stand on repeated pixels.
DEVICE float weight(int distance) { return distance < 2 ? 0.14f : distance < 5 ? 0.4472f : 1.0f; }
DEVICE float edge(int index, int len) { return weight(index) * weight(len - 1 - index); }

// The pixel at or before a place; beyond the frame all places are alike.
DEVICE float floor_in(float at, float last, float &part) {
    at = fminf(fmaxf(at, -1.0f), last + 1.0f);
    float below = floorf(at);
    part = at - below;
    return below;
}

DEVICE float mix(float nw, float ne, float sw, float se, const float (&weights)[4]) {
    return (weights[0] * nw + weights[1] * ne) + (weights[2] * sw + weights[3] * se);
}

// Half the difference of b, and the mean of A (its xy twice, so a quarter of the sum), of a frame's pixel and of what the
// next frame shows where it went. Of a pixel that has left the frame, its own A is all that there is.
DEVICE void mean_terms(const f32x4 *quad, const float *mixed, long long frame, int x, int y, int width,
                                  int height, f32x2 flow, f32x4 &terms, float &term) {
    float last_x = (float)(width - 1), last_y = (float)(height - 1), part_x, part_y;
    float x1 = floor_in(x + flow.x, last_x, part_x), y1 = floor_in(y + flow.y, last_y, part_y);
    long long own = (long long)y * width + x;
    f32x4 first = quad[own], seen = f32x4{0.0f, 0.0f, 0.0f, 0.0f};
    float first_mixed = mixed[own], seen_mixed = 0.0f, square = 1.0f, product = 0.5f;
    if (x1 >= 0.0f && x1 < last_x && y1 >= 0.0f && y1 < last_y) {
        const float weights[4] = {(1.0f - part_x) * (1.0f - part_y), part_x * (1.0f - part_y),
                                  (1.0f - part_x) * part_y, part_x * part_y};
        long long at = frame + (long long)y1 * width + (int)x1;
        f32x4 nw = quad[at], ne = quad[at + 1], sw = quad[at + width], se = quad[at + width + 1];
        seen = f32x4{mix(nw.x, ne.x, sw.x, se.x, weights), mix(nw.y, ne.y, sw.y, se.y, weights),
                     mix(nw.z, ne.z, sw.z, se.z, weights), mix(nw.w, ne.w, sw.w, se.w, weights)};
        seen_mixed = mix(mixed[at], mixed[at + 1], mixed[at + width], mixed[at + width + 1], weights);
        square = 0.5f;
        product = 0.25f;
    }
    float edges = edge(x, width) * edge(y, height);
    terms = f32x4{(first.x * 0.5f + seen.x * -0.5f) * edges, (first.y * 0.5f + seen.y * -0.5f) * edges,
                  (first.z * square + seen.z * 0.5f) * edges, (first.w * square + seen.w * 0.5f) * edges};
    term = (first_mixed * product + seen_mixed * 0.25f) * edges;
}

// `quad` and `mixed`: polynomials of the batch's frames, one more than pairs. `equations`: five planes a pair, AᵀA's yy,
// xy, xx, then AᵀΔb's y, x.
extern "C" __global__ void __launch_bounds__(256)
    flow_equations(const f32x4 *__restrict__ quad, const float *__restrict__ mixed, const f32x2 *__restrict__ flow,
                   float *__restrict__ equations, int width, int height) {
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= width || y >= height) return;
    long long plane = (long long)width * height, first = blockIdx.z * plane, at = (long long)y * width + x;
    f32x2 guess = flow[first + at];
    f32x4 terms;
    float xy;
    mean_terms(quad + first, mixed + first, plane, x, y, width, height, guess, terms, xy);
    float yy = terms.z, xx = terms.w;
    float by = terms.x + yy * guess.y + xy * guess.x, bx = terms.y + xy * guess.y + xx * guess.x;
    float *out = equations + 5 * first + at;
    out[0] = tidy(yy * yy + xy * xy);
    out[plane] = tidy((yy + xx) * xy);
    out[2 * plane] = tidy(xx * xx + xy * xy);
    out[3 * plane] = tidy(yy * by + xy * bx);
    out[4 * plane] = tidy(xy * by + xx * bx);
}
