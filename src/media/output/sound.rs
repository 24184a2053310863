//! One track of sound of one clip: decoded, cut to the sample, resampled, encoded.

use ffmpeg_next::codec::{self, Parameters, encoder};
use ffmpeg_next::filter::{self, Graph};
use ffmpeg_next::{Dictionary, Error, Packet, Rational, decoder, ffi, frame};

use super::source::Streams;
use crate::media::MediaError;
use crate::media::log::LogLines;

/// How sound is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioCodec {
    /// FFmpeg's name of the encoder.
    pub encoder: String,
    /// Hz; none: the source's, or the nearest that the encoder takes.
    pub sample_rate: Option<u32>,
    /// None: the source's, or as many as the encoder takes.
    pub channels: Option<u32>,
    /// Options of the encoder, as the ffmpeg program takes them.
    pub options: Vec<(String, String)>,
}

impl AudioCodec {
    /// The encoder that the ffmpeg program takes for a member's extension.
    pub fn default_for(extension: &str) -> Self {
        let encoder = match extension {
            "mp3" => "libmp3lame",
            "wav" | "avi" => "pcm_s16le",
            "flac" => "flac",
            "ogg" | "oga" | "opus" | "webm" => "libopus",
            "ts" => "aac",
            _ => "aac",
        };
        Self { encoder: encoder.into(), sample_rate: None, channels: None, options: Vec::new() }
    }
}

/// Sample rates that an encoder is limited to, Hz, falling; empty: any.
fn rates(encoder: &str) -> &'static [u32] {
    match encoder {
        "libopus" => &[48000, 24000, 16000, 12000, 8000],
        "libmp3lame" => &[48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000],
        "aac" => &[96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350],
        _ => &[],
    }
}

/// FFmpeg's name of the sample format that an encoder gets.
fn sample_format_for(encoder: &str, shape: &Shape) -> &'static str {
    match encoder {
        "libopus" => "flt",
        // FLAC keeps 24 bits where there are so many.
        "flac" if sample_format(shape.format).is_some_and(|name| name.starts_with("s32")) => "s32",
        "flac" | "pcm_s16le" => "s16",
        _ => "fltp",
    }
}

/// As many as are asked for, as far as the encoder takes them.
fn channels(codec: &AudioCodec, shape: &Shape) -> u32 {
    let most = if codec.encoder == "libmp3lame" { 2 } else { 8 };
    codec.channels.unwrap_or(u32::from(shape.channels)).clamp(1, most)
}

/// The least rate that loses nothing, else the highest.
fn nearest_rate(encoder: &str, wanted: u32) -> u32 {
    let rates = rates(encoder);
    let fits = rates.iter().rev().find(|rate| **rate >= wanted);
    fits.or(rates.first()).copied().unwrap_or(wanted)
}

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
        let format = unsafe { (*frame.as_ptr()).format };
        Self { rate: frame.rate(), format, channels: frame.channels(), layout: layout(frame) }
    }
}

fn layout(frame: &frame::Audio) -> String {
    let mut name: [std::ffi::c_char; 256] = [0; 256];
    // SAFETY: FFmpeg writes at most as many bytes as the buffer has, and ends them with a zero.
    unsafe {
        ffi::av_channel_layout_describe(&(*frame.as_ptr()).ch_layout, name.as_mut_ptr(), name.len());
        std::ffi::CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()
    }
}

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
    encoder: Option<encoder::audio::Encoder>,
    global_headers: bool,
    /// In samples of the output.
    next_pts: i64,
    corrupt: u64,
    limit: u64,
    frame: frame::Audio,
    /// No more packets come.
    is_ending: bool,
}

/// What is done with each packet that comes out.
pub type Each<'a> = dyn FnMut(Packet) -> Result<(), MediaError> + 'a;

impl SoundTrack {
    /// A track of the source's sound. Nothing of `span` that the source lacks is made up.
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
        let mut context = codec::Context::new_with_codec(found);
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
            next_pts: 0,
            corrupt: 0,
            limit: source.max_corrupt,
            frame: frame::Audio::empty(),
            is_ending: false,
        })
    }

    /// The source's stream.
    pub fn stream(&self) -> usize {
        self.stream
    }

    /// The encoded stream and its time base, once sound has come out.
    pub fn parameters(&self) -> Option<(Parameters, Rational)> {
        let encoder = self.encoder.as_ref()?;
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
        self.is_ending = true;
        // A decoder that met nothing has nothing to bring out.
        if self.decoder.send_eof().is_ok() {
            self.decoded(log, each)?;
        }
        self.close_graph(log, each)?;
        if let Some(encoder) = &mut self.encoder {
            encoder.send_eof().map_err(|error| failed(error, log))?;
            packets(encoder, log, each)?;
        }
        Ok(())
    }

    fn decoded(&mut self, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
        loop {
            match self.decoder.receive_frame(&mut self.frame) {
                Ok(()) => self.filter(log, each)?,
                Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
                Err(error) => self.count_corrupt(error, log)?,
            }
        }
    }

    fn count_corrupt(&mut self, error: Error, log: &LogLines) -> Result<(), MediaError> {
        self.corrupt += 1;
        if self.corrupt > self.limit {
            let detail = log.last_useful().unwrap_or_else(|| error.to_string());
            return Err(MediaError::TooCorrupt { count: self.corrupt, limit: self.limit, detail });
        }
        Ok(())
    }

    /// The frame that was decoded, through the graph.
    fn filter(&mut self, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
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
                if self.encoder.is_none() {
                    let first = first_frame(&self.codec, &self.frame, &shape);
                    self.encoder = Some(open_encoder(&self.codec, &first, self.global_headers, log)?);
                }
                let open = self.encoder.as_ref().map(|encoder| (encoder.rate(), encoder.channels()));
                let chain = chain(&self.codec, &shape, self.span, open);
                let mut graph = build(&chain, self.time_base, &shape).map_err(|error| failed(error, log))?;
                // Before the first frame is pulled: every frame but the last has the encoder's own length.
                if let (Some(encoder), Some(mut sink)) = (&self.encoder, graph.get("out"))
                    && encoder.frame_size() > 0
                {
                    sink.sink().set_frame_size(encoder.frame_size());
                }
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
            let Some(encoder) = &mut self.encoder else { return Ok(()) };
            let size = encoder.frame_size() as usize;
            // A short frame ends the track for the encoder; where the source only changes its shape, more comes.
            if made.samples() < size && !self.is_ending {
                made = padded(&made, size)?;
            }
            // From here on only the order counts: a gap in the source stays a gap, an overlap does not go back in time.
            let rate = f64::from(made.rate());
            let seconds = made.pts().map(|pts| pts as f64 * f64::from(time_base) - self.zero);
            let pts = seconds.map_or(self.next_pts, |seconds| (seconds * rate).round() as i64);
            // Rounding of coarse clocks is no gap.
            let is_steady = (pts - self.next_pts).abs() <= (rate * 0.02) as i64 && self.next_pts > 0;
            let pts = if is_steady { self.next_pts } else { pts.max(self.next_pts).max(0) };
            made.set_pts(Some(pts));
            self.next_pts = pts + made.samples() as i64;
            encoder.send_frame(&made).map_err(|error| failed(error, log))?;
            packets(encoder, log, each)?;
        }
    }
}

/// A frame like those that the graph will make, to open the encoder for.
fn first_frame(codec: &AudioCodec, decoded: &frame::Audio, shape: &Shape) -> frame::Audio {
    use ffmpeg_next::ChannelLayout;
    use ffmpeg_next::format::Sample;
    use ffmpeg_next::format::sample::Type::{Packed, Planar};
    let format = match sample_format_for(&codec.encoder, shape) {
        "s16" => Sample::I16(Packed),
        "s32" => Sample::I32(Packed),
        "flt" => Sample::F32(Packed),
        _ => Sample::F32(Planar),
    };
    let channels = channels(codec, shape);
    let layout = match channels {
        n if n == u32::from(shape.channels) && n > 2 => decoded.channel_layout(),
        n => ChannelLayout::default(i32::try_from(n).unwrap_or(2)),
    };
    let mut first = frame::Audio::new(format, 1, layout);
    first.set_rate(nearest_rate(&codec.encoder, codec.sample_rate.unwrap_or(shape.rate)));
    first
}

/// The frame with silence behind it.
fn padded(short: &frame::Audio, size: usize) -> Result<frame::Audio, MediaError> {
    let mut whole = frame::Audio::new(short.format(), size, short.channel_layout());
    whole.set_rate(short.rate());
    whole.set_pts(short.pts());
    let count = |n: usize| libc::c_int::try_from(n).unwrap_or(0);
    // SAFETY: both frames have the same format and layout and buffers of their number of samples; `short` is the shorter.
    unsafe {
        let (to, from) = (whole.as_mut_ptr(), short.as_ptr());
        if (*to).data[0].is_null() || (*to).nb_samples < (*from).nb_samples {
            return Err(MediaError::Encoder { detail: "out of memory".into() });
        }
        let format: ffi::AVSampleFormat = std::mem::transmute((*from).format);
        let channels = i32::from(short.channels());
        ffi::av_samples_copy((*to).extended_data, (*from).extended_data, 0, 0, (*from).nb_samples, channels, format);
        let rest = count(size) - (*from).nb_samples;
        ffi::av_samples_set_silence((*to).extended_data, (*from).nb_samples, rest, channels, format);
    }
    Ok(whole)
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
    let mut context = codec::Context::new_with_codec(found).encoder().audio().map_err(fail)?;
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
    let mut options = Dictionary::new();
    codec.options.iter().for_each(|(name, value)| options.set(name, value));
    context.open_as_with(found, options).map_err(fail)
}

/// Cut to the sample, then what the encoder takes. An encoder that is open keeps its rate and channels.
fn chain(codec: &AudioCodec, shape: &Shape, span: (f64, f64), open: Option<(u32, u16)>) -> String {
    let rate = match open {
        Some((rate, _)) => rate,
        None => nearest_rate(&codec.encoder, codec.sample_rate.unwrap_or(shape.rate)),
    };
    let channels = match open {
        Some((_, channels)) => u32::from(channels),
        None => channels(codec, shape),
    };
    let layout = match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        n if n == u32::from(shape.channels) => String::new(),
        n => default_layout(n),
    };
    let layout = if layout.is_empty() { layout } else { format!(":channel_layouts={layout}") };
    let mut trim = Vec::new();
    if span.0.is_finite() {
        trim.push(format!("start={:.6}", span.0));
    }
    if span.1.is_finite() {
        trim.push(format!("end={:.6}", span.1));
    }
    let trim = if trim.is_empty() { String::new() } else { format!("atrim={},", trim.join(":")) };
    format!("{trim}aformat=sample_fmts={}:sample_rates={rate}{layout}", sample_format_for(&codec.encoder, shape))
}

/// The usual layout of so many channels: `5.1`.
fn default_layout(channels: u32) -> String {
    let mut name: [std::ffi::c_char; 256] = [0; 256];
    // SAFETY: a layout on the stack; FFmpeg writes at most as many bytes as the buffer has, and ends them with a zero.
    unsafe {
        let mut layout: ffi::AVChannelLayout = std::mem::zeroed();
        ffi::av_channel_layout_default(&mut layout, i32::try_from(channels).unwrap_or(2));
        ffi::av_channel_layout_describe(&layout, name.as_mut_ptr(), name.len());
        std::ffi::CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()
    }
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
        (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

fn failed(error: Error, log: &LogLines) -> MediaError {
    MediaError::Encoder { detail: log.last_useful().unwrap_or_else(|| error.to_string()) }
}
