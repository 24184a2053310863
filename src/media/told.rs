//! What the header of an MP4 tells of its video, so that no picture has to be decoded to know it.

use ffmpeg_next::ffi;
use ffmpeg_next::format::context::Input;

use super::smart::{Sets, Told};

/// Fills in what a decoder would, where H.264's parameter sets stand in the stream's header and leave nothing open: pixel
/// format, depth, aspect, colours, reordering. False: a decoder has to be asked, and nothing was touched.
pub fn take(input: &Input, index: usize) -> bool {
    let Some(stream) = input.stream(index) else { return false };
    // SAFETY: the context is open, the parameters live as long as their stream, and nobody else looks at them now. The
    // extradata is read within the size that stands beside it.
    unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        let (data, size) = ((*parameters).extradata, (*parameters).extradata_size);
        if (*parameters).codec_id != ffi::AVCodecID::AV_CODEC_ID_H264 || data.is_null() || size <= 0 {
            return false;
        }
        let header = std::slice::from_raw_parts(data, size as usize);
        // With start codes in place of counts, sets may also stand in the packets.
        if header.first() != Some(&1) {
            return false;
        }
        let Some(told) = Sets::of_header(header).ok().and_then(|(sets, _)| sets.told()) else { return false };
        let size = (u32::try_from((*parameters).width), u32::try_from((*parameters).height));
        if size != (Ok(told.size.0), Ok(told.size.1)) {
            return false;
        }
        fill(&mut *parameters, told)
    }
}

/// The common cases; numbers that are rare are left to the decoder.
fn fill(parameters: &mut ffi::AVCodecParameters, told: Told) -> bool {
    let Told { aspect, usability, reordered, .. } = told;
    let (Some(colours), Some(place)) = (colours(usability.colour), chroma_place(usability.place.unwrap_or(0))) else {
        return false;
    };
    let (Ok(num), Ok(den)) = (i32::try_from(aspect.0), i32::try_from(aspect.1)) else { return false };
    if usability.is_full == Some(true) {
        return false;
    }
    parameters.format = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as i32;
    parameters.bits_per_raw_sample = 8;
    parameters.sample_aspect_ratio = ffi::AVRational { num, den };
    parameters.chroma_location = place;
    parameters.video_delay = reordered.try_into().unwrap_or(0);
    if usability.is_full.is_some() {
        parameters.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
    }
    if let Colours::Told(primaries, transfer, matrix) = colours {
        parameters.color_primaries = primaries;
        parameters.color_trc = transfer;
        parameters.color_space = matrix;
    }
    true
}

enum Colours {
    NotTold,
    Told(ffi::AVColorPrimaries, ffi::AVColorTransferCharacteristic, ffi::AVColorSpace),
}

/// By the tables E-3 to E-5 of H.264, whose numbers are FFmpeg's.
fn colours(told: Option<[u32; 3]>) -> Option<Colours> {
    use ffi::{AVColorPrimaries as P, AVColorSpace as M, AVColorTransferCharacteristic as T};
    let Some([primaries, transfer, matrix]) = told else { return Some(Colours::NotTold) };
    let primaries = match primaries {
        1 => P::AVCOL_PRI_BT709,
        2 => P::AVCOL_PRI_UNSPECIFIED,
        5 => P::AVCOL_PRI_BT470BG,
        6 => P::AVCOL_PRI_SMPTE170M,
        _ => return None,
    };
    let transfer = match transfer {
        1 => T::AVCOL_TRC_BT709,
        2 => T::AVCOL_TRC_UNSPECIFIED,
        6 => T::AVCOL_TRC_SMPTE170M,
        _ => return None,
    };
    let matrix = match matrix {
        1 => M::AVCOL_SPC_BT709,
        2 => M::AVCOL_SPC_UNSPECIFIED,
        5 => M::AVCOL_SPC_BT470BG,
        6 => M::AVCOL_SPC_SMPTE170M,
        _ => return None,
    };
    Some(Colours::Told(primaries, transfer, matrix))
}

/// `chroma_sample_loc_type_top_field`, figure E-1.
fn chroma_place(number: u32) -> Option<ffi::AVChromaLocation> {
    use ffi::AVChromaLocation as C;
    Some(match number {
        0 => C::AVCHROMA_LOC_LEFT,
        1 => C::AVCHROMA_LOC_CENTER,
        2 => C::AVCHROMA_LOC_TOPLEFT,
        3 => C::AVCHROMA_LOC_TOP,
        4 => C::AVCHROMA_LOC_BOTTOMLEFT,
        5 => C::AVCHROMA_LOC_BOTTOM,
        _ => return None,
    })
}
