//! The equations of each pixel's displacement, from the polynomials of two frames and a first guess of the displacement
//! (Farnebäck 2003, §3, equations 9 to 12 and §4): with A the mean of both quadratic terms and Δb half the difference of
//! the linear terms plus A × the guess, the five distinct numbers of AᵀA and AᵀΔb.

use multiversion::multiversion;

use super::expansion::TERMS;

/// Pixels that are worked on at once.
const BLOCK: usize = 32;
/// Numbers of a pixel that are loaded at once: its terms and some of the next pixel's, which are not used.
const LANES: usize = 8;
/// What a buffer of terms needs behind the last pixel's, so that `LANES` can be loaded.
pub const SLACK: usize = LANES;

/// Two neighbours' numbers.
const CORNERS: usize = LANES + TERMS;

/// How much the equations of a pixel count (both sides, so squared) that is 0 to 4 pixels from the border: fits there
/// stand on repeated pixels.
const EDGE: [f32; 5] = [0.14, 0.14, 0.4472, 0.4472, 0.4472];

pub fn edge(index: usize, len: usize) -> f32 {
    let weight = |distance: usize| EDGE.get(distance).copied().unwrap_or(1.0);
    weight(index) * weight(len - 1 - index)
}

/// Factors for the terms of the first frame: of a pixel that has left the frame, so that they are all that there is, and
/// of one that is seen in both. What the last lanes hold is not used; lanes are alike, so that they become one vector.
const OF_FIRST: [[f32; LANES]; 2] =
    [[0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.25, 0.5, 0.5, 0.5]];
/// The same for the second frame. The term of xy stands for two equal elements of A.
const OF_SECOND: [f32; LANES] = [-0.5, -0.5, 0.5, 0.5, 0.25, 0.5, 0.5, 0.5];

/// What the equations of a level are made of. Terms are interleaved and have [`SLACK`] more numbers at the end.
#[derive(Debug, Clone, Copy)]
pub struct Frames<'a> {
    pub width: usize,
    pub height: usize,
    /// The polynomials of the first and of the second frame.
    pub first: &'a [f32],
    pub second: &'a [f32],
    /// The guess: dx and dy of each pixel.
    pub flow: &'a [f32],
    /// [`edge`] of each column.
    pub edges: &'a [f32],
}

/// The equations of row `y`. `out` holds five rows: AᵀA's yy, xy, xx, then AᵀΔb's y, x.
#[multiversion(targets("x86_64+avx2"))]
pub fn equations(frames: &Frames, y: usize, out: &mut [f32]) {
    let width = frames.width;
    let edge_y = edge(y, frames.height);
    let flow = &frames.flow[y * width * 2..][..width * 2];
    // Cleared once: what an earlier block leaves behind the row's end is as good as zero, for nobody looks at it.
    let (mut guess, mut terms) = ([0.0; 2 * BLOCK], [[0.0; LANES]; BLOCK]);
    for start in (0..width).step_by(BLOCK) {
        let len = BLOCK.min(width - start);
        // Of a length that the compiler knows, a copy needs no call.
        match flow[2 * start..].first_chunk::<{ 2 * BLOCK }>() {
            Some(whole) => guess = *whole,
            None => guess[..2 * len].copy_from_slice(&flow[2 * start..2 * (start + len)]),
        }
        let (mut dx, mut dy) = ([0.0; BLOCK], [0.0; BLOCK]);
        for i in 0..BLOCK {
            dx[i] = guess[2 * i];
            dy[i] = guess[2 * i + 1];
        }
        let places = places(start, y, &dx, &dy, width, frames.height);
        mean_terms(frames, start..start + len, y, edge_y, &places, &mut terms);
        for (row, values) in out.chunks_exact_mut(width).zip(&products(&terms, &dx, &dy)) {
            match row[start..].first_chunk_mut::<BLOCK>() {
                Some(row) => *row = *values,
                None => row[start..].copy_from_slice(&values[..len]),
            }
        }
    }
}

/// Where the pixels of a block went.
struct Places {
    /// The pixel at or before it, along x and y, and the weights of that and its three neighbours; 0 outside.
    x: [i32; BLOCK],
    y: [i32; BLOCK],
    weights: [[f32; BLOCK]; 4],
    /// Whether it is inside, 1 or 0.
    inside: [i32; BLOCK],
}

#[inline(always)]
fn places(start: usize, y: usize, dx: &[f32; BLOCK], dy: &[f32; BLOCK], width: usize, height: usize) -> Places {
    let mut places = Places { x: [0; BLOCK], y: [0; BLOCK], weights: [[0.0; BLOCK]; 4], inside: [0; BLOCK] };
    let [nw, ne, sw, se] = &mut places.weights;
    let (last_x, last_y) = ((width - 1) as f32, (height - 1) as f32);
    let (start, y) = (start as i32, y as f32);
    for i in 0..BLOCK {
        let (x1, fx) = floor((start + i as i32) as f32 + dx[i], last_x);
        let (y1, fy) = floor(y + dy[i], last_y);
        let is_inside = (x1 >= 0.0) & (x1 < last_x) & (y1 >= 0.0) & (y1 < last_y);
        let one = if is_inside { 1.0 } else { 0.0 };
        places.x[i] = whole(x1 * one);
        places.y[i] = whole(y1 * one);
        places.inside[i] = i32::from(is_inside);
        nw[i] = (1.0 - fx) * (1.0 - fy) * one;
        ne[i] = fx * (1.0 - fy) * one;
        sw[i] = (1.0 - fx) * fy * one;
        se[i] = fx * fy * one;
    }
    places
}

/// Adding it leaves no room for a fraction, and makes the last bits an integer, without the checks of a cast, for which
/// there are no vector instructions.
const SHIFT: f32 = 1.5 * (1 << 23) as f32;

/// The pixel at or before a place, and the part of the way to the next. Beyond the frame all places are alike.
#[inline(always)]
fn floor(at: f32, last: f32) -> (f32, f32) {
    let at = at.max(-1.0).min(last + 1.0);
    let nearest = (at + SHIFT) - SHIFT;
    let below = if nearest > at { nearest - 1.0 } else { nearest };
    (below, at - below)
}

#[inline(always)]
fn whole(value: f32) -> i32 {
    (value + SHIFT).to_bits() as i32 - SHIFT.to_bits() as i32
}

/// The means of A and half the differences of b of a block of pixels, weighted by their distance from the border.
#[inline(always)]
fn mean_terms(
    frames: &Frames,
    columns: std::ops::Range<usize>,
    y: usize,
    edge_y: f32,
    places: &Places,
    terms: &mut [[f32; LANES]; BLOCK],
) {
    // No pixel of a single row is inside; its neighbours below are not looked at.
    let below = if frames.height > 1 { frames.width * TERMS } else { 0 };
    let [nw, ne, sw, se] = &places.weights;
    let first = &frames.first[(y * frames.width + columns.start) * TERMS..];
    for (i, edge_x) in frames.edges[columns].iter().enumerate() {
        let at = (places.y[i] as usize * frames.width + places.x[i] as usize) * TERMS;
        let corners = frames.second.get(at..at + below + CORNERS);
        let (Some(own), Some(corners)) = (first.get(i * TERMS..).and_then(|own| own.first_chunk::<LANES>()), corners)
        else {
            break;
        };
        let (top, bottom) = (&corners[..CORNERS], &corners[below..][..CORNERS]);
        let of_first = &OF_FIRST[usize::from(places.inside[i] != 0)];
        let (nw, ne, sw, se, edge) = (nw[i], ne[i], sw[i], se[i], edge_x * edge_y);
        terms[i] = lanes(|c| {
            let seen = (nw * top[c] + ne * top[c + TERMS]) + (sw * bottom[c] + se * bottom[c + TERMS]);
            (own[c] * of_first[c] + seen * OF_SECOND[c]) * edge
        });
    }
}

#[inline(always)]
fn lanes(of: impl Fn(usize) -> f32) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    for (c, out) in out.iter_mut().enumerate() {
        *out = of(c);
    }
    out
}

#[inline(always)]
fn products(terms: &[[f32; LANES]; BLOCK], dx: &[f32; BLOCK], dy: &[f32; BLOCK]) -> [[f32; BLOCK]; 5] {
    let mut out = [[0.0; BLOCK]; 5];
    let [yy, xy, xx, by, bx] = &mut out;
    for i in 0..BLOCK {
        let [b1, b2, a11, a22, a12, ..] = terms[i];
        let b1 = b1 + a11 * dy[i] + a12 * dx[i];
        let b2 = b2 + a12 * dy[i] + a22 * dx[i];
        yy[i] = a11 * a11 + a12 * a12;
        xy[i] = (a11 + a22) * a12;
        xx[i] = a22 * a22 + a12 * a12;
        by[i] = a11 * b1 + a12 * b2;
        bx[i] = a12 * b1 + a22 * b2;
    }
    out
}
