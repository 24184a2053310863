//! Variational refinement: the flow is moved towards the least of an energy (Brox, Bruhn, Papenberg, Weickert, "High
//! Accuracy Optical Flow Estimation Based on a Theory for Warping", ECCV 2004; normalised terms after Zimmer, Bruhn,
//! Weickert, "Optic Flow in Harmony", IJCV 2011):
//!
//! δ Ψ(luma is equal) + γ Ψ(its gradient is equal) + α Ψ(the flow is smooth), Ψ(s²) = √(s² + ε²).
//!
//! ```text
//! refine ──► derivatives    what both frames say, made once
//!        ──► equations      a round's linear equations, a row at a time
//!        ──► relax          a row of red-black successive over-relaxation
//! ```
//!
//! Each round is one pass over the rows: equations of a row are made when the row is met, and half-step k of the
//! relaxation is k rows behind. Each value is the same as if a half-step were made for the whole picture before the next,
//! and all that is worked on stays in the cache.

mod derivatives;
mod equations;
mod relax;

use rayon::prelude::*;

use self::derivatives::{Source, TERMS, Warped};
use self::equations::{EQUATIONS, Round, Weights};
use super::DisParams;
use super::plane::Plane;

/// Steps of the relaxation in each round; as OpenCV.
const STEPS: usize = 5;
/// Half-steps: each updates every other pixel.
const HALF_STEPS: usize = 2 * STEPS;
/// Rows beside a band that are worked on again, so that the band's own come out right.
const HALO: usize = HALF_STEPS + 2;
/// Rows of equations that are needed at a time.
const RING: usize = HALF_STEPS + 2;
/// What is free before and behind each half of a row.
const PAD: usize = 8;
/// Columns of a half that are worked on at once.
const BLOCK: usize = 16;

/// How rows are stored: all even columns, then all odd ones, each with [`PAD`] numbers before and behind, so that every
/// other pixel lies side by side.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub width: usize,
    pub height: usize,
    /// Columns in a half; the last odd one may be outside.
    pub half: usize,
    /// Groups of [`BLOCK`] columns in a half. The last ones of them may be outside: what is worked out there is a number,
    /// and tied to nothing inside.
    pub blocks: usize,
    /// Numbers of a half with its padding.
    pub pitch: usize,
}

impl Shape {
    fn new(width: usize, height: usize) -> Self {
        let half = width.div_ceil(2);
        let blocks = half.div_ceil(BLOCK);
        Self { width, height, half, blocks, pitch: blocks * BLOCK + 2 * PAD }
    }

    /// Numbers of a row.
    pub fn row(&self) -> usize {
        2 * self.pitch
    }

    /// A half of a row that begins at `at`.
    #[inline(always)]
    pub fn part<'a>(&self, from: &'a [f32], at: usize) -> &'a [f32] {
        &from[at..][..self.half]
    }
}

#[derive(Debug)]
pub struct Refinement {
    shape: Shape,
    rounds: u32,
    weights: Weights,
    warped: Warped,
    /// [`TERMS`] × a row for each row.
    terms: Vec<f32>,
    /// The flow to begin with, dx and dy: two rows for each row.
    flow: Vec<f32>,
    /// What is added to it, in the same order; two that take turns where there are several bands.
    change: [Vec<f32>; 2],
    bands: Vec<Band>,
}

/// Buffers of what one thread works on.
#[derive(Debug)]
struct Band {
    /// The change of its rows, of [`HALO`] rows on each side, and of one more.
    change: Vec<f32>,
    ring: Vec<f32>,
    /// Zeros: a row's equations outside of the frame.
    none: Vec<f32>,
}

impl Refinement {
    pub fn new(params: &DisParams, width: usize, height: usize, threads: usize) -> Option<Self> {
        if params.variational_refinement_iterations == 0 {
            return None;
        }
        let shape = Shape::new(width, height);
        let (row, threads) = (shape.row(), threads.min(height.div_ceil(2 * HALO)));
        let rows = height.div_ceil(threads);
        let band = || Band {
            change: vec![0.0; (height.min(rows + 2 * HALO) + 2) * 2 * row],
            ring: vec![0.0; RING * EQUATIONS * row],
            none: vec![0.0; EQUATIONS * row],
        };
        let numbers = |turns: bool| vec![0.0; if turns { height * 2 * row } else { 0 }];
        Some(Self {
            shape,
            rounds: params.variational_refinement_iterations,
            weights: Weights::new(params),
            warped: Warped::new(width, height),
            terms: vec![0.0; height * TERMS * row],
            flow: vec![0.0; height * 2 * row],
            change: [numbers(threads > 1), numbers(threads > 1)],
            bands: (0..threads).map(|_| band()).collect(),
        })
    }

    /// Improves `flow` (dx, dy).
    pub fn refine(&mut self, first: &Plane, second: &Plane, flow: &mut [Vec<f32>; 2]) {
        self.take(first, second, flow);
        let Self { shape, rounds, weights, terms, flow: start, change, bands, .. } = self;
        let (shape, rows) = (*shape, shape.height.div_ceil(bands.len()));
        let len = rows * 2 * shape.row();
        let round = Round { shape, weights: *weights, terms, flow: start };
        if let [band] = &mut bands[..] {
            band.change.fill(0.0);
            (0..*rounds).for_each(|_| band.work(&round, 0, shape.height));
        } else {
            change[0].fill(0.0);
            for _ in 0..*rounds {
                let [from, to] = change;
                to.par_chunks_mut(len).zip(&mut *bands).enumerate().for_each(|(index, (to, band))| {
                    let (top, bottom) = (index * rows, shape.height.min((index + 1) * rows));
                    let (least, end) = (top.saturating_sub(HALO), shape.height.min(bottom + HALO));
                    let row = 2 * shape.row();
                    band.change[row..(1 + end - least) * row].copy_from_slice(&from[least * row..end * row]);
                    band.work(&round, least, end);
                    let own = 1 + top - least;
                    to.copy_from_slice(&band.change[own * row..][..to.len()]);
                });
                change.swap(0, 1);
            }
        }
        self.give(flow);
    }

    /// What the frames say.
    fn take(&mut self, first: &Plane, second: &Plane, flow: &[Vec<f32>; 2]) {
        let Self { shape, warped, terms, flow: start, bands, .. } = self;
        let (shape, threads) = (*shape, bands.len());
        let rows = shape.height.div_ceil(threads);
        let source = Source { first, second, flow };
        warped.take(&source, threads);
        let work = |(index, (terms, start)): (usize, (&mut [f32], &mut [f32]))| {
            let lines = terms.chunks_exact_mut(TERMS * shape.row()).zip(start.chunks_exact_mut(2 * shape.row()));
            for (y, (terms, start)) in (index * rows..).zip(lines) {
                warped.terms(&shape, y, terms);
                for (half, flow) in start.chunks_exact_mut(shape.row()).zip(flow) {
                    derivatives::split(&flow[y * shape.width..][..shape.width], &shape, half);
                }
            }
        };
        let (terms_len, flow_len) = (rows * TERMS * shape.row(), rows * 2 * shape.row());
        if threads == 1 {
            terms.chunks_mut(terms_len).zip(start.chunks_mut(flow_len)).enumerate().for_each(work);
        } else {
            terms.par_chunks_mut(terms_len).zip(start.par_chunks_mut(flow_len)).enumerate().for_each(work);
        }
    }

    /// The sum of the flow to begin with and its change.
    fn give(&mut self, flow: &mut [Vec<f32>; 2]) {
        let row = self.shape.row();
        let change = if let [band] = &self.bands[..] { &band.change[2 * row..] } else { &self.change[0][..] };
        let [dx, dy] = flow;
        let lines = dx.chunks_exact_mut(self.shape.width).zip(dy.chunks_exact_mut(self.shape.width));
        let sums = self.flow.chunks_exact(2 * row).zip(change.chunks_exact(2 * row));
        for ((dx, dy), (start, change)) in lines.zip(sums) {
            derivatives::join(&start[..row], &change[..row], &self.shape, dx);
            derivatives::join(&start[row..], &change[row..], &self.shape, dy);
        }
    }
}

impl Band {
    /// A round over the rows from `top` to before `bottom`, whose changes lie behind one row more.
    fn work(&mut self, round: &Round, top: usize, bottom: usize) {
        let Self { change, ring, none } = self;
        let (row, pair) = (round.shape.row(), 2 * round.shape.row());
        let rows = bottom - top;
        for step in 0..rows + HALF_STEPS {
            if step < rows {
                let (above, own) = rows_of(ring, EQUATIONS * row, step, none);
                equations::make(round, top + step, &change[(step + 1) * pair..][..2 * pair], above, own);
            }
            for half_step in 0..HALF_STEPS.min(step + 1) {
                let at = step - half_step;
                if at < rows {
                    let (above, own) = rows_of(ring, EQUATIONS * row, at, none);
                    let is_odd = (top + at + half_step) % 2 == 1;
                    relax::relax(&round.shape, is_odd, above, own, &mut change[at * pair..][..3 * pair]);
                }
            }
        }
    }
}

/// A row of equations in the ring, and the one above it.
fn rows_of<'a>(ring: &'a mut [f32], len: usize, row: usize, none: &'a [f32]) -> (&'a [f32], &'a mut [f32]) {
    let (own, above) = (row % RING, (row + RING - 1) % RING);
    if row == 0 {
        return (none, &mut ring[..len]);
    }
    if above < own {
        let (before, behind) = ring.split_at_mut(own * len);
        (&before[above * len..], &mut behind[..len])
    } else {
        let (before, behind) = ring.split_at_mut(above * len);
        (&behind[..len], &mut before[own * len..][..len])
    }
}
