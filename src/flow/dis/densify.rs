//! A flow of each pixel from those of the patches that it is in (Kroeger et al. 2016, §2.2, equation 3): their mean, in
//! which a patch counts the less the more the pixel differs from where the patch says that it went.

use multiversion::multiversion;

use super::patch::{Place, lanes};
use super::plane::{LANES, Plane};
use super::search::{Found, Grid};

/// Buffers of a band of rows: the patches' weights, summed, for a row after the other; some lanes longer.
#[derive(Debug)]
pub struct Sums {
    weights: Vec<f32>,
}

impl Sums {
    pub fn new(width: usize, rows: usize) -> Self {
        Self { weights: vec![0.0; width * rows + 2 * LANES] }
    }
}

/// The flow of the rows from `top` on, all of dx in `dx`, and of dy in `dy`.
pub fn densify(
    frames: (&Plane, &Plane),
    grid: &Grid,
    found: &[Found],
    top: usize,
    sums: &mut Sums,
    (dx, dy): (&mut [f32], &mut [f32]),
) {
    let width = frames.0.width;
    let bottom = top + dx.len() / width;
    let weights = &mut sums.weights[..dx.len()];
    weights.fill(0.0);
    dx.fill(0.0);
    dy.fill(0.0);
    for (y, found) in grid.rows.iter().zip(found.chunks(grid.columns.len())) {
        if y + grid.size <= top || *y >= bottom {
            continue;
        }
        let rows = (*y).max(top)..(y + grid.size).min(bottom);
        let part = (rows.start - top) * width..(rows.end - top) * width;
        let parts = [&mut dx[part.clone()], &mut dy[part.clone()], &mut weights[part]];
        match grid.size {
            8 => add_patches(frames, grid, *y, found, rows.start, parts),
            _ => add_patches_of_any_size(frames, grid, *y, found, rows.start, parts),
        }
    }
    divide(dx, dy, weights);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn add_patches(
    frames: (&Plane, &Plane),
    grid: &Grid,
    y: usize,
    found: &[Found],
    first_row: usize,
    sums: [&mut [f32]; 3],
) {
    add_row(8, frames, grid, y, found, first_row, sums);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn add_patches_of_any_size(
    frames: (&Plane, &Plane),
    grid: &Grid,
    y: usize,
    found: &[Found],
    first_row: usize,
    sums: [&mut [f32]; 3],
) {
    add_row(grid.size, frames, grid, y, found, first_row, sums);
}

/// Adds a row of the grid's patches, which begin in row `y`, to the sums, which begin in row `first_row`.
#[inline(always)]
fn add_row(
    size: usize,
    (first, second): (&Plane, &Plane),
    grid: &Grid,
    y: usize,
    found: &[Found],
    first_row: usize,
    sums: [&mut [f32]; 3],
) {
    let width = first.width;
    let [sum_x, sum_y, weights] = sums;
    for (x, found) in grid.columns.iter().zip(found) {
        let [dx, dy] = found.flow;
        let place = Place::new(second, size, (*x, y), found.flow);
        for column in 0..size.div_ceil(LANES) {
            let x = x + column * LANES;
            let len = (size - column * LANES).min(LANES);
            let seen = second.from(place.x + column * LANES, place.y + first_row - y);
            let own = first.from(x + first.border, first_row + first.border);
            let rows = sum_x.chunks_exact_mut(width).zip(sum_y.chunks_exact_mut(width));
            for (row, ((sum_x, sum_y), weights)) in rows.zip(weights.chunks_exact_mut(width)).enumerate() {
                let (above, below) = (lanes(seen, row * second.stride), lanes(seen, (row + 1) * second.stride));
                let (Some(above), Some(below), Some(own)) = (above, below, lanes::<LANES>(own, row * first.stride))
                else {
                    break;
                };
                let seen = place.mix(above, below);
                let mut weight = [0.0; LANES];
                for i in 0..LANES {
                    weight[i] = 1.0 / (seen[i] - own[i]).abs().max(1.0);
                }
                add(&mut sum_x[x..], &weight, dx, len);
                add(&mut sum_y[x..], &weight, dy, len);
                add(&mut weights[x..], &weight, 1.0, len);
            }
        }
    }
}

#[inline(always)]
fn add(sums: &mut [f32], weight: &[f32; LANES], value: f32, len: usize) {
    match sums.first_chunk_mut::<LANES>() {
        Some(sums) if len == LANES => {
            for i in 0..LANES {
                sums[i] += weight[i] * value;
            }
        }
        _ => sums.iter_mut().zip(weight).take(len).for_each(|(sum, weight)| *sum += weight * value),
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn divide(dx: &mut [f32], dy: &mut [f32], weights: &[f32]) {
    for ((dx, dy), weight) in dx.iter_mut().zip(dy).zip(weights) {
        // Each pixel is in a patch, and each weight above 0.
        let over = 1.0 / *weight;
        *dx *= over;
        *dy *= over;
    }
}
