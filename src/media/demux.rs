//! Opening a container: from the sample's bytes alone, with the demuxers that fit them.

use std::ffi::CString;
use std::ptr;

use ffmpeg_next::format::context::{Input, StreamIo};
use ffmpeg_next::{Dictionary, ffi};
use libc::{c_char, c_int};

use super::source::Source;
use super::{Limits, LogCapture, MediaError, told};
use crate::sample::Container;

/// Bytes that FFmpeg reads at a time.
const BLOCK: usize = 32 << 10;
/// Bytes that are read at most to learn the streams' parameters, when the header does not hold them. FFmpeg's default,
/// stated because it bounds the work; the seconds that it looks at (5 to 90) depend on the container.
const PROBE_BYTES: i64 = 5_000_000;

/// The demuxers that may read what was sniffed, and a name whose extension backs FFmpeg's own look at the bytes.
///
/// Playlists (HLS, DASH, concat), devices and image sequences are in no row: they would open other files.
fn demuxers(container: Container) -> (&'static str, &'static str) {
    match container {
        Container::Mp4 => ("mov", "media.mp4"),
        Container::Mov => ("mov", "media.mov"),
        Container::Webm => ("matroska,webm", "media.webm"),
        Container::Matroska => ("matroska,webm", "media.mkv"),
        Container::Avi => ("avi", "media.avi"),
        Container::Flv => ("flv", "media.flv"),
        Container::MpegTs => ("mpegts", "media.ts"),
        Container::MpegPs => ("mpeg", "media.mpg"),
        Container::Asf => ("asf", "media.asf"),
        Container::Ogg => ("ogg", "media.ogg"),
        Container::Wav => ("wav", "media.wav"),
        Container::Flac => ("flac", "media.flac"),
        // Tags of this kind also stand before FLAC and AAC.
        Container::Mp3 => ("mp3,flac,aac", "media.mp3"),
        Container::Aac => ("aac,mp3", "media.aac"),
        Container::Gif => ("gif", "media.gif"),
        Container::Unknown => (
            "mov,matroska,webm,avi,flv,mpegts,mpeg,asf,ogg,wav,flac,mp3,aac,ac3,eac3,amr,aiff,au,caf,w64,nut,mxf,ivf,\
             rm,dv,h264,hevc,m4v,mpegvideo,vc1,obu,yuv4mpegpipe,swf,nsv,dts,truehd,wv,ape,tta",
            "media.bin",
        ),
    }
}

/// Refuses every file, protocol or address that a container may name.
unsafe extern "C" fn refuse_open(
    _: *mut ffi::AVFormatContext,
    _: *mut *mut ffi::AVIOContext,
    _: *const c_char,
    _: c_int,
    _: *mut *mut ffi::AVDictionary,
) -> c_int {
    ffi::AVERROR(libc::EPERM)
}

/// Opens the container and learns its streams. The limits hold before any decoder sees a byte.
pub(super) fn open(
    source: &Source,
    container: Container,
    limits: &Limits,
    log: &LogCapture,
) -> Result<Input, MediaError> {
    let mut input = open_header(source, container, log)?;
    check(&input, limits)?;
    find_streams(&mut input, container, limits, log)?;
    check(&input, limits)?;
    if input.streams().next().is_none() {
        return Err(MediaError::Container { detail: "no streams in it".into() });
    }
    Ok(input)
}

/// As [`open`], of what was open before as `known`.
///
/// The header of an MP4 holds all streams and its packets have both times, so that what was learned of them by decoding
/// their first pictures is taken over. In other containers later packets depend on how the first ones were looked at.
pub(super) fn open_again(
    source: &Source,
    container: Container,
    limits: &Limits,
    log: &LogCapture,
    known: &Input,
) -> Result<Input, MediaError> {
    if matches!(container, Container::Mp4 | Container::Mov) {
        let mut input = open_header(source, container, log)?;
        if take_over(&mut input, known) {
            return Ok(input);
        }
    }
    open(source, container, limits, log)
}

/// Gives the streams the parameters that they had; false where they are not the same streams.
fn take_over(input: &mut Input, known: &Input) -> bool {
    if input.streams().count() != known.streams().count() {
        return false;
    }
    input.streams().zip(known.streams()).all(|(new, old)| {
        // SAFETY: both contexts are open; the parameters are copied deeply, and FFmpeg reads them anew for the next packet.
        unsafe {
            let (new, old) = (new.as_ptr().cast_mut(), old.as_ptr());
            if (*new).id != (*old).id || (*(*new).codecpar).codec_id != (*(*old).codecpar).codec_id {
                return false;
            }
            (*new).avg_frame_rate = (*old).avg_frame_rate;
            (*new).r_frame_rate = (*old).r_frame_rate;
            (*new).sample_aspect_ratio = (*old).sample_aspect_ratio;
            (*new).start_time = (*old).start_time;
            (*new).duration = (*old).duration;
            ffi::avcodec_parameters_copy((*new).codecpar, (*old).codecpar) >= 0
        }
    }) && {
        // SAFETY: as above.
        unsafe {
            let (new, old) = (input.as_mut_ptr(), known.as_ptr());
            (*new).start_time = (*old).start_time;
            (*new).duration = (*old).duration;
            (*new).bit_rate = (*old).bit_rate;
        }
        true
    }
}

fn open_header(source: &Source, container: Container, log: &LogCapture) -> Result<Input, MediaError> {
    let (names, file_name) = demuxers(container);
    let mut options = Dictionary::new();
    options.set("format_whitelist", names);
    options.set("protocol_whitelist", "none");
    options.set("probesize", &PROBE_BYTES.to_string());
    let mut io = StreamIo::from_read_seek_with_capacity(source.clone(), BLOCK).map_err(|code| failed(code, log))?;
    let name = CString::new(file_name).unwrap_or_default();
    // SAFETY: `io` outlives the context (both go into `Input`, which closes the context first); FFmpeg frees the context
    // itself when opening fails, and takes the options over.
    unsafe {
        let mut context = ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(MediaError::Container { detail: "out of memory".into() });
        }
        (*context).pb = io.as_mut_ptr();
        (*context).flags |= ffi::AVFMT_FLAG_CUSTOM_IO;
        (*context).io_open = Some(refuse_open);
        let mut options = options.disown();
        let code = ffi::avformat_open_input(&mut context, name.as_ptr(), ptr::null(), &mut options);
        Dictionary::own(options);
        if code < 0 {
            return Err(not_opened(code, log));
        }
        Ok(Input::wrap_with_custom_io(context, io))
    }
}

/// Bytes that no allowed demuxer wants are not media; a demuxer that gives up found a broken container.
fn not_opened(code: c_int, log: &LogCapture) -> MediaError {
    let line = log.last_useful();
    match line.as_deref() {
        None if code == ffi::AVERROR_INVALIDDATA => MediaError::NotMedia { detail: "no known format".into() },
        Some(line) if line.contains("whitelist") => {
            MediaError::NotMedia { detail: "another format than its first bytes say".into() }
        }
        _ => failed(ffmpeg_next::Error::from(code), log),
    }
}

pub(super) fn failed(code: ffmpeg_next::Error, log: &LogCapture) -> MediaError {
    MediaError::Container { detail: log.last_useful().unwrap_or_else(|| code.to_string()) }
}

fn find_streams(input: &mut Input, container: Container, limits: &Limits, log: &LogCapture) -> Result<(), MediaError> {
    let count = input.streams().count();
    let max_pixels = limits.max_pixels.to_string();
    // One dictionary a stream: pictures that only their packets reveal are held to the limit, too.
    let is_mp4 = matches!(container, Container::Mp4 | Container::Mov);
    let mut options: Vec<*mut ffi::AVDictionary> = (0..count)
        .map(|index| {
            let mut one = Dictionary::new();
            one.set("max_pixels", &max_pixels);
            one.set("threads", "1");
            // Pictures are decoded for what their headers tell; nobody sees them.
            one.set("skip_loop_filter", "all");
            if is_mp4 && told::take(input, index) {
                one.set("skip_frame", "all");
            }
            // SAFETY: handed to FFmpeg below and freed right after it.
            unsafe { one.disown() }
        })
        .collect();
    // SAFETY: FFmpeg reads as many dictionaries as the context had streams when it was called.
    let code = unsafe {
        let code = ffi::avformat_find_stream_info(input.as_mut_ptr(), options.as_mut_ptr());
        for one in options {
            Dictionary::own(one);
        }
        code
    };
    if code < 0 { Err(failed(ffmpeg_next::Error::from(code), log)) } else { Ok(()) }
}

fn check(input: &Input, limits: &Limits) -> Result<(), MediaError> {
    let count = input.streams().count() as u64;
    if count > u64::from(limits.max_streams) {
        return Err(MediaError::TooManyStreams { count, limit: u64::from(limits.max_streams) });
    }
    for stream in input.streams() {
        // SAFETY: parameters live as long as their stream.
        let (width, height) = unsafe {
            let parameters = (*stream.as_ptr()).codecpar;
            (i64::from((*parameters).width), i64::from((*parameters).height))
        };
        let pixels = width.max(0) as u64 * height.max(0) as u64;
        if pixels > limits.max_pixels {
            return Err(MediaError::TooManyPixels { width, height, limit: limits.max_pixels });
        }
    }
    let seconds = input.duration() as f64 / f64::from(ffi::AV_TIME_BASE);
    if seconds > limits.max_duration {
        return Err(MediaError::TooLong { seconds, limit: limits.max_duration });
    }
    Ok(())
}
