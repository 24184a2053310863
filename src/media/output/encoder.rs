//! Frames to packets.

use ffmpeg_next::codec::{self, Parameters, encoder};
use ffmpeg_next::{Dictionary, Error, Packet, Rational, ffi, frame};

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
    last_pts: Option<i64>,
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
        let missing = || MediaError::NoEncoder { encoder: codec.encoder.clone() };
        let found = encoder::find_by_name(&codec.encoder).ok_or_else(missing)?;
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
        let mut options = Dictionary::new();
        codec.options.iter().for_each(|(name, value)| options.set(name, value));
        let codec = context.open_as_with(found, options).map_err(fail)?;
        Ok(Self { codec, time_base, last_pts: None })
    }

    pub fn parameters(&self) -> Parameters {
        Parameters::from(&self.codec)
    }

    /// Takes a frame with its time set. One that is not later than the last is dropped: no container can tell them apart.
    pub fn push(&mut self, mut picture: frame::Video, each: &mut Each<'_>) -> Result<(), MediaError> {
        let pts = picture.pts().unwrap_or_else(|| self.last_pts.map_or(0, |last| last + 1));
        if self.last_pts.is_some_and(|last| pts <= last) {
            return Ok(());
        }
        self.last_pts = Some(pts);
        picture.set_pts(Some(pts));
        picture.set_kind(ffmpeg_next::picture::Type::None);
        self.codec.send_frame(&picture).map_err(failed)?;
        self.pull(each)
    }

    /// No more frames.
    pub fn end(&mut self, each: &mut Each<'_>) -> Result<(), MediaError> {
        self.codec.send_eof().map_err(failed)?;
        self.pull(each)
    }

    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    fn pull(&mut self, each: &mut Each<'_>) -> Result<(), MediaError> {
        loop {
            let mut packet = Packet::empty();
            match self.codec.receive_packet(&mut packet) {
                Ok(()) => each(packet)?,
                Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

/// What is done with each packet that comes out.
pub type Each<'a> = dyn FnMut(Packet) -> Result<(), MediaError> + 'a;

fn failed(error: Error) -> MediaError {
    MediaError::Encoder { detail: error.to_string() }
}
