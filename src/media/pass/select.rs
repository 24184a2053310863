//! Which packets of a video a pass has to decode.

use crate::media::PacketInfo;

/// What is done with one packet of the video, by its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Decode,
    /// No output shows its frame: decoded only as far as later frames refer to it.
    DecodeIfReferred,
    Skip,
}

/// A stretch of frames that outputs need: presentation times in the stream's time base, the end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub start: i64,
    pub end: i64,
}

/// The least that has to be decoded for all frames of `stretches`: from the last keyframe before each to its last packet.
///
/// Frames before that keyframe are nobody's reference from there on; pictures that lead it are shown before it, so outside
/// of the stretch. `None`: packets without times, or an empty index; decode all.
///
/// `shown`: of those, the frames that outputs show, by their presentation time; the others are decoded only if referred to.
pub fn select(
    packets: &[PacketInfo],
    stretches: &[Stretch],
    shown: Option<&dyn Fn(i64) -> bool>,
) -> Option<Vec<Action>> {
    if packets.iter().any(|packet| packet.pts.is_none()) {
        return None;
    }
    let mut actions = vec![Action::Skip; packets.len()];
    for stretch in stretches {
        let is_shown =
            |time: i64| (stretch.start..stretch.end).contains(&time) && shown.is_none_or(|shown| shown(time));
        let (first, last) = bounds(packets, stretch.start, is_shown)?;
        for (packet, action) in packets.get(first..=last)?.iter().zip(actions.get_mut(first..=last)?) {
            let time = packet.pts?;
            let wanted = if is_shown(time) || shown.is_none() { Action::Decode } else { Action::DecodeIfReferred };
            if *action != Action::Decode {
                *action = wanted;
            }
        }
    }
    Some(actions)
}

/// First and last packet, in the file's order, that frames from `start` on need of which some are shown: what comes behind
/// the last of those is nobody's reference any more.
fn bounds(packets: &[PacketInfo], start: i64, is_shown: impl Fn(i64) -> bool) -> Option<(usize, usize)> {
    let starts = |packet: &PacketInfo| packet.is_key && packet.pts.is_some_and(|time| time <= start);
    let first = packets.iter().rposition(starts).unwrap_or(0);
    let last = packets.iter().rposition(|packet| packet.pts.is_some_and(&is_shown)).unwrap_or(first).max(first);
    (first < packets.len()).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Decode, DecodeIfReferred, Skip};

    /// Groups of I P B B in the file's order: shown as I B B P.
    fn packets() -> Vec<PacketInfo> {
        let times = [(0, true), (3, false), (1, false), (2, false), (4, true), (7, false), (5, false), (6, false)];
        let packet = |(pts, is_key)| PacketInfo {
            pts: Some(pts),
            dts: None,
            duration: 1,
            size: 1,
            position: None,
            is_key,
            is_discarded: false,
            is_corrupt: false,
        };
        times.into_iter().map(packet).collect()
    }

    fn selected(start: i64, end: i64) -> Vec<Action> {
        select(&packets(), &[Stretch { start, end }], None).unwrap()
    }

    #[test]
    fn from_the_keyframe_before_to_the_last_packet() {
        assert_eq!(selected(5, 6), [Skip, Skip, Skip, Skip, Decode, Decode, Decode, Skip]);
        assert_eq!(selected(1, 2), [Decode, Decode, Decode, Skip, Skip, Skip, Skip, Skip]);
        assert_eq!(selected(0, 8), [Decode; 8]);
        assert_eq!(selected(2, 5), [Decode, Decode, Decode, Decode, Decode, Skip, Skip, Skip]);
    }

    #[test]
    fn stretches_add_up_and_frames_that_nobody_shows_are_marked() {
        let shown = |time: i64| time % 4 == 0 || time == 5;
        let both = [Stretch { start: 0, end: 2 }, Stretch { start: 4, end: 8 }];
        // Behind the last shown one, in the file's order, nothing is needed.
        let want = [Decode, Skip, Skip, Skip, Decode, DecodeIfReferred, Decode, Skip];
        assert_eq!(select(&packets(), &both, Some(&shown)).unwrap(), want);
    }

    #[test]
    fn no_times_no_choice() {
        let mut packets = packets();
        packets[3].pts = None;
        assert_eq!(select(&packets, &[Stretch { start: 0, end: 1 }], None), None);
    }
}
