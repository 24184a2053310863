//! The inverse search (Kroeger et al. 2016, §2.1): where each patch of a grid went, by Gauss-Newton steps whose matrix is
//! made once, as the gradient is that of the first frame. A patch starts where the coarser level, or its neighbours, say.

use multiversion::multiversion;
use rayon::prelude::*;

use super::patch::{Patch, Place, Tensor};
use super::plane::Plane;

/// Bands of the grid between which patches do not learn from each other: a fixed number, so that the number of threads
/// makes no difference.
const BANDS: usize = 8;
/// A step shorter than this is the last, pixels (squared).
const SHORT: f32 = 0.03 * 0.03;
/// Candidates closer to each other are not both compared, pixels (squared).
const CLOSE: f32 = 0.02 * 0.02;

/// What searches on all levels have in common.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Of a search, both passes together.
    pub steps: u32,
    pub is_without_mean: bool,
    pub asks_neighbours: bool,
}

/// The patches of a level: in each direction one every `stride` pixels, and one at the end.
#[derive(Debug, Clone)]
pub struct Grid {
    pub size: usize,
    pub columns: Vec<usize>,
    pub rows: Vec<usize>,
}

impl Grid {
    pub fn new(size: usize, stride: usize, width: usize, height: usize) -> Self {
        let places = |len: usize| {
            let last = len.saturating_sub(size);
            (0..last).step_by(stride).chain([last]).collect()
        };
        Self { size, columns: places(width), rows: places(height) }
    }
}

/// A patch's state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// dx, dy.
    pub flow: [f32; 2],
    /// How much it differs from the place there.
    squares: f32,
    tensor: Tensor,
}

/// What is searched in.
#[derive(Clone, Copy)]
pub struct Frames<'a> {
    pub first: &'a Plane,
    pub second: &'a Plane,
    /// Of the first frame.
    pub gradient: &'a [Vec<f32>; 2],
}

/// Searches for all patches of the grid, from where `found` says they went. `is_parallel`: on the current pool's threads.
pub fn search(frames: Frames, grid: &Grid, rules: Rules, found: &mut [Found], is_parallel: bool) {
    let rows = grid.rows.len().div_ceil(BANDS);
    let of_band = |(rows, found): (&[usize], &mut [Found])| match grid.size {
        8 => search_band(frames, grid, rules, rows, found),
        _ => search_band_of_any_size(frames, grid, rules, rows, found),
    };
    let len = rows * grid.columns.len();
    if is_parallel {
        grid.rows.par_chunks(rows).zip(found.par_chunks_mut(len)).for_each(of_band);
    } else {
        grid.rows.chunks(rows).zip(found.chunks_mut(len)).for_each(of_band);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn search_band(frames: Frames, grid: &Grid, rules: Rules, rows: &[usize], found: &mut [Found]) {
    both_passes(8, frames, grid, rules, rows, found);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn search_band_of_any_size(frames: Frames, grid: &Grid, rules: Rules, rows: &[usize], found: &mut [Found]) {
    both_passes(grid.size, frames, grid, rules, rows, found);
}

/// Forward, with the left and the upper neighbour's flow as candidates; then, where neighbours are asked, backward with the
/// right and the lower one's.
#[inline(always)]
fn both_passes(size: usize, frames: Frames, grid: &Grid, rules: Rules, rows: &[usize], found: &mut [Found]) {
    let columns = grid.columns.len();
    let mut patch = Patch::new(size);
    let passes = if rules.asks_neighbours { 2 } else { 1 };
    let steps = (rules.steps / passes).max(1);
    for pass in 0..passes {
        for number in 0..found.len() {
            let is_back = pass == 1;
            let at = if is_back { found.len() - 1 - number } else { number };
            let (row, column) = (at / columns, at % columns);
            let (Some(y), Some(x)) = (rows.get(row), grid.columns.get(column)) else { break };
            let beside = if is_back { (column + 1 < columns).then_some(at + 1) } else { (column > 0).then(|| at - 1) };
            let over = if is_back { Some(at + columns) } else { at.checked_sub(columns) };
            let flow_of = |at: Option<usize>| found.get(at?).map(|found| found.flow);
            let candidates = if rules.asks_neighbours { [flow_of(beside), flow_of(over)] } else { [None, None] };
            let Some(own) = found.get_mut(at) else { break };
            let patch_at = (*x, *y);
            patch.take(size, frames.first, frames.gradient, patch_at);
            if !is_back {
                own.tensor = patch.tensor(size, rules.is_without_mean);
            }
            let compare = |flow: [f32; 2]| {
                let place = Place::new(frames.second, size, patch_at, flow);
                patch.compare(size, frames.second, &place, &own.tensor, rules.is_without_mean)
            };
            (own.flow, own.squares) = descend(size, own.flow, candidates, steps, compare, &own.tensor);
        }
    }
}

/// The best flow that is found from `start` or the candidates.
#[inline(always)]
fn descend(
    size: usize,
    start: [f32; 2],
    candidates: [Option<[f32; 2]>; 2],
    steps: u32,
    compare: impl Fn([f32; 2]) -> super::patch::Sums,
    tensor: &Tensor,
) -> ([f32; 2], f32) {
    let mut best = start;
    let mut sums = compare(best);
    for candidate in candidates.into_iter().flatten() {
        if distance(candidate, best) > CLOSE {
            let others = compare(candidate);
            if others.squares < sums.squares {
                (best, sums) = (candidate, others);
            }
        }
    }
    let begin = best;
    for _ in 0..steps {
        let [dx, dy] = tensor.step(&sums);
        let next = [best[0] + dx, best[1] + dy];
        // So far away it is not the same patch.
        if distance(next, begin) > (size * size) as f32 {
            break;
        }
        if dx * dx + dy * dy < SHORT {
            best = next;
            break;
        }
        let others = compare(next);
        if others.squares >= sums.squares {
            break;
        }
        (best, sums) = (next, others);
    }
    (best, sums.squares)
}

#[inline(always)]
fn distance(one: [f32; 2], other: [f32; 2]) -> f32 {
    let (dx, dy) = (one[0] - other[0], one[1] - other[1]);
    dx * dx + dy * dy
}
