//! Frames of sound to packets.

use std::ffi::CString;

use ffmpeg_next::codec::{context::Context, encoder};
use ffmpeg_next::{Dictionary, Error, Packet, ffi, frame};

use super::codec::AudioCodec;
use super::fifo::Fifo;
use super::{Each, failed};
use crate::media::MediaError;
use crate::media::log::LogLines;

/// What waits and makes whole frames; `last`: all of it.
pub fn encode(
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

pub fn packets(encoder: &mut encoder::audio::Encoder, log: &LogLines, each: &mut Each<'_>) -> Result<(), MediaError> {
    loop {
        let mut packet = Packet::empty();
        match encoder.receive_packet(&mut packet) {
            Ok(()) => each(packet)?,
            Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
            Err(error) => return Err(failed(error, log)),
        }
    }
}

pub fn open(
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
