//! Cues one after the other, each line once.

use super::{Cue, MAX_CUES, Subtitles, Track};

/// Cues of rolling captions follow one another at once, or nearly.
const ROLLING_GAP: f64 = 0.1;

/// Bytes of a cue's text: more is no subtitle.
const MAX_BYTES: usize = 10_000;

/// Lines of a cue.
const MAX_LINES: usize = 64;

/// Seconds: as far as spans go, too.
const MAX_SECONDS: f64 = 1e7;

/// Collects the cues of one language.
///
/// Rolling captions, which show the line before above the new one, say each line once: with the cue that brings it. A
/// cue that brings nothing new lengthens the one before.
pub struct Roll<'a> {
    all: &'a mut Subtitles,
    cues: Vec<Cue>,
    shown: Option<Cue>,
    /// Cues that earlier languages have.
    before: usize,
}

impl<'a> Roll<'a> {
    pub fn new(all: &'a mut Subtitles) -> Self {
        let before = all.tracks.iter().map(|track| track.cues.len()).sum();
        Self { all, cues: Vec::new(), shown: None, before }
    }

    /// Leaves a cue out.
    pub fn drop_for(&mut self, what: impl FnOnce() -> String) {
        self.all.drop_for(what);
    }

    /// Takes the next cue; what cannot be one is left out. A cue without text is none: players clear the screen by it.
    pub fn push(&mut self, cue: Cue) {
        let Cue { start, end, ref lines } = cue;
        if !(start >= 0.0 && end < MAX_SECONDS && start < end) {
            return self.drop_for(|| "a line ends where it begins, or before".to_owned());
        }
        if lines.len() > MAX_LINES || lines.iter().map(String::len).sum::<usize>() > MAX_BYTES {
            return self.drop_for(|| format!("a line has more than {MAX_BYTES} bytes, or {MAX_LINES} rows"));
        }
        if lines.is_empty() {
            return;
        }
        if self.before + self.cues.len() >= MAX_CUES {
            return self.drop_for(|| format!("there are more than {MAX_CUES} lines"));
        }
        let known = self.shown.as_ref().map_or(0, |shown| rolled(shown, &cue));
        match self.cues.last_mut() {
            Some(last) if known == cue.lines.len() => last.end = last.end.max(cue.end),
            _ => self.cues.push(Cue { lines: cue.lines.iter().skip(known).cloned().collect(), ..cue }),
        }
        self.shown = Some(cue);
    }

    /// The language is over.
    pub fn finish(self, language: &str) {
        if !self.cues.is_empty() {
            self.all.tracks.push(Track { language: language.to_owned(), cues: self.cues });
        }
    }
}

/// How many of a cue's first lines the cue before it has shown as its last.
fn rolled(before: &Cue, cue: &Cue) -> usize {
    if cue.start < before.start || cue.start > before.end + ROLLING_GAP {
        return 0;
    }
    let most = before.lines.len().min(cue.lines.len());
    (0..=most).rev().find(|n| before.lines.iter().rev().take(*n).rev().eq(cue.lines.iter().take(*n))).unwrap_or(0)
}
