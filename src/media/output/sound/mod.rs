//! One track of sound of one clip: decoded, cut to the sample, resampled, encoded.

mod codec;
mod fifo;

use std::ffi::{CStr, CString};

use ffmpeg_next::codec::{Parameters, context::Context, encoder};
use ffmpeg_next::filter::{self, Graph};
use ffmpeg_next::{Dictionary, Error, Packet, Rational, decoder, ffi, frame};

pub use self::codec::AudioCodec;
use self::codec::{formats, rate};
use self::fifo::Fifo;
use super::source::Streams;
use crate::media::MediaError;
use crate::media::log::LogLines;

/// The shape that a graph was built for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    rate: u32,
    format: i32,
    channels: u16,
    /// As FFmpeg writes it: `5.1(side)`.
    layout: String,
}

impl Shape {
    fn of(frame: &frame::Audio) -> Self {
        // SAFETY: the frame was just decoded.
        let (format, layout) = unsafe { ((*frame.as_ptr()).format, describe(&(*frame.as_ptr()).ch_layout)) };
        Self { rate: frame.rate(), format, channels: frame.channels(), layout }
    }
}

/// Channels without positions get the usual ones: filters and encoders refuse them otherwise.
fn place_channels(frame: &mut frame::Audio) {
    // SAFETY: the frame is ours alone; a layout without positions owns no memory.
    unsafe {
        let layout = &mut (*frame.as_mut_ptr()).ch_layout;
        if layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            ffi::av_channel_layout_default(layout, layout.nb_channels);
        }
    }
}

/// FFmpeg's name of the usual layout of so many channels.
fn usual_layout(channels: u32) -> String {
    // SAFETY: all zeros is an empty layout, which FFmpeg then fills; the usual ones own no memory.
    unsafe {
        let mut layout: ffi::AVChannelLayout = std::mem::zeroed();
        ffi::av_channel_layout_default(&mut layout, i32::try_from(channels).unwrap_or(0));
        describe(&layout)
    }
}

fn describe(layout: &ffi::AVChannelLayout) -> String {
    let mut name: [std::ffi::c_char; 256] = [0; 256];
    // SAFETY: FFmpeg writes at most as many bytes as the buffer has, and ends them with a zero.
    unsafe {
        ffi::av_channel_layout_describe(layout, name.as_mut_ptr(), name.len());
        CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()
    }
}

/// Seconds that a frame may be off before that counts as a gap, as for ffmpeg's `aresample=async`.
const MAX_JITTER: f64 = 0.1;

/// A track in the making.
pub struct SoundTrack {
    decoder: decoder::Opened,
    stream: usize,
    time_base: Rational,
    codec: AudioCodec,
    /// Seconds in the stream's clock: what the track holds.
    span: (f64, f64),
    /// Seconds in the stream's clock: where the clip's time begins.
    zero: f64,
    running: Option<(Shape, Graph)>,
    encoder: Option<(encoder::audio::Encoder, Fifo)>,
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
        encode(encoder, fifo, true, log, each)?;
        encoder.send_eof().map_err(|error| failed(error, log))?;
        packets(encoder, log, each)
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
                let chain = chain(&self.codec, &shape, self.span, open);
                let graph = build(&chain, self.time_base, &shape).map_err(|error| failed(error, log))?;
                none.insert((shape, graph))
            }
        };
        let pts = self.frame.timestamp().or(self.frame.pts());
        self.frame.set_pts(pts);
        let mut source = graph.get("in").ok_or_else(|| failed(Error::Bug, log))?;
        source.source().add(&self.frame).map_err(|error| failed(error, log))?;
        self.pull(log, each)
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
                let encoder = open_encoder(&self.codec, made, self.global_headers, log)?;
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
                encode(encoder, fifo, false, log, each)?;
            }
        }
        fifo.push(made).map_err(fail)?;
        encode(encoder, fifo, false, log, each)
    }
}

/// What waits and makes whole frames; `last`: all of it.
fn encode(
    encoder: &mut encoder::audio::Encoder,
    fifo: &mut Fifo,
    last: bool,
    log: &LogLines,
    each: &mut Each<'_>,
) -> Result<(), MediaError> {
    while let Some(frame) = fifo.pop(last).map_err(|error| failed(error, log))? {
        encoder.send_frame(&frame).map_err(|error| failed(error, log))?;
        packets(encoder, log, each)?;
    }
    Ok(())
}

fn packets(encoder: &mut encoder::audio::Encoder, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
    loop {
        let mut packet = Packet::empty();
        match encoder.receive_packet(&mut packet) {
            Ok(()) => each(packet)?,
            Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
            Err(error) => return Err(failed(error, log)),
        }
    }
}

fn open_encoder(
    codec: &AudioCodec,
    first: &frame::Audio,
    global_headers: bool,
    log: &LogLines,
) -> Result<encoder::audio::Encoder, MediaError> {
    let missing = || MediaError::NoEncoder { encoder: codec.encoder.clone() };
    let found = encoder::find_by_name(&codec.encoder).ok_or_else(missing)?;
    let fail = |error: Error| failed(error, log);
    let mut context = Context::new_with_codec(found).encoder().audio().map_err(fail)?;
    context.set_rate(i32::try_from(first.rate()).unwrap_or(0));
    context.set_format(first.format());
    context.set_channel_layout(first.channel_layout());
    // SAFETY: the context is not open yet; these are plain fields.
    unsafe {
        let raw = context.as_mut_ptr();
        (*raw).time_base = ffi::AVRational { num: 1, den: i32::try_from(first.rate()).unwrap_or(1) };
        (*raw).thread_count = 1;
        (*raw).flags |= ffi::AV_CODEC_FLAG_BITEXACT as i32;
        if global_headers {
            (*raw).flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
        }
    }
    // FFmpeg leaves aside what it does not know, and a setting that has no effect would be a quiet surprise.
    for (name, _) in &codec.options {
        // SAFETY: a context begins with its class, which is what is searched; nothing is changed.
        let known = CString::new(name.as_str()).is_ok_and(|text| unsafe {
            let flags = ffi::AV_OPT_SEARCH_CHILDREN;
            !ffi::av_opt_find(context.as_mut_ptr().cast(), text.as_ptr(), std::ptr::null(), 0, flags).is_null()
        });
        if !known {
            return Err(MediaError::Encoder { detail: format!("{} has no option `{name}`", codec.encoder) });
        }
    }
    let mut options = Dictionary::new();
    codec.options.iter().for_each(|(name, value)| options.set(name, value));
    context.open_as_with(found, options).map_err(fail)
}

/// Cut to the sample, then what the encoder takes. An encoder that is open keeps its rate and channels.
fn chain(codec: &AudioCodec, shape: &Shape, span: (f64, f64), open: Option<(u32, u16)>) -> String {
    let rate = match open {
        Some((rate, _)) => rate,
        None => rate(codec, shape.rate),
    };
    let most = if codec.encoder == "libmp3lame" { 2 } else { 8 };
    let channels = match open {
        Some((_, channels)) => u32::from(channels),
        None => codec.channels.unwrap_or(u32::from(shape.channels)).clamp(1, most),
    };
    // These two know only the usual layouts: 5.1 with its channels behind, not beside.
    let is_usual = open.is_some() || matches!(codec.encoder.as_str(), "aac" | "libopus");
    let layout = match channels {
        n if n == u32::from(shape.channels) && n > 2 && !is_usual => String::new(),
        n => format!(":channel_layouts={}", usual_layout(n)),
    };
    let mut trim = Vec::new();
    if span.0.is_finite() {
        trim.push(format!("start={:.6}", span.0));
    }
    if span.1.is_finite() {
        trim.push(format!("end={:.6}", span.1));
    }
    let trim = if trim.is_empty() { String::new() } else { format!("atrim={},", trim.join(":")) };
    format!("{trim}aformat=sample_fmts={}:sample_rates={rate}{layout}", formats(&codec.encoder))
}

fn build(chain: &str, time_base: Rational, shape: &Shape) -> Result<Graph, Error> {
    let (source, sink) = (filter::find("abuffer"), filter::find("abuffersink"));
    let (source, sink) = source.zip(sink).ok_or(Error::FilterNotFound)?;
    let mut graph = Graph::new();
    // SAFETY: the graph is new and not configured.
    unsafe { (*graph.as_mut_ptr()).nb_threads = 1 };
    let format = sample_format(shape.format).ok_or(Error::InvalidData)?;
    let arguments = format!(
        "time_base={}/{}:sample_rate={}:sample_fmt={format}:channel_layout={}",
        time_base.numerator(),
        time_base.denominator(),
        shape.rate,
        shape.layout
    );
    graph.add(&source, "in", &arguments)?;
    graph.add(&sink, "out", "")?;
    graph.output("in", 0)?.input("out", 0)?.parse(chain)?;
    graph.validate()?;
    Ok(graph)
}

fn sample_format(format: i32) -> Option<String> {
    // SAFETY: the name is a static text of FFmpeg, or null for a number that is no format.
    unsafe {
        let format: ffi::AVSampleFormat = std::mem::transmute(format);
        let name = ffi::av_get_sample_fmt_name(format);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

fn failed(error: Error, log: &LogLines) -> MediaError {
    MediaError::Encoder { detail: log.last_useful().unwrap_or_else(|| error.to_string()) }
}
