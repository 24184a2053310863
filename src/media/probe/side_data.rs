//! Side data of streams: rotation, HDR, stereo, ...

use std::fmt::Write as _;
use std::ptr;

use ffmpeg_next::{Stream, ffi};
use serde_json::{Map, Value};

use super::name;
use super::text::ratio;
use ffi::AVPacketSideDataType as Kind;

/// Degrees clockwise by which the stream's pictures are to be turned: 0, 90, 180 or 270.
pub fn rotation(stream: &Stream<'_>) -> u32 {
    let matrix =
        stream.side_data().find(|data| matches!(data.kind(), ffmpeg_next::packet::side_data::Type::DisplayMatrix));
    let Some(matrix) = matrix.and_then(|data| integers(data.data())) else { return 0 };
    // The matrix' own angle is counter-clockwise. Other angles leave the picture its sides.
    let quarters = -degrees(&matrix) / 90.0;
    if (quarters - quarters.round()).abs() * 90.0 >= 1.0 {
        return 0;
    }
    (quarters.round() as i64).rem_euclid(4) as u32 * 90
}

/// `side_data_list`, left out when it is empty.
pub(super) fn list(out: &mut Map<String, Value>, stream: &Stream<'_>) {
    let list: Vec<Value> = stream
        .side_data()
        .map(|data| {
            let kind: Kind = data.kind().into();
            let mut one = Map::new();
            // SAFETY: a lookup in a static table.
            let label = name(unsafe { ffi::av_packet_side_data_name(kind) });
            one.insert("side_data_type".into(), label.unwrap_or_else(|| "unknown".into()).into());
            fields(&mut one, kind, data.data());
            Value::Object(one)
        })
        .collect();
    if !list.is_empty() {
        out.insert("side_data_list".into(), list.into());
    }
}

fn fields(out: &mut Map<String, Value>, kind: Kind, data: &[u8]) {
    match kind {
        Kind::AV_PKT_DATA_DISPLAYMATRIX => display_matrix(out, data),
        Kind::AV_PKT_DATA_STEREO3D => stereo(out, data),
        Kind::AV_PKT_DATA_SPHERICAL => spherical(out, data),
        Kind::AV_PKT_DATA_MASTERING_DISPLAY_METADATA => mastering(out, data),
        Kind::AV_PKT_DATA_CONTENT_LIGHT_LEVEL => light(out, data),
        Kind::AV_PKT_DATA_DOVI_CONF => dolby_vision(out, data),
        Kind::AV_PKT_DATA_CPB_PROPERTIES => buffer(out, data),
        Kind::AV_PKT_DATA_AUDIO_SERVICE_TYPE => {
            if let Some(service) = read::<i32>(data) {
                out.insert("service_type".into(), service.into());
            }
        }
        Kind::AV_PKT_DATA_MPEGTS_STREAM_ID => {
            if let Some(id) = data.first() {
                out.insert("id".into(), (*id).into());
            }
        }
        _ => {}
    }
}

/// A struct that FFmpeg stored as bytes; `None` where there are too few of them.
fn read<T: Copy>(data: &[u8]) -> Option<T> {
    // SAFETY: enough bytes, read unaligned. Only used with plain C structs and integers that FFmpeg itself wrote there.
    (data.len() >= size_of::<T>()).then(|| unsafe { ptr::read_unaligned(data.as_ptr().cast::<T>()) })
}

fn integers(data: &[u8]) -> Option<[i32; 9]> {
    read(data)
}

fn degrees(matrix: &[i32; 9]) -> f64 {
    // SAFETY: nine integers are what it reads.
    let angle = unsafe { ffi::av_display_rotation_get(matrix.as_ptr()) };
    if angle.is_nan() { 0.0 } else { angle }
}

fn display_matrix(out: &mut Map<String, Value>, data: &[u8]) {
    let Some(matrix) = integers(data) else { return };
    let mut text = String::from("\n");
    for (row, values) in matrix.chunks(3).enumerate() {
        let _ = write!(text, "{row:08x}: ");
        for value in values {
            let _ = write!(text, " {value:11}");
        }
        text.push('\n');
    }
    out.insert("displaymatrix".into(), text.into());
    out.insert("rotation".into(), (degrees(&matrix) as i64).into());
}

fn stereo(out: &mut Map<String, Value>, data: &[u8]) {
    let Some(stereo) = read::<ffi::AVStereo3D>(data) else { return };
    // SAFETY: a lookup in a static table.
    let kind = name(unsafe { ffi::av_stereo3d_type_name(stereo.type_ as _) });
    out.insert("type".into(), kind.unwrap_or_else(|| "unknown".into()).into());
    out.insert("inverted".into(), i32::from(stereo.flags & ffi::AV_STEREO3D_FLAG_INVERT != 0).into());
}

fn spherical(out: &mut Map<String, Value>, data: &[u8]) {
    use ffi::AVSphericalProjection::*;
    let Some(mapping) = read::<ffi::AVSphericalMapping>(data) else { return };
    // SAFETY: a lookup in a static table.
    let projection = name(unsafe { ffi::av_spherical_projection_name(mapping.projection) });
    out.insert("projection".into(), projection.unwrap_or_else(|| "unknown".into()).into());
    if mapping.projection == AV_SPHERICAL_CUBEMAP {
        out.insert("padding".into(), mapping.padding.into());
    }
    let degrees = |value: i32| Value::from((f64::from(value) / 65536.0) as i64);
    out.insert("yaw".into(), degrees(mapping.yaw));
    out.insert("pitch".into(), degrees(mapping.pitch));
    out.insert("roll".into(), degrees(mapping.roll));
}

/// `AVMasteringDisplayMetadata` of libavutil/mastering_display_metadata.h, which the bindings leave out.
#[derive(Clone, Copy)]
#[repr(C)]
struct MasteringDisplay {
    display_primaries: [[ffi::AVRational; 2]; 3],
    white_point: [ffi::AVRational; 2],
    min_luminance: ffi::AVRational,
    max_luminance: ffi::AVRational,
    has_primaries: i32,
    has_luminance: i32,
}

fn mastering(out: &mut Map<String, Value>, data: &[u8]) {
    let Some(display) = read::<MasteringDisplay>(data) else { return };
    if display.has_primaries != 0 {
        for (colour, [x, y]) in ["red", "green", "blue"].iter().zip(display.display_primaries) {
            out.insert(format!("{colour}_x"), ratio(x, '/'));
            out.insert(format!("{colour}_y"), ratio(y, '/'));
        }
        let [x, y] = display.white_point;
        out.insert("white_point_x".into(), ratio(x, '/'));
        out.insert("white_point_y".into(), ratio(y, '/'));
    }
    if display.has_luminance != 0 {
        out.insert("min_luminance".into(), ratio(display.min_luminance, '/'));
        out.insert("max_luminance".into(), ratio(display.max_luminance, '/'));
    }
}

/// `AVContentLightMetadata`: the two numbers.
fn light(out: &mut Map<String, Value>, data: &[u8]) {
    let Some(light) = read::<[u32; 2]>(data) else { return };
    let [content, average] = light;
    out.insert("max_content".into(), content.into());
    out.insert("max_average".into(), average.into());
}

/// `AVDOVIDecoderConfigurationRecord`: eight bytes, one a field.
fn dolby_vision(out: &mut Map<String, Value>, data: &[u8]) {
    let keys = [
        "dv_version_major",
        "dv_version_minor",
        "dv_profile",
        "dv_level",
        "rpu_present_flag",
        "el_present_flag",
        "bl_present_flag",
        "dv_bl_signal_compatibility_id",
    ];
    for (key, value) in keys.iter().zip(data) {
        out.insert((*key).into(), (*value).into());
    }
}

fn buffer(out: &mut Map<String, Value>, data: &[u8]) {
    let Some(buffer) = read::<ffi::AVCPBProperties>(data) else { return };
    out.insert("max_bitrate".into(), buffer.max_bitrate.into());
    out.insert("min_bitrate".into(), buffer.min_bitrate.into());
    out.insert("avg_bitrate".into(), buffer.avg_bitrate.into());
    out.insert("buffer_size".into(), buffer.buffer_size.into());
    // Printed as a signed number: "not known" is -1.
    out.insert("vbv_delay".into(), (buffer.vbv_delay as i64).into());
}
