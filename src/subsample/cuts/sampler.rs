//! A decoded picture to a small BGR one, exactly as OpenCV makes it, without making the large one.
//!
//! OpenCV turns the whole picture into BGR (libswscale's unscaled converter: BT.601, chroma not interpolated, fixed-point
//! with 3 fractional bits and 16-bit coefficients) and then shrinks it (`cv::resize`, bilinear, 11-bit weights). Bilinear
//! shrinking looks at no more than four source pixels for each of its own, so only these are turned into BGR here. The
//! results are the same numbers for 8-bit 4:2:0 and 4:2:2; deeper pictures are taken at their upper 8 bits.

use crate::media::YuvFrame;

/// Fixed-point one of OpenCV's bilinear weights.
const ONE: f32 = 2048.0;

/// Where one row or column of the small picture comes from: two source positions and their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tap {
    at: [usize; 2],
    weight: [i32; 2],
}

/// The conversion of one pixel, as libswscale's coefficients have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Coefficients {
    y_offset: i32,
    y: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

impl Coefficients {
    fn new(full_range: bool) -> Self {
        // BT.601 in 16.16, for limited range; of full range, chroma swings by 255 instead of 224.
        let (luma, scale) = if full_range { (1 << 16, (224, 255)) } else { ((1 << 16) * 255 / 219, (1, 1)) };
        let round = |n: i64| i32::try_from((n * 8192 + (1 << 15)) >> 16).unwrap_or(0);
        let chroma = |n: i64| round(n * scale.0 / scale.1);
        Self {
            y_offset: if full_range { 0 } else { 16 * 8 },
            y: round(luma),
            red_v: chroma(104_597),
            green_u: chroma(-25_675),
            green_v: chroma(-53_279),
            blue_u: chroma(132_201),
        }
    }
}

/// Samples pictures of one size.
#[derive(Debug)]
pub struct Sampler {
    source: (usize, usize),
    pub width: usize,
    pub height: usize,
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    /// Both sides are halved exactly: OpenCV then averages four pixels.
    halves: bool,
    /// The two source rows of the current row, shrunk across; B, G, R by pixel, with 11 fractional bits.
    lines: [Vec<i32>; 2],
    /// Which source rows these are.
    cached: [Option<usize>; 2],
    /// B, G, R by pixel.
    pub pixels: Vec<u8>,
}

impl Sampler {
    /// For pictures of `width` x `height`, shrunk by an integer factor: sides are rounded, half to even.
    pub fn new(width: usize, height: usize, factor: usize) -> Self {
        let shrunk = |side: usize| ((side as f64 / factor as f64).round_ties_even() as usize).max(1);
        let (small_width, small_height) = (shrunk(width), shrunk(height));
        let halves = small_width * 2 == width && small_height * 2 == height;
        Self {
            source: (width, height),
            width: small_width,
            height: small_height,
            columns: taps(width, small_width, true),
            rows: taps(height, small_height, false),
            halves,
            lines: [vec![0; small_width * 3], vec![0; small_width * 3]],
            cached: [None; 2],
            pixels: vec![0; small_width * small_height * 3],
        }
    }

    /// Whether it was made for pictures of this size.
    pub fn fits(&self, frame: &YuvFrame<'_>) -> bool {
        self.source == (frame.width, frame.height)
    }

    /// Fills [`Sampler::pixels`]. A picture of another size than it was made for leaves them as they are.
    pub fn sample(&mut self, frame: &YuvFrame<'_>) {
        if !self.fits(frame) {
            return;
        }
        let coefficients = Coefficients::new(frame.full_range);
        if self.halves {
            return self.halve(frame, coefficients);
        }
        self.cached = [None; 2];
        for (tap, row) in self.rows.iter().zip(self.pixels.chunks_exact_mut(self.width * 3)) {
            // The lower row of one is often the upper row of the next.
            if self.cached[1] == Some(tap.at[0]) {
                self.lines.swap(0, 1);
                self.cached.swap(0, 1);
            }
            for side in 0..2 {
                if self.cached[side] != Some(tap.at[side]) {
                    shrink_row(frame, coefficients, tap.at[side], &self.columns, &mut self.lines[side]);
                    self.cached[side] = Some(tap.at[side]);
                }
            }
            let [upper, lower] = tap.weight;
            let [first, second] = &self.lines;
            for ((pixel, a), b) in row.iter_mut().zip(first).zip(second) {
                let sum = ((upper * (a >> 4)) >> 16) + ((lower * (b >> 4)) >> 16);
                *pixel = ((sum + 2) >> 2).clamp(0, 255) as u8;
            }
        }
    }

    fn halve(&mut self, frame: &YuvFrame<'_>, coefficients: Coefficients) {
        for (y, row) in self.pixels.chunks_exact_mut(self.width * 3).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                let mut sum = [2; 3];
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let bgr = bgr(frame, coefficients, 2 * x + dx, 2 * y + dy);
                    sum.iter_mut().zip(bgr).for_each(|(sum, part)| *sum += part);
                }
                pixel.iter_mut().zip(sum).for_each(|(pixel, sum)| *pixel = (sum >> 2) as u8);
            }
        }
    }
}

/// OpenCV's sampling positions for one side. Across, weights at the edges are whole; down, the edge's row is met twice.
fn taps(source: usize, target: usize, across: bool) -> Vec<Tap> {
    let scale = 1.0 / (target as f64 / source as f64);
    let last = source.saturating_sub(1);
    let tap = |n: usize| {
        let exact = ((n as f64 + 0.5) * scale - 0.5) as f32;
        let floor = exact.floor();
        let (mut at, mut fraction) = (floor as i64, exact - floor);
        if across && at < 0 {
            (at, fraction) = (0, 0.0);
        }
        if across && at >= last as i64 {
            (at, fraction) = (last as i64, 0.0);
        }
        let clamp = |at: i64| at.clamp(0, last as i64) as usize;
        let fixed = |weight: f32| (weight * ONE).round_ties_even() as i32;
        Tap { at: [clamp(at), clamp(at + 1)], weight: [fixed(1.0 - fraction), fixed(fraction)] }
    };
    (0..target).map(tap).collect()
}

/// One row of source pixels, shrunk across.
fn shrink_row(frame: &YuvFrame<'_>, coefficients: Coefficients, y: usize, columns: &[Tap], line: &mut [i32]) {
    for (tap, out) in columns.iter().zip(line.chunks_exact_mut(3)) {
        let left = bgr(frame, coefficients, tap.at[0], y);
        let right = bgr(frame, coefficients, tap.at[1], y);
        for ((out, a), b) in out.iter_mut().zip(left).zip(right) {
            *out = a * tap.weight[0] + b * tap.weight[1];
        }
    }
}

#[inline]
fn value(frame: &YuvFrame<'_>, plane: usize, x: usize, y: usize) -> i32 {
    let row = y * frame.strides[plane];
    let plane = frame.planes[plane];
    if frame.depth == 8 {
        return plane.get(row + x).copied().map_or(0, i32::from);
    }
    let at = row + 2 * x;
    let (low, high) = (plane.get(at).copied().unwrap_or(0), plane.get(at + 1).copied().unwrap_or(0));
    i32::from(u16::from_le_bytes([low, high]) >> (frame.depth - 8))
}

#[inline]
fn bgr(frame: &YuvFrame<'_>, c: Coefficients, x: usize, y: usize) -> [i32; 3] {
    let (across, down) = frame.chroma_shift;
    // Of 4:2:2, libswscale's converter looks at every second row of chroma only.
    let chroma_y = if across == 1 && down == 0 { y & !1 } else { y >> down };
    let luma = ((value(frame, 0, x, y) * 8 - c.y_offset) * c.y) >> 16;
    let u = value(frame, 1, x >> across, chroma_y) * 8 - 1024;
    let v = value(frame, 2, x >> across, chroma_y) * 8 - 1024;
    let blue = luma + ((u * c.blue_u) >> 16);
    let green = luma + ((u * c.green_u) >> 16) + ((v * c.green_v) >> 16);
    let red = luma + ((v * c.red_v) >> 16);
    [blue.clamp(0, 255), green.clamp(0, 255), red.clamp(0, 255)]
}
