//! Subtitles: what was said when, as spans to clip by and as text beside a clip.
//!
//! ```text
//! a sample's fields ──find──► read ──► webvtt, text, roll ──► tracks ──► spans, clip_subtitles (within)
//! ```

mod find;
mod read;
mod roll;
mod text;
mod webvtt;
mod within;

use super::{Span, Spans, Style};

pub use find::{DROPPED, FIELD, WITHIN, asks_for_members, find};
pub use read::read;
pub use within::Within;

/// The language of subtitles that do not say theirs (BCP 47: undetermined).
pub const UNKNOWN_LANGUAGE: &str = "und";

/// `{"problem": WHAT}` in a language's place: whoever read it found it unusable.
pub const PROBLEM: &str = "problem";

/// Cues of a sample, at most, in all languages together: a day of talk has fewer. Each may become a clip.
const MAX_CUES: usize = 50_000;

/// Lines that are shown together, from second to second.
#[derive(Debug, Clone, PartialEq)]
pub struct Cue {
    pub start: f64,
    pub end: f64,
    pub lines: Vec<String>,
}

/// The cues of one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// As the site calls it: `en`.
    pub language: String,
    pub cues: Vec<Cue>,
}

/// What a sample has of subtitles. What cannot be used is left out and counted: a typo in one line of a thousand costs
/// that line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subtitles {
    /// In the order in which they are stored; none is empty.
    pub tracks: Vec<Track>,
    /// Cues, or whole languages, that could not be used.
    pub dropped: usize,
    /// What was wrong with the first of them, or with everything.
    pub problem: Option<String>,
}

impl Cue {
    /// Seconds that the cue and a span have in common; 0 or less: none.
    fn overlap(&self, (start, end): Span) -> f64 {
        self.end.min(end) - self.start.max(start)
    }

    /// All that is shown, as one line: where it is broken into rows, the screen was too narrow.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }
}

impl Subtitles {
    fn unusable(what: impl Into<String>) -> Self {
        Self { problem: Some(what.into()), dropped: 1, ..Self::default() }
    }

    fn drop_for(&mut self, what: impl FnOnce() -> String) {
        self.dropped += 1;
        self.problem.get_or_insert_with(what);
    }

    /// The cues that clips and pictures are made of: those of the first language.
    pub fn first(&self) -> &[Cue] {
        self.tracks.first().map_or(&[], |track| &track.cues)
    }

    /// The spans of `captions_are_subtitles`: each cue of the first language is one.
    pub fn spans(&self) -> Spans {
        Spans { spans: self.first().iter().map(|cue| (cue.start, cue.end)).collect(), style: Style::Clock }
    }
}
