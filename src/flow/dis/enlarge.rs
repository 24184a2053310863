//! The finest level's flow, enlarged to the frame's size.

use multiversion::multiversion;
use rayon::prelude::*;

use super::Level;
use crate::flow::resample::{Table, clamp};

/// Columns that the fast way makes of one.
const QUAD: usize = 4;

#[derive(Debug)]
pub struct Enlarge {
    columns: Table,
    rows: Table,
    width: usize,
    growth: [f32; 2],
    /// How many columns become of one, where that is 2 or 4.
    whole: Option<usize>,
    /// Per thread a row of the source, pairs, and one more at each end.
    pairs: Vec<Vec<[f32; 2]>>,
}

impl Enlarge {
    pub fn new(source: (usize, usize), (width, height): (usize, usize), threads: usize) -> Self {
        let ratio = width / source.0;
        Self {
            columns: Table::linear(source.0, width),
            rows: Table::linear(source.1, height),
            width,
            growth: [width as f32 / source.0 as f32, height as f32 / source.1 as f32],
            whole: (ratio * source.0 == width && matches!(ratio, 2 | QUAD)).then_some(ratio),
            pairs: vec![vec![[0.0; 2]; source.0 + 2]; threads.min(height)],
        }
    }

    /// The flow of the frame's pixels, in its pixels.
    pub fn flow(&mut self, level: &Level, out: &mut [f32]) {
        let Self { columns, rows: table, width, growth, whole, pairs, .. } = self;
        let (width, threads) = (*width, pairs.len());
        let rows = (out.len() / 2 / width).div_ceil(threads);
        let [dx, dy] = level.flow();
        let row = |plane, y: i32| -> &[f32] {
            let plane: &[f32] = plane;
            &plane[clamp(y, level.height) * level.width..][..level.width]
        };
        let work = |(index, (out, pairs)): (usize, (&mut [f32], &mut Vec<[f32; 2]>))| {
            for (y, out) in (index * rows..).zip(out.chunks_exact_mut(2 * width)) {
                let (y, weights) = table.at(y);
                let mix = [weights[0], weights.get(1).copied().unwrap_or(0.0)];
                mix_rows([row(dx, y), row(dx, y + 1)], [row(dy, y), row(dy, y + 1)], mix, *growth, pairs);
                match whole {
                    Some(QUAD) => four_of_one(pairs, out),
                    Some(_) => two_of_one(pairs, out),
                    None => {
                        for ((first, weights), out) in columns.iter().zip(out.as_chunks_mut::<2>().0) {
                            let (a, b) = (pairs[first as usize + 1], pairs[first as usize + 2]);
                            let [one, other] = [weights[0], weights.get(1).copied().unwrap_or(0.0)];
                            *out = [a[0] * one + b[0] * other, a[1] * one + b[1] * other];
                        }
                    }
                }
            }
        };
        if threads == 1 {
            out.chunks_mut(rows * 2 * width).zip(pairs).enumerate().for_each(work);
        } else {
            out.par_chunks_mut(rows * 2 * width).zip(pairs).enumerate().for_each(work);
        }
    }
}

/// A row between two rows, as pairs, the first and the last twice.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn mix_rows(dx: [&[f32]; 2], dy: [&[f32]; 2], mix: [f32; 2], growth: [f32; 2], pairs: &mut [[f32; 2]]) {
    let width = pairs.len() - 2;
    let [x0, x1] = dx.map(|row| &row[..width]);
    let [y0, y1] = dy.map(|row| &row[..width]);
    let inner = &mut pairs[1..=width];
    for i in 0..width {
        inner[i] = [(x0[i] * mix[0] + x1[i] * mix[1]) * growth[0], (y0[i] * mix[0] + y1[i] * mix[1]) * growth[1]];
    }
    pairs[0] = pairs[1];
    pairs[width + 1] = pairs[width];
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn four_of_one(pairs: &[[f32; 2]], out: &mut [f32]) {
    const LEFT: [f32; 8] = [0.375, 0.375, 0.125, 0.125, 0.875, 0.875, 0.625, 0.625];
    const RIGHT: [f32; 8] = [0.625, 0.625, 0.875, 0.875, 0.125, 0.125, 0.375, 0.375];
    for (triple, out) in pairs.windows(3).zip(out.as_chunks_mut::<8>().0) {
        let (a, b, c) = (triple[0], triple[1], triple[2]);
        let left = [a[0], a[1], a[0], a[1], b[0], b[1], b[0], b[1]];
        let right = [b[0], b[1], b[0], b[1], c[0], c[1], c[0], c[1]];
        for i in 0..8 {
            out[i] = left[i] * LEFT[i] + right[i] * RIGHT[i];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn two_of_one(pairs: &[[f32; 2]], out: &mut [f32]) {
    for (triple, out) in pairs.windows(3).zip(out.as_chunks_mut::<4>().0) {
        let (a, b, c) = (triple[0], triple[1], triple[2]);
        let (left, right) = ([a[0], a[1], b[0], b[1]], [b[0], b[1], c[0], c[1]]);
        const LEFT: [f32; 4] = [0.25, 0.25, 0.75, 0.75];
        const RIGHT: [f32; 4] = [0.75, 0.75, 0.25, 0.25];
        for i in 0..4 {
            out[i] = left[i] * LEFT[i] + right[i] * RIGHT[i];
        }
    }
}
