//! Frames to packets.

use std::collections::VecDeque;

use ffmpeg_next::codec::{self, Parameters, encoder};
use ffmpeg_next::{Error, Packet, Rational, ffi, frame};

use super::options;
use crate::media::MediaError;
use crate::media::log::LogLines;

/// How pictures are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoCodec {
    /// FFmpeg's name of the encoder.
    pub encoder: String,
    /// FFmpeg's names of the pixel formats that may come out, best first, with `|` between.
    pub formats: String,
    /// Options of the encoder, as the ffmpeg program takes them.
    pub options: Vec<(String, String)>,
}

impl VideoCodec {
    /// What the ffmpeg program takes for a container: libx264 `medium`, CRF 23; VP9 for WebM.
    pub fn default_for(extension: &str) -> Self {
        let (encoder, options): (&str, &[(&str, &str)]) = match extension {
            "webm" => ("libvpx-vp9", &[("crf", "32"), ("b", "0"), ("deadline", "good"), ("cpu-used", "4")]),
            _ => ("libx264", &[("preset", "medium"), ("crf", "23")]),
        };
        Self {
            encoder: encoder.into(),
            formats: "yuv420p|yuvj420p".into(),
            options: options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        }
    }
}

/// An open encoder.
pub struct VideoEncoder {
    codec: encoder::video::Encoder,
    time_base: Rational,
    /// Of the frames that went in, rising.
    times: Vec<i64>,
    /// Packets whose length is not known until the frame that follows went in.
    held: VecDeque<Packet>,
}

impl VideoEncoder {
    /// Opens it for frames like `first`, whose times are in `time_base`.
    pub fn open(
        codec: &VideoCodec,
        first: &frame::Video,
        time_base: Rational,
        frame_rate: Option<Rational>,
        global_headers: bool,
        log: &LogLines,
    ) -> Result<Self, MediaError> {
        let found = options::find(&codec.encoder)?;
        let fail =
            |error: Error| MediaError::Encoder { detail: log.last_useful().unwrap_or_else(|| error.to_string()) };
        let mut context = codec::Context::new_with_codec(found).encoder().video().map_err(fail)?;
        context.set_width(first.width());
        context.set_height(first.height());
        context.set_format(first.format());
        context.set_time_base(time_base);
        context.set_frame_rate(frame_rate);
        context.set_aspect_ratio(first.aspect_ratio());
        // SAFETY: the context is not open yet; these are plain fields.
        unsafe {
            let raw = context.as_mut_ptr();
            (*raw).color_range = (*first.as_ptr()).color_range;
            (*raw).colorspace = (*first.as_ptr()).colorspace;
            (*raw).color_primaries = (*first.as_ptr()).color_primaries;
            (*raw).color_trc = (*first.as_ptr()).color_trc;
            (*raw).chroma_sample_location = (*first.as_ptr()).chroma_location;
            (*raw).thread_count = 1;
            (*raw).flags |= ffi::AV_CODEC_FLAG_BITEXACT as i32;
            if global_headers {
                (*raw).flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
            }
        }
        let settings = steady(codec);
        let options = options::checked(&codec.encoder, &context, &settings)?;
        let before = log.texts();
        let open = context.open_as_with(found, options).map_err(fail)?;
        options::no_complaint(codec, &log.since(&before))?;
        Ok(Self { codec: open, time_base, times: Vec::new(), held: VecDeque::new() })
    }

    pub fn parameters(&self) -> Parameters {
        Parameters::from(&self.codec)
    }

    /// Takes a frame with its time set. One that is not later than the last is dropped: no container can tell them apart.
    pub fn push(&mut self, mut picture: frame::Video, each: &mut Each<'_>) -> Result<(), MediaError> {
        let last = self.times.last().copied();
        let pts = picture.pts().unwrap_or_else(|| last.map_or(0, |last| last + 1));
        if last.is_some_and(|last| pts <= last) {
            return Ok(());
        }
        self.times.push(pts);
        picture.set_pts(Some(pts));
        picture.set_kind(ffmpeg_next::picture::Type::None);
        self.codec.send_frame(&picture).map_err(failed)?;
        self.pull()?;
        while let Some(packet) = self.held.pop_front() {
            let next = self.next_time(&packet);
            if next.is_none() {
                self.held.push_front(packet);
                break;
            }
            each(lasting(packet, next))?;
        }
        Ok(())
    }

    /// No more frames; the last one lasts until `end`, or as long as frames usually do.
    pub fn end(&mut self, end: Option<i64>, each: &mut Each<'_>) -> Result<(), MediaError> {
        self.codec.send_eof().map_err(failed)?;
        self.pull()?;
        while let Some(packet) = self.held.pop_front() {
            let next = self.next_time(&packet).or(end);
            each(lasting(packet, next))?;
        }
        Ok(())
    }

    /// When the frame after the packet's is shown.
    fn next_time(&self, packet: &Packet) -> Option<i64> {
        let own = packet.pts()?;
        self.times.get(self.times.partition_point(|time| *time <= own)).copied()
    }

    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    fn pull(&mut self) -> Result<(), MediaError> {
        loop {
            let mut packet = Packet::empty();
            match self.codec.receive_packet(&mut packet) {
                Ok(()) => self.held.push_back(packet),
                Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

/// The encoder's options, and what keeps x264 to the same bytes for the same frames: its AVX-512 code for macroblock trees
/// takes in memory beyond a row of macroblocks unless their number is round (seen in x264 164 at widths of 96, 160, 400), so
/// that bytes depend on what the memory held before. Its other code agrees with itself, whatever the processor.
fn steady(codec: &VideoCodec) -> Vec<(String, String)> {
    const NESTED: &str = "x264-params";
    let mut options = codec.options.clone();
    if codec.encoder != "libx264" || !has_avx512() || options.iter().any(|(_, value)| value.contains("asm=")) {
        return options;
    }
    let asm = "asm=avx2,fma3,bmi2,lzcnt";
    match options.iter_mut().find(|(name, _)| name == NESTED) {
        Some((_, value)) => *value = format!("{value}:{asm}"),
        None => options.push((NESTED.to_owned(), asm.to_owned())),
    }
    options
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    // What x264 asks for before it takes such code.
    is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

/// The packet, shown until `next`.
fn lasting(mut packet: Packet, next: Option<i64>) -> Packet {
    let length = next.zip(packet.pts()).map(|(next, own)| next - own);
    if let Some(length) = length.filter(|length| *length > 0) {
        packet.set_duration(length);
    }
    packet
}

/// What is done with each packet that comes out.
pub type Each<'a> = dyn FnMut(Packet) -> Result<(), MediaError> + 'a;

fn failed(error: Error) -> MediaError {
    MediaError::Encoder { detail: error.to_string() }
}
