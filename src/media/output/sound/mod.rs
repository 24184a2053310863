//! One track of sound of one clip: decoded, cut to the sample, resampled, encoded.

mod codec;
mod copy;
mod encoder;
mod fifo;
mod graph;
mod shape;

use ffmpeg_next::codec::{Parameters, context::Context, encoder::audio::Encoder};
use ffmpeg_next::filter::Graph;
use ffmpeg_next::{Error, Packet, Rational, decoder, frame};

pub use self::codec::AudioCodec;
pub use self::copy::SoundCopy;
use self::fifo::Fifo;
use self::shape::{Shape, place_channels};
use super::source::Streams;
use crate::media::MediaError;
use crate::media::log::LogLines;

/// Seconds that a frame may be off before that counts as a gap, as for ffmpeg's `aresample=async`.
const MAX_JITTER: f64 = 0.1;

/// A track in the making.
pub struct SoundTrack {
    decoder: decoder::Opened,
    stream: usize,
    time_base: Rational,
    /// Where the stream ends, in its time base, if that is known to the sample.
    end: Option<i64>,
    codec: AudioCodec,
    /// Seconds in the stream's clock: what the track holds.
    span: (f64, f64),
    /// Seconds in the stream's clock: where the clip's time begins.
    zero: f64,
    running: Option<(Shape, Graph)>,
    encoder: Option<(Encoder, Fifo)>,
    global_headers: bool,
    /// Samples that the source's clock was set back by so far.
    set_back: i64,
    /// Seconds: a gap beyond is a jump of the clock.
    longest_gap: f64,
    decoded: u64,
    corrupt: u64,
    limit: u64,
    frame: frame::Audio,
}

/// What is done with each packet that comes out.
pub type Each<'a> = dyn FnMut(Packet) -> Result<(), MediaError> + 'a;

impl SoundTrack {
    /// A track of the source's sound. Where it begins late or has a gap there is silence, as most kinds of sound files
    /// cannot hold times; nothing is made up after its end.
    pub fn open(
        source: &Streams,
        codec: AudioCodec,
        span: (f64, f64),
        zero: f64,
        global_headers: bool,
    ) -> Result<Self, MediaError> {
        let (stream, parameters, time_base) = source.sound.as_ref().ok_or(MediaError::NoAudio)?;
        let found = decoder::find(parameters.id())
            .ok_or_else(|| MediaError::UnsupportedCodec { codec: parameters.id().name().to_owned() })?;
        let fail = |error: Error| failed(error, &source.log);
        let mut context = Context::new_with_codec(found);
        context.set_parameters(parameters.clone()).map_err(fail)?;
        // SAFETY: the context is not open yet; these are plain fields.
        unsafe {
            (*context.as_mut_ptr()).pkt_timebase = (*time_base).into();
            (*context.as_mut_ptr()).thread_count = 1;
        }
        Ok(Self {
            decoder: context.decoder().open().map_err(fail)?,
            stream: *stream,
            time_base: *time_base,
            end: source.sound_end,
            codec,
            span,
            zero,
            running: None,
            encoder: None,
            global_headers,
            set_back: 0,
            longest_gap: source.seconds,
            decoded: 0,
            corrupt: 0,
            limit: source.max_corrupt,
            frame: frame::Audio::empty(),
        })
    }

    /// What the track holds ends here, seconds in the stream's clock: to be told before the first packet.
    pub fn end_at(&mut self, end: f64) {
        self.span.1 = end;
    }

    /// Of the packets that come.
    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    /// The source's stream.
    pub fn stream(&self) -> usize {
        self.stream
    }

    /// The encoded stream and its time base, once sound has come out.
    pub fn parameters(&self) -> Option<(Parameters, Rational)> {
        let (encoder, _) = self.encoder.as_ref()?;
        Some((Parameters::from(encoder), Rational(1, i32::try_from(encoder.rate()).unwrap_or(1))))
    }

    /// Takes a packet of the source's stream.
    pub fn push(&mut self, packet: &Packet, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
        match self.decoder.send_packet(packet) {
            Ok(()) => self.decoded(log, each),
            Err(error) => self.count_corrupt(error, log),
        }
    }

    /// No more packets.
    pub fn end(&mut self, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
        // A decoder that met nothing has nothing to bring out.
        if self.decoder.send_eof().is_ok() {
            self.decoded(log, each)?;
        }
        self.close_graph(log, each)?;
        if self.decoded == 0 && self.corrupt > 0 {
            let detail = log.last_useful().unwrap_or_else(|| "every packet of the sound is broken".to_owned());
            return Err(MediaError::NoFrames { detail });
        }
        let Some((encoder, fifo)) = &mut self.encoder else { return Ok(()) };
        encoder::encode(encoder, fifo, true, log, each)?;
        encoder.send_eof().map_err(|error| failed(error, log))?;
        encoder::packets(encoder, log, each)
    }

    fn decoded(&mut self, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
        loop {
            match self.decoder.receive_frame(&mut self.frame) {
                Ok(()) => {
                    self.decoded += 1;
                    self.filter(log, each)?;
                }
                Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
                Err(error) => self.count_corrupt(error, log)?,
            }
        }
    }

    fn count_corrupt(&mut self, error: Error, log: &LogLines) -> Result<(), MediaError> {
        if matches!(error, Error::Other { errno: libc::ENOMEM }) {
            return Err(MediaError::Decoder { detail: error.to_string() });
        }
        self.corrupt += 1;
        if self.corrupt > self.limit {
            let detail = log.last_useful().unwrap_or_else(|| error.to_string());
            return Err(MediaError::TooCorrupt { count: self.corrupt, limit: self.limit, detail });
        }
        Ok(())
    }

    /// The frame that was decoded, through the graph.
    fn filter(&mut self, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
        place_channels(&mut self.frame);
        let pts = self.frame.timestamp().or(self.frame.pts());
        self.frame.set_pts(pts);
        self.trim(pts);
        let shape = Shape::of(&self.frame);
        if shape.rate == 0 || shape.channels == 0 {
            return Ok(());
        }
        if self.running.as_ref().is_some_and(|(built_for, _)| *built_for != shape) {
            self.close_graph(log, each)?;
        }
        let (_, graph) = match &mut self.running {
            Some(running) => running,
            none => {
                let open = self.encoder.as_ref().map(|(encoder, _)| (encoder.rate(), encoder.channels()));
                let chain = graph::chain(&self.codec, &shape, self.span, open);
                let graph = graph::build(&chain, self.time_base, &shape).map_err(|error| failed(error, log))?;
                none.insert((shape, graph))
            }
        };
        let mut source = graph.get("in").ok_or_else(|| failed(Error::Bug, log))?;
        source.source().add(&self.frame).map_err(|error| failed(error, log))?;
        self.pull(log, each)
    }

    /// Leaves out what the last packet has behind the stream's end: encoders fill up their last frame.
    fn trim(&mut self, pts: Option<i64>) {
        let (Some(begin), Some(end)) = (pts, self.end) else { return };
        let counts_samples = self.time_base == Rational(1, i32::try_from(self.frame.rate()).unwrap_or(0));
        let left = usize::try_from(end - begin).unwrap_or(0);
        let is_short = self.frame.packet().duration == end - begin && left > 0 && left < self.frame.samples();
        if counts_samples && is_short {
            self.frame.set_samples(left);
        }
    }

    fn close_graph(&mut self, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
        if let Some((_, graph)) = &mut self.running
            && let Some(mut source) = graph.get("in")
        {
            source.source().flush().map_err(|error| failed(error, log))?;
            self.pull(log, each)?;
        }
        self.running = None;
        Ok(())
    }

    fn pull(&mut self, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
        loop {
            let Some((_, graph)) = &mut self.running else { return Ok(()) };
            let Some(mut sink) = graph.get("out") else { return Ok(()) };
            let mut made = frame::Audio::empty();
            match sink.sink().frame(&mut made) {
                Ok(()) => {}
                Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
                Err(error) => return Err(failed(error, log)),
            }
            let time_base = sink.sink().time_base();
            let seconds = made.pts().map(|pts| pts as f64 * f64::from(time_base) - self.zero);
            self.encode(&made, seconds, log, each)?;
        }
    }

    /// A frame that begins `seconds` after the clip's begin, and the silence before it.
    fn encode(
        &mut self,
        made: &frame::Audio,
        seconds: Option<f64>,
        log: &LogLines,
        each: &mut Each<'_>,
    ) -> Result<(), MediaError> {
        let fail = |error: Error| failed(error, log);
        let (encoder, fifo) = match &mut self.encoder {
            Some(open) => open,
            none => {
                let encoder = encoder::open(&self.codec, made, self.global_headers, log)?;
                let fifo = Fifo::new(made, encoder.frame_size()).map_err(fail)?;
                none.insert((encoder, fifo))
            }
        };
        let (rate, next) = (f64::from(made.rate()), fifo.written());
        let begin = seconds.map_or(next, |seconds| (seconds * rate).round() as i64 + self.set_back);
        // Coarse clocks jitter; a late start is exact, for nothing came before it that could jitter.
        let jitter = if next == 0 { 0 } else { (rate * MAX_JITTER) as i64 };
        let mut gap = begin - next;
        if gap as f64 > self.longest_gap * rate || (gap < -jitter && next > 0) {
            self.set_back -= gap;
        } else if gap > jitter {
            while gap > 0 {
                gap -= fifo.push_silence(gap).map_err(fail)?;
                encoder::encode(encoder, fifo, false, log, each)?;
            }
        }
        fifo.push(made).map_err(fail)?;
        encoder::encode(encoder, fifo, false, log, each)
    }
}

fn failed(error: Error, log: &LogLines) -> MediaError {
    MediaError::Encoder { detail: log.last_useful().unwrap_or_else(|| error.to_string()) }
}
