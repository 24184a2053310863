//! The decoder of a pass.

use ffmpeg_next::codec::Context;
use ffmpeg_next::{Discard, Error, Packet, decoder, ffi};

use super::Action;
use crate::media::{DecodeOptions, Media, MediaError, VideoInfo, hw};

/// The decoder of the first video stream, and what it is given.
pub(super) struct Video {
    pub codec: decoder::Opened,
    pub info: VideoInfo,
    pub clock: Clock,
    actions: Option<Vec<Action>>,
    /// Packets of the stream that were met.
    met: usize,
    /// Frames may be waiting in the decoder.
    pub is_filled: bool,
    /// It was told that nothing more comes, for now or for good.
    pub is_draining: bool,
}

impl Video {
    pub fn open(media: &Media, options: DecodeOptions, actions: Option<Vec<Action>>) -> Result<Self, MediaError> {
        let info = media.video()?;
        let codec = open_codec(media, info.stream, options)?;
        let clock = Clock::new(&info, media.start_seconds());
        Ok(Self { codec, info, clock, actions, met: 0, is_filled: false, is_draining: false })
    }

    /// What is to be done with the stream's next packet.
    pub fn next_action(&mut self) -> Action {
        self.met += 1;
        let Some(actions) = &self.actions else { return Action::Decode };
        // A file that grows between two looks at it: what the index does not know is decoded.
        actions.get(self.met - 1).copied().unwrap_or(Action::Decode)
    }

    pub fn send(&mut self, packet: &Packet, action: Action) -> Result<(), Error> {
        if self.actions.is_some() {
            let skip = if action == Action::DecodeIfReferred { Discard::NonReference } else { Discard::Default };
            // SAFETY: the context is open; the field may change from packet to packet while one thread decodes.
            unsafe { (*self.codec.as_mut_ptr()).skip_frame = skip.into() };
        }
        self.is_filled = true;
        self.codec.send_packet(packet)
    }

    /// All frames are out: ready for packets behind a gap.
    pub fn emptied(&mut self) {
        self.codec.flush();
        (self.is_filled, self.is_draining) = (false, false);
    }
}

fn open_codec(media: &Media, stream: usize, options: DecodeOptions) -> Result<decoder::Opened, MediaError> {
    let stream = media.input().stream(stream).ok_or(MediaError::NoVideo)?;
    let parameters = stream.parameters();
    let codec = decoder::find(parameters.id())
        .ok_or_else(|| MediaError::UnsupportedCodec { codec: parameters.id().name().to_owned() })?;
    let fail =
        |error: Error| MediaError::Decoder { detail: media.log().last_useful().unwrap_or_else(|| error.to_string()) };
    let hardware = media.hardware().filter(|_| hw::is_offered(&codec));
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
        if let Some(hardware) = hardware {
            // FFmpeg asks the device when it has seen the stream's header, and decodes in software where it refuses.
            (*raw).hw_device_ctx = hardware.reference();
            // One picture is looked at while others are decoded.
            (*raw).extra_hw_frames = 2;
        }
        if options.keyframes_only {
            (*raw).skip_frame = Discard::NonKey.into();
        }
    }
    context.decoder().open().map_err(fail)
}

/// Presentation times in seconds, also where frames come without one.
pub(super) struct Clock {
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

    pub fn seconds(&mut self, pts: Option<i64>) -> f64 {
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
