//! The equations of each pixel's displacement, from the polynomials of two frames and a first guess of the displacement
//! (Farnebäck 2003, §3, equations 9 to 12 and §4): with A the mean of both quadratic terms and Δb half the difference of
//! the linear terms plus A × the guess, the five distinct numbers of AᵀA and AᵀΔb.

use multiversion::multiversion;

use super::expansion::TERMS;

/// Pixels that are worked on at once.
const BLOCK: usize = 32;
/// Numbers of a pixel that are loaded at once: its terms and some of the next pixel's, which are not used.
const LANES: usize = 8;
/// What a buffer of terms needs behind the last pixel's, so that `LANES` can be loaded.
pub const SLACK: usize = LANES;

/// How much the equations of a pixel count (both sides, so squared) that is 0 to 4 pixels from the border: fits there
/// stand on repeated pixels.
const EDGE: [f32; 5] = [0.14, 0.14, 0.4472, 0.4472, 0.4472];

pub fn edge(index: usize, len: usize) -> f32 {
    let weight = |distance: usize| EDGE.get(distance).copied().unwrap_or(1.0);
    weight(index) * weight(len - 1 - index)
}

/// Factors for the terms of the first frame and of the second when a pixel is seen in both, and for those of the first
/// alone. The term of xy stands for two equal elements of A.
const BOTH: [[f32; LANES]; 2] =
    [[0.5, 0.5, 0.5, 0.5, 0.25, 0.0, 0.0, 0.0], [-0.5, -0.5, 0.5, 0.5, 0.25, 0.0, 0.0, 0.0]];
const ALONE: [f32; LANES] = [0.5, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0];

/// What the equations of a level are made of. Terms are interleaved and have [`SLACK`] more numbers at the end.
#[derive(Debug, Clone, Copy)]
pub struct Frames<'a> {
    pub width: usize,
    pub height: usize,
    /// The polynomials of the first and of the second frame.
    pub first: &'a [f32],
    pub second: &'a [f32],
    /// The guess: dx and dy of each pixel.
    pub flow: &'a [f32],
    /// [`edge`] of each column.
    pub edges: &'a [f32],
}

/// The equations of row `y`. `out` holds five rows: AᵀA's yy, xy, xx, then AᵀΔb's y, x.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub fn equations(frames: &Frames, y: usize, out: &mut [f32]) {
    let width = frames.width;
    let edge_y = edge(y, frames.height);
    let flow = &frames.flow[y * width * 2..][..width * 2];
    for start in (0..width).step_by(BLOCK) {
        let len = BLOCK.min(width - start);
        let guess = &flow[start * 2..(start + len) * 2];
        let (mut dx, mut dy) = ([0.0; BLOCK], [0.0; BLOCK]);
        for ((pair, dx), dy) in guess.chunks_exact(2).zip(&mut dx).zip(&mut dy) {
            (*dx, *dy) = (pair[0], pair[1]);
        }
        let terms = mean_terms(frames, start..start + len, y, edge_y, &dx, &dy);
        for (row, values) in out.chunks_exact_mut(width).zip(&products(&terms, &dx, &dy)) {
            row[start..start + len].copy_from_slice(&values[..len]);
        }
    }
}

/// The means of A and half the differences of b of a block of pixels, weighted by their distance from the border.
#[inline(always)]
fn mean_terms(
    frames: &Frames,
    columns: std::ops::Range<usize>,
    y: usize,
    edge_y: f32,
    dx: &[f32; BLOCK],
    dy: &[f32; BLOCK],
) -> [[f32; LANES]; BLOCK] {
    let (x1, fx) = floor(&std::array::from_fn(|i| (columns.start + i) as f32 + dx[i]), frames.width);
    let (y1, fy) = floor(&std::array::from_fn(|i| y as f32 + dy[i]), frames.height);
    let mut terms = [[0.0; LANES]; BLOCK];
    let row = frames.width * TERMS;
    let edges = &frames.edges[columns.clone()];
    let first = &frames.first[(y * frames.width + columns.start) * TERMS..];
    for (i, (terms, edge_x)) in terms.iter_mut().zip(edges).enumerate() {
        let own: &[f32; LANES] = first[i * TERMS..].first_chunk().unwrap_or(&[0.0; LANES]);
        let (x1, y1, fx, fy) = (x1[i], y1[i], fx[i], fy[i]);
        let mut mean = lanes(|c| own[c] * ALONE[c]);
        if (x1 as u32) < frames.width as u32 - 1 && (y1 as u32) < frames.height as u32 - 1 {
            let at = y1 as usize * row + x1 as usize * TERMS;
            let corners = (chunk(frames.second, at), chunk(frames.second, at + row));
            if let (Some(top), Some(bottom)) = corners {
                let (nw, ne, sw, se) = ((1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy);
                let seen = lanes(|c| {
                    nw * top[c] + ne * top[c + TERMS] + sw * bottom[c] + se * bottom[c + TERMS]
                });
                mean = lanes(|c| own[c] * BOTH[0][c] + seen[c] * BOTH[1][c]);
            }
        }
        let edge = edge_x * edge_y;
        *terms = if edge == 1.0 { mean } else { lanes(|c| mean[c] * edge) };
    }
    terms
}

#[inline(always)]
fn chunk(terms: &[f32], at: usize) -> Option<&[f32; LANES + TERMS]> {
    terms.get(at..)?.first_chunk()
}

#[inline(always)]
fn lanes(of: impl Fn(usize) -> f32) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    for (c, out) in out.iter_mut().enumerate() {
        *out = of(c);
    }
    out
}

/// Places along one axis: the pixel at or before each, and the part of the way to the next.
#[inline(always)]
fn floor(at: &[f32; BLOCK], len: usize) -> ([i32; BLOCK], [f32; BLOCK]) {
    let (mut whole, mut part) = ([0; BLOCK], [0.0; BLOCK]);
    for ((at, whole), part) in at.iter().zip(&mut whole).zip(&mut part) {
        // Beyond the frame all places are alike. From 1 up, so that cutting the fraction off rounds down.
        let at = at.clamp(-1.0, len as f32);
        let index = (at + 1.0) as i32 - 1;
        let below = index as f32 > at;
        *whole = index - i32::from(below);
        *part = at - *whole as f32;
    }
    (whole, part)
}

#[inline(always)]
fn products(terms: &[[f32; LANES]; BLOCK], dx: &[f32; BLOCK], dy: &[f32; BLOCK]) -> [[f32; BLOCK]; 5] {
    let mut out = [[0.0; BLOCK]; 5];
    let [yy, xy, xx, by, bx] = &mut out;
    for i in 0..BLOCK {
        let [b1, b2, a11, a22, a12, ..] = terms[i];
        let b1 = b1 + a11 * dy[i] + a12 * dx[i];
        let b2 = b2 + a12 * dy[i] + a22 * dx[i];
        yy[i] = a11 * a11 + a12 * a12;
        xy[i] = (a11 + a22) * a12;
        xx[i] = a22 * a22 + a12 * a12;
        by[i] = a11 * b1 + a12 * b2;
        bx[i] = a12 * b1 + a22 * b2;
    }
    out
}
