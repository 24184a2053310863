//! Frames of the first video stream, in presentation order.

use ffmpeg_next::codec::Context;
use ffmpeg_next::{Discard, Error, Packet, decoder, ffi, frame};

use super::picture::Converter;
use super::{Media, MediaError, VideoInfo, YuvFrame};

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Threads of the decoder. One by default: samples, not frames, are what is done side by side.
    pub threads: u32,
    /// Only keyframes are decoded.
    pub keyframes_only: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { threads: 1, keyframes_only: false }
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
    picture: &'a frame::Video,
    converter: &'a mut Converter,
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

    /// The picture as planar YUV of 8 or 10 bits, 4:2:0, 4:2:2 or 4:4:4. Lent from the decoder where it has that shape,
    /// else converted.
    pub fn yuv(&mut self) -> Result<YuvFrame<'_>, MediaError> {
        self.converter.view(self.picture, self.seconds)
    }
}

/// Decodes the first video stream.
pub struct Decoder<'m> {
    media: &'m mut Media,
    codec: decoder::Opened,
    info: VideoInfo,
    packet: Packet,
    frame: frame::Video,
    converter: Converter,
    clock: Clock,
    report: DecodeReport,
    packets: u64,
    size: Option<(u32, u32)>,
    is_draining: bool,
    is_last_corrupt: bool,
}

impl<'m> Decoder<'m> {
    pub(super) fn open(media: &'m mut Media, options: DecodeOptions) -> Result<Self, MediaError> {
        let info = media.video()?;
        let codec = open_codec(media, info.stream, options)?;
        let start = media.start_seconds();
        for mut stream in media.input_mut().streams_mut() {
            if stream.index() != info.stream {
                // SAFETY: the stream is borrowed; the demuxer skips its packets.
                unsafe { (*stream.as_mut_ptr()).discard = Discard::All.into() };
            }
        }
        Ok(Self {
            media,
            codec,
            info,
            packet: Packet::empty(),
            frame: frame::Video::empty(),
            converter: Converter::default(),
            clock: Clock::new(&info, start),
            report: DecodeReport::default(),
            packets: 0,
            size: None,
            is_draining: false,
            is_last_corrupt: false,
        })
    }

    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// What happened so far.
    pub fn report(&self) -> DecodeReport {
        self.report
    }

    /// The next frame in presentation order; `None` after the last. A stream without one frame is an error.
    pub fn next_frame(&mut self) -> Result<Option<DecodedFrame<'_>>, MediaError> {
        if !self.receive()? {
            if self.report.frames == 0 {
                return Err(MediaError::NoFrames { detail: self.last_message("no message") });
            }
            return Ok(None);
        }
        let size = (self.frame.width(), self.frame.height());
        let is_resized = self.size.replace(size).is_some_and(|before| before != size);
        let pts = self.frame.timestamp().or(self.frame.pts());
        self.report.frames += 1;
        let limit = self.media.limits().max_frames;
        if self.report.frames > limit {
            return Err(MediaError::TooManyFrames { limit });
        }
        self.report.size_changes += u64::from(is_resized);
        self.report.guessed_times += u64::from(pts.is_none());
        self.report.damaged_frames += u64::from(self.frame.is_corrupt() || self.frame.has_decode_errors());
        let seconds = self.clock.seconds(pts);
        let is_key = self.frame.is_key();
        Ok(Some(DecodedFrame {
            picture: &self.frame,
            converter: &mut self.converter,
            pts,
            seconds,
            is_key,
            is_resized,
        }))
    }

    fn receive(&mut self) -> Result<bool, MediaError> {
        loop {
            match self.codec.receive_frame(&mut self.frame) {
                Ok(()) => return Ok(true),
                Err(Error::Eof) => return Ok(false),
                Err(Error::Other { errno: libc::EAGAIN }) => self.feed()?,
                Err(error) => self.count_corrupt(error)?,
            }
        }
    }

    /// Gives the decoder the stream's next packet, or the end.
    fn feed(&mut self) -> Result<(), MediaError> {
        while !self.is_draining {
            let is_more = self.media.read(&mut self.packet).unwrap_or_else(|_| {
                self.report.ended_early = true;
                false
            });
            if !is_more {
                // A packet that the end of the file cuts off comes with this flag, or with this message instead of it.
                let is_partial = |line: &String| line.contains("partial file");
                self.report.ended_early |= self.is_last_corrupt || self.media.log().lines().iter().any(is_partial);
                break;
            }
            self.is_last_corrupt = self.packet.is_corrupt();
            self.packets += 1;
            let limit = self.media.limits().max_packets;
            if self.packets > limit {
                return Err(MediaError::TooManyPackets { count: self.packets, limit });
            }
            if self.packet.stream() == self.info.stream {
                return match self.codec.send_packet(&self.packet) {
                    Ok(()) => Ok(()),
                    Err(error) => self.count_corrupt(error),
                };
            }
        }
        if self.is_draining {
            // A decoder that wants more after the end was told would be asked for ever.
            return Err(MediaError::Decoder { detail: self.last_message("no end of stream") });
        }
        self.is_draining = true;
        self.codec.send_eof().map_err(|error| MediaError::Decoder { detail: self.last_message(&error.to_string()) })
    }

    fn count_corrupt(&mut self, error: Error) -> Result<(), MediaError> {
        if matches!(error, Error::Other { errno: libc::ENOMEM }) {
            return Err(MediaError::Decoder { detail: "out of memory".into() });
        }
        self.report.corrupt_packets += 1;
        let (count, limit) = (self.report.corrupt_packets, self.media.limits().max_corrupt_packets);
        if count > limit {
            return Err(MediaError::TooCorrupt { count, limit, detail: self.last_message(&error.to_string()) });
        }
        Ok(())
    }

    fn last_message(&self, otherwise: &str) -> String {
        self.media.log().last_useful().unwrap_or_else(|| otherwise.to_owned())
    }
}

fn open_codec(media: &Media, stream: usize, options: DecodeOptions) -> Result<decoder::Opened, MediaError> {
    let stream = media.input().stream(stream).ok_or(MediaError::NoVideo)?;
    let parameters = stream.parameters();
    let codec = decoder::find(parameters.id())
        .ok_or_else(|| MediaError::UnsupportedCodec { codec: parameters.id().name().to_owned() })?;
    let fail =
        |error: Error| MediaError::Decoder { detail: media.log().last_useful().unwrap_or_else(|| error.to_string()) };
    let mut context = Context::new_with_codec(codec);
    // SAFETY: both are alive and not null (a failed allocation is looked at first); the fields are plain numbers that may
    // be set until the codec is opened.
    unsafe {
        let raw = context.as_mut_ptr();
        if raw.is_null() {
            return Err(MediaError::Decoder { detail: "out of memory".into() });
        }
        let code = ffi::avcodec_parameters_to_context(raw, parameters.as_ptr());
        if code < 0 {
            return Err(fail(Error::from(code)));
        }
        (*raw).pkt_timebase = stream.time_base().into();
        (*raw).thread_count = i32::try_from(options.threads.max(1)).unwrap_or(1);
        (*raw).max_pixels = i64::try_from(media.limits().max_pixels).unwrap_or(i64::MAX);
        if options.keyframes_only {
            (*raw).skip_frame = Discard::NonKey.into();
        }
    }
    context.decoder().open().map_err(fail)
}

/// Presentation times in seconds, also where frames come without one.
struct Clock {
    time_base: f64,
    start: f64,
    step: f64,
    last: Option<f64>,
}

impl Clock {
    fn new(info: &VideoInfo, start: f64) -> Self {
        let step = info.frame_rate.map_or(0.04, |rate| f64::from(rate.invert()));
        Self { time_base: f64::from(info.time_base), start, step, last: None }
    }

    fn seconds(&mut self, pts: Option<i64>) -> f64 {
        let seconds = match (pts, self.last) {
            (Some(pts), _) => pts as f64 * self.time_base - self.start,
            (None, Some(last)) => last + self.step,
            (None, None) => 0.0,
        };
        self.last = Some(seconds);
        seconds
    }
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::Rational;

    use super::*;

    #[test]
    fn a_missing_time_continues_the_last_one() {
        let info = VideoInfo {
            stream: 0,
            width: 2,
            height: 2,
            rotation: 0,
            time_base: Rational(1, 1000),
            frame_rate: Some(Rational(10, 1)),
            frames: None,
            duration: None,
        };
        let mut clock = Clock::new(&info, 0.5);
        let times: Vec<f64> = [None, Some(500), None, Some(750)].into_iter().map(|pts| clock.seconds(pts)).collect();
        assert_eq!(times, [0.0, 0.0, 0.1, 0.25]);
    }
}
