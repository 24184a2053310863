//! A perceptual hash of each frame, and how far it is from the last: robust against noise, light and small movement.
//!
//! The luma is shrunk to a small square, the square's two-dimensional DCT gives the coarse structure, and each of its
//! lowest coefficients is one bit: above the median or not. (Zauner, "Implementation and benchmarking of perceptual image
//! hash functions", 2010; PySceneDetect's `HashDetector` is of the same kind.)

use crate::media::YuvFrame;
use crate::subsample::luma::shrink;

/// Coefficients on each side: 256 bits.
const SIZE: usize = 16;
/// Pixels on each side: the DCT's upper half is thrown away.
const SIDE: usize = 2 * SIZE;

/// Distance of hashes, 0 to 1.
#[derive(Debug)]
pub struct HashScore {
    cosines: Vec<f32>,
    small: Vec<f32>,
    last: Option<[bool; SIZE * SIZE]>,
}

impl Default for HashScore {
    fn default() -> Self {
        Self::new()
    }
}

impl HashScore {
    pub fn new() -> Self {
        let cosine = |n: usize| {
            let (k, x) = (n / SIDE, n % SIDE);
            (std::f32::consts::PI / SIDE as f32 * (x as f32 + 0.5) * k as f32).cos()
        };
        Self { cosines: (0..SIZE * SIDE).map(cosine).collect(), small: Vec::new(), last: None }
    }

    /// The share of bits that differ from the last frame's; 0 for the first.
    pub fn push(&mut self, frame: &YuvFrame<'_>) -> f64 {
        shrink(frame, SIDE, SIDE, &mut self.small);
        let bits = self.bits(&self.small);
        match self.last.replace(bits) {
            Some(last) => bits.iter().zip(&last).filter(|(a, b)| a != b).count() as f64 / bits.len() as f64,
            None => 0.0,
        }
    }

    fn bits(&self, picture: &[f32]) -> [bool; SIZE * SIZE] {
        // Rows first, then columns: SIZE of SIDE coefficients each.
        let mut across = [0.0; SIZE * SIDE];
        for (row, out) in picture.chunks_exact(SIDE).zip(across.chunks_exact_mut(SIZE)) {
            for (out, cosines) in out.iter_mut().zip(self.cosines.chunks_exact(SIDE)) {
                *out = row.iter().zip(cosines).map(|(a, b)| a * b).sum();
            }
        }
        let mut both = [0.0f32; SIZE * SIZE];
        for (n, out) in both.iter_mut().enumerate() {
            let (k, column) = (n / SIZE, n % SIZE);
            let cosines = self.cosines.get(k * SIDE..(k + 1) * SIDE).unwrap_or_default();
            *out = cosines.iter().zip(across.iter().skip(column).step_by(SIZE)).map(|(a, b)| a * b).sum();
        }
        let mut sorted = both;
        sorted.sort_by(f32::total_cmp);
        let median = (sorted[both.len() / 2 - 1] + sorted[both.len() / 2]) / 2.0;
        std::array::from_fn(|n| both[n] > median)
    }
}
