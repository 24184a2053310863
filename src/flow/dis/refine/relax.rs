//! A half-step of successive over-relaxation on a row: every other pixel, from its four neighbours, which belong to the
//! other half-step.

use multiversion::multiversion;

use super::equations::OVER;
use super::{PAD, Shape};

/// Updates the odd or the even columns of the middle one of three rows of `change`. `own` and `above`: the equations of
/// that row and the one above.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub fn relax(shape: &Shape, is_odd: bool, above: &[f32], own: &[f32], change: &mut [f32]) {
    let Shape { half, pitch, .. } = *shape;
    let row = 2 * pitch;
    let odd = usize::from(is_odd);
    let this = odd * pitch + PAD;
    let other = (1 - odd) * pitch + PAD;
    let (left, right) = (other + odd - 1, other + odd);
    let equation: [&[f32]; 6] = std::array::from_fn(|k| shape.part(own, k * row + this));
    let [side_x, side_y, cross, over_x, over_y, tie_right] = equation;
    let (tie_left, tie_below) = (shape.part(own, 5 * row + left), shape.part(own, 6 * row + this));
    let tie_above = shape.part(above, 6 * row + this);
    let (up, rest) = change.split_at_mut(2 * row);
    let (middle, down) = rest.split_at_mut(2 * row);
    let (middle_u, middle_v) = middle.split_at_mut(row);
    let (u_up, v_up) = (shape.part(up, this), shape.part(up, row + this));
    let (u_down, v_down) = (shape.part(down, this), shape.part(down, row + this));
    let (u, u_beside) = halves(middle_u, pitch, is_odd);
    let (v, v_beside) = halves(middle_v, pitch, is_odd);
    let (left, right) = (left - (1 - odd) * pitch, right - (1 - odd) * pitch);
    let (u_left, u_right) = (shape.part(u_beside, left), shape.part(u_beside, right));
    let (v_left, v_right) = (shape.part(v_beside, left), shape.part(v_beside, right));
    let (u, v) = (&mut u[PAD..][..half], &mut v[PAD..][..half]);
    for i in 0..half {
        let (l, r, a, b) = (tie_left[i], tie_right[i], tie_above[i], tie_below[i]);
        let pull_x = (l * u_left[i] + r * u_right[i]) + (a * u_up[i] + b * u_down[i]);
        let pull_y = (l * v_left[i] + r * v_right[i]) + (a * v_up[i] + b * v_down[i]);
        let x = u[i] * (1.0 - OVER) + over_x[i] * ((pull_x + side_x[i]) - cross[i] * v[i]);
        u[i] = x;
        v[i] = v[i] * (1.0 - OVER) + over_y[i] * ((pull_y + side_y[i]) - cross[i] * x);
    }
}

/// The half that is updated, and the other.
#[inline(always)]
fn halves(row: &mut [f32], pitch: usize, is_odd: bool) -> (&mut [f32], &[f32]) {
    let (even, odd) = row.split_at_mut(pitch);
    if is_odd { (odd, even) } else { (even, odd) }
}
