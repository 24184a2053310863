//! What two frames say of the flow's change: the second frame is warped by the flow, and derivatives are taken.

use multiversion::multiversion;
use rayon::prelude::*;

use super::{PAD, Shape};
use crate::flow::dis::plane::{Plane, extend};

/// Numbers of a pixel: the luma's derivatives along x, y and time; then those of its derivative along x, and those of that
/// along y. Each three are divided by the length of the first two, about.
pub const TERMS: usize = 9;
/// What keeps that length from being 0, squared: where there is no structure, nothing is said.
const LEAST: f32 = 0.01;
/// Pixels that are worked on at once.
const BLOCK: usize = 32;
/// How far derivatives look.
const BORDER: usize = 2;

pub struct Source<'a> {
    pub first: &'a Plane,
    pub second: &'a Plane,
    pub flow: &'a [Vec<f32>; 2],
}

/// The mean of the first and the warped second frame, and their difference.
#[derive(Debug)]
pub struct Warped {
    mean: Plane,
    difference: Plane,
}

impl Warped {
    pub fn new(width: usize, height: usize) -> Self {
        let plane = Plane::new(width, height, BORDER);
        Self { mean: plane.clone(), difference: plane }
    }

    pub fn take(&mut self, source: &Source, threads: usize) {
        let Self { mean, difference } = self;
        let stride = mean.stride;
        let rows = mean.height.div_ceil(threads);
        let work = |(index, (mean, difference)): (usize, (&mut [f32], &mut [f32]))| {
            let lines = mean.chunks_exact_mut(stride).zip(difference.chunks_exact_mut(stride));
            for (y, (mean, difference)) in (index * rows..).zip(lines) {
                let inner = BORDER..stride - BORDER;
                warp_row(source, y, &mut mean[inner.clone()], &mut difference[inner]);
                extend(mean, BORDER);
                extend(difference, BORDER);
            }
        };
        let (means, differences, len) = (mean.wide_rows(), difference.wide_rows(), rows * stride);
        if threads == 1 {
            means.chunks_mut(len).zip(differences.chunks_mut(len)).enumerate().for_each(work);
        } else {
            means.par_chunks_mut(len).zip(differences.par_chunks_mut(len)).enumerate().for_each(work);
        }
        mean.repeat_rows();
        difference.repeat_rows();
    }

    /// The terms of row `y`, [`TERMS`] rows.
    pub fn terms(&self, shape: &Shape, y: usize, out: &mut [f32]) {
        let y = y as isize;
        let mean = [-2, -1, 0, 1, 2].map(|by| self.mean.wide_row(y + by));
        let difference = [-1, 0, 1].map(|by| self.difference.wide_row(y + by));
        terms_row(shape, mean, difference, out);
    }
}

/// Adding it leaves no room for a fraction, and makes the last bits an integer.
const SHIFT: f32 = 1.5 * (1 << 23) as f32;

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn warp_row(source: &Source, y: usize, mean: &mut [f32], difference: &mut [f32]) {
    let Source { first, second, flow: [dx, dy] } = source;
    let width = mean.len();
    let own = &first.row(y)[..width];
    let (dx, dy) = (&dx[y * width..][..width], &dy[y * width..][..width]);
    let difference = &mut difference[..width];
    let border = second.border as f32;
    let (last_x, last_y) = (border + (width - 1) as f32, border + (second.height - 1) as f32);
    let pixels = second.from(0, 0);
    for start in (0..width).step_by(BLOCK) {
        let len = BLOCK.min(width - start);
        let (mut at, mut weights) = ([0_usize; BLOCK], [[0.0; 2]; BLOCK]);
        for i in 0..len {
            let x = ((start + i) as i32 as f32 + border + dx[start + i]).max(border).min(last_x);
            let y = (y as i32 as f32 + border + dy[start + i]).max(border).min(last_y);
            let (left, top) = (floor(x), floor(y));
            weights[i] = [x - left, y - top];
            at[i] = whole(top) * second.stride + whole(left);
        }
        for i in 0..len {
            let [fx, fy] = weights[i];
            // The border goes beyond the last pixel and row.
            let corner = |at: usize| pixels.get(at..at + 2).map_or([0.0; 2], |pair| [pair[0], pair[1]]);
            let (top, bottom) = (corner(at[i]), corner(at[i] + second.stride));
            let (above, below) = (top[0] + (top[1] - top[0]) * fx, bottom[0] + (bottom[1] - bottom[0]) * fx);
            let seen = above + (below - above) * fy;
            mean[start + i] = (own[start + i] + seen) * 0.5;
            difference[start + i] = seen - own[start + i];
        }
    }
}

#[inline(always)]
fn floor(at: f32) -> f32 {
    let nearest = (at + SHIFT) - SHIFT;
    if nearest > at { nearest - 1.0 } else { nearest }
}

#[inline(always)]
fn whole(value: f32) -> usize {
    ((value + SHIFT).to_bits() - SHIFT.to_bits()) as usize
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn terms_row(shape: &Shape, mean: [&[f32]; 5], difference: [&[f32]; 3], out: &mut [f32]) {
    let padded = shape.width + 2 * BORDER;
    let [m0, m1, m2, m3, m4] = mean.map(|row| &row[..padded]);
    let [d0, d1, d2] = difference.map(|row| &row[..padded]);
    for start in (0..shape.width).step_by(BLOCK) {
        let len = BLOCK.min(shape.width - start);
        let mut block = [[0.0; BLOCK]; TERMS];
        for (i, at) in (start + BORDER..start + BORDER + len).enumerate() {
            let (x, y) = ((m2[at + 1] - m2[at - 1]) * 0.5, (m3[at] - m1[at]) * 0.5);
            let t = d1[at];
            let xx = (m2[at + 2] - 2.0 * m2[at] + m2[at - 2]) * 0.25;
            let yy = (m4[at] - 2.0 * m2[at] + m0[at]) * 0.25;
            let xy = ((m3[at + 1] - m3[at - 1]) - (m1[at + 1] - m1[at - 1])) * 0.25;
            let (xt, yt) = ((d1[at + 1] - d1[at - 1]) * 0.5, (d2[at] - d0[at]) * 0.5);
            let n0 = 1.0 / (x * x + y * y + LEAST).sqrt();
            let n1 = 1.0 / (xx * xx + xy * xy + LEAST).sqrt();
            let n2 = 1.0 / (yy * yy + xy * xy + LEAST).sqrt();
            [block[0][i], block[1][i], block[2][i]] = [x * n0, y * n0, t * n0];
            [block[3][i], block[4][i], block[5][i]] = [xx * n1, xy * n1, xt * n1];
            [block[6][i], block[7][i], block[8][i]] = [xy * n2, yy * n2, yt * n2];
        }
        for (block, out) in block.iter().zip(out.chunks_exact_mut(shape.row())) {
            split_block(block, start / 2, shape, out);
        }
    }
}

#[inline(always)]
fn split_block(block: &[f32; BLOCK], start: usize, shape: &Shape, out: &mut [f32]) {
    let (even, odd) = out.split_at_mut(shape.pitch);
    let len = (BLOCK / 2).min(shape.half - start);
    let mut halves = [[0.0; BLOCK / 2]; 2];
    for i in 0..BLOCK / 2 {
        halves[0][i] = block[2 * i];
        halves[1][i] = block[2 * i + 1];
    }
    for (half, out) in halves.iter().zip([even, odd]) {
        match out[PAD + start..].first_chunk_mut::<{ BLOCK / 2 }>() {
            Some(out) if len == BLOCK / 2 => *out = *half,
            _ => out[PAD + start..][..len].copy_from_slice(&half[..len]),
        }
    }
}

/// A row into its even and its odd columns.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub fn split(row: &[f32], shape: &Shape, out: &mut [f32]) {
    for start in (0..row.len()).step_by(BLOCK) {
        let part = &row[start..row.len().min(start + BLOCK)];
        let mut block = [0.0; BLOCK];
        match part.first_chunk::<BLOCK>() {
            Some(part) => block = *part,
            None => block[..part.len()].copy_from_slice(part),
        }
        split_block(&block, start / 2, shape, out);
    }
}

/// No pixel's flow is changed by more than this, pixels: a refinement that goes farther has no ground. (Without a wish for
/// smoothness, a change of light on a flat surface looks like a movement across the whole picture.)
const FARTHEST: f32 = 8.0;

/// The sum of a split row and its change, as one row again.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub fn join(flow: &[f32], change: &[f32], shape: &Shape, out: &mut [f32]) {
    let half = |row: usize| {
        let part = row * shape.pitch + PAD..row * shape.pitch + PAD + shape.half;
        (&flow[part.clone()], &change[part])
    };
    let ((a, b), (c, d)) = (half(0), half(1));
    let (pairs, rest) = out.as_chunks_mut::<2>();
    let len = pairs.len();
    let (c, d) = (&c[..len], &d[..len]);
    for (i, pair) in pairs.iter_mut().enumerate() {
        *pair = [a[i] + b[i].clamp(-FARTHEST, FARTHEST), c[i] + d[i].clamp(-FARTHEST, FARTHEST)];
    }
    if let [last] = rest {
        *last = a[len] + b[len].clamp(-FARTHEST, FARTHEST);
    }
}
