//! Strings, times and tags as ffprobe writes them.

use std::ffi::CStr;
use std::ptr;

use ffmpeg_next::{Rational, ffi};
use libc::c_char;
use serde_json::{Map, Value};

/// A C string without the bytes that are not UTF-8, which ffprobe drops.
///
/// # Safety
/// `text` points to a string that ends with a zero.
pub(super) unsafe fn string(text: *const c_char) -> String {
    // SAFETY: by the caller.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()
}

/// A time in seconds with six decimals; left out when it is unknown.
pub(super) fn time(out: &mut Map<String, Value>, key: &str, value: i64, unit: Rational) {
    if value != ffi::AV_NOPTS_VALUE {
        out.insert(key.into(), format!("{:.6}", value as f64 * f64::from(unit)).into());
    }
}

/// `1280/720`, not reduced.
pub(super) fn ratio(value: ffi::AVRational, between: char) -> Value {
    format!("{}{between}{}", value.num, value.den).into()
}

/// The dictionary under `tags`, left out when it is empty.
///
/// # Safety
/// `dictionary` is null or alive.
pub(super) unsafe fn tags(out: &mut Map<String, Value>, dictionary: *const ffi::AVDictionary) {
    let mut tags = Map::new();
    let mut entry: *const ffi::AVDictionaryEntry = ptr::null();
    // SAFETY: an empty key with this flag walks over all entries, each alive as long as its dictionary.
    unsafe {
        loop {
            entry = ffi::av_dict_get(dictionary, c"".as_ptr(), entry, ffi::AV_DICT_IGNORE_SUFFIX);
            if entry.is_null() {
                break;
            }
            tags.insert(string((*entry).key), string((*entry).value).into());
        }
    }
    if !tags.is_empty() {
        out.insert("tags".into(), tags.into());
    }
}
