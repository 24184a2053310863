//! Finds the black and the still stretches of one video.

use serde_json::{Map, Value, json};

use super::Segments;
use super::black::is_black;
use super::freeze::Reference;
use crate::media::YuvFrame;
use crate::sample::Failure;
use crate::subsample::black_static::Settings;
use crate::subsample::clips::Span;
use crate::subsample::watch::{Watched, Watcher};

/// Finds the black and the still stretches of one video.
pub struct Stills {
    settings: Settings,
    black: Segments,
    still: Segments,
    reference: Reference,
}

impl Stills {
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            black: Segments::new(settings.black_min_duration),
            still: Segments::new(settings.static_min_duration),
            reference: Reference::default(),
        }
    }
}

impl Watcher for Stills {
    fn frame(&mut self, frame: &YuvFrame<'_>) -> Result<(), Failure> {
        let Settings { pixel_black_th, picture_black_ratio_th, static_noise, .. } = self.settings;
        if is_black(frame, pixel_black_th, picture_black_ratio_th) {
            self.black.open(frame.seconds);
        } else {
            self.black.close(frame.seconds);
        }
        if self.reference.is_empty() || !self.reference.is_same(frame, static_noise) {
            self.still.close(frame.seconds);
            self.reference.take(frame);
        }
        self.still.open(self.reference.seconds);
        Ok(())
    }

    fn finish(mut self: Box<Self>, video: &Watched) -> Result<Map<String, Value>, Failure> {
        self.black.close(video.end);
        self.still.close(video.end);
        let duration = video.end - video.times.first().copied().unwrap_or(0.0);
        let tidy = |seconds: f64| (seconds * 1e6).round() / 1e6;
        let mut fields = Map::new();
        for (name, segments) in [("black", self.black), ("static", self.still)] {
            let found = segments.into_found();
            let sum: f64 = found.iter().map(|(start, end)| end - start).sum();
            let spans: Vec<Span> = found.into_iter().map(|(start, end)| (tidy(start), tidy(end))).collect();
            fields.insert(format!("{name}_segments"), json!(spans));
            fields.insert(
                format!("{name}_ratio"),
                json!(if duration > 0.0 { tidy(sum / duration).min(1.0) } else { 0.0 }),
            );
        }
        Ok(fields)
    }
}
