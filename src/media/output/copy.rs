//! Packets that are copied.

use ffmpeg_next::{Packet, Rational};

use super::muxer::keep;
use crate::media::Stretch;

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

/// As above; a packet of sound belongs to the clip that its middle lies in.
pub fn copy_sound(packet: &Packet, time_base: Rational, span: (f64, f64), zero: i64) -> Option<Packet> {
    let time = packet.pts().or(packet.dts())?;
    let middle = (time as f64 + packet.duration().max(0) as f64 / 2.0) * f64::from(time_base);
    (middle >= span.0 && middle < span.1).then(|| shifted(packet, zero))
}

fn shifted(packet: &Packet, by: i64) -> Packet {
    let mut kept = keep(packet);
    kept.set_pts(packet.pts().map(|time| time - by));
    kept.set_dts(packet.dts().map(|time| time - by));
    kept
}
