//! Still stretches, found as FFmpeg's `freezedetect` finds them: each picture is held against the first of its stretch.

use super::rows;
use super::stretches::Open;
use crate::media::YuvFrame;
use crate::subsample::black_static::Settings;
use crate::subsample::clips::Span;

/// Looks for pictures that do not change.
#[derive(Debug)]
pub struct Still {
    /// Mean absolute difference, share of the samples' range.
    noise: f64,
    /// The picture that the stretch began with: rows of all planes, one behind the other.
    first: Vec<u8>,
    shape: (usize, usize, u32, (u32, u32)),
    open: Open,
}

impl Still {
    pub fn new(settings: &Settings) -> Self {
        // The filter counts in microseconds.
        let open = Open { least: settings.static_min_duration - 5e-7, ..Open::default() };
        Self { noise: settings.noise, first: Vec::new(), shape: (0, 0, 0, (0, 0)), open }
    }

    pub fn push(&mut self, frame: &YuvFrame<'_>) {
        let shape = (frame.width, frame.height, frame.depth, frame.chroma_shift);
        if std::mem::replace(&mut self.shape, shape) == shape && self.is_like_first(frame) {
            return;
        }
        self.open.close(frame.seconds);
        self.open.start = Some(frame.seconds);
        self.first.clear();
        for row in (0..3).flat_map(|plane| rows(frame, plane)) {
            self.first.extend_from_slice(row);
        }
    }

    pub fn finish(&mut self, end: f64) -> Vec<Span> {
        self.open.close(end);
        std::mem::take(&mut self.open.closed)
    }

    /// No more rows are compared than it takes to be sure.
    fn is_like_first(&self, frame: &YuvFrame<'_>) -> bool {
        let bytes = if frame.depth > 8 { 2 } else { 1 };
        let samples = self.first.len() / bytes;
        let most = self.noise * samples as f64 * f64::from(1u32 << frame.depth);
        let mut rest = self.first.as_slice();
        let mut sum = 0u64;
        for row in (0..3).flat_map(|plane| rows(frame, plane)) {
            let Some((first, behind)) = rest.split_at_checked(row.len()) else { return false };
            rest = behind;
            sum += difference(row, first, bytes);
            if sum as f64 > most {
                return false;
            }
        }
        true
    }
}

fn difference(a: &[u8], b: &[u8], bytes: usize) -> u64 {
    if bytes == 1 {
        return a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>().into();
    }
    let word = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
    let pairs = a.chunks_exact(2).zip(b.chunks_exact(2));
    pairs.map(|(a, b)| u64::from(word(a).abs_diff(word(b)))).sum()
}
