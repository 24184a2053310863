//! Options of encoders, looked at before they are used.

use std::ffi::CString;

use ffmpeg_next::{Dictionary, codec, ffi};

use super::encoder::VideoCodec;
use crate::media::MediaError;

/// The options as FFmpeg takes them.
///
/// # Errors
/// [`MediaError::Option`]: the encoder has none of such a name, or it holds a zero byte. FFmpeg would pass over it silently.
pub fn checked<'o>(
    encoder: &str,
    context: &codec::Context,
    options: &'o [(String, String)],
) -> Result<Dictionary<'o>, MediaError> {
    let mut checked = Dictionary::new();
    for (name, value) in options {
        let wrong = |why: &str| MediaError::Option { encoder: encoder.into(), option: shown(name), why: why.into() };
        let text = CString::new(name.as_str()).map_err(|_| wrong("its name holds a zero byte"))?;
        if value.contains('\0') {
            return Err(wrong("its value holds a zero byte"));
        }
        // SAFETY: the context is alive, and its first field is the class that options are looked up in.
        let found = unsafe {
            let context = context.as_ptr().cast_mut().cast();
            ffi::av_opt_find(context, text.as_ptr(), std::ptr::null(), 0, ffi::AV_OPT_SEARCH_CHILDREN)
        };
        if found.is_null() {
            return Err(wrong("there is no such option"));
        }
        checked.set(name, value);
    }
    Ok(checked)
}

/// Nested options (`x264-params`) that the encoder's library complained about, which FFmpeg passes over.
pub fn no_complaint(codec: &VideoCodec, lines: &[String]) -> Result<(), MediaError> {
    let complains = |line: &&String| COMPLAINTS.iter().any(|complaint| line.contains(complaint));
    let nested =
        codec.options.iter().map(|(name, _)| name).find(|name| name.contains("-params") || name.contains("opts"));
    match (lines.iter().find(complains), nested) {
        (Some(line), Some(name)) => {
            Err(MediaError::Option { encoder: codec.encoder.clone(), option: name.clone(), why: line.clone() })
        }
        _ => Ok(()),
    }
}

/// How FFmpeg's wrappers of x264, x265 and SVT-AV1 say that an option is none of the library's.
const COMPLAINTS: [&str; 3] = ["Error parsing option", "Unknown option", "Invalid value for"];

/// The encoder of this name.
///
/// # Errors
/// [`MediaError::NoEncoder`].
pub fn find(encoder: &str) -> Result<ffmpeg_next::Codec, MediaError> {
    let missing = || MediaError::NoEncoder { encoder: shown(encoder) };
    if encoder.contains('\0') {
        return Err(missing());
    }
    codec::encoder::find_by_name(encoder).ok_or_else(missing)
}

fn shown(text: &str) -> String {
    text.replace('\0', "\\0")
}
