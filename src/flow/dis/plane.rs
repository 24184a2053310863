//! A picture with a border around it.

use multiversion::multiversion;

/// Numbers that are worked on at once.
pub const LANES: usize = 8;

/// A picture of `f32` luma whose first and last pixels go on for `border` pixels on each side. Behind the last row there is
/// room for some lanes more.
#[derive(Debug, Clone)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub border: usize,
    /// Distance between the starts of two rows.
    pub stride: usize,
    data: Vec<f32>,
}

impl Plane {
    pub fn new(width: usize, height: usize, border: usize) -> Self {
        let stride = width + 2 * border;
        Self { width, height, border, stride, data: vec![0.0; stride * (height + 2 * border) + 2 * LANES] }
    }

    /// The numbers from pixel (`x` − border, `y` − border) on, row after row.
    pub fn from(&self, x: usize, y: usize) -> &[f32] {
        self.data.get(y * self.stride + x..).unwrap_or(&[])
    }

    /// Row `y` with its border; negative rows and those behind the last lie in the border.
    pub fn wide_row(&self, y: isize) -> &[f32] {
        let y = (y + self.border as isize).max(0) as usize;
        &self.data[y * self.stride..][..self.stride]
    }

    /// Row `y` of the picture.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.data[(y + self.border) * self.stride + self.border..][..self.width]
    }

    /// All rows of the picture, each with its border, for [`inner`] to find the pixels in.
    pub fn wide_rows(&mut self) -> &mut [f32] {
        let (start, len) = (self.border * self.stride, self.height * self.stride);
        &mut self.data[start..start + len]
    }

    /// Repeats the first and the last row. The columns' border is made with the rows, by [`extend`].
    pub fn repeat_rows(&mut self) {
        let (stride, border) = (self.stride, self.border);
        let first = border * stride;
        let last = (border + self.height - 1) * stride;
        for row in 0..border {
            self.data.copy_within(first..first + stride, row * stride);
            self.data.copy_within(last..last + stride, last + (row + 1) * stride);
        }
    }
}

/// Repeats the first and the last pixel of a row `border` times.
pub fn extend(row: &mut [f32], border: usize) {
    let len = row.len();
    let (first, last) = (row[border], row[len - 1 - border]);
    row[..border].fill(first);
    row[len - border..].fill(last);
}

/// Sobel's gradient of row `y`, in luma per pixel. The plane's border must be at least a pixel.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub fn gradient(plane: &Plane, y: usize, along_x: &mut [f32], along_y: &mut [f32]) {
    let width = along_x.len();
    let row = |y: isize| &plane.wide_row(y)[plane.border - 1..][..width + 2];
    let y = y as isize;
    let (above, middle, below) = (row(y - 1), row(y), row(y + 1));
    let along_y = &mut along_y[..width];
    for x in 0..width {
        let left = above[x] + 2.0 * middle[x] + below[x];
        let right = above[x + 2] + 2.0 * middle[x + 2] + below[x + 2];
        along_x[x] = (right - left) * 0.125;
        let top = above[x] + 2.0 * above[x + 1] + above[x + 2];
        let bottom = below[x] + 2.0 * below[x + 1] + below[x + 2];
        along_y[x] = (bottom - top) * 0.125;
    }
}

/// How much each of the two neighbours of a pixel counts in [`smooth`].
const BESIDE: f32 = 0.15;

/// Row `y`, smoothed a little. Between pixels, interpolation smooths by itself; without this, places at whole pixels look
/// unlike those between, and flows lean towards whole pixels.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub fn smooth(plane: &Plane, y: usize, out: &mut [f32]) {
    const MIDDLE: f32 = 1.0 - 2.0 * BESIDE;
    let width = out.len();
    let row = |y: isize| &plane.wide_row(y)[plane.border - 1..][..width + 2];
    let y = y as isize;
    let (above, middle, below) = (row(y - 1), row(y), row(y + 1));
    for x in 0..width {
        let left = BESIDE * (above[x] + below[x]) + MIDDLE * middle[x];
        let own = BESIDE * (above[x + 1] + below[x + 1]) + MIDDLE * middle[x + 1];
        let right = BESIDE * (above[x + 2] + below[x + 2]) + MIDDLE * middle[x + 2];
        out[x] = BESIDE * (left + right) + MIDDLE * own;
    }
}
