//! A decoded picture to a small BGR one, exactly as OpenCV makes it, without making the large one.
//!
//! OpenCV turns the whole picture into BGR (see [`super::pixels`]), turns it upright, and shrinks it (`cv::resize`,
//! bilinear, 11-bit weights). Bilinear shrinking looks at no more than four source pixels for each of its own, so only
//! these are turned into BGR here.

use super::pixels::{RowReader, Turn};
use crate::media::YuvFrame;

/// Fixed-point one of OpenCV's bilinear weights.
const ONE: f32 = 2048.0;

/// Where one row or column of the small picture comes from: two source positions and their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tap {
    at: [usize; 2],
    weight: [i16; 2],
}

/// Samples pictures of one size.
#[derive(Debug)]
pub struct Sampler {
    source: (usize, usize),
    /// Of the small picture, upright.
    pub width: usize,
    pub height: usize,
    /// Both sides are halved exactly: OpenCV then averages four pixels.
    halves: bool,
    rows: Vec<Tap>,
    /// Weights of the left and of the right column of each pixel.
    weights: [Vec<i16>; 2],
    /// Reads the left columns of all pixels, then the right ones.
    reader: RowReader,
    /// The two source rows of the current row, shrunk across; B, G and R plane by plane, with 7 fractional bits.
    lines: [Vec<i16>; 2],
    /// Which source rows these are.
    cached: [Option<usize>; 2],
    /// Blue, green and red, plane by plane: `3 * width * height`.
    pub pixels: Vec<u8>,
}

impl Sampler {
    /// For pictures of `width` x `height` as stored, turned upright and shrunk by an integer factor: sides are rounded,
    /// half to even.
    pub fn new((width, height): (usize, usize), turn: Turn, factor: usize) -> Self {
        let (upright_width, upright_height) = if turn % 180 == 90 { (height, width) } else { (width, height) };
        let shrunk = |side: usize| ((side as f64 / factor as f64).round_ties_even() as usize).max(1);
        let (small_width, small_height) = (shrunk(upright_width), shrunk(upright_height));
        let columns = taps(upright_width, small_width, true);
        let both = |side: usize| columns.iter().map(move |tap| tap.at[side]);
        let weights = |side: usize| columns.iter().map(|tap| tap.weight[side]).collect();
        Self {
            source: (width, height),
            width: small_width,
            height: small_height,
            halves: small_width * 2 == upright_width && small_height * 2 == upright_height,
            rows: taps(upright_height, small_height, false),
            weights: [weights(0), weights(1)],
            reader: RowReader::new(turn, both(0).chain(both(1)).collect()),
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
        self.cached = [None; 2];
        for row in 0..self.rows.len() {
            let Some(tap) = self.rows.get(row).copied() else { return };
            self.load(frame, tap);
            self.store(row, tap);
        }
    }

    /// Makes sure that `lines` holds the tap's two rows.
    fn load(&mut self, frame: &YuvFrame<'_>, tap: Tap) {
        // The lower row of one is often the upper row of the next.
        if self.cached[1] == Some(tap.at[0]) {
            self.lines.swap(0, 1);
            self.cached.swap(0, 1);
        }
        for side in 0..2 {
            // A row of no weight need not be read.
            if self.cached[side] == Some(tap.at[side]) || (tap.weight[side] == 0 && !self.halves) {
                continue;
            }
            self.reader.read(frame, tap.at[side]);
            self.cached[side] = Some(tap.at[side]);
            for (line, bgr) in self.lines[side].chunks_exact_mut(self.width.max(1)).zip(&self.reader.bgr) {
                let (left, right) = bgr.split_at(self.width.min(bgr.len()));
                if self.halves {
                    line.iter_mut().zip(left).zip(right).for_each(|((out, a), b)| *out = a + b);
                    continue;
                }
                let weights = self.weights[0].iter().zip(&self.weights[1]);
                for (((out, a), b), (first, second)) in line.iter_mut().zip(left).zip(right).zip(weights) {
                    let sum = i32::from(*a) * i32::from(*first) + i32::from(*b) * i32::from(*second);
                    *out = (sum >> 4) as i16;
                }
            }
        }
    }

    /// Blends the two rows into one of the small picture.
    fn store(&mut self, row: usize, tap: Tap) {
        let [upper, lower] = tap.weight;
        let (width, size) = (self.width, self.width * self.height);
        let [first, second] = &self.lines;
        let lines = first.chunks_exact(width.max(1)).zip(second.chunks_exact(width.max(1)));
        for (plane, (first, second)) in self.pixels.chunks_exact_mut(size.max(1)).zip(lines) {
            let Some(out) = plane.get_mut(row * width..(row + 1) * width) else { return };
            let both = first.iter().zip(second);
            if self.halves {
                out.iter_mut().zip(both).for_each(|(out, (a, b))| *out = ((a + b + 2) >> 2) as u8);
                continue;
            }
            for (out, (a, b)) in out.iter_mut().zip(both) {
                let part = |value: i16, weight: i16| ((i32::from(value) * i32::from(weight)) >> 16) as i16;
                *out = ((part(*a, upper) + part(*b, lower) + 2) >> 2).clamp(0, 255) as u8;
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
        let fixed = |weight: f32| (weight * ONE).round_ties_even() as i16;
        Tap { at: [clamp(at), clamp(at + 1)], weight: [fixed(1.0 - fraction), fixed(fraction)] }
    };
    (0..target).map(tap).collect()
}
