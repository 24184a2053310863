//! Sound that came before it is known which clips it belongs to.

use std::collections::VecDeque;

use ffmpeg_next::Packet;

use crate::media::{WARM_UP, keep};

/// Packets of the stream of sound, in their order.
pub struct Held {
    /// Its number and its unit (s); none: no clip wants any.
    pub stream: Option<(usize, f64)>,
    packets: VecDeque<Packet>,
    bytes: u64,
    /// A clip that needs earlier ones (s) would lack some.
    lost: f64,
}

impl Held {
    pub fn new(stream: Option<(usize, f64)>) -> Self {
        Self { stream, packets: VecDeque::new(), bytes: 0, lost: f64::NEG_INFINITY }
    }

    pub fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter()
    }

    /// Keeps a packet. False: that were too many bytes, and all are lost.
    pub fn push(&mut self, packet: &Packet, max_bytes: u64) -> bool {
        let Some((_, unit)) = self.stream else { return true };
        self.packets.push_back(keep(packet));
        self.bytes += packet.size() as u64;
        let is_little = self.bytes <= max_bytes;
        if !is_little {
            let times = self.packets.iter().filter_map(|packet| time(packet, unit));
            self.lost = times.fold(self.lost, f64::max);
            self.packets.clear();
            self.bytes = 0;
        }
        is_little
    }

    /// No clip begins before this second: the packets that none needs go.
    pub fn forget(&mut self, second: f64) {
        let Some((_, unit)) = self.stream else { return };
        let is_old = |packet: &&Packet| time(packet, unit).is_none_or(|time| time + WARM_UP < second);
        let count = self.packets.iter().take_while(is_old).count();
        for packet in self.packets.drain(..count) {
            self.bytes -= packet.size() as u64;
        }
    }

    /// Whether nothing was lost that a clip from this second on needs.
    pub fn has_from(&self, second: f64) -> bool {
        self.stream.is_none() || self.lost + WARM_UP < second
    }
}

fn time(packet: &Packet, unit: f64) -> Option<f64> {
    packet.pts().or(packet.dts()).map(|time| time as f64 * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pts: i64) -> Packet {
        let mut packet = Packet::copy(&[0; 100]);
        packet.set_pts(Some(pts));
        packet
    }

    fn times(held: &Held) -> Vec<i64> {
        held.packets().filter_map(|packet| packet.pts()).collect()
    }

    #[test]
    fn what_a_clip_needs_stays() {
        let mut held = Held::new(Some((1, 0.1)));
        assert!((0..50).all(|pts| held.push(&packet(pts), 5000)));
        held.forget(4.0);
        assert_eq!(times(&held), (35..50).collect::<Vec<_>>(), "half a second before the clip is decoded, too");
        assert!(held.has_from(0.0));
    }

    #[test]
    fn too_much_is_lost_for_clips_that_need_it_alone() {
        let mut held = Held::new(Some((1, 0.1)));
        assert!((0..50).all(|pts| held.push(&packet(pts), 5000)));
        assert!(!held.push(&packet(50), 5000));
        assert_eq!(times(&held), [0; 0]);
        assert!(!held.has_from(5.5), "half a second before it was lost");
        assert!(held.has_from(5.6));
        assert!(held.push(&packet(51), 5000));
    }
}
