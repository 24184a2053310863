//! The packet index: where each packet of a stream lies and when it is shown.

use ffmpeg_next::packet::Ref as _;
use ffmpeg_next::{Packet, ffi};

use super::{Media, MediaError};

/// One packet. Times in units of the stream's time base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketInfo {
    /// Presentation time; some containers (AVI) leave it out.
    pub pts: Option<i64>,
    /// Decoding time.
    pub dts: Option<i64>,
    /// 0 where the container does not tell.
    pub duration: i64,
    /// Bytes.
    pub size: usize,
    /// Byte offset in the file, where it is known.
    pub position: Option<u64>,
    pub is_key: bool,
    /// Decoded but never shown: it lies outside of the edit list.
    pub is_discarded: bool,
    pub is_corrupt: bool,
}

impl PacketInfo {
    /// Presentation time, or the decoding time where there is none.
    pub fn time(&self) -> Option<i64> {
        self.pts.or(self.dts)
    }
}

/// The index of one stream; `look` is shown every packet of the file.
pub(super) fn index(
    media: &mut Media,
    stream: usize,
    look: &mut dyn FnMut(&Packet),
) -> Result<Vec<PacketInfo>, MediaError> {
    let limit = media.limits().max_packets;
    let mut packets = Vec::new();
    let mut packet = Packet::empty();
    let mut count = 0;
    // A file that ends early has the packets that it has.
    while media.read(&mut packet).unwrap_or(false) {
        count += 1;
        if count > limit {
            return Err(MediaError::TooManyPackets { count, limit });
        }
        look(&packet);
        if packet.stream() == stream {
            packets.push(info(&packet));
        }
    }
    Ok(packets)
}

fn info(packet: &Packet) -> PacketInfo {
    // SAFETY: the packet is borrowed. The wrapper's flags know no `discard`.
    let flags = unsafe { (*packet.as_ptr()).flags };
    PacketInfo {
        pts: packet.pts(),
        dts: packet.dts(),
        duration: packet.duration(),
        size: packet.size(),
        position: u64::try_from(packet.position()).ok(),
        is_key: packet.is_key(),
        is_discarded: flags & ffi::AV_PKT_FLAG_DISCARD != 0,
        is_corrupt: packet.is_corrupt(),
    }
}
