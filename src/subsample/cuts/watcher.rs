//! The detectors of one video: at its own frame rate, and at lower ones.

use serde_json::{Map, Value, json};

use super::{Adaptive, Content, ContentScore, Decide, Factor, HashScore};
use crate::media::YuvFrame;
use crate::sample::Failure;
use crate::subsample::cut_detection::{Detector, Mode, Settings};
use crate::subsample::watch::{Found, Watched, Watcher};

enum Score {
    Content(Box<ContentScore>),
    Hash(Box<HashScore>),
}

impl Score {
    fn push(&mut self, frame: &YuvFrame<'_>) -> f64 {
        match self {
            Score::Content(score) => score.push(frame),
            Score::Hash(score) => score.push(frame),
        }
    }
}

/// One detector on every `step`-th frame.
struct Track {
    /// Field of its list: `cuts_original_fps`, `cuts_5`.
    name: String,
    step: u64,
    score: Score,
    decide: Box<dyn Decide>,
    cuts: Vec<u64>,
}

/// All detectors of one video.
pub struct Cuts {
    tracks: Vec<Track>,
    mode: Mode,
    frames: u64,
}

impl Cuts {
    /// `fps`: frames a second of the video on average, 0 where nobody knows; `turn`: degrees clockwise until its pictures
    /// stand upright.
    pub fn new(settings: &Settings, fps: f64, turn: u32) -> Self {
        let track = |name: String, step: u64, factor: Factor| Track {
            name,
            step,
            score: match settings.detector {
                Detector::Hash => Score::Hash(Box::default()),
                _ => Score::Content(Box::new(ContentScore::new(factor, turn))),
            },
            decide: match settings.detector {
                Detector::Adaptive => Box::new(Adaptive::new(
                    settings.adaptive_threshold,
                    settings.min_scene_len,
                    settings.window_width,
                    settings.min_content_val,
                )),
                _ => Box::new(Content::new(settings.threshold(), settings.min_scene_len)),
            },
            cuts: Vec::new(),
        };
        let mut tracks = vec![track("cuts_original_fps".into(), 1, Factor::To64)];
        for rate in settings.framerates.iter().flatten() {
            // video2dataset's rule; it leaves the shrinking to PySceneDetect there.
            let skipped = ((fps / rate).floor() - 1.0).max(0.0);
            tracks.push(track(format!("cuts_{rate}"), skipped as u64 + 1, Factor::To256));
        }
        Self { tracks, mode: settings.cut_detection_mode, frames: 0 }
    }

    fn scenes(&self, track: &Track) -> Vec<[u64; 2]> {
        let bounds = [0].into_iter().chain(track.cuts.iter().copied()).chain([self.frames]).collect::<Vec<_>>();
        let scenes = bounds.windows(2).map(|pair| [pair[0], pair[1]]);
        match self.mode {
            Mode::All => scenes.collect(),
            // The first of several that are as long.
            Mode::Longest => scenes.rev().max_by_key(|[start, end]| end - start).into_iter().collect(),
        }
    }
}

impl Watcher for Cuts {
    fn frame(&mut self, frame: &YuvFrame<'_>) -> Result<(), Failure> {
        for track in &mut self.tracks {
            if self.frames.is_multiple_of(track.step) {
                let score = track.score.push(frame);
                track.cuts.extend(track.decide.push(self.frames, score));
            }
        }
        self.frames += 1;
        Ok(())
    }

    fn cuts(&self) -> Option<Found<'_>> {
        let track = self.tracks.first()?;
        Some(Found { cuts: &track.cuts, known: self.frames.saturating_sub(track.decide.behind()) })
    }

    fn finish(&mut self, video: &Watched) -> Result<Map<String, Value>, Failure> {
        let mut cuts = Map::new();
        cuts.insert("original_fps".into(), json!(video.fps));
        for track in &self.tracks {
            cuts.insert(track.name.clone(), json!(self.scenes(track)));
        }
        // Frame numbers divided by an average rate are wrong as soon as the rate varies: times are those of the frames.
        let scenes = self.tracks.first().map(|track| self.scenes(track)).unwrap_or_default();
        let seconds: Vec<[f64; 2]> = scenes.iter().map(|scene| scene.map(|frame| video.second(frame))).collect();
        cuts.insert("cuts_seconds".into(), json!(seconds));
        Ok(Map::from_iter([("cuts".to_owned(), Value::Object(cuts))]))
    }
}
