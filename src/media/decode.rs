//! Frames of the first video stream, in presentation order.

use ffmpeg_next::frame;

use super::pass::{Pass, PassOptions};
use super::picture::Converter;
use super::{Media, MediaError, VideoInfo, YuvFrame, hw};
use crate::gpu::Surface;

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Threads of the decoder. One by default: samples, not frames, are what is done side by side.
    pub threads: u32,
    /// Only keyframes are decoded.
    pub keyframes_only: bool,
    /// Pictures that a GPU has decoded stay in its memory: only for users of [`DecodedFrame::surface`] and
    /// [`super::Shrinker`].
    pub stays_on_device: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { threads: 1, keyframes_only: false, stays_on_device: false }
    }
}

/// What happened while decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeReport {
    pub frames: u64,
    /// Packets that the decoder refused, skipped.
    pub corrupt_packets: u64,
    /// Frames that are shown although parts of them are missing.
    pub damaged_frames: u64,
    /// How often a frame had another size than the one before it.
    pub size_changes: u64,
    /// Frames that came without a presentation time: theirs continues the frame before.
    pub guessed_times: u64,
    /// The file ended in the middle of a packet, or in nonsense.
    pub ended_early: bool,
}

/// One decoded frame.
pub struct DecodedFrame<'a> {
    pub(super) picture: &'a frame::Video,
    pub(super) converter: &'a mut Converter,
    /// Presentation time in the stream's time base; `None` where neither container nor decoder know it.
    pub pts: Option<i64>,
    /// Presentation time, seconds from the container's start ([`Media::start_seconds`]).
    pub seconds: f64,
    pub is_key: bool,
    /// It has another size than the frame before it.
    pub is_resized: bool,
}

impl DecodedFrame<'_> {
    /// The decoder's own frame, for filters and encoders.
    pub fn raw(&self) -> &frame::Video {
        self.picture
    }

    /// Its luma in a GPU's memory, where it lies there.
    pub fn surface(&self) -> Option<Surface<'_>> {
        hw::surface(self.picture)
    }

    /// The picture as planar YUV of 8 or 10 bits, 4:2:0, 4:2:2 or 4:4:4. Lent from the decoder where it has that shape,
    /// else converted.
    pub fn yuv(&mut self) -> Result<YuvFrame<'_>, MediaError> {
        self.converter.view(self.picture, self.seconds)
    }
}

/// Decodes the first video stream.
pub struct Decoder<'m> {
    pass: Pass<'m>,
    info: VideoInfo,
}

impl<'m> Decoder<'m> {
    pub(super) fn open(media: &'m mut Media, options: DecodeOptions) -> Result<Self, MediaError> {
        let info = media.video()?;
        let pass = Pass::open(media, PassOptions { frames: Some(options), ..PassOptions::default() })?;
        Ok(Self { pass, info })
    }

    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// What happened so far.
    pub fn report(&self) -> DecodeReport {
        self.pass.report()
    }

    /// The next frame in presentation order; `None` after the last. A stream without one frame is an error.
    pub fn next_frame(&mut self) -> Result<Option<DecodedFrame<'_>>, MediaError> {
        // No packets were asked for, so every event is a frame.
        match self.pass.next_frame()? {
            true => self.pass.decoded().map(Some),
            false if self.pass.report().frames == 0 => Err(self.pass.no_frames()),
            false => Ok(None),
        }
    }
}
