//! Single frames as pictures.

use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::{Dictionary, Error, Packet, Rational, ffi, frame};

use super::filter::{FilterSpec, VideoFilter};
use crate::media::MediaError;
use crate::media::log::LogLines;

/// Formats that pictures are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    Jpeg,
    Png,
}

impl ImageFormat {
    /// By a member's extension.
    pub fn of(extension: &str) -> Option<Self> {
        match extension {
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            _ => None,
        }
    }
}

/// Encodes a frame, upright after `turn` ([`super::Streams::turn`]). JPEG at FFmpeg's quality 2, which is near its best.
pub fn encode_image(
    picture: &frame::Video,
    turn: Option<&str>,
    format: ImageFormat,
    log: &LogLines,
) -> Result<Vec<u8>, MediaError> {
    let (name, formats) = match format {
        ImageFormat::Jpeg => ("mjpeg", "yuvj420p|yuvj422p|yuvj444p"),
        ImageFormat::Png => ("png", "rgb24"),
    };
    let mut filter = VideoFilter::new(FilterSpec {
        graph: None,
        turn: turn.map(str::to_owned),
        time_base: Rational(1, 25),
        frame_rate: None,
        formats: formats.into(),
    });
    let mut made = None;
    let mut keep = |frame| {
        made.get_or_insert(frame);
        Ok(())
    };
    filter.push(picture, 0, log, &mut keep)?;
    filter.end(1, &mut keep)?;
    let upright = made.ok_or_else(|| MediaError::Encoder { detail: "no picture came out of the filters".into() })?;
    encode(name, &upright, log)
}

fn encode(name: &str, picture: &frame::Video, log: &LogLines) -> Result<Vec<u8>, MediaError> {
    let fail = |error: Error| MediaError::Encoder { detail: log.last_useful().unwrap_or_else(|| error.to_string()) };
    let found = encoder::find_by_name(name).ok_or_else(|| MediaError::NoEncoder { encoder: name.to_owned() })?;
    let mut context = codec::Context::new_with_codec(found).encoder().video().map_err(fail)?;
    context.set_width(picture.width());
    context.set_height(picture.height());
    context.set_format(picture.format());
    context.set_time_base(Rational(1, 25));
    // SAFETY: the context is not open yet; these are plain fields.
    unsafe {
        let raw = context.as_mut_ptr();
        (*raw).thread_count = 1;
        (*raw).color_range = (*picture.as_ptr()).color_range;
        (*raw).flags |= ffi::AV_CODEC_FLAG_BITEXACT as i32 | ffi::AV_CODEC_FLAG_QSCALE as i32;
        (*raw).global_quality = 2 * ffi::FF_QP2LAMBDA;
    }
    let mut encoder = context.open_as_with(found, Dictionary::new()).map_err(fail)?;
    let mut shared = frame::Video::empty();
    // SAFETY: both are frames; the new one refers to the same buffers.
    unsafe {
        ffi::av_frame_ref(shared.as_mut_ptr(), picture.as_ptr());
        (*shared.as_mut_ptr()).quality = 2 * ffi::FF_QP2LAMBDA;
    }
    shared.set_pts(Some(0));
    encoder.send_frame(&shared).map_err(fail)?;
    encoder.send_eof().map_err(fail)?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).map_err(fail)?;
    Ok(packet.data().unwrap_or_default().to_vec())
}
