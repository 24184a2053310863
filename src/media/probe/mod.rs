//! What `ffprobe -of json -show_format -show_streams` prints: the same keys, in the same order, numbers and strings where
//! it has them. Fields that ffprobe leaves out of JSON when they are unknown are left out here.

mod side_data;
mod stream;
mod text;

use std::ffi::CStr;

use ffmpeg_next::ffi;
use ffmpeg_next::format::context::Input;
use serde_json::{Map, Value, json};

pub(super) use side_data::rotation;
use text::{string, tags, time};

/// `{streams, format}` of an open container of `size` bytes.
pub(super) fn describe(input: &Input, size: u64) -> Value {
    let streams: Vec<Value> = input.streams().map(|stream| Value::Object(stream::describe(input, &stream))).collect();
    json!({ "streams": streams, "format": format(input, size) })
}

/// The keyframes' times, then the container's duration. Rounded to microseconds, as ffprobe prints them.
pub(super) fn keyframe_list(times: impl Iterator<Item = f64>, duration: Option<f64>) -> Value {
    let round = |seconds: f64| (seconds * 1e6).round() / 1e6;
    times.chain(duration).map(round).collect()
}

fn format(input: &Input, size: u64) -> Map<String, Value> {
    let mut out = Map::new();
    // SAFETY: the context is open, its format a static table.
    unsafe {
        let raw = input.as_ptr();
        let format = (*raw).iformat;
        out.insert("nb_streams".into(), (*raw).nb_streams.into());
        out.insert("nb_programs".into(), (*raw).nb_programs.into());
        out.insert("format_name".into(), string((*format).name).into());
        if !(*format).long_name.is_null() {
            out.insert("format_long_name".into(), string((*format).long_name).into());
        }
        let microseconds = ffmpeg_next::Rational(1, ffi::AV_TIME_BASE);
        time(&mut out, "start_time", (*raw).start_time, microseconds);
        time(&mut out, "duration", (*raw).duration, microseconds);
        out.insert("size".into(), size.to_string().into());
        if (*raw).bit_rate > 0 {
            out.insert("bit_rate".into(), (*raw).bit_rate.to_string().into());
        }
        out.insert("probe_score".into(), (*raw).probe_score.into());
        tags(&mut out, (*raw).metadata);
    }
    out
}

/// A name out of one of FFmpeg's tables, if there is one.
fn name(table: *const libc::c_char) -> Option<String> {
    // SAFETY: FFmpeg's name functions return null or a static string.
    (!table.is_null()).then(|| unsafe { CStr::from_ptr(table) }.to_string_lossy().into_owned())
}
