//! Where in a clip copying begins and ends.

use super::NotSmart;
use super::sets::Sets;
use super::units::Framing;
use crate::media::{PacketInfo, Stretch, VideoCodec};

/// Quality of the edges, which stand beside frames of the source: over 40 dB on real footage.
const CRF: f64 = 18.0;
/// Quantizers may lie above the quality's own by so much: x264 takes single frames, as edges often are, for a part of
/// something long that moves, and quantizes them coarsely (39 dB where 42 are meant).
const ROOM: f64 = 4.0;
/// Less than this copied is not worth two more seams. Frames.
const LEAST: usize = 8;

/// How a stream is coded, and how its edges have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::media) struct Coding {
    pub sets: Sets,
    pub framing: Framing,
    /// x264's name.
    pub profile: &'static str,
    /// FFmpeg's names of the pixel formats.
    pub formats: &'static str,
    /// How many frames at most come before one that is shown before them.
    pub depth: u32,
    /// The number of the edges' own parameter sets.
    pub id: u32,
}

/// A place between two packets, in the file's order, over which no frame is reordered: all frames before it are shown
/// before all behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Packets before it.
    at: usize,
    /// When the last frame before it is shown.
    before: i64,
    /// When the first frame behind it is shown.
    behind: i64,
    /// Nothing behind it refers to what is before.
    refreshes: bool,
}

/// The places of a stream where copying may begin and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    places: Vec<Place>,
    /// By packet: how many up to it cannot be copied.
    unusable: Vec<usize>,
    /// When frames are shown, rising.
    times: Vec<i64>,
    pub(in crate::media) coding: Coding,
}

/// The parts of one clip: frames before `copied` are encoded, and those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seams {
    pub whole: Stretch,
    pub copied: Stretch,
    /// Frames: before the copied part, in it, and behind it.
    pub frames: [usize; 3],
}

impl Groups {
    /// FFmpeg's name of the encoder for the edges.
    pub const ENCODER: &str = "libx264";

    pub(super) fn new(packets: &[PacketInfo], refreshes: &[bool], coding: Coding) -> Result<Self, NotSmart> {
        let shown: Vec<i64> = packets.iter().map(|packet| packet.pts).collect::<Option<_>>().ok_or(NotSmart::Times)?;
        let sorted = |mut times: Vec<i64>| {
            times.sort_unstable();
            times
        };
        let all = sorted(shown.clone());
        if all.iter().zip(all.iter().skip(1)).any(|(time, next)| time == next) {
            return Err(NotSmart::Times);
        }
        let coding = Coding { depth: depth(&shown), ..coding };
        let times =
            sorted(packets.iter().filter(|packet| !packet.is_discarded).filter_map(|packet| packet.pts).collect());
        let is_unusable = packets.iter().map(|packet| packet.is_discarded || packet.is_corrupt);
        let unusable = std::iter::once(0).chain(is_unusable.scan(0, |count, is_unusable| {
            *count += usize::from(is_unusable);
            Some(*count)
        }));
        let unusable = unusable.collect();
        Ok(Self { places: places(&shown, refreshes), unusable, times, coding })
    }

    /// The parts of a clip of these frames.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn seams(&self, whole: Stretch) -> Result<Seams, NotSmart> {
        let begun = self.places.partition_point(|place| place.behind < whole.start);
        let mut inside = self.places.iter().skip(begun).take_while(|place| place.behind < whole.end);
        let first = inside.find(|place| place.refreshes).ok_or(NotSmart::NoGroup)?;
        let ended = self.places.partition_point(|place| place.before < whole.end);
        let last = self.places.get(..ended).and_then(<[Place]>::last).ok_or(NotSmart::NoGroup)?;
        if last.at <= first.at {
            return Err(NotSmart::TooLittle);
        }
        let copied = Stretch { start: first.behind, end: last.behind.min(whole.end) };
        let count = |start: i64, end: i64| {
            let below = |limit: i64| self.times.partition_point(|time| *time < limit);
            below(end).saturating_sub(below(start))
        };
        let frames = [count(whole.start, copied.start), count(copied.start, copied.end), count(copied.end, whole.end)];
        if frames[0] + frames[2] > 0 && frames[1] < LEAST {
            return Err(NotSmart::TooLittle);
        }
        match (self.unusable.get(first.at), self.unusable.get(last.at)) {
            (Some(before), Some(behind)) if before == behind => Ok(Seams { whole, copied, frames }),
            _ => Err(NotSmart::Damaged),
        }
    }

    /// Whether the edges have this pixel format.
    pub fn encodes(&self, format: &str) -> bool {
        self.coding.formats.split('|').any(|known| known == format)
    }

    /// The encoder of the edges. Speed and quality may be set; all else follows the source.
    pub fn edges(&self, preset: Option<&str>, crf: Option<f64>) -> VideoCodec {
        let crf = crf.unwrap_or(CRF);
        let options = [
            ("preset", preset.unwrap_or("medium").to_owned()),
            ("crf", crf.to_string()),
            ("qmax", (crf + ROOM).round().to_string()),
            ("profile", self.coding.profile.to_owned()),
            // Edges are a few frames: reordering them gains nothing.
            ("bf", "0".to_owned()),
            ("x264-params", format!("sps-id={}", self.coding.id)),
        ];
        VideoCodec {
            encoder: Self::ENCODER.to_owned(),
            formats: self.coding.formats.to_owned(),
            options: options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

impl Seams {
    /// The stretches to encode.
    pub fn edges(&self) -> impl Iterator<Item = Stretch> {
        let lead = Stretch { start: self.whole.start, end: self.copied.start };
        let tail = Stretch { start: self.copied.end, end: self.whole.end };
        let [before, _, behind] = self.frames;
        [(lead, before), (tail, behind)].into_iter().filter(|(_, frames)| *frames > 0).map(|(edge, _)| edge)
    }

    /// Frames to encode.
    pub fn encoded(&self) -> usize {
        self.frames[0] + self.frames[2]
    }
}

/// How many frames at most come before one that is shown before them. No decoder holds more than 16.
fn depth(shown: &[i64]) -> u32 {
    let held = |at: usize| {
        let (own, before) = (shown.get(at)?, shown.get(at.saturating_sub(32)..at)?);
        u32::try_from(before.iter().filter(|time| *time > own).count()).ok()
    };
    (0..shown.len()).filter_map(held).max().unwrap_or(0).min(16)
}

/// `shown`: times of the packets, in the file's order.
fn places(shown: &[i64], refreshes: &[bool]) -> Vec<Place> {
    let mut earliest: Vec<i64> = shown.to_vec();
    let mut least = i64::MAX;
    for time in earliest.iter_mut().rev() {
        least = least.min(*time);
        *time = least;
    }
    earliest.push(i64::MAX);
    let mut before = i64::MIN;
    let mut places = Vec::new();
    for (at, behind) in earliest.into_iter().enumerate() {
        if before < behind {
            // A refresh that is not the first to be shown is followed by frames that refer past it.
            let refreshes = refreshes.get(at).is_some_and(|refreshes| *refreshes) && shown.get(at) == Some(&behind);
            places.push(Place { at, before, behind, refreshes });
        }
        before = before.max(shown.get(at).copied().unwrap_or(before));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pts: i64) -> PacketInfo {
        PacketInfo {
            pts: Some(pts),
            dts: None,
            duration: 1,
            size: 1,
            position: None,
            is_key: false,
            is_discarded: false,
            is_corrupt: false,
        }
    }

    fn coding() -> Coding {
        Coding {
            sets: Sets::default(),
            framing: Framing::Lengths(4),
            profile: "high",
            formats: "yuv420p",
            depth: 2,
            id: 1,
        }
    }

    /// Groups of 12 shown as I B B P …, coded as I P B B; every second one refreshes, the others let B refer past them.
    fn groups() -> Groups {
        let mut shown = vec![(0, true)];
        for p in 1..=16 {
            let at = p * 3;
            shown.extend([(at, at % 24 == 0), (at - 2, false), (at - 1, false)]);
        }
        // What refreshes is shown before all that follows: its leading frames come before it.
        for refresh in [24, 48] {
            let at = shown.iter().position(|(time, _)| *time == refresh).unwrap();
            shown[at..at + 3].rotate_left(1);
        }
        let packets: Vec<_> = shown.iter().map(|(time, _)| packet(*time)).collect();
        let refreshes: Vec<_> = shown.iter().map(|(_, refreshes)| *refreshes).collect();
        Groups::new(&packets, &refreshes, coding()).unwrap()
    }

    fn seams(start: i64, end: i64) -> Result<(i64, i64, [usize; 3]), NotSmart> {
        let seams = groups().seams(Stretch { start, end })?;
        Ok((seams.copied.start, seams.copied.end, seams.frames))
    }

    #[test]
    fn copies_from_a_refresh_to_the_last_place_that_nothing_is_reordered_over() {
        assert_eq!(seams(0, 49), Ok((0, 49, [0, 49, 0])));
        // Frame 34 would need 36, which is shown behind it.
        assert_eq!(seams(20, 35), Ok((24, 34, [4, 10, 1])));
        assert_eq!(seams(20, 37), Ok((24, 37, [4, 13, 0])));
        assert_eq!(seams(0, 24), Ok((0, 24, [0, 24, 0])));
        assert_eq!(seams(1, 24), Err(NotSmart::NoGroup));
        assert_eq!(seams(20, 30), Err(NotSmart::TooLittle));
        assert_eq!(seams(24, 25), Ok((24, 25, [0, 1, 0])));
    }

    #[test]
    fn what_is_damaged_or_never_shown_is_not_copied() {
        let mut packets: Vec<_> = (0..30).map(packet).collect();
        packets[20].is_discarded = true;
        let refreshes: Vec<_> = (0..30).map(|n| n % 10 == 0).collect();
        let groups = Groups::new(&packets, &refreshes, coding()).unwrap();
        assert_eq!(groups.seams(Stretch { start: 5, end: 20 }).map(|seams| seams.frames), Ok([5, 10, 0]));
        assert_eq!(groups.seams(Stretch { start: 5, end: 25 }), Err(NotSmart::Damaged));
        packets[3].pts = Some(4);
        assert_eq!(Groups::new(&packets, &refreshes, coding()), Err(NotSmart::Times));
        packets[3].pts = None;
        assert_eq!(Groups::new(&packets, &refreshes, coding()), Err(NotSmart::Times));
    }
}
