//! Frames made small: each pixel the mean of the area that it stands for.

use multiversion::multiversion;

use super::plane::Plane;
use crate::flow::Luma;
use crate::flow::resample::{Table, clamp};

/// What pixels of a source are made of, in both directions.
#[derive(Debug)]
pub struct Shrink {
    columns: Table,
    rows: Table,
    /// How many pixels a target's side takes, where that is a whole number and the same in both directions.
    whole: Option<usize>,
}

/// Where rows come from.
pub trait Source: Sync {
    fn width(&self) -> usize;
    fn height(&self) -> usize;
    /// Adds `weight` × row `y` to `sums`.
    fn add(&self, y: usize, weight: f32, sums: &mut [f32]);
    /// Adds row `y` to `sums`.
    fn add_once(&self, y: usize, sums: &mut [f32]);
}

impl Source for Luma<'_> {
    fn width(&self) -> usize {
        Luma::width(self)
    }
    fn height(&self) -> usize {
        Luma::height(self)
    }
    fn add(&self, y: usize, weight: f32, sums: &mut [f32]) {
        add_bytes(sums, weight, self.row(y));
    }
    fn add_once(&self, y: usize, sums: &mut [f32]) {
        add_bytes(sums, 1.0, self.row(y));
    }
}

impl Source for Plane {
    fn width(&self) -> usize {
        self.width
    }
    fn height(&self) -> usize {
        self.height
    }
    fn add(&self, y: usize, weight: f32, sums: &mut [f32]) {
        add_floats(sums, weight, self.row(y));
    }
    fn add_once(&self, y: usize, sums: &mut [f32]) {
        add_floats(sums, 1.0, self.row(y));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn add_bytes(sums: &mut [f32], weight: f32, row: &[u8]) {
    sums.iter_mut().zip(row).for_each(|(sum, luma)| *sum += weight * f32::from(*luma));
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn add_floats(sums: &mut [f32], weight: f32, row: &[f32]) {
    sums.iter_mut().zip(row).for_each(|(sum, luma)| *sum += weight * luma);
}

impl Shrink {
    pub fn new((source_width, source_height): (usize, usize), (width, height): (usize, usize)) -> Self {
        let ratio = source_width / width;
        let is_whole = ratio * width == source_width && ratio * height == source_height;
        Self {
            columns: Table::area(source_width, width),
            rows: Table::area(source_height, height),
            whole: is_whole.then_some(ratio),
        }
    }

    /// Row `y`. `sums` is scratch for a row of the source.
    pub fn row(&self, source: &impl Source, y: usize, out: &mut [f32], sums: &mut [f32]) {
        let sums = &mut sums[..source.width()];
        sums.fill(0.0);
        match self.whole {
            Some(side) => {
                (y * side..(y + 1) * side).for_each(|y| source.add_once(y, sums));
                mean_of(side, sums, out);
            }
            None => {
                let (first, weights) = self.rows.at(y);
                for (y, weight) in (first..).zip(weights) {
                    source.add(clamp(y, source.height()), *weight, sums);
                }
                for ((first, weights), out) in self.columns.iter().zip(out) {
                    // The last tap may lie behind the end; it has no weight there.
                    let pixels = sums.get(first as usize..).unwrap_or(&[]);
                    *out = pixels.iter().zip(weights).map(|(pixel, weight)| pixel * weight).sum();
                }
            }
        }
    }
}

/// Means of squares, of whose columns `sums` holds the sums.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn mean_of(side: usize, sums: &[f32], out: &mut [f32]) {
    match side {
        1 => out.copy_from_slice(sums),
        2 => {
            for (out, [a, b]) in out.iter_mut().zip(sums.as_chunks::<2>().0) {
                *out = (a + b) * 0.25;
            }
        }
        4 => {
            for (out, [a, b, c, d]) in out.iter_mut().zip(sums.as_chunks::<4>().0) {
                *out = ((a + b) + (c + d)) * 0.0625;
            }
        }
        _ => {
            let over = 1.0 / (side * side) as f32;
            for (out, sums) in out.iter_mut().zip(sums.chunks_exact(side)) {
                *out = sums.iter().sum::<f32>() * over;
            }
        }
    }
}
