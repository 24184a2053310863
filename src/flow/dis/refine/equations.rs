//! The linear equations of a round: the energy's penalties are taken as squares with the weight that they have at the
//! present flow.

use multiversion::multiversion;

use super::derivatives::TERMS;
use super::{PAD, Shape};
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
    let Shape { half, pitch, .. } = round.shape;
    let row = 2 * pitch;
    let Weights { luma, gradient, epsilon, .. } = round.weights;
    let odd = usize::from(is_odd);
    let this = odd * pitch + PAD;
    let other = (1 - odd) * pitch + PAD;
    let (left, right) = (other + odd - 1, other + odd);
    let (made, ties) = out.split_at_mut(5 * row);
    let (tie_left, tie_right) = (round.shape.part(ties, left), round.shape.part(ties, this));
    let (tie_above, tie_below) = (round.shape.part(&above[6 * row..], this), round.shape.part(&ties[row..], this));
    let term: [&[f32]; TERMS] = std::array::from_fn(|k| round.shape.part(terms, k * row + this));
    let (du, dv) = (round.shape.part(change, this), round.shape.part(change, row + this));
    let [up, own, down] = flows;
    let around = |by: usize| {
        [
            round.shape.part(own, by + this),
            round.shape.part(own, by + left),
            round.shape.part(own, by + right),
            round.shape.part(up, by + this),
            round.shape.part(down, by + this),
        ]
    };
    let (u, v) = (around(0), around(row));
    let mut rows = made.chunks_exact_mut(row).map(|row| &mut row[this..][..half]);
    let mut next = || rows.next().unwrap_or_default();
    let (side_x, side_y, cross, over_x, over_y) = (next(), next(), next(), next(), next());
    let len = half.min(side_x.len()).min(side_y.len()).min(cross.len()).min(over_x.len()).min(over_y.len());
    for i in 0..len {
        let of = |k: usize| term[k][i];
        let (du, dv) = (du[i], dv[i]);
        let rest = |k: usize| of(k) * du + of(k + 1) * dv + of(k + 2);
        let (rest_0, rest_x, rest_y) = (rest(0), rest(3), rest(6));
        let w0 = luma / (rest_0 * rest_0 + epsilon).sqrt();
        let w1 = gradient / (rest_x * rest_x + rest_y * rest_y + epsilon).sqrt();
        let product = |a: usize, b: usize| w0 * (of(a) * of(b)) + w1 * (of(3 + a) * of(3 + b) + of(6 + a) * of(6 + b));
        let (l, r, a, b) = (tie_left[i], tie_right[i], tie_above[i], tie_below[i]);
        let pull = |f: &[&[f32]; 5]| {
            let own = f[0][i];
            (l * (f[1][i] - own) + r * (f[2][i] - own)) + (a * (f[3][i] - own) + b * (f[4][i] - own))
        };
        let ties = (l + r) + (a + b) + LEAST;
        side_x[i] = pull(&u) - product(0, 2);
        side_y[i] = pull(&v) - product(1, 2);
        cross[i] = product(0, 1);
        over_x[i] = OVER / (product(0, 0) + ties);
        over_y[i] = OVER / (product(1, 1) + ties);
    }
}
