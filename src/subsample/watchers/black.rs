//! Black stretches, found as FFmpeg's `blackdetect` finds them.

use super::rows;
use super::stretches::Open;
use crate::media::YuvFrame;
use crate::subsample::black_static::Settings;
use crate::subsample::clips::Span;

/// Looks for black pictures.
#[derive(Debug)]
pub struct Black {
    /// Share of the luma's range.
    pixel: f64,
    /// Share of the pixels.
    picture: f64,
    open: Open,
}

impl Black {
    /// `unit`: seconds of one tick of the stream's clock.
    pub fn new(settings: &Settings, unit: f64) -> Self {
        // The filter counts in whole ticks, which may make the least length a little less.
        let least = (settings.black_min_duration / unit).floor() * unit;
        Self {
            pixel: settings.pixel_black_th,
            picture: settings.picture_black_ratio_th,
            open: Open { least: least - unit / 2.0, ..Open::default() },
        }
    }

    pub fn push(&mut self, frame: &YuvFrame<'_>) {
        let is_black = self.is_black(frame);
        if !is_black {
            self.open.close(frame.seconds);
        } else if self.open.start.is_none() {
            self.open.start = Some(frame.seconds);
        }
    }

    pub fn finish(&mut self, end: f64) -> Vec<Span> {
        self.open.close(end);
        std::mem::take(&mut self.open.closed)
    }

    /// No more rows are counted than it takes to be sure.
    fn is_black(&self, frame: &YuvFrame<'_>) -> bool {
        let scale = f64::from(1u32 << frame.depth.saturating_sub(8));
        let top = f64::from((1u32 << frame.depth) - 1);
        let darkest = if frame.full_range { self.pixel * top } else { (16.0 + self.pixel * 219.0) * scale };
        let darkest = darkest as u16;
        let total = (frame.width * frame.height).max(1);
        let mut bright = 0;
        for row in rows(frame, 0) {
            bright += if frame.depth > 8 {
                row.chunks_exact(2).filter(|pair| u16::from_le_bytes([pair[0], pair[1]]) > darkest).count()
            } else {
                row.iter().filter(|luma| u16::from(**luma) > darkest).count()
            };
            if ((total - bright.min(total)) as f64 / total as f64) < self.picture {
                return false;
            }
        }
        true
    }
}
