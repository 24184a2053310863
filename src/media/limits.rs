//! What a sample's media may cost.

/// Limits that are checked before decoders are opened, and while they run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Width times height of a picture.
    pub max_pixels: u64,
    /// Seconds, as the container says.
    pub max_duration: f64,
    /// Frames of a video that are decoded.
    pub max_frames: u64,
    pub max_streams: u32,
    /// Packets of the whole file (an index of them is kept in memory: 56 bytes each).
    pub max_packets: u64,
    /// Packets that the decoder refuses before the sample is given up.
    pub max_corrupt_packets: u64,
}

impl Default for Limits {
    /// 8K pictures, a day, 64 streams, 10 million packets, 256 broken packets.
    fn default() -> Self {
        Self {
            max_pixels: 8192 * 4608,
            max_duration: 86_400.0,
            max_frames: 10_000_000,
            max_streams: 64,
            max_packets: 10_000_000,
            max_corrupt_packets: 256,
        }
    }
}
