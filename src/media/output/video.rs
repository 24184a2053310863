//! The video of a clip, encoded from decoded frames.

use ffmpeg_next::{Packet, Rational, ffi, frame};

use super::super::{Media, MediaError};
use super::encoder::Timing;
use super::span::seconds;
use super::{EncoderSettings, Orientation, Span, VideoEncoder, VideoFilter};

/// Filters and encodes the frames of one span.
pub(super) struct EncodedVideo {
    filter: VideoFilter,
    encoder: Option<VideoEncoder>,
    settings: EncoderSettings,
    span: Span,
    source: Source,
    is_global_header: bool,
    /// No other stream is in the file: its first frame is the file's zero.
    is_alone: bool,
    /// Taken from the filters' times, so that the file starts at 0.
    shift: Option<i64>,
    seen: Seen,
    frames: u64,
    size: (u32, u32),
}

/// What is known of the source's stream.
struct Source {
    time_base: Rational,
    /// The times of its frames lie on the grid of its frame rate.
    is_constant: bool,
    frame_rate: Option<Rational>,
    /// The clip's zero, in the stream's time base.
    zero: i64,
    /// The zero of all seconds that are told.
    media_start: f64,
}

/// The source's frames so far, in its time base.
#[derive(Default)]
struct Seen {
    first: Option<i64>,
    last: Option<(i64, i64)>,
    /// The first frame behind the span.
    after: Option<i64>,
}

impl EncodedVideo {
    pub(super) fn new(
        media: &Media,
        graph: &str,
        settings: EncoderSettings,
        span: Span,
        is_global_header: bool,
        is_alone: bool,
    ) -> Result<Self, MediaError> {
        let video = media.video()?;
        let source = Source::of(media, video.stream, video.time_base, span)?;
        let orientation = Orientation::of(media, video.stream);
        let filter =
            VideoFilter::new(graph, &settings.pixel_format, orientation, source.time_base, source.frame_rate).even();
        Ok(Self {
            filter,
            encoder: None,
            settings,
            span,
            source,
            is_global_header,
            is_alone,
            shift: None,
            seen: Seen::default(),
            frames: 0,
            size: (0, 0),
        })
    }

    pub(super) fn push(&mut self, frame: &frame::Video, pts: i64) -> Result<(), MediaError> {
        let base = self.source.time_base;
        if self.span.is_before(pts, base) {
            return Ok(());
        }
        if self.span.is_after(pts, base) {
            self.seen.after = Some(self.seen.after.map_or(pts, |after| after.min(pts)));
            return Ok(());
        }
        self.seen.first.get_or_insert(pts);
        self.seen.last = Some((pts, frame.packet().duration));
        self.filter.push(frame, pts - self.source.zero)?;
        self.encode()
    }

    pub(super) fn end(&mut self) -> Result<(), MediaError> {
        let Some((last, duration)) = self.seen.last.map(|(last, _)| (last, self.last_duration())) else {
            return Err(MediaError::EmptyClip { detail: "no frame is shown in it".into() });
        };
        self.filter.end(last + duration - self.source.zero)?;
        self.encode()?;
        let base = self.filter.time_base().unwrap_or(self.source.time_base);
        // One frame of the filters' rate where they have one of their own (fps), else as long as the source's last.
        let shown = match self.filter.frame_rate() {
            Some(rate) if rate.invert() == base => 1,
            _ => super::span::rescale(duration, self.source.time_base, base),
        };
        let Some(encoder) = &mut self.encoder else {
            return Err(MediaError::EmptyClip { detail: "the filters let no frame through".into() });
        };
        encoder.end(shown)
    }

    /// The encoder, once the first frame told what it has to encode.
    pub(super) fn encoder(&mut self) -> Option<&mut VideoEncoder> {
        self.encoder.as_mut()
    }

    pub(super) fn frame_rate(&self) -> Option<Rational> {
        self.filter.frame_rate()
    }

    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>, MediaError> {
        self.encoder.as_mut().map_or(Ok(None), VideoEncoder::next_packet)
    }

    /// No frame that comes later is in the span.
    pub(super) fn is_done(&self) -> bool {
        self.seen.after.is_some()
    }

    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Seconds from the container's start: of the first frame taken, and until the last one is shown.
    pub(super) fn times(&self) -> (f64, f64) {
        let at = |ticks: i64| seconds(ticks, self.source.time_base) - self.source.media_start;
        let end = self.seen.last.map_or(0, |(last, _)| last + self.last_duration());
        (at(self.seen.first.unwrap_or(0)), at(end))
    }

    /// How long the last frame of the span is shown, in the source's time base.
    fn last_duration(&self) -> i64 {
        let Some((last, stated)) = self.seen.last else { return 0 };
        let per_frame = |rate: Rational| super::span::rescale(1, rate.invert(), self.source.time_base);
        let usual = if stated > 0 { stated } else { self.source.frame_rate.map_or(1, per_frame) }.max(1);
        match self.seen.after {
            Some(after) if after - last <= 2 * usual => (after - last).max(1),
            // It stands still beyond the span's end.
            Some(_) => self.span.end_in(self.source.time_base).map_or(usual, |end| usual.max(end - last)),
            None => usual,
        }
    }

    fn encode(&mut self) -> Result<(), MediaError> {
        while let Some(mut frame) = self.filter.next()? {
            let pts = frame.pts().unwrap_or(0);
            let shift = *self.shift.get_or_insert(if self.is_alone { pts } else { 0 });
            frame.set_pts(Some(pts - shift));
            if self.encoder.is_none() {
                self.open(&frame)?;
            }
            if let Some(encoder) = &mut self.encoder {
                encoder.push(frame)?;
                self.frames += 1;
            }
        }
        Ok(())
    }

    fn open(&mut self, first: &frame::Video) -> Result<(), MediaError> {
        let from = self.filter.time_base().unwrap_or(self.source.time_base);
        let frame_rate = self.filter.frame_rate();
        let time_base = match frame_rate {
            Some(rate) if self.source.is_constant => rate.invert(),
            // The filters' own, which is 1/rate where `fps` made a grid.
            _ => from,
        };
        let timing = Timing { from, time_base, frame_rate };
        self.size = (first.width(), first.height());
        self.encoder = Some(VideoEncoder::open(&self.settings, first, timing, self.is_global_header)?);
        Ok(())
    }
}

impl Source {
    fn of(media: &Media, stream: usize, time_base: Rational, span: Span) -> Result<Self, MediaError> {
        let stream = media.input().stream(stream).ok_or(MediaError::NoVideo)?;
        // SAFETY: the context and its stream are alive and only read.
        let guess = Rational::from(unsafe {
            let context = media.input().as_ptr().cast_mut();
            ffi::av_guess_frame_rate(context, stream.as_ptr().cast_mut(), std::ptr::null_mut())
        });
        let average = stream.avg_frame_rate();
        let is_known = |rate: Rational| rate.numerator() > 0 && rate.denominator() > 0;
        let frame_rate = is_known(guess).then_some(guess);
        let is_near = |a: f64, b: f64| (a - b).abs() <= a * 1e-3;
        let is_constant = is_known(guess) && is_known(average) && is_near(guess.into(), average.into());
        Ok(Self {
            time_base,
            is_constant,
            frame_rate,
            zero: span.start_in(time_base),
            media_start: media.start_seconds(),
        })
    }
}
