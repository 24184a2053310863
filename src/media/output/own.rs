//! Which packets of a pass belong to a clip.

use ffmpeg_next::{Packet, Rational};

use super::muxer::keep;
use crate::media::Stretch;

/// Seconds before a clip's start from which on its sound is decoded: what comes first depends on what was before it.
pub const WARM_UP: f64 = 0.5;

/// The run of a sound stream's packets that a clip is made of: it depends on their times alone, not on when the packets and
/// frames of other streams come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gate {
    is_open: bool,
    is_over: bool,
}

impl Gate {
    /// Whether a packet of sound is one of them, for a clip from second to second of the stream's clock.
    pub fn takes(&mut self, packet: &Packet, time_base: Rational, span: (f64, f64)) -> bool {
        let seconds = |time: i64| time as f64 * f64::from(time_base);
        let starts = |time: i64| span.0 <= seconds(time) + WARM_UP;
        self.is_open |= span.0 == f64::NEG_INFINITY || packet.pts().or(packet.dts()).is_some_and(starts);
        let takes = self.is_open && !self.is_over;
        // A packet that is decoded behind the end has only such behind it.
        self.is_over |= takes && packet.dts().or(packet.pts()).is_some_and(|time| seconds(time) >= span.1);
        takes
    }
}

/// The packet with the clip's own times, if it belongs to the clip.
pub fn copy_video(
    packet: &Packet,
    stretch: Option<Stretch>,
    zero: i64,
    is_over: &mut bool,
    has_key: &mut bool,
) -> Option<Packet> {
    let time = packet.pts().or(packet.dts());
    if let (Some(stretch), Some(time)) = (stretch, time) {
        // Pictures that lead the next group refer to its keyframe, which is not in this clip.
        *is_over |= packet.is_key() && time >= stretch.end;
        if *is_over || !(stretch.start..stretch.end).contains(&time) {
            return None;
        }
    }
    *has_key |= packet.is_key();
    if !*has_key {
        return None;
    }
    Some(shifted(packet, zero))
}

fn shifted(packet: &Packet, by: i64) -> Packet {
    let mut kept = keep(packet);
    kept.set_pts(packet.pts().map(|time| time - by));
    kept.set_dts(packet.dts().map(|time| time - by));
    kept
}
