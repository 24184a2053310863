//! A square of the first frame, and how it differs from a place in the second.
//!
//! Patches are worked on in tiles of 8 × 8 pixels; of the last tiles a part may lie beside the patch and counts as 0.

use super::params::MAX_PATCH;
use super::plane::{LANES, Plane};

/// Pixels of a tile, row after row.
type Tile = [f32; LANES * LANES];

/// Tiles in a row of the largest patch.
const MOST: usize = MAX_PATCH / LANES;

/// A patch of the first frame: luma and gradient along x and y.
pub struct Patch {
    tiles: [[Tile; 3]; MOST * MOST],
}

/// What a patch's steps are made of: the inverse of Σ g gᵀ, and Σ g, with g the gradient; the last is 0 where means count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tensor {
    xx: f32,
    xy: f32,
    yy: f32,
    x: f32,
    y: f32,
}

/// Added to the gradient's squares, per pixel: a patch without structure along a direction takes no wild steps there.
const DAMPING: f32 = 4.0;

impl Tensor {
    /// What is to be added to a displacement whose difference from the truth has these sums.
    #[inline(always)]
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
        let (most_x, most_y) = (border + plane.width as f32 - 1.0, border + plane.height as f32 - 1.0);
        let x = (x as f32 + by[0] + border).max(least).min(most_x);
        let y = (y as f32 + by[1] + border).max(least).min(most_y);
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
    pub fn new() -> Self {
        Self { tiles: [[[0.0; LANES * LANES]; 3]; MOST * MOST] }
    }

    /// Takes the patch at (`x`, `y`). Gradients are planes of the frame's size, with lanes more at the end.
    #[inline(always)]
    pub fn take(&mut self, size: usize, frame: &Plane, gradient: &[Vec<f32>; 2], (x, y): (usize, usize)) {
        let tiles = size.div_ceil(LANES);
        for (number, [luma, along_x, along_y]) in self.tiles[..tiles * tiles].iter_mut().enumerate() {
            let (across, down) = (number % tiles * LANES, number / tiles * LANES);
            let (x, y) = (x + across, y + down);
            copy(frame.from(x + frame.border, y + frame.border), frame.stride, luma);
            copy(gradient[0].get(y * frame.width + x..).unwrap_or(&[]), frame.width, along_x);
            copy(gradient[1].get(y * frame.width + x..).unwrap_or(&[]), frame.width, along_y);
            cut(along_x, size - across, size - down);
            cut(along_y, size - across, size - down);
        }
    }

    #[inline(always)]
    pub fn tensor(&self, size: usize, is_without_mean: bool) -> Tensor {
        let tiles = size.div_ceil(LANES);
        let (mut xx, mut xy, mut yy, mut x, mut y) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for [_, along_x, along_y] in &self.tiles[..tiles * tiles] {
            xx += sum_of_products(along_x, along_x);
            xy += sum_of_products(along_x, along_y);
            yy += sum_of_products(along_y, along_y);
            x += sum(along_x);
            y += sum(along_y);
        }
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
        let tiles = size.div_ceil(LANES);
        let (mut x, mut y, mut total, mut squares) = (0.0, 0.0, 0.0, 0.0);
        for (number, [luma, along_x, along_y]) in self.tiles[..tiles * tiles].iter().enumerate() {
            let (across, down) = (number % tiles * LANES, number / tiles * LANES);
            let mut difference = [0.0; LANES * LANES];
            subtract(second.from(place.x + across, place.y + down), second.stride, place, luma, &mut difference);
            cut(&mut difference, size - across, size - down);
            x += sum_of_products(&difference, along_x);
            y += sum_of_products(&difference, along_y);
            total += sum(&difference);
            squares += sum_of_products(&difference, &difference);
        }
        let mean = if is_without_mean { total / (size * size) as f32 } else { 0.0 };
        Sums { x: x - mean * tensor.x, y: y - mean * tensor.y, squares: squares - mean * total }
    }
}

/// A tile's rows, which lie `stride` apart. Rows that are not there, all beside the patch, stay as they are.
#[inline(always)]
fn copy(from: &[f32], stride: usize, tile: &mut Tile) {
    for (row, out) in tile.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        if let Some(lanes) = lanes(from, row * stride) {
            *out = *lanes;
        }
    }
}

/// What the place holds minus the tile.
#[inline(always)]
fn subtract(from: &[f32], stride: usize, place: &Place, tile: &Tile, out: &mut Tile) {
    let Some(mut above) = lanes(from, 0) else { return };
    for (row, (out, own)) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(tile.as_chunks::<LANES>().0).enumerate() {
        let Some(below) = lanes(from, (row + 1) * stride) else { return };
        let seen = place.mix(above, below);
        for i in 0..LANES {
            out[i] = seen[i] - own[i];
        }
        above = below;
    }
}

#[inline(always)]
pub fn lanes<const N: usize>(from: &[f32], at: usize) -> Option<&[f32; N]> {
    from.get(at..).and_then(|from| from.first_chunk())
}

/// What lies beside the patch becomes 0; the patch has `width` and `height` pixels more from the tile's first on.
#[inline(always)]
fn cut(tile: &mut Tile, width: usize, height: usize) {
    if width < LANES || height < LANES {
        for (row, lanes) in tile.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane = if i < width && row < height { *lane } else { 0.0 };
            }
        }
    }
}

#[inline(always)]
fn sum_of_products(one: &Tile, other: &Tile) -> f32 {
    let mut sums = [0.0; LANES];
    for (i, sum) in sums.iter_mut().enumerate() {
        let (a, b, c) = (i, i + 2 * LANES, i + 4 * LANES);
        let d = i + 6 * LANES;
        *sum = ((one[a] * other[a] + one[a + LANES] * other[a + LANES])
            + (one[b] * other[b] + one[b + LANES] * other[b + LANES]))
            + ((one[c] * other[c] + one[c + LANES] * other[c + LANES])
                + (one[d] * other[d] + one[d + LANES] * other[d + LANES]));
    }
    across(&sums)
}

#[inline(always)]
fn sum(tile: &Tile) -> f32 {
    let mut sums = [0.0; LANES];
    for (i, sum) in sums.iter_mut().enumerate() {
        let (a, b, c) = (i, i + 2 * LANES, i + 4 * LANES);
        let d = i + 6 * LANES;
        *sum = ((tile[a] + tile[a + LANES]) + (tile[b] + tile[b + LANES]))
            + ((tile[c] + tile[c + LANES]) + (tile[d] + tile[d + LANES]));
    }
    across(&sums)
}

#[inline(always)]
fn across(lanes: &[f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
