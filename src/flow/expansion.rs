//! Polynomial expansion: around each pixel the image is taken as `f(x) = xᵀAx + bᵀx + c`, fitted by least squares under a
//! Gaussian weight (Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003, §2). Outside of
//! the image its first and last pixels go on.
//!
//! The weight is separable and the normal equations are the same everywhere, so the fit is a few correlations: of columns
//! with three kernels, and of the results' rows with five. The constant c is not needed.

use multiversion::multiversion;

use super::FarnebackParams;
use super::resample::{clamp, gaussian};

/// Numbers per pixel: b along y and x, then the terms of y², x² and xy.
pub const TERMS: usize = 5;
/// The largest radius.
const RADIUS: usize = 7;
/// Pixels that are worked on at once.
const BLOCK: usize = 32;

/// One-dimensional kernels by distance from the pixel, 0 to the radius. On the pixel's other side `slope` is negative and
/// the others are equal.
#[derive(Debug, Clone, Copy)]
pub struct Kernels {
    radius: usize,
    /// The weight.
    smooth: [f32; RADIUS + 1],
    /// Weight × distance.
    slope: [f32; RADIUS + 1],
    /// Weight × (distance² − its weighted mean) × the fit's factor.
    curve: [f32; RADIUS + 1],
    /// The fit's factors for b, and for the term of xy.
    linear: f32,
    mixed: f32,
}

impl Kernels {
    pub fn new(params: &FarnebackParams) -> Self {
        let radius = params.poly_n as usize;
        let sigma = if params.poly_sigma == 0.0 { radius as f64 * 0.3 } else { params.poly_sigma };
        let weight = gaussian(radius, sigma);
        let moment = |power: i32| -> f64 {
            weight.iter().enumerate().map(|(tap, weight)| weight * (tap as f64 - radius as f64).powi(power)).sum()
        };
        let (second, fourth) = (moment(2), moment(4));
        let each = |value: &dyn Fn(f64) -> f64| {
            std::array::from_fn(|at| weight.get(radius + at).map_or(0.0, |weight| (weight * value(at as f64)) as f32))
        };
        // The inverse of the normal equations' matrix has this closed form, since the weight is a product of equal
        // factors for x and y.
        let fit = 1.0 / (fourth - second * second);
        Self {
            radius,
            smooth: each(&|_| 1.0),
            slope: each(&|at| at),
            curve: each(&|at| (at * at - second) * fit),
            linear: (1.0 / second) as f32,
            mixed: (1.0 / (second * second)) as f32,
        }
    }

    /// The weight, weight × distance and the curve, by distance; then the factors for b and for the term of xy.
    pub fn into_parts(self) -> ([[f32; RADIUS + 1]; 3], f32, f32) {
        ([self.smooth, self.slope, self.curve], self.linear, self.mixed)
    }
}

/// Buffers of one band of rows.
#[derive(Debug)]
pub struct Scratch {
    width: usize,
    /// The last rows of the image, row y at y modulo 2 × radius + 1.
    rows: Vec<f32>,
    columns: Columns,
}

/// A row of columns correlated with each kernel; the radius more at the left, and at the right as many and a block.
#[derive(Debug)]
struct Columns {
    smooth: Vec<f32>,
    slope: Vec<f32>,
    curve: Vec<f32>,
}

impl Scratch {
    pub fn new(kernels: &Kernels, width: usize) -> Self {
        let padded = vec![0.0; width + 2 * kernels.radius + BLOCK];
        let rows = vec![0.0; width * (2 * kernels.radius + 1)];
        Self { width, rows, columns: Columns { smooth: padded.clone(), slope: padded.clone(), curve: padded } }
    }

    /// Expands the rows from `top` on of an image of `height` rows; `image(y, row)` makes row `y`. `out` has [`TERMS`]
    /// numbers for each pixel of the rows that are wanted.
    pub fn expand(
        &mut self,
        kernels: &Kernels,
        top: usize,
        height: usize,
        out: &mut [f32],
        mut image: impl FnMut(usize, &mut [f32]),
    ) {
        let (radius, width, slots) = (kernels.radius, self.width, 2 * kernels.radius + 1);
        let mut known = top.saturating_sub(radius);
        for (y, out) in (top..).zip(out.chunks_exact_mut(width * TERMS)) {
            while known < height.min(y + radius + 1) {
                image(known, &mut self.rows[known % slots * width..][..width]);
                known += 1;
            }
            let row = |k: usize| {
                let y = clamp(y as i32 + k as i32 - radius as i32, height);
                &self.rows[y % slots * width..][..width]
            };
            expand_row(kernels, &std::array::from_fn(row), &mut self.columns, out);
        }
    }
}

/// Repeats the first and the last of the `width` numbers behind `margin` on either side.
pub fn extend(row: &mut [f32], margin: usize, width: usize) {
    let (first, last) = (row[margin], row[margin + width - 1]);
    row[..margin].fill(first);
    row[margin + width..].fill(last);
}

/// `rows`: the row itself at index radius, those around it before and behind.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn expand_row(kernels: &Kernels, rows: &[&[f32]; 2 * RADIUS + 1], columns: &mut Columns, out: &mut [f32]) {
    match kernels.radius {
        5 => expand_row_of::<5>(kernels, rows, columns, out),
        _ => expand_row_of::<7>(kernels, rows, columns, out),
    }
}

#[inline(always)]
fn expand_row_of<const N: usize>(
    kernels: &Kernels,
    rows: &[&[f32]; 2 * RADIUS + 1],
    columns: &mut Columns,
    out: &mut [f32],
) {
    let Columns { smooth, slope, curve } = columns;
    let width = out.len() / TERMS;
    correlate_columns::<N>(
        kernels,
        rows,
        &mut smooth[N..][..width],
        &mut slope[N..][..width],
        &mut curve[N..][..width],
    );
    for part in [&mut *smooth, &mut *slope, &mut *curve] {
        extend(part, N, width);
    }
    for start in (0..width).step_by(BLOCK) {
        let end = width.min(start + BLOCK);
        let terms = correlate_block::<N>(kernels, &smooth[start..], &slope[start..], &curve[start..]);
        interleave(&terms, &mut out[start * TERMS..end * TERMS]);
    }
}

#[inline(always)]
fn correlate_columns<const N: usize>(
    kernels: &Kernels,
    rows: &[&[f32]; 2 * RADIUS + 1],
    smooth: &mut [f32],
    slope: &mut [f32],
    curve: &mut [f32],
) {
    let width = smooth.len();
    let (slope, curve) = (&mut slope[..width], &mut curve[..width]);
    let centre = &rows[N][..width];
    let above: [&[f32]; N] = std::array::from_fn(|k| &rows[N - 1 - k][..width]);
    let below: [&[f32]; N] = std::array::from_fn(|k| &rows[N + 1 + k][..width]);
    for x in 0..width {
        let (mut s, mut c, mut d) = (kernels.smooth[0] * centre[x], kernels.curve[0] * centre[x], 0.0);
        for k in 0..N {
            let (sum, difference) = (above[k][x] + below[k][x], below[k][x] - above[k][x]);
            s += kernels.smooth[k + 1] * sum;
            c += kernels.curve[k + 1] * sum;
            d += kernels.slope[k + 1] * difference;
        }
        smooth[x] = s;
        curve[x] = c;
        slope[x] = d;
    }
}

/// The terms of a block of pixels, from columns that begin the radius before its first pixel.
#[inline(always)]
fn correlate_block<const N: usize>(
    kernels: &Kernels,
    smooth: &[f32],
    slope: &[f32],
    curve: &[f32],
) -> [[f32; BLOCK]; TERMS] {
    let len = BLOCK + 2 * N;
    let (smooth, slope, curve) = (&smooth[..len], &slope[..len], &curve[..len]);
    let mut terms = [[0.0; BLOCK]; TERMS];
    let [by, bx, yy, xx, xy] = &mut terms;
    for x in 0..BLOCK {
        let at = x + N;
        let (mut y1, mut x1, mut xy1) = (kernels.smooth[0] * slope[at], 0.0, 0.0);
        let (mut y2, mut x2) = (kernels.smooth[0] * curve[at], kernels.curve[0] * smooth[at]);
        for k in 0..N {
            let (before, behind) = (at - 1 - k, at + 1 + k);
            let (weight, by_distance) = (kernels.smooth[k + 1], kernels.slope[k + 1]);
            x1 += by_distance * (smooth[behind] - smooth[before]);
            x2 += kernels.curve[k + 1] * (smooth[before] + smooth[behind]);
            y1 += weight * (slope[before] + slope[behind]);
            xy1 += by_distance * (slope[behind] - slope[before]);
            y2 += weight * (curve[before] + curve[behind]);
        }
        by[x] = y1 * kernels.linear;
        bx[x] = x1 * kernels.linear;
        yy[x] = y2;
        xx[x] = x2;
        xy[x] = xy1 * kernels.mixed;
    }
    terms
}

#[inline(always)]
fn interleave(terms: &[[f32; BLOCK]; TERMS], out: &mut [f32]) {
    let [by, bx, yy, xx, xy] = terms;
    for (x, out) in out.chunks_exact_mut(TERMS).enumerate().take(BLOCK) {
        out.copy_from_slice(&[by[x], bx[x], yy[x], xx[x], xy[x]]);
    }
}
