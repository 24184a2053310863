//! One stream's fields.

use std::ffi::CStr;
use std::ptr;

use ffmpeg_next::codec::Context;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Stream, decoder, ffi};
use libc::{c_char, c_int};
use serde_json::{Map, Value};

use super::name;
use super::side_data;
use super::text::{ratio, tags, time};
use ffi::AVMediaType::*;

type Out = Map<String, Value>;

pub(super) fn describe(input: &Input, stream: &Stream<'_>) -> Out {
    let mut out = Out::new();
    let opened = open_decoder(stream);
    // SAFETY: stream, parameters and context are alive for the whole call; everything read is a plain field, and the
    // names come out of FFmpeg's static tables.
    unsafe {
        let raw = stream.as_ptr();
        let parameters = &*(*raw).codecpar;
        let codec = opened.as_ref().map(|opened| &*opened.as_ptr());
        codec_fields(&mut out, stream, parameters);
        match parameters.codec_type {
            AVMEDIA_TYPE_VIDEO => video_fields(&mut out, input, raw, parameters, codec),
            AVMEDIA_TYPE_AUDIO => audio_fields(&mut out, parameters),
            AVMEDIA_TYPE_SUBTITLE => subtitle_fields(&mut out, parameters),
            _ => {}
        }
        if let Some(codec) = codec {
            private_fields(&mut out, codec);
        }
        timing_fields(&mut out, input, stream, parameters, codec);
        disposition(&mut out, (*raw).disposition);
        tags(&mut out, (*raw).metadata);
    }
    side_data::list(&mut out, stream);
    out
}

/// A decoder as ffprobe opens one: some fields are only known to it. No packet is decoded.
fn open_decoder(stream: &Stream<'_>) -> Option<decoder::Opened> {
    let parameters = stream.parameters();
    let codec = decoder::find(parameters.id())?;
    let mut context = Context::new_with_codec(codec);
    // SAFETY: both are alive; a context that could not be allocated is looked at first.
    unsafe {
        let raw = context.as_mut_ptr();
        if raw.is_null() || ffi::avcodec_parameters_to_context(raw, parameters.as_ptr()) < 0 {
            return None;
        }
        (*raw).pkt_timebase = stream.time_base().into();
        (*raw).thread_count = 1;
    }
    context.decoder().open().ok()
}

fn put(out: &mut Out, key: &str, value: impl Into<Value>) {
    out.insert(key.into(), value.into());
}

fn put_name(out: &mut Out, key: &str, table: *const c_char) {
    if let Some(name) = name(table) {
        put(out, key, name);
    }
}

unsafe fn codec_fields(out: &mut Out, stream: &Stream<'_>, parameters: &ffi::AVCodecParameters) {
    put(out, "index", stream.index());
    // SAFETY: lookups in static tables; the four characters fit in the buffer that FFmpeg's own macro gives it.
    unsafe {
        let descriptor = ffi::avcodec_descriptor_get(parameters.codec_id);
        if !descriptor.is_null() {
            put_name(out, "codec_name", (*descriptor).name);
            let long = name((*descriptor).long_name);
            put(out, "codec_long_name", long.unwrap_or_else(|| "unknown".into()));
        }
        match name(ffi::avcodec_profile_name(parameters.codec_id, parameters.profile)) {
            Some(profile) => put(out, "profile", profile),
            None if parameters.profile != ffi::FF_PROFILE_UNKNOWN => {
                put(out, "profile", parameters.profile.to_string());
            }
            None => {}
        }
        put_name(out, "codec_type", ffi::av_get_media_type_string(parameters.codec_type));
        let mut text: [c_char; ffi::AV_FOURCC_MAX_STRING_SIZE as usize] = [0; ffi::AV_FOURCC_MAX_STRING_SIZE as usize];
        put_name(out, "codec_tag_string", ffi::av_fourcc_make_string(text.as_mut_ptr(), parameters.codec_tag));
    }
    put(out, "codec_tag", format!("0x{:04x}", parameters.codec_tag));
}

unsafe fn video_fields(
    out: &mut Out,
    input: &Input,
    stream: *const ffi::AVStream,
    parameters: &ffi::AVCodecParameters,
    codec: Option<&ffi::AVCodecContext>,
) {
    put(out, "width", parameters.width);
    put(out, "height", parameters.height);
    if let Some(codec) = codec {
        let has = |property: u32| i32::from(codec.properties & property != 0);
        put(out, "coded_width", codec.coded_width);
        put(out, "coded_height", codec.coded_height);
        put(out, "closed_captions", has(ffi::FF_CODEC_PROPERTY_CLOSED_CAPTIONS as u32));
        put(out, "film_grain", has(ffi::FF_CODEC_PROPERTY_FILM_GRAIN as u32));
    }
    put(out, "has_b_frames", parameters.video_delay);
    // SAFETY: FFmpeg only reads; it takes the pointers as mutable for old reasons. The rest are lookups in static tables.
    unsafe {
        let aspect = ffi::av_guess_sample_aspect_ratio(input.as_ptr().cast_mut(), stream.cast_mut(), ptr::null_mut());
        if aspect.num != 0 {
            put(out, "sample_aspect_ratio", ratio(aspect, ':'));
            put(out, "display_aspect_ratio", ratio(display_aspect(parameters, aspect), ':'));
        }
        if let Some(format) = ffmpeg_pixel(parameters.format) {
            put_name(out, "pix_fmt", ffi::av_get_pix_fmt_name(format));
        }
        put(out, "level", parameters.level);
        if parameters.color_range != ffi::AVColorRange::AVCOL_RANGE_UNSPECIFIED {
            put_name(out, "color_range", ffi::av_color_range_name(parameters.color_range));
        }
        if parameters.color_space != ffi::AVColorSpace::AVCOL_SPC_UNSPECIFIED {
            put_name(out, "color_space", ffi::av_color_space_name(parameters.color_space));
        }
        if parameters.color_trc != ffi::AVColorTransferCharacteristic::AVCOL_TRC_UNSPECIFIED {
            put_name(out, "color_transfer", ffi::av_color_transfer_name(parameters.color_trc));
        }
        if parameters.color_primaries != ffi::AVColorPrimaries::AVCOL_PRI_UNSPECIFIED {
            put_name(out, "color_primaries", ffi::av_color_primaries_name(parameters.color_primaries));
        }
        if parameters.chroma_location != ffi::AVChromaLocation::AVCHROMA_LOC_UNSPECIFIED {
            put_name(out, "chroma_location", ffi::av_chroma_location_name(parameters.chroma_location));
        }
    }
    use ffi::AVFieldOrder::*;
    let order = match parameters.field_order {
        AV_FIELD_PROGRESSIVE => Some("progressive"),
        AV_FIELD_TT => Some("tt"),
        AV_FIELD_BB => Some("bb"),
        AV_FIELD_TB => Some("tb"),
        AV_FIELD_BT => Some("bt"),
        _ => None,
    };
    if let Some(order) = order {
        put(out, "field_order", order);
    }
    if let Some(codec) = codec {
        put(out, "refs", codec.refs);
    }
}

fn display_aspect(parameters: &ffi::AVCodecParameters, aspect: ffi::AVRational) -> ffi::AVRational {
    let across = i64::from(parameters.width) * i64::from(aspect.num);
    let down = i64::from(parameters.height) * i64::from(aspect.den);
    let mut reduced = ffi::AVRational { num: 0, den: 1 };
    // SAFETY: writes the two numbers.
    unsafe { ffi::av_reduce(&mut reduced.num, &mut reduced.den, across, down, 1024 * 1024) };
    reduced
}

/// The pixel format behind the number in a stream's parameters; `None` for "not known".
fn ffmpeg_pixel(number: c_int) -> Option<ffi::AVPixelFormat> {
    let last = ffi::AVPixelFormat::AV_PIX_FMT_NB as c_int;
    // SAFETY: a number below the last is one of the enumeration's, which has no gaps.
    (0..last).contains(&number).then(|| unsafe { std::mem::transmute::<c_int, ffi::AVPixelFormat>(number) })
}

fn ffmpeg_sample(number: c_int) -> Option<ffi::AVSampleFormat> {
    let last = ffi::AVSampleFormat::AV_SAMPLE_FMT_NB as c_int;
    // SAFETY: as for pixel formats.
    (0..last).contains(&number).then(|| unsafe { std::mem::transmute::<c_int, ffi::AVSampleFormat>(number) })
}

unsafe fn audio_fields(out: &mut Out, parameters: &ffi::AVCodecParameters) {
    // SAFETY: lookups in static tables; the description is cut to its buffer and ends with a zero.
    unsafe {
        if let Some(format) = ffmpeg_sample(parameters.format) {
            put_name(out, "sample_fmt", ffi::av_get_sample_fmt_name(format));
        }
        put(out, "sample_rate", parameters.sample_rate.to_string());
        put(out, "channels", parameters.ch_layout.nb_channels);
        if parameters.ch_layout.order != ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            let mut text: [c_char; 128] = [0; 128];
            ffi::av_channel_layout_describe(&parameters.ch_layout, text.as_mut_ptr(), text.len());
            put(out, "channel_layout", CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned());
        }
        put(out, "bits_per_sample", ffi::av_get_bits_per_sample(parameters.codec_id));
    }
}

fn subtitle_fields(out: &mut Out, parameters: &ffi::AVCodecParameters) {
    for (key, value) in [("width", parameters.width), ("height", parameters.height)] {
        if value != 0 {
            put(out, key, value);
        }
    }
}

/// The decoder's own options that are marked for export (`is_avc`, `nal_length_size`).
unsafe fn private_fields(out: &mut Out, codec: &ffi::AVCodecContext) {
    // SAFETY: with a private class, the private data starts with it, and its options may be asked for; the text that
    // comes back is ours to free.
    unsafe {
        if codec.codec.is_null() || (*codec.codec).priv_class.is_null() || codec.priv_data.is_null() {
            return;
        }
        let mut option: *const ffi::AVOption = ptr::null();
        loop {
            option = ffi::av_opt_next(codec.priv_data, option);
            if option.is_null() {
                return;
            }
            if (*option).flags & ffi::AV_OPT_FLAG_EXPORT == 0 {
                continue;
            }
            let mut text: *mut u8 = ptr::null_mut();
            if ffi::av_opt_get(codec.priv_data, (*option).name, 0, &mut text) >= 0 && !text.is_null() {
                if let (Some(key), Some(value)) = (name((*option).name), name(text.cast())) {
                    put(out, &key, value);
                }
                ffi::av_free(text.cast());
            }
        }
    }
}

unsafe fn timing_fields(
    out: &mut Out,
    input: &Input,
    stream: &Stream<'_>,
    parameters: &ffi::AVCodecParameters,
    codec: Option<&ffi::AVCodecContext>,
) {
    // SAFETY: plain fields of the open context and its stream.
    let (raw, flags) = unsafe { (&*stream.as_ptr(), (*(*input.as_ptr()).iformat).flags) };
    if flags & ffi::AVFMT_SHOW_IDS != 0 {
        put(out, "id", format!("0x{:x}", raw.id));
    }
    put(out, "r_frame_rate", ratio(raw.r_frame_rate, '/'));
    put(out, "avg_frame_rate", ratio(raw.avg_frame_rate, '/'));
    put(out, "time_base", ratio(raw.time_base, '/'));
    for (ticks, seconds, value) in
        [("start_pts", "start_time", raw.start_time), ("duration_ts", "duration", raw.duration)]
    {
        if value != ffi::AV_NOPTS_VALUE {
            put(out, ticks, value);
        }
        time(out, seconds, value, stream.time_base());
    }
    if parameters.bit_rate > 0 {
        put(out, "bit_rate", parameters.bit_rate.to_string());
    }
    if let Some(codec) = codec {
        if codec.rc_max_rate > 0 {
            put(out, "max_bit_rate", codec.rc_max_rate.to_string());
        }
        if codec.bits_per_raw_sample > 0 {
            put(out, "bits_per_raw_sample", codec.bits_per_raw_sample.to_string());
        }
    }
    if raw.nb_frames != 0 {
        put(out, "nb_frames", raw.nb_frames.to_string());
    }
    if parameters.extradata_size > 0 {
        put(out, "extradata_size", parameters.extradata_size);
    }
}

fn disposition(out: &mut Out, flags: c_int) {
    let names = [
        ("default", ffi::AV_DISPOSITION_DEFAULT),
        ("dub", ffi::AV_DISPOSITION_DUB),
        ("original", ffi::AV_DISPOSITION_ORIGINAL),
        ("comment", ffi::AV_DISPOSITION_COMMENT),
        ("lyrics", ffi::AV_DISPOSITION_LYRICS),
        ("karaoke", ffi::AV_DISPOSITION_KARAOKE),
        ("forced", ffi::AV_DISPOSITION_FORCED),
        ("hearing_impaired", ffi::AV_DISPOSITION_HEARING_IMPAIRED),
        ("visual_impaired", ffi::AV_DISPOSITION_VISUAL_IMPAIRED),
        ("clean_effects", ffi::AV_DISPOSITION_CLEAN_EFFECTS),
        ("attached_pic", ffi::AV_DISPOSITION_ATTACHED_PIC),
        ("timed_thumbnails", ffi::AV_DISPOSITION_TIMED_THUMBNAILS),
        ("captions", ffi::AV_DISPOSITION_CAPTIONS),
        ("descriptions", ffi::AV_DISPOSITION_DESCRIPTIONS),
        ("metadata", ffi::AV_DISPOSITION_METADATA),
        ("dependent", ffi::AV_DISPOSITION_DEPENDENT),
        ("still_image", ffi::AV_DISPOSITION_STILL_IMAGE),
    ];
    let flags: Out = names.iter().map(|(name, bit)| ((*name).into(), i32::from(flags & bit != 0).into())).collect();
    put(out, "disposition", flags);
}
