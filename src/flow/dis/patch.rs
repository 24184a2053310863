//! A square of the first frame, and how it differs from a place in the second.

use super::params::MAX_PATCH;
use super::plane::{LANES, Plane};

/// A patch of the first frame: luma and gradient, in columns of [`LANES`] numbers, row after row, one column after the
/// other. Numbers beside the patch are not used.
pub struct Patch {
    size: usize,
    luma: [[f32; LANES]; MAX_PATCH * MAX_PATCH / LANES],
    along_x: [[f32; LANES]; MAX_PATCH * MAX_PATCH / LANES],
    along_y: [[f32; LANES]; MAX_PATCH * MAX_PATCH / LANES],
}

/// What a patch's steps are made of: the inverse of Σ g gᵀ, and Σ g, with g the gradient; the last is 0 where means count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tensor {
    xx: f32,
    xy: f32,
    yy: f32,
    pub x: f32,
    pub y: f32,
}

/// Added to the gradient's squares, per pixel: a patch without structure along a direction takes no wild steps there.
const DAMPING: f32 = 0.25;

impl Tensor {
    /// What is to be added to a displacement whose difference from the truth has these sums.
    pub fn step(&self, sums: &Sums) -> [f32; 2] {
        [-(self.xx * sums.x + self.xy * sums.y), -(self.xy * sums.x + self.yy * sums.y)]
    }
}

/// Sums over a patch of the difference d between second and first frame: d × gradient, and d².
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    x: f32,
    y: f32,
    pub squares: f32,
}

/// Where a patch begins in the second frame's plane, border included, and how much its four neighbours count.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub x: usize,
    pub y: usize,
    weights: [f32; 4],
}

impl Place {
    /// The patch at (`x`, `y`) moved by `by`, not farther than just out of the picture.
    #[inline(always)]
    pub fn new(plane: &Plane, size: usize, (x, y): (usize, usize), by: [f32; 2]) -> Self {
        let border = plane.border as f32;
        let least = (plane.border + 1 - size) as f32;
        let clamp = |at: f32, len: usize| at.max(least).min(border + len as f32 - 1.0);
        let (x, y) = (clamp(x as f32 + by[0] + border, plane.width), clamp(y as f32 + by[1] + border, plane.height));
        // Both are positive.
        let (left, top) = (x as i32, y as i32);
        let (fx, fy) = (x - left as f32, y - top as f32);
        Self {
            x: left as usize,
            y: top as usize,
            weights: [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy],
        }
    }

    /// Lanes of the second frame between pixels, from its rows at and below them.
    #[inline(always)]
    pub fn mix(&self, above: &[f32; LANES + 1], below: &[f32; LANES + 1]) -> [f32; LANES] {
        let [nw, ne, sw, se] = self.weights;
        let mut out = [0.0; LANES];
        for i in 0..LANES {
            out[i] = (nw * above[i] + ne * above[i + 1]) + (sw * below[i] + se * below[i + 1]);
        }
        out
    }
}

impl Patch {
    pub fn new(size: usize) -> Self {
        let empty = [[0.0; LANES]; MAX_PATCH * MAX_PATCH / LANES];
        Self { size, luma: empty, along_x: empty, along_y: empty }
    }

    /// Takes the patch at (`x`, `y`). Gradients are planes of the frame's size, with [`LANES`] numbers more at the end.
    #[inline(always)]
    pub fn take(&mut self, size: usize, frame: &Plane, gradient: &[Vec<f32>; 2], (x, y): (usize, usize)) {
        self.size = size;
        let lanes = |from: &[f32]| from.first_chunk::<LANES>().copied().unwrap_or_default();
        for column in 0..size.div_ceil(LANES) {
            for row in 0..size {
                let at = column * size + row;
                let x = x + column * LANES;
                self.luma[at] = lanes(frame.from(x + frame.border, y + row + frame.border));
                let gradient_at = (y + row) * frame.width + x;
                self.along_x[at] = lanes(&gradient[0][gradient_at..]);
                self.along_y[at] = lanes(&gradient[1][gradient_at..]);
            }
        }
    }

    #[inline(always)]
    pub fn tensor(&self, size: usize, is_without_mean: bool) -> Tensor {
        let mut sums = [[0.0_f32; LANES]; 5];
        for column in 0..size.div_ceil(LANES) {
            for row in 0..size {
                let at = column * size + row;
                let gx = within(self.along_x[at], size, column);
                let gy = within(self.along_y[at], size, column);
                for i in 0..LANES {
                    sums[0][i] += gx[i] * gx[i];
                    sums[1][i] += gx[i] * gy[i];
                    sums[2][i] += gy[i] * gy[i];
                    sums[3][i] += gx[i];
                    sums[4][i] += gy[i];
                }
            }
        }
        let [mut xx, mut xy, mut yy, mut x, mut y] = sums.map(total);
        let count = (size * size) as f32;
        if is_without_mean {
            xx -= x * x / count;
            xy -= x * y / count;
            yy -= y * y / count;
        } else {
            (x, y) = (0.0, 0.0);
        }
        xx += DAMPING * count;
        yy += DAMPING * count;
        let over = 1.0 / (xx * yy - xy * xy).max(DAMPING * DAMPING * count * count);
        Tensor { xx: yy * over, xy: -xy * over, yy: xx * over, x, y }
    }

    /// How the patch differs from the place.
    #[inline(always)]
    pub fn compare(&self, size: usize, second: &Plane, place: &Place, tensor: &Tensor, is_without_mean: bool) -> Sums {
        let mut sums = [[0.0_f32; LANES]; 4];
        for column in 0..size.div_ceil(LANES) {
            let mut rows = second.from(place.x + column * LANES, place.y).chunks(second.stride);
            let mut above = wide(rows.next());
            for row in 0..size {
                let below = wide(rows.next());
                let at = column * size + row;
                let seen = place.mix(&above, &below);
                above = below;
                let (luma, gx, gy) = (&self.luma[at], &self.along_x[at], &self.along_y[at]);
                let mut difference = [0.0; LANES];
                for i in 0..LANES {
                    difference[i] = seen[i] - luma[i];
                }
                let difference = within(difference, size, column);
                for i in 0..LANES {
                    sums[0][i] += difference[i] * gx[i];
                    sums[1][i] += difference[i] * gy[i];
                    sums[2][i] += difference[i];
                    sums[3][i] += difference[i] * difference[i];
                }
            }
        }
        let [x, y, sum, squares] = sums.map(total);
        let mean = if is_without_mean { sum / (size * size) as f32 } else { 0.0 };
        Sums { x: x - mean * tensor.x, y: y - mean * tensor.y, squares: squares - mean * sum }
    }
}

#[inline(always)]
pub fn wide(row: Option<&[f32]>) -> [f32; LANES + 1] {
    row.and_then(|row| row.first_chunk()).copied().unwrap_or_default()
}

/// Lanes beside the patch become 0.
#[inline(always)]
fn within(mut lanes: [f32; LANES], size: usize, column: usize) -> [f32; LANES] {
    let left = size - column * LANES;
    if left < LANES {
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = if i < left { *lane } else { 0.0 };
        }
    }
    lanes
}

#[inline(always)]
fn total(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
