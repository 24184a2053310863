//! The inverse search (Kroeger et al. 2016, §2.1): where each patch of a grid went, by Gauss-Newton steps whose matrix is
//! made once, as the gradient is that of the first frame. A patch starts where the coarser level, or its neighbours, say.

use multiversion::multiversion;
use rayon::prelude::*;

use super::patch::{Patch, Place, Sums, Tensor};
use super::plane::Plane;

/// Bands of the grid between which patches do not learn from each other: a fixed number, so that the number of threads
/// makes no difference.
const BANDS: usize = 8;
/// A step shorter than this is the last, pixels (squared).
const SHORT: f32 = 0.01 * 0.01;
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
    let mut patch = Patch::new();
    let passes = if rules.asks_neighbours { 2 } else { 1 };
    let steps = (rules.steps / passes).max(1);
    for pass in 0..passes {
        for number in 0..found.len() {
            let is_back = pass == 1;
            let at = if is_back { found.len() - 1 - number } else { number };
            let (row, column) = (at / columns, at % columns);
            let (Some(y), Some(x)) = (rows.get(row), grid.columns.get(column)) else { break };
            let mut candidates = [None, None];
            if rules.asks_neighbours {
                let beside = if is_back { column + 1 < columns } else { column > 0 };
                let by = if is_back { [at + 1, at + columns] } else { [at.wrapping_sub(1), at.wrapping_sub(columns)] };
                candidates[0] = if beside { found.get(by[0]).map(|found| found.flow) } else { None };
                candidates[1] = found.get(by[1]).map(|found| found.flow);
            }
            let Some(own) = found.get_mut(at) else { break };
            patch.take(size, frames.first, frames.gradient, (*x, *y));
            if !is_back {
                own.tensor = patch.tensor(size, rules.is_without_mean);
            }
            let searched = Searched { size, second: frames.second, patch: &patch, at: (*x, *y), tensor: own.tensor };
            own.flow = searched.descend(own.flow, candidates, steps, rules.is_without_mean);
        }
    }
}

/// A patch, and what it is searched in.
struct Searched<'a> {
    size: usize,
    second: &'a Plane,
    patch: &'a Patch,
    at: (usize, usize),
    tensor: Tensor,
}

impl Searched<'_> {
    #[inline(always)]
    fn compare(&self, flow: [f32; 2], is_without_mean: bool) -> Sums {
        let place = Place::new(self.second, self.size, self.at, flow);
        self.patch.compare(self.size, self.second, &place, &self.tensor, is_without_mean)
    }

    /// The best flow that is found from `start` or the candidates.
    #[inline(always)]
    fn descend(
        &self,
        start: [f32; 2],
        candidates: [Option<[f32; 2]>; 2],
        steps: u32,
        is_without_mean: bool,
    ) -> [f32; 2] {
        // One loop compares all, so that there is one copy of the comparison.
        let mut best = start;
        let mut next = start;
        let mut sums: Option<Sums> = None;
        let mut candidates = candidates.into_iter();
        let (mut begin, mut steps) = (None, steps);
        loop {
            let others = self.compare(next, is_without_mean);
            match sums {
                Some(known) if others.squares >= known.squares => {
                    if begin.is_some() {
                        return best;
                    }
                }
                _ => (best, sums) = (next, Some(others)),
            }
            let Some(known) = sums else { return best };
            if begin.is_none()
                && let Some(candidate) = candidates.by_ref().flatten().find(|next| distance(*next, best) > CLOSE)
            {
                next = candidate;
                continue;
            }
            let from = *begin.get_or_insert(best);
            let [dx, dy] = self.tensor.step(&known);
            next = [best[0] + dx, best[1] + dy];
            // So far away it is not the same patch.
            if distance(next, from) > (self.size * self.size) as f32 || steps == 0 {
                return best;
            }
            if dx * dx + dy * dy < SHORT {
                return next;
            }
            steps -= 1;
        }
    }
}

#[inline(always)]
fn distance(one: [f32; 2], other: [f32; 2]) -> f32 {
    let (dx, dy) = (one[0] - other[0], one[1] - other[1]);
    dx * dx + dy * dy
}
