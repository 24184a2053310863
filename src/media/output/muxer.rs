//! A container, written to memory.

use std::ffi::CString;
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use ffmpeg_next::codec::Parameters;
use ffmpeg_next::format::context::{Output, StreamIo};
use ffmpeg_next::packet::{Mut as _, Ref as _};
use ffmpeg_next::{Dictionary, Error, Packet, Rational, ffi};

use super::faststart::FileBytes;
use crate::media::MediaError;
use crate::media::log::LogLines;

/// FFmpeg's muxer for a member's extension.
///
/// # Errors
/// [`MediaError::NoContainer`]: none is known.
pub fn format_of(extension: &str) -> Result<&'static str, MediaError> {
    Ok(match extension {
        "mp4" | "m4v" => "mp4",
        "m4a" => "ipod",
        "mov" => "mov",
        "mkv" | "mka" => "matroska",
        "webm" => "webm",
        "avi" => "avi",
        "ts" => "mpegts",
        "mp3" => "mp3",
        "wav" => "wav",
        "flac" => "flac",
        "ogg" | "oga" => "ogg",
        "opus" => "opus",
        "aac" => "adts",
        _ => return Err(MediaError::NoContainer { extension: extension.to_owned() }),
    })
}

/// Whether a file with this extension can hold packets of this codec.
pub fn holds(extension: &str, codec: ffmpeg_next::codec::Id) -> bool {
    let Ok(name) = format_of(extension) else { return false };
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: a lookup in FFmpeg's static tables.
    unsafe {
        let format = ffi::av_guess_format(name.as_ptr(), std::ptr::null(), std::ptr::null());
        // FFmpeg's MP3 muxer answers for the pictures that it can hold, and not for MP3.
        !format.is_null()
            && ((*format).audio_codec == codec.into()
                || ffi::avformat_query_codec(format, codec.into(), ffi::FF_COMPLIANCE_NORMAL) == 1)
    }
}

/// The bytes so far, shared with FFmpeg's writer.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Cursor<Vec<u8>>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seek(to)
    }
}

/// Bytes that FFmpeg collects before it hands them over.
const BLOCK: usize = 64 << 10;

/// One file in the making.
pub struct Muxer {
    // Dropped before the memory that it writes to.
    output: Output,
    memory: Memory,
    extension: String,
    /// Of the packets that come, by stream.
    time_bases: Vec<Rational>,
    /// The muxer's own options.
    options: Vec<(&'static str, String)>,
}

impl Muxer {
    /// An empty file.
    pub fn new(extension: &str) -> Result<Self, MediaError> {
        let name = CString::new(format_of(extension)?).unwrap_or_default();
        let memory = Memory::default();
        let mut io = StreamIo::from_write_seek_with_capacity(memory.clone(), BLOCK).map_err(plain)?;
        // SAFETY: the context is freed with `Output`, which also owns the writer and closes it last.
        let output = unsafe {
            let mut context = std::ptr::null_mut();
            let code =
                ffi::avformat_alloc_output_context2(&mut context, std::ptr::null(), name.as_ptr(), std::ptr::null());
            if code < 0 || context.is_null() {
                return Err(MediaError::NoContainer { extension: extension.to_owned() });
            }
            (*context).pb = io.as_mut_ptr();
            // No version, date or random id in the file: the same packets are the same bytes.
            (*context).flags |= ffi::AVFMT_FLAG_CUSTOM_IO | ffi::AVFMT_FLAG_BITEXACT;
            // The file's order follows from the packets' times alone, not from when which of them came.
            (*context).max_interleave_delta = 0;
            Output::wrap_with_custom_io(context, io)
        };
        Ok(Self { output, memory, extension: extension.to_owned(), time_bases: Vec::new(), options: Vec::new() })
    }

    /// Whether codecs must put their headers beside the packets.
    pub fn wants_global_headers(&self) -> bool {
        self.output.format().flags().contains(ffmpeg_next::format::Flags::GLOBAL_HEADER)
    }

    /// Adds a stream whose packets have times in `time_base`. Returns its number.
    pub fn add_stream(&mut self, parameters: &Parameters, time_base: Rational) -> Result<usize, MediaError> {
        // SAFETY: the context is open and has no header yet; parameters are copied.
        unsafe {
            let stream = ffi::avformat_new_stream(self.output.as_mut_ptr(), std::ptr::null());
            if stream.is_null() {
                return Err(plain(Error::Other { errno: libc::ENOMEM }));
            }
            let code = ffi::avcodec_parameters_copy((*stream).codecpar, parameters.as_ptr());
            if code < 0 {
                return Err(plain(Error::from(code)));
            }
            let format = (*self.output.as_ptr()).oformat;
            (*(*stream).codecpar).codec_tag = tag(format, &*(*stream).codecpar);
            (*stream).time_base = time_base.into();
            (*stream).sample_aspect_ratio = (*(*stream).codecpar).sample_aspect_ratio;
        }
        self.time_bases.push(time_base);
        Ok(self.time_bases.len() - 1)
    }

    /// Writes down the stream's frame rate, which some containers keep.
    pub fn set_frame_rate(&mut self, stream: usize, rate: Rational) {
        if let Some(mut stream) = self.output.stream_mut(stream) {
            stream.set_avg_frame_rate(rate);
        }
    }

    /// What players have to know beside the packets.
    pub fn add_side_data(&mut self, stream: usize, data: &[SideData]) {
        let Some(mut to) = self.output.stream_mut(stream) else { return };
        for (kind, bytes) in data {
            // SAFETY: FFmpeg allocates the copy and owns it; it is as long as the source.
            unsafe {
                let copy = compat::new_side_data(to.as_mut_ptr(), (*kind).into(), bytes.len());
                if !copy.is_null() {
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
                }
            }
        }
    }

    /// As above, a stream of sound: the file tells samples apart.
    pub fn add_sound(&mut self, parameters: &Parameters, time_base: Rational) -> Result<usize, MediaError> {
        // SAFETY: the parameters are borrowed; these are plain numbers.
        let (rate, delay) = unsafe { ((*parameters.as_ptr()).sample_rate, (*parameters.as_ptr()).initial_padding) };
        match format_of(&self.extension)? {
            // Edit lists count in the units of the whole file: milliseconds, if nobody says otherwise.
            "mp4" | "mov" | "ipod" if rate > 0 => self.options.push(("movie_timescale", rate.to_string())),
            // A LAME tag cannot say that nothing is to be left out: FFmpeg adds what a decoder delays.
            "mp3" if delay == 0 => self.options.push(("write_xing", "0".to_owned())),
            _ => {}
        }
        self.add_stream(parameters, time_base)
    }

    /// Writes the header: all streams are known.
    ///
    /// # Errors
    /// [`MediaError::DoesNotFit`]: the container cannot hold a stream of this kind.
    pub fn begin(&mut self, log: &LogLines) -> Result<(), MediaError> {
        let mut options = Dictionary::new();
        self.options.iter().for_each(|(name, value)| options.set(name, value));
        let header = self.output.write_header_with(options).map(|_| ());
        header.map_err(|error| {
            let detail = log.last_useful().unwrap_or_else(|| error.to_string());
            MediaError::DoesNotFit { extension: self.extension.clone(), detail }
        })
    }

    /// Writes a packet of one of the streams.
    pub fn write(&mut self, mut packet: Packet, stream: usize) -> Result<(), MediaError> {
        let (Some(from), Some(to)) = (self.time_bases.get(stream), self.output.stream(stream)) else { return Ok(()) };
        packet.rescale_ts(*from, to.time_base());
        packet.set_stream(stream);
        packet.set_position(-1);
        packet.write_interleaved(&mut self.output).map_err(plain)
    }

    /// The whole file.
    pub fn finish(mut self) -> Result<FileBytes, MediaError> {
        self.output.write_trailer().map_err(plain)?;
        // SAFETY: the writer is open until the context is dropped; what it holds back goes to the memory.
        unsafe { ffi::avio_flush((*self.output.as_mut_ptr()).pb) };
        let is_indexed = matches!(format_of(&self.extension), Ok("mp4" | "mov" | "ipod"));
        let memory = self.memory.clone();
        drop(self);
        let mut cursor = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = std::mem::take(cursor.get_mut());
        Ok(if is_indexed { FileBytes::index_first(bytes) } else { FileBytes::plain(bytes) })
    }
}

/// The codec's four letters, where they mean the same codec here (`hvc1` or `hev1`, `avc3`), or nothing at all; else 0: the
/// muxer chooses its own. As the ffmpeg program decides.
///
/// # Safety
/// `format` is one of FFmpeg's static tables.
unsafe fn tag(format: *const ffi::AVOutputFormat, parameters: &ffi::AVCodecParameters) -> u32 {
    // SAFETY: lookups in static tables.
    unsafe {
        let tags = (*format).codec_tag;
        let mut own = 0;
        let is_known = !tags.is_null() && ffi::av_codec_get_tag2(tags, parameters.codec_id, &mut own) != 0;
        let is_same = !tags.is_null() && ffi::av_codec_get_id(tags, parameters.codec_tag) == parameters.codec_id;
        if is_same || !is_known { parameters.codec_tag } else { 0 }
    }
}

/// What some versions of FFmpeg lack.
mod compat {
    use ffmpeg_next::ffi;

    /// Room for side data of a stream; null where there is none, or where FFmpeg has it elsewhere.
    ///
    /// FFmpeg 8 has no such function, nor need of it: since 6.1 the parameters hold the side data and are copied with it.
    ///
    /// # Safety
    /// As FFmpeg's function.
    pub unsafe fn new_side_data(stream: *mut ffi::AVStream, kind: ffi::AVPacketSideDataType, size: usize) -> *mut u8 {
        // Names of this block come before those of the module: FFmpeg's function, if there is one, else the stand-in.
        #[allow(unused_imports, reason = "where FFmpeg has no such function")]
        use ffmpeg_next::ffi::*;
        // SAFETY: the caller's.
        unsafe { av_stream_new_side_data(stream, kind, size) }
    }

    #[allow(dead_code, reason = "used where FFmpeg has no function of this name")]
    unsafe fn av_stream_new_side_data(_: *mut ffi::AVStream, _: ffi::AVPacketSideDataType, _: usize) -> *mut u8 {
        std::ptr::null_mut()
    }
}

/// Kind and bytes.
pub type SideData = (ffmpeg_next::packet::side_data::Type, Vec<u8>);

/// What a copied stream has to keep: the turn by which it is shown, its light levels.
pub fn kept_side_data(stream: &ffmpeg_next::Stream<'_>) -> Vec<SideData> {
    let kept = stream.side_data().filter(|data| is_kept(data.kind()));
    kept.map(|data| (data.kind(), data.data().to_vec())).collect()
}

fn is_kept(kind: ffmpeg_next::packet::side_data::Type) -> bool {
    use ffmpeg_next::packet::side_data::Type;
    matches!(kind, Type::DisplayMatrix | Type::MasteringDisplayMetadata | Type::ContentLightLevel)
}

fn plain(error: Error) -> MediaError {
    MediaError::Encoder { detail: error.to_string() }
}

/// A packet whose data can be changed or that lives on when the reader goes on: shares the bytes.
pub fn keep(packet: &Packet) -> Packet {
    let mut kept = Packet::empty();
    // SAFETY: both are packets; a reference to the same bytes is taken, or the packet stays empty.
    unsafe { ffi::av_packet_ref(kept.as_mut_ptr(), packet.as_ptr()) };
    kept
}
