//! One stream of a file in the making.

use ffmpeg_next::codec::Parameters;
use ffmpeg_next::{Packet, Rational};

use super::clip::StreamSummary;

/// One stream of the file. Its packets wait until the headers of all streams are known.
#[derive(Default)]
pub struct Lane {
    pub ready: Option<(Parameters, Rational)>,
    pub waiting: Vec<Packet>,
    pub muxed: Option<usize>,
    pub is_ended: bool,
    pub packets: u64,
    /// Of them, those that were encoded, where others were copied.
    pub encoded: u64,
    /// Of a packet that does not tell, in its time base.
    pub usual_duration: i64,
    /// Where the last frame ends, if that is known better than by its packet: in the time base of the packets.
    pub end: Option<i64>,
    /// Pixels; 0 for sound.
    pub size: (u32, u32),
    pub range: Option<(i64, i64)>,
}

impl Lane {
    pub fn take(&mut self, mut packet: Packet) {
        if packet.duration() <= 0 {
            packet.set_duration(self.usual_duration);
        }
        let start = packet.pts().or(packet.dts()).unwrap_or(0);
        let end = start + packet.duration().max(0);
        let range = self.range.get_or_insert((start, end));
        *range = (range.0.min(start), range.1.max(end));
        self.packets += 1;
        self.waiting.push(packet);
    }

    /// What came of it; `zero`: seconds where the file's time begins.
    pub fn summary(&self, zero: f64) -> Option<StreamSummary> {
        let ((_, time_base), (start, end)) = (self.ready.as_ref()?, self.range?);
        let (width, height) = self.size;
        let seconds = |time: i64| time as f64 * f64::from(*time_base) + zero;
        let end = self.end.filter(|known| *known > start).unwrap_or(end);
        let (packets, encoded) = (self.packets, self.encoded);
        Some(StreamSummary { start: seconds(start), end: seconds(end), packets, encoded, width, height })
    }
}

/// A packet's seconds, its stream's number in the file, the packet.
pub type Turn = (f64, usize, Packet);

/// Moves what waits in both lanes to `turns`, by decoding time: a lane that had to wait for its last packet does not come
/// before the other. Nothing is allocated where there is room already: this happens at every packet.
pub fn in_turn(video: &mut Lane, sound: &mut Lane, turns: &mut Vec<Turn>) {
    for lane in [video, sound] {
        let Some(stream) = lane.muxed else { continue };
        let unit = lane.ready.as_ref().map_or(0.0, |(_, time_base)| f64::from(*time_base));
        let mut latest = f64::NEG_INFINITY;
        for packet in lane.waiting.drain(..) {
            let seconds = packet.dts().or(packet.pts()).map_or(f64::NEG_INFINITY, |time| time as f64 * unit);
            // Within a lane the order stays.
            latest = seconds.max(latest);
            turns.push((latest, stream, packet));
        }
    }
    turns.sort_by(|a, b| a.0.total_cmp(&b.0));
}
