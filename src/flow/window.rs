//! The equations of the pixels in a window around each pixel, averaged and solved. Outside of the frame its first and
//! last pixels go on.

use multiversion::multiversion;

use super::expansion::extend;
use super::resample::{clamp, gaussian};

/// Distinct numbers of a pixel's equations.
pub const EQUATIONS: usize = 5;
/// No displacement is larger, pixels: where equations say nothing, rounding must not grow from pass to pass until it
/// overflows.
pub const FARTHEST: f32 = (1 << 20) as f32;

/// How the pixels of a window count.
#[derive(Debug)]
pub enum Window {
    /// All the same. The average divides by the side that was asked for, also where that is even.
    Box { radius: usize, scale: f32 },
    /// By a Gaussian of distance: weights for distance 0 to the radius.
    Gaussian { weights: Vec<f32> },
}

impl Window {
    pub fn new(side: u32, is_gaussian: bool) -> Self {
        let radius = side as usize / 2;
        if is_gaussian {
            let weights = gaussian(radius, radius as f64 * 0.3).split_off(radius);
            Self::Gaussian { weights: weights.into_iter().map(|weight| weight as f32).collect() }
        } else {
            Self::Box { radius, scale: (1.0 / f64::from(side * side)) as f32 }
        }
    }

    pub fn radius(&self) -> usize {
        match self {
            Self::Box { radius, .. } => *radius,
            Self::Gaussian { weights } => weights.len() - 1,
        }
    }
}

/// Buffers of one band of rows.
#[derive(Debug)]
pub struct Scratch {
    width: usize,
    /// The last 2 × radius + 1 rows of equations, row y at y modulo that number. A box turns each group of as many rows
    /// into sums from each row to the group's last, once the group is complete.
    rows: Vec<f32>,
    /// A box: the sum of the present group's rows.
    group: Vec<f32>,
    /// Columns of the window; a radius more on either side of each of the five rows.
    columns: Vec<f32>,
    /// Sums of 2, 4, 8, … neighbours.
    doubled: [Vec<f32>; 2],
    /// Sums of the whole window: five rows, for a box of the width, else of a radius more on either side, which follow each
    /// other without what is before the first.
    sums: Vec<f32>,
}

impl Scratch {
    pub fn new(window: &Window, width: usize) -> Self {
        let radius = window.radius();
        let padded = width + 2 * radius;
        Self {
            width,
            rows: vec![0.0; (2 * radius + 1) * width * EQUATIONS],
            group: vec![0.0; width * EQUATIONS],
            columns: vec![0.0; padded * EQUATIONS],
            doubled: [vec![0.0; padded], vec![0.0; padded]],
            sums: vec![0.0; padded * EQUATIONS],
        }
    }

    /// The flow of the rows from `top` on of a frame of `height` rows. `equations(y, row)` makes the equations of row `y`,
    /// five rows one after the other. `out`: dx and dy of each pixel of the rows that are wanted.
    pub fn solve(
        &mut self,
        window: &Window,
        top: usize,
        height: usize,
        out: &mut [f32],
        mut equations: impl FnMut(usize, &mut [f32]),
    ) {
        let (radius, size) = (window.radius(), self.width * EQUATIONS);
        let side = 2 * radius + 1;
        // Row `at` of the frame with its first and last row repeated `radius` times: the window of row y begins at y.
        let frame_row = |at: usize| clamp(at as i32 - radius as i32, height);
        let mut at = top;
        for (y, out) in (top..).zip(out.chunks_exact_mut(self.width * 2)) {
            while at < y + side {
                let slot = at % side;
                if let Window::Box { .. } = window
                    && slot == 0
                {
                    sum_to_last(&mut self.rows, size);
                }
                if at > top && frame_row(at) == frame_row(at - 1) {
                    // Summed up or not, the last slot of a group holds the row itself.
                    let before = (at - 1) % side * size;
                    self.rows.copy_within(before..before + size, slot * size);
                } else {
                    equations(frame_row(at), &mut self.rows[slot * size..][..size]);
                }
                if let Window::Box { .. } = window {
                    self.add_to_group(slot, at == top);
                }
                at += 1;
            }
            match window {
                Window::Box { radius, scale } => {
                    self.sum_box((at - 1) % side, *radius);
                    solve_row(&self.sums, self.width, *scale, out);
                }
                Window::Gaussian { weights } => {
                    self.sum_gaussian(at - 1 - radius, weights);
                    solve_row(&self.sums, self.width + 2 * radius, 1.0, out);
                }
            }
        }
    }

    /// A new row is in `slot`.
    fn add_to_group(&mut self, slot: usize, is_first: bool) {
        let size = self.group.len();
        let row = &self.rows[slot * size..][..size];
        if slot == 0 || is_first {
            self.group.copy_from_slice(row);
        } else {
            add(&mut self.group, row);
        }
    }

    /// A running sum would keep the rounding of what has left it, which is more than all that there is where a sharp edge
    /// comes before a flat surface. Here nothing is subtracted: the window is the rest of a complete group and the begin
    /// of the present one (van Herk's and Gil's decomposition), and a power of two neighbours at a time.
    fn sum_box(&mut self, slot: usize, radius: usize) {
        let (width, size) = (self.width, self.group.len());
        let padded = width + 2 * radius;
        let rest = self.rows.get((slot + 1) * size..(slot + 2) * size);
        for (equation, columns) in self.columns.chunks_exact_mut(padded).enumerate() {
            let part = equation * width..(equation + 1) * width;
            let middle = &mut columns[radius..][..width];
            match rest {
                Some(rest) => sum_of(middle, &self.group[part.clone()], &rest[part]),
                None => middle.copy_from_slice(&self.group[part]),
            }
            extend(columns, radius, width);
        }
        let [one, other] = &mut self.doubled;
        for (columns, sums) in self.columns.chunks_exact(padded).zip(self.sums.chunks_exact_mut(width)) {
            sum_neighbours(columns, 2 * radius + 1, one, other, sums);
        }
    }

    /// `middle`: the window's middle row. All five rows of equations are worked on as one: what comes out at the ends of
    /// each, where neighbours are of another, is not used.
    fn sum_gaussian(&mut self, middle: usize, weights: &[f32]) {
        let (width, size, radius) = (self.width, self.width * EQUATIONS, weights.len() - 1);
        let (side, padded) = (2 * radius + 1, width + 2 * radius);
        let row = |at: usize| &self.rows[at % side * size..][..size];
        let rows = |distance: usize| [row(middle + side - distance), row(middle + distance)];
        weigh(weights, rows, &mut self.sums[..size]);
        for (columns, sums) in self.columns.chunks_exact_mut(padded).zip(self.sums.chunks_exact(width)) {
            columns[radius..][..width].copy_from_slice(sums);
            extend(columns, radius, width);
        }
        let sums = &mut self.sums[..padded * EQUATIONS - 2 * radius];
        let columns = &self.columns;
        match weights.first_chunk() {
            Some(weights) if radius == USUAL => weigh_usual(weights, columns, sums),
            _ => {
                let len = sums.len();
                let shifted =
                    |distance: usize| [&columns[radius - distance..][..len], &columns[radius + distance..][..len]];
                weigh(weights, shifted, sums);
            }
        }
    }
}

/// `sums` = Σ weight × both neighbours at its distance; at distance 0 they are one.
fn weigh<'a>(weights: &[f32], neighbours: impl Fn(usize) -> [&'a [f32]; 2], sums: &mut [f32]) {
    let [centre, _] = neighbours(0);
    scaled(sums, weights[0], centre);
    for first in (1..weights.len()).step_by(GROUP) {
        // The farthest ones, with no weight, stand in where there are no more.
        let pairs = std::array::from_fn(|k| neighbours((first + k).min(weights.len() - 1)));
        let weights = std::array::from_fn(|k| weights.get(first + k).copied().unwrap_or(0.0));
        add_scaled(sums, &weights, &pairs);
    }
}

/// Distances that are summed in one pass over a row.
const GROUP: usize = 4;

/// The radius of OpenCV's usual window of 15 pixels.
const USUAL: usize = 7;

/// [`weigh`] of neighbours in one row, for the usual radius: one pass, in the same order. `values` begin the radius before
/// the first of `sums`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn weigh_usual(weights: &[f32; USUAL + 1], values: &[f32], sums: &mut [f32]) {
    let [w0, w1, w2, w3, w4, w5, w6, w7] = *weights;
    for (sum, v) in sums.iter_mut().zip(values.windows(2 * USUAL + 1)) {
        let near = (w1 * (v[6] + v[8]) + w2 * (v[5] + v[9])) + (w3 * (v[4] + v[10]) + w4 * (v[3] + v[11]));
        let far = (w5 * (v[2] + v[12]) + w6 * (v[1] + v[13])) + w7 * (v[0] + v[14]);
        *sum = (w0 * v[7] + near) + far;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn scaled(sums: &mut [f32], weight: f32, values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum = weight * value);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn add_scaled(sums: &mut [f32], weights: &[f32; GROUP], pairs: &[[&[f32]; 2]; GROUP]) {
    let [a, b, c, d] = pairs.map(|pair| pair.map(|row| &row[..sums.len()]));
    for (x, sum) in sums.iter_mut().enumerate() {
        let part = |pair: [&[f32]; 2], weight: f32| weight * (pair[0][x] + pair[1][x]);
        *sum += (part(a, weights[0]) + part(b, weights[1])) + (part(c, weights[2]) + part(d, weights[3]));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn sum_of(sums: &mut [f32], one: &[f32], other: &[f32]) {
    sums.iter_mut().zip(one).zip(other).for_each(|((sum, a), b)| *sum = a + b);
}

/// Each row of `size` numbers becomes the sum of itself and all behind it.
fn sum_to_last(rows: &mut [f32], size: usize) {
    for slot in (1..rows.len() / size).rev() {
        let (before, behind) = rows.split_at_mut(slot * size);
        add(&mut before[(slot - 1) * size..], &behind[..size]);
    }
}

/// `sums[x]` = the sum of `count` values from x on; `count` is odd and at least 3. `one` and `other` are scratch.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn sum_neighbours(values: &[f32], count: usize, one: &mut [f32], other: &mut [f32], sums: &mut [f32]) {
    // `from` holds sums of `step` neighbours each. Of a window's values, `done` are summed, the first of them to be added.
    let (mut step, mut len, mut done) = (1, values.len(), 1);
    let (mut from, mut to) = (one, other);
    while step * 2 <= count {
        let source = if step == 1 { values } else { &*from };
        let pairs = source[..len - step].iter().zip(&source[step..len]);
        len -= step;
        step *= 2;
        if step * 2 > count {
            // The last sums are used once: there is no need to keep them.
            let pairs = pairs.skip(done);
            if done == 1 {
                sums.iter_mut().zip(values).zip(pairs).for_each(|((sum, value), (a, b))| *sum = value + (a + b));
            } else {
                sums.iter_mut().zip(pairs).for_each(|(sum, (a, b))| *sum += a + b);
            }
            return;
        }
        to.iter_mut().zip(pairs).for_each(|(sum, (a, b))| *sum = a + b);
        std::mem::swap(&mut from, &mut to);
        if count & step != 0 {
            let more = &from[done..];
            if done == 1 {
                sums.iter_mut().zip(values).zip(more).for_each(|((sum, value), more)| *sum = value + more);
            } else {
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
            done += step;
        }
    }
}

/// `sums`: five rows, `stride` apart. With OpenCV's constant, a window without structure gives 0.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn solve_row(sums: &[f32], stride: usize, scale: f32, out: &mut [f32]) {
    let width = out.len() / 2;
    let [yy, xy, xx, by, bx]: [&[f32]; EQUATIONS] = std::array::from_fn(|row| &sums[row * stride..][..width]);
    for (x, out) in out.chunks_exact_mut(2).enumerate() {
        let wide = |row: &[f32]| f64::from(row[x] * scale);
        let (yy, xy, xx, by, bx) = (wide(yy), wide(xy), wide(xx), wide(by), wide(bx));
        // A sum of squares is never negative, but its rounding may be.
        let over = 1.0 / ((yy * xx - xy * xy).max(0.0) + 1e-3);
        let (dx, dy) = ((yy * bx - xy * by) * over, (xx * by - xy * bx) * over);
        out[0] = (dx as f32).clamp(-FARTHEST, FARTHEST);
        out[1] = (dy as f32).clamp(-FARTHEST, FARTHEST);
    }
}
