//! Presentation times where the container keeps none: AVI stores decoding times alone, also of reordered frames.

use super::{DecodeOptions, Event, Media, PacketInfo, PassOptions};

/// What packets of one stream are given while they are read.
pub(super) struct Times {
    pub stream: usize,
    /// Presentation times, by the packet's place in the file.
    pub shown: Vec<i64>,
    /// Packets of the stream that were read.
    pub met: usize,
    /// Whether the container's own decoding times are left out.
    pub hides_decoding: bool,
}

impl Times {
    pub fn give(&mut self, packet: &mut ffmpeg_next::Packet) {
        if packet.stream() != self.stream {
            return;
        }
        if self.hides_decoding {
            packet.set_dts(None);
        }
        packet.set_pts(self.shown.get(self.met).copied());
        self.met += 1;
    }
}

/// Presentation times of the video's packets, which have decoding times alone. `None`: they cannot be told, because
/// frames are missing, or several lie in one packet.
///
/// Decodes the video once, with the packets' numbers for times: the decoder brings the numbers out in the order of
/// presentation. The n-th frame is then shown at the n-th decoding time, and all of them as much later as no frame is shown
/// before it is decoded. This is the clock of FFmpeg's decoders (`best_effort_timestamp`).
pub(super) fn times(media: &mut Media, stream: usize, packets: &[PacketInfo]) -> Option<Vec<i64>> {
    let mut decoding = packets.iter().map(|packet| packet.dts).collect::<Option<Vec<i64>>>()?;
    let count = i64::try_from(packets.len()).ok()?;
    media.set_times(Some(Times { stream, shown: (0..count).collect(), met: 0, hides_decoding: true }));
    let order = order(media);
    media.set_times(None);
    let order = order?;
    let own = decoding.clone();
    decoding.sort_unstable();
    let mut shown = vec![None; packets.len()];
    for (number, time) in order.iter().zip(&decoding) {
        let place = shown.get_mut(usize::try_from(*number).ok()?)?;
        if place.replace(*time).is_some() {
            return None;
        }
    }
    let shown = shown.into_iter().collect::<Option<Vec<i64>>>()?;
    let delay = own.iter().zip(&shown).map(|(decoded, shown)| decoded - shown).max()?;
    Some(shown.into_iter().map(|time| time + delay).collect())
}

/// The packets' numbers in the order of presentation.
fn order(media: &mut Media) -> Option<Vec<i64>> {
    let options = PassOptions { frames: Some(DecodeOptions::default()), ..PassOptions::default() };
    let mut pass = media.pass(options).ok()?;
    let mut order = Vec::new();
    while let Some(event) = pass.next_event().ok()? {
        if let Event::Frame(frame) = event {
            order.push(frame.pts?);
        }
    }
    Some(order)
}
