//! Whether a picture is the same as one before it, as FFmpeg's `freezedetect` sees it.

use super::black::rows;
use crate::media::YuvFrame;

/// The picture that others are compared with.
#[derive(Debug, Default)]
pub struct Reference {
    shape: Option<(usize, usize, u32, (u32, u32))>,
    samples: Vec<u8>,
    pub seconds: f64,
}

impl Reference {
    /// Whether the mean difference over all samples of all planes is at most `noise`, a share of the range.
    pub fn is_same(&self, frame: &YuvFrame<'_>, noise: f64) -> bool {
        if self.shape != Some(shape(frame)) {
            return false;
        }
        let mut rest = self.samples.as_slice();
        let (mut sum, mut count) = (0u64, 0u64);
        let limit = noise * f64::from(1u32 << frame.depth.min(16));
        for row in (0..3).flat_map(|plane| rows(frame, plane)) {
            let (before, after) = rest.split_at(row.len().min(rest.len()));
            rest = after;
            sum += difference(row, before, frame.depth);
            count += row.len() as u64;
        }
        let samples = if frame.depth > 8 { count / 2 } else { count };
        sum as f64 / samples.max(1) as f64 <= limit
    }

    pub fn take(&mut self, frame: &YuvFrame<'_>) {
        self.shape = Some(shape(frame));
        self.seconds = frame.seconds;
        self.samples.clear();
        for row in (0..3).flat_map(|plane| rows(frame, plane)) {
            self.samples.extend_from_slice(row);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.shape.is_none()
    }
}

fn shape(frame: &YuvFrame<'_>) -> (usize, usize, u32, (u32, u32)) {
    (frame.width, frame.height, frame.depth, frame.chroma_shift)
}

fn difference(row: &[u8], before: &[u8], depth: u32) -> u64 {
    if depth > 8 {
        let sample = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
        let pairs = row.chunks_exact(2).zip(before.chunks_exact(2));
        return pairs.map(|(a, b)| u64::from(sample(a).abs_diff(sample(b)))).sum();
    }
    u64::from(row.iter().zip(before).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>())
}
