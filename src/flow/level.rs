//! One level of the pyramid: the frame at one size.

use rayon::prelude::*;

use super::expansion::{Kernels, Scratch as Expansion, TERMS};
use super::matrices::{Frames, SLACK, edge, equations};
use super::resample::{Table, enlarge_row, shrink_row};
use super::window::{FARTHEST, Scratch as Solver, Window};
use super::{FarnebackParams, Luma};

/// Shorter sides are not worth a level.
const MIN_SIDE: f64 = 32.0;

/// What all levels have in common.
#[derive(Debug)]
pub struct Method {
    pub kernels: Kernels,
    pub window: Window,
    pub iterations: u32,
    /// How much larger a flow is on the next finer level.
    pub growth: f32,
}

impl Method {
    pub fn new(params: &FarnebackParams) -> Self {
        Self {
            kernels: Kernels::new(params),
            window: Window::new(params.winsize, params.gaussian),
            iterations: params.iterations,
            growth: (1.0 / params.pyr_scale) as f32,
        }
    }
}

#[derive(Debug)]
pub struct Level {
    width: usize,
    height: usize,
    /// Relative to the frame.
    scale: f64,
    /// From the frame to this level.
    columns: Table,
    rows: Table,
    /// From the next coarser level's flow: columns, rows.
    enlarge: Option<[Table; 2]>,
    /// How much a column's equations count.
    edges: Vec<f32>,
    /// Polynomials of two frames, which take turns.
    terms: [Vec<f32>; 2],
    /// The flow and the one that it is improved from take turns.
    flow: [Vec<f32>; 2],
    newest: usize,
    bands: Vec<Band>,
}

/// The sizes of the levels relative to the frame, the full size first.
pub fn scales(params: &FarnebackParams, width: usize, height: usize) -> impl Iterator<Item = f64> {
    let (side, pyr_scale) = (width.min(height) as f64, params.pyr_scale);
    let coarser = std::iter::successors(Some(pyr_scale), move |scale| Some(scale * pyr_scale));
    std::iter::once(1.0).chain(coarser.take(params.levels as usize).take_while(move |scale| side * scale >= MIN_SIDE))
}

/// A side of a level.
pub fn scaled(full: usize, scale: f64) -> usize {
    (full as f64 * scale).round_ties_even() as usize
}

/// Buffers of one band of rows: what one thread works on.
#[derive(Debug)]
struct Band {
    expansion: Expansion,
    solver: Solver,
    /// A row of the frame, or of a coarser flow, before its columns are resampled.
    row: Vec<f32>,
}

/// Runs `work` on each band's rows of `data` (`row` numbers each) and its buffers: `work(top row, rows, buffers)`.
fn each_band(
    bands: &mut [Band],
    data: &mut [f32],
    row: usize,
    work: impl Fn(usize, &mut [f32], &mut Band) + Send + Sync,
) {
    let rows = (data.len() / row).div_ceil(bands.len());
    if bands.len() == 1 {
        data.chunks_mut(rows * row).zip(bands).for_each(|(data, band)| work(0, data, band));
    } else {
        let chunks = data.par_chunks_mut(rows * row).zip(bands);
        chunks.enumerate().for_each(|(index, (data, band))| work(index * rows, data, band));
    }
}

impl Level {
    /// All levels for a frame, the full size first.
    pub fn all(params: &FarnebackParams, method: &Method, width: usize, height: usize, threads: usize) -> Vec<Self> {
        let mut levels: Vec<Self> = Vec::new();
        for scale in scales(params, width, height) {
            let coarse = Self::new(method, width, height, scale, threads);
            if let Some(fine) = levels.last_mut() {
                let (columns, rows) = ((coarse.width, fine.width), (coarse.height, fine.height));
                fine.enlarge = Some([columns, rows].map(|(source, target)| Table::linear(source, target)));
            }
            levels.push(coarse);
        }
        levels
    }

    fn new(method: &Method, frame_width: usize, frame_height: usize, scale: f64, threads: usize) -> Self {
        let (width, height) = (scaled(frame_width, scale), scaled(frame_height, scale));
        let columns = Table::pyramid(frame_width, width, scale);
        let terms = vec![0.0; width * height * TERMS + SLACK];
        let flow = vec![0.0; width * height * 2];
        let band = || Band {
            expansion: Expansion::new(&method.kernels, width),
            solver: Solver::new(&method.window, width),
            row: vec![0.0; (frame_width + 2 * columns.overhang).max(2 * width)],
        };
        Self {
            bands: (0..threads.min(height)).map(|_| band()).collect(),
            width,
            height,
            scale,
            rows: Table::pyramid(frame_height, height, scale),
            edges: (0..width).map(|x| edge(x, width)).collect(),
            columns,
            enlarge: None,
            terms: [terms.clone(), terms],
            flow: [flow.clone(), flow],
            newest: 0,
        }
    }

    /// Polynomials of the two frames, and the flow unless it was made elsewhere.
    pub fn made(&self) -> ([&[f32]; 2], &[f32]) {
        let len = self.width * self.height;
        let terms = |which: usize| &self.terms[which][..len * TERMS];
        ([terms(0), terms(1)], &self.flow[self.newest])
    }

    /// Polynomials of the frame, kept as number `which` (0 or 1).
    pub fn expand(&mut self, method: &Method, frame: &Luma, which: usize) {
        let Self { width, height, rows, columns, terms, bands, .. } = self;
        let terms = &mut terms[which][..*width * *height * TERMS];
        each_band(bands, terms, *width * TERMS, |top, out, band| {
            let Band { expansion, row, .. } = band;
            let image = |y: usize, out: &mut [f32]| shrink_row(frame, rows.at(y), columns, row, out);
            expansion.expand(&method.kernels, top, *height, out, image);
        });
    }

    /// Starts from no movement.
    pub fn start(&mut self) {
        self.flow[self.newest].fill(0.0);
    }

    /// Starts from a flow of the frame's size, in its pixels.
    pub fn start_from(&mut self, initial: &[f32], frame_width: usize, frame_height: usize) {
        let columns = Table::area(frame_width, self.width);
        let rows = Table::area(frame_height, self.height);
        let initial = Initial { flow: initial, width: frame_width, height: frame_height };
        for (y, row) in self.flow[self.newest].chunks_exact_mut(2 * self.width).enumerate() {
            for (x, pair) in row.chunks_exact_mut(2).enumerate() {
                let mean = initial.mean(columns.at(x), rows.at(y));
                pair.copy_from_slice(&mean.map(|value| value * self.scale as f32));
            }
        }
    }

    /// Starts from the flow of the next coarser level.
    pub fn start_above(&mut self, method: &Method, coarse: &Self) {
        let Self { width, flow, newest, bands, enlarge: Some([columns, rows]), .. } = self else { return };
        let source = &coarse.flow[coarse.newest];
        each_band(bands, &mut flow[*newest], *width * 2, |top, out, band| {
            for (y, out) in (top..).zip(out.chunks_exact_mut(*width * 2)) {
                enlarge_row(source, coarse.width, rows.at(y), columns, method.growth, &mut band.row, out);
            }
        });
    }

    /// Improves the flow from frame `first` (0 or 1) to the other. The last result is in `out` if there is one.
    pub fn improve(&mut self, method: &Method, first: usize, mut out: Option<&mut [f32]>) {
        for round in 1..=method.iterations {
            let Self { width, height, edges, terms, flow, newest, bands, .. } = self;
            let [a, b] = flow;
            let (guess, next) = if *newest == 0 { (&*a, b) } else { (&*b, a) };
            let frames = Frames {
                width: *width,
                height: *height,
                first: &terms[first],
                second: &terms[1 - first],
                flow: guess,
                edges,
            };
            let target = match &mut out {
                Some(out) if round == method.iterations => out,
                _ => next.as_mut_slice(),
            };
            each_band(bands, target, *width * 2, |top, out, band| {
                band.solver.solve(&method.window, top, *height, out, |y, row| equations(&frames, y, row));
            });
            *newest = 1 - *newest;
        }
    }
}

/// A flow that a caller gave, of any numbers.
struct Initial<'a> {
    flow: &'a [f32],
    width: usize,
    height: usize,
}

impl Initial<'_> {
    /// The weighted mean of the pixels from `columns.0`, `rows.0` on.
    fn mean(&self, columns: (i32, &[f32]), rows: (i32, &[f32])) -> [f32; 2] {
        let mut mean = [0.0; 2];
        for (y, weight_y) in (rows.0 as usize..self.height).zip(rows.1) {
            for (x, weight_x) in (columns.0 as usize..self.width).zip(columns.1) {
                let weight = weight_x * weight_y;
                for (mean, value) in mean.iter_mut().zip(&self.flow[(y * self.width + x) * 2..]) {
                    // What is no number says nothing.
                    let value = if value.is_finite() { value.clamp(-FARTHEST, FARTHEST) } else { 0.0 };
                    *mean += weight * value;
                }
            }
        }
        mean
    }
}
