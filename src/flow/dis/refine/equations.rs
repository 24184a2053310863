//! The linear equations of a round: the energy's penalties are taken as squares with the weight that they have at the
//! present flow.

use multiversion::multiversion;

use super::derivatives::TERMS;
use super::{BLOCK, PAD, Shape};
use crate::flow::dis::DisParams;

/// Rows of a row's equations: for dx and for dy the right side; what ties them to each other; one over what each is
/// multiplied with, times the over-relaxation; then how much a pixel is tied to the one right of it, and below it.
pub const EQUATIONS: usize = 7;
/// How far each step of the relaxation goes beyond its goal; as OpenCV.
pub const OVER: f32 = 1.6;
/// Keeps a pixel that nothing is said of from a division by 0.
const LEAST: f32 = 0.01;

#[derive(Debug, Clone, Copy)]
pub struct Weights {
    smooth: f32,
    luma: f32,
    gradient: f32,
    epsilon: f32,
}

impl Weights {
    pub fn new(params: &DisParams) -> Self {
        let epsilon = params.variational_refinement_epsilon;
        Self {
            smooth: 0.5 * params.variational_refinement_alpha as f32,
            luma: 0.5 * params.variational_refinement_delta as f32,
            gradient: 0.5 * params.variational_refinement_gamma as f32,
            epsilon: (epsilon * epsilon) as f32,
        }
    }
}

/// What a round begins with.
pub struct Round<'a> {
    pub shape: Shape,
    pub weights: Weights,
    pub terms: &'a [f32],
    pub flow: &'a [f32],
}

/// The equations of row `y`. `change`: that row's and the next one's. `above`: the equations of the row above.
pub fn make(round: &Round, y: usize, change: &[f32], above: &[f32], out: &mut [f32]) {
    let (row, is_last) = (round.shape.row(), y + 1 == round.shape.height);
    let flow = |y: usize| &round.flow[y * 2 * row..][..2 * row];
    let (below, above_y) = (if is_last { y } else { y + 1 }, y.saturating_sub(1));
    let (own, next) = change.split_at(2 * row);
    let next = if is_last { own } else { next };
    let flows = [flow(above_y), flow(y), flow(below)];
    ties(round, flows, [own, next], out);
    if is_last {
        out[6 * row..].fill(0.0);
    }
    // Nothing is right of the last column.
    let last = round.shape.width - 1;
    out[5 * row + last % 2 * round.shape.pitch + PAD + last / 2] = 0.0;
    let terms = &round.terms[y * TERMS * row..][..TERMS * row];
    for is_odd in [false, true] {
        sides(round, is_odd, terms, flows, own, above, out);
    }
}

/// How much each pixel is tied to the next ones.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn ties(round: &Round, [_, flow, flow_below]: [&[f32]; 3], [own, below]: [&[f32]; 2], out: &mut [f32]) {
    let Shape { half, pitch, .. } = round.shape;
    let row = 2 * pitch;
    let Weights { smooth, epsilon, .. } = round.weights;
    let (right_ties, lower_ties) = out[5 * row..].split_at_mut(row);
    for is_odd in [0, 1] {
        let this = is_odd * pitch + PAD;
        let right = (1 - is_odd) * pitch + PAD + is_odd;
        let [u, v] = [0, row].map(|by| (round.shape.part(flow, by + this), round.shape.part(own, by + this)));
        let [u_right, v_right] =
            [0, row].map(|by| (round.shape.part(flow, by + right), round.shape.part(own, by + right)));
        let [u_below, v_below] =
            [0, row].map(|by| (round.shape.part(flow_below, by + this), round.shape.part(below, by + this)));
        let (right_ties, lower_ties) = (&mut right_ties[this..][..half], &mut lower_ties[this..][..half]);
        for i in 0..half {
            let (u, v) = (u.0[i] + u.1[i], v.0[i] + v.1[i]);
            let (ux, vx) = (u_right.0[i] + u_right.1[i] - u, v_right.0[i] + v_right.1[i] - v);
            let (uy, vy) = (u_below.0[i] + u_below.1[i] - u, v_below.0[i] + v_below.1[i] - v);
            let tie = smooth / (((ux * ux + uy * uy) + (vx * vx + vy * vy)) + epsilon).sqrt();
            right_ties[i] = tie;
            lower_ties[i] = tie;
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn sides(
    round: &Round,
    is_odd: bool,
    terms: &[f32],
    flows: [&[f32]; 3],
    change: &[f32],
    above: &[f32],
    out: &mut [f32],
) {
    let Shape { blocks, pitch, .. } = round.shape;
    let row = 2 * pitch;
    let odd = usize::from(is_odd);
    let (made, ties) = out.split_at_mut(5 * row);
    let [up, own, down] = flows;
    for number in 0..blocks {
        let this = odd * pitch + PAD + number * BLOCK;
        let other = (1 - odd) * pitch + PAD + number * BLOCK;
        let (left, right) = (other + odd - 1, other + odd);
        let tied = [block(ties, left), block(ties, this), block(&above[6 * row..], this), block(&ties[row..], this)];
        let change = [block(change, this), block(change, row + this)];
        let around =
            |by: usize| [block(own, by + left), block(own, by + right), block(up, by + this), block(down, by + this)];
        let pulls = [pull(block(own, this), around(0), tied), pull(block(own, row + this), around(row), tied)];
        let terms = std::array::from_fn(|k| block(terms, k * row + this));
        let sums = sum(tied);
        let rows = side_block(round.weights, terms, change, &pulls, &sums);
        for (made, block) in made.chunks_exact_mut(row).zip(&rows) {
            if let Some(made) = made[this..].first_chunk_mut::<BLOCK>() {
                *made = *block;
            }
        }
    }
}

/// Four neighbours' flow minus the own one, as far as they are tied.
#[inline(always)]
fn pull(own: &[f32; BLOCK], around: [&[f32; BLOCK]; 4], ties: [&[f32; BLOCK]; 4]) -> [f32; BLOCK] {
    let mut out = [0.0; BLOCK];
    for i in 0..BLOCK {
        let beside = ties[0][i] * (around[0][i] - own[i]) + ties[1][i] * (around[1][i] - own[i]);
        let over = ties[2][i] * (around[2][i] - own[i]) + ties[3][i] * (around[3][i] - own[i]);
        out[i] = beside + over;
    }
    out
}

#[inline(always)]
fn sum(ties: [&[f32; BLOCK]; 4]) -> [f32; BLOCK] {
    let mut out = [0.0; BLOCK];
    for i in 0..BLOCK {
        out[i] = (ties[0][i] + ties[1][i]) + (ties[2][i] + ties[3][i]) + LEAST;
    }
    out
}

#[inline(always)]
fn side_block(
    weights: Weights,
    terms: [&[f32; BLOCK]; TERMS],
    [du, dv]: [&[f32; BLOCK]; 2],
    pulls: &[[f32; BLOCK]; 2],
    ties: &[f32; BLOCK],
) -> [[f32; BLOCK]; 5] {
    let Weights { luma, gradient, epsilon, .. } = weights;
    let mut out = [[0.0; BLOCK]; 5];
    let [side_x, side_y, cross, over_x, over_y] = &mut out;
    for i in 0..BLOCK {
        let (x, y, t) = (terms[0][i], terms[1][i], terms[2][i]);
        let (xx, xy, xt) = (terms[3][i], terms[4][i], terms[5][i]);
        let (yx, yy, yt) = (terms[6][i], terms[7][i], terms[8][i]);
        let rest = x * du[i] + y * dv[i] + t;
        let rest_x = xx * du[i] + xy * dv[i] + xt;
        let rest_y = yx * du[i] + yy * dv[i] + yt;
        let w0 = luma / (rest * rest + epsilon).sqrt();
        let w1 = gradient / (rest_x * rest_x + rest_y * rest_y + epsilon).sqrt();
        side_x[i] = pulls[0][i] - (w0 * (x * t) + w1 * (xx * xt + yx * yt));
        side_y[i] = pulls[1][i] - (w0 * (y * t) + w1 * (xy * xt + yy * yt));
        cross[i] = w0 * (x * y) + w1 * (xx * xy + yx * yy);
        over_x[i] = OVER / (w0 * (x * x) + w1 * (xx * xx + yx * yx) + ties[i]);
        over_y[i] = OVER / (w0 * (y * y) + w1 * (xy * xy + yy * yy) + ties[i]);
    }
    out
}

#[inline(always)]
fn block(from: &[f32], at: usize) -> &[f32; BLOCK] {
    const NONE: [f32; BLOCK] = [0.0; BLOCK];
    from.get(at..).and_then(|from| from.first_chunk()).unwrap_or(&NONE)
}
