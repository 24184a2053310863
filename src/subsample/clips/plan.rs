//! From pieces in seconds to stretches of frames that can be cut.

use super::Span;
use crate::subsample::Cut;

/// A video's frames, as its packets tell: presentation times in units of the time base.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frames {
    /// Time, and whether it is a keyframe, in the file's (decoding) order.
    pub packets: Vec<(i64, bool)>,
    /// All times, rising.
    pub times: Vec<i64>,
    /// Seconds of one unit.
    pub unit: f64,
    /// The time that counts as second 0.
    pub zero: f64,
    /// Where the last frame ends.
    pub end: i64,
}

/// A clip that can be cut: frames with times from `start` to `end`, the end excluded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    pub start: i64,
    pub end: i64,
    /// What was asked for, seconds.
    pub asked: Span,
}

impl Frames {
    /// From packets in the file's order; `usual` is the length of a frame that is not known.
    pub fn new(packets: Vec<(i64, bool)>, unit: f64, zero: f64, usual: i64) -> Self {
        let mut times: Vec<i64> = packets.iter().map(|(time, _)| *time).collect();
        times.sort_unstable();
        let end = times.last().map_or(0, |last| last + usual.max(1));
        Self { packets, times, unit, zero, end }
    }

    /// Seconds of a time.
    pub fn seconds(&self, time: i64) -> f64 {
        time as f64 * self.unit - self.zero
    }

    /// Times of the keyframes, seconds, rising; and the end of the video, as video2dataset counts it.
    pub fn keyframes(&self) -> Vec<f64> {
        let mut keys: Vec<f64> =
            self.packets.iter().filter(|(_, is_key)| *is_key).map(|(time, _)| self.seconds(*time)).collect();
        keys.sort_by(f64::total_cmp);
        keys.push(self.seconds(self.end));
        keys
    }

    /// The frame that stands for a second: the first one at or after it, else the last; none behind the video's end.
    pub fn picture(&self, seconds: f64) -> Option<i64> {
        let time = Some(self.at(seconds)).filter(|time| *time < self.end);
        time.or_else(|| self.times.last().copied().filter(|_| seconds < self.seconds(self.end)))
    }

    /// When the first frame at or after a time is shown, or the end: where the frame before it ends.
    fn after(&self, time: i64) -> i64 {
        self.times.get(self.times.partition_point(|own| *own < time)).copied().unwrap_or(self.end)
    }

    /// The first frame at or after a second, or the end.
    fn at(&self, seconds: f64) -> i64 {
        // Seconds were written with a few digits.
        let slack = (self.unit / 2.0).min(5e-4);
        let index = self.times.partition_point(|time| self.seconds(*time) < seconds - slack);
        self.times.get(index).copied().unwrap_or(self.end)
    }
}

/// The stretch of frames that a piece becomes; none where no frame lies in it.
///
/// Copied clips begin at the last keyframe up to the piece's start. They end with its last frame, or as soon after it as
/// the frames that were reordered around it allow: all that is shown can be decoded, and no frame is missing in between.
pub fn plan(frames: &Frames, piece: Span, cut: Cut) -> Option<Planned> {
    let (start, end) = (frames.at(piece.0), frames.at(piece.1));
    if start >= end {
        return None;
    }
    match cut {
        Cut::Encode => Some(Planned { start, end, asked: piece }),
        Cut::Copy => {
            let (start, end) = copied(&frames.packets, start, end)?;
            Some(Planned { start, end: frames.after(end), asked: piece })
        }
    }
}

fn copied(packets: &[(i64, bool)], start: i64, end: i64) -> Option<(i64, i64)> {
    let first = packets.iter().rposition(|(time, is_key)| *is_key && *time <= start);
    let first = first.or_else(|| packets.iter().position(|(_, is_key)| *is_key))?;
    let start = packets.get(first)?.0;
    let mut end = end;
    loop {
        // Up to the next group of pictures: those that lead it refer to its keyframe.
        let inside = |time: i64| time >= start && time < end;
        let last = packets.iter().rposition(|(time, _)| inside(*time))?;
        let reached = packets.get(first..=last)?.iter().map(|(time, _)| time + 1).filter(|time| *time > start).max()?;
        if reached <= end {
            return Some((start, end));
        }
        end = reached;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of 12 frames at 25 a second, I P B B…: shown as I B B P.
    fn frames(groups: i64) -> Frames {
        let mut packets = Vec::new();
        for group in 0..groups {
            let base = group * 12;
            packets.push((base, true));
            for p in [3, 6, 9] {
                packets.extend([(base + p, false), (base + p - 2, false), (base + p - 1, false)]);
            }
            packets.extend([(base + 11, false), (base + 10, false)]);
        }
        Frames::new(packets, 0.04, 0.0, 1)
    }

    #[test]
    fn exact_clips_have_the_frames_of_their_span() {
        let frames = frames(4);
        let planned = plan(&frames, (0.2, 0.4), Cut::Encode).unwrap();
        assert_eq!((planned.start, planned.end), (5, 10));
        assert_eq!(plan(&frames, (0.41, 0.43), Cut::Encode), None);
        assert_eq!(plan(&frames, (1.8, 2.5), Cut::Encode).map(|planned| planned.end), Some(48));
        assert_eq!(plan(&frames, (3.0, 4.0), Cut::Encode), None);
    }

    #[test]
    fn copied_clips_begin_at_keyframes_and_have_no_holes() {
        let frames = frames(4);
        let planned = plan(&frames, (0.6, 0.72), Cut::Copy).unwrap();
        // From the keyframe at 12; the frame at 17 needs the one at 18, which is shown then, too.
        assert_eq!((planned.start, planned.end), (12, 19));
        for (start, end) in [(0, 48), (12, 24), (5, 6), (13, 47), (24, 25)] {
            let piece = (start as f64 * 0.04, end as f64 * 0.04);
            let planned = plan(&frames, piece, Cut::Copy).unwrap();
            assert!(planned.start <= start && planned.end >= end && planned.start % 12 == 0, "{planned:?}");
            assert!(planned.end <= end + 3, "{planned:?}");
        }
    }
}
