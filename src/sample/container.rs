//! Which container format a body of media has.

/// The container format, as far as the head tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// ISO base media: MP4, M4A, 3GP, fragmented MP4.
    Mp4,
    /// QuickTime.
    Mov,
    Webm,
    Matroska,
    Avi,
    Flv,
    /// MPEG transport stream, with 188-byte or (M2TS) 192-byte packets.
    MpegTs,
    /// MPEG program stream.
    MpegPs,
    /// ASF: WMV, WMA.
    Asf,
    Ogg,
    Wav,
    Flac,
    Mp3,
    /// AAC in ADTS frames.
    Aac,
    Gif,
    /// Binary, but nothing that is known here: a decoder will judge.
    Unknown,
}
